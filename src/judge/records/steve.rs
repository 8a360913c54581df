//! Transactions of SteVe's REST API: register readings in Wh as text, times with their zone; no cost.

use serde_json::Value;

use super::Record;
use super::tree::Members;

/// Reads the object in `body`. Old versions spell times for people and repeat them as `...DT`.
pub(super) fn read(mut record: Record, body: &Value) -> Record {
    let members = Members::of(body);
    let time = |plain: &str, exact: &str| {
        let name = if members.get(exact).is_some() {
            exact
        } else {
            plain
        };
        members.instant(name)
    };
    record.transaction = members.text("id");
    record.charger = members.text("chargeBoxId");
    record.connector = members.text("connectorId");
    record.token.uid = members.text("ocppIdTag");
    record.start = time("startTimestamp", "startTimestampDT");
    record.end = time("stopTimestamp", "stopTimestampDT");
    record.meter_start = members.number("startValue");
    record.meter_stop = members.number("stopValue");
    record.stop_reason = members.text("stopReason");
    let is_open = members.get("stopTimestamp").is_none();
    record.status = Some(if is_open { "ACTIVE" } else { "COMPLETED" }.to_owned());
    record.energy_from_registers();
    record.doubts = members.doubts();
    record
}
