//! OCPP 1.6 commands, answered from what is known of the charger.

use super::Situation;
use super::known::{availability, number, reservation};
use super::reply::Reply;
use crate::ocpp::Version;
use crate::ocpp::json::Step;
use crate::shadow::model::text;

/// The answer of a charger that does nothing.
pub(super) fn known(action: &str, payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let model = situation.model;
    match action {
        "GetConfiguration" => {
            let (payload, evidence) = model.configuration(payload);
            Some(Reply::model(payload).by(evidence))
        }
        "ChangeConfiguration" => {
            let (status, evidence) = model.change_configuration(payload)?;
            let reply = match status {
                "Accepted" => Reply::already(),
                refusal => Reply::status(refusal),
            };
            Some(reply.by(evidence))
        }
        "ChangeAvailability" => {
            let connector = number(payload, &[Step::Key("connectorId")])?;
            let place = (None, (connector != 0).then_some(connector));
            availability(situation, place, text(payload, "type")?)
        }
        "ReserveNow" => {
            // Connector 0 asks for any of them.
            let connector = number(payload, &[Step::Key("connectorId")])?;
            let is_meant = |known| {
                if connector == 0 {
                    known != 0
                } else {
                    known == connector
                }
            };
            reservation(situation, |place| is_meant(place.1))
        }
        "UnlockConnector" => {
            let connector = number(payload, &[Step::Key("connectorId")])?;
            let evidence = model.is_lockless(connector)?;
            Some(Reply::status("NotSupported").by(evidence))
        }
        "SendLocalList" => without(situation, "LocalAuthListManagement"),
        "GetLocalListVersion" => {
            let (has, evidence) = model.has_profile("LocalAuthListManagement")?;
            (!has).then(|| Reply::model(r#"{"listVersion":-1}"#).by(evidence))
        }
        "SetChargingProfile" => without(situation, "SmartCharging"),
        "ClearChargingProfile" => {
            // `Unknown` would say that the charger holds none.
            let held = model.profiles().would_clear(Version::V16, payload)?;
            let why = "profiles of another backend would be cleared";
            Some(Reply::error("NotSupported", why).by(held))
        }
        _ => None,
    }
}

/// What a charger says that lacks a feature profile.
fn without(situation: Situation<'_>, profile: &str) -> Option<Reply> {
    let (has, evidence) = situation.model.has_profile(profile)?;
    (!has).then(|| Reply::status("NotSupported").by(evidence))
}
