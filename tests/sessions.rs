//! Sessions and CDRs, three ways: the charger's account, legacy's and the candidate's. Facts by hand, rows by the judge.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step of a test should end it"
)]

#[path = "sessions/faults.rs"]
mod faults;
#[path = "sessions/night.rs"]
mod night;
#[path = "judging/rows.rs"]
mod rows;
#[path = "common/schema.rs"]
mod schema;
#[path = "judging/story.rs"]
mod story;
#[path = "sessions/wire.rs"]
mod wire;

use std::collections::BTreeMap;

use evenkeel::facts::{Fact, Leg, Limits, Recorder};
use evenkeel::judge::{Judge, Place, Rules, Settings};
use evenkeel::ledger::Digest;
use evenkeel::ledger::row::{Outcome, Reason, Row, Session};
use serde_json::{Value, json};

use faults::{FAULTS, price, shift};
use night::{Books, cdr, charge, kind_of, parse};
use rows::{divergences, judge};
use story::{Shadow, Story};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The last row of every session, by identity.
fn sessions(rows: &[Row]) -> Vec<Session> {
    let mut last = BTreeMap::new();
    for row in rows {
        if let Row::Session(session) = row {
            last.insert(session.id, (**session).clone());
        }
    }
    last.into_values().collect()
}

/// The kinds of what was found about sessions.
fn kinds(rows: &[Row]) -> Vec<String> {
    let found = divergences(rows).into_iter();
    let of_sessions = found.filter(|row| row.action == "Session");
    of_sessions.map(|row| row.kind.clone()).collect()
}

/// One session, and what the backends book of it after `change`.
fn judged(change: impl FnOnce(&mut Books)) -> Vec<Row> {
    let mut story = Story::open("CP1");
    let start = charge(&mut story, 1);
    story.pass(120);
    let mut books = Books::of(1, start);
    change(&mut books);
    books.read_into(&mut story);
    judge(&story.facts)
}

#[test]
fn a_session_that_all_agree_on_is_equal() {
    let rows = judged(|_| {});
    assert_eq!(kinds(&rows), Vec::<String>::new());
    let sessions = sessions(&rows);
    assert_eq!(sessions.len(), 1);
    let session = &sessions[0];
    assert_eq!(session.outcome, Some(Outcome::Equal));
    assert_eq!(session.state, "ended");
    assert_eq!(session.legacy_names, ["101"]);
    assert_eq!(session.candidate_names, ["701"]);
    let wire = session.wire.as_ref().unwrap();
    assert_eq!(wire.energy_wh.as_deref(), Some("10346"));
    assert_eq!(wire.parking_hours.as_deref(), Some("0.175"));
    assert_eq!(wire.excl_vat.as_deref(), Some("5.2211"));
    assert_eq!(wire.incl_vat.as_deref(), Some("6.3175"));
    let verdicts: Vec<_> = session
        .checks
        .iter()
        .map(|check| (&*check.name, &*check.verdict))
        .collect();
    for name in [
        "energy", "start", "end", "duration", "parking", "periods", "cost", "token",
    ] {
        assert!(verdicts.contains(&(name, "equal")), "{name}: {verdicts:?}");
    }
}

#[test]
fn item_13_each_single_fault_is_one_finding_by_its_name() {
    for (severity, name, change) in FAULTS {
        let rows = judged(|books| change(&mut books.candidate));
        assert_eq!(kinds(&rows), [*name], "{name}");
        let found = divergences(&rows);
        let found = found.iter().find(|row| row.action == "Session").unwrap();
        assert_eq!(found.severity.code(), *severity, "{name}");
        assert_eq!(found.rule, format!("session-{name}"));
        assert_eq!(found.candidate, *name);
        let session = &sessions(&rows)[0];
        assert_eq!(session.outcome, Some(Outcome::Divergent), "{name}");
        assert_eq!(session.findings, [found.finding.as_str()]);
    }
}

