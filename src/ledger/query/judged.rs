//! One judged exchange or command, by the number of its fact.

use rusqlite::params;

use super::{Reader, count};
use crate::clock::Micros;
use crate::ledger::LedgerError;
use crate::ledger::row::Subject;

/// An exchange or command, and where its texts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it is.
    pub subject: Subject,
    /// Sequence number of its fact.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// OCPP version number.
    pub version: String,
    /// The action.
    pub action: String,
    /// The authority's name.
    pub authority: String,
    /// Word of the outcome.
    pub outcome: String,
    /// Why not comparable; empty if it is.
    pub reason: String,
    /// The root finding; empty unless tainted.
    pub root: String,
    /// Rules that explained a difference, with commas between them.
    pub rules: String,
    /// Facts that hold the texts: the charger's CALL, the authority's and the shadow's side. 0 where there is none.
    pub facts: [u64; 3],
    /// The fact with which the charger's CALL went to the shadow; 0 for commands, and for what did not go.
    pub sent: u64,
    /// Findings that it belongs to.
    pub findings: Vec<String>,
}

impl Reader {
    /// The exchange or command whose fact has this number.
    pub fn judged(&self, id: u64) -> Result<Option<Judged>, LedgerError> {
        let mut found = None;
        self.each(
            "SELECT 'exchange', id, at, charger, version, action, authority, outcome, coalesce(reason, ''), \
                coalesce(root, ''), rules, id, answer, shadow, sent FROM exchanges WHERE id = ?1 \
             UNION ALL SELECT 'command', id, at, charger, version, action, authority, outcome, coalesce(reason, ''), \
                '', rules, 0, ours, theirs, 0 FROM commands WHERE id = ?1 OR theirs = ?1",
            params![id as i64],
            |row| {
                let subject: String = row.get(0)?;
                found = Some(Judged {
                    subject: match subject.as_str() {
                        "command" => Subject::Command,
                        _ => Subject::Exchange,
                    },
                    id: count(row, 1)?,
                    at: row.get(2)?,
                    charger: row.get(3)?,
                    version: row.get(4)?,
                    action: row.get(5)?,
                    authority: row.get(6)?,
                    outcome: row.get(7)?,
                    reason: row.get(8)?,
                    root: row.get(9)?,
                    rules: row.get(10)?,
                    facts: [count(row, 11)?, count(row, 12)?, count(row, 13)?],
                    sent: count(row, 14)?,
                    findings: Vec::new(),
                });
                Ok(())
            },
        )?;
        if let Some(judged) = &mut found {
            self.each(
                "SELECT DISTINCT finding FROM divergences WHERE id = ?1 AND subject = ?2 ORDER BY finding",
                params![judged.id as i64, judged.subject.word()],
                |row| {
                    judged.findings.push(row.get(0)?);
                    Ok(())
                },
            )?;
        }
        Ok(found)
    }
}
