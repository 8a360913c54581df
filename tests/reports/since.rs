//! A report against an earlier one, and a report about one group.

use std::path::Path;

use crate::nights::{self, Said};
use crate::{Value, Written, assert_valid, closed, evenkeel, json, on};

const EQUAL: &str = r#"{"currentTime":"2027-01-01T00:00:00Z"}"#;
const SLOW: &str = r#"{"currentTime":"2027-01-01T00:00:00Z","extra":1}"#;
const ALLOWED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;
const KNOWN: &str = r#"{"status":"Accepted"}"#;
const UNKNOWN: &str = r#"{"status":"UnknownVendorId"}"#;

fn night(place: &Path, name: &str, said: &[Said<'_>]) -> std::path::PathBuf {
    let dir = place.join(name);
    nights::record(&dir, None, said);
    dir
}

/// The word for each finding, by its action.
fn changes(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let open = report["findings"].as_array().unwrap().iter();
    let open = open.map(|card| (text(&card["action"]), text(&card["since"]["change"])));
    let past = report["since"]["past"].as_array().unwrap().iter();
    let past = past.map(|was| (text(&was["action"]), text(&was["change"])));
    let mut all: Vec<(String, String)> = open.chain(past).collect();
    all.sort();
    all
}

#[test]
fn each_finding_is_held_against_an_earlier_report() {
    let place = tempfile::tempdir().unwrap();
    let first = night(
        place.path(),
        "first",
        &[
            ("CP-1", "Authorize", 20, ALLOWED, BLOCKED),
            ("CP-2", "Heartbeat", 20, EQUAL, SLOW),
            ("CP-3", "DataTransfer", 20, KNOWN, UNKNOWN),
        ],
    );
    let second = night(
        place.path(),
        "second",
        &[
            ("CP-1", "Authorize", 20, ALLOWED, BLOCKED),
            ("CP-2", "Heartbeat", 20, EQUAL, EQUAL),
            ("CP-4", "StatusNotification", 20, "{}", r#"{"x":1}"#),
        ],
    );
    let earlier = Written::of(&first, &["--for", "vendor"]);
    let archive = earlier.archive.display().to_string();
    let since = ["--for", "vendor", "--since", &archive];
    let later = Written::of(&second, &since);
    let report = later.json("report.json");
    let said = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    };
    assert_eq!(
        changes(&report),
        said(&[
            ("Authorize", "unchanged"),
            ("DataTransfer", "not-exercised"),
            ("Heartbeat", "gone"),
            ("StatusNotification", "new"),
        ])
    );
    assert_valid(&closed(later.json("report.schema.json")), &report);
    every_form_says_so(&later, &report);
    // Against the report in which it was gone, what is back has regressed.
    let archive = later.archive.display().to_string();
    let again = Written::of(&first, &["--for", "vendor", "--since", &archive]).json("report.json");
    let heartbeat = changes(&again)
        .into_iter()
        .find(|(action, _)| action == "Heartbeat");
    assert_eq!(heartbeat.unwrap().1, "regressed");
}

#[test]
fn nothing_is_forgotten_over_a_chain_of_reports() {
    let place = tempfile::tempdir().unwrap();
    let first = night(
        place.path(),
        "first",
        &[
            ("CP-2", "Heartbeat", 20, EQUAL, SLOW),
            ("CP-3", "DataTransfer", 20, KNOWN, UNKNOWN),
        ],
    );
    let second = night(
        place.path(),
        "second",
        &[("CP-2", "Heartbeat", 20, EQUAL, EQUAL)],
    );
    let since = |dir: &Path, earlier: &Written| {
        let archive = earlier.archive.display().to_string();
        Written::of(dir, &["--for", "vendor", "--since", &archive])
    };
    let word_of = |written: &Written, action: &str| -> String {
        let all = changes(&written.json("report.json")).into_iter();
        let mut of_action = all.filter(|(of, _)| of == action);
        of_action.next().unwrap().1
    };
    let mut earlier = Written::of(&first, &["--for", "vendor"]);
    for _ in 0..2 {
        earlier = since(&second, &earlier);
        assert_eq!(word_of(&earlier, "Heartbeat"), "gone");
        assert_eq!(word_of(&earlier, "DataTransfer"), "not-exercised");
        let schema = closed(earlier.json("report.schema.json"));
        assert_valid(&schema, &earlier.json("report.json"));
    }
    // As if a report about others stood between: what it leaves out is not settled by that.
    let nobody = ["--for", "vendor", "--filter", "severity>=S0"];
    let archive = earlier.archive.display().to_string();
    let between = Written::of(&first, &[&nobody[..], &["--since", &archive]].concat());
    assert_eq!(word_of(&between, "DataTransfer"), "left-out");
    let last = since(&first, &between);
    assert_eq!(word_of(&last, "Heartbeat"), "regressed");
    assert_eq!(word_of(&last, "DataTransfer"), "unchanged");
}

/// A criterion that D-2 meets and nobody else is asked about.
const GATE: &str = r#"
[gate]
name = "own"
fresh = "30d"

[[criterion]]
id = "A1"
area = "charger"
title = "drivers are let in alike"
unit = "exchange"
actions = ["Authorize"]
failures = 0
sample = 3
per_model = 1
"#;

#[test]
fn verdicts_in_a_filter_are_by_the_reports_own_gate_as_of_the_last_fact() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("night");
    let estate = json!({"groups": [{"name": "depot", "patterns": ["D-*"]}]});
    let said = [
        ("D-1", "Heartbeat", 5, EQUAL, SLOW),
        ("D-2", "Authorize", 5, ALLOWED, ALLOWED),
    ];
    // On the first of January 2020: evidence that has long been old.
    nights::record_at(&dir, 1_577_836_800_000_000, Some(&estate), &said);
    let gate = place.path().join("gate.toml").display().to_string();
    std::fs::write(&gate, GATE).unwrap();
    let found = |verdict: &str, more: &[&str]| {
        let args = ["--for", "vendor", "--no-bundles", "--filter", verdict];
        let report = Written::of(&dir, &[&args[..], more].concat()).json("report.json");
        report["findings"].as_array().unwrap().len()
    };
    assert_eq!(found("verdict:GO*", &["--gate", &gate]), 1);
    assert_eq!(found("verdict:GO*", &[]), 0);
}

