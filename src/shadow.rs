//! The shadow plane.

pub mod observe;
