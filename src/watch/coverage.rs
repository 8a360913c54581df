//! Model by action: what was exercised. A drill-down of the gate.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use serde_json::{Value, json};

use super::books::{Books, BooksError};
use super::keys::{Action, Scope};
use super::pane;
use super::screen::{Look, Screen, Step};
use super::snapshot::{self, Answer, Known};
use super::text::{grouped, shown};

/// What the screen asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question;

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Line by line.
    pub lines: Vec<String>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Coverage {
    known: Known<Data>,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let covered = books
        .ledger()?
        .coverage(crate::ledger::row::Subject::Exchange)?;
    let line = |(action, outcomes): (String, crate::ledger::query::Outcomes)| {
        format!(
            "{}: {} compared",
            shown(&action),
            grouped(outcomes.comparable())
        )
    };
    Ok(Data {
        lines: covered.into_iter().map(line).collect(),
    })
}

impl Screen for Coverage {
    fn number(&self) -> u8 {
        4
    }

    fn title(&self) -> String {
        "Coverage".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Coverage, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Coverage(Question)
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Coverage(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = pane::boxed(frame, area, ("COVERAGE", ""), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let lines = self.known.ready().map_or(&[][..], |data| &data.lines);
        if lines.is_empty() {
            pane::prose(frame, inside, "Nothing has been compared yet.");
            return;
        }
        let rows = lines
            .iter()
            .skip(usize::from(self.scroll))
            .map(|line| Line::raw(look.mask.text(line)));
        frame.render_widget(Text::from(rows.collect::<Vec<_>>()), inside);
    }

    fn act(&mut self, action: Action) -> Step {
        let last = self
            .known
            .ready()
            .map_or(0, |data| data.lines.len().saturating_sub(1)) as u16;
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => (self.scroll + 1).min(last),
            Action::First => 0,
            Action::Last => last,
            _ => return Step::Unused,
        };
        Step::Done
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let line = self.known.ready()?.lines.get(usize::from(self.scroll))?;
        Some(format!("{}\n", look.mask.text(line)))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        format!(
            "{} lines",
            self.known.ready().map_or(0, |data| data.lines.len())
        )
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let lines = self.known.ready().map_or(&[][..], |data| &data.lines);
        json!({"lines": lines.iter().map(|line| look.mask.text(line)).collect::<Vec<_>>()})
    }
}
