//! The charger's place at the shadow backend: every command is answered, soon and truthfully, and nothing is done.
//!
//! By construction nothing here can reach a charger: there is no handle to one anywhere in the shadow plane. The best
//! source wins: the charger's real answer to the same command of its authority (*reuse*), what has been learned of it
//! (*model*), an acceptance of what already holds (*no-op*), a refusal, and where the operator opted in, a pretence
//! (*simulate*). A command that would be refused may wait a moment for the authority's twin.

use serde_json::Value;

use crate::clock::Micros;
use crate::ocpp::refusals::{self, Refusal};
use crate::ocpp::{Envelope, Version};

use super::commands::{Real, table};
use super::model::{Evidence, Model};
use super::overlay::{Overlay, Told};

mod known;
mod reply;
mod reports;
mod triggers;
mod v16;
mod v2;
mod variables;

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
    /// What it rests on, if it rests on something known of the charger.
    pub evidence: Option<Evidence>,
    /// What would have to be known for a better one.
    pub missing: Option<&'static str>,
    /// CALLs to send next: action and payload.
    pub follow: Vec<Follow>,
    /// What follows is in the shadow's own identifiers already.
    pub is_own: bool,
}

/// A CALL that follows an answer: action and payload.
pub type Follow = (&'static str, Box<str>);

impl Answer {
    fn new(text: String, source: &'static str) -> Self {
        Self {
            text,
            source,
            evidence: None,
            missing: None,
            follow: Vec::new(),
            is_own: false,
        }
    }
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
    let best = match known::known(call, situation) {
        Some(reply) => reply.to(id),
        None => Answer {
            missing: known::missing(call, situation),
            ..refuse(frame, call, situation.version)
        },
    };
    let payload = payload(&best.text);
    if let Some(told) = situation.overlay.tell(situation.version, call, payload) {
        return Choice::Answer(pretended(frame, call, told));
    }
    if is_last_word(&best, payload, call) {
        return Choice::Answer(best);
    }
    if is_worth_waiting(call, situation) || may_be_told(&best, call, situation) {
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

/// Whether what a report lacks may come in time: the authority asks a charger that it has just met for the same.
fn may_be_told(answer: &Answer, call: &Envelope<'_>, situation: Situation<'_>) -> bool {
    situation.wait != Wait::Not
        && answer.missing.is_some()
        && matches!(call.action.as_ref(), "GetBaseReport" | "GetReport")
}

fn payload(text: &str) -> &str {
    Envelope::parse(text).map_or("{}", |answer| answer.payload)
}

fn handed_on(id: &str, real: &Real) -> Answer {
    let text = match real {
        Real::Result(payload) => format!("[3,{id},{payload}]"),
        Real::Error(error) => format!("[4,{id},{error},{{}}]"),
    };
    Answer::new(text, source::REUSE)
}

/// The answer that the overlay gives.
pub fn pretended(frame: &str, call: &Envelope<'_>, told: Told) -> Answer {
    let id = &frame[call.id_at.clone()];
    let source = if told.simulated {
        source::SIMULATE
    } else {
        source::MODEL
    };
    Answer {
        follow: told.follow,
        is_own: told.simulated,
        ..Answer::new(format!("[3,{id},{}]", told.payload), source)
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
    Answer::new(text, source)
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
    use crate::facts::Dir;
    use crate::shadow::model::Heard;

    fn model() -> Model {
        let mut model = Model::default();
        for (seq, call) in (1..).zip([
            r#"[2,"1","BootNotification",{"chargePointModel":"M"}]"#,
            r#"[2,"2","StatusNotification",{"connectorId":0,"status":"Available"}]"#,
            r#"[2,"3","StatusNotification",{"connectorId":1,"status":"Charging"}]"#,
            r#"[2,"4","MeterValues",{"connectorId":1,"meterValue":[]}]"#,
        ]) {
            let call = Envelope::parse(call).unwrap();
            let heard = Heard {
                conn: 1,
                seq,
                at: 0,
            };
            model.hear(Version::V16, Dir::FromCharger, heard, &call);
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
