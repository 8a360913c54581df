//! JSON text as a tree that keeps what `serde_json::Value` loses: the spelling of numbers.
//!
//! Numbers are equal when their values are, however they are spelled: `1.0`, `1.00` and `1e0`. Of duplicate keys the
//! last counts, as most parsers have it. Depth is bounded, so a hostile payload cannot exhaust the stack.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::ocpp::json::{self, SyntaxError};

/// Deeper values are kept as text.
const MAX_DEPTH: usize = 48;

/// A JSON value, borrowed from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as spelled.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Node<'a>>),
    /// An object: members by name, in order of names.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// Something nested too deeply, or not JSON: compared as text.
    Raw(&'a str),
}

impl<'a> Node<'a> {
    /// Reads `text`, which holds one value.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let bytes = text.as_bytes();
        let (node, end) = read(text, json::skip_space(bytes, 0), 0)?;
        json::at_end(bytes, end)?;
        Ok(node)
    }

    /// The member called `name`.
    pub fn member(&self, name: &str) -> Option<&Node<'a>> {
        match self {
            Self::Object(members) => members
                .binary_search_by(|(key, _)| key.as_ref().cmp(name))
                .ok()
                .map(|at| &members[at].1),
            _ => None,
        }
    }

    /// What the JSON pointer leads to (RFC 6901).
    pub fn at(&self, pointer: &str) -> Option<&Node<'a>> {
        let mut here = self;
        for token in pointer.split('/').skip(1) {
            here = match here {
                Self::Array(elements) => elements.get(token.parse::<usize>().ok()?)?,
                Self::Object(_) => here.member(&unescape(token))?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The type, as JSON names it.
    pub const fn type_word(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Raw(_) => "unreadable",
        }
    }

    /// Whether both are the same value: numbers by value, members in any order, elements in theirs.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => same_number(a, b),
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Self::Object(a), Self::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((ka, a), (kb, b))| ka == kb && a.same(b))
            }
            _ => self == other,
        }
    }
}

/// The offset behind the value at `at`, which must be one that [`Node::parse`] reads.
pub(super) fn pass(text: &str, at: usize) -> Result<usize, SyntaxError> {
    match text.as_bytes().get(at) {
        Some(b'{' | b'[') => read(text, at, 0).map(|(_, end)| end),
        _ => json::skip_value(text.as_bytes(), at),
    }
}

/// Reads the value at `at`; returns it with the offset behind it.
fn read(text: &str, at: usize, depth: usize) -> Result<(Node<'_>, usize), SyntaxError> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(b'{') if depth <= MAX_DEPTH => {
            let mut members = Vec::new();
            let end = json::try_members(text, at, |name, value| {
                let (node, end) = read(text, value, depth + 1)?;
                members.push((name, node));
                Ok(end)
            })?;
            Ok((Node::Object(by_name(members)), end))
        }
        Some(b'[') if depth <= MAX_DEPTH => {
            let mut elements = Vec::new();
            let end = json::try_elements(bytes, at, |element| {
                let (node, end) = read(text, element, depth + 1)?;
                elements.push(node);
                Ok(end)
            })?;
            Ok((Node::Array(elements), end))
        }
        _ => {
            let end = json::skip_value(bytes, at)?;
            let literal = &text[at..end];
            let node = match literal.as_bytes().first() {
                _ if depth > MAX_DEPTH => Node::Raw(literal),
                Some(b'"') => json::string_value(literal).map_or(Node::Raw(literal), Node::Text),
                _ => scalar(literal),
            };
            Ok((node, end))
        }
    }
}

/// Sorts members by name; of duplicates the last stays.
fn by_name<'a>(mut members: Vec<(Cow<'a, str>, Node<'a>)>) -> Vec<(Cow<'a, str>, Node<'a>)> {
    if members.is_sorted_by(|(a, _), (b, _)| a < b) {
        return members;
    }
    members.reverse();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    members.dedup_by(|(later, _), (earlier, _)| later == earlier);
    members
}

