//! A program that is run after a decision, with a time limit.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

/// How much of each stream is kept, bytes.
const KEPT: u64 = 8 << 10;

/// How often it is looked whether the program has ended.
const EVERY: Duration = Duration::from_millis(20);

/// What came of it: the body of its fact.
#[derive(Debug, Serialize)]
pub(super) struct Ran {
    /// The decision's fact.
    decision: u64,
    /// The program.
    program: String,
    /// Its exit code, if it ended by itself.
    exit: Option<i32>,
    /// Why there is none; empty if there is.
    why: String,
    /// How long it took, µs.
    took_us: u64,
    /// What it said first, control characters but line ends left out.
    stdout: String,
    /// The same of its errors.
    stderr: String,
}

impl Ran {
    /// Whether it ended by itself and without an error.
    pub(super) fn is_fine(&self) -> bool {
        self.exit == Some(0)
    }

    /// What is wrong with it, in words.
    pub(super) fn says(&self) -> String {
        let last = self.stderr.lines().last().unwrap_or_default();
        match self.exit {
            Some(exit) => format!("it ended with {exit}. {last}"),
            None => format!("{}. {last}", self.why),
        }
    }
}

/// Runs a program. It is killed when its time is over.
pub(super) fn run(program: &Path, args: &[&OsStr], limit: Duration, decision: u64) -> Ran {
    let began = Instant::now();
    let mut ran = Ran {
        decision,
        program: program.display().to_string(),
        exit: None,
        why: String::new(),
        took_us: 0,
        stdout: String::new(),
        stderr: String::new(),
    };
    let started = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match started {
        Err(error) => ran.why = format!("it could not be started: {error}"),
        Ok(mut child) => {
            let streams = (
                child.stdout.take().map(drain),
                child.stderr.take().map(drain),
            );
            match end(&mut child, began, limit) {
                Ok(exit) => ran.exit = Some(exit),
                Err(why) => ran.why = why,
            }
            // What it started may hold the streams open for ever: its output is taken as far as it came.
            ran.stdout = taken(streams.0, limit.saturating_sub(began.elapsed()));
            ran.stderr = taken(streams.1, limit.saturating_sub(began.elapsed()));
        }
    }
    ran.took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    ran
}

fn end(child: &mut Child, began: Instant, limit: Duration) -> Result<i32, String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return status
                    .code()
                    .ok_or_else(|| format!("it was ended by {status}"));
            }
            Ok(None) if began.elapsed() >= limit => {
                let killed = child.kill().and_then(|()| child.wait());
                let killed = killed.map_or_else(
                    |error| format!(", and could not be: {error}"),
                    |_| String::new(),
                );
                return Err(format!(
                    "it took longer than {} s and was ended{killed}",
                    limit.as_secs()
                ));
            }
            Ok(None) => std::thread::sleep(EVERY),
            Err(error) => return Err(format!("it cannot be waited for: {error}")),
        }
    }
}

/// Reads a stream on a thread of its own: a program that fills one while we wait for the other would never end.
fn drain(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        // A broken stream ends as an empty one does; what came before counts.
        let _ended = stream.by_ref().take(KEPT).read_to_end(&mut kept);
        let _rest = std::io::copy(&mut stream, &mut std::io::sink());
        kept
    })
}

fn taken(stream: Option<JoinHandle<Vec<u8>>>, patience: Duration) -> String {
    let Some(stream) = stream else {
        return String::new();
    };
    let began = Instant::now();
    let grace = patience.clamp(Duration::from_millis(500), Duration::from_secs(5));
    while !stream.is_finished() && began.elapsed() < grace {
        std::thread::sleep(EVERY);
    }
    if !stream.is_finished() {
        return "(still open)".to_owned();
    }
    let kept = stream.join().unwrap_or_default();
    String::from_utf8_lossy(&kept)
        .chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}
