//! Where answers to the shadow backend's commands come from: the charger itself by way of its authority, what is known of
//! it, a refusal, and, only where an operator asked for it, a pretence.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

#[path = "stand_in_sources/every_command.rs"]
mod every_command;
#[path = "stand_in_sources/same_ids.rs"]
mod same_ids;
mod shadow_support;
#[path = "common/tap.rs"]
mod tap;

use std::time::{Duration, Instant};

use evenkeel::facts::{Fact, Kind};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::row::{Command, Outcome, Row, StandIn};
use evenkeel::shadow::plane::LegHost;
use evenkeel::shadow::settings::ShadowSettings;
use serde_json::json;

use shadow_support::{Candidate, Conn, World, run, start, started, stop};

/// Longer than any test waits: whoever waits for its end fails.
const LONG: Duration = Duration::from_secs(30);

const ACCEPTED: &str = r#"{"status":"Accepted"}"#;
const REJECTED: &str = r#"{"status":"Rejected"}"#;

async fn booted(
    subprotocol: &str,
    tune: impl FnOnce(&mut ShadowSettings),
) -> (Candidate, World, Conn) {
    let candidate = Candidate::listen().await;
    let world = World::new(&candidate, tune);
    world.open(subprotocol);
    let mut conn = candidate.accept().await;
    world.boot(&mut conn).await;
    (candidate, world, conn)
}

fn patient(settings: &mut ShadowSettings) {
    settings.hold = LONG;
}

