//! Counts what a criterion asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::criterion::{Charger, Criterion, Measure, Required};
use crate::clock::Micros;
use crate::ledger::evidence::{Evidence, Found, Stands, Tally};
use crate::ledger::row::Subject;
use crate::ocpp::Severity;

/// What was seen of a criterion.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// Trials.
    pub(super) of: u64,
    /// Trials that failed and that nobody has accepted.
    pub(super) failures: u64,
    /// Trials that failed in a way that somebody has accepted.
    pub(super) accepted: u64,
    /// Findings that were accepted.
    pub(super) acceptances: Vec<String>,
    /// Trials that failed in a way that is said to be fixed, and not yet proven so.
    pub(super) unproven: u64,
    /// What could not be compared, by reason.
    pub(super) not_comparable: BTreeMap<String, u64>,
    /// Trials by model, of every model of the group.
    pub(super) models: BTreeMap<String, u64>,
    /// Chargers with trials.
    pub(super) chargers: BTreeSet<String>,
    /// When the first and the last trial was, µs.
    pub(super) span: Option<(Micros, Micros)>,
    /// When it failed last, µs.
    pub(super) failed: Option<Micros>,
    /// Findings or chargers that are to blame.
    pub(super) blame: Vec<String>,
    /// What is missing of a group, in words; none if nothing is.
    pub(super) lacks: Option<&'static str>,
    /// The slowest answer of the candidate beside the authority's, 95th percentiles, µs.
    pub(super) slowest: Option<(String, Micros, Micros)>,
}

/// Counts.
pub(super) fn measure(criterion: &Criterion, evidence: &Evidence, now: Micros) -> Seen {
    let mut seen = Seen::default();
    for station in evidence.stations.iter().filter(|it| it.is_seen) {
        seen.models.entry(station.model.clone()).or_default();
    }
    match &criterion.measure {
        Measure::Divergent {
            subject,
            actions,
            kinds,
            severity,
        } => {
            seen.trials(&evidence.tallies, *subject, actions);
            seen.divergent(evidence, (*subject, actions), kinds, *severity);
        }
        Measure::NotComparable { subject, actions } => {
            seen.trials(&evidence.tallies, *subject, actions);
            seen.failures = seen.not_comparable.values().sum();
            seen.of += seen.failures;
            seen.not_comparable.clear();
        }
        Measure::Cdr { kinds, severity } => {
            seen.trials(&evidence.cdrs, Subject::Session, &[]);
            seen.divergent(evidence, (Subject::Session, &[]), kinds, *severity);
        }
        Measure::Charger(what) => seen.stations(evidence, *what, now - criterion.fresh),
        Measure::Findings { severity, only_new } => {
            let open = evidence.findings.iter().filter(|found| {
                found.stands == Stands::Open
                    && found.severity <= *severity
                    && (found.is_new || !only_new)
            });
            for found in open {
                seen.failures += 1;
                seen.failed = seen.failed.max(Some(found.last_seen));
                seen.blame.push(found.id.clone());
            }
        }
        Measure::Monitor { .. } => seen.monitor(&criterion.measure, evidence, now),
        Measure::Latency { actions, .. } => seen.latency(evidence, actions),
        Measure::Group(required) => seen.lacks = lacks(evidence, *required),
    }
    seen
}

impl Seen {
    fn trials(&mut self, tallies: &[Tally], subject: Subject, actions: &[String]) {
        let asked = tallies.iter().filter(|tally| {
            tally.subject == subject && (actions.is_empty() || actions.contains(&tally.action))
        });
        for tally in asked {
            if tally.outcome == "not comparable" {
                *self.not_comparable.entry(tally.reason.clone()).or_default() += tally.count;
                continue;
            }
            self.of += tally.count;
            *self.models.entry(tally.model.clone()).or_default() += tally.count;
            self.chargers.insert(tally.charger.clone());
            self.reach((tally.first_seen, tally.last_seen));
        }
    }

    fn reach(&mut self, (first, last): (Micros, Micros)) {
        let (from, until) = self.span.unwrap_or((first, last));
        self.span = Some((from.min(first), until.max(last)));
    }