fn scalar(literal: &str) -> Node<'_> {
    match literal {
        "null" => Node::Null,
        "true" => Node::Bool(true),
        "false" => Node::Bool(false),
        _ if is_number(literal) => Node::Number(literal),
        _ => Node::Raw(literal),
    }
}

/// Whether a literal is a number.
pub(super) fn is_number(literal: &str) -> bool {
    parts(literal).is_some()
}

/// Whether two number literals have the same value. Exact for any number of digits.
pub fn same_number(a: &str, b: &str) -> bool {
    a == b || matches!((significant(a), significant(b)), (Some(a), Some(b)) if a == b)
}

/// The value of a number literal, if it fits: about 28 digits.
pub fn decimal(literal: &str) -> Option<Decimal> {
    if literal.contains(['e', 'E']) {
        Decimal::from_scientific(literal).ok()
    } else {
        Decimal::from_str_exact(literal).ok()
    }
}

/// Whether a number literal is an integer that fits 32 bits with sign.
pub fn is_int32(literal: &str) -> bool {
    decimal(literal).is_some_and(|value| {
        value.is_integer() && value >= Decimal::from(i32::MIN) && value <= Decimal::from(i32::MAX)
    })
}

/// Sign, digits without leading and trailing zeros, and the power of ten of the last digit: the value, uniquely.
fn significant(literal: &str) -> Option<(bool, String, i64)> {
    let (negative, whole, fraction, exponent) = parts(literal)?;
    let digits: String = [whole, fraction].concat();
    let kept = digits.trim_end_matches('0');
    let power = i64::from(exponent) - fraction.len() as i64 + (digits.len() - kept.len()) as i64;
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0));
    }
    Some((negative, kept.to_owned(), power))
}

/// The parts of a number literal: whether it is below nought, the digits before and behind the point, and the exponent.
fn parts(literal: &str) -> Option<(bool, &str, &str, i32)> {
    let (negative, rest) = match literal.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, literal),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number =
        !whole.is_empty() && !mantissa.ends_with('.') && is_digits(whole) && is_digits(fraction);
    is_number.then_some((negative, whole, fraction, exponent))
}

/// A token of a JSON pointer, escaped.
pub fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) {
        Cow::Owned(token.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(token)
    }
}

fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node<'_> {
        Node::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value() {
        for same in [
            ("1.0", "1"),
            ("1.00", "1e0"),
            ("100", "1E+2"),
            ("-0", "0"),
            ("0.0010", "1e-3"),
            (
                "123456789012345678901234567890.10",
                "123456789012345678901234567890.1",
            ),
        ] {
            assert!(same_number(same.0, same.1), "{same:?}");
        }
        for other in [
            ("1", "-1"),
            ("1", "10"),
            ("1.1", "1.10000000000000000000000000001"),
        ] {
            assert!(!same_number(other.0, other.1), "{other:?}");
        }
    }

    #[test]
    fn members_have_no_order_and_the_last_duplicate_counts() {
        assert!(
            parse(r#"{"a":1,"b":[2,{"c":null}]}"#)
                .same(&parse(r#"{ "b" : [2.0,{"c":null}], "a":1 }"#))
        );
        assert!(parse(r#"{"a":1,"a":2}"#).same(&parse(r#"{"a":2}"#)));
        assert!(!parse("[1,2]").same(&parse("[2,1]")));
    }

    #[test]
    fn pointers_lead_to_values() {
        let node = parse(r#"{"a/b":[{"x~y":"here"}]}"#);
        assert_eq!(node.at("/a~1b/0/x~0y").and_then(Node::text), Some("here"));
        assert_eq!(node.at("/a~1b/1"), None);
        assert_eq!(node.at(""), Some(&node));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        assert!(parse(&deep).same(&parse(&deep)));
    }

    #[test]
    fn what_is_not_a_number_is_kept_as_text() {
        assert_eq!(parse("12abc"), Node::Raw("12abc"));
        assert_eq!(parse("nul"), Node::Raw("nul"));
    }

    #[test]
    fn ids_are_checked_against_int32() {
        assert!(is_int32("2147483647") && is_int32("-2147483648") && is_int32("7.0"));
        assert!(!is_int32("2147483648") && !is_int32("1.5"));
    }
}
