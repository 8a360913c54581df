//! A charger's way in: read its request, reach the authority, then splice.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::{Asker, Asking, Pending};
use super::dial::{DialError, Dialer};
use super::head::{HeadError, MAX_HEAD, Request, read_request};
use super::listener::Seat;
use super::splice::{HELD, Shared, Splice};
use super::stream::{Stream, tune};
use crate::clock::{Clock, Micros};

/// How long the authority may take for a charger that has sent FIN already. It may only have closed its sending half; but
/// a charger that has gone must not reach the authority later than its own next attempt.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(1);

/// Lets chargers in.
pub struct Porch {
    shared: Rc<Shared>,
    dialer: Dialer,
    tls: Option<TlsAcceptor>,
    next_conn: Cell<u64>,
}

/// What a charger opened with.
struct Opening {
    /// Everything read so far: the head and perhaps more.
    bytes: Vec<u8>,
    /// The head, or why it was not read.
    request: Result<Request, Unread>,
    /// The charger has sent FIN.
    ended: bool,
    /// When the head was complete, or given up.
    at: Micros,
}

/// Why a request head was not read. Its bytes are forwarded as they are.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error("head not complete in time")]
    Slow,
    #[error("charger closed before the head was complete")]
    Ended,
}

/// Why a charger's line did not come about.
#[derive(Debug, thiserror::Error)]
enum NoLine {
    #[error("charger left")]
    ChargerLeft,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("send the request head")]
    Send(#[source] io::Error),
}

impl Porch {
    /// A porch that leads to one authority.
    pub fn new(shared: Rc<Shared>, dialer: Dialer, tls: Option<TlsAcceptor>) -> Self {
        let next_conn = Cell::new(shared.settings.first_conn);
        Self {
            shared,
            dialer,
            tls,
            next_conn,
        }
    }

    /// Serves one accepted connection until it ends.
    pub async fn serve(self: Rc<Self>, tcp: TcpStream, peer: SocketAddr, seat: Seat, place: Seat) {
        // Boxed, so that the task does not keep the room of the handshake for its life.
        let introduction = Box::pin(self.introduce(tcp, peer, place));
        if let Some(splice) = introduction.await {
            splice.run().await;
        }
        self.dialer.restock();
        drop(seat);
    }

    async fn introduce(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        place: Seat,
    ) -> Option<Box<Splice>> {
        let settings = &self.shared.settings;
        let asker = Asker {
            conn: self.next_conn.replace(self.next_conn.get() + 1),
            peer,
            authority: settings.authority,
        };
        let pending = Pending::new(&self.shared.metrics, place);
        let mut charger = match self.greet(tcp).await {
            Ok(charger) => charger,
            Err(error) => {
                tracing::info!(%peer, error = %chain(&error), "charger not greeted");
                return None;
            }
        };
        let opening = self.read_opening(&mut charger).await?;
        let (head, early) = self.outgoing(&opening);
        let identity = opening
            .request
            .as_ref()
            .ok()
            .and_then(|request| request.identity.clone());
        let identity = identity.unwrap_or_default();
        match self.reach(charger, &head, early, opening.ended).await {
            Ok(line) => Some(self.splice(line, opening, asker, pending)),
            Err(error) => {
                let why = match error {
                    NoLine::ChargerLeft => error.to_string(),
                    _ => format!("{} unreachable: {}", asker.authority.word(), chain(&error)),
                };
                asker.refused(&self.shared.roster, identity, None, why);
                None
            }
        }
    }

    async fn greet(&self, tcp: TcpStream) -> io::Result<Stream> {
        let settings = &self.shared.settings;
        tune(&tcp, settings)?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let tls = timeout(settings.head_timeout, tls.accept(tcp)).await??;
        Ok(Stream::Tls(Box::new(tls.into())))
    }

    /// Reads the request head. `None` if nothing at all was sent: a port check, not a charger.
    async fn read_opening(&self, charger: &mut Stream) -> Option<Opening> {
        let mut bytes = Vec::with_capacity(1024);
        let settings = &self.shared.settings;
        let reading = read_head(charger, &mut bytes, &settings.base_path);
        let (request, ended) = match timeout(settings.head_timeout, reading).await {
            Ok(Ok(Some(request))) => (Ok(request), false),
            Ok(Ok(None)) => (Err(Unread::Ended), true),
            Ok(Err(Reading::Head(error))) => (Err(error.into()), false),
            Ok(Err(Reading::Reset)) => return None,
            Err(_) => (Err(Unread::Slow), false),
        };
        (!bytes.is_empty() || !ended).then(|| Opening {
            bytes,
            request,
            ended,
            at: Clock::system().now(),
        })
    }

