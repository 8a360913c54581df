//! Screen 5: what is happening right now, one line an exchange, command or event, the newest last.

mod read;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use serde_json::json;

use super::keys::{Action, Scope};
use super::pane;
use super::screen::{Look, Screen, Step};
use super::sieve::{Sieve, term};
use super::snapshot::{self, Answer, Known};
use super::table::{self, Cell, Column, Cursor, number, text, toned, wide};
use super::text::{millis, shown};
use super::theme::{Tone, mark_of, tone_of};
use super::trace::Trace;
use crate::clock::Micros;
use crate::ledger::filter::{self, Field};
use crate::ocpp::Severity;
pub use read::read;

/// Lines that are asked for at once.
const WINDOW: usize = 400;

/// Which lines to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The last fact that may be among them; none follows the newest.
    pub until: Option<u64>,
    /// How many at most.
    pub most: usize,
    /// Only what diverges.
    pub divergent: bool,
    /// What lines must show.
    pub sieve: Sieve,
}

/// Lines, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// The lines.
    pub lines: Vec<Event>,
    /// How far back was looked: fact and time; none if all was looked at.
    pub back_to: Option<(u64, Micros)>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The fact that began it.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger; empty for the whole tap.
    pub charger: String,
    /// The action, or what kind of event it is.
    pub what: String,
    /// Word of the outcome; empty for events.
    pub outcome: String,
    /// What came of it, in words.
    pub says: String,
    /// Worst severity, when divergent.
    pub severity: Option<Severity>,
    /// Answer times of authority and shadow, µs.
    pub answered_us: (Option<i64>, Option<i64>),
}

/// The columns.
const COLUMNS: &[Column] = &[
    text("", 1, 0, "outcome"),
    text("TIME", 8, 1, ""),
    text("CHARGER", 16, 0, "charger"),
    text("WHAT", 20, 0, "action"),
    wide("OUTCOME", 16, 0, "outcome"),
    number("AUTHORITY", 10, 4, ""),
    number("SHADOW", 10, 3, ""),
    number("SEQ", 9, 6, ""),
];

/// The screen.
#[derive(Debug)]
pub struct Feed {
    known: Known<Data>,
    cursor: Cursor,
    follow: bool,
    until: Option<u64>,
    divergent: bool,
    sieve: Sieve,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            known: Known::default(),
            cursor: Cursor::default(),
            follow: true,
            until: None,
            divergent: false,
            sieve: Sieve::default(),
        }
    }
}

impl Feed {
    fn lines(&self) -> &[Event] {
        self.known.ready().map_or(&[], |data| &data.lines)
    }

    fn selected(&self) -> Option<&Event> {
        self.lines().get(self.cursor.row as usize)
    }

    /// The selected line in full: a table has room for its beginning only.
    fn whole(event: &Event, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let [rule, text] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        let across = look.theme.rule().repeat(usize::from(rule.width));
        frame.render_widget(Line::styled(across, look.theme.style(Tone::Dim)), rule);
        let says = look.mask.text(&event.says);
        pane::prose(
            frame,
            text,
            format!(
                "{} {}: {} {says}",
                event.id,
                shown(&event.what),
                event.outcome
            ),
        );
    }

    /// Moving up leaves the newest; at the upper edge older lines are read.
    fn moved(&mut self, action: Action) {
        let last = self.lines().len().saturating_sub(1) as u64;
        match action {
            Action::Last => {
                self.follow = true;
                self.until = None;
            }
            Action::Down | Action::PageDown if self.cursor.row >= last && self.until.is_some() => {
                self.until = None;
            }
            Action::Up | Action::PageUp | Action::First => {
                self.follow = false;
                if self.cursor.row == 0
                    && self
                        .known
                        .ready()
                        .is_some_and(|data| data.lines.len() >= WINDOW / 2)
                {
                    self.until = self.lines().get(WINDOW / 4).map(|event| event.id);
                }
            }
            _ => {}
        }
    }

    fn next(&mut self, forward: bool) -> Step {
        let at = self.cursor.row as usize;
        let lines = self.lines();
        let diverges = |number: &usize| {
            lines
                .get(*number)
                .is_some_and(|event| event.outcome == "divergent")
        };
        let found = if forward {
            (at + 1..lines.len()).find(diverges)
        } else {
            (0..at).rev().find(diverges)
        };
        let Some(found) = found else {
            return Step::Say("no more divergences among the lines that were read".to_owned());
        };
        self.follow = false;
        self.cursor.row = found as u64;
        Step::Done
    }

    /// Keeps the selected line selected while others come in.
    fn take(&mut self, data: std::sync::Arc<Data>) {
        let selected = self.selected().map(|event| event.id);
        self.known = Known::Ready(data);
        let last = self.lines().len().saturating_sub(1) as u64;
        let same = selected.and_then(|id| self.lines().iter().position(|event| event.id >= id));
        self.cursor.row = if self.follow {
            last
        } else {
            same.map_or(last, |at| at as u64)
        };
    }
}

impl Screen for Feed {
    fn number(&self) -> u8 {
        5
    }

