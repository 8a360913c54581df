//! OCPP 1.6: `StartTransaction`, `MeterValues`, `StatusNotification`, `StopTransaction`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::gather::Gathering;
use super::meter::{self, Mark, Reading};
use super::stamp::Moment;
use super::{Defect, Wires};
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::judge::tree::{self, Node};
use crate::judge::world::Origin;
use crate::ocpp::identifiers::is_sentinel;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Envelope, MessageType, Version};

/// A start that comes later than this is told from memory, µs.
const LATE: Micros = 60_000_000;

/// Starts whose answer, and with it the transaction's name, is awaited.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Session by connection and message id.
    waiting: BTreeMap<(u64, String), u64>,
}

impl Starts {
    pub(super) fn forget(&mut self, conn: u64) {
        self.waiting.retain(|(other, _), _| *other != conn);
    }
}

/// A member of a message as text, numbers by their digits.
fn name(node: &Node<'_>, member: &str) -> Option<String> {
    match node.member(member)? {
        Node::Text(text) => Some(text.to_string()),
        Node::Number(literal) => Some(Identifier::read(literal).text().to_owned()),
        _ => None,
    }
}

fn register(node: &Node<'_>, member: &str) -> Option<Decimal> {
    match node.member(member)? {
        Node::Number(literal) => tree::decimal(literal),
        Node::Text(text) => tree::decimal(text.trim()),
        _ => None,
    }
}

impl Wires {
    pub(super) fn call_v16(
        &mut self,
        fact: &Fact,
        envelope: &Envelope<'_>,
        action: &str,
        origin: &Origin,
    ) {
        let Ok(payload) = Node::parse(envelope.payload) else {
            return;
        };
        match action {
            "StartTransaction" => self.start(fact, envelope, &payload, origin),
            "MeterValues" => self.values(fact, &payload, origin.authority),
            "StatusNotification" => self.status(fact, &payload),
            "StopTransaction" => self.stop(fact, &payload, origin),
            _ => {}
        }
    }

    /// What the authority answers to a start names the transaction.
    pub(in crate::judge) fn answer(
        &mut self,
        fact: &Fact,
        envelope: &Envelope<'_>,
        authority: Leg,
    ) {
        let key = (fact.conn, envelope.id.clone().into_owned());
        let Some(session) = self.starts.waiting.remove(&key) else {
            return;
        };
        let open = self.chargers.get_mut(&fact.charger);
        let open = open.and_then(|charger| charger.open.iter_mut().find(|open| open.id == session));
        let (Some(open), Ok(payload)) = (open, Node::parse(envelope.payload)) else {
            return;
        };
        if envelope.kind != MessageType::CallResult {
            return;
        }
        let is_first = open.names.of(authority).is_empty();
        if let Some(transaction) = name(&payload, "transactionId") {
            open.names.add(authority, &transaction);
        }
        let status = payload.at("/idTagInfo/status").and_then(Node::text);
        if status.is_some_and(|status| status != "Accepted") {
            if is_first {
                open.defects.insert(Defect::Refused);
            }
        } else if is_first {
            self.begun.push(open.begun());
        }
    }

    fn start(&mut self, fact: &Fact, envelope: &Envelope<'_>, payload: &Node<'_>, origin: &Origin) {
        let key = (fact.conn, envelope.id.clone().into_owned());
        let charger = self.chargers.entry(Arc::clone(&fact.charger)).or_default();
        let again = charger
            .open
            .iter_mut()
            .find(|open| open.request == envelope.payload);
        if let Some(open) = again {
            open.defects.insert(Defect::RepeatedStart);
            self.starts.waiting.insert(key, open.id);
            return;
        }
        let connector = name(payload, "connectorId").unwrap_or_default();
        let idle = charger.idle.get(&connector).copied();
        let mut open = Gathering::new(fact.seq, fact.at, origin.clone());
        envelope.payload.clone_into(&mut open.request);
        open.token = name(payload, "idTag");
        let text = payload.member("timestamp").and_then(Node::text);
        let moment = Moment::read(text, fact.at, false);
        let is_old = moment.stated.is_some_and(|at| at < fact.at - LATE);
        if is_old && moment.flaw.is_none() && moment.shift().is_none() {
            open.defects.insert(Defect::Offline);
        }
        open.meter_start = register(payload, "meterStart").map(|wh| Reading {
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
        self.starts.waiting.insert(key, fact.seq);
        self.begin(open);
    }

    /// Meter values of a transaction; without its name they belong to what is open on their connector.
    fn values(&mut self, fact: &Fact, payload: &Node<'_>, authority: Leg) {
        let Some(values) = payload.member("meterValue") else {
            return;
        };
        let Some(charger) = self.chargers.get_mut(&fact.charger) else {
            return;
        };
        let transaction = name(payload, "transactionId");
        let named = charger.open.iter().position(|open| {
            let names = open.names.of(authority);
            transaction
                .as_ref()
                .is_some_and(|name| names.contains(name))
        });
        let connector = name(payload, "connectorId").unwrap_or_default();
        let there = || {
            charger
                .open
                .iter()
                .position(|open| open.connector == connector)
        };
        let Some(place) = named.or_else(there) else {
            return;
        };
        let open = &mut charger.open[place];
        // A charger that is not told the name yet cannot say it.
        if named.is_none() && !open.names.of(authority).is_empty() {
            open.defects.insert(Defect::NoTransaction);
        }
        open.hear(meter::read(Version::V16, values, fact.seq as i64));
    }

    fn status(&mut self, fact: &Fact, payload: &Node<'_>) {
        let Some(connector) = name(payload, "connectorId") else {
            return;
        };
        let text = payload.member("timestamp").and_then(Node::text);
        let stated = Moment::read(text, fact.at, false).stated;
        let at = stated.unwrap_or(fact.at);
        let status = payload.member("status").and_then(Node::text);
        let blocks = matches!(status, Some("SuspendedEV" | "Finishing"));
        let charger = self.chargers.entry(Arc::clone(&fact.charger)).or_default();
        for open in &mut charger.open {
            if open.connector == connector {
                open.turn(fact.seq as i64, at, blocks);
            }
        }
        charger.idle.insert(connector, (at, blocks));
    }

    fn stop(&mut self, fact: &Fact, payload: &Node<'_>, origin: &Origin) {
        let transaction = name(payload, "transactionId").unwrap_or_default();
        let charger = self.chargers.entry(Arc::clone(&fact.charger)).or_default();
        let unnamed = is_sentinel(Class::TransactionId, &transaction);
        let named = charger.open.iter().position(|open| {
            let names = open.names.of(origin.authority);
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
                orphan.token = name(payload, "idTag");
                charger.open.push(orphan);
                charger.open.len() - 1
            }
        };
        let open = &mut charger.open[place];
        stopped(open, fact, payload);
        let state = open.end_state();
        self.close(&fact.charger, place, state);
    }
}

/// What a `StopTransaction` says of its session.
fn stopped(open: &mut Gathering, fact: &Fact, payload: &Node<'_>) {
    let text = payload.member("timestamp").and_then(Node::text);
    let moment = Moment::read(text, fact.at, false);
    if let Some(values) = payload.member("transactionData") {
        open.hear(meter::read(Version::V16, values, fact.seq as i64));
    }
    let register = register(payload, "meterStop").filter(|wh| !wh.is_sign_negative());
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
    open.reason = name(payload, "reason").or_else(|| Some("Local".to_owned()));
}
