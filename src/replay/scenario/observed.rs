//! What the tap recorded of the scenarios, and what the judge makes of it: read as it grows, judged as it is read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Leg, Reader, RecordingError};
use crate::judge::{Judge, Rules};
use crate::ledger::row::{Command, Divergence, Exchange, Handshake, Row, Session, Subject};
use crate::ocpp::{Envelope, MessageType};

/// Facts that are read at once.
const PAGE: usize = 4_000;

/// A recording, followed.
pub struct Observed {
    reader: Reader,
    judge: Judge,
    seq: u64,
    texts: BTreeMap<u64, String>,
    /// The charger's CALLs and the commands that it heard, by charger and message id, in order.
    calls: HashMap<(String, String), Vec<u64>>,
    /// CALLs and SENDs of which a copy went to the candidate.
    copied: HashSet<u64>,
    /// Commands that the charger heard, in order: charger, fact.
    ordered: Vec<(String, u64)>,
    /// Commands of the candidate's, in order: charger, action, fact.
    fenced: Vec<(String, String, u64)>,
    exchanges: BTreeMap<u64, Exchange>,
    commands: Vec<Command>,
    handshakes: Vec<Handshake>,
    sessions: BTreeMap<u64, Session>,
    divergences: Vec<Divergence>,
}

impl Observed {
    /// Follows the recording in `dir` from its beginning.
    pub fn open(dir: &Path, rules: Rules) -> Result<Self, RecordingError> {
        Ok(Self {
            reader: Reader::open(dir)?,
            judge: Judge::new(rules),
            seq: 0,
            texts: BTreeMap::new(),
            calls: HashMap::new(),
            copied: HashSet::new(),
            ordered: Vec::new(),
            fenced: Vec::new(),
            exchanges: BTreeMap::new(),
            commands: Vec::new(),
            handshakes: Vec::new(),
            sessions: BTreeMap::new(),
            divergences: Vec::new(),
        })
    }

    /// Whether anything was recorded by the last time that it was read.
    pub const fn has_begun(&self) -> bool {
        self.seq > 0
    }

    /// Reads and judges what has come since.
    pub fn read(&mut self) -> Result<(), RecordingError> {
        loop {
            let facts = self.reader.read(self.seq, PAGE)?;
            let Some(last) = facts.last() else {
                return Ok(());
            };
            self.seq = last.seq;
            for fact in &facts {
                self.hear(fact);
            }
        }
    }

    fn hear(&mut self, fact: &Fact) {
        if matches!(fact.kind, Kind::Message | Kind::ShadowReceived) {
            let text = String::from_utf8_lossy(&fact.body).into_owned();
            self.index(fact, &text);
            self.texts.insert(fact.seq, text);
        }
        if fact.kind == Kind::ShadowSent {
            self.copied.insert(fact.cause);
        }
        let mut rows = Vec::new();
        self.judge.feed(fact, &mut |row| rows.push(row));
        for row in rows {
            match row {
                Row::Exchange(row) => drop(self.exchanges.insert(row.id, row)),
                Row::Command(row) => self.commands.push(row),
                Row::Handshake(row) => self.handshakes.push(row),
                Row::Session(row) => drop(self.sessions.insert(row.id, *row)),
                Row::Divergence(row) => self.divergences.push(row),
                _ => {}
            }
        }
    }

    fn index(&mut self, fact: &Fact, text: &str) {
        let Ok(envelope) = Envelope::parse(text) else {
            return;
        };
        if !matches!(envelope.kind, MessageType::Call | MessageType::Send) {
            return;
        }
        let charger = fact.charger.to_string();
        if fact.kind == Kind::ShadowReceived {
            let action = envelope.action.into_owned();
            self.fenced.push((charger, action, fact.seq));
            return;
        }
        let id = if fact.dir == Some(Dir::FromCharger) {
            envelope.id.into_owned()
        } else {
            self.ordered.push((charger.clone(), fact.seq));
            // The two ends choose ids for themselves: one may have what the other has.
            heard(&envelope.id)
        };
        self.calls.entry((charger, id)).or_default().push(fact.seq);
    }

    /// A text message.
    pub fn text(&self, seq: u64) -> Option<&str> {
        self.texts.get(&seq).map(String::as_str)
    }

