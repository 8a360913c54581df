//! What the state machine is told and what it wants done: plain data in, plain data out.

use std::sync::Arc;

use crate::watch::keys::Key;
use crate::watch::notes::Wish;
use crate::watch::rewind::{News, Order, Point};
use crate::watch::snapshot::{Answer, Pulse, Question};
use crate::watch::text::Zone;
use crate::watch::theme::Theme;

/// What happens to the dashboard.
#[derive(Debug, Clone)]
pub enum Event {
    /// A key.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The wheel was turned, so many rows down.
    Wheel(i32),
    /// The terminal has this size now.
    Size(u16, u16),
    /// The recording has changed.
    Pulse(Arc<Pulse>),
    /// An answer.
    Reply(Reply),
    /// The recording cannot be read.
    Failed(String),
    /// How far rewinding is.
    Rewound(News),
    /// An effect has been carried out, or not: what came of it, as a sentence.
    Told(String),
    /// Nothing happened, only time passed.
    Time,
    /// The terminal is gone, or the program is told to end.
    End,
}

/// A question with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: u64,
    /// What is asked.
    pub question: Question,
    /// The point of the past that it is asked of; none for the recording as it is.
    pub at: Option<Arc<Point>>,
}

/// The answer to a question.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The question's number.
    pub number: u64,
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the source thread.
    Ask(Request),
    /// Put this into the clipboard.
    Copy(String),
    /// Write a file of this name beside the recording, or where evidence goes.
    Export(String, String),
    /// Write what somebody says of a finding, or decides about a group.
    Note(Wish),
    /// Make a bundle that reproduces a finding.
    Bundle(String),
    /// Save a filter under a name.
    KeepFilter(String, String),
    /// Judge the recording again up to an instant.
    Rewind(Order),
    /// Keep the screen as evidence, with what it shows as JSON.
    Evidence(String),
    /// Let the terminal report the mouse, or not.
    Mouse(bool),
    /// Sound the bell and set the terminal's title.
    Bell(String),
    /// End; the last screen stays in the terminal if wanted.
    Leave {
        /// Whether to print it.
        print: bool,
    },
}

/// What an app begins with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Colours and marks.
    pub theme: Theme,
    /// Time zone.
    pub zone: Zone,
    /// What masks are keyed with.
    pub mask: String,
    /// Whether identifiers are shown from the start.
    pub reveal: bool,
    /// Whether it shows a demo.
    pub demo: bool,
    /// Who operates; nobody may write anything where none is named.
    pub operator: Option<String>,
    /// In which role; the wave of a group may name the roles that may decide.
    pub role: String,
    /// Filters that were saved.
    pub filters: Vec<(String, String)>,
}
