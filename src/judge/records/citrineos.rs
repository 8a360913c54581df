//! Rows of CitrineOS's database, as its reader joins them: a transaction with the start and stop of OCPP 1.6 and the first
//! and last event of 2.x.

use serde_json::Value;

use super::tree::{KILO, Members};
use super::{Price, Record};

/// Reads the joined row in `body`. Energy is what the backend says it is, kWh; registers of OCPP 1.6 are Wh.
pub(super) fn read(mut record: Record, body: &Value) -> Record {
    let members = Members::of(body);
    let nested = |name: &str| Members::of(members.get(name).unwrap_or(&Value::Null));
    let (start, stop) = (nested("start"), nested("stop"));
    let (begun, ended) = (nested("started"), nested("ended"));
    let is_open = members.flag("isActive");
    record.transaction = members.text("transactionId");
    record.charger = members
        .text("ocppConnectionName")
        .or_else(|| members.text("stationId"));
    record.evse = members.text("evse");
    record.connector = members.text("connector");
    record.token.uid = members
        .text("idToken")
        .or_else(|| begun.text("idTokenValue"));
    record.token.kind = members
        .text("idTokenType")
        .or_else(|| begun.text("idTokenType"));
    record.start = members
        .instant("startTime")
        .or_else(|| start.instant("timestamp"))
        .or_else(|| begun.instant("timestamp"));
    record.end = members
        .instant("endTime")
        .or_else(|| stop.instant("timestamp"))
        .or_else(|| ended.instant("timestamp"));
    record.meter_start = start.number("meterStart");
    record.meter_stop = stop.number("meterStop");
    record.energy = members
        .number("totalKwh")
        .and_then(|kwh| kwh.checked_mul(KILO));
    record.cost = members.number("totalCost").map(|amount| Price {
        excl_vat: Some(amount),
        incl_vat: None,
    });
    record.currency = members.text("currency");
    record.stop_reason = members
        .text("stoppedReason")
        .or_else(|| stop.text("reason"));
    record.status = Some(if is_open { "ACTIVE" } else { "COMPLETED" }.to_owned());
    record.last_updated = members.instant("updatedAt");
    record.energy_from_registers();
    for part in [members, start, stop, begun, ended] {
        record.doubts.extend(part.doubts());
    }
    record
}
