//! What a charger answers when it does nothing: for every command a truthful, schema-valid refusal.
//!
//! A refusal is true in the sense that nothing was done. Where an answer has no way to say no, the refusal is an error
//! at the RPC level. Whoever knows more about the charger (its real answer, a model, a state that already holds) answers
//! better than this module; it is the last resort before silence, which no backend deserves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Version;
use super::actions::{self, Side};

/// An answer that does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A CALLRESULT with this payload.
    Result(Cow<'static, str>),
    /// A CALLERROR; its details are `{}`.
    Error {
        /// The error code, in the spelling of the version.
        code: &'static str,
        /// The description, at most 255 characters.
        description: &'static str,
    },
}

/// The refusal that needs no look at the request. Commands whose answer must repeat elements of the request are refused
/// with `NotSupported` here; [`refuse`] does better.
pub fn refusal(version: Version, action: &str) -> Refusal {
    let known = actions::find(version, action);
    if !known.is_some_and(|action| action.sender.allows(Side::Csms)) {
        return Refusal::Error {
            code: "NotImplemented",
            description: "unknown action",
        };
    }
    let payload = match version {
        Version::V16 => result_16(action),
        Version::V201 | Version::V21 => result_2(action),
    };
    match payload {
        Some(payload) => Refusal::Result(Cow::Borrowed(payload)),
        None => NOT_SUPPORTED,
    }
}

/// The refusal of a request: like [`refusal`], and with the elements that the answer must repeat.
pub fn refuse(version: Version, action: &str, request_payload: &str) -> Refusal {
    let built = match (version, action) {
        (Version::V16, "GetConfiguration") => unknown_keys(request_payload),
        (Version::V16, _) => return refusal(version, action),
        (_, "GetBaseReport") => base_report(request_payload),
        (_, "GetVariables") => variables(request_payload, "getVariableData", "getVariableResult"),
        (_, "SetVariables") => variables(request_payload, "setVariableData", "setVariableResult"),
        (_, "SetVariableMonitoring") => set_monitors(request_payload),
        (_, "ClearVariableMonitoring") => clear_monitors(request_payload),
        (_, "GetTransactionStatus") => transaction_status(request_payload),
        (Version::V21, "ClearTariffs") => clear_tariffs(request_payload),
        _ => return refusal(version, action),
    };
    match built {
        Ok(payload) => Refusal::Result(Cow::Owned(payload)),
        Err(_) => malformed(version),
    }
}

/// The answer to any command while the backend's own last `BootNotification` answer was `Rejected` (2.x B03.FR.08).
pub const fn not_accepted() -> Refusal {
    Refusal::Error {
        code: "SecurityError",
        description: "not accepted by this backend",
    }
}

const NOT_SUPPORTED: Refusal = Refusal::Error {
    code: "NotSupported",
    description: "not supported",
};

/// The request lacks what its answer must repeat.
const fn malformed(version: Version) -> Refusal {
    let code = match version {
        Version::V16 => "FormationViolation",
        Version::V201 | Version::V21 => "FormatViolation",
    };
    let description = "request is not as its schema says";
    Refusal::Error { code, description }
}

const REJECTED: &str = r#"{"status":"Rejected"}"#;
const FAILED: &str = r#"{"status":"Failed"}"#;
const UNKNOWN: &str = r#"{"status":"Unknown"}"#;
const NOT_FOUND: &str = r#"{"status":"NotFound"}"#;
const UNLOCK_FAILED: &str = r#"{"status":"UnlockFailed"}"#;
const UNKNOWN_VENDOR: &str = r#"{"status":"UnknownVendorId"}"#;

