//! The gate: bounds that may be watched, criteria, and the verdict of the worst.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::expect_used, reason = "the same")]

#[path = "judging/story.rs"]
mod story;

#[path = "findings/recorded.rs"]
mod recorded;
#[path = "common/schema.rs"]
mod schema;

use std::collections::BTreeMap;

use evenkeel::estate::bound;
use evenkeel::estate::gate::criterion::{Area, Measure};
use evenkeel::estate::gate::report::Missing;
use evenkeel::estate::gate::{self, Asked, Gate, Outcome, Report, Stage, Verdict};
use evenkeel::ledger::evidence::{Evidence, Found, Stands, Tally};
use evenkeel::ledger::query::Station;
use evenkeel::ledger::row::{Decided, Decision, Exception, Group, Subject, Wave, Word};
use evenkeel::ocpp::Severity;
use recorded::Recorded;
use serde_json::{Value, json};
use story::{Shadow, Story};

const NOW: i64 = 1_795_000_000_000_000;
const DAY: i64 = 86_400_000_000;
const SMALL: &str = include_str!("gate/small.toml");

/// A generator that gives the same numbers everywhere (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fails(&mut self, rate: f64) -> bool {
        ((self.roll() >> 11) as f64) < rate * (1_u64 << 53) as f64
    }
}

/// The most failures with which the bound is at most the limit, after each number of trials: none is -1.
fn passing(limit: f64, trials: u64) -> Vec<i64> {
    let mut most: i64 = -1;
    let passes = |failures: i64, trials| bound::watched(failures as u64, trials, 0.05) <= limit;
    let row = (1..=trials).map(|trials| {
        while most + 1 < trials as i64 && passes(most + 1, trials) {
            most += 1;
        }
        most
    });
    row.collect()
}

/// After how many trials somebody who looks after each one sees a bound below the limit.
fn first_go(dice: &mut Dice, rate: f64, passing: &[i64]) -> Option<u64> {
    let mut failures = 0;
    for (before, most) in passing.iter().enumerate() {
        failures += i64::from(dice.fails(rate));
        if failures <= *most {
            return Some(before as u64 + 1);
        }
    }
    None
}

#[test]
fn a_watched_bound_seldom_errs_and_decides_soon() {
    const STREAMS: usize = 10_000;
    const LIMIT: f64 = 0.01;
    let fixed = bound::enough(0, LIMIT, |k, n| bound::exact(k, n, 0.05)).unwrap();
    let passing = passing(LIMIT, 3_000);
    let mut dice = Dice(7);
    let wrong = (0..STREAMS)
        .filter(|_| first_go(&mut dice, LIMIT, &passing).is_some())
        .count();
    println!(
        "true rate 1 %, looked at after each of 3000 trials: {wrong} of {STREAMS} streams reach GO"
    );
    assert!(wrong * 20 <= STREAMS, "{wrong}");

    let mut taken: Vec<u64> = (0..STREAMS)
        .map(|_| first_go(&mut dice, LIMIT / 20.0, &passing).unwrap_or(u64::MAX))
        .collect();
    taken.sort_unstable();
    let (median, late) = (taken[STREAMS / 2], taken[STREAMS * 95 / 100]);
    println!(
        "true rate 0.05 %: GO after {median} trials at the median, {late} at the 95th percentile; one fixed look needs {fixed}"
    );
    assert_eq!(fixed, 299);
    assert!(median <= 2 * fixed && late <= 3 * fixed, "{median} {late}");
}

fn tally(action: &str, outcome: &str, count: u64) -> Tally {
    Tally {
        subject: Subject::Exchange,
        action: action.to_owned(),
        charger: "CP1".to_owned(),
        model: "M1".to_owned(),
        outcome: outcome.to_owned(),
        reason: if outcome == "not comparable" {
            "shadow-gap"
        } else {
            ""
        }
        .to_owned(),
        count,
        first_seen: NOW - 30 * DAY,
        last_seen: NOW - DAY,
    }
}

