//! What waits for the shadow backend, in the charger's order, with one CALL outstanding.
//!
//! Pure: every decision is a value, and the caller turns it into facts. While the backend is away the queue keeps what a
//! charger would keep (transaction messages, in order, bounded) and gives up what a charger would give up.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::clock::Micros;

use super::model::MOST_CONNECTORS;
use super::settings::QueueLimits;

/// What a waiting message costs beside its text, in bytes.
const OVERHEAD: usize = 128;

/// How many synthetic CALLs may wait: a boot and the status of every connector that is remembered.
const SYNTHETIC_LIMIT: usize = 1 + MOST_CONNECTORS;

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
    Mirrored(Rc<Mirrored>),
    /// Made up by the tap.
    Synthetic(Synthetic),
}

/// A CALL that was sent and not yet answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// The CALL.
    pub call: Call,
    /// Its `ShadowSent` fact; 0 if the recorder had no room.
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
    /// The backend is never dialled: the charger speaks a version that is not understood here.
    Unspoken,
    /// The charger's newer connection is the one that the backend faces.
    Replaced,
}

impl Gate {
    /// Why a message that a charger would not keep is given up; `None` while everything may wait.
    const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Connecting | Self::Open => None,
            Self::NotAccepted => Some("not accepted"),
            Self::Away => Some("candidate away"),
            Self::Refused | Self::Unspoken => Some("shadow refused"),
            Self::Replaced => Some("replaced by a newer connection"),
        }
    }

    const fn passes(self, traffic: Traffic) -> bool {
        match self {
            Self::Open => true,
            Self::NotAccepted => matches!(traffic, Traffic::Boot),
            Self::Connecting | Self::Away | Self::Refused | Self::Unspoken | Self::Replaced => {
                false
            }
        }
    }

    const fn keeps(self, traffic: Traffic) -> bool {
        let kept = matches!(traffic, Traffic::Transaction)
            && !matches!(self, Self::Unspoken | Self::Replaced);
        self.refusal().is_none() || kept || self.passes(traffic)
    }
}

/// The queue of one leg.
#[derive(Debug)]
pub struct Queue {
    gate: Gate,
    limits: QueueLimits,
    waiting: VecDeque<Rc<Mirrored>>,
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

    /// Whether the backend has heard and answered all that it will: nothing waits that could still go, and no answer is
    /// due.
    pub fn is_settled(&self) -> bool {
        let away = matches!(
            self.gate,
            Gate::Away | Gate::Refused | Gate::Unspoken | Gate::Replaced
        );
        away || (self.waiting.is_empty() && self.outstanding.is_none())
    }

    /// The charger's first waiting message.
    pub fn front(&self) -> Option<&Mirrored> {
        self.waiting.front().map(Rc::as_ref)
    }

