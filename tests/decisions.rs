//! Decisions about groups: who may decide what and when, and that nobody can alter it afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::expect_used, reason = "the same")]

#[path = "judging/story.rs"]
mod story;

#[path = "findings/recorded.rs"]
mod recorded;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use recorded::Recorded;
use serde_json::{Value, json};
use story::{Shadow, Story};
use tempfile::TempDir;

const SMALL: &str = include_str!("gate/small.toml");
const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;

/// A recording with a group and its gate, and a folder for programs.
struct Night {
    recorded: Recorded,
    folder: TempDir,
}

impl Night {
    fn with(candidate: &str) -> Self {
        let mut story = Story::open("CP1");
        story.loaded(&json!({
            "groups": [{"name": "depot", "patterns": ["CP*"], "rollback": "tap", "rollback_s": 240, "wave": "pilot"}],
            "waves": [{"name": "pilot", "date": "2026-12-01", "sign_off": "Billing", "decision": "Ops", "deputy": "Net"}],
        }));
        story.gate(SMALL);
        for _ in 0..4 {
            story.exchange(
                "Authorize",
                r#"{"idTag":"T1"}"#,
                ACCEPTED,
                Shadow::Answers(candidate),
            );
        }
        Self {
            recorded: Recorded::of(&story.facts),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn decide(&self, word: &str, by: &str, role: &str, more: &[&str]) -> (i32, String) {
        let args = [
            &[
                "--group",
                "depot",
                "--by",
                by,
                "--role",
                role,
                "--reason",
                "because",
                "--confirm",
                "depot",
            ],
            more,
        ];
        self.recorded.run(&["decide", word], &args.concat())
    }

    fn gate(&self) -> Value {
        let (_, text) = self
            .recorded
            .run(&["gate", "--json"], &["--group", "depot"]);
        serde_json::from_str(&text).expect(&text)
    }

    fn program(&self, script: &str) -> PathBuf {
        let file = self.folder.path().join("hook");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }
}

#[track_caller]
fn refused((exit, text): (i32, String), code: &str, says: &str) -> i32 {
    assert!(text.contains(code) && text.contains(says), "{text}");
    exit
}

#[track_caller]
fn done((exit, text): (i32, String)) -> String {
    assert_eq!(exit, 0, "{text}");
    text
}

#[test]
fn a_group_goes_with_a_good_gate_a_signature_and_another_person() {
    let night = Night::with(ACCEPTED);
    assert_eq!(
        refused(
            night.decide("go", "bob", "Ops", &[]),
            "DEC-002",
            "nobody has signed off"
        ),
        2
    );
    refused(
        night.decide("sign-off", "ann", "Ops", &[]),
        "DEC-002",
        "that is for Billing",
    );
    done(night.decide("sign-off", "ann", "billing", &[]));
    assert_eq!(night.gate()["people"]["signed_by"], "ann");
    refused(
        night.decide("go", "Ann", "Ops", &[]),
        "DEC-002",
        "must not decide too",
    );
    refused(
        night.decide("go", "bob", "Billing", &[]),
        "DEC-002",
        "that is for Ops or Net",
    );
    refused(
        night.decide("go", "bob", "Ops", &["--confirm", "depto"]),
        "cannot be used multiple",
        "confirm",
    );
    let text = done(night.decide("go", "bob", "Net", &[]));
    assert!(
        text.contains("verdict GO") && text.contains("roll-back") && text.contains("no tap runs"),
        "{text}"
    );
    let gate = night.gate();
    assert_eq!(
        (
            gate["stage"].as_str(),
            gate["decisions"].as_array().unwrap().len()
        ),
        (Some("going"), 2)
    );
    let (exit, verified) = night.recorded.verify();
    assert_eq!((exit, &verified["notes"]["notes"]), (0, &json!(2)));
}

#[test]
fn a_decision_keeps_what_it_rests_on() {
    let night = Night::with(ACCEPTED);
    let before = night.gate();
    done(night.decide("hold", "bob", "", &[]));
    let (_, text) = night.recorded.run(&["export", "facts"], &[]);
    let decision = text
        .lines()
        .find(|line| line.contains("\"kind\":\"decision\""))
        .unwrap();
    let fact: Value = serde_json::from_str(decision).unwrap();
    let said: Value = serde_json::from_str(fact["body"].as_str().unwrap()).unwrap();
    let evidence = &said["evidence"];
    assert_eq!(evidence["ledger"], before["evidence"]["ledger"]);
    assert_eq!(evidence["gate"], before["evidence"]["gate_hash"]);
    assert_eq!(evidence["rules"], before["evidence"]["rules"]);
    assert_eq!(
        (&evidence["verdict"], &said["word"]),
        (&json!("GO"), &json!("hold"))
    );
    assert_eq!(evidence["result"].as_str().unwrap().len(), 71);
}

#[test]
fn nothing_goes_or_is_signed_while_a_criterion_fails() {
    let night = Night::with(BLOCKED);
    assert_eq!(
        refused(
            night.decide("sign-off", "ann", "Billing", &[]),
            "DEC-002",
            "NO-GO"
        ),
        1
    );
    assert_eq!(
        refused(night.decide("go", "bob", "Ops", &[]), "DEC-002", "NO-GO"),
        1
    );
    let exception = [
        "--criterion",
        "A1",
        "--until",
        "2999-01-01",
        "--at-most",
        "4",
    ];
    refused(
        night.decide("exception", "ann", "Billing", &exception[..2]),
        "DEC-003",
        "an end and a cap",
    );
    refused(
        night.decide(
            "exception",
            "ann",
            "Billing",
            &[
                "--criterion",
                "Z9",
                "--until",
                "2999-01-01",
                "--at-most",
                "4",
            ],
        ),
        "DEC-003",
        "no criterion",
    );
    refused(
        night.decide(
            "exception",
            "ann",
            "Billing",
            &[
                "--criterion",
                "A1",
                "--until",
                "2001-01-01",
                "--at-most",
                "4",
            ],
        ),
        "DEC-003",
        "is over",
    );
    done(night.decide("exception", "ann", "Billing", &exception));
    assert_eq!(night.gate()["says"], "GO+1");
    done(night.decide("sign-off", "ann", "Billing", &[]));
    done(night.decide("go", "bob", "Ops", &[]));
}

#[test]
fn a_roll_back_is_always_possible_and_latches() {
    let night = Night::with(ACCEPTED);
    done(night.decide("sign-off", "ann", "Billing", &[]));
    done(night.decide("go", "bob", "Ops", &[]));
    let (exit, text) = night.recorded.run(
        &["decide", "roll-back"],
        &["--group", "depot", "--by", "carl", "--confirm", "depot"],
    );
    assert_eq!(exit, 0, "{text}");
    let gate = night.gate();
    assert_eq!(
        (&gate["verdict"], &gate["stage"]),
        (&json!("HOLD"), &json!("rolled-back"))
    );
    assert_eq!(
        refused(night.decide("go", "bob", "Ops", &[]), "DEC-002", "HOLD"),
        3
    );
    done(night.decide("sign-off", "ann", "Billing", &[]));
    done(night.decide("go", "bob", "Ops", &[]));
}

#[test]
fn the_name_must_be_typed() {
    let night = Night::with(ACCEPTED);
    for confirm in [&["--confirm", "Depot"][..], &[]] {
        let args = [&["--group", "depot", "--by", "bob"], confirm].concat();
        refused(
            night.recorded.run(&["decide", "hold"], &args),
            "DEC-004",
            "nothing is decided",
        );
    }
    refused(
        night.recorded.run(
            &["decide", "sign-off"],
            &["--group", "depot", "--by", "ann", "--confirm", "depot"],
        ),
        "DEC-001",
        "reason",
    );
    assert_eq!(night.gate()["decisions"], json!([]));
}

#[test]
fn a_decision_that_is_altered_breaks_the_chain() {
    let night = Night::with(ACCEPTED);
    done(night.decide("hold", "bob", "", &[]));
    done(night.decide("sign-off", "ann", "Billing", &[]));
    night.recorded.alter(
        "UPDATE facts SET body = CAST(replace(CAST(body AS TEXT), 'bob', 'eve') AS BLOB) WHERE kind = 61 AND body LIKE '%bob%'",
    );
    let (exit, verified) = night.recorded.verify();
    assert_eq!(exit, 5, "{verified}");
    assert!(verified["notes"]["broken"].is_u64());
    refused(night.decide("hold", "bob", "", &[]), "TRI-005", "chain");
}

fn hook(program: &Path) -> Vec<&str> {
    vec!["--hook", program.to_str().unwrap()]
}

#[test]
fn a_program_that_a_decision_runs_is_kept_with_what_it_said() {
    let night = Night::with(ACCEPTED);
    let program = night.program("echo moving $2 by $1; echo careful >&2");
    let text = done(night.decide("hold", "bob", "", &hook(&program)));
    assert!(text.contains("has ended well"), "{text}");
    let program = night.program("echo no; exit 7");
    let (exit, text) = night.decide("hold", "bob", "", &hook(&program));
    assert_eq!(refused((exit, text), "DEC-005", "ended with 7"), 4);
    let program = night.program("echo begun; exec sleep 600");
    let slow = [&hook(&program)[..], &["--hook-timeout", "1s"]].concat();
    assert_eq!(
        refused(
            night.decide("hold", "bob", "", &slow),
            "DEC-005",
            "longer than 1 s"
        ),
        4
    );
    let (_, facts) = night.recorded.run(&["export", "facts"], &[]);
    let bodies: Vec<Value> = (facts.lines())
        .filter(|line| line.contains("\"kind\":\"hook-ran\""))
        .map(|line| {
            let fact: Value = serde_json::from_str(line).unwrap();
            serde_json::from_str(fact["body"].as_str().unwrap()).unwrap()
        })
        .collect();
    let said: Vec<_> = bodies
        .iter()
        .map(|body| (&body["exit"], body["stdout"].as_str().unwrap()))
        .collect();
    assert_eq!(said[0], (&json!(0), "moving depot by hold\n"));
    assert_eq!(bodies[0]["stderr"], "careful\n");
    assert_eq!((said[1].0, said[2].0), (&json!(7), &Value::Null));
    let (exit, verified) = night.recorded.verify();
    assert_eq!((exit, &verified["notes"]["notes"]), (0, &json!(6)));
}
