//! What came of a bundle that was played: FIXED, STILL DIVERGES, NOT REPRODUCED or ERROR.
//!
//! The judge decides, as on a night. A finding that shows is not fixed, whatever else went wrong. One that does not show
//! is fixed only if everything that the bundle needs was there: a target that refuses the boot shows nothing.

use serde::{Deserialize, Serialize};

use super::bundle::needs::{Tags, member};
use super::bundle::{Bundle, By, Step};
use crate::facts::Fact;
use crate::judge::{Judge, Rules};
use crate::ledger::row::{Divergence, Exchange, Outcome, Row, Subject};
use crate::ocpp::{Envelope, Severity};

/// What was said while a bundle was played.
#[derive(Debug)]
pub struct Played {
    /// All of it, as facts.
    pub facts: Vec<Fact>,
    /// The fact of each step that was reached: a CALL of the charger's, or a command of legacy's.
    pub calls: Vec<(u32, u64)>,
    /// Why it was not played to its end.
    pub broke: Option<Broke>,
}

/// Why a play ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broke {
    /// The target cannot be reached, or does not speak WebSocket.
    Unreached(String),
    /// The target refused the upgrade.
    Refused(String),
    /// The connection ended during a step.
    Lost(u32, String),
}

/// The word for what came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The target does as legacy does.
    Fixed,
    /// It does not.
    StillDiverges,
    /// What the bundle needs was not there.
    NotReproduced,
    /// Nothing can be said.
    Error,
}

/// What came out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// The word.
    pub verdict: Verdict,
    /// In a sentence.
    pub says: String,
    /// What still differs in the asserted step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Differs>,
    /// What differs besides, in other steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<Differs>,
}

/// One difference between legacy, as recorded, and the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differs {
    /// The finding that it would be.
    pub finding: String,
    /// How bad.
    pub severity: Severity,
    /// The step; 0 if it belongs to none.
    pub step: u32,
    /// JSON pointer; empty for the whole.
    pub path: String,
    /// A sentence, in which the target is called the candidate.
    pub title: String,
}

/// What the judge made of a play.
#[derive(Debug, Default)]
pub struct Seen {
    exchanges: Vec<Exchange>,
    divergences: Vec<Divergence>,
    commands: Vec<(String, Outcome)>,
    handshakes: Vec<Outcome>,
}

impl Verdict {
    /// As people are told.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "FIXED",
            Self::StillDiverges => "STILL DIVERGES",
            Self::NotReproduced => "NOT REPRODUCED",
            Self::Error => "ERROR",
        }
    }
}

impl Seen {
    /// Judges the facts of a play.
    pub fn of(facts: &[Fact], rules: &Rules) -> Self {
        let mut judge = Judge::new(rules.clone());
        let mut seen = Self::default();
        for fact in facts {
            judge.feed(fact, &mut |row| seen.take(row));
        }
        seen
    }

    fn take(&mut self, row: Row) {
        match row {
            Row::Exchange(row) => self.exchanges.push(row),
            Row::Divergence(row) => self.divergences.push(row),
            Row::Command(row) => self.commands.push((row.action, row.outcome)),
            Row::Handshake(row) => self.handshakes.push(row.outcome),
            _ => {}
        }
    }

    /// Whether the asserted step shows the bundle's finding.
    pub fn shows(&self, bundle: &Bundle, played: &Played) -> bool {
        let mut asserted = self.asserted(bundle, played);
        asserted.any(|divergence| divergence.finding == bundle.finding.id)
    }

    /// What differs in what the bundle asserts.
    fn asserted<'a>(
        &'a self,
        bundle: &'a Bundle,
        played: &'a Played,
    ) -> impl Iterator<Item = &'a Divergence> {
        self.divergences
            .iter()
            .filter(|it| is_asserted(it, bundle, played))
    }

    fn exchange(&self, fact: u64) -> Option<&Exchange> {
        self.exchanges.iter().find(|row| row.id == fact)
    }
}

