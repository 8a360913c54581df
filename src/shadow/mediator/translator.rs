//! The names of transactions and of all else that backends name, as the charger and its new authority know them. Pure.

use std::collections::VecDeque;

use crate::facts::authority::Carried;
use crate::ocpp::identifiers::{Class, Part, Role, Site, sites};
use crate::ocpp::json::{Step, locate};
use crate::ocpp::relation::Identifier;
use crate::ocpp::rewrite::{Change, places, rewrite};
use crate::ocpp::{Envelope, MessageType, Version};
use crate::shadow::translate::transaction_event;
use crate::shadow::translate::{Rewrite, UNMAPPED, UNREADABLE, member_text, pointer};

/// How many CALLs of each side wait for their answers at most; OCPP-J allows one.
const WAITING: usize = 16;

/// Where made-up names begin: far above what backends that count have reached, and an int32 for chargers that keep no more.
const ALIASES: i64 = 2_000_000_000;

/// What becomes of a message.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The text to send instead; `None` if it goes as it came.
    pub(super) text: Option<String>,
    /// Why it does not go at all.
    pub(super) withheld: Option<&'static str>,
    /// What was rewritten.
    pub(super) rewrites: Vec<Rewrite>,
    /// The message's id.
    pub(super) id: String,
    /// The action it belongs to.
    pub(super) action: String,
    /// Transactions that are over for good, as the charger calls them: it has heard the answer.
    pub(super) ended: Vec<String>,
    /// Names that were made up, because the charger knows something else by those that the authority gave.
    pub(super) aliases: Vec<Carried>,
}

impl Outcome {
    /// A message of the charger's that cannot be read: nobody knows which names stand in it.
    pub(super) fn unreadable() -> Self {
        Self {
            withheld: Some(UNREADABLE),
            ..Self::default()
        }
    }
}

/// Translates the messages of one connection.
#[derive(Debug)]
pub(super) struct Translator {
    version: Version,
    names: Vec<Carried>,
    /// CALLs of the charger's that wait for their answers.
    asked: VecDeque<Waiting>,
    /// The same of the authority's.
    commanded: VecDeque<Waiting>,
    /// Transactions whose end is answered, which the charger may not have heard.
    over: Vec<String>,
}

/// A CALL that waits for its answer.
#[derive(Debug)]
struct Waiting {
    id: String,
    action: String,
    /// The transaction that it ends.
    ends: Option<String>,
}

impl Translator {
    /// A translator of these names.
    pub(super) fn new(version: Version, names: Vec<Carried>) -> Self {
        Self {
            version,
            names,
            asked: VecDeque::new(),
            commanded: VecDeque::new(),
            over: Vec::new(),
        }
    }

    /// A message of the charger's.
    pub(super) fn charger_says(&mut self, text: &str) -> Outcome {
        let Ok(message) = Envelope::parse(text) else {
            return Outcome::unreadable();
        };
        match message.kind {
            MessageType::Call | MessageType::Send => {
                let ends = self.ends(&message);
                // It says something else: it has heard the answers to what it said before.
                let again = ends.iter().cloned();
                self.over
                    .retain(|over| !again.clone().any(|it| it == *over));
                let ended = std::mem::take(&mut self.over);
                let outcome = self.rename(text, &message, &message.action, Part::Request, twin);
                wait(&mut self.asked, &message, ends);
                Outcome { ended, ..outcome }
            }
            MessageType::CallResult => match take(&mut self.commanded, &message) {
                Some(Waiting { action, .. }) => {
                    self.rename(text, &message, &action, Part::Response, twin)
                }
                None => Outcome::default(),
            },
            MessageType::CallError | MessageType::CallResultError => Outcome::default(),
        }
    }

    /// A message of the authority's.
    pub(super) fn authority_says(&mut self, text: &str) -> Outcome {
        let Ok(message) = Envelope::parse(text) else {
            return Outcome::default();
        };
        match message.kind {
            MessageType::Call => {
                wait(&mut self.commanded, &message, None);
                self.named(text, &message, &message.action, Part::Request)
            }
            MessageType::CallResult => {
                let Some(asked) = take(&mut self.asked, &message) else {
                    return Outcome::default();
                };
                self.over.extend(asked.ends);
                self.named(text, &message, &asked.action, Part::Response)
            }
            MessageType::CallError => {
                // The charger will say it again.
                take(&mut self.asked, &message);
                Outcome::default()
            }
            MessageType::Send | MessageType::CallResultError => Outcome::default(),
        }
    }