fn finding(id: &str, count: u64, stands: Stands) -> Found {
    Found {
        id: id.to_owned(),
        subject: Subject::Exchange,
        action: "Authorize".to_owned(),
        kind: "value".to_owned(),
        severity: Severity::S1,
        title: "differs".to_owned(),
        stands,
        is_new: true,
        models: BTreeMap::from([("M1".to_owned(), count)]),
        last_seen: NOW - DAY,
    }
}

/// One charger of a group with a way back, and 1000 equal authorizations.
fn evidence() -> Evidence {
    Evidence {
        judged: 1,
        digest: "sha256:0".to_owned(),
        rules: "rules".to_owned(),
        build: String::new(),
        group: Some(Group {
            name: "depot".to_owned(),
            rollback: "tap".to_owned(),
            rollback_s: Some(240),
            rehearsed: "2026-11-01".to_owned(),
            ..Group::default()
        }),
        wave: Some(Wave {
            name: "pilot".to_owned(),
            date: "2026-12-01".to_owned(),
            sign_off: "Billing".to_owned(),
            decision: "Ops".to_owned(),
            point_of_no_return: Some(NOW),
            ..Wave::default()
        }),
        stations: vec![Station {
            charger: "CP1".to_owned(),
            group: "depot".to_owned(),
            version: "1.6".to_owned(),
            vendor: "V".to_owned(),
            model: "M1".to_owned(),
            firmware: "1".to_owned(),
            is_seen: true,
            listed: None,
            messages: 1_000,
            first_seen: Some(NOW - 30 * DAY),
            last_seen: Some(NOW - DAY),
        }],
        tallies: vec![tally("Authorize", "equal", 1_000)],
        cdrs: Vec::new(),
        findings: Vec::new(),
        monitors: Vec::new(),
        days: (0..30).map(|day| NOW - day * DAY).collect(),
        latencies: Vec::new(),
        open_sessions: 3,
        decisions: Vec::new(),
    }
}

fn criteria(keys: &str) -> Gate {
    let text = format!(
        "[gate]\nname = \"one\"\nfresh = \"2d\"\n[[criterion]]\nid = \"A1\"\narea = \"charger\"\ntitle = \"t\"\n{keys}"
    );
    Gate::read(&text).unwrap()
}

const AUTHORIZE: &str =
    "unit = \"exchange\"\nactions = [\"Authorize\"]\nfailures = 0\nsample = 1000\nper_model = 20\n";

fn weigh(keys: &str, evidence: &Evidence) -> Report {
    let asked = Asked {
        group: Some("depot".to_owned()),
        now: NOW,
        is_checkpoint: false,
        gate_hash: "gate".to_owned(),
    };
    gate::weigh(&criteria(keys), evidence, &asked)
}

fn decided(word: Word, by: &str) -> Decision {
    let mut decided = Decided {
        group: "depot".to_owned(),
        word,
        by: by.to_owned(),
        ..Decided::default()
    };
    "gate".clone_into(&mut decided.evidence.gate);
    "rules".clone_into(&mut decided.evidence.rules);
    Decision {
        id: 1,
        at: NOW - DAY,
        decided,
    }
}

fn excepted(until: i64, at_most: u64) -> Decision {
    let mut decision = decided(Word::Exception, "ops");
    decision.decided.exception = Some(Exception {
        criterion: "A1".to_owned(),
        owner: "ops".to_owned(),
        until,
        at_most,
    });
    decision
}

#[test]
fn the_worst_blocking_criterion_decides() {
    let mut seen = evidence();
    let report = weigh(AUTHORIZE, &seen);
    assert_eq!((report.verdict, report.says.as_str()), (Verdict::Go, "GO"));
    assert_eq!(report.criteria[0].seen, "0 of 1000");
    assert!(report.criteria[0].bound.unwrap() < 0.005);

    seen.findings = vec![finding("F-1", 2, Stands::Open)];
    let report = weigh(AUTHORIZE, &seen);
    assert_eq!(report.verdict, Verdict::NoGo);
    assert_eq!(report.why, ["A1 t: failed, 2 of 1000, allowed 0"]);
    assert!(report.to_go[0].contains("fix F-1"), "{:?}", report.to_go);

    // An advisory criterion is only noted.
    let advisory = format!(
        "{AUTHORIZE}blocking = false\n[[criterion]]\nid = \"D1\"\narea = \"rollback\"\ntitle = \"t\"\nunit = \"group\"\nhas = \"rehearsal\"\n"
    );
    let report = weigh(&advisory, &seen);
    assert_eq!(
        (report.verdict, report.criteria[0].result),
        (Verdict::Go, Outcome::Note)
    );
    // It is never an average: one that fails is enough.
    seen.findings.clear();
    seen.group.as_mut().unwrap().rehearsed.clear();
    assert_eq!(weigh(&advisory, &seen).verdict, Verdict::NoGo);
}

