//! A scenario that has been read: plain data, each part with its place in the file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

pub use super::clock::Setting;
use super::expect::Expected;
use crate::clock::Micros;
use crate::facts::Leg;
use crate::ledger::row::Reason;
use crate::ocpp::Version;

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name, for people.
    pub name: String,
    /// What it proves, as a sentence.
    pub proves: String,
    /// The version that the charger speaks.
    pub version: Version,
    /// Words to choose it by.
    pub tags: Vec<String>,
    /// How long it may take, real time.
    pub limit: Duration,
    /// The charger.
    pub charger: Charger,
    /// Names and values that the steps use.
    pub variables: Vec<(String, Value)>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The sessions that must come of it, in order of their starts.
    pub sessions: Vec<Booked>,
}

/// What the charger says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charger {
    /// Its identity, if it must be this one.
    pub identity: Option<String>,
    /// Vendor name.
    pub vendor: String,
    /// Model name.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Firmware version.
    pub firmware: String,
    /// How many connectors (1.6) or EVSEs it has.
    pub connectors: u32,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number, from 1.
    pub number: u32,
    /// Where it stands: the key that says what it does, with its value.
    pub span: Range<usize>,
    /// What happens.
    pub act: Act,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The charger calls, and is answered.
    Call(Call),
    /// The charger says its last CALL once more.
    Repeat(Repeat),
    /// A backend commands, and the charger answers.
    Await(Await),
    /// Time passes on the charger's clock; nobody waits.
    Wait(Duration),
    /// Real time passes.
    Pause(Duration),
    /// The network goes away or comes back.
    Connection(Connection),
    /// The network is away for so long, by the charger's clock.
    Offline(Duration),
    /// The charger loses its power for so long: its connection stays half open.
    PowerLoss(Duration),
    /// The charger's clock is set, or begins to drift.
    Clock(Setting),
    /// The charger sends something odd.
    Frame(Odd),
}

/// A CALL of the charger's.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The action.
    pub action: String,
    /// The payload, with names of variables in it; the usual one if none.
    pub payload: Option<Value>,
    /// How many WebSocket frames it is sent in.
    pub fragments: u32,
    /// What is expected.
    pub terms: Terms,
}

/// The last CALL, once more.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// With the message id of the first time.
    pub same_id: bool,
    /// What is expected.
    pub terms: Terms,
}

/// A command of a backend's.
#[derive(Debug, Clone, PartialEq)]
pub struct Await {
    /// The action.
    pub action: String,
    /// Which backends send it.
    pub from: Vec<Leg>,
    /// What the built-in backends send, with names of variables in it.
    pub payload: Value,
    /// What the charger answers.
    pub answer: Reply,
    /// How long it may take to come, real time.
    pub within: Duration,
    /// What is expected of the commands.
    pub terms: Terms,
}

/// What the charger answers to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A payload, with names of variables in it.
    Result(Value),
    /// A CALLERROR of this code.
    Error(String),
}

/// The network between charger and tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// It is gone without a goodbye; what the charger says waits.
    Lost,
    /// The charger has said goodbye; what it says waits.
    Closed,
    /// It is there again: what waited is said.
    Back,
}

/// Something that is no OCPP-J message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// Text that is not JSON.
    NotJson,
    /// A CALL in a binary message.
    Binary,
    /// An empty text message.
    Empty,
    /// JSON that is no OCPP-J message.
    NoArray,
}

/// What is expected of a CALL or a command.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terms {
    /// Of what legacy says.
    pub legacy: Vec<Expected>,
    /// Of what the candidate says.
    pub candidate: Vec<Expected>,
    /// What later steps may name: a name, and a JSON pointer into what each said.
    pub captures: Vec<Capture>,
    /// How the two must compare.
    pub parity: Parity,
}

impl Terms {
    /// What is expected of one backend.
    pub fn of(&self, leg: Leg) -> &[Expected] {
        match leg {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        }
    }
}

/// A value that later steps may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Its name.
    pub name: String,
    /// Where it is: a JSON pointer.
    pub pointer: String,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

impl Capture {
    /// Gives the names the values that a payload has for them; one that is no JSON has none.
    pub(super) fn take(captures: &[Self], payload: &str, values: &mut BTreeMap<String, Value>) {
        let Ok(payload) = serde_json::from_str::<Value>(payload) else {
            return;
        };
        for capture in captures {
            if let Some(value) = payload.pointer(&capture.pointer) {
                values.insert(capture.name.clone(), value.clone());
            }
        }
    }
}

/// How the judge must find what both said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Parity {
    /// Equal, or explained by a rule: what is expected unless the step says more.
    #[default]
    Agrees,
    /// Equal.
    Equal(Range<usize>),
    /// Explained by a rule.
    Explained(Range<usize>),
    /// Not comparable, for this reason if one is named.
    NotComparable(Option<Reason>, Range<usize>),
    /// Divergent at these places and at no other.
    Differs(Vec<(String, Range<usize>)>),
    /// However it is.
    Any,
}

/// A session that must come of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// Where it stands in the file.
    pub span: Range<usize>,
    /// Its energy by the charger's and by both backends' account, Wh.
    pub energy_wh: Option<(i64, Range<usize>)>,
    /// Whether the records of both backends must agree.
    pub agrees: bool,
}

impl Scenario {
    /// How much time passes on the charger's clock without anybody waiting.
    pub fn passes(&self) -> Duration {
        self.steps
            .iter()
            .map(|step| match &step.act {
                Act::Wait(time) | Act::Offline(time) | Act::PowerLoss(time) => *time,
                _ => Duration::ZERO,
            })
            .sum()
    }
}

impl Act {
    /// What is expected of it, if anything is said.
    pub const fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Call(call) => Some(&call.terms),
            Self::Repeat(repeat) => Some(&repeat.terms),
            Self::Await(command) => Some(&command.terms),
            _ => None,
        }
    }
}

/// An instant that a file names, µs.
pub(super) fn instant(text: &str) -> Option<Micros> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.timestamp_micros())
}
