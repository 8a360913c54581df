//! The charger's own clock: time that passes without anybody waiting, a clock that is set wrong, a clock that runs fast.
//!
//! It begins so far in the past that it shows the present when the last step is reached: nothing lies in the future.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

use crate::clock::{Clock, Micros};

const HOUR: i128 = 3_600_000_000;

/// What becomes of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// It is set so much later or earlier, µs.
    By(Micros),
    /// It is set to an instant, as after a power loss without a battery.
    To(Micros),
    /// It gains so much every hour, µs; less than nothing if it loses.
    Gains(Micros),
}

/// A running one.
#[derive(Debug, Clone)]
pub(super) struct ChargerClock {
    /// Simulated time that has yet to pass until the end, µs.
    left: Micros,
    /// How far it is off, µs.
    off: Micros,
    /// What it gains every hour, and since which true instant.
    gains: (Micros, Micros),
}

impl ChargerClock {
    /// One that shows the present once so much has passed.
    pub(super) fn new(all: Duration) -> Self {
        Self {
            left: micros(all),
            off: 0,
            gains: (0, 0),
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.left -= micros(time);
    }

    /// Somebody sets it, or it begins to drift.
    pub(super) fn set(&mut self, setting: Setting) {
        let shown = self.now();
        match setting {
            Setting::By(by) => self.off += by,
            Setting::To(at) => self.off += at - shown,
            Setting::Gains(gains) => {
                self.off = shown - self.real();
                self.gains = (gains, self.real());
            }
        }
    }

    fn real(&self) -> Micros {
        Clock::system().now() - self.left
    }

    /// What it shows.
    pub(super) fn now(&self) -> Micros {
        let real = self.real();
        let (gains, since) = self.gains;
        let drifted = i128::from(gains) * i128::from(real - since) / HOUR;
        real + self.off + drifted as Micros
    }
}

fn micros(time: Duration) -> Micros {
    time.as_micros() as Micros
}

/// An instant as OCPP writes it.
pub(super) fn stamp(at: Micros) -> String {
    DateTime::from_timestamp_micros(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Micros = 60_000_000;

    fn is_near(a: Micros, b: Micros) -> bool {
        (a - b).abs() < 10_000_000
    }

    #[test]
    fn it_shows_the_present_when_everything_has_passed() {
        let mut clock = ChargerClock::new(Duration::from_hours(1));
        assert!(is_near(clock.now(), Clock::system().now() - 60 * MINUTE));
        clock.pass(Duration::from_hours(1));
        assert!(is_near(clock.now(), Clock::system().now()));
    }

    #[test]
    fn a_clock_can_be_set_and_can_run_fast() {
        let mut clock = ChargerClock::new(Duration::from_hours(2));
        clock.set(Setting::By(-30 * MINUTE));
        assert!(is_near(clock.now(), Clock::system().now() - 150 * MINUTE));
        clock.set(Setting::To(0));
        assert!(is_near(clock.now(), 0));
        clock.set(Setting::Gains(MINUTE));
        clock.pass(Duration::from_hours(2));
        assert!(is_near(clock.now(), 122 * MINUTE));
    }
}
