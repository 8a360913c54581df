//! `diffs --explain`, `diffs --rules` and what `check` says of rule files, on recordings on disk.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/story.rs"]
mod story;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use evenkeel::facts::{Fact, Kind, Limits, Recorder};
use serde_json::{Value, json};
use story::{Shadow, Story};

fn evenkeel<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A recording in which the interval, a status and a command differ, made under the rules of `files`.
fn record(dir: &Path, files: &[(&str, &str)]) {
    let mut story = Story::open("CP1");
    let boot = r#"{"chargePointVendor":"ACME","chargePointModel":"M1"}"#;
    let (ours, theirs) = (
        r#"{"status":"Accepted","interval":300}"#,
        r#"{"status":"Accepted","interval":900}"#,
    );
    story.exchange("BootNotification", boot, ours, Shadow::Answers(theirs));
    let tag = |status: &str| format!(r#"{{"idTagInfo":{{"status":"{status}"}}}}"#);
    let refused = tag("Expired");
    story.exchange(
        "Authorize",
        r#"{"idTag":"T"}"#,
        &tag("Blocked"),
        Shadow::Answers(&refused),
    );
    story.command(
        "ChangeConfiguration",
        r#"{"key":"SecurityProfile","value":"2"}"#,
    );
    story.stopped();
    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    let joined = files.iter().fold(String::new(), |all, (name, text)| {
        all + "# " + name + "\n" + text + "\n"
    });
    let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
    for fact in story.facts {
        recorder.record(fact).unwrap();
    }
    // Facts refer to each other by number: this one comes behind them.
    let loaded = Fact::new(Kind::RulesLoaded, 1).body(joined);
    recorder
        .record(loaded.note(&json!({ "files": names })))
        .unwrap();
    recorder.close(Duration::from_secs(20)).unwrap();
}

fn rule(id: &str, compare: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\naction = \"BootNotification\"\npart = \"answer\"\npath = \"/interval\"\n{compare}\n\
         severity = \"S2\"\nreason = \"Ours.\"\n"
    )
}

fn finding(dir: &Path, action: &str) -> String {
    let output = evenkeel([OsStr::new("diffs"), OsStr::new("--json"), dir.as_os_str()]);
    let diffs = json_of(&output);
    let findings = diffs["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["action"] == action);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

fn explain(dir: &Path, id: &str, more: &[&str]) -> Output {
    let args = ["diffs", "--explain", id]
        .into_iter()
        .chain(more.iter().copied());
    evenkeel(args.map(OsStr::new).chain([dir.as_os_str()]))
}

#[test]
fn an_explanation_names_file_line_and_what_did_not_match() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("night");
    fs::create_dir(&dir).unwrap();
    record(&dir, &[]);
    let id = finding(&dir, "Authorize");
    let shown = explain(&dir, &id, &[]);
    assert_eq!(shown.status.code(), Some(0));
    let shown = text(&shown);
    for said in [
        "authority Blocked\n",
        "shadow    Expired\n",
        "decided   authorize-refusal (builtin-1.6.toml line ",
        "not       authorize-accepted (builtin-1.6.toml line ",
        ": needs one of Accepted\n",
    ] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    let explained = json_of(&explain(&dir, &id, &["--json"]));
    assert_eq!(explained["schema"], "evenkeel.explain/1");
    let exchange = explained["judged"]["id"].to_string();
    let same = json_of(&explain(&dir, &exchange, &["--json"]));
    assert_eq!(same["finding"], Value::Null);
    assert_eq!(same["differences"], explained["differences"]);

    let command = json_of(&explain(
        &dir,
        &finding(&dir, "ChangeConfiguration"),
        &["--json"],
    ));
    let whole = &command["differences"][0];
    assert_eq!(whole["kind"], "missing command");
    assert_eq!(whole["decided"]["id"], "change-configuration-charging");
    assert_eq!(whole["severity"], "S1");
    let why = whole["tried"].as_array().unwrap();
    assert!(
        (why.iter()).any(|tried| tried["id"] == "change-configuration"
            && tried["why"] == "matches too, but change-configuration-charging comes first"),
        "{why:?}"
    );

    let nothing = explain(&dir, "F-00000000", &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("DIFF-001"));
}

#[test]
fn the_first_of_the_operators_files_comes_first_and_keeps_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (strict, lax) = (
        rule("mine", "compare = \"exact\""),
        rule("mine", "compare = \"ignore\""),
    );
    record(dir.path(), &[("strict.toml", &strict), ("lax.toml", &lax)]);
    let explained = json_of(&explain(
        dir.path(),
        &finding(dir.path(), "BootNotification"),
        &["--json"],
    ));
    let place = &explained["differences"][0];
    assert_eq!(place["severity"], "S2");
    assert_eq!(place["decided"]["file"], "strict.toml");
    assert_eq!(place["tried"][0]["file"], "lax.toml");
}

