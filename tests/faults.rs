//! A sick candidate or a sick shadow plane never reaches a charger: with real processes, over real sockets, against the
//! twin of the same night without the fault.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use evenkeel::facts::Kind;
use serde_json::{Value, json};

#[path = "faults/candidate.rs"]
mod candidate_side;
#[path = "faults/laws.rs"]
mod laws;
#[path = "common/night.rs"]
mod night;
#[path = "faults/plane.rs"]
mod plane;
#[path = "common/rude.rs"]
mod rude;
#[path = "common/tap.rs"]
mod tap;
#[path = "common/terminal.rs"]
mod terminal;
#[path = "faults/viewer.rs"]
mod viewer;

use night::{
    Backend, Night, SAMPLES, Shift, assert_gaps_are_not_compared, candidate, legacy, runtime,
};
use tap::{Recording, Setup, Tap};

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
    /// While they charge on: after each third.
    fn during(&mut self, _: &Tap) {}
    /// Afterwards; asserts that the trouble was real.
    fn end(&mut self, _: &Tap) {}
    /// When the chargers have stopped charging, just before they leave and the tap stops.
    fn last(&mut self, _: &Tap) {}
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
    trouble.last(&tap);
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
fn survives<'a>(mut trouble: impl FnMut() -> Box<dyn Trouble + 'a>) -> Tapped {
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

fn frames_in_gaps(lived: &Tapped) -> u64 {
    lived.verified["accounting"]["frames_in_gaps"]
        .as_u64()
        .unwrap()
}

/// The file of a recording's ledger.
fn ledger_of(recording: &Path) -> PathBuf {
    recording.join("ledger.db")
}
