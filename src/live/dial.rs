//! Connects to a backend: the live plane to the authority, as patiently as the charger would, and the shadow plane to the
//! other one.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::backend::Backend;
use super::listener::Reserve;
use super::settings::Tuning;
use super::stream::{Stream, tune};
use super::tls::{Outgoing, TlsError, outgoing};

/// How long an answer of the resolver is used without asking again.
const FRESH: Duration = Duration::from_secs(5);

/// How long a slow resolver is waited for when an older answer is known.
const RESOLVER_PATIENCE: Duration = Duration::from_secs(1);

/// How long one address may take before the next one is tried beside it.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Why a backend could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Its name has no address, and never had one.
    #[error("resolve {host}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// No address accepted a connection. The source is the first address's refusal.
    #[error("connect to {backend}")]
    Connect {
        /// The backend.
        backend: String,
        /// Why.
        source: io::Error,
    },
    /// Its name leads to this machine or its link, where nobody said that it is.
    #[error("{host} resolves to {address}, an address of this machine or its link")]
    Local {
        /// The name.
        host: String,
        /// What it resolves to.
        address: IpAddr,
    },
    /// TLS was not agreed on.
    #[error("agree on tls with {backend}")]
    Tls {
        /// The backend.
        backend: String,
        /// Why.
        source: io::Error,
    },
}

/// Dials one backend.
pub struct Dialer {
    backend: Backend,
    resolver: Resolver,
    tls: Option<Outgoing>,
    reserve: Rc<Reserve>,
    refuses_local: bool,
}

impl Dialer {
    /// Prepares to dial `backend`: loads its roots, starts its resolver.
    pub fn new(backend: Backend, reserve: Rc<Reserve>) -> Result<Self, TlsError> {
        Ok(Self {
            tls: outgoing(&backend)?,
            resolver: Resolver::new(&backend),
            backend,
            reserve,
            refuses_local: false,
        })
    }

    /// The same dialer, which does not follow a name to this machine, its link or a cloud's metadata service. An address or
    /// `localhost` in the URL is the operator's own word.
    #[must_use]
    pub fn refusing_local(mut self) -> Self {
        self.refuses_local = self.resolver.questions.is_some()
            && !self.backend.host.eq_ignore_ascii_case("localhost");
        self
    }

    /// Connects. A backend that answers nothing is waited for without end: the charger decides when to give up, and
    /// dropping the future hangs up.
    pub async fn dial(&self, tuning: &Tuning) -> Result<Stream, DialError> {
        let tcp = loop {
            let addresses = self.permitted(self.resolver.resolve().await?)?;
            match self.connect_any(&addresses, tuning).await {
                Ok(tcp) => break tcp,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(source) => {
                    let backend = self.backend.to_string();
                    return Err(DialError::Connect { backend, source });
                }
            }
        };
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        match tls.connector.connect(tls.name.clone(), tcp).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
            Err(source) => Err(DialError::Tls {
                backend: self.backend.to_string(),
                source,
            }),
        }
    }

    /// Takes back what of the descriptor reserve was given up, now that a connection has ended.
    pub fn restock(&self) {
        self.reserve.refill();
    }

    /// The addresses that may be dialled.
    fn permitted(&self, mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, DialError> {
        let Some(local) = addresses
            .iter()
            .map(SocketAddr::ip)
            .find(|ip| is_local(*ip))
        else {
            return Ok(addresses);
        };
        if !self.refuses_local {
            return Ok(addresses);
        }
        addresses.retain(|address| !is_local(address.ip()));
        if addresses.is_empty() {
            let host = self.backend.host.clone();
            return Err(DialError::Local {
                host,
                address: local,
            });
        }
        Ok(addresses)
    }

    /// Tries the addresses in order, the next one as soon as one fails or takes its time; the first to connect wins.
    async fn connect_any(
        &self,
        addresses: &[SocketAddr],
        tuning: &Tuning,
    ) -> io::Result<TcpStream> {
        let mut waiting = addresses.iter();
        let mut trying = FuturesUnordered::new();
        let mut refused = None;
        loop {
            let more = waiting.next();
            trying.extend(more.map(|&address| self.connect(address, tuning)));
            let patience = if waiting.len() > 0 {
                NEXT_ADDRESS
            } else {
                Duration::MAX
            };
            match timeout(patience, trying.next()).await {
                Ok(Some(Ok(tcp))) => return Ok(tcp),
                Ok(Some(Err(error))) => {
                    refused.get_or_insert(error);
                }
                Ok(None) if waiting.len() == 0 => {
                    return Err(refused.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
                }
                Ok(None) | Err(_) => {}
            }
        }
    }

    async fn connect(&self, address: SocketAddr, tuning: &Tuning) -> io::Result<TcpStream> {
        let socket = match new_socket(address) {
            Err(error) if Reserve::is_exhausted(&error) => {
                self.reserve.release();
                new_socket(address)?
            }
            other => other?,
        };
        // Before connecting: the window that is offered depends on it.
        if let Some(buffer) = tuning.buffer {
            SockRef::from(&socket).set_recv_buffer_size(buffer)?;
        }
        let tcp = socket.connect(address).await?;
        tune(&tcp, tuning)?;
        Ok(tcp)
    }
}

/// Whether an address is one of this machine, of its link, or of no single machine. The metadata services of clouds are on
/// the link, but for one.
fn is_local(address: IpAddr) -> bool {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6 == METADATA
        }
    }
}

