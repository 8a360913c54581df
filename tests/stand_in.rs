//! The shadow backend's commands and moods: everything is answered at once, and nothing but its own leg feels it.

mod shadow_support;

use std::time::{Duration, Instant};

use evenkeel::facts::{Dir, Kind, Leg};
use evenkeel::ocpp::actions::{self, Side};
use evenkeel::ocpp::{Envelope, Version};
use evenkeel::shadow::plane::LegHost;
use futures_util::SinkExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use shadow_support::{Candidate, Conn, World, booted_once, run, stop, within};

async fn booted(subprotocol: &str) -> (Candidate, World, Conn) {
    let candidate = Candidate::listen().await;
    let world = World::new(&candidate, |_| {});
    world.open(subprotocol);
    let mut conn = candidate.accept().await;
    world.boot(&mut conn).await;
    (candidate, world, conn)
}

#[test]
fn every_command_is_answered_under_a_second() {
    run(async {
        for version in Version::ALL {
            let (_candidate, world, mut conn) = booted(version.subprotocol()).await;
            let commands = actions::all(version).filter(|a| a.sender.allows(Side::Csms));
            let mut asked = 0;
            for action in commands {
                let sent = Instant::now();
                conn.send(format!(r#"[2,"{}-1","{}",{{}}]"#, action.name, action.name))
                    .await;
                let text = conn.text().await.unwrap();
                let answer = Envelope::parse(&text).unwrap();
                assert!(answer.kind.is_answer(), "{text}");
                assert_eq!(answer.id, format!("{}-1", action.name));
                assert!(sent.elapsed() < Duration::from_secs(1), "{}", action.name);
                asked += 1;
            }
            // No command was handed on, and each answer is on record.
            let facts = world.recorder.facts();
            let to_charger = facts
                .iter()
                .filter(|fact| fact.kind == Kind::Message && fact.dir == Some(Dir::ToCharger));
            assert_eq!(
                to_charger.count(),
                1,
                "only the authority's answer to the boot"
            );
            assert_eq!(world.count(Kind::ShadowAnswered), asked);
        }
    });
}

#[test]
fn a_trigger_replays_what_the_charger_last_said() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6").await;
        let status = r#"{"connectorId":1,"errorCode":"NoError","status":"Charging"}"#;
        world
            .exchange(
                &mut conn,
                &format!(r#"[2,"s","StatusNotification",{status}]"#),
                "{}",
            )
            .await;
        conn.send(r#"[2,"t","TriggerMessage",{"requestedMessage":"StatusNotification"}]"#)
            .await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"t",{"status":"Accepted"}]"#
        );
        let replay = conn.expect("StatusNotification").await;
        assert_eq!((replay.payload.as_str(), &replay.id[..4]), (status, "evk-"));
        let sent = world
            .fact("the replay", |fact| {
                fact.kind == Kind::ShadowSent && fact.note_json()["synthetic"] == json!("trigger")
            })
            .await;
        assert_eq!(sent.cause, 0);
        assert!(sent.text().unwrap().contains(status));
    });
}

#[test]
fn the_configuration_that_the_charger_told_is_handed_on() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6").await;
        world.authority(r#"[2,"g","GetConfiguration",{}]"#);
        world.charger(
            r#"[3,"g",{"configurationKey":[{"key":"Foo","readonly":true,"value":"1"},{"key":"AuthorizationKey","readonly":false,"value":"geheim"}]}]"#,
        );
        conn.send(r#"[2,"c","GetConfiguration",{}]"#).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c",{"configurationKey":[{"key":"Foo","readonly":true,"value":"1"}]}]"#
        );
    });
}

