//! Scenarios: the library against the built-in backends, what is said of mistakes in files, and of backends that differ.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use evenkeel::ocpp::Version;
use evenkeel::replay::scenario::Scenario;
use evenkeel::replay::sim::Dialect;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[path = "common/night.rs"]
mod night;
#[path = "common/schema.rs"]
mod schema;
#[path = "common/tap.rs"]
mod tap;

use night::Backend;
use schema::{assert_valid, closed, published};
use tap::{Recording, evenkeel, eventually};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Runs `evenkeel scenario` in the repository, so that paths are said as people write them.
fn scenario<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .current_dir(ROOT)
        .env("NO_COLOR", "1")
        .arg("scenario")
        .args(args)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is said, without what is another time each time.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.rfind("; ").filter(|_| line.ends_with(" s)")) {
            Some(at) => format!("{}; TIME)", &line[..at]),
            None => line.to_owned(),
        };
        let _ = writeln!(out, "{line}");
    }
    out
}

#[test]
fn law_6_the_library_passes_and_leaves_a_recording_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let (recording, junit) = (dir.path().join("recording"), dir.path().join("junit.xml"));
    let output = scenario([
        OsStr::new("scenarios"),
        OsStr::new("--json"),
        OsStr::new("--recording"),
        recording.as_os_str(),
        OsStr::new("--junit"),
        junit.as_os_str(),
    ]);
    let results = json(&output);
    assert_valid(&closed(published("scenarios")), &results);
    let all = results["scenarios"].as_array().unwrap();
    let failed: Vec<&Value> = all.iter().filter(|it| it["verdict"] != "passed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(all.len(), files("scenarios").len());
    assert_eq!(output.status.code(), Some(0));
    // Nothing is taken for granted: each scenario has something that was compared.
    let compares = |it: &Value| {
        let steps = it["steps"].as_array().unwrap();
        steps
            .iter()
            .any(|step| step["parity"] == "equal" || step["parity"] == "explained")
    };
    assert!(all.iter().all(compares));
    assert!(
        all.iter()
            .all(|it| it["unchecked"] == serde_json::json!([]))
    );
    let junit = fs::read_to_string(junit).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), all.len());
    assert!(!junit.contains("<failure") && !junit.contains("<error"));
    // One path for live and for later: what a scenario leaves is a recording like any other.
    Recording(recording).verify();
}

#[test]
fn every_file_of_the_library_fits_the_schema_and_stands_in_the_table() {
    let schema = published("scenario");
    let schema = jsonschema::validator_for(&schema).unwrap();
    let table = fs::read_to_string(Path::new(ROOT).join("scenarios/README.md")).unwrap();
    for file in files("scenarios") {
        let text = fs::read_to_string(&file).unwrap();
        let value: toml::Value = toml::from_str(&text).unwrap();
        assert_valid(&schema, &serde_json::to_value(value).unwrap());
        let read = Scenario::read(&text).unwrap();
        let name = file
            .strip_prefix(Path::new(ROOT).join("scenarios"))
            .unwrap();
        let row = format!("[`{0}`]({0}) | {1} |", name.display(), read.name);
        assert!(table.contains(&row), "no row in scenarios/README.md: {row}");
        assert!(!read.tags.is_empty(), "{} has no tag", name.display());
    }
}

