//! Session and CDR records of backends, as one form whatever they were read from.
//!
//! A [`Kind::BackendRecord`] fact holds the record as it came; what it means is read here, purely, so that better reading
//! re-reads old recordings. This module stands in `judge` because it needs facts and is needed by the judge, while the
//! readers in `backends`, which may use everything above them, fetch without understanding. Numbers are exact decimals,
//! times are µs UTC, energy is Wh whatever the backend counts in.

mod citrineos;
pub mod columns;
mod ocpi;
mod steve;
mod tree;

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Micros;
use crate::facts::{Fact, Kind, Leg};
pub use columns::ColumnMap;
use tree::Members;

/// Session or charge detail record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A charging session, possibly still running; a later reading replaces an earlier one.
    Session,
    /// A charge detail record: final, corrected only by a credit record and a new one.
    Cdr,
}

impl RecordKind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Cdr => "cdr",
        }
    }
}

/// The form that a record came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// An OCPI 2.2, 2.2.1 or 2.3.0 object, whole.
    Ocpi,
    /// Part of an OCPI session: members that replace those known before, charging periods that follow them.
    OcpiPatch,
    /// A transaction of SteVe's REST API.
    Steve,
    /// A row of CitrineOS's database, joined from its transaction tables.
    Citrineos,
    /// A row of a file, read through the column map in the note.
    Columns,
}

/// Where a record was read: the note of its fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The reader, as configured.
    pub reader: String,
    /// The form of the body.
    pub form: Form,
    /// Session or CDR.
    pub kind: RecordKind,
    /// The backend's own identifier.
    pub id: String,
    /// Where it was read, without query, user and password; a path for files.
    pub url: String,
    /// The page, counted from 1; 0 where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub page: u64,
    /// Position in the page, or line of the file, counted from 1; 0 where there is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub row: u64,
    /// When it was read, µs since the Unix epoch, UTC.
    pub read_at: Micros,
    /// What the columns of a file mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<ColumnMap>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Provenance {
    /// The provenance in a fact's note, if it is one of a backend record.
    pub fn of(fact: &Fact) -> Option<Self> {
        if fact.kind != Kind::BackendRecord {
            return None;
        }
        serde_json::from_str(&fact.note).ok()
    }
}

/// One pass of a reader over what a backend has: the note of its fact. Where nothing was read, nothing is known to be
/// missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The reader, as configured.
    pub reader: String,
    /// Session or CDR.
    pub kind: RecordKind,
    /// Where the next pass may begin, in the backend's own time (µs UTC): records changed before it have been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Micros>,
    /// Records seen, each counted once.
    pub seen: u64,
    /// Of those, records that are new or have changed; each is a fact of its own.
    pub recorded: u64,
    /// How many records the backend says there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<u64>,
    /// Why the pass did not reach its end; absent if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

impl Sweep {
    /// The pass that a fact tells of, if it does.
    pub fn of(fact: &Fact) -> Option<Self> {
        if fact.kind != Kind::BackendRead {
            return None;
        }
        serde_json::from_str(&fact.note).ok()
    }
}

/// An amount of money; its currency stands on the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// Without taxes.
    pub excl_vat: Option<Decimal>,
    /// With taxes.
    pub incl_vat: Option<Decimal>,
}

/// Who charged, as the backend says. Personal: never leaves the recording unmasked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Token {
    /// The identifier that the charger read.
    pub uid: Option<String>,
    /// `RFID`, `APP_USER`, ...: OCPI's or OCPP's word.
    pub kind: Option<String>,
    /// The contract (eMAID).
    pub contract_id: Option<String>,
    /// Country of the party that issued it.
    pub country: Option<String>,
    /// The party that issued it.
    pub party: Option<String>,
}

/// A CDR's copy of the place, as it was then. Empty where the backend keeps none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Parts of the address, by OCPI's name (`address`, `city`, ...).
    pub address: Vec<(&'static str, String)>,
    /// Latitude and longitude, degrees.
    pub coordinates: Option<(Decimal, Decimal)>,
    /// What kind of connector it is, by OCPI's name (`connector_standard`, ...): tariffs may depend on it.
    pub socket: Vec<(&'static str, String)>,
}

/// A stretch of a session in which nothing that is priced changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// When it began.
    pub start: Option<Micros>,
    /// Amounts by dimension, in the units of OCPI.
    pub dimensions: Vec<(String, Decimal)>,
    /// The tariff in force.
    pub tariff: Option<String>,
}

