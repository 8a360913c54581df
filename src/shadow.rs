//! The shadow plane.

pub mod dial;
pub mod queue;
pub mod settings;
pub mod socket;