#[test]
fn where_the_charger_says_who_is_right_a_wrong_legacy_is_said_plainly() {
    let known = [
        "wh-for-kwh",
        "kwh-for-wh",
        "power-of-ten",
        "start-ignored",
        "energy",
        "time-zone",
        "clock-source",
        "time",
        "duration",
        "parking",
        "step-size",
        "price",
        "vat-missing",
        "token",
        "periods",
        "signed-data-lost",
        "signed-data-altered",
        "duplicate",
        "currency",
    ];
    for (_, name, change) in FAULTS.iter().filter(|(_, name, _)| known.contains(name)) {
        let rows = judged(|books| change(&mut books.legacy));
        assert_eq!(kinds(&rows), [*name], "{name}");
        let found = divergences(&rows);
        let found = found.iter().find(|row| row.action == "Session").unwrap();
        let said = "candidate is right, legacy wrong: legacy ";
        assert!(found.title.starts_with(said), "{name}: {}", found.title);
        assert_eq!(
            sessions(&rows)[0].outcome,
            Some(Outcome::Explained),
            "{name}"
        );
    }
}

#[test]
fn the_noise_floors_are_no_findings() {
    for change in [
        |books: &mut Vec<Value>| books[1]["total_energy"] = parse("10.347"),
        |books: &mut Vec<Value>| shift(&mut books[1], 1),
        |books: &mut Vec<Value>| books[1]["total_time"] = parse("2.0003"),
        |books: &mut Vec<Value>| price(&mut books[1], "5.2311", "6.3275"),
        |books: &mut Vec<Value>| books[1]["cdr_token"]["uid"] = "t1".into(),
        |books: &mut Vec<Value>| books[1]["tariffs"][0]["id"] = "other".into(),
        |books: &mut Vec<Value>| books[1]["cdr_location"]["evse_id"] = "nlabce1".into(),
        |books: &mut Vec<Value>| books[1]["cdr_location"]["city"] = Value::Null,
        |books: &mut Vec<Value>| {
            books[1]["cdr_location"]["coordinates"]["latitude"] = "52.011574".into();
        },
        |books: &mut Vec<Value>| {
            for part in [
                "total_fixed_cost",
                "total_energy_cost",
                "total_parking_cost",
            ] {
                books[1][part] = Value::Null;
            }
        },
        |books: &mut Vec<Value>| books[1]["end_date_time"] = "1970-01-01T00:00:00Z".into(),
    ] {
        let rows = judged(|books| change(&mut books.candidate));
        assert_eq!(kinds(&rows), Vec::<String>::new());
    }
}

