//! The life of findings: what legacy itself varies in, what likely causes them, what people decide and what becomes of it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/story.rs"]
mod story;

#[path = "findings/recorded.rs"]
mod recorded;
#[path = "common/schema.rs"]
mod schema;

use std::path::Path;

use evenkeel::facts::{Dir, Fact};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::query::{Filter, Reader};
use evenkeel::ledger::row::State;
use evenkeel::ledger::views::{self, Diffs, Finding};
use evenkeel::ledger::{Ledger, Pending};

use recorded::{Recorded, note};
use serde_json::{Value, json};
use story::{Shadow, Story};

const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;
const TAG: &str = r#"{"idTag":"T1"}"#;
const DAY: i64 = 86_400;

/// Judges facts into a ledger, in pieces of `size`, and reads it.
fn judged(facts: &[Fact], size: usize) -> Diffs {
    let dir = tempfile::tempdir().unwrap();
    write(facts, dir.path(), size);
    views::diffs(&Reader::open(dir.path()).unwrap(), &Filter::default()).unwrap()
}

fn write(facts: &[Fact], dir: &Path, size: usize) {
    let rules = Rules::built_in().unwrap();
    let mut ledger = Ledger::open(dir, rules.fingerprint()).unwrap();
    let mut judge = Judge::new(rules);
    for piece in facts.chunks(size) {
        let mut rows = Vec::new();
        for fact in piece {
            judge.feed(fact, &mut |row| rows.push(row));
        }
        let pending = Pending::default();
        ledger
            .apply(&rows, piece.last().unwrap().seq, pending)
            .unwrap();
    }
}

fn only(diffs: Diffs) -> Finding {
    let [finding] = <[Finding; 1]>::try_from(diffs.findings).unwrap();
    finding
}

/// Authorize, answered by legacy and candidate.
fn ask(story: &mut Story, legacy: &str, candidate: &str) {
    story.exchange("Authorize", TAG, legacy, Shadow::Answers(candidate));
}

/// A candidate that blocks what legacy accepts.
fn blocks(story: &mut Story) {
    ask(story, ACCEPTED, BLOCKED);
}

fn agrees(story: &mut Story, times: usize) {
    for _ in 0..times {
        ask(story, ACCEPTED, ACCEPTED);
    }
}

/// The finding of a candidate that blocks what legacy accepts.
fn blocking() -> String {
    let mut story = Story::open("CP1");
    blocks(&mut story);
    only(judged(&story.facts, 100)).id
}

