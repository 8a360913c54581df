//! Which of a charger's messages a command of its authority caused.
//!
//! Pure. The shadow backend did not ask for those: what names the command's identifiers is translated if it asked for the
//! same and stays here otherwise; what says how things stand goes to both. Either way the fact names the command.

use std::collections::VecDeque;

use crate::clock::Micros;
use crate::ocpp::identifiers::{self, Class, Part, Role};
use crate::ocpp::json::{self, Step};
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Envelope, Version};

use super::model::text;
use super::translate::{member_text, mints};

/// Why a message is withheld that only the authority asked for.
pub const SOLICITED: &str = "solicited";

/// Why a message is withheld that would make the shadow backend act on the world: have a certificate signed by a real
/// authority, or a contract certificate taken from a pool.
pub const SIDE_EFFECT: &str = "side effect";

/// How many commands are remembered per charger.
const DEPTH: usize = 32;

/// How long after a trigger its message may come, µs.
const TRIGGERED: Micros = 60 * 1_000_000;

/// How long after a remote start its driver may plug in, µs: as long as any charger waits.
const STARTED: Micros = 10 * 60 * 1_000_000;

/// How long a job may report back, µs: uploads and downloads may be slow or put off.
const REPORTING: Micros = 7 * 24 * 3600 * 1_000_000;

/// The last commands of the authority's that make a charger send something.
#[derive(Debug, Default)]
pub struct Solicited {
    causes: VecDeque<Cause>,
}

#[derive(Debug)]
struct Cause {
    /// The command's Message fact.
    seq: u64,
    at: Micros,
    /// The connection that it came on, and its message id there.
    conn: u64,
    id: Box<str>,
    effect: Effect,
    /// It has had its effect.
    spent: bool,
}

/// How its effect is recognised.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// A message that names this identifier.
    Names(Class, Box<str>),
    /// The next message of this action, or those of all connectors.
    Triggers(Box<str>),
    /// Messages of this action, which name no command (1.6).
    Reports(&'static str),
    /// A session of this token (1.6; in 2.x it names the remote start).
    Starts(Box<str>),
}

impl Solicited {
    /// The authority commands on connection `conn`; the Message fact of it is `seq`.
    pub fn commanded(
        &mut self,
        version: Version,
        call: &Envelope<'_>,
        (conn, seq, at): (u64, u64, Micros),
    ) {
        let mut effects: Vec<Effect> = identifiers::sites(version, &call.action, Part::Request)
            .filter(|site| site.role == Role::Named && site.class == Class::ReservationId)
            .filter_map(|site| json::first(call.payload, site.path))
            .map(|literal| names(Class::ReservationId, literal))
            .collect();
        effects.extend(
            mints(version, &call.action, Part::Request, call.payload)
                .into_iter()
                .filter(|(class, _)| class.comes_back_alone())
                .map(|(class, literal)| names(class, &literal)),
        );
        effects.extend(match (version, call.action.as_ref()) {
            (_, "TriggerMessage" | "ExtendedTriggerMessage") => {
                text(call.payload, "requestedMessage").map(|what| Effect::Triggers(action(what)))
            }
            (Version::V16, "GetDiagnostics") => {
                Some(Effect::Reports("DiagnosticsStatusNotification"))
            }
            (Version::V16, "UpdateFirmware") => Some(Effect::Reports("FirmwareStatusNotification")),
            (Version::V16, "RemoteStartTransaction") => {
                text(call.payload, "idTag").map(|tag| Effect::Starts(tag.into()))
            }
            _ => None,
        });
        for effect in effects {
            if self.causes.len() >= DEPTH {
                self.causes.pop_front();
            }
            self.causes.push_back(Cause {
                seq,
                at,
                conn,
                id: call.id.as_ref().into(),
                effect,
                spent: false,
            });
        }
    }

    /// The charger refused a command on connection `conn`: nothing follows from it.
    pub fn refused(&mut self, conn: u64, id: &str) {
        self.causes
            .retain(|cause| cause.conn != conn || cause.id.as_ref() != id);
    }

