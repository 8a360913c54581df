//! What is pretended, read back.

use super::*;

fn obey(overlay: &mut Overlay, version: Version, action: &str, payload: &str) -> Option<Told> {
    let frame = format!(r#"[2,"1","{action}",{payload}]"#);
    let call = Envelope::parse(&frame).unwrap();
    let base = crate::ocpp::refusals::refuse(version, action, payload);
    let base = match base {
        crate::ocpp::refusals::Refusal::Result(payload) => payload.into_owned(),
        crate::ocpp::refusals::Refusal::Error { .. } => String::new(),
    };
    overlay.obey(version, &call, &base)
}

fn tell(overlay: &Overlay, version: Version, frame: &str, base: &str) -> Option<Told> {
    overlay.tell(version, &Envelope::parse(frame).unwrap(), base)
}

const ACCEPTED: &str = r#"{"status":"Accepted"}"#;

#[test]
fn a_pretended_key_is_read_back_over_the_real_one() {
    let mut overlay = Overlay::default();
    let base = r#"{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}],"unknownKey":["Foo"]}"#;
    let ask = r#"[2,"1","GetConfiguration",{"key":["heartbeatinterval","Foo"]}]"#;
    assert_eq!(tell(&overlay, Version::V16, ask, base), None);
    for (key, value) in [("heartbeatInterval", "60"), ("Foo", "1")] {
        let set = json!({"key": key, "value": value}).to_string();
        let told = obey(&mut overlay, Version::V16, "ChangeConfiguration", &set).unwrap();
        assert_eq!(told.payload, ACCEPTED);
    }
    let told = tell(&overlay, Version::V16, ask, base).unwrap();
    assert_eq!(
        told.payload,
        r#"{"configurationKey":[{"key":"Foo","readonly":false,"value":"1"},{"key":"heartbeatInterval","readonly":false,"value":"60"}]}"#
    );
    assert!(told.simulated);
    let other = r#"[2,"1","GetConfiguration",{"key":["Bar"]}]"#;
    assert_eq!(tell(&overlay, Version::V16, other, "{}"), None);
}

#[test]
fn what_would_move_a_charger_is_not_even_pretended() {
    let mut overlay = Overlay::default();
    for key in ["SecurityProfile", "CentralSystemURL", "AuthorizationKey"] {
        let set = json!({"key": key, "value": "x"}).to_string();
        let told = obey(&mut overlay, Version::V16, "ChangeConfiguration", &set);
        assert_eq!(told, None, "{key}");
    }
    let root = r#"{"certificateType":"CSMSRootCertificate","certificate":"x"}"#;
    assert_eq!(
        obey(&mut overlay, Version::V201, "InstallCertificate", root),
        None
    );
    assert_eq!(
        obey(
            &mut overlay,
            Version::V16,
            "RemoteStartTransaction",
            r#"{"idTag":"A"}"#
        ),
        None
    );
}

#[test]
fn variables_are_pretended_one_by_one() {
    let mut overlay = Overlay::default();
    let set = r#"{"setVariableData":[
        {"component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"},"attributeValue":"60"},
        {"component":{"name":"SecurityCtrlr"},"variable":{"name":"SecurityProfile"},"attributeValue":"3"}]}"#;
    let told = obey(&mut overlay, Version::V201, "SetVariables", set).unwrap();
    let answer: Value = serde_json::from_str(&told.payload).unwrap();
    let status = |at: usize| answer["setVariableResult"][at]["attributeStatus"].clone();
    assert_eq!(
        (status(0), status(1)),
        (json!("Accepted"), json!("Rejected"))
    );
    let ask = r#"[2,"1","GetVariables",{"getVariableData":[{"component":{"name":"ocppcommctrlr"},"variable":{"name":"HeartbeatInterval"}}]}]"#;
    let base = r#"{"getVariableResult":[{"attributeStatus":"Rejected","component":{"name":"ocppcommctrlr"},"variable":{"name":"HeartbeatInterval"}}]}"#;
    let told = tell(&overlay, Version::V201, ask, base).unwrap();
    assert!(
        told.payload.contains(r#""attributeValue":"60""#),
        "{}",
        told.payload
    );
}

