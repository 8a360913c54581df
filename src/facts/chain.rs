//! The chain of human notes: each note's hash covers the note before it.
//!
//! Decisions and triage notes follow from no traffic, so nothing else could tell that one was altered, removed or put in
//! later. The chain cannot tell that its last notes are missing: who keeps its head elsewhere can.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Fact, Kind, Reader, Recorder, RecordingError};
use crate::clock::Micros;

/// Kinds of facts that are notes: what people decide, say and ask, and what the programs did that decisions run.
const CHAINED: [Kind; 4] = [Kind::Decision, Kind::Triage, Kind::HookRan, Kind::Revealed];

/// What the first note names as the one before it.
pub const BEGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The note of a fact in the chain; what was said is its body.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Link {
    /// Hash of the note before; 64 hexadecimal digits.
    prev: String,
    /// SHA-256 over `prev`, the kind's word, the time and the body, a line feed after each but the last.
    hash: String,
}

/// How far the chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Notes in it.
    pub notes: u64,
    /// Hash of the last one that fits.
    pub head: String,
    /// The first fact that does not fit the one before it, if any.
    pub broken: Option<u64>,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            notes: 0,
            head: BEGIN.to_owned(),
            broken: None,
        }
    }
}

impl Chain {
    /// The chain of a recording.
    pub fn of(reader: &Reader) -> Result<Self, RecordingError> {
        let mut chain = Self::default();
        for fact in &notes(reader)? {
            chain.add(fact);
        }
        Ok(chain)
    }

    /// Holds the next note against the chain. Facts of other kinds are none of its business.
    pub fn add(&mut self, fact: &Fact) {
        if !CHAINED.contains(&fact.kind) {
            return;
        }
        self.notes += 1;
        let link: Link = serde_json::from_str(&fact.note).unwrap_or_default();
        if self.broken.is_some() {
            return;
        }
        if link.prev == self.head && link.hash == hash(&link.prev, fact) {
            self.head = link.hash;
        } else {
            self.broken = Some(fact.seq);
        }
    }

    /// The fact as the next link: nothing of it but its sequence number may change any more.
    #[must_use]
    pub fn seal(&self, fact: Fact) -> Fact {
        let link = Link {
            prev: self.head.clone(),
            hash: hash(&self.head, &fact),
        };
        fact.note(&link)
    }
}

/// All notes of a recording, in order.
pub fn notes(reader: &Reader) -> Result<Vec<Fact>, RecordingError> {
    let mut notes = Vec::new();
    for kind in CHAINED {
        notes.extend(reader.of_kind(kind, 0, i64::MAX as usize)?);
    }
    notes.sort_by_key(|fact| fact.seq);
    Ok(notes)
}

/// Why a note is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// The chain was tampered with: another link would hide it.
    #[error("the chain of notes is broken at fact {0}")]
    Broken(u64),
    /// The recorder takes nothing more for now, or is closing.
    #[error("the recorder takes no notes at the moment")]
    NoRoom,
}

/// Writes notes into a recording. There is one for each recorder: two would both hold the same link for the last.
pub struct Scribe {
    recorder: Recorder,
    chain: Chain,
}

impl Scribe {
    /// Goes on where the chain of the recording ends, which `recorder` has open and `reader` reads.
    pub fn new(recorder: Recorder, reader: &Reader) -> Result<Self, RecordingError> {
        let chain = Chain::of(reader)?;
        Ok(Self { recorder, chain })
    }

    /// Hands the next note to the recorder; returns its sequence number. It is written once that is committed.
    pub fn write(&mut self, kind: Kind, at: Micros, body: String) -> Result<u64, Unwritten> {
        if let Some(broken) = self.chain.broken {
            return Err(Unwritten::Broken(broken));
        }
        let mut fact = self.chain.seal(Fact::new(kind, at).body(body));
        fact.seq = (self.recorder.record(fact.clone())).ok_or(Unwritten::NoRoom)?;
        self.chain.add(&fact);
        Ok(fact.seq)
    }

    /// The recorder that the notes go to.
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

fn hash(prev: &str, fact: &Fact) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    hash.update(format!("{prev}\n{}\n{}\n", fact.kind, fact.at));
    hash.update(&fact.body);
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chained(bodies: &[&str]) -> Vec<Fact> {
        let mut chain = Chain::default();
        let mut facts = Vec::new();
        for (number, body) in bodies.iter().enumerate() {
            let kind = [Kind::Triage, Kind::Decision][number % 2];
            let mut fact = chain.seal(Fact::new(kind, number as i64).body(*body));
            fact.seq = number as u64 + 1;
            chain.add(&fact);
            facts.push(fact);
        }
        assert_eq!(chain.broken, None);
        facts
    }

    fn broken(facts: &[Fact]) -> Option<u64> {
        let mut chain = Chain::default();
        for fact in facts {
            chain.add(fact);
        }
        chain.broken
    }

    #[test]
    fn a_note_that_was_altered_removed_or_moved_breaks_the_chain() {
        let facts = chained(&["one", "two", "three"]);
        assert_eq!(broken(&facts), None);
        let altered = |change: fn(&mut Fact)| {
            let mut facts = facts.clone();
            change(&mut facts[1]);
            broken(&facts)
        };
        assert_eq!(altered(|fact| fact.body = b"owt".to_vec()), Some(2));
        assert_eq!(altered(|fact| fact.at += 1), Some(2));
        assert_eq!(altered(|fact| fact.kind = Kind::Triage), Some(2));
        assert_eq!(altered(|fact| fact.note.clear()), Some(2));
        assert_eq!(broken(&[facts[0].clone(), facts[2].clone()]), Some(3));
        assert_eq!(broken(&facts[1..]), Some(2));
    }
}
