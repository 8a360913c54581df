//! The fields of each view, and where the database has them.

use super::fields::{Field, Kind};
use super::sql::Column;

const fn field(name: &'static str, kind: Kind, help: &'static str, example: &'static str) -> Field {
    Field {
        name,
        aliases: &[],
        kind,
        help,
        example,
    }
}

impl Field {
    const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

const OUTCOMES: Kind = Kind::Choice(&[
    "equal",
    "explained",
    "divergent",
    "not comparable",
    "pending",
]);
/// `gone` is said beside `fixed`, of a fix that holds by what was seen since.
const STATES: Kind = Kind::Choice(&["new", "known", "accepted", "fixed", "regressed", "gone"]);
const STANDINGS: Kind = Kind::Choice(&["new", "known", "accepted", "fixed", "regressed"]);
const SUBJECTS: Kind = Kind::Choice(&["exchange", "command", "handshake", "session"]);

const SEVERITY: Field = field(
    "severity",
    Kind::Severity,
    "how bad it is, S0 worst",
    "severity>=S2",
)
.or(&["sev"]);
const CHARGER: Field = field(
    "charger",
    Kind::Text,
    "the charger's identity",
    "charger:ams-*",
);
const ACTION: Field = field(
    "action",
    Kind::Text,
    "the OCPP action",
    "action:Authorize,StartTransaction",
);
const MODEL: Field = field(
    "model",
    Kind::Text,
    "the charger's model, as far as it is known",
    "model:\"C-1\"",
);
const FIRMWARE: Field = field(
    "firmware",
    Kind::Text,
    "the charger's firmware, as far as it is known",
    "firmware~1.9",
)
.or(&["fw"]);
const OWNER: Field = field("owner", Kind::Text, "who answers for it", "owner:vendor");
const RULE: Field = field("rule", Kind::Text, "the rule that decided", "rule:auth*");
const PATH: Field = field(
    "path",
    Kind::Text,
    "where in the message, with * for places in lists",
    "path~idTagInfo",
);
const KIND: Field = field(
    "kind",
    Kind::Text,
    "what differs: value, type, missing, extra, ...",
    "kind:value",
);
const LEGACY: Field = field(
    "legacy",
    Kind::Text,
    "what legacy said, as a class",
    "legacy:Blocked",
);
const CANDIDATE: Field = field(
    "candidate",
    Kind::Text,
    "what the candidate said, as a class",
    "candidate:Accepted",
);
const TITLE: Field = field(
    "title",
    Kind::Text,
    "the sentence that says it",
    "title~expires",
);
const SUBJECT: Field = field(
    "subject",
    SUBJECTS,
    "what it is about: exchange, command, handshake or session",
    "subject:session",
);
const OUTCOME: Field = field(
    "outcome",
    OUTCOMES,
    "what came out",
    "outcome:divergent,explained",
);
const REASON: Field = field(
    "reason",
    Kind::Text,
    "why it is not comparable",
    "reason:shadow-gap",
);
const VERSION: Field = field("version", Kind::Text, "the OCPP version", "version:1.6");
const FINDING: Field = field(
    "finding",
    Kind::Text,
    "a finding that it shows",
    "finding:F-12345678",
);
const SINCE: Field = field("since", Kind::Since, "at that instant or later", "since:2h");
const UNTIL: Field = field("until", Kind::Until, "before that instant", "until:02:14");

/// Findings.
pub static FINDINGS: [Field; 23] = [
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
pub const FINDING_COLUMNS: super::Columns = &[
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
pub const DIVERGENCE_COLUMNS: super::Columns = &[
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
    (
        "model",
        Column::One(
            "coalesce((SELECT c.model FROM chargers c WHERE c.charger = d.charger AND c.since <= d.id \
             ORDER BY c.since DESC LIMIT 1), '')",
        ),
    ),
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
pub static EXCHANGES: [Field; 17] = [
    OUTCOME,
    SEVERITY,
    ACTION,
    CHARGER,
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
pub const EXCHANGE_COLUMNS: super::Columns = &[
    ("outcome", Column::One("e.outcome")),
    ("severity", Column::One("e.severity")),
    ("action", Column::One("e.action")),
    ("charger", Column::One("e.charger")),
    (
        "model",
        Column::One(
            "coalesce((SELECT c.model FROM chargers c WHERE c.charger = e.charger AND c.since <= e.id \
             ORDER BY c.since DESC LIMIT 1), '')",
        ),
    ),
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

/// Sessions.
pub static SESSIONS: [Field; 16] = [
    OUTCOME,
    SEVERITY,
    CHARGER,
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
pub const SESSION_COLUMNS: super::Columns = &[
    ("outcome", Column::One("coalesce(s.outcome, 'pending')")),
    ("severity", Column::One("s.severity")),
    ("charger", Column::One("s.charger")),
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

/// Chargers.
pub static CHARGERS: [Field; 6] = [
    CHARGER,
    field("vendor", Kind::Text, "its vendor", "vendor:acme"),
    MODEL,
    FIRMWARE,
    VERSION,
    field(
        "state",
        Kind::Choice(&["connected", "away"]),
        "connected or away",
        "state:away",
    ),
];

#[cfg(test)]
mod tests {
    use super::super::fields::find;
    use super::super::{Columns, Filter};
    use super::*;

    fn views() -> [(&'static [Field], Columns); 5] {
        [
            (&FINDINGS, FINDING_COLUMNS),
            (&DIVERGENCES, DIVERGENCE_COLUMNS),
            (&EXCHANGES, EXCHANGE_COLUMNS),
            (&SESSIONS, SESSION_COLUMNS),
            (&CHARGERS, &[]),
        ]
    }

    #[test]
    fn every_field_has_one_name_and_an_example_that_is_read() {
        for (fields, columns) in views() {
            for field in fields {
                for name in [&[field.name], field.aliases].concat() {
                    assert_eq!(find(fields, name), Some(field), "{name} means two fields");
                }
                let filter = Filter::parse(field.example, fields).unwrap();
                assert!(field.example.contains(field.name), "{filter}");
            }
            for (name, _) in columns {
                assert!(find(fields, name).is_some(), "{name} is no field");
            }
        }
    }
}