/// `None`: the answer cannot say no (`UpdateFirmware`).
fn result_16(action: &str) -> Option<&'static str> {
    Some(match action {
        "UpdateFirmware" => return None,
        // No file name means nothing to upload; no keys means nothing to tell.
        "GetConfiguration" | "GetDiagnostics" => "{}",
        "ClearChargingProfile" => UNKNOWN,
        "DataTransfer" => UNKNOWN_VENDOR,
        // `NotFound` would say that the certificate is gone.
        "DeleteCertificate" | "SendLocalList" => FAILED,
        "GetInstalledCertificateIds" => NOT_FOUND,
        "GetLocalListVersion" => r#"{"listVersion":0}"#,
        "UnlockConnector" => UNLOCK_FAILED,
        _ => REJECTED,
    })
}

/// `None`: the answer cannot say no, must repeat the request, or is an error by the specification (tariffs without local
/// cost calculation, I07.FR.01 and I11.FR.01).
fn result_2(action: &str) -> Option<&'static str> {
    Some(match action {
        "ChangeTransactionTariff"
        | "ClearTariffs"
        | "ClearVariableMonitoring"
        | "CostUpdated"
        | "GetVariables"
        | "SetDefaultTariff"
        | "SetVariableMonitoring"
        | "SetVariables" => {
            return None;
        }
        // An empty array would break minItems; a payment notice asks for nothing.
        "GetPeriodicEventStream" | "NotifyWebPaymentStarted" => "{}",
        "ClearChargingProfile" | "ClearDisplayMessage" | "GetDisplayMessages" => UNKNOWN,
        "ClearDERControl" | "GetInstalledCertificateIds" => NOT_FOUND,
        "DataTransfer" => UNKNOWN_VENDOR,
        "DeleteCertificate" | "SendLocalList" => FAILED,
        "GetChargingProfiles" => r#"{"status":"NoProfiles"}"#,
        "GetDERControl" | "GetMonitoringReport" | "GetReport" | "SetDERControl" => {
            r#"{"status":"NotSupported"}"#
        }
        "GetLocalListVersion" => r#"{"versionNumber":0}"#,
        "GetTariffs" => r#"{"status":"NoTariff"}"#,
        "GetTransactionStatus" => r#"{"messagesInQueue":false}"#,
        "UnlockConnector" => UNLOCK_FAILED,
        "UnpublishFirmware" => r#"{"status":"NoFirmware"}"#,
        _ => REJECTED,
    })
}

type Built = Result<String, serde_json::Error>;

/// The elements of a request's array member; at least one.
fn list<'a, T: Deserialize<'a>>(
    request: &'a str,
    member: &str,
) -> Result<Vec<T>, serde_json::Error> {
    let elements = optional_list(request, member)?;
    if elements.is_empty() {
        return Err(serde::de::Error::invalid_length(0, &"at least one element"));
    }
    Ok(elements)
}

/// The elements of a request's array member; none when it is absent.
fn optional_list<'a, T: Deserialize<'a>>(
    request: &'a str,
    member: &str,
) -> Result<Vec<T>, serde_json::Error> {
    let members: Option<BTreeMap<String, &'a RawValue>> = serde_json::from_str(request)?;
    match members.as_ref().and_then(|members| members.get(member)) {
        Some(array) => serde_json::from_str(array.get()),
        None => Ok(Vec::new()),
    }
}

/// A response whose only member is an array.
fn answer(member: &str, elements: &[impl Serialize]) -> Built {
    let elements = serde_json::to_string(elements)?;
    Ok(format!(r#"{{"{member}":{elements}}}"#))
}

fn unknown_keys(request: &str) -> Built {
    let keys: Vec<String> = optional_list(request, "key")?;
    if keys.is_empty() {
        return Ok("{}".to_owned());
    }
    answer("unknownKey", &keys)
}

fn base_report(request: &str) -> Built {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(rename = "reportBase")]
        base: Cow<'a, str>,
    }
    let asked: Request = serde_json::from_str(request)?;
    // Only the summary is optional for a charger; the other two it must know.
    let status = if asked.base == "SummaryInventory" {
        "NotSupported"
    } else {
        "Rejected"
    };
    Ok(format!(r#"{{"status":"{status}"}}"#))
}

/// Every variable is `Rejected`: `UnknownVariable` would claim to know the whole device model.
fn variables(request: &str, asked: &str, answered: &str) -> Built {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        component: &'a RawValue,
        #[serde(borrow)]
        variable: &'a RawValue,
        #[serde(borrow, rename = "attributeType")]
        attribute: Option<&'a RawValue>,
    }
    #[derive(Serialize)]
    struct Outcome<'a> {
        #[serde(rename = "attributeStatus")]
        status: &'static str,
        #[serde(rename = "attributeType", skip_serializing_if = "Option::is_none")]
        attribute: Option<&'a RawValue>,
        component: &'a RawValue,
        variable: &'a RawValue,
    }
    let outcomes: Vec<_> = list(request, asked)?
        .into_iter()
        .map(|asked: Asked<'_>| Outcome {
            status: "Rejected",
            attribute: asked.attribute,
            component: asked.component,
            variable: asked.variable,
        })
        .collect();
    answer(answered, &outcomes)
}

