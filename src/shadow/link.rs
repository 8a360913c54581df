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

use crate::clock::Clock;
use crate::facts::{Dir, Fact, Kind, Recorder};
use crate::live::secret::Secret;
use crate::ocpp::Version;

use super::exchanges::Half;
use super::memory::Memory;
use super::outbox::Outbox;
use super::overlay::{self, Overlay};
use super::queue::{Gate, Outstanding, Queue, Synthetic, Withheld};
use super::settings::ShadowSettings;
use super::socket::SocketEnd;

mod asked;
mod messages;

use asked::Asked;

pub use messages::read_answer;

/// How long a leg may go on after its charger's connection ended, to deliver what the charger had sent by then: a
/// backend that is slower than the authority would still have got it. Shorter when the plane stops.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Why the leg of a charger's older connection is over.
const REPLACED: &str = "replaced by a newer connection";
/// See [`DRAIN`].
pub const STOPPING: Duration = Duration::from_secs(2);

/// Why the charger's connection is over for the leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The charger's connection ended: say goodbye to the backend.
    Closed,
    /// The plane stops: go at once.
    Stopping,
    /// The charger has a newer connection, and the backend shall face only that one.
    Replaced,
}

/// What all legs share.
pub struct Common {
    /// Limits and the backend's place.
    pub settings: Rc<ShadowSettings>,
    /// Where facts go.
    pub recorder: Recorder,
    /// Bytes that all queues and outboxes hold.
    pub queued: Cell<usize>,
}

impl Common {
    /// Keeps the account when one of them grows or shrinks.
    pub fn recount(&self, before: usize, after: usize) {
        let queued = self.queued.get() + after;
        self.queued.set(queued.saturating_sub(before));
    }
}

/// A charger's handshake with its authority, as its leg repeats it.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// What the charger offered.
    pub offered: Option<String>,
    /// The subprotocol as the authority named it.
    pub subprotocol: Option<String>,
    /// What the charger logged in with, if that may be used.
    pub login: Option<Secret>,
}

