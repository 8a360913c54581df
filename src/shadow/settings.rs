//! How the shadow legs reach their backend, and what they may cost.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::facts::Leg;

/// What stands for the charger's identity in URL and user templates.
pub const PLACEHOLDER: &str = "{charger}";

/// Settings of all shadow legs.
#[derive(Debug, Clone)]
pub struct ShadowSettings {
    /// Which backend is the shadow.
    pub leg: Leg,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// How the legs log in.
    pub credentials: Credentials,
    /// Certificate authorities (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a CALL may stay unanswered, and a write may stall.
    pub answer_timeout: Duration,
    /// How long resolving, connecting, TLS and the upgrade may take together.
    pub connect_timeout: Duration,
    /// First and longest wait between two attempts to connect.
    pub backoff: (Duration, Duration),
    /// What one charger's queue may hold.
    pub queue: QueueLimits,
    /// What all queues together may hold, in bytes.
    pub queue_bytes_total: usize,
    /// The longest message the backend may send, in bytes.
    pub max_message: usize,
    /// How many connects per second all legs together may start.
    pub connects_per_second: u32,
    /// How many messages per second a backend may send on one leg before its socket is left unread for a moment.
    pub messages_per_second: u32,
    /// How many messages may come at once above that rate.
    pub message_burst: u32,
    /// How long a fresh leg waits for the charger's own BootNotification before it replays the remembered one.
    pub boot_grace: Duration,
    /// How long a command that acts waits for the authority's twin before it is refused; zero: not at all.
    pub hold: Duration,
    /// How old the charger's answer to the authority may be to be handed on.
    pub reuse: Duration,
    /// Actions that the stand-in may pretend to obey.
    pub simulate: Vec<String>,
}

impl ShadowSettings {
    /// Default limits towards `endpoint`; no credentials.
    pub fn new(leg: Leg, endpoint: Endpoint) -> Self {
        Self {
            leg,
            endpoint,
            credentials: Credentials::None,
            ca_file: None,
            answer_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            backoff: (Duration::from_secs(1), Duration::from_mins(1)),
            queue: QueueLimits::default(),
            queue_bytes_total: 64 << 20,
            max_message: 1 << 20,
            // The authority sees its chargers come back about as fast; a fleet of 5,000 is back within ten seconds.
            connects_per_second: 500,
            messages_per_second: 50,
            message_burst: 200,
            boot_grace: Duration::from_secs(1),
            hold: Duration::from_secs(3),
            reuse: Duration::from_mins(1),
            simulate: Vec::new(),
        }
    }
}

/// Bounds of one charger's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages.
    pub count: usize,
    /// Bytes, bookkeeping included.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            count: 500,
            bytes: 1 << 20,
        }
    }
}

/// A backend's URL, split for dialling; the path may hold [`PLACEHOLDER`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `wss`.
    pub tls: bool,
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query up to the charger's identity; starts with `/`.
    prefix: String,
    /// Path and query behind it.
    suffix: String,
}

/// Why a URL is not a backend's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Neither `ws://` nor `wss://`.
    #[error("backend URL must start with ws:// or wss://: {0}")]
    Scheme(String),
    /// No host, or a port that is no number.
    #[error("backend URL has no usable host and port: {0}")]
    Authority(String),
    /// User and password belong into the credentials, where they are kept out of logs.
    #[error("backend URL holds credentials; configure them apart")]
    UserInfo,
}

