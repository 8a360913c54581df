//! Screen 3: do sessions and CDRs agree with the wire. The sessions above; below, both backends' sums and the selected
//! session three ways.

mod draw;
mod export;

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::books::{Books, BooksError};
use super::keys::{Action, Scope};
use super::screen::{Look, Screen, Step};
use super::side_by_side::{self, Fold};
use super::sieve::{Sieve, term};
use super::snapshot::{self, Answer, Known};
use super::table::Cursor;
use super::trace::{self, Trace};
use crate::ledger::filter::{self, Field, Filter, Where};
use crate::ledger::sessions::{Page, Totals, View, page};
use crate::report::Comparison;

/// What the screen asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// What rows must show.
    pub sieve: Sieve,
    /// Only sessions that differ.
    pub divergent: bool,
    /// How many are left out before the first.
    pub offset: u64,
    /// How many are read.
    pub most: u64,
}

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// The sessions around the selected one, the newest first.
    pub page: Page,
    /// How many there are in all.
    pub all: u64,
    /// What the books of all that are listed come to.
    pub totals: Arc<Totals>,
}

/// Which numbers the columns tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sight {
    /// Energy.
    #[default]
    Energy,
    /// Money.
    Money,
    /// When sessions began and ended.
    Times,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Sessions {
    known: Known<Data>,
    sieve: Sieve,
    divergent: bool,
    cursor: Cursor,
    sight: Sight,
    fold: Fold,
    focus: usize,
    scroll: u16,
}

/// Reads what the screen shows.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let condition = condition(question, books)?;
    let window = (question.offset, question.most as usize);
    Ok(Data {
        page: page(ledger, &condition, window)?,
        all: page(ledger, &Where::default(), (0, 0))?.total,
        totals: books.shelf().totals(books, &condition)?,
    })
}

/// The filter as the database takes it.
fn condition(question: &Question, books: &Books) -> Result<Where, BooksError> {
    let now = books.last()?;
    let sieve = books.verdicts().meant(books, &question.sieve)?;
    let mut filter = sieve.filter().cloned().unwrap_or_default();
    if question.divergent
        && let Ok(divergent) = Filter::parse("outcome:divergent", &filter::SESSIONS)
    {
        filter = filter.and(divergent);
    }
    if filter.is_everything() {
        return Ok(Where::default());
    }
    Ok(filter.narrowing(now, filter::SESSION_COLUMNS))
}

impl Sessions {
    fn data(&self) -> Option<&Data> {
        self.known.ready()
    }

    /// The sessions that were read, and the place of the first among all that are listed.
    fn listed(&self) -> (&[View], u64) {
        self.data()
            .map_or((&[], 0), |data| (&data.page.sessions, data.page.offset))
    }

    fn total(&self) -> u64 {
        self.data().map_or(0, |data| data.page.total)
    }

    fn selected(&self) -> Option<&View> {
        let (listed, offset) = self.listed();
        listed.get(self.cursor.row.checked_sub(offset)? as usize)
    }

    fn scrolled(&mut self, action: Action) -> bool {
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1),
            Action::PageUp => self.scroll.saturating_sub(10),
            Action::PageDown => self.scroll.saturating_add(10),
            Action::First => 0,
            _ => return false,
        };
        true
    }

    fn next(&mut self, forward: bool) -> Step {
        let (listed, offset) = self.listed();
        let Some(at) = self.cursor.row.checked_sub(offset) else {
            return Step::Say("these sessions are still being read".to_owned());
        };
        let at = at as usize;
        let differs = |place: &usize| {
            listed
                .get(*place)
                .is_some_and(|session| session.verdict.outcome == "divergent")
        };
        let found = if forward {
            (at + 1..listed.len()).find(differs)
        } else {
            (0..at.min(listed.len())).rev().find(differs)
        };
        let Some(found) = found else {
            return Step::Say("no more sessions that differ nearby; o lists only those".to_owned());
        };
        self.cursor.row = offset + found as u64;
        self.scroll = 0;
        Step::Done
    }
}

impl Screen for Sessions {
    fn number(&self) -> u8 {
        3
    }

