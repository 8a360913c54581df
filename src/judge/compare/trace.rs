//! Which rules were tried where two texts differ: for people who ask why.

use super::{Context, Difference, Place, Walk, payload, unreadable};
use crate::judge::rules::{Mismatch, Rule, Rules, Site};

/// The same differences, each with the rules that were tried for it.
pub fn explain<'r>(
    rules: &'r Rules,
    context: &Context<'_>,
    authority: &str,
    shadow: &str,
) -> Vec<(Difference<'r>, Vec<Tried<'r>>)> {
    let (Ok(ours), Ok(theirs)) = (payload(authority), payload(shadow)) else {
        return vec![(unreadable(rules, authority, shadow), Vec::new())];
    };
    let request = context.read_request(rules);
    let mut trace = Vec::new();
    let mut walk = Walk {
        rules,
        context,
        request: request.as_ref(),
        found: Vec::new(),
        trace: Some(&mut trace),
    };
    walk.pair(&Place::default(), Some(&ours), Some(&theirs), None);
    let found = walk.found;
    found
        .into_iter()
        .map(|difference| {
            let at = (trace.iter()).rposition(|trace| trace.pointer == difference.pointer);
            let tried = at.map_or_else(Vec::new, |at| trace.swap_remove(at).tried);
            (difference, tried)
        })
        .collect()
}

/// The rules that were tried for the whole of a text, apart from the one that decides.
pub fn tried_for_whole<'r>(
    rules: &'r Rules,
    context: &Context<'_>,
    decided: Option<&Rule>,
) -> Vec<Tried<'r>> {
    let request = context.read_request(rules);
    let site = Site {
        version: context.version,
        action: context.action,
        part: context.part,
        path: "",
        authority: None,
        shadow: None,
        request: request.as_ref(),
        element: None,
    };
    Trace::of(rules, &site, "", decided.unwrap_or(rules.fallback())).tried
}

/// A rule that was tried at a place, and why it does not match there; in the words of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// Why it does not decide.
    pub why: String,
}

/// What was tried at a place.
pub(super) struct Trace<'r> {
    pub(super) pointer: String,
    pub(super) tried: Vec<Tried<'r>>,
}

impl<'r> Trace<'r> {
    /// Of the rules before the one that decides, those for the same action and text: a candidate is what a reader would
    /// expect to match.
    pub(super) fn of(rules: &'r Rules, site: &Site<'_>, pointer: &str, decided: &Rule) -> Self {
        let explanation = rules.explain(site);
        let mut tried: Vec<Tried<'r>> = explanation
            .tried
            .into_iter()
            .filter(|(rule, mismatch)| {
                rule.part == site.part
                    && !matches!(mismatch, Mismatch::Action(_) | Mismatch::Part(_))
            })
            .map(|(rule, mismatch)| Tried {
                rule,
                why: mismatch.to_string(),
            })
            .collect();
        let behind = rules
            .all()
            .iter()
            .skip_while(|rule| *rule != decided)
            .skip(1);
        if explanation.decided.is_some() {
            tried.extend(
                behind
                    .filter(|rule| rule.mismatch(site).is_none())
                    .map(|rule| Tried {
                        rule,
                        why: format!("matches too, but {} comes first", decided.id),
                    }),
            );
        }
        tried.retain(|tried| tried.rule != decided);
        Self {
            pointer: pointer.to_owned(),
            tried,
        }
    }
}
