//! The fact type: one observed thing. Everything downstream is a function of facts.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;

/// Which backend a fact is about. Legs are symmetric: either may be the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// The backend that runs the chargers today.
    Legacy,
    /// The backend that may take over.
    Candidate,
}

/// Which way a frame travels, seen from the charger. On a shadow leg the tap stands in the charger's place, so
/// `FromCharger` is what the tap sends to that backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dir {
    /// Charger to backend.
    FromCharger,
    /// Backend to charger.
    ToCharger,
}

/// What kind of thing was observed. The number is what the database stores: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The live plane started. Note: `{"run","version","legacy","candidate","authority","build"?,"legacy_build"?}`, the builds
    /// as the operator calls them.
    TapStarted = 1,
    /// The live plane stopped in order. Note: totals.
    TapStopped = 2,
    /// Time passed. Note: counters of both planes.
    Tick = 3,
    /// The shadow plane started (again). Note: `{"run","restart":bool}`.
    PlaneStarted = 4,
    /// A charger's handshake was accepted by its authority. Note: [`crate::live::handover::Opened`].
    ConnOpened = 10,
    /// The authority did not accept. Note: [`crate::live::handover::Refused`].
    ConnRefused = 11,
    /// A charger's connection ended. Note: [`crate::live::handover::Closed`]; when nobody could tell how it ended, `flows`
    /// is null and `seen` holds the frames per direction, if they are known.
    ConnClosed = 12,
    /// A whole text message between charger and authority. Body: the text.
    Message = 20,
    /// A control frame (ping, pong, close). Body: payload. Note: `{"op":"ping"}`.
    Control = 21,
    /// A message that is not text, not UTF-8, could not be inflated or was cut. Body: raw (at most the capture limit).
    /// Note: `{"why","len"}`.
    Opaque = 22,
    /// The shadow leg's handshake succeeded. Note: `{"subprotocol","status","elapsed_us"}`.
    ShadowOpened = 30,
    /// The shadow leg could not be opened. Note: `{"why","status"?,"subprotocol"?}`.
    ShadowRefused = 31,
    /// The shadow leg's connection ended. Note: `{"why","again"?,"kept"?}`: the message that goes again on the next one, and
    /// how many wait for the charger's return.
    ShadowClosed = 32,
    /// A message went to the shadow backend in the charger's place. `cause`: the mirrored message, or 0 when the tap
    /// made it up. Body: empty for a mirrored copy, the text for a synthetic one. Note: `{"id","action","rewrites":[...],
    /// "queued_us","synthetic"?:"why","again"?,"retry"?,"solicited"?,"not_accepted"?:{"status","boots","us"}}`; `solicited`:
    /// the authority's command that caused it.
    ShadowSent = 33,
    /// A message was kept from the shadow backend. `cause`: the message, or 0 when the tap made it up. Note: `{"why","action",
    /// "id","solicited"?,"synthetic"?:"why"}`.
    ShadowWithheld = 34,
    /// The shadow backend sent a message. `cause`: the `ShadowSent` it answers, or 0. Body: the text. Note: `{"quirk"?,
    /// "retry"?}`, `retry` when the CALL is repeated because of this answer.
    ShadowReceived = 35,
    /// The stand-in answered a command. `cause`: the `ShadowReceived`. Body: the text sent. Note: `{"action","source",
    /// "waited_us","model"?,"age_us"?,"missing"?}`: how and how long ago what it rests on was learned, or what would have
    /// to be known for a better answer.
    ShadowAnswered = 36,
    /// The shadow backend gave no answer in time. `cause`: the `ShadowSent`. Note: `{"action","waited_us","why"?,
    /// "retry"?}`.
    ShadowSilent = 37,
    /// A message passed the mediator with other names of its transactions. Note: `{"id","action","rewrites":[...]}`.
    Mediated = 38,
    /// An identifier pair was learned. Note: `{"class","authority","shadow","reused"?}`: the authority's identifier that the
    /// shadow's stood for before; `cause`: the `ShadowReceived` or message.
    IdentifierLearned = 40,
    /// Frames that were seen but not recorded. `frames`: how many. Note: `{"why","first","last","bytes"}`,
    /// and `facts` if the recorder itself had no room: then facts of shadow legs may be among them.
    Gap = 41,
    /// Something odd that must not be blamed on the candidate. Note: `{"quirk","row"?,"detail"}`;
    /// `row` is its place in the catalogue, [`crate::ocpp::quirks`]. `cause`: the message, frames or handshake.
    Quirk = 42,
    /// Something that the stand-in answers from was learned of a charger. Note: `{"part","version","from":[seq,...],"why"?}`:
    /// the messages that teach this part now, in place of those named before; none, and why, when it was forgotten.
    ModelLearned = 43,
    /// A session or CDR that was read from a backend. Body: the record. Note: [`crate::judge::records::Provenance`].
    BackendRecord = 50,
    /// A reader has been through what a backend has. Note: [`crate::judge::records::Sweep`].
    BackendRead = 51,
    /// A log of another program was read into the recording: what follows from it is marked with `imported`, its file and
    /// line. Note: `{"file","sha256","format","messages","bad","bad_lines","talk","untimed"}`.
    LogImported = 52,
    /// Rules were loaded. Note: `{"file","hash"}`.
    RulesLoaded = 60,
    /// A human decision about a group, in a [`crate::facts::chain`]. Body: [`crate::ledger::row::Decision`]. Note:
    /// `{"prev","hash"}`.
    Decision = 61,
    /// A human note on a finding, in a [`crate::facts::chain`]. Body: [`crate::judge::states::Note`]. Note: `{"prev","hash"}`.
    Triage = 62,
    /// A step of a switch, with one charger or as a whole. Note: [`crate::facts::authority::Change`].
    AuthorityChanged = 63,
    /// What the operator says about the estate. Body: [`crate::ledger::row::Estate`], in place of what was said before.
    /// Note: `{"chargers"?}`, the file that lists them.
    EstateLoaded = 64,
    /// The criteria of the gate were loaded. Body: the text of the file. Note: `{"file","hash"}`.
    GateLoaded = 65,
    /// The program that a decision ran has ended, or was ended, in a [`crate::facts::chain`]. Body: `{"decision","program",
    /// "exit","why","took_us","stdout","stderr"}`, the output cut and without control characters. Note: `{"prev","hash"}`.
    HookRan = 66,
    /// Somebody asked whose a pseudonym of a report is, in a [`crate::facts::chain`]. Body: `{"pseudonym","recipient","key","by",
    /// "found"}`, never the answer. Note: `{"prev","hash"}`.
    Revealed = 67,
}

