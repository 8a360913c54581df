//! Identifiers on the shadow leg: translated, held, or kept here; never guessed and never sent raw.

mod shadow_support;

use std::time::Duration;

use evenkeel::facts::recorder::Limits;
use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Kind, Leg, Reader, Recorder};
use evenkeel::shadow::plane::LegHost;
use serde_json::json;

use shadow_support::{Candidate, Conn, World, booted, meter, run, start, started, stop, within};

/// Starts a session: the authority names it `authority`, the candidate `shadow`, both as JSON.
async fn begin(world: &World, conn: &mut Conn, id: &str, authority: &str, shadow: &str) {
    world.charger(&start(id, 1));
    world.authority(&format!(r#"[3,"{id}",{}]"#, started(authority, "Accepted")));
    let call = conn.expect("StartTransaction").await;
    conn.answer(&call, &started(shadow, "Accepted")).await;
    world
        .fact("the identifier", |fact| {
            fact.kind == Kind::IdentifierLearned
                && fact.note_json()["authority"] == json!(authority)
        })
        .await;
}

#[test]
fn the_candidate_hears_its_own_transaction_id() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        begin(&world, &mut conn, "s", "1234", "7").await;
        let message = world.charger(&meter("m", "1234"));
        let call = conn.expect("MeterValues").await;
        // Everything but the value is byte for byte what the charger sent.
        let sent = meter("m", "1234").replace(" : 1234", " : 7");
        assert!(sent.contains(&call.payload), "{}", call.payload);
        let (kind, note) = world.fate(message).await;
        assert_eq!(kind, Kind::ShadowSent);
        let rewrite =
            json!({"class":"transactionId","path":"/transactionId","from":"1234","to":"7"});
        assert_eq!(note["rewrites"], json!([rewrite]));
        conn.answer(&call, "{}").await;

        world.charger(&stop("e", "\"1234\""));
        let call = conn.expect("StopTransaction").await;
        assert!(
            call.payload.contains(r#""transactionId":"7""#),
            "the charger's JSON type stays"
        );
        // The identifier was on record before the first translated message left.
        let facts = world.recorder.facts();
        let at = |kind| {
            facts
                .iter()
                .position(|fact| fact.kind == kind && fact.note.contains("1234"))
        };
        assert!(at(Kind::IdentifierLearned) < at(Kind::ShadowSent));
    });
}

#[test]
fn two_sessions_at_once_do_not_mix() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        begin(&world, &mut conn, "a", "10", "2").await;
        begin(&world, &mut conn, "b", "2", "10").await;
        for (authority, shadow) in [("10", "2"), ("2", "10")] {
            world.charger(&meter(authority, authority));
            let call = conn.expect("MeterValues").await;
            assert!(
                call.payload.contains(&format!(" : {shadow},")),
                "{}",
                call.payload
            );
            conn.answer(&call, "{}").await;
        }
    });
}

#[test]
fn a_sentinel_that_nobody_assigned_passes_and_is_noted() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        let message = world.charger(&stop("e", "-1"));
        let call = conn.expect("StopTransaction").await;
        assert!(call.payload.contains(r#""transactionId":-1"#));
        let (_, note) = world.fate(message).await;
        assert_eq!(note["sentinels"], json!(["/transactionId"]));
    });
}

