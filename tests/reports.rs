//! Reports: what is in them, who is not, and that nobody can alter one.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Recorder};
use evenkeel::judge::Rules;
use evenkeel::replay::bundle::Bundle;
use evenkeel::replay::bundle::claims::unkept;
use evenkeel::replay::recorded::shows;
use evenkeel::replay::sim::world::{BLOCKED_TAG, SEEDED, SPACED_TAG};
use evenkeel::report::package;
use serde_json::{Value, json};

#[path = "reports/canary.rs"]
mod canary;
#[path = "reports/nights.rs"]
mod nights;
#[path = "common/schema.rs"]
mod schema;
#[path = "reports/since.rs"]
mod since;
#[path = "common/tap.rs"]
mod tap;

use schema::{assert_valid, closed};
use tap::evenkeel;

/// A demo of a few seconds, recorded once for all tests.
fn demo() -> &'static Path {
    static DEMO: OnceLock<tempfile::TempDir> = OnceLock::new();
    let place = DEMO.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        let recording = place.path().join("demo");
        let args = [
            "demo",
            "--headless",
            "--seed",
            "7",
            "--for",
            "5s",
            "--recording",
        ]
        .map(OsStr::new);
        let output = evenkeel(args.into_iter().chain([recording.as_os_str()]));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        place
    });
    // The recording is removed with the process that made it: nobody drops what is static.
    Box::leak(place.path().join("demo").into_boxed_path())
}

/// Runs a verb on a recording, which is named last.
fn on(recording: &Path, args: &[&str]) -> Output {
    evenkeel(args.iter().map(OsStr::new).chain([recording.as_os_str()]))
}

/// A report, written and unpacked.
struct Written {
    archive: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
    _place: tempfile::TempDir,
}

impl Written {
    #[track_caller]
    fn of(recording: &Path, args: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out").display().to_string();
        let args: Vec<&str> = ["report", "--out", &out]
            .iter()
            .chain(args)
            .copied()
            .collect();
        let output = on(recording, &args);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let archive = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        let bytes = std::fs::read(&archive).unwrap();
        let files = package::unpack(&bytes).unwrap();
        Self {
            archive,
            files: files
                .into_iter()
                .map(|file| (file.name, file.bytes))
                .collect(),
            _place: place,
        }
    }

    #[track_caller]
    fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.files[name]).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(self.text(name)).unwrap()
    }

    /// The files in which a word stands, in whatever case.
    fn with(&self, word: &str) -> Vec<&str> {
        let word = word.to_lowercase();
        let holds = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .to_lowercase()
                .contains(&word)
        };
        (self.files.iter())
            .filter(|(name, bytes)| name.to_lowercase().contains(&word) || holds(bytes))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

const VENDOR: [&str; 4] = ["--for", "vendor", "--recipient", "Norvik"];

/// A public key whose other half nobody has used here.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAQZWjEYHw3fbruNhaucka2rUwr2zVLBEbkt7baaioSI8=\n-----END PUBLIC KEY-----\n";

/// The same without bundles, which take the longest to make.
const QUICK: [&str; 5] = ["--for", "vendor", "--recipient", "Norvik", "--no-bundles"];

