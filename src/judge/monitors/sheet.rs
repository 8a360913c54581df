//! What monitors count, added up for a few seconds of facts before it becomes rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::clock::Micros;
use crate::facts::Leg;
use crate::ledger::bucket;
use crate::ledger::row::{Outcome, Reason, Row, Sample};

/// All chargers are in one group until there are groups.
pub(super) const GROUP: &str = "all";

/// How many models are told apart; further ones count as [`OTHERS`].
const MOST_MODELS: usize = 64;

const OTHERS: &str = "(others)";

const HOUR: Micros = 3_600_000_000;

/// A model by its place in the list.
pub(super) type Model = usize;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    hour: Micros,
    model: Model,
    monitor: &'static str,
    leg: &'static str,
    what: &'static str,
    detail: Cow<'static, str>,
    bucket: Option<u32>,
}

/// Something that is counted.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    model: Model,
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
    /// Exchanges by model, outcome and reason: they come by the thousand.
    coverage: Vec<BTreeMap<(Outcome, Option<Reason>), u64>>,
    models: Vec<String>,
}

impl Entry {
    /// Something that chargers of a model did.
    pub(super) const fn new(model: Model, monitor: &'static str, what: &'static str) -> Self {
        Self {
            model,
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
    /// The place of a model in the list.
    pub(super) fn model(&mut self, name: &str) -> Model {
        if self.models.is_empty() {
            self.models = vec![String::new(), OTHERS.to_owned()];
        }
        if let Some(place) = self.models.iter().position(|known| known == name) {
            return place;
        }
        if self.models.len() > MOST_MODELS {
            return 1;
        }
        self.models.push(name.to_owned());
        self.models.len() - 1
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
        self.add(self.now, entry, Some(bucket(value)), 1);
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
    pub(super) fn exchange(&mut self, model: Model, outcome: Outcome, reason: Option<Reason>) {
        if self.coverage.len() <= model {
            self.coverage.resize_with(model + 1, BTreeMap::new);
        }
        *self.coverage[model].entry((outcome, reason)).or_default() += 1;
    }

    fn add(&mut self, at: Micros, entry: Entry, bucket: Option<u32>, count: u64) {
        let key = Key {
            hour: hour(at),
            model: entry.model,
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
        for (model, outcomes) in std::mem::take(&mut self.coverage).into_iter().enumerate() {
            for ((outcome, reason), count) in outcomes {
                let entry = Entry::new(model, super::SHADOW_HEALTH, outcome.word());
                let detail = reason.map_or("", Reason::word);
                self.add(self.now, entry.detail(detail), None, count);
            }
        }
        for (key, count) in std::mem::take(&mut self.counts) {
            out(Row::Sample(Sample {
                hour: key.hour,
                group: GROUP.into(),
                model: self.models.get(key.model).cloned().unwrap_or_default(),
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
            sheet.model(&format!("M{number}"));
        }
        assert!(sheet.models.len() <= MOST_MODELS + 1);
        assert_eq!((sheet.model("M1000"), sheet.model("")), (1, 0));
    }
}
