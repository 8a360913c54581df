//! Judgement of what the leg delivers late, again, or not at all: kept messages, boots, repeats, solicited traffic.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "judging/rows.rs"]
mod rows;
#[path = "judging/story.rs"]
mod story;

use evenkeel::facts::Dir;
use evenkeel::ledger::row::{Outcome, Row};
use rows::{ACCEPTED, BLOCKED, TAG, exchanges, found, judge, outcomes, started};
use serde_json::json;
use story::{Shadow, Story};

const STOP: &str = r#"{"transactionId":10,"meterStop":5}"#;

fn handshakes(rows: &[Row]) -> Vec<(Outcome, String)> {
    rows.iter()
        .filter_map(|row| match row {
            Row::Handshake(row) => Some((row.outcome, row.why.clone())),
            _ => None,
        })
        .collect()
}

/// A session that both have begun: legacy's 10 is the candidate's 20.
fn session(story: &mut Story) {
    let start =
        r#"{"connectorId":1,"idTag":"T1","meterStart":0,"timestamp":"2026-11-24T00:00:00Z"}"#;
    story.exchange(
        "StartTransaction",
        start,
        &started(10, "Accepted"),
        Shadow::Answers(&started(20, "Accepted")),
    );
    story.learned("transactionId", "10", "20");
}

