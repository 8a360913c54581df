//! What came of scenarios, for people.

use std::fmt::Write as _;

use serde_json::json;

use super::files::File;
use crate::cli::error::CliError;
use crate::cli::printable;
use crate::replay::scenario::results::{Came, Failure, Results};

/// The longest text of a backend that is shown, in characters.
const LONGEST: usize = 400;

/// Which scenarios there are.
pub(super) fn list(files: &[File], json: bool) -> Result<String, CliError> {
    if json {
        let listed: Vec<_> = files.iter().map(row).collect();
        return Ok(crate::cli::to_json(&listed)? + "\n");
    }
    let width = files.iter().map(|file| file.name().chars().count()).max();
    let width = width.unwrap_or(0);
    let mut out = String::new();
    for file in files {
        let it = &file.scenario;
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:<width$}  {:<5}  {}  [{}]",
            printable(&file.name()),
            it.version.number(),
            printable(&it.name),
            printable(&it.tags.join(" ")),
        );
    }
    Ok(out)
}

fn row(file: &File) -> serde_json::Value {
    let it = &file.scenario;
    json!({
        "file": file.name(), "name": it.name, "proves": it.proves, "version": it.version.number(), "tags": it.tags,
    })
}

/// What came of all of them.
pub(super) fn results(results: &Results, files: &[File]) -> String {
    let mut out = String::new();
    for came in &results.scenarios {
        out.push_str(&line(came));
        let file = files.iter().find(|file| file.name() == came.file);
        for failure in &came.failures {
            out.push_str(&failure_text(failure, file));
        }
        for note in &came.unchecked {
            let _ = writeln!(out, "  not checked: {}", printable(note));
        }
    }
    let _ = write!(
        out,
        "{} passed, {} failed, {} could not be played",
        results.passed, results.failed, results.errors
    );
    if results.interrupted {
        let _ = write!(
            out,
            ", {} not played: interrupted",
            files.len() - results.scenarios.len()
        );
    }
    out + "\n"
}

fn line(came: &Came) -> String {
    format!(
        "{:<6}  {}  {}  ({}; {}.{} s)\n",
        came.verdict.word(),
        printable(&came.file),
        printable(&came.name),
        came.parity(),
        came.took_ms / 1_000,
        came.took_ms % 1_000 / 100,
    )
}

/// A failure: the place in the file with what is wrong there, and what both said.
pub(super) fn failure_text(failure: &Failure, file: Option<&File>) -> String {
    let label = printable(&format!(
        "{}: expected {}, got {}",
        failure.side,
        failure.expected,
        short(&failure.got)
    ));
    let place = failure.span.clone().zip(file);
    let mut out = match place {
        Some((span, file)) => file.place(span, &label).render(),
        None => format!("  {label}\n"),
    };
    if let Some(step) = failure.step {
        let _ = writeln!(out, "    step {step} {}", printable(&failure.action));
    }
    for (whose, said) in [
        ("legacy", &failure.legacy),
        ("candidate", &failure.candidate),
    ] {
        if let Some(said) = said {
            let _ = writeln!(out, "      {whose:<9}  {}", printable(&short(said)));
        }
    }
    out
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start}… ({} characters)", text.chars().count())
}
