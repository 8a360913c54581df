//! Rewinding: a finished recording as it was at an instant.
//!
//! Judgement is a pure function of facts, so the night at 02:14 is what the judge says of the facts up to 02:14. They are
//! judged again into a ledger of their own, on a thread of their own; every screen then reads that ledger instead. Going on
//! goes on judging. Going back begins with the nearest copy that was kept on the way: the facts before it are fed to a new
//! judge, and nothing of them is written again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::app::Event;
use crate::clock::Micros;
use crate::facts::{self, Kind, RecordingError};
use crate::judge::{Judge, Rules};
use crate::ledger::{self, Ledger, LedgerError, Pending, query};
use crate::ocpp::Severity;

/// Facts that are judged at once.
const PAGE: usize = 2_000;

/// Copies of the ledger that are kept on the way, evenly over the recording.
const COPIES: u64 = 8;

/// A larger ledger is not copied, bytes: going back then begins at the first fact.
const LARGEST: u64 = 256 << 20;

/// How often it is told how far it is.
const TELLING: Duration = Duration::from_millis(100);

/// Alarms that are looked through.
const ALARMS: usize = 1_000;

/// A recording as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The instant, µs.
    pub at: Micros,
    /// The last fact by then.
    pub seq: u64,
    /// Where the ledger of the facts up to there is.
    pub ledger: PathBuf,
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// To this instant, µs.
    To(Micros),
    /// To the first alarm after this instant, µs.
    NextAlarm(Micros),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// So many facts of so many are judged.
    Judged(u64, u64),
    /// It is there.
    At(Arc<Point>),
    /// No alarm follows.
    NoAlarm,
    /// It cannot be done, for this reason.
    Failed(String),
}

