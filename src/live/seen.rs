//! The seen-board: how many frames each open connection has seen, readable after the live plane was killed.
//!
//! The board is a memory file. The live plane writes a count *before* it forwards the bytes, with one small system call;
//! the shadow plane opens the file by its `/proc` path at start and keeps it open, so the counts outlive their writer.
//! Slots of closed connections keep their counts and are reused oldest first, and only while [`QUARANTINE`] younger ones
//! remain: a reader that lost the last records of a connection still finds its totals.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::facts::Dir;

/// Bytes of a slot: connection, frames seen from the charger, frames seen to the charger; each `u64`, little endian.
pub const SLOT: usize = 24;

/// How many slots of closed connections are kept before the oldest is reused.
pub const QUARANTINE: usize = 1024;

/// The live plane's end.
#[derive(Debug)]
pub struct Writer {
    file: File,
    slots: u32,
    free: VecDeque<u32>,
}

impl Writer {
    /// Creates an empty board.
    pub fn new() -> io::Result<Self> {
        let file = File::from(memfd_create("evenkeel-seen", MemfdFlags::CLOEXEC)?);
        Ok(Self {
            file,
            slots: 0,
            free: VecDeque::new(),
        })
    }

    /// Where another process of the same user can open the board while this one lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.file.as_raw_fd()
        ))
    }

    /// Takes a slot for a connection, with both counts at zero.
    pub fn claim(&mut self, conn: u64) -> io::Result<u32> {
        let slot = if self.free.len() > QUARANTINE {
            self.free.pop_front().unwrap_or(self.slots)
        } else {
            self.slots
        };
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&conn.to_le_bytes());
        self.file.write_all_at(&bytes, offset(slot))?;
        self.slots = self.slots.max(slot + 1);
        Ok(slot)
    }

    /// Notes how many frames a direction has seen.
    pub fn note(&self, slot: u32, dir: Dir, frames: u64) -> io::Result<()> {
        let at = offset(slot) + 8 + 8 * dir.index() as u64;
        self.file.write_all_at(&frames.to_le_bytes(), at)
    }

    /// Gives a slot back. Its counts stay readable until it is reused.
    pub fn release(&mut self, slot: u32) {
        self.free.push_back(slot);
    }
}

/// What a slot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Connection epoch.
    pub conn: u64,
    /// Frames seen ([from charger, to charger]).
    pub frames: [u64; 2],
}

/// The shadow plane's end.
#[derive(Debug)]
pub struct Reader {
    file: File,
}

impl Reader {
    /// Opens the board of a running live plane; see [`Writer::path`].
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
        })
    }

    /// Reads one slot; `None` if it was never claimed.
    pub fn get(&self, slot: u32) -> io::Result<Option<Seen>> {
        let mut bytes = [0; SLOT];
        match self.file.read_exact_at(&mut bytes, offset(slot)) {
            Ok(()) => Ok(Some(decode(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every slot, those of closed connections included.
    pub fn all(&self) -> io::Result<Vec<Seen>> {
        let mut bytes = vec![0; self.file.metadata()?.len() as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        let (slots, _) = bytes.as_chunks::<SLOT>();
        Ok(slots.iter().map(decode).collect())
    }
}

fn offset(slot: u32) -> u64 {
    u64::from(slot) * SLOT as u64
}

fn decode(bytes: &[u8; SLOT]) -> Seen {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    Seen {
        conn: word(0),
        frames: [word(8), word(16)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outlive_the_writer() {
        let mut writer = Writer::new().unwrap();
        let reader = Reader::open(&writer.path()).unwrap();
        let slot = writer.claim(7).unwrap();
        writer.note(slot, Dir::ToCharger, 3).unwrap();
        writer.note(slot, Dir::FromCharger, 1 << 40).unwrap();
        drop(writer);
        let seen = Seen {
            conn: 7,
            frames: [1 << 40, 3],
        };
        assert_eq!(reader.get(slot).unwrap(), Some(seen));
        assert_eq!(reader.all().unwrap(), [seen]);
        assert_eq!(reader.get(slot + 1).unwrap(), None);
    }

    #[test]
    fn slots_of_closed_connections_are_reused_late_and_oldest_first() {
        let mut writer = Writer::new().unwrap();
        for conn in 0..=QUARANTINE as u64 {
            let slot = writer.claim(conn).unwrap();
            assert_eq!(u64::from(slot), conn);
            writer.release(slot);
        }
        let reader = Reader::open(&writer.path()).unwrap();
        assert_eq!(writer.claim(5000).unwrap(), 0);
        assert_eq!(writer.claim(5001).unwrap(), QUARANTINE as u32 + 1);
        assert_eq!(reader.get(1).unwrap().unwrap().conn, 1);
    }
}
