//! A page of sessions, the newest first: what a screen shows of a hundred thousand.

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::{View, session};
use crate::ledger::LedgerError;
use crate::ledger::filter::Where;
use crate::ledger::query::Reader;
use crate::ledger::row::Session;

/// Sessions `offset` to `offset` and as many as there are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// How many fit the condition.
    pub total: u64,
    /// How many are left out before the first.
    pub offset: u64,
    /// The sessions.
    pub sessions: Vec<View>,
}

/// Reads up to `most` sessions that fit a condition of [`crate::ledger::filter::SESSION_COLUMNS`]; an empty one lets all
/// through.
pub fn page(
    reader: &Reader,
    condition: &Where,
    (offset, most): (u64, usize),
) -> Result<Page, LedgerError> {
    let Where { sql, params } = condition;
    let sql = if sql.is_empty() { "TRUE" } else { sql };
    let mut page = Page {
        offset,
        ..Page::default()
    };
    reader.each(
        &format!("SELECT count(*) FROM sessions s WHERE {sql}"),
        params_from_iter(params),
        |row| {
            page.total = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(())
        },
    )?;
    let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let window = [number(most as u64), number(offset)];
    reader.each(
        &format!(
            "SELECT s.body FROM sessions s WHERE {sql} ORDER BY s.at DESC, s.id DESC LIMIT ? OFFSET ?"
        ),
        params_from_iter(params.iter().chain(&window)),
        |row| {
            page.sessions.push(View::from(session(row)?));
            Ok(())
        },
    )?;
    Ok(page)
}

impl Reader {
    /// The session with this identity.
    pub fn session(&self, id: u64) -> Result<Option<Session>, LedgerError> {
        let mut found = None;
        self.each(
            "SELECT body FROM sessions WHERE id = ?1",
            params![id as i64],
            |row| {
                found = Some(session(row)?);
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The session of `charger` that began last up to the fact `seq`.
    pub fn session_at(&self, charger: &str, seq: u64) -> Result<Option<Session>, LedgerError> {
        let mut found = None;
        self.each(
            "SELECT body FROM sessions WHERE id <= ?1 AND id > ?2 AND charger = ?3 ORDER BY id DESC LIMIT 1",
            params![
                i64::try_from(seq).unwrap_or(i64::MAX),
                i64::try_from(seq.saturating_sub(crate::ledger::query::REACH)).unwrap_or(i64::MAX),
                charger
            ],
            |row| {
                found = Some(session(row)?);
                Ok(())
            },
        )?;
        Ok(found)
    }
}
