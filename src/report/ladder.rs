//! The ladder: what was said between a charger and both backends, in the order in which the tap saw it.
//!
//! Never by clocks: the charger's and the backends' may be wrong, and several facts share a microsecond. Runs of equal
//! messages are folded; what differs never is. How it looks in a terminal is `watch::ladder`; in a document, [`picture`].

pub mod picture;
pub mod read;

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Micros;
use crate::facts::Leg;
use crate::ledger::Mark;
use crate::ledger::query::Item;
use crate::ledger::row::Subject;

/// So many equal messages of one action in a row are folded.
const RUN: usize = 3;

/// What the ladder is made of, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    /// Exchanges, commands and handshakes, in the order of the tap.
    pub items: Vec<Item>,
    /// What a text comes down to, by its fact; only of those near what is selected.
    pub said: BTreeMap<u64, String>,
    /// What became of copies and of the shadow's commands, by the fact that began the item.
    pub fates: BTreeMap<u64, String>,
    /// What else happened.
    pub events: Vec<Event>,
}

/// Something that is no message: a gap, an end of a connection, a record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its fact.
    pub seq: u64,
    /// When, µs.
    pub at: Micros,
    /// A short sentence.
    pub says: String,
    /// Whether something was lost.
    pub loss: bool,
}

/// One thing that can be selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// One item, by its place.
    Item(usize),
    /// Equal items from one place to before another.
    Run(usize, usize),
    /// One event, by its place.
    Event(usize),
}

/// A line between two lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The fact that it stands for.
    pub seq: u64,
    /// When, µs; none where that is not known, or where the rung before says it.
    pub at: Option<Micros>,
    /// The item that it belongs to, by its place.
    pub item: usize,
    /// What it shows.
    pub what: What,
}

/// What a rung shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The charger's CALL, and whether its copy left at once.
    Call {
        /// Whether it did.
        copied: bool,
    },
    /// The copy, when something else came between.
    Copy,
    /// The copy was kept back.
    Withheld,
    /// The authority's answer.
    Answer,
    /// The shadow's answer.
    ShadowAnswer,
    /// The shadow gave none.
    Silence,
    /// A command of the authority's.
    Command,
    /// A command of the shadow's, which no charger hears.
    Fenced,
    /// What the shadow was told in the charger's place.
    StandIn,
    /// A message that the tap made up.
    MadeUp,
    /// A handshake of the shadow's.
    Handshake,
}

impl Story {
    /// What can be selected, in order, with runs folded unless they begin with a fact in `unfolded`, or all are.
    pub fn steps(&self, unfolded: &BTreeSet<u64>, all: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut events = self.events.iter().enumerate().peekable();
        let mut at = 0;
        while at < self.items.len() {
            let item = &self.items[at];
            while let Some((place, _)) = events.next_if(|(_, event)| event.seq < item.id) {
                steps.push(Step::Event(place));
            }
            let end = self.run_from(at, events.peek().map(|(_, event)| event.seq));
            if end - at >= RUN && !all && !unfolded.contains(&item.id) {
                steps.push(Step::Run(at, end));
            } else {
                steps.extend((at..end).map(Step::Item));
            }
            at = end;
        }
        steps.extend(events.map(|(place, _)| Step::Event(place)));
        steps
    }

    /// Where the run of equal items ends that begins at `from`: before the next event, and before anything else.
    fn run_from(&self, from: usize, event: Option<u64>) -> usize {
        let first = &self.items[from];
        let foldable = |item: &&Item| {
            item.subject == Subject::Exchange
                && item.outcome == "equal"
                && item.action == first.action
                && event.is_none_or(|event| item.id < event)
        };
        from + self.items[from..]
            .iter()
            .take_while(foldable)
            .count()
            .max(1)
    }

    /// The fact that a step begins with.
    pub fn begins(&self, step: &Step) -> u64 {
        match step {
            Step::Item(at) | Step::Run(at, _) => self.items[*at].id,
            Step::Event(at) => self.events[*at].seq,
        }
    }

    /// The item that a step is about: of a run its first.
    pub fn item(&self, step: &Step) -> Option<&Item> {
        match step {
            Step::Item(at) | Step::Run(at, _) => self.items.get(*at),
            Step::Event(_) => None,
        }
    }

