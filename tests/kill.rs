//! Law 8: what was recorded stays recorded. Real processes are killed at moments that a seed decides, many times in a
//! row, while simulated chargers work through them; then everything must add up.
//!
//! `EVENKEEL_KILLS` sets how many kills, `EVENKEEL_SEED` which; what else happens at those moments is up to the machine.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::facts::{Dir, Fact, Kind, Reader, recorder};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::row::{Outcome, Row};
use evenkeel::ocpp::Version;
use evenkeel::replay::sim::backend::{Fault, Log};
use evenkeel::replay::sim::dialect::Mint;
use evenkeel::replay::sim::random::Random;
use evenkeel::replay::sim::routine::Stopper;
use evenkeel::replay::sim::{
    Dialect, Journal, Pace, SimBackend, SimCharger, SimError, Spec, Step, Stop, Way,
};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::task::JoinHandle;

#[path = "kill/tap.rs"]
mod tap;
#[path = "kill/witness.rs"]
mod witness;

use tap::{PATIENCE, Tap, ask, kill};
use witness::Witness;

/// The candidate numbers its transactions from here, the legacy from 1: no id can belong to both.
const CANDIDATES: i64 = 5_000_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

async fn backends() -> (SimBackend, SimBackend) {
    let legacy = Dialect {
        delay: Duration::from_millis(2),
        ..Dialect::default()
    };
    let candidate = Dialect {
        mint: Mint::Up(CANDIDATES),
        delay: Duration::from_millis(3),
        ..Dialect::default()
    };
    (
        SimBackend::start(legacy).await.unwrap(),
        SimBackend::start(candidate).await.unwrap(),
    )
}

/// Polls `condition`, which no event announces: it is about another process or its file.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

type Life = JoinHandle<Result<Journal, SimError>>;

/// Chargers that live through every kill.
struct Fleet {
    stopper: Stopper,
    running: Vec<(String, Life)>,
}

impl Fleet {
    async fn start(url: &str, seed: u64) -> Self {
        let (stopper, stop) = Stop::pair();
        let mut running = Vec::new();
        for index in 0..8_u32 {
            let version = if index % 3 == 2 {
                Version::V201
            } else {
                Version::V16
            };
            let identity = format!("CP-{index}");
            let spec = Spec {
                // A simulated minute is a sixteenth of a second.
                pace: Pace::new(960),
                seed: seed + u64::from(index),
                answer_timeout: Duration::from_secs(5),
                ..Spec::new(&identity, version)
            };
            let charger = SimCharger::connect(url, spec).await.unwrap();
            let samples = [2, 8, 30][index as usize % 3];
            let steps = day(samples);
            let stop = stop.clone();
            let life = tokio::spawn(async move { charger.run(&steps, stop).await });
            running.push((identity, life));
        }
        Self { stopper, running }
    }

    /// Tells every charger to stop and waits; returns their journals.
    async fn stop(self) -> HashMap<String, Journal> {
        self.stopper.stop();
        let mut journals = HashMap::new();
        for (identity, life) in self.running {
            journals.insert(identity, life.await.unwrap().unwrap());
        }
        journals
    }
}

/// A 1.6 charger in the middle of a transaction.
async fn charging(url: &str, identity: &str) -> SimCharger {
    let spec = Spec::new(identity, Version::V16);
    let mut charger = SimCharger::connect(url, spec).await.unwrap();
    charger.boot().await.unwrap();
    charger.authorize("TAG-1").await.unwrap();
    charger.start(1, "TAG-1").await.unwrap();
    charger.meter(1).await.unwrap();
    charger
}

#[test]
fn restart_in_the_middle_of_open_transactions() {
    run(async {
        for victim in [Victim::Both, Victim::Live] {
            restart_in_the_middle(victim).await;
        }
    });
}

