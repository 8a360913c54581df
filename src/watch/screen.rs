//! What every screen can do. A screen holds its own state and what it last heard; it reads nothing itself.

use std::fmt;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::decide::Case;
use super::keys::{Action, Scope};
use super::mask::Mask;
use super::sieve::Sieve;
use super::snapshot::{Answer, Question};
use super::text::Zone;
use super::theme::Theme;
use crate::clock::Micros;
use crate::ledger::filter::Field;

/// How much room the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Less than 60 by 15: two lines with the worst verdict and the size needed.
    Tiny,
    /// Less than 80 by 24: text only.
    Small,
    /// Less than 110 by 32: one pane, the list above its detail.
    Narrow,
    /// Everything side by side.
    Wide,
}

impl Room {
    /// The room of a terminal of this width and height.
    pub const fn of(width: u16, height: u16) -> Self {
        match (width, height) {
            (110.., 32..) => Self::Wide,
            (80.., 24..) => Self::Narrow,
            (60.., 15..) => Self::Small,
            _ => Self::Tiny,
        }
    }
}

/// What drawing depends on besides the screen itself.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Colours and marks.
    pub theme: Theme,
    /// Time zone.
    pub zone: Zone,
    /// The time, µs.
    pub now: Micros,
    /// Whether the tap has been silent for so long that nothing is known of now.
    pub stale: bool,
    /// How much room there is.
    pub room: Room,
    /// What hides identifiers; it hides nothing when masking is off.
    pub mask: &'a Mask,
    /// The pane in focus, from 0.
    pub focus: usize,
    /// Whether that pane has all the room.
    pub expanded: bool,
}

/// What comes of an action.
pub enum Step {
    /// The screen has no use for it.
    Unused,
    /// It was done.
    Done,
    /// It was done, or not: a sentence says what came of it.
    Say(String),
    /// Deeper: this screen comes on top.
    Open(Box<dyn Screen>),
    /// To a numbered screen, with this filter.
    Go(u8, String),
    /// This text goes to the clipboard.
    Copy(String),
    /// This text goes into a file of this name.
    Export(String, String),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused => f.write_str("Unused"),
            Self::Done => f.write_str("Done"),
            Self::Say(text) => f.debug_tuple("Say").field(text).finish(),
            Self::Open(screen) => f.debug_tuple("Open").field(&screen.title()).finish(),
            Self::Go(number, filter) => f.debug_tuple("Go").field(number).field(filter).finish(),
            Self::Copy(text) => f.debug_tuple("Copy").field(text).finish(),
            Self::Export(name, text) => f
                .debug_tuple("Export")
                .field(name)
                .field(&text.len())
                .finish(),
        }
    }
}

/// One screen.
pub trait Screen {
    /// Its number among the six, or that of the screen that it belongs to.
    fn number(&self) -> u8;

    /// What breadcrumbs call it.
    fn title(&self) -> String;

    /// The scopes of its keys, innermost first, without [`Scope::Everywhere`].
    fn scopes(&self) -> &'static [Scope];

    /// What it has to know to be drawn, with this many rows to fill.
    fn question(&self, rows: u16) -> Question;

    /// Takes an answer; one to another screen's question is none of its business.
    fn hear(&mut self, answer: Result<Answer, String>);

    /// Draws it into `area`: everything between tabs and status line.
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>);

    /// Does what a key asks for. Moving, opening and its own keys come here; what holds everywhere does not.
    fn act(&mut self, action: Action) -> Step;

    /// Why an action cannot be had now, as a sentence; it stays in the help.
    fn unavailable(&self, _action: Action) -> Option<String> {
        None
    }

    /// The selected finding: its identity and what it says.
    fn finding(&self) -> Option<(String, String)> {
        None
    }

    /// What somebody would decide about here with this action, or why nothing can be.
    fn case(&self, action: Action) -> Result<Case, String> {
        let says = || "nothing can be decided here: 4 shows the gate of a group".to_owned();
        Err(self.unavailable(action).unwrap_or_else(says))
    }

    /// How many panes can be in focus.
    fn panes(&self) -> usize {
        1
    }

    /// This pane is in focus now: moving is meant for it.
    fn focus(&mut self, _pane: usize) {}

    /// What it can be filtered by; nothing where it cannot. Help, completion and checks follow from it.
    fn fields(&self) -> &'static [Field] {
        &[]
    }

    /// The filter that holds, as text.
    #[expect(
        clippy::unnecessary_literal_bound,
        reason = "other screens give a part of themselves"
    )]
    fn filter(&self) -> &str {
        ""
    }

    /// Sets the filter, which was understood by its fields.
    fn set_filter(&mut self, _sieve: Sieve) {}

    /// A term for the selected cell, such as [`super::sieve::term`] makes.
    fn cell_filter(&self) -> Option<String> {
        None
    }

    /// What is selected, as Markdown.
    fn markdown(&self, look: &Look<'_>) -> Option<String>;

    /// What stands beside the filter in the status line: how much of what is shown.
    fn status(&self, look: &Look<'_>) -> String;

    /// What it shows, as JSON, for evidence; identifiers masked as on the screen.
    fn json(&self, look: &Look<'_>) -> Value;
}
