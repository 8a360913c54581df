//! Bundles of what is rare: chargers that wait, versions, late answers, a night behind a switch, a target behind TLS.

use std::sync::Arc;
use std::time::Duration;

use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Recorder};
use evenkeel::judge::Rules;
use evenkeel::live::handover::Opened;
use evenkeel::ocpp::Version;
use evenkeel::replay::bundle::claims::unkept;
use evenkeel::replay::bundle::extract::smallest;
use evenkeel::replay::proof::prove;
use evenkeel::replay::recorded::shows;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::{SimBackend, Verdict, backend, bundles, evenkeel, played, schema, series};

#[tokio::test]
async fn a_boot_may_wait_where_it_waited_when_it_was_recorded() {
    let rules = Rules::built_in().unwrap();
    let bundle = smallest(&series::command_missing_while_pending(), &rules).unwrap();
    assert_eq!((bundle.steps.len(), &bundle.needs.boots), (2, &vec![1]));
    prove(&bundle, &rules).await.unwrap();
    // A backend that refuses the boot is no such backend.
    let refusing = backend(|it| it.boot_status = "Rejected".to_owned()).await;
    let target = evenkeel::replay::play::Target {
        command_patience: Duration::from_millis(100),
        ..evenkeel::replay::play::Target::new(
            evenkeel::live::Backend::parse(&refusing.url()).unwrap(),
        )
    };
    let came = evenkeel::replay::proof::attempt(&bundle, &target, &rules)
        .await
        .unwrap();
    assert_ne!(came.verdict, Verdict::Fixed, "{came:?}");
}

#[tokio::test]
async fn a_charger_of_2_1_is_played_as_well() {
    let rules = Rules::built_in().unwrap();
    let bundle = smallest(&series::blocked_in_2_1(), &rules).unwrap();
    prove(&bundle, &rules).await.unwrap();
    let says = async |status: &str| {
        backend(|it| {
            it.versions = vec![Version::V21];
            it.tags = vec![("04A1".to_owned(), status.to_owned())];
        })
        .await
    };
    let lenient = says("Accepted").await;
    let came = played(&bundle, &lenient, &rules).await;
    assert_eq!(came.verdict, Verdict::StillDiverges, "{came:?}");
    let strict = says("Blocked").await;
    let came = played(&bundle, &strict, &rules).await;
    assert_eq!(came.verdict, Verdict::Fixed, "{came:?}");
}

#[test]
fn a_late_answer_is_shown_by_its_times_alone() {
    let rules = Rules::built_in().unwrap();
    let bundle = smallest(&series::late(), &rules).unwrap();
    assert_eq!(bundle.finding.kind, "late");
    assert!(shows(&bundle, &rules, Leg::Candidate) && !shows(&bundle, &rules, Leg::Legacy));
    assert_eq!(unkept(&bundle, &rules), [""; 0]);
}

/// What each backend says to a charger that was moved: the candidate is its authority, and refuses the stop.
fn moved(dir: &std::path::Path) {
    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    let charger: Arc<str> = Arc::from("kerb-9");
    let mut at = 1_798_761_600_000_000;
    let mut fact = |kind, leg, dir| {
        at += 50_000;
        Fact::new(kind, at).on(&charger, 1).via(leg, dir)
    };
    let (up, down) = (Dir::FromCharger, Dir::ToCharger);
    let opened = Opened {
        subprotocol: Some("ocpp1.6".to_owned()),
        ..Opened::of(&charger, Leg::Candidate)
    };
    let opened = fact(Kind::ConnOpened, Leg::Candidate, up).note(&opened);
    recorder.record(opened).unwrap();
    let tag = json!({ "idTagInfo": { "status": "Accepted" } });
    let started = |id: u32| json!({ "idTagInfo": { "status": "Accepted" }, "transactionId": id });
    let start = json!({ "connectorId": 1, "idTag": "TAG-1", "meterStart": 10, "timestamp": "2027-01-01T00:00:00Z" });
    let stop = |id: u32| json!({ "transactionId": id, "idTag": "TAG-1", "meterStop": 20, "timestamp": "2027-01-01T00:10:00Z" });
    let boot = json!({ "chargePointVendor": "Tallow", "chargePointModel": "Kerb" });
    let booted =
        json!({ "status": "Accepted", "interval": 300, "currentTime": "2027-01-01T00:00:00Z" });
    let said = [
        ("BootNotification", &boot, &booted, json!([3, "1", booted])),
        (
            "StartTransaction",
            &start,
            &started(17),
            json!([3, "2", started(900)]),
        ),
        (
            "StopTransaction",
            &stop(900),
            &tag,
            json!([4, "3", "InternalError", "no", {}]),
        ),
    ];
    for (number, (action, payload, legacy, candidate)) in (1_u64..).zip(said) {
        let id = number.to_string();
        let call = fact(Kind::Message, Leg::Candidate, up).covering(number, 1);
        let call = call.body(json!([2, id, action, payload]).to_string());
        let call = recorder.record(call).unwrap();
        let rewrites = if action == "StopTransaction" {
            json!([{ "class": "transactionId", "path": "/transactionId", "from": "900", "to": "17" }])
        } else {
            json!([])
        };
        let sent = fact(Kind::ShadowSent, Leg::Legacy, up).because(call);
        let sent = sent.note(&json!({ "id": id, "action": action, "rewrites": rewrites }));
        let sent = recorder.record(sent).unwrap();
        let answer = fact(Kind::Message, Leg::Candidate, down).covering(number, 1);
        recorder.record(answer.body(candidate.to_string())).unwrap();
        let received = fact(Kind::ShadowReceived, Leg::Legacy, down).because(sent);
        let received = received.body(json!([3, id, legacy]).to_string());
        recorder.record(received).unwrap();
    }
    recorder
        .record(fact(Kind::ConnClosed, Leg::Candidate, up))
        .unwrap();
    recorder.close(Duration::from_secs(30)).unwrap();
}

