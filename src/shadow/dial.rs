//! Opening a shadow leg: resolve, connect, TLS, and an HTTP/1.1 upgrade of our own.
//!
//! Library handshakes refuse backends that chargers live with (no subprotocol in the answer, `Connection: keep-alive,
//! Upgrade`, another case), so the request is written and the answer read here. Redirects are not followed.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::settings::ShadowSettings;
use super::socket::Socket;
use crate::live::dial::{self, Dialer};
use crate::live::listener::Reserve;
use crate::live::secret::Secret;
use crate::live::settings::{Keepalive, Tuning};
use crate::live::stream::Stream;
use crate::live::tls::TlsError;

/// The longest response head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// A vanished backend may stay unnoticed a little longer than a vanished charger, and what it is sent waits in the kernel.
const TUNING: Tuning = Tuning {
    buffer: None,
    keepalive: Keepalive {
        idle: Duration::from_secs(30),
        interval: Duration::from_secs(10),
        count: 3,
    },
    user_timeout: Duration::from_mins(1),
};

/// Why there is no shadow leg.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no connection to send the upgrade on.
    #[error("{}", chain(.0))]
    Unreached(#[from] dial::DialError),
    /// The upgrade broke off.
    #[error("upgrade: {0}")]
    Upgrade(io::Error),
    /// The whole attempt took too long.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
    /// What came back is not an HTTP response, or its head has no end.
    #[error("upgrade answer: {0}")]
    NotHttp(String),
    /// The backend answered, but not with 101.
    #[error("upgrade refused with status {0}")]
    Status(u16),
    /// A 101 that does not belong to our request.
    #[error("upgrade answer: {0}")]
    Answer(&'static str),
    /// The backend chose a subprotocol that the charger's authority did not.
    #[error("backend chose another subprotocol: {0}")]
    Subprotocol(String),
    /// Identity or subprotocol would break the request head.
    #[error("{0} does not fit into a request head")]
    Unsendable(&'static str),
}

impl DialError {
    /// The word for it, as facts carry it.
    pub fn why(&self) -> &'static str {
        match self {
            Self::Unreached(dial::DialError::Resolve { .. }) => "resolve",
            Self::Unreached(dial::DialError::Local { .. }) => "local address",
            Self::Unreached(dial::DialError::Connect { .. }) => "connect",
            Self::Unreached(dial::DialError::Tls { .. }) => "tls",
            // With TLS 1.3 a backend objects to the certificate, or to there being none, when the upgrade is under way.
            Self::Upgrade(error) if tls_refusal(error).is_some() => "tls",
            Self::Upgrade(_) => "upgrade",
            Self::TimedOut(_) => "timeout",
            Self::NotHttp(_) => "not http",
            Self::Status(_) => "status",
            Self::Answer(_) => "answer",
            Self::Subprotocol(_) => "subprotocol",
            Self::Unsendable(_) => "unsendable",
        }
    }

    /// Whether the backend itself said no, as opposed to not being there.
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Status(_) | Self::Subprotocol(_) | Self::Unsendable(_)
        )
    }

    /// The note of a `ShadowRefused` fact.
    pub fn note(&self) -> serde_json::Value {
        let mut note = json!({"why": self.why(), "detail": self.to_string()});
        match self {
            Self::Status(status) => note["status"] = json!(status),
            Self::Subprotocol(chosen) => {
                note["status"] = json!(101);
                note["subprotocol"] = json!(chosen);
            }
            Self::Unreached(dial::DialError::Tls { source, .. }) | Self::Upgrade(source) => {
                if let Some(tls) = tls_refusal(source) {
                    note["tls"] = json!(tls);
                }
            }
            _ => {}
        }
        note
    }
}

/// What TLS itself objected to: the backend's alert, or what is wrong with its certificate or protocol. `None` if the line
/// broke instead.
fn tls_refusal(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::AlertReceived(alert) => format!("alert {alert:?}"),
        rustls::Error::InvalidCertificate(why) => format!("certificate {why:?}"),
        other => other.to_string(),
    })
}

/// An error with its causes, in one line.
fn chain(error: &dial::DialError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// An open leg.
#[derive(Debug)]
pub struct Dialed {
    /// The WebSocket.
    pub socket: Socket,
    /// The subprotocol that the backend named, if any.
    pub subprotocol: Option<String>,
}

/// Whom a leg speaks for.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The charger's raw identity.
    pub charger: &'a str,
    /// What it sent its authority as `Authorization`, if that is known here.
    pub login: Option<&'a Secret>,
}

/// Opens legs; one for all.
pub struct Dialler {
    settings: Rc<ShadowSettings>,
    dialer: Dialer,
}

impl Dialler {
    /// Reads certificates and keys if the backend needs TLS, and starts its resolver.
    pub fn new(settings: Rc<ShadowSettings>) -> Result<Self, TlsError> {
        // The reserve of descriptors is the live plane's alone.
        let dialer = Dialer::new(settings.backend.clone(), Rc::new(Reserve::default()))?;
        let dialer = if settings.allows_local {
            dialer
        } else {
            dialer.refusing_local()
        };
        Ok(Self { settings, dialer })
    }

    /// Opens a leg for a charger, offering exactly `subprotocol`.
    pub async fn dial(
        &self,
        caller: Caller<'_>,
        subprotocol: Option<&str>,
    ) -> Result<Dialed, DialError> {
        let limit = self.settings.connect_timeout;
        timeout(limit, self.attempt(caller, subprotocol))
            .await
            .unwrap_or(Err(DialError::TimedOut(limit)))
    }

