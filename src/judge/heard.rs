//! A message between charger and authority, as the parts of the judge look into it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Deref;

use crate::ocpp::json::{self, Step, SyntaxError};
use crate::ocpp::{Envelope, EnvelopeError, Fields};

/// A message, whose payload is walked once for all who ask for its members.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    envelope: Envelope<'a>,
    fields: OnceCell<Fields<'a>>,
    sampled: OnceCell<Sampled<'a>>,
}

/// What the first element of `meterValue` says, as far as it is quickly found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sampled<'a> {
    /// Its timestamp, as it is spelt.
    pub(super) timestamp: Option<&'a str>,
    /// The first of its sampled values.
    pub(super) value: Option<&'a str>,
}

impl<'a> Heard<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, EnvelopeError> {
        let (envelope, fields) = Envelope::parse_with_fields(text)?;
        Ok(Self {
            envelope,
            fields: fields.map(OnceCell::from).unwrap_or_default(),
            sampled: OnceCell::new(),
        })
    }

    /// The members of the payload.
    pub(super) fn fields(&self) -> &Fields<'a> {
        self.fields
            .get_or_init(|| Fields::read(self.envelope.payload))
    }

    /// What the first of its meter values says: chargers send hardly anything else, and most send one.
    pub(super) fn sampled(&self) -> Sampled<'a> {
        *self.sampled.get_or_init(|| {
            let values = self.fields().first(&[Step::Key("meterValue")]);
            values.map(Sampled::read).unwrap_or_default()
        })
    }

    /// The first scalar at `path` in the payload, without quotes.
    pub(super) fn scalar(&self, path: &[Step]) -> Option<Cow<'a, str>> {
        self.fields().first(path).map(bare)
    }

    /// The member `name` of the payload, without quotes.
    pub(super) fn member(&self, name: &'static str) -> Option<Cow<'a, str>> {
        self.scalar(&[Step::Key(name)])
    }

    /// The text of the first string at `path` in the payload.
    pub(super) fn text(&self, path: &[Step]) -> Option<Cow<'a, str>> {
        json::string_value(self.fields().first(path)?)
    }
}

impl<'a> Sampled<'a> {
    /// Reads the first element of the array that `values` is. What lies behind is not looked at.
    fn read(values: &'a str) -> Self {
        let mut found = Self::default();
        let bytes = values.as_bytes();
        // Once all is found the walk ends with an error, also when nothing is wrong.
        let stop = |at| Err(SyntaxError { at });
        let _ended = json::try_elements(bytes, 0, |first| {
            let end = json::try_members(values, first, |name, at| match &*name {
                "timestamp" if found.timestamp.is_none() => {
                    let end = json::skip_value(bytes, at)?;
                    found.timestamp = Some(&values[at..end]);
                    found.value.map_or(Ok(end), |_| stop(end))
                }
                "sampledValue" if found.value.is_none() => {
                    let _ended = json::try_elements(bytes, at, |value| {
                        let end = json::skip_value(bytes, value)?;
                        found.value = Some(&values[value..end]);
                        stop(end)
                    });
                    match (found.value, found.timestamp) {
                        (Some(_), Some(_)) => stop(at),
                        _ => json::skip_value(bytes, at),
                    }
                }
                _ => json::skip_value(bytes, at),
            })?;
            stop(end)
        });
        found
    }
}

impl<'a> Deref for Heard<'a> {
    type Target = Envelope<'a>;

    fn deref(&self) -> &Envelope<'a> {
        &self.envelope
    }
}

/// A scalar without quotes.
pub(super) fn bare(literal: &str) -> Cow<'_, str> {
    json::string_value(literal).unwrap_or(Cow::Borrowed(literal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMESTAMP: [Step; 3] = [Step::Key("meterValue"), Step::Each, Step::Key("timestamp")];
    const VALUE: [Step; 4] = [
        Step::Key("meterValue"),
        Step::Each,
        Step::Key("sampledValue"),
        Step::Each,
    ];

    proptest! {
        /// What the quick look finds is what a walk of the whole finds first.
        #[test]
        fn the_first_sample_is_the_first_that_a_walk_finds(
            elements in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(vec![
                        r#""timestamp":"1""#, r#""timestamp":"2""#, r#""sampledValue":[]"#, r#""x":{"timestamp":"3"}"#,
                        r#""sampledValue":[{"value":"4"},{"value":"5"}]"#, r#""sampledValue":[6]"#, r#""sampledValue":{}"#,
                        r#""broken":]"#,
                    ]),
                    0..4,
                ),
                0..3,
            ),
        ) {
            let elements: Vec<_> = elements.iter().map(|it| format!("{{{}}}", it.join(","))).collect();
            let text = format!(r#"[2,"1","MeterValues",{{"meterValue":[{}]}}]"#, elements.join(", "));
            if let Ok(heard) = Heard::parse(&text) {
                let found = heard.sampled();
                if let Some(timestamp) = found.timestamp {
                    prop_assert_eq!(heard.fields().first(&TIMESTAMP), Some(timestamp));
                }
                if let Some(value) = found.value {
                    prop_assert_eq!(heard.fields().first(&VALUE), Some(value));
                }
                if elements.len() == 1 {
                    prop_assert_eq!(heard.fields().first(&TIMESTAMP), found.timestamp);
                    prop_assert_eq!(heard.fields().first(&VALUE), found.value);
                }
            }
        }
    }
}