impl World {
    /// Waits until the shadow's command `id` is on record.
    async fn asked(&self, id: &str) -> Fact {
        let head = format!(r#"[2,"{id}","#);
        self.fact("the command", |fact| {
            fact.kind == Kind::ShadowReceived && fact.text().is_some_and(|t| t.starts_with(&head))
        })
        .await
    }

    /// The sources of all answers so far.
    async fn sources(&self, count: usize) -> Vec<String> {
        self.fact("the answers", |_| self.count(Kind::ShadowAnswered) >= count)
            .await;
        let facts = self.recorder.facts();
        let answers = facts.iter().filter(|f| f.kind == Kind::ShadowAnswered);
        answers
            .map(|fact| fact.note_json()["source"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What the judge makes of it when the tap stops now.
    fn judged(&self) -> (Vec<Command>, Vec<StandIn>) {
        self.recorder
            .record(Fact::new(Kind::TapStopped, i64::MAX / 2));
        let mut judge = Judge::new(Rules::built_in().unwrap());
        let (mut commands, mut answers) = (Vec::new(), Vec::new());
        for fact in self.recorder.facts() {
            judge.feed(&fact, &mut |row| match row {
                Row::Command(row) => commands.push(row),
                Row::StandIn(row) => answers.push(row),
                _ => {}
            });
        }
        (commands, answers)
    }
}

#[test]
fn item_5_the_same_remote_start_from_both_is_one_transaction() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        conn.send(r#"[2,"c1","RemoteStartTransaction",{"connectorId":1,"idTag":"tag"}]"#)
            .await;
        world.asked("c1").await;
        // While it waits, the charger's own messages and other commands are served.
        world
            .exchange(&mut conn, r#"[2,"h","Heartbeat",{}]"#, "{}")
            .await;
        conn.send(r#"[2,"c2","GetLocalListVersion",{}]"#).await;
        assert_eq!(conn.text().await.unwrap(), r#"[3,"c2",{"listVersion":0}]"#);
        assert_eq!(world.sources(1).await, ["refusal"]);
        // Legacy sends its own, and the charger's answer is the candidate's.
        world.authority(r#"[2,"l1","RemoteStartTransaction",{"idTag":"TAG","connectorId":1}]"#);
        world.charger(&format!(r#"[3,"l1",{ACCEPTED}]"#));
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"c1",{ACCEPTED}]"#)
        );
        assert_eq!(world.sources(2).await, ["refusal", "reuse"]);
        // One transaction, which both know by their own ids.
        world.charger(&start("s", 1));
        world.authority(&format!(r#"[3,"s",{}]"#, started("4711", "Accepted")));
        let begun = conn.expect("StartTransaction").await;
        conn.answer(&begun, &started("7", "Accepted")).await;
        world
            .fact("the pair", |f| f.kind == Kind::IdentifierLearned)
            .await;
        world.charger(&stop("e", "4711"));
        let ended = conn.expect("StopTransaction").await;
        assert!(ended.payload.contains(r#""transactionId":7"#), "{ended:?}");
        let (commands, answers) = world.judged();
        let start = commands
            .iter()
            .find(|one| one.action.starts_with("RemoteStart"));
        let start = start.unwrap();
        assert!(matches!(start.outcome, Outcome::Equal | Outcome::Explained));
        assert!(start.ours != 0 && start.theirs != 0);
        let answer = answers.iter().find(|one| one.id == start.theirs).unwrap();
        assert_eq!((answer.source.as_str(), &answer.notice), ("reuse", &None));
    });
}

#[test]
fn item_5_a_remote_start_of_2_x_pairs_its_ids() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp2.0.1", patient).await;
        let token = r#"{"idToken":"A","type":"ISO14443"}"#;
        conn.send(format!(
            r#"[2,"c1","RequestStartTransaction",{{"remoteStartId":4,"evseId":1,"idToken":{token}}}]"#
        ))
        .await;
        world.asked("c1").await;
        world.authority(&format!(
            r#"[2,"l1","RequestStartTransaction",{{"remoteStartId":17,"idToken":{token},"evseId":1}}]"#
        ));
        let answer = r#"{"status":"Accepted","transactionId":"T1"}"#;
        world.charger(&format!(r#"[3,"l1",{answer}]"#));
        assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"c1",{answer}]"#));
        world.charger(
            r#"[2,"e","TransactionEvent",{"eventType":"Started","transactionInfo":{"transactionId":"T1","remoteStartId":17}}]"#,
        );
        let event = conn.expect("TransactionEvent").await;
        let told = r#"{"transactionId":"T1","remoteStartId":4}"#;
        assert!(event.payload.contains(told), "{event:?}");
    });
}

#[test]
fn a_held_command_is_refused_when_its_time_is_over() {
    run(async {
        let hold = Duration::from_millis(60);
        let (_candidate, world, mut conn) = booted("ocpp1.6", |s| s.hold = hold).await;
        let since = Instant::now();
        conn.send(r#"[2,"c","Reset",{"type":"Soft"}]"#).await;
        assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"c",{REJECTED}]"#));
        assert!(since.elapsed() >= hold);
        assert_eq!(world.sources(1).await, ["refusal"]);
        // What the charger says afterwards comes too late and is told nobody.
        world.authority(r#"[2,"l","Reset",{"type":"Soft"}]"#);
        world.charger(&format!(r#"[3,"l",{ACCEPTED}]"#));
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
        assert_eq!(world.sources(1).await.len(), 1);
    });
}

#[test]
fn only_so_many_commands_wait_at_once() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        let reset = |id: usize| format!(r#"[2,"{id}","Reset",{{"type":"Soft"}}]"#);
        for id in 0..16 {
            conn.send(reset(id)).await;
        }
        conn.send(reset(16)).await;
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"16",{REJECTED}]"#)
        );
        // The authority's is the twin of one of them; the others wait on.
        world.asked("15").await;
        world.authority(r#"[2,"l","Reset",{"type":"Soft"}]"#);
        world.charger(&format!(r#"[3,"l",{ACCEPTED}]"#));
        assert!(
            conn.text()
                .await
                .unwrap()
                .ends_with(&format!("{ACCEPTED}]"))
        );
        assert_eq!(world.sources(2).await, ["refusal", "reuse"]);
        let data = "x".repeat(300 << 10);
        conn.send(format!(
            r#"[2,"d","DataTransfer",{{"vendorId":"V","data":"{data}"}}]"#
        ))
        .await;
        let answer = conn.text().await.unwrap();
        assert_eq!(answer, r#"[3,"d",{"status":"UnknownVendorId"}]"#);
    });
}

#[test]
fn the_chargers_answer_is_handed_on_whatever_it_was() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        // Asked before: at once. A refusal and an error are handed on like any answer.
        world.authority(r#"[2,"l1","UnlockConnector",{"connectorId":1}]"#);
        world.charger(r#"[3,"l1",{"status":"Unlocked"}]"#);
        conn.send(r#"[2,"c1","UnlockConnector",{"connectorId":1}]"#)
            .await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c1",{"status":"Unlocked"}]"#
        );
        world.authority(r#"[2,"l2","ClearCache",{}]"#);
        conn.send(r#"[2,"c2","ClearCache",{}]"#).await;
        world.asked("c2").await;
        world.charger(r#"[4,"l2","InternalError","out of \"memory\"",{"a":1}]"#);
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[4,"c2","InternalError","out of \"memory\"",{}]"#
        );
        assert_eq!(world.sources(2).await, ["reuse", "reuse"]);
    });
}

#[test]
fn only_what_may_come_true_is_waited_for() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        let at_once = [
            // Nobody stops a session that does not run.
            (
                r#"[2,"a","RemoteStopTransaction",{"transactionId":9}]"#,
                REJECTED,
            ),
            // The authority's file is not the shadow's.
            (r#"[2,"a","GetDiagnostics",{"location":"ftp://x/"}]"#, "{}"),
            (
                r#"[2,"a","CertificateSigned",{"certificateChain":"x"}]"#,
                REJECTED,
            ),
        ];
        for (command, answer) in at_once {
            conn.send(command).await;
            assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"a",{answer}]"#));
        }
        // A session that runs may be stopped by the authority, too.
        world.charger(&start("s", 1));
        world.authority(&format!(r#"[3,"s",{}]"#, started("4711", "Accepted")));
        let begun = conn.expect("StartTransaction").await;
        conn.answer(&begun, &started("9", "Accepted")).await;
        world
            .fact("the pair", |f| f.kind == Kind::IdentifierLearned)
            .await;
        conn.send(r#"[2,"b","RemoteStopTransaction",{"transactionId":9}]"#)
            .await;
        world.asked("b").await;
        world.authority(r#"[2,"l","RemoteStopTransaction",{"transactionId":4711}]"#);
        world.charger(&format!(r#"[3,"l",{ACCEPTED}]"#));
        assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"b",{ACCEPTED}]"#));
    });
}

#[test]
fn a_charger_that_leaves_answers_what_it_was_asked() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        conn.send(r#"[2,"c","Reset",{"type":"Hard"}]"#).await;
        world.asked("c").await;
        world.close();
        assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"c",{REJECTED}]"#));
        assert_eq!(conn.text().await, None);
        world.legs.stopping();
    });
}

#[test]
fn a_leg_that_breaks_leaves_its_commands_unanswered_and_says_so() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        conn.send(r#"[2,"c","Reset",{"type":"Hard"}]"#).await;
        world.asked("c").await;
        drop(conn);
        world
            .fact("the end", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        let (_, answers) = world.judged();
        assert_eq!(answers.len(), 1);
        assert_eq!(
            (answers[0].source.as_str(), answers[0].fields.as_str()),
            ("unanswered", "type=Hard")
        );
    });
}

#[test]
fn a_list_that_both_sent_has_the_shadows_own_version() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", patient).await;
        let list = |id: &str, version: u8| {
            format!(
                r#"[2,"{id}","SendLocalList",{{"listVersion":{version},"updateType":"Full","localAuthorizationList":[{{"idTag":"A"}}]}}]"#
            )
        };
        world.authority(&list("l", 200));
        world.charger(&format!(r#"[3,"l",{ACCEPTED}]"#));
        conn.send(list("c", 3)).await;
        assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"c",{ACCEPTED}]"#));
        conn.send(r#"[2,"v","GetLocalListVersion",{}]"#).await;
        assert_eq!(conn.text().await.unwrap(), r#"[3,"v",{"listVersion":3}]"#);
        assert_eq!(world.sources(2).await, ["reuse", "model"]);
    });
}

#[test]
fn what_is_simulated_is_believed_marked_and_not_compared() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6", |settings| {
            settings.simulate = vec!["ChangeConfiguration".to_owned()];
        })
        .await;
        let set = |id: &str, key: &str| {
            format!(r#"[2,"{id}","ChangeConfiguration",{{"key":"{key}","value":"60"}}]"#)
        };
        conn.send(set("c1", "HeartbeatInterval")).await;
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"c1",{ACCEPTED}]"#)
        );
        conn.send(r#"[2,"c2","GetConfiguration",{"key":["heartbeatInterval"]}]"#)
            .await;
        let told = conn.text().await.unwrap();
        assert!(told.contains(r#""value":"60""#), "{told}");
        // What would move the charger is not pretended, and what was not asked for is not either.
        conn.send(set("c3", "CentralSystemURL")).await;
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"c3",{REJECTED}]"#)
        );
        conn.send(r#"[2,"c4","ClearCache",{}]"#).await;
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"c4",{REJECTED}]"#)
        );
        let sources = ["simulate", "simulate", "refusal", "refusal"];
        assert_eq!(world.sources(4).await, sources);
        let (commands, answers) = world.judged();
        // The first was sent in good faith; what follows from it is not compared.
        let outcomes: Vec<_> = commands.iter().map(|one| one.outcome).collect();
        let (open, blind) = (Outcome::Divergent, Outcome::NotComparable);
        assert_eq!(outcomes, [open, blind, blind, open]);
        let notices: Vec<_> = answers
            .iter()
            .filter_map(|one| one.notice.as_deref())
            .collect();
        assert_eq!(notices, ["moves the charger"]);
    });
}

#[test]
fn a_simulated_reset_ends_the_leg_and_the_charger_boots_again() {
    run(async {
        let (candidate, world, mut conn) = booted("ocpp2.0.1", |settings| {
            settings.simulate = vec!["Reset".to_owned()];
        })
        .await;
        world
            .exchange(
                &mut conn,
                r#"[2,"b2","BootNotification",{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}]"#,
                r#"{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}"#,
            )
            .await;
        conn.send(r#"[2,"c","Reset",{"type":"Immediate"}]"#).await;
        assert_eq!(conn.text().await.unwrap(), format!(r#"[3,"c",{ACCEPTED}]"#));
        assert_eq!(conn.text().await, None, "the station goes down");
        let mut conn = candidate.accept().await;
        let boot = conn.accept("BootNotification").await;
        assert!(
            boot.payload.contains(r#""reason":"RemoteReset""#),
            "{boot:?}"
        );
        let closed = world
            .fact("the restart", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        assert_eq!(closed.note_json()["why"], json!("simulated restart"));
        assert_eq!(world.sources(1).await, ["simulate"]);
    });
}

#[test]
fn a_simulated_message_is_reported_when_asked_for() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp2.0.1", |settings| {
            settings.simulate = vec!["SetDisplayMessage".to_owned()];
        })
        .await;
        let message =
            r#"{"id":3,"priority":"AlwaysFront","message":{"format":"UTF8","content":"x"}}"#;
        conn.send(format!(
            r#"[2,"c1","SetDisplayMessage",{{"message":{message}}}]"#
        ))
        .await;
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"c1",{ACCEPTED}]"#)
        );
        conn.send(r#"[2,"c2","GetDisplayMessages",{"requestId":0}]"#)
            .await;
        assert_eq!(
            conn.text().await.unwrap(),
            format!(r#"[3,"c2",{ACCEPTED}]"#)
        );
        let report = conn.expect("NotifyDisplayMessages").await;
        assert_eq!(
            report.payload,
            format!(r#"{{"requestId":0,"messageInfo":[{message}]}}"#)
        );
        assert_eq!(world.sources(2).await, ["simulate", "simulate"]);
    });
}