    fn title(&self) -> String {
        "Sessions".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Sessions, Scope::List]
    }

    fn question(&self, rows: u16) -> snapshot::Question {
        let (offset, most) = self.cursor.window(rows);
        snapshot::Question::Sessions(Question {
            sieve: self.sieve.clone(),
            divergent: self.divergent,
            offset,
            most,
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Sessions(data)) => {
                self.cursor.row = self.cursor.row.min(data.page.total.saturating_sub(1));
                self.known = Known::Ready(data);
            }
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        draw::draw(self, frame, area, look);
    }

    fn act(&mut self, action: Action) -> Step {
        if self.focus == 2 {
            if self.scrolled(action) {
                return Step::Done;
            }
        } else if self.cursor.act(action, self.total(), draw::COLUMNS.len()) {
            self.scroll = 0;
            return Step::Done;
        }
        match action {
            Action::Open => match self.selected() {
                Some(session) => {
                    Step::Open(Box::new(Trace::of(trace::Scope::Session(session.id), 3)))
                }
                None => Step::Say("there is no session to open".to_owned()),
            },
            Action::NextDivergence => self.next(true),
            Action::PreviousDivergence => self.next(false),
            Action::OnlyDivergent => {
                self.divergent = !self.divergent;
                self.cursor.row = 0;
                Step::Say(
                    if self.divergent {
                        "only sessions that differ"
                    } else {
                        "all sessions"
                    }
                    .to_owned(),
                )
            }
            Action::Columns => {
                self.sight = self.sight.next();
                Step::Say(format!("columns: {}", self.sight.word()))
            }
            Action::Export => match self.data() {
                Some(data) => {
                    Step::Export("sessions.csv".to_owned(), export::csv(&data.page.sessions))
                }
                None => Step::Say("nothing has been read yet".to_owned()),
            },
            _ => Step::Unused,
        }
    }

    fn panes(&self) -> usize {
        3
    }

    fn focus(&mut self, pane: usize) {
        self.focus = pane;
    }

    fn fields(&self) -> &'static [Field] {
        &filter::SESSIONS
    }

    fn filter(&self) -> &str {
        self.sieve.text()
    }

    fn set_filter(&mut self, sieve: Sieve) {
        self.sieve = sieve;
        self.cursor.row = 0;
    }

    fn cell_filter(&self) -> Option<String> {
        let session = self.selected()?;
        let field = draw::COLUMNS.get(self.cursor.column)?.field;
        let value = match field {
            "session" => session.id.to_string(),
            "state" => session.state.clone(),
            "outcome" => session.verdict.outcome.to_owned(),
            _ => session.charger.clone(),
        };
        let field = if field.is_empty() { "charger" } else { field };
        (!value.is_empty()).then(|| term(field, &value))
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let session = self.selected()?;
        let comparison = Comparison::of_session(session);
        let mut text = format!(
            "**session {}** on {}, {}: {}\n\n```\n",
            session.id,
            look.mask.charger(&session.charger),
            session.at,
            session.verdict.outcome
        );
        let fold = Fold {
            raw: false,
            unfolded: true,
        };
        for line in side_by_side::lines(&comparison, 100, fold, look) {
            text += line.to_string().trim_end();
            text.push('\n');
        }
        Some(text + "```\n")
    }

    fn status(&self, _look: &Look<'_>) -> String {
        let Some(data) = self.data() else {
            return String::new();
        };
        let only = if self.divergent {
            "   only divergent"
        } else {
            ""
        };
        format!(
            "{} of {} sessions{only}   columns: {}   truth: the wire",
            data.page.total,
            data.all,
            self.sight.word()
        )
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let row = |session: &View| {
            let energy = |account: &Option<crate::ledger::sessions::Account>| {
                account
                    .as_ref()
                    .and_then(|account| account.energy_wh.clone())
            };
            json!({
                "id": session.id, "at": session.at, "charger": look.mask.charger(&session.charger), "state": session.state,
                "outcome": session.verdict.outcome, "findings": session.verdict.findings,
                "wire_wh": energy(&session.wire), "legacy_wh": energy(&session.legacy), "candidate_wh": energy(&session.candidate),
            })
        };
        let (listed, offset) = self.listed();
        json!({
            "offset": offset,
            "total": self.total(),
            "sessions": listed.iter().map(row).collect::<Vec<_>>(),
            "selected": self.selected().map(|session| session.id),
        })
    }
}

impl Sight {
    const fn next(self) -> Self {
        match self {
            Self::Energy => Self::Money,
            Self::Money => Self::Times,
            Self::Times => Self::Energy,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Money => "money",
            Self::Times => "times",
        }
    }
}
