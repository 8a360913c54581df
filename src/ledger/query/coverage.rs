//! Coverage: how much of what chargers said could be compared at all. Parity on a part of it is parity of that part.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Filter, Outcomes, Reader, count};
use crate::ledger::LedgerError;
use crate::ledger::row::Subject;

/// Charger messages that were judged, and how many of them were compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// All of them.
    pub whole: Outcomes,
    /// By action, in order of names.
    pub by_action: Vec<Share>,
    /// By model; empty for chargers that have not told theirs.
    pub by_model: Vec<Share>,
    /// By charger.
    pub by_charger: Vec<Share>,
}

/// The part of one action, model or charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// What came out of its messages.
    pub outcomes: Outcomes,
}

impl Reader {
    /// Coverage of exchanges, of one action and one charger where the filter names them. Made-up messages count for
    /// nothing: no charger sent them.
    pub fn covered(&self, filter: &Filter) -> Result<Coverage, LedgerError> {
        let mut whole = Outcomes::default();
        let mut shares: [BTreeMap<String, Outcomes>; 3] = Default::default();
        self.each(
            "SELECT t.action, coalesce(c.model, ''), t.charger, t.outcome, t.reason, t.count \
             FROM tallies t LEFT JOIN chargers c ON c.charger = t.charger \
             WHERE t.subject = ?1 AND t.reason <> 'synthetic' AND (?2 IS NULL OR t.action = ?2) \
                AND (?3 IS NULL OR t.charger = ?3)",
            params![Subject::Exchange.word(), filter.action, filter.charger],
            |row| {
                let (outcome, reason): (String, String) = (row.get(3)?, row.get(4)?);
                let count = count(row, 5)?;
                whole.add(&outcome, reason.clone(), count);
                for (at, shares) in shares.iter_mut().enumerate() {
                    let share = shares.entry(row.get(at)?).or_default();
                    share.add(&outcome, reason.clone(), count);
                }
                Ok(())
            },
        )?;
        let [by_action, by_model, by_charger] = shares.map(listed);
        Ok(Coverage {
            whole,
            by_action,
            by_model,
            by_charger,
        })
    }
}

fn listed(shares: BTreeMap<String, Outcomes>) -> Vec<Share> {
    shares
        .into_iter()
        .map(|(name, outcomes)| Share { name, outcomes })
        .collect()
}
