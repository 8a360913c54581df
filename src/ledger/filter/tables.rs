//! The fields of each view, and where the database has them.

mod findings;
mod messages;
mod sessions;

use super::fields::{Field, Kind};
pub use findings::{FINDING_COLUMNS, FINDINGS};
pub use messages::{DIVERGENCE_COLUMNS, DIVERGENCES, EXCHANGE_COLUMNS, EXCHANGES};
pub use sessions::{SESSION_COLUMNS, SESSIONS};

/// The group of a row's charger.
macro_rules! group_of {
    ($row:literal) => {
        Column::One(concat!(
            "coalesce((SELECT crowd FROM members WHERE members.charger = ",
            $row,
            ".charger), '')"
        ))
    };
}

/// The wave that this group moves in.
macro_rules! wave_of {
    ($row:literal) => {
        Column::One(concat!(
            "coalesce((SELECT wave FROM members JOIN groups ON name = crowd WHERE members.charger = ",
            $row,
            ".charger), '')"
        ))
    };
}
use group_of;
use wave_of;

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
const GROUP: Field = field(
    "group",
    Kind::Text,
    "the group that the charger moves with",
    "group:depot-*",
);
const WAVE: Field = field(
    "wave",
    Kind::Text,
    "the wave that its group moves in",
    "wave:pilot",
);
const VERDICT: Field = field(
    "verdict",
    Kind::Text,
    "what the gate says of the group",
    "verdict:NO-GO,HOLD",
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
