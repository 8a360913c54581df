//! What has been learned about one charger from its own messages: enough to answer for it truthfully.
//!
//! Pure. Secrets never get in: keys that hold credentials or addresses are left out when they pass.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::clock::Micros;
use crate::ocpp::Version;
use crate::ocpp::json::Step;

use super::translate::member_text;

/// How old a meter sample may be to answer a trigger, µs.
const FRESH_SAMPLE: Micros = 15 * 60 * 1_000_000;

/// How many connectors are remembered; a charger that invents more is not believed.
pub const MOST_CONNECTORS: usize = 256;
/// The same for configuration keys.
const MOST_KEYS: usize = 1024;

/// EVSE (0 in 1.6) and connector.
pub type Place = (i64, i64);

/// One charger, as far as it is known.
#[derive(Debug, Default)]
pub struct Model {
    boot: Option<Box<str>>,
    statuses: BTreeMap<Place, Box<str>>,
    samples: BTreeMap<Place, (Micros, Box<str>)>,
    keys: BTreeMap<String, Key>,
    complete: bool,
    heartbeat: Option<i64>,
}

#[derive(Debug, Clone)]
struct Key {
    name: Box<str>,
    readonly: bool,
    value: Option<Box<str>>,
}

impl Model {
    /// Learns from a charger's CALL.
    pub fn called(&mut self, action: &str, payload: &str, at: Micros) {
        match action {
            "BootNotification" => self.boot = Some(payload.into()),
            "StatusNotification" => remember(&mut self.statuses, place(payload), payload.into()),
            "MeterValues" => remember(&mut self.samples, place(payload), (at, payload.into())),
            _ => {}
        }
    }

    /// Learns from the charger's answer to a command of its authority.
    pub fn answered(&mut self, version: Version, action: &str, request: &str, answer: &str) {
        if version != Version::V16 {
            return;
        }
        match action {
            "GetConfiguration" => self.read_configuration(request, answer),
            "ChangeConfiguration" => self.changed_configuration(request, answer),
            _ => {}
        }
    }

    /// Learns from the authority's answer to a BootNotification.
    pub fn booted(&mut self, answer: &str) {
        if status(answer) == Some("Accepted") {
            self.heartbeat = member_text(answer, &[Step::Key("interval")])
                .and_then(|interval| interval.parse().ok())
                .filter(|interval| *interval > 0);
        }
    }

    /// The payload of the last BootNotification.
    pub fn boot(&self) -> Option<&str> {
        self.boot.as_deref()
    }

    /// The payloads of the last `StatusNotification` of each connector, in order.
    pub fn statuses(&self) -> impl Iterator<Item = (Place, &str)> {
        self.statuses
            .iter()
            .map(|(place, payload)| (*place, payload.as_ref()))
    }

    /// The last status word of a connector.
    pub fn status(&self, place: Place) -> Option<&str> {
        let payload = self.statuses.get(&place)?;
        text(payload, "status").or_else(|| text(payload, "connectorStatus"))
    }

    /// The payload of a connector's last `MeterValues`, if it is recent.
    pub fn sample(&self, place: Place, now: Micros) -> Option<&str> {
        self.samples
            .get(&place)
            .filter(|(at, _)| now - at < FRESH_SAMPLE)
            .map(|(_, payload)| payload.as_ref())
    }

    /// Places with a recent sample.
    pub fn sampled(&self, now: Micros) -> impl Iterator<Item = (Place, &str)> {
        self.samples
            .keys()
            .filter_map(move |place| Some((*place, self.sample(*place, now)?)))
    }

