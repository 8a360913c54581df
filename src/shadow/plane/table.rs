//! The open connections, and what each record means for them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{ConnInfo, Ended, LegHost, PlaneError, SeenCounts};
use crate::clock::{Clock, Micros};
use crate::facts::recorder::State;
use crate::facts::resume::{OpenConn, Resume};
use crate::facts::{Dir, Fact, Kind, Leg, Recorder};
use crate::live::handover::{Closed, Counters, Gap, Hello, Opened, Part, Record, Refused};
use crate::live::secret::Secret;
use crate::ocpp::Version;
use crate::ocpp::quirks::{Quirks, in_handshake};
use crate::shadow::identities::Identities;
use crate::shadow::observe::{self, Observed, Observer, What};

/// What the shadow plane is configured with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of one message that are kept.
    pub capture: usize,
    /// What the `TapStarted` fact says beside run and version: `legacy`, `candidate`, `authority`.
    pub setup: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capture: observe::CAPTURE,
            setup: Map::new(),
        }
    }
}

/// Turns records into facts and calls of the legs.
pub struct Table<L, S> {
    recorder: Recorder,
    legs: L,
    board: S,
    /// What earlier runs left behind, if their boards outlived their planes.
    left: Option<S>,
    /// What the judge's monitors have counted.
    monitors: Option<Box<dyn Fn() -> Value>>,
    /// What the readers of the backends' books have done.
    readers: Option<Box<dyn Fn() -> Value>>,
    settings: Settings,
    run: Option<String>,
    /// Boxed: a map keeps room for as many again.
    conns: HashMap<u64, Box<Conn>>,
    identities: Identities,
    counters: Counters,
    roll_call: Option<RollCall>,
    last_run: Option<String>,
    /// What the charger whose connection is told next logged in with.
    login: Option<(u64, Secret)>,
    /// Reused between records.
    seen: Vec<Observed>,
}

struct Conn {
    info: ConnInfo,
    /// What both sides speak; 1.6 if they do not say.
    version: Version,
    peer: String,
    slot: u32,
    observer: Observer,
}

/// Between hello and the first record that is not about open or ended connections, the live plane tells which
/// connections there are. Legs hear of them afterwards: some have ended meanwhile.
#[derive(Default)]
struct RollCall {
    /// Connections that the recording leaves open and that were not called yet.
    missing: HashMap<u64, OpenConn>,
    /// Connections that the recording knows as closed.
    closed: HashSet<u64>,
}

impl<L: LegHost, S: SeenCounts> Table<L, S> {
    /// A table for a recording that knows `resume`, which must have been read after the recorder was opened.
    pub fn new(recorder: Recorder, legs: L, board: S, resume: Resume, settings: Settings) -> Self {
        Self {
            recorder,
            legs,
            board,
            left: None,
            monitors: None,
            readers: None,
            settings,
            run: None,
            conns: HashMap::new(),
            identities: Identities::default(),
            counters: Counters::default(),
            roll_call: Some(RollCall {
                missing: resume.open,
                closed: resume.closed,
            }),
            last_run: resume.last_run,
            login: None,
            seen: Vec::new(),
        }
    }

    /// The same table, with the boards that earlier runs left behind.
    #[must_use]
    pub fn with_left(mut self, left: S) -> Self {
        self.left = Some(left);
        self
    }

    /// The same table; its status carries what `monitors` gives.
    #[must_use]
    pub fn with_monitors(mut self, monitors: impl Fn() -> Value + 'static) -> Self {
        self.monitors = Some(Box::new(monitors));
        self
    }

    /// The same table; its status carries what `readers` gives.
    #[must_use]
    pub fn with_readers(mut self, readers: impl Fn() -> Value + 'static) -> Self {
        self.readers = Some(Box::new(readers));
        self
    }

    /// Who hears of connections and messages.
    pub(super) fn legs(&self) -> L
    where
        L: Clone,
    {
        self.legs.clone()
    }

    /// The recorder that the facts go to.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// How things stand, for the live plane.
    pub fn status(&self) -> Value {
        let counters = self.recorder.counters();
        let state = match self.recorder.state() {
            State::Recording => "recording".to_owned(),
            State::Full => "full".to_owned(),
            State::NotCommitting(why) => format!("not committing: {why}"),
            State::Closed => "closed".to_owned(),
        };
        json!({
            "monitors": self.monitors.as_ref().map(|monitors| monitors()),
            "readers": self.readers.as_ref().map(|readers| readers()),
            "seen": counters.seen,
            "queued": counters.queued,
            "committed": counters.committed,
            "lost_frames": counters.lost_frames,
            "lost_facts": counters.lost_facts,
            "state": state,
            "open": self.conns.len(),
            "legs": self.legs.status(),
        })
    }

