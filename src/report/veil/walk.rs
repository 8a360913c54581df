//! The scalars of a message or record, with what decides whether each may be kept.

use std::ops::Range;

use super::kept::{Fate, fate, is_foreign};
use crate::ocpp::json::{self, SyntaxError};

/// What is nested deeper is hidden whole.
const DEEPEST: usize = 48;

/// Where a scalar stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The member that it belongs to; of an element of an array, that of the array.
    name: &'a str,
    /// The member that holds the object in which it stands.
    parent: &'a str,
    /// Whether it lies in what a vendor made up: nothing there is known.
    foreign: bool,
    /// What is known of it without its name.
    known: Option<Fate>,
}

impl Place<'_> {
    /// What becomes of the scalar.
    pub(super) fn fate(&self) -> Fate {
        match self.known {
            Some(fate) => fate,
            None if self.foreign => Fate::Hidden,
            None => fate(self.name, self.parent),
        }
    }
}

/// Calls `scalar` with every scalar of `text`, in order, and where it lies: an OCPP-J message or any other JSON.
pub(super) fn scalars(
    text: &str,
    scalar: &mut impl FnMut(Place<'_>, Range<usize>),
) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let start = json::skip_space(bytes, 0);
    if bytes.get(start) != Some(&b'[') {
        let end = value(text, start, &named(""), 0, scalar)?;
        return json::at_end(bytes, json::skip_space(bytes, end));
    }
    let (mut index, mut is_error) = (0, false);
    let end = json::try_elements(bytes, start, |at| {
        let place = Place {
            known: match index {
                0..=2 => Some(Fate::Kept),
                3 if is_error => Some(Fate::Prose),
                _ => None,
            },
            ..named("")
        };
        if index == 0 {
            is_error = matches!(bytes.get(at), Some(b'4' | b'5'));
        }
        index += 1;
        value(text, at, &place, 0, scalar)
    })?;
    json::at_end(bytes, json::skip_space(bytes, end))
}

const fn named(name: &str) -> Place<'_> {
    Place {
        name,
        parent: "",
        foreign: false,
        known: None,
    }
}

/// Goes through the value at `at`; returns where it ends.
fn value(
    text: &str,
    at: usize,
    place: &Place<'_>,
    depth: usize,
    scalar: &mut impl FnMut(Place<'_>, Range<usize>),
) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        _ if depth > DEEPEST => Err(SyntaxError { at }),
        Some(b'{') => json::try_members(text, at, |name, start| {
            let place = Place {
                name: &name,
                parent: place.name,
                foreign: place.foreign || is_foreign(&name),
                known: None,
            };
            value(text, start, &place, depth + 1, scalar)
        }),
        Some(b'[') => json::try_elements(bytes, at, |start| {
            value(text, start, place, depth + 1, scalar)
        }),
        _ => {
            let end = json::skip_value(bytes, at)?;
            scalar(*place, at..end);
            Ok(end)
        }
    }
}
