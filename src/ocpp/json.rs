//! Where values lie in JSON text.
//!
//! Identifiers are rewritten in place, so that everything else a charger sent (key order, duplicate keys, number
//! spelling, white space) reaches the candidate byte for byte. That needs byte ranges, which no JSON tree keeps. The
//! scanner is iterative: nesting depth costs no stack.

use std::borrow::Cow;
use std::ops::Range;

/// A syntax error at a byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at byte {at}")]
pub struct SyntaxError {
    /// Byte offset into the scanned text.
    pub at: usize,
}

/// One step of a path into a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The member with this name. Duplicate members all match.
    Key(&'static str),
    /// Every element of an array.
    Each,
}

/// The ranges of the values directly inside an array.
pub fn elements(text: &str, at: usize) -> Result<Vec<Range<usize>>, SyntaxError> {
    let mut found = Vec::new();
    walk_array(text.as_bytes(), at, |value| found.push(value))?;
    Ok(found)
}

/// The ranges of every value that `path` leads to, in text order. A path that leads nowhere gives no ranges; text that
/// is not JSON gives an error.
pub fn locate(text: &str, path: &[Step]) -> Result<Vec<Range<usize>>, SyntaxError> {
    let bytes = text.as_bytes();
    let mut here = vec![whole(bytes)?];
    for step in path {
        let mut next = Vec::new();
        for value in here {
            match (step, bytes.get(value.start)) {
                (Step::Key(key), Some(b'{')) => {
                    walk_object(text, value.start, |name, member| {
                        if name == *key {
                            next.push(member);
                        }
                    })?;
                }
                (Step::Each, Some(b'[')) => {
                    walk_array(bytes, value.start, |element| next.push(element))?;
                }
                _ => {}
            }
        }
        here = next;
    }
    Ok(here)
}

/// The range of the single value that makes up `bytes`, without surrounding white space.
fn whole(bytes: &[u8]) -> Result<Range<usize>, SyntaxError> {
    let start = skip_space(bytes, 0);
    let end = skip_value(bytes, start)?;
    let rest = skip_space(bytes, end);
    if rest == bytes.len() {
        Ok(start..end)
    } else {
        Err(SyntaxError { at: rest })
    }
}

/// Calls `member` with the name and value range of each member of the object at `at`; returns the offset behind it.
pub fn walk_object<'a>(
    text: &'a str,
    at: usize,
    mut member: impl FnMut(Cow<'a, str>, Range<usize>),
) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    let mut pos = skip_space(bytes, expect(bytes, at, b'{')?);
    if bytes.get(pos) == Some(&b'}') {
        return Ok(pos + 1);
    }
    loop {
        let name_end = skip_string(bytes, pos)?;
        let name = string_value(&text[pos..name_end]).ok_or(SyntaxError { at: pos })?;
        let colon = skip_space(bytes, name_end);
        let start = skip_space(bytes, expect(bytes, colon, b':')?);
        let end = skip_value(bytes, start)?;
        member(name, start..end);
        pos = skip_space(bytes, end);
        match bytes.get(pos) {
            Some(b',') => pos = skip_space(bytes, pos + 1),
            Some(b'}') => return Ok(pos + 1),
            _ => return Err(SyntaxError { at: pos }),
        }
    }
}

/// How deep [`walk_objects`] looks. OCPP nests ten levels; what is deeper would cost time for nothing.
const MAX_DEPTH: usize = 64;

/// A member of an object: its name, unescaped, and where its value lies.
pub type Member<'a> = (Cow<'a, str>, Range<usize>);

/// Calls `object` with the members of every object at any depth, outer objects before those inside them.
pub fn walk_objects<'a>(
    text: &'a str,
    mut object: impl FnMut(&[Member<'a>]),
) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let mut open = vec![(0, whole(bytes)?)];
    while let Some((depth, value)) = open.pop() {
        let inner = depth + 1;
        let first = open.len();
        match bytes.get(value.start) {
            _ if inner > MAX_DEPTH => {}
            Some(b'{') => {
                let mut members = Vec::new();
                walk_object(text, value.start, |name, at| members.push((name, at)))?;
                object(&members);
                open.extend(members.into_iter().map(|(_, at)| (inner, at)));
            }
            Some(b'[') => {
                walk_array(bytes, value.start, |at| open.push((inner, at)))?;
            }
            _ => {}
        }
        open[first..].reverse();
    }
    Ok(())
}

fn walk_array(
    bytes: &[u8],
    at: usize,
    mut element: impl FnMut(Range<usize>),
) -> Result<usize, SyntaxError> {
    let mut pos = skip_space(bytes, expect(bytes, at, b'[')?);
    if bytes.get(pos) == Some(&b']') {
        return Ok(pos + 1);
    }
    loop {
        let end = skip_value(bytes, pos)?;
        element(pos..end);
        pos = skip_space(bytes, end);
        match bytes.get(pos) {
            Some(b',') => pos = skip_space(bytes, pos + 1),
            Some(b']') => return Ok(pos + 1),
            _ => return Err(SyntaxError { at: pos }),
        }
    }
}

