//! OCPP 1.6: `StartTransaction`, `MeterValues`, `StatusNotification`, `StopTransaction`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::gather::Gathering;
use super::meter::{self, Mark, Reading};
use super::stamp::Moment;
use super::{Defect, MOST_CONNECTORS, Wires};
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::judge::heard::Heard;
use crate::judge::tree::{self, Node};
use crate::judge::world::Origin;
use crate::ocpp::identifiers::is_sentinel;
use crate::ocpp::json;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Fields, MessageType, Version};

/// A start that comes later than this is told from memory, µs.
const LATE: Micros = 60_000_000;

/// How many starts may wait for their answers.
const MOST_STARTS: usize = 20_000;

/// Starts whose answer, and with it the transaction's name, is awaited.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Session by connection and message id.
    waiting: BTreeMap<(u64, String), u64>,
}

impl Starts {
    /// A start was sent; of too many that nobody answers those of the oldest connection go first.
    fn wait(&mut self, conn: u64, id: &str, session: u64) {
        if self.waiting.len() >= MOST_STARTS {
            self.waiting.pop_first();
        }
        self.waiting.insert((conn, id.to_owned()), session);
    }

    pub(super) fn forget(&mut self, conn: u64) {
        self.waiting.retain(|(other, _), _| *other != conn);
    }
}

/// A member of a message as text, numbers by their digits.
fn name(fields: &Fields<'_>, member: &str) -> Option<String> {
    let literal = fields.last(member)?;
    match json::string_value(literal) {
        Some(text) => Some(text.into_owned()),
        None if tree::is_number(literal) => Some(Identifier::read(literal).text().to_owned()),
        None => None,
    }
}

fn register(fields: &Fields<'_>, member: &str) -> Option<Decimal> {
    match Node::parse(fields.last(member)?).ok()? {
        Node::Number(literal) => tree::decimal(literal),
        Node::Text(text) => tree::decimal(text.trim()),
        _ => None,
    }
}

impl Wires {
    pub(super) fn call_v16(
        &mut self,
        fact: &Fact,
        heard: &Heard<'_>,
        action: &str,
        origin: &Origin,
    ) {
        let fields = heard.fields();
        if !fields.is_whole() {
            return;
        }
        match action {
            "StartTransaction" => self.start(fact, heard, origin),
            "MeterValues" => self.values(fact, fields),
            "StatusNotification" => self.status(fact, fields),
            "StopTransaction" => self.stop(fact, fields, origin),
            _ => {}
        }
    }

    /// What the authority answers to a start names the transaction.
    pub(in crate::judge) fn answer(&mut self, fact: &Fact, heard: &Heard<'_>, authority: Leg) {
        if self.starts.waiting.is_empty() {
            return;
        }
        let key = (fact.conn, heard.id.clone().into_owned());
        let Some(session) = self.starts.waiting.remove(&key) else {
            return;
        };
        let open = self.chargers.get_mut(&fact.charger);
        let open = open.and_then(|charger| charger.open.iter_mut().find(|open| open.id == session));
        let (Some(open), fields) = (open, heard.fields()) else {
            return;
        };
        if heard.kind != MessageType::CallResult || !fields.is_whole() {
            return;
        }
        let is_first = open.names.of(authority).is_empty();
        if let Some(transaction) = name(fields, "transactionId") {
            open.names.add(authority, &transaction);
        }
        let status = fields.inside("idTagInfo").text("status");
        if status.is_some_and(|status| status != "Accepted") {
            if is_first {
                open.defects.insert(Defect::Refused);
            }
        } else if is_first {
            self.begun.push(open.begun());
        }
    }

    fn start(&mut self, fact: &Fact, heard: &Heard<'_>, origin: &Origin) {
        let fields = heard.fields();
        let charger = self.chargers.entry(&fact.charger);
        let again = charger
            .open
            .iter_mut()
            .find(|open| open.request == heard.payload);
        if let Some(open) = again {
            open.defects.insert(Defect::RepeatedStart);
            self.starts.wait(fact.conn, &heard.id, open.id);
            return;
        }
        let connector = name(fields, "connectorId").unwrap_or_default();
        let idle = charger.idle.get(&connector).copied();
        let mut open = Gathering::new(fact.seq, fact.at, origin.clone());
        heard.payload.clone_into(&mut open.request);
        open.token = name(fields, "idTag");
        let text = fields.text("timestamp");
        let moment = Moment::read(text.as_deref(), fact.at, false);
        let is_old = moment.stated.is_some_and(|at| at < fact.at - LATE);
        if is_old && moment.flaw.is_none() && moment.shift().is_none() {
            open.defects.insert(Defect::Offline);
        }
        open.meter_start = register(fields, "meterStart").map(|wh| Reading {
            order: fact.seq as i64,
            at: moment.stated,
            wh,
            mark: Mark::Begin,
            signed: false,
        });
        if let (Some((_, true)), Some(at)) = (idle, moment.stated) {
            open.turn(0, at, true);
        }
        open.start = Some(moment);
        open.connector = connector;
        self.starts.wait(fact.conn, &heard.id, fact.seq);
        self.begin(open);
    }

