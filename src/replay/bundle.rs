//! A bundle: the smallest series of messages that shows one finding, for whoever has to mend it.
//!
//! It is one JSON file that a person can read. Times count from its first step, identifiers of a backend are named by the
//! step whose answer assigned them, and it says what a backend must know before (the charger, tags, vendors). The texts in
//! it are legacy's: whatever the charger's authority was, its messages carry legacy's identifiers here.
//!
//! [`extract`] makes one from a recording; [`super::play`] plays one.

pub mod claims;
pub mod extract;
mod file;
pub(super) mod needs;
mod series;
pub(super) mod ties;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Micros;
use crate::facts::{Leg, RecordingError};
use crate::ledger::LedgerError;
use crate::ledger::row::Subject;
use crate::ocpp::{Severity, Version, instant};
pub use extract::{Source, of_finding};
pub use file::{FormError, MAX_BYTES};

/// What a bundle's `schema` says.
pub const SCHEMA: &str = "evenkeel.bundle/1";

/// A series of messages that shows a finding.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`SCHEMA`].
    pub schema: String,
    /// What it shows.
    pub finding: About,
    /// Who speaks.
    pub charger: Charger,
    /// When the first step was recorded, RFC 3339: instants in the steps are as far from it as they were.
    pub began: String,
    /// What a backend must know and do before the step that is asserted.
    pub needs: Needs,
    /// How each backend took the charger in.
    pub handshake: Handshakes,
    /// What was said, in order.
    pub steps: Vec<Step>,
    /// What must hold.
    pub asserts: Asserts,
    /// How it became so small.
    pub shrunk: Shrunk,
    /// The operator's rules, which go before the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleFile>,
}

/// The finding, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// `F-` and eight characters.
    pub id: String,
    /// What it is a difference of.
    pub subject: Subject,
    /// How bad it is.
    pub severity: Severity,
    /// The action; empty for a handshake.
    pub action: String,
    /// JSON pointer with `*`; empty for the whole.
    pub path: String,
    /// Kind of difference.
    pub kind: String,
    /// The rule that decided.
    pub rule: String,
    /// The rule's reason.
    pub reason: String,
    /// Value class on legacy.
    pub legacy: String,
    /// Value class on the candidate.
    pub candidate: String,
    /// A sentence.
    pub title: String,
    /// Models of the chargers that showed it.
    pub models: Vec<String>,
}

/// The charger whose part is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charger {
    /// The last path segment of its URL.
    pub identity: String,
    /// The OCPP version: 1.6, 2.0.1 or 2.1.
    pub version: String,
    /// The subprotocol that it offers; none if it offered none.
    pub subprotocol: Option<String>,
}

/// What must be there before the asserted step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// The steps in which the charger boots: they must be answered with `Accepted`, or as a backend was recorded to.
    pub boots: Vec<u32>,
    /// Tags that the backend must know, each with the status that legacy gives it.
    pub tags: Vec<Tag>,
    /// Vendors of `DataTransfer` whose messages legacy accepts.
    pub vendors: Vec<String>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// As the charger sends it.
    pub tag: String,
    /// Its type, in 2.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Legacy's word for it.
    pub status: String,
}

/// How both backends took the charger in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshakes {
    /// Legacy.
    pub legacy: Shake,
    /// The candidate.
    pub candidate: Shake,
}

/// One backend's answer to the upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shake {
    /// The HTTP status; none if there was no answer.
    pub status: Option<u16>,
    /// The subprotocol that it chose.
    pub subprotocol: Option<String>,
    /// Why the charger did not get in; empty if it did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Who sends the CALL of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The charger.
    Charger,
    /// Legacy, a command.
    Legacy,
    /// The candidate, a command.
    Candidate,
}

/// A CALL and what was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its number, from 1.
    pub step: u32,
    /// How long after the first step it was sent, ms.
    pub after_ms: u64,
    /// Who sends it.
    pub by: By,
    /// The action.
    pub action: String,
    /// The payload, byte for byte.
    pub payload: Box<RawValue>,
    /// Identifiers in the payload that a backend assigned: when played, the target's own stand in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers: Vec<Reference>,
    /// What legacy answered the charger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<Answer>,
    /// What the candidate answered the charger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Answer>,
    /// What the charger answered a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charger: Option<Answer>,
    /// Findings that this step showed when it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shows: Vec<String>,
}

/// Where an identifier comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where it stands in the payload: JSON pointer with `*`.
    pub at: String,
    /// What it identifies.
    pub class: String,
    /// The step whose answer, or whose command, assigned it.
    pub step: u32,
}

/// The answer to a CALL. Without result and error there was none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// How long after the CALL, ms.
    pub after_ms: u64,
    /// The payload of a CALLRESULT, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// What a CALLERROR says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
}

/// A CALLERROR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallError {
    /// The error code.
    pub code: String,
    /// The description.
    pub description: String,
}

