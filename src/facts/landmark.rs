//! Facts that a starting shadow plane must find again: a charger's last boot, the last status of each connector, and what
//! teaches the parts of its model.
//!
//! They may be weeks old, so the writer notes where they are as they pass instead of searching later.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Dir, Fact, Kind};
use crate::ocpp::{Envelope, MessageType, json};

/// The key under which the last boot is remembered.
pub(super) const BOOT: &str = "boot";

/// The prefix of the keys under which the last status of each connector is remembered.
pub(super) const STATUS: &str = "status/";

/// The prefix of the keys under which the last `ModelLearned` about each part is remembered.
pub(super) const MODEL: &str = "model/";

/// How far into a message its action may begin: behind the type and an id of at most 36 characters, with room to spare.
const HEAD: usize = 128;

/// What the names of both end with, made ready once: every message of a charger is searched.
static NAMES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Notification\""));

/// Under which key this fact is to be remembered for its charger, if at all.
pub(super) fn key(fact: &Fact) -> Option<String> {
    if fact.kind == Kind::ModelLearned {
        let note = fact.note_json();
        return note["part"].as_str().map(|part| format!("{MODEL}{part}"));
    }
    if fact.kind != Kind::Message || fact.dir != Some(Dir::FromCharger) {
        return None;
    }
    let head = &fact.body[..fact.body.len().min(HEAD)];
    NAMES.find(head)?;
    let call = Envelope::parse(fact.text()?).ok()?;
    match (call.kind, call.action.as_ref()) {
        (MessageType::Call, "BootNotification") => Some(BOOT.to_owned()),
        (MessageType::Call, "StatusNotification") => Some(format!(
            "{STATUS}{}/{}",
            member(call.payload, "evseId"),
            member(call.payload, "connectorId")
        )),
        _ => None,
    }
}

fn member<'a>(payload: &'a str, name: &'static str) -> &'a str {
    json::first(payload, &[json::Step::Key(name)]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(dir: Dir, text: &str) -> Option<String> {
        let fact = Fact {
            dir: Some(dir),
            ..Fact::new(Kind::Message, 0)
        };
        key(&fact.body(text))
    }

    #[test]
    fn what_teaches_a_model_is_a_landmark_for_each_part() {
        let learned = Fact::new(Kind::ModelLearned, 0);
        let note = serde_json::json!({"part": "device", "from": [1, 2]});
        assert_eq!(
            key(&learned.clone().note(&note)).as_deref(),
            Some("model/device")
        );
        assert_eq!(key(&learned), None);
    }

    #[test]
    fn boots_and_statuses_of_either_version_are_landmarks() {
        let up = |text| key_of(Dir::FromCharger, text);
        assert_eq!(
            up(r#"[2,"1","BootNotification",{}]"#).as_deref(),
            Some("boot")
        );
        assert_eq!(
            up(r#"[2,"1","StatusNotification",{"connectorId":2,"status":"Available"}]"#).as_deref(),
            Some("status//2")
        );
        assert_eq!(
            up(r#"[2,"1","StatusNotification",{"evseId":1,"connectorId":2}]"#).as_deref(),
            Some("status/1/2")
        );
        assert_eq!(up(r#"[2,"1","Heartbeat",{}]"#), None);
        assert_eq!(up(r#"[3,"BootNotification",{}]"#), None);
        assert_eq!(
            key_of(Dir::ToCharger, r#"[2,"1","BootNotification",{}]"#),
            None
        );
    }
}
