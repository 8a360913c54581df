//! A tap as real processes, to be killed and started again on the same recording and port.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// No wait in these tests is longer.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Log lines of every life of the tap.
#[derive(Clone, Default)]
struct Talk(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Talk {
    fn add(&self, line: String) {
        self.0.0.lock().unwrap().push(line);
        self.0.1.notify_all();
    }

    /// Waits until `text` stands in more than `before` lines.
    fn wait_for(&self, text: &str, before: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.0.0.lock().unwrap();
        while count(&lines, text) <= before {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {text:?} in {lines:#?}");
            lines = self.0.1.wait_timeout(lines, left).unwrap().0;
        }
    }

    fn count(&self, text: &str) -> usize {
        count(&self.0.0.lock().unwrap(), text)
    }
}

fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

/// A tap, its recording, and everything it ever said.
pub struct Tap {
    port: u16,
    legacy: String,
    candidate: String,
    pub recording: PathBuf,
    child: Option<Child>,
    talk: Talk,
}

impl Tap {
    /// Starts a tap between the backends with these URLs and waits until it listens.
    pub fn start(legacy: &str, candidate: &str, recording: &Path) -> Self {
        let mut tap = Self {
            port: free_port(),
            legacy: legacy.to_owned(),
            candidate: candidate.to_owned(),
            recording: recording.to_owned(),
            child: None,
            talk: Talk::default(),
        };
        tap.begin();
        tap
    }

    /// Where chargers connect.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    fn begin(&mut self) {
        let before = self.talk.count("listening on ws://");
        let mut child = evenkeel()
            .args(["tap", "--end-with-parent"])
            .arg(format!("--listen=127.0.0.1:{}", self.port))
            .args(["--legacy", &self.legacy, "--candidate", &self.candidate])
            .arg("--recording")
            .arg(&self.recording)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (talk, stderr) = (self.talk.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                talk.add(line);
            }
        });
        self.child = Some(child);
        self.talk.wait_for("listening on ws://", before);
    }

    /// The live plane's process.
    fn live(&self) -> Pid {
        pid(self.child.as_ref().unwrap().id())
    }

    /// The shadow plane's process, if one runs now.
    pub fn shadow(&self) -> Option<Pid> {
        let live = self.live().as_raw_nonzero();
        let children = format!("/proc/{live}/task/{live}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().find_map(|child| {
            let mut command = Vec::new();
            let file = std::fs::File::open(format!("/proc/{child}/cmdline"));
            file.ok()?.read_to_end(&mut command).ok()?;
            let is_shadow = command
                .split(|&byte| byte == 0)
                .any(|word| word == b"shadow-plane");
            is_shadow.then(|| pid(child.parse().unwrap()))
        })
    }

    /// Kills the live plane; the shadow plane, if it runs, is left to find out.
    pub fn kill_live(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts the killed tap again.
    pub fn start_again(&mut self) {
        self.begin();
    }

    /// Asks the tap to stop, waits, and expects a good end.
    pub fn stop(&mut self) {
        kill_process(self.live(), Signal::INT).unwrap();
        let status = self.child.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.lines());
    }

    /// Everything it said.
    pub fn lines(&self) -> Vec<String> {
        self.talk.0.0.lock().unwrap().clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Sends SIGKILL; the process may have ended by itself.
pub fn kill(pid: Pid) {
    match kill_process(pid, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("cannot kill {pid:?}: {error}"),
    }
}

/// Runs a reading verb on a recording; returns its exit code and its JSON.
pub fn ask(verb: &str, recording: &Path) -> (i32, Value) {
    let output = evenkeel()
        .args([verb, "--json"])
        .arg(recording)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{talk}"));
    (output.status.code().unwrap(), value)
}

fn evenkeel() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.env("NO_COLOR", "1");
    command
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap()).unwrap()
}

/// A port below those that the system gives to outgoing connections: one of theirs must not take it while the tap is
/// dead. No two taps of this program get the same.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no free port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
