//! Packed facts are the same facts: read, judged and exported as before, never lost, and in a fraction of the room.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use evenkeel::facts::recorder::{self, Shrunk};
use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Reader, Recorder, RecordingError};
use rusqlite::Connection;
use serde_json::{Value, json};

/// Tells the writer child, which is this test program again, where to record.
const CHILD: &str = "EVENKEEL_TEST_PACKING";

const PATIENCE: Duration = Duration::from_secs(30);

/// Facts are packed as soon as they are there: their times are long ago.
fn packing() -> Limits {
    Limits {
        commit_every: Duration::from_millis(2),
        pack_after: Some(Duration::from_millis(1)),
        ..Limits::default()
    }
}

/// Waits for a condition, with a deadline.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn on(kind: Kind, conn: u64, at: i64) -> Fact {
    Fact::new(kind, at).on(&Arc::from(format!("CP{}", conn % 7)), conn)
}

/// What a charger, its backend, the copy for the shadow and its answer leave of meter values, and now and then a rare fact.
fn traffic(number: u64) -> Fact {
    let (conn, at) = (number % 40, number as i64 * 1_000);
    match number % 4 {
        _ if number.is_multiple_of(97) => on(Kind::Quirk, conn, at).note(&json!({"quirk": 3})),
        0 => on(Kind::Message, conn, at)
            .via(Leg::Legacy, Dir::FromCharger)
            .covering(number / 4, 1)
            .body(format!(
                r#"[2,"{:08x}","MeterValues",{{"connectorId":{},"transactionId":{},"meterValue":[{{"timestamp":"2026-03-01T{:02}:{:02}:{:02}Z","sampledValue":[{{"value":"{}.{}","measurand":"Energy.Active.Import.Register","unit":"Wh"}},{{"value":"{}","measurand":"Power.Active.Import","unit":"W"}}]}}]}}]"#,
                number.wrapping_mul(0x9e37_79b9),
                number % 2 + 1,
                number % 1_000,
                number / 3_600 % 24,
                number / 60 % 60,
                number % 60,
                number.wrapping_mul(7_919) % 90_000,
                number % 10,
                number.wrapping_mul(104_729) % 22_000,
            )),
        1 => on(Kind::Message, conn, at)
            .via(Leg::Legacy, Dir::ToCharger)
            .covering(number / 4, 1)
            .body(format!(r#"[3,"{:08x}",{{}}]"#, (number - 1).wrapping_mul(0x9e37_79b9))),
        2 => on(Kind::ShadowSent, conn, at)
            .via(Leg::Candidate, Dir::FromCharger)
            .because(number - 2)
            .note(&json!({"id": format!("{number:08x}"), "action": "MeterValues", "rewrites": [], "queued_us": number % 900})),
        _ => on(Kind::ShadowReceived, conn, at)
            .via(Leg::Candidate, Dir::ToCharger)
            .because(number - 1)
            .body(vec![0xff; (number % 60) as usize]),
    }
}

fn record(dir: &Path, limits: Limits, numbers: std::ops::RangeInclusive<u64>) {
    let recorder = Recorder::open(dir, limits).unwrap();
    for number in numbers {
        assert_eq!(recorder.record(traffic(number)), Some(number));
    }
    recorder.close(PATIENCE).unwrap();
}

fn facts(reader: &Reader) -> Vec<Fact> {
    reader.facts().collect::<Result<_, _>>().unwrap()
}

fn pack(dir: &Path) -> Shrunk {
    recorder::pack(dir, &mut |_| {}).unwrap()
}

fn blocks(dir: &Path) -> u64 {
    let database = Connection::open(dir.join("facts.db")).unwrap();
    let sql = "SELECT count(*) FROM packed";
    database
        .query_row(sql, [], |row| row.get::<_, i64>(0))
        .unwrap() as u64
}

/// Bytes of the database, whether they lie in its file or still in its log.
fn pages(dir: &Path) -> u64 {
    let database = Connection::open(dir.join("facts.db")).unwrap();
    let number = |name| -> i64 {
        database
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    };
    (number("page_count") * number("page_size")) as u64
}

#[test]
fn packed_facts_are_read_as_before_in_a_fraction_of_the_room() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), Limits::default(), 1..=20_000);
    // Opened before there is anything packed, and asked afterwards as well.
    let reader = Reader::open(dir.path()).unwrap();
    let before = facts(&reader);
    assert_eq!(before.len(), 20_000);
    let shrunk = pack(dir.path());
    println!("{shrunk:?}");
    let rare = before
        .iter()
        .filter(|fact| fact.kind == Kind::Quirk)
        .count() as u64;
    assert_eq!(
        shrunk.facts,
        19_999 - rare,
        "all but the newest and the rare ones"
    );
    assert!(shrunk.packed * 5 < shrunk.bytes, "{shrunk:?}");
    assert!(shrunk.file.1 * 4 < shrunk.file.0, "{shrunk:?}");

    assert!(facts(&reader) == before, "the same facts in the same order");
    assert_eq!(reader.last_seq().unwrap(), 20_000);
    for seq in [1, 2, 97, 500, 19_999, 20_000] {
        assert_eq!(
            reader.by_seq(seq).unwrap().as_ref(),
            before.get(seq as usize - 1)
        );
    }
    for absent in [0, 20_001, u64::MAX >> 1] {
        assert_eq!(reader.by_seq(absent).unwrap(), None);
    }
    for (after, limit) in [(0, 1), (95, 4), (1_234, 777), (19_000, 5_000), (20_000, 9)] {
        let page = reader.read(after, limit).unwrap();
        let expected = &before[after as usize..before.len().min(after as usize + limit)];
        assert!(page == expected, "{limit} behind {after}");
    }
    for kind in [
        Kind::Message,
        Kind::Quirk,
        Kind::ShadowReceived,
        Kind::Control,
    ] {
        let found = reader.of_kind(kind, 3_000, 2_000).unwrap();
        let expected = before[3_000..].iter().filter(|fact| fact.kind == kind);
        assert!(found.iter().eq(expected.take(2_000)), "{kind}");
    }
    let again = pack(dir.path());
    assert_eq!((again.facts, again.file.0), (0, again.file.1));
}

