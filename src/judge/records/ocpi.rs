//! Sessions and CDRs of OCPI 2.2, 2.2.1 and 2.3.0; the latter's prices are converted down.

use rust_decimal::Decimal;
use serde_json::Value;

use super::tree::{KILO, Members};
use super::{Period, Price, Record, RecordKind, Site};
use crate::clock::Micros;

/// Parts of a CDR's cost.
const PARTS: [&str; 5] = [
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
];

/// Parts of a place's address.
const ADDRESS: [&str; 6] = ["name", "address", "city", "postal_code", "state", "country"];

/// What kind of connector it is.
const SOCKET: [&str; 3] = [
    "connector_standard",
    "connector_format",
    "connector_power_type",
];

/// Reads the object in `body`.
pub(super) fn read(mut record: Record, body: &Value) -> Record {
    let members = Members::of(body);
    record.country = members.text("country_code");
    record.party = members.text("party_id");
    record.start = known(members.instant("start_date_time"));
    record.end = known(members.instant("end_date_time"));
    record.meter = members.text("meter_id");
    record.currency = members.text("currency");
    record.status = members.text("status");
    record.auth_method = members.text("auth_method");
    record.authorization_reference = members.text("authorization_reference");
    record.last_updated = members.instant("last_updated");
    record.cost = price(&members, "total_cost");
    record.periods = periods(&members);
    record.tariffs = members.list("tariffs").to_vec();
    record.signed_data = members.get("signed_data").cloned();
    let energy = match record.source.kind {
        RecordKind::Session => "kwh",
        RecordKind::Cdr => "total_energy",
    };
    record.energy = members.number(energy).and_then(|kwh| kwh.checked_mul(KILO));
    if record.source.kind == RecordKind::Cdr {
        cdr(&mut record, &members);
    } else {
        record.location = members.text("location_id");
        record.evse = members.text("evse_uid");
        record.connector = members.text("connector_id");
    }
    if let Some(token) = members.get("cdr_token").map(Members::of) {
        record.token.uid = token.text("uid");
        record.token.kind = token.text("type");
        record.token.contract_id = token.text("contract_id");
        record.token.country = token.text("country_code");
        record.token.party = token.text("party_id");
        members.adopt("cdr_token", token);
    }
    record.doubts = members.doubts();
    record
}

/// A time that is known: OCPI lets the epoch stand for one that is not.
fn known(at: Option<Micros>) -> Option<Micros> {
    at.filter(|at| *at != 0)
}

fn cdr(record: &mut Record, members: &Members<'_>) {
    record.session = members.text("session_id");
    record.total_time = members.number("total_time");
    record.total_parking_time = members.number("total_parking_time");
    record.credit = members.flag("credit");
    record.credit_reference = members.text("credit_reference_id");
    record.home_charging = Some(members.flag("home_charging_compensation"));
    record.remark = members.text("remark");
    record.cost_parts = PARTS
        .into_iter()
        .filter_map(|part| Some((part, price(members, part)?)))
        .collect();
    if let Some(place) = members.get("cdr_location").map(Members::of) {
        record.location = place.text("id");
        record.evse = place.text("evse_uid");
        record.evse_id = place.text("evse_id");
        record.connector = place.text("connector_id");
        record.site = site(&place);
        members.adopt("cdr_location", place);
    }
}

fn site(place: &Members<'_>) -> Site {
    let texts = |names: &[&'static str]| {
        let named = names
            .iter()
            .filter_map(|name| Some((*name, place.text(name)?)));
        named.collect()
    };
    let coordinates = place.get("coordinates").map(Members::of).and_then(|at| {
        let read = (at.number("latitude"), at.number("longitude"));
        place.adopt("coordinates", at);
        read.0.zip(read.1)
    });
    Site {
        address: texts(&ADDRESS),
        coordinates,
        socket: texts(&SOCKET),
    }
}

/// A price of either version: `{excl_vat, incl_vat}`, or `{before_taxes, taxes: [{amount}]}` of 2.3.0. A 2.3.0 price that
/// lists no taxes does not say what is due with them.
fn price(members: &Members<'_>, name: &str) -> Option<Price> {
    let price = Members::of(members.get(name)?);
    let before = price.number("before_taxes");
    let read = Price {
        excl_vat: price.number("excl_vat").or(before),
        incl_vat: price
            .number("incl_vat")
            .or_else(|| with_taxes(&price, before?)),
    };
    if read == Price::default() {
        return members.doubt(name, "a price");
    }
    members.adopt(name, price);
    Some(read)
}

fn with_taxes(price: &Members<'_>, before: Decimal) -> Option<Decimal> {
    price.get("taxes")?;
    let mut amounts = price.list("taxes").iter().map(|tax| {
        let tax = Members::of(tax);
        let amount = tax.number("amount");
        price.adopt("taxes", tax);
        amount
    });
    amounts.try_fold(before, |sum, amount| sum.checked_add(amount?))
}

fn periods(members: &Members<'_>) -> Vec<Period> {
    let list = members.list("charging_periods").iter();
    let mut periods: Vec<Period> = list
        .map(|period| {
            let period = Members::of(period);
            let read = Period {
                start: period.instant("start_date_time"),
                dimensions: dimensions(&period),
                tariff: period.text("tariff_id"),
            };
            members.adopt("charging_periods", period);
            read
        })
        .collect();
    periods.sort_by_key(|period| period.start);
    periods
}

fn dimensions(period: &Members<'_>) -> Vec<(String, Decimal)> {
    let list = period.list("dimensions").iter();
    list.filter_map(|dimension| {
        let dimension = Members::of(dimension);
        let read = (dimension.text("type"), dimension.number("volume"));
        period.adopt("dimensions", dimension);
        Some((read.0?, read.1?))
    })
    .collect()
}

/// Applies part of a session: its members replace those that are there, its charging periods follow them.
pub(super) fn patch(known: &mut Value, part: Value) {
    let (Value::Object(known), Value::Object(part)) = (known, part) else {
        return;
    };
    for (name, value) in part {
        match (known.get_mut(&name), value) {
            (Some(Value::Array(periods)), Value::Array(more)) if name == "charging_periods" => {
                periods.extend(more);
            }
            (_, value) => {
                known.insert(name, value);
            }
        }
    }
}
