//! Every OCPP action: who may send it, what its answer looks like, and what an answer's absence costs.
//!
//! Names, senders and answer shapes are those of the published JSON schemas of 1.6 (with the security extension), 2.0.1
//! and 2.1.

use super::Version;
use super::identifiers::{Class, sites};
use super::json;
use super::severity::Severity::{self, S1, S2, S3, S4};

/// One end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The charging station.
    Charger,
    /// A backend.
    Csms,
}

/// Who may send an action's CALL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// Only chargers.
    Charger,
    /// Only backends.
    Csms,
    /// Either end: `DataTransfer`.
    Both,
}

impl Sender {
    /// Whether this end may send it.
    pub const fn allows(self, side: Side) -> bool {
        matches!(
            (self, side),
            (Self::Both, _) | (Self::Charger, Side::Charger) | (Self::Csms, Side::Csms)
        )
    }
}

/// What an action's answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The schema has no field but `customData`: answers cannot be compared, only their absence can.
    Empty,
    /// Fields that can be compared.
    Content,
    /// A SEND: no answer exists.
    None,
}

/// What is known about an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// The name on the wire.
    pub name: &'static str,
    /// Who may send it.
    pub sender: Sender,
    /// What its answer carries.
    pub reply: Reply,
    /// The versions that have it.
    pub versions: &'static [Version],
    /// For a charger's CALL: what it costs when a backend answers with an error, too late, or not at all.
    pub unanswered: Severity,
}

/// Finds an action by its exact name.
pub fn find(version: Version, name: &str) -> Option<&'static Action> {
    table(version)
        .iter()
        .find(|action| action.name == name && action.versions.contains(&version))
}

/// Every action of a version.
pub fn all(version: Version) -> impl Iterator<Item = &'static Action> {
    table(version)
        .iter()
        .filter(move |action| action.versions.contains(&version))
}

/// Whether a charger queues this message while it is offline and delivers it later, in order: what the shadow leg must
/// keep while its backend is away.
pub fn is_transactional(version: Version, action: &str, payload: &str) -> bool {
    match (version, action) {
        (Version::V16, "MeterValues") => sites(version, action, super::Part::Request)
            .filter(|site| site.class == Class::TransactionId)
            .any(|site| json::first(payload, site.path).is_some()),
        (Version::V16, "StartTransaction" | "StopTransaction")
        | (Version::V201 | Version::V21, "TransactionEvent") => true,
        _ => false,
    }
}

const fn table(version: Version) -> &'static [Action] {
    match version {
        Version::V16 => &V16,
        Version::V201 | Version::V21 => &V2,
    }
}

const ONLY_16: &[Version] = &[Version::V16];
const BOTH_2: &[Version] = &[Version::V201, Version::V21];
const ONLY_21: &[Version] = &[Version::V21];

/// A charger's CALL with an empty answer.
const fn notice(versions: &'static [Version], name: &'static str, unanswered: Severity) -> Action {
    Action {
        name,
        sender: Sender::Charger,
        reply: Reply::Empty,
        versions,
        unanswered,
    }
}

/// A charger's CALL whose answer carries something.
const fn question(
    versions: &'static [Version],
    name: &'static str,
    unanswered: Severity,
) -> Action {
    Action {
        reply: Reply::Content,
        ..notice(versions, name, unanswered)
    }
}

/// A backend's CALL whose answer carries something.
const fn command(versions: &'static [Version], name: &'static str) -> Action {
    Action {
        name,
        sender: Sender::Csms,
        reply: Reply::Content,
        versions,
        unanswered: S3,
    }
}

/// A backend's CALL with an empty answer.
const fn order(versions: &'static [Version], name: &'static str) -> Action {
    Action {
        reply: Reply::Empty,
        ..command(versions, name)
    }
}

/// `DataTransfer`, which both ends may send.
const fn either(versions: &'static [Version], name: &'static str) -> Action {
    Action {
        sender: Sender::Both,
        ..command(versions, name)
    }
}

