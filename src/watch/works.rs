//! What was begun from the dashboard and takes its time: who leaves waits for it. A decision that was taken is written and
//! carried out, also if somebody leaves at once.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::app::Event;
use super::text::count_of;

/// How often it is looked whether a thread has ended that told nothing.
const LOOK: Duration = Duration::from_millis(50);

/// Threads that write.
#[derive(Debug, Default)]
pub(super) struct Works(RefCell<Vec<JoinHandle<()>>>);

impl Works {
    /// One more; those that have ended are forgotten.
    pub(super) fn keep(&self, work: JoinHandle<()>) {
        let mut works = self.0.borrow_mut();
        works.retain(|work| !work.is_finished());
        works.push(work);
    }

    /// Waits for all of them; says that it does, and what came of each.
    pub(super) fn finish(&self, happened: &Receiver<Event>, say: &mut dyn FnMut(&str)) {
        let mut works = self.0.take();
        works.retain(|work| !work.is_finished());
        if !works.is_empty() {
            let count = count_of(works.len() as u64, "thing");
            say(&format!("{count} that you began is being finished ..."));
        }
        while !works.is_empty() {
            match happened.recv_timeout(LOOK) {
                Ok(Event::Told(says)) => say(&says),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            works.retain(|work| !work.is_finished());
        }
        for work in works {
            if work.join().is_err() {
                say("what you began has panicked: look whether it was written");
            }
        }
        for event in happened.try_iter() {
            if let Event::Told(says) = event {
                say(&says);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::ledger::row::State;
    use crate::watch::notes::{Notes, Wish};
    use crate::watch::triage;

    #[test]
    fn who_leaves_waits_until_what_was_decided_is_written() {
        let (go, gone) = channel();
        let gone = Mutex::new(gone);
        let notes = Notes::new(move |_| {
            gone.lock().unwrap().recv().unwrap();
            Ok("recorded as fact 7".to_owned())
        });
        let (events, happened) = channel();
        let works = Works::default();
        let wish = Wish::Note(triage::Wish {
            finding: "F-12345678".to_owned(),
            state: State::Known,
            owner: "ann".to_owned(),
            reason: "known".to_owned(),
            until: String::new(),
        });
        works.keep(notes.write(wish, events.clone()).unwrap());
        let mut said = Vec::new();
        // It is written only after somebody was told that it is waited for.
        works.finish(&happened, &mut |says| {
            said.push(says.to_owned());
            let _ = go.send(());
        });
        assert_eq!(
            said,
            [
                "1 thing that you began is being finished ...",
                "recorded as fact 7"
            ]
        );
    }
}
