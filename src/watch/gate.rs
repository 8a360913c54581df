//! Screen 4: may this group go; if not, why; how is it undone.
//!
//! As long as there is no gate file there is no verdict, and none is made up: what was found so far is told instead.

mod draw;
mod news;
mod without;

use std::cmp::Reverse;
use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::{Value, json};

use super::books::{Books, BooksError};
use super::coverage::Coverage;
use super::decide::Case;
use super::keys::{Action, Scope};
use super::pane;
use super::screen::{Look, Screen, Step};
use super::sieve::{Sieve, term};
use super::snapshot::{self, Answer, Known};
use super::table::Cursor;
use super::verdicts::{ALL, Said};
use crate::estate::gate::report::Weighed;
use crate::estate::gate::{Outcome, Report};
use crate::ledger::filter::{self, Field, Kind};
use crate::ledger::query::{FindingCount, Outcomes};
use crate::ledger::row::Subject;
use news::News;

/// Further than this nobody scrolls: what is told is a page or two.
const LAST: u16 = 100;

/// Which group is meant.
static FIELDS: [Field; 1] = [Field {
    name: "group",
    aliases: &[],
    kind: Kind::Text,
    help: "the group that is weighed; without it the worst",
    example: "group:amsterdam-01",
}];

/// What the screen asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Which group; the worst of those that pass.
    pub sieve: Sieve,
}

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// Findings by severity and how they stand, worst first.
    pub findings: Vec<FindingCount>,
    /// What came of exchanges, commands and sessions.
    pub outcomes: Vec<(&'static str, Outcomes)>,
    /// Whether there are criteria to weigh by.
    pub has_gate: bool,
    /// What the gate says of the group; none without a gate file, or if no group is meant.
    pub said: Option<Said>,
    /// Groups that the gate speaks of.
    pub groups: usize,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Gate {
    known: Known<Data>,
    sieve: Sieve,
    cursor: Cursor,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let mut outcomes = Vec::new();
    for (name, subject) in [
        ("exchanges", Subject::Exchange),
        ("commands", Subject::Command),
        ("sessions", Subject::Session),
    ] {
        outcomes.push((name, ledger.outcomes(subject)?));
    }
    let said = books.verdicts().of_groups(books)?;
    let (has_gate, said) = (said.is_some(), said.unwrap_or_default());
    let is_meant = |said: &Said| {
        let value = |_: &'static str| filter::Value::Text(said.name());
        question.sieve.lets(0, &value)
    };
    Ok(Data {
        findings: ledger.finding_counts()?,
        outcomes,
        has_gate,
        groups: said.len(),
        said: said.into_iter().find(is_meant),
    })
}

/// The criteria of a report, those that have failed first.
fn sorted(report: &Report) -> Vec<&Weighed> {
    let mut criteria: Vec<&Weighed> = report.criteria.iter().collect();
    criteria.sort_by_key(|it| Reverse(it.result));
    criteria
}

impl Gate {
    fn said(&self) -> Option<&Said> {
        self.known.ready()?.said.as_ref()
    }

    fn selected(&self) -> Option<&Weighed> {
        let criteria = sorted(&self.said()?.report);
        criteria.get(self.cursor.row as usize).copied()
    }

    /// Keeps the selected criterion selected while others fail or are met: what is decided is about that one.
    fn take(&mut self, data: Arc<Data>) {
        let selected = self
            .said()
            .zip(self.selected())
            .map(|(said, it)| (said.group.clone(), it.id.clone()));
        self.known = Known::Ready(data);
        let Some((group, id)) = selected else { return };
        let said = self.said().filter(|said| said.group == group);
        let place = said.and_then(|said| sorted(&said.report).iter().position(|it| it.id == id));
        self.cursor.row = place.unwrap_or_default() as u64;
    }

    /// Everything as lines, whatever the room.
    fn lines(&self, width: u16, look: &Look<'_>) -> Option<Vec<Line<'static>>> {
        let data = self.known.ready()?;
        Some(match &data.said {
            Some(said) => draw::told(said, width, look),
            None if data.has_gate => vec![Line::raw(NOBODY)],
            None => without::lines(data, width, look),
        })
    }

    /// The differences behind a criterion: of the finding that is to blame, or of the group.
    fn evidence(&self) -> Step {
        let Some(said) = self.said() else {
            return Step::Unused;
        };
        let finding = self
            .selected()
            .and_then(|it| it.blame.iter().find(|blame| blame.starts_with("F-")));
        match finding {
            Some(finding) => Step::Go(2, term("finding", finding)),
            None if said.name() == ALL => Step::Go(2, String::new()),
            None => Step::Go(2, term("group", &said.group)),
        }
    }
}

/// What stands where no group is meant.
const NOBODY: &str = "No group with chargers is meant. Esc clears the filter; 1 shows the groups.";

impl Screen for Gate {
    fn number(&self) -> u8 {
        4
    }

    fn title(&self) -> String {
        "Gate".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Gate, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Gate(Question {
            sieve: self.sieve.clone(),
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Gate(data)) => self.take(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        if self.said().is_some() && draw::has_room(look) {
            draw::draw(self, frame, area, look);
            return;
        }
        let right = match self.known.ready() {
            Some(data) if !data.has_gate => "no gate file",
            _ => "",
        };
        let title = self.said().map_or_else(
            || "GATE".to_owned(),
            |said| format!("GATE {}", super::text::shown(said.name())),
        );
        let inside = pane::boxed(frame, area, (&title, right), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let lines = self.lines(inside.width, look).unwrap_or_default();
        pane::scrolled(frame, inside, lines, self.scroll);
    }

    fn act(&mut self, action: Action) -> Step {
        let rows = self.said().map(|said| said.report.criteria.len() as u64);
        if let Some(rows) = rows {
            self.cursor.act(action, rows, 1);
        }
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1).min(LAST),
            Action::First => 0,
            Action::Last => LAST,
            Action::PageUp | Action::PageDown | Action::Left | Action::Right if rows.is_some() => {
                self.scroll
            }
            Action::ToCoverage => return Step::Open(Box::new(Coverage::default())),
            Action::Open => return self.evidence(),
            Action::Columns => {
                let Known::Ready(data) = &self.known else {
                    return Step::Unused;
                };
                let news = News::of(Some(Arc::clone(data)), self.sieve.clone());
                return Step::Open(Box::new(news));
            }
            _ => return Step::Unused,
        };
        Step::Done
    }

    fn unavailable(&self, action: Action) -> Option<String> {
        let Some(said) = self.said() else {
            let says = match action {
                Action::Open => "there is no criterion to look behind: no gate file was loaded",
                Action::Decide => "nothing can be decided without a gate file",
                Action::Exception => {
                    "there is no criterion to grant an exception from: no gate file was loaded"
                }
                Action::Columns => "there is no decision to tell anybody about yet",
                Action::Export => {
                    "there is no result to write: no gate file was loaded; w keeps this screen as evidence"
                }
                _ => return None,
            };
            return Some(says.to_owned());
        };
        let group = draw::argument(said);
        Some(match action {
            Action::Decide => {
                format!("evenkeel decide go|hold|roll-back --group {group} --by NAME")
            }
            Action::Exception => format!(
                "evenkeel decide exception --group {group} --criterion {}",
                self.selected().map_or("ID", |it| it.id.as_str())
            ),
            Action::Export => format!(
                "evenkeel gate --group {group} --json writes the result; w keeps this screen as evidence"
            ),
            _ => return None,
        })
    }

    fn case(&self, action: Action) -> Result<Case, String> {
        let Some(said) = self.said() else {
            return Err(self.unavailable(action).unwrap_or_default());
        };
        let criterion = match (action, self.selected()) {
            (Action::Exception, Some(it)) => Some(it.id.as_str()),
            (Action::Exception, None) => return Err("no criterion is selected".to_owned()),
            _ => None,
        };
        let case = Case::of(&said.group, &said.report, criterion);
        Ok(match said.silence() {
            Some(silence) => case.stale(&silence),
            None => case,
        })
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn filter(&self) -> &str {
        self.sieve.text()
    }

    fn set_filter(&mut self, sieve: Sieve) {
        self.sieve = sieve;
        self.cursor.row = 0;
        self.scroll = 0;
    }

    fn cell_filter(&self) -> Option<String> {
        let said = self.said().filter(|said| said.name() != ALL)?;
        Some(term("group", &said.group))
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let lines = self.lines(100, look)?;
        let said: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Some(said.join("\n") + "\n")
    }

    fn status(&self, _look: &Look<'_>) -> String {
        match self.known.ready() {
            Some(data) if data.has_gate && data.groups > 1 => {
                format!("1 of {} groups   sort: failed first", data.groups)
            }
            Some(data) if data.has_gate => "sort: failed first".to_owned(),
            _ => "no gate file: no verdict".to_owned(),
        }
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let Some(data) = self.known.ready() else {
            return Value::Null;
        };
        let findings = data.findings.iter().map(|count| {
            json!({"severity": count.severity.code(), "state": count.state, "findings": count.findings, "seen": count.seen})
        });
        let findings: Vec<Value> = findings.collect();
        let Some(said) = &data.said else {
            let why = if data.has_gate {
                "no group"
            } else {
                "no gate file"
            };
            return json!({"verdict": null, "why": why, "findings": findings});
        };
        let report = &said.report;
        let masked = |lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| look.mask.text(line)).collect()
        };
        let criteria = report.criteria.iter().map(|it| {
            json!({"id": it.id, "need": it.need, "seen": look.mask.text(&it.seen), "bound": it.bound, "result": it.result.word()})
        });
        json!({
            "verdict": draw::word(said, look), "group": said.name(), "as_of": report.as_of,
            "gate": report.evidence.gate_hash, "ledger": report.evidence.ledger, "why": masked(&report.why),
            "to_go": masked(&report.to_go), "criteria": criteria.collect::<Vec<_>>(), "findings": findings,
        })
    }
}

/// How many criteria came to this.
fn count_of(report: &Report, outcome: Outcome) -> u64 {
    report.counts.get(&outcome).copied().unwrap_or(0)
}
