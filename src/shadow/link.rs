//! One charger connection as the host and its leg share it: the queue, the open exchanges, and the facts about both.
//!
//! Everything here runs on one thread and no borrow lives across an await.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::select;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::clock::{Clock, Micros};
use crate::facts::{Dir, Fact, Kind, Recorder};
use crate::ocpp::identifiers::Part;
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, MessageType, Version, actions};

use super::commands::Real;
use super::exchanges::{Exchanges, Half, Reply, Taught};
use super::memory::{Contradiction, Memory};
use super::queue::{Call, Gate, Mirrored, Outstanding, Queue, Traffic, Withheld};
use super::settings::ShadowSettings;
use super::translate::{self, answer_mints, mints};

/// How long a leg may go on after its charger's connection ended, to deliver what the charger had sent by then: a
/// backend that is slower than the authority would still have got it. Shorter when the plane stops.
pub const DRAIN: Duration = Duration::from_secs(10);
/// See [`DRAIN`].
pub const STOPPING: Duration = Duration::from_secs(2);

/// Why the charger's connection is over for the leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The charger's connection ended: say goodbye to the backend.
    Closed,
    /// The plane stops: go at once.
    Stopping,
}

/// What all legs share.
pub struct Common {
    /// Limits and the backend's place.
    pub settings: Rc<ShadowSettings>,
    /// Where facts go.
    pub recorder: Recorder,
    /// Bytes that all queues hold.
    pub queued: Cell<usize>,
}

/// One charger connection.
pub struct Link {
    /// Connection epoch.
    pub conn: u64,
    /// The charger.
    pub charger: Arc<str>,
    /// What was negotiated.
    pub version: Version,
    /// The subprotocol as the authority named it.
    pub subprotocol: Option<String>,
    /// The charger's memory.
    pub memory: Rc<RefCell<Memory>>,
    common: Rc<Common>,
    state: RefCell<State>,
    wake: Notify,
    gone: Cell<bool>,
    left: Notify,
}

struct State {
    queue: Queue,
    exchanges: Exchanges,
    gap: bool,
    connected: bool,
    booted: bool,
    ending: Option<Ending>,
    /// The charger's connection is over, and until when the leg may go on.
    drain: Option<(Ending, Instant)>,
}

impl Link {
    /// A fresh connection whose leg is not yet dialled.
    pub fn new(
        common: Rc<Common>,
        memory: Rc<RefCell<Memory>>,
        (charger, conn): (Arc<str>, u64),
        version: Version,
        subprotocol: Option<String>,
    ) -> Self {
        let queue = Queue::new(common.settings.queue);
        memory.borrow_mut().speaks(version);
        Self {
            conn,
            charger,
            version,
            subprotocol,
            memory,
            common,
            state: RefCell::new(State {
                queue,
                exchanges: Exchanges::default(),
                gap: false,
                connected: false,
                booted: false,
                ending: None,
                drain: None,
            }),
            wake: Notify::new(),
            gone: Cell::new(false),
            left: Notify::new(),
        }
    }

    /// What all legs share.
    pub fn common(&self) -> &Common {
        &self.common
    }

    /// Something changed: a message, or the end.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Ready once the connection is over and what could still be delivered is.
    pub async fn ended(&self) -> Ending {
        loop {
            if let Some(ending) = self.ending() {
                return ending;
            }
            match self.drain_by() {
                None => self.wake.notified().await,
                Some(by) => select! {
                    () = self.wake.notified() => {}
                    // Boxed: a leg spends its life without a deadline here.
                    () = Box::pin(sleep_until(by)) => {}
                },
            }
        }
    }

    /// How the connection ended, if it did and nothing is left to deliver.
    pub fn ending(&self) -> Option<Ending> {
        let drain = self.state.borrow().drain;
        if let Some((ending, by)) = drain
            && (by <= Instant::now() || self.queue(Queue::is_settled))
        {
            self.end(ending);
        }
        self.state.borrow().ending
    }

    /// Until when the leg may go on, once the charger's connection is over.
    pub fn drain_by(&self) -> Option<Instant> {
        self.state.borrow().drain.map(|(_, by)| by)
    }

    /// The charger's connection is over: the leg ends once the backend has what the charger sent, or after `within`.
    pub fn drain(&self, ending: Ending, within: Duration) {
        let by = Instant::now() + within;
        let sooner = self.drain_by().map_or(by, |known| known.min(by));
        self.state.borrow_mut().drain = Some((ending, sooner));
        self.wake.notify_one();
    }

    /// The leg's task is over.
    pub fn leave(&self) {
        self.gone.set(true);
        self.left.notify_waiters();
    }