/// One observed thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Position in the recording's total order, from 1. 0 until recorded.
    pub seq: u64,
    /// When it happened, µs since the Unix epoch, UTC.
    pub at: Micros,
    /// The charger's identity: raw last path segment, percent-encoding kept, bytes outside ASCII percent-encoded.
    /// Empty for facts about the whole tap.
    pub charger: Arc<str>,
    /// Connection epoch: unique per charger connection in a recording. 0 for facts about the whole tap.
    pub conn: u64,
    /// The backend it is about, if any.
    pub leg: Option<Leg>,
    /// Which way it travelled, if it did.
    pub dir: Option<Dir>,
    /// What it is.
    pub kind: Kind,
    /// Number of the last WebSocket frame it covers, counted from 1 per connection and direction. 0 if none.
    pub frame: u64,
    /// How many frames it accounts for: 1 for most messages, more for fragmented ones and gaps, 0 for non-frames.
    pub frames: u64,
    /// The fact that caused it; 0 if none.
    pub cause: u64,
    /// Raw bytes as seen.
    pub body: Vec<u8>,
    /// Small JSON; empty if none.
    pub note: String,
}

impl Fact {
    /// A fact about the whole tap.
    pub fn new(kind: Kind, at: Micros) -> Self {
        Self {
            seq: 0,
            at,
            charger: Arc::default(),
            conn: 0,
            leg: None,
            dir: None,
            kind,
            frame: 0,
            frames: 0,
            cause: 0,
            body: Vec::new(),
            note: String::new(),
        }
    }

    /// The same fact, about a charger's connection.
    #[must_use]
    pub fn on(mut self, charger: &Arc<str>, conn: u64) -> Self {
        self.charger = Arc::clone(charger);
        self.conn = conn;
        self
    }

    /// The same fact, with leg and direction.
    #[must_use]
    pub fn via(mut self, leg: Leg, dir: Dir) -> Self {
        self.leg = Some(leg);
        self.dir = Some(dir);
        self
    }

    /// The same fact, covering `frames` frames of which the last has number `frame`.
    #[must_use]
    pub fn covering(mut self, frame: u64, frames: u64) -> Self {
        self.frame = frame;
        self.frames = frames;
        self
    }

    /// The same fact, caused by another.
    #[must_use]
    pub fn because(mut self, cause: u64) -> Self {
        self.cause = cause;
        self
    }

    /// The same fact with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same fact with a note.
    #[must_use]
    pub fn note(mut self, note: &impl Serialize) -> Self {
        // Plain structs and JSON values always serialise; an empty note would be missed by whoever reads it.
        self.note = serde_json::to_string(note).unwrap_or_default();
        self
    }

