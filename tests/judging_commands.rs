//! Commands and handshakes: what the judge makes of them.

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
use evenkeel::ledger::row::{Outcome, Reason, Row, Subject};
use evenkeel::ocpp::Severity;
use serde_json::{Value, json};

use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::query::{Filter, Reader};
use evenkeel::ledger::{Ledger, Pending, views};
use rows::{ACCEPTED, TAG, commands, divergences, found, judge, outcomes};
use story::{Shadow, Story};

#[test]
fn equivalent_commands_are_paired_after_translation() {
    let mut story = Story::open("CP1");
    story.learned("transactionId", "11", "7");
    story.command("RemoteStopTransaction", r#"{"transactionId":11}"#);
    story.pass(20);
    story.shadow_command("RemoteStopTransaction", r#"{"transactionId":7}"#);
    story.shadow_command(
        "ReserveNow",
        r#"{"reservationId":5,"connectorId":1,"idTag":"T","expiryDate":"2026-11-24T00:00:00Z"}"#,
    );
    story.command(
        "ReserveNow",
        r#"{"reservationId":1,"connectorId":1,"idTag":"t","expiryDate":"2026-11-24T00:00:02Z"}"#,
    );
    assert_eq!(
        commands(&judge(&story.facts)),
        [
            ("RemoteStopTransaction".to_owned(), Outcome::Equal),
            ("ReserveNow".to_owned(), Outcome::Explained)
        ]
    );
}

#[test]
fn commands_without_a_twin_are_missing_extra_or_different() {
    let mut story = Story::open("CP1");
    story.command("RemoteStartTransaction", r#"{"idTag":"T1"}"#);
    story.shadow_command("ClearCache", "{}");
    story.command("Reset", r#"{"type":"Soft"}"#);
    story.shadow_command("Reset", r#"{"type":"Hard"}"#);
    assert!(commands(&judge(&story.facts)).is_empty());
    story.stopped();
    assert_eq!(
        found(&judge(&story.facts)),
        [
            "S1 missing command : RemoteStartTransaction is sent by legacy, not by candidate",
            "S3 extra command : ClearCache is sent by candidate, not by legacy",
            "S3 value /type: Reset commands type Soft on legacy, Hard on candidate",
        ]
    );
}

#[test]
fn a_command_is_not_missing_while_the_candidate_is_away_or_frames_are_lost() {
    let mut story = Story::open("CP1");
    story.shadow_closed();
    story.command("ClearCache", "{}");
    story.shadow_opened();
    story.shadow_command("UnlockConnector", r#"{"connectorId":1}"#);
    story.gap(Dir::ToCharger);
    story.pass(61);
    story.tick();
    assert_eq!(
        commands(&judge(&story.facts)),
        [
            ("ClearCache".to_owned(), Outcome::NotComparable),
            ("UnlockConnector".to_owned(), Outcome::NotComparable)
        ]
    );
}

#[test]
fn handshakes_are_compared_once_per_connection_and_cause() {
    let mut story = Story::open("CP1");
    story.shadow_refused(&json!({"why":"401","status":401}));
    story.shadow_refused(&json!({"why":"401","status":401}));
    story.shadow_refused(&json!({"why":"connection refused"}));
    story
        .shadow_refused(&json!({"why":"other subprotocol","status":101,"subprotocol":"ocpp2.0.1"}));
    let rows = judge(&story.facts);
    let handshakes: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Handshake(row) => Some((row.outcome, row.reason)),
            _ => None,
        })
        .collect();
    assert_eq!(
        handshakes,
        [
            (Outcome::Equal, None),
            (Outcome::Divergent, None),
            (Outcome::NotComparable, Some(Reason::ShadowGap)),
            (Outcome::Divergent, None)
        ]
    );
    assert_eq!(
        found(&rows),
        [
            "S1 handshake : the handshake is accepted by legacy, refused with 401 by candidate",
            "S1 handshake : the handshake chooses subprotocol ocpp1.6 on legacy, ocpp2.0.1 on candidate",
        ]
    );
}

/// Rule and title of each handshake divergence, and how many handshakes are equal.
fn shook(notes: &[Value]) -> (Vec<(String, String)>, usize) {
    let mut story = Story::connect("CP1", Leg::Legacy);
    for note in notes {
        match note["kind"].as_str().unwrap() {
            "opened" => story.shadow_opened(),
            "refused" => story.shadow_refused(note),
            "closed" => story.shadow_ended(note),
            "said" => {
                story.shadow_command("ClearCache", "{}");
            }
            "wait" => story.pass(note["s"].as_i64().unwrap()),
            other => panic!("{other}"),
        }
    }
    let rows = judge(&story.facts);
    let equal = |row: &&Row| matches!(row, Row::Handshake(row) if row.outcome == Outcome::Equal);
    let found = divergences(&rows)
        .into_iter()
        .filter(|found| found.subject == Subject::Handshake)
        .map(|found| {
            assert_eq!(found.severity, Severity::S1);
            (found.rule.clone(), found.title.clone())
        })
        .collect();
    (found, rows.iter().filter(equal).count())
}

#[test]
fn every_outcome_of_a_handshake_is_a_parity_record() {
    let accepted = "the handshake is accepted by legacy";
    for (note, rule, title) in [
        (json!({"why":"status","status":401}), "credentials", format!("{accepted}, refused with 401 by candidate")),
        (json!({"why":"status","status":403}), "credentials", format!("{accepted}, refused with 403 by candidate")),
        (json!({"why":"status","status":404}), "handshake-refused", format!("{accepted}, refused with 404 by candidate")),
        (json!({"why":"status","status":400}), "handshake-refused", format!("{accepted}, refused with 400 by candidate")),
        (json!({"why":"not http"}), "handshake-refused", format!("{accepted}, answered with a broken upgrade by candidate")),
        (
            json!({"why":"tls","tls":"alert HandshakeFailure"}),
            "handshake-tls",
            format!("{accepted}, broken off by TLS (alert HandshakeFailure) by candidate"),
        ),
        (
            json!({"why":"subprotocol","status":101,"subprotocol":"ocpp2.0.1"}),
            "version-mismatch",
            "the handshake chooses subprotocol ocpp1.6 on legacy, ocpp2.0.1 on candidate".to_owned(),
        ),
        (
            json!({"probe":true,"status":101,"subprotocol":"ocpp2.0.1"}),
            "version-mismatch",
            "the handshake with the whole offer chooses subprotocol ocpp1.6 on legacy, ocpp2.0.1 on candidate".to_owned(),
        ),
    ] {
        let mut note = note;
        note["kind"] = json!("refused");
        let found = shook(&[note.clone(), note]);
        assert_eq!(found, (vec![(rule.to_owned(), title)], 0));
    }
    for silent in [
        json!({"kind":"refused","why":"tls"}),
        json!({"kind":"refused","why":"connect"}),
        json!({"kind":"refused","why":"local address"}),
        json!({"kind":"refused","probe":true,"why":"status","status":401}),
    ] {
        assert_eq!(shook(&[silent]), (vec![], 0));
    }
    let fine = json!({"kind":"refused","probe":true,"status":101,"subprotocol":"OCPP1.6"});
    assert_eq!(shook(&[fine, json!({"kind":"opened"})]), (vec![], 2));
}

#[test]
fn a_close_right_after_the_opening_is_a_refusal() {
    let opened = || json!({"kind":"opened"});
    let close = |code: Value| json!({"kind":"closed","why":"x","by":"backend","code":code});
    let wait = |seconds: i64| json!({"kind":"wait","s":seconds});
    let closed = |how: &str| {
        let title = format!(
            "the connection stays open on legacy, is closed at once by candidate with {how}"
        );
        vec![("handshake-closed".to_owned(), title)]
    };
    let refusal = close(json!(1008));
    assert_eq!(
        shook(&[opened(), refusal.clone()]),
        (closed("code 1008"), 1)
    );
    // A backend that restarts, or a line that breaks, is none; the second time it is.
    for (code, how) in [(json!(1012), "code 1012"), (Value::Null, "no close frame")] {
        let once = [opened(), close(code.clone())];
        assert_eq!(shook(&once), (vec![], 1));
        let twice = [once.clone(), once].concat();
        assert_eq!(shook(&twice), (closed(how), 1));
    }
    // One that comes late, after the backend has spoken, or from the tap, is none either.
    let spoke = json!({"kind":"said"});
    assert_eq!(shook(&[opened(), wait(20), refusal.clone()]), (vec![], 1));
    assert_eq!(shook(&[opened(), spoke, refusal]), (vec![], 1));
    let ours = json!({"kind":"closed","why":"charger connection closed"});
    assert_eq!(shook(&[opened(), ours]), (vec![], 1));
}

#[test]
fn a_command_weighs_the_same_whoever_is_the_authority() {
    let mut before = Story::open("CP1");
    before.command("RemoteStartTransaction", r#"{"idTag":"T1"}"#);
    before.stopped();
    let mut after = Story::under("CP1", Leg::Candidate);
    after.shadow_command("RemoteStartTransaction", r#"{"idTag":"T1"}"#);
    after.stopped();
    let (before, after) = (judge(&before.facts), judge(&after.facts));
    assert_eq!(found(&before), found(&after));
    assert_eq!(
        divergences(&before)[0].finding,
        divergences(&after)[0].finding
    );
}

#[test]
fn an_unequal_command_is_held_against_the_nearest_not_the_oldest() {
    let change = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    let mut story = Story::open("CP1");
    story.command("ChangeConfiguration", &change("HeartbeatInterval", "300"));
    story.command("ChangeConfiguration", &change("ConnectionTimeOut", "60"));
    story.shadow_command("ChangeConfiguration", &change("ConnectionTimeOut", "90"));
    story.stopped();
    assert_eq!(
        found(&judge(&story.facts)),
        [
            "S3 missing command : ChangeConfiguration is sent by legacy, not by candidate",
            "S3 value /value: ChangeConfiguration commands a different value on legacy and candidate",
        ]
    );
}

#[test]
fn named_identifiers_are_translated_whoever_was_the_authority_when_they_were_learned() {
    let mut story = Story::open("CP1");
    story.learned("transactionId", "11", "7");
    let mut story = story.switched();
    story.command("RemoteStopTransaction", r#"{"transactionId":7}"#);
    story.shadow_command("RemoteStopTransaction", r#"{"transactionId":11}"#);
    assert_eq!(
        commands(&judge(&story.facts)),
        [("RemoteStopTransaction".to_owned(), Outcome::Equal)]
    );
}

#[test]
fn a_configuration_key_weighs_what_it_decides() {
    let change = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    for (key, severity) in [
        ("AuthorizeRemoteTxRequests", "S1"),
        ("MeterValueSampleInterval", "S2"),
        ("LightIntensity", "S3"),
    ] {
        let mut story = Story::open("CP1");
        story.command("ChangeConfiguration", &change(key, "1"));
        story.shadow_command("ChangeConfiguration", &change(key, "2"));
        story.pass(61);
        story.tick();
        story.command("ChangeConfiguration", &change(key, "3"));
        story.stopped();
        let rows = judge(&story.facts);
        let severities: Vec<_> = divergences(&rows)
            .iter()
            .map(|row| format!("{} {}", row.severity, row.kind))
            .collect();
        assert_eq!(
            severities,
            [
                format!("{severity} value"),
                format!("{severity} missing command")
            ],
            "{key}"
        );
    }
}

#[test]
fn a_field_that_no_rule_names_weighs_what_its_command_weighs() {
    let profile = |level: u32| {
        format!(
            r#"{{"connectorId":1,"csChargingProfiles":{{"chargingProfileId":1,"stackLevel":{level}}}}}"#
        )
    };
    let trigger = |what: &str| format!(r#"{{"requestedMessage":"{what}"}}"#);
    let mut story = Story::open("CP1");
    story.command("SetChargingProfile", &profile(0));
    story.shadow_command("SetChargingProfile", &profile(1));
    story.command("TriggerMessage", &trigger("Heartbeat"));
    story.shadow_command("TriggerMessage", &trigger("MeterValues"));
    story.stopped();
    let rows = judge(&story.facts);
    let weights: Vec<_> = divergences(&rows)
        .iter()
        .map(|row| format!("{} {}", row.severity, row.path))
        .collect();
    assert_eq!(
        weights,
        ["S3 /csChargingProfiles/stackLevel", "S4 /requestedMessage"]
    );
}

/// What `diffs --json` lists of a story.
fn view(story: &Story, filter: &Filter) -> views::Diffs {
    let dir = tempfile::tempdir().unwrap();
    let rules = Rules::built_in().unwrap();
    let mut ledger = Ledger::open(dir.path(), rules.fingerprint()).unwrap();
    let last = story.facts.last().unwrap().seq;
    ledger
        .apply(&judge(&story.facts), last, Pending::default())
        .unwrap();
    views::diffs(&Reader::open(dir.path()).unwrap(), filter).unwrap()
}

#[test]
fn what_the_shadow_would_have_changed_is_listed_with_what_the_authority_did() {
    let key = |value: u32| format!(r#"{{"key":"HeartbeatInterval","value":"{value}"}}"#);
    let mut story = Story::open("CP1");
    // The same from both, another value, nothing like it, and one that is not judged yet.
    story.command("ChangeConfiguration", &key(60));
    story.stand_in("ChangeConfiguration", &key(60), "reuse");
    story.pass(100);
    story.command("ChangeConfiguration", &key(30));
    story.stand_in("ChangeConfiguration", &key(60), "refusal");
    story.pass(100);
    story.stand_in("ChangeConfiguration", &key(60), "refusal");
    story.pass(100);
    story.stand_in("ChangeConfiguration", &key(60), "refusal");
    story.stand_in(
        "ChangeConfiguration",
        r#"{"key":"SecurityProfile","value":"2"}"#,
        "refusal",
    );
    // A question, and what holds already, change nothing.
    story.stand_in("GetConfiguration", "{}", "model");
    story.stand_in(
        "ChangeAvailability",
        r#"{"connectorId":0,"type":"Operative"}"#,
        "no-op",
    );
    let all = view(&story, &Filter::default());
    let answered: Vec<_> = all
        .stand_in
        .iter()
        .map(|one| format!("{} {} {}", one.action, one.source, one.count))
        .collect();
    assert_eq!(
        answered,
        [
            "ChangeAvailability no-op 1",
            "ChangeConfiguration refusal 4",
            "ChangeConfiguration reuse 1",
            "GetConfiguration model 1",
        ]
    );
    let [secure, heartbeat] = all.would_have_changed.as_slice() else {
        panic!("{:#?}", all.would_have_changed);
    };
    assert_eq!(secure.fields, "SecurityProfile=2");
    let notice = secure.notice.as_deref();
    assert_eq!(notice, Some("changes how the charger logs in"));
    assert_eq!(
        (heartbeat.fields.as_str(), heartbeat.count),
        ("HeartbeatInterval=60", 4)
    );
    assert_eq!((&heartbeat.notice, heartbeat.chargers.len()), (&None, 1));
    let twins = &heartbeat.authority_sent;
    let told = (twins.same, twins.other, twins.none, twins.unknown);
    assert_eq!(told, (1, 1, 1, 1));
    assert!(heartbeat.first_seen < heartbeat.last_seen);
    let filter = |action: Option<&str>, charger: Option<&str>| Filter {
        action: action.map(str::to_owned),
        charger: charger.map(str::to_owned),
        ..Filter::default()
    };
    let of_action = view(&story, &filter(Some("GetConfiguration"), None));
    assert_eq!(of_action.stand_in.len(), 1);
    assert_eq!(of_action.would_have_changed, []);
    let elsewhere = view(&story, &filter(None, Some("CP2")));
    assert_eq!(
        (elsewhere.stand_in, elsewhere.would_have_changed),
        (Vec::new(), Vec::new())
    );
}

#[test]
fn what_follows_from_a_pretence_is_not_compared() {
    let key = r#"{"key":"K","value":"1"}"#;
    let boot = |story: &mut Story| {
        let answer = r#"{"status":"Accepted","interval":300}"#;
        story.exchange("BootNotification", "{}", answer, Shadow::Answers(answer));
        story.exchange("Authorize", TAG, ACCEPTED, Shadow::Answers(ACCEPTED));
    };
    let mut story = Story::open("CP1");
    boot(&mut story);
    story.stand_in("ChangeConfiguration", key, "simulate");
    boot(&mut story);
    // Equal or not, sent by one or both: nobody knows what the shadow would have done.
    story.command("ChangeConfiguration", key);
    story.command("GetConfiguration", "{}");
    story.shadow_command("GetConfiguration", "{}");
    story.shadow_command("ClearCache", "{}");
    story.stopped();
    let rows = judge(&story.facts);
    assert_eq!(
        outcomes(&rows),
        [
            "BootNotification equal",
            "Authorize equal",
            "BootNotification not comparable simulated",
            "Authorize equal",
        ]
    );
    let reasons: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Command(row) => Some((row.action.as_str(), row.outcome, row.reason)),
            _ => None,
        })
        .collect();
    let (blind, why) = (Outcome::NotComparable, Some(Reason::Simulated));
    assert_eq!(
        reasons,
        [
            ("ChangeConfiguration", Outcome::Equal, None),
            ("GetConfiguration", blind, why),
            ("ClearCache", Outcome::Divergent, None),
        ]
    );
}

#[test]
fn a_pretence_that_only_the_authority_follows_up_is_not_compared_either() {
    let key = r#"{"key":"K","value":"1"}"#;
    let mut story = Story::open("CP1");
    story.stand_in("ChangeConfiguration", key, "simulate");
    story.pass(100);
    story.command("ChangeConfiguration", key);
    story.stopped();
    let rows = judge(&story.facts);
    assert_eq!(found(&rows).len(), 1, "the shadow's own alone");
    assert_eq!(commands(&rows)[1].1, Outcome::NotComparable);
}

/// `verdict action after outcome` of every command.
fn verdicts(rows: &[Row]) -> Vec<String> {
    let one = |row: &Row| match row {
        Row::Command(row) => {
            let after = row.ours_after.as_ref().or(row.theirs_after.as_ref());
            let after = after.map_or("nothing", |after| &after.what);
            let outcome = row.outcome.word();
            Some(format!(
                "{} {} after {after}: {outcome}",
                row.verdict, row.action
            ))
        }
        _ => None,
    };
    rows.iter().filter_map(one).collect()
}

const BOOTED: &str = r#"{"status":"Accepted","interval":300,"currentTime":"2026-11-24T00:00:00Z"}"#;

#[test]
fn a_command_says_what_came_before_it() {
    let mut story = Story::open("CP1");
    story.exchange("BootNotification", "{}", BOOTED, Shadow::Answers(BOOTED));
    story.pass(2);
    story.command("GetConfiguration", "{}");
    story.pass(1);
    story.shadow_command("GetConfiguration", "{}");
    let faulted = r#"{"connectorId":1,"errorCode":"OtherError","status":"Faulted"}"#;
    story.exchange("StatusNotification", faulted, "{}", Shadow::Answers("{}"));
    story.command("Reset", r#"{"type":"Soft"}"#);
    story.shadow_command("ClearCache", "{}");
    story.stopped();
    let rows = judge(&story.facts);
    assert_eq!(
        verdicts(&rows),
        [
            "matched GetConfiguration after BootNotification: equal",
            "missing Reset after StatusNotification Faulted: divergent",
            "extra ClearCache after StatusNotification Faulted: divergent",
        ]
    );
    let Some(Row::Command(first)) = rows.iter().find(|row| matches!(row, Row::Command(_))) else {
        panic!("{rows:?}");
    };
    let (ours, theirs) = (first.ours_after.as_ref(), first.theirs_after.as_ref());
    assert_eq!(ours.unwrap().delay_us, 2_070_000);
    assert_eq!(theirs.unwrap().delay_us, 3_030_000);
    assert_eq!(ours.unwrap().fact, theirs.unwrap().fact);

    let seen = view(&story, &Filter::default());
    let reset = seen
        .findings
        .iter()
        .find(|it| it.action == "Reset")
        .unwrap();
    let [trigger] = reset.triggers.as_slice() else {
        panic!("{:?}", reset.triggers);
    };
    assert_eq!(trigger.after, "StatusNotification Faulted");
    assert_eq!((trigger.count, trigger.longest_lag_us), (1, None));
}

/// A charger connects, is commanded after `delay` s, and leaves `rest` s later.
fn short_stay(delay: i64, rest: i64) -> Vec<String> {
    let mut story = Story::open("CP1");
    story.pass(delay);
    story.command("GetConfiguration", "{}");
    story.pass(rest);
    story.close();
    story.shadow_ended(&json!({"why":"charger connection closed"}));
    story.pass(100);
    story.tick();
    verdicts(&judge(&story.facts))
}

#[test]
fn a_short_connection_shows_a_missing_command_if_the_other_had_the_time() {
    let missing = ["missing GetConfiguration after connect: divergent"];
    let unknown = [" GetConfiguration after connect: not comparable"];
    // Five seconds at least, and three times what legacy took.
    assert_eq!(short_stay(0, 5), missing);
    assert_eq!(short_stay(0, 4), unknown);
    assert_eq!(short_stay(10, 20), missing);
    assert_eq!(short_stay(10, 19), unknown);
    // Never more than a minute.
    assert_eq!(short_stay(40, 20), missing);
}

#[test]
fn a_leg_that_ends_by_itself_excuses_the_candidate_only_if_it_ended_too_soon() {
    for (rest, outcome) in [(2, Outcome::NotComparable), (6, Outcome::Divergent)] {
        let mut story = Story::open("CP1");
        story.command("ClearCache", "{}");
        story.pass(rest);
        story.shadow_closed();
        story.pass(100);
        story.tick();
        let rows = judge(&story.facts);
        assert_eq!(commands(&rows), [("ClearCache".to_owned(), outcome)]);
    }
}

#[test]
fn a_trigger_that_the_shadow_was_not_told_proves_nothing_on_a_short_connection() {
    let mut story = Story::open("CP1");
    story.call("BootNotification", "{}");
    story.command("GetConfiguration", "{}");
    story.pass(30);
    story.close();
    story.pass(100);
    story.tick();
    assert_eq!(
        verdicts(&judge(&story.facts)),
        [" GetConfiguration after BootNotification: not comparable"]
    );
}

#[test]
fn a_command_before_the_leg_opens_waits_for_the_leg() {
    for (opens, verdict) in [
        (Some(1), "missing GetConfiguration after connect: divergent"),
        (Some(58), " GetConfiguration after connect: not comparable"),
        (None, " GetConfiguration after connect: not comparable"),
    ] {
        let mut story = Story::connect("CP1", Leg::Legacy);
        story.command("GetConfiguration", "{}");
        if let Some(opens) = opens {
            story.pass(opens);
            story.shadow_opened();
        }
        story.pass(100);
        story.tick();
        assert_eq!(verdicts(&judge(&story.facts)), [verdict]);
    }
}

#[test]
fn a_command_that_comes_late_is_late_and_not_missing() {
    let start = r#"{"idTag":"T1"}"#;
    for (lag, verdict, finding) in [
        (
            30,
            "matched RemoteStartTransaction after connect: equal",
            None,
        ),
        (
            31,
            "late RemoteStartTransaction after connect: divergent",
            Some(
                "S2 late command : RemoteStartTransaction is sent by candidate more than 30 s after legacy",
            ),
        ),
    ] {
        let mut story = Story::open("CP1");
        story.command("RemoteStartTransaction", start);
        story.pass(lag);
        story.shadow_command("RemoteStartTransaction", start);
        let rows = judge(&story.facts);
        assert_eq!(verdicts(&rows), [verdict]);
        assert_eq!(found(&rows), Vec::from_iter(finding));
    }
    // Legacy may be as late as it likes, and a copy that the tap delivers late excuses the candidate.
    let mut story = Story::open("CP1");
    story.shadow_command("RemoteStartTransaction", start);
    story.pass(50);
    story.command("RemoteStartTransaction", start);
    let boot = story.call("BootNotification", "{}");
    story.command("GetConfiguration", "{}");
    story.pass(40);
    story.sent(boot);
    story.pass(1);
    story.shadow_command("GetConfiguration", "{}");
    assert_eq!(found(&judge(&story.facts)), Vec::<String>::new());
}

#[test]
fn a_flood_of_commands_is_bounded_and_costs_nobody_elses_their_twins() {
    let mut story = Story::open("CP1");
    story.command("ClearCache", "{}");
    for number in 0..5_000 {
        let key = format!(r#"{{"key":"K{number}","value":"1"}}"#);
        story.shadow_command("ChangeConfiguration", &key);
    }
    story.shadow_command("ClearCache", "{}");
    // The twin of one that was given up.
    story.command("ChangeConfiguration", r#"{"key":"K1","value":"1"}"#);
    let mut judge = Judge::new(Rules::built_in().unwrap());
    let (mut rows, mut most) = (Vec::new(), 0);
    for fact in &story.facts {
        judge.feed(fact, &mut |row| rows.push(row));
        most = most.max(judge.pending_commands());
    }
    assert!((512..600).contains(&most), "{most}");
    story.stopped();
    judge.feed(story.facts.last().unwrap(), &mut |row| rows.push(row));
    let all: Vec<_> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Command(row) => Some((row.action.as_str(), row.outcome, row.reason)),
            _ => None,
        })
        .collect();
    assert_eq!(all.len(), 5_001);
    let clear = all.iter().find(|(action, ..)| *action == "ClearCache");
    assert_eq!(clear.unwrap().1, Outcome::Equal);
    let given_up = Some(Reason::TooMany);
    let count = all.iter().filter(|it| it.2 == given_up).count();
    assert!(count > 4_000, "{count}");
    assert_eq!(all.last().unwrap().2, given_up);
}
