//! Where values lie in JSON text.
//!
//! Identifiers are rewritten in place, so that everything else a charger sent (key order, duplicate keys, number
//! spelling, white space) reaches the candidate byte for byte. That needs byte ranges, which no JSON tree keeps. The
//! scanner is iterative: nesting depth costs no stack.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memmem};

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
/// is not JSON gives an error, unless a key of the path is nowhere in it.
pub fn locate(text: &str, path: &[Step]) -> Result<Vec<Range<usize>>, SyntaxError> {
    let mut found = Vec::new();
    if mentions(text, path) {
        let bytes = text.as_bytes();
        let end = follow(text, skip_space(bytes, 0), path, &mut |place| {
            found.push(place);
            Ok(())
        })?;
        at_end(bytes, end)?;
    }
    Ok(found)
}

/// The first value that `path` leads to. What lies behind it is not looked at: for text that was walked before.
pub fn first<'a>(text: &'a str, path: &[Step]) -> Option<&'a str> {
    let mut found = None;
    if text.len() <= SHORT || mentions(text, path) {
        // An error ends the walk, also when nothing is wrong.
        let _ended = follow(text, skip_space(text.as_bytes(), 0), path, &mut |place| {
            let at = place.end;
            found = Some(&text[place]);
            Err(SyntaxError { at })
        });
    }
    found
}

/// Text that is walked sooner than it is searched, bytes.
const SHORT: usize = 256;

/// Whether every key of `path` may be a member's name in `text`: looking for bytes is many times quicker than walking,
/// and most payloads hold none of the identifiers they are searched for. An escape may spell any name.
fn mentions(text: &str, path: &[Step]) -> bool {
    let bytes = text.as_bytes();
    let is_there = |key: &str| memmem::find(bytes, key.as_bytes()).is_some();
    let mut steps = path.iter();
    steps.all(|step| matches!(step, Step::Key(key) if is_there(key)) || *step == Step::Each)
        || memchr(b'\\', bytes).is_some()
}

/// Gives `found` what `path` leads to from the value at `at`; returns the offset behind that value. As deep as the path.
fn follow(
    text: &str,
    at: usize,
    path: &[Step],
    found: &mut dyn FnMut(Range<usize>) -> Result<(), SyntaxError>,
) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    let Some((step, rest)) = path.split_first() else {
        let end = skip_value(bytes, at)?;
        found(at..end)?;
        return Ok(end);
    };
    match (step, bytes.get(at)) {
        (Step::Key(key), Some(b'{')) => try_members(text, at, |name, value| {
            if name == *key {
                follow(text, value, rest, found)
            } else {
                skip_value(bytes, value)
            }
        }),
        (Step::Each, Some(b'[')) => {
            try_elements(bytes, at, |element| follow(text, element, rest, found))
        }
        _ => skip_value(bytes, at),
    }
}

/// Checks that nothing but white space follows.
pub fn at_end(bytes: &[u8], end: usize) -> Result<(), SyntaxError> {
    let rest = skip_space(bytes, end);
    if rest == bytes.len() {
        Ok(())
    } else {
        Err(SyntaxError { at: rest })
    }
}

/// The range of the single value that makes up `bytes`, without surrounding white space.
fn whole(bytes: &[u8]) -> Result<Range<usize>, SyntaxError> {
    let start = skip_space(bytes, 0);
    let end = skip_value(bytes, start)?;
    at_end(bytes, end)?;
    Ok(start..end)
}

/// Calls `member` with the name and value range of each member of the object at `at`; returns the offset behind it.
pub fn walk_object<'a>(
    text: &'a str,
    at: usize,
    mut member: impl FnMut(Cow<'a, str>, Range<usize>),
) -> Result<usize, SyntaxError> {
    try_members(text, at, |name, value| {
        let end = skip_value(text.as_bytes(), value)?;
        member(name, value..end);
        Ok(end)
    })
}

