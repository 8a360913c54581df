//! Cutover and rollback: moves chargers from one backend to the other, and keeps the other one warm as their shadow.
//!
//! Each charger passes the same steps ([`moving`]), journalled as facts before anything acts on them. The live plane is
//! ordered to send the charger away and to take it in again; what its old connection carried reaches the new authority
//! in between. After a crash of either plane the journal says where each charger belongs, and the steps go on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::clock::{Clock, Micros};
use crate::facts::authority::{Carried, Change, Journal, Plan, Standing, Step, Unfinished};
use crate::facts::recorder::State as Recording;
use crate::facts::{Dir, Leg, Recorder};
use crate::live::handover::Routed;
use crate::live::routes::{Order, PAUSE};

use super::identities::Identities;
use super::legs::Legs;
use super::pace::Pace;
use super::plane::{ConnInfo, LegHost};

mod moving;
mod request;

use moving::{Fate, Move};
pub use request::{Accepted, Refusal, Request};

/// What a backend lacks to be an authority, or a shadow; nothing if it can be both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Face {
    /// Why it cannot be an authority.
    pub no_authority: Option<String>,
    /// Whether a leg towards it has anything to log in with.
    pub logs_in: bool,
}

/// Why the mediator may not use a name.
pub const UNJOURNALLED: &str = "not on disk";

/// Moves chargers, and tells the legs of their connections. Cheap to clone.
#[derive(Clone)]
pub struct Switchboard(Rc<Board>);

pub(super) struct Board {
    legs: Rc<Legs>,
    recorder: Recorder,
    /// By leg.
    faces: [Face; 2],
    default: Leg,
    standings: RefCell<BTreeMap<Arc<str>, Standing>>,
    /// Open connections, with their authority.
    conns: RefCell<HashMap<u64, (Arc<str>, Leg)>>,
    identities: RefCell<Identities>,
    /// Chargers that are being moved.
    cases: RefCell<HashMap<Arc<str>, Rc<Case>>>,
    /// Switches that are not over.
    running: RefCell<Vec<Rc<Running>>>,
    /// Switches of an earlier run, until the live plane has told which connections there are.
    unfinished: RefCell<Vec<Unfinished>>,
    attached: Cell<bool>,
    /// The live plane is gone, or goes: nobody would carry out an order.
    stopping: Cell<bool>,
    /// Whether there is a mediator.
    mediates: Cell<bool>,
    /// Whether a charger that is connected logs in with anything.
    logs_in: Cell<bool>,
    /// Messages that an authority was owed as a shadow, and never got.
    untold: Cell<u64>,
    orders: RefCell<VecDeque<Order>>,
    ordered: Notify,
}

/// A charger that is being moved.
#[derive(Default)]
struct Case {
    /// Something happened to it.
    news: Notify,
    /// One switch after the other.
    turn: tokio::sync::Mutex<()>,
    /// Since when it is away: its connection to the old authority was asked to end, or has ended by itself.
    left: Cell<Option<Micros>>,
    /// When the live plane was last told not to read it for a moment.
    paused: Cell<Option<Pause>>,
}

/// A moment in which the live plane does not read a charger: what it says next it says to its new authority.
#[derive(Debug, Clone, Copy)]
struct Pause {
    since: Instant,
    /// Everything that it said before has been seen.
    is_seen: bool,
}

impl Pause {
    /// Whether the charger is still not read, and has said nothing that has not been seen.
    fn is_seen(self) -> bool {
        self.is_seen && self.since.elapsed() < PAUSE
    }
}

/// A switch that is under way.
struct Running {
    switch: i64,
    plan: Plan,
    pace: Pace,
    /// A later switch takes its place.
    cancelled: Cell<bool>,
}

