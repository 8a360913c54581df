//! The notes of facts that the judge reads. Unknown members are left alone: writers may add some.

use std::borrow::Cow;

use serde::Deserialize;

use crate::facts::Fact;
use crate::ocpp::json;

/// Note of a `ShadowSent`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Sent<'a> {
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
    pub(super) queued_us: Option<i64>,
    /// A signed message that could not be translated.
    pub(super) signed: bool,
    /// The authority's command that caused it; 0 if none.
    pub(super) solicited: u64,
    /// On a boot: the shadow has not accepted the charger so far.
    pub(super) not_accepted: Option<Dwell>,
    /// Why the tap made it up; empty if it did not.
    #[serde(borrow)]
    pub(super) synthetic: Cow<'a, str>,
}

impl<'a> Sent<'a> {
    /// The note of `fact`. Most say so little that they are read without ceremony.
    pub(super) fn read(fact: &'a Fact) -> Self {
        Self::plain(&fact.note).unwrap_or_else(|| read(fact))
    }

    /// A note that says no more than what was sent and how long it had waited.
    fn plain(note: &'a str) -> Option<Self> {
        let mut sent = Self::default();
        let mut is_plain = true;
        let end = json::try_members(note, 0, |name, at| {
            let end = json::skip_value(note.as_bytes(), at)?;
            let literal = &note[at..end];
            match name.as_bytes() {
                b"id" | b"rewrites" => {}
                b"action" => match json::string_value(literal) {
                    Some(action) => sent.action = action,
                    None => is_plain = false,
                },
                b"queued_us" => {
                    sent.queued_us = literal.parse().ok();
                    is_plain &= sent.queued_us.is_some();
                }
                _ => is_plain = false,
            }
            Ok(end)
        });
        (is_plain && end == Ok(note.len())).then_some(sent)
    }

    /// The shadow is told of a boot that the authority is not told of, because it had not seen the charger boot.
    pub(super) fn introduces(&self) -> bool {
        self.synthetic == "boot" && self.not_accepted.is_none()
    }
}

/// Note of a `Mediated`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Touched {
    /// The message's id; empty if it cannot be read.
    pub(super) id: String,
    pub(super) action: String,
}

/// How long a shadow has not accepted a charger.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Dwell {
    /// `pending`, `rejected` or `error`.
    pub(super) status: String,
    /// How many boots it has answered so.
    pub(super) boots: u32,
}

/// Note of a `ShadowReceived` or `ShadowSilent`, as far as repeats go.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Received {
    /// The CALL goes again, as a charger would repeat it: this answer does not count.
    pub(super) retry: bool,
}

/// Note of a `ShadowAnswered`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StoodIn {
    pub(super) source: String,
    /// What would have to be known for a better answer, and where it may come from.
    pub(super) missing: Option<String>,
    /// The shadow has not accepted the charger yet: it may wait for what it asked.
    pub(super) onboarding: bool,
}

/// Note of a `ShadowWithheld`, `ShadowSilent` or `ShadowClosed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Because {
    pub(super) why: String,
    /// The message that goes again on the next connection, of a `ShadowClosed`.
    pub(super) again: Option<u64>,
}

/// Note of a `ShadowOpened`, `ShadowRefused` or `ShadowClosed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shook {
    pub(super) why: String,
    pub(super) status: Option<u16>,
    pub(super) subprotocol: Option<String>,
    /// What TLS objected to; empty if it did not.
    pub(super) tls: String,
    /// It was only tried what the whole offer would lead to.
    pub(super) probe: bool,
    /// Who closed.
    pub(super) by: String,
    /// The close frame's code.
    pub(super) code: Option<u16>,
}

/// Note of an `IdentifierLearned`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Learned {
    pub(super) class: String,
    pub(super) authority: String,
    pub(super) shadow: String,
}

/// Note of a `Quirk`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Odd {
    /// 0 if it is not in the catalogue.
    pub(super) row: u8,
}

/// Note of a `ConnClosed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Left {
    pub(super) by: String,
}

/// Note of a `TapStarted`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tap {
    /// What the operator calls the candidate's build.
    pub(super) build: Option<String>,
}

/// Note of a `GateLoaded`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Loaded {
    pub(super) file: String,
    pub(super) hash: String,
}

/// Note of a `Gap`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lossy {
    /// How many facts lie in it, where it is not only about frames.
    pub(super) facts: u64,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Kind;

    #[test]
    fn a_plain_note_of_a_copy_says_what_it_says_to_whoever_reads_it_at_length() {
        for note in [
            r#"{"id":"1","action":"Heartbeat","queued_us":90,"rewrites":[]}"#,
            r#"{"id":"1","action":"a\"\u0041","rewrites":[{"class":"transactionId","path":"/x","from":"1","to":"2"}]}"#,
            r#"{"id":"1","action":"X","queued_us":-7}"#,
            r#"{"action":"X","queued_us":null}"#,
            r#"{"action":"X","queued_us":"7"}"#,
            r#"{"action":7}"#,
            r#"{"action":"X","signed":true,"solicited":9}"#,
            r#"{"action":"X","synthetic":"boot","not_accepted":{"status":"pending","boots":2}}"#,
            r#"{"action":"X"} trailing"#,
            r#"{"action":"X""#,
            "{}",
            "",
        ] {
            let fact = Fact {
                note: note.to_owned(),
                ..Fact::new(Kind::ShadowSent, 0)
            };
            assert_eq!(Sent::read(&fact), read(&fact), "{note}");
        }
    }
}
