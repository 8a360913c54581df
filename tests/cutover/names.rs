//! A name that one backend gave reaches the other only as that one's own: whatever the moment of the switch.

use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::facts::authority::{Carried, Change, Mode, Plan, Step};
use evenkeel::facts::{Kind, Leg, Limits, Recorder};
use evenkeel::ocpp::Version;
use evenkeel::replay::sim::backend::Fault;
use evenkeel::replay::sim::{SimCharger, Spec};
use evenkeel::shadow::mediator;
use evenkeel::shadow::switch::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::world::{PATIENCE, Tap, backend, come_back, is_lost};
use crate::{back, fleet, hears, now};

/// One charger of 1.6 that connects here and boots.
async fn charger(url: &str) -> SimCharger {
    let spec = Spec {
        answer_timeout: Duration::from_millis(500),
        ..Spec::new("CP1", Version::V16)
    };
    let mut charger = SimCharger::connect(url, spec).await.unwrap();
    charger.boot().await.unwrap();
    charger
}

fn to_candidate(limit: Duration) -> Request {
    Request {
        chargers: vec!["CP1".to_owned()],
        limit,
        ..now(Leg::Candidate, &[])
    }
}

/// It says how its connector stands.
async fn status(charger: &mut SimCharger, status: &str) {
    let told = json!({"connectorId": 1, "status": status, "errorCode": "NoError"});
    charger.call("StatusNotification", told).await.unwrap();
}

/// What the mediator before the candidate answers to a charger; empty if it hangs up.
async fn knock(dir: &Path, charger: &str) -> String {
    let [_, candidate] = mediator::sockets(dir);
    let mut socket = UnixStream::connect(candidate).await.unwrap();
    let head = format!(
        "GET /ocpp/{charger} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, socket.read(&mut answer));
    let len = read.await.unwrap().unwrap_or(0);
    String::from_utf8_lossy(&answer[..len]).into_owned()
}

#[tokio::test(flavor = "current_thread")]
async fn law_8_a_mediator_lets_nobody_through_who_belongs_to_the_other_backend() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], 1).await;
    assert_eq!(knock(dir.path(), "CP0").await, "", "it was never moved");
    assert_eq!(
        tap.carry_out(now(Leg::Candidate, &chargers)).await,
        [1, 0, 0]
    );
    assert_eq!(knock(dir.path(), "CP0").await, "HTTP/1.1 101");
    // A live plane that does not know yet sends it this way, where its names would be those of the legacy.
    assert_eq!(tap.carry_out(back(&chargers)).await, [1, 0, 0]);
    assert_eq!(knock(dir.path(), "CP0").await, "");
    assert_eq!(candidate.log().strays(), []);
}

#[tokio::test(flavor = "current_thread")]
async fn law_8_a_transaction_that_began_unseen_keeps_its_charger() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let mut charger = charger(&legacy.url()).await;
    charger.start(1, "TAG-1").await.unwrap();
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    charger.redirect(&tap.url);
    charger.reconnect().await.unwrap();
    status(&mut charger, "Charging").await;
    tap.facts("it is seen", Kind::Message, 2).await;
    let request = to_candidate(Duration::from_millis(300));
    assert_eq!(tap.carry_out(request.clone()).await, [0, 1, 0]);
    let kept = |why: &'static str| {
        tap.changes("kept", move |_, change| {
            change.step == Step::Kept && change.why.contains(why)
        })
    };
    kept("connector 1 charges").await;
    charger.meter(1).await.unwrap();
    tap.facts("it is seen", Kind::Message, 4).await;
    assert_eq!(tap.carry_out(request.clone()).await, [0, 1, 0]);
    kept("4711 is open, and candidate does not know it").await;
    // It goes once the transaction is over and the charger knows.
    charger.stop(1, "Local").await.unwrap();
    status(&mut charger, "Available").await;
    tap.facts("it is seen", Kind::Message, 8).await;
    let request = Request {
        limit: PATIENCE,
        ..request
    };
    let moved = tap.carry_out(request);
    let returns = async {
        assert!(is_lost(charger.next_command(PATIENCE).await));
        come_back(&mut charger).await;
    };
    let (moved, ()) = tokio::join!(moved, returns);
    assert_eq!(moved, [1, 0, 0]);
    assert_eq!(candidate.log().strays(), []);
}

