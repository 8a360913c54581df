//! When a tariff's element holds.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{TariffError, number, text};

/// Conditions, all of which must hold. Lower bounds are included, upper bounds are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restrictions {
    /// Time of day, local; an end before the start lies on the next day.
    pub time: (Option<NaiveTime>, Option<NaiveTime>),
    /// Day, local.
    pub date: (Option<NaiveDate>, Option<NaiveDate>),
    /// Energy since the beginning, kWh.
    pub kwh: (Option<Decimal>, Option<Decimal>),
    /// Power, kW.
    pub power: (Option<Decimal>, Option<Decimal>),
    /// Time since the beginning, seconds.
    pub duration: (Option<Decimal>, Option<Decimal>),
    /// Days of the week; empty for all.
    pub weekdays: Vec<Weekday>,
    /// It prices reservations, not sessions.
    pub reservation: bool,
}

/// A point of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// Local time, if the zone is known.
    pub(super) local: Option<NaiveDateTime>,
    pub(super) kwh: Decimal,
    pub(super) seconds: Decimal,
    /// Power around there, kW.
    pub(super) power: Decimal,
}

impl Restrictions {
    /// Reads OCPI's `restrictions`; none is always.
    pub fn read(value: Option<&Value>) -> Result<Self, TariffError> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        let number = |name| number(value, name);
        if number("min_current").or(number("max_current")).is_some() {
            return Err(TariffError::Unsupported("limits of current"));
        }
        Ok(Self {
            time: (time(value, "start_time")?, time(value, "end_time")?),
            date: (date(value, "start_date")?, date(value, "end_date")?),
            kwh: (number("min_kwh"), number("max_kwh")),
            power: (number("min_power"), number("max_power")),
            duration: (number("min_duration"), number("max_duration")),
            weekdays: weekdays(value)?,
            reservation: value.get("reservation").is_some_and(|it| !it.is_null()),
        })
    }

    /// Whether it depends on local time.
    pub fn is_local(&self) -> bool {
        let bounded = self.time.0.or(self.time.1).is_some();
        bounded || self.date.0.or(self.date.1).is_some() || !self.weekdays.is_empty()
    }

    /// Whether it depends on power.
    pub fn is_powered(&self) -> bool {
        self.power.0.or(self.power.1).is_some()
    }

    pub(super) fn hold(&self, point: &Point) -> bool {
        let local = match point.local {
            Some(local) => self.hold_at(local),
            None => !self.is_local(),
        };
        local
            && !self.reservation
            && within(self.kwh, point.kwh)
            && within(self.power, point.power)
            && within(self.duration, point.seconds)
    }

    fn hold_at(&self, local: NaiveDateTime) -> bool {
        let time = match self.time {
            (Some(from), Some(until)) if until <= from => {
                local.time() >= from || local.time() < until
            }
            bounds => within(bounds, local.time()),
        };
        let weekday = self.weekdays.is_empty() || self.weekdays.contains(&local.weekday());
        time && weekday && within(self.date, local.date())
    }
}

fn within<T: PartialOrd + Copy>((from, until): (Option<T>, Option<T>), value: T) -> bool {
    from.is_none_or(|from| value >= from) && until.is_none_or(|until| value < until)
}

fn time(value: &Value, name: &str) -> Result<Option<NaiveTime>, TariffError> {
    text(value, name)
        .map(|text| NaiveTime::parse_from_str(text, "%H:%M"))
        .transpose()
        .map_err(|_| TariffError::Unreadable("time of day"))
}

fn date(value: &Value, name: &str) -> Result<Option<NaiveDate>, TariffError> {
    text(value, name)
        .map(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d"))
        .transpose()
        .map_err(|_| TariffError::Unreadable("date"))
}

fn weekdays(value: &Value) -> Result<Vec<Weekday>, TariffError> {
    let days = value.get("day_of_week").and_then(Value::as_array);
    days.into_iter()
        .flatten()
        .map(|day| {
            let day = day.as_str().and_then(|day| day.parse().ok());
            day.ok_or(TariffError::Unreadable("day of the week"))
        })
        .collect()
}
