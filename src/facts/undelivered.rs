//! Which charger messages a shadow backend has not been sent yet and a charger would keep: after a restart they are still
//! owed. They may be hours old, so the writer keeps a list of them instead of searching later.

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

/// What a run of facts changes in the list: by message, whether it is owed (again) or not any more.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<u64, Owed>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// New in this run of facts.
    New,
    /// Sent before, and the connection ended without an answer.
    Again,
    /// Sent or withheld.
    No,
}

impl Changes {
    /// Takes the next fact.
    pub(super) fn take(&mut self, fact: &Fact) {
        match fact.kind {
            Kind::Message if is_kept(fact) => {
                self.0.insert(fact.seq, Owed::New);
            }
            Kind::ShadowSent | Kind::ShadowWithheld if fact.cause != 0 && names_one(&fact.note) => {
                // What is over within one run of facts, as nearly everything is, was never written.
                if self.0.get(&fact.cause) == Some(&Owed::New) {
                    self.0.remove(&fact.cause);
                } else {
                    self.0.insert(fact.cause, Owed::No);
                }
            }
            Kind::ShadowClosed => {
                if let Some(seq) = fact.note_json()["again"].as_u64() {
                    self.0.insert(seq, Owed::Again);
                }
            }
            _ => {}
        }
    }

    /// Writes the changes.
    pub(super) fn write(self, db: &Connection) -> rusqlite::Result<()> {
        let mut add = db.prepare_cached("INSERT OR REPLACE INTO undelivered VALUES (?1, ?2)")?;
        let mut remove = db.prepare_cached("DELETE FROM undelivered WHERE seq = ?1")?;
        for (seq, owed) in self.0 {
            match owed {
                Owed::New => add.execute(params![seq as i64, false])?,
                Owed::Again => add.execute(params![seq as i64, true])?,
                Owed::No => remove.execute([seq as i64])?,
            };
        }
        Ok(())
    }
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
