//! Scenarios as `JUnit` XML, for programs that collect test results: a scenario is a test case. One that has failed holds one
//! `failure`, one that could not be played one `error`, however much was not as expected: programs count elements.

use std::fmt::Write as _;
use std::path::Path;

use super::files::File;
use super::text::failure_text;
use crate::replay::scenario::results::{Came, Results, Verdict};
use crate::report::escape::markup as escaped;

/// The results as a test suite.
pub(super) fn write(results: &Results, files: &[File]) -> String {
    let all: u64 = results.scenarios.iter().map(|came| came.took_ms).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<testsuites><testsuite name=\"evenkeel scenario\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{}\" timestamp=\"{}\">",
        results.scenarios.len(),
        results.failed,
        results.errors,
        seconds(all),
        escaped(&results.at),
    );
    for came in &results.scenarios {
        let _ = write!(
            out,
            "<testcase classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{}\">",
            escaped(&class(came)),
            escaped(&came.name),
            escaped(&came.file),
            seconds(came.took_ms)
        );
        let element = match came.verdict {
            Verdict::Passed => None,
            Verdict::Failed => Some("failure"),
            Verdict::Error => Some("error"),
        };
        if let Some(element) = element {
            let file = files.iter().find(|file| file.name() == came.file);
            let said = came
                .failures
                .iter()
                .map(|failure| failure_text(failure, file));
            let _ = write!(
                out,
                "<{element} type=\"{}\" message=\"{}\">{}</{element}>",
                came.verdict.word().to_lowercase(),
                escaped(&message(came)),
                escaped(&said.collect::<String>()),
            );
        }
        out.push_str("</testcase>\n");
    }
    out + "</testsuite></testsuites>\n"
}

fn message(came: &Came) -> String {
    let Some(first) = came.failures.first() else {
        return String::new();
    };
    let more = match came.failures.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!(
        "{}: expected {}, got {}{more}",
        first.side, first.expected, first.got
    )
}

/// The file as a class: its folders and its name, with dots.
fn class(came: &Came) -> String {
    let path = Path::new(&came.file).with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let parts: Vec<String> = parts
        .filter(|part| part != "/" && part != "." && part != "..")
        .collect();
    parts.join(".")
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}
