//! A ledger as if there were only one group's chargers in it.
//!
//! Views of this connection stand in front of the tables and have the same names, so that every query asks the part and
//! none has to know. What is kept of all chargers together stays that of all: answer times, what is
//! pending, and what people said.

use std::path::Path;

use super::super::LedgerError;
use super::{Reader, read_error};

/// Tables whose rows belong to one charger.
const OF_CHARGERS: [&str; 12] = [
    "members",
    "exchanges",
    "commands",
    "handshakes",
    "divergences",
    "sightings",
    "tallies",
    "chargers",
    "quirks",
    "stand_ins",
    "attempts",
    "sessions",
];

/// What the group's chargers showed of each finding. Where legacy varies is told of all of it: here it has its share of
/// that. How many were comparable up to the last sighting is not kept by charger; that of all is more, so that nothing of a
/// group counts as gone too early.
const FINDINGS: &str = "
CREATE TEMP VIEW findings AS SELECT f.id, f.subject, f.rule, f.reason, f.direction, f.action, f.path, f.kind, coalesce(d.severity, f.severity) AS severity,
    f.legacy, f.candidate, f.title, s.seen AS count, coalesce(d.first_seen, f.first_seen) AS first_seen, coalesce(d.last_seen, f.last_seen) AS last_seen, f.quirk,
    f.unstable * s.seen / max(f.count, 1) AS unstable, f.varied, f.requests, f.exposed
  FROM main.findings f
  JOIN (SELECT finding, sum(count) AS seen FROM temp.sightings GROUP BY finding) s ON s.finding = f.id
  LEFT JOIN (SELECT finding, min(at) AS first_seen, max(at) AS last_seen, min(severity) AS severity FROM temp.divergences GROUP BY finding) d ON d.finding = f.id;
";

impl Reader {
    /// Opens the part of a ledger that the chargers of `group` are in.
    pub fn open_group(dir: &Path, group: &str) -> Result<Self, LedgerError> {
        let reader = Self::open(dir)?;
        let narrow = || -> rusqlite::Result<()> {
            reader.db.execute_batch(
                "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE scope (charger TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;",
            )?;
            reader.db.execute(
                "INSERT INTO scope SELECT charger FROM main.members WHERE crowd = ?1",
                [group],
            )?;
            for table in OF_CHARGERS {
                reader.db.execute_batch(&format!(
                    "CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE charger IN (SELECT charger FROM temp.scope);"
                ))?;
            }
            reader.db.execute_batch(FINDINGS)
        };
        read_error(narrow(), &reader.path)?;
        Ok(reader)
    }
}
