//! Reading the ledger: what every view shares. Readers open the file read-only and never stop the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row, params, params_from_iter, types::Value};

use super::row::{Outcome, Reason, State, Subject, Unstable};
use super::{Cursor, Digest, FILE, LedgerError, Pending, filter, schema, tally};
use crate::clock::Micros;
use crate::ocpp::Severity;

mod commands;
mod coverage;
mod estate;
mod judged;
mod life;
mod matrix;
mod overview;
mod recent;
mod trace;

pub use commands::{Attempt, StandIns, Trigger, Twins};
pub use coverage::{Coverage, Share};
pub use estate::{Ordered, Station};
pub use judged::Judged;
pub use life::{Case, Life};
pub use matrix::Matrix;
pub use overview::{Concern, Crowd, FindingCount};
pub use recent::{Recent, Source};
pub use trace::{Item, REACH};

/// How many exemplars a finding shows.
pub const EXEMPLARS: usize = 5;

/// What findings about sessions have as their action.
pub const SESSION: &str = "Session";

/// A reader of a recording's ledger.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
}

/// Which findings to list. Everything that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// At least this bad.
    pub severity: Option<Severity>,
    /// This action.
    pub action: Option<String>,
    /// Seen on this charger.
    pub charger: Option<String>,
    /// This finding.
    pub finding: Option<String>,
    /// Findings that stand so.
    pub state: Option<State>,
    /// Findings that this person answers for.
    pub owner: Option<String>,
    /// Findings that were seen on this model.
    pub model: Option<String>,
    /// What a text asks for besides, of [`filter::FINDINGS`].
    pub terms: filter::Filter,
    /// When the recording's last fact was, µs: what relative instants of the terms count from.
    pub now: Micros,
}

/// Divergences with one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `F-` and eight characters.
    pub id: String,
    /// What it is about.
    pub subject: Subject,
    /// The rule that decided.
    pub rule: String,
    /// The rule's reason.
    pub reason: String,
    /// Direction word.
    pub direction: String,
    /// The action; empty for handshakes.
    pub action: String,
    /// JSON pointer with `*`; empty for the whole.
    pub path: String,
    /// Kind of difference.
    pub kind: String,
    /// The worst severity seen.
    pub severity: Severity,
    /// Value class on legacy.
    pub legacy: String,
    /// Value class on the candidate.
    pub candidate: String,
    /// A sentence.
    pub title: String,
    /// Row of the charger's quirk that it is rooted in, if it is.
    pub quirk: Option<u8>,
    /// How often.
    pub count: u64,
    /// Out of how many comparable exchanges, commands or handshakes of this action.
    pub of: u64,
    /// When first, µs.
    pub first_seen: Micros,
    /// When last, µs.
    pub last_seen: Micros,
    /// On which chargers.
    pub chargers: Vec<String>,
    /// Their models, as far as known.
    pub models: Vec<String>,
    /// Their firmware, as far as known.
    pub firmware: Vec<String>,
    /// The first few exchanges, commands or handshakes that show it.
    pub exemplars: Vec<u64>,
    /// What came before, of commands.
    pub triggers: Vec<Trigger>,
    /// How often it was seen where legacy itself answers equal requests differently.
    pub unstable: u64,
    /// The most different answers that legacy gave there.
    pub varied: Unstable,
    /// What has become of it.
    pub life: Life,
}

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

