//! Counts: outcomes, answer times, quirks.

use std::collections::BTreeMap;

use rusqlite::{params, params_from_iter, types::Value};

use super::{Filter, Reader, SESSION, count};
use crate::clock::Micros;
use crate::ledger::row::{Outcome, Reason, Subject};
use crate::ledger::{LedgerError, filter, tally};

/// Counts per outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// No difference.
    pub equal: u64,
    /// Explained by rules.
    pub explained: u64,
    /// Divergent.
    pub divergent: u64,
    /// Not comparable, by reason.
    pub not_comparable: BTreeMap<String, u64>,
    /// Not judged yet.
    pub pending: u64,
}

/// Answer times of one action on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// The action.
    pub action: String,
    /// `authority`, `shadow` or `queue` (how long copies waited in the tap).
    pub what: String,
    /// How many were timed.
    pub count: u64,
    /// Median, µs; exact to an eighth.
    pub p50: i64,
    /// 95th percentile, µs.
    pub p95: i64,
    /// 99th percentile, µs.
    pub p99: i64,
    /// Largest, µs.
    pub max: i64,
}

/// How often a quirk was seen, over all chargers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuirkCount {
    /// Its row in the catalogue.
    pub row: u8,
    /// Word of the backend whose doing it is; empty if it is the chargers'.
    pub leg: String,
    /// A word more; empty if there is none.
    pub detail: String,
    /// How often.
    pub count: u64,
    /// When first, µs.
    pub first_seen: Micros,
    /// When last, µs.
    pub last_seen: Micros,
    /// On which chargers.
    pub chargers: Vec<String>,
}

impl Outcomes {
    /// All that count in a denominator.
    pub fn comparable(&self) -> u64 {
        self.equal + self.explained + self.divergent
    }

    /// Counts one more.
    pub fn count(&mut self, outcome: Outcome, reason: Option<Reason>) {
        let reason = reason.map_or("", Reason::word).to_owned();
        self.add(outcome.word(), reason, 1);
    }

    pub(super) fn add(&mut self, outcome: &str, reason: String, count: u64) {
        match outcome {
            "equal" => self.equal += count,
            "explained" => self.explained += count,
            "divergent" => self.divergent += count,
            _ => *self.not_comparable.entry(reason).or_default() += count,
        }
    }
}

impl QuirkCount {
    fn is_like(&self, other: &Self) -> bool {
        (self.row, &self.leg, &self.detail) == (other.row, &other.leg, &other.detail)
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.chargers.extend(other.chargers);
    }
}

impl Reader {
    /// Counts per outcome of all exchanges, commands or handshakes.
    pub fn outcomes(&self, subject: Subject) -> Result<Outcomes, LedgerError> {
        let mut outcomes = Outcomes::default();
        for of_action in self.coverage(subject)?.into_values() {
            outcomes.equal += of_action.equal;
            outcomes.explained += of_action.explained;
            outcomes.divergent += of_action.divergent;
            for (reason, count) in of_action.not_comparable {
                *outcomes.not_comparable.entry(reason).or_default() += count;
            }
        }
        let pending = self.cursor()?.pending;
        outcomes.pending = match subject {
            Subject::Exchange => pending.exchanges,
            Subject::Command => pending.commands,
            Subject::Handshake => 0,
            Subject::Session => self.pending_sessions()?,
        };
        Ok(outcomes)
    }

    /// Counts per outcome, by action. What is pending is not known by action.
    pub fn coverage(&self, subject: Subject) -> Result<BTreeMap<String, Outcomes>, LedgerError> {
        let mut coverage: BTreeMap<String, Outcomes> = BTreeMap::new();
        self.each(
            "SELECT action, outcome, reason, count FROM tallies WHERE subject = ?1 \
             UNION ALL SELECT ?2, outcome, coalesce(reason, ''), count(*) FROM sessions \
             WHERE ?1 = 'session' AND outcome IS NOT NULL GROUP BY 2, 3",
            params![subject.word(), SESSION],
            |row| {
                let outcome: String = row.get(1)?;
                coverage
                    .entry(row.get(0)?)
                    .or_default()
                    .add(&outcome, row.get(2)?, count(row, 3)?);
                Ok(())
            },
        )?;
        Ok(coverage)
    }

    fn pending_sessions(&self) -> Result<u64, LedgerError> {
        let mut pending = 0;
        self.each(
            "SELECT count(*) FROM sessions WHERE outcome IS NULL",
            params![],
            |row| {
                pending = count(row, 0)?;
                Ok(())
            },
        )?;
        Ok(pending)
    }

    /// Quirks that were seen, by row. Of the filter, the charger counts.
    pub fn quirks(&self, filter: &Filter) -> Result<Vec<QuirkCount>, LedgerError> {
        const COLUMNS: filter::Columns = &[("charger", filter::Column::One("charger"))];
        let narrowing = filter.terms.narrowing(filter.now, COLUMNS);
        let mut bound: Vec<Value> = vec![filter.charger.clone().into()];
        bound.extend(narrowing.params);
        let mut found: Vec<QuirkCount> = Vec::new();
        self.each(
            &format!(
                "SELECT quirk, leg, detail, charger, count, first_seen, last_seen FROM quirks \
                 WHERE (?1 IS NULL OR charger = ?1) AND {} ORDER BY quirk, leg, detail, charger",
                narrowing.sql
            ),
            params_from_iter(bound),
            |row| {
                let next = QuirkCount {
                    row: row.get(0)?,
                    leg: row.get(1)?,
                    detail: row.get(2)?,
                    count: count(row, 4)?,
                    first_seen: row.get(5)?,
                    last_seen: row.get(6)?,
                    chargers: vec![row.get(3)?],
                };
                match found.last_mut() {
                    Some(last) if last.is_like(&next) => last.add(next),
                    _ => found.push(next),
                }
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Answer times per action and side.
    pub fn latencies(&self) -> Result<Vec<Latency>, LedgerError> {
        let mut buckets: BTreeMap<(String, String), Vec<(u32, u64)>> = BTreeMap::new();
        self.each(
            "SELECT action, what, bucket, count FROM latencies ORDER BY action, what, bucket",
            params![],
            |row| {
                buckets
                    .entry((row.get(0)?, row.get(1)?))
                    .or_default()
                    .push((row.get(2)?, count(row, 3)?));
                Ok(())
            },
        )?;
        Ok(buckets
            .into_iter()
            .map(|((action, what), buckets)| Latency {
                action,
                what,
                count: buckets.iter().map(|(_, count)| count).sum(),
                p50: tally::percentile(&buckets, 50),
                p95: tally::percentile(&buckets, 95),
                p99: tally::percentile(&buckets, 99),
                max: tally::percentile(&buckets, 100),
            })
            .collect())
    }
}
