//! The ladder where there is no room for lanes: one row for each step.

use super::{Step, Story, mark, shadow};
use crate::facts::Leg;
use crate::ledger::Mark;
use crate::ledger::query::Item;
use crate::ledger::row::Subject;
use crate::watch::table::{Cell, Column, text, toned, wide};
use crate::watch::text::{Zone, shown};
use crate::watch::theme::{Tone, tone_of};

/// Columns of the rows.
pub const COLUMNS: &[Column] = &[
    text("SEQ", 7, 1, ""),
    text("TIME", 8, 7, ""),
    wide("CHARGER SENDS", 15, 0, "action"),
    text("LEGACY", 13, 0, ""),
    text("CANDIDATE", 13, 0, ""),
    text("PARITY", 12, 0, "outcome"),
];

/// One row for each step.
pub fn rows<'a>(story: &'a Story, steps: &[Step], zone: Zone) -> Vec<Vec<Cell<'a>>> {
    steps.iter().map(|step| row(story, step, zone)).collect()
}

fn row<'a>(story: &'a Story, step: &Step, zone: Zone) -> Vec<Cell<'a>> {
    match step {
        Step::Run(from, to) => {
            let first = &story.items[*from];
            vec![
                ".....".into(),
                zone.clock(first.at).into(),
                format!("{} {}", to - from, shown(&first.action)).into(),
                "".into(),
                "".into(),
                toned("= equal", Tone::Dim),
            ]
        }
        Step::Event(at) => {
            let event = &story.events[*at];
            let tone = if event.loss { Tone::Warn } else { Tone::Dim };
            vec![
                toned(event.seq.to_string(), tone),
                toned(zone.clock(event.at), tone),
                toned(shown(&event.says), tone),
                "".into(),
                "".into(),
                toned(if event.loss { "n gap" } else { "" }, tone),
            ]
        }
        Step::Item(at) => of_item(story, &story.items[*at], zone),
    }
}

fn of_item<'a>(story: &'a Story, item: &'a Item, zone: Zone) -> Vec<Cell<'a>> {
    let [_, ours, theirs] = item.facts;
    let answered = |seq: u64, us: Option<i64>| match us {
        Some(us) if seq != 0 => format!("{} {}", shown(story.gist(seq)), short(us)),
        _ if seq != 0 => shown(story.gist(seq)).into_owned(),
        _ => String::new(),
    };
    let (sends, authority, candidate) = match item.subject {
        Subject::Command => {
            let action = shown(&item.action).into_owned();
            let fenced = format!("{action} fenced");
            (
                "(from CSMS)".to_owned(),
                if ours == 0 { "none".to_owned() } else { action },
                if theirs == 0 {
                    "none".to_owned()
                } else {
                    fenced
                },
            )
        }
        Subject::Handshake => (
            "(handshake)".to_owned(),
            String::new(),
            shown(&item.detail).into_owned(),
        ),
        Subject::Exchange | Subject::Session => {
            let silence = if item.sent == 0 {
                "withheld"
            } else {
                "no answer"
            };
            let theirs = if theirs == 0 {
                shown(story.fate(item, silence)).into_owned()
            } else {
                answered(theirs, item.answered_us[1])
            };
            let ours = if ours == 0 {
                "none".to_owned()
            } else {
                answered(ours, item.answered_us[0])
            };
            (shown(&item.action).into_owned(), ours, theirs)
        }
    };
    let (legacy, candidate) = match shadow(item) {
        Leg::Candidate => (authority, candidate),
        Leg::Legacy => (candidate, authority),
    };
    let mark = mark(item);
    vec![
        item.id.to_string().into(),
        zone.clock(item.at).into(),
        sends.into(),
        legacy.into(),
        candidate.into(),
        toned(parity(item, mark), tone_of(mark.char())),
    ]
}

/// The mark with the finding, the reason or the word.
fn parity(item: &Item, mark: Mark) -> String {
    let word = match (item.findings.as_slice(), item.reason.as_str()) {
        ([finding], _) => finding.clone(),
        ([finding, more @ ..], _) => format!("{finding} +{}", more.len()),
        ([], "") => mark.word().to_owned(),
        ([], reason) => reason.to_owned(),
    };
    format!("{} {word}", mark.char())
}

/// A time in as few characters as tell it.
fn short(us: i64) -> String {
    match us {
        ..1_000_000 => format!("{}ms", us / 1_000),
        _ => format!("{:.1}s", us as f64 / 1e6),
    }
}
