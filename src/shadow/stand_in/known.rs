//! What is known of a charger, as answers: per version, and what both have in common.

use super::reply::Reply;
use super::{Situation, reports, triggers, v2, v16, variables};
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, Version};
use crate::shadow::model::Place;
use crate::shadow::translate::member_text;

/// The answer of a charger that does nothing; `None` where only a refusal is left.
pub(super) fn known(call: &Envelope<'_>, situation: Situation<'_>) -> Option<Reply> {
    let (model, version, payload) = (situation.model, situation.version, call.payload);
    match call.action.as_ref() {
        "TriggerMessage" | "ExtendedTriggerMessage" => triggers::triggered(call, situation),
        "GetInstalledCertificateIds" => {
            let (payload, evidence) = model.certificates().answer(version, payload)?;
            Some(Reply::model(payload).by(evidence))
        }
        "InstallCertificate" => Some(Reply::already().by(model.certificates().has(payload)?)),
        "DeleteCertificate" => {
            let (status, evidence) = model.certificates().delete(version, payload)?;
            Some(Reply::status(status).by(evidence))
        }
        "GetCompositeSchedule" => {
            let (answer, evidence) = model.profiles().schedule(payload, situation.now)?;
            Some(Reply::model(answer).by(evidence))
        }
        action if version == Version::V16 => v16::known(action, payload, situation),
        action => v2::known(action, payload, situation),
    }
}

/// What would have to be known to answer better than with a refusal, and how it can be supplied.
pub(super) fn missing(call: &Envelope<'_>, situation: Situation<'_>) -> Option<&'static str> {
    match call.action.as_ref() {
        "GetInstalledCertificateIds" => Some(
            "no listing of these certificates was seen; it comes when the authority asks for one",
        ),
        "GetCompositeSchedule" => Some(
            "no such schedule was seen, or its time is over; it comes when the authority asks for one",
        ),
        _ if situation.version == Version::V16 => None,
        "GetVariables" | "SetVariables" => variables::missing(situation),
        action => reports::missing(action, call.payload, situation),
    }
}

/// `ChangeAvailability` to what already is.
pub(super) fn availability(
    situation: Situation<'_>,
    place: (Option<i64>, Option<i64>),
    word: &str,
) -> Option<Reply> {
    let operative = match word {
        "Operative" => true,
        "Inoperative" => false,
        _ => return None,
    };
    let evidence = situation.model.is_available(place, operative)?;
    Some(Reply::already().by(evidence))
}

/// What a charger says to a reservation of places whose last status is known; `None` where one of them is free.
pub(super) fn reservation(
    situation: Situation<'_>,
    is_meant: impl Fn(Place) -> bool,
) -> Option<Reply> {
    let model = situation.model;
    let mut taken = None;
    for (place, _) in model.said().filter(|(place, _)| is_meant(*place)) {
        let (word, evidence) = model.status(place)?;
        let answer = match word {
            "Available" => return None,
            "Faulted" | "Unavailable" => word,
            _ => "Occupied",
        };
        taken = Some((answer, evidence));
    }
    let (answer, evidence) = taken?;
    Some(Reply::status(answer).by(evidence))
}

/// An integer member, quoted or not.
pub(super) fn number(payload: &str, path: &[Step]) -> Option<i64> {
    member_text(payload, path)?.trim_matches('"').parse().ok()
}
