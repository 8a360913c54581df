//! Coverage as JSON, and as a block of text.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::query;

/// How much of what chargers said was compared. A share is of the messages that are judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Messages of chargers that are judged.
    pub all: u64,
    /// Those that were compared.
    pub comparable: u64,
    /// Those compared that are equal, or differ as rules expect.
    pub matching: u64,
    /// Compared, in thousandths of all, rounded down; absent if there is nothing to compare.
    pub permille: Option<u64>,
    /// Not compared, by reason.
    pub not_comparable: BTreeMap<String, u64>,
    /// By action.
    pub by_action: Vec<Share>,
    /// By model.
    pub by_model: Vec<Share>,
    /// By charger.
    pub by_charger: Vec<Share>,
}

/// The part of one action, model or charger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Its name; empty for chargers of an unknown model and for messages without a readable action.
    pub name: String,
    /// Messages of chargers that are judged.
    pub all: u64,
    /// Those that were compared.
    pub comparable: u64,
    /// Compared, in thousandths of all, rounded down.
    pub permille: Option<u64>,
    /// Not compared, by reason.
    pub not_comparable: BTreeMap<String, u64>,
}

impl From<query::Coverage> for Coverage {
    fn from(coverage: query::Coverage) -> Self {
        let listed = |shares: Vec<query::Share>| shares.into_iter().map(Share::from).collect();
        let (all, comparable) = counts(&coverage.whole);
        Self {
            all,
            comparable,
            matching: coverage.whole.equal + coverage.whole.explained,
            permille: permille(comparable, all),
            not_comparable: coverage.whole.not_comparable,
            by_action: listed(coverage.by_action),
            by_model: listed(coverage.by_model),
            by_charger: listed(coverage.by_charger),
        }
    }
}

impl From<query::Share> for Share {
    fn from(share: query::Share) -> Self {
        let (all, comparable) = counts(&share.outcomes);
        Self {
            name: share.name,
            all,
            comparable,
            permille: permille(comparable, all),
            not_comparable: share.outcomes.not_comparable,
        }
    }
}

/// All, and those compared.
fn counts(outcomes: &query::Outcomes) -> (u64, u64) {
    let comparable = outcomes.comparable();
    let not: u64 = outcomes.not_comparable.values().sum();
    (comparable + not, comparable)
}

/// A part in thousandths, rounded down: all but one is not all.
pub fn permille(part: u64, all: u64) -> Option<u64> {
    part.saturating_mul(1_000).checked_div(all)
}
