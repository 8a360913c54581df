//! What the candidate gets, and when: through outages of the candidate, of the charger and of the shadow plane itself.
//!
//! The numbers are those of the test ideas in the parity semantics.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod shadow_support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel::facts::recorder::Limits;
use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Fact, Kind, Leg, Reader, Recorder};
use evenkeel::shadow::plane::LegHost;
use serde_json::{Value, json};

use evenkeel::ocpp::Envelope;
use shadow_support::{
    Candidate, Conn, Got, World, booted, meter, run, start, started, stop, within,
};

/// The charger starts a session that its authority accepts.
fn begin(world: &World, id: &str, authority: &str) -> u64 {
    let message = world.charger(&start(id, 1));
    world.authority(&format!(r#"[3,"{id}",{}]"#, started(authority, "Accepted")));
    message
}

/// The candidate goes, and the leg has noticed.
async fn leave(world: &World, conn: Conn) {
    let before = world.count(Kind::ShadowClosed);
    drop(conn);
    world
        .fact("the loss", |_| world.count(Kind::ShadowClosed) > before)
        .await;
}

/// What became of a message: one fact, once it is over.
fn fates(world: &World, message: u64) -> Vec<Kind> {
    let facts = world.recorder.facts();
    let of_message = facts.iter().filter(|fact| {
        fact.cause == message && matches!(fact.kind, Kind::ShadowSent | Kind::ShadowWithheld)
    });
    of_message.map(|fact| fact.kind).collect()
}

/// The next CALL of the charger's own, on this connection or one that follows; introductions are accepted.
async fn next(candidate: &Candidate, conn: &mut Conn) -> Got {
    loop {
        let Some(text) = conn.text().await else {
            *conn = candidate.accept().await;
            continue;
        };
        let call = Envelope::parse(&text).unwrap();
        let got = Got {
            id: call.id.to_string(),
            action: call.action.to_string(),
            payload: call.payload.to_owned(),
        };
        if !got.id.starts_with("evk-") {
            return got;
        }
        let answer = r#"{"status":"Accepted","interval":300}"#;
        conn.answer(&got, answer).await;
    }
}

#[test]
fn what_a_charger_kept_outlives_its_connections() {
    run(async {
        let (candidate, world, conn) = booted().await;
        leave(&world, conn).await;
        let first = begin(&world, "s", "50");
        let between = world.charger(r#"[2,"h","Heartbeat",{}]"#);
        world.close();
        world.expect_withheld(between, "candidate away").await;
        // It comes and goes while the candidate is still not there for it.
        world.open("ocpp1.6");
        let second = world.charger(&meter("m", "50"));
        world.close();
        world.open("ocpp1.6");
        let last = world.charger(&stop("e", "50"));
        let mut conn = candidate.accept().await;
        let start = next(&candidate, &mut conn).await;
        assert_eq!(
            (start.id.as_str(), start.action.as_str()),
            ("s", "StartTransaction")
        );
        conn.answer(&start, &started("5", "Accepted")).await;
        for (id, twin) in [("m", " : 5,"), ("e", r#""transactionId":5,"#)] {
            let call = next(&candidate, &mut conn).await;
            assert_eq!(call.id, id);
            assert!(call.payload.contains(twin), "{}", call.payload);
            conn.answer(&call, "{}").await;
        }
        for message in [first, second, last] {
            assert_eq!(fates(&world, message), [Kind::ShadowSent], "{message}");
        }
        assert_eq!(world.legs.status()["queued_bytes"], json!(0));
    });
}

#[test]
fn item_1_backends_that_mint_differently() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        let pairs = [
            ("1", "1913418177"),
            ("2", "0"),
            ("3", "-1"),
            ("4", "2147483648"),
            ("5", "-2147483649"),
            ("6", "9223372036854775807"),
            ("0", "8589934592"),
            ("-1", "6"),
            ("9223372036854775807", "-77"),
            ("-2147483649", "7"),
        ];
        for (authority, shadow) in pairs {
            begin(&world, authority, authority);
            let call = conn.expect("StartTransaction").await;
            conn.answer(&call, &started(shadow, "Accepted")).await;
            world.charger(&meter("m", authority));
            let call = conn.expect("MeterValues").await;
            assert!(call.payload.contains(&format!(" : {shadow},")));
            conn.answer(&call, "{}").await;
            world.charger(&stop("e", authority));
            let call = conn.expect("StopTransaction").await;
            let expected = format!(r#""transactionId":{shadow},"#);
            assert!(call.payload.contains(&expected), "{}", call.payload);
            conn.answer(&call, "{}").await;
        }
    });
}

#[test]
fn item_2_a_start_that_is_answered_late_holds_back_what_follows() {
    run(async {
        let (_candidate, world, mut conn) = booted().await;
        begin(&world, "s", "55");
        let call = conn.expect("StartTransaction").await;
        let following = [
            world.charger(&meter("m", "55")),
            world.charger(&stop("e", "55")),
        ];
        for message in following {
            assert_eq!(fates(&world, message), [], "it waits");
        }
        conn.answer(&call, &started("3", "Accepted")).await;
        let call = conn.expect("MeterValues").await;
        assert!(call.payload.contains(" : 3,"));
        conn.answer(&call, "{}").await;
        let call = conn.expect("StopTransaction").await;
        assert!(call.payload.contains(r#""transactionId":3,"#));
    });
}

#[test]
fn item_3_a_repeat_that_the_authority_caused_arrives_once() {
    run(async {
        for same_id in [true, false] {
            let (_candidate, world, mut conn) = booted().await;
            world.charger(&start("s", 1));
            let call = conn.expect("StartTransaction").await;
            conn.answer(&call, &started("3", "Accepted")).await;
            world
                .fact("the answer", |fact| {
                    fact.kind == Kind::ShadowReceived
                        && fact.text().is_some_and(|t| t.contains("transactionId"))
                })
                .await;
            let id = if same_id { "s" } else { "t" };
            let again = begin(&world, id, "70");
            world.expect_withheld(again, "repeat").await;
            world.charger(&stop("e", "70"));
            let call = conn.expect("StopTransaction").await;
            assert!(call.payload.contains(r#""transactionId":3,"#));
        }
    });
}

#[test]
fn item_3_a_repeat_on_the_next_connection_arrives_once_too() {
    run(async {
        let (candidate, world, mut conn) = booted().await;
        world.charger(&start("s", 1));
        let call = conn.expect("StartTransaction").await;
        conn.answer(&call, &started("3", "Accepted")).await;
        world
            .fact("the answer", |fact| {
                fact.kind == Kind::ShadowReceived
                    && fact.text().is_some_and(|t| t.contains("transactionId"))
            })
            .await;
        // The authority fell silent and the charger came back.
        world.close();
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        let again = begin(&world, "s", "70");
        world.expect_withheld(again, "repeat").await;
        world.charger(&stop("e", "70"));
        let call = conn.expect("StopTransaction").await;
        assert!(call.payload.contains(r#""transactionId":3,"#));
    });
}

#[test]
fn item_3_a_silent_or_failing_candidate_sees_the_repeat() {
    run(async {
        for fails in [true, false] {
            let candidate = Candidate::listen().await;
            let world = World::new(&candidate, |settings| {
                settings.answer_timeout = Duration::from_millis(100);
            });
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            world.charger(&stop("e", "0"));
            let call = conn.expect("StopTransaction").await;
            if fails {
                conn.send(format!(r#"[4,"{}","InternalError","",{{}}]"#, call.id))
                    .await;
            }
            world.charger(&stop("e2", "0"));
            assert_eq!(conn.expect("StopTransaction").await.id, "e2");
        }
    });
}

#[test]
fn item_11_an_offline_backlog_arrives_whole_and_in_order() {
    run(async {
        let (candidate, world, conn) = booted().await;
        leave(&world, conn).await;
        // A charger that was offline for a night delivers a burst; half of it while the candidate is away, too.
        let old = |n: u32| {
            format!(
                r#"[2,"q{n}","MeterValues",{{"connectorId":1,"transactionId":0,"meterValue":[{{"timestamp":"2020-01-01T00:{:02}:{:02}Z","sampledValue":[{{"value":"{n}"}}]}}]}}]"#,
                n / 60,
                n % 60
            )
        };
        let mut messages: Vec<u64> = (0..100).map(|n| world.charger(&old(n))).collect();
        let mut conn = candidate.accept().await;
        messages.extend((100..200).map(|n| world.charger(&old(n))));
        let boot = conn.accept("BootNotification").await;
        assert!(boot.id.starts_with("evk-"));
        for n in 0..200 {
            let call = conn.expect("MeterValues").await;
            assert_eq!(
                format!(r#"[2,"{}","MeterValues",{}]"#, call.id, call.payload),
                old(n)
            );
            conn.answer(&call, "{}").await;
        }
        for message in messages {
            assert_eq!(fates(&world, message), [Kind::ShadowSent]);
        }
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

/// Waits until a fact that `wanted` likes is on disk.
async fn on_disk(world: &World, dir: &Path, what: &str, wanted: impl Fn(&Fact) -> bool) {
    let mut committed = world.recorder.committed();
    within(what, async {
        loop {
            committed.borrow_and_update();
            let reader = Reader::open(dir).unwrap();
            if reader
                .facts()
                .filter_map(Result::ok)
                .any(|fact| wanted(&fact))
            {
                return;
            }
            committed.changed().await.unwrap();
        }
    })
    .await;
}

/// Runs `before` with one shadow plane and `after` with the next on the same recording.
async fn restarted<B: Future<Output = ()>, A: Future<Output = ()>>(
    before: impl FnOnce(Candidate, World, PathBuf) -> B,
    after: impl FnOnce(Candidate, World) -> A,
) {
    let dir = tempfile::tempdir().unwrap();
    let record = || Recorder::open(dir.path(), Limits::default()).unwrap();
    let candidate = Candidate::listen().await;
    let world = World::recording(&candidate, record(), |_| {});
    let (legs, recorder) = (world.legs.clone(), world.recorder.clone());
    before(candidate, world, dir.path().to_owned()).await;
    legs.stopping();
    within("the end", legs.finished()).await;
    recorder.close(Duration::from_secs(5)).unwrap();
    drop((legs, recorder));

    let recorder = record();
    let resume = Resume::read(&Reader::open(dir.path()).unwrap()).unwrap();
    let candidate = Candidate::listen().await;
    let world = World::recording(&candidate, recorder.clone(), |_| {});
    world.conn.set(10);
    world.legs.resume(Leg::Candidate, &resume);
    after(candidate, world).await;
    recorder.close(Duration::from_secs(5)).unwrap();
}

#[test]
fn item_12_a_restart_in_the_middle_of_three_sessions() {
    run(restarted(
        async |candidate, world, dir| {
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            for (id, authority, shadow) in [("1", "61", "7"), ("2", "62", "8"), ("3", "63", "9")] {
                world.charger(&start(id, 1));
                world.authority(&format!(r#"[3,"{id}",{}]"#, started(authority, "Accepted")));
                let call = conn.expect("StartTransaction").await;
                conn.answer(&call, &started(shadow, "Accepted")).await;
                on_disk(&world, &dir, "the identifier", |fact| {
                    fact.kind == Kind::IdentifierLearned
                        && fact.note_json()["authority"] == json!(authority)
                })
                .await;
            }
        },
        async |candidate, world| {
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            for (authority, shadow) in [("62", "8"), ("63", "9"), ("61", "7")] {
                world.charger(&stop(authority, authority));
                let call = conn.expect("StopTransaction").await;
                let expected = format!(r#""transactionId":{shadow},"#);
                assert!(call.payload.contains(&expected), "{}", call.payload);
                conn.answer(&call, "{}").await;
            }
        },
    ));
}

#[test]
fn what_the_candidate_is_owed_survives_a_restart() {
    run(restarted(
        async |candidate, world, dir| {
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            // This one was sent, and not answered when the candidate went.
            begin(&world, "s1", "61");
            conn.expect("StartTransaction").await;
            drop((candidate, conn));
            on_disk(&world, &dir, "the loss", |fact| {
                fact.kind == Kind::ShadowClosed
            })
            .await;
            begin(&world, "s2", "62");
            let heartbeat = world.charger(r#"[2,"h","Heartbeat",{}]"#);
            world.charger(&stop("e1", "61"));
            world.charger(&stop("e2", "62"));
            on_disk(&world, &dir, "a fate", |fact| fact.cause == heartbeat).await;
        },
        async |candidate, world| {
            assert!(world.legs.status()["queued_bytes"].as_u64() > Some(0));
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            for (id, shadow) in [("s1", "1"), ("s2", "2")] {
                let call = conn.expect("StartTransaction").await;
                assert_eq!(call.id, id);
                conn.answer(&call, &started(shadow, "Accepted")).await;
            }
            for (id, shadow) in [("e1", "1"), ("e2", "2")] {
                let call = conn.expect("StopTransaction").await;
                assert_eq!(call.id, id);
                let expected = format!(r#""transactionId":{shadow},"#);
                assert!(call.payload.contains(&expected), "{}", call.payload);
                conn.answer(&call, "{}").await;
            }
            world.charger(r#"[2,"h","Heartbeat",{}]"#);
            conn.expect("Heartbeat").await;
            assert_eq!(world.legs.status()["queued_bytes"], json!(0));
        },
    ));
}

#[test]
fn what_was_delivered_is_not_owed() {
    run(restarted(
        async |candidate, world, dir| {
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            world.charger(&stop("e", "0"));
            let call = conn.expect("StopTransaction").await;
            conn.answer(&call, "{}").await;
            let unknown = world.charger(&stop("f", "99"));
            on_disk(&world, &dir, "the fate", |fact| fact.cause == unknown).await;
        },
        async |candidate, world| {
            assert_eq!(world.legs.status()["queued_bytes"], json!(0));
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            world.boot(&mut conn).await;
            world.charger(r#"[2,"h","Heartbeat",{}]"#);
            conn.expect("Heartbeat").await;
        },
    ));
}

/// A candidate that fails the first `failures` copies of a stop, with repeats emulated; returns the ids that it got.
async fn emulated(world: &World, conn: &mut Conn, failures: usize, copies: usize) -> Vec<Value> {
    world
        .exchange(
            conn,
            r#"[2,"b","BootNotification",{"chargePointModel":"M"}]"#,
            r#"{"status":"Accepted","interval":300}"#,
        )
        .await;
    world.authority(r#"[2,"g","GetConfiguration",{}]"#);
    world.charger(
        r#"[3,"g",{"configurationKey":[{"key":"TransactionMessageRetryInterval","readonly":false,"value":"0"}]}]"#,
    );
    let message = world.charger(&stop("e", "0"));
    world.authority(r#"[3,"e",{}]"#);
    for copy in 0..copies {
        let call = conn.expect("StopTransaction").await;
        assert_eq!(call.id, "e");
        if copy < failures {
            conn.send(format!(r#"[4,"{}","InternalError","",{{}}]"#, call.id))
                .await;
        } else {
            conn.answer(&call, "{}").await;
        }
    }
    world.charger(r#"[2,"h","Heartbeat",{}]"#);
    conn.expect("Heartbeat").await;
    let facts = world.recorder.facts();
    let sent = facts
        .iter()
        .filter(|fact| fact.kind == Kind::ShadowSent && fact.cause == message);
    sent.map(|fact| fact.note_json()["retry"].clone()).collect()
}

#[test]
fn repeats_are_emulated_only_when_configured() {
    run(async {
        for (retries, failures, copies, expected) in [
            (false, 1, 1, vec![json!(null)]),
            (true, 1, 2, vec![json!(null), json!(1)]),
            // Three attempts, as the specification suggests, and no more.
            (true, 3, 3, vec![json!(null), json!(1), json!(2)]),
        ] {
            let candidate = Candidate::listen().await;
            let world = World::new(&candidate, |settings| settings.retries = retries);
            world.open("ocpp1.6");
            let mut conn = candidate.accept().await;
            let sent = emulated(&world, &mut conn, failures, copies).await;
            assert_eq!(sent, expected);
        }
    });
}

#[test]
fn a_silent_candidate_is_asked_again_and_the_rest_of_the_session_waits() {
    run(async {
        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| {
            settings.retries = true;
            settings.answer_timeout = Duration::from_millis(200);
        });
        world.open("ocpp1.6");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        world.authority(r#"[2,"g","ChangeConfiguration",{"key":"TransactionMessageRetryInterval","value":"1"}]"#);
        world.charger(r#"[3,"g",{"status":"Accepted"}]"#);
        begin(&world, "s", "50");
        conn.expect("StartTransaction").await;
        world.charger(&meter("m", "50"));
        world
            .fact("the silence", |fact| {
                fact.kind == Kind::ShadowSilent && fact.note_json()["retry"] == json!(true)
            })
            .await;
        // What belongs to no session overtakes.
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        let call = conn.expect("Heartbeat").await;
        conn.answer(&call, "{}").await;
        let call = conn.expect("StartTransaction").await;
        conn.answer(&call, &started("5", "Accepted")).await;
        let call = conn.expect("MeterValues").await;
        assert!(call.payload.contains(" : 5,"));
    });
}