    /// The value of a 1.6 configuration key, if it is known.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let key = self.keys.get(&name.to_ascii_lowercase())?;
        key.value.as_deref()
    }

    /// The 1.6 `GetConfiguration.conf` for a request.
    pub fn configuration(&self, request: &str) -> String {
        let known = self.effective_keys();
        let mut wanted: Vec<String> = Vec::new();
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        if let Some(keys) = request["key"].as_array() {
            wanted.extend(keys.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        let mut answer = Map::new();
        let found: Vec<Value> = if wanted.is_empty() {
            known.values().map(Key::json).collect()
        } else {
            wanted
                .iter()
                .filter_map(|name| known.get(&name.to_ascii_lowercase()).map(Key::json))
                .collect()
        };
        wanted.retain(|name| !known.contains_key(&name.to_ascii_lowercase()));
        if !found.is_empty() {
            answer.insert("configurationKey".into(), found.into());
        }
        if !wanted.is_empty() {
            answer.insert("unknownKey".into(), wanted.into());
        }
        Value::Object(answer).to_string()
    }

    /// What a charger would answer to a `ChangeConfiguration` that changes nothing: `Accepted` when the value is already
    /// so, `Rejected` for a read-only key, `NotSupported` for one that a full listing did not show.
    pub fn change_configuration(&self, request: &str) -> Option<&'static str> {
        let name = text(request, "key")?.to_ascii_lowercase();
        let value = text(request, "value")?;
        match self.keys.get(&name) {
            Some(key) if key.readonly => Some("Rejected"),
            Some(key) => key
                .value
                .as_deref()
                .is_some_and(|known| is_same_setting(known.trim(), value.trim()))
                .then_some("Accepted"),
            None => (self.complete && !is_secret(&name, "")).then_some("NotSupported"),
        }
    }

    /// Whether every connector in question is already operative (or inoperative): a whole station is asked for with
    /// `None`, a whole EVSE without a connector.
    pub fn is_available(&self, place: (Option<i64>, Option<i64>), operative: bool) -> bool {
        let mut asked = self
            .statuses
            .keys()
            .filter(|known| {
                place.0.is_none_or(|evse| evse == known.0)
                    && place.1.is_none_or(|connector| connector == known.1)
            })
            .peekable();
        asked.peek().is_some()
            && asked.all(|known| {
                self.status(*known)
                    .is_some_and(|status| (status != "Unavailable") == operative)
            })
    }

    fn effective_keys(&self) -> BTreeMap<String, Key> {
        let mut keys = self.keys.clone();
        if !self.complete {
            let mut infer = |name: &str, value: String| {
                keys.entry(name.to_ascii_lowercase()).or_insert(Key {
                    name: name.into(),
                    readonly: true,
                    value: Some(value.into()),
                });
            };
            infer("SupportedFeatureProfiles", "Core".to_owned());
            if let Some(last) = self.statuses.keys().map(|place| place.1).max() {
                infer("NumberOfConnectors", last.max(1).to_string());
            }
            if let Some(interval) = self.heartbeat {
                infer("HeartbeatInterval", interval.to_string());
            }
        }
        keys
    }

    fn read_configuration(&mut self, request: &str, answer: &str) {
        let Ok(answer) = serde_json::from_str::<Value>(answer) else {
            return;
        };
        let asked_all = serde_json::from_str::<Value>(request)
            .is_ok_and(|request| request["key"].as_array().is_none_or(Vec::is_empty));
        let listed = answer["configurationKey"].as_array();
        for entry in listed.into_iter().flatten() {
            let Some(name) = entry["key"].as_str() else {
                continue;
            };
            let value = entry["value"].as_str();
            if is_secret(name, value.unwrap_or_default()) || self.keys.len() >= MOST_KEYS {
                continue;
            }
            self.keys.insert(
                name.to_ascii_lowercase(),
                Key {
                    name: name.into(),
                    readonly: entry["readonly"].as_bool().unwrap_or(false),
                    value: value.map(Into::into),
                },
            );
        }
        self.complete |= asked_all && listed.is_some_and(|keys| !keys.is_empty());
    }

    fn changed_configuration(&mut self, request: &str, answer: &str) {
        if !matches!(status(answer), Some("Accepted" | "RebootRequired")) {
            return;
        }
        let (Some(name), Some(value)) = (text(request, "key"), text(request, "value")) else {
            return;
        };
        if is_secret(name, value) {
            return;
        }
        if let Some(key) = self.keys.get_mut(&name.to_ascii_lowercase()) {
            key.value = Some(value.into());
        } else if self.keys.len() < MOST_KEYS {
            let key = Key {
                name: name.into(),
                readonly: false,
                value: Some(value.into()),
            };
            self.keys.insert(name.to_ascii_lowercase(), key);
        }
    }
}

impl Key {
    fn json(&self) -> Value {
        let mut entry = json!({"key": self.name, "readonly": self.readonly});
        if let Some(value) = &self.value {
            entry["value"] = json!(value);
        }
        entry
    }
}

