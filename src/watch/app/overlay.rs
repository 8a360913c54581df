//! What lies over a screen: a line that is being written, a menu, the help, the tour.

use tui_input::{Input, InputRequest};

use super::{App, Effect};
use crate::ledger::filter::{self, FilterError};
use crate::watch::help::Help;
use crate::watch::keys::{Action, Key, Scope};
use crate::watch::sieve::Sieve;
use crate::watch::tour;
use crate::watch::{decide, notes, triage};

/// What is open over the screen.
#[derive(Debug)]
pub enum Overlay {
    /// A line of text is being written.
    Prompt(Prompt),
    /// Something is being chosen.
    Menu(Menu),
    /// The help.
    Help(Help),
    /// A step of the tour, from 0.
    Tour(usize),
    /// What is to become of a finding is being filled in.
    Triage(Box<triage::Dialog>),
    /// What is to become of a group is being filled in.
    Decide(Box<decide::Dialog>),
}

/// What a line is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A filter of the screen.
    Filter,
    /// A command.
    Command,
}

/// A line that is being written.
#[derive(Debug)]
pub struct Prompt {
    /// What for.
    pub purpose: Purpose,
    /// The text and where the cursor is.
    pub input: Input,
    /// What is wrong with it so far.
    pub fault: Option<FilterError>,
}

/// Rows to choose from.
#[derive(Debug, Default)]
pub struct Menu {
    /// Names, and what each stands for.
    pub rows: Vec<(String, String)>,
    /// The chosen row.
    pub row: usize,
}

impl Prompt {
    /// A line that begins with this text.
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            input: Input::new(text.to_owned()),
            fault: None,
        }
    }
}

impl Menu {
    /// The saved filters; a few that everybody needs come with the program.
    pub fn filters(saved: &[(String, String)]) -> Self {
        let known = [
            ("everything", ""),
            ("severe", "severity>=S1"),
            ("new", "state:new"),
        ];
        let known = known.map(|(name, filter)| (name.to_owned(), filter.to_owned()));
        Self {
            rows: known.into_iter().chain(saved.iter().cloned()).collect(),
            row: 0,
        }
    }
}

impl Overlay {
    /// The scope of its keys.
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Prompt(_) => Scope::Prompt,
            Self::Menu(_) => Scope::Menu,
            Self::Help(_) => Scope::Help,
            Self::Tour(_) => Scope::Tour,
            Self::Triage(_) | Self::Decide(_) => Scope::Dialog,
        }
    }
}

impl App {
    /// A key while something lies over the screen.
    pub(super) fn in_overlay(
        &mut self,
        key: Key,
        action: Option<Action>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(overlay) = self.overlay.take() else {
            return;
        };
        let next = match (overlay, action) {
            (_, Some(Action::Back)) => None,
            (Overlay::Prompt(prompt), action) => self
                .in_prompt(prompt, key, action, effects)
                .map(Overlay::Prompt),
            (Overlay::Menu(menu), action) => self.in_menu(menu, action).map(Overlay::Menu),
            (Overlay::Help(mut help), action) => {
                help.take(key, action);
                Some(Overlay::Help(help))
            }
            (Overlay::Tour(step), Some(Action::NextPage)) => self.tour(step + 1),
            (Overlay::Tour(step), _) => Some(Overlay::Tour(step)),
            (Overlay::Triage(mut dialog), action) => match dialog.take(key, action) {
                triage::Outcome::Open => Some(Overlay::Triage(dialog)),
                triage::Outcome::Cancelled => None,
                triage::Outcome::Write(wish) => {
                    effects.push(Effect::Note(notes::Wish::Note(wish)));
                    self.say("the note is being written");
                    None
                }
            },
            (Overlay::Decide(mut dialog), action) => match dialog.take(key, action) {
                decide::Outcome::Open => Some(Overlay::Decide(dialog)),
                decide::Outcome::Cancelled => None,
                decide::Outcome::Decided(wish) => {
                    effects.push(Effect::Note(notes::Wish::Decision(wish)));
                    self.say("the decision is being written");
                    None
                }
            },
        };
        // What was accepted may have opened another one.
        if next.is_some() {
            self.overlay = next;
        }
    }

