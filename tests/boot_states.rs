//! What the leg does when the backends take a charger's boot differently: the asymmetry table of the parity semantics.

mod shadow_support;

use evenkeel::facts::{Kind, Leg};
use evenkeel::shadow::plane::LegHost;
use serde_json::json;
use std::time::Duration;

use shadow_support::{Candidate, Conn, World, booted_once, run, start, started, stop};

const PENDING: &str = r#"{"status":"Pending","interval":1}"#;
const REJECTED: &str = r#"{"status":"Rejected","interval":1}"#;
const ACCEPTED: &str = r#"{"status":"Accepted","interval":300}"#;
const BOOT: &str = r#"[2,"b","BootNotification",{"chargePointModel":"M"}]"#;

/// A charger that its authority has accepted and to whose boot the candidate gives this answer.
async fn answered(subprotocol: &str, answer: &str) -> (Candidate, World, Conn) {
    let candidate = Candidate::listen().await;
    let world = World::new(&candidate, |_| {});
    world.open(subprotocol);
    let mut conn = candidate.accept().await;
    world.charger(BOOT);
    world.authority(r#"[3,"b",{"status":"Accepted","interval":300}]"#);
    let boot = conn.expect("BootNotification").await;
    conn.answer(&boot, answer).await;
    world
        .fact("the answer", |fact| fact.kind == Kind::ShadowReceived)
        .await;
    (candidate, world, conn)
}

#[test]
fn item_7_a_pending_candidate_configures_triggers_a_boot_and_gets_the_queue_in_order() {
    run(async {
        let (_candidate, world, mut conn) = answered("ocpp1.6", PENDING).await;
        // The charger goes on, as its authority has accepted it; the candidate hears nothing of that yet.
        let held = [
            r#"[2,"n","StatusNotification",{"connectorId":1,"status":"Available","errorCode":"NoError"}]"#
                .to_owned(),
            r#"[2,"h","Heartbeat",{}]"#.to_owned(),
            start("s", 1),
            stop("e", "50"),
        ];
        for text in &held {
            world.charger(text);
        }
        world.authority(&format!(r#"[3,"s",{}]"#, started("50", "Accepted")));
        conn.send(r#"[2,"c","GetConfiguration",{}]"#).await;
        assert!(conn.text().await.unwrap().starts_with(r#"[3,"c","#));
        conn.send(r#"[2,"t","TriggerMessage",{"requestedMessage":"BootNotification"}]"#)
            .await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"t",{"status":"Accepted"}]"#
        );
        let boot = conn.expect("BootNotification").await;
        assert!(boot.id.starts_with("evk-"), "{}", boot.id);
        conn.answer(&boot, ACCEPTED).await;
        for (id, action) in [
            ("n", "StatusNotification"),
            ("h", "Heartbeat"),
            ("s", "StartTransaction"),
            ("e", "StopTransaction"),
        ] {
            let call = conn.expect(action).await;
            assert_eq!(call.id, id);
            let answer = if id == "s" {
                started("5", "Accepted")
            } else {
                "{}".to_owned()
            };
            conn.answer(&call, &answer).await;
        }
        assert_eq!(world.count(Kind::ShadowWithheld), 0);
    });
}

#[test]
fn a_pending_candidate_is_booted_at_again_and_its_dwell_is_recorded() {
    run(async {
        let (_candidate, world, mut conn) = answered("ocpp2.0.1", PENDING).await;
        for boots in 1..=2 {
            let boot = conn.expect("BootNotification").await;
            let sent = world
                .fact("the boot", |fact| {
                    fact.kind == Kind::ShadowSent && fact.note.contains(&boot.id)
                })
                .await;
            let dwell = &sent.note_json()["not_accepted"];
            assert_eq!(
                (&dwell["status"], &dwell["boots"]),
                (&json!("pending"), &json!(boots))
            );
            assert!(dwell["us"].as_i64() > Some(0));
            conn.answer(&boot, if boots == 1 { PENDING } else { ACCEPTED })
                .await;
        }
        world
            .fact("the acceptance", |fact| {
                fact.kind == Kind::ShadowReceived
                    && fact.text().is_some_and(|text| text.contains("Accepted"))
            })
            .await;
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

const INVENTORY: &str = r#"[2,"r","NotifyReport",{"requestId":5,"generatedAt":"2026-01-01T00:00:00Z","seqNo":0,"reportData":[
    {"component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"},"variableAttribute":[{"value":"300"}]}]}]"#;

/// Lets the charger's authority ask for its inventory, and the charger report.
fn inventoried(world: &World) {
    world.authority(r#"[2,"g","GetBaseReport",{"requestId":5,"reportBase":"FullInventory"}]"#);
    world.charger(r#"[3,"g",{"status":"Accepted"}]"#);
    world.charger(INVENTORY);
    world.authority(r#"[3,"r",{}]"#);
}

const ASK: &str = r#"[2,"c","GetBaseReport",{"requestId":0,"reportBase":"FullInventory"}]"#;

#[test]
fn a_pending_candidate_gets_the_reports_that_it_asked_for() {
    run(async {
        let (_candidate, world, mut conn) =
            answered("ocpp2.0.1", r#"{"status":"Pending","interval":300}"#).await;
        inventoried(&world);
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.send(ASK).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c",{"status":"Accepted"}]"#
        );
        let report = conn.expect("NotifyReport").await;
        assert!(report.payload.contains(r#""requestId":0"#));
        conn.answer(&report, "{}").await;
    });
}

#[test]
fn reports_asked_for_before_a_boot_is_left_pending_come_nevertheless() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp2.0.1");
        let mut conn = candidate.accept().await;
        world.charger(BOOT);
        world.authority(r#"[3,"b",{"status":"Accepted","interval":300}]"#);
        inventoried(&world);
        let boot = conn.expect("BootNotification").await;
        conn.send(ASK).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c",{"status":"Accepted"}]"#
        );
        conn.answer(&boot, r#"{"status":"Pending","interval":300}"#)
            .await;
        let report = conn.expect("NotifyReport").await;
        assert!(report.payload.contains(r#""requestId":0"#));
    });
}

#[test]
fn a_pending_candidate_gets_what_it_triggered_too_and_nothing_else() {
    run(async {
        let (_candidate, world, mut conn) =
            answered("ocpp1.6", r#"{"status":"Pending","interval":300}"#).await;
        let trigger = |id: &str| {
            format!(
                r#"[2,"{id}","TriggerMessage",{{"requestedMessage":"StatusNotification","connectorId":1}}]"#
            )
        };
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        world.authority(&trigger("l"));
        world.charger(r#"[3,"l",{"status":"Accepted"}]"#);
        world.charger(
            r#"[2,"n","StatusNotification",{"connectorId":1,"status":"Available","errorCode":"NoError"}]"#,
        );
        conn.send(&trigger("c")).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c",{"status":"Accepted"}]"#
        );
        let status = conn.expect("StatusNotification").await;
        assert_eq!(status.id, "n", "the charger's own, before the heartbeat");
        conn.answer(&status, "{}").await;
        assert_eq!(world.count(Kind::ShadowWithheld), 0);
    });
}

#[test]
fn what_a_pending_candidate_is_not_told_is_bounded() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| settings.queue.count = 2);
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.charger(BOOT);
        let boot = conn.expect("BootNotification").await;
        conn.answer(&boot, r#"{"status":"Pending","interval":300}"#)
            .await;
        world
            .fact("the answer", |fact| fact.kind == Kind::ShadowReceived)
            .await;
        let heartbeat = |n: u32| format!(r#"[2,"h{n}","Heartbeat",{{}}]"#);
        world.charger(&heartbeat(1));
        world.charger(&heartbeat(2));
        let third = world.charger(&heartbeat(3));
        world.expect_withheld(third, "not accepted").await;
        // A transaction takes the place of what a charger would not keep.
        world.charger(&start("s", 1));
        assert_eq!(world.count(Kind::ShadowWithheld), 2);
    });
}

#[test]
fn a_rejecting_candidate_gets_only_boots() {
    run(async {
        let (_candidate, world, mut conn) = answered("ocpp1.6", REJECTED).await;
        for text in [r#"[2,"h","Heartbeat",{}]"#.to_owned(), start("s", 1)] {
            let message = world.charger(&text);
            world.expect_withheld(message, "not accepted").await;
        }
        conn.send(r#"[2,"c","GetConfiguration",{}]"#).await;
        assert!(conn.text().await.unwrap().contains("SecurityError"));
        let boot = conn.expect("BootNotification").await;
        conn.answer(&boot, ACCEPTED).await;
    });
}

#[test]
fn a_boot_that_fails_is_tried_again_and_nothing_is_lost_meanwhile() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.charger(BOOT);
        let boot = conn.expect("BootNotification").await;
        conn.send(format!(r#"[4,"{}","InternalError","",{{}}]"#, boot.id))
            .await;
        world
            .fact("the error", |fact| fact.kind == Kind::ShadowReceived)
            .await;
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.send(r#"[2,"t","TriggerMessage",{"requestedMessage":"BootNotification"}]"#)
            .await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"t",{"status":"Accepted"}]"#
        );
        conn.accept("BootNotification").await;
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn a_charger_that_its_authority_keeps_waiting_only_boots_here_too() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        for id in ["b1", "b2"] {
            world.charger(&BOOT.replace("\"b\"", &format!("\"{id}\"")));
            world.authority(&format!(r#"[3,"{id}",{PENDING}]"#));
            let boot = conn.accept("BootNotification").await;
            assert_eq!(boot.id, id);
        }
        assert_eq!(world.count(Kind::ShadowWithheld), 0);
    });
}

#[test]
fn a_candidate_that_comes_back_is_told_who_is_there() {
    run(async {
        // In turn: the charger came back without a boot, the tap was put in front of an open connection, and the candidate
        // lost its connection by itself.
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.boot_grace = Duration::from_millis(50);
        });
        let remembered = booted_once(
            r#"[2,"1","BootNotification",{"chargePointModel":"remembered"}]"#,
            &[],
        );
        world.legs.resume(Leg::Candidate, &remembered);
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        let boot = conn.accept("BootNotification").await;
        assert!(boot.payload.contains("remembered"));
        drop(conn);
        let mut conn = candidate.accept().await;
        conn.accept("BootNotification").await;
        world.close();
        world.conn.set(world.conn.get() + 1);
        world.legs.opened(&evenkeel::shadow::plane::ConnInfo {
            charger: "CP1".into(),
            conn: world.conn.get(),
            subprotocol: Some("ocpp1.6".to_owned()),
            authority: Leg::Legacy,
            logs_in: false,
            resumed: true,
            offered: None,
            login: None,
        });
        let mut conn = candidate.accept().await;
        conn.accept("BootNotification").await;
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
        let facts = world.recorder.facts();
        let synthetic = facts
            .iter()
            .filter(|fact| fact.kind == Kind::ShadowSent && fact.cause == 0);
        for fact in synthetic {
            assert_eq!(fact.note_json()["synthetic"], json!("boot"));
        }
    });
}
