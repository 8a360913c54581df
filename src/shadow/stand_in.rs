//! The charger's place at the shadow backend: every command is answered, soon and truthfully, and nothing is done.
//!
//! By construction nothing here can reach a charger: there is no handle to one anywhere in the shadow plane. The best
//! source wins: the charger's real answer to the same command of its authority (*reuse*), what has been learned of it
//! (*model*), an acceptance of what already holds (*no-op*), a refusal, and where the operator opted in, a pretence
//! (*simulate*). A command that would be refused may wait a moment for the authority's twin.

use serde_json::Value;

use crate::clock::Micros;
use crate::ocpp::json::Step;
use crate::ocpp::refusals::{self, Refusal};
use crate::ocpp::{Envelope, Version};

use super::commands::{Real, table};
use super::model::{Model, Place, text};
use super::overlay::{Overlay, Told};
use super::translate::member_text;

/// Where an answer comes from, as facts name it.
pub mod source {
    /// The charger's real answer to the authority's twin.
    pub const REUSE: &str = "reuse";
    /// What is known of the charger.
    pub const MODEL: &str = "model";
    /// It already holds.
    pub const NO_OP: &str = "no-op";
    /// A schema-valid no.
    pub const REFUSAL: &str = "refusal";
    /// A CALLERROR.
    pub const RPC_REFUSAL: &str = "rpc-refusal";
    /// A pretence.
    pub const SIMULATE: &str = "simulate";
}

/// What the backend answered to the charger's last BootNotification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acceptance {
    /// It has not answered one on this connection.
    #[default]
    Unknown,
    /// `Accepted`.
    Accepted,
    /// `Pending`: it may ask and configure.
    Pending,
    /// `Rejected`, or an error: nothing goes.
    Rejected,
}

/// What the stand-in knows.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The version of the connection.
    pub version: Version,
    /// The charger.
    pub model: &'a Model,
    /// The transaction that the command names is one that the backend was told of and that has not ended.
    pub ongoing: bool,
    /// How the backend took its boot.
    pub acceptance: Acceptance,
    /// The charger's real answer to the authority's twin of this command, fit to be handed on.
    pub real: Option<&'a Real>,
    /// What the backend was made to believe.
    pub overlay: &'a Overlay,
    /// Whether the command may wait.
    pub wait: Wait,
    /// The operator wants commands of this action simulated.
    pub simulates: bool,
    /// Now.
    pub now: Micros,
}

/// Whether a command may wait for the authority's twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It is answered now.
    Not,
    /// If the authority may send one that says more than a refusal.
    ForTwin,
    /// The charger has the twin already, and has not answered it.
    ForAnswer,
}

/// What to do about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Answer it.
    Answer(Answer),
    /// Wait for the authority's twin.
    Hold,
    /// Pretend to obey; the payload would be answered otherwise.
    Simulate(String),
}

/// An answer, and what a charger would send after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The whole CALLRESULT or CALLERROR.
    pub text: String,
    /// One of [`source`].
    pub source: &'static str,
    /// CALLs to send next: action and payload.
    pub follow: Vec<(&'static str, Box<str>)>,
}

