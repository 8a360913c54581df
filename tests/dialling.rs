//! Opening a leg against backends of every manner.

#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod shadow_support;

use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

use evenkeel::facts::{Kind, Leg, Recorder};
use evenkeel::live::Backend;
use evenkeel::live::secret::Secret;
use evenkeel::shadow::credentials::Login;
use evenkeel::shadow::dial::{Caller, DialError, Dialed, Dialler};
use evenkeel::shadow::legs::Legs;
use evenkeel::shadow::plane::{ConnInfo, LegHost};
use evenkeel::shadow::settings::ShadowSettings;
use evenkeel::shadow::socket::Incoming;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use shadow_support::{run, within};

fn settings(url: &str) -> ShadowSettings {
    ShadowSettings::new(Leg::Candidate, Backend::parse(url).unwrap())
}

fn caller(charger: &str) -> Caller<'_> {
    Caller {
        charger,
        login: None,
    }
}

/// What the charger sent its authority.
const OWN: &[u8] = b"Basic own\xff\xfe";

/// Dials a backend that answers the upgrade with `answer` (`ACCEPT` stands for the right accept key) and sends `early`
/// bytes right behind it; returns the outcome and the request head.
async fn dial(
    tune: impl FnOnce(&mut ShadowSettings),
    answer: &str,
    early: &[u8],
) -> (Result<Dialed, DialError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/a/{{charger}}/ws", listener.local_addr().unwrap());
    let mut settings = settings(&url);
    tune(&mut settings);
    let dialler = Dialler::new(Rc::new(settings)).unwrap();
    let backend = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let read = tcp.read(&mut head).await.unwrap();
        let head: String = head[..read].iter().map(|&byte| char::from(byte)).collect();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        let answer = answer.replace("ACCEPT", &derive_accept_key(key.as_bytes()));
        tcp.write_all(&[answer.as_bytes(), early].concat())
            .await
            .unwrap();
        (head, tcp)
    };
    let own = Secret::new(OWN);
    let caller = Caller {
        login: Some(&own),
        ..caller("CP%201")
    };
    let attempt = dialler.dial(caller, Some("ocpp1.6"));
    let (outcome, (head, _open)) =
        within("the handshake", async { tokio::join!(attempt, backend) }).await;
    (outcome, head)
}

const LENIENT: &str = "HTTP/1.1 101 x\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
                       sec-websocket-accept: ACCEPT\r\n";

