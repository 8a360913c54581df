//! Sessions as the chargers tell them: the referee's truth, from recorded frames alone.
//!
//! A session is gathered while it is open and closed into a [`Told`] that says what is known and what is wrong with it.
//! Registers are exact decimals in Wh. What a charger says is never mended here: a clock or a register that is off is
//! reported as it stands, with its defects by name.

mod gather;
mod meter;
mod stamp;
mod v16;
mod v2x;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rust_decimal::Decimal;

use super::heard::Heard;
use super::roll::Roll;
use super::world::Origin;
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::ocpp::{Class, Version};
use gather::Gathering;
use v16::Starts;

/// How many sessions of one charger may be open: more than it has connectors.
const MOST_OPEN: usize = 32;

/// How many names a backend may give one session that is begun again and again: the first stays, and the newest.
const MOST_NAMES: usize = 8;

/// How many ended transactions of a charger are remembered, so that a repeat of their end is no new session.
const MOST_ENDED: usize = 64;

/// How many connectors of a charger are remembered: more than any has.
pub(super) const MOST_CONNECTORS: usize = 64;

/// How long events that are missing between others may still come after the last, µs.
const STRAGGLERS: Micros = 60_000_000;

/// What is wrong with a session as the charger tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Defect {
    /// A timestamp is missing or cannot be read.
    NoTime,
    /// A timestamp names no zone.
    NoZone,
    /// A timestamp has an offset of hours alone.
    ShortOffset,
    /// The clock was never set.
    ClockUnset,
    /// The clock shows local time and calls it UTC.
    LocalTime,
    /// A decimal comma.
    CommaDecimal,
    /// A register in a unit that is none.
    UnknownUnit,
    /// A register that is no number.
    Unreadable,
    /// kWh are labelled Wh.
    MislabelledUnit,
    /// Meter values are of another register than start and stop.
    OtherRegister,
    /// One reading is lower than those around it.
    Glitch,
    /// The register fell and went on from there.
    Reset,
    /// The register at the stop is below nought or missing.
    NoStopRegister,
    /// Meter values name no transaction, or none that is open.
    NoTransaction,
    /// Events are missing.
    MissingEvents,
    /// The session began without the backend.
    Offline,
    /// The start was sent again.
    RepeatedStart,
    /// The backend refused the start.
    Refused,
    /// Frames of this charger were lost.
    Gap,
}

/// How a session ended, as far as the wire knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It goes on.
    Open,
    /// It began and ended.
    Ended,
    /// Another one began in its place: its stop never came.
    NoStop,
    /// Its end came without its beginning.
    NoStart,
}

/// Whether an action tells of sessions.
pub(super) fn concerns(action: &str) -> bool {
    matches!(
        action,
        "StartTransaction"
            | "StopTransaction"
            | "MeterValues"
            | "StatusNotification"
            | "TransactionEvent"
    )
}

/// A session under both backends' names for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) legacy: Vec<String>,
    pub(super) candidate: Vec<String>,
}

impl Names {
    pub(super) fn of(&self, leg: Leg) -> &[String] {
        match leg {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        }
    }

    pub(super) fn add(&mut self, leg: Leg, name: &str) {
        let names = match leg {
            Leg::Legacy => &mut self.legacy,
            Leg::Candidate => &mut self.candidate,
        };
        if !names.iter().any(|known| known == name) {
            if names.len() >= MOST_NAMES {
                names.remove(1);
            }
            names.push(name.to_owned());
        }
    }
}

/// What can be asked of a session that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open<'a> {
    pub(super) names: &'a Names,
    pub(super) token: Option<&'a str>,
    /// When it began, as the charger says and as it was heard, µs.
    pub(super) start: (Option<Micros>, Micros),
}

