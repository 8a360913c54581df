//! A session that everybody agrees on, and what the two backends book of it.

use evenkeel::facts::Leg;
use serde_json::{Value, json};

use crate::story::{Shadow, Story};

const SECOND: i64 = 1_000_000;

/// The two backends' records of one session.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) legacy: Vec<Value>,
    pub(crate) candidate: Vec<Value>,
}

/// What a backend's CDR and session say of a session of 10.346 kWh that began at `start` (RFC 3339 without the hour's
/// rest), took two hours, and parked for the last 630 seconds.
pub(crate) fn cdr(leg: Leg, number: u32, start: i64) -> Value {
    let at = |seconds: i64| evenkeel::ledger::views::rfc3339(start + seconds * SECOND);
    parse(&format!(
        r#"{{"id":"{leg}-C{number}","session_id":"{leg}-S{number}","country_code":"NL","party_id":"ABC",
        "start_date_time":"{begin}","end_date_time":"{end}","currency":"EUR","auth_method":"WHITELIST",
        "cdr_token":{{"uid":"T{number}","type":"RFID","contract_id":"NL-ABC-C{number}","country_code":"NL","party_id":"ABC"}},
        "cdr_location":{{"id":"{leg}-L1","evse_uid":"{leg}-E1","evse_id":"NL*ABC*E1","connector_id":"1",
          "name":"Yard","address":"Quay 1","city":"Delft","postal_code":"2611AB","country":"NLD",
          "coordinates":{{"latitude":"52.01157","longitude":"4.35706"}},
          "connector_standard":"IEC_62196_T2","connector_format":"SOCKET","connector_power_type":"AC_3_PHASE"}},
        "meter_id":"M1","home_charging_compensation":false,"remark":"none",
        "total_fixed_cost":{{"excl_vat":0.50}},"total_energy_cost":{{"excl_vat":3.6211}},
        "total_parking_cost":{{"excl_vat":1.10}},
        "total_energy":10.346,"total_time":2.0,"total_parking_time":0.175,
        "total_cost":{{"excl_vat":5.2211,"incl_vat":6.3175}},
        "charging_periods":[
          {{"start_date_time":"{begin}","dimensions":[{{"type":"ENERGY","volume":10.346}},{{"type":"TIME","volume":1.825}}]}},
          {{"start_date_time":"{parked}","dimensions":[{{"type":"PARKING_TIME","volume":0.175}}]}}],
        "tariffs":[{{"id":"{leg}-T","currency":"EUR","elements":[{{"price_components":[
          {{"type":"ENERGY","price":0.35,"vat":21,"step_size":1}},{{"type":"FLAT","price":0.50,"vat":21,"step_size":1}},
          {{"type":"PARKING_TIME","price":6,"vat":21,"step_size":60}}]}}]}}],
        "signed_data":{{"encoding_method":"OCMF","signed_values":[{{"nature":"End","signed_data":"OCMF|{number}"}}]}},
        "last_updated":"{updated}"}}"#,
        leg = leg.word(),
        begin = at(0),
        parked = at(7_200 - 630),
        end = at(7_200),
        updated = at(7_260),
    ))
}

/// The session object that goes with it.
pub(crate) fn session(leg: Leg, number: u32, start: i64) -> Value {
    let at = |seconds: i64| evenkeel::ledger::views::rfc3339(start + seconds * SECOND);
    parse(&format!(
        r#"{{"id":"{leg}-S{number}","country_code":"NL","party_id":"ABC","start_date_time":"{}","end_date_time":"{}",
        "kwh":10.346,"cdr_token":{{"uid":"T{number}"}},"currency":"EUR","status":"COMPLETED","last_updated":"{}"}}"#,
        at(0),
        at(7_200),
        at(7_230),
        leg = leg.word(),
    ))
}

/// From text, as it comes over the wire: no fraction is rounded.
pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

impl Books {
    pub(crate) fn of(number: u32, start: i64) -> Self {
        let books = |leg| vec![session(leg, number, start), cdr(leg, number, start)];
        Self {
            legacy: books(Leg::Legacy),
            candidate: books(Leg::Candidate),
        }
    }

    /// Both are read, to the end: sessions before CDRs, as readers do.
    pub(crate) fn read_into(&self, story: &mut Story) {
        for (leg, records) in [
            (Leg::Legacy, &self.legacy),
            (Leg::Candidate, &self.candidate),
        ] {
            for kind in ["session", "cdr"] {
                let of_kind = |record: &&Value| kind_of(record) == kind;
                for record in records.iter().filter(of_kind) {
                    story.record(leg, "ocpi", kind, record);
                }
                story.swept(leg, kind);
            }
        }
    }
}

/// Only CDRs have totals.
pub(crate) fn kind_of(record: &Value) -> &'static str {
    match record.get("total_time") {
        Some(_) => "cdr",
        None => "session",
    }
}

/// A session over the wire; returns its start, µs.
pub(crate) fn charge(story: &mut Story, number: u32) -> i64 {
    let start = story.now();
    let (ours, theirs) = (100 + number, 700 + number);
    let request = json!({"connectorId":1,"idTag":format!("T{number}"),"meterStart":1_000,
        "timestamp":evenkeel::ledger::views::rfc3339(start)});
    let started = |transaction| {
        json!({"transactionId":transaction,"idTagInfo":{"status":"Accepted"}}).to_string()
    };
    story.exchange(
        "StartTransaction",
        &request.to_string(),
        &started(ours),
        Shadow::Answers(&started(theirs)),
    );
    story.learned("transactionId", &ours.to_string(), &theirs.to_string());
    let at = |seconds: i64| evenkeel::ledger::views::rfc3339(start + seconds * SECOND);
    until(story, start, 3_600);
    let value = json!({"connectorId":1,"transactionId":ours,
        "meterValue":[{"timestamp":at(3_600),"sampledValue":[{"value":"9.000","unit":"kWh"}]}]});
    story.exchange(
        "MeterValues",
        &value.to_string(),
        "{}",
        Shadow::Answers("{}"),
    );
    until(story, start, 7_200 - 630);
    let parked = json!({"connectorId":1,"status":"SuspendedEV","errorCode":"NoError","timestamp":at(7_200 - 630)});
    story.exchange(
        "StatusNotification",
        &parked.to_string(),
        "{}",
        Shadow::Answers("{}"),
    );
    until(story, start, 7_200);
    let stop = json!({"transactionId":ours,"meterStop":11_346,"timestamp":at(7_200),
        "transactionData":[{"timestamp":at(7_200),
            "sampledValue":[{"value":format!("OCMF|{number}"),"format":"SignedData","context":"Transaction.End"}]}]});
    story.exchange(
        "StopTransaction",
        &stop.to_string(),
        "{}",
        Shadow::Answers("{}"),
    );
    let free =
        json!({"connectorId":1,"status":"Available","errorCode":"NoError","timestamp":at(7_201)});
    story.exchange(
        "StatusNotification",
        &free.to_string(),
        "{}",
        Shadow::Answers("{}"),
    );
    start
}

fn until(story: &mut Story, start: i64, seconds: i64) {
    story.pass((start + seconds * SECOND - story.now()) / SECOND);
}
