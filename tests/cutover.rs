//! Chargers moved to the other backend and back, with and without open transactions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    dead_code,
    reason = "a failed step of a test should end it; each test uses its own part"
)]

#[path = "cutover/arranged.rs"]
mod arranged;
#[path = "cutover/decided.rs"]
mod decided;
#[path = "cutover/killed.rs"]
mod killed;
#[path = "cutover/names.rs"]
mod names;
#[path = "cutover/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evenkeel::estate::billing;
use evenkeel::facts::authority::{Change, Mode, Step};
use evenkeel::facts::{Fact, Kind, Leg, Reader};
use evenkeel::ocpp::Version;
use evenkeel::replay::sim::SimBackend;
use evenkeel::replay::sim::backend::Log;
use evenkeel::shadow::switch::{Refusal, Request};

use world::{Charger, PATIENCE, RETURN, Tap, backend, journal};

/// A request to move these chargers now.
fn now(to: Leg, chargers: &[Charger]) -> Request {
    Request {
        mode: Mode::Now,
        pace: 40,
        limit: Duration::from_secs(20),
        deadline: Duration::from_secs(20),
        ..Request::new(
            to,
            chargers.iter().map(|one| one.name.to_string()).collect(),
        )
    }
}

fn back(chargers: &[Charger]) -> Request {
    Request {
        rollback: true,
        ..now(Leg::Legacy, chargers)
    }
}

async fn hears(log: &Log, what: &str, condition: impl Fn(&Log) -> bool) {
    let heard = log.until(PATIENCE, condition).await;
    assert!(heard, "never: {what}: {:#?}", log.transactions());
}

/// So many chargers, two of three with OCPP 1.6, every other one with an open session that both backends know.
async fn fleet(tap: &Tap, backends: [&SimBackend; 2], count: usize) -> Vec<Charger> {
    fleet_at(&tap.url, backends, count).await
}

/// The same, of a tap at this address.
async fn fleet_at(url: &str, backends: [&SimBackend; 2], count: usize) -> Vec<Charger> {
    let mut chargers = Vec::new();
    // Many of them shall not keep the machine busier than few do.
    let every = Duration::from_millis(40.max(5 * count as u64));
    for number in 0..count {
        let version = [Version::V16, Version::V16, Version::V201][number % 3];
        let charger = Charger::connect(url, &format!("CP{number}"), version, every).await;
        if number % 2 == 0 {
            charger.start().await;
        }
        chargers.push(charger);
    }
    let open = count.div_ceil(2);
    for backend in backends {
        hears(&backend.log(), "all sessions are known", |log| {
            log.transactions().len() == open && log.connected().len() == count
        })
        .await;
    }
    chargers
}

/// Each session is on record once at each backend, whole, and nothing names a stranger's.
fn expect_whole(backends: [&SimBackend; 2], sessions: usize) {
    let whole = backends.map(|backend| {
        assert_eq!(backend.log().strays(), []);
        let transactions = backend.log().transactions();
        assert_eq!(transactions.len(), sessions);
        let whole = transactions.into_iter().map(|one| {
            assert!(one.ended.is_some(), "{one:?} never ended");
            ((one.charger, one.began), (one.meter_start, one.meter_stop))
        });
        whole.collect::<BTreeMap<_, _>>()
    });
    assert_eq!(whole[0], whole[1]);
    assert_eq!(whole[0].len(), sessions);
}

/// Each session is in the list with one backend: those that ended at the candidate with it.
fn expect_billed_once(changes: &[(Fact, Change)], sessions: usize, by_candidate: usize) {
    let steps = changes.iter();
    let listed = billing::switched(steps.map(|(fact, change)| (&fact.charger, fact.at, change)));
    let by_name: BTreeSet<_> = listed
        .iter()
        .map(|one| (&one.charger, &one.names))
        .collect();
    assert_eq!((listed.len(), by_name.len()), (sessions, sessions));
    let billed = listed.iter().filter(|one| one.bills == Leg::Candidate);
    assert_eq!(billed.count(), by_candidate);
}

