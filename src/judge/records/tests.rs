use std::str::FromStr as _;

use serde_json::json;

use super::columns::MapError;
use super::*;

fn fact(form: Form, kind: RecordKind, body: &Value) -> Fact {
    let note = Provenance {
        reader: "test".to_owned(),
        form,
        kind,
        id: body["id"].as_str().unwrap_or("1").to_owned(),
        url: "https://backend.example/x".to_owned(),
        page: 1,
        row: 1,
        read_at: 7,
        columns: None,
    };
    let mut fact = Fact::new(Kind::BackendRecord, 7)
        .body(body.to_string())
        .note(&note);
    fact.leg = Some(Leg::Candidate);
    fact
}

fn read(form: Form, kind: RecordKind, body: &Value) -> Record {
    Reading::default().read(&fact(form, kind, body)).unwrap()
}

fn number(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).ok()
}

/// From text, as it comes over the wire: the macro would round fractions.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_cdr_of_either_version_reads_the_same() {
    let cdr = |price: &str| {
        parse(&format!(
            r#"{{"id":"C1","country_code":"NL","party_id":"TNM","start_date_time":"2026-03-01T10:00:00Z",
            "end_date_time":"2026-03-01T11:00:00","session_id":"S1","total_energy":10.3456,"total_time":1.0000,
            "cdr_token":{{"uid":"04AA","type":"RFID","contract_id":"NL-TNM-C1","country_code":"NL","party_id":"TNM"}},
            "cdr_location":{{"id":"L1","evse_uid":"E1","evse_id":"NL*TNM*E1","connector_id":"1"}},"currency":"EUR",
            "total_cost":{price},"charging_periods":[{{"start_date_time":"2026-03-01T10:00:00Z",
            "dimensions":[{{"type":"ENERGY","volume":10.3456}}],"tariff_id":"T1"}}],
            "last_updated":"2026-03-01T11:00:05Z","unknown":{{"a":1.5}}}}"#
        ))
    };
    let old = cdr(r#"{"excl_vat":5.2211,"incl_vat":6.3175}"#);
    let new = cdr(
        r#"{"before_taxes":5.2211,"taxes":[{"name":"VAT","percentage":21,"amount":1.0},{"name":"City","amount":0.0964}]}"#,
    );
    for body in [&old, &new] {
        let record = read(Form::Ocpi, RecordKind::Cdr, body);
        assert_eq!(record.energy, number("10345.6"));
        let price = Price {
            excl_vat: number("5.2211"),
            incl_vat: number("6.3175"),
        };
        assert_eq!(record.cost, Some(price));
        assert_eq!(record.end.unwrap() - record.start.unwrap(), 3_600_000_000);
        assert_eq!(record.evse_id.as_deref(), Some("NL*TNM*E1"));
        assert_eq!(record.token.contract_id.as_deref(), Some("NL-TNM-C1"));
        assert_eq!(record.periods[0].dimensions[0].0, "ENERGY");
        assert_eq!(record.doubts, Vec::<String>::new());
    }
    let untaxed = read(Form::Ocpi, RecordKind::Cdr, &cdr(r#"{"before_taxes":5}"#));
    assert_eq!(untaxed.cost.unwrap().incl_vat, None);
}

#[test]
fn what_cannot_be_read_is_absent_and_said() {
    let body = json!({"id": "S1", "kwh": "many", "start_date_time": "yesterday", "total_cost": {"excl_vat": []}});
    let record = read(Form::Ocpi, RecordKind::Session, &body);
    assert_eq!(
        (record.energy, record.start, record.cost),
        (None, None, None)
    );
    assert_eq!(record.doubts.len(), 3, "{:?}", record.doubts);
    let mut broken = fact(Form::Ocpi, RecordKind::Cdr, &body);
    broken.body = b"[1".to_vec();
    assert!(matches!(
        Reading::default().read(&broken),
        Err(Unreadable::Body(_))
    ));
}

#[test]
fn a_patch_appends_periods_and_replaces_the_rest() {
    let mut reading = Reading::default();
    let period = |at: &str| {
        parse(&format!(
            r#"{{"start_date_time":"{at}","dimensions":[{{"type":"ENERGY","volume":1.5}}]}}"#
        ))
    };
    let mut part = json!({"id": "S1", "kwh": "3", "last_updated": "2026-03-01T11:00:00Z"});
    part["charging_periods"] = json!([period("2026-03-01T11:00:00Z")]);
    let patch = fact(Form::OcpiPatch, RecordKind::Session, &part);
    assert_eq!(
        reading.read(&patch).unwrap_err(),
        Unreadable::Rootless("S1".to_owned())
    );
    let mut whole = json!({"id": "S1", "kwh": "1.5", "status": "ACTIVE"});
    whole["charging_periods"] = json!([period("2026-03-01T10:00:00Z")]);
    reading
        .read(&fact(Form::Ocpi, RecordKind::Session, &whole))
        .unwrap();
    let record = reading.read(&patch).unwrap();
    assert_eq!(record.energy, number("3000"));
    assert_eq!(record.periods.len(), 2);
    assert_eq!(record.status.as_deref(), Some("ACTIVE"));
}

#[test]
fn steve_tells_registers_in_wh_as_text() {
    let body = json!({"id": 17, "chargeBoxId": "CP1", "connectorId": 1, "ocppIdTag": "TAG", "startValue": "1000",
        "startTimestamp": "2026-03-01T10:00:00.000Z", "stopValue": "3500.5", "stopTimestamp": "2026-03-01T11:00:00Z",
        "stopReason": "Local"});
    let record = read(Form::Steve, RecordKind::Session, &body);
    assert_eq!(record.energy, number("2500.5"));
    assert_eq!(record.status.as_deref(), Some("COMPLETED"));
    assert_eq!(record.transaction.as_deref(), Some("17"));
    let old = json!({"id": 17, "startTimestamp": "Yesterday at 10:00", "startTimestampDT": "2026-03-01T10:00:00Z",
        "startValue": "1"});
    let record = read(Form::Steve, RecordKind::Session, &old);
    assert!(record.start.is_some() && record.energy.is_none());
    assert_eq!(record.status.as_deref(), Some("ACTIVE"));
}

#[test]
fn citrineos_counts_in_kwh() {
    let body = parse(
        r#"{"id":5,"ocppConnectionName":"CP1","transactionId":"42","isActive":false,"totalKwh":2.5005,"totalCost":1.07,
        "start":{"meterStart":1000,"timestamp":"2026-03-01T10:00:00+00:00"},
        "stop":{"meterStop":3500,"timestamp":"2026-03-01T11:00:00+00:00","reason":"Local"},
        "idToken":"TAG","currency":"USD","updatedAt":"2026-03-01T11:00:01+00:00"}"#,
    );
    let record = read(Form::Citrineos, RecordKind::Session, &body);
    assert_eq!(record.energy, number("2500.5"));
    assert_eq!(record.meter_stop, number("3500"));
    assert_eq!(record.cost.unwrap().excl_vat, number("1.07"));
    assert_eq!(record.charger.as_deref(), Some("CP1"));
    assert_eq!(record.doubts, Vec::<String>::new());
}

fn german() -> ColumnMap {
    let columns = [
        (columns::Field::Id, "Nr"),
        (columns::Field::Start, "Beginn"),
        (columns::Field::Energy, "Energie"),
        (columns::Field::CostInclVat, "Brutto"),
    ];
    ColumnMap {
        kind: RecordKind::Cdr,
        zone: Some("Europe/Berlin".to_owned()),
        time: Some("%d.%m.%Y %H:%M".to_owned()),
        decimal: ',',
        thousands: Some('.'),
        energy: Some(columns::Unit::KWh),
        registers: None,
        currency: Some("EUR".to_owned()),
        columns: columns.map(|(field, name)| (field, name.to_owned())).into(),
    }
}

fn row(map: &ColumnMap, begin: &str, energy: &str) -> Record {
    let body = json!({"Nr": "1", "Beginn": begin, "Energie": energy, "Brutto": "1.234,50"});
    let mut fact = fact(Form::Columns, RecordKind::Cdr, &body);
    let mut source = Provenance::of(&fact).unwrap();
    source.columns = Some(map.clone());
    fact = fact.note(&source);
    Reading::default().read(&fact).unwrap()
}

#[test]
fn a_column_map_knows_units_signs_and_summer_time() {
    let map = german();
    assert_eq!(map.check(), Ok(()));
    let summer = row(&map, "01.07.2026 12:00", "12,5");
    let winter = row(&map, "01.01.2026 12:00", "12,5");
    let hour = |record: &Record| record.start.unwrap() / 3_600_000_000 % 24;
    assert_eq!((hour(&summer), hour(&winter)), (10, 11));
    assert_eq!(summer.energy, number("12500"));
    assert_eq!(summer.cost.unwrap().incl_vat, number("1234.50"));
    let twice = row(&map, "25.10.2026 02:30", "1");
    assert!(twice.start.is_some() && twice.doubts[0].contains("twice"));
    let never = row(&map, "29.03.2026 02:30", "1,2,3");
    assert!(never.start.is_none() && never.energy.is_none());
    assert_eq!(never.doubts.len(), 2, "{:?}", never.doubts);
    let mut bare = map;
    bare.zone = None;
    assert!(row(&bare, "01.07.2026 12:00", "1").doubts[0].contains("names no zone"));
}

#[test]
fn a_column_map_that_would_guess_is_refused() {
    let refused = |change: &dyn Fn(&mut ColumnMap)| {
        let mut map = german();
        change(&mut map);
        map.check().unwrap_err()
    };
    assert_eq!(refused(&|map| map.energy = None), MapError::NoUnit);
    assert_eq!(refused(&|map| map.thousands = Some(',')), MapError::Signs);
    assert_eq!(refused(&|map| map.columns.clear()), MapError::NoId);
    let zone = "Mars/Base".to_owned();
    assert_eq!(
        refused(&|map| map.zone = Some(zone.clone())),
        MapError::Zone(zone.clone())
    );
}