/// Why a recording cannot be rewound.
#[derive(Debug, thiserror::Error)]
pub enum RewindError {
    /// The facts cannot be read.
    #[error("read facts: {0}")]
    Facts(#[from] RecordingError),
    /// The ledger of the past cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is no room for it.
    #[error("make room for a ledger of the past: {0}")]
    Room(#[from] io::Error),
}

/// Judges a recording again, up to any instant.
#[derive(Debug)]
pub struct Rewinder {
    recording: PathBuf,
    rules: Rules,
    run: Option<Run>,
    /// What is still shown while another run is on its way.
    shown: Vec<TempDir>,
    kept: Vec<(u64, TempDir)>,
}

/// A judge on its way through the facts.
#[derive(Debug)]
struct Run {
    judge: Judge,
    ledger: Ledger,
    place: TempDir,
    /// The last fact that the judge has seen.
    fed: u64,
}

/// Takes orders until nobody gives any; the latest is the one that counts.
pub fn run(mut rewinder: Rewinder, orders: &Receiver<Order>, out: &Sender<Event>) {
    let mut next = None;
    loop {
        let Some(order) = next.take().or_else(|| orders.recv().ok()) else {
            return;
        };
        let order = orders.try_iter().last().unwrap_or(order);
        let mut told = Instant::now();
        let news = rewinder.obey(order, &mut |done, goal| {
            if told.elapsed() >= TELLING {
                told = Instant::now();
                // Whoever does not listen any more gives no orders either.
                let _ = out.send(Event::Rewound(News::Judged(done, goal)));
            }
            match latest(orders) {
                Ok(order) => next = order,
                Err(Gone) => return false,
            }
            next.is_none()
        });
        let news = news.unwrap_or_else(|error| Some(News::Failed(error.to_string())));
        if let Some(news) = news
            && out.send(Event::Rewound(news)).is_err()
        {
            return;
        }
    }
}

/// Nobody gives orders any more.
struct Gone;

/// The latest order that waits.
fn latest(orders: &Receiver<Order>) -> Result<Option<Order>, Gone> {
    let mut latest = None;
    loop {
        match orders.try_recv() {
            Ok(order) => latest = Some(order),
            Err(TryRecvError::Empty) => return Ok(latest),
            Err(TryRecvError::Disconnected) => return Err(Gone),
        }
    }
}

impl Rewinder {
    /// Rewinds the recording in `dir`, which `rules` judge. Nothing is read or written before the first order.
    pub fn new(dir: &Path, rules: Rules) -> Self {
        Self {
            recording: dir.to_owned(),
            rules,
            run: None,
            shown: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Carries an order out; `goes_on` hears how far it is and says whether to go on. `None` if it was not to.
    pub fn obey(
        &mut self,
        order: Order,
        goes_on: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Option<News>, RewindError> {
        let at = match order {
            Order::To(at) => at,
            Order::NextAlarm(from) => match self.alarm_after(from)? {
                Some(at) => at,
                None => return Ok(Some(News::NoAlarm)),
            },
        };
        let facts = facts::Reader::open(&self.recording)?;
        let goal = facts.seq_at(at)?;
        let mut run = match self.run.take() {
            Some(run) if run.fed <= goal => run,
            former => {
                self.shown.clear();
                self.shown.extend(former.map(|former| former.place));
                self.begin(goal)?
            }
        };
        let stride = (facts.last_seq()? / COPIES).max(PAGE as u64);
        let mut arrived = true;
        while run.fed < goal {
            let before = run.fed;
            if !run.advance(&facts, goal)? {
                break;
            }
            if before / stride < run.fed / stride {
                self.keep(&run)?;
            }
            if !goes_on(run.fed, goal) {
                arrived = run.fed >= goal;
                break;
            }
        }
        let point = Point {
            at,
            seq: goal,
            ledger: run.place.path().to_owned(),
        };
        self.run = Some(run);
        Ok(arrived.then(|| News::At(Arc::new(point))))
    }

    /// A judge that has seen nothing, with the ledger of the nearest copy up to `goal`.
    fn begin(&self, goal: u64) -> Result<Run, RewindError> {
        let place = TempDir::with_prefix("evenkeel-rewind-")?;
        let copies = self.kept.iter().filter(|(seq, _)| *seq <= goal);
        if let Some((_, copy)) = copies.max_by_key(|(seq, _)| *seq) {
            fs::copy(
                copy.path().join(ledger::FILE),
                place.path().join(ledger::FILE),
            )?;
        }
        Ok(Run {
            judge: Judge::new(self.rules.clone()),
            ledger: Ledger::open(place.path(), self.rules.fingerprint())?,
            place,
            fed: 0,
        })
    }

    /// Keeps a copy for the way back, unless there is one or it would be too large.
    fn keep(&mut self, run: &Run) -> Result<(), RewindError> {
        let written = run.ledger.cursor().seq;
        let size = fs::metadata(run.place.path().join(ledger::FILE))?.len();
        let known = self.kept.iter().any(|(seq, _)| *seq == written);
        if known || written > run.fed || size > LARGEST || self.kept.len() as u64 > COPIES {
            return Ok(());
        }
        let place = TempDir::with_prefix("evenkeel-rewind-")?;
        run.ledger.copy_into(place.path())?;
        self.kept.push((written, place));
        Ok(())
    }

    /// The instant of the first alarm after another: a gap, or a severe finding that was seen first then.
    fn alarm_after(&self, from: Micros) -> Result<Option<Micros>, RewindError> {
        let gaps = facts::Reader::open(&self.recording)?.newest(Kind::Gap, u64::MAX, ALARMS)?;
        let findings = query::Reader::open(&self.recording)?.concerns(Severity::S1, ALARMS)?;
        let gaps = gaps.into_iter().map(|gap| gap.at);
        let alarms = gaps.chain(findings.into_iter().map(|finding| finding.first_seen));
        Ok(alarms.filter(|at| *at > from).min())
    }
}

impl Run {
    /// Judges one page of facts, no further than `goal`. What the ledger holds already is not written again. False if there
    /// are no more.
    fn advance(&mut self, facts: &facts::Reader, goal: u64) -> Result<bool, RewindError> {
        let written = self.ledger.cursor().seq;
        let until = if self.fed < written {
            written.min(goal)
        } else {
            goal
        };
        let limit = PAGE.min((until - self.fed) as usize);
        let page = facts.read(self.fed, limit)?;
        let mut rows = Vec::new();
        for fact in page.iter().filter(|fact| fact.seq <= until) {
            self.judge.feed(fact, &mut |row| rows.push(row));
        }
        let Some(last) = page.last() else {
            return Ok(false);
        };
        self.fed = last.seq.min(until);
        if self.fed > written {
            let pending = Pending {
                exchanges: self.judge.pending(),
                commands: self.judge.pending_commands(),
            };
            self.ledger.apply(&rows, self.fed, pending)?;
        }
        Ok(true)
    }
}
