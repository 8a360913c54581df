//! The dialog about a finding: what is to become of it, who answers for it, why and how long.
//!
//! It opens with Cancel in focus; neither the letter that opened it nor Esc confirms anything. It only collects: what is
//! written, and whether it may be, is decided by who carries [`super::app::Effect::Note`] out.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use tui_input::Input;

use super::app::edit;
use super::form;
use super::keys::{Action, Key};
use super::pane;
use super::screen::Look;
use super::text::shown;
use super::theme::Tone;
use crate::ledger::row::State;

/// What somebody says of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The finding.
    pub finding: String,
    /// How it stands from now on.
    pub state: State,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When an acceptance ends, as it was written; empty for never.
    pub until: String,
}

/// What people may decide; the rest is seen.
const STATES: [State; 4] = [State::Known, State::Accepted, State::Fixed, State::New];

/// Fields and buttons in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    State,
    Owner,
    Reason,
    Until,
    Cancel,
    Write,
}

const PLACES: [Place; 6] = [
    Place::State,
    Place::Owner,
    Place::Reason,
    Place::Until,
    Place::Cancel,
    Place::Write,
];

/// The dialog.
#[derive(Debug)]
pub struct Dialog {
    finding: String,
    title: String,
    state: usize,
    owner: Input,
    reason: Input,
    until: Input,
    place: Place,
    fault: Option<&'static str>,
}

/// What a key made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stays open.
    Open,
    /// Nothing is written.
    Cancelled,
    /// This is to be written.
    Write(Wish),
}

impl Dialog {
    /// The dialog about a finding, for `operator`.
    pub fn new(finding: String, title: String, operator: &str) -> Self {
        Self {
            finding,
            title,
            state: 0,
            owner: Input::new(operator.to_owned()),
            reason: Input::default(),
            until: Input::default(),
            place: Place::Cancel,
            fault: None,
        }
    }

    /// The text that is being written, if one is.
    pub fn input(&mut self) -> Option<&mut Input> {
        match self.place {
            Place::Owner => Some(&mut self.owner),
            Place::Reason => Some(&mut self.reason),
            Place::Until => Some(&mut self.until),
            Place::State | Place::Cancel | Place::Write => None,
        }
    }

    /// Takes a key, and what the table says that it does.
    pub fn take(&mut self, key: Key, action: Option<Action>) -> Outcome {
        match action {
            Some(Action::NextField) => self.step(1),
            Some(Action::PreviousField) => self.step(PLACES.len() - 1),
            Some(Action::Accept) => match self.place {
                Place::Cancel => return Outcome::Cancelled,
                Place::Write => return self.written(),
                _ => self.step(1),
            },
            _ => self.edit(key),
        }
        Outcome::Open
    }

    fn step(&mut self, by: usize) {
        self.place = form::step(&PLACES, self.place, by);
    }

    fn edit(&mut self, key: Key) {
        if self.place == Place::State {
            self.state = form::choose(key, self.state, STATES.len());
        }
        if let Some(request) = edit(key)
            && let Some(input) = self.input()
        {
            input.handle(request);
        }
        self.fault = None;
    }

    fn written(&mut self) -> Outcome {
        let text = |input: &Input| input.value().trim().to_owned();
        let wish = Wish {
            finding: self.finding.clone(),
            state: STATES[self.state],
            owner: text(&self.owner),
            reason: text(&self.reason),
            until: text(&self.until),
        };
        let lacks = [&wish.owner, &wish.reason, &wish.until]
            .into_iter()
            .any(String::is_empty);
        if wish.state == State::Accepted && lacks {
            self.fault = Some("accepting needs an owner, a reason and an end");
            return Outcome::Open;
        }
        Outcome::Write(wish)
    }

    /// Draws it at the lower end of `area`.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let title = format!("TRIAGE {}", shown(&self.finding));
        let inside = form::boxed(frame, area, 10, &title, look);
        let field = |place: Place, name: &str, text: &str, more: &str| {
            form::field(
                (format!("{name:<8}"), text, more),
                self.place == place,
                look,
            )
        };
        let button = |place: Place, name: &str| form::button(name, self.place == place, look);
        let fault = self.fault.unwrap_or_default();
        let lines = vec![
            Line::raw(look.mask.text(&shown(&self.title))),
            field(
                Place::State,
                "state",
                STATES[self.state].word(),
                "Left and Right change it",
            ),
            field(
                Place::Owner,
                "owner",
                self.owner.value(),
                "who answers for it",
            ),
            field(Place::Reason, "reason", self.reason.value(), ""),
            field(
                Place::Until,
                "until",
                self.until.value(),
                "2027-01-31, for acceptances",
            ),
            Line::styled(fault, look.theme.style(Tone::Alarm)),
            Line::from(vec![
                Span::raw("        "),
                button(Place::Cancel, "Cancel"),
                Span::raw("    "),
                button(Place::Write, "Write note"),
            ]),
        ];
        let lines = lines.into_iter().map(|line| pane::cut(line, inside.width));
        frame.render_widget(Text::from(lines.collect::<Vec<_>>()), inside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::keys::{self, Scope};

    fn press(dialog: &mut Dialog, keys: &[Key]) -> Outcome {
        let mut outcome = Outcome::Open;
        for key in keys {
            assert_eq!(outcome, Outcome::Open);
            outcome = dialog.take(*key, keys::action(&[Scope::Dialog], *key));
        }
        outcome
    }

    fn typed(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    fn dialog() -> Dialog {
        Dialog::new("F-12345678".to_owned(), "It differs".to_owned(), "ops")
    }

    #[test]
    fn it_opens_on_cancel_and_no_letter_confirms() {
        assert_eq!(press(&mut dialog(), &[Key::Enter]), Outcome::Cancelled);
        let mut open = dialog();
        assert_eq!(press(&mut open, &typed("ttTyYwW ")), Outcome::Open);
        assert_eq!(press(&mut open, &[Key::Enter]), Outcome::Cancelled);
    }

    #[test]
    fn an_acceptance_is_complete_or_not_written() {
        let mut open = dialog();
        // From Cancel over Write to the state.
        let to_state = [Key::Tab, Key::Tab];
        assert_eq!(press(&mut open, &to_state), Outcome::Open);
        assert_eq!(
            press(&mut open, &[Key::Right, Key::BackTab, Key::Enter]),
            Outcome::Open
        );
        assert_eq!(
            open.fault,
            Some("accepting needs an owner, a reason and an end")
        );
        assert_eq!(
            press(&mut open, &[Key::Tab, Key::Enter, Key::Enter]),
            Outcome::Open
        );
        assert_eq!(press(&mut open, &typed("agreed")), Outcome::Open);
        assert_eq!(press(&mut open, &[Key::Down]), Outcome::Open);
        assert_eq!(press(&mut open, &typed("2027-01-31")), Outcome::Open);
        let wish = Wish {
            finding: "F-12345678".to_owned(),
            state: State::Accepted,
            owner: "ops".to_owned(),
            reason: "agreed".to_owned(),
            until: "2027-01-31".to_owned(),
        };
        assert_eq!(
            press(&mut open, &[Key::Tab, Key::Tab, Key::Enter]),
            Outcome::Write(wish)
        );
    }
}
