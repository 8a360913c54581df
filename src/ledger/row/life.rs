//! What findings go through: builds, legacy's own variance, and what people decide.

use serde::{Deserialize, Serialize};

use crate::clock::Micros;

/// How legacy's own answers to equal requests differ at one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unstable {
    /// Different values.
    pub values: u32,
    /// Equal requests so far.
    pub requests: u32,
}

/// Which build of the candidate a run of the tap faced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The run: sequence number of the `TapStarted`.
    pub run: u64,
    /// What the operator calls the build.
    pub build: String,
}

/// How a finding stands by the last word of people and by what was seen since. A finding without one is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The finding.
    pub finding: String,
    /// Sequence number of the note that decided.
    pub id: u64,
    /// When it was decided, µs.
    pub at: Micros,
    /// How it stands now.
    pub state: State,
    /// Who answers for it; empty if nobody was named.
    pub owner: String,
    /// Why it was decided so; empty if nothing was said.
    pub reason: String,
    /// When an acceptance ends, µs.
    pub until: Option<Micros>,
    /// The models that an acceptance is for; empty for all.
    pub models: Vec<String>,
    /// How often it may be seen under an acceptance.
    pub at_most: Option<u64>,
    /// The build that is said to be free of it.
    pub build: Option<String>,
    /// Whether a fix is claimed of a build that has not been seen yet.
    pub awaited: bool,
    /// How many of its kind and action had been comparable when the decision began to hold.
    pub exposed: u64,
    /// What changed the state since the decision, in words; empty if nothing did.
    pub since: String,
}

/// Where a finding is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody has said anything about it.
    New,
    /// Somebody has it in hand.
    Known,
    /// It may be, for a while.
    Accepted,
    /// It is said to be gone.
    Fixed,
    /// It was said to be gone and is back.
    Regressed,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::Known,
        Self::Accepted,
        Self::Fixed,
        Self::Regressed,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
            Self::Accepted => "accepted",
            Self::Fixed => "fixed",
            Self::Regressed => "regressed",
        }
    }

    /// The reverse of [`State::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}
