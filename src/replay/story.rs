//! One charger's connection told as facts, as a tap would have recorded it with legacy as the authority: what is played
//! is judged like what was seen.

use std::sync::Arc;

use serde_json::{Value, json};

use super::bundle::Charger;
use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Leg, Recorder};
use crate::live::handover::Opened;
use crate::ocpp::quirks::{Quirks, in_handshake, in_message};
use crate::ocpp::{Class, Version};
use crate::shadow::translate::Rewrite;

/// Facts in the making.
pub struct Story {
    teller: Teller,
    /// Connection epoch.
    conn: u64,
    charger: Arc<str>,
    version: Version,
    frames: [u64; 2],
}

/// Where facts go.
pub enum Teller {
    /// They are kept here, numbered from 1.
    Kept(Vec<Fact>),
    /// Into a recording, which numbers them.
    Recorded(Recorder),
}

/// A CALL of the charger's that was told: its own fact, and that of its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The charger's CALL.
    pub call: u64,
    /// Its copy.
    pub sent: u64,
}

impl Story {
    /// The charger connects, and legacy lets it in with this subprotocol.
    pub fn open(charger: &Charger, subprotocol: Option<&str>, at: Micros) -> Self {
        Self::begin(Teller::Kept(Vec::new()), 1, charger, subprotocol, at)
    }

    /// The same as connection `conn` of whoever tells.
    pub fn begin(
        teller: Teller,
        conn: u64,
        charger: &Charger,
        subprotocol: Option<&str>,
        at: Micros,
    ) -> Self {
        let mut story = Self {
            teller,
            conn,
            charger: Arc::from(charger.identity.as_str()),
            version: Version::from_number(&charger.version).unwrap_or(Version::V16),
            frames: [0, 0],
        };
        let opened = Opened {
            offered: charger.subprotocol.clone(),
            subprotocol: subprotocol.map(str::to_owned),
            ..Opened::of(&charger.identity, Leg::Legacy)
        };
        let fact = story.legacy(Kind::ConnOpened, Dir::FromCharger, at);
        let seq = story.push(fact.note(&opened));
        let odd = in_handshake(&charger.identity, charger.subprotocol.as_deref(), &[]);
        story.odd(odd, seq, at);
        story
    }

    /// The other backend lets it in.
    pub fn let_in(&mut self, subprotocol: Option<&str>, at: Micros) {
        let note = json!({"subprotocol": subprotocol, "status": 101, "elapsed_us": 0});
        let fact = self.candidate(Kind::ShadowOpened, Dir::ToCharger, at);
        self.push(fact.note(&note));
    }

    /// The other backend does not.
    pub fn refused(&mut self, note: &Value, at: Micros) {
        let fact = self.candidate(Kind::ShadowRefused, Dir::ToCharger, at);
        self.push(fact.note(note));
    }

    /// A CALL of the charger's, with legacy's identifiers, and what was changed in the copy.
    pub fn call(
        &mut self,
        (id, action): (&str, &str),
        text: &str,
        rewrites: &[Rewrite],
        at: Micros,
    ) -> Told {
        let call = self.message(Dir::FromCharger, text, at);
        self.odd(in_message(self.version, text), call, at);
        let note = json!({"id": id, "action": action, "rewrites": rewrites, "queued_us": 0});
        let fact = self.candidate(Kind::ShadowSent, Dir::FromCharger, at);
        let sent = self.push(fact.because(call).note(&note));
        Told { call, sent }
    }

    /// A message between the charger and legacy.
    pub fn message(&mut self, dir: Dir, text: &str, at: Micros) -> u64 {
        self.frames[dir.index()] += 1;
        let frame = self.frames[dir.index()];
        let fact = self.legacy(Kind::Message, dir, at).covering(frame, 1);
        self.push(fact.body(text))
    }

    /// The other backend's answer to a copy; or its command, with 0 for `sent`.
    pub fn answer(&mut self, sent: u64, text: &str, at: Micros) -> u64 {
        let fact = self.candidate(Kind::ShadowReceived, Dir::ToCharger, at);
        self.push(fact.because(sent).body(text))
    }

    /// The other backend gave no answer for so long, µs.
    pub fn silence(&mut self, sent: u64, action: &str, waited: Micros, at: Micros) {
        let note = json!({"action": action, "waited_us": waited});
        let fact = self.candidate(Kind::ShadowSilent, Dir::ToCharger, at);
        self.push(fact.because(sent).note(&note));
    }

    /// What the other backend's command was answered.
    pub fn obey(&mut self, command: u64, action: &str, text: &str, at: Micros) {
        let note = json!({"action": action, "source": "reuse", "waited_us": 0});
        let fact = self.candidate(Kind::ShadowAnswered, Dir::FromCharger, at);
        self.push(fact.because(command).body(text).note(&note));
    }

    /// Two identifiers mean the same.
    pub fn learn(&mut self, class: Class, legacy: &str, other: &str, cause: u64, at: Micros) {
        let note = json!({"class": class.word(), "authority": legacy, "shadow": other});
        let fact = self.candidate(Kind::IdentifierLearned, Dir::ToCharger, at);
        self.push(fact.because(cause).note(&note));
    }

    /// The other backend ended the connection.
    pub fn lost(&mut self, code: Option<u16>, at: Micros) {
        let note = json!({"why": "fin", "by": "backend", "code": code});
        let fact = self.candidate(Kind::ShadowClosed, Dir::ToCharger, at);
        self.push(fact.note(&note));
    }

    /// The charger leaves.
    pub fn leave(&mut self, at: Micros) {
        let note = json!({"by": "charger", "how": "fin", "flows": null, "seen": self.frames});
        let fact = self.legacy(Kind::ConnClosed, Dir::FromCharger, at);
        self.push(fact.note(&note));
        let note = json!({"why": "charger connection closed"});
        let fact = self.candidate(Kind::ShadowClosed, Dir::ToCharger, at);
        self.push(fact.note(&note));
    }

    /// All that was told and kept. Nothing follows: what still waits has had its time.
    pub fn end(mut self, at: Micros) -> Vec<Fact> {
        self.push(Fact::new(Kind::TapStopped, at));
        match self.teller {
            Teller::Kept(facts) => facts,
            Teller::Recorded(_) => Vec::new(),
        }
    }

    /// What the tap would have found odd about the fact `cause`.
    fn odd(&mut self, quirks: Quirks, cause: u64, at: Micros) {
        for quirk in quirks.iter() {
            let note = json!({"quirk": quirk.name(), "row": quirk.row(), "detail": ""});
            let fact = self.legacy(Kind::Quirk, Dir::FromCharger, at);
            self.push(fact.because(cause).note(&note));
        }
    }

    fn legacy(&self, kind: Kind, dir: Dir, at: Micros) -> Fact {
        Fact::new(kind, at)
            .on(&self.charger, self.conn)
            .via(Leg::Legacy, dir)
    }

    fn candidate(&self, kind: Kind, dir: Dir, at: Micros) -> Fact {
        Fact::new(kind, at)
            .on(&self.charger, self.conn)
            .via(Leg::Candidate, dir)
    }

    fn push(&mut self, mut fact: Fact) -> u64 {
        match &mut self.teller {
            Teller::Kept(facts) => {
                fact.seq = facts.len() as u64 + 1;
                let seq = fact.seq;
                facts.push(fact);
                seq
            }
            // What does not fit becomes a gap that the recorder tells of.
            Teller::Recorded(recorder) => recorder.record(fact).unwrap_or(0),
        }
    }
}
