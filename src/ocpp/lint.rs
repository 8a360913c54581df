//! rust-ocpp as a lint: does a payload fit the type that the crate has for it?
//!
//! A lint and nothing more. The crate drops unknown fields, rewrites timestamps and knows neither 2.1 nor the 1.6 security
//! extension, so nothing is forwarded, stored or compared through it. Where its types are narrower than the schemas,
//! [`FALSE_ALARMS`] says so, and such a payload passes.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::DeserializeOwned;

use super::Version;
use super::identifiers::Part;
use super::json::{self, SyntaxError};

/// The verdict on one payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lint {
    /// It fits, or only a known false alarm says that it does not.
    Ok,
    /// It does not fit.
    Refused {
        /// What the type says, without the position: fit for grouping. It may quote the payload.
        reason: String,
    },
    /// No type exists: 2.1, the security extension, vendor actions.
    NoType,
}

/// Checks a payload against its rust-ocpp type. `null` counts as `{}`, as 1.6 allows.
pub fn lint(version: Version, action: &str, part: Part, payload: &str) -> Lint {
    let Some(check) = check_of(version, action, part) else {
        return Lint::NoType;
    };
    let payload = if payload == "null" { "{}" } else { payload };
    let Err(first) = check(payload) else {
        return Lint::Ok;
    };
    match without_false_alarms(version, action, part, payload) {
        Ok(Cow::Owned(payload)) => {
            check(&payload).map_or_else(|error| refused(&error), |()| Lint::Ok)
        }
        Ok(Cow::Borrowed(_)) | Err(_) => refused(&first),
    }
}

fn refused(error: &serde_json::Error) -> Lint {
    let mut reason = error.to_string();
    if let Some(position) = reason.rfind(" at line ") {
        reason.truncate(position);
    }
    Lint::Refused { reason }
}

/// A field whose rust-ocpp type is narrower than its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FalseAlarm {
    /// The version.
    pub version: Version,
    /// The action and half, when the field name alone is not distinctive.
    pub only: Option<(&'static str, Part)>,
    /// The member's name, at any depth.
    pub member: &'static str,
    /// What the schema allows there.
    pub allows: Allows,
    /// A value that the type accepts.
    pub instead: &'static str,
    /// What the type is.
    pub why: &'static str,
}

/// What a schema allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allows {
    /// Any integer.
    Integer,
    /// Any integer; only a negative 32-bit one is a false alarm, because the name is shared with fields of other types.
    Negative,
    /// An object whose only member is this integer, where the type wants more.
    Only(&'static str),
    /// Any number.
    Number,
    /// Any JSON.
    Anything,
}

impl Allows {
    fn covers(self, literal: &str) -> bool {
        match self {
            Self::Integer => literal.parse::<i128>().is_ok(),
            Self::Negative => literal.parse::<i32>().is_ok_and(i32::is_negative),
            Self::Only(member) => only_member(literal, member),
            Self::Number => serde_json::from_str::<serde_json::Number>(literal).is_ok(),
            Self::Anything => true,
        }
    }
}

fn only_member(literal: &str, member: &str) -> bool {
    let mut alone = true;
    let walked = json::walk_object(literal, 0, |name, at| {
        alone &= name == member && Allows::Integer.covers(&literal[at]);
    });
    walked.is_ok() && alone
}

const fn integer(version: Version, member: &'static str, why: &'static str) -> FalseAlarm {
    FalseAlarm {
        version,
        only: None,
        member,
        allows: Allows::Integer,
        instead: "0",
        why,
    }
}