#[rustfmt::skip]
const V16: [Action; 39] = [
    question(ONLY_16, "Authorize", S1),
    question(ONLY_16, "BootNotification", S1),
    notice(ONLY_16, "DiagnosticsStatusNotification", S3),
    notice(ONLY_16, "FirmwareStatusNotification", S3),
    question(ONLY_16, "Heartbeat", S3),
    notice(ONLY_16, "LogStatusNotification", S3),
    notice(ONLY_16, "MeterValues", S2),
    notice(ONLY_16, "SecurityEventNotification", S3),
    question(ONLY_16, "SignCertificate", S3),
    notice(ONLY_16, "SignedFirmwareStatusNotification", S3),
    question(ONLY_16, "StartTransaction", S1),
    notice(ONLY_16, "StatusNotification", S3),
    question(ONLY_16, "StopTransaction", S2),
    either(ONLY_16, "DataTransfer"),
    command(ONLY_16, "CancelReservation"),
    command(ONLY_16, "CertificateSigned"),
    command(ONLY_16, "ChangeAvailability"),
    command(ONLY_16, "ChangeConfiguration"),
    command(ONLY_16, "ClearCache"),
    command(ONLY_16, "ClearChargingProfile"),
    command(ONLY_16, "DeleteCertificate"),
    command(ONLY_16, "ExtendedTriggerMessage"),
    command(ONLY_16, "GetCompositeSchedule"),
    command(ONLY_16, "GetConfiguration"),
    command(ONLY_16, "GetDiagnostics"),
    command(ONLY_16, "GetInstalledCertificateIds"),
    command(ONLY_16, "GetLocalListVersion"),
    command(ONLY_16, "GetLog"),
    command(ONLY_16, "InstallCertificate"),
    command(ONLY_16, "RemoteStartTransaction"),
    command(ONLY_16, "RemoteStopTransaction"),
    command(ONLY_16, "ReserveNow"),
    command(ONLY_16, "Reset"),
    command(ONLY_16, "SendLocalList"),
    command(ONLY_16, "SetChargingProfile"),
    command(ONLY_16, "SignedUpdateFirmware"),
    command(ONLY_16, "TriggerMessage"),
    command(ONLY_16, "UnlockConnector"),
    order(ONLY_16, "UpdateFirmware"),
];

