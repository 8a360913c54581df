//! The open connections, and the one place where they speak to the shadow plane.
//!
//! While the shadow plane is away frames are only counted. A new one is told every open connection with the frames seen
//! so far, and every connection that ended untold; it knows what it recorded, so it can write the exact gap itself.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::handover::{Closed, Hello, Login, Lost, Opened, Part, Record, Refused, Routed};
use super::metrics::Metrics;
use super::routes::{Order, PAUSE};
use super::secret::Secret;
use super::seen;
use super::tank::{Offer, SLICE, Tank};
use super::unlisted::Unlisted;
use super::walker::Step;
use crate::clock::{Clock, Micros};
use crate::facts::{Dir, Leg};

/// Ended connections that are remembered for a shadow plane that is away.
const UNTOLD: usize = 10_000;

/// How long frames gather before they are handed over, µs, and how many bytes of them: one system call for many frames.
const BATCH: (Micros, usize) = (1_000, SLICE / 2);

/// Every open connection, the tank and the seen-board.
pub struct Roster {
    hello: Hello,
    metrics: Arc<Metrics>,
    inner: RefCell<Inner>,
    /// There is something to hand over.
    pub filled: Notify,
    /// There is enough to hand over, or it has waited long enough.
    pub ripe: Notify,
    /// The last connection ended.
    pub emptied: Notify,
    /// The first connection opened.
    pub peopled: Notify,
    /// Connections whose charger was asked to come again.
    dismissed: Cell<usize>,
    /// One of those has ended.
    gone: Notify,
    /// How often a connection was paused.
    pauses: Cell<u32>,
}

struct Inner {
    tank: Tank,
    /// When the first frame since the last hand-over was seen.
    gathers_since: Option<Micros>,
    board: seen::Writer,
    open: HashMap<u64, Rc<Entry>>,
    /// What the chargers of open connections log in with, as far as the shadow plane needs it.
    logins: HashMap<u64, Secret>,
    unlisted: Unlisted,
    /// Whether somebody takes what is put in the tank.
    attached: bool,
    /// Ended connections whose records are still in the tank, with their position behind them.
    leaving: VecDeque<(u64, Departed)>,
    /// Ended connections that a later shadow plane must be told.
    untold: VecDeque<Departed>,
}

struct Departed {
    entry: Rc<Entry>,
    at: Micros,
    closed: Closed,
}

/// Why the tap wants a connection to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The charger belongs to the other backend now.
    Restart,
    /// The tap stops.
    Shutdown,
}

/// An open connection.
#[derive(Debug)]
pub struct Entry {
    /// Connection epoch.
    pub conn: u64,
    at: Micros,
    opened: Opened,
    seen: [Cell<u64>; 2],
    /// Frames up to here were seen before the current shadow plane was told of the connection: they are in its gap.
    announced: [Cell<u64>; 2],
    lost: [Cell<bool>; 2],
    leaving: Cell<Option<Leave>>,
    /// Which pause it is in; 0 if in none.
    pause: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Entry {
    /// Whose it is.
    pub fn charger(&self) -> &str {
        &self.opened.charger
    }

    /// The backend that it leads to.
    pub fn authority(&self) -> Leg {
        self.opened.authority
    }

    /// Whether the tap wants the connection to end, and why. The task is woken when that changes.
    pub fn leaves(&self, cx: &Context<'_>) -> Option<Leave> {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        self.leaving.get()
    }

    /// Makes the connection end.
    pub fn leave(&self, why: Leave) {
        self.leaving.set(Some(why));
        self.wake();
    }

    /// Whether what the charger says is to stay unread.
    pub fn is_paused(&self) -> bool {
        self.pause.get() != 0
    }

    fn pause(&self, number: u32) {
        self.pause.set(number);
        self.wake();
    }

    /// Ends a pause. A connection that is being ended stays as it is: what it has not said it says elsewhere.
    fn resume(&self) {
        if self.leaving.get().is_none() && self.pause.take() != 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn opened(&self) -> Opened {
        Opened {
            seen: [self.seen[0].get(), self.seen[1].get()],
            ..self.opened.clone()
        }
    }

    fn lost_record(&self, dir: Dir) -> Record<'static> {
        let lost = Lost {
            frames: self.seen[dir.index()].get(),
            why: "impossible frame length".to_owned(),
        };
        Record::Lost(self.conn, dir, Clock::system().now(), lost)
    }
}

impl Roster {
    /// An empty roster.
    pub fn new(board: seen::Writer, handover_bytes: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            hello: Hello {
                run: run_identity(),
                started: Clock::system().now(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                restart: 0,
            },
            metrics,
            inner: RefCell::new(Inner {
                tank: Tank::new(handover_bytes),
                gathers_since: None,
                board,
                open: HashMap::new(),
                logins: HashMap::new(),
                unlisted: Unlisted::default(),
                attached: false,
                leaving: VecDeque::new(),
                untold: VecDeque::new(),
            }),
            filled: Notify::new(),
            ripe: Notify::new(),
            emptied: Notify::new(),
            peopled: Notify::new(),
            dismissed: Cell::new(0),
            gone: Notify::new(),
            pauses: Cell::new(0),
        }
    }

