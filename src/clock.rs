//! The only place that reads the time.
//!
//! Stamps are microseconds since the Unix epoch, UTC. The wall clock is read once per process and carried forward by
//! the monotonic clock, so a stepped wall clock can neither reorder facts nor stretch a latency. [`Clock::drift`] tells
//! how far the wall clock has moved away since; tick facts carry it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since the Unix epoch, UTC.
pub type Micros = i64;

/// A wall clock anchored once and carried forward monotonically. `Copy`, so every task may hold one.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Micros,
    mono: Instant,
}

impl Clock {
    /// The process-wide clock, anchored at its first use.
    pub fn system() -> Self {
        static ANCHOR: OnceLock<Clock> = OnceLock::new();
        *ANCHOR.get_or_init(|| Self {
            wall: wall_now(),
            mono: Instant::now(),
        })
    }

    /// Now, in microseconds since the Unix epoch; never goes backwards.
    pub fn now(&self) -> Micros {
        self.wall + self.mono.elapsed().as_micros() as Micros
    }

    /// How far the wall clock is ahead of this clock, in microseconds. Anything but a small number is a clock step.
    pub fn drift(&self) -> Micros {
        wall_now() - self.now()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
fn wall_now() -> Micros {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_micros() as Micros
}