    /// The transaction that a message ends, if it is one of ours.
    fn ends(&self, message: &Envelope<'_>) -> Option<String> {
        let named = match message.action.as_ref() {
            "StopTransaction" => member_text(message.payload, &[Step::Key("transactionId")]),
            _ => None,
        };
        let event = transaction_event(self.version, message).filter(|event| event.ends);
        let named = named.or(event.as_ref().map(|event| event.transaction.as_str()))?;
        let name = Identifier::read(named);
        let mut ours = self.names.iter().filter(|one| one.is_transaction());
        let ours = ours.find(|one| one.wire == name.text());
        ours.map(|one| one.wire.clone())
    }

    /// A message of the authority's with the charger's names: made-up ones where its own are taken.
    fn named(&mut self, text: &str, message: &Envelope<'_>, action: &str, part: Part) -> Outcome {
        let aliases = self.collisions(message, action, part);
        self.names.extend(aliases.iter().cloned());
        let outcome = self.rename(text, message, action, part, wire);
        Outcome { aliases, ..outcome }
    }

    /// Made-up names for what the authority mints under a name by which the charger knows something else.
    fn collisions(&self, message: &Envelope<'_>, action: &str, part: Part) -> Vec<Carried> {
        let mut aliases: Vec<Carried> = Vec::new();
        let minted = self.sites(action, part);
        for site in minted.filter(|site| site.role == Role::Mint) {
            for at in locate(message.payload, site.path).unwrap_or_default() {
                let name = Identifier::read(&message.payload[at]);
                let to = name.text();
                let of_class = || {
                    self.names
                        .iter()
                        .chain(&aliases)
                        .filter(|one| one.class == site.class)
                };
                let is_known = of_class().any(|one| one.to == to);
                let is_taken = |wire: &str| of_class().any(|one| one.wire == wire);
                if is_known || !is_taken(to) {
                    continue;
                }
                let mut free = (ALIASES..).map(|number| number.to_string());
                let Some(wire) = free.find(|wire| !is_taken(wire) && wire != to) else {
                    continue;
                };
                aliases.push(Carried {
                    class: site.class,
                    from: wire.clone(),
                    wire,
                    to: to.to_owned(),
                });
            }
        }
        aliases
    }

    fn sites(&self, action: &str, part: Part) -> impl Iterator<Item = &'static Site> {
        sites(self.version, action, part)
    }

    /// The message with everything called by what `twin` says.
    fn rename(
        &self,
        text: &str,
        message: &Envelope<'_>,
        action: &str,
        part: Part,
        twin: fn(&[Carried], Class, &str) -> Option<String>,
    ) -> Outcome {
        let mut outcome = Outcome {
            id: message.id.to_string(),
            action: action.to_owned(),
            ..Outcome::default()
        };
        let mut changes = Vec::new();
        for site in self.sites(action, part) {
            // What can't be located holds no name either.
            for at in places(message, site.path).unwrap_or_default() {
                let literal = &text[at.clone()];
                let Some(to) = twin(&self.names, site.class, Identifier::read(literal).text())
                else {
                    continue;
                };
                if to.is_empty() && !site.optional {
                    outcome.withheld = Some(UNMAPPED);
                    return outcome;
                }
                if to.is_empty() {
                    outcome.rewrites.push(Rewrite {
                        class: site.class,
                        path: pointer(site.path),
                        from: literal.to_owned(),
                        to,
                    });
                    changes.push(Change::Strip { at });
                    continue;
                }
                outcome.rewrites.push(Rewrite {
                    class: site.class,
                    path: pointer(site.path),
                    from: literal.to_owned(),
                    to: to.clone(),
                });
                changes.push(Change::Value { at, to });
            }
        }
        if changes.is_empty() {
            return outcome;
        }
        match rewrite(text, &changes) {
            Ok(text) => outcome.text = Some(text.into_owned()),
            Err(_) => outcome.withheld = Some(UNMAPPED),
        }
        outcome
    }
}

/// What the authority calls what the charger calls so.
fn twin(names: &[Carried], class: Class, name: &str) -> Option<String> {
    let mut known = names.iter().filter(|one| one.class == class);
    let known = known.find(|one| one.wire == name && one.is_foreign());
    known.map(|one| one.to.clone())
}