#[tokio::test]
async fn a_bundle_of_a_night_behind_a_switch_speaks_as_legacy_heard_it() {
    let place = tempfile::tempdir().unwrap();
    let night = place.path().join("night");
    moved(&night);
    let output = evenkeel(&["diffs", "--json", "night"], place.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let rules = Rules::built_in().unwrap();
    let bundles = bundles(&night, &rules);
    let bundle = bundles
        .iter()
        .find(|it| it.finding.action == "StopTransaction")
        .unwrap();
    let start = &bundle.steps[bundle.steps.len() - 2];
    let stop = bundle.steps.last().unwrap();
    let answer = |answer: &Option<evenkeel::replay::bundle::Answer>| -> Value {
        serde_json::from_str(answer.as_ref().unwrap().payload()).unwrap()
    };
    assert_eq!(answer(&start.legacy)["transactionId"], json!(17));
    assert_eq!(answer(&start.candidate)["transactionId"], json!(900));
    let payload: Value = serde_json::from_str(stop.payload.get()).unwrap();
    assert_eq!(payload["transactionId"], json!(17));
    assert_eq!(stop.refers.len(), 1);
    assert!(stop.candidate.as_ref().unwrap().error.is_some());
    prove(bundle, &rules).await.unwrap();
    let refusing =
        backend(|it| it.refuses = vec![("StopTransaction".to_owned(), "InternalError".to_owned())])
            .await;
    let came = played(bundle, &refusing, &rules).await;
    assert_eq!(came.verdict, Verdict::StillDiverges, "{came:?}");
    assert_eq!(refusing.log().strays(), []);
}

#[test]
fn a_bundle_that_does_not_hold_what_it_claims_is_broken() {
    let place = tempfile::tempdir().unwrap();
    let good = series::stop_refused().write().unwrap();
    // As if the candidate had answered as legacy does.
    let bundle = series::stop_refused();
    let mut mended = bundle.clone();
    let last = mended.steps.last_mut().unwrap();
    last.candidate.clone_from(&last.legacy);
    let mut needless = series::whole_session();
    needless.shrunk.against = vec!["recording".to_owned()];
    let places: Vec<usize> = (0..needless.steps.len()).collect();
    let needless = needless.keeping(&places);
    for (name, text, code, says) in [
        ("good", good.clone(), 0, "ok"),
        (
            "mended",
            mended.write().unwrap(),
            5,
            "does not show its finding",
        ),
        ("needless", needless.write().unwrap(), 5, "can be left out"),
        ("cut", good[..good.len() / 2].to_owned() + "}", 5, ""),
    ] {
        let file = format!("{name}.bundle.json");
        std::fs::write(place.path().join(&file), text).unwrap();
        let output = evenkeel(&["verify", &file], place.path());
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(says), "{name}: {said}");
    }
    let output = evenkeel(&["verify", "--json", "mended.bundle.json"], place.path());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    schema::assert_fits("verify-file", &said);
}

/// Stands before a backend and speaks TLS in its place; returns its port, and the certificate to trust it by.
async fn behind_tls(backend: &SimBackend) -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = backend.address();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
                // Either side may be gone first.
                let _ended = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
            });
        }
    });
    (port, certified.cert.pem())
}

#[tokio::test]
async fn a_target_behind_tls_that_asks_for_a_password_is_played() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let locked = backend(|it| it.password = Some("correct-horse".to_owned())).await;
    let (port, certificate) = behind_tls(&locked).await;
    write("ca.pem", &certificate);
    write("right", "correct-horse\n");
    write("wrong", "incorrect-horse\n");
    write("stop.bundle.json", &series::stop_refused().write().unwrap());
    let url = format!("wss://localhost:{port}/ocpp");
    let folder = place.path().to_owned();
    let work = move || {
        let replay = |more: &[&str]| {
            let args = ["replay", "stop.bundle.json", "--target", &url];
            let output = evenkeel(&[&args, more].concat(), &folder);
            let said = String::from_utf8(output.stdout).unwrap();
            (output.status.code(), said)
        };
        let (code, said) = replay(&["--ca", "ca.pem", "--password-file", "right"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with("FIXED"), "{said}");
        let (code, said) = replay(&["--ca", "ca.pem", "--password-file", "wrong"]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("401"), "{said}");
        // Nobody vouches for that certificate.
        let (code, said) = replay(&["--password-file", "right"]);
        assert_eq!(code, Some(4), "{said}");
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