#[test]
fn a_recording_of_a_version_that_packed_nothing_still_opens() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), Limits::default(), 1..=5_000);
    let old = Connection::open(dir.path().join("facts.db")).unwrap();
    old.execute_batch("DROP TABLE packed; DROP TABLE dictionaries")
        .unwrap();
    drop(old);
    let reader = Reader::open(dir.path()).unwrap();
    let before = facts(&reader);
    assert_eq!(reader.by_seq(9_999).unwrap(), None);
    record(dir.path(), packing(), 5_001..=5_001);
    assert!(pack(dir.path()).facts > 1_000);
    let after = facts(&reader);
    assert!(
        after[..5_000] == before,
        "a reader from before finds them, too"
    );
    let format = |path: &Path| -> i64 {
        let database = Connection::open(path.join("facts.db")).unwrap();
        database
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    };
    assert_eq!(
        format(dir.path()),
        2,
        "a program that cannot unpack refuses it"
    );
}

#[test]
fn a_recorder_packs_what_is_old_while_it_records_and_the_room_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), packing()).unwrap();
    let size = || pages(dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    let mut sizes = Vec::new();
    for wave in 0..4 {
        for number in wave * 10_000 + 1..=(wave + 1) * 10_000 {
            assert_eq!(recorder.record(traffic(number)), Some(number));
        }
        let mut read = 0;
        until("the wave is packed", || {
            for fact in reader.read(read, 1_000).unwrap() {
                assert_eq!(fact.seq, read + 1, "whole at any moment");
                assert_eq!(fact.body, traffic(fact.seq).body);
                read = fact.seq;
            }
            let rows = Connection::open(dir.path().join("facts.db")).unwrap();
            let left: i64 = rows
                .query_row("SELECT count(*) FROM facts", [], |row| row.get(0))
                .unwrap();
            read == (wave + 1) * 10_000 && left < 4_000
        });
        sizes.push(size());
    }
    recorder.close(PATIENCE).unwrap();
    sizes.push(size());
    println!("facts.db after each wave of 10,000 facts: {sizes:?}");
    let twin = tempfile::tempdir().unwrap();
    record(twin.path(), Limits::default(), 1..=40_000);
    let unpacked = pages(twin.path());
    println!("without packing: {unpacked}");
    assert!(sizes[4] * 2 < unpacked, "{sizes:?} and {unpacked}");
    assert!(blocks(dir.path()) > 10);
    let (packed, plain) = (Reader::open(dir.path()), Reader::open(twin.path()));
    assert!(facts(&packed.unwrap()) == facts(&plain.unwrap()));
}

