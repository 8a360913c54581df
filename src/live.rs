//! The live plane: accept, relay the handshake, pump bytes. No JSON of chargers, no disk, no terminal, no resolver in
//! the way, no blocking pool.
//!
//! Everything runs on one thread: a task per charger ([`splice`]), one that feeds the shadow plane ([`supervise`]), and
//! one per listening socket. What they share is [`splice::Shared`]. Nothing wakes up while nothing happens.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

pub mod answer;
pub mod backend;
pub mod body;
pub mod certificate;
pub mod connection;
pub mod dial;
pub mod ending;
pub mod handover;
pub mod head;
pub mod listener;
pub mod metrics;
pub mod offer;
pub mod roster;
pub mod routes;
pub mod secret;
pub mod seen;
pub mod settings;
pub mod splice;
pub mod stream;
pub mod supervise;
pub mod tank;
pub mod tls;
pub mod unlisted;
pub mod walker;

pub use backend::Backend;
pub use metrics::Metrics;
pub use settings::Settings;
pub use supervise::{Handover, ShadowCommand};

use connection::Porch;
use dial::Dialer;
use listener::{Reserve, Room};
use roster::{Leave, Roster};
use routes::Routes;
use splice::{Scratch, Shared};

use crate::facts::Leg;

/// Time between two tick records while connections are open.
const TICK: Duration = Duration::from_mins(1);

/// How long connections may take to end when the plane stops.
const ENDING: Duration = Duration::from_secs(1);

/// Why the live plane can't start or run.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// No address to listen on.
    #[error("no listen address is configured")]
    NoListener,
    /// An address that can't be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The seen-board can't be created.
    #[error("create the seen-board")]
    Board(#[source] io::Error),
    /// A backend that is needed as authority cannot be one.
    #[error("{0} has moved chargers, but cannot be an authority")]
    NoFace(&'static str, #[source] tls::TlsError),
    /// The authority's URL puts more into a request than a path in front of the identity.
    #[error(
        "{0} cannot be the authority: only a path may stand in front of the identity, and nothing behind it"
    )]
    Template(String),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// The live plane, bound to its addresses but not accepting yet.
pub struct LivePlane {
    listeners: Vec<std::net::TcpListener>,
    addresses: Vec<SocketAddr>,
    shared: Rc<Shared>,
    porch: Rc<Porch>,
    reserve: Rc<Reserve>,
    room: Room,
}

impl LivePlane {
    /// Binds the listeners, loads certificates and raises the limit of open files. Chargers that connect from now on wait
    /// in the kernel until [`LivePlane::run`].
    pub fn bind(settings: Settings) -> Result<Self, LiveError> {
        let moved = settings.routes.iter().map(|(_, route)| route.authority);
        for authority in moved.chain([settings.authority]) {
            let backend = settings.backend(authority);
            if !backend.is_plain() {
                return Err(LiveError::Template(backend.to_string()));
            }
        }
        let (listeners, addresses) = bind_all(&settings)?;
        let reserve = Rc::new(Reserve::default());
        reserve.refill();
        let dialers = dialers(&settings, &reserve)?;
        let acceptor = acceptor(&settings)?;
        let room = room(&settings);
        let metrics = Arc::new(Metrics::default());
        let board = board(&settings).map_err(LiveError::Board)?;
        let roster = Roster::new(board, settings.handover_bytes, Arc::clone(&metrics));
        let shared = Rc::new(Shared {
            next_conn: settings.first_conn.into(),
            routes: Routes::new(settings.authority, settings.routes.clone()),
            settings,
            metrics,
            roster,
            scratch: Scratch::default().into(),
        });
        Ok(Self {
            listeners,
            addresses,
            porch: porch(&shared, dialers, acceptor),
            shared,
            reserve,
            room,
        })
    }

    /// The addresses listened on, with real ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The counters, for readers on other threads.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Where the shadow plane can open the [seen-board](seen) while this process lives; to be passed in its arguments.
    pub fn seen_board(&self) -> PathBuf {
        self.shared.roster.board_path()
    }

