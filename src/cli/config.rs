//! The configuration file, `evenkeel.toml`: read, checked, and said back.

mod access;
mod backends;
pub mod estate;
pub mod file;
pub mod flags;
pub mod readers;
pub mod show;
pub mod units;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::Leg;
use crate::judge::Settings;
use crate::live::backend::PLACEHOLDER;
pub use estate::Estate;
pub use file::load;

/// A tap, fully configured: every default filled in, every path as the process sees it. Serialised when handed to the
/// shadow plane; holds references to secrets, never secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Where chargers connect.
    pub listen: Vec<SocketAddr>,
    /// Where the recording goes.
    pub recording: PathBuf,
    /// The path in front of the identity in chargers' URLs; empty for none.
    pub base_path: String,
    /// The backend whose answers chargers hear.
    pub authority: Leg,
    /// Certificate and key for chargers that speak TLS to the tap.
    pub tls: Option<TlsFiles>,
    /// What certificates such chargers must show, if any.
    pub client_auth: Option<ClientAuth>,
    /// The only chargers that are let in; `None` lets everybody in.
    pub allow: Option<Vec<String>>,
    /// The backend of today.
    pub legacy: Backend,
    /// The backend that may take over.
    pub candidate: Backend,
    /// Limits of the shadow leg.
    pub shadow: Shadow,
    /// How the recording is kept.
    pub recorded: Recorded,
    /// Limits of the tap.
    pub limits: Limits,
    /// How a vanished peer is noticed.
    pub keepalive: Keepalive,
    /// Where metrics and health are served, if anywhere.
    pub health: Option<SocketAddr>,
    /// The operator's rule files, first match first.
    pub rules: Vec<PathBuf>,
    /// What is said about sessions and CDRs.
    pub sessions: Sessions,
    /// Where the books of the backends are read.
    pub readers: Vec<readers::Reader>,
    /// Which chargers move together, and when.
    pub estate: Estate,
}

/// PEM files of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Certificates of chargers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAuth {
    /// PEM file with the CAs that sign them.
    pub ca: PathBuf,
    /// Whether a charger without one is turned away.
    pub required: bool,
}

/// A backend as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// `ws://` or `wss://` URL; the charger's identity is appended as the last path segment.
    pub url: String,
    /// What the operator calls its build, for the record.
    pub build: Option<String>,
    /// PEM file with the only CAs to trust; the system's when absent.
    pub ca: Option<PathBuf>,
    /// Certificate and key for a backend that asks for one.
    pub client: Option<TlsFiles>,
    /// Whether its name may resolve to an address of this machine or its link, as the shadow.
    pub allow_local: bool,
    /// User name for Basic authentication on the shadow leg; `{charger}` stands for the charger's.
    pub user: String,
    /// Where the password for the shadow leg is.
    pub password: Option<SecretRef>,
    /// A file with user and password of single chargers, for the shadow leg.
    pub credentials: Option<PathBuf>,
    /// Whether the shadow leg logs in with what the charger sent its authority.
    pub pass_credentials: bool,
}

impl Backend {
    /// A backend at this URL with every default.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            build: None,
            ca: None,
            client: None,
            allow_local: false,
            user: PLACEHOLDER.to_owned(),
            password: None,
            credentials: None,
            pass_credentials: false,
        }
    }
}

impl Config {
    /// The backend of a leg.
    pub const fn backend(&self, leg: Leg) -> &Backend {
        match leg {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        }
    }

    /// The backend that is not the authority.
    pub const fn shadowed(&self) -> &Backend {
        self.backend(self.authority.other())
    }
}

/// Where a secret is, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretRef {
    /// The content of a file, trailing line break removed.
    File(PathBuf),
    /// The bytes that the hex digits in a file stand for: an `AuthorizationKey` of OCPP 1.6.
    HexFile(PathBuf),
    /// An environment variable.
    Env(String),
}

/// What is said about sessions and CDRs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// The file that says where the backends' places lie.
    pub places: Option<PathBuf>,
    /// How soon a session object is expected.
    pub session_slo: Duration,
    /// How soon a CDR is expected.
    pub cdr_slo: Duration,
    /// How long after its last news a record is taken as it is.
    pub quiet: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        let settings = Settings::default();
        let span = |micros: i64| Duration::from_micros(micros.unsigned_abs());
        Self {
            places: None,
            session_slo: span(settings.session_slo),
            cdr_slo: span(settings.cdr_slo),
            quiet: span(settings.quiet),
        }
    }
}

/// Limits of the shadow leg.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that people set one by one"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// How long the shadow backend may take to answer a CALL.
    pub answer_timeout: Duration,
    /// How long connecting and its handshake may take.
    pub connect_timeout: Duration,
    /// Messages kept for one charger while the shadow backend is away or slow.
    pub queue_messages: usize,
    /// Bytes of those.
    pub queue_bytes: usize,
    /// Bytes of those for all chargers together.
    pub total_bytes: usize,
    /// Whether a charger's whole offer of subprotocols is tried once, unmirrored.
    pub probe_offer: bool,
    /// Whether a second connection of one charger ends the leg of its first.
    pub collapse: bool,
    /// How far below the live plane the scheduler puts the shadow plane: 0 (equal) to 19.
    pub niceness: u8,
    /// Whether the shadow backend gets messages that make it act on the world: have certificates signed.
    pub certificates: bool,
    /// Whether a transaction message that only the shadow backend fails is repeated as the charger would.
    pub retries: bool,
    /// How long a command of the shadow's waits for the authority's twin before it is refused.
    pub hold: Duration,
    /// How old the charger's answer to the authority may be to be handed on.
    pub reuse: Duration,
    /// Actions that the stand-in pretends to obey.
    pub simulate: Vec<String>,
    /// A file of charger models, or a directory of them.
    pub models: Option<PathBuf>,
}

/// How the recording is kept: `[recording]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// How old facts are when they are packed; zero packs none.
    pub pack_after: Duration,
}

/// Limits of the tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes waiting between the planes.
    pub handover: usize,
    /// Bytes captured of one frame or message.
    pub capture: usize,
    /// Bytes waiting for the recording.
    pub recorder: usize,
    /// Charger connections held at once.
    pub connections: usize,
}

/// How a vanished peer is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes before the connection counts as dead.
    pub count: u32,
    /// How long sent bytes may stay unacknowledged.
    pub user_timeout: Duration,
}

impl Default for Shadow {
    fn default() -> Self {
        Self {
            // OCPP 2.x Part 4 names 30 s as a guideline for the charger's own message timeout.
            answer_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            queue_messages: 500,
            queue_bytes: 1 << 20,
            total_bytes: 64 << 20,
            probe_offer: false,
            collapse: false,
            niceness: 15,
            certificates: false,
            retries: false,
            hold: Duration::from_secs(3),
            reuse: Duration::from_mins(1),
            simulate: Vec::new(),
            models: None,
        }
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Self {
            pack_after: Duration::from_hours(1),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handover: 64 << 20,
            capture: 1 << 20,
            recorder: 64 << 20,
            // Two sockets each within the usual descriptor limit of 20,000, with a reserve.
            connections: 9_500,
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10),
            interval: Duration::from_secs(3),
            count: 3,
            user_timeout: Duration::from_secs(15),
        }
    }
}
