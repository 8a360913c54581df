//! How far judging has come, for whoever waits at a terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// One line on stderr, for work that takes longer than a second on a terminal.
pub(super) struct Progress {
    began: Instant,
    shown: Option<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            shown: None,
        }
    }
}

impl Progress {
    /// Says how far it is.
    pub(super) fn show(&mut self, done: u64, goal: u64) {
        let due = self.shown.unwrap_or(self.began).elapsed() >= Duration::from_secs(1);
        if due && std::io::stderr().is_terminal() {
            self.shown = Some(Instant::now());
            eprint!("\rjudging: {done} of {goal} facts ");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprintln!();
        }
    }
}
