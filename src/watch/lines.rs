//! `watch --lines`: the same events, findings and alarms as sentences, one a line, for logs and screen readers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::board::happening;
use super::books::{Books, BooksError};
use super::mask::Mask;
use super::text::{Zone, shown};
use crate::facts::Kind;
use crate::ledger::feed::Feed;
use crate::ledger::query::Reader;

/// Facts that are events, told as they come.
const EVENTS: [Kind; 10] = [
    Kind::TapStarted,
    Kind::TapStopped,
    Kind::PlaneStarted,
    Kind::ConnOpened,
    Kind::ConnClosed,
    Kind::ConnRefused,
    Kind::Gap,
    Kind::Decision,
    Kind::Triage,
    Kind::AuthorityChanged,
];

/// Events of one kind that are told at once.
const MANY: usize = 10_000;

/// What has been told so far.
#[derive(Debug, Default)]
pub struct Lines {
    feed: Feed,
    fact: u64,
    alarms: BTreeSet<String>,
    findings: BTreeSet<String>,
    verdicts: BTreeMap<String, String>,
}

/// Why no more lines come.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The recording cannot be read.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Nobody reads the lines.
    #[error("write a line: {0}")]
    Write(#[from] io::Error),
}

impl Lines {
    /// Writes what is new since the last call, in the order in which it happened.
    pub fn tell(
        &mut self,
        books: &Books,
        (mask, zone): (&Mask, Zone),
        out: &mut impl Write,
    ) -> Result<(), LinesError> {
        let mut lines: Vec<(u64, String)> = Vec::new();
        let last = books.facts().last_seq().map_err(BooksError::from)?;
        for kind in EVENTS {
            for fact in books
                .facts()
                .of_kind(kind, self.fact, MANY)
                .map_err(BooksError::from)?
            {
                if let Some(happened) = happening(&fact) {
                    let who = if happened.charger.is_empty() {
                        "tap".to_owned()
                    } else {
                        mask.charger(&happened.charger)
                    };
                    let says = mask.text(&happened.says);
                    lines.push((
                        fact.seq,
                        format!(
                            "{} {} {who}: {says}",
                            zone.clock(happened.at),
                            happened.word
                        ),
                    ));
                }
            }
        }
        self.fact = last;
        if let Ok(ledger) = books.ledger() {
            self.judged(ledger, books, (mask, zone), &mut lines)?;
        }
        lines.sort();
        for (_, line) in lines {
            writeln!(out, "{line}")?;
        }
        self.changes(books, (mask, zone), out)?;
        out.flush()?;
        Ok(())
    }

    fn judged(
        &mut self,
        ledger: &Reader,
        books: &Books,
        (mask, zone): (&Mask, Zone),
        lines: &mut Vec<(u64, String)>,
    ) -> Result<(), BooksError> {
        for event in self.feed.next(ledger)? {
            let at = books.facts().by_seq(event.id)?.map_or(0, |fact| fact.at);
            lines.push((
                event.id,
                format!(
                    "{} {} {} {}: {}",
                    zone.clock(at),
                    event.mark(),
                    mask.charger(&event.charger),
                    event.action,
                    mask.text(&event.says())
                ),
            ));
        }
        Ok(())
    }

    /// Alarms that are new or gone, and findings that are new.
    fn changes(
        &mut self,
        books: &Books,
        (mask, zone): (&Mask, Zone),
        out: &mut impl Write,
    ) -> Result<(), LinesError> {
        let pulse = books.pulse()?;
        let now = pulse.last.unwrap_or_default();
        if let Ok(ledger) = books.ledger() {
            let mut new = ledger.newest_findings(MANY).map_err(BooksError::from)?;
            new.retain(|finding| self.findings.insert(finding.id.clone()));
            for finding in new.iter().rev() {
                let at = zone.clock(finding.first_seen);
                let title = mask.text(&finding.title);
                writeln!(
                    out,
                    "{at} NEW finding {} {}: {title}",
                    finding.severity.code(),
                    finding.id
                )?;
            }
        }
        self.verdicts(books, mask, &zone.clock(now), out)?;
        let alarms: BTreeSet<String> = pulse
            .alarms
            .iter()
            .map(|alarm| mask.text(&alarm.says))
            .collect();
        for says in alarms.difference(&self.alarms) {
            writeln!(out, "{} ALARM {says}", zone.clock(now))?;
        }
        for says in self.alarms.difference(&alarms) {
            writeln!(out, "{} ALARM OVER {says}", zone.clock(now))?;
        }
        self.alarms = alarms;
        Ok(())
    }

    /// Verdicts that are others than before. Criteria that are not understood are no news of a group.
    fn verdicts(
        &mut self,
        books: &Books,
        mask: &Mask,
        at: &str,
        out: &mut impl Write,
    ) -> Result<(), LinesError> {
        let said = match books.verdicts().of_groups(books) {
            Err(BooksError::Gate(..) | BooksError::NoLedger) => return Ok(()),
            said => said?.unwrap_or_default(),
        };
        for said in &said {
            let (name, word) = (said.name(), said.word());
            let before = self.verdicts.insert(name.to_owned(), word.to_owned());
            if before.as_deref() == Some(word) {
                continue;
            }
            let before = before.map_or_else(String::new, |before| format!(", before {before}"));
            let why = said.silence().or(said.report.why.first().cloned());
            let why = why.map_or_else(String::new, |why| format!(": {}", mask.text(&why)));
            writeln!(out, "{at} GATE {} is {word}{before}{why}", shown(name))?;
        }
        Ok(())
    }
}
