//! Which commands may be answered with what the charger answered to the authority, and which are worth waiting for that.

use crate::ocpp::Version;

/// How far the charger's real answer to the same command of the authority's may be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Not at all: it names a file, a version or a certificate of the authority's, or starts a series of reports that only
    /// the authority asked for, or would move the charger.
    Never,
    /// Once, within the reuse time.
    Once,
    /// As often as asked, until a command changes what it tells.
    UntilChanged,
}

/// Commands that act: without a twin of the authority's they are refused, so the twin is waited for.
const HELD: [&str; 28] = [
    "CancelReservation",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "ClearDisplayMessage",
    "ClearVariableMonitoring",
    "DataTransfer",
    "DeleteCertificate",
    "InstallCertificate",
    "NotifyAllowedEnergyTransfer",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "RequestStartTransaction",
    "RequestStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SetDisplayMessage",
    "SetMonitoringBase",
    "SetMonitoringLevel",
    "SetVariableMonitoring",
    "SetVariables",
    "SignedUpdateFirmware",
    "UnlockConnector",
    "UpdateFirmware",
    "UsePriorityCharging",
];

/// Commands whose real answer is as good as any, but not worth waiting for: there is a truthful one at once.
const AT_HAND: [&str; 3] = ["CostUpdated", "ExtendedTriggerMessage", "TriggerMessage"];

/// Questions, each with the commands that change their answer.
const QUESTIONS: [(&str, &[&str]); 2] = [
    (
        "GetCompositeSchedule",
        &[
            "ClearChargingProfile",
            "RemoteStartTransaction",
            "RequestStartTransaction",
            "SetChargingProfile",
            "UpdateDynamicSchedule",
        ],
    ),
    (
        "GetInstalledCertificateIds",
        &[
            "CertificateSigned",
            "DeleteCertificate",
            "InstallCertificate",
        ],
    ),
];

/// Whether the charger's answer to the authority's twin may be handed on.
pub fn reuse(version: Version, action: &str) -> Reuse {
    if QUESTIONS.iter().any(|(question, _)| *question == action) {
        Reuse::UntilChanged
    } else if holds(version, action) || AT_HAND.contains(&action) {
        Reuse::Once
    } else {
        Reuse::Never
    }
}

/// Whether a command waits for the authority's twin before it is refused.
pub fn holds(version: Version, action: &str) -> bool {
    // In 2.x its answer can say no, and its download place is part of what is commanded.
    let refusable = action == "UpdateFirmware" && version != Version::V16;
    HELD.contains(&action) && !refusable
}

/// Whether a command of the authority's may make an answered question untrue.
pub fn invalidates(action: &str, question: &str) -> bool {
    QUESTIONS
        .iter()
        .any(|(asked, changed_by)| *asked == question && changed_by.contains(&action))
}
