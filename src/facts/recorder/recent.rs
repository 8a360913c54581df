//! Facts that were committed a moment ago: a reader that keeps up with the recorder need not ask the disk for them.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::Shared;
use crate::facts::Fact;

/// Bytes of facts that are kept for a follower. One that lags more reads the recording.
const KEPT: usize = 8 << 20;

/// The last batches, oldest first.
#[derive(Default)]
pub(super) struct Recent {
    batches: VecDeque<Vec<Fact>>,
    bytes: usize,
}

impl Recent {
    /// Keeps a batch, and as many older ones as there is room for.
    pub(super) fn keep(&mut self, batch: Vec<Fact>) {
        self.bytes += weight(&batch);
        self.batches.push_back(batch);
        while self.bytes > KEPT && self.drop_oldest() {}
    }

    /// Gives away the batch that goes on behind fact `seq`, if it is still here. What lies before it goes, too: a quiet
    /// night holds nothing.
    fn behind(&mut self, seq: u64) -> Option<Vec<Fact>> {
        let is_old = |batch: &Vec<Fact>| batch.last().is_none_or(|last| last.seq <= seq);
        while self.batches.front().is_some_and(is_old) {
            self.drop_oldest();
        }
        if self.batches.front()?.first()?.seq > seq + 1 {
            return None;
        }
        let next = self.batches.pop_front()?;
        self.bytes -= weight(&next);
        Some(next)
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self.batches.pop_front();
        self.bytes -= oldest.as_deref().map_or(0, weight);
        oldest.is_some()
    }
}

fn weight(batch: &[Fact]) -> usize {
    batch.iter().map(Fact::weight).sum()
}

/// Follows a recorder: hears what is committed, and gets it without reading it back. A recorder has one at most.
pub struct Follower {
    shared: Arc<Shared>,
}

impl Follower {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        let follower = Self {
            shared: Arc::clone(shared),
        };
        follower.with_recent(|recent| *recent = Some(Recent::default()));
        follower
    }

    /// The highest sequence number that is synced to disk, as it changes.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.shared.committed.subscribe()
    }

    /// Committed facts in order, among them the one behind `seq`; `None` if they have to be read from the recording, as
    /// those that were given before.
    pub fn behind(&self, seq: u64) -> Option<Vec<Fact>> {
        self.with_recent(|recent| recent.as_mut()?.behind(seq))
    }

    fn with_recent<T>(&self, look: impl FnOnce(&mut Option<Recent>) -> T) -> T {
        let recent = &self.shared.recent;
        look(&mut recent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.with_recent(Option::take);
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Kind;

    fn batch(seqs: std::ops::RangeInclusive<u64>, size: usize) -> Vec<Fact> {
        let fact = |seq| Fact {
            seq,
            ..Fact::new(Kind::Message, 0).body(vec![0; size])
        };
        seqs.map(fact).collect()
    }

    #[test]
    fn a_follower_gets_each_batch_and_one_that_lags_must_read() {
        let mut recent = Recent::default();
        recent.keep(batch(1..=3, 10));
        recent.keep(batch(4..=5, 10));
        assert_eq!(recent.behind(0).unwrap().len(), 3);
        assert_eq!(recent.behind(2), None, "what was read is gone");
        assert_eq!(recent.behind(3).unwrap()[0].seq, 4);
        assert_eq!((recent.behind(5), recent.bytes), (None, 0));
        recent.keep(batch(6..=6, KEPT / 2));
        recent.keep(batch(7..=7, KEPT / 2));
        assert_eq!(recent.behind(5), None, "the oldest gave way");
        assert_eq!(recent.behind(6).unwrap()[0].seq, 7);
    }
}