    /// The body as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// The note as JSON; `null` when empty.
    pub fn note_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.note).unwrap_or(serde_json::Value::Null)
    }

    /// The direction whose frames it accounts for, if it does: frames between charger and authority, recorded or lost.
    pub fn accounts_for(&self) -> Option<Dir> {
        match self.kind {
            Kind::Message | Kind::Control | Kind::Opaque | Kind::Gap if self.frames > 0 => self.dir,
            _ => None,
        }
    }

    /// What the fact costs in memory, in bytes, for bounded queues.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.body.len() + self.note.len()
    }
}

impl Leg {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Candidate => "candidate",
        }
    }

    /// The reverse of [`Leg::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Legacy, Self::Candidate]
            .into_iter()
            .find(|leg| leg.word() == word)
    }

    /// The other backend.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Candidate,
            Self::Candidate => Self::Legacy,
        }
    }
}

impl Dir {
    /// Both directions.
    pub const BOTH: [Self; 2] = [Self::FromCharger, Self::ToCharger];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FromCharger => "from-charger",
            Self::ToCharger => "to-charger",
        }
    }

    /// The reverse of [`Dir::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|dir| dir.word() == word)
    }

    /// 0 for `FromCharger`, 1 for `ToCharger`: for arrays of two.
    pub const fn index(self) -> usize {
        match self {
            Self::FromCharger => 0,
            Self::ToCharger => 1,
        }
    }
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 34] = [
        Self::TapStarted,
        Self::TapStopped,
        Self::Tick,
        Self::PlaneStarted,
        Self::ConnOpened,
        Self::ConnRefused,
        Self::ConnClosed,
        Self::Message,
        Self::Control,
        Self::Opaque,
        Self::ShadowOpened,
        Self::ShadowRefused,
        Self::ShadowClosed,
        Self::ShadowSent,
        Self::ShadowWithheld,
        Self::ShadowReceived,
        Self::ShadowAnswered,
        Self::ShadowSilent,
        Self::Mediated,
        Self::IdentifierLearned,
        Self::Gap,
        Self::Quirk,
        Self::ModelLearned,
        Self::BackendRecord,
        Self::BackendRead,
        Self::LogImported,
        Self::RulesLoaded,
        Self::Decision,
        Self::Triage,
        Self::AuthorityChanged,
        Self::EstateLoaded,
        Self::GateLoaded,
        Self::HookRan,
        Self::Revealed,
    ];

    /// The number that the database stores.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reverse of [`Kind::number`].
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The word that exports use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TapStarted => "tap-started",
            Self::TapStopped => "tap-stopped",
            Self::Tick => "tick",
            Self::PlaneStarted => "plane-started",
            Self::ConnOpened => "connection-opened",
            Self::ConnRefused => "connection-refused",
            Self::ConnClosed => "connection-closed",
            Self::Message => "message",
            Self::Control => "control",
            Self::Opaque => "opaque",
            Self::ShadowOpened => "shadow-opened",
            Self::ShadowRefused => "shadow-refused",
            Self::ShadowClosed => "shadow-closed",
            Self::ShadowSent => "shadow-sent",
            Self::ShadowWithheld => "shadow-withheld",
            Self::ShadowReceived => "shadow-received",
            Self::ShadowAnswered => "shadow-answered",
            Self::ShadowSilent => "shadow-silent",
            Self::IdentifierLearned => "identifier-learned",
            Self::Gap => "gap",
            Self::Quirk => "quirk",
            Self::ModelLearned => "model-learned",
            Self::BackendRecord => "backend-record",
            Self::BackendRead => "backend-read",
            Self::LogImported => "log-imported",
            Self::RulesLoaded => "rules-loaded",
            Self::Decision => "decision",
            Self::Triage => "triage",
            Self::AuthorityChanged => "authority-changed",
            Self::EstateLoaded => "estate-loaded",
            Self::GateLoaded => "gate-loaded",
            Self::HookRan => "hook-ran",
            Self::Revealed => "revealed",
            Self::Mediated => "mediated",
        }
    }

    /// Whether losing it in a full queue is accounted by a gap fact: the frame traffic and what is odd about it. Everything else is rare and small
    /// and has a reserve of its own.
    pub const fn is_bulk(self) -> bool {
        matches!(
            self,
            Self::Message
                | Self::Control
                | Self::Opaque
                | Self::ShadowSent
                | Self::ShadowWithheld
                | Self::ShadowReceived
                | Self::ShadowAnswered
                | Self::Quirk
                | Self::Mediated
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
