//! The recorder: one writer thread behind a bounded queue.
//!
//! Sequence numbers are given when a fact is accepted, so a fact may be referred to before it is on disk; what depends
//! on the disk waits for [`Recorder::committed`]. When the queue is full the frame traffic is refused, counted per
//! connection and direction, and confessed as gap facts; rare facts have a reserve. A disk that fails is retried for
//! ever with the same facts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Fact;
use super::redact::Redactor;
use super::store::{self, Store};

mod lock;
mod packing;
mod queue;
mod recent;
mod writer;

use lock::take_lock;
pub use lock::{Claim, claim};
use packing::Packing;
pub use packing::{Shrunk, pack};
use queue::Queue;
pub use recent::Follower;
use recent::Recent;
use writer::Writer;

/// How much the recorder may hold, and how soon it commits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of facts that wait for the disk; frame traffic beyond is refused and becomes a gap.
    pub queue_bytes: usize,
    /// Bytes beyond `queue_bytes` for rare facts: connections, identifiers, decisions.
    pub reserve_bytes: usize,
    /// The longest a fact waits for others before the commit begins.
    pub commit_every: Duration,
    /// How long to wait for another recorder to leave the recording: an old shadow plane may be draining.
    pub lock_wait: Duration,
    /// The size in bytes that `facts.db` may grow to; `None` for as much as the disk has.
    pub max_bytes: Option<u64>,
    /// How old facts are when they are packed; `None` never packs any.
    pub pack_after: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_bytes: 64 << 20,
            reserve_bytes: 8 << 20,
            commit_every: Duration::from_millis(100),
            lock_wait: Duration::from_secs(10),
            max_bytes: None,
            pack_after: None,
        }
    }
}

/// Why a recording cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The operation.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another recorder has the recording.
    #[error("recording {} is in use by {holder}", path.display())]
    Locked {
        /// The recording's directory.
        path: PathBuf,
        /// Who holds it, as far as the lock file says.
        holder: String,
    },
    /// The file is a database of something else.
    #[error("{} is not a recording; move it aside", .0.display())]
    Foreign(PathBuf),
    /// The recording was made by another version of this program.
    #[error("{} has format {format}, which this version does not read", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format number.
        format: i64,
    },
    /// The linked SQLite may corrupt a recording.
    #[error("SQLite {0} has the WAL-reset race; 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// The file was deleted, moved or replaced while it was open.
    #[error("{} was deleted, moved or replaced", .0.display())]
    Replaced(PathBuf),
    /// SQLite failed.
    #[error("recording database: {0}")]
    Database(#[from] rusqlite::Error),
    /// Facts could not be compressed.
    #[error("pack facts: {0}")]
    Packing(std::io::Error),
    /// A block of packed facts cannot be read.
    #[error("the block of packed facts that ends with fact {0} is damaged")]
    Damaged(u64),
    /// Facts were still waiting for the disk when the closing deadline passed.
    #[error("recording closed with {0} facts not committed")]
    Uncommitted(u64),
}

/// How the recorder is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Facts are accepted and committed.
    Recording,
    /// Facts are committed, but frame traffic is being refused: it arrives faster than the disk takes it.
    Full,
    /// Commits fail, for this reason; they are retried.
    NotCommitting(String),
    /// The recorder is closed.
    Closed,
}

/// Totals since the recorder was opened: `seen == queued + committed + lost_facts`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Facts offered, and gap facts made by the recorder itself.
    pub seen: u64,
    /// Facts accepted and not yet committed.
    pub queued: u64,
    /// Facts synced to disk.
    pub committed: u64,
    /// Frames between charger and authority that were refused; they lie in gap facts.
    pub lost_frames: u64,
    /// Facts refused, those frames included.
    pub lost_facts: u64,
}

/// Handle to the recorder; cheap to clone. Never blocks its caller. When the last handle goes, the recorder closes.
#[derive(Clone)]
pub struct Recorder {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    redactor: Redactor,
    in_memory: bool,
}

