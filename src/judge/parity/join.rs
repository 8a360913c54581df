//! Which session a record is about. Identifiers first, then token and start; what fits several sessions fits none.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;

use super::Case;
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::records::Record;
use crate::judge::wire::{Open, Told};

const SECOND: Micros = 1_000_000;
const QUARTER: Micros = 900 * SECOND;

/// Where a backend's words for a place lie on the wire. Empty unless the operator supplies a map: without one, places are
/// not compared, and records are joined without them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// By backend and EVSE; by backend and location where there is one EVSE.
    pub by_evse: BTreeMap<(Leg, String), Place>,
}

/// A place on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The charger's identity.
    pub charger: String,
    /// The connector, as the charger counts.
    pub connector: Option<String>,
    /// The location's time zone, for tariffs.
    pub zone: Option<Tz>,
}

impl Places {
    /// The place that a record names, if it is known.
    pub(super) fn of(&self, record: &Record) -> Option<Place> {
        if let Some(charger) = &record.charger {
            return Some(Place {
                charger: charger.clone(),
                connector: record.connector.clone(),
                zone: None,
            });
        }
        [&record.evse, &record.evse_id, &record.location]
            .into_iter()
            .flatten()
            .find_map(|name| self.by_evse.get(&(record.leg, name.clone())))
            .cloned()
    }
}

/// Sessions by what records know of them.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// One entry each: hardly a name is that of two sessions.
    names: BTreeSet<(Leg, String, u64)>,
    tokens: BTreeMap<String, BTreeSet<u64>>,
    chargers: BTreeMap<String, BTreeSet<u64>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Joined {
    One(u64),
    Several(Vec<u64>),
    None,
}

impl Index {
    pub(super) fn insert(&mut self, told: &Told) {
        for (map, key) in self.keys(told) {
            map.entry(key).or_default().insert(told.id);
        }
        for leg in [Leg::Legacy, Leg::Candidate] {
            for name in told.names.of(leg) {
                self.names.insert((leg, name.clone(), told.id));
            }
        }
    }

    pub(super) fn remove(&mut self, told: &Told) {
        for (map, key) in self.keys(told) {
            if let Some(ids) = map.get_mut(&key) {
                ids.remove(&told.id);
                if ids.is_empty() {
                    map.remove(&key);
                }
            }
        }
        for leg in [Leg::Legacy, Leg::Candidate] {
            for name in told.names.of(leg) {
                self.names.remove(&(leg, name.clone(), told.id));
            }
        }
    }

    fn keys(
        &mut self,
        told: &Told,
    ) -> impl Iterator<Item = (&mut BTreeMap<String, BTreeSet<u64>>, String)> {
        let token = told.token.as_deref().map(folded);
        let charger = told.origin.charger.to_string();
        let tokens = token.map(|token| (&mut self.tokens, token));
        tokens.into_iter().chain([(&mut self.chargers, charger)])
    }

    /// The sessions of a name.
    fn named(&self, leg: Leg, name: &str) -> impl Iterator<Item = u64> {
        let of = |id| (leg, name.to_owned(), id);
        let range = self.names.range(of(0)..=of(u64::MAX));
        range.map(|(_, _, id)| *id)
    }

    /// The oldest session of a charger that has more than so many.
    pub(super) fn oldest_beyond(&self, most: usize, charger: &str) -> Option<u64> {
        let ids = self.chargers.get(charger)?;
        ids.first().filter(|_| ids.len() > most).copied()
    }