#[test]
fn what_waits_for_the_chargers_return_is_compared_when_it_is_delivered() {
    for was_sent in [false, true] {
        let mut story = Story::open("CP1");
        session(&mut story);
        let call = story.call("StopTransaction", STOP);
        story.answer(call, ACCEPTED);
        if was_sent {
            story.sent(call);
            story.shadow_closed_before(call);
        } else {
            story.shadow_closed();
        }
        let lost = story.call("Heartbeat", "{}");
        story.answer(lost, "{}");
        story.close();
        story.pass(3_600);
        story.connect_again();
        let sent = story.sent(call);
        story.shadow_answer(sent, &format!(r#"[3,"x",{BLOCKED}]"#));
        let rows = judge(&story.facts);
        assert_eq!(
            outcomes(&rows),
            [
                "StartTransaction explained",
                "Heartbeat not comparable shadow-gap",
                "StopTransaction divergent"
            ]
        );
        assert_eq!(exchanges(&rows)[2].conn, 1, "where the charger said it");
    }
}

#[test]
fn what_waits_while_a_plane_restarts_is_compared_when_it_is_delivered_or_given_up() {
    for (killed, delivered, outcome) in [
        (false, true, "divergent"),
        (true, true, "divergent"),
        (false, false, "not comparable shadow-gap"),
    ] {
        let mut story = Story::open("CP1");
        session(&mut story);
        let call = story.call("StopTransaction", STOP);
        story.answer(call, ACCEPTED);
        let outstanding = story.call("Heartbeat", "{}");
        story.answer(outstanding, "{}");
        story.sent(outstanding);
        story.shadow_closed();
        story.close();
        if killed {
            story.killed();
        } else {
            story.plane_restarted();
        }
        story.connect_again();
        if delivered {
            let sent = story.sent(call);
            story.shadow_answer(sent, &format!(r#"[3,"x",{BLOCKED}]"#));
        } else {
            story.withheld(call, "StopTransaction", "restart");
        }
        assert_eq!(
            outcomes(&judge(&story.facts)),
            [
                "StartTransaction explained".to_owned(),
                "Heartbeat not comparable shadow-gap".to_owned(),
                format!("StopTransaction {outcome}")
            ]
        );
    }
}

#[test]
fn what_a_killed_plane_had_sent_is_compared_by_the_answer_to_its_second_copy() {
    for killed in [false, true] {
        let mut story = Story::open("CP1");
        session(&mut story);
        let call = story.call("StopTransaction", STOP);
        story.answer(call, ACCEPTED);
        story.sent(call);
        let plain = story.call("Heartbeat", "{}");
        story.answer(plain, "{}");
        story.sent(plain);
        let begun = [
            "StartTransaction explained",
            "Heartbeat not comparable shadow-gap",
        ];
        if killed {
            story.killed();
            story.connect_again();
        } else {
            story.plane_restarted();
        }
        assert_eq!(outcomes(&judge(&story.facts)), begun);
        let again = json!({"id":"x","action":"StopTransaction","again":true});
        let sent = story.sent_saying(call, &again);
        story.shadow_answer(sent, &format!(r#"[3,"x",{ACCEPTED}]"#));
        let rows = judge(&story.facts);
        assert_eq!(outcomes(&rows)[..2], begun);
        assert_eq!(outcomes(&rows)[2], "StopTransaction equal");
        assert_eq!(exchanges(&rows)[2].sent, sent, "the second copy");
    }
}

#[test]
fn a_gap_takes_nothing_from_what_only_the_shadow_has_yet_to_hear() {
    for facts in [false, true] {
        let mut story = Story::open("CP1");
        let call = story.call("StopTransaction", STOP);
        story.answer(call, ACCEPTED);
        story.shadow_closed();
        story.gap(Dir::ToCharger);
        if facts {
            let gap = story.facts.last_mut().unwrap();
            gap.note = r#"{"why":"recorder full","bytes":9,"facts":2}"#.into();
        }
        let waits = outcomes(&judge(&story.facts)).is_empty();
        assert_eq!(waits, !facts);
    }
}

#[test]
fn what_still_waits_when_the_tap_ends_is_a_gap() {
    let mut story = Story::open("CP1");
    session(&mut story);
    let call = story.call("StopTransaction", STOP);
    story.answer(call, ACCEPTED);
    story.shadow_closed();
    story.close();
    story.stopped();
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows)[1],
        "StopTransaction not comparable shadow-gap"
    );
}

#[test]
fn a_pending_boot_is_a_phase_until_it_lasts() {
    let mut story = Story::open("CP1");
    story.exchange(
        "BootNotification",
        "{}",
        r#"{"status":"Accepted","interval":300}"#,
        Shadow::Answers(r#"{"status":"Pending","interval":10}"#),
    );
    let boot = |boots: u32| {
        json!({"id":"s","action":"BootNotification","queued_us":0,"synthetic":"boot",
            "not_accepted":{"status":"pending","boots":boots,"us":1}})
    };
    for boots in 1..=2 {
        story.sent_saying(0, &boot(boots));
    }
    let rows = judge(&story.facts);
    assert_eq!(
        exchanges(&rows)[0].rules,
        ["boot-onboarding", "boot-onboarding"]
    );
    assert!(found(&rows).is_empty(), "{:?}", found(&rows));
    for boots in 3..=4 {
        story.sent_saying(0, &boot(boots));
    }
    story.exchange("Heartbeat", "{}", "{}", Shadow::Withheld("not accepted"));
    let rows = judge(&story.facts);
    assert_eq!(
        found(&rows),
        ["S1 handshake : the charger is accepted by legacy, left pending by candidate"]
    );
    assert_eq!(
        handshakes(&rows)[1],
        (Outcome::Divergent, "boot pending 3 times".into())
    );
    assert!(outcomes(&rows).contains(&"Heartbeat not comparable tainted".to_owned()));
}

#[test]
fn a_rejected_boot_is_found_at_once_also_one_that_the_tap_made_up() {
    let mut story = Story::open("CP1");
    story.sent_saying(
        0,
        &json!({"id":"s","action":"BootNotification","queued_us":0,"synthetic":"boot",
            "not_accepted":{"status":"rejected","boots":1,"us":1}}),
    );
    assert_eq!(
        found(&judge(&story.facts)),
        ["S1 handshake : the charger is accepted by legacy, left rejected by candidate"]
    );
    let mut story = Story::open("CP1");
    story.exchange(
        "BootNotification",
        "{}",
        r#"{"status":"Accepted"}"#,
        Shadow::Answers(r#"{"status":"Rejected"}"#),
    );
    assert_eq!(
        outcomes(&judge(&story.facts)),
        ["BootNotification divergent"]
    );
}

#[test]
fn what_the_tap_cannot_answer_in_onboarding_is_said_and_is_not_the_candidates_fault() {
    for (onboarding, expected) in [
        (
            true,
            &[
                "S3 handshake : candidate asks GetBaseReport before it accepts the charger, and the tap cannot answer: \
              no inventory; from a file",
            ][..],
        ),
        (false, &[]),
    ] {
        let mut story = Story::open("CP1");
        let note = json!({"action":"GetBaseReport","source":"refusal","missing":"no inventory; from a file",
            "onboarding":onboarding});
        story.stand_in_saying("GetBaseReport", r#"{"requestId":0}"#, &note);
        if onboarding {
            // That it stays pending follows from it.
            story.sent_saying(
                0,
                &json!({"id":"s","action":"BootNotification","queued_us":0,"synthetic":"boot",
                    "not_accepted":{"status":"pending","boots":5,"us":1}}),
            );
        }
        assert_eq!(found(&judge(&story.facts)), expected);
    }
}

#[test]
fn an_authority_that_waits_is_no_finding() {
    for status in ["Pending", "Rejected"] {
        let mut story = Story::open("CP1");
        story.exchange(
            "BootNotification",
            "{}",
            &format!(r#"{{"status":"{status}","interval":60}}"#),
            Shadow::Answers(r#"{"status":"Accepted","interval":300}"#),
        );
        // And a candidate that waits as long as legacy does is none either.
        story.sent_saying(
            0,
            &json!({"id":"s","action":"BootNotification","synthetic":"boot",
                "not_accepted":{"status":"pending","boots":9,"us":1}}),
        );
        let rows = judge(&story.facts);
        assert_eq!(outcomes(&rows)[0], "BootNotification explained");
        assert!(found(&rows).is_empty());
    }
}

#[test]
fn an_emulated_repeat_counts_by_its_last_answer() {
    let mut story = Story::open("CP1");
    session(&mut story);
    let call = story.call("StopTransaction", STOP);
    story.answer(call, ACCEPTED);
    let sent = story.sent(call);
    story.failed_once(sent);
    let sent = story.sent_saying(
        call,
        &json!({"id":"x","action":"StopTransaction","retry":1}),
    );
    story.shadow_answer(sent, &format!(r#"[3,"x",{ACCEPTED}]"#));
    assert_eq!(outcomes(&judge(&story.facts))[1], "StopTransaction equal");
}

#[test]
fn a_job_of_the_authoritys_alone_is_not_held_against_the_candidate() {
    let mut story = Story::open("CP1");
    for (action, expected) in [
        ("DiagnosticsStatusNotification", "not comparable solicited"),
        ("StatusNotification", "divergent"),
    ] {
        let call = story.call(action, "{}");
        story.answer(call, "{}");
        let note = json!({"id":"x","action":action,"solicited":1});
        let sent = story.sent_saying(call, &note);
        story.shadow_answer(sent, r#"[4,"x","InternalError","",{}]"#);
        let rows = judge(&story.facts);
        let last = outcomes(&rows).pop().unwrap();
        assert_eq!(last, format!("{action} {expected}"));
    }
}

#[test]
fn item_14_a_token_that_only_the_candidate_accepts_is_a_security_finding_without_cascade() {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, BLOCKED, Shadow::Answers(ACCEPTED));
    // The charger does not charge: nothing follows, and another driver's session is judged as ever.
    let start =
        r#"{"connectorId":1,"idTag":"T2","meterStart":0,"timestamp":"2026-11-24T00:00:00Z"}"#;
    story.exchange(
        "StartTransaction",
        start,
        &started(10, "Accepted"),
        Shadow::Answers(&started(20, "Accepted")),
    );
    story.learned("transactionId", "10", "20");
    story.exchange("StopTransaction", STOP, ACCEPTED, Shadow::Answers(ACCEPTED));
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows),
        [
            "Authorize divergent",
            "StartTransaction explained",
            "StopTransaction equal"
        ]
    );
    let found = found(&rows);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("S1 "), "{}", found[0]);
}

#[test]
fn item_15_a_token_that_legacy_made_up_is_explained() {
    let remote = r#"{"connectorId":1,"idTag":"App-1"}"#;
    let tag = r#"{"idTag":"APP-1"}"#;
    let start =
        r#"{"connectorId":1,"idTag":"APP-1","meterStart":0,"timestamp":"2026-11-24T00:00:00Z"}"#;
    let charge = |story: &mut Story| {
        story.exchange("Authorize", tag, ACCEPTED, Shadow::Answers(BLOCKED));
        story.exchange(
            "StartTransaction",
            start,
            &started(10, "Accepted"),
            Shadow::Answers(&started(0, "Blocked")),
        );
        story.exchange(
            "StopTransaction",
            STOP,
            ACCEPTED,
            Shadow::Withheld("unmapped identifier"),
        );
    };
    let mut story = Story::open("CP1");
    story.command("RemoteStartTransaction", remote);
    charge(&mut story);
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows),
        [
            "Authorize explained",
            "StartTransaction explained",
            "StopTransaction not comparable solicited"
        ]
    );
    assert_eq!(
        exchanges(&rows)[1].rules,
        ["remote-start-token", "start-transaction-id"]
    );
    assert!(found(&rows).is_empty(), "{:?}", found(&rows));

    // A token that a driver presented before is no such token, whoever names it later.
    let mut story = Story::open("CP1");
    story.exchange("Authorize", tag, ACCEPTED, Shadow::Answers(BLOCKED));
    story.command("RemoteStartTransaction", remote);
    charge(&mut story);
    assert!(outcomes(&judge(&story.facts)).contains(&"Authorize divergent".to_owned()));
    assert!(found(&judge(&story.facts))[0].starts_with("S1 "));
}

#[test]
fn an_identifier_that_comes_again_is_a_billing_finding() {
    let start = |second: u32| {
        format!(
            r#"{{"connectorId":1,"idTag":"T1","meterStart":0,"timestamp":"2026-11-24T00:00:0{second}Z"}}"#
        )
    };
    let stop = |transaction: i64| format!(r#"{{"transactionId":{transaction},"meterStop":5}}"#);
    let told = |second: (i64, i64)| {
        let mut story = Story::open("CP1");
        for (n, (ours, theirs)) in [(10, 20), second].into_iter().enumerate() {
            story.exchange(
                "StartTransaction",
                &start(n as u32),
                &started(ours, "Accepted"),
                Shadow::Answers(&started(theirs, "Accepted")),
            );
            story.learned("transactionId", &ours.to_string(), &theirs.to_string());
            story.exchange(
                "StopTransaction",
                &stop(ours),
                ACCEPTED,
                Shadow::Answers(ACCEPTED),
            );
        }
        found(&judge(&story.facts))
    };
    assert_eq!(
        told((11, 20)),
        [
            "S2 identifier /transactionId: candidate gives a transactionId that an earlier session had"
        ]
    );
    assert!(told((11, 21)).is_empty());
    assert!(
        told((10, 20)).is_empty(),
        "legacy numbers its sessions anew, too"
    );
}