/// What the charger calls what the authority calls so.
fn wire(names: &[Carried], class: Class, name: &str) -> Option<String> {
    let mut known = names.iter().rev().filter(|one| one.class == class);
    let known = known.find(|one| one.to == name && one.is_foreign());
    known.map(|one| one.wire.clone())
}

fn wait(waiting: &mut VecDeque<Waiting>, call: &Envelope<'_>, ends: Option<String>) {
    if waiting.len() == WAITING {
        waiting.pop_front();
    }
    waiting.push_back(Waiting {
        id: call.id.to_string(),
        action: call.action.to_string(),
        ends,
    });
}

fn take(waiting: &mut VecDeque<Waiting>, answer: &Envelope<'_>) -> Option<Waiting> {
    let place = waiting.iter().position(|one| one.id == answer.id)?;
    waiting.remove(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(wire: &str, to: &str) -> Carried {
        Carried::transaction(wire, wire, to)
    }

    fn translator() -> Translator {
        Translator::new(
            Version::V16,
            vec![carried("4711", "7"), carried("4712", "8")],
        )
    }

    #[test]
    fn each_side_hears_its_own_names_and_everything_else_as_it_was() {
        let mut names = translator();
        let meter = r#"[2,"a","MeterValues",{ "transactionId" : 4711,"connectorId":1,"x":1.50}]"#;
        let said = names.charger_says(meter);
        assert_eq!(said.text.unwrap(), meter.replace("4711", "7"));
        assert_eq!(said.rewrites.len(), 1);
        let order = r#"[2,"b","RemoteStopTransaction",{"transactionId":8}]"#;
        let told = names.authority_says(order);
        assert_eq!(told.text.unwrap(), order.replace('8', "4712"));
        for plain in [
            r#"[2,"c","Heartbeat",{}]"#,
            r#"[2,"d","MeterValues",{"transactionId":9}]"#,
            r#"[3,"b",{"status":"Accepted"}]"#,
        ] {
            let said = names.charger_says(plain);
            assert_eq!((said.text, said.withheld), (None, None), "{plain}");
        }
        let said = names.charger_says("no json, 4711");
        assert_eq!(said.withheld, Some(UNREADABLE));
    }

    #[test]
    fn a_transaction_ends_when_its_end_is_answered() {
        let mut names = translator();
        let stop = r#"[2,"a","StopTransaction",{"transactionId":"4711","meterStop":1}]"#;
        let said = names.charger_says(stop);
        assert!(said.text.unwrap().contains(r#""transactionId":"7""#));
        let refused = names.authority_says(r#"[4,"a","InternalError","",{}]"#);
        assert_eq!(
            (refused.text, names.over.len()),
            (None, 0),
            "it will be said again"
        );
        let beat = r#"[2,"b","Heartbeat",{}]"#;
        names.charger_says(stop);
        assert_eq!(
            names.charger_says(beat).ended,
            [""; 0],
            "it is not answered"
        );
        names.authority_says(r#"[3,"a",{}]"#);
        let again = names.charger_says(stop);
        assert!(again.text.is_some(), "a repeat is still translated");
        assert_eq!(again.ended, [""; 0], "the charger has not heard the answer");
        names.authority_says(r#"[3,"a",{}]"#);
        assert_eq!(names.charger_says(beat).ended, ["4711"]);
        assert_eq!(names.charger_says(beat).ended, [""; 0]);
    }

    #[test]
    fn a_new_transaction_never_gets_the_name_of_an_open_one() {
        let mut names = translator();
        names.charger_says(r#"[2,"a","StartTransaction",{"connectorId":2}]"#);
        let told = names.authority_says(r#"[3,"a",{"transactionId":4711,"idTagInfo":{}}]"#);
        let [alias] = &told.aliases[..] else {
            panic!("{told:?}")
        };
        assert_eq!(
            (alias.wire.as_str(), alias.to.as_str()),
            ("2000000000", "4711")
        );
        assert!(told.text.unwrap().contains(r#""transactionId":2000000000"#));
        let stop = |id: &str| format!(r#"[2,"{id}","StopTransaction",{{"transactionId":{id}}}]"#);
        let said = names.charger_says(&stop("2000000000"));
        assert!(said.text.unwrap().contains(r#""transactionId":4711"#));
        let said = names.charger_says(&stop("4711"));
        assert!(said.text.unwrap().contains(r#""transactionId":7"#));
    }

    #[test]
    fn everything_that_backends_name_is_translated_in_every_version() {
        let entry = |class, wire: &str, to: &str| Carried {
            class,
            ..carried(wire, to)
        };
        let names = vec![
            carried("T-1", "T-1"),
            entry(Class::RemoteStartId, "11", "70"),
            entry(Class::ReservationId, "5", "9"),
            entry(Class::ChargingProfileId, "3", "30"),
            entry(Class::ReportRequestId, "8", "80"),
        ];
        let mut names = Translator::new(Version::V201, names);
        let up = [
            (
                r#"[2,"a","TransactionEvent",{"transactionInfo":{"transactionId":"T-1","remoteStartId":11},"reservationId":5}]"#,
                r#"[2,"a","TransactionEvent",{"transactionInfo":{"transactionId":"T-1","remoteStartId":70},"reservationId":9}]"#,
            ),
            (
                r#"[2,"b","NotifyReport",{"requestId":8,"seqNo":8}]"#,
                r#"[2,"b","NotifyReport",{"requestId":80,"seqNo":8}]"#,
            ),
        ];
        for (said, passed) in up {
            assert_eq!(names.charger_says(said).text.as_deref(), Some(passed));
        }
        let down = [
            (
                r#"[2,"c","CancelReservation",{"reservationId":9}]"#,
                r#"[2,"c","CancelReservation",{"reservationId":5}]"#,
            ),
            (
                r#"[2,"d","ClearChargingProfile",{"chargingProfileId":30}]"#,
                r#"[2,"d","ClearChargingProfile",{"chargingProfileId":3}]"#,
            ),
            // A new one by a name that is taken gets one of its own, and keeps it.
            (
                r#"[2,"e","ReserveNow",{"id":5}]"#,
                r#"[2,"e","ReserveNow",{"id":2000000000}]"#,
            ),
            (
                r#"[2,"f","CancelReservation",{"reservationId":5}]"#,
                r#"[2,"f","CancelReservation",{"reservationId":2000000000}]"#,
            ),
        ];
        for (said, passed) in down {
            assert_eq!(names.authority_says(said).text.as_deref(), Some(passed));
        }
        let ended = r#"[2,"g","TransactionEvent",{"eventType":"Ended","transactionInfo":{"transactionId":"T-1"}}]"#;
        assert_eq!(names.charger_says(ended).text, None);
        names.authority_says(r#"[3,"g",{}]"#);
        let ended = names.charger_says(r#"[2,"h","Heartbeat",{}]"#).ended;
        assert_eq!(ended, ["T-1"], "one that has one name only ends too");
    }

    #[test]
    fn what_the_charger_answers_is_translated_too() {
        let name = Carried {
            class: Class::TariffId,
            ..carried("a", "b")
        };
        let mut names = Translator::new(Version::V21, vec![name]);
        let told = names.authority_says(r#"[2,"1","ClearTariffs",{"tariffIds":["b"]}]"#);
        assert!(told.text.unwrap().contains(r#"["a"]"#));
        let answer = r#"[3,"1",{"clearTariffsResult":[{"tariffId":"a","status":"Accepted"}]}]"#;
        let said = names.charger_says(answer);
        assert_eq!(said.text.unwrap(), answer.replace(r#""a""#, r#""b""#));
    }

    #[test]
    fn what_the_new_authority_does_not_know_is_left_out_or_not_said() {
        let entry = |class, wire: &str| Carried {
            class,
            ..carried(wire, "")
        };
        let names = vec![
            entry(Class::ReservationId, "5"),
            entry(Class::ReportRequestId, "8"),
        ];
        let mut names = Translator::new(Version::V201, names);
        let said = names.charger_says(
            r#"[2,"a","TransactionEvent",{"eventType":"Started","reservationId":5}]"#,
        );
        assert_eq!(
            said.text.as_deref(),
            Some(r#"[2,"a","TransactionEvent",{"eventType":"Started"}]"#)
        );
        assert_eq!((said.rewrites.len(), said.withheld), (1, None));
        let said = names.charger_says(r#"[2,"b","NotifyReport",{"requestId":8,"seqNo":0}]"#);
        assert_eq!((said.text, said.withheld), (None, Some(UNMAPPED)));
        // A new one by the same name is another one.
        let told = names.authority_says(r#"[2,"c","ReserveNow",{"id":5}]"#);
        assert_eq!(told.aliases[0].wire, "2000000000");
    }
}
