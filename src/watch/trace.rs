//! The messages of one session or charger: the ladder, and what is selected in it side by side. A drill-down of Diffs,
//! Sessions, Feed and Tap.

mod draw;
mod read;

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::compare::{self, Message};
use super::keys::{Action, Scope as Keys};
use super::ladder::{self, Step as Rung, Story};
use super::screen::{Look, Screen, Step};
use super::side_by_side::{self, Fold};
use super::snapshot::{self, Answer, Known};
use crate::clock::Micros;
use crate::ledger::Mark;
use crate::ledger::row::Subject;
use crate::ledger::sessions::View;
use crate::ocpp::Severity;
use crate::report::Comparison;

pub use read::{Base, read};

/// Steps that a page moves by.
const PAGE: usize = 10;

/// Columns of an exported ladder.
const EXPORTED: usize = 110;

/// What a trace is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A session, by its identity.
    Session(u64),
    /// What happened around an exchange, command or handshake.
    Item(Subject, u64),
    /// What happened around a sighting of a finding, counted from 0.
    Sighting(String, u64),
    /// What happened at a charger around a fact.
    Charger(String, u64),
}

/// What the screen asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What it is of.
    pub scope: Scope,
    /// The fact that the selected step begins with; none as long as nobody has chosen.
    pub chosen: Option<u64>,
}

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// The charger.
    pub charger: String,
    /// The session, if it is one.
    pub session: Option<View>,
    /// Everything on the ladder.
    pub story: Story,
    /// When it begins, µs.
    pub origin: Micros,
    /// The fact that the selected step begins with; none on an empty ladder.
    pub chosen: Option<u64>,
    /// What is selected, side by side.
    pub detail: Option<Detail>,
}

/// One message, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The fact that began it.
    pub id: u64,
    /// Word of what came out.
    pub outcome: String,
    /// What the parties said.
    pub comparison: Comparison,
    /// Findings that it shows: severity, id and sentence.
    pub findings: Vec<(Severity, String, String)>,
    /// Where the answers came from: `2 real`, `1 real, 1 synthetic`.
    pub answers: String,
}

/// The screen.
#[derive(Debug)]
pub struct Trace {
    known: Known<Data>,
    scope: Scope,
    home: u8,
    chosen: Option<u64>,
    unfolded: BTreeSet<u64>,
    all: bool,
    fold: Fold,
    focus: usize,
    scroll: u16,
    marked: Option<Message>,
}

impl Trace {
    /// The trace of `scope`, as a drill-down of the screen with this number.
    pub fn of(scope: Scope, home: u8) -> Self {
        Self {
            known: Known::default(),
            scope,
            home,
            chosen: None,
            unfolded: BTreeSet::new(),
            all: false,
            fold: Fold::default(),
            focus: 0,
            scroll: 0,
            marked: None,
        }
    }

    /// The trace of a charger around a fact.
    pub fn around(charger: &str, fact: u64) -> Self {
        Self::of(Scope::Charger(charger.to_owned(), fact), 5)
    }

    fn data(&self) -> Option<&Data> {
        self.known.ready()
    }

    /// What can be selected, and the place of what is.
    fn steps(&self) -> (Vec<Rung>, usize) {
        let Some(data) = self.data() else {
            return (Vec::new(), 0);
        };
        let steps = data.story.steps(&self.unfolded, self.all);
        let chosen = self.chosen.unwrap_or_default();
        let holds = |step: &Rung| match step {
            Rung::Run(from, to) => {
                let items = &data.story.items[*from..*to];
                items.iter().any(|item| item.id == chosen)
            }
            step => data.story.begins(step) == chosen,
        };
        let at = steps.iter().position(holds);
        let behind = || {
            steps
                .iter()
                .rposition(|step| data.story.begins(step) <= chosen)
        };
        let at = at.or_else(behind).unwrap_or_default();
        (steps, at)
    }

    /// The selected message.
    fn selected(&self) -> Option<Message> {
        let (steps, at) = self.steps();
        let item = self.data()?.story.item(steps.get(at)?)?;
        Some((item.subject, item.id))
    }

    fn choose(&mut self, steps: &[Rung], at: usize) {
        let begins = self.data().and_then(|data| {
            let step = steps.get(at)?;
            Some(data.story.begins(step))
        });
        if begins != self.chosen {
            self.chosen = begins;
            self.scroll = 0;
        }
    }

    fn moved(&mut self, action: Action) -> bool {
        let (steps, at) = self.steps();
        let last = steps.len().saturating_sub(1);
        let to = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => at + 1,
            Action::PageUp => at.saturating_sub(PAGE),
            Action::PageDown => at + PAGE,
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        self.choose(&steps, to.min(last));
        true
    }