/// What is asserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asserts {
    /// The step; 0 for the handshake.
    pub step: u32,
    /// In words.
    pub says: String,
}

/// How a bundle became as small as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shrunk {
    /// Steps of the series that it was cut from.
    pub from: u32,
    /// Series that were tried.
    pub tries: u32,
    /// What decided whether a series shows the finding: `recording`, `target`.
    pub against: Vec<String>,
}

/// A file of the operator's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its name, for messages about it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why there is no bundle of a finding.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The ledger does not know it.
    #[error("the recording has no finding {0:?}")]
    NoFinding(String),
    /// It is about records of backends, which no charger can bring about by itself.
    #[error(
        "{0} is about what backends book, and no charger hears that: there is nothing to replay. What the candidate must book \
         stands in the column of the charger"
    )]
    Books(String),
    /// None of what it was seen in can be cut out of the recording.
    #[error("no series in the recording shows {finding} by itself: {why}")]
    Unshown {
        /// The finding.
        finding: String,
        /// What was missing where it was seen last.
        why: String,
    },
    /// The facts cannot be read.
    #[error("read facts: {0}")]
    Facts(#[from] RecordingError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Bundle {
    /// The OCPP version that is spoken.
    pub fn version(&self) -> Version {
        Version::from_number(&self.charger.version).unwrap_or(Version::V16)
    }

    /// The step with this number.
    pub fn step(&self, number: u32) -> Option<&Step> {
        self.steps.iter().find(|step| step.step == number)
    }

    /// The step that is asserted; none for a handshake.
    pub fn asserted(&self) -> Option<&Step> {
        self.step(self.asserts.step)
    }

    /// When an answer to a step was heard as it was recorded, µs.
    pub fn heard_at(&self, step: &Step, answer: &Answer) -> Micros {
        let began = instant::rfc3339(&self.began).unwrap_or(0);
        began + (step.after_ms + answer.after_ms) as Micros * 1_000
    }

    /// The same bundle with only some of its steps, by their places in order, numbered and timed anew.
    #[must_use]
    pub fn keeping(&self, places: &[usize]) -> Self {
        let kept: Vec<&Step> = places.iter().filter_map(|at| self.steps.get(*at)).collect();
        let number = |old: u32| {
            let place = kept.iter().position(|step| step.step == old);
            place.map_or(0, |place| place as u32 + 1)
        };
        let first = kept.first().map_or(0, |step| step.after_ms);
        let steps: Vec<Step> = kept
            .iter()
            .map(|step| {
                let mut step = (*step).clone();
                step.step = number(step.step);
                step.after_ms -= first;
                for reference in &mut step.refers {
                    reference.step = number(reference.step);
                }
                step
            })
            .collect();
        let began = instant::rfc3339(&self.began).unwrap_or(0);
        let mut bundle = Self {
            steps,
            began: file::rfc3339(began + first as i64 * 1_000),
            asserts: Asserts {
                step: number(self.asserts.step),
                says: self.asserts.says.clone(),
            },
            ..self.clone()
        };
        bundle.needs = needs::of(&bundle);
        bundle
    }

    /// Places of the steps without which the asserted one makes no sense: what it names and what names they name, and the
    /// boots before them.
    pub fn closure(&self) -> Vec<usize> {
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> = (self.steps.iter())
            .position(|step| step.step == self.asserts.step)
            .into_iter()
            .collect();
        let ties = ties::of(self);
        while let Some(at) = open.pop() {
            if wanted.insert(at) {
                open.extend(&ties[at]);
            }
        }
        wanted.into_iter().collect()
    }
}

impl Step {
    /// What this backend answered.
    pub const fn answer_of(&self, leg: Leg) -> Option<&Answer> {
        match leg {
            Leg::Legacy => self.legacy.as_ref(),
            Leg::Candidate => self.candidate.as_ref(),
        }
    }
}

impl Answer {
    /// Whether nothing came.
    pub const fn is_silence(&self) -> bool {
        self.result.is_none() && self.error.is_none()
    }

    /// The payload of the result; `{}` if there is none.
    pub fn payload(&self) -> &str {
        self.result.as_ref().map_or("{}", |result| result.get())
    }

    /// The message that answers the CALL `id`; none for silence.
    pub fn text(&self, id: &str) -> Option<String> {
        let id = serde_json::Value::from(id);
        if let Some(error) = &self.error {
            let code = serde_json::Value::from(error.code.as_str());
            let description = serde_json::Value::from(error.description.as_str());
            return Some(format!("[4,{id},{code},{description},{{}}]"));
        }
        let result = self.result.as_ref()?;
        Some(format!("[3,{id},{result}]"))
    }
}

impl By {
    /// The backend that commands; none for the charger.
    pub const fn leg(self) -> Option<Leg> {
        match self {
            Self::Charger => None,
            Self::Legacy => Some(Leg::Legacy),
            Self::Candidate => Some(Leg::Candidate),
        }
    }
}