#[tokio::test(flavor = "current_thread")]
async fn law_8_an_end_that_is_told_again_after_the_switch_names_the_new_backends_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let mut charger = charger(&tap.url).await;
    charger.start(1, "TAG-1").await.unwrap();
    legacy.misbehave(Fault::Silent);
    assert!(charger.stop(1, "Local").await.is_err(), "nobody answers");
    hears(&candidate.log(), "the end", |log| {
        log.transactions().iter().any(|one| one.ended.is_some())
    })
    .await;
    legacy.misbehave(Fault::None);
    charger.reconnect().await.unwrap();
    let moved = tap.carry_out(to_candidate(PATIENCE));
    let returns = async {
        assert!(is_lost(charger.next_command(PATIENCE).await));
        come_back(&mut charger).await;
    };
    let (moved, ()) = tokio::join!(moved, returns);
    assert_eq!(moved, [1, 0, 0]);
    charger.stop(1, "Local").await.unwrap();
    let told = candidate.log().calls("CP1", "StopTransaction");
    assert_eq!(told.len(), 2);
    assert_eq!(candidate.log().strays(), []);
    assert_eq!(candidate.log().transactions().len(), 1);
    // It has heard the answer: from here on nothing has two names.
    charger.heartbeat().await.unwrap();
    tap.changes("settled", |_, change| change.step == Step::Settled)
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn law_8_a_charger_whose_transaction_the_new_backend_lacks_goes_back_until_it_knows() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, mut candidate) = (backend(4711).await, backend(1).await);
    candidate.go_down().await;
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let mut charger = charger(&tap.url).await;
    charger.start(1, "TAG-1").await.unwrap();
    charger.heartbeat().await.unwrap();
    tap.stop();
    // It was moved in the instant in which its transaction began, and then the tap was killed.
    let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
    let plan = Plan {
        to: Leg::Candidate,
        mode: Mode::Now,
        pace: 10,
        limit_us: 20_000_000,
        deadline_us: 20_000_000,
        rollback: false,
        by: String::new(),
        chargers: vec!["CP1".to_owned()],
    };
    let begun = Change {
        plan: Some(plan),
        ..Change::new(1, Step::Begun, Leg::Candidate)
    };
    let acting = Change::new(1, Step::Acting, Leg::Candidate);
    recorder.record(begun.fact(&"".into(), 1)).unwrap();
    recorder.record(acting.fact(&"CP1".into(), 1)).unwrap();
    recorder.close(PATIENCE).unwrap();

    candidate.come_up().await.unwrap();
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    charger.redirect(&tap.url);
    come_back(&mut charger).await;
    let deadline = Instant::now() + PATIENCE;
    let is_moved = |change: &Change| change.switch == 1 && change.step == Step::Done;
    while !crate::world::journal(dir.path())
        .iter()
        .any(|(_, change)| is_moved(change))
    {
        assert!(Instant::now() < deadline, "never moved");
        if is_lost(charger.meter(1).await) {
            come_back(&mut charger).await;
        }
        // A reading now and then, as chargers send them: a moment in which nothing is on its way is when it can be moved.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, recalled) = tap
        .changes("recalled", |_, change| change.step == Step::Recalled)
        .await;
    assert!(
        recalled.why.contains("candidate does not know it"),
        "{}",
        recalled.why
    );
    let (_, admitted) = tap
        .changes("admitted", |_, change| change.step == Step::Admitted)
        .await;
    assert_eq!(admitted.open, [Carried::transaction("4711", "4711", "1")]);
    while is_lost(charger.stop(1, "Local").await) {
        come_back(&mut charger).await;
    }
    assert_eq!(candidate.log().strays(), []);
    hears(&candidate.log(), "the whole session", |log| {
        log.transactions().len() == 1 && log.transactions()[0].ended.is_some()
    })
    .await;
}