    /// Whether the leg's task is over.
    pub fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// Ready once the leg's task is over.
    pub async fn gone(&self) {
        while !self.is_gone() {
            self.left.notified().await;
        }
    }

    /// Reads the queue.
    pub fn queue<T>(&self, read: impl FnOnce(&Queue) -> T) -> T {
        read(&self.state.borrow().queue)
    }

    /// Changes the queue, keeping the account of all queues.
    pub fn with_queue<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let queue = &mut self.state.borrow_mut().queue;
        let before = queue.bytes();
        let result = change(queue);
        let queued = self.common.queued.get() + queue.bytes();
        self.common.queued.set(queued.saturating_sub(before));
        result
    }

    /// Changes what the backend can take; what that gives up is recorded.
    pub fn set_gate(&self, gate: Gate) {
        let withheld = self.with_queue(|queue| queue.set_gate(gate));
        self.withhold(withheld);
    }

    /// Whether messages were lost on this connection.
    pub fn has_gap(&self) -> bool {
        self.state.borrow().gap
    }

    /// Messages were lost.
    pub fn mark_gap(&self) {
        self.state.borrow_mut().gap = true;
    }

    /// Whether the charger's own BootNotification went to the backend on its present connection.
    pub fn booted(&self) -> bool {
        self.state.borrow().booted
    }

    /// Sets [`Link::booted`].
    pub fn set_booted(&self, booted: bool) {
        self.state.borrow_mut().booted = booted;
    }

    /// Notes that the backend is connected, for the closing fact.
    pub fn set_connected(&self, connected: bool) {
        self.state.borrow_mut().connected = connected;
    }

    /// Whether the backend is connected.
    pub fn is_connected(&self) -> bool {
        self.state.borrow().connected
    }

    /// The charger sent a message.
    pub fn from_charger(&self, seq: u64, at: Micros, text: &Arc<str>) {
        let Ok(message) = Envelope::parse(text) else {
            self.withhold_one(seq, "unreadable", "", "");
            return;
        };
        match message.kind {
            MessageType::Call | MessageType::Send => self.mirror(seq, at, text, &message),
            MessageType::CallResult | MessageType::CallError => self.charger_answered(&message),
            MessageType::CallResultError => {}
        }
    }

    fn charger_answered(&self, message: &Envelope<'_>) {
        let mut memory = self.memory.borrow_mut();
        let Some(command) = memory.commands.charger_answered(message) else {
            return;
        };
        if message.kind == MessageType::CallResult {
            let (action, request) = (&command.action, &command.request);
            memory
                .model
                .answered(self.version, action, request, message.payload);
            let obeyed = Real::read(message).is_some_and(|real| real.is_accepted());
            if obeyed && action.as_ref() == "SendLocalList" {
                memory.overlay.list_changed();
            }
        }
        // A command of the shadow's may be waiting for this.
        self.wake.notify_one();
    }

    fn mirror(&self, seq: u64, at: Micros, text: &Arc<str>, call: &Envelope<'_>) {
        self.memory
            .borrow_mut()
            .model
            .called(&call.action, call.payload, at);
        let traffic = traffic(self.version, call);
        if traffic != Traffic::Send
            && (traffic != Traffic::Other || answer_mints(self.version, &call.action))
        {
            self.state.borrow_mut().exchanges.called(
                seq,
                &call.id,
                &call.action,
                translate::fingerprint(call),
            );
        }
        let message = Mirrored {
            seq,
            at,
            id: call.id.as_ref().into(),
            action: call.action.as_ref().into(),
            text: Arc::clone(text),
            traffic,
            again: false,
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
        match message.kind {
            MessageType::Call => {
                let mut memory = self.memory.borrow_mut();
                let pairs = memory.commands.authority_called(self.version, &message, at);
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
        let state = &mut *self.state.borrow_mut();
        let Some(action) = state.exchanges.awaited(&answer.id) else {
            return;
        };
        let half = if is_result {
            self.read_answer(action, answer.payload, seq)
        } else {
            Half::Failed
        };
        let mut memory = self.memory.borrow_mut();
        if let Half::Answered(reply) = &half {
            memory.assigned(&reply.minted);
        }
        if is_result && action == "BootNotification" {
            memory.model.booted(answer.payload);
        }
        if let Some(taught) = state.exchanges.authority_answered(&answer.id, half) {
            self.learn(&mut memory, taught);
        }
    }

    /// The shadow answered a mirrored CALL; `fact` is its `ShadowReceived`.
    pub fn shadow_answered(&self, call: &Mirrored, answer: &Envelope<'_>, fact: u64) {
        if !self.state.borrow().exchanges.holds(call.seq) {
            return;
        }
        let half = if answer.kind == MessageType::CallResult {
            self.read_answer(&call.action, answer.payload, fact)
        } else {
            Half::Failed
        };
        self.shadow_half(call.seq, half);
    }

    fn shadow_half(&self, seq: u64, half: Half) {
        let taught = self.state.borrow_mut().exchanges.shadow_answered(seq, half);
        if let Some(taught) = taught {
            self.learn(&mut self.memory.borrow_mut(), taught);
        }
    }

    /// Whether a waiting CALL repeats what the backend has already answered.
    pub fn absorbs(&self, call: &Mirrored) -> bool {
        let taught = self.state.borrow_mut().exchanges.absorb_repeat(call.seq);
        let absorbed = taught.is_some();
        if let Some(taught) = taught {
            self.learn(&mut self.memory.borrow_mut(), taught);
        }
        absorbed
    }

    fn read_answer(&self, action: &str, payload: &str, fact: u64) -> Half {
        let path = [Step::Key("idTagInfo"), Step::Key("status")];
        Half::Answered(Reply {
            minted: mints(self.version, action, Part::Response, payload),
            refused: translate::member_text(payload, &path)
                .is_some_and(|status| status != "\"Accepted\""),
            fact,
        })
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

    /// The leg is over: what waits is accounted for, once.
    fn end(&self, ending: Ending) {
        let (first, connected) = {
            let mut state = self.state.borrow_mut();
            let first = state.ending.is_none();
            state.ending = Some(ending);
            (first, state.connected)
        };
        if first {
            if let Some(lost) = self.with_queue(Queue::expired) {
                self.silent(&lost, Some("connection closed"));
            }
            let withheld = self.with_queue(|queue| queue.drain("connection closed"));
            self.withhold(withheld);
            if connected {
                let why = match ending {
                    Ending::Closed => "charger connection closed",
                    Ending::Stopping => "stopping",
                };
                self.record(Kind::ShadowClosed, &json!({"why": why}));
            }
        }
    }

    /// The backend's connection ended by itself.
    pub fn lost(&self, why: &str) {
        self.set_connected(false);
        self.set_booted(false);
        self.record(Kind::ShadowClosed, &json!({"why": why}));
        if let Some(lost) = self.with_queue(Queue::disconnected) {
            let again =
                matches!(&lost.call, Call::Mirrored(call) if call.traffic == Traffic::Transaction);
            if !again {
                self.silent(&lost, Some("connection lost"));
            }
        }
        self.set_gate(Gate::Away);
    }

    /// A CALL got no answer.
    pub fn silent(&self, lost: &Outstanding, why: Option<&str>) {
        let mut note = json!({
            "action": lost.call.action(),
            "waited_us": Clock::system().now() - lost.at,
        });
        if let Some(why) = why {
            note["why"] = json!(why);
        }
        let fact = self
            .fact(Kind::ShadowSilent, Some(Dir::ToCharger))
            .because(lost.sent)
            .note(&note);
        self.common.recorder.record(fact);
    }

    fn withhold(&self, withheld: Vec<Withheld>) {
        for message in withheld {
            self.withhold_one(message.seq, message.why, &message.action, &message.id);
        }
    }

    /// Records that a message stays here, and that its exchange has no shadow side.
    pub fn withhold_one(&self, seq: u64, why: &str, action: &str, id: &str) {
        let fact = self
            .fact(Kind::ShadowWithheld, Some(Dir::FromCharger))
            .because(seq)
            .note(&json!({"why": why, "action": action, "id": id}));
        self.common.recorder.record(fact);
        if why != "repeat" {
            self.shadow_half(seq, Half::Failed);
        }
    }

    /// A fact about the shadow's side of this connection.
    pub fn fact(&self, kind: Kind, dir: Option<Dir>) -> Fact {
        let mut fact = Fact::new(kind, Clock::system().now()).on(&self.charger, self.conn);
        fact.leg = Some(self.common.settings.leg);
        fact.dir = dir;
        fact
    }

    /// Records a fact without direction.
    pub fn record(&self, kind: Kind, note: &Value) {
        self.common
            .recorder
            .record(self.fact(kind, None).note(note));
    }
}

fn traffic(version: Version, call: &Envelope<'_>) -> Traffic {
    if call.kind == MessageType::Send {
        Traffic::Send
    } else if call.action == "BootNotification" {
        Traffic::Boot
    } else if actions::is_transactional(version, &call.action, call.payload) {
        Traffic::Transaction
    } else {
        Traffic::Other
    }
}
