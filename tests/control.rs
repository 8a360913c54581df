//! The control socket of a running tap: notes go through it, and nobody can do harm with it.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

#[path = "common/tap.rs"]
mod tap;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use evenkeel::facts::{Fact, Kind};
use evenkeel::shadow::control::{self, Answer, Ask, AskError, FILE, LONGEST};
use rustix::process::{Signal, kill_process};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tap::{PATIENCE, Recording, Setup, Tap, evenkeel, eventually};

/// Nobody listens there: a tap runs without backends too.
const NOWHERE: &str = "ws://127.0.0.1:9/ocpp";

struct Rig {
    _root: tempfile::TempDir,
    setup: Setup,
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let setup = Setup::new(root.path(), NOWHERE, NOWHERE);
        Self { _root: root, setup }
    }

    fn tap(&self) -> Tap {
        let tap = Tap::start(&self.setup);
        tap.records();
        self.is_open();
        tap
    }

    fn recording(&self) -> &Path {
        &self.setup.recording
    }

    fn socket(&self) -> PathBuf {
        self.recording().join(FILE)
    }

    fn is_open(&self) {
        eventually("the control socket is open", || {
            UnixStream::connect(self.socket()).is_ok()
        });
    }

    /// `evenkeel triage --build BUILD`: exit code and all that it says.
    fn triage(&self, build: &str) -> (i32, String) {
        let place = self.recording().to_str().unwrap();
        let output = evenkeel(["triage", "--build", build, place]);
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    }

    /// What a client that sends these bytes is told; empty if it is turned away.
    fn told(&self, bytes: &[u8]) -> String {
        let mut client = UnixStream::connect(self.socket()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        // The tap may have had enough before everything is sent.
        let _ = client.write_all(bytes);
        let mut said = String::new();
        let _ = BufReader::new(client).read_line(&mut said);
        said
    }
}

fn builds(recording: &Recording) -> Vec<(u64, String)> {
    let build = |fact: &Fact| {
        let note: Value = serde_json::from_slice(&fact.body).unwrap();
        (fact.seq, note["build"].as_str().unwrap().to_owned())
    };
    recording.of_kind(Kind::Triage).iter().map(build).collect()
}

fn note(build: usize) -> Ask {
    Ask::Triage(RawValue::from_string(json!({"build": build.to_string()}).to_string()).unwrap())
}

/// Kills the tap with its shadow plane, which leaves everything as it is.
fn kill(tap: Tap) {
    let (live, shadow) = (tap.pid(), tap.shadow());
    // Stopped first: neither may tidy up when the other goes.
    kill_process(shadow, Signal::STOP).unwrap();
    kill_process(live, Signal::KILL).unwrap();
    kill_process(shadow, Signal::KILL).unwrap();
    eventually("the shadow plane is gone", || {
        rustix::process::test_kill_process(shadow).is_err()
    });
    drop(tap);
}

#[test]
fn notes_are_written_by_the_running_tap() {
    let rig = Rig::new();
    let tap = rig.tap();
    let mode = fs::metadata(rig.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (code, said) = rig.triage("2.4.1");
    assert_eq!(code, 0, "{said}");
    // Several at a time: each has a link of its own.
    let place = rig.recording();
    let written: Vec<u64> = thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|build| scope.spawn(move || control::ask(place, note(build))))
            .collect();
        let answer = |answer| match answer {
            Ok(Answer::Written(seq)) => seq,
            other => panic!("{other:?}"),
        };
        clients
            .into_iter()
            .map(|client| answer(client.join().unwrap()))
            .collect()
    });
    let decision = RawValue::from_string(r#"{"go":true}"#.to_owned()).unwrap();
    let decided = control::ask(rig.recording(), Ask::Decision(decision)).unwrap();
    let (recording, _) = tap.stop();
    let found = builds(&recording);
    assert_eq!(found.len(), 7, "{found:?}");
    assert_eq!(found[0].1, "2.4.1");
    assert!(
        said.starts_with(&format!("noted as fact {}:", found[0].0)),
        "{said}"
    );
    let told: BTreeSet<u64> = written.into_iter().collect();
    assert_eq!(told, found[1..].iter().map(|(seq, _)| *seq).collect());
    let decisions = recording.of_kind(Kind::Decision);
    assert_eq!(decided, Answer::Written(decisions[0].seq));
    let chain = &recording.verify()["notes"];
    assert_eq!(
        (&chain["notes"], &chain["broken"]),
        (&json!(8), &Value::Null),
        "{chain}"
    );
    // The socket goes with the tap, and notes are written without one.
    assert!(!rig.socket().exists());
    assert_eq!(rig.triage("2.4.2").0, 0);
    assert_eq!(builds(&recording).last().unwrap().1, "2.4.2");
}

