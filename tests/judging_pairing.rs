//! Which answer belongs to which CALL, and what becomes of those that get none.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/rows.rs"]
mod rows;
#[path = "judging/story.rs"]
mod story;

use evenkeel::facts::{Dir, Leg};
use evenkeel::judge::{Judge, Rules};

use rows::{START, found, judge, outcomes, started};
use story::{Shadow, Story};

#[test]
fn law_7_missing_data_is_never_good_news() {
    for direction in [Dir::FromCharger, Dir::ToCharger] {
        let mut story = Story::open("CP1");
        story.exchange(
            "StartTransaction",
            START,
            &started(11, "Accepted"),
            Shadow::Answers(&started(7, "Accepted")),
        );
        let open = story.call("Heartbeat", "{}");
        let sent = story.sent(open);
        story.gap(direction);
        story.answer(open, "{}");
        story.shadow_answer(sent, r#"[3,"1",{}]"#);
        story.exchange(
            "MeterValues",
            r#"{"transactionId":11}"#,
            "{}",
            Shadow::Answers("{}"),
        );
        story.exchange(
            "StopTransaction",
            r#"{"transactionId":11}"#,
            "{}",
            Shadow::Answers("{}"),
        );
        story.exchange("Heartbeat", "{}", "{}", Shadow::Answers("{}"));
        assert_eq!(
            outcomes(&judge(&story.facts))[1..],
            [
                "Heartbeat not comparable shadow-gap",
                "MeterValues not comparable shadow-gap",
                "StopTransaction not comparable shadow-gap",
                "Heartbeat equal"
            ]
        );
    }
    let mut story = Story::open("CP1");
    story.exchange(
        "TransactionEvent",
        r#"{"eventType":"Updated","transactionInfo":{"transactionId":"x"}}"#,
        "{}",
        Shadow::Answers("{}"),
    );
    let rows = judge(&story.speaking("ocpp2.0.1").facts);
    assert_eq!(
        outcomes(&rows),
        ["TransactionEvent not comparable cold-start"]
    );
}

#[test]
fn law_7_a_session_that_the_shadow_has_yet_to_begin_lacks_what_was_lost_since() {
    let mut story = Story::open("CP1");
    let call = story.call("StartTransaction", START);
    let sent = story.sent(call);
    story.answer(call, &started(11, "Accepted"));
    story.gap(Dir::FromCharger);
    story.shadow_answer(sent, &format!(r#"[3,"1",{}]"#, started(7, "Accepted")));
    story.exchange(
        "MeterValues",
        r#"{"transactionId":11}"#,
        "{}",
        Shadow::Answers("{}"),
    );
    assert_eq!(
        outcomes(&judge(&story.facts))[1..],
        ["MeterValues not comparable shadow-gap"]
    );
}

#[test]
fn law_7_what_cannot_be_read_is_not_equal() {
    let mut story = Story::open("CP1");
    let call = story.call("Heartbeat", "{}");
    let sent = story.sent(call);
    story.opaque(Dir::ToCharger);
    story.shadow_answer(sent, r#"[3,"1",{}]"#);
    story.answer(call, "{}");
    story.opaque(Dir::FromCharger);
    story.synthetic("BootNotification");
    assert_eq!(
        outcomes(&judge(&story.facts)),
        [
            "Heartbeat not comparable opaque",
            " not comparable opaque",
            "BootNotification not comparable synthetic"
        ]
    );
}

#[test]
fn ids_that_repeat_are_paired_in_order() {
    let mut story = Story::open("CP1");
    let first = story.call_with_id("same", "Heartbeat", "{}");
    let second = story.call_with_id("same", "StatusNotification", "{}");
    let sent = story.sent(first);
    story.shadow_answer(sent, r#"[3,"same",{}]"#);
    let sent = story.sent(second);
    story.shadow_answer(sent, r#"[3,"same",{"x":1}]"#);
    story.heard(r#"[3,"same",{}]"#);
    story.heard(r#"[3,"same",{"x":1}]"#);
    assert_eq!(
        outcomes(&judge(&story.facts)),
        ["Heartbeat equal", "StatusNotification equal"]
    );
}

#[test]
fn a_silent_authority_is_noticed_by_the_time_that_facts_tell() {
    let mut story = Story::open("CP1");
    let call = story.call("Heartbeat", "{}");
    let sent = story.sent(call);
    story.shadow_answer(sent, r#"[3,"1",{}]"#);
    assert!(outcomes(&judge(&story.facts)).is_empty());
    story.pass(121);
    story.tick();
    let rows = judge(&story.facts);
    assert_eq!(outcomes(&rows), ["Heartbeat divergent"]);
    assert_eq!(
        found(&rows),
        ["S3 no-answer : Heartbeat is answered by candidate, not by legacy"]
    );
}

#[test]
fn a_connection_that_ends_leaves_nothing_open() {
    let mut story = Story::open("CP1");
    let call = story.call("Heartbeat", "{}");
    story.sent(call);
    let answered = story.call("StatusNotification", "{}");
    let sent = story.sent(answered);
    story.answer(answered, "{}");
    story.close();
    story.shadow_answer(sent, r#"[3,"1",{}]"#);
    story.shadow_closed();
    let mut judge = Judge::new(Rules::built_in().unwrap());
    let mut rows = Vec::new();
    for fact in &story.facts {
        judge.feed(fact, &mut |row| rows.push(row));
    }
    assert_eq!(
        outcomes(&rows),
        [
            "Heartbeat not comparable unanswered",
            "StatusNotification equal"
        ]
    );
    assert_eq!(judge.pending(), 0);
}

#[test]
fn a_restart_of_the_shadow_plane_loses_what_was_open() {
    let mut story = Story::open("CP1");
    let call = story.call("Heartbeat", "{}");
    let sent = story.sent(call);
    story.plane_restarted();
    story.answer(call, "{}");
    story.shadow_answer(sent, r#"[3,"1",{}]"#);
    assert_eq!(
        outcomes(&judge(&story.facts)),
        ["Heartbeat not comparable shadow-gap"]
    );
}

#[test]
fn a_shadow_that_opens_after_its_charger_left_is_judged_like_any_other() {
    let mut story = Story::connect("CP1", Leg::Legacy);
    let call = story.call("BootNotification", "{}");
    story.answer(call, r#"{"status":"Accepted"}"#);
    story.close();
    story.shadow_opened();
    let sent = story.sent(call);
    story.shadow_answer(sent, r#"[3,"1",{"status":"Accepted"}]"#);
    story.shadow_closed();
    let rows = judge(&story.facts);
    assert_eq!(outcomes(&rows), ["BootNotification equal"]);
    assert!(found(&rows).is_empty(), "{:?}", found(&rows));
}

#[test]
fn a_charger_that_left_is_waited_for_only_so_long() {
    let mut story = Story::connect("CP1", Leg::Legacy);
    let call = story.call("Heartbeat", "{}");
    story.answer(call, "{}");
    story.close();
    assert!(outcomes(&judge(&story.facts)).is_empty());
    story.pass(61);
    story.tick();
    assert_eq!(
        outcomes(&judge(&story.facts)),
        ["Heartbeat not comparable shadow-gap"]
    );
}

/// A charger that numbers every CALL alike, in a world that lost an answer.
fn always_the_same_id(lose: impl FnOnce(&mut Story)) -> Vec<String> {
    let mut story = Story::open("CP1");
    let say = |story: &mut Story, answered: bool, action: &str, payload: &str| {
        let call = story.call_with_id("1", action, "{}");
        let sent = story.sent(call);
        story.shadow_answer(sent, &format!(r#"[3,"1",{payload}]"#));
        if answered {
            story.answer(call, payload);
        }
    };
    say(&mut story, false, "Heartbeat", r#"{"x":1}"#);
    lose(&mut story);
    say(&mut story, true, "StatusNotification", r#"{"x":2}"#);
    story.pass(5);
    say(&mut story, true, "FirmwareStatusNotification", r#"{"x":3}"#);
    story.pass(121);
    story.tick();
    outcomes(&judge(&story.facts))
}

#[test]
fn a_lost_answer_does_not_shift_those_that_follow() {
    let behind = [
        "StatusNotification equal",
        "FirmwareStatusNotification equal",
    ];
    let gap = always_the_same_id(|story| story.gap(Dir::ToCharger));
    assert_eq!(gap[0], "Heartbeat not comparable shadow-gap");
    assert_eq!(gap[1..], behind);
    let silent = always_the_same_id(|story| story.pass(30));
    assert_eq!(silent[0], "Heartbeat divergent");
    assert_eq!(silent[1..], behind);
}

#[test]
fn law_7_a_session_that_the_shadow_lacks_a_part_of_is_not_compared_further() {
    let event = |kind: &str| {
        format!(r#"{{"eventType":"{kind}","transactionInfo":{{"transactionId":"x"}}}}"#)
    };
    let mut story = Story::open("CP1");
    for (kind, shadow) in [
        ("Started", Shadow::Answers("{}")),
        ("Updated", Shadow::Withheld("queue full")),
        ("Ended", Shadow::Answers(r#"{"totalCost":3}"#)),
        ("Started", Shadow::Answers("{}")),
    ] {
        let answer = if kind == "Ended" {
            r#"{"totalCost":4}"#
        } else {
            "{}"
        };
        story.exchange("TransactionEvent", &event(kind), answer, shadow);
    }
    let rows = judge(&story.speaking("ocpp2.0.1").facts);
    assert_eq!(
        outcomes(&rows),
        [
            "TransactionEvent equal",
            "TransactionEvent not comparable shadow-gap",
            "TransactionEvent not comparable shadow-gap",
            "TransactionEvent equal"
        ]
    );
}
