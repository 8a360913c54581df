//! One connection to the shadow backend, from the open socket to its end.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::{Clock, Micros};
use crate::facts::{Dir, Kind};
use crate::ocpp::json::Step;
use crate::ocpp::{Class, Envelope, MessageType};
use crate::shadow::exchanges::Taught;
use crate::shadow::link::{Ending, Link};
use crate::shadow::pace::Allowance;
use crate::shadow::prime::{self, Decision, Ids, Moment};
use crate::shadow::queue::{Call, Gate, Mirrored, Outstanding, Queue, Synthetic, Traffic};
use crate::shadow::socket::{Incoming, Socket, SocketEnd};
use crate::shadow::stand_in::{self, Acceptance};
use crate::shadow::translate::{self, Plan, Rewrite, Translated};

mod commands;

use commands::Held;

/// How many unanswered CALLs are remembered, to recognise a late answer.
const LATE: usize = 16;

/// How long to wait before a BootNotification is repeated when the backend names no interval, and the bounds of what it
/// may name.
const BOOT_INTERVAL: Duration = Duration::from_mins(1);
const BOOT_INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// Why a session is over.
pub(super) enum End {
    /// The charger's connection ended.
    Charger(Ending),
    /// The backend's did.
    Backend(SocketEnd),
    /// The backend was told that the charger restarts.
    Restart,
}

/// A CALL whose answer did not come in time.
struct Late {
    call: Call,
    sent: u64,
}

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
    #[serde(skip_serializing_if = "Option::is_none")]
    synthetic: Option<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_not(flag: &bool) -> bool {
    !*flag
}

