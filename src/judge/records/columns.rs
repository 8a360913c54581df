//! Rows of files: which column holds what, in which unit, zone and spelling.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tree::KILO;
use super::{Price, Record, RecordKind};
use crate::clock::Micros;
use crate::judge::tree::decimal;

/// What a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The record's identifier. Needed.
    Id,
    /// The session that a CDR is about.
    Session,
    /// The OCPP transaction identifier.
    Transaction,
    /// The charger's OCPP identity.
    Charger,
    /// The location.
    Location,
    /// The EVSE.
    Evse,
    /// The connector.
    Connector,
    /// The identifier that the charger read.
    Token,
    /// The contract.
    Contract,
    /// When it began.
    Start,
    /// When it ended.
    End,
    /// Energy.
    Energy,
    /// The register at the beginning.
    MeterStart,
    /// The register at the end.
    MeterStop,
    /// Cost without taxes.
    CostExclVat,
    /// Cost with taxes.
    CostInclVat,
    /// The currency of this row.
    Currency,
    /// Status.
    Status,
    /// When it was changed last.
    LastUpdated,
    /// The CDR that this one takes back.
    CreditReference,
}

/// A unit of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Watt-hours.
    Wh,
    /// Kilowatt-hours.
    #[serde(rename = "kWh")]
    KWh,
    /// Megawatt-hours.
    MWh,
}

/// What the columns of a file mean: written by people as TOML, kept in each fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMap {
    /// Sessions or CDRs.
    pub kind: RecordKind,
    /// The zone of times that name none: `Europe/Berlin`, `UTC` or `+01:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The form of times as `strftime` writes them; RFC 3339 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The decimal sign.
    #[serde(default = "point")]
    pub decimal: char,
    /// What groups digits, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// The unit of energy. Needed where a column holds energy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Unit>,
    /// The unit of registers, where it is another than that of energy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registers: Option<Unit>,
    /// The currency of all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What is in which column. In JSON a name that begins with `/` is a pointer (RFC 6901).
    pub columns: BTreeMap<Field, String>,
}

const fn point() -> char {
    '.'
}

/// Why a column map cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No column for the identifier.
    #[error("`columns` names none for `id`")]
    NoId,
    /// Energy without a unit.
    #[error("a column holds energy, but `energy` names no unit (\"Wh\", \"kWh\" or \"MWh\")")]
    NoUnit,
    /// An unknown zone.
    #[error("no time zone {0:?}: write \"UTC\", \"+01:00\" or a name such as \"Europe/Berlin\"")]
    Zone(String),
    /// The decimal sign groups digits too.
    #[error("`decimal` and `thousands` are the same sign")]
    Signs,
}

/// A value that could not be read, or could be read in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// The column, as the map names it.
    pub column: String,
    /// What is wrong, as a sentence fragment.
    pub why: String,
    /// Whether a value was taken all the same.
    pub is_read: bool,
}

