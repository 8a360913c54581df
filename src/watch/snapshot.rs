//! What the source thread tells the screens: plain owned data that nobody changes any more.

use std::sync::Arc;

use crate::clock::Micros;
use crate::ocpp::Severity;

use super::{board, compare, coverage, diffs, feed, gate, sessions, tap, trace};

/// A running tap writes a tick a minute, whatever chargers do: silence longer than this, µs, means that nothing is known of
/// now.
pub const STALE_AFTER: Micros = 150_000_000;

/// What the header of every screen tells, and the alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The recording's name.
    pub recording: String,
    /// The last fact.
    pub facts: u64,
    /// The last fact that was judged.
    pub judged: u64,
    /// When the first fact happened, µs; none in an empty recording.
    pub first: Option<Micros>,
    /// When the last fact happened, µs; none in an empty recording.
    pub last: Option<Micros>,
    /// When the tap stopped in order, µs; none while it runs, or if it did not stop in order.
    pub stopped: Option<Micros>,
    /// The backend that chargers hear.
    pub authority: String,
    /// Legacy, as far as it can be seen from here.
    pub legacy: Leg,
    /// The candidate likewise.
    pub candidate: Leg,
    /// Connections of chargers that are open.
    pub open: u64,
    /// Chargers that have told what they are.
    pub chargers: u64,
    /// Frames that were seen and not recorded.
    pub shed: u64,
    /// What somebody must look at, worst first.
    pub alarms: Vec<Alarm>,
    /// The worst verdict of a gate and its sentence; none until a gate file says what one is.
    pub verdict: Option<(String, String)>,
}

/// How one backend is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leg {
    /// In a word: `ok`, `away`, `refuses`, `?`.
    pub word: String,
    /// Whether that is nothing to worry about.
    pub well: bool,
}

/// Something that pierces freezing and filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What it is about, each told from all others: it sounds once for each.
    pub keys: Vec<String>,
    /// How bad.
    pub severity: Severity,
    /// Since when, µs.
    pub since: Micros,
    /// A sentence.
    pub says: String,
    /// Chargers that it names, so that they can be masked in it.
    pub chargers: Vec<String>,
}

/// How fresh the data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing has been recorded yet.
    Empty,
    /// The last fact is so old, µs.
    Live(Micros),
    /// So old that nothing is known of now.
    Stale(Micros),
    /// The tap stopped in order at this time.
    Ended(Micros),
}

impl Pulse {
    /// How fresh the data are at `now`.
    pub fn freshness(&self, now: Micros) -> Freshness {
        match (self.last, self.stopped) {
            (None, _) => Freshness::Empty,
            (Some(_), Some(at)) => Freshness::Ended(at),
            (Some(at), None) if now - at > STALE_AFTER => Freshness::Stale(now - at),
            (Some(at), None) => Freshness::Live((now - at).max(0)),
        }
    }

    /// The alarms at `now`: silence is one, and nobody but the reader's clock notices it.
    pub fn alarms(&self, now: Micros) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        if let (Freshness::Stale(_), Some(last)) = (self.freshness(now), self.last) {
            alarms.push(Alarm {
                keys: vec![format!("stale {last}")],
                severity: Severity::S0,
                since: last,
                says: "no data from the tap; last values are kept, verdicts are HOLD".to_owned(),
                chargers: Vec::new(),
            });
        }
        alarms.extend(self.alarms.iter().cloned());
        alarms
    }

    /// The worst verdict in a word or two and what it rests on, for screens that have room for nothing else.
    pub fn worst(&self, now: Micros) -> (String, String) {
        let alarms = self.alarms(now);
        let says = alarms
            .first()
            .map_or("no alarms", |alarm| alarm.says.as_str());
        match (self.freshness(now), &self.verdict) {
            (Freshness::Stale(_), _) => ("STALE".to_owned(), says.to_owned()),
            (Freshness::Empty, _) => ("no data".to_owned(), says.to_owned()),
            (_, Some(verdict)) => verdict.clone(),
            (_, None) => ("no gate file".to_owned(), says.to_owned()),
        }
    }
}

/// What a screen asks. Equal questions are answered again only when the recording has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Screen 1.
    Board(board::Question),
    /// Screen 2.
    Diffs(diffs::Question),
    /// Screen 3.
    Sessions(sessions::Question),
    /// Screen 4.
    Gate(gate::Question),
    /// Screen 5.
    Feed(feed::Question),
    /// Screen 6.
    Tap(tap::Question),
    /// The messages of a session or charger.
    Trace(trace::Question),
    /// Model by action.
    Coverage(coverage::Question),
    /// Two messages beside each other.
    Compare(compare::Question),
}

/// What a screen gets to know.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Screen 1.
    Board(Arc<board::Data>),
    /// Screen 2.
    Diffs(Arc<diffs::Data>),
    /// Screen 3.
    Sessions(Arc<sessions::Data>),
    /// Screen 4.
    Gate(Arc<gate::Data>),
    /// Screen 5.
    Feed(Arc<feed::Data>),
    /// Screen 6.
    Tap(Arc<tap::Data>),
    /// The messages of a session or charger.
    Trace(Arc<trace::Data>),
    /// Model by action.
    Coverage(Arc<coverage::Data>),
    /// Two messages beside each other.
    Compare(Arc<compare::Data>),
}

/// What a screen knows: nothing yet, something, or why not. Three different sentences.
#[derive(Debug, Clone, Default)]
pub enum Known<T> {
    /// It is being read.
    #[default]
    Loading,
    /// It was read.
    Ready(Arc<T>),
    /// It could not be read.
    Failed(String),
}

impl<T> Known<T> {
    /// What is known, if anything is.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(data) => Some(data),
            Self::Loading | Self::Failed(_) => None,
        }
    }
}
