//! What a simulated OCPP 1.6 charger says and answers.

use serde_json::{Map, Value, json};

use super::state::{Occupancy, Reply, State, Then};

pub(super) fn boot(state: &State) -> Value {
    let spec = &state.spec;
    json!({
        "chargePointVendor": spec.vendor,
        "chargePointModel": spec.model,
        "chargePointSerialNumber": spec.serial,
        "firmwareVersion": spec.firmware,
    })
}

pub(super) fn status(state: &State, connector: u32) -> Value {
    let occupancy = state
        .connector(connector)
        .map_or(Occupancy::Available, |found| found.occupancy);
    json!({
        "connectorId": connector,
        "errorCode": "NoError",
        "status": word(occupancy),
        "timestamp": state.spec.pace.stamp(),
    })
}

const fn word(occupancy: Occupancy) -> &'static str {
    match occupancy {
        Occupancy::Available => "Available",
        Occupancy::Preparing => "Preparing",
        Occupancy::Charging => "Charging",
        Occupancy::Finishing => "Finishing",
        Occupancy::Unavailable => "Unavailable",
    }
}

pub(super) fn authorize(tag: &str) -> Value {
    json!({ "idTag": tag })
}

pub(super) fn start(connector: u32, tag: &str, register: u64, stamp: &str) -> Value {
    json!({
        "connectorId": connector,
        "idTag": tag,
        "meterStart": register,
        "timestamp": stamp,
    })
}

pub(super) fn meter(state: &State, connector: u32) -> Value {
    let spec = &state.spec;
    let register = state.connector(connector).map_or(0, |found| found.register);
    let value = |number: u64| {
        if spec.long_decimals {
            format!("{number}.000000000000000000000000")
        } else {
            number.to_string()
        }
    };
    let mut payload = json!({
        "connectorId": connector,
        "meterValue": [{
            "timestamp": spec.pace.stamp(),
            "sampledValue": [
                {
                    "value": value(register),
                    "context": "Sample.Periodic",
                    "measurand": "Energy.Active.Import.Register",
                    "unit": "Wh",
                },
                {
                    "value": value(u64::from(spec.power)),
                    "context": "Sample.Periodic",
                    "measurand": "Power.Active.Import",
                    "unit": "W",
                },
            ],
        }],
    });
    if let Some(session) = state.session(connector) {
        payload["transactionId"] = session.id.clone();
    }
    payload
}

pub(super) fn stop(state: &State, connector: u32, reason: &str) -> Option<Value> {
    let found = state.connector(connector)?;
    let session = found.session.as_ref()?;
    Some(json!({
        "transactionId": session.id,
        "idTag": session.tag,
        "meterStop": found.register,
        "timestamp": state.spec.pace.stamp(),
        "reason": reason,
    }))
}

pub(super) fn answer(state: &mut State, action: &str, payload: &Value) -> Reply {
    match action {
        "GetConfiguration" => get_configuration(state, payload),
        "ChangeConfiguration" => change_configuration(state, payload),
        "TriggerMessage" => trigger(state, payload),
        "RemoteStartTransaction" => remote_start(state, payload),
        "RemoteStopTransaction" => remote_stop(state, payload),
        "ChangeAvailability" => change_availability(state, payload),
        "ClearCache" => says("Accepted"),
        "ReserveNow" | "CancelReservation" if state.spec.reserves => says("Accepted"),
        "Reset" | "ReserveNow" | "CancelReservation" | "GetCompositeSchedule" => says("Rejected"),
        "UnlockConnector" => says("UnlockFailed"),
        "SendLocalList" | "SetChargingProfile" => says("NotSupported"),
        "ClearChargingProfile" => says("Unknown"),
        "GetLocalListVersion" => Reply::result(json!({ "listVersion": -1 })),
        "GetDiagnostics" => Reply::result(json!({})),
        "DataTransfer" => says("UnknownVendorId"),
        _ => Reply::error("NotImplemented"),
    }
}

fn says(status: &str) -> Reply {
    Reply::result(json!({ "status": status }))
}

fn number(payload: &Value, key: &str) -> Option<u32> {
    u32::try_from(payload.get(key)?.as_u64()?).ok()
}