/// One session or CDR as one backend sees it. What the backend does not tell is absent, never guessed.
#[derive(Debug, Clone)]
pub struct Record {
    /// The backend.
    pub leg: Leg,
    /// Where it was read, its kind and its identifier.
    pub source: Provenance,
    /// The fact that holds it.
    pub fact: u64,
    /// The session that a CDR is about, by the backend's identifier.
    pub session: Option<String>,
    /// The OCPP transaction identifier, where the backend tells it.
    pub transaction: Option<String>,
    /// Country and party that own the record.
    pub country: Option<String>,
    /// The party that owns the record.
    pub party: Option<String>,
    /// The charger's OCPP identity, where the backend tells it.
    pub charger: Option<String>,
    /// The location.
    pub location: Option<String>,
    /// The EVSE within the location.
    pub evse: Option<String>,
    /// The EVSE's public identifier (eMI3).
    pub evse_id: Option<String>,
    /// The connector.
    pub connector: Option<String>,
    /// The place as it was then.
    pub site: Site,
    /// Who charged.
    pub token: Token,
    /// When it began.
    pub start: Option<Micros>,
    /// When it ended.
    pub end: Option<Micros>,
    /// Energy in Wh.
    pub energy: Option<Decimal>,
    /// The meter's register at the beginning, Wh.
    pub meter_start: Option<Decimal>,
    /// The meter's register at the end, Wh.
    pub meter_stop: Option<Decimal>,
    /// The meter.
    pub meter: Option<String>,
    /// Whole duration in hours, as a CDR states it.
    pub total_time: Option<Decimal>,
    /// Time without charging in hours, as a CDR states it.
    pub total_parking_time: Option<Decimal>,
    /// What it cost.
    pub cost: Option<Price>,
    /// Parts of the cost, by OCPI's name (`total_energy_cost`, ...).
    pub cost_parts: Vec<(&'static str, Price)>,
    /// Currency of all amounts (ISO 4217).
    pub currency: Option<String>,
    /// Charging periods in the order of their starts.
    pub periods: Vec<Period>,
    /// Tariffs, as they came.
    pub tariffs: Vec<Value>,
    /// `ACTIVE`, `COMPLETED`, ...: the backend's word; enumerations are open.
    pub status: Option<String>,
    /// How the driver was authorised.
    pub auth_method: Option<String>,
    /// The reference that the driver's provider gave.
    pub authorization_reference: Option<String>,
    /// Why it ended, as the backend says.
    pub stop_reason: Option<String>,
    /// A CDR that takes another one back.
    pub credit: bool,
    /// The CDR that it takes back.
    pub credit_reference: Option<String>,
    /// The driver is paid back for charging at home; `None` where the backend knows no such thing.
    pub home_charging: Option<bool>,
    /// Words for whoever receives it.
    pub remark: Option<String>,
    /// Signed meter values, as they came.
    pub signed_data: Option<Value>,
    /// When the backend changed it last.
    pub last_updated: Option<Micros>,
    /// When the backend did not have it yet, µs: the end of its last whole reading before. Not in the record itself.
    pub absent: Option<Micros>,
    /// What was there but could not be read, or could be read in two ways; sentences.
    pub doubts: Vec<String>,
}

impl Record {
    fn of(leg: Leg, fact: u64, source: Provenance) -> Self {
        Self {
            leg,
            source,
            fact,
            session: None,
            transaction: None,
            country: None,
            party: None,
            charger: None,
            location: None,
            evse: None,
            evse_id: None,
            connector: None,
            site: Site::default(),
            token: Token::default(),
            start: None,
            end: None,
            energy: None,
            meter_start: None,
            meter_stop: None,
            meter: None,
            total_time: None,
            total_parking_time: None,
            cost: None,
            cost_parts: Vec::new(),
            currency: None,
            periods: Vec::new(),
            tariffs: Vec::new(),
            status: None,
            auth_method: None,
            authorization_reference: None,
            stop_reason: None,
            credit: false,
            credit_reference: None,
            home_charging: None,
            remark: None,
            signed_data: None,
            last_updated: None,
            absent: None,
            doubts: Vec::new(),
        }
    }

