//! Somebody who reads a recording while it grows, remembers every fact, and compares in the end.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evenkeel::facts::{Fact, Reader};

use super::tap::PATIENCE;

/// What is remembered of a committed fact.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    seq: u64,
    kind: u8,
    at: i64,
    rest: u64,
}

impl Seen {
    fn of(fact: &Fact) -> Self {
        let mut hasher = DefaultHasher::new();
        (&*fact.charger, fact.conn, fact.frame, fact.frames).hash(&mut hasher);
        (fact.cause, fact.leg, fact.dir).hash(&mut hasher);
        (&fact.body, &fact.note).hash(&mut hasher);
        Self {
            seq: fact.seq,
            kind: fact.kind.number(),
            at: fact.at,
            rest: hasher.finish(),
        }
    }
}

/// Follows a recording on a thread of its own.
pub struct Witness {
    recording: PathBuf,
    stop: Arc<AtomicBool>,
    last: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Seen>>,
}

impl Witness {
    /// Begins to follow the recording, which need not exist yet.
    pub fn follow(recording: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let last = Arc::new(AtomicU64::new(0));
        let thread = {
            let (dir, stop, last) = (recording.to_owned(), Arc::clone(&stop), Arc::clone(&last));
            std::thread::spawn(move || watch(&dir, &stop, &last))
        };
        Self {
            recording: recording.to_owned(),
            stop,
            last,
            thread,
        }
    }

    /// The last fact seen.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Compares what was seen with what the recording holds now; says how many facts were remembered.
    pub fn testify(self) -> usize {
        self.stop.store(true, Ordering::Release);
        let seen = self.thread.join().unwrap();
        let reader = Reader::open(&self.recording).unwrap();
        let mut remembered = seen.iter();
        for (expected, fact) in (1..).zip(reader.facts()) {
            let fact = fact.unwrap();
            assert_eq!(fact.seq, expected, "sequence numbers are contiguous");
            if let Some(seen) = remembered.next() {
                assert_eq!(*seen, Seen::of(&fact), "a committed fact was altered");
            }
        }
        assert_eq!(remembered.next(), None, "a committed fact was lost");
        seen.len()
    }
}

/// The same reader stays open over all kills, and a fresh one must open after each.
fn watch(dir: &Path, stop: &AtomicBool, last: &AtomicU64) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let reader = open(dir);
    loop {
        let after = seen.last().map_or(0, |seen| seen.seq);
        let page = reader.read(after, 1_000).unwrap();
        seen.extend(page.iter().map(Seen::of));
        if let Some(fact) = page.last() {
            last.store(fact.seq, Ordering::Release);
        } else if stop.load(Ordering::Acquire) {
            return seen;
        } else {
            // Polling a database file: nothing tells when another process commits.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn open(dir: &Path) -> Reader {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Reader::open(dir) {
            Ok(reader) => return reader,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
