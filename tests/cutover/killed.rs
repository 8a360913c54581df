//! A switch while planes of a real tap are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::facts::authority::{Journal, Mode, Step};
use evenkeel::facts::{Kind, Leg, Reader};
use evenkeel::replay::sim::SimBackend;
use evenkeel::shadow::control::{Answer, Ask, ask};
use evenkeel::shadow::switch::Request;

use crate::world::{Charger, PATIENCE, backend, journal};
use crate::{expect_whole, fleet_at, hears};

#[path = "../kill/tap.rs"]
pub mod tap;

use tap::{Tap, kill};

/// Asks the running tap; one that starts, or whose shadow plane does, is asked again.
async fn switch(dir: &Path, request: Request) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (place, wanted) = (dir.to_owned(), Ask::Switch(Box::new(request.clone())));
        let asked = tokio::task::spawn_blocking(move || ask(&place, wanted)).await;
        match asked.unwrap() {
            Ok(Answer::Begun(begun)) => return begun.switch,
            answer => assert!(Instant::now() < deadline, "never begun: {answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a switch is over and every charger is back at `to`.
fn is_over(dir: &Path, switch: i64) -> bool {
    journal(dir)
        .iter()
        .any(|(_, change)| change.switch == switch && change.step == Step::Over)
}

/// No connection of a charger to one backend begins before its last one to the other has ended.
fn expect_one_authority(dir: &Path) {
    let reader = Reader::open(dir).unwrap();
    let mut open: BTreeMap<_, Vec<(u64, Leg)>> = BTreeMap::new();
    for fact in reader.facts().map(Result::unwrap) {
        let conns = open.entry(fact.charger.clone()).or_default();
        match fact.kind {
            Kind::ConnOpened => {
                let leg = fact.leg.unwrap();
                let elsewhere = conns.iter().find(|(_, other)| *other != leg);
                assert_eq!(elsewhere, None, "{} at both backends", fact.charger);
                conns.push((fact.conn, leg));
            }
            Kind::ConnClosed => conns.retain(|(conn, _)| *conn != fact.conn),
            _ => {}
        }
    }
}

async fn everybody(legacy: &SimBackend, candidate: &SimBackend, count: usize) {
    for backend in [legacy, candidate] {
        hears(&backend.log(), "everybody", |log| {
            log.connected().len() == count
        })
        .await;
    }
}

/// Chargers are moved to and fro; `fell` kills something in the middle of each switch.
async fn survives(rounds: u64, count: usize, fell: impl Fn(&mut Tap, u64)) {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("recording");
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let (there, also) = (legacy.url(), candidate.url());
    let mut tap = Tap::start(&there, &also, &recording);
    let chargers: Vec<Charger> = fleet_at(&tap.url(), [&legacy, &candidate], count).await;
    for round in 0..rounds {
        let to = [Leg::Candidate, Leg::Legacy][round as usize % 2];
        let request = Request {
            mode: Mode::Now,
            pace: 40,
            rollback: to == Leg::Legacy,
            all: true,
            limit: PATIENCE,
            deadline: PATIENCE,
            ..Request::new(to, Vec::new())
        };
        let number = switch(&recording, request).await;
        // Somewhere in the middle: after so many steps.
        let steps = 1 + (round as usize * 7) % (3 * count);
        let done = || {
            let changes = journal(&recording);
            changes
                .iter()
                .filter(|(_, one)| one.switch == number)
                .count()
        };
        eventually("the switch goes on", || done() > steps).await;
        fell(&mut tap, round);
        eventually("the switch is over", || is_over(&recording, number)).await;
        everybody(&legacy, &candidate, count).await;
        let journal = Journal::at(&recording).unwrap();
        for charger in &chargers {
            let standing = journal.chargers.get(&charger.name);
            assert_eq!(
                standing.map(|one| one.authority),
                Some(to),
                "{}",
                charger.name
            );
        }
    }
    for charger in chargers.iter().step_by(2) {
        charger.stop().await;
    }
    for backend in [&legacy, &candidate] {
        hears(&backend.log(), "every session has ended", |log| {
            log.transactions().iter().all(|one| one.ended.is_some())
        })
        .await;
    }
    expect_whole([&legacy, &candidate], count.div_ceil(2));
    for charger in chargers {
        charger.leave().await;
    }
    tap.stop();
    expect_one_authority(&recording);
}

/// How many switches with a kill in each; `EVENKEEL_KILLS` says otherwise.
fn rounds() -> u64 {
    std::env::var("EVENKEEL_KILLS").map_or(2, |kills| kills.parse().unwrap())
}

#[tokio::test(flavor = "current_thread")]
async fn a_killed_shadow_plane_leaves_each_charger_one_authority() {
    survives(rounds(), 6, |tap, _| {
        if let Some(shadow) = tap.shadow() {
            kill(shadow);
        }
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_killed_live_plane_leaves_each_charger_one_authority() {
    survives(rounds(), 6, |tap, _| {
        tap.kill_live();
        tap.start_again();
    })
    .await;
}
