//! The shadow plane.

pub mod observe;
pub mod plane;
