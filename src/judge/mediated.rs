//! What the mediator does to the messages of a moved charger: it puts the names of one backend in place of the other's.
//!
//! What comes of such a message is not the backends' doing alone, so neither is blamed for it. Of each message that it
//! changes or keeps back the mediator writes a fact, before the message goes on: the one about an answer or a command comes
//! before the message itself, the one about a charger's CALL may come just behind it.

use std::collections::VecDeque;

use super::notes;
use crate::clock::Micros;
use crate::facts::Fact;
use crate::facts::authority::{Carried, Change, Step};
use crate::ocpp::identifiers::{Part, Role, sites};
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Envelope, Version, json};

/// How many messages are remembered that have not been seen. The mediator and the observer are in one process.
const MOST: usize = 16;

/// How long, µs.
const SOON: Micros = 10_000_000;

/// What is known of one charger.
#[derive(Debug, Default)]
pub(super) struct Mediated {
    /// Its newest connection that went through the mediator.
    conn: Option<u64>,
    /// Messages that were changed, and when; their own facts have not come yet.
    touched: VecDeque<(Micros, notes::Touched)>,
    /// What was open when it was moved and is known by two names.
    names: Vec<Carried>,
}

impl Mediated {
    /// A connection went through the mediator.
    pub(super) fn opened(&mut self, conn: u64) {
        self.conn = Some(conn);
    }

    /// The connection whose messages the mediator changes.
    pub(super) const fn conn(&self) -> Option<u64> {
        self.conn
    }

    /// A message was changed, which has not been seen.
    pub(super) fn touched(&mut self, at: Micros, note: notes::Touched) {
        if self.touched.len() == MOST {
            self.touched.pop_front();
        }
        self.touched.push_back((at, note));
    }

    /// Whether this is one of the messages that were changed.
    pub(super) fn is_touched(&mut self, fact: &Fact, message: &Envelope<'_>) -> bool {
        if self.touched.is_empty() || self.conn != Some(fact.conn) {
            return false;
        }
        self.touched.retain(|(at, _)| fact.at - at <= SOON);
        let place = self
            .touched
            .iter()
            .position(|(_, note)| note.id == message.id && note.action == message.action);
        place.is_some_and(|place| self.touched.remove(place).is_some())
    }

    /// A step of a switch.
    pub(super) fn moved(&mut self, change: &Change) {
        match change.step {
            Step::Acting | Step::Admitted | Step::Renamed | Step::Recalled => {
                let names = change.open.iter().filter(|name| name.is_foreign());
                self.names = names.cloned().collect();
            }
            Step::Settled => self.names.clear(),
            _ => {}
        }
    }

    /// Whether a command of the charger's old authority is about what was open when the charger was moved: the new one hears
    /// the orders of drivers and operators now.
    pub(super) fn is_named(&self, version: Version, command: &Envelope<'_>) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let sites = sites(version, &command.action, Part::Request);
        let mut naming = sites.filter(|site| site.role == Role::Named);
        naming.any(|site| {
            let places = json::locate(command.payload, site.path).unwrap_or_default();
            let mut literals = places.into_iter().map(|at| &command.payload[at]);
            literals.any(|literal| self.knows(site.class, Identifier::read(literal).text()))
        })
    }

    /// Whether the charger or its old authority calls something so that is known by two names.
    fn knows(&self, class: Class, name: &str) -> bool {
        let mut known = self.names.iter().filter(|one| one.class == class);
        known.any(|one| one.wire == name || one.from == name)
    }
}
