//! From parts of frames to messages: what a backend would have understood, read from a copy.
//!
//! A pure state machine per connection: no I/O, no clock, no panic on any bytes. Every frame lies in exactly one
//! observed thing, so that the accounting closes whatever a charger sends.

use serde_json::json;
use std::sync::Arc;

use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Leg};
use crate::live::handover::{Gap, Lost, Part};
use crate::ocpp::Version;
use crate::ocpp::quirks::{self, Quirks};

mod half;
pub(super) mod header;
mod inflate;
#[cfg(test)]
mod tests;

use half::Half;

/// How many bytes of one message are kept by default.
pub const CAPTURE: usize = 1 << 20;

/// Something seen on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Direction.
    pub dir: Dir,
    /// When its last bytes came, µs since the epoch.
    pub at: Micros,
    /// The last frame it covers; 0 if none.
    pub frame: u64,
    /// How many frames it accounts for.
    pub frames: u64,
    /// What it is.
    pub what: What,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A whole text message of JSON, or an empty one.
    Message {
        /// The text, inflated if need be.
        text: String,
        /// It was compressed on the wire.
        deflated: bool,
    },
    /// A ping, pong or close.
    Control {
        /// `ping`, `pong` or `close`.
        op: &'static str,
        /// The payload.
        payload: Vec<u8>,
    },
    /// Frames that could not be understood.
    Opaque {
        /// Why.
        why: &'static str,
        /// Payload bytes on the wire, as declared.
        len: u64,
        /// Payload bytes that were kept.
        body: Vec<u8>,
    },
    /// Frames that were not handed over.
    Gap {
        /// Why.
        why: String,
        /// The first frame lost.
        first: u64,
        /// Wire bytes lost, as far as known.
        bytes: u64,
    },
    /// Something odd: its name and detail. Covers no frame.
    Quirk(&'static str, String),
}

/// Reads along one connection.
#[derive(Debug)]
pub struct Observer {
    halves: [Half; 2],
}

impl Observer {
    /// An observer for a connection whose authority accepted `extensions`. `seen` frames per direction are accounted
    /// elsewhere; of each message `capture` bytes are kept.
    pub fn new(extensions: Option<&str>, seen: [u64; 2], capture: usize) -> Self {
        let half = |dir: Dir| Half::new(dir, extensions, seen[dir.index()], capture);
        Self {
            halves: Dir::BOTH.map(half),
        }
    }

    /// Frames per direction that were begun, or lie in gaps.
    pub fn begun(&self) -> [u64; 2] {
        [self.halves[0].begun(), self.halves[1].begun()]
    }

    /// Takes bytes of a frame.
    pub fn part(&mut self, part: &Part<'_>, out: &mut Vec<Observed>) {
        self.halves[part.dir.index()].part(part, out);
    }

    /// Takes a gap in one direction.
    pub fn gap(&mut self, dir: Dir, gap: &Gap, at: Micros, out: &mut Vec<Observed>) {
        self.halves[dir.index()].gap(gap, at, out);
    }

    /// Stops observing one direction: its frame boundaries are lost.
    pub fn lost(&mut self, dir: Dir, lost: &Lost, at: Micros, out: &mut Vec<Observed>) {
        self.halves[dir.index()].lose_track(lost, at, out);
    }

    /// Accounts for everything under way: the connection ended, after `totals` frames if that is known.
    pub fn end(&mut self, totals: Option<[u64; 2]>, out: &mut Vec<Observed>) {
        for (index, half) in self.halves.iter_mut().enumerate() {
            half.end(totals.map(|totals| totals[index]), out);
        }
    }
}

impl What {
    /// What is odd about it, if a charger sent it.
    pub fn quirks(&self, version: Version) -> Quirks {
        match self {
            Self::Message { text, .. } => quirks::in_message(version, text),
            Self::Opaque { why, body, .. } => quirks::in_frames(why, body),
            Self::Control { .. } | Self::Gap { .. } | Self::Quirk(..) => Quirks::default(),
        }
    }
}

impl Observed {
    /// The fact of it, and the text if it is a message.
    pub fn into_fact(self, charger: &Arc<str>, conn: u64, authority: Leg) -> Fact {
        let (kind, body, note) = match self.what {
            What::Message { text, deflated } => {
                let note = message_note(&text, self.frames, deflated);
                (Kind::Message, text.into_bytes(), note)
            }
            What::Control { op, payload } => (Kind::Control, payload, Some(json!({"op": op}))),
            What::Opaque { why, len, body } => {
                (Kind::Opaque, body, Some(json!({"why": why, "len": len})))
            }
            What::Gap { why, first, bytes } => {
                let note = json!({"why": why, "first": first, "last": self.frame, "bytes": bytes});
                (Kind::Gap, Vec::new(), Some(note))
            }
            What::Quirk(quirk, detail) => {
                let note = json!({"quirk": quirk, "detail": detail});
                (Kind::Quirk, Vec::new(), Some(note))
            }
        };
        let fact = Fact::new(kind, self.at)
            .on(charger, conn)
            .via(authority, self.dir)
            .covering(self.frame, self.frames)
            .body(body);
        match note {
            Some(note) => fact.note(&note),
            None => fact,
        }
    }
}

/// Most messages are one plain frame and need no note.
fn message_note(text: &str, frames: u64, deflated: bool) -> Option<serde_json::Value> {
    let mut note = serde_json::Map::new();
    if frames > 1 {
        note.insert("fragments".to_owned(), json!(frames));
    }
    if deflated {
        note.insert("deflated".to_owned(), json!(true));
    }
    if text.is_empty() {
        note.insert("quirk".to_owned(), json!("empty"));
    }
    (!note.is_empty()).then_some(serde_json::Value::Object(note))
}
