//! Fields of payloads as rows, in the order of their paths.

use std::collections::BTreeSet;

use super::super::escape::printable;
use super::super::evidence::Evidence;
use super::super::explain::Place;
use super::{Row, because, cut};
use crate::facts::Leg;
use crate::judge::rules::{literal, spelled};
use crate::judge::tree::{Node, escape};
use crate::ledger::Mark;
use crate::ledger::row::Subject;

/// Rows of equal fields at most: a report of ten thousand variables is for the raw text.
const MOST: usize = 1_000;

/// Rows as they are gathered.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) rows: Vec<Row>,
    /// Fields that found no room.
    pub(super) more: usize,
}

impl Fields {
    /// Every field of one payload; the path is filled in here.
    pub(super) fn all(&mut self, node: &Node<'_>, row: impl Fn(String) -> Row) {
        let mut found = Vec::new();
        leaves(node, String::new(), &BTreeSet::new(), &mut found);
        for (pointer, value) in found {
            if self.rows.len() >= MOST {
                self.more += 1;
                continue;
            }
            self.rows.push(Row {
                path: dotted(&pointer),
                ..row(cut(printable(&value)))
            });
        }
    }

    /// Two payloads: a row for each difference that the judge saw, and one for each field besides, which is equal.
    pub(super) fn pair(&mut self, evidence: &Evidence, legacy: &Node<'_>, candidate: &Node<'_>) {
        let mut keyed: Vec<(Vec<Token>, Row)> = Vec::new();
        for place in &evidence.places {
            let row = differing(evidence, place, [legacy, candidate]);
            keyed.push((tokens(&place.pointer), row));
        }
        let covered: BTreeSet<&str> = (evidence.places.iter())
            .map(|place| place.pointer.as_str())
            .collect();
        // Where the texts agree either may be read; the authority's indexes are those of the judge.
        let (ours, theirs) = match evidence.shadow_leg() {
            Leg::Candidate => (legacy, candidate),
            Leg::Legacy => (candidate, legacy),
        };
        let mut found = Vec::new();
        leaves(ours, String::new(), &covered, &mut found);
        self.more = found.len().saturating_sub(MOST);
        found.truncate(MOST);
        for (pointer, value) in found {
            let row = agreeing(evidence, &pointer, &value, theirs);
            keyed.push((tokens(&pointer), row));
        }
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.rows.extend(keyed.into_iter().map(|(_, row)| row));
    }
}

/// A difference that the judge saw.
fn differing(evidence: &Evidence, place: &Place, [legacy, candidate]: [&Node<'_>; 2]) -> Row {
    let comparable = evidence.judged.reason.is_empty();
    let (mark, why) = if place.explained {
        (
            Mark::Explained,
            format!("rule {}", printable(&place.decided.id)),
        )
    } else if comparable {
        let why = format!("{} rule {}", place.severity, printable(&place.decided.id));
        (Mark::Divergent, why)
    } else if evidence.judged.reason == "synthetic" {
        (Mark::Synthetic, "synthetic".to_owned())
    } else {
        (Mark::NotComparable, because(evidence))
    };
    let [ours, theirs] = match evidence.shadow_leg() {
        Leg::Candidate => [&place.authority, &place.shadow],
        Leg::Legacy => [&place.shadow, &place.authority],
    };
    Row {
        mark,
        path: dotted(&place.pointer),
        wire: None,
        legacy: whole(legacy, &place.pointer, ours.as_deref()),
        candidate: whole(candidate, &place.pointer, theirs.as_deref()),
        why,
    }
}

/// A field that the judge had nothing to say about. In commands, identifiers were translated before they were compared.
fn agreeing(evidence: &Evidence, pointer: &str, value: &str, theirs: &Node<'_>) -> Row {
    let other = (evidence.judged.subject == Subject::Command)
        .then(|| theirs.at(pointer).map(spelled))
        .flatten()
        .filter(|other| other != value && !pointer.contains(|c: char| c.is_ascii_digit()));
    let (mark, why) = match other {
        Some(_) => (Mark::Explained, "relation".to_owned()),
        None => (Mark::Equal, String::new()),
    };
    let value = cut(printable(value));
    let other = other.map_or_else(|| value.clone(), |other| cut(printable(&other)));
    let [legacy, candidate] = match evidence.shadow_leg() {
        Leg::Candidate => [value, other],
        Leg::Legacy => [other, value],
    };
    Row {
        mark,
        path: dotted(pointer),
        wire: None,
        legacy: Some(legacy),
        candidate: Some(candidate),
        why,
    }
}

/// The value behind what the judge quotes of it, which may be shortened. Elements that were paired by a key stand elsewhere
/// in the shadow's text: then the quotation has to do.
fn whole(node: &Node<'_>, pointer: &str, quoted: Option<&str>) -> Option<String> {
    let quoted = quoted?;
    let is_it = |found: &&Node<'_>| {
        let text = literal(found);
        match quoted.strip_suffix("...") {
            Some(start) => text.starts_with(start),
            None => text == quoted,
        }
    };
    let found = node.at(pointer).filter(is_it).map(spelled);
    Some(cut(printable(found.as_deref().unwrap_or(quoted))))
}

/// Fields of `node` that lie under none of `covered`, with their JSON pointers. An empty array or object is a field.
pub(super) fn leaves(
    node: &Node<'_>,
    pointer: String,
    covered: &BTreeSet<&str>,
    found: &mut Vec<(String, String)>,
) {
    if covered.contains(pointer.as_str()) {
        return;
    }
    match node {
        Node::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                leaves(value, format!("{pointer}/{}", escape(name)), covered, found);
            }
        }
        Node::Array(elements) if !elements.is_empty() => {
            for (index, value) in elements.iter().enumerate() {
                leaves(value, format!("{pointer}/{index}"), covered, found);
            }
        }
        // An empty payload has no fields.
        Node::Object(_) | Node::Null if pointer.is_empty() => {}
        _ => found.push((pointer, spelled(node))),
    }
}

/// A step of a pointer, so that paths sort as people count.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Token {
    Index(u64),
    Name(String),
}

pub(super) fn tokens(pointer: &str) -> Vec<Token> {
    let token = |text: &str| match text.parse() {
        Ok(index) => Token::Index(index),
        Err(_) => Token::Name(text.to_owned()),
    };
    pointer.split('/').skip(1).map(token).collect()
}

/// A JSON pointer as people write it: `meterValue[0].value`.
pub fn dotted(pointer: &str) -> String {
    if pointer.is_empty() {
        return "(whole)".to_owned();
    }
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        if token == "*" || (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit())) {
            path = format!("{path}[{token}]");
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&token.replace("~1", "/").replace("~0", "~"));
    }
    cut(printable(&path))
}