impl Switchboard {
    /// A switchboard that goes on where `journal` ends. `faces` are by leg; `default` is the authority of chargers that were
    /// never moved. The legs must have been told of the journal already.
    pub fn new(
        legs: Rc<Legs>,
        recorder: &Recorder,
        faces: [Face; 2],
        default: Leg,
        journal: Journal,
    ) -> Self {
        let board = Board {
            legs,
            recorder: recorder.clone(),
            faces,
            default,
            standings: RefCell::default(),
            conns: RefCell::default(),
            identities: RefCell::default(),
            cases: RefCell::default(),
            running: RefCell::default(),
            unfinished: RefCell::new(journal.unfinished),
            attached: Cell::new(false),
            stopping: Cell::new(false),
            mediates: Cell::new(false),
            logs_in: Cell::new(false),
            untold: Cell::new(0),
            orders: RefCell::default(),
            ordered: Notify::new(),
        };
        // The live plane may have missed the last ones.
        for (charger, standing) in &journal.chargers {
            board.order(order(charger, standing));
        }
        board.standings.replace(journal.chargers);
        Self(Rc::new(board))
    }

    /// Begins a switch, or says why not. What is refused is not begun in part.
    pub fn request(&self, request: &Request) -> Result<Accepted, Refusal> {
        self.0.begin(request)
    }

    /// There is a mediator: chargers with open transactions can be moved.
    pub fn mediates(&self) {
        self.0.mediates.set(true);
    }

    /// A transaction from before a charger's switch has ended at `leg`, and the charger knows.
    pub fn settled(&self, charger: &Arc<str>, leg: Leg, wire: &str) {
        self.0.settled(charger, leg, wire);
    }

    /// The mediator has given something new a name of its own: on disk before the charger hears it.
    pub async fn rename(
        &self,
        charger: &Arc<str>,
        leg: Leg,
        alias: Carried,
    ) -> Result<(), &'static str> {
        let Some(seq) = self.0.rename(charger, leg, alias) else {
            return Err(UNJOURNALLED);
        };
        let mut committed = self.0.recorder.committed();
        let synced = committed.wait_for(|committed| *committed >= seq).await;
        synced.map(|_| ()).map_err(|_| UNJOURNALLED)
    }

    /// What a charger names otherwise than its authority `leg`, as far as that is not known to be over. `None` if it belongs
    /// to the other backend: the names are not for this one then, and nothing of the charger's may reach it.
    pub fn carried(&self, charger: &Arc<str>, leg: Leg) -> Option<Vec<Carried>> {
        if self.0.authority_of(charger) != leg {
            return None;
        }
        let standings = self.0.standings.borrow();
        let standing = standings.get(charger);
        Some(standing.map_or_else(Vec::new, |standing| standing.open.clone()))
    }

    /// The backend that a charger belongs to.
    pub fn authority_of(&self, charger: &Arc<str>) -> Leg {
        self.0.authority_of(charger)
    }

    /// Whether no switch is under way.
    pub fn is_idle(&self) -> bool {
        self.0.running.borrow().is_empty() && self.0.unfinished.borrow().is_empty()
    }
}

/// The way of a charger that stands so.
fn order(charger: &Arc<str>, standing: &Standing) -> Order {
    Order {
        charger: charger.to_string(),
        authority: standing.authority,
        mediated: standing.is_mediated(),
        held: !standing.is_admitted(),
        paused: false,
    }
}

impl Board {
    fn begin(self: &Rc<Self>, request: &Request) -> Result<Accepted, Refusal> {
        let chargers = self.called(request);
        self.examine(request, &chargers)?;
        let mut switch = Clock::system().now();
        if let Some(last) = self.running.borrow().last() {
            switch = switch.max(last.switch + 1);
        }
        let plan = Plan {
            to: request.to,
            mode: request.mode,
            pace: request.pace.max(1),
            limit_us: micros(request.limit),
            deadline_us: micros(request.deadline),
            rollback: request.rollback,
            by: request.by.clone(),
            chargers: chargers.iter().map(ToString::to_string).collect(),
        };
        let begun = Change {
            plan: Some(plan.clone()),
            ..Change::new(switch, Step::Begun, request.to)
        };
        if self.record(&Arc::default(), &begun).is_none() && !request.rollback {
            return Err(Refusal::Recorder("it takes no more facts".to_owned()));
        }
        for running in self.running.borrow().iter() {
            running.cancelled.set(true);
        }
        self.stir();
        let count = chargers.len();
        tracing::info!(
            switch,
            to = request.to.word(),
            chargers = count,
            rollback = request.rollback,
            "switch begun"
        );
        self.run(switch, plan, Vec::new());
        Ok(Accepted {
            switch,
            chargers: count,
        })
    }

