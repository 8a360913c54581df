//! What one backend has of a session: its records, netted.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::clock::Micros;
use crate::judge::records::{Record, RecordKind};
use crate::ledger::row;

/// Records by kind and identifier.
pub(super) type Shelf = BTreeMap<(RecordKind, String), Record>;

/// The records of one backend about one session.
#[derive(Debug, Default)]
pub(super) struct Book<'a> {
    /// CDRs that no credit took back, oldest first.
    pub(super) cdrs: Vec<&'a Record>,
    /// Session objects, oldest first.
    pub(super) sessions: Vec<&'a Record>,
    /// How many CDRs a credit took back.
    credits: u64,
    /// A credit refers to nothing, or not to the whole amount.
    pub(super) odd_credit: bool,
}

impl<'a> Book<'a> {
    /// Nets CDRs by their credits. CDRs are final: a correction is a credit and a new one.
    pub(super) fn of(shelf: &'a Shelf) -> Self {
        let mut book = Self::default();
        let mut credits = Vec::new();
        for ((kind, _), record) in shelf {
            match kind {
                RecordKind::Session => book.sessions.push(record),
                RecordKind::Cdr if record.credit => credits.push(record),
                RecordKind::Cdr => book.cdrs.push(record),
            }
        }
        for credit in credits {
            let of = credit.credit_reference.as_deref();
            let taken = book
                .cdrs
                .iter()
                .position(|cdr| Some(cdr.source.id.as_str()) == of);
            match taken.map(|place| book.cdrs.remove(place)) {
                Some(cdr) => {
                    book.credits += 1;
                    book.odd_credit |= !negates(credit, cdr);
                }
                None => book.odd_credit = true,
            }
        }
        let age = |record: &&Record| (record.last_updated, record.source.id.clone());
        book.cdrs.sort_by_key(age);
        book.sessions.sort_by_key(age);
        book
    }

    /// The record that is compared: the last CDR, else the last session.
    pub(super) fn main(&self) -> Option<&'a Record> {
        self.cdrs.last().or(self.sessions.last()).copied()
    }

    /// Whether nothing more is expected of a backend that gives records of this kind in the end.
    pub(super) fn is_final(&self, kind: RecordKind) -> bool {
        match kind {
            RecordKind::Cdr => !self.cdrs.is_empty(),
            RecordKind::Session => self
                .main()
                .is_some_and(|record| record.source.kind == RecordKind::Cdr || is_over(record)),
        }
    }

    /// Dimensions of all periods, added up.
    pub(super) fn volumes(&self) -> BTreeMap<&'a str, Decimal> {
        let mut volumes = BTreeMap::new();
        let periods = self.main().into_iter().flat_map(|record| &record.periods);
        for (name, volume) in periods.flat_map(|period| &period.dimensions) {
            let sum = volumes.entry(name.as_str()).or_insert(Decimal::ZERO);
            *sum = sum.checked_add(*volume).unwrap_or(*sum);
        }
        volumes
    }

    /// Signed meter values, as text.
    pub(super) fn signed(&self) -> Option<String> {
        let found = self.main()?.signed_data.as_ref();
        found.map(ToString::to_string)
    }

    /// For the ledger.
    pub(super) fn row(&self) -> Option<row::Book> {
        let main = self.main()?;
        let mut book = row_of(main);
        let all = self.cdrs.iter().chain(&self.sessions);
        let others = all
            .map(|record| record.fact)
            .filter(|fact| *fact != main.fact);
        book.facts.extend(others);
        book.credits = self.credits;
        Some(book)
    }
}

/// A record for the ledger.
pub(super) fn row_of(record: &Record) -> row::Book {
    let text = |number: Option<Decimal>| number.map(|number| number.normalize().to_string());
    let cost = record.cost.unwrap_or_default();
    row::Book {
        facts: vec![record.fact],
        source: record.source.kind.word().into(),
        start: record.start,
        end: record.end,
        mended: None,
        energy_wh: text(record.energy),
        parking_hours: text(record.total_parking_time),
        excl_vat: text(cost.excl_vat),
        incl_vat: text(cost.incl_vat),
        currency: record.currency.clone(),
        tariffs: tariffs(record),
        credits: 0,
        notes: record.doubts.clone(),
    }
}

/// Names of a record's tariffs, each once.
fn tariffs(record: &Record) -> Vec<String> {
    let brought = record.tariffs.iter().filter_map(|it| it["id"].as_str());
    let periods = record.periods.iter();
    let applied = periods.filter_map(|period| period.tariff.as_deref());
    let mut names: Vec<String> = brought.chain(applied).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a session object says that the session is over.
pub(super) fn is_over(record: &Record) -> bool {
    match record.status.as_deref() {
        Some(status) => status.eq_ignore_ascii_case("COMPLETED") || status == "INVALID",
        None => record.end.is_some(),
    }
}

/// When the backend had the record: what it says itself, for a reading comes later.
pub(super) fn appeared(record: &Record) -> Option<Micros> {
    record.last_updated
}

fn negates(credit: &Record, cdr: &Record) -> bool {
    let amount = |record: &Record| record.cost.and_then(|cost| cost.excl_vat.or(cost.incl_vat));
    match (amount(credit), amount(cdr)) {
        (Some(credit), Some(cdr)) => credit == -cdr,
        _ => true,
    }
}
