//! The status line that goes back to the live plane: JSON, one line, only when something changed.

use tokio::net::UnixStream;

/// What was told last, and what of it is not yet sent.
#[derive(Debug, Default)]
pub(super) struct StatusLine {
    told: String,
    unsent: Vec<u8>,
}

impl StatusLine {
    /// Sends the status if it differs from the last one. Never waits: a reader that does not read gets the next one.
    pub(super) fn tell(&mut self, stream: &UnixStream, status: &serde_json::Value) {
        if self.unsent.is_empty() {
            let line = status.to_string();
            if line == self.told {
                return;
            }
            self.unsent = line.clone().into_bytes();
            self.unsent.push(b'\n');
            self.told = line;
        }
        // A live plane that is gone shows itself as the end of the records; here it does not matter.
        if let Ok(sent) = stream.try_write(&self.unsent) {
            self.unsent.drain(..sent);
        }
    }
}