    /// The head as the authority gets it, and what came behind it. An unread head goes as it is, and so does all behind.
    fn outgoing(&self, opening: &Opening) -> (Vec<u8>, Vec<u8>) {
        match &opening.request {
            Ok(request) => {
                let settings = &self.shared.settings;
                let backend = settings.authority_backend();
                let head = request.rewrite(&opening.bytes, &settings.base_path, backend);
                (head, opening.bytes[request.len..].to_vec())
            }
            Err(_) => (opening.bytes.clone(), Vec::new()),
        }
    }

    /// Dials and sends the head, as long as the charger waits. What it sends meanwhile is kept.
    async fn reach(
        &self,
        mut charger: Stream,
        head: &[u8],
        mut early: Vec<u8>,
        mut ended: bool,
    ) -> Result<Line, NoLine> {
        let reaching = async {
            let mut authority = self.dialer.dial(&self.shared.settings).await?;
            authority.write_all(head).await.map_err(NoLine::Send)?;
            authority.flush().await.map_err(NoLine::Send)?;
            Ok::<_, NoLine>(authority)
        };
        let mut reaching = pin!(reaching);
        let mut reached = None;
        if !ended {
            tokio::select! {
                biased;
                outcome = &mut reaching => reached = Some(outcome),
                left = hold(&mut charger, &mut early) => {
                    left.map_err(|_| NoLine::ChargerLeft)?;
                    ended = true;
                }
            }
        }
        let reached = match reached {
            Some(reached) => reached,
            None => timeout(HALF_CLOSED_PATIENCE, reaching)
                .await
                .unwrap_or(Err(NoLine::ChargerLeft)),
        };
        match reached {
            Ok(authority) => Ok(Line {
                sockets: [charger, authority],
                early,
                ended,
            }),
            Err(NoLine::ChargerLeft) => Err(NoLine::ChargerLeft),
            Err(error) => {
                if let Err(error) = charger.reset() {
                    tracing::debug!(%error, "cannot reset a charger whose authority is unreachable");
                }
                Err(error)
            }
        }
    }

    fn splice(&self, line: Line, opening: Opening, asker: Asker, pending: Pending) -> Box<Splice> {
        let Line {
            sockets,
            early,
            ended,
        } = line;
        let shared = Rc::clone(&self.shared);
        match opening.request {
            Ok(request) if request.upgrade => {
                let asking = Asking::new(asker, request, opening.at, pending);
                Splice::asking(shared, sockets, asking, early, ended)
            }
            Ok(_) => {
                shared.metrics.plain.add(1);
                Splice::opaque(shared, sockets, early, ended)
            }
            Err(unread) => {
                let why = format!("request forwarded unread: {unread}");
                asker.refused(&shared.roster, String::new(), None, why);
                Splice::opaque(shared, sockets, early, ended)
            }
        }
    }
}

/// Two sockets, and what the charger sent ahead.
struct Line {
    sockets: [Stream; 2],
    early: Vec<u8>,
    ended: bool,
}

enum Reading {
    Head(HeadError),
    Reset,
}

/// Reads until the head is complete; `None` if the charger ends before. Nothing behind the last read is lost: all bytes
/// are in `bytes`.
async fn read_head(
    charger: &mut Stream,
    bytes: &mut Vec<u8>,
    base_path: &str,
) -> Result<Option<Request>, Reading> {
    loop {
        let before = bytes.len();
        let n = charger.read_buf(bytes).await.map_err(|_| Reading::Reset)?;
        if n == 0 {
            return Ok(None);
        }
        // A head can only get complete with a line end: parsing less often keeps one-byte segments cheap.
        if before > 0 && !bytes[before..].contains(&b'\n') && bytes.len() < MAX_HEAD {
            continue;
        }
        if let Some(request) = read_request(bytes, base_path).map_err(Reading::Head)? {
            return Ok(Some(request));
        }
    }
}

/// Reads what the charger sends ahead, up to [`HELD`] bytes. Ends when the charger does; one that has sent more than that
/// is noticed when it is reset or vanishes.
async fn hold(charger: &mut Stream, early: &mut Vec<u8>) -> io::Result<()> {
    while early.len() < HELD {
        let room = (HELD - early.len()) as u64;
        if charger.take(room).read_buf(early).await? == 0 {
            return Ok(());
        }
    }
    charger.failure()?.await;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
