//! The messages of one session or charger. A drill-down of Diffs, Sessions, Feed and Tap.

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
pub struct Question {
    /// The charger.
    pub charger: String,
    /// The fact that it is about.
    pub fact: u64,
}

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Line by line.
    pub lines: Vec<String>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Trace {
    known: Known<Data>,
    scroll: u16,
    charger: String,
    fact: u64,
    home: u8,
}

impl Trace {
    /// The trace of a charger around a fact.
    pub fn around(charger: &str, fact: u64) -> Self {
        Self {
            charger: charger.to_owned(),
            fact,
            home: 5,
            ..Self::default()
        }
    }
}

/// Reads what the screen shows.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let facts = books.facts().read(question.fact.saturating_sub(100), 200)?;
    let line = |fact: &crate::facts::Fact| {
        let text = String::from_utf8_lossy(&fact.body);
        format!("{:>9} {} {}", grouped(fact.seq), fact.kind, shown(&text))
    };
    let of_charger = facts
        .iter()
        .filter(|fact| *fact.charger == *question.charger);
    Ok(Data {
        lines: of_charger.map(line).collect(),
    })
}

impl Screen for Trace {
    fn number(&self) -> u8 {
        self.home
    }

    fn title(&self) -> String {
        "Trace".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Trace, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Trace(Question {
            charger: self.charger.clone(),
            fact: self.fact,
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Trace(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = pane::boxed(frame, area, ("TRACE", ""), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let lines = self.known.ready().map_or(&[][..], |data| &data.lines);
        if lines.is_empty() {
            pane::prose(frame, inside, "No message around this fact.");
            return;
        }
        let rows = lines
            .iter()
            .skip(usize::from(self.scroll))
            .map(|line| Line::raw(look.mask.message(line)));
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
        Some(format!("{}\n", look.mask.message(line)))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        format!(
            "{} lines",
            self.known.ready().map_or(0, |data| data.lines.len())
        )
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let lines = self.known.ready().map_or(&[][..], |data| &data.lines);
        json!({"lines": lines.iter().map(|line| look.mask.message(line)).collect::<Vec<_>>()})
    }
}