#[test]
fn clients_of_bad_will_get_nowhere() {
    let rig = Rig::new();
    let tap = rig.tap();
    let long = format!(
        "{{\"v\":1,\"ask\":{{\"triage\":\"{}\"}}}}\n",
        "x".repeat(2 * LONGEST)
    );
    for (bytes, why) in [
        (&b"hello\n"[..], "not a request"),
        (b"\n", "not a request"),
        (b"\xff\xfe\n", "invalid utf-8"),
        (
            b"{\"v\":1,\"ask\":{\"triage\":[1]}}\n",
            "a note is a JSON object",
        ),
        (b"{\"v\":1,\"ask\":{\"fly\":{}}}\n", "not understood"),
        (
            b"{\"v\":7,\"ask\":{}}\n",
            "this tap speaks version 1, not 7",
        ),
    ] {
        let said = rig.told(bytes);
        assert!(said.contains("refused") && said.contains(why), "{said}");
    }
    // It is read no further than a request may be long; what then becomes of the answer is the client's own fault.
    rig.told(long.as_bytes());
    // One that never ends its line is told so, in time.
    let began = Instant::now();
    let slow = rig.told(b"{\"v\":1");
    assert!(slow.contains("no whole line"), "{slow}");
    assert!(began.elapsed() < PATIENCE / 2);
    // Those that only hold the line keep others out, but not for long.
    let idle: Vec<UnixStream> = (0..8)
        .map(|_| UnixStream::connect(rig.socket()).unwrap())
        .collect();
    eventually("no more clients are served", || {
        let mut client = UnixStream::connect(rig.socket()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        matches!(client.read(&mut [0]), Ok(0))
    });
    drop(idle);
    eventually("clients are served again", || {
        matches!(
            control::ask(rig.recording(), note(1)),
            Ok(Answer::Written(_))
        )
    });
    assert!(tap.is_well());
    let (recording, _) = tap.stop();
    assert_eq!(builds(&recording).len(), 1);
}

#[test]
fn a_killed_tap_leaves_a_socket_that_nobody_minds() {
    let rig = Rig::new();
    kill(rig.tap());
    assert!(rig.socket().exists());
    assert!(matches!(
        control::ask(rig.recording(), note(0)),
        Err(AskError::Nobody)
    ));
    let (code, said) = rig.triage("offline");
    assert_eq!(code, 0, "{said}");
    let tap = rig.tap();
    let (code, said) = rig.triage("online");
    assert_eq!(code, 0, "{said}");
    // A shadow plane that is started again opens it anew.
    let first = tap.shadow();
    kill_process(first, Signal::KILL).unwrap();
    eventually("another shadow plane takes notes", || {
        matches!(
            control::ask(rig.recording(), note(2)),
            Ok(Answer::Written(_))
        )
    });
    let (recording, _) = tap.stop();
    let found: Vec<String> = builds(&recording)
        .into_iter()
        .map(|(_, build)| build)
        .collect();
    assert_eq!(found, ["offline", "online", "2"]);
    assert_eq!(recording.verify()["notes"]["broken"], Value::Null);
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_said_clearly() {
    let mut rig = Rig::new();
    rig.setup.recording = rig.setup.dir.join("deep".repeat(25));
    let tap = Tap::start(&rig.setup);
    tap.records();
    tap.says("a socket may have 107");
    let (code, said) = rig.triage("2.4.1");
    assert_eq!(code, 4, "{said}");
    assert!(said.starts_with("error[CTL-003]: the path "), "{said}");
    let (recording, _) = tap.stop();
    assert_eq!(rig.triage("2.4.1").0, 0);
    assert_eq!(builds(&recording).len(), 1);
}