#[test]
fn a_restart_knows_the_same_after_packing() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
    let charger: Arc<str> = Arc::from("CP-OWED");
    let mut seq = 0;
    let mut put = |fact: Fact| {
        seq += 1;
        assert_eq!(recorder.record(fact.on(&charger, 900)), Some(seq));
    };
    put(Fact::new(Kind::TapStarted, 1).note(&json!({"run": "r"})));
    put(Fact::new(Kind::ConnOpened, 2).note(&json!({"subprotocol": "ocpp1.6"})));
    let up = |at: i64, text: &str| {
        Fact::new(Kind::Message, at)
            .via(Leg::Legacy, Dir::FromCharger)
            .covering(at as u64, 1)
            .body(text)
    };
    put(up(
        3,
        r#"[2,"b","BootNotification",{"chargePointModel":"x"}]"#,
    ));
    put(up(
        4,
        r#"[2,"s","StatusNotification",{"connectorId":1,"status":"Charging"}]"#,
    ));
    for number in 0..6_000 {
        let id = format!("m{number}");
        put(up(
            10 + number,
            &format!(
                r#"[2,"{id}","MeterValues",{{"connectorId":1,"transactionId":5,"meterValue":[]}}]"#
            ),
        ));
        if number % 100 != 0 {
            let answer = up(10 + number, &format!(r#"[3,"{id}",{{}}]"#));
            put(answer.via(Leg::Legacy, Dir::ToCharger));
        }
    }
    recorder.close(PATIENCE).unwrap();
    let read = || Resume::read(&Reader::open(dir.path()).unwrap()).unwrap();
    let before = read();
    assert_eq!(before.undelivered.len(), 6_000);
    assert!(pack(dir.path()).facts > 11_000);
    let after = read();
    assert!(after.undelivered == before.undelivered);
    assert_eq!(after.chargers, before.chargers);
    assert_eq!(after.chargers["CP-OWED"].statuses.len(), 1);
    assert_eq!(
        (after.open, after.last_conn),
        (before.open, before.last_conn)
    );
}

#[test]
fn a_damaged_block_is_an_error_and_no_other_facts() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), Limits::default(), 1..=5_000);
    pack(dir.path());
    let database = Connection::open(dir.path().join("facts.db")).unwrap();
    let last: i64 = database
        .query_row("SELECT min(last) FROM packed", [], |row| row.get(0))
        .unwrap();
    let mut block: Vec<u8> = database
        .query_row("SELECT block FROM packed WHERE last = ?1", [last], |row| {
            row.get(0)
        })
        .unwrap();
    let middle = block.len() / 2;
    block[middle] ^= 1;
    database
        .execute(
            "UPDATE packed SET block = ?1 WHERE last = ?2",
            rusqlite::params![block, last],
        )
        .unwrap();
    drop(database);
    let reader = Reader::open(dir.path()).unwrap();
    assert!(matches!(reader.by_seq(1), Err(RecordingError::Damaged(seq)) if seq == last as u64));
    assert!(reader.read(0, 10).is_err());
    assert_eq!(
        reader.read(last as u64, 10).unwrap().len(),
        10,
        "the rest can be read"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["export", "facts"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("REC-005"));
}

