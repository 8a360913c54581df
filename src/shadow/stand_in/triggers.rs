//! Triggered messages: what a charger would do is answer, then send what was asked for.
//!
//! Only what the charger really said is sent again. A heartbeat says nothing, and a job that nobody began is idle.

use super::known::number;
use super::reply::Reply;
use super::{Acceptance, Follow, Situation};
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, Version};
use crate::shadow::model::{Evidence, Place, Said, text};

/// Jobs that a charger may be asked about, with the 1.6 feature profile that they belong to.
const JOBS: [(&str, Option<&str>); 4] = [
    ("DiagnosticsStatusNotification", Some("FirmwareManagement")),
    ("FirmwareStatusNotification", Some("FirmwareManagement")),
    ("LogStatusNotification", None),
    ("PublishFirmwareStatusNotification", None),
];

/// Words that say that a job goes on: then `Idle` would be false.
const BUSY: [&str; 11] = [
    "ChecksumVerified",
    "DownloadPaused",
    "DownloadScheduled",
    "Downloaded",
    "Downloading",
    "InstallRebooting",
    "InstallScheduled",
    "Installing",
    "PublishRequested",
    "SignatureVerified",
    "Uploading",
];

/// The answer to a trigger and what follows it; `None` where nothing can follow.
pub(super) fn triggered(call: &Envelope<'_>, situation: Situation<'_>) -> Option<Reply> {
    let model = situation.model;
    let asked = text(call.payload, "requestedMessage")?;
    if let Some((job, profile)) = JOBS.into_iter().find(|(job, _)| *job == asked) {
        return idle(job, profile, situation);
    }
    let is_meant = |place: Place| is_meant(call, situation.version, place);
    let said: Vec<(&'static str, &Said)> = match asked {
        "BootNotification" if may_boot(situation) => {
            let boot = vec![("BootNotification", model.boot()?.into())];
            return Some(accepted(boot, model.booted()));
        }
        "Heartbeat" => return Some(accepted(vec![("Heartbeat", "{}".into())], None)),
        "StatusNotification" => model
            .said()
            .filter(|(place, _)| is_meant(*place))
            .map(|(_, said)| ("StatusNotification", said))
            .collect(),
        "MeterValues" => model
            .sampled_lately(situation.now)
            .filter(|(place, _)| is_meant(*place))
            .map(|(_, said)| ("MeterValues", said))
            .collect(),
        // As it was, sequence number included: a new number would collide with the charger's next.
        "TransactionEvent" => model
            .transactions()
            .updates()
            .filter(|(evse, said)| said.is_fresh(situation.now) && is_at(call, *evse))
            .map(|(_, said)| ("TransactionEvent", said))
            .collect(),
        _ => return None,
    };
    let evidence = Evidence::all(said.iter().map(|(_, said)| Evidence::learned(said.at)))?;
    let again = |(action, said): (&'static str, &Said)| (action, said.payload.clone());
    Some(accepted(said.into_iter().map(again).collect(), evidence))
}

fn accepted(follow: Vec<Follow>, evidence: impl Into<Option<Evidence>>) -> Reply {
    Reply::status("Accepted").by(evidence).then(follow)
}

fn idle(job: &'static str, profile: Option<&str>, situation: Situation<'_>) -> Option<Reply> {
    let model = situation.model;
    if situation.version == Version::V16
        && let Some((false, evidence)) = profile.and_then(|profile| model.has_profile(profile))
    {
        return Some(Reply::status("NotImplemented").by(evidence));
    }
    // A job of the authority's goes on, and the shadow knows nothing of it.
    if model.job(job).is_some_and(|status| BUSY.contains(&status)) {
        return None;
    }
    let follow = vec![(job, r#"{"status":"Idle"}"#.into())];
    Some(accepted(follow, None))
}

/// An accepted 2.x charger refuses to boot again (F06.FR.17).
fn may_boot(situation: Situation<'_>) -> bool {
    situation.version == Version::V16 || situation.acceptance != Acceptance::Accepted
}

/// Whether a trigger asks for this connector: for all when it names none.
fn is_meant(call: &Envelope<'_>, version: Version, place: Place) -> bool {
    let asked = |path: &[Step]| number(call.payload, path);
    if version == Version::V16 {
        return asked(&[Step::Key("connectorId")]).is_none_or(|connector| connector == place.1);
    }
    let connector = asked(&[Step::Key("evse"), Step::Key("connectorId")]);
    // A 2.x `MeterValues` is about an EVSE and names no connector.
    let fits = place.1 == 0 || connector.is_none_or(|connector| connector == place.1);
    is_at(call, Some(place.0)) && fits
}

fn is_at(call: &Envelope<'_>, evse: Option<i64>) -> bool {
    number(call.payload, &[Step::Key("evse"), Step::Key("id")])
        .is_none_or(|asked| Some(asked) == evse)
}
