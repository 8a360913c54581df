//! What one direction of a connection carried, and whether it arrived whole.

use serde::{Deserialize, Serialize};

/// What one direction of a connection carried, for the containment audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Whole or begun frames seen.
    pub frames: u64,
    /// Bytes that could not be split into frames, after the walker lost track.
    pub opaque_bytes: u64,
    /// Bytes read from the sender.
    pub read: u64,
    /// CRC-32 of the bytes read from the sender.
    pub read_crc: u32,
    /// Bytes written to the receiver.
    pub written: u64,
    /// CRC-32 of the bytes written to the receiver.
    pub written_crc: u32,
    /// Bytes read that the receiver never took, because it was gone.
    pub unsent: u64,
    /// CRC-32 of those.
    pub unsent_crc: u32,
}

impl Flow {
    /// Whether what was written, followed by what stayed unsent, is exactly what was read. False means that the tap
    /// altered, lost or added a byte: severity S0.
    pub fn is_contained(&self) -> bool {
        let mut written = crc32fast::Hasher::new_with_initial_len(self.written_crc, self.written);
        written.combine(&crc32fast::Hasher::new_with_initial_len(
            self.unsent_crc,
            self.unsent,
        ));
        self.written.checked_add(self.unsent) == Some(self.read)
            && written.finalize() == self.read_crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(read: &[u8], written: &[u8], unsent: &[u8]) -> Flow {
        Flow {
            read: read.len() as u64,
            read_crc: crc32fast::hash(read),
            written: written.len() as u64,
            written_crc: crc32fast::hash(written),
            unsent: unsent.len() as u64,
            unsent_crc: crc32fast::hash(unsent),
            ..Flow::default()
        }
    }

    #[test]
    fn every_byte_must_arrive_or_stay_unsent() {
        assert!(flow(b"abc", b"abc", b"").is_contained());
        assert!(flow(b"abc", b"a", b"bc").is_contained());
        assert!(flow(b"", b"", b"").is_contained());
        assert!(!flow(b"abc", b"abd", b"").is_contained());
        assert!(!flow(b"abc", b"a", b"c").is_contained());
        assert!(!flow(b"abc", b"abcd", b"").is_contained());
    }
}
