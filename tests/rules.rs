//! The built-in rules: one for every action, and every row of the parity tables with its severity.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::LazyLock;

use evenkeel::facts::Leg;
use evenkeel::judge::Rules;
use evenkeel::judge::compare::{Context, compare};
use evenkeel::judge::explain;
use evenkeel::judge::rules::Part;
use evenkeel::ocpp::Version::{self, V16, V21, V201};
use evenkeel::ocpp::actions::{self, Reply, Side};

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::built_in().unwrap());

const NOW: i64 = 1_800_000_000_000_000;

/// `path severity`, or `path ~rule` where it is explained, of every difference.
fn differences(
    (version, action, part): (Version, &str, Part),
    request: &str,
    ours: &str,
    theirs: &str,
) -> Vec<String> {
    let context = Context {
        version,
        action,
        part,
        request,
        heard: Some((NOW, NOW)),
    };
    compare(&RULES, &context, ours, theirs)
        .into_iter()
        .map(|difference| {
            let verdict = if difference.explained {
                format!("~{}", difference.rule.id)
            } else {
                difference.severity.to_string()
            };
            format!("{} {verdict}", difference.path)
        })
        .collect()
}

#[test]
fn every_action_has_a_rule_that_names_it() {
    let named = |version: Version, action: &str, part: Part, whole: bool| {
        RULES.all().iter().any(|rule| {
            rule.part == part
                && rule.versions.contains(&version)
                && rule.actions.iter().any(|name| name == action)
                && (!whole || (rule.paths == [""] && rule.when.is_empty()))
        })
    };
    for version in Version::ALL {
        for action in actions::all(version) {
            let answered = action.sender.allows(Side::Charger) && action.reply != Reply::None;
            if answered {
                let found = named(version, action.name, Part::Answer, false);
                assert!(
                    found,
                    "no rule for the answer to {} of {version}",
                    action.name
                );
            }
            if action.sender.allows(Side::Csms) {
                let found = named(version, action.name, Part::Command, true);
                assert!(
                    found,
                    "no rule for the command {} of {version}",
                    action.name
                );
            }
        }
    }
}

#[test]
fn no_built_in_rule_stands_in_the_shadow_of_another() {
    let unused: Vec<_> = RULES
        .unused()
        .into_iter()
        .map(|(rule, by)| (&rule.id, by))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

fn check_answers(version: Version, table: &str) {
    for line in table.trim().lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        let [action, request, ours, theirs, expected] = cells[..] else {
            panic!("not a row: {line}");
        };
        let found = differences((version, action, Part::Answer), request, ours, theirs);
        assert_eq!(found, [expected], "{version}: {line}");
    }
}

