//! What a simulated charger sent and received, kept for assertions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Clock, Micros};
use crate::ocpp::{Envelope, MessageType};

/// Which way a message went, seen from the one who keeps the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Written to the socket.
    Sent,
    /// Read from the socket.
    Received,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, µs since the Unix epoch, real time.
    pub at: Micros,
    /// Which way.
    pub way: Way,
    /// The text exactly as it was on the wire.
    pub text: String,
}

/// An append-only log of raw texts. Clones share the same log.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Journal {
    pub(super) fn note(&self, way: Way, text: &str) {
        let line = Line {
            at: Clock::system().now(),
            way,
            text: text.to_owned(),
        };
        self.locked().push(line);
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.locked().clone()
    }

    /// The texts that went one way.
    pub fn texts(&self, way: Way) -> Vec<String> {
        let lines = self.locked();
        lines
            .iter()
            .filter(|line| line.way == way)
            .map(|line| line.text.clone())
            .collect()
    }

    /// How many messages went one way.
    pub fn count(&self, way: Way) -> usize {
        let lines = self.locked();
        lines.iter().filter(|line| line.way == way).count()
    }

    /// How many CALLs of `action` went one way.
    pub fn calls(&self, way: Way, action: &str) -> usize {
        let lines = self.locked();
        lines
            .iter()
            .filter(|line| line.way == way && is_call(&line.text, action))
            .count()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_call(text: &str, action: &str) -> bool {
    Envelope::parse(text)
        .is_ok_and(|envelope| envelope.kind == MessageType::Call && envelope.action == action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_log_and_calls_are_counted_by_action() {
        let journal = Journal::default();
        let other = journal.clone();
        other.note(Way::Sent, r#"[2,"1","Heartbeat",{}]"#);
        other.note(Way::Received, r#"[3,"1",{}]"#);
        assert_eq!(journal.calls(Way::Sent, "Heartbeat"), 1);
        assert_eq!(journal.calls(Way::Received, "Heartbeat"), 0);
        assert_eq!(journal.texts(Way::Received), [r#"[3,"1",{}]"#]);
    }
}
