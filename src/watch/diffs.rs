//! Screen 2: what differs, how often, whose is it. The findings above; below, what is known of the selected one and one of
//! the places where it was seen, side by side.

mod draw;
mod explain;
mod read;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::compare::{self, Message};
use super::keys::{Action, Scope};
use super::screen::{Look, Screen, Step};
use super::side_by_side::Fold;
use super::sieve::{Sieve, term};
use super::snapshot::{self, Answer, Known};
use super::table::Cursor;
use super::trace::{self, Trace};
use crate::clock::Micros;
use crate::ledger::filter::{self, Field};
use crate::ledger::query::Finding;
use crate::ledger::row::{State, Subject};
use crate::ledger::sessions::View;
use crate::ledger::views::Cause;
use crate::report::Comparison;

pub use read::read;

/// What the screen asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// What rows must show.
    pub sieve: Sieve,
    /// Whether findings that are gone or accepted are listed too.
    pub gone: bool,
    /// Whether only findings are listed that nobody has decided about.
    pub open: bool,
    /// The selected finding; the first if there is none.
    pub chosen: Option<String>,
    /// Which of its sightings is shown, from 0.
    pub exemplar: u64,
}

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Findings that are listed, worst and most frequent first.
    pub listed: Vec<Finding>,
    /// How many there are in all.
    pub all: usize,
    /// Findings that would be listed were they not gone or accepted: id and how they stand.
    pub folded: Vec<(String, String)>,
    /// What is known of the selected finding.
    pub chosen: Option<Chosen>,
}

/// One finding and one of its sightings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The finding.
    pub finding: String,
    /// What most likely brings it about: a conclusion.
    pub cause: Option<Cause>,
    /// Which sighting, from 0.
    pub number: u64,
    /// What it was seen in; none if the ledger no longer knows.
    pub exemplar: Option<Exemplar>,
}

/// What a finding was seen in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemplar {
    /// What it is.
    pub subject: Subject,
    /// The fact that began it.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// The texts side by side.
    pub comparison: Comparison,
    /// Which rule decided, and why no other did: a line each.
    pub rules: Vec<String>,
    /// The session, if it is one.
    pub session: Option<View>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Diffs {
    known: Known<Data>,
    sieve: Sieve,
    gone: bool,
    open: bool,
    chosen: Option<String>,
    column: usize,
    exemplar: u64,
    fold: Fold,
    focus: usize,
    scroll: [u16; 2],
    marked: Option<Message>,
}

impl Diffs {
    fn listed(&self) -> &[Finding] {
        self.known.ready().map_or(&[], |data| &data.listed)
    }

    /// The place of the selected finding; the first as long as nobody has chosen.
    fn cursor(&self) -> Cursor {
        let chosen = self.chosen.as_ref();
        let at = self
            .listed()
            .iter()
            .position(|finding| Some(&finding.id) == chosen);
        Cursor {
            row: at.unwrap_or_default() as u64,
            column: self.column,
        }
    }

    fn selected(&self) -> Option<&Finding> {
        self.listed().get(self.cursor().row as usize)
    }

    /// What was read of the selected finding, if it was read already.
    fn told(&self) -> Option<&Chosen> {
        let chosen = self.known.ready()?.chosen.as_ref()?;
        let same = self
            .selected()
            .is_some_and(|finding| finding.id == chosen.finding);
        (same && chosen.number == self.exemplar).then_some(chosen)
    }

    fn moved(&mut self, action: Action) -> bool {
        let mut cursor = self.cursor();
        let rows = self.listed().len() as u64;
        if !cursor.act(action, rows, draw::COLUMNS.len()) {
            return false;
        }
        self.column = cursor.column;
        let chosen = self.listed().get(cursor.row as usize);
        let chosen = chosen.map(|finding| finding.id.clone());
        if chosen != self.chosen {
            self.chosen = chosen;
            self.exemplar = 0;
            self.scroll = [0; 2];
        }
        true
    }

    /// Scrolls the focused part of the detail.
    fn scrolled(&mut self, action: Action) -> bool {
        let scroll = &mut self.scroll[self.focus.clamp(1, 2) - 1];
        *scroll = match action {
            Action::Up => scroll.saturating_sub(1),
            Action::Down => scroll.saturating_add(1),
            Action::PageUp => scroll.saturating_sub(10),
            Action::PageDown => scroll.saturating_add(10),
            Action::First => 0,
            _ => return false,
        };
        true
    }

    /// To the next sighting of the finding, or the one before.
    fn next(&mut self, forward: bool) -> Step {
        let Some(finding) = self.selected() else {
            return Step::Say("there is no finding to step through".to_owned());
        };
        let last = finding.count.saturating_sub(1);
        let to = if forward {
            self.exemplar + 1
        } else {
            self.exemplar.wrapping_sub(1)
        };
        if to > last {
            let which = if forward { "last" } else { "first" };
            return Step::Say(format!("this is the {which} sighting of {}", finding.id));
        }
        self.exemplar = to;
        self.scroll[1] = 0;
        Step::Done
    }

