//! The shadow plane.

pub mod dial;
pub mod model;
pub mod queue;
pub mod settings;
pub mod socket;
pub mod translate;
