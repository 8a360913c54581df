//! The tap's side of the control socket.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::{Answer, Ask, FILE, LONGEST, PathTooLong, Reply, Request, VERSION, place};
use crate::clock::Clock;
use crate::facts::Kind;
use crate::facts::chain::{Scribe, Unwritten};
use crate::shadow::switch::{self, Switchboard};

/// What the socket is called until it is ready: it takes its place with the right mode, over what a killed tap left there.
const UNREADY: &str = "control.new";

/// Clients at a time; others are turned away.
const CLIENTS: usize = 8;

/// How long a client may take to send its line, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a note may take to reach the disk before the client is told that it has not.
const WRITING: Duration = Duration::from_secs(10);

/// How long to wait before the next client where the system has no descriptor for it.
const PAUSE: Duration = Duration::from_millis(200);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The recording lies too deep.
    #[error(transparent)]
    TooLong(#[from] PathTooLong),
    /// The system refused.
    #[error("open the control socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The open socket; its file goes with it.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

/// What the requests change.
pub struct Control {
    scribe: RefCell<Scribe>,
    clock: Clock,
    switchboard: Option<Switchboard>,
}

impl Door {
    /// Opens the socket in the recording `dir`, which only the holder of its recorder may do.
    pub fn open(dir: &Path) -> Result<Self, DoorError> {
        let path = place(dir, FILE)?;
        let unready = place(dir, UNREADY)?;
        let opened = || -> io::Result<UnixListener> {
            match fs::remove_file(&unready) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&unready)?;
            fs::set_permissions(&unready, fs::Permissions::from_mode(0o600))?;
            fs::rename(&unready, &path)?;
            Ok(listener)
        };
        match opened() {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(DoorError::Io { path, source }),
        }
    }

    /// Serves clients until this is dropped; on a runtime that runs local tasks.
    pub async fn serve(&self, control: Rc<Control>) -> Infallible {
        let places = Arc::new(Semaphore::new(CLIENTS));
        loop {
            match self.listener.accept().await {
                Ok((client, _)) => {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        continue;
                    };
                    let control = Rc::clone(&control);
                    tokio::task::spawn_local(async move {
                        attend(client, &control).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "control socket takes nobody for a moment");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "control socket was gone already");
        }
    }
}

impl Control {
    /// Notes go through `scribe`, stamped by `clock`.
    pub const fn new(scribe: Scribe, clock: Clock) -> Self {
        Self {
            scribe: RefCell::new(scribe),
            clock,
            switchboard: None,
        }
    }

    /// The same, with switches going through `switchboard`.
    #[must_use]
    pub fn with_switchboard(mut self, switchboard: Switchboard) -> Self {
        self.switchboard = Some(switchboard);
        self
    }

    async fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Triage(body) => self.note(Kind::Triage, body.get()).await,
            Ask::Decision(body) => self.note(Kind::Decision, body.get()).await,
            Ask::Revealed(body) => self.note(Kind::Revealed, body.get()).await,
            Ask::Hook(body) => self.note(Kind::HookRan, body.get()).await,
            Ask::Switch(request) => self.switch(&request),
        }
    }

    fn switch(&self, request: &switch::Request) -> Answer {
        let Some(switchboard) = &self.switchboard else {
            return Answer::Refused("this tap moves no chargers".to_owned());
        };
        match switchboard.request(request) {
            Ok(begun) => Answer::Begun(begun),
            Err(refusal) => Answer::Refused(format!("{refusal} [{}]", refusal.code())),
        }
    }

    /// Writes a note, and waits until it is on disk.
    async fn note(&self, kind: Kind, body: &str) -> Answer {
        if !body.starts_with('{') {
            return Answer::Refused("a note is a JSON object".to_owned());
        }
        let (written, mut committed) = self.hand_over(kind, body);
        let seq = match written {
            Ok(seq) => seq,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        match timeout(WRITING, committed.wait_for(|last| *last >= seq)).await {
            Ok(Ok(_)) => {
                tracing::info!(seq, %kind, "note written");
                Answer::Written(seq)
            }
            _ => Answer::Refused(format!(
                "fact {seq} waits for a disk that does not take it; it is written when the disk does"
            )),
        }
    }

    /// Gives a note to the recorder, which is to write it soon.
    fn hand_over(&self, kind: Kind, body: &str) -> (Result<u64, Unwritten>, watch::Receiver<u64>) {
        let mut scribe = self.scribe.borrow_mut();
        let written = scribe.write(kind, self.clock.now(), body.to_owned());
        scribe.recorder().urge();
        (written, scribe.recorder().committed())
    }
}

/// One client: a line, an answer.
async fn attend(mut client: UnixStream, control: &Control) {
    if !is_owner(&client) {
        tracing::warn!("control socket: another user was turned away");
        return;
    }
    let answer = match timeout(PATIENCE, line(&mut client)).await {
        Ok(Ok(line)) => match understood(&line) {
            Ok(ask) => control.answer(ask).await,
            Err(why) => Answer::Refused(why),
        },
        Ok(Err(error)) => Answer::Refused(error.to_string()),
        Err(_) => Answer::Refused(format!("no whole line within {} s", PATIENCE.as_secs())),
    };
    let reply = Reply { v: VERSION, answer };
    let Ok(mut text) = serde_json::to_string(&reply) else {
        return;
    };
    text.push('\n');
    // A client that has gone misses its answer; what it asked for is done.
    if let Ok(Err(error)) = timeout(PATIENCE, client.write_all(text.as_bytes())).await {
        tracing::debug!(%error, "control client left before its answer");
    }
}

/// Whether the client runs as the user that this process runs as.
fn is_owner(client: &impl AsFd) -> bool {
    rustix::net::sockopt::socket_peercred(client)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// One line, limited.
async fn line(client: &mut UnixStream) -> io::Result<String> {
    let mut line = String::new();
    let mut reader = BufReader::new(client.take(LONGEST as u64 + 1));
    reader.read_line(&mut line).await?;
    if line.len() > LONGEST {
        return Err(io::Error::other(format!(
            "a request has at most {LONGEST} bytes"
        )));
    }
    if line.is_empty() {
        return Err(io::Error::other("nothing was asked"));
    }
    Ok(line)
}

/// What a line asks for. The version first: what a later one asks for need not be understood.
fn understood(line: &str) -> Result<Ask, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    match serde_json::from_str::<Version>(line) {
        Err(error) => return Err(format!("not a request: {error}")),
        Ok(Version { v }) if v != VERSION => {
            return Err(format!("this tap speaks version {VERSION}, not {v}"));
        }
        Ok(_) => {}
    }
    let request = serde_json::from_str::<Request>(line);
    request
        .map(|request| request.ask)
        .map_err(|error| format!("not understood: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_others_are_told_why_not() {
        let body = r#"{"finding":"F-1","count":1.50}"#;
        let ask = understood(&format!(r#"{{"v":1,"ask":{{"triage":{body}}}}}"#));
        assert!(matches!(ask, Ok(Ask::Triage(read)) if read.get() == body));
        for (line, why) in [
            ("hello", "not a request"),
            ("{}", "not a request"),
            (
                r#"{"v":2,"ask":{"fly":{}}}"#,
                "this tap speaks version 1, not 2",
            ),
            (r#"{"v":1,"ask":{"fly":{}}}"#, "not understood"),
            (r#"{"v":1}"#, "not understood"),
        ] {
            assert!(understood(line).unwrap_err().starts_with(why), "{line}");
        }
    }
}
