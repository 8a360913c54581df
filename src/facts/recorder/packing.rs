//! When facts are packed: a slice now and then while the writer has nothing better to do, or a whole recording at once.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{RecordingError, lock};
use crate::clock::{Clock, Micros};
use crate::facts::store::{self, Store};

/// Between two slices while there is more to pack: traffic that waits meanwhile is committed first.
const PACE: Duration = Duration::from_millis(100);

/// Between two looks whether there is anything, a tenth of the age at which facts are packed but within these.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_mins(1));

/// After a failure, which is most likely a full disk.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// How long another recorder may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

/// The writer's packing.
pub(super) struct Packing {
    after: Duration,
    due: Instant,
}

impl Packing {
    /// Packs facts once they are this old.
    pub(super) fn new(after: Duration) -> Self {
        Self {
            after,
            due: Instant::now(),
        }
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Packs a slice, if it is time and there is one. On an error nothing was changed.
    pub(super) fn work(&mut self, store: &mut Store) -> Result<(), RecordingError> {
        if Instant::now() < self.due {
            return Ok(());
        }
        let age = Micros::try_from(self.after.as_micros()).unwrap_or(Micros::MAX);
        let before = Clock::system().now().saturating_sub(age);
        let packed = store.pack_older(before);
        let pause = match &packed {
            Ok(Some(_)) => PACE,
            Ok(None) => (self.after / 10).clamp(LOOK.0, LOOK.1),
            Err(_) => AFTER_FAILURE,
        };
        self.due = Instant::now() + pause;
        packed.map(drop)
    }
}

/// What packing a recording did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shrunk {
    /// Facts that were packed now.
    pub facts: u64,
    /// Bytes of their bodies and notes.
    pub bytes: u64,
    /// Bytes of the blocks that hold them.
    pub packed: u64,
    /// The size of `facts.db` in bytes, before and after.
    pub file: (u64, u64),
}

/// Packs the recording in `dir`, whatever the age of its facts, and gives the room back to the file system. `progress` hears
/// how many facts were packed so far. Nobody may be recording into it.
pub fn pack(dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<Shrunk, RecordingError> {
    let lock = lock::take_lock(dir, LEAVING)?;
    let file = dir.join(store::FILE);
    let size = || {
        let found = std::fs::metadata(&file).map_err(|source| RecordingError::Io {
            what: "look at",
            path: file.clone(),
            source,
        });
        found.map(|found| found.len())
    };
    let mut store = Store::open(dir)?;
    let mut shrunk = Shrunk::default();
    store.fold()?;
    shrunk.file.0 = size()?;
    while let Some(slice) = store.pack()? {
        shrunk.facts += slice.facts;
        shrunk.bytes += slice.bytes;
        shrunk.packed += slice.packed;
        progress(shrunk.facts);
    }
    store.shrink()?;
    shrunk.file.1 = size()?;
    drop(lock);
    Ok(shrunk)
}
