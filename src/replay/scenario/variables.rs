//! Names in a scenario's texts: `${tag}`, `${now}`, `${now+1h}`, `${filler:70000}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::clock::stamp;
use super::text::duration;
use crate::clock::Micros;

/// Names that always mean something.
pub(super) const BUILT_IN: [&str; 8] = [
    "now", "identity", "vendor", "model", "serial", "firmware", "filler", "uuid",
];

/// The longest filler, in characters.
const LONGEST: usize = 4 << 20;

/// What stands between `${` and `}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// A variable.
    Variable(&'a str),
    /// The charger's clock, so much later or earlier, µs.
    Now(Micros),
    /// So many characters.
    Filler(usize),
    /// Something that cannot be read.
    Broken,
}

/// A name in a text, and where it stands there, braces included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use<'a> {
    pub(super) name: Name<'a>,
    pub(super) at: Range<usize>,
}

/// The names in a text.
pub(super) fn uses(text: &str) -> Vec<Use<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("${").map(|at| from + at) {
        let close = text[open..].find('}').map(|at| open + at);
        let end = close.map_or(text.len(), |close| close + 1);
        let name = close.map_or(Name::Broken, |close| read(&text[open + 2..close]));
        found.push(Use {
            name,
            at: open..end,
        });
        from = end;
    }
    found
}

fn read(inside: &str) -> Name<'_> {
    if let Some(shift) = inside.strip_prefix("now") {
        return match shift.split_at_checked(1) {
            None => Name::Now(0),
            Some(("+", by)) => duration(by).map_or(Name::Broken, |by| Name::Now(micros(by))),
            Some(("-", by)) => duration(by).map_or(Name::Broken, |by| Name::Now(-micros(by))),
            Some(_) => variable(inside),
        };
    }
    if let Some(length) = inside.strip_prefix("filler:") {
        let length = length.parse().ok().filter(|length| *length <= LONGEST);
        return length.map_or(Name::Broken, Name::Filler);
    }
    variable(inside)
}

fn variable(inside: &str) -> Name<'_> {
    if is_name(inside) {
        Name::Variable(inside)
    } else {
        Name::Broken
    }
}

/// Whether a variable may be called so.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    !text.is_empty() && text.chars().all(is_letter)
}

fn micros(time: std::time::Duration) -> Micros {
    time.as_micros() as Micros
}

/// What names mean at a moment.
#[derive(Debug, Clone, Default)]
pub struct Meaning {
    /// Variables by their names.
    pub values: BTreeMap<String, Value>,
    /// What the charger's clock shows, µs.
    pub now: Micros,
}

/// A variable that nothing has given a value yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has no value: the step that captures it got none")]
pub struct Unknown(pub String);

impl Meaning {
    /// A value with its names replaced. A text that is nothing but a name becomes what that is: a number stays a number.
    pub fn render(&self, value: &Value) -> Result<Value, Unknown> {
        Ok(match value {
            Value::String(text) => self.text(text)?,
            Value::Array(values) => {
                let rendered = values.iter().map(|value| self.render(value));
                Value::Array(rendered.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let rendered = members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.render(value)?)));
                Value::Object(rendered.collect::<Result<_, Unknown>>()?)
            }
            other => other.clone(),
        })
    }

    fn text(&self, text: &str) -> Result<Value, Unknown> {
        let uses = uses(text);
        if let [only] = uses.as_slice()
            && only.at == (0..text.len())
        {
            return Ok(self.named(&only.name, text)?.into_owned());
        }
        let mut out = String::new();
        let mut from = 0;
        for found in uses {
            out.push_str(&text[from..found.at.start]);
            match self.named(&found.name, &text[found.at.clone()])?.as_ref() {
                Value::String(value) => out.push_str(value),
                other => out.push_str(&other.to_string()),
            }
            from = found.at.end;
        }
        out.push_str(&text[from..]);
        Ok(Value::String(out))
    }

    fn named(&self, name: &Name<'_>, literal: &str) -> Result<Cow<'_, Value>, Unknown> {
        match name {
            Name::Now(shift) => Ok(Cow::Owned(stamp(self.now + shift).into())),
            Name::Filler(length) => Ok(Cow::Owned("x".repeat(*length).into())),
            Name::Variable(name) => self
                .values
                .get(*name)
                .map(Cow::Borrowed)
                .ok_or_else(|| Unknown((*name).to_owned())),
            Name::Broken => Err(Unknown(literal.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meaning() -> Meaning {
        Meaning {
            values: [
                ("id".to_owned(), json!(17)),
                ("tag".to_owned(), json!("TAG-1")),
            ]
            .into(),
            now: 1_700_000_000_000_000,
        }
    }

    #[test]
    fn a_name_alone_keeps_its_type_and_others_become_text() {
        let rendered =
            meaning().render(&json!({ "transactionId": "${id}", "data": ["${tag}/${id}"] }));
        assert_eq!(
            rendered.unwrap().to_string(),
            r#"{"data":["TAG-1/17"],"transactionId":17}"#
        );
    }

    #[test]
    fn now_can_be_moved_and_fillers_have_their_length() {
        let render = |text: &str| meaning().render(&json!(text)).unwrap();
        assert_eq!(render("${now}"), json!("2023-11-14T22:13:20.000Z"));
        assert_eq!(render("${now+1h}"), json!("2023-11-14T23:13:20.000Z"));
        assert_eq!(render("${now-20s}"), json!("2023-11-14T22:13:00.000Z"));
        assert_eq!(render("${filler:3}"), json!("xxx"));
    }

    #[test]
    fn what_is_not_known_or_cannot_be_read_is_said() {
        assert_eq!(
            meaning().render(&json!("${nobody}")),
            Err(Unknown("nobody".to_owned()))
        );
        for broken in ["${", "${a b}", "${now+soon}", "${filler:lots}", "${}"] {
            assert_eq!(uses(broken)[0].name, Name::Broken, "{broken}");
        }
        assert_eq!(uses("costs $5 {no}"), []);
    }
}
