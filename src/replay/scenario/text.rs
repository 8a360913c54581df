//! A scenario's text as sections whose keys and values know where they stand: every complaint points at its place.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::ledger::filter::nearest;

/// What is wrong with a scenario file, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Mistake {
    /// Bytes of the text that it is about.
    pub span: Range<usize>,
    /// What is wrong, as a sentence fragment.
    pub what: String,
    /// What stands at the carets.
    pub label: String,
    /// What to do.
    pub help: String,
}

impl Mistake {
    /// A mistake at a place.
    pub(super) fn new(
        span: Range<usize>,
        what: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            span,
            what: what.into(),
            label: label.into(),
            help: help.into(),
        }
    }
}

/// A value with its place.
pub(super) type Placed<'t> = Spanned<DeValue<'t>>;

/// A table of which every key is known.
#[derive(Debug, Clone)]
pub(super) struct Section<'t> {
    table: &'t DeTable<'t>,
    /// What it is called in complaints, such as `a step`.
    name: &'static str,
    span: Range<usize>,
}

impl<'t> Section<'t> {
    /// The table of a whole file.
    pub(super) fn file(table: &'t Spanned<DeTable<'t>>) -> Self {
        Self {
            table: table.get_ref(),
            name: "a scenario",
            span: 0..0,
        }
    }

    /// A value that must be a table.
    pub(super) fn of(value: &'t Placed<'t>, name: &'static str) -> Result<Self, Mistake> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(unfit(value, &format!("{name} is a table")));
        };
        Ok(Self {
            table,
            name,
            span: value.span(),
        })
    }

    /// Complains of the first key, in the order of the text, that is not `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Mistake> {
        let strangers = self
            .table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = strangers.min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let help = match nearest(key.get_ref(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{} takes {}", self.name, listed(known)),
        };
        let what = format!("unknown key `{}`", key.get_ref());
        let label = format!("not a key of {}", self.name);
        Err(Mistake::new(key.span(), what, label, help))
    }

    /// Where the table stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Its keys with their values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'t str, Range<usize>, &'t Placed<'t>)> {
        let table = self.table;
        table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    /// A value.
    pub(super) fn get(&self, key: &str) -> Option<&'t Placed<'t>> {
        self.table.get(key)
    }

    /// Where a key stands.
    pub(super) fn place_of(&self, key: &str) -> Option<Range<usize>> {
        self.table
            .get_key_value(key)
            .map(|(key, value)| key.span().start..value.span().end)
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<Spanned<&'t str>>, Mistake> {
        self.get(key)
            .map(|value| text(value, &format!("`{key}` is a text")))
            .transpose()
    }

    /// A text that must be there and say something.
    pub(super) fn needs(&self, key: &str, example: &str) -> Result<Spanned<&'t str>, Mistake> {
        let help = || format!("write for example  {key} = {example:?}");
        let Some(found) = self.text(key)? else {
            let what = format!("{} needs `{key}`", self.name);
            return Err(Mistake::new(
                self.span(),
                what,
                format!("`{key}` is missing"),
                help(),
            ));
        };
        if found.get_ref().trim().is_empty() {
            return Err(Mistake::new(
                found.span(),
                format!("`{key}` is empty"),
                "says nothing",
                help(),
            ));
        }
        Ok(found)
    }

    /// A text of which nothing is known but that it is one.
    pub(super) fn plain(&self, key: &str) -> Result<Option<String>, Mistake> {
        Ok(self.text(key)?.map(|text| (*text.get_ref()).to_owned()))
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str) -> Result<Option<i64>, Mistake> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number
            .map(Some)
            .ok_or_else(|| unfit(value, &format!("`{key}` is a whole number")))
    }

    /// How long something takes, with its place.
    pub(super) fn span_of(&self, key: &str) -> Result<Option<Spanned<Duration>>, Mistake> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let text = value.get_ref().as_str();
        if let Some(time) = text.and_then(duration) {
            return Ok(Some(Spanned::new(value.span(), time)));
        }
        let what = match text {
            Some(text) => format!("{text:?} is no length of time"),
            None => format!("`{key}` is a length of time"),
        };
        Err(Mistake::new(
            value.span(),
            what,
            "a whole number and a unit, in quotes",
            "write for example \"250ms\", \"30s\", \"10m\" or \"2h\"",
        ))
    }

    /// Texts in a list.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<Spanned<&'t str>>, Mistake> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Array(values) = value.get_ref() else {
            return Err(unfit(value, &format!("`{key}` is a list of texts")));
        };
        let texts = values
            .iter()
            .map(|value| text(value, &format!("`{key}` holds texts")));
        texts.collect()
    }

    /// Tables in a list.
    pub(super) fn sections(
        &self,
        key: &str,
        name: &'static str,
    ) -> Result<Vec<Section<'t>>, Mistake> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Array(values) = value.get_ref() else {
            return Err(unfit(value, &format!("write [[{key}]]")));
        };
        values
            .iter()
            .map(|value| Section::of(value, name))
            .collect()
    }

    /// A table in it.
    pub(super) fn section(
        &self,
        key: &str,
        name: &'static str,
    ) -> Result<Option<Section<'t>>, Mistake> {
        self.get(key)
            .map(|value| Section::of(value, name))
            .transpose()
    }
}

/// A value that must be text.
fn text<'t>(value: &'t Placed<'t>, wants: &str) -> Result<Spanned<&'t str>, Mistake> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Spanned::new(value.span(), text.as_ref())),
        _ => Err(unfit(value, wants)),
    }
}

/// A value that is of another type than its key takes.
pub(super) fn unfit(value: &Placed<'_>, wants: &str) -> Mistake {
    let is = value.get_ref().type_str();
    Mistake::new(
        value.span(),
        format!("{wants}, this is of type {is}"),
        format!("of type {is}"),
        "`evenkeel schema scenario` says what each key takes",
    )
}

/// A value as JSON; numbers keep their spelling.
pub(super) fn json(value: &Placed<'_>) -> Result<Value, Mistake> {
    let no_number = || unfit(value, "JSON has no such number");
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| no_number())?
            .into(),
        DeValue::Float(number) => {
            Value::Number(spelled(number.as_str().trim_start_matches('+')).ok_or_else(no_number)?)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(at) => Value::String(at.to_string()),
        DeValue::Array(values) => Value::Array(values.iter().map(json).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let members = table
                .iter()
                .map(|(key, value)| Ok((key.get_ref().clone().into_owned(), json(value)?)));
            Value::Object(members.collect::<Result<Map<_, _>, Mistake>>()?)
        }
    })
}

fn spelled(number: &str) -> Option<Number> {
    serde_json::from_str(number).ok()
}

/// Reads `250ms`, `30s`, `10m`, `2h` and `1d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = (text[..at].parse::<u64>().ok()?, &text[at..]);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Names as a sentence has them.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2h"), Some(Duration::from_hours(2)));
        assert_eq!(duration("2 h"), None);
        assert_eq!(duration("h"), None);
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let text = "value = 3.20";
        let table = DeTable::parse(text).unwrap();
        let value = json(table.get_ref().get("value").unwrap()).unwrap();
        assert_eq!(value.to_string(), "3.20");
    }
}
