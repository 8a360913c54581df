//! Writing JSON in different hands: what means the same may look different.

use serde_json::Value;

/// How a backend writes JSON. None of it changes the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hand {
    /// Members in reverse alphabetical order instead of alphabetical.
    pub reversed: bool,
    /// A space after each comma and colon.
    pub spaced: bool,
}

/// `value` as JSON text, in this hand.
pub(super) fn write(value: &Value, hand: Hand) -> String {
    let mut out = String::new();
    put(&mut out, value, hand);
    out
}

fn put(out: &mut String, value: &Value, hand: Hand) {
    match value {
        Value::Object(members) => {
            out.push('{');
            let mut members: Vec<_> = members.iter().collect();
            if hand.reversed {
                members.reverse();
            }
            for (index, (name, member)) in members.into_iter().enumerate() {
                separate(out, index, hand);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(if hand.spaced { ": " } else { ":" });
                put(out, member, hand);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                separate(out, index, hand);
                put(out, element, hand);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn separate(out: &mut String, index: usize, hand: Hand) {
    if index > 0 {
        out.push_str(if hand.spaced { ", " } else { "," });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_differ_in_looks_only() {
        let text = r#"{"a":[1,{"c":"x\"y"}],"b":2.50}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(write(&value, Hand::default()), text);
        let other = Hand {
            reversed: true,
            spaced: true,
        };
        assert_eq!(
            write(&value, other),
            r#"{"b": 2.50, "a": [1, {"c": "x\"y"}]}"#
        );
    }
}
