//! Which backend each charger belongs to, as the recording tells it: the journal of switches.
//!
//! Every step is an `AuthorityChanged` fact that is synced before anything acts on it. Whoever starts after a crash folds
//! the facts, in order, and comes to exactly one authority for each charger.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Fact, Kind, Leg, Reader, RecordingError};
use crate::clock::Micros;
use crate::ocpp::Class;

/// How far a switch is, with one charger or (without one) as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Of the whole switch: it was asked for. Carries the [`Plan`].
    Begun,
    /// The charger belongs to the new authority from now on; its connection is ended.
    Acting,
    /// What its old connection carried has been seen, so that it may come in again. Carries its open transactions.
    Admitted,
    /// A transaction that began since has a name of its own, because the one that the new authority gave it was taken.
    /// Carries all transactions that are known by another name.
    Renamed,
    /// It is back, at the new authority.
    Done,
    /// The last of what it went on with from before the switch is over: nothing has to be translated any more.
    Settled,
    /// It did not come back in time. Of the whole switch: some did not, and it should be rolled back.
    Missing,
    /// It goes back to its old authority for a while, for the reason given: the new one lacks something that came in the
    /// last moment. Carries its open transactions.
    Recalled,
    /// It stays where it is, for the reason given.
    Kept,
    /// Of the whole switch: every charger was moved or kept.
    Over,
}

/// When a charger is moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// As soon as it has no open transaction.
    #[default]
    Drain,
    /// Now, also with open transactions: their identifiers are translated until they end.
    Now,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The backend that shall be the authority.
    pub to: Leg,
    /// When a charger is moved.
    pub mode: Mode,
    /// How many chargers are moved each second.
    pub pace: u32,
    /// How long a charger may take to become idle, µs; then it is kept.
    pub limit_us: i64,
    /// How long a charger may take to come back, µs; then it is missing.
    pub deadline_us: i64,
    /// Whether it undoes an earlier switch: such a plan is never refused for its evidence.
    #[serde(default)]
    pub rollback: bool,
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// The chargers.
    pub chargers: Vec<String>,
}

/// A transaction that was open when its charger was moved, or something else that a backend gave a name and the charger
/// may still name. Identifiers are JSON text without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// What kind of name it is.
    #[serde(
        default = "transaction",
        with = "class",
        skip_serializing_if = "is_transaction"
    )]
    pub class: Class,
    /// What the charger calls it.
    pub wire: String,
    /// What the old authority calls it.
    pub from: String,
    /// What the new authority calls it; empty if it does not know it at all.
    pub to: String,
}

impl Carried {
    /// A transaction: what the charger calls it, the old authority, and the new one.
    pub fn transaction(wire: &str, from: &str, to: &str) -> Self {
        Self {
            class: Class::TransactionId,
            wire: wire.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    /// Whether the new authority knows it by another name than the charger.
    pub fn is_foreign(&self) -> bool {
        self.wire != self.to
    }

    /// Whether the new authority knows it at all.
    pub fn is_known(&self) -> bool {
        !self.to.is_empty()
    }

    /// Whether it is a transaction.
    pub fn is_transaction(&self) -> bool {
        self.class == Class::TransactionId
    }

    /// Whether a charger with these names needs the mediator: its authority knows one of them by another name.
    pub fn need_mediator(names: &[Self]) -> bool {
        names.iter().any(Self::is_foreign)
    }

    /// The same for a charger on its way back.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            ..self
        }
    }
}

