//! Sessions, three ways: what the charger told, what legacy booked, what the candidate booked.
//!
//! A session waits here from its end until both backends' records of it have been read and nothing more came for a while,
//! or until they are overdue. Time passes only as facts say. A record that comes after the verdict is weighed again; what
//! was found stays found. Nobody who was not asked is missing anything: a backend whose records were not read after a
//! session ended cannot lack it.

mod agenda;
mod amounts;
mod bias;
mod book;
mod case;
mod evidence;
mod fault;
mod join;
mod money;
mod settings;
mod trial;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exchanges::Bench;
use super::heard::Heard;
use super::notes;
use super::records::{Reading, Record, RecordKind, Sweep};
use super::wire::{self, Told, Wires};
use crate::clock::Micros;
use crate::facts::{Dir, Fact, Leg};
use crate::ledger::row::{Reason, Row};
use crate::ocpp::MessageType;
use agenda::Agenda;
use bias::Bias;
use case::Case;
use join::{Index, Joined};
pub use join::{Place, Places};
pub use settings::{Settings, SettingsError};
pub(super) use verdict::STOPPED;

const SECOND: Micros = 1_000_000;
const HOUR: Micros = 3_600 * SECOND;
const DAY: Micros = 24 * HOUR;

/// How long a session waits for records that nobody reads, µs.
const KEEP: Micros = 14 * DAY;

/// How long a judged session can still be corrected, µs.
const KEPT: Micros = 2 * DAY;

/// How many sessions of one charger wait at once: two weeks of a busy one.
const MOST_WAITING: usize = 512;

/// How many records wait for their session.
const MOST_LOOSE: usize = 20_000;

/// A record's backend, kind and identifier.
type Key = (Leg, RecordKind, String);

/// What has been read of one backend.
#[derive(Debug, Default)]
struct Source {
    /// When sessions and CDRs were read last, µs: to the end, by a reader that says so.
    read: BTreeMap<RecordKind, Micros>,
    /// Its reader says when it has been through; one that is pushed to has no end.
    sweeps: bool,
    /// When sessions that wait for it were looked at last, µs.
    woken: Option<Micros>,
    gives_cdrs: bool,
}

impl Source {
    /// What is expected of it in the end: CDRs if it has given any, or is asked for them where the other one gives some.
    fn gives(&self, other: &Self) -> RecordKind {
        let is_asked = self.read.contains_key(&RecordKind::Cdr);
        if self.gives_cdrs || (other.gives_cdrs && is_asked) {
            RecordKind::Cdr
        } else {
            RecordKind::Session
        }
    }

    /// Whether records of a kind were read late enough to have a session that ended then.
    fn was_read(&self, kind: RecordKind, ended: Micros, quiet: Micros) -> bool {
        let read = self.read.get(&kind);
        read.is_some_and(|read| *read > ended + quiet)
    }
}

/// All sessions that are not forgotten.
#[derive(Debug, Default)]
pub(super) struct Parity {
    settings: Settings,
    wires: Wires,
    reading: Reading,
    /// When the recording begins, µs.
    began: Option<Micros>,
    /// Boxed: a tree of sessions that are added at its end stays half empty.
    cases: BTreeMap<u64, Box<Case>>,
    index: Index,
    /// Records without a session, with the time of their last news.
    loose: BTreeMap<Key, (Micros, Record)>,
    /// Sessions of session objects, for the CDRs that name them.
    linked: BTreeMap<(Leg, String), u64>,
    due_records: BTreeSet<(Micros, Key)>,
    due_cases: Agenda,
    /// Sessions whose records are overdue, of a backend that has not been read since.
    unread: BTreeSet<u64>,
    legacy: Source,
    candidate: Source,
    /// Chargers of which frames were lost: a session may have been among them.
    lossy: BTreeSet<Arc<str>>,
    bias: Bias,
}

impl Parity {
    /// A judge of sessions under what the operator says.
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// A message between charger and authority.
    pub(super) fn message(&mut self, fact: &Fact, heard: &Heard<'_>, bench: &mut Bench<'_>) {
        match (fact.dir, heard.kind) {
            (Some(Dir::FromCharger), MessageType::Call) if wire::concerns(&heard.action) => {
                let origin = bench.world.origin(fact);
                self.wires.call(fact, heard, &origin);
            }
            (Some(Dir::ToCharger), kind) if kind.is_answer() => {
                let authority = bench.world.conn(fact).authority;
                self.wires.answer(fact, heard, authority);
            }
            _ => return,
        }
        self.take(fact.at, bench);
    }

