//! The filter of a screen, as it was written and as it is understood: the language is the one that `diffs --filter` knows.

use crate::clock::Micros;
use crate::ledger::filter::{Field, Filter, FilterError, Value};

/// A filter; the default one lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sieve {
    text: String,
    filter: Option<Filter>,
}

impl Sieve {
    /// Understands a filter by the fields of a screen.
    pub fn parse(text: &str, fields: &'static [Field]) -> Result<Self, FilterError> {
        let text = text.trim();
        let filter = Filter::parse(text, fields)?;
        Ok(Self {
            text: text.to_owned(),
            filter: (!filter.is_everything()).then_some(filter),
        })
    }

    /// As it was written; empty if it lets everything through.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As it is understood, for queries; none if it lets everything through.
    pub const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// The same as it was written, understood as `filter`.
    #[must_use]
    pub fn meaning(&self, filter: Filter) -> Self {
        Self {
            text: self.text.clone(),
            filter: Some(filter),
        }
    }

    /// Whether a row passes. `now` is when the recording's last fact was.
    pub fn lets<'a>(&self, now: Micros, row: &dyn Fn(&'static str) -> Value<'a>) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.matches(now, row))
    }
}

/// A term that asks for exactly this.
pub fn term(field: &str, value: &str) -> String {
    let plain = !value.is_empty()
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if plain {
        format!("{field}:{value}")
    } else {
        format!("{field}:{}", crate::ledger::filter::quoted(value))
    }
}
