//! Monitors: each from facts made by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[path = "sessions/night.rs"]
mod night;
#[path = "judging/rows.rs"]
mod rows;
#[path = "judging/story.rs"]
mod story;

use evenkeel::facts::{Dir, Fact, Flow, Kind, Leg};
use evenkeel::ledger::monitors::{self, Monitors, Share};
use evenkeel::ledger::query::Reader;
use evenkeel::ledger::row::Row;
use evenkeel::ledger::{Ledger, Pending};
use night::{Books, charge, parse};
use rows::{ACCEPTED, BLOCKED, START, TAG, divergences, judge, started};
use serde_json::json;
use story::{Shadow, Story};

const BOOT: &str = r#"{"chargePointVendor":"v","chargePointModel":"M1"}"#;

/// What the monitors say of a story that ends here.
fn view(mut story: Story) -> Monitors {
    story.stopped();
    let dir = tempfile::tempdir().unwrap();
    let rules = evenkeel::judge::Rules::built_in().unwrap();
    let mut ledger = Ledger::open(dir.path(), rules.fingerprint()).unwrap();
    let last = story.facts.last().unwrap().seq;
    ledger
        .apply(&judge(&story.facts), last, Pending::default())
        .unwrap();
    monitors::monitors(&Reader::open(dir.path()).unwrap(), None).unwrap()
}

/// `leg what (detail)` and count of everything that a monitor counted, over all models.
fn counts(view: &Monitors, monitor: &str) -> Vec<String> {
    let counts = view.counts.iter().filter(|it| it.series.monitor == monitor);
    counts
        .map(|it| {
            let (leg, detail) = (&it.series.leg, &it.detail);
            format!("{leg} {} ({detail}) {}", it.what, it.count)
        })
        .collect()
}

fn share<'a>(view: &'a Monitors, monitor: &str, name: &str) -> &'a Share {
    let mut shares = view.shares.iter();
    let found = shares.find(|it| it.series.monitor == monitor && it.name == name);
    found.expect("a share of this name")
}

