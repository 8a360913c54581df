//! What a simulated OCPP 2.0.1 charger says and answers. Each EVSE has one connector.

use serde_json::{Value, json};

use super::state::{Occupancy, Reply, Session, State, Then};

pub(super) fn boot(state: &State) -> Value {
    let spec = &state.spec;
    json!({
        "reason": "PowerUp",
        "chargingStation": {
            "vendorName": spec.vendor,
            "model": spec.model,
            "serialNumber": spec.serial,
            "firmwareVersion": spec.firmware,
        },
    })
}

pub(super) fn status(state: &State, evse: u32) -> Value {
    let word = match state.connector(evse).map(|found| found.occupancy) {
        None | Some(Occupancy::Available) => "Available",
        Some(Occupancy::Unavailable) => "Unavailable",
        Some(_) => "Occupied",
    };
    json!({
        "timestamp": state.spec.pace.stamp(),
        "connectorStatus": word,
        "evseId": evse,
        "connectorId": 1,
    })
}

pub(super) fn authorize(tag: &str) -> Value {
    json!({ "idToken": token(tag) })
}

fn token(tag: &str) -> Value {
    json!({ "idToken": tag, "type": "ISO14443" })
}

/// One meter reading.
fn reading(stamp: &str, context: &str, register: u64) -> Value {
    json!({
        "timestamp": stamp,
        "sampledValue": [{
            "value": register,
            "context": context,
            "measurand": "Energy.Active.Import.Register",
            "unitOfMeasure": { "unit": "Wh" },
        }],
    })
}

/// The first event of a session, which the charger has opened already.
pub(super) fn started(session: &Session, evse: u32) -> Value {
    let mut info = json!({
        "transactionId": session.id,
        "chargingState": "Charging",
    });
    if let Some(id) = &session.remote_start_id {
        info["remoteStartId"] = id.clone();
    }
    let trigger = if session.remote_start_id.is_some() {
        "RemoteStart"
    } else {
        "Authorized"
    };
    json!({
        "eventType": "Started",
        "timestamp": session.began,
        "triggerReason": trigger,
        "seqNo": session.events,
        "transactionInfo": info,
        "evse": { "id": evse, "connectorId": 1 },
        "idToken": token(&session.tag),
        "meterValue": [reading(&session.began, "Transaction.Begin", session.meter_start)],
    })
}

pub(super) fn updated(state: &State, evse: u32) -> Option<Value> {
    let found = state.connector(evse)?;
    let session = found.session.as_ref()?;
    let stamp = state.spec.pace.stamp();
    Some(json!({
        "eventType": "Updated",
        "timestamp": stamp,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": session.events,
        "transactionInfo": { "transactionId": session.id, "chargingState": "Charging" },
        "evse": { "id": evse, "connectorId": 1 },
        "meterValue": [reading(&stamp, "Sample.Periodic", found.register)],
    }))
}

/// The last event. It carries both registers, so that a backend can bill from it alone.
pub(super) fn ended(state: &State, evse: u32, reason: &str) -> Option<Value> {
    let found = state.connector(evse)?;
    let session = found.session.as_ref()?;
    let stamp = state.spec.pace.stamp();
    let trigger = match reason {
        "Remote" => "RemoteStop",
        "DeAuthorized" => "Deauthorized",
        _ => "StopAuthorized",
    };
    Some(json!({
        "eventType": "Ended",
        "timestamp": stamp,
        "triggerReason": trigger,
        "seqNo": session.events,
        "transactionInfo": {
            "transactionId": session.id,
            "chargingState": "Idle",
            "stoppedReason": reason,
        },
        "evse": { "id": evse, "connectorId": 1 },
        "meterValue": [
            reading(&session.began, "Transaction.Begin", session.meter_start),
            reading(&stamp, "Transaction.End", found.register),
        ],
    }))
}

/// Meter values outside a transaction.
pub(super) fn meter(state: &State, evse: u32) -> Value {
    let register = state.connector(evse).map_or(0, |found| found.register);
    json!({
        "evseId": evse,
        "meterValue": [reading(&state.spec.pace.stamp(), "Trigger", register)],
    })
}