#[test]
fn law_7_each_kind_of_missing_evidence_holds() {
    let kind = |keys: &str, change: &dyn Fn(&mut Evidence)| {
        let mut seen = evidence();
        change(&mut seen);
        let report = weigh(keys, &seen);
        assert_eq!(report.verdict, Verdict::Hold, "{keys}");
        assert!(!report.to_go.is_empty());
        (
            report.criteria[0].missing.unwrap(),
            report.criteria[0].to_go.clone(),
        )
    };
    let same = &|_: &mut Evidence| {};
    let (missing, _) = kind(AUTHORIZE, &|seen| seen.tallies.clear());
    assert_eq!(missing, Missing::NotExercised);
    let (missing, to_go) = kind(&AUTHORIZE.replace("1000", "1017"), same);
    assert_eq!(
        (missing, to_go.as_str()),
        (Missing::Thin, "17 more Authorize")
    );
    let (missing, _) = kind(AUTHORIZE, &|seen| {
        let mut other = seen.stations[0].clone();
        (other.charger, other.model) = ("CP2".to_owned(), "M2".to_owned());
        seen.stations.push(other);
    });
    assert_eq!(missing, Missing::NotExercised);
    let (missing, _) = kind(&format!("{AUTHORIZE}days = 31\n"), same);
    assert_eq!(missing, Missing::Thin);
    let (missing, _) = kind(&format!("{AUTHORIZE}chargers = 2\n"), same);
    assert_eq!(missing, Missing::Thin);
    let (missing, _) = kind(&format!("{AUTHORIZE}fresh = \"1h\"\n"), same);
    assert_eq!(missing, Missing::Stale);
    let (missing, _) = kind(&format!("{AUTHORIZE}comparable = \"95 %\"\n"), &|seen| {
        seen.tallies.push(tally("Authorize", "not comparable", 100));
    });
    assert_eq!(missing, Missing::NotComparable);
    // A rate needs more than its own sample.
    let rate = "unit = \"exchange\"\nactions = [\"Authorize\"]\nrate = \"0.1 %\"\n";
    let (missing, to_go) = kind(rate, same);
    assert_eq!(missing, Missing::Thin);
    assert!(
        to_go.ends_with("more Authorize without a failure"),
        "{to_go}"
    );
    // A claimed fix that is not proven is no good news either.
    let (missing, _) = kind(AUTHORIZE, &|seen| {
        seen.findings = vec![finding("F-1", 1, Stands::Unproven)];
    });
    assert_eq!(missing, Missing::Thin);
    // And what is bad is bad however little was seen.
    let mut seen = evidence();
    seen.findings = vec![finding("F-1", 1, Stands::Open)];
    assert_eq!(
        weigh(&AUTHORIZE.replace("1000", "5000"), &seen).verdict,
        Verdict::NoGo
    );
}

