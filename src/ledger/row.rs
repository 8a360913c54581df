//! Ledger rows: what the judge concludes, as plain owned data.
//!
//! The canonical serialisation of a row is its JSON with fields in declaration order; the ledger's digest is taken over
//! it, so a field added, renamed or moved changes every digest.

mod estate;
mod life;
mod session;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::ocpp::Severity;
pub use estate::{
    Criticality, Decided, Decision, EVERYBODY, Estate, Evidence, Exception, GateFile, Group,
    Listed, Member, UNGROUPED, Wave, Word,
};
pub use life::{Build, Standing, State, Unstable};
pub use session::{Book, Check, Session};

/// One conclusion of the judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// A charger's CALL has been judged.
    Exchange(Exchange),
    /// A command of either backend has been judged.
    Command(Command),
    /// A shadow handshake has been judged.
    Handshake(Handshake),
    /// A session, as far as it is known; a later row of the same identity replaces it.
    Session(Box<Session>),
    /// One judged difference of the exchange, command, handshake or session in the row before it.
    Divergence(Divergence),
    /// What a charger said about itself.
    Charger(Charger),
    /// Something odd was seen that no backend is to be blamed for.
    Quirk(QuirkSeen),
    /// A command of the shadow's has been answered in the charger's place.
    StandIn(StandIn),
    /// Which build of the candidate a run of the tap faced.
    Build(Build),
    /// What people have decided about a finding, or what has become of that; a later row of the same finding replaces it.
    Standing(Box<Standing>),
    /// What a monitor counted.
    Sample(Sample),
    /// What the operator says about the estate, with the group of each charger that is listed; a later row replaces it, and
    /// every [`Row::Member`] before it.
    Estate(Box<Estate>),
    /// Which group a charger that was seen belongs to; a later row of the same charger replaces it.
    Member(Member),
    /// The criteria of the gate; a later row replaces it.
    Gate(Box<GateFile>),
    /// What people decided about a group.
    Decision(Box<Decision>),
}

/// What came out of an exchange, command or handshake. `pending` is the absence of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No difference.
    Equal,
    /// Differences, all of them explained by rules.
    Explained,
    /// At least one unexplained difference.
    Divergent,
    /// No comparison was possible; there is a [`Reason`].
    NotComparable,
}

/// Why something is not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It could not be delivered, observed or paired.
    ShadowGap,
    /// It refers to state from before the recording.
    ColdStart,
    /// It follows a root divergence.
    Tainted,
    /// The charger sent it because the authority asked.
    Solicited,
    /// The tap made it up; or a command may follow from what the tap made up, which the other backend was not told.
    Synthetic,
    /// It depends on a simulated charger state.
    Simulated,
    /// Its content cannot be read.
    Opaque,
    /// Both backends failed.
    BothFailed,
    /// The connection ended before the authority answered.
    Unanswered,
    /// The charger repeated what only the authority had not answered; a charger of the shadow would not have.
    Repeat,
    /// A backend's record of the session has not been read.
    NoRecord,
    /// No charger told of the session that a backend has.
    NoWire,
    /// A record fits several sessions.
    Ambiguous,
    /// More records waited for their session, or commands for their twin, than are kept: this one was given up.
    TooMany,
    /// The mediator put other names into it, or kept it back: what came of it is not the backends' doing alone.
    Mediated,
    /// Its charger changed hands then: what one backend had begun, the other may have gone on with.
    Switched,
}