/// Never mints a monitoring id: it could collide with one that the charger reports later.
fn set_monitors(request: &str) -> Built {
    #[derive(Deserialize)]
    struct Asked<'a> {
        id: Option<i64>,
        #[serde(borrow, rename = "type")]
        kind: &'a RawValue,
        severity: i64,
        #[serde(borrow)]
        component: &'a RawValue,
        #[serde(borrow)]
        variable: &'a RawValue,
    }
    #[derive(Serialize)]
    struct Outcome<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<i64>,
        status: &'static str,
        #[serde(rename = "type")]
        kind: &'a RawValue,
        severity: i64,
        component: &'a RawValue,
        variable: &'a RawValue,
    }
    let outcomes: Vec<_> = list(request, "setMonitoringData")?
        .into_iter()
        .map(|asked: Asked<'_>| Outcome {
            id: asked.id,
            status: "Rejected",
            kind: asked.kind,
            severity: asked.severity,
            component: asked.component,
            variable: asked.variable,
        })
        .collect();
    answer("setMonitoringResult", &outcomes)
}

fn clear_monitors(request: &str) -> Built {
    #[derive(Serialize)]
    struct Outcome {
        id: i64,
        status: &'static str,
    }
    let status = "NotFound";
    let outcomes: Vec<_> = list(request, "id")?
        .into_iter()
        .map(|id| Outcome { id, status })
        .collect();
    answer("clearMonitoringResult", &outcomes)
}

/// A transaction that nobody knows is not ongoing (E14.FR.01); without an id only the queue is asked for.
fn transaction_status(request: &str) -> Built {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow, rename = "transactionId")]
        transaction: Option<&'a RawValue>,
    }
    let asked: Request = serde_json::from_str(request)?;
    Ok(match asked.transaction {
        Some(_) => r#"{"ongoingIndicator":false,"messagesInQueue":false}"#.to_owned(),
        None => r#"{"messagesInQueue":false}"#.to_owned(),
    })
}

