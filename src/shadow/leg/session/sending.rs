//! Sending: what may go goes, translated; what may not stays, and both are recorded.

use serde::Serialize;
use tokio::time::Instant;

use super::Session;
use crate::clock::{Clock, Micros};
use crate::facts::{Dir, Kind};
use crate::ocpp::{Class, Envelope};
use crate::shadow::exchanges::Taught;
use crate::shadow::queue::{Call, Gate, Mirrored, Queue, Synthetic, Traffic};
use crate::shadow::socket::SocketEnd;
use crate::shadow::solicited::{self, SIDE_EFFECT, SOLICITED};
use crate::shadow::translate::{self, Plan, Rewrite, Translated};

/// The note of a `ShadowSent`.
#[derive(Default, Serialize)]
struct Sent<'a> {
    id: &'a str,
    action: &'a str,
    queued_us: Micros,
    rewrites: &'a [Rewrite],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stripped: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sentinels: &'a [String],
    #[serde(skip_serializing_if = "is_not")]
    signed: bool,
    /// It was sent before, on a connection that ended before the answer.
    #[serde(skip_serializing_if = "is_not")]
    again: bool,
    /// How often the backend has failed it: then this is an emulated repeat.
    #[serde(skip_serializing_if = "is_none")]
    retry: u64,
    /// The authority's command that caused it.
    #[serde(skip_serializing_if = "is_none")]
    solicited: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    synthetic: Option<&'static str>,
    /// How long the backend has not accepted the charger, on a boot that tries again.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_accepted: Option<Dwell>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}

