//! The OCPI sink, driven by HTTP requests as a CPO makes them.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use evenkeel::backends::Shelf;
use evenkeel::backends::ocpi::TokenEncoding;
use evenkeel::backends::ocpi::sink::{Counts, Door, Sink, serve};
use evenkeel::facts::{Kind, Leg, Limits, Reader, Recorder};
use evenkeel::live::secret::Secret;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::peer::session;
use crate::rig::{TOKEN, block_on, facts, holds, party, records};

/// A sink at work in a recording.
struct Rig {
    sink: Rc<Sink>,
    address: std::net::SocketAddr,
    recorder: Recorder,
    stop: watch::Sender<bool>,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Rig {
    async fn open(dir: &Path) -> Self {
        let recorder = Recorder::open(dir, Limits::default()).unwrap();
        let facts = Reader::open(dir).unwrap();
        let shelf = Shelf::open(recorder.clone(), "sink", Leg::Candidate, Some(&facts)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door {
            listen: address,
            public: None,
            token: Secret::new(TOKEN),
            encoding: TokenEncoding::Plain,
            party: party("NL", "EVK"),
        };
        let sink = Sink::new(door, address, Leg::Candidate, "sink", shelf, dir).unwrap();
        let (stop, stopping) = watch::channel(false);
        spawn_local(serve(Rc::clone(&sink), listener, stopping));
        Self {
            sink,
            address,
            recorder,
            stop,
        }
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Got {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        spawn_local(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sink")
            .header("authorization", format!("Token {token}"))
            .header("x-request-id", "r-1")
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap(),
        }
    }

    async fn say(&self, method: &str, path: &str, body: &Value) -> Got {
        self.ask(method, path, TOKEN, &body.to_string()).await
    }

    fn close(self) {
        self.stop.send_replace(true);
        self.recorder.close(Duration::from_secs(30)).unwrap();
    }
}

const SESSION: &str = "/ocpi/2.2.1/sessions/NL/CPO/S1";

#[test]
fn what_is_pushed_is_on_disk_when_it_is_answered_and_can_be_got_again() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let rig = Rig::open(dir.path()).await;
        let put = rig.say("PUT", SESSION, &session("S1", 1)).await;
        assert_eq!((put.status, &put.body["status_code"]), (200, &json!(1000)));
        assert_eq!(put.headers["x-request-id"], "r-1");
        // On disk already: another connection to the database sees it.
        assert_eq!(facts(dir.path(), Kind::BackendRecord).len(), 1);
        let period = json!([{"start_date_time": "2026-03-01T10:05:00Z", "dimensions": []}]);
        let patch =
            json!({"kwh": 3, "charging_periods": period, "last_updated": "2026-03-01T10:06:00Z"});
        assert_eq!(rig.say("PATCH", SESSION, &patch).await.status, 200);
        assert_eq!(rig.say("PATCH", SESSION, &patch).await.status, 200);
        let got = rig.say("GET", SESSION, &Value::Null).await;
        assert_eq!(
            got.body["data"]["charging_periods"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        assert_eq!(got.body["data"]["kwh"].to_string(), "3");

        let cdr = r#"{"id":"C/1","total_energy":1.10,"last_updated":"2026-03-01T11:00:00Z"}"#;
        let post = rig.ask("POST", "/ocpi/2.2.1/cdrs", TOKEN, cdr).await;
        assert_eq!(post.status, 201);
        let location = post.headers["location"].to_str().unwrap();
        let place = location
            .strip_prefix(&format!("http://{}", rig.address))
            .unwrap();
        assert_eq!(place, "/ocpi/2.2.1/cdrs/C%2F1");
        let got = rig.say("GET", place, &Value::Null).await;
        assert_eq!(got.body["data"]["total_energy"].to_string(), "1.10");
        let counts = Counts {
            sessions: 1,
            patches: 2,
            cdrs: 1,
            ..Counts::default()
        };
        assert_eq!(rig.sink.counts(), counts);
        assert_eq!(rig.sink.peers(), ["NL*CPO"]);
        rig.close();
    });
    let records = records(dir.path());
    assert_eq!(records.len(), 4);
    assert_eq!(records[2].periods.len(), 2);
    // A restarted sink knows what was there before.
    block_on(async {
        let rig = Rig::open(dir.path()).await;
        let got = rig.say("GET", SESSION, &Value::Null).await;
        assert_eq!(got.body["data"]["kwh"].to_string(), "3");
        assert_eq!(
            rig.say("GET", "/ocpi/2.2.1/cdrs/C%2F1", &Value::Null)
                .await
                .status,
            200
        );
        rig.close();
    });
    assert!(!holds(dir.path(), TOKEN));
}

#[test]
fn a_backend_can_register_and_its_token_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let rig = Rig::open(dir.path()).await;
        let versions = rig.say("GET", "/ocpi/versions", &Value::Null).await;
        let url = versions.body["data"][0]["url"].as_str().unwrap();
        let path = url
            .strip_prefix(&format!("http://{}", rig.address))
            .unwrap();
        let details = rig.say("GET", path, &Value::Null).await;
        let endpoints = details.body["data"]["endpoints"].as_array().unwrap();
        let modules: Vec<&str> = endpoints
            .iter()
            .map(|endpoint| endpoint["identifier"].as_str().unwrap())
            .collect();
        assert_eq!(modules, ["credentials", "sessions", "cdrs"]);
        let own = json!({"token": "their-own-secret", "url": "https://cpo.example/versions",
            "roles": [{"role": "CPO", "country_code": "DE", "party_id": "ABC"}]});
        let registered = rig.say("POST", "/ocpi/2.2.1/credentials", &own).await;
        assert_eq!(registered.body["data"]["token"], TOKEN);
        assert_eq!(registered.body["data"]["roles"][0]["role"], "EMSP");
        assert_eq!(rig.sink.peers(), ["DE*ABC"]);
        rig.close();
    });
    assert!(!holds(dir.path(), "their-own-secret"));
}

