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

#[test]
fn law_10_what_the_tap_made_up_and_did_not_send_is_said() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |_| {});
        let boot = r#"[2,"b","BootNotification",{"chargePointModel":"M"}]"#;
        let status = |connector: u32| {
            format!(
                r#"[2,"s","StatusNotification",{{"connectorId":{connector},"status":"Available"}}]"#
            )
        };
        let statuses = [status(1), status(2)];
        let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
        world
            .legs
            .resume(Leg::Candidate, &booted_once(boot, &statuses));
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.charger(r#"[2,"1","Heartbeat",{}]"#);
        conn.expect("BootNotification").await;
        drop(conn);
        world
            .fact("the loss", |fact| fact.kind == Kind::ShadowClosed)
            .await;
        let facts = world.recorder.facts();
        let given_up: Vec<_> = facts
            .iter()
            .filter(|fact| fact.kind == Kind::ShadowWithheld && fact.cause == 0)
            .map(Fact::note_json)
            .collect();
        assert_eq!(given_up.len(), 2, "{facts:?}");
        for note in given_up {
            assert_eq!(note["why"], json!("candidate away"));
            assert_eq!(note["synthetic"], json!("status"));
            assert_eq!(note["action"], json!("StatusNotification"));
            assert!(note["id"].as_str().is_some_and(|id| id.starts_with("evk-")));
        }
        // The next connection gets them all.
        let mut conn = candidate.accept().await;
        conn.accept("BootNotification").await;
        conn.accept("StatusNotification").await;
        conn.accept("StatusNotification").await;
    });
}

/// How a message is owed to the shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// It was not sent.
    New,
    /// It was sent, or may have been, and not answered.
    Again,
    /// Whether it was answered is not known.
    InDoubt,
}

/// What a recording of these facts owes the shadow: message number and how.
fn owed(facts: impl IntoIterator<Item = Fact>) -> Vec<(u64, Owed)> {
    owed_after([facts.into_iter().collect()])
}

/// The same, where the facts were committed in several runs.
fn owed_after<const N: usize>(runs: [Vec<Fact>; N]) -> Vec<(u64, Owed)> {
    let dir = tempfile::tempdir().unwrap();
    for facts in runs {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        for fact in facts {
            let fact = fact.on(&Arc::from("CP1"), 1);
            recorder.record(fact).unwrap();
        }
        recorder.close(Duration::from_secs(5)).unwrap();
    }
    let resume = Resume::read(&Reader::open(dir.path()).unwrap()).unwrap();
    let undelivered = resume.undelivered.iter();
    undelivered
        .map(|owed| {
            let how = match (owed.in_doubt, owed.again) {
                (true, _) => Owed::InDoubt,
                (false, true) => Owed::Again,
                (false, false) => Owed::New,
            };
            (owed.call.seq, how)
        })
        .collect()
}

const SECOND: i64 = 1_000_000;

fn message(at: i64) -> Fact {
    Fact::new(Kind::Message, at)
        .via(Leg::Legacy, Dir::FromCharger)
        .body(stop("e", "1"))
}

fn opened(at: i64) -> Fact {
    Fact::new(Kind::ShadowOpened, at)
}

fn sent(at: i64, cause: u64) -> Fact {
    Fact::new(Kind::ShadowSent, at)
        .because(cause)
        .note(&json!({"id": "e", "action": "StopTransaction"}))
}

