//! A simulated backend's OCPI 2.2.1 interface: whoever shows the token may read its sessions and CDRs.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, LINK};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::backend::{Log, Transaction};
use super::books::Bookkeeping;
use super::pace::stamp;
use crate::clock::{Clock, Micros};

/// Records per page at most.
const PAGE: usize = 50;

/// A running interface. Dropping it stops it.
#[derive(Debug)]
pub struct SimOcpi {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    log: Log,
    books: Bookkeeping,
    authorization: String,
}

impl SimOcpi {
    /// Tells the transactions in `log` by these books, on a free loopback port, to whoever shows `token`.
    pub async fn start(log: Log, books: Bookkeeping, token: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            address,
            log,
            books,
            authorization: format!("Token {}", STANDARD.encode(token)),
        });
        let accepting = tokio::spawn(accept(listener, shared));
        Ok(Self { address, accepting })
    }

    /// Where its versions are listed.
    pub fn url(&self) -> String {
        format!("http://{}/ocpi/versions", self.address)
    }
}

impl Drop for SimOcpi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until aborted; connections end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "simulated OCPI interface stopped");
                    return;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let response = shared.answer(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "simulated OCPI interface lost a connection");
    }
}

impl Shared {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let shown = request.headers().get(AUTHORIZATION);
        if shown.is_none_or(|shown| shown.as_bytes() != self.authorization.as_bytes()) {
            return response(StatusCode::UNAUTHORIZED, 2001, &Value::Null);
        }
        let query = request.uri().query().unwrap_or_default();
        let base = format!("http://{}/ocpi", self.address);
        match request.uri().path() {
            "/ocpi/versions" => {
                ok(&json!([{ "version": "2.2.1", "url": format!("{base}/2.2.1") }]))
            }
            "/ocpi/2.2.1" => {
                let endpoint = |module| {
                    json!({
                        "identifier": module,
                        "role": "SENDER",
                        "url": format!("{base}/2.2.1/{module}"),
                    })
                };
                let endpoints = [endpoint("sessions"), endpoint("cdrs")];
                ok(&json!({ "version": "2.2.1", "endpoints": endpoints }))
            }
            "/ocpi/2.2.1/sessions" => {
                let sessions = self.changed(query).map(|one| Bookkeeping::session(&one));
                page(&format!("{base}/2.2.1/sessions"), query, sessions.collect())
            }
            "/ocpi/2.2.1/cdrs" => {
                let cdrs = self.changed(query).filter_map(|one| self.books.cdr(&one));
                page(&format!("{base}/2.2.1/cdrs"), query, cdrs.collect())
            }
            _ => response(StatusCode::NOT_FOUND, 2003, &Value::Null),
        }
    }

    /// Transactions that changed since the query's `date_from`.
    fn changed(&self, query: &str) -> impl Iterator<Item = Transaction> + use<> {
        let from = parameter(query, "date_from");
        let from = from.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let from = from.map_or(Micros::MIN, |from| from.timestamp_micros());
        let all = self.log.transactions().into_iter();
        all.filter(move |transaction| transaction.updated >= from)
    }
}

/// One page of a list, with the link to the next.
fn page(url: &str, query: &str, list: Vec<Value>) -> Response<Full<Bytes>> {
    let number = |name| parameter(query, name).and_then(|text| text.parse::<usize>().ok());
    let offset = number("offset").unwrap_or(0);
    let limit = number("limit").unwrap_or(PAGE).clamp(1, PAGE);
    let total = list.len();
    let part: Vec<Value> = list.into_iter().skip(offset).take(limit).collect();
    let next = offset + part.len();
    let mut response = ok(&Value::from(part));
    response.headers_mut().insert("x-total-count", total.into());
    if next < total {
        let from = parameter(query, "date_from");
        let from = from.map_or_else(String::new, |from| format!("&date_from={from}"));
        let link = format!("<{url}?offset={next}&limit={limit}{from}>; rel=\"next\"");
        if let Ok(link) = link.parse() {
            response.headers_mut().insert(LINK, link);
        }
    }
    response
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = query.split('&');
    parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn ok(data: &Value) -> Response<Full<Bytes>> {
    response(StatusCode::OK, 1000, data)
}

fn response(status: StatusCode, code: u32, data: &Value) -> Response<Full<Bytes>> {
    let body = json!({
        "data": data,
        "status_code": code,
        "timestamp": stamp(Clock::system().now(), SecondsFormat::Millis),
    });
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
}