async fn restart_in_the_middle(victim: Victim) {
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("recording");
    let (legacy, candidate) = backends().await;
    let mut tap = Tap::start(&legacy.url(), &candidate.url(), &recording);
    let mut chargers = Vec::new();
    for identity in ["CP-A", "CP-B", "CP-C"] {
        chargers.push(charging(&tap.url(), identity).await);
    }
    let learned = || {
        Reader::open(&recording)
            .and_then(|reader| reader.of_kind(Kind::IdentifierLearned, 0, 9))
            .map_or(0, |facts| facts.len())
    };
    until("three identifiers on disk", || learned() == 3).await;
    // Each has booted, asked about its driver, begun and sampled; what is not answered then would come again.
    until("every answer on disk", || answers(&recording) == 12).await;

    strike(&mut tap, victim, Duration::ZERO).await;
    for charger in &mut chargers {
        charger.reconnect().await.unwrap();
        charger.meter(1).await.unwrap();
        charger.stop(1, "Local").await.unwrap();
    }
    let all_ended = |log: &Log| {
        let transactions = log.transactions();
        transactions.len() == 3
            && transactions
                .iter()
                .all(|one| one.meter_stop.is_some() && one.samples == 2)
    };
    assert!(
        candidate.log().until(PATIENCE, all_ended).await,
        "{:#?}\n{:#?}",
        candidate.log().entries(),
        tap.lines()
    );
    assert!(all_ended(&legacy.log()));
    assert_eq!(candidate.log().strays(), []);
    // No charger booted again; the candidate was told as much as before.
    for charger in ["CP-A", "CP-B", "CP-C"] {
        assert_eq!(legacy.log().calls(charger, "BootNotification").len(), 1);
        assert_eq!(candidate.log().calls(charger, "BootNotification").len(), 2);
    }
    for charger in chargers {
        charger.close(1000).await.unwrap();
    }
    tap.stop();
    check_ledger(&recording);
}

/// What went to the shadow of a charger's messages of this action, oldest first.
fn copies(facts: &[Fact], charger: &str, action: &str) -> Vec<Fact> {
    let mine = facts.iter().filter(|fact| {
        fact.kind == Kind::ShadowSent
            && *fact.charger == *charger
            && fact.cause != 0
            && fact.note_json()["action"] == action
    });
    mine.cloned().collect()
}

/// Every fact on disk; none while there is no recording yet.
fn recorded(recording: &Path) -> Vec<Fact> {
    let facts = Reader::open(recording).map(|reader| reader.facts().map(Result::unwrap).collect());
    facts.unwrap_or_default()
}

/// How many answers of the candidate's to messages of chargers are on disk.
fn answers(recording: &Path) -> usize {
    let facts = recorded(recording).into_iter();
    facts
        .filter(|fact| fact.kind == Kind::ShadowReceived && fact.cause != 0)
        .count()
}

/// As from a charger that lost its connection, what the candidate had not answered comes again from the next shadow plane.
#[test]
fn a_kill_in_the_middle_of_three_transactions_sends_again_what_was_not_answered() {
    run(async {
        let place = tempfile::tempdir().unwrap();
        let recording = place.path().join("recording");
        let (legacy, candidate) = backends().await;
        let mut tap = Tap::start(&legacy.url(), &candidate.url(), &recording);
        let mut starting = SimCharger::connect(&tap.url(), Spec::new("CP-A", Version::V16))
            .await
            .unwrap();
        starting.boot().await.unwrap();
        let mut metering = charging(&tap.url(), "CP-B").await;
        let mut stopping = charging(&tap.url(), "CP-C").await;
        until("every answer on disk", || {
            // Three boots; an authorization, a start and a sample of two.
            answers(&recording) == 9
        })
        .await;

        candidate.misbehave(Fault::Silent);
        starting.start(1, "TAG-1").await.unwrap();
        starting.meter(1).await.unwrap();
        metering.meter(1).await.unwrap();
        stopping.stop(1, "Local").await.unwrap();
        let unanswered = [
            ("CP-A", "StartTransaction", 0),
            ("CP-B", "MeterValues", 1),
            ("CP-C", "StopTransaction", 0),
        ];
        until("the copies on disk", || {
            let facts = recorded(&recording);
            let sent =
                |(charger, action, before)| copies(&facts, charger, action).len() == before + 1;
            unanswered.into_iter().all(sent)
        })
        .await;
        kill(tap.shadow().unwrap());
        candidate.misbehave(Fault::None);
        let charged = |log: &Log| {
            // The first copy of the start was taken, too, and never named again.
            log.transactions()
                .iter()
                .filter(|one| one.charger == "CP-A")
                .any(|one| one.samples == 1)
        };
        assert!(
            candidate.log().until(PATIENCE, charged).await,
            "{:#?}",
            tap.lines()
        );
        starting.stop(1, "Local").await.unwrap();
        metering.stop(1, "Local").await.unwrap();
        // Three boots to introduce them again, what was not answered, and what followed.
        until("every answer on disk", || {
            answers(&recording) == 9 + 3 + 3 + 3
        })
        .await;
        for charger in [starting, metering, stopping] {
            charger.close(1000).await.unwrap();
        }
        tap.stop();
        assert_eq!(candidate.log().strays(), []);

        let facts = recorded(&recording);
        for (charger, action, before) in unanswered {
            let copies = copies(&facts, charger, action);
            let [first, second] = &copies[before..before + 2] else {
                panic!("{copies:?}");
            };
            assert_eq!(first.cause, second.cause, "{charger}");
            let again = |fact: &Fact| fact.note_json()["again"] == true;
            assert_eq!((again(first), again(second)), (false, true), "{charger}");
            let answered = |sent: &Fact| {
                facts
                    .iter()
                    .any(|fact| fact.kind == Kind::ShadowReceived && fact.cause == sent.seq)
            };
            assert_eq!(
                (answered(first), answered(second)),
                (false, true),
                "{charger}"
            );
            let texts = |text: &str| {
                let received = candidate.log().calls(charger, action);
                received.iter().filter(|one| *one == text).count()
            };
            let last = candidate.log().calls(charger, action).pop().unwrap();
            assert!(
                action == "MeterValues" || texts(&last) == 2,
                "the same bytes"
            );
        }
        let withheld = facts
            .iter()
            .filter(|fact| fact.kind == Kind::ShadowWithheld && fact.cause != 0);
        assert_eq!(withheld.count(), 0, "each has been sent");
        check_compared(&facts);
        check_ledger(&recording);
    });
}

