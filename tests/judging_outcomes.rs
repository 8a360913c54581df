//! Every outcome of an exchange can be reached: one test each.

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
use evenkeel::judge::Rules;
use evenkeel::ledger::query::{Filter, Reader};
use evenkeel::ledger::{Ledger, Pending, views};

use rows::{ACCEPTED, BLOCKED, START, TAG, judge, outcomes, started};
use story::{Shadow, Story};

/// What came out of the last exchange of a story.
fn last(story: &Story) -> String {
    outcomes(&judge(&story.facts)).pop().unwrap()
}

#[test]
fn an_exchange_can_be_equal() {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    assert_eq!(last(&story), "Authorize equal");
}

#[test]
fn an_exchange_can_be_explained() {
    let mut story = Story::open("CP1");
    let (ours, theirs) = (started(11, "Accepted"), started(7, "Accepted"));
    story.exchange("StartTransaction", START, &ours, Shadow::Answers(&theirs));
    assert_eq!(last(&story), "StartTransaction explained");
}

#[test]
fn an_exchange_can_be_divergent() {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    assert_eq!(last(&story), "Authorize divergent");
}

#[test]
fn an_exchange_can_be_lost_to_a_gap_of_the_shadow() {
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Withheld("queue full"));
    assert_eq!(last(&story), "Authorize not comparable shadow-gap");
}

#[test]
fn an_exchange_can_be_a_cold_start() {
    let mut story = Story::open("CP1");
    let stop = r#"{"transactionId":5,"meterStop":1,"timestamp":"2026-11-24T00:00:00Z"}"#;
    story.exchange(
        "StopTransaction",
        stop,
        "{}",
        Shadow::Withheld("cold start"),
    );
    assert_eq!(last(&story), "StopTransaction not comparable cold-start");
}

#[test]
fn an_exchange_can_be_tainted() {
    let mut story = Story::open("CP1");
    let (ours, theirs) = (started(11, "Accepted"), started(7, "Blocked"));
    story.exchange("StartTransaction", START, &ours, Shadow::Answers(&theirs));
    let stop = r#"{"transactionId":11,"meterStop":1,"timestamp":"2026-11-24T00:00:00Z"}"#;
    story.exchange("StopTransaction", stop, "{}", Shadow::Answers("{}"));
    assert_eq!(last(&story), "StopTransaction not comparable tainted");
}

#[test]
fn an_exchange_can_be_solicited() {
    let mut story = Story::open("CP1");
    story.exchange(
        "LogStatusNotification",
        "{}",
        "{}",
        Shadow::Withheld("solicited"),
    );
    assert_eq!(
        last(&story),
        "LogStatusNotification not comparable solicited"
    );
}

#[test]
fn an_exchange_can_be_synthetic() {
    let mut story = Story::open("CP1");
    let sent = story.synthetic("StatusNotification");
    story.shadow_answer(sent, "{}");
    assert_eq!(last(&story), "StatusNotification not comparable synthetic");
}

#[test]
fn an_exchange_can_be_simulated() {
    let mut story = Story::open("CP1");
    story.stand_in(
        "ChangeConfiguration",
        r#"{"key":"K","value":"5"}"#,
        "simulate",
    );
    let accepted = r#"{"status":"Accepted"}"#;
    story.exchange(
        "BootNotification",
        "{}",
        accepted,
        Shadow::Answers(accepted),
    );
    assert_eq!(last(&story), "BootNotification not comparable simulated");
}

#[test]
fn an_exchange_can_be_opaque() {
    let mut story = Story::open("CP1");
    let call = story.call("Authorize", TAG);
    let sent = story.sent(call);
    story.opaque(Dir::ToCharger);
    story.shadow_answer(sent, &format!(r#"[3,"1",{ACCEPTED}]"#));
    story.answer(call, ACCEPTED);
    assert_eq!(last(&story), "Authorize not comparable opaque");
}

#[test]
fn an_exchange_can_have_failed_on_both_sides() {
    let mut story = Story::open("CP1");
    story.refused_exchange("Authorize", TAG, Shadow::Refuses("InternalError"));
    assert_eq!(last(&story), "Authorize not comparable both-failed");
}

/// The ledger's view of a story.
fn view(story: &Story, filter: &Filter) -> views::Diffs {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules::built_in().unwrap();
    let mut ledger = Ledger::open(dir.path(), rules.fingerprint()).unwrap();
    let last = story.facts.last().unwrap().seq;
    let rows = judge(&story.facts);
    ledger.apply(&rows, last, Pending::default()).unwrap();
    views::diffs(&Reader::open(dir.path()).unwrap(), filter).unwrap()
}

/// Two of five messages are compared, and both match.
fn half_covered() -> Story {
    let mut story = Story::open("CP1");
    story.exchange(
        "BootNotification",
        r#"{"chargePointVendor":"ACME","chargePointModel":"M1"}"#,
        r#"{"status":"Accepted"}"#,
        Shadow::Answers(r#"{"status":"Accepted"}"#),
    );
    story.exchange("Heartbeat", "{}", "{}", Shadow::Answers("{}"));
    for _ in 0..3 {
        story.exchange("Authorize", TAG, ACCEPTED, Shadow::Withheld("queue full"));
    }
    let sent = story.synthetic("StatusNotification");
    story.shadow_answer(sent, "{}");
    story
}

#[test]
fn parity_on_a_part_shows_as_a_part() {
    let story = half_covered();
    let coverage = view(&story, &Filter::default()).coverage;
    assert_eq!((coverage.comparable, coverage.all), (2, 5));
    assert_eq!((coverage.matching, coverage.permille), (2, Some(400)));
    assert_eq!(coverage.not_comparable["shadow-gap"], 3);
    let shares: Vec<_> = (coverage.by_action.iter())
        .map(|share| (share.name.as_str(), share.comparable, share.all))
        .collect();
    assert_eq!(
        shares,
        [
            ("Authorize", 0, 3),
            ("BootNotification", 1, 1),
            ("Heartbeat", 1, 1)
        ]
    );
    assert_eq!(coverage.by_model[0].name, "M1");
    assert_eq!(coverage.by_charger[0].permille, Some(400));
    let text = evenkeel::cli::diffs::summary(&view(&story, &Filter::default()));
    assert!(
        text.contains(
            "coverage   2 of 5 charger messages compared, 40.0 %; of those match 100.0 %"
        ),
        "{text}"
    );
    assert!(
        text.contains("action Authorize: 0 of 3, 0.0 % (shadow-gap 3)"),
        "{text}"
    );
}

#[test]
fn coverage_is_filtered_like_the_list() {
    let of = |action: Option<&str>, charger: Option<&str>| {
        let filter = Filter {
            action: action.map(str::to_owned),
            charger: charger.map(str::to_owned),
            ..Filter::default()
        };
        let coverage = view(&half_covered(), &filter).coverage;
        (coverage.comparable, coverage.all, coverage.permille)
    };
    assert_eq!(of(Some("Heartbeat"), None), (1, 1, Some(1_000)));
    assert_eq!(of(None, Some("CP1")), (2, 5, Some(400)));
    assert_eq!(of(None, Some("CP2")), (0, 0, None));
}
