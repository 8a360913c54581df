//! What a missing or an extra command costs, when its payload makes it worse than its action alone.

use std::borrow::Cow;

use super::json::{self, Step};
use super::severity::Severity::{self, S1, S2};
use super::{Version, actions};

/// Which way two backends' commands differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Odd {
    /// The authority sent it, the shadow never did.
    Missing,
    /// The shadow sent it, the authority never did.
    Extra,
}

/// The severity of a missing or extra command: that of its action, raised by what it would have set. `None` for what a
/// backend cannot send.
pub fn of_command(version: Version, action: &str, payload: &str, odd: Odd) -> Option<Severity> {
    let known = actions::find(version, action)
        .filter(|action| action.sender.allows(actions::Side::Csms))?;
    let base = match odd {
        Odd::Missing => known.missing,
        Odd::Extra => known.extra,
    };
    Some(
        raised(version, action, payload, odd)
            .into_iter()
            .fold(base, Severity::worst),
    )
}

fn raised(version: Version, action: &str, payload: &str, odd: Odd) -> Option<Severity> {
    match (version, action) {
        (Version::V16, "ChangeConfiguration") => {
            worst(payload, &[&[Step::Key("key")]], configuration_key)
        }
        (Version::V16, "ChangeAvailability") => availability(payload, "type", odd),
        (_, "ChangeAvailability") => availability(payload, "operationalStatus", odd),
        (Version::V201 | Version::V21, "SetVariables") => worst(payload, ELEMENTS, variable),
        (_, "SetChargingProfile") => worst(payload, &LIMITS, zero_limit),
        (Version::V21, "UpdateDynamicSchedule") => worst(payload, &DYNAMIC_LIMITS, zero_limit),
        _ => None,
    }
}

/// A missing `Operative` or an extra `Inoperative` leaves a connector closed.
fn availability(payload: &str, member: &'static str, odd: Odd) -> Option<Severity> {
    let closes = match odd {
        Odd::Missing => "\"Operative\"",
        Odd::Extra => "\"Inoperative\"",
    };
    worst(payload, &[&[Step::Key(member)]], |value| {
        (value == closes).then_some(S1)
    })
}

/// A limit of zero stops charging.
fn zero_limit(literal: &str) -> Option<Severity> {
    let is_zero = literal.bytes().any(|b| b == b'0')
        && literal.bytes().all(|b| matches!(b, b'0' | b'.' | b'-'));
    is_zero.then_some(S1)
}

const LIMITS: [&[Step]; 2] = [
    &[
        Step::Key("csChargingProfiles"),
        Step::Key("chargingSchedule"),
        Step::Key("chargingSchedulePeriod"),
        Step::Each,
        Step::Key("limit"),
    ],
    &[
        Step::Key("chargingProfile"),
        Step::Key("chargingSchedule"),
        Step::Each,
        Step::Key("chargingSchedulePeriod"),
        Step::Each,
        Step::Key("limit"),
    ],
];

const ELEMENTS: &[&[Step]] = &[&[Step::Key("setVariableData"), Step::Each]];

const DYNAMIC_LIMITS: [&[Step]; 2] = [
    &[Step::Key("scheduleUpdate"), Step::Key("limit")],
    &[Step::Key("scheduleUpdate"), Step::Key("setpoint")],
];

/// The worst severity of the values that the paths lead to.
fn worst(
    payload: &str,
    paths: &[&[Step]],
    severity: impl Fn(&str) -> Option<Severity>,
) -> Option<Severity> {
    paths
        .iter()
        .filter_map(|path| json::locate(payload, path).ok())
        .flatten()
        .filter_map(|at| severity(&payload[at]))
        .min()
}

fn configuration_key(literal: &str) -> Option<Severity> {
    let key = json::string_value(literal)?;
    KEYS.iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&key))
        .map(|(_, severity)| *severity)
}

const KEYS: [(&str, Severity); 12] = [
    // Who may charge, and how the charger connects.
    ("AllowOfflineTxForUnknownId", S1),
    ("AuthorizationKey", S1),
    ("AuthorizeRemoteTxRequests", S1),
    ("LocalPreAuthorize", S1),
    ("SecurityProfile", S1),
    ("StopTransactionOnInvalidId", S1),
    // What is metered, and how often.
    ("ClockAlignedDataInterval", S2),
    ("MeterValueSampleInterval", S2),
    ("MeterValuesAlignedData", S2),
    ("MeterValuesSampledData", S2),
    ("StopTxnAlignedData", S2),
    ("StopTxnSampledData", S2),
];

/// One element of `setVariableData`.
fn variable(element: &str) -> Option<Severity> {
    let component = name_in(element, "component")?;
    let variable = name_in(element, "variable")?;
    let fits = |pattern: &str, name: &str| pattern == "*" || pattern.eq_ignore_ascii_case(name);
    VARIABLES
        .iter()
        .find(|(c, v, _)| fits(c, &component) && fits(v, &variable))
        .map(|(.., severity)| *severity)
}

fn name_in(element: &str, member: &'static str) -> Option<String> {
    let found = json::locate(element, &[Step::Key(member), Step::Key("name")]).ok()?;
    let at = found.into_iter().next_back()?;
    json::string_value(&element[at]).map(Cow::into_owned)
}

