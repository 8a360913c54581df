//! What findings can be asked for.

use super::{
    ACTION, CANDIDATE, CHARGER, FIRMWARE, GROUP, KIND, LEGACY, MODEL, OWNER, PATH, RULE, SEVERITY,
    STATES, SUBJECT, TITLE, VERDICT, WAVE, field,
};
use crate::ledger::filter::fields::{Field, Kind};
use crate::ledger::filter::sql::{Column, Columns};

/// Findings.
pub static FINDINGS: [Field; 26] = [
    SEVERITY,
    field(
        "state",
        STATES,
        "how it stands; `gone` for a fix that holds",
        "state!=accepted,gone",
    ),
    OWNER,
    ACTION,
    CHARGER,
    GROUP,
    WAVE,
    VERDICT,
    MODEL,
    FIRMWARE,
    field("finding", Kind::Text, "its identity", "finding:F-12345678").or(&["id"]),
    SUBJECT,
    PATH,
    KIND,
    LEGACY,
    CANDIDATE,
    RULE,
    TITLE,
    field(
        "build",
        Kind::Text,
        "a build of the candidate that it was seen on",
        "build:2.4.1",
    ),
    field("count", Kind::Number, "how often it was seen", "count>10"),
    field("of", Kind::Number, "out of how many", "of>=1000"),
    field(
        "quirk",
        Kind::Number,
        "the row of the charger's oddity that it is rooted in",
        "quirk:12",
    ),
    field(
        "first",
        Kind::Instant,
        "when it was seen first",
        "first>=2026-11-22",
    ),
    field("last", Kind::Instant, "when it was seen last", "last<02:00"),
    field(
        "since",
        Kind::Since,
        "still seen at that instant or later",
        "since:2h",
    ),
    field(
        "until",
        Kind::Until,
        "seen before that instant",
        "until:02:14",
    ),
];

/// Findings in a statement that reads `findings`. How they stand by what was seen since is no column.
pub const FINDING_COLUMNS: Columns = &[
    ("severity", Column::One("findings.severity")),
    (
        "owner",
        Column::One("coalesce((SELECT owner FROM standings WHERE finding = findings.id), '')"),
    ),
    ("action", Column::One("findings.action")),
    (
        "charger",
        Column::Each("SELECT charger AS value FROM sightings WHERE finding = findings.id"),
    ),
    (
        "group",
        Column::Each(
            "SELECT m.crowd AS value FROM sightings g JOIN members m ON m.charger = g.charger WHERE g.finding = findings.id",
        ),
    ),
    (
        "wave",
        Column::Each(
            "SELECT w.wave AS value FROM sightings g JOIN members m ON m.charger = g.charger \
             JOIN groups w ON w.name = m.crowd WHERE g.finding = findings.id AND w.wave <> ''",
        ),
    ),
    // It was put in terms of groups before.
    ("verdict", Column::One("''")),
    (
        "model",
        Column::Each(
            "SELECT model AS value FROM sightings WHERE finding = findings.id AND model <> ''",
        ),
    ),
    (
        "firmware",
        Column::Each(
            "SELECT firmware AS value FROM sightings WHERE finding = findings.id AND firmware <> ''",
        ),
    ),
    ("finding", Column::One("findings.id")),
    ("subject", Column::One("findings.subject")),
    ("path", Column::One("findings.path")),
    ("kind", Column::One("findings.kind")),
    ("legacy", Column::One("findings.legacy")),
    ("candidate", Column::One("findings.candidate")),
    ("rule", Column::One("findings.rule")),
    ("title", Column::One("findings.title")),
    ("count", Column::One("findings.count")),
    ("quirk", Column::One("findings.quirk")),
    ("first", Column::One("findings.first_seen")),
    ("last", Column::One("findings.last_seen")),
    ("since", Column::One("findings.last_seen")),
    ("until", Column::One("findings.first_seen")),
];
