//! Stands between a moved charger and its new authority while the charger has a transaction open that its new authority
//! knows by another name.
//!
//! The live plane splices such a charger to a socket of this process instead of to the backend. Handshake and frames
//! pass as they are; in messages the names of those transactions, and of all else that has two, are translated both ways,
//! and nothing else. When the
//! last of them has ended the connection goes on as a plain relay until it ends by itself: ending it for the sake of a
//! shorter way would cost the charger another outage. If this process dies, the connection ends with it, and the charger
//! comes back to the same rule.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, copy, split};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::facts::authority::Carried;
use crate::facts::{Dir, Fact, Kind, Leg, Recorder};
use crate::live::Backend;
use crate::live::dial::{DialError, Dialer};
use crate::live::head::{HeadError, Response, read_request, read_response};
use crate::live::listener::Reserve;
use crate::live::settings::Tuning;
use crate::live::stream::Stream;
use crate::live::tls::TlsError;
use crate::ocpp::Version;

use super::switch::{Switchboard, UNJOURNALLED};

mod frames;
mod translator;

use frames::{Frames, Message};
use translator::{Outcome, Translator};

/// How long reaching the backend may take. A charger has its own patience; the live plane's ends with the charger's.
const REACH: Duration = Duration::from_mins(1);

/// Why a mediated connection came to nothing, or broke.
#[derive(Debug, thiserror::Error)]
enum MediatorError {
    #[error("another user's process")]
    Stranger,
    #[error("no request")]
    NoRequest,
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("backend not reached in time")]
    Slow,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a frame that cannot be followed")]
    Frame,
    #[error("a name could not be journalled")]
    Journal,
    #[error("the charger belongs to the other backend")]
    Elsewhere,
}

/// The sockets of the recording in `dir`, by leg. The live plane connects to the one of the charger's authority.
pub fn sockets(dir: &Path) -> [PathBuf; 2] {
    [Leg::Legacy, Leg::Candidate].map(|leg| dir.join(format!("mediator-{}.sock", leg.word())))
}

/// Mediates for every charger that comes.
pub struct Mediator {
    board: Switchboard,
    recorder: Recorder,
    /// By leg.
    backends: [Rc<Reached>; 2],
    listeners: [UnixListener; 2],
    sockets: Sockets,
}

/// The sockets' files, which go when nobody listens any more.
struct Sockets([PathBuf; 2]);

impl Drop for Sockets {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!(%error, path = %path.display(), "socket not removed");
            }
        }
    }
}

/// A backend and the way to it.
struct Reached {
    leg: Leg,
    backend: Backend,
    dialer: Dialer,
    tuning: Tuning,
}

