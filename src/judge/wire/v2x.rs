//! OCPP 2.0.1 and 2.1: `TransactionEvent`. The charger names the transaction, so both backends know it by one name; events
//! count from 0 and may come late and in any order.

use std::borrow::Cow;
use std::sync::Arc;

use super::gather::Gathering;
use super::meter;
use super::stamp::Moment;
use super::{Defect, STRAGGLERS, Wires};
use crate::facts::{Fact, Leg};
use crate::judge::heard::Heard;
use crate::judge::tree::is_number;
use crate::judge::world::Origin;
use crate::ocpp::Fields;

impl Wires {
    pub(super) fn event(&mut self, fact: &Fact, heard: &Heard<'_>, origin: &Origin) {
        let event = Event::read(heard);
        let Some(transaction) = event.info.text("transactionId") else {
            return;
        };
        let transaction = transaction.into_owned();
        let charger = self.chargers.entry(&fact.charger);
        let is_known = |open: &Gathering| open.names.legacy.contains(&transaction);
        if !charger.open.iter().any(is_known) {
            if charger.ended.contains(&transaction) {
                return;
            }
            let mut open = Gathering::new(fact.seq, fact.at, origin.clone());
            for leg in [Leg::Legacy, Leg::Candidate] {
                open.names.add(leg, &transaction);
            }
            open.connector = event.connector();
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
        event.tell(open, fact);
        if event.kind() == "Started" {
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
        let whole = open.start.is_some() && open.numbers.is_whole();
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

/// The parts of a `TransactionEvent` that say something of the session.
struct Event<'m, 'a> {
    fields: &'m Fields<'a>,
    info: Fields<'a>,
    evse: Fields<'a>,
}

impl<'m, 'a> Event<'m, 'a> {
    /// What cannot be read says nothing.
    fn read(heard: &'m Heard<'a>) -> Self {
        let fields = heard.fields();
        let inside = |name| {
            if fields.is_whole() {
                fields.inside(name)
            } else {
                Fields::default()
            }
        };
        Self {
            fields,
            info: inside("transactionInfo"),
            evse: inside("evse"),
        }
    }

    fn kind(&self) -> Cow<'a, str> {
        self.fields.text("eventType").unwrap_or_default()
    }

    /// Tells it to its session.
    fn tell(&self, open: &mut Gathering, fact: &Fact) {
        let number = self.fields.last("seqNo");
        let number = number.and_then(|literal| literal.parse::<i64>().ok());
        // The same event again says nothing new.
        if number.is_some_and(|number| !open.numbers.insert(number)) {
            return;
        }
        let order = number.unwrap_or(fact.seq as i64);
        let offline = self.fields.last("offline") == Some("true");
        let stamp = self.fields.text("timestamp");
        let moment = Moment::read(stamp.as_deref(), fact.at, offline);
        match &*self.kind() {
            "Started" => {
                open.start = Some(moment);
                if offline {
                    open.defects.insert(Defect::Offline);
                }
            }
            "Ended" => {
                open.stop = Some(moment);
                open.reason = self.info.text("stoppedReason").map(Cow::into_owned);
            }
            _ => {}
        }
        if open.token.is_none() {
            let token = self.fields.inside("idToken").text("idToken");
            open.token = token.map(Cow::into_owned);
        }
        if open.connector.is_empty() {
            open.connector = self.connector();
        }
        let state = self.info.text("chargingState");
        if let (Some(state), Some(at)) = (state, moment.stated) {
            open.turn(order, at, matches!(&*state, "EVConnected" | "SuspendedEV"));
        }
        let values = self.fields.last("meterValue");
        let version = open.origin.version;
        if let Some(Ok(heard)) = values.map(|values| meter::read(version, values, order)) {
            open.hear(heard);
        }
    }

    /// EVSE and connector, as far as they are told.
    fn connector(&self) -> String {
        let number = |name| self.evse.last(name).filter(|literal| is_number(literal));
        match (number("id"), number("connectorId")) {
            (Some(evse), Some(connector)) => format!("{evse}/{connector}"),
            (Some(evse), None) => evse.to_owned(),
            _ => String::new(),
        }
    }
}
