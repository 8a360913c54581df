//! An HTTP/1.1 client for reading: one request at a time, at a pace, within limits.
//!
//! hyper is in the program already, and rustls too; a whole client crate would bring its own pool and a second idea of
//! certificates for requests that are half a second apart. Redirects are not followed: a token goes where it was
//! configured to go and nowhere else.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use super::Tally;
use crate::live::tls::{self, TlsError};

/// How hard a backend may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Least time between the beginnings of two requests.
    pub pace: Duration,
    /// Most time that one request may take.
    pub patience: Duration,
    /// Most bytes of one answer.
    pub max_body: usize,
    /// How often a request is tried while the backend is away, overloaded (429) or failing (5xx).
    pub tries: u32,
    /// Wait after the first failed try; doubled after each further one.
    pub backoff: Duration,
    /// The longest such wait, also where the backend asks for more.
    pub longest_backoff: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pace: Duration::from_millis(500),
            patience: Duration::from_secs(30),
            max_body: 16 << 20,
            tries: 5,
            backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_mins(1),
        }
    }
}

/// Why a request failed. URLs are told without query: it may hold identifiers of drivers.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not an http or https URL with a host, or one that holds a password.
    #[error("{0:?} is not an http or https URL with a host and without a password")]
    Url(String),
    /// TLS cannot be set up.
    #[error("set up tls: {0}")]
    TlsSetup(#[from] TlsError),
    /// No connection, or one that broke.
    #[error("{url}: {source}")]
    Connection {
        /// Where to.
        url: String,
        /// The reason.
        source: io::Error,
    },
    /// The exchange broke off or was not HTTP.
    #[error("{url}: {source}")]
    Exchange {
        /// Where to.
        url: String,
        /// The reason.
        source: hyper::Error,
    },
    /// The answer broke off or is too long.
    #[error("{url}: the answer's body: {why}")]
    Body {
        /// Where from.
        url: String,
        /// The reason.
        why: String,
    },
    /// It took too long.
    #[error("{url}: no whole answer within {patience:?}")]
    TimedOut {
        /// Where to.
        url: String,
        /// How long was waited.
        patience: Duration,
    },
    /// The server said no.
    #[error("{url}: status {status}")]
    Status {
        /// Where from.
        url: String,
        /// What it said.
        status: StatusCode,
    },
}

impl HttpError {
    /// Whether another try may help.
    fn may_pass(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::Exchange { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Url(_) | Self::TlsSetup(_) | Self::Body { .. } => false,
        }
    }
}

/// An answer with a status of success.
#[derive(Debug)]
pub struct Answer {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

/// Asks one backend, one question at a time.
pub struct Client {
    limits: Limits,
    tls: TlsConnector,
    next: Instant,
    tally: Tally,
}

impl Client {
    /// A client that trusts the certificates of `ca` (PEM), or the system's, and counts its requests in `tally`.
    pub fn new(limits: Limits, ca: Option<&Path>, tally: &Tally) -> Result<Self, HttpError> {
        Ok(Self {
            limits,
            tls: tls::connector(ca)?,
            next: Instant::now(),
            tally: tally.clone(),
        })
    }

    /// Gets `url`, politely and repeatedly; anything but a status of success is an error in the end.
    pub async fn get(&mut self, url: &Uri, headers: &HeaderMap) -> Result<Answer, HttpError> {
        let mut backoff = self.limits.backoff;
        for left in (0..self.limits.tries).rev() {
            sleep_until(self.next).await;
            self.next = Instant::now() + self.limits.pace;
            self.tally.add(|work| work.requests += 1);
            let patience = self.limits.patience;
            let tried = timeout(patience, self.once(url, headers)).await;
            let late = || HttpError::TimedOut {
                url: plain(url),
                patience,
            };
            let (error, asked) = match tried.unwrap_or_else(|_| Err((late(), None))) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            self.tally.add(|work| work.failures += 1);
            if left == 0 || !error.may_pass() {
                return Err(error);
            }
            let wait = asked.unwrap_or(backoff).min(self.limits.longest_backoff);
            tracing::debug!(%error, ?wait, "a backend is asked again");
            sleep(wait).await;
            backoff = (backoff * 2).min(self.limits.longest_backoff);
        }
        // Nobody is asked no times.
        Err(HttpError::TimedOut {
            url: plain(url),
            patience: Duration::ZERO,
        })
    }

