//! What needs a person: groups that should come back, have lost chargers, are silent or wait for somebody, and findings that
//! nobody has decided about.

use std::collections::BTreeMap;

use super::Need;
use crate::estate::gate::Verdict;
use crate::estate::gate::report::{People, Stage};
use crate::facts::Leg;
use crate::facts::authority::{Journal, Step};
use crate::ledger::query::Concern;
use crate::ocpp::Severity;
use crate::watch::books::{Books, BooksError};
use crate::watch::text::count_of;
use crate::watch::verdicts::Said;

/// Findings that are listed at most.
const FEW: usize = 12;

/// Names of chargers that are told at most.
const NAMED: usize = 3;

/// Reads them, the most urgent first.
pub(super) fn read(books: &Books, said: &[Said]) -> Result<Vec<Need>, BooksError> {
    let ledger = books.ledger()?;
    let concerns = ledger.concerns(Severity::S2, FEW)?;
    let members = ledger.members()?;
    let journal = books.shelf().journal(books)?;
    let mut needs: Vec<(u8, Need)> = concerns.into_iter().map(of_finding).collect();
    for said in said {
        let chargers = members.get(&said.group).map_or(&[][..], Vec::as_slice);
        needs.extend(of_group(said, chargers, &journal));
    }
    needs.sort_by_key(|(urgency, _)| *urgency);
    Ok(needs.into_iter().map(|(_, need)| need).collect())
}

fn of_finding(concern: Concern) -> (u8, Need) {
    let urgency = match concern.severity {
        Severity::S0 => 1,
        Severity::S1 => 4,
        _ => 6,
    };
    let need = Need {
        subject: concern.id,
        severity: Some(concern.severity),
        state: format!("{}, {}", concern.state, count_of(concern.count, "time")),
        says: concern.title,
        since: None,
    };
    (urgency, need)
}

/// Of each group only what is most urgent: one thing is done after another.
fn of_group(said: &Said, chargers: &[String], journal: &Journal) -> Option<(u8, Need)> {
    let need = |urgency, since, says: String| {
        let need = Need {
            subject: said.name().to_owned(),
            severity: None,
            state: said.word().to_owned(),
            says,
            since,
        };
        Some((urgency, need))
    };
    let report = &said.report;
    if report.verdict == Verdict::RollBack {
        let way = match report.undo.path.as_str() {
            "" => "nobody said how".to_owned(),
            path => format!("by {path}"),
        };
        let why = report.why.first().cloned().unwrap_or_default();
        return need(0, None, format!("should come back, {way}; {why}"));
    }
    let missing = missing(chargers, journal);
    if !missing.is_empty() {
        let many = count_of(missing.len() as u64, "charger");
        let named = missing[..missing.len().min(NAMED)].join(", ");
        let takes = report.undo.takes_s.map_or_else(String::new, |takes| {
            format!("; a roll-back takes about {} min", takes.div_ceil(60))
        });
        let says = format!("{many} not back after the switch: {named}{takes}");
        return need(2, None, says);
    }
    if let Some(silence) = said.silence() {
        let says = format!("{silence}; look at the site's power and link");
        return need(3, said.silent, says);
    }
    let has_moved = (chargers.iter()).any(|it| authority(it, journal) == Some(Leg::Candidate));
    if report.verdict == Verdict::Go && !has_moved {
        return need(5, None, awaited(report.stage, &report.people)?);
    }
    None
}

/// Whom a group that may move waits for; nobody if no wave names them.
fn awaited(stage: Stage, people: &People) -> Option<String> {
    if people.wave.is_empty() {
        return None;
    }
    match stage {
        Stage::Going => Some("go is decided: its chargers are to be moved".to_owned()),
        _ if people.signed_by.is_some() => {
            Some(format!("signed; waits for go by {}", people.decision))
        }
        _ => Some(format!("waits for the sign-off of {}", people.sign_off)),
    }
}

/// Chargers that a switch sent away and that have not come back in time.
fn missing(chargers: &[String], journal: &Journal) -> Vec<String> {
    let is_missing = |charger: &&String| {
        let standing = journal.chargers.get(charger.as_str());
        standing.is_some_and(|standing| standing.step == Step::Missing)
    };
    chargers.iter().filter(is_missing).cloned().collect()
}

/// The backend that a switch has brought a charger to; none if it was never moved.
fn authority(charger: &str, journal: &Journal) -> Option<Leg> {
    Some(journal.chargers.get(charger)?.authority)
}

/// How far a group is by its switches: none if no charger of it was ever moved.
pub(super) fn moved(chargers: &[String], journal: &Journal) -> Option<&'static str> {
    let mut places: BTreeMap<&'static str, usize> = BTreeMap::new();
    for charger in chargers {
        let standing = journal.chargers.get(charger.as_str());
        let place = match standing.map(|it| (it.step, it.authority)) {
            Some((Step::Acting | Step::Admitted | Step::Recalled, _)) => "moving",
            Some((_, Leg::Candidate)) => "moved",
            _ => "there",
        };
        *places.entry(place).or_default() += 1;
    }
    let is_planned = (journal.unfinished.iter())
        .any(|one| chargers.iter().any(|it| one.plan.chargers.contains(it)));
    match (places.get("moving"), places.get("moved")) {
        (None, None) if !is_planned => None,
        (None, Some(moved)) if *moved == chargers.len() => Some("moved"),
        _ if is_planned => Some("moving"),
        _ => Some("in part"),
    }
}
