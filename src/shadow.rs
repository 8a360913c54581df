//! The shadow plane.
