//! Bundles by hand.

use evenkeel::judge::Rules;
use evenkeel::replay::bundle::Bundle;
use evenkeel::replay::bundle::extract::smallest;
use evenkeel::replay::verdict::Differs;
use serde_json::{Value, json};

/// Boot, status, tag, start, sample, stop: the candidate refuses the stop.
pub(super) fn whole_session() -> Bundle {
    let accepted = json!({ "idTagInfo": { "status": "Accepted" } });
    let boot =
        json!({ "currentTime": "2026-11-24T06:00:00.000Z", "interval": 300, "status": "Accepted" });
    let started = json!({ "idTagInfo": { "status": "Accepted" }, "transactionId": 4711 });
    let theirs = json!({ "idTagInfo": { "status": "Accepted" }, "transactionId": 1 });
    let refused = json!({ "code": "InternalError", "description": "no such thing" });
    let step = |step: u32, action, payload, legacy: &Value, candidate: &Value| {
        json!({
            "step": step, "after_ms": step * 1_000, "by": "charger", "action": action, "payload": payload,
            "legacy": { "after_ms": 5, "result": legacy }, "candidate": { "after_ms": 9, "result": candidate },
        })
    };
    let of = json!([{ "at": "/transactionId", "class": "transactionId", "step": 4 }]);
    let sampled =
        json!([{ "timestamp": "2026-11-24T06:00:05Z", "sampledValue": [{ "value": "1010" }] }]);
    let mut meter = step(
        5,
        "MeterValues",
        json!({ "connectorId": 1, "transactionId": 4711, "meterValue": sampled }),
        &json!({}),
        &json!({}),
    );
    meter["refers"] = of.clone();
    let ending = json!({
        "transactionId": 4711, "meterStop": 1020, "timestamp": "2026-11-24T06:00:06Z", "idTag": "TAG-1"
    });
    let mut ended = step(6, "StopTransaction", ending, &accepted, &json!({}));
    ended["candidate"] = json!({ "after_ms": 9, "error": refused });
    ended["refers"] = of;
    let start = json!({
        "connectorId": 1, "idTag": "TAG-1", "meterStart": 1000, "timestamp": "2026-11-24T06:00:04Z"
    });
    let status = json!({ "connectorId": 1, "errorCode": "NoError", "status": "Available" });
    let vendor = json!({ "chargePointVendor": "Tallow", "chargePointModel": "Kerb 22" });
    let steps = json!([
        step(1, "BootNotification", vendor, &boot, &boot),
        step(2, "StatusNotification", status, &json!({}), &json!({})),
        step(
            3,
            "Authorize",
            json!({ "idTag": "TAG-1" }),
            &accepted,
            &accepted
        ),
        step(4, "StartTransaction", start, &started, &theirs),
        meter,
        ended,
    ]);
    bundle("exchange", "StopTransaction", &steps, 6, &let_in())
}

/// A boot after which legacy reads the configuration, and the candidate does not.
pub(super) fn command_missing() -> Bundle {
    let boot =
        json!({ "currentTime": "2026-11-24T06:00:00.000Z", "interval": 300, "status": "Accepted" });
    let vendor = json!({ "chargePointVendor": "Tallow", "chargePointModel": "Kerb 22" });
    let known = json!({ "configurationKey": [], "unknownKey": [] });
    let steps = json!([
        {
            "step": 1, "after_ms": 0, "by": "charger", "action": "BootNotification", "payload": vendor,
            "legacy": { "after_ms": 5, "result": boot }, "candidate": { "after_ms": 9, "result": boot },
        },
        {
            "step": 2, "after_ms": 30, "by": "legacy", "action": "GetConfiguration", "payload": {},
            "charger": { "after_ms": 3, "result": known },
        },
    ]);
    bundle("command", "GetConfiguration", &steps, 2, &let_in())
}

/// A candidate that does not know the charger's password.
pub(super) fn turned_away() -> Bundle {
    let refused = json!({ "status": 401, "subprotocol": null, "why": "status" });
    bundle("handshake", "", &json!([]), 0, &refused)
}