fn status(story: &mut Story, status: &str) {
    let text = format!(r#"{{"connectorId":1,"errorCode":"NoError","status":"{status}"}}"#);
    story.exchange("StatusNotification", &text, "{}", Shadow::Answers("{}"));
}

fn boot(story: &mut Story, ours: &str, theirs: &str) {
    let answer = |status: &str| format!(r#"{{"status":"{status}","interval":60}}"#);
    story.exchange(
        "BootNotification",
        BOOT,
        &answer(ours),
        Shadow::Answers(&answer(theirs)),
    );
}

#[test]
fn availability_is_the_time_with_a_socket_and_in_order() {
    let mut story = Story::open("CP1");
    story.pass(600);
    status(&mut story, "Faulted");
    story.pass(300);
    status(&mut story, "Available");
    story.close();
    story.pass(100);
    let view = view(story);
    let available = share(&view, "availability", "available");
    // 600 s until the fault, and the moments of the exchanges around it.
    assert!(
        (600_000_000..601_000_000).contains(&available.part),
        "{available:?}"
    );
    assert!(
        (1_000_000_000..1_001_000_000).contains(&available.of),
        "{available:?}"
    );
    let hours: u64 = available.hours.iter().map(|hour| hour.of).sum();
    assert_eq!(hours, available.of);
}

#[test]
fn nobody_is_unavailable_while_nobody_watches() {
    let mut story = Story::open("CP1");
    story.pass(60);
    let mut story = story.switched();
    let before = story.now();
    story.pass(3_600);
    story.killed();
    story.connect_again();
    story.pass(60);
    let view = view(story);
    let available = share(&view, "availability", "available");
    assert_eq!(
        (available.part, available.of),
        (120_000_000, 120_000_000),
        "{before}"
    );
}

#[test]
fn reconnects_have_gaps_and_close_codes() {
    let mut story = Story::open("CP1");
    let mut control = Fact::new(Kind::Control, story.now()).body([3u8, 232]);
    control.note = r#"{"op":"close"}"#.to_owned();
    control.conn = 1;
    control.charger = "CP1".into();
    control.seq = story.facts.len() as u64 + 1;
    story.facts.push(control);
    story.close();
    story.pass(30);
    story.connect_again();
    story.shadow_ended(&json!({"why":"x","by":"backend","code":1012}));
    let view = view(story);
    assert_eq!(
        counts(&view, "reconnects"),
        [
            " closes (unknown unknown 1000) 1",
            " connects () 2",
            " gap_us () 1",
            "candidate closes (backend 1012) 1",
            "candidate connects () 2",
        ]
    );
    let gap = view.counts.iter().find(|it| it.what == "gap_us").unwrap();
    let gap = gap.measured.unwrap().p50;
    assert!((30_000_000..34_000_000).contains(&gap), "{gap}");
}

#[test]
fn boot_loops_and_the_time_until_a_boot_is_accepted() {
    let mut story = Story::open("CP1");
    for theirs in ["Pending", "Pending", "Accepted", "Accepted"] {
        boot(&mut story, "Accepted", theirs);
        story.pass(60);
    }
    let view = view(story);
    assert_eq!(
        counts(&view, "boots"),
        [
            " boots () 4",
            " loops () 1",
            "candidate answers (Accepted) 2",
            "candidate answers (Pending) 2",
            "candidate dwell_us () 1",
            "legacy answers (Accepted) 4",
        ]
    );
    let dwell = view.counts.iter().find(|it| it.what == "dwell_us").unwrap();
    assert!(dwell.measured.unwrap().p50 >= 120_000_000);
    assert_eq!(dwell.series.model, "M1");
}

#[test]
fn authorizations_are_counted_for_both_on_the_same_requests() {
    let contract = r#"{"idTag":"NLTNMC12345678"}"#;
    let mut story = Story::open("CP1");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    story.exchange("Authorize", contract, ACCEPTED, Shadow::Answers(BLOCKED));
    story.exchange("Authorize", TAG, BLOCKED, Shadow::Answers(ACCEPTED));
    // What only one has decided says nothing about the other.
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Silent);
    let view = view(story);
    assert_eq!(
        counts(&view, "authorization"),
        [
            "candidate accepted (untold) 2",
            "candidate accepted-where-refused (untold) 1",
            "candidate refused (contract Blocked) 1",
            "legacy accepted (contract) 1",
            "legacy accepted (untold) 1",
            "legacy accepted-where-refused (contract) 1",
            "legacy refused (untold Blocked) 1",
        ]
    );
    let accepted = share(&view, "authorization", "accepted");
    assert_eq!(
        (accepted.series.leg.as_str(), accepted.part, accepted.of),
        ("candidate", 2, 3)
    );
    assert_eq!(
        counts(&view, "timeouts"),
        ["candidate timeouts (Authorize) 1"]
    );
}

#[test]
fn sessions_begin_in_time_or_fail() {
    let remote = r#"{"idTag":"T1"}"#;
    let mut story = Story::open("CP1");
    status(&mut story, "Preparing");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    story.pass(20);
    story.exchange(
        "StartTransaction",
        START,
        &started(7, "Accepted"),
        Shadow::Answers(&started(8, "Accepted")),
    );
    let stop = r#"{"transactionId":7,"meterStop":900,"timestamp":"2026-11-24T00:00:00Z","reason":"Local"}"#;
    // The driver shows the card again to stop: that is no beginning.
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    story.exchange("StopTransaction", stop, "{}", Shadow::Answers("{}"));
    story.command("RemoteStartTransaction", remote);
    story.call_with_id("x", "Heartbeat", "{}");
    let reply = Fact::new(Kind::Message, story.now()).body(r#"[3,"c",{"status":"Accepted"}]"#);
    let mut reply = reply
        .on(&"CP1".into(), 1)
        .via(Leg::Legacy, Dir::FromCharger);
    reply.seq = story.facts.len() as u64 + 1;
    story.facts.push(reply);
    story.pass(61);
    let view = view(story);
    let of = |word: &str| {
        let all = counts(&view, "session-start").into_iter();
        all.filter(|it| it.contains(word)).collect::<Vec<_>>()
    };
    assert_eq!(
        of("started"),
        [" started (authorized) 1", " started (preparing) 1"]
    );
    assert_eq!(of("failed"), [" failed (remote) 1"]);
    let success = share(&view, "session-start", "started");
    assert_eq!((success.part, success.of), (2, 3));
    assert_eq!(
        counts(&view, "commands")[0],
        "legacy accepted (RemoteStartTransaction) 1"
    );
}

#[test]
fn sessions_end_once_with_a_reason_and_short_ones_are_counted() {
    let transaction = |story: &mut Story, name: i64, stop: Option<(&str, i64)>| {
        let start = START.replace("2026-11-24T00:00:00Z", &story.rfc3339());
        let (ours, theirs) = (started(name, "Accepted"), started(name + 100, "Accepted"));
        story.exchange("StartTransaction", &start, &ours, Shadow::Answers(&theirs));
        if let Some((reason, wh)) = stop {
            story.pass(600);
            let at = story.rfc3339();
            let text = format!(
                r#"{{"transactionId":{name},"meterStop":{wh},"timestamp":"{at}","reason":"{reason}"}}"#
            );
            story.exchange("StopTransaction", &text, "{}", Shadow::Answers("{}"));
        }
        story.pass(100);
    };
    let mut story = Story::open("CP1");
    transaction(&mut story, 1, Some(("EVDisconnected", 9_000)));
    transaction(&mut story, 2, Some(("PowerLoss", 50)));
    transaction(&mut story, 3, Some(("\u{7}odd", 9_000)));
    // Its stop never comes: another one takes its place, and that one is forgotten.
    transaction(&mut story, 4, None);
    transaction(&mut story, 5, None);
    story.pass(49 * 3_600);
    let view = view(story);
    assert_eq!(
        counts(&view, "session-stop"),
        [
            " orphans (no stop) 1",
            " started () 5",
            " stopped (EVDisconnected) 1",
            " stopped (PowerLoss) 1",
            " stopped (unknown) 1",
            " zombies () 1",
        ]
    );
    let orphans = share(&view, "session-stop", "orphans");
    assert_eq!((orphans.part, orphans.of), (1, 4));
    let short = share(&view, "short-sessions", "short");
    assert_eq!((short.part, short.of), (1, 3));
}

#[test]
fn late_messages_and_clocks_are_told_apart() {
    let mut story = Story::open("CP1");
    let old = story.rfc3339();
    let stamped = |at: &str| START.replace("2026-11-24T00:00:00Z", at);
    story.pass(7_200 + 100);
    story.call("StartTransaction", &stamped(&old));
    let now = story.rfc3339();
    story.pass(3);
    story.call("StartTransaction", &stamped(&now));
    story.call("StartTransaction", &stamped("1970-01-01T00:00:00Z"));
    let view = view(story);
    assert_eq!(
        counts(&view, "backlog"),
        [
            " clock-unset () 1",
            " clock_behind_us () 1",
            " late_us () 1",
            " transaction-messages () 2",
        ]
    );
    let late = share(&view, "backlog", "delivered late");
    assert_eq!((late.part, late.of), (1, 2));
}

#[test]
fn shadow_health_tells_coverage_losses_and_queues() {
    let mut story = Story::open("CP1");
    story.learned("transactionId", "1", "2");
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    story.exchange("Authorize", TAG, ACCEPTED, Shadow::Withheld("cold start"));
    story.gap(Dir::ToCharger);
    let mut tick = Fact::new(Kind::Tick, story.now());
    tick.note = json!({"legs":{"queued_bytes":1000},"recorder":{"queued":3}}).to_string();
    tick.seq = story.facts.len() as u64 + 1;
    story.facts.push(tick);
    let view = view(story);
    assert_eq!(
        counts(&view, "shadow-health"),
        [
            " equal () 1",
            " frames-lost () 2",
            " gaps () 1",
            " identifiers-learned () 1",
            " leg_queue_bytes () 1",
            " not comparable (cold-start) 1",
            " recorder_queue_facts () 1",
        ]
    );
    let compared = share(&view, "shadow-health", "compared");
    assert_eq!((compared.part, compared.of), (1, 2));
}

#[test]
fn what_was_carried_whole_is_counted_by_connection() {
    let mut story = Story::open("CP1");
    let whole = Flow::default();
    let lost = Flow { read: 3, ..whole };
    for (conn, flows) in [
        (1, Some([whole, whole])),
        (2, Some([whole, lost])),
        (3, None),
    ] {
        let mut closed = Fact::new(Kind::ConnClosed, story.now());
        closed.note = json!({"by": "charger", "how": "fin", "flows": flows}).to_string();
        closed.conn = conn;
        closed.charger = "CP1".into();
        closed.seq = story.facts.len() as u64 + 1;
        story.facts.push(closed);
    }
    let view = view(story);
    let contained = share(&view, "shadow-health", "contained");
    assert_eq!((contained.part, contained.of), (1, 2));
}

#[test]
fn incidents_become_findings_and_people_say_something_about_them() {
    let mut story = Story::open("CP1");
    for _ in 0..2 {
        story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(BLOCKED));
    }
    // No rule names this field, so somebody has to look what it is.
    let time = story.rfc3339();
    let ours = format!(r#"{{"currentTime":"{time}"}}"#);
    let theirs = format!(r#"{{"currentTime":"{time}","x":1}}"#);
    story.exchange("Heartbeat", "{}", &ours, Shadow::Answers(&theirs));
    let finding = divergences(&judge(&story.facts))[0].finding.clone();
    story.pass(600);
    for state in ["known", "accepted"] {
        story.said(&json!({"finding": finding, "action": "Authorize", "state": state}));
    }
    // The note itself is counted, whether anything follows or not.
    let rows = judge(&story.facts);
    let is_decided = |row: &Row| matches!(row, Row::Sample(row) if row.what == "decided_us");
    assert!(rows.iter().any(is_decided));
    let view = view(story);
    assert_eq!(
        counts(&view, "investigation"),
        [
            " decided_us (known) 1",
            " findings (exchange) 2",
            " found_us (exchange) 2",
            " named (rule) 1",
        ]
    );
    let named = share(&view, "investigation", "named");
    assert_eq!((named.part, named.of), (1, 2));
    let mut counted = view.counts.iter();
    let decided = counted.find(|it| it.what == "decided_us").unwrap();
    let took = decided.measured.unwrap().p50;
    assert!((500_000_000..700_000_000).contains(&took), "{took}");
}

#[test]
fn costs_are_told_by_tariff_and_credits_are_counted() {
    let mut story = Story::open("CP1");
    for number in 1..=2 {
        let start = charge(&mut story, number);
        story.pass(120);
        let mut books = Books::of(number, start);
        if number == 1 {
            let mut credit = books.candidate[1].clone();
            credit["id"] = "credit".into();
            credit["credit"] = true.into();
            credit["credit_reference_id"] = books.candidate[1]["id"].clone();
            credit["total_cost"] = parse(r#"{"excl_vat":-5.2211,"incl_vat":-6.3175}"#);
            let mut again = books.candidate[1].clone();
            again["id"] = "again".into();
            books.candidate.extend([credit, again]);
        } else {
            books.legacy[1]["tariffs"][0]["id"] = "night".into();
            books.candidate[1]["total_cost"] = parse(r#"{"excl_vat":5.9,"incl_vat":7.139}"#);
        }
        books.read_into(&mut story);
    }
    let view = view(story);
    let books = &view.books[0];
    assert_eq!((books.legacy_credits, books.candidate_credits), (0, 1));
    assert_eq!(books.costs["EUR"].compared, 2);
    let by_tariff = |name: &str| {
        let costs = &books.tariffs[name];
        (costs.compared, costs.higher, costs.largest.clone())
    };
    assert_eq!(by_tariff("legacy-T"), (1, 0, "0".to_owned()));
    assert_eq!(by_tariff("night"), (1, 1, "0.6789".to_owned()));
}

#[test]
fn counts_do_not_depend_on_the_pieces_and_are_in_the_digest() {
    let mut story = Story::open("CP1");
    for _ in 0..5 {
        boot(&mut story, "Accepted", "Accepted");
        story.pass(9);
    }
    let view_of = |story: &Story, pieces: usize| {
        let dir = tempfile::tempdir().unwrap();
        let rules = evenkeel::judge::Rules::built_in().unwrap();
        let mut ledger = Ledger::open(dir.path(), rules.fingerprint()).unwrap();
        let mut judge = evenkeel::judge::Judge::new(rules);
        for facts in story.facts.chunks(pieces) {
            let mut rows = Vec::new();
            for fact in facts {
                judge.feed(fact, &mut |row| rows.push(row));
            }
            let seq = facts.last().unwrap().seq;
            ledger.apply(&rows, seq, Pending::default()).unwrap();
        }
        monitors::monitors(&Reader::open(dir.path()).unwrap(), None).unwrap()
    };
    story.stopped();
    let whole = view_of(&story, usize::MAX);
    assert_eq!(view_of(&story, 3), whole);
    assert!(!whole.counts.is_empty());
    let models: Vec<_> = whole
        .counts
        .iter()
        .map(|it| it.series.model.as_str())
        .collect();
    assert!(models.contains(&"M1"), "{models:?}");
}
