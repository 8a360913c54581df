//! What has changed since an earlier report: each finding new, unchanged, changed or regressed, and what became of those
//! that are no longer here.
//!
//! Not seen is not gone: a finding is called gone only where what it was seen in was exercised so often since that at its
//! rate then it would have been seen [`EXPECTED`] times.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::card::Card;
use super::{Exercised, Summary};
use crate::ledger::query::Matrix;
use crate::ledger::row::{State, Subject};
use crate::ledger::views::Outcomes;
use crate::ocpp::Severity;
use crate::report::since::{Earlier, Past, Settled, Share};
use crate::report::words::{grouped, percent};

/// Sightings that were to be expected and did not come: by chance alone that happens once in twenty times.
const EXPECTED: u64 = 3;

/// How a finding stands against an earlier report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The earlier report has nothing of it.
    New,
    /// It was accepted, fixed or gone, and counts again.
    Regressed,
    /// It was there, and is another in what matters.
    Changed,
    /// It was there, and is as it was.
    Unchanged,
    /// It was there and would have been seen again.
    Gone,
    /// It was there; too little was exercised since to say more.
    NotExercised,
    /// It was there, and was accepted or called fixed since.
    Settled,
    /// It was there and is in the recording, but this report was not asked about it.
    LeftOut,
}

/// What has changed since an earlier report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Since {
    /// The earlier report's id.
    pub id: String,
    /// When its last fact was, RFC 3339.
    pub to: String,
    /// The group that it was about; none for all chargers.
    pub group: Option<String>,
    /// Builds of the candidate that it was about.
    pub builds: Vec<String>,
    /// How many findings stand how.
    pub counts: BTreeMap<Change, u64>,
    /// Findings of the earlier report that are not open here.
    pub past: Vec<Was>,
}

/// How an open finding stands against an earlier report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// In a word.
    pub change: Change,
    /// What is not as it was, in words; empty unless it is changed or regressed.
    pub how: Vec<String>,
}

/// A finding of an earlier report that is not open here, with all that a later report needs to know it again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Was {
    /// `F-` and eight characters.
    pub id: String,
    /// How bad it was.
    pub severity: Severity,
    /// A sentence; its place only, if the earlier report had other pseudonyms.
    pub title: String,
    /// Where.
    pub place: String,
    /// What it is a difference of.
    pub subject: Subject,
    /// Its action; empty for handshakes.
    pub action: String,
    /// How often it was seen when it was last open.
    pub exposure: Share,
    /// Models that it was seen on then.
    pub models: Vec<String>,
    /// Why it does not count; none if it is open still.
    pub settled: Option<Settled>,
    /// How it stands now.
    pub change: Change,
    /// Why that is so, in words.
    pub why: String,
}

impl Change {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
            Self::NotExercised => "not exercised",
            Self::Settled => "settled",
            Self::LeftOut => "left out",
        }
    }
}

/// What is known now, for the findings that are no longer open.
pub(super) struct Now<'a> {
    /// The key of this report's pseudonyms.
    pub(super) key: &'a str,
    /// Findings that do not count here, and how they stand.
    pub(super) settled: BTreeMap<&'a str, State>,
    /// All findings that the recording has, whatever was asked.
    pub(super) all: BTreeSet<String>,
    /// What was exercised.
    pub(super) coverage: &'a Exercised,
    /// The counts of sessions and handshakes.
    pub(super) summary: &'a Summary,
}

impl Since {
    /// Holds these findings against an earlier report, and says of each how it stands.
    pub(super) fn of(earlier: &Earlier, cards: &mut [Card], now: &Now<'_>) -> Self {
        for card in cards.iter_mut() {
            card.since = Some(compared(card, earlier.finding(&card.id)));
        }
        let open: BTreeSet<&str> = cards.iter().map(|card| card.id.as_str()).collect();
        let past: Vec<Was> = (earlier.findings.iter())
            .filter(|past| !open.contains(past.id.as_str()))
            // What was settled and still is stands with what is settled here.
            .filter(|past| past.settled.is_none() || !now.settled.contains_key(past.id.as_str()))
            .map(|past| was(past, earlier, now))
            .collect();
        let mut counts: BTreeMap<Change, u64> = BTreeMap::new();
        let of_cards = cards.iter().filter_map(|card| card.since.as_ref());
        let changes = of_cards.map(|it| it.change);
        for change in changes.chain(past.iter().map(|was| was.change)) {
            *counts.entry(change).or_default() += 1;
        }
        Self {
            id: earlier.id.clone(),
            to: earlier.to.clone(),
            group: earlier.group.clone(),
            builds: earlier.builds.clone(),
            counts,
            past,
        }
    }

