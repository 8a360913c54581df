//! Changing identifiers in a message, and nothing else: every byte outside the changed values stays as it was sent.

use std::borrow::Cow;
use std::ops::Range;

use super::Envelope;
use super::json::{self, Step, SyntaxError};
use super::relation::Identifier;

/// One change. Ranges are those of JSON values in the message text, as [`places`] gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Put another value here. It keeps the JSON type: a string stays a string, a number a number (unless the new value
    /// is no number; then it becomes a string).
    Value {
        /// Where the old value lies.
        at: Range<usize>,
        /// The new value, without quotes.
        to: String,
    },
    /// Leave out the object member with this value, with its name and exactly one comma.
    Strip {
        /// Where the member's value lies.
        at: Range<usize>,
    },
}

/// Why a message was not rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The text cannot be scanned.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The range holds neither a string nor a number.
    #[error("no identifier at byte {at}")]
    NotAnIdentifier {
        /// Start of the range.
        at: usize,
    },
    /// The range is not the value of an object member.
    #[error("no object member at byte {at}")]
    NotAMember {
        /// Start of the range.
        at: usize,
    },
    /// Two changes touch the same bytes.
    #[error("two changes at byte {at}")]
    Overlap {
        /// Start of the second one.
        at: usize,
    },
}

/// Where the values that `path` leads to lie in the message (not in its payload).
pub fn places(envelope: &Envelope<'_>, path: &[Step]) -> Result<Vec<Range<usize>>, SyntaxError> {
    let start = envelope.payload_at.start;
    let found = json::locate(envelope.payload, path)?;
    Ok(found
        .into_iter()
        .map(|range| start + range.start..start + range.end)
        .collect())
}

/// A change of the message id. It keeps its JSON type like any other value.
pub fn message_id(envelope: &Envelope<'_>, to: &str) -> Change {
    Change::Value {
        at: envelope.id_at.clone(),
        to: to.to_owned(),
    }
}

/// The text with the changes made. Borrowed when nothing changes.
pub fn rewrite<'a>(text: &'a str, changes: &[Change]) -> Result<Cow<'a, str>, RewriteError> {
    let mut edits = Vec::with_capacity(changes.len());
    let mut stripped: Vec<Range<usize>> = Vec::new();
    for change in changes {
        match change {
            Change::Value { at, to } => edits.extend(value_edit(text, at, to)?),
            Change::Strip { at } => stripped.push(at.clone()),
        }
    }
    while let Some(at) = stripped.first() {
        let members = siblings(text, at)?;
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            stripped.into_iter().partition(|at| is_one_of(&members, at));
        edits.extend(strip_edits(&members, &here));
        stripped = elsewhere;
    }
    edits.sort_by_key(|edit| edit.at.start);
    splice(text, &edits)
}

/// Bytes to replace.
struct Edit {
    at: Range<usize>,
    with: String,
}

fn splice<'a>(text: &'a str, edits: &[Edit]) -> Result<Cow<'a, str>, RewriteError> {
    if edits.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + edits.len() * 16);
    let mut done = 0;
    for edit in edits {
        let at = edit.at.start;
        out.push_str(text.get(done..at).ok_or(RewriteError::Overlap { at })?);
        out.push_str(&edit.with);
        done = edit.at.end;
    }
    out.push_str(&text[done..]);
    Ok(Cow::Owned(out))
}

/// `None` when the old value already means the new one: its spelling stays.
fn value_edit(text: &str, at: &Range<usize>, to: &str) -> Result<Option<Edit>, RewriteError> {
    let missing = RewriteError::NotAnIdentifier { at: at.start };
    let old = text.get(at.clone()).ok_or(missing.clone())?;
    let quoted = match old.as_bytes().first() {
        Some(b'"') => true,
        Some(b'-' | b'0'..=b'9') => false,
        _ => return Err(missing),
    };
    if Identifier::read(old).text() == to {
        return Ok(None);
    }
    let with = if !quoted && is_number(to) {
        to.to_owned()
    } else {
        serde_json::Value::from(to).to_string()
    };
    Ok(Some(Edit {
        at: at.clone(),
        with,
    }))
}

