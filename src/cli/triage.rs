//! `evenkeel triage`: what people decide about a finding, kept as a fact.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;

use super::error::{CliError, Exit};
use super::noting;
use super::recording::RecordingArg;
use crate::clock::{Clock, Micros};
use crate::facts::Kind;
use crate::judge::states::Note;
use crate::ledger::query;
use crate::ledger::row::State;
use crate::ledger::views;
use crate::watch::triage::Wish;

/// Notes what is decided about a finding, or which build of the candidate a recording faced.
///
/// Take in hand:  evenkeel triage --finding F-12345678 --state known --owner vendor RECORDING
/// Accept:        evenkeel triage --finding F-12345678 --state accepted --owner ops --reason "agreed"
///                --until 2027-01-31 RECORDING
/// Call fixed:    evenkeel triage --finding F-12345678 --state fixed --build 2.4.1 RECORDING
/// Name a build:  evenkeel triage --build 2.4.1 RECORDING
///
/// An acceptance is for the models that the finding was seen on by then, and ends when its time is over, when the finding
/// shows elsewhere or more often than --at-most. What is fixed and seen again has regressed. Notes are facts: they are never
/// changed or removed, only followed by others, and `evenkeel verify` checks that. While a tap records, it writes them.
/// Undo with --state new.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// The finding that is decided about.
    #[arg(long, value_name = "ID", requires = "state")]
    finding: Option<String>,
    /// How it stands from now on: new, known, accepted or fixed.
    #[arg(long, value_name = "STATE", value_parser = decided, requires = "finding")]
    state: Option<State>,
    /// Who answers for it.
    #[arg(long, value_name = "NAME", default_value = "")]
    owner: String,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// When the acceptance ends: a date (its first instant, UTC) or an RFC 3339 time.
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Accept it on this model only; may be repeated. Without it: the models that it was seen on, if any are known.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Accept it no more than so often from now on.
    #[arg(long, value_name = "COUNT")]
    at_most: Option<u64>,
    /// The candidate's build: the one without the finding, or the one that the recording's last run faced.
    #[arg(long, value_name = "BUILD", required_unless_present = "finding")]
    build: Option<String>,
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    super::judging::bring_up_to_date(&dir)?;
    let now = Clock::system().now();
    let note = match &options.finding {
        None => Note {
            build: options.build.clone(),
            ..Note::default()
        },
        Some(id) => about(options, &known(&dir, id)?, now)?,
    };
    let seq = noting::write(&dir, Kind::Triage, super::to_json(&note)?)?;
    super::judging::bring_up_to_date(&dir)?;
    super::say(&said(&note, seq))?;
    Ok(Exit::Parity)
}

/// Writes what somebody filled in; says what was written.
pub fn write(dir: &Path, wish: &Wish) -> Result<String, CliError> {
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let options = Options {
        recording: RecordingArg::default(),
        finding: Some(wish.finding.clone()),
        state: Some(wish.state),
        owner: wish.owner.clone(),
        reason: wish.reason.clone(),
        until: text(&wish.until),
        models: Vec::new(),
        at_most: None,
        build: None,
    };
    let note = about(&options, &known(dir, &wish.finding)?, Clock::system().now())?;
    let seq = noting::write(dir, Kind::Triage, super::to_json(&note)?)?;
    super::judging::catch_up(dir)?;
    let said = said(&note, seq);
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

fn decided(word: &str) -> Result<State, String> {
    match State::from_word(word) {
        Some(State::Regressed) => Err("that is seen, not decided".to_owned()),
        Some(state) => Ok(state),
        None => Err("new, known, accepted or fixed".to_owned()),
    }
}

/// The finding with this id.
fn known(dir: &Path, id: &str) -> Result<query::Finding, CliError> {
    let found = query::Reader::open(dir)?.finding(id)?;
    found.ok_or_else(|| {
        let message = format!("the recording has no finding {id:?}");
        CliError::new(Exit::Usage, "TRI-001", message).help("`evenkeel diffs` lists its findings")
    })
}

/// The note that the options make about a finding.
fn about(options: &Options, finding: &query::Finding, now: Micros) -> Result<Note, CliError> {
    let state = options.state.unwrap_or(State::Known);
    let until = options.until.as_deref().map(time).transpose()?;
    let accepts = state == State::Accepted;
    let lacks = options.owner.trim().is_empty() || options.reason.trim().is_empty();
    if accepts && (lacks || until.is_none()) {
        return Err(CliError::new(
            Exit::Usage,
            "TRI-002",
            "accepting needs an owner, a reason and an end",
        )
        .help("give --owner NAME --reason TEXT --until DATE"));
    }
    if let Some(until) = until
        && until <= now
    {
        let message = format!("{} is over", views::rfc3339(until));
        return Err(CliError::new(Exit::Usage, "TRI-003", message)
            .help("--until is when the acceptance ends"));
    }
    let scope = if options.models.is_empty() {
        finding.models.clone()
    } else {
        options.models.clone()
    };
    Ok(Note {
        finding: finding.id.clone(),
        subject: Some(finding.subject),
        action: finding.action.clone(),
        state: Some(state),
        owner: options.owner.trim().to_owned(),
        reason: options.reason.trim().to_owned(),
        until: until.filter(|_| accepts),
        models: if accepts { scope } else { Vec::new() },
        at_most: options.at_most.filter(|_| accepts),
        build: options.build.clone(),
    })
}

fn time(text: &str) -> Result<Micros, CliError> {
    let date = text.parse::<NaiveDate>().ok();
    let midnight = date.and_then(|date| date.and_hms_opt(0, 0, 0));
    let instant = || text.parse::<DateTime<Utc>>().ok();
    let at = midnight.map(|at| at.and_utc()).or_else(instant);
    at.map(|at| at.timestamp_micros()).ok_or_else(|| {
        CliError::new(
            Exit::Usage,
            "TRI-003",
            format!("{text:?} is no date or time"),
        )
        .help("write 2027-01-31 or 2027-01-31T18:00:00Z")
    })
}

/// What was written, and how to undo it.
fn said(note: &Note, seq: u64) -> String {
    let build = note.build.as_deref().map(super::printable);
    let Some(state) = note.state else {
        let build = build.unwrap_or_default();
        return format!("noted as fact {seq}: the recording's last run faced build {build}\n");
    };
    let mut text = format!("noted as fact {seq}: {} is {}", note.finding, state.word());
    if let Some(until) = note.until {
        let _ = write!(text, " until {}", views::rfc3339(until));
    }
    if !note.models.is_empty() {
        let _ = write!(text, " on {}", super::printable(&note.models.join(", ")));
    }
    if let Some(build) = build {
        let _ = write!(text, ", build {build}");
    }
    text + "\nnotes are never removed; another one follows: --state new takes this one back\n"
}
