//! Commands of both backends to one charger: which are the same, and what the charger really answered.
//!
//! Pure. When both backends command the same within a window, the identifiers that they minted mean the same, and the
//! charger's answer to the authority is the truthful answer for the shadow, before or after it asked.

use std::collections::VecDeque;

use serde_json::Value;

use crate::clock::Micros;
use crate::ocpp::identifiers::{Class, Part};
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, MessageType, Relation, Version};

use super::translate::{member_text, mints, pair};

mod shape;
pub mod table;

use shape::shape;
use table::Reuse;

/// How far apart two commands may be to count as the same, µs.
const WINDOW: Micros = 60 * 1_000_000;

/// How many commands of each backend are remembered per charger, and how many answered questions.
const DEPTH: usize = 16;

/// How long a schedule is true whose question names no duration, µs.
const SCHEDULE: Micros = WINDOW;

/// Identifier pairs: class, authority's and shadow's JSON text.
pub type Pairs = Vec<(Class, String, String)>;

/// The last commands of both backends.
#[derive(Debug, Default)]
pub struct Commands {
    authority: VecDeque<Command>,
    shadow: VecDeque<Command>,
    told: VecDeque<Told>,
    last: u64,
}

#[derive(Debug)]
struct Command {
    /// Counts the shadow's commands; 0 for the authority's.
    number: u64,
    version: Version,
    at: Micros,
    /// The connection of the authority's that it came on; 0 for the shadow's, which are told apart by their numbers.
    conn: u64,
    id: Box<str>,
    action: Box<str>,
    payload: Box<str>,
    shape: Box<str>,
    minted: Vec<(Class, String)>,
    answer: Option<Real>,
    /// The other backend's command that is the same; for the authority's the number of the shadow's.
    twin: Option<u64>,
    /// A command of the shadow's that still waits for its answer.
    waits: bool,
}

/// The charger's answer to a question of the authority's.
#[derive(Debug)]
struct Told {
    until: Micros,
    action: Box<str>,
    shape: Box<str>,
    answer: Real,
}

/// What the charger really answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Real {
    /// The payload of a CALLRESULT.
    Result(Box<str>),
    /// Code and description of a CALLERROR, as JSON text with a comma between.
    Error(Box<str>),
}

/// A command of the authority's that the charger has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The action.
    pub action: Box<str>,
    /// The request's payload.
    pub request: Box<str>,
}

/// What the authority's twin of a shadow command gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Twin {
    /// The number under which the shadow's command is remembered.
    pub number: u64,
    /// What both teach.
    pub pairs: Pairs,
    /// The charger's real answer, if there is one that may be handed on.
    pub answer: Option<Real>,
    /// The charger has the twin and has not answered it; what it says may be handed on.
    pub under_way: bool,
}

impl Real {
    /// The answer in a message of the charger's.
    pub fn read(message: &Envelope<'_>) -> Option<Self> {
        match message.kind {
            MessageType::CallResult => Some(Self::Result(message.payload.into())),
            MessageType::CallError => {
                let (code, why) = (message.code.as_ref(), message.description.as_ref());
                let text = format!("{},{}", Value::from(code), Value::from(why));
                Some(Self::Error(text.into()))
            }
            _ => None,
        }
    }

    /// The payload of a CALLRESULT.
    pub fn payload(&self) -> Option<&str> {
        match self {
            Self::Result(payload) => Some(payload),
            Self::Error(_) => None,
        }
    }

