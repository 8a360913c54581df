//! `evenkeel gate`: whether a group may move.

mod junit;
mod text;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;

use super::config::units::parse_duration;
use super::error::{CliError, Exit, Place};
use super::judging::{self, Threads};
use super::recording::RecordingArg;
use super::rules;
use crate::clock::{Clock, Micros};
use crate::estate::comms;
use crate::estate::gate::file::{self, Mistake};
use crate::estate::gate::{Report, Verdict};
use crate::facts::Reader as Facts;
use crate::ledger::filter::Filter;
use crate::ledger::query::Reader;
use crate::ledger::row::{EVERYBODY, UNGROUPED};
use crate::ledger::views::rfc3339;
use crate::report::verdict::{self, Criteria};

/// How often a gate that waits looks again.
const EVERY: Duration = Duration::from_secs(5);

/// Says whether a group of chargers may move to the candidate, and why not.
///
/// A group:       evenkeel gate --group depot-north RECORDING
/// In scripts:    evenkeel gate --group depot-north --json --junit gate.xml RECORDING
/// Wait for it:   evenkeel gate --group depot-north --wait 30m RECORDING
/// Tell people:   evenkeel gate --group depot-north --comms RECORDING
///
/// The verdict is that of the worst blocking criterion: GO, GO+n (n exceptions), HOLD (too little is known), NO-GO, ROLL BACK.
/// Criteria come from --gate, else from the recording, else from the built-in file that `evenkeel init --gate` writes.
/// Exit codes: 0 GO, 1 NO-GO or ROLL BACK, 3 HOLD.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// The file with the criteria.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// The group; without it the whole estate.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Look again for so long while the verdict is HOLD, for example 30m.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["as_of", "checkpoint"])]
    wait: Option<Duration>,
    /// When evidence counts as old: as seen from then, not from now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    as_of: Option<Micros>,
    /// Look at the evidence up to this checkpoint of the gate file, with exact bounds.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "as_of")]
    checkpoint: Option<Micros>,
    /// Print the result as JSON (schema evenkeel.gate/1).
    #[arg(long)]
    json: bool,
    /// Print what to tell site hosts, support desk and vendor instead: three sentences each, made of the gate, the decisions and
    /// the switches. Nothing is sent.
    #[arg(long, conflicts_with = "json")]
    comms: bool,
    /// Write the criteria as `JUnit` XML too, one failure for each that has failed.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration such as 30s or 30m".to_owned())
}

/// Reads a day (its first instant, UTC) or an RFC 3339 time.
pub(super) fn time(text: &str) -> Result<Micros, String> {
    let day = text.parse::<NaiveDate>().ok();
    let midnight = day.and_then(|day| day.and_hms_opt(0, 0, 0));
    let instant = || text.parse::<DateTime<Utc>>().ok();
    let at = midnight.map(|at| at.and_utc()).or_else(instant);
    at.map(|at| at.timestamp_micros())
        .ok_or_else(|| "a day or time such as 2027-01-31 or 2027-01-31T18:00:00Z".to_owned())
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    let began = Instant::now();
    let report = loop {
        let report = look(options, &dir)?;
        let left = options
            .wait
            .and_then(|wait| wait.checked_sub(began.elapsed()));
        match left {
            Some(left) if report.verdict == Verdict::Hold && !left.is_zero() => {
                std::thread::sleep(left.min(EVERY));
            }
            _ => break report,
        }
    };
    if let Some(file) = &options.junit {
        std::fs::write(file, junit::write(&report)).map_err(|error| {
            let message = format!("cannot write {}: {error}", file.display());
            CliError::new(Exit::Environment, "ENV-001", message)
        })?;
    }
    if options.json {
        super::say(&(super::to_json(&report)? + "\n"))?;
    } else if options.comms {
        super::say(&news(&dir, &report)?)?;
    } else {
        super::say(&text::summary(&report))?;
    }
    Ok(match report.verdict {
        Verdict::Go => Exit::Parity,
        Verdict::Hold => Exit::Evidence,
        Verdict::NoGo | Verdict::RollBack => Exit::Divergence,
    })
}

/// What to tell people of the group and its last switch.
fn news(dir: &Path, report: &Report) -> Result<String, CliError> {
    let stations = judging::ledger(dir)?.stations(report.group.as_deref())?;
    let chargers: Vec<String> = stations.into_iter().map(|it| it.charger).collect();
    let switches = verdict::switches(&Facts::open(dir)?)?;
    let last = switches.iter().rev().find_map(|it| it.of(&chargers));
    let text = comms::text(&comms::messages(report, last.as_ref()));
    let harmless = text.lines().map(|line| super::printable(line) + "\n");
    Ok(harmless.collect())
}

fn look(options: &Options, dir: &Path) -> Result<Report, CliError> {
    judging::bring_up_to_date(dir)?;
    let ledger = judging::ledger(dir)?;
    let criteria = criteria(dir, options.gate.as_deref())?;
    let group = options.group.as_deref();
    if let Some(at) = options.checkpoint {
        return at_checkpoint(dir, &criteria, group, at);
    }
    let now = options.as_of.unwrap_or_else(|| Clock::system().now());
    weigh((dir, &ledger), &criteria, (group, now, false))
}

