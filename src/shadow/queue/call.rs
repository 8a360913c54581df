//! What a queue holds: the charger's messages, and CALLs that the tap makes up.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::json;

use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind};
use crate::ocpp::{Envelope, MessageType, Version, actions};

/// What a waiting message costs beside its text, in bytes.
const OVERHEAD: usize = 128;

/// How a message is treated when the backend cannot take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// BootNotification: also passes while the backend has not accepted the charger.
    Boot,
    /// A transaction message: kept while the backend is away.
    Transaction,
    /// Any other CALL.
    Other,
    /// A SEND (OCPP 2.1): never answered, so never outstanding.
    Send,
}

impl Traffic {
    /// What a charger's CALL or SEND is.
    pub fn of(version: Version, call: &Envelope<'_>) -> Self {
        if call.kind == MessageType::Send {
            Self::Send
        } else if call.action == "BootNotification" {
            Self::Boot
        } else if actions::is_transactional(version, &call.action, call.payload) {
            Self::Transaction
        } else {
            Self::Other
        }
    }
}

/// A charger's message on its way to the shadow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// Its Message fact.
    pub seq: u64,
    /// When it came off the charger's socket.
    pub at: Micros,
    /// Message id.
    pub id: Box<str>,
    /// Action.
    pub action: Box<str>,
    /// The text as the charger sent it.
    pub text: Arc<str>,
    /// How it is treated.
    pub traffic: Traffic,
    /// It was sent before, on a connection that ended before the answer.
    pub again: bool,
    /// It waited while the charger had no connection.
    pub kept: bool,
    /// How often the backend has failed it, while repeats are emulated.
    pub failed: u8,
    /// The command of the authority's that caused it: its Message fact; 0 if none is known.
    pub solicited: u64,
    /// The backend sent that command too.
    pub asked: bool,
}

impl Mirrored {
    /// What it costs while it waits, in bytes.
    pub fn weight(&self) -> usize {
        self.text.len() + OVERHEAD
    }

    /// This message, given up.
    pub fn withheld(&self, why: &'static str) -> Withheld {
        Withheld {
            seq: self.seq,
            why,
            action: self.action.clone(),
            id: self.id.clone(),
            solicited: self.solicited,
            synthetic: None,
        }
    }
}

/// A CALL that the tap makes up in the charger's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    /// Message id, from the tap's reserved range.
    pub id: Box<str>,
    /// Action.
    pub action: Box<str>,
    /// The whole text.
    pub text: Box<str>,
    /// Why: `boot`, `status` or `trigger`.
    pub why: &'static str,
}

impl Synthetic {
    /// This CALL, given up.
    pub fn withheld(&self, why: &'static str) -> Withheld {
        Withheld {
            seq: 0,
            why,
            action: self.action.clone(),
            id: self.id.clone(),
            solicited: 0,
            synthetic: Some(self.why),
        }
    }
}

/// One CALL or SEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A copy of what the charger sent.
    Mirrored(Rc<Mirrored>),
    /// Made up by the tap.
    Synthetic(Synthetic),
}

impl Call {
    /// Message id.
    pub fn id(&self) -> &str {
        match self {
            Self::Mirrored(message) => &message.id,
            Self::Synthetic(call) => &call.id,
        }
    }

    /// Action.
    pub fn action(&self) -> &str {
        match self {
            Self::Mirrored(message) => &message.action,
            Self::Synthetic(call) => &call.action,
        }
    }

    /// The transaction message that this is, if it is one: what a charger sends again until it is answered.
    pub fn transaction(&self) -> Option<&Rc<Mirrored>> {
        match self {
            Self::Mirrored(message) if message.traffic == Traffic::Transaction => Some(message),
            _ => None,
        }
    }
}

/// A CALL that was sent and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// The CALL.
    pub call: Call,
    /// Its `ShadowSent` fact; 0 if the recorder had no room.
    pub sent: u64,
    /// When it was sent.
    pub at: Micros,
}

/// A message that will not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Its Message fact; 0 for one that the tap made up.
    pub seq: u64,
    /// Why not.
    pub why: &'static str,
    /// Action.
    pub action: Box<str>,
    /// Message id.
    pub id: Box<str>,
    /// See [`Mirrored::solicited`].
    pub solicited: u64,
    /// See [`Synthetic::why`].
    pub synthetic: Option<&'static str>,
}

impl Withheld {
    /// The fact that says so; charger and leg are still missing.
    pub fn fact(&self, at: Micros) -> Fact {
        let mut note = json!({"why": self.why, "action": self.action, "id": self.id});
        if self.solicited != 0 {
            note["solicited"] = json!(self.solicited);
        }
        if let Some(synthetic) = self.synthetic {
            note["synthetic"] = json!(synthetic);
        }
        Fact {
            dir: Some(Dir::FromCharger),
            ..Fact::new(Kind::ShadowWithheld, at)
        }
        .because(self.seq)
        .note(&note)
    }
}
