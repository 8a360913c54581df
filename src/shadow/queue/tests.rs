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
        kept: false,
        failed: 0,
        solicited: 0,
        asked: false,
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
fn a_pending_charger_waits_and_its_boot_overtakes() {
    let mut queue = open(QueueLimits::default());
    queue.push(message(1, Traffic::Transaction), usize::MAX);
    queue.push(message(2, Traffic::Other), usize::MAX);
    assert!(queue.set_gate(Gate::Pending).is_empty(), "everything waits");
    assert_eq!(next(&queue), None);
    queue.push(message(3, Traffic::Boot), usize::MAX);
    assert_eq!(next(&queue), Some(3));
    queue.sent(10, 0);
    queue.answered("3");
    queue.set_gate(Gate::Open);
    for seq in 1..=2 {
        assert_eq!(next(&queue), Some(seq), "released in order");
        queue.sent(10, 0);
        queue.answered(&seq.to_string());
    }
}

#[test]
fn a_rejected_charger_only_boots() {
    let mut queue = open(QueueLimits::default());
    queue.push(message(1, Traffic::Transaction), usize::MAX);
    let withheld = queue.set_gate(Gate::Rejected);
    assert_eq!(whys(&withheld), [(1, "not accepted")]);
    let withheld = queue.push(message(2, Traffic::Transaction), usize::MAX);
    assert_eq!(whys(&withheld), [(2, "not accepted")]);
    queue.push(message(3, Traffic::Boot), usize::MAX);
    assert_eq!(next(&queue), Some(3));
}

#[test]
fn what_was_kept_goes_first_and_only_a_boot_goes_before_it() {
    let mut before = open(QueueLimits::default());
    for seq in 1..=2 {
        before.push(message(seq, Traffic::Transaction), usize::MAX);
    }
    before.push(message(3, Traffic::Other), usize::MAX);
    assert_eq!(
        whys(&before.drain("connection closed")),
        [(3, "connection closed")]
    );
    let kept = before.take_kept();
    assert_eq!((before.bytes(), before.len()), (0, 0));

    let mut queue = open(QueueLimits::default());
    queue.push(message(4, Traffic::Boot), usize::MAX);
    queue.push(message(5, Traffic::Transaction), usize::MAX);
    assert!(queue.adopt(kept).is_empty());
    assert_eq!(queue.front().map(|first| first.seq), Some(4));
    for seq in [4, 1, 2, 5] {
        assert_eq!(next(&queue), Some(seq));
        queue.sent(10, 0);
        queue.expired();
    }
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn what_is_adopted_is_bounded_too() {
    let limits = QueueLimits {
        count: 2,
        bytes: 1 << 20,
    };
    let kept = (1..=2).map(|seq| Rc::new(message(seq, Traffic::Transaction)));
    let mut queue = open(limits);
    queue.push(message(3, Traffic::Other), usize::MAX);
    queue.push(message(4, Traffic::Transaction), usize::MAX);
    let given_up = queue.adopt(kept.collect());
    assert_eq!(whys(&given_up), [(3, "queue full"), (4, "queue full")]);
    assert_eq!(next(&queue), Some(1));
}

#[test]
fn while_a_transaction_rests_other_messages_overtake() {
    let mut queue = open(QueueLimits::default());
    queue.push(message(1, Traffic::Transaction), usize::MAX);
    queue.sent(10, 0);
    let failed = queue.expired().unwrap();
    queue.rest(failed.call.transaction().unwrap());
    queue.push(message(2, Traffic::Transaction), usize::MAX);
    queue.push(message(3, Traffic::Other), usize::MAX);
    assert_eq!(next(&queue), Some(3));
    queue.rested();
    let Some(Call::Mirrored(first)) = queue.next() else {
        panic!("nothing to send");
    };
    assert_eq!((first.seq, first.failed), (1, 1));
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

/// Made-up CALLs are numbered from here.
const MADE_UP: u64 = 1_000_000;

#[derive(Debug, Clone)]
enum Op {
    Push(Traffic, usize),
    Gate(Gate),
    MakeUp(&'static str, &'static str),
    Send,
    Skip,
    Answer,
    Expire,
    Disconnect,
    Reconnect,
    Rest,
    Rested,
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
        Gate::Pending,
        Gate::Rejected,
        Gate::Away,
        Gate::Refused,
    ]);
    prop_oneof![
        4 => (traffic, 0_usize..2000).prop_map(|(traffic, room)| Op::Push(traffic, room)),
        2 => gate.prop_map(Op::Gate),
        1 => Just(Op::MakeUp("BootNotification", "boot")),
        1 => Just(Op::MakeUp("StatusNotification", "trigger")),
        4 => Just(Op::Send),
        1 => Just(Op::Skip),
        3 => Just(Op::Answer),
        1 => Just(Op::Expire),
        1 => Just(Op::Disconnect),
        1 => Just(Op::Reconnect),
        1 => Just(Op::Rest),
        1 => Just(Op::Rested),
    ]
}

