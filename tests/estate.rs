//! The estate: groups and waves from the recording alone, and which chargers are in them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::expect_used, reason = "the same")]

#[path = "judging/story.rs"]
mod story;

#[path = "findings/recorded.rs"]
mod recorded;
#[path = "common/schema.rs"]
mod schema;

use std::path::Path;
use std::process::Command;

use evenkeel::facts::{Fact, Kind};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::monitors;
use evenkeel::ledger::query::{Reader, Station};
use evenkeel::ledger::{Ledger, Pending};
use recorded::Recorded;
use serde_json::{Value, json};
use story::{Shadow, Story};
use tempfile::TempDir;

const BOOT: &str = r#"{"chargePointVendor":"v","chargePointModel":"M1","firmwareVersion":"1.0"}"#;
const BOOTED: &str = r#"{"status":"Accepted","interval":60,"currentTime":"2026-11-18T00:00:00Z"}"#;

fn judged(facts: &[Fact], size: usize) -> (TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules::built_in().unwrap();
    let mut ledger = Ledger::open(dir.path(), rules.fingerprint()).unwrap();
    let mut judge = Judge::new(rules);
    for piece in facts.chunks(size) {
        let mut rows = Vec::new();
        for fact in piece {
            judge.feed(fact, &mut |row| rows.push(row));
        }
        let last = piece.last().unwrap().seq;
        ledger.apply(&rows, last, Pending::default()).unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    (dir, reader)
}

/// Two groups; `CP-2` is listed, `CP-1*` are taken by a pattern.
fn estate() -> Value {
    json!({
        "groups": [
            {"name": "depot", "wave": "pilot", "patterns": ["CP-1*"], "rollback": "tap", "rollback_s": 240},
            {"name": "street", "patterns": ["CP-*"]},
        ],
        "waves": [{"name": "pilot", "date": "2027-02-01", "sign_off": "Billing owner", "decision": "Ops lead"}],
        "chargers": [
            {"charger": "CP-2", "group": "depot", "site": "Noord", "criticality": "critical", "depends": ["roaming"]},
            {"charger": "CP-19", "site": "Zuid"},
        ],
    })
}

fn boots(charger: &str, said: &[Value]) -> Story {
    let mut story = Story::open(charger);
    for said in said {
        story.loaded(said);
    }
    story.exchange("BootNotification", BOOT, BOOTED, Shadow::Answers(BOOTED));
    story.stopped();
    story
}

fn station(reader: &Reader, charger: &str) -> Station {
    let stations = reader.stations(None).unwrap();
    let found = stations.into_iter().find(|it| it.charger == charger);
    found.expect("a station of this name")
}

#[test]
fn a_charger_is_in_the_group_that_names_it_or_whose_pattern_fits_first() {
    for (charger, group) in [
        ("CP-2", "depot"),
        ("CP-12", "depot"),
        ("CP-3", "street"),
        ("BUS-1", "(ungrouped)"),
    ] {
        let (_dir, reader) = judged(&boots(charger, &[estate()]).facts, 3);
        let found = station(&reader, charger);
        assert_eq!((found.group.as_str(), found.is_seen), (group, true));
        assert_eq!(
            (found.model.as_str(), found.version.as_str()),
            ("M1", "1.6")
        );
        assert_eq!(
            (found.messages, found.listed.is_some()),
            (1, charger == "CP-2")
        );
        let view = monitors::monitors(&reader, None).unwrap();
        let groups: Vec<&str> = (view.shares.iter())
            .filter(|share| share.series.monitor == "shadow-health")
            .map(|share| share.series.group.as_str())
            .collect();
        assert_eq!(groups, [group]);
    }
}

/// Two groups of different models; the legacy alone resets one charger.
fn fleet() -> Vec<Fact> {
    let mut pilot = boots("CP-2", &[estate()]);
    pilot.facts.pop();
    let mut street = Story::open("CP-3");
    street.exchange(
        "BootNotification",
        &BOOT.replace("M1", "M2"),
        BOOTED,
        Shadow::Answers(BOOTED),
    );
    street.exchange(
        "DataTransfer",
        r#"{"vendorId":"acme","messageId":"load"}"#,
        r#"{"status":"Accepted"}"#,
        Shadow::Answers(r#"{"status":"UnknownVendorId"}"#),
    );
    street.pass(700);
    street.command("Reset", r#"{"type":"Soft"}"#);
    street.pass(600);
    street.stopped();
    let mut facts = pilot.facts;
    // Another charger's connection in the same run.
    let from = street.facts.iter().skip(1).cloned();
    facts.extend(from.map(|mut fact| {
        fact.conn = if fact.conn == 0 { 0 } else { 2 };
        fact
    }));
    let shift = facts.len() - (street.facts.len() - 1);
    for (place, fact) in facts.iter_mut().enumerate() {
        if place >= shift && fact.cause != 0 {
            fact.cause = fact.cause + shift as u64 - 1;
        }
        fact.seq = place as u64 + 1;
    }
    facts
}

#[test]
fn the_map_tells_segments_hidden_work_and_what_the_pilot_lacks() {
    let recorded = Recorded::of(&fleet());
    let (exit, text) = recorded.run(&["estate"], &[]);
    assert_eq!(exit, 0, "{text}");
    let (head, _digest) = text.split_once("digest").unwrap();
    insta::assert_snapshot!("map", head);
    let (_, text) = recorded.run(&["estate", "--json"], &["--by", "site,version"]);
    let map: Value = serde_json::from_str(&text).expect(&text);
    schema::assert_fits("estate", &map);
    assert_eq!(map["pilot"]["models"], json!({"M2": 1}));
    assert_eq!(map["pilot"]["actions"], json!({"DataTransfer": 1}));
    assert_eq!(map["vendor"][0]["vendor"], "acme");
    assert_eq!(map["legacy_only"][0]["action"], "Reset");
    assert_eq!(map["legacy_only"][0]["unprompted"], 1);
    let (exit, text) = recorded.run(&["estate", "--decommission"], &[]);
    assert_eq!(exit, 0, "{text}");
    assert!(
        text.contains(
            "refuted   no command comes from the legacy alone: only the legacy sends Reset"
        ),
        "{text}"
    );
    let (exit, text) = recorded.run(&["estate"], &["--pilot", "nowhere"]);
    assert_eq!(exit, 2, "{text}");
}

#[test]
fn the_example_is_a_configuration_that_a_tap_takes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pilot");
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["check", "--show"])
        .arg(folder.join("evenkeel.toml"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("group.lab") && text.contains("wave.pilot"),
        "{text}"
    );
}

#[test]
fn a_bad_list_of_chargers_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("evenkeel.toml");
    let text = "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"rec\"\n[legacy]\nurl = \"ws://a\"\n[candidate]\nurl = \"ws://b\"\n\
                [estate]\nchargers = \"fleet.csv\"\n";
    std::fs::write(&config, text).unwrap();
    let list = "charger,criticality\nA,high\nB,vital\n";
    std::fs::write(dir.path().join("fleet.csv"), list).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .arg("check")
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("CFG-061") && said.contains("fleet.csv line 3: "),
        "{said}"
    );
    assert!(said.contains("help: "), "{said}");
}

