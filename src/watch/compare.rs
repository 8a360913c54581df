//! Two marked messages beside each other: a drill-down of Diffs and of the trace.

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::books::{Books, BooksError};
use super::keys::{Action, Scope};
use super::pane;
use super::screen::{Look, Screen, Step};
use super::side_by_side::{self, Fold};
use super::snapshot::{self, Answer, Known};
use crate::ledger::row::Subject;
use crate::report::{Comparison, Evidence};

/// What the two are called.
const NAMES: [&str; 2] = ["FIRST", "SECOND"];

/// A message: an exchange or command, and the fact that began it.
pub type Message = (Subject, u64);

/// What the screen asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The facts that began the two.
    pub pair: [u64; 2],
}

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// The two, field by field; none if the ledger no longer knows them.
    pub comparison: Option<Comparison>,
}

/// The screen.
#[derive(Debug)]
pub struct Compare {
    known: Known<Data>,
    pair: [u64; 2],
    home: u8,
    unfolded: bool,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let rules = books.shelf().rules(books)?;
    let evidence = |id| -> Result<Option<Evidence>, BooksError> {
        let judged = books.ledger()?.judged(id)?;
        let read = judged.map(|judged| Evidence::of(books.facts(), &rules, judged));
        Ok(read.transpose()?)
    };
    let [first, second] = question.pair;
    let comparison = match (evidence(first)?, evidence(second)?) {
        (Some(first), Some(second)) => Some(Comparison::of_two(&first, &second)),
        _ => None,
    };
    Ok(Data { comparison })
}

/// Marks a message, or compares it with the one that was marked before; the same again is marked no longer.
pub fn mark(marked: &mut Option<Message>, this: Option<Message>, home: u8) -> Step {
    let Some(this) = this else {
        return Step::Say("no message is selected that could be marked".to_owned());
    };
    if !matches!(this.0, Subject::Exchange | Subject::Command) {
        return Step::Say(format!("a {} has no texts to compare", this.0.word()));
    }
    match marked.take() {
        None => {
            *marked = Some(this);
            Step::Say(format!(
                "seq {} is marked: m on another compares the two",
                this.1
            ))
        }
        Some(before) if before == this => Step::Say(format!("seq {} is marked no longer", this.1)),
        Some(before) => Step::Open(Box::new(Compare {
            known: Known::Loading,
            pair: [before.1, this.1],
            home,
            unfolded: false,
            scroll: 0,
        })),
    }
}

impl Compare {
    fn comparison(&self) -> Option<&Comparison> {
        self.known.ready()?.comparison.as_ref()
    }
}

impl Screen for Compare {
    fn number(&self) -> u8 {
        self.home
    }

    fn title(&self) -> String {
        format!("{} beside {}", self.pair[0], self.pair[1])
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Compare]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Compare(Question { pair: self.pair })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Compare(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let comparison = self.comparison();
        let title = comparison.map_or("COMPARE", |comparison| &comparison.title);
        let right = comparison.map_or_else(String::new, side_by_side::summary);
        let inside = pane::boxed(frame, area, (title, &right), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let Some(comparison) = comparison else {
            let says = "One of the two is being judged again; Esc goes back.";
            return pane::prose(frame, inside, says);
        };
        let fold = Fold {
            raw: false,
            unfolded: self.unfolded,
        };
        let lines = side_by_side::lines_of(comparison, NAMES, (inside.width, fold), look);
        pane::scrolled(frame, inside, lines, self.scroll);
    }

    fn act(&mut self, action: Action) -> Step {
        match action {
            Action::Up => self.scroll = self.scroll.saturating_sub(1),
            Action::Down => self.scroll = self.scroll.saturating_add(1),
            Action::Unfold => {
                self.unfolded = !self.unfolded;
                let says = if self.unfolded {
                    "every field"
                } else {
                    "equal fields folded"
                };
                return Step::Say(says.to_owned());
            }
            _ => return Step::Unused,
        }
        Step::Done
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let comparison = self.comparison()?;
        let fold = Fold {
            raw: false,
            unfolded: true,
        };
        let lines = side_by_side::lines_of(comparison, NAMES, (100, fold), look);
        let lines: String = lines
            .iter()
            .map(|line| line.to_string().trim_end().to_owned() + "\n")
            .collect();
        Some(format!("**{}**\n\n```\n{lines}```\n", comparison.title))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        "two messages, field by field: nothing is judged here".to_owned()
    }

    fn json(&self, _look: &Look<'_>) -> Value {
        json!({ "pair": self.pair })
    }
}
