//! Which charger messages a shadow backend has not been sent yet, or has not answered, and a charger would keep: after a
//! restart they are still owed. They may be hours old, so the writer keeps lists of them instead of searching later.

use std::collections::BTreeMap;

use memchr::memmem;
use rusqlite::{Connection, params};

use super::{Dir, Fact, Kind};
use crate::ocpp::{Envelope, MessageType, Version, actions};

/// How far into a message its action may begin: see [`super::landmark`].
const HEAD: usize = 128;

/// The actions that a charger may keep, each in the versions that have it.
const ACTIONS: [&str; 4] = [
    "StartTransaction\"",
    "StopTransaction\"",
    "MeterValues\"",
    "TransactionEvent\"",
];

/// What a run of facts changes in the lists, and which legs are open: what an open leg has just sent may not be on disk.
#[derive(Debug, Default)]
pub(super) struct Changes<'f> {
    /// The first fact of the run.
    first: u64,
    /// By message, whether it is owed (again) or not any more.
    owed: BTreeMap<u64, Owed>,
    /// Messages that were sent and not answered.
    waits: Waits,
    /// By connection, the fact of a leg that opened; `None` for one that ended.
    legs: BTreeMap<u64, Option<&'f Fact>>,
    /// The shadow plane began anew: no leg of before is open.
    anew: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// New in this run of facts.
    New,
    /// Sent before, and the connection ended without an answer.
    Again,
    /// Sent or withheld.
    No,
}

/// Messages that were sent and not answered: a charger that restarted would send them again.
#[derive(Debug, Default)]
struct Waits {
    /// By message, the `ShadowSent` that no answer is known to.
    since: BTreeMap<u64, Wait>,
    /// The message of each such `ShadowSent`.
    of: BTreeMap<u64, u64>,
    /// `ShadowSent` facts of earlier runs that wait no more.
    answered: Vec<u64>,
    /// Messages that wait no more.
    over: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    sent: u64,
    /// This run of facts says that the message is one that a charger keeps; else only the lists on disk may.
    is_known: bool,
}

impl Waits {
    fn sent(&mut self, message: u64, wait: Wait) {
        self.of.insert(wait.sent, message);
        if let Some(before) = self.since.insert(message, wait) {
            self.of.remove(&before.sent);
        }
    }

    /// `sent` was answered, or the answer is not waited for any longer.
    fn answered(&mut self, sent: u64, first: u64) {
        if let Some(message) = self.of.remove(&sent) {
            let wait = self.since.remove(&message);
            // What is known by this run alone was never written.
            if wait.is_some_and(|wait| !wait.is_known) {
                self.over.push(message);
            }
        } else if sent < first {
            self.answered.push(sent);
        }
    }

    /// The message has another fate.
    fn over(&mut self, message: u64) {
        if let Some(wait) = self.since.remove(&message) {
            self.of.remove(&wait.sent);
        }
        self.over.push(message);
    }

    /// Writes the changes. Which messages were owed before is still on disk.
    fn write(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut remove = db.prepare_cached("DELETE FROM unanswered WHERE seq = ?1")?;
        for message in &self.over {
            remove.execute([*message as i64])?;
        }
        let mut remove = db.prepare_cached("DELETE FROM unanswered WHERE sent = ?1")?;
        for sent in &self.answered {
            remove.execute([*sent as i64])?;
        }
        let mut add = db.prepare_cached(
            "INSERT OR REPLACE INTO unanswered SELECT ?1, ?2 WHERE ?3
               OR EXISTS (SELECT 1 FROM undelivered WHERE seq = ?1)
               OR EXISTS (SELECT 1 FROM unanswered WHERE seq = ?1)",
        )?;
        for (message, wait) in &self.since {
            add.execute(params![*message as i64, wait.sent as i64, wait.is_known])?;
        }
        Ok(())
    }
}