/// One charger connection.
pub struct Link {
    /// Connection epoch.
    pub conn: u64,
    /// The charger.
    pub charger: Arc<str>,
    /// What was negotiated.
    pub version: Version,
    /// What the charger said in its handshake, and its authority's answer.
    pub handshake: Handshake,
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
    gap: bool,
    connected: bool,
    booted: bool,
    /// The CALLs of the charger and of its authority that wait for an answer.
    asked: [Asked; 2],
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
        handshake: Handshake,
    ) -> Self {
        let queue = Queue::new(common.settings.queue);
        let forgets = memory.borrow_mut().speaks(version);
        let link = Self {
            conn,
            charger,
            version,
            handshake,
            memory,
            common,
            state: RefCell::new(State {
                queue,
                gap: false,
                connected: false,
                booted: false,
                asked: Default::default(),
                ending: None,
                drain: None,
            }),
            wake: Notify::new(),
            gone: Cell::new(false),
            left: Notify::new(),
        };
        if forgets {
            let note = overlay::forgotten(version.number(), "version changed");
            link.record(Kind::ModelLearned, &note);
        }
        link
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
        self.common.recount(before, queue.bytes());
        result
    }

    /// Changes the charger's outbox, keeping the account.
    fn with_outbox<T>(&self, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let outbox = &mut self.memory.borrow_mut().outbox;
        let before = outbox.bytes();
        let result = change(outbox);
        self.common.recount(before, outbox.bytes());
        result
    }

    /// Queues CALLs that the tap makes up; what there is no room for is recorded.
    pub fn make_up(&self, calls: impl IntoIterator<Item = Synthetic>) {
        let withheld = self.with_queue(|queue| {
            let calls = calls.into_iter();
            calls
                .filter_map(|call| queue.push_synthetic(call))
                .collect()
        });
        self.withhold(withheld);
    }

    /// Takes over what the charger kept from its earlier connections. To be called once those are over.
    pub fn adopt(&self) {
        let (kept, given_up) = self.with_outbox(|outbox| outbox.take(self.version));
        self.withhold(given_up);
        if !kept.is_empty() {
            let given_up = self.with_queue(|queue| queue.adopt(kept));
            self.withhold(given_up);
        }
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

    /// Whether a CALL between charger and authority waits for its answer.
    pub fn is_talking(&self) -> bool {
        self.state.borrow().asked.iter().any(|asked| asked.waits())
    }

    /// Whether the charger's answer to its authority is due.
    pub fn is_asked(&self) -> bool {
        self.state.borrow().asked[1].waits()
    }

    /// Whether the backend has heard and answered all that it will.
    pub fn is_settled(&self) -> bool {
        self.queue(Queue::is_settled)
    }

    /// Whether the backend is connected.
    pub fn is_connected(&self) -> bool {
        self.state.borrow().connected
    }

    /// The leg is over: what waits is accounted for, once, or kept for the charger's next connection.
    fn end(&self, ending: Ending) {
        let (first, connected) = {
            let mut state = self.state.borrow_mut();
            let first = state.ending.is_none();
            state.ending = Some(ending);
            (first, state.connected)
        };
        if !first {
            return;
        }
        let lost = self.with_queue(Queue::disconnected);
        let again = self.unanswered(lost.as_ref(), "connection closed");
        let withheld = self.with_queue(|queue| {
            queue.drain(match ending {
                Ending::Replaced => REPLACED,
                Ending::Closed | Ending::Stopping => "connection closed",
            })
        });
        // A message has one fate: what is given up here does not go again.
        let again = again.filter(|again| withheld.iter().all(|message| message.seq != *again));
        self.withhold(withheld);
        let kept = self.keep();
        self.memory.borrow_mut().exchanges.parted(self.conn);
        if connected {
            let why = match ending {
                Ending::Closed => "charger connection closed",
                Ending::Stopping => "stopping",
                Ending::Replaced => REPLACED,
            };
            self.closed(json!({"why": why}), again, kept);
        }
    }

    /// Puts what still waits into the charger's outbox; returns how many messages that are.
    fn keep(&self) -> usize {
        let kept = self.with_queue(Queue::take_kept);
        let count = kept.len();
        let limits = self.common.settings.queue;
        let given_up = self.with_outbox(|outbox| outbox.put(self.version, kept, limits));
        let count = count - given_up.len().min(count);
        self.withhold(given_up);
        count
    }

    /// The charger has a newer connection, and the backend shall face only that one: what this one still sends is withheld.
    pub fn replace(&self) {
        self.drain(Ending::Replaced, Duration::ZERO);
        self.set_gate(Gate::Replaced);
    }

    /// The backend's connection ended by itself.
    pub fn lost(&self, end: &SocketEnd) {
        let mut note = json!({"why": end.to_string(), "by": "backend"});
        if let SocketEnd::Closed(code, _) = end {
            note["code"] = json!(code);
        }
        self.disconnected(note);
    }

    /// The backend was told that the charger restarts.
    pub fn restarted(&self) {
        self.disconnected(json!({"why": "simulated restart"}));
    }

    fn disconnected(&self, note: Value) {
        self.set_connected(false);
        self.set_booted(false);
        let lost = self.with_queue(Queue::disconnected);
        let again = self.unanswered(lost.as_ref(), "connection lost");
        self.closed(note, again, 0);
        self.set_gate(Gate::Away);
    }

    /// A connection ended before this CALL was answered: it will be sent again if a charger would do so, else it got no
    /// answer. Returns the message that goes again.
    fn unanswered(&self, lost: Option<&Outstanding>, why: &str) -> Option<u64> {
        let lost = lost?;
        if let Some(message) = lost.call.transaction() {
            return Some(message.seq);
        }
        self.silent(lost, Some(why), false);
        None
    }

    /// `kept`: so many messages wait for the charger's next connection.
    fn closed(&self, mut note: Value, again: Option<u64>, kept: usize) {
        if let Some(again) = again {
            note["again"] = json!(again);
        }
        if kept > 0 {
            note["kept"] = json!(kept);
        }
        self.record(Kind::ShadowClosed, &note);
    }

    /// Records when the shadow begins to believe what a restart would forget (`command` of the shadow's), and when it has
    /// nothing such left.
    pub fn note_overlay(&self, overlay: &Overlay, was_empty: bool, command: u64) {
        let note = match (was_empty, overlay.is_empty()) {
            (true, false) => overlay::begun(self.version, command),
            (false, true) => overlay::forgotten(self.version.number(), "taken back"),
            _ => return,
        };
        self.record(Kind::ModelLearned, &note);
    }

    /// A CALL got no answer. `retry`: it is sent again, as a charger would.
    pub fn silent(&self, lost: &Outstanding, why: Option<&str>, retry: bool) {
        let mut note = json!({
            "action": lost.call.action(),
            "waited_us": Clock::system().now() - lost.at,
        });
        if let Some(why) = why {
            note["why"] = json!(why);
        }
        if retry {
            note["retry"] = json!(true);
        }
        let fact = self
            .fact(Kind::ShadowSilent, Some(Dir::ToCharger))
            .because(lost.sent)
            .note(&note);
        self.common.recorder.record(fact);
    }

    fn withhold(&self, withheld: Vec<Withheld>) {
        for message in withheld {
            self.withhold_one(&message);
        }
    }

    /// Records that a message stays here, and that its exchange has no shadow side.
    pub fn withhold_one(&self, message: &Withheld) {
        let mut fact = message
            .fact(Clock::system().now())
            .on(&self.charger, self.conn);
        fact.leg = Some(self.common.settings.leg);
        self.common.recorder.record(fact);
        if message.seq != 0 && message.why != "repeat" {
            self.shadow_half(message.seq, Half::Failed);
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