/// A charger's CALL with both answers. Its identity is the sequence number of the CALL's fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Sequence number of the CALL (of the `ShadowSent` for a synthetic one).
    pub id: u64,
    /// When the charger sent it, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// OCPP version number.
    pub version: Cow<'static, str>,
    /// The action; empty if it cannot be read.
    pub action: String,
    /// The authority's name: `legacy` or `candidate`.
    pub authority: Cow<'static, str>,
    /// What came out.
    pub outcome: Outcome,
    /// Why not comparable.
    pub reason: Option<Reason>,
    /// The root finding, when tainted.
    pub root: Option<String>,
    /// Worst severity, when divergent.
    pub severity: Option<Severity>,
    /// Rules that explained a difference.
    pub rules: Vec<String>,
    /// Sequence number of the authority's answer; 0 if none.
    pub answer: u64,
    /// Sequence number of the `ShadowSent`; 0 if none.
    pub sent: u64,
    /// Sequence number of the shadow's answer; 0 if none.
    pub shadow: u64,
    /// From CALL to the authority's answer, µs.
    pub authority_us: Option<i64>,
    /// From the mirrored copy to the shadow's answer, µs.
    pub shadow_us: Option<i64>,
    /// How long the mirrored copy waited in the tap, µs.
    pub queue_us: Option<i64>,
}

/// A command of one backend, with the other's equivalent if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Sequence number of the authority's command, or of the shadow's when the authority has none.
    pub id: u64,
    /// When it was sent, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// OCPP version number.
    pub version: Cow<'static, str>,
    /// The action.
    pub action: String,
    /// The authority's name.
    pub authority: Cow<'static, str>,
    /// What came out.
    pub outcome: Outcome,
    /// Why not comparable.
    pub reason: Option<Reason>,
    /// Worst severity, when divergent.
    pub severity: Option<Severity>,
    /// Rules that explained a difference.
    pub rules: Vec<String>,
    /// Sequence number of the authority's command; 0 if none.
    pub ours: u64,
    /// Sequence number of the shadow's command; 0 if none.
    pub theirs: u64,
    /// How much later the shadow's command came, µs.
    pub lag_us: Option<i64>,
    /// `matched`, `different` or `late`; `missing` or `extra` on the candidate; empty if that cannot be said.
    pub verdict: Cow<'static, str>,
    /// What the authority was told last before its command.
    pub ours_after: Option<Trigger>,
    /// What the shadow was told last before its command.
    pub theirs_after: Option<Trigger>,
}

/// What a backend was told last before it sent a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The charger's message by its action, with the word that tells it from others (`StatusNotification Faulted`), or
    /// `connect`.
    pub what: String,
    /// Sequence number of the charger's message, or of its connection; 0 for what the tap made up.
    pub fact: u64,
    /// How long before the command that leg was told, µs.
    pub delay_us: i64,
}

/// A shadow handshake, compared with the one that the authority accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// Sequence number of the `ShadowOpened` or `ShadowRefused`.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// The authority's name.
    pub authority: Cow<'static, str>,
    /// What came out.
    pub outcome: Outcome,
    /// Why not comparable.
    pub reason: Option<Reason>,
    /// Worst severity, when divergent.
    pub severity: Option<Severity>,
    /// The shadow's HTTP status, if it answered.
    pub status: Option<u16>,
    /// What happened, in words.
    pub why: String,
}

/// One judged difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Finding id: `F-` and eight characters.
    pub finding: String,
    /// What it is a difference of.
    pub subject: Subject,
    /// Identity of the subject.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// The charger's model, as far as known.
    pub model: String,
    /// The charger's firmware, as far as known.
    pub firmware: String,
    /// The rule that decided.
    pub rule: String,
    /// The rule's reason.
    pub reason: String,
    /// Direction word of what differs.
    pub direction: String,
    /// The action; empty for a handshake.
    pub action: String,
    /// JSON pointer with `*` for array indexes; empty for the whole.
    pub path: String,
    /// JSON pointer into this subject's texts.
    pub pointer: String,
    /// Kind of difference: `value`, `type`, `missing`, ...
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// Value class on legacy.
    pub legacy: String,
    /// Value class on the candidate.
    pub candidate: String,
    /// A sentence.
    pub title: String,
    /// Row of the charger's quirk that it is rooted in, if it is.
    pub quirk: Option<u8>,
    /// Legacy's own answers to this request, if they vary at this place.
    pub unstable: Option<Unstable>,
    /// The run of the tap: sequence number of its start.
    pub run: u64,
    /// How many of its kind and action were comparable up to here, this one included; 0 if that is not counted.
    pub exposed: u64,
}

