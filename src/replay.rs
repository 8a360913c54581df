//! Simulated chargers and backends, and logs of other programs read as facts.

pub mod import;
pub mod sim;
