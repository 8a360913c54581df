//! A real tap as a child process, and what it leaves behind: everything a test wants to do to them.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a failed step of a test should end it"
)]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evenkeel::facts::{Fact, Kind, Reader};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::row::{Exchange, Row};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

/// Nothing takes longer than this unless it never happens.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that another process brings about.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs the program to its end.
pub fn evenkeel<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    program().args(args).output().unwrap()
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.env("NO_COLOR", "1").env_remove("EVENKEEL_LOG");
    command
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where the configuration goes and, unless `recording` says otherwise, the recording.
    pub dir: PathBuf,
    /// URL of the legacy backend.
    pub legacy: String,
    /// URL of the candidate.
    pub candidate: String,
    /// The backend that the chargers hear.
    pub authority: &'static str,
    /// Where to record.
    pub recording: PathBuf,
    /// Further keys of the candidate's section.
    pub login: String,
    /// Further sections of the configuration.
    pub sections: String,
    /// What `EVENKEEL_LOG` says.
    pub log: Option<&'static str>,
    /// Nobody reads the log once the tap listens.
    pub log_unread: bool,
    /// A write beyond the size that a file may have is an error, not the end of the process.
    pub survives_quota: bool,
}

impl Setup {
    /// A plain tap that records in `dir`.
    pub fn new(dir: &Path, legacy: &str, candidate: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            legacy: legacy.to_owned(),
            candidate: candidate.to_owned(),
            authority: "legacy",
            recording: dir.join("recording"),
            login: String::new(),
            sections: String::new(),
            log: None,
            log_unread: false,
            survives_quota: false,
        }
    }

    fn write(&self) -> PathBuf {
        let mut text = format!(
            "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = {:?}\nauthority = {:?}\n",
            self.recording.to_str().unwrap(),
            self.authority
        );
        let _ = write!(
            text,
            "[legacy]\nurl = {:?}\n[candidate]\nurl = {:?}\n",
            self.legacy, self.candidate
        );
        text.push_str(&self.login);
        text.push_str("[health]\nlisten = \"127.0.0.1:0\"\n");
        text.push_str(&self.sections);
        let file = self.dir.join("evenkeel.toml");
        fs::write(&file, text).unwrap();
        file
    }

    fn command(&self) -> Command {
        let mut command = if self.survives_quota {
            // What is ignored stays ignored across exec, also in the shadow plane.
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_evenkeel"))
                .env("NO_COLOR", "1");
            shell
        } else {
            program()
        };
        if let Some(filter) = self.log {
            command.env("EVENKEEL_LOG", filter);
        }
        command.arg("tap").arg(self.write());
        command
    }
}

/// A running tap.
pub struct Tap {
    child: Child,
    /// `ws://127.0.0.1:PORT`
    pub url: String,
    /// `127.0.0.1:PORT` of metrics and health.
    pub health: String,
    recording: Recording,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    unread: Option<ChildStderr>,
}

