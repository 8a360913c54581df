//! What goes back to the live plane, line by line: orders, and as JSON how things stand, only when something changed.

use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::live::routes::Order;

/// How soon the live plane is told what the last records changed.
const SOON: Duration = Duration::from_secs(1);

/// How often to look, at least, for what changes by itself: a leg that is away, a disk that fails.
const SELDOM: Duration = Duration::from_secs(5);

/// What was told last, and what of it is not yet sent.
#[derive(Debug)]
pub(super) struct StatusLine {
    told: String,
    unsent: Vec<u8>,
    due: Instant,
    pause: Duration,
}

impl Default for StatusLine {
    fn default() -> Self {
        Self {
            told: String::new(),
            unsent: Vec::new(),
            // At once: who waits for a plane that records need not wait longer than it takes.
            due: Instant::now(),
            pause: SOON,
        }
    }
}

impl StatusLine {
    /// When to tell next. While nothing happens the pauses grow, so that an idle plane sleeps.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Something happened: it shall be told soon.
    pub(super) fn hurry(&mut self) {
        if self.pause > SOON {
            self.pause = SOON;
            self.due = self.due.min(Instant::now() + SOON);
        }
    }

    /// Sends an order. It follows what is not yet sent: no line is cut, and none overtakes another.
    pub(super) fn order(&mut self, stream: &UnixStream, order: &Order) {
        self.unsent.extend(order.line());
        self.flush(stream);
    }

    /// Whether something waits until the live plane has read what was sent before.
    pub(super) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what the stream takes at once.
    pub(super) fn flush(&mut self, stream: &UnixStream) {
        // A live plane that is gone shows itself as the end of the records; here it does not matter.
        if let Ok(sent) = stream.try_write(&self.unsent) {
            self.unsent.drain(..sent);
        }
    }

    /// Sends the status if it differs from the last one. Never waits: a reader that does not read gets the next one.
    pub(super) fn tell(&mut self, stream: &UnixStream, status: &serde_json::Value) {
        if self.unsent.is_empty() {
            let line = status.to_string();
            self.pause = if line == self.told {
                (self.pause * 2).min(SELDOM)
            } else {
                self.unsent = line.clone().into_bytes();
                self.unsent.push(b'\n');
                self.told = line;
                SOON
            };
        }
        self.due = Instant::now() + self.pause;
        if self.is_behind() {
            self.flush(stream);
        }
    }
}
