//! What a board shows: how many findings stand how, which of them need a person, how the hours went.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Reader, count, finding_severity};
use crate::clock::Micros;
use crate::ledger::LedgerError;
use crate::ledger::row::{Charger, Outcome, State};
use crate::ocpp::Severity;

/// Findings of one severity that stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCount {
    /// How bad.
    pub severity: Severity,
    /// Word of how they stand.
    pub state: String,
    /// How many.
    pub findings: u64,
    /// How often they were seen.
    pub seen: u64,
}

/// What is known of the chargers of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crowd {
    /// The group's name.
    pub name: String,
    /// Its chargers, by name.
    pub chargers: Vec<String>,
    /// Findings seen on them that are new or have come back.
    pub open: u64,
    /// Those of them that are S0 or S1.
    pub severe: u64,
    /// Sessions on them that could be compared.
    pub sessions: u64,
}

/// A finding that nobody has decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// Its id.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// A sentence.
    pub title: String,
    /// Word of how it stands: new or regressed.
    pub state: String,
    /// How often.
    pub count: u64,
    /// When first, µs.
    pub first_seen: Micros,
    /// When last, µs.
    pub last_seen: Micros,
}

impl Reader {
    /// A number that changes when somebody else has written to the ledger.
    pub fn data_version(&self) -> Result<i64, LedgerError> {
        let mut version = 0;
        self.each("PRAGMA data_version", params![], |row| {
            version = row.get(0)?;
            Ok(())
        })?;
        Ok(version)
    }

    /// Findings by severity and how they stand, worst first.
    pub fn finding_counts(&self) -> Result<Vec<FindingCount>, LedgerError> {
        let mut counts = Vec::new();
        self.each(
            "SELECT f.severity, coalesce(s.state, 'new'), count(*), sum(f.count) FROM findings f \
             LEFT JOIN standings s ON s.finding = f.id GROUP BY 1, 2 ORDER BY 1, 2",
            params![],
            |row| {
                counts.push(FindingCount {
                    severity: finding_severity(row.get(0)?),
                    state: row.get(1)?,
                    findings: count(row, 2)?,
                    seen: count(row, 3)?,
                });
                Ok(())
            },
        )?;
        Ok(counts)
    }

    /// Findings of at least this severity that are new or have come back: the worst first, then the last seen.
    pub fn concerns(&self, severity: Severity, most: usize) -> Result<Vec<Concern>, LedgerError> {
        self.concerns_by("f.severity, f.last_seen DESC", severity, most)
    }

    /// The same, the first seen last: what is news.
    pub fn newest_findings(&self, most: usize) -> Result<Vec<Concern>, LedgerError> {
        self.concerns_by("f.first_seen DESC", Severity::S4, most)
    }