    /// Where the seen-board can be opened.
    pub fn board_path(&self) -> PathBuf {
        self.inner.borrow().board.path()
    }

    /// The connections open now.
    pub fn open(&self) -> Vec<Rc<Entry>> {
        self.inner.borrow().open.values().map(Rc::clone).collect()
    }

    /// Whether no connection is open.
    pub fn is_empty(&self) -> bool {
        self.inner.borrow().open.is_empty()
    }

    /// An authority accepted a charger. `login` is for the shadow plane to log in with the same, if it shall.
    pub fn opened(
        &self,
        conn: u64,
        at: Micros,
        mut opened: Opened,
        login: Option<Secret>,
    ) -> io::Result<Rc<Entry>> {
        let mut inner = self.inner.borrow_mut();
        opened.slot = inner.board.claim(conn, opened.authority, &opened.charger)?;
        let entry = Rc::new(Entry {
            conn,
            at,
            opened,
            seen: Default::default(),
            announced: Default::default(),
            lost: Default::default(),
            leaving: Cell::new(None),
            pause: Cell::new(0),
            waker: RefCell::new(None),
        });
        inner.open.insert(conn, Rc::clone(&entry));
        if inner.open.len() == 1 {
            self.peopled.notify_one();
        }
        self.metrics.open.add(1);
        self.metrics.accepted.add(1);
        if inner.attached {
            if let Some(login) = &login {
                inner.tank.push(&Record::Login(conn, Login(login.expose())));
            }
            inner.tank.push(&Record::Opened(conn, at, entry.opened()));
            self.filled.notify_one();
        }
        inner.logins.extend(login.map(|login| (conn, login)));
        Ok(entry)
    }

    /// A charger got no connection. Of many that the tap turned away some are counted only.
    pub fn refused(&self, conn: u64, mut refused: Refused) {
        self.metrics.refused.add(1);
        let now = Clock::system().now();
        if refused.by_tap {
            self.metrics.unlisted.add(1);
            let Some(untold) = self.inner.borrow_mut().unlisted.turned_away(now) else {
                return;
            };
            refused.untold = untold;
        }
        let Refused {
            charger,
            peer,
            by_tap,
            status,
            why,
            untold,
            ..
        } = &refused;
        tracing::info!(
            conn,
            charger,
            peer,
            status,
            by_tap,
            why,
            untold,
            "connection refused"
        );
        self.push(&Record::Refused(conn, now, refused));
    }

    /// Notes how many frames a direction has seen. Called before their bytes are forwarded.
    pub fn seen(&self, entry: &Entry, dir: Dir, frames: u64) {
        let before = entry.seen[dir.index()].replace(frames);
        self.metrics.frames.add(frames - before);
        let noted = self
            .inner
            .borrow()
            .board
            .note(entry.opened.slot, dir, frames);
        if let Err(error) = noted {
            tracing::error!(conn = entry.conn, %error, "cannot write the seen-board");
        }
    }

    /// Hands over what was walked of `bytes`, which came off the socket at `at`.
    pub fn hand_over(&self, entry: &Entry, dir: Dir, at: Micros, bytes: &[u8], steps: &[Step]) {
        let mut inner = self.inner.borrow_mut();
        if !inner.attached {
            let begun = steps.iter().filter(|step| step.first).count();
            self.metrics.lost.add(begun as u64);
            return;
        }
        let announced = entry.announced[dir.index()].get();
        for step in steps.iter().filter(|step| step.frame > announced) {
            let part = Part {
                conn: entry.conn,
                dir,
                frame: step.frame,
                at,
                first: step.first,
                last: step.last,
                cut: step.cut,
                bytes: &bytes[step.range.clone()],
            };
            if inner.tank.offer(&part) == Offer::Lost {
                self.metrics.lost.add(1);
            }
        }
        if inner.tank.is_empty() {
            return;
        }
        let since = *inner.gathers_since.get_or_insert(at);
        if at - since >= BATCH.0 || inner.tank.used() >= BATCH.1 {
            self.ripe.notify_one();
        }
        self.filled.notify_one();
    }

