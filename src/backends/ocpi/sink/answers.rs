//! Answers of the sink: an HTTP status with OCPI's envelope around the data.

use chrono::{DateTime, SecondsFormat};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::clock::{Clock, Micros};

/// What is answered.
pub(super) struct Answer {
    status: StatusCode,
    code: u32,
    message: Option<&'static str>,
    /// JSON text; empty for none.
    data: String,
    location: Option<String>,
}

impl Answer {
    /// All is well; nothing to tell.
    pub(super) fn done() -> Self {
        Self::with(String::new())
    }

    /// All is well; this is the data.
    pub(super) fn data(data: &Value) -> Self {
        Self::with(data.to_string())
    }

    /// All is well; this is the data as it once came, or an empty answer if it was no JSON.
    pub(super) fn raw(data: Vec<u8>) -> Self {
        let text = String::from_utf8(data).unwrap_or_default();
        let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
        Self::with(if is_json { text } else { String::new() })
    }

    /// Created, and to be found there.
    pub(super) fn created(location: String) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(location),
            ..Self::done()
        }
    }

    /// The caller's mistake.
    pub(super) fn wrong(status: StatusCode, code: u32, message: &'static str) -> Self {
        Self {
            status,
            code,
            message: Some(message),
            data: String::new(),
            location: None,
        }
    }

    fn with(data: String) -> Self {
        Self {
            status: StatusCode::OK,
            code: 1000,
            message: None,
            data,
            location: None,
        }
    }

    /// The answer as HTTP. The request's identifiers come back, as OCPI asks.
    pub(super) fn respond(self, request: &HeaderMap) -> Response<Full<Bytes>> {
        let mut envelope = json!({
            "status_code": self.code,
            "timestamp": rfc3339(Clock::system().now()),
        });
        if let Some(message) = self.message {
            envelope["status_message"] = json!(message);
        }
        let mut body = envelope.to_string();
        if !self.data.is_empty() {
            // The data goes in as text: numbers of a CDR are to come back as they came.
            body.truncate(body.len() - 1);
            body = format!("{body},\"data\":{}}}", self.data);
        }
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let location = self
            .location
            .map(|location| HeaderValue::from_str(&location));
        if let Some(Ok(location)) = location {
            headers.insert(LOCATION, location);
        }
        for name in ["x-request-id", "x-correlation-id"] {
            if let Some(value) = request.get(name) {
                headers.insert(HeaderName::from_static(name), value.clone());
            }
        }
        response
    }
}

fn rfc3339(at: Micros) -> String {
    let at = DateTime::from_timestamp_micros(at).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