/// What a charger told of one session.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Sequence number of the fact that began it.
    pub(super) id: u64,
    /// When that was, µs.
    pub(super) at: Micros,
    /// When its end came, µs.
    pub(super) ended: Micros,
    pub(super) origin: Origin,
    pub(super) names: Names,
    pub(super) state: State,
    /// Connector, or EVSE and connector as `1/2`.
    pub(super) connector: String,
    pub(super) token: Option<String>,
    pub(super) start: Option<Micros>,
    pub(super) stop: Option<Micros>,
    /// When start and stop came: what a backend books that does not read the charger's clock.
    pub(super) heard: (Micros, Micros),
    /// Start and stop with the clock mended, where it is off.
    pub(super) mended: Option<(Micros, Micros)>,
    pub(super) first: Option<Decimal>,
    pub(super) last: Option<Decimal>,
    /// Energy, Wh.
    pub(super) wh: Option<Decimal>,
    /// Energy since the beginning, by time.
    pub(super) curve: Vec<(Micros, Decimal)>,
    /// When the vehicle took no energy though it could, µs.
    pub(super) parked: Vec<(Micros, Micros)>,
    pub(super) signed: Vec<String>,
    pub(super) reason: Option<String>,
    pub(super) defects: BTreeSet<Defect>,
}

/// The sessions of all chargers that are not closed.
#[derive(Debug, Default)]
pub(super) struct Wires {
    chargers: Roll<Charger>,
    starts: Starts,
    /// When sessions that wait for missing events are closed.
    stragglers: BTreeSet<(Micros, Arc<str>)>,
    closed: Vec<Told>,
    begun: Vec<Told>,
}

#[derive(Debug, Default)]
struct Charger {
    open: Vec<Gathering>,
    /// Names of transactions that ended, in the authority's namespace.
    ended: VecDeque<String>,
    /// Per connector: whether the vehicle blocks it without charging, since when.
    idle: BTreeMap<String, (Micros, bool)>,
}

impl Wires {
    /// A CALL of a charger.
    pub(super) fn call(&mut self, fact: &Fact, heard: &Heard<'_>, origin: &Origin) {
        match (origin.version, heard.action.as_ref()) {
            (Version::V16, action) => self.call_v16(fact, heard, action, origin),
            (_, "TransactionEvent") => self.event(fact, heard, origin),
            _ => {}
        }
    }

    /// An identifier pair was learned.
    pub(super) fn learned(&mut self, fact: &Fact, class: &str, authority: &str, shadow: &str) {
        if class != Class::TransactionId.word() {
            return;
        }
        let shadow_leg = fact.leg.unwrap_or(Leg::Candidate);
        let Some(charger) = self.chargers.get_mut(&fact.charger) else {
            return;
        };
        let known = charger.open.iter_mut().rev().find(|open| {
            let names = open.names.of(shadow_leg.other());
            names.iter().any(|name| name == authority)
        });
        if let Some(open) = known {
            open.names.add(shadow_leg, shadow);
        }
    }

    /// Frames were lost on one charger's connection, or anywhere.
    pub(super) fn gap(&mut self, charger: Option<&Arc<str>>) {
        let one = charger.map(|charger| self.chargers.get_mut(charger));
        let touched: Vec<&mut Charger> = match one {
            Some(known) => known.into_iter().collect(),
            None => self.chargers.values_mut().collect(),
        };
        for open in touched.into_iter().flat_map(|it| it.open.iter_mut()) {
            open.defects.insert(Defect::Gap);
        }
    }

    /// A connection ended, or all of them: what they have not answered they will not.
    pub(super) fn cut(&mut self, conn: Option<u64>) {
        match conn {
            Some(conn) => self.starts.forget(conn),
            None => self.starts = Starts::default(),
        }
    }

    /// Time passed: closes sessions that waited for events.
    pub(super) fn expire(&mut self, now: Micros) {
        while let Some((due, _)) = self.stragglers.first()
            && *due <= now
        {
            let Some((_, name)) = self.stragglers.pop_first() else {
                return;
            };
            let late = |open: &Gathering| open.ending.is_some_and(|at| at + STRAGGLERS <= now);
            while let Some(charger) = self.chargers.get(&name)
                && let Some(place) = charger.open.iter().position(late)
            {
                let state = charger.open[place].end_state();
                self.close(&name, place, state);
            }
        }
    }

