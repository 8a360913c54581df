//! Where a starting shadow plane goes on: what the recording knows of open connections, identifiers and chargers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::params;

use super::authority::Journal;
use super::recorder::RecordingError;
use super::store::{COLUMNS, RARE, dir_from_number};
use super::{Dir, Fact, Kind, Leg, Reader, landmark};

mod undelivered;

pub use undelivered::Undelivered;

/// What a recording knows at its end.
#[derive(Debug, Default)]
pub struct Resume {
    /// Connections that were opened and not closed, by epoch.
    pub open: HashMap<u64, OpenConn>,
    /// Connections that were closed in the last recorded run: a restarted shadow plane may be told of them again.
    pub closed: HashSet<u64>,
    /// The highest connection epoch ever used; 0 if none.
    pub last_conn: u64,
    /// The run of the live plane that was recorded last.
    pub last_run: Option<String>,
    /// Identifiers learned, oldest first, by charger.
    pub learned: HashMap<Arc<str>, Vec<Learned>>,
    /// What every charger told of itself: after a kill of the live plane they all come back, and none may boot.
    pub chargers: HashMap<Arc<str>, Remembered>,
    /// Messages that a charger would still keep for its shadow backend, oldest first.
    pub undelivered: Vec<Undelivered>,
    /// Which backend each charger belongs to, and the switches that are not over.
    pub journal: Journal,
}

/// A connection that the recording leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConn {
    /// Its `ConnOpened` fact.
    pub opened: Fact,
    /// Frames per direction that lie in facts, gaps included.
    pub accounted: [u64; 2],
}

/// An identifier pair; both values as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// Connection epoch in which it was learned.
    pub conn: u64,
    /// The backend that was the shadow then.
    pub towards: Leg,
    /// The identifier's class, as the catalogue names it.
    pub class: String,
    /// The authority's value.
    pub authority: String,
    /// The shadow's value.
    pub shadow: String,
}

/// What is needed to introduce a charger to a backend that has not seen it boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The charger's last `BootNotification` CALL.
    pub boot: Option<Fact>,
    /// The subprotocol of the connection that it was sent on.
    pub boot_subprotocol: Option<String>,
    /// The last `StatusNotification` CALL of each connector.
    pub statuses: Vec<Fact>,
    /// What teaches the charger's model, part by part.
    pub lessons: Vec<Lesson>,
}

/// The facts that teach one part of a charger's model, as the last `ModelLearned` about it named them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lesson {
    /// What they teach.
    pub part: String,
    /// The version that was spoken, as its number.
    pub version: String,
    /// The messages, oldest first.
    pub facts: Vec<Fact>,
}

impl Resume {
    /// Reads what a recording knows. Costs what is open, what was learned, what is owed and how many chargers there are, not
    /// what was recorded.
    pub fn read(reader: &Reader) -> Result<Self, RecordingError> {
        let open = open_connections(reader)?;
        Ok(Self {
            open,
            closed: closed_connections(reader)?,
            last_conn: last_conn(reader)?,
            last_run: last_run(reader)?,
            learned: learned(reader)?,
            chargers: chargers(reader)?,
            undelivered: undelivered::read(reader)?,
            journal: Journal::read(reader)?,
        })
    }
}

fn open_connections(reader: &Reader) -> Result<HashMap<u64, OpenConn>, RecordingError> {
    let opened = reader.query(
        &format!(
            "SELECT {COLUMNS} FROM facts WHERE kind = 10 AND {RARE} AND conn NOT IN
               (SELECT conn FROM facts WHERE kind = 12 AND {RARE}) ORDER BY seq"
        ),
        [],
    )?;
    let mut open: HashMap<u64, OpenConn> = opened
        .into_iter()
        .map(|opened| {
            let accounted = [0, 0];
            (opened.conn, OpenConn { opened, accounted })
        })
        .collect();
    let mut statement = reader
        .db
        .prepare_cached("SELECT conn, dir, frames FROM accounted")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let conn = row.get::<_, i64>(0)? as u64;
        let dir: Dir = dir_from_number(row.get(1)?);
        if let Some(conn) = open.get_mut(&conn) {
            conn.accounted[dir.index()] = row.get::<_, i64>(2)? as u64;
        }
    }
    Ok(open)
}

fn closed_connections(reader: &Reader) -> Result<HashSet<u64>, RecordingError> {
    let mut statement = reader.db.prepare_cached(&format!(
        "SELECT conn FROM facts WHERE kind = 12 AND {RARE} AND seq >
           (SELECT ifnull(max(seq), 0) FROM facts WHERE kind = 1 AND {RARE})",
    ))?;
    let closed = statement
        .query_map([], |row| row.get::<_, i64>(0).map(|conn| conn as u64))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(closed)
}

