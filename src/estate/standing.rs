//! Where a group stands by what people decided, and what they may decide next.

use crate::clock::Micros;
use crate::estate::gate::report::{Outcome, Report, Stage, Verdict, Weighed};
use crate::ledger::row::{Decision, Exception, Wave, Word};

/// Where a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'a> {
    /// How far it is.
    pub stage: Stage,
    /// The sign-off that holds.
    pub signed: Option<&'a Decision>,
    /// Why the last sign-off does not hold, if there is one.
    pub lapsed: Option<String>,
    /// Exceptions in force, one for each criterion.
    exceptions: Vec<&'a Exception>,
}

/// Why a decision is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The gate does not say GO.
    #[error("the verdict is {0}, and only GO may go")]
    Verdict(String),
    /// The evidence is not good enough to be signed.
    #[error("the verdict is {0}: there is nothing to sign yet")]
    Evidence(String),
    /// Nobody has signed off, or it does not hold any more.
    #[error("nobody has signed off{}", lapsed.as_ref().map(|why| format!(" that holds: {why}")).unwrap_or_default())]
    Unsigned {
        /// Why the last signature does not hold.
        lapsed: Option<String>,
    },
    /// One person may not do both.
    #[error("{0} has signed off, and must not decide too")]
    SamePerson(String),
    /// Another role does that.
    #[error("that is for {}, not for {role:?}", roles.join(" or "))]
    Role {
        /// The role that was named.
        role: String,
        /// The roles that may.
        roles: Vec<String>,
    },
}

impl<'a> Standing<'a> {
    /// Where a group stands by its decisions, oldest first, under the gate and the rules with these hashes.
    pub fn of(decisions: &'a [Decision], now: Micros, (gate, rules): (&str, &str)) -> Self {
        let mut standing = Self {
            stage: Stage::Shadow,
            signed: None,
            lapsed: None,
            exceptions: Vec::new(),
        };
        for decision in decisions {
            standing.take(decision, now);
        }
        let signed = standing.signed.map(|signed| &signed.decided.evidence);
        let other = signed.and_then(|evidence| match evidence {
            it if it.gate != gate => Some("the gate's criteria have changed since"),
            it if it.rules != rules => Some("the rules have changed since"),
            _ => None,
        });
        if let Some(other) = other {
            standing.signed = None;
            standing.lapsed = Some(other.to_owned());
        }
        standing
    }

    fn take(&mut self, decision: &'a Decision, now: Micros) {
        match decision.decided.word {
            Word::Go => self.stage = Stage::Going,
            Word::Hold if self.stage == Stage::Shadow || self.stage == Stage::Signed => {
                self.stage = Stage::Held;
            }
            Word::Hold => {}
            Word::RollBack => {
                self.stage = Stage::RolledBack;
                if self.signed.take().is_some() {
                    self.lapsed = Some("the group was rolled back since".to_owned());
                }
            }
            Word::SignOff => {
                (self.signed, self.lapsed) = (Some(decision), None);
                if self.stage != Stage::Going {
                    self.stage = Stage::Signed;
                }
            }
            Word::Exception => {
                let exception = decision.decided.exception.as_ref();
                if let Some(exception) = exception {
                    self.exceptions
                        .retain(|known| known.criterion != exception.criterion);
                    if exception.until > now {
                        self.exceptions.push(exception);
                    }
                }
            }
        }
    }

    /// The exception for a criterion, if one is in force.
    pub fn exception(&self, criterion: &str) -> Option<&'a Exception> {
        let found = self.exceptions.iter().find(|it| it.criterion == criterion);
        found.copied()
    }

    /// Whether somebody may decide this. Holding and rolling back are always possible.
    pub fn may(
        &self,
        word: Word,
        (by, role): (&str, &str),
        (report, wave): (&Report, Option<&Wave>),
    ) -> Result<(), Refusal> {
        if matches!(word, Word::Hold | Word::RollBack) {
            return Ok(());
        }
        let roles = wave.map_or_else(Vec::new, |wave| match word {
            Word::SignOff | Word::Exception => vec![wave.sign_off.clone()],
            _ => vec![wave.decision.clone(), wave.deputy.clone()],
        });
        let roles: Vec<String> = roles.into_iter().filter(|it| !it.is_empty()).collect();
        if !roles.is_empty() && !roles.iter().any(|it| it.eq_ignore_ascii_case(role)) {
            let role = role.to_owned();
            return Err(Refusal::Role { role, roles });
        }
        let in_the_way = |it: &Weighed| matches!(it.result, Outcome::Failed | Outcome::Missing);
        if word == Word::SignOff && report.criteria.iter().any(in_the_way) {
            return Err(Refusal::Evidence(report.says.clone()));
        }
        if word != Word::Go {
            return Ok(());
        }
        if report.verdict != Verdict::Go {
            return Err(Refusal::Verdict(report.says.clone()));
        }
        let Some(signed) = self.signed else {
            let lapsed = self.lapsed.clone();
            return Err(Refusal::Unsigned { lapsed });
        };
        if signed.decided.by.eq_ignore_ascii_case(by) {
            return Err(Refusal::SamePerson(signed.decided.by.clone()));
        }
        Ok(())
    }
}
