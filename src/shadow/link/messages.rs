//! What charger, authority and shadow say on a connection: mirrored, paired, and learned from.

use std::sync::Arc;

use super::Link;
use crate::clock::Micros;
use crate::facts::{Dir, Kind};
use crate::ocpp::identifiers::Part;
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, MessageType, Version};
use crate::shadow::commands::Real;
use crate::shadow::exchanges::{Called, Half, Reply, Taught};
use crate::shadow::memory::{Contradiction, Memory};
use crate::shadow::model::Heard;
use crate::shadow::queue::{Mirrored, Traffic, Withheld};
use crate::shadow::solicited;
use crate::shadow::translate::{self, answer_mints, mints};

impl Link {
    /// Lets the model hear a message, and records what a later run must hear again.
    fn hear(&self, dir: Dir, seq: u64, at: Micros, message: &Envelope<'_>) {
        let model = &mut self.memory.borrow_mut().model;
        let heard = Heard {
            conn: self.conn,
            seq,
            at,
        };
        if let Some(lesson) = model.hear(self.version, dir, heard, message) {
            self.record(Kind::ModelLearned, &lesson.note());
        }
    }

    /// Notes who waits for an answer.
    fn note(&self, dir: Dir, message: &Envelope<'_>) {
        let [charger, authority] = &mut self.state.borrow_mut().asked;
        let (own, other) = match dir {
            Dir::FromCharger => (charger, authority),
            Dir::ToCharger => (authority, charger),
        };
        match message.kind {
            MessageType::Call => own.called(&message.id),
            MessageType::CallResult | MessageType::CallError => other.answered(&message.id),
            MessageType::Send | MessageType::CallResultError => {}
        }
    }

    /// The charger sent a message.
    pub fn from_charger(&self, seq: u64, at: Micros, text: &Arc<str>) {
        let Ok(message) = Envelope::parse(text) else {
            self.withhold_one(&Withheld {
                seq,
                why: "unreadable",
                action: Box::default(),
                id: Box::default(),
                solicited: 0,
                synthetic: None,
            });
            return;
        };
        self.note(Dir::FromCharger, &message);
        self.hear(Dir::FromCharger, seq, at, &message);
        match message.kind {
            MessageType::Call | MessageType::Send => self.mirror(seq, at, text, &message),
            MessageType::CallResult | MessageType::CallError => self.charger_answered(&message),
            MessageType::CallResultError => {}
        }
    }

    fn charger_answered(&self, message: &Envelope<'_>) {
        let is_result = message.kind == MessageType::CallResult;
        let mut memory = self.memory.borrow_mut();
        if solicited::is_refusal(is_result.then_some(message.payload)) {
            memory.solicited.refused(self.conn, &message.id);
        }
        let Some(command) = memory.commands.charger_answered(self.conn, message) else {
            return;
        };
        if is_result {
            let obeyed = Real::read(message).is_some_and(|real| real.is_accepted());
            if obeyed && command.action.as_ref() == "SendLocalList" {
                let was_empty = memory.overlay.is_empty();
                memory.overlay.list_changed();
                self.note_overlay(&memory.overlay, was_empty, 0);
            }
        }
        // A command of the shadow's may be waiting for this.
        self.wake.notify_one();
    }

    fn mirror(&self, seq: u64, at: Micros, text: &Arc<str>, call: &Envelope<'_>) {
        let traffic = Traffic::of(self.version, call);
        let solicited = {
            let mut memory = self.memory.borrow_mut();
            if traffic != Traffic::Send
                && (traffic != Traffic::Other || answer_mints(self.version, &call.action))
            {
                memory.exchanges.called(Called::read(call, seq, self.conn));
            }
            let cause = memory.solicited.cause(self.version, call, at);
            cause.unwrap_or(0)
        };
        let message = Mirrored {
            seq,
            at,
            id: call.id.as_ref().into(),
            action: call.action.as_ref().into(),
            text: Arc::clone(text),
            traffic,
            again: false,
            kept: false,
            failed: 0,
            solicited,
            asked: false,
        };
        let total = self.common.settings.queue_bytes_total;
        let room = total.saturating_sub(self.common.queued.get());
        let withheld = self.with_queue(|queue| queue.push(message, room));
        self.withhold(withheld);
        self.wake.notify_one();
    }

