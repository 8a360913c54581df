//! The derived tables.

pub mod row;
