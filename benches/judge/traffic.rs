//! What a tap records of chargers that do what most of them do most of the time.

use std::sync::Arc;

use evenkeel::facts::{Dir, Fact, Kind, Leg};
use serde_json::json;

const CHARGERS: u64 = 64;

/// How long after the one before it a fact is recorded, µs.
const PACE: i64 = 50;

/// The facts of `exchanges` exchanges, made as they are asked for.
pub(crate) fn facts(exchanges: u64) -> impl Iterator<Item = Fact> {
    let names: Vec<Arc<str>> = (0..CHARGERS)
        .map(|number| Arc::from(format!("CP{number:03}")))
        .collect();
    let openings: Vec<Fact> = (1..)
        .zip(&names)
        .map(|(conn, name)| opened(name, conn))
        .collect();
    let bodies = (0..exchanges).flat_map(move |count| {
        let at = (count % CHARGERS) as usize;
        // The exchange's CALL is recorded behind the openings and the exchanges before it.
        let call = CHARGERS + 4 * count + 1;
        exchange(&names[at], at as u64 + 1, count / CHARGERS, call)
    });
    (1..)
        .zip(openings.into_iter().chain(bodies))
        .map(|(seq, fact)| Fact {
            seq,
            at: 1_795_000_000_000_000 + seq as i64 * PACE,
            ..fact
        })
}

fn opened(name: &Arc<str>, conn: u64) -> Fact {
    let note = json!({
        "charger": &**name, "peer": "192.0.2.1:1", "authority": "legacy", "target": format!("/ocpp/{name}"),
        "offered": "ocpp1.6", "subprotocol": "ocpp1.6", "extensions": null, "authorization": null,
        "handshake_us": 900, "quirks": [], "seen": [0, 0], "slot": 0,
    });
    Fact::new(Kind::ConnOpened, 0).on(name, conn).note(&note)
}

/// The CALL, the authority's answer, the mirrored copy and the shadow's answer; the first will have the number `call`.
fn exchange(charger: &Arc<str>, conn: u64, count: u64, call: u64) -> [Fact; 4] {
    let (action, request, [ours, theirs]) = texts(count);
    let id = format!("{conn}-{count}");
    let about = |kind| Fact::new(kind, 0).on(charger, conn);
    let note = json!({"id": id, "action": action, "queued_us": 90, "rewrites": []});
    [
        about(Kind::Message)
            .via(Leg::Legacy, Dir::FromCharger)
            .covering(count + 1, 1)
            .body(format!(r#"[2,"{id}","{action}",{request}]"#)),
        about(Kind::Message)
            .via(Leg::Legacy, Dir::ToCharger)
            .covering(count + 1, 1)
            .body(format!(r#"[3,"{id}",{ours}]"#)),
        about(Kind::ShadowSent)
            .via(Leg::Candidate, Dir::FromCharger)
            .because(call)
            .note(&note),
        about(Kind::ShadowReceived)
            .via(Leg::Candidate, Dir::ToCharger)
            .because(call + 2)
            .body(format!(r#"[3, "{id}", {theirs}]"#)),
    ]
}

/// The action, its request and both answers: a cycle of twenty, most of them `MeterValues` with an empty answer.
fn texts(count: u64) -> (&'static str, String, [String; 2]) {
    let both = |ours: &str, theirs: &str| [ours.to_owned(), theirs.to_owned()];
    let empty = both("{}", "{}");
    match count % 20 {
        0 => (
            "BootNotification",
            r#"{"chargePointVendor":"Bench","chargePointModel":"B1","firmwareVersion":"1.0.0"}"#.to_owned(),
            both(
                r#"{"status":"Accepted","currentTime":"2026-11-18T05:46:40Z","interval":300}"#,
                r#"{"interval": 300, "currentTime": "2026-11-18T05:46:40.000Z", "status": "Accepted"}"#,
            ),
        ),
        1 => (
            "Authorize",
            r#"{"idTag":"04A1B2C3D4E5F6"}"#.to_owned(),
            both(
                r#"{"idTagInfo":{"status":"Accepted"}}"#,
                r#"{"idTagInfo": {"status": "Accepted"}}"#,
            ),
        ),
        2 => (
            "StartTransaction",
            format!(
                r#"{{"connectorId":1,"idTag":"04A1B2C3D4E5F6","meterStart":{count},"timestamp":"2026-11-18T05:46:40Z"}}"#
            ),
            [
                format!(r#"{{"transactionId":{count},"idTagInfo":{{"status":"Accepted"}}}}"#),
                format!(
                    r#"{{"idTagInfo": {{"status": "Accepted"}}, "transactionId": {}}}"#,
                    1_000_000 + count
                ),
            ],
        ),
        19 => (
            "StopTransaction",
            format!(
                r#"{{"transactionId":{},"meterStop":{count},"timestamp":"2026-11-18T05:46:40Z"}}"#,
                count - 17
            ),
            empty,
        ),
        3 | 9 | 15 => (
            "StatusNotification",
            r#"{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2026-11-18T05:46:40Z"}"#
                .to_owned(),
            empty,
        ),
        4 | 10 | 16 => (
            "Heartbeat",
            "{}".to_owned(),
            both(
                r#"{"currentTime":"2026-11-18T05:46:40Z"}"#,
                r#"{"currentTime": "2026-11-18T05:46:40.000Z"}"#,
            ),
        ),
        _ => ("MeterValues", meter_values(count - count % 20 + 2, count), empty),
    }
}

fn meter_values(transaction: u64, count: u64) -> String {
    let sample = |value: &str, measurand: &str, unit: &str, phase: &str| {
        format!(
            r#"{{"value":"{value}","context":"Sample.Periodic","measurand":"{measurand}"{phase},"unit":"{unit}"}}"#
        )
    };
    let energy = (12_000 + count).to_string();
    let mut samples = vec![
        sample(&energy, "Energy.Active.Import.Register", "Wh", ""),
        sample("7360.0", "Power.Active.Import", "W", ""),
    ];
    for phase in ["L1", "L2", "L3"] {
        let phase = format!(r#","phase":"{phase}""#);
        samples.push(sample("16.0", "Current.Import", "A", &phase));
    }
    for phase in ["L1", "L2"] {
        let phase = format!(r#","phase":"{phase}""#);
        samples.push(sample("230.1", "Voltage", "V", &phase));
    }
    let samples = samples.join(",");
    format!(
        r#"{{"connectorId":1,"transactionId":{transaction},"meterValue":[{{"timestamp":"2026-11-18T05:46:40Z","sampledValue":[{samples}]}}]}}"#
    )
}