/// Moves chargers to and fro; returns how long they were away, ms, sorted.
async fn to_and_fro(count: usize, times: usize) -> Vec<i64> {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], count).await;
    let mut sessions = count.div_ceil(2);
    for _ in 0..times {
        let moved = tap.carry_out(now(Leg::Candidate, &chargers)).await;
        assert_eq!(moved, [count as u64, 0, 0]);
        // Half of the open sessions end at the candidate, and others begin there.
        for charger in chargers.iter().step_by(4) {
            charger.stop().await;
            charger.start().await;
            sessions += 1;
        }
        let moved = tap.carry_out(back(&chargers)).await;
        assert_eq!(moved, [count as u64, 0, 0]);
    }
    for charger in chargers.iter().step_by(2) {
        charger.stop().await;
    }
    for backend in [&legacy, &candidate] {
        hears(&backend.log(), "every session has ended", |log| {
            let transactions = log.transactions();
            transactions.len() == sessions && transactions.iter().all(|one| one.ended.is_some())
        })
        .await;
    }
    expect_whole([&legacy, &candidate], sessions);
    for charger in chargers {
        charger.leave().await;
    }
    tap.stop();
    let changes = journal(dir.path());
    expect_billed_once(&changes, sessions, times * count.div_ceil(4));
    let outages = changes
        .iter()
        .filter(|(_, change)| change.step == Step::Done);
    let mut outages: Vec<i64> = outages
        .map(|(_, change)| change.outage_us.expect("it was connected") / 1000)
        .collect();
    assert_eq!(outages.len(), 2 * times * count);
    outages.sort_unstable();
    outages
}

#[tokio::test(flavor = "current_thread")]
async fn chargers_move_and_come_back_with_their_sessions() {
    let (count, times) = match std::env::var("EVENKEEL_CUTOVER") {
        Ok(sizes) => {
            let (count, times) = sizes.split_once('x').expect("CHARGERSxTIMES");
            (count.parse().unwrap(), times.parse().unwrap())
        }
        Err(_) => (12, 2),
    };
    let outages = to_and_fro(count, times).await;
    let p95 = outages[outages.len() * 95 / 100];
    println!(
        "away: p50 {} ms, p95 {p95} ms, worst {} ms",
        outages[outages.len() / 2],
        outages[outages.len() - 1]
    );
    assert!(p95 <= (RETURN + Duration::from_secs(1)).as_millis() as i64);
}

#[tokio::test(flavor = "current_thread")]
async fn draining_waits_for_the_end_of_each_session() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], 2).await;
    let drain = Request {
        mode: Mode::Drain,
        ..now(Leg::Candidate, &chargers)
    };
    let begun = tap.switch(drain.clone()).await.unwrap();
    assert_eq!(begun.chargers, 2);
    let done = |name: &'static str| {
        tap.changes("moved", move |fact, change| {
            change.step == Step::Done && &*fact.charger == name
        })
    };
    done("CP1").await;
    assert_eq!(tap.switch(drain).await, Err(Refusal::Busy));
    let acting = journal(dir.path());
    let acting = acting
        .iter()
        .filter(|(_, change)| change.step == Step::Acting);
    assert_eq!(acting.count(), 1, "the one with a session waits");
    chargers[0].stop().await;
    done("CP0").await;
    let again = tap.switch(now(Leg::Candidate, &chargers)).await;
    assert_eq!(again, Err(Refusal::Nobody(Leg::Candidate)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_charger_that_stays_busy_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], 2).await;
    let moved = tap
        .carry_out(Request {
            mode: Mode::Drain,
            limit: Duration::from_millis(300),
            ..now(Leg::Candidate, &chargers)
        })
        .await;
    assert_eq!(moved, [1, 1, 0]);
    let (fact, kept) = tap
        .changes("kept", |_, change| change.step == Step::Kept)
        .await;
    assert_eq!(&*fact.charger, "CP0");
    assert!(kept.why.contains("is open"), "{}", kept.why);
}

