use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::*;
use crate::facts::accounting::Accounting;
use crate::facts::resume::{OpenConn, Resume};
use crate::facts::{Fact, Flow, Kind, Recorder};
use crate::live::handover::{Closed, Counters, Gap, Hello, Opened, Part, Record};

/// Legs that write down what they are told.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<String>>>);

impl Diary {
    fn write(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl LegHost for Diary {
    fn opened(&self, conn: &ConnInfo) {
        self.write(format!("opened {} resumed={}", conn.conn, conn.resumed));
    }
    fn message(&self, conn: u64, dir: Dir, seq: u64, _: Micros, text: &Arc<str>) {
        self.write(format!("message {conn} {} {seq} {text}", dir.word()));
    }
    fn gap(&self, conn: u64, dir: Dir) {
        self.write(format!("gap {conn} {}", dir.word()));
    }
    fn closed(&self, conn: u64, _: Micros) {
        self.write(format!("closed {conn}"));
    }
    fn stopping(&self) {
        self.write("stopping".to_owned());
    }
}

/// A board with one count for every connection, or with none.
struct Board(Option<[u64; 2]>);

impl SeenCounts for Board {
    fn seen(&self, _: u32, _: u64) -> Option<[u64; 2]> {
        self.0
    }
}

fn hello(run: &str, restart: u64) -> Record<'static> {
    Record::Hello(Hello {
        run: run.to_owned(),
        started: 1,
        version: "0".to_owned(),
        restart,
    })
}

fn opened(conn: u64, seen: [u64; 2]) -> Record<'static> {
    Record::Opened(
        conn,
        2,
        Opened {
            peer: "[::1]:1".to_owned(),
            target: "/CP1".to_owned(),
            offered: Some("ocpp1.6".to_owned()),
            subprotocol: Some("ocpp1.6".to_owned()),
            handshake_us: 9,
            seen,
            slot: conn as u32,
            ..Opened::of("CP1", Leg::Legacy)
        },
    )
}

fn part(conn: u64, frame: u64, bytes: &[u8]) -> Record<'_> {
    Record::Part(Part {
        conn,
        dir: Dir::FromCharger,
        frame,
        at: 3,
        first: true,
        last: true,
        cut: false,
        bytes,
    })
}

fn closed(conn: u64, frames: [u64; 2]) -> Record<'static> {
    let flow = |frames| Flow {
        frames,
        ..Flow::default()
    };
    Record::Closed(
        conn,
        4,
        Closed {
            by: "charger".to_owned(),
            how: "fin".to_owned(),
            flows: frames.map(flow),
            goodbye: None,
        },
    )
}

fn tick() -> Record<'static> {
    Record::Tick(5, Counters::default())
}

const FRAME: &[u8] = b"\x81\x82\0\0\0\0{}";

fn take(table: &mut Table<Diary, Board>, records: Vec<Record<'_>>) {
    for record in records {
        table.take(record).unwrap();
    }
}

fn table(
    board: impl Into<Option<[u64; 2]>>,
    resume: Resume,
) -> (Table<Diary, Board>, Recorder, Diary) {
    let (recorder, diary) = (Recorder::in_memory(), Diary::default());
    let table = Table::new(
        recorder.clone(),
        diary.clone(),
        Board(board.into()),
        resume,
        Settings::default(),
    );
    (table, recorder, diary)
}

/// What a second shadow plane would resume from, had it these facts on disk.
fn resume_from(facts: &[Fact], run: &str) -> Resume {
    let mut resume = Resume {
        last_run: Some(run.to_owned()),
        ..Resume::default()
    };
    for fact in facts {
        if fact.kind == Kind::ConnOpened {
            let opened = fact.clone();
            let accounted = [0, 0];
            resume
                .open
                .insert(fact.conn, OpenConn { opened, accounted });
        }
        if let (Some(dir), Some(conn)) = (fact.accounts_for(), resume.open.get_mut(&fact.conn)) {
            conn.accounted[dir.index()] += fact.frames;
        }
        if fact.kind == Kind::ConnClosed {
            resume.open.remove(&fact.conn);
            resume.closed.insert(fact.conn);
        }
    }
    resume
}

fn joined(mut before: Vec<Fact>, after: Vec<Fact>) -> Vec<Fact> {
    before.extend(after);
    for (index, fact) in before.iter_mut().enumerate() {
        fact.seq = index as u64 + 1;
    }
    before
}

#[test]
fn records_become_facts_and_reach_the_legs() {
    let (mut table, recorder, diary) = table([0, 0], Resume::default());
    let gap = Gap {
        first: 2,
        last: 3,
        bytes: 9,
        why: "hand-over full".to_owned(),
    };
    take(
        &mut table,
        vec![
            hello("r", 0),
            tick(),
            opened(1, [0, 0]),
            part(1, 1, FRAME),
            Record::Gap(1, Dir::FromCharger, 3, gap),
            closed(1, [3, 0]),
        ],
    );
    assert_eq!(
        table.take(Record::Stopping(6)).unwrap(),
        Some(Ended::Stopped)
    );
    table.conclude();
    let facts = recorder.facts();
    let kinds: Vec<Kind> = facts.iter().map(|fact| fact.kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::TapStarted,
            Kind::PlaneStarted,
            Kind::Tick,
            Kind::ConnOpened,
            Kind::Message,
            // An object is no envelope.
            Kind::Quirk,
            Kind::Gap,
            Kind::ConnClosed,
            Kind::TapStopped,
        ]
    );
    assert!(Accounting::of(&facts).is_whole());
    assert_eq!(
        diary.lines(),
        [
            "opened 1 resumed=false",
            "message 1 from-charger 5 {}",
            "gap 1 from-charger",
            "closed 1",
            "stopping",
        ]
    );
}

