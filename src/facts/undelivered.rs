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

/// What a run of facts changes in the list, and which legs are open: what an open leg has just sent may not be on disk.
#[derive(Debug, Default)]
pub(super) struct Changes<'f> {
    /// By message, whether it is owed (again) or not any more.
    owed: BTreeMap<u64, Owed>,
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

impl<'f> Changes<'f> {
    /// Takes the next fact.
    pub(super) fn take(&mut self, fact: &'f Fact) {
        match fact.kind {
            Kind::Message if is_kept(fact) => {
                self.owed.insert(fact.seq, Owed::New);
            }
            Kind::ShadowSent | Kind::ShadowWithheld if fact.cause != 0 && names_one(&fact.note) => {
                // What is over within one run of facts, as nearly everything is, was never written.
                if self.owed.get(&fact.cause) == Some(&Owed::New) {
                    self.owed.remove(&fact.cause);
                } else {
                    self.owed.insert(fact.cause, Owed::No);
                }
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
                }
            }
            _ => {}
        }
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