impl Endpoint {
    /// Reads `ws://host:port/prefix/{charger}/suffix`. Without the placeholder the identity is put at the end of the path.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let (tls, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => (true, rest),
            _ => return Err(EndpointError::Scheme(url.to_owned())),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let (host, port) = split_authority(authority, if tls { 443 } else { 80 })
            .ok_or_else(|| EndpointError::Authority(url.to_owned()))?;
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let (prefix, suffix) = split_path(&path);
        Ok(Self {
            tls,
            host,
            port,
            prefix,
            suffix,
        })
    }

    /// The request target for a charger, given its raw identity.
    pub fn target(&self, charger: &str) -> String {
        format!("{}{charger}{}", self.prefix, self.suffix)
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == if self.tls { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

fn split_authority(authority: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => default,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn split_path(path: &str) -> (String, String) {
    if let Some((prefix, suffix)) = path.split_once(PLACEHOLDER) {
        return (prefix.to_owned(), suffix.to_owned());
    }
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let slash = if path.ends_with('/') { "" } else { "/" };
    (format!("{path}{slash}"), query.to_owned())
}

/// How a leg logs in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Not at all.
    None,
    /// HTTP Basic.
    Basic {
        /// User template: [`PLACEHOLDER`] stands for the charger's identity.
        user: String,
        /// The password of all chargers at this backend.
        password: Secret,
    },
}

impl Credentials {
    /// The `Authorization` header's value, if any.
    pub fn authorization(&self, charger: &str) -> Option<Secret> {
        let Self::Basic { user, password } = self else {
            return None;
        };
        let mut pair = user.replace(PLACEHOLDER, charger).into_bytes();
        pair.push(b':');
        pair.extend_from_slice(&password.0);
        let pair = Secret(pair);
        Some(Secret(
            format!("Basic {}", STANDARD.encode(&pair.0)).into_bytes(),
        ))
    }
}

/// Bytes that never show in logs and are overwritten when dropped. Not text: passwords need not be UTF-8.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a secret could not be read. Never says what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("read secret file {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The variable is not set.
    #[error("environment variable {0} is not set")]
    Variable(String),
}

impl Secret {
    /// A secret from bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// A file's content without its last line break.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let mut bytes =
            std::fs::read(path).map_err(|error| SecretError::File(path.to_owned(), error))?;
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        Ok(Self(bytes))
    }

    /// An environment variable's content.
    pub fn from_env(name: &str) -> Result<Self, SecretError> {
        use std::os::unix::ffi::OsStringExt;
        std::env::var_os(name)
            .map(|value| Self(value.into_vec()))
            .ok_or_else(|| SecretError::Variable(name.to_owned()))
    }

    /// The bytes, for the wire only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from dropping the overwrite as a dead store.
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_goes_where_the_template_says() {
        let target = |url: &str| Endpoint::parse(url).unwrap().target("CP%7C1");
        assert_eq!(target("ws://h/ocpp"), "/ocpp/CP%7C1");
        assert_eq!(target("ws://h/ocpp/"), "/ocpp/CP%7C1");
        assert_eq!(target("ws://h"), "/CP%7C1");
        assert_eq!(target("ws://h/a/{charger}/ws"), "/a/CP%7C1/ws");
        assert_eq!(target("ws://h?token=x"), "/CP%7C1?token=x");
        assert_eq!(target("ws://h/o?id={charger}"), "/o?id=CP%7C1");
    }

    #[test]
    fn hosts_and_ports_are_read() {
        let read = |url: &str| {
            let endpoint = Endpoint::parse(url).unwrap();
            (endpoint.host.clone(), endpoint.port, endpoint.host_header())
        };
        assert_eq!(
            read("wss://csms.example"),
            ("csms.example".into(), 443, "csms.example".into())
        );
        assert_eq!(
            read("ws://[::1]:9000/x"),
            ("::1".into(), 9000, "[::1]:9000".into())
        );
        for bad in ["http://h", "ws://", "ws://h:port", "h", "ws://u:p@h"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_does_not_show() {
        let credentials = Credentials::Basic {
            user: "{charger}".into(),
            password: Secret::new(*b"xyz\xff"),
        };
        assert!(!format!("{credentials:?}").contains("xyz"));
        assert_eq!(
            credentials.authorization("CP1").unwrap().expose(),
            b"Basic Q1AxOnh5ev8="
        );
    }
}
