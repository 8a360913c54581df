//! Simulated time: the real clock, run faster.
//!
//! At speed 60 one real second is one simulated minute. Chargers stamp their messages in simulated time, so that the
//! lengths of sessions, the energy and the cost fit together; the stamps therefore run ahead of the wall clock.
//! Backends answer with real time.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

use crate::clock::{Clock, Micros};

/// A simulated clock: where it started and how fast it runs.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    origin: Micros,
    speed: u32,
}

impl Pace {
    /// A clock that starts now and runs `speed` times as fast as the real one. 0 is taken as 1.
    pub fn new(speed: u32) -> Self {
        Self {
            origin: Clock::system().now(),
            speed: speed.max(1),
        }
    }

    /// Simulated now, in microseconds since the Unix epoch.
    pub fn now(&self) -> Micros {
        self.origin + (Clock::system().now() - self.origin) * i64::from(self.speed)
    }

    /// How long `simulated` takes in real time.
    pub fn real(&self, simulated: Duration) -> Duration {
        simulated / self.speed
    }

    /// Simulated now as OCPP writes it, with milliseconds and `Z`.
    pub fn stamp(&self) -> String {
        stamp(self.now(), SecondsFormat::Millis)
    }
}

/// A point in time as OCPP writes it. Out of the calendar's range it is the epoch.
pub(super) fn stamp(at: Micros, precision: SecondsFormat) -> String {
    DateTime::from_timestamp_micros(at)
        .unwrap_or_default()
        .to_rfc3339_opts(precision, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_takes_a_second_at_sixty_times() {
        let pace = Pace::new(60);
        assert_eq!(pace.real(Duration::from_mins(1)), Duration::from_secs(1));
        assert!(pace.now() >= pace.origin);
    }

    #[test]
    fn stamps_are_rfc_3339_in_utc() {
        assert_eq!(
            stamp(1_700_000_000_123_456, SecondsFormat::Millis),
            "2023-11-14T22:13:20.123Z"
        );
    }
}
