//! What the command line makes of bad input, a bad environment and a user who has seen enough.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use evenkeel::clock::Clock;
use evenkeel::facts::{Kind, recorder};
use rusqlite::Connection;
use rustix::process::{Signal, kill_process};

#[path = "common/night.rs"]
mod night;
#[path = "common/tap.rs"]
mod tap;

use night::{Night, Shift, candidate, legacy, runtime};
use tap::{Recording, Setup, Tap, evenkeel, eventually};

/// A URL at which nobody answers.
const NOBODY: &str = "ws://127.0.0.1:1/ocpp";

/// Asserts how the program ended, and what it said about it.
#[track_caller]
fn assert_says(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn path(dir: &tempfile::TempDir, name: &str) -> PathBuf {
    dir.path().join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A tap by flags alone that cannot start.
fn tap_by_flags(dir: &tempfile::TempDir, listen: &str, more: &[&str]) -> Output {
    let recording = path(dir, "recording");
    let flags = [
        "--legacy",
        NOBODY,
        "--candidate",
        NOBODY,
        "--listen",
        listen,
    ];
    let flags = ["tap", "--recording", text(&recording)]
        .into_iter()
        .chain(flags);
    evenkeel(flags.chain(more.iter().copied()))
}

/// A short night with a tap.
fn short_night(
    setup: &Setup,
    legacy: &night::Backend,
    meanwhile: impl FnOnce(&Tap),
) -> (Night, Tap) {
    let tap = Tap::start(setup);
    let runtime = runtime();
    let mut shift = runtime.block_on(Shift::begin(&tap.url));
    runtime.block_on(shift.charge(10));
    meanwhile(&tap);
    runtime.block_on(shift.charge(10));
    (runtime.block_on(shift.end(legacy)), tap)
}

/// A recording of a short night.
fn recorded(dir: &Path) -> Recording {
    let (legacy, candidate) = (legacy(), candidate());
    let setup = Setup::new(dir, &legacy.url(), &candidate.url());
    let (_, tap) = short_night(&setup, &legacy, Tap::records);
    tap.stop().0
}

#[test]
fn wrong_usage_is_said_and_exits_2() {
    assert_says(&evenkeel(["no-such-verb"]), 2, &["no-such-verb", "--help"]);
    assert_says(&evenkeel(["tap"]), 2, &["CFG-011", "--legacy", "help: "]);
    assert_says(
        &evenkeel(["tap", "missing.toml"]),
        2,
        &["CFG-001", "missing.toml", "init"],
    );
    assert_says(&evenkeel(["diffs"]), 2, &["REC-001", "help: "]);
}

#[test]
fn a_broken_configuration_is_shown_at_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = path(&dir, "evenkeel.toml");
    let config = "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"r\"\n[legacy]\nurl = \"http://a\"\n\
                  [candidate]\nurl = \"ws://b\"\n";
    fs::write(&file, config).unwrap();
    for verb in ["check", "tap"] {
        let output = evenkeel([verb, text(&file)]);
        assert_says(
            &output,
            2,
            &[
                "CFG-007",
                "evenkeel.toml line 5",
                "http://a",
                "^^^",
                "help: ",
            ],
        );
    }
    fs::write(&file, &config[..40]).unwrap();
    assert_says(
        &evenkeel(["check", text(&file)]),
        2,
        &["CFG-002", "line 3", "help: "],
    );
    fs::write(&file, b"\xff\xfe").unwrap();
    assert_says(&evenkeel(["check", text(&file)]), 2, &["CFG-001"]);
}

#[test]
fn init_writes_what_check_accepts() {
    let dir = tempfile::tempdir().unwrap();
    let file = path(&dir, "evenkeel.toml");
    let init = [
        "init",
        text(&file),
        "--legacy",
        "ws://old:1/x",
        "--candidate",
        "wss://new/y",
    ];
    assert_says(&evenkeel(init), 0, &["next: "]);
    assert_says(&evenkeel(["check", text(&file), "--show"]), 0, &[]);
    assert_says(&evenkeel(init), 2, &["CFG-010", "exists already"]);
}

/// A configuration with more in its sections.
fn configured(dir: &tempfile::TempDir, tap: &str, candidate: &str) -> PathBuf {
    let file = path(dir, "evenkeel.toml");
    let text = format!(
        "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = \"r\"\n{tap}[legacy]\nurl = \"ws://a\"\n[candidate]\nurl = \"wss://b\"\n\
         {candidate}"
    );
    fs::write(&file, text).unwrap();
    file
}

fn with_mode(dir: &tempfile::TempDir, name: &str, text: &str, mode: u32) {
    fs::write(path(dir, name), text).unwrap();
    fs::set_permissions(path(dir, name), fs::Permissions::from_mode(mode)).unwrap();
}

/// A directory with good and bad files of certificates, keys and credentials.
fn secrets() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(vec!["tap".to_owned()]).unwrap();
    let key = certified.signing_key.serialize_pem();
    with_mode(&dir, "tap.pem", &certified.cert.pem(), 0o644);
    with_mode(&dir, "tap.key", &key, 0o600);
    with_mode(&dir, "open.key", &key, 0o640);
    with_mode(
        &dir,
        "other.key",
        &rcgen::KeyPair::generate().unwrap().serialize_pem(),
        0o600,
    );
    with_mode(
        &dir,
        "good",
        "CP1 = \"CANARY\"\nCP2 = { hex = \"00ff\" }\n",
        0o600,
    );
    with_mode(
        &dir,
        "bad",
        "CP1 = \"CANARY\"\nCP2 = { hex = \"CANARY\" }\n",
        0o600,
    );
    with_mode(&dir, "open", "CP1 = \"CANARY\"\n", 0o644);
    dir
}