const fn any(only: (&'static str, Part)) -> FalseAlarm {
    FalseAlarm {
        version: Version::V201,
        only: Some(only),
        member: "data",
        allows: Allows::Anything,
        instead: "\"\"",
        why: "String",
    }
}

/// The known false alarms of rust-ocpp 3.0.4. Integers beyond 32 bits are not among them: chargers and backends that
/// store no more are common enough for the refusal to be worth reading.
pub const FALSE_ALARMS: [FalseAlarm; 11] = [
    integer(Version::V16, "connectorId", "u32"),
    integer(Version::V16, "stackLevel", "u32"),
    integer(Version::V16, "interval", "u32"),
    FalseAlarm {
        only: Some(("BootNotification", Part::Response)),
        ..integer(Version::V201, "interval", "u16")
    },
    integer(Version::V201, "severity", "u8"),
    integer(Version::V201, "amountMultiplier", "i8"),
    FalseAlarm {
        allows: Allows::Only("start"),
        instead: r#"{"start":0,"duration":0}"#,
        ..integer(Version::V201, "relativeTimeInterval", "duration required")
    },
    // `salesTariff.id`.
    FalseAlarm {
        allows: Allows::Negative,
        ..integer(Version::V201, "id", "u32")
    },
    FalseAlarm {
        allows: Allows::Number,
        ..integer(Version::V201, "startValue", "i32")
    },
    any(("DataTransfer", Part::Request)),
    any(("DataTransfer", Part::Response)),
];

/// The payload with a harmless value at every known false alarm; borrowed when there is none.
fn without_false_alarms<'a>(
    version: Version,
    action: &str,
    part: Part,
    payload: &'a str,
) -> Result<Cow<'a, str>, SyntaxError> {
    let alarms: Vec<_> = FALSE_ALARMS
        .iter()
        .filter(|alarm| alarm.version == version)
        .filter(|alarm| alarm.only.is_none_or(|only| only == (action, part)))
        .collect();
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    json::walk_objects(payload, |members| {
        for (name, at) in members {
            let alarm = alarms.iter().find(|alarm| alarm.member == name);
            if let Some(alarm) = alarm.filter(|alarm| alarm.allows.covers(&payload[at.clone()])) {
                edits.push((at.clone(), alarm.instead));
            }
        }
    })?;
    edits.sort_by_key(|(at, _)| at.start);
    if edits.is_empty() {
        return Ok(Cow::Borrowed(payload));
    }
    let mut out = String::with_capacity(payload.len());
    let mut done = 0;
    for (at, instead) in edits {
        // Inside a value that is already replaced nothing is left to replace.
        if at.start >= done {
            out.push_str(&payload[done..at.start]);
            out.push_str(instead);
            done = at.end;
        }
    }
    out.push_str(&payload[done..]);
    Ok(Cow::Owned(out))
}

type Check = fn(&str) -> Result<(), serde_json::Error>;

fn fits<T: DeserializeOwned>(payload: &str) -> Result<(), serde_json::Error> {
    // From text, never from a `Value`: with `arbitrary_precision` on, a `Value` gives fractions to untagged types as maps.
    serde_json::from_str::<T>(payload).map(drop)
}

fn check_of(version: Version, action: &str, part: Part) -> Option<Check> {
    let table: &[(&str, Check, Check)] = match version {
        Version::V16 => &V16,
        Version::V201 => &V201,
        Version::V21 => &[],
    };
    let (_, request, response) = table.iter().find(|(name, ..)| *name == action)?;
    Some(match part {
        Part::Request => *request,
        Part::Response => *response,
    })
}

macro_rules! types {
    ($table:ident: $count:literal from $version:ident; $($action:literal $module:ident $request:ident $response:ident;)+) => {
        const $table: [(&str, Check, Check); $count] = [$((
            $action,
            fits::<rust_ocpp::$version::messages::$module::$request>,
            fits::<rust_ocpp::$version::messages::$module::$response>,
        )),+];
    };
}