const fn transaction() -> Class {
    Class::TransactionId
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_transaction(class: &Class) -> bool {
    *class == Class::TransactionId
}

/// Classes as the catalogue words them.
mod class {
    use serde::de::Error;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Class;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(class: &Class, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(class.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Class, D::Error> {
        let word = String::deserialize(from)?;
        Class::from_word(&word).ok_or_else(|| D::Error::custom(format!("no class {word}")))
    }
}

/// A message of the charger's that a backend was still owed as a shadow when it became the authority: no leg speaks to it
/// any more, and the charger does not say it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// Its `Message` fact.
    pub message: u64,
    /// Its action.
    pub action: String,
    /// The transaction that it is about, as the charger calls it; empty for one that had no name yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transaction: String,
}

/// The note of an `AuthorityChanged` fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which switch it belongs to: when that was asked for, µs since the epoch.
    pub switch: i64,
    /// How far it is.
    pub step: Step,
    /// The old authority.
    pub from: Leg,
    /// The new authority.
    pub to: Leg,
    /// Why, in words; empty if that is plain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What the new authority was owed and never got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Untold>,
    /// The transactions that are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Carried>,
    /// From the moment in which the charger was asked to leave to its next connection, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_us: Option<i64>,
    /// Chargers moved, kept and missing, of a whole switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<[u64; 3]>,
    /// What is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

impl Change {
    /// A step of a switch, without anything else.
    pub fn new(switch: i64, step: Step, to: Leg) -> Self {
        Self {
            switch,
            step,
            from: to.other(),
            to,
            why: String::new(),
            untold: Vec::new(),
            open: Vec::new(),
            outage_us: None,
            counts: None,
            plan: None,
        }
    }

    /// Reads the note of a fact; `None` if it is no such fact.
    pub fn read(fact: &Fact) -> Option<Self> {
        if fact.kind != Kind::AuthorityChanged {
            return None;
        }
        serde_json::from_str(&fact.note).ok()
    }

    /// The fact; `charger` is empty for the whole switch.
    pub fn fact(&self, charger: &Arc<str>, at: Micros) -> Fact {
        let fact = Fact {
            leg: Some(self.to),
            ..Fact::new(Kind::AuthorityChanged, at)
        };
        fact.on(charger, 0).note(self)
    }
}

/// Where a charger stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The backend that it belongs to.
    pub authority: Leg,
    /// The switch that brought it there.
    pub switch: i64,
    /// The last step.
    pub step: Step,
    /// When that was.
    pub at: Micros,
    /// The transactions that were open when it was moved, as far as they are not known to have ended.
    pub open: Vec<Carried>,
}

impl Standing {
    /// Whether the charger may come in: its old connection has been seen to its end.
    pub fn is_admitted(&self) -> bool {
        self.step != Step::Acting
    }

    /// Whether it needs the mediator.
    pub fn is_mediated(&self) -> bool {
        Carried::need_mediator(&self.open)
    }
}

/// A switch that was asked for and is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its number.
    pub switch: i64,
    /// What is to be done.
    pub plan: Plan,
    /// Chargers that it has kept.
    pub kept: Vec<Arc<str>>,
}

/// What the recording's journal comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// Every charger that was ever moved.
    pub chargers: BTreeMap<Arc<str>, Standing>,
    /// Switches that are not over, oldest first.
    pub unfinished: Vec<Unfinished>,
}

impl Journal {
    /// Reads the journal of the recording in `dir`; empty if there is none yet.
    pub fn at(dir: &Path) -> Result<Self, RecordingError> {
        if !dir.join(super::store::FILE).exists() {
            return Ok(Self::default());
        }
        Self::read(&Reader::open(dir)?)
    }

    /// Reads the journal of a recording.
    pub fn read(reader: &Reader) -> Result<Self, RecordingError> {
        let mut journal = Self::default();
        for fact in reader.of_kind(Kind::AuthorityChanged, 0, i64::MAX as usize)? {
            journal.add(&fact);
        }
        Ok(journal)
    }

    /// Adds the next fact. Facts of other kinds are none of its business.
    pub fn add(&mut self, fact: &Fact) {
        let Some(change) = Change::read(fact) else {
            return;
        };
        if fact.charger.is_empty() {
            self.whole(change);
        } else {
            self.of_charger(fact, change);
        }
    }

    fn whole(&mut self, change: Change) {
        match (change.step, change.plan) {
            (Step::Begun, Some(plan)) => self.unfinished.push(Unfinished {
                switch: change.switch,
                plan,
                kept: Vec::new(),
            }),
            (Step::Over, _) => self.unfinished.retain(|one| one.switch != change.switch),
            _ => {}
        }
    }

