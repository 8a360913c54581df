//! A sick candidate or a sick shadow plane never reaches a charger: with real processes, over real sockets, against the
//! twin of the same night without the fault.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use evenkeel::facts::{Fact, Kind};
use evenkeel::ledger::row::Outcome;
use evenkeel::ocpp::Version;
use evenkeel::ocpp::actions::{self, Side};
use evenkeel::replay::sim::Fault;
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Signal, kill_process};
use serde_json::{Value, json};

#[path = "common/night.rs"]
mod night;
#[path = "common/rude.rs"]
mod rude;
#[path = "common/tap.rs"]
mod tap;

use night::{
    Backend, NEW, Night, OLD, SAMPLES, Shift, assert_gaps_are_not_compared, candidate, legacy,
    runtime,
};
use rude::{Manner, Rude};
use tap::{Recording, Setup, Tap, address_space, eventually, limit};

/// A night with a tap between the chargers and the legacy.
struct Tapped {
    night: Night,
    recording: Recording,
    verified: Value,
    log: Vec<String>,
    _dir: tempfile::TempDir,
}

/// What happens in the middle of the night.
trait Trouble {
    /// The candidate's URL.
    fn candidate(&self) -> String;
    /// Changes how the tap is started.
    fn setup(&self, _: &mut Setup) {}
    /// Before the chargers charge on.
    fn begin(&mut self, _: &Tap) {}
    /// While they charge on, a third and two thirds through.
    fn during(&mut self, _: &Tap) {}
    /// Afterwards; asserts that the trouble was real.
    fn end(&mut self, _: &Tap) {}
}

fn tapped(trouble: &mut dyn Trouble) -> Tapped {
    let dir = tempfile::tempdir().unwrap();
    let legacy = legacy();
    let mut setup = Setup::new(dir.path(), &legacy.url(), &trouble.candidate());
    trouble.setup(&mut setup);
    let tap = Tap::start(&setup);
    tap.records();
    let runtime = runtime();
    let mut shift = runtime.block_on(Shift::begin(&tap.url));
    runtime.block_on(shift.charge(SAMPLES[0]));
    trouble.begin(&tap);
    for _ in 0..3 {
        runtime.block_on(shift.charge(SAMPLES[1] / 3));
        trouble.during(&tap);
    }
    runtime.block_on(shift.ask(&legacy));
    trouble.end(&tap);
    runtime.block_on(shift.charge(SAMPLES[2]));
    let night = runtime.block_on(shift.end(&legacy));
    assert_eq!(tap.metric("evenkeel_containment_breaches_total"), 0);
    let (recording, log) = tap.stop();
    let verified = recording.verify();
    Tapped {
        night,
        recording,
        verified,
        log,
        _dir: dir,
    }
}

/// The same night with a healthy candidate and a healthy shadow plane.
fn twin() -> &'static Night {
    static TWIN: OnceLock<Night> = OnceLock::new();
    TWIN.get_or_init(|| tapped(&mut Healthy(candidate())).night)
}

/// Machines are noisy: a night may be slow because of something else, but not three in a row.
const TRIES: u32 = 3;
/// What a charger may wait longer than in the twin. Anything that really waits for the shadow waits a hundred times that.
const NOISE: Duration = Duration::from_millis(20);

/// Lives through the night with its trouble, and proves that the chargers saw nothing of it.
fn survives(mut trouble: impl FnMut() -> Box<dyn Trouble>) -> Tapped {
    let twin = twin();
    for left in (0..TRIES).rev() {
        let lived = tapped(trouble().as_mut());
        lived.night.assert_like(twin);
        lived.night.assert_contained();
        assert_gaps_are_not_compared(&lived.recording);
        let (p99, calm) = (lived.night.p99(), twin.p99());
        println!(
            "p99 {p99:?}, without the fault {calm:?}; {}",
            lived.verified["accounting"]
        );
        if p99 < calm + NOISE {
            return lived;
        }
        assert!(left > 0, "chargers waited {p99:?} instead of {calm:?}");
    }
    unreachable!("the last try returns or panics");
}

struct Healthy(Backend);

impl Trouble for Healthy {
    fn candidate(&self) -> String {
        self.0.url()
    }
}

