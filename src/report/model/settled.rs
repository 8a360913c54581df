//! What differs and is no news: differences that rules explain, and findings that people accepted or call fixed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::card::{exemplar, place, said};
use super::{ReportError, World};
use crate::ledger::row::{State, Subject};
use crate::ledger::views::{Finding, Triage};
use crate::ocpp::Severity;

/// What is settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Rules that explained a difference, the busiest first.
    pub rules: Vec<RuleUse>,
    /// Findings that do not count: accepted, or fixed and gone.
    pub findings: Vec<Accepted>,
}

/// A rule that explained something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleUse {
    /// Its id.
    pub id: String,
    /// Why it is there.
    pub reason: String,
    /// In how many messages and commands.
    pub count: u64,
}

/// A finding that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Its id.
    pub id: String,
    /// How bad it would be.
    pub severity: Severity,
    /// A sentence.
    pub title: String,
    /// Where: action and member.
    pub place: String,
    /// What it is a difference of.
    pub subject: Subject,
    /// The action; empty for handshakes.
    pub action: String,
    /// How it stands.
    pub state: State,
    /// How often it was seen.
    pub count: u64,
    /// How many were comparable since it was last seen.
    pub without: u64,
    /// Whether it has stopped occurring.
    pub stopped: bool,
    /// What people said, with owner, reason and end.
    pub triage: Option<Triage>,
}

impl Settled {
    pub(super) fn of(world: &World<'_>, closed: &[&Finding]) -> Result<Self, ReportError> {
        Ok(Self {
            rules: rules(world)?,
            findings: closed
                .iter()
                .map(|finding| accepted(world, finding))
                .collect(),
        })
    }
}

fn rules(world: &World<'_>) -> Result<Vec<RuleUse>, ReportError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (rules, count) in world.ledger.explained_by()? {
        for rule in rules.split(',').filter(|rule| !rule.is_empty()) {
            *counts.entry(rule.to_owned()).or_default() += count;
        }
    }
    let all = world.rules.all();
    let mut used: Vec<RuleUse> = counts
        .into_iter()
        .map(|(id, count)| RuleUse {
            reason: (all.iter().find(|rule| rule.id == id))
                .map_or_else(String::new, |rule| world.veil.prose(&rule.reason)),
            id,
            count,
        })
        .collect();
    used.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.id.cmp(&b.id)));
    Ok(used)
}

fn accepted(world: &World<'_>, finding: &Finding) -> Accepted {
    let subject = exemplar::subject(finding);
    Accepted {
        id: finding.id.clone(),
        severity: finding.severity,
        title: world.veil.prose(&finding.title),
        place: place(finding, subject),
        subject,
        action: finding.action.clone(),
        state: finding.state,
        count: finding.count,
        without: finding.without,
        stopped: finding.stopped,
        triage: finding
            .triage
            .clone()
            .map(|triage| said(triage, world.veil)),
    }
}
