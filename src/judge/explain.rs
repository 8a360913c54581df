//! Why a judgement came out as it did: the same comparison once more, with every rule that was tried.

use super::commands::{context, is_minted, translate, whole};
use super::compare::{self, Context, Difference, Tried};
use super::notes;
use super::rules::{Part, Rule, Rules};
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::ocpp::Version;
use crate::ocpp::identifiers::Class;
use crate::ocpp::relation::Relation;

/// A difference and the rules that were tried for it.
pub type Explained<'r> = (Difference<'r>, Vec<Tried<'r>>);

/// Two answers to a charger's request, each with the time at which it was heard.
pub fn answers<'r>(
    rules: &'r Rules,
    (version, action): (Version, &str),
    request: &str,
    authority: (Micros, &str),
    shadow: (Micros, &str),
) -> Vec<Explained<'r>> {
    let context = Context {
        version,
        action,
        part: Part::Answer,
        request,
        heard: Some((authority.0, shadow.0)),
    };
    compare::explain(rules, &context, authority.1, shadow.1)
}

/// Two commands. `learned` are the facts about the charger's identifiers before them, in order.
pub fn commands<'r>(
    rules: &'r Rules,
    (version, action, authority): (Version, &str, Leg),
    learned: &[Fact],
    ours: &str,
    theirs: &str,
) -> Vec<Explained<'r>> {
    let mut relation = Relation::new();
    for fact in learned {
        let note: notes::Learned = notes::read(fact);
        let (legacy, candidate) = match fact.leg {
            Some(Leg::Legacy) => (&note.shadow, &note.authority),
            _ => (&note.authority, &note.shadow),
        };
        if let Some(class) = Class::from_word(&note.class) {
            relation.relearn(class, legacy, candidate);
        }
    }
    let theirs = translate(&relation, (version, action, authority), theirs);
    let mut explained = compare::explain(rules, &context(version, action, ours), ours, &theirs);
    explained.retain(|(difference, _)| !is_minted(version, action, &difference.path));
    explained
}

/// The rule for a command that one backend alone sends, and those that were tried before it.
pub fn alone<'r>(
    rules: &'r Rules,
    version: Version,
    action: &str,
    payload: &str,
) -> (Option<&'r Rule>, Vec<Tried<'r>>) {
    let decided = whole(rules, version, action, payload);
    let tried = compare::tried_for_whole(rules, &context(version, action, payload), decided);
    (decided, tried)
}
