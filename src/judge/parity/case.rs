//! A session that waits for its records.

use std::collections::BTreeSet;

use super::book::{Book, Shelf};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::records::RecordKind;
use crate::judge::sessions::Spoil;
use crate::judge::wire::Told;
use crate::judge::world::World;

/// A session and what the backends have of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) told: Told,
    legacy: Shelf,
    candidate: Shelf,
    /// A record fits this session and others.
    pub(super) ambiguous: bool,
    /// Records came since it was judged.
    pub(super) news: bool,
    pub(super) judged_at: Option<Micros>,
    /// Findings that have been told.
    pub(super) said: BTreeSet<String>,
}

impl Case {
    pub(super) fn new(told: Told) -> Self {
        Self {
            told,
            legacy: Shelf::new(),
            candidate: Shelf::new(),
            ambiguous: false,
            news: false,
            judged_at: None,
            said: BTreeSet::new(),
        }
    }

    pub(super) fn judged(&self) -> bool {
        self.judged_at.is_some()
    }

    pub(super) fn shelf(&mut self, leg: Leg) -> &mut Shelf {
        match leg {
            Leg::Legacy => &mut self.legacy,
            Leg::Candidate => &mut self.candidate,
        }
    }

    pub(super) fn book(&self, leg: Leg) -> Book<'_> {
        Book::of(match leg {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        })
    }

    /// Its records.
    pub(super) fn keys(&self) -> Vec<(Leg, RecordKind, String)> {
        let of = |leg, shelf: &Shelf| {
            let keys = shelf.keys().cloned();
            keys.map(|(kind, name)| (leg, kind, name))
                .collect::<Vec<_>>()
        };
        let mut keys = of(Leg::Legacy, &self.legacy);
        keys.extend(of(Leg::Candidate, &self.candidate));
        keys
    }

    /// Why the shadow's account of it says nothing about the shadow, if so.
    pub(super) fn spoil(&self, world: &World) -> Option<Spoil> {
        let origin = &self.told.origin;
        let sessions = &world.chargers.get(&origin.charger)?.sessions;
        let names = self.told.names.of(origin.authority);
        names.iter().find_map(|name| sessions.spoilt(name))
    }
}
