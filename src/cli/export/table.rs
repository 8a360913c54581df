//! Rows on their way to a file or stdout, as CSV, JSON Lines or Parquet.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::{Export, Format, parquet};
use crate::cli::error::{CliError, Exit};
use crate::cli::interrupt::Interrupt;
use crate::cli::schema::Schema;

/// Rows between two looks for Ctrl-C.
const LOOK: u64 = 1_000;

/// Rows between two words on how far it is.
const SAY: u64 = 100_000;

/// A table that is being written.
pub(super) struct Table {
    out: Out,
    columns: &'static [&'static str],
    rows: u64,
    /// Where a file is written and where it shall appear.
    file: Option<(PathBuf, PathBuf)>,
    interrupt: Interrupt,
    ending: Option<Ending>,
}

/// Where bytes go.
type Sink = Box<dyn Write + Send>;

enum Out {
    Csv(Box<csv::Writer<Sink>>),
    Jsonl(Sink),
    Parquet(Box<parquet::Rows>),
}

impl Out {
    fn open(
        format: Format,
        sink: Sink,
        columns: &'static [&'static str],
        schema: Schema,
    ) -> Result<Self, CliError> {
        Ok(match format {
            Format::Jsonl => Self::Jsonl(sink),
            Format::Csv => Self::Csv(Box::new(csv::Writer::from_writer(sink))),
            Format::Parquet => {
                let rows = parquet::Rows::open(sink, columns, schema.text())?;
                Self::Parquet(Box::new(rows))
            }
        })
    }
}

/// Why no more rows are wanted.
#[derive(Debug)]
enum Ending {
    Interrupted,
    /// Whoever reads has seen enough, or the disk is full.
    Failed(io::Error),
}

impl Table {
    /// A table with these columns, each described in the JSON Schema of a row.
    pub(super) fn open(
        export: &Export,
        columns: &'static [&'static str],
        schema: Schema,
    ) -> Result<Self, CliError> {
        let interrupt = Interrupt::watch()?;
        let (sink, file): (Sink, _) = match &export.out {
            None => (Box::new(BufWriter::new(io::stdout())), None),
            Some(path) => {
                let part = beside(path);
                let opened = File::create(&part).map_err(|error| cannot_write(path, &error))?;
                (Box::new(BufWriter::new(opened)), Some((part, path.clone())))
            }
        };
        let out = match Out::open(export.format, sink, columns, schema) {
            Ok(out) => out,
            Err(error) => {
                if let Some((part, _)) = &file {
                    fs::remove_file(part).map_err(|error| cannot_write(part, &error))?;
                }
                return Err(error);
            }
        };
        let mut table = Self {
            out,
            columns,
            rows: 0,
            file,
            interrupt,
            ending: None,
        };
        if let Out::Csv(out) = &mut table.out {
            let written = out.write_record(columns).map_err(io::Error::from);
            table.note(written);
        }
        Ok(table)
    }

    /// Writes a row; false if no more are wanted.
    pub(super) fn row(&mut self, row: &impl Serialize) -> Result<bool, CliError> {
        let value = match self.out {
            Out::Jsonl(_) => {
                let line = crate::cli::to_json(row)?;
                return Ok(self.line(&line));
            }
            Out::Csv(_) | Out::Parquet(_) => serde_json::to_value(row).map_err(|error| {
                let why = format!("cannot write a row: {error}");
                CliError::new(Exit::Environment, "OUT-001", why)
            })?,
        };
        let written = match &mut self.out {
            Out::Csv(out) => {
                let cells = self.columns.iter().map(|name| cell(&value[*name]));
                out.write_record(cells).map_err(io::Error::from)
            }
            Out::Parquet(out) => out.row(&value),
            Out::Jsonl(_) => Ok(()),
        };
        Ok(self.note(written))
    }

    /// Whether lines are written as they are.
    pub(super) const fn is_jsonl(&self) -> bool {
        matches!(self.out, Out::Jsonl(_))
    }

    /// Writes a line of JSON; false if no more are wanted.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let written = match &mut self.out {
            Out::Jsonl(out) => writeln!(out, "{line}"),
            Out::Csv(_) | Out::Parquet(_) => Ok(()),
        };
        self.note(written)
    }

    /// Whether more rows are wanted.
    pub(super) fn is_open(&mut self) -> bool {
        if self.ending.is_none() && self.interrupt.pressed() {
            self.ending = Some(Ending::Interrupted);
        }
        self.ending.is_none()
    }

    fn note(&mut self, written: io::Result<()>) -> bool {
        self.rows += 1;
        if let Err(error) = written {
            self.ending.get_or_insert(Ending::Failed(error));
        } else if self.rows.is_multiple_of(LOOK) {
            self.is_open();
        }
        if self.rows.is_multiple_of(SAY) && io::stderr().is_terminal() {
            eprint!("\r{} rows", self.rows);
        }
        self.ending.is_none()
    }

    /// Ends the table. A file appears if all went well, else it does not.
    pub(super) fn close(mut self, written: Result<(), CliError>) -> Result<Exit, CliError> {
        if self.rows >= SAY && io::stderr().is_terminal() {
            eprintln!("\r{} rows", self.rows);
        }
        let flushed = match &mut self.out {
            Out::Csv(out) => out.flush(),
            Out::Jsonl(out) => out.flush(),
            Out::Parquet(out) => out.close(),
        };
        let ending = match (self.ending.take(), flushed) {
            (None, Err(error)) => Some(Ending::Failed(error)),
            (ending, _) => ending,
        };
        let done = match (&self.file, ending) {
            (_, Some(Ending::Interrupted)) => written.map(|()| Exit::Interrupted),
            (None, Some(Ending::Failed(error))) if error.kind() == io::ErrorKind::BrokenPipe => {
                written.map(|()| Exit::Parity)
            }
            (None, Some(Ending::Failed(error))) => Err(crate::cli::cannot_say(&error)),
            (Some((_, path)), Some(Ending::Failed(error))) => Err(cannot_write(path, &error)),
            (_, None) => written.map(|()| Exit::Parity),
        };
        let Some((part, path)) = &self.file else {
            return done;
        };
        if matches!(done, Ok(Exit::Parity)) {
            fs::rename(part, path).map_err(|error| cannot_write(path, &error))?;
        } else {
            fs::remove_file(part).map_err(|error| cannot_write(part, &error))?;
        }
        done
    }
}

/// A name beside `path` that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    PathBuf::from(name)
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "EXP-001",
        format!("cannot write {}: {error}", path.display()),
    )
}

/// A value as a cell. Text that a spreadsheet would take for a formula is told apart by an apostrophe; numbers are not text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => guarded(text),
        Value::Array(values) => {
            let texts = values.iter().map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            });
            guarded(&texts.collect::<Vec<_>>().join("; "))
        }
        other => other.to_string(),
    }
}

fn guarded(text: &str) -> String {
    let is_number = text.parse::<rust_decimal::Decimal>().is_ok();
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_number {
        return format!("'{text}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (value, text) in [
            (json!("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")"),
            (json!("-2+3"), "'-2+3"),
            (json!("-2.5"), "-2.5"),
            (json!(["@a", "b"]), "'@a; b"),
            (json!(null), ""),
            (json!(-7), "-7"),
            (json!("CP=1"), "CP=1"),
        ] {
            assert_eq!(cell(&value), text);
        }
    }
}
