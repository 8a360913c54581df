//! What the backend answers to the charger's CALLs, in time, late or not at all.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Session;
use crate::facts::{Dir, Kind};
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, MessageType};
use crate::shadow::queue::{Call, Mirrored, Outstanding, Queue};
use crate::shadow::{retries, translate};

/// How many unanswered CALLs are remembered, to recognise a late answer.
const LATE: usize = 16;

/// A CALL whose answer did not come in time.
pub(super) struct Late {
    call: Call,
    sent: u64,
}

impl Session<'_> {
    /// The outstanding CALL got no answer in time.
    pub(super) fn give_up_answer(&mut self) {
        self.answer_by = None;
        let Some(lost) = self.link.with_queue(Queue::expired) else {
            return;
        };
        if let Some(repeat) = self.repeats(&lost.call) {
            self.link.silent(&lost, None, true);
            self.rest(&repeat);
            return;
        }
        self.link.silent(&lost, None, false);
        if self.late.len() >= LATE {
            self.late.pop_front();
        }
        self.late.push_back(Late {
            call: lost.call,
            sent: lost.sent,
        });
    }

    /// The backend answered something.
    pub(super) fn answered(&mut self, text: &str, answer: &Envelope<'_>) {
        let in_time = self.link.with_queue(|queue| queue.answered(&answer.id));
        if let Some(Outstanding { call, sent, .. }) = in_time {
            self.answer_by = None;
            if answer.kind == MessageType::CallError
                && let Some(repeat) = self.repeats(&call)
            {
                self.recorded(sent, text.as_bytes(), None, true);
                self.rest(&repeat);
                return;
            }
            let fact = self.received(sent, text.as_bytes(), None);
            self.digest(&call, answer, fact);
            return;
        }
        let late = self
            .late
            .iter()
            .position(|late| late.call.id() == answer.id)
            .and_then(|at| self.late.remove(at));
        if let Some(Late { call, sent }) = late {
            let fact = self.received(sent, text.as_bytes(), Some("late answer"));
            self.digest(&call, answer, fact);
        } else {
            self.unasked();
            self.received(0, text.as_bytes(), Some("answer to nothing"));
        }
    }

    /// The transaction message that a charger would repeat now that the backend has failed it, and how long it would wait:
    /// only if the authority has answered, else the charger repeats it itself.
    fn repeats(&self, call: &Call) -> Option<(Rc<Mirrored>, Duration)> {
        let message = call.transaction()?;
        if !self.link.common().settings.retries {
            return None;
        }
        let memory = self.link.memory.borrow();
        if !memory.exchanges.is_answered(message.seq) {
            return None;
        }
        let failed = message.failed.saturating_add(1);
        let wait = retries::wait(self.link.version, &memory.model, failed)?;
        Some((Rc::clone(message), wait))
    }

    fn rest(&mut self, (message, wait): &(Rc<Mirrored>, Duration)) {
        self.link.with_queue(|queue| queue.rest(message));
        self.retry_at = Some(Instant::now() + *wait);
    }

    /// Records what the backend sent.
    pub(super) fn received(&self, cause: u64, body: &[u8], quirk: Option<&str>) -> u64 {
        self.recorded(cause, body, quirk, false)
    }

    fn recorded(&self, cause: u64, body: &[u8], quirk: Option<&str>, retry: bool) -> u64 {
        let mut note = Map::new();
        if let Some(quirk) = quirk {
            note.insert("quirk".to_owned(), json!(quirk));
        }
        if retry {
            note.insert("retry".to_owned(), json!(true));
        }
        let mut fact = self
            .link
            .fact(Kind::ShadowReceived, Some(Dir::ToCharger))
            .because(cause)
            .body(body);
        if !note.is_empty() {
            fact = fact.note(&Value::Object(note));
        }
        self.link.common().recorder.record(fact).unwrap_or(0)
    }

    fn digest(&mut self, call: &Call, answer: &Envelope<'_>, fact: u64) {
        if call.action() == "BootNotification" {
            self.boot_answered(answer);
        }
        let Call::Mirrored(call) = call else { return };
        self.link.shadow_answered(call, answer, fact);
        if call.action.as_ref() == "StopTransaction"
            && let Ok(stop) = Envelope::parse(&call.text)
            && let Some(id) = translate::member_text(stop.payload, &[Step::Key("transactionId")])
        {
            self.link.memory.borrow_mut().transaction_ended(id);
        }
    }
}