/// A payload with its source.
struct Reply {
    payload: String,
    source: &'static str,
    follow: Vec<(&'static str, Box<str>)>,
}

/// Chooses the best answer to a command. `call` is the envelope of `frame`.
pub fn choose(frame: &str, call: &Envelope<'_>, situation: Situation<'_>) -> Choice {
    // The id goes back as it was spelt, quotes or not.
    let id = &frame[call.id_at.clone()];
    if situation.acceptance == Acceptance::Rejected {
        return Choice::Answer(refused(id, &refusals::not_accepted()));
    }
    if let Some(real) = situation.real {
        return Choice::Answer(handed_on(id, real));
    }
    let known = known(call, situation);
    let best = known.map_or_else(
        || refuse(frame, call, situation.version),
        |reply| Answer {
            text: format!("[3,{id},{}]", reply.payload),
            source: reply.source,
            follow: reply.follow,
        },
    );
    let payload = payload(&best.text);
    if let Some(told) = situation.overlay.tell(situation.version, call, payload) {
        return Choice::Answer(pretended(frame, call, told));
    }
    if is_last_word(&best, payload, call) {
        return Choice::Answer(best);
    }
    if is_worth_waiting(call, situation) {
        return Choice::Hold;
    }
    if situation.simulates {
        return Choice::Simulate(payload.to_owned());
    }
    Choice::Answer(best)
}

/// Whether no other source could say better. Settings of several variables are answered one by one: a refusal of some may
/// still become better.
fn is_last_word(answer: &Answer, payload: &str, call: &Envelope<'_>) -> bool {
    match answer.source {
        source::REFUSAL | source::RPC_REFUSAL => false,
        _ => call.action != "SetVariables" || !payload.contains(r#""Rejected""#),
    }
}

/// Whether the authority's twin may come in time and would say more than a refusal.
fn is_worth_waiting(call: &Envelope<'_>, situation: Situation<'_>) -> bool {
    match call.action.as_ref() {
        // Nobody can stop what does not run.
        "RemoteStopTransaction" | "RequestStopTransaction" if !situation.ongoing => false,
        action => match situation.wait {
            Wait::Not => false,
            Wait::ForTwin => table::holds(situation.version, action),
            Wait::ForAnswer => true,
        },
    }
}

fn payload(text: &str) -> &str {
    Envelope::parse(text).map_or("{}", |answer| answer.payload)
}

fn handed_on(id: &str, real: &Real) -> Answer {
    let text = match real {
        Real::Result(payload) => format!("[3,{id},{payload}]"),
        Real::Error(error) => format!("[4,{id},{error},{{}}]"),
    };
    Answer {
        text,
        source: source::REUSE,
        follow: Vec::new(),
    }
}

/// The answer that the overlay gives.
pub fn pretended(frame: &str, call: &Envelope<'_>, told: Told) -> Answer {
    let id = &frame[call.id_at.clone()];
    Answer {
        text: format!("[3,{id},{}]", told.payload),
        source: if told.simulated {
            source::SIMULATE
        } else {
            source::MODEL
        },
        follow: told.follow,
    }
}

/// The answer that does nothing, whatever is known of the charger.
pub fn refuse(frame: &str, call: &Envelope<'_>, version: Version) -> Answer {
    let refusal = refusals::refuse(version, &call.action, call.payload);
    refused(&frame[call.id_at.clone()], &refusal)
}

fn refused(id: &str, refusal: &Refusal) -> Answer {
    let (text, source) = match refusal {
        Refusal::Result(payload) => (format!("[3,{id},{payload}]"), source::REFUSAL),
        Refusal::Error { code, description } => (
            format!(r#"[4,{id},"{code}","{description}",{{}}]"#),
            source::RPC_REFUSAL,
        ),
    };
    Answer {
        text,
        source,
        follow: Vec::new(),
    }
}

fn known(call: &Envelope<'_>, situation: Situation<'_>) -> Option<Reply> {
    let model = situation.model;
    match (situation.version, call.action.as_ref()) {
        (Version::V16, "GetConfiguration") => Some(Reply {
            payload: model.configuration(call.payload),
            source: "model",
            follow: Vec::new(),
        }),
        (Version::V16, "ChangeConfiguration") => {
            let status = model.change_configuration(call.payload)?;
            let source = if status == "Accepted" {
                "no-op"
            } else {
                "model"
            };
            Some(with_status(status, source, Vec::new()))
        }
        (Version::V16, "ChangeAvailability") => {
            let operative = operative(text(call.payload, "type")?)?;
            let connector = number(call.payload, &[Step::Key("connectorId")])?;
            let place = (None, (connector != 0).then_some(connector));
            unchanged(model, place, operative)
        }
        (Version::V201 | Version::V21, "ChangeAvailability") => {
            let operative = operative(text(call.payload, "operationalStatus")?)?;
            let evse = number(call.payload, &[Step::Key("evse"), Step::Key("id")]);
            let connector = number(call.payload, &[Step::Key("evse"), Step::Key("connectorId")]);
            unchanged(model, (evse, connector), operative)
        }
        (Version::V201 | Version::V21, "GetTransactionStatus") if situation.ongoing => {
            Some(Reply {
                payload: r#"{"ongoingIndicator":true,"messagesInQueue":false}"#.to_owned(),
                source: "model",
                follow: Vec::new(),
            })
        }
        (_, "TriggerMessage" | "ExtendedTriggerMessage") => triggered(call, situation),
        _ => None,
    }
}

fn with_status(status: &str, source: &'static str, follow: Vec<(&'static str, Box<str>)>) -> Reply {
    Reply {
        payload: format!(r#"{{"status":"{status}"}}"#),
        source,
        follow,
    }
}

fn unchanged(model: &Model, place: (Option<i64>, Option<i64>), operative: bool) -> Option<Reply> {
    model
        .is_available(place, operative)
        .then(|| with_status("Accepted", "no-op", Vec::new()))
}

fn operative(word: &str) -> Option<bool> {
    match word {
        "Operative" => Some(true),
        "Inoperative" => Some(false),
        _ => None,
    }
}

fn number(payload: &str, path: &[Step]) -> Option<i64> {
    member_text(payload, path)?.trim_matches('"').parse().ok()
}

/// What a charger would do: answer, then send what was asked for.
fn triggered(call: &Envelope<'_>, situation: Situation<'_>) -> Option<Reply> {
    let model = situation.model;
    let follow: Vec<(&'static str, Box<str>)> = match text(call.payload, "requestedMessage")? {
        // An accepted 2.x charger refuses to boot again (F06.FR.17).
        "BootNotification" if rebooting(situation) => {
            vec![("BootNotification", model.boot()?.into())]
        }
        "Heartbeat" => vec![("Heartbeat", "{}".into())],
        "StatusNotification" => model
            .statuses()
            .filter(|(place, _)| is_meant(call, situation.version, *place))
            .map(|(_, payload)| ("StatusNotification", payload.into()))
            .collect(),
        "MeterValues" => model
            .sampled(situation.now)
            .filter(|(place, _)| is_meant(call, situation.version, *place))
            .map(|(_, payload)| ("MeterValues", payload.into()))
            .collect(),
        _ => return None,
    };
    (!follow.is_empty()).then(|| with_status("Accepted", "model", follow))
}

fn rebooting(situation: Situation<'_>) -> bool {
    situation.version == Version::V16 || situation.acceptance != Acceptance::Accepted
}

/// Whether a trigger asks for this connector: for all when it names none.
fn is_meant(call: &Envelope<'_>, version: Version, place: Place) -> bool {
    let asked = |path: &[Step]| number(call.payload, path);
    if version == Version::V16 {
        return asked(&[Step::Key("connectorId")]).is_none_or(|connector| connector == place.1);
    }
    asked(&[Step::Key("evse"), Step::Key("id")]).is_none_or(|evse| evse == place.0)
        && asked(&[Step::Key("evse"), Step::Key("connectorId")])
            .is_none_or(|connector| connector == place.1)
}

/// Whether an answer's payload says `Accepted`.
pub fn acceptance(answer: &str) -> (Acceptance, Option<i64>) {
    let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
    let acceptance = match answer["status"].as_str() {
        Some("Accepted") => Acceptance::Accepted,
        Some("Pending") => Acceptance::Pending,
        _ => Acceptance::Rejected,
    };
    (acceptance, answer["interval"].as_i64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let mut model = Model::default();
        for (action, payload) in [
            ("BootNotification", r#"{"chargePointModel":"M"}"#),
            (
                "StatusNotification",
                r#"{"connectorId":0,"status":"Available"}"#,
            ),
            (
                "StatusNotification",
                r#"{"connectorId":1,"status":"Charging"}"#,
            ),
            ("MeterValues", r#"{"connectorId":1,"meterValue":[]}"#),
        ] {
            model.called(action, payload, 0);
        }
        model
    }

    fn ask(version: Version, acceptance: Acceptance, frame: &str) -> Answer {
        let call = Envelope::parse(frame).unwrap();
        let model = model();
        let situation = Situation {
            version,
            model: &model,
            ongoing: false,
            acceptance,
            real: None,
            overlay: &Overlay::default(),
            wait: Wait::Not,
            simulates: false,
            now: 1,
        };
        match choose(frame, &call, situation) {
            Choice::Answer(answer) => answer,
            choice => panic!("{choice:?}"),
        }
    }

    #[test]
    fn every_command_of_every_version_gets_an_answer_to_its_id() {
        use crate::ocpp::actions::{self, Side};
        for version in Version::ALL {
            for action in actions::all(version).filter(|a| a.sender.allows(Side::Csms)) {
                let frame = format!(r#"[2,"id 7","{}",{{}}]"#, action.name);
                let answer = ask(version, Acceptance::Accepted, &frame);
                let read = Envelope::parse(&answer.text).unwrap();
                assert!(
                    read.kind.is_answer() && read.id == "id 7",
                    "{}",
                    answer.text
                );
            }
        }
    }

    #[test]
    fn a_trigger_is_accepted_and_followed() {
        let frame = r#"[2,5,"TriggerMessage",{"requestedMessage":"StatusNotification"}]"#;
        let answer = ask(Version::V16, Acceptance::Accepted, frame);
        assert_eq!(answer.text, r#"[3,5,{"status":"Accepted"}]"#);
        assert_eq!((answer.source, answer.follow.len()), ("model", 2));
        let frame =
            r#"[2,"5","TriggerMessage",{"requestedMessage":"MeterValues","connectorId":2}]"#;
        let answer = ask(Version::V16, Acceptance::Accepted, frame);
        assert_eq!(answer.text, r#"[3,"5",{"status":"Rejected"}]"#);
    }

    #[test]
    fn an_accepted_station_does_not_boot_again() {
        let frame = r#"[2,"5","TriggerMessage",{"requestedMessage":"BootNotification"}]"#;
        let follow = |version, acceptance| ask(version, acceptance, frame).follow.len();
        assert_eq!(follow(Version::V201, Acceptance::Accepted), 0);
        assert_eq!(follow(Version::V201, Acceptance::Pending), 1);
        assert_eq!(follow(Version::V16, Acceptance::Accepted), 1);
    }

    #[test]
    fn a_backend_that_rejected_the_charger_may_command_nothing() {
        let frame = r#"[2,"5","GetConfiguration",{}]"#;
        let answer = ask(Version::V16, Acceptance::Rejected, frame);
        assert!(answer.text.starts_with(r#"[4,"5","SecurityError""#));
        assert_eq!(answer.source, "rpc-refusal");
    }

    #[test]
    fn what_already_holds_is_accepted() {
        let change = |kind: &str| {
            let frame =
                format!(r#"[2,"5","ChangeAvailability",{{"connectorId":0,"type":"{kind}"}}]"#);
            ask(Version::V16, Acceptance::Accepted, &frame)
        };
        assert_eq!(change("Operative").source, "no-op");
        assert_eq!(
            change("Inoperative").text,
            r#"[3,"5",{"status":"Rejected"}]"#
        );
    }
}