    /// An identifier pair was learned.
    pub(super) fn learned(&mut self, fact: &Fact, note: &notes::Learned) {
        self.wires
            .learned(fact, &note.class, &note.authority, &note.shadow);
    }

    /// Frames of a charger, or of any, were lost.
    pub(super) fn gap(&mut self, fact: &Fact, bench: &Bench<'_>) {
        let charger = (fact.conn != 0).then_some(&fact.charger);
        self.wires.gap(charger);
        match charger {
            Some(charger) => drop(self.lossy.insert(Arc::clone(charger))),
            None => self.lossy.extend(bench.world.chargers.names().cloned()),
        }
    }

    /// A connection ended, or all of them: what was asked there is not answered.
    pub(super) fn cut(&mut self, fact: &Fact) {
        self.wires.cut((fact.conn != 0).then_some(fact.conn));
    }

    /// A record was read from a backend.
    pub(super) fn record(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        match self.reading.read(fact) {
            Ok(mut record) => {
                let (leg, kind) = (record.leg, record.source.kind);
                let source = self.source(leg);
                if source.sweeps {
                    record.absent = source.read.get(&kind).copied();
                } else {
                    self.heard_of(leg, kind, fact.at);
                }
                self.receive(fact.at, record, bench);
            }
            Err(_) => verdict::unplaced(fact.seq, fact.at, None, Reason::Opaque, bench),
        }
    }

    /// A reader has been through what a backend has: its records need not wait for more.
    pub(super) fn swept(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        let (Some(leg), Some(sweep)) = (fact.leg, Sweep::of(fact)) else {
            return;
        };
        self.source(leg).sweeps = true;
        // What lies behind the place where it broke off has not been read.
        if sweep.broken.is_none() {
            self.heard_of(leg, sweep.kind, fact.at);
        }
        let quiet = self.settings.quiet;
        let soon = |(due, (other, kind, _)): &(Micros, Key)| {
            *other == leg && *kind == sweep.kind && *due <= fact.at + quiet
        };
        let due: Vec<_> = self
            .due_records
            .iter()
            .filter(|it| soon(it))
            .cloned()
            .collect();
        for record in due {
            self.due_records.remove(&record);
            self.due_records.insert((fact.at, record.1));
        }
        self.expire(fact.at, bench);
    }

    /// Time passed.
    pub(super) fn expire(&mut self, now: Micros, bench: &mut Bench<'_>) {
        self.began.get_or_insert(now);
        self.wires.expire(now);
        self.take(now, bench);
        while self.due_records.first().is_some_and(|(due, _)| *due <= now)
            && let Some((_, key)) = self.due_records.pop_first()
        {
            self.place(&key, now, bench);
        }
        while let Some(id) = self.due_cases.next(now) {
            self.look(id, now, bench);
        }
    }

    fn source(&mut self, leg: Leg) -> &mut Source {
        match leg {
            Leg::Legacy => &mut self.legacy,
            Leg::Candidate => &mut self.candidate,
        }
    }

    /// A backend was read: whoever waits for it is looked at again, not more than once in a while.
    fn heard_of(&mut self, leg: Leg, kind: RecordKind, now: Micros) {
        let quiet = self.settings.quiet;
        let source = self.source(leg);
        source.read.insert(kind, now);
        if source.woken.is_none_or(|woken| woken + quiet <= now) {
            source.woken = Some(now);
            let waiting = std::mem::take(&mut self.unread);
            for id in waiting {
                self.due_cases.add(now + quiet, id);
            }
        }
    }

