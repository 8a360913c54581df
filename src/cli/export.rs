//! `evenkeel export`: facts as JSON Lines, for other tools.

use std::io::{BufWriter, Write as _};

use clap::{Args, Subcommand};

use super::error::{CliError, Exit};
use super::recording::RecordingArg;
use crate::facts::{Reader, export};

/// Writes what a recording holds in stable, documented forms.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every fact, one JSON object per line (schema evenkeel.fact/1), in order.
    Facts(RecordingArg),
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let What::Facts(recording) = &options.what;
    let reader = Reader::open(&recording.existing()?)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for fact in reader.facts() {
        let line = export::to_line(&fact?).map_err(|error| {
            CliError::new(
                Exit::Integrity,
                "REC-004",
                format!("cannot export: {error}"),
            )
        })?;
        if let Err(error) = writeln!(out, "{line}") {
            return stdout_gone(&error);
        }
    }
    match out.flush() {
        Ok(()) => Ok(Exit::Parity),
        Err(error) => stdout_gone(&error),
    }
}

/// A reader that has seen enough (`| head`) is no error.
fn stdout_gone(error: &std::io::Error) -> Result<Exit, CliError> {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Ok(Exit::Parity);
    }
    Err(CliError::new(
        Exit::Environment,
        "ENV-002",
        format!("cannot write to stdout: {error}"),
    ))
}
