//! What sessions can be asked for.

use super::{
    CHARGER, FINDING, GROUP, OUTCOME, REASON, SEVERITY, SINCE, UNTIL, VERDICT, VERSION, WAVE,
    field, group_of, wave_of,
};
use crate::ledger::filter::fields::{Field, Kind};
use crate::ledger::filter::sql::{Column, Columns};

/// Sessions.
pub static SESSIONS: [Field; 19] = [
    OUTCOME,
    SEVERITY,
    CHARGER,
    GROUP,
    WAVE,
    VERDICT,
    field(
        "session",
        Kind::Text,
        "its number, or a backend's name of it",
        "session:88121",
    )
    .or(&["id"]),
    field(
        "connector",
        Kind::Text,
        "the connector, or EVSE and connector",
        "connector:1/2",
    ),
    field("token", Kind::Text, "who charged", "token:p-17"),
    field(
        "state",
        Kind::Choice(&["open", "ended", "no stop", "no start", "no wire"]),
        "how far it is: open, ended, no-stop, no-start or no-wire",
        "state:open",
    ),
    FINDING,
    field(
        "differs",
        Kind::Text,
        "a quantity that is not equal",
        "differs:energy",
    ),
    field(
        "defect",
        Kind::Text,
        "what is odd about the charger's account",
        "defect~clock",
    ),
    REASON,
    VERSION,
    field(
        "energy",
        Kind::Number,
        "by the charger's account, whole Wh",
        "energy>=5000",
    ),
    field("at", Kind::Instant, "when it began", "at:2026-11-22"),
    SINCE,
    UNTIL,
];

/// Sessions in a statement that reads `sessions s`.
pub const SESSION_COLUMNS: Columns = &[
    ("outcome", Column::One("coalesce(s.outcome, 'pending')")),
    ("severity", Column::One("s.severity")),
    ("charger", Column::One("s.charger")),
    ("group", group_of!("s")),
    ("wave", wave_of!("s")),
    // It was put in terms of groups before.
    ("verdict", Column::One("''")),
    (
        "session",
        Column::Each(
            "SELECT value FROM json_each(s.body, '$.legacy_names') UNION ALL SELECT value FROM \
             json_each(s.body, '$.candidate_names') UNION ALL SELECT CAST(s.id AS TEXT)",
        ),
    ),
    ("connector", Column::One("s.body ->> '$.connector'")),
    ("token", Column::One("s.body ->> '$.token'")),
    ("state", Column::One("s.state")),
    (
        "finding",
        Column::Each("SELECT value FROM json_each(s.body, '$.findings')"),
    ),
    (
        "differs",
        Column::Each(
            "SELECT value ->> '$.name' AS value FROM json_each(s.body, '$.checks') \
             WHERE value ->> '$.verdict' NOT IN ('equal', 'unknown')",
        ),
    ),
    (
        "defect",
        Column::Each("SELECT value FROM json_each(s.body, '$.defects')"),
    ),
    ("reason", Column::One("s.reason")),
    ("version", Column::One("s.body ->> '$.version'")),
    (
        "energy",
        Column::One("CAST(s.body ->> '$.wire.energy_wh' AS INTEGER)"),
    ),
    ("at", Column::One("s.at")),
    ("since", Column::One("s.at")),
    ("until", Column::One("s.at")),
];
