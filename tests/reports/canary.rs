//! A recording with one name in every place where a charger or a backend can put one.

use std::path::Path;

use evenkeel::live::handover::Opened;

use crate::{Arc, Dir, Duration, Fact, Kind, Leg, Limits, Recorder, Value, Written, json, on};

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

#[test]
fn law_9_a_canary_planted_everywhere_is_in_no_byte() {
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("night");
    record(&recording, "CANARY-7731");
    for audience in ["vendor", "sign-off"] {
        let written = Written::of(&recording, &["--for", audience]);
        assert_ne!(written.json("report.json")["findings"], json!([]));
        if audience == "vendor" {
            // It is looked for in all that a report may hold.
            let has = |part: &str| written.files.keys().any(|name| name.contains(part));
            assert!(has("bundles/") && has("junit") && has("sarif"));
            assert!(written.text("report.html").contains("<svg class=\"ladder"));
        }
        let archive = written.archive.file_name().unwrap().to_string_lossy();
        assert!(!archive.contains("7731"), "{archive}");
        for word in ["CANARY-7731", "canary-7731", CHARGER, "7731"] {
            assert_eq!(written.with(word), [""; 0], "{word}");
        }
    }
}

#[test]
fn law_9_a_short_tag_is_hidden_wherever_it_stands() {
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("night");
    record(&recording, "Q7X");
    let written = Written::of(&recording, &["--for", "vendor"]);
    for (file, bytes) in &written.files {
        let text = String::from_utf8_lossy(bytes);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert_eq!(words.filter(|word| *word == "Q7X").count(), 0, "{file}");
    }
}

#[test]
fn law_9_a_name_that_people_wrote_down_stops_a_report() {
    let place = tempfile::tempdir().unwrap();
    let recording = place.path().join("night");
    record(&recording, "Jo van der Berg");
    let diffs: Value =
        serde_json::from_slice(&on(&recording, &["diffs", "--json"]).stdout).unwrap();
    let id = diffs["findings"][0]["id"].as_str().unwrap();
    let note = [
        "triage",
        "--finding",
        id,
        "--state",
        "known",
        "--reason",
        "it is Jo van der Berg again",
        "--owner",
        "Ines",
    ];
    assert_eq!(on(&recording, &note).status.code(), Some(0));
    let out = place.path().join("out");
    let shown = out.display().to_string();
    let output = on(&recording, &["report", "--for", "vendor", "--out", &shown]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(
        said.contains("RPT-001") && !said.contains("van der Berg"),
        "{said}"
    );
    assert!(!out.exists());
}
