//! The seen-board: how many frames each open connection has seen, readable after the live plane was killed.
//!
//! The board is a file in memory. The live plane writes a count *before* it forwards the bytes, with one small system
//! call; the shadow plane opens the file at start and keeps it open. A board in the system's shared memory also outlives
//! both planes, so that the next tap on the recording can still account for what they saw: it goes when a shadow plane
//! has accounted for it, or with the host. Slots of closed connections keep their counts and are reused oldest first,
//! and only while [`QUARANTINE`] younger ones remain: a reader that lost the last records of a connection still finds
//! its totals.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, MemfdFlags, OFlags, fallocate, memfd_create};
use rustix::io::pwrite;

use crate::clock::Clock;
use crate::facts::{Dir, Leg};

/// Bytes of a slot, little endian: connection, frames seen from the charger, frames seen to the charger, each `u64`; then
/// the authority (0 legacy, 1 candidate), the length of the charger's identity, and its first bytes.
pub const SLOT: usize = 128;

/// Bytes of a count.
const WORD: usize = 8;

/// How many slots of closed connections are kept before the oldest is reused.
pub const QUARANTINE: usize = 1024;

/// Where a board outlives its planes: memory, not disk.
const SHARED_MEMORY: &str = "/dev/shm";

/// How the names of such boards begin.
const PREFIX: &str = "evenkeel-seen-";

/// Slots that are reserved at once, so that nobody else can fill the shared memory before this board needs it.
const RESERVED: u64 = 16 * 1024;

/// Bytes of an identity that a slot holds.
const IDENTITY: usize = SLOT - 26;

/// The live plane's end.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    slots: u32,
    free: VecDeque<u32>,
}

impl Writer {
    /// Creates an empty board that lives as long as somebody has it open.
    pub fn new() -> io::Result<Self> {
        let file = File::from(memfd_create("evenkeel-seen", MemfdFlags::CLOEXEC)?);
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        Ok(Self::of(file, path.into()))
    }

