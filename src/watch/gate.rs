//! Screen 4: may this group go; if not, why; how is it undone.

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
pub struct Gate {
    known: Known<Data>,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let counts = books.ledger()?.finding_counts()?;
    let line = |count: crate::ledger::query::FindingCount| {
        format!(
            "{} {}: {} findings",
            count.severity.code(),
            shown(&count.state),
            grouped(count.findings)
        )
    };
    let mut lines = vec!["No gate file is loaded, so there is no verdict.".to_owned()];
    lines.extend(counts.into_iter().map(line));
    Ok(Data { lines })
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
        let inside = pane::boxed(frame, area, ("GATE", ""), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let lines = self.known.ready().map_or(&[][..], |data| &data.lines);
        if lines.is_empty() {
            pane::prose(
                frame,
                inside,
                "No gate file is loaded, so there is no verdict.",
            );
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
            Action::ToCoverage => {
                return Step::Open(Box::new(super::coverage::Coverage::default()));
            }
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