    /// Meter values of a transaction; without its name they belong to what is open on their connector.
    fn values(&mut self, fact: &Fact, fields: &Fields<'_>) {
        let Some(values) = fields.last("meterValue") else {
            return;
        };
        let Some(charger) = self.chargers.get_mut(&fact.charger) else {
            return;
        };
        let transaction = name(fields, "transactionId");
        let named = charger.open.iter().position(|open| {
            let names = open.own_names();
            transaction
                .as_ref()
                .is_some_and(|name| names.contains(name))
        });
        let there = || {
            let connector = name(fields, "connectorId").unwrap_or_default();
            let mut open = charger.open.iter();
            open.position(|open| open.connector == connector)
        };
        let Some(place) = named.or_else(there) else {
            return;
        };
        let Ok(heard) = meter::read(Version::V16, values, fact.seq as i64) else {
            return;
        };
        let open = &mut charger.open[place];
        // A charger that is not told the name yet cannot say it.
        if named.is_none() && !open.own_names().is_empty() {
            open.defects.insert(Defect::NoTransaction);
        }
        open.hear(heard);
    }

    fn status(&mut self, fact: &Fact, fields: &Fields<'_>) {
        let Some(connector) = name(fields, "connectorId") else {
            return;
        };
        let text = fields.text("timestamp");
        let stated = Moment::read(text.as_deref(), fact.at, false).stated;
        let at = stated.unwrap_or(fact.at);
        let status = fields.text("status");
        let blocks = matches!(status.as_deref(), Some("SuspendedEV" | "Finishing"));
        let charger = self.chargers.entry(&fact.charger);
        for open in &mut charger.open {
            if open.connector == connector {
                open.turn(fact.seq as i64, at, blocks);
            }
        }
        if charger.idle.len() >= MOST_CONNECTORS && !charger.idle.contains_key(&connector) {
            charger.idle.pop_first();
        }
        charger.idle.insert(connector, (at, blocks));
    }

    fn stop(&mut self, fact: &Fact, fields: &Fields<'_>, origin: &Origin) {
        let transaction = name(fields, "transactionId").unwrap_or_default();
        let charger = self.chargers.entry(&fact.charger);
        let unnamed = is_sentinel(Class::TransactionId, &transaction);
        let named = charger.open.iter().position(|open| {
            let names = open.own_names();
            names.contains(&transaction) || (unnamed && names.is_empty())
        });
        let is_repeat = charger.ended.contains(&transaction);
        let place = match named {
            Some(place) => place,
            // The end of what has ended, or of nothing.
            None if is_repeat || unnamed => return,
            None => {
                let mut orphan = Gathering::new(fact.seq, fact.at, origin.clone());
                orphan.names.add(origin.authority, &transaction);
                orphan.token = name(fields, "idTag");
                charger.open.push(orphan);
                charger.open.len() - 1
            }
        };
        let open = &mut charger.open[place];
        stopped(open, fact, fields);
        let state = open.end_state();
        self.close(&fact.charger, place, state);
    }
}

/// What a `StopTransaction` says of its session.
fn stopped(open: &mut Gathering, fact: &Fact, fields: &Fields<'_>) {
    let text = fields.text("timestamp");
    let moment = Moment::read(text.as_deref(), fact.at, false);
    let values = fields.last("transactionData");
    if let Some(Ok(heard)) = values.map(|values| meter::read(Version::V16, values, fact.seq as i64))
    {
        open.hear(heard);
    }
    let register = register(fields, "meterStop").filter(|wh| !wh.is_sign_negative());
    if register.is_none() {
        open.defects.insert(Defect::NoStopRegister);
    }
    open.meter_stop = register.map(|wh| Reading {
        order: fact.seq as i64,
        at: moment.stated,
        wh,
        mark: Mark::End,
        signed: false,
    });
    open.stop = Some(moment);
    // The specification's word for a stop at the charger, which is left out.
    open.reason = name(fields, "reason").or_else(|| Some("Local".to_owned()));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facts::Kind;

    #[test]
    fn what_is_remembered_of_connectors_and_starts_is_bounded() {
        let mut wires = Wires::default();
        let fact = Fact::new(Kind::Message, 1).on(&Arc::from("CP1"), 1);
        for number in 0..100_000_u64 {
            let text = format!(r#"{{"connectorId":"x{number}","status":"Available"}}"#);
            wires.status(&fact, &Fields::read(&text));
            wires.starts.wait(number, "id", number);
        }
        let charger = wires.chargers.get("CP1").unwrap();
        assert_eq!(charger.idle.len(), MOST_CONNECTORS);
        assert_eq!(wires.starts.waiting.len(), MOST_STARTS);
        assert_eq!(wires.starts.waiting.last_key_value().unwrap().1, &99_999);
    }
}