#[test]
fn a_divergence_where_legacy_varies_itself_is_told_apart_with_the_numbers() {
    let mut story = Story::open("CP1");
    for round in 0..40 {
        // A counter of messages: no two answers of either backend are the same.
        let answer = |by| format!(r#"{{"status":"Accepted","data":"{}"}}"#, round * by);
        story.exchange(
            "DataTransfer",
            r#"{"vendorId":"v"}"#,
            &answer(3),
            Shadow::Answers(&answer(5)),
        );
    }
    let finding = only(judged(&story.facts, 7));
    let unstable = finding.unstable.clone().unwrap();
    assert_eq!((unstable.values, unstable.requests), (40, 40));
    assert_eq!((finding.count, unstable.count), (39, 38));
    assert!(unstable.apart && finding.is_apart() && finding.is_undecided());
    assert!(!finding.counts());
}

#[test]
fn a_tag_that_legacy_blocked_once_is_no_variance() {
    let mut story = Story::open("CP1");
    for round in 0..40 {
        let legacy = if round < 20 { ACCEPTED } else { BLOCKED };
        ask(&mut story, legacy, ACCEPTED);
    }
    let finding = only(judged(&story.facts, 7));
    assert_eq!((finding.count, &finding.unstable), (20, &None));
    assert!(finding.counts());
}

#[test]
fn the_life_of_a_finding() {
    let id = blocking();
    let at = |story: &Story| only(judged(&story.facts, 5));
    let mut story = Story::open("CP1");
    agrees(&mut story, 9);
    blocks(&mut story);
    let new = at(&story);
    assert_eq!((new.state, new.triage.is_none()), (State::New, true));
    assert_eq!((new.count, new.exposure.of, new.without), (1, 10, 0));

    note(&mut story, &id, State::Known, &json!({"owner": "vendor"}));
    assert_eq!(at(&story).triage.unwrap().owner, "vendor");
    let until = story.now() + DAY * 1_000_000;
    let accepted = json!({"owner": "ops", "reason": "agreed", "until": until});
    note(&mut story, &id, State::Accepted, &accepted);
    blocks(&mut story);
    let now = at(&story);
    assert_eq!((now.state, now.counts()), (State::Accepted, false));
    assert_eq!((now.without, now.stopped), (0, false));

    // It stops occurring: two in eleven so far, so three were to be expected by now.
    agrees(&mut story, 16);
    assert!(!at(&story).stopped);
    agrees(&mut story, 1);
    let stopped = at(&story);
    assert_eq!((stopped.without, stopped.stopped), (17, true));

    // Time is that of the facts.
    story.pass(DAY);
    assert_eq!(at(&story).state, State::Accepted);
    story.tick();
    let ended = at(&story);
    assert_eq!((ended.state, ended.counts()), (State::Known, true));
    assert_eq!(ended.triage.unwrap().since, "its acceptance has ended");

    note(&mut story, &id, State::Fixed, &json!({}));
    let claimed = at(&story);
    assert_eq!((claimed.state, claimed.without), (State::Fixed, 0));
    assert!(!claimed.counts() && claimed.is_undecided());
    agrees(&mut story, 17);
    let gone = at(&story);
    assert!(gone.stopped && !gone.counts() && !gone.is_undecided());
    blocks(&mut story);
    let back = at(&story);
    assert_eq!((back.state, back.counts()), (State::Regressed, true));
}

#[test]
fn a_fix_holds_from_the_build_on_that_it_is_claimed_of() {
    let id = blocking();
    let mut story = Story::open("CP1").facing("2.4.0");
    blocks(&mut story);
    note(&mut story, &id, State::Fixed, &json!({"build": "2.4.1"}));
    blocks(&mut story);
    let claimed = only(judged(&story.facts, 5));
    assert_eq!((claimed.state, claimed.counts()), (State::Fixed, true));
    assert!(claimed.triage.unwrap().awaited);

    let mut story = story.restarted("2.4.1");
    agrees(&mut story, 5);
    let fixed = only(judged(&story.facts, 5));
    assert_eq!((fixed.state, fixed.without), (State::Fixed, 5));
    assert_eq!(
        (fixed.counts(), fixed.builds.as_slice()),
        (false, &["2.4.0".to_owned()][..])
    );
    blocks(&mut story);
    let back = only(judged(&story.facts, 5));
    assert_eq!((back.state, back.builds.len()), (State::Regressed, 2));
}

#[test]
fn a_note_names_the_build_that_a_run_faced() {
    let mut story = Story::open("CP1");
    blocks(&mut story);
    story.said(&json!({"build": "2.4.0"}));
    assert_eq!(only(judged(&story.facts, 5)).builds, ["2.4.0"]);
}

#[test]
fn an_acceptance_is_for_its_models_and_its_count() {
    let id = blocking();
    let end = i64::MAX;
    let accepted = |more: Value| {
        let mut story = Story::open("CP1");
        boot(&mut story, "A-7", "1.0");
        blocks(&mut story);
        let mut said = json!({"owner": "ops", "reason": "agreed", "until": end});
        let more = more.as_object().unwrap().clone();
        said.as_object_mut().unwrap().extend(more);
        note(&mut story, &id, State::Accepted, &said);
        blocks(&mut story);
        blocks(&mut story);
        story
    };
    let mut story = accepted(json!({"models": ["A-7"]}));
    assert_eq!(only(judged(&story.facts, 5)).state, State::Accepted);
    boot(&mut story, "B-22", "1.0");
    blocks(&mut story);
    let elsewhere = only(judged(&story.facts, 5));
    let since = elsewhere.triage.clone().unwrap().since;
    assert_eq!((elsewhere.state, elsewhere.counts()), (State::Known, true));
    assert!(since.contains("B-22"), "{since}");
    let twice = only(judged(&accepted(json!({"at_most": 2})).facts, 5));
    assert_eq!(twice.state, State::Accepted);
    let once = only(judged(&accepted(json!({"at_most": 1})).facts, 5));
    assert_eq!(once.state, State::Known);
}

fn boot(story: &mut Story, model: &str, firmware: &str) {
    let request =
        json!({"chargePointVendor": "v", "chargePointModel": model, "firmwareVersion": firmware});
    let answer = r#"{"status":"Accepted","interval":300}"#;
    story.exchange(
        "BootNotification",
        &request.to_string(),
        answer,
        Shadow::Answers(answer),
    );
}

#[test]
fn an_exchange_is_looked_at_with_the_firmware_of_its_time() {
    let mut story = Story::open("CP1");
    for firmware in ["1.0", "2.0"] {
        boot(&mut story, "A-7", firmware);
        agrees(&mut story, 1);
        blocks(&mut story);
    }
    boot(&mut story, "A-7", "3.0");
    let dir = tempfile::tempdir().unwrap();
    write(&story.facts, dir.path(), 5);
    let reader = Reader::open(dir.path()).unwrap();
    let cases = reader.cases(&blocking(), "Authorize", 10).unwrap();
    let seen = cases.map(|cases| {
        let firmware = cases.into_iter().map(|case| case.firmware);
        firmware.collect::<Vec<_>>()
    });
    assert_eq!(seen, [["2.0", "1.0"], ["2.0", "1.0"]]);
}

#[test]
fn a_note_that_comes_days_later_makes_nobody_silent() {
    let mut story = Story::open("CP1");
    let hanging = story.call("Authorize", TAG);
    story.sent(hanging);
    story.pass(3 * DAY);
    note(&mut story, "F-00000000", State::Known, &json!({}));
    let diffs = judged(&story.facts, 100);
    assert_eq!(diffs.findings, []);
    assert_eq!(diffs.outcomes.not_comparable["total"], 0);
}

#[test]
fn law_5_findings_stand_the_same_in_whatever_pieces_they_are_judged() {
    let id = blocking();
    let mut story = Story::open("CP1").facing("1");
    for round in 0..30 {
        boot(&mut story, &format!("M{}", round % 3), "1");
        ask(&mut story, [ACCEPTED, BLOCKED][round % 2], BLOCKED);
        let state = [State::Known, State::Accepted, State::Fixed][round % 3];
        let until = story.now() + 1_000;
        note(
            &mut story,
            &id,
            state,
            &json!({"until": until, "build": round.to_string()}),
        );
        story = story.restarted(&round.to_string());
        if round % 4 == 0 {
            story.gap(Dir::ToCharger);
        }
    }
    let whole = judged(&story.facts, usize::MAX);
    assert!(whole.findings[0].unstable.is_some() && whole.findings[0].triage.is_some());
    for size in [1, 7, 50] {
        assert_eq!(judged(&story.facts, size), whole);
    }
}

#[test]
fn a_recording_keeps_notes_in_a_chain_and_tells_the_cause() {
    let recorded = Recorded::of(&trailing_spaces());
    let (exit, diffs) = recorded.diffs(&[]);
    assert_eq!(exit, 1);
    let finding = &diffs["findings"][0];
    let id = finding["id"].as_str().unwrap();
    assert_eq!(
        finding["cause"],
        json!({
            "attribute": "idTag", "value": "ends with a space",
            "with": {"divergent": 30, "of": 30}, "without": {"divergent": 0, "of": 60}
        })
    );
    let text = recorded.run(&["diffs"], &[]).1;
    assert!(text.contains("30 of 90 Authorize"), "{text}");
    assert!(
        text.contains(
            "likely because idTag ends with a space: 30 of 30 with it differ, 0 of 60 without"
        ),
        "{text}"
    );

    let monitors = |model: &str| -> Value {
        let args = ["diffs", "--monitors", "--json", "--model", model];
        serde_json::from_str(&recorded.run(&args, &[]).1).unwrap()
    };
    assert_ne!(monitors("M1")["counts"], json!([]));
    for part in ["shares", "counts", "latencies"] {
        assert_eq!(monitors("no such")[part], json!([]), "{part}");
    }

    let accept = ["triage", "--finding", id, "--state", "accepted"];
    let (exit, says) = recorded.run(&accept, &["--owner", "ops", "--until", "2999-01-01"]);
    assert_eq!((exit, says.contains("TRI-002")), (2, true), "{says}");
    let whole = ["--owner", "ops", "--reason", "tags are trimmed", "--until"];
    let (exit, says) = recorded.run(&accept, &[&whole[..], &["2001-01-01"]].concat());
    assert_eq!((exit, says.contains("TRI-003")), (2, true), "{says}");
    let (exit, says) = recorded.run(&accept, &[&whole[..], &["2999-01-01"]].concat());
    assert_eq!(exit, 0, "{says}");
    let (exit, diffs) = recorded.diffs(&[]);
    let triage = &diffs["findings"][0]["triage"];
    assert_eq!(
        (exit, &triage["owner"], &triage["models"]),
        (0, &json!("ops"), &json!(["M1"]))
    );
    assert_eq!(recorded.diffs(&["--state", "new"]).1["findings"], json!([]));
    assert_eq!(
        recorded.diffs(&["--owner", "vendor"]).1["findings"],
        json!([])
    );
    for found in [
        ["--owner", "ops"],
        ["--state", "accepted"],
        ["--model", "M1"],
    ] {
        assert_eq!(recorded.diffs(&found).1["findings"][0]["id"], id);
    }
    let (exit, _) = recorded.run(&["triage", "--build", "2.4.1"], &[]);
    assert_eq!(exit, 0);
    let (_, diffs) = recorded.diffs(&[]);
    assert_eq!(diffs["findings"][0]["builds"], json!(["2.4.1"]));
    schema::assert_fits("diffs", &diffs);

    let (exit, verified) = recorded.verify();
    assert_eq!((exit, &verified["notes"]["notes"]), (0, &json!(2)));
    schema::assert_fits("verify", &verified);
    recorded.alter("UPDATE facts SET body = CAST(replace(CAST(body AS TEXT), 'ops', 'oops') AS BLOB) WHERE kind = 62");
    let (exit, verified) = recorded.verify();
    assert_eq!((exit, verified["ok"].as_bool()), (5, Some(false)));
    assert!(verified["notes"]["broken"].as_u64() > Some(0), "{verified}");
    let (exit, says) = recorded.run(&accept, &[&whole[..], &["2999-01-01"]].concat());
    assert_eq!((exit, says.contains("TRI-005")), (5, true), "{says}");
}

#[test]
fn what_a_difference_implies_is_not_its_cause() {
    let cause = |others_have_parents: bool| {
        let mut story = Story::open("CP1");
        boot(&mut story, "M1", "1.2");
        for number in 0..90 {
            let odd = number % 3 == 0;
            let tag = format!(
                r#"{{"idTag":"TAG{number:03}{}"}}"#,
                if odd { " " } else { "" }
            );
            let of = |parent: &str| {
                format!(r#"{{"idTagInfo":{{"status":"Accepted","parentIdTag":"{parent}"}}}}"#)
            };
            let (legacy, candidate) = match (odd, others_have_parents) {
                (true, _) => (of("P1"), of("P2")),
                (false, true) => (of("P1"), of("P1")),
                (false, false) => (ACCEPTED.to_owned(), ACCEPTED.to_owned()),
            };
            story.exchange("Authorize", &tag, &legacy, Shadow::Answers(&candidate));
        }
        story.stopped();
        let diffs = Recorded::of(&story.facts).diffs(&[]).1;
        let finding = diffs["findings"][0].clone();
        assert_eq!(finding["path"], "/idTagInfo/parentIdTag", "{diffs}");
        finding["cause"].clone()
    };
    // Only answers with a parent can differ in it, and all of them do.
    assert_eq!(cause(false), Value::Null);
    assert_eq!(cause(true)["value"], "ends with a space");
}

/// Two chargers; a candidate that does not know tags with a space behind them.
fn trailing_spaces() -> Vec<Fact> {
    let mut story = Story::open("CP1");
    boot(&mut story, "M1", "1.2");
    for number in 0..90 {
        let odd = number % 3 == 0;
        let tag = format!(
            r#"{{"idTag":"TAG{number:03}{}"}}"#,
            if odd { " " } else { "" }
        );
        let answer = if odd { BLOCKED } else { ACCEPTED };
        story.exchange("Authorize", &tag, ACCEPTED, Shadow::Answers(answer));
    }
    story.stopped();
    story.facts
}

#[test]
fn a_recording_that_a_tap_has_open_takes_no_notes() {
    let recorded = Recorded::of(&trailing_spaces());
    let id = recorded.diffs(&[]).1["findings"][0]["id"].clone();
    let id = id.as_str().unwrap();
    let tap = recorded.open();
    let (exit, says) = recorded.run(&["triage", "--finding", id, "--state", "known"], &[]);
    assert_eq!((exit, says.contains("TRI-004")), (4, true), "{says}");
    assert!(says.contains("help: "), "{says}");
    drop(tap);
    let (exit, says) = recorded.run(&["triage", "--finding", "F-NONE", "--state", "known"], &[]);
    assert_eq!((exit, says.contains("TRI-001")), (2, true), "{says}");
}