fn every_form_says_so(later: &Written, report: &Value) {
    let gone = |it: &&Value| it["change"] == json!("gone");
    let past = report["since"]["past"].as_array().unwrap();
    let gone = past.iter().find(gone).unwrap()["id"].as_str().unwrap();
    for (file, words) in [
        ("SUMMARY.md", format!("{gone}: ")),
        (
            "SUMMARY.md",
            "1 new, 1 unchanged, 1 gone, 1 not exercised".to_owned(),
        ),
        ("report.html", "<td>unchanged</td>".to_owned()),
        ("report.html", "<td>gone</td>".to_owned()),
        (
            "junit.xml",
            format!("<testcase classname=\"gone\" name=\"{gone} "),
        ),
        ("junit.xml", "<skipped message=\"not exercised: ".to_owned()),
    ] {
        assert!(later.text(file).contains(&words), "{file}: {words}");
    }
    let junit = later.text("junit.xml");
    let tests = junit
        .split("tests=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(
        junit.matches("<testcase ").count(),
        tests.parse::<usize>().unwrap()
    );
    let sarif = later.json("report.sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let mut states: Vec<&str> = (results.iter())
        .map(|result| result["baselineState"].as_str().unwrap())
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["absent", "new", "unchanged"]);
}

#[test]
fn an_altered_earlier_report_is_not_believed() {
    let place = tempfile::tempdir().unwrap();
    let dir = night(
        place.path(),
        "n",
        &[("CP-1", "Authorize", 5, ALLOWED, BLOCKED)],
    );
    let earlier = Written::of(&dir, &["--for", "vendor"]);
    let mut bytes = std::fs::read(&earlier.archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let altered = place.path().join("altered.zip").display().to_string();
    std::fs::write(&altered, bytes).unwrap();
    let out = place.path().join("out").display().to_string();
    let output = on(
        &dir,
        &[
            "report", "--for", "vendor", "--out", &out, "--since", &altered,
        ],
    );
    assert_eq!(output.status.code(), Some(5));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("RPT-007")
    );
    let none = place.path().join("none.zip").display().to_string();
    let args = ["report", "--for", "vendor", "--out", &out, "--since", &none];
    assert_eq!(on(&dir, &args).status.code(), Some(4));
}

