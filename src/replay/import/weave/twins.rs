//! Which CALLs of two logs are one, and how far their clocks are apart.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::super::What;
use super::Line;
use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::{Envelope, MessageType};

/// How far a shadow's clock may be behind the authority's before that is more than the way of a copy, µs.
const FAR: Micros = 2_000_000;

/// For each line of the other log, the line of the authority's that is the same CALL: same id and action, in order.
pub(super) fn pair(ours: &[Line<'_>], theirs: &[Line<'_>]) -> Vec<Option<usize>> {
    let mut calls: HashMap<(String, String), VecDeque<usize>> = HashMap::new();
    for (place, line) in ours.iter().enumerate() {
        if let Some(key) = call(line) {
            calls.entry(key).or_default().push_back(place);
        }
    }
    let twin = |line: &Line<'_>| calls.get_mut(&call(line)?)?.pop_front();
    theirs.iter().map(twin).collect()
}

/// Id and action of a charger's CALL or SEND.
fn call(line: &Line<'_>) -> Option<(String, String)> {
    let What::Message(Dir::FromCharger, text) = &line.entry.what else {
        return None;
    };
    let envelope = Envelope::parse(text).ok()?;
    let asks = matches!(envelope.kind, MessageType::Call | MessageType::Send);
    asks.then(|| (envelope.id.into_owned(), envelope.action.into_owned()))
}

/// By how much the other log's clock is to be set, µs: the median over all pairs where that cannot be the way of a copy.
pub(super) fn ahead(chargers: &BTreeMap<&str, [Vec<Line<'_>>; 2]>) -> Micros {
    let mut apart = Vec::new();
    for [ours, theirs] in chargers.values() {
        for (line, twin) in theirs.iter().zip(pair(ours, theirs)) {
            apart.extend(twin.map(|twin| line.entry.at.saturating_sub(ours[twin].entry.at)));
        }
    }
    apart.sort_unstable();
    match apart.get(apart.len() / 2) {
        Some(median) if *median < 0 || *median > FAR => *median,
        _ => 0,
    }
}
