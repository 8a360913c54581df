//! What waits for the shadow backend, in the charger's order, with one CALL outstanding.
//!
//! Pure: every decision is a value, and the caller turns it into facts. While the backend is away the queue keeps what a
//! charger would keep (transaction messages, in order, bounded) and gives up what a charger would give up.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::clock::Micros;

use super::settings::QueueLimits;

/// What a waiting message costs beside its text, in bytes.
const OVERHEAD: usize = 128;

/// How many synthetic CALLs may wait: a boot and the statuses of a large station.
const SYNTHETIC_LIMIT: usize = 64;

/// How a message is treated when the backend cannot take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// BootNotification: also passes while the backend has not accepted the charger.
    Boot,
    /// A transaction message: kept while the backend is away.
    Transaction,
    /// Any other CALL.
    Other,
    /// A SEND (OCPP 2.1): never answered, so never outstanding.
    Send,
}

/// A charger's message on its way to the shadow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// Its Message fact.
    pub seq: u64,
    /// When it came off the charger's socket.
    pub at: Micros,
    /// Message id.
    pub id: Box<str>,
    /// Action.
    pub action: Box<str>,
    /// The text as the charger sent it.
    pub text: Arc<str>,
    /// How it is treated.
    pub traffic: Traffic,
    /// It was sent before, on a connection that ended before the answer.
    pub again: bool,
}

/// A CALL that the tap makes up in the charger's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    /// Message id, from the tap's reserved range.
    pub id: Box<str>,
    /// Action.
    pub action: Box<str>,
    /// The whole text.
    pub text: Box<str>,
    /// Why: `boot`, `status` or `trigger`.
    pub why: &'static str,
}

/// One CALL or SEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A copy of what the charger sent.
    Mirrored(Mirrored),
    /// Made up by the tap.
    Synthetic(Synthetic),
}

/// A CALL that was sent and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// The CALL.
    pub call: Call,
    /// Its ShadowSent fact; 0 if the recorder had no room.
    pub sent: u64,
    /// When it was sent.
    pub at: Micros,
}

/// A message that will not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Its Message fact.
    pub seq: u64,
    /// Why not.
    pub why: &'static str,
    /// Action.
    pub action: Box<str>,
    /// Message id.
    pub id: Box<str>,
}

/// What the backend can take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The first connect is under way: everything waits.
    Connecting,
    /// Everything goes.
    Open,
    /// Connected, but the backend has not accepted the charger: only a BootNotification goes.
    NotAccepted,
    /// Not connected.
    Away,
    /// The backend refuses this charger's handshake.
    Refused,
}

impl Gate {
    /// Why a message that a charger would not keep is given up; `None` while everything may wait.
    const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Connecting | Self::Open => None,
            Self::NotAccepted => Some("not accepted"),
            Self::Away => Some("candidate away"),
            Self::Refused => Some("shadow refused"),
        }
    }

    const fn passes(self, traffic: Traffic) -> bool {
        match self {
            Self::Open => true,
            Self::NotAccepted => matches!(traffic, Traffic::Boot),
            Self::Connecting | Self::Away | Self::Refused => false,
        }
    }

    const fn keeps(self, traffic: Traffic) -> bool {
        self.refusal().is_none() || matches!(traffic, Traffic::Transaction) || self.passes(traffic)
    }
}

/// The queue of one leg.
#[derive(Debug)]
pub struct Queue {
    gate: Gate,
    limits: QueueLimits,
    waiting: VecDeque<Mirrored>,
    synthetic: VecDeque<Synthetic>,
    outstanding: Option<Box<Outstanding>>,
    bytes: usize,
}

