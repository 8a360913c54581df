//! Metrics and health over HTTP, on a listener and a thread of their own: neither a slow scraper nor a flood of requests
//! reaches the live plane. Descriptors are shared with it, so there are never more than [`SEATS`] connections, each short.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::error::{CliError, Exit};

/// Connections at once; further ones wait in the kernel.
const SEATS: usize = 16;

/// How long one connection may take. It carries one request.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the endpoints tell. Called on the health thread; must not block.
pub trait Vitals: Send + Sync + 'static {
    /// Prometheus text.
    fn metrics(&self) -> String;
    /// Whether all is well, and a JSON object that says more.
    fn health(&self) -> (bool, String);
}

/// Binds the listener and serves `/metrics` and `/health` until the process ends. Returns the bound address.
pub fn serve(address: SocketAddr, vitals: Arc<dyn Vitals>) -> Result<SocketAddr, CliError> {
    let listener = TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| cannot_serve(address, &error))?;
    let bound = listener
        .local_addr()
        .map_err(|error| cannot_serve(address, &error))?;
    std::thread::Builder::new()
        .name("health".to_owned())
        .spawn(move || {
            if let Err(error) = run(listener, &vitals) {
                tracing::error!(%error, "the health endpoint stopped");
            }
        })
        .map_err(|error| cannot_serve(address, &error))?;
    Ok(bound)
}

fn cannot_serve(address: SocketAddr, error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "ENV-003",
        format!("cannot serve health on {address}: {error}"),
    )
    .help("choose another `health.listen`, or leave it out")
}

fn run(listener: TcpListener, vitals: &Arc<dyn Vitals>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let seats = Arc::new(Semaphore::new(SEATS));
        loop {
            let seat = Arc::clone(&seats).acquire_owned().await;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the health endpoint cannot accept");
                    sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let vitals = Arc::clone(vitals);
            tokio::spawn(async move {
                if timeout(PATIENCE, answer(stream, vitals)).await.is_err() {
                    tracing::debug!("a health request took too long");
                }
                drop(seat);
            });
        }
    })
}

/// Answers one request.
async fn answer(stream: TcpStream, vitals: Arc<dyn Vitals>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, vitals.as_ref());
        async move { Ok::<_, Infallible>(response) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a health request broke off");
    }
}

fn respond(request: &Request<Incoming>, vitals: &dyn Vitals) -> Response<Full<Bytes>> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            vitals.metrics(),
        ),
        (&Method::GET, "/health") => {
            let (well, body) = vitals.health();
            let status = if well {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (status, "application/json", body)
        }
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            "try /metrics or /health\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    struct Well;

    impl Vitals for Well {
        fn metrics(&self) -> String {
            "# EOF\n".to_owned()
        }

        fn health(&self) -> (bool, String) {
            (true, "{}".to_owned())
        }
    }

    #[test]
    fn silent_connections_hold_few_descriptors_and_not_for_long() {
        let address = serve(([127, 0, 0, 1], 0).into(), Arc::new(Well)).unwrap();
        let connect = || std::net::TcpStream::connect(address).unwrap();
        let silent: Vec<_> = (0..3 * SEATS).map(|_| connect()).collect();
        // Those that have a seat are ended together; who waits behind them in the kernel is still held then.
        for mut stream in silent.iter().take(SEATS) {
            stream.set_read_timeout(Some(4 * PATIENCE)).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
        let mut last = &silent[3 * SEATS - 1];
        last.set_read_timeout(Some(PATIENCE / 10)).unwrap();
        assert!(last.read(&mut [0]).is_err(), "it has no seat yet");
        drop(silent);
        let mut scraper = connect();
        scraper.set_read_timeout(Some(4 * PATIENCE)).unwrap();
        scraper
            .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        scraper.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }
}