proptest! {
    #[test]
    fn every_message_has_exactly_one_fate_and_transactions_keep_their_order(
        ops in prop::collection::vec(op(), 0..200)
    ) {
        let limits = QueueLimits { count: 6, bytes: 1000 };
        let mut queue = open(limits);
        let (mut pushed, mut made_up, mut over) = (0, 0, std::collections::BTreeSet::new());
        let mut last_transaction = 0;
        for op in ops {
            let withheld = match op {
                Op::Push(traffic, room) => {
                    pushed += 1;
                    queue.push(message(pushed, traffic), room)
                }
                Op::Gate(gate) => queue.set_gate(gate),
                Op::MakeUp(action, why) => {
                    made_up += 1;
                    let id = (MADE_UP + made_up).to_string().into();
                    let call = Synthetic { id, action: action.into(), text: "[]".into(), why };
                    queue.push_synthetic(call).into_iter().collect()
                }
                Op::Send => {
                    let next = queue.next();
                    if next.is_some() {
                        queue.sent(1, 0);
                    }
                    if let Some(Call::Mirrored(call)) = next {
                        if call.traffic == Traffic::Transaction {
                            prop_assert!(call.seq > last_transaction || call.again || call.failed > 0);
                            last_transaction = last_transaction.max(call.seq);
                        }
                        if call.traffic == Traffic::Send {
                            prop_assert!(over.insert(call.seq));
                        }
                    }
                    Vec::new()
                }
                Op::Skip => {
                    if let Some(call) = queue.skip() {
                        prop_assert!(over.insert(call.id().parse().unwrap()));
                    }
                    Vec::new()
                }
                Op::Answer | Op::Expire => {
                    if let Some(out) = queue.expired() {
                        prop_assert!(over.insert(out.call.id().parse().unwrap()));
                    }
                    Vec::new()
                }
                Op::Rest => {
                    match queue.expired().map(|out| out.call) {
                        Some(Call::Mirrored(call)) if call.traffic == Traffic::Transaction => {
                            queue.rest(&call);
                        }
                        Some(call) => prop_assert!(over.insert(call.id().parse().unwrap())),
                        None => {}
                    }
                    Vec::new()
                }
                Op::Rested => {
                    queue.rested();
                    Vec::new()
                }
                Op::Reconnect => {
                    let lost = queue.disconnected();
                    if let Some(call) = lost.map(|out| out.call)
                        && call.transaction().is_none()
                    {
                        prop_assert!(over.insert(call.id().parse().unwrap()));
                    }
                    let mut withheld = queue.drain("connection closed");
                    let kept = queue.take_kept();
                    queue = Queue::new(limits);
                    withheld.extend(queue.adopt(kept));
                    withheld
                }
                Op::Disconnect => {
                    if let Some(Outstanding { call, .. }) = queue.disconnected()
                        && call.transaction().is_none()
                    {
                        prop_assert!(over.insert(call.id().parse().unwrap()));
                    }
                    Vec::new()
                }
            };
            for one in withheld {
                prop_assert_eq!(one.seq == 0, one.synthetic.is_some());
                prop_assert!(over.insert(one.id.parse().unwrap()), "{} twice", one.id);
            }
            let outstanding = usize::from(queue.outstanding().is_some());
            let held = queue.len() + queue.synthetic.len() + outstanding;
            prop_assert_eq!(over.len() + held, (pushed + made_up) as usize);
            // A message that goes again may exceed the limits by itself.
            prop_assert!(queue.len() <= limits.count + 1);
            let weights: usize = queue.waiting.iter().map(|message| message.weight()).sum();
            prop_assert_eq!(queue.bytes(), weights);
        }
    }
}
