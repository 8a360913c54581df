//! What the stand-in answers from what is known of a charger: learned from its line, imported, and known again after a
//! restart. Everything that is answered, and everything that follows an answer, is checked against the types of rust-ocpp.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

#[path = "charger_model/remembered.rs"]
mod remembered;
mod shadow_support;
#[path = "charger_model/talk.rs"]
mod talk;

use evenkeel::facts::{Fact, Kind};
use evenkeel::ocpp::Version;
use serde_json::{Value, json};

use shadow_support::run;
use talk::{ACCEPTED, FULL, SECRET, Talk, inventory, report};

#[test]
fn item_6_the_candidates_own_report_is_the_stored_series() {
    run(async {
        for version in [Version::V201, Version::V21] {
            let mut talk = Talk::fresh(version).await;
            for message in report(&talk.world, 77) {
                talk.world.expect_withheld(message, "solicited").await;
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
fn a_report_that_the_authority_asks_for_in_a_moment_is_waited_for() {
    run(async {
        let mut talk = Talk::patient(Version::V201).await;
        talk.conn
            .send(format!(r#"[2,"early","GetBaseReport",{FULL}]"#))
            .await;
        talk.world
            .fact("the command has come", |fact| {
                fact.kind == Kind::ShadowReceived && fact.cause == 0
            })
            .await;
        report(&talk.world, 4711);
        let answer = talk.conn.text().await.unwrap();
        assert_eq!(answer, format!(r#"[3,"early",{ACCEPTED}]"#));
        for number in 0..3 {
            // The charger's own message, with the candidate's request id.
            let page = talk.conn.expect("NotifyReport").await;
            talk.conn.answer(&page, "{}").await;
            let page: Value = serde_json::from_str(&page.payload).unwrap();
            assert_eq!(
                [&page["requestId"], &page["seqNo"]],
                [&json!(0), &json!(number)]
            );
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

const STATUS: &str = r#"{"timestamp":"2026-01-01T00:00:00Z","connectorStatus":"Occupied","evseId":1,"connectorId":1}"#;

fn event(kind: &str, reason: &str, number: i64) -> String {
    json!({
        "eventType": kind, "timestamp": "2026-01-01T00:00:00Z", "triggerReason": reason, "seqNo": number,
        "transactionInfo": {"transactionId": "T1"}, "evse": {"id": 1, "connectorId": 1},
    })
    .to_string()
}

/// A station of 2.1 with a driver at EVSE 1, whose authority looked after its monitors and tariffs.
async fn busy_station() -> Talk {
    let mut talk = Talk::fresh(Version::V21).await;
    report(&talk.world, 1);
    talk.said("StatusNotification", STATUS).await;
    for (kind, reason, number) in [
        ("Started", "Authorized", 0),
        ("Updated", "MeterValuePeriodic", 1),
    ] {
        talk.said("TransactionEvent", &event(kind, reason, number))
            .await;
    }
    talk.commanded("GetMonitoringReport", r#"{"requestId":0}"#, ACCEPTED);
    let monitor = |id: i64, kind: &str| {
        json!({
            "component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Temperature"},
            "variableMonitoring": [{"id": id, "transaction": false, "value": 60, "type": kind, "severity": 4,
                "eventNotificationType": "CustomMonitor"}],
        })
    };
    let monitors = json!({
        "requestId": 0, "seqNo": 0, "generatedAt": "2026-01-01T00:00:00Z",
        "monitor": [monitor(1, "UpperThreshold"), monitor(2, "Delta")],
    });
    talk.world
        .charger(&format!(r#"[2,"m","NotifyMonitoringReport",{monitors}]"#));
    talk.commanded("SetMonitoringLevel", r#"{"severity":4}"#, ACCEPTED);
    talk
}

const ASKED_IN_2_X: &str = r#"
UnlockConnector {"evseId":1,"connectorId":1} OngoingAuthorizedTransaction
UnlockConnector {"evseId":7,"connectorId":1} UnknownConnector
ReserveNow {"id":1,"evseId":1,"expiryDateTime":"2026-01-01T00:00:00Z","idToken":{"idToken":"A","type":"ISO14443"}} Occupied
UsePriorityCharging {"transactionId":"T1","activate":true} NoProfile
UsePriorityCharging {"transactionId":"T2","activate":true} Rejected
ChangeAvailability {"operationalStatus":"Operative"} Accepted
ChangeAvailability {"operationalStatus":"Inoperative"} Rejected
SetMonitoringLevel {"severity":4} Accepted
SetMonitoringLevel {"severity":5} Rejected
SetNetworkProfile {"configurationSlot":1,"connectionData":{"ocppInterface":"Wired0","ocppTransport":"JSON","messageTimeout":30,"ocppCsmsUrl":"wss://x","securityProfile":1}} Rejected
CustomerInformation {"requestId":1,"report":true,"clear":false} Rejected
TriggerMessage {"requestedMessage":"BootNotification"} Rejected
TriggerMessage {"requestedMessage":"SignChargingStationCertificate"} Rejected
"#;

#[test]
fn commands_of_2_x_are_answered_from_the_model() {
    run(async {
        let mut talk = busy_station().await;
        talk.asks(ASKED_IN_2_X).await;
        let cost = r#"{"totalCost":1.5,"transactionId":"T1"}"#;
        assert_eq!(talk.ask("CostUpdated", cost).await, "{}");
        for (id, going_on) in [("T1", true), ("T2", false)] {
            let request = format!(r#"{{"transactionId":"{id}"}}"#);
            let answer = talk.ask("GetTransactionStatus", &request).await;
            let expected = format!(r#""ongoingIndicator":{going_on}"#);
            assert!(answer.contains(&expected), "{answer}");
        }
        let updated = event("Updated", "MeterValuePeriodic", 1);
        for (asked, said) in [
            ("StatusNotification", STATUS),
            ("TransactionEvent", &updated),
            ("LogStatusNotification", r#"{"status":"Idle"}"#),
        ] {
            let request = format!(r#"{{"requestedMessage":"{asked}"}}"#);
            assert_eq!(talk.ask("TriggerMessage", &request).await, ACCEPTED);
            assert_eq!(talk.follows(asked).await.payload, said);
        }
        let deltas = r#"{"requestId":9,"monitoringCriteria":["DeltaMonitoring"]}"#;
        assert_eq!(talk.ask("GetMonitoringReport", deltas).await, ACCEPTED);
        let monitors = talk.follows("NotifyMonitoringReport").await.payload;
        let is_delta = monitors.contains(r#""id":2"#) && !monitors.contains(r#""id":1,"#);
        assert!(is_delta, "{monitors}");
        talk.publish("commands");
    });
}

const TARIFFS: &str = r#"
SetDefaultTariff {"evseId":1,"tariff":{"tariffId":"t","currency":"EUR"}} Rejected
ChangeTransactionTariff {"transactionId":"T1","tariff":{"tariffId":"t","currency":"EUR"}} Rejected
ChangeTransactionTariff {"transactionId":"T2","tariff":{"tariffId":"t","currency":"EUR"}} TxNotFound
"#;

#[test]
fn tariffs_are_refused_in_the_words_of_a_station_that_calculates_or_does_not() {
    run(async {
        let mut talk = busy_station().await;
        let default = r#"{"evseId":1,"tariff":{"tariffId":"t","currency":"EUR"}}"#;
        assert_eq!(talk.ask("SetDefaultTariff", default).await, "NotSupported");
        let enabled = json!({
            "component": {"name": "TariffCostCtrlr"},
            "variable": {"name": "Enabled", "instance": "Tariff"},
        });
        let (mut asked, mut told) = (enabled.clone(), enabled);
        asked["attributeValue"] = json!("true");
        told["attributeStatus"] = json!("Accepted");
        let set = json!({"setVariableData": [asked]}).to_string();
        talk.commanded(
            "SetVariables",
            &set,
            &json!({"setVariableResult": [told]}).to_string(),
        );
        talk.asks(TARIFFS).await;
        talk.publish("tariffs");
    });
}

const PROFILE: &str = r#"{"connectorId":1,"csChargingProfiles":{"chargingProfileId":4,"stackLevel":1,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.0}]}}}"#;
const SCHEDULE: &str =
    r#"{"status":"Accepted","connectorId":1,"scheduleStart":"2026-01-01T00:00:00Z"}"#;
const ASK_SCHEDULE: &str = r#"{"connectorId":1,"duration":600}"#;
const CENTRAL: &str = r#"{"certificateType":"CentralSystemRootCertificate"}"#;
const HASHES: &str = r#"{"status":"Accepted","certificateHashData":[{"hashAlgorithm":"SHA256","issuerNameHash":"a","issuerKeyHash":"b","serialNumber":"c"}]}"#;
const INSTALL: &str = r#"{"certificateType":"CentralSystemRootCertificate","certificate":"PEM"}"#;

const ASKED_IN_1_6: &str = r#"
ReserveNow {"connectorId":1,"expiryDate":"2026-01-01T00:00:00Z","idTag":"A","reservationId":1} Occupied
ReserveNow {"connectorId":2,"expiryDate":"2026-01-01T00:00:00Z","idTag":"A","reservationId":1} Faulted
ReserveNow {"connectorId":3,"expiryDate":"2026-01-01T00:00:00Z","idTag":"A","reservationId":1} Rejected
SendLocalList {"listVersion":1,"updateType":"Full"} NotSupported
InstallCertificate {"certificateType":"CentralSystemRootCertificate","certificate":"PEM"} Accepted
DeleteCertificate {"certificateHashData":{"hashAlgorithm":"SHA256","issuerNameHash":"A","issuerKeyHash":"B","serialNumber":"C"}} Failed
ExtendedTriggerMessage {"requestedMessage":"FirmwareStatusNotification"} NotImplemented
ExtendedTriggerMessage {"requestedMessage":"SignChargePointCertificate"} Rejected
ClearChargingProfile {"id":4} Unknown
UnlockConnector {"connectorId":2} NotSupported
UnlockConnector {"connectorId":1} UnlockFailed
"#;

#[test]
fn commands_of_1_6_are_answered_from_the_model() {
    run(async {
        let mut talk = Talk::fresh(Version::V16).await;
        let listing = json!({"configurationKey": [
            {"key": "SupportedFeatureProfiles", "readonly": true, "value": "Core, RemoteTrigger"},
            {"key": "ServerUrl", "readonly": false, "value": format!("wss://{SECRET}")},
            {"key": "StationPassword", "readonly": false, "value": SECRET}]});
        talk.commanded("GetConfiguration", "{}", &listing.to_string());
        for (connector, status) in [(1, "Charging"), (2, "Faulted"), (3, "Available")] {
            let said = json!({"connectorId": connector, "errorCode": "NoError", "status": status});
            talk.said("StatusNotification", &said.to_string()).await;
        }
        talk.commanded("SetChargingProfile", PROFILE, ACCEPTED);
        talk.commanded("GetCompositeSchedule", ASK_SCHEDULE, SCHEDULE);
        talk.commanded("InstallCertificate", INSTALL, ACCEPTED);
        talk.commanded("GetInstalledCertificateIds", CENTRAL, HASHES);
        talk.commanded(
            "UnlockConnector",
            r#"{"connectorId":2}"#,
            r#"{"status":"NotSupported"}"#,
        );

        talk.asks(ASKED_IN_1_6).await;
        let other = PROFILE.replace(r#""stackLevel":1"#, r#""stackLevel":2"#);
        talk.asks(&format!("SetChargingProfile {other} NotSupported"))
            .await;
        assert_eq!(talk.ask("ClearChargingProfile", "{}").await, "NotSupported");
        let version = talk.ask("GetLocalListVersion", "{}").await;
        assert_eq!(version, r#"{"listVersion":-1}"#);
        assert_eq!(
            talk.ask("GetCompositeSchedule", ASK_SCHEDULE).await,
            SCHEDULE
        );
        assert_eq!(
            talk.ask("GetInstalledCertificateIds", CENTRAL).await,
            HASHES
        );
        let log = r#"{"requestedMessage":"LogStatusNotification"}"#;
        assert_eq!(talk.ask("ExtendedTriggerMessage", log).await, ACCEPTED);
        let idle = talk.follows("LogStatusNotification").await.payload;
        assert_eq!(idle, r#"{"status":"Idle"}"#);
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
        // What it says by itself goes to the candidate, without that.
        let event = |value: &str| {
            format!(
                r#"{{"eventData":[{{"eventId":1,"component":{{"name":"SecurityCtrlr"}},"variable":{{"name":"Identity"}},"actualValue":"{value}"}}]}}"#
            )
        };
        let told = talk
            .world
            .charger(&format!(r#"[2,"e","NotifyEvent",{}]"#, event(SECRET)));
        let call = talk.conn.expect("NotifyEvent").await;
        assert_eq!(call.payload, event(""));
        talk.conn.answer(&call, "{}").await;
        let (_, note) = talk.world.fate(told).await;
        assert_eq!(note["stripped"], json!(["/eventData/*/actualValue"]));
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
