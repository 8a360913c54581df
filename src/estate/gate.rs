//! The gate: whether a group may move. The verdict is that of the worst blocking criterion, never an average, and missing
//! evidence is never good news.

pub mod criterion;
pub mod file;
pub mod report;

mod measure;
mod weigh;

use std::collections::BTreeMap;

use super::decommission;
use super::standing::Standing;
use crate::clock::Micros;
use crate::ledger::evidence::Evidence;
use crate::ledger::row::Decision;
use crate::ledger::views::rfc3339;
pub use file::Gate;
use report::{Looked, People, Told, Undo, Weighed};
pub use report::{Outcome, Report, Stage, Verdict};
use weigh::Look;

/// What shadow traffic cannot prove: no command of the candidate's reaches a charger.
pub const UNPROVEN: [&str; 6] = [
    "remote commands of the candidate, from its button to the charger's relay",
    "what configuration that the candidate sets does to chargers",
    "smart charging as a control loop",
    "firmware updates",
    "certificate rotation and mutual TLS with the candidate",
    "what the candidate pushes to roaming partners",
];

/// When and how a gate is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The group; none for the whole estate.
    pub group: Option<String>,
    /// The time by which evidence is old, µs.
    pub now: Micros,
    /// Whether this look was fixed beforehand, and the evidence ends there.
    pub is_checkpoint: bool,
    /// Hash of the gate file, `sha256:` and 64 hexadecimal digits.
    pub gate_hash: String,
}

/// Weighs the evidence.
pub fn weigh(gate: &Gate, evidence: &Evidence, asked: &Asked) -> Report {
    let standing = Standing::of(
        &evidence.decisions,
        asked.now,
        (&asked.gate_hash, &evidence.rules),
    );
    let looks = gate.checkpoints.len().max(1) as f64;
    let look = Look {
        now: asked.now,
        // Each of several looks at the exact bound has its share of the chance to err.
        alpha: if asked.is_checkpoint {
            gate.alpha / looks
        } else {
            gate.alpha
        },
        is_checkpoint: asked.is_checkpoint,
        days: evidence.days.len() as u64,
    };
    let criteria: Vec<Weighed> = gate
        .criteria
        .iter()
        .map(|criterion| {
            let seen = measure::measure(criterion, evidence, asked.now);
            let weighed = weigh::weigh(criterion, &seen, &look, standing.exception(&criterion.id));
            if evidence.judged == 0 {
                unknown(weighed)
            } else {
                weighed
            }
        })
        .collect();
    let verdict = verdict(&criteria, &standing);
    let exceptions = exceptions(&criteria);
    let mut report = Report {
        schema: report::SCHEMA,
        group: asked.group.clone(),
        verdict,
        exceptions,
        says: match (verdict, exceptions) {
            (Verdict::Go, 1..) => format!("GO+{exceptions}"),
            _ => verdict.word().to_owned(),
        },
        stage: standing.stage,
        as_of: rfc3339(asked.now),
        checkpoint: asked.is_checkpoint,
        confidence: 100.0 * (1.0 - gate.alpha),
        evidence: looked(gate, evidence, asked),
        counts: counts(&criteria),
        why: Vec::new(),
        to_go: Vec::new(),
        undo: undo(evidence, asked),
        people: people(evidence, &standing),
        decisions: evidence.decisions.iter().map(told).collect(),
        decommission: decommission::checks(evidence),
        unproven: UNPROVEN.to_vec(),
        criteria,
    };
    explain(&mut report, &standing);
    report
}

/// What a criterion comes to while no fact is judged: not even groups are known.
fn unknown(weighed: Weighed) -> Weighed {
    if weighed.result != Outcome::Failed {
        return weighed;
    }
    Weighed {
        result: Outcome::Missing,
        missing: Some(report::Missing::NotExercised),
        why: "no fact is judged yet".to_owned(),
        ..weighed
    }
}

fn verdict(criteria: &[Weighed], standing: &Standing<'_>) -> Verdict {
    let worst = criteria.iter().map(|it| it.result).max();
    let recalls = |it: &Weighed| it.result == Outcome::Failed && it.rolls_back;
    match worst {
        _ if standing.stage == Stage::Going && criteria.iter().any(recalls) => Verdict::RollBack,
        Some(Outcome::Failed) => Verdict::NoGo,
        Some(Outcome::Missing) | None => Verdict::Hold,
        _ if standing.stage == Stage::RolledBack => Verdict::Hold,
        Some(Outcome::Met | Outcome::Excepted | Outcome::Note) => Verdict::Go,
    }
}

/// Criteria that are excepted, or the findings that were accepted in their place.
fn exceptions(criteria: &[Weighed]) -> u64 {
    let excepted = criteria.iter().filter(|it| it.result == Outcome::Excepted);
    let mut names: Vec<&str> = Vec::new();
    for it in excepted {
        match it.acceptances.as_slice() {
            [] => names.push(&it.id),
            findings => names.extend(findings.iter().map(String::as_str)),
        }
    }
    names.sort_unstable();
    names.dedup();
    names.len() as u64
}

