//! The dialog about a group: whether it goes, stays or comes back, is signed, or has an exception.
//!
//! Nothing is decided by accident: it opens with Cancel in focus, no letter confirms, and the group's name has to be typed. It
//! only collects; whether it may be is decided by who carries [`super::app::Effect::Note`] out, as `evenkeel decide` does.

mod draw;

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use super::app::edit;
use super::form;
use super::keys::{Action, Key};
use super::screen::Look;
use super::verdicts::STALE;
use crate::estate::gate::{Report, Verdict};
use crate::ledger::row::Word;

/// What somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What.
    pub word: Word,
    /// The group, as it was typed.
    pub group: String,
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Why.
    pub reason: String,
    /// What is excepted, if that is decided.
    pub exception: Option<Excepted>,
}

/// An exception as it was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excepted {
    /// The criterion.
    pub criterion: String,
    /// When it ends, as it was written.
    pub until: String,
    /// How many failures it covers, as it was written.
    pub at_most: String,
}

/// What is to be decided, and about whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The group.
    pub group: String,
    /// The criterion to be excepted; none if another decision is wanted.
    pub criterion: Option<String>,
    /// What the gate says.
    pub says: String,
    /// Why `go` cannot be had; none if it can.
    pub no_go: Option<String>,
    /// What is told above the fields: a name and a text each.
    pub facts: Vec<(&'static str, String)>,
}

/// What can be chosen, the most harmless first.
const WORDS: [Word; 4] = [Word::Hold, Word::RollBack, Word::SignOff, Word::Go];

/// Fields and buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Decision,
    Role,
    Reason,
    Until,
    AtMost,
    Group,
    Cancel,
    Record,
}

/// Fields and buttons in their order.
const PLACES: [Place; 6] = [
    Place::Decision,
    Place::Role,
    Place::Reason,
    Place::Group,
    Place::Cancel,
    Place::Record,
];

/// The same of an exception.
const EXCEPTION: [Place; 7] = [
    Place::Role,
    Place::Reason,
    Place::Until,
    Place::AtMost,
    Place::Group,
    Place::Cancel,
    Place::Record,
];

/// The dialog.
#[derive(Debug)]
pub struct Dialog {
    case: Case,
    by: String,
    word: usize,
    role: Input,
    reason: Input,
    until: Input,
    at_most: Input,
    group: Input,
    place: Place,
    fault: Option<String>,
}

/// What a key made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stays open.
    Open,
    /// Nothing is decided.
    Cancelled,
    /// This is decided.
    Decided(Wish),
}

impl Case {
    /// About the group of a gate's result; its criterion is to be excepted, if one is named.
    pub fn of(group: &str, report: &Report, criterion: Option<&str>) -> Self {
        let undo = &report.undo;
        let takes = undo.takes_s.map_or_else(
            || "nobody said how long coming back takes".to_owned(),
            |takes| format!("coming back takes about {} min", takes.div_ceil(60)),
        );
        let last = undo.last_safe_start.as_ref();
        let last = last.map_or_else(String::new, |at| format!(", last safe start {at}"));
        Self {
            group: group.to_owned(),
            criterion: criterion.map(str::to_owned),
            says: report.says.clone(),
            no_go: no_go(report),
            facts: [
                (
                    "verdict",
                    match report.why.first() {
                        Some(why) => format!("{}: {why}", report.says),
                        None => report.says.clone(),
                    },
                ),
                (
                    "affects",
                    format!(
                        "{} chargers, {} sessions under way",
                        report.evidence.chargers, undo.open_sessions
                    ),
                ),
                ("takes", takes + &last),
            ]
            .into_iter()
            .chain(criterion.map(|id| ("excepts", excepted(report, id))))
            .collect(),
        }
    }

    /// The same where nothing is known of now, and why not: nobody may go by what the gate said before.
    #[must_use]
    pub fn stale(mut self, why: &str) -> Self {
        let before = std::mem::replace(&mut self.says, STALE.to_owned());
        self.no_go = Some(format!("the verdict is {STALE}: {why}"));
        if let Some((_, says)) = self.facts.iter_mut().find(|(name, _)| *name == "verdict") {
            *says = format!("{STALE}: {why}; it said {before} before");
        }
        self
    }
}

