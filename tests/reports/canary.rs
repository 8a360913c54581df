//! A recording with one name in every place where a charger or a backend can put one.

use std::path::Path;

use evenkeel::live::handover::Opened;

use crate::{Arc, Dir, Duration, Fact, Kind, Leg, Limits, Recorder, json};

/// The charger; it is hidden too.
pub(crate) const CHARGER: &str = "depot-9-berth-4";

/// Exchanges in which `name` stands in the request, in both answers, in names of members, in errors and in vendors' data.
fn exchanges(name: &str) -> Vec<[String; 4]> {
    let call = |action: &str, payload: serde_json::Value| (action.to_owned(), payload);
    let answers = [
        (
            call("Authorize", json!({"idTag": name})),
            json!({"idTagInfo": {"status": "Accepted", "parentIdTag": name}}),
            json!({"idTagInfo": {"status": "Blocked", "parentIdTag": format!("{name}x")}}),
        ),
        (
            call(
                "StartTransaction",
                json!({"connectorId": 1, "idTag": name, "meterStart": 10, "timestamp": "2027-01-01T00:00:00Z"}),
            ),
            json!({"transactionId": 7, "idTagInfo": {"status": "Accepted"}}),
            json!({"transactionId": 9, "idTagInfo": {"status": "Invalid"}, name: name}),
        ),
        (
            call(
                "DataTransfer",
                json!({"vendorId": "v", "messageId": "m", "data": format!("{{\"who\":\"{name}\"}}")}),
            ),
            json!({"status": "Accepted", "data": name}),
            json!({"status": "Rejected", "data": format!("seen {name} today")}),
        ),
        (
            call(
                "BootNotification",
                json!({"chargePointVendor": "v", "chargePointModel": "m", "chargePointSerialNumber": name, "iccid": name}),
            ),
            json!({"currentTime": "2027-01-01T00:00:00Z", "interval": 300, "status": "Accepted"}),
            json!({"currentTime": "2027-01-01T00:00:00Z", "interval": 900, "status": "Pending", "customData": {"vendorId": "v", "note": name}}),
        ),
    ];
    let mut made: Vec<[String; 4]> = (answers.into_iter().enumerate())
        .map(|(at, ((action, payload), ours, theirs))| {
            [
                format!("[2,\"{at}\",\"{action}\",{payload}]"),
                format!("[3,\"{at}\",{ours}]"),
                format!("[3,\"{at}\",{theirs}]"),
                action,
            ]
        })
        .collect();
    made.push([
        format!(r#"[2,"e","StatusNotification",{{"connectorId":1,"errorCode":"NoError","status":"Available","info":"{name}"}}]"#),
        r#"[3,"e",{}]"#.to_owned(),
        format!(r#"[4,"e","FormationViolation","{name} is unknown",{{"tag":"{name}"}}]"#),
        "StatusNotification".to_owned(),
    ]);
    made
}

/// Records them.
pub(crate) fn record(dir: &Path, name: &str) {
    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    let charger: Arc<str> = Arc::from(CHARGER);
    let mut at = 1_798_761_600_000_000;
    let mut fact = |kind, leg, dir| {
        at += 1_000;
        Fact::new(kind, at).on(&charger, 1).via(leg, dir)
    };
    let (up, down) = (Dir::FromCharger, Dir::ToCharger);
    let opened = Opened {
        subprotocol: Some("ocpp1.6".to_owned()),
        ..Opened::of(CHARGER, Leg::Legacy)
    };
    let opened = fact(Kind::ConnOpened, Leg::Legacy, up).note(&opened);
    recorder.record(opened).unwrap();
    for (number, [call, ours, theirs, action]) in exchanges(name).into_iter().enumerate() {
        let frame = number as u64 + 1;
        let asked = fact(Kind::Message, Leg::Legacy, up)
            .covering(frame, 1)
            .body(call);
        let asked = recorder.record(asked).unwrap();
        let note = json!({"id": number.to_string(), "action": action, "rewrites": []});
        let sent = fact(Kind::ShadowSent, Leg::Candidate, up)
            .because(asked)
            .note(&note);
        let sent = recorder.record(sent).unwrap();
        let answered = fact(Kind::Message, Leg::Legacy, down)
            .covering(frame, 1)
            .body(ours);
        recorder.record(answered).unwrap();
        let received = fact(Kind::ShadowReceived, Leg::Candidate, down)
            .because(sent)
            .body(theirs);
        recorder.record(received).unwrap();
    }
    let command =
        format!(r#"[2,"c","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{name}"}}]"#);
    let command = fact(Kind::ShadowReceived, Leg::Candidate, down).body(command);
    let command = recorder.record(command).unwrap();
    let stand_in = fact(Kind::ShadowAnswered, Leg::Candidate, up).because(command);
    let stand_in = stand_in
        .body(r#"[3,"c",{"status":"Accepted"}]"#)
        .note(&json!({"source": "no-op"}));
    recorder.record(stand_in).unwrap();
    recorder
        .record(fact(Kind::ConnClosed, Leg::Legacy, up))
        .unwrap();
    recorder.close(Duration::from_secs(30)).unwrap();
}