/// Whether setting one value where the other is changes nothing. Only booleans are known to have no case.
fn is_same_setting(known: &str, value: &str) -> bool {
    let boolean = |text: &str| {
        ["true", "false"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
    };
    known == value || (boolean(value) && known.eq_ignore_ascii_case(value))
}

fn remember<T>(map: &mut BTreeMap<Place, T>, place: Place, value: T) {
    if map.len() < MOST_CONNECTORS || map.contains_key(&place) {
        map.insert(place, value);
    }
}

/// Where a status or sample belongs.
fn place(payload: &str) -> Place {
    (number(payload, "evseId"), number(payload, "connectorId"))
}

fn number(payload: &str, name: &'static str) -> i64 {
    member_text(payload, &[Step::Key(name)])
        .and_then(|literal| literal.trim_matches('"').parse().ok())
        .unwrap_or(0)
}

/// A string member without escapes.
pub fn text<'a>(payload: &'a str, name: &'static str) -> Option<&'a str> {
    member_text(payload, &[Step::Key(name)])?
        .strip_prefix('"')?
        .strip_suffix('"')
}

/// The `status` member of an answer.
pub fn status(answer: &str) -> Option<&str> {
    text(answer, "status")
}

/// Whether a configuration entry holds a credential or an address that is nobody else's business.
fn is_secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 10] = [
        "authorizationkey",
        "password",
        "passwd",
        "secret",
        "pin",
        "token",
        "url",
        "server",
        "apn",
        "credential",
    ];
    let name = name.to_ascii_lowercase();
    // `StopTransactionOn...` and friends contain `pin` nowhere; `Mapping` and the like lose nothing by being left out.
    WORDS.iter().any(|word| name.contains(word)) || value.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned() -> Model {
        let mut model = Model::default();
        model.answered(
            Version::V16,
            "GetConfiguration",
            "{}",
            r#"{"configurationKey":[
                {"key":"HeartbeatInterval","readonly":false,"value":"300"},
                {"key":"NumberOfConnectors","readonly":true,"value":"2"},
                {"key":"AuthorizationKey","readonly":false,"value":"c0ffee"},
                {"key":"Central","readonly":false,"value":"ws://legacy/x"}]}"#,
        );
        model
    }

    #[test]
    fn secrets_do_not_get_in() {
        let model = learned();
        let all = model.configuration("{}");
        assert!(!all.contains("c0ffee") && !all.contains("legacy"), "{all}");
        assert_eq!(
            model.configuration(r#"{"key":["AuthorizationKey"]}"#),
            r#"{"unknownKey":["AuthorizationKey"]}"#
        );
    }

    #[test]
    fn known_keys_are_answered_and_unknown_ones_named() {
        let answer = learned().configuration(r#"{"key":["heartbeatinterval","Foo"]}"#);
        assert_eq!(
            answer,
            r#"{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}],"unknownKey":["Foo"]}"#
        );
    }

    #[test]
    fn a_change_that_changes_nothing_is_accepted() {
        let mut model = learned();
        let change = |model: &Model, key: &str, value: &str| {
            model.change_configuration(&json!({"key": key, "value": value}).to_string())
        };
        assert_eq!(change(&model, "HeartbeatInterval", "300"), Some("Accepted"));
        assert_eq!(change(&model, "HeartbeatInterval", "60"), None);
        assert_eq!(change(&model, "NumberOfConnectors", "2"), Some("Rejected"));
        assert_eq!(change(&model, "Foo", "1"), Some("NotSupported"));
        model.answered(
            Version::V16,
            "ChangeConfiguration",
            r#"{"key":"HeartbeatInterval","value":"60"}"#,
            r#"{"status":"Accepted"}"#,
        );
        assert_eq!(change(&model, "HeartbeatInterval", "60"), Some("Accepted"));
        for (key, value, other, same) in [
            ("AuthorizeRemoteTxRequests", "true", "TRUE", true),
            ("Greeting", "Hello", "HELLO", false),
        ] {
            let set = json!({"key": key, "value": value}).to_string();
            let accepted = r#"{"status":"Accepted"}"#;
            model.answered(Version::V16, "ChangeConfiguration", &set, accepted);
            assert_eq!(change(&model, key, other), same.then_some("Accepted"));
        }
    }

    #[test]
    fn what_was_never_listed_is_inferred_from_traffic() {
        let mut model = Model::default();
        model.called(
            "StatusNotification",
            r#"{"connectorId":2,"status":"Available"}"#,
            0,
        );
        model.booted(r#"{"status":"Accepted","interval":300}"#);
        let answer = model.configuration(r#"{"key":["NumberOfConnectors","HeartbeatInterval"]}"#);
        assert!(answer.contains(r#""value":"2""#) && answer.contains(r#""value":"300""#));
        assert!(model.is_available((None, Some(2)), true));
        assert!(!model.is_available((None, Some(2)), false));
        assert!(
            !model.is_available((None, Some(3)), true),
            "unknown is not available"
        );
    }

    #[test]
    fn an_old_sample_is_no_answer() {
        let mut model = Model::default();
        model.called("MeterValues", r#"{"connectorId":1}"#, 0);
        assert!(model.sample((0, 1), 60_000_000).is_some());
        assert!(model.sample((0, 1), FRESH_SAMPLE).is_none());
    }
}
