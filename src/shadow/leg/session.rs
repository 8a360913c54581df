//! One connection to the shadow backend, from the open socket to its end.

use std::collections::VecDeque;

use tokio::select;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ocpp::{Envelope, MessageType};
use crate::shadow::link::{Ending, Link};
use crate::shadow::pace::Allowance;
use crate::shadow::prime::Ids;
use crate::shadow::queue::{Gate, Queue};
use crate::shadow::socket::{Incoming, Sending, Socket, SocketEnd};
use crate::shadow::stand_in::Acceptance;

mod alarm;
mod answers;
mod boot;
mod commands;
mod sending;

use alarm::Alarm;
use answers::Late;
use commands::Held;

/// Why a session is over.
pub(super) enum End {
    /// The charger's connection ended.
    Charger(Ending),
    /// The backend's did.
    Backend(SocketEnd),
    /// The backend was told that the charger restarts.
    Restart,
}

/// One connection to the backend.
pub(super) struct Session<'a> {
    link: &'a Link,
    socket: Socket,
    ids: &'a mut Ids,
    committed: watch::Receiver<u64>,
    alarm: Alarm,
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
            alarm: Alarm::default(),
            allowance: Allowance::new(settings.messages_per_second, settings.message_burst),
            late: VecDeque::new(),
            acceptance: Acceptance::Unknown,
            charger_caused,
            prime_at: Some(Instant::now() + settings.boot_grace),
            boot_at: None,
            retry_at: None,
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
            self.retry_at,
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
            () = self.alarm.reached(deadline) => None,
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
        let waits = match self.socket.send(text, limit) {
            Sending::Done(sent) => return sent,
            Sending::Waits(waits) => waits,
        };
        let ended = Box::pin(self.link.ended());
        select! {
            biased;
            sent = waits => sent,
            _ = ended => Err(SocketEnd::Lost("the charger's connection ended".into())),
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
}