#[test]
fn a_report_about_a_group_tells_of_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("night");
    let estate = json!({"groups": [
        {"name": "depot", "patterns": ["D-*"]},
        {"name": "street", "patterns": ["S-*"]},
    ]});
    nights::record(
        &dir,
        Some(&estate),
        &[
            ("D-1", "Authorize", 7, ALLOWED, BLOCKED),
            ("D-2", "Authorize", 13, ALLOWED, ALLOWED),
            ("S-1", "Authorize", 30, ALLOWED, BLOCKED),
            ("S-2", "DataTransfer", 11, KNOWN, UNKNOWN),
        ],
    );
    let of = |args: &[&str]| Written::of(&dir, &[&["--for", "vendor"], args].concat());
    let depot = of(&["--group", "depot"]).json("report.json");
    let count = |report: &Value, pointer: &str| report.pointer(pointer).unwrap().as_u64().unwrap();
    assert_eq!(depot["findings"].as_array().unwrap().len(), 1);
    for (pointer, expected) in [
        ("/findings/0/exposure/count", 7),
        ("/findings/0/exposure/of", 20),
        ("/findings/0/charger_count", 1),
        ("/summary/exchanges/equal", 13),
        ("/summary/exchanges/divergent", 7),
        ("/coverage/messages/0", 20),
        ("/coverage/actions/0/cells/0/divergent", 7),
        ("/coverage/actions/0/cells/0/matching", 13),
    ] {
        assert_eq!(count(&depot, pointer), expected, "{pointer}");
    }
    assert_eq!(depot["coverage"]["actions"].as_array().unwrap().len(), 1);
    let parts = depot["summary"]["timeline"]["parts"].as_array().unwrap();
    let messages: u64 = (parts.iter().flat_map(|part| part.as_array().unwrap()))
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(messages, 20);
    let all = of(&[]).json("report.json");
    assert_eq!(count(&all, "/coverage/messages/0"), 61);
    // What lies outside the group is left out, and not gone.
    let earlier = of(&[]);
    let archive = earlier.archive.display().to_string();
    let later = of(&["--group", "depot", "--since", &archive]).json("report.json");
    assert!(
        changes(&later).contains(&("DataTransfer".to_owned(), "left-out".to_owned())),
        "{:#}",
        later["since"]
    );
    let nobody = evenkeel(
        [
            "report", "--for", "vendor", "--group", "nowhere", "--out", "x",
        ]
        .map(std::ffi::OsStr::new)
        .into_iter()
        .chain([dir.as_os_str()]),
    );
    assert_eq!(nobody.status.code(), Some(2));
}

#[test]
fn a_report_about_a_group_has_its_own_severities_and_nobodys_pending_messages() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("night");
    let estate = json!({"groups": [
        {"name": "depot", "patterns": ["D-*"]},
        {"name": "street", "patterns": ["S-*"]},
    ]});
    let said = [
        ("D-1", "Authorize", 5, ALLOWED, BLOCKED),
        ("S-1", "Authorize", 5, ALLOWED, BLOCKED),
    ];
    nights::record(&dir, Some(&estate), &said);
    nights::leave_open(&dir, "S-2");
    assert_eq!(on(&dir, &["diffs"]).status.code(), Some(1));
    // As if the depot's had been judged less bad than the street's.
    let ledger = rusqlite::Connection::open(dir.join("ledger.db")).unwrap();
    let changed = ledger.execute(
        "UPDATE divergences SET severity = 4 WHERE charger = 'D-1'",
        [],
    );
    assert_eq!(changed.unwrap(), 5);
    drop(ledger);
    let of =
        |args: &[&str]| Written::of(&dir, &[&["--for", "vendor", "--no-bundles"], args].concat());
    let (all, depot) = (of(&[]), of(&["--group", "depot"]));
    let severity =
        |written: &Written| written.json("report.json")["findings"][0]["severity"].clone();
    assert_eq!(
        (severity(&all), severity(&depot)),
        (json!("S1"), json!("S4"))
    );
    let exchanges = |written: &Written| written.json("report.json")["summary"]["exchanges"].clone();
    assert_eq!(exchanges(&all)["pending"], json!(1));
    assert_eq!(exchanges(&depot).get("pending"), None);
    assert!(
        depot
            .text("report.html")
            .contains("<td class=\"n\">not known</td>")
    );
    assert_valid(
        &closed(depot.json("report.schema.json")),
        &depot.json("report.json"),
    );
}