#[rustfmt::skip]
const V2: [Action; 91] = [
    question(BOTH_2, "Authorize", S1),
    question(BOTH_2, "BootNotification", S1),
    notice(BOTH_2, "ClearedChargingLimit", S3),
    notice(BOTH_2, "FirmwareStatusNotification", S3),
    question(BOTH_2, "Get15118EVCertificate", S1),
    question(BOTH_2, "GetCertificateStatus", S1),
    question(BOTH_2, "Heartbeat", S3),
    notice(BOTH_2, "LogStatusNotification", S3),
    notice(BOTH_2, "MeterValues", S3),
    notice(BOTH_2, "NotifyChargingLimit", S3),
    notice(BOTH_2, "NotifyCustomerInformation", S3),
    notice(BOTH_2, "NotifyDisplayMessages", S3),
    question(BOTH_2, "NotifyEVChargingNeeds", S1),
    question(BOTH_2, "NotifyEVChargingSchedule", S3),
    notice(BOTH_2, "NotifyEvent", S3),
    notice(BOTH_2, "NotifyMonitoringReport", S3),
    notice(BOTH_2, "NotifyReport", S3),
    notice(BOTH_2, "PublishFirmwareStatusNotification", S3),
    notice(BOTH_2, "ReportChargingProfiles", S3),
    notice(BOTH_2, "ReservationStatusUpdate", S3),
    notice(BOTH_2, "SecurityEventNotification", S3),
    question(BOTH_2, "SignCertificate", S3),
    notice(BOTH_2, "StatusNotification", S3),
    question(BOTH_2, "TransactionEvent", S1),
    notice(ONLY_21, "BatterySwap", S3),
    notice(ONLY_21, "ClosePeriodicEventStream", S3),
    question(ONLY_21, "GetCertificateChainStatus", S1),
    notice(ONLY_21, "NotifyDERAlarm", S3),
    notice(ONLY_21, "NotifyDERStartStop", S3),
    Action { reply: Reply::None, ..notice(ONLY_21, "NotifyPeriodicEventStream", S4) },
    notice(ONLY_21, "NotifyPriorityCharging", S3),
    question(ONLY_21, "NotifySettlement", S2),
    question(ONLY_21, "OpenPeriodicEventStream", S3),
    question(ONLY_21, "PullDynamicScheduleUpdate", S3),
    notice(ONLY_21, "ReportDERControl", S3),
    question(ONLY_21, "VatNumberValidation", S3),
    either(BOTH_2, "DataTransfer"),
    command(BOTH_2, "CancelReservation"),
    command(BOTH_2, "CertificateSigned"),
    command(BOTH_2, "ChangeAvailability"),
    command(BOTH_2, "ClearCache"),
    command(BOTH_2, "ClearChargingProfile"),
    command(BOTH_2, "ClearDisplayMessage"),
    command(BOTH_2, "ClearVariableMonitoring"),
    order(BOTH_2, "CostUpdated"),
    command(BOTH_2, "CustomerInformation"),
    command(BOTH_2, "DeleteCertificate"),
    command(BOTH_2, "GetBaseReport"),
    command(BOTH_2, "GetChargingProfiles"),
    command(BOTH_2, "GetCompositeSchedule"),
    command(BOTH_2, "GetDisplayMessages"),
    command(BOTH_2, "GetInstalledCertificateIds"),
    command(BOTH_2, "GetLocalListVersion"),
    command(BOTH_2, "GetLog"),
    command(BOTH_2, "GetMonitoringReport"),
    command(BOTH_2, "GetReport"),
    command(BOTH_2, "GetTransactionStatus"),
    command(BOTH_2, "GetVariables"),
    command(BOTH_2, "InstallCertificate"),
    command(BOTH_2, "PublishFirmware"),
    command(BOTH_2, "RequestStartTransaction"),
    command(BOTH_2, "RequestStopTransaction"),
    command(BOTH_2, "ReserveNow"),
    command(BOTH_2, "Reset"),
    command(BOTH_2, "SendLocalList"),
    command(BOTH_2, "SetChargingProfile"),
    command(BOTH_2, "SetDisplayMessage"),
    command(BOTH_2, "SetMonitoringBase"),
    command(BOTH_2, "SetMonitoringLevel"),
    command(BOTH_2, "SetNetworkProfile"),
    command(BOTH_2, "SetVariableMonitoring"),
    command(BOTH_2, "SetVariables"),
    command(BOTH_2, "TriggerMessage"),
    command(BOTH_2, "UnlockConnector"),
    command(BOTH_2, "UnpublishFirmware"),
    command(BOTH_2, "UpdateFirmware"),
    command(ONLY_21, "AFRRSignal"),
    command(ONLY_21, "AdjustPeriodicEventStream"),
    command(ONLY_21, "ChangeTransactionTariff"),
    command(ONLY_21, "ClearDERControl"),
    command(ONLY_21, "ClearTariffs"),
    command(ONLY_21, "GetDERControl"),
    command(ONLY_21, "GetPeriodicEventStream"),
    command(ONLY_21, "GetTariffs"),
    command(ONLY_21, "NotifyAllowedEnergyTransfer"),
    order(ONLY_21, "NotifyWebPaymentStarted"),
    command(ONLY_21, "RequestBatterySwap"),
    command(ONLY_21, "SetDERControl"),
    command(ONLY_21, "SetDefaultTariff"),
    command(ONLY_21, "UpdateDynamicSchedule"),
    command(ONLY_21, "UsePriorityCharging"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn count(version: Version, reply: Reply) -> usize {
        all(version)
            .filter(|action| action.sender.allows(Side::Charger) && action.reply == reply)
            .count()
    }

    #[test]
    fn the_tables_are_as_large_as_the_schema_folders() {
        assert_eq!(Version::ALL.map(|v| all(v).count()), [39, 64, 91]);
    }

    #[test]
    fn most_charger_messages_have_empty_answers() {
        use Reply::{Content, Empty, None};
        let shapes = |v| (count(v, Empty), count(v, Content), count(v, None));
        assert_eq!(shapes(Version::V16), (7, 7, 0));
        assert_eq!(shapes(Version::V201), (15, 10, 0));
        assert_eq!(shapes(Version::V21), (21, 15, 1));
    }

    #[test]
    fn names_are_unique_and_found_only_where_they_exist() {
        for version in Version::ALL {
            for action in all(version) {
                assert_eq!(find(version, action.name), Some(action));
                let twins = all(version).filter(|other| other.name == action.name);
                assert_eq!(twins.count(), 1, "{}", action.name);
            }
        }
        assert!(find(Version::V16, "TransactionEvent").is_none());
        assert!(find(Version::V201, "SetDERControl").is_none());
        assert!(find(Version::V21, "SetDERControl").is_some());
        assert!(find(Version::V16, "heartbeat").is_none());
    }

    #[test]
    fn only_meter_values_of_a_transaction_are_queued() {
        let queued = |version, action, payload| is_transactional(version, action, payload);
        assert!(queued(Version::V16, "StartTransaction", "{}"));
        assert!(queued(
            Version::V16,
            "MeterValues",
            r#"{"connectorId":1,"transactionId":0}"#
        ));
        assert!(!queued(
            Version::V16,
            "MeterValues",
            r#"{"connectorId":1,"x":{"transactionId":1}}"#
        ));
        assert!(!queued(Version::V16, "MeterValues", "not JSON"));
        assert!(queued(Version::V21, "TransactionEvent", "{}"));
        assert!(!queued(Version::V201, "MeterValues", "{}"));
        assert!(!queued(Version::V201, "StartTransaction", "{}"));
    }
}