/// One exemplar: where its texts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemplar {
    /// Identity of the exchange, command or handshake.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// Where in the texts.
    pub pointer: String,
    /// Facts that hold the texts: the charger's CALL, the authority's and the shadow's side. 0 where there is none.
    pub facts: [u64; 3],
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

    fn add(&mut self, outcome: &str, reason: String, count: u64) {
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

impl Finding {
    /// Whether most of it was seen where legacy itself does not say the same twice: then it says little of the candidate.
    pub const fn is_unstable(&self) -> bool {
        self.unstable * 2 >= self.count && self.unstable > 0
    }
}

impl Reader {
    /// Opens the ledger of the recording `dir`.
    pub fn open(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(&path, flags) {
            Ok(db) => Ok(Self { db, path }),
            Err(source) => Err(LedgerError::Database {
                doing: "open",
                path,
                source,
            }),
        }
    }

    /// How far the ledger is.
    pub fn cursor(&self) -> Result<Cursor, LedgerError> {
        read_cursor(&self.db, &self.path)
    }

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

    /// Findings, worst and most frequent first.
    pub fn findings(&self, filter: &Filter) -> Result<Vec<Finding>, LedgerError> {
        let narrowing = filter.terms.narrowing(filter.now, filter::FINDING_COLUMNS);
        let severity = filter.severity.map_or(u8::MAX, schema::rank);
        let mut bound: Vec<Value> = vec![
            i64::from(severity).into(),
            filter.action.clone().into(),
            filter.finding.clone().into(),
            filter.charger.clone().into(),
            filter.model.clone().into(),
            filter.owner.clone().into(),
            filter.state.map(|state| state.word().to_owned()).into(),
        ];
        bound.extend(narrowing.params);
        let mut findings = Vec::new();
        self.each(
            &format!(
                "SELECT id, subject, rule, reason, direction, action, path, kind, severity, legacy, candidate, title, \
                    count, first_seen, last_seen, quirk, unstable, varied, requests, exposed FROM findings \
                 WHERE severity <= ?1 AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR id = ?3) \
                    AND (?4 IS NULL OR EXISTS (SELECT 1 FROM sightings WHERE finding = id AND charger = ?4)) \
                    AND (?5 IS NULL OR EXISTS (SELECT 1 FROM sightings WHERE finding = id AND model = ?5)) \
                    AND (?6 IS NULL OR EXISTS (SELECT 1 FROM standings WHERE finding = id AND owner = ?6)) \
                    AND (?7 IS NULL OR ?7 = coalesce((SELECT state FROM standings WHERE finding = id), 'new')) \
                    AND {} ORDER BY severity, count DESC, id",
                narrowing.sql
            ),
            params_from_iter(bound),
            |row| {
                findings.push((finding(row)?, count(row, 19)?));
                Ok(())
            },
        )?;
        for (finding, exposed) in &mut findings {
            self.expose(finding)?;
            finding.life = self.life(finding, *exposed)?;
        }
        let mut findings: Vec<Finding> = findings.into_iter().map(|(finding, _)| finding).collect();
        findings.retain(|finding| filter.terms.matches(filter.now, &filter::finding(finding)));
        Ok(findings)
    }

    /// One finding.
    pub fn finding(&self, id: &str) -> Result<Option<Finding>, LedgerError> {
        let filter = Filter {
            finding: Some(id.to_owned()),
            ..Filter::default()
        };
        Ok(self.findings(&filter)?.into_iter().next())
    }

    /// Exemplars of a finding, oldest first, with the facts that hold their texts.
    pub fn exemplars(&self, finding: &str, limit: usize) -> Result<Vec<Exemplar>, LedgerError> {
        let mut found = Vec::new();
        self.each(
            "SELECT d.id, d.at, d.charger, d.pointer, \
                CASE d.subject WHEN 'exchange' THEN d.id ELSE 0 END, \
                coalesce(e.answer, c.ours, s.ours, 0), \
                coalesce(e.shadow, c.theirs, s.theirs, CASE d.subject WHEN 'handshake' THEN d.id END, 0) \
             FROM divergences d \
             LEFT JOIN exchanges e ON d.subject = 'exchange' AND e.id = d.id \
             LEFT JOIN commands c ON d.subject = 'command' AND c.id = d.id \
             LEFT JOIN sessions s ON d.subject = 'session' AND s.id = d.id \
             WHERE d.finding = ?1 ORDER BY d.number LIMIT ?2",
            params![finding, limit as i64],
            |row| {
                found.push(Exemplar {
                    id: count(row, 0)?,
                    at: row.get(1)?,
                    charger: row.get(2)?,
                    pointer: row.get(3)?,
                    facts: [count(row, 4)?, count(row, 5)?, count(row, 6)?],
                });
                Ok(())
            },
        )?;
        Ok(found)
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

    fn expose(&self, finding: &mut Finding) -> Result<(), LedgerError> {
        let (mut chargers, mut models, mut firmware) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        self.each(
            "SELECT charger, model, firmware FROM sightings WHERE finding = ?1",
            params![finding.id],
            |row| {
                chargers.insert(row.get(0)?);
                models.insert(row.get(1)?);
                firmware.insert(row.get(2)?);
                Ok(())
            },
        )?;
        models.remove("");
        firmware.remove("");
        finding.chargers = chargers.into_iter().collect();
        finding.models = models.into_iter().collect();
        finding.firmware = firmware.into_iter().collect();
        self.each(
            "SELECT (SELECT coalesce(sum(count), 0) FROM tallies \
                WHERE subject = ?1 AND action = ?2 AND outcome <> 'not comparable') \
             + (SELECT count(*) FROM sessions WHERE ?1 = 'session' AND outcome <> 'not comparable')",
            params![finding.subject.word(), finding.action],
            |row| {
                finding.of = count(row, 0)?;
                Ok(())
            },
        )?;
        // A finding may have a million divergences, and only commands have triggers.
        if finding.subject == Subject::Command {
            finding.triggers = self.triggers(&finding.id)?;
        }
        finding.exemplars = self
            .exemplars(&finding.id, EXEMPLARS)?
            .into_iter()
            .map(|exemplar| exemplar.id)
            .collect();
        Ok(())
    }

    /// Calls `row` for each row of a query.
    pub(super) fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        mut row: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), LedgerError> {
        let read = || -> rusqlite::Result<()> {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while let Some(next) = rows.next()? {
                row(next)?;
            }
            Ok(())
        };
        read_error(read(), &self.path)
    }
}

fn finding(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let (subject, severity): (String, u8) = (row.get(1)?, row.get(8)?);
    Ok(Finding {
        id: row.get(0)?,
        subject: trace::subject_of(&subject),
        rule: row.get(2)?,
        reason: row.get(3)?,
        direction: row.get(4)?,
        action: row.get(5)?,
        path: row.get(6)?,
        kind: row.get(7)?,
        severity: finding_severity(severity),
        legacy: row.get(9)?,
        candidate: row.get(10)?,
        title: row.get(11)?,
        quirk: row.get(15)?,
        count: count(row, 12)?,
        of: 0,
        first_seen: row.get(13)?,
        last_seen: row.get(14)?,
        chargers: Vec::new(),
        models: Vec::new(),
        firmware: Vec::new(),
        exemplars: Vec::new(),
        triggers: Vec::new(),
        unstable: count(row, 16)?,
        varied: Unstable {
            values: row.get(17)?,
            requests: row.get(18)?,
        },
        life: Life::default(),
    })
}

/// The severity that the database holds; what it cannot hold is taken for the worst.
fn finding_severity(rank: u8) -> Severity {
    let known = Severity::ALL.get(usize::from(rank));
    known.copied().unwrap_or(Severity::S0)
}

pub(super) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|count| count as u64)
}

fn read_error<T>(result: rusqlite::Result<T>, path: &Path) -> Result<T, LedgerError> {
    result.map_err(|source| LedgerError::Database {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

fn schema_error(reader: &Reader, what: &str) -> LedgerError {
    LedgerError::Damaged {
        path: reader.path.clone(),
        what: what.to_owned(),
    }
}

/// Reads how far a ledger is.
pub(super) fn read_cursor(db: &Connection, path: &Path) -> Result<Cursor, LedgerError> {
    let damaged = |key: &str| LedgerError::Damaged {
        path: path.to_owned(),
        what: format!("{key} cannot be read"),
    };
    let text = |key: &str| read_error(schema::get(db, key), path);
    let number = |key: &str| match text(key)? {
        Some(text) => text.parse().map_err(|_| damaged(key)),
        None => Ok(0),
    };
    Ok(Cursor {
        seq: number("cursor")?,
        digest: match text("digest")? {
            Some(hex) => Digest::from_hex(&hex).ok_or_else(|| damaged("digest"))?,
            None => Digest::default(),
        },
        pending: Pending {
            exchanges: number("pending")?,
            commands: number("pending_commands")?,
        },
    })
}
