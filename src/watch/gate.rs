//! Screen 4: may this group go; if not, why; how is it undone.
//!
//! As long as no gate file was loaded there is no verdict, and none is made up: what was found so far is told instead.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::{Value, json};

use super::books::{Books, BooksError};
use super::coverage::Coverage;
use super::keys::{Action, Scope};
use super::pane;
use super::screen::{Look, Screen, Step};
use super::snapshot::{self, Answer, Known};
use super::text::{count_of, grouped};
use super::theme::{Mark, Tone};
use crate::ledger::query::{FindingCount, Outcomes};
use crate::ledger::row::Subject;
use crate::report::printable;

/// Why there is no verdict, and what to do about it.
const NO_FILE: &str = "No gate file was loaded with this recording, so nobody can say whether chargers may move. A gate file lists \
    criteria: what is needed, on how many samples of each model and action, and which of them block. The verdict is that of the worst \
    blocking criterion, never an average; what was not exercised counts as HOLD.";

/// Further than this nobody scrolls: what is told is a page.
const LAST: u16 = 100;

/// What the screen asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question;

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Findings by severity and how they stand, worst first.
    pub findings: Vec<FindingCount>,
    /// What came of exchanges, commands and sessions.
    pub outcomes: Vec<(&'static str, Outcomes)>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Gate {
    known: Known<Data>,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let mut outcomes = Vec::new();
    for (name, subject) in [
        ("exchanges", Subject::Exchange),
        ("commands", Subject::Command),
        ("sessions", Subject::Session),
    ] {
        outcomes.push((name, ledger.outcomes(subject)?));
    }
    Ok(Data {
        findings: ledger.finding_counts()?,
        outcomes,
    })
}

/// What is known, as lines of this width.
fn lines(data: &Data, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let style = |tone| look.theme.style(tone);
    let verdict = format!(
        "VERDICT  {} none: no gate file",
        look.theme.mark(Mark::Absent)
    );
    let mut lines = vec![Line::styled(verdict, style(Tone::Head)), Line::raw("")];
    lines.extend(pane::broken(NO_FILE, width, style(Tone::Plain)));
    lines.push(Line::raw(""));
    lines.push(Line::styled(
        "What a gate would have to judge by so far",
        style(Tone::Head),
    ));
    for (name, seen) in &data.outcomes {
        lines.extend(pane::broken(&told(name, seen), width, style(Tone::Plain)));
    }
    for count in &data.findings {
        let says = format!(
            "  {} {:<10} {}, seen {}",
            count.severity.code(),
            printable(&count.state),
            count_of(count.findings, "finding"),
            count_of(count.seen, "time")
        );
        let open = matches!(count.state.as_str(), "new" | "regressed");
        lines.push(Line::styled(
            says,
            style(if open { Tone::Warn } else { Tone::Dim }),
        ));
    }
    if data.findings.is_empty() {
        lines.push(Line::raw(
            "  no findings; v shows what was exercised at all",
        ));
    }
    lines
}

fn told(name: &str, seen: &Outcomes) -> String {
    let not: u64 = seen.not_comparable.values().sum();
    match seen.comparable() {
        0 => format!(
            "  {name:<10} not exercised ({} not comparable)",
            grouped(not)
        ),
        compared => format!(
            "  {name:<10} {} of {} differ; {} not comparable, {} pending",
            grouped(seen.divergent),
            grouped(compared),
            grouped(not),
            grouped(seen.pending)
        ),
    }
}

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
        snapshot::Question::Gate(Question)
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Gate(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = pane::boxed(frame, area, ("GATE", "no gate file"), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let Some(data) = self.known.ready() else {
            return;
        };
        pane::scrolled(frame, inside, lines(data, inside.width, look), self.scroll);
    }

    fn act(&mut self, action: Action) -> Step {
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1).min(LAST),
            Action::First => 0,
            Action::Last => LAST,
            Action::ToCoverage => return Step::Open(Box::new(Coverage::default())),
            _ => return Step::Unused,
        };
        Step::Done
    }

    fn unavailable(&self, action: Action) -> Option<String> {
        let says = match action {
            Action::Open => "there is no criterion to look behind: no gate file was loaded",
            Action::Decide => {
                "nothing can be decided without a gate file, and this view is read only"
            }
            Action::Exception => {
                "there is no criterion to grant an exception from: no gate file was loaded"
            }
            Action::Columns => "there is no decision to tell anybody about yet",
            Action::Export => {
                "there is no result to write: no gate file was loaded; w keeps this screen as evidence"
            }
            _ => return None,
        };
        Some(says.to_owned())
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let lines = lines(self.known.ready()?, 100, look);
        let said: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Some(said.join("\n") + "\n")
    }

    fn status(&self, _look: &Look<'_>) -> String {
        "no gate file: no verdict".to_owned()
    }

    fn json(&self, _look: &Look<'_>) -> Value {
        let Some(data) = self.known.ready() else {
            return Value::Null;
        };
        let findings = data.findings.iter().map(|count| {
            json!({"severity": count.severity.code(), "state": count.state, "findings": count.findings, "seen": count.seen})
        });
        json!({"verdict": null, "why": "no gate file", "findings": findings.collect::<Vec<_>>()})
    }
}