    fn concerns_by(
        &self,
        order: &str,
        severity: Severity,
        most: usize,
    ) -> Result<Vec<Concern>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            &format!(
                "SELECT f.id, f.severity, f.title, coalesce(s.state, 'new'), f.count, f.first_seen, f.last_seen \
                 FROM findings f LEFT JOIN standings s ON s.finding = f.id \
                 WHERE f.severity <= ?1 AND coalesce(s.state, 'new') IN (?2, ?3) ORDER BY {order}, f.id LIMIT ?4"
            ),
            params![
                crate::ledger::schema::rank(severity),
                State::New.word(),
                State::Regressed.word(),
                most as i64
            ],
            |row| {
                found.push(Concern {
                    id: row.get(0)?,
                    severity: finding_severity(row.get(1)?),
                    title: row.get(2)?,
                    state: row.get(3)?,
                    count: count(row, 4)?,
                    first_seen: row.get(5)?,
                    last_seen: row.get(6)?,
                });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Every group that has chargers, by name.
    pub fn crowds(&self) -> Result<Vec<Crowd>, LedgerError> {
        let members = self.members()?.into_iter();
        let mut crowds: BTreeMap<String, Crowd> = members
            .map(|(name, chargers)| {
                let crowd = Crowd {
                    chargers,
                    ..Crowd::default()
                };
                (name, crowd)
            })
            .collect();
        self.each(
            "SELECT m.crowd, count(DISTINCT f.id), count(DISTINCT CASE WHEN f.severity <= ?3 THEN f.id END) FROM findings f \
             JOIN sightings g ON g.finding = f.id JOIN members m ON m.charger = g.charger \
             LEFT JOIN standings s ON s.finding = f.id WHERE coalesce(s.state, ?1) IN (?1, ?2) GROUP BY 1",
            params![State::New.word(), State::Regressed.word(), crate::ledger::schema::rank(Severity::S1)],
            |row| {
                let crowd = crowds.entry(row.get(0)?).or_default();
                (crowd.open, crowd.severe) = (count(row, 1)?, count(row, 2)?);
                Ok(())
            },
        )?;
        self.each(
            "SELECT m.crowd, count(*) FROM sessions s JOIN members m ON m.charger = s.charger \
             WHERE s.outcome IS NOT NULL AND s.outcome <> ?1 GROUP BY 1",
            params![Outcome::NotComparable.word()],
            |row| {
                crowds.entry(row.get(0)?).or_default().sessions = count(row, 1)?;
                Ok(())
            },
        )?;
        let named = crowds
            .into_iter()
            .map(|(name, crowd)| Crowd { name, ..crowd });
        Ok(named.collect())
    }

    /// Sessions that began at or after `since`, by hour (its beginning, µs): the hour and how many.
    pub fn sessions_by_hour(&self, since: Micros) -> Result<Vec<(Micros, u64)>, LedgerError> {
        self.by_hour(
            "SELECT at / 3600000000, count(*) FROM sessions WHERE at >= ?1 GROUP BY 1 ORDER BY 1",
            since,
        )
    }

    /// Findings that were first seen at or after `since`, by hour.
    pub fn findings_by_hour(&self, since: Micros) -> Result<Vec<(Micros, u64)>, LedgerError> {
        self.by_hour(
            "SELECT first_seen / 3600000000, count(*) FROM findings WHERE first_seen >= ?1 GROUP BY 1 ORDER BY 1",
            since,
        )
    }

    /// How often a finding was seen in each `part` µs from `from` on: the part's number and how often.
    pub fn sightings_over_time(
        &self,
        finding: &str,
        (from, part): (Micros, Micros),
    ) -> Result<Vec<(i64, u64)>, LedgerError> {
        let mut parts = Vec::new();
        self.each(
            "SELECT (at - ?2) / ?3, count(*) FROM divergences WHERE finding = ?1 GROUP BY 1 ORDER BY 1",
            params![finding, from, part.max(1)],
            |row| {
                parts.push((row.get(0)?, count(row, 1)?));
                Ok(())
            },
        )?;
        Ok(parts)
    }

    /// Exchanges in each `part` µs from `from` on: the part's number, the outcome and how many.
    pub fn outcomes_over_time(
        &self,
        from: Micros,
        part: Micros,
    ) -> Result<Vec<(i64, String, u64)>, LedgerError> {
        let mut parts = Vec::new();
        self.each(
            "SELECT (at - ?1) / ?2, outcome, count(*) FROM exchanges GROUP BY 1, 2 ORDER BY 1, 2",
            params![from, part.max(1)],
            |row| {
                parts.push((row.get(0)?, row.get(1)?, count(row, 2)?));
                Ok(())
            },
        )?;
        Ok(parts)
    }

    /// The rules that explained exchanges and commands, with commas between them, and how many of these each set explained.
    pub fn explained_by(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        let mut rules = Vec::new();
        self.each(
            "SELECT rules, count(*) FROM \
                (SELECT rules FROM exchanges WHERE rules <> '' UNION ALL SELECT rules FROM commands WHERE rules <> '') \
             GROUP BY 1 ORDER BY 1",
            params![],
            |row| {
                rules.push((row.get(0)?, count(row, 1)?));
                Ok(())
            },
        )?;
        Ok(rules)
    }

    fn by_hour(&self, sql: &str, since: Micros) -> Result<Vec<(Micros, u64)>, LedgerError> {
        let mut hours = Vec::new();
        self.each(sql, params![since], |row| {
            hours.push((row.get::<_, i64>(0)? * 3_600_000_000, count(row, 1)?));
            Ok(())
        })?;
        Ok(hours)
    }

    /// What each charger said last about itself, by its name.
    pub fn chargers(&self) -> Result<BTreeMap<String, Charger>, LedgerError> {
        let mut chargers = BTreeMap::new();
        self.each(
            "SELECT charger, since, vendor, model, firmware FROM chargers ORDER BY charger, since",
            params![],
            |row| {
                let said = Charger {
                    charger: row.get(0)?,
                    since: count(row, 1)?,
                    vendor: row.get(2)?,
                    model: row.get(3)?,
                    firmware: row.get(4)?,
                };
                chargers.insert(said.charger.clone(), said);
                Ok(())
            },
        )?;
        Ok(chargers)
    }

    /// How many chargers have told what they are.
    pub fn known_chargers(&self) -> Result<u64, LedgerError> {
        let mut chargers = 0;
        self.each(
            "SELECT count(DISTINCT charger) FROM chargers",
            params![],
            |row| {
                chargers = count(row, 0)?;
                Ok(())
            },
        )?;
        Ok(chargers)
    }

    /// How the shadow's last `most` handshakes went: opened, and refused.
    pub fn last_handshakes(&self, most: usize) -> Result<(u64, u64), LedgerError> {
        let mut went = (0, 0);
        self.each(
            "SELECT coalesce(sum(why = 'opened'), 0), coalesce(sum(why <> 'opened'), 0) FROM \
                (SELECT why FROM handshakes ORDER BY id DESC LIMIT ?1)",
            params![most as i64],
            |row| {
                went = (count(row, 0)?, count(row, 1)?);
                Ok(())
            },
        )?;
        Ok(went)
    }
}
