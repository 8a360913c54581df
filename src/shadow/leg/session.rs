//! One connection to the shadow backend, from the open socket to its end.

use std::collections::VecDeque;
use std::future::pending;

use serde_json::json;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::facts::{Dir, Kind};
use crate::ocpp::{Envelope, MessageType};
use crate::shadow::link::{Ending, Link};
use crate::shadow::memory::Contradiction;
use crate::shadow::pace::Allowance;
use crate::shadow::prime::Ids;
use crate::shadow::queue::{Gate, Queue, Synthetic};
use crate::shadow::socket::{Incoming, Socket, SocketEnd};
use crate::shadow::stand_in::{self, Acceptance, Situation};
use crate::shadow::translate::{self, Plan};

mod answers;
mod boot;
mod sending;

use answers::Late;

/// Why a session is over.
pub(super) enum End {
    /// The charger's connection ended.
    Charger(Ending),
    /// The backend's did.
    Backend(SocketEnd),
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
    /// When a charger would repeat the message that the backend failed.
    retry_at: Option<Instant>,
    /// When the outstanding CALL counts as unanswered.
    answer_by: Option<Instant>,
    /// Until when the next message may wait for its identifier to be synced.
    parked_until: Option<Instant>,
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
            retry_at: None,
            answer_by: None,
            parked_until: None,
            link,
        }
    }

    /// The socket, to say goodbye.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Speaks to the backend until one of both ends.
    pub(super) async fn serve(&mut self) -> End {
        loop {
            if let Some(ending) = self.link.ending() {
                return End::Charger(ending);
            }
            if let Err(end) = self.step().await {
                // The charger's end is the reason if it came while we were writing.
                return match self.link.ending() {
                    Some(ending) => End::Charger(ending),
                    None => End::Backend(end),
                };
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
            self.retry_at,
            self.answer_by,
            self.parked_until,
            self.link.drain_by(),
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
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.link.with_queue(Queue::rested);
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

    /// Answers a command in the charger's place.
    async fn stand_in(&mut self, text: &str, command: &Envelope<'_>) -> Result<(), SocketEnd> {
        let fact = self.received(0, text.as_bytes(), None);
        let mut answer = {
            let mut memory = self.link.memory.borrow_mut();
            let memory = &mut *memory;
            let now = Clock::system().now();
            let twin =
                memory
                    .commands
                    .shadow_called(self.link.version, command, now, &memory.relation);
            let about = self.link.fact(Kind::IdentifierLearned, None).because(fact);
            memory.learn(
                &self.link.common().recorder,
                &about,
                twin.pairs,
                Contradiction::TakesLast,
            );
            let reuse = twin.answer.and_then(|answer| {
                translate::answer(
                    self.link.version,
                    &command.action,
                    &answer,
                    &memory.relation,
                )
            });
            let situation = Situation {
                version: self.link.version,
                model: &memory.model,
                ongoing: memory.is_ongoing(command),
                acceptance: self.acceptance,
                reuse: reuse.as_deref(),
                now,
            };
            stand_in::answer(text, command, situation)
        };
        let asked = answer.follow.len();
        let mut follow = self.translated(std::mem::take(&mut answer.follow));
        if !self.link.queue(|queue| queue.has_room_for(follow.len())) {
            follow.clear();
        }
        if asked > 0 && follow.is_empty() {
            answer = stand_in::refuse(text, command, self.link.version);
        }
        self.write(&answer.text).await?;
        let sent = self
            .link
            .fact(Kind::ShadowAnswered, Some(Dir::FromCharger))
            .because(fact)
            .body(answer.text)
            .note(&json!({"action": command.action, "source": answer.source}));
        self.link.common().recorder.record(sent);
        self.link.with_queue(|queue| {
            for call in follow {
                queue.push_synthetic(call);
            }
        });
        Ok(())
    }

    /// The CALLs that a triggered charger would send now, translated like any other; what cannot be is left out.
    fn translated(&mut self, follow: Vec<(&'static str, Box<str>)>) -> Vec<Synthetic> {
        let mut calls = Vec::new();
        for (action, payload) in follow {
            let mut call = self.ids.call(action, &payload, "trigger");
            let Plan::Send(done) = self.plan(action, &call.text) else {
                continue;
            };
            if !done.rewrites.is_empty() && !self.is_synced() {
                continue;
            }
            if let Some(text) = done.text {
                call.text = text.into();
            }
            calls.push(call);
        }
        calls
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
