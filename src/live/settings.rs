//! What the operator configured, as plain values. The command line fills them in; nothing here reads a file.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::backend::Backend;
use super::routes::Route;
use crate::facts::Leg;

/// Settings of the live plane.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses that chargers connect to. Port 0 takes a free port.
    pub listen: Vec<SocketAddr>,
    /// Path in front of the charger's identity on the tap's side; replaced by the authority's path. Empty: none.
    pub base_path: String,
    /// Which backend the chargers hear, but for those in `routes`.
    pub authority: Leg,
    /// Chargers that were moved, with their ways.
    pub routes: Vec<(String, Route)>,
    /// The sockets of the mediator by leg, if there is one.
    pub mediators: Option<[PathBuf; 2]>,
    /// The backend that runs the chargers today.
    pub legacy: Backend,
    /// The backend that may take over.
    pub candidate: Backend,
    /// Certificate and key, when the tap terminates TLS itself.
    pub tls: Option<TlsFiles>,
    /// What chargers must show when the tap terminates TLS itself.
    pub client_auth: Option<ClientAuth>,
    /// The only identities that are let in; `None` lets everybody in. Others are answered as a backend answers a charger
    /// that it does not know.
    pub allowed: Option<HashSet<String>>,
    /// Whether the shadow plane is told what chargers log in with, to log in with the same.
    pub pass_credentials: bool,
    /// Most bytes that wait for the shadow plane.
    pub handover_bytes: usize,
    /// Most bytes of one frame that are handed over, header included. The rest is forwarded only.
    pub capture_limit: u32,
    /// When a silent peer is probed, on either side.
    pub charger_keepalive: Keepalive,
    /// How long sent bytes may stay unacknowledged before the peer counts as gone, on either side.
    pub user_timeout: Duration,
    /// How long a request head may take before the bytes are forwarded as they are, for the authority to judge.
    pub head_timeout: Duration,
    /// Send and receive buffer of each socket, in bytes as the kernel is asked for (it doubles them). Small, so that a
    /// stalled authority stops the charger as soon as it would without a tap.
    pub socket_buffer: usize,
    /// Most connections at once; 0 derives it from the descriptor limit. Beyond it chargers wait in the accept queue.
    pub max_connections: usize,
    /// Most connections at once that have no answer from the authority yet; 0 means a quarter of all.
    pub max_pending: usize,
    /// Connection epoch of the first connection: one more than the last in the recording.
    pub first_conn: u64,
    /// Whether the seen-board outlives both planes. Then a shadow plane has to remove it; see [`super::seen::Left`].
    pub lasting_board: bool,
}

impl Settings {
    /// Settings with every default, for one listener and two backends, with the legacy as the authority.
    pub fn new(listen: SocketAddr, legacy: Backend, candidate: Backend) -> Self {
        Self {
            listen: vec![listen],
            base_path: String::new(),
            authority: Leg::Legacy,
            routes: Vec::new(),
            mediators: None,
            legacy,
            candidate,
            tls: None,
            client_auth: None,
            allowed: None,
            pass_credentials: false,
            handover_bytes: 64 * 1024 * 1024,
            capture_limit: 1024 * 1024,
            charger_keepalive: Keepalive::default(),
            user_timeout: Duration::from_secs(15),
            head_timeout: Duration::from_mins(1),
            socket_buffer: 12 * 1024,
            max_connections: 0,
            max_pending: 0,
            first_conn: 1,
            lasting_board: false,
        }
    }

    /// The backend that chargers hear which were not moved.
    pub const fn authority_backend(&self) -> &Backend {
        self.backend(self.authority)
    }

    /// The backend of a leg.
    pub const fn backend(&self, leg: Leg) -> &Backend {
        match leg {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        }
    }

    /// How the sockets of the line are set up.
    pub fn tuning(&self) -> Tuning {
        Tuning {
            buffer: Some(self.socket_buffer),
            keepalive: self.charger_keepalive,
            user_timeout: self.user_timeout,
        }
    }

    /// Whether an identity may come in.
    pub fn allows(&self, identity: &str) -> bool {
        self.allowed
            .as_ref()
            .is_none_or(|allowed| allowed.contains(identity))
    }
}

/// How a socket is set up.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Send and receive buffer, in bytes as the kernel is asked for; `None` leaves them to the kernel.
    pub buffer: Option<usize>,
    /// When a silent peer is probed.
    pub keepalive: Keepalive,
    /// How long sent bytes may stay unacknowledged before the peer counts as gone.
    pub user_timeout: Duration,
}

/// What the certificates of chargers are checked against.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    /// PEM file with the authorities that sign chargers' certificates.
    pub ca_file: PathBuf,
    /// Whether a charger without certificate is turned away. One with a bad certificate always is.
    pub required: bool,
}

/// PEM files of a certificate, the tap's own or one that it shows to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, leaf first.
    pub certificates: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// TCP keepalive. The tap's kernel acknowledges in the peer's place, so it must also notice in the peer's place.
#[derive(Debug, Clone, Copy)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes before the peer counts as gone.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10),
            interval: Duration::from_secs(3),
            count: 3,
        }
    }
}
