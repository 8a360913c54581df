//! Oddities of chargers that show in one message or handshake and that must not be blamed on a backend.
//!
//! Rows are those of the list of quirks seen in public trackers. What needs a history (repeated boots, lost stops,
//! registers that reset) is not decided here.

use std::collections::BTreeSet;
use std::ops::Range;

use super::actions;
use super::identifiers::{Class, Part, sites};
use super::json::{self, Step};
use super::{Envelope, EnvelopeError, MessageType, Version};

/// A known oddity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quirk {
    /// Its row in the list.
    pub row: u8,
    /// Its name, for facts and screens.
    pub name: &'static str,
}

const fn quirk(row: u8, name: &'static str) -> Quirk {
    Quirk { row, name }
}

const INVALID_JSON: Quirk = quirk(21, "invalid JSON");
const EMPTY_FRAME: Quirk = quirk(24, "empty frame");
const NO_SUBPROTOCOL: Quirk = quirk(31, "no subprotocol");
const NO_IDENTITY: Quirk = quirk(32, "no identity");
const ODD_IDENTITY: Quirk = quirk(33, "odd identity");
const ODD_ENVELOPE: Quirk = quirk(45, "odd envelope");

/// The quirks of a handshake: the raw last path segment and the subprotocols that the charger offered.
pub fn in_handshake(identity: &str, offered: Option<&str>) -> Vec<Quirk> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~*+=|@".contains(&byte);
    let mut found = Vec::new();
    if offered.is_none_or(|offered| offered.trim().is_empty()) {
        found.push(NO_SUBPROTOCOL);
    }
    if identity.is_empty() {
        found.push(NO_IDENTITY);
    } else if !identity.bytes().all(plain) {
        found.push(ODD_IDENTITY);
    }
    found
}

/// The quirks of a message that a charger sent. For an answer, `answered` is the action of the CALL.
pub fn in_message(version: Version, text: &str, answered: Option<&str>) -> Vec<Quirk> {
    if text.trim().is_empty() {
        return vec![EMPTY_FRAME];
    }
    let envelope = match Envelope::parse(text) {
        Ok(envelope) => envelope,
        Err(EnvelopeError::Syntax(_)) => return vec![INVALID_JSON],
        Err(_) => return vec![ODD_ENVELOPE],
    };
    let is_request = matches!(envelope.kind, MessageType::Call | MessageType::Send);
    let look = Look {
        version,
        text,
        action: if is_request {
            &envelope.action
        } else {
            answered.unwrap_or("")
        },
        part: if is_request {
            Part::Request
        } else {
            Part::Response
        },
        envelope: &envelope,
    };
    TESTS
        .iter()
        .filter(|(_, shows)| shows(&look))
        .map(|(quirk, _)| *quirk)
        .collect()
}

/// One message, as far as one look at it tells.
struct Look<'a> {
    version: Version,
    text: &'a str,
    action: &'a str,
    part: Part,
    envelope: &'a Envelope<'a>,
}

