//! What came of bundles elsewhere becomes notes on their findings: fixed, or still there.

use std::fmt::Write as _;
use std::path::Path;

use super::Options;
use super::reading::cannot_read;
use crate::cli::error::{CliError, Exit};
use crate::cli::{judging, noting, printable, say, to_json};
use crate::facts::Kind;
use crate::judge::states::Note;
use crate::ledger::query::Reader;
use crate::ledger::row::State;
use crate::replay::results::{Came, Results, SCHEMA};
use crate::replay::verdict::Verdict;

/// The one file that `evenkeel replay` wrote, if that is what shall be imported.
pub(super) fn played(options: &Options) -> Result<Option<Results>, CliError> {
    let [file] = options.files.as_slice() else {
        return Ok(None);
    };
    if !options.shadow.is_empty() || options.format.is_some() {
        return Ok(None);
    }
    let bytes = std::fs::read(file).map_err(|error| cannot_read(file, &error))?;
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    if !head.contains(SCHEMA) {
        return Ok(None);
    }
    let results = serde_json::from_slice(&bytes).map_err(|error| {
        let what = format!("{} holds no results of a replay: {error}", file.display());
        CliError::new(Exit::Usage, "IMP-007", what)
    })?;
    Ok(Some(results))
}

/// Writes a note for each finding that the recording knows.
pub(super) fn note(results: &Results, into: &Path) -> Result<Exit, CliError> {
    if !into.join("facts.db").is_file() {
        let what = format!(
            "{} is not a recording: it holds no facts.db",
            into.display()
        );
        return Err(CliError::new(Exit::Usage, "REC-002", what)
            .help("results go into the recording that the bundles were cut from"));
    }
    judging::bring_up_to_date(into)?;
    let mut text = String::new();
    for came in &results.results {
        // Read anew each time: a note changes what the next one is about.
        let known = Reader::open(into)?.finding(&came.finding)?;
        let said = match known {
            None => "the recording has no such finding".to_owned(),
            Some(known) => match noted(results, came, known.life.state()) {
                None => "says nothing about it".to_owned(),
                Some(note) => {
                    let word = note.state.map_or("stays as it is", State::word);
                    let seq = noting::write(into, Kind::Triage, to_json(&note)?)?;
                    judging::bring_up_to_date(into)?;
                    format!("{word}, noted as fact {seq}")
                }
            },
        };
        let (finding, verdict) = (printable(&came.finding), came.outcome.verdict.word());
        let _ = writeln!(text, "{finding}  {verdict:<14}  {said}");
    }
    say(&text)?;
    eprintln!("notes are never removed; `evenkeel triage --state new` takes one back");
    Ok(Exit::Parity)
}

/// What a result says of a finding that stands so; none if it says nothing.
fn noted(results: &Results, came: &Came, stands: State) -> Option<Note> {
    let state = match (came.outcome.verdict, stands) {
        (Verdict::Fixed, _) => Some(State::Fixed),
        // Somebody called it fixed, and it is not.
        (Verdict::StillDiverges, State::Fixed) => Some(State::Known),
        (Verdict::StillDiverges, _) => None,
        (Verdict::NotReproduced | Verdict::Error, _) => return None,
    };
    let verdict = came.outcome.verdict.word();
    let says = &came.outcome.says;
    Some(Note {
        finding: came.finding.clone(),
        subject: Some(came.subject),
        action: came.action.clone(),
        state,
        reason: format!(
            "replayed at {} against {}: {verdict}: {says}",
            results.at, results.target
        ),
        build: results.build.clone(),
        ..Note::default()
    })
}
