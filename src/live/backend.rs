//! Where a backend listens: its URL taken apart, and what a connection to it needs.

use std::fmt;
use std::path::PathBuf;

use super::settings::TlsFiles;

/// What stands for the charger's identity in URL and user templates.
pub const PLACEHOLDER: &str = "{charger}";

/// Where a backend listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Whether the URL says `wss`.
    pub secure: bool,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port: 80 or 443 unless the URL names one.
    pub port: u16,
    /// Trust only the certificates in this PEM file instead of the system's roots.
    pub ca_file: Option<PathBuf>,
    /// What the tap shows a backend that asks for a certificate.
    pub client: Option<TlsFiles>,
    /// Request target up to the charger's identity; begins with `/`.
    before: String,
    /// Request target behind it.
    behind: String,
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
    /// A fragment, which is never sent. The URL is not repeated: its query may be secret.
    #[error("backend url contains a fragment")]
    Fragment,
    /// White space, control or non-ASCII characters: they would break the request head.
    #[error("backend url {0:?} contains a character that must be percent-encoded")]
    Character(String),
}

impl Backend {
    /// Parses `ws[s]://host[:port][/path][?query]`. The charger's identity goes where [`PLACEHOLDER`] stands, else to the
    /// end of the path.
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
        if path.contains('#') {
            return Err(BackendUrlError::Fragment);
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
        let (before, behind) = split_target(path);
        Ok(Self {
            secure,
            host: host.to_owned(),
            port,
            ca_file: None,
            client: None,
            before,
            behind,
        })
    }

    /// The request target for a charger, given its raw identity.
    pub fn target(&self, charger: &str) -> String {
        format!("{}{charger}{}", self.before, self.behind)
    }

    /// Path in front of the charger's identity, without a trailing slash. Empty: none.
    pub fn base_path(&self) -> &str {
        self.before.trim_end_matches('/')
    }

    /// Whether the backend can be an authority: chargers' requests then differ from what they send in host and base path
    /// only, so nothing can stand behind the identity or right in front of it.
    pub fn is_plain(&self) -> bool {
        self.behind.is_empty() && self.before.ends_with('/') && !self.before.contains('?')
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
        let place = if self.is_plain() {
            self.base_path().to_owned()
        } else {
            without_query_values(&self.target(PLACEHOLDER))
        };
        write!(f, "{scheme}://{}{place}", self.host_header())
    }
}

/// A target whose query values are stars: some backends take a password there.
fn without_query_values(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut text = path.to_owned();
    for (index, pair) in query.split('&').enumerate() {
        text.push_str(if index == 0 { "" } else { "&" });
        match pair.split_once('=') {
            Some((name, value)) if value != PLACEHOLDER => text.extend([name, "=***"]),
            _ => text.push_str(pair),
        }
    }
    text
}

/// What stands before and behind the identity.
fn split_target(path: &str) -> (String, String) {
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if let Some((before, behind)) = path.split_once(PLACEHOLDER) {
        return (before.to_owned(), behind.to_owned());
    }
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let slash = if path.ends_with('/') { "" } else { "/" };
    (format!("{path}{slash}"), query.to_owned())
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
                (backend.host.as_str(), backend.port, backend.base_path()),
                (host, port, path)
            );
            assert_eq!(backend.to_string(), printed);
        }
    }

    #[test]
    fn the_identity_goes_where_the_template_says() {
        for (url, target, plain) in [
            ("ws://h/ocpp", "/ocpp/CP%7C1", true),
            ("ws://h/ocpp/", "/ocpp/CP%7C1", true),
            ("ws://h", "/CP%7C1", true),
            ("ws://h/a/{charger}", "/a/CP%7C1", true),
            ("ws://h/a/{charger}/ws", "/a/CP%7C1/ws", false),
            ("ws://h/a/cp-{charger}", "/a/cp-CP%7C1", false),
            ("ws://h?token=x", "/CP%7C1?token=x", false),
            ("ws://h/o?id={charger}", "/o?id=CP%7C1", false),
        ] {
            let backend = Backend::parse(url).unwrap();
            assert_eq!(backend.target("CP%7C1"), target);
            assert_eq!(backend.is_plain(), plain, "{url}");
        }
        let secret = Backend::parse("wss://h/o?id={charger}&key=CANARY&v").unwrap();
        assert_eq!(secret.to_string(), "wss://h/o?id={charger}&key=***&v");
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
        assert!(matches!(error("ws://h/#a"), E::Fragment));
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