fn last_conn(reader: &Reader) -> Result<u64, RecordingError> {
    let mut last = 0;
    for kind in [Kind::ConnOpened, Kind::ConnClosed, Kind::Gap] {
        let kind = kind.number();
        let found: i64 = reader.db.query_row(
            &format!("SELECT ifnull(max(conn), 0) FROM facts WHERE kind = {kind} AND {RARE}"),
            [],
            |row| row.get(0),
        )?;
        last = last.max(found as u64);
    }
    Ok(last)
}

fn last_run(reader: &Reader) -> Result<Option<String>, RecordingError> {
    let started = reader.query(
        &format!("SELECT {COLUMNS} FROM facts WHERE kind = 1 AND {RARE} ORDER BY seq DESC LIMIT 1"),
        [],
    )?;
    Ok(started
        .first()
        .and_then(|fact| fact.note_json()["run"].as_str().map(str::to_owned)))
}

fn learned(reader: &Reader) -> Result<HashMap<Arc<str>, Vec<Learned>>, RecordingError> {
    let facts = reader.query(
        &format!("SELECT {COLUMNS} FROM facts WHERE kind = 40 AND {RARE} ORDER BY seq"),
        [],
    )?;
    let mut learned: HashMap<Arc<str>, Vec<Learned>> = HashMap::new();
    for fact in facts {
        let note = fact.note_json();
        let text = |key: &str| note[key].as_str().unwrap_or_default().to_owned();
        learned
            .entry(Arc::clone(&fact.charger))
            .or_default()
            .push(Learned {
                conn: fact.conn,
                towards: fact.leg.unwrap_or(Leg::Candidate),
                class: text("class"),
                authority: text("authority"),
                shadow: text("shadow"),
            });
    }
    Ok(learned)
}

fn chargers(reader: &Reader) -> Result<HashMap<Arc<str>, Remembered>, RecordingError> {
    let names = reader
        .db
        .prepare_cached("SELECT DISTINCT charger FROM landmarks")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    names
        .into_iter()
        .map(|name| Ok((Arc::from(name.as_str()), remembered(reader, &name)?)))
        .collect()
}

/// What the recording remembers of one charger.
pub fn remembered(reader: &Reader, charger: &str) -> Result<Remembered, RecordingError> {
    let marks: Vec<(String, i64)> = reader
        .db
        .prepare_cached("SELECT what, seq FROM landmarks WHERE charger = ?1 ORDER BY seq")?
        .query_map([charger], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut remembered = Remembered::default();
    for (what, seq) in marks {
        let Some(fact) = reader.by_seq(seq as u64)? else {
            continue;
        };
        if what == landmark::BOOT {
            remembered.boot_subprotocol = subprotocol(reader, fact.conn)?;
            remembered.boot = Some(fact);
        } else if what.starts_with(landmark::MODEL) {
            remembered.lessons.push(lesson(reader, &fact)?);
        } else if what.starts_with(landmark::STATUS) && remembered.statuses.len() < MOST_CONNECTORS
        {
            remembered.statuses.push(fact);
        }
    }
    Ok(remembered)
}

/// The facts that a `ModelLearned` names. One that retention took is missing, and what it taught with it.
fn lesson(reader: &Reader, told: &Fact) -> Result<Lesson, RecordingError> {
    let note = told.note_json();
    let named = note["from"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut facts = Vec::new();
    for seq in named
        .iter()
        .filter_map(serde_json::Value::as_u64)
        .take(MOST_FACTS)
    {
        facts.extend(reader.by_seq(seq)?);
    }
    let text = |key: &str| note[key].as_str().unwrap_or_default().to_owned();
    Ok(Lesson {
        part: text("part"),
        version: text("version"),
        facts,
    })
}

/// A charger that invents connectors without end shall not be replayed without end.
const MOST_CONNECTORS: usize = 256;

/// The same for the facts that teach one part of its model.
const MOST_FACTS: usize = 8192;

fn subprotocol(reader: &Reader, conn: u64) -> Result<Option<String>, RecordingError> {
    let opened = reader.query(
        &format!("SELECT {COLUMNS} FROM facts WHERE kind = 10 AND {RARE} AND conn = ?1 LIMIT 1"),
        params![conn as i64],
    )?;
    Ok(opened
        .first()
        .and_then(|fact| fact.note_json()["subprotocol"].as_str().map(str::to_owned)))
}
