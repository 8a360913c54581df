//! OCPI and SteVe, pulled over HTTP.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use evenkeel::backends::ocpi::TokenEncoding;
use evenkeel::backends::{Access, Tally, steve};
use evenkeel::facts::{Kind, Leg};
use evenkeel::judge::records::{Form, Provenance, RecordKind};
use evenkeel::live::secret::Secret;
use evenkeel::ocpp::Version;
use evenkeel::replay::sim::books::Bookkeeping;
use evenkeel::replay::sim::{Dialect, SimBackend, SimCharger, SimOcpi, Spec};
use serde_json::{Value, json};

use crate::peer::{Reply, Server, lobby, page, session};
use crate::rig::{
    TOKEN, block_on, facts, holds, ids, limits, ocpi, private, read, read_counting, records, sweeps,
};

#[test]
fn every_page_is_read_once_and_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let sessions: Vec<Value> = (1..=5).map(|n| session(&format!("S{n}"), n)).collect();
        let cdr = r#"{"id":"C1","session_id":"S1","total_energy":1.250,"last_updated":"2026-03-01T11:00:00Z","x":[1.10]}"#;
        let server = Server::start(move |asked, base| {
            let answer = lobby(asked, base, "2.2.1");
            answer.unwrap_or_else(|| match asked.path.as_str() {
                "/ocpi/SENDER/sessions" => page(&sessions, asked, base),
                _ => Reply::ocpi(format!("[{cdr}]")),
            })
        })
        .await;
        let report = read(Access::Ocpi(ocpi(&server.base)), dir.path()).await;
        assert_eq!(report.broken(), None);
        assert_eq!(ids(dir.path()), ["S1", "S2", "S3", "S4", "S5", "C1"]);
        let all = facts(dir.path(), Kind::BackendRecord);
        let last = all.last().unwrap();
        assert_eq!(last.text(), Some(cdr));
        assert_eq!(last.leg, Some(Leg::Legacy));
        let third = Provenance::of(&all[2]).unwrap();
        assert_eq!((third.page, third.row, third.form), (2, 1, Form::Ocpi));
        assert_eq!(third.url, format!("{}/ocpi/SENDER/sessions", server.base));
        let asked = server.asked_for("/sessions");
        assert_eq!(asked.len(), 3);
        assert_eq!(
            asked[0].parameter("date_from"),
            Some("1970-01-01T00:00:00Z")
        );
        for (name, value) in [
            ("ocpi-from-country-code", "NL"),
            ("ocpi-from-party-id", "EVK"),
            ("ocpi-to-party-id", "CPO"),
        ] {
            assert_eq!(asked[0].header(name), value);
        }
        assert_ne!(
            asked[0].header("x-request-id"),
            asked[1].header("x-request-id")
        );
        assert!(!asked[0].header("x-correlation-id").is_empty());
        assert!(
            server.asked_for("/versions")[0]
                .header("ocpi-to-party-id")
                .is_empty()
        );
    });
    assert!(!holds(dir.path(), TOKEN));
}

#[test]
fn a_later_run_goes_on_where_the_last_one_ended() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let sessions = Rc::new(RefCell::new(vec![session("S1", 20), session("S2", 30)]));
        let books = Rc::clone(&sessions);
        let server = Server::start(move |asked, base| {
            let answer = lobby(asked, base, "2.2.1");
            answer.unwrap_or_else(|| page(&books.borrow(), asked, base))
        })
        .await;
        let mut peer = ocpi(&server.base);
        peer.wanted = vec![RecordKind::Session];
        read(Access::Ocpi(peer.clone()), dir.path()).await;
        sessions.borrow_mut()[1] = session("S2", 45);
        let report = read(Access::Ocpi(peer), dir.path()).await;
        assert_eq!((report.sweeps[0].seen, report.sweeps[0].recorded), (2, 1));
        // The latest change, and ten minutes of overlap.
        let asked = server.asked_for("/sessions");
        let from = asked.last().unwrap().parameter("date_from");
        assert_eq!(from, Some("2026-03-01T10:20:00Z"));
    });
    assert_eq!(ids(dir.path()), ["S1", "S2", "S2"]);
}

