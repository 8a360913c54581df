//! What must be so before the legacy can be switched off, and what of it the recording proves.

use serde::Serialize;

use crate::ledger::evidence::{Evidence, Stands, Tally};
use crate::ledger::row::Subject;

/// One line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What must be so.
    pub what: &'static str,
    /// What is known of it.
    pub state: Proof,
    /// By what numbers.
    pub because: String,
}

/// What is known of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It is so.
    Proven,
    /// It is not.
    Refuted,
    /// Nothing in the recording says either.
    Unproven,
}

impl Proof {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Refuted => "refuted",
            Self::Unproven => "unproven",
        }
    }
}

/// The checklist.
pub fn checks(evidence: &Evidence) -> Vec<Check> {
    vec![
        history(evidence),
        reconciled(evidence),
        alerts(evidence),
        commands(evidence),
        traffic(evidence),
        dependencies(evidence),
    ]
}

fn count<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> u64 {
    tallies.into_iter().map(|tally| tally.count).sum()
}

/// The legacy's own books are in the recording, and exported with it.
fn history(evidence: &Evidence) -> Check {
    let sessions = (evidence.tallies.iter()).filter(|it| it.subject == Subject::Session);
    let (sessions, cdrs) = (count(sessions), count(&evidence.cdrs));
    let state = if cdrs > 0 && cdrs == sessions {
        Proof::Proven
    } else {
        Proof::Unproven
    };
    Check {
        what: "the legacy's history is exported",
        state,
        because: format!(
            "{cdrs} of {sessions} sessions of this recording have the legacy's CDR in it; what is older is not here"
        ),
    }
}

fn reconciled(evidence: &Evidence) -> Check {
    let sessions = || {
        evidence
            .tallies
            .iter()
            .filter(|it| it.subject == Subject::Session)
    };
    let all = count(sessions());
    let apart = count(sessions().filter(|it| it.outcome == "not comparable"));
    let findings = evidence
        .findings
        .iter()
        .filter(|it| it.subject == Subject::Session);
    let open: u64 = findings
        .filter(|it| matches!(it.stands, Stands::Open | Stands::Unproven))
        .map(crate::ledger::evidence::Found::count)
        .sum();
    let state = match (all, apart, open) {
        (0, _, _) => Proof::Unproven,
        (_, _, 1..) => Proof::Refuted,
        (_, 0, 0) if evidence.open_sessions == 0 => Proof::Proven,
        _ => Proof::Unproven,
    };
    Check {
        what: "sessions and CDRs are reconciled",
        state,
        because: format!(
            "{all} sessions judged, {open} differ, {apart} not comparable, {} under way",
            evidence.open_sessions
        ),
    }
}

/// What the candidate makes of an alarm is not on the wire.
fn alerts(evidence: &Evidence) -> Check {
    const TELL: [&str; 4] = [
        "StatusNotification",
        "NotifyEvent",
        "SecurityEventNotification",
        "DiagnosticsStatusNotification",
    ];
    let told = evidence.tallies.iter().filter(|it| {
        it.subject == Subject::Exchange
            && it.outcome != "not comparable"
            && TELL.contains(&it.action.as_str())
    });
    Check {
        what: "alerts are seen in the new stack",
        state: Proof::Unproven,
        because: format!(
            "the candidate was told {} states and events; whether they reached anybody is not on the wire",
            count(told)
        ),
    }
}

fn commands(evidence: &Evidence) -> Check {
    let compared = evidence
        .tallies
        .iter()
        .filter(|it| it.subject == Subject::Command && it.outcome != "not comparable");
    let missing = evidence.findings.iter().filter(|it| {
        it.subject == Subject::Command && it.kind == "missing command" && it.stands != Stands::Gone
    });
    let mut actions: Vec<&str> = missing.map(|it| it.action.as_str()).collect();
    actions.dedup();
    let compared = count(compared);
    Check {
        what: "no command comes from the legacy alone",
        state: match (actions.is_empty(), compared) {
            (false, _) => Proof::Refuted,
            (true, 0) => Proof::Unproven,
            (true, _) => Proof::Proven,
        },
        because: if actions.is_empty() {
            format!("{compared} commands compared, none from the legacy alone")
        } else {
            format!("only the legacy sends {}", actions.join(", "))
        },
    }
}

fn traffic(evidence: &Evidence) -> Check {
    let quiet = evidence
        .stations
        .iter()
        .filter(|it| it.messages == 0)
        .count();
    let apart = evidence.stations.iter().filter(|station| {
        let mut own = evidence
            .tallies
            .iter()
            .filter(|tally| tally.subject == Subject::Exchange && tally.charger == station.charger);
        station.messages > 0 && own.all(|tally| tally.outcome == "not comparable")
    });
    let apart = apart.count();
    Check {
        what: "no charger talks to the legacy alone",
        state: match (evidence.stations.is_empty(), apart, quiet) {
            (false, 1.., _) => Proof::Refuted,
            (false, 0, 0) => Proof::Proven,
            _ => Proof::Unproven,
        },
        because: format!(
            "{} chargers, {quiet} never seen, {apart} of which nothing reached the candidate",
            evidence.stations.len()
        ),
    }
}

fn dependencies(evidence: &Evidence) -> Check {
    let listed = evidence.stations.iter().filter_map(|it| it.listed.as_ref());
    let mut named: Vec<&str> = listed
        .flat_map(|it| &it.depends)
        .map(String::as_str)
        .collect();
    named.sort_unstable();
    named.dedup();
    Check {
        what: "nothing else depends on the legacy",
        state: Proof::Unproven,
        because: if named.is_empty() {
            "the list of chargers names no dependency; what else asks the legacy is not on this wire".to_owned()
        } else {
            format!(
                "listed: {}; each is to be moved by itself",
                named.join(", ")
            )
        },
    }
}