    /// Whether the charger obeyed, as far as its answer has a status.
    pub fn is_accepted(&self) -> bool {
        self.payload().is_some_and(|payload| {
            member_text(payload, &[Step::Key("status")])
                .is_none_or(|status| matches!(status, r#""Accepted""# | r#""RebootRequired""#))
        })
    }
}

impl Commands {
    /// The authority commands on connection `conn`; returns the identifiers that a twin of the shadow's teaches.
    pub fn authority_called(
        &mut self,
        version: Version,
        call: &Envelope<'_>,
        (conn, at): (u64, Micros),
    ) -> Pairs {
        let mut command = Command::read(version, call, at, None);
        command.conn = conn;
        let mut pairs = Vec::new();
        if let Some(twin) = command.twin_in(&mut self.shadow, WINDOW) {
            pairs = pair(&command.minted, &twin.minted);
            // The shadow's command came first: reports that follow are the authority's alone, unless the charger's answer
            // can still be handed on.
            pairs.retain(|(class, ..)| !class.is_job());
            twin.twin = Some(0);
            command.twin = Some(twin.number);
        }
        keep(&mut self.authority, command);
        pairs
    }

    /// The charger answered a command of the authority's on connection `conn`. On another one the same message id means
    /// another command.
    pub fn charger_answered(&mut self, conn: u64, message: &Envelope<'_>) -> Option<Answered> {
        let command = self
            .authority
            .iter_mut()
            .rev()
            .find(|command| command.is(conn, &message.id) && command.answer.is_none())?;
        let answer = Real::read(message)?;
        command.answer = Some(answer.clone());
        let done = Answered {
            action: command.action.clone(),
            request: command.payload.clone(),
        };
        self.told
            .retain(|told| !table::invalidates(&done.action, &told.action));
        if table::reuse(command.version, &done.action) == Reuse::UntilChanged {
            let told = Told {
                until: command.at.saturating_add(truth(&done)),
                action: done.action.clone(),
                shape: command.shape.clone(),
                answer,
            };
            self.told
                .retain(|old| old.shape != told.shape || old.action != told.action);
            keep(&mut self.told, told);
        }
        Some(done)
    }

    /// Whether the shadow has sent the same as this command of the authority's, given its connection and message id.
    pub fn has_twin(&self, conn: u64, id: &str) -> bool {
        self.authority
            .iter()
            .any(|command| command.is(conn, id) && command.twin.is_some())
    }

    /// The shadow commands; returns what the authority's twin gives. `reuse` is how old a twin's answer may be, µs.
    pub fn shadow_called(
        &mut self,
        version: Version,
        call: &Envelope<'_>,
        at: Micros,
        relation: &Relation,
        reuse: Micros,
    ) -> Twin {
        let mut command = Command::read(version, call, at, Some(relation));
        self.last += 1;
        command.number = self.last;
        let mut found = Twin {
            number: command.number,
            ..Twin::default()
        };
        let kind = table::reuse(version, &call.action);
        if let Some(twin) = command.twin_in(&mut self.authority, WINDOW.max(reuse)) {
            if kind != Reuse::Never && at - twin.at <= reuse {
                found.answer.clone_from(&twin.answer);
                found.under_way = twin.answer.is_none();
            }
            found.pairs = pair(&twin.minted, &command.minted);
            if !found.answer.as_ref().is_some_and(Real::is_accepted) {
                found.pairs.retain(|(class, ..)| !class.is_job());
            }
            twin.twin = Some(command.number);
            command.twin = Some(0);
        }
        if kind == Reuse::UntilChanged && found.answer.is_none() {
            found.answer = self.told(&command);
        }
        if kind != Reuse::Never || !command.minted.is_empty() {
            keep(&mut self.shadow, command);
        }
        found
    }

    /// Whether a shadow's command waits for its twin from now on: such a one is paired first.
    pub fn waits(&mut self, number: u64, waits: bool) {
        let mut all = self.shadow.iter_mut();
        if let Some(command) = all.find(|command| command.number == number) {
            command.waits = waits;
        }
    }

    /// The charger's answer to the twin of a shadow's command, once it has come, with the identifiers that both teach.
    pub fn real_answer(&self, number: u64) -> Option<(Real, Pairs)> {
        let twin = self
            .authority
            .iter()
            .find(|command| command.twin == Some(number))?;
        let answer = twin.answer.clone()?;
        let command = self
            .shadow
            .iter()
            .find(|command| command.number == number)?;
        Some((answer, pair(&twin.minted, &command.minted)))
    }

    fn told(&self, command: &Command) -> Option<Real> {
        self.told
            .iter()
            .find(|told| {
                told.action == command.action
                    && told.shape == command.shape
                    && command.at <= told.until
            })
            .map(|told| told.answer.clone())
    }
}

impl Command {
    /// `relation` is given for a shadow's command, whose identifiers are put into the authority's namespace.
    fn read(
        version: Version,
        call: &Envelope<'_>,
        at: Micros,
        relation: Option<&Relation>,
    ) -> Self {
        Self {
            number: 0,
            version,
            at,
            conn: 0,
            id: call.id.as_ref().into(),
            action: call.action.as_ref().into(),
            // Nobody asks what the shadow's said.
            payload: relation.map_or(call.payload, |_| "").into(),
            shape: shape(version, call, relation).into(),
            minted: mints(version, &call.action, Part::Request, call.payload),
            answer: None,
            twin: None,
            waits: false,
        }
    }

    fn is(&self, conn: u64, id: &str) -> bool {
        self.conn == conn && *self.id == *id
    }

    fn twin_in<'a>(&self, others: &'a mut VecDeque<Self>, window: Micros) -> Option<&'a mut Self> {
        let is_twin = |other: &Self| {
            other.twin.is_none()
                && other.action == self.action
                && (self.at - other.at).abs() <= window
                && other.shape == self.shape
        };
        // Only one that waits can still be told; of others the last is meant.
        let waiting = others
            .iter()
            .position(|other| other.waits && is_twin(other));
        let at = waiting.or_else(|| others.iter().rposition(is_twin))?;
        others.get_mut(at)
    }
}

