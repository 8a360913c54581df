//! A CPO's or SteVe's HTTP server, as far as a test needs one: it answers what a function says, and remembers what it was
//! asked.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use base64::Engine as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use crate::rig::TOKEN;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut parts = self.query.split('&');
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    /// OCPI's envelope around JSON text.
    pub(crate) fn ocpi(data: impl ToString) -> Self {
        let data = data.to_string();
        let at = "2026-03-01T12:00:00Z";
        Self::new(
            200,
            format!(r#"{{"data":{data},"status_code":1000,"timestamp":"{at}"}}"#),
        )
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// The server.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) asked: Rc<RefCell<Vec<Asked>>>,
}

impl Server {
    /// Starts a server that answers what `answer` makes of a request and the server's own URL.
    pub(crate) async fn start(answer: impl FnMut(&Asked, &str) -> Reply + 'static) -> Self {
        Self::listen(None, answer).await
    }

    /// The same with a certificate for `localhost`.
    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        answer: impl FnMut(&Asked, &str) -> Reply + 'static,
    ) -> Self {
        Self::listen(Some(acceptor), answer).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        answer: impl FnMut(&Asked, &str) -> Reply + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = match tls {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let asked = Rc::new(RefCell::new(Vec::new()));
        let answer = Rc::new(RefCell::new(answer));
        let server = Self {
            base: base.clone(),
            asked: Rc::clone(&asked),
        };
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (asked, answer, base) = (Rc::clone(&asked), Rc::clone(&answer), base.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let question = Asked {
                        path: request.uri().path().to_owned(),
                        query: request.uri().query().unwrap_or_default().to_owned(),
                        headers: request.headers().clone(),
                    };
                    let reply = (answer.borrow_mut())(&question, &base);
                    asked.borrow_mut().push(question);
                    async move {
                        let mut response = Response::builder().status(reply.status);
                        for (name, value) in reply.headers {
                            response = response.header(name, value);
                        }
                        Ok::<_, Infallible>(
                            response.body(Full::new(Bytes::from(reply.body))).unwrap(),
                        )
                    }
                });
                let tls = tls.clone();
                spawn_local(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    // A client that does not trust the certificate leaves; the test looks at what it says.
                    if let Some(tls) = tls {
                        let stream = tls.accept(stream).await?;
                        return http
                            .serve_connection(TokioIo::new(stream), service)
                            .await
                            .map_err(io::Error::other);
                    }
                    http.serve_connection(TokioIo::new(stream), service)
                        .await
                        .map_err(io::Error::other)
                });
            }
        });
        server
    }

    /// Requests for a path that ends so.
    pub(crate) fn asked_for(&self, end: &str) -> Vec<Asked> {
        let asked = self.asked.borrow();
        let found = asked.iter().filter(|asked| asked.path.ends_with(end));
        found.cloned().collect()
    }
}

/// What every CPO answers before it comes to records; `None` when it comes to those.
pub(crate) fn lobby(asked: &Asked, base: &str, version: &str) -> Option<Reply> {
    let token = base64::engine::general_purpose::STANDARD.encode(TOKEN);
    if asked.header("authorization") != format!("Token {token}") {
        return Some(Reply::new(
            401,
            json!({"status_code": 2001, "status_message": "who are you?"}),
        ));
    }
    let endpoint = |module: &str, role: &str| {
        let url = format!("{base}/ocpi/{role}/{module}");
        json!({"identifier": module, "role": role, "url": url})
    };
    match asked.path.as_str() {
        "/ocpi/versions" => Some(Reply::ocpi(json!([
            {"version": "2.1.1", "url": format!("{base}/ocpi/old")},
            {"version": version, "url": format!("{base}/ocpi/details")},
        ]))),
        "/ocpi/details" => Some(Reply::ocpi(json!({
            "version": version,
            "endpoints": [
                endpoint("sessions", "RECEIVER"),
                endpoint("sessions", "SENDER"),
                endpoint("cdrs", "SENDER"),
            ],
        }))),
        _ => None,
    }
}

/// One page of `all`, as OCPI pages: by `offset`, at most two, with links and counts.
pub(crate) fn page(all: &[Value], asked: &Asked, base: &str) -> Reply {
    let offset: usize = asked.parameter("offset").unwrap_or("0").parse().unwrap();
    let here: Vec<&Value> = all.iter().skip(offset).take(2).collect();
    let next = offset + here.len();
    let reply = Reply::ocpi(json!(here))
        .with("X-Total-Count", all.len())
        .with("X-Limit", 2);
    if next >= all.len() {
        return reply;
    }
    let link = format!("<{base}{}?offset={next}&limit=2>; rel=\"next\"", asked.path);
    reply.with("Link", link)
}

/// A session that was changed at this minute of an hour.
pub(crate) fn session(id: &str, minute: u32) -> Value {
    serde_json::from_str(&format!(
        r#"{{"id":"{id}","country_code":"NL","party_id":"CPO","kwh":1.250,"status":"ACTIVE","currency":"EUR",
        "cdr_token":{{"uid":"04AA","type":"RFID","contract_id":"NL-TNM-1"}},
        "start_date_time":"2026-03-01T10:00:00Z","last_updated":"2026-03-01T10:{minute:02}:00Z"}}"#
    ))
    .unwrap()
}
