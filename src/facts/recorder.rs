//! The recorder: one writer thread behind a bounded queue.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Fact;

/// Handle to the recorder; cheap to clone. Never blocks its caller.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

struct Inner {
    facts: Mutex<Vec<Fact>>,
    committed: watch::Sender<u64>,
}

impl Recorder {
    /// A recorder that keeps facts in memory and counts them as committed at once: for unit tests.
    pub fn in_memory() -> Self {
        Self {
            inner: Arc::new(Inner {
                facts: Mutex::new(Vec::new()),
                committed: watch::Sender::new(0),
            }),
        }
    }

    /// Takes a fact. Returns its sequence number, or `None` when the queue is full: then its frames are counted and lie in
    /// a gap fact that the recorder writes by itself as soon as there is room. Never blocks.
    pub fn record(&self, mut fact: Fact) -> Option<u64> {
        let mut facts = self
            .inner
            .facts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let seq = facts.len() as u64 + 1;
        fact.seq = seq;
        facts.push(fact);
        self.inner.committed.send_replace(seq);
        Some(seq)
    }

    /// The highest sequence number that is synced to disk, as it changes.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.inner.committed.subscribe()
    }

    /// Asks for a commit now rather than at the next group commit: something waits for it.
    pub fn urge(&self) {}

    /// What an in-memory recorder holds.
    pub fn facts(&self) -> Vec<Fact> {
        self.inner
            .facts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