    /// A direction's frame boundaries can't be found any more. Told once.
    pub fn lost(&self, entry: &Entry, dir: Dir) {
        if entry.lost[dir.index()].replace(true) {
            return;
        }
        self.close_gap(&mut self.inner.borrow_mut(), entry.conn, dir);
        self.push(&entry.lost_record(dir));
    }

    /// A connection ended.
    pub fn closed(&self, entry: &Rc<Entry>, closed: Closed) {
        let mut inner = self.inner.borrow_mut();
        inner.open.remove(&entry.conn);
        inner.logins.remove(&entry.conn);
        inner.board.release(entry.opened.slot);
        self.metrics.open.sub(1);
        if entry.leaving.get() == Some(Leave::Restart) {
            self.dismissed.set(self.dismissed.get() - 1);
            self.gone.notify_waiters();
        }
        if inner.open.is_empty() {
            self.emptied.notify_one();
        }
        let departed = Departed {
            entry: Rc::clone(entry),
            at: Clock::system().now(),
            closed,
        };
        if !inner.attached {
            self.remember(&mut inner, departed);
            return;
        }
        for dir in Dir::BOTH {
            self.close_gap(&mut inner, entry.conn, dir);
        }
        inner.tank.push(&departed.record());
        let position = inner.tank.written();
        inner.leaving.push_back((position, departed));
        self.filled.notify_one();
    }

    /// A charger's way has changed: its connections to the other backend are ended at once, and all others are read.
    pub fn routed(&self, order: &Order) {
        let strays = self.chosen(order, |entry| {
            !order.paused && entry.authority() != order.authority
        });
        let quiet = self.chosen(order, |entry| order.paused || entry.is_paused());
        for entry in &strays {
            self.dismiss(entry);
        }
        for entry in quiet {
            if order.paused {
                self.pause(entry);
            } else {
                entry.resume();
            }
        }
        let routed = Routed {
            charger: order.charger.clone(),
            authority: order.authority,
            admitted: !order.held,
            ending: strays.len() as u64,
            paused: order.paused,
        };
        self.push(&Record::Routed(Clock::system().now(), routed));
    }

    /// Those of a charger's connections that an order is about. Few are, and of those alone the names are compared.
    fn chosen(&self, order: &Order, is_one: impl Fn(&Entry) -> bool) -> Vec<Rc<Entry>> {
        let inner = self.inner.borrow();
        let some = inner.open.values().filter(|entry| is_one(entry));
        some.filter(|entry| entry.charger() == order.charger)
            .map(Rc::clone)
            .collect()
    }

    /// Leaves a charger unread for a while: nobody has to remember to end that.
    fn pause(&self, entry: Rc<Entry>) {
        let number = self.pauses.get().wrapping_add(1).max(1);
        self.pauses.set(number);
        entry.pause(number);
        spawn_local(async move {
            sleep(PAUSE).await;
            if entry.pause.get() == number {
                entry.resume();
            }
        });
    }

    /// Asks a charger to come again.
    pub fn dismiss(&self, entry: &Entry) {
        if entry.leaving.get().is_none() {
            self.dismissed.set(self.dismissed.get() + 1);
            entry.leave(Leave::Restart);
        }
    }

    /// Ready once a charger has no connection any more that it was asked to leave: until then it is the other backend's.
    pub async fn dismissed(&self, charger: &str) {
        loop {
            let gone = self.gone.notified();
            let lingers = self.dismissed.get() > 0
                && self.inner.borrow().open.values().any(|entry| {
                    entry.leaving.get() == Some(Leave::Restart) && entry.charger() == charger
                });
            if !lingers {
                return;
            }
            gone.await;
        }
    }

    /// Tells the counters.
    pub fn tick(&self) {
        let counters = self.metrics.counters();
        self.push(&Record::Tick(Clock::system().now(), counters));
    }

    /// Tells that the plane stops in order.
    pub fn stopping(&self) {
        self.push(&Record::Stopping(Clock::system().now()));
    }