#[test]
fn a_correction_by_credit_is_netted() {
    let rows = judged(|books| {
        let right = books.candidate[1].clone();
        books.candidate[1]["total_energy"] = json!(10_346);
        let mut credit = books.candidate[1].clone();
        credit["id"] = "credit".into();
        credit["credit"] = true.into();
        credit["credit_reference_id"] = books.candidate[1]["id"].clone();
        credit["total_cost"] = parse(r#"{"excl_vat":-5.2211,"incl_vat":-6.3175}"#);
        let mut again = right;
        again["id"] = "again".into();
        books.candidate.extend([credit, again]);
    });
    assert_eq!(kinds(&rows), Vec::<String>::new());
    assert_eq!(sessions(&rows)[0].outcome, Some(Outcome::Equal));
}

/// Passes time, a fact every while.
fn wait(story: &mut Story, seconds: i64) {
    for _ in 0..10 {
        story.pass(seconds / 10);
        story.tick();
    }
}

#[test]
fn a_record_is_missing_only_after_its_time_and_only_where_others_were_read() {
    let missing = |leg: Leg, cut: usize| {
        let mut story = Story::open("CP1");
        let start = charge(&mut story, 1);
        story.pass(120);
        let mut books = Books::of(1, start);
        match leg {
            Leg::Legacy => books.legacy.truncate(cut),
            Leg::Candidate => books.candidate.truncate(cut),
        }
        // Both backends give CDRs.
        let earlier = Books::of(9, start - 30 * DAY * 1_000_000);
        earlier.read_into(&mut story);
        books.read_into(&mut story);
        story
    };
    let mut story = missing(Leg::Candidate, 0);
    assert_eq!(kinds(&judge(&story.facts)), Vec::<String>::new());
    wait(&mut story, 3 * DAY);
    let rows = judge(&story.facts);
    assert_eq!(kinds(&rows), ["missing"]);
    let title = &divergences(&rows)[0].title;
    assert_eq!(
        title,
        "candidate does not have the session; legacy is right"
    );

    let mut story = missing(Leg::Candidate, 1);
    wait(&mut story, 3 * DAY);
    assert_eq!(kinds(&judge(&story.facts)), ["missing-cdr"]);
    let mut story = missing(Leg::Legacy, 0);
    wait(&mut story, 3 * DAY);
    let sessions = sessions(&judge(&story.facts));
    let ended = sessions.iter().find(|row| row.state == "ended").unwrap();
    assert_eq!(ended.outcome, Some(Outcome::Explained));
}

#[test]
fn a_backend_that_nobody_reads_lacks_nothing() {
    let mut story = Story::open("CP1");
    let start = charge(&mut story, 1);
    story.pass(120);
    let mut books = Books::of(1, start);
    books.candidate.clear();
    for record in &books.legacy {
        story.record(Leg::Legacy, "ocpi", "cdr", record);
    }
    wait(&mut story, 20 * DAY);
    let rows = judge(&story.facts);
    assert_eq!(kinds(&rows), Vec::<String>::new());
    let session = &sessions(&rows)[0];
    assert_eq!(session.reason, Some(Reason::NoRecord));
}

#[test]
fn a_session_that_is_never_closed_is_one_finding() {
    let mut story = Story::open("CP1");
    let start = charge(&mut story, 1);
    story.pass(120);
    let mut books = Books::of(1, start);
    books.legacy.truncate(1);
    books.candidate.truncate(1);
    books.candidate[0]["status"] = "ACTIVE".into();
    books.candidate[0]["kwh"] = json!(3);
    books.read_into(&mut story);
    wait(&mut story, HOUR);
    assert_eq!(kinds(&judge(&story.facts)), ["not-closed"]);
}

#[test]
fn twenty_costs_cut_off_are_found_below_the_floor() {
    let mut story = Story::open("CP1");
    for number in 1..=22 {
        let start = charge(&mut story, number);
        story.pass(120);
        let mut books = Books::of(number, start);
        // Rounded 5.22 by legacy, one cent less by the candidate.
        price(&mut books.legacy[1], "5.22", "6.32");
        price(&mut books.candidate[1], "5.21", "6.31");
        books.read_into(&mut story);
        story.pass(HOUR);
    }
    let rows = judge(&story.facts);
    assert_eq!(kinds(&rows), ["floor-for-round"; 3]);
    assert_eq!(divergences(&rows)[0].candidate, "floor-for-round");
    assert_eq!(divergences(&rows)[0].legacy, "right");
}

#[test]
fn an_ambiguous_join_is_said_and_never_guessed() {
    let mut story = Story::open("CP1");
    let start = charge(&mut story, 1);
    let mut other = Story::open("CP2");
    // The same driver at the same time on another charger.
    charge(&mut other, 1);
    let mut facts = story.facts.clone();
    facts.extend(other.facts.into_iter().skip(1));
    facts.sort_by_key(|fact| fact.at);
    story.facts = facts;
    story.pass(120);
    Books::of(1, start).read_into(&mut story);
    for (place, fact) in story.facts.iter_mut().enumerate() {
        fact.seq = place as u64 + 1;
        fact.conn += u64::from(&*fact.charger == "CP2");
    }
    let rows = judge(&story.facts);
    assert_eq!(kinds(&rows), Vec::<String>::new());
    let reasons: Vec<_> = sessions(&rows).iter().map(|row| row.reason).collect();
    assert!(
        reasons
            .iter()
            .all(|reason| *reason == Some(Reason::Ambiguous)),
        "{reasons:?}"
    );
}

#[test]
fn identifiers_join_before_anything_else() {
    let rows = judged(|books| {
        for (record, name) in [
            (&mut books.legacy[0], "101"),
            (&mut books.candidate[0], "701"),
        ] {
            record["id"] = name.into();
        }
        for (record, name) in [
            (&mut books.legacy[1], "101"),
            (&mut books.candidate[1], "701"),
        ] {
            record["session_id"] = name.into();
            // No start that would do.
            shift(record, 7_777);
        }
    });
    let session = &sessions(&rows)[0];
    assert_eq!(session.outcome, Some(Outcome::Equal), "{session:#?}");
    let verdict = |name| {
        session
            .checks
            .iter()
            .find(|check| check.name == name)
            .unwrap()
            .verdict
            .clone()
    };
    assert_eq!(verdict("start"), "both wrong");
}

#[test]
fn a_session_that_no_charger_told_of_is_extra_where_the_charger_is_known() {
    let steve = |charger: &str, start: &str| {
        json!({"id":"77","chargeBoxId":charger,"connectorId":1,"ocppIdTag":"T7","startValue":"0",
            "startTimestamp":start,"stopValue":"100","stopTimestamp":"2026-11-20T09:00:00Z"})
    };
    let judged = |charger: &str, start: &str| {
        let mut story = Story::open("CP1");
        charge(&mut story, 1);
        story.record(Leg::Candidate, "steve", "session", &steve(charger, start));
        wait(&mut story, 3 * DAY);
        let rows = judge(&story.facts);
        let reason = sessions(&rows).last().unwrap().reason;
        (kinds(&rows), reason)
    };
    let during = "2027-01-01T08:00:00Z";
    assert_eq!(judged("CP1", during), (vec!["extra".to_owned()], None));
    assert_eq!(judged("elsewhere", during), (vec![], Some(Reason::NoWire)));
    assert_eq!(
        judged("CP1", "2026-01-01T08:00:00Z"),
        (vec![], Some(Reason::ColdStart))
    );
}

#[test]
fn a_session_that_was_not_there_minutes_after_its_start_is_late() {
    let judged = |late: Leg| {
        let mut story = Story::open("CP1");
        let both = [Leg::Legacy, Leg::Candidate];
        for leg in both {
            story.swept(leg, "session");
        }
        let start = charge(&mut story, 1);
        story.pass(120);
        let mut books = Books::of(1, start);
        let kept = match late {
            Leg::Legacy => books.legacy.remove(0),
            Leg::Candidate => books.candidate.remove(0),
        };
        books.read_into(&mut story);
        story.pass(120);
        story.record(late, "ocpi", "session", &kept);
        story.swept(late, "session");
        wait(&mut story, HOUR);
        let rows = judge(&story.facts);
        (kinds(&rows), sessions(&rows)[0].outcome)
    };
    let late = vec!["late".to_owned()];
    assert_eq!(
        judged(Leg::Candidate),
        (late.clone(), Some(Outcome::Divergent))
    );
    assert_eq!(judged(Leg::Legacy), (late, Some(Outcome::Explained)));
}

#[test]
fn the_reason_for_the_end_is_the_chargers_word() {
    let judged = |legacy: &str, candidate: &str| {
        let mut story = Story::open("CP1");
        let start = evenkeel::ledger::views::rfc3339(charge(&mut story, 1));
        let stop = story.rfc3339();
        for (leg, name, reason) in [
            (Leg::Legacy, "101", legacy),
            (Leg::Candidate, "701", candidate),
        ] {
            let record = json!({"id":name,"chargeBoxId":"CP1","connectorId":1,"ocppIdTag":"T1","startValue":"1000",
                "startTimestamp":start,"stopValue":"11346","stopTimestamp":stop,"stopReason":reason});
            story.record(leg, "steve", "session", &record);
        }
        wait(&mut story, DAY);
        let rows = judge(&story.facts);
        let found = divergences(&rows).into_iter();
        let titles = found.map(|row| row.title.clone()).collect::<Vec<_>>();
        (kinds(&rows), titles)
    };
    assert_eq!(judged("Local", "local").0, Vec::<String>::new());
    assert_eq!(judged("Reboot", "Reboot").0, Vec::<String>::new());
    let (kinds, titles) = judged("Local", "PowerLoss");
    assert_eq!(kinds, ["stop-reason"]);
    assert_eq!(
        titles,
        ["candidate gives another reason for the end; legacy is right"]
    );
}

#[test]
fn what_the_shadow_was_not_told_it_need_not_book() {
    let mut story = Story::open("CP1");
    let start =
        r#"{"connectorId":1,"idTag":"T1","meterStart":0,"timestamp":"2026-11-18T20:26:40Z"}"#;
    let started = r#"{"transactionId":5,"idTagInfo":{"status":"Accepted"}}"#;
    story.exchange(
        "StartTransaction",
        start,
        started,
        Shadow::Withheld("queue full"),
    );
    story.pass(60);
    story.exchange(
        "StopTransaction",
        r#"{"transactionId":5,"meterStop":10,"timestamp":"2026-11-18T20:27:40Z"}"#,
        "{}",
        Shadow::Withheld("unmapped identifier"),
    );
    wait(&mut story, HOUR);
    let session = &sessions(&judge(&story.facts))[0];
    assert_eq!(session.reason, Some(Reason::ShadowGap));
}

fn digest(facts: &[Fact]) -> Digest {
    let mut digest = Digest::default();
    let mut judge = Judge::new(Rules::built_in().unwrap());
    for fact in facts {
        judge.feed(fact, &mut |row| digest.absorb(&row));
    }
    digest
}

#[test]
fn the_same_facts_give_the_same_digest_and_any_order_of_records_the_same_verdicts() {
    let night = |backwards: bool| {
        let mut story = Story::open("CP1");
        let mut books = Vec::new();
        for number in 1..=6 {
            let start = charge(&mut story, number);
            let mut both = Books::of(number, start);
            if let Some((_, _, change)) = FAULTS.get(number as usize * 4) {
                change(&mut both.candidate);
            }
            books.push(both);
            story.pass(600);
        }
        let mut records: Vec<(Leg, Value)> = Vec::new();
        for both in books {
            records.extend(both.legacy.into_iter().map(|record| (Leg::Legacy, record)));
            records.extend(
                both.candidate
                    .into_iter()
                    .map(|record| (Leg::Candidate, record)),
            );
        }
        if backwards {
            records.reverse();
        }
        for (leg, record) in records {
            let kind = kind_of(&record);
            story.record(leg, "ocpi", kind, &record);
        }
        wait(&mut story, HOUR);
        story.facts
    };
    let (forth, back) = (night(false), night(true));
    assert_eq!(digest(&forth), digest(&forth));
    let verdicts = |facts: &[Fact]| {
        let rows = judge(facts);
        let mut found: Vec<_> = divergences(&rows)
            .iter()
            .map(|row| (row.id, row.finding.clone()))
            .collect();
        found.sort();
        let sessions: Vec<_> = sessions(&rows)
            .into_iter()
            .map(|row| (row.id, row.outcome, row.checks))
            .collect();
        (sessions, found)
    };
    assert_eq!(verdicts(&forth), verdicts(&back));
    assert!(verdicts(&forth).1.len() >= 5);
}

#[test]
fn a_later_record_is_weighed_and_nothing_is_told_twice() {
    let mut story = Story::open("CP1");
    let start = charge(&mut story, 1);
    story.pass(120);
    let mut books = Books::of(1, start);
    books.candidate[1]["total_energy"] = json!(10_346);
    books.read_into(&mut story);
    story.pass(HOUR);
    let mut again = cdr(Leg::Candidate, 1, start);
    again["id"] = "again".into();
    again["total_energy"] = json!(10_346);
    story.record(Leg::Candidate, "ocpi", "cdr", &again);
    wait(&mut story, HOUR);
    assert_eq!(kinds(&judge(&story.facts)), ["wh-for-kwh", "duplicate"]);
}

/// Runs the program on a recording.
fn evenkeel(verb: &[&str], dir: &std::path::Path) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(verb)
        .arg(dir)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

#[test]
fn the_verb_lists_shows_and_fits_its_schema() {
    let mut story = Story::open("CP1");
    for (number, wrong) in [(1, false), (2, true)] {
        let start = charge(&mut story, number);
        story.pass(120);
        let mut books = Books::of(number, start);
        if wrong {
            books.candidate[1]["total_energy"] = json!(10_346);
        }
        books.read_into(&mut story);
    }
    charge(&mut story, 3);
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
    for fact in story.facts {
        recorder.record(fact).unwrap();
    }
    recorder.close(std::time::Duration::from_secs(30)).unwrap();

    let (code, text) = evenkeel(&["sessions", "--json"], dir.path());
    assert_eq!(code, Some(1), "{text}");
    let view: Value = serde_json::from_str(&text).unwrap();
    schema::assert_fits("sessions", &view);
    let outcomes: Vec<_> = view["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["verdict"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["equal", "divergent", "pending"]);
    assert_eq!(view["outcomes"]["pending"], json!(1));

    let (code, text) = evenkeel(&["sessions", "--session", "702"], dir.path());
    assert_eq!(code, Some(1));
    assert!(
        text.contains("candidate books Wh as kWh; legacy is right"),
        "{text}"
    );
    assert!(text.contains("10346000"), "{text}");
    let (code, text) = evenkeel(&["sessions", "--session", "101"], dir.path());
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = evenkeel(&["diffs", "--severity", "S2"], dir.path());
    assert_eq!(code, Some(1));
    assert!(text.contains("1 of 2 sessions, 1 charger"), "{text}");
    let (code, text) = evenkeel(&["verify"], dir.path());
    assert_eq!(code, Some(0), "{text}");
}

/// The kinds of what was found about sessions by other settings than the usual.
fn kinds_by(settings: Settings, facts: &[Fact]) -> Vec<String> {
    let rules = Rules::built_in().unwrap().with_sessions(settings);
    let mut judge = Judge::new(rules);
    let mut rows = Vec::new();
    for fact in facts {
        judge.feed(fact, &mut |row| rows.push(row));
    }
    kinds(&rows)
}

#[test]
fn places_lie_where_the_operator_says() {
    let mut story = Story::open("CP1");
    let start = charge(&mut story, 1);
    story.pass(120);
    Books::of(1, start).read_into(&mut story);
    let settings = |connector: &str| {
        let mut settings = Settings::default();
        for (leg, connector) in [(Leg::Legacy, "1"), (Leg::Candidate, connector)] {
            let place = Place {
                charger: "CP1".to_owned(),
                connector: Some(connector.to_owned()),
                zone: None,
            };
            let name = (leg, format!("{}-E1", leg.word()));
            settings.places.by_evse.insert(name, place);
        }
        settings
    };
    assert_eq!(kinds_by(settings("1"), &story.facts), Vec::<String>::new());
    assert_eq!(kinds_by(settings("2"), &story.facts), ["place"]);
    // The EVSE is compared only where both count it.
    let counted = settings("7/1");
    assert_eq!(kinds_by(counted, &story.facts), Vec::<String>::new());
}

#[test]
fn settings_are_part_of_the_rules_fingerprint() {
    let rules = || Rules::built_in().unwrap();
    let plain = rules().fingerprint().to_owned();
    let same = rules().with_sessions(Settings::default());
    assert_eq!(same.fingerprint(), plain);
    let other = rules().with_sessions(Settings {
        cdr_slo: 1,
        ..Settings::default()
    });
    assert_ne!(other.fingerprint(), plain);
    let with_file = other.with_file("none.toml", "").unwrap();
    assert_ne!(with_file.fingerprint(), plain);
    assert_eq!(with_file.sessions().cdr_slo, 1);
}

#[test]
fn a_session_object_read_before_its_end_says_nothing_beside_the_cdr() {
    let rows = judged(|books| books.legacy[0]["status"] = "ACTIVE".into());
    assert_eq!(kinds(&rows), Vec::<String>::new());
    assert_eq!(sessions(&rows)[0].outcome, Some(Outcome::Equal));
}

#[test]
fn law_10_a_record_that_no_longer_fits_is_given_up_with_a_row() {
    let mut story = Story::open("CP1");
    for number in 0..20_002 {
        let record = json!({"id": format!("C{number:05}"), "start_date_time": story.rfc3339()});
        story.record(Leg::Candidate, "ocpi", "cdr", &record);
    }
    let rows = judge(&story.facts);
    let lost: Vec<_> = sessions(&rows)
        .into_iter()
        .map(|row| (row.candidate_names, row.outcome, row.reason))
        .collect();
    let row = |name: &str| {
        let outcome = Some(Outcome::NotComparable);
        (vec![name.to_owned()], outcome, Some(Reason::TooMany))
    };
    assert_eq!(lost, [row("C00000"), row("C00001")]);
}
