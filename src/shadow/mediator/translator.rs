//! The names of transactions, as the charger and its new authority each know them. Pure.

use std::collections::VecDeque;

use crate::facts::authority::Carried;
use crate::ocpp::identifiers::{Class, Part, Role, Site, sites};
use crate::ocpp::relation::Identifier;
use crate::ocpp::rewrite::{Change, places, rewrite};
use crate::ocpp::{Envelope, MessageType, Version};
use crate::shadow::translate::{Rewrite, pointer};

/// How many CALLs of the charger's wait for their answers at most; OCPP-J allows one.
const WAITING: usize = 16;

/// Where made-up names begin: far above what backends that count have reached, and an int32 for chargers that keep no more.
const ALIASES: i64 = 2_000_000_000;

/// What becomes of a message.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The text to send instead; `None` if it goes as it came.
    pub(super) text: Option<String>,
    /// What was rewritten.
    pub(super) rewrites: Vec<Rewrite>,
    /// The message's id.
    pub(super) id: String,
    /// The action it belongs to.
    pub(super) action: String,
    /// A transaction that this ends for good, as the charger calls it.
    pub(super) ended: Option<String>,
    /// A name that was made up, because the charger knows another transaction by the one that the authority gave.
    pub(super) alias: Option<Carried>,
}

/// Translates the messages of one connection.
#[derive(Debug)]
pub(super) struct Translator {
    version: Version,
    names: Vec<Carried>,
    waiting: VecDeque<Waiting>,
}

/// A CALL of the charger's that waits for its answer.
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
            waiting: VecDeque::new(),
        }
    }

    /// A message of the charger's.
    pub(super) fn charger_says(&mut self, text: &str) -> Outcome {
        let Ok(message) = Envelope::parse(text) else {
            return Outcome::default();
        };
        if message.kind != MessageType::Call {
            return Outcome::default();
        }
        let twin = |names: &[Carried], name: &str| {
            let known = names.iter().find(|one| one.wire == name);
            known.map(|one| one.to.clone())
        };
        let outcome = self.rename(text, &message, (&message.action, Part::Request), twin);
        let ends = (message.action == "StopTransaction").then(|| outcome.rewrites.first());
        let ends = ends.flatten();
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Waiting {
            id: message.id.to_string(),
            action: message.action.to_string(),
            ends: ends.map(|rewrite| Identifier::read(&rewrite.from).text().to_owned()),
        });
        outcome
    }

    /// A message of the authority's.
    pub(super) fn authority_says(&mut self, text: &str) -> Outcome {
        let Ok(message) = Envelope::parse(text) else {
            return Outcome::default();
        };
        match message.kind {
            MessageType::Call => {
                let twin = |names: &[Carried], name: &str| {
                    let known = names.iter().rev().find(|one| one.to == name);
                    known.map(|one| one.wire.clone())
                };
                self.rename(text, &message, (&message.action, Part::Request), twin)
            }
            MessageType::CallResult | MessageType::CallError => self.answered(text, &message),
            MessageType::Send | MessageType::CallResultError => Outcome::default(),
        }
    }

    fn answered(&mut self, text: &str, answer: &Envelope<'_>) -> Outcome {
        let place = self.waiting.iter().position(|one| one.id == answer.id);
        let Some(asked) = place.and_then(|place| self.waiting.remove(place)) else {
            return Outcome::default();
        };
        if answer.kind == MessageType::CallError {
            // The charger will say it again.
            return Outcome::default();
        }
        let alias = self.collision(answer, &asked.action);
        if let Some(alias) = &alias {
            self.names.push(alias.clone());
        }
        let twin = |_: &[Carried], name: &str| {
            let alias = alias.as_ref().filter(|alias| alias.to == name);
            alias.map(|alias| alias.wire.clone())
        };
        let outcome = self.rename(text, answer, (&asked.action, Part::Response), twin);
        Outcome {
            ended: asked.ends,
            alias,
            ..outcome
        }
    }

    /// Whether the authority gives a new transaction a name by which the charger knows another one: then a made-up name.
    fn collision(&self, answer: &Envelope<'_>, action: &str) -> Option<Carried> {
        let minted = self.sites(action, Part::Response);
        let mut minted = minted
            .filter(|site| site.role == Role::Mint)
            .filter_map(|site| crate::ocpp::json::first(answer.payload, site.path))
            .map(|literal| Identifier::read(literal).text().to_owned());
        let taken = |name: &str| self.names.iter().any(|one| one.wire == name);
        let to = minted.find(|name| taken(name))?;
        let free = (ALIASES..).map(|number| number.to_string());
        let wire = free.into_iter().find(|name| !taken(name) && *name != to)?;
        Some(Carried {
            from: wire.clone(),
            wire,
            to,
        })
    }

    fn sites(&self, action: &str, part: Part) -> impl Iterator<Item = &'static Site> {
        sites(self.version, action, part).filter(|site| site.class == Class::TransactionId)
    }

    /// The message with every transaction called by what `twin` says.
    fn rename(
        &self,
        text: &str,
        message: &Envelope<'_>,
        (action, part): (&str, Part),
        twin: impl Fn(&[Carried], &str) -> Option<String>,
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
                let Some(to) = twin(&self.names, Identifier::read(literal).text()) else {
                    continue;
                };
                outcome.rewrites.push(Rewrite {
                    class: site.class,
                    path: pointer(site.path),
                    from: literal.to_owned(),
                    to: to.clone(),
                });
                changes.push(Change::Value { at, to });
            }
        }
        if !changes.is_empty() {
            outcome.text = rewrite(text, &changes)
                .ok()
                .map(std::borrow::Cow::into_owned);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(wire: &str, to: &str) -> Carried {
        Carried {
            wire: wire.to_owned(),
            from: wire.to_owned(),
            to: to.to_owned(),
        }
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
            "no json",
        ] {
            assert_eq!(names.charger_says(plain).text, None, "{plain}");
        }
    }

    #[test]
    fn a_transaction_ends_when_its_end_is_answered() {
        let mut names = translator();
        let stop = r#"[2,"a","StopTransaction",{"transactionId":"4711","meterStop":1}]"#;
        let said = names.charger_says(stop);
        assert!(said.text.unwrap().contains(r#""transactionId":"7""#));
        let refused = names.authority_says(r#"[4,"a","InternalError","",{}]"#);
        assert_eq!(refused.ended, None, "it will be said again");
        names.charger_says(stop);
        let ended = names.authority_says(r#"[3,"a",{}]"#);
        assert_eq!(ended.ended.as_deref(), Some("4711"));
        assert!(
            names.charger_says(stop).text.is_some(),
            "a repeat is still translated"
        );
    }

    #[test]
    fn a_new_transaction_never_gets_the_name_of_an_open_one() {
        let mut names = translator();
        names.charger_says(r#"[2,"a","StartTransaction",{"connectorId":2}]"#);
        let told = names.authority_says(r#"[3,"a",{"transactionId":4711,"idTagInfo":{}}]"#);
        let alias = told.alias.unwrap();
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
}
