//! A bundle made ready to be played now: for this target, at this hour, with fresh transactions.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Target;
use crate::clock::Micros;
use crate::ocpp::json::{self, Step as Key};
use crate::ocpp::refusals::{self, Refusal};
use crate::ocpp::rewrite::{self, Change};
use crate::ocpp::{Envelope, Version, instant};
use crate::replay::bundle::{Bundle, By, Step};
use crate::replay::instants;
use crate::replay::sim::random::Random;

/// Where 2.x messages name a transaction, which the charger has named itself.
pub(in crate::replay) const TRANSACTIONS: [&[Key]; 3] = [
    &[Key::Key("transactionInfo"), Key::Key("transactionId")],
    &[Key::Key("transactionId")],
    &[Key::Key("chargingProfile"), Key::Key("transactionId")],
];

/// A bundle for one play.
pub(super) struct Prepared {
    pub(super) bundle: Bundle,
}

impl Prepared {
    pub(super) fn new(bundle: &Bundle, target: &Target, now: Micros) -> Self {
        let mut bundle = bundle.clone();
        if let Some(identity) = &target.identity {
            bundle.charger.identity.clone_from(identity);
        }
        if let Some(subprotocol) = &target.subprotocol {
            bundle.charger.subprotocol = Some(subprotocol.clone());
        }
        let began = instant::rfc3339(&bundle.began).unwrap_or(now);
        let last = bundle.steps.last().map_or(0, |step| step.after_ms);
        let by = now
            - began
            - if target.original_timing {
                0
            } else {
                last as Micros * 1_000
            };
        let fresh = fresh_transactions(&bundle, now);
        for step in &mut bundle.steps {
            if step.by == By::Charger {
                step.payload = raw(&instants::moved(step.payload.get(), by), &step.payload);
            }
            step.payload = raw(&renamed(step.payload.get(), &fresh), &step.payload);
        }
        Self { bundle }
    }
}

/// The text as JSON; what is none is left as it was.
fn raw(text: &str, before: &RawValue) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| before.to_owned())
}

/// A fresh id for each 2.x transaction, as long as the old one.
fn fresh_transactions(bundle: &Bundle, now: Micros) -> BTreeMap<String, String> {
    if bundle.version() == Version::V16 {
        return BTreeMap::new();
    }
    let mut random = Random::named(now.unsigned_abs(), "transactions");
    let events = bundle
        .steps
        .iter()
        .filter(|step| step.action == "TransactionEvent");
    let named = events.filter_map(|step| json::first(step.payload.get(), TRANSACTIONS[0]));
    named
        .map(|literal| {
            let mut fresh = random.uuid();
            fresh.truncate(literal.trim_matches('"').len());
            (literal.to_owned(), fresh)
        })
        .collect()
}

/// A payload with the fresh ids.
fn renamed(payload: &str, fresh: &BTreeMap<String, String>) -> String {
    if fresh.is_empty() {
        return payload.to_owned();
    }
    let mut changes = Vec::new();
    for path in TRANSACTIONS {
        for at in json::locate(payload, path).unwrap_or_default() {
            let to = fresh.get(&payload[at.clone()]);
            changes.extend(to.map(|to| Change::Value { at, to: to.clone() }));
        }
    }
    rewrite::rewrite(payload, &changes)
        .map_or_else(|_| payload.to_owned(), std::borrow::Cow::into_owned)
}

/// What the charger answers a command of the target's: as it was recorded to, else a true refusal.
pub(super) fn obedience(bundle: &Bundle, command: &Envelope<'_>) -> String {
    let like = |step: &&Step| step.by != By::Charger && step.action == command.action;
    let same = |step: &&Step| step.payload.get() == command.payload;
    let commands = || bundle.steps.iter().filter(like);
    let known = commands().find(same).or_else(|| commands().next());
    let recorded = known.and_then(|step| step.charger.as_ref()?.text(&command.id));
    recorded.unwrap_or_else(|| refused(bundle.version(), command))
}

/// A true refusal of a command.
pub(in crate::replay) fn refused(version: Version, command: &Envelope<'_>) -> String {
    let id = serde_json::Value::from(&*command.id);
    match refusals::refuse(version, &command.action, command.payload) {
        Refusal::Result(payload) => format!("[3,{id},{payload}]"),
        Refusal::Error { code, description } => {
            format!("[4,{id},\"{code}\",\"{description}\",{{}}]")
        }
    }
}
