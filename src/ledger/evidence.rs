//! What a gate weighs: counts of one group's chargers, or of all, by model.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::query::{Filter, Latency, Reader, Station, count};
use super::row::{Decision, Group, State, Subject, Wave};
use super::{LedgerError, views};
use crate::clock::Micros;
use crate::ocpp::Severity;

/// A day, µs.
const DAY: Micros = 86_400_000_000;

/// Everything that a gate may ask about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The last fact that has been judged.
    pub judged: u64,
    /// Digest of the ledger.
    pub digest: String,
    /// Fingerprint of the rules that it was judged by.
    pub rules: String,
    /// The candidate's build that was faced last; empty if unknown.
    pub build: String,
    /// The group; none for the whole estate, or where nothing is said about it.
    pub group: Option<Group>,
    /// The wave that the group moves in.
    pub wave: Option<Wave>,
    /// Chargers, by name.
    pub stations: Vec<Station>,
    /// Exchanges, commands, handshakes and sessions by charger and what came out.
    pub tallies: Vec<Tally>,
    /// Sessions of which legacy has a CDR, likewise.
    pub cdrs: Vec<Tally>,
    /// What differs.
    pub findings: Vec<Found>,
    /// What monitors counted, by day.
    pub monitors: Vec<Sum>,
    /// The days on which anything was judged, each by its beginning, µs.
    pub days: BTreeSet<Micros>,
    /// Answer times of the whole tap.
    pub latencies: Vec<Latency>,
    /// Sessions that are under way.
    pub open_sessions: u64,
    /// What people decided about the group, oldest first.
    pub decisions: Vec<Decision>,
}

/// How often something came out on one charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What.
    pub subject: Subject,
    /// The action.
    pub action: String,
    /// The charger.
    pub charger: String,
    /// Its model; empty if it has not told.
    pub model: String,
    /// Word of the outcome.
    pub outcome: String,
    /// Why not comparable; empty if it is.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// When first, µs.
    pub first_seen: Micros,
    /// When last, µs.
    pub last_seen: Micros,
}

/// A finding, as far as the group shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub subject: Subject,
    /// The action.
    pub action: String,
    /// Kind of difference.
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// A sentence.
    pub title: String,
    /// Whether it counts.
    pub stands: Stands,
    /// Whether nobody has said anything about it.
    pub is_new: bool,
    /// How often, by model.
    pub models: BTreeMap<String, u64>,
    /// When last, anywhere, µs.
    pub last_seen: Micros,
}

/// Whether a finding counts against the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stands {
    /// It does.
    Open,
    /// Somebody accepted it for now.
    Accepted,
    /// It is said to be fixed, and too little was seen since to believe that.
    Unproven,
    /// It is said to be fixed, and gone.
    Gone,
    /// Legacy's own answers vary there: it says nothing.
    Apart,
}

/// What a monitor counted on one day on chargers of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The monitor.
    pub monitor: String,
    /// `legacy`, `candidate` or empty.
    pub leg: String,
    /// What was counted.
    pub what: String,
    /// A word more.
    pub detail: String,
    /// The chargers' model; empty if unknown.
    pub model: String,
    /// The day by its beginning, µs.
    pub day: Micros,
    /// How many, or how many µs.
    pub count: u64,
}

impl Found {
    /// How often it was seen in the group.
    pub fn count(&self) -> u64 {
        self.models.values().sum()
    }
}

impl Reader {
    /// The evidence about one group, or about all chargers.
    pub fn evidence(&self, group: Option<&str>) -> Result<Evidence, LedgerError> {
        let cursor = self.cursor()?;
        let row = self
            .groups()?
            .into_iter()
            .find(|it| Some(it.name.as_str()) == group);
        let waves = self.waves()?.into_iter();
        let wave = row
            .as_ref()
            .and_then(|row| waves.into_iter().find(|it| it.name == row.wave));
        let mut tallies = self.tallies(group)?;
        tallies.extend(self.session_tallies(group, false)?);
        Ok(Evidence {
            judged: cursor.seq,
            digest: cursor.digest.to_string(),
            rules: self.text("SELECT value FROM meta WHERE key = 'rules'")?,
            build: self.text("SELECT build FROM builds ORDER BY run DESC LIMIT 1")?,
            group: row,
            wave,
            stations: self.stations(group)?,
            tallies,
            cdrs: self.session_tallies(group, true)?,
            findings: self.found(group)?,
            monitors: self.sums(group)?,
            days: self.days(group)?,
            latencies: self.latencies()?,
            open_sessions: self.open_sessions(group)?,
            decisions: self.decisions(group)?,
        })
    }

    fn text(&self, sql: &str) -> Result<String, LedgerError> {
        let mut text = String::new();
        self.each(sql, [], |row| {
            text = row.get(0)?;
            Ok(())
        })?;
        Ok(text)
    }

    /// Made-up messages count for nothing: no charger sent them.
    fn tallies(&self, group: Option<&str>) -> Result<Vec<Tally>, LedgerError> {
        let mut tallies = Vec::new();
        self.each(
            "SELECT t.subject, t.action, t.charger, coalesce(s.model, ''), t.outcome, t.reason, t.count, t.first_seen, \
                t.last_seen \
             FROM tallies t JOIN members m USING (charger) LEFT JOIN stations s USING (charger) \
             WHERE (?1 IS NULL OR m.crowd = ?1) AND t.reason <> 'synthetic' ORDER BY t.subject, t.action, t.charger",
            params![group],
            |row| {
                tallies.push(tally(row)?);
                Ok(())
            },
        )?;
        Ok(tallies)
    }