fn keep<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() >= DEPTH {
        all.pop_front();
    }
    all.push_back(one);
}

/// How long the answer to a question is true, µs, if no command changes it.
fn truth(question: &Answered) -> Micros {
    if question.action.as_ref() != "GetCompositeSchedule" {
        return Micros::MAX;
    }
    member_text(&question.request, &[Step::Key("duration")])
        .and_then(|seconds| seconds.parse::<Micros>().ok())
        .map_or(SCHEDULE, |seconds| seconds.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"[2,"l1","RequestStartTransaction",{"remoteStartId":17,"evseId":1,
        "idToken":{"idToken":"A","type":"ISO14443"}}]"#;
    const START_TWIN: &str = r#"[2,"c1","RequestStartTransaction",{"idToken":{"type":"ISO14443",
        "idToken":"A"},"evseId":1.0,"remoteStartId":4}]"#;

    fn call(text: &str) -> Envelope<'_> {
        Envelope::parse(text).unwrap()
    }

    fn real(payload: &str) -> Real {
        Real::Result(payload.into())
    }

    fn answered(commands: &mut Commands, id: &str, payload: &str) -> Option<Answered> {
        let text = format!(r#"[3,"{id}",{payload}]"#);
        commands.charger_answered(1, &call(&text))
    }

    fn learned() -> Vec<(Class, String, String)> {
        vec![(Class::RemoteStartId, "17".into(), "4".into())]
    }

    #[test]
    fn the_same_command_from_both_teaches_its_ids_in_either_order() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        commands.authority_called(Version::V201, &call(START), (1, 0));
        let twin = commands.shadow_called(Version::V201, &call(START_TWIN), 5, &relation, WINDOW);
        assert_eq!((twin.pairs, twin.answer), (learned(), None));
        assert!(twin.under_way);

        let mut commands = Commands::default();
        commands.shadow_called(Version::V201, &call(START_TWIN), 0, &relation, WINDOW);
        let pairs = commands.authority_called(Version::V201, &call(START), (1, 5));
        assert_eq!(pairs, learned());
    }

    #[test]
    fn a_message_id_means_something_on_its_own_connection_only() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        commands.authority_called(Version::V201, &call(START), (1, 0));
        let reset = START.replace("RequestStartTransaction", "Reset");
        commands.authority_called(Version::V201, &call(&reset), (2, 1));
        let accepted = call(r#"[3,"l1",{"status":"Accepted"}]"#);
        let first = commands.charger_answered(1, &accepted).unwrap();
        assert_eq!(first.action.as_ref(), "RequestStartTransaction");
        assert_eq!(commands.charger_answered(1, &accepted), None, "only once");
        assert_eq!(commands.charger_answered(3, &accepted), None);
        let second = commands.charger_answered(2, &accepted).unwrap();
        assert_eq!(second.action.as_ref(), "Reset");
        commands.shadow_called(Version::V201, &call(START_TWIN), 5, &relation, WINDOW);
        assert!(commands.has_twin(1, "l1") && !commands.has_twin(2, "l1"));
    }

    #[test]
    fn the_real_answer_is_handed_on_once() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        commands.authority_called(Version::V201, &call(START), (1, 0));
        let answered = answered(&mut commands, "l1", r#"{"status":"Accepted"}"#);
        assert_eq!(answered.unwrap().action.as_ref(), "RequestStartTransaction");
        let twin = commands.shadow_called(Version::V201, &call(START_TWIN), 5, &relation, WINDOW);
        assert_eq!(twin.answer, Some(real(r#"{"status":"Accepted"}"#)));
        let again = commands.shadow_called(Version::V201, &call(START_TWIN), 6, &relation, WINDOW);
        assert_eq!((again.answer, again.under_way), (None, false));
    }

    #[test]
    fn another_driver_or_another_time_is_another_command() {
        let relation = Relation::new();
        let other = START_TWIN.replace("\"A\"", "\"B\"");
        for (text, at) in [(other.as_str(), 5), (START_TWIN, WINDOW + 1)] {
            let mut commands = Commands::default();
            commands.authority_called(Version::V201, &call(START), (1, 0));
            let twin = commands.shadow_called(Version::V201, &call(text), at, &relation, WINDOW);
            assert_eq!((twin.pairs, twin.answer), (Vec::new(), None));
        }
    }

    #[test]
    fn a_stop_is_the_same_only_for_the_same_session() {
        let mut relation = Relation::new();
        relation.learn(Class::TransactionId, "100", "7");
        let stop =
            |id: &str| format!(r#"[2,"x","RemoteStopTransaction",{{"transactionId":{id}}}]"#);
        for (shadow, same) in [("7", true), ("100", false), ("8", false)] {
            let mut commands = Commands::default();
            let authority = stop("100");
            commands.authority_called(Version::V16, &call(&authority), (1, 0));
            answered(&mut commands, "x", "{}");
            let text = stop(shadow);
            let twin = commands.shadow_called(Version::V16, &call(&text), 1, &relation, WINDOW);
            assert_eq!(twin.answer.is_some(), same, "{shadow}");
        }
    }

    #[test]
    fn reports_that_only_the_authority_asked_for_teach_nothing() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        let ask = |id| format!(r#"[2,"x","GetReport",{{"requestId":{id}}}]"#);
        let (authority, shadow) = (ask(1), ask(2));
        commands.authority_called(Version::V201, &call(&authority), (1, 0));
        answered(&mut commands, "x", r#"{"status":"Accepted"}"#);
        let twin = commands.shadow_called(Version::V201, &call(&shadow), 1, &relation, WINDOW);
        assert_eq!((twin.pairs, twin.answer), (Vec::new(), None));
    }

    #[test]
    fn an_answer_that_comes_later_is_found_by_number() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        let asked = commands.shadow_called(Version::V201, &call(START_TWIN), 0, &relation, WINDOW);
        assert!(!asked.under_way);
        assert_eq!(commands.real_answer(asked.number), None);
        commands.authority_called(Version::V201, &call(START), (1, 2));
        assert_eq!(commands.real_answer(asked.number), None);
        commands.charger_answered(1, &call(r#"[4,"l1","InternalError","no \"luck\"",{}]"#));
        let error = Real::Error(r#""InternalError","no \"luck\"""#.into());
        assert_eq!(commands.real_answer(asked.number), Some((error, learned())));
    }

    #[test]
    fn a_question_stays_answered_until_something_changes_the_answer() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        let ask = |id: &str, duration: u32| {
            format!(
                r#"[2,"{id}","GetCompositeSchedule",{{"connectorId":1,"duration":{duration}}}]"#
            )
        };
        let schedule = r#"{"status":"Accepted","connectorId":1}"#;
        commands.authority_called(Version::V16, &call(&ask("q", 600)), (1, 0));
        answered(&mut commands, "q", schedule);
        let asked = |commands: &mut Commands, duration, at| {
            let text = ask("s", duration);
            let twin = commands.shadow_called(Version::V16, &call(&text), at, &relation, WINDOW);
            twin.answer
        };
        for at in [1, 2, 500_000_000] {
            assert_eq!(asked(&mut commands, 600, at), Some(real(schedule)), "{at}");
        }
        assert_eq!(asked(&mut commands, 60, 3), None, "another question");
        assert_eq!(asked(&mut commands, 600, 600_000_001), None, "too old");
        let set = r#"[2,"p","SetChargingProfile",{"connectorId":1,"csChargingProfiles":{}}]"#;
        commands.authority_called(Version::V16, &call(set), (1, 4));
        answered(&mut commands, "p", r#"{"status":"Accepted"}"#);
        assert_eq!(asked(&mut commands, 600, 5), None, "another profile since");
    }

    #[test]
    fn an_answer_is_handed_on_only_within_the_reuse_time() {
        let relation = Relation::new();
        for (reuse, expected) in [(10, true), (4, false)] {
            let mut commands = Commands::default();
            commands.authority_called(
                Version::V16,
                &call(r#"[2,"r","Reset",{"type":"Soft"}]"#),
                (1, 0),
            );
            answered(&mut commands, "r", r#"{"status":"Accepted"}"#);
            let reset = call(r#"[2,"c","Reset",{"type":"Soft"}]"#);
            let twin = commands.shadow_called(Version::V16, &reset, 5, &relation, reuse);
            assert_eq!(twin.answer.is_some(), expected);
        }
    }

    #[test]
    fn numbers_files_and_certificates_of_the_authority_are_never_handed_on() {
        let relation = Relation::new();
        for (version, action) in [
            (Version::V16, "GetLocalListVersion"),
            (Version::V16, "GetDiagnostics"),
            (Version::V16, "GetLog"),
            (Version::V16, "CertificateSigned"),
            (Version::V201, "SetNetworkProfile"),
            (Version::V201, "GetBaseReport"),
            (Version::V201, "UpdateFirmware"),
        ] {
            let mut commands = Commands::default();
            let text = format!(r#"[2,"x","{action}",{{}}]"#);
            commands.authority_called(version, &call(&text), (1, 0));
            answered(&mut commands, "x", r#"{"status":"Accepted"}"#);
            let twin = commands.shadow_called(version, &call(&text), 1, &relation, WINDOW);
            assert_eq!((twin.answer, twin.under_way), (None, false), "{action}");
        }
    }

    #[test]
    fn the_same_image_may_lie_in_two_places() {
        let update = |id: &str, place: &str| {
            format!(
                r#"[2,"{id}","UpdateFirmware",{{"location":"{place}","retrieveDate":"2026-01-01T00:00:00Z"}}]"#
            )
        };
        for (place, same) in [
            ("ftp://b/x/fw-2.bin?t=1", true),
            ("ftp://b/fw-3.bin", false),
        ] {
            let mut commands = Commands::default();
            let (theirs, ours) = (update("l", "https://a/fw-2.bin"), update("c", place));
            commands.authority_called(Version::V16, &call(&theirs), (1, 0));
            let twin =
                commands.shadow_called(Version::V16, &call(&ours), 1, &Relation::new(), WINDOW);
            assert_eq!(twin.under_way, same, "{place}");
        }
    }
}
