//! Filters: written, taken from the selected cell, set.

use super::{App, Effect, Overlay, Prompt, Purpose};
use crate::watch::sieve::Sieve;

impl App {
    /// Begins to write a filter.
    pub(super) fn write_filter(&mut self) {
        if self.screen().fields().is_empty() {
            self.say("nothing can be filtered here");
            return;
        }
        let filter = self.mask.text(self.screen().filter());
        self.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Filter, &filter)));
    }

    /// Adds the selected cell to the filter.
    pub(super) fn filter_by_cell(&mut self) {
        let Some(cell) = self.screen().cell_filter() else {
            self.say("no cell is selected that can be filtered by");
            return;
        };
        let old = self.screen().filter();
        let filter = if old.is_empty() || old.contains(&cell) {
            cell
        } else {
            format!("{old} {cell}")
        };
        self.set_filter(&filter);
    }

    /// Saves the filter of the screen on top.
    pub(super) fn keep_filter(&mut self, name: &str, effects: &mut Vec<Effect>) {
        let filter = self.screen().filter().to_owned();
        if filter.is_empty() {
            self.say("nothing is filtered here that could be saved");
            return;
        }
        let saved = &mut self.setup.filters;
        saved.retain(|(known, _)| known != name);
        saved.push((name.to_owned(), filter.clone()));
        effects.push(Effect::KeepFilter(name.to_owned(), filter));
    }

    /// Sets the filter of the screen on top, as it was written on a screen that may be masked.
    pub(super) fn set_filter(&mut self, filter: &str) {
        let meant = self.mask.reveal(filter);
        match Sieve::parse(&meant, self.screen().fields()) {
            Err(fault) => self.say(format!("not filtered: {}", fault.message)),
            Ok(sieve) => {
                self.mask.meet(sieve.text());
                let shown = self.mask.text(sieve.text());
                self.screen_mut().set_filter(sieve);
                self.say(if shown.is_empty() {
                    "no filter".to_owned()
                } else {
                    format!("filter: {shown}")
                });
            }
        }
    }
}
