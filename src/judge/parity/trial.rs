//! A session's records on the scales: what was compared, and what was found.

use std::collections::BTreeSet;

use super::book::Book;
use super::fault::Fault;
use crate::judge::findings::{Draft, Sides};
use crate::judge::wire::Told;
use crate::ledger::query::SESSION;
use crate::ledger::row::Check;

/// Who is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Equal,
    CandidateWrong,
    LegacyWrong,
    /// Both agree with each other, not with the charger.
    BothWrong,
    /// They differ, and nothing says who is right.
    Differ,
    Unknown,
}

/// A comparison under way.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) told: &'a Told,
    pub(super) legacy: &'a Book<'a>,
    pub(super) candidate: &'a Book<'a>,
    pub(super) checks: Vec<Check>,
    pub(super) drafts: Vec<Draft>,
    found: BTreeSet<Fault>,
}

impl Who {
    /// Of two values, whether they are equal and whether each agrees with the charger, as far as that is known.
    pub(super) fn of(equal: bool, legacy: Option<bool>, candidate: Option<bool>) -> Self {
        match (equal, legacy, candidate) {
            (true, Some(false), Some(false)) => Self::BothWrong,
            // Or both are within the noise around what the charger says.
            (true, ..) | (_, Some(true), Some(true)) => Self::Equal,
            (false, Some(true), Some(false)) => Self::CandidateWrong,
            (false, Some(false), Some(true)) => Self::LegacyWrong,
            _ => Self::Differ,
        }
    }

    /// Of a flaw that each either has or has not.
    pub(super) const fn of_flaw(legacy: bool, candidate: bool) -> Self {
        match (legacy, candidate) {
            (false, false) => Self::Equal,
            (true, true) => Self::BothWrong,
            (true, false) => Self::LegacyWrong,
            (false, true) => Self::CandidateWrong,
        }
    }

    pub(super) const fn is_divergent(self) -> bool {
        matches!(
            self,
            Self::CandidateWrong | Self::LegacyWrong | Self::Differ
        )
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::CandidateWrong => "candidate wrong",
            Self::LegacyWrong => "legacy wrong",
            Self::BothWrong => "both wrong",
            Self::Differ => "differ",
            Self::Unknown => "unknown",
        }
    }
}

impl<'a> Trial<'a> {
    pub(super) fn new(told: &'a Told, legacy: &'a Book<'a>, candidate: &'a Book<'a>) -> Self {
        Self {
            told,
            legacy,
            candidate,
            checks: Vec::new(),
            drafts: Vec::new(),
            found: BTreeSet::new(),
        }
    }

    /// Notes a comparison; `texts` are the charger's, legacy's and the candidate's value.
    pub(super) fn check(&mut self, name: &'static str, texts: [Option<String>; 3], who: Who) {
        let [wire, legacy, candidate] = texts;
        self.checks.push(Check {
            name: name.into(),
            wire,
            legacy,
            candidate,
            verdict: who.word().into(),
        });
    }

    /// Notes a comparison without values, if it comes out unequal.
    pub(super) fn flaw(&mut self, fault: Fault, who: Who) {
        if who != Who::Equal {
            self.check(fault.name(), [None, None, None], who);
        }
        self.find(fault, who);
    }

    /// Makes a finding of a difference.
    pub(super) fn find(&mut self, fault: Fault, who: Who) {
        if let Some(draft) = Self::draft(fault, who) {
            self.found.insert(fault);
            self.drafts.push(draft);
        }
    }

    /// The finding of a difference, if it is one.
    pub(super) fn draft(fault: Fault, who: Who) -> Option<Draft> {
        let (legacy, candidate, title) = match who {
            Who::CandidateWrong => (
                "right",
                fault.name(),
                format!("candidate {}; legacy is right", fault.does()),
            ),
            Who::LegacyWrong => (
                fault.name(),
                "right",
                format!("candidate is right, legacy wrong: legacy {}", fault.does()),
            ),
            Who::Differ => (
                "differs",
                fault.name(),
                format!("by legacy's account, candidate {}", fault.does()),
            ),
            Who::Equal | Who::BothWrong | Who::Unknown => return None,
        };
        let sides = Sides {
            legacy: legacy.to_owned(),
            candidate: candidate.to_owned(),
        };
        let rule = format!("session-{}", fault.name());
        let about = (rule.as_str(), fault.reason());
        let mut draft = Draft::whole(about, fault.name(), SESSION, fault.severity(), sides, title);
        fault.path().clone_into(&mut draft.path);
        fault.path().clone_into(&mut draft.pointer);
        Some(draft)
    }

    /// Whether any of `faults` was found: what follows from a root is not counted again.
    pub(super) fn has(&self, faults: &[Fault]) -> bool {
        faults.iter().any(|fault| self.found.contains(fault))
    }
}