    fn of_charger(&mut self, fact: &Fact, change: Change) {
        if change.step == Step::Kept {
            // It may have been recalled before, and stands there.
            let mut switches = self.unfinished.iter_mut();
            if let Some(one) = switches.find(|one| one.switch == change.switch) {
                one.kept.push(Arc::clone(&fact.charger));
            }
            return;
        }
        let known = self.chargers.remove(&fact.charger);
        let before = known.as_ref().map(|known| known.step);
        let open = match change.step {
            Step::Acting | Step::Admitted | Step::Renamed | Step::Recalled => change.open,
            Step::Settled => Vec::new(),
            _ => known.map_or_else(Vec::new, |known| known.open),
        };
        // A name changes nothing about how far the charger is.
        let step = match (change.step, before) {
            (Step::Renamed, Some(before)) => before,
            (step, _) => step,
        };
        let standing = Standing {
            authority: change.to,
            switch: change.switch,
            step,
            at: fact.at,
            open,
        };
        self.chargers.insert(Arc::clone(&fact.charger), standing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(journal: &mut Journal, charger: &str, change: &Change) {
        journal.add(&change.fact(&Arc::from(charger), 7));
    }

    fn plan(chargers: &[&str]) -> Plan {
        Plan {
            to: Leg::Candidate,
            mode: Mode::Drain,
            pace: 10,
            limit_us: 1,
            deadline_us: 1,
            rollback: false,
            by: String::new(),
            chargers: chargers.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn each_charger_has_one_authority_after_any_step() {
        let mut journal = Journal::default();
        let begun = Change {
            plan: Some(plan(&["A", "B"])),
            ..Change::new(1, Step::Begun, Leg::Candidate)
        };
        tell(&mut journal, "", &begun);
        assert_eq!(journal.unfinished.len(), 1);
        assert!(journal.chargers.is_empty(), "a plan moves nobody");

        let open = vec![Carried::transaction("4711", "4711", "7")];
        let acting = Change {
            open: open.clone(),
            ..Change::new(1, Step::Acting, Leg::Candidate)
        };
        tell(&mut journal, "A", &acting);
        let standing = |journal: &Journal| journal.chargers[&Arc::from("A") as &Arc<str>].clone();
        assert_eq!(standing(&journal).authority, Leg::Candidate);
        assert!(!standing(&journal).is_admitted());
        let admitted = Change {
            step: Step::Admitted,
            ..acting
        };
        tell(&mut journal, "A", &admitted);
        tell(
            &mut journal,
            "A",
            &Change::new(1, Step::Done, Leg::Candidate),
        );
        assert_eq!(standing(&journal).open, open);
        assert!(standing(&journal).is_mediated());
        tell(
            &mut journal,
            "A",
            &Change::new(1, Step::Settled, Leg::Candidate),
        );
        assert!(!standing(&journal).is_mediated());

        tell(
            &mut journal,
            "B",
            &Change::new(1, Step::Kept, Leg::Candidate),
        );
        assert_eq!(journal.unfinished[0].kept, [Arc::from("B")]);
        assert!(!journal.chargers.contains_key("B"));
        tell(
            &mut journal,
            "",
            &Change::new(1, Step::Over, Leg::Candidate),
        );
        assert!(journal.unfinished.is_empty());
    }

    #[test]
    fn one_that_was_recalled_belongs_to_its_old_authority() {
        let mut journal = Journal::default();
        let open = Carried::transaction("4711", "4711", "7");
        let acting = Change {
            open: vec![open.clone()],
            ..Change::new(1, Step::Acting, Leg::Candidate)
        };
        tell(&mut journal, "A", &acting);
        let recalled = Change {
            open: vec![open.turned()],
            ..Change::new(1, Step::Recalled, Leg::Legacy)
        };
        tell(&mut journal, "A", &recalled);
        let standing = &journal.chargers["A"];
        assert_eq!(standing.authority, Leg::Legacy);
        assert!(standing.is_admitted() && !standing.is_mediated());
    }

    #[test]
    fn names_of_every_class_are_kept_and_older_journals_are_read() {
        let old: Carried = serde_json::from_str(r#"{"wire":"1","from":"1","to":"2"}"#).unwrap();
        assert_eq!(old, Carried::transaction("1", "1", "2"));
        let reservation = Carried {
            class: Class::ReservationId,
            ..old
        };
        let text = serde_json::to_string(&reservation).unwrap();
        assert!(text.contains(r#""class":"reservationId""#), "{text}");
        assert_eq!(serde_json::from_str::<Carried>(&text).unwrap(), reservation);
        let standing = |open: Vec<Carried>| Standing {
            authority: Leg::Candidate,
            switch: 1,
            step: Step::Done,
            at: 1,
            open,
        };
        assert!(standing(vec![reservation.clone()]).is_mediated());
        let own = Carried::transaction("t", "t", "t");
        assert!(!standing(vec![own.clone()]).is_mediated());
        assert!(standing(vec![own, reservation]).is_mediated());
    }
}
