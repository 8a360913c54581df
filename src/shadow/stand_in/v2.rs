//! OCPP 2.0.1 and 2.1 commands, answered from what is known of the charger.

use super::known::{availability, number, reservation};
use super::reply::Reply;
use super::{Situation, reports, variables};
use crate::ocpp::Version;
use crate::ocpp::json::Step;
use crate::shadow::model::{Evidence, is_same_setting, text};

/// The answer of a charger that does nothing.
pub(super) fn known(action: &str, payload: &str, situation: Situation<'_>) -> Option<Reply> {
    match action {
        "GetBaseReport" => reports::base(payload, situation),
        "GetReport" => reports::selection(payload, situation),
        "GetMonitoringReport" => reports::monitoring(payload, situation),
        "GetVariables" => variables::get(payload, situation),
        "SetVariables" => variables::set(payload, situation),
        "SetMonitoringLevel" => {
            let wanted = number(payload, &[Step::Key("severity")])?.to_string();
            same(situation, "ActiveMonitoringLevel", &wanted)
        }
        "SetMonitoringBase" => {
            let wanted = text(payload, "monitoringBase")?;
            same(situation, "ActiveMonitoringBase", wanted)
        }
        "ChangeAvailability" => {
            let evse = number(payload, &[Step::Key("evse"), Step::Key("id")]);
            let connector = number(payload, &[Step::Key("evse"), Step::Key("connectorId")]);
            let wanted = text(payload, "operationalStatus")?;
            availability(situation, (evse, connector), wanted)
        }
        "ReserveNow" => {
            let evse = number(payload, &[Step::Key("evseId")]);
            reservation(situation, |place| evse.is_none_or(|evse| evse == place.0))
        }
        "GetTransactionStatus" => transaction_status(payload, situation),
        "UnlockConnector" => unlock(payload, situation),
        "CostUpdated" => shown_cost(situation),
        "SetDefaultTariff" | "ChangeTransactionTariff" if situation.version == Version::V21 => {
            tariff(action, payload, situation)
        }
        "UsePriorityCharging" if situation.version == Version::V21 => {
            // The profile for it would be the shadow's, and the charger has none of those (K21.FR.02).
            let evidence = ongoing(payload, situation)?;
            Some(Reply::status("NoProfile").by(evidence))
        }
        _ => None,
    }
}

/// `Accepted` where a setting of the monitoring is already so.
fn same(situation: Situation<'_>, variable: &str, wanted: &str) -> Option<Reply> {
    let view = situation.model.device().view();
    let (value, evidence) = view.value("MonitoringCtrlr", variable, None)?;
    is_same_setting(&value, wanted).then(|| Reply::already().by(evidence))
}

/// The evidence of the transaction that a command names, if it goes on.
fn ongoing(payload: &str, situation: Situation<'_>) -> Option<Evidence> {
    let id = text(payload, "transactionId")?;
    situation.model.transactions().ongoing(id)
}

fn transaction_status(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let evidence = ongoing(payload, situation);
    (evidence.is_some() || situation.ongoing)
        .then(|| Reply::model(r#"{"ongoingIndicator":true,"messagesInQueue":false}"#).by(evidence))
}

/// A connector with an authorised transaction stays locked (F05.FR.02).
fn unlock(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let model = situation.model;
    let evse = number(payload, &[Step::Key("evseId")])?;
    if let Some(evidence) = model.transactions().authorized_at(evse) {
        return Some(Reply::status("OngoingAuthorizedTransaction").by(evidence));
    }
    let reported = model.said().any(|((known, _), _)| known == evse);
    let view = model.device().view();
    // An inventory need not list connectors, but it lists EVSEs.
    let unknown = !reported && view.has_evse(evse) == Some(false);
    unknown.then(|| Reply::status("UnknownConnector").by(view.evidence()))
}

/// A station that shows costs takes one and answers nothing: there is no effect to make up.
fn shown_cost(situation: Situation<'_>) -> Option<Reply> {
    let view = situation.model.device().view();
    let shows = view.is_true("DisplayMessageCtrlr", "Available", None)
        || view.is_true("TariffCostCtrlr", "Available", Some("Cost"));
    shows.then(|| Reply::model("{}").by(view.evidence()))
}

/// A station that calculates costs itself can say more than that it does not (I07.FR.01, I11.FR.01).
fn tariff(action: &str, payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let view = situation.model.device().view();
    if !view.is_true("TariffCostCtrlr", "Enabled", Some("Tariff")) {
        return None;
    }
    let unknown = action == "ChangeTransactionTariff" && ongoing(payload, situation).is_none();
    let status = if unknown { "TxNotFound" } else { "Rejected" };
    Some(Reply::status(status).by(view.evidence()))
}
