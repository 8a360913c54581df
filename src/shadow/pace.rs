//! How fast legs may connect, come back and be talked to.

use std::cell::Cell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Spaces out the connects of all legs, so that no backend sees a flood of them after an outage.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    next: Cell<Option<Instant>>,
}

impl Pace {
    /// At most `per_second` turns a second; 0 counts as 1.
    pub fn new(per_second: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            next: Cell::new(None),
        }
    }

    /// Waits for the next turn. A turn that is given up is lost.
    pub async fn turn(&self) {
        let now = Instant::now();
        let at = self.next.get().map_or(now, |next| next.max(now));
        self.next.set(Some(at + self.interval));
        if at > now {
            sleep_until(at).await;
        }
    }
}

/// Waits between attempts: doubling, with a jitter that differs from charger to charger but not from run to run.
#[derive(Debug)]
pub struct Backoff {
    range: (Duration, Duration),
    seed: u64,
    attempt: u32,
}

impl Backoff {
    /// Waits between `range`, jittered by `name`.
    pub fn new(range: (Duration, Duration), name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self {
            range,
            seed: hasher.finish(),
            attempt: 0,
        }
    }

    /// The next wait: between half and all of the doubled time.
    pub fn wait(&mut self) -> Duration {
        let full = self
            .range
            .0
            .saturating_mul(1 << self.attempt.min(20))
            .min(self.range.1);
        let mut hasher = DefaultHasher::new();
        (self.seed, self.attempt).hash(&mut hasher);
        self.attempt = self.attempt.saturating_add(1);
        let share = hasher.finish() % 1000;
        full / 2 + full / 2 * share as u32 / 1000
    }

    /// The backend is well again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// A rate with a burst: how often a backend may speak before it is left waiting.
#[derive(Debug)]
pub struct Allowance {
    interval: Duration,
    burst: Duration,
    /// When everything taken so far will be paid for.
    paid: Instant,
}

impl Allowance {
    /// `per_second` on average, `burst` at once.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            burst: interval * burst.max(1),
            paid: Instant::now(),
        }
    }

    /// Takes one.
    pub fn take(&mut self) {
        self.paid = self.paid.max(Instant::now()) + self.interval;
    }

    /// When one may be taken again; `None`: now.
    pub fn exhausted_until(&self) -> Option<Instant> {
        let free = self.paid.checked_sub(self.burst)?;
        (free > Instant::now()).then_some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_differ_by_charger() {
        let range = (Duration::from_secs(1), Duration::from_mins(1));
        let waits = |name| {
            let mut backoff = Backoff::new(range, name);
            (0..10).map(|_| backoff.wait()).collect::<Vec<_>>()
        };
        let (one, two) = (waits("CP1"), waits("CP2"));
        assert_ne!(one, two);
        assert_eq!(one, waits("CP1"));
        for (attempt, wait) in one.iter().enumerate() {
            let full = Duration::from_secs(1 << attempt).min(range.1);
            assert!(full / 2 <= *wait && *wait <= full, "{attempt}: {wait:?}");
        }
    }

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let mut allowance = Allowance::new(1, 5);
        for _ in 0..5 {
            assert_eq!(allowance.exhausted_until(), None);
            allowance.take();
        }
        allowance.take();
        assert!(allowance.exhausted_until().is_some());
    }
}