#[test]
fn a_list_has_the_version_that_it_was_sent_with() {
    let mut overlay = Overlay::default();
    let list =
        |version: i64, kind: &str| format!(r#"{{"listVersion":{version},"updateType":"{kind}"}}"#);
    let send = |overlay: &mut Overlay, list: &str| {
        obey(overlay, Version::V16, "SendLocalList", list)
            .unwrap()
            .payload
    };
    assert_eq!(send(&mut overlay, &list(7, "Full")), ACCEPTED);
    let mismatch = r#"{"status":"VersionMismatch"}"#;
    assert_eq!(send(&mut overlay, &list(7, "Differential")), mismatch);
    assert_eq!(send(&mut overlay, &list(8, "Differential")), ACCEPTED);
    let ask = r#"[2,"1","GetLocalListVersion",{}]"#;
    let told = tell(&overlay, Version::V16, ask, "").unwrap();
    assert_eq!(
        (told.payload.as_str(), told.simulated),
        (r#"{"listVersion":8}"#, true)
    );
    overlay.list_is_real(Version::V16, &list(9, "Full"));
    let told = tell(&overlay, Version::V16, ask, "").unwrap();
    assert_eq!(
        (told.payload.as_str(), told.simulated),
        (r#"{"listVersion":9}"#, false)
    );
    overlay.list_changed();
    assert_eq!(tell(&overlay, Version::V16, ask, ""), None);
}

#[test]
fn profiles_and_messages_are_reported_until_they_are_cleared() {
    let mut overlay = Overlay::default();
    let set = |evse: u8, id: u8| {
        format!(r#"{{"evseId":{evse},"chargingProfile":{{"id":{id},"stackLevel":0}}}}"#)
    };
    for (evse, id) in [(1, 4), (2, 5)] {
        obey(
            &mut overlay,
            Version::V201,
            "SetChargingProfile",
            &set(evse, id),
        )
        .unwrap();
    }
    let ask = r#"[2,"1","GetChargingProfiles",{"requestId":0,"chargingProfile":{}}]"#;
    let told = tell(&overlay, Version::V201, ask, "").unwrap();
    assert_eq!(told.follow.len(), 2);
    assert_eq!(
        told.follow[0].1.as_ref(),
        r#"{"requestId":0,"chargingLimitSource":"CSO","tbc":true,"evseId":1,"chargingProfile":[{"id":4,"stackLevel":0}]}"#
    );
    obey(
        &mut overlay,
        Version::V201,
        "ClearChargingProfile",
        r#"{"chargingProfileId":4}"#,
    );
    assert_eq!(
        tell(&overlay, Version::V201, ask, "").unwrap().follow.len(),
        1
    );
    let message = r#"{"message":{"id":3,"priority":"AlwaysFront","message":{"format":"UTF8","content":"x"}}}"#;
    obey(&mut overlay, Version::V201, "SetDisplayMessage", message).unwrap();
    let ask = r#"[2,"1","GetDisplayMessages",{"requestId":9}]"#;
    let told = tell(&overlay, Version::V201, ask, "").unwrap();
    assert_eq!(told.follow[0].0, "NotifyDisplayMessages");
    let clear =
        |overlay: &mut Overlay| obey(overlay, Version::V201, "ClearDisplayMessage", r#"{"id":3}"#);
    assert_eq!(clear(&mut overlay).unwrap().payload, ACCEPTED);
    assert_eq!(clear(&mut overlay), None);
}

#[test]
fn every_action_is_one_that_backends_send_and_has_a_topic() {
    use crate::ocpp::{Side, actions};
    for action in ACTIONS {
        assert!(effect::Topic::of(action).is_some(), "{action}");
        assert!(Version::ALL.iter().any(|version| {
            actions::find(*version, action).is_some_and(|known| known.sender.allows(Side::Csms))
        }));
    }
}

#[test]
fn what_is_pretended_is_bounded_in_bytes_too() {
    let mut overlay = Overlay::default();
    let long = "x".repeat(30_000);
    let obeyed = (0..MOST).take_while(|id| {
        let message = format!(r#"{{"message":{{"id":{id},"message":{{"content":"{long}"}}}}}}"#);
        obey(&mut overlay, Version::V201, "SetDisplayMessage", &message).is_some()
    });
    assert_eq!(obeyed.count(), MOST_BYTES / 30_000);
    assert!(overlay.bytes() <= MOST_BYTES);
    let list = format!(
        r#"{{"versionNumber":1{},"updateType":"Full"}}"#,
        "0".repeat(90)
    );
    assert_eq!(
        obey(&mut overlay, Version::V201, "SendLocalList", &list),
        None
    );
}