/// Every transaction message is compared, and no other outcome than parity is found.
fn check_compared(facts: &[Fact]) {
    let mut judge = Judge::new(Rules::built_in().unwrap());
    let mut exchanges = Vec::new();
    for fact in facts {
        judge.feed(fact, &mut |row| {
            if let Row::Exchange(row) = row {
                exchanges.push(row);
            }
        });
    }
    let transactions = ["StartTransaction", "MeterValues", "StopTransaction"];
    exchanges.retain(|row| transactions.contains(&row.action.as_str()));
    assert_eq!(exchanges.len(), 3 * 3 + 1);
    for row in exchanges {
        assert!(
            matches!(row.outcome, Outcome::Equal | Outcome::Explained),
            "{row:?}"
        );
    }
}

/// A shadow plane that waits for the recording may outlive its tap, the next one, and that one's conclusions about it.
#[test]
fn a_late_shadow_plane_records_nothing_twice() {
    run(async {
        let place = tempfile::tempdir().unwrap();
        let recording = place.path().join("recording");
        let (legacy, candidate) = backends().await;
        let mut tap = Tap::start(&legacy.url(), &candidate.url(), &recording);
        let mut charger = charging(&tap.url(), "CP-A").await;
        let last = || Reader::open(&recording).and_then(|reader| reader.last_seq());
        until("facts", || last().is_ok_and(|last| last > 20)).await;

        kill(tap.shadow().unwrap());
        let mut claim = None;
        while claim.is_none() {
            claim = recorder::claim(&recording).unwrap();
        }
        until("the late shadow plane", || tap.shadow().is_some()).await;
        let late = tap.shadow().unwrap();
        charger.meter(1).await.unwrap();
        kill_process(late, Signal::STOP).unwrap();
        tap.kill_live();
        drop(claim);

        let before = last().unwrap();
        tap.start_again();
        charger.reconnect().await.unwrap();
        charger.meter(1).await.unwrap();
        until("facts of the next tap", || last().unwrap() > before + 8).await;
        kill(tap.shadow().unwrap());
        tap.kill_live();
        kill_process(late, Signal::CONT).unwrap();
        until("the end of the late shadow plane", || {
            !Path::new(&format!("/proc/{}/fd/0", late.as_raw_nonzero())).exists()
        })
        .await;

        tap.start_again();
        charger.reconnect().await.unwrap();
        charger.stop(1, "Local").await.unwrap();
        let journals = HashMap::from([("CP-A".to_owned(), charger.journal())]);
        charger.close(1000).await.unwrap();
        tap.stop();
        let reader = Reader::open(&recording).unwrap();
        let facts: Vec<Fact> = reader.facts().map(Result::unwrap).collect();
        check_accounts(&facts, &journals, &legacy.log());
        check_ledger(&recording);
    });
}

