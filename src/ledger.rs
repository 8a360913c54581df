//! The derived tables.
