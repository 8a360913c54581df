//! Simulated chargers and backends.
