//! Legacy's own variance: does it answer equal requests differently at the place where the candidate differs?
//!
//! Requests are equal when they come from the same charger, with the same action, and say the same but for what differs
//! from message to message: times, identifiers, meter readings. A token is part of what they say. A value that changed
//! once and stayed is another state of the world (a tag was blocked); one that changed twice varies.
//!
//! What is remembered of each charger is bounded, and requests that come again are forgotten last. What is forgotten is
//! missing evidence: a divergence is then not called unstable.

use std::hash::{Hash as _, Hasher as _};

use super::mix::Mix;
use super::tree::{Node, escape};
use crate::ledger::row::Unstable;

/// Requests of a charger that are remembered: its boot, and the sessions of a handful of drivers.
const MOST: usize = 16;

/// Longer requests carry readings and are hardly ever equal, bytes.
const LONGEST: usize = 1_024;

/// Fields of an answer that are looked at.
const FIELDS: usize = 32;

/// Values that are told apart.
const VALUES: usize = 64;

/// A field that varies has changed at least so often.
const CHANGES: u32 = 2;

/// Their answers say nothing that a backend decides, or depend on what the session has come to (a running or final cost), so
/// that equal requests may well be answered differently.
const MUTE: [&str; 5] = [
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
    "StopTransaction",
    "TransactionEvent",
];

/// Members of requests that differ between equal requests, besides instants.
pub(super) const VOLATILE: [&str; 10] = [
    "eventId",
    "messageId",
    "meterStart",
    "meterStop",
    "meterValue",
    "requestId",
    "reservationId",
    "seqNo",
    "transactionData",
    "transactionId",
];

/// Where the field is that says whether there was an answer.
const WHOLE: &str = "";

/// What a field that is not there is taken for.
const ABSENT: u64 = 0;

/// What legacy has answered to a charger's requests that may come again.
#[derive(Debug, Default)]
pub(super) struct Variance {
    /// The one that came last stands last.
    memories: Vec<Memory>,
}

/// A request, as far as another can be equal to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(u64);

/// The answers to one request.
#[derive(Debug)]
struct Memory {
    key: u64,
    requests: u32,
    /// The last answer.
    whole: u64,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    /// JSON pointer with `*` for array indexes.
    path: Box<str>,
    last: u64,
    /// Those that it has had; empty until it changes.
    values: Vec<u64>,
    changes: u32,
}

impl Variance {
    /// Takes legacy's answer to a request: its payload, or the code of its refusal.
    pub(super) fn heard(
        &mut self,
        action: &str,
        request: &str,
        answer: Result<&str, &str>,
    ) -> Option<Key> {
        if MUTE.contains(&action) || request.len() > LONGEST {
            return None;
        }
        let key = key(action, request)?;
        let whole = hash(&answer);
        let memory = self.remember(key);
        memory.requests = memory.requests.saturating_add(1);
        if memory.requests == 1 || memory.whole != whole {
            memory.whole = whole;
            memory.take(&fields(answer));
        }
        Some(Key(key))
    }

    /// How legacy's answers to this request vary at `path`, or somewhere below it; `None` if they do not.
    pub(super) fn at(&self, key: Key, path: &str) -> Option<Unstable> {
        let memory = self.memories.iter().find(|memory| memory.key == key.0)?;
        let inside = |field: &&Field| {
            let rest = field.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || (!path.is_empty() && rest.starts_with('/')))
        };
        let fields = memory.fields.iter().filter(inside);
        let varying = fields.filter(|field| field.changes >= CHANGES);
        let values = varying.map(|field| field.values.len()).max()?;
        Some(Unstable {
            values: values as u32,
            requests: memory.requests,
        })
    }

    /// The memory of a request, as the one that came last.
    fn remember(&mut self, key: u64) -> &mut Memory {
        let known = self.memories.iter().position(|memory| memory.key == key);
        let memory = match known {
            Some(at) => self.memories.remove(at),
            None => Memory {
                key,
                requests: 0,
                whole: ABSENT,
                fields: Vec::new(),
            },
        };
        if self.memories.len() >= MOST {
            self.memories.remove(0);
        }
        self.memories.push_mut(memory)
    }
}

impl Memory {
    fn take(&mut self, answer: &[(String, u64)]) {
        let earlier = self.requests > 1;
        for known in &mut self.fields {
            if !answer.iter().any(|(path, _)| **path == *known.path) {
                known.take(ABSENT);
            }
        }
        for (path, value) in answer {
            let known = self.fields.iter_mut().find(|field| *field.path == **path);
            if let Some(known) = known {
                known.take(*value);
            } else if self.fields.len() < FIELDS {
                let mut field = Field {
                    path: path.as_str().into(),
                    last: if earlier { ABSENT } else { *value },
                    values: Vec::new(),
                    changes: 0,
                };
                field.take(*value);
                self.fields.push(field);
            }
        }
    }
}

impl Field {
    fn take(&mut self, value: u64) {
        if value == self.last {
            return;
        }
        if self.values.is_empty() {
            self.values.push(self.last);
        }
        self.last = value;
        self.changes = self.changes.saturating_add(1);
        if self.values.len() < VALUES && !self.values.contains(&value) {
            self.values.push(value);
        }
    }
}

fn hash(of: &impl std::hash::Hash) -> u64 {
    let mut hasher = Mix::default();
    of.hash(&mut hasher);
    hasher.finish().max(1)
}

/// `None` if the request cannot be read.
fn key(action: &str, request: &str) -> Option<u64> {
    let node = Node::parse(request).ok()?;
    let mut hasher = Mix::default();
    action.hash(&mut hasher);
    lasting(&node, &mut hasher);
    Some(hasher.finish())
}

