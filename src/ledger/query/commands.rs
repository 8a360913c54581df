//! What the shadow commanded: how it was answered, and what it would have changed.

use std::collections::BTreeSet;

use rusqlite::{Row, params, params_from_iter, types::Value};
use serde::Serialize;

use super::{Filter, Reader, count};
use crate::clock::Micros;
use crate::ledger::LedgerError;
use crate::ledger::filter::{Column, Columns};

/// How often commands of one action were answered from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIns {
    /// The action.
    pub action: String,
    /// The source.
    pub source: String,
    /// How often.
    pub count: u64,
    /// On how many chargers.
    pub chargers: u64,
}

/// Equal commands that would have changed chargers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The backend that sent them: `legacy` or `candidate`.
    pub sender: String,
    /// The action.
    pub action: String,
    /// What they were about, as `name=value` after another.
    pub fields: String,
    /// Why an operator must hear of it.
    pub notice: Option<String>,
    /// How often.
    pub count: u64,
    /// How many of them the backend believes obeyed, because that was simulated.
    pub simulated: u64,
    /// When first, µs.
    pub first_seen: Micros,
    /// When last, µs.
    pub last_seen: Micros,
    /// What the authority did.
    pub authority: Twins,
    /// On which chargers.
    pub chargers: Vec<String>,
}

/// Whether the authority sent the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Twins {
    /// It did, within the window.
    pub same: u64,
    /// It sent the same action with other values.
    pub other: u64,
    /// It did not.
    pub none: u64,
    /// That cannot be said: not judged yet, or not comparable.
    pub unknown: u64,
}

/// What a backend was told last before it sent commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trigger {
    /// The charger's message, or `connect`.
    pub after: String,
    /// How often.
    pub count: u64,
    /// How soon a command followed, µs.
    pub soonest_us: i64,
    /// How late a command followed, µs.
    pub latest_us: i64,
    /// How much later the shadow sent the same, at most, µs; none if it did not.
    pub longest_lag_us: Option<i64>,
}

impl Filter {
    /// What this filter says of actions and chargers, in `columns`: a condition, and what is bound, the action and the
    /// charger first.
    pub(super) fn of_messages(&self, columns: Columns) -> (String, Vec<Value>) {
        let narrowing = self.terms.narrowing(self.now, columns);
        let mut bound = vec![self.action.clone().into(), self.charger.clone().into()];
        bound.extend(narrowing.params);
        (narrowing.sql, bound)
    }
}

impl Reader {
    /// How the stand-in answered, by action and source. Of the filter, action and charger count.
    pub fn stand_ins(&self, filter: &Filter) -> Result<Vec<StandIns>, LedgerError> {
        const COLUMNS: Columns = &[
            ("action", Column::One("action")),
            ("charger", Column::One("charger")),
        ];
        let (narrowing, bound) = filter.of_messages(COLUMNS);
        let mut found = Vec::new();
        self.each(
            &format!(
                "SELECT action, source, sum(count), count(*) FROM stand_ins \
                 WHERE (?1 IS NULL OR action = ?1) AND (?2 IS NULL OR charger = ?2) AND {narrowing} \
                 GROUP BY action, source ORDER BY action, source"
            ),
            params_from_iter(bound),
            |row| {
                found.push(StandIns {
                    action: row.get(0)?,
                    source: row.get(1)?,
                    count: count(row, 2)?,
                    chargers: count(row, 3)?,
                });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// What the shadow would have changed, what operators must hear of first, then the most frequent. Of the filter, action
    /// and charger count.
    pub fn attempts(&self, filter: &Filter) -> Result<Vec<Attempt>, LedgerError> {
        const COLUMNS: Columns = &[
            ("action", Column::One("a.action")),
            ("charger", Column::One("a.charger")),
        ];
        let (narrowing, bound) = filter.of_messages(COLUMNS);
        let mut found = Vec::new();
        self.each(
            &format!("SELECT a.sender, a.action, a.fields, a.notice, count(*), sum(a.source = 'simulate'), min(a.at), max(a.at), \
                sum(c.ours <> 0 AND (c.outcome IN ('equal', 'explained') OR c.verdict = 'late')), \
                sum(c.ours <> 0 AND c.outcome = 'divergent' AND c.verdict <> 'late'), \
                sum(c.ours = 0 AND c.outcome <> 'not comparable'), \
                sum(c.id IS NULL OR c.outcome = 'not comparable'), \
                json_group_array(DISTINCT a.charger) \
             FROM attempts a LEFT JOIN commands c ON c.theirs = a.id AND c.theirs <> 0 \
             WHERE (?1 IS NULL OR a.action = ?1) AND (?2 IS NULL OR a.charger = ?2) AND {narrowing} \
             GROUP BY a.sender, a.action, a.fields, a.notice \
             ORDER BY a.notice IS NULL, count(*) DESC, a.sender, a.action, a.fields, a.notice"),
            params_from_iter(bound),
            |row| {
                found.push(attempt(row)?);
                Ok(())
            },
        )?;
        Ok(found)
    }
}

impl Reader {
    /// What came before the commands that show a finding, the most frequent first; nothing for findings about others.
    pub fn triggers(&self, finding: &str) -> Result<Vec<Trigger>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            "SELECT c.after, count(*), min(c.after_us), max(c.after_us), max(c.lag_us) \
             FROM divergences d JOIN commands c ON d.subject = 'command' AND c.id = d.id \
             WHERE d.finding = ?1 AND c.after IS NOT NULL GROUP BY c.after ORDER BY 2 DESC, 1",
            params![finding],
            |row| {
                found.push(Trigger {
                    after: row.get(0)?,
                    count: count(row, 1)?,
                    soonest_us: row.get(2)?,
                    latest_us: row.get(3)?,
                    longest_lag_us: row.get(4)?,
                });
                Ok(())
            },
        )?;
        Ok(found)
    }
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let chargers: String = row.get(12)?;
    let chargers: BTreeSet<String> = serde_json::from_str(&chargers).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(12, rusqlite::types::Type::Text, Box::new(error))
    })?;
    // No command of that fact at all makes a sum of nulls.
    let sum = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.unwrap_or(0) as u64);
    Ok(Attempt {
        sender: row.get(0)?,
        action: row.get(1)?,
        fields: row.get(2)?,
        notice: row.get(3)?,
        count: count(row, 4)?,
        simulated: sum(5)?,
        first_seen: row.get(6)?,
        last_seen: row.get(7)?,
        authority: Twins {
            same: sum(8)?,
            other: sum(9)?,
            none: sum(10)?,
            unknown: sum(11)?,
        },
        chargers: chargers.into_iter().collect(),
    })
}
