//! What a reader has recorded, and the way into the recording.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::{ReadError, Tally};
use crate::clock::{Clock, Micros};
use crate::facts::{Fact, Kind, Leg, Reader, Recorder, RecordingError};
use crate::judge::records::{ColumnMap, Form, Provenance, RecordKind, Sweep};

/// Bytes that may wait for the disk before the reader waits too: far below the recorder's reserve, which others share.
const AHEAD: usize = 256 * 1024;

/// Facts read at once when a recording is opened.
const PAGE: usize = 1_000;

/// A record as a reader found it.
#[derive(Debug)]
pub struct Found<'a> {
    /// The form of the body.
    pub form: Form,
    /// Session or CDR.
    pub kind: RecordKind,
    /// The backend's identifier.
    pub id: &'a str,
    /// The record as it came.
    pub body: &'a [u8],
    /// When the backend changed it last, if it says.
    pub updated: Option<Micros>,
    /// Where it was found, without query and credentials.
    pub url: &'a str,
    /// Page, from 1; 0 if there are none.
    pub page: u64,
    /// Position in the page or line in the file, from 1; 0 if there is none.
    pub row: u64,
    /// What the columns mean.
    pub columns: Option<&'a ColumnMap>,
}

/// One reader's records in one recording. A record that has not changed since it was recorded is not recorded again.
pub struct Shelf {
    recorder: Recorder,
    committed: watch::Receiver<u64>,
    reader: String,
    leg: Leg,
    /// A fingerprint of each record's latest body.
    known: HashMap<(RecordKind, String), [u8; 16]>,
    cursors: HashMap<RecordKind, Micros>,
    pass: Pass,
    /// The last fact offered, and the bytes offered since the disk was waited for.
    last: u64,
    ahead: usize,
    tally: Tally,
}

/// The pass under way.
struct Pass {
    kind: RecordKind,
    seen: HashSet<String>,
    recorded: u64,
    told: Option<u64>,
    cursor: Option<Micros>,
    /// The page that is being read.
    page: u64,
}

impl Pass {
    fn new(kind: RecordKind) -> Self {
        Self {
            kind,
            seen: HashSet::new(),
            recorded: 0,
            told: None,
            cursor: None,
            page: 0,
        }
    }
}

impl Shelf {
    /// The shelf of the reader called `reader`; `facts` is the recording as it is, if it exists already.
    pub fn open(
        recorder: Recorder,
        reader: &str,
        leg: Leg,
        facts: Option<&Reader>,
    ) -> Result<Self, RecordingError> {
        let mut shelf = Self {
            committed: recorder.committed(),
            recorder,
            reader: reader.to_owned(),
            leg,
            known: HashMap::new(),
            cursors: HashMap::new(),
            pass: Pass::new(RecordKind::Session),
            last: 0,
            ahead: 0,
            tally: Tally::default(),
        };
        if let Some(facts) = facts {
            shelf.remember(facts)?;
        }
        Ok(shelf)
    }

    /// The same shelf, which counts in `tally`.
    #[must_use]
    pub fn counting(mut self, tally: Tally) -> Self {
        self.tally = tally;
        self
    }