impl<'f> Changes<'f> {
    /// Takes the next fact.
    pub(super) fn take(&mut self, fact: &'f Fact) {
        if self.first == 0 {
            self.first = fact.seq;
        }
        match fact.kind {
            Kind::Message if is_kept(fact) => {
                self.owed.insert(fact.seq, Owed::New);
            }
            Kind::ShadowSent | Kind::ShadowWithheld if fact.cause != 0 && names_one(&fact.note) => {
                self.settle(fact);
            }
            Kind::ShadowReceived | Kind::ShadowSilent if fact.cause != 0 && !is_repeated(fact) => {
                self.waits.answered(fact.cause, self.first);
            }
            Kind::PlaneStarted => {
                self.anew = true;
                self.legs.clear();
            }
            Kind::ShadowOpened => {
                self.legs.insert(fact.conn, Some(fact));
            }
            Kind::ShadowClosed => {
                self.legs.insert(fact.conn, None);
                if let Some(seq) = fact.note_json()["again"].as_u64() {
                    self.owed.insert(seq, Owed::Again);
                    self.waits.over(seq);
                }
            }
            _ => {}
        }
    }

    /// A message was sent, or withheld.
    fn settle(&mut self, fact: &Fact) {
        let message = fact.cause;
        let before = self.owed.get(&message).copied();
        // What is sent within one run of facts, as nearly everything is, was never written.
        if before == Some(Owed::New) {
            self.owed.remove(&message);
        } else {
            self.owed.insert(message, Owed::No);
        }
        if fact.kind == Kind::ShadowWithheld {
            self.waits.over(message);
            return;
        }
        let is_known = matches!(before, Some(Owed::New | Owed::Again))
            || self
                .waits
                .since
                .get(&message)
                .is_some_and(|wait| wait.is_known);
        let sent = fact.seq;
        self.waits.sent(message, Wait { sent, is_known });
    }

    /// Writes the changes.
    pub(super) fn write(self, db: &Connection) -> rusqlite::Result<()> {
        if self.anew {
            db.execute("DELETE FROM open_legs", [])?;
        }
        for (conn, opened) in self.legs {
            match opened {
                Some(leg) => db
                    .prepare_cached("INSERT OR REPLACE INTO open_legs VALUES (?1, ?2, ?3)")?
                    .execute(params![conn as i64, &*leg.charger, leg.at])?,
                None => db
                    .prepare_cached("DELETE FROM open_legs WHERE conn = ?1")?
                    .execute([conn as i64])?,
            };
        }
        self.waits.write(db)?;
        let mut add = db.prepare_cached("INSERT OR REPLACE INTO undelivered VALUES (?1, ?2)")?;
        let mut remove = db.prepare_cached("DELETE FROM undelivered WHERE seq = ?1")?;
        for (seq, owed) in self.owed {
            match owed {
                Owed::New => add.execute(params![seq as i64, false])?,
                Owed::Again => add.execute(params![seq as i64, true])?,
                Owed::No => remove.execute([seq as i64])?,
            };
        }
        Ok(())
    }
}

/// Whether the CALL goes again because of this answer, or for want of one: a charger would still hold it.
fn is_repeated(fact: &Fact) -> bool {
    !fact.note.is_empty() && fact.note_json()["retry"] == true
}

fn names_one(text: &str) -> bool {
    ACTIONS
        .iter()
        .any(|action| memmem::find(text.as_bytes(), action.as_bytes()).is_some())
}

/// Whether a charger would keep this message while it is offline, in whatever version that has its action.
fn is_kept(fact: &Fact) -> bool {
    if fact.dir != Some(Dir::FromCharger) {
        return false;
    }
    let head = &fact.body[..fact.body.len().min(HEAD)];
    if !ACTIONS
        .iter()
        .any(|action| memmem::find(head, action.as_bytes()).is_some())
    {
        return false;
    }
    fact.text()
        .and_then(|text| Envelope::parse(text).ok())
        .is_some_and(|call| {
            call.kind == MessageType::Call
                && [Version::V16, Version::V201]
                    .iter()
                    .any(|version| actions::is_transactional(*version, &call.action, call.payload))
        })
}