    async fn attempt(
        &self,
        caller: Caller<'_>,
        subprotocol: Option<&str>,
    ) -> Result<Dialed, DialError> {
        let key = generate_key();
        let request = self.request(caller, subprotocol, &key)?;
        let mut transport = self.dialer.dial(&TUNING).await?;
        transport
            .write_all(&request)
            .await
            .map_err(DialError::Upgrade)?;
        transport.flush().await.map_err(DialError::Upgrade)?;
        let (head, early) = read_head(&mut transport).await?;
        let chosen = read_answer(&head, &key)?;
        if let Some(chosen) = &chosen
            && !is_offered(subprotocol, chosen)
        {
            return Err(DialError::Subprotocol(chosen.clone()));
        }
        Ok(Dialed {
            socket: Socket::new(transport, early, self.settings.max_message).await,
            subprotocol: chosen,
        })
    }

    fn request(
        &self,
        caller: Caller<'_>,
        subprotocol: Option<&str>,
        key: &str,
    ) -> Result<Vec<u8>, DialError> {
        let backend = &self.settings.backend;
        let target = backend.target(caller.charger);
        if target.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(DialError::Unsendable("charger identity"));
        }
        let mut head = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: evenkeel/{}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
            backend.host_header(),
            env!("CARGO_PKG_VERSION"),
        )
        .into_bytes();
        if let Some(offered) = subprotocol {
            if offered.bytes().any(|byte| !(b' '..0x7f).contains(&byte)) {
                return Err(DialError::Unsendable("subprotocol"));
            }
            head.extend_from_slice(format!("Sec-WebSocket-Protocol: {offered}\r\n").as_bytes());
        }
        let credentials = &self.settings.credentials;
        if let Some(secret) = credentials.authorization(caller.charger, caller.login) {
            head.extend_from_slice(b"Authorization: ");
            head.extend_from_slice(secret.expose());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }
}

/// Whether a subprotocol is one of those offered.
fn is_offered(offered: Option<&str>, chosen: &str) -> bool {
    offered.is_some_and(|offered| {
        offered
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(chosen))
    })
}

/// Reads up to the empty line; returns the head and what came behind it.
async fn read_head(transport: &mut Stream) -> Result<(Vec<u8>, Vec<u8>), DialError> {
    let mut head = Vec::with_capacity(1024);
    loop {
        let from = head.len().saturating_sub(3);
        let count = transport
            .read_buf(&mut head)
            .await
            .map_err(DialError::Upgrade)?;
        if count == 0 {
            return Err(DialError::NotHttp(
                "the backend closed the connection".into(),
            ));
        }
        // Only the new bytes are searched, and the head is parsed once: a slow, long head costs no more than a quick one.
        if let Some(at) = head[from..].windows(4).position(|four| four == b"\r\n\r\n") {
            let early = head.split_off(from + at + 4);
            return Ok((head, early));
        }
        if head.len() > MAX_HEAD {
            return Err(DialError::NotHttp(format!("head over {MAX_HEAD} bytes")));
        }
    }
}

/// Checks the response; returns the chosen subprotocol.
fn read_answer(head: &[u8], key: &str) -> Result<Option<String>, DialError> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(DialError::NotHttp("incomplete head".into())),
        Err(error) => return Err(DialError::NotHttp(error.to_string())),
    }
    match response.code {
        Some(101) => {}
        code => return Err(DialError::Status(code.unwrap_or(0))),
    }
    let value = |name: &str| {
        response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    if value("sec-websocket-accept").as_deref() != Some(derive_accept_key(key.as_bytes()).as_str())
    {
        return Err(DialError::Answer("the accept key does not match"));
    }
    if value("sec-websocket-extensions").is_some_and(|extensions| !extensions.is_empty()) {
        return Err(DialError::Answer("an extension that was not offered"));
    }
    Ok(value("sec-websocket-protocol").filter(|chosen| !chosen.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn answer(head: &str) -> Result<Option<String>, String> {
        read_answer(head.as_bytes(), KEY).map_err(|error| error.why().to_owned())
    }

    #[test]
    fn odd_backends_are_taken() {
        let head = |more: &str| {
            format!(
                "HTTP/1.1 101 Go\r\nconnection: keep-alive, Upgrade\r\nUPGRADE: WebSocket\r\n\
                 sec-websocket-accept: {ACCEPT}\r\n{more}\r\n"
            )
        };
        assert_eq!(answer(&head("")), Ok(None));
        assert_eq!(
            answer(&head("Sec-WebSocket-Protocol: OCPP1.6\r\n")),
            Ok(Some("OCPP1.6".into()))
        );
        assert_eq!(
            answer(&head("Sec-WebSocket-Extensions: permessage-deflate\r\n")),
            Err("answer".into())
        );
    }

    #[test]
    fn refusals_keep_their_status() {
        let error = read_answer(
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            KEY,
        )
        .unwrap_err();
        assert_eq!(
            (error.why(), &error.note()["status"]),
            ("status", &json!(401))
        );
        assert!(error.is_refusal());
        assert_eq!(
            answer("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n"),
            Err("status".into())
        );
        assert_eq!(answer("SSH-2.0-x\r\n\r\n"), Err("not http".into()));
        assert_eq!(answer("HTTP/1.1 101 Go\r\n\r\n"), Err("answer".into()));
    }
}