fn is_asserted(divergence: &Divergence, bundle: &Bundle, played: &Played) -> bool {
    let subject = bundle.finding.subject;
    divergence.subject == subject
        && match subject {
            Subject::Exchange => played.fact(bundle.asserts.step) == Some(divergence.id),
            Subject::Command => divergence.action == bundle.finding.action,
            Subject::Handshake | Subject::Session => true,
        }
}

impl Played {
    /// The fact of a step, if it was reached.
    fn fact(&self, step: u32) -> Option<u64> {
        let found = self.calls.iter().find(|(number, _)| *number == step);
        found.map(|(_, fact)| *fact)
    }

    /// The step of a fact; 0 if it belongs to none.
    fn step(&self, fact: u64) -> u32 {
        let found = self.calls.iter().find(|(_, seq)| *seq == fact);
        found.map_or(0, |(step, _)| *step)
    }
}

/// Weighs what came of a play.
pub fn weigh(bundle: &Bundle, played: &Played, rules: &Rules) -> Outcomes {
    let seen = Seen::of(&played.facts, rules);
    let weighing = Weighing {
        bundle,
        played,
        seen: &seen,
    };
    weighing.outcome()
}

struct Weighing<'a> {
    bundle: &'a Bundle,
    played: &'a Played,
    seen: &'a Seen,
}

