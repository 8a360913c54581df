//! The bounded buffer between the live plane and the shadow plane.
//!
//! It never waits. A frame that does not fit is dropped wholly (or its rest, if it had begun to go in) and becomes part
//! of a gap; the gap goes in as soon as there is room, and before the next frame of its direction. The rare records have
//! a reserve of their own.

use std::collections::{BTreeMap, VecDeque};

use super::handover::{Gap, HEAD, Part, Record, encode_part};
use crate::clock::Micros;
use crate::facts::Dir;

/// Bytes kept free for the rare records, beyond the limit for frames.
pub const RESERVE: usize = 1024 * 1024;

/// Bytes that one write hands over at most.
pub const SLICE: usize = 64 * 1024;

/// Generous length of an encoded gap.
const GAP_ROOM: usize = HEAD + 192;

/// Encoded records, oldest first.
#[derive(Debug)]
pub struct Tank {
    limit: usize,
    used: usize,
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the front chunk that are already gone.
    gone: usize,
    /// An empty chunk kept for reuse, so that a quiet tap does not allocate per batch.
    spare: Option<Vec<u8>>,
    missing: BTreeMap<(u64, usize), Missing>,
    taken: u64,
    overrun: bool,
}

/// A gap that has not been told yet.
#[derive(Debug)]
struct Missing {
    gap: Gap,
    at: Micros,
    /// The last frame of the gap still goes on; its rest belongs to it.
    unfinished: bool,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It will be handed over.
    Taken,
    /// Its frame was already lost; so is this part.
    Dropped,
    /// Its frame is lost from here on.
    Lost,
}

impl Tank {
    /// An empty tank that holds `limit` bytes of frames, and the reserve.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            chunks: VecDeque::new(),
            gone: 0,
            spare: None,
            missing: BTreeMap::new(),
            taken: 0,
            overrun: false,
        }
    }

    /// Offers a part of a frame. Parts of one direction must come in order.
    pub fn offer(&mut self, part: &Part<'_>) -> Offer {
        let key = (part.conn, part.dir.index());
        let mut need = HEAD + part.bytes.len();
        if !self.missing.is_empty()
            && let Some(missing) = self.missing.get_mut(&key)
        {
            if missing.unfinished {
                missing.swallow(part);
                return Offer::Dropped;
            }
            need += GAP_ROOM;
        }
        if self.used + need > self.limit {
            self.lose(key, part);
            return Offer::Lost;
        }
        self.tell_gap(key);
        self.write(HEAD + part.bytes.len(), |out| encode_part(part, out));
        Offer::Taken
    }

    /// Puts in one of the rare records. When even the reserve is used up the tank is [overrun](Tank::is_overrun).
    pub fn push(&mut self, record: &Record<'_>) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        if self.used + bytes.len() > self.limit + RESERVE {
            self.overrun = true;
            return;
        }
        self.write(bytes.len(), |out| out.extend_from_slice(&bytes));
    }

    /// Puts in what a new shadow plane must know first, whatever its size.
    pub fn announce(&mut self, record: &Record<'_>) {
        self.write(SLICE, |out| record.encode(out));
    }

    /// Tells the pending gaps of a direction that ends or gets lost, from the reserve. Returns whether there was one.
    pub fn close_gap(&mut self, conn: u64, dir: Dir) -> bool {
        self.tell_gap((conn, dir.index()))
    }

    /// Whether a rare record did not fit: the shadow plane has missed something that no gap describes and must be
    /// replaced by one that is told everything anew.
    pub fn is_overrun(&self) -> bool {
        self.overrun
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Bytes waiting.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes ever put in: the position behind the newest record.
    pub fn written(&self) -> u64 {
        self.taken + self.used as u64
    }

    /// Bytes ever taken out.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The oldest waiting bytes, at most [`SLICE`].
    pub fn front(&self) -> &[u8] {
        let front = self
            .chunks
            .front()
            .map_or(&[][..], |chunk| &chunk[self.gone..]);
        &front[..front.len().min(SLICE)]
    }

    /// Notes that `n` bytes of [`Tank::front`] are handed over, and tells pending gaps if there is room now. Returns how
    /// many gaps were told.
    pub fn advance(&mut self, n: usize) -> u64 {
        self.gone += n;
        self.used -= n;
        self.taken += n as u64;
        if self
            .chunks
            .front()
            .is_some_and(|chunk| chunk.len() == self.gone)
            && let Some(mut chunk) = self.chunks.pop_front()
        {
            self.gone = 0;
            if chunk.capacity() <= SLICE {
                chunk.clear();
                self.spare = Some(chunk);
            }
        }
        self.settle()
    }

    /// Forgets everything: there is nobody to hand it to.
    pub fn clear(&mut self) {
        self.taken += self.used as u64;
        self.used = 0;
        self.gone = 0;
        self.chunks.clear();
        self.missing.clear();
        self.overrun = false;
    }

    fn settle(&mut self) -> u64 {
        let mut told = 0;
        while self.used + GAP_ROOM <= self.limit {
            let finished = self.missing.iter().find(|(_, missing)| !missing.unfinished);
            let Some((&key, _)) = finished else { break };
            self.tell_gap(key);
            told += 1;
        }
        told
    }

    fn tell_gap(&mut self, key: (u64, usize)) -> bool {
        let Some(Missing { gap, at, .. }) = self.missing.remove(&key) else {
            return false;
        };
        self.push(&Record::Gap(key.0, Dir::BOTH[key.1], at, gap));
        true
    }

    fn lose(&mut self, key: (u64, usize), part: &Part<'_>) {
        let missing = self.missing.entry(key).or_insert_with(|| Missing {
            gap: Gap {
                first: part.frame,
                last: part.frame,
                bytes: 0,
                why: "hand-over full".to_owned(),
            },
            at: part.at,
            unfinished: true,
        });
        missing.swallow(part);
    }

    fn write(&mut self, len: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let room = |chunk: &Vec<u8>| chunk.len() + len <= SLICE;
        if !self.chunks.back().is_some_and(room) {
            let chunk = self
                .spare
                .take()
                .unwrap_or_else(|| Vec::with_capacity(SLICE));
            self.chunks.push_back(chunk);
        }
        if let Some(chunk) = self.chunks.back_mut() {
            let before = chunk.len();
            encode(chunk);
            self.used += chunk.len() - before;
        }
    }
}