pub(super) fn answer(state: &mut State, action: &str, payload: &Value) -> Reply {
    match action {
        "GetVariables" => get_variables(state, payload),
        "SetVariables" => set_variables(payload),
        "GetBaseReport" => base_report(state, payload),
        "GetReport" | "GetMonitoringReport" => says("EmptyResultSet"),
        "TriggerMessage" => trigger(state, payload),
        "RequestStartTransaction" => request_start(state, payload),
        "RequestStopTransaction" => request_stop(state, payload),
        "GetTransactionStatus" => transaction_status(state, payload),
        "ChangeAvailability" => change_availability(state, payload),
        "ClearCache" => says("Accepted"),
        "Reset" | "ReserveNow" | "CancelReservation" | "SetChargingProfile" | "GetLog"
        | "UpdateFirmware" | "InstallCertificate" | "SetNetworkProfile" => says("Rejected"),
        "UnlockConnector" => says("UnlockFailed"),
        "SendLocalList" => says("Failed"),
        "ClearChargingProfile" => says("Unknown"),
        "GetLocalListVersion" => Reply::result(json!({ "versionNumber": 0 })),
        "GetInstalledCertificateIds" => says("NotFound"),
        "DataTransfer" => says("UnknownVendorId"),
        _ => Reply::error("NotImplemented"),
    }
}

fn says(status: &str) -> Reply {
    Reply::result(json!({ "status": status }))
}

fn text<'a>(payload: &'a Value, pointer: &str) -> &'a str {
    payload
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn number(payload: &Value, pointer: &str) -> Option<u32> {
    u32::try_from(payload.pointer(pointer)?.as_u64()?).ok()
}

/// The device model, as far as it goes: component, variable, value, mutability, data type.
fn device_model(state: &State) -> Vec<[String; 5]> {
    let row = |component: &str, variable: &str, value: String, mutability: &str, kind: &str| {
        [component, variable, &value, mutability, kind].map(str::to_owned)
    };
    let spec = &state.spec;
    vec![
        row(
            "AuthCtrlr",
            "Enabled",
            "true".into(),
            "ReadWrite",
            "boolean",
        ),
        row(
            "ChargingStation",
            "Model",
            spec.model.clone(),
            "ReadOnly",
            "string",
        ),
        row(
            "ChargingStation",
            "VendorName",
            spec.vendor.clone(),
            "ReadOnly",
            "string",
        ),
        row(
            "DeviceDataCtrlr",
            "ItemsPerMessage",
            "4".into(),
            "ReadOnly",
            "integer",
        ),
        row(
            "OCPPCommCtrlr",
            "HeartbeatInterval",
            "300".into(),
            "ReadWrite",
            "integer",
        ),
        row(
            "OCPPCommCtrlr",
            "OfflineThreshold",
            "60".into(),
            "ReadWrite",
            "integer",
        ),
        row(
            "SampledDataCtrlr",
            "TxUpdatedInterval",
            "60".into(),
            "ReadWrite",
            "integer",
        ),
        row(
            "TxCtrlr",
            "EVConnectionTimeOut",
            "60".into(),
            "ReadWrite",
            "integer",
        ),
    ]
}

fn get_variables(state: &State, payload: &Value) -> Reply {
    let model = device_model(state);
    let asked = payload.get("getVariableData").and_then(Value::as_array);
    let results: Vec<Value> = asked
        .into_iter()
        .flatten()
        .map(|item| {
            let (component, variable) =
                (text(item, "/component/name"), text(item, "/variable/name"));
            let mut result = json!({
                "component": item.get("component"),
                "variable": item.get("variable"),
            });
            let known = model.iter().any(|row| row[0] == component);
            match model
                .iter()
                .find(|row| row[0] == component && row[1] == variable)
            {
                Some(row) => {
                    result["attributeStatus"] = "Accepted".into();
                    result["attributeValue"] = row[2].as_str().into();
                }
                None if known => result["attributeStatus"] = "UnknownVariable".into(),
                None => result["attributeStatus"] = "UnknownComponent".into(),
            }
            result
        })
        .collect();
    if results.is_empty() {
        return Reply::error("OccurrenceConstraintViolation");
    }
    Reply::result(json!({ "getVariableResult": results }))
}