#[test]
fn a_restarted_shadow_plane_writes_exact_gaps_and_hears_only_of_the_living() {
    let (mut first, recorder, _) = table([0, 0], Resume::default());
    take(
        &mut first,
        vec![
            hello("r", 0),
            opened(1, [0, 0]),
            opened(2, [0, 0]),
            opened(3, [0, 0]),
            opened(4, [0, 0]),
            part(1, 1, FRAME),
            part(2, 1, FRAME),
            closed(4, [0, 0]),
        ],
    );
    let before = recorder.facts();

    // Connection 2 ended meanwhile and 4 before; both are told again. 3 ended and nobody could tell.
    let (mut second, recorder, diary) = table([6, 0], resume_from(&before, "r"));
    take(
        &mut second,
        vec![
            hello("r", 1),
            opened(2, [5, 1]),
            closed(2, [5, 1]),
            opened(4, [0, 0]),
            closed(4, [0, 0]),
            opened(1, [4, 0]),
            tick(),
            part(1, 4, FRAME),
            part(1, 5, FRAME),
            closed(1, [5, 0]),
        ],
    );
    let facts = joined(before, recorder.facts());
    let sum = Accounting::of(&facts);
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.connections, sum.closed, sum.open), (4, 4, 0));
    assert_eq!((sum.recorded, sum.in_gaps), (3, 3 + 4 + 1 + 6));
    let gap = facts
        .iter()
        .find(|fact| fact.kind == Kind::Gap && fact.conn == 1)
        .unwrap()
        .note_json();
    assert_eq!(
        (gap["first"].as_u64(), gap["last"].as_u64()),
        (Some(2), Some(4))
    );
    assert_eq!(gap["why"], "shadow plane away");
    assert_eq!(
        diary.lines()[..2],
        ["opened 1 resumed=true", "message 1 from-charger 9 {}"]
    );
}

#[test]
fn a_killed_live_plane_leaves_exact_counts() {
    let (mut table, recorder, diary) = table([3, 2], Resume::default());
    take(
        &mut table,
        vec![hello("r", 0), opened(1, [0, 0]), part(1, 1, FRAME)],
    );
    table.killed();
    let facts = recorder.facts();
    let sum = Accounting::of(&facts);
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.seen, sum.recorded, sum.in_gaps), (5, 1, 4));
    let note = facts.last().unwrap().note_json();
    assert_eq!(
        (note["how"].as_str(), &note["flows"]),
        (Some("killed"), &Value::Null)
    );
    assert_eq!(diary.lines().last().map(String::as_str), Some("stopping"));
}

#[test]
fn connections_of_an_earlier_run_are_buried() {
    let (mut first, recorder, _) = table([0, 0], Resume::default());
    take(&mut first, vec![hello("r", 0), opened(1, [0, 0])]);
    let before = recorder.facts();
    let (mut second, recorder, _) = table(None, resume_from(&before, "r"));
    take(
        &mut second,
        vec![hello("s", 0), tick(), opened(2, [0, 0]), closed(2, [0, 0])],
    );
    let sum = Accounting::of(&joined(before, recorder.facts()));
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.closed, sum.uncounted, sum.open), (1, 1, 0));
}

#[test]
fn a_board_that_an_earlier_run_left_gives_exact_counts() {
    let (mut first, recorder, _) = table([0, 0], Resume::default());
    take(
        &mut first,
        vec![hello("r", 0), tick(), opened(1, [0, 0]), part(1, 1, FRAME)],
    );
    let before = recorder.facts();
    let (second, recorder, _) = table(None, resume_from(&before, "r"));
    let mut second = second.with_left(Board(Some([5, 2])));
    take(&mut second, vec![hello("s", 0), tick()]);
    let sum = Accounting::of(&joined(before, recorder.facts()));
    assert!(sum.is_whole(), "{sum:?}");
    assert_eq!((sum.closed, sum.uncounted), (1, 0));
    assert_eq!((sum.seen, sum.recorded, sum.in_gaps), (7, 1, 6));
}

#[tokio::test(flavor = "current_thread")]
async fn the_loop_reads_any_split_answers_with_status_and_notices_the_end() {
    let (table, recorder, _) = table([1, 0], Resume::default());
    let (mut near, far) = UnixStream::pair().unwrap();
    let mut bytes = Vec::new();
    for record in [hello("r", 0), tick(), opened(1, [0, 0]), part(1, 1, FRAME)] {
        record.encode(&mut bytes);
    }
    let speak = async {
        for piece in bytes.chunks(7) {
            near.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let (read, _) = near.split();
        let mut line = String::new();
        BufReader::new(read).read_line(&mut line).await.unwrap();
        drop(near);
        line
    };
    let (ended, line) = tokio::join!(run(far, table), speak);
    assert_eq!(ended.unwrap(), Ended::Killed);
    let status: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(status["state"], "recording");
    assert!(Accounting::of(&recorder.facts()).is_whole());
}

#[test]
fn a_stream_without_hello_is_refused() {
    let (mut table, ..) = table([0, 0], Resume::default());
    assert!(matches!(table.take(tick()), Err(PlaneError::NoHello)));
}
