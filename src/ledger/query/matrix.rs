//! What was exercised: every action on every model, seen, thin or never.

use std::collections::BTreeMap;

use rusqlite::params;

use super::super::LedgerError;
use super::super::row::Subject;
use super::{Outcomes, Reader, count};

/// What came of every action on every model of chargers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    /// Models, and how many chargers have each; the empty name is for chargers that have not told theirs.
    pub models: BTreeMap<String, u64>,
    /// Numbers of the OCPP versions that were spoken lately.
    pub versions: Vec<String>,
    /// What was seen, by action (`command Reset` for commands) and model. What is not in it was never seen.
    pub cells: BTreeMap<String, BTreeMap<String, Outcomes>>,
}

/// Exchanges that tell which versions are spoken.
const LATELY: i64 = 20_000;

/// A charger's model as it told last.
const MODEL: &str = "coalesce((SELECT model FROM chargers c WHERE c.charger = t.charger \
    ORDER BY since DESC LIMIT 1), '')";

impl Matrix {
    /// The name that an action has among the cells: a command may be called as a message of chargers is.
    pub fn key(subject: Subject, action: &str) -> String {
        match subject {
            Subject::Command => format!("command {action}"),
            Subject::Exchange | Subject::Handshake | Subject::Session => action.to_owned(),
        }
    }
}

impl Reader {
    /// Exchanges and commands, by action and model. Messages that the tap made up count for nothing.
    pub fn matrix(&self) -> Result<Matrix, LedgerError> {
        let mut matrix = Matrix::default();
        self.each(
            "SELECT model, count(*) FROM (SELECT charger, model, max(since) FROM chargers GROUP BY charger) \
             GROUP BY model",
            params![],
            |row| {
                matrix.models.insert(row.get(0)?, count(row, 1)?);
                Ok(())
            },
        )?;
        self.each(
            "SELECT DISTINCT version FROM (SELECT version FROM exchanges ORDER BY id DESC LIMIT ?1) ORDER BY 1",
            params![LATELY],
            |row| {
                matrix.versions.push(row.get(0)?);
                Ok(())
            },
        )?;
        for subject in [Subject::Exchange, Subject::Command] {
            self.each(
                &format!(
                    "SELECT t.action, {MODEL}, t.outcome, t.reason, sum(t.count) FROM tallies t \
                     WHERE t.subject = ?1 AND t.reason <> 'synthetic' GROUP BY 1, 2, 3, 4"
                ),
                params![subject.word()],
                |row| {
                    let (action, model): (String, String) = (row.get(0)?, row.get(1)?);
                    matrix.models.entry(model.clone()).or_default();
                    let cells = (matrix.cells)
                        .entry(Matrix::key(subject, &action))
                        .or_default();
                    let outcome: String = row.get(2)?;
                    let seen = cells.entry(model).or_default();
                    seen.add(&outcome, row.get(3)?, count(row, 4)?);
                    Ok(())
                },
            )?;
        }
        Ok(matrix)
    }
}