#[test]
fn what_is_wrong_is_refused_and_still_seen() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let rig = Rig::open(dir.path()).await;
        for token in ["wrong", "", "hunter2-tokem", "aHVudGVyMi10b2tlbg=="] {
            let got = rig.ask("PUT", SESSION, token, "{}").await;
            assert_eq!((got.status, &got.body["status_code"]), (401, &json!(2001)));
        }
        // Nobody without a token leaves a fact.
        assert!(facts(dir.path(), Kind::BackendRecord).is_empty());
        let unknown = rig.say("PATCH", SESSION, &json!({"kwh": 1})).await;
        assert_eq!(unknown.status, 404);
        rig.say("PUT", SESSION, &session("S1", 1)).await;
        let bare = rig.say("PATCH", SESSION, &json!({"kwh": 1})).await;
        assert_eq!(
            (bare.status, &bare.body["status_code"]),
            (400, &json!(2001))
        );
        let nameless = rig.ask("POST", "/ocpi/2.2.1/cdrs", TOKEN, "{}").await;
        assert_eq!(nameless.status, 400);
        let torn = rig.ask("POST", "/ocpi/2.2.1/cdrs", TOKEN, "{\"id\":").await;
        assert_eq!(torn.status, 400);
        let other = rig.say("PUT", SESSION, &session("S2", 1)).await;
        assert_eq!(other.status, 400);
        assert_eq!(rig.say("DELETE", SESSION, &Value::Null).await.status, 405);
        assert_eq!(
            rig.say("POST", "/ocpi/2.2.1/tokens", &Value::Null)
                .await
                .status,
            404
        );
        let counts = rig.sink.counts();
        assert_eq!((counts.refused, counts.unreadable), (4, 4));
        assert_eq!(counts.elsewhere, 3);
        rig.close();
    });
    // The unknown part, the session, the bare part, both bad CDRs and the misplaced session: each push is a fact.
    assert_eq!(facts(dir.path(), Kind::BackendRecord).len(), 6);
}