impl Tap {
    /// Starts a tap and waits until it listens.
    pub fn start(setup: &Setup) -> Self {
        let mut child = setup
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let stderr = child.stderr.take().unwrap();
        let (found, finding) = mpsc::channel();
        let (lines, log_unread) = (Arc::clone(&log), setup.log_unread);
        let reader = std::thread::spawn(move || read_log(stderr, &lines, log_unread, &found));
        let Ok((url, health, unread)) = finding.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the tap did not listen: {:?}", log.lock().unwrap());
        };
        Self {
            child,
            url,
            health,
            recording: Recording(setup.recording.clone()),
            log,
            reader: Some(reader),
            unread,
        }
    }

    /// Where it records.
    pub fn recording(&self) -> Recording {
        self.recording.clone()
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        pid(self.child.id())
    }

    /// The shadow plane, once there is one.
    pub fn shadow(&self) -> Pid {
        let mut found = None;
        eventually("a shadow plane runs", || {
            found = child_of(self.child.id());
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until the shadow plane records.
    pub fn records(&self) {
        eventually("the shadow plane records", || self.is_well());
    }

    /// What `/health` says, and whether all is well.
    pub fn health(&self) -> (bool, Value) {
        let (status, body) = get(&self.health, "/health");
        (status == 200, serde_json::from_str(&body).unwrap())
    }

    /// Whether `/health` says that all is well.
    pub fn is_well(&self) -> bool {
        self.health().0
    }

    /// Waits until `/health` says that something is wrong: the shadow plane tells how it is about once a second.
    pub fn is_unwell(&self) {
        eventually("health says that something is wrong", || !self.is_well());
    }

    /// The value of a counter or gauge on `/metrics`.
    pub fn metric(&self, name: &str) -> u64 {
        let body = self.metrics();
        let line = body
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {body}"))
            .parse()
            .unwrap()
    }

    /// All metrics, as Prometheus reads them.
    pub fn metrics(&self) -> String {
        get(&self.health, "/metrics").1
    }

    /// The log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line of the log contains `text`.
    pub fn says(&self, text: &str) {
        eventually(text, || self.log().iter().any(|line| line.contains(text)));
    }

    /// Asserts that the log has been choked until now: behind what fills its pipe a line of the tap's waits for room. Leaves
    /// the pipe full again.
    pub fn is_choked(&self) {
        let pipe = self.unread.as_ref().unwrap();
        assert_eq!(stuff(pipe), 0, "the log pipe was full");
        drain(pipe);
        let mut stuck = String::new();
        eventually("the tap's lines come as soon as there is room", || {
            stuck.push_str(&drain(pipe));
            stuck.contains("connection opened")
        });
        stuff(pipe);
    }

    /// Ctrl-C, and how the tap ended.
    pub fn interrupt(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::INT).unwrap();
        let mut status = None;
        eventually("the tap ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Ctrl-C, which must end the tap well; then its recording and its log.
    pub fn stop(mut self) -> (Recording, Vec<String>) {
        let status = self.interrupt();
        // The log ends when the shadow plane is gone, too.
        self.reader.take().unwrap().join().unwrap();
        assert_eq!(status.code(), Some(0), "{:#?}", self.log());
        (self.recording(), self.log())
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // A test that failed must leave no process behind, stopped ones least of all.
        if matches!(self.child.try_wait(), Ok(None)) {
            let shadow = child_of(self.child.id());
            let _ = self.child.kill();
            let _ = self.child.wait();
            if let Some(shadow) = shadow {
                let _ = kill_process(shadow, Signal::KILL);
            }
        }
        // Its recording goes with the test, so no later tap will remove its board.
        let board = format!("evenkeel-seen-{}-", self.child.id());
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&board) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Size of the log pipe that nobody reads, in bytes: the smallest there is.
const PIPE: usize = 4096;

/// Fills a pipe to the brim, as somebody else would who logs to the same one; returns how many bytes there was room for.
fn stuff(pipe: &ChildStderr) -> usize {
    let end = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK;
    let end = rustix::fs::open(end, flags, Mode::empty()).unwrap();
    let mut room = 0;
    loop {
        match rustix::io::write(&end, b"\n") {
            Ok(written) => room += written,
            Err(Errno::AGAIN) => return room,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Takes what is in a pipe, without waiting for more.
fn drain(pipe: &ChildStderr) -> String {
    let mut text = vec![0; rustix::io::ioctl_fionread(pipe).unwrap() as usize];
    let read = match text.len() {
        0 => 0,
        _ => rustix::io::read(pipe, &mut text).unwrap(),
    };
    String::from_utf8_lossy(&text[..read]).into_owned()
}

type Found = (String, String, Option<ChildStderr>);

/// Keeps the log's lines; finds the two addresses in the first ones.
fn read_log(
    stderr: ChildStderr,
    log: &Mutex<Vec<String>>,
    log_unread: bool,
    found: &mpsc::Sender<Found>,
) {
    let mut stderr = BufReader::new(stderr);
    let (mut url, mut health) = (None, None);
    loop {
        let mut line = String::new();
        if stderr.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let word = |mark| {
            let (_, rest) = line.split_once(mark)?;
            Some(rest.split_whitespace().next()?.to_owned())
        };
        url = url.or_else(|| word("listening on "));
        health = health.or_else(|| word("health on http://"));
        log.lock().unwrap().push(line.trim_end().to_owned());
        if let (Some(url), Some(health)) = (&url, &health) {
            let addresses = (url.clone(), health.clone());
            if log_unread {
                fcntl_setpipe_size(stderr.get_ref(), PIPE).unwrap();
                stuff(stderr.get_ref());
                let _ = found.send((addresses.0, addresses.1, Some(stderr.into_inner())));
                return;
            }
            let _ = found.send((addresses.0, addresses.1, None));
        }
    }
}

/// A GET: the status and the body.
pub fn get(address: &str, path: &str) -> (u16, String) {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    request(address, &text)
}

/// A whole request that asks for the connection's end: the status and the body.
pub fn request(address: &str, text: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

/// The process `id`.
pub fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

fn child_of(parent: u32) -> Option<Pid> {
    let is_child = |stat: &str| {
        // The command in brackets may hold anything, so fields count from its end: state, parent.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        (state != "Z" && fields.next()? == parent.to_string()).then_some(())
    };
    fs::read_dir("/proc").unwrap().find_map(|entry| {
        let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
        is_child(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?;
        Some(pid(id))
    })
}

/// Limits a resource of another process; the hard limit stays, so that it can be lifted again.
pub fn limit(process: Pid, resource: Resource, current: Option<u64>) {
    prlimit(
        Some(process),
        resource,
        Rlimit {
            current,
            maximum: None,
        },
    )
    .unwrap();
}

/// Address space that a process uses now, bytes.
pub fn address_space(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .unwrap();
    let kilobytes: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1024
}

/// What a tap left behind.
#[derive(Debug, Clone)]
pub struct Recording(pub PathBuf);

impl Recording {
    /// `verify --json`, which must find nothing wrong.
    pub fn verify(&self) -> Value {
        let output = evenkeel([
            OsStr::new("verify"),
            OsStr::new("--json"),
            self.0.as_os_str(),
        ]);
        let text = String::from_utf8_lossy(&output.stdout);
        let verified: Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(verified["ok"], true, "{verified:#}");
        assert_eq!(output.status.code(), Some(0));
        verified
    }

    /// `diffs --json`.
    pub fn diffs(&self) -> Value {
        let output = evenkeel([
            OsStr::new("diffs"),
            OsStr::new("--json"),
            self.0.as_os_str(),
        ]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Every fact.
    pub fn facts(&self) -> Vec<Fact> {
        let reader = Reader::open(&self.0).unwrap();
        reader.facts().map(Result::unwrap).collect()
    }

    /// Facts of one kind.
    pub fn of_kind(&self, kind: Kind) -> Vec<Fact> {
        let mut facts = self.facts();
        facts.retain(|fact| fact.kind == kind);
        facts
    }

    /// Every exchange as the built-in rules judge it.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let mut judge = Judge::new(Rules::built_in().unwrap());
        let mut exchanges = Vec::new();
        for fact in self.facts() {
            judge.feed(&fact, &mut |row| {
                if let Row::Exchange(row) = row {
                    exchanges.push(row);
                }
            });
        }
        exchanges
    }
}
