//! A tap as a child process: how `demo` runs the real thing rather than a model of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::{CliError, Exit};

/// What the tap prints before its address.
pub const LISTENING: &str = "listening on ";

/// A running tap that ends with its owner.
#[derive(Debug)]
pub struct TapChild {
    child: Child,
    url: String,
}

impl TapChild {
    /// Starts `evenkeel tap` with a configuration and a variable of its environment, and waits until it listens. Its log
    /// lines go to `log`.
    pub fn start(
        config: &Path,
        (variable, value): (&str, &str),
        mut log: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(|error| cannot(&error))?;
        let mut child = Command::new(program)
            .args(["tap", "--end-with-parent"])
            .arg(config)
            .env("NO_COLOR", "1")
            .env(variable, value)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot(&error))?;
        let (found, address) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    if let Some((_, rest)) = line.split_once(LISTENING) {
                        // The receiver is gone once the first address is known.
                        let _ = found.send(rest.split(' ').next().unwrap_or(rest).to_owned());
                    }
                    log(&line);
                }
            });
        }
        let mut tap = Self {
            child,
            url: String::new(),
        };
        let Ok(url) = address.recv_timeout(Duration::from_secs(10)) else {
            let status = tap.stop();
            return Err(CliError::new(
                Exit::Environment,
                "DEMO-001",
                format!("the tap did not start listening: {status}"),
            ));
        };
        tap.url = url;
        Ok(tap)
    }

    /// Where chargers connect: `ws://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks the tap to stop, waits, and says how it ended.
    pub fn stop(&mut self) -> String {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself; then there is nobody to ask.
            let _ = kill_process(pid, Signal::INT);
        }
        // Longer than a shadow plane may take to close.
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(None) => {
                    // Past the deadline only force is left; `wait` tells what came of it.
                    let _ = self.child.kill();
                }
                Err(error) => return error.to_string(),
            }
        }
    }
}

impl Drop for TapChild {
    fn drop(&mut self) {
        // Ended children are reaped already; a running one must not outlive its owner.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cannot(error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "DEMO-001",
        format!("cannot start the tap: {error}"),
    )
}
