//! OCPP 2.0.1 and 2.1: `TransactionEvent`. The charger names the transaction, so both backends know it by one name; events
//! count from 0 and may come late and in any order.

use std::sync::Arc;

use super::gather::Gathering;
use super::meter;
use super::stamp::Moment;
use super::{Defect, STRAGGLERS, Wires};
use crate::facts::{Fact, Leg};
use crate::judge::tree::Node;
use crate::judge::world::Origin;
use crate::ocpp::Envelope;

impl Wires {
    pub(super) fn event(&mut self, fact: &Fact, envelope: &Envelope<'_>, origin: &Origin) {
        let Ok(payload) = Node::parse(envelope.payload) else {
            return;
        };
        let text = |pointer: &str| payload.at(pointer).and_then(Node::text);
        let Some(transaction) = text("/transactionInfo/transactionId") else {
            return;
        };
        let transaction = transaction.to_owned();
        let charger = self.chargers.entry(Arc::clone(&fact.charger)).or_default();
        let is_known = |open: &Gathering| open.names.legacy.contains(&transaction);
        if !charger.open.iter().any(is_known) {
            if charger.ended.contains(&transaction) {
                return;
            }
            let mut open = Gathering::new(fact.seq, fact.at, origin.clone());
            for leg in [Leg::Legacy, Leg::Candidate] {
                open.names.add(leg, &transaction);
            }
            open.connector = connector(&payload);
            self.begin(open);
        }
        let Some(charger) = self.chargers.get_mut(&fact.charger) else {
            return;
        };
        let is_known = |open: &Gathering| open.names.legacy.contains(&transaction);
        let Some(place) = charger.open.iter().position(is_known) else {
            return;
        };
        let open = &mut charger.open[place];
        let kind = text("/eventType").unwrap_or_default();
        heard(open, fact, &payload);
        if kind == "Started" {
            let begun = open.begun();
            self.begun.push(begun);
        }
        self.close_if_whole(&fact.charger, place, fact);
    }

    /// Closes a session whose end has come, at once if nothing is missing, else after a while.
    fn close_if_whole(&mut self, name: &Arc<str>, place: usize, fact: &Fact) {
        let Some(charger) = self.chargers.get_mut(name) else {
            return;
        };
        let open = &mut charger.open[place];
        if open.stop.is_none() {
            return;
        }
        let last = open.numbers.last().copied().unwrap_or_default();
        let whole = open.start.is_some() && last + 1 == open.numbers.len() as i64;
        let state = open.end_state();
        if whole {
            open.defects.remove(&Defect::MissingEvents);
            self.close(name, place, state);
        } else if open.ending.is_none() {
            open.defects.insert(Defect::MissingEvents);
            open.ending = Some(fact.at);
            self.stragglers
                .insert((fact.at.saturating_add(STRAGGLERS), Arc::clone(name)));
        }
    }
}

fn heard(open: &mut Gathering, fact: &Fact, payload: &Node<'_>) {
    let text = |pointer: &str| payload.at(pointer).and_then(Node::text);
    let number = match payload.at("/seqNo") {
        Some(Node::Number(literal)) => literal.parse::<i64>().ok(),
        _ => None,
    };
    // The same event again says nothing new.
    if number.is_some_and(|number| !open.numbers.insert(number)) {
        return;
    }
    let order = number.unwrap_or(fact.seq as i64);
    let offline = payload.at("/offline") == Some(&Node::Bool(true));
    let moment = Moment::read(text("/timestamp"), fact.at, offline);
    match text("/eventType") {
        Some("Started") => {
            open.start = Some(moment);
            if offline {
                open.defects.insert(Defect::Offline);
            }
        }
        Some("Ended") => {
            open.stop = Some(moment);
            open.reason = text("/transactionInfo/stoppedReason").map(str::to_owned);
        }
        _ => {}
    }
    if open.token.is_none() {
        open.token = text("/idToken/idToken").map(str::to_owned);
    }
    if open.connector.is_empty() {
        open.connector = connector(payload);
    }
    let state = text("/transactionInfo/chargingState");
    if let (Some(state), Some(at)) = (state, moment.stated) {
        open.turn(order, at, matches!(state, "EVConnected" | "SuspendedEV"));
    }
    if let Some(values) = payload.member("meterValue") {
        open.hear(meter::read(open.origin.version, values, order));
    }
}

/// EVSE and connector, as far as they are told.
fn connector(payload: &Node<'_>) -> String {
    let number = |pointer: &str| match payload.at(pointer) {
        Some(Node::Number(literal)) => Some(*literal),
        _ => None,
    };
    match (number("/evse/id"), number("/evse/connectorId")) {
        (Some(evse), Some(connector)) => format!("{evse}/{connector}"),
        (Some(evse), None) => evse.to_owned(),
        _ => String::new(),
    }
}
