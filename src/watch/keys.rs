//! The one table of keys: dispatch, footer and help all come from it.
//!
//! A binding belongs to a scope. A key is looked for in the scopes of what is on top, innermost first: an overlay's, or
//! the screen's, the list's and last those that hold everywhere. No binding destroys anything; what decides is a capital.

mod table;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub use table::TABLE;

/// A key as this program knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character, capitals included.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Esc.
    Esc,
    /// Tab.
    Tab,
    /// Shift-Tab.
    BackTab,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The beginning.
    Home,
    /// The end.
    End,
    /// Backspace: edits text, nothing else.
    Backspace,
    /// Delete: edits text, nothing else.
    Delete,
}

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// Where there is a list to move in.
    List,
    /// Screen 1.
    Board,
    /// Screen 2.
    Diffs,
    /// Screen 3.
    Sessions,
    /// Screen 4.
    Gate,
    /// What to tell those who wait for news.
    News,
    /// Screen 5.
    Feed,
    /// Screen 6.
    Tap,
    /// The drill-down to one session or charger.
    Trace,
    /// Model by action.
    Coverage,
    /// Two messages beside each other.
    Compare,
    /// A line of text is being written.
    Prompt,
    /// The help is open.
    Help,
    /// A menu is open.
    Menu,
    /// The tour is going on.
    Tour,
    /// Something is being filled in that will be written.
    Dialog,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// To the screen with this number.
    Screen(u8),
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One column to the left.
    Left,
    /// One column to the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The first row.
    First,
    /// The last row.
    Last,
    /// Deeper.
    Open,
    /// Back.
    Back,
    /// The other pane.
    Focus,
    /// Write a filter.
    Filter,
    /// Choose a saved filter.
    SavedFilters,
    /// Filter by the selected cell.
    FilterByCell,
    /// Write a command.
    Command,
    /// Show the help.
    Help,
    /// Hold the screen still, or go on.
    Freeze,
    /// One pane on the whole screen, or all again.
    Expand,
    /// Copy what is selected as Markdown.
    Copy,
    /// Keep the screen as evidence.
    Evidence,
    /// Mask identifiers, or show them.
    Privacy,
    /// Let the mouse be used, or leave it to the terminal.
    Mouse,
    /// Draw rarely, or as usual.
    LowBandwidth,
    /// Leave.
    Leave,
    /// Leave, the last screen stays.
    LeavePrinting,
    /// The next divergence.
    NextDivergence,
    /// The one before.
    PreviousDivergence,
    /// The group's Diffs.
    ToDiffs,
    /// The group's Sessions.
    ToSessions,
    /// The coverage.
    ToCoverage,
    /// What people say about a finding.
    Triage,
    /// A bundle that reproduces it.
    Bundle,
    /// The texts as they were seen.
    Raw,
    /// Show what is folded, or fold it.
    Unfold,
    /// Write it to a file.
    Export,
    /// Mark for comparison.
    Mark,
    /// Only what diverges, or all.
    OnlyDivergent,
    /// What is gone or accepted, too.
    ShowGone,
    /// Choose columns, or the text for those who wait.
    Columns,
    /// Decide about a group.
    Decide,
    /// Grant an exception.
    Exception,
    /// Follow the newest, or stay.
    Follow,
    /// The tour.
    Tour,
    /// Put down what was written, or the chosen row.
    Accept,
    /// Complete what is being written.
    Complete,
    /// The next page of the help or the next step.
    NextPage,
    /// A step back into the night.
    StepBack,
    /// A step towards its end.
    StepForward,
    /// A large step back.
    LeapBack,
    /// A large step towards its end.
    LeapForward,
    /// Let the night pass, or hold it.
    Play,
    /// To the instant of the next alarm.
    NextAlarm,
    /// The field or button before.
    PreviousField,
    /// The next field or button.
    NextField,
}

