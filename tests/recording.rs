//! Law 8: what was recorded stays recorded. Law 3: frames seen are frames recorded plus frames in gaps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::facts::accounting::{Accountant, Accounting};
use evenkeel::facts::recorder::State;
use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Reader, Recorder, RecordingError};
use serde_json::json;

/// Tells the writer child, which is this test program again, where to record.
const CHILD: &str = "EVENKEEL_TEST_RECORDING";

const PATIENCE: Duration = Duration::from_secs(30);

fn message(conn: u64, frame: u64, body: impl Into<Vec<u8>>) -> Fact {
    Fact::new(Kind::Message, frame as i64)
        .on(&Arc::from("CP1"), conn)
        .via(Leg::Legacy, Dir::FromCharger)
        .covering(frame, 1)
        .body(body)
}

fn opened(conn: u64) -> Fact {
    Fact::new(Kind::ConnOpened, 0)
        .on(&Arc::from("CP1"), conn)
        .note(&json!({"subprotocol": "ocpp1.6", "slot": 3}))
}

fn closed(conn: u64, frames: u64) -> Fact {
    Fact::new(Kind::ConnClosed, 0)
        .on(&Arc::from("CP1"), conn)
        .note(&json!({"by": "tap", "how": "killed", "flows": null, "seen": [frames, 0]}))
}

fn quick() -> Limits {
    Limits {
        commit_every: Duration::from_millis(2),
        ..Limits::default()
    }
}

fn account(dir: &Path) -> Accounting {
    let mut accountant = Accountant::default();
    for fact in Reader::open(dir).unwrap().facts() {
        accountant.add(&fact.unwrap());
    }
    accountant.finish()
}

/// Waits for a condition, with a deadline.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The body that the fact of this number must have.
fn expected_body(seq: u64) -> Vec<u8> {
    let word = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{seq}:{word:016x}")
        .repeat(1 + (word % 12) as usize)
        .into_bytes()
}

/// Not a test of its own: the process that [`law_8_what_was_recorded_stays_recorded`] kills.
#[test]
fn writer_child() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let recorder = Recorder::open(Path::new(&dir), quick()).unwrap();
    let mut committed = recorder.committed();
    let mut seq = *committed.borrow_and_update();
    let mut out = std::io::stdout();
    loop {
        let next = recorder.record(message(1, seq + 1, expected_body(seq + 1)));
        seq = next.unwrap_or(seq);
        assert_eq!(next, Some(seq));
        if seq.is_multiple_of(97) {
            recorder.urge();
        }
        if committed.has_changed().unwrap() {
            writeln!(out, "\ncommitted {}", *committed.borrow_and_update()).unwrap();
        }
        until("the disk keeps up", || *committed.borrow() + 1_000 > seq);
    }
}

fn spawn_writer(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_child", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn law_8_what_was_recorded_stays_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for round in 1..=20u64 {
        let mut child = spawn_writer(dir.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut reports = lines.filter_map(|line| {
            let line = line.ok()?;
            Some(line.strip_prefix("committed ")?.parse::<u64>().unwrap())
        });
        let wanted = round * 7 % 11;
        let before = reports.by_ref().take(1 + wanted as usize).last();
        child.kill().unwrap();
        let signal = child.wait().unwrap().signal();
        assert_eq!(signal, Some(9), "round {round}: the fault really fired");
        // What it still managed to say before it died counts as well.
        let promised = reports.last().or(before).unwrap();

        let reader = Reader::open(dir.path()).unwrap();
        let last = reader.last_seq().unwrap();
        assert!(
            last >= promised,
            "round {round}: promised {promised}, found {last}"
        );
        let mut after = checked;
        loop {
            let page = reader.read(after, 5_000).unwrap();
            for fact in &page {
                assert_eq!(fact.seq, after + 1, "round {round}: numbers are contiguous");
                assert_eq!(fact.body, expected_body(fact.seq), "round {round}");
                after = fact.seq;
            }
            if page.is_empty() {
                break;
            }
        }
        assert_eq!(after, last);
        checked = last;
    }
}

