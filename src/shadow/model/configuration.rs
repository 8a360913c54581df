//! The configuration keys of a 1.6 charger.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::evidence::{Evidence, Source};
use super::secrets::is_secret;
use super::{status, text};

/// How many keys are remembered.
const MOST_KEYS: usize = 1024;

/// What a charger told about its configuration.
#[derive(Debug, Default)]
pub struct Configuration {
    keys: BTreeMap<String, Key>,
    /// The last listing of all keys.
    listed: Option<Source>,
}

/// One key.
#[derive(Debug, Clone)]
pub struct Key {
    /// As the charger spells it.
    pub name: Box<str>,
    /// It cannot be changed.
    pub readonly: bool,
    /// Its value, if it has one.
    pub value: Option<Box<str>>,
    source: Source,
}

/// An answer's payload and what it rests on.
pub type Told = (String, Option<Evidence>);

impl Configuration {
    /// Learns from a `GetConfiguration` and its answer. Says whether something is different now.
    pub fn read(&mut self, request: &str, answer: &str, source: Source) -> bool {
        let Ok(answer) = serde_json::from_str::<Value>(answer) else {
            return false;
        };
        let listed = answer["configurationKey"].as_array();
        let listed = listed.map(Vec::as_slice).unwrap_or_default();
        let asked_all = serde_json::from_str::<Value>(request)
            .is_ok_and(|request| request["key"].as_array().is_none_or(Vec::is_empty));
        let mut keys = if asked_all && !listed.is_empty() {
            self.listed = Some(source);
            BTreeMap::new()
        } else {
            self.keys.clone()
        };
        for entry in listed {
            let Some(name) = entry["key"].as_str() else {
                continue;
            };
            let value = entry["value"].as_str();
            if is_secret(name, value.unwrap_or_default()) || keys.len() >= MOST_KEYS {
                continue;
            }
            let key = Key {
                name: name.into(),
                readonly: entry["readonly"].as_bool().unwrap_or(false),
                value: value.map(Into::into),
                source,
            };
            keys.insert(name.to_ascii_lowercase(), key);
        }
        let differs = keys.len() != self.keys.len()
            || keys
                .iter()
                .any(|(name, key)| self.keys.get(name).is_none_or(|old| !old.is_like(key)));
        self.keys = keys;
        differs
    }

    /// Learns from a `ChangeConfiguration` and its answer. Says whether something is different now.
    pub fn changed(&mut self, request: &str, answer: &str, source: Source) -> bool {
        if !matches!(status(answer), Some("Accepted" | "RebootRequired")) {
            return false;
        }
        let (Some(name), Some(value)) = (text(request, "key"), text(request, "value")) else {
            return false;
        };
        let folded = name.to_ascii_lowercase();
        let room = self.keys.len() < MOST_KEYS || self.keys.contains_key(&folded);
        if is_secret(name, value) || !room {
            return false;
        }
        let key = self.keys.entry(folded).or_insert_with(|| Key {
            name: name.into(),
            readonly: false,
            value: None,
            source,
        });
        key.value = Some(value.into());
        key.source = source;
        true
    }

    /// The value of a key, whatever its case.
    pub fn value(&self, name: &str) -> Option<(&str, Evidence)> {
        let key = self.keys.get(&name.to_ascii_lowercase())?;
        Some((key.value.as_deref()?, key.source.evidence))
    }

    /// The evidence of the last listing of all keys, if there was one.
    pub fn listed(&self) -> Option<Evidence> {
        self.listed.map(|source| source.evidence)
    }