impl Weighing<'_> {
    fn outcome(&self) -> Outcomes {
        let differs: Vec<Differs> = self.differences(true);
        if self.seen.shows(self.bundle, self.played) {
            let says = format!("{}: {}", self.place(), self.bundle.finding.title);
            return self.with(Verdict::StillDiverges, says, differs);
        }
        match &self.played.broke {
            Some(Broke::Unreached(why)) => return self.with(Verdict::Error, why.clone(), differs),
            Some(Broke::Refused(why)) if self.bundle.finding.subject != Subject::Handshake => {
                let says = format!(
                    "the target must let {} in: {why}",
                    self.bundle.charger.identity
                );
                return self.with(Verdict::NotReproduced, says, differs);
            }
            Some(Broke::Lost(step, why)) => {
                let says = format!("the connection ended in step {step}: {why}");
                return self.with(Verdict::Error, says, differs);
            }
            _ => {}
        }
        if let Some(lack) = self.lack() {
            return self.with(Verdict::NotReproduced, lack, differs);
        }
        if let Some(new) = differs.first() {
            let says = format!("{}, but not as before: {}", self.place(), new.title);
            return self.with(Verdict::StillDiverges, says, differs);
        }
        if let Some(why) = self.incomparable() {
            return self.with(Verdict::NotReproduced, why, differs);
        }
        let says = format!("{} is answered as legacy does", self.place());
        self.with(Verdict::Fixed, says, differs)
    }

    fn with(&self, verdict: Verdict, says: String, differs: Vec<Differs>) -> Outcomes {
        Outcomes {
            verdict,
            says,
            differs,
            besides: self.differences(false),
        }
    }

    fn place(&self) -> String {
        match self.bundle.asserted() {
            Some(step) => format!("step {} ({})", step.step, step.action),
            None => "the handshake".to_owned(),
        }
    }

    fn differences(&self, asserted: bool) -> Vec<Differs> {
        let of = self.seen.divergences.iter();
        of.filter(|it| is_asserted(it, self.bundle, self.played) == asserted)
            .map(|divergence| Differs {
                finding: divergence.finding.clone(),
                severity: divergence.severity,
                step: match divergence.subject {
                    Subject::Exchange => self.played.step(divergence.id),
                    _ => 0,
                },
                path: divergence.pointer.clone(),
                title: divergence.title.clone(),
            })
            .collect()
    }

    /// The first thing that was not as the bundle needs it.
    fn lack(&self) -> Option<String> {
        let calls = self
            .bundle
            .steps
            .iter()
            .filter(|step| step.by == By::Charger);
        for step in calls {
            if let Some(lack) = self.lacks(step) {
                return Some(lack);
            }
            if step.step == self.bundle.asserts.step {
                break;
            }
        }
        None
    }

    /// What is wrong with a step, as far as the asserted one needs it.
    fn lacks(&self, step: &Step) -> Option<String> {
        let number = step.step;
        let Some(fact) = self.played.fact(number) else {
            return Some(format!("step {number} ({}) was not reached", step.action));
        };
        if let Some(unknown) = self.unknown_tag(step, fact) {
            return Some(unknown);
        }
        if number == self.bundle.asserts.step {
            return None;
        }
        if self.bundle.needs.boots.contains(&number) {
            let status = member(&self.said(fact)?, "/status").unwrap_or_default();
            let recorded = [step.legacy.as_ref(), step.candidate.as_ref()];
            let mut recorded = recorded
                .into_iter()
                .flatten()
                .filter_map(|answer| member(answer.payload(), "/status"));
            // Where a backend waited when it was recorded, waiting is no lack.
            if status != "Accepted" && !recorded.any(|it| it == status) {
                return Some(format!(
                    "step {number}: the boot must be accepted, and is {status:?}"
                ));
            }
        }
        let new = self.seen.divergences.iter().find(|it| {
            it.subject == Subject::Exchange
                && it.id == fact
                && it.severity <= Severity::S2
                && !step.shows.contains(&it.finding)
        })?;
        Some(format!(
            "step {number} must be answered as legacy does: {}",
            new.title
        ))
    }

    /// A tag that the target does not know, where both backends did.
    fn unknown_tag(&self, step: &Step, fact: u64) -> Option<String> {
        let status = Tags::of(self.bundle.version()).status;
        let known = |answer: &super::bundle::Answer| member(answer.payload(), status);
        let before = [step.legacy.as_ref(), step.candidate.as_ref()];
        let before: Vec<String> = before.into_iter().flatten().filter_map(known).collect();
        let now = member(&self.said(fact)?, status)?;
        let is_unknown = |word: &str| matches!(word, "Invalid" | "Unknown");
        let news =
            is_unknown(&now) && !before.is_empty() && !before.iter().any(|it| is_unknown(it));
        let tag = Tags::of(self.bundle.version()).tag(step.payload.get())?;
        news.then(|| {
            format!(
                "step {}: the target must know the tag {tag:?}, and calls it {now}",
                step.step
            )
        })
    }

    /// The payload that the target answered the CALL `fact` with.
    fn said(&self, fact: u64) -> Option<String> {
        let shadow = self.seen.exchange(fact)?.shadow;
        let answer = self.played.facts.iter().find(|it| it.seq == shadow)?;
        let envelope = Envelope::parse(answer.text()?).ok()?;
        Some(envelope.payload.to_owned())
    }

    /// Why what is asserted cannot be compared, if so.
    fn incomparable(&self) -> Option<String> {
        let place = self.place();
        match self.bundle.finding.subject {
            Subject::Exchange => {
                let fact = self.played.fact(self.bundle.asserts.step);
                let row = fact.and_then(|fact| self.seen.exchange(fact));
                let Some(row) = row else {
                    return Some(format!("{place} was not judged"));
                };
                let reason = row.reason?.word();
                Some(format!("{place} cannot be compared: {reason}"))
            }
            Subject::Command => {
                let of = |(action, _): &&(String, Outcome)| *action == self.bundle.finding.action;
                let outcome = self
                    .seen
                    .commands
                    .iter()
                    .find(of)
                    .map(|(_, outcome)| *outcome);
                (outcome == Some(Outcome::NotComparable))
                    .then(|| format!("{place} cannot be compared"))
            }
            Subject::Handshake => (!self.seen.handshakes.contains(&Outcome::Equal))
                .then(|| format!("{place} cannot be compared")),
            Subject::Session => Some("sessions are not played".to_owned()),
        }
    }
}
