//! CDRs and costs, counted where the sessions stand: a later verdict on a session replaces an earlier one.

use std::collections::BTreeMap;

use rusqlite::params;
use rust_decimal::Decimal;
use serde::Serialize;

use super::session;
use crate::ledger::LedgerError;
use crate::ledger::query::Reader;
use crate::ledger::row::{Book, Session};

/// The CDRs and costs of judged sessions on chargers of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// The chargers' model; empty if they have not told it.
    pub model: String,
    /// Sessions that are judged.
    pub sessions: u64,
    /// Sessions with a CDR of legacy's.
    pub legacy_cdrs: u64,
    /// Sessions with a CDR of the candidate's.
    pub candidate_cdrs: u64,
    /// CDRs that legacy took back.
    pub legacy_credits: u64,
    /// CDRs that the candidate took back.
    pub candidate_credits: u64,
    /// Sessions by what is wrong with their records, by the word of the check.
    pub flaws: BTreeMap<String, u64>,
    /// Costs by currency.
    pub costs: BTreeMap<String, Costs>,
    /// The same by legacy's name of the tariff, or the candidate's where legacy names none; empty where neither does.
    pub tariffs: BTreeMap<String, Costs>,
}

/// The candidate's costs beside legacy's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Sessions of which both costs are known.
    pub compared: u64,
    /// The candidate asks for more.
    pub higher: u64,
    /// The candidate asks for less.
    pub lower: u64,
    /// Sum of the candidate's costs less legacy's, exact, as text.
    pub difference: String,
    /// Largest difference of a session, without its sign.
    pub largest: String,
}

/// Reads the books of all models, or of one.
pub(super) fn books(reader: &Reader, model: Option<&str>) -> Result<Vec<Books>, LedgerError> {
    let mut by_model: BTreeMap<String, (Books, Deltas)> = BTreeMap::new();
    reader.each(
        "SELECT coalesce(c.model, ''), s.body FROM sessions s LEFT JOIN stations c ON c.charger = s.charger \
         WHERE s.outcome IS NOT NULL AND (?1 IS NULL OR coalesce(c.model, '') = ?1)",
        params![model],
        |row| {
            let (books, deltas) = by_model.entry(row.get(0)?).or_default();
            count(&session(row, 1)?, books, deltas);
            Ok(())
        },
    )?;
    let costs = |deltas: BTreeMap<String, Delta>| {
        let named = deltas.into_iter().map(|(name, it)| (name, it.into()));
        named.collect()
    };
    let finished = by_model.into_iter().map(|(model, (books, deltas))| Books {
        model,
        costs: costs(deltas.currencies),
        tariffs: costs(deltas.tariffs),
        ..books
    });
    Ok(finished.collect())
}

#[derive(Default)]
struct Deltas {
    currencies: BTreeMap<String, Delta>,
    tariffs: BTreeMap<String, Delta>,
}

#[derive(Default)]
struct Delta {
    costs: Costs,
    sum: Decimal,
    largest: Decimal,
}

impl From<Delta> for Costs {
    fn from(delta: Delta) -> Self {
        Self {
            difference: delta.sum.normalize().to_string(),
            largest: delta.largest.normalize().to_string(),
            ..delta.costs
        }
    }
}

impl Delta {
    fn add(&mut self, difference: Decimal) {
        self.costs.compared += 1;
        self.costs.higher += u64::from(difference > Decimal::ZERO);
        self.costs.lower += u64::from(difference < Decimal::ZERO);
        self.sum += difference;
        self.largest = self.largest.max(difference.abs());
    }
}

fn count(session: &Session, books: &mut Books, deltas: &mut Deltas) {
    let has_cdr = |book: &Option<Book>| book.as_ref().is_some_and(|book| book.source == "cdr");
    let credits = |book: &Option<Book>| book.as_ref().map_or(0, |book| book.credits);
    books.sessions += 1;
    books.legacy_cdrs += u64::from(has_cdr(&session.legacy));
    books.candidate_cdrs += u64::from(has_cdr(&session.candidate));
    books.legacy_credits += credits(&session.legacy);
    books.candidate_credits += credits(&session.candidate);
    for check in &session.checks {
        if !matches!(check.verdict.as_ref(), "equal" | "unknown") {
            let flaw = format!("{}: {}", check.name, check.verdict);
            *books.flaws.entry(flaw).or_default() += 1;
        }
    }
    let Some(check) = session.checks.iter().find(|check| check.name == "cost") else {
        return;
    };
    let number = |text: &Option<String>| text.as_ref()?.parse::<Decimal>().ok();
    let (Some(legacy), Some(candidate)) = (number(&check.legacy), number(&check.candidate)) else {
        return;
    };
    let told = || [&session.legacy, &session.candidate].into_iter().flatten();
    let currency = told().find_map(|book| book.currency.clone());
    let tariffs = told().map(|book| book.tariffs.join(", "));
    let tariff = tariffs.into_iter().find(|names| !names.is_empty());
    for (costs, name) in [
        (&mut deltas.currencies, currency),
        (&mut deltas.tariffs, tariff),
    ] {
        let delta = costs.entry(name.unwrap_or_default()).or_default();
        delta.add(candidate - legacy);
    }
}