    /// The session that a record is about. `linked` is the one that the backend's own session object is joined to.
    pub(super) fn find(
        &self,
        record: &Record,
        linked: Option<u64>,
        place: Option<&Place>,
        cases: &BTreeMap<u64, Box<Case>>,
    ) -> Joined {
        if let Some(linked) = linked {
            return Joined::One(linked);
        }
        let told = |id: &u64| cases.get(id).map(|case| &case.told);
        let words = [record.transaction.as_ref(), record.session.as_ref()]
            .into_iter()
            .flatten()
            .chain([&record.source.id]);
        let named: BTreeSet<u64> = words
            .flat_map(|name| self.named(record.leg, name))
            .filter(|id| told(id).is_some_and(|told| may_be(record, place, told)))
            .collect();
        let token = record.token.uid.as_deref().map(folded);
        let shared = token.and_then(|token| self.tokens.get(&token));
        let nearby = place.and_then(|place| self.chargers.get(&place.charger));
        let of_token = || shared.into_iter().flatten().copied();
        let at_place = || nearby.into_iter().flatten().copied();
        let near = |far: Micros| {
            move |told: &Told| starts(told).any(|at| is_within(record.start, at, far))
        };
        let shifted = |told: &Told| starts(told).any(|at| is_shifted(record.start, at));
        let pick = |ids: &mut dyn Iterator<Item = u64>, fits: &dyn Fn(&Told) -> bool| {
            let fits = |id: &u64| told(id).is_some_and(|told| is_placed(place, told) && fits(told));
            ids.filter(fits).collect::<BTreeSet<u64>>()
        };
        let steps = [
            pick(&mut named.iter().copied(), &near(2 * SECOND)),
            named.clone(),
            pick(&mut of_token(), &near(2 * SECOND)),
            pick(&mut of_token(), &near(600 * SECOND)),
            pick(&mut of_token(), &shifted),
            // The same place at the same time, under another token.
            pick(&mut at_place(), &near(60 * SECOND)),
        ];
        match steps.into_iter().find(|found| !found.is_empty()) {
            None => Joined::None,
            Some(found) if found.len() == 1 => Joined::One(found.into_iter().next().unwrap_or(0)),
            Some(found) => Joined::Several(found.into_iter().collect()),
        }
    }
}

/// Whether a record is about a session that is open: by its name, or if it is open itself, by token and start.
pub(super) fn goes_on(record: &Record, open: Open<'_>) -> bool {
    let words = [record.transaction.as_ref(), record.session.as_ref()];
    let mut words = words.into_iter().flatten().chain([&record.source.id]);
    let near = |at: Micros| is_within(record.start, at, 600 * SECOND);
    let (stated, heard) = open.start;
    let is_near = stated.is_some_and(near) || near(heard);
    let same_token = match (&record.token.uid, open.token) {
        (Some(theirs), Some(ours)) => folded(theirs) == folded(ours),
        _ => false,
    };
    let named = words.any(|name| open.names.of(record.leg).contains(name));
    is_near
        && ((named && (same_token || record.token.uid.is_none()))
            || (record.end.is_none() && same_token))
}

/// Names of 1.6 transactions repeat over chargers and years: nothing else may speak against it.
fn may_be(record: &Record, place: Option<&Place>, told: &Told) -> bool {
    let known = place.is_some();
    let token = match (&record.token.uid, &told.token) {
        (Some(theirs), Some(ours)) => folded(theirs) == folded(ours),
        _ => true,
    };
    let day = starts(told).any(|at| is_within(record.start, at, 24 * 3_600 * SECOND));
    is_placed(place, told) && (known || token) && (day || record.start.is_none())
}

fn is_placed(place: Option<&Place>, told: &Told) -> bool {
    place.is_none_or(|place| place.charger == *told.origin.charger)
}

/// What a backend may take for the start: what the charger says, what it meant, and when it said so.
fn starts(told: &Told) -> impl Iterator<Item = Micros> {
    let mended = told.mended.map(|(start, _)| start);
    told.start.into_iter().chain(mended).chain([told.heard.0])
}

fn is_within(start: Option<Micros>, at: Micros, far: Micros) -> bool {
    start.is_some_and(|start| (start - at).abs() <= far)
}

/// Off by whole quarters of an hour, as a wrong zone is.
fn is_shifted(start: Option<Micros>, at: Micros) -> bool {
    start.is_some_and(|start| {
        let off = start - at;
        let quarters = (off + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        quarters.abs() <= 56 * QUARTER && (off - quarters).abs() <= 2 * SECOND
    })
}

/// Tokens are compared without case, and without the spaces that some readers add.
pub(super) fn folded(token: &str) -> String {
    token.trim().to_ascii_uppercase()
}