    /// Takes one record. Says when it was the last one.
    pub fn take(&mut self, record: Record<'_>) -> Result<Option<Ended>, PlaneError> {
        if self.run.is_none() && !matches!(record, Record::Hello(_)) {
            return Err(PlaneError::NoHello);
        }
        match record {
            Record::Hello(hello) => self.hello(hello),
            Record::Login(conn, login) => self.login = Some((conn, Secret::new(login.0))),
            Record::Opened(conn, at, opened) => self.opened(conn, at, opened),
            Record::Refused(conn, at, refused) => self.refused(conn, at, &refused),
            Record::Closed(conn, at, closed) => self.closed(conn, at, &closed),
            Record::Part(part) => self.part(&part),
            Record::Gap(conn, dir, at, gap) => {
                self.finish_roll_call();
                self.observe(conn, |observer, seen| observer.gap(dir, &gap, at, seen));
            }
            Record::Lost(conn, dir, at, lost) => {
                self.observe(conn, |observer, seen| observer.lost(dir, &lost, at, seen));
            }
            Record::Routed(at, routed) => self.legs.routed(at, &routed),
            Record::Tick(at, counters) => self.tick(at, counters),
            Record::Stopping(_) => {
                self.stopping();
                return Ok(Some(Ended::Stopped));
            }
        }
        Ok(None)
    }

    /// The live plane is gone without a word. Its board tells how many frames it saw.
    pub fn killed(&mut self) {
        tracing::warn!(open = self.conns.len(), "live plane is gone");
        self.finish_roll_call();
        self.abandon_all("killed", "live plane killed");
        self.legs.stopping();
    }

    fn hello(&mut self, hello: Hello) {
        let same_run = self.last_run.as_ref() == Some(&hello.run);
        if !same_run {
            // Connections of an earlier run died with it, unseen by its shadow plane.
            self.bury_missing("killed", "live plane killed", false);
            if let Some(roll_call) = &mut self.roll_call {
                roll_call.closed.clear();
            }
            let mut note = self.settings.setup.clone();
            note.insert("run".to_owned(), json!(hello.run));
            note.insert("version".to_owned(), json!(hello.version));
            self.record(Fact::new(Kind::TapStarted, hello.started).note(&Value::Object(note)));
        }
        let restart = same_run || hello.restart > 0;
        tracing::info!(run = hello.run, restart, "shadow plane attached");
        let note = json!({"run": hello.run, "restart": restart, "starts": hello.restart + 1});
        self.record(Fact::new(Kind::PlaneStarted, Clock::system().now()).note(&note));
        self.run = Some(hello.run);
    }

    fn opened(&mut self, conn: u64, at: Micros, opened: Opened) {
        let charger: Arc<str> = Arc::from(opened.charger.as_str());
        self.tell_takeover(conn, &charger, &opened.peer);
        let mut accounted = [0, 0];
        let mut resumed = opened.seen != [0, 0];
        if let Some(roll_call) = &mut self.roll_call {
            if roll_call.closed.contains(&conn) {
                return;
            }
            if let Some(known) = roll_call.missing.remove(&conn) {
                accounted = known.accounted;
                resumed = true;
            } else {
                self.record_opened(&charger, conn, at, &opened);
            }
        } else {
            self.record_opened(&charger, conn, at, &opened);
        }
        let login = self.login.take().filter(|(whose, _)| *whose == conn);
        let info = ConnInfo {
            charger,
            conn,
            offered: opened.offered,
            subprotocol: opened.subprotocol,
            login: login.map(|(_, login)| login),
            authority: opened.authority,
            logs_in: opened.authorization.is_some(),
            resumed,
        };
        self.record_gaps(&info, accounted, opened.seen, "shadow plane away");
        let begun = [0, 1].map(|dir| opened.seen[dir].max(accounted[dir]));
        let observer = Observer::new(opened.extensions.as_deref(), begun, self.settings.capture);
        if self.roll_call.is_none() {
            self.legs.opened(&info);
        }
        let slot = opened.slot;
        let version = info.subprotocol.as_deref();
        let known = Conn {
            version: version
                .and_then(Version::from_subprotocol)
                .unwrap_or(Version::V16),
            info,
            peer: opened.peer,
            slot,
            observer,
        };
        self.identities.insert(&known.info.charger, conn);
        self.conns.insert(conn, Box::new(known));
    }

    /// Two connections of one identity: mostly the older one is dead and does not know it, but it may be an impostor.
    fn tell_takeover(&self, conn: u64, charger: &Arc<str>, peer: &str) {
        let older = self.identities.of(charger);
        for older in older.filter_map(|older| self.conns.get(&older)) {
            tracing::warn!(charger = %charger.escape_debug(), conn, peer,
                older = older.info.conn, older_peer = older.peer, "a second connection of one identity");
        }
    }