impl Missing {
    fn swallow(&mut self, part: &Part<'_>) {
        self.gap.last = part.frame;
        self.gap.bytes += part.bytes.len() as u64;
        self.unfinished = !part.last;
    }
}

#[cfg(test)]
mod tests {
    use super::super::handover::decode;
    use super::*;
    use proptest::prelude::*;

    fn part(frame: u64, first: bool, last: bool, bytes: &[u8]) -> Part<'_> {
        Part {
            conn: 1,
            dir: Dir::FromCharger,
            frame,
            at: 0,
            first,
            last,
            cut: false,
            bytes,
        }
    }

    /// What a reader makes of the tank's bytes: per frame whether it came whole, and the gaps.
    #[derive(Default)]
    struct Reader {
        bytes: Vec<u8>,
        begun: Option<u64>,
        whole: Vec<u64>,
        gaps: Vec<(u64, u64)>,
        order: Vec<u64>,
    }

    impl Reader {
        fn take(&mut self, tank: &mut Tank, n: usize) {
            let n = n.min(tank.front().len());
            self.bytes.extend_from_slice(&tank.front()[..n]);
            tank.advance(n);
            let mut at = 0;
            while let Some((record, used)) = decode(&self.bytes[at..]).unwrap() {
                match record {
                    Record::Part(part) => {
                        if part.first {
                            assert_eq!(self.begun, None);
                            self.begun = Some(part.frame);
                        }
                        assert_eq!(
                            self.begun,
                            Some(part.frame),
                            "no part without its beginning"
                        );
                        if part.last {
                            self.begun = None;
                            self.whole.push(part.frame);
                            self.order.push(part.frame);
                        }
                    }
                    Record::Gap(_, _, _, gap) => {
                        if let Some(begun) = self.begun.take() {
                            assert_eq!(begun, gap.first, "a gap takes a begun frame with it");
                        }
                        self.gaps.push((gap.first, gap.last));
                        self.order.extend(gap.first..=gap.last);
                    }
                    other => panic!("unexpected {other:?}"),
                }
                at += used;
            }
            self.bytes.drain(..at);
        }
    }

    proptest! {
        #[test]
        fn every_frame_is_handed_over_or_in_a_gap(
            frames in prop::collection::vec((1usize..4, 1usize..300), 1..60),
            reads in prop::collection::vec(0usize..400, 1..60),
        ) {
            let mut tank = Tank::new(900);
            let mut reader = Reader::default();
            let mut reads = reads.iter().cycle();
            let payload = [0; 300];
            for (index, &(parts, len)) in frames.iter().enumerate() {
                for n in 0..parts {
                    tank.offer(&part(index as u64 + 1, n == 0, n + 1 == parts, &payload[..len]));
                    reader.take(&mut tank, *reads.next().unwrap());
                }
            }
            tank.close_gap(1, Dir::FromCharger);
            while !tank.is_empty() {
                reader.take(&mut tank, usize::MAX);
            }
            let all: Vec<u64> = (1..=frames.len() as u64).collect();
            prop_assert_eq!(reader.order, all, "each frame once and in order");
            prop_assert!(!tank.is_overrun());
        }
    }

    #[test]
    fn a_gap_is_told_as_soon_as_there_is_room() {
        let mut tank = Tank::new(2 * GAP_ROOM);
        let big = [0; GAP_ROOM];
        assert_eq!(tank.offer(&part(1, true, true, &big)), Offer::Taken);
        assert_eq!(tank.offer(&part(2, true, false, &big)), Offer::Lost);
        assert_eq!(tank.offer(&part(2, false, true, &[])), Offer::Dropped);
        let mut reader = Reader::default();
        reader.take(&mut tank, usize::MAX);
        reader.take(&mut tank, usize::MAX);
        assert_eq!(reader.gaps, [(2, 2)]);
    }

    #[test]
    fn rare_records_have_a_reserve_and_its_end_is_noticed() {
        let mut tank = Tank::new(0);
        assert_eq!(tank.offer(&part(1, true, true, b"x")), Offer::Lost);
        while !tank.is_overrun() {
            assert!(tank.used() <= RESERVE);
            tank.push(&Record::Stopping(0));
        }
        tank.clear();
        assert!(tank.is_empty() && !tank.is_overrun());
    }
}
