//! What a shadow plane makes of connections and memories that it did not begin.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod shadow_support;

use std::sync::Arc;
use std::time::Duration;

use evenkeel::facts::recorder::Limits;
use evenkeel::facts::resume::{Learned, Resume};
use evenkeel::facts::{Dir, Fact, Kind, Leg, Reader, Recorder};
use serde_json::json;
use shadow_support::{Candidate, World, booted_once, run, stop};

#[test]
fn law_10_nothing_of_a_version_that_is_not_understood_vanishes() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        world.open("ocpp1.5");
        let boot = world.charger(r#"[2,"1","BootNotification",{}]"#);
        let end = world.charger(&stop("2", "7"));
        world.expect_withheld(boot, "shadow refused").await;
        world.expect_withheld(end, "shadow refused").await;
        world.close();
        world.open("ocpp1.6");
        let _conn = candidate.accept().await;
        assert_eq!(world.count(Kind::ShadowRefused), 1);
    });
}

#[test]
fn identifiers_learned_under_the_other_authority_are_turned_round() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        let learned = |towards, authority: &str, shadow: &str| Learned {
            conn: 1,
            towards,
            class: "transactionId".to_owned(),
            authority: authority.to_owned(),
            shadow: shadow.to_owned(),
        };
        let mut resume = Resume::default();
        resume.learned.insert(
            Arc::from("CP1"),
            vec![
                learned(Leg::Legacy, "7", "100"),
                learned(Leg::Candidate, "200", "8"),
            ],
        );
        world.legs.resume(Leg::Candidate, &resume);
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        for (authority, shadow) in [("100", "7"), ("200", "8")] {
            world.charger(&stop(authority, authority));
            let got = conn.expect("StopTransaction").await;
            assert!(
                got.payload
                    .contains(&format!(r#""transactionId":{shadow}"#))
            );
            conn.answer(&got, "{}").await;
        }
        // What the candidate numbered is no name for the charger.
        let raw = world.charger(&stop("3", "7"));
        world.expect_withheld(raw, "cold start").await;
    });
}

#[test]
fn a_boot_of_another_version_introduces_nobody() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        let resume = booted_once(
            r#"[2,"b","BootNotification",{"chargePointModel":"M"}]"#,
            &[],
        );
        world.legs.resume(Leg::Candidate, &resume);
        world.open("ocpp2.0.1");
        let mut conn = candidate.accept().await;
        world.charger(r#"[2,"1","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn made_up_message_ids_do_not_come_again_after_a_restart() {
    run(async {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let candidate = Candidate::listen().await;
            let world = World::new(&candidate, |_| {});
            let boot = r#"[2,"b","BootNotification",{"chargePointModel":"M"}]"#;
            world.legs.resume(Leg::Candidate, &booted_once(boot, &[]));
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.charger(r#"[2,"1","Heartbeat",{}]"#);
            ids.push(conn.expect("BootNotification").await.id);
        }
        assert!(ids[0].starts_with("evk-") && ids[0].len() == 36);
        assert_ne!(ids[0], ids[1]);
    });
}

/// What a recording of these facts owes the shadow: message number and whether that is in doubt.
fn owed(facts: impl IntoIterator<Item = Fact>) -> Vec<(u64, bool)> {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
    for fact in facts {
        let fact = fact.on(&Arc::from("CP1"), 1);
        recorder.record(fact).unwrap();
    }
    recorder.close(Duration::from_secs(5)).unwrap();
    let resume = Resume::read(&Reader::open(dir.path()).unwrap()).unwrap();
    let undelivered = resume.undelivered.iter();
    undelivered
        .map(|owed| (owed.call.seq, owed.in_doubt))
        .collect()
}

#[test]
fn what_may_have_been_sent_before_a_kill_is_in_doubt_and_nothing_else() {
    const SECOND: i64 = 1_000_000;
    let message = |at: i64| {
        Fact::new(Kind::Message, at)
            .via(Leg::Legacy, Dir::FromCharger)
            .body(stop("e", "1"))
    };
    let opened = |at| Fact::new(Kind::ShadowOpened, at);
    let closed = |at| Fact::new(Kind::ShadowClosed, at).note(&json!({"why": "fin"}));
    let sent = |at, cause| {
        Fact::new(Kind::ShadowSent, at)
            .because(cause)
            .note(&json!({"id": "e", "action": "StopTransaction"}))
    };
    let tick = |at| Fact::new(Kind::Tick, at);
    let ten = 10 * SECOND;
    // Sent: not owed. Just come, with the leg open: who knows.
    assert_eq!(owed([opened(0), message(ten), sent(ten, 2)]), []);
    assert_eq!(owed([opened(0), message(ten)]), [(2, true)]);
    // Waiting for long beside an open leg, or for a leg that is not there: not sent.
    let waiting = [opened(0), message(SECOND), message(ten), tick(ten)];
    assert_eq!(owed(waiting), [(2, false), (3, false)]);
    assert_eq!(owed([opened(0), closed(1), message(ten)]), [(3, false)]);
    // The leg has just come back, and may be delivering what waited.
    let back = [message(SECOND), opened(ten), tick(ten)];
    assert_eq!(owed(back), [(1, true)]);
    // Sent without an answer on a connection that is over: goes again.
    let again = Fact::new(Kind::ShadowClosed, ten).note(&json!({"why": "fin", "again": 2}));
    assert_eq!(
        owed([opened(0), message(ten), sent(ten, 2), again]),
        [(2, false)]
    );
}