    /// The chargers that are to be moved and do not belong there already, each once.
    fn called(&self, request: &Request) -> Vec<Arc<str>> {
        let mut chargers: Vec<Arc<str>> = if request.all {
            let standings = self.standings.borrow();
            let moved = standings.keys().map(Arc::clone);
            self.legs.chargers().into_iter().chain(moved).collect()
        } else {
            let named = request.chargers.iter();
            named.map(|name| Arc::from(name.as_str())).collect()
        };
        chargers.sort();
        chargers.dedup();
        // One that is on its way there now may be called back by what this request cancels.
        let cases = self.cases.borrow();
        chargers.retain(|charger| {
            cases.contains_key(charger) || self.authority_of(charger) != request.to
        });
        chargers
    }

    /// Why a request can't be begun.
    fn examine(&self, request: &Request, chargers: &[Arc<str>]) -> Result<(), Refusal> {
        if !self.attached.get() || self.stopping.get() {
            return Err(Refusal::Starting);
        }
        if chargers.is_empty() {
            return Err(Refusal::Nobody(request.to));
        }
        let face = &self.faces[request.to as usize];
        if let Some(why) = &face.no_authority {
            return Err(Refusal::NoAuthority(request.to, why.clone()));
        }
        if request.rollback {
            return Ok(());
        }
        if !self.running.borrow().is_empty() {
            return Err(Refusal::Busy);
        }
        let from = request.to.other();
        if self.logs_in.get() && !self.faces[from as usize].logs_in {
            return Err(Refusal::NoShadow(from));
        }
        match self.recorder.state() {
            Recording::Recording if self.recorder.is_pressed() => {
                Err(Refusal::Recorder("it is behind".to_owned()))
            }
            Recording::Recording => Ok(()),
            Recording::Full => Err(Refusal::Recorder("it is full".to_owned())),
            Recording::NotCommitting(why) => Err(Refusal::Recorder(why)),
            Recording::Closed => Err(Refusal::Recorder("it is closed".to_owned())),
        }
    }

    /// Moves the chargers of a plan, each in a task of its own.
    fn run(self: &Rc<Self>, switch: i64, plan: Plan, kept: Vec<Arc<str>>) {
        let running = Rc::new(Running {
            switch,
            pace: Pace::new(plan.pace),
            plan,
            cancelled: Cell::new(false),
        });
        self.running.borrow_mut().push(Rc::clone(&running));
        let names = running.plan.chargers.iter();
        let chargers = names.map(|name| Arc::<str>::from(name.as_str()));
        let moves: Vec<Move> = chargers
            .filter(|charger| !kept.contains(charger))
            .map(|charger| Move {
                board: Rc::clone(self),
                running: Rc::clone(&running),
                case: self.case(&charger),
                charger,
            })
            .collect();
        let board = Rc::clone(self);
        spawn_local(async move {
            let before = kept.len() as u64;
            let tasks: Vec<_> = moves
                .into_iter()
                .map(|one| spawn_local(one.run()))
                .collect();
            let mut counts = [0, before, 0];
            for task in tasks {
                match task.await {
                    Ok(Fate::Moved) => counts[0] += 1,
                    Ok(Fate::Kept) => counts[1] += 1,
                    Ok(Fate::Missing) => counts[2] += 1,
                    // The plane stops: whoever starts next goes on.
                    Ok(Fate::Left) | Err(_) => return,
                }
            }
            board.conclude(&running, counts);
        });
    }

    fn conclude(&self, running: &Rc<Running>, counts: [u64; 3]) {
        let [moved, kept, missing] = counts;
        let switch = running.switch;
        tracing::info!(switch, moved, kept, missing, "switch over");
        let told = |step, why: String| Change {
            why,
            counts: Some(counts),
            ..Change::new(switch, step, running.plan.to)
        };
        if missing > 0 {
            tracing::error!(switch, missing, "chargers did not come back: ROLL BACK");
            let why = format!("{missing} chargers did not come back in time: roll back");
            self.record(&Arc::default(), &told(Step::Missing, why));
        }
        self.record(&Arc::default(), &told(Step::Over, String::new()));
        let mut all = self.running.borrow_mut();
        all.retain(|other| !Rc::ptr_eq(other, running));
        if all.is_empty() {
            self.cases.borrow_mut().clear();
        }
    }

