//! The estate: groups, waves, who belongs where, and what people decided.

use std::collections::BTreeMap;

use rusqlite::{Row, params, types::Type};
use serde::de::DeserializeOwned;

use super::{Reader, count};
use crate::clock::Micros;
use crate::ledger::LedgerError;
use crate::ledger::row::{Decision, GateFile, Group, Listed, Wave};

/// A charger that is listed or was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Its identity.
    pub charger: String,
    /// Its group, [`crate::ledger::row::UNGROUPED`], or [`crate::ledger::row::EVERYBODY`] while there are no groups.
    pub group: String,
    /// OCPP version number of its last connection; empty if unknown.
    pub version: String,
    /// Its vendor, model and firmware in its own words; empty if it has not told.
    pub vendor: String,
    /// See `vendor`.
    pub model: String,
    /// See `vendor`.
    pub firmware: String,
    /// Whether it was ever seen.
    pub is_seen: bool,
    /// What the operator says of it; none if it is not listed.
    pub listed: Option<Listed>,
    /// How many of its messages were judged.
    pub messages: u64,
    /// When the first of them came, µs.
    pub first_seen: Option<Micros>,
    /// When the last of them came, µs.
    pub last_seen: Option<Micros>,
}

/// What the legacy commands, by action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The action.
    pub action: String,
    /// How often.
    pub count: u64,
    /// How often the candidate did not send the same.
    pub missing: u64,
    /// On how many chargers that was.
    pub chargers: u64,
    /// How many of those came long after anything that a charger said.
    pub unprompted: u64,
}

/// A command that comes so long after the charger's last word is none that this caused, µs.
const UNPROMPTED: i64 = 600_000_000;

impl Reader {
    /// What the legacy commands, by action.
    pub fn ordered(&self) -> Result<Vec<Ordered>, LedgerError> {
        let mut ordered = Vec::new();
        self.each(
            "SELECT action, count(*), sum(verdict = 'missing'), \
                count(DISTINCT CASE WHEN verdict = 'missing' THEN charger END), \
                sum(verdict = 'missing' AND (after IS NULL OR after_us > ?1)) \
             FROM commands WHERE authority = 'legacy' AND ours <> 0 GROUP BY action ORDER BY action",
            [UNPROMPTED],
            |row| {
                ordered.push(Ordered {
                    action: row.get(0)?,
                    count: count(row, 1)?,
                    missing: count(row, 2)?,
                    chargers: count(row, 3)?,
                    unprompted: count(row, 4)?,
                });
                Ok(())
            },
        )?;
        Ok(ordered)
    }

    /// The newest facts, at most `most`, that hold a CALL with this action between charger and authority, with the charger,
    /// and whether the charger sent it.
    pub fn calls(
        &self,
        action: &str,
        most: usize,
    ) -> Result<Vec<(u64, String, bool)>, LedgerError> {
        let mut calls = Vec::new();
        self.each(
            "SELECT id, charger, 1 FROM exchanges WHERE action = ?1 AND coalesce(reason, '') <> 'synthetic' \
             UNION ALL SELECT ours, charger, 0 FROM commands WHERE action = ?1 AND ours <> 0 \
             ORDER BY 1 DESC LIMIT ?2",
            params![action, most as i64],
            |row| {
                calls.push((count(row, 0)?, row.get(1)?, row.get(2)?));
                Ok(())
            },
        )?;
        Ok(calls)
    }

    /// Groups in the order in which they are tried.
    pub fn groups(&self) -> Result<Vec<Group>, LedgerError> {
        self.bodies("SELECT body FROM groups ORDER BY place")
    }

    /// Every group that has chargers, and their names.
    pub fn members(&self) -> Result<BTreeMap<String, Vec<String>>, LedgerError> {
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        self.each(
            "SELECT crowd, charger FROM members ORDER BY crowd, charger",
            [],
            |row| {
                members.entry(row.get(0)?).or_default().push(row.get(1)?);
                Ok(())
            },
        )?;
        Ok(members)
    }

    /// Waves in their order.
    pub fn waves(&self) -> Result<Vec<Wave>, LedgerError> {
        self.bodies("SELECT body FROM waves ORDER BY place")
    }

    /// Chargers of one group or of all, by name.
    pub fn stations(&self, group: Option<&str>) -> Result<Vec<Station>, LedgerError> {
        let mut stations = Vec::new();
        self.each(
            "SELECT m.charger, m.crowd, m.version, coalesce(s.vendor, ''), coalesce(s.model, ''), coalesce(s.firmware, ''), \
                m.since, m.listed, coalesce(t.count, 0), t.first_seen, t.last_seen \
             FROM members m LEFT JOIN stations s USING (charger) LEFT JOIN \
                (SELECT charger, sum(count) AS count, min(first_seen) AS first_seen, max(last_seen) AS last_seen FROM tallies \
                 WHERE subject = 'exchange' AND reason <> 'synthetic' GROUP BY charger) t USING (charger) \
             WHERE ?1 IS NULL OR m.crowd = ?1 ORDER BY m.charger",
            params![group],
            |row| {
                stations.push(station(row)?);
                Ok(())
            },
        )?;
        Ok(stations)
    }

    /// Decisions about one group or all, oldest first.
    pub fn decisions(&self, group: Option<&str>) -> Result<Vec<Decision>, LedgerError> {
        let mut decisions = Vec::new();
        self.each(
            "SELECT id, at, body FROM decisions WHERE ?1 IS NULL OR crowd = ?1 ORDER BY id",
            params![group],
            |row| {
                decisions.push(Decision {
                    id: count(row, 0)?,
                    at: row.get(1)?,
                    decided: body(row, 2)?,
                });
                Ok(())
            },
        )?;
        Ok(decisions)
    }

    /// The gate's criteria that were loaded last; none if the tap ran without.
    pub fn gate_file(&self) -> Result<Option<GateFile>, LedgerError> {
        let mut gate = None;
        self.each(
            "SELECT id, at, file, hash, text FROM gates ORDER BY id DESC LIMIT 1",
            [],
            |row| {
                gate = Some(GateFile {
                    id: count(row, 0)?,
                    at: row.get(1)?,
                    file: row.get(2)?,
                    hash: row.get(3)?,
                    text: row.get(4)?,
                });
                Ok(())
            },
        )?;
        Ok(gate)
    }

    fn bodies<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, LedgerError> {
        let mut found = Vec::new();
        self.each(sql, [], |row| {
            found.push(body(row, 0)?);
            Ok(())
        })?;
        Ok(found)
    }
}

fn station(row: &Row<'_>) -> rusqlite::Result<Station> {
    let is_listed = !row.get_ref(7)?.as_str()?.is_empty();
    Ok(Station {
        charger: row.get(0)?,
        group: row.get(1)?,
        version: row.get(2)?,
        vendor: row.get(3)?,
        model: row.get(4)?,
        firmware: row.get(5)?,
        is_seen: row.get::<_, i64>(6)? != 0,
        listed: is_listed.then(|| body(row, 7)).transpose()?,
        messages: count(row, 8)?,
        first_seen: row.get(9)?,
        last_seen: row.get(10)?,
    })
}

/// What a column holds as JSON.
fn body<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(at)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}
