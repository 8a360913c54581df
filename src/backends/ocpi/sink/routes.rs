//! What the sink answers to which request.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Answer, MAX_BODY, PATIENCE, Sink};
use crate::backends::http::encoded;
use crate::judge::records::{Form, RecordKind};

/// The version that the sink speaks.
const VERSION: &str = "2.2.1";

/// Answers one request.
pub(super) async fn answer(sink: &Sink, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    if !is_allowed(sink, &head.headers) {
        sink.count(|counts| &mut counts.refused);
        let refusal = Answer::wrong(StatusCode::UNAUTHORIZED, 2001, "no or wrong token");
        return refusal.respond(&head.headers);
    }
    let path = head.uri.path();
    let body = timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await;
    let answer = match body {
        Ok(Ok(body)) => route(sink, &head.method, path, &body.to_bytes()).await,
        Ok(Err(_)) => Answer::wrong(StatusCode::PAYLOAD_TOO_LARGE, 2001, "broken or too long"),
        Err(_) => Answer::wrong(StatusCode::REQUEST_TIMEOUT, 2000, "the body took too long"),
    };
    answer.respond(&head.headers)
}

/// Compared in a time that does not depend on where the difference is.
fn is_allowed(sink: &Sink, headers: &HeaderMap) -> bool {
    let expected = sink.door.encoding.header(&sink.door.token);
    let shown = headers.get(AUTHORIZATION).map_or(&[][..], |v| v.as_bytes());
    let expected = expected.expose();
    let pairs = expected.iter().zip(shown);
    let differing = pairs.fold(0, |sum, (a, b)| sum | (a ^ b));
    differing == 0 && expected.len() == shown.len()
}

async fn route(sink: &Sink, method: &Method, path: &str, body: &[u8]) -> Answer {
    let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), &steps[..]) {
        ("GET", ["ocpi", "versions"]) => versions(sink),
        ("GET", ["ocpi", VERSION]) => details(sink),
        ("GET", ["ocpi", VERSION, "credentials"]) => credentials(sink),
        ("POST" | "PUT", ["ocpi", VERSION, "credentials"]) => register(sink, body),
        ("GET", ["ocpi", VERSION, "sessions", _, _, id]) => {
            let known = sink.session(&decoded(id));
            known.map_or_else(|| missing(sink), |session| Answer::data(&session))
        }
        ("PUT", ["ocpi", VERSION, "sessions", _, _, id]) => {
            sink.count(|counts| &mut counts.sessions);
            session(sink, Form::Ocpi, &decoded(id), body, path).await
        }
        ("PATCH", ["ocpi", VERSION, "sessions", _, _, id]) => {
            sink.count(|counts| &mut counts.patches);
            session(sink, Form::OcpiPatch, &decoded(id), body, path).await
        }
        ("POST", ["ocpi", VERSION, "cdrs"]) => cdr(sink, body, path).await,
        ("GET", ["ocpi", VERSION, "cdrs", id]) => match sink.cdr(&decoded(id)) {
            Ok(Some(text)) => Answer::raw(text),
            Ok(None) => missing(sink),
            Err(_) => unrecorded(),
        },
        (_, ["ocpi", VERSION, "credentials" | "sessions" | "cdrs", ..]) => {
            sink.count(|counts| &mut counts.elsewhere);
            Answer::wrong(StatusCode::METHOD_NOT_ALLOWED, 2000, "not done here")
        }
        _ => missing(sink),
    }
}

fn missing(sink: &Sink) -> Answer {
    sink.count(|counts| &mut counts.elsewhere);
    Answer::wrong(StatusCode::NOT_FOUND, 2003, "nothing here")
}

fn unrecorded() -> Answer {
    Answer::wrong(
        StatusCode::SERVICE_UNAVAILABLE,
        3000,
        "not recorded; push it again",
    )
}

fn versions(sink: &Sink) -> Answer {
    let url = format!("{}/{VERSION}", sink.base);
    Answer::data(&json!([{ "version": VERSION, "url": url }]))
}