#[derive(Debug, Clone, Copy)]
enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl ColumnMap {
    /// Whether rows can be read with it.
    pub fn check(&self) -> Result<(), MapError> {
        let has = |fields: &[Field]| fields.iter().any(|field| self.columns.contains_key(field));
        if !has(&[Field::Id]) {
            return Err(MapError::NoId);
        }
        let registers = has(&[Field::MeterStart, Field::MeterStop]) && self.registers.is_none();
        if self.energy.is_none() && (has(&[Field::Energy]) || registers) {
            return Err(MapError::NoUnit);
        }
        if self.thousands == Some(self.decimal) {
            return Err(MapError::Signs);
        }
        self.zone().map(|_| ())
    }

    /// The record's identifier in a row.
    pub fn id(&self, row: &Value) -> Option<String> {
        self.plain(row, Field::Id)
    }

    /// The column that holds the identifier.
    pub fn id_column(&self) -> &str {
        self.columns.get(&Field::Id).map_or("", String::as_str)
    }

    /// What cannot be read of a row.
    pub fn misread(&self, row: &Value) -> Vec<Misread> {
        let mut misread = Vec::new();
        for &field in self.columns.keys() {
            match field {
                Field::Start | Field::End | Field::LastUpdated => {
                    self.instant(row, field, &mut misread);
                }
                Field::Energy
                | Field::MeterStart
                | Field::MeterStop
                | Field::CostExclVat
                | Field::CostInclVat => {
                    self.number(row, field, &mut misread);
                }
                _ => {}
            }
        }
        misread
    }

    fn zone(&self) -> Result<Option<Zone>, MapError> {
        let Some(name) = &self.zone else {
            return Ok(None);
        };
        let named = name.parse().map(Zone::Named);
        let zone = named.or_else(|_| name.parse().map(Zone::Fixed));
        zone.map(Some).map_err(|_| MapError::Zone(name.clone()))
    }

    /// The text of a field; empty is absent.
    fn plain(&self, row: &Value, field: Field) -> Option<String> {
        let column = self.columns.get(&field)?;
        let value = if column.starts_with('/') {
            row.pointer(column)
        } else {
            row.get(column)
        };
        let text = match value? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    fn misses(&self, field: Field, text: &str, why: &str, is_read: bool) -> Misread {
        Misread {
            column: self.columns.get(&field).cloned().unwrap_or_default(),
            why: format!("{text:?} {why}"),
            is_read,
        }
    }

    fn number(&self, row: &Value, field: Field, misread: &mut Vec<Misread>) -> Option<Decimal> {
        let text = self.plain(row, field)?;
        // JSON numbers are spelt one way only.
        let is_json = row
            .get(self.columns.get(&field)?)
            .is_some_and(Value::is_number);
        let read = if is_json {
            decimal(&text)
        } else {
            self.spelt(&text)
        };
        if read.is_none() {
            let why = format!("is not a number with the decimal sign {:?}", self.decimal);
            misread.push(self.misses(field, &text, &why, false));
        }
        read
    }

    fn spelt(&self, text: &str) -> Option<Decimal> {
        let grouped = |c: &char| Some(*c) == self.thousands;
        let plain: String = text.chars().filter(|c| !grouped(c)).collect();
        if self.decimal == '.' {
            return decimal(&plain);
        }
        if plain.contains('.') {
            return None;
        }
        decimal(&plain.replace(self.decimal, "."))
    }

    fn instant(&self, row: &Value, field: Field, misread: &mut Vec<Misread>) -> Option<Micros> {
        let text = self.plain(row, field)?;
        let with_zone = match &self.time {
            None => DateTime::parse_from_rfc3339(&text).ok(),
            Some(form) => DateTime::parse_from_str(&text, form).ok(),
        };
        if let Some(instant) = with_zone {
            return Some(instant.timestamp_micros());
        }
        let form = self.time.as_deref().unwrap_or("%Y-%m-%dT%H:%M:%S%.f");
        let Ok(local) = NaiveDateTime::parse_from_str(&text, form) else {
            misread.push(self.misses(field, &text, &format!("is not a time like {form}"), false));
            return None;
        };
        let zone = self.zone().ok().flatten();
        let (instant, why) = match zone.map(|zone| in_zone(zone, local)) {
            None => (None, "names no zone, and the column map has none"),
            Some(LocalResult::None) => (
                None,
                "does not exist in its zone: the clock was put forward",
            ),
            Some(LocalResult::Single(instant)) => return Some(instant),
            Some(LocalResult::Ambiguous(first, _)) => (
                Some(first),
                "happened twice in its zone; the earlier one was taken",
            ),
        };
        misread.push(self.misses(field, &text, why, instant.is_some()));
        instant
    }
}

fn in_zone(zone: Zone, local: NaiveDateTime) -> LocalResult<Micros> {
    match zone {
        Zone::Named(zone) => zone
            .from_local_datetime(&local)
            .map(|at| at.timestamp_micros()),
        Zone::Fixed(zone) => zone
            .from_local_datetime(&local)
            .map(|at| at.timestamp_micros()),
    }
}

fn in_wh(amount: Decimal, unit: Option<Unit>) -> Option<Decimal> {
    match unit? {
        Unit::Wh => Some(amount),
        Unit::KWh => amount.checked_mul(KILO),
        Unit::MWh => amount.checked_mul(KILO)?.checked_mul(KILO),
    }
}

/// Reads a row through the map in the record's provenance.
pub(super) fn read(mut record: Record, row: &Value) -> Record {
    let Some(map) = record.source.columns.clone() else {
        record.doubts.push("the row has no column map".to_owned());
        return record;
    };
    let mut misread = Vec::new();
    let plain = |field| map.plain(row, field);
    record.session = plain(Field::Session);
    record.transaction = plain(Field::Transaction);
    record.charger = plain(Field::Charger);
    record.location = plain(Field::Location);
    record.evse = plain(Field::Evse);
    record.connector = plain(Field::Connector);
    record.token.uid = plain(Field::Token);
    record.token.contract_id = plain(Field::Contract);
    record.status = plain(Field::Status);
    record.currency = plain(Field::Currency).or_else(|| map.currency.clone());
    record.credit_reference = plain(Field::CreditReference);
    record.credit = record.credit_reference.is_some();
    record.start = map.instant(row, Field::Start, &mut misread);
    record.end = map.instant(row, Field::End, &mut misread);
    record.last_updated = map.instant(row, Field::LastUpdated, &mut misread);
    let mut number = |field| map.number(row, field, &mut misread);
    let registers = map.registers.or(map.energy);
    record.energy = number(Field::Energy).and_then(|amount| in_wh(amount, map.energy));
    record.meter_start = number(Field::MeterStart).and_then(|amount| in_wh(amount, registers));
    record.meter_stop = number(Field::MeterStop).and_then(|amount| in_wh(amount, registers));
    let cost = Price {
        excl_vat: number(Field::CostExclVat),
        incl_vat: number(Field::CostInclVat),
    };
    record.cost = (cost != Price::default()).then_some(cost);
    record.energy_from_registers();
    let said = misread.iter();
    record.doubts = said
        .map(|misread| format!("{}: {}", misread.column, misread.why))
        .collect();
    record
}
