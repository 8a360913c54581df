//! What the stand-in answers from what is known of a charger: learned from its line, imported, and known again after a
//! restart. Everything that is answered, and everything that follows an answer, is checked against the types of rust-ocpp.

mod shadow_support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Fact, Kind, Leg, Limits, Reader, Recorder};
use evenkeel::ocpp::lint::{Lint, lint};
use evenkeel::ocpp::{Envelope, Part, Version};
use evenkeel::shadow::model::import;
use serde_json::{Value, json};

use shadow_support::{Candidate, Conn, Got, World, run, start, started};

/// A password and an address that no candidate may see.
const SECRET: &str = "geheim42";

/// Names a directory that gets every answer and what followed it, for `tests/interop/check_refusals.py`.
const ANSWERS: &str = "EVENKEEL_ANSWERS";

const ACCEPTED: &str = r#"{"status":"Accepted"}"#;

/// A candidate that asks, with the charger's line beside it.
struct Talk {
    world: World,
    conn: Conn,
    version: Version,
    lines: String,
    asked: usize,
    _candidate: Candidate,
}

impl Talk {
    async fn new(version: Version, world: impl FnOnce(&Candidate) -> World) -> Self {
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

    async fn fresh(version: Version) -> Self {
        Self::new(version, |candidate| {
            World::new(candidate, |settings| settings.hold = Duration::ZERO)
        })
        .await
    }

    /// The authority commands, and the charger answers.
    fn commanded(&mut self, action: &str, request: &str, answer: &str) {
        self.asked += 1;
        let id = format!("l{}", self.asked);
        self.world
            .authority(&format!(r#"[2,"{id}","{action}",{request}]"#));
        self.world.charger(&format!(r#"[3,"{id}",{answer}]"#));
    }

    /// The charger says something that the candidate hears too.
    async fn said(&mut self, action: &str, payload: &str) {
        self.asked += 1;
        let call = format!(r#"[2,"s{}","{action}",{payload}]"#, self.asked);
        self.world.exchange(&mut self.conn, &call, "{}").await;
    }

    /// The candidate commands; the answer is checked. A CALLERROR's code stands for its payload.
    async fn ask(&mut self, action: &str, request: &str) -> String {
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

    /// The next CALL that follows, answered.
    async fn follows(&mut self, action: &str) -> Got {
        let call = self.conn.expect(action).await;
        assert!(
            call.id.starts_with("evk-") && !call.payload.contains(SECRET),
            "{call:?}"
        );
        self.conn.answer(&call, "{}").await;
        self.check(action, Part::Request, &call.payload);
        call
    }

    fn check(&mut self, action: &str, part: Part, payload: &str) {
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
    async fn note(&self) -> Value {
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

    fn asked_of_us(&self) -> usize {
        let commands = self.world.recorder.facts();
        let is_command = |fact: &&Fact| {
            fact.kind == Kind::ShadowReceived
                && fact.text().is_some_and(|text| text.starts_with("[2,"))
        };
        commands.iter().filter(is_command).count()
    }

    /// Leaves what was said for the interop check, if that wants it.
    fn publish(&self, name: &str) {
        if let Some(dir) = std::env::var_os(ANSWERS) {
            let file = Path::new(&dir).join(format!("{name}-{}.jsonl", self.version));
            std::fs::write(file, &self.lines).unwrap();
        }
    }
}

fn variable(component: &str, name: &str, value: &str, mutability: &str) -> Value {
    json!({
        "component": {"name": component}, "variable": {"name": name},
        "variableAttribute": [{"type": "Actual", "value": value, "mutability": mutability}],
        "variableCharacteristics": {"dataType": "string", "supportsMonitoring": false},
    })
}

/// An inventory in three messages.
fn inventory(request_id: i64) -> Vec<String> {
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
fn report(world: &World, request_id: i64) -> Vec<u64> {
    let ask = json!({"requestId": request_id, "reportBase": "FullInventory"});
    world.authority(&format!(r#"[2,"r{request_id}","GetBaseReport",{ask}]"#));
    world.charger(&format!(r#"[3,"r{request_id}",{ACCEPTED}]"#));
    let pages = inventory(request_id).into_iter().enumerate();
    pages
        .map(|(number, page)| world.charger(&format!(r#"[2,"n{number}","NotifyReport",{page}]"#)))
        .collect()
}

const FULL: &str = r#"{"requestId":0,"reportBase":"FullInventory"}"#;

#[test]
fn semantics_7_6_the_candidates_own_report_is_the_stored_series() {
    run(async {
        for version in [Version::V201, Version::V21] {
            let mut talk = Talk::fresh(version).await;
            for message in report(&talk.world, 77) {
                talk.world
                    .expect_withheld(message, "unmapped identifier")
                    .await;
            }
            assert_eq!(talk.ask("GetBaseReport", FULL).await, ACCEPTED);
            for number in 0..3 {
                let page = talk.follows("NotifyReport").await;
                let page: Value = serde_json::from_str(&page.payload).unwrap();
                let said = [&page["requestId"], &page["seqNo"], &page["tbc"]];
                assert_eq!(said, [&json!(0), &json!(number), &json!(number < 2)]);
                assert_eq!(
                    page["reportData"].as_array().unwrap().len(),
                    3,
                    "secrets are still there by name"
                );
            }
            let note = talk.note().await;
            assert_eq!(
                (&note["source"], &note["model"]),
                (&json!("model"), &json!("learned"))
            );
            assert!(note["age_us"].as_i64().unwrap() >= 0);
            // A selection, an empty one, and one by criteria.
            let select = r#"{"requestId":5,"componentVariable":[{"component":{"name":"evse","evse":{"id":1}}}]}"#;
            assert_eq!(talk.ask("GetReport", select).await, ACCEPTED);
            let page = talk.follows("NotifyReport").await;
            assert!(page.payload.contains("EVSE") && page.payload.contains(r#""requestId":5"#));
            let nothing =
                r#"{"requestId":6,"componentVariable":[{"component":{"name":"Nothing"}}]}"#;
            let empty = r#"{"status":"EmptyResultSet"}"#;
            assert_eq!(talk.ask("GetReport", nothing).await, empty);
            let problems = r#"{"requestId":7,"componentCriteria":["Problem"]}"#;
            assert_eq!(talk.ask("GetReport", problems).await, empty);
            talk.publish("report");
        }
    });
}

#[test]
fn what_is_missing_is_said() {
    run(async {
        let mut talk = Talk::fresh(Version::V201).await;
        // A series with a hole is none.
        let ask = r#"[2,"r","GetBaseReport",{"requestId":7,"reportBase":"FullInventory"}]"#;
        talk.world.authority(ask);
        talk.world.charger(&format!(r#"[3,"r",{ACCEPTED}]"#));
        let pages = inventory(7);
        for page in [&pages[0], &pages[2]] {
            talk.world
                .charger(&format!(r#"[2,"n","NotifyReport",{page}]"#));
        }
        for (base, status) in [
            ("FullInventory", "Rejected"),
            ("ConfigurationInventory", "Rejected"),
            ("SummaryInventory", "NotSupported"),
        ] {
            let request = format!(r#"{{"requestId":1,"reportBase":"{base}"}}"#);
            let answer = talk.ask("GetBaseReport", &request).await;
            assert_eq!(answer, format!(r#"{{"status":"{status}"}}"#));
            let note = talk.note().await;
            assert_eq!(note["source"], "refusal");
            let missing = note["missing"].as_str().unwrap();
            assert!(
                missing.contains(base) && missing.contains("shadow.models"),
                "{missing}"
            );
        }
        for action in ["GetReport", "GetMonitoringReport"] {
            let answer = talk.ask(action, r#"{"requestId":1}"#).await;
            assert_eq!(answer, r#"{"status":"NotSupported"}"#);
            assert!(talk.note().await["missing"].is_string());
        }
        // What is missing comes late.
        talk.world
            .charger(&format!(r#"[2,"n","NotifyReport",{}]"#, pages[1]));
        assert_eq!(talk.ask("GetBaseReport", FULL).await, ACCEPTED);
    });
}

#[test]
fn variables_are_answered_one_by_one() {
    run(async {
        let mut talk = Talk::fresh(Version::V201).await;
        report(&talk.world, 1);
        let named = |component: &str, name: &str| json!({"component": {"name": component}, "variable": {"name": name}});
        let elements = [
            (
                named("ocppcommctrlr", "heartbeatinterval"),
                "300",
                "Accepted",
                "Accepted",
            ),
            (
                named("OCPPCommCtrlr", "HeartbeatInterval"),
                "60",
                "Accepted",
                "Rejected",
            ),
            (
                named("ChargingStation", "Model"),
                "M",
                "Accepted",
                "Rejected",
            ),
            (
                named("SecurityCtrlr", "BasicAuthPassword"),
                SECRET,
                "Rejected",
                "Rejected",
            ),
            (
                named("SecurityCtrlr", "Identity"),
                "x",
                "Rejected",
                "Rejected",
            ),
            (
                named("OCPPCommCtrlr", "Foo"),
                "1",
                "UnknownVariable",
                "UnknownVariable",
            ),
            (
                named("Foo", "Bar"),
                "1",
                "UnknownComponent",
                "UnknownComponent",
            ),
        ];
        for (element, value, read, set) in elements {
            let answer = talk
                .ask(
                    "GetVariables",
                    &json!({"getVariableData": [element]}).to_string(),
                )
                .await;
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let result = &answer["getVariableResult"][0];
            assert_eq!(
                (&result["attributeStatus"], &result["variable"]),
                (&json!(read), &element["variable"])
            );
            let mut asked = element.clone();
            asked["attributeValue"] = json!(value);
            let answer = talk
                .ask(
                    "SetVariables",
                    &json!({"setVariableData": [asked]}).to_string(),
                )
                .await;
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(
                answer["setVariableResult"][0]["attributeStatus"],
                json!(set),
                "{element}"
            );
            let source = if set == "Accepted" { "no-op" } else { "model" };
            assert_eq!(talk.note().await["source"], source);
        }
        let mut target = named("OCPPCommCtrlr", "HeartbeatInterval");
        target["attributeType"] = json!("Target");
        let answer = talk
            .ask(
                "GetVariables",
                &json!({"getVariableData": [target]}).to_string(),
            )
            .await;
        assert!(answer.contains("NotSupportedAttributeType"), "{answer}");
        let many = json!({"getVariableData": vec![named("A", "B"); 4]}).to_string();
        assert_eq!(
            talk.ask("GetVariables", &many).await,
            "OccurrenceConstraintViolation"
        );
        talk.publish("variables");
    });
}

#[test]
fn commands_of_2_x_are_answered_from_the_model() {
    run(async {
        let mut talk = Talk::fresh(Version::V21).await;
        report(&talk.world, 1);
        let tariff = r#"{"evseId":1,"tariff":{"tariffId":"t","currency":"EUR"}}"#;
        assert_eq!(talk.ask("SetDefaultTariff", tariff).await, "NotSupported");
        let status = r#"{"timestamp":"2026-01-01T00:00:00Z","connectorStatus":"Occupied","evseId":1,"connectorId":1}"#;
        talk.said("StatusNotification", status).await;
        let event = |kind: &str, reason: &str, number: i64| {
            format!(
                r#"{{"eventType":"{kind}","timestamp":"2026-01-01T00:00:00Z","triggerReason":"{reason}","seqNo":{number},"transactionInfo":{{"transactionId":"T1"}},"evse":{{"id":1,"connectorId":1}}}}"#
            )
        };
        talk.said("TransactionEvent", &event("Started", "Authorized", 0))
            .await;
        talk.said(
            "TransactionEvent",
            &event("Updated", "MeterValuePeriodic", 1),
        )
        .await;
        let group = r#"{"requestId":0}"#;
        talk.commanded("GetMonitoringReport", group, ACCEPTED);
        let monitor = |id: i64, kind: &str| {
            json!({"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Temperature"},
                "variableMonitoring": [{"id": id, "transaction": false, "value": 60, "type": kind, "severity": 4,
                    "eventNotificationType": "CustomMonitor"}]})
        };
        let monitors = json!({"requestId": 0, "seqNo": 0, "generatedAt": "2026-01-01T00:00:00Z",
            "monitor": [monitor(1, "UpperThreshold"), monitor(2, "Delta")]});
        talk.world
            .charger(&format!(r#"[2,"m","NotifyMonitoringReport",{monitors}]"#));
        talk.commanded("SetMonitoringLevel", r#"{"severity":4}"#, ACCEPTED);
        talk.commanded("SetVariables", r#"{"setVariableData":[{"component":{"name":"TariffCostCtrlr"},"variable":{"name":"Enabled","instance":"Tariff"},"attributeValue":"true"}]}"#,
            r#"{"setVariableResult":[{"attributeStatus":"Accepted","component":{"name":"TariffCostCtrlr"},"variable":{"name":"Enabled","instance":"Tariff"}}]}"#);
        let token = r#"{"idToken":"A","type":"ISO14443"}"#;
        let reserve = format!(
            r#"{{"id":1,"evseId":1,"expiryDateTime":"2026-01-01T00:00:00Z","idToken":{token}}}"#
        );
        let change = r#"{"transactionId":"T1","tariff":{"tariffId":"t","currency":"EUR"}}"#;
        for (action, request, status) in [
            (
                "UnlockConnector",
                r#"{"evseId":1,"connectorId":1}"#,
                "OngoingAuthorizedTransaction",
            ),
            (
                "UnlockConnector",
                r#"{"evseId":7,"connectorId":1}"#,
                "UnknownConnector",
            ),
            ("ReserveNow", &reserve, "Occupied"),
            (
                "UsePriorityCharging",
                r#"{"transactionId":"T1","activate":true}"#,
                "NoProfile",
            ),
            (
                "UsePriorityCharging",
                r#"{"transactionId":"T2","activate":true}"#,
                "Rejected",
            ),
            (
                "ChangeAvailability",
                r#"{"operationalStatus":"Operative"}"#,
                "Accepted",
            ),
            (
                "ChangeAvailability",
                r#"{"operationalStatus":"Inoperative"}"#,
                "Rejected",
            ),
            ("SetMonitoringLevel", r#"{"severity":4}"#, "Accepted"),
            ("SetMonitoringLevel", r#"{"severity":5}"#, "Rejected"),
            ("SetDefaultTariff", tariff, "Rejected"),
            ("ChangeTransactionTariff", change, "Rejected"),
            (
                "ChangeTransactionTariff",
                &change.replace("T1", "T2"),
                "TxNotFound",
            ),
            (
                "SetNetworkProfile",
                r#"{"configurationSlot":1,"connectionData":{"ocppInterface":"Wired0","ocppTransport":"JSON","messageTimeout":30,"ocppCsmsUrl":"wss://x","securityProfile":1}}"#,
                "Rejected",
            ),
            (
                "CustomerInformation",
                r#"{"requestId":1,"report":true,"clear":false}"#,
                "Rejected",
            ),
            (
                "TriggerMessage",
                r#"{"requestedMessage":"BootNotification"}"#,
                "Rejected",
            ),
            (
                "TriggerMessage",
                r#"{"requestedMessage":"SignChargingStationCertificate"}"#,
                "Rejected",
            ),
        ] {
            let answer = talk.ask(action, request).await;
            assert_eq!(
                answer,
                format!(r#"{{"status":"{status}"}}"#),
                "{action} {request}"
            );
        }
        assert_eq!(
            talk.ask("CostUpdated", r#"{"totalCost":1.5,"transactionId":"T1"}"#)
                .await,
            "{}"
        );
        for (id, going_on) in [("T1", true), ("T2", false)] {
            let answer = talk
                .ask(
                    "GetTransactionStatus",
                    &format!(r#"{{"transactionId":"{id}"}}"#),
                )
                .await;
            assert!(
                answer.contains(&format!(r#""ongoingIndicator":{going_on}"#)),
                "{answer}"
            );
        }
        for (asked, said) in [
            ("StatusNotification", status),
            (
                "TransactionEvent",
                &event("Updated", "MeterValuePeriodic", 1),
            ),
            ("LogStatusNotification", r#"{"status":"Idle"}"#),
        ] {
            let request = format!(r#"{{"requestedMessage":"{asked}"}}"#);
            assert_eq!(talk.ask("TriggerMessage", &request).await, ACCEPTED);
            assert_eq!(talk.follows(asked).await.payload, said);
        }
        let deltas = r#"{"requestId":9,"monitoringCriteria":["DeltaMonitoring"]}"#;
        assert_eq!(talk.ask("GetMonitoringReport", deltas).await, ACCEPTED);
        let monitors = talk.follows("NotifyMonitoringReport").await.payload;
        assert!(
            monitors.contains(r#""id":2"#) && !monitors.contains(r#""id":1,"#),
            "{monitors}"
        );
        talk.publish("commands");
    });
}

#[test]
fn commands_of_1_6_are_answered_from_the_model() {
    run(async {
        let mut talk = Talk::fresh(Version::V16).await;
        let listing = json!({"configurationKey": [
            {"key": "SupportedFeatureProfiles", "readonly": true, "value": "Core, RemoteTrigger"},
            {"key": "ServerUrl", "readonly": false, "value": format!("wss://{SECRET}")},
            {"key": "StationPassword", "readonly": false, "value": SECRET}]})
        .to_string();
        talk.commanded("GetConfiguration", "{}", &listing);
        for (connector, status) in [(1, "Charging"), (2, "Faulted"), (3, "Available")] {
            let said = format!(
                r#"{{"connectorId":{connector},"errorCode":"NoError","status":"{status}"}}"#
            );
            talk.said("StatusNotification", &said).await;
        }
        let profile = r#"{"chargingProfileId":4,"stackLevel":1,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.0}]}}"#;
        let set = format!(r#"{{"connectorId":1,"csChargingProfiles":{profile}}}"#);
        talk.commanded("SetChargingProfile", &set, ACCEPTED);
        let schedule =
            r#"{"status":"Accepted","connectorId":1,"scheduleStart":"2026-01-01T00:00:00Z"}"#;
        let ask_schedule = r#"{"connectorId":1,"duration":600}"#;
        talk.commanded("GetCompositeSchedule", ask_schedule, schedule);
        let install = r#"{"certificateType":"CentralSystemRootCertificate","certificate":"PEM"}"#;
        talk.commanded("InstallCertificate", install, ACCEPTED);
        let central = r#"{"certificateType":"CentralSystemRootCertificate"}"#;
        let ids = r#"{"status":"Accepted","certificateHashData":[{"hashAlgorithm":"SHA256","issuerNameHash":"a","issuerKeyHash":"b","serialNumber":"c"}]}"#;
        talk.commanded("GetInstalledCertificateIds", central, ids);

        let reserve = |connector: i64| {
            format!(
                r#"{{"connectorId":{connector},"expiryDate":"2026-01-01T00:00:00Z","idTag":"A","reservationId":1}}"#
            )
        };
        let delete = r#"{"certificateHashData":{"hashAlgorithm":"SHA256","issuerNameHash":"A","issuerKeyHash":"B","serialNumber":"C"}}"#;
        let list = r#"{"listVersion":1,"updateType":"Full"}"#;
        for (action, request, status) in [
            ("ReserveNow", reserve(1).as_str(), "Occupied"),
            ("ReserveNow", &reserve(2), "Faulted"),
            ("ReserveNow", &reserve(3), "Rejected"),
            (
                "SetChargingProfile",
                &set.replace(r#""stackLevel":1"#, r#""stackLevel":2"#),
                "NotSupported",
            ),
            ("SendLocalList", list, "NotSupported"),
            ("InstallCertificate", install, "Accepted"),
            ("DeleteCertificate", delete, "Failed"),
            (
                "ExtendedTriggerMessage",
                r#"{"requestedMessage":"FirmwareStatusNotification"}"#,
                "NotImplemented",
            ),
            (
                "ExtendedTriggerMessage",
                r#"{"requestedMessage":"SignChargePointCertificate"}"#,
                "Rejected",
            ),
        ] {
            let answer = talk.ask(action, request).await;
            assert_eq!(
                answer,
                format!(r#"{{"status":"{status}"}}"#),
                "{action} {request}"
            );
        }
        assert_eq!(
            talk.ask("GetLocalListVersion", "{}").await,
            r#"{"listVersion":-1}"#
        );
        assert_eq!(
            talk.ask("GetCompositeSchedule", ask_schedule).await,
            schedule
        );
        assert_eq!(talk.ask("GetInstalledCertificateIds", central).await, ids);
        assert_eq!(talk.ask("ClearChargingProfile", "{}").await, "NotSupported");
        assert_eq!(
            talk.ask("ClearChargingProfile", r#"{"id":4}"#).await,
            r#"{"status":"Unknown"}"#
        );
        let answer = talk
            .ask(
                "ExtendedTriggerMessage",
                r#"{"requestedMessage":"LogStatusNotification"}"#,
            )
            .await;
        assert_eq!(answer, ACCEPTED);
        assert_eq!(
            talk.follows("LogStatusNotification").await.payload,
            r#"{"status":"Idle"}"#
        );
        let all = talk.ask("GetConfiguration", "{}").await;
        assert!(
            all.contains("RemoteTrigger") && !all.contains("Server"),
            "{all}"
        );
        talk.publish("commands");
    });
}

#[test]
fn a_secret_of_the_charger_is_nowhere_in_what_the_candidate_gets_or_the_facts_of_it() {
    run(async {
        let mut talk = Talk::fresh(Version::V201).await;
        report(&talk.world, 1);
        let read = json!({"getVariableData": [{"component": {"name": "SecurityCtrlr"}, "variable": {"name": "Identity"}}]});
        let told = json!({"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": SECRET,
            "component": {"name": "SecurityCtrlr"}, "variable": {"name": "Identity"}}]});
        talk.commanded("GetVariables", &read.to_string(), &told.to_string());
        talk.ask("GetVariables", &read.to_string()).await;
        talk.ask("GetBaseReport", FULL).await;
        for _ in 0..3 {
            talk.follows("NotifyReport").await;
        }
        talk.note().await;
        let shadow = |fact: &Fact| fact.kind != Kind::Message;
        let facts = talk.world.recorder.facts();
        for fact in facts.iter().filter(|fact| shadow(fact)) {
            assert!(
                !format!("{} {}", fact.text().unwrap(), fact.note).contains(SECRET),
                "{fact:?}"
            );
        }
    });
}

fn resumed(dir: &Path) -> Resume {
    Resume::read(&Reader::open(dir).unwrap()).unwrap()
}

fn on_disk<'a>(recorder: &Recorder, resume: &'a Resume) -> impl FnOnce(&Candidate) -> World + 'a {
    let recorder = recorder.clone();
    move |candidate| {
        let world = World::recording(candidate, recorder, |settings| {
            settings.hold = Duration::ZERO
        });
        world.legs.resume(Leg::Candidate, resume);
        world
    }
}

#[test]
fn a_restart_knows_the_charger_again() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(10);
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let nothing = Resume::default();
        let talk = Talk::new(Version::V201, on_disk(&recorder, &nothing)).await;
        // A selection first: its pages must not be taken for the inventory's.
        talk.world
            .authority(r#"[2,"g","GetReport",{"requestId":9}]"#);
        report(&talk.world, 3);
        talk.world.charger(r#"[2,"t","TransactionEvent",{"eventType":"Started","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"T1"},"evse":{"id":1}}]"#);
        talk.world.charger(r#"[2,"u","TransactionEvent",{"eventType":"Started","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"T2"},"evse":{"id":2}}]"#);
        talk.world.charger(r#"[2,"v","TransactionEvent",{"eventType":"Ended","triggerReason":"EVDeparted","seqNo":1,"transactionInfo":{"transactionId":"T2"},"evse":{"id":2}}]"#);
        drop(talk);
        recorder.close(patience).unwrap();
    });
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let resume = resumed(dir.path());
        assert!(!resume.chargers["CP1"].lessons.is_empty());
        let mut talk = Talk::new(Version::V201, on_disk(&recorder, &resume)).await;
        assert_eq!(talk.ask("GetBaseReport", FULL).await, ACCEPTED);
        for number in 0..3 {
            let page = talk.follows("NotifyReport").await.payload;
            assert!(page.contains(&format!(r#""seqNo":{number}"#)), "{page}");
        }
        for (id, going_on) in [("T1", true), ("T2", false)] {
            let answer = talk
                .ask(
                    "GetTransactionStatus",
                    &format!(r#"{{"transactionId":"{id}"}}"#),
                )
                .await;
            assert!(
                answer.contains(&format!(r#""ongoingIndicator":{going_on}"#)),
                "{answer}"
            );
        }
        drop(talk);
        recorder.close(patience).unwrap();
    });
}

#[test]
fn a_restart_knows_a_configuration_and_its_changes_again() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(10);
    let listing = format!(
        r#"{{"configurationKey":[{{"key":"Foo","readonly":false,"value":"1"}},{{"key":"AuthorizationKey","readonly":false,"value":"{SECRET}"}}]}}"#
    );
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let nothing = Resume::default();
        let mut talk = Talk::new(Version::V16, on_disk(&recorder, &nothing)).await;
        talk.commanded("GetConfiguration", "{}", &listing);
        talk.commanded(
            "ChangeConfiguration",
            r#"{"key":"Foo","value":"2"}"#,
            ACCEPTED,
        );
        talk.world.charger(&start("x", 1));
        talk.world
            .authority(&format!(r#"[3,"x",{}]"#, started("8", "Accepted")));
        drop(talk);
        recorder.close(patience).unwrap();
    });
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let resume = resumed(dir.path());
        let mut talk = Talk::new(Version::V16, on_disk(&recorder, &resume)).await;
        let all = r#"{"configurationKey":[{"key":"Foo","readonly":false,"value":"2"}]}"#;
        assert_eq!(talk.ask("GetConfiguration", "{}").await, all);
        drop(talk);
        recorder.close(patience).unwrap();
    });
}

#[test]
fn what_was_imported_answers_until_the_charger_speaks() {
    run(async {
        let source = json!({"chargers": {"CP1": {
            "taken": "2026-01-01T00:00:00Z",
            "configuration": {"configurationKey": [
                {"key": "Foo", "readonly": true, "value": "old"},
                {"key": "AuthorizationKey", "readonly": false, "value": SECRET}]},
            "reports": {"FullInventory": [variable("A", "B", "1", "ReadWrite"),
                variable("SecurityCtrlr", "BasicAuthPassword", SECRET, "WriteOnly")]}}}})
        .to_string();
        let read = import::parse(&source, 0).unwrap();
        let models: BTreeMap<String, Rc<_>> = read
            .into_iter()
            .map(|(name, model)| (name, Rc::new(model)))
            .collect();
        let world = |candidate: &Candidate| {
            let world = World::new(candidate, |settings| settings.hold = Duration::ZERO);
            world.legs.import(Leg::Candidate, &models);
            world
        };
        let mut talk = Talk::new(Version::V201, world).await;
        assert_eq!(talk.ask("GetBaseReport", FULL).await, ACCEPTED);
        let page = talk.follows("NotifyReport").await.payload;
        assert!(
            page.contains(r#""generatedAt":"2026-01-01T00:00:00Z""#),
            "{page}"
        );
        let note = talk.note().await;
        assert_eq!(note["model"], "imported");
        assert!(note["age_us"].as_i64().unwrap() > 0);
        talk.publish("imported");

        let mut talk = Talk::new(Version::V16, world).await;
        let old = r#"{"configurationKey":[{"key":"Foo","readonly":true,"value":"old"}]}"#;
        assert_eq!(talk.ask("GetConfiguration", "{}").await, old);
        assert_eq!(talk.note().await["model"], "imported");
        let new = old.replace("old", "new");
        talk.commanded("GetConfiguration", "{}", &new);
        assert_eq!(talk.ask("GetConfiguration", "{}").await, new);
        assert_eq!(talk.note().await["model"], "learned");
    });
}
