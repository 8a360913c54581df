//! Each single fault that records are known to have.

use serde_json::{Value, json};

use crate::HOUR;
use crate::night::parse;

/// A change of one backend's session object and CDR, and what it must be called.
pub(crate) type Fault = (&'static str, &'static str, fn(&mut Vec<Value>));

pub(crate) fn shift(record: &mut Value, seconds: i64) {
    for field in ["start_date_time", "end_date_time"] {
        let at = chrono::DateTime::parse_from_rfc3339(record[field].as_str().unwrap()).unwrap();
        let later = at.timestamp_micros() + seconds * 1_000_000;
        record[field] = evenkeel::ledger::views::rfc3339(later).into();
    }
}

pub(crate) fn price(record: &mut Value, excl: &str, incl: &str) {
    record["total_cost"] = parse(&format!(r#"{{"excl_vat":{excl},"incl_vat":{incl}}}"#));
}

/// Each single fault that records are known to have.
pub(crate) const FAULTS: &[Fault] = &[
    ("S2", "wh-for-kwh", |books| {
        books[1]["total_energy"] = json!(10_346);
    }),
    ("S2", "kwh-for-wh", |books| {
        books[1]["total_energy"] = parse("0.010346");
    }),
    ("S2", "power-of-ten", |books| {
        books[1]["total_energy"] = parse("103.46");
    }),
    ("S2", "start-ignored", |books| {
        books[1]["total_energy"] = parse("11.346");
    }),
    ("S2", "energy", |books| {
        books[1]["total_energy"] = parse("10.348");
    }),
    ("S2", "energy", |books| {
        books[1]["total_energy"] = Value::Null;
    }),
    ("S2", "time-zone", |books| shift(&mut books[1], HOUR)),
    ("S2", "time-zone", |books| shift(&mut books[1], -2 * HOUR)),
    ("S2", "clock-source", |books| shift(&mut books[1], 4)),
    ("S2", "time", |books| {
        books[1]["end_date_time"] = "2027-01-01T00:07:11Z".into();
    }),
    ("S2", "duration", |books| {
        books[1]["total_time"] = parse("2.01");
    }),
    ("S2", "parking", |books| {
        books[1]["total_parking_time"] = parse("0.2");
    }),
    ("S2", "currency", |books| {
        books[1]["currency"] = "SEK".into();
    }),
    ("S2", "tariff", |books| {
        books[1]["tariffs"][0]["elements"][0]["price_components"][0]["price"] = parse("0.36");
    }),
    ("S2", "step-size", |books| {
        price(&mut books[1], "5.1711", "6.2570");
    }),
    ("S2", "price", |books| price(&mut books[1], "5.9", "7.139")),
    ("S2", "vat-missing", |books| {
        price(&mut books[1], "5.2211", "5.2211");
    }),
    ("S2", "vat-missing", |books| {
        books[1]["total_cost"] = parse(r#"{"excl_vat":5.2211}"#);
    }),
    ("S2", "vat", |books| {
        price(&mut books[1], "5.2211", "6.2131");
    }),
    ("S2", "cost-part", |books| {
        books[1]["total_energy_cost"]["excl_vat"] = parse("3.5211");
        books[1]["total_fixed_cost"]["excl_vat"] = parse("0.60");
    }),
    ("S2", "cost-part", |books| {
        books[1]["total_parking_cost"] = Value::Null;
    }),
    ("S4", "cost-part-absent", |books| {
        books[1]["total_time_cost"] = parse(r#"{"excl_vat":0}"#);
    }),
    ("S2", "token", |books| {
        books[1]["cdr_token"]["uid"] = "T9".into();
    }),
    ("S2", "token-party", |books| {
        books[1]["cdr_token"]["party_id"] = "XYZ".into();
    }),
    ("S2", "token-type", |books| {
        books[1]["cdr_token"]["type"] = "APP_USER".into();
    }),
    ("S2", "contract", |books| {
        books[1]["cdr_token"]["contract_id"] = "NL-ABC-C9".into();
    }),
    ("S4", "contract-separator", |books| {
        books[1]["cdr_token"]["contract_id"] = "NLABCC1".into();
    }),
    ("S2", "evse", |books| {
        books[1]["cdr_location"]["evse_id"] = "NL*ABC*E2".into();
    }),
    ("S2", "connector-kind", |books| {
        books[1]["cdr_location"]["connector_standard"] = "CHADEMO".into();
    }),
    ("S2", "connector-kind", |books| {
        books[1]["cdr_location"]["connector_format"] = "CABLE".into();
    }),
    ("S2", "connector-kind", |books| {
        books[1]["cdr_location"]["connector_power_type"] = "DC".into();
    }),
    ("S4", "coordinates", |books| {
        books[1]["cdr_location"]["coordinates"]["longitude"] = "4.35716".into();
    }),
    ("S4", "address", |books| {
        books[1]["cdr_location"]["city"] = "Den Haag".into();
    }),
    ("S2", "party", |books| {
        books[1]["party_id"] = "XYZ".into();
    }),
    ("S2", "meter", |books| books[1]["meter_id"] = "M2".into()),
    ("S3", "auth-method", |books| {
        books[1]["auth_method"] = "COMMAND".into();
    }),
    ("S2", "authorization-reference", |books| {
        books[1]["authorization_reference"] = "R".into();
    }),
    ("S3", "session-reference", |books| {
        books[1]["session_id"] = "elsewhere".into();
    }),
    ("S2", "home-charging", |books| {
        books[1]["home_charging_compensation"] = true.into();
    }),
    ("S4", "remark", |books| books[1]["remark"] = "hello".into()),
    ("S3", "session-only-dimension", |books| {
        books[1]["charging_periods"][0]["dimensions"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type":"ENERGY_IMPORT","volume":1}));
    }),
    ("S2", "periods", |books| {
        books[1]["charging_periods"][0]["dimensions"][0]["volume"] = json!(10_346);
    }),
    ("S2", "signed-data-lost", |books| {
        books[1]["signed_data"] = Value::Null;
    }),
    ("S2", "signed-data-altered", |books| {
        books[1]["signed_data"]["signed_values"][0]["signed_data"] = "OCMF|2".into();
    }),
    ("S2", "duplicate", |books| {
        let mut again = books[1].clone();
        again["id"] = "again".into();
        books.push(again);
    }),
    ("S2", "credit", |books| {
        let mut credit = books[1].clone();
        credit["id"] = "credit".into();
        credit["credit"] = true.into();
        credit["credit_reference_id"] = "another".into();
        books.push(credit);
    }),
    ("S3", "late", |books| {
        books[1]["last_updated"] = "2027-06-01T00:00:00Z".into();
    }),
    ("S3", "status", |books| {
        books[0]["status"] = "INVALID".into();
    }),
];
