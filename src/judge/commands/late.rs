//! A command that the candidate sends, but long after legacy.

use super::UNKNOWN;
use super::waiting::Waiting;
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::findings::{Draft, Sides};
use crate::judge::rules::{Comparator, Rule};
use crate::ocpp::Severity;

/// How much longer after its trigger the candidate may send what legacy sends, µs: by then drivers and operators notice.
const LATE: Micros = 30_000_000;

const TARDY: (&str, &str) = (
    "command-late",
    "The candidate does what legacy does, more than 30 s later.",
);

/// The candidate sends the same as legacy, but too late: each counted from what its leg was told last, since the tap may
/// have told one of them later; by the clock where they were told different things. `whole` is the rule for the
/// whole of the command: one that ignores it ignores this too.
pub(super) fn late(ours: &Waiting, theirs: &Waiting, whole: Option<&Rule>) -> Option<Draft> {
    let (legacy, candidate) = match ours.origin.authority {
        Leg::Legacy => (ours, theirs),
        Leg::Candidate => (theirs, ours),
    };
    let lag = candidate.at - legacy.at;
    let later = match (&legacy.after, &candidate.after) {
        (Some(a), Some(b)) if a.fact == b.fact => b.delay(candidate.at) - a.delay(legacy.at),
        _ => lag,
    };
    if later.min(lag) <= LATE {
        return None;
    }
    if whole.is_some_and(|rule| rule.compare == Comparator::Ignore) {
        return None;
    }
    let missing = whole.map_or(UNKNOWN, |rule| rule.one_sided(Leg::Legacy));
    let severity = milder(missing);
    let sides = Sides::of(Leg::Legacy, "in time", "late");
    let title = format!(
        "{} is sent by candidate more than {} s after legacy",
        ours.action,
        LATE / 1_000_000
    );
    let kind = "late command";
    Some(Draft::whole(
        TARDY,
        kind,
        &ours.action,
        severity,
        sides,
        title,
    ))
}

/// One step below: late is better than never.
fn milder(severity: Severity) -> Severity {
    let next = Severity::ALL.get(severity as usize + 1).copied();
    next.unwrap_or(severity)
}