    fn in_prompt(
        &mut self,
        mut prompt: Prompt,
        key: Key,
        action: Option<Action>,
        effects: &mut Vec<Effect>,
    ) -> Option<Prompt> {
        match action {
            Some(Action::Accept) => return self.accept(prompt, effects),
            Some(Action::Complete) => self.complete(&mut prompt),
            _ => {
                if let Some(request) = edit(key) {
                    prompt.input.handle(request);
                }
            }
        }
        self.check(&mut prompt);
        Some(prompt)
    }

    fn check(&self, prompt: &mut Prompt) {
        if prompt.purpose == Purpose::Filter {
            let meant = self.mask.reveal(prompt.input.value());
            prompt.fault = Sieve::parse(&meant, self.screen().fields()).err();
        }
    }

    /// What was written is used; it stays open if that is wrong.
    fn accept(&mut self, prompt: Prompt, effects: &mut Vec<Effect>) -> Option<Prompt> {
        let text = prompt.input.value().to_owned();
        match prompt.purpose {
            Purpose::Filter if prompt.fault.is_some() => return Some(prompt),
            Purpose::Filter => self.set_filter(&text),
            Purpose::Command => self.command(&text, effects),
        }
        None
    }

    fn complete(&mut self, prompt: &mut Prompt) {
        let text = prompt.input.value().to_owned();
        let cursor = text
            .char_indices()
            .nth(prompt.input.cursor())
            .map_or(text.len(), |(at, _)| at);
        let words: Vec<(std::ops::Range<usize>, String)> = match prompt.purpose {
            Purpose::Filter => {
                let found = filter::complete(&text, cursor, self.screen().fields());
                found
                    .into_iter()
                    .map(|word| (word.replace, word.text))
                    .collect()
            }
            Purpose::Command => super::palette::complete(&text)
                .map(|word| (0..text.len(), format!("{word} ")))
                .collect(),
        };
        match words.as_slice() {
            [] => self.say("nothing completes this"),
            [(place, word)] => {
                let whole = format!("{}{word}{}", &text[..place.start], &text[place.end..]);
                let after = whole[..place.start + word.len()].chars().count();
                prompt.input = Input::new(whole).with_cursor(after);
            }
            several => {
                let names: Vec<&str> = several.iter().map(|(_, word)| word.trim()).collect();
                self.say(names.join("  "));
            }
        }
    }

    fn in_menu(&mut self, mut menu: Menu, action: Option<Action>) -> Option<Menu> {
        match action {
            Some(Action::Up) => menu.row = menu.row.saturating_sub(1),
            Some(Action::Down) => menu.row = (menu.row + 1).min(menu.rows.len().saturating_sub(1)),
            Some(Action::Accept) => {
                if let Some((_, filter)) = menu.rows.get(menu.row).cloned() {
                    self.set_filter(&filter);
                }
                return None;
            }
            _ => {}
        }
        Some(menu)
    }

    /// A step of the tour, on its screen.
    pub(super) fn tour(&mut self, step: usize) -> Option<Overlay> {
        let Some(next) = tour::STEPS.get(step) else {
            self.say("that was the tour; ? has every key");
            return None;
        };
        self.go(next.screen);
        Some(Overlay::Tour(step))
    }

    /// Pasted text goes into what is being written, and nowhere else: it must not press keys.
    pub(super) fn paste(&mut self, text: &str) {
        let input = match &mut self.overlay {
            Some(Overlay::Prompt(prompt)) => &mut prompt.input,
            Some(Overlay::Triage(dialog)) => match dialog.input() {
                Some(input) => input,
                None => return,
            },
            Some(Overlay::Decide(dialog)) => match dialog.input() {
                Some(input) => input,
                None => return,
            },
            _ => return,
        };
        for c in text.chars().filter(|c| !c.is_control()).take(1_000) {
            input.handle(InputRequest::InsertChar(c));
        }
    }
}

/// How a key edits text.
pub(in crate::watch) fn edit(key: Key) -> Option<InputRequest> {
    Some(match key {
        Key::Char(c) => InputRequest::InsertChar(c),
        Key::Backspace => InputRequest::DeletePrevChar,
        Key::Delete => InputRequest::DeleteNextChar,
        Key::Left => InputRequest::GoToPrevChar,
        Key::Right => InputRequest::GoToNextChar,
        Key::Home | Key::Ctrl('a') => InputRequest::GoToStart,
        Key::End | Key::Ctrl('e') => InputRequest::GoToEnd,
        Key::Ctrl('u') => InputRequest::DeleteLine,
        Key::Ctrl('w') => InputRequest::DeletePrevWord,
        _ => return None,
    })
}