/// Action, request, the authority's answer, the shadow's, and what is said of them (semantics 1.1).
const ANSWERS_16: &str = r#"
BootNotification | {} | {"status":"Accepted"} | {"status":"Rejected"} | /status S1
BootNotification | {} | {"interval":300} | {"interval":900} | /interval S3
BootNotification | {} | {"currentTime":"2027-01-15T08:00:00Z"} | {"currentTime":"2027-01-15T08:00:20Z"} | /currentTime S3
BootNotification | {} | {"currentTime":"2027-01-15T08:00:00Z"} | {"currentTime":"2027-01-15T08:03:00Z"} | /currentTime S2
Authorize | {} | {"idTagInfo":{"status":"Accepted"}} | {"idTagInfo":{"status":"ConcurrentTx"}} | /idTagInfo/status S1
Authorize | {} | {"idTagInfo":{"status":"Blocked"}} | {"idTagInfo":{"status":"Expired"}} | /idTagInfo/status S4
Authorize | {} | {"idTagInfo":{"parentIdTag":"A"}} | {"idTagInfo":{"parentIdTag":"B"}} | /idTagInfo/parentIdTag S2
Authorize | {} | {"idTagInfo":{"expiryDate":"2027-01-15T08:00:00Z"}} | {"idTagInfo":{}} | /idTagInfo/expiryDate S3
StartTransaction | {} | {"idTagInfo":{"status":"Accepted"}} | {"idTagInfo":{"status":"Blocked"}} | /idTagInfo/status S1
StartTransaction | {} | {"transactionId":0} | {"transactionId":-5} | /transactionId ~start-transaction-id
StartTransaction | {} | {"idTagInfo":{"parentIdTag":"A"}} | {"idTagInfo":{}} | /idTagInfo/parentIdTag S2
StopTransaction | {} | {"idTagInfo":{"status":"Accepted"}} | {} | /idTagInfo S4
StopTransaction | {} | {"idTagInfo":{"status":"Accepted"}} | {"idTagInfo":{"status":"Blocked"}} | /idTagInfo/status S3
MeterValues | {} | {} | {"x":1} | /x S4
StatusNotification | {} | {} | {"x":1} | /x S4
Heartbeat | {} | {"currentTime":"2027-01-15T08:00:00Z"} | {"currentTime":"2027-01-15T09:00:00Z"} | /currentTime S2
DataTransfer | {"vendorId":"x"} | {"status":"Accepted"} | {"status":"UnknownVendorId"} | /status S3
DataTransfer | {"vendorId":"x"} | {"data":"{\"a\":1}"} | {"data":"{\"a\":2}"} | /data S3
DataTransfer | {"vendorId":"org.openchargealliance.iso15118pnc"} | {"status":"Accepted"} | {"status":"Rejected"} | /status S1
SignCertificate | {} | {"status":"Accepted"} | {"status":"Rejected"} | /status S3
DiagnosticsStatusNotification | {} | {} | {"x":1} | /x S4
FirmwareStatusNotification | {} | {} | {"x":1} | /x S4
LogStatusNotification | {} | {} | {"x":1} | /x S4
SecurityEventNotification | {} | {} | {"x":1} | /x S4
SignedFirmwareStatusNotification | {} | {} | {"x":1} | /x S4
"#;

