//! Records of backends, one row each.

use rust_decimal::Decimal;
use serde::Serialize;

use super::Export;
use super::table::Table;
use crate::cli::error::CliError;
use crate::facts::{Fact, Kind, Leg, Reader};
use crate::judge::records::{Provenance, Reading, Record};
use crate::ledger::views::rfc3339;

/// Version of the row.
const VERSION: &str = "evenkeel.cdr-row/1";

/// Facts read at once.
const PAGE: usize = 1_000;

/// Keys of a row, `v` left out.
pub(super) const COLUMNS: &[&str] = &[
    "fact",
    "at",
    "leg",
    "reader",
    "kind",
    "id",
    "session",
    "transaction",
    "charger",
    "location",
    "evse",
    "connector",
    "token",
    "status",
    "start",
    "end",
    "energy_wh",
    "meter_start_wh",
    "meter_stop_wh",
    "total_time_hours",
    "parking_time_hours",
    "excl_vat",
    "incl_vat",
    "currency",
    "credit",
    "doubts",
    "unreadable",
];

/// A record. What the backend does not tell is null; numbers are exact decimals as text.
#[derive(Default, Serialize)]
struct Row {
    v: &'static str,
    fact: u64,
    at: String,
    leg: Option<&'static str>,
    reader: String,
    kind: Option<&'static str>,
    id: String,
    session: Option<String>,
    transaction: Option<String>,
    charger: Option<String>,
    location: Option<String>,
    evse: Option<String>,
    connector: Option<String>,
    token: Option<String>,
    status: Option<String>,
    start: Option<String>,
    end: Option<String>,
    energy_wh: Option<String>,
    meter_start_wh: Option<String>,
    meter_stop_wh: Option<String>,
    total_time_hours: Option<String>,
    parking_time_hours: Option<String>,
    excl_vat: Option<String>,
    incl_vat: Option<String>,
    currency: Option<String>,
    credit: bool,
    doubts: Vec<String>,
    unreadable: Option<String>,
}

/// Writes every record that the filters let through, in the order in which they were read; their time is the session's
/// start, or when they were read.
pub(super) fn write(options: &Export, table: &mut Table) -> Result<(), CliError> {
    let reader = Reader::open(&options.recording.existing()?)?;
    let mut reading = Reading::default();
    let mut after = 0;
    loop {
        let page = reader.of_kind(Kind::BackendRecord, after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.seq;
        for fact in &page {
            // Read even where it is not wanted: parts of sessions follow.
            let record = reading.read(fact);
            let (charger, start) = record
                .as_ref()
                .map_or((None, None), |it| (it.charger.clone(), it.start));
            if !options.takes(
                charger.as_deref().unwrap_or_default(),
                start.unwrap_or(fact.at),
            ) {
                continue;
            }
            let bare = bare(fact);
            let row = match record {
                Ok(record) => filled(bare, record),
                Err(why) => Row {
                    unreadable: Some(why.to_string()),
                    ..bare
                },
            };
            if !table.row(&row)? {
                return Ok(());
            }
        }
    }
}

fn bare(fact: &Fact) -> Row {
    let row = Row {
        v: VERSION,
        fact: fact.seq,
        at: rfc3339(fact.at),
        leg: fact.leg.map(Leg::word),
        ..Row::default()
    };
    match Provenance::of(fact) {
        Some(source) => Row {
            reader: source.reader,
            kind: Some(source.kind.word()),
            id: source.id,
            ..row
        },
        None => row,
    }
}

fn filled(bare: Row, record: Record) -> Row {
    let text = |number: Option<Decimal>| number.map(|number| number.normalize().to_string());
    let cost = record.cost.unwrap_or_default();
    Row {
        session: record.session,
        transaction: record.transaction,
        charger: record.charger,
        location: record.location,
        evse: record.evse_id.or(record.evse),
        connector: record.connector,
        token: record.token.uid,
        status: record.status,
        start: record.start.map(rfc3339),
        end: record.end.map(rfc3339),
        energy_wh: text(record.energy),
        meter_start_wh: text(record.meter_start),
        meter_stop_wh: text(record.meter_stop),
        total_time_hours: text(record.total_time),
        parking_time_hours: text(record.total_parking_time),
        excl_vat: text(cost.excl_vat),
        incl_vat: text(cost.incl_vat),
        currency: record.currency,
        credit: record.credit,
        doubts: record.doubts,
        ..bare
    }
}
