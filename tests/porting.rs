//! Logs of other programs become recordings, and recordings become tables.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use chrono_tz::Tz;
use evenkeel::facts::accounting::Accounting;
use evenkeel::facts::{Fact, Kind, Leg, Limits, Recorder};
use evenkeel::judge::{Judge, Rules};
use evenkeel::replay::import::weave::Place;
use evenkeel::replay::import::{Format, Reading, Source, read, weave};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(name: &str) -> String {
    format!("{}/tests/porting/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

#[track_caller]
fn ends(args: &[&str], code: i32) -> (String, String) {
    let output = run(args);
    let [out, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{said}");
    (out, said)
}

/// A new recording of these logs, and what was said about them.
struct Imported {
    _root: tempfile::TempDir,
    dir: PathBuf,
    said: String,
}

impl Imported {
    #[track_caller]
    fn of(args: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("recording");
        let command = [&["import", "--into", dir.to_str().unwrap()], args].concat();
        let (out, said) = ends(&command, 0);
        let said = said + &out;
        Self {
            _root: root,
            dir,
            said,
        }
    }

    fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    #[track_caller]
    fn lines(&self, what: &str) -> Vec<Value> {
        let (out, _) = ends(&["export", what, self.path()], 0);
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn facts(&self, kind: &str) -> Vec<Value> {
        let mut facts = self.lines("facts");
        facts.retain(|fact| fact["kind"] == kind);
        facts
    }

    fn diffs(&self) -> Value {
        serde_json::from_slice(&run(&["diffs", self.path(), "--json"]).stdout).unwrap()
    }

    #[track_caller]
    fn verify(&self) -> Value {
        serde_json::from_str(&ends(&["verify", self.path(), "--json"], 0).0).unwrap()
    }
}

/// A SteVe log of legacy and CitrineOS rows of the candidate about the same test, whose clock is an hour ahead.
fn two_logs() -> Imported {
    Imported::of(&[&fixture("steve.log"), "--shadow", &fixture("citrineos.csv")])
}

#[test]
fn law_6_two_imported_logs_are_judged_like_a_night() {
    let imported = two_logs();
    for words in [
        "8 CALLs stand in the logs of both backends",
        "set by -3600010 ms",
    ] {
        assert!(imported.said.contains(words), "{}", imported.said);
    }
    let verified = imported.verify();
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["accounting"]["frames_seen"], 18);
    assert_eq!(verified["accounting"]["open"], 0);

    let diffs = imported.diffs();
    let titles: Vec<&str> = diffs["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert!(
        titles[0].contains("Authorize") && titles[0].contains("Blocked"),
        "{titles:?}"
    );
    let outcomes = &diffs["outcomes"];
    assert_eq!(outcomes["divergent"], 1, "{outcomes}");
    // The session of a blocked tag follows from that finding.
    assert_eq!(
        outcomes["not_comparable"],
        json!({"tainted": 3, "total": 3})
    );
    assert_eq!(outcomes["equal"], 4, "{outcomes}");
    assert_eq!(outcomes["pending"], 0, "{outcomes}");
    assert_eq!(diffs["commands"]["equal"], 1, "{}", diffs["commands"]);

    let learned = imported.facts("identifier-learned");
    assert_eq!(
        learned[0]["note"],
        json!({"class": "transactionId", "authority": "4711", "shadow": "7"})
    );
    let sessions = imported.lines("sessions");
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["wire_energy_wh"], "2000");
}

#[test]
fn law_7_what_only_one_log_has_is_not_comparable() {
    let imported = Imported::of(&[&fixture("steve.log")]);
    let diffs = imported.diffs();
    assert_eq!(diffs["findings"], json!([]));
    assert_eq!(diffs["outcomes"]["not_comparable"]["total"], 8, "{diffs}");
    assert_eq!(diffs["outcomes"]["pending"], 0);
    assert_eq!(diffs["commands"]["not_comparable"]["total"], 1);
    assert_eq!(imported.lines("sessions")[0]["wire_energy_wh"], "2000");
    assert_eq!(imported.verify()["ok"], true);
}

#[test]
fn every_format_is_recognised_and_said() {
    for (file, more, what, messages) in [
        ("steve.log", &[][..], "a SteVe log", 18),
        ("citrineos.csv", &[], "rows of CitrineOS's OCPPMessages", 18),
        ("citrineos.json", &[], "rows of CitrineOS's OCPPMessages", 2),
        ("debugkit.json", &[], "an OCPP DebugKit trace", 4),
        (
            "debugkit.jsonl",
            &["--charger", "CP2"],
            "an OCPP DebugKit trace",
            4,
        ),
        (
            "bare.json",
            &["--charger", "CP2"],
            "an OCPP DebugKit trace",
            4,
        ),
        ("open-trace.jsonl", &[], "an Open OCPP Trace", 4),
        ("python.log", &[], "a log of the Python package ocpp", 4),
        (
            "python-charger.log",
            &[],
            "a log of the Python package ocpp",
            4,
        ),
        (
            "plain.log",
            &["--charger", "CP7"],
            "plain lines of OCPP messages",
            4,
        ),
    ] {
        let imported = Imported::of(&[&[fixture(file).as_str()], more].concat());
        let words = format!("{file}: {what}, of legacy: {messages} messages of 1 charger, 0 lines");
        assert!(imported.said.contains(&words), "{}", imported.said);
        let facts = imported.facts("message");
        assert_eq!(facts.len(), messages, "{file}");
        for fact in &facts {
            let mark = &fact["note"]["imported"];
            assert!(
                mark["file"] == file && mark["line"].as_u64() > Some(0),
                "{fact}"
            );
            let asks = fact["body"].as_str().unwrap().starts_with("[2");
            let command = fact["body"].as_str().unwrap().contains("Reset")
                || fact["body"]
                    .as_str()
                    .unwrap()
                    .contains("ChangeAvailability")
                || (file == "python-charger.log"
                    && fact["body"].as_str().unwrap().contains("DataTransfer"));
            if asks {
                let dir = if command {
                    "to-charger"
                } else {
                    "from-charger"
                };
                assert_eq!(fact["dir"], dir, "{fact}");
            }
        }
        assert_eq!(imported.verify()["ok"], true, "{file}");
    }
}

#[test]
fn a_message_keeps_its_text_and_its_time() {
    let imported = Imported::of(&[&fixture("open-trace.jsonl")]);
    let facts = imported.facts("message");
    assert_eq!(facts[0]["body"], r#"[2,"m1","Heartbeat", {}]"#);
    assert_eq!(facts[0]["at"], 1_772_388_000_000_000_i64);
    assert_eq!(facts[3]["body"], r#"[4,"c1","NotSupported","no",{}]"#);
    let local = Imported::of(&[&fixture("steve.log"), "--zone", "Europe/Berlin"]);
    assert_eq!(local.facts("message")[0]["at"], 1_772_384_400_100_000_i64);
    let opened = imported.facts("connection-opened");
    assert_eq!(opened[0]["note"]["subprotocol"], "ocpp1.6");
    let newer = Imported::of(&[&fixture("citrineos.json")]);
    assert_eq!(
        newer.facts("connection-opened")[0]["note"]["subprotocol"],
        "ocpp2.0.1"
    );
    assert_eq!(newer.facts("message")[0]["charger"], "CP4");
}

#[test]
fn a_bad_line_is_named_and_leaves_a_gap() {
    let cut = fixture("steve-cut.log");
    let imported = Imported::of(&[&cut]);
    assert!(
        imported.said.contains("steve-cut.log line 7: "),
        "{}",
        imported.said
    );
    let gaps = imported.facts("gap");
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["charger"], "CP1");
    assert_eq!(gaps[0]["note"]["imported"]["line"], 7);
    let log = &imported.facts("log-imported")[0]["note"];
    assert_eq!(
        (log["bad"].as_u64(), log["messages"].as_u64()),
        (Some(1), Some(18))
    );
    assert_eq!(log["bad_lines"][0]["line"], 7);
    assert_eq!(imported.verify()["ok"], true);

    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("r");
    let into = into.to_str().unwrap();
    let (_, said) = ends(&["import", &cut, "--into", into, "--strict"], 2);
    assert!(
        said.contains("IMP-004") && said.contains("line 7"),
        "{said}"
    );
    assert!(
        std::fs::read_dir(dir.path()).unwrap().next().is_none(),
        "nothing is left behind"
    );
}

#[test]
fn a_log_is_imported_once() {
    let imported = two_logs();
    let (steve, rows) = (fixture("steve.log"), fixture("citrineos.csv"));
    let before = imported.lines("facts").len();
    let (_, said) = ends(&["import", &steve, "--into", imported.path()], 2);
    assert!(
        said.contains("IMP-003") && said.contains("--again"),
        "{said}"
    );
    assert_eq!(imported.lines("facts").len(), before);
    ends(&["import", &steve, "--into", imported.path(), "--again"], 0);
    assert!(imported.lines("facts").len() > before);
    assert_eq!(imported.verify()["ok"], true);

    let alone = Imported::of(&[&steve]);
    let (_, said) = ends(
        &[
            "import",
            &rows,
            "--leg",
            "candidate",
            "--into",
            alone.path(),
        ],
        2,
    );
    assert!(
        said.contains("IMP-005") && said.contains("--shadow"),
        "{said}"
    );
    ends(
        &["import", &fixture("python.log"), "--into", alone.path()],
        0,
    );
    assert_eq!(alone.verify()["ok"], true);
    let (_, said) = ends(&["import", &steve, &steve, "--into", "nowhere"], 2);
    assert!(said.contains("IMP-003"), "{said}");
}

#[test]
fn what_is_no_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (file, into) = (dir.path().join("talk.log"), dir.path().join("r"));
    std::fs::write(&file, "nothing of the kind\n").unwrap();
    let [file, into] = [&file, &into].map(|path: &PathBuf| path.to_str().unwrap());
    for (args, code, words) in [
        (vec![file], 2, "IMP-002"),
        (vec!["missing.log"], 4, "IMP-001"),
        (vec![file, "--format", "steve"], 2, "IMP-002"),
        (vec![file, "--format", "morse"], 2, "debugkit"),
        (vec![file, "--zone", "Mars/North"], 2, "Europe/Berlin"),
    ] {
        let (_, said) = ends(&[vec!["import", "--into", into], args].concat(), code);
        assert!(said.contains(words), "{said}");
    }
    let (_, said) = ends(&["import", &fixture("plain.log"), "--into", into], 2);
    assert!(said.contains("--charger"), "{said}");
    let (_, said) = ends(
        &[
            "import",
            &fixture("steve.log"),
            "--into",
            dir.path().to_str().unwrap(),
        ],
        2,
    );
    assert!(said.contains("IMP-006"), "{said}");
    assert!(!Path::new(into).exists());
}

#[test]
fn law_5_importing_twice_gives_the_same_digest() {
    assert_eq!(
        two_logs().verify()["ledger"]["digest"],
        two_logs().verify()["ledger"]["digest"]
    );
}

#[test]
fn exported_facts_come_back_as_they_were() {
    let imported = two_logs();
    let (facts, _) = ends(&["export", "facts", imported.path()], 0);
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("facts.jsonl");
    ends(
        &[
            "export",
            "facts",
            imported.path(),
            "--out",
            file.to_str().unwrap(),
        ],
        0,
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), facts);
    assert_eq!(
        std::fs::read_dir(root.path()).unwrap().count(),
        1,
        "no part is left behind"
    );
    let back = Imported::of(&[file.to_str().unwrap()]);
    assert_eq!(ends(&["export", "facts", back.path()], 0).0, facts);
    assert_eq!(
        back.verify()["ledger"]["digest"],
        imported.verify()["ledger"]["digest"]
    );
    let (_, said) = ends(
        &["import", file.to_str().unwrap(), "--into", back.path()],
        2,
    );
    assert!(said.contains("IMP-006"), "{said}");
}

#[test]
fn tables_have_their_columns_and_filters() {
    let imported = two_logs();
    let status = imported.lines("status");
    assert_eq!(status.len(), 2);
    assert_eq!(status[1]["status"], "Available");
    assert_eq!(status[1]["before"], "Charging");
    assert_eq!(status[1]["at"], "2026-03-01T18:20:01.100Z");
    let since = [
        "export",
        "status",
        imported.path(),
        "--format",
        "csv",
        "--since",
        "2026-03-01T18:10:00Z",
    ];
    let (late, _) = ends(&since, 0);
    assert_eq!(late.lines().count(), 2, "{late}");
    let (all, _) = ends(&["export", "status", imported.path(), "--format", "csv"], 0);
    assert!(all.contains(",'=1+1,"), "no cell is a formula: {all}");
    for what in ["facts", "sessions", "cdrs", "status"] {
        let name = match what {
            "facts" => "fact",
            "sessions" => "session-row",
            "cdrs" => "cdr-row",
            _ => "status-row",
        };
        let schema: Value = serde_json::from_str(&ends(&["schema", name], 0).0).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        let valid = jsonschema::validator_for(&schema).unwrap();
        for line in imported.lines(what) {
            assert!(valid.is_valid(&line), "{name}: {line}");
        }
        let (csv, _) = ends(&["export", what, imported.path(), "--format", "csv"], 0);
        let mut columns: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
        columns.push("v");
        columns.sort_unstable();
        let mut keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        keys.sort_unstable();
        assert_eq!(columns, keys, "{what}");
        let none = ends(&["export", what, imported.path(), "--charger", "CP9"], 0).0;
        assert_eq!(none, "", "{what}");
    }
    let (_, said) = ends(
        &[
            "export",
            "facts",
            imported.path(),
            "--out",
            "/no/such/directory/f",
        ],
        4,
    );
    assert!(said.contains("EXP-001"), "{said}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_without_parquet_says_how_to_build_one_and_leaves_no_file() {
    let imported = two_logs();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("status.parquet");
    let out = ["--format", "parquet", "--out", file.to_str().unwrap()];
    let args = [["export", "status"].as_slice(), &[imported.path()], &out].concat();
    let (_, said) = ends(&args, 2);
    assert!(
        said.contains("EXP-002") && said.contains("--features parquet"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_record_of_a_backend_is_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
    let record = json!({"country_code": "DE", "party_id": "ABC", "id": "C1", "session_id": "S1", "currency": "EUR",
        "start_date_time": "2026-03-01T18:00:00Z", "end_date_time": "2026-03-01T18:20:00Z", "total_energy": 2.5,
        "total_time": 0.5, "total_cost": {"excl_vat": 1.25}, "cdr_token": {"uid": "-TAG"}});
    let note = json!({"reader": "old", "form": "ocpi", "kind": "cdr", "id": "C1", "url": "x", "read_at": 1});
    for body in [record.to_string(), "[]".to_owned()] {
        let mut fact = Fact::new(Kind::BackendRecord, 1).body(body).note(&note);
        fact.leg = Some(Leg::Legacy);
        recorder.record(fact).unwrap();
    }
    recorder.close(Duration::from_secs(30)).unwrap();
    let path = dir.path().to_str().unwrap();
    let (out, _) = ends(&["export", "cdrs", path], 0);
    let rows: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let schema = serde_json::from_str(&ends(&["schema", "cdr-row"], 0).0).unwrap();
    let valid = jsonschema::validator_for(&schema).unwrap();
    assert!(
        rows.len() == 2 && rows.iter().all(|row| valid.is_valid(row)),
        "{out}"
    );
    assert_eq!(
        (&rows[0]["energy_wh"], &rows[0]["excl_vat"]),
        (&json!("2500"), &json!("1.25"))
    );
    assert_eq!(rows[0]["start"], "2026-03-01T18:00:00.000Z");
    assert!(rows[1]["unreadable"].is_string(), "{out}");
    let (csv, _) = ends(&["export", "cdrs", path, "--format", "csv"], 0);
    assert!(csv.contains(",'-TAG,"), "{csv}");
}

#[test]
fn a_backend_that_never_answers_is_silent_and_a_packed_log_is_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let rows = std::fs::read_to_string(fixture("citrineos.csv")).unwrap();
    let unanswered: String = rows
        .lines()
        .filter(|row| !(row.contains("\"a5\"") && row.contains("\"csms\"")))
        .map(|row| row.to_owned() + "\n")
        .collect();
    let (log, packed) = (dir.path().join("rows.csv"), dir.path().join("steve.log.gz"));
    std::fs::write(&log, unanswered).unwrap();
    let file = std::fs::File::create(&packed).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(&std::fs::read(fixture("steve.log")).unwrap())
        .unwrap();
    gzip.finish().unwrap();
    let imported = Imported::of(&[packed.to_str().unwrap(), "--shadow", log.to_str().unwrap()]);
    let silent = imported.facts("shadow-silent");
    assert_eq!(silent.len(), 1);
    assert_eq!(silent[0]["note"]["action"], "MeterValues");
    assert_eq!(silent[0]["note"]["waited_us"], 30_000_000);
    assert_eq!(imported.verify()["ok"], true);
}

/// A line of a log, whole or damaged.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        "steve.log",
        "citrineos.csv",
        "debugkit.json",
        "open-trace.jsonl",
        "python.log",
        "plain.log",
    ]
    .map(|name| std::fs::read(fixture(name)).unwrap());
    (
        0..texts.len(),
        any::<prop::sample::Index>(),
        0..200_usize,
        any::<Vec<u8>>(),
    )
        .prop_map(move |(text, at, cut, noise)| {
            let mut text = texts[text].clone();
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, noise);
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever a file holds, it is refused or becomes facts that add up and can be judged.
    #[test]
    fn no_file_is_too_odd(ours in line(), theirs in line(), noise in any::<Vec<u8>>(), format in 0..Format::ALL.len()) {
        let logs = [(&ours, None), (&theirs, None), (&noise, None), (&ours, Some(Format::ALL[format]))];
        let mut sources = Vec::new();
        for (place, (bytes, format)) in logs.into_iter().enumerate() {
            let reading = Reading { format, charger: Some("CP1"), zone: Tz::UTC };
            if let Ok(log) = read(bytes, &reading) {
                let leg = if place == 1 { Leg::Candidate } else { Leg::Legacy };
                sources.push(Source { name: "x".to_owned(), sha256: place.to_string(), leg, log });
            }
        }
        let woven = weave(&sources, None, Place::default());
        let accounting = Accounting::of(&woven.facts);
        prop_assert!(accounting.is_whole(), "{:?}", accounting.broken);
        prop_assert_eq!(accounting.open, 0);
        let causes = woven.facts.iter().all(|fact| fact.cause < fact.seq);
        prop_assert!(causes, "a fact comes before its cause");
        let mut judge = Judge::new(Rules::built_in().unwrap());
        for fact in &woven.facts {
            judge.feed(fact, &mut |_| {});
        }
        prop_assert_eq!(judge.pending(), 0);
    }
}
