//! Laws of the design that only whole processes can keep.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use evenkeel::facts::{Fact, Kind, Leg};
use evenkeel::ledger::row::Outcome;
use evenkeel::ocpp::Version;
use evenkeel::ocpp::actions::{self, Side};
use evenkeel::replay::sim::Fault;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::night::{Backend, NEW, OLD, Shift, candidate, candidate_asking, legacy, runtime};
use crate::plane::Plane;
use crate::tap::{Setup, Tap, eventually};
use crate::{Healthy, Trouble, count, frames_in_gaps, ledger_of, live_digest, survives, tapped};

#[test]
fn law_3_nothing_waits_for_the_shadow() {
    let lived = survives(|| {
        Box::new(Plane {
            handover: "64KiB",
            begin: |_, victim| kill_process(victim, Signal::STOP).unwrap(),
            end: |tap, victim| {
                eventually("health notices the silence", || !tap.is_well());
                assert!(tap.metric("evenkeel_frames_lost_total") > 0);
                // The pause is the fault itself, not a wait for anything.
                std::thread::sleep(pause());
                kill_process(victim, Signal::CONT).unwrap();
            },
            ..Plane::new()
        })
    });
    assert!(frames_in_gaps(&lived) > 0);
}

/// How long the shadow plane stays stopped after the chargers have charged on without it.
fn pause() -> Duration {
    let seconds = std::env::var("EVENKEEL_PAUSE").map_or(0, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

#[test]
fn law_6_one_path_for_live_and_for_later() {
    let lived = tapped(&mut Healthy(candidate()));
    let live = live_digest(&lived);
    assert_eq!(lived.verified["ledger"]["digest"], live);
    assert_eq!(lived.verified["ledger"]["rejudged"], live);
    let diffs = lived.recording.diffs();
    for suffix in ["", "-wal", "-shm"] {
        let mut file = ledger_of(&lived.recording.0).into_os_string();
        file.push(suffix);
        // The two companions are there only while someone has the ledger open.
        if let Err(error) = fs::remove_file(&file) {
            assert_eq!(
                (error.kind(), suffix.is_empty()),
                (ErrorKind::NotFound, false)
            );
        }
    }
    assert_eq!(lived.recording.diffs(), diffs);
    assert_eq!(diffs["digest"], live);
}

/// A candidate that sends every command there is while cars charge.
struct Commanding(Backend);

impl Trouble for Commanding {
    fn candidate(&self) -> String {
        self.0.url()
    }

    fn setup(&self, setup: &mut Setup) {
        setup.sections.push_str("[shadow]\nhold = \"0s\"\n");
    }

    fn begin(&mut self, _: &Tap) {
        eventually("both sessions are open at the candidate", || {
            self.0.log().transactions().len() == 2
        });
        for _ in 0..5 {
            for (charger, version) in [(OLD, Version::V16), (NEW, Version::V201)] {
                let sessions = self.0.log().transactions();
                let session = sessions.iter().find(|one| one.charger == charger).unwrap();
                let transaction: Value = serde_json::from_str(&session.id).unwrap();
                for action in actions::all(version).filter(|one| one.sender.allows(Side::Csms)) {
                    let payload = command(action.name, &transaction);
                    // A refusal is an answer, too.
                    self.0.order(charger, action.name, payload);
                }
            }
        }
    }

    fn end(&mut self, _: &Tap) {
        let commands = self.0.log().commands();
        assert!(commands.len() > 200);
        assert!(commands.iter().all(|sent| sent.answer.is_some()));
    }
}

/// A command that a charger would obey.
fn command(action: &str, transaction: &Value) -> Value {
    match action {
        "RemoteStopTransaction" | "RequestStopTransaction" => {
            json!({ "transactionId": transaction })
        }
        "RemoteStartTransaction" => json!({ "connectorId": 1, "idTag": "TAG-1" }),
        "Reset" => json!({ "type": "Hard" }),
        "UnlockConnector" => json!({ "connectorId": 1, "evseId": 1 }),
        "ChangeAvailability" => {
            json!({ "connectorId": 0, "type": "Inoperative", "operationalStatus": "Inoperative" })
        }
        "ChangeConfiguration" => json!({ "key": "HeartbeatInterval", "value": "1" }),
        "TriggerMessage" => json!({ "requestedMessage": "BootNotification" }),
        "UpdateFirmware" => {
            json!({ "location": "http://x/", "retrieveDate": "2026-01-01T00:00:00Z" })
        }
        _ => json!({}),
    }
}

#[test]
fn law_2_the_candidate_cannot_reach_the_charger() {
    let lived = survives(|| Box::new(Commanding(candidate())));
    let [received, answered] =
        [Kind::ShadowReceived, Kind::ShadowAnswered].map(|kind| count(&lived, kind));
    assert!(
        answered > 200 && received > answered,
        "{received} received, {answered} answered"
    );
    assert_eq!(lived.verified["containment"]["ok"], true);
    let diffs = lived.recording.diffs();
    let commands = &diffs["commands"];
    // The night is shorter than the time that the legacy has for its own command, so most stay without a verdict.
    let judged = ["/equal", "/divergent", "/not_comparable/total"];
    let judged = judged.map(|count| commands.pointer(count).and_then(Value::as_u64).unwrap());
    assert_eq!(judged.iter().sum::<u64>(), answered as u64, "{commands}");
}

#[test]
fn law_4_legs_are_symmetric() {
    let dir = tempfile::tempdir().unwrap();
    let (legacy, candidate) = (legacy(), candidate());
    let setup = Setup {
        authority: "candidate",
        sections: "[shadow]\nhold = \"0s\"\n".to_owned(),
        ..Setup::new(dir.path(), &legacy.url(), &candidate.url())
    };
    let tap = Tap::start(&setup);
    tap.records();
    let runtime = runtime();
    let mut shift = runtime.block_on(Shift::begin(&tap.url));
    runtime.block_on(shift.charge(10));
    eventually("the legacy opened both sessions", || {
        legacy.log().transactions().len() == 2
    });
    // The legacy is the shadow: it is answered by the stand-in, and only the candidate reaches the charger.
    legacy.order(OLD, "Reset", json!({ "type": "Hard" }));
    runtime.block_on(shift.ask(&candidate));
    runtime.block_on(shift.charge(10));
    let night = runtime.block_on(shift.end(&candidate));
    night.assert_contained();
    let (recording, _) = tap.stop();
    recording.verify();

    for fact in recording.of_kind(Kind::Message) {
        assert_eq!(fact.leg, Some(Leg::Candidate));
    }
    for kind in [Kind::ShadowSent, Kind::ShadowReceived, Kind::ShadowAnswered] {
        let facts = recording.of_kind(kind);
        assert!(!facts.is_empty(), "{kind}");
        assert!(facts.iter().all(|fact| fact.leg == Some(Leg::Legacy)));
    }
    // What the charger says under the candidate's number arrives under the legacy's.
    let learned = recording.of_kind(Kind::IdentifierLearned);
    let pair = json!({ "class": "transactionId", "authority": "1", "shadow": "4711" });
    assert!(
        learned.iter().any(|fact| fact.note_json() == pair),
        "{learned:#?}"
    );
    assert_eq!(legacy.log().strays(), []);
    let stops = legacy.log().calls(OLD, "StopTransaction");
    assert!(stops[0].contains(r#""transactionId":4711"#), "{stops:?}");
    let exchanges = recording.exchanges();
    let compared = |outcome| {
        exchanges
            .iter()
            .filter(|one| one.outcome == outcome)
            .count()
    };
    assert!(compared(Outcome::Equal) > 40, "{exchanges:#?}");
    assert_eq!(compared(Outcome::Divergent), 0, "{exchanges:#?}");
}

/// What nobody may find in a recording or a log.
const CANARIES: [&str; 7] = [
    "CANARY-legacy-key-1",
    "CANARY-candidate-1",
    "CANARY-of-a-url",
    "CANARY-of-charger",
    "CANARY-of-query",
    // The charger's passwords as they go over the wire: in Base64, behind the identity and a colon.
    "DQU5BUlktb2YtY2hhcmdlcg",
    "OkNBTkFSWS1vZi1jaGFyZ2Vy",
];

#[test]
fn law_9_no_secret_is_recorded_or_logged() {
    let dir = tempfile::tempdir().unwrap();
    let [theirs, ours, login, charger, query, ..] = CANARIES;
    let (legacy, candidate) = (legacy(), candidate_asking(Some(charger)));
    let mut setup = Setup::new(dir.path(), &legacy.url(), &candidate.url());
    // The candidate lets one charger in by what it sent the legacy, the other by a file.
    let file = dir.path().join("candidate.credentials");
    fs::write(&file, format!("{NEW} = {charger:?}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    setup.login = format!("pass_credentials = true\ncredentials = {file:?}\n");
    setup.candidate = format!("{}?key={query}", setup.candidate);
    setup.log = Some("trace");
    let tap = Tap::start(&setup);
    tap.records();
    let runtime = runtime();
    let mut shift = runtime.block_on(Shift::begin_with(&tap.url, Some(charger)));
    eventually("both chargers are shadowed", || {
        candidate.log().connected().len() == 2
    });

    let key = |value| json!({ "key": "AuthorizationKey", "value": value });
    runtime.block_on(shift.obey(&legacy, OLD, "ChangeConfiguration", key(theirs)));
    candidate.order(OLD, "ChangeConfiguration", key(ours));
    let password = json!({ "setVariableData": [{
        "component": { "name": "SecurityCtrlr" }, "variable": { "name": "BasicAuthPassword" },
        "attributeValue": theirs,
    }] });
    runtime.block_on(shift.obey(&legacy, NEW, "SetVariables", password.clone()));
    candidate.order(NEW, "SetVariables", password);
    let place = json!({ "location": format!("ftp://me:{login}@files.example/up") });
    runtime.block_on(shift.obey(&legacy, OLD, "GetDiagnostics", place));
    runtime.block_on(shift.charge(5));
    let night = runtime.block_on(shift.end(&legacy));
    night.assert_contained();
    let (recording, log) = tap.stop();
    recording.verify();
    recording.diffs();

    let commands = |facts: Vec<Fact>| {
        let texts = facts
            .into_iter()
            .filter(|fact| fact.note_json()["redacted"] == true);
        texts.count()
    };
    assert_eq!(commands(recording.of_kind(Kind::Message)), 3);
    assert_eq!(commands(recording.of_kind(Kind::ShadowReceived)), 2);
    let mut files = 0;
    for entry in fs::read_dir(&recording.0).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        let bytes = fs::read(&path).unwrap();
        for canary in CANARIES {
            let found = bytes
                .windows(canary.len())
                .any(|here| here == canary.as_bytes());
            assert!(!found, "{canary} in {}", path.display());
        }
        files += 1;
    }
    assert!(files >= 2);
    for canary in CANARIES {
        assert!(
            !log.iter().any(|line| line.contains(canary)),
            "{canary} in the log"
        );
    }
}

/// A candidate that is killed, refuses whoever comes back, and is reached again by a new shadow plane.
struct Losses {
    plane: Plane,
    refusing: bool,
}

impl Trouble for Losses {
    fn candidate(&self) -> String {
        self.plane.candidate()
    }

    fn begin(&mut self, tap: &Tap) {
        let candidate = &mut self.plane.candidate;
        eventually("the candidate opened both sessions", || {
            candidate.log().transactions().len() == 2
        });
        candidate.kill();
        candidate.misbehave(Fault::RefuseHttp(401));
        candidate.revive();
        let recording = tap.recording();
        eventually("both chargers are refused", || {
            recording.of_kind(Kind::ShadowRefused).len() >= 2
        });
    }

    fn during(&mut self, tap: &Tap) {
        if std::mem::take(&mut self.refusing) {
            self.plane.candidate.misbehave(Fault::None);
            kill_process(tap.shadow(), Signal::KILL).unwrap();
        }
    }

    fn end(&mut self, _: &Tap) {
        let log = self.plane.candidate.log();
        eventually("both chargers are shadowed again", || {
            log.connected().len() == 2
        });
        assert_eq!(log.strays(), []);
    }
}

#[test]
fn law_10_every_loss_is_visible() {
    let lived = survives(|| {
        Box::new(Losses {
            plane: Plane::new(),
            refusing: true,
        })
    });
    let sent = lived.recording.of_kind(Kind::ShadowSent);
    let note = |fact: &Fact, key: &str| fact.note_json()[key].clone();
    let synthetic = sent
        .iter()
        .filter(|fact| !note(fact, "synthetic").is_null());
    let translated = sent.iter().filter(|fact| {
        let rewrites = note(fact, "rewrites");
        rewrites
            .as_array()
            .is_some_and(|rewrites| !rewrites.is_empty())
    });
    let losses = [
        ("withheld", count(&lived, Kind::ShadowWithheld)),
        ("gap", count(&lived, Kind::Gap)),
        ("synthetic", synthetic.count()),
        ("translated", translated.count()),
        ("refused", count(&lived, Kind::ShadowRefused)),
        ("learned", count(&lived, Kind::IdentifierLearned)),
    ];
    assert!(losses.iter().all(|(_, count)| *count > 0), "{losses:?}");

    assert!(frames_in_gaps(&lived) > 0);
    assert_eq!(lived.verified["accounting"]["gaps"], losses[1].1);
    let diffs = lived.recording.diffs();
    let not_comparable = &diffs["outcomes"]["not_comparable"];
    assert!(not_comparable["shadow-gap"].as_u64() > Some(0), "{diffs:#}");
    assert!(not_comparable["synthetic"].as_u64() > Some(0), "{diffs:#}");
    assert!(
        diffs["handshakes"]["divergent"].as_u64() > Some(0),
        "{diffs:#}"
    );
    let exchanges = lived.recording.exchanges();
    for withheld in lived.recording.of_kind(Kind::ShadowWithheld) {
        let exchange = exchanges.iter().find(|one| one.id == withheld.cause);
        let outcome = exchange.map(|exchange| exchange.outcome);
        assert_eq!(outcome, Some(Outcome::NotComparable), "{withheld:?}");
    }
}
