//! The writer thread: group commits, and patience with a sick disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::lock::Lock;
use super::{Packing, RecordingError, Shared, State};
use crate::clock::Clock;
use crate::facts::store::Store;
use crate::facts::{Fact, Kind};

/// So many facts are committed without waiting for the timer. A commit rewrites the pages that the last one began and
/// those of the derived tables, so few large ones are cheaper than many small ones.
pub(super) const AT_ONCE: usize = 4_000;

/// Facts in one transaction, so that what is committed moves on steadily when there is much to catch up.
const BATCH: usize = 8_000;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// Owns the only write connection.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) dir: PathBuf,
    pub(super) store: Option<Store>,
    pub(super) commit_every: Duration,
    /// The limit that the open store was given.
    pub(super) limited_to: Option<u64>,
    pub(super) packing: Option<Packing>,
    /// Nobody else records while it is held.
    pub(super) lock: Lock,
}

/// What the writer has to do.
enum Work {
    Commit(Vec<Fact>),
    /// Nothing waits for the disk, and it is time to look for facts to pack.
    Pack,
}

impl Writer {
    /// Commits until the recorder is closed and everything is written, or the closing deadline has passed.
    pub(super) fn run(mut self) {
        while let Some(work) = self.next() {
            if let Work::Commit(batch) = work
                && !self.commit(batch)
            {
                break;
            }
            self.pack();
        }
        // Closing the database folds its log back into it; only then may another recorder have the lock. And who waits for
        // the end finds the recording free.
        self.store = None;
        drop(self.lock);
        self.shared.finished();
    }

    /// Waits until something is due. `None` when the recorder is closed and drained.
    fn next(&self) -> Option<Work> {
        // Without a store there is nothing to pack in: the next commit opens one.
        let packing = self.store.as_ref().and(self.packing.as_ref());
        let packing = packing.map(Packing::due);
        let mut desk = self.shared.lock();
        let mut due: Option<Instant> = None;
        loop {
            if desk.closing.is_some() {
                desk.queue.confess_all();
                let batch = desk.queue.take(BATCH);
                return (!batch.is_empty()).then_some(Work::Commit(batch));
            }
            let now = Instant::now();
            if desk.queue.len() == 0 {
                due = None;
                desk.urged = false;
                if packing.is_some_and(|due| now >= due) {
                    return Some(Work::Pack);
                }
                desk = self.shared.wait(desk, packing.map(|due| due - now));
                continue;
            }
            let due = *due.get_or_insert(now + self.commit_every);
            if desk.urged || desk.queue.len() >= AT_ONCE || now >= due {
                desk.urged = false;
                return Some(Work::Commit(desk.queue.take(BATCH)));
            }
            desk = self.shared.wait(desk, Some(due - now));
        }
    }

    /// Commits the batch, however long it takes. False if the recorder was closed and its deadline has passed.
    fn commit(&mut self, batch: Vec<Fact>) -> bool {
        let mut pause = FIRST_RETRY;
        loop {
            match self.try_commit(&batch) {
                Ok(()) => {
                    self.shared.committed(batch);
                    return true;
                }
                Err(error) => {
                    self.shared.failing(&error);
                    // The connection may hold a half-failed state; the retry starts from the file.
                    self.store = None;
                }
            }
            if !self.shared.pause(pause) {
                tracing::error!(
                    facts = batch.len(),
                    "recording closed with facts that could not be committed"
                );
                return false;
            }
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// Packs a slice of old facts if it is time, unless fresh ones press. A failure costs nothing but room on the disk.
    fn pack(&mut self) {
        let (Some(packing), Some(store)) = (&mut self.packing, &mut self.store) else {
            return;
        };
        if self.shared.lock().queue.len() >= AT_ONCE {
            return;
        }
        if let Err(error) = packing.work(store) {
            tracing::warn!(%error, "old facts cannot be packed now; they stay as they are");
            self.store = None;
        }
    }

    /// One try. After a failed commit nothing of the batch is trusted: SQLite writes it anew, so a page that the kernel
    /// dropped after a failed sync is written again.
    fn try_commit(&mut self, batch: &[Fact]) -> Result<(), RecordingError> {
        let (limit, committed) = self.shared.wanted();
        if self.store.is_none() {
            let store = Store::open(&self.dir)?;
            self.reconcile(batch, store.last_seq(), committed);
            self.store = Some(store);
            self.limited_to = None;
        }
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        if limit != self.limited_to {
            store.limit(limit.unwrap_or(u64::MAX))?;
            self.limited_to = limit;
        }
        let already = store.last_seq();
        let new = batch.partition_point(|fact| fact.seq <= already);
        store.append(&batch[new..])
    }

    /// A reopened file may hold more than we know (the commit succeeded although it said otherwise) or less (it was
    /// replaced). The first is skipped by its number; the second is said.
    fn reconcile(&self, batch: &[Fact], found: u64, committed: u64) {
        if found >= committed || batch.is_empty() {
            return;
        }
        tracing::error!(
            found,
            committed,
            "recording holds less than was committed to it"
        );
        let gap = Fact::new(Kind::Gap, Clock::system().now()).note(&json!({
            "why": "recording replaced", "facts": committed - found,
        }));
        self.shared.lock().queue.offer(gap);
    }
}

impl State {
    /// Whether facts reach the disk.
    pub const fn is_committing(&self) -> bool {
        matches!(self, Self::Recording | Self::Full)
    }
}