#[test]
fn pages_that_shift_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let mut sessions: Vec<Value> = (1..=4).map(|n| session(&format!("S{n}"), n)).collect();
        let mut asked_before = 0;
        let server = Server::start(move |asked, base| {
            if let Some(reply) = lobby(asked, base, "2.2.1") {
                return reply;
            }
            // While the first page is read S1 changes and goes to the end: S3 moves onto the page that was read.
            if asked_before == 1 {
                sessions.remove(0);
                sessions.push(session("S1", 50));
            }
            asked_before += 1;
            page(&sessions, asked, base)
        })
        .await;
        let mut peer = ocpi(&server.base);
        peer.wanted = vec![RecordKind::Session];
        let report = read(Access::Ocpi(peer), dir.path()).await;
        assert_eq!(report.sweeps[0].seen, 4);
        assert_eq!(report.sweeps[0].told, Some(4));
    });
    let mut ids = ids(dir.path());
    ids.sort();
    assert_eq!(ids, ["S1", "S1", "S2", "S3", "S4"]);
}

#[test]
fn a_wrong_token_is_told_and_never_tried_in_another_way() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let server = Server::start(|asked, base| lobby(asked, base, "2.2.1").unwrap()).await;
        let mut peer = ocpi(&server.base);
        peer.encoding = TokenEncoding::Plain;
        let report = read(Access::Ocpi(peer), dir.path()).await;
        assert!(report.broken().unwrap().contains("401"), "{report:?}");
        // Once for sessions, once for CDRs.
        let asked = server.asked.borrow();
        let shown: Vec<&str> = asked
            .iter()
            .map(|asked| asked.header("authorization"))
            .collect();
        assert_eq!(shown, [format!("Token {TOKEN}"), format!("Token {TOKEN}")]);
    });
    let sweeps = sweeps(dir.path());
    assert!(
        sweeps
            .iter()
            .all(|sweep| sweep.broken.is_some() && sweep.cursor.is_none())
    );
    assert!(!holds(dir.path(), TOKEN));
}

#[test]
fn an_overloaded_peer_is_asked_again_and_a_broken_pass_keeps_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let failures = Rc::new(Cell::new(1));
        let left = Rc::clone(&failures);
        let sessions = [session("S1", 1), session("S2", 2), session("S3", 3)];
        let server = Server::start(move |asked, base| {
            if let Some(reply) = lobby(asked, base, "2.2.1") {
                return reply;
            }
            if asked.parameter("offset") == Some("2") && left.get() > 0 {
                left.set(left.get() - 1);
                return Reply::new(429, "slow down").with("Retry-After", 0);
            }
            page(&sessions, asked, base)
        })
        .await;
        let mut peer = ocpi(&server.base);
        peer.wanted = vec![RecordKind::Session];
        failures.set(100);
        let tally = Tally::default();
        let report = read_counting(Access::Ocpi(peer.clone()), dir.path(), &tally).await;
        assert!(report.broken().unwrap().contains("429"), "{report:?}");
        assert_eq!(report.sweeps[0].cursor, None);
        let work = tally.work();
        // Versions, details, the first page, and three tries of the second.
        assert_eq!((work.requests, work.failures), (6, 3));
        assert_eq!((work.pages, work.records), (1, 2));
        assert_eq!((work.passes, work.broken, work.last_success), (0, 1, None));
        failures.set(2);
        let report = read_counting(Access::Ocpi(peer), dir.path(), &tally).await;
        assert_eq!(report.broken(), None);
        let work = tally.work();
        assert_eq!((work.requests, work.failures), (12, 5));
        assert_eq!((work.pages, work.records), (3, 3));
        assert_eq!((work.passes, work.broken), (1, 1));
        assert!(work.last_success.is_some());
        assert_eq!((report.sweeps[0].seen, report.sweeps[0].recorded), (3, 1));
    });
    assert_eq!(ids(dir.path()), ["S1", "S2", "S3"]);
}