    /// A trial that shows two findings counts twice, but never are there more failures than trials.
    fn divergent(
        &mut self,
        evidence: &Evidence,
        (subject, actions): (Subject, &[String]),
        kinds: &[String],
        severity: Severity,
    ) {
        let fits = |found: &&Found| {
            found.subject == subject
                && found.severity <= severity
                && (actions.is_empty() || actions.contains(&found.action))
                && (kinds.is_empty() || kinds.contains(&found.kind))
        };
        for found in evidence.findings.iter().filter(fits) {
            let count = found.count();
            match found.stands {
                Stands::Open => {
                    self.failures += count;
                    self.failed = self.failed.max(Some(found.last_seen));
                    self.blame.push(found.id.clone());
                }
                Stands::Accepted => {
                    self.accepted += count;
                    self.acceptances.push(found.id.clone());
                }
                Stands::Unproven => self.unproven += count,
                Stands::Gone | Stands::Apart => {}
            }
        }
        self.failures = self.failures.min(self.of);
    }

    fn stations(&mut self, evidence: &Evidence, what: Charger, since: Micros) {
        for station in &evidence.stations {
            self.of += 1;
            *self.models.entry(station.model.clone()).or_default() += 1;
            self.chargers.insert(station.charger.clone());
            if let Some(span) = station.first_seen.zip(station.last_seen) {
                self.reach(span);
            }
            let fails = match what {
                Charger::Unseen => !station.is_seen || station.messages == 0,
                Charger::Quiet => station.last_seen.is_none_or(|last| last < since),
            };
            if fails {
                self.failures += 1;
                self.failed = self.failed.max(station.last_seen);
                self.blame.push(station.charger.clone());
            }
        }
    }

    fn monitor(&mut self, measure: &Measure, evidence: &Evidence, now: Micros) {
        let Measure::Monitor {
            monitor,
            leg,
            bad,
            good,
            of,
            window,
        } = measure
        else {
            return;
        };
        let since = window.map_or(Micros::MIN, |window| now.saturating_sub(window));
        let asked = evidence
            .monitors
            .iter()
            .filter(|sum| sum.monitor == *monitor && sum.leg == *leg && sum.day + DAY > since);
        let mut fine = 0;
        for sum in asked {
            if of.contains(&sum.what) {
                self.of += sum.count;
                *self.models.entry(sum.model.clone()).or_default() += sum.count;
                self.reach((sum.day, sum.day + DAY));
            }
            if bad.contains(&sum.what) {
                self.failures += sum.count;
                self.failed = self.failed.max(Some(sum.day));
            }
            if good.contains(&sum.what) {
                fine += sum.count;
            }
        }
        if !good.is_empty() {
            self.failures = self.of.saturating_sub(fine);
        }
        if !of.is_empty() {
            self.failures = self.failures.min(self.of);
        }
    }

    fn latency(&mut self, evidence: &Evidence, actions: &[String]) {
        let of = |what: &str, action: &str| {
            let mut times = evidence.latencies.iter();
            times.find(|it| it.what == what && it.action == action)
        };
        let mut worst = None;
        for shadow in evidence.latencies.iter().filter(|it| it.what == "shadow") {
            let asked = actions.is_empty() || actions.contains(&shadow.action);
            if let Some(authority) = of("authority", &shadow.action).filter(|_| asked) {
                self.of += shadow.count;
                let slower = shadow.p95 - authority.p95;
                if worst.as_ref().is_none_or(|(most, _)| slower > *most) {
                    let slowest = (shadow.action.clone(), shadow.p95, authority.p95);
                    worst = Some((slower, slowest));
                }
            }
        }
        self.slowest = worst.map(|(_, slowest)| slowest);
    }
}

const DAY: Micros = 86_400_000_000;

fn lacks(evidence: &Evidence, required: Required) -> Option<&'static str> {
    let Some(group) = &evidence.group else {
        return Some("no group is configured");
    };
    let wave = evidence.wave.as_ref();
    let path = !group.rollback.is_empty() || wave.is_some_and(|wave| !wave.rollback.is_empty());
    match required {
        Required::RollbackPath if !path => Some("the group has no rollback path"),
        Required::RollbackPath if group.rollback_s.is_none() => {
            Some("nobody said how long the rollback takes")
        }
        Required::Rehearsal if group.rehearsed.is_empty() => Some("the rollback was not rehearsed"),
        Required::People
            if wave.is_none_or(|it| it.sign_off.is_empty() || it.decision.is_empty()) =>
        {
            Some("the group's wave names nobody who signs off and decides")
        }
        Required::RollbackPath | Required::Rehearsal | Required::People => None,
    }
}