#[test]
fn a_report_finds_what_diffs_finds_and_on_the_line_only_what_was_seeded() {
    let written = Written::of(demo(), &QUICK);
    let report = written.json("report.json");
    let diffs: Value = serde_json::from_slice(&on(demo(), &["diffs", "--json"]).stdout).unwrap();
    let ids = |findings: &Value| -> Vec<(String, u64)> {
        let of = |it: &Value| {
            let count = it.pointer("/exposure/count").unwrap_or(&it["count"]);
            (
                it["id"].as_str().unwrap().to_owned(),
                count.as_u64().unwrap(),
            )
        };
        findings.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(ids(&report["findings"]), ids(&diffs["findings"]));
    let seeded: BTreeSet<_> = (SEEDED.iter())
        .map(|it| (it.severity, it.action, it.path))
        .collect();
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    // Books need a longer demo than this one to be complete: what differs in them is checked on one of 20 s, in CI.
    let all = diffs["findings"].as_array().unwrap().iter();
    for finding in all.filter(|it| it["action"] != json!("Session")) {
        let [severity, action, path] = ["severity", "action", "path"].map(|key| text(finding, key));
        assert!(
            seeded.contains(&(severity.as_str(), &action, &path)),
            "{finding:#}"
        );
    }
    // What shows within the first seconds is what is on the line.
    let found: BTreeSet<(String, String)> = (diffs["findings"].as_array().unwrap().iter())
        .map(|it| (text(it, "action"), text(it, "path")))
        .collect();
    for it in &SEEDED {
        assert!(
            found.contains(&(it.action.to_owned(), it.path.to_owned())),
            "{}",
            it.name
        );
    }
    for card in report["findings"].as_array().unwrap() {
        assert_ne!(card["exemplars"], json!([]), "{card:#}");
        assert_ne!(card["not_noise"], json!([]), "{card:#}");
        assert!(
            !card["protocol"].is_null() && !text(card, "why").is_empty(),
            "{card:#}"
        );
        let page = written.text("report.html");
        assert!(page.contains(&format!("id=\"{}\"", text(card, "id"))));
    }
}

#[test]
fn every_finding_on_the_line_comes_with_what_reproduces_it() {
    let written = Written::of(demo(), &VENDOR);
    let report = written.json("report.json");
    for card in report["findings"].as_array().unwrap() {
        let reproduce = &card["reproduce"];
        if card["action"] == json!("Session") {
            assert!(
                reproduce["why"].is_string() && reproduce["file"].is_null(),
                "{card:#}"
            );
            continue;
        }
        let file = reproduce["file"].as_str().unwrap();
        let bundle = Bundle::read(written.text(file)).unwrap();
        assert_eq!(json!(bundle.finding.id), card["id"]);
        let rules = Rules::built_in().unwrap();
        assert_eq!(unkept(&bundle, &rules), [""; 0], "{card:#}");
        assert!(shows(&bundle, &rules, Leg::Candidate), "{card:#}");
        assert_eq!(json!(bundle.steps.len()), reproduce["steps"]);
        let command = reproduce["command"].as_str().unwrap();
        assert!(command.starts_with(&format!("evenkeel replay {file} --target ")));
        // A bundle and the page call everybody the same.
        let chargers = card["chargers"].as_array().unwrap();
        assert!(
            chargers.contains(&json!(bundle.charger.identity)),
            "{card:#}"
        );
    }
    let without = Written::of(demo(), &QUICK);
    assert!(
        without.json("report.json")["findings"][0]
            .get("reproduce")
            .is_none()
    );
    assert!(
        without
            .files
            .keys()
            .all(|name| !name.starts_with("bundles/"))
    );
}

#[test]
fn data_fit_the_schema_that_comes_with_them() {
    for audience in ["vendor", "sign-off"] {
        let written = Written::of(demo(), &["--for", audience, "--no-bundles"]);
        let schema = closed(written.json("report.schema.json"));
        assert_valid(&schema, &written.json("report.json"));
    }
}

#[test]
fn law_9_no_name_of_the_demo_is_in_any_byte() {
    let written = Written::of(demo(), &VENDOR);
    let chargers = SEEDED.iter().flat_map(|it| it.chargers.iter().copied());
    let tags = [
        BLOCKED_TAG,
        SPACED_TAG.trim(),
        "04A1B2C3D4",
        "04D15EA5E5",
        "04FACADE01",
    ];
    for name in chargers.chain(tags) {
        assert_eq!(written.with(name), [""; 0], "{name}");
    }
    // What is no name is real.
    for kept in [
        "Kerb 22",
        "3.2.4",
        "TypeConstraintViolation",
        "UnknownVendorId",
    ] {
        assert!(written.with(kept).contains(&"report.html"), "{kept}");
    }
    // The space behind a tag is what one finding is about: its pseudonym has it too.
    let report = written.json("report.json");
    let needs = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|card| card["needs"].as_array().unwrap());
    assert!(
        needs
            .clone()
            .any(|need| need["value"].as_str().unwrap().ends_with(" \""))
    );
}