#[test]
fn other_rules_judge_aside_and_say_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    fs::create_dir(&night).unwrap();
    record(&night, &[]);
    let id = finding(&night, "BootNotification");
    let file = dir.path().join("lax.toml");
    fs::write(
        &file,
        rule("longer-interval", "compare = \"number\"\ntolerance = 600"),
    )
    .unwrap();
    let own = || {
        let output = evenkeel([OsStr::new("diffs"), OsStr::new("--json"), night.as_os_str()]);
        json_of(&output)
    };
    let before = own();
    let args = [
        OsStr::new("diffs"),
        OsStr::new("--rules"),
        file.as_os_str(),
        OsStr::new("--json"),
    ];
    let after = json_of(&evenkeel(args.into_iter().chain([night.as_os_str()])));
    assert_eq!(after["rejudged"]["gone"], json!([id]));
    assert_eq!(after["rejudged"]["new"], json!([]));
    assert_eq!(after["rejudged"]["recording_digest"], before["digest"]);
    assert_ne!(after["digest"], before["digest"]);
    assert_eq!(before["outcomes"]["divergent"], 2);
    assert_eq!(after["outcomes"]["divergent"], 1);
    assert_eq!(after["rejudged"]["recording_outcomes"], before["outcomes"]);
    let shown = text(&evenkeel([
        OsStr::new("diffs"),
        OsStr::new("--rules"),
        file.as_os_str(),
        night.as_os_str(),
    ]));
    for digest in [&before["digest"], &after["digest"]] {
        assert!(shown.contains(digest.as_str().unwrap()), "{shown}");
    }
    assert!(shown.contains("divergent 2 -> 1"), "{shown}");
    assert_eq!(own(), before);
    let verified = evenkeel([OsStr::new("verify"), night.as_os_str()]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
}

#[test]
fn check_points_at_rules_that_are_wrong_or_never_used() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"r\"\n[legacy]\nurl = \"ws://a:1\"\n[candidate]\n\
                  url = \"ws://b:1\"\n[rules]\nfiles = [\"mine.toml\"]\n";
    let (file, rules) = (
        dir.path().join("evenkeel.toml"),
        dir.path().join("mine.toml"),
    );
    fs::write(&file, config).unwrap();
    let check = |text: &str| {
        fs::write(&rules, text).unwrap();
        let output = evenkeel([OsStr::new("check"), file.as_os_str()]);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let twice = rule("a", "compare = \"exact\"") + &rule("b", "compare = \"ignore\"");
    let (code, said) = check(&twice);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("mine.toml:9: rule b is never used: a ("),
        "{said}"
    );
    let (code, said) =
        check(&rule("a", "compare = \"exact\"").replace("BootNotification", "BootNotificaton"));
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "RULE-002",
        "mine.toml line 3 column 10",
        "BootNotificaton",
        "did you mean \"BootNotification\"",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
