//! How both sides compare, by the judge, and how the step says that they must.

use std::ops::Range;

use super::{Case, NOTHING, Weighing, Words};
use crate::facts::Leg;
use crate::ledger::row::{Divergence, Exchange, Outcome, Reason, Subject};
use crate::replay::scenario::actor::{NO_COMMAND, Told};
use crate::replay::scenario::model::{Parity, Step};
use crate::replay::scenario::observed::Observed;
use crate::replay::scenario::results::{Compared, Failure};

/// What the judge found.
struct Found<'a> {
    outcome: Outcome,
    reason: Option<Reason>,
    rules: &'a [String],
    divergences: Vec<&'a Divergence>,
}

impl<'a> Weighing<'a> {
    /// How the answers to a CALL compare.
    pub(super) fn compare_exchange(&mut self, case: &Case<'_>, row: Option<&'a Exchange>) {
        let Some(observed) = self.observed else {
            return;
        };
        let found = row.map(|row| {
            let judged = (row.outcome, row.reason, row.rules.as_slice());
            self.found(observed, (Subject::Exchange, row.id), judged)
        });
        self.compare(case, found.as_ref());
    }

    /// The facts of the commands of a step: legacy's and the candidate's; 0 if there is none.
    pub(super) fn commands(&mut self, told: &Told, step: &Step, action: &str) -> (u64, u64) {
        let Some(observed) = self.observed else {
            return (0, 0);
        };
        let charger = &self.played.charger;
        let heard = told.heard.as_ref();
        let ours = heard.and_then(|_| observed.heard(charger, &told.id));
        let ours = ours.unwrap_or(0);
        let paired = observed.command(ours).map_or(0, |row| row.theirs);
        let awaits = match &step.act {
            super::Act::Await(command) => command.from.contains(&Leg::Candidate),
            _ => false,
        };
        let theirs = if paired != 0 || !awaits {
            paired
        } else {
            let mine = observed.fenced(charger, action, self.fenced);
            mine.first().copied().unwrap_or(0)
        };
        self.fenced = self.fenced.max(theirs);
        (ours, theirs)
    }

    /// What a backend commanded.
    pub(super) fn command_words(&self, leg: Leg, told: &Told, seq: u64) -> Option<Words> {
        if self.observed.is_none() && leg != self.leg {
            return None;
        }
        let text = if leg == self.leg {
            told.heard.as_deref()
        } else {
            self.observed.and_then(|observed| observed.text(seq))
        };
        let nothing = || Words::Nothing(NO_COMMAND.to_owned());
        Some(text.map_or_else(nothing, Words::of))
    }

    /// How the commands of a step compare.
    pub(super) fn compare_command(&mut self, case: &Case<'_>, (ours, theirs): (u64, u64)) {
        let Some(observed) = self.observed else {
            return;
        };
        let row = observed.command(ours).or_else(|| observed.command(theirs));
        let found = row.map(|row| {
            let judged = (row.outcome, row.reason, row.rules.as_slice());
            self.found(observed, (Subject::Command, row.id), judged)
        });
        self.compare(case, found.as_ref());
    }

    /// What the judge found of a row, which belongs to a step now.
    fn found(
        &mut self,
        observed: &'a Observed,
        (subject, id): (Subject, u64),
        (outcome, reason, rules): (Outcome, Option<Reason>, &'a [String]),
    ) -> Found<'a> {
        self.seen.push(id);
        Found {
            outcome,
            reason,
            rules,
            divergences: observed.divergences(subject, id).collect(),
        }
    }

    fn compare(&mut self, case: &Case<'_>, found: Option<&Found<'_>>) {
        let parity = found.map_or("not compared", |found| found.outcome.word());
        self.steps.push(Compared {
            step: case.step.number,
            action: case.action.to_owned(),
            parity: parity.to_owned(),
        });
        let whole = &case.step.span;
        match &case.terms.parity {
            Parity::Any => {}
            Parity::Agrees => {
                let agrees = found.is_some_and(|found| found.agrees() || found.failed_alike(case));
                self.must(case, agrees, whole, "both agree", found);
            }
            Parity::Equal(span) => {
                let is = found.is_some_and(|found| found.outcome == Outcome::Equal);
                self.must(case, is, span, "equal", found);
            }
            Parity::Explained(span) => {
                let is = found.is_some_and(|found| found.outcome == Outcome::Explained);
                self.must(case, is, span, "explained", found);
            }
            Parity::NotComparable(reason, span) => {
                let is = found.is_some_and(|found| {
                    found.outcome == Outcome::NotComparable
                        && reason.is_none_or(|reason| found.reason == Some(reason))
                });
                let wanted = match reason {
                    Some(reason) => format!("not comparable: {}", reason.word()),
                    None => "not comparable".to_owned(),
                };
                self.must(case, is, span, &wanted, found);
            }
            Parity::Differs(places) => self.differs(case, places, found),
        }
    }

    /// Each expected divergence is there, and no other.
    fn differs(
        &mut self,
        case: &Case<'_>,
        places: &[(String, Range<usize>)],
        found: Option<&Found<'_>>,
    ) {
        let divergences = found.map_or(&[][..], |found| &found.divergences);
        for (path, span) in places {
            let is_there = divergences.iter().any(|it| it.path == *path);
            let wanted = format!("both differ at {}", shown(path));
            self.must(case, is_there, span, &wanted, found);
        }
        let is_expected = |it: &&Divergence| places.iter().any(|(path, _)| it.path == *path);
        for other in divergences.iter().filter(|it| !is_expected(it)) {
            self.fail(
                case,
                Failure {
                    side: "both".to_owned(),
                    expected: "no other divergence".to_owned(),
                    got: format!("{} at {}", other.title, shown(&other.path)),
                    span: Some(case.step.span.clone()),
                    ..Failure::default()
                },
            );
        }
    }

    fn must(
        &mut self,
        case: &Case<'_>,
        holds: bool,
        span: &Range<usize>,
        expected: &str,
        found: Option<&Found<'_>>,
    ) {
        if holds {
            return;
        }
        self.fail(
            case,
            Failure {
                side: "both".to_owned(),
                expected: expected.to_owned(),
                got: found.map_or_else(|| format!("{NOTHING} that was judged"), Found::words),
                span: Some(span.clone()),
                ..Failure::default()
            },
        );
    }
}

impl Found<'_> {
    fn agrees(&self) -> bool {
        matches!(self.outcome, Outcome::Equal | Outcome::Explained)
    }

    /// Both refused, and that was expected of both.
    fn failed_alike(&self, case: &Case<'_>) -> bool {
        let is_error = |words: &Option<Words>| matches!(words, Some(Words::Error(_)));
        self.reason == Some(Reason::BothFailed) && case.words.iter().all(is_error)
    }

    fn words(&self) -> String {
        let word = self.outcome.word();
        match (self.outcome, self.reason) {
            (Outcome::Divergent, _) => {
                let places = self
                    .divergences
                    .iter()
                    .map(|it| format!("{} (at {})", it.title, shown(&it.path)));
                format!("{word}: {}", places.collect::<Vec<_>>().join("; "))
            }
            (Outcome::NotComparable, Some(reason)) => format!("{word}: {}", reason.word()),
            (Outcome::Explained, _) => format!("{word} by {}", self.rules.join(", ")),
            _ => word.to_owned(),
        }
    }
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "the whole" } else { path }
}
