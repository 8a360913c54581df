//! A ladder for documents: plain data, a drawing of it, and the same in words for who cannot see it.

mod svg;
mod twin;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Story, What, mark, shadow, since};
use crate::facts::Leg;
use crate::ledger::Mark;
use crate::ledger::query::Item;
use crate::report::printable;

pub use svg::svg;
pub use twin::text;

/// Longest label, in characters.
const LONGEST: usize = 30;

/// A ladder with three lanes: charger, legacy, candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Line after line, in the order of the tap.
    pub lines: Vec<Line>,
    /// Steps that came between and are left out: equal ones of the same kind.
    pub folded: usize,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The fact.
    pub seq: u64,
    /// How long after the first line, as `0.041`; empty where that is not known.
    pub since: String,
    /// Where it begins.
    pub from: Lane,
    /// Where it ends.
    pub to: Lane,
    /// How it is drawn.
    pub stroke: Stroke,
    /// What stands on it.
    pub label: String,
    /// What came out of the step that it ends.
    pub mark: Option<Mark>,
    /// Whether it belongs to what the report is about.
    pub here: bool,
}

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// The charger.
    Charger,
    /// The legacy.
    Legacy,
    /// The candidate.
    Candidate,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stroke {
    /// It went over the charger's own line.
    Live,
    /// It went between the tap and the shadow.
    Copy,
    /// Nothing went: words in the lane of who was silent, or was kept from it.
    Nothing,
}

impl Picture {
    /// Of a story; `about` is the item, by its fact, that the report is about. Runs of equal steps are left out.
    pub fn of(story: &Story, about: u64) -> Self {
        let folded: BTreeSet<usize> = story
            .steps(&BTreeSet::from([about]), false)
            .into_iter()
            .filter_map(|step| match step {
                super::Step::Run(from, to) => Some(from + 1..to),
                _ => None,
            })
            .flatten()
            .filter(|place| story.items[*place].id != about)
            .collect();
        let origin = story.items.first().map_or(0, |item| item.at);
        let shown = story
            .rungs()
            .into_iter()
            .filter(|rung| !folded.contains(&rung.item));
        let lines = shown.flat_map(|rung| {
            let item = &story.items[rung.item];
            let at = rung.at.map_or_else(String::new, |at| since(at - origin));
            lines(story, item, &rung.what).into_iter().map(
                move |(from, to, stroke, label, is_end)| Line {
                    seq: rung.seq,
                    since: at.clone(),
                    from,
                    to,
                    stroke,
                    label: cut(&printable(&label)),
                    mark: is_end.then(|| mark(item)),
                    here: item.id == about,
                },
            )
        });
        Self {
            lines: lines.collect(),
            folded: folded.len(),
        }
    }
}

/// From where to where, how it is drawn, what stands on it, and whether it ends its step.
type Drawn = (Lane, Lane, Stroke, String, bool);

/// What a rung is drawn as.
fn lines(story: &Story, item: &Item, what: &What) -> Vec<Drawn> {
    let [_, ours, theirs] = item.facts;
    let theirs_lane = lane(shadow(item));
    let ours_lane = lane(shadow(item).other());
    let action = match item.action.as_str() {
        "" => "(no action)".to_owned(),
        action => action.to_owned(),
    };
    let live = |from, to, label, is_end| (from, to, Stroke::Live, label, is_end);
    let copy = |from, to, label, is_end| (from, to, Stroke::Copy, label, is_end);
    let words = |at, label, is_end| (at, at, Stroke::Nothing, label, is_end);
    match what {
        What::Call { copied } => {
            let mut drawn = vec![live(Lane::Charger, ours_lane, action, false)];
            if *copied {
                drawn.push(copy(ours_lane, theirs_lane, "copy".to_owned(), false));
            }
            drawn
        }
        What::Copy => vec![copy(Lane::Charger, theirs_lane, "copy".to_owned(), false)],
        What::MadeUp => vec![copy(
            Lane::Charger,
            theirs_lane,
            format!("{action}, made up"),
            false,
        )],
        What::Withheld => vec![words(
            theirs_lane,
            format!("withheld {}", story.fate(item, ""))
                .trim_end()
                .to_owned(),
            true,
        )],
        What::Answer => vec![live(
            ours_lane,
            Lane::Charger,
            story.gist(ours).to_owned(),
            theirs == 0 && item.sent == 0,
        )],
        What::ShadowAnswer => vec![copy(
            theirs_lane,
            Lane::Charger,
            story.gist(theirs).to_owned(),
            true,
        )],
        What::Silence => vec![words(
            theirs_lane,
            story.fate(item, "no answer").to_owned(),
            true,
        )],
        What::Command => vec![live(ours_lane, Lane::Charger, action, theirs == 0)],
        What::Fenced => vec![copy(
            theirs_lane,
            Lane::Charger,
            format!("{action}, fenced"),
            false,
        )],
        What::StandIn => vec![words(
            theirs_lane,
            story.fate(item, "answered in its place").to_owned(),
            true,
        )],
        What::Handshake => vec![words(
            theirs_lane,
            format!("handshake: {}", item.detail),
            true,
        )],
    }
}

const fn lane(leg: Leg) -> Lane {
    match leg {
        Leg::Legacy => Lane::Legacy,
        Leg::Candidate => Lane::Candidate,
    }
}

impl Lane {
    /// All of them, from left to right.
    pub const ALL: [Self; 3] = [Self::Charger, Self::Legacy, Self::Candidate];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Charger => "charger",
            Self::Legacy => "legacy",
            Self::Candidate => "candidate",
        }
    }
}

fn cut(label: &str) -> String {
    match label.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &label[..at]),
        None => label.to_owned(),
    }
}

#[cfg(test)]
mod tests;