    /// The authority sent a message.
    pub fn from_authority(&self, seq: u64, at: Micros, text: &str) {
        let Ok(message) = Envelope::parse(text) else {
            return;
        };
        self.note(Dir::ToCharger, &message);
        self.hear(Dir::ToCharger, seq, at, &message);
        match message.kind {
            MessageType::Call => {
                let mut memory = self.memory.borrow_mut();
                let when = (self.conn, seq, at);
                memory.solicited.commanded(self.version, &message, when);
                let when = (self.conn, at);
                let pairs = memory
                    .commands
                    .authority_called(self.version, &message, when);
                let taught = Taught {
                    pairs,
                    cause: seq,
                    repeat: false,
                };
                self.learn(&mut memory, taught);
            }
            MessageType::CallResult => self.authority_answered(seq, &message, true),
            MessageType::CallError => self.authority_answered(seq, &message, false),
            MessageType::Send | MessageType::CallResultError => {}
        }
    }

    fn authority_answered(&self, seq: u64, answer: &Envelope<'_>, is_result: bool) {
        let memory = &mut *self.memory.borrow_mut();
        let Some(action) = memory.exchanges.awaited(self.conn, &answer.id) else {
            return;
        };
        let half = if is_result {
            read_answer(self.version, action, answer.payload, seq)
        } else {
            Half::Failed
        };
        if let Half::Answered(reply) = &half {
            memory.assigned(&reply.minted);
        }
        let taught = memory
            .exchanges
            .authority_answered(self.conn, &answer.id, half);
        if let Some(taught) = taught {
            self.learn(memory, taught);
        }
    }

    /// The shadow answered a mirrored CALL; `fact` is its `ShadowReceived`.
    pub fn shadow_answered(&self, call: &Mirrored, answer: &Envelope<'_>, fact: u64) {
        if !self.memory.borrow().exchanges.holds(call.seq) {
            return;
        }
        let half = if answer.kind == MessageType::CallResult {
            read_answer(self.version, &call.action, answer.payload, fact)
        } else {
            Half::Failed
        };
        self.shadow_half(call.seq, half);
    }

    pub(super) fn shadow_half(&self, seq: u64, half: Half) {
        let memory = &mut *self.memory.borrow_mut();
        if let Some(taught) = memory.exchanges.shadow_answered(seq, half) {
            self.learn(memory, taught);
        }
    }

    /// Whether a waiting CALL repeats what the backend has already answered.
    pub fn absorbs(&self, call: &Mirrored) -> bool {
        let memory = &mut *self.memory.borrow_mut();
        let taught = memory.exchanges.absorb_repeat(call.seq);
        let absorbed = taught.is_some();
        if let Some(taught) = taught {
            self.learn(memory, taught);
        }
        absorbed
    }

    /// Learns identifiers that both backends' answers to one CALL taught.
    fn learn(&self, memory: &mut Memory, taught: Taught) {
        let contradiction = if taught.repeat {
            Contradiction::KeepsFirst
        } else {
            Contradiction::TakesLast
        };
        let about = self
            .fact(Kind::IdentifierLearned, None)
            .because(taught.cause);
        memory.learn(&self.common.recorder, &about, taught.pairs, contradiction);
    }

    /// Learns identifiers outside an exchange.
    pub fn teach(&self, taught: Taught) {
        self.learn(&mut self.memory.borrow_mut(), taught);
    }
}

/// What a CALLRESULT says that matters for pairing; `fact` is where it was seen.
pub fn read_answer(version: Version, action: &str, payload: &str, fact: u64) -> Half {
    let path = [Step::Key("idTagInfo"), Step::Key("status")];
    Half::Answered(Reply {
        minted: mints(version, action, Part::Response, payload),
        refused: translate::member_text(payload, &path)
            .is_some_and(|status| status != "\"Accepted\""),
        fact,
    })
}