fn pair(key: &str) -> String {
    format!("tls = {{ cert = \"tap.pem\", key = \"{key}\" }}\n")
}

#[test]
fn files_with_secrets_are_checked_before_a_charger_needs_them() {
    let dir = secrets();
    for (tap, candidate, words) in [
        (
            pair("open.key"),
            "",
            ["CFG-018", "evenkeel.toml line 4", "chmod 600"],
        ),
        (
            pair("tap.pem"),
            "",
            ["CFG-018", "evenkeel.toml line 4", "chmod 600"],
        ),
        (
            pair("good"),
            "",
            ["CFG-019", "evenkeel.toml line 4", "PRIVATE KEY"],
        ),
        (pair("other.key"), "", ["TLS-001", "tap.pem", "help: "]),
        (
            "tls = { cert = \"tap.pem\", key = \"tap.key\", client_auth = \"require\" }\n"
                .to_owned(),
            "",
            ["CFG-021", "evenkeel.toml line 4", "client_ca"],
        ),
        (
            "allow_file = \"none\"\n".to_owned(),
            "",
            ["CFG-006", "evenkeel.toml line 4", "none"],
        ),
        (
            String::new(),
            "ca = \"tap.key\"\n",
            ["CFG-019", "evenkeel.toml line 8", "CERTIFICATE"],
        ),
        (
            String::new(),
            "cert = \"tap.pem\"\n",
            ["CFG-019", "evenkeel.toml line 8", "`key`"],
        ),
        (
            String::new(),
            "credentials = \"open\"\n",
            ["CFG-018", "evenkeel.toml line 8", "chmod 600"],
        ),
        (
            String::new(),
            "credentials = \"bad\"\n",
            ["CFG-020", "bad line 2", "help: "],
        ),
        (
            String::new(),
            "password = { file = \"open\" }\n",
            ["CFG-018", "evenkeel.toml line 8", "chmod 600"],
        ),
        (
            String::new(),
            "password = { hex-file = \"good\" }\n",
            ["CFG-013", "hex digits", "help: "],
        ),
        (
            String::new(),
            "[shadow]\ntakeover = \"refuse\"\n",
            ["CFG-022", "evenkeel.toml line 9", "collapse"],
        ),
        (
            "authority = \"candidate\"\n".to_owned(),
            "",
            ["fine", "", ""],
        ),
    ] {
        let file = configured(&dir, &tap, candidate);
        let output = evenkeel(["check", text(&file)]);
        let code = if words[0] == "fine" { 0 } else { 2 };
        let words: &[&str] = if code == 0 { &[] } else { &words };
        assert_says(&output, code, words);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("CANARY"));
    }
}

