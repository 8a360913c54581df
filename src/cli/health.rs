//! Metrics and health over HTTP, on a listener and a thread of their own: neither a slow scraper nor a flood of requests
//! reaches the live plane.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::error::{CliError, Exit};

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
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the health endpoint cannot accept");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    continue;
                }
            };
            let vitals = Arc::clone(vitals);
            tokio::spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| {
                    let response = respond(&request, vitals.as_ref());
                    async move { Ok::<_, Infallible>(response) }
                });
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
                if let Err(error) = served {
                    tracing::debug!(%error, "a health request broke off");
                }
            });
        }
    })
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
