//! One end of a line: its socket, and what it sends.

use crate::live::handover::Flow;
use crate::live::metrics::Metrics;
use crate::live::stream::{Failure, Stream};
use crate::live::walker::Walker;

/// One end's socket and the direction in which that end sends.
pub(super) struct Half {
    pub(super) socket: Stream,
    pub(super) walker: Walker,
    pub(super) flow: Flow,
    /// Bytes read from `socket` that the other end has not taken yet. Empty and without allocation while all is well.
    pub(super) spill: Vec<u8>,
    /// How many bytes at the start of `spill` belong to the response head, which `flow` does not count.
    pub(super) uncounted: usize,
    pub(super) state: State,
    /// The other end takes nothing at the moment.
    pub(super) stalled: bool,
    /// Present while `socket` is not read but its failure must be noticed.
    pub(super) failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Reading.
    Open,
    /// The end has sent FIN; it is passed on once the spill is empty.
    Ended,
    /// The FIN is passed on.
    Done,
}

impl Half {
    pub(super) fn new(socket: Stream) -> Self {
        Self {
            socket,
            walker: Walker::default(),
            flow: Flow::default(),
            spill: Vec::new(),
            uncounted: 0,
            state: State::Open,
            stalled: false,
            failure: None,
        }
    }

    /// Accounts for `bytes` that the other end took.
    pub(super) fn wrote(&mut self, bytes: &[u8], metrics: &Metrics) {
        metrics.bytes.add(bytes.len() as u64);
        let uncounted = self.uncounted.min(bytes.len());
        self.uncounted -= uncounted;
        let counted = &bytes[uncounted..];
        self.flow.written += counted.len() as u64;
        self.flow.written_crc = extend_crc(self.flow.written_crc, counted);
    }

    /// What the direction carried, with the bytes that stayed behind.
    pub(super) fn flow(&self) -> Flow {
        let unsent = &self.spill[self.uncounted..];
        Flow {
            unsent: unsent.len() as u64,
            unsent_crc: extend_crc(0, unsent),
            ..self.flow
        }
    }

    /// From now on the socket is not read, but its failure is noticed.
    pub(super) fn watch_failure(&mut self) {
        if self.failure.is_some() {
            return;
        }
        match self.socket.failure() {
            Ok(failure) => self.failure = Some(failure),
            Err(error) => tracing::warn!(%error, "a reset may be noticed late"),
        }
    }
}

/// Goes on with a checksum.
pub(super) fn extend_crc(crc: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(crc);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_extend() {
        let whole = extend_crc(0, b"one two");
        assert_eq!(extend_crc(extend_crc(0, b"one "), b"two"), whole);
        assert_eq!(extend_crc(whole, b""), whole);
    }
}