/// Why there is no mediator.
#[derive(Debug, thiserror::Error)]
pub enum NoMediator {
    /// Its socket can't be made.
    #[error("make the mediator's socket {0}")]
    Socket(PathBuf, #[source] io::Error),
    /// TLS to a backend can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Mediator {
    /// Listens in the recording's directory, for processes of this user alone. `backends` are by leg.
    pub fn bind(
        dir: &Path,
        backends: [Backend; 2],
        tuning: Tuning,
        board: Switchboard,
        recorder: &Recorder,
    ) -> Result<Self, NoMediator> {
        let [legacy, candidate] = sockets(dir).map(|path| listen(&path));
        let reached = |leg, backend: Backend| {
            let dialer = Dialer::new(backend.clone(), Rc::new(Reserve::default()))?;
            Ok::<_, TlsError>(Rc::new(Reached {
                leg,
                backend,
                dialer,
                tuning,
            }))
        };
        let [first, second] = backends;
        Ok(Self {
            board,
            recorder: recorder.clone(),
            backends: [
                reached(Leg::Legacy, first)?,
                reached(Leg::Candidate, second)?,
            ],
            listeners: [legacy?, candidate?],
            sockets: Sockets(sockets(dir)),
        })
    }

    /// Mediates for ever. Connections end with the tasks that serve them.
    pub async fn serve(self) -> Infallible {
        tracing::debug!(sockets = ?self.sockets.0, "mediator listens");
        loop {
            let (accepted, backend) = tokio::select! {
                accepted = self.listeners[0].accept() => (accepted, &self.backends[0]),
                accepted = self.listeners[1].accept() => (accepted, &self.backends[1]),
            };
            match accepted {
                Ok((stream, _)) => {
                    let line = Line {
                        board: self.board.clone(),
                        recorder: self.recorder.clone(),
                        backend: Rc::clone(backend),
                    };
                    spawn_local(line.serve(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "mediator cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

fn listen(path: &Path) -> Result<UnixListener, NoMediator> {
    let made = (|| {
        // The recording has one writer, and that is us: whoever listened here is dead.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    })();
    made.map_err(|error| NoMediator::Socket(path.to_owned(), error))
}

/// One mediated connection.
struct Line {
    board: Switchboard,
    recorder: Recorder,
    backend: Rc<Reached>,
}

impl Line {
    async fn serve(self, mut charger: UnixStream) {
        if let Err(error) = self.mediate(&mut charger).await {
            tracing::info!(%error, leg = self.backend.leg.word(), "mediated connection ended");
        }
    }

    async fn mediate(&self, charger: &mut UnixStream) -> Result<(), MediatorError> {
        if charger.peer_cred()?.uid() != rustix::process::geteuid().as_raw() {
            return Err(MediatorError::Stranger);
        }
        let (head, early, name) = self.read_request(charger).await?;
        // The live plane may have heard of a switch later than we: the names would be those of the other backend.
        self.names(&name)?;
        let dial = self.backend.dialer.dial(&self.backend.tuning);
        let dialed = timeout(REACH, dial).await;
        let mut authority = dialed.map_err(|_| MediatorError::Slow)??;
        authority.write_all(&without_extensions(&head)).await?;
        authority.flush().await?;
        let (mut answer, response) = read_answer(&mut authority).await?;
        let names = self.names(&name)?;
        if response.status != 101 {
            charger.write_all(&answer).await?;
            return relay_refusal(charger, &mut authority).await;
        }
        let behind = answer.split_off(response.len);
        charger.write_all(&answer).await?;
        let version = response.subprotocol.as_deref();
        let version = version.and_then(Version::from_subprotocol);
        let talk = Talk {
            line: self,
            translator: RefCell::new(Translator::new(version.unwrap_or(Version::V16), names)),
            charger: name,
        };
        talk.run((charger, early), (authority, behind)).await
    }

    /// What the charger names otherwise than this backend.
    fn names(&self, charger: &Arc<str>) -> Result<Vec<Carried>, MediatorError> {
        let names = self.board.carried(charger, self.backend.leg);
        names.ok_or(MediatorError::Elsewhere)
    }

    /// The request's head, what came behind it, and the charger's name.
    async fn read_request(
        &self,
        charger: &mut UnixStream,
    ) -> Result<(Vec<u8>, Vec<u8>, Arc<str>), MediatorError> {
        let mut bytes = Vec::new();
        loop {
            if let Some(request) = read_request(&bytes, self.backend.backend.base_path())? {
                let name = request.identity.ok_or(MediatorError::NoRequest)?;
                let early = bytes.split_off(request.len);
                return Ok((bytes, early, Arc::from(name)));
            }
            if charger.read_buf(&mut bytes).await? == 0 {
                return Err(MediatorError::NoRequest);
            }
        }
    }
}

/// The backend's final answer as it came, with what it read of it. Bytes behind the head are part of the first.
async fn read_answer(authority: &mut Stream) -> Result<(Vec<u8>, Response), MediatorError> {
    let mut bytes = Vec::new();
    let mut done = 0;
    loop {
        match read_response(&bytes[done..])? {
            Some(interim) if interim.status < 200 && interim.status != 101 => done += interim.len,
            Some(response) => {
                let response = Response {
                    len: done + response.len,
                    ..response
                };
                return Ok((bytes, response));
            }
            None if authority.read_buf(&mut bytes).await? == 0 => {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            None => {}
        }
    }
}

/// The rest of a refusal. What the charger says to it goes nowhere: nobody would translate it.
async fn relay_refusal(
    charger: &mut UnixStream,
    authority: &mut Stream,
) -> Result<(), MediatorError> {
    let (mut reads, mut writes) = charger.split();
    let mut nowhere = tokio::io::sink();
    tokio::select! {
        told = copy(authority, &mut writes) => told?,
        left = copy(&mut reads, &mut nowhere) => left?,
    };
    Ok(())
}

/// The head without an offer of extensions: compressed messages could not be translated, and a backend cannot miss what
/// it was not offered.
fn without_extensions(head: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"sec-websocket-extensions:";
    head.split_inclusive(|&byte| byte == b'\n')
        .filter(|line| {
            let name = line.get(..NAME.len());
            !name.is_some_and(|name| name.eq_ignore_ascii_case(NAME))
        })
        .flatten()
        .copied()
        .collect()
}

/// An open mediated connection.
struct Talk<'a> {
    line: &'a Line,
    charger: Arc<str>,
    translator: RefCell<Translator>,
}

impl Talk<'_> {
    async fn run(
        &self,
        (charger, early): (&mut UnixStream, Vec<u8>),
        (authority, behind): (Stream, Vec<u8>),
    ) -> Result<(), MediatorError> {
        tracing::info!(charger = %self.charger.escape_debug(), "charger mediated");
        let (charger_reads, charger_writes) = charger.split();
        let (authority_reads, authority_writes) = split(authority);
        tokio::try_join!(
            self.carry_up(Frames::after(early), charger_reads, authority_writes),
            self.carry_down(Frames::after(behind), authority_reads, charger_writes),
        )?;
        Ok(())
    }

    async fn carry_up(
        &self,
        mut frames: Frames,
        mut charger: tokio::net::unix::ReadHalf<'_>,
        mut authority: WriteHalf<Stream>,
    ) -> Result<(), MediatorError> {
        while let Some(message) = frames.next(&mut charger).await? {
            let mut outcome = match &message.text {
                Some(text) => self.translator.borrow_mut().charger_says(text),
                None if message.is_control => Outcome::default(),
                None => Outcome::unreadable(),
            };
            let ended = std::mem::take(&mut outcome.ended);
            self.pass(message, outcome, Dir::FromCharger, &mut authority)
                .await?;
            for transaction in ended {
                let leg = self.line.backend.leg;
                self.line.board.settled(&self.charger, leg, &transaction);
            }
        }
        authority.shutdown().await?;
        Ok(())
    }

    async fn carry_down(
        &self,
        mut frames: Frames,
        mut authority: ReadHalf<Stream>,
        mut charger: tokio::net::unix::WriteHalf<'_>,
    ) -> Result<(), MediatorError> {
        let leg = self.line.backend.leg;
        while let Some(message) = frames.next(&mut authority).await? {
            let outcome = match &message.text {
                Some(text) => self.translator.borrow_mut().authority_says(text),
                None => Outcome::default(),
            };
            for alias in &outcome.aliases {
                let board = &self.line.board;
                let journalled = board.rename(&self.charger, leg, alias.clone()).await;
                if journalled == Err(UNJOURNALLED) {
                    return Err(MediatorError::Journal);
                }
            }
            self.pass(message, outcome, Dir::ToCharger, &mut charger)
                .await?;
        }
        charger.shutdown().await?;
        Ok(())
    }

    /// Passes a message on: as it came, or with other names in it, or not at all. What was done to it is recorded first.
    async fn pass(
        &self,
        message: Message,
        outcome: Outcome,
        dir: Dir,
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> Result<(), MediatorError> {
        let bytes = match (outcome.withheld, &outcome.text) {
            (None, None) => {
                to.write_all(&message.raw).await?;
                to.flush().await?;
                return Ok(());
            }
            (None, Some(text)) => message.with_text(text),
            (Some(why), _) => {
                tracing::warn!(charger = %self.charger.escape_debug(), why, "message withheld");
                Vec::new()
            }
        };
        let mut note =
            json!({"id": outcome.id, "action": outcome.action, "rewrites": outcome.rewrites});
        if let Some(why) = outcome.withheld {
            note["withheld"] = json!(why);
        }
        let fact = Fact::new(Kind::Mediated, Clock::system().now())
            .on(&self.charger, 0)
            .via(self.line.backend.leg, dir);
        self.line.recorder.record(fact.note(&note));
        to.write_all(&bytes).await?;
        to.flush().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offer_of_extensions_is_left_out_and_nothing_else() {
        let head = b"GET /CP1 HTTP/1.1\r\nHost: x\r\nsec-WebSocket-Extensions: permessage-deflate\r\nX: y\r\n\r\n";
        let left: &[u8] = b"GET /CP1 HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n";
        assert_eq!(without_extensions(head), left);
        assert_eq!(without_extensions(left), left);
    }
}
