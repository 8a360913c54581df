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
    let rules = evenkeel::judge::Rules::built_in().unwrap();
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