    /// Scrolls the detail; it stops where the drawn text ends.
    fn scrolled(&mut self, action: Action) -> bool {
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1),
            Action::PageUp => self.scroll.saturating_sub(PAGE as u16),
            Action::PageDown => self.scroll.saturating_add(PAGE as u16),
            Action::First => 0,
            _ => return false,
        };
        true
    }

    /// To the next message that differs, or the one before.
    fn next(&mut self, forward: bool) -> Step {
        let (steps, at) = self.steps();
        let Some(data) = self.data() else {
            return Step::Done;
        };
        let differs = |place: &usize| {
            let item = steps.get(*place).and_then(|step| data.story.item(step));
            item.is_some_and(|item| ladder::mark(item) == Mark::Divergent)
        };
        let found = if forward {
            (at + 1..steps.len()).find(differs)
        } else {
            (0..at).rev().find(differs)
        };
        let Some(found) = found else {
            let which = if forward { "after" } else { "before" };
            return Step::Say(format!("nothing differs {which} this, as far as was read"));
        };
        self.choose(&steps, found);
        Step::Done
    }

    /// Unfolds the selected run, or folds the one that the selected message is of.
    fn toggle(&mut self) -> Step {
        let (steps, at) = self.steps();
        let Some(data) = self.data() else {
            return Step::Done;
        };
        match steps.get(at) {
            Some(Rung::Run(from, _)) => {
                let begins = data.story.items[*from].id;
                self.unfolded.insert(begins);
                Step::Done
            }
            Some(Rung::Item(place)) => {
                // The run that it was unfolded from began at or before it.
                let id = data.story.items[*place].id;
                let run = self.unfolded.range(..=id).next_back().copied();
                let folded = run.filter(|begins| {
                    let others = self.unfolded.iter().copied().filter(|it| it != begins);
                    let without: BTreeSet<u64> = others.collect();
                    let steps = data.story.steps(&without, self.all);
                    steps.iter().any(
                        |step| matches!(step, Rung::Run(from, to) if from <= place && place < to),
                    )
                });
                match folded {
                    Some(begins) => {
                        self.unfolded.remove(&begins);
                        self.chosen = Some(begins);
                        Step::Done
                    }
                    None => Step::Say(
                        "this message is not part of a run: Tab goes to its detail, r shows it raw"
                            .to_owned(),
                    ),
                }
            }
            _ => Step::Say("nothing to unfold here".to_owned()),
        }
    }

    /// The ladder as text, and what is selected in it.
    fn export(&self) -> Option<(String, String)> {
        let data = self.data()?;
        let (steps, _) = self.steps();
        let theme = super::theme::Theme {
            colours: super::theme::Colours::None,
            unicode: false,
        };
        let lines = ladder::lanes(&data.story, &steps, ("", data.origin), EXPORTED, theme);
        let mut text = format!(
            "order: tap sequence, not clock. {}\n\n",
            data.story.summary()
        );
        for line in lines {
            text += &line.text;
            text.push('\n');
        }
        let name = match &self.scope {
            Scope::Session(id) => format!("ladder-session-{id}.txt"),
            Scope::Sighting(finding, number) => format!("ladder-{finding}-{}.txt", number + 1),
            Scope::Item(_, id) | Scope::Charger(_, id) => format!("ladder-{id}.txt"),
        };
        Some((name, text))
    }
}

impl Screen for Trace {
    fn number(&self) -> u8 {
        self.home
    }

    fn title(&self) -> String {
        match &self.scope {
            Scope::Session(id) => format!("Session {id}"),
            Scope::Item(subject, id) => format!("Trace of {} {id}", subject.word()),
            Scope::Sighting(finding, number) => format!("{finding} exemplar {}", number + 1),
            Scope::Charger(..) => "Trace".to_owned(),
        }
    }

    fn scopes(&self) -> &'static [Keys] {
        &[Keys::Trace, Keys::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Trace(Question {
            scope: self.scope.clone(),
            chosen: self.chosen,
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Trace(data)) => {
                if self.chosen.is_none() {
                    self.chosen = data.chosen;
                }
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
        let moved = if self.focus == 1 {
            self.scrolled(action)
        } else {
            self.moved(action)
        };
        if moved {
            return Step::Done;
        }
        match action {
            Action::Open => self.toggle(),
            Action::Mark => {
                let this = self.selected();
                compare::mark(&mut self.marked, this, self.home)
            }
            Action::NextDivergence => self.next(true),
            Action::PreviousDivergence => self.next(false),
            Action::Raw => {
                self.fold.raw = !self.fold.raw;
                let says = if self.fold.raw {
                    "whole texts below the fields"
                } else {
                    "fields only"
                };
                Step::Say(says.to_owned())
            }
            Action::Unfold => {
                self.all = !self.all;
                self.fold.unfolded = self.all;
                let says = if self.all {
                    "every message and field is shown"
                } else {
                    "runs of equal messages and fields are folded"
                };
                Step::Say(says.to_owned())
            }
            Action::Export => match self.export() {
                Some((name, text)) => Step::Export(name, text),
                None => Step::Say("nothing has been read yet".to_owned()),
            },
            _ => Step::Unused,
        }
    }

    fn finding(&self) -> Option<(String, String)> {
        let detail = self.known.ready()?.detail.as_ref()?;
        let (_, id, title) = detail.findings.first()?;
        Some((id.clone(), title.clone()))
    }

    fn panes(&self) -> usize {
        2
    }

    fn focus(&mut self, pane: usize) {
        self.focus = pane;
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let detail = self.data()?.detail.as_ref()?;
        let fold = Fold {
            raw: true,
            unfolded: true,
        };
        let lines = side_by_side::lines(&detail.comparison, 100, fold, look);
        let mut text = format!(
            "**{}**: {}\n\n```\n",
            detail.comparison.title,
            side_by_side::summary(&detail.comparison)
        );
        for line in lines {
            text += line.to_string().trim_end();
            text.push('\n');
        }
        Some(text + "```\n")
    }

    fn status(&self, _look: &Look<'_>) -> String {
        match self.data() {
            Some(data) => format!("{}   order: tap sequence, not clock", data.story.summary()),
            None => String::new(),
        }
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let Some(data) = self.data() else {
            return Value::Null;
        };
        let items = data.story.items.iter().map(|item| {
            json!({
                "subject": item.subject.word(), "id": item.id, "at": item.at, "action": item.action,
                "outcome": item.outcome, "reason": item.reason, "findings": item.findings,
            })
        });
        json!({
            "charger": look.mask.charger(&data.charger),
            "session": data.session.as_ref().map(|session| session.id),
            "items": items.collect::<Vec<_>>(),
            "selected": self.chosen,
        })
    }
}
