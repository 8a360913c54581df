//! Facts by hand, rows by the judge: what comes out of exchanges and identifiers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/rows.rs"]
mod rows;
#[path = "judging/story.rs"]
mod story;

use evenkeel::facts::Leg;
use evenkeel::ledger::row::{Reason, Row};
use evenkeel::ocpp::Severity;

use rows::{
    ACCEPTED, BLOCKED, START, TAG, divergences, exchanges, found, judge, outcomes, started,
};
use story::{Shadow, Story};

#[test]
fn equal_explained_and_divergent_answers_are_told_apart() {
    let mut story = Story::open("CP1");
    story.exchange("StatusNotification", "{}", "{}", Shadow::Answers("{}"));
    story.exchange(
        "StartTransaction",
        START,
        &started(11, "Accepted"),
        Shadow::Answers(&started(7, "Accepted")),
    );
    let now = story.rfc3339();
    let boot = |interval: u32, now: &str| {
        format!(r#"{{"status":"Accepted","currentTime":"{now}","interval":{interval}}}"#)
    };
    story.exchange(
        "BootNotification",
        r#"{"chargePointVendor":"ACME","chargePointModel":"M1","firmwareVersion":"1.2"}"#,
        &boot(300, &now),
        Shadow::Answers(&boot(900, &now)),
    );
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows),
        [
            "StatusNotification equal",
            "StartTransaction explained",
            "BootNotification divergent"
        ]
    );
    assert_eq!(exchanges(&rows)[1].rules, ["start-transaction-id"]);
    assert_eq!(
        found(&rows),
        ["S3 value /interval: BootNotification answers interval 300 on legacy, 900 on candidate"]
    );
    let boot = divergences(&rows)[0];
    assert_eq!((boot.model.as_str(), boot.firmware.as_str()), ("M1", "1.2"));
    let timed = exchanges(&rows)[0];
    assert_eq!(
        (timed.authority_us, timed.shadow_us, timed.queue_us),
        (Some(40_000), Some(30_000), Some(500))
    );
}

#[test]
fn a_candidate_that_fails_costs_what_the_action_costs() {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Refuses("InternalError"));
    story.exchange(
        "StopTransaction",
        r#"{"transactionId":0}"#,
        "{}",
        Shadow::Silent,
    );
    story.refused_exchange("Heartbeat", "{}", Shadow::Refuses("NotImplemented"));
    story.refused_exchange("Authorize", TAG, Shadow::Refuses("InternalError"));
    story.refused_exchange("Heartbeat", "{}", Shadow::Answers("{}"));
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows),
        [
            "Authorize divergent",
            "StopTransaction divergent",
            "Heartbeat equal",
            "Authorize not comparable both-failed",
            "Heartbeat divergent"
        ]
    );
    assert_eq!(
        found(&rows),
        [
            "S1 error : Authorize is answered by legacy, refused with InternalError by candidate",
            "S2 no-answer : StopTransaction is answered by legacy, not by candidate",
            "S3 error : Heartbeat is answered by candidate, refused with GenericError by legacy",
        ]
    );
}

#[test]
fn followers_of_a_root_divergence_are_tainted_and_not_counted_again() {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    story.exchange(
        "StartTransaction",
        START,
        &started(11, "Accepted"),
        Shadow::Answers(&started(0, "Blocked")),
    );
    story.exchange(
        "MeterValues",
        r#"{"transactionId":11}"#,
        "{}",
        Shadow::Withheld("unmapped identifier"),
    );
    story.exchange(
        "StopTransaction",
        r#"{"transactionId":11}"#,
        "{}",
        Shadow::Answers(BLOCKED),
    );
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows),
        [
            "Authorize divergent",
            "StartTransaction not comparable tainted",
            "MeterValues not comparable tainted",
            "StopTransaction not comparable tainted",
            "Authorize equal"
        ]
    );
    let root = &divergences(&rows)[0].finding;
    assert_eq!(divergences(&rows).len(), 1);
    assert!(
        exchanges(&rows)[1..4]
            .iter()
            .all(|row| row.root.as_ref() == Some(root))
    );
}

#[test]
fn a_failed_start_taints_what_cannot_be_mapped() {
    let mut story = Story::open("CP1");
    story.exchange(
        "StartTransaction",
        START,
        &started(11, "Accepted"),
        Shadow::Silent,
    );
    story.exchange(
        "MeterValues",
        r#"{"transactionId":11}"#,
        "{}",
        Shadow::Withheld("unmapped identifier"),
    );
    story.exchange(
        "MeterValues",
        r#"{"transactionId":99}"#,
        "{}",
        Shadow::Withheld("unmapped identifier"),
    );
    assert_eq!(
        outcomes(&judge(&story.facts)),
        [
            "StartTransaction divergent",
            "MeterValues not comparable tainted",
            "MeterValues not comparable cold-start"
        ]
    );
}