type Shows = fn(&Look<'_>) -> bool;

const TESTS: [(Quirk, Shows); 15] = [
    (quirk(1, "transaction id 0"), |look| {
        look.transaction_id(|id| id == "0")
    }),
    (quirk(2, "transaction id is the largest integer"), |look| {
        look.transaction_id(|id| id == "2147483647" || id == "9223372036854775807")
    }),
    (quirk(3, "transaction id -1"), |look| {
        look.transaction_id(|id| id == "-1")
    }),
    (quirk(12, "meterStop below zero"), |look| {
        look.action == "StopTransaction" && look.any(METER_STOP, |value| value.starts_with('-'))
    }),
    (quirk(15, "timestamp without zone"), |look| {
        look.timestamp(|_, zone| zone.is_empty())
    }),
    (quirk(16, "timestamp with a short offset"), |look| {
        look.timestamp(|_, zone| zone.len() == 3)
    }),
    (quirk(18, "timestamp of an unset clock"), |look| {
        look.timestamp(|date, _| date.starts_with("1970-"))
    }),
    (quirk(19, "number where a string is required"), |look| {
        look.version == Version::V16 && look.sample(|value| !value.starts_with('"'))
    }),
    (quirk(19, "string where a number is required"), |look| {
        look.version != Version::V16 && look.sample(|value| value.starts_with('"'))
    }),
    (quirk(23, "null payload"), |look| {
        look.envelope.payload == "null"
    }),
    (quirk(27, "token with spaces around it"), |look| {
        TOKENS.iter().any(|path| look.any(path, is_padded))
    }),
    (quirk(36, "action of another version"), |look| {
        let known = |version| actions::find(version, look.action).is_some();
        !known(look.version) && Version::ALL.into_iter().any(known)
    }),
    (quirk(44, "duplicate keys"), |look| {
        has_duplicate_keys(look.envelope.payload)
    }),
    (quirk(45, "numeric message id"), |look| {
        !look.text[look.envelope.id_at.clone()].starts_with('"')
    }),
    (quirk(55, "decimal comma"), |look| {
        look.sample(|value| value.starts_with('"') && value.contains(','))
    }),
];

const METER_STOP: &[Step] = &[Step::Key("meterStop")];

const TOKENS: [&[Step]; 2] = [
    &[Step::Key("idTag")],
    &[Step::Key("idToken"), Step::Key("idToken")],
];

/// `meterValue` of meter values and transaction events, `transactionData` of a 1.6 stop.
const SAMPLES: [[Step; 5]; 2] = [sample("meterValue"), sample("transactionData")];

const fn sample(list: &'static str) -> [Step; 5] {
    let (list, values) = (Step::Key(list), Step::Key("sampledValue"));
    [list, Step::Each, values, Step::Each, Step::Key("value")]
}

impl Look<'_> {
    fn any(&self, path: &[Step], test: impl Fn(&str) -> bool) -> bool {
        let payload = self.envelope.payload;
        let literal = |at: Range<usize>| test(&payload[at]);
        json::locate(payload, path).is_ok_and(|found| found.into_iter().any(literal))
    }

    fn transaction_id(&self, test: impl Fn(&str) -> bool) -> bool {
        sites(self.version, self.action, self.part)
            .filter(|site| site.class == Class::TransactionId)
            .any(|site| self.any(site.path, |literal| test(literal.trim_matches('"'))))
    }

    fn sample(&self, test: impl Fn(&str) -> bool) -> bool {
        SAMPLES.iter().any(|path| self.any(path, &test))
    }

    /// Tests date and zone of every string that looks like an instant.
    fn timestamp(&self, test: impl Fn(&str, &str) -> bool) -> bool {
        let payload = self.envelope.payload;
        let mut found = false;
        let walked = json::walk_objects(payload, |members| {
            found |= members
                .iter()
                .filter_map(|(_, at)| date_and_zone(&payload[at.clone()]))
                .any(|(date, zone)| test(date, zone));
        });
        walked.is_ok() && found
    }
}

/// Splits the literal of an instant: `"2026-01-02T03:04:05.6+02"` into `2026-01-02` and `+02`.
fn date_and_zone(literal: &str) -> Option<(&str, &str)> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let (date, time) = inner.split_once(['T', ' '])?;
    let is_date = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let digits = time.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == '.');
    (is_date && time.contains(':')).then_some((date, digits))
}

fn is_padded(literal: &str) -> bool {
    json::string_value(literal).is_some_and(|text| text.trim() != text)
}

