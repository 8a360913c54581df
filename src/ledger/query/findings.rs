//! Findings: which there are, how exposed they are, and where their texts lie.

use std::collections::BTreeSet;

use rusqlite::{Row, params, params_from_iter, types::Value};

use super::{Life, Reader, Trigger, count, trace};
use crate::clock::Micros;
use crate::ledger::row::{State, Subject, Unstable};
use crate::ledger::{LedgerError, filter, schema};
use crate::ocpp::Severity;

/// How many exemplars a finding shows.
pub const EXEMPLARS: usize = 5;

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
    /// The groups that these move with.
    pub groups: Vec<String>,
    /// The waves that those move in, as far as planned.
    pub waves: Vec<String>,
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

impl Finding {
    /// Whether most of it was seen where legacy itself does not say the same twice: then it says little of the candidate.
    pub const fn is_unstable(&self) -> bool {
        self.unstable * 2 >= self.count && self.unstable > 0
    }
}

impl Reader {
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

    /// The ids of all findings.
    pub fn finding_ids(&self) -> Result<BTreeSet<String>, LedgerError> {
        let mut ids = BTreeSet::new();
        self.each("SELECT id FROM findings", params![], |row| {
            ids.insert(row.get(0)?);
            Ok(())
        })?;
        Ok(ids)
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
        let (mut groups, mut waves) = (BTreeSet::new(), BTreeSet::new());
        self.each(
            "SELECT DISTINCT m.crowd, coalesce(w.wave, '') FROM sightings g JOIN members m ON m.charger = g.charger \
             LEFT JOIN groups w ON w.name = m.crowd WHERE g.finding = ?1",
            params![finding.id],
            |row| {
                groups.insert(row.get(0)?);
                waves.insert(row.get(1)?);
                Ok(())
            },
        )?;
        waves.remove("");
        finding.groups = groups.into_iter().collect();
        finding.waves = waves.into_iter().collect();
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
        groups: Vec::new(),
        waves: Vec::new(),
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
pub(super) fn finding_severity(rank: u8) -> Severity {
    let known = Severity::ALL.get(usize::from(rank));
    known.copied().unwrap_or(Severity::S0)
}