/// Hashes what does not differ from message to message.
fn lasting(node: &Node<'_>, hasher: &mut Mix) {
    match node {
        Node::Object(members) => {
            for (name, value) in members {
                if !VOLATILE.contains(&name.as_ref()) {
                    name.hash(hasher);
                    lasting(value, hasher);
                }
            }
        }
        Node::Array(elements) => {
            elements.len().hash(hasher);
            for element in elements {
                lasting(element, hasher);
            }
        }
        Node::Text(text) if is_instant(text) => {}
        scalar => put_scalar(scalar, hasher),
    }
}

fn put_scalar(node: &Node<'_>, hasher: &mut Mix) {
    match node {
        Node::Bool(value) => value.hash(hasher),
        Node::Number(text) | Node::Raw(text) => text.hash(hasher),
        Node::Text(text) => text.hash(hasher),
        Node::Null | Node::Array(_) | Node::Object(_) => node.type_word().hash(hasher),
    }
}

/// Whether a text looks like `2026-11-24T00:00:00Z`.
pub(super) fn is_instant(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 19
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && (bytes[4], bytes[7], bytes[13]) == (b'-', b'-', b':')
}

/// Every scalar of an answer by its path, and the kind of everything else.
fn fields(answer: Result<&str, &str>) -> Vec<(String, u64)> {
    let mut found = vec![(WHOLE.to_owned(), hash(&answer.err()))];
    if let Some(node) = answer.ok().and_then(|text| Node::parse(text).ok()) {
        walk(&node, "", &mut found);
    }
    found
}

fn walk(node: &Node<'_>, path: &str, found: &mut Vec<(String, u64)>) {
    match node {
        Node::Object(members) => {
            for (name, value) in members {
                field(value, format!("{path}/{}", escape(name)), found);
            }
        }
        Node::Array(elements) => {
            for value in elements {
                field(value, format!("{path}/*"), found);
            }
        }
        _ => {}
    }
}

/// Elements of an array share a path: their values become one.
fn field(node: &Node<'_>, path: String, found: &mut Vec<(String, u64)>) {
    walk(node, &path, found);
    let mut hasher = Mix::default();
    put_scalar(node, &mut hasher);
    let value = hasher.finish().max(1);
    match found.iter_mut().find(|(known, _)| *known == path) {
        Some((_, known)) => *known = hash(&(*known, value)),
        None => found.push((path, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(variance: &mut Variance, answers: &[&str], path: &str) -> Option<Unstable> {
        let mut key = None;
        for (number, answer) in answers.iter().enumerate() {
            let request = format!(
                r#"{{"idTag":"T1","meterStart":{number},"timestamp":"2026-11-24T00:00:{number:02}Z"}}"#
            );
            key = variance.heard("StartTransaction", &request, Ok(answer));
        }
        variance.at(key.unwrap(), path)
    }

    #[test]
    fn a_value_that_goes_and_comes_varies_and_one_that_changed_once_does_not() {
        let path = "/idTagInfo/status";
        let says = |status: &str| format!(r#"{{"idTagInfo":{{"status":"{status}"}},"n":1}}"#);
        let (yes, no) = (says("Accepted"), says("Blocked"));
        let (yes, no) = (yes.as_str(), no.as_str());
        let seen = |answers: &[&str]| answered(&mut Variance::default(), answers, path);
        assert_eq!(seen(&[yes, yes, yes]), None);
        assert_eq!(seen(&[yes, yes, no, no, no]), None);
        let two = Unstable {
            values: 2,
            requests: 4,
        };
        assert_eq!(seen(&[yes, no, yes, yes]), Some(two));
        assert_eq!(seen(&[yes, "{}", yes, yes]), Some(two));
        let mut variance = Variance::default();
        assert_eq!(answered(&mut variance, &[yes, no, yes], "/n"), None);
        assert!(answered(&mut variance, &[no], "/idTagInfo").is_some());
        assert_eq!(answered(&mut variance, &[no], "/idTag"), None);
    }

    #[test]
    fn refusals_vary_too() {
        let mut variance = Variance::default();
        let mut hear = |answer| {
            let key = variance.heard("Authorize", "{}", answer).unwrap();
            variance.at(key, WHOLE)
        };
        assert_eq!(hear(Ok("{}")), None);
        assert_eq!(hear(Err("InternalError")), None);
        assert_eq!(hear(Ok("{}")).unwrap().requests, 3);
    }

    #[test]
    fn costs_differ_because_sessions_do() {
        let mut variance = Variance::default();
        for cost in ["1.20", "2.40", "1.20", "3.60"] {
            let answer = format!(r#"{{"totalCost":{cost}}}"#);
            let key = variance.heard("TransactionEvent", "{}", Ok(&answer));
            assert!(key.is_none_or(|key| variance.at(key, "/totalCost").is_none()));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_comes_again_stays() {
        let mut variance = Variance::default();
        let yes = r#"{"s":1}"#;
        let no = r#"{"s":2}"#;
        for number in 0..1_000 {
            let request = format!(r#"{{"idTag":"{number}"}}"#);
            variance.heard("Authorize", &request, Ok(yes));
            if number % 10 == 0 {
                let answer = if number % 20 == 0 { yes } else { no };
                variance.heard("Authorize", r#"{"idTag":"again"}"#, Ok(answer));
            }
        }
        assert_eq!(variance.memories.len(), MOST);
        let key = variance.heard("Authorize", r#"{"idTag":"again"}"#, Ok(yes));
        let seen = variance.at(key.unwrap(), "/s").unwrap();
        assert_eq!((seen.values, seen.requests), (2, 101));
    }
}
