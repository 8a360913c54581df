//! What chargers told of their connectors, message by message.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::Export;
use super::table::Table;
use crate::cli::error::CliError;
use crate::facts::{Dir, Fact, Kind, Reader};
use crate::ledger::views::rfc3339;
use crate::ocpp::{Envelope, MessageType};

/// Version of the row.
const VERSION: &str = "evenkeel.status-row/1";

/// Keys of a row, `v` left out.
pub(super) const COLUMNS: &[&str] = &[
    "fact",
    "at",
    "charger",
    "connector",
    "status",
    "before",
    "error_code",
    "vendor_error_code",
    "info",
    "charger_time",
];

/// One `StatusNotification`.
#[derive(Serialize)]
struct Row<'a> {
    v: &'static str,
    fact: u64,
    at: String,
    charger: &'a str,
    connector: String,
    status: String,
    before: Option<String>,
    error_code: Option<String>,
    vendor_error_code: Option<String>,
    info: Option<String>,
    charger_time: Option<String>,
}

/// Writes every status that the filters let through, in order. What came before is known also where it is not written.
pub(super) fn write(options: &Export, table: &mut Table) -> Result<(), CliError> {
    let reader = Reader::open(&options.recording.existing()?)?;
    let mut known: HashMap<(String, String), String> = HashMap::new();
    let mut seen = 0_u32;
    for fact in reader.facts() {
        let fact = fact?;
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(4_096) && !table.is_open() {
            break;
        }
        let Some(mut row) = row(&fact) else {
            continue;
        };
        let place = (row.charger.to_owned(), row.connector.clone());
        row.before = known.insert(place, row.status.clone());
        if options.takes(&fact.charger, fact.at) && !table.row(&row)? {
            break;
        }
    }
    Ok(())
}

fn row(fact: &Fact) -> Option<Row<'_>> {
    if fact.kind != Kind::Message || fact.dir != Some(Dir::FromCharger) {
        return None;
    }
    let envelope = Envelope::parse(fact.text()?).ok()?;
    if envelope.kind != MessageType::Call || envelope.action != "StatusNotification" {
        return None;
    }
    let payload: Value = serde_json::from_str(envelope.payload).ok()?;
    let text = |name: &str| match &payload[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    // 2.x counts connectors within an EVSE.
    let connector = [text("evseId"), text("connectorId")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("/");
    Some(Row {
        v: VERSION,
        fact: fact.seq,
        at: rfc3339(fact.at),
        charger: &fact.charger,
        connector,
        status: text("connectorStatus")
            .or_else(|| text("status"))
            .unwrap_or_default(),
        before: None,
        error_code: text("errorCode"),
        vendor_error_code: text("vendorErrorCode"),
        info: text("info"),
        charger_time: text("timestamp"),
    })
}
