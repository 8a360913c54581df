//! Entries of logs become facts: those that a tap between the chargers and the authority would have recorded.
//!
//! The first logs are the authority's; with logs of the other backend about the same chargers, a CALL that stands in both
//! is one exchange. The clocks of two backends differ: the shadow's log is set by the median over those CALLs where it
//! is ahead or far behind, and nothing of it comes before what caused it. Pure: the same logs give the same facts.

mod charger;
mod steps;
mod twins;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Entry, Log, What};
use crate::clock::Micros;
use crate::facts::{Fact, Kind, Leg};
use crate::ocpp::{Envelope, Version, actions};
use charger::Charger;

/// Bad lines that are named in the fact about their log.
const NAMED: usize = 100;

/// One log and where it comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name of the file.
    pub name: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// The backend that the chargers talked to.
    pub leg: Leg,
    /// What it says.
    pub log: Log,
}

/// Where in a recording the facts shall stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// The last fact there.
    pub last_seq: u64,
    /// The highest connection epoch there.
    pub last_conn: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Woven {
    /// The facts, numbered.
    pub facts: Vec<Fact>,
    /// Chargers.
    pub chargers: u64,
    /// CALLs of chargers that stand in the logs of both backends.
    pub paired: u64,
    /// By how much the other backend's clock was set, µs.
    pub set_by: Micros,
}

/// An entry and the log in which it stands.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    source: &'a Source,
    entry: &'a Entry,
}

/// A fact before it is numbered: what caused it is named by its place among the drafts.
#[derive(Debug)]
struct Draft {
    fact: Fact,
    cause: Option<usize>,
}

/// The facts of these logs. `version` is what was spoken where no log tells; else the messages tell.
pub fn weave(sources: &[Source], version: Option<Version>, place: Place) -> Woven {
    let Some(authority) = sources.first().map(|source| source.leg) else {
        return Woven::default();
    };
    let mut chargers: BTreeMap<&str, [Vec<Line<'_>>; 2]> = BTreeMap::new();
    let mut drafts = Vec::new();
    let begin = sources
        .iter()
        .flat_map(|source| &source.log.entries)
        .map(|entry| entry.at)
        .min();
    for source in sources {
        drafts.push(about(source, begin.unwrap_or(0)));
        for entry in &source.log.entries {
            let line = Line { source, entry };
            let side = usize::from(source.leg != authority);
            match (entry.charger.as_str(), &entry.what) {
                ("", What::Bad(why)) => drafts.push(line.gap(why)),
                (name, _) => chargers.entry(name).or_default()[side].push(line),
            }
        }
    }
    for sides in chargers.values_mut() {
        for lines in sides {
            lines.sort_by_key(|line| line.entry.at);
        }
    }
    let set_by = twins::ahead(&chargers);
    let mut woven = Woven {
        chargers: chargers.len() as u64,
        set_by,
        ..Woven::default()
    };
    let mut last_conn = place.last_conn;
    for (name, [ours, theirs]) in chargers {
        // What only the other backend's log knows is that backend's own.
        let (authority, ours, theirs) = if ours.is_empty() {
            (authority.other(), theirs, ours)
        } else {
            (authority, ours, theirs)
        };
        let spoken = version.unwrap_or_else(|| spoken(ours.iter().chain(&theirs)));
        let mut charger = Charger::new(name, authority, spoken, &mut drafts, &mut last_conn);
        woven.paired += charger.tell(&ours, &theirs, set_by);
    }
    woven.facts = number(drafts, place.last_seq);
    woven
}

/// The fact about a log.
fn about(source: &Source, at: Micros) -> Draft {
    let log = &source.log;
    let bad = log.entries.iter().filter_map(|entry| match &entry.what {
        What::Bad(why) => Some(json!({"line": entry.line, "why": why})),
        _ => None,
    });
    let note = json!({
        "file": source.name,
        "sha256": source.sha256,
        "format": log.format.word(),
        "messages": log.messages(),
        "bad": log.bad().count(),
        "bad_lines": bad.take(NAMED).collect::<Vec<_>>(),
        "talk": log.talk,
        "untimed": log.untimed,
    });
    let mut fact = Fact::new(Kind::LogImported, at).note(&note);
    fact.leg = Some(source.leg);
    Draft { fact, cause: None }
}

/// The version that messages are of: what their log says, else the oldest that has all their actions.
fn spoken<'a>(lines: impl Iterator<Item = &'a Line<'a>>) -> Version {
    let mut asked = BTreeSet::new();
    for line in lines {
        if let Some(version) = line.entry.version {
            return version;
        }
        if let What::Message(_, text) = &line.entry.what
            && let Ok(envelope) = Envelope::parse(text)
        {
            let of_2 = envelope.action == "BootNotification"
                && envelope.payload.contains("\"chargingStation\"");
            asked.insert(if of_2 {
                "TransactionEvent".into()
            } else {
                envelope.action.into_owned()
            });
        }
    }
    let has_all = |version: &Version| {
        asked.iter().all(|action| {
            let is_known = Version::ALL
                .iter()
                .any(|any| actions::find(*any, action).is_some());
            !is_known || actions::find(*version, action).is_some()
        })
    };
    Version::ALL
        .into_iter()
        .find(has_all)
        .unwrap_or(Version::V16)
}

/// Puts drafts in the order of their times and numbers them.
fn number(drafts: Vec<Draft>, last_seq: u64) -> Vec<Fact> {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_key(|draft| drafts[*draft].fact.at);
    let mut seqs = vec![0; drafts.len()];
    for (draft, seq) in order.iter().zip(last_seq + 1..) {
        seqs[*draft] = seq;
    }
    let mut facts: Vec<Fact> = (drafts.into_iter().zip(&seqs))
        .map(|(draft, seq)| {
            let cause = draft.cause.map_or(0, |cause| seqs[cause]);
            Fact {
                seq: *seq,
                ..draft.fact.because(cause)
            }
        })
        .collect();
    facts.sort_by_key(|fact| fact.seq);
    facts
}

impl Line<'_> {
    /// Where it stands: the mark of every imported fact.
    fn mark(&self) -> serde_json::Value {
        json!({"file": self.source.name, "line": self.entry.line})
    }

    /// The loss of whatever it held.
    fn gap(&self, why: &str) -> Draft {
        let note = json!({"why": format!("unreadable in the imported log: {why}"), "first": 0, "last": 0, "bytes": 0,
            "imported": self.mark()});
        let mut fact = Fact::new(Kind::Gap, self.entry.at).note(&note);
        fact.leg = Some(self.source.leg);
        Draft { fact, cause: None }
    }
}

impl Log {
    /// How many messages it holds.
    pub fn messages(&self) -> u64 {
        let is_message = |entry: &&Entry| matches!(entry.what, What::Message(..));
        self.entries.iter().filter(is_message).count() as u64
    }

    /// Lines that cannot be read, and why.
    pub fn bad(&self) -> impl Iterator<Item = (u64, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Bad(why) => Some((entry.line, why.as_str())),
            _ => None,
        })
    }
}