    /// Takes a message of the charger. `room` is what all queues together still have, in bytes. A transaction message
    /// makes room for itself by pushing out messages that a charger would not keep.
    pub fn push(&mut self, message: Mirrored, room: usize) -> Vec<Withheld> {
        if !self.gate.keeps(message.traffic) {
            let why = self.gate.refusal().unwrap_or("candidate away");
            return vec![message.withheld(why)];
        }
        if message.weight() > self.limits.bytes {
            return vec![message.withheld("queue full")];
        }
        let mut given_up = Vec::new();
        let before = self.bytes;
        while !self.fits(&message, room.saturating_add(before - self.bytes)) {
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
        self.waiting.push_back(Rc::new(message));
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
        let room = self.has_room_for(1);
        if room {
            self.synthetic.push_back(call);
        }
        room
    }

    /// Whether so many made-up CALLs more may wait.
    pub fn has_room_for(&self, synthetic: usize) -> bool {
        self.synthetic.len() + synthetic <= SYNTHETIC_LIMIT
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
        self.bytes = self.waiting.iter().map(|message| message.weight()).sum();
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
            let mut message = Rc::clone(message);
            Rc::make_mut(&mut message).again = true;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(seq: u64, traffic: Traffic) -> Mirrored {
        Mirrored {
            seq,
            at: 0,
            id: seq.to_string().into(),
            action: "X".into(),
            text: "[]".into(),
            traffic,
            again: false,
        }
    }

    fn open(limits: QueueLimits) -> Queue {
        let mut queue = Queue::new(limits);
        queue.set_gate(Gate::Open);
        queue
    }

    fn next(queue: &Queue) -> Option<u64> {
        queue.next().map(|call| match call {
            Call::Mirrored(message) => message.seq,
            Call::Synthetic(_) => 0,
        })
    }

    fn whys(withheld: &[Withheld]) -> Vec<(u64, &str)> {
        withheld.iter().map(|one| (one.seq, one.why)).collect()
    }

    #[test]
    fn one_call_at_a_time_in_order() {
        let mut queue = open(QueueLimits::default());
        for seq in 1..=3 {
            queue.push(message(seq, Traffic::Other), usize::MAX);
        }
        assert_eq!(next(&queue), Some(1));
        queue.sent(10, 0);
        assert_eq!(next(&queue), None);
        assert_eq!(queue.answered("2"), None, "another CALL's answer");
        assert_eq!(queue.answered("1").map(|out| out.sent), Some(10));
        assert_eq!(queue.answered("1"), None, "the second answer");
        assert_eq!(next(&queue), Some(2));
    }

    #[test]
    fn a_send_is_never_outstanding() {
        let mut queue = open(QueueLimits::default());
        queue.push(message(1, Traffic::Send), usize::MAX);
        queue.push(message(2, Traffic::Other), usize::MAX);
        queue.sent(10, 0);
        assert_eq!(next(&queue), Some(2));
    }

    #[test]
    fn an_outage_keeps_what_a_charger_keeps() {
        let mut queue = open(QueueLimits::default());
        queue.push(message(1, Traffic::Other), usize::MAX);
        queue.push(message(2, Traffic::Transaction), usize::MAX);
        let withheld = queue.set_gate(Gate::Away);
        assert_eq!(whys(&withheld), [(1, "candidate away")]);
        let withheld = queue.push(message(3, Traffic::Boot), usize::MAX);
        assert_eq!(whys(&withheld), [(3, "candidate away")]);
        assert!(
            queue
                .push(message(4, Traffic::Transaction), usize::MAX)
                .is_empty()
        );
        assert_eq!(next(&queue), None);
        queue.set_gate(Gate::Open);
        assert_eq!(next(&queue), Some(2));
    }

    #[test]
    fn an_unanswered_transaction_message_goes_again_first() {
        let mut queue = open(QueueLimits::default());
        for seq in 1..=2 {
            queue.push(message(seq, Traffic::Transaction), usize::MAX);
        }
        queue.sent(10, 0);
        assert!(queue.disconnected().is_some());
        queue.set_gate(Gate::Away);
        queue.set_gate(Gate::Open);
        let Some(Call::Mirrored(first)) = queue.next() else {
            panic!("nothing to send");
        };
        assert_eq!((first.seq, first.again), (1, true));
    }

    #[test]
    fn a_boot_overtakes_while_the_charger_is_not_accepted() {
        let mut queue = open(QueueLimits::default());
        queue.push(message(1, Traffic::Transaction), usize::MAX);
        queue.push(message(2, Traffic::Other), usize::MAX);
        let withheld = queue.set_gate(Gate::NotAccepted);
        assert_eq!(whys(&withheld), [(2, "not accepted")]);
        assert_eq!(next(&queue), None);
        queue.push(message(3, Traffic::Boot), usize::MAX);
        assert_eq!(next(&queue), Some(3));
        queue.sent(10, 0);
        queue.answered("3");
        queue.set_gate(Gate::Open);
        assert_eq!(next(&queue), Some(1));
    }

    #[test]
    fn a_full_queue_prefers_transactions() {
        let limits = QueueLimits {
            count: 2,
            bytes: 1 << 20,
        };
        let mut queue = open(limits);
        queue.push(message(1, Traffic::Other), usize::MAX);
        queue.push(message(2, Traffic::Transaction), usize::MAX);
        let full = |withheld: Vec<Withheld>| withheld.iter().map(|w| w.seq).collect::<Vec<_>>();
        assert_eq!(
            full(queue.push(message(3, Traffic::Other), usize::MAX)),
            [3]
        );
        assert_eq!(
            full(queue.push(message(4, Traffic::Transaction), usize::MAX)),
            [1]
        );
        assert_eq!(
            full(queue.push(message(5, Traffic::Transaction), usize::MAX)),
            [5]
        );
        assert_eq!(full(queue.push(message(6, Traffic::Other), 0)), [6]);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(Traffic, usize),
        Gate(Gate),
        Send,
        Skip,
        Answer,
        Expire,
        Disconnect,
    }

    fn op() -> impl Strategy<Value = Op> {
        let traffic = prop::sample::select(vec![
            Traffic::Boot,
            Traffic::Transaction,
            Traffic::Other,
            Traffic::Send,
        ]);
        let gate = prop::sample::select(vec![
            Gate::Connecting,
            Gate::Open,
            Gate::NotAccepted,
            Gate::Away,
            Gate::Refused,
        ]);
        prop_oneof![
            4 => (traffic, 0_usize..2000).prop_map(|(traffic, room)| Op::Push(traffic, room)),
            2 => gate.prop_map(Op::Gate),
            4 => Just(Op::Send),
            1 => Just(Op::Skip),
            3 => Just(Op::Answer),
            1 => Just(Op::Expire),
            1 => Just(Op::Disconnect),
        ]
    }

    proptest! {
        #[test]
        fn every_message_has_exactly_one_fate_and_transactions_keep_their_order(
            ops in prop::collection::vec(op(), 0..200)
        ) {
            let limits = QueueLimits { count: 6, bytes: 1000 };
            let mut queue = open(limits);
            let (mut pushed, mut over) = (0, std::collections::BTreeSet::new());
            let mut last_transaction = 0;
            for op in ops {
                let withheld = match op {
                    Op::Push(traffic, room) => {
                        pushed += 1;
                        queue.push(message(pushed, traffic), room)
                    }
                    Op::Gate(gate) => queue.set_gate(gate),
                    Op::Send => {
                        if let Some(Call::Mirrored(call)) = queue.next() {
                            queue.sent(1, 0);
                            if call.traffic == Traffic::Transaction {
                                prop_assert!(call.seq > last_transaction || call.again);
                                last_transaction = last_transaction.max(call.seq);
                            }
                            if call.traffic == Traffic::Send {
                                prop_assert!(over.insert(call.seq));
                            }
                        }
                        Vec::new()
                    }
                    Op::Skip => {
                        if let Some(Call::Mirrored(call)) = queue.skip() {
                            prop_assert!(over.insert(call.seq));
                        }
                        Vec::new()
                    }
                    Op::Answer | Op::Expire => {
                        if let Some(out) = queue.expired() {
                            prop_assert!(over.insert(out.call.id().parse().unwrap()));
                        }
                        Vec::new()
                    }
                    Op::Disconnect => {
                        if let Some(Outstanding { call: Call::Mirrored(call), .. }) = queue.disconnected()
                            && call.traffic != Traffic::Transaction
                        {
                            prop_assert!(over.insert(call.seq));
                        }
                        Vec::new()
                    }
                };
                for one in withheld {
                    prop_assert!(over.insert(one.seq), "{} twice", one.seq);
                }
                let outstanding = usize::from(queue.outstanding().is_some());
                prop_assert_eq!(over.len() + queue.len() + outstanding, pushed as usize);
                // A message that goes again may exceed the limits by itself.
                prop_assert!(queue.len() <= limits.count + 1);
                let weights: usize = queue.waiting.iter().map(|message| message.weight()).sum();
                prop_assert_eq!(queue.bytes(), weights);
            }
        }
    }
}
