//! `evenkeel export`: what a recording holds, in stable forms for other tools.

mod cdrs;
mod facts;
#[cfg_attr(not(feature = "parquet"), path = "export/without_parquet.rs")]
mod parquet;
mod sessions;
mod status;
mod table;

use std::path::PathBuf;

use chrono::DateTime;
use clap::{Args, Subcommand, ValueEnum};

use super::error::{CliError, Exit};
use super::recording::RecordingArg;
use super::schema::Schema;
use crate::clock::Micros;
use table::Table;

/// Writes what a recording holds in stable, documented forms.
///
/// JSON Lines have a JSON Schema (`evenkeel schema fact`, `session-row`, `cdr-row`, `status-row`); CSV has the same keys as columns, in
/// the same order, without `v`. Times are RFC 3339 in UTC, energy is Wh, times of duration are hours, amounts are exact
/// decimals. In CSV a list is joined with "; ", and a cell that a spreadsheet would run as a formula begins with an apostrophe.
/// Parquet, in a program built with `--features parquet`, has the same columns with types: TIMESTAMP, DECIMAL(38, 12), INT64, BOOLEAN,
/// LIST, JSON, STRING.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every fact in order (schema evenkeel.fact/1).
    Facts(Export),
    /// Decisions and notes of people, and what followed from them: the facts of one chain of hashes, which `verify` checks.
    Notes(Export),
    /// Sessions as the charger, legacy and the candidate tell them (schema evenkeel.session-row/1).
    Sessions(Export),
    /// Session and CDR records read from backends (schema evenkeel.cdr-row/1).
    Cdrs(Export),
    /// Status of each connector over time, as the charger told it (schema evenkeel.status-row/1).
    Status(Export),
}

/// What to write, and where.
#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    recording: RecordingArg,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// File to write instead of stdout; it appears when it is whole.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only what is about this charger.
    #[arg(long, value_name = "IDENTITY")]
    charger: Option<String>,
    /// Only from this time on (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Micros>,
    /// Only before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Micros>,
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a heading (RFC 4180).
    Csv,
    /// Apache Parquet, where the program was built with it.
    Parquet,
}

fn instant(text: &str) -> Result<Micros, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.timestamp_micros())
        .map_err(|error| format!("{error}; write for example 2026-03-01T18:00:00Z"))
}

impl Export {
    /// Whether the filters let something of this charger and time through.
    fn takes(&self, charger: &str, at: Micros) -> bool {
        self.charger
            .as_deref()
            .is_none_or(|wanted| wanted == charger)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let (export, columns, schema, write): (_, _, _, Writer) = match &options.what {
        What::Facts(export) => (export, facts::COLUMNS, Schema::Fact, facts::write),
        What::Notes(export) => (export, facts::COLUMNS, Schema::Fact, facts::write_notes),
        What::Sessions(export) => (
            export,
            sessions::COLUMNS,
            Schema::SessionRow,
            sessions::write,
        ),
        What::Cdrs(export) => (export, cdrs::COLUMNS, Schema::CdrRow, cdrs::write),
        What::Status(export) => (export, status::COLUMNS, Schema::StatusRow, status::write),
    };
    let mut table = Table::open(export, columns, schema)?;
    let written = write(export, &mut table);
    table.close(written)
}

/// Writes rows until there are no more or the table wants none.
type Writer = fn(&Export, &mut Table) -> Result<(), CliError>;