#[test]
fn the_twin_is_the_night_without_a_tap() {
    let direct = Night::direct();
    twin().assert_like(&direct);
    println!(
        "p99 {:?} through the tap, {:?} without",
        twin().p99(),
        direct.p99()
    );
    let lived = tapped(&mut Healthy(candidate()));
    // Both chargers and the legacy end with a close frame.
    let frames = lived.night.messages() + 4;
    assert_eq!(lived.verified["accounting"]["frames_seen"], frames);
    assert_eq!(lived.verified["accounting"]["frames_recorded"], frames);
    let diffs = lived.recording.diffs();
    assert!(diffs["outcomes"]["equal"].as_u64() > Some(300), "{diffs:#}");
    assert_eq!(diffs["findings"], json!([]));
}

/// A simulated candidate that misbehaves in the middle of the night.
struct Sick {
    candidate: Backend,
    fault: Fault,
    heard: usize,
}

impl Sick {
    fn new(fault: Fault) -> Box<dyn Trouble> {
        Box::new(Self {
            candidate: candidate(),
            fault,
            heard: 0,
        })
    }
}

impl Trouble for Sick {
    fn candidate(&self) -> String {
        self.candidate.url()
    }

    fn setup(&self, setup: &mut Setup) {
        setup.sections = "[shadow]\nanswer_timeout = \"200ms\"\n".to_owned();
    }

    fn begin(&mut self, _: &Tap) {
        eventually("the candidate heard both chargers", || {
            self.candidate.log().connected().len() == 2
        });
        self.heard = self.candidate.log().entries().len();
        self.candidate.misbehave(self.fault);
    }

    fn end(&mut self, _: &Tap) {
        self.candidate.misbehave(Fault::None);
        assert_eq!(self.candidate.log().strays(), []);
    }
}

/// The digest that the live judge ended with.
fn live_digest(lived: &Tapped) -> &str {
    let line = lived
        .log
        .iter()
        .rfind(|line| line.contains("recording closed and judged"));
    let line = line.unwrap_or_else(|| panic!("not judged: {:#?}", lived.log));
    line.split_once("digest=").unwrap().1.trim()
}

/// How often a fact of this kind is in the recording.
fn count(lived: &Tapped, kind: Kind) -> usize {
    lived.recording.of_kind(kind).len()
}

#[test]
fn a_silent_candidate_is_not_felt() {
    let lived = survives(|| Sick::new(Fault::Silent));
    assert!(count(&lived, Kind::ShadowSilent) > 2);
}

#[test]
fn a_slow_candidate_is_not_felt() {
    let lived = survives(|| Sick::new(Fault::Slow(Duration::from_millis(150))));
    let exchanges = lived.recording.exchanges();
    let slow = exchanges.iter().filter(|one| one.shadow_us > Some(150_000));
    assert!(slow.count() > 2);
}

#[test]
fn a_stalled_candidate_is_not_felt() {
    let lived = survives(|| Sick::new(Fault::Stall));
    assert!(count(&lived, Kind::ShadowSilent) > 2);
}

#[test]
fn a_candidate_that_answers_garbage_is_not_felt() {
    let lived = survives(|| Sick::new(Fault::Garbage));
    let received = lived.recording.of_kind(Kind::ShadowReceived);
    let garbage = received
        .iter()
        .filter(|fact| fact.body.starts_with(b"[3,") && fact.body.last() != Some(&b']'));
    assert!(garbage.count() > 2);
}

#[test]
fn a_candidate_that_floods_is_not_felt() {
    let lived = survives(|| Sick::new(Fault::Flood));
    assert!(count(&lived, Kind::ShadowAnswered) > 100);
}

/// A candidate that is killed in the middle of the night and comes back.
struct Killed(Backend);

impl Trouble for Killed {
    fn candidate(&self) -> String {
        self.0.url()
    }

    fn begin(&mut self, _: &Tap) {
        eventually("the candidate heard both chargers", || {
            self.0.log().connected().len() == 2
        });
        self.0.kill();
    }

    fn during(&mut self, _: &Tap) {
        assert_eq!(self.0.log().handshakes(), 2);
    }

    fn end(&mut self, _: &Tap) {
        self.0.revive();
        eventually("both chargers are shadowed again", || {
            self.0.log().handshakes() == 4
        });
        assert_eq!(self.0.log().strays(), []);
    }
}

#[test]
fn a_candidate_that_is_killed_is_not_felt() {
    let lived = survives(|| Box::new(Killed(candidate())));
    assert!(count(&lived, Kind::ShadowClosed) >= 2);
    assert!(count(&lived, Kind::ShadowOpened) >= 4);
}

/// A candidate at whose address nobody listens.
struct Absent;

impl Trouble for Absent {
    fn candidate(&self) -> String {
        // Port 1 of the loopback interface: taken by nobody, and never given to anybody who asks for a free one.
        "ws://127.0.0.1:1/ocpp".to_owned()
    }
}

