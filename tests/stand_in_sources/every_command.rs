//! Every command of every version, in its smallest valid form (`commands.jsonl`, made from the published schemas).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::facts::Kind;
use evenkeel::ocpp::actions::{self, Side};
use evenkeel::ocpp::lint::{Lint, lint};
use evenkeel::ocpp::{Envelope, MessageType, Part, Version};
use evenkeel::shadow::overlay;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::booted;
use crate::shadow_support::{Candidate, Conn, run, within};
use crate::tap::{Setup, Tap};

const COMMANDS: &str = include_str!("commands.jsonl");

/// Names a directory that gets every command and every answer, for `tests/interop/check_refusals.py`.
const ANSWERS: &str = "EVENKEEL_ANSWERS";

const SOURCES: [&str; 4] = ["model", "no-op", "refusal", "rpc-refusal"];

struct Minimal {
    action: String,
    payload: String,
}

fn minimal(version: Version) -> Vec<Minimal> {
    let lines = COMMANDS.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let action = line["action"].as_str().unwrap().to_owned();
        (
            line["version"].as_str().unwrap().to_owned(),
            action,
            line["payload"].to_string(),
        )
    });
    let commands: Vec<_> = lines
        .filter(|(of, ..)| of == version.number())
        .map(|(_, action, payload)| Minimal { action, payload })
        .collect();
    let known: BTreeSet<&str> = actions::all(version)
        .filter(|action| action.sender.allows(Side::Csms))
        .map(|action| action.name)
        .collect();
    let listed: BTreeSet<&str> = commands.iter().map(|one| one.action.as_str()).collect();
    assert_eq!(listed, known, "{version}");
    commands
}

/// Whether a payload fits its type. rust-ocpp has none for 2.1: what 2.0.1 has, too, is checked as such.
fn assert_fits(version: Version, action: &str, part: Part, payload: &str) {
    for version in [version, Version::V201] {
        if let Lint::Refused { reason } = lint(version, action, part, payload) {
            panic!("{version} {action}: {reason} in {payload}");
        }
        if version == Version::V16 {
            return;
        }
    }
}

