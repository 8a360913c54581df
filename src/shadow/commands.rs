//! Commands of both backends to one charger: which are the same, and what the charger really answered.
//!
//! Pure. When both backends command the same within a window, the identifiers that they minted mean the same, and the
//! charger's answer to the authority is the truthful answer for the shadow.

use std::collections::VecDeque;

use serde_json::{Map, Number, Value};

use crate::clock::Micros;
use crate::ocpp::identifiers::{self, Class, Part, Role};
use crate::ocpp::json::Step;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Envelope, Relation, Version};

use super::translate::{mints, pair};

/// How far apart two commands may be to count as the same, µs.
const WINDOW: Micros = 60 * 1_000_000;

/// How many commands of each backend are remembered per charger.
const DEPTH: usize = 16;

/// Members that differ between backends without changing what is commanded: each has its own upload and download place.
const PLACES: [&str; 2] = ["location", "remoteLocation"];

/// Commands whose real answer may be handed on. Not here: what names a file, a version or a certificate of the
/// authority's, what starts a series of reports that only the authority asked for, and what would move the charger.
const REUSABLE: [&str; 33] = [
    "CancelReservation",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "ClearDisplayMessage",
    "ClearVariableMonitoring",
    "CostUpdated",
    "DataTransfer",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetCompositeSchedule",
    "GetInstalledCertificateIds",
    "GetTransactionStatus",
    "InstallCertificate",
    "NotifyAllowedEnergyTransfer",
    "NotifyWebPaymentStarted",
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
    "SetVariables",
    "SignedUpdateFirmware",
    "TriggerMessage",
    "UnlockConnector",
    "UsePriorityCharging",
];

/// The last commands of both backends.
#[derive(Debug, Default)]
pub struct Commands {
    authority: VecDeque<Command>,
    shadow: VecDeque<Command>,
}

#[derive(Debug)]
struct Command {
    at: Micros,
    id: Box<str>,
    action: Box<str>,
    payload: Box<str>,
    shape: Box<str>,
    minted: Vec<(Class, String)>,
    answer: Option<Box<str>>,
    paired: bool,
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
    /// Identifier pairs: class, authority's and shadow's JSON text.
    pub pairs: Vec<(Class, String, String)>,
    /// The payload of the charger's real answer, if there is one that may be handed on.
    pub answer: Option<Box<str>>,
}

impl Commands {
    /// The authority commands; returns the identifiers that a twin of the shadow's teaches.
    pub fn authority_called(
        &mut self,
        version: Version,
        call: &Envelope<'_>,
        at: Micros,
    ) -> Vec<(Class, String, String)> {
        let mut command = Command::read(version, call, at, None);
        let mut pairs = Vec::new();
        if let Some(twin) = command.twin_in(&mut self.shadow) {
            pairs = pair(&command.minted, &twin.minted);
            // The shadow's command came first and was refused: reports that follow are the authority's alone.
            pairs.retain(|(class, ..)| !class.is_job());
            twin.paired = true;
            command.paired = true;
        }
        keep(&mut self.authority, command);
        pairs
    }

    /// The charger answered a command of the authority's; `answer` is the payload of a CALLRESULT.
    pub fn charger_answered(&mut self, id: &str, answer: Option<&str>) -> Option<Answered> {
        let command = self
            .authority
            .iter_mut()
            .rev()
            .find(|command| command.id.as_ref() == id && command.answer.is_none())?;
        command.answer = answer.map(Into::into);
        Some(Answered {
            action: command.action.clone(),
            request: command.payload.clone(),
        })
    }

    /// Whether the shadow has sent the same as this command of the authority's, given its message id.
    pub fn has_twin(&self, id: &str) -> bool {
        self.authority
            .iter()
            .any(|command| command.id.as_ref() == id && command.paired)
    }

    /// The shadow commands; returns what the authority's twin gives.
    pub fn shadow_called(
        &mut self,
        version: Version,
        call: &Envelope<'_>,
        at: Micros,
        relation: &Relation,
    ) -> Twin {
        let mut command = Command::read(version, call, at, Some(relation));
        let mut found = Twin::default();
        if let Some(twin) = command.twin_in(&mut self.authority) {
            if REUSABLE.contains(&call.action.as_ref()) {
                found.answer.clone_from(&twin.answer);
            }
            found.pairs = pair(&twin.minted, &command.minted);
            if found.answer.is_none() {
                found.pairs.retain(|(class, ..)| !class.is_job());
            }
            twin.paired = true;
            command.paired = true;
        }
        keep(&mut self.shadow, command);
        found
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
            at,
            id: call.id.as_ref().into(),
            action: call.action.as_ref().into(),
            payload: call.payload.into(),
            shape: shape(version, call, relation).into(),
            minted: mints(version, &call.action, Part::Request, call.payload),
            answer: None,
            paired: false,
        }
    }

    fn twin_in<'a>(&self, others: &'a mut VecDeque<Self>) -> Option<&'a mut Self> {
        others.iter_mut().rev().find(|other| {
            !other.paired
                && other.action == self.action
                && (self.at - other.at).abs() <= WINDOW
                && other.shape == self.shape
        })
    }
}

fn keep(commands: &mut VecDeque<Command>, command: Command) {
    if commands.len() >= DEPTH {
        commands.pop_front();
    }
    commands.push_back(command);
}

