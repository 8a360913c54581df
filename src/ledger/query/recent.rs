//! What was judged, newest first: a window of it, for views that show what happens.

use rusqlite::params;

use super::{Reader, count, finding_severity};
use crate::clock::Micros;
use crate::ledger::LedgerError;
use crate::ocpp::Severity;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A charger's CALL.
    Exchange,
    /// A backend's command.
    Command,
    /// The shadow's handshake.
    Handshake,
}

/// One judged exchange, command or handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// The fact that began it.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// What it is.
    pub source: Source,
    /// The charger.
    pub charger: String,
    /// The action; empty for handshakes.
    pub action: String,
    /// Word of the outcome.
    pub outcome: String,
    /// Why it is not comparable; for commands what came out, for handshakes what happened.
    pub detail: String,
    /// Worst severity, when divergent.
    pub severity: Option<Severity>,
    /// Answer times of authority and shadow, µs.
    pub answered_us: (Option<i64>, Option<i64>),
}

impl Reader {
    /// Up to `most` judged exchanges, commands and handshakes up to the fact `until`, the newest first.
    pub fn recent(&self, until: u64, most: usize) -> Result<Vec<Recent>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            "SELECT * FROM (SELECT id, at, 0, charger, action, outcome, coalesce(reason, ''), severity, authority_us, shadow_us \
                FROM exchanges WHERE id <= ?1 ORDER BY id DESC LIMIT ?2) \
             UNION ALL SELECT * FROM (SELECT id, at, 1, charger, action, outcome, coalesce(reason, verdict), severity, NULL, NULL \
                FROM commands WHERE id <= ?1 ORDER BY id DESC LIMIT ?2) \
             UNION ALL SELECT * FROM (SELECT id, at, 2, charger, '', outcome, why, severity, NULL, NULL \
                FROM handshakes WHERE id <= ?1 ORDER BY id DESC LIMIT ?2) \
             ORDER BY 1 DESC LIMIT ?2",
            params![i64::try_from(until).unwrap_or(i64::MAX), most as i64],
            |row| {
                found.push(Recent {
                    id: count(row, 0)?,
                    at: row.get(1)?,
                    source: match row.get(2)? {
                        0 => Source::Exchange,
                        1 => Source::Command,
                        _ => Source::Handshake,
                    },
                    charger: row.get(3)?,
                    action: row.get(4)?,
                    outcome: row.get(5)?,
                    detail: row.get(6)?,
                    severity: row.get::<_, Option<u8>>(7)?.map(finding_severity),
                    answered_us: (row.get(8)?, row.get(9)?),
                });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The findings that one exchange, command or handshake shows, worst first: severity, id and sentence.
    pub fn shows(&self, id: u64) -> Result<Vec<(Severity, String, String)>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            "SELECT DISTINCT f.severity, f.id, f.title FROM divergences d JOIN findings f ON f.id = d.finding \
             WHERE d.id = ?1 ORDER BY 1, 2",
            params![id as i64],
            |row| {
                found.push((finding_severity(row.get(0)?), row.get(1)?, row.get(2)?));
                Ok(())
            },
        )?;
        Ok(found)
    }
}