/// The same for 2.0.1 and 2.1 (semantics 1.3).
const ANSWERS_2: &str = r#"
BootNotification | {} | {"status":"Accepted"} | {"status":"Pending"} | /status S1
BootNotification | {} | {"interval":300} | {"interval":900} | /interval S3
BootNotification | {} | {"statusInfo":{"reasonCode":"a"}} | {"statusInfo":{"reasonCode":"b"}} | /statusInfo/reasonCode S4
Authorize | {} | {"idTokenInfo":{"status":"Accepted"}} | {"idTokenInfo":{"status":"Invalid"}} | /idTokenInfo/status S1
Authorize | {} | {"idTokenInfo":{"status":"Invalid"}} | {"idTokenInfo":{"status":"NoCredit"}} | /idTokenInfo/status S3
Authorize | {} | {"idTokenInfo":{"status":"Invalid"}} | {"idTokenInfo":{"status":"Unknown"}} | /idTokenInfo/status S4
Authorize | {} | {"idTokenInfo":{"evseId":[1,2]}} | {"idTokenInfo":{"evseId":[2]}} | /idTokenInfo/evseId S1
Authorize | {} | {"idTokenInfo":{"evseId":[]}} | {"idTokenInfo":{}} | /idTokenInfo/evseId ~authorize2-evse
Authorize | {} | {"idTokenInfo":{"groupIdToken":{"idToken":"A","type":"Central"}}} | {"idTokenInfo":{}} | /idTokenInfo/groupIdToken S2
Authorize | {} | {"idTokenInfo":{"chargingPriority":1}} | {"idTokenInfo":{"chargingPriority":2}} | /idTokenInfo/chargingPriority S3
Authorize | {} | {"idTokenInfo":{"cacheExpiryDateTime":"2027-01-15T08:00:00Z"}} | {"idTokenInfo":{}} | /idTokenInfo/cacheExpiryDateTime S3
Authorize | {} | {"idTokenInfo":{"language1":"de"}} | {"idTokenInfo":{"language1":"en"}} | /idTokenInfo/language1 S4
Authorize | {} | {"certificateStatus":"Accepted"} | {"certificateStatus":"CertificateExpired"} | /certificateStatus S1
TransactionEvent | {} | {"idTokenInfo":{"status":"Accepted"}} | {"idTokenInfo":{"status":"Blocked"}} | /idTokenInfo/status S1
TransactionEvent | {"eventType":"Ended"} | {"totalCost":1.00} | {"totalCost":1.01} | /totalCost S2
TransactionEvent | {"eventType":"Ended"} | {"totalCost":0.00} | {} | /totalCost S2
TransactionEvent | {"eventType":"Updated"} | {"totalCost":1.00} | {"totalCost":1.05} | /totalCost ~event2-running-cost
TransactionEvent | {} | {"chargingPriority":1} | {"chargingPriority":2} | /chargingPriority S3
TransactionEvent | {} | {"updatedPersonalMessage":{"content":"a"}} | {"updatedPersonalMessage":{"content":"b"}} | /updatedPersonalMessage/content S4
MeterValues | {} | {} | {"x":1} | /x S4
NotifyReport | {} | {} | {"x":1} | /x S4
Heartbeat | {} | {"currentTime":"2027-01-15T08:00:00Z"} | {"currentTime":"2027-01-15T08:00:20Z"} | /currentTime S3
DataTransfer | {} | {"data":{"a":1}} | {"data":{"a":2}} | /data S3
NotifyEVChargingNeeds | {} | {"status":"Accepted"} | {"status":"Rejected"} | /status S1
NotifyEVChargingNeeds | {} | {"status":"Accepted"} | {"status":"Processing"} | /status S3
NotifyEVChargingSchedule | {} | {"status":"Accepted"} | {"status":"Rejected"} | /status S3
SignCertificate | {} | {"status":"Accepted"} | {"status":"Rejected"} | /status S3
Get15118EVCertificate | {} | {"status":"Accepted"} | {"status":"Failed"} | /status S1
Get15118EVCertificate | {} | {"exiResponse":"a"} | {} | /exiResponse S1
Get15118EVCertificate | {} | {"exiResponse":"a"} | {"exiResponse":"b"} | /exiResponse ~contract-response
GetCertificateStatus | {} | {"status":"Accepted"} | {"status":"Failed"} | /status S1
GetCertificateStatus | {} | {"ocspResult":"MGQKAQCgXzBdBgkrBgEFBQcwAQEEUDBOMDmiBQQDa2V5GA8yMDI3MDEwMTAwMDAwMFowHzAdMAgEBnNlcmlhbIAAGA8yMDI3MDEwMTAwMDAwMFowAAMPMjAyNzAxMDEwMDAwMDBa"} | {"ocspResult":"MGQKAQCgXzBdBgkrBgEFBQcwAQEEUDBOMDmiBQQDa2V5GA8yMDI3MDEwMjAwMDAwMFowHzAdMAgEBnNlcmlhbIAAGA8yMDI3MDEwMjAwMDAwMFowAAMPMjAyNzAxMDIwMDAwMDBa"} | /ocspResult ~ocsp-result
GetCertificateStatus | {} | {"ocspResult":"MGQKAQCgXzBdBgkrBgEFBQcwAQEEUDBOMDmiBQQDa2V5GA8yMDI3MDEwMTAwMDAwMFowHzAdMAgEBnNlcmlhbIAAGA8yMDI3MDEwMTAwMDAwMFowAAMPMjAyNzAxMDEwMDAwMDBa"} | {"ocspResult":"MHUKAQCgcDBuBgkrBgEFBQcwAQEEYTBfMEqiBQQDa2V5GA8yMDI3MDEwMjAwMDAwMFowMDAuMAgEBnNlcmlhbKERGA8yMDI3MDEwMTAwMDAwMFoYDzIwMjcwMTAyMDAwMDAwWjAAAw8yMDI3MDEwMjAwMDAwMFo="} | /ocspResult S1
GetCertificateStatus | {} | {"ocspResult":"MGQKAQCgXzBdBgkrBgEFBQcwAQEEUDBOMDmiBQQDa2V5GA8yMDI3MDEwMTAwMDAwMFowHzAdMAgEBnNlcmlhbIAAGA8yMDI3MDEwMTAwMDAwMFowAAMPMjAyNzAxMDEwMDAwMDBa"} | {"ocspResult":"?"} | /ocspResult S1
GetCertificateStatus | {} | {"ocspResult":"MGQKAQCgXzBdBgkrBgEFBQcwAQEEUDBOMDmiBQQDa2V5GA8yMDI3MDEwMTAwMDAwMFowHzAdMAgEBnNlcmlhbIAAGA8yMDI3MDEwMTAwMDAwMFowAAMPMjAyNzAxMDEwMDAwMDBa"} | {} | /ocspResult S1
"#;

