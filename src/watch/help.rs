//! The help: keys, filter language, glossary. Its keys are those of the key table; typing searches in it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Clear;
use tui_input::Input;

use super::app::App;
use super::keys::{Action, Binding, Key, Scope, TABLE};
use super::pane;
use super::screen::Look;
use super::theme::Tone;

/// Where somebody is in the help.
#[derive(Debug, Default)]
pub struct Help {
    page: usize,
    scroll: u16,
    search: Input,
}

/// The pages.
pub const PAGES: [&str; 3] = ["Keys", "Filter language", "Glossary and marks"];

/// Words that the screens use, with what they mean.
const GLOSSARY: &[(&str, &str)] = &[
    ("=", "equal: both backends said the same"),
    (
        "~",
        "explained: they differ, and a named rule says that it does not matter",
    ),
    ("x", "divergent: they differ, and no rule explains it"),
    (
        "n",
        "not comparable: one side is missing or cannot be compared; the reason stands beside it",
    ),
    (
        "s",
        "synthetic: the tap answered in the charger's place; the charger heard nothing",
    ),
    (".", "pending: not judged yet, or records are still due"),
    ("GO", "every blocking criterion of the gate is met"),
    ("GO+n", "met, with n exceptions that somebody answers for"),
    ("HOLD", "evidence is missing, thin, stale or not comparable"),
    ("NO-GO", "a blocking criterion has failed"),
    ("ROLL BACK", "a group that was switched should go back"),
    (
        "STALE",
        "no fresh data: what is shown is what was known last",
    ),
    (
        "authority",
        "the backend whose answers and commands the charger hears",
    ),
    ("shadow", "the other backend; it cannot reach the charger"),
    ("finding", "all divergences with the same signature"),
    (
        "wire",
        "what the charger itself reported; the referee of sessions",
    ),
    (
        "fenced",
        "a command of the shadow's that the stand-in answered, and the charger never heard",
    ),
    (
        "gap",
        "frames that were seen and not recorded; what touches one is not comparable, never equal",
    ),
    (
        "S0 to S4",
        "containment, blocks charging, billing, operations, cosmetic",
    ),
];

/// Columns of what is explained.
const NAMES: u16 = 23;

/// The language around the fields.
const LANGUAGE: &[(&str, &str)] = &[
    (
        "field:value",
        "rows that have the value; * and ? are wildcards, commas separate several of which one is enough",
    ),
    (
        "field!=value",
        "rows that have another; numbers, times and severities also take > >= < <=; ~ looks for a part",
    ),
    (
        "a b",
        "both must hold; a or b: one; not a, !a: the reverse; parentheses group",
    ),
    ("word", "a bare word is looked for in every field of text"),
    (
        "since:2h",
        "counted from the recording's last fact, never from the clock on the wall",
    ),
    ("F", "writes a term from the selected cell; Tab completes"),
];

impl Help {
    /// Takes a key: moves, turns the page, or searches.
    pub fn take(&mut self, key: Key, action: Option<Action>) {
        match action {
            Some(Action::NextPage) => {
                self.page = (self.page + 1) % PAGES.len();
                self.scroll = 0;
            }
            Some(Action::Up) => self.scroll = self.scroll.saturating_sub(1),
            Some(Action::Down) => self.scroll = self.scroll.saturating_add(1).min(500),
            Some(Action::PageUp) => self.scroll = self.scroll.saturating_sub(10),
            Some(Action::PageDown) => self.scroll = self.scroll.saturating_add(10).min(500),
            _ => {
                if let Some(request) = super::app::edit(key) {
                    self.search.handle(request);
                    self.scroll = 0;
                }
            }
        }
    }

    /// The lines of the open page that show what is searched for.
    pub fn lines(&self, app: &App) -> Vec<(String, String)> {
        let wanted = self.search.value().trim().to_lowercase();
        let mut lines = match self.page {
            0 => keys(app),
            1 => language(app),
            _ => pairs(GLOSSARY),
        };
        if !wanted.is_empty() {
            lines.retain(|(name, says)| format!("{name} {says}").to_lowercase().contains(&wanted));
        }
        lines
    }

    /// Draws it over the screen.
    pub fn draw(&self, app: &App, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        frame.render_widget(Clear, area);
        let title = format!(
            "HELP {} ({} of {}, Tab turns)",
            PAGES[self.page],
            self.page + 1,
            PAGES.len()
        );
        let search = format!("search: {}", self.search.value());
        let inside = pane::boxed(frame, area, (&title, &search), true, look);
        let lines = self.lines(app);
        let top = usize::from(self.scroll).min(lines.len().saturating_sub(1));
        let text: Vec<Line<'_>> = lines
            .into_iter()
            .skip(top)
            .flat_map(|(name, says)| {
                let room = inside.width.saturating_sub(NAMES);
                let broken = pane::broken(&says, room, look.theme.style(Tone::Plain));
                let heads = std::iter::once(name).chain(std::iter::repeat(String::new()));
                broken.into_iter().zip(heads).map(|(mut line, head)| {
                    let head = format!("{head:<width$}", width = usize::from(NAMES));
                    line.spans
                        .insert(0, Span::styled(head, look.theme.style(Tone::Key)));
                    line
                })
            })
            .collect();
        if text.is_empty() {
            pane::prose(
                frame,
                inside,
                "Nothing in this page matches; Backspace shortens the search, Tab turns the page.",
            );
        } else {
            frame.render_widget(Text::from(text), inside);
        }
    }
}

/// The fields of the open screen, then the language.
fn language(app: &App) -> Vec<(String, String)> {
    let fields = app.screen().fields().iter();
    let mut lines: Vec<(String, String)> = fields
        .map(|field| {
            (
                field.name.to_owned(),
                format!("{} ({})", field.help, field.example),
            )
        })
        .collect();
    lines.extend(pairs(LANGUAGE));
    lines
}

fn pairs(table: &[(&str, &str)]) -> Vec<(String, String)> {
    table
        .iter()
        .map(|(name, says)| ((*name).to_owned(), (*says).to_owned()))
        .collect()
}

/// Every binding there is: those of the open screen first, with why one cannot be had now.
fn keys(app: &App) -> Vec<(String, String)> {
    let here = app.screen().scopes();
    let order = here.iter().copied().chain([
        Scope::Everywhere,
        Scope::Board,
        Scope::Diffs,
        Scope::Sessions,
        Scope::Gate,
        Scope::News,
        Scope::Feed,
        Scope::Tap,
        Scope::Trace,
        Scope::Coverage,
        Scope::Compare,
        Scope::List,
        Scope::Prompt,
        Scope::Menu,
        Scope::Help,
        Scope::Tour,
        Scope::Dialog,
    ]);
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut told: Vec<Scope> = Vec::new();
    for scope in order {
        if told.contains(&scope) {
            continue;
        }
        told.push(scope);
        for binding in TABLE.iter().filter(|binding| binding.scope == scope) {
            lines.push((
                format!("{:<10} {}", scope.title(), binding.key.word()),
                sentence(app, here, binding),
            ));
        }
    }
    lines.extend(
        super::app::commands().map(|(word, says)| (format!("command    :{word}"), says.to_owned())),
    );
    lines
}

fn sentence(app: &App, here: &[Scope], binding: &Binding) -> String {
    let why = here
        .contains(&binding.scope)
        .then(|| app.screen().unavailable(binding.action))
        .flatten();
    why.map_or_else(
        || binding.help.to_owned(),
        |why| format!("{} Not now: {why}", binding.help),
    )
}
