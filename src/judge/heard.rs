//! A message between charger and authority, as the parts of the judge look into it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Deref;

use crate::ocpp::json::{self, Step};
use crate::ocpp::{Envelope, EnvelopeError, Fields};

/// A message, whose payload is walked once for all who ask for its members.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    envelope: Envelope<'a>,
    fields: OnceCell<Fields<'a>>,
}

impl<'a> Heard<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, EnvelopeError> {
        Ok(Self {
            envelope: Envelope::parse(text)?,
            fields: OnceCell::new(),
        })
    }

    /// The members of the payload.
    pub(super) fn fields(&self) -> &Fields<'a> {
        self.fields
            .get_or_init(|| Fields::read(self.envelope.payload))
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