types! {
    V16: 28 from v1_6;
    "Authorize" authorize AuthorizeRequest AuthorizeResponse;
    "BootNotification" boot_notification BootNotificationRequest BootNotificationResponse;
    "CancelReservation" cancel_reservation CancelReservationRequest CancelReservationResponse;
    "ChangeAvailability" change_availability ChangeAvailabilityRequest ChangeAvailabilityResponse;
    "ChangeConfiguration" change_configuration ChangeConfigurationRequest ChangeConfigurationResponse;
    "ClearCache" clear_cache ClearCacheRequest ClearCacheResponse;
    "ClearChargingProfile" clear_charging_profile ClearChargingProfileRequest ClearChargingProfileResponse;
    "DataTransfer" data_transfer DataTransferRequest DataTransferResponse;
    "DiagnosticsStatusNotification" diagnostics_status_notification DiagnosticsStatusNotificationRequest DiagnosticsStatusNotificationResponse;
    "FirmwareStatusNotification" firmware_status_notification FirmwareStatusNotificationRequest FirmwareStatusNotificationResponse;
    "GetCompositeSchedule" get_composite_schedule GetCompositeScheduleRequest GetCompositeScheduleResponse;
    "GetConfiguration" get_configuration GetConfigurationRequest GetConfigurationResponse;
    "GetDiagnostics" get_diagnostics GetDiagnosticsRequest GetDiagnosticsResponse;
    "GetLocalListVersion" get_local_list_version GetLocalListVersionRequest GetLocalListVersionResponse;
    "Heartbeat" heart_beat HeartbeatRequest HeartbeatResponse;
    "MeterValues" meter_values MeterValuesRequest MeterValuesResponse;
    "RemoteStartTransaction" remote_start_transaction RemoteStartTransactionRequest RemoteStartTransactionResponse;
    "RemoteStopTransaction" remote_stop_transaction RemoteStopTransactionRequest RemoteStopTransactionResponse;
    "ReserveNow" reserve_now ReserveNowRequest ReserveNowResponse;
    "Reset" reset ResetRequest ResetResponse;
    "SendLocalList" send_local_list SendLocalListRequest SendLocalListResponse;
    "SetChargingProfile" set_charging_profile SetChargingProfileRequest SetChargingProfileResponse;
    "StartTransaction" start_transaction StartTransactionRequest StartTransactionResponse;
    "StatusNotification" status_notification StatusNotificationRequest StatusNotificationResponse;
    "StopTransaction" stop_transaction StopTransactionRequest StopTransactionResponse;
    "TriggerMessage" trigger_message TriggerMessageRequest TriggerMessageResponse;
    "UnlockConnector" unlock_connector UnlockConnectorRequest UnlockConnectorResponse;
    "UpdateFirmware" update_firmware UpdateFirmwareRequest UpdateFirmwareResponse;
}