fn set_variables(payload: &Value) -> Reply {
    let asked = payload.get("setVariableData").and_then(Value::as_array);
    let results: Vec<Value> = asked
        .into_iter()
        .flatten()
        .map(|item| {
            json!({
                "attributeStatus": "Rejected",
                "component": item.get("component"),
                "variable": item.get("variable"),
            })
        })
        .collect();
    if results.is_empty() {
        return Reply::error("OccurrenceConstraintViolation");
    }
    Reply::result(json!({ "setVariableResult": results }))
}

/// Accepts, then sends the device model in parts of four.
fn base_report(state: &State, payload: &Value) -> Reply {
    let model = device_model(state);
    let parts: Vec<&[[String; 5]]> = model.chunks(4).collect();
    let last = parts.len().saturating_sub(1);
    parts
        .iter()
        .enumerate()
        .fold(says("Accepted"), |reply, (seq, part)| {
            let data: Vec<Value> = part.iter().map(report_row).collect();
            reply.then(Then::Call(
                "NotifyReport",
                json!({
                    "requestId": payload.get("requestId"),
                    "generatedAt": state.spec.pace.stamp(),
                    "seqNo": seq,
                    "tbc": seq < last,
                    "reportData": data,
                }),
            ))
        })
}

fn report_row([component, variable, value, mutability, kind]: &[String; 5]) -> Value {
    json!({
        "component": { "name": component },
        "variable": { "name": variable },
        "variableAttribute": [{ "type": "Actual", "value": value, "mutability": mutability }],
        "variableCharacteristics": { "dataType": kind, "supportsMonitoring": false },
    })
}

fn trigger(state: &State, payload: &Value) -> Reply {
    let evse = number(payload, "/evse/id");
    let accepted = says("Accepted");
    match (text(payload, "/requestedMessage"), evse) {
        ("Heartbeat", _) => accepted.then(Then::Call("Heartbeat", json!({}))),
        ("StatusNotification", Some(one)) => {
            accepted.then(Then::Call("StatusNotification", status(state, one)))
        }
        ("MeterValues", one) => {
            accepted.then(Then::Call("MeterValues", meter(state, one.unwrap_or(1))))
        }
        // F06.FR.17: a station whose last boot was accepted refuses.
        ("BootNotification" | "StatusNotification", _) => says("Rejected"),
        _ => says("NotImplemented"),
    }
}

fn request_start(state: &State, payload: &Value) -> Reply {
    match state.free_connector(number(payload, "/evseId")) {
        None => says("Rejected"),
        Some(connector) => says("Accepted").then(Then::Start {
            connector,
            tag: text(payload, "/idToken/idToken").to_owned(),
            remote_start_id: payload.get("remoteStartId").cloned(),
        }),
    }
}

fn request_stop(state: &State, payload: &Value) -> Reply {
    let id = payload.get("transactionId").unwrap_or(&Value::Null);
    match state.connector_of(id) {
        None => says("Rejected"),
        Some(connector) => says("Accepted").then(Then::Stop { connector }),
    }
}

fn transaction_status(state: &State, payload: &Value) -> Reply {
    let mut body = json!({ "messagesInQueue": false });
    if let Some(id) = payload.get("transactionId") {
        body["ongoingIndicator"] = state.connector_of(id).is_some().into();
    }
    Reply::result(body)
}

fn change_availability(state: &mut State, payload: &Value) -> Reply {
    let target = match text(payload, "/operationalStatus") {
        "Operative" => Occupancy::Available,
        "Inoperative" => Occupancy::Unavailable,
        _ => return Reply::error("PropertyConstraintViolation"),
    };
    let numbers = number(payload, "/evse/id").map_or(1..=state.spec.connectors, |one| one..=one);
    if numbers.clone().any(|one| state.session(one).is_some()) {
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
