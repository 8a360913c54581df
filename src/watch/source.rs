//! The source thread: reads the recording, so that no key ever waits for a disk.
//!
//! It answers the screen's latest question at once, and again whenever the recording has changed. It looks for changes
//! often, but never spends more than one part in [`SHARE`] of its time on answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::app::{Event, Reply, Request};
use super::books::{Books, BooksError};

/// How often the recording is looked at, if that costs little.
const LOOK: Duration = Duration::from_millis(250);

/// The share of its time that answering may take: one part in so many. Drawing takes its own beside it, and both together
/// stay well under a twentieth of a core.
pub const SHARE: u32 = 40;

/// Runs until nobody listens any more, or nobody asks.
pub fn run(mut books: Books, asked: &Receiver<Request>, out: &Sender<Event>) {
    let mut request: Option<Request> = None;
    let mut pause = LOOK;
    let mut looked: Option<Instant> = None;
    let mut place = None;
    loop {
        let due = looked.map_or(Duration::ZERO, |at| pause.saturating_sub(at.elapsed()));
        let fresh = match asked.recv_timeout(due) {
            Ok(next) => {
                // Only the latest question matters: whoever asked before has moved on.
                request = Some(asked.try_iter().last().unwrap_or(next));
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let began = Instant::now();
        let wanted = request.as_ref().and_then(|request| request.at.clone());
        let moved = wanted != place;
        if moved {
            match books.at(wanted.as_deref()) {
                Ok(there) => (books, place) = (there, wanted),
                Err(error) => {
                    looked = Some(began);
                    if out.send(Event::Failed(error.to_string())).is_err() {
                        return;
                    }
                    continue;
                }
            }
        }
        let changed = if fresh && !moved && looked.is_some() {
            Ok(false)
        } else {
            looked = Some(began);
            books.changed()
        };
        if !tell(&books, request.as_ref(), (fresh, changed), out) {
            return;
        }
        pause = LOOK.max(began.elapsed() * SHARE);
    }
}

/// False if nobody listens.
fn tell(
    books: &Books,
    request: Option<&Request>,
    (fresh, changed): (bool, Result<bool, BooksError>),
    out: &Sender<Event>,
) -> bool {
    let changed = match changed {
        Ok(changed) => changed,
        Err(error) => return out.send(Event::Failed(error.to_string())).is_ok(),
    };
    if changed {
        let pulse = match books.pulse() {
            Ok(pulse) => Event::Pulse(Arc::new(pulse)),
            Err(error) => Event::Failed(error.to_string()),
        };
        if out.send(pulse).is_err() {
            return false;
        }
    }
    let Some(request) = request.filter(|_| fresh || changed) else {
        return true;
    };
    let answer = books
        .answer(&request.question)
        .map_err(|error| error.to_string());
    let reply = Reply {
        number: request.number,
        answer,
    };
    out.send(Event::Reply(reply)).is_ok()
}
