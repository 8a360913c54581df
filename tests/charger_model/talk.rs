//! A candidate that asks the stand-in, with the charger's line beside it, and what the charger tells there.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::facts::{Fact, Kind};
use evenkeel::ocpp::lint::{Lint, lint};
use evenkeel::ocpp::{Envelope, Part, Version};
use serde_json::{Value, json};

use crate::shadow_support::{Candidate, Conn, Got, World};

/// A password and an address that no candidate may see.
pub(crate) const SECRET: &str = "geheim42";

/// Names a directory that gets every answer and what followed it, for `tests/interop/check_refusals.py`.
const ANSWERS: &str = "EVENKEEL_ANSWERS";

pub(crate) const ACCEPTED: &str = r#"{"status":"Accepted"}"#;

pub(crate) const FULL: &str = r#"{"requestId":0,"reportBase":"FullInventory"}"#;

/// A candidate that asks, with the charger's line beside it.
pub(crate) struct Talk {
    pub(crate) world: World,
    pub(crate) conn: Conn,
    pub(crate) version: Version,
    pub(crate) lines: String,
    pub(crate) asked: usize,
    _candidate: Candidate,
}

impl Talk {
    pub(crate) async fn new(version: Version, world: impl FnOnce(&Candidate) -> World) -> Self {
        let candidate = Candidate::listen().await;
        let world = world(&candidate);
        let opened = Fact::new(Kind::ConnOpened, 0).on(&Arc::from("CP1"), world.conn.get() + 1);
        let note = json!({"subprotocol": version.subprotocol()});
        world.recorder.record(opened.note(&note)).unwrap();
        world.open(version.subprotocol());
        let mut conn = candidate.accept().await;
        let boot = match version {
            Version::V16 => r#"{"chargePointModel":"M","chargePointVendor":"V"}"#,
            _ => r#"{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}"#,
        };
        let accepted =
            r#"{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}"#;
        world
            .exchange(
                &mut conn,
                &format!(r#"[2,"b","BootNotification",{boot}]"#),
                accepted,
            )
            .await;
        Self {
            world,
            conn,
            version,
            lines: String::new(),
            asked: 0,
            _candidate: candidate,
        }
    }

    pub(crate) async fn fresh(version: Version) -> Self {
        Self::new(version, |candidate| {
            World::new(candidate, |settings| settings.hold = Duration::ZERO)
        })
        .await
    }

    /// A talk in which commands may wait for the authority's as long as the test runs.
    pub(crate) async fn patient(version: Version) -> Self {
        Self::new(version, |candidate| {
            World::new(candidate, |settings| {
                settings.hold = Duration::from_hours(1);
            })
        })
        .await
    }

    /// The authority commands, and the charger answers.
    pub(crate) fn commanded(&mut self, action: &str, request: &str, answer: &str) {
        self.asked += 1;
        let id = format!("l{}", self.asked);
        self.world
            .authority(&format!(r#"[2,"{id}","{action}",{request}]"#));
        self.world.charger(&format!(r#"[3,"{id}",{answer}]"#));
    }

    /// The charger says something that the candidate hears too.
    pub(crate) async fn said(&mut self, action: &str, payload: &str) {
        self.asked += 1;
        let call = format!(r#"[2,"s{}","{action}",{payload}]"#, self.asked);
        self.world.exchange(&mut self.conn, &call, "{}").await;
    }

    /// The candidate commands; the answer is checked. A CALLERROR's code stands for its payload.
    pub(crate) async fn ask(&mut self, action: &str, request: &str) -> String {
        self.asked += 1;
        let id = format!("c{}", self.asked);
        self.conn
            .send(format!(r#"[2,"{id}","{action}",{request}]"#))
            .await;
        let text = self.conn.text().await.unwrap();
        let answer = Envelope::parse(&text).unwrap();
        assert!(answer.kind.is_answer() && answer.id == id, "{text}");
        assert!(!text.contains(SECRET), "{text}");
        if !answer.code.is_empty() {
            return answer.code.into_owned();
        }
        self.check(action, Part::Response, answer.payload);
        answer.payload.to_owned()
    }

    /// Asks line by line: a command, its request, and the status that the answer consists of.
    pub(crate) async fn asks(&mut self, table: &str) {
        for line in table.trim().lines() {
            let (action, rest) = line.split_once(' ').unwrap();
            let (request, status) = rest.rsplit_once(' ').unwrap();
            let answer = self.ask(action, request).await;
            assert_eq!(answer, format!(r#"{{"status":"{status}"}}"#), "{line}");
        }
    }

    /// The next CALL that follows, answered.
    pub(crate) async fn follows(&mut self, action: &str) -> Got {
        let call = self.conn.expect(action).await;
        assert!(
            call.id.starts_with("evk-") && !call.payload.contains(SECRET),
            "{call:?}"
        );
        self.conn.answer(&call, "{}").await;
        self.check(action, Part::Request, &call.payload);
        call
    }

    /// What the candidate did not answer in an earlier run comes again, and is answered.
    pub(crate) async fn gets_again(&mut self, action: &str, id: &str, answer: &str) {
        let call = self.conn.expect(action).await;
        assert_eq!(call.id, id);
        self.conn.answer(&call, answer).await;
    }

    pub(crate) fn check(&mut self, action: &str, part: Part, payload: &str) {
        let member = match part {
            Part::Request => "request",
            Part::Response => "payload",
        };
        let version = self.version;
        writeln!(
            self.lines,
            r#"{{"version":"{version}","action":"{action}","{member}":{payload}}}"#
        )
        .unwrap();
        if let Lint::Refused { reason } = lint(version, action, part, payload) {
            panic!("{version} {action}: {reason} in {payload}");
        }
    }

    /// The note of the last answer.
    pub(crate) async fn note(&self) -> Value {
        let answers = self.asked_of_us();
        let of = |fact: &Fact| fact.kind == Kind::ShadowAnswered;
        self.world
            .fact("the answers", |_| {
                self.world.count(Kind::ShadowAnswered) >= answers
            })
            .await;
        self.world
            .recorder
            .facts()
            .iter()
            .rfind(|fact| of(fact))
            .unwrap()
            .note_json()
    }

    pub(crate) fn asked_of_us(&self) -> usize {
        let commands = self.world.recorder.facts();
        let is_command = |fact: &&Fact| {
            fact.kind == Kind::ShadowReceived
                && fact.text().is_some_and(|text| text.starts_with("[2,"))
        };
        commands.iter().filter(is_command).count()
    }

    /// Leaves what was said for the interop check, if that wants it.
    pub(crate) fn publish(&self, name: &str) {
        if let Some(dir) = std::env::var_os(ANSWERS) {
            let file = Path::new(&dir).join(format!("{name}-{}.jsonl", self.version));
            std::fs::write(file, &self.lines).unwrap();
        }
    }
}

pub(crate) fn variable(component: &str, name: &str, value: &str, mutability: &str) -> Value {
    json!({
        "component": {"name": component}, "variable": {"name": name},
        "variableAttribute": [{"type": "Actual", "value": value, "mutability": mutability}],
        "variableCharacteristics": {"dataType": "string", "supportsMonitoring": false},
    })
}

/// An inventory in three messages.
pub(crate) fn inventory(request_id: i64) -> Vec<String> {
    let evse = json!({
        "component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Available"},
        "variableAttribute": [{"value": "true", "mutability": "ReadOnly"}],
    });
    let limit = json!({
        "component": {"name": "DeviceDataCtrlr"},
        "variable": {"name": "ItemsPerMessage", "instance": "GetVariables"},
        "variableAttribute": [{"value": "3", "mutability": "ReadOnly"}],
    });
    let pages = [
        vec![
            variable("OCPPCommCtrlr", "HeartbeatInterval", "300", "ReadWrite"),
            variable("SecurityCtrlr", "BasicAuthPassword", SECRET, "WriteOnly"),
            variable("SecurityCtrlr", "Identity", SECRET, "ReadWrite"),
        ],
        vec![
            evse,
            limit,
            variable("ChargingStation", "Model", "M", "ReadOnly"),
        ],
        vec![
            variable("DisplayMessageCtrlr", "Available", "true", "ReadOnly"),
            variable(
                "NetworkConfiguration",
                "OcppCsmsUrl",
                &format!("wss://{SECRET}/x"),
                "ReadOnly",
            ),
            variable("Vendor", "Portal", &format!("https://{SECRET}"), "ReadOnly"),
        ],
    ];
    (0..)
        .zip(pages)
        .map(|(number, data)| {
            json!({
                "requestId": request_id, "generatedAt": "2026-01-01T00:00:00Z", "seqNo": number,
                "tbc": number < 2, "reportData": data,
            })
            .to_string()
        })
        .collect()
}

/// The authority asks for an inventory; returns the facts of the charger's messages.
pub(crate) fn report(world: &World, request_id: i64) -> Vec<u64> {
    let ask = json!({"requestId": request_id, "reportBase": "FullInventory"});
    world.authority(&format!(r#"[2,"r{request_id}","GetBaseReport",{ask}]"#));
    world.charger(&format!(r#"[3,"r{request_id}",{ACCEPTED}]"#));
    let pages = inventory(request_id).into_iter().enumerate();
    pages
        .map(|(number, page)| world.charger(&format!(r#"[2,"n{number}","NotifyReport",{page}]"#)))
        .collect()
}