/// One connection to the backend.
pub(super) struct Session<'a> {
    link: &'a Link,
    socket: Socket,
    ids: &'a mut Ids,
    committed: watch::Receiver<u64>,
    allowance: Allowance,
    late: VecDeque<Late>,
    acceptance: Acceptance,
    /// The charger caused this connect.
    charger_caused: bool,
    /// Until when to wait for the charger's own boot; `None` once that is decided.
    prime_at: Option<Instant>,
    /// When to repeat the boot, while the backend has not accepted the charger.
    boot_at: Option<Instant>,
    /// When the outstanding CALL counts as unanswered.
    answer_by: Option<Instant>,
    /// Until when the next message may wait for its identifier to be synced.
    parked_until: Option<Instant>,
    /// Commands that wait for the authority's twin, oldest first.
    held: Vec<Held>,
    /// What operators have been told of already.
    noticed: VecDeque<String>,
    /// The backend was told that the charger restarts.
    restarts: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        link: &'a Link,
        socket: Socket,
        ids: &'a mut Ids,
        charger_caused: bool,
    ) -> Self {
        let settings = &link.common().settings;
        link.set_gate(Gate::Open);
        Self {
            socket,
            ids,
            committed: link.common().recorder.committed(),
            allowance: Allowance::new(settings.messages_per_second, settings.message_burst),
            late: VecDeque::new(),
            acceptance: Acceptance::Unknown,
            charger_caused,
            prime_at: Some(Instant::now() + settings.boot_grace),
            boot_at: None,
            answer_by: None,
            parked_until: None,
            held: Vec::new(),
            noticed: VecDeque::new(),
            restarts: false,
            link,
        }
    }

    /// The socket, to say goodbye. Nobody waits for an answer any more.
    pub(super) fn into_socket(self) -> Socket {
        let mut memory = self.link.memory.borrow_mut();
        for held in &self.held {
            memory.commands.waits(held.number(), false);
        }
        drop(memory);
        self.socket
    }

    /// Speaks to the backend until one of both ends.
    pub(super) async fn serve(&mut self) -> End {
        loop {
            // A charger that has left answers what it was asked, and waits for nothing more.
            let settled = self.settle_held().await;
            if let Some(ending) = self.link.ending() {
                return End::Charger(ending);
            }
            let done = match settled {
                Ok(()) if !self.restarts => self.step().await,
                settled => settled,
            };
            if let Err(end) = done {
                // The charger's end is the reason if it came while we were writing.
                return match self.link.ending() {
                    Some(ending) => End::Charger(ending),
                    None => End::Backend(end),
                };
            }
            if self.restarts {
                return End::Restart;
            }
        }
    }

    /// Sends what may go, then waits for one event.
    async fn step(&mut self) -> Result<(), SocketEnd> {
        self.prime();
        self.pump().await?;
        let pause = self.allowance.exhausted_until();
        let deadline = [
            self.prime_at,
            self.boot_at,
            self.answer_by,
            self.parked_until,
            self.link.drain_by(),
            self.held.iter().map(|held| held.until).min(),
            pause,
        ]
        .into_iter()
        .flatten()
        .min();
        let barrier = self.link.memory.borrow().barrier;
        let parked = self.parked_until.is_some();
        let incoming = select! {
            () = self.link.changed() => None,
            incoming = self.socket.recv(), if pause.is_none() => Some(incoming?),
            // A recorder that is gone syncs nothing: then the parking time decides.
            Ok(_) = self.committed.wait_for(|committed| *committed >= barrier), if parked => None,
            () = reached(deadline) => None,
        };
        self.on_time();
        match incoming {
            Some(incoming) => self.receive(incoming).await,
            None => Ok(()),
        }
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        if self.answer_by.is_some_and(|at| at <= now) {
            self.give_up_answer();
        }
        if self.boot_at.is_some_and(|at| at <= now) {
            self.boot_at = None;
            self.synthesise_boot("boot");
        }
    }

    fn give_up_answer(&mut self) {
        self.answer_by = None;
        let Some(lost) = self.link.with_queue(Queue::expired) else {
            return;
        };
        self.link.silent(&lost, None);
        if self.late.len() >= LATE {
            self.late.pop_front();
        }
        self.late.push_back(Late {
            call: lost.call,
            sent: lost.sent,
        });
    }

    /// Introduces the charger to the backend, if it does not do so itself.
    fn prime(&mut self) {
        let Some(at) = self.prime_at else { return };
        let decision = self.link.queue(|queue| {
            prime::decide(Moment {
                first: queue.front(),
                charger_caused: self.charger_caused,
                booted: self.link.booted(),
                waited: at <= Instant::now(),
            })
        });
        if decision == Decision::Wait {
            return;
        }
        self.prime_at = None;
        if decision == Decision::Now {
            self.synthesise_boot("boot");
            self.synthesise_statuses();
        }
    }

    fn synthesise_boot(&mut self, why: &'static str) {
        let boot = prime::boot(&self.link.memory.borrow().model, self.ids, why);
        if let Some(boot) = boot {
            let boot = self.after_restart(boot);
            self.link.with_queue(|queue| queue.push_synthetic(boot));
        }
    }

    fn synthesise_statuses(&mut self) {
        let statuses = prime::statuses(&self.link.memory.borrow().model, self.ids);
        self.link.with_queue(|queue| {
            for status in statuses {
                queue.push_synthetic(status);
            }
        });
    }

    /// Sends until a CALL is outstanding or nothing may go.
    async fn pump(&mut self) -> Result<(), SocketEnd> {
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

    async fn send_synthetic(&mut self, call: &Synthetic) -> Result<(), SocketEnd> {
        self.write(&call.text).await?;
        let note = Sent {
            id: &call.id,
            action: &call.action,
            synthetic: Some(call.why),
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

    /// Lets the next message wait for the disk; returns until when.
    fn park(&mut self) -> Instant {
        let common = self.link.common();
        *self.parked_until.get_or_insert_with(|| {
            // Only now does somebody wait: most pairs are synced with the next group commit, long before they are used.
            common.recorder.urge();
            Instant::now() + common.settings.answer_timeout
        })
    }

    fn plan(&self, action: &str, text: &str) -> Plan {
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
    fn is_synced(&self) -> bool {
        *self.committed.borrow() >= self.link.memory.borrow().barrier
    }

    fn withhold(&self, why: &'static str) {
        if let Some(Call::Mirrored(call)) = self.link.with_queue(Queue::skip) {
            self.link
                .withhold_one(call.seq, why, &call.action, &call.id);
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
            synthetic: None,
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

    /// Writes one message; the charger's end cuts it short.
    async fn write(&mut self, text: &str) -> Result<(), SocketEnd> {
        let limit = self.link.common().settings.answer_timeout;
        select! {
            biased;
            sent = self.socket.send(text, limit) => sent,
            _ = self.link.ended() => Err(SocketEnd::Lost("the charger's connection ended".into())),
        }
    }

    async fn receive(&mut self, incoming: Incoming) -> Result<(), SocketEnd> {
        let (body, odd) = match incoming {
            Incoming::Control => {
                self.unasked();
                return Ok(());
            }
            Incoming::Text(body) => (body, None),
            Incoming::Binary(body) => (body, Some("binary message")),
        };
        let text = std::str::from_utf8(&body).unwrap_or_default();
        match (odd, Envelope::parse(text)) {
            (None, Ok(message)) => match message.kind {
                MessageType::CallResult | MessageType::CallError => self.answered(text, &message),
                MessageType::Call => {
                    self.unasked();
                    return Box::pin(self.stand_in(text, &message)).await;
                }
                MessageType::Send | MessageType::CallResultError => {
                    self.unasked();
                    self.received(0, text.as_bytes(), None);
                }
            },
            (odd, _) => {
                self.unasked();
                self.received(0, &body, Some(odd.unwrap_or("unreadable message")));
            }
        }
        Ok(())
    }

    /// The backend said something that no CALL of ours asked for: that is what it may do only so often. Answers come at
    /// the charger's pace and need no limit.
    fn unasked(&mut self) {
        self.allowance.take();
        if self.allowance.exhausted_until().is_some() {
            tracing::debug!(charger = %self.link.charger.escape_debug(), "shadow backend floods");
        }
    }

    fn received(&self, cause: u64, body: &[u8], quirk: Option<&str>) -> u64 {
        let mut fact = self
            .link
            .fact(Kind::ShadowReceived, Some(Dir::ToCharger))
            .because(cause)
            .body(body);
        if let Some(quirk) = quirk {
            fact = fact.note(&json!({ "quirk": quirk }));
        }
        self.link.common().recorder.record(fact).unwrap_or(0)
    }

    fn answered(&mut self, text: &str, answer: &Envelope<'_>) {
        let in_time = self.link.with_queue(|queue| queue.answered(&answer.id));
        if let Some(Outstanding { call, sent, .. }) = in_time {
            self.answer_by = None;
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

    fn boot_answered(&mut self, answer: &Envelope<'_>) {
        let before = self.acceptance;
        let (acceptance, interval) = if answer.kind == MessageType::CallResult {
            stand_in::acceptance(answer.payload)
        } else {
            (Acceptance::Rejected, None)
        };
        self.acceptance = acceptance;
        if acceptance == Acceptance::Accepted {
            self.boot_at = None;
            self.link.set_gate(Gate::Open);
            if matches!(before, Acceptance::Pending | Acceptance::Rejected) {
                self.synthesise_statuses();
            }
        } else {
            let wait = interval
                .filter(|seconds| *seconds > 0)
                .map_or(BOOT_INTERVAL, |seconds| Duration::from_secs(seconds as u64))
                .clamp(BOOT_INTERVALS.0, BOOT_INTERVALS.1);
            self.boot_at = Some(Instant::now() + wait);
            self.link.set_gate(Gate::NotAccepted);
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
