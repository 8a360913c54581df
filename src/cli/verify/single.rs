//! Checks a single file: a bundle, or the chain of people's notes that `export notes` wrote.

use std::fmt::Write as _;

use serde::Serialize;

use super::Options;
use crate::cli::error::{CliError, Exit};
use crate::facts::chain::Chain;
use crate::facts::export;
use crate::replay::bundle::claims::unkept;
use crate::replay::bundle::{self, Bundle};
use crate::report::rules::stacked;

/// What `verify --json` prints of a single file.
#[derive(Debug, Serialize)]
struct Verified {
    schema: &'static str,
    ok: bool,
    /// `bundle` or `notes`.
    what: &'static str,
    /// The bundle's finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<String>,
    /// The bundle's messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    /// How far the chain holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Chain>,
    broken: Vec<String>,
}

/// Checks a text that is a bundle or a chain; none if it is neither.
pub(super) fn run(bytes: &[u8], options: &Options) -> Result<Option<Exit>, CliError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(None);
    };
    let verified = if is_marked(text, "schema", bundle::SCHEMA) {
        of_bundle(text)
    } else if text
        .lines()
        .next()
        .is_some_and(|line| is_marked(line, "v", export::VERSION))
    {
        of_notes(text)
    } else {
        return Ok(None);
    };
    crate::cli::say(&if options.json {
        crate::cli::to_json(&verified)? + "\n"
    } else {
        shown(&verified)
    })?;
    Ok(Some(if verified.ok {
        Exit::Parity
    } else {
        Exit::Integrity
    }))
}

/// Whether this is a JSON object with a member of this name and text.
fn is_marked(text: &str, name: &str, value: &str) -> bool {
    let object = serde_json::from_str::<serde_json::Value>(text);
    object.is_ok_and(|object| object.get(name).and_then(|it| it.as_str()) == Some(value))
}

fn of_bundle(text: &str) -> Verified {
    let mut verified = Verified {
        schema: "evenkeel.verify-file/1",
        ok: false,
        what: "bundle",
        finding: None,
        steps: None,
        notes: None,
        broken: Vec::new(),
    };
    let bundle = match Bundle::read(text) {
        Ok(bundle) => bundle,
        Err(error) => {
            verified.broken.push(crate::cli::chain(&error));
            return verified;
        }
    };
    let files: Vec<(String, String)> = (bundle.rules.iter())
        .map(|rules| (rules.name.clone(), rules.text.clone()))
        .collect();
    verified.broken = match stacked(&files) {
        Ok(rules) => unkept(&bundle, &rules),
        Err(error) => vec![crate::cli::chain(&error)],
    };
    verified.ok = verified.broken.is_empty();
    verified.finding = Some(bundle.finding.id);
    verified.steps = Some(bundle.steps.len());
    verified
}

fn of_notes(text: &str) -> Verified {
    let mut chain = Chain::default();
    let mut broken = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        match export::from_line(line) {
            Ok(fact) => chain.add(&fact),
            Err(error) => broken.push(format!(
                "line {}: {}",
                number + 1,
                crate::cli::chain(&error)
            )),
        }
    }
    if let Some(seq) = chain.broken {
        broken.push(format!(
            "fact {seq} was altered, or one before it is missing"
        ));
    }
    if chain.notes == 0 && broken.is_empty() {
        broken.push("it holds no note of people: there is no chain in it to check".to_owned());
    }
    Verified {
        schema: "evenkeel.verify-file/1",
        ok: broken.is_empty(),
        what: "notes",
        finding: None,
        steps: None,
        notes: Some(chain),
        broken,
    }
}

fn shown(verified: &Verified) -> String {
    let mut out = String::new();
    for what in &verified.broken {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "BROKEN {}", crate::cli::printable(what));
    }
    if let (Some(finding), Some(steps), true) = (&verified.finding, verified.steps, verified.ok) {
        let _ = writeln!(
            out,
            "ok     {steps} messages show {} as it was recorded, and not as legacy answers",
            crate::cli::printable(finding)
        );
    }
    if let (Some(notes), true) = (&verified.notes, verified.ok) {
        let _ = writeln!(
            out,
            "ok     {} notes of people, in one chain to {}",
            notes.notes, notes.head
        );
    }
    out
}