/// The criterion in words, with what was seen of it.
fn excepted(report: &Report, id: &str) -> String {
    let known = report.criteria.iter().find(|it| it.id == id);
    known.map_or_else(
        || id.to_owned(),
        |it| format!("{id} {}: {}", it.title, it.seen),
    )
}

/// Why a group may not go, as far as the gate's result tells.
fn no_go(report: &Report) -> Option<String> {
    if report.verdict != Verdict::Go {
        return Some(format!(
            "the verdict is {}, and only GO may go",
            report.says
        ));
    }
    let unsigned = report.people.signed_by.is_none();
    unsigned.then(|| "nobody has signed off".to_owned())
}

impl Dialog {
    /// The dialog for who operates, in this role.
    pub fn new(case: Case, (by, role): (&str, &str)) -> Self {
        Self {
            case,
            by: by.to_owned(),
            word: 0,
            role: Input::new(role.to_owned()),
            reason: Input::default(),
            until: Input::default(),
            at_most: Input::default(),
            group: Input::default(),
            place: Place::Cancel,
            fault: None,
        }
    }

    const fn places(&self) -> &'static [Place] {
        if self.case.criterion.is_some() {
            &EXCEPTION
        } else {
            &PLACES
        }
    }

    /// Draws it at the lower end of `area`.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        draw::draw(self, frame, area, look);
    }

    /// What is chosen.
    fn word(&self) -> Word {
        match self.case.criterion {
            Some(_) => Word::Exception,
            None => WORDS[self.word],
        }
    }

    /// The text that is being written, if one is.
    pub fn input(&mut self) -> Option<&mut Input> {
        match self.place {
            Place::Role => Some(&mut self.role),
            Place::Reason => Some(&mut self.reason),
            Place::Until => Some(&mut self.until),
            Place::AtMost => Some(&mut self.at_most),
            Place::Group => Some(&mut self.group),
            Place::Decision | Place::Cancel | Place::Record => None,
        }
    }

    /// Takes a key, and what the table says that it does.
    pub fn take(&mut self, key: Key, action: Option<Action>) -> Outcome {
        match action {
            Some(Action::NextField) => self.step(1),
            Some(Action::PreviousField) => self.step(self.places().len() - 1),
            Some(Action::Accept) => match self.place {
                Place::Cancel => return Outcome::Cancelled,
                Place::Record => return self.decided(),
                _ => self.step(1),
            },
            _ => self.edit(key),
        }
        Outcome::Open
    }

    fn step(&mut self, by: usize) {
        self.place = form::step(self.places(), self.place, by);
    }

    fn edit(&mut self, key: Key) {
        if self.place == Place::Decision {
            self.word = form::choose(key, self.word, WORDS.len());
        }
        if let Some(request) = edit(key)
            && let Some(input) = self.input()
        {
            input.handle(request);
        }
        self.fault = None;
    }

    fn decided(&mut self) -> Outcome {
        let text = |input: &Input| input.value().trim().to_owned();
        let exception = self.case.criterion.clone().map(|criterion| Excepted {
            criterion,
            until: text(&self.until),
            at_most: text(&self.at_most),
        });
        let wish = Wish {
            word: self.word(),
            group: text(&self.group),
            by: self.by.clone(),
            role: text(&self.role),
            reason: text(&self.reason),
            exception,
        };
        match self.lacks(&wish) {
            Some(fault) => {
                self.fault = Some(fault);
                Outcome::Open
            }
            None => Outcome::Decided(wish),
        }
    }

    /// What keeps it from being decided.
    fn lacks(&self, wish: &Wish) -> Option<String> {
        if wish.word == Word::Go
            && let Some(why) = &self.case.no_go
        {
            return Some(format!("go is unavailable: {why}"));
        }
        if wish.reason.is_empty() && !matches!(wish.word, Word::Hold | Word::RollBack) {
            return Some(format!("{} needs a reason", wish.word.word()));
        }
        if let Some(exception) = &wish.exception
            && (exception.until.is_empty() || exception.at_most.is_empty())
        {
            return Some("an exception needs an end and a cap".to_owned());
        }
        (wish.group != self.case.group).then(|| "type the group's name as it is".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::keys::{self, Scope};

    fn case(criterion: Option<&str>) -> Case {
        Case {
            group: "harbour".to_owned(),
            criterion: criterion.map(str::to_owned),
            says: "NO-GO".to_owned(),
            no_go: Some("the verdict is NO-GO, and only GO may go".to_owned()),
            facts: Vec::new(),
        }
    }

    fn dialog(criterion: Option<&str>) -> Dialog {
        Dialog::new(case(criterion), ("ann", "Ops lead"))
    }

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

    #[test]
    fn it_opens_on_cancel_and_no_letter_confirms() {
        assert_eq!(press(&mut dialog(None), &[Key::Enter]), Outcome::Cancelled);
        let mut open = dialog(None);
        assert_eq!(press(&mut open, &typed("DDyYgGrR ")), Outcome::Open);
        assert_eq!(press(&mut open, &[Key::Enter]), Outcome::Cancelled);
    }

    #[test]
    fn nothing_is_decided_without_the_typed_name() {
        let mut open = dialog(None);
        assert_eq!(press(&mut open, &[Key::Tab, Key::Enter]), Outcome::Open);
        assert_eq!(
            open.fault.as_deref(),
            Some("type the group's name as it is")
        );
        // Back over Cancel to the name.
        let to_name = [Key::BackTab, Key::BackTab];
        assert_eq!(press(&mut open, &to_name), Outcome::Open);
        assert_eq!(press(&mut open, &typed("harbour")), Outcome::Open);
        let wish = Wish {
            word: Word::Hold,
            group: "harbour".to_owned(),
            by: "ann".to_owned(),
            role: "Ops lead".to_owned(),
            reason: String::new(),
            exception: None,
        };
        assert_eq!(
            press(&mut open, &[Key::Tab, Key::Tab, Key::Enter]),
            Outcome::Decided(wish)
        );
    }

    #[test]
    fn go_says_why_it_cannot_be_had() {
        let mut open = dialog(None);
        assert_eq!(press(&mut open, &[Key::BackTab]), Outcome::Open);
        assert_eq!(press(&mut open, &typed("harbour")), Outcome::Open);
        // Cancel, Record, and the decision: the last of its words.
        assert_eq!(
            press(&mut open, &[Key::Tab, Key::Tab, Key::Tab, Key::Left]),
            Outcome::Open
        );
        assert_eq!(press(&mut open, &[Key::BackTab, Key::Enter]), Outcome::Open);
        assert_eq!(
            open.fault.as_deref(),
            Some("go is unavailable: the verdict is NO-GO, and only GO may go")
        );
    }

    #[test]
    fn an_exception_has_a_reason_an_end_and_a_cap() {
        let mut open = dialog(Some("C4"));
        assert_eq!(press(&mut open, &[Key::Tab, Key::Enter]), Outcome::Open);
        assert_eq!(open.fault.as_deref(), Some("exception needs a reason"));
        assert_eq!(press(&mut open, &[Key::Tab, Key::Tab]), Outcome::Open);
        assert_eq!(press(&mut open, &typed("agreed")), Outcome::Open);
        assert_eq!(
            press(&mut open, &[Key::BackTab, Key::BackTab, Key::Enter]),
            Outcome::Open
        );
        assert_eq!(
            open.fault.as_deref(),
            Some("an exception needs an end and a cap")
        );
        for text in ["2027-02-01", "3", "harbour"] {
            let ways = if text.starts_with('2') { 3 } else { 1 };
            assert_eq!(press(&mut open, &vec![Key::Tab; ways]), Outcome::Open);
            assert_eq!(press(&mut open, &typed(text)), Outcome::Open);
        }
        let outcome = press(&mut open, &[Key::Tab, Key::Tab, Key::Enter]);
        let Outcome::Decided(wish) = outcome else {
            panic!("{outcome:?}: {:?}", open.fault)
        };
        assert_eq!(wish.word, Word::Exception);
        let exception = wish.exception.unwrap();
        assert_eq!(
            (exception.criterion.as_str(), exception.at_most.as_str()),
            ("C4", "3")
        );
    }
}