/// What the handles and the writer thread share.
struct Shared {
    desk: Mutex<Desk>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes who waits for the writer's end.
    done: Condvar,
    committed: watch::Sender<u64>,
    /// What was committed last, while somebody follows.
    recent: Mutex<Option<Recent>>,
}

/// The shared state under its lock; held for microseconds only, never over a disk operation.
struct Desk {
    queue: Queue,
    urged: bool,
    /// The recorder is closing; the writer gives up retrying at this instant.
    closing: Option<Instant>,
    finished: bool,
    failing: Option<String>,
    max_bytes: Option<u64>,
    /// What an in-memory recorder keeps.
    kept: Vec<Fact>,
}

impl Recorder {
    /// Opens the recording in `dir` for writing, making it if need be, and starts its writer thread. Waits for the lock
    /// as long as the limits say.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, RecordingError> {
        store::create_dir(dir)?;
        let lock = take_lock(dir, limits.lock_wait)?;
        let store = Store::open(dir)?;
        let last_seq = store.last_seq();
        let queue = Queue::new(limits.queue_bytes, limits.reserve_bytes, last_seq);
        let shared = Arc::new(Shared::new(queue, last_seq, limits.max_bytes));
        let writer = Writer {
            shared: Arc::clone(&shared),
            dir: dir.to_owned(),
            store: Some(store),
            commit_every: limits.commit_every,
            limited_to: None,
            packing: limits.pack_after.map(Packing::new),
            lock,
        };
        thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| RecordingError::Io {
                what: "start a writer for",
                path: dir.to_owned(),
                source,
            })?;
        Ok(Self::of(shared, false))
    }

    /// A recorder that keeps facts in memory and counts them as committed at once: for unit tests.
    pub fn in_memory() -> Self {
        let queue = Queue::new(usize::MAX / 2, 0, 0);
        Self::of(Arc::new(Shared::new(queue, 0, None)), true)
    }

    fn of(shared: Arc<Shared>, in_memory: bool) -> Self {
        Self {
            handle: Arc::new(Handle {
                shared,
                redactor: Redactor::default(),
                in_memory,
            }),
        }
    }

    /// Takes a fact. Returns its sequence number, or `None` when the queue is full: then its frames are counted and lie in
    /// a gap fact that the recorder writes by itself as soon as there is room. Secrets in its body are overwritten first.
    /// Never blocks.
    pub fn record(&self, mut fact: Fact) -> Option<u64> {
        self.handle.redactor.redact(&mut fact);
        let shared = &self.handle.shared;
        let mut desk = shared.lock();
        if desk.closing.is_some() {
            return None;
        }
        let before = desk.queue.len();
        let seq = desk.queue.offer(fact);
        if self.handle.in_memory {
            let facts = desk.queue.take(usize::MAX);
            desk.queue.committed(&facts);
            desk.kept.extend(facts);
            shared.committed.send_replace(desk.kept.len() as u64);
        } else if before == 0 || (before < writer::AT_ONCE && desk.queue.len() >= writer::AT_ONCE) {
            // Only when it changes what the writer waits for: waking is a system call.
            shared.work.notify_one();
        }
        seq
    }

    /// The highest sequence number that is synced to disk, as it changes.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.handle.shared.committed.subscribe()
    }

    /// Follows what is committed. A second follower takes the place of the first, which then has to read.
    pub fn follow(&self) -> Follower {
        Follower::of(&self.handle.shared)
    }

    /// Asks for a commit now rather than at the next group commit: something waits for it.
    pub fn urge(&self) {
        self.handle.shared.lock().urged = true;
        self.handle.shared.work.notify_one();
    }

    /// Totals since the recorder was opened.
    pub fn counters(&self) -> Counters {
        self.handle.shared.lock().queue.counters()
    }

    /// How the recorder is doing.
    pub fn state(&self) -> State {
        let desk = self.handle.shared.lock();
        match &desk.failing {
            _ if desk.finished => State::Closed,
            Some(why) => State::NotCommitting(why.clone()),
            None if desk.queue.is_full() => State::Full,
            None => State::Recording,
        }
    }

    /// Whether the source of facts had better wait a little: the disk works but is slower than the traffic.
    pub fn is_pressed(&self) -> bool {
        let desk = self.handle.shared.lock();
        desk.failing.is_none() && !desk.finished && desk.queue.is_pressed()
    }

    /// Changes the size in bytes that `facts.db` may grow to; takes effect at the next commit or retry.
    pub fn set_max_bytes(&self, max_bytes: Option<u64>) {
        self.handle.shared.lock().max_bytes = max_bytes;
        self.handle.shared.work.notify_one();
    }

    /// Commits what was accepted and closes the recording, waiting at most `within`. Facts offered from now on are
    /// refused. Blocks: not for the event loop.
    pub fn close(&self, within: Duration) -> Result<(), RecordingError> {
        let shared = &self.handle.shared;
        let deadline = Instant::now() + within;
        let mut desk = shared.lock();
        if self.handle.in_memory {
            return Ok(());
        }
        desk.closing.get_or_insert(deadline);
        shared.work.notify_one();
        while !desk.finished {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            desk = shared
                .done
                .wait_timeout(desk, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        match desk.queue.counters().queued {
            0 => Ok(()),
            queued => Err(RecordingError::Uncommitted(queued)),
        }
    }

    /// What an in-memory recorder holds.
    pub fn facts(&self) -> Vec<Fact> {
        self.handle.shared.lock().kept.clone()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // The writer drains what was accepted; a failing disk gets one last try.
        let mut desk = self.shared.lock();
        desk.closing.get_or_insert(Instant::now());
        self.shared.work.notify_one();
    }
}

impl Shared {
    fn new(queue: Queue, committed: u64, max_bytes: Option<u64>) -> Self {
        Self {
            desk: Mutex::new(Desk {
                queue,
                urged: false,
                closing: None,
                finished: false,
                failing: None,
                max_bytes,
                kept: Vec::new(),
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            committed: watch::Sender::new(committed),
            recent: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work, or for `at_most`.
    fn wait<'a>(
        &self,
        desk: MutexGuard<'a, Desk>,
        at_most: Option<Duration>,
    ) -> MutexGuard<'a, Desk> {
        match at_most {
            None => self.work.wait(desk).unwrap_or_else(PoisonError::into_inner),
            Some(at_most) => {
                self.work
                    .wait_timeout(desk, at_most)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    /// The size limit in force and the highest committed number.
    fn wanted(&self) -> (Option<u64>, u64) {
        (self.lock().max_bytes, *self.committed.borrow())
    }

    fn committed(&self, batch: Vec<Fact>) {
        let mut desk = self.lock();
        desk.queue.committed(&batch);
        if desk.failing.take().is_some() {
            tracing::info!("recording commits again");
        }
        drop(desk);
        let Some(last) = batch.last().map(|fact| fact.seq) else {
            return;
        };
        // Kept before it is told: who hears of it finds it.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recent) = recent.as_mut() {
            recent.keep(batch);
        }
        drop(recent);
        self.committed.send_replace(last);
    }

    fn failing(&self, error: &RecordingError) {
        let why = error.to_string();
        let mut desk = self.lock();
        if desk.failing.as_ref() != Some(&why) {
            tracing::error!(error = %why, "recording cannot commit; facts are kept and retried");
            desk.failing = Some(why);
        }
    }

    /// Waits before the next try. False when there shall be none.
    fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut desk = self.lock();
        loop {
            let now = Instant::now();
            if desk.closing.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now >= until {
                return true;
            }
            let wake = desk.closing.map_or(until, |deadline| until.min(deadline));
            desk = self.wait(desk, Some(wake - now));
        }
    }

    fn finished(&self) {
        self.lock().finished = true;
        self.done.notify_all();
    }
}
