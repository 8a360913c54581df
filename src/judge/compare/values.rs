//! Two unequal values under one rule.

use chrono::{DateTime, NaiveDateTime};
use rust_decimal::Decimal;

use crate::clock::Micros;
use crate::judge::rules::{Comparator, Rule};
use crate::judge::tree::{Node, decimal};
use crate::ocpp::Severity;

const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;

/// What a rule says about two unequal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighed {
    /// The rule explains the difference.
    Explained,
    /// It is a difference.
    Differs,
    /// It is so large a difference that it is worse.
    Far(Severity),
}

/// Weighs two values that are there on both sides and not the same.
pub(super) fn weigh(
    rule: &Rule,
    ours: &Node<'_>,
    theirs: &Node<'_>,
    heard: Option<(Micros, Micros)>,
) -> Weighed {
    match &rule.compare {
        Comparator::Ignore | Comparator::Presence => Weighed::Explained,
        Comparator::Exact | Comparator::MapBy(_) => explained_if(same_instant(ours, theirs)),
        Comparator::Relation => explained_if(ours.type_word() == theirs.type_word()),
        Comparator::CaseInsensitive => explained_if(match (ours.text(), theirs.text()) {
            (Some(a), Some(b)) => a.to_lowercase() == b.to_lowercase(),
            _ => false,
        }),
        Comparator::Number(tolerance) => match (number(ours), number(theirs)) {
            (Some(a), Some(b)) => match a.checked_sub(b) {
                Some(distance) => within(distance.abs(), *tolerance, rule, Decimal::ONE),
                None => Weighed::Differs,
            },
            _ => Weighed::Differs,
        },
        Comparator::Instant(tolerance) => apart(ours, theirs, *tolerance, rule, SECOND),
        Comparator::Day(days) => apart(ours, theirs, days.saturating_mul(DAY), rule, DAY),
        Comparator::Clock(tolerance) => clock(ours, theirs, *tolerance, rule, heard),
        Comparator::Set => explained_if(match (ours, theirs) {
            (Node::Array(a), Node::Array(b)) => same_set(a, b),
            _ => false,
        }),
        Comparator::Opaque => explained_if(same_opaque(ours, theirs)),
    }
}

fn explained_if(yes: bool) -> Weighed {
    if yes {
        Weighed::Explained
    } else {
        Weighed::Differs
    }
}

fn within(distance: Decimal, tolerance: Decimal, rule: &Rule, unit: Decimal) -> Weighed {
    if distance <= tolerance {
        return Weighed::Explained;
    }
    // A limit too large to be a number is one that nothing exceeds.
    let far = rule.escalation.filter(|escalation| {
        let limit = escalation.above.checked_mul(unit);
        limit.is_some_and(|limit| distance > limit)
    });
    far.map_or(Weighed::Differs, |escalation| {
        Weighed::Far(escalation.severity)
    })
}

fn apart(
    ours: &Node<'_>,
    theirs: &Node<'_>,
    tolerance: Micros,
    rule: &Rule,
    unit: Micros,
) -> Weighed {
    match (instant(ours), instant(theirs)) {
        (Some(a), Some(b)) => micros_within(a.abs_diff(b), tolerance, rule, unit),
        _ => Weighed::Differs,
    }
}

fn micros_within(distance: u64, tolerance: Micros, rule: &Rule, unit: Micros) -> Weighed {
    within(
        Decimal::from(distance),
        Decimal::from(tolerance),
        rule,
        Decimal::from(unit),
    )
}

/// The shadow's clock against the time at which its answer was heard. If the authority's clock is off by as much, the
/// charger's clock stays where it is today.
fn clock(
    ours: &Node<'_>,
    theirs: &Node<'_>,
    tolerance: Micros,
    rule: &Rule,
    heard: Option<(Micros, Micros)>,
) -> Weighed {
    let (Some(theirs), Some((ours_heard, theirs_heard))) = (instant(theirs), heard) else {
        return explained_if(instant(theirs).is_some());
    };
    let skew = theirs.saturating_sub(theirs_heard);
    let usual = instant(ours).map(|ours| ours.saturating_sub(ours_heard));
    if usual.is_some_and(|usual| usual.abs_diff(skew) <= tolerance.unsigned_abs()) {
        return Weighed::Explained;
    }
    micros_within(skew.unsigned_abs(), tolerance, rule, SECOND)
}

fn number(node: &Node<'_>) -> Option<Decimal> {
    match node {
        Node::Number(text) => decimal(text),
        _ => None,
    }
}

/// An instant in µs. Lenient as chargers are: a space for the `T`; no zone means UTC.
pub(super) fn instant(node: &Node<'_>) -> Option<Micros> {
    let text = node.text()?.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    let naive = text.trim_end_matches(['Z', 'z']).replacen(' ', "T", 1);
    NaiveDateTime::parse_from_str(&naive, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .map(|instant| instant.and_utc().timestamp_micros())
}

/// Whether both are the same instant, written fully (RFC 3339) and differently: `Z` or `+00:00`, with or without a
/// fraction. Like the spelling of numbers that is no difference in what is said.
fn same_instant(ours: &Node<'_>, theirs: &Node<'_>) -> bool {
    let read = |node: &Node<'_>| DateTime::parse_from_rfc3339(node.text()?).ok();
    matches!((read(ours), read(theirs)), (Some(a), Some(b)) if a == b)
}

/// Whether both hold the same elements, as often, in any order.
pub(super) fn same_set(a: &[Node<'_>], b: &[Node<'_>]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut taken = vec![false; b.len()];
    a.iter().all(|element| {
        let twin = (0..b.len()).find(|&at| !taken[at] && element.same(&b[at]));
        if let Some(at) = twin {
            taken[at] = true;
        }
        twin.is_some()
    })
}

/// Whether two elements of a `map-by` array belong together. Text keys have no case: they are names and tags.
pub(super) fn same_key(key: &[String], a: &Node<'_>, b: &Node<'_>) -> bool {
    key.iter()
        .all(|name| match (a.member(name), b.member(name)) {
            (Some(a), Some(b)) => same_name(a, b),
            (None, None) => true,
            _ => false,
        })
}

/// The same value, but for case in texts: tokens and names may be objects.
fn same_name(a: &Node<'_>, b: &Node<'_>) -> bool {
    match (a, b) {
        (Node::Text(a), Node::Text(b)) => a.eq_ignore_ascii_case(b),
        (Node::Object(a), Node::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((ka, a), (kb, b))| ka == kb && same_name(a, b))
        }
        (a, b) => a.same(b),
    }
}

fn same_opaque(ours: &Node<'_>, theirs: &Node<'_>) -> bool {
    let inner = |node: &Node<'_>| node.text().map(str::to_owned);
    match (inner(ours), inner(theirs)) {
        (Some(a), Some(b)) => {
            matches!((Node::parse(&a), Node::parse(&b)), (Ok(a), Ok(b)) if a.same(&b))
        }
        (Some(a), None) => Node::parse(&a).is_ok_and(|a| a.same(theirs)),
        (None, Some(b)) => Node::parse(&b).is_ok_and(|b| ours.same(&b)),
        (None, None) => false,
    }
}