/// Runs the program on a recording.
fn run(args: &[&str], dir: &Path, ends: i32) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .arg(dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(ends), "{args:?}: {output:?}");
    output.stdout
}

#[test]
fn a_packed_night_is_judged_to_the_same_digest_and_exported_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("demo");
    run(
        &[
            "demo",
            "--headless",
            "--for",
            "3s",
            "--seed",
            "7",
            "--json",
            "--recording",
        ],
        &dir,
        1,
    );
    let exported = run(&["export", "facts"], &dir, 0);
    let verified = run(&["verify", "--json"], &dir, 0);
    let diffs = run(&["diffs", "--json"], &dir, 1);
    let packed: Value = serde_json::from_slice(&run(&["pack", "--json"], &dir, 0)).unwrap();
    println!("{packed}");
    assert!(packed["facts"].as_u64() > Some(300), "{packed}");
    assert!(packed["file_bytes_after"].as_u64() < packed["file_bytes_before"].as_u64());
    assert!(
        run(&["export", "facts"], &dir, 0) == exported,
        "the same bytes"
    );
    assert!(
        run(&["verify", "--json"], &dir, 0) == verified,
        "the same digest"
    );
    fs::remove_file(dir.join("ledger.db")).unwrap();
    assert!(
        run(&["diffs", "--json"], &dir, 1) == diffs,
        "judged anew from blocks"
    );
}

/// Not a test of its own: the process that [`law_8_nothing_is_lost_by_a_kill_while_facts_are_packed`] kills.
#[test]
fn writer_child() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let recorder = Recorder::open(Path::new(&dir), packing()).unwrap();
    let mut committed = recorder.committed();
    let mut seq = *committed.borrow_and_update();
    let mut out = std::io::stdout();
    loop {
        seq += 1;
        assert_eq!(recorder.record(traffic(seq)), Some(seq));
        if committed.has_changed().unwrap() {
            writeln!(out, "\ncommitted {}", *committed.borrow_and_update()).unwrap();
        }
        until("the disk keeps up", || *committed.borrow() + 3_000 > seq);
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
fn law_8_nothing_is_lost_by_a_kill_while_facts_are_packed() {
    let dir = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for round in 1..=8_u64 {
        let mut child = spawn_writer(dir.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut reports =
            lines.filter_map(|line| line.ok()?.strip_prefix("committed ")?.parse::<u64>().ok());
        let wanted = checked + 1_500 + round * 911 % 2_500;
        let before = reports.by_ref().find(|seq| *seq >= wanted).unwrap();
        child.kill().unwrap();
        assert_eq!(
            child.wait().unwrap().signal(),
            Some(9),
            "round {round}: it really fired"
        );
        let promised = reports.last().unwrap_or(before);
        let reader = Reader::open(dir.path()).unwrap();
        let last = reader.last_seq().unwrap();
        assert!(
            last >= promised,
            "round {round}: promised {promised}, found {last}"
        );
        let mut after = 0;
        for fact in reader.facts() {
            let fact = fact.unwrap();
            assert_eq!(fact.seq, after + 1, "round {round}: numbers are contiguous");
            let expected = Fact {
                seq: fact.seq,
                ..traffic(fact.seq)
            };
            assert!(fact == expected, "round {round}: {fact:?}");
            after = fact.seq;
        }
        assert_eq!(after, last);
        checked = last;
    }
    println!(
        "{checked} facts, {} blocks after 8 kills",
        blocks(dir.path())
    );
    assert!(blocks(dir.path()) > 8);
}