/// The criteria of a file, else of the recording, else the built-in ones.
pub(super) fn criteria(dir: &Path, file: Option<&Path>) -> Result<Criteria, CliError> {
    if let Some(path) = file {
        return parse(path, &read(path)?);
    }
    match judging::ledger(dir)?.gate_file()? {
        Some(kept) => parse(Path::new(&kept.file), &kept.text),
        None => parse(Path::new("gate.toml"), file::DEFAULT),
    }
}

/// The criteria of a text.
pub(super) fn parse(path: &Path, text: &str) -> Result<Criteria, CliError> {
    Criteria::parse(text).map_err(|Mistake { span, what, help }| {
        CliError::new(Exit::Usage, "GATE-001", what)
            .at(Place::new(path, text, span, "here"))
            .help(help)
    })
}

/// The text of a gate file.
pub(super) fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the gate file {}: {error}", path.display());
        CliError::new(Exit::Usage, "GATE-002", message)
            .help("`evenkeel init --gate` writes one to start from")
    })
}

/// Weighs what the ledger holds of a group.
pub(super) fn weigh(
    (dir, reader): (&Path, &Reader),
    criteria: &Criteria,
    (group, now, is_checkpoint): (Option<&str>, Micros, bool),
) -> Result<Report, CliError> {
    let group = group.filter(|group| *group != EVERYBODY);
    // Which groups there are is not known before a fact is judged.
    if let Some(group) = group
        && reader.cursor()?.seq > 0
    {
        known(reader, group)?;
    }
    let switches = verdict::switches(&Facts::open(dir)?)?;
    Ok(criteria.weigh((reader, &switches), (group, now, is_checkpoint))?)
}

/// A filter with what it asks of verdicts put in terms of the groups, by the recording's criteria as of now.
pub(super) fn in_terms(dir: &Path, filter: Filter) -> Result<Filter, CliError> {
    in_terms_as_of(dir, filter, (None, Clock::system().now()))
}

/// The same by the criteria of a file, if one is named, and as of a time.
pub(super) fn in_terms_as_of(
    dir: &Path,
    filter: Filter,
    (file, now): (Option<&Path>, Micros),
) -> Result<Filter, CliError> {
    if !filter.asks_for_verdicts() {
        return Ok(filter);
    }
    judging::bring_up_to_date(dir)?;
    let (ledger, criteria) = (judging::ledger(dir)?, criteria(dir, file)?);
    let mut said = Vec::new();
    for group in ledger.members()?.into_keys() {
        let report = weigh((dir, &ledger), &criteria, (Some(&group), now, false))?;
        said.push((group, report.says));
    }
    Ok(filter.with_verdicts(&said))
}

/// Refuses groups that the recording does not know.
pub(super) fn known(reader: &Reader, group: &str) -> Result<(), CliError> {
    let groups = reader.groups()?;
    if group == UNGROUPED || groups.iter().any(|known| known.name == group) {
        return Ok(());
    }
    let names: Vec<&str> = groups.iter().map(|known| known.name.as_str()).collect();
    let help = match names.as_slice() {
        [] => "the recording has no groups: configure them and start the tap again".to_owned(),
        names => format!("its groups are {}", super::printable(&names.join(", "))),
    };
    let message = format!("the recording has no group {group:?}");
    Err(CliError::new(Exit::Usage, "GATE-003", message).help(help))
}

/// The evidence up to a look that was fixed beforehand, judged aside: whoever asks later gets the same.
fn at_checkpoint(
    dir: &Path,
    criteria: &Criteria,
    group: Option<&str>,
    at: Micros,
) -> Result<Report, CliError> {
    if !criteria.gate.checkpoints.contains(&at) {
        let message = format!("{} is no checkpoint of the gate", rfc3339(at));
        return Err(CliError::new(Exit::Usage, "GATE-004", message)
            .help("exact bounds hold for looks that were fixed beforehand: name them as `checkpoints` in the gate file"));
    }
    let facts = Facts::open(dir)?;
    let last = facts.last_seq()?;
    let end = before(&facts, last, at)?;
    if end == last && Clock::system().now() < at {
        let message = format!("the checkpoint {} is not reached yet", rfc3339(at));
        return Err(CliError::new(Exit::Evidence, "GATE-004", message)
            .help("without --checkpoint the bounds may be watched at any time"));
    }
    let aside = tempfile::tempdir().map_err(|error| {
        let message = format!("cannot make a temporary directory: {error}");
        CliError::new(Exit::Environment, "ENV-001", message)
    })?;
    let rules = rules::of_recording(dir)?;
    judging::judge_until(dir, aside.path(), (rules, end), Threads::default())?;
    weigh(
        (dir, &Reader::open(aside.path())?),
        criteria,
        (group, at, true),
    )
}

/// The last fact before a time.
fn before(facts: &Facts, last: u64, at: Micros) -> Result<u64, CliError> {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        match facts.read(middle, 1)?.first() {
            Some(next) if next.at < at => low = next.seq,
            _ => high = middle,
        }
    }
    Ok(low)
}
