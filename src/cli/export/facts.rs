//! Facts as they are.

use super::Export;
use super::table::Table;
use crate::cli::error::{CliError, Exit};
use crate::facts::{Fact, Reader, RecordingError, chain, export};

/// Keys of a line (schema evenkeel.fact/1) as columns.
pub(super) const COLUMNS: &[&str] = &[
    "seq",
    "at",
    "kind",
    "charger",
    "conn",
    "leg",
    "dir",
    "frame",
    "frames",
    "cause",
    "body",
    "body_base64",
    "note",
];

/// Writes every fact that the filters let through.
pub(super) fn write(options: &Export, table: &mut Table) -> Result<(), CliError> {
    let reader = Reader::open(&options.recording.existing()?)?;
    each(options, reader.facts(), table)
}

/// Writes the notes of people that the filters let through.
pub(super) fn write_notes(options: &Export, table: &mut Table) -> Result<(), CliError> {
    let reader = Reader::open(&options.recording.existing()?)?;
    let notes = chain::notes(&reader)?;
    each(options, notes.into_iter().map(Ok), table)
}

fn each(
    options: &Export,
    facts: impl Iterator<Item = Result<Fact, RecordingError>>,
    table: &mut Table,
) -> Result<(), CliError> {
    let broken = |error: String| {
        CliError::new(
            Exit::Integrity,
            "REC-004",
            format!("cannot export: {error}"),
        )
    };
    for fact in facts {
        let fact = fact?;
        if !options.takes(&fact.charger, fact.at) {
            continue;
        }
        let line = export::to_line(&fact).map_err(|error| broken(error.to_string()))?;
        let more = if table.is_jsonl() {
            table.line(&line)
        } else {
            let value: serde_json::Value =
                serde_json::from_str(&line).map_err(|error| broken(error.to_string()))?;
            table.row(&value)?
        };
        if !more {
            break;
        }
    }
    Ok(())
}