#[test]
fn the_same_recording_gives_the_same_bytes_and_another_recipient_other_names() {
    let bytes = |args: &[&str]| std::fs::read(Written::of(demo(), args).archive).unwrap();
    assert_eq!(bytes(&VENDOR), bytes(&VENDOR));
    let [ours, theirs] = ["Norvik", "Tallow"].map(|name| {
        Written::of(
            demo(),
            &["--for", "vendor", "--no-bundles", "--recipient", name],
        )
        .json("report.json")
    });
    let chargers = |report: &Value| report["findings"][0]["chargers"].clone();
    assert_ne!(chargers(&ours), chargers(&theirs));
    assert_ne!(ours["head"]["pseudonyms"], theirs["head"]["pseudonyms"]);
}

#[test]
fn times_are_shifted_by_one_constant() {
    let real = Written::of(demo(), &QUICK).json("report.json");
    let args = [&QUICK[..], &["--shift-times", "2400h"]].concat();
    let shifted = Written::of(demo(), &args);
    let moved = shifted.json("report.json");
    assert_eq!(moved["head"]["pseudonyms"]["times_shifted"], json!(true));
    let at = |report: &Value, pointer: &str| {
        let text = report.pointer(pointer).unwrap().as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(text).unwrap()
    };
    for pointer in [
        "/head/from",
        "/findings/0/first_seen",
        "/findings/0/exemplars/0/at",
    ] {
        assert_eq!(
            (at(&moved, pointer) - at(&real, pointer)).num_days(),
            100,
            "{pointer}"
        );
    }
    let day = real["head"]["to"].as_str().unwrap()[..10].to_owned();
    assert_eq!(shifted.with(&day), [""; 0]);
}

#[test]
fn one_altered_byte_is_noticed() {
    let written = Written::of(demo(), &QUICK);
    let verify = |args: &[&str]| on(&written.archive, &[&["verify"], args].concat());
    assert_eq!(verify(&[]).status.code(), Some(0));
    let said: Value = serde_json::from_slice(&verify(&["--json"]).stdout).unwrap();
    assert_eq!(
        (&said["ok"], &said["signature"]),
        (&json!(true), &json!("none"))
    );
    let bytes = std::fs::read(&written.archive).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 7) {
        let mut altered = bytes.clone();
        altered[at] ^= 0x20;
        std::fs::write(&written.archive, altered).unwrap();
        let output = verify(&["--json"]);
        assert_eq!(output.status.code(), Some(5), "byte {at}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_ne!(said["broken"], json!([]));
    }
}

/// Nobody vouches for what carries no signature, whatever else is true of it.
#[test]
fn what_carries_no_signature_is_never_signed_by_anybody() {
    let place = tempfile::tempdir().unwrap();
    let key = place.path().join("public.pem");
    std::fs::write(&key, PUBLIC).unwrap();
    let key = key.display().to_string();
    let written = Written::of(demo(), &VENDOR);
    let (_, bundle) = (written.files.iter())
        .find(|(name, _)| name.ends_with(".bundle.json"))
        .unwrap();
    let file = place.path().join("one.bundle.json");
    std::fs::write(&file, bundle).unwrap();
    let recording = place.path().join("night");
    canary::record(&recording, "CANARY-7731");
    assert_eq!(on(&file, &["verify"]).status.code(), Some(0));
    assert_eq!(on(&recording, &["verify"]).status.code(), Some(0));
    for (what, code) in [
        (&file, "RPT-008"),
        (&recording, "RPT-008"),
        (&written.archive, ""),
    ] {
        let output = on(what, &["verify", "--signed-by", &key]);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(code));
    }
}

#[test]
fn a_page_is_whole_without_network_and_scripts() {
    let written = Written::of(demo(), &QUICK);
    let page = written.text("report.html");
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("src=\"") && !page.contains("@import") && !page.contains("url("));
    let links = page.match_indices("href=\"").map(|(at, _)| &page[at + 6..]);
    for link in links {
        assert!(link.starts_with('#'), "{}", &link[..40]);
    }
    // Everything stands in the page itself: scripts only hide and copy.
    let without = page.split("<script>").next().unwrap();
    let report = written.json("report.json");
    for card in report["findings"].as_array().unwrap() {
        assert!(without.contains(card["id"].as_str().unwrap()));
        for line in card["exemplars"][0]["ladder"]["lines"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let label = line["label"].as_str().unwrap();
            assert!(
                without.contains(&evenkeel::report::escape::markup(label)),
                "{label}"
            );
        }
    }
}