    /// How many items have which mark, as words.
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<Mark, usize> = BTreeMap::new();
        for item in &self.items {
            *counts.entry(mark(item)).or_default() += 1;
        }
        let told = counts
            .iter()
            .map(|(mark, count)| format!("{count} {}", mark.word()));
        format!(
            "{}: {}",
            self.items.len(),
            told.collect::<Vec<_>>().join("  ")
        )
    }

    /// Rungs in the order of the tap.
    pub fn rungs(&self) -> Vec<Rung> {
        let mut rungs = Vec::new();
        for (place, item) in self.items.iter().enumerate() {
            let rung = |seq, at, what| Rung {
                seq,
                at,
                item: place,
                what,
            };
            match item.subject {
                Subject::Command => commands(item, rung, &mut rungs),
                Subject::Handshake => rungs.push(rung(item.id, Some(item.at), What::Handshake)),
                Subject::Exchange | Subject::Session => exchange(item, rung, &mut rungs),
            }
        }
        rungs.sort_by_key(|rung| rung.seq);
        self.merged(rungs)
    }

    /// A copy that left before anything else happened stands on the line of its CALL, where both fit: the candidate's lane
    /// is the outer one.
    fn merged(&self, rungs: Vec<Rung>) -> Vec<Rung> {
        let mut merged: Vec<Rung> = Vec::with_capacity(rungs.len());
        for rung in rungs {
            if rung.what == What::Copy
                && shadow(&self.items[rung.item]) == Leg::Candidate
                && let Some(last) = merged.last_mut()
                && last.item == rung.item
                && let What::Call { copied } = &mut last.what
            {
                *copied = true;
                continue;
            }
            merged.push(rung);
        }
        merged
    }

    /// What a text comes down to, or a word in its place while it has not been read.
    pub fn gist(&self, seq: u64) -> &str {
        self.said.get(&seq).map_or("...", String::as_str)
    }

    /// What became of an item, or a word where that is not known.
    pub fn fate<'a>(&'a self, item: &Item, otherwise: &'a str) -> &'a str {
        self.fates.get(&item.id).map_or(otherwise, String::as_str)
    }
}

/// The mark of an item. What the tap made up, and what only the stand-in answered, is synthetic unless it differs.
pub fn mark(item: &Item) -> Mark {
    match (item.outcome.as_str(), item.reason.as_str()) {
        (_, "synthetic" | "simulated") => Mark::Synthetic,
        (outcome, _) => Mark::of(outcome),
    }
}

/// The backend that is the shadow of an item.
pub fn shadow(item: &Item) -> Leg {
    Leg::from_word(&item.authority).map_or(Leg::Candidate, Leg::other)
}

fn exchange(item: &Item, rung: impl Fn(u64, Option<Micros>, What) -> Rung, rungs: &mut Vec<Rung>) {
    let [call, answer, theirs] = item.facts;
    let after = |since: Option<i64>, more: Option<i64>| Some(item.at + since? + more?);
    if call == 0 {
        rungs.push(rung(item.id, Some(item.at), What::MadeUp));
    } else {
        rungs.push(rung(call, Some(item.at), What::Call { copied: false }));
        if item.sent == 0 {
            rungs.push(rung(call, None, What::Withheld));
        } else {
            rungs.push(rung(item.sent, after(item.queue_us, Some(0)), What::Copy));
        }
    }
    if answer != 0 {
        rungs.push(rung(
            answer,
            after(item.answered_us[0], Some(0)),
            What::Answer,
        ));
    }
    if theirs != 0 {
        let at = after(item.queue_us, item.answered_us[1]);
        rungs.push(rung(theirs, at, What::ShadowAnswer));
    } else if item.sent != 0 && item.outcome != "pending" {
        // The silence has no fact of its own among these: it stands behind what was sent last.
        rungs.push(rung(item.sent.max(answer), None, What::Silence));
    }
}

fn commands(item: &Item, rung: impl Fn(u64, Option<Micros>, What) -> Rung, rungs: &mut Vec<Rung>) {
    let [_, ours, theirs] = item.facts;
    if ours != 0 {
        rungs.push(rung(ours, Some(item.at), What::Command));
    }
    if theirs != 0 {
        let lag = if ours == 0 {
            Some(0)
        } else {
            item.answered_us[1]
        };
        rungs.push(rung(theirs, lag.map(|lag| item.at + lag), What::Fenced));
        rungs.push(rung(theirs, None, What::StandIn));
    }
}

/// Time since the ladder began, so that a column of it can be compared: `0.041`, `12:31.9`, `3:02:11`.
pub fn since(us: Micros) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    let seconds = us / 1_000_000;
    match seconds {
        ..60 => format!("{sign}{seconds}.{:03}", us % 1_000_000 / 1_000),
        60..3_600 => format!(
            "{sign}{}:{:02}.{}",
            seconds / 60,
            seconds % 60,
            us % 1_000_000 / 100_000
        ),
        _ => format!(
            "{sign}{}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}
