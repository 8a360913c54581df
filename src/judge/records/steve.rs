//! Transactions of SteVe's REST API: register readings in Wh as text, times with their zone; no cost.

use serde_json::Value;

use super::Record;
use super::tree::Members;
use crate::clock::Micros;

/// A time. Old versions spell times for people, and repeat them as `...DT`.
fn time(members: &Members<'_>, plain: &str, exact: &str) -> Option<Micros> {
    let has_exact = members.get(exact).is_some();
    members.instant(if has_exact { exact } else { plain })
}

/// When the transaction began.
pub(super) fn start(members: &Members<'_>) -> Option<Micros> {
    time(members, "startTimestamp", "startTimestampDT")
}

/// Whether the transaction still runs.
pub(super) fn is_open(members: &Members<'_>) -> bool {
    members.get("stopTimestamp").is_none()
}

/// Reads the object in `body`.
pub(super) fn read(mut record: Record, body: &Value) -> Record {
    let members = Members::of(body);
    record.transaction = members.text("id");
    record.charger = members.text("chargeBoxId");
    record.connector = members.text("connectorId");
    record.token.uid = members.text("ocppIdTag");
    record.start = start(&members);
    record.end = time(&members, "stopTimestamp", "stopTimestampDT");
    record.meter_start = members.number("startValue");
    record.meter_stop = members.number("stopValue");
    record.stop_reason = members.text("stopReason");
    record.status = Some(
        if is_open(&members) {
            "ACTIVE"
        } else {
            "COMPLETED"
        }
        .to_owned(),
    );
    record.energy_from_registers();
    record.doubts = members.doubts();
    record
}
