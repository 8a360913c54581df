//! What a gate says, as data: schema `evenkeel.gate/1`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::estate::decommission::Check;

/// Name and version of the form.
pub const SCHEMA: &str = "evenkeel.gate/1";

/// What a gate says of a group, or of the whole estate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The group; none for the whole estate.
    pub group: Option<String>,
    /// The worst blocking criterion.
    pub verdict: Verdict,
    /// How many exceptions and accepted findings it rests on.
    pub exceptions: u64,
    /// The verdict in words: `GO+2`.
    pub says: String,
    /// Where the group is on its way.
    pub stage: Stage,
    /// By when evidence was old, RFC 3339.
    pub as_of: String,
    /// Whether this look was fixed beforehand, so that bounds are exact.
    pub checkpoint: bool,
    /// The bounds hold with this chance, in per cent.
    pub confidence: f64,
    /// What was looked at.
    pub evidence: Looked,
    /// Criteria by result.
    pub counts: BTreeMap<Outcome, u64>,
    /// Why, in sentences.
    pub why: Vec<String>,
    /// What would make it GO.
    pub to_go: Vec<String>,
    /// How it is undone.
    pub undo: Undo,
    /// Who answers for it.
    pub people: People,
    /// The criteria, in the order of the gate.
    pub criteria: Vec<Weighed>,
    /// What people decided, oldest first.
    pub decisions: Vec<Told>,
    /// What stands between the group and the end of the legacy.
    pub decommission: Vec<Check>,
    /// What shadow traffic cannot prove, whatever the verdict.
    pub unproven: Vec<&'static str>,
}

/// What a gate looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// Chargers.
    pub chargers: u64,
    /// Their models.
    pub models: Vec<String>,
    /// Days with traffic.
    pub days: u64,
    /// Digest of the ledger.
    pub ledger: String,
    /// The last fact that was judged.
    pub judged: u64,
    /// The gate's name.
    pub gate: String,
    /// Hash of the gate file.
    pub gate_hash: String,
    /// Fingerprint of the rules.
    pub rules: String,
    /// The candidate's build; empty if unknown.
    pub build: String,
}

/// The worst blocking criterion, never an average.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    /// Everything that blocks is met, perhaps with exceptions.
    #[serde(rename = "GO")]
    Go,
    /// Something that blocks is not known.
    #[serde(rename = "HOLD")]
    Hold,
    /// Something that blocks has failed.
    #[serde(rename = "NO-GO")]
    NoGo,
    /// The group has moved, and something has failed for which it should come back.
    #[serde(rename = "ROLL BACK")]
    RollBack,
}

/// Where a group is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It is shadowed.
    Shadow,
    /// Somebody said that it stays for now.
    Held,
    /// The evidence was signed.
    Signed,
    /// It was decided that it moves.
    Going,
    /// It came back, and stays until somebody signs again.
    RolledBack,
}

/// What a criterion came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not hold, and somebody answers for that for now.
    Excepted,
    /// It does not block, and does not hold or is not known.
    Note,
    /// Too little is known.
    Missing,
    /// It does not hold.
    Failed,
}

/// The kinds of missing evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Nothing has tested it yet.
    NotExercised,
    /// Too little has.
    Thin,
    /// What has is old.
    Stale,
    /// What has could not be compared.
    NotComparable,
}

/// One criterion, weighed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Weighed {
    /// Its name.
    pub id: String,
    /// `charger`, `operations`, `data` or `rollback`.
    pub area: &'static str,
    /// A few words.
    pub title: String,
    /// What is counted.
    pub unit: String,
    /// Whether the verdict depends on it.
    pub blocking: bool,
    /// Whether a group that has moved should come back when it fails.
    pub rolls_back: bool,
    /// What is needed, in a few words.
    pub need: String,
    /// What was seen, in a few words.
    pub seen: String,
    /// Failures.
    pub failures: u64,
    /// Trials; µs where time is weighed.
    pub of: u64,
    /// Failures that somebody accepted.
    pub accepted: u64,
    /// The findings of those.
    pub acceptances: Vec<String>,
    /// What could not be compared, by reason.
    pub not_comparable: BTreeMap<String, u64>,
    /// The largest rate that the failures may still have; absent where they are no trials.
    pub bound: Option<f64>,
    /// What it came to.
    pub result: Outcome,
    /// What is missing, if something is.
    pub missing: Option<Missing>,
    /// Why, as a sentence fragment; empty if it is met.
    pub why: String,
    /// What would make it good; empty if it is.
    pub to_go: String,
    /// Since when: the last failure, or the first evidence.
    pub since: Option<String>,
    /// Trials by model; empty for an unknown one.
    pub models: BTreeMap<String, u64>,
    /// Findings or chargers that are to blame.
    pub blame: Vec<String>,
}

/// How a group comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Undo {
    /// The way; empty if nobody said.
    pub path: String,
    /// How long it takes, seconds.
    pub takes_s: Option<u64>,
    /// The day on which it was rehearsed; empty if it was not.
    pub rehearsed: String,
    /// From then on there is no way back, RFC 3339.
    pub point_of_no_return: Option<String>,
    /// When it must have begun, RFC 3339.
    pub last_safe_start: Option<String>,
    /// Sessions that are under way now.
    pub open_sessions: u64,
    /// What to do, one after another.
    pub steps: Vec<String>,
}

/// Who answers for a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct People {
    /// Its wave; empty if none is planned.
    pub wave: String,
    /// The wave's day.
    pub date: String,
    /// The wave's window.
    pub window: String,
    /// The role that signs off.
    pub sign_off: String,
    /// Who signed, if it holds.
    pub signed_by: Option<String>,
    /// Why a signature does not hold any more.
    pub lapsed: Option<String>,
    /// The role that decides.
    pub decision: String,
    /// The role that decides if that one cannot.
    pub deputy: String,
    /// Whom to tell, and when.
    pub communications: Vec<String>,
}

/// A decision as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The fact.
    pub fact: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What was decided.
    pub decided: &'static str,
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// The gate's verdict at that time.
    pub verdict: String,
    /// The criterion, of an exception.
    pub criterion: Option<String>,
    /// When an exception ends, RFC 3339.
    pub until: Option<String>,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Go => "GO",
            Self::Hold => "HOLD",
            Self::NoGo => "NO-GO",
            Self::RollBack => "ROLL BACK",
        }
    }
}

impl Stage {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Held => "held",
            Self::Signed => "signed",
            Self::Going => "going",
            Self::RolledBack => "rolled-back",
        }
    }
}

impl Outcome {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Excepted => "excepted",
            Self::Note => "note",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

impl Missing {
    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotExercised => "not exercised",
            Self::Thin => "thin",
            Self::Stale => "stale",
            Self::NotComparable => "not comparable",
        }
    }
}