fn answered(at: i64, cause: u64) -> Fact {
    Fact::new(Kind::ShadowReceived, at)
        .because(cause)
        .body(r#"[3,"e",{}]"#)
}

#[test]
fn what_may_have_been_sent_before_a_kill_goes_again_and_nothing_else() {
    let closed = |at| Fact::new(Kind::ShadowClosed, at).note(&json!({"why": "fin"}));
    let tick = |at| Fact::new(Kind::Tick, at);
    let ten = 10 * SECOND;
    // Sent and answered: not owed. Just come, with the leg open: who knows.
    let done = [opened(0), message(ten), sent(ten, 2), answered(ten, 3)];
    assert_eq!(owed(done), []);
    assert_eq!(owed([opened(0), message(ten)]), [(2, Owed::Again)]);
    // Waiting for long beside an open leg, or for a leg that is not there: not sent.
    let waiting = [opened(0), message(SECOND), message(ten), tick(ten)];
    assert_eq!(owed(waiting), [(2, Owed::New), (3, Owed::New)]);
    assert_eq!(owed([opened(0), closed(1), message(ten)]), [(3, Owed::New)]);
    // The leg has just come back, and may be delivering what waited.
    let back = [message(SECOND), opened(ten), tick(ten)];
    assert_eq!(owed(back), [(1, Owed::Again)]);
    // Sent without an answer: goes again, whether the connection is over or was when all ended.
    let lost = [opened(0), message(ten), sent(ten, 2), tick(20 * SECOND)];
    assert_eq!(owed(lost), [(2, Owed::Again)]);
    let again = Fact::new(Kind::ShadowClosed, ten).note(&json!({"why": "fin", "again": 2}));
    assert_eq!(
        owed([opened(0), message(ten), sent(ten, 2), again]),
        [(2, Owed::Again)]
    );
    // Facts of the leg were lost since, the answer perhaps among them.
    let gap = Fact::new(Kind::Gap, ten).note(&json!({"why": "recorder full", "facts": 1}));
    assert_eq!(
        owed([opened(0), message(ten), sent(ten, 2), gap]),
        [(2, Owed::InDoubt)]
    );
}

#[test]
fn what_waits_for_an_answer_is_owed_whenever_its_facts_were_committed() {
    let silent = |cause, note: serde_json::Value| {
        Fact::new(Kind::ShadowSilent, 3).because(cause).note(&note)
    };
    let begun = || vec![opened(0), message(1)];
    let again = [(2, Owed::Again)];
    assert_eq!(owed_after([begun(), vec![sent(2, 2)]]), again);
    assert_eq!(
        owed_after([begun(), vec![sent(2, 2)], vec![answered(3, 3)]]),
        []
    );
    // Another's answer, and one that is repeated because of it.
    assert_eq!(
        owed_after([begun(), vec![sent(2, 2)], vec![answered(3, 1)]]),
        again
    );
    let repeated = silent(3, json!({"retry": true}));
    assert_eq!(
        owed_after([begun(), vec![sent(2, 2), repeated.clone()]]),
        again
    );
    let last = vec![sent(4, 2), answered(5, 5)];
    assert_eq!(owed_after([begun(), vec![sent(2, 2), repeated], last]), []);
    // A backend that is asked once has had its chance.
    let given_up = vec![silent(3, json!({}))];
    assert_eq!(owed_after([begun(), vec![sent(2, 2)], given_up]), []);
    // Sent again by the next plane, which ended too; or withheld by it.
    let next = || vec![vec![sent(4, 2)], vec![sent(5, 2), answered(6, 5)]];
    let [once, twice] = next().try_into().unwrap();
    assert_eq!(owed_after([begun(), vec![sent(2, 2)], once.clone()]), again);
    assert_eq!(owed_after([begun(), vec![sent(2, 2)], once, twice]), []);
    let withheld = Fact::new(Kind::ShadowWithheld, 4)
        .because(2)
        .note(&json!({"why": "restart", "action": "StopTransaction", "id": "e"}));
    assert_eq!(owed_after([begun(), vec![sent(2, 2)], vec![withheld]]), []);
    // What no charger keeps is asked no second time.
    let beat = |at| {
        Fact::new(Kind::Message, at)
            .via(Leg::Legacy, Dir::FromCharger)
            .body(r#"[2,"m","MeterValues",{"connectorId":1,"meterValue":[]}]"#)
    };
    let sent = Fact::new(Kind::ShadowSent, 2)
        .because(2)
        .note(&json!({"id": "m", "action": "MeterValues"}));
    assert_eq!(owed_after([vec![opened(0), beat(1)], vec![sent]]), []);
}