    /// Where what its reader does is counted.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn remember(&mut self, facts: &Reader) -> Result<(), RecordingError> {
        each(facts, Kind::BackendRecord, |fact| {
            if fact.leg == Some(self.leg)
                && let Some(source) = Provenance::of(fact)
                && source.reader == self.reader
            {
                let key = (source.kind, source.id);
                self.known.insert(key, fingerprint(&fact.body));
            }
        })?;
        each(facts, Kind::BackendRead, |fact| {
            if fact.leg == Some(self.leg)
                && let Some(sweep) = Sweep::of(fact)
                && sweep.reader == self.reader
                && sweep.broken.is_none()
            {
                let cursor = sweep.cursor;
                self.cursors
                    .extend(cursor.map(|cursor| (sweep.kind, cursor)));
            }
        })
    }

    /// Where the next pass over records of this kind begins, in the backend's time; `None` before a first complete pass.
    pub fn cursor(&self, kind: RecordKind) -> Option<Micros> {
        self.cursors.get(&kind).copied()
    }

    /// Begins a pass.
    pub fn begin(&mut self, kind: RecordKind) {
        self.pass = Pass::new(kind);
    }

    /// How many different records the pass under way has seen.
    pub fn seen(&self) -> u64 {
        self.pass.seen.len() as u64
    }

    /// Notes how many records the backend says there are.
    pub fn told(&mut self, total: u64) {
        self.pass.told = Some(total);
    }

    /// Notes where the next pass begins, if this one reaches its end.
    pub fn next_from(&mut self, cursor: Micros) {
        self.pass.cursor = Some(cursor);
    }

    /// Takes a record of the pass under way; true if it is new or has changed. Waits while the disk is behind.
    pub async fn put(&mut self, found: &Found<'_>) -> Result<bool, ReadError> {
        if !self.pass.seen.contains(found.id) {
            self.pass.seen.insert(found.id.to_owned());
        }
        self.pass.cursor = self.pass.cursor.max(found.updated);
        if found.page != std::mem::replace(&mut self.pass.page, found.page) {
            self.tally.add(|work| work.pages += 1);
        }
        let print = fingerprint(found.body);
        let key = (found.kind, found.id.to_owned());
        if self.known.get(&key) == Some(&print) {
            return Ok(false);
        }
        self.offer(self.fact(found))?;
        self.known.insert(key, print);
        self.pass.recorded += 1;
        self.tally.add(|work| work.records += 1);
        if self.ahead >= AHEAD {
            self.settle().await?;
        }
        Ok(true)
    }

    /// Records what was pushed, known or not, and gives its fact. Not on disk yet: see [`Shelf::settle`].
    pub fn push(&mut self, found: &Found<'_>) -> Result<Fact, ReadError> {
        let mut fact = self.fact(found);
        fact.seq = self.offer(fact.clone())?;
        Ok(fact)
    }

    fn fact(&self, found: &Found<'_>) -> Fact {
        let read_at = Clock::system().now();
        let source = Provenance {
            reader: self.reader.clone(),
            form: found.form,
            kind: found.kind,
            id: found.id.to_owned(),
            url: found.url.to_owned(),
            page: found.page,
            row: found.row,
            read_at,
            columns: found.columns.cloned(),
        };
        let mut fact = Fact::new(Kind::BackendRecord, read_at)
            .body(found.body)
            .note(&source);
        fact.leg = Some(self.leg);
        fact
    }

    /// Waits until everything offered is on disk.
    pub async fn settle(&mut self) -> Result<(), ReadError> {
        self.recorder.urge();
        let last = self.last;
        let committed = self.committed.wait_for(|seq| *seq >= last).await;
        committed.map_err(|_| ReadError::NotRecorded)?;
        self.ahead = 0;
        Ok(())
    }

    /// Ends a pass: records how far it came. What broke it off is told, and leaves the cursor where it was.
    pub async fn end(&mut self, ended: Result<(), ReadError>) -> Result<Sweep, ReadError> {
        let pass = std::mem::replace(&mut self.pass, Pass::new(RecordKind::Session));
        let before = self.cursor(pass.kind);
        let sweep = Sweep {
            reader: self.reader.clone(),
            kind: pass.kind,
            cursor: match &ended {
                Ok(()) => pass.cursor.or(before),
                Err(_) => before,
            },
            seen: pass.seen.len() as u64,
            recorded: pass.recorded,
            told: pass.told,
            broken: ended.err().map(|error| error.to_string()),
        };
        let mut fact = Fact::new(Kind::BackendRead, Clock::system().now()).note(&sweep);
        fact.leg = Some(self.leg);
        self.offer(fact)?;
        self.settle().await?;
        self.cursors
            .extend(sweep.cursor.map(|cursor| (sweep.kind, cursor)));
        let is_whole = sweep.broken.is_none();
        self.tally.add(|work| {
            work.passes += u64::from(is_whole);
            work.broken += u64::from(!is_whole);
            if is_whole {
                work.last_success = Some(Clock::system().now());
            }
        });
        Ok(sweep)
    }

    fn offer(&mut self, fact: Fact) -> Result<u64, ReadError> {
        self.ahead += fact.weight();
        let seq = self.recorder.record(fact);
        self.last = seq.ok_or(ReadError::NotRecorded)?;
        Ok(self.last)
    }
}

/// Calls `take` with every fact of a rare kind, in order.
pub(super) fn each(
    facts: &Reader,
    kind: Kind,
    mut take: impl FnMut(&Fact),
) -> Result<(), RecordingError> {
    let mut last = 0;
    loop {
        let page = facts.of_kind(kind, last, PAGE)?;
        let Some(end) = page.last() else {
            return Ok(());
        };
        last = end.seq;
        page.iter().for_each(&mut take);
    }
}

fn fingerprint(body: &[u8]) -> [u8; 16] {
    let mut print = [0; 16];
    print.copy_from_slice(&Sha256::digest(body)[..16]);
    print
}