    fn session_tallies(&self, group: Option<&str>, cdrs: bool) -> Result<Vec<Tally>, LedgerError> {
        let mut tallies = Vec::new();
        self.each(
            "SELECT 'session', 'Session', x.charger, coalesce(s.model, ''), x.outcome, coalesce(x.reason, ''), count(*), \
                min(x.at), max(x.at) \
             FROM sessions x JOIN members m USING (charger) LEFT JOIN stations s USING (charger) \
             WHERE (?1 IS NULL OR m.crowd = ?1) AND x.outcome IS NOT NULL AND (x.cdr OR NOT ?2) GROUP BY 3, 4, 5, 6 \
             ORDER BY 3, 5, 6",
            params![group, cdrs],
            |row| {
                tallies.push(tally(row)?);
                Ok(())
            },
        )?;
        Ok(tallies)
    }

    fn open_sessions(&self, group: Option<&str>) -> Result<u64, LedgerError> {
        let mut open = 0;
        self.each(
            "SELECT count(*) FROM sessions x JOIN members m USING (charger) \
             WHERE (?1 IS NULL OR m.crowd = ?1) AND x.state = 'open'",
            params![group],
            |row| {
                open = count(row, 0)?;
                Ok(())
            },
        )?;
        Ok(open)
    }

    fn found(&self, group: Option<&str>) -> Result<Vec<Found>, LedgerError> {
        let mut seen: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        self.each(
            "SELECT g.finding, coalesce(s.model, ''), sum(g.count) \
             FROM sightings g JOIN findings f ON f.id = g.finding JOIN members m USING (charger) \
                LEFT JOIN stations s USING (charger) \
             WHERE (?1 IS NULL OR m.crowd = ?1) AND f.subject <> 'session' GROUP BY 1, 2 \
             UNION ALL SELECT w.finding, coalesce(s.model, ''), count(*) \
             FROM session_findings w JOIN sessions x ON x.id = w.session JOIN members m USING (charger) \
                LEFT JOIN stations s USING (charger) \
             WHERE (?1 IS NULL OR m.crowd = ?1) AND x.outcome = 'divergent' GROUP BY 1, 2",
            params![group],
            |row| {
                let models = seen.entry(row.get(0)?).or_default();
                *models.entry(row.get(1)?).or_default() += count(row, 2)?;
                Ok(())
            },
        )?;
        let findings = self.findings(&Filter::default())?.into_iter();
        Ok(findings
            .filter_map(|finding| {
                let models = seen.remove(&finding.id)?;
                let (subject, last_seen) = (finding.subject, finding.last_seen);
                let view = views::Finding::from(finding);
                Some(Found {
                    stands: stands(&view),
                    is_new: view.state == State::New,
                    id: view.id,
                    subject,
                    action: view.action,
                    kind: view.kind,
                    severity: view.severity,
                    title: view.title,
                    models,
                    last_seen,
                })
            })
            .collect())
    }

    fn sums(&self, group: Option<&str>) -> Result<Vec<Sum>, LedgerError> {
        let mut sums = Vec::new();
        self.each(
            "SELECT monitor, leg, what, detail, model, hour - hour % ?2, sum(count) FROM monitors \
             WHERE ?1 IS NULL OR crowd = ?1 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6",
            params![group, DAY],
            |row| {
                sums.push(Sum {
                    monitor: row.get(0)?,
                    leg: row.get(1)?,
                    what: row.get(2)?,
                    detail: row.get(3)?,
                    model: row.get(4)?,
                    day: row.get(5)?,
                    count: count(row, 6)?,
                });
                Ok(())
            },
        )?;
        Ok(sums)
    }

    fn days(&self, group: Option<&str>) -> Result<BTreeSet<Micros>, LedgerError> {
        let mut days = BTreeSet::new();
        self.each(
            "SELECT DISTINCT hour - hour % ?2 FROM monitors WHERE (?1 IS NULL OR crowd = ?1) AND monitor = 'shadow-health' \
                AND what IN ('equal', 'explained', 'divergent')",
            params![group, DAY],
            |row| {
                days.insert(row.get(0)?);
                Ok(())
            },
        )?;
        Ok(days)
    }
}

fn stands(finding: &views::Finding) -> Stands {
    match finding.state {
        State::Accepted => Stands::Accepted,
        _ if finding.counts() => Stands::Open,
        _ if finding.is_apart() => Stands::Apart,
        _ if finding.is_undecided() => Stands::Unproven,
        _ => Stands::Gone,
    }
}

fn tally(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tally> {
    let subject: String = row.get(0)?;
    Ok(Tally {
        subject: Subject::from_word(&subject).unwrap_or(Subject::Exchange),
        action: row.get(1)?,
        charger: row.get(2)?,
        model: row.get(3)?,
        outcome: row.get(4)?,
        reason: row.get(5)?,
        count: count(row, 6)?,
        first_seen: row.get(7)?,
        last_seen: row.get(8)?,
    })
}
