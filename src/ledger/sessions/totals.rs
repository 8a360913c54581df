//! What both backends' books come to: the sums that people reconcile by.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value;
use rust_decimal::Decimal;

use super::session;
use crate::ledger::LedgerError;
use crate::ledger::filter::Where;
use crate::ledger::query::Reader;
use crate::ledger::row::{Book, Outcome, Reason, Session};

/// Sessions that are added up at most, the newest: a view must not cost a year of them.
const MOST: usize = 20_000;

/// The books of both backends, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sessions that were added up.
    pub sessions: u64,
    /// Whether there are more, which were left out.
    pub more: bool,
    /// Legacy's.
    pub legacy: Side,
    /// The candidate's.
    pub candidate: Side,
    /// Sessions whose outcome is awaited.
    pub pending: u64,
    /// Sessions that cannot be compared, by reason.
    pub not_comparable: BTreeMap<String, u64>,
}

/// One backend's books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// Sessions that it knows by a name of its own or has booked.
    pub started: u64,
    /// Sessions that it has booked the end of.
    pub closed: u64,
    /// Sessions that ended at the charger and are open in its books.
    pub left_open: u64,
    /// CDRs.
    pub records: u64,
    /// Sessions that ended and that only the other one has booked.
    pub missing: u64,
    /// Energy, Wh.
    pub energy_wh: Decimal,
    /// Cost by currency, with VAT where it is told.
    pub cost: BTreeMap<String, Decimal>,
}

/// Adds up the newest sessions that fit a condition of [`crate::ledger::filter::SESSION_COLUMNS`].
pub fn totals(reader: &Reader, condition: &Where) -> Result<Totals, LedgerError> {
    let Where { sql, params } = condition;
    let sql = if sql.is_empty() { "TRUE" } else { sql };
    let most = Value::Integer(MOST as i64 + 1);
    let mut totals = Totals::default();
    reader.each(
        &format!("SELECT s.body FROM sessions s WHERE {sql} ORDER BY s.at DESC, s.id DESC LIMIT ?"),
        params_from_iter(params.iter().chain([&most])),
        |row| {
            if totals.sessions == MOST as u64 {
                totals.more = true;
            } else {
                totals.add(&session(row)?);
            }
            Ok(())
        },
    )?;
    Ok(totals)
}

impl Totals {
    fn add(&mut self, session: &Session) {
        self.sessions += 1;
        match (session.outcome, session.reason) {
            (None, _) => self.pending += 1,
            (Some(Outcome::NotComparable), reason) => {
                let word = reason.map_or("", Reason::word);
                *self.not_comparable.entry(word.to_owned()).or_default() += 1;
            }
            _ => {}
        }
        let ended = session.state == "ended";
        let (legacy, candidate) = (session.legacy.as_ref(), session.candidate.as_ref());
        let (ours, theirs) = (&session.legacy_names, &session.candidate_names);
        self.legacy
            .add(legacy, !ours.is_empty(), ended, candidate.is_some());
        self.candidate
            .add(candidate, !theirs.is_empty(), ended, legacy.is_some());
    }
}

impl Side {
    fn add(&mut self, book: Option<&Book>, named: bool, ended: bool, other_booked: bool) {
        self.started += u64::from(named || book.is_some());
        let Some(book) = book else {
            self.missing += u64::from(ended && other_booked);
            return;
        };
        self.closed += u64::from(book.end.is_some());
        self.left_open += u64::from(ended && book.end.is_none());
        self.records += u64::from(book.source == "cdr");
        if let Some(energy) = decimal(book.energy_wh.as_deref()) {
            self.energy_wh += energy;
        }
        let cost = book.incl_vat.as_deref().or(book.excl_vat.as_deref());
        if let Some(cost) = decimal(cost) {
            let currency = book.currency.clone().unwrap_or_default();
            *self.cost.entry(currency).or_default() += cost;
        }
    }
}

/// The number that a book holds; none if it holds none that can be added.
fn decimal(text: Option<&str>) -> Option<Decimal> {
    text.and_then(|text| text.parse().ok())
}