/// A quirk, seen once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuirkSeen {
    /// Its row in the catalogue, [`crate::ocpp::quirks`].
    pub row: u8,
    /// Sequence number of the fact that shows it.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Word of the backend whose doing it is; empty if it is the charger's.
    pub leg: String,
    /// A word more, of few: an action; empty if there is none.
    pub detail: String,
}

/// What a divergence is a difference of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// An exchange.
    Exchange,
    /// A command.
    Command,
    /// A handshake.
    Handshake,
    /// A session.
    Session,
}

/// What a charger said about itself in its last BootNotification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charger {
    /// The charger.
    pub charger: String,
    /// Vendor name.
    pub vendor: String,
    /// Model name.
    pub model: String,
    /// Firmware version.
    pub firmware: String,
    /// Sequence number of the message that said so first.
    pub since: u64,
}

/// What a monitor counted within one hour on chargers of one model. Samples with the same names add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When the hour began, µs.
    pub hour: Micros,
    /// The group of chargers.
    pub group: Cow<'static, str>,
    /// The chargers' model; empty if they have not told it.
    pub model: String,
    /// The monitor.
    pub monitor: Cow<'static, str>,
    /// `legacy` or `candidate`; empty for what chargers did.
    pub leg: Cow<'static, str>,
    /// What was counted.
    pub what: Cow<'static, str>,
    /// A word more, of few; empty if there is none.
    pub detail: Cow<'static, str>,
    /// The bucket of a measured value, for percentiles; none for what was only counted.
    pub bucket: Option<u32>,
    /// How many, or how many µs of a time.
    pub count: u64,
}

/// A command of the shadow's, answered in the charger's place. Whether the authority sent the same is in the [`Command`] whose
/// `theirs` is this one's `id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Sequence number of the command.
    pub id: u64,
    /// When it came, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// OCPP version number.
    pub version: Cow<'static, str>,
    /// The shadow's name.
    pub sender: Cow<'static, str>,
    /// The action.
    pub action: String,
    /// Where the answer came from: `reuse`, `model`, ...; `unanswered` when the leg ended first.
    pub source: String,
    /// Sequence number of the `ShadowAnswered`; 0 if none.
    pub answer: u64,
    /// A charger that obeyed would be another one afterwards.
    pub changes: bool,
    /// What it was about, as `name=value` after another.
    pub fields: String,
    /// Why an operator must hear of it, in words.
    pub notice: Option<Cow<'static, str>>,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [
        Self::Equal,
        Self::Explained,
        Self::Divergent,
        Self::NotComparable,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Explained => "explained",
            Self::Divergent => "divergent",
            Self::NotComparable => "not comparable",
        }
    }

    /// Whether it counts in a denominator.
    pub const fn is_comparable(self) -> bool {
        !matches!(self, Self::NotComparable)
    }
}

impl StandIn {
    /// Whether the charger would be another one had it heard the command.
    pub fn is_attempt(&self) -> bool {
        self.changes && self.source != "no-op"
    }
}

impl Reason {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ShadowGap => "shadow-gap",
            Self::ColdStart => "cold-start",
            Self::Tainted => "tainted",
            Self::Solicited => "solicited",
            Self::Synthetic => "synthetic",
            Self::Simulated => "simulated",
            Self::Opaque => "opaque",
            Self::BothFailed => "both-failed",
            Self::Unanswered => "unanswered",
            Self::Repeat => "repeat",
            Self::NoRecord => "no-record",
            Self::NoWire => "no-wire",
            Self::Ambiguous => "ambiguous",
            Self::TooMany => "too-many",
            Self::Mediated => "mediated",
            Self::Switched => "switched",
        }
    }
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Exchange,
        Self::Command,
        Self::Handshake,
        Self::Session,
    ];

    /// The reverse of [`Subject::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The word for one.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Command => "command",
            Self::Handshake => "handshake",
            Self::Session => "session",
        }
    }
}