/// Sends every command; returns what the interop check reads.
async fn ask_everything(conn: &mut Conn, version: Version) -> String {
    let mut lines = String::new();
    for Minimal { action, payload } in minimal(version) {
        if version != Version::V21 {
            assert_fits(version, &action, Part::Request, &payload);
        }
        let since = Instant::now();
        conn.send(format!(r#"[2,"{action}-1","{action}",{payload}]"#))
            .await;
        let text = conn.answer_to(&format!("{action}-1")).await;
        assert!(since.elapsed() < Duration::from_secs(1), "{action}");
        let answer = Envelope::parse(&text).unwrap();
        let head = format!(r#"{{"version":"{version}","action":"{action}""#);
        writeln!(lines, r#"{head},"request":{payload}}}"#).unwrap();
        if answer.kind == MessageType::CallResult {
            if version != Version::V21 {
                assert_fits(version, &action, Part::Response, answer.payload);
            }
            writeln!(lines, r#"{head},"payload":{}}}"#, answer.payload).unwrap();
        } else {
            assert!(
                matches!(answer.code.as_ref(), "NotSupported" | "NotImplemented"),
                "{text}"
            );
        }
    }
    lines
}

impl Conn {
    /// The answer to a command; what the charger is made to say meanwhile is answered like a backend does.
    async fn answer_to(&mut self, id: &str) -> String {
        loop {
            let text = self.text().await.unwrap();
            let message = Envelope::parse(&text).unwrap();
            if message.kind.is_answer() {
                assert_eq!(message.id, id);
                return text;
            }
            let id = message.id.to_string();
            self.send(format!(r#"[3,"{id}",{{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}}]"#))
                .await;
        }
    }
}

#[test]
fn item_4_every_command_is_answered_and_reaches_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let night = RefCell::new(None);
    run(async {
        let (legacy, candidate) = (Candidate::listen().await, Candidate::listen().await);
        let mut setup = Setup::new(dir.path(), &legacy.url(), &candidate.url());
        setup.sections.push_str("[shadow]\nhold = \"0s\"\n");
        let tap = Tap::start(&setup);
        tap.records();
        let mut lines = String::new();
        for version in Version::ALL {
            lines += &one_charger(&tap.url, version, &legacy, &candidate).await;
        }
        assert_eq!(tap.metric("evenkeel_containment_breaches_total"), 0);
        night.replace(Some((tap.stop(), lines)));
    });
    let ((recording, log), lines) = night.into_inner().unwrap();
    let asked = Version::ALL.map(|version| minimal(version).len());
    let asked = asked.into_iter().sum::<usize>();
    assert_eq!(recording.verify()["containment"]["ok"], true);
    let answers = recording.of_kind(Kind::ShadowAnswered);
    assert_eq!(answers.len(), asked);
    for answer in answers {
        let note = answer.note_json();
        assert!(
            SOURCES.contains(&note["source"].as_str().unwrap()),
            "{note}"
        );
    }
    // Whoever watches hears of what would have moved or changed a charger.
    for action in [
        "SetNetworkProfile",
        "RemoteStartTransaction",
        "UpdateFirmware",
    ] {
        let told = log
            .iter()
            .any(|line| line.contains("WARN") && line.contains(action));
        assert!(told, "{action}: {log:#?}");
    }
    let diffs = recording.diffs();
    let answered = diffs["stand_in"].as_array().unwrap().iter();
    let answered: u64 = answered.map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(answered, asked as u64);
    publish("answers.jsonl", &lines);
}

/// Leaves what was said for the interop check, if that wants it.
fn publish(file: &str, lines: &str) {
    if let Some(dir) = std::env::var_os(ANSWERS) {
        std::fs::write(Path::new(&dir).join(file), lines).unwrap();
    }
}

/// What a charger says of itself, in any version.
pub(crate) fn boot() -> Value {
    json!({
        "chargePointModel": "M", "chargePointVendor": "V", "reason": "PowerUp",
        "chargingStation": { "model": "M", "vendorName": "V" },
    })
}

/// Both ends of a line through the tap: the charger's and legacy's.
pub(crate) async fn connected(tap: &str, version: Version, legacy: &Candidate) -> (Conn, Conn) {
    let mut request = format!("{tap}/CP-{version}").into_client_request().unwrap();
    let subprotocol = version.subprotocol().parse().unwrap();
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", subprotocol);
    let tcp = TcpStream::connect(tap.trim_start_matches("ws://"))
        .await
        .unwrap();
    let (charger, legacy) = tokio::join!(
        within("the connect", tokio_tungstenite::client_async(request, tcp)),
        legacy.accept(),
    );
    (
        Conn {
            ws: charger.unwrap().0,
        },
        legacy,
    )
}

/// A charger that boots and hears every command of its version's candidate; it may hear nothing of them.
async fn one_charger(
    tap: &str,
    version: Version,
    legacy: &Candidate,
    candidate: &Candidate,
) -> String {
    let (mut charger, mut legacy) = connected(tap, version, legacy).await;
    charger
        .send(json!([2, "b", "BootNotification", boot()]).to_string())
        .await;
    let got = legacy.accept("BootNotification").await;
    let mut candidate = candidate.accept().await;
    candidate.accept("BootNotification").await;
    let lines = ask_everything(&mut candidate, version).await;
    charger.ws.close(None).await.unwrap();
    assert_eq!(legacy.text().await, None, "the charger answered something");
    drop(legacy);
    let mut heard = Vec::new();
    while let Some(text) = charger.text().await {
        heard.push(text);
    }
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(
        heard[0].starts_with(&format!(r#"[3,"{}","#, got.id)),
        "{heard:?}"
    );
    lines
}

#[test]
fn what_can_be_simulated_is_valid_too() {
    run(async {
        let mut lines = String::new();
        for version in Version::ALL {
            let (_candidate, world, mut conn) = booted(version.subprotocol(), |settings| {
                let actions = overlay::ACTIONS.iter().filter(|action| **action != "Reset");
                settings.simulate = actions.map(|action| (*action).to_owned()).collect();
            })
            .await;
            lines += &ask_everything(&mut conn, version).await;
            let sources = world.sources(minimal(version).len()).await;
            let simulated = sources
                .iter()
                .filter(|source| *source == "simulate")
                .count();
            assert!(simulated >= 5, "{version}: {sources:?}");
        }
        publish("simulated.jsonl", &lines);
    });
}