/// The text of a JSON string literal (with its quotes). Borrowed unless it holds an escape.
pub fn string_value(literal: &str) -> Option<Cow<'_, str>> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(literal).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The first offset at or behind `pos` that is not JSON white space.
pub fn skip_space(bytes: &[u8], mut pos: usize) -> usize {
    while matches!(bytes.get(pos), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        pos += 1;
    }
    pos
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Result<usize, SyntaxError> {
    if bytes.get(at) == Some(&byte) {
        Ok(at + 1)
    } else {
        Err(SyntaxError { at })
    }
}

fn skip_string(bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
    let mut pos = expect(bytes, at, b'"')?;
    loop {
        match bytes.get(pos) {
            Some(b'"') => return Ok(pos + 1),
            Some(b'\\') => pos += 2,
            Some(_) => pos += 1,
            None => return Err(SyntaxError { at: pos }),
        }
    }
}

/// The offset behind the value at `at`. Checks nesting and separators, not the inside of numbers and literals: the
/// scanner finds places, `serde_json` judges validity.
pub fn skip_value(bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
    match bytes.get(at) {
        Some(b'"') => skip_string(bytes, at),
        Some(b'{' | b'[') => skip_nested(bytes, at),
        Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => Ok(skip_scalar(bytes, at)),
        _ => Err(SyntaxError { at }),
    }
}

fn skip_scalar(bytes: &[u8], mut pos: usize) -> usize {
    while matches!(
        bytes.get(pos),
        Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
    ) {
        pos += 1;
    }
    pos
}

/// Skips a bracketed value by counting brackets outside strings; kinds of brackets are matched with a bit stack.
fn skip_nested(bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
    let mut open: Vec<u8> = Vec::with_capacity(16);
    let mut pos = at;
    loop {
        match bytes.get(pos) {
            Some(b'"') => {
                pos = skip_string(bytes, pos)?;
                continue;
            }
            Some(b'{') => open.push(b'}'),
            Some(b'[') => open.push(b']'),
            Some(&close @ (b'}' | b']')) => {
                if open.pop() != Some(close) {
                    return Err(SyntaxError { at: pos });
                }
                if open.is_empty() {
                    return Ok(pos + 1);
                }
            }
            Some(_) => {}
            None => return Err(SyntaxError { at: pos }),
        }
        pos += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, path: &[Step]) -> Vec<String> {
        locate(text, path)
            .unwrap()
            .into_iter()
            .map(|range| text[range].to_owned())
            .collect()
    }

    #[test]
    fn a_path_leads_to_every_duplicate_and_every_element() {
        let text = r#" {"a":1, "b":[{"id": 7},{"id":"x\"y"}], "a" : -2e3 } "#;
        assert_eq!(found(text, &[Step::Key("a")]), ["1", "-2e3"]);
        assert_eq!(
            found(text, &[Step::Key("b"), Step::Each, Step::Key("id")]),
            ["7", "\"x\\\"y\""]
        );
        assert!(found(text, &[Step::Key("c")]).is_empty());
        assert!(found(text, &[Step::Key("a"), Step::Key("z")]).is_empty());
    }

    #[test]
    fn objects_are_walked_at_any_depth_outer_first() {
        let text = r#"{"a":{"b":[1,{"c":2}]},"d":{"e":3}}"#;
        let mut seen = Vec::new();
        walk_objects(text, |members| {
            for (name, at) in members {
                seen.push(format!("{name}={}", &text[at.clone()]));
            }
        })
        .unwrap();
        let inside = [
            r#"a={"b":[1,{"c":2}]}"#,
            r#"d={"e":3}"#,
            r#"b=[1,{"c":2}]"#,
            "c=2",
            "e=3",
        ];
        assert_eq!(seen, inside);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        walk_objects(&deep, |_| panic!("no object here")).unwrap();
    }

    #[test]
    fn an_escaped_key_is_recognised() {
        assert_eq!(found(r#"{"\u0061":3}"#, &[Step::Key("a")]), ["3"]);
    }

    #[test]
    fn broken_text_is_an_error_never_a_panic() {
        for text in [
            "",
            "{",
            "[1,",
            "{\"a\"",
            "{\"a\":}",
            "[}",
            "\"\\",
            "{\"a\":1}}",
            ",[1]",
        ] {
            assert!(locate(text, &[Step::Key("a")]).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(skip_value(deep.as_bytes(), 0), Ok(400_000));
    }
}