fn counts(criteria: &[Weighed]) -> BTreeMap<Outcome, u64> {
    let mut counts = BTreeMap::new();
    for criterion in criteria {
        *counts.entry(criterion.result).or_default() += 1;
    }
    counts
}

fn looked(gate: &Gate, evidence: &Evidence, asked: &Asked) -> Looked {
    let mut models: Vec<String> = (evidence.stations.iter())
        .map(|station| station.model.clone())
        .filter(|model| !model.is_empty())
        .collect();
    models.sort_unstable();
    models.dedup();
    Looked {
        chargers: evidence.stations.len() as u64,
        models,
        days: evidence.days.len() as u64,
        ledger: evidence.digest.clone(),
        judged: evidence.judged,
        gate: gate.name.clone(),
        gate_hash: asked.gate_hash.clone(),
        rules: evidence.rules.clone(),
        build: evidence.build.clone(),
    }
}

fn undo(evidence: &Evidence, asked: &Asked) -> Undo {
    let (group, wave) = (evidence.group.as_ref(), evidence.wave.as_ref());
    let own = group.map(|group| group.rollback.clone());
    let path = own
        .filter(|path| !path.is_empty())
        .or_else(|| wave.map(|wave| wave.rollback.clone()))
        .unwrap_or_default();
    let takes_s = group.and_then(|group| group.rollback_s);
    let last = wave.and_then(|wave| wave.point_of_no_return);
    let name = asked.group.as_deref().unwrap_or("GROUP");
    let chargers = evidence.stations.len();
    Undo {
        steps: vec![
            format!("evenkeel decide roll-back --group {name} --by NAME RECORDING"),
            if path.is_empty() {
                "nobody said how the chargers come back".to_owned()
            } else {
                format!("the chargers come back by {path}")
            },
            format!("see {chargers} of {chargers} boot on the legacy"),
        ],
        path,
        takes_s,
        rehearsed: group
            .map(|group| group.rehearsed.clone())
            .unwrap_or_default(),
        point_of_no_return: last.map(rfc3339),
        last_safe_start: last
            .zip(takes_s)
            .map(|(last, takes)| rfc3339(last - takes as Micros * 1_000_000)),
        open_sessions: evidence.open_sessions,
    }
}

fn people(evidence: &Evidence, standing: &Standing<'_>) -> People {
    let wave = evidence.wave.clone().unwrap_or_default();
    People {
        wave: wave.name,
        date: wave.date,
        window: wave.window,
        sign_off: wave.sign_off,
        signed_by: standing.signed.map(|signed| signed.decided.by.clone()),
        lapsed: standing.lapsed.clone(),
        decision: wave.decision,
        deputy: wave.deputy,
        communications: wave.communications,
    }
}

fn told(decision: &Decision) -> Told {
    let decided = &decision.decided;
    let exception = decided.exception.as_ref();
    Told {
        fact: decision.id,
        at: rfc3339(decision.at),
        decided: decided.word.word(),
        by: decided.by.clone(),
        role: decided.role.clone(),
        reason: decided.reason.clone(),
        verdict: decided.evidence.verdict.clone(),
        criterion: exception.map(|it| it.criterion.clone()),
        until: exception.map(|it| rfc3339(it.until)),
    }
}

/// Why, and what would make it GO, from the blocking criteria that stand in the way.
fn explain(report: &mut Report, standing: &Standing<'_>) {
    if report.evidence.judged == 0 {
        let why = "no fact is judged yet: nothing is known of any charger".to_owned();
        report.why.push(why);
        let to_go = "let the tap record and judge a while, then look again".to_owned();
        report.to_go.push(to_go);
    }
    if standing.stage == Stage::RolledBack {
        report
            .why
            .push("the group was rolled back, and nobody has signed since".to_owned());
        report
            .to_go
            .push("find out why, then sign off anew".to_owned());
    }
    let mut in_the_way: Vec<&Weighed> = (report.criteria.iter())
        .filter(|it| matches!(it.result, Outcome::Failed | Outcome::Missing))
        .collect();
    in_the_way.sort_by_key(|it| std::cmp::Reverse(it.result));
    for it in in_the_way {
        let kind = it.missing.map_or("failed", report::Missing::words);
        report
            .why
            .push(format!("{} {}: {kind}, {}", it.id, it.title, it.why));
        report.to_go.push(format!("{}: {}", it.id, it.to_go));
    }
    if report.verdict == Verdict::Go && standing.signed.is_none() {
        report
            .to_go
            .push("somebody signs off: evenkeel decide sign-off".to_owned());
    }
}