#[tokio::test(flavor = "current_thread")]
async fn a_charger_that_is_never_silent_is_moved_between_two_of_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let charger = Charger::connect(&tap.url, "CP0", Version::V16, Duration::ZERO).await;
    charger.start().await;
    hears(&candidate.log(), "its session", |log| {
        log.transactions().len() == 1
    })
    .await;
    let chargers = [charger];
    for request in [now(Leg::Candidate, &chargers), back(&chargers)] {
        assert_eq!(tap.carry_out(request).await, [1, 0, 0]);
    }
    let [charger] = chargers;
    charger.stop().await;
    for backend in [&legacy, &candidate] {
        hears(&backend.log(), "the end", |log| {
            log.transactions().iter().all(|one| one.ended.is_some())
        })
        .await;
    }
    charger.leave().await;
    tap.stop();
    expect_whole([&legacy, &candidate], 1);
    // Nothing that it said was heard by a backend that it no longer listened to.
    let reader = Reader::open(dir.path()).unwrap();
    let answered = reader.facts().map(Result::unwrap);
    let said = answered.filter(|fact| fact.kind == Kind::Message && fact.conn != 0);
    let mut waiting = BTreeMap::new();
    for fact in said {
        let id = fact.text().and_then(|text| {
            let text: serde_json::Value = serde_json::from_str(text).ok()?;
            text[1].as_str().map(str::to_owned)
        });
        *waiting.entry((fact.conn, id)).or_insert(0) += 1;
    }
    let unanswered = waiting.values().filter(|said| **said != 2).count();
    assert!(unanswered <= 1, "all but the last: {waiting:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_charger_that_does_not_come_back_calls_for_a_roll_back() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, mut candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], 2).await;
    let begun = tap
        .switch(Request {
            deadline: Duration::from_millis(400),
            ..now(Leg::Candidate, &chargers[1..])
        })
        .await
        .unwrap();
    tap.changes("sent away", |_, change| change.step == Step::Acting)
        .await;
    candidate.go_down().await;
    let (_, missing) = tap
        .changes("a call for a roll back", |fact, change| {
            change.step == Step::Missing && fact.charger.is_empty()
        })
        .await;
    assert_eq!(
        (missing.switch, missing.counts),
        (begun.switch, Some([0, 0, 1]))
    );
    // The way back is open although the candidate is not there to be kept warm.
    assert_eq!(tap.carry_out(back(&chargers[1..])).await, [1, 0, 0]);
    hears(&legacy.log(), "both chargers", |log| {
        log.connected().len() == 2
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn law_10_what_a_backend_was_owed_when_it_became_the_authority_is_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (mut legacy, candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], 1).await;
    assert_eq!(
        tap.carry_out(now(Leg::Candidate, &chargers)).await,
        [1, 0, 0]
    );
    hears(&legacy.log(), "the shadow's leg", |log| {
        log.connected().len() == 1
    })
    .await;
    // The legacy misses the end of the session, and the charger comes back to it before it has been told.
    legacy.go_down().await;
    tap.facts("its leg is lost", Kind::ShadowClosed, 2).await;
    chargers[0].stop().await;
    let begun = tap.switch(back(&chargers)).await.unwrap();
    let (admitted, change) = tap
        .changes("admitted", |_, change| {
            change.step == Step::Admitted && change.switch == begun.switch
        })
        .await;
    legacy.come_up().await.unwrap();
    let told: Vec<_> = change.untold.iter().collect();
    let ends = told.iter().filter(|one| one.action == "StopTransaction");
    assert_eq!(ends.count(), 1, "{told:?}");
    assert!(told.iter().all(|one| one.transaction == "4711"), "{told:?}");
    let (fact, told) = (&admitted, &change);
    let untold = billing::untold([(&fact.charger, fact.at, told)]);
    assert_eq!(untold.len(), change.untold.len());
    assert_eq!(
        (untold[0].backend, &*untold[0].charger),
        (Leg::Legacy, "CP0")
    );
    // Each of them has the fact that says so, too.
    let reader = Reader::open(dir.path()).unwrap();
    let withheld = reader.of_kind(Kind::ShadowWithheld, 0, 1_000).unwrap();
    let changed = withheld
        .iter()
        .filter(|fact| fact.note.contains("authority changed"));
    let mut changed: Vec<u64> = changed.map(|fact| fact.cause).collect();
    changed.sort_unstable();
    let named: Vec<u64> = change.untold.iter().map(|one| one.message).collect();
    assert_eq!(changed, named);
}

#[tokio::test(flavor = "current_thread")]
async fn a_candidate_that_is_away_gets_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, mut candidate) = (backend(4711).await, backend(1).await);
    let tap = Tap::start(dir.path(), &legacy.url(), &candidate.url());
    let chargers = fleet(&tap, [&legacy, &candidate], 2).await;
    candidate.go_down().await;
    tap.facts("both legs are lost", Kind::ShadowClosed, 2).await;
    let request = Request {
        limit: Duration::from_millis(300),
        ..now(Leg::Candidate, &chargers)
    };
    assert_eq!(tap.carry_out(request).await, [0, 2, 0]);
    let (_, kept) = tap
        .changes("kept", |_, change| change.step == Step::Kept)
        .await;
    assert!(kept.why.contains("no connection for it"), "{}", kept.why);
    assert_eq!(legacy.log().connected().len(), 2);
}
