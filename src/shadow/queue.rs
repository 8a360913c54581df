//! What waits for the shadow backend, in the charger's order, with one CALL outstanding.
//!
//! Pure: every decision is a value, and the caller turns it into facts. While the backend is away the queue keeps what a
//! charger would keep (transaction messages, in order, bounded) and gives up what a charger would give up.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::clock::Micros;

use super::model::MOST_CONNECTORS;
use super::settings::QueueLimits;

mod call;
mod gate;
#[cfg(test)]
mod tests;

pub use call::{Call, Mirrored, Outstanding, Synthetic, Traffic, Withheld};
pub use gate::Gate;
use gate::NOT_ACCEPTED;

/// How many synthetic CALLs may wait: a boot and the status of every connector that is remembered.
const SYNTHETIC_LIMIT: usize = 1 + MOST_CONNECTORS;

/// The queue of one leg.
#[derive(Debug)]
pub struct Queue {
    gate: Gate,
    limits: QueueLimits,
    waiting: VecDeque<Rc<Mirrored>>,
    synthetic: VecDeque<Synthetic>,
    outstanding: Option<Box<Outstanding>>,
    bytes: usize,
    /// Transaction messages wait until the first of them may be repeated.
    resting: bool,
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
            resting: false,
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

    /// Whether the backend has heard and answered all that it will: nothing waits that could still go, and no answer is
    /// due.
    pub fn is_settled(&self) -> bool {
        let away = matches!(
            self.gate,
            Gate::Away | Gate::Refused | Gate::Unspoken | Gate::Replaced
        );
        away || (self.waiting.is_empty() && self.outstanding.is_none())
    }

    /// The first waiting message that the charger sent on its present connection.
    pub fn front(&self) -> Option<&Mirrored> {
        let fresh = self.waiting.iter().find(|message| !message.kept);
        fresh.map(Rc::as_ref)
    }

    /// Whether a message of this action waits.
    pub fn holds(&self, action: &str) -> bool {
        self.waiting
            .iter()
            .any(|message| message.action.as_ref() == action)
    }

    /// Takes a message of the charger. `room` is what all queues together still have, in bytes. A transaction message
    /// makes room for itself by pushing out messages that a charger would not keep.
    pub fn push(&mut self, message: Mirrored, room: usize) -> Vec<Withheld> {
        if !self.gate.keeps(message.traffic) {
            let why = self.gate.refusal().unwrap_or("candidate away");
            return vec![message.withheld(why)];
        }
        let why = self.gate.shortage();
        if message.weight() > self.limits.bytes {
            return vec![message.withheld(why)];
        }
        let mut given_up = Vec::new();
        let before = self.bytes;
        while !self.fits(&message, room.saturating_add(before - self.bytes)) {
            let victim = if message.traffic == Traffic::Transaction {
                self.oldest_other()
            } else {
                None
            };
            let Some(victim) = victim.and_then(|at| self.remove(at)) else {
                given_up.push(message.withheld(why));
                return given_up;
            };
            given_up.push(victim.withheld(why));
        }
        self.bytes += message.weight();
        self.waiting.push_back(Rc::new(message));
        given_up
    }

    fn fits(&self, message: &Mirrored, room: usize) -> bool {
        let weight = message.weight();
        self.waiting.len() < self.limits.count
            && self.bytes + weight <= self.limits.bytes
            && weight <= room
    }

    fn oldest_other(&self) -> Option<usize> {
        self.waiting
            .iter()
            .position(|waiting| waiting.traffic != Traffic::Transaction)
    }

    fn remove(&mut self, at: usize) -> Option<Rc<Mirrored>> {
        let message = self.waiting.remove(at)?;
        self.bytes -= message.weight();
        Some(message)
    }

    /// Takes what was kept since before the charger's present connection: it goes first. Gives up what there is no room
    /// for, the newest first, and what a charger would not keep before anything else.
    pub fn adopt(&mut self, kept: Vec<Rc<Mirrored>>) -> Vec<Withheld> {
        for message in kept.into_iter().rev() {
            self.bytes += message.weight();
            self.waiting.push_front(message);
        }
        let mut given_up = Vec::new();
        while self.waiting.len() > self.limits.count || self.bytes > self.limits.bytes {
            let last = self.waiting.len() - 1;
            let Some(victim) = self.remove(self.oldest_other().unwrap_or(last)) else {
                break;
            };
            given_up.push(victim.withheld(self.gate.shortage()));
        }
        given_up.extend(self.set_gate(self.gate));
        given_up
    }

    /// Queues a made-up CALL ahead of the charger's messages; gives it up if too many wait already.
    pub fn push_synthetic(&mut self, call: Synthetic) -> Option<Withheld> {
        if !self.has_room_for(1) {
            return Some(call.withheld("queue full"));
        }
        self.synthetic.push_back(call);
        None
    }

    /// Whether so many made-up CALLs more may wait.
    pub fn has_room_for(&self, synthetic: usize) -> bool {
        self.synthetic.len() + synthetic <= SYNTHETIC_LIMIT
    }