#[test]
fn what_is_listed_and_never_seen_is_told_apart() {
    let (_dir, reader) = judged(&boots("CP-2", &[estate()]).facts, 3);
    let quiet = station(&reader, "CP-19");
    assert_eq!((quiet.group.as_str(), quiet.is_seen), ("depot", false));
    assert_eq!(quiet.listed.unwrap().site, "Zuid");
    assert_eq!(reader.stations(Some("depot")).unwrap().len(), 2);
    let groups: Vec<_> = reader
        .groups()
        .unwrap()
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert_eq!(groups, ["depot", "street"]);
    assert_eq!(reader.waves().unwrap()[0].decision, "Ops lead");
}

#[test]
fn without_groups_all_chargers_are_one() {
    let (_dir, reader) = judged(&boots("CP-2", &[]).facts, 3);
    assert_eq!(station(&reader, "CP-2").group, "all");
    assert!(reader.groups().unwrap().is_empty());
}

#[test]
fn what_is_said_later_replaces_what_was_said_before() {
    let moved = json!({"groups": [{"name": "street", "patterns": ["CP-2"]}]});
    let mut story = boots("CP-2", &[estate()]);
    story.loaded(&moved);
    let (_dir, reader) = judged(&story.facts, 2);
    let found = station(&reader, "CP-2");
    assert_eq!((found.group.as_str(), found.listed), ("street", None));
    assert_eq!(reader.stations(None).unwrap().len(), 1);
    assert!(reader.waves().unwrap().is_empty());
    story.loaded(&json!({}));
    let (_dir, reader) = judged(&story.facts, 2);
    assert_eq!(station(&reader, "CP-2").group, "all");
}

#[test]
fn law_5_the_estate_stands_the_same_in_whatever_pieces_it_is_judged() {
    let mut story = boots("CP-2", &[estate(), estate()]);
    story.loaded(&json!({"groups": [{"name": "street", "patterns": ["*"]}]}));
    let digest = |size| judged(&story.facts, size).1.cursor().unwrap().digest;
    assert_eq!(digest(1), digest(1_000));
    assert_eq!(
        story
            .facts
            .iter()
            .filter(|it| it.kind == Kind::EstateLoaded)
            .count(),
        3
    );
}
