//! Sessions, one row each.

use chrono::DateTime;
use serde::Serialize;

use super::Export;
use super::table::Table;
use crate::cli::error::CliError;
use crate::ledger::query::Reader;
use crate::ledger::sessions::{self, Filter, View};
use crate::ocpp::Severity;

/// Version of the row.
const VERSION: &str = "evenkeel.session-row/1";

/// Keys of a row, `v` left out.
pub(super) const COLUMNS: &[&str] = &[
    "session",
    "at",
    "charger",
    "connector",
    "token",
    "version",
    "state",
    "legacy_transactions",
    "candidate_transactions",
    "outcome",
    "reason",
    "severity",
    "findings",
    "defects",
    "wire_start",
    "wire_end",
    "wire_energy_wh",
    "wire_excl_vat",
    "legacy_start",
    "legacy_end",
    "legacy_energy_wh",
    "legacy_excl_vat",
    "legacy_incl_vat",
    "legacy_currency",
    "candidate_start",
    "candidate_end",
    "candidate_energy_wh",
    "candidate_excl_vat",
    "candidate_incl_vat",
    "candidate_currency",
];

/// A session. What a party does not tell is null.
#[derive(Serialize)]
struct Row<'a> {
    v: &'static str,
    session: u64,
    at: &'a str,
    charger: &'a str,
    connector: &'a str,
    token: &'a str,
    version: &'a str,
    state: &'a str,
    legacy_transactions: &'a [String],
    candidate_transactions: &'a [String],
    outcome: &'a str,
    reason: Option<&'a str>,
    severity: Option<&'static str>,
    findings: &'a [String],
    defects: &'a [String],
    wire_start: Option<&'a str>,
    wire_end: Option<&'a str>,
    wire_energy_wh: Option<&'a str>,
    wire_excl_vat: Option<&'a str>,
    legacy_start: Option<&'a str>,
    legacy_end: Option<&'a str>,
    legacy_energy_wh: Option<&'a str>,
    legacy_excl_vat: Option<&'a str>,
    legacy_incl_vat: Option<&'a str>,
    legacy_currency: Option<&'a str>,
    candidate_start: Option<&'a str>,
    candidate_end: Option<&'a str>,
    candidate_energy_wh: Option<&'a str>,
    candidate_excl_vat: Option<&'a str>,
    candidate_incl_vat: Option<&'a str>,
    candidate_currency: Option<&'a str>,
}

/// Writes every session that the filters let through, by the time at which it began.
pub(super) fn write(options: &Export, table: &mut Table) -> Result<(), CliError> {
    let dir = options.recording.existing()?;
    crate::cli::judging::bring_up_to_date(&dir)?;
    let filter = Filter {
        charger: options.charger.clone(),
        ..Filter::default()
    };
    let view = sessions::sessions(&Reader::open(&dir)?, &filter)?;
    for session in &view.sessions {
        let at = DateTime::parse_from_rfc3339(&session.at).map_or(0, |at| at.timestamp_micros());
        if options.takes(&session.charger, at) && !table.row(&row(session))? {
            break;
        }
    }
    Ok(())
}

fn row(session: &View) -> Row<'_> {
    let [wire, legacy, candidate] =
        [&session.wire, &session.legacy, &session.candidate].map(Option::as_ref);
    Row {
        v: VERSION,
        session: session.id,
        at: &session.at,
        charger: &session.charger,
        connector: &session.connector,
        token: &session.token,
        version: &session.version,
        state: &session.state,
        legacy_transactions: &session.names.legacy,
        candidate_transactions: &session.names.candidate,
        outcome: session.verdict.outcome,
        reason: session.verdict.reason,
        severity: session.verdict.severity.map(Severity::code),
        findings: &session.verdict.findings,
        defects: &session.defects,
        wire_start: wire.and_then(|it| it.start.as_deref()),
        wire_end: wire.and_then(|it| it.end.as_deref()),
        wire_energy_wh: wire.and_then(|it| it.energy_wh.as_deref()),
        wire_excl_vat: wire.and_then(|it| it.excl_vat.as_deref()),
        legacy_start: legacy.and_then(|it| it.start.as_deref()),
        legacy_end: legacy.and_then(|it| it.end.as_deref()),
        legacy_energy_wh: legacy.and_then(|it| it.energy_wh.as_deref()),
        legacy_excl_vat: legacy.and_then(|it| it.excl_vat.as_deref()),
        legacy_incl_vat: legacy.and_then(|it| it.incl_vat.as_deref()),
        legacy_currency: legacy.and_then(|it| it.currency.as_deref()),
        candidate_start: candidate.and_then(|it| it.start.as_deref()),
        candidate_end: candidate.and_then(|it| it.end.as_deref()),
        candidate_energy_wh: candidate.and_then(|it| it.energy_wh.as_deref()),
        candidate_excl_vat: candidate.and_then(|it| it.excl_vat.as_deref()),
        candidate_incl_vat: candidate.and_then(|it| it.incl_vat.as_deref()),
        candidate_currency: candidate.and_then(|it| it.currency.as_deref()),
    }
}
