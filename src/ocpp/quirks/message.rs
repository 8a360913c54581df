//! The quirks of one message.

use std::collections::BTreeSet;

use super::Quirks;
use super::walk;
use crate::ocpp::{Envelope, EnvelopeError, MessageType, Version, actions, json};

/// The longest message id that the specification allows.
const LONGEST_ID: usize = 36;

/// The smallest limit of any field, in characters.
const SHORTEST_LIMIT: usize = 20;

/// Zeros at the end of a decimal that are more than a meter's resolution.
const TAIL: usize = 5;

/// The quirks of a message that a charger sent. An ordinary message costs one pass and no allocation.
pub fn in_message(version: Version, text: &str) -> Quirks {
    let only = |row: u8| [row].into_iter().collect();
    if text.trim_ascii().is_empty() {
        return only(24);
    }
    match Envelope::parse(text) {
        Ok(envelope) => in_envelope(version, text, &envelope),
        Err(EnvelopeError::Syntax(_)) => only(21),
        Err(_) => only(45),
    }
}

fn in_envelope(version: Version, text: &str, envelope: &Envelope<'_>) -> Quirks {
    let mut look = Look {
        version,
        action: &envelope.action,
        is_result: envelope.kind == MessageType::CallResult,
        secret: false,
        found: Quirks::default(),
    };
    let walked = walk::members(envelope.payload, |name, literal| look.member(name, literal));
    let shows = [
        (23, envelope.payload == "null"),
        (26, envelope.id.len() > LONGEST_ID),
        (36, is_foreign(version, &envelope.action)),
        (
            44,
            walked.duplicates || (walked.escapes && has_duplicate_keys(envelope.payload)),
        ),
        (45, !text[envelope.id_at.clone()].starts_with('"')),
    ];
    for (row, shows) in shows {
        if shows {
            look.found.insert(row);
        }
    }
    look.found
}

/// Whether an action belongs to another version. One that no version knows is a vendor's.
fn is_foreign(version: Version, action: &str) -> bool {
    let known = |version| actions::find(version, action).is_some();
    !action.is_empty() && !known(version) && Version::ALL.into_iter().any(known)
}

/// Member by member through a payload.
struct Look<'a> {
    version: Version,
    /// Empty for an answer.
    action: &'a str,
    is_result: bool,
    /// The configuration key under way is one that holds a secret.
    secret: bool,
    found: Quirks,
}

impl Look<'_> {
    fn member(&mut self, name: &str, literal: &str) {
        let Some(inner) = literal
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        else {
            return self.bare(name, literal);
        };
        self.instant(inner);
        // No field has a limit below this, and most values are shorter.
        if inner.len() > SHORTEST_LIMIT
            && inner.len() > longest(self.version, name)
            && inner.chars().count() > longest(self.version, name)
        {
            self.found.insert(26);
        }
        match name {
            "idTag" | "idToken" if inner.trim() != inner => self.found.insert(27),
            "value" => self.value(inner, true),
            "transactionId" => self.transaction(inner),
            "key" => self.secret = inner.eq_ignore_ascii_case("AuthorizationKey"),
            _ => self.word(name, inner),
        }
    }

    /// A number, a word or an opening bracket.
    fn bare(&mut self, name: &str, literal: &str) {
        match (name, literal) {
            ("meterValue" | "sampledValue" | "transactionData", "{") => self.found.insert(20),
            (_, "{" | "[") => {}
            ("value", _) => self.value(literal, false),
            ("transactionId", _) => self.transaction(literal),
            ("meterStop", _) if literal.starts_with('-') => self.found.insert(12),
            _ => {}
        }
    }

    fn transaction(&mut self, id: &str) {
        match id {
            "0" if self.action == "StopTransaction" => self.found.insert(56),
            "0" => self.found.insert(1),
            "2147483647" | "9223372036854775807" => self.found.insert(2),
            "-1" => self.found.insert(3),
            _ => {}
        }
    }

    fn value(&mut self, value: &str, is_string: bool) {
        if self.is_result && self.secret && !value.is_empty() {
            self.found.insert(52);
        }
        if !self.samples() {
            return;
        }
        if is_string != (self.version == Version::V16) {
            self.found.insert(19);
        }
        if is_string && value.contains(',') {
            self.found.insert(55);
        }
        let tail = value.len() - value.trim_end_matches('0').len();
        if tail >= TAIL && value.contains('.') {
            self.found.insert(58);
        }
    }

    /// Whether the message carries sampled values.
    fn samples(&self) -> bool {
        matches!(
            self.action,
            "MeterValues" | "StopTransaction" | "TransactionEvent"
        )
    }

    /// OCPP 1.6 closes these lists; later versions leave room for a vendor's own.
    fn word(&mut self, name: &str, word: &str) {
        let known: &[&str] = match name {
            "unit" if self.samples() => &UNITS,
            "measurand" if self.samples() => &MEASURANDS,
            "context" if self.samples() => &CONTEXTS,
            "errorCode" if self.action == "StatusNotification" => &ERROR_CODES,
            _ => return,
        };
        if self.version == Version::V16 && !known.contains(&word) {
            self.found.insert(25);
        }
    }

    fn instant(&mut self, text: &str) {
        let Some((date, zone)) = date_and_zone(text) else {
            return;
        };
        match zone.len() {
            0 => self.found.insert(15),
            3 => self.found.insert(16),
            _ => {}
        }
        if date.starts_with("1970-") {
            self.found.insert(18);
        }
    }
}