types! {
    V201: 64 from v2_0_1;
    "Authorize" authorize AuthorizeRequest AuthorizeResponse;
    "BootNotification" boot_notification BootNotificationRequest BootNotificationResponse;
    "CancelReservation" cancel_reservation CancelReservationRequest CancelReservationResponse;
    "CertificateSigned" certificate_signed CertificateSignedRequest CertificateSignedResponse;
    "ChangeAvailability" change_availability ChangeAvailabilityRequest ChangeAvailabilityResponse;
    "ClearCache" clear_cache ClearCacheRequest ClearCacheResponse;
    "ClearChargingProfile" clear_charging_profile ClearChargingProfileRequest ClearChargingProfileResponse;
    "ClearDisplayMessage" clear_display_message ClearDisplayMessageRequest ClearDisplayMessageResponse;
    "ClearVariableMonitoring" clear_variable_monitoring ClearVariableMonitoringRequest ClearVariableMonitoringResponse;
    "ClearedChargingLimit" cleared_charging_limit ClearedChargingLimitRequest ClearedChargingLimitResponse;
    "CostUpdated" cost_updated CostUpdatedRequest CostUpdatedResponse;
    "CustomerInformation" customer_information CustomerInformationRequest CustomerInformationResponse;
    "DataTransfer" datatransfer DataTransferRequest DataTransferResponse;
    "DeleteCertificate" delete_certificate DeleteCertificateRequest DeleteCertificateResponse;
    "FirmwareStatusNotification" firmware_status_notification FirmwareStatusNotificationRequest FirmwareStatusNotificationResponse;
    "Get15118EVCertificate" get_15118ev_certificate Get15118EVCertificateRequest Get15118EVCertificateResponse;
    "GetBaseReport" get_base_report GetBaseReportRequest GetBaseReportResponse;
    "GetCertificateStatus" get_certificate_status GetCertificateStatusRequest GetCertificateStatusResponse;
    "GetChargingProfiles" get_charging_profiles GetChargingProfilesRequest GetChargingProfilesResponse;
    "GetCompositeSchedule" get_composite_schedule GetCompositeScheduleRequest GetCompositeScheduleResponse;
    "GetDisplayMessages" get_display_message GetDisplayMessagesRequest GetDisplayMessagesResponse;
    "GetInstalledCertificateIds" get_installed_certificate_ids GetInstalledCertificateIdsRequest GetInstalledCertificateIdsResponse;
    "GetLocalListVersion" get_local_list_version GetLocalListVersionRequest GetLocalListVersionResponse;
    "GetLog" get_log GetLogRequest GetLogResponse;
    "GetMonitoringReport" get_monitoring_report GetMonitoringReportRequest GetMonitoringReportResponse;
    "GetReport" get_report GetReportRequest GetReportResponse;
    "GetTransactionStatus" get_transaction_status GetTransactionStatusRequest GetTransactionStatusResponse;
    "GetVariables" get_variables GetVariablesRequest GetVariablesResponse;
    "Heartbeat" heartbeat HeartbeatRequest HeartbeatResponse;
    "InstallCertificate" install_certificate InstallCertificateRequest InstallCertificateResponse;
    "LogStatusNotification" log_status_notification LogStatusNotificationRequest LogStatusNotificationResponse;
    "MeterValues" meter_values MeterValuesRequest MeterValuesResponse;
    "NotifyChargingLimit" notify_charging_limit NotifyChargingLimitRequest NotifyChargingLimitResponse;
    "NotifyCustomerInformation" notify_customer_information NotifyCustomerInformationRequest NotifyCustomerInformationResponse;
    "NotifyDisplayMessages" notify_display_messages NotifyDisplayMessagesRequest NotifyDisplayMessagesResponse;
    "NotifyEVChargingNeeds" notify_ev_charging_needs NotifyEVChargingNeedsRequest NotifyEVChargingNeedsResponse;
    "NotifyEVChargingSchedule" notify_ev_charging_schedule NotifyEVChargingScheduleRequest NotifyEVChargingScheduleResponse;
    "NotifyEvent" notify_event NotifyEventRequest NotifyEventResponse;
    "NotifyMonitoringReport" notify_monitoring_report NotifyMonitoringReportRequest NotifyMonitoringReportResponse;
    "NotifyReport" notify_report NotifyReportRequest NotifyReportResponse;
    "PublishFirmware" publish_firmware PublishFirmwareRequest PublishFirmwareResponse;
    "PublishFirmwareStatusNotification" publish_firmware_status_notification PublishFirmwareStatusNotificationRequest PublishFirmwareStatusNotificationResponse;
    "ReportChargingProfiles" report_charging_profiles ReportChargingProfilesRequest ReportChargingProfilesResponse;
    "RequestStartTransaction" request_start_transaction RequestStartTransactionRequest RequestStartTransactionResponse;
    "RequestStopTransaction" request_stop_transaction RequestStopTransactionRequest RequestStopTransactionResponse;
    "ReservationStatusUpdate" reservation_status_update ReservationStatusUpdateRequest ReservationStatusUpdateResponse;
    "ReserveNow" reserve_now ReserveNowRequest ReserveNowResponse;
    "Reset" reset ResetRequest ResetResponse;
    "SecurityEventNotification" security_event_notification SecurityEventNotificationRequest SecurityEventNotificationResponse;
    "SendLocalList" send_local_list SendLocalListRequest SendLocalListResponse;
    "SetChargingProfile" set_charging_profile SetChargingProfileRequest SetChargingProfileResponse;
    "SetDisplayMessage" set_display_message SetDisplayMessageRequest SetDisplayMessageResponse;
    "SetMonitoringBase" set_monitoring_base SetMonitoringBaseRequest SetMonitoringBaseResponse;
    "SetMonitoringLevel" set_monitoring_level SetMonitoringLevelRequest SetMonitoringLevelResponse;
    "SetNetworkProfile" set_network_profile SetNetworkProfileRequest SetNetworkProfileResponse;
    "SetVariableMonitoring" set_variable_monitoring SetVariableMonitoringRequest SetVariableMonitoringResponse;
    "SetVariables" set_variables SetVariablesRequest SetVariablesResponse;
    "SignCertificate" sign_certificate SignCertificateRequest SignCertificateResponse;
    "StatusNotification" status_notification StatusNotificationRequest StatusNotificationResponse;
    "TransactionEvent" transaction_event TransactionEventRequest TransactionEventResponse;
    "TriggerMessage" trigger_message TriggerMessageRequest TriggerMessageResponse;
    "UnlockConnector" unlock_connector UnlockConnectorRequest UnlockConnectorResponse;
    "UnpublishFirmware" unpublish_firmware UnpublishFirmwareRequest UnpublishFirmwareResponse;
    "UpdateFirmware" update_firmware UpdateFirmwareRequest UpdateFirmwareResponse;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::actions;

    #[test]
    fn every_core_action_and_every_2_0_1_action_has_a_type() {
        let untyped = |version| {
            actions::all(version)
                .filter(|action| check_of(version, action.name, Part::Request).is_none())
                .count()
        };
        // The eleven of the 1.6 security extension; all of 2.1.
        assert_eq!(Version::ALL.map(untyped), [11, 0, 91]);
        for (name, ..) in V16 {
            assert!(actions::find(Version::V16, name).is_some(), "{name}");
        }
    }

    fn ask(version: Version, action: &str, payload: &str) -> Lint {
        lint(version, action, Part::Request, payload)
    }

    fn answer(version: Version, action: &str, payload: &str) -> Lint {
        lint(version, action, Part::Response, payload)
    }

    fn reason(lint: Lint) -> String {
        match lint {
            Lint::Refused { reason } => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Each false alarm: the type refuses the payload, the lint does not.
    #[test]
    fn known_false_alarms_pass() {
        let v16 = Version::V16;
        let v2 = Version::V201;
        let tariff = |entry: &str| {
            format!(
                r#"{{"evseId":1,"chargingProfile":{{"id":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":[{{"id":1,"chargingRateUnit":"W","chargingSchedulePeriod":[{{"startPeriod":0,"limit":1.5}}],"salesTariff":{entry}}}]}}}}"#
            )
        };
        let cost = |start: &str, multiplier: &str| {
            tariff(&format!(
                r#"{{"id":1,"salesTariffEntry":[{{"relativeTimeInterval":{{"start":0,"duration":9}},"consumptionCost":[{{"startValue":{start},"cost":[{{"costKind":"RelativePricePercentage","amount":1,"amountMultiplier":{multiplier}}}]}}]}}]}}"#
            ))
        };
        let interval = |id: &str, interval: &str| {
            tariff(&format!(
                r#"{{"id":{id},"salesTariffEntry":[{{"relativeTimeInterval":{interval}}}]}}"#
            ))
        };
        let negative_id = interval("-1", r#"{"start":0,"duration":9}"#);
        let open_ended = interval("1", r#"{"start":3}"#);
        let profile = r#"{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":-1,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.5}]}}}"#;
        let cases: [(Version, &str, Part, &str); 12] = [
            (
                v16,
                "UnlockConnector",
                Part::Request,
                r#"{"connectorId":-1}"#,
            ),
            (v16, "SetChargingProfile", Part::Request, profile),
            (
                v16,
                "BootNotification",
                Part::Response,
                r#"{"status":"Accepted","currentTime":"2026-01-02T03:04:05Z","interval":-1}"#,
            ),
            (
                v2,
                "BootNotification",
                Part::Response,
                r#"{"status":"Accepted","currentTime":"2026-01-02T03:04:05Z","interval":86400}"#,
            ),
            (
                v2,
                "SetMonitoringLevel",
                Part::Request,
                r#"{"severity":-1}"#,
            ),
            (v2, "SetChargingProfile", Part::Request, &cost("1", "300")),
            (v2, "SetChargingProfile", Part::Request, &cost("1.5", "1")),
            (
                v2,
                "SetChargingProfile",
                Part::Request,
                &cost("-1.5e2", "-300"),
            ),
            (v2, "SetChargingProfile", Part::Request, &negative_id),
            (v2, "SetChargingProfile", Part::Request, &open_ended),
            (
                v2,
                "DataTransfer",
                Part::Request,
                r#"{"vendorId":"v","data":{"data":[1.5]}}"#,
            ),
            (
                v2,
                "DataTransfer",
                Part::Response,
                r#"{"status":"Accepted","data":7}"#,
            ),
        ];
        for (version, action, part, payload) in cases {
            let check = check_of(version, action, part).unwrap();
            assert!(check(payload).is_err(), "no alarm any more: {payload}");
            assert_eq!(lint(version, action, part, payload), Lint::Ok, "{payload}");
        }
    }

    #[test]
    fn a_false_alarm_hides_nothing_else() {
        let boot = r#"{"status":"Great","currentTime":"2026-01-02T03:04:05Z","interval":86400}"#;
        assert!(reason(answer(Version::V201, "BootNotification", boot)).contains("Great"));
        let boot =
            r#"{"status":"Accepted","currentTime":"2026-01-02T03:04:05Z","interval":"86400"}"#;
        assert!(reason(answer(Version::V201, "BootNotification", boot)).contains("string"));
    }

    #[test]
    fn quirks_of_the_field_are_refused_with_a_reason_that_groups() {
        let numeric = r#"{"connectorId":1,"meterValue":[{"timestamp":"2026-01-02T03:04:05Z","sampledValue":[{"value":12.5}]}]}"#;
        let why = reason(ask(Version::V16, "MeterValues", numeric));
        assert!(why.contains("string") && !why.contains("line"), "{why}");
        let start = |meter: &str, time: &str| {
            format!(r#"{{"connectorId":1,"idTag":"a","meterStart":{meter},"timestamp":"{time}"}}"#)
        };
        let ask = |payload: &str| ask(Version::V16, "StartTransaction", payload);
        assert_eq!(ask(&start("1", "2026-01-02T03:04:05Z")), Lint::Ok);
        for payload in [
            start("100.0", "2026-01-02T03:04:05Z"),
            start("1", "2026-01-02T03:04:05"),
            start("1,\"meterStart\":2", "2026-01-02T03:04:05Z"),
            "{}".to_owned(),
            "[".to_owned(),
        ] {
            assert!(matches!(ask(&payload), Lint::Refused { .. }), "{payload}");
        }
        let wide = r#"{"transactionId":2147483648,"idTagInfo":{"status":"Accepted"}}"#;
        assert!(matches!(
            answer(Version::V16, "StartTransaction", wide),
            Lint::Refused { .. }
        ));
    }

    #[test]
    fn fractions_survive_arbitrary_precision() {
        let event = r#"{"eventType":"Updated","timestamp":"2026-01-02T03:04:05.123456Z","triggerReason":"MeterValuePeriodic","seqNo":1,"transactionInfo":{"transactionId":"t"},"meterValue":[{"timestamp":"2026-01-02T03:04:05+02:00","sampledValue":[{"value":1.10},{"value":1e3}]}]}"#;
        assert_eq!(ask(Version::V201, "TransactionEvent", event), Lint::Ok);
        assert_eq!(
            answer(Version::V201, "TransactionEvent", r#"{"totalCost":0.30}"#),
            Lint::Ok
        );
    }

    #[test]
    fn what_has_no_type_is_not_judged() {
        for (version, action) in [
            (Version::V16, "SignCertificate"),
            (Version::V16, "VendorThing"),
            (Version::V21, "Heartbeat"),
        ] {
            assert_eq!(ask(version, action, "nonsense"), Lint::NoType);
        }
        assert_eq!(ask(Version::V16, "Heartbeat", "null"), Lint::Ok);
    }
}