    /// The connection and the message id of a command, given its Message fact.
    pub fn id(&self, seq: u64) -> Option<(u64, &str)> {
        let cause = self.causes.iter().find(|cause| cause.seq == seq)?;
        Some((cause.conn, &cause.id))
    }

    /// The command that caused a charger's CALL: its Message fact.
    pub fn cause(&mut self, version: Version, call: &Envelope<'_>, at: Micros) -> Option<u64> {
        let named: Vec<(Class, Identifier)> =
            identifiers::sites(version, &call.action, Part::Request)
                .filter(|site| site.role == Role::Echo)
                .filter_map(|site| {
                    json::first(call.payload, site.path)
                        .map(|literal| (site.class, Identifier::read(literal)))
                })
                .collect();
        let cause = self
            .causes
            .iter_mut()
            .rev()
            .find(|cause| !cause.spent && cause.explains(call, &named, at))?;
        cause.spent = cause.effect.is_single();
        Some(cause.seq)
    }
}

impl Cause {
    fn explains(&self, call: &Envelope<'_>, named: &[(Class, Identifier)], at: Micros) -> bool {
        let within = |limit| at - self.at <= limit;
        match &self.effect {
            Effect::Names(class, value) => named
                .iter()
                .any(|(other, named)| other == class && named.text() == value.as_ref()),
            Effect::Triggers(action) => action.as_ref() == call.action && within(TRIGGERED),
            Effect::Reports(action) => *action == call.action && within(REPORTING),
            Effect::Starts(tag) => {
                matches!(call.action.as_ref(), "Authorize" | "StartTransaction")
                    && text(call.payload, "idTag")
                        .is_some_and(|named| named.eq_ignore_ascii_case(tag))
                    && within(STARTED)
            }
        }
    }
}

impl Effect {
    /// One message and no more; connectors answer a trigger one by one.
    fn is_single(&self) -> bool {
        matches!(self, Self::Triggers(action)
            if !matches!(action.as_ref(), "StatusNotification" | "MeterValues" | "TransactionEvent"))
    }
}

fn names(class: Class, literal: &str) -> Effect {
    Effect::Names(class, Identifier::read(literal).text().into())
}

/// The action of the message that a trigger asks for.
fn action(requested: &str) -> Box<str> {
    if requested.starts_with("Sign") && requested.ends_with("Certificate") {
        "SignCertificate".into()
    } else {
        requested.into()
    }
}

/// Whether a message makes a backend act on the world. In 1.6 plug and charge travels inside `DataTransfer`.
pub fn has_side_effect(call: &Envelope<'_>) -> bool {
    let acts = |action: &str| matches!(action, "SignCertificate" | "Get15118EVCertificate");
    acts(&call.action)
        || (call.action == "DataTransfer"
            && text(call.payload, "vendorId")
                .is_some_and(|vendor| vendor.starts_with("org.openchargealliance.iso15118"))
            && text(call.payload, "messageId").is_some_and(acts))
}

/// Whether a message that names an identifier without twin belongs to a command, not to a session.
pub fn is_report(call: &Envelope<'_>) -> bool {
    !matches!(
        call.action.as_ref(),
        "StartTransaction" | "StopTransaction" | "MeterValues" | "TransactionEvent"
    )
}