    /// A shadow plane is there: greets it and tells it what it must know.
    pub fn attach(&self, restart: u64) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        inner.attached = true;
        let hello = Hello {
            restart,
            ..self.hello.clone()
        };
        inner.tank.announce(&Record::Hello(hello));
        for departed in inner.untold.drain(..) {
            let Entry { conn, at, .. } = *departed.entry;
            let opened = departed.entry.opened();
            inner.tank.announce(&Record::Opened(conn, at, opened));
            inner.tank.announce(&departed.record());
            let position = inner.tank.written();
            inner.leaving.push_back((position, departed));
        }
        for entry in inner.open.values() {
            let opened = entry.opened();
            if let Some(login) = inner.logins.get(&entry.conn) {
                let login = Login(login.expose());
                inner.tank.announce(&Record::Login(entry.conn, login));
            }
            inner
                .tank
                .announce(&Record::Opened(entry.conn, entry.at, opened));
            for dir in Dir::BOTH {
                entry.announced[dir.index()].set(entry.seen[dir.index()].get());
                if entry.lost[dir.index()].get() {
                    inner.tank.announce(&entry.lost_record(dir));
                }
            }
        }
        let counters = self.metrics.counters();
        inner
            .tank
            .announce(&Record::Tick(Clock::system().now(), counters));
        self.filled.notify_one();
    }

    /// The shadow plane is gone, and with it all that it has not taken.
    pub fn detach(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.attached = false;
        inner.tank.clear();
        self.metrics.set_shadow_status(String::new());
        for (_, departed) in std::mem::take(&mut inner.leaving) {
            self.remember(&mut inner, departed);
        }
    }

    /// Whether the shadow plane has missed a record that nothing makes good; see [`Tank::is_overrun`].
    pub fn is_overrun(&self) -> bool {
        self.inner.borrow().tank.is_overrun()
    }

    /// Bytes that wait to be handed over.
    pub fn waiting(&self) -> usize {
        self.inner.borrow().tank.used()
    }

    /// Lets `write` take some of the oldest bytes; returns how many it took.
    pub fn drain(&self, write: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        let mut inner = self.inner.borrow_mut();
        inner.gathers_since = None;
        let n = write(inner.tank.front())?;
        let told = inner.tank.advance(n);
        self.metrics.gaps.add(told);
        let taken = inner.tank.taken();
        while inner
            .leaving
            .front()
            .is_some_and(|(position, _)| *position <= taken)
        {
            inner.leaving.pop_front();
        }
        Ok(n)
    }

    fn push(&self, record: &Record<'_>) {
        let mut inner = self.inner.borrow_mut();
        if inner.attached {
            inner.tank.push(record);
            self.filled.notify_one();
        }
    }

    fn close_gap(&self, inner: &mut RefMut<'_, Inner>, conn: u64, dir: Dir) {
        if inner.tank.close_gap(conn, dir) {
            self.metrics.gaps.add(1);
        }
    }

    fn remember(&self, inner: &mut RefMut<'_, Inner>, departed: Departed) {
        if inner.untold.len() == UNTOLD {
            inner.untold.pop_front();
            self.metrics.unannounced.add(1);
        }
        inner.untold.push_back(departed);
    }
}

impl Departed {
    fn record(&self) -> Record<'static> {
        Record::Closed(self.entry.conn, self.at, self.closed.clone())
    }
}

/// 32 hex digits. The standard library's hash keys are the system's random numbers.
fn run_identity() -> String {
    let word = || RandomState::new().hash_one(Clock::system().now());
    format!("{:016x}{:016x}", word(), word())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::facts::Leg;

    #[test]
    fn frames_are_ripe_when_the_first_has_waited_or_they_are_many() {
        let board = seen::Writer::new().unwrap();
        let roster = Roster::new(board, 1 << 20, Arc::default());
        roster.attach(0);
        let opened = Opened::of("CP1", Leg::Legacy);
        let entry = roster.opened(1, 0, opened, None).unwrap();
        let drain = || while roster.drain(|bytes| Ok(bytes.len())).unwrap() > 0 {};
        drain();
        let ripens = |frame, at, len: usize| {
            let step = Step {
                frame,
                first: true,
                last: true,
                cut: false,
                range: 0..len,
            };
            roster.hand_over(&entry, Dir::FromCharger, at, &vec![0; len], &[step]);
            roster.ripe.notified().now_or_never().is_some()
        };
        assert!(!ripens(1, 7_000, 10));
        assert!(!ripens(2, 7_999, 10));
        assert!(ripens(3, 8_000, 10));
        drain();
        assert!(!ripens(4, 9_000, 10), "a new batch");
        assert!(ripens(5, 9_001, BATCH.1));
    }
}
