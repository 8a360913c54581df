//! The night of `demo --cutover`: a group moves to the candidate while its drivers charge, something differs there, and it
//! comes back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::error::{CliError, Exit};
use crate::cli::switch;
use crate::facts::authority::{Change, Mode, Step};
use crate::facts::reader::Reader as Facts;
use crate::facts::{Kind, Leg};
use crate::ledger::feed::{Event, Feed};
use crate::ledger::query::Reader;
use crate::shadow::switch::Request;

/// The group that moves.
const GROUP: &str = "harbour";

/// How long everybody is shadowed first.
const SHADOWED: Duration = Duration::from_secs(6);

/// How often the recording is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How a switch ended.
#[derive(Debug)]
struct Moved {
    /// The fact of its end.
    seq: u64,
    /// Chargers moved, kept and missing.
    counts: [u64; 3],
}

/// What happened in the night.
#[derive(Debug)]
pub(super) struct Told {
    there: Moved,
    /// The first thing that differed at the new authority.
    differed: Event,
    back: Moved,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [moved, ..] = self.there.counts;
        let [returned, _, missing] = self.back.counts;
        write!(
            f,
            "cutover: {moved} chargers of {GROUP} moved to the candidate; {charger} {action}: {says}; rolled back: {returned} chargers \
             returned, {missing} missing",
            charger = self.differed.charger,
            action = self.differed.action,
            says = self.differed.says(),
        )
    }
}

/// Lives through the night on the running tap that records in `recording`.
pub(super) async fn live(recording: PathBuf) -> Result<Told, CliError> {
    tokio::time::sleep(SHADOWED).await;
    let chargers = members(&recording)?;
    let there = carry_out(&recording, to_candidate(&chargers)).await?;
    let differed = difference(&recording, &chargers, there.seq).await?;
    let back = carry_out(&recording, roll_back(&chargers)).await?;
    Ok(Told {
        there,
        differed,
        back,
    })
}

fn members(recording: &Path) -> Result<Vec<String>, CliError> {
    let stations = Reader::open(recording)?.stations(Some(GROUP))?;
    Ok(stations.into_iter().map(|one| one.charger).collect())
}

fn to_candidate(chargers: &[String]) -> Request {
    Request {
        mode: Mode::Now,
        by: "demo".to_owned(),
        ..Request::new(Leg::Candidate, chargers.to_vec())
    }
}

fn roll_back(chargers: &[String]) -> Request {
    Request {
        mode: Mode::Now,
        rollback: true,
        by: "demo".to_owned(),
        ..Request::new(Leg::Legacy, chargers.to_vec())
    }
}

/// Asks the tap for a switch and waits until every charger is moved, kept or missing.
async fn carry_out(recording: &Path, request: Request) -> Result<Moved, CliError> {
    let place = recording.to_owned();
    // On another thread: it waits for the tap's answer, and this one runs the backends.
    let asked = tokio::task::spawn_blocking(move || switch::begin(&place, request)).await;
    let begun = asked.map_err(|error| ended(&error))??;
    loop {
        if let Some(moved) = end_of(recording, begun.switch)? {
            return Ok(moved);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn end_of(recording: &Path, switch: i64) -> Result<Option<Moved>, CliError> {
    let facts = Facts::open(recording)?.of_kind(Kind::AuthorityChanged, 0, usize::MAX >> 1)?;
    let over = facts.iter().find_map(|fact| {
        let change = Change::read(fact)?;
        let counts = change.counts?;
        (change.switch == switch && change.step == Step::Over).then_some(Moved {
            seq: fact.seq,
            counts,
        })
    });
    Ok(over)
}

/// Waits until something differs that one of the chargers began after a fact.
async fn difference(recording: &Path, chargers: &[String], after: u64) -> Result<Event, CliError> {
    let mut feed = Feed::default();
    loop {
        let events = feed.next(&Reader::open(recording)?)?;
        let differs = |event: &Event| {
            event.id > after && event.mark() == 'x' && chargers.contains(&event.charger)
        };
        if let Some(event) = events.into_iter().find(differs) {
            return Ok(event);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The night's own thread ended.
pub(super) fn ended(error: &tokio::task::JoinError) -> CliError {
    CliError::new(
        Exit::Environment,
        "DEMO-005",
        format!("the cutover was not carried out: {error}"),
    )
}