    /// Creates an empty board that outlives its planes, until somebody [removes](Left::remove) it.
    pub fn lasting() -> io::Result<Self> {
        let (process, now) = (std::process::id(), Clock::system().now());
        let path = Path::new(SHARED_MEMORY).join(format!("{PREFIX}{process}-{now}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let reserved = fallocate(&file, FallocateFlags::empty(), 0, RESERVED * SLOT as u64);
        // The lock lives as long as this process: it tells a board at work from one that was left.
        if let Err(error) = reserved.map_err(io::Error::from).and_then(|()| file.lock()) {
            std::fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(Self::of(file, path))
    }

    fn of(file: File, path: PathBuf) -> Self {
        Self {
            file,
            path,
            slots: 0,
            free: VecDeque::new(),
        }
    }

    /// Where another process of the same user can open the board while this one lives.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Takes a slot for a charger's connection, with both counts at zero.
    pub fn claim(&mut self, conn: u64, authority: Leg, charger: &str) -> io::Result<u32> {
        let slot = if self.free.len() > QUARANTINE {
            self.free.pop_front().unwrap_or(self.slots)
        } else {
            self.slots
        };
        self.file
            .write_all_at(&encode(conn, authority, charger), offset(slot))?;
        self.slots = self.slots.max(slot + 1);
        Ok(slot)
    }

    /// Notes how many frames a direction has seen.
    pub fn note(&self, slot: u32, dir: Dir, frames: u64) -> io::Result<()> {
        let at = offset(slot) + 8 + 8 * dir.index() as u64;
        // Straight to the kernel, without the C library: a relay would not make this call at all.
        match pwrite(&self.file, &frames.to_le_bytes(), at)? {
            WORD => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Gives a slot back. Its counts stay readable until it is reused.
    pub fn release(&mut self, slot: u32) {
        self.free.push_back(slot);
    }
}

/// What a slot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which slot.
    pub slot: u32,
    /// Connection epoch.
    pub conn: u64,
    /// Frames seen ([from charger, to charger]).
    pub frames: [u64; 2],
    /// Which backend is the authority of the connection.
    pub authority: Leg,
    /// The charger's identity, or as much of a very long one as the slot holds.
    pub charger: String,
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
            Ok(()) => Ok(decode(slot, &bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every slot that was ever claimed, those of closed connections included.
    pub fn all(&self) -> io::Result<Vec<Seen>> {
        let mut bytes = vec![0; self.file.metadata()?.len() as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        let (slots, _) = bytes.as_chunks::<SLOT>();
        let slots = (0..).zip(slots);
        Ok(slots
            .filter_map(|(slot, bytes)| decode(slot, bytes))
            .collect())
    }
}

/// A lasting board, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left(String);

impl Left {
    /// The name of the board at `path`, if it is a lasting one.
    pub fn at(path: &Path) -> Option<Self> {
        let name = path.strip_prefix(SHARED_MEMORY).ok()?.to_str()?;
        Self::named(name)
    }

    /// The board of this name. A recording may come from anywhere: what is no name of a board is not looked at.
    pub fn named(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        let plain = |byte: u8| byte.is_ascii_digit() || byte == b'-';
        rest.bytes().all(plain).then(|| Self(name.to_owned()))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Opens it; `None` if it is gone. Fails if it is another user's, or if its live plane is at work.
    pub fn open(&self) -> io::Result<Option<Reader>> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.cast_signed())
            .open(self.path());
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let found = file.metadata()?;
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        file.try_lock_shared()?;
        Ok(Some(Reader { file }))
    }

    /// Whether its live plane is still at work.
    pub fn is_at_work(&self) -> bool {
        self.open()
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Removes it: what it counts is accounted for. Gone already is fine.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self) -> PathBuf {
        Path::new(SHARED_MEMORY).join(&self.0)
    }
}

fn offset(slot: u32) -> u64 {
    u64::from(slot) * SLOT as u64
}

fn encode(conn: u64, authority: Leg, charger: &str) -> [u8; SLOT] {
    let identity = &charger.as_bytes()[..charger.floor_char_boundary(IDENTITY)];
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&conn.to_le_bytes());
    bytes[24] = u8::from(authority == Leg::Candidate);
    bytes[25] = identity.len() as u8;
    bytes[26..26 + identity.len()].copy_from_slice(identity);
    bytes
}

/// `None` for a slot that was never claimed: there is no connection 0.
fn decode(slot: u32, bytes: &[u8; SLOT]) -> Option<Seen> {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    let identity = &bytes[26..26 + usize::from(bytes[25]).min(IDENTITY)];
    (word(0) != 0).then(|| Seen {
        slot,
        conn: word(0),
        frames: [word(8), word(16)],
        authority: if bytes[24] == 0 {
            Leg::Legacy
        } else {
            Leg::Candidate
        },
        charger: String::from_utf8_lossy(identity).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outlive_the_writer() {
        let mut writer = Writer::new().unwrap();
        let reader = Reader::open(&writer.path()).unwrap();
        let slot = writer.claim(7, Leg::Candidate, "CP1").unwrap();
        writer.note(slot, Dir::ToCharger, 3).unwrap();
        writer.note(slot, Dir::FromCharger, 1 << 40).unwrap();
        assert_eq!(Left::at(&writer.path()), None);
        drop(writer);
        let seen = Seen {
            slot,
            conn: 7,
            frames: [1 << 40, 3],
            authority: Leg::Candidate,
            charger: "CP1".to_owned(),
        };
        assert_eq!(reader.get(slot).unwrap().as_ref(), Some(&seen));
        assert_eq!(reader.all().unwrap(), [seen]);
        assert_eq!(reader.get(slot + 1).unwrap(), None);
    }

    #[test]
    fn a_lasting_board_is_found_by_its_name_until_it_is_removed() {
        let mut writer = Writer::lasting().unwrap();
        writer.claim(7, Leg::Legacy, &"é".repeat(99)).unwrap();
        let left = Left::at(&writer.path()).unwrap();
        assert!(left.is_at_work() && left.open().is_err());
        drop(writer);
        assert!(!left.is_at_work());
        assert_eq!(Left::named(left.name()), Some(left.clone()));
        let seen = left.open().unwrap().unwrap().all().unwrap();
        assert_eq!(seen[0].charger, "é".repeat(IDENTITY / 2));
        left.remove().unwrap();
        assert!(left.open().unwrap().is_none());
        left.remove().unwrap();
    }

    #[test]
    fn a_recording_cannot_name_other_files() {
        for name in [
            "",
            "x",
            "evenkeel-seen-../x",
            "evenkeel-seen-1/2",
            "../evenkeel-seen-1",
        ] {
            assert_eq!(Left::named(name), None, "{name}");
        }
        assert_eq!(Left::at(Path::new("/proc/1/fd/3")), None);
    }

    #[test]
    fn slots_of_closed_connections_are_reused_late_and_oldest_first() {
        let mut writer = Writer::new().unwrap();
        for conn in 1..=QUARANTINE as u64 + 1 {
            let slot = writer.claim(conn, Leg::Legacy, "CP1").unwrap();
            assert_eq!(u64::from(slot), conn - 1);
            writer.release(slot);
        }
        let reader = Reader::open(&writer.path()).unwrap();
        assert_eq!(writer.claim(5000, Leg::Legacy, "CP1").unwrap(), 0);
        assert_eq!(
            writer.claim(5001, Leg::Legacy, "CP1").unwrap(),
            QUARANTINE as u32 + 1
        );
        assert_eq!(reader.get(1).unwrap().unwrap().conn, 2);
    }
}
