//! What a step cannot do without: the steps that its identifiers come from, and the boot before it.

use std::collections::HashMap;

use super::{Bundle, By, Reference, Step};
use crate::ocpp::Version;
use crate::ocpp::identifiers::{self, Part, Role};
use crate::ocpp::json::{self, Step as Key};
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Envelope};
use crate::shadow::translate;

/// For each step, the places of the steps that it needs.
pub(in crate::replay) fn of(bundle: &Bundle) -> Vec<Vec<usize>> {
    let mut begun: HashMap<&str, usize> = HashMap::new();
    let mut boot = None;
    let mut ties = Vec::with_capacity(bundle.steps.len());
    for (at, step) in bundle.steps.iter().enumerate() {
        let mut needs: Vec<usize> = boot.into_iter().collect();
        needs.extend(step.refers.iter().filter_map(|reference| {
            let of = |other: &Step| other.step == reference.step;
            bundle.steps.iter().position(of)
        }));
        if step.by == By::Charger && step.action == "BootNotification" {
            // A charger that boots again needs no earlier boot.
            needs.clear();
            boot = Some(at);
        }
        if let Some(transaction) = charger_transaction(bundle.version(), step) {
            needs.extend(begun.get(transaction));
            begun.entry(transaction).or_insert(at);
        }
        ties.push(needs);
    }
    ties
}

/// Names, in every step, the steps that its identifiers come from.
pub(super) fn name(version: Version, steps: &mut [Step]) {
    let mut minted: HashMap<(Class, String), u32> = HashMap::new();
    for step in steps {
        if step.by == By::Charger {
            step.refers = references(version, step, &minted);
        }
        for (class, literal) in mints(version, step) {
            minted.insert(
                (class, Identifier::read(&literal).text().to_owned()),
                step.step,
            );
        }
    }
}

/// Identifiers in a charger's CALL that no earlier step assigned.
pub(super) fn unexplained(version: Version, step: &Step) -> Vec<Class> {
    let echoed = echoed(version, step).into_iter();
    let strange = echoed.filter(|(at, class, value)| {
        let known = step
            .refers
            .iter()
            .any(|it| it.at == *at && it.class == class.word());
        !known && !identifiers::is_sentinel(*class, value)
    });
    strange.map(|(_, class, _)| class).collect()
}

fn references(
    version: Version,
    step: &Step,
    minted: &HashMap<(Class, String), u32>,
) -> Vec<Reference> {
    let echoed = echoed(version, step).into_iter();
    let known = echoed.filter_map(|(at, class, value)| {
        let step = *minted.get(&(class, value))?;
        let class = class.word().to_owned();
        Some(Reference { at, class, step })
    });
    known.collect()
}

/// Identifiers of a backend that a CALL of the charger repeats: where, which, and their values.
fn echoed(version: Version, step: &Step) -> Vec<(String, Class, String)> {
    let payload = step.payload.get();
    identifiers::sites(version, &step.action, Part::Request)
        .filter(|site| site.role == Role::Echo && !site.optional && !site.foreign)
        .flat_map(|site| {
            let places = json::locate(payload, site.path)
                .unwrap_or_default()
                .into_iter();
            places.map(|place| {
                let value = Identifier::read(&payload[place]).text().to_owned();
                (translate::pointer(site.path), site.class, value)
            })
        })
        .filter(|(_, _, value)| value != "null")
        .collect()
}

/// What legacy assigns in a step: in its answer, or in its command.
fn mints(version: Version, step: &Step) -> Vec<(Class, String)> {
    match step.by {
        By::Charger => step.legacy.as_ref().map_or_else(Vec::new, |answer| {
            translate::mints(version, &step.action, Part::Response, answer.payload())
        }),
        By::Legacy => translate::mints(version, &step.action, Part::Request, step.payload.get()),
        By::Candidate => Vec::new(),
    }
}

/// The transaction of a 2.x event, which the charger names itself.
fn charger_transaction(version: Version, step: &Step) -> Option<&str> {
    let is_event = translate::is_transaction_event(version, &step.action);
    let path = [Key::Key("transactionInfo"), Key::Key("transactionId")];
    (is_event && step.by == By::Charger)
        .then(|| json::first(step.payload.get(), &path))
        .flatten()
}

/// A charger's CALL as legacy would have got it: where the candidate is the authority, with legacy's identifiers.
pub(super) fn rewritten(version: Version, text: &str, pairs: &[(Class, String, String)]) -> String {
    use crate::ocpp::rewrite::{self, Change};
    let Ok(envelope) = Envelope::parse(text) else {
        return text.to_owned();
    };
    let mut changes = Vec::new();
    for site in identifiers::sites(version, &envelope.action, Part::Request) {
        for at in rewrite::places(&envelope, site.path).unwrap_or_default() {
            let pair = pairs
                .iter()
                .find(|(class, from, _)| *class == site.class && *from == text[at.clone()]);
            changes.extend(pair.map(|(.., to)| Change::Value {
                at: at.clone(),
                to: to.trim_matches('"').to_owned(),
            }));
        }
    }
    rewrite::rewrite(text, &changes).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}