#[test]
fn a_candidate_that_refuses_connections_is_not_felt() {
    let lived = survives(|| Box::new(Absent));
    assert!(count(&lived, Kind::ShadowRefused) >= 2);
    assert_eq!(count(&lived, Kind::ShadowSent), 0);
    let diffs = lived.recording.diffs();
    assert_eq!(diffs["outcomes"]["equal"], 0);
}

/// A candidate that breaks the WebSocket protocol itself.
struct Raw {
    rude: Rude,
    atleast: u64,
}

impl Raw {
    fn new(manner: Manner, atleast: u64) -> Box<dyn Trouble> {
        Box::new(Self {
            rude: Rude::start(manner),
            atleast,
        })
    }
}

impl Trouble for Raw {
    fn candidate(&self) -> String {
        self.rude.url.clone()
    }

    fn end(&mut self, tap: &Tap) {
        assert!(self.rude.guests() >= 2);
        eventually("it misbehaved", || self.rude.sent() >= self.atleast);
        let size = address_space(tap.shadow());
        assert!(size < 1 << 30, "the shadow plane uses {size} bytes");
    }
}

#[test]
fn a_candidate_that_never_reads_is_not_felt() {
    survives(|| Raw::new(Manner::Deaf, 0));
}

#[test]
fn a_candidate_with_frames_of_100_mib_is_not_felt() {
    survives(|| Raw::new(Manner::Frames(100 << 20), 1 << 16));
}

#[test]
fn a_candidate_that_sends_noise_is_not_felt() {
    survives(|| Raw::new(Manner::Noise, 1 << 16));
}

/// What is done to the shadow plane at the beginning, and at the end, of the trouble.
struct Plane {
    candidate: Backend,
    handover: &'static str,
    setup: fn(&mut Setup),
    begin: fn(&Tap, Pid),
    during: fn(&Tap, Pid),
    end: fn(&Tap, Pid),
    victim: Option<Pid>,
}

impl Plane {
    fn new() -> Self {
        Self {
            candidate: candidate(),
            handover: "64MiB",
            setup: |_| {},
            begin: |_, _| {},
            during: |_, _| {},
            end: |_, _| {},
            victim: None,
        }
    }
}

impl Trouble for Plane {
    fn candidate(&self) -> String {
        self.candidate.url()
    }

    fn setup(&self, setup: &mut Setup) {
        setup.sections = format!("[limits]\nhandover = {:?}\n", self.handover);
        (self.setup)(setup);
    }

    fn begin(&mut self, tap: &Tap) {
        let victim = tap.shadow();
        self.victim = Some(victim);
        (self.begin)(tap, victim);
    }

    fn during(&mut self, tap: &Tap) {
        (self.during)(tap, self.victim.unwrap());
    }

    fn end(&mut self, tap: &Tap) {
        (self.end)(tap, self.victim.unwrap());
        tap.records();
        assert_eq!(self.candidate.log().strays(), []);
    }
}

fn frames_in_gaps(lived: &Tapped) -> u64 {
    lived.verified["accounting"]["frames_in_gaps"]
        .as_u64()
        .unwrap()
}

#[test]
fn a_killed_shadow_plane_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            begin: |_, victim| kill_process(victim, Signal::KILL).unwrap(),
            // Whoever has come up meanwhile goes down again.
            during: |tap, _| kill_process(tap.shadow(), Signal::KILL).unwrap(),
            end: |tap, victim| {
                assert_ne!(tap.shadow(), victim);
                assert!(tap.metric("evenkeel_shadow_restarts_total") >= 3);
            },
            ..Plane::new()
        })
    });
    assert!(frames_in_gaps(&lived) > 0);
    assert!(count(&lived, Kind::PlaneStarted) >= 2);
}

#[test]
fn law_3_nothing_waits_for_the_shadow() {
    let lived = survives(|| {
        Box::new(Plane {
            handover: "64KiB",
            begin: |_, victim| kill_process(victim, Signal::STOP).unwrap(),
            end: |tap, victim| {
                eventually("health notices the silence", || !tap.is_well());
                assert!(tap.metric("evenkeel_frames_lost_total") > 0);
                kill_process(victim, Signal::CONT).unwrap();
            },
            ..Plane::new()
        })
    });
    assert!(frames_in_gaps(&lived) > 0);
}

#[test]
fn a_shadow_plane_out_of_memory_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            begin: |_, victim| limit(victim, Resource::As, Some(address_space(victim))),
            end: |tap, victim| {
                eventually("the shadow plane runs out of memory", || {
                    tap.shadow() != victim
                });
            },
            ..Plane::new()
        })
    });
    assert!(count(&lived, Kind::PlaneStarted) >= 2);
}