fn day(samples: u32) -> Vec<Step> {
    let tag = "TAG-1".to_owned();
    vec![
        Step::Charge {
            connector: 1,
            tag: tag.clone(),
            samples,
        },
        Step::Swipe { tag },
        Step::Vendor {
            vendor: "Tallow".to_owned(),
            message: "nothing".to_owned(),
        },
    ]
}

/// Which process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Shadow,
    Live,
    /// Both at once.
    Both,
    /// The live plane, and the shadow plane while it draws its conclusions.
    Heir,
    /// The shadow plane, and the live plane as soon as the next one begins.
    Newborn,
}

/// Kills one or both planes and starts the tap again if need be.
async fn strike(tap: &mut Tap, victim: Victim, pause: Duration) {
    match victim {
        Victim::Shadow => {
            // Between two lives there is none: then this strike misses, as a real one may.
            if let Some(shadow) = tap.shadow() {
                kill(shadow);
            }
        }
        Victim::Newborn => {
            let shadow = tap.shadow();
            if let Some(shadow) = shadow {
                kill(shadow);
            }
            until("the next shadow plane", || {
                tap.shadow().is_some_and(|next| Some(next) != shadow)
            })
            .await;
            tokio::time::sleep(pause).await;
            tap.kill_live();
            tap.start_again();
        }
        Victim::Live => {
            tap.kill_live();
            tap.start_again();
        }
        Victim::Both => {
            if let Some(shadow) = tap.shadow() {
                kill(shadow);
            }
            tap.kill_live();
            tap.start_again();
        }
        Victim::Heir => {
            let shadow = tap.shadow();
            tap.kill_live();
            tokio::time::sleep(pause).await;
            if let Some(shadow) = shadow {
                kill(shadow);
            }
            tap.start_again();
        }
    }
}

#[test]
fn law_8_what_was_recorded_stays_recorded() {
    run(async {
        let kills = number("EVENKEEL_KILLS", 12);
        let seed = number("EVENKEEL_SEED", 8);
        println!("EVENKEEL_SEED={seed} EVENKEEL_KILLS={kills}");
        let mut random = Random::named(seed, "kills");
        let place = tempfile::tempdir().unwrap();
        let recording = place.path().join("recording");
        let (legacy, candidate) = backends().await;
        let mut tap = Tap::start(&legacy.url(), &candidate.url(), &recording);
        let witness = Witness::follow(&recording);
        let fleet = Fleet::start(&tap.url(), seed).await;
        let mut struck = HashMap::new();
        for round in 0..kills {
            let victim = match random.within(0..=9) {
                0..=3 => Victim::Shadow,
                4..=5 => Victim::Live,
                6..=7 => Victim::Both,
                8 => Victim::Heir,
                _ => Victim::Newborn,
            };
            // Most kills hit a tap at work; some hit one that is just starting or still drawing its conclusions.
            if random.within(0..=3) > 0 {
                let before = witness.last();
                until("facts after a kill", || witness.last() > before + 50).await;
            }
            tokio::time::sleep(Duration::from_millis(random.within(0..=500))).await;
            let pause = Duration::from_millis(random.within(0..=40));
            println!("round {round}: {victim:?} at fact {}", witness.last());
            strike(&mut tap, victim, pause).await;
            *struck.entry(format!("{victim:?}")).or_insert(0) += 1;
            assert!(Reader::open(&recording).unwrap().last_seq().unwrap() >= witness.last());
        }
        let before = witness.last();
        until("facts after the last kill", || {
            witness.last() > before + 200
        })
        .await;
        let journals = fleet.stop().await;
        tap.stop();
        println!("{struck:?}");

        let remembered = witness.testify();
        assert!(remembered > 500, "{remembered} facts");
        let facts: Vec<Fact> = {
            let reader = Reader::open(&recording).unwrap();
            reader.facts().map(Result::unwrap).collect()
        };
        check_accounts(&facts, &journals, &legacy.log());
        check_identifiers(&facts, &candidate.log());
        check_ledger(&recording);
    });
}

