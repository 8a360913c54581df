//! A charger's way in: read its request, reach the authority, then splice.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::answer::{Asker, Asking, Pending};
use super::certificate::Certificate;
use super::dial::{DialError, Dialer};
use super::head::{HeadError, MAX_HEAD, Request, read_request};
use super::listener::Seat;
use super::offer::{self, Offer, Warned};
use super::routes::Route;
use super::splice::{HELD, Shared, Splice};
use super::stream::{Stream, tune};
use crate::clock::{Clock, Micros};
use crate::facts::Leg;

/// How long the authority may take for a charger that has sent FIN already. It may only have closed its sending half; but
/// a charger that has gone must not reach the authority later than its own next attempt.
const HALF_CLOSED_PATIENCE: Duration = Duration::from_secs(1);

/// What an identity that is not listed is answered: what OCPP wants a backend to answer one that it does not know.
pub const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Why an identity that is not listed gets no connection.
pub const UNLISTED: &str = "refused by the tap: not on its list of chargers";

/// How long a charger that was turned away may take to hang up, so that it can read the answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// Lets chargers in.
pub struct Porch {
    shared: Rc<Shared>,
    /// By leg.
    dialers: [Option<Dialer>; 2],
    tls: Option<TlsAcceptor>,
    warned: RefCell<Warned>,
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
    #[error("it is not set up as an authority")]
    NoFace,
    #[error("no mediator")]
    NoMediator(#[source] io::Error),
    #[error("send the request head")]
    Send(#[source] io::Error),
}

impl Porch {
    /// A porch that leads to both backends; `dialers` are by leg.
    pub fn new(shared: Rc<Shared>, dialers: [Option<Dialer>; 2], tls: Option<TlsAcceptor>) -> Self {
        Self {
            shared,
            dialers,
            tls,
            warned: RefCell::default(),
        }
    }

    /// Serves one accepted connection until it ends.
    pub async fn serve(self: Rc<Self>, tcp: TcpStream, peer: SocketAddr, seat: Seat, place: Seat) {
        // Boxed, so that the task does not keep the room of the handshake for its life.
        let introduction = Box::pin(self.introduce(tcp, peer, place));
        if let Some(splice) = introduction.await {
            splice.run().await;
        }
        self.dialers.iter().flatten().for_each(Dialer::restock);
        drop(seat);
    }

    async fn introduce(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        place: Seat,
    ) -> Option<Box<Splice>> {
        let pending = Pending::new(&self.shared.metrics, Some(place));
        let mut asker = Asker {
            conn: self.shared.epoch(),
            peer,
            authority: self.shared.settings.authority,
            mediated: false,
            certificate: None,
            tls: None,
        };
        let mut charger = match self.greet(tcp, &mut asker).await {
            Ok(charger) => charger,
            Err(error) => {
                tracing::info!(%peer, error = %chain(&error), "charger not greeted");
                return None;
            }
        };
        let opening = self.read_opening(&mut charger).await?;
        let request = opening.request.as_ref().ok();
        let identity = request.and_then(|request| request.identity.clone());
        let identity = identity.unwrap_or_default();
        if !self.admits(&opening, &identity) {
            self.turn_away(charger, &asker, identity).await;
            return None;
        }
        asker.authority = self.shared.routes.of(&identity).authority;
        match self.reach(charger, &opening, &identity).await {
            Ok(line) => {
                asker.authority = line.route.authority;
                asker.mediated = line.route.mediated;
                Some(self.splice(line, opening, asker, pending))
            }
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

    /// Whether a charger may come in. Where only listed identities may, nothing does that cannot be told to be one.
    fn admits(&self, opening: &Opening, identity: &str) -> bool {
        let settings = &self.shared.settings;
        let followed = |request: &Request| request.upgrade || request.is_followable;
        settings.allowed.is_none()
            || (settings.allows(identity) && opening.request.as_ref().is_ok_and(followed))
    }

    /// Answers in a backend's place that this identity is not known.
    async fn turn_away(&self, mut charger: Stream, asker: &Asker, identity: String) {
        asker.turned_away(&self.shared.roster, identity, UNLISTED.to_owned());
        let farewell = async {
            charger.write_all(NOT_FOUND).await?;
            charger.shutdown().await?;
            // Closing with unread bytes would reset the connection, and the answer might be lost.
            tokio::io::copy(&mut charger, &mut tokio::io::sink()).await
        };
        if let Ok(Err(error)) = timeout(FAREWELL, farewell).await {
            tracing::debug!(%error, "charger left before its answer");
        }
    }

    /// Takes the charger's line, through TLS where the tap ends that; `asker` gets what it tells of the charger.
    async fn greet(&self, tcp: TcpStream, asker: &mut Asker) -> io::Result<Stream> {
        let settings = &self.shared.settings;
        tune(&tcp, &settings.tuning())?;
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let config = Arc::clone(tls.config());
        let greeting = async {
            let begun = match LazyConfigAcceptor::new(Acceptor::default(), tcp).await {
                Ok(begun) => begun,
                Err(error) => {
                    if let Some(offer) = Offer::unseen(&error) {
                        self.take_offer(offer, false, asker);
                    }
                    return Err(error);
                }
            };
            let suites = begun.client_hello().cipher_suites().to_vec();
            self.take_offer(Offer::of(&suites), offer::fits(&suites, &config), asker);
            begun.into_stream(config).await
        };
        let stream = timeout(settings.head_timeout, greeting).await??;
        let stream = Stream::Tls(Box::new(stream.into()));
        asker.certificate = subject(&stream);
        Ok(stream)
    }

    /// Counts what a charger offers, and tells of one that the tap's own TLS locks out: nobody would hear of it else.
    fn take_offer(&self, offer: Offer, fits: bool, asker: &mut Asker) {
        self.shared.metrics.offers.count(offer, fits);
        asker.tls = Some(offer);
        if fits {
            return;
        }
        let why = offer.lockout();
        if self.warned.borrow_mut().is_due(asker.peer.ip()) {
            tracing::warn!(peer = %asker.peer.ip(), why, "a charger cannot join through this tap's TLS; end TLS in front of the tap for it");
        }
        asker.refused(&self.shared.roster, String::new(), None, why.to_owned());
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

    /// The head as this authority gets it. An unread head goes as it is, and so does all behind.
    fn outgoing(&self, opening: &Opening, authority: Leg) -> Vec<u8> {
        match &opening.request {
            Ok(request) => {
                let settings = &self.shared.settings;
                let backend = settings.backend(authority);
                request.rewrite(&opening.bytes, &settings.base_path, backend)
            }
            Err(_) => opening.bytes.clone(),
        }
    }

    /// A line to the backend that a charger hears, or to the mediator that stands before it.
    async fn dial(&self, route: Route) -> Result<Stream, NoLine> {
        let settings = &self.shared.settings;
        if route.mediated {
            let no_mediator = || io::Error::from(io::ErrorKind::NotFound);
            let mediators = settings.mediators.as_ref().ok_or_else(no_mediator);
            let mediators = mediators.map_err(NoLine::NoMediator)?;
            let socket = UnixStream::connect(&mediators[route.authority as usize]).await;
            return socket.map(Stream::Local).map_err(NoLine::NoMediator);
        }
        let dialer = self.dialers[route.authority as usize].as_ref();
        let dialer = dialer.ok_or(NoLine::NoFace)?;
        Ok(dialer.dial(&settings.tuning()).await?)
    }

    /// Dials and sends the head, as long as the charger waits. What it sends meanwhile is kept.
    async fn reach(
        &self,
        mut charger: Stream,
        opening: &Opening,
        identity: &str,
    ) -> Result<Line, NoLine> {
        let mut early = match &opening.request {
            Ok(request) => opening.bytes[request.len..].to_vec(),
            Err(_) => Vec::new(),
        };
        let mut ended = opening.ended;
        let reaching = async {
            self.shared.roster.dismissed(identity).await;
            let route = self.shared.routes.admitted(identity).await;
            let mut authority = self.dial(route).await?;
            let head = self.outgoing(opening, route.authority);
            authority.write_all(&head).await.map_err(NoLine::Send)?;
            authority.flush().await.map_err(NoLine::Send)?;
            Ok::<_, NoLine>((authority, route))
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
            Ok((authority, route)) => Ok(Line {
                sockets: [charger, authority],
                route,
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
            route: _,
        } = line;
        let shared = Rc::clone(&self.shared);
        let request = match opening.request {
            Ok(request) => request,
            Err(unread) => {
                let why = format!("request forwarded unread: {unread}");
                asker.refused(&shared.roster, String::new(), None, why);
                return Splice::opaque(shared, sockets, early, ended);
            }
        };
        if !request.upgrade {
            shared.metrics.plain.add(1);
            if !request.is_followable {
                return Splice::opaque(shared, sockets, early, ended);
            }
        }
        let passes = shared.settings.pass_credentials;
        let login = passes.then(|| request.login(&opening.bytes)).flatten();
        let asking = Asking::new(asker, request, login, opening.at, pending);
        Splice::asking(shared, sockets, asking, early, ended)
    }
}

/// Two sockets, what the charger sent ahead, and the way it went.
struct Line {
    sockets: [Stream; 2],
    early: Vec<u8>,
    ended: bool,
    route: Route,
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

/// Whom the charger's certificate names, if it showed one.
fn subject(charger: &Stream) -> Option<Rc<str>> {
    let certificate = Certificate::read(charger.peer_certificate()?)?;
    Some(certificate.subject.into())
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