    /// The whole in a sentence.
    pub fn says(&self) -> String {
        let counts: Vec<String> = (self.counts.iter())
            .map(|(change, count)| format!("{} {}", grouped(*count), change.word()))
            .collect();
        let counts = match counts.as_slice() {
            [] => "no findings then and now".to_owned(),
            counts => counts.join(", "),
        };
        format!(
            "Since report {} ({}): {counts}.",
            self.id,
            self.to.get(..10).unwrap_or(&self.to)
        )
    }
}

fn compared(card: &Card, past: Option<&Past>) -> Compared {
    let Some(past) = past else {
        return Compared {
            change: Change::New,
            how: Vec::new(),
        };
    };
    if let Some(settled) = past.settled {
        return Compared {
            change: Change::Regressed,
            how: vec![settled.words().to_owned()],
        };
    }
    let how = differences(card, past);
    let change = if how.is_empty() {
        Change::Unchanged
    } else {
        Change::Changed
    };
    Compared { change, how }
}

/// In what a finding is another: severity, models, or a rate that chance does not explain.
fn differences(card: &Card, past: &Past) -> Vec<String> {
    let mut how = Vec::new();
    if past.severity != card.severity {
        how.push(format!("{}, and was {}", card.severity, past.severity));
    }
    let news = |models: &[String], old: &[String]| -> Vec<String> {
        let new = models.iter().filter(|model| !old.contains(model));
        new.cloned().collect()
    };
    let new = news(&card.models, &past.models);
    if !new.is_empty() && !past.models.is_empty() {
        how.push(format!("now on {} too", new.join(", ")));
    }
    let share = |count: u64, of: u64| count as f64 / of.max(1) as f64;
    let (now, then) = (&card.exposure, &past.exposure);
    if let (Some(now_bound), Some(then_bound)) = (now.bound, then.bound) {
        let (is, was) = (share(now.count, now.of), share(then.count, then.of));
        if is > then_bound || now_bound < was {
            let word = if is > was { "more" } else { "less" };
            how.push(format!(
                "{word} often: {}, and was {}",
                percent(is),
                percent(was)
            ));
        }
    }
    how
}

/// What became of a finding that is not open here.
fn was(past: &Past, earlier: &Earlier, now: &Now<'_>) -> Was {
    let (change, settled, why) = became(past, now);
    Was {
        id: past.id.clone(),
        severity: past.severity,
        // Names in it are pseudonyms of the earlier report: with another key they are no business of this reader's.
        title: if earlier.key == now.key {
            past.title.clone()
        } else {
            past.place.clone()
        },
        place: past.place.clone(),
        subject: past.subject,
        action: past.action.clone(),
        exposure: past.exposure,
        models: past.models.clone(),
        settled,
        change,
        why,
    }
}

/// How it stands, why it does not count if so, and why that is so in words.
fn became(past: &Past, now: &Now<'_>) -> (Change, Option<Settled>, String) {
    if let Some(state) = now.settled.get(past.id.as_str()) {
        let why = "accepted or called fixed since; see there".to_owned();
        return (Change::Settled, Some(Settled::of(*state)), why);
    }
    if now.all.contains(&past.id) {
        let why = "the recording shows it, and this report was not asked about it".to_owned();
        return (Change::LeftOut, past.settled, why);
    }
    match past.settled {
        None => unseen(past, now),
        Some(settled) => {
            let change = match settled {
                Settled::Gone => Change::Gone,
                Settled::Accepted | Settled::Fixed => Change::Settled,
            };
            let why = format!("{} in that report, and is not seen here", settled.words());
            (change, Some(settled), why)
        }
    }
}

fn unseen(past: &Past, now: &Now<'_>) -> (Change, Option<Settled>, String) {
    let exercised = now.exercised(past);
    let (count, of) = (past.exposure.count, past.exposure.of.max(1));
    let expected = u128::from(exercised) * u128::from(count) / u128::from(of);
    let (change, settled) = if expected >= u128::from(EXPECTED) {
        (Change::Gone, Some(Settled::Gone))
    } else {
        (Change::NotExercised, None)
    };
    let why = format!(
        "not seen in {} comparable ones; it was seen in {} of {}",
        grouped(exercised),
        grouped(count),
        grouped(past.exposure.of)
    );
    (change, settled, why)
}

impl Now<'_> {
    /// How often what shows a finding was compared now.
    fn exercised(&self, past: &Past) -> u64 {
        let of = |outcomes: &Outcomes| outcomes.equal + outcomes.explained + outcomes.divergent;
        match past.subject {
            Subject::Handshake => of(&self.summary.handshakes),
            Subject::Session => of(&self.summary.sessions),
            Subject::Exchange | Subject::Command => {
                let name = Matrix::key(past.subject, &past.action);
                let actions = self.coverage.actions.iter();
                let cells = actions
                    .filter(|it| it.name == name)
                    .flat_map(|it| &it.cells);
                cells.map(|cell| cell.matching + cell.divergent).sum()
            }
        }
    }
}
