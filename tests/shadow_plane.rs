//! Law 3 across restarts: whenever the shadow plane dies, what it missed becomes a gap with the exact count.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use evenkeel::facts::accounting::{Accountant, Accounting};
use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Dir, Leg, Limits, Reader, Recorder};
use evenkeel::live::handover::{Closed, Counters, Flow, Gap, Hello, Opened, Part, Record};
use evenkeel::shadow::plane::{self, Ended, NoLegs, Settings, Table};

/// Tells the shadow plane child, which is this test program again, where to record.
const CHILD: &str = "EVENKEEL_TEST_SHADOW_PLANE";

const PATIENCE: Duration = Duration::from_secs(30);

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

const PING: &[u8] = b"\x89\x80\0\0\0\0";

fn ping(frame: u64) -> Record<'static> {
    Record::Part(Part {
        conn: 1,
        dir: Dir::FromCharger,
        frame,
        at: 3,
        first: true,
        last: true,
        cut: false,
        bytes: PING,
    })
}

fn announced(seen: u64) -> Record<'static> {
    Record::Opened(
        1,
        1,
        Opened {
            peer: "[::1]:1".to_owned(),
            target: "/CP1".to_owned(),
            handshake_us: 1,
            seen: [seen, 0],
            ..Opened::of("CP1", Leg::Legacy)
        },
    )
}

fn hello(restart: u64) -> Record<'static> {
    Record::Hello(Hello {
        run: "r".to_owned(),
        started: 0,
        version: "0".to_owned(),
        restart,
    })
}

/// One life of a shadow plane over the recording in `dir`.
fn live_once(dir: &Path, restart: u64, records: Vec<Record<'_>>) {
    let recorder = Recorder::open(dir, quick()).unwrap();
    let resume = Resume::read(&Reader::open(dir).unwrap()).unwrap();
    let mut table = Table::new(recorder.clone(), NoLegs, (), resume, Settings::default());
    table.take(hello(restart)).unwrap();
    for record in records {
        table.take(record).unwrap();
    }
    recorder.close(PATIENCE).unwrap();
}

#[test]
fn a_restarted_shadow_plane_resumes_from_disk_with_an_exact_gap() {
    let dir = tempfile::tempdir().unwrap();
    let full = Gap {
        first: 2,
        last: 4,
        bytes: 9,
        why: "hand-over full".to_owned(),
    };
    let lives = [
        vec![
            announced(0),
            ping(1),
            Record::Gap(1, Dir::FromCharger, 3, full),
            ping(5),
        ],
        vec![announced(9), Record::Tick(4, Counters::default()), ping(10)],
        vec![announced(10), ping(11)],
        vec![announced(20), Record::Closed(1, 5, end(25))],
    ];
    for (restart, records) in (0..).zip(lives) {
        live_once(dir.path(), restart, records);
    }
    let sum = account(dir.path());
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.connections, sum.closed), (1, 1));
    assert_eq!(
        (sum.seen, sum.recorded, sum.in_gaps),
        (25, 4, 3 + 4 + 9 + 5)
    );
}

fn end(frames: u64) -> Closed {
    let flow = Flow {
        frames,
        ..Flow::default()
    };
    Closed {
        by: "charger".to_owned(),
        how: "fin".to_owned(),
        flows: [flow, Flow::default()],
        goodbye: None,
    }
}

/// Not a test of its own: the process that [`law_3_a_killed_shadow_plane_leaves_exact_gaps`] kills.
#[test]
fn shadow_plane_child() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let recorder = Recorder::open(dir, quick()).unwrap();
    let resume = Resume::read(&Reader::open(dir).unwrap()).unwrap();
    let table = Table::new(recorder.clone(), NoLegs, (), resume, Settings::default());
    let socket: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let socket = UnixStream::from(socket);
    socket.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async {
        let socket = tokio::net::UnixStream::from_std(socket).unwrap();
        plane::run(socket, table).await.unwrap()
    });
    assert_eq!(ended, Ended::Stopped);
    recorder.close(PATIENCE).unwrap();
}

fn spawn(dir: &Path) -> (Child, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "shadow_plane_child", "--nocapture"])
        .env(CHILD, dir)
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (child, near)
}

fn send(socket: &mut UnixStream, records: &[Record<'_>]) {
    let mut bytes = Vec::new();
    for record in records {
        record.encode(&mut bytes);
    }
    socket.write_all(&bytes).unwrap();
}

/// Waits until the recording holds a frame behind `after`, so that the kill hits a plane at work.
fn wait_for_frame(dir: &Path, after: u64) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        assert!(std::time::Instant::now() < deadline, "no frame recorded");
        let newest = Reader::open(dir).and_then(|reader| reader.last_seq());
        if newest.is_ok_and(|seq| seq > after) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn law_3_a_killed_shadow_plane_leaves_exact_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = 0;
    let mut last_seq = 0;
    for restart in 0..12 {
        let (mut child, mut socket) = spawn(dir.path());
        let roll_call = [
            hello(restart),
            announced(seen),
            Record::Tick(4, Counters::default()),
        ];
        send(&mut socket, &roll_call);
        for burst in 0..3 + restart {
            let frames: Vec<Record<'_>> = (1..=40).map(|frame| ping(seen + frame)).collect();
            seen += 40;
            send(&mut socket, &frames);
            if burst == 1 {
                // Four facts come before the first frame: two of the tap, the connection, and the tick or the gap.
                wait_for_frame(dir.path(), last_seq + 4);
            }
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        last_seq = Reader::open(dir.path()).unwrap().last_seq().unwrap();
        // Frames go on while nobody looks.
        seen += restart;
    }
    let (mut child, mut socket) = spawn(dir.path());
    send(
        &mut socket,
        &[
            hello(12),
            announced(seen),
            Record::Tick(4, Counters::default()),
            ping(seen + 1),
            Record::Closed(1, 5, end(seen + 1)),
            Record::Stopping(6),
        ],
    );
    assert!(child.wait().unwrap().success());
    let sum = account(dir.path());
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.connections, sum.closed, sum.seen), (1, 1, seen + 1));
    assert!(sum.recorded > 0 && sum.in_gaps > 0, "{sum:?}");
}