/// How long a backend has not accepted a charger that its authority has, or may have.
#[derive(Serialize)]
struct Dwell {
    status: &'static str,
    boots: u32,
    us: Micros,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_not(flag: &bool) -> bool {
    !*flag
}

impl Session<'_> {
    /// Sends until a CALL is outstanding or nothing may go.
    pub(super) async fn pump(&mut self) -> Result<(), SocketEnd> {
        self.note_asked();
        // While the charger may still introduce itself nothing else goes first.
        while self.prime_at.is_none() {
            match self.link.queue(Queue::next) {
                None => break,
                Some(Call::Synthetic(call)) => self.send_synthetic(&call).await?,
                Some(Call::Mirrored(call)) => {
                    if !self.send_mirrored(&call).await? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// A backend may ask before it accepts the charger; what it asked for does not wait then.
    fn note_asked(&self) {
        if self.link.queue(Queue::gate) != Gate::Pending {
            return;
        }
        let memory = self.link.memory.borrow();
        self.link
            .with_queue(|queue| queue.note_asked(|call| memory.asked_too(call.solicited)));
    }

    async fn send_synthetic(&mut self, call: &Synthetic) -> Result<(), SocketEnd> {
        self.write(&call.text).await?;
        let note = Sent {
            id: &call.id,
            action: &call.action,
            synthetic: Some(call.why),
            not_accepted: self.dwell(&call.action),
            ..Sent::default()
        };
        let fact = self
            .link
            .fact(Kind::ShadowSent, Some(Dir::FromCharger))
            .body(call.text.as_bytes())
            .note(&note);
        self.sent(self.link.common().recorder.record(fact));
        Ok(())
    }

    /// Sends or withholds the charger's next message; `false`: it waits for the recorder.
    async fn send_mirrored(&mut self, call: &Mirrored) -> Result<bool, SocketEnd> {
        if call.traffic == Traffic::Transaction && self.link.absorbs(call) {
            self.withhold("repeat");
            return Ok(true);
        }
        if let Some(why) = self.forbidden(call) {
            self.withhold(why);
            return Ok(true);
        }
        let plan = self.plan(&call.action, &call.text);
        let translated = match plan {
            Plan::Send(translated) => translated,
            Plan::Withhold(why) => {
                self.withhold(why);
                return Ok(true);
            }
        };
        if !translated.rewrites.is_empty() && !self.is_synced() {
            if self.park() > Instant::now() {
                return Ok(false);
            }
            self.parked_until = None;
            self.withhold(translate::UNMAPPED);
            return Ok(true);
        }
        self.parked_until = None;
        self.write(translated.text.as_deref().unwrap_or(&call.text))
            .await?;
        self.record_sent(call, &translated);
        Ok(true)
    }

    /// Why a message does not go although it could: it would make the backend act on the world, or only the authority asked
    /// for that.
    fn forbidden(&self, call: &Mirrored) -> Option<&'static str> {
        // Nearly every message ends here, unread.
        if !matches!(
            call.action.as_ref(),
            "SignCertificate" | "Get15118EVCertificate" | "DataTransfer"
        ) {
            return None;
        }
        let message = Envelope::parse(&call.text).ok()?;
        if !solicited::has_side_effect(&message) {
            return None;
        }
        let memory = self.link.memory.borrow();
        if call.solicited != 0 && !memory.asked_too(call.solicited) {
            return Some(SOLICITED);
        }
        (!self.link.common().settings.certificates).then_some(SIDE_EFFECT)
    }

    /// Lets the next message wait for the disk; returns until when.
    fn park(&mut self) -> Instant {
        let common = self.link.common();
        *self.parked_until.get_or_insert_with(|| {
            // Only now does somebody wait: most pairs are synced with the next group commit, long before they are used.
            common.recorder.urge();
            Instant::now() + common.settings.answer_timeout
        })
    }

    pub(super) fn plan(&self, action: &str, text: &str) -> Plan {
        if translate::is_plain(self.link.version, action) {
            return Plan::Send(Translated::default());
        }
        let Ok(call) = Envelope::parse(text) else {
            return Plan::Withhold(translate::UNMAPPED);
        };
        let memory = self.link.memory.borrow();
        match translate::plan(self.link.version, text, &call, &memory.relation) {
            Plan::Withhold(why) => Plan::Withhold(memory.reason(&call, why, self.link.has_gap())),
            plan @ Plan::Send(_) => plan,
        }
    }

    /// Whether every learned identifier is on disk: only then may a translated message leave.
    pub(super) fn is_synced(&self) -> bool {
        *self.committed.borrow() >= self.link.memory.borrow().barrier
    }

    fn withhold(&self, why: &'static str) {
        if let Some(Call::Mirrored(call)) = self.link.with_queue(Queue::skip) {
            self.link.withhold_one(&call.withheld(why));
        }
    }

    fn record_sent(&mut self, call: &Mirrored, translated: &Translated) {
        let note = Sent {
            id: &call.id,
            action: &call.action,
            queued_us: (Clock::system().now() - call.at).max(0),
            rewrites: &translated.rewrites,
            stripped: &translated.stripped,
            sentinels: &translated.sentinels,
            signed: translated.signed,
            again: call.again,
            retry: call.failed.into(),
            solicited: call.solicited,
            synthetic: None,
            not_accepted: self.dwell(&call.action),
        };
        let fact = self
            .link
            .fact(Kind::ShadowSent, Some(Dir::FromCharger))
            .because(call.seq)
            .note(&note);
        let seq = self.link.common().recorder.record(fact);
        self.sent(seq);
        if call.traffic == Traffic::Boot {
            self.link.set_booted(true);
        }
        self.note_transaction(call, seq.unwrap_or(0));
    }

    fn dwell(&self, action: &str) -> Option<Dwell> {
        if action != "BootNotification" {
            return None;
        }
        let unaccepted = self.link.memory.borrow().unaccepted?;
        Some(Dwell {
            status: unaccepted.status,
            boots: unaccepted.boots,
            us: (Clock::system().now() - unaccepted.since).max(0),
        })
    }

    fn sent(&mut self, seq: Option<u64>) {
        let now = Clock::system().now();
        self.link
            .with_queue(|queue| queue.sent(seq.unwrap_or(0), now));
        let limit = self.link.common().settings.answer_timeout;
        self.answer_by = self
            .link
            .queue(|queue| queue.outstanding().is_some())
            .then(|| Instant::now() + limit);
    }

    /// A 2.x transaction is the charger's own: the backend knows it by the same id once it was told of its start.
    fn note_transaction(&self, call: &Mirrored, sent: u64) {
        if !translate::is_transaction_event(self.link.version, &call.action) {
            return;
        }
        let Ok(message) = Envelope::parse(&call.text) else {
            return;
        };
        let Some(event) = translate::transaction_event(self.link.version, &message) else {
            return;
        };
        if event.starts {
            let id = event.transaction.clone();
            self.link.teach(Taught {
                pairs: vec![(Class::TransactionId, id.clone(), id)],
                cause: sent,
                repeat: false,
            });
        }
        if event.ends {
            let mut memory = self.link.memory.borrow_mut();
            memory.transaction_ended(&event.transaction);
        }
    }
}
