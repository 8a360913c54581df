//! The bounded queue before the writer. Pure: numbers facts, refuses bulk when full, and turns refusals into gap facts.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::json;

use super::Counters;
use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Leg};

/// Facts that are accepted and not yet committed, and what was refused since.
pub(super) struct Queue {
    facts: VecDeque<Fact>,
    /// Bytes of `facts` and of the batch that the writer holds.
    bytes: usize,
    capacity: usize,
    reserve: usize,
    /// Refusing bulk until half the capacity is free, so that a crowded disk makes few long gaps, not many short ones.
    full: bool,
    last_seq: u64,
    lost: BTreeMap<(u64, Option<Dir>), Lost>,
    counters: Counters,
}

/// Facts of one connection and direction that were refused in a row.
struct Lost {
    at: Micros,
    charger: Arc<str>,
    leg: Option<Leg>,
    facts: u64,
    frames: u64,
    first: u64,
    last: u64,
    bytes: u64,
}

impl Queue {
    /// An empty queue of at most `capacity` bytes, with `reserve` bytes more for rare facts. Numbers go on after
    /// `last_seq`.
    pub(super) fn new(capacity: usize, reserve: usize, last_seq: u64) -> Self {
        Self {
            facts: VecDeque::new(),
            bytes: 0,
            capacity,
            reserve,
            full: false,
            last_seq,
            lost: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a fact and numbers it, or counts it as lost. A gap fact goes first if facts of the same connection and
    /// direction were lost before it.
    pub(super) fn offer(&mut self, fact: Fact) -> Option<u64> {
        if !self.has_room(&fact) {
            self.lose(fact);
            return None;
        }
        if fact.kind == Kind::ConnClosed {
            self.confess(|conn, _| conn == fact.conn);
        } else {
            self.confess(|conn, dir| (conn, dir) == (fact.conn, fact.dir));
        }
        Some(self.push(fact))
    }

    /// Takes up to `count` facts for the writer. Their bytes count until [`Queue::committed`].
    pub(super) fn take(&mut self, count: usize) -> Vec<Fact> {
        if count >= self.facts.len() {
            // The usual case, and a cheap one: nothing is copied under the lock.
            return std::mem::take(&mut self.facts).into();
        }
        self.facts.drain(..count).collect()
    }

    /// The writer has synced a batch: its room is free again, and gaps that waited for it are said.
    pub(super) fn committed(&mut self, batch: &[Fact]) {
        let bytes: usize = batch.iter().map(Fact::weight).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        self.counters.queued -= batch.len() as u64;
        self.counters.committed += batch.len() as u64;
        if self.full && self.bytes <= self.capacity / 2 {
            self.full = false;
            self.confess(|_, _| true);
        }
    }

    /// Says every gap now, room or not: the recorder is closing.
    pub(super) fn confess_all(&mut self) {
        self.confess(|_, _| true);
    }

    /// Facts that wait for the writer.
    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether bulk facts are being refused.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether three quarters of the room are taken.
    pub(super) fn is_pressed(&self) -> bool {
        self.full || self.bytes >= self.capacity / 4 * 3
    }

    /// Totals since the recorder was opened.
    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    fn has_room(&mut self, fact: &Fact) -> bool {
        let needed = self.bytes + fact.weight();
        if fact.kind.is_bulk() {
            self.full |= needed > self.capacity;
            !self.full
        } else {
            needed <= self.capacity + self.reserve
        }
    }

    fn push(&mut self, mut fact: Fact) -> u64 {
        self.last_seq += 1;
        fact.seq = self.last_seq;
        self.bytes += fact.weight();
        self.facts.push_back(fact);
        self.counters.seen += 1;
        self.counters.queued += 1;
        self.last_seq
    }

    fn lose(&mut self, fact: Fact) {
        let frames = fact.accounts_for().map_or(0, |_| fact.frames);
        let first = (fact.frame + 1).saturating_sub(fact.frames);
        self.counters.seen += 1;
        self.counters.lost_facts += 1;
        self.counters.lost_frames += frames;
        let bytes = fact.body.len() as u64;
        let lost = self.lost.entry((fact.conn, fact.dir)).or_insert(Lost {
            at: fact.at,
            charger: fact.charger,
            leg: fact.leg,
            facts: 0,
            frames: 0,
            first: u64::MAX,
            last: 0,
            bytes: 0,
        });
        lost.at = fact.at;
        lost.facts += 1;
        lost.bytes += bytes;
        if frames > 0 {
            lost.frames += frames;
            lost.first = lost.first.min(first);
            lost.last = lost.last.max(fact.frame);
        }
    }

    /// Turns losses into gap facts. There are at most two a connection, so they may exceed the capacity.
    fn confess(&mut self, which: impl Fn(u64, Option<Dir>) -> bool) {
        if self.lost.is_empty() {
            return;
        }
        let due = self.lost.extract_if(.., |&(conn, dir), _| which(conn, dir));
        let gaps: Vec<Fact> = due.map(|(key, lost)| lost.into_gap(key)).collect();
        for gap in gaps {
            self.push(gap);
        }
    }
}

impl Lost {
    fn into_gap(self, (conn, dir): (u64, Option<Dir>)) -> Fact {
        let note = if self.frames > 0 {
            json!({"why": "recorder full", "first": self.first, "last": self.last,
                   "bytes": self.bytes, "facts": self.facts})
        } else {
            json!({"why": "recorder full", "bytes": self.bytes, "facts": self.facts})
        };
        Fact {
            leg: self.leg,
            dir,
            ..Fact::new(Kind::Gap, self.at)
        }
        .on(&self.charger, conn)
        .covering(self.last, self.frames)
        .note(&note)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(conn: u64, frame: u64, size: usize) -> Fact {
        Fact::new(Kind::Message, frame as Micros)
            .on(&Arc::from("CP1"), conn)
            .via(Leg::Legacy, Dir::FromCharger)
            .covering(frame, 1)
            .body(vec![b'x'; size])
    }

    #[test]
    fn a_gap_precedes_the_next_accepted_fact_of_its_direction() {
        let mut queue = Queue::new(2_000, 1_000, 41);
        assert_eq!(queue.offer(message(1, 1, 1_500)), Some(42));
        assert_eq!(queue.offer(message(1, 2, 1_500)), None);
        assert_eq!(queue.offer(message(1, 3, 10)), None);
        assert!(queue.is_full());
        let batch = queue.take(9);
        assert_eq!(batch.len(), 1);
        assert_eq!(
            queue.offer(message(1, 4, 10)),
            None,
            "bytes in flight count"
        );
        queue.committed(&batch);
        assert_eq!(queue.offer(message(1, 5, 10)), Some(44));
        let facts = queue.take(9);
        assert_eq!(facts[0].kind, Kind::Gap);
        assert_eq!((facts[0].seq, facts[0].frame, facts[0].frames), (43, 4, 3));
        let note = facts[0].note_json();
        assert_eq!(
            (note["first"].as_u64(), note["last"].as_u64()),
            (Some(2), Some(4))
        );
        assert_eq!(note["bytes"].as_u64(), Some(1_520));
    }

    #[test]
    fn rare_facts_use_the_reserve_and_a_close_confesses_both_directions() {
        let mut queue = Queue::new(500, 1_000, 0);
        assert_eq!(queue.offer(message(1, 1, 600)), None);
        let mut down = message(1, 7, 600);
        down.dir = Some(Dir::ToCharger);
        assert_eq!(queue.offer(down), None);
        let closed = Fact::new(Kind::ConnClosed, 9).on(&Arc::from("CP1"), 1);
        assert_eq!(queue.offer(closed), Some(3));
        let kinds: Vec<Kind> = queue.take(9).iter().map(|fact| fact.kind).collect();
        assert_eq!(kinds, [Kind::Gap, Kind::Gap, Kind::ConnClosed]);
    }

    proptest! {
        #[test]
        fn every_frame_is_queued_or_in_a_gap(
            steps in prop::collection::vec((0u64..3, 0usize..900, 0u8..4), 1..200)
        ) {
            let mut queue = Queue::new(3_000, 2_000, 0);
            let mut frames = [0u64; 3];
            let mut kept = Vec::new();
            for (conn, size, step) in steps {
                if step == 0 {
                    let batch = queue.take(3);
                    queue.committed(&batch);
                    kept.extend(batch);
                } else {
                    frames[conn as usize] += 1;
                    queue.offer(message(conn, frames[conn as usize], size));
                }
            }
            queue.confess_all();
            let rest = queue.take(usize::MAX);
            queue.committed(&rest);
            kept.extend(rest);
            for (index, fact) in kept.iter().enumerate() {
                prop_assert_eq!(fact.seq, index as u64 + 1);
            }
            for (conn, seen) in frames.iter().enumerate() {
                let covered: u64 = kept.iter().filter(|fact| fact.conn == conn as u64)
                    .map(|fact| fact.frames).sum();
                prop_assert_eq!(covered, *seen);
            }
            let counters = queue.counters();
            prop_assert_eq!(counters.queued, 0);
            prop_assert_eq!(counters.seen, counters.committed + counters.lost_facts);
        }
    }
}
