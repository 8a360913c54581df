//! The members of an object, found in one walk.
//!
//! Whoever looks into a message wants a handful of its members, and so does the next one. Most bytes of a message lie
//! inside values that nobody asks for: they are passed over once, and the places of the members kept.

use std::borrow::Cow;

use super::json::{self, Step, SyntaxError};

/// Room for the members of nearly every OCPP payload.
const USUAL: usize = 8;

/// One level of an object, borrowed from its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
    whole: bool,
}

impl<'a> Fields<'a> {
    /// Reads the object that `text` is, as far as it is one. Anything else has no members.
    pub fn read(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let start = json::skip_space(bytes, 0);
        let mut members = Vec::new();
        let end = json::walk_object(text, start, |name, place| {
            if members.is_empty() {
                members.reserve(USUAL);
            }
            members.push((name, &text[place]));
        });
        let whole = end.and_then(|end| json::at_end(bytes, end)).is_ok();
        Self { members, whole }
    }

    /// Reads the object at `at`; returns it with the offset behind it.
    pub(super) fn walk(text: &'a str, at: usize) -> Result<(Self, usize), SyntaxError> {
        let mut members = Vec::new();
        let end = json::walk_object(text, at, |name, place| {
            if members.is_empty() {
                members.reserve(USUAL);
            }
            members.push((name, &text[place]));
        })?;
        let whole = true;
        Ok((Self { members, whole }, end))
    }

    /// Whether the text was an object and nothing else. The insides of its values are not checked.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// The first value that `path` leads to, as [`json::first`] finds it.
    pub fn first(&self, path: &[Step]) -> Option<&'a str> {
        let (Step::Key(key), rest) = path.split_first()? else {
            return None;
        };
        self.named(key).find_map(|value| {
            if rest.is_empty() {
                Some(value)
            } else {
                json::first(value, rest)
            }
        })
    }

    /// The member with this name; of duplicates the last, which is the one that counts for most parsers.
    pub fn last(&self, name: &str) -> Option<&'a str> {
        self.named(name).next_back()
    }

    /// The same, if it is a string: its text.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        json::string_value(self.last(name)?)
    }

    /// The same, if it is an object.
    #[must_use]
    pub fn inside(&self, name: &str) -> Self {
        self.last(name).map(Self::read).unwrap_or_default()
    }

    fn named(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.members
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_found_by_name_and_duplicates_from_both_ends() {
        let text = r#" {"a":1, "b":{"c":[{"d":"x"}]}, "\u0061" : "é"} "#;
        let fields = Fields::read(text);
        assert!(fields.is_whole());
        assert_eq!(fields.first(&[Step::Key("a")]), Some("1"));
        assert_eq!(fields.text("a").as_deref(), Some("é"));
        let path = [Step::Key("b"), Step::Key("c"), Step::Each, Step::Key("d")];
        assert_eq!(fields.first(&path), Some("\"x\""));
        assert_eq!(fields.inside("b").last("c"), Some(r#"[{"d":"x"}]"#));
        assert_eq!(fields.inside("z"), Fields::default());
    }

    #[test]
    fn what_is_no_object_is_not_whole_and_keeps_what_came_before() {
        for text in ["", "null", "[]", "{\"a\":1", "{\"a\":1}}"] {
            assert!(!Fields::read(text).is_whole(), "{text}");
        }
        assert_eq!(Fields::read("{\"a\":1,").last("a"), Some("1"));
    }

    proptest! {
        #[test]
        fn it_finds_what_a_walk_finds(text in "[{}\":,a-c1 \\[\\]]{0,40}") {
            for key in ["a", "b", "ab"] {
                let path = [Step::Key(key)];
                prop_assert_eq!(Fields::read(&text).first(&path), json::first(&text, &path));
            }
        }
    }
}
