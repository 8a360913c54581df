//! One pass over a payload: every member with its name, nothing allocated.
//!
//! For text that is JSON; of other text it sees something, or nothing, and ends.

use std::ops::Range;

use crate::ocpp::json::skip_space;

/// Names in objects that are open that are compared with each other; more are not.
const NAMES: usize = 64;

/// Objects and arrays in each other that are looked into.
const DEPTH: usize = 16;

/// What a walk finds out by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// An object has two members of one name.
    pub(super) duplicates: bool,
    /// A name is spelt with an escape: it was not understood.
    pub(super) escapes: bool,
}

/// The names of the members of objects that are open.
struct Names {
    ranges: [(u32, u32); NAMES],
    count: usize,
}

/// An open array or object.
#[derive(Clone, Copy, Default)]
struct Level {
    is_object: bool,
    /// Where its names begin.
    names: usize,
}

/// Calls `member` with the name and the literal of every member of every object in `text`. Of an object or array the
/// literal is its bracket. Elements of arrays have no name and are not told.
pub(super) fn members<'a>(text: &'a str, mut member: impl FnMut(&'a str, &'a str)) -> Walked {
    let bytes = text.as_bytes();
    let mut walked = Walked::default();
    let mut names = Names {
        ranges: [(0, 0); NAMES],
        count: 0,
    };
    let mut levels = [Level::default(); DEPTH];
    let (mut depth, mut at) = (0, 0);
    // The name whose value comes next.
    let mut name: Option<&str> = None;
    loop {
        at = skip_space(bytes, at);
        let Some(&byte) = bytes.get(at) else {
            return walked;
        };
        match byte {
            b'{' | b'[' => {
                if let Some(name) = name.take() {
                    member(name, &text[at..=at]);
                }
                let Some(level) = levels.get_mut(depth) else {
                    return walked;
                };
                *level = Level {
                    is_object: byte == b'{',
                    names: names.count,
                };
                (depth, at) = (depth + 1, at + 1);
            }
            b'}' | b']' => {
                let Some(above) = depth.checked_sub(1) else {
                    return walked;
                };
                names.count = levels[above].names;
                (depth, at) = (above, at + 1);
            }
            b',' | b':' => at += 1,
            _ => {
                let Some(literal) = scalar(bytes, at) else {
                    return walked;
                };
                at = literal.end;
                let is_object = depth > 0 && levels[depth - 1].is_object;
                if let Some(name) = name.take() {
                    member(name, &text[literal]);
                } else if is_object && byte == b'"' {
                    let inner = literal.start + 1..literal.end - 1;
                    name = Some(&text[inner.clone()]);
                    walked.escapes |= memchr::memchr(b'\\', &bytes[inner.clone()]).is_some();
                    walked.duplicates |= names.add(bytes, inner, levels[depth - 1].names);
                }
            }
        }
    }
}

impl Names {
    /// Adds a name to those from `first` on; true if it is there already.
    fn add(&mut self, bytes: &[u8], name: Range<usize>, first: usize) -> bool {
        let known = self.ranges[first.min(self.count)..self.count].iter();
        let is_there = known
            .map(|&(start, end)| start as usize..end as usize)
            .any(|other| other.len() == name.len() && bytes[other] == bytes[name.clone()]);
        if let (Some(place), Ok(start), Ok(end)) = (
            self.ranges.get_mut(self.count),
            u32::try_from(name.start),
            u32::try_from(name.end),
        ) {
            *place = (start, end);
            self.count += 1;
        }
        is_there
    }
}

/// Where the string or word at `at` lies.
fn scalar(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if bytes[at] == b'"' {
        let mut end = at + 1;
        // Most strings are short: looking at each byte is quicker than calling for help.
        loop {
            match bytes.get(end)? {
                b'"' => return Some(at..end + 1),
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
    }
    let len = bytes[at..]
        .iter()
        .position(|byte| {
            matches!(
                byte,
                b',' | b':' | b']' | b'}' | b'[' | b'{' | b'"' | b' ' | b'\t' | b'\r' | b'\n'
            )
        })
        .unwrap_or(bytes.len() - at);
    (len > 0).then_some(at..at + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> (String, Walked) {
        let mut seen = Vec::new();
        let walked = members(text, |name, literal| seen.push(format!("{name}={literal}")));
        (seen.join(" "), walked)
    }

    #[test]
    fn every_member_is_told_with_its_name() {
        let (told, walked) =
            seen(r#" {"a" : 1,"b":"x\"y","c":[1,"no name",{"d":null}],"e":{"a":{}},"f":-1.5e3 }"#);
        assert_eq!(told, r#"a=1 b="x\"y" c=[ d=null e={ a={ f=-1.5e3"#);
        assert_eq!(walked, Walked::default());
    }

    #[test]
    fn only_names_of_one_object_are_duplicates() {
        assert!(seen(r#"{"a":1,"b":{"a":1},"a":2}"#).1.duplicates);
        assert!(seen(r#"[{"a":1},{"b":1,"b":1}]"#).1.duplicates);
        assert!(!seen(r#"[{"a":1},{"a":1}]"#).1.duplicates);
        assert!(!seen(r#"{"a":{"a":{"a":1}}}"#).1.duplicates);
        assert!(seen("{\"\\u0061\":1}").1.escapes);
    }

    #[test]
    fn what_is_too_deep_or_no_json_ends() {
        let deep = "[".repeat(100) + "{\"a\":1,\"a\":1}";
        assert_eq!(seen(&deep).1, Walked::default());
        for broken in ["", "}", "{\"a", "{\"a\":", "]]", "{{{", "\"\\", "\u{e9}{"] {
            seen(broken);
        }
    }
}
