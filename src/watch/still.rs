//! A dashboard without threads and terminal: every question is answered at once. For one picture, and for tests.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::{App, Effect, Event, Reply};
use super::books::Books;
use super::table::padded;
use super::text::width;
use crate::clock::Micros;

/// Tells the app an event and answers what it asks, until it asks no more; gives back all other effects.
pub fn settle(app: &mut App, books: &Books, event: Event, now: Micros) -> Vec<Effect> {
    let mut effects = app.on(event, now);
    let mut others = Vec::new();
    while let Some(effect) = effects.pop() {
        match effect {
            Effect::Ask(request) => {
                let answer = books
                    .answer(&request.question)
                    .map_err(|error| error.to_string());
                effects.extend(app.on(
                    Event::Reply(Reply {
                        number: request.number,
                        answer,
                    }),
                    now,
                ));
            }
            other => others.push(other),
        }
    }
    others
}

/// Tells the app how the recording is.
pub fn pulse(app: &mut App, books: &Books, now: Micros) {
    let event = match books.pulse() {
        Ok(pulse) => Event::Pulse(Arc::new(pulse)),
        Err(error) => Event::Failed(error.to_string()),
    };
    settle(app, books, event, now);
}

/// The screen as text, a line a row, without what an empty end of a line would add.
pub fn picture(app: &App) -> String {
    let (wide, high) = app.size();
    let Ok(mut terminal) = Terminal::new(TestBackend::new(wide, high));
    let Ok(_) = terminal.draw(|frame| app.draw(frame));
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in 0..high {
        let mut line = String::new();
        let mut column = 0;
        while column < wide {
            let symbol = buffer[(column, row)].symbol();
            line.push_str(symbol);
            column += (width(symbol) as u16).max(1);
        }
        text.push_str(padded(&line, wide, false).trim_end());
        text.push('\n');
    }
    text
}