fn new_socket(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
}

type Answer = io::Result<Vec<SocketAddr>>;

/// Resolves one name on a thread of its own, never on the runtime's blocking pool, and keeps the last good answer.
struct Resolver {
    host: String,
    port: u16,
    questions: Option<mpsc::Sender<oneshot::Sender<Answer>>>,
    last_good: RefCell<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Resolver {
    fn new(backend: &Backend) -> Self {
        let literal = backend.host.parse::<IpAddr>().ok();
        Self {
            host: backend.host.clone(),
            port: backend.port,
            questions: literal.is_none().then(|| start_thread(backend)).flatten(),
            last_good: RefCell::new(
                literal.map(|ip| (Instant::now(), vec![SocketAddr::new(ip, backend.port)])),
            ),
        }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, DialError> {
        let known = self.last_good.borrow().clone();
        let answer = match (&self.questions, known) {
            (None, Some((_, addresses))) => return Ok(addresses),
            (_, Some((at, addresses))) if at.elapsed() < FRESH => return Ok(addresses),
            (_, None) => self.ask().await,
            (_, Some((_, addresses))) => {
                let asked = timeout(RESOLVER_PATIENCE, self.ask()).await;
                Ok(asked.ok().and_then(Result::ok).unwrap_or_else(|| {
                    tracing::warn!(
                        host = self.host,
                        "resolver failed, using the last good address"
                    );
                    addresses
                }))
            }
        };
        let addresses = answer.map_err(|source| DialError::Resolve {
            host: format!("{}:{}", self.host, self.port),
            source,
        })?;
        *self.last_good.borrow_mut() = Some((Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    async fn ask(&self) -> Answer {
        let gone = || io::Error::other("resolver thread is gone");
        let (sender, answer) = oneshot::channel();
        let questions = self.questions.as_ref().ok_or_else(gone)?;
        questions.send(sender).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Answers every question that waits with one look-up, so that a storm of chargers costs one.
fn start_thread(backend: &Backend) -> Option<mpsc::Sender<oneshot::Sender<Answer>>> {
    let (sender, questions) = mpsc::channel::<oneshot::Sender<Answer>>();
    let (host, port) = (backend.host.clone(), backend.port);
    let resolve = move || {
        while let Ok(first) = questions.recv() {
            let answer = (host.as_str(), port).to_socket_addrs();
            let answer = answer.map(Iterator::collect::<Vec<_>>);
            for asker in std::iter::once(first).chain(questions.try_iter()) {
                let copy = match &answer {
                    Ok(addresses) => Ok(addresses.clone()),
                    Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                };
                // An asker whose charger left does not wait any more.
                drop(asker.send(copy));
            }
        }
    };
    let thread = std::thread::Builder::new().name("resolver".to_owned());
    match thread.spawn(resolve) {
        Ok(_) => Some(sender),
        Err(error) => {
            tracing::error!(%error, "cannot start the resolver thread");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Settings;

    fn dialer(url: &str) -> Dialer {
        let backend = Backend::parse(url).unwrap();
        Dialer::new(backend, Rc::new(Reserve::default())).unwrap()
    }

    fn tuning() -> Tuning {
        let backend = Backend::parse("ws://127.0.0.1").unwrap();
        Settings::new(([127, 0, 0, 1], 0).into(), backend.clone(), backend).tuning()
    }

    #[test]
    fn a_name_does_not_lead_to_this_machine_or_its_link() {
        let away = SocketAddr::from(([10, 0, 0, 9], 80));
        for local in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
        ] {
            let local = SocketAddr::new(local.parse().unwrap(), 80);
            let guarded = dialer("ws://csms.example").refusing_local();
            assert_eq!(guarded.permitted(vec![local, away]).unwrap(), [away]);
            let error = guarded.permitted(vec![local]).unwrap_err();
            assert!(matches!(error, DialError::Local { address, .. } if address == local.ip()));
            for by_word in [
                dialer("ws://127.0.0.1").refusing_local(),
                dialer("ws://localhost").refusing_local(),
                dialer("ws://csms.example"),
            ] {
                assert_eq!(by_word.permitted(vec![local]).unwrap(), [local]);
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn names_resolve_off_the_runtime_and_failures_keep_the_last_good_address() {
        let dialer = dialer("ws://localhost:80");
        let addresses = dialer.resolver.resolve().await.unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        let stale = Instant::now().checked_sub(FRESH).unwrap();
        let broken = Resolver {
            questions: None,
            ..dialer.resolver
        };
        let good = vec![SocketAddr::from(([192, 0, 2, 1], 80))];
        *broken.last_good.borrow_mut() = Some((stale, good.clone()));
        assert_eq!(broken.resolve().await.unwrap(), good);
        *broken.last_good.borrow_mut() = None;
        assert!(broken.resolve().await.is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_next_address_is_tried_when_one_refuses() {
        let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [refusing, listening].map(|listener| {
            let address = listener.local_addr().unwrap();
            (address, listener)
        });
        let [(closed, refusing), (open, _listening)] = addresses;
        drop(refusing);
        let dialer = dialer("ws://127.0.0.1");
        let tcp = dialer
            .connect_any(&[closed, open], &tuning())
            .await
            .unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), open);
        let error = dialer.connect_any(&[closed], &tuning()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
