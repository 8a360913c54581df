//! What the operator configured, as plain values. The command line fills them in; nothing here reads a file.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::facts::Leg;

/// Settings of the live plane.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses that chargers connect to. Port 0 takes a free port.
    pub listen: Vec<SocketAddr>,
    /// Path in front of the charger's identity on the tap's side; replaced by the authority's path. Empty: none.
    pub base_path: String,
    /// Which backend the chargers hear.
    pub authority: Leg,
    /// The backend that runs the chargers today.
    pub legacy: Backend,
    /// The backend that may take over.
    pub candidate: Backend,
    /// Certificate and key, when the tap terminates TLS itself.
    pub tls: Option<TlsFiles>,
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
            legacy,
            candidate,
            tls: None,
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

    /// The backend that the chargers hear.
    pub fn authority_backend(&self) -> &Backend {
        match self.authority {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        }
    }
}

/// PEM files of the tap's own certificate.
#[derive(Debug, Clone)]
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

/// Where a backend listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Whether the URL says `wss`.
    pub secure: bool,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port: 80 or 443 unless the URL names one.
    pub port: u16,
    /// Path in front of the charger's identity, without a trailing slash. Empty: none.
    pub path: String,
    /// Trust only the certificates in this PEM file instead of the system's roots.
    pub ca_file: Option<PathBuf>,
}

/// Why a text is not the URL of a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendUrlError {
    /// Neither `ws://` nor `wss://`.
    #[error("backend url {0:?} does not start with ws:// or wss://")]
    Scheme(String),
    /// No host between scheme and path.
    #[error("backend url {0:?} names no host")]
    Host(String),
    /// A port that is no number from 1 to 65535.
    #[error("backend url {0:?} has no valid port")]
    Port(String),
    /// Credentials, which belong into the charger's own `Authorization` header. The URL is not repeated here.
    #[error("backend url contains credentials")]
    Credentials,
    /// A query or fragment, which can't stand in front of an identity.
    #[error("backend url {0:?} has a query or fragment")]
    Query(String),
    /// White space, control or non-ASCII characters: they would break the request head.
    #[error("backend url {0:?} contains a character that must be percent-encoded")]
    Character(String),
}

impl Backend {
    /// Parses `ws[s]://host[:port][/path]`.
    pub fn parse(url: &str) -> Result<Self, BackendUrlError> {
        // First of all, so that no other error repeats them.
        let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        if behind_scheme
            .split(['/', '?', '#'])
            .next()
            .is_some_and(|host| host.contains('@'))
        {
            return Err(BackendUrlError::Credentials);
        }
        let (secure, rest) = split_scheme(url)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BackendUrlError::Character(url.to_owned()));
        }
        if path.contains(['?', '#']) {
            return Err(BackendUrlError::Query(url.to_owned()));
        }
        let (host, port) =
            split_port(authority).ok_or_else(|| BackendUrlError::Host(url.to_owned()))?;
        let port = match port {
            None if secure => 443,
            None => 80,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(BackendUrlError::Port(url.to_owned())),
                Ok(port) => port,
            },
        };
        Ok(Self {
            secure,
            host: host.to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
            ca_file: None,
        })
    }

    /// What belongs into a `Host` header: the port only if it is not the scheme's own.
    pub fn host_header(&self) -> String {
        let brackets = self.host.contains(':');
        let host = if brackets {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.path)
    }
}

fn split_scheme(url: &str) -> Result<(bool, &str), BackendUrlError> {
    let scheme = url.split_once("://");
    match scheme.map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest)) {
        Some((scheme, rest)) if scheme == "ws" => Ok((false, rest)),
        Some((scheme, rest)) if scheme == "wss" => Ok((true, rest)),
        _ => Err(BackendUrlError::Scheme(url.to_owned())),
    }
}

/// Host (brackets removed) and port text; `None` if there is no host.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() || !(rest.is_empty() || rest.starts_with(':')) {
        return None;
    }
    Some((host, rest.strip_prefix(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_printed_again() {
        for (url, host, port, path, printed) in [
            (
                "ws://csms.example",
                "csms.example",
                80,
                "",
                "ws://csms.example",
            ),
            ("WSS://h/a/b/", "h", 443, "/a/b", "wss://h/a/b"),
            (
                "ws://127.0.0.1:9000/",
                "127.0.0.1",
                9000,
                "",
                "ws://127.0.0.1:9000",
            ),
            ("wss://[::1]:80/x", "::1", 80, "/x", "wss://[::1]:80/x"),
            ("ws://[fe80::1]", "fe80::1", 80, "", "ws://[fe80::1]"),
        ] {
            let backend = Backend::parse(url).unwrap();
            assert_eq!(
                (backend.host.as_str(), backend.port, backend.path.as_str()),
                (host, port, path)
            );
            assert_eq!(backend.to_string(), printed);
        }
    }

    #[test]
    fn broken_urls_say_what_is_wrong() {
        type E = BackendUrlError;
        let error = |url: &str| Backend::parse(url).unwrap_err();
        assert!(matches!(error("http://h"), E::Scheme(_)));
        assert!(matches!(error("csms.example"), E::Scheme(_)));
        assert!(matches!(error("ws:///path"), E::Host(_)));
        assert!(matches!(error("ws://[::1"), E::Host(_)));
        assert!(matches!(error("ws://h:0"), E::Port(_)));
        assert!(matches!(error("ws://h:"), E::Port(_)));
        assert!(matches!(error("ws://h:x/"), E::Port(_)));
        assert!(matches!(error("ws://h/?a"), E::Query(_)));
        assert!(matches!(error("ws://h/a b"), E::Character(_)));
        assert!(matches!(error("ws://h\r\nX: y/"), E::Character(_)));
        for url in [
            "ws://user:secret@h/",
            "http://user:secret@h",
            "user:secret@h",
        ] {
            let secret = error(url);
            assert_eq!(secret, E::Credentials);
            assert!(!secret.to_string().contains("secret"));
        }
    }
}