fn text<'a>(payload: &'a Value, key: &str) -> &'a str {
    payload.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn get_configuration(state: &State, payload: &Value) -> Reply {
    let asked: Vec<&str> = payload
        .get("key")
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let all = asked.is_empty();
    let known = state
        .settings
        .iter()
        .filter(|(key, _)| all || asked.iter().any(|name| name.eq_ignore_ascii_case(key)))
        .map(|(key, setting)| {
            json!({ "key": key, "readonly": setting.readonly, "value": setting.value })
        })
        .collect::<Vec<_>>();
    let unknown: Vec<Value> = asked
        .iter()
        .filter(|name| {
            !state
                .settings
                .keys()
                .any(|key| key.eq_ignore_ascii_case(name))
        })
        .map(|name| Value::from(*name))
        .collect();
    let mut body = Map::new();
    if !known.is_empty() {
        body.insert("configurationKey".to_owned(), known.into());
    }
    if !unknown.is_empty() {
        body.insert("unknownKey".to_owned(), unknown.into());
    }
    Reply::result(body.into())
}

fn change_configuration(state: &mut State, payload: &Value) -> Reply {
    let (key, value) = (text(payload, "key"), text(payload, "value"));
    let setting = state
        .settings
        .iter_mut()
        .find(|(known, _)| known.eq_ignore_ascii_case(key));
    match setting {
        None => says("NotSupported"),
        Some((_, setting)) if setting.readonly => says("Rejected"),
        Some((_, setting)) => {
            value.clone_into(&mut setting.value);
            says("Accepted")
        }
    }
}

fn trigger(state: &State, payload: &Value) -> Reply {
    let connector = number(payload, "connectorId");
    let accepted = says("Accepted");
    match text(payload, "requestedMessage") {
        "BootNotification" => accepted.then(Then::Call("BootNotification", boot(state))),
        "Heartbeat" => accepted.then(Then::Call("Heartbeat", json!({}))),
        "StatusNotification" => connector
            .map_or(0..=state.spec.connectors, |one| one..=one)
            .fold(accepted, |reply, one| {
                reply.then(Then::Call("StatusNotification", status(state, one)))
            }),
        "MeterValues" => {
            let one = connector.unwrap_or(1);
            accepted.then(Then::Call("MeterValues", meter(state, one)))
        }
        "DiagnosticsStatusNotification" => accepted.then(Then::Call(
            "DiagnosticsStatusNotification",
            json!({ "status": "Idle" }),
        )),
        "FirmwareStatusNotification" => accepted.then(Then::Call(
            "FirmwareStatusNotification",
            json!({ "status": "Idle" }),
        )),
        _ => says("NotImplemented"),
    }
}

fn remote_start(state: &State, payload: &Value) -> Reply {
    let asked = number(payload, "connectorId");
    match state.free_connector(asked) {
        None => says("Rejected"),
        Some(connector) => says("Accepted").then(Then::Start {
            connector,
            tag: text(payload, "idTag").to_owned(),
            remote_start_id: None,
        }),
    }
}

fn remote_stop(state: &State, payload: &Value) -> Reply {
    let id = payload.get("transactionId").unwrap_or(&Value::Null);
    match state.connector_of(id) {
        None => says("Rejected"),
        Some(connector) => says("Accepted").then(Then::Stop { connector }),
    }
}

fn change_availability(state: &mut State, payload: &Value) -> Reply {
    let asked = number(payload, "connectorId").unwrap_or(0);
    let numbers = if asked == 0 {
        1..=state.spec.connectors
    } else {
        asked..=asked
    };
    let target = match text(payload, "type") {
        "Operative" => Occupancy::Available,
        "Inoperative" => Occupancy::Unavailable,
        _ => return Reply::error("PropertyConstraintViolation"),
    };
    if numbers.clone().any(|one| state.session(one).is_some()) {
        // A simulated charger does not remember a scheduled change.
        return says("Rejected");
    }
    let mut reply = says("Accepted");
    for one in numbers {
        if let Some(connector) = state.connector_mut(one) {
            connector.occupancy = target;
            reply = reply.then(Then::Call("StatusNotification", status(state, one)));
        }
    }
    reply
}
