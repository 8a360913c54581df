//! Chargers that change hands: nobody is blamed for what the switch itself brings about.

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
use evenkeel::facts::Leg;
use evenkeel::facts::authority::Step;
use evenkeel::ledger::row::Row;

use rows::{ACCEPTED, BLOCKED, START, TAG, found, judge, outcomes, started};
use story::{Shadow, Story};

const STOP: &str = r#"{"transactionId":11,"meterStop":9,"timestamp":"2026-11-24T01:00:00Z"}"#;

/// `action outcome[ reason]` of every command.
fn orders(story: &Story) -> Vec<String> {
    let rows = judge(&story.facts);
    let commands = rows.iter().filter_map(|row| match row {
        Row::Command(row) => Some(row),
        _ => None,
    });
    commands
        .map(|row| {
            let reason = row.reason.map(|reason| format!(" {}", reason.word()));
            let outcome = row.outcome.word();
            format!("{} {outcome}{}", row.action, reason.unwrap_or_default())
        })
        .collect()
}

/// A charger that charges at legacy, where its transaction is 11, and is moved to the candidate, where it is 7.
fn moved_in_mid_transaction() -> Story {
    let mut story = Story::open("CP1");
    let (ours, theirs) = (started(11, "Accepted"), started(7, "Accepted"));
    story.exchange("StartTransaction", START, &ours, Shadow::Answers(&theirs));
    story.learned("transactionId", "11", "7");
    story.pass(100);
    story.moved(&[["11", "11", "7"]]);
    story
}