#[test]
fn a_newer_version_is_read_with_its_own_prices() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let cdr = r#"{"id":"C1","total_energy":2,"total_cost":{"before_taxes":10.00,"taxes":[{"name":"VAT","amount":2.10}]},
            "auth_method":"SOMETHING_NEW","last_updated":"2026-03-01T11:00:00Z"}"#;
        let server = Server::start(move |asked, base| {
            lobby(asked, base, "2.3.0").unwrap_or_else(|| Reply::ocpi(format!("[{cdr}]")))
        })
        .await;
        let mut peer = ocpi(&server.base);
        peer.wanted = vec![RecordKind::Cdr];
        read(Access::Ocpi(peer), dir.path()).await;
    });
    let record = records(dir.path()).pop().unwrap();
    let cost = record.cost.unwrap();
    assert_eq!(cost.excl_vat.unwrap().to_string(), "10.00");
    assert_eq!(cost.incl_vat.unwrap().to_string(), "12.10");
    assert_eq!(record.auth_method.as_deref(), Some("SOMETHING_NEW"));
}

#[test]
fn errors_in_ocpis_terms_long_answers_and_circles_end_a_pass() {
    let outcome = |body: &'static dyn Fn(&str) -> Reply| {
        let dir = tempfile::tempdir().unwrap();
        block_on(async {
            let server = Server::start(move |asked, base| {
                lobby(asked, base, "2.2.1").unwrap_or_else(|| body(base))
            })
            .await;
            let mut peer = ocpi(&server.base);
            peer.wanted = vec![RecordKind::Session];
            let report = read(Access::Ocpi(peer), dir.path()).await;
            report.broken().unwrap().to_owned()
        })
    };
    let said = outcome(&|_| {
        Reply::new(
            200,
            json!({"status_code": 3001, "status_message": "x\u{1b}y"}),
        )
    });
    assert!(said.contains("OCPI status 3001: x\\u{1b}y"), "{said}");
    let said = outcome(&|_| Reply::ocpi(format!("\"{}\"", "x".repeat(70_000))));
    assert!(said.contains("length limit"), "{said}");
    let said = outcome(&|base| {
        let link = format!("<{base}/ocpi/SENDER/sessions?offset=7>; rel=\"next\"");
        Reply::ocpi(json!([session("S1", 1)])).with("Link", link)
    });
    assert!(said.contains("do not end"), "{said}");
    let said = outcome(&|_| Reply::ocpi(json!([{"kwh": 1}])));
    assert!(said.contains("no id"), "{said}");
}

#[test]
fn a_token_goes_to_no_other_server() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let thief = Server::start(|_, _| Reply::ocpi("[]")).await;
        let elsewhere = thief.base.clone();
        let sessions: Vec<Value> = (1..=3).map(|n| session(&format!("S{n}"), n)).collect();
        let server = Server::start(move |asked, base| {
            lobby(asked, base, "2.2.1").unwrap_or_else(|| page(&sessions, asked, &elsewhere))
        })
        .await;
        let mut peer = ocpi(&server.base);
        peer.wanted = vec![RecordKind::Session];
        let report = read(Access::Ocpi(peer), dir.path()).await;
        assert_eq!(report.broken(), None);
        assert!(thief.asked.borrow().is_empty());
    });
    // The pages were asked for where the token belongs.
    assert_eq!(ids(dir.path()), ["S1", "S2", "S3"]);
}

#[test]
fn only_the_configured_certificates_are_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, own.cert.pem()).unwrap();
    private(&key, &own.signing_key.serialize_pem());
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let foreign = dir.path().join("foreign.pem");
    std::fs::write(&foreign, other.cert.pem()).unwrap();
    let recording = dir.path().join("recording");
    block_on(async {
        let files = evenkeel::live::settings::TlsFiles {
            certificates: cert.clone(),
            key,
        };
        let acceptor = evenkeel::live::tls::incoming(&files, None).unwrap();
        let server = Server::start_tls(acceptor, |asked, base| {
            let answer = lobby(asked, base, "2.2.1");
            answer.unwrap_or_else(|| page(&[session("S1", 1)], asked, base))
        })
        .await;
        let mut peer = ocpi(&server.base);
        peer.wanted = vec![RecordKind::Session];
        peer.ca = Some(foreign);
        let report = read(Access::Ocpi(peer.clone()), &recording).await;
        assert!(
            report.broken().unwrap().contains("certificate"),
            "{report:?}"
        );
        assert!(server.asked.borrow().is_empty());
        peer.ca = Some(cert);
        let report = read(Access::Ocpi(peer), &recording).await;
        assert_eq!(report.broken(), None);
    });
    assert_eq!(ids(&recording), ["S1"]);
}

