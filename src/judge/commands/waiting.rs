//! A command that waits for its twin, and how long the other backend had to send one.

use crate::clock::Micros;
use crate::judge::triggers::Trigger;
use crate::judge::world::Origin;
use crate::ledger::row::Reason;

/// How far apart two equivalent commands may be, µs.
pub(super) const WINDOW: Micros = 60_000_000;

/// The other backend may take so many times as long after the same trigger.
const PATIENCE: Micros = 3;

/// It may always take this long, µs.
const LEAST: Micros = 5_000_000;

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) seq: u64,
    pub(super) at: Micros,
    pub(super) origin: Origin,
    /// The authority sent it.
    pub(super) ours: bool,
    pub(super) action: String,
    pub(super) payload: String,
    /// What its sender was told last.
    pub(super) after: Option<Trigger>,
    /// Why it is not held against anybody that it has no twin.
    pub(super) spoil: Option<Reason>,
    /// The shadow's leg had not opened yet.
    pub(super) early: bool,
}

impl Waiting {
    /// The other backend was told the same as the sender.
    pub(super) fn told(&mut self, at: Micros) {
        if let Some(after) = &mut self.after {
            after.other.get_or_insert(at);
        }
    }

    /// Whether the other backend, watched until then, had all the time that it may take after the same trigger: some
    /// times what the sender took, a few seconds at least, the whole window at most.
    pub(super) fn had_its_time(&self, until: Micros) -> bool {
        let Some(after) = &self.after else {
            return false;
        };
        let needs = after.delay(self.at).saturating_mul(PATIENCE);
        let since = after.other;
        since.is_some_and(|since| until.saturating_sub(since) >= needs.clamp(LEAST, WINDOW))
    }
}