#[test]
fn a_full_disk_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            setup: |setup| setup.survives_quota = true,
            begin: |_, victim| limit(victim, Resource::Fsize, Some(1 << 16)),
            end: |tap, victim| {
                eventually("health tells", || {
                    let (well, says) = tap.health();
                    !well
                        && says["shadow"]["state"]
                            .to_string()
                            .contains("not committing")
                });
                limit(victim, Resource::Fsize, None);
            },
            ..Plane::new()
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0, "memory held them all");
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}

#[test]
fn a_log_that_nobody_reads_is_not_felt() {
    survives(|| {
        Box::new(Plane {
            setup: |setup| {
                setup.log = Some("trace");
                setup.log_unread = true;
            },
            end: |tap, _| assert!(tap.unread() > 60_000, "{} bytes wait", tap.unread()),
            ..Plane::new()
        })
    });
}

/// The file of a recording's ledger.
fn ledger_of(recording: &Path) -> PathBuf {
    recording.join("ledger.db")
}

#[test]
fn a_ledger_that_cannot_be_written_is_not_felt() {
    let lived = survives(|| {
        Box::new(Plane {
            setup: |setup| fs::create_dir_all(ledger_of(&setup.recording)).unwrap(),
            end: |tap, _| {
                tap.says("judging failed");
                fs::remove_dir(ledger_of(&tap.recording().0)).unwrap();
            },
            ..Plane::new()
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0);
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}

/// Someone else's tool holds the facts for a while.
struct Locked {
    plane: Plane,
    lock: Option<Connection>,
}

impl Trouble for Locked {
    fn candidate(&self) -> String {
        self.plane.candidate()
    }

    fn begin(&mut self, tap: &Tap) {
        let database = Connection::open(tap.recording().0.join("facts.db")).unwrap();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        self.plane.begin(tap);
        self.lock = Some(database);
    }

    fn end(&mut self, tap: &Tap) {
        eventually("the recorder cannot commit", || !tap.is_well());
        self.lock = None;
        self.plane.end(tap);
    }
}

#[test]
fn a_locked_database_is_not_felt() {
    let lived = survives(|| {
        Box::new(Locked {
            plane: Plane::new(),
            lock: None,
        })
    });
    assert_eq!(frames_in_gaps(&lived), 0, "memory held them all");
    assert_eq!(lived.verified["ledger"]["digest"], live_digest(&lived));
}

#[test]
fn law_6_one_path_for_live_and_for_later() {
    let lived = tapped(&mut Healthy(candidate()));
    let live = live_digest(&lived);
    assert_eq!(lived.verified["ledger"]["digest"], live);
    assert_eq!(lived.verified["ledger"]["rejudged"], live);
    let diffs = lived.recording.diffs();
    for suffix in ["", "-wal", "-shm"] {
        let mut file = ledger_of(&lived.recording.0).into_os_string();
        file.push(suffix);
        // The two companions are there only while someone has the ledger open.
        if let Err(error) = fs::remove_file(&file) {
            assert_eq!(
                (error.kind(), suffix.is_empty()),
                (ErrorKind::NotFound, false)
            );
        }
    }
    assert_eq!(lived.recording.diffs(), diffs);
    assert_eq!(diffs["digest"], live);
}

/// A candidate that sends every command there is while cars charge.
struct Commanding(Backend);

impl Trouble for Commanding {
    fn candidate(&self) -> String {
        self.0.url()
    }

    fn begin(&mut self, _: &Tap) {
        eventually("both sessions are open at the candidate", || {
            self.0.log().transactions().len() == 2
        });
        for _ in 0..5 {
            for (charger, version) in [(OLD, Version::V16), (NEW, Version::V201)] {
                let sessions = self.0.log().transactions();
                let session = sessions.iter().find(|one| one.charger == charger).unwrap();
                let transaction: Value = serde_json::from_str(&session.id).unwrap();
                for action in actions::all(version).filter(|one| one.sender.allows(Side::Csms)) {
                    let payload = command(action.name, &transaction);
                    // A refusal is an answer, too.
                    self.0.order(charger, action.name, payload);
                }
            }
        }
    }

    fn end(&mut self, _: &Tap) {
        let commands = self.0.log().commands();
        assert!(commands.len() > 200);
        assert!(commands.iter().all(|sent| sent.answer.is_some()));
    }
}

/// A command that a charger would obey.
fn command(action: &str, transaction: &Value) -> Value {
    match action {
        "RemoteStopTransaction" | "RequestStopTransaction" => {
            json!({ "transactionId": transaction })
        }
        "RemoteStartTransaction" => json!({ "connectorId": 1, "idTag": "TAG-1" }),
        "Reset" => json!({ "type": "Hard" }),
        "UnlockConnector" => json!({ "connectorId": 1, "evseId": 1 }),
        "ChangeAvailability" => {
            json!({ "connectorId": 0, "type": "Inoperative", "operationalStatus": "Inoperative" })
        }
        "ChangeConfiguration" => json!({ "key": "HeartbeatInterval", "value": "1" }),
        "TriggerMessage" => json!({ "requestedMessage": "BootNotification" }),
        "UpdateFirmware" => {
            json!({ "location": "http://x/", "retrieveDate": "2026-01-01T00:00:00Z" })
        }
        _ => json!({}),
    }
}

#[test]
fn law_2_the_candidate_cannot_reach_the_charger() {
    let lived = survives(|| Box::new(Commanding(candidate())));
    let [received, answered] =
        [Kind::ShadowReceived, Kind::ShadowAnswered].map(|kind| count(&lived, kind));
    assert!(
        answered > 200 && received > answered,
        "{received} received, {answered} answered"
    );
    assert_eq!(lived.verified["containment"]["ok"], true);
    let diffs = lived.recording.diffs();
    let extra = diffs["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "extra command");
    assert!(extra.count() > 10, "{diffs:#}");
}

/// A candidate that is killed, refuses whoever comes back, and is reached again by a new shadow plane.
struct Losses(Plane);

impl Trouble for Losses {
    fn candidate(&self) -> String {
        self.0.candidate()
    }

    fn begin(&mut self, tap: &Tap) {
        let candidate = &mut self.0.candidate;
        eventually("the candidate opened both sessions", || {
            candidate.log().transactions().len() == 2
        });
        candidate.kill();
        candidate.misbehave(Fault::RefuseHttp(401));
        candidate.revive();
        let recording = tap.recording();
        eventually("both chargers are refused", || {
            recording.of_kind(Kind::ShadowRefused).len() >= 2
        });
        let before = tap.shadow();
        candidate.misbehave(Fault::None);
        kill_process(before, Signal::KILL).unwrap();
    }

    fn end(&mut self, _: &Tap) {
        let log = self.0.candidate.log();
        eventually("both chargers are shadowed again", || {
            log.connected().len() == 2
        });
        assert_eq!(log.strays(), []);
    }
}

#[test]
fn law_10_every_loss_is_visible() {
    let lived = survives(|| Box::new(Losses(Plane::new())));
    let sent = lived.recording.of_kind(Kind::ShadowSent);
    let note = |fact: &Fact, key: &str| fact.note_json()[key].clone();
    let synthetic = sent
        .iter()
        .filter(|fact| !note(fact, "synthetic").is_null());
    let translated = sent.iter().filter(|fact| {
        let rewrites = note(fact, "rewrites");
        rewrites
            .as_array()
            .is_some_and(|rewrites| !rewrites.is_empty())
    });
    let losses = [
        ("withheld", count(&lived, Kind::ShadowWithheld)),
        ("gap", count(&lived, Kind::Gap)),
        ("synthetic", synthetic.count()),
        ("translated", translated.count()),
        ("refused", count(&lived, Kind::ShadowRefused)),
        ("learned", count(&lived, Kind::IdentifierLearned)),
    ];
    assert!(losses.iter().all(|(_, count)| *count > 0), "{losses:?}");

    assert!(frames_in_gaps(&lived) > 0);
    assert_eq!(lived.verified["accounting"]["gaps"], losses[1].1);
    let diffs = lived.recording.diffs();
    let not_comparable = &diffs["outcomes"]["not_comparable"];
    assert!(not_comparable["shadow-gap"].as_u64() > Some(0), "{diffs:#}");
    assert!(not_comparable["synthetic"].as_u64() > Some(0), "{diffs:#}");
    assert!(
        diffs["handshakes"]["divergent"].as_u64() > Some(0),
        "{diffs:#}"
    );
    let exchanges = lived.recording.exchanges();
    for withheld in lived.recording.of_kind(Kind::ShadowWithheld) {
        let exchange = exchanges.iter().find(|one| one.id == withheld.cause);
        let outcome = exchange.map(|exchange| exchange.outcome);
        assert_eq!(outcome, Some(Outcome::NotComparable), "{withheld:?}");
    }
}