#[test]
fn a_charger_that_does_not_boot_is_introduced() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.boot_grace = Duration::from_millis(50);
        });
        let resume = booted_once(
            r#"[2,"1","BootNotification",{"chargePointModel":"M"}]"#,
            &[r#"[2,"2","StatusNotification",{"connectorId":2,"status":"Available"}]"#],
        );
        world.legs.resume(Leg::Candidate, &resume);
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        // Nobody says anything: after the grace the leg introduces the charger.
        let boot = conn.accept("BootNotification").await;
        assert_eq!(boot.payload, r#"{"chargePointModel":"M"}"#);
        let status = conn.accept("StatusNotification").await;
        assert!(status.payload.contains(r#""connectorId":2"#));
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn a_candidate_that_does_not_accept_the_charger_gets_only_boots() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.charger(r#"[2,"b","BootNotification",{"chargePointModel":"M"}]"#);
        let boot = conn.expect("BootNotification").await;
        conn.answer(&boot, r#"{"status":"Rejected","interval":1}"#)
            .await;
        world
            .fact("the rejection", |fact| fact.kind == Kind::ShadowReceived)
            .await;
        let heartbeat = world.charger(r#"[2,"h","Heartbeat",{}]"#);
        world.expect_withheld(heartbeat, "not accepted").await;
        conn.send(r#"[2,"c","GetConfiguration",{}]"#).await;
        assert!(conn.text().await.unwrap().contains("SecurityError"));
        // Boots again when the candidate said, and then speaks.
        conn.accept("BootNotification").await;
        world
            .fact("the acceptance", |fact| {
                fact.kind == Kind::ShadowReceived
                    && fact.text().is_some_and(|t| t.contains("Accepted"))
            })
            .await;
        world.charger(r#"[2,"h2","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn a_refusing_candidate_is_recorded_and_asked_again() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp1.6");
        let early = world.charger(r#"[2,"h","Heartbeat",{}]"#);
        for answer in [
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n",
            "garbage\r\n\r\n",
        ] {
            let mut tcp = candidate.accept_tcp().await;
            let mut request = vec![0; 4096];
            let read = tcp.read(&mut request).await.unwrap();
            let head = String::from_utf8_lossy(&request[..read]).into_owned();
            assert!(head.starts_with("GET /ocpp/CP1 HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("Sec-WebSocket-Protocol: ocpp1.6\r\n"));
            assert!(head.contains("User-Agent: evenkeel/"));
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
        world.expect_withheld(early, "shadow refused").await;
        let refused = world
            .fact("the refusal", |fact| fact.kind == Kind::ShadowRefused)
            .await;
        assert_eq!(refused.note_json()["status"], json!(401));
        let mut conn = candidate.accept().await;
        world
            .fact("the opening", |fact| fact.kind == Kind::ShadowOpened)
            .await;
        world.charger(r#"[2,"h2","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn a_flooding_candidate_is_slowed_and_nobody_else() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.messages_per_second = 1000;
            settings.message_burst = 10;
        });
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        let begun = Instant::now();
        for n in 0..300 {
            conn.send(format!(r#"[2,"{n}","ClearCache",{{}}]"#)).await;
        }
        // The charger's own message is not held up by the flood.
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        let mut answers = 0;
        let mut heartbeat_after = None;
        while answers < 300 || heartbeat_after.is_none() {
            let text = conn.text().await.unwrap();
            if text.contains("Heartbeat") {
                heartbeat_after = Some(answers);
            } else {
                answers += 1;
            }
        }
        assert!(
            heartbeat_after.is_some_and(|answers| answers < 150),
            "{heartbeat_after:?}"
        );
        assert!(
            begun.elapsed() >= Duration::from_millis(280),
            "the flood was not slowed"
        );
    });
}

#[test]
fn garbage_costs_the_candidate_its_connection() {
    run(async {
        let (candidate, world, mut conn) = booted("ocpp1.6").await;
        // Unreadable text and binary are kept and not answered.
        conn.send("not OCPP").await;
        conn.ws.send(Message::binary(vec![1, 2])).await.unwrap();
        world
            .fact("the binary message", |fact| {
                fact.kind == Kind::ShadowReceived && fact.body == [1, 2]
            })
            .await;
        assert_eq!(world.count(Kind::ShadowAnswered), 0);
        // An oversized message ends the connection; the leg comes back by itself.
        conn.send("x".repeat(2 << 20)).await;
        let closed = world
            .fact("the end", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        assert!(
            closed.note_json()["why"]
                .as_str()
                .unwrap()
                .contains("oversized")
        );
        let mut conn = candidate.accept().await;
        conn.accept("BootNotification").await;
    });
}

#[test]
fn a_candidate_that_never_answers_is_silent_and_no_more() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.answer_timeout = Duration::from_millis(50);
        });
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        for id in ["a", "b"] {
            world.charger(&format!(r#"[2,"{id}","Heartbeat",{{}}]"#));
            assert_eq!(conn.expect("Heartbeat").await.id, id);
        }
        world
            .fact("two silences", |_| world.count(Kind::ShadowSilent) == 2)
            .await;
        // An answer to nothing, and one that comes twice, move nothing.
        conn.send(r#"[3,"zzz",{}]"#).await;
        conn.send(r#"[3,"b",{}]"#).await;
        conn.send(r#"[3,"b",{}]"#).await;
        world
            .fact("all answers", |_| world.count(Kind::ShadowReceived) == 4)
            .await;
        let causes: Vec<bool> = world
            .recorder
            .facts()
            .iter()
            .filter(|fact| fact.kind == Kind::ShadowReceived)
            .map(|fact| fact.cause != 0)
            .collect();
        assert_eq!(causes, [true, false, true, false]);
    });
}

#[test]
fn stopping_does_not_wait_for_the_candidate() {
    run(async {
        let (_candidate, world, _conn) = booted("ocpp1.6").await;
        world.legs.stopping();
        within("the end of all legs", world.legs.finished()).await;
        assert_eq!(world.count(Kind::ShadowClosed), 1);
    });
}

#[test]
fn a_backlog_is_bounded_and_every_message_has_a_fate() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| settings.queue.count = 20);
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        // The candidate takes the first and answers nothing any more.
        world.charger(&stop("0", "0"));
        conn.expect("StopTransaction").await;
        let rest: Vec<u64> = (1..=50)
            .map(|n| world.charger(&stop(&n.to_string(), "0")))
            .collect();
        for message in &rest[20..] {
            world.expect_withheld(*message, "queue full").await;
        }
        assert!(world.legs.status()["queued_bytes"].as_u64() > Some(0));
        // Behind a charger that has gone the leg goes on for a while; it does not when the plane stops. What a charger would
        // keep is kept then, and the rest has its fate.
        let heartbeat = world.charger(r#"[2,"h","Heartbeat",{}]"#);
        world.expect_withheld(heartbeat, "queue full").await;
        world.close();
        world.legs.stopping();
        let end = world
            .fact("the end", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        assert_eq!(end.note_json()["kept"], json!(20));
        // The one that was sent and not answered goes again, in the place of the newest.
        assert_eq!(world.count(Kind::ShadowWithheld), 32);
        assert!(world.legs.status()["queued_bytes"].as_u64() > Some(0));
    });
}

#[test]
fn a_trigger_is_accepted_only_if_what_it_asks_for_will_be_sent() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6").await;
        for connector in 1..=200 {
            let call = format!(
                r#"[2,"s{connector}","StatusNotification",{{"connectorId":{connector},"status":"Available","errorCode":"NoError"}}]"#
            );
            world.exchange(&mut conn, &call, "{}").await;
        }
        let trigger = |id| {
            format!(r#"[2,"{id}","TriggerMessage",{{"requestedMessage":"StatusNotification"}}]"#)
        };
        conn.send(trigger("t1")).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"t1",{"status":"Accepted"}]"#
        );
        let first = conn.expect("StatusNotification").await;
        conn.send(trigger("t2")).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"t2",{"status":"Rejected"}]"#
        );
        conn.answer(&first, "{}").await;
        for _ in 1..200 {
            let next = conn.expect("StatusNotification").await;
            conn.answer(&next, "{}").await;
        }
        conn.send(trigger("t3")).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"t3",{"status":"Accepted"}]"#
        );
    });
}