    /// The fact of a charger's CALL: the one with this message id, or a later one with the same.
    pub fn call(&self, charger: &str, id: &str, nth: usize) -> Option<u64> {
        let key = (charger.to_owned(), id.to_owned());
        self.calls.get(&key)?.get(nth).copied()
    }

    /// The fact of a command that the charger heard under this message id.
    pub fn heard(&self, charger: &str, id: &str) -> Option<u64> {
        self.call(charger, &heard(id), 0)
    }

    /// The candidate's commands of an action, in order.
    pub fn fenced(&self, charger: &str, action: &str, after: u64) -> Vec<u64> {
        let is_it = |it: &&(String, String, u64)| it.0 == charger && it.1 == action && it.2 > after;
        self.fenced.iter().filter(is_it).map(|it| it.2).collect()
    }

    /// Whether a copy of a message of the charger's went to the candidate.
    pub fn is_copied(&self, seq: u64) -> bool {
        self.copied.contains(&seq)
    }

    /// The last command after this fact, of either backend, of which nothing is judged yet: it has no twin so far.
    pub fn alone(&self, charger: &str, after: u64) -> Option<u64> {
        let heard = self.ordered.iter().map(|(of, seq)| (of, *seq));
        let fenced = self.fenced.iter().map(|(of, _, seq)| (of, *seq));
        heard
            .chain(fenced)
            .filter(|(of, seq)| *of == charger && *seq > after && self.command(*seq).is_none())
            .map(|(_, seq)| seq)
            .max()
    }

    /// What was judged of a CALL.
    pub fn exchange(&self, seq: u64) -> Option<&Exchange> {
        self.exchanges.get(&seq)
    }

    /// What was judged of a command that either sent.
    pub fn command(&self, seq: u64) -> Option<&Command> {
        self.commands
            .iter()
            .rfind(|row| seq != 0 && (row.ours == seq || row.theirs == seq))
    }

    /// What was judged of a charger in a time besides its CALLs.
    pub fn exchanges<'a>(
        &'a self,
        charger: &'a str,
        (from, to): (Micros, Micros),
    ) -> impl Iterator<Item = &'a Exchange> {
        let is_it = move |at: Micros, of: &str| of == charger && (from..=to).contains(&at);
        self.exchanges
            .values()
            .filter(move |row| is_it(row.at, &row.charger))
    }

    /// Commands of a charger in a time.
    pub fn commands<'a>(
        &'a self,
        charger: &'a str,
        (from, to): (Micros, Micros),
    ) -> impl Iterator<Item = &'a Command> {
        self.commands
            .iter()
            .filter(move |row| row.charger == charger && (from..=to).contains(&row.at))
    }

    /// Handshakes of a charger in a time.
    pub fn handshakes<'a>(
        &'a self,
        charger: &'a str,
        (from, to): (Micros, Micros),
    ) -> impl Iterator<Item = &'a Handshake> {
        self.handshakes
            .iter()
            .filter(move |row| row.charger == charger && (from..=to).contains(&row.at))
    }

    /// Sessions of a charger that began in a time, in order.
    pub fn sessions<'a>(
        &'a self,
        charger: &'a str,
        (from, to): (Micros, Micros),
    ) -> impl Iterator<Item = &'a Session> {
        self.sessions
            .values()
            .filter(move |row| row.charger == charger && (from..=to).contains(&row.at))
    }

    /// Where one of them differs.
    pub fn divergences(&self, subject: Subject, id: u64) -> impl Iterator<Item = &Divergence> {
        self.divergences
            .iter()
            .filter(move |row| row.subject == subject && row.id == id)
    }

    /// The payload of a message, or the code of a CALLERROR.
    pub fn said(&self, seq: u64) -> Option<Result<&str, String>> {
        let envelope = Envelope::parse(self.text(seq)?).ok()?;
        Some(match envelope.kind {
            MessageType::CallError => Err(envelope.code.into_owned()),
            _ => Ok(envelope.payload),
        })
    }

    /// The texts with which a leg answered, or commanded.
    pub const fn leg_of(exchange: &Exchange, leg: Leg) -> u64 {
        match leg {
            Leg::Legacy => exchange.answer,
            Leg::Candidate => exchange.shadow,
        }
    }
}

fn heard(id: &str) -> String {
    format!("< {id}")
}
