//! What must not leave: every value of a recording that no list keeps.

use std::collections::HashSet;

use super::walk;
use crate::facts::{Fact, Kind};
use crate::ocpp::json;

/// Of a longer value its beginning is remembered.
const LONGEST: usize = 96;

/// Numbers of fewer digits name nobody.
const DIGITS: usize = 8;

/// The values that were found, in lower case, without the space around them.
#[derive(Debug, Clone, Default)]
pub struct Originals {
    values: HashSet<Box<str>>,
}

impl Originals {
    /// Looks through one fact.
    pub fn add(&mut self, fact: &Fact) {
        if !fact.charger.is_empty() {
            self.insert(&fact.charger);
        }
        let holds_text = matches!(
            fact.kind,
            Kind::Message
                | Kind::ShadowSent
                | Kind::ShadowReceived
                | Kind::ShadowAnswered
                | Kind::BackendRecord
        );
        if holds_text && let Some(text) = fact.text() {
            self.message(text);
        }
    }

    /// Looks through a message or record.
    pub fn message(&mut self, text: &str) {
        // What is no JSON is hidden whole wherever it is shown, and so is what comes behind a mistake in it.
        let _ = walk::scalars(text, &mut |place, at| {
            let literal = &text[at];
            let first = literal.as_bytes().first();
            if first == Some(&b'"') {
                if let Some(value) = json::string_value(literal)
                    && !place.fate().keeps(&value)
                    && place.fate() != super::Fate::Prose
                {
                    self.insert(&value);
                }
            } else if literal.len() >= DIGITS
                && first.is_some_and(u8::is_ascii_digit)
                && !place.fate().keeps(literal)
            {
                self.insert(literal);
            }
        });
    }

    /// Remembers a value.
    pub fn insert(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty() || self.values.contains(value) {
            return;
        }
        let mut lower = value.to_lowercase();
        if let Some((end, _)) = lower.char_indices().nth(LONGEST) {
            lower.truncate(end);
        }
        self.values.insert(lower.into_boxed_str());
    }

    /// Whether this is one of them, in whatever case.
    pub fn contains(&self, value: &str) -> bool {
        let value = value.trim();
        self.values.contains(value)
            || value
                .bytes()
                .any(|byte| byte.is_ascii_uppercase() || byte > 127)
                && self.values.contains(value.to_lowercase().as_str())
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(AsRef::as_ref)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}
