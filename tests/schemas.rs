//! The published JSON Schemas against what the program really writes.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::ffi::OsStr;
use std::sync::Arc;

use evenkeel::facts::{Dir, Fact, Kind, Leg, export};
use jsonschema::Validator;
use rusqlite::Connection;
use serde_json::{Value, json};

#[path = "common/night.rs"]
mod night;
#[path = "common/schema.rs"]
mod schema;
#[path = "common/tap.rs"]
mod tap;

use night::{OLD, Shift, candidate, legacy, runtime};
use schema::{assert_valid, closed, published};
use tap::{Recording, Setup, Tap, evenkeel, eventually};

/// A schema as the program prints it, which here also refuses keys that it does not name.
fn schema(name: &str) -> Validator {
    closed(published(name))
}

fn lines(recording: &Recording) -> Vec<Value> {
    let export = ["export", "facts"].map(OsStr::new);
    let output = evenkeel(export.into_iter().chain([recording.0.as_os_str()]));
    (output.stdout.split(|byte| *byte == b'\n'))
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn what_a_night_leaves_behind_fits_its_schemas() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (legacy(), candidate());
    let setup = Setup {
        sections: "[shadow]\nhold = \"0s\"\n".to_owned(),
        ..Setup::new(dir.path(), &legacy.url(), &candidate.url())
    };
    let tap = Tap::start(&setup);
    let health = schema("health");
    assert_valid(&health, &tap.health().1);
    let runtime = runtime();
    let mut shift = runtime.block_on(Shift::begin(&tap.url));
    runtime.block_on(shift.charge(10));
    tap.records();
    assert_valid(&health, &tap.health().1);
    eventually("the candidate faces both chargers", || {
        tap.metric("evenkeel_shadow_legs") == 2
    });
    for (key, value) in [("HeartbeatInterval", "7"), ("SecurityProfile", "3")] {
        let change = json!({ "key": key, "value": value });
        candidate.order(OLD, "ChangeConfiguration", change);
    }
    runtime.block_on(shift.end(&legacy));
    let (recording, _) = tap.stop();

    let diffs = recording.diffs();
    assert!(diffs["outcomes"]["equal"].as_u64() > Some(0), "{diffs}");
    assert_valid(&schema("diffs"), &diffs);
    assert_eq!(diffs["stand_in"][0]["action"], "ChangeConfiguration");
    assert_eq!(
        diffs["would_have_changed"][0]["fields"],
        "SecurityProfile=3"
    );
    assert_valid(&schema("verify"), &recording.verify());
    let fact = schema("fact");
    let lines = lines(&recording);
    assert!(lines.len() > 50);
    for line in &lines {
        assert_valid(&fact, line);
    }

    let pack = ["pack", "--json"].map(OsStr::new);
    let output = evenkeel(pack.into_iter().chain([recording.0.as_os_str()]));
    let packed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_valid(&schema("pack"), &packed);
    assert_valid(&schema("verify"), &recording.verify());

    let database = Connection::open(recording.0.join("facts.db")).unwrap();
    let middle = lines.len() as i64 / 2;
    // The first fact from there on that is still a row.
    let altered = database.execute(
        "DELETE FROM facts WHERE seq = (SELECT min(seq) FROM facts WHERE seq >= ?1)",
        [middle],
    );
    assert_eq!(altered.unwrap(), 1);
    drop(database);
    let output = evenkeel(
        ["verify", "--json"]
            .map(OsStr::new)
            .into_iter()
            .chain([recording.0.as_os_str()]),
    );
    let broken: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(broken["broken"], json!([]));
    assert_valid(&schema("verify"), &broken);
}

#[test]
fn a_night_with_findings_fits_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("demo");
    let args = ["demo", "--headless", "--json", "--for", "3s", "--recording"].map(OsStr::new);
    let output = evenkeel(args.into_iter().chain([recording.as_os_str()]));
    let diffs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(diffs["findings"], json!([]));
    assert_valid(&schema("diffs"), &diffs);
    let explain = schema("explain");
    for finding in diffs["findings"].as_array().unwrap() {
        let id = finding["id"].as_str().unwrap();
        let args = ["diffs", "--json", "--explain", id].map(OsStr::new);
        let output = evenkeel(args.into_iter().chain([recording.as_os_str()]));
        assert_valid(&explain, &serde_json::from_slice(&output.stdout).unwrap());
    }
    let rules = dir.path().join("rules.toml");
    std::fs::write(&rules, "").unwrap();
    let args = [
        OsStr::new("diffs"),
        OsStr::new("--json"),
        OsStr::new("--rules"),
    ];
    let output = evenkeel(
        args.into_iter()
            .chain([rules.as_os_str(), recording.as_os_str()]),
    );
    let rejudged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rejudged["digest"], rejudged["rejudged"]["recording_digest"]);
    assert_valid(&schema("diffs"), &rejudged);
}

#[test]
fn every_kind_of_fact_fits_the_schema() {
    let schema = schema("fact");
    let charger = Arc::from("CP 1");
    for kind in Kind::ALL {
        let bare = Fact::new(kind, -1);
        let full = Fact::new(kind, 1)
            .on(&charger, 7)
            .via(Leg::Candidate, Dir::ToCharger)
            .covering(3, 2)
            .because(9)
            .note(&json!({"n": 1.5}));
        for fact in [bare, full.clone().body("[2]"), full.body(b"\xff\x00")] {
            let line = serde_json::from_str(&export::to_line(&fact).unwrap()).unwrap();
            assert_valid(&schema, &line);
        }
    }
    for broken in [
        json!({"v": "evenkeel.fact/2", "seq": 1, "at": 1, "kind": "tick"}),
        json!({"v": "evenkeel.fact/1", "seq": 1, "at": 1, "kind": "dream"}),
        json!({"v": "evenkeel.fact/1", "seq": -1, "at": 1, "kind": "tick"}),
        json!({"v": "evenkeel.fact/1", "seq": 1, "at": 1, "kind": "tick", "body": "a", "body_base64": "YQ=="}),
    ] {
        assert!(!schema.is_valid(&broken), "{broken}");
    }
}
