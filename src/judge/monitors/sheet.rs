//! What monitors count, added up for a few seconds of facts before it becomes rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::clock::Micros;
use crate::facts::Leg;
use crate::ledger::bucket;
use crate::ledger::row::{EVERYBODY, Outcome, Reason, Row, Sample};

/// How many models of a group are told apart; further ones count as [`OTHERS`].
const MOST_MODELS: usize = 64;

const OTHERS: &str = "(others)";

const HOUR: Micros = 3_600_000_000;

/// Chargers of one group and model, by their place in the list; 0 are those of which nothing is known.
pub(super) type Crowd = usize;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    hour: Micros,
    crowd: Crowd,
    monitor: &'static str,
    leg: &'static str,
    what: &'static str,
    detail: Cow<'static, str>,
    bucket: Option<u32>,
}

/// Something that is counted.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    crowd: Crowd,
    monitor: &'static str,
    leg: &'static str,
    what: &'static str,
    detail: Cow<'static, str>,
}

/// Counts that are not yet rows.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// The time by the facts, µs.
    pub(super) now: Micros,
    counts: BTreeMap<Key, u64>,
    /// Exchanges by crowd, outcome and reason: they come by the thousand.
    coverage: Vec<BTreeMap<(Outcome, Option<Reason>), u64>>,
    /// Groups and models.
    crowds: Vec<(String, String)>,
}

impl Entry {
    /// Something that chargers of a crowd did.
    pub(super) const fn new(crowd: Crowd, monitor: &'static str, what: &'static str) -> Self {
        Self {
            crowd,
            monitor,
            leg: "",
            what,
            detail: Cow::Borrowed(""),
        }
    }

    /// The same, done by or towards a backend.
    #[must_use]
    pub(super) const fn on(mut self, leg: Leg) -> Self {
        self.leg = leg.word();
        self
    }

    /// The same, with a word of a known few.
    #[must_use]
    pub(super) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// When the hour of a time began, µs.
pub(super) const fn hour(at: Micros) -> Micros {
    at - at.rem_euclid(HOUR)
}

impl Sheet {
    /// The crowd in the same group with this model.
    pub(super) fn of_model(&mut self, crowd: Crowd, model: &str) -> Crowd {
        let (group, _) = self.names(crowd);
        self.crowd(&group, model)
    }

    /// The crowd in this group with the same model.
    pub(super) fn of_group(&mut self, crowd: Crowd, group: &str) -> Crowd {
        let (_, model) = self.names(crowd);
        self.crowd(group, &model)
    }

    fn names(&self, crowd: Crowd) -> (String, String) {
        let nobody = || (EVERYBODY.to_owned(), String::new());
        self.crowds.get(crowd).cloned().unwrap_or_else(nobody)
    }

    fn crowd(&mut self, group: &str, model: &str) -> Crowd {
        if self.crowds.is_empty() {
            self.crowds.push((EVERYBODY.to_owned(), String::new()));
        }
        let mut known = self.crowds.iter();
        if let Some(place) = known.position(|names| names.0 == group && names.1 == model) {
            return place;
        }
        let models = self.crowds.iter().filter(|names| names.0 == group).count();
        if models >= MOST_MODELS && model != OTHERS {
            return self.crowd(group, OTHERS);
        }
        self.crowds.push((group.to_owned(), model.to_owned()));
        self.crowds.len() - 1
    }

    /// Counts one.
    pub(super) fn count(&mut self, entry: Entry) {
        self.add(self.now, entry, None, 1);
    }

    /// Counts several.
    pub(super) fn many(&mut self, entry: Entry, count: u64) {
        self.add(self.now, entry, None, count);
    }

    /// Counts a measured value, µs or another unit.
    pub(super) fn measure(&mut self, entry: Entry, value: i64) {
        self.measure_at(self.now, entry, value);
    }

    /// The same, of something that was measured at another time.
    pub(super) fn measure_at(&mut self, at: Micros, entry: Entry, value: i64) {
        self.add(at, entry, Some(bucket(value)), 1);
    }

    /// Adds a stretch of time, µs, of each of `many`, to the hours in which it lies.
    pub(super) fn stretch(&mut self, entry: &Entry, (from, to): (Micros, Micros), many: u64) {
        let mut from = from;
        while from < to {
            let until = (hour(from) + HOUR).min(to);
            let time = (until - from).unsigned_abs();
            self.add(from, entry.clone(), None, time.saturating_mul(many));
            from = until;
        }
    }

    /// Counts an exchange.
    pub(super) fn exchange(&mut self, crowd: Crowd, outcome: Outcome, reason: Option<Reason>) {
        if self.coverage.len() <= crowd {
            self.coverage.resize_with(crowd + 1, BTreeMap::new);
        }
        *self.coverage[crowd].entry((outcome, reason)).or_default() += 1;
    }

    fn add(&mut self, at: Micros, entry: Entry, bucket: Option<u32>, count: u64) {
        let key = Key {
            hour: hour(at),
            crowd: entry.crowd,
            monitor: entry.monitor,
            leg: entry.leg,
            what: entry.what,
            detail: entry.detail,
            bucket,
        };
        *self.counts.entry(key).or_default() += count;
    }

    /// Makes rows of what was counted.
    pub(super) fn flush(&mut self, out: &mut dyn FnMut(Row)) {
        for (crowd, outcomes) in std::mem::take(&mut self.coverage).into_iter().enumerate() {
            for ((outcome, reason), count) in outcomes {
                let entry = Entry::new(crowd, super::SHADOW_HEALTH, outcome.word());
                let detail = reason.map_or("", Reason::word);
                self.add(self.now, entry.detail(detail), None, count);
            }
        }
        for (key, count) in std::mem::take(&mut self.counts) {
            let (group, model) = self.names(key.crowd);
            out(Row::Sample(Sample {
                hour: key.hour,
                group: group.into(),
                model,
                monitor: key.monitor.into(),
                leg: key.leg.into(),
                what: key.what.into(),
                detail: key.detail,
                bucket: key.bucket,
                count,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_cut_at_the_hours() {
        let mut sheet = Sheet::default();
        let entry = Entry::new(0, "m", "w");
        sheet.stretch(&entry, (HOUR - 10, 2 * HOUR + 5), 2);
        let mut rows = Vec::new();
        sheet.flush(&mut |row| rows.push(row));
        let times: Vec<_> = rows
            .iter()
            .map(|row| match row {
                Row::Sample(row) => (row.hour, row.count),
                _ => panic!("{row:?}"),
            })
            .collect();
        let whole = HOUR.unsigned_abs();
        assert_eq!(times, [(0, 20), (HOUR, 2 * whole), (2 * HOUR, 10)]);
    }

    #[test]
    fn no_charger_makes_the_list_of_models_long() {
        let mut sheet = Sheet::default();
        for number in 0..1_000 {
            sheet.of_model(0, &format!("M{number}"));
        }
        assert!(sheet.crowds.len() <= MOST_MODELS + 1);
        assert_eq!(sheet.of_model(0, "M1000"), sheet.of_model(0, OTHERS));
        assert_eq!(sheet.of_model(0, ""), 0);
        let first = sheet.of_model(0, "M1");
        let other = sheet.of_group(first, "north");
        assert_eq!(sheet.names(other), ("north".to_owned(), "M1".to_owned()));
    }
}
