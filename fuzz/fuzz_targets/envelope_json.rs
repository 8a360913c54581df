//! The JSON scanner agrees with `serde_json` about where the values at the top lie, and rewriting keeps valid text valid.
//!
//! Input: a new identifier, a line feed, a message.

#![no_main]

use std::collections::BTreeMap;

use evenkeel::ocpp::Envelope;
use evenkeel::ocpp::json::{self, Step};
use evenkeel::ocpp::relation::Identifier;
use evenkeel::ocpp::rewrite::{Change, message_id, places, rewrite};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const PATHS: [&[Step]; 4] = [
    &[],
    &[Step::Key("transactionId")],
    &[Step::Each, Step::Key("id")],
    &[Step::Key("a"), Step::Each, Step::Key("id")],
];

fuzz_target!(|data: &str| {
    let (to, text) = data.split_once('\n').unwrap_or(("7", data));
    scan(text);
    for path in PATHS {
        if let Ok(found) = json::locate(text, path) {
            assert!(found.iter().all(|range| text.get(range.clone()).is_some()));
        }
    }
    if let Ok(envelope) = Envelope::parse(text) {
        change(&envelope, text, to);
    }
});

/// What `serde_json` accepts, the scanner accepts, with the same values in the same places.
fn scan(text: &str) {
    let start = json::skip_space(text.as_bytes(), 0);
    if is_json(text) {
        let whole = json::locate(text, &[]).expect("valid JSON is one value");
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        assert_eq!(whole.len(), 1);
        assert_eq!(&text[whole[0].clone()], trimmed);
    }
    if let Ok(raw) = serde_json::from_str::<Vec<&RawValue>>(text) {
        let found = json::elements(text, start).expect("a valid array is an array");
        let found: Vec<&str> = found.into_iter().map(|range| &text[range]).collect();
        let raw: Vec<&str> = raw.into_iter().map(RawValue::get).collect();
        assert_eq!(found, raw);
    }
    if let Ok(raw) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        let mut found = BTreeMap::new();
        json::walk_object(text, start, |name, range| {
            found.insert(name.into_owned(), &text[range]);
        })
        .expect("a valid object is an object");
        let raw: BTreeMap<String, &str> = raw
            .into_iter()
            .map(|(name, value)| (name, value.get()))
            .collect();
        assert_eq!(found, raw);
    }
}

fn change(envelope: &Envelope<'_>, text: &str, to: &str) {
    let valid = is_json(text);
    for path in PATHS {
        let Ok(found) = places(envelope, path) else {
            assert!(!valid || json::locate(envelope.payload, path).is_err());
            continue;
        };
        let values: Vec<Change> = (found.iter())
            .map(|at| Change::Value {
                at: at.clone(),
                to: to.to_owned(),
            })
            .collect();
        let strips: Vec<Change> = (found.iter())
            .map(|at| Change::Strip { at: at.clone() })
            .collect();
        let mixed: Vec<Change> = values.iter().chain(&strips).cloned().collect();
        for changes in [&values, &strips, &mixed] {
            if let Ok(changed) = rewrite(text, changes) {
                assert!(!valid || is_json(&changed), "{changed}");
                assert!(!valid || Envelope::parse(&changed).is_ok(), "{changed}");
            }
        }
    }
    let Ok(changed) = rewrite(text, &[message_id(envelope, to)]) else {
        panic!("every message has an id that can be changed");
    };
    if valid {
        let again = Envelope::parse(&changed).expect("only the id changed");
        let id = Identifier::read(&changed[again.id_at.clone()]);
        assert!(id.text() == to || again.id == to, "{changed}");
        assert_eq!(again.payload, envelope.payload);
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