    fn title(&self) -> String {
        "Feed".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Feed, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Feed(Question {
            until: self.until,
            most: WINDOW,
            divergent: self.divergent,
            sieve: self.sieve.clone(),
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Feed(data)) => self.take(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let follows = if self.follow {
            "follow on"
        } else {
            "follow off, i follows"
        };
        let inside = pane::boxed(frame, area, ("FEED", follows), true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        if self.lines().is_empty() {
            let says = if self.sieve.text().is_empty() && !self.divergent {
                "Nothing has been judged yet. The first exchange of a charger appears here."
            } else {
                "Nothing matches. Esc clears the filter, o shows all."
            };
            pane::prose(frame, inside, says);
            return;
        }
        let detail = if inside.height > 12 { 3 } else { 0 };
        let [above, below] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(detail)]).areas(inside);
        let height = u64::from(above.height);
        let lines = self.lines();
        let first = self.cursor.row.saturating_sub(height);
        let end = (self.cursor.row + height).min(lines.len() as u64);
        let rows: Vec<Vec<Cell<'_>>> = lines[first as usize..end as usize]
            .iter()
            .map(|event| row(event, look))
            .collect();
        table::draw(
            frame,
            above,
            COLUMNS,
            (first, &rows),
            Some(self.cursor),
            look,
        );
        if let Some(event) = self.selected().filter(|_| detail > 0) {
            Self::whole(event, frame, below, look);
        }
    }

    fn act(&mut self, action: Action) -> Step {
        let rows = self.lines().len() as u64;
        if self.cursor.act(action, rows, COLUMNS.len()) {
            self.moved(action);
            return Step::Done;
        }
        match action {
            Action::Open => self
                .selected()
                .filter(|event| !event.charger.is_empty())
                .map_or_else(
                    || {
                        Step::Say(
                            "this line is about the whole tap: there is no trace of one charger"
                                .to_owned(),
                        )
                    },
                    |event| Step::Open(Box::new(Trace::around(&event.charger, event.id))),
                ),
            Action::OnlyDivergent => {
                self.divergent = !self.divergent;
                Step::Say(
                    if self.divergent {
                        "only divergent lines"
                    } else {
                        "all lines"
                    }
                    .to_owned(),
                )
            }
            Action::Follow => {
                self.follow = !self.follow;
                if self.follow {
                    self.until = None;
                    self.cursor.row = rows.saturating_sub(1);
                }
                Step::Done
            }
            Action::NextDivergence => self.next(true),
            Action::PreviousDivergence => self.next(false),
            _ => Step::Unused,
        }
    }

    fn fields(&self) -> &'static [Field] {
        &filter::EXCHANGES
    }

    fn filter(&self) -> &str {
        self.sieve.text()
    }

    fn set_filter(&mut self, sieve: Sieve) {
        self.sieve = sieve;
    }

    fn cell_filter(&self) -> Option<String> {
        let event = self.selected()?;
        Some(match self.cursor.column {
            0 | 4 if !event.outcome.is_empty() => term("outcome", &event.outcome.replace(' ', "-")),
            3 => term("action", &event.what),
            _ if event.charger.is_empty() => return None,
            _ => term("charger", &event.charger),
        })
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let event = self.selected()?;
        Some(format!(
            "`{}` {} **{}** {} {}: {}\n",
            event.id,
            look.zone.clock(event.at),
            look.mask.charger(&event.charger),
            event.what,
            event.outcome,
            look.mask.text(&event.says)
        ))
    }

    fn status(&self, look: &Look<'_>) -> String {
        let data = self.known.ready();
        let back = data
            .and_then(|data| data.back_to)
            .map_or_else(String::new, |(_, at)| {
                format!(", back to {}", look.zone.day(at))
            });
        let only = if self.divergent {
            "   only divergent"
        } else {
            ""
        };
        format!("{} lines{back}{only}", self.lines().len())
    }

    fn json(&self, look: &Look<'_>) -> serde_json::Value {
        let lines = self.lines().iter().map(|event| {
            json!({
                "fact": event.id, "at": event.at, "charger": look.mask.charger(&event.charger), "what": event.what,
                "outcome": event.outcome, "says": look.mask.text(&event.says),
            })
        });
        json!({"lines": lines.collect::<Vec<_>>(), "selected": self.selected().map(|event| event.id)})
    }
}

fn row<'a>(event: &'a Event, look: &Look<'_>) -> Vec<Cell<'a>> {
    let mark = if event.outcome.is_empty() {
        ' '
    } else {
        mark_of(&event.outcome)
    };
    let tone = if event.outcome.is_empty() {
        Tone::Dim
    } else {
        tone_of(mark)
    };
    let charger = if event.charger.is_empty() {
        "tap".to_owned()
    } else {
        look.mask.charger(&event.charger)
    };
    let severity = event
        .severity
        .map_or_else(String::new, |severity| format!("{} ", severity.code()));
    let says = match (event.outcome.as_str(), event.says.as_str()) {
        ("", says) => look.mask.text(says),
        (outcome, "") => format!("{severity}{outcome}"),
        (outcome, says) => format!("{severity}{outcome}: {}", look.mask.text(says)),
    };
    let time = |us: Option<i64>| us.map_or_else(|| "-".to_owned(), millis);
    vec![
        toned(mark.to_string(), tone),
        look.zone.clock(event.at).into(),
        charger.into(),
        shown(&event.what).into(),
        toned(says, tone),
        time(event.answered_us.0).into(),
        time(event.answered_us.1).into(),
        event.id.to_string().into(),
    ]
}