#[test]
fn a_configuration_with_secrets_is_shown_without_them() {
    let dir = secrets();
    fs::write(path(&dir, "chargers.txt"), "# pilot\nCP1\n\n CP%202 \n").unwrap();
    let tap = format!(
        "{}allow = [\"CP1\"]\nallow_file = \"chargers.txt\"\n",
        pair("tap.key")
    );
    let file = configured(&dir, &tap, "ca = \"tap.pem\"\ncredentials = \"good\"\n");
    let shown = evenkeel(["check", text(&file), "--show"]);
    assert_says(&shown, 0, &["RSA key exchange"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("2 chargers") && !shown.contains("CANARY"),
        "{shown}"
    );
}

#[test]
fn certificates_that_end_soon_are_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    let since = std::time::Duration::from_micros(Clock::system().now().unsigned_abs());
    let now = std::time::UNIX_EPOCH + since;
    for (days, warning) in [
        (-1_i64, Some("has expired")),
        (3, Some("expires in 3 days")),
        (60, None),
    ] {
        let mut params = rcgen::CertificateParams::new(vec!["csms".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "csms");
        let day = std::time::Duration::from_hours(24);
        let end = if days < 0 {
            now - day
        } else {
            now + day * days.unsigned_abs() as u32 + day / 2
        };
        params.not_after = end.into();
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(
            path(&dir, "ca.pem"),
            params.self_signed(&key).unwrap().pem(),
        )
        .unwrap();
        let output = evenkeel(["check", text(&configured(&dir, "", "ca = \"ca.pem\"\n"))]);
        assert_says(
            &output,
            0,
            &warning.map_or(vec![], |warning| vec!["CN=csms", warning]),
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.contains("warning: "), warning.is_some(), "{said}");
    }
}

#[test]
fn what_only_a_switch_would_find_missing_is_warned_about() {
    let dir = secrets();
    let file = configured(&dir, "", "credentials = \"good\"\n");
    let groups = "[group.depot]\nchargers = [\"CP1\", \"CP2\", \"CP3\"]\nrollback = \"tap\"\n";
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{before}{groups}")).unwrap();
    assert_says(
        &evenkeel(["check", text(&file)]),
        0,
        &[
            "chargers that log in cannot be moved",
            "legs to legacy",
            "CUT-004",
            "1 of group depot have no credentials towards candidate: CP3",
        ],
    );
    let odd = before
        .replace("credentials = \"good\"\n", "")
        .replace("wss://b", "wss://b/o?id={charger}");
    assert_ne!(odd, before);
    fs::write(&file, odd).unwrap();
    assert_says(
        &evenkeel(["check", text(&file)]),
        0,
        &["no charger can be moved to candidate", "CUT-003"],
    );
}

#[test]
fn what_is_simulated_is_said_loudly_and_sessions_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let setup = |simulate: &str| Setup {
        sections: format!("[shadow]\nsimulate = [{simulate}]\nhold = \"1500ms\"\n"),
        ..Setup::new(dir.path(), NOBODY, NOBODY)
    };
    let tap = Tap::start(&setup("\"Reset\""));
    tap.says("SIMULATION");
    let file = path(&dir, "evenkeel.toml");
    let show = evenkeel(["check", text(&file), "--show"]);
    assert_says(&show, 0, &["warning: SIMULATION", "Reset"]);
    let shown = String::from_utf8(show.stdout).unwrap();
    assert!(
        shown.contains("PRETENDED: Reset") && shown.contains("1500ms"),
        "{shown}"
    );
    tap.records();
    tap.stop();
    let refused = fs::read_to_string(&file)
        .unwrap()
        .replace("Reset", "RemoteStartTransaction");
    fs::write(&file, refused).unwrap();
    assert_says(
        &evenkeel(["check", text(&file)]),
        2,
        &[
            "CFG-031",
            "RemoteStartTransaction",
            "help: ",
            "ChangeConfiguration",
        ],
    );
}

#[test]
fn a_port_in_use_exits_4() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_says(
        &tap_by_flags(&dir, &address, &[]),
        4,
        &["NET-001", &address, "help: "],
    );
    let health = tap_by_flags(&dir, "127.0.0.1:0", &["--health", &address]);
    assert_says(&health, 4, &["ENV-003", &address, "help: "]);
}

