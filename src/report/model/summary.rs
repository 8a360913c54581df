//! The whole in numbers and a few sentences.

use std::collections::BTreeMap;

use serde::Serialize;

use super::card::Card;
use super::{ReportError, World};
use crate::ledger::views::{Diffs, Outcomes};
use crate::ocpp::Severity;
use crate::report::words::{counted, grouped};

/// Bars of the chart of what came in when.
const BARS: i64 = 60;

/// Findings that are named among the first.
const FIRST: usize = 3;

/// What came out, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// A few sentences.
    pub words: Vec<String>,
    /// Charger's messages by outcome.
    pub exchanges: Outcomes,
    /// Commands by outcome.
    pub commands: Outcomes,
    /// Handshakes by outcome.
    pub handshakes: Outcomes,
    /// Sessions by outcome.
    pub sessions: Outcomes,
    /// Open findings by severity, the worst first.
    pub severities: Vec<(Severity, u64)>,
    /// The findings to look at first.
    pub first: Vec<String>,
    /// When what came in, in equal parts of the window.
    pub timeline: Timeline,
}

/// Exchanges over time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// How long a part is, seconds.
    pub part_s: u64,
    /// Matching, divergent and not comparable ones of each part.
    pub parts: Vec<[u64; 3]>,
}

impl Summary {
    pub(super) fn of(
        world: &World<'_>,
        diffs: &Diffs,
        cards: &[Card],
    ) -> Result<Self, ReportError> {
        let mut severities: BTreeMap<Severity, u64> = BTreeMap::new();
        for card in cards.iter().filter(|card| card.counts) {
            *severities.entry(card.severity).or_default() += 1;
        }
        let mut summary = Self {
            words: Vec::new(),
            exchanges: diffs.outcomes.clone(),
            commands: diffs.commands.clone(),
            handshakes: diffs.handshakes.clone(),
            sessions: diffs.sessions.clone(),
            severities: severities.into_iter().collect(),
            first: (cards.iter().filter(|card| card.counts))
                .take(FIRST)
                .map(|card| card.id.clone())
                .collect(),
            timeline: timeline(world)?,
        };
        summary.words = words(world, &summary, cards);
        Ok(summary)
    }
}

fn comparable(outcomes: &Outcomes) -> u64 {
    outcomes.equal + outcomes.explained + outcomes.divergent
}

fn words(world: &World<'_>, summary: &Summary, cards: &[Card]) -> Vec<String> {
    let exchanges = comparable(&summary.exchanges);
    let sessions = comparable(&summary.sessions);
    if exchanges + sessions + comparable(&summary.commands) == 0 {
        return vec![
            "Nothing could be compared: this report says nothing about the candidate.".to_owned(),
        ];
    }
    let not = summary
        .exchanges
        .not_comparable
        .get("total")
        .copied()
        .unwrap_or(0);
    let mut words = vec![format!(
        "{} of chargers and {} were compared.",
        counted(exchanges, "message"),
        counted(sessions, "session"),
    )];
    if not > 0 {
        words.push(format!(
            "{} of chargers could not be, and say nothing either way.",
            counted(not, "message")
        ));
    }
    let open = cards.iter().filter(|card| card.counts).count() as u64;
    let by_severity: Vec<String> = summary
        .severities
        .iter()
        .map(|(severity, count)| format!("{} {severity} ({})", grouped(*count), severity.word()))
        .collect();
    words.push(match open {
        0 => "Nothing was found that counts against the candidate.".to_owned(),
        _ => format!("{} open: {}.", be(open, "finding"), by_severity.join(", ")),
    });
    let severe = cards
        .iter()
        .filter(|card| card.counts && card.severity <= Severity::S1)
        .count();
    if severe > 0 {
        words.push(format!(
            "{} decide whether a driver can charge, and come first.",
            counted(severe as u64, "finding")
        ));
    }
    if !world.survey.accounting.broken.is_empty() {
        words.push(
            "The recording is not whole: see the health of the instrument before anything else."
                .to_owned(),
        );
    }
    words
}

fn be(count: u64, noun: &str) -> String {
    format!(
        "{} {}",
        counted(count, noun),
        if count == 1 { "is" } else { "are" }
    )
}

fn timeline(world: &World<'_>) -> Result<Timeline, ReportError> {
    let Some((first, last)) = world.survey.window else {
        return Ok(Timeline::default());
    };
    let seconds = ((last - first) / 1_000_000 / BARS + 1).max(1);
    let part = seconds * 1_000_000;
    let mut parts = vec![[0; 3]; ((last - first) / part + 1) as usize];
    for (at, outcome, count) in world.ledger.outcomes_over_time(first, part)? {
        let kind = match outcome.as_str() {
            "equal" | "explained" => 0,
            "divergent" => 1,
            _ => 2,
        };
        if let Some(part) = usize::try_from(at).ok().and_then(|at| parts.get_mut(at)) {
            part[kind] += count;
        }
    }
    Ok(Timeline {
        part_s: seconds as u64,
        parts,
    })
}