    fn record_opened(&self, charger: &Arc<str>, conn: u64, at: Micros, opened: &Opened) {
        let fact = Fact {
            leg: Some(opened.authority),
            ..Fact::new(Kind::ConnOpened, at)
        };
        let seq = self.record(fact.on(charger, conn).note(&json!(opened)));
        let quirks = in_handshake(&opened.charger, opened.offered.as_deref(), &opened.quirks);
        let cause = Fact::new(Kind::Quirk, at)
            .on(charger, conn)
            .via(opened.authority, Dir::FromCharger)
            .because(seq.unwrap_or(0));
        record_quirks(&self.recorder, quirks, &cause);
    }

    /// Accounts for frames behind `accounted` up to `seen` that nobody handed over.
    fn record_gaps(&self, info: &ConnInfo, accounted: [u64; 2], seen: [u64; 2], why: &str) {
        let now = Clock::system().now();
        for dir in Dir::BOTH {
            let (first, last) = (accounted[dir.index()] + 1, seen[dir.index()]);
            if last >= first {
                let fact = Fact::new(Kind::Gap, now)
                    .on(&info.charger, info.conn)
                    .via(info.authority, dir)
                    .covering(last, last + 1 - first)
                    .note(&json!(gap(first, last, why)));
                self.record(fact);
            }
        }
    }

    fn refused(&self, conn: u64, at: Micros, refused: &Refused) {
        let fact = Fact {
            // A charger that the tap turned away is unknown to both backends.
            leg: (!refused.by_tap).then_some(refused.authority),
            ..Fact::new(Kind::ConnRefused, at)
        };
        let charger = Arc::from(refused.charger.as_str());
        self.record(fact.on(&charger, conn).note(&json!(refused)));
    }

    fn closed(&mut self, conn: u64, at: Micros, closed: &Closed) {
        let totals = closed.flows.map(|flow| flow.frames);
        self.observe(conn, |observer, seen| observer.end(Some(totals), seen));
        self.close(conn, at, &json!(closed));
    }

    /// Forgets a connection whose frames are all accounted for.
    fn close(&mut self, conn: u64, at: Micros, note: &Value) {
        let Some(known) = self.conns.remove(&conn) else {
            let retold = self.roll_call.as_ref();
            if !retold.is_some_and(|roll_call| roll_call.closed.contains(&conn)) {
                tracing::error!(conn, "hand-over closes a connection that was never opened");
            }
            return;
        };
        self.identities.remove(&known.info.charger, conn);
        self.record_closed(&known.info.charger, conn, known.info.authority, at, note);
        if self.roll_call.is_none() {
            self.legs.closed(conn, at);
        }
    }

    fn record_closed(&self, charger: &Arc<str>, conn: u64, leg: Leg, at: Micros, note: &Value) {
        let fact = Fact {
            leg: Some(leg),
            ..Fact::new(Kind::ConnClosed, at)
        };
        self.record(fact.on(charger, conn).note(note));
    }

    fn part(&mut self, part: &Part<'_>) {
        self.finish_roll_call();
        self.observe(part.conn, |observer, seen| observer.part(part, seen));
    }

    fn tick(&mut self, at: Micros, counters: Counters) {
        self.finish_roll_call();
        self.counters = counters;
        let recorder = self.recorder.counters();
        let note = json!({
            "live": counters,
            "recorder": {
                "seen": recorder.seen,
                "queued": recorder.queued,
                "committed": recorder.committed,
                "lost_frames": recorder.lost_frames,
                "lost_facts": recorder.lost_facts,
            },
            "legs": self.legs.status(),
        });
        self.record(Fact::new(Kind::Tick, at).note(&note));
    }

    fn stopping(&mut self) {
        self.finish_roll_call();
        // In order means that every connection was closed before; what is left was not told.
        self.abandon_all("shutdown", "hand-over hole");
        tracing::info!("live plane stopped");
        self.legs.stopping();
    }

    /// Ready once the legs have delivered what they could.
    pub async fn delivered(&self) {
        self.legs.finished().await;
    }

    /// The last fact of a run that ended in order.
    pub fn conclude(&mut self) {
        let note = json!({"run": self.run, "live": self.counters});
        let at = Clock::system().now();
        self.record(Fact::new(Kind::TapStopped, at).note(&note));
    }

    /// Ends every open connection by what the board says.
    fn abandon_all(&mut self, how: &str, why: &str) {
        let now = Clock::system().now();
        let conns: Vec<(u64, u32)> = self
            .conns
            .iter()
            .map(|(id, conn)| (*id, conn.slot))
            .collect();
        for (conn, slot) in conns {
            let counts = self.board.seen(slot, conn);
            self.observe(conn, |observer, seen| {
                observer.end(None, seen);
                let begun = observer.begun();
                for dir in Dir::BOTH {
                    let last = counts.map_or(0, |counts| counts[dir.index()]);
                    let first = begun[dir.index()] + 1;
                    if last >= first {
                        observer.gap(dir, &gap(first, last, why), now, seen);
                    }
                }
            });
            self.close(conn, now, &ending("tap", how, counts));
        }
    }

