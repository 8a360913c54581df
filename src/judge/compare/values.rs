//! Two unequal values under one rule.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, NaiveDateTime};
use rust_decimal::Decimal;

use super::ocsp;
use crate::clock::Micros;
use crate::judge::rules::{Comparator, Rule, literal};
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
        Comparator::Setting { ordered } => explained_if(same_setting(ours, theirs, *ordered)),
        Comparator::FileName => explained_if(match (ours.text(), theirs.text()) {
            (Some(a), Some(b)) => file_name(a) == file_name(b),
            _ => false,
        }),
        Comparator::Ocsp => explained_if(match (ours.text(), theirs.text()) {
            // Of what neither says, nobody can be blamed.
            (Some(a), Some(b)) => ocsp::read(a) == ocsp::read(b),
            _ => false,
        }),
        Comparator::Certificate => explained_if(match (ours.text(), theirs.text()) {
            (Some(a), Some(b)) => a.split_whitespace().eq(b.split_whitespace()),
            _ => false,
        }),
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

/// The members that tell which elements of a `map-by` array belong together, as text: names and tags have no case.
type Key = Vec<Option<String>>;

/// For each element of `a` the element of `b` that belongs to it: those with the same key first, then those where one
/// side leaves a part of it out, which may stand for a default.
pub(super) fn twins(names: &[String], a: &[Node<'_>], b: &[Node<'_>]) -> Vec<Option<usize>> {
    let (ours, theirs) = (keys(names, a), keys(names, b));
    let mut free: BTreeMap<&Key, VecDeque<usize>> = BTreeMap::new();
    for (at, key) in theirs.iter().enumerate() {
        free.entry(key).or_default().push_back(at);
    }
    let mut twins: Vec<Option<usize>> = ours
        .iter()
        .map(|key| free.get_mut(key).and_then(VecDeque::pop_front))
        .collect();
    let mut left: Vec<usize> = free.into_values().flatten().collect();
    left.sort_unstable();
    for (key, twin) in ours
        .iter()
        .zip(&mut twins)
        .filter(|(_, twin)| twin.is_none())
    {
        let fits = |at: &usize| {
            let pairs = key.iter().zip(&theirs[*at]);
            pairs
                .into_iter()
                .all(|(a, b)| a.is_none() || b.is_none() || a == b)
                && key
                    .iter()
                    .zip(&theirs[*at])
                    .any(|(a, b)| a.is_some() && a == b)
        };
        if let Some(place) = left.iter().position(fits) {
            *twin = Some(left.remove(place));
        }
    }
    twins
}

fn keys(names: &[String], elements: &[Node<'_>]) -> Vec<Key> {
    let pointers: Vec<_> = names.iter().map(|name| format!("/{name}")).collect();
    let text = |node: &Node<'_>| match node {
        Node::Number(number) => typed(number),
        node => literal(node).to_lowercase(),
    };
    elements
        .iter()
        .map(|element| (pointers.iter().map(|pointer| element.at(pointer).map(text))).collect())
        .collect()
}

/// Whether two configuration values mean the same to a charger: `TRUE` and `true`, `060` and `60`, a list with other
/// spaces.
fn same_setting(ours: &Node<'_>, theirs: &Node<'_>, ordered: bool) -> bool {
    let scalar = |node: &Node<'_>| match node {
        Node::Bool(_) | Node::Number(_) | Node::Text(_) => Some(literal(node)),
        _ => None,
    };
    let (Some(ours), Some(theirs)) = (scalar(ours), scalar(theirs)) else {
        return false;
    };
    let elements = |text: &str| text.split(',').map(typed).collect::<Vec<_>>();
    let (mut ours, mut theirs) = (elements(&ours), elements(&theirs));
    if !ordered {
        ours.sort_unstable();
        theirs.sort_unstable();
    }
    ours == theirs
}

/// One element of a configuration value in the one spelling of its type.
fn typed(element: &str) -> String {
    let element = element.trim();
    let truth = ["true", "false"]
        .into_iter()
        .find(|word| element.eq_ignore_ascii_case(word));
    match (truth, decimal(element)) {
        (Some(truth), _) => truth.to_owned(),
        (None, Some(number)) => number.normalize().to_string(),
        (None, None) => element.to_owned(),
    }
}

/// The last part of an address, without what is asked of the server.
fn file_name(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.rsplit(['/', '\\']).next().unwrap_or_default()
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