#[test]
fn law_7_nothing_seen_is_no_go_for_the_built_in_criteria() {
    let gate = Gate::built_in().unwrap();
    let asked = Asked {
        group: None,
        now: NOW,
        is_checkpoint: false,
        gate_hash: String::new(),
    };
    let mut nothing = evidence();
    nothing.stations.clear();
    nothing.tallies.clear();
    nothing.days.clear();
    let report = gate::weigh(&gate, &nothing, &asked);
    assert_eq!(report.verdict, Verdict::Hold);
    let met = report
        .criteria
        .iter()
        .filter(|it| it.blocking && it.result == Outcome::Met);
    // Only what needs no traffic can be met without.
    let met: Vec<&str> = met.map(|it| it.id.as_str()).collect();
    assert_eq!(met, ["B1", "B2", "B6", "D1", "D2", "D3"]);
    for area in Area::ALL {
        assert!(
            gate.criteria
                .iter()
                .any(|it| it.area == area && it.is_blocking)
        );
    }
    let days = |it: &&gate::criterion::Criterion| matches!(it.measure, Measure::Monitor { window: Some(window), .. } if window == 30 * DAY);
    assert!(gate.criteria.iter().filter(days).count() >= 5);
}

#[test]
fn exceptions_have_an_end_and_a_cap_and_excuse_no_missing_evidence() {
    let mut seen = evidence();
    seen.findings = vec![finding("F-1", 2, Stands::Open)];
    let says = |seen: &Evidence| weigh(AUTHORIZE, seen).says;
    assert_eq!(says(&seen), "NO-GO");
    seen.decisions = vec![excepted(NOW + DAY, 2)];
    assert_eq!(says(&seen), "GO+1");
    seen.decisions = vec![excepted(NOW + DAY, 1)];
    assert_eq!(says(&seen), "NO-GO");
    seen.decisions = vec![excepted(NOW, 2)];
    assert_eq!(says(&seen), "NO-GO");
    seen.decisions = vec![excepted(NOW + DAY, 2)];
    seen.tallies[0].count = 10;
    assert_eq!(says(&seen), "HOLD");
    // A finding that somebody accepted is an exception by itself.
    let mut seen = evidence();
    seen.findings = vec![
        finding("F-1", 2, Stands::Accepted),
        finding("F-2", 1, Stands::Accepted),
    ];
    assert_eq!(says(&seen), "GO+2");
    // Where legacy itself varies, or what is gone, counts for nothing.
    seen.findings = vec![
        finding("F-1", 2, Stands::Apart),
        finding("F-2", 1, Stands::Gone),
    ];
    assert_eq!(says(&seen), "GO");
}

#[test]
fn a_group_that_has_moved_comes_back_and_stays_until_somebody_signs() {
    let recalls = format!("{AUTHORIZE}rolls_back = true\n");
    let mut seen = evidence();
    seen.findings = vec![finding("F-1", 2, Stands::Open)];
    seen.decisions = vec![decided(Word::SignOff, "ann"), decided(Word::Go, "bob")];
    let report = weigh(&recalls, &seen);
    assert_eq!(
        (report.verdict, report.stage),
        (Verdict::RollBack, Stage::Going)
    );
    assert_eq!(weigh(AUTHORIZE, &seen).verdict, Verdict::NoGo);

    seen.findings.clear();
    seen.decisions.push(decided(Word::RollBack, "bob"));
    let report = weigh(&recalls, &seen);
    assert_eq!(
        (report.verdict, report.stage),
        (Verdict::Hold, Stage::RolledBack)
    );
    assert_eq!(report.people.signed_by, None);
    seen.decisions.push(decided(Word::Hold, "bob"));
    assert_eq!(weigh(&recalls, &seen).stage, Stage::RolledBack);
    seen.decisions.push(decided(Word::SignOff, "ann"));
    let report = weigh(&recalls, &seen);
    assert_eq!((report.verdict, report.stage), (Verdict::Go, Stage::Signed));
    assert_eq!(report.people.signed_by.as_deref(), Some("ann"));
    // A signature is for the criteria that were signed.
    seen.decisions.last_mut().unwrap().decided.evidence.gate = "other".to_owned();
    let report = weigh(&recalls, &seen);
    assert_eq!(report.people.signed_by, None);
    assert_eq!(
        report.people.lapsed.as_deref(),
        Some("the gate's criteria have changed since")
    );
}