#[test]
fn law_3_a_full_queue_loses_nothing_uncounted() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        queue_bytes: 20_000,
        ..quick()
    };
    let recorder = Recorder::open(dir.path(), limits).unwrap();
    let mut refused = 0;
    for conn in 1..=5 {
        recorder.record(opened(conn)).unwrap();
    }
    for frame in 1..=4_000 {
        for conn in 1..=5 {
            refused += u64::from(recorder.record(message(conn, frame, "[]")).is_none());
        }
    }
    for conn in 1..=5 {
        recorder.record(closed(conn, 4_000)).unwrap();
    }
    recorder.close(PATIENCE).unwrap();
    let counters = recorder.counters();
    assert_eq!(counters.queued, 0);
    assert_eq!(counters.seen, counters.committed + counters.lost_facts);
    assert_eq!(counters.lost_frames, refused);
    let sum = account(dir.path());
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.closed, sum.seen, sum.in_gaps), (5, 20_000, refused));
    assert!(refused > 0, "the queue was never full");
    assert_eq!(recorder.state(), State::Closed);
}

#[test]
fn a_full_disk_is_waited_out() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        queue_bytes: 200_000,
        max_bytes: Some(400_000),
        ..quick()
    };
    let recorder = Recorder::open(dir.path(), limits).unwrap();
    recorder.record(opened(1)).unwrap();
    let mut frames = 0;
    until("the disk is full", || {
        frames += 1;
        recorder.record(message(1, frames, vec![b'1'; 2_000]));
        matches!(recorder.state(), State::NotCommitting(_))
    });
    let stuck = *recorder.committed().borrow();
    for _ in 0..500 {
        frames += 1;
        recorder.record(message(1, frames, vec![b'2'; 2_000]));
    }
    recorder.record(closed(1, frames)).unwrap();
    assert!(
        recorder.counters().lost_frames > 0,
        "the queue was never full"
    );
    assert_eq!(*recorder.committed().borrow(), stuck);

    recorder.set_max_bytes(None);
    until("it commits again", || {
        *recorder.committed().borrow() > stuck
    });
    recorder.close(PATIENCE).unwrap();
    let sum = account(dir.path());
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.closed, sum.seen), (1, frames));
}

#[test]
fn a_second_recorder_is_refused_and_a_later_one_goes_on_counting() {
    let dir = tempfile::tempdir().unwrap();
    let first = Recorder::open(dir.path(), quick()).unwrap();
    assert_eq!(first.record(opened(1)), Some(1));
    let hasty = Limits {
        lock_wait: Duration::from_millis(30),
        ..quick()
    };
    let refused = Recorder::open(dir.path(), hasty);
    assert!(
        matches!(&refused, Err(RecordingError::Locked { holder, .. })
            if *holder == format!("process {}", std::process::id())),
        "{:?}",
        refused.err()
    );
    // A recorder that is merely let go drains by itself, and its successor waits for it.
    drop(first);
    let second = Recorder::open(dir.path(), quick()).unwrap();
    assert_eq!(second.record(opened(2)), Some(2));
    second.close(PATIENCE).unwrap();
    assert_eq!(Reader::open(dir.path()).unwrap().last_seq().unwrap(), 2);
}

#[test]
fn files_are_private_and_foreign_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("night");
    let recorder = Recorder::open(&recording, quick()).unwrap();
    recorder.record(opened(1));
    let seq = recorder.record(opened(2)).unwrap();
    until("committed", || *recorder.committed().borrow() >= seq);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&recording), 0o700);
    for entry in fs::read_dir(&recording).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }

    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(
        foreign.join("facts.db"),
        "a shopping list, and a long one ".repeat(99),
    )
    .unwrap();
    let refused = Recorder::open(&foreign, quick());
    assert!(matches!(refused, Err(RecordingError::Foreign(_))));
    assert!(Reader::open(&foreign).is_err());
    assert!(
        Reader::open(dir.path()).is_err(),
        "there is no recording here"
    );
}