/// Legacy reads the configuration of a charger that both backends let wait, and the candidate does not.
pub(super) fn command_missing_while_pending() -> Bundle {
    let waits =
        json!({ "currentTime": "2026-11-24T06:00:00.000Z", "interval": 60, "status": "Pending" });
    let vendor = json!({ "chargePointVendor": "Tallow", "chargePointModel": "Kerb 22" });
    let known = json!({ "configurationKey": [], "unknownKey": [] });
    let steps = json!([
        {
            "step": 1, "after_ms": 0, "by": "charger", "action": "BootNotification", "payload": vendor,
            "legacy": { "after_ms": 5, "result": waits }, "candidate": { "after_ms": 9, "result": waits },
        },
        {
            "step": 2, "after_ms": 30, "by": "legacy", "action": "GetConfiguration", "payload": {},
            "charger": { "after_ms": 3, "result": known },
        },
    ]);
    bundle("command", "GetConfiguration", &steps, 2, &let_in())
}

/// An answer that the candidate takes more than half a minute for.
pub(super) fn late() -> Bundle {
    let now = json!({ "currentTime": "2026-11-24T06:00:00.000Z" });
    let steps = json!([{
        "step": 1, "after_ms": 0, "by": "charger", "action": "Heartbeat", "payload": {},
        "legacy": { "after_ms": 5, "result": now }, "candidate": { "after_ms": 31_000, "result": now },
    }]);
    bundle("exchange", "Heartbeat", &steps, 1, &let_in())
}

/// A charger of OCPP 2.1 whose token only legacy refuses.
pub(super) fn blocked_in_2_1() -> Bundle {
    let answer = |status: &str| json!({ "idTokenInfo": { "status": status } });
    let token = json!({ "idToken": { "idToken": "04A1", "type": "ISO14443" } });
    let steps = json!([{
        "step": 1, "after_ms": 0, "by": "charger", "action": "Authorize", "payload": token,
        "legacy": { "after_ms": 5, "result": answer("Blocked") },
        "candidate": { "after_ms": 9, "result": answer("Accepted") },
    }]);
    let spoken = Spoken {
        version: "2.1",
        subprotocol: "ocpp2.1",
    };
    let let_in = json!({ "status": 101, "subprotocol": "ocpp2.1" });
    bundle_in(&spoken, "exchange", "Authorize", &steps, 1, &let_in)
}

/// What a charger speaks.
struct Spoken {
    version: &'static str,
    subprotocol: &'static str,
}

const OLD: Spoken = Spoken {
    version: "1.6",
    subprotocol: "ocpp1.6",
};

fn let_in() -> Value {
    json!({ "status": 101, "subprotocol": "ocpp1.6" })
}

fn bundle(subject: &str, action: &str, steps: &Value, asserted: u32, candidate: &Value) -> Bundle {
    bundle_in(&OLD, subject, action, steps, asserted, candidate)
}

fn bundle_in(
    spoken: &Spoken,
    subject: &str,
    action: &str,
    steps: &Value,
    asserted: u32,
    candidate: &Value,
) -> Bundle {
    let legacy = json!({ "status": 101, "subprotocol": spoken.subprotocol });
    let bundle = json!({
        "schema": "evenkeel.bundle/1",
        "finding": {
            "id": "F-00000000", "subject": subject, "severity": "S1", "action": action, "path": "",
            "kind": "", "rule": "", "reason": "", "legacy": "", "candidate": "", "title": "", "models": []
        },
        "charger": { "identity": "kerb-1", "version": spoken.version, "subprotocol": spoken.subprotocol },
        "began": "2026-11-24T06:00:00.000Z",
        "needs": { "boots": [], "tags": [], "vendors": [] },
        "handshake": { "legacy": legacy, "candidate": candidate },
        "steps": steps,
        "asserts": { "step": asserted, "says": "as legacy does" },
        "shrunk": { "from": 6, "tries": 0, "against": [] },
    });
    let mut bundle = Bundle::read(&bundle.to_string()).unwrap();
    let found = found(&bundle);
    if found.title.contains("more than 30 s") {
        "late".clone_into(&mut bundle.finding.kind);
    }
    bundle.finding.id = found.finding;
    bundle
}

/// The difference that it shows.
fn found(bundle: &Bundle) -> Differs {
    use evenkeel::facts::Leg;
    use evenkeel::replay::recorded::tell;
    use evenkeel::replay::verdict::weigh;
    let rules = Rules::built_in().unwrap();
    let came = weigh(bundle, &tell(bundle, Leg::Candidate), &rules);
    came.differs[0].clone()
}

/// The smallest part of it that shows that.
pub(super) fn stop_refused() -> Bundle {
    smallest(&whole_session(), &Rules::built_in().unwrap()).unwrap()
}
