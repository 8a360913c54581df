//! What is expected of one place of an answer or a command, held against what was said.

use std::ops::Range;

use serde_json::Value;

use super::variables::{Meaning, Unknown};
use crate::judge::tree::{Node, decimal};

/// The path that means the code of a CALLERROR: no answer of OCPP has such a member.
pub(super) const ERROR: &str = "error";

/// What is expected of one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The place as the file writes it.
    pub path: String,
    /// What must be there.
    pub wants: Wants,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// What must be at a place.
#[derive(Debug, Clone, PartialEq)]
pub enum Wants {
    /// This value.
    Is(Value),
    /// One of these values.
    OneOf(Vec<Value>),
    /// Anything, or nothing.
    Present(bool),
    /// A number in a range, both ends included.
    Range(Option<Value>, Option<Value>),
    /// A text that contains this.
    Contains(String),
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<'a> {
    /// A payload: of a CALLRESULT, or of a command.
    Payload(&'a str),
    /// A CALLERROR of this code.
    Error(&'a str),
    /// Nothing, and why.
    Nothing(&'a str),
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// What was expected, in words.
    pub expected: String,
    /// What there was, in words.
    pub got: String,
}

impl Expected {
    /// Holds it against what was said; none if it is met.
    pub fn miss(&self, said: &Said<'_>, meaning: &Meaning) -> Result<Option<Miss>, Unknown> {
        let wants = self.wants.rendered(meaning)?;
        let is_met = match said {
            Said::Payload(text) => match Node::parse(text) {
                Ok(node) if self.path != ERROR => wants.holds(node.at(&pointer(&self.path))),
                _ => wants == Wants::Present(false),
            },
            Said::Error(code) if self.path == ERROR => {
                wants.holds(Some(&Node::Text((*code).into())))
            }
            Said::Error(_) | Said::Nothing(_) => false,
        };
        Ok((!is_met).then(|| Miss {
            expected: format!("{} {}", self.path, wants.words()),
            got: self.got(said),
        }))
    }

    fn got(&self, said: &Said<'_>) -> String {
        match said {
            Said::Payload(_) if self.path == ERROR => "an answer without error".to_owned(),
            Said::Payload(text) => match Node::parse(text) {
                Ok(node) => node
                    .at(&pointer(&self.path))
                    .map_or_else(|| "nothing there".to_owned(), written),
                Err(_) => "something that is not JSON".to_owned(),
            },
            Said::Error(code) => format!("CALLERROR {code}"),
            Said::Nothing(why) => (*why).to_owned(),
        }
    }
}

impl Wants {
    fn rendered(&self, meaning: &Meaning) -> Result<Self, Unknown> {
        Ok(match self {
            Self::Is(value) => Self::Is(meaning.render(value)?),
            Self::OneOf(values) => {
                let rendered = values.iter().map(|value| meaning.render(value));
                Self::OneOf(rendered.collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    fn holds(&self, found: Option<&Node<'_>>) -> bool {
        match self {
            Self::Present(wanted) => found.is_some() == *wanted,
            Self::Is(value) => found.is_some_and(|found| is(found, value)),
            Self::OneOf(values) => {
                found.is_some_and(|found| values.iter().any(|value| is(found, value)))
            }
            Self::Contains(part) => found
                .and_then(Node::text)
                .is_some_and(|text| text.contains(part)),
            Self::Range(least, most) => {
                let Some(Node::Number(found)) = found else {
                    return false;
                };
                let bound = |bound: &Option<Value>| bound.as_ref().map(ToString::to_string);
                let Some(found) = decimal(found) else {
                    return false;
                };
                let least = bound(least).and_then(|least| decimal(&least));
                let most = bound(most).and_then(|most| decimal(&most));
                least.is_none_or(|least| found >= least) && most.is_none_or(|most| found <= most)
            }
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Is(value) => value.to_string(),
            Self::OneOf(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                format!("one of {}", values.join(", "))
            }
            Self::Present(true) => "present".to_owned(),
            Self::Present(false) => "absent".to_owned(),
            Self::Contains(part) => format!("containing {part:?}"),
            Self::Range(Some(least), Some(most)) => format!("from {least} to {most}"),
            Self::Range(Some(least), None) => format!("at least {least}"),
            Self::Range(None, Some(most)) => format!("at most {most}"),
            Self::Range(None, None) => "a number".to_owned(),
        }
    }
}

fn is(found: &Node<'_>, value: &Value) -> bool {
    let text = value.to_string();
    Node::parse(&text).is_ok_and(|value| found.same(&value))
}

/// A value as JSON writes it.
fn written(node: &Node<'_>) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Bool(flag) => flag.to_string(),
        Node::Number(text) | Node::Raw(text) => (*text).to_owned(),
        Node::Text(text) => Value::from(text.as_ref()).to_string(),
        Node::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(written).collect();
            format!("[{}]", elements.join(","))
        }
        Node::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_ref()), written(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

/// `idTagInfo.status` and `meterValue[0].timestamp` as JSON pointers; a pointer stays one.
pub(super) fn pointer(path: &str) -> String {
    if path.is_empty() || path.starts_with('/') {
        return path.to_owned();
    }
    let mut pointer = String::new();
    for token in path.split(['.', '[']) {
        pointer.push('/');
        let name = token.strip_suffix(']').unwrap_or(token);
        pointer.push_str(&crate::judge::tree::escape(name));
    }
    pointer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn misses(path: &str, wants: Wants, said: &Said<'_>) -> Option<(String, String)> {
        let expected = Expected {
            path: path.to_owned(),
            wants,
            span: 0..0,
        };
        let miss = expected.miss(said, &Meaning::default()).unwrap();
        miss.map(|miss| (miss.expected, miss.got))
    }

    const ANSWER: Said<'_> =
        Said::Payload(r#"{"idTagInfo":{"status":"Blocked"},"interval":3e2,"list":[{"a":null}]}"#);

    #[test]
    fn values_are_the_same_however_they_are_spelled() {
        assert_eq!(misses("interval", Wants::Is(json!(300)), &ANSWER), None);
        assert_eq!(misses("list[0].a", Wants::Is(json!(null)), &ANSWER), None);
        assert_eq!(misses("/list/0", Wants::Present(true), &ANSWER), None);
        assert_eq!(
            misses("idTagInfo.status", Wants::Is(json!("Accepted")), &ANSWER),
            Some((
                r#"idTagInfo.status "Accepted""#.to_owned(),
                r#""Blocked""#.to_owned()
            ))
        );
    }

    #[test]
    fn ranges_lists_and_parts() {
        let range = |least, most| Wants::Range(Some(json!(least)), Some(json!(most)));
        assert_eq!(misses("interval", range(1, 300), &ANSWER), None);
        assert!(misses("interval", range(1, 299), &ANSWER).is_some());
        let words = Wants::OneOf(vec![json!("Invalid"), json!("Blocked")]);
        assert_eq!(misses("idTagInfo.status", words, &ANSWER), None);
        let part = Wants::Contains("lock".to_owned());
        assert_eq!(misses("idTagInfo.status", part, &ANSWER), None);
        assert_eq!(
            misses("nobody", Wants::Present(true), &ANSWER),
            Some(("nobody present".to_owned(), "nothing there".to_owned()))
        );
    }

    #[test]
    fn an_error_is_expected_by_its_code() {
        let error = Said::Error("NotSupported");
        let code = Wants::Is(json!("NotSupported"));
        assert_eq!(misses(ERROR, code.clone(), &error), None);
        assert!(misses(ERROR, code, &ANSWER).is_some());
        assert_eq!(misses(ERROR, Wants::Present(false), &ANSWER), None);
        assert!(misses("status", Wants::Present(false), &error).is_some());
    }
}