    /// Sessions that are open: of one charger, or of all.
    pub(super) fn open(&self, charger: Option<&str>) -> impl Iterator<Item = Open<'_>> {
        let one = charger.map(|charger| self.chargers.get(charger));
        let chosen = one.into_iter().flatten();
        let all = charger.is_none().then(|| self.chargers.values());
        let chargers = chosen.chain(all.into_iter().flatten());
        chargers
            .flat_map(|charger| &charger.open)
            .map(Gathering::seen)
    }

    /// Sessions that have begun since the last call, as far as they are known.
    pub(super) fn begun(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.begun)
    }

    /// Sessions that have been closed since the last call.
    pub(super) fn closed(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.closed)
    }

    /// Opens a session. One that is open on the same connector has lost its stop.
    fn begin(&mut self, gathering: Gathering) {
        let name = Arc::clone(&gathering.origin.charger);
        let connector = gathering.connector.clone();
        let charger = self.chargers.entry(&name);
        let replaced = charger.open.iter().position(|open| {
            (!connector.is_empty() && open.connector == connector) || open.ending.is_some()
        });
        let crowded = (charger.open.len() >= MOST_OPEN).then_some(0);
        if let Some(place) = replaced.or(crowded) {
            let state = match charger.open[place].ending {
                Some(_) => charger.open[place].end_state(),
                None => State::NoStop,
            };
            self.close(&name, place, state);
        }
        if let Some(charger) = self.chargers.get_mut(&name) {
            charger.open.push(gathering);
        }
    }

    fn close(&mut self, charger: &Arc<str>, place: usize, state: State) {
        let Some(charger) = self.chargers.get_mut(charger) else {
            return;
        };
        let gathering = charger.open.remove(place);
        let authority = gathering.origin.authority;
        let refused = gathering.defects.contains(&Defect::Refused);
        charger.ended.extend(gathering.names.of(authority).to_vec());
        while charger.ended.len() > MOST_ENDED {
            charger.ended.pop_front();
        }
        // A refused start whose stop never came was never a session.
        if !(refused && state == State::NoStop) {
            self.closed.push(gathering.told(state));
        }
    }
}

impl Defect {
    /// The words for it.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NoTime => "no readable time",
            Self::NoZone => "time without zone",
            Self::ShortOffset => "short offset",
            Self::ClockUnset => "clock unset",
            Self::LocalTime => "local time labelled Z",
            Self::CommaDecimal => "decimal comma",
            Self::UnknownUnit => "unknown unit",
            Self::Unreadable => "register unreadable",
            Self::MislabelledUnit => "kWh labelled Wh",
            Self::OtherRegister => "meter values of another register",
            Self::Glitch => "lone lower reading",
            Self::Reset => "register reset",
            Self::NoStopRegister => "no register at the stop",
            Self::NoTransaction => "meter values without transaction",
            Self::MissingEvents => "events missing",
            Self::Offline => "started offline",
            Self::RepeatedStart => "start repeated",
            Self::Refused => "start refused",
            Self::Gap => "frames lost",
        }
    }
}

impl State {
    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
            Self::NoStop => "no stop",
            Self::NoStart => "no start",
        }
    }
}

impl Told {
    /// Whether its energy can be relied on.
    pub(super) fn certain_energy(&self) -> Option<Decimal> {
        let doubtful = [Defect::Reset, Defect::MissingEvents, Defect::NoStopRegister];
        let doubtful = doubtful.iter().any(|defect| self.defects.contains(defect));
        self.wh.filter(|_| self.state == State::Ended && !doubtful)
    }

    /// Whether start and stop are both known, µs.
    pub(super) fn span(&self) -> Option<(Micros, Micros)> {
        self.start.zip(self.stop)
    }

    /// How long the vehicle blocked the connector without charging, µs.
    pub(super) fn parking(&self) -> Micros {
        self.parked.iter().map(|(from, to)| to - from).sum()
    }
}
