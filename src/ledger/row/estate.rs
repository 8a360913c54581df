//! The estate as its operator describes it, and what people decide about its groups.

use serde::{Deserialize, Serialize};

use crate::clock::Micros;

/// The group of every charger while no groups are configured, and of what is about the tap as a whole.
pub const EVERYBODY: &str = "all";

/// The group of chargers that no group takes, where groups are configured.
pub const UNGROUPED: &str = "(ungrouped)";

/// What the operator says about the estate: the body of an `EstateLoaded` fact, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Estate {
    /// Groups, in the order in which they are tried.
    pub groups: Vec<Group>,
    /// Waves, in their order.
    pub waves: Vec<Wave>,
    /// Chargers that are known by name, in the order of their names.
    pub chargers: Vec<Listed>,
}

/// Chargers that move together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The wave that it moves in; empty if none is planned.
    pub wave: String,
    /// Chargers that belong to it unless they are listed elsewhere: names in which `*` stands for any text and `?` for one
    /// character.
    pub patterns: Vec<String>,
    /// How it comes back: `tap`, `url-swap` or other words; empty if nobody said.
    pub rollback: String,
    /// How long that takes, seconds.
    pub rollback_s: Option<u64>,
    /// The day on which that was rehearsed, `YYYY-MM-DD`; empty if it was not.
    pub rehearsed: String,
}

/// Groups that move on one day, and who answers for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// From when to when, in the operator's words; empty if nobody said.
    pub window: String,
    /// From then on there is no way back, µs.
    pub point_of_no_return: Option<Micros>,
    /// Who says that the evidence is good enough.
    pub sign_off: String,
    /// Who decides.
    pub decision: String,
    /// Who decides if that one cannot.
    pub deputy: String,
    /// How its groups come back, where they do not say it themselves.
    pub rollback: String,
    /// Whom to tell, and when, in the operator's words.
    pub communications: Vec<String>,
}

/// A charger as the operator lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listed {
    /// Its identity, as in its URL.
    pub charger: String,
    /// Its group; empty if a pattern of a group may take it.
    pub group: String,
    /// Where it stands.
    pub site: String,
    /// How much depends on it.
    pub criticality: Option<Criticality>,
    /// Whose it is.
    pub customer: String,
    /// What else of the legacy it needs: roaming, load management, a payment terminal.
    pub depends: Vec<String>,
}

/// How much depends on a charger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criticality {
    /// Nobody notices for a day.
    Low,
    /// Somebody minds.
    Medium,
    /// Somebody is stranded.
    High,
    /// A service stops: buses, ambulances.
    Critical,
}

/// A charger that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its identity.
    pub charger: String,
    /// Its group, [`UNGROUPED`], or [`EVERYBODY`] while there are no groups.
    pub group: String,
    /// OCPP version number of its last connection; empty if its opening was not seen.
    pub version: String,
    /// Sequence number of the fact that showed it first.
    pub since: u64,
}

/// The criteria of the gate, as they were loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFile {
    /// Sequence number of the fact.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The file.
    pub file: String,
    /// `sha256:` and 64 hexadecimal digits, of the text.
    pub hash: String,
    /// What it says.
    pub text: String,
}

/// What people decided about a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Sequence number of the fact.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// What was decided.
    pub decided: Decided,
}

/// What a decision says: the body of its fact, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decided {
    /// The group.
    pub group: String,
    /// What is decided.
    pub word: Word,
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// What it rests on.
    pub evidence: Evidence,
    /// What is excepted, of [`Word::Exception`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<Exception>,
}

/// What can be decided about a group.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// It moves to the candidate.
    Go,
    /// It stays where it is.
    #[default]
    Hold,
    /// It comes back to the legacy.
    RollBack,
    /// A criterion need not be met for a while.
    Exception,
    /// The evidence is good enough.
    SignOff,
}

/// What a decision rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Digest of the ledger, `sha256:` and 64 hexadecimal digits.
    pub ledger: String,
    /// The last fact that was judged by then.
    pub judged: u64,
    /// The gate's verdict in its word.
    pub verdict: String,
    /// SHA-256 of the gate's whole result as JSON.
    pub result: String,
    /// Hash of the gate file.
    pub gate: String,
    /// Fingerprint of the rules.
    pub rules: String,
    /// The candidate's build, if it is known.
    pub build: String,
}

/// What is excepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exception {
    /// The criterion.
    pub criterion: String,
    /// Who answers for it.
    pub owner: String,
    /// When it ends, µs.
    pub until: Micros,
    /// How many failures it covers.
    pub at_most: u64,
}

impl Estate {
    /// Whether nothing is said.
    pub const fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.waves.is_empty() && self.chargers.is_empty()
    }
}

impl Criticality {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The reverse of [`Criticality::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }
}

impl Word {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Go,
        Self::Hold,
        Self::RollBack,
        Self::Exception,
        Self::SignOff,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Hold => "hold",
            Self::RollBack => "roll-back",
            Self::Exception => "exception",
            Self::SignOff => "sign-off",
        }
    }

    /// The reverse of [`Word::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }
}