#[test]
fn a_charger_of_an_unreachable_legacy_is_reset_and_the_tap_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let tap = Tap::start(&Setup::new(dir.path(), NOBODY, NOBODY));
    tap.records();
    for _ in 0..2 {
        let mut charger = TcpStream::connect(tap.url.strip_prefix("ws://").unwrap()).unwrap();
        let request = "GET /CP-1 HTTP/1.1\r\nHost: tap\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n";
        charger.write_all(request.as_bytes()).unwrap();
        let ended = charger.read(&mut [0; 64]);
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    let (recording, _) = tap.stop();
    let refused = recording.of_kind(Kind::ConnRefused);
    assert_eq!(refused.len(), 2);
    for fact in refused {
        assert!(fact.note.contains("legacy unreachable"), "{fact:?}");
        assert_eq!(&*fact.charger, "CP-1");
    }
    assert_eq!(recording.of_kind(Kind::ShadowOpened), []);
    recording.verify();
}

#[test]
fn a_recording_that_cannot_be_made_costs_a_gap_and_no_charger() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (legacy(), candidate());
    let setup = Setup::new(dir.path(), &legacy.url(), &candidate.url());
    fs::write(&setup.recording, "a file, not a directory").unwrap();
    let (night, tap) = short_night(&setup, &legacy, |tap| {
        tap.says("REC-003");
        let (well, says) = tap.health();
        assert!(!well, "{says}");
        assert!(tap.metric("evenkeel_frames_lost_total") > 0);
        fs::remove_file(&setup.recording).unwrap();
        tap.records();
    });
    night.assert_contained();
    let (recording, _) = tap.stop();
    let accounting = &recording.verify()["accounting"];
    assert!(
        accounting["frames_in_gaps"].as_u64() > Some(0),
        "{accounting}"
    );
    assert!(
        accounting["frames_recorded"].as_u64() > Some(0),
        "{accounting}"
    );
    night::assert_gaps_are_not_compared(&recording);
}

#[test]
fn what_is_no_recording_exits_2_and_what_was_altered_5() {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["diffs", "verify"] {
        assert_says(
            &evenkeel([verb, text(dir.path())]),
            2,
            &["REC-002", "facts.db", "help: "],
        );
    }
    let recording = recorded(dir.path());
    recording.verify();
    let database = Connection::open(recording.0.join("facts.db")).unwrap();
    let altered = database.execute(
        "DELETE FROM facts WHERE kind = ?1 AND seq > 20",
        [Kind::Message.number()],
    );
    assert!(altered.unwrap() > 0);
    drop(database);
    let output = evenkeel(["verify", text(&recording.0)]);
    assert_says(&output, 5, &[]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("BROKEN"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let recording = recorded(dir.path());
    let place = text(&recording.0);
    for args in [
        ["export", "facts", place].as_slice(),
        &["diffs", place],
        &["diffs", place, "--json"],
        &["verify", place],
        &["init", "--print"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        if args[0] == "export" {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            assert!(line.contains("evenkeel.fact/1"));
        } else {
            drop(stdout);
        }
        let output = child.wait_with_output().unwrap();
        let code = output.status.code().unwrap();
        assert_says(&output, code, &[]);
        assert!(code <= 3, "{args:?} exits {code}");
    }
}

#[test]
fn ctrl_c_ends_a_tap_with_everything_judged() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (legacy(), candidate());
    let setup = Setup::new(dir.path(), &legacy.url(), &candidate.url());
    let tap = Tap::start(&setup);
    let runtime = runtime();
    let shift = runtime.block_on(Shift::begin(&tap.url));
    let (recording, log) = tap.stop();
    drop(shift);
    assert!(
        log.iter()
            .any(|line| line.contains("recording closed and judged")),
        "{log:#?}"
    );
    let verified = recording.verify();
    assert_eq!(verified["ledger"]["judged_facts"], verified["facts"]);
    assert_eq!(verified["accounting"]["open"], 0);
    assert_eq!(recording.of_kind(Kind::TapStopped).len(), 1);
}

#[test]
fn ctrl_c_twice_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut tap = Tap::start(&Setup::new(dir.path(), NOBODY, NOBODY));
    tap.records();
    let shadow = tap.shadow();
    kill_process(shadow, Signal::STOP).unwrap();
    kill_process(tap.pid(), Signal::INT).unwrap();
    tap.says("once more to leave at once");
    assert_eq!(tap.interrupt().code(), Some(130));
    // A kernel may have hung up on it already: it was stopped, and its parent is gone.
    let _ = kill_process(shadow, Signal::KILL);
    eventually("the recording is left", || {
        recorder::claim(&tap.recording().0).unwrap().is_some()
    });
    tap.recording().verify();
}
