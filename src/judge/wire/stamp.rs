//! Timestamps of chargers, with what is wrong with them. A clock that is wrong is reported as it stands; only a second,
//! labelled result mends it.

use chrono::{DateTime, NaiveDateTime};

use super::Defect;
use crate::clock::Micros;
use crate::ocpp::instant;

/// Before 2010 no charger spoke OCPP: a clock that says so was never set, µs.
const UNSET: Micros = 1_262_304_000_000_000;

/// Clocks are off by whole quarters of an hour when a zone is to blame, µs.
const QUARTER: Micros = 900_000_000;

/// How long a message may have been under way when its clock is compared with ours, µs.
const UNDER_WAY: Micros = 60_000_000;

/// No zone is farther from UTC, µs.
const FARTHEST: Micros = 14 * 3_600_000_000;

/// A point in time as a charger states it, and when the tap heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// As stated, µs UTC; `None` if it cannot be read.
    pub(super) stated: Option<Micros>,
    pub(super) flaw: Option<Defect>,
    /// When the message came, µs.
    pub(super) heard: Micros,
    /// The charger says that it was offline then.
    pub(super) offline: bool,
}

impl Moment {
    /// Reads a timestamp. What names no zone is taken for UTC, and said.
    pub(super) fn read(text: Option<&str>, heard: Micros, offline: bool) -> Self {
        let (stated, flaw) = match text.map(str::trim) {
            None => (None, Some(Defect::NoTime)),
            Some(text) => parse(text),
        };
        let flaw = match stated {
            Some(at) if at < UNSET => Some(Defect::ClockUnset),
            _ => flaw,
        };
        Self {
            stated,
            flaw,
            heard,
            offline,
        }
    }

    /// By how many whole quarters of an hour the clock is ahead of the time at which the message came, µs.
    pub(super) fn shift(&self) -> Option<Micros> {
        if self.offline {
            return None;
        }
        let ahead = self.stated? - self.heard;
        let quarters = (ahead + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        let fits = quarters != 0 && quarters.abs() <= FARTHEST;
        (fits && (ahead - quarters).abs() <= UNDER_WAY).then_some(quarters)
    }
}

fn parse(text: &str) -> (Option<Micros>, Option<Defect>) {
    if let Some(at) = instant::rfc3339(text) {
        return (Some(at), None);
    }
    // `+02` is ISO 8601, but not RFC 3339.
    if let Ok(at) = DateTime::parse_from_rfc3339(&format!("{text}:00")) {
        return (Some(at.timestamp_micros()), Some(Defect::ShortOffset));
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    match local {
        Some(at) => (Some(at.and_utc().timestamp_micros()), Some(Defect::NoZone)),
        None => (None, Some(Defect::NoTime)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Moment {
        Moment::read(Some(text), 1_795_500_000_000_000, false)
    }

    #[test]
    fn a_clock_is_read_as_it_stands_and_its_flaw_is_said() {
        let whole = read("2026-11-24T06:00:00Z");
        assert_eq!(whole.flaw, None);
        for (text, flaw) in [
            ("2026-11-24T06:00:00", Defect::NoZone),
            ("2026-11-24 06:00:00.000", Defect::NoZone),
            ("2026-11-24T08:00:00+02", Defect::ShortOffset),
        ] {
            let moment = read(text);
            assert_eq!((moment.stated, moment.flaw), (whole.stated, Some(flaw)));
        }
        assert_eq!(read("1970-01-01T00:00:07Z").flaw, Some(Defect::ClockUnset));
        assert_eq!(read("soon").stated, None);
    }

    #[test]
    fn only_whole_quarters_of_an_hour_are_a_zone() {
        let at = |ahead: Micros, offline| Moment {
            stated: Some(ahead),
            flaw: None,
            heard: 0,
            offline,
        };
        let hours = 2 * 3_600_000_000;
        assert_eq!(at(hours - 400_000, false).shift(), Some(hours));
        assert_eq!(at(hours, true).shift(), None);
        assert_eq!(at(-400_000, false).shift(), None);
        assert_eq!(at(hours + 120_000_000, false).shift(), None);
        assert_eq!(at(30 * 3_600_000_000, false).shift(), None);
    }
}