    /// Every connection was called. Those that the recording leaves open have ended while nobody looked.
    fn finish_roll_call(&mut self) {
        if self.roll_call.is_none() {
            return;
        }
        self.bury_missing("shadow plane away", "shadow plane away", true);
        self.roll_call = None;
        for conn in self.conns.values() {
            self.legs.opened(&conn.info);
        }
        self.legs.called();
    }

    /// Closes, in the recording, the connections that were not called: of this run, or of an earlier one.
    fn bury_missing(&mut self, how: &str, why: &str, own: bool) {
        let Some(roll_call) = &mut self.roll_call else {
            return;
        };
        let missing = std::mem::take(&mut roll_call.missing);
        let boards = [Some(&self.board), self.left.as_ref()];
        let now = Clock::system().now();
        for (conn, known) in missing {
            let note = known.opened.note_json();
            let slot = note["slot"]
                .as_u64()
                .and_then(|slot| u32::try_from(slot).ok());
            // A live plane may be killed before it says which run it is; epochs are unique over all runs.
            let seen = |slot| {
                boards
                    .iter()
                    .flatten()
                    .find_map(|board| board.seen(slot, conn))
            };
            let counts = slot.and_then(seen);
            let info = ConnInfo {
                charger: Arc::clone(&known.opened.charger),
                conn,
                offered: None,
                subprotocol: None,
                login: None,
                authority: known.opened.leg.unwrap_or(Leg::Legacy),
                logs_in: false,
                resumed: true,
            };
            self.record_gaps(&info, known.accounted, counts.unwrap_or_default(), why);
            let by = if own { "unknown" } else { "tap" };
            let note = ending(by, how, counts);
            self.record_closed(&info.charger, conn, info.authority, now, &note);
        }
    }

    /// Lets a connection's observer look, records what it saw and tells the leg.
    fn observe(&mut self, conn: u64, look: impl FnOnce(&mut Observer, &mut Vec<Observed>)) {
        let Some(known) = self.conns.get_mut(&conn) else {
            return;
        };
        look(&mut known.observer, &mut self.seen);
        let legs_know = self.roll_call.is_none();
        for seen in self.seen.drain(..) {
            let (dir, at) = (seen.dir, seen.at);
            let text: Option<Arc<str>> = match &seen.what {
                What::Message { text, .. } => Some(Arc::from(text.as_str())),
                _ => None,
            };
            let missed = matches!(seen.what, What::Gap { .. } | What::Opaque { .. });
            let info = &known.info;
            let quirks = match dir {
                Dir::FromCharger => seen.what.quirks(known.version),
                Dir::ToCharger => Quirks::default(),
            };
            let fact = seen.into_fact(&info.charger, conn, info.authority);
            let recorded = self.recorder.record(fact);
            // A fact that was lost lies in a gap, and what was odd about it with it.
            if let Some(seq) = recorded
                && !quirks.is_empty()
            {
                let fact = Fact::new(Kind::Quirk, at).on(&info.charger, conn);
                let fact = fact.via(info.authority, dir).because(seq);
                record_quirks(&self.recorder, quirks, &fact);
            }
            match (text, recorded) {
                (Some(text), Some(seq)) => self.legs.message(conn, dir, seq, at, &text),
                (text, _) if legs_know && (missed || text.is_some()) => self.legs.gap(conn, dir),
                _ => {}
            }
        }
    }

    /// Records a rare fact. The recorder counts and confesses what it cannot take.
    fn record(&self, fact: Fact) -> Option<u64> {
        let kind = fact.kind;
        let seq = self.recorder.record(fact);
        if seq.is_none() {
            tracing::error!(%kind, "recorder has no room even for a rare fact");
        }
        seq
    }
}

/// Records a fact like `bare` for each quirk. One that finds no room is counted by the recorder, as messages are.
fn record_quirks(recorder: &Recorder, quirks: Quirks, bare: &Fact) {
    for quirk in quirks.iter() {
        let note = json!({"quirk": quirk.name(), "row": quirk.row(), "detail": ""});
        recorder.record(bare.clone().note(&note));
    }
}

fn gap(first: u64, last: u64, why: &str) -> Gap {
    Gap {
        first,
        last,
        bytes: 0,
        why: why.to_owned(),
    }
}

/// The note of a connection whose end nobody told; `seen` stands in for the flows.
fn ending(by: &str, how: &str, seen: Option<[u64; 2]>) -> Value {
    json!({"by": by, "how": how, "flows": null, "seen": seen})
}
