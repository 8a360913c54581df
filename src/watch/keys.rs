//! The one table of keys: dispatch, footer and help all come from it.
//!
//! A binding belongs to a scope. A key is looked for in the scopes of what is on top, innermost first: an overlay's, or
//! the screen's, the list's and last those that hold everywhere. No binding destroys anything; what decides is a capital.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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
    /// Screen 5.
    Feed,
    /// Screen 6.
    Tap,
    /// The drill-down to one session or charger.
    Trace,
    /// Model by action.
    Coverage,
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

const fn bind(
    scope: Scope,
    key: Key,
    action: Action,
    word: &'static str,
    rank: u8,
    help: &'static str,
) -> Binding {
    Binding {
        scope,
        key,
        action,
        word,
        help,
        rank,
    }
}

use Action as A;
use Key as K;
use Scope as S;

/// Every binding there is. Within a scope the order is that of the help.
pub const TABLE: &[Binding] = &[
    bind(
        S::Board,
        K::Enter,
        A::Open,
        "gate",
        9,
        "Opens the gate of the selected group.",
    ),
    bind(
        S::Board,
        K::Char('d'),
        A::ToDiffs,
        "diffs",
        8,
        "Shows the divergences of the selected group.",
    ),
    bind(
        S::Board,
        K::Char('s'),
        A::ToSessions,
        "sessions",
        8,
        "Shows the sessions of the selected group.",
    ),
    bind(
        S::Diffs,
        K::Enter,
        A::Open,
        "trace",
        9,
        "Opens the messages around the exemplar.",
    ),
    bind(
        S::Diffs,
        K::Char('t'),
        A::Triage,
        "triage",
        7,
        "Says what is to become of the finding.",
    ),
    bind(
        S::Diffs,
        K::Char('b'),
        A::Bundle,
        "bundle",
        4,
        "Writes a bundle that reproduces the finding.",
    ),
    bind(
        S::Diffs,
        K::Char('n'),
        A::NextDivergence,
        "next",
        6,
        "Goes to the next exemplar of the finding.",
    ),
    bind(
        S::Diffs,
        K::Char('N'),
        A::PreviousDivergence,
        "previous",
        0,
        "Goes to the exemplar before.",
    ),
    bind(
        S::Diffs,
        K::Char('u'),
        A::Unfold,
        "unfold",
        3,
        "Shows the equal parts too, or folds them.",
    ),
    bind(
        S::Diffs,
        K::Char('r'),
        A::Raw,
        "raw",
        2,
        "Shows the texts as they were seen.",
    ),
    bind(
        S::Diffs,
        K::Char('v'),
        A::ShowGone,
        "gone",
        3,
        "Lists findings that are gone or accepted too, or hides them.",
    ),
    bind(
        S::Diffs,
        K::Char('o'),
        A::OnlyDivergent,
        "open only",
        2,
        "Lists only findings that nobody has decided about, or all.",
    ),
    bind(
        S::Diffs,
        K::Char('m'),
        A::Mark,
        "mark",
        0,
        "Marks an exemplar, to compare it with another.",
    ),
    bind(
        S::Sessions,
        K::Enter,
        A::Open,
        "trace",
        9,
        "Opens the messages of the session.",
    ),
    bind(
        S::Sessions,
        K::Char('o'),
        A::OnlyDivergent,
        "only divergent",
        7,
        "Lists only sessions that differ, or all.",
    ),
    bind(
        S::Sessions,
        K::Char('c'),
        A::Columns,
        "columns",
        4,
        "Shows energy, money or times.",
    ),
    bind(
        S::Sessions,
        K::Char('e'),
        A::Export,
        "export",
        5,
        "Writes the listed sessions to a CSV file.",
    ),
    bind(
        S::Sessions,
        K::Char('n'),
        A::NextDivergence,
        "next",
        3,
        "Goes to the next session that differs.",
    ),
    bind(
        S::Sessions,
        K::Char('N'),
        A::PreviousDivergence,
        "previous",
        0,
        "Goes to the one before that differs.",
    ),
    bind(
        S::Gate,
        K::Enter,
        A::Open,
        "evidence",
        9,
        "Shows what is behind the number.",
    ),
    bind(
        S::Gate,
        K::Char('v'),
        A::ToCoverage,
        "coverage",
        7,
        "Shows what was exercised, by model and action.",
    ),
    bind(
        S::Gate,
        K::Char('D'),
        A::Decide,
        "decide",
        6,
        "Decides about the group.",
    ),
    bind(
        S::Gate,
        K::Char('x'),
        A::Exception,
        "exception",
        5,
        "Grants an exception from a criterion.",
    ),
    bind(
        S::Gate,
        K::Char('c'),
        A::Columns,
        "comms text",
        3,
        "Copies three sentences for those who wait for news.",
    ),
    bind(
        S::Gate,
        K::Char('e'),
        A::Export,
        "export",
        2,
        "Writes the gate's result to a file.",
    ),
    bind(
        S::Feed,
        K::Enter,
        A::Open,
        "trace",
        9,
        "Opens the messages around the line.",
    ),
    bind(
        S::Feed,
        K::Char('o'),
        A::OnlyDivergent,
        "only divergent",
        7,
        "Lists only what diverges, or all.",
    ),
    bind(
        S::Feed,
        K::Char('i'),
        A::Follow,
        "follow",
        6,
        "Follows the newest line, or stays where it is.",
    ),
    bind(
        S::Feed,
        K::Char('n'),
        A::NextDivergence,
        "next",
        5,
        "Goes to the next line that diverges.",
    ),
    bind(
        S::Feed,
        K::Char('N'),
        A::PreviousDivergence,
        "previous",
        0,
        "Goes to the one before that diverges.",
    ),
    bind(
        S::Tap,
        K::Enter,
        A::Open,
        "charger",
        9,
        "Opens the messages of the selected charger.",
    ),
    bind(
        S::Trace,
        K::Enter,
        A::Open,
        "unfold",
        7,
        "Unfolds the selected run of messages, or folds it.",
    ),
    bind(
        S::Trace,
        K::Char('n'),
        A::NextDivergence,
        "next divergence",
        8,
        "Goes to the next message that diverges.",
    ),
    bind(
        S::Trace,
        K::Char('N'),
        A::PreviousDivergence,
        "previous",
        0,
        "Goes to the one before that diverges.",
    ),
    bind(
        S::Trace,
        K::Char('m'),
        A::Mark,
        "mark",
        3,
        "Marks a message, to compare it with another.",
    ),
    bind(
        S::Trace,
        K::Char('r'),
        A::Raw,
        "raw",
        5,
        "Shows the texts as they were seen.",
    ),
    bind(
        S::Trace,
        K::Char('u'),
        A::Unfold,
        "unfold all",
        5,
        "Unfolds every run of equal messages, or folds them.",
    ),
    bind(
        S::Trace,
        K::Char('e'),
        A::Export,
        "export ladder",
        5,
        "Writes the ladder to a text file.",
    ),
    bind(
        S::Trace,
        K::Char('b'),
        A::Bundle,
        "bundle",
        4,
        "Writes a bundle that reproduces the divergence.",
    ),
    bind(
        S::Coverage,
        K::Enter,
        A::Open,
        "diffs",
        9,
        "Shows what differs in the selected cell.",
    ),
    bind(
        S::Coverage,
        K::Char('e'),
        A::Export,
        "export",
        5,
        "Writes the matrix to a CSV file.",
    ),
    bind(S::List, K::Up, A::Up, "up", 0, "Goes one row up."),
    bind(S::List, K::Char('k'), A::Up, "up", 0, "Goes one row up."),
    bind(S::List, K::Down, A::Down, "down", 0, "Goes one row down."),
    bind(
        S::List,
        K::Char('j'),
        A::Down,
        "down",
        0,
        "Goes one row down.",
    ),
    bind(
        S::List,
        K::Left,
        A::Left,
        "left",
        0,
        "Selects the cell to the left.",
    ),
    bind(
        S::List,
        K::Char('h'),
        A::Left,
        "left",
        0,
        "Selects the cell to the left.",
    ),
    bind(
        S::List,
        K::Right,
        A::Right,
        "right",
        0,
        "Selects the cell to the right.",
    ),
    bind(
        S::List,
        K::Char('l'),
        A::Right,
        "right",
        0,
        "Selects the cell to the right.",
    ),
    bind(
        S::List,
        K::PageUp,
        A::PageUp,
        "page up",
        0,
        "Goes a page up.",
    ),
    bind(
        S::List,
        K::PageDown,
        A::PageDown,
        "page down",
        0,
        "Goes a page down.",
    ),
    bind(
        S::List,
        K::Home,
        A::First,
        "first",
        0,
        "Goes to the first row.",
    ),
    bind(
        S::List,
        K::Char('g'),
        A::First,
        "first",
        0,
        "Goes to the first row.",
    ),
    bind(S::List, K::End, A::Last, "last", 0, "Goes to the last row."),
    bind(
        S::List,
        K::Char('G'),
        A::Last,
        "last",
        0,
        "Goes to the last row.",
    ),
    bind(
        S::List,
        K::Char('/'),
        A::Filter,
        "filter",
        7,
        "Writes a filter; Enter keeps it, Esc drops it.",
    ),
    bind(
        S::List,
        K::Char('F'),
        A::FilterByCell,
        "filter by cell",
        0,
        "Filters by the selected cell.",
    ),
    bind(
        S::List,
        K::Char('f'),
        A::SavedFilters,
        "saved filters",
        3,
        "Chooses a saved filter.",
    ),
    bind(
        S::Everywhere,
        K::Char('?'),
        A::Help,
        "help",
        8,
        "Shows the keys, the filter language and the glossary.",
    ),
    bind(
        S::Everywhere,
        K::Char('1'),
        A::Screen(1),
        "Board",
        0,
        "Which group needs me, and how is the night going.",
    ),
    bind(
        S::Everywhere,
        K::Char('2'),
        A::Screen(2),
        "Diffs",
        0,
        "What differs, how often, whose is it.",
    ),
    bind(
        S::Everywhere,
        K::Char('3'),
        A::Screen(3),
        "Sessions",
        0,
        "Do sessions and CDRs agree with the wire.",
    ),
    bind(
        S::Everywhere,
        K::Char('4'),
        A::Screen(4),
        "Gate",
        0,
        "May this group go; if not, why; how is it undone.",
    ),
    bind(
        S::Everywhere,
        K::Char('5'),
        A::Screen(5),
        "Feed",
        0,
        "What is happening right now.",
    ),
    bind(
        S::Everywhere,
        K::Char('6'),
        A::Screen(6),
        "Tap",
        0,
        "Is the instrument itself healthy.",
    ),
    bind(
        S::Everywhere,
        K::Esc,
        A::Back,
        "back",
        0,
        "Goes back: closes what is open, clears the filter, leaves a drill-down.",
    ),
    bind(
        S::Everywhere,
        K::Tab,
        A::Focus,
        "focus",
        0,
        "Goes to the other pane.",
    ),
    bind(
        S::Everywhere,
        K::Char(' '),
        A::Freeze,
        "freeze",
        6,
        "Holds the screen still, or lets it go on; alarms are shown all the same.",
    ),
    bind(
        S::Everywhere,
        K::Char('z'),
        A::Expand,
        "expand",
        2,
        "Gives the whole screen to one pane, or shows all again.",
    ),
    bind(
        S::Everywhere,
        K::Char('y'),
        A::Copy,
        "copy",
        2,
        "Copies what is selected as Markdown, also over SSH (OSC 52); what is too long goes to a file.",
    ),
    bind(
        S::Everywhere,
        K::Char('w'),
        A::Evidence,
        "snapshot",
        4,
        "Keeps the screen as evidence: text, JSON and SHA-256.",
    ),
    bind(
        S::Everywhere,
        K::Char(':'),
        A::Command,
        "command",
        5,
        "Writes a command; Tab completes it.",
    ),
    bind(
        S::Everywhere,
        K::Char('P'),
        A::Privacy,
        "privacy",
        0,
        "Masks identifiers, or shows them.",
    ),
    bind(
        S::Everywhere,
        K::Char('M'),
        A::Mouse,
        "mouse",
        0,
        "Lets the wheel scroll; the terminal's own selection then needs Shift.",
    ),
    bind(
        S::Everywhere,
        K::Char('L'),
        A::LowBandwidth,
        "low bandwidth",
        0,
        "Draws once a second at most, or four times.",
    ),
    bind(
        S::Everywhere,
        K::Char('T'),
        A::Tour,
        "tour",
        0,
        "Starts a tour of six steps.",
    ),
    bind(
        S::Everywhere,
        K::Char('['),
        A::StepBack,
        "back in time",
        0,
        "Shows a finished recording as it was a step earlier; Esc returns to its end.",
    ),
    bind(
        S::Everywhere,
        K::Char(']'),
        A::StepForward,
        "on in time",
        0,
        "Shows a rewound recording as it was a step later.",
    ),
    bind(
        S::Everywhere,
        K::Char('{'),
        A::LeapBack,
        "far back",
        0,
        "Goes back by a tenth of the recording.",
    ),
    bind(
        S::Everywhere,
        K::Char('}'),
        A::LeapForward,
        "far on",
        0,
        "Goes on by a tenth of the recording.",
    ),
    bind(
        S::Everywhere,
        K::Char('.'),
        A::Play,
        "play",
        0,
        "Lets a rewound night pass, or holds it.",
    ),
    bind(
        S::Everywhere,
        K::Char('!'),
        A::NextAlarm,
        "next alarm",
        0,
        "Goes to the instant of the next alarm; from the end, to the first.",
    ),
    bind(
        S::Everywhere,
        K::Char('q'),
        A::Leave,
        "leave",
        9,
        "Leaves; the tap keeps running.",
    ),
    bind(
        S::Everywhere,
        K::Ctrl('c'),
        A::Leave,
        "leave",
        0,
        "Leaves; the tap keeps running.",
    ),
    bind(
        S::Everywhere,
        K::Char('Q'),
        A::LeavePrinting,
        "leave and print",
        0,
        "Leaves; the last screen stays in the terminal.",
    ),
    bind(
        S::Prompt,
        K::Enter,
        A::Accept,
        "keep",
        9,
        "Keeps what is written.",
    ),
    bind(
        S::Prompt,
        K::Esc,
        A::Back,
        "drop",
        9,
        "Drops what is written.",
    ),
    bind(
        S::Prompt,
        K::Tab,
        A::Complete,
        "complete",
        8,
        "Completes the word.",
    ),
    bind(
        S::Prompt,
        K::Ctrl('c'),
        A::Leave,
        "leave",
        0,
        "Leaves; the tap keeps running.",
    ),
    bind(
        S::Help,
        K::Tab,
        A::NextPage,
        "next page",
        9,
        "Goes to the next page: keys, filter language, glossary.",
    ),
    bind(
        S::Help,
        K::Esc,
        A::Back,
        "close",
        9,
        "Closes the help; typing searches in it.",
    ),
    bind(S::Help, K::Up, A::Up, "up", 5, "Scrolls up."),
    bind(S::Help, K::Down, A::Down, "down", 5, "Scrolls down."),
    bind(
        S::Help,
        K::PageUp,
        A::PageUp,
        "page up",
        0,
        "Scrolls a page up.",
    ),
    bind(
        S::Help,
        K::PageDown,
        A::PageDown,
        "page down",
        0,
        "Scrolls a page down.",
    ),
    bind(
        S::Help,
        K::Ctrl('c'),
        A::Leave,
        "leave",
        0,
        "Leaves; the tap keeps running.",
    ),
    bind(
        S::Menu,
        K::Enter,
        A::Accept,
        "choose",
        9,
        "Takes the chosen row.",
    ),
    bind(S::Menu, K::Esc, A::Back, "close", 9, "Closes the menu."),
    bind(S::Menu, K::Up, A::Up, "up", 5, "Goes one row up."),
    bind(S::Menu, K::Down, A::Down, "down", 5, "Goes one row down."),
    bind(S::Menu, K::Char('k'), A::Up, "up", 0, "Goes one row up."),
    bind(
        S::Menu,
        K::Char('j'),
        A::Down,
        "down",
        0,
        "Goes one row down.",
    ),
    bind(
        S::Menu,
        K::Ctrl('c'),
        A::Leave,
        "leave",
        0,
        "Leaves; the tap keeps running.",
    ),
    bind(
        S::Dialog,
        K::Enter,
        A::Accept,
        "choose",
        9,
        "Takes the chosen button, or goes to the next field.",
    ),
    bind(
        S::Dialog,
        K::Esc,
        A::Back,
        "cancel",
        9,
        "Closes the dialog; nothing is written.",
    ),
    bind(
        S::Dialog,
        K::Tab,
        A::NextField,
        "next",
        8,
        "Goes to the next field or button.",
    ),
    bind(
        S::Dialog,
        K::BackTab,
        A::PreviousField,
        "previous",
        0,
        "Goes to the field or button before.",
    ),
    bind(
        S::Dialog,
        K::Down,
        A::NextField,
        "next",
        0,
        "Goes to the next field or button.",
    ),
    bind(
        S::Dialog,
        K::Up,
        A::PreviousField,
        "previous",
        0,
        "Goes to the field or button before.",
    ),
    bind(
        S::Dialog,
        K::Ctrl('c'),
        A::Leave,
        "leave",
        0,
        "Leaves; the tap keeps running.",
    ),
    bind(
        S::Tour,
        K::Enter,
        A::NextPage,
        "next step",
        9,
        "Goes on with the tour.",
    ),
    bind(
        S::Tour,
        K::Esc,
        A::Back,
        "end the tour",
        9,
        "Ends the tour.",
    ),
    bind(
        S::Tour,
        K::Ctrl('c'),
        A::Leave,
        "leave",
        0,
        "Leaves; the tap keeps running.",
    ),
];

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
            Self::Feed => "Feed",
            Self::Tap => "Tap",
            Self::Trace => "Trace",
            Self::Coverage => "Coverage",
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