fn transaction(id: u32, start: &str, stop: Option<&str>) -> Value {
    json!({"id": id, "chargeBoxId": "CP1", "connectorId": 1, "ocppIdTag": "TAG", "startValue": "1000",
        "startTimestamp": start, "stopValue": stop.map(|_| "2250"), "stopTimestamp": stop, "stopReason": null})
}

#[test]
fn steves_open_transactions_are_read_until_they_end() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let books = Rc::new(RefCell::new(vec![
            transaction(1, "2026-03-01T10:00:00Z", None),
            transaction(2, "2026-03-05T10:00:00Z", Some("2026-03-05T11:00:00Z")),
        ]));
        let kept = Rc::clone(&books);
        let server = Server::start(move |asked, _| {
            if asked.header("steve-api-key") != TOKEN {
                return Reply::new(401, "{}");
            }
            let only_open = asked.parameter("type") == Some("ACTIVE");
            let books = kept.borrow();
            let shown = books
                .iter()
                .filter(|one| !only_open || one["stopTimestamp"].is_null());
            Reply::new(200, json!(shown.collect::<Vec<_>>()))
        })
        .await;
        let api = steve::Api {
            base: evenkeel::backends::http::parse(&format!("{}/steve", server.base)).unwrap(),
            login: steve::Login::Key {
                header: hyper::header::HeaderName::from_static("steve-api-key"),
                key: Secret::new(TOKEN),
            },
            ca: None,
            limits: limits(),
        };
        let report = read(Access::Steve(api.clone()), dir.path()).await;
        assert_eq!(report.broken(), None);
        books.borrow_mut()[0] =
            transaction(1, "2026-03-01T10:00:00Z", Some("2026-03-06T10:00:00Z"));
        read(Access::Steve(api), dir.path()).await;
        let asked = server.asked_for("/steve/api/v1/transactions");
        let last = asked.last().unwrap();
        // A day before the start of what was open.
        assert_eq!(last.parameter("from"), Some("2026-02-28T10:00"));
        assert_eq!(last.parameter("periodType"), Some("FROM_TO"));
    });
    assert_eq!(ids(dir.path()), ["1", "2", "1"]);
    let last = records(dir.path()).pop().unwrap();
    assert_eq!(last.energy.unwrap().to_string(), "1250");
    assert!(!holds(dir.path(), TOKEN));
}

#[test]
fn the_books_of_a_simulated_backend_say_what_its_chargers_told() {
    let dir = tempfile::tempdir().unwrap();
    let told = block_on(async {
        let backend = SimBackend::start(Dialect::default()).await.unwrap();
        let mut told = Vec::new();
        for version in [Version::V16, Version::V201] {
            let spec = Spec::new(&format!("c-{}", version.number()), version);
            let mut charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
            charger.boot().await.unwrap();
            for _ in 0..2 {
                let before = charger.register(1);
                charger.start(1, "TAG-1").await.unwrap();
                charger.meter(1).await.unwrap();
                charger.stop(1, "Local").await.unwrap();
                told.push(i64::try_from(charger.register(1) - before).unwrap());
            }
        }
        let books = Bookkeeping {
            prefix: "X",
            price: 35,
            cuts: false,
            flaws: &[],
        };
        let open = SimOcpi::start(backend.log(), books.clone(), TOKEN)
            .await
            .unwrap();
        let base = open.url().replace("/ocpi/versions", "");
        let report = read(Access::Ocpi(ocpi(&base)), dir.path()).await;
        assert_eq!(report.broken(), None);
        let locked = SimOcpi::start(backend.log(), books, "another")
            .await
            .unwrap();
        let base = locked.url().replace("/ocpi/versions", "");
        let report = read(Access::Ocpi(ocpi(&base)), dir.path()).await;
        assert!(report.broken().unwrap().contains("401"), "{report:?}");
        told
    });
    assert!(told.iter().all(|wh| *wh > 0), "{told:?}");
    let records = records(dir.path());
    for kind in [RecordKind::Session, RecordKind::Cdr] {
        let of_kind = records.iter().filter(|record| record.source.kind == kind);
        let booked: Vec<i64> = of_kind
            .map(|record| i64::try_from(record.energy.unwrap()).unwrap())
            .collect();
        assert_eq!(booked, told, "{kind:?}");
    }
    assert!(records.iter().all(|record| record.doubts.is_empty()));
}
