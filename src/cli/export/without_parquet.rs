//! Stands in for the writer of Parquet in a program that was built without it.

use std::io::{self, Write};

use serde_json::Value;

use crate::cli::error::{CliError, Exit};

/// Rows that are never written: nobody can open a table for them.
pub(super) enum Rows {}

impl Rows {
    /// Says how to build a program that can.
    pub(super) fn open(
        _sink: Box<dyn Write + Send>,
        _columns: &[&'static str],
        _schema: &str,
    ) -> Result<Self, CliError> {
        let why = "this program was built without Parquet";
        Err(CliError::new(Exit::Usage, "EXP-002", why).help(
            "build it with `cargo build --release --features parquet`, or write CSV, from which DuckDB and others make Parquet",
        ))
    }

    /// Adds a row.
    pub(super) fn row(&mut self, _row: &Value) -> io::Result<()> {
        match *self {}
    }

    /// Writes the end of the file.
    pub(super) fn close(&mut self) -> io::Result<()> {
        match *self {}
    }
}
