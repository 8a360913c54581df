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