/// The payload with everything taken out that may differ between two equal commands, in canonical text.
fn shape(version: Version, call: &Envelope<'_>, relation: Option<&Relation>) -> String {
    let Ok(mut payload) = serde_json::from_str::<Value>(call.payload) else {
        return call.payload.to_owned();
    };
    for site in identifiers::sites(version, &call.action, Part::Request) {
        match (site.role, relation) {
            (Role::Mint, _) => visit(&mut payload, site.path, &mut |value| *value = Value::Null),
            (Role::Named, Some(relation)) => visit(&mut payload, site.path, &mut |value| {
                let literal = value.to_string();
                *value = relation
                    .to_authority(site.class, &literal)
                    // No twin: equal to nothing that the authority names.
                    .map_or_else(|| Value::from(format!("shadow {literal}")), Value::from);
            }),
            (Role::Named, None) => visit(&mut payload, site.path, &mut |value| {
                *value = Value::from(Identifier::read(&value.to_string()).text());
            }),
            (Role::Echo, _) => {}
        }
    }
    if let Value::Object(members) = &mut payload {
        for place in PLACES {
            members.remove(place);
        }
    }
    canonical(&mut payload);
    payload.to_string()
}

fn visit(value: &mut Value, path: &[Step], change: &mut impl FnMut(&mut Value)) {
    match (path.split_first(), value) {
        (None, value) => change(value),
        (Some((Step::Key(key), rest)), Value::Object(members)) => {
            if let Some(member) = members.get_mut(*key) {
                visit(member, rest, change);
            }
        }
        (Some((Step::Each, rest)), Value::Array(elements)) => {
            for element in elements {
                visit(element, rest, change);
            }
        }
        _ => {}
    }
}

/// Equal numbers get equal spelling, and absent is the same as `null`.
fn canonical(value: &mut Value) {
    match value {
        Value::Object(members) => {
            *members = std::mem::take(members)
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .collect::<Map<_, _>>();
            members.values_mut().for_each(canonical);
        }
        Value::Array(elements) => elements.iter_mut().for_each(canonical),
        Value::Number(number) => {
            let normal = number
                .to_string()
                .parse::<rust_decimal::Decimal>()
                .ok()
                .and_then(|decimal| decimal.normalize().to_string().parse::<Number>().ok());
            if let Some(normal) = normal {
                *number = normal;
            }
        }
        _ => {}
    }
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

    fn learned() -> Vec<(Class, String, String)> {
        vec![(Class::RemoteStartId, "17".into(), "4".into())]
    }

    #[test]
    fn the_same_command_from_both_teaches_its_ids_in_either_order() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        commands.authority_called(Version::V201, &call(START), 0);
        let twin = commands.shadow_called(Version::V201, &call(START_TWIN), 5, &relation);
        assert_eq!((twin.pairs, twin.answer), (learned(), None));

        let mut commands = Commands::default();
        commands.shadow_called(Version::V201, &call(START_TWIN), 0, &relation);
        let pairs = commands.authority_called(Version::V201, &call(START), 5);
        assert_eq!(pairs, learned());
    }

    #[test]
    fn the_real_answer_is_handed_on_once() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        commands.authority_called(Version::V201, &call(START), 0);
        let answered = commands.charger_answered("l1", Some(r#"{"status":"Accepted"}"#));
        assert_eq!(answered.unwrap().action.as_ref(), "RequestStartTransaction");
        let twin = commands.shadow_called(Version::V201, &call(START_TWIN), 5, &relation);
        assert_eq!(twin.answer.as_deref(), Some(r#"{"status":"Accepted"}"#));
        let again = commands.shadow_called(Version::V201, &call(START_TWIN), 6, &relation);
        assert_eq!(again, Twin::default());
    }

    #[test]
    fn another_driver_or_another_time_is_another_command() {
        let relation = Relation::new();
        let other = START_TWIN.replace("\"A\"", "\"B\"");
        for (text, at) in [(other.as_str(), 5), (START_TWIN, WINDOW + 1)] {
            let mut commands = Commands::default();
            commands.authority_called(Version::V201, &call(START), 0);
            let twin = commands.shadow_called(Version::V201, &call(text), at, &relation);
            assert_eq!(twin, Twin::default());
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
            commands.authority_called(Version::V16, &call(&authority), 0);
            commands.charger_answered("x", Some("{}"));
            let text = stop(shadow);
            let twin = commands.shadow_called(Version::V16, &call(&text), 1, &relation);
            assert_eq!(twin.answer.is_some(), same, "{shadow}");
        }
    }

    #[test]
    fn reports_that_only_the_authority_asked_for_teach_nothing() {
        let relation = Relation::new();
        let mut commands = Commands::default();
        let ask = |id| format!(r#"[2,"x","GetReport",{{"requestId":{id}}}]"#);
        let (authority, shadow) = (ask(1), ask(2));
        commands.authority_called(Version::V201, &call(&authority), 0);
        commands.charger_answered("x", Some(r#"{"status":"Accepted"}"#));
        let twin = commands.shadow_called(Version::V201, &call(&shadow), 1, &relation);
        assert_eq!(twin, Twin::default());
    }
}
