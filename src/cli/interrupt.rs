//! Ctrl-C for work that is not asynchronous: looked for between two steps, so that nothing is left by half.

use std::time::Duration;

use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::{CliError, Exit};

/// Watches for Ctrl-C from its making on.
pub struct Interrupt {
    runtime: LocalRuntime,
    signal: Signal,
}

impl Interrupt {
    /// Begins to watch; Ctrl-C does not end the program any more.
    pub fn watch() -> Result<Self, CliError> {
        let runtime = super::runtime()?;
        let signal = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt())
        };
        let signal = signal.map_err(|error| {
            CliError::new(
                Exit::Environment,
                "ENV-005",
                format!("cannot watch for Ctrl-C: {error}"),
            )
        })?;
        Ok(Self { runtime, signal })
    }

    /// Whether it was pressed since the last look.
    pub fn pressed(&mut self) -> bool {
        let look = async { tokio::time::timeout(Duration::ZERO, self.signal.recv()).await };
        self.runtime.block_on(look).is_ok()
    }

    /// Waits for `work`; true if Ctrl-C was pressed before it was done.
    pub fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = self.signal.recv() => None,
                done = work => Some(done),
            }
        })
    }
}