fn is_number(text: &str) -> bool {
    text.trim() == text && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

/// An object member: from the first byte of its name to the last of its value.
struct Member {
    whole: Range<usize>,
    value: Range<usize>,
}

fn is_one_of(members: &[Member], at: &Range<usize>) -> bool {
    members.iter().any(|member| member.value == *at)
}

/// The members of the object in which the value at `at` is a member.
fn siblings(text: &str, at: &Range<usize>) -> Result<Vec<Member>, RewriteError> {
    let bytes = text.as_bytes();
    let around = |value: &Range<usize>| value.start <= at.start && at.end <= value.end;
    let mut here = json::skip_space(bytes, 0);
    loop {
        let next = match bytes.get(here) {
            Some(b'{') => {
                let members = members(text, here)?;
                if is_one_of(&members, at) {
                    return Ok(members);
                }
                members.into_iter().map(|m| m.value).find(around)
            }
            Some(b'[') => json::elements(text, here)?.into_iter().find(around),
            _ => None,
        };
        here = next.ok_or(RewriteError::NotAMember { at: at.start })?.start;
    }
}

fn members(text: &str, object: usize) -> Result<Vec<Member>, SyntaxError> {
    let bytes = text.as_bytes();
    let mut found: Vec<Member> = Vec::new();
    json::walk_object(text, object, |_, value| {
        // The name starts behind the brace, or behind the comma that follows the previous value.
        let before = match found.last() {
            Some(previous) => json::skip_space(bytes, previous.whole.end),
            None => object,
        };
        let name = json::skip_space(bytes, before + 1);
        found.push(Member {
            whole: name..value.end,
            value,
        });
    })?;
    Ok(found)
}

/// Behind a member that stays, a stripped one goes with the comma before it; in front of all that stay, with the comma
/// behind it. So what remains is separated by exactly one comma each.
fn strip_edits(members: &[Member], stripped: &[Range<usize>]) -> Vec<Edit> {
    let mut edits = Vec::with_capacity(stripped.len());
    let mut kept_before = false;
    for (index, member) in members.iter().enumerate() {
        if !stripped.contains(&member.value) {
            kept_before = true;
            continue;
        }
        let start = match index.checked_sub(1) {
            Some(previous) if kept_before => members[previous].whole.end,
            _ => member.whole.start,
        };
        let end = match members.get(index + 1) {
            Some(next) if !kept_before => next.whole.start,
            _ => member.whole.end,
        };
        edits.push(Edit {
            at: start..end,
            with: String::new(),
        });
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TX: &[Step] = &[Step::Key("transactionId")];

    fn value(at: Range<usize>, to: &str) -> Change {
        let to = to.to_owned();
        Change::Value { at, to }
    }

    fn replaced(text: &str, to: &str) -> String {
        let envelope = Envelope::parse(text).unwrap();
        let changes: Vec<_> = places(&envelope, TX)
            .unwrap()
            .into_iter()
            .map(|at| value(at, to))
            .collect();
        rewrite(text, &changes).unwrap().into_owned()
    }

    #[test]
    fn only_the_value_changes_and_it_keeps_its_type() {
        assert_eq!(
            replaced(r#" [2, "a","X",{ "transactionId" : 12 ,"v": 1.50}]"#, "7"),
            r#" [2, "a","X",{ "transactionId" : 7 ,"v": 1.50}]"#
        );
        assert_eq!(
            replaced(r#"[2,"a","X",{"transactionId":"12"}]"#, "7"),
            r#"[2,"a","X",{"transactionId":"7"}]"#
        );
        assert_eq!(
            replaced(r#"[2,"a","X",{"transactionId":1,"transactionId":2}]"#, "-7"),
            r#"[2,"a","X",{"transactionId":-7,"transactionId":-7}]"#
        );
        assert_eq!(
            replaced(r#"[2,"a","X",{"transactionId":1}]"#, "a\"b"),
            r#"[2,"a","X",{"transactionId":"a\"b"}]"#
        );
    }

    #[test]
    fn an_equal_value_keeps_its_spelling() {
        for text in [
            r#"[2,"a","X",{"transactionId":12.0}]"#,
            r#"[2,"a","X",{"transactionId":"\u0031\u0032"}]"#,
        ] {
            assert_eq!(replaced(text, "12"), text);
        }
        assert!(matches!(
            rewrite("[2,\"a\",\"X\",{}]", &[]),
            Ok(Cow::Borrowed(_))
        ));
    }

    #[test]
    fn the_message_id_is_a_value_like_any_other() {
        for (text, expected) in [
            (r#"[3,"a" ,{}]"#, r#"[3,"b-1" ,{}]"#),
            ("[3,17,{}]", r#"[3,"b-1",{}]"#),
        ] {
            let envelope = Envelope::parse(text).unwrap();
            let change = message_id(&envelope, "b-1");
            assert_eq!(rewrite(text, &[change]).unwrap(), expected);
        }
    }

    fn stripped(text: &str, names: &[&'static str]) -> String {
        let changes: Vec<_> = names
            .iter()
            .flat_map(|name| json::locate(text, &[Step::Key(name)]).unwrap())
            .map(|at| Change::Strip { at })
            .collect();
        rewrite(text, &changes).unwrap().into_owned()
    }

    #[test]
    fn a_stripped_member_takes_exactly_one_comma_along() {
        let text = r#"{ "a":1, "b" : [2], "c":3 }"#;
        assert_eq!(stripped(text, &["a"]), r#"{ "b" : [2], "c":3 }"#);
        assert_eq!(stripped(text, &["b"]), r#"{ "a":1, "c":3 }"#);
        assert_eq!(stripped(text, &["c"]), r#"{ "a":1, "b" : [2] }"#);
        assert_eq!(stripped(text, &["a", "b"]), r#"{ "c":3 }"#);
        assert_eq!(stripped(text, &["b", "c"]), r#"{ "a":1 }"#);
        assert_eq!(stripped(text, &["a", "c"]), r#"{ "b" : [2] }"#);
        assert_eq!(stripped(text, &["a", "b", "c"]), "{  }");
    }

    #[test]
    fn nested_strips_and_values_go_together() {
        let text = r#"[2,"a","TransactionEvent",{"transactionInfo":{"transactionId":"t","remoteStartId":9},"reservationId":4,"seqNo":0}]"#;
        let envelope = Envelope::parse(text).unwrap();
        let at = |path: &[Step]| places(&envelope, path).unwrap().remove(0);
        let changes = [
            Change::Strip {
                at: at(&[Step::Key("transactionInfo"), Step::Key("remoteStartId")]),
            },
            value(at(&[Step::Key("seqNo")]), "5"),
            Change::Strip {
                at: at(&[Step::Key("reservationId")]),
            },
        ];
        assert_eq!(
            rewrite(text, &changes).unwrap(),
            r#"[2,"a","TransactionEvent",{"transactionInfo":{"transactionId":"t"},"seqNo":5}]"#
        );
    }

    #[test]
    fn impossible_changes_are_errors() {
        let text = r#"[2,"a","X",{"transactionId":null,"b":[1]}]"#;
        let null = text.find("null").unwrap();
        let one = text.find("[1]").unwrap() + 1;
        let error = |change| rewrite(text, &[change]).unwrap_err();
        assert_eq!(
            error(value(null..null + 4, "1")),
            RewriteError::NotAnIdentifier { at: null }
        );
        assert_eq!(
            error(value(900..901, "1")),
            RewriteError::NotAnIdentifier { at: 900 }
        );
        assert_eq!(
            error(Change::Strip { at: one..one + 1 }),
            RewriteError::NotAMember { at: one }
        );
        let twice = [value(one..one + 1, "2"), value(one..one + 1, "3")];
        assert_eq!(
            rewrite(text, &twice),
            Err(RewriteError::Overlap { at: one })
        );
    }

    /// An object with numbered members, odd spaces, and for each member whether to change it.
    fn object() -> impl Strategy<Value = Vec<(String, String, bool)>> {
        let space = || prop::sample::select(vec!["", " ", "\n\t", "  "]);
        let scalar = prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            "[a-z,:{}\\[\\]é]{0,6}".prop_map(|s| serde_json::Value::from(s).to_string()),
            Just("1.50e3".to_owned()),
        ];
        prop::collection::vec(
            (space(), space(), space(), scalar, any::<bool>())
                .prop_map(|(a, b, c, value, change)| (format!("{a}\"k\"{b}:{c}"), value, change)),
            0..8,
        )
    }

    fn build(members: &[(String, String, bool)]) -> (String, Vec<Range<usize>>) {
        let mut text = "{".to_owned();
        let mut ranges = Vec::new();
        for (index, (name, value, _)) in members.iter().enumerate() {
            text += if index > 0 { "," } else { "" };
            text += name;
            ranges.push(text.len()..text.len() + value.len());
            text += value;
        }
        (text + " }", ranges)
    }

    proptest! {
        #[test]
        fn bytes_outside_the_values_never_change(members in object(), to in "[a-z\"\\\\0-9]{0,8}") {
            let (text, ranges) = build(&members);
            let mut changes = Vec::new();
            let mut outside = Vec::new();
            let mut done = 0;
            for (at, (_, _, change)) in ranges.iter().zip(&members) {
                if *change {
                    outside.push(&text[done..at.start]);
                    done = at.end;
                    changes.push(value(at.clone(), &to));
                }
            }
            outside.push(&text[done..]);
            let rewritten = rewrite(&text, &changes).unwrap();
            let mut rest = rewritten.as_ref();
            for (index, piece) in outside.iter().enumerate() {
                let found = if index == 0 { 0 } else { json::skip_value(rest.as_bytes(), 0).unwrap() };
                if index > 0 {
                    let new = Identifier::read(&rest[..found]);
                    prop_assert_eq!(new.text(), to.as_str());
                }
                rest = rest[found..].strip_prefix(piece).unwrap();
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn stripping_leaves_the_other_members_and_valid_json(members in object()) {
            let (text, ranges) = build(&members);
            let changes: Vec<_> = ranges
                .iter()
                .zip(&members)
                .filter(|(_, member)| member.2)
                .map(|(at, _)| Change::Strip { at: at.clone() })
                .collect();
            let rewritten = rewrite(&text, &changes).unwrap();
            let kept: Vec<_> = members.iter().filter(|m| !m.2).map(|m| m.1.as_str()).collect();
            let mut found = Vec::new();
            json::walk_object(&rewritten, 0, |_, at| found.push(&rewritten[at])).unwrap();
            prop_assert_eq!(found, kept);
            serde_json::from_str::<serde::de::IgnoredAny>(&rewritten).unwrap();
        }

        #[test]
        fn nothing_to_do_changes_nothing(members in object()) {
            let (text, ranges) = build(&members);
            let same: Vec<_> = ranges
                .into_iter()
                .map(|at| value(at.clone(), Identifier::read(&text[at]).text()))
                .collect();
            prop_assert_eq!(rewrite(&text, &same).unwrap(), text.as_str());
        }
    }
}
