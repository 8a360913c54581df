//! Simulated chargers and backends.

pub mod sim;
