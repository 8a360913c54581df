//! What people write from the dashboard, and how it gets into the recording: on a thread of its own, by who was given the
//! means when the dashboard began.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use super::app::Event;
use super::{decide, triage};

/// What somebody wants to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A note about a finding.
    Note(triage::Wish),
    /// A decision about a group.
    Decision(decide::Wish),
}

/// Writes what people say; says what was written, or why not.
type Writer = dyn Fn(&Wish) -> Result<String, String> + Send + Sync;

/// How what people say is written.
#[derive(Clone)]
pub struct Notes(Arc<Writer>);

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

impl Notes {
    /// By `writer`, which may take its time.
    pub fn new(writer: impl Fn(&Wish) -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(writer))
    }

    /// Begins to write; what came of it is told as an event.
    pub(super) fn write(&self, wish: Wish, told: Sender<Event>) -> io::Result<JoinHandle<()>> {
        let writer = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("note".to_owned());
        thread.spawn(move || {
            let says = writer(&wish).unwrap_or_else(|why| match wish {
                Wish::Note(_) => format!("nothing was noted: {why}"),
                Wish::Decision(_) => format!("nothing was decided: {why}"),
            });
            // Who leaves the dashboard waits for it; one that broke does not hear it.
            let _ = told.send(Event::Told(says));
        })
    }
}