impl Queue {
    /// An empty queue of a leg that is connecting.
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            gate: Gate::Connecting,
            limits,
            waiting: VecDeque::new(),
            synthetic: VecDeque::new(),
            outstanding: None,
            bytes: 0,
        }
    }

    /// What the backend can take now.
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// Bytes held by waiting messages.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages waiting, synthetic ones not counted.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The charger's first waiting message.
    pub fn front(&self) -> Option<&Mirrored> {
        self.waiting.front()
    }

    /// Takes a message of the charger. `room` is what all queues together still have, in bytes. A transaction message
    /// makes room for itself by pushing out messages that a charger would not keep.
    pub fn push(&mut self, message: Mirrored, room: usize) -> Vec<Withheld> {
        if !self.gate.keeps(message.traffic) {
            let why = self.gate.refusal().unwrap_or("candidate away");
            return vec![message.withheld(why)];
        }
        let mut given_up = Vec::new();
        let before = self.bytes;
        while !self.fits(&message, room + before.saturating_sub(self.bytes)) {
            let victim = if message.traffic == Traffic::Transaction {
                self.waiting
                    .iter()
                    .position(|waiting| waiting.traffic != Traffic::Transaction)
            } else {
                None
            };
            let Some(victim) = victim.and_then(|at| self.waiting.remove(at)) else {
                given_up.push(message.withheld("queue full"));
                return given_up;
            };
            self.bytes -= victim.weight();
            given_up.push(victim.withheld("queue full"));
        }
        self.bytes += message.weight();
        self.waiting.push_back(message);
        given_up
    }

    fn fits(&self, message: &Mirrored, room: usize) -> bool {
        let weight = message.weight();
        self.waiting.len() < self.limits.count
            && self.bytes + weight <= self.limits.bytes
            && weight <= room
    }

    /// Queues a made-up CALL ahead of the charger's messages; `false` if too many wait already.
    pub fn push_synthetic(&mut self, call: Synthetic) -> bool {
        let room = self.synthetic.len() < SYNTHETIC_LIMIT;
        if room {
            self.synthetic.push_back(call);
        }
        room
    }

    /// Changes what the backend can take; returns what the new state gives up.
    pub fn set_gate(&mut self, gate: Gate) -> Vec<Withheld> {
        self.gate = gate;
        if gate != Gate::Open {
            self.synthetic.retain(|call| {
                gate == Gate::NotAccepted && call.action.as_ref() == "BootNotification"
            });
        }
        let Some(why) = gate.refusal() else {
            return Vec::new();
        };
        self.give_up(why, |message| !gate.keeps(message.traffic))
    }

    /// Gives up everything: the charger's connection ended.
    pub fn drain(&mut self, why: &'static str) -> Vec<Withheld> {
        self.synthetic.clear();
        self.give_up(why, |_| true)
    }

    fn give_up(&mut self, why: &'static str, lost: impl Fn(&Mirrored) -> bool) -> Vec<Withheld> {
        let mut given_up = Vec::new();
        self.waiting.retain(|message| {
            let lost = lost(message);
            if lost {
                given_up.push(message.withheld(why));
            }
            !lost
        });
        self.bytes = self.waiting.iter().map(Mirrored::weight).sum();
        self.release();
        given_up
    }

    /// The CALL that may go now: none while one is outstanding or the gate is closed.
    pub fn next(&self) -> Option<Call> {
        if self.outstanding.is_some() {
            return None;
        }
        if matches!(self.gate, Gate::Open | Gate::NotAccepted)
            && let Some(call) = self.synthetic.front()
        {
            return Some(Call::Synthetic(call.clone()));
        }
        let at = self.next_mirrored()?;
        self.waiting.get(at).cloned().map(Call::Mirrored)
    }

    fn next_mirrored(&self) -> Option<usize> {
        // While the backend has not accepted the charger a BootNotification overtakes the kept messages, as on a charger.
        self.waiting
            .iter()
            .position(|message| self.gate.passes(message.traffic))
    }

    /// Takes the CALL that [`Queue::next`] showed off the queue, unsent.
    pub fn skip(&mut self) -> Option<Call> {
        if self.outstanding.is_some() {
            return None;
        }
        if matches!(self.gate, Gate::Open | Gate::NotAccepted)
            && let Some(call) = self.synthetic.pop_front()
        {
            return Some(Call::Synthetic(call));
        }
        let at = self.next_mirrored()?;
        let message = self.waiting.remove(at)?;
        self.bytes -= message.weight();
        self.release();
        Some(Call::Mirrored(message))
    }

    /// Notes that the CALL which [`Queue::next`] showed was sent: it is outstanding now, unless it is a SEND.
    pub fn sent(&mut self, sent: u64, at: Micros) {
        let Some(call) = self.skip() else { return };
        if !matches!(&call, Call::Mirrored(message) if message.traffic == Traffic::Send) {
            self.outstanding = Some(Box::new(Outstanding { call, sent, at }));
        }
    }

    /// The CALL that waits for its answer.
    pub fn outstanding(&self) -> Option<&Outstanding> {
        self.outstanding.as_deref()
    }

    /// Takes the outstanding CALL if it has this message id.
    pub fn answered(&mut self, id: &str) -> Option<Outstanding> {
        self.outstanding
            .take_if(|outstanding| outstanding.call.id() == id)
            .map(|outstanding| *outstanding)
    }

    /// Takes the outstanding CALL: its answer did not come in time.
    pub fn expired(&mut self) -> Option<Outstanding> {
        self.outstanding.take().map(|outstanding| *outstanding)
    }

    /// The connection ended. An unanswered transaction message goes back to the head, to be sent again as a charger
    /// would; whatever was outstanding is returned.
    pub fn disconnected(&mut self) -> Option<Outstanding> {
        let outstanding = self.expired()?;
        if let Call::Mirrored(message) = &outstanding.call
            && message.traffic == Traffic::Transaction
        {
            let mut message = message.clone();
            message.again = true;
            self.bytes += message.weight();
            self.waiting.push_front(message);
        }
        Some(outstanding)
    }

    /// Returns the memory of a long queue once it has emptied.
    fn release(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 8 {
            self.waiting = VecDeque::new();
        }
    }
}

impl Mirrored {
    fn weight(&self) -> usize {
        self.text.len() + OVERHEAD
    }

    /// This message, given up.
    pub fn withheld(&self, why: &'static str) -> Withheld {
        Withheld {
            seq: self.seq,
            why,
            action: self.action.clone(),
            id: self.id.clone(),
        }
    }
}

impl Call {
    /// Message id.
    pub fn id(&self) -> &str {
        match self {
            Self::Mirrored(message) => &message.id,
            Self::Synthetic(call) => &call.id,
        }
    }

    /// Action.
    pub fn action(&self) -> &str {
        match self {
            Self::Mirrored(message) => &message.action,
            Self::Synthetic(call) => &call.action,
        }
    }
}