#[test]
fn a_replaced_file_is_noticed_and_recording_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), quick()).unwrap();
    let seq = recorder.record(message(1, 1, "[]")).unwrap();
    until("committed", || *recorder.committed().borrow() >= seq);
    fs::create_dir(dir.path().join("aside")).unwrap();
    for name in ["facts.db", "facts.db-wal", "facts.db-shm"] {
        let _ = fs::rename(dir.path().join(name), dir.path().join("aside").join(name));
    }
    let seq = recorder.record(message(1, 2, "[]")).unwrap();
    until("committed", || *recorder.committed().borrow() >= seq);
    recorder.close(PATIENCE).unwrap();
    let facts: Vec<Fact> = Reader::open(dir.path())
        .unwrap()
        .facts()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!((facts[0].seq, facts[0].frame), (2, 2));
    assert_eq!(facts[1].note_json()["why"], "recording replaced");
}

#[test]
fn a_restart_finds_open_connections_identifiers_and_landmarks() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), quick()).unwrap();
    let boot = r#"[2,"1","BootNotification",{"chargePointModel":"x"}]"#;
    let old = r#"[2,"2","StatusNotification",{"connectorId":1,"status":"Available"}]"#;
    let new = r#"[2,"3","StatusNotification",{"connectorId":1,"status":"Charging"}]"#;
    let learned = Fact::new(Kind::IdentifierLearned, 0)
        .on(&Arc::from("CP1"), 2)
        .note(&json!({"class": "transactionId", "authority": "123", "shadow": "7"}));
    let gap = Fact::new(Kind::Gap, 0)
        .on(&Arc::from("CP1"), 2)
        .via(Leg::Legacy, Dir::ToCharger)
        .covering(9, 9);
    let facts = [
        Fact::new(Kind::TapStarted, 0).note(&json!({"run": "r"})),
        opened(1),
        message(1, 1, boot),
        closed(1, 1),
        opened(2),
        message(2, 1, old),
        message(2, 2, new),
        learned,
        gap,
    ];
    for fact in facts {
        recorder.record(fact).unwrap();
    }
    recorder.close(PATIENCE).unwrap();

    let resume = Resume::read(&Reader::open(dir.path()).unwrap()).unwrap();
    assert_eq!(resume.open.keys().collect::<Vec<_>>(), [&2]);
    assert_eq!(resume.open[&2].accounted, [2, 9]);
    assert_eq!(resume.last_conn, 2);
    assert_eq!(resume.last_run.as_deref(), Some("r"));
    assert!(resume.closed.contains(&1));
    assert_eq!(resume.learned["CP1"][0].shadow, "7");
    let remembered = &resume.chargers["CP1"];
    let text = |fact: &Fact| fact.text().unwrap().to_owned();
    assert_eq!(remembered.boot.as_ref().map(text).as_deref(), Some(boot));
    assert_eq!(remembered.boot_subprotocol.as_deref(), Some("ocpp1.6"));
    let statuses: Vec<String> = remembered.statuses.iter().map(text).collect();
    assert_eq!(statuses, [new]);
}

#[test]
fn kinds_are_found_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), quick()).unwrap();
    for conn in 1..=3 {
        recorder.record(opened(conn)).unwrap();
        recorder.record(message(conn, 1, "[]")).unwrap();
    }
    recorder.close(PATIENCE).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let found = reader.of_kind(Kind::ConnOpened, 1, 9).unwrap();
    let conns: Vec<u64> = found.iter().map(|fact| fact.conn).collect();
    assert_eq!(conns, [2, 3]);
    assert_eq!(reader.by_seq(2).unwrap().unwrap().kind, Kind::Message);
    assert_eq!(reader.by_seq(99).unwrap(), None);
}

#[test]
fn a_recording_is_free_as_soon_as_its_recorder_has_closed() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let recorder = Recorder::open(dir.path(), quick()).unwrap();
        recorder.record(opened(round));
        recorder.close(PATIENCE).unwrap();
        let claim = evenkeel::facts::recorder::claim(dir.path()).unwrap();
        assert!(claim.is_some(), "round {round}");
    }
}
