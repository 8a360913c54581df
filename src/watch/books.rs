//! What the source thread reads from: the recording's ledger and facts, read-only, opened when they appear.

mod connections;
mod pulse;

use std::cell::{Ref, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use connections::{Connection, Connections};

use super::rewind::Point;
use super::shelf::Shelf;
use super::snapshot::{Answer, Pulse, Question};
use super::verdicts::Verdicts;
use super::{board, compare, coverage, diffs, feed, gate, sessions, tap, trace};
use crate::clock::{Clock, Micros};
use crate::facts::{self, Kind, RecordingError};
use crate::ledger::{self, LedgerError, query};
use crate::report::ReportError;
use crate::report::rules::RulesError;
use crate::report::verdict::Criteria;

/// Why a question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The facts cannot be read.
    #[error("read facts: {0}")]
    Facts(#[from] RecordingError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The texts behind what was judged cannot be read.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The rules that it was judged by cannot be read.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The criteria that were recorded are not understood.
    #[error("the gate file {0:?} cannot be used: {1}")]
    Gate(String, String),
    /// Nothing has been judged yet.
    #[error("no ledger yet: the first judged fact makes it")]
    NoLedger,
}

/// The recording of a dashboard.
pub struct Books {
    dir: PathBuf,
    facts: facts::Reader,
    ledger: Option<query::Reader>,
    connections: RefCell<Connections>,
    seen: (i64, i64),
    shelf: Shelf,
    verdicts: Verdicts,
    now: Option<Micros>,
}

impl Books {
    /// Opens the recording in `dir`.
    pub fn open(dir: &Path) -> Result<Self, BooksError> {
        let mut books = Self {
            dir: dir.to_owned(),
            facts: facts::Reader::open(dir)?,
            ledger: None,
            connections: RefCell::default(),
            seen: (0, 0),
            shelf: Shelf::default(),
            verdicts: Verdicts::default(),
            now: None,
        };
        books.find_ledger()?;
        Ok(books)
    }

    /// The same with these criteria instead of those that were recorded.
    #[must_use]
    pub fn gated_by(self, criteria: Criteria) -> Self {
        let verdicts = Verdicts::by(Arc::new(criteria));
        Self { verdicts, ..self }
    }

    /// The same as it is looked at then, µs, whatever the clock says.
    #[must_use]
    pub fn looked_at(self, now: Micros) -> Self {
        let now = Some(now);
        Self { now, ..self }
    }

    /// The same recording as it was at a point of its past, or as it is now.
    pub fn at(&self, point: Option<&Point>) -> Result<Self, BooksError> {
        let mut books = Self::open(&self.dir)?;
        books.verdicts = self.verdicts.anew();
        if let Some(point) = point {
            books.facts = facts::Reader::open(&self.dir)?.up_to(point.seq);
            books.ledger = Some(query::Reader::open(&point.ledger)?);
            books.now = Some(books.last()?);
        }
        Ok(books)
    }

    fn find_ledger(&mut self) -> Result<(), BooksError> {
        if self.ledger.is_none() && self.dir.join(ledger::FILE).exists() {
            self.ledger = Some(query::Reader::open(&self.dir)?);
        }
        Ok(())
    }

    /// Where the recording is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The facts.
    pub const fn facts(&self) -> &facts::Reader {
        &self.facts
    }

    /// The ledger.
    pub fn ledger(&self) -> Result<&query::Reader, BooksError> {
        self.ledger.as_ref().ok_or(BooksError::NoLedger)
    }

    /// Who is connected, as far as it has been recorded by now.
    pub fn connections(&self) -> Result<Ref<'_, Connections>, BooksError> {
        self.connections.borrow_mut().refresh(&self.facts)?;
        Ok(self.connections.borrow())
    }

    /// When the recording's last fact was, µs: what relative times of filters count from.
    pub fn last(&self) -> Result<Micros, BooksError> {
        let last = self.facts.by_seq(self.facts.last_seq()?)?;
        Ok(last.map_or(0, |fact| fact.at))
    }

    /// What the gate says of each group.
    pub const fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// When evidence is weighed, µs: now, or the instant that a rewound recording shows.
    pub fn now(&self) -> Micros {
        self.now.unwrap_or_else(|| Clock::system().now())
    }

    /// What is kept between two questions.
    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Numbers that change when the recording does, as of the last look.
    pub const fn seen(&self) -> (i64, i64) {
        self.seen
    }

    /// What names the recording's run: the first fact that a tap wrote. Masks are keyed with it.
    pub fn run(&self) -> Result<String, BooksError> {
        let started = self.facts.of_kind(Kind::TapStarted, 0, 1)?;
        Ok(started
            .first()
            .map_or_else(|| self.dir.display().to_string(), |fact| fact.note.clone()))
    }

    /// Whether anything was written since the last call, or a verdict has waited long enough. Costs next to nothing.
    pub fn changed(&mut self) -> Result<bool, BooksError> {
        self.find_ledger()?;
        let ledger = match &self.ledger {
            Some(ledger) => ledger.data_version()?,
            None => 0,
        };
        let now = (self.facts.data_version()?, ledger);
        let changed = now != self.seen || self.verdicts.are_due();
        self.seen = now;
        Ok(changed)
    }

    /// What every screen shows in its head.
    pub fn pulse(&self) -> Result<Pulse, BooksError> {
        pulse::read(self)
    }

    /// What a screen asks.
    pub fn answer(&self, question: &Question) -> Result<Answer, BooksError> {
        Ok(match question {
            Question::Board(question) => Answer::Board(Arc::new(board::read(self, question)?)),
            Question::Diffs(question) => Answer::Diffs(Arc::new(diffs::read(self, question)?)),
            Question::Sessions(question) => {
                Answer::Sessions(Arc::new(sessions::read(self, question)?))
            }
            Question::Gate(question) => Answer::Gate(Arc::new(gate::read(self, question)?)),
            Question::Feed(question) => Answer::Feed(Arc::new(feed::read(self, question)?)),
            Question::Tap(question) => Answer::Tap(Arc::new(tap::read(self, question)?)),
            Question::Trace(question) => Answer::Trace(Arc::new(trace::read(self, question)?)),
            Question::Compare(question) => {
                Answer::Compare(Arc::new(compare::read(self, question)?))
            }
            Question::Coverage(question) => {
                Answer::Coverage(Arc::new(coverage::read(self, question)?))
            }
        })
    }
}