#[test]
fn the_authority_may_answer_last() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        world.charger(&start("s", 1));
        let call = conn.expect("StartTransaction").await;
        conn.answer(&call, &started("3", "Accepted")).await;
        world
            .fact("the candidate's answer", |fact| {
                fact.kind == Kind::ShadowReceived
                    && fact.text().is_some_and(|t| t.contains("transactionId"))
            })
            .await;
        world.authority(&format!(r#"[3,"s",{}]"#, started("55", "Accepted")));
        world.charger(&stop("e", "55"));
        let call = conn.expect("StopTransaction").await;
        assert!(call.payload.contains(r#""transactionId":3"#));
    });
}

#[test]
fn law_8_an_unmapped_identifier_never_leaves() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        // Begun before anyone looked.
        let cold = world.charger(&meter("m1", "4711"));
        world.expect_withheld(cold, "cold start").await;
        // Refused by the candidate alone.
        world.charger(&start("s2", 1));
        world.authority(&format!(r#"[3,"s2",{}]"#, started("4712", "Accepted")));
        let call = conn.expect("StartTransaction").await;
        conn.answer(&call, &started("4712", "Blocked")).await;
        let refused = world.charger(&meter("m2", "4712"));
        world.expect_withheld(refused, "unmapped identifier").await;
        // An error from the candidate.
        world.charger(&start("s3", 1));
        world.authority(&format!(r#"[3,"s3",{}]"#, started("4713", "Accepted")));
        let call = conn.expect("StartTransaction").await;
        conn.send(format!(r#"[4,"{}","InternalError","",{{}}]"#, call.id))
            .await;
        let failed = world.charger(&stop("e3", "4713"));
        world.expect_withheld(failed, "unmapped identifier").await;
        // The start lies in a gap.
        world
            .legs
            .gap(world.conn.get(), evenkeel::facts::Dir::FromCharger);
        let gap = world.charger(&stop("e4", "\"4714\""));
        world.expect_withheld(gap, "unmapped identifier").await;
        // Nothing of it arrived: the next message at the candidate is the next heartbeat.
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn a_silent_start_leaves_its_followers_here_until_it_answers_after_all() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.answer_timeout = Duration::from_millis(100);
        });
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        world.charger(&start("s", 1));
        world.authority(&format!(r#"[3,"s",{}]"#, started("9", "Accepted")));
        let call = conn.expect("StartTransaction").await;
        let early = world.charger(&meter("m", "9"));
        world
            .fact("silence", |fact| fact.kind == Kind::ShadowSilent)
            .await;
        world.expect_withheld(early, "unmapped identifier").await;
        conn.answer(&call, &started("1", "Accepted")).await;
        world
            .fact("the late identifier", |fact| {
                fact.kind == Kind::IdentifierLearned
            })
            .await;
        world.charger(&stop("e", "9"));
        let call = conn.expect("StopTransaction").await;
        assert!(call.payload.contains(r#""transactionId":1"#));
    });
}

#[test]
fn a_candidate_that_dies_in_a_session_gets_the_rest_in_order() {
    run(async {
        let (candidate, world, mut conn) = booted().await;
        begin(&world, &mut conn, "s", "50", "5").await;
        world.charger(&start("s2", 2));
        world.authority(&format!(r#"[3,"s2",{}]"#, started("51", "Accepted")));
        conn.expect("StartTransaction").await;
        drop(conn);
        world
            .fact("the loss", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        // The lost start is sent again before everything else, then what came meanwhile; the heartbeat is not kept.
        let heartbeat = world.charger(r#"[2,"h","Heartbeat",{}]"#);
        world.charger(&stop("e1", "50"));
        world.charger(&stop("e2", "51"));
        world.expect_withheld(heartbeat, "candidate away").await;
        let mut conn = candidate.accept().await;
        let boot = conn.accept("BootNotification").await;
        assert!(
            boot.id.starts_with("evk-"),
            "the charger did not boot: {}",
            boot.id
        );
        let call = conn.expect("StartTransaction").await;
        conn.answer(&call, &started("6", "Accepted")).await;
        for (id, twin) in [("e1", "5"), ("e2", "6")] {
            let call = conn.expect("StopTransaction").await;
            assert_eq!(call.id, id);
            assert!(
                call.payload
                    .contains(&format!(r#""transactionId":{twin},"#))
            );
            conn.answer(&call, "{}").await;
        }
    });
}

#[test]
fn remote_start_ids_are_translated_or_left_out() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp2.0.1");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        let command = |id: &str, remote: u32| {
            format!(
                r#"[2,"{id}","RequestStartTransaction",{{"remoteStartId":{remote},"evseId":1,"idToken":{{"idToken":"A","type":"ISO14443"}}}}]"#
            )
        };
        let event = |id: &str, kind: &str, transaction: &str, remote: u32| {
            format!(
                r#"[2,"{id}","TransactionEvent",{{"eventType":"{kind}","transactionInfo":{{"transactionId":"{transaction}","remoteStartId":{remote}}},"seqNo":0}}]"#
            )
        };
        world.authority(&command("l", 17));
        world.charger(r#"[3,"l",{"status":"Accepted"}]"#);
        conn.send(command("c", 4)).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c",{"status":"Accepted"}]"#
        );
        world.charger(&event("t1", "Started", "T1", 17));
        let call = conn.expect("TransactionEvent").await;
        assert!(
            call.payload.contains(r#""remoteStartId":4}"#),
            "{}",
            call.payload
        );
        conn.answer(&call, "{}").await;

        let message = world.charger(&event("t2", "Started", "T2", 18));
        let call = conn.expect("TransactionEvent").await;
        assert!(!call.payload.contains("remoteStartId"), "{}", call.payload);
        let (_, note) = world.fate(message).await;
        assert_eq!(note["stripped"], json!(["/transactionInfo/remoteStartId"]));
        conn.answer(&call, "{}").await;

        // A session that began before anyone looked.
        let cold = world.charger(&event("t3", "Updated", "T3", 17));
        world.expect_withheld(cold, "cold start").await;
        world.charger(&event("t4", "Ended", "T2", 18));
        conn.expect("TransactionEvent").await;
    });
}

#[test]
fn closing_accounts_for_what_waits() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        world.charger(&start("s", 1));
        conn.expect("StartTransaction").await;
        let waiting = world.charger(r#"[2,"h","Heartbeat",{}]"#);
        world.close();
        world.legs.stopping();
        world.expect_withheld(waiting, "connection closed").await;
        assert_eq!(world.count(Kind::ShadowClosed), 1);
        within("the end of the leg", world.legs.finished()).await;
    });
}

#[test]
fn what_a_charger_sent_before_it_left_is_delivered() {
    run(async {
        let (candidate, world, mut conn) = booted().await;
        world.charger(&start("s", 1));
        world.authority(&format!(r#"[3,"s",{}]"#, started("61", "Accepted")));
        world.charger(&stop("t", "61"));
        world.close();
        // The charger is back before its last messages are through: the new connection waits its turn.
        world.open("ocpp1.6");
        let call = conn.expect("StartTransaction").await;
        conn.answer(&call, &started("7", "Accepted")).await;
        let call = conn.expect("StopTransaction").await;
        assert!(call.payload.contains(r#""transactionId":7"#));
        conn.answer(&call, "{}").await;
        assert_eq!(conn.text().await, None, "the leg says goodbye");
        assert_eq!(world.count(Kind::ShadowWithheld), 0);
        candidate.accept().await;
    });
}

#[test]
fn law_8_an_identifier_is_on_disk_before_it_is_used_and_survives_a_restart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let record = || Recorder::open(dir.path(), Limits::default()).unwrap();
        let candidate = Candidate::listen().await;
        let world = World::recording(&candidate, record(), |_| {});
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        for (id, authority, shadow) in [("s1", "61", "1"), ("s2", "62", "2"), ("s3", "63", "3")] {
            world.charger(&start(id, 1));
            world.authority(&format!(r#"[3,"{id}",{}]"#, started(authority, "Accepted")));
            let call = conn.expect("StartTransaction").await;
            conn.answer(&call, &started(shadow, "Accepted")).await;
            world.charger(&meter("m", authority));
            let call = conn.expect("MeterValues").await;
            // Whoever reads the file now finds it: a kill at this instant loses nothing.
            let reader = Reader::open(dir.path()).unwrap();
            let learned = reader.facts().filter_map(Result::ok).any(|fact| {
                fact.kind == Kind::IdentifierLearned
                    && fact.note_json()["authority"] == json!(authority)
            });
            assert!(learned, "{authority} was used before it was on disk");
            conn.answer(&call, "{}").await;
        }
        world.legs.stopping();
        within("the end", world.legs.finished()).await;
        world.recorder.close(Duration::from_secs(5)).unwrap();

        let recorder = record();
        let resume = Resume::read(&Reader::open(dir.path()).unwrap()).unwrap();
        let world = World::recording(&candidate, recorder, |_| {});
        world.legs.resume(Leg::Candidate, &resume);
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        world.charger(&stop("e", "62"));
        let call = conn.expect("StopTransaction").await;
        assert!(
            call.payload.contains(r#""transactionId":2,"#),
            "{}",
            call.payload
        );
        world.recorder.close(Duration::from_secs(5)).unwrap();
    });
}