#[test]
fn a_gate_says_how_to_undo_it() {
    let report = weigh(AUTHORIZE, &evidence());
    assert_eq!(
        (report.undo.path.as_str(), report.undo.takes_s),
        ("tap", Some(240))
    );
    let last = report.undo.last_safe_start.unwrap();
    assert_eq!(last, evenkeel::ledger::views::rfc3339(NOW - 240_000_000));
    assert_eq!(report.undo.open_sessions, 3);
    assert!(report.unproven.len() >= 5);
}

#[test]
fn every_mistake_in_a_gate_file_has_its_place() {
    let head =
        "[gate]\nname = \"x\"\n[[criterion]]\nid = \"A1\"\narea = \"charger\"\ntitle = \"t\"\n";
    for (text, at, says) in [
        ("[gate]\n".to_owned(), "", "missing field"),
        ("[gate]\nname = \"x\"\n".to_owned(), "", "no blocking"),
        (
            format!("{head}unit = \"night\"\nfailures = 0\n"),
            "\"night\"",
            "no unit",
        ),
        (
            format!("{head}unit = \"exchange\"\n"),
            "\"A1\"",
            "does not say what is needed",
        ),
        (
            format!("{head}unit = \"exchange\"\nfailures = 0\nrate = \"1 %\"\n"),
            "\"A1\"",
            "does not say",
        ),
        (
            format!("{head}unit = \"exchange\"\nrate = \"1\"\n"),
            "\"1\"",
            "no share",
        ),
        (
            format!("{head}unit = \"exchange\"\nrate = \"100 %\"\n"),
            "\"100 %\"",
            "no share",
        ),
        (
            format!("{head}unit = \"exchange\"\nfailures = 0\nseverity = \"bad\"\n"),
            "\"bad\"",
            "no severity",
        ),
        (
            format!("{head}unit = \"exchange\"\nfailures = 0\nfresh = \"soon\"\n"),
            "\"soon\"",
            "no time",
        ),
        (
            format!("{head}unit = \"charger\"\nfailures = 0\n"),
            "\"charger\"\nfail",
            "what is counted",
        ),
        (
            format!("{head}unit = \"monitor\"\nfailures = 0\n"),
            "\"monitor\"",
            "which monitor",
        ),
        (
            format!("{head}unit = \"monitor\"\nmonitor = \"m\"\nfailures = 0\n"),
            "\"m\"",
            "bad",
        ),
        (
            format!("{head}unit = \"group\"\nhas = \"luck\"\n"),
            "\"group\"",
            "what must",
        ),
        (
            format!("{head}unit = \"exchange\"\nfailures = 0\ncolour = 1\n"),
            "colour",
            "unknown field",
        ),
        (
            format!(
                "{head}unit = \"exchange\"\nfailures = 0\n[[criterion]]\nid = \"A1\"\narea = \"data\"\ntitle = \"\"\nunit = \"cdr\"\nfailures = 0\n"
            ),
            "\"A1\"\narea = \"data\"",
            "twice",
        ),
    ] {
        let mistake = Gate::read(&text).unwrap_err();
        assert!(mistake.what.contains(says), "{mistake}: {text}");
        assert!(!mistake.help.is_empty());
        if !at.is_empty() {
            assert_eq!(
                mistake.span.start,
                text.find(at).unwrap(),
                "{mistake}: {text}"
            );
        }
    }
}

const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;

/// A night of one charger in a group, in which the candidate blocks `wrong` of four drivers.
fn night(wrong: usize) -> Recorded {
    let mut story = Story::open("CP1");
    story.loaded(&json!({
        "groups": [{"name": "depot", "patterns": ["CP*"], "rollback": "tap", "rollback_s": 240, "wave": "pilot"}],
        "waves": [{"name": "pilot", "date": "2026-12-01"}],
    }));
    for driver in 0..4 {
        let answer = if driver < wrong { BLOCKED } else { ACCEPTED };
        story.exchange(
            "Authorize",
            r#"{"idTag":"T1"}"#,
            ACCEPTED,
            Shadow::Answers(answer),
        );
    }
    Recorded::of(&story.facts)
}

fn gate_file(dir: &std::path::Path, text: &str) -> String {
    let file = dir.join("gate.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// Hashes depend on every row: they are no part of what is looked at.
fn without_hashes(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        all + "sha256:..." + rest
    })
}

