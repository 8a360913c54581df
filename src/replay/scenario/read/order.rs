//! What steps need of those before them: something to repeat, a network.

use std::ops::Range;

use crate::replay::scenario::model::{Act, Connection, Step};
use crate::replay::scenario::text::Mistake;

/// Complains of the first step that cannot happen where it stands, and of a network that never comes back.
pub(super) fn check(steps: &[Step]) -> Result<(), Mistake> {
    let mut called = false;
    let mut away: Option<Range<usize>> = None;
    for step in steps {
        if let Some([what, label, help]) = objection(&step.act, called, away.is_some()) {
            return Err(Mistake::new(step.span.clone(), what, label, help));
        }
        match &step.act {
            Act::Call(_) => called = true,
            Act::Connection(Connection::Back) => away = None,
            Act::Connection(_) => away = Some(step.span.clone()),
            _ => {}
        }
    }
    match away {
        None => Ok(()),
        Some(span) => Err(Mistake::new(
            span,
            "the network never comes back",
            "gone from here on",
            "end with  connection = \"back\" : what the charger kept must be heard",
        )),
    }
}

/// Why a step cannot happen: a sentence, what stands at the carets, and what to do.
fn objection(act: &Act, called: bool, is_away: bool) -> Option<[&'static str; 3]> {
    match act {
        Act::Repeat(_) if !called => Some([
            "there is nothing to repeat",
            "the first CALL",
            "a `call` must come before it",
        ]),
        Act::Repeat(_) | Act::Await(_) | Act::Frame(_) if is_away => Some([
            "the charger has no network",
            "cannot happen",
            "let it come back first:  connection = \"back\"",
        ]),
        Act::Connection(Connection::Back) if !is_away => Some([
            "the network is there",
            "changes nothing",
            "the network was never gone",
        ]),
        Act::Connection(Connection::Lost | Connection::Closed)
        | Act::Offline(_)
        | Act::PowerLoss(_)
            if is_away =>
        {
            Some([
                "the network is gone already",
                "changes nothing",
                "time passes by  wait = \"20m\"",
            ])
        }
        _ => None,
    }
}