/// What both ends counted themselves lies in the recording, as messages or in gaps, and nothing else does.
fn check_accounts(facts: &[Fact], journals: &HashMap<String, Journal>, legacy: &Log) {
    let entries = legacy.entries();
    let count = |charger: &str, way: Way| {
        let mine = entries
            .iter()
            .filter(|entry| entry.charger == charger && entry.way == way);
        mine.count() as u64
    };
    for (charger, journal) in journals {
        let here = || facts.iter().filter(|fact| *fact.charger == **charger);
        let connections = here().filter(|fact| fact.kind == Kind::ConnOpened).count() as u64;
        for dir in Dir::BOTH {
            let (sent, received) = match dir {
                Dir::FromCharger => (
                    journal.count(Way::Sent) as u64,
                    count(charger, Way::Received),
                ),
                Dir::ToCharger => (
                    count(charger, Way::Sent),
                    journal.count(Way::Received) as u64,
                ),
            };
            let frames = |kind: Kind| -> u64 {
                let mine = here().filter(|fact| fact.kind == kind && fact.dir == Some(dir));
                mine.map(|fact| fact.frames).sum()
            };
            let accounted = frames(Kind::Message) + frames(Kind::Gap);
            assert!(
                received <= accounted,
                "{charger} {dir:?}: {received} received, {accounted} recorded or in gaps"
            );
            // Beside messages a gap may hold a close frame of each connection.
            assert!(
                accounted <= sent + connections,
                "{charger} {dir:?}: {sent} sent, {accounted} recorded or in gaps"
            );
        }
        let texts: HashSet<String> = journal.texts(Way::Sent).into_iter().collect();
        let recorded =
            here().filter(|fact| fact.kind == Kind::Message && fact.dir == Some(Dir::FromCharger));
        for fact in recorded {
            assert!(texts.contains(fact.text().unwrap()), "{fact:?}");
        }
    }
}

/// The candidate heard of transactions under its own ids only, also of those that were open during a kill.
fn check_identifiers(facts: &[Fact], candidate: &Log) {
    assert_eq!(candidate.strays(), []);
    for entry in candidate.entries() {
        if entry.way == Way::Received
            && let Some(id) = transaction_16(&entry.text)
        {
            assert!(id >= CANDIDATES, "{}", entry.text);
        }
    }
    // The test is about something: identifiers were used in a later life of the shadow plane than they were learned in.
    let mut learned = HashMap::new();
    let mut life = 0;
    let mut restored = 0;
    for fact in facts {
        let note = fact.note_json();
        match fact.kind {
            Kind::PlaneStarted => life += 1,
            Kind::IdentifierLearned => {
                learned.insert((fact.charger.clone(), note["authority"].to_string()), life);
            }
            Kind::ShadowSent => {
                for rewrite in note["rewrites"].as_array().into_iter().flatten() {
                    let key = (fact.charger.clone(), rewrite["from"].to_string());
                    restored += usize::from(learned[&key] < life);
                }
            }
            _ => {}
        }
    }
    println!("{restored} messages went under an id of an earlier life");
    assert!(restored > 0, "no transaction outlived a kill");
}

fn transaction_16(text: &str) -> Option<i64> {
    let message: Value = serde_json::from_str(text).unwrap();
    message.get(3)?.get("transactionId")?.as_i64()
}

/// The ledger is what a clean judge makes of the facts, and the accounts are exact.
fn check_ledger(recording: &Path) {
    let (code, verified) = ask("verify", recording);
    println!("{verified:#}");
    assert_eq!((code, &verified["ok"]), (0, &Value::Bool(true)));
    let count = |key: &str| verified["accounting"][key].as_u64().unwrap();
    assert_eq!(
        count("frames_seen"),
        count("frames_recorded") + count("frames_in_gaps")
    );
    assert_eq!((count("open"), count("uncounted")), (0, 0));
    let (_, before) = ask("diffs", recording);
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        match std::fs::remove_file(recording.join(file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.unwrap(),
        }
    }
    let (_, after) = ask("diffs", recording);
    assert_eq!(before.to_string(), after.to_string());
    let (_, again) = ask("verify", recording);
    assert_eq!(again["ledger"].to_string(), verified["ledger"].to_string());
}