/// One binding.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where it holds.
    pub scope: Scope,
    /// The key.
    pub key: Key,
    /// What it does.
    pub action: Action,
    /// The word in the footer.
    pub word: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
    /// How long it stays in a footer that grows narrow: 9 longest; 0 is never there.
    pub rank: u8,
}

/// What a key does under these scopes, innermost first.
pub fn action(scopes: &[Scope], key: Key) -> Option<Action> {
    scopes.iter().find_map(|scope| {
        let bound = |binding: &&Binding| binding.scope == *scope && binding.key == key;
        TABLE.iter().find(bound).map(|binding| binding.action)
    })
}

/// The bindings of these scopes that stand in a footer, in its order; one key only once.
pub fn footer(scopes: &[Scope]) -> Vec<&'static Binding> {
    let mut found: Vec<&'static Binding> = Vec::new();
    for scope in scopes {
        for binding in TABLE
            .iter()
            .filter(|binding| binding.scope == *scope && binding.rank > 0)
        {
            if found.iter().all(|known| known.key != binding.key) {
                found.push(binding);
            }
        }
    }
    found
}

impl Scope {
    /// What the help calls it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::List => "In lists",
            Self::Board => "Board",
            Self::Diffs => "Diffs",
            Self::Sessions => "Sessions",
            Self::Gate => "Gate",
            Self::News => "Comms",
            Self::Feed => "Feed",
            Self::Tap => "Tap",
            Self::Trace => "Trace",
            Self::Coverage => "Coverage",
            Self::Compare => "Compare",
            Self::Prompt => "While writing",
            Self::Help => "In this help",
            Self::Menu => "In menus",
            Self::Tour => "In the tour",
            Self::Dialog => "In dialogs",
        }
    }
}

impl Key {
    /// The key of a terminal's event, if this program knows it.
    pub fn of(event: KeyEvent) -> Option<Self> {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        if event.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        Some(match event.code {
            KeyCode::Char(c) if ctrl => Self::Ctrl(c.to_ascii_lowercase()),
            KeyCode::Char(c) => Self::Char(c),
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Esc,
            KeyCode::Tab => Self::Tab,
            KeyCode::BackTab => Self::BackTab,
            KeyCode::Up => Self::Up,
            KeyCode::Down => Self::Down,
            KeyCode::Left => Self::Left,
            KeyCode::Right => Self::Right,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            KeyCode::Backspace => Self::Backspace,
            KeyCode::Delete => Self::Delete,
            _ => return None,
        })
    }

    /// The key as a word; never a glyph that a font may lack.
    pub fn word(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
            Self::BackTab => "Shift-Tab".to_owned(),
            Self::PageUp => "PgUp".to_owned(),
            Self::PageDown => "PgDn".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_key_is_bound_twice_in_a_scope() {
        let mut seen = BTreeSet::new();
        for binding in TABLE {
            let key = (binding.scope.title(), binding.key.word());
            assert!(seen.insert(key.clone()), "{key:?}");
        }
    }

    #[test]
    fn nothing_but_leaving_sits_on_a_chord_and_nothing_on_delete() {
        for binding in TABLE {
            match binding.key {
                Key::Ctrl(_) => assert_eq!(binding.action, Action::Leave),
                Key::Backspace | Key::Delete => panic!("{binding:?}"),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_bound_is_explained_in_a_sentence() {
        for binding in TABLE {
            assert!(binding.help.ends_with('.'), "{binding:?}");
            assert!(
                !binding.word.is_empty() && binding.word.is_ascii(),
                "{binding:?}"
            );
        }
    }

    #[test]
    fn the_inner_scope_comes_first() {
        assert_eq!(
            action(&[Scope::Help, Scope::Everywhere], Key::Tab),
            Some(Action::NextPage)
        );
        assert_eq!(
            action(&[Scope::Board, Scope::Everywhere], Key::Tab),
            Some(Action::Focus)
        );
        assert_eq!(action(&[Scope::Board], Key::Char('%')), None);
    }
}
