//! Screen 2: what differs, how often, whose is it.

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
pub struct Diffs {
    known: Known<Data>,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let concerns = books.ledger()?.concerns(crate::ocpp::Severity::S4, 200)?;
    let line = |concern: crate::ledger::query::Concern| {
        let count = grouped(concern.count);
        format!(
            "{} {} {count} times, {}: {}",
            concern.severity.code(),
            concern.id,
            concern.state,
            shown(&concern.title)
        )
    };
    Ok(Data {
        lines: concerns.into_iter().map(line).collect(),
    })
}

impl Screen for Diffs {
    fn number(&self) -> u8 {
        2
    }

    fn title(&self) -> String {
        "Diffs".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Diffs, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Diffs(Question)
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Diffs(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = pane::boxed(frame, area, ("FINDINGS", ""), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let lines = self.known.ready().map_or(&[][..], |data| &data.lines);
        if lines.is_empty() {
            pane::prose(frame, inside, "No finding yet.");
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