    /// Runs until `shutdown` becomes true (or its sender is dropped): then stops accepting, ends every connection with a
    /// FIN, hands over what is left and lets the shadow plane exit. Needs a `LocalRuntime`.
    pub async fn run(
        self,
        handover: Handover,
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<(), LiveError> {
        let (stop, stopped) = watch::channel(false);
        let supervisor = supervise::supervise(Rc::clone(&self.shared), handover, stopped);
        let supervisor = tokio::task::spawn_local(supervisor);
        let shared = Rc::clone(&self.shared);
        let mut tasks = self.start()?;
        // An error means that nobody can ask for the shutdown any more, which asks for it.
        drop(shutdown.wait_for(|shutdown| *shutdown).await);
        tracing::info!("live plane stops");
        tasks.abort_all();
        end_connections(&shared).await;
        shared.roster.stopping();
        stop.send_replace(true);
        if let Err(error) = supervisor.await {
            tracing::error!(%error, "supervisor failed");
        }
        Ok(())
    }

    /// Starts accepting. The tasks end when the set is dropped; those of the chargers live on.
    fn start(self) -> Result<JoinSet<()>, LiveError> {
        let mut tasks = JoinSet::new();
        for (listener, address) in self.listeners.into_iter().zip(self.addresses) {
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(|source| LiveError::Listen { address, source })?;
            tracing::info!(%address, "listening for chargers");
            let porch = Rc::clone(&self.porch);
            tasks.spawn_local(listener::accept(
                listener,
                self.room.clone(),
                Rc::clone(&self.reserve),
                Arc::clone(&self.shared.metrics),
                move |tcp, peer, seat, place| {
                    tokio::task::spawn_local(Rc::clone(&porch).serve(tcp, peer, seat, place));
                },
            ));
        }
        tasks.spawn_local(tick(self.shared));
        Ok(tasks)
    }
}

fn bind_all(
    settings: &Settings,
) -> Result<(Vec<std::net::TcpListener>, Vec<SocketAddr>), LiveError> {
    if settings.listen.is_empty() {
        return Err(LiveError::NoListener);
    }
    let bind = |&address: &SocketAddr| {
        let bound = listener::listen(address, settings.socket_buffer);
        bound
            .and_then(|listener| listener.local_addr().map(|real| (listener, real)))
            .map_err(|source| LiveError::Listen { address, source })
    };
    settings.listen.iter().map(bind).collect()
}

fn board(settings: &Settings) -> io::Result<seen::Writer> {
    if settings.lasting_board {
        match seen::Writer::lasting() {
            Err(error) => {
                tracing::warn!(%error, "no shared memory: frames seen when both planes die will have no counts");
            }
            board => return board,
        }
    }
    seen::Writer::new()
}

fn acceptor(settings: &Settings) -> Result<Option<TlsAcceptor>, tls::TlsError> {
    let prepare = |files| tls::incoming(files, settings.client_auth.as_ref());
    settings.tls.as_ref().map(prepare).transpose()
}

fn porch(
    shared: &Rc<Shared>,
    dialers: [Option<Dialer>; 2],
    acceptor: Option<TlsAcceptor>,
) -> Rc<Porch> {
    Rc::new(Porch::new(Rc::clone(shared), dialers, acceptor))
}

/// What reaches each backend, by leg. One that no charger needs now may be missing what an authority needs.
fn dialers(settings: &Settings, reserve: &Rc<Reserve>) -> Result<[Option<Dialer>; 2], LiveError> {
    let dialer = |leg: Leg| match Dialer::new(settings.backend(leg).clone(), Rc::clone(reserve)) {
        Ok(dialer) => Ok(Some(dialer)),
        Err(error) if leg == settings.authority => Err(error.into()),
        Err(error)
            if settings
                .routes
                .iter()
                .any(|(_, route)| route.authority == leg) =>
        {
            Err(LiveError::NoFace(leg.word(), error))
        }
        Err(error) => {
            tracing::warn!(%error, leg = leg.word(), "no charger can be moved to this backend");
            Ok(None)
        }
    };
    Ok([dialer(Leg::Legacy)?, dialer(Leg::Candidate)?])
}

fn room(settings: &Settings) -> Room {
    let fit = listener::raise_file_limit();
    let connections = match settings.max_connections {
        0 => fit,
        wanted if wanted > fit => {
            tracing::warn!(
                wanted,
                fit,
                "the limit of open files allows fewer connections"
            );
            fit
        }
        wanted => wanted,
    };
    let pending = match settings.max_pending {
        0 => connections.div_ceil(4),
        wanted => wanted.min(connections),
    };
    Room::new(connections, pending)
}

/// A record of the counters every minute, but none while no charger is connected.
async fn tick(shared: Rc<Shared>) {
    loop {
        if shared.roster.is_empty() {
            shared.roster.peopled.notified().await;
        }
        sleep(TICK).await;
        shared.roster.tick();
    }
}

async fn end_connections(shared: &Shared) {
    let open = shared.roster.open();
    for entry in &open {
        entry.leave(Leave::Shutdown);
    }
    let ended = async {
        while !shared.roster.is_empty() {
            shared.roster.emptied.notified().await;
        }
    };
    if timeout(ENDING, ended).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}