    fn receive(&mut self, now: Micros, mut record: Record, bench: &mut Bench<'_>) {
        let key = (record.leg, record.source.kind, record.source.id.clone());
        if let Some((_, before)) = self.loose.get(&key) {
            record.absent = before.absent;
        }
        self.source(record.leg).gives_cdrs |= record.source.kind == RecordKind::Cdr;
        while self.loose.len() >= MOST_LOOSE && !self.loose.contains_key(&key) {
            let Some((_, oldest)) = self.due_records.pop_first() else {
                break;
            };
            self.release(&oldest, now, Reason::TooMany, bench);
        }
        let quiet = self.settings.quiet;
        if let Some((since, _)) = self.loose.insert(key.clone(), (now, record)) {
            // It changed meanwhile, and waits again.
            self.due_records.remove(&(since + quiet, key.clone()));
        }
        self.due_records.insert((now + quiet, key));
    }

    /// Takes what the wire has told since: sessions that began or ended.
    fn take(&mut self, now: Micros, bench: &mut Bench<'_>) {
        for told in self.wires.begun() {
            (bench.out)(Row::Session(Box::new(verdict::bare(&told))));
        }
        for told in self.wires.closed() {
            (bench.out)(Row::Session(Box::new(verdict::bare(&told))));
            self.admit(told, now, bench);
        }
    }

    fn admit(&mut self, told: Told, now: Micros, bench: &mut Bench<'_>) {
        let charger = Arc::clone(&told.origin.charger);
        let (id, ended) = (told.id, told.ended);
        self.index.insert(&told);
        self.revive(&told, now);
        self.cases.insert(id, Box::new(Case::new(told)));
        let overdue = ended + 2 * self.settings.session_slo;
        self.due_cases.add(overdue, id);
        self.due_cases.add(ended + KEEP, id);
        if let Some(oldest) = self.index.oldest_beyond(MOST_WAITING, &charger) {
            if self.cases.get(&oldest).is_some_and(|case| !case.judged()) {
                self.judge(oldest, now, bench);
            }
            self.drop_case(oldest);
        }
    }

    /// Records that came before their session ended are tried again.
    fn revive(&mut self, told: &Told, now: Micros) {
        let token = told.token.as_deref().map(join::folded);
        let fits = |record: &Record| {
            let named = record.transaction.as_ref().or(Some(&record.source.id));
            named.is_some_and(|name| told.names.of(record.leg).contains(name))
                || record.charger.as_deref() == Some(told.origin.charger.as_ref())
                || record.token.uid.as_deref().map(join::folded) == token
        };
        let quiet = self.settings.quiet;
        let waiting = self.loose.iter();
        let due = waiting
            .filter(|(_, (_, record))| fits(record))
            .map(|(key, (since, _))| (now.max(since + quiet), key.clone()));
        self.due_records.extend(due);
    }

    /// Puts a record where it belongs.
    fn place(&mut self, key: &Key, now: Micros, bench: &mut Bench<'_>) {
        let Some((since, record)) = self.loose.get(key) else {
            return;
        };
        let place = self.settings.places.of(record);
        let charger = place.as_ref().map(|place| place.charger.as_str());
        let patience = if record.end.is_some() { DAY } else { KEEP };
        let mut open = self.wires.open(charger);
        if since + patience > now && open.any(|open| join::goes_on(record, open)) {
            // It is tried again when that session ends; an earlier one of the same driver is not it.
            self.due_records.insert((since + patience, key.clone()));
            return;
        }
        drop(open);
        let linked = record
            .session
            .as_ref()
            .and_then(|session| self.linked.get(&(record.leg, session.clone())))
            .copied()
            .or_else(|| self.holder(key));
        match self.index.find(record, linked, place.as_ref(), &self.cases) {
            Joined::One(id) => self.shelve(key, id, now),
            Joined::Several(ids) => {
                for id in ids {
                    if let Some(case) = self.cases.get_mut(&id) {
                        case.ambiguous = true;
                        self.due_cases.add(now, id);
                    }
                }
                self.release(key, now, Reason::Ambiguous, bench);
            }
            Joined::None => {
                let is_older = record.start.zip(self.began);
                if is_older.is_some_and(|(start, began)| start < began) {
                    self.release(key, now, Reason::ColdStart, bench);
                } else if since + patience <= now {
                    self.release(key, now, Reason::NoWire, bench);
                } else {
                    self.due_records.insert((since + patience, key.clone()));
                }
            }
        }
    }

    /// The session that has an earlier version of the record.
    fn holder(&self, (leg, kind, id): &Key) -> Option<u64> {
        if *kind == RecordKind::Session {
            return self.linked.get(&(*leg, id.clone())).copied();
        }
        None
    }