#[test]
fn mistakes_in_files_are_shown_where_they_are() {
    let mut said = String::new();
    for file in files("tests/scenarios/broken") {
        let name = file.strip_prefix(ROOT).unwrap();
        let output = scenario([name]);
        assert_eq!(output.status.code(), Some(2), "{}", name.display());
        let _ = writeln!(said, "{}", text(&output.stderr));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn what_was_not_as_expected_is_shown_where_it_was_asked_for() {
    let output = scenario(["tests/scenarios/differs"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(timeless(&text(&output.stdout)));
}

#[test]
fn scenarios_are_listed_by_their_tags() {
    let output = scenario(["scenarios", "--list", "--tag", "reservation"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(text(&output.stdout));
    let output = scenario(["scenarios", "--tag", "nobody-has-it"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("error[SCN-002]"));
    let output = scenario(["scenarios/core", "--set", "tga=TAG-2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("error[SCN-008]"));
}

/// A backend that knows one card, and lets in who gives the password.
fn backend(blocked: &str) -> Backend {
    Backend::start(Dialect {
        versions: vec![Version::V16],
        tags: vec![("TAG-BLOCKED".to_owned(), blocked.to_owned())],
        password: Some("correct horse".to_owned()),
        ..Dialect::default()
    })
}

fn secret(dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = dir.join("password");
    fs::write(&file, "correct horse\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

const BLOCKED: &str = r#"
name = "A blocked card"
proves = "It is refused."
version = "1.6"

[variables]
tag = "NOBODY"

[[step]]
call = "Authorize"
payload = { idTag = "${tag}" }
expect = { "idTagInfo.status" = "Blocked" }
"#;

#[test]
fn backends_of_ones_own_are_compared_and_a_known_divergence_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let password = secret(dir.path());
    let (legacy, candidate) = (backend("Blocked"), backend("Accepted"));
    let (legacy_url, candidate_url) = (legacy.url(), candidate.url());
    let file = dir.path().join("blocked.toml");
    let play = |text: &str| {
        fs::write(&file, text).unwrap();
        let args = [
            "--legacy",
            &legacy_url,
            "--candidate",
            &candidate_url,
            "--set",
            "tag=TAG-BLOCKED",
            "--json",
            "--identity",
            "CP-7",
            "--password-file",
        ];
        let args = args.map(OsStr::new).into_iter();
        scenario(args.chain([password.as_os_str(), file.as_os_str()]))
    };
    let output = play(BLOCKED);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let results = json(&output);
    assert_eq!(results["scenarios"][0]["charger"], "CP-7");
    let failures = results["scenarios"][0]["failures"].as_array().unwrap();
    let [expected, parity] = failures.as_slice() else {
        panic!("{failures:#?}");
    };
    assert_eq!(expected["side"], "candidate");
    assert_eq!(expected["line"], 12);
    assert_eq!(expected["got"], "\"Accepted\"");
    assert_eq!(parity["side"], "both");
    assert_eq!(parity["legacy"], r#"{"idTagInfo":{"status":"Blocked"}}"#);
    assert_eq!(
        parity["candidate"],
        r#"{"idTagInfo":{"status":"Accepted"}}"#
    );

    let known = BLOCKED.replace("expect =", "differs = [\"idTagInfo.status\"]\nlegacy =");
    let output = play(&known);
    assert_eq!(output.status.code(), Some(0), "{:#}", json(&output));
    assert_eq!(
        json(&output)["scenarios"][0]["steps"][0]["parity"],
        "divergent"
    );
}

#[test]
fn a_command_of_one_backend_that_no_step_awaits_fails_and_nothing_leaks() {
    use std::os::unix::fs::PermissionsExt as _;
    let plain = || Dialect {
        versions: vec![Version::V16],
        ..Dialect::default()
    };
    let reads = || plain().reads_configuration(std::time::Duration::ZERO);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("boot.toml");
    let step = "call = \"BootNotification\"\n";
    let head = "name = \"Boot\"\nproves = \"It boots.\"\nversion = \"1.6\"\n";
    fs::write(&file, format!("{head}\n[[step]]\n{step}")).unwrap();
    for (sender, legacy, candidate) in [
        ("legacy", reads(), plain()),
        ("candidate", plain(), reads()),
    ] {
        let recording = dir.path().join(sender);
        let (legacy, candidate) = (Backend::start(legacy), Backend::start(candidate));
        let secret = format!("{}/{{charger}}?key=hunter2", candidate.url());
        let output = scenario([
            OsStr::new("--legacy"),
            OsStr::new(&legacy.url()),
            OsStr::new("--candidate"),
            OsStr::new(&secret),
            OsStr::new("--json"),
            OsStr::new("--recording"),
            recording.as_os_str(),
            file.as_os_str(),
        ]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let failures = json(&output)["scenarios"][0]["failures"].to_string();
        assert!(
            failures.contains("GetConfiguration"),
            "{sender}: {failures}"
        );
        assert!(!text(&output.stdout).contains("hunter2"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&recording), 0o700);
        assert_eq!(mode(&recording.join("setup/evenkeel.toml")), 0o600);
    }
}

#[test]
fn one_backend_alone_is_held_against_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let password = secret(dir.path());
    let file = dir.path().join("blocked.toml");
    fs::write(&file, BLOCKED).unwrap();
    let junit = dir.path().join("junit.xml");
    let play = |url: &str, password: &Path| {
        let args = ["--candidate", url, "--set", "tag=TAG-BLOCKED", "--junit"].map(OsStr::new);
        let files = [
            junit.as_os_str(),
            OsStr::new("--password-file"),
            password.as_os_str(),
            file.as_os_str(),
        ];
        scenario(args.into_iter().chain(files))
    };
    let right = backend("Blocked");
    let output = play(&right.url(), &password);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let wrong = backend("Accepted");
    let output = play(&wrong.url(), &password);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout)
            .contains("candidate: expected idTagInfo.status \"Blocked\", got \"Accepted\"")
    );
    let report = fs::read_to_string(&junit).unwrap();
    assert_eq!(report.matches("<failure ").count(), 1, "{report}");
    assert!(
        report.contains("tests=\"1\" failures=\"1\" errors=\"0\""),
        "{report}"
    );

    // A command that nobody sends is missed.
    let awaits = BLOCKED.replace(
        "[[step]]",
        "[[step]]\nawait = \"ClearCache\"\nwithin = \"100ms\"\n\n[[step]]",
    );
    fs::write(&file, awaits).unwrap();
    let output = play(&right.url(), &password);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(
        said.contains("candidate: expected a command ClearCache, got no command in time"),
        "{said}"
    );

    // Who is not there cannot be asked.
    let output = play("ws://127.0.0.1:9", &password);
    assert_eq!(output.status.code(), Some(4));
    let report = fs::read_to_string(&junit).unwrap();
    assert_eq!(report.matches("<error ").count(), 1, "{report}");
}

#[test]
fn a_program_lets_a_backend_command() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (password, backend) = (secret(dir.path()), backend("Blocked"));
    let (file, asked) = (dir.path().join("command.toml"), dir.path().join("asked"));
    let program = dir.path().join("trigger");
    let script = |ends: u8| {
        format!(
            "#!/bin/sh\n{{ echo \"$@\"; cat; }} > {}\nexit {ends}\n",
            asked.display()
        )
    };
    let text_of_file = BLOCKED.replace(
        "[[step]]",
        "[[step]]\nawait = \"Reset\"\nwithin = \"20s\"\npayload = { type = \"Soft\" }\n\n[[step]]",
    );
    fs::write(&file, text_of_file).unwrap();
    let start = |ends| {
        fs::write(&program, script(ends)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let url = backend.url();
        let args = [
            "scenario",
            "--candidate",
            &url,
            "--set",
            "tag=TAG-BLOCKED",
            "--identity",
            "CP-7",
        ];
        let args = args.map(OsStr::new).into_iter();
        let files = [
            OsStr::new("--trigger"),
            program.as_os_str(),
            OsStr::new("--password-file"),
            password.as_os_str(),
        ];
        Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args(args.chain(files).chain([file.as_os_str()]))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let child = start(0);
    eventually("the program was run", || {
        fs::read_to_string(&asked).is_ok_and(|text| text.ends_with('}'))
    });
    assert_eq!(
        fs::read_to_string(&asked).unwrap(),
        "candidate CP-7 Reset\n{\"type\":\"Soft\"}"
    );
    // What the program would bring about.
    backend.order("CP-7", "Reset", serde_json::json!({ "type": "Soft" }));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));

    let output = start(3).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("ended with exit status: 3"));
}

#[test]
fn an_interrupt_ends_it_with_what_was_played() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("long.toml");
    let long = BLOCKED.replace("[[step]]", "[[step]]\npause = \"5m\"\n\n[[step]]");
    fs::write(&file, "limit = \"10m\"\n".to_owned() + &long).unwrap();
    let recording = dir.path().join("recording");
    let child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args([
            OsStr::new("scenario"),
            OsStr::new("--recording"),
            recording.as_os_str(),
            file.as_os_str(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the charger is connected", || {
        let facts = evenkeel([
            OsStr::new("export"),
            OsStr::new("facts"),
            recording.as_os_str(),
        ]);
        text(&facts.stdout).contains("shadow-opened")
    });
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 not played: interrupted"));
    Recording(recording).verify();
}
