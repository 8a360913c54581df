//! How long it takes from the first frame of an incident until it is a finding, and until people have said something
//! about that.

use std::collections::HashMap;

use super::INVESTIGATION;
use super::sheet::{Crowd, Entry, Sheet};
use crate::clock::Micros;
use crate::judge::rules;
use crate::ledger::row::{Divergence, Standing, Subject};

/// Findings that are followed. A recording with more is not investigated one by one; the rest is not counted, rather than
/// counted anew each time that it is seen.
const MOST: usize = 10_000;

/// Findings that were seen.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    /// Each until people have said something about it.
    found: HashMap<String, Option<Found>>,
}

#[derive(Debug)]
struct Found {
    crowd: Crowd,
    /// When its first frame came, µs.
    at: Micros,
}

impl Inquiries {
    /// A difference was judged. Of each finding the first is counted, where it was seen.
    pub(super) fn seen(&mut self, row: &Divergence, crowd: Crowd, sheet: &mut Sheet) {
        if self.found.contains_key(&row.finding) || self.found.len() >= MOST {
            return;
        }
        let subject = row.subject.word();
        let entry = |what| Entry::new(crowd, INVESTIGATION, what);
        sheet.count(entry("findings").detail(subject));
        if let Some(cause) = named_by(row) {
            sheet.count(entry("named").detail(cause));
        }
        // Records of a session are read when their backend gives them: that is not how long looking took.
        if row.subject != Subject::Session {
            let took = (sheet.now - row.at).max(0);
            sheet.measure(entry("found_us").detail(subject), took);
        }
        let found = Found { crowd, at: row.at };
        self.found.insert(row.finding.clone(), Some(found));
    }

    /// People said something about a finding, or what they said has changed by itself: their first word counts.
    pub(super) fn decided(&mut self, row: &Standing, sheet: &mut Sheet) {
        let first = self.found.get_mut(&row.finding).and_then(Option::take);
        if let Some(found) = first {
            let entry = Entry::new(found.crowd, INVESTIGATION, "decided_us");
            sheet.measure_at(row.at, entry.detail(row.state.word()), row.at - found.at);
        }
    }
}

/// What names a finding's cause without anybody having to look for it.
fn named_by(row: &Divergence) -> Option<&'static str> {
    if row.quirk.is_some() {
        Some("quirk")
    } else if row.rule == rules::FALLBACK {
        None
    } else {
        Some("rule")
    }
}