    /// The `GetConfiguration.conf` for a request. `inferred`: keys that follow from traffic, for a charger that was never
    /// listed.
    pub fn answer(&self, request: &str, inferred: &[(&'static str, String, Evidence)]) -> Told {
        let mut known = self.keys.clone();
        for (name, value, evidence) in inferred.iter().filter(|_| self.listed.is_none()) {
            known.entry(name.to_ascii_lowercase()).or_insert(Key {
                name: (*name).into(),
                readonly: true,
                value: Some(value.as_str().into()),
                source: Source {
                    evidence: *evidence,
                    facts: [0, 0],
                },
            });
        }
        let mut wanted: Vec<String> = Vec::new();
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        if let Some(keys) = request["key"].as_array() {
            wanted.extend(keys.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        let found: Vec<&Key> = if wanted.is_empty() {
            known.values().collect()
        } else {
            wanted
                .iter()
                .filter_map(|name| known.get(&name.to_ascii_lowercase()))
                .collect()
        };
        let evidence = Evidence::all(found.iter().map(|key| key.source.evidence));
        let mut answer = Map::new();
        if !found.is_empty() {
            let found: Vec<Value> = found.into_iter().map(Key::json).collect();
            answer.insert("configurationKey".into(), found.into());
        }
        wanted.retain(|name| !known.contains_key(&name.to_ascii_lowercase()));
        if !wanted.is_empty() {
            answer.insert("unknownKey".into(), wanted.into());
        }
        let evidence = evidence.or(self.listed());
        (Value::Object(answer).to_string(), evidence)
    }

    /// What a charger would answer to a `ChangeConfiguration` that changes nothing: `Accepted` when the value is already
    /// so, `Rejected` for a read-only key, `NotSupported` for one that a full listing did not show.
    pub fn change(&self, request: &str) -> Option<(&'static str, Evidence)> {
        let name = text(request, "key")?;
        let value = text(request, "value")?;
        let Some(key) = self.keys.get(&name.to_ascii_lowercase()) else {
            let listed = self.listed()?;
            return (!is_secret(name, "")).then_some(("NotSupported", listed));
        };
        let status = if key.readonly {
            "Rejected"
        } else {
            let known = key.value.as_deref()?;
            is_same_setting(known.trim(), value.trim()).then_some("Accepted")?
        };
        Some((status, key.source.evidence))
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        self.keys
            .values()
            .map(|key| &key.source)
            .chain(&self.listed)
            .flat_map(|source| source.facts)
    }
}

impl Key {
    fn is_like(&self, other: &Self) -> bool {
        (self.readonly, &self.value) == (other.readonly, &other.value)
    }

    fn json(&self) -> Value {
        let mut entry = json!({"key": self.name, "readonly": self.readonly});
        if let Some(value) = &self.value {
            entry["value"] = json!(value);
        }
        entry
    }
}

/// Whether setting one value where the other is changes nothing. Only booleans are known to have no case.
pub fn is_same_setting(known: &str, value: &str) -> bool {
    let boolean = |text: &str| {
        ["true", "false"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
    };
    known == value || (boolean(value) && known.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"{"configurationKey":[
        {"key":"HeartbeatInterval","readonly":false,"value":"300"},
        {"key":"NumberOfConnectors","readonly":true,"value":"2"},
        {"key":"AuthorizationKey","readonly":false,"value":"c0ffee"},
        {"key":"Central","readonly":false,"value":"ws://legacy/x"}]}"#;
    const ACCEPTED: &str = r#"{"status":"Accepted"}"#;

    fn source(at: i64) -> Source {
        Source::learned(at, [at as u64, at as u64 + 1])
    }

    fn learned() -> Configuration {
        let mut configuration = Configuration::default();
        assert!(configuration.read("{}", ALL, source(1)));
        configuration
    }

    #[test]
    fn secrets_do_not_get_in() {
        let mut configuration = learned();
        let set = r#"{"key":"AuthorizationKey","value":"c0ffee"}"#;
        assert!(!configuration.changed(set, ACCEPTED, source(2)));
        let (all, _) = configuration.answer("{}", &[]);
        assert!(!all.contains("c0ffee") && !all.contains("legacy"), "{all}");
        assert_eq!(
            configuration
                .answer(r#"{"key":["AuthorizationKey"]}"#, &[])
                .0,
            r#"{"unknownKey":["AuthorizationKey"]}"#
        );
    }

    #[test]
    fn known_keys_are_answered_and_unknown_ones_named() {
        let (answer, evidence) = learned().answer(r#"{"key":["heartbeatinterval","Foo"]}"#, &[]);
        assert_eq!(
            answer,
            r#"{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}],"unknownKey":["Foo"]}"#
        );
        assert_eq!(evidence, Some(Evidence::learned(1)));
    }

    #[test]
    fn a_change_that_changes_nothing_is_accepted() {
        let mut configuration = learned();
        let change = |configuration: &Configuration, key: &str, value: &str| {
            let request = json!({"key": key, "value": value}).to_string();
            configuration.change(&request).map(|(status, _)| status)
        };
        assert_eq!(
            change(&configuration, "HeartbeatInterval", "300"),
            Some("Accepted")
        );
        assert_eq!(change(&configuration, "HeartbeatInterval", "60"), None);
        assert_eq!(
            change(&configuration, "NumberOfConnectors", "2"),
            Some("Rejected")
        );
        assert_eq!(change(&configuration, "Foo", "1"), Some("NotSupported"));
        let set = r#"{"key":"HeartbeatInterval","value":"60"}"#;
        assert!(configuration.changed(set, ACCEPTED, source(5)));
        assert_eq!(
            change(&configuration, "HeartbeatInterval", "60"),
            Some("Accepted")
        );
        for (key, value, other, same) in [
            ("AuthorizeRemoteTxRequests", "true", "TRUE", true),
            ("Greeting", "Hello", "HELLO", false),
        ] {
            let set = json!({"key": key, "value": value}).to_string();
            configuration.changed(&set, ACCEPTED, source(9));
            assert_eq!(
                change(&configuration, key, other),
                same.then_some("Accepted")
            );
        }
    }

    #[test]
    fn a_full_listing_replaces_what_was_known_and_is_no_news_when_equal() {
        let mut configuration = learned();
        assert!(!configuration.read("{}", ALL, source(5)));
        let facts: Vec<u64> = configuration.facts().collect();
        assert!(facts.iter().all(|fact| [5, 6].contains(fact)), "{facts:?}");
        let shorter = r#"{"configurationKey":[{"key":"Foo","readonly":true}]}"#;
        assert!(configuration.read("{}", shorter, source(7)));
        assert_eq!(configuration.value("HeartbeatInterval"), None);
    }

    #[test]
    fn what_is_inferred_gives_way_to_a_listing() {
        let inferred = [("NumberOfConnectors", "7".to_owned(), Evidence::inferred(3))];
        let ask = r#"{"key":["NumberOfConnectors"]}"#;
        let (answer, evidence) = Configuration::default().answer(ask, &inferred);
        assert!(answer.contains(r#""value":"7""#));
        assert_eq!(evidence, Some(Evidence::inferred(3)));
        let (answer, evidence) = learned().answer(ask, &inferred);
        assert!(answer.contains(r#""value":"2""#));
        assert_eq!(evidence, Some(Evidence::learned(1)));
    }
}
