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

use rows::{commands, divergences, found, judge};
use story::Story;

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