#[test]
fn the_program_says_the_verdict_and_exits_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = gate_file(dir.path(), SMALL);
    let as_of = "2026-11-18T12:00:00Z";
    let args = ["--gate", &file, "--group", "depot", "--as-of", as_of];
    let (exit, text) = night(0).run(&["gate"], &args);
    assert_eq!(exit, 0, "{text}");
    insta::assert_snapshot!("go", without_hashes(&text));

    let junit = dir.path().join("gate.xml");
    let written = [&args[..], &["--junit", junit.to_str().unwrap()]].concat();
    let failing = night(2);
    let (exit, text) = failing.run(&["gate"], &written);
    assert_eq!(exit, 1, "{text}");
    insta::assert_snapshot!("no_go", without_hashes(&text));
    let xml = std::fs::read_to_string(junit).unwrap();
    assert_eq!(xml.matches("<failure ").count(), 1, "{xml}");
    assert!(
        xml.contains("tests=\"3\" failures=\"1\" errors=\"0\""),
        "{xml}"
    );

    let strict = gate_file(dir.path(), &SMALL.replace("sample = 3", "sample = 5"));
    let (exit, text) = night(0).run(
        &["gate"],
        &["--gate", &strict, "--group", "depot", "--as-of", as_of],
    );
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains("A1: 1 more Authorize"), "{text}");
}

#[test]
fn law_7_a_tap_that_has_only_just_started_holds() {
    let night = Recorded::of(&[]);
    // It has the recording, and its judge has not made the ledger yet.
    let _tap = night.open();
    for more in [&[][..], &["--group", "depot"]] {
        let (exit, text) = night.run(&["gate"], more);
        assert_eq!(exit, 3, "{text}");
        assert!(text.contains("verdict  [?] HOLD"), "{text}");
        assert!(text.contains("no fact is judged yet"), "{text}");
    }
    let args = [
        "--group",
        "depot",
        "--by",
        "ana",
        "--reason",
        "x",
        "--confirm",
        "depot",
    ];
    let (exit, text) = night.run(&["decide", "go"], &args);
    assert_eq!(exit, 3, "{text}");
    assert!(text.contains("DEC-002"), "{text}");
}

#[test]
fn the_result_fits_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    let file = gate_file(dir.path(), SMALL);
    for more in [&["--gate", &file, "--group", "depot"][..], &[]] {
        let (_, text) = night(1).run(&["gate", "--json"], more);
        let report: Value = serde_json::from_str(&text).expect(&text);
        schema::assert_fits("gate", &report);
    }
}

#[test]
fn a_checkpoint_looks_at_what_was_there_then_with_exact_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let file = gate_file(dir.path(), SMALL);
    let night = night(0);
    let at = "2026-11-18T11:06:45Z";
    let (exit, text) = night.run(
        &["gate", "--json"],
        &["--gate", &file, "--group", "depot", "--checkpoint", at],
    );
    assert_eq!(exit, 0, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["checkpoint"], json!(true));
    let exact = bound::exact(0, 4, 0.05);
    let said = report["criteria"][0]["bound"].as_f64().unwrap();
    assert!((said - exact).abs() < 1e-9, "{said} {exact}");
    let (exit, text) = night.run(
        &["gate"],
        &["--gate", &file, "--checkpoint", "2026-11-18T11:06:46Z"],
    );
    assert_eq!(exit, 2, "{text}");
    assert!(text.contains("GATE-004"), "{text}");
}

#[test]
fn what_cannot_be_weighed_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = gate_file(dir.path(), &SMALL.replace("\"exchange\"", "\"night\""));
    let (exit, text) = night(0).run(&["gate"], &["--gate", &file]);
    assert_eq!(exit, 2, "{text}");
    assert!(
        text.contains("GATE-001") && text.contains("line 11"),
        "{text}"
    );
    let (exit, text) = night(0).run(&["gate"], &["--group", "street"]);
    assert_eq!(exit, 2, "{text}");
    assert!(
        text.contains("GATE-003") && text.contains("depot"),
        "{text}"
    );
}
