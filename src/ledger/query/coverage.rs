//! Coverage: how much of what chargers said could be compared at all. Parity on a part of it is parity of that part.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;

use super::{Filter, Outcomes, Reader, count};
use crate::ledger::LedgerError;
use crate::ledger::filter::{Column, Columns};
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
        const COLUMNS: Columns = &[
            ("action", Column::One("t.action")),
            ("charger", Column::One("t.charger")),
        ];
        let (narrowing, bound) = filter.of_messages(COLUMNS);
        let mut whole = Outcomes::default();
        let mut shares: [BTreeMap<String, Outcomes>; 3] = Default::default();
        self.each(
            &format!(
                "SELECT t.action, coalesce((SELECT model FROM chargers c WHERE c.charger = t.charger \
                    ORDER BY since DESC LIMIT 1), ''), t.charger, t.outcome, t.reason, t.count FROM tallies t \
                 WHERE t.subject = '{}' AND t.reason <> 'synthetic' AND (?1 IS NULL OR t.action = ?1) \
                    AND (?2 IS NULL OR t.charger = ?2) AND {narrowing}",
                Subject::Exchange.word()
            ),
            params_from_iter(bound),
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
