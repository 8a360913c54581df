//! Filters on the command line: `--filter TEXT`, and the options that are short for a part of one.

use std::fmt::Write as _;
use std::path::Path;

use super::error::{CliError, Exit, Place};
use crate::clock::Micros;
use crate::facts;
use crate::ledger::filter::{Field, Filter, FilterError, quoted};

/// Options as the text of a filter, and what `--filter` says.
#[derive(Debug, Default)]
pub struct Terms(String);

impl Terms {
    /// Adds `field:value` for an option that was given, whose value is meant exactly.
    #[must_use]
    pub fn is(mut self, field: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let _ = write!(self.0, "{field}:{} ", quoted(value));
        }
        self
    }

    /// Adds `severity>=value` for an option that was given.
    #[must_use]
    pub fn at_least(mut self, severity: Option<crate::ocpp::Severity>) -> Self {
        if let Some(severity) = severity {
            let _ = write!(self.0, "severity>={severity} ");
        }
        self
    }

    /// The filter of these options and of the text, if there is one.
    pub fn and(self, text: Option<&str>, fields: &'static [Field]) -> Result<Filter, CliError> {
        let options = understood(&self.0, fields)?;
        Ok(options.and(understood(text.unwrap_or_default(), fields)?))
    }
}

fn understood(text: &str, fields: &'static [Field]) -> Result<Filter, CliError> {
    Filter::parse(text, fields).map_err(|error| complaint(text, error))
}

/// The error with a caret under its place.
fn complaint(text: &str, error: FilterError) -> CliError {
    let span = error.at..error.at + error.len;
    let place = Place::new(
        Path::new("--filter"),
        &super::printable(text),
        span,
        error.hint,
    );
    CliError::new(Exit::Usage, "FLT-001", error.message)
        .at(place)
        .help("the fields are listed at the end of --help")
}

/// When a recording's last fact was, µs: what `since:2h` counts from. 0 without facts.
pub fn last_fact(dir: &Path) -> Result<Micros, CliError> {
    Ok(facts::Reader::open(dir)?.last_at()?.unwrap_or_default())
}
