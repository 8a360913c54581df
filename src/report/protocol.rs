//! What the protocol says about what differs: where it says so, and in our own words.

use serde::{Deserialize, Serialize};

/// What the protocol says, as a table.
pub const TABLE: &str = include_str!("protocol.toml");

/// What a standard says about something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The standard and its section or use case.
    pub section: String,
    /// What it says, in our words.
    pub says: String,
}

/// The built-in table cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the built-in table of the protocol: {0}")]
pub struct TableError(#[from] toml::de::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    clause: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The first part of the version numbers that it is for; empty for all.
    #[serde(default)]
    version: String,
    action: String,
    /// The beginning of the path.
    #[serde(default)]
    path: String,
    section: String,
    says: String,
}

/// What is said of a member of an action, or of the action as a whole: of all rows that fit, the one with the longest path.
pub fn clause(
    version: &str,
    action: &str,
    path: &str,
    kind: &str,
) -> Result<Option<Clause>, TableError> {
    let table: Table = toml::from_str(TABLE)?;
    let fits = |row: &&Row| {
        version.starts_with(&row.version)
            && row.action == action
            && (path.starts_with(&row.path) || row.path == format!("#{kind}"))
    };
    let best = table
        .clause
        .iter()
        .filter(fits)
        .max_by_key(|row| row.path.len());
    Ok(best.map(|row| Clause {
        section: row.section.clone(),
        says: row.says.trim().to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_row_is_quoted() {
        let of = |version, action, path| clause(version, action, path, "value").unwrap();
        let status = of("1.6", "Authorize", "/idTagInfo/status").unwrap();
        let whole = of("1.6", "Authorize", "/idTagInfo/parentIdTag").unwrap();
        assert!(status.section.contains("1.6") && status != whole);
        assert_ne!(
            of("2.0.1", "Authorize", "/idTokenInfo/status")
                .unwrap()
                .section,
            status.section
        );
        assert_eq!(of("1.6", "NoSuchAction", ""), None);
        let books = clause("1.6", "Session", "", "missing-cdr")
            .unwrap()
            .unwrap();
        assert!(books.section.contains("OCPI"));
    }

    #[test]
    fn every_action_of_a_charger_is_spoken_of() {
        for (version, actions) in [
            (
                "1.6",
                &[
                    "Authorize",
                    "BootNotification",
                    "DataTransfer",
                    "Heartbeat",
                    "MeterValues",
                    "StartTransaction",
                    "StatusNotification",
                    "StopTransaction",
                ][..],
            ),
            (
                "2.0.1",
                &[
                    "Authorize",
                    "BootNotification",
                    "DataTransfer",
                    "Heartbeat",
                    "MeterValues",
                    "TransactionEvent",
                    "StatusNotification",
                    "NotifyReport",
                ][..],
            ),
        ] {
            for action in actions {
                assert!(
                    clause(version, action, "", "").unwrap().is_some(),
                    "{version} {action}"
                );
            }
        }
    }
}
