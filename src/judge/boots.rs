//! Boots that the backends take differently (semantics 2.9): what is a phase, and when it has lasted too long.

use super::compare::Difference;
use super::exchanges::Bench;
use super::findings::{Draft, Sides};
use super::handshake;
use super::notes;
use super::tree::Node;
use crate::facts::Fact;
use crate::ledger::row::{Handshake, Outcome, Row, Subject};
use crate::ocpp::Severity;

const UNANSWERABLE: (&str, &str) = (
    "onboarding-unanswerable",
    "The tap may answer only what the charger has told; until this is supplied nothing of the charger can be compared.",
);

/// How many boots may stay unaccepted, each an interval after the other, before that is no phase any more.
const PATIENCE: u32 = 3;

const LASTS: (&str, &str) = (
    "boot-not-accepted",
    "A charger that is not accepted may not charge; onboarding ends within a few boots.",
);

/// Why backends that take a boot differently do not diverge, as a rule's id: the shadow may still configure the charger,
/// and a charger that its authority keeps waiting says nothing else to either.
pub(super) fn excuse(action: &str, authority: &str, shadow: &str) -> Option<&'static str> {
    if action != "BootNotification" {
        return None;
    }
    match (status(authority).as_deref(), status(shadow).as_deref()) {
        (Some("Accepted"), Some("Pending")) => Some("boot-onboarding"),
        (Some("Pending" | "Rejected"), Some("Accepted")) => Some("boot-authority-waits"),
        _ => None,
    }
}

/// Whether a difference follows from the different status: the interval means something else then.
pub(super) fn follows(difference: &Difference<'_>) -> bool {
    ["/status", "/interval"]
        .iter()
        .any(|path| difference.path.starts_with(path))
}

/// Whether a boot was accepted.
pub(super) fn is_accepted(answer: &str) -> bool {
    status(answer).as_deref() == Some("Accepted")
}

fn status(answer: &str) -> Option<String> {
    let answer = Node::parse(answer).ok()?;
    Some(answer.at("/status")?.text()?.to_owned())
}

/// A boot goes to a shadow that has not accepted the charger: once that has lasted, the charger could not have joined.
pub(super) fn dwells(fact: &Fact, dwell: &notes::Dwell, bench: &mut Bench<'_>) {
    let patience = if dwell.status == "rejected" {
        1
    } else {
        PATIENCE
    };
    let origin = bench.world.origin(fact);
    if dwell.boots < patience || bench.world.charger(&origin.charger).kept_waiting {
        return;
    }
    let (ours, theirs) = (origin.authority, origin.authority.other());
    let draft = Draft::whole(
        LASTS,
        "handshake",
        "BootNotification",
        Severity::S1,
        Sides::of(ours, "accepted", dwell.status.as_str()),
        format!(
            "the charger is accepted by {}, left {} by {}",
            ours.word(),
            dwell.status,
            theirs.word()
        ),
    );
    let why = format!("boot {} {} times", dwell.status, dwell.boots);
    report(fact, draft, why, bench);
}

/// A shadow that has not accepted the charger asked what the stand-in cannot know: it may wait for that for ever, and no
/// backend is to blame.
pub(super) fn unanswerable(fact: &Fact, action: &str, missing: &str, bench: &mut Bench<'_>) {
    let origin = bench.world.origin(fact);
    let shadow = origin.authority.other();
    let draft = Draft::whole(
        UNANSWERABLE,
        "handshake",
        action,
        Severity::S3,
        Sides::of(origin.authority, "not asked", "not answered"),
        format!(
            "{} asks {action} before it accepts the charger, and the tap cannot answer: {missing}",
            shadow.word()
        ),
    );
    report(fact, draft, missing.to_owned(), bench);
}

/// Tells once for each connection why a charger is not taken; what follows from it rests on that.
fn report(fact: &Fact, draft: Draft, why: String, bench: &mut Bench<'_>) {
    let origin = bench.world.origin(fact);
    let conn = bench.world.conn(fact);
    conn.boot_root = Some(draft.finding());
    if !conn.shaken.insert("not accepted") {
        return;
    }
    (bench.out)(Row::Handshake(Handshake {
        severity: Some(draft.severity),
        ..handshake::row(fact, &origin, Outcome::Divergent, why)
    }));
    let row = draft.seen(Subject::Handshake, fact.seq, fact.at, &origin);
    (bench.out)(Row::Divergence(row));
}
