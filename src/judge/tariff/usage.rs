//! What a session used, and where it is split: energy between two readings is interpolated.

use chrono::{DateTime, Days, NaiveDateTime, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::Tariff;
use super::restrictions::Point;
use crate::clock::Micros;

const KILO: Decimal = Decimal::ONE_THOUSAND;

/// What a session used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// When it began, µs UTC.
    pub start: Micros,
    /// When it ended, µs UTC.
    pub end: Micros,
    /// Energy, Wh.
    pub wh: Decimal,
    /// Energy since the beginning, Wh, by time.
    pub curve: Vec<(Micros, Decimal)>,
    /// When the vehicle did not charge.
    pub parked: Vec<(Micros, Micros)>,
    /// The location's time zone, if known.
    pub zone: Option<Tz>,
}

/// A stretch in which no price changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) point: Point,
    pub(super) wh: Decimal,
    pub(super) seconds: Decimal,
    pub(super) parked: bool,
}

impl Usage {
    /// Energy since the beginning at `at`, Wh.
    fn at(&self, at: Micros) -> Decimal {
        if at >= self.end {
            return self.wh;
        }
        let start = (self.start, Decimal::ZERO);
        let inner = self.curve.iter().copied();
        let inner = inner.filter(|(when, _)| *when > self.start && *when < self.end);
        let mut before = start;
        for point in inner.chain([(self.end, self.wh)]) {
            if point.0 > at {
                return between(before, point, at);
            }
            before = point;
        }
        self.wh
    }

    fn local(&self, at: Micros) -> Option<NaiveDateTime> {
        let utc = DateTime::from_timestamp_micros(at)?;
        Some(utc.with_timezone(&self.zone?).naive_local())
    }

    /// The stretches between all points at which a price may change.
    pub(super) fn stretches(&self, tariff: &Tariff) -> Vec<Stretch> {
        let mut cuts = vec![self.start, self.end];
        cuts.extend(self.parked.iter().flat_map(|(from, to)| [*from, *to]));
        for element in &tariff.elements {
            let when = &element.when;
            let bounds = [when.duration.0, when.duration.1].into_iter().flatten();
            cuts.extend(bounds.filter_map(|seconds| self.start.checked_add(micros(seconds)?)));
            let bounds = [when.kwh.0, when.kwh.1].into_iter().flatten();
            cuts.extend(bounds.filter_map(|kwh| self.when(kwh.checked_mul(KILO)?)));
            if when.is_local() {
                let midnight = Some(NaiveTime::MIN);
                let times = [when.time.0, when.time.1, midnight].into_iter().flatten();
                cuts.extend(times.flat_map(|time| self.daily(time)));
            }
            if when.is_powered() {
                cuts.extend(self.curve.iter().map(|(at, _)| *at));
            }
        }
        cuts.retain(|at| (self.start..=self.end).contains(at));
        cuts.sort_unstable();
        cuts.dedup();
        cuts.windows(2)
            .map(|cut| self.stretch(cut[0], cut[1]))
            .collect()
    }

    fn stretch(&self, from: Micros, to: Micros) -> Stretch {
        let (before, after) = (self.at(from), self.at(to));
        let seconds = seconds(to - from);
        let wh = after - before;
        let power = wh
            .checked_mul(Decimal::new(36, 1))
            .and_then(|joules| joules.checked_div(seconds))
            .unwrap_or_default();
        // What holds in the middle holds throughout: at its ends a stretch meets the borders that made it.
        let middle = from + (to - from) / 2;
        Stretch {
            point: Point {
                local: self.local(middle),
                kwh: self.at(middle) / KILO,
                seconds: self::seconds(middle - self.start),
                power,
            },
            wh,
            seconds,
            parked: self.parked.iter().any(|(a, b)| *a <= from && to <= *b),
        }
    }

    /// When that much energy had been delivered, if it was.
    fn when(&self, wh: Decimal) -> Option<Micros> {
        let mut before = (self.start, Decimal::ZERO);
        let inner = self.curve.iter().copied();
        let inner = inner.filter(|(when, _)| *when > self.start && *when < self.end);
        for point in inner.chain([(self.end, self.wh)]) {
            if point.1 >= wh && point.1 > before.1 {
                let share = (wh - before.1).checked_div(point.1 - before.1)?;
                let micros = Decimal::from(point.0 - before.0).checked_mul(share)?;
                return before.0.checked_add(i64::try_from(micros.round()).ok()?);
            }
            before = point;
        }
        None
    }

    /// A time of day on every day that the session touches.
    fn daily(&self, time: NaiveTime) -> Vec<Micros> {
        let (Some(zone), Some(first), Some(last)) =
            (self.zone, self.local(self.start), self.local(self.end))
        else {
            return Vec::new();
        };
        let mut cuts = Vec::new();
        let mut day = first.date();
        while day <= last.date() {
            // A time that a clock change leaves out bounds nothing.
            let at = zone.from_local_datetime(&day.and_time(time)).earliest();
            cuts.extend(at.map(|at| at.timestamp_micros()));
            match day.checked_add_days(Days::new(1)) {
                Some(next) => day = next,
                None => break,
            }
        }
        cuts
    }
}

fn between(a: (Micros, Decimal), b: (Micros, Decimal), at: Micros) -> Decimal {
    let share = Decimal::from(at - a.0).checked_div(Decimal::from(b.0 - a.0));
    let gain = share.and_then(|share| (b.1 - a.1).checked_mul(share));
    a.1 + gain.unwrap_or_default()
}

fn seconds(micros: Micros) -> Decimal {
    Decimal::new(micros, 6)
}

fn micros(seconds: Decimal) -> Option<Micros> {
    let micros = seconds.checked_mul(Decimal::from(1_000_000))?;
    i64::try_from(micros.round()).ok()
}