/// Component, variable, severity; `*` stands for any.
const VARIABLES: [(&str, &str, Severity); 29] = [
    // Who may charge, how the charger connects, and where a transaction begins and ends.
    ("*", "AuthorizeRemoteStart", S1),
    ("*", "BasicAuthPassword", S1),
    ("*", "EVConnectionTimeOut", S1),
    ("*", "LocalAuthorizeOffline", S1),
    ("*", "LocalPreAuthorize", S1),
    ("*", "MaxEnergyOnInvalidId", S1),
    ("*", "NetworkConfigurationPriority", S1),
    ("*", "OfflineTxForUnknownIdEnabled", S1),
    ("*", "SecurityProfile", S1),
    ("*", "StopTxOnInvalidId", S1),
    ("*", "TxStartPoint", S1),
    ("*", "TxStopPoint", S1),
    ("AuthCtrlr", "Enabled", S1),
    ("ISO15118Ctrlr", "Enabled", S1),
    // Metering, price and clock.
    ("*", "RegisterValuesWithoutPhases", S2),
    ("*", "SignReadings", S2),
    ("AlignedDataCtrlr", "*", S2),
    ("ClockCtrlr", "NtpServerUri", S2),
    ("ClockCtrlr", "TimeSource", S2),
    ("ClockCtrlr", "TimeZone", S2),
    ("SampledDataCtrlr", "TxEndedInterval", S2),
    ("SampledDataCtrlr", "TxEndedMeasurands", S2),
    ("SampledDataCtrlr", "TxStartedMeasurands", S2),
    ("SampledDataCtrlr", "TxUpdatedInterval", S2),
    ("SampledDataCtrlr", "TxUpdatedMeasurands", S2),
    ("TariffCostCtrlr", "Currency", S2),
    ("TariffCostCtrlr", "Enabled", S2),
    ("TariffCostCtrlr", "TariffFallbackMessage", S2),
    ("TariffCostCtrlr", "TotalCostFallbackMessage", S2),
];

#[cfg(test)]
mod tests {
    use super::*;
    use Severity::{S3, S4};

    fn weigh(version: Version, action: &str, payload: &str) -> [Severity; 2] {
        [Odd::Missing, Odd::Extra].map(|odd| of_command(version, action, payload, odd).unwrap())
    }

    #[test]
    fn an_action_alone_has_its_own_weight() {
        assert_eq!(
            weigh(Version::V16, "RemoteStartTransaction", "{}"),
            [S1, S3]
        );
        assert_eq!(weigh(Version::V201, "GetVariables", "not JSON"), [S4, S4]);
        assert_eq!(
            of_command(Version::V16, "Heartbeat", "{}", Odd::Extra),
            None
        );
    }

    #[test]
    fn a_configuration_key_weighs_what_it_controls() {
        let set = |key: &str| {
            let payload = format!(r#"{{"key":"{key}","value":"x"}}"#);
            weigh(Version::V16, "ChangeConfiguration", &payload)[0]
        };
        assert_eq!(set("authorizationkey"), S1);
        assert_eq!(set("MeterValuesSampledData"), S2);
        assert_eq!(set("HeartbeatInterval"), S3);
    }

    #[test]
    fn a_variable_weighs_by_its_component() {
        let set = |component: &str, variable: &str| {
            let payload = format!(
                r#"{{"setVariableData":[{{"component":{{"name":"X"}},"variable":{{"name":"Y"}}}},{{"component":{{"name":"{component}"}},"variable":{{"name":"{variable}"}}}}]}}"#
            );
            weigh(Version::V21, "SetVariables", &payload)[1]
        };
        assert_eq!(set("AuthCtrlr", "Enabled"), S1);
        assert_eq!(set("DisplayMessageCtrlr", "Enabled"), S3);
        assert_eq!(set("AlignedDataCtrlr", "Interval"), S2);
        assert_eq!(set("TxCtrlr", "TxStartPoint"), S1);
    }

    #[test]
    fn closing_a_connector_is_worse_than_opening_it() {
        let closed = r#"{"connectorId":0,"type":"Inoperative"}"#;
        assert_eq!(weigh(Version::V16, "ChangeAvailability", closed), [S3, S1]);
        let open = r#"{"operationalStatus":"Operative"}"#;
        assert_eq!(weigh(Version::V201, "ChangeAvailability", open), [S1, S3]);
    }

    #[test]
    fn a_limit_of_zero_stops_charging() {
        let set = |limit: &str| {
            let payload = format!(
                r#"{{"chargingProfile":{{"chargingSchedule":[{{"chargingSchedulePeriod":[{{"limit":{limit}}}]}}]}}}}"#
            );
            weigh(Version::V201, "SetChargingProfile", &payload)
        };
        assert_eq!(set("0.0"), [S1, S1]);
        assert_eq!(set("10.0"), [S3, S3]);
        let dynamic = r#"{"scheduleUpdate":{"limit":0}}"#;
        assert_eq!(
            weigh(Version::V21, "UpdateDynamicSchedule", dynamic),
            [S1, S1]
        );
    }
}