/// The end of transaction 11, which only the old authority accepts; the mediator's word of it comes before it, behind it,
/// or with the answer.
fn ended(word: Option<(bool, Dir)>) -> Story {
    let mut story = moved_in_mid_transaction();
    let mediated = |story: &mut Story, dir| story.mediated(dir, "end", "StopTransaction");
    if let Some((true, dir)) = word {
        mediated(&mut story, dir);
    }
    let call = story.call_with_id("end", "StopTransaction", STOP);
    if let Some((false, dir)) = word {
        mediated(&mut story, dir);
    }
    let sent = story.sent(call);
    story.answer(call, BLOCKED);
    story.shadow_answer(sent, &format!(r#"[3,"x",{ACCEPTED}]"#));
    story
}

#[test]
fn what_the_mediator_changed_is_nobodys_doing() {
    let last = |story: &Story| outcomes(&judge(&story.facts)).pop().unwrap();
    assert_eq!(last(&ended(None)), "StopTransaction divergent");
    for word in [
        (true, Dir::FromCharger),
        (false, Dir::FromCharger),
        (false, Dir::ToCharger),
    ] {
        let story = ended(Some(word));
        assert_eq!(last(&story), "StopTransaction not comparable mediated");
        assert_eq!(found(&judge(&story.facts)), [""; 0]);
    }
}

#[test]
fn what_the_mediator_passes_as_it_is_is_compared() {
    let mut story = moved_in_mid_transaction();
    story.mediated(Dir::FromCharger, "other", "MeterValues");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    let rows = judge(&story.facts);
    assert_eq!(outcomes(&rows).pop().unwrap(), "Authorize divergent");
    // A word without its message is forgotten.
    story.pass(11);
    let again = story.call_with_id(
        "other",
        "MeterValues",
        r#"{"connectorId":1,"meterValue":[]}"#,
    );
    let sent = story.sent(again);
    story.answer(again, "{}");
    story.shadow_answer(sent, r#"[3,"x",{}]"#);
    let rows = judge(&story.facts);
    assert_eq!(outcomes(&rows).pop().unwrap(), "MeterValues equal");
}

#[test]
fn what_the_mediator_kept_back_is_not_a_silent_backend() {
    let mut story = moved_in_mid_transaction();
    let call = story.call_with_id("end", "StopTransaction", STOP);
    story.mediated(Dir::FromCharger, "end", "StopTransaction");
    let sent = story.sent(call);
    story.shadow_answer(sent, &format!(r#"[3,"x",{ACCEPTED}]"#));
    story.pass(121);
    story.tick();
    let rows = judge(&story.facts);
    let last = outcomes(&rows).pop().unwrap();
    assert_eq!(last, "StopTransaction not comparable mediated");
    assert_eq!(found(&rows), [""; 0]);
}

#[test]
fn a_session_that_gets_another_name_is_not_compared_further() {
    let mut story = moved_in_mid_transaction();
    let call = story.call_with_id("start", "StartTransaction", START);
    let sent = story.sent(call);
    story.mediated(Dir::ToCharger, "start", "StartTransaction");
    story.answer(call, &started(2_000_000_000, "Accepted"));
    story.shadow_answer(sent, &format!(r#"[3,"x",{}]"#, started(12, "Accepted")));
    let meter = r#"{"connectorId":1,"transactionId":2000000000,"meterValue":[]}"#;
    story.exchange("MeterValues", meter, "{}", Shadow::Refuses("InternalError"));
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows)[1..],
        [
            "StartTransaction not comparable mediated",
            "MeterValues not comparable mediated"
        ]
    );
    assert_eq!(found(&rows), [""; 0]);
}

#[test]
fn an_order_about_what_was_carried_over_is_nobodys_doing() {
    let stop = |transaction: u32| format!(r#"{{"transactionId":{transaction}}}"#);
    // The new authority's, which the charger hears by its own name, with and without its twin; then the old one's alone.
    let mut story = moved_in_mid_transaction();
    story.pass(61);
    for has_twin in [true, false] {
        story.mediated(Dir::ToCharger, "c", "RemoteStopTransaction");
        story.command("RemoteStopTransaction", &stop(11));
        if has_twin {
            story.shadow_command("RemoteStopTransaction", &stop(11));
        }
        story.pass(61);
        story.tick();
    }
    story.shadow_command("RemoteStopTransaction", &stop(11));
    story.stopped();
    assert_eq!(
        orders(&story),
        ["RemoteStopTransaction not comparable mediated"; 3]
    );
    // Of another transaction, and of this one when it is over, they are compared.
    let mut story = moved_in_mid_transaction();
    story.pass(61);
    story.shadow_command("RemoteStopTransaction", &stop(12));
    story.pass(61);
    story.step(Step::Settled, Leg::Candidate, &[]);
    story.shadow_command("RemoteStopTransaction", &stop(11));
    story.stopped();
    assert_eq!(orders(&story), ["RemoteStopTransaction divergent"; 2]);
}

#[test]
fn a_command_that_one_backend_begins_and_the_other_goes_on_with_is_nobodys_doing() {
    let mut story = Story::open("CP1");
    story.exchange("Heartbeat", "{}", "{}", Shadow::Answers("{}"));
    story.command("ClearCache", "{}");
    story.pass(1);
    story.moved(&[]);
    story.pass(20);
    story.command("ClearCache", "{}");
    story.pass(61);
    story.tick();
    assert_eq!(orders(&story), ["ClearCache not comparable switched"; 2]);
    assert_eq!(found(&judge(&story.facts)), [""; 0]);
}

#[test]
fn twins_are_found_at_once_after_a_switch_and_missed_a_minute_later() {
    let mut story = Story::open("CP1");
    story.moved(&[]);
    story.pass(5);
    story.command("ClearCache", "{}");
    story.shadow_command("ClearCache", "{}");
    story.shadow_command("GetConfiguration", "{}");
    story.pass(61);
    story.command("Reset", r#"{"type":"Soft"}"#);
    story.stopped();
    assert_eq!(
        orders(&story),
        [
            "ClearCache equal",
            "GetConfiguration not comparable switched",
            "Reset divergent"
        ]
    );
    assert_eq!(
        found(&judge(&story.facts)),
        ["S3 extra command : Reset is sent by candidate, not by legacy"]
    );
}

#[test]
fn what_a_backend_makes_of_a_boot_that_only_it_was_told_is_nobodys_doing() {
    let mut story = Story::open("CP1");
    story.introduced();
    story.pass(1);
    story.shadow_command("GetConfiguration", "{}");
    // What the authority sends meanwhile is missed as ever.
    story.command("ClearCache", "{}");
    story.pass(61);
    story.shadow_command("GetConfiguration", "{}");
    story.stopped();
    assert_eq!(
        orders(&story),
        [
            "GetConfiguration not comparable synthetic",
            "ClearCache divergent",
            "GetConfiguration divergent"
        ]
    );
}

#[test]
fn a_command_just_behind_a_gap_may_have_lost_its_twin() {
    let mut story = Story::open("CP1");
    story.gap(Dir::ToCharger);
    story.shadow_command("ClearCache", "{}");
    // Each the other's nearest, but the twin of either may be lost.
    story.command("Reset", r#"{"type":"Soft"}"#);
    story.shadow_command("Reset", r#"{"type":"Hard"}"#);
    story.pass(61);
    story.tick();
    assert_eq!(
        orders(&story),
        [
            "ClearCache not comparable shadow-gap",
            "Reset not comparable shadow-gap"
        ]
    );
}