#[test]
fn what_was_withheld_is_not_comparable_for_its_reason() {
    let mut story = Story::open("CP1");
    for why in [
        "candidate away",
        "queue full",
        "cold start",
        "not accepted",
        "solicited",
    ] {
        story.exchange("Heartbeat", "{}", "{}", Shadow::Withheld(why));
    }
    let rows = judge(&story.facts);
    let reasons: Vec<_> = exchanges(&rows)
        .iter()
        .filter_map(|row| row.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            Reason::ShadowGap,
            Reason::ShadowGap,
            Reason::ColdStart,
            Reason::ShadowGap,
            Reason::Solicited
        ]
    );
}

#[test]
fn a_candidate_that_does_not_accept_the_charger_taints_what_is_withheld_for_it() {
    let mut story = Story::open("CP1");
    story.exchange(
        "BootNotification",
        "{}",
        r#"{"status":"Accepted"}"#,
        Shadow::Answers(r#"{"status":"Rejected"}"#),
    );
    story.exchange("Heartbeat", "{}", "{}", Shadow::Withheld("not accepted"));
    assert_eq!(
        outcomes(&judge(&story.facts)),
        [
            "BootNotification divergent",
            "Heartbeat not comparable tainted"
        ]
    );
}

#[test]
fn an_answer_after_half_a_minute_is_late() {
    let mut story = Story::open("CP1");
    let call = story.call("Authorize", TAG);
    story.answer(call, ACCEPTED);
    let sent = story.sent(call);
    story.pass(31);
    story.shadow_answer(sent, &format!(r#"[3,"1",{ACCEPTED}]"#));
    assert_eq!(
        found(&judge(&story.facts)),
        ["S1 late : Authorize is answered after more than 30 s by candidate"]
    );
}

#[test]
fn an_answer_that_breaks_its_schema_is_found() {
    let mut story = Story::open("CP1");
    let broken = r#"{"idTagInfo":{"status":"Fine"}}"#;
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(broken));
    story.exchange(
        "Authorize",
        TAG,
        broken,
        Shadow::Answers(r#"{"idTagInfo":{"status":"Good"}}"#),
    );
    assert_eq!(
        found(&judge(&story.facts)),
        [
            "S1 value /idTagInfo/status: Authorize answers idTagInfo.status Accepted on legacy, Fine on candidate",
            "S1 schema : Authorize is answered against its schema by candidate",
            "S4 value /idTagInfo/status: Authorize answers idTagInfo.status Fine on legacy, Good on candidate",
        ]
    );
}

#[test]
fn a_repeat_spoils_nothing_but_itself() {
    let mut story = Story::open("CP1");
    let first = story.call("StartTransaction", START);
    let sent = story.sent(first);
    story.shadow_answer(sent, &format!(r#"[3,"x",{}]"#, started(7, "Accepted")));
    story.pass(121);
    story.exchange(
        "StartTransaction",
        START,
        &started(11, "Accepted"),
        Shadow::Withheld("repeat"),
    );
    story.exchange(
        "StopTransaction",
        r#"{"transactionId":11}"#,
        "{}",
        Shadow::Answers("{}"),
    );
    assert_eq!(
        outcomes(&judge(&story.facts)),
        [
            "StartTransaction divergent",
            "StartTransaction not comparable repeat",
            "StopTransaction equal"
        ]
    );
}

#[test]
fn a_skewed_clock_is_found_by_fact_time() {
    let mut story = Story::open("CP1");
    for shift in [0, 20, 600] {
        let now = story.rfc3339();
        story.pass(shift);
        let later = story.rfc3339();
        story.pass(-shift);
        story.exchange(
            "Heartbeat",
            "{}",
            &format!(r#"{{"currentTime":"{now}"}}"#),
            Shadow::Answers(&format!(r#"{{"currentTime":"{later}"}}"#)),
        );
    }
    let rows = judge(&story.facts);
    let severities: Vec<_> = exchanges(&rows).iter().map(|row| row.severity).collect();
    assert_eq!(severities, [None, Some(Severity::S3), Some(Severity::S2)]);
}

#[test]
fn minted_identifiers_are_unique_stable_and_small() {
    let start = |connector: u32| {
        START.replace(
            r#""connectorId":1"#,
            &format!(r#""connectorId":{connector}"#),
        )
    };
    let mut story = Story::open("CP1");
    let mut begin = |request: &str, ours: i64, theirs: i64| {
        story.exchange(
            "StartTransaction",
            request,
            &started(ours, "Accepted"),
            Shadow::Answers(&started(theirs, "Accepted")),
        );
    };
    begin(&start(1), 11, 7);
    begin(&start(2), 12, 7);
    begin(&start(1), 11, 8);
    begin(&start(3), 13, 5_000_000_000);
    story.exchange(
        "StopTransaction",
        r#"{"transactionId":11}"#,
        "{}",
        Shadow::Answers("{}"),
    );
    let rows = judge(&story.facts);
    assert_eq!(
        found(&rows),
        [
            "S2 identifier /transactionId: candidate gives a transactionId that another live session has",
            "S2 identifier /transactionId: candidate gives a repeated StartTransaction a new transactionId",
        ]
    );
    // Few chargers mind a large one: it is noted.
    let noted = rows
        .iter()
        .any(|row| matches!(row, Row::Quirk(seen) if seen.row == 57 && seen.leg == "candidate"));
    assert!(noted, "{rows:?}");
}

#[test]
fn findings_keep_their_words_when_the_candidate_is_the_authority() {
    let mut before = Story::open("CP1");
    before.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    let mut after = Story::under("CP1", Leg::Candidate);
    after.exchange("Authorize", TAG, BLOCKED, Shadow::Answers(ACCEPTED));
    let (before, after) = (judge(&before.facts), judge(&after.facts));
    assert_eq!(
        divergences(&before)[0].finding,
        divergences(&after)[0].finding
    );
    assert_eq!(divergences(&before)[0].title, divergences(&after)[0].title);
}

#[test]
fn a_finding_counts_exchanges_not_places() {
    let answer = |currency: &str| {
        let price = format!(r#"{{"priceKwh":1,"note":"{currency}"}}"#);
        format!(r#"{{"status":"Accepted","company":[{price},{price},{price}]}}"#)
    };
    let mut story = Story::open("CP1");
    story.exchange(
        "VatNumberValidation",
        "{}",
        &answer("EUR"),
        Shadow::Answers(&answer("SEK")),
    );
    let rows = judge(&story.speaking("ocpp2.1").facts);
    assert_eq!(found(&rows).len(), 1, "{:?}", found(&rows));
    assert_eq!(divergences(&rows)[0].pointer, "/company/0/note");
}

#[test]
fn the_candidate_is_late_or_malformed_whoever_is_the_authority() {
    let broken = r#"{"idTagInfo":{"status":"Accepted","expiryDate":3}}"#;
    let titles = |story: Story| {
        let rows = judge(&story.facts);
        let mut titles: Vec<_> = divergences(&rows)
            .iter()
            .filter(|row| matches!(row.kind.as_str(), "late" | "schema"))
            .map(|row| (row.finding.clone(), row.title.clone()))
            .collect();
        titles.sort();
        titles
    };
    let mut before = Story::open("CP1");
    before.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(broken));
    let call = before.call("Authorize", TAG);
    before.answer(call, ACCEPTED);
    let sent = before.sent(call);
    before.pass(31);
    before.shadow_answer(sent, &format!(r#"[3,"1",{ACCEPTED}]"#));

    let mut after = Story::under("CP1", Leg::Candidate);
    after.exchange("Authorize", TAG, broken, Shadow::Answers(ACCEPTED));
    let call = after.call("Authorize", TAG);
    let sent = after.sent(call);
    after.shadow_answer(sent, &format!(r#"[3,"1",{ACCEPTED}]"#));
    after.pass(31);
    after.answer(call, ACCEPTED);
    let before = titles(before);
    assert_eq!(before.len(), 2, "{before:?}");
    assert_eq!(before, titles(after));
}

#[test]
fn what_only_ocpp_2_1_answers_has_its_weight() {
    let hashed = |status: &str, next: &str| {
        format!(
            r#"{{"certificateStatus":[{{"certificateHashData":{{"serialNumber":"1"}},"source":"OCSP","status":"{status}","nextUpdate":"{next}"}}]}}"#
        )
    };
    let mut story = Story::open("CP1");
    for (action, ours, theirs) in [
        (
            "GetCertificateChainStatus",
            hashed("Good", "2027-01-01T00:00:00Z").as_str(),
            hashed("Revoked", "2027-02-01T00:00:00Z").as_str(),
        ),
        ("NotifySettlement", r#"{"receiptUrl":"https://a"}"#, "{}"),
        (
            "VatNumberValidation",
            r#"{"status":"Accepted"}"#,
            r#"{"status":"Rejected"}"#,
        ),
        (
            "OpenPeriodicEventStream",
            r#"{"status":"Accepted"}"#,
            r#"{"status":"Rejected"}"#,
        ),
        (
            "PullDynamicScheduleUpdate",
            r#"{"status":"Accepted","scheduleUpdate":{"limit":16}}"#,
            r#"{"status":"Accepted","scheduleUpdate":{"limit":32}}"#,
        ),
    ] {
        story.exchange(action, "{}", ours, Shadow::Answers(theirs));
    }
    let rows = judge(&story.speaking("ocpp2.1").facts);
    let weights: Vec<_> = divergences(&rows)
        .iter()
        .filter(|row| row.kind != "schema")
        .map(|row| format!("{} {} {}", row.severity, row.action, row.path))
        .collect();
    assert_eq!(
        weights,
        [
            "S1 GetCertificateChainStatus /certificateStatus/*/status",
            "S2 NotifySettlement /receiptUrl",
            "S3 VatNumberValidation /status",
            "S3 OpenPeriodicEventStream /status",
            "S3 PullDynamicScheduleUpdate /scheduleUpdate/limit",
        ]
    );
}