/// The same for 2.1 alone.
const ANSWERS_21: &str = r#"
Authorize | {} | {"tariff":{"tariffId":"a"}} | {"tariff":{"tariffId":"b"}} | /tariff/tariffId ~authorize2-tariff-id
Authorize | {} | {"tariff":{"currency":"EUR"}} | {"tariff":{"currency":"SEK"}} | /tariff/currency S2
Authorize | {} | {"allowedEnergyTransfer":["DC"]} | {"allowedEnergyTransfer":["DC","AC_three_phase"]} | /allowedEnergyTransfer S1
TransactionEvent | {} | {"transactionLimit":{"maxTime":60}} | {"transactionLimit":{"maxTime":90}} | /transactionLimit/maxTime S1
TransactionEvent | {} | {"transactionLimit":{"maxCost":5}} | {"transactionLimit":{"maxCost":6}} | /transactionLimit/maxCost S2
Get15118EVCertificate | {} | {"remainingContracts":1} | {"remainingContracts":2} | /remainingContracts S3
GetCertificateChainStatus | {} | {"certificateStatus":[{"certificateHashData":{"serialNumber":"1"},"status":"Good"}]} | {"certificateStatus":[{"certificateHashData":{"serialNumber":"1"},"status":"Revoked"}]} | /certificateStatus/*/status S1
NotifySettlement | {} | {"receiptId":"1"} | {} | /receiptId S2
VatNumberValidation | {} | {"company":{"name":"a"}} | {"company":{"name":"b"}} | /company/name S3
PullDynamicScheduleUpdate | {} | {"scheduleUpdate":{"limit":16}} | {"scheduleUpdate":{"limit":32}} | /scheduleUpdate/limit S3
PullDynamicScheduleUpdate | {} | {"scheduleUpdate":{"limit":16}} | {"scheduleUpdate":{"limit":0.0}} | /scheduleUpdate/limit S1
OpenPeriodicEventStream | {} | {"status":"Accepted"} | {"status":"Rejected"} | /status S3
BatterySwap | {} | {} | {"x":1} | /x S4
"#;

#[test]
fn each_answer_of_ocpp_1_6_has_the_severity_of_its_row() {
    check_answers(V16, ANSWERS_16);
}

#[test]
fn each_answer_of_ocpp_2_has_the_severity_of_its_row() {
    check_answers(V201, ANSWERS_2);
    check_answers(V21, ANSWERS_2);
    check_answers(V21, ANSWERS_21);
}

/// What the rules say of a command that only one backend sends: missing, extra.
fn alone(version: Version, action: &str, payload: &str) -> String {
    let (rule, _) = explain::alone(&RULES, version, action, payload);
    let rule = rule.unwrap();
    format!(
        "{} {}",
        rule.one_sided(Leg::Legacy),
        rule.one_sided(Leg::Candidate)
    )
}

#[test]
fn a_command_of_one_backend_weighs_what_its_row_says() {
    let variable = |component: &str, variable: &str| {
        format!(
            r#"{{"setVariableData":[{{"component":{{"name":"X"}},"variable":{{"name":"Enabled"}}}},{{"component":{{"name":"{component}"}},"variable":{{"name":"{variable}"}}}}]}}"#
        )
    };
    let (auth, display) = (
        variable("AuthCtrlr", "Enabled"),
        variable("AuthCtrlr", "Other"),
    );
    let (start, samples) = (
        variable("TxCtrlr", "TxStartPoint"),
        variable("SampledDataCtrlr", "TxEndedInterval"),
    );
    let aligned = variable("aligneddatactrlr", "Interval");
    for (version, action, payload, expected) in [
        (V16, "RemoteStartTransaction", "{}", "S1 S3"),
        (V16, "RemoteStopTransaction", "{}", "S1 S3"),
        (V16, "SendLocalList", "{}", "S1 S3"),
        (
            V16,
            "ChangeAvailability",
            r#"{"type":"Operative"}"#,
            "S1 S3",
        ),
        (
            V16,
            "ChangeAvailability",
            r#"{"type":"Inoperative"}"#,
            "S3 S1",
        ),
        (
            V16,
            "ChangeConfiguration",
            r#"{"key":"authorizationkey"}"#,
            "S1 S1",
        ),
        (
            V16,
            "ChangeConfiguration",
            r#"{"key":"StopTxnSampledData"}"#,
            "S2 S2",
        ),
        (
            V16,
            "ChangeConfiguration",
            r#"{"key":"HeartbeatInterval"}"#,
            "S3 S3",
        ),
        (
            V16,
            "SetChargingProfile",
            r#"{"csChargingProfiles":{"chargingSchedule":{"chargingSchedulePeriod":[{"limit":16},{"limit":0.0}]}}}"#,
            "S1 S1",
        ),
        (
            V16,
            "SetChargingProfile",
            r#"{"csChargingProfiles":{"chargingProfilePurpose":"ChargePointMaxProfile"}}"#,
            "S1 S1",
        ),
        (V16, "SetChargingProfile", "{}", "S3 S3"),
        (V16, "TriggerMessage", "{}", "S4 S4"),
        (V16, "CancelReservation", "{}", "S3 S3"),
        (V201, "SetVariables", auth.as_str(), "S1 S1"),
        (V201, "SetVariables", display.as_str(), "S3 S3"),
        (V201, "SetVariables", start.as_str(), "S1 S1"),
        (V201, "SetVariables", samples.as_str(), "S2 S2"),
        (V21, "SetVariables", aligned.as_str(), "S2 S2"),
        (V201, "SetNetworkProfile", "{}", "S1 S1"),
        (V201, "GetVariables", "{}", "S4 S4"),
        (V201, "SetDisplayMessage", "{}", "S4 S4"),
        (V201, "CostUpdated", "{}", "S3 S3"),
        (V21, "SetDefaultTariff", "{}", "S2 S2"),
        (V21, "GetTariffs", "{}", "S4 S4"),
        (V21, "RequestBatterySwap", "{}", "S1 S3"),
        (
            V21,
            "UpdateDynamicSchedule",
            r#"{"scheduleUpdate":{"limit":0}}"#,
            "S1 S1",
        ),
    ] {
        assert_eq!(
            alone(version, action, payload),
            expected,
            "{action} {payload}"
        );
    }
}

fn commanded(version: Version, action: &str, ours: &str, theirs: &str) -> Vec<String> {
    differences((version, action, Part::Command), ours, ours, theirs)
}

#[test]
fn configuration_values_are_compared_by_their_type() {
    let change = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    let pair = |key: &str, ours: &str, theirs: &str| {
        commanded(
            V16,
            "ChangeConfiguration",
            &change(key, ours),
            &change(key, theirs),
        )
    };
    for (ours, theirs) in [
        ("true", "TRUE"),
        ("060", "60"),
        ("A,B", "B, A"),
        ("1.0", "1"),
    ] {
        let found = pair("MeterValuesSampledData", ours, theirs);
        assert_eq!(
            found,
            ["/value ~change-configuration-metering-value"],
            "{ours} {theirs}"
        );
    }
    for (ours, theirs) in [("true", "1"), ("A,B", "A"), ("A,A", "A,B"), ("a", "A")] {
        assert_eq!(
            pair("LocalPreAuthorize", ours, theirs),
            ["/value S1"],
            "{ours} {theirs}"
        );
    }
    assert_eq!(
        pair("AuthorizationKey", "***", "**"),
        ["/value ~change-configuration-secret"]
    );
}

#[test]
fn variables_are_compared_one_by_one_whatever_their_order() {
    let set = |entries: &[(&str, &str, &str)]| {
        let entries: Vec<_> = (entries.iter())
            .map(|(component, variable, value)| {
                format!(
                    r#"{{"component":{{"name":"{component}"}},"variable":{{"name":"{variable}"}},"attributeValue":"{value}"}}"#
                )
            })
            .collect();
        format!(r#"{{"setVariableData":[{}]}}"#, entries.join(","))
    };
    let ours = set(&[
        ("TxCtrlr", "TxStartPoint", "EVConnected,Authorized"),
        ("OCPPCommCtrlr", "NetworkConfigurationPriority", "1,2"),
        ("ClockCtrlr", "TimeZone", "Europe/Berlin"),
        ("DisplayMessageCtrlr", "Enabled", "true"),
    ]);
    let theirs = set(&[
        ("displaymessagectrlr", "Enabled", "True"),
        ("ClockCtrlr", "TimeZone", "UTC"),
        ("OCPPCommCtrlr", "NetworkConfigurationPriority", "2,1"),
        ("TxCtrlr", "TxStartPoint", "Authorized,EVConnected"),
    ]);
    let mut found = commanded(V201, "SetVariables", &ours, &theirs);
    found.sort();
    assert_eq!(
        found,
        [
            "/setVariableData/*/attributeValue S1",
            "/setVariableData/*/attributeValue S2",
            "/setVariableData/*/attributeValue ~variables2-charging",
            "/setVariableData/*/attributeValue ~variables2-value",
            "/setVariableData/*/component/name ~variables2-names",
        ]
    );
    let missing = commanded(
        V201,
        "SetVariables",
        &ours,
        &set(&[("ClockCtrlr", "TimeZone", "Europe/Berlin")]),
    );
    assert_eq!(
        missing,
        [
            "/setVariableData/* S1",
            "/setVariableData/* S1",
            "/setVariableData/* S3"
        ]
    );
    let actual = r#"{"setVariableData":[{"component":{"name":"C"},"variable":{"name":"V"},"attributeValue":"1","attributeType":"Actual"}]}"#;
    let silent = r#"{"setVariableData":[{"component":{"name":"C"},"variable":{"name":"V"},"attributeValue":"1"}]}"#;
    assert_eq!(
        commanded(V201, "SetVariables", actual, silent),
        ["/setVariableData/*/attributeType ~variables2-attribute"]
    );
}

