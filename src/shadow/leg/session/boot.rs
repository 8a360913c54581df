//! Boot states: the backend may take the charger later than its authority, or not at all.
//!
//! A charger facing a backend that has not accepted it would boot again at the interval that the backend named, answer its
//! commands and otherwise hold its tongue; so does its leg.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::clock::Clock;
use crate::ocpp::{Envelope, MessageType};
use crate::shadow::prime::{self, Decision, Moment};
use crate::shadow::queue::{Gate, Queue};
use crate::shadow::stand_in::{self, Acceptance};

/// How long to wait before a BootNotification is repeated when the backend names no interval, and the bounds of what it
/// may name.
const BOOT_INTERVAL: Duration = Duration::from_mins(1);
const BOOT_INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

impl Session<'_> {
    /// Introduces the charger to the backend, if it does not do so itself.
    pub(super) fn prime(&mut self) {
        let Some(at) = self.prime_at else { return };
        let decision = self.link.queue(|queue| {
            prime::decide(Moment {
                first: queue.front(),
                charger_caused: self.charger_caused,
                booted: self.link.booted(),
                waited: at <= Instant::now(),
            })
        });
        if decision == Decision::Wait {
            return;
        }
        self.prime_at = None;
        if decision == Decision::Now {
            self.synthesise_boot("boot");
            self.synthesise_statuses();
        }
    }

    pub(super) fn synthesise_boot(&mut self, why: &'static str) {
        let boot = prime::boot(&self.link.memory.borrow().model, self.ids, why);
        if let Some(boot) = boot {
            let boot = self.after_restart(boot);
            self.link.make_up([boot]);
        }
    }

    fn synthesise_statuses(&mut self) {
        let statuses = prime::statuses(&self.link.memory.borrow().model, self.ids);
        self.link.make_up(statuses);
    }

    pub(super) fn boot_answered(&mut self, answer: &Envelope<'_>) {
        let before = self.acceptance;
        let (acceptance, interval) = if answer.kind == MessageType::CallResult {
            stand_in::acceptance(answer.payload)
        } else {
            // An error is no decision: the charger would try again.
            (Acceptance::Unknown, None)
        };
        self.acceptance = acceptance;
        let now = Clock::system().now();
        self.link.memory.borrow_mut().took_boot(acceptance, now);
        if acceptance == Acceptance::Accepted {
            self.boot_at = None;
            self.accepted(before);
            return;
        }
        let wait = interval
            .filter(|seconds| *seconds > 0)
            .map_or(BOOT_INTERVAL, |seconds| Duration::from_secs(seconds as u64))
            .clamp(BOOT_INTERVALS.0, BOOT_INTERVALS.1);
        self.boot_at = Some(Instant::now() + wait);
        self.link.set_gate(if acceptance == Acceptance::Rejected {
            Gate::Rejected
        } else {
            Gate::Pending
        });
    }

    /// The backend takes the charger now: what waited goes, in order. If no status is among it, the backend has none yet.
    fn accepted(&mut self, before: Acceptance) {
        let waited = matches!(before, Acceptance::Pending | Acceptance::Rejected)
            || self.link.queue(Queue::gate) == Gate::Pending;
        self.link.set_gate(Gate::Open);
        if waited && !self.link.queue(|queue| queue.holds("StatusNotification")) {
            self.synthesise_statuses();
        }
    }
}