    fn case(&self, charger: &Arc<str>) -> Rc<Case> {
        let mut cases = self.cases.borrow_mut();
        Rc::clone(cases.entry(Arc::clone(charger)).or_default())
    }

    /// A charger that is being moved is away from now on, if it was not before.
    fn leaves(&self, charger: &Arc<str>, at: Micros) {
        if let Some(case) = self.cases.borrow().get(charger) {
            case.left.set(case.left.get().or(Some(at)));
        }
    }

    /// The live plane does not read a charger any more, and all that it said before has been seen.
    fn pauses(&self, charger: &Arc<str>) {
        let cases = self.cases.borrow();
        let Some(case) = cases.get(charger) else {
            return;
        };
        let is_seen = true;
        let pause = case.paused.get();
        case.paused
            .set(pause.map(|pause| Pause { is_seen, ..pause }));
    }

    /// Has the live plane not read a charger for a moment, or read it again.
    fn pause(&self, charger: &Arc<str>, paused: bool) {
        let standings = self.standings.borrow();
        let known = standings.get(charger);
        self.order(Order {
            charger: charger.to_string(),
            authority: known.map_or(self.default, |known| known.authority),
            mediated: known.is_some_and(Standing::is_mediated),
            held: known.is_some_and(|known| !known.is_admitted()),
            paused,
        });
    }

    /// Wakes all who wait for something.
    fn stir(&self) {
        for case in self.cases.borrow().values() {
            case.news.notify_waiters();
        }
    }

    fn tell(&self, charger: &Arc<str>) {
        if let Some(case) = self.cases.borrow().get(charger) {
            case.news.notify_waiters();
        }
    }

    fn authority_of(&self, charger: &Arc<str>) -> Leg {
        let standings = self.standings.borrow();
        standings
            .get(charger)
            .map_or(self.default, |standing| standing.authority)
    }

    /// Connections of a charger to this backend, and whether there is any.
    fn is_connected(&self, charger: &Arc<str>, authority: Leg) -> bool {
        let conns = self.conns.borrow();
        let identities = self.identities.borrow();
        let mut of_charger = identities.of(charger).filter_map(|conn| conns.get(&conn));
        of_charger.any(|(_, leg)| *leg == authority)
    }

    fn record(&self, charger: &Arc<str>, change: &Change) -> Option<u64> {
        let now = Clock::system().now();
        let seq = self.recorder.record(change.fact(charger, now));
        if seq.is_none() {
            tracing::error!(step = ?change.step, "the recorder could not take a step of a switch");
        }
        self.recorder.urge();
        seq
    }

    fn order(&self, order: Order) {
        self.orders.borrow_mut().push_back(order);
        self.ordered.notify_one();
    }

    fn settled(&self, charger: &Arc<str>, leg: Leg, wire: &str) {
        let mut standings = self.standings.borrow_mut();
        let ours = |standing: &&mut Standing| standing.authority == leg && standing.is_admitted();
        let Some(standing) = standings.get_mut(charger).filter(ours) else {
            // It is on its way elsewhere, and what is open is looked at again there.
            return;
        };
        if !standing.is_mediated() {
            return;
        }
        standing
            .open
            .retain(|carried| !carried.is_transaction() || carried.wire != wire);
        self.settle(charger, standing);
    }

    /// A mediated charger said something: perhaps nothing goes on any more that has two names.
    fn said(&self, charger: &Arc<str>) {
        let mut standings = self.standings.borrow_mut();
        let standing = standings.get_mut(charger);
        let ours = |standing: &&mut Standing| standing.is_admitted() && standing.is_mediated();
        if let Some(standing) = standing.filter(ours) {
            self.settle(charger, standing);
        }
    }

