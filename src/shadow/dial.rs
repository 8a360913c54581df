//! Opening a shadow leg: resolve, connect, TLS, and an HTTP/1.1 upgrade of our own.
//!
//! Library handshakes refuse backends that chargers live with (no subprotocol in the answer, `Connection: keep-alive,
//! Upgrade`, another case), so the request is written and the answer read here. Redirects are not followed.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::settings::ShadowSettings;
use super::socket::Socket;
use crate::live::stream::Stream;

/// The longest response head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How long a silent peer may stay unnoticed: the kernel probes after this long, every [`PROBE_INTERVAL`].
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged.
const USER_TIMEOUT: Duration = Duration::from_mins(1);

/// Why there is no shadow leg.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The host name has no address.
    #[error("resolve {0}: {1}")]
    Resolve(String, io::Error),
    /// No address took the connection.
    #[error("connect to {0}: {1}")]
    Connect(String, io::Error),
    /// The TLS handshake failed.
    #[error("tls with {0}: {1}")]
    Tls(String, io::Error),
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
    pub const fn why(&self) -> &'static str {
        match self {
            Self::Resolve(..) => "resolve",
            Self::Connect(..) => "connect",
            Self::Tls(..) => "tls",
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
            _ => {}
        }
        note
    }
}

/// Why the dialler could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The file with certificate authorities is unusable.
    #[error("read certificate authorities from {0}: {1}")]
    Authorities(std::path::PathBuf, rustls::pki_types::pem::Error),
    /// No certificate authority is known.
    #[error("no certificate authority to trust")]
    Empty,
    /// rustls refused the settings.
    #[error("set up tls: {0}")]
    Rustls(#[from] rustls::Error),
}

/// An open leg.
#[derive(Debug)]
pub struct Dialed {
    /// The WebSocket.
    pub socket: Socket,
    /// The subprotocol that the backend named, if any.
    pub subprotocol: Option<String>,
}

/// Opens legs; one for all.
pub struct Dialler {
    settings: Rc<ShadowSettings>,
    tls: Option<TlsConnector>,
}

impl Dialler {
    /// Reads the certificate authorities if the backend needs TLS.
    pub fn new(settings: Rc<ShadowSettings>) -> Result<Self, TlsSetupError> {
        let tls = settings
            .endpoint
            .tls
            .then(|| tls_connector(&settings))
            .transpose()?;
        Ok(Self { settings, tls })
    }

    /// Opens a leg for `charger`, offering exactly `subprotocol`.
    pub async fn dial(
        &self,
        charger: &str,
        subprotocol: Option<&str>,
    ) -> Result<Dialed, DialError> {
        let limit = self.settings.connect_timeout;
        timeout(limit, self.attempt(charger, subprotocol))
            .await
            .unwrap_or(Err(DialError::TimedOut(limit)))
    }

    async fn attempt(&self, charger: &str, subprotocol: Option<&str>) -> Result<Dialed, DialError> {
        let key = generate_key();
        let request = self.request(charger, subprotocol, &key)?;
        let tcp = self.connect().await?;
        let mut transport = self.secure(tcp).await?;
        transport
            .write_all(&request)
            .await
            .map_err(DialError::Upgrade)?;
        transport.flush().await.map_err(DialError::Upgrade)?;
        let (head, early) = read_head(&mut transport).await?;
        let chosen = read_answer(&head, &key)?;
        if let Some(chosen) = &chosen
            && !subprotocol.is_some_and(|offered| offered.trim().eq_ignore_ascii_case(chosen))
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
        charger: &str,
        subprotocol: Option<&str>,
        key: &str,
    ) -> Result<Vec<u8>, DialError> {
        let endpoint = &self.settings.endpoint;
        let target = endpoint.target(charger);
        if target.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(DialError::Unsendable("charger identity"));
        }
        let mut head = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: evenkeel/{}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
            endpoint.host_header(),
            env!("CARGO_PKG_VERSION"),
        )
        .into_bytes();
        if let Some(offered) = subprotocol {
            if offered.bytes().any(|byte| !(b' '..0x7f).contains(&byte)) {
                return Err(DialError::Unsendable("subprotocol"));
            }
            head.extend_from_slice(format!("Sec-WebSocket-Protocol: {offered}\r\n").as_bytes());
        }
        if let Some(secret) = self.settings.credentials.authorization(charger) {
            head.extend_from_slice(b"Authorization: ");
            head.extend_from_slice(secret.expose());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }

    async fn connect(&self) -> Result<TcpStream, DialError> {
        let endpoint = &self.settings.endpoint;
        let name = endpoint.host_header();
        let addresses = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port))
            .await
            .map_err(|error| DialError::Resolve(name.clone(), error))?;
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    return prepare(tcp).map_err(|error| DialError::Connect(name.clone(), error));
                }
                Err(error) => failure = error,
            }
        }
        Err(DialError::Connect(name, failure))
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, DialError> {
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let host = &self.settings.endpoint.host;
        let name = ServerName::try_from(host.clone()).map_err(|error| {
            DialError::Tls(
                host.clone(),
                io::Error::new(io::ErrorKind::InvalidInput, error),
            )
        })?;
        let stream = tls
            .connect(name, tcp)
            .await
            .map_err(|error| DialError::Tls(host.clone(), error))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

/// No delay, and a kernel that notices a vanished backend.
fn prepare(tcp: TcpStream) -> io::Result<TcpStream> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(&tcp);
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_INTERVAL)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(tcp)
}

fn tls_connector(settings: &ShadowSettings) -> Result<TlsConnector, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.ca_file {
        let unusable = |error| TlsSetupError::Authorities(path.clone(), error);
        for certificate in CertificateDer::pem_file_iter(path).map_err(unusable)? {
            roots.add(certificate.map_err(unusable)?)?;
        }
    } else {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "system certificate left out");
        }
        roots.add_parsable_certificates(system.certs);
    }
    if roots.is_empty() {
        return Err(TlsSetupError::Empty);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
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