#[test]
fn local_lists_are_keyed_by_token_and_type() {
    let entry = |token: &str, kind: &str, status: &str| {
        format!(
            r#"{{"idToken":{{"idToken":"{token}","type":"{kind}"}},"idTokenInfo":{{"status":"{status}"}}}}"#
        )
    };
    let list = |entries: &[String]| {
        format!(
            r#"{{"updateType":"Full","localAuthorizationList":[{}]}}"#,
            entries.join(",")
        )
    };
    let ours = list(&[
        entry("A", "ISO14443", "Accepted"),
        entry("B", "ISO14443", "Accepted"),
    ]);
    let theirs = list(&[
        entry("b", "ISO14443", "Blocked"),
        entry("A", "Central", "Accepted"),
    ]);
    let mut found = commanded(V201, "SendLocalList", &ours, &theirs);
    found.sort();
    assert_eq!(
        found,
        [
            "/localAuthorizationList/* S1",
            "/localAuthorizationList/* S1",
            "/localAuthorizationList/*/idToken/idToken ~local-list2-token",
            "/localAuthorizationList/*/idTokenInfo/status S1",
        ]
    );
}

#[test]
fn each_field_of_a_command_has_the_severity_of_its_row() {
    let profile = |limit: &str, purpose: &str| {
        format!(
            r#"{{"csChargingProfiles":{{"chargingProfilePurpose":"{purpose}","chargingSchedule":{{"chargingSchedulePeriod":[{{"startPeriod":0,"limit":{limit}}}]}}}}}}"#
        )
    };
    let limits = |ours: &str, theirs: &str, purpose: &str| {
        commanded(
            V16,
            "SetChargingProfile",
            &profile(ours, purpose),
            &profile(theirs, purpose),
        )
    };
    let limit = "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/*/limit";
    assert_eq!(
        limits("16", "16.04", "TxProfile"),
        [format!("{limit} ~profile-limit")]
    );
    assert_eq!(limits("16", "20", "TxProfile"), [format!("{limit} S3")]);
    assert_eq!(limits("16", "0", "TxProfile"), [format!("{limit} S1")]);
    assert_eq!(
        limits("16", "20", "ChargePointMaxProfile"),
        [format!("{limit} S1")]
    );
    for (version, action, ours, theirs, expected) in [
        (
            V16,
            "UpdateFirmware",
            r#"{"location":"https://a/x/fw-1.2.bin?k=1"}"#,
            r#"{"location":"ftp://b/fw-1.2.bin"}"#,
            "/location ~firmware-image",
        ),
        (
            V16,
            "UpdateFirmware",
            r#"{"location":"https://a/fw-1.2.bin"}"#,
            r#"{"location":"https://a/fw-1.3.bin"}"#,
            "/location S3",
        ),
        (
            V16,
            "GetDiagnostics",
            r#"{"retries":1}"#,
            r#"{"retries":3}"#,
            "/retries ~retries",
        ),
        (
            V16,
            "InstallCertificate",
            r#"{"certificate":"-----BEGIN CERTIFICATE-----\nAA\nBB"}"#,
            r#"{"certificate":"-----BEGIN CERTIFICATE-----\r\nAA\r\nBB\r\n"}"#,
            "/certificate ~install-certificate",
        ),
        (
            V16,
            "InstallCertificate",
            r#"{"certificate":"AA"}"#,
            r#"{"certificate":"AB"}"#,
            "/certificate S3",
        ),
        (
            V16,
            "RemoteStartTransaction",
            r#"{"connectorId":1}"#,
            r#"{"connectorId":2}"#,
            "/connectorId S1",
        ),
        (
            V16,
            "GetConfiguration",
            r#"{"key":["A","B"]}"#,
            r#"{"key":["B","A"]}"#,
            "/key ~get-configuration-keys",
        ),
        (
            V16,
            "DeleteCertificate",
            r#"{"certificateHashData":{"serialNumber":"1"}}"#,
            r#"{"certificateHashData":{"serialNumber":"2"}}"#,
            "/certificateHashData/serialNumber S3",
        ),
        (
            V201,
            "SetNetworkProfile",
            r#"{"connectionData":{"ocppCsmsUrl":"wss://a"}}"#,
            r#"{"connectionData":{"ocppCsmsUrl":"wss://b"}}"#,
            "/connectionData/ocppCsmsUrl S1",
        ),
        (
            V201,
            "CertificateSigned",
            r#"{"certificateChain":"A"}"#,
            r#"{"certificateChain":"B"}"#,
            "/certificateChain ~certificate-signed2-chain",
        ),
        (
            V21,
            "SetDefaultTariff",
            r#"{"tariff":{"currency":"EUR"}}"#,
            r#"{"tariff":{"currency":"SEK"}}"#,
            "/tariff/currency S2",
        ),
        (
            V21,
            "NotifyAllowedEnergyTransfer",
            r#"{"allowedEnergyTransfer":["A","B"]}"#,
            r#"{"allowedEnergyTransfer":["B","A"]}"#,
            "/allowedEnergyTransfer ~allowed-energy-command",
        ),
    ] {
        assert_eq!(
            commanded(version, action, ours, theirs),
            [expected],
            "{action}"
        );
    }
}

#[test]
fn an_explanation_names_the_rule_and_why_no_other_decides() {
    let (ours, theirs) = (
        r#"{"idTagInfo":{"status":"Blocked"}}"#,
        r#"{"idTagInfo":{"status":"Expired"}}"#,
    );
    let explained = explain::answers(&RULES, (V16, "Authorize"), "{}", (NOW, ours), (NOW, theirs));
    let [(difference, tried)] = explained.as_slice() else {
        panic!("{explained:?}");
    };
    assert_eq!(difference.rule.id, "authorize-refusal");
    assert!(difference.rule.origin.line > 1);
    let why: Vec<_> = tried
        .iter()
        .map(|tried| format!("{} {}", tried.rule.id, tried.why))
        .collect();
    assert_eq!(
        why,
        [
            "authorize-info is for /idTagInfo",
            "authorize-accepted needs one of Accepted",
        ]
    );
}