#[test]
fn programs_count_what_people_read() {
    let written = Written::of(demo(), &QUICK);
    let findings = written.json("report.json")["findings"]
        .as_array()
        .unwrap()
        .len();
    let junit = written.text("junit.xml");
    assert_eq!(junit.matches("<failure ").count(), findings);
    assert_eq!(junit.matches("</failure></testcase>").count(), findings);
    assert!(junit.contains(&format!("failures=\"{findings}\" errors=\"0\"")));
    assert_eq!(junit.matches("<testcase ").count(), {
        let tests = junit.split("tests=\"").nth(1).unwrap();
        tests.split('"').next().unwrap().parse::<usize>().unwrap()
    });
    let sarif = written.json("report.sarif");
    assert_eq!(sarif["version"], json!("2.1.0"));
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), findings);
    for result in results {
        let rule = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(
            sarif["runs"][0]["tool"]["driver"]["rules"][rule]["id"],
            result["ruleId"]
        );
    }
}

#[test]
fn who_is_meant_is_told_to_the_holder_of_the_key_and_noted() {
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("night");
    canary::record(&recording, "CANARY-7731");
    let written = Written::of(&recording, &QUICK);
    let report = written.json("report.json");
    let pseudonym = report["findings"][0]["chargers"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = |recipient: &str| {
        let args = [
            "report",
            "--reveal",
            &pseudonym,
            "--by",
            "Ines",
            "--recipient",
            recipient,
        ];
        on(&recording, &args)
    };
    let output = ask("Norvik");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        canary::CHARGER
    );
    assert_eq!(ask("Tallow").status.code(), Some(3));
    let facts = String::from_utf8(on(&recording, &["export", "facts"]).stdout).unwrap();
    let noted: Vec<&str> = facts
        .lines()
        .filter(|line| line.contains("\"revealed\""))
        .collect();
    assert_eq!(noted.len(), 2, "{facts}");
    assert!(noted[0].contains("Ines") && !noted[0].contains("CANARY"));
    assert_eq!(on(&recording, &["verify"]).status.code(), Some(0));
    exported_notes_are_one_chain(&recording, place.path());
    let refused = on(&recording, &["report", "--reveal", &pseudonym]);
    assert_eq!(refused.status.code(), Some(2));
}

/// The chain of notes is checked without the recording, and no note can be another or be left out.
fn exported_notes_are_one_chain(recording: &Path, place: &Path) {
    let file = place.join("notes.jsonl");
    let exported = on(recording, &["export", "notes"]).stdout;
    let text = String::from_utf8(exported).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    let verify = |text: &str| {
        std::fs::write(&file, text).unwrap();
        on(&file, &["verify", "--json"])
    };
    let whole = verify(&text);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    let said: Value = serde_json::from_slice(&whole.stdout).unwrap();
    schema::assert_fits("verify-file", &said);
    assert_eq!(said["notes"]["notes"], json!(2));
    let last = text.lines().last().unwrap();
    let facts = String::from_utf8(on(recording, &["export", "facts"]).stdout).unwrap();
    let others = facts.lines().find(|line| !line.contains("\"revealed\""));
    let without = others.unwrap().to_owned();
    for broken in [text.replace("Ines", "Inez"), last.to_owned(), without] {
        assert_eq!(verify(&broken).status.code(), Some(5), "{broken}");
    }
}

#[test]
fn a_report_for_sign_off_begins_with_the_decision() {
    let written = Written::of(demo(), &["--for", "sign-off"]);
    let report = written.json("report.json");
    let says = report["gate"]["says"].as_str().unwrap();
    let page = written.text("report.html");
    let body = page.split("<body").nth(1).unwrap();
    let verdict = body.find(&format!("<strong>{says}</strong>")).unwrap();
    assert!(verdict < body.find("What it rests on").unwrap());
    for criterion in report["gate"]["criteria"].as_array().unwrap() {
        let row = format!("<th scope=\"row\">{} ", criterion["id"].as_str().unwrap());
        assert!(body.contains(&row), "{row}");
    }
    assert!(
        report.get("gate").is_some()
            && Written::of(demo(), &QUICK)
                .json("report.json")
                .get("gate")
                .is_none()
    );
}
