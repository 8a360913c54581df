//! Where the instrument's numbers come from: ticks, gaps, what the ledger counted, and the disk.

use std::path::Path;

use serde_json::Value;

use super::{Data, Gap, Line, Question, Tick};
use crate::facts::{Fact, Kind};
use crate::ledger::query::Filter;
use crate::ledger::row::Subject;
use crate::watch::books::{Books, BooksError};

/// Ticks in the chart: the last hour.
const TICKS: usize = 61;

/// Rows of lists that nobody scrolls.
const FEW: usize = 12;

/// Reads what the screen shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let facts = books.facts();
    let started = facts
        .newest(Kind::TapStarted, u64::MAX, 1)?
        .into_iter()
        .next();
    let since = started.as_ref().map_or(0, |fact| fact.seq);
    let mut ticks = facts.newest(Kind::Tick, u64::MAX, TICKS)?;
    ticks.retain(|tick| tick.seq > since);
    ticks.reverse();
    let outcomes = ledger.outcomes(Subject::Exchange)?;
    Ok(Data {
        pulse: books.pulse()?,
        about: started.as_ref().map(about).unwrap_or_default(),
        started: started.map(|fact| fact.at),
        tick: ticks.last().map(tick),
        frames: rates(&ticks),
        gaps: facts
            .newest(Kind::Gap, u64::MAX, FEW)?
            .iter()
            .map(gap)
            .collect(),
        fenced: ledger.stand_ins(&Filter::default())?,
        not_comparable: outcomes.not_comparable.into_iter().collect(),
        latencies: ledger.latencies()?,
        size: size(books.dir()),
        space: space(books.dir()),
        chargers: chargers(books)?,
    })
}

fn about(started: &Fact) -> Vec<(&'static str, String)> {
    let note = started.note_json();
    let keys = ["version", "legacy", "candidate", "build", "legacy_build"];
    let known = keys
        .into_iter()
        .filter_map(|key| Some((key, note[key].as_str()?.to_owned())));
    known.collect()
}

fn tick(fact: &Fact) -> Tick {
    let note = fact.note_json();
    let count = |pointer: &str| {
        note.pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    Tick {
        at: fact.at,
        accepted: (
            count("/live/accepted"),
            count("/live/refused"),
            count("/live/unlisted"),
        ),
        frames: (count("/live/frames"), count("/live/bytes")),
        lost: count("/live/lost"),
        recorder: (
            count("/recorder/seen"),
            count("/recorder/queued"),
            count("/recorder/committed"),
        ),
        recorder_lost: (
            count("/recorder/lost_frames"),
            count("/recorder/lost_facts"),
        ),
        legs: (
            count("/legs/legs"),
            count("/legs/connected"),
            count("/legs/queued_bytes"),
        ),
        drift: note
            .pointer("/live/drift_us")
            .and_then(Value::as_i64)
            .unwrap_or_default(),
    }
}

fn rates(ticks: &[Fact]) -> Vec<u64> {
    let frames: Vec<u64> = ticks.iter().map(|fact| tick(fact).frames.0).collect();
    frames
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect()
}

fn gap(fact: &Fact) -> Gap {
    Gap {
        id: fact.seq,
        at: fact.at,
        charger: fact.charger.to_string(),
        frames: fact.frames,
        why: fact.note_json()["why"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// The last that is known of each charger's connection, those that are away first.
fn chargers(books: &Books) -> Result<Vec<Line>, BooksError> {
    let said = books.ledger()?.chargers()?;
    let connections = books.connections()?;
    let mut lines: Vec<Line> = connections
        .all()
        .map(|(charger, last)| Line {
            charger: charger.to_string(),
            about: said.get(&**charger).cloned().unwrap_or_default(),
            connected: connections.stands(last),
            says: last.says.clone(),
            fact: last.fact,
            at: last.at,
        })
        .collect();
    lines.sort_by(|a, b| (a.connected, &a.charger).cmp(&(b.connected, &b.charger)));
    Ok(lines)
}

/// Bytes of the files in a recording.
fn size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let sizes = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.metadata().ok());
    sizes
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

fn space(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