/// One outcome per tariff that was named, or a single one without a name.
fn clear_tariffs(request: &str) -> Built {
    #[derive(Serialize)]
    struct Outcome {
        #[serde(rename = "tariffId", skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        status: &'static str,
    }
    let mut named: Vec<Option<String>> = optional_list(request, "tariffIds")?;
    if named.is_empty() {
        named.push(None);
    }
    let status = "NoTariff";
    let outcomes: Vec<_> = named.into_iter().map(|id| Outcome { id, status }).collect();
    answer("clearTariffsResult", &outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(refusal: Refusal) -> String {
        match refusal {
            Refusal::Result(payload) => payload.into_owned(),
            Refusal::Error { code, .. } => code.to_owned(),
        }
    }

    #[test]
    fn every_command_has_a_refusal_that_is_an_object_or_not_supported() {
        for version in Version::ALL {
            for action in actions::all(version).filter(|a| a.sender.allows(Side::Csms)) {
                match refusal(version, action.name) {
                    Refusal::Result(payload) => {
                        assert!(payload.starts_with('{'), "{}", action.name);
                        assert!(!payload.contains("Accepted"), "{}", action.name);
                    }
                    Refusal::Error { code, .. } => {
                        assert_eq!(code, "NotSupported", "{}", action.name);
                    }
                }
            }
        }
    }

    #[test]
    fn what_no_backend_may_send_is_not_implemented() {
        for (version, action) in [
            (Version::V16, "MakeCoffee"),
            (Version::V16, "Heartbeat"),
            (Version::V201, "SetDERControl"),
        ] {
            assert_eq!(payload(refuse(version, action, "{}")), "NotImplemented");
        }
    }

    #[test]
    fn elements_of_the_request_are_repeated_as_they_were_sent() {
        let asked = r#"{"getVariableData":[{"component":{"name":"OCPPCommCtrlr", "x":1.50},"variable":{"name":"HeartbeatInterval"},"attributeType":"Target"}]}"#;
        assert_eq!(
            payload(refuse(Version::V201, "GetVariables", asked)),
            r#"{"getVariableResult":[{"attributeStatus":"Rejected","attributeType":"Target","component":{"name":"OCPPCommCtrlr", "x":1.50},"variable":{"name":"HeartbeatInterval"}}]}"#
        );
        let monitors = r#"{"setMonitoringData":[{"value":1.5,"type":"Delta","severity":3,"component":{"name":"C"},"variable":{"name":"V"}}]}"#;
        assert_eq!(
            payload(refuse(Version::V21, "SetVariableMonitoring", monitors)),
            r#"{"setMonitoringResult":[{"status":"Rejected","type":"Delta","severity":3,"component":{"name":"C"},"variable":{"name":"V"}}]}"#
        );
        assert_eq!(
            payload(refuse(
                Version::V21,
                "ClearVariableMonitoring",
                r#"{"id":[4,5]}"#
            )),
            r#"{"clearMonitoringResult":[{"id":4,"status":"NotFound"},{"id":5,"status":"NotFound"}]}"#
        );
        assert_eq!(
            payload(refuse(
                Version::V21,
                "ClearTariffs",
                r#"{"tariffIds":["a"]}"#
            )),
            r#"{"clearTariffsResult":[{"tariffId":"a","status":"NoTariff"}]}"#
        );
        assert_eq!(
            payload(refuse(Version::V21, "ClearTariffs", "{}")),
            r#"{"clearTariffsResult":[{"status":"NoTariff"}]}"#
        );
        assert_eq!(
            payload(refuse(
                Version::V16,
                "GetConfiguration",
                r#"{"key":["a","b\"c"]}"#
            )),
            r#"{"unknownKey":["a","b\"c"]}"#
        );
        assert_eq!(
            payload(refuse(Version::V16, "GetConfiguration", "null")),
            "{}"
        );
    }

    #[test]
    fn a_malformed_request_is_a_format_violation_in_the_spelling_of_the_version() {
        for request in [
            "",
            "{}",
            "[",
            r#"{"getVariableData":[]}"#,
            r#"{"getVariableData":[{}]}"#,
        ] {
            assert_eq!(
                payload(refuse(Version::V201, "GetVariables", request)),
                "FormatViolation"
            );
        }
        assert_eq!(
            payload(refuse(Version::V16, "GetConfiguration", r#"{"key":7}"#)),
            "FormationViolation"
        );
        // Where nothing is repeated, a refusal needs no valid request.
        assert_eq!(payload(refuse(Version::V16, "Reset", "")), REJECTED);
    }

    #[test]
    fn the_summary_report_is_optional_for_a_charger() {
        let ask = |base| refuse(Version::V201, "GetBaseReport", base);
        assert!(
            payload(ask(r#"{"requestId":0,"reportBase":"SummaryInventory"}"#))
                .contains("NotSupported")
        );
        assert_eq!(
            payload(ask(r#"{"requestId":0,"reportBase":"FullInventory"}"#)),
            REJECTED
        );
    }
}
