//! What came last before a command: the message of the charger, or its connection.
//!
//! Backends command because something happened. What a leg was told last is the best guess at what that was, and how
//! long ago it was says how long the other backend may take.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::heard::Heard;
use crate::clock::Micros;
use crate::facts::Fact;
use crate::ledger::row;
use crate::ocpp::json::{self, Step};

/// How many messages of a connection are remembered until their copies have gone to the shadow.
const MOST: usize = 4;

/// The longest word of a charger that is repeated.
const LONGEST: usize = 24;

/// What is said when nothing but the connection came before.
const CONNECT: &str = "connect";

/// What one connection was told last.
#[derive(Debug, Clone, Default)]
pub(super) struct Triggers {
    recent: VecDeque<Trigger>,
    /// What the shadow was told last.
    shadow: Option<Trigger>,
    /// The shadow's leg was open at some time.
    pub(super) joined: bool,
}

/// Something that a backend was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trigger {
    /// The charger's message, or its connection.
    pub(super) fact: u64,
    /// When this backend was told, µs.
    pub(super) at: Micros,
    /// When the other one was told, µs; `None` if it was not.
    pub(super) other: Option<Micros>,
    what: String,
}

impl Triggers {
    /// The charger connected.
    pub(super) fn opened(&mut self, fact: &Fact) {
        let trigger = self.next();
        trigger.fact = fact.seq;
        trigger.at = fact.at;
        CONNECT.clone_into(&mut trigger.what);
    }

    /// The shadow's leg opened.
    pub(super) fn joined(&mut self, at: Micros) {
        self.joined = true;
        let connect = self.recent.iter_mut().find(|it| it.what == CONNECT);
        let fact = connect.map_or(0, |connect| {
            connect.other.get_or_insert(at);
            connect.fact
        });
        let what = CONNECT.to_owned();
        self.shadow = Some(Trigger {
            fact,
            at,
            other: Some(at),
            what,
        });
    }

    /// A CALL of the charger's.
    pub(super) fn heard(&mut self, fact: &Fact, call: &Heard<'_>) {
        let trigger = self.next();
        trigger.fact = fact.seq;
        trigger.at = fact.at;
        call.action.as_ref().clone_into(&mut trigger.what);
        if let Some(word) = word(call) {
            trigger.what.push(' ');
            trigger.what.push_str(&word);
        }
    }

    /// A copy went to the shadow, or what the tap made up; `action` is what it is.
    pub(super) fn sent(&mut self, fact: &Fact, action: &str) {
        let known = self.recent.iter_mut().find(|it| it.fact == fact.cause);
        let shadow = self.shadow.get_or_insert_default();
        if let Some(known) = known.filter(|_| fact.cause != 0) {
            known.other.get_or_insert(fact.at);
            shadow.what.clone_from(&known.what);
        } else {
            action.clone_into(&mut shadow.what);
        }
        shadow.fact = fact.cause;
        shadow.at = fact.at;
        shadow.other = Some(fact.at);
    }

    /// What the authority (`ours`) or the shadow was told last.
    pub(super) fn last(&self, ours: bool) -> Option<&Trigger> {
        if ours {
            self.recent.back()
        } else {
            self.shadow.as_ref()
        }
    }

    /// The place for the next message; texts are written over, not made anew.
    fn next(&mut self) -> &mut Trigger {
        let mut trigger = match self.recent.len() {
            MOST => self.recent.pop_front().unwrap_or_default(),
            _ => Trigger::default(),
        };
        trigger.other = None;
        self.recent.push_back(trigger);
        let last = self.recent.len() - 1;
        &mut self.recent[last]
    }
}

impl Trigger {
    /// How long before `at` the backend was told, µs.
    pub(super) fn delay(&self, at: Micros) -> Micros {
        (at - self.at).max(0)
    }

    /// For the ledger, beside a command that came `at`.
    pub(super) fn row(&self, at: Micros) -> row::Trigger {
        row::Trigger {
            what: self.what.clone(),
            fact: self.fact,
            delay_us: self.delay(at),
        }
    }
}

/// What decides which of several messages with one name it is, if it is a plain word.
fn word<'a>(call: &Heard<'a>) -> Option<Cow<'a, str>> {
    let keys: &[&'static str] = match call.action.as_ref() {
        "StatusNotification" => &["status", "connectorStatus"],
        "TransactionEvent" => &["eventType"],
        _ => return None,
    };
    let literal = keys
        .iter()
        .find_map(|key| call.fields().first(&[Step::Key(key)]))?;
    let word = json::string_value(literal)?;
    let is_plain = word.len() <= LONGEST && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Kind;

    fn fact(kind: Kind, seq: u64, at: Micros) -> Fact {
        Fact {
            seq,
            ..Fact::new(kind, at)
        }
    }

    #[test]
    fn what_a_leg_was_told_last_is_its_trigger() {
        let mut triggers = Triggers::default();
        triggers.opened(&fact(Kind::ConnOpened, 1, 10));
        assert_eq!(triggers.last(true).unwrap().row(15).what, "connect");
        assert_eq!(triggers.last(false), None);
        triggers.joined(20);
        let text = r#"[2,"1","StatusNotification",{"status":"Faulted"}]"#;
        let call = Heard::parse(text).unwrap();
        triggers.heard(&fact(Kind::Message, 2, 30), &call);
        let ours = triggers.last(true).unwrap();
        assert_eq!(ours.row(35).what, "StatusNotification Faulted");
        assert_eq!((ours.row(35).delay_us, ours.other), (5, None));
        assert_eq!(triggers.last(false).unwrap().row(35).what, "connect");
        triggers.sent(&fact(Kind::ShadowSent, 3, 40).because(2), "");
        assert_eq!(triggers.last(true).unwrap().other, Some(40));
        let theirs = triggers.last(false).unwrap().row(41);
        assert_eq!(theirs.what, "StatusNotification Faulted");
        assert_eq!((theirs.fact, theirs.delay_us), (2, 1));
    }

    #[test]
    fn little_is_remembered_and_no_odd_words() {
        let mut triggers = Triggers::default();
        for seq in 1..=9 {
            let text = r#"[2,"1","StatusNotification",{"status":"\u001b[2J"}]"#;
            let call = Heard::parse(text).unwrap();
            triggers.heard(&fact(Kind::Message, seq, 1), &call);
        }
        assert_eq!(triggers.recent.len(), MOST);
        let last = triggers.last(true).unwrap();
        assert_eq!((last.fact, last.what.as_str()), (9, "StatusNotification"));
    }
}
