//! `evenkeel switch`: moves chargers of a running tap to the other backend, and back.

use std::path::Path;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::config::units::parse_duration;
use super::error::{CliError, Exit};
use super::recording::RecordingArg;
use crate::facts::Leg;
use crate::facts::authority::Mode;
use crate::ledger::query;
use crate::shadow::control::{self, Answer, Ask, AskError};
use crate::shadow::switch::{Accepted, Request};

/// No tap runs on the recording.
pub(super) const NO_TAP: &str = "CUT-009";

/// Moves chargers to a backend, or back. A tap must be running on the recording, which tells how it goes.
///
/// Drain a group:   evenkeel switch --to candidate --group depot-2 --by ana RECORDING
/// Move now:        evenkeel switch --to candidate --charger CP1 --charger CP2 --now RECORDING
/// Roll back:       evenkeel switch --to legacy --all --roll-back RECORDING
///
/// Each charger is asked to connect again once it is idle; with --now its open transactions go on under their names. The
/// backend that it leaves stays warm as its shadow. A rollback takes the place of whatever is under way, and is never
/// refused for the state of the evidence.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group(ArgGroup::new("whom").required(true).multiple(true).args(["chargers", "group", "all"])))]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// The backend that they shall hear: legacy or candidate.
    #[arg(long, value_name = "BACKEND", value_parser = leg)]
    to: Leg,
    /// A charger to move; may be repeated.
    #[arg(long = "charger", value_name = "IDENTITY")]
    chargers: Vec<String>,
    /// The group to move.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Move every charger that the tap knows.
    #[arg(long)]
    all: bool,
    /// Move them with open transactions, too, instead of waiting for their end.
    #[arg(long)]
    now: bool,
    /// Undo an earlier switch, at once and whatever the evidence.
    #[arg(long)]
    roll_back: bool,
    /// How many chargers are moved each second.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pace: u32,
    /// How long each may take to become idle; then it stays where it is.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    limit: Duration,
    /// How long each may take to come back; then it is missing.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    deadline: Duration,
    /// Who asks for it.
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    let begun = begin(&dir, request(options, &dir)?)?;
    let to = options.to.word();
    super::say(&format!(
        "switch {} begun: {} chargers go to {to}\n",
        begun.switch, begun.chargers
    ))?;
    if !options.roll_back {
        let from = options.to.other().word();
        eprintln!(
            "undo: evenkeel switch --to {from} --all --roll-back {}",
            dir.display()
        );
    }
    Ok(Exit::Parity)
}

fn request(options: &Options, dir: &Path) -> Result<Request, CliError> {
    let mut chargers = options.chargers.clone();
    if let Some(group) = &options.group {
        super::judging::bring_up_to_date(dir)?;
        let stations = query::Reader::open(dir)?.stations(Some(group))?;
        chargers.extend(stations.into_iter().map(|station| station.charger));
    }
    Ok(Request {
        all: options.all,
        mode: if options.now || options.roll_back {
            Mode::Now
        } else {
            Mode::Drain
        },
        pace: options.pace,
        limit: options.limit,
        deadline: options.deadline,
        rollback: options.roll_back,
        by: options.by.clone(),
        ..Request::new(options.to, chargers)
    })
}

/// Asks the tap that runs on a recording to begin a switch.
pub fn begin(dir: &Path, request: Request) -> Result<Accepted, CliError> {
    match control::ask(dir, Ask::Switch(Box::new(request))) {
        Ok(Answer::Begun(begun)) => Ok(begun),
        Ok(Answer::Refused(why)) => Err(CliError::new(
            Exit::Environment,
            "CTL-001",
            format!("the tap refused: {why}"),
        )
        .help("nothing was moved; `evenkeel explain CODE` says what to do")),
        Ok(other) => Err(CliError::new(
            Exit::Environment,
            "CTL-001",
            format!("the tap answered something else: {other:?}"),
        )),
        Err(error) => Err(unasked(&error)),
    }
}

fn unasked(error: &AskError) -> CliError {
    let (code, help) = match error {
        AskError::Nobody => (
            NO_TAP,
            "chargers are moved by the tap that they are connected to: start it, or name its recording",
        ),
        AskError::TooLong(_) => ("CTL-003", "record in a directory with a shorter path"),
        AskError::TooMuch(_) => (
            "CUT-010",
            "name a group, or --all, or fewer chargers at a time",
        ),
        AskError::Unanswered(_) => (
            "CTL-002",
            "it may have begun all the same: look before you ask again",
        ),
    };
    CliError::new(Exit::Environment, code, super::chain(error)).help(help)
}

fn leg(word: &str) -> Result<Leg, String> {
    Leg::from_word(word).ok_or_else(|| "legacy or candidate".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a time such as 30s, 10m or 1h".to_owned())
}
