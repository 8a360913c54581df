//! The notes of facts that the judge reads. Unknown members are left alone: writers may add some.

use std::borrow::Cow;

use serde::Deserialize;

use crate::facts::Fact;

/// Note of a `ShadowSent`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent<'a> {
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
    pub(super) queued_us: Option<i64>,
    /// A signed message that could not be translated.
    pub(super) signed: bool,
}

/// Note of a `ShadowAnswered`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StoodIn {
    pub(super) source: String,
}

/// Note of a `ShadowWithheld`, `ShadowSilent` or `ShadowClosed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Because {
    pub(super) why: String,
}

/// Note of a `ShadowOpened` or `ShadowRefused`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shook {
    pub(super) why: String,
    pub(super) status: Option<u16>,
    pub(super) subprotocol: Option<String>,
}

/// Note of an `IdentifierLearned`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Learned {
    pub(super) class: String,
    pub(super) authority: String,
    pub(super) shadow: String,
}

/// Note of a `PlaneStarted`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Plane {
    pub(super) restart: bool,
}

/// The note of `fact`. A note that cannot be read is as good as none: what it would have said is then unknown, never
/// guessed.
pub(super) fn read<'a, T: Deserialize<'a> + Default>(fact: &'a Fact) -> T {
    if fact.note.is_empty() {
        return T::default();
    }
    serde_json::from_str(&fact.note).unwrap_or_default()
}