#[test]
fn the_request_is_what_a_charger_would_send() {
    run(async {
        let login = |settings: &mut ShadowSettings| {
            settings.credentials.all = Some(Login {
                user: "{charger}".into(),
                password: Secret::new(*b"p"),
            });
        };
        let (outcome, head) = dial(login, &format!("{LENIENT}\r\n"), b"\x81\x02hi").await;
        assert!(head.starts_with("GET /a/CP%201/ws HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("Authorization: Basic Q1AlMjAxOnA=\r\n"));
        assert!(!head.contains("Extensions"));
        // No subprotocol in the answer is noted, not refused; bytes behind the head are not lost.
        let Dialed {
            mut socket,
            subprotocol,
        } = outcome.unwrap();
        assert_eq!(subprotocol, None);
        assert_eq!(socket.recv().await.unwrap(), Incoming::Text(b"hi".to_vec()));
    });
}

#[test]
fn a_leg_logs_in_with_what_is_its_own_first() {
    run(async {
        let login = |user: &str, password: &[u8]| Login {
            user: user.into(),
            password: Secret::new(password),
        };
        let each = |settings: &mut ShadowSettings| {
            let credentials = &mut settings.credentials;
            credentials.all = Some(login("all", b"p"));
            credentials.passed = true;
            credentials
                .each
                .insert("CP%201".into(), login("{charger}", b"\x00\xff"));
        };
        let passed = |settings: &mut ShadowSettings| {
            each(settings);
            settings.credentials.each.clear();
        };
        let all = |settings: &mut ShadowSettings| {
            passed(settings);
            settings.credentials.passed = false;
        };
        let none = |_: &mut ShadowSettings| {};
        let tunes: [&dyn Fn(&mut ShadowSettings); 4] = [&each, &passed, &all, &none];
        let expected = [
            "Authorization: Basic Q1AlMjAxOgD/\r\n",
            // Not text, and sent as it came.
            "Authorization: Basic own\u{ff}\u{fe}\r\n",
            "Authorization: Basic YWxsOnA=\r\n",
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
        ];
        for (tune, expected) in tunes.into_iter().zip(expected) {
            let (outcome, head) = dial(tune, &format!("{LENIENT}\r\n"), b"").await;
            outcome.unwrap();
            assert!(head.contains(expected), "{head}");
        }
    });
}

#[test]
fn another_subprotocol_is_a_refusal_and_another_case_is_not() {
    run(async {
        let named = |name: &str| format!("{LENIENT}Sec-WebSocket-Protocol: {name}\r\n\r\n");
        let (outcome, _) = dial(|_| {}, &named("ocpp2.0.1"), b"").await;
        let error = outcome.unwrap_err();
        assert_eq!((error.why(), error.is_refusal()), ("subprotocol", true));
        let (outcome, _) = dial(|_| {}, &named("OCPP1.6"), b"").await;
        assert_eq!(outcome.unwrap().subprotocol.as_deref(), Some("OCPP1.6"));
    });
}

#[test]
fn an_endless_head_is_cut_and_a_silent_backend_times_out() {
    run(async {
        let endless = format!("HTTP/1.1 101 x\r\nX: {}", "x".repeat(20_000));
        let (outcome, _) = dial(|_| {}, &endless, b"").await;
        assert_eq!(outcome.unwrap_err().why(), "not http");
        let hasty = |settings: &mut ShadowSettings| {
            settings.connect_timeout = std::time::Duration::from_millis(50);
        };
        let (outcome, _) = dial(hasty, "", b"").await;
        assert_eq!(outcome.unwrap_err().why(), "timeout");
    });
}

#[test]
fn a_certificate_that_nobody_trusts_is_refused() {
    run(async {
        let ours = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        for (trusted, works) in [(&ours, true), (&other, false)] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(trusted.cert.pem().as_bytes()).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut settings = settings(&format!("wss://localhost:{port}/"));
            settings.backend.ca_file = Some(file.path().to_owned());
            let dialler = Dialler::new(Rc::new(settings)).unwrap();
            let acceptor = acceptor(&ours);
            let backend = Box::pin(async {
                let (tcp, _) = listener.accept().await.unwrap();
                let Ok(tls) = acceptor.accept(tcp).await else {
                    return None;
                };
                tokio_tungstenite::accept_async(tls).await.ok()
            });
            let attempt = dialler.dial(caller("CP1"), None);
            let (outcome, _backend) =
                within("the handshake", async { tokio::join!(attempt, backend) }).await;
            match outcome {
                Ok(_) => assert!(works),
                Err(error) => assert_eq!((error.why(), works), ("tls", false), "{error}"),
            }
        }
    });
}

fn acceptor(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> tokio_rustls::TlsAcceptor {
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], secret)
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// Accepts a connection, reads what it offers, and answers with `chosen`, or with a status.
async fn answer(
    listener: &TcpListener,
    chosen: Result<&str, u16>,
) -> (String, tokio::net::TcpStream) {
    let (mut tcp, _) = within("a connect", listener.accept()).await.unwrap();
    let mut head = vec![0; 4096];
    let read = tcp.read(&mut head).await.unwrap();
    let head = String::from_utf8(head[..read].to_vec()).unwrap();
    let value = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
    };
    let answer = match chosen {
        Ok(chosen) => format!(
            "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {chosen}\r\n\r\n",
            derive_accept_key(value("Sec-WebSocket-Key: ").as_bytes())
        ),
        Err(status) => format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"),
    };
    tcp.write_all(answer.as_bytes()).await.unwrap();
    (value("Sec-WebSocket-Protocol: ").to_owned(), tcp)
}

#[test]
fn the_whole_offer_is_tried_once_and_nothing_is_mirrored_to_it() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let mut settings = settings(&url);
        settings.probes_offer = true;
        settings.backoff = (
            std::time::Duration::from_millis(5),
            std::time::Duration::from_millis(5),
        );
        let recorder = Recorder::in_memory();
        let legs = Legs::new(vec![settings], &recorder).unwrap();
        legs.opened(&ConnInfo {
            charger: Arc::from("CP1"),
            conn: 1,
            offered: Some("ocpp2.0.1, ocpp1.6".into()),
            subprotocol: Some("ocpp1.6".into()),
            login: None,
            authority: Leg::Legacy,
            logs_in: false,
            resumed: false,
        });
        let (offered, mut tcp) = answer(&listener, Ok("ocpp2.0.1")).await;
        assert_eq!(offered, "ocpp2.0.1, ocpp1.6");
        // A masked Close frame with code 1000, and nothing before it.
        let mut frame = [0; 8];
        within("the goodbye", tcp.read_exact(&mut frame))
            .await
            .unwrap();
        assert_eq!(frame[..2], [0x88, 0x82]);
        drop(tcp);
        for _ in 0..2 {
            let (offered, _tcp) = answer(&listener, Err(401)).await;
            assert_eq!(offered, "ocpp1.6", "the whole offer is made once");
        }
        let facts: Vec<_> = recorder
            .facts()
            .into_iter()
            .filter(|fact| fact.kind == Kind::ShadowRefused)
            .map(|fact| fact.note_json())
            .collect();
        assert_eq!(facts[0]["probe"], true);
        assert_eq!(facts[0]["subprotocol"], "ocpp2.0.1");
        assert_eq!(facts[1]["status"], 401);
    });
}
