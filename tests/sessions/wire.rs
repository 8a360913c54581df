//! What chargers tell of their sessions, odd clocks and registers included. No backend is read.

use std::fmt::Write as _;

use evenkeel::facts::Dir;
use evenkeel::ledger::row::{Book, Session};
use evenkeel::ledger::views::rfc3339;

use crate::rows::judge;
use crate::sessions;
use crate::story::{Shadow, Story};

const SECOND: i64 = 1_000_000;

fn exchange(story: &mut Story, action: &str, request: &str, answer: &str) {
    story.exchange(action, request, answer, Shadow::Answers(answer));
}

fn start(story: &mut Story, meter: i64, at: &str, answer: &str) {
    let request =
        format!(r#"{{"connectorId":1,"idTag":"T1","meterStart":{meter},"timestamp":"{at}"}}"#);
    exchange(story, "StartTransaction", &request, answer);
}

fn stop(story: &mut Story, transaction: i64, meter: i64, at: &str) {
    let request =
        format!(r#"{{"transactionId":{transaction},"meterStop":{meter},"timestamp":"{at}"}}"#);
    exchange(story, "StopTransaction", &request, "{}");
}

fn values(story: &mut Story, transaction: &str, values: &[&str]) {
    let at = story.rfc3339();
    let mut sampled = String::new();
    for (place, value) in values.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(
            sampled,
            r#"{comma}{{"timestamp":"{at}","sampledValue":[{value}]}}"#
        )
        .unwrap();
    }
    let request = format!(r#"{{"connectorId":1,{transaction}"meterValue":[{sampled}]}}"#);
    exchange(story, "MeterValues", &request, "{}");
}

const ACCEPTED: &str = r#"{"transactionId":5,"idTagInfo":{"status":"Accepted"}}"#;

fn told(story: &Story) -> Vec<Session> {
    sessions(&judge(&story.facts))
}

fn wire(session: &Session) -> &Book {
    session.wire.as_ref().unwrap()
}

fn energy(session: &Session) -> Option<&str> {
    wire(session).energy_wh.as_deref()
}

/// A session of an hour of which the charger sends `samples` in between.
fn session(first: i64, samples: &[&str], last: i64) -> Session {
    let mut story = Story::open("CP1");
    let at = story.rfc3339();
    start(&mut story, first, &at, ACCEPTED);
    story.pass(1_800);
    values(&mut story, r#""transactionId":5,"#, samples);
    story.pass(1_800);
    let at = story.rfc3339();
    stop(&mut story, 5, last, &at);
    told(&story).remove(0)
}

#[test]
fn registers_are_exact_and_what_is_odd_is_said() {
    for (first, samples, last, expected, defects) in [
        (
            1_000,
            &[r#"{"value":"1500"}"#][..],
            2_500,
            Some("1500"),
            &[][..],
        ),
        (
            1_000,
            &[r#"{"value":"1.5","unit":"kWh"}"#],
            2_500,
            Some("1500"),
            &[],
        ),
        // Numbers in place of text, and a glitch.
        (
            1_000,
            &[r#"{"value":1500}"#, r#"{"value":0}"#],
            2_500,
            Some("1500"),
            &["lone lower reading"],
        ),
        (
            1_000,
            &[r#"{"value":"1500,5"}"#],
            2_500,
            Some("1500"),
            &["decimal comma"],
        ),
        (
            1_000,
            &[r#"{"value":"9","unit":"Hz"}"#],
            2_500,
            Some("1500"),
            &["unknown unit"],
        ),
        (
            1_000_000,
            &[r#"{"value":"1002"}"#],
            1_002_500,
            Some("2500"),
            &["kWh labelled Wh"],
        ),
        (
            50_000,
            &[r#"{"value":"700"}"#],
            52_500,
            Some("2500"),
            &["meter values of another register"],
        ),
        // The register fell: what is known is the sum of both parts, and that it is not certain.
        (
            9_000,
            &[r#"{"value":"9500"}"#],
            300,
            Some("800"),
            &["register reset"],
        ),
        (
            1_000,
            &[r#"{"value":"1500"}"#],
            -1,
            Some("500"),
            &["no register at the stop"],
        ),
    ] {
        let session = session(first, samples, last);
        assert_eq!(energy(&session), expected, "{samples:?}");
        assert_eq!(session.defects, defects, "{samples:?}");
        assert_eq!(session.state, "ended");
        assert_eq!(session.outcome, None);
    }
    let doubtful = session(9_000, &[r#"{"value":"9500"}"#], 300);
    assert_eq!(wire(&doubtful).notes[1], "the energy is not certain");
}

#[test]
fn a_clock_is_reported_as_it_stands_and_mended_apart() {
    let session = |spell: &dyn Fn(i64) -> String| {
        let mut story = Story::open("CP1");
        let (begin, end) = (story.now(), story.now() + 3_600 * SECOND);
        start(&mut story, 0, &spell(begin), ACCEPTED);
        story.pass(3_600);
        stop(&mut story, 5, 10, &spell(end));
        (told(&story).remove(0), begin, end)
    };
    let two_hours = 7_200 * SECOND;
    let (right, begin, end) = session(&|at| rfc3339(at));
    assert_eq!(
        (wire(&right).start, wire(&right).end),
        (Some(begin), Some(end))
    );
    assert_eq!((wire(&right).mended, right.defects.len()), (None, 0));

    let (local, begin, end) = session(&|at| rfc3339(at + two_hours));
    assert_eq!(local.defects, ["local time labelled Z"]);
    assert_eq!(wire(&local).start, Some(begin + two_hours));
    let (from, to) = wire(&local).mended.unwrap();
    assert!((from - begin).abs() < 2 * SECOND && (to - end).abs() < 2 * SECOND);

    let (zoneless, begin, _) = session(&|at| rfc3339(at + two_hours).replace('Z', ""));
    assert_eq!(zoneless.defects, ["time without zone"]);
    assert_eq!(wire(&zoneless).mended.unwrap().0, begin);

    let (short, begin, _) = session(&|at| rfc3339(at + two_hours).replace('Z', "+02"));
    assert_eq!(short.defects, ["short offset"]);
    assert_eq!(
        (wire(&short).start, wire(&short).mended),
        (Some(begin), None)
    );

    let (unset, begin, _) = session(&|_| "1970-01-01T00:00:10Z".to_owned());
    assert_eq!(unset.defects, ["clock unset"]);
    assert_eq!(wire(&unset).start, Some(10 * SECOND));
    assert_eq!(wire(&unset).mended.unwrap().0, begin);

    let (unreadable, ..) = session(&|_| "soon".to_owned());
    assert_eq!(unreadable.defects, ["no readable time"]);
    assert_eq!(wire(&unreadable).start, None);
}

#[test]
fn open_lost_and_orphaned_sessions_are_named() {
    let mut story = Story::open("CP1");
    let at = story.rfc3339();
    // The end of something that began before the recording, twice, and the noise of some chargers.
    stop(&mut story, 77, 9, &at);
    stop(&mut story, 77, 9, &at);
    stop(&mut story, 0, 9, &at);
    // A start that is sent again, and whose stop never comes.
    start(&mut story, 0, &at, ACCEPTED);
    start(
        &mut story,
        0,
        &at,
        r#"{"transactionId":6,"idTagInfo":{"status":"ConcurrentTx"}}"#,
    );
    story.pass(60);
    let later = story.rfc3339();
    start(
        &mut story,
        100,
        &later,
        r#"{"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
    );
    let sessions = told(&story);
    let states: Vec<_> = sessions.iter().map(|session| &*session.state).collect();
    assert_eq!(states, ["no start", "no stop", "open"]);
    assert_eq!(sessions[0].legacy_names, ["77"]);
    assert_eq!(sessions[1].legacy_names, ["5", "6"]);
    assert_eq!(sessions[1].defects, ["start repeated"]);
    assert_eq!(energy(&sessions[2]), None);
}

#[test]
fn an_offline_start_a_refused_one_and_values_without_a_name() {
    let mut story = Story::open("CP1");
    let at = rfc3339(story.now() - 1_234 * SECOND);
    // Nobody ever answers the start: its stop names no transaction either.
    let request = format!(r#"{{"connectorId":1,"idTag":"T1","meterStart":5,"timestamp":"{at}"}}"#);
    story.call("StartTransaction", &request);
    let at = story.rfc3339();
    stop(&mut story, -1, 25, &at);
    start(
        &mut story,
        0,
        &at,
        r#"{"transactionId":8,"idTagInfo":{"status":"Blocked"}}"#,
    );
    story.pass(5);
    let at = story.rfc3339();
    start(
        &mut story,
        1,
        &at,
        r#"{"transactionId":9,"idTagInfo":{"status":"Accepted"}}"#,
    );
    values(&mut story, "", &[r#"{"value":"5"}"#]);
    story.gap(Dir::FromCharger);
    stop(&mut story, 9, 11, &at);
    let sessions = told(&story);
    assert_eq!(sessions.len(), 2, "a refused start is no session");
    assert_eq!(sessions[0].defects, ["started offline"]);
    assert_eq!(energy(&sessions[0]), Some("20"));
    assert_eq!(
        sessions[1].defects,
        ["meter values without transaction", "frames lost"]
    );
    assert_eq!(energy(&sessions[1]), Some("10"));
}

fn event(story: &mut Story, kind: &str, number: u32, more: &str) {
    let at = story.rfc3339();
    let request = format!(
        r#"{{"eventType":"{kind}","timestamp":"{at}","triggerReason":"MeterValuePeriodic","seqNo":{number},
        "evse":{{"id":2,"connectorId":1}},"idToken":{{"idToken":"T1","type":"ISO14443"}}{more}}}"#
    );
    exchange(story, "TransactionEvent", &request, "{}");
}

fn reading(context: &str, value: &str) -> String {
    format!(
        r#","meterValue":[{{"timestamp":"2026-11-18T20:26:40Z","sampledValue":[{{"context":"{context}",{value}}}]}}]"#
    )
}

fn state(state: &str) -> String {
    format!(r#","transactionInfo":{{"transactionId":"X","chargingState":"{state}"}}"#)
}

#[test]
fn events_of_ocpp_2_are_ordered_by_their_numbers() {
    let kwh = r#""value":12.5,"unitOfMeasure":{"unit":"kWh","multiplier":-1}"#;
    let mut story = Story::open("CP1");
    let begin = reading("Transaction.Begin", r#""value":250"#) + &state("Charging");
    event(&mut story, "Started", 0, &begin);
    story.pass(600);
    // The end overtakes an event, which comes twice.
    let end = reading("Transaction.End", kwh) + &state("EVConnected");
    story.pass(600);
    event(&mut story, "Ended", 2, &end);
    story.pass(-600);
    let suspended = state("SuspendedEV");
    event(&mut story, "Updated", 1, &suspended);
    story.pass(610);
    event(&mut story, "Updated", 1, &suspended);
    let sessions = told(&story.speaking("ocpp2.0.1"));
    assert_eq!(sessions.len(), 1);
    let session = &sessions[0];
    assert_eq!(
        (&*session.state, session.connector.as_str()),
        ("ended", "2/1")
    );
    assert_eq!(energy(session), Some("1000"));
    assert!(session.defects.is_empty(), "{:?}", session.defects);
    assert_eq!(session.legacy_names, ["X"]);
    assert_eq!(session.candidate_names, ["X"]);
    let parked = wire(session).parking_hours.as_deref().unwrap();
    assert!(parked.starts_with("0.166"), "{parked}");
}

#[test]
fn missing_events_are_waited_for_and_named() {
    let mut story = Story::open("CP1");
    event(&mut story, "Started", 0, &state("Charging"));
    event(&mut story, "Ended", 3, &state("Idle"));
    let mut story = story.speaking("ocpp2.1");
    assert_eq!(told(&story)[0].state, "open");
    story.pass(61);
    story.tick();
    let session = &told(&story)[0];
    assert_eq!(session.state, "ended");
    assert_eq!(session.defects, ["events missing"]);
}