/// Whether an answer says that the charger will not do it.
pub fn is_refusal(answer: Option<&str>) -> bool {
    let status = answer.map(|payload| member_text(payload, &[Step::Key("status")]));
    match status {
        None => true,
        Some(None) => false,
        Some(Some(status)) => !matches!(
            status,
            "\"Accepted\"" | "\"AcceptedCanceled\"" | "\"Scheduled\"" | "\"Processing\""
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(solicited: &mut Solicited, version: Version, text: &str) -> Option<u64> {
        let call = Envelope::parse(text).unwrap();
        solicited.cause(version, &call, 5)
    }

    fn commanded(version: Version, text: &str) -> Solicited {
        let mut solicited = Solicited::default();
        let call = Envelope::parse(text).unwrap();
        solicited.commanded(version, &call, (1, 7, 0));
        solicited
    }

    #[test]
    fn what_names_a_command_was_caused_by_it() {
        let ask = r#"[2,"c","GetBaseReport",{"requestId":4,"reportBase":"FullInventory"}]"#;
        let report = |id: u32| format!(r#"[2,"n","NotifyReport",{{"requestId":{id},"seqNo":0}}]"#);
        let mut solicited = commanded(Version::V201, ask);
        assert_eq!(cause(&mut solicited, Version::V201, &report(4)), Some(7));
        assert_eq!(
            cause(&mut solicited, Version::V201, &report(4)),
            Some(7),
            "all parts"
        );
        assert_eq!(cause(&mut solicited, Version::V201, &report(5)), None);
        solicited.refused(2, "c");
        assert_eq!(
            cause(&mut solicited, Version::V201, &report(4)),
            Some(7),
            "another connection's"
        );
        solicited.refused(1, "c");
        assert_eq!(cause(&mut solicited, Version::V201, &report(4)), None);
    }

    #[test]
    fn a_trigger_causes_one_message_or_one_of_each_connector() {
        let trigger =
            |what: &str| format!(r#"[2,"c","TriggerMessage",{{"requestedMessage":"{what}"}}]"#);
        for (what, action, again) in [
            ("BootNotification", "BootNotification", None),
            ("StatusNotification", "StatusNotification", Some(7)),
            ("SignV2GCertificate", "SignCertificate", None),
        ] {
            let mut solicited = commanded(Version::V201, &trigger(what));
            let text = format!(r#"[2,"n","{action}",{{}}]"#);
            assert_eq!(
                cause(&mut solicited, Version::V201, &text),
                Some(7),
                "{what}"
            );
            assert_eq!(cause(&mut solicited, Version::V201, &text), again, "{what}");
        }
    }

    #[test]
    fn jobs_and_starts_of_1_6_are_known_by_what_they_do() {
        let mut solicited = commanded(
            Version::V16,
            r#"[2,"c","RemoteStartTransaction",{"idTag":"app-1"}]"#,
        );
        let start = r#"[2,"n","StartTransaction",{"connectorId":1,"idTag":"APP-1"}]"#;
        assert_eq!(cause(&mut solicited, Version::V16, start), Some(7));
        let mut solicited = commanded(Version::V16, r#"[2,"c","GetDiagnostics",{}]"#);
        let status = r#"[2,"n","DiagnosticsStatusNotification",{"status":"Uploading"}]"#;
        assert_eq!(cause(&mut solicited, Version::V16, status), Some(7));
        assert_eq!(
            cause(&mut solicited, Version::V16, r#"[2,"n","Heartbeat",{}]"#),
            None
        );
    }

    #[test]
    fn certificates_are_side_effects_wherever_they_travel() {
        let has = |text: &str| has_side_effect(&Envelope::parse(text).unwrap());
        assert!(has(r#"[2,"1","SignCertificate",{"csr":"x"}]"#));
        assert!(has(
            r#"[2,"1","DataTransfer",{"vendorId":"org.openchargealliance.iso15118pnc","messageId":"SignCertificate"}]"#
        ));
        assert!(!has(
            r#"[2,"1","DataTransfer",{"vendorId":"v","messageId":"SignCertificate"}]"#
        ));
        assert!(!has(r#"[2,"1","Authorize",{}]"#));
    }

    #[test]
    fn refusals_are_told_from_acceptances() {
        assert!(is_refusal(None));
        assert!(is_refusal(Some(r#"{"status":"Rejected"}"#)));
        assert!(!is_refusal(Some(r#"{"status":"Accepted"}"#)));
        assert!(!is_refusal(Some("{}")));
    }
}
