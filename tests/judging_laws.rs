//! The laws of judgement and the ledger that keeps it: the same facts give the same ledger, once, and what is missing is
//! never good news.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/story.rs"]
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use evenkeel::facts::{Dir, Fact, Kind};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::query::{Filter, Reader};
use evenkeel::ledger::row::{Outcome, Row, Subject};
use evenkeel::ledger::{Digest, Ledger, Pending, views};

use serde_json::json;
use story::{Shadow, Story};

const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;
/// The finding of a candidate that blocks what legacy accepts.
const REFUSING: &str = "F-01RNM407";
const TAG: &str = r#"{"idTag":"T1"}"#;
const START: &str =
    r#"{"connectorId":1,"idTag":"T1","meterStart":0,"timestamp":"2026-11-24T00:00:00Z"}"#;

fn judge(facts: &[Fact]) -> Vec<Row> {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::built_in().unwrap());
    let mut judge = Judge::new(RULES.clone());
    let mut rows = Vec::new();
    for fact in facts {
        judge.feed(fact, &mut |row| rows.push(row));
    }
    rows
}

fn started(transaction: i64, status: &str) -> String {
    format!(r#"{{"transactionId":{transaction},"idTagInfo":{{"status":"{status}"}}}}"#)
}

/// A night with a bit of everything.
fn night() -> Vec<Fact> {
    let mut story = Story::open("CP1");
    for round in 0..40 {
        let answer = if round % 3 == 0 { BLOCKED } else { ACCEPTED };
        story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(answer));
        story.exchange(
            "StartTransaction",
            START,
            &started(round, "Accepted"),
            Shadow::Answers(&started(round + 100, "Accepted")),
        );
        let stop = format!(r#"{{"transactionId":{round}}}"#);
        story.exchange("StopTransaction", &stop, "{}", Shadow::Answers("{}"));
        story.command("ClearCache", "{}");
        let value = format!(r#"{{"key":"K","value":"{}"}}"#, round % 2);
        story.stand_in("ChangeConfiguration", &value, "refusal");
        if round % 5 == 0 {
            story.shadow_command("Reset", r#"{"type":"Soft"}"#);
        }
        if round % 7 == 0 {
            story.gap(Dir::ToCharger);
        }
        if round % 6 == 0 {
            let state = ["accepted", "fixed"][round as usize / 6 % 2];
            let until = story.now() + 60_000_000;
            story.said(&json!({"finding": REFUSING, "action": "Authorize", "state": state, "until": until}));
            story.said(&json!({"build": round.to_string()}));
        }
        let hanging = story.call("Heartbeat", "{}");
        story.sent(hanging);
        story.pass(7);
    }
    story.facts
}

#[test]
fn law_5_judging_twice_gives_the_same_ledger() {
    let facts = night();
    let mut expected = Digest::default();
    for row in judge(&facts) {
        expected.absorb(&row);
    }
    for size in [1, 7, 1_000] {
        let dir = tempfile::tempdir().unwrap();
        let ledger = write(&facts, dir.path(), size);
        assert_eq!(ledger.cursor().digest, expected);
    }
}

/// Judges `facts` into a ledger in pieces of `size`, going on where the ledger is.
fn write(facts: &[Fact], dir: &std::path::Path, size: usize) -> Ledger {
    let rules = Rules::built_in().unwrap();
    let mut ledger = Ledger::open(dir, rules.fingerprint()).unwrap();
    let mut judge = Judge::new(rules);
    let written = ledger.cursor().seq as usize;
    for fact in &facts[..written] {
        judge.feed(fact, &mut |_| {});
    }
    for piece in facts[written..].chunks(size) {
        let mut rows = Vec::new();
        for fact in piece {
            judge.feed(fact, &mut |row| rows.push(row));
        }
        let pending = Pending {
            exchanges: judge.pending(),
            commands: judge.pending_commands(),
        };
        ledger
            .apply(&rows, piece.last().unwrap().seq, pending)
            .unwrap();
    }
    ledger
}

#[test]
fn law_8_an_interrupted_judge_resumes_without_loss_or_double_counting() {
    let facts = night();
    let (whole, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = write(&facts, whole.path(), 50).cursor().clone();
    for cut in [1, 33, 34, 200, facts.len()] {
        drop(write(&facts[..cut], broken.path(), 10));
    }
    assert_eq!(*write(&facts, broken.path(), 10).cursor(), expected);
    let view = |dir: &std::path::Path| {
        views::diffs(&Reader::open(dir).unwrap(), &Filter::default()).unwrap()
    };
    let expected = view(whole.path());
    let refusing = &expected.findings[0];
    assert_eq!(refusing.id, REFUSING);
    assert!(refusing.triage.is_some() && !refusing.builds.is_empty());
    assert_eq!(view(broken.path()), expected);
}

#[test]
fn other_rules_empty_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    assert!(write(&night(), dir.path(), 100).cursor().seq > 0);
    assert_eq!(
        Ledger::open(dir.path(), "other rules")
            .unwrap()
            .cursor()
            .seq,
        0
    );
}

#[test]
fn the_ledger_counts_and_lists() {
    let dir = tempfile::tempdir().unwrap();
    write(&night(), dir.path(), 100);
    let reader = Reader::open(dir.path()).unwrap();
    let outcomes = reader.outcomes(Subject::Exchange).unwrap();
    let coverage = reader.coverage(Subject::Exchange).unwrap();
    assert_eq!(outcomes.divergent, 14);
    assert!(outcomes.pending > 0 && outcomes.not_comparable["tainted"] == 28);
    assert_eq!(coverage["Authorize"].comparable(), 40);
    let finding = &reader.findings(&Filter::default()).unwrap()[0];
    assert_eq!((finding.count, finding.of), (14, 40));
    assert_eq!(
        (finding.exemplars.len(), finding.chargers.as_slice()),
        (5, &["CP1".to_owned()][..])
    );
    let exemplar = &reader.exemplars(&finding.id, 1).unwrap()[0];
    assert!(exemplar.facts.iter().all(|seq| *seq > 0));
    assert_eq!(exemplar.pointer, "/idTagInfo/status");
    let none = Filter {
        charger: Some("other".to_owned()),
        ..Filter::default()
    };
    assert!(reader.findings(&none).unwrap().is_empty());
    let latency = reader.latencies().unwrap();
    let shadow = latency
        .iter()
        .find(|latency| latency.action == "Authorize" && latency.what == "shadow")
        .unwrap();
    assert!((30_000..=33_750).contains(&shadow.p50), "{shadow:?}");
}

#[test]
fn the_json_view_is_stable() {
    let mut story = Story::open("CP1");
    story.exchange(
        "BootNotification",
        r#"{"chargePointVendor":"ACME","chargePointModel":"M1","firmwareVersion":"1.2"}"#,
        r#"{"status":"Accepted","interval":300}"#,
        Shadow::Answers(r#"{"status":"Accepted","interval":900}"#),
    );
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    story.exchange("Heartbeat", "{}", "{}", Shadow::Withheld("queue full"));
    story.stand_in("GetConfiguration", "{}", "model");
    story.stand_in(
        "ChangeConfiguration",
        r#"{"key":"CentralSystemURL","value":"wss://candidate.example"}"#,
        "refusal",
    );
    let dir = tempfile::tempdir().unwrap();
    write(&story.facts, dir.path(), 100);
    let view = views::diffs(&Reader::open(dir.path()).unwrap(), &Filter::default()).unwrap();
    insta::assert_json_snapshot!(view);
}

#[test]
fn a_recording_is_judged_live_and_verified() {
    use evenkeel::cli::judging::{JudgeThread, judge_recording, rejudge_digest};
    use evenkeel::facts::{Limits, Recorder};

    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
    let rules = || Rules::built_in().unwrap();
    let thread = JudgeThread::spawn(dir.path(), rules(), recorder.follow()).unwrap();
    for fact in night() {
        recorder.record(fact).unwrap();
    }
    recorder.close(std::time::Duration::from_secs(20)).unwrap();
    let live = thread.stop().unwrap();
    let again = rejudge_digest(dir.path(), rules(), None).unwrap();
    assert_eq!(again.cursor.digest, live);
    assert_eq!(
        Reader::open(dir.path()).unwrap().cursor().unwrap(),
        again.cursor
    );
    let later = judge_recording(dir.path(), rules(), None, &mut |_, _| {}).unwrap();
    assert_eq!(later, live);
    assert!(again.exchanges.divergent > 0);
}

#[test]
fn law_5_any_number_of_threads_gives_the_same_ledger() {
    use std::num::NonZeroUsize;

    use evenkeel::cli::judging::{Threads, judge_recording_on, rejudge_digest_on};
    use evenkeel::facts::{Limits, Recorder};

    let recording = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(recording.path(), Limits::default()).unwrap();
    // Several pages, so that every stage is ahead of the next.
    let nights = (0..14).flat_map(|_| night());
    for (seq, fact) in (1..).zip(nights) {
        let moved = seq - fact.seq;
        let cause = if fact.cause == 0 {
            0
        } else {
            fact.cause + moved
        };
        while recorder.is_pressed() {
            std::thread::yield_now();
        }
        let fact = Fact { cause, ..fact };
        assert_eq!(recorder.record(fact), Some(seq));
    }
    recorder.close(std::time::Duration::from_secs(20)).unwrap();

    let rules = || Rules::built_in().unwrap();
    let counts = (1..=3).filter_map(NonZeroUsize::new);
    let mut ledgers = BTreeSet::new();
    for threads in counts.map(Threads::at_most) {
        let ledger = recording.path().join("ledger.db");
        if ledger.exists() {
            std::fs::remove_file(ledger).unwrap();
        }
        let mut heard = Vec::new();
        let mut progress = |done, goal| heard.push((done, goal));
        // In two goes: the second judges again what the first has written.
        for up_to in [Some(3_000), None] {
            judge_recording_on(threads, recording.path(), rules(), up_to, &mut progress).unwrap();
        }
        let last = heard.last().copied().unwrap();
        assert!(last.0 == last.1 && last.0 > 6_000, "{last:?}");
        let written = Reader::open(recording.path()).unwrap().cursor().unwrap();
        let again = rejudge_digest_on(threads, recording.path(), rules(), None).unwrap();
        assert_eq!(written, again.cursor, "{threads:?}");
        ledgers.insert(written.digest.to_string());
    }
    assert_eq!(ledgers.len(), 1, "{ledgers:?}");
}

/// The outcome of each exchange, by the sequence number of its CALL.
fn outcomes(facts: &[Fact]) -> BTreeMap<u64, Outcome> {
    judge(facts)
        .into_iter()
        .filter_map(|row| match row {
            Row::Exchange(row) => Some((row.id, row.outcome)),
            _ => None,
        })
        .collect()
}

#[test]
fn law_7_no_lost_frame_makes_a_divergence_equal() {
    let facts = &night()[..250];
    let whole = outcomes(facts);
    for lost in 0..facts.len() {
        if !matches!(
            facts[lost].kind,
            Kind::Message | Kind::ShadowSent | Kind::ShadowReceived
        ) {
            continue;
        }
        let mut facts = facts.to_vec();
        facts[lost].kind = Kind::Gap;
        facts[lost].body.clear();
        for (id, outcome) in outcomes(&facts) {
            let good = matches!(outcome, Outcome::Equal | Outcome::Explained);
            assert!(
                !good || whole[&id] != Outcome::Divergent,
                "exchange {id} without fact {}",
                lost + 1
            );
        }
    }
}

/// Rounds of a charger whose sessions never end and whose connections end in every way there is.
fn months(rounds: i64) -> Judge {
    let mut story = Story::open("CP1");
    for round in 0..rounds {
        let tag = format!("{round:04}");
        let request = START.replace("T1", &tag);
        let ask = TAG.replace("T1", &tag);
        story.exchange("Authorize", &ask, ACCEPTED, Shadow::Answers(BLOCKED));
        story.learned(
            "transactionId",
            &(10_000 + round).to_string(),
            &(90_000 - round).to_string(),
        );
        story.exchange(
            "StartTransaction",
            &request
                .replace(&tag, "other")
                .replace(r#""meterStart":0"#, &format!(r#""meterStart":{round}"#)),
            &started(10_000 + round, "Accepted"),
            Shadow::Answers(&started(90_000 - round, "Accepted")),
        );
        story.call("Heartbeat", "{}");
        story.command("ClearCache", "{}");
        story.pass(100);
        match round % 4 {
            0 => story.killed(),
            1 => story.close(),
            2 => {
                story.shadow_closed();
                story.close();
            }
            _ => {
                story.close();
                story.shadow_closed();
            }
        }
        story.connect_again();
    }
    let mut judge = Judge::new(Rules::built_in().unwrap());
    for fact in &story.facts {
        judge.feed(fact, &mut |_| {});
    }
    judge
}

#[test]
fn the_judge_does_not_grow_with_the_recording() {
    let size = |rounds| format!("{:?}", months(rounds)).len();
    // Long after everything that is bounded is full, and with sequence numbers of one length.
    let (early, late) = (size(1_200), size(1_800));
    assert!(late <= early + early / 50, "{early} then {late} characters");
}