    fn shelve(&mut self, key: &Key, id: u64, now: Micros) {
        let Some((_, mut record)) = self.loose.remove(key) else {
            return;
        };
        let (leg, kind, name) = key.clone();
        if kind == RecordKind::Session {
            self.linked.insert((leg, name.clone()), id);
        }
        if let Some(case) = self.cases.get_mut(&id) {
            let records = case.shelf(leg);
            if let Some(before) = records.get(&(kind, name.clone())) {
                record.absent = before.absent;
            }
            records.insert((kind, name), record);
            case.news = true;
            self.due_cases.add(now, id);
        }
    }

    /// Gives up on a record, and says why.
    fn release(&mut self, key: &Key, now: Micros, reason: Reason, bench: &mut Bench<'_>) {
        let Some((_, record)) = self.loose.remove(key) else {
            return;
        };
        let place = self.settings.places.of(&record);
        let charger = place.map(|place| Arc::<str>::from(place.charger));
        let known = charger.filter(|charger| bench.world.chargers.get(charger).is_some());
        let reason = match &known {
            Some(charger) if reason == Reason::NoWire && self.lossy.contains(charger) => {
                Reason::ShadowGap
            }
            _ => reason,
        };
        match known {
            Some(charger) if reason == Reason::NoWire => {
                verdict::extra(&record, now, &charger, bench);
            }
            _ => verdict::unplaced(record.fact, now, Some(&record), reason, bench),
        }
    }

    /// Judges a session if it is time, or forgets it.
    fn look(&mut self, id: u64, now: Micros, bench: &mut Bench<'_>) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        if let Some(at) = case.judged_at.filter(|_| !case.news) {
            if at + KEPT <= now {
                self.drop_case(id);
            }
            return;
        }
        match self.ready_at(case, now, bench) {
            Some(at) if at <= now => self.judge(id, now, bench),
            Some(at) => self.due_cases.add(at, id),
            None => drop(self.unread.insert(id)),
        }
    }

    /// When a session can be judged; `None` if that depends on a backend being read.
    fn ready_at(&self, case: &Case, now: Micros, bench: &Bench<'_>) -> Option<Micros> {
        let ended = case.told.ended;
        if case.ambiguous || case.spoil(bench.world).is_some() || ended + KEEP <= now {
            return Some(now);
        }
        let mut at = now;
        for (leg, source, other) in [
            (Leg::Legacy, &self.legacy, &self.candidate),
            (Leg::Candidate, &self.candidate, &self.legacy),
        ] {
            let kind = source.gives(other);
            if case.book(leg).is_final(kind) {
                continue;
            }
            let slo = match kind {
                RecordKind::Cdr => self.settings.cdr_slo,
                RecordKind::Session => self.settings.session_slo,
            };
            let overdue = ended + 2 * slo;
            if overdue <= now && !source.was_read(kind, ended, self.settings.quiet) {
                return None;
            }
            at = at.max(overdue);
        }
        Some(at)
    }

    fn judge(&mut self, id: u64, now: Micros, bench: &mut Bench<'_>) {
        let Some(case) = self.cases.get_mut(&id) else {
            return;
        };
        let ended = case.told.ended;
        let (legacy, candidate) = (&self.legacy, &self.candidate);
        let sources = [
            (legacy, legacy.gives(candidate)),
            (candidate, candidate.gives(legacy)),
        ];
        let mut court = verdict::Court {
            settings: &self.settings,
            bias: &mut self.bias,
            read: sources.map(|(source, kind)| source.was_read(kind, ended, self.settings.quiet)),
            gives: sources.map(|(_, kind)| kind),
        };
        court.judge(case, now, bench);
        case.judged_at = Some(now);
        case.news = false;
        self.unread.remove(&id);
        self.due_cases.add(now + KEPT, id);
    }

    fn drop_case(&mut self, id: u64) {
        let Some(case) = self.cases.remove(&id) else {
            return;
        };
        self.index.remove(&case.told);
        self.unread.remove(&id);
        for (leg, kind, name) in case.keys() {
            if kind == RecordKind::Session {
                self.reading.forget(leg, &name);
                self.linked.remove(&(leg, name));
            }
        }
        self.due_cases.forget(id);
    }
}