fn has_duplicate_keys(payload: &str) -> bool {
    let mut found = false;
    let walked = json::walk_objects(payload, |members| {
        let mut names = BTreeSet::new();
        found |= members.iter().any(|(name, _)| !names.insert(name));
    });
    walked.is_ok() && found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rows of a charger message.
    fn rows(version: Version, text: &str) -> Vec<u8> {
        in_message(version, text, None)
            .into_iter()
            .map(|quirk| quirk.row)
            .collect()
    }

    #[test]
    fn an_ordinary_message_has_no_quirks() {
        for (version, text) in [
            (Version::V16, r#"[2,"a","Heartbeat",{}]"#),
            (
                Version::V16,
                r#"[2,"a","MeterValues",{"connectorId":1,"transactionId":5,"meterValue":[{"timestamp":"2026-01-02T03:04:05.123Z","sampledValue":[{"value":"12.50"}]},{"timestamp":"2026-01-02T03:04:05+02:00","sampledValue":[{"value":"1"}]}]}]"#,
            ),
            (
                Version::V21,
                r#"[2,"a","MeterValues",{"evseId":1,"meterValue":[{"timestamp":"2026-01-02T03:04:05-02:00","sampledValue":[{"value":1.5}]}]}]"#,
            ),
            (Version::V16, r#"[3,"a",{"status":"Accepted"}]"#),
            (Version::V16, r#"[2,"a","VendorThing",{}]"#),
        ] {
            assert!(rows(version, text).is_empty(), "{text}");
        }
        assert!(in_handshake("CP-01_a.b", Some("ocpp1.6")).is_empty());
    }

    #[test]
    fn each_quirk_is_named_by_its_row() {
        let v16 = Version::V16;
        let meter = |inside: &str| format!(r#"[2,"a","MeterValues",{{"connectorId":1,{inside}}}]"#);
        let at = |time: &str| meter(&format!(r#""meterValue":[{{"timestamp":"{time}"}}]"#));
        let sampled = |value: &str| {
            meter(&format!(
                r#""meterValue":[{{"sampledValue":[{{"value":{value}}}]}}]"#
            ))
        };
        for (row, text) in [
            (1, meter(r#""transactionId":0"#)),
            (2, meter(r#""transactionId":9223372036854775807"#)),
            (2, meter(r#""transactionId":"2147483647""#)),
            (
                3,
                r#"[2,"a","StopTransaction",{"transactionId":-1}]"#.to_owned(),
            ),
            (
                12,
                r#"[2,"a","StopTransaction",{"meterStop":-1}]"#.to_owned(),
            ),
            (15, at("2026-01-02T03:04:05")),
            (15, at("2026-01-02 03:04:05.123")),
            (16, at("2026-01-02T03:04:05+02")),
            (18, at("1970-01-01T00:00:10Z")),
            (19, sampled("12.5")),
            (21, r#",[2,"a","Heartbeat",{}]"#.to_owned()),
            (23, r#"[2,"a","Heartbeat",null]"#.to_owned()),
            (23, r#"[2,"a","Heartbeat"]"#.to_owned()),
            (24, String::new()),
            (
                27,
                r#"[2,"a","Authorize",{"idTag":" F6 CA 0C C5"}]"#.to_owned(),
            ),
            (36, r#"[2,"a","TransactionEvent",{}]"#.to_owned()),
            (44, meter(r#""x":[{"a":1,"\u0061":1}]"#)),
            (45, r#"[2,17,"Heartbeat",{}]"#.to_owned()),
            (45, r#"[1,"a","Heartbeat",{}]"#.to_owned()),
            (55, sampled(r#""12,5""#)),
        ] {
            assert_eq!(rows(v16, &text), [row], "{text}");
        }
        let text = r#"[2,"a","MeterValues",{"meterValue":[{"sampledValue":[{"value":"1.5"}]}]}]"#;
        assert_eq!(rows(Version::V201, text), [19]);
        let text = r#"[2,"a","Authorize",{"idToken":{"idToken":"a "}}]"#;
        assert_eq!(rows(Version::V201, text), [27]);
    }

    #[test]
    fn a_handshake_has_quirks_too() {
        let rows = |identity, offered| -> Vec<u8> {
            let found = in_handshake(identity, offered);
            found.into_iter().map(|quirk| quirk.row).collect()
        };
        assert_eq!(rows("CP1", None), [31]);
        assert_eq!(rows("CP1", Some(" ")), [31]);
        assert_eq!(rows("", Some("ocpp1.6")), [32]);
        assert_eq!(rows("RDAM%7C123", Some("ocpp1.6")), [33]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_look_at(
            text in "[\\[\\]{}\",:\\\\0-9aTZ+. é-]{0,40}",
            inside in "[\\[\\]{}\",:\\\\0-9aTZ+. é-]{0,40}",
        ) {
            for version in Version::ALL {
                in_message(version, &text, Some("Reset"));
                in_message(version, &format!("[2,\"a\",\"StopTransaction\",{{{inside}}}]"), None);
            }
        }
    }
}
