//! What chargers kept back and how far their clocks are off, by the stamps in their messages.

use super::BACKLOG;
use super::sheet::{Crowd, Entry, Sheet};
use crate::clock::Micros;
use crate::facts::Fact;
use crate::judge::heard::Heard;
use crate::ocpp::instant;
use crate::ocpp::json::Step;

/// A message this much older than its arrival was kept back, µs.
const LATE: Micros = 60_000_000;

/// A clock that is off by more was never set, µs.
const UNSET: Micros = 366 * 24 * 3_600_000_000;

/// Compares the stamp of a message with its arrival. A charger whose clock is slow by a minute and one that kept its
/// message for a minute look the same: only a stamp that is nearer, or ahead, is held for the clock.
pub(super) fn read(fact: &Fact, message: &Heard<'_>, crowd: Crowd, sheet: &mut Sheet) {
    let is_transaction = match message.action.as_ref() {
        "StartTransaction" | "StopTransaction" | "TransactionEvent" => true,
        "StatusNotification" => false,
        _ => return,
    };
    let text = message.text(&[Step::Key("timestamp")]);
    let Some(stamp) = text.and_then(|text| instant::rfc3339(&text)) else {
        return;
    };
    let age = fact.at - stamp;
    let entry = |what| Entry::new(crowd, BACKLOG, what);
    if age.abs() > UNSET {
        sheet.count(entry("clock-unset"));
        return;
    }
    if is_transaction {
        sheet.count(entry("transaction-messages"));
    }
    match age {
        LATE.. if is_transaction => sheet.measure(entry("late_us"), age),
        // The state of a connector is told again after an outage, with the old stamp.
        LATE.. => {}
        0.. => sheet.measure(entry("clock_behind_us"), age),
        _ => sheet.measure(entry("clock_ahead_us"), -age),
    }
}
