//! Members of a JSON object as the types that records are made of. What is there but cannot be read becomes a doubt.

use std::cell::RefCell;

use chrono::{DateTime, NaiveDateTime};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::clock::Micros;
use crate::judge::tree::decimal;

/// Wh in a kWh.
pub(super) const KILO: Decimal = Decimal::ONE_THOUSAND;

/// The members of an object, and what could not be read of them.
pub(super) struct Members<'a> {
    value: &'a Value,
    doubts: RefCell<Vec<String>>,
}

impl<'a> Members<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self {
            value,
            doubts: RefCell::default(),
        }
    }

    /// What could not be read.
    pub(super) fn doubts(self) -> Vec<String> {
        self.doubts.into_inner()
    }

    /// A member that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    /// Text; numbers count as their digits, since identifiers come as either.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => self.doubt(name, "text"),
        }
    }

    /// A number, also one in quotes.
    pub(super) fn number(&self, name: &str) -> Option<Decimal> {
        let value = self.get(name)?;
        number(value).or_else(|| self.doubt(name, "a number"))
    }

    /// A point in time. OCPI: what names no zone is UTC.
    pub(super) fn instant(&self, name: &str) -> Option<Micros> {
        let value = self.get(name)?;
        let read = value.as_str().and_then(instant);
        read.or_else(|| self.doubt(name, "a time"))
    }

    /// Yes or no; absent is no.
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => self.doubt(name, "true or false").unwrap_or(false),
        }
    }

    /// The elements of an array; absent is empty.
    pub(super) fn list(&self, name: &str) -> &'a [Value] {
        match self.get(name) {
            None => &[],
            Some(Value::Array(elements)) => elements,
            Some(_) => self.doubt(name, "a list").unwrap_or(&[]),
        }
    }

    /// Takes over what could not be read of the member `name`, itself an object.
    pub(super) fn adopt(&self, name: &str, inner: Self) {
        let inner = inner.doubts().into_iter();
        let doubts = inner.map(|doubt| format!("{name}: {doubt}"));
        self.doubts.borrow_mut().extend(doubts);
    }

    /// Notes that a member is not what it should be.
    pub(super) fn doubt<T>(&self, name: &str, expected: &str) -> Option<T> {
        let doubt = format!("{name} is not {expected}");
        self.doubts.borrow_mut().push(doubt);
        None
    }
}

/// A number, also one in quotes.
pub(super) fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => decimal(text.trim()),
        _ => None,
    }
}

/// RFC 3339; without a zone it is UTC.
pub(super) fn instant(text: &str) -> Option<Micros> {
    let text = text.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|local| local.and_utc().timestamp_micros())
}
