//! What messages can be asked for: exchanges, and differences one by one.

use super::{
    ACTION, CANDIDATE, CHARGER, FINDING, GROUP, KIND, LEGACY, MODEL, OUTCOME, OWNER, PATH, REASON,
    RULE, SEVERITY, SINCE, STANDINGS, SUBJECT, TITLE, UNTIL, VERSION, WAVE, field, group_of,
    wave_of,
};
use crate::ledger::filter::fields::{Field, Kind};
use crate::ledger::filter::sql::{Column, Columns};

/// What a row's charger called itself then.
macro_rules! model_of {
    ($row:literal) => {
        Column::One(concat!(
            "coalesce((SELECT c.model FROM chargers c WHERE c.charger = ",
            $row,
            ".charger AND c.since <= ",
            $row,
            ".id ORDER BY c.since DESC LIMIT 1), '')"
        ))
    };
}

/// Differences, one by one.
pub static DIVERGENCES: [Field; 18] = [
    SEVERITY,
    field("finding", Kind::Text, "its finding", "finding:F-12345678"),
    field(
        "state",
        STANDINGS,
        "how its finding stands",
        "state!=accepted",
    ),
    OWNER,
    ACTION,
    CHARGER,
    MODEL,
    SUBJECT,
    field(
        "id",
        Kind::Number,
        "the number of its exchange, command, handshake or session",
        "id:10561",
    ),
    PATH,
    KIND,
    LEGACY,
    CANDIDATE,
    RULE,
    TITLE,
    field("at", Kind::Instant, "when it was seen", "at:02:14"),
    SINCE,
    UNTIL,
];

/// Differences in a statement that reads `divergences d JOIN findings f ON f.id = d.finding`.
pub const DIVERGENCE_COLUMNS: Columns = &[
    ("severity", Column::One("d.severity")),
    ("finding", Column::One("d.finding")),
    (
        "state",
        Column::One("coalesce((SELECT state FROM standings n WHERE n.finding = d.finding), 'new')"),
    ),
    (
        "owner",
        Column::One("coalesce((SELECT owner FROM standings n WHERE n.finding = d.finding), '')"),
    ),
    ("action", Column::One("f.action")),
    ("charger", Column::One("d.charger")),
    ("model", model_of!("d")),
    ("subject", Column::One("d.subject")),
    ("id", Column::One("d.id")),
    ("path", Column::One("f.path")),
    ("kind", Column::One("f.kind")),
    ("legacy", Column::One("f.legacy")),
    ("candidate", Column::One("f.candidate")),
    ("rule", Column::One("f.rule")),
    ("title", Column::One("f.title")),
    ("at", Column::One("d.at")),
    ("since", Column::One("d.at")),
    ("until", Column::One("d.at")),
];

/// Exchanges.
pub static EXCHANGES: [Field; 19] = [
    OUTCOME,
    SEVERITY,
    ACTION,
    CHARGER,
    GROUP,
    WAVE,
    MODEL,
    FINDING,
    REASON,
    field(
        "rule",
        Kind::Text,
        "the rules that explained a difference, with commas",
        "rule~clock",
    ),
    field(
        "root",
        Kind::Text,
        "the finding that it follows from",
        "root:F-12345678",
    ),
    VERSION,
    field("id", Kind::Number, "the number of its fact", "id:10561"),
    field(
        "authority",
        Kind::Span,
        "how long the authority took to answer",
        "authority>2s",
    ),
    field(
        "shadow",
        Kind::Span,
        "how long the shadow took to answer",
        "shadow>=500ms",
    ),
    field(
        "waited",
        Kind::Span,
        "how long the copy waited in the tap",
        "waited>1s",
    ),
    field("at", Kind::Instant, "when the charger sent it", "at:02:14"),
    SINCE,
    UNTIL,
];

/// Exchanges in a statement that reads `exchanges e`.
pub const EXCHANGE_COLUMNS: Columns = &[
    ("outcome", Column::One("e.outcome")),
    ("severity", Column::One("e.severity")),
    ("action", Column::One("e.action")),
    ("charger", Column::One("e.charger")),
    ("group", group_of!("e")),
    ("wave", wave_of!("e")),
    ("model", model_of!("e")),
    (
        "finding",
        Column::Each(
            "SELECT d.finding AS value FROM divergences d WHERE d.id = e.id AND d.subject = 'exchange'",
        ),
    ),
    ("reason", Column::One("e.reason")),
    ("rule", Column::One("e.rules")),
    ("root", Column::One("e.root")),
    ("version", Column::One("e.version")),
    ("id", Column::One("e.id")),
    ("authority", Column::One("e.authority_us")),
    ("shadow", Column::One("e.shadow_us")),
    ("waited", Column::One("e.queue_us")),
    ("at", Column::One("e.at")),
    ("since", Column::One("e.at")),
    ("until", Column::One("e.at")),
];