    /// Ends the mediation of a mediated charger from its next connection on, if nothing goes on any more that has two names.
    fn settle(&self, charger: &Arc<str>, standing: &mut Standing) {
        let goes_on = |one: &Carried| {
            one.is_transaction()
                || (one.is_foreign() && self.legs.goes_on(charger, one.class, &one.wire))
        };
        if standing.open.iter().any(goes_on) {
            return;
        }
        standing.open.clear();
        let change = Change::new(standing.switch, Step::Settled, standing.authority);
        self.record(charger, &change);
        self.order(order(charger, standing));
    }

    fn rename(&self, charger: &Arc<str>, leg: Leg, alias: Carried) -> Option<u64> {
        let mut standings = self.standings.borrow_mut();
        let standing = standings.get_mut(charger)?;
        if standing.authority != leg {
            return None;
        }
        standing.open.push(alias);
        let change = Change {
            open: standing.open.clone(),
            ..Change::new(standing.switch, Step::Renamed, standing.authority)
        };
        self.record(charger, &change)
    }
}

impl LegHost for Switchboard {
    fn opened(&self, info: &ConnInfo) {
        let board = &self.0;
        board.logs_in.set(board.logs_in.get() || info.logs_in);
        let known = (Arc::clone(&info.charger), info.authority);
        board.conns.borrow_mut().insert(info.conn, known);
        board
            .identities
            .borrow_mut()
            .insert(&info.charger, info.conn);
        board.legs.opened(info);
        board.tell(&info.charger);
    }

    fn message(&self, conn: u64, dir: Dir, seq: u64, at: Micros, text: &Arc<str>) {
        let board = &self.0;
        board.legs.message(conn, dir, seq, at, text);
        if board.cases.borrow().is_empty() && board.standings.borrow().is_empty() {
            return;
        }
        let charger = board
            .conns
            .borrow()
            .get(&conn)
            .map(|(name, _)| name.clone());
        if let Some(charger) = charger {
            board.said(&charger);
            board.tell(&charger);
        }
    }

    fn gap(&self, conn: u64, dir: Dir) {
        self.0.legs.gap(conn, dir);
    }

    fn closed(&self, conn: u64, at: Micros) {
        let board = &self.0;
        board.legs.closed(conn, at);
        let Some((charger, _)) = board.conns.borrow_mut().remove(&conn) else {
            return;
        };
        board.identities.borrow_mut().remove(&charger, conn);
        board.leaves(&charger, at);
        board.tell(&charger);
    }

    fn called(&self) {
        self.0.attached.set(true);
        for Unfinished { switch, plan, kept } in self.0.unfinished.take() {
            tracing::info!(switch, to = plan.to.word(), "switch goes on");
            self.0.run(switch, plan, kept);
        }
        // A later switch had taken the place of all but the last.
        let running = self.0.running.borrow();
        for earlier in running.iter().rev().skip(1) {
            earlier.cancelled.set(true);
        }
    }

    fn stopping(&self) {
        self.0.stopping.set(true);
        self.0.legs.stopping();
        self.0.stir();
    }

    fn finished(&self) -> impl Future<Output = ()> {
        self.0.legs.finished()
    }

    fn routed(&self, at: Micros, routed: &Routed) {
        tracing::debug!(
            charger = routed.charger,
            authority = routed.authority.word(),
            admitted = routed.admitted,
            ending = routed.ending,
            "way changed"
        );
        let charger = Arc::from(routed.charger.as_str());
        if routed.ending > 0 {
            self.0.leaves(&charger, at);
        }
        if routed.paused {
            self.0.pauses(&charger);
        }
        self.0.tell(&charger);
    }

    async fn order(&self) -> Order {
        loop {
            if let Some(order) = self.0.orders.borrow_mut().pop_front() {
                return order;
            }
            self.0.ordered.notified().await;
        }
    }

    fn status(&self) -> Value {
        let mut status = self.0.legs.status();
        let moved = self.0.standings.borrow();
        let away = moved
            .values()
            .filter(|standing| standing.authority != self.0.default);
        status["moved"] = json!(away.count());
        let mediated = moved.values().filter(|standing| standing.is_mediated());
        status["mediated"] = json!(mediated.count());
        status["untold"] = json!(self.0.untold.get());
        status["switches"] = json!(self.0.running.borrow().len());
        status
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}