    /// Changes what the backend can take; returns what the new state gives up.
    pub fn set_gate(&mut self, gate: Gate) -> Vec<Withheld> {
        let mut given_up = Vec::new();
        if gate != self.gate && gate != Gate::Open {
            self.synthetic.retain(|call| {
                // What the backend asked for is due whether it has accepted the charger or not.
                let due = gate == Gate::Pending && call.why == "trigger";
                let stays =
                    due || gate.passes_synthetic() && call.action.as_ref() == "BootNotification";
                if !stays {
                    given_up.push(call.withheld(gate.refusal().unwrap_or(NOT_ACCEPTED)));
                }
                stays
            });
        }
        self.gate = gate;
        if let Some(why) = gate.refusal() {
            given_up.extend(self.give_up(why, |message| !gate.keeps(message.traffic)));
        }
        given_up
    }

    /// The charger's connection ended: gives up what a charger would not keep.
    pub fn drain(&mut self, why: &'static str) -> Vec<Withheld> {
        let mut given_up: Vec<_> = self
            .synthetic
            .drain(..)
            .map(|call| call.withheld(why))
            .collect();
        let gate = self.gate;
        given_up.extend(self.give_up(why, |message| {
            message.traffic != Traffic::Transaction || !gate.keeps(message.traffic)
        }));
        given_up
    }

    /// Takes everything that waits, in order: after [`Queue::drain`] what a charger would keep.
    pub fn take_kept(&mut self) -> Vec<Rc<Mirrored>> {
        self.bytes = 0;
        let mut kept: Vec<_> = std::mem::take(&mut self.waiting).into();
        for message in &mut kept {
            Rc::make_mut(message).kept = true;
        }
        kept
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
        self.bytes = self.waiting.iter().map(|message| message.weight()).sum();
        self.release();
        given_up
    }

    /// The CALL that may go now: none while one is outstanding or the gate is closed.
    pub fn next(&self) -> Option<Call> {
        if self.outstanding.is_some() {
            return None;
        }
        if self.gate.passes_synthetic()
            && let Some(call) = self.synthetic.front()
        {
            return Some(Call::Synthetic(call.clone()));
        }
        let at = self.next_mirrored()?;
        self.waiting.get(at).cloned().map(Call::Mirrored)
    }

    /// Notes which of the messages that an authority's command caused the backend asked for too: those do not wait until it
    /// has accepted the charger.
    pub fn note_asked(&mut self, is_asked: impl Fn(&Mirrored) -> bool) {
        for message in &mut self.waiting {
            if message.solicited != 0 && !message.asked && is_asked(message) {
                Rc::make_mut(message).asked = true;
            }
        }
    }

    fn passes(&self, message: &Mirrored) -> bool {
        self.gate.passes(message.traffic) || (self.gate == Gate::Pending && message.asked)
    }

    fn next_mirrored(&self) -> Option<usize> {
        // A charger that boots says so before it delivers what it kept.
        let fresh = self.waiting.iter().position(|message| !message.kept);
        if let Some(at) = fresh
            && self.waiting[at].traffic == Traffic::Boot
            && self.gate.passes(Traffic::Boot)
        {
            return Some(at);
        }
        // While the backend has not accepted the charger a BootNotification overtakes the kept messages, as on a charger.
        self.waiting.iter().position(|message| {
            let rests = self.resting && message.traffic == Traffic::Transaction;
            self.passes(message) && !rests
        })
    }

    /// Takes the CALL that [`Queue::next`] showed off the queue, unsent.
    pub fn skip(&mut self) -> Option<Call> {
        if self.outstanding.is_some() {
            return None;
        }
        if self.gate.passes_synthetic()
            && let Some(call) = self.synthetic.pop_front()
        {
            return Some(Call::Synthetic(call));
        }
        let at = self.next_mirrored()?;
        let message = self.remove(at)?;
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

    /// A connection ended, the backend's or the charger's. An unanswered transaction message goes back to the head, to be
    /// sent again as a charger would; whatever was outstanding is returned.
    pub fn disconnected(&mut self) -> Option<Outstanding> {
        self.resting = false;
        let outstanding = self.expired()?;
        if let Some(message) = outstanding.call.transaction() {
            let mut message = Rc::clone(message);
            Rc::make_mut(&mut message).again = true;
            self.put_back(message);
        }
        Some(outstanding)
    }

    /// The backend failed this transaction message, and a charger would repeat it after a while: it goes back to the
    /// head, and transaction messages rest until [`Queue::rested`].
    pub fn rest(&mut self, message: &Rc<Mirrored>) {
        let mut message = Rc::clone(message);
        let failed = &mut Rc::make_mut(&mut message).failed;
        *failed = failed.saturating_add(1);
        self.put_back(message);
        self.resting = true;
    }

    /// The charger would repeat its message now.
    pub fn rested(&mut self) {
        self.resting = false;
    }

    fn put_back(&mut self, message: Rc<Mirrored>) {
        self.bytes += message.weight();
        self.waiting.push_front(message);
    }

    /// Returns the memory of a long queue once it has emptied.
    fn release(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 8 {
            self.waiting = VecDeque::new();
        }
    }
}
