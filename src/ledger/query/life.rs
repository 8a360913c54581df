//! How findings stand, and where the exchanges around them are.

use std::collections::BTreeMap;

use rusqlite::params;

use super::super::LedgerError;
use super::super::row::{Standing, State, Subject};
use super::{Finding, Reader, count, schema_error};

/// Exchanges before the last sighting that are looked through for a cause: what a view may cost is bounded.
const WINDOW: i64 = 200_000;

/// A finding that was to be seen this often by its rate so far, and was not, has stopped: were it still there, that would
/// happen once in twenty times.
const EXPECTED: u64 = 3;

/// What has become of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Life {
    /// What people said last; none if they said nothing.
    pub standing: Option<Standing>,
    /// How many were comparable since it was last seen, and since a fix is claimed.
    pub without: u64,
    /// Whether that is too many for it to be still there.
    pub stopped: bool,
    /// Builds of the candidate that it was seen on, as far as they are known.
    pub builds: Vec<String>,
}

impl Life {
    /// How it stands.
    pub fn state(&self) -> State {
        self.standing
            .as_ref()
            .map_or(State::New, |standing| standing.state)
    }
}

/// An exchange, and what its charger was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its identity: the fact of its CALL.
    pub id: u64,
    /// The charger.
    pub charger: String,
    /// Its model at the time; empty if unknown.
    pub model: String,
    /// Its firmware at the time; empty if unknown.
    pub firmware: String,
    /// The fact of the authority's answer; 0 if there is none.
    pub answer: u64,
}

impl Reader {
    /// What has become of a finding that is otherwise read.
    pub(super) fn life(&self, finding: &Finding, exposed: u64) -> Result<Life, LedgerError> {
        let standing = self.standing(&finding.id)?;
        let mut builds = Vec::new();
        self.each(
            "SELECT DISTINCT build FROM sightings JOIN builds USING (run) WHERE finding = ?1 ORDER BY run",
            params![finding.id],
            |row| {
                builds.push(row.get(0)?);
                Ok(())
            },
        )?;
        let fixed = standing
            .as_ref()
            .filter(|standing| standing.state == State::Fixed);
        let (without, seen_in) = if finding.subject == Subject::Session {
            let since = fixed.map_or(i64::MIN, |standing| standing.at);
            let without = self.sessions_after(since.max(finding.last_seen))?;
            (without, finding.of.saturating_sub(without))
        } else {
            let since = fixed.map_or(0, |standing| standing.exposed);
            (finding.of.saturating_sub(exposed.max(since)), exposed)
        };
        let held = standing.as_ref().is_some_and(|standing| !standing.awaited);
        Ok(Life {
            stopped: held && without * finding.count >= EXPECTED * seen_in && without > 0,
            standing,
            without,
            builds,
        })
    }

    fn standing(&self, finding: &str) -> Result<Option<Standing>, LedgerError> {
        let mut body: Option<String> = None;
        self.each(
            "SELECT body FROM standings WHERE finding = ?1",
            params![finding],
            |row| {
                body = Some(row.get(0)?);
                Ok(())
            },
        )?;
        body.map(|body| {
            serde_json::from_str(&body)
                .map_err(|error| schema_error(self, &format!("how {finding} stands: {error}")))
        })
        .transpose()
    }

    fn sessions_after(&self, at: i64) -> Result<u64, LedgerError> {
        let mut without = 0;
        self.each(
            "SELECT count(*) FROM sessions WHERE outcome <> 'not comparable' AND at > ?1",
            params![at],
            |row| {
                without = count(row, 0)?;
                Ok(())
            },
        )?;
        Ok(without)
    }

    /// The newest exchanges that show a finding, and those of the same action around them that show no difference: at most
    /// `most` of each.
    pub fn cases(
        &self,
        finding: &str,
        action: &str,
        most: usize,
    ) -> Result<[Vec<Case>; 2], LedgerError> {
        let said = "coalesce((SELECT model FROM chargers c WHERE c.charger = e.charger AND since <= e.id \
                ORDER BY since DESC LIMIT 1), ''), \
             coalesce((SELECT firmware FROM chargers c WHERE c.charger = e.charger AND since <= e.id \
                ORDER BY since DESC LIMIT 1), ''), \
             e.answer";
        let divergent = self.listed(
            &format!(
                "SELECT e.id, e.charger, {said} FROM divergences d JOIN exchanges e ON e.id = d.id \
                 WHERE d.finding = ?1 AND d.subject = 'exchange' ORDER BY d.number DESC LIMIT ?2"
            ),
            params![finding, most as i64],
        )?;
        let last = divergent.first().map_or(0, |case| case.id) as i64;
        let equal = self.listed(
            &format!(
                "SELECT e.id, e.charger, {said} FROM \
                    (SELECT * FROM exchanges WHERE id <= ?1 + ?4 ORDER BY id DESC LIMIT 2 * ?4) e \
                 WHERE e.action = ?2 AND e.outcome IN ('equal', 'explained') ORDER BY e.id DESC LIMIT ?3"
            ),
            params![last, action, most as i64, WINDOW],
        )?;
        Ok([divergent, equal])
    }

    fn listed(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Case>, LedgerError> {
        let mut cases = Vec::new();
        self.each(sql, params, |row| {
            cases.push(Case {
                id: count(row, 0)?,
                charger: row.get(1)?,
                model: row.get(2)?,
                firmware: row.get(3)?,
                answer: count(row, 4)?,
            });
            Ok(())
        })?;
        Ok(cases)
    }

    /// The authority's commands between two facts, by charger: fact and action, oldest first.
    pub fn commands_between(
        &self,
        (from, until): (u64, u64),
    ) -> Result<BTreeMap<String, Vec<(u64, String)>>, LedgerError> {
        let mut commands: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        self.each(
            "SELECT charger, ours, action FROM commands WHERE ours <> 0 AND id BETWEEN ?1 AND ?2 ORDER BY ours",
            params![from as i64, until as i64],
            |row| {
                let command = (count(row, 1)?, row.get(2)?);
                commands.entry(row.get(0)?).or_default().push(command);
                Ok(())
            },
        )?;
        Ok(commands)
    }
}