/// Splits an instant: `2026-01-02T03:04:05.6+02` into `2026-01-02` and `+02`.
fn date_and_zone(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if !(bytes.len() > 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b' '))
    {
        return None;
    }
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    let is_date = date.bytes().filter(u8::is_ascii_digit).count() == 8;
    let zone = time.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == '.');
    (is_date && time.contains(':')).then_some((date, zone))
}

/// How many characters a field may have.
fn longest(version: Version, name: &str) -> usize {
    if version == Version::V16 {
        match name {
            "idTag" | "chargePointVendor" | "chargePointModel" | "iccid" | "imsi" => 20,
            "chargePointSerialNumber"
            | "chargeBoxSerialNumber"
            | "meterSerialNumber"
            | "meterType" => 25,
            "info" | "vendorErrorCode" | "firmwareVersion" => 50,
            _ => usize::MAX,
        }
    } else {
        match name {
            "model" | "iccid" | "imsi" => 20,
            "serialNumber" => 25,
            // OCPP 2.1 has room for contract identifiers in tokens.
            "idToken" if version == Version::V21 => usize::MAX,
            "idToken" | "transactionId" => 36,
            "vendorName" | "firmwareVersion" => 50,
            _ => usize::MAX,
        }
    }
}

/// An escape may spell any name, so names are read here.
fn has_duplicate_keys(payload: &str) -> bool {
    let mut found = false;
    let walked = json::walk_objects(payload, |members| {
        let mut names = BTreeSet::new();
        found |= members.iter().any(|(name, _)| !names.insert(name));
    });
    walked.is_ok() && found
}

const UNITS: [&str; 17] = [
    "Wh",
    "kWh",
    "varh",
    "kvarh",
    "W",
    "kW",
    "VA",
    "kVA",
    "var",
    "kvar",
    "A",
    "V",
    "Celsius",
    "Celcius",
    "Fahrenheit",
    "K",
    "Percent",
];

const CONTEXTS: [&str; 8] = [
    "Interruption.Begin",
    "Interruption.End",
    "Other",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
];

const MEASURANDS: [&str; 22] = [
    "Current.Export",
    "Current.Import",
    "Current.Offered",
    "Energy.Active.Export.Interval",
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Interval",
    "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Interval",
    "Energy.Reactive.Import.Register",
    "Frequency",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Factor",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "RPM",
    "SoC",
    "Temperature",
    "Voltage",
];

const ERROR_CODES: [&str; 16] = [
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::quirks::Quirk;
    use proptest::prelude::*;

    /// Rows of a charger's message.
    fn rows(version: Version, text: &str) -> Vec<u8> {
        in_message(version, text).iter().map(Quirk::row).collect()
    }

    #[test]
    fn an_ordinary_message_has_no_quirks() {
        for (version, text) in [
            (Version::V16, r#"[2,"a","Heartbeat",{}]"#),
            (
                Version::V16,
                r#"[2,"a","MeterValues",{"connectorId":1,"transactionId":5,"meterValue":[{"timestamp":"2026-01-02T03:04:05.123Z","sampledValue":[{"value":"12.50","unit":"kWh","measurand":"SoC","context":"Sample.Clock"}]},{"timestamp":"2026-01-02T03:04:05+02:00","sampledValue":[{"value":"1"}]}]}]"#,
            ),
            (
                Version::V16,
                r#"[2,"a","StatusNotification",{"connectorId":0,"errorCode":"NoError","status":"Available","info":"-"}]"#,
            ),
            (
                Version::V21,
                r#"[2,"a","MeterValues",{"evseId":1,"meterValue":[{"timestamp":"2026-01-02T03:04:05-02:00","sampledValue":[{"value":1.5,"measurand":"X"}]}]}]"#,
            ),
            (Version::V16, r#"[3,"a",{"status":"Accepted"}]"#),
            (
                Version::V16,
                r#"[3,"a",{"configurationKey":[{"key":"AuthorizationKey","readonly":false},{"key":"X","value":"1,2"}]}]"#,
            ),
            (Version::V16, r#"[2,"a","VendorThing",{}]"#),
            (Version::V16, r#"[4,"a","InternalError","",{}]"#),
        ] {
            assert!(rows(version, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn an_escaped_name_is_a_name() {
        let text = "[2,\"a\",\"MeterValues\",{\"x\":[{\"a\":1,\"\\u0061\":1}]}]";
        assert_eq!(rows(Version::V16, text), [44]);
    }

    #[test]
    fn a_length_is_counted_in_characters() {
        let boot =
            |model: &str| format!(r#"[2,"a","BootNotification",{{"chargePointModel":"{model}"}}]"#);
        assert!(rows(Version::V16, &boot(&"\u{e9}".repeat(20))).is_empty());
        assert_eq!(rows(Version::V16, &boot(&"\u{e9}".repeat(21))), [26]);
    }

    #[test]
    fn later_versions_have_their_own_types() {
        let text = r#"[2,"a","MeterValues",{"meterValue":[{"sampledValue":[{"value":"1.5"}]}]}]"#;
        assert_eq!(rows(Version::V201, text), [19]);
        let text = r#"[2,"a","Authorize",{"idToken":{"idToken":"a "}}]"#;
        assert_eq!(rows(Version::V201, text), [27]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_look_at(
            text in "[\\[\\]{}\",:\\\\0-9aTZ+. é-]{0,40}",
            inside in "[\\[\\]{}\",:\\\\0-9aTZ+. é-]{0,40}",
        ) {
            for version in Version::ALL {
                in_message(version, &text);
                in_message(version, &format!("[2,\"a\",\"StopTransaction\",{{{inside}}}]"));
                walk::members(&text, |_, _| ());
            }
        }
    }
}
