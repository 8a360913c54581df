//! What a reader beside a tap has done since it was started, for metrics and health.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::clock::Micros;
use crate::facts::Leg;

/// The counters of one reader, added to where it works and told elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Work>>);

/// What a reader did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Requests to the backend, each try of one; for a sink, requests of the backend.
    pub requests: u64,
    /// Requests that got no answer, or one that says no.
    pub failures: u64,
    /// Pages, or answers, with records on them.
    pub pages: u64,
    /// Records that were recorded: new ones, and those that have changed.
    pub records: u64,
    /// Passes that reached their end; none of a sink's.
    pub passes: u64,
    /// Passes that broke off.
    pub broken: u64,
    /// When a pass last reached its end, or a push was taken; µs UTC.
    pub last_success: Option<Micros>,
}

impl Tally {
    /// Counts.
    pub fn add(&self, one: impl FnOnce(&mut Work)) {
        one(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What has been counted.
    pub fn work(&self) -> Work {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tally of a reader by its name.
#[derive(Debug, Clone)]
pub struct Named {
    /// The reader's name in facts.
    pub reader: String,
    /// The backend that it reads.
    pub leg: Leg,
    /// What it did.
    pub tally: Tally,
}

/// One reader, as the status of the shadow plane tells it.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    reader: &'a str,
    leg: Leg,
    requests: u64,
    failures: u64,
    pages: u64,
    records: u64,
    passes: u64,
    broken: u64,
    /// How long ago the last success was, µs; null before the first.
    success_age_us: Option<u64>,
}

impl Named {
    /// What it did, as of `now`.
    pub fn told(&self, now: Micros) -> Told<'_> {
        let work = self.tally.work();
        Told {
            reader: &self.reader,
            leg: self.leg,
            requests: work.requests,
            failures: work.failures,
            pages: work.pages,
            records: work.records,
            passes: work.passes,
            broken: work.broken,
            success_age_us: work
                .last_success
                .map(|at| now.saturating_sub(at).max(0).unsigned_abs()),
        }
    }
}