    /// One try. With the error comes how long the server asks to wait.
    async fn once(
        &self,
        url: &Uri,
        headers: &HeaderMap,
    ) -> Result<Answer, (HttpError, Option<Duration>)> {
        let (secure, authority) = target(url).map_err(|error| (error, None))?;
        let broken = |source| {
            let url = plain(url);
            (HttpError::Connection { url, source }, None)
        };
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await.map_err(broken)?;
        if !secure {
            return self.exchange(tcp, url, authority, headers).await;
        }
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| (HttpError::Url(plain(url)), None))?;
        let tls = self.tls.connect(name, tcp).await.map_err(broken)?;
        self.exchange(tls, url, authority, headers).await
    }

    async fn exchange<S>(
        &self,
        stream: S,
        url: &Uri,
        authority: &Authority,
        headers: &HeaderMap,
    ) -> Result<Answer, (HttpError, Option<Duration>)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |source| {
            let url = plain(url);
            (HttpError::Exchange { url, source }, None)
        };
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = origin_form(url);
        *request.headers_mut() = headers.clone();
        let host = HeaderValue::from_str(authority.as_str());
        let host = host.map_err(|_| (HttpError::Url(plain(url)), None))?;
        request.headers_mut().insert(HOST, host);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        // Ends with the answer, or with the sender when the answer is given up.
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            let asked = retry_after(&head.headers);
            let (url, status) = (plain(url), head.status);
            return Err((HttpError::Status { url, status }, asked));
        }
        let body = Limited::new(body, self.limits.max_body).collect().await;
        let body = body.map_err(|error| {
            let (url, why) = (plain(url), error.to_string());
            (HttpError::Body { url, why }, None)
        })?;
        connection.abort();
        Ok(Answer {
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

/// Seconds; the other form, a date, is not worth a clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Reads a URL that may be asked.
pub fn parse(url: &str) -> Result<Uri, HttpError> {
    let parsed: Uri = url
        .parse()
        .map_err(|_| HttpError::Url(url.split('?').next().unwrap_or_default().to_owned()))?;
    target(&parsed)?;
    Ok(parsed)
}

/// Whether it is https, and whom to ask.
fn target(url: &Uri) -> Result<(bool, &Authority), HttpError> {
    match (url.scheme_str(), url.authority()) {
        // The text before an @ may be a password, so it is not repeated.
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            Err(HttpError::Url(authority.host().to_owned()))
        }
        (Some(scheme @ ("http" | "https")), Some(authority)) => Ok((scheme == "https", authority)),
        _ => Err(HttpError::Url(plain(url))),
    }
}

/// Path and query: the request line's part of a URL.
fn origin_form(url: &Uri) -> Uri {
    let target = url.path_and_query().cloned();
    target.map_or_else(|| Uri::from_static("/"), Uri::from)
}

/// A URL as facts and logs may tell it: no query, no user.
pub fn plain(url: &Uri) -> String {
    let host = url.authority().map(|authority| {
        let port = authority.port().map(|port| format!(":{port}"));
        format!("{}{}", authority.host(), port.unwrap_or_default())
    });
    match (url.scheme_str(), host) {
        (Some(scheme), Some(host)) => format!("{scheme}://{host}{}", url.path()),
        _ => url.path().to_owned(),
    }
}

/// Whether two URLs are of the same server: what may be told to one may be told to the other.
pub fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |url: &Uri| {
        let default = if url.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        url.port_u16().unwrap_or(default)
    };
    let host = |url: &Uri| url.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

/// A header value that no debug output shows.
pub fn secret(value: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Text as part of a query or path.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_without_their_secrets() {
        let url = parse("https://cpo.example:8443/ocpi/sessions?token=abc").unwrap();
        assert_eq!(plain(&url), "https://cpo.example:8443/ocpi/sessions");
        for bad in [
            "ftp://x/y",
            "/path",
            "https://me:secret@cpo.example/x",
            "https://",
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn only_the_same_server_is_the_same_origin() {
        let same = |a: &str, b: &str| same_origin(&parse(a).unwrap(), &parse(b).unwrap());
        assert!(same("https://A.example/x", "https://a.example:443/y?z"));
        assert!(!same("https://a.example/x", "http://a.example/x"));
        assert!(!same("https://a.example/x", "https://b.example/x"));
        assert!(!same("http://a.example/x", "http://a.example:8080/x"));
    }
}