    fn open(&self) -> Step {
        match self.selected() {
            Some(finding) => {
                let scope = trace::Scope::Sighting(finding.id.clone(), self.exemplar);
                Step::Open(Box::new(Trace::of(scope, 2)))
            }
            None => Step::Say("there is no finding to open".to_owned()),
        }
    }

    fn toggled(&mut self, what: impl Fn(&mut Self) -> &mut bool, [on, off]: [&str; 2]) -> Step {
        let switch = what(self);
        *switch = !*switch;
        Step::Say(if *switch { on } else { off }.to_owned())
    }
}

impl Screen for Diffs {
    fn number(&self) -> u8 {
        2
    }

    fn title(&self) -> String {
        "Diffs".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Diffs, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Diffs(Question {
            sieve: self.sieve.clone(),
            gone: self.gone,
            open: self.open,
            chosen: self.chosen.clone(),
            exemplar: self.exemplar,
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Diffs(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        draw::draw(self, frame, area, look);
    }

    fn act(&mut self, action: Action) -> Step {
        let moved = if self.focus == 0 {
            self.moved(action)
        } else {
            self.scrolled(action)
        };
        if moved {
            return Step::Done;
        }
        match action {
            Action::Open => self.open(),
            Action::Mark => {
                let exemplar = self.told().and_then(|told| told.exemplar.as_ref());
                let this = exemplar.map(|exemplar| (exemplar.subject, exemplar.id));
                compare::mark(&mut self.marked, this, 2)
            }
            Action::NextDivergence => self.next(true),
            Action::PreviousDivergence => self.next(false),
            Action::Raw => self.toggled(
                |it| &mut it.fold.raw,
                ["whole texts below the fields", "fields only"],
            ),
            Action::Unfold => self.toggled(
                |it| &mut it.fold.unfolded,
                ["everything unfolded", "equal fields folded"],
            ),
            Action::ShowGone => self.toggled(
                |it| &mut it.gone,
                [
                    "gone and accepted findings too",
                    "gone and accepted findings folded",
                ],
            ),
            Action::OnlyDivergent => self.toggled(
                |it| &mut it.open,
                ["only findings that nobody decided about", "all findings"],
            ),
            _ => Step::Unused,
        }
    }

    fn finding(&self) -> Option<(String, String)> {
        let finding = self.selected()?;
        Some((finding.id.clone(), finding.title.clone()))
    }

    fn panes(&self) -> usize {
        3
    }

    fn focus(&mut self, pane: usize) {
        self.focus = pane;
    }

    fn fields(&self) -> &'static [Field] {
        &filter::FINDINGS
    }

    fn filter(&self) -> &str {
        self.sieve.text()
    }

    fn set_filter(&mut self, sieve: Sieve) {
        self.sieve = sieve;
        self.chosen = None;
        self.exemplar = 0;
    }

    fn cell_filter(&self) -> Option<String> {
        let finding = self.selected()?;
        let field = draw::COLUMNS.get(self.column)?.field;
        let value = match field {
            "severity" => finding.severity.code().to_owned(),
            "finding" => finding.id.clone(),
            "kind" => finding.kind.clone(),
            "model" => finding.models.first()?.clone(),
            "state" => finding.life.state().word().to_owned(),
            "owner" => finding.life.standing.as_ref()?.owner.clone(),
            _ => finding.action.clone(),
        };
        let field = if field.is_empty() { "action" } else { field };
        (!value.is_empty()).then(|| term(field, &value))
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let finding = self.selected()?;
        Some(explain::markdown(finding, self.told(), look))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        let Some(data) = self.known.ready() else {
            return String::new();
        };
        let open = if self.open { "   only undecided" } else { "" };
        format!("{} of {} findings{open}", data.listed.len(), data.all)
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let row = |finding: &Finding| {
            json!({
                "id": finding.id, "severity": finding.severity.code(), "action": finding.action, "path": finding.path,
                "kind": finding.kind, "title": look.mask.text(&finding.title), "count": finding.count, "of": finding.of,
                "chargers": finding.chargers.len(), "models": finding.models, "state": finding.life.state().word(),
            })
        };
        json!({
            "findings": self.listed().iter().map(row).collect::<Vec<_>>(),
            "selected": self.selected().map(|finding| &finding.id),
            "exemplar": self.told().and_then(|told| told.exemplar.as_ref()).map(|exemplar| exemplar.id),
        })
    }
}

/// Whether nobody has to look at a finding any more: it was accepted, or a fix holds.
fn is_settled(finding: &Finding) -> bool {
    match finding.life.state() {
        State::Accepted => true,
        State::Fixed => finding.life.stopped,
        State::New | State::Known | State::Regressed => false,
    }
}