    /// Energy from the registers, where the backend tells no total.
    fn energy_from_registers(&mut self) {
        if self.energy.is_none()
            && let (Some(start), Some(stop)) = (self.meter_start, self.meter_stop)
        {
            self.energy = stop.checked_sub(start);
        }
    }
}

/// Why a fact gives no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not a backend record, or its note is damaged.
    #[error("the fact is no backend record")]
    Note,
    /// The body is not a JSON object.
    #[error("the record is not a JSON object: {0}")]
    Body(String),
    /// The fact names no backend.
    #[error("the record belongs to no backend")]
    Leg,
    /// A part of a session of which nothing was seen before.
    #[error("a part of session {0}, of which nothing was seen before")]
    Rootless(String),
}

/// Reads records in the order of their facts; remembers what was pushed, because parts follow.
#[derive(Debug, Default)]
pub struct Reading {
    whole: HashMap<(Leg, String), Value>,
}

impl Reading {
    /// The record that a fact holds, with everything that earlier facts say about it.
    pub fn read(&mut self, fact: &Fact) -> Result<Record, Unreadable> {
        let source = Provenance::of(fact).ok_or(Unreadable::Note)?;
        let leg = fact.leg.ok_or(Unreadable::Leg)?;
        let body = object(&fact.body)?;
        if source.kind == RecordKind::Session && matches!(source.form, Form::Ocpi | Form::OcpiPatch)
        {
            let whole = self.session(leg, source.form, &source.id, body)?;
            return Ok(ocpi::read(Record::of(leg, fact.seq, source), whole));
        }
        let record = Record::of(leg, fact.seq, source);
        Ok(match record.source.form {
            Form::Ocpi | Form::OcpiPatch => ocpi::read(record, &body),
            Form::Steve => steve::read(record, &body),
            Form::Citrineos => citrineos::read(record, &body),
            Form::Columns => columns::read(record, &body),
        })
    }

    /// The session as it is known, as JSON.
    pub fn known(&self, leg: Leg, id: &str) -> Option<&Value> {
        self.whole.get(&(leg, id.to_owned()))
    }

    /// Forgets a session of which no more parts are expected.
    pub fn forget(&mut self, leg: Leg, id: &str) {
        self.whole.remove(&(leg, id.to_owned()));
    }

    fn session(
        &mut self,
        leg: Leg,
        form: Form,
        id: &str,
        body: Value,
    ) -> Result<&Value, Unreadable> {
        use std::collections::hash_map::Entry;
        match self.whole.entry((leg, id.to_owned())) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                if form == Form::OcpiPatch {
                    ocpi::patch(known, body);
                } else {
                    *known = body;
                }
                Ok(known)
            }
            Entry::Vacant(_) if form == Form::OcpiPatch => Err(Unreadable::Rootless(id.to_owned())),
            Entry::Vacant(place) => Ok(place.insert(body)),
        }
    }
}

/// What a reader needs to know of a record to go on behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The backend's identifier.
    pub id: String,
    /// When the backend changed it last, if it says.
    pub updated: Option<Micros>,
    /// When the session began, where nothing says when it was changed.
    pub start: Option<Micros>,
    /// Whether it still changes.
    pub is_open: bool,
}

/// The key of a record as a backend's API gives it; `None` without an identifier.
pub fn key(form: Form, body: &Value) -> Option<Key> {
    let members = Members::of(body);
    let is_steve = form == Form::Steve;
    Some(Key {
        id: members.text("id")?,
        updated: members.instant("last_updated"),
        start: is_steve.then(|| steve::start(&members)).flatten(),
        is_open: is_steve && steve::is_open(&members),
    })
}

fn object(body: &[u8]) -> Result<Value, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Unreadable::Body("something else".to_owned())),
        Err(error) => Err(Unreadable::Body(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