/// Calls `member` with the name of each member and where its value begins; it returns where the value ends.
pub fn try_members<'a>(
    text: &'a str,
    at: usize,
    mut member: impl FnMut(Cow<'a, str>, usize) -> Result<usize, SyntaxError>,
) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    let mut pos = skip_space(bytes, expect(bytes, at, b'{')?);
    if bytes.get(pos) == Some(&b'}') {
        return Ok(pos + 1);
    }
    loop {
        let (name_end, plain) = scan_string(bytes, pos)?;
        let name = if plain {
            Cow::Borrowed(&text[pos + 1..name_end - 1])
        } else {
            string_value(&text[pos..name_end]).ok_or(SyntaxError { at: pos })?
        };
        let colon = skip_space(bytes, name_end);
        let start = skip_space(bytes, expect(bytes, colon, b':')?);
        pos = skip_space(bytes, member(name, start)?);
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

/// Calls `element` with the range of each element of the array at `at`; returns the offset behind it.
pub fn walk_array(
    bytes: &[u8],
    at: usize,
    mut element: impl FnMut(Range<usize>),
) -> Result<usize, SyntaxError> {
    try_elements(bytes, at, |start| {
        let end = skip_value(bytes, start)?;
        element(start..end);
        Ok(end)
    })
}

/// Calls `element` with where each element begins; it returns where the element ends.
pub fn try_elements(
    bytes: &[u8],
    at: usize,
    mut element: impl FnMut(usize) -> Result<usize, SyntaxError>,
) -> Result<usize, SyntaxError> {
    let mut pos = skip_space(bytes, expect(bytes, at, b'[')?);
    if bytes.get(pos) == Some(&b']') {
        return Ok(pos + 1);
    }
    loop {
        pos = skip_space(bytes, element(pos)?);
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
    if has_escape(inner.as_bytes()) {
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
    scan_string(bytes, at).map(|(end, _)| end)
}

/// The offset behind the string at `at`, and whether it holds no escape.
fn scan_string(bytes: &[u8], at: usize) -> Result<(usize, bool), SyntaxError> {
    let mut pos = expect(bytes, at, b'"')?;
    let mut plain = true;
    while let Some(found) = quote_or_escape(bytes, pos) {
        if bytes[found] == b'"' {
            return Ok((found + 1, plain));
        }
        // Behind a backslash nothing ends the string.
        plain = false;
        pos = found + 2;
    }
    Err(SyntaxError { at: bytes.len() })
}

/// Bits of the eight bytes in `word`: the lowest that is set marks the first byte that is `sought`; those above it may be
/// wrong.
const fn marks(word: u64, sought: u8) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let zeroed = word ^ (ONES * sought as u64);
    zeroed.wrapping_sub(ONES) & !zeroed & (ONES << 7)
}

/// Whether there is a backslash. Strings of OCPP are short: eight bytes at a time tell it sooner than a search that first
/// makes ready for long texts.
fn has_escape(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    let mut words = words.iter();
    words.any(|word| marks(u64::from_le_bytes(*word), b'\\') != 0) || rest.contains(&b'\\')
}

/// The offset of the first quote or backslash at or behind `pos`, found in the same way.
fn quote_or_escape(bytes: &[u8], mut pos: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(pos..)?.first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let found = marks(word, b'"') | marks(word, b'\\');
        if found != 0 {
            return Some(pos + found.trailing_zeros() as usize / 8);
        }
        pos += chunk.len();
    }
    let rest = bytes.get(pos..)?;
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    found.map(|found| pos + found)
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

/// Skips a bracketed value: outside strings only brackets matter.
fn skip_nested(bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
    let mut open = Brackets::default();
    let mut pos = at;
    loop {
        match bytes.get(pos) {
            Some(b'"') => {
                pos = skip_string(bytes, pos)?;
                continue;
            }
            Some(b'{') => open.push(true),
            Some(b'[') => open.push(false),
            Some(close @ (b'}' | b']')) => {
                if open.pop() != Some(*close == b'}') {
                    return Err(SyntaxError { at: pos });
                }
                if open.depth == 0 {
                    return Ok(pos + 1);
                }
            }
            Some(_) => {}
            None => return Err(SyntaxError { at: pos }),
        }
        pos += 1;
    }
}

/// The brackets that are open, one bit each: no OCPP payload is so deep that this allocates.
#[derive(Default)]
struct Brackets {
    depth: usize,
    /// The innermost ones, the last in the lowest bit: whether it is a brace.
    inner: u64,
    /// All others, 64 each.
    outer: Vec<u64>,
}

impl Brackets {
    fn push(&mut self, brace: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(brace);
        self.depth += 1;
    }

    fn pop(&mut self) -> Option<bool> {
        self.depth = self.depth.checked_sub(1)?;
        let brace = self.inner & 1 == 1;
        self.inner >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.inner = self.outer.pop()?;
        }
        Some(brace)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

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
            let found = locate(text, &[Step::Key("a")]);
            assert_eq!(found.is_err(), text.contains(['a', '\\']), "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(skip_value(deep.as_bytes(), 0), Ok(400_000));
    }

    /// Any JSON, spelled with odd spaces, escapes and duplicate members.
    fn json() -> impl Strategy<Value = String> {
        let space = prop::sample::select(vec!["", " ", "\n\t"]);
        let scalar = prop::sample::select(vec![
            "null",
            "true",
            "-1.50e+7",
            "0",
            r#""""#,
            r#""a""#,
            r#""\\\"}],{""#,
            r#""\u0061é""#,
        ]);
        let leaf = (space.clone(), scalar).prop_map(|(space, scalar)| format!("{space}{scalar}"));
        leaf.prop_recursive(6, 60, 5, move |inner| {
            let name = prop::sample::select(vec![r#""a""#, r#""b""#, r#""\u0061""#, r#""\\""#]);
            let members = prop::collection::vec((name, space.clone(), inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(|all| format!("[{}]", all.join(","))),
                members.prop_map(|all| {
                    let all: Vec<String> = all
                        .iter()
                        .map(|(name, space, value)| format!("{space}{name}{space}:{value}{space}"))
                        .collect();
                    format!("{{{}}}", all.join(","))
                }),
            ]
        })
    }

    fn is_json(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    /// What `path` leads to by searching everything step by step.
    fn searched(text: &str, path: &[Step]) -> Vec<Range<usize>> {
        let mut here = vec![whole(text.as_bytes()).unwrap()];
        for step in path {
            let mut next = Vec::new();
            for value in here {
                match (step, text.as_bytes()[value.start]) {
                    (Step::Key(key), b'{') => {
                        walk_object(text, value.start, |name, at| {
                            if name == *key {
                                next.push(at);
                            }
                        })
                        .unwrap();
                    }
                    (Step::Each, b'[') => next.extend(elements(text, value.start).unwrap()),
                    _ => {}
                }
            }
            here = next;
        }
        here
    }

    const PATHS: [&[Step]; 5] = [
        &[],
        &[Step::Key("a")],
        &[Step::Key("b"), Step::Key("a")],
        &[Step::Each, Step::Key("a")],
        &[Step::Key("a"), Step::Each, Step::Each],
    ];

    proptest! {
        #[test]
        fn all_json_is_walked(text in json()) {
            prop_assert!(is_json(&text), "{text}");
            let value = whole(text.as_bytes()).unwrap();
            prop_assert_eq!(&text[value], text.trim());
            let walked = walk_objects(&text, |members| {
                for (_, at) in members {
                    assert!(is_json(&text[at.clone()]));
                }
            });
            prop_assert_eq!(walked, Ok(()));
            for path in PATHS {
                let all = searched(&text, path);
                prop_assert_eq!(first(&text, path), all.first().map(|at| &text[at.clone()]));
                prop_assert_eq!(locate(&text, path).unwrap(), all);
            }
        }

        /// A bracket, quote or separator too many or too few is noticed wherever `serde_json` notices it, in what is
        /// walked; inside what is skipped only brackets and quotes are checked.
        #[test]
        fn broken_nesting_is_never_taken_for_json(
            text in json(),
            at in any::<prop::sample::Index>(),
            with in prop::sample::select(vec!["", "{", "}", "[", "]", "\"", "\\"]),
        ) {
            let at = at.index(text.len());
            prop_assume!(text.is_char_boundary(at) && text.is_char_boundary(at + 1));
            let broken = [&text[..at], with, &text[at + 1..]].concat();
            for path in PATHS {
                let found = locate(&broken, path);
                if is_json(&broken) {
                    prop_assert!(found.is_ok());
                }
            }
            if is_json(&broken) {
                prop_assert!(whole(broken.as_bytes()).is_ok());
            } else if let Ok(value) = whole(broken.as_bytes()) {
                prop_assert!(is_nested(&broken[value]), "{broken}");
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\PC{}\\[\\]\":,\\\\ a-c0-9]{0,60}") {
            for path in PATHS {
                let _either = locate(&text, path);
            }
        }
    }

    /// Brackets and quotes outside strings pair up: counted with a plain stack.
    fn is_nested(text: &str) -> bool {
        let mut open = Vec::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '"' => loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => drop(chars.next()),
                        Some(_) => {}
                        None => return false,
                    }
                },
                '{' | '[' => open.push(char),
                '}' if open.pop() != Some('{') => return false,
                ']' if open.pop() != Some('[') => return false,
                _ => {}
            }
        }
        open.is_empty()
    }
}
