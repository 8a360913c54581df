//! What a backend arranged with a charger while no transaction is open: reservations cross a switch under their own names.

use std::time::Duration;

use evenkeel::facts::authority::Step;
use evenkeel::facts::{Kind, Leg};
use evenkeel::ocpp::{Class, Version};
use evenkeel::replay::sim::{SimBackend, SimCharger, Spec};
use evenkeel::shadow::switch::Request;
use serde_json::{Value, json};

use crate::now;
use crate::world::{PATIENCE, Tap, backend, come_back, is_lost};

/// One charger of 1.6 that takes reservations.
async fn charger(url: &str) -> SimCharger {
    let spec = Spec {
        reserves: true,
        ..Spec::new("CP1", Version::V16)
    };
    let mut charger = SimCharger::connect(url, spec).await.unwrap();
    charger.boot().await.unwrap();
    charger
}

fn to(leg: Leg, limit: Duration) -> Request {
    Request {
        chargers: vec!["CP1".to_owned()],
        limit,
        rollback: leg == Leg::Legacy,
        ..now(leg, &[])
    }
}

/// A backend commands, and the charger answers.
async fn command(backend: &SimBackend, charger: &mut SimCharger, action: &str, payload: Value) {
    let commanded = backend.command("CP1", action, payload);
    let (answer, taken) = tokio::join!(commanded, charger.next_command(PATIENCE));
    assert_eq!(answer.unwrap().text("/status"), "Accepted");
    taken.unwrap();
}

fn reservation(id: i64) -> Value {
    json!({"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "TAG-1", "reservationId": id})
}

/// A charger that legacy has made reserve a connector, under the name of 5.
async fn reserved(tap: &Tap, legacy: &SimBackend) -> SimCharger {
    let mut charger = charger(&tap.url).await;
    tap.facts("both are there", Kind::ShadowReceived, 1).await;
    command(legacy, &mut charger, "ReserveNow", reservation(5)).await;
    charger
}

fn start(id: i64) -> Value {
    json!({"connectorId": 1, "idTag": "TAG-1", "meterStart": 0, "timestamp": "2026-11-18T12:00:00Z", "reservationId": id})
}

/// Moves it, and it comes back.
async fn moved(tap: &Tap, charger: &mut SimCharger, leg: Leg) {
    let moved = tap.carry_out(to(leg, PATIENCE));
    let returns = async {
        assert!(is_lost(charger.next_command(PATIENCE).await));
        come_back(charger).await;
    };
    let (moved, ()) = tokio::join!(moved, returns);
    assert_eq!(moved, [1, 0, 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn law_8_a_reservation_goes_on_under_the_name_that_the_new_backend_gave_it() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let mut charger = reserved(&tap, &legacy).await;
    // The stand-in answers the candidate's, and the two are the same.
    let answer = candidate
        .command("CP1", "ReserveNow", reservation(9))
        .await
        .unwrap();
    assert_eq!(answer.text("/status"), "Accepted");
    moved(&tap, &mut charger, Leg::Candidate).await;
    let (_, admitted) = tap
        .changes("admitted", |_, change| change.step == Step::Admitted)
        .await;
    let names = admitted
        .open
        .iter()
        .map(|one| (one.class, one.wire.as_str(), one.to.as_str()));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [(Class::ReservationId, "5", "9")]
    );
    charger.call("StartTransaction", start(5)).await.unwrap();
    let told = candidate.log().calls("CP1", "StartTransaction");
    assert!(told[0].contains(r#""reservationId":9"#), "{told:?}");
    // It is used up once the charger says something else.
    charger.heartbeat().await.unwrap();
    tap.changes("settled", |_, change| change.step == Step::Settled)
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn law_8_a_charger_with_a_reservation_that_the_new_backend_lacks_stays_until_that_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let mut charger = reserved(&tap, &legacy).await;
    let request = to(Leg::Candidate, Duration::from_millis(300));
    assert_eq!(tap.carry_out(request).await, [0, 1, 0]);
    let (_, kept) = tap
        .changes("kept", |_, change| change.step == Step::Kept)
        .await;
    assert!(
        kept.why.contains("reservationId 5 is not over"),
        "{}",
        kept.why
    );
    let cancelled = json!({"reservationId": 5});
    command(&legacy, &mut charger, "CancelReservation", cancelled).await;
    moved(&tap, &mut charger, Leg::Candidate).await;

    // The way back is open all the same: what the legacy does not know it is not told.
    command(&candidate, &mut charger, "ReserveNow", reservation(7)).await;
    moved(&tap, &mut charger, Leg::Legacy).await;
    charger.call("StartTransaction", start(7)).await.unwrap();
    let told = legacy.log().calls("CP1", "StartTransaction");
    assert!(!told[0].contains("reservationId"), "{told:?}");
}