fn details(sink: &Sink) -> Answer {
    let modules = ["credentials", "sessions", "cdrs"];
    let endpoints = modules.map(|module| {
        let url = format!("{}/{VERSION}/{module}", sink.base);
        json!({ "identifier": module, "role": "RECEIVER", "url": url })
    });
    Answer::data(&json!({ "version": VERSION, "endpoints": endpoints }))
}

/// The sink's own credentials. The token is the one that the caller has just shown: it stays as configured.
fn credentials(sink: &Sink) -> Answer {
    let door = &sink.door;
    Answer::data(&json!({
        "token": String::from_utf8_lossy(door.token.expose()),
        "url": format!("{}/versions", sink.base),
        "roles": [{
            "role": "EMSP",
            "business_details": { "name": "Evenkeel" },
            "party_id": door.party.id,
            "country_code": door.party.country,
        }],
    }))
}

/// A backend registers. Its token is not kept: it is never called.
fn register(sink: &Sink, body: &[u8]) -> Answer {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let roles = said.as_ref().and_then(|said| said["roles"].as_array());
    let Some(roles) = roles else {
        return Answer::wrong(StatusCode::BAD_REQUEST, 2001, "no credentials with roles");
    };
    for role in roles {
        let word = |name: &str| role[name].as_str().unwrap_or_default().to_owned();
        let peer = format!("{}*{}", word("country_code"), word("party_id"));
        tracing::info!(peer = %peer.escape_debug(), "a backend registers at the OCPI sink");
        sink.peers.borrow_mut().insert(peer);
    }
    credentials(sink)
}

async fn session(sink: &Sink, form: Form, id: &str, body: &[u8], path: &str) -> Answer {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let is_known = sink.session(id).is_some();
    let path = path.strip_prefix("/ocpi").unwrap_or(path);
    let kept = sink.keep(form, RecordKind::Session, id, body, path).await;
    let said = match (kept, said) {
        (Err(_), _) => return unrecorded(),
        (Ok(true), Some(said)) => said,
        (Ok(_), _) if form == Form::OcpiPatch && !is_known => {
            return missing(sink);
        }
        (Ok(_), _) => return unreadable(sink, "not a session"),
    };
    match form {
        Form::OcpiPatch if said["last_updated"].is_null() => {
            unreadable(sink, "a part of a session needs last_updated")
        }
        Form::Ocpi if said["id"].as_str() != Some(id) => {
            unreadable(sink, "the session has another id than the URL")
        }
        _ => Answer::done(),
    }
}

async fn cdr(sink: &Sink, body: &[u8], path: &str) -> Answer {
    sink.count(|counts| &mut counts.cdrs);
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let id = said.as_ref().and_then(|said| said["id"].as_str());
    let path = path.strip_prefix("/ocpi").unwrap_or(path);
    let name = id.unwrap_or_default();
    let kept = sink.keep(Form::Ocpi, RecordKind::Cdr, name, body, path);
    match (kept.await, id) {
        (Err(_), _) => unrecorded(),
        (Ok(true), Some(id)) => {
            Answer::created(format!("{}/{VERSION}/cdrs/{}", sink.base, encoded(id)))
        }
        (Ok(_), _) => unreadable(sink, "not a CDR with an id"),
    }
}

fn unreadable(sink: &Sink, why: &'static str) -> Answer {
    sink.count(|counts| &mut counts.unreadable);
    Answer::wrong(StatusCode::BAD_REQUEST, 2001, why)
}

/// A step of a path without its percent signs; one that spells no UTF-8 stays as it is.
fn decoded(step: &str) -> String {
    let mut bytes = Vec::with_capacity(step.len());
    let mut rest = step.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| step.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_path_come_back_as_they_were() {
        for text in ["S1", "a/b c", "100%", "Zürich|1"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
        assert_eq!(decoded("50%"), "50%");
        assert_eq!(decoded("%ff"), "%ff");
    }
}
