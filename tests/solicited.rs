//! What a charger sends because its authority asked: translated if the candidate asked for the same, else kept from it.

mod shadow_support;

use evenkeel::facts::Kind;
use serde_json::json;

use shadow_support::{Candidate, Conn, World, run, start};

async fn booted(subprotocol: &str) -> (Candidate, World, Conn) {
    let candidate = Candidate::listen().await;
    let world = World::new(&candidate, |_| {});
    world.open(subprotocol);
    let mut conn = candidate.accept().await;
    world.boot(&mut conn).await;
    (candidate, world, conn)
}

#[test]
fn item_6_a_report_that_only_the_authority_asked_for_stays_here() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp2.0.1").await;
        let command = world
            .authority(r#"[2,"c","GetBaseReport",{"requestId":4,"reportBase":"FullInventory"}]"#);
        world.charger(r#"[3,"c",{"status":"Accepted"}]"#);
        for part in 0..3 {
            let report = world.charger(&format!(
                r#"[2,"r{part}","NotifyReport",{{"requestId":4,"seqNo":{part},"tbc":{}}}]"#,
                part < 2
            ));
            world.expect_withheld(report, "solicited").await;
            let (_, note) = world.fate(report).await;
            assert_eq!(note["solicited"], json!(command));
        }
        world.charger(r#"[2,"h","Heartbeat",{}]"#);
        conn.expect("Heartbeat").await;
    });
}

#[test]
fn every_report_that_names_a_command_stays_here_without_a_twin() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp2.1").await;
        for (command, report) in [
            (
                r#""GetMonitoringReport",{"requestId":7}"#,
                r#""NotifyMonitoringReport",{"requestId":7}"#,
            ),
            (
                r#""GetChargingProfiles",{"requestId":7}"#,
                r#""ReportChargingProfiles",{"requestId":7}"#,
            ),
            (
                r#""GetDisplayMessages",{"requestId":7}"#,
                r#""NotifyDisplayMessages",{"requestId":7}"#,
            ),
            (
                r#""CustomerInformation",{"requestId":7}"#,
                r#""NotifyCustomerInformation",{"requestId":7}"#,
            ),
            (
                r#""GetLog",{"requestId":7}"#,
                r#""LogStatusNotification",{"requestId":7,"status":"Uploading"}"#,
            ),
            (
                r#""UpdateFirmware",{"requestId":7}"#,
                r#""FirmwareStatusNotification",{"requestId":7}"#,
            ),
            (
                r#""PublishFirmware",{"requestId":7}"#,
                r#""PublishFirmwareStatusNotification",{"requestId":7}"#,
            ),
            (
                r#""ReserveNow",{"id":7}"#,
                r#""ReservationStatusUpdate",{"reservationId":7}"#,
            ),
            (
                r#""GetDERControl",{"requestId":7}"#,
                r#""ReportDERControl",{"requestId":7}"#,
            ),
        ] {
            let cause = world.authority(&format!(r#"[2,"c",{command}]"#));
            world.charger(r#"[3,"c",{"status":"Accepted"}]"#);
            let message = world.charger(&format!(r#"[2,"n",{report}]"#));
            world.expect_withheld(message, "solicited").await;
            let (_, note) = world.fate(message).await;
            assert_eq!(note["solicited"], json!(cause), "{report}");
        }
        // One that names no job comes by itself.
        world.charger(r#"[2,"n","LogStatusNotification",{"status":"Idle"}]"#);
        let call = conn.expect("LogStatusNotification").await;
        conn.answer(&call, "{}").await;
    });
}

#[test]
fn a_job_that_both_started_is_translated() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6").await;
        let update = |id: u32| {
            format!(
                r#"[2,"c","SignedUpdateFirmware",{{"requestId":{id},"firmware":{{"location":"x","retrieveDateTime":"2026-01-01T00:00:00Z","signingCertificate":"s","signature":"s"}}}}]"#
            )
        };
        let command = world.authority(&update(4));
        world.charger(r#"[3,"c",{"status":"Accepted"}]"#);
        conn.send(update(90)).await;
        assert_eq!(
            conn.text().await.unwrap(),
            r#"[3,"c",{"status":"Accepted"}]"#
        );
        let message = world.charger(
            r#"[2,"n","SignedFirmwareStatusNotification",{"status":"Downloading","requestId":4}]"#,
        );
        let call = conn.expect("SignedFirmwareStatusNotification").await;
        assert!(
            call.payload.contains(r#""requestId":90"#),
            "{}",
            call.payload
        );
        let (_, note) = world.fate(message).await;
        assert_eq!(note["solicited"], json!(command));
    });
}

#[test]
fn triggered_messages_go_and_say_why() {
    run(async {
        let (_candidate, world, mut conn) = booted("ocpp1.6").await;
        for (trigger, message) in [
            (
                "StatusNotification",
                r#""StatusNotification",{"connectorId":1,"status":"Available","errorCode":"NoError"}"#,
            ),
            (
                "MeterValues",
                r#""MeterValues",{"connectorId":1,"meterValue":[]}"#,
            ),
            (
                "BootNotification",
                r#""BootNotification",{"chargePointModel":"M"}"#,
            ),
        ] {
            let command = world.authority(&format!(
                r#"[2,"t","TriggerMessage",{{"requestedMessage":"{trigger}"}}]"#
            ));
            world.charger(r#"[3,"t",{"status":"Accepted"}]"#);
            let sent = world.charger(&format!(r#"[2,"n",{message}]"#));
            conn.accept(trigger).await;
            let (kind, note) = world.fate(sent).await;
            assert_eq!(
                (kind, &note["solicited"]),
                (Kind::ShadowSent, &json!(command))
            );
        }
        let diagnostics = world.authority(r#"[2,"d","GetDiagnostics",{"location":"ftp://x"}]"#);
        let sent =
            world.charger(r#"[2,"n","DiagnosticsStatusNotification",{"status":"Uploading"}]"#);
        let call = conn.expect("DiagnosticsStatusNotification").await;
        conn.answer(&call, "{}").await;
        let (_, note) = world.fate(sent).await;
        assert_eq!(note["solicited"], json!(diagnostics));
        let remote = world.authority(r#"[2,"r","RemoteStartTransaction",{"idTag":"A"}]"#);
        let sent = world.charger(&start("s", 1));
        conn.expect("StartTransaction").await;
        let (_, note) = world.fate(sent).await;
        assert_eq!(note["solicited"], json!(remote));
    });
}

#[test]
fn certificates_are_not_asked_for_twice_unless_that_is_allowed() {
    run(async {
        let sign = r#"[2,"n","SignCertificate",{"csr":"x"}]"#;
        let (_candidate, world, _conn) = booted("ocpp2.0.1").await;
        let message = world.charger(sign);
        world.expect_withheld(message, "side effect").await;
        let contract = world.charger(r#"[2,"n","Get15118EVCertificate",{"action":"Install"}]"#);
        world.expect_withheld(contract, "side effect").await;

        let candidate = Candidate::listen().await;
        let world = World::new(&candidate, |settings| settings.certificates = true);
        world.open("ocpp2.0.1");
        let mut conn = candidate.accept().await;
        world.boot(&mut conn).await;
        world.charger(sign);
        conn.accept("SignCertificate").await;
        // Of one that the authority triggered the candidate knows nothing.
        world.authority(
            r#"[2,"t","TriggerMessage",{"requestedMessage":"SignChargingStationCertificate"}]"#,
        );
        world.charger(r#"[3,"t",{"status":"Accepted"}]"#);
        let triggered = world.charger(sign);
        world.expect_withheld(triggered, "solicited").await;
    });
}
