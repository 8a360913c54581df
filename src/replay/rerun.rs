//! A recording played once more: every charger says to one or two backends what it said, at its own pace or faster, alone
//! or many times over, and what comes back is counted by the second.
//!
//! With a recorder it is told as facts, like a night: the first of two targets, or else the recording's own answers, as
//! legacy, and the last target as the candidate. Each charger has one CALL outstanding; identifiers are each target's own.

mod actor;
mod resume;
mod tally;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::play::{Target, line};
use super::tape::Tape;
use crate::clock::{Clock, Micros};
use crate::facts::Recorder;
use crate::live::tls::TlsError;
use crate::shadow::dial::Dialler;
use actor::Actor;
pub use resume::{Place, Places, SCHEMA as PLACES_SCHEMA};
pub use tally::{Counts, Second, Tally};

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was.
    Times(f64),
    /// As fast as is answered.
    Answered,
}

/// How a recording is played.
#[derive(Debug, Clone)]
pub struct Settings {
    /// One target, or two.
    pub targets: Vec<Target>,
    /// How fast.
    pub speed: Speed,
    /// How many chargers take the part of each one.
    pub copies: u32,
    /// Whether it is a reconnect storm: instants move to now each for itself, and everybody stays until all are there.
    pub storm: bool,
}

/// What all actors share.
struct Stage {
    tape: Tape,
    settings: Settings,
    diallers: Vec<Dialler>,
    tallies: Vec<RefCell<Tally>>,
    recorder: Option<Recorder>,
    began: Micros,
    /// The last connection epoch.
    last_conn: Cell<u64>,
    /// How many actors still have something to say.
    busy: watch::Sender<usize>,
    stop: watch::Receiver<bool>,
    /// How far each actor is.
    places: RefCell<Places>,
    done: Cell<u64>,
}

/// A recording that is being played.
pub struct Rerun {
    stage: Rc<Stage>,
    actors: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Rerun {
    /// Sets all chargers going, from the places where they were when an earlier run was interrupted. Within a `LocalRuntime`.
    pub fn start(
        tape: Tape,
        settings: Settings,
        recorder: Option<(Recorder, u64)>,
        places: Places,
    ) -> Result<Self, TlsError> {
        let diallers: Result<Vec<Dialler>, TlsError> =
            settings.targets.iter().map(line::dialler).collect();
        let (stop, stopped) = watch::channel(false);
        let tallies = settings
            .targets
            .iter()
            .map(|_| RefCell::default())
            .collect();
        let (recorder, last_conn) = match recorder {
            Some((recorder, last_conn)) => (Some(recorder), last_conn),
            None => (None, 0),
        };
        let parts: Vec<(usize, u32)> = (0..tape.tracks.len())
            .flat_map(|track| (0..settings.copies).map(move |copy| (track, copy)))
            .collect();
        let stage = Rc::new(Stage {
            diallers: diallers?,
            tallies,
            recorder,
            began: Clock::system().now(),
            last_conn: Cell::new(last_conn),
            busy: watch::channel(parts.len()).0,
            stop: stopped,
            places: RefCell::new(places),
            done: Cell::new(0),
            tape,
            settings,
        });
        let mut actors = JoinSet::new();
        for (track, copy) in parts {
            let stage = Rc::clone(&stage);
            actors.spawn_local(async move { Actor::new(&stage, track, copy).run().await });
        }
        Ok(Self {
            stage,
            actors,
            stop,
        })
    }

    /// Waits until everything was said.
    pub async fn finish(&mut self) {
        while let Some(ended) = self.actors.join_next().await {
            if let Err(error) = ended {
                tracing::warn!(%error, "a charger that is played failed");
            }
        }
    }

    /// Lets every charger finish the CALL that it waits for, and leave.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// CALLs that are over, of how many.
    pub fn progress(&self) -> (u64, u64) {
        let all = self.stage.tape.calls() * u64::from(self.stage.settings.copies);
        (self.stage.done.get(), all)
    }

    /// What each target did so far.
    pub fn tallies(&self) -> Vec<Tally> {
        let tallies = self.stage.tallies.iter();
        tallies.map(|tally| tally.borrow().clone()).collect()
    }

    /// How far everybody is.
    pub fn places(&self) -> Places {
        self.stage.places.borrow().clone()
    }
}

impl Stage {
    /// When something is due that was recorded so long after the beginning; now, if it goes as fast as is answered.
    fn due(&self, after: Micros) -> Micros {
        match self.settings.speed {
            Speed::Times(times) => self.began + (after as f64 / times) as Micros,
            Speed::Answered => self.began,
        }
    }

    /// By how much instants move in what was recorded at `at`: what is said last is said of now, and nothing of later.
    fn moved_by(&self, at: Micros) -> Micros {
        if self.settings.storm {
            return Clock::system().now() - at;
        }
        let length = self.tape.ended - self.tape.began;
        self.due(length) - self.tape.ended
    }

    fn next_conn(&self) -> u64 {
        self.last_conn.set(self.last_conn.get() + 1);
        self.last_conn.get()
    }

    /// The second in which something happens.
    fn second(&self) -> u32 {
        let since = Clock::system().now() - self.began;
        u32::try_from(since / 1_000_000).unwrap_or(0)
    }

    /// Counts something that a target did or was asked.
    fn count(&self, target: usize, count: impl FnOnce(&mut Counts)) {
        let second = self.second();
        count(self.tallies[target].borrow_mut().at(second));
    }
}

/// How long a charger waits before it dials again, at first.
const PAUSE: Duration = Duration::from_millis(500);

/// How often it dials before it gives up.
const DIALS: u32 = 5;

/// Maps of fresh transactions, by the recorded id.
type Fresh = BTreeMap<String, String>;
