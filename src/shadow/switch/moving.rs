//! The steps that one charger passes: idle, quiet, sent away, seen out, let in, back.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{Board, Case, Pause, Running, order, span};
use crate::clock::Clock;
use crate::facts::authority::{Carried, Change, Mode, Standing, Step};
use crate::live::routes::PAUSE;
use crate::shadow::legs::OpenTransaction;

/// How often a charger that has to become idle is looked at again, at least: its shadow leg changes without a word.
const AGAIN: Duration = Duration::from_millis(100);

/// How soon after a message its shadow leg has probably done with it.
const SETTLES: Duration = Duration::from_millis(10);

/// How long a charger may go on talking, one CALL after the other, before it is made to pause.
const TALKS: Duration = Duration::from_secs(2);

/// How soon after a pause in which it did not come to rest it is made to pause again.
const PAUSES_AGAIN: Duration = Duration::from_secs(10);

/// How often a charger that never comes to rest is made to pause in one move. Its backends may be at fault, and it is its
/// live path.
const MOST_PAUSES: u32 = 2;

/// How long a rollback waits for the answers that are due.
const HURRY: Duration = Duration::from_secs(3);

/// How long a rollback waits for its journal before it acts without.
const UNSYNCED: Duration = Duration::from_secs(2);

/// How long a connection may take to end once the live plane was told so.
const SEEN_OUT: Duration = Duration::from_secs(6);

/// How long the leg may go on delivering what the charger said before it was sent away.
const DELIVERY: Duration = Duration::from_secs(4);

/// What became of a charger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It belongs to the new authority, and is back unless it was away before.
    Moved,
    /// It stays where it is.
    Kept,
    /// It belongs to the new authority, and has not come back in time.
    Missing,
    /// The recorder or the live plane is gone: whoever starts next goes on.
    Left,
}

/// The recorder or the live plane is gone.
struct Gone;

/// Why a charger can't be moved this instant.
enum Hindrance {
    /// A message is not answered yet.
    Talk,
    /// The new authority lacks something that is on its way to it. It may take long, and the charger need not wait for that.
    Unheard,
    /// Anything else.
    Other(String),
}

impl Hindrance {
    fn into_text(self) -> String {
        match self {
            Self::Talk => "a message is not answered yet".to_owned(),
            Self::Unheard => "the new authority has not heard all of it yet".to_owned(),
            Self::Other(why) => why,
        }
    }
}

/// One charger on its way.
pub(super) struct Move {
    pub(super) board: Rc<Board>,
    pub(super) running: Rc<Running>,
    pub(super) case: Rc<Case>,
    pub(super) charger: Arc<str>,
}

impl Move {
    pub(super) async fn run(self) -> Fate {
        let case = Rc::clone(&self.case);
        let _turn = case.turn.lock().await;
        self.pass().await.unwrap_or(Fate::Left)
    }

    async fn pass(&self) -> Result<Fate, Gone> {
        let to = self.running.plan.to;
        let standing = self.standing();
        let mine = standing
            .as_ref()
            .filter(|standing| standing.switch == self.running.switch);
        // What an earlier run began is brought to its end.
        let step = mine.map(|mine| mine.step);
        match step {
            Some(Step::Missing) => return Ok(Fate::Missing),
            Some(Step::Done | Step::Settled) => return Ok(Fate::Moved),
            None if self.board.authority_of(&self.charger) == to => return Ok(Fate::Kept),
            _ => {}
        }
        let (mut acts, mut admitted) = (
            step == Some(Step::Acting),
            step.is_some_and(|step| !matches!(step, Step::Acting | Step::Recalled)),
        );
        let mut was_connected = acts || admitted;
        let until = Instant::now() + span(self.running.plan.limit_us);
        while !admitted {
            let resumed = acts;
            if !acts {
                if let Some(why) = self.wait(until).await? {
                    return self.keep(why);
                }
                self.act().await?;
            }
            was_connected |= self.case.left.get().is_some()
                || self.board.is_connected(&self.charger, to.other());
            self.see_out().await;
            admitted = self.admit(resumed).await?;
            acts = false;
        }
        self.see_in(was_connected).await
    }

    fn standing(&self) -> Option<Standing> {
        let standings = self.board.standings.borrow();
        standings.get(&self.charger).cloned()
    }

    /// Waits until the charger may be moved; says why not if that does not come.
    async fn wait(&self, until: Instant) -> Result<Option<String>, Gone> {
        let mut busy: Option<Instant> = None;
        let mut pauses = 0;
        let mut turn: Option<Instant> = None;
        let mut has_news = false;
        loop {
            self.goes_on()?;
            if self.running.cancelled.get() {
                return Ok(Some("another switch took the place of this one".to_owned()));
            }
            let hindrance = self.hindrance();
            let is_busy = matches!(hindrance, Some(Hindrance::Talk | Hindrance::Unheard));
            busy = is_busy.then(|| busy.unwrap_or_else(Instant::now));
            let talks = busy.is_some_and(|since| since.elapsed() >= TALKS);
            let is_next = hindrance.is_none() || talks;
            match turn {
                None if is_next => {
                    self.running.pace.turn().await;
                    turn = Some(Instant::now());
                    continue;
                }
                Some(turn) if self.may_go(hindrance.as_ref(), turn) => return Ok(None),
                Some(_) if hindrance.is_none() => drop(self.pause(PAUSE)),
                Some(_) if talks && pauses < MOST_PAUSES && self.would_rest(hindrance.as_ref()) => {
                    pauses += u32::from(self.pause(PAUSES_AGAIN));
                }
                _ => {}
            }
            if let Some(hindrance) = hindrance
                && Instant::now() >= until
            {
                return Ok(Some(hindrance.into_text()));
            }
            // News are a reason to look again, and so is what the leg has made of them a moment later.
            let again = if has_news { SETTLES } else { AGAIN };
            let again = Instant::now() + again;
            let news = timeout_at(again, self.case.news.notified()).await;
            has_news = news.is_ok();
        }
    }

    /// Whether the charger, whose turn it has been since `turn`, may go now: at rest, and nothing that it said unseen. A
    /// rollback waits for that only so long.
    fn may_go(&self, hindrance: Option<&Hindrance>, turn: Instant) -> bool {
        match hindrance {
            None => self.case.paused.get().is_some_and(Pause::is_seen),
            Some(Hindrance::Talk | Hindrance::Unheard) => {
                self.running.plan.rollback && turn.elapsed() >= HURRY
            }
            Some(Hindrance::Other(_)) => false,
        }
    }

    /// Whether a pause would bring the charger to rest: only if it talks itself. What its authority asked it is answered on
    /// the connection that a pause is meant to end, or nowhere.
    fn would_rest(&self, hindrance: Option<&Hindrance>) -> bool {
        matches!(hindrance, Some(Hindrance::Talk)) && !self.board.legs.is_asked(&self.charger)
    }

    /// Makes the charger pause, so that what it says next it says to its new authority; not before `rest` since it was made
    /// to last. Whether it was.
    fn pause(&self, rest: Duration) -> bool {
        let last = self.case.paused.get();
        if last.is_some_and(|last| last.since.elapsed() < rest) {
            return false;
        }
        self.case.paused.set(Some(Pause {
            since: Instant::now(),
            is_seen: false,
        }));
        self.board.pause(&self.charger, true);
        true
    }

    /// The charger stays, so it may go on talking.
    fn resume(&self) {
        if self.case.paused.take().is_some() {
            self.board.pause(&self.charger, false);
        }
    }

    /// Whether the live plane is there to carry out what is decided.
    fn goes_on(&self) -> Result<(), Gone> {
        (!self.board.stopping.get()).then_some(()).ok_or(Gone)
    }

    /// Why the charger can't be moved this instant.
    fn hindrance(&self) -> Option<Hindrance> {
        let plan = &self.running.plan;
        let legs = &self.board.legs;
        let open = legs.open_transactions(&self.charger);
        if let Some(first) = open.iter().find(|one| !one.is_ending)
            && plan.mode == Mode::Drain
        {
            let why = format!("transaction {} is open", first.wire);
            return Some(Hindrance::Other(why));
        }
        if let Some(unknown) = self.unknown(&open) {
            return Some(Hindrance::Other(unknown));
        }
        if !plan.rollback
            && let Some((class, name)) = legs.unknown(&self.charger)
        {
            let (what, to) = (class.word(), plan.to.word());
            let why = format!("{what} {name} is not over, and {to} does not know it");
            return Some(Hindrance::Other(why));
        }
        if !self.board.mediates.get() && Carried::need_mediator(&legs.names(&self.charger)) {
            let why = "the backends name differently what goes on, and there is no mediator";
            let why = why.to_owned();
            return Some(Hindrance::Other(why));
        }
        if legs.is_talking(&self.charger) {
            return Some(Hindrance::Talk);
        }
        if plan.rollback {
            return legs.owes(&self.charger).then_some(Hindrance::Unheard);
        }
        if let Some(connector) = legs.charges_unseen(&self.charger) {
            let why = format!("connector {connector} charges, and its transaction is not known");
            return Some(Hindrance::Other(why));
        }
        if let Some(why) = legs.unready(&self.charger) {
            return Some(Hindrance::Other(why.to_owned()));
        }
        (!legs.is_settled(&self.charger)).then_some(Hindrance::Unheard)
    }

    /// A transaction that the new authority could not be told of, in words: nobody may guess its name.
    fn unknown(&self, open: &[OpenTransaction]) -> Option<String> {
        let to = self.running.plan.to.word();
        let unknown = open.iter().find(|one| one.shadow.is_none())?;
        let (name, how) = (
            &unknown.wire,
            if unknown.is_ending { "ending" } else { "open" },
        );
        Some(format!(
            "transaction {name} is {how}, and {to} does not know it"
        ))
    }

    fn keep(&self, why: String) -> Result<Fate, Gone> {
        tracing::info!(charger = %self.charger.escape_debug(), why, "charger stays");
        self.resume();
        let change = Change {
            why,
            ..self.change(Step::Kept)
        };
        self.board.record(&self.charger, &change).ok_or(Gone)?;
        Ok(Fate::Kept)
    }

    fn change(&self, step: Step) -> Change {
        Change::new(self.running.switch, step, self.running.plan.to)
    }

    /// From here on the charger belongs to the new authority: on disk first, then in the live plane.
    async fn act(&self) -> Result<(), Gone> {
        self.case.left.set(None);
        self.case.paused.set(None);
        let names = self.board.legs.names(&self.charger);
        self.commit(self.change(Step::Acting), names).await
    }

    /// Records a step and, once it is synced, orders what follows from it.
    async fn commit(&self, change: Change, open: Vec<Carried>) -> Result<(), Gone> {
        let step = change.step;
        let change = Change { open, ..change };
        let at = Clock::system().now();
        match self.board.record(&self.charger, &change) {
            Some(seq) => self.synced(seq).await?,
            None if self.running.plan.rollback => {
                tracing::error!(charger = %self.charger.escape_debug(), "rolled back without a journal");
            }
            None => return Err(Gone),
        }
        let standing = Standing {
            authority: change.to,
            switch: change.switch,
            step,
            at,
            open: change.open,
        };
        self.board.order(order(&self.charger, &standing));
        let mut standings = self.board.standings.borrow_mut();
        standings.insert(Arc::clone(&self.charger), standing);
        Ok(())
    }

    async fn synced(&self, seq: u64) -> Result<(), Gone> {
        let mut committed = self.board.recorder.committed();
        let synced = committed.wait_for(|committed| *committed >= seq);
        if !self.running.plan.rollback {
            return synced.await.map(|_| ()).map_err(|_| Gone);
        }
        // The way back is open even when the disk is not.
        if let Ok(synced) = timeout(UNSYNCED, synced).await {
            return synced.map(|_| ()).map_err(|_| Gone);
        }
        tracing::error!(charger = %self.charger.escape_debug(), "rolled back before its journal is synced");
        Ok(())
    }

    /// Waits for the end of what the charger has open at its old authority.
    async fn see_out(&self) {
        let from = self.running.plan.to.other();
        let until = Instant::now() + SEEN_OUT;
        while self.goes_on().is_ok() && self.board.is_connected(&self.charger, from) {
            if timeout_at(until, self.case.news.notified()).await.is_err() {
                tracing::warn!(charger = %self.charger.escape_debug(), "its old connection does not end");
                return;
            }
        }
    }

    /// The new authority has all that the charger said before: both backends change sides, and the charger may come in.
    /// If it lacks some, the charger goes back until that has changed: whether it was admitted.
    async fn admit(&self, resumed: bool) -> Result<bool, Gone> {
        let legs = &self.board.legs;
        legs.parted(&self.charger, DELIVERY).await;
        self.goes_on()?;
        let before = self.standing().map_or_else(Vec::new, |before| before.open);
        if let Some(why) = self.lack(&before) {
            self.recall(why, before).await?;
            return Ok(false);
        }
        let mut open = legs.names(&self.charger);
        if resumed {
            // What is not remembered of a transaction that was open does not mean that it has ended.
            let known = |one: &Carried| {
                let same = |other: &Carried| other.class == one.class && other.wire == one.wire;
                open.iter().any(same)
            };
            let forgotten: Vec<Carried> = before.into_iter().filter(|one| !known(one)).collect();
            open.extend(forgotten);
        }
        let untold = legs.turn(&self.charger, &open);
        if !untold.is_empty() {
            let count = untold.len();
            tracing::error!(charger = %self.charger.escape_debug(), count, backend = self.running.plan.to.word(),
                "the new authority was owed messages that it does not get any more");
            self.board
                .untold
                .set(self.board.untold.get() + count as u64);
        }
        let admitted = Change {
            untold,
            ..self.change(Step::Admitted)
        };
        self.commit(admitted, open).await?;
        Ok(true)
    }

    /// What the new authority lacks of what came in the last moment.
    fn lack(&self, before: &[Carried]) -> Option<String> {
        let legs = &self.board.legs;
        let mut open = legs.open_transactions(&self.charger);
        open.retain(|one| {
            let same = |carried: &Carried| carried.is_transaction() && carried.wire == one.wire;
            !before.iter().any(same)
        });
        let is_owed = !self.running.plan.rollback && legs.owes(&self.charger);
        let unheard = is_owed.then(|| "the new authority has not heard all of it yet".to_owned());
        self.unknown(&open).or(unheard)
    }

    /// The charger belongs to its old authority again.
    async fn recall(&self, why: String, open: Vec<Carried>) -> Result<(), Gone> {
        tracing::info!(charger = %self.charger.escape_debug(), why, "charger goes back for a while");
        let change = Change {
            why,
            ..Change::new(
                self.running.switch,
                Step::Recalled,
                self.running.plan.to.other(),
            )
        };
        let open = open.into_iter().map(Carried::turned).collect();
        self.commit(change, open).await
    }

    /// Waits for the charger to come back.
    async fn see_in(&self, was_connected: bool) -> Result<Fate, Gone> {
        let to = self.running.plan.to;
        let until = Instant::now() + span(self.running.plan.deadline_us);
        while was_connected && !self.board.is_connected(&self.charger, to) {
            self.goes_on()?;
            if self.running.cancelled.get() {
                return self.note(&self.change(Step::Missing), Fate::Missing);
            }
            if timeout_at(until, self.case.news.notified()).await.is_err() {
                tracing::warn!(charger = %self.charger.escape_debug(), "charger did not come back in time");
                return self.note(&self.change(Step::Missing), Fate::Missing);
            }
        }
        let left = self.case.left.get();
        let done = Change {
            outage_us: left.map(|left| Clock::system().now() - left),
            why: if was_connected {
                String::new()
            } else {
                "it was not connected".to_owned()
            },
            ..self.change(Step::Done)
        };
        self.note(&done, Fate::Moved)
    }

    fn note(&self, change: &Change, fate: Fate) -> Result<Fate, Gone> {
        if let Some(standing) = self.board.standings.borrow_mut().get_mut(&self.charger) {
            standing.step = change.step;
        }
        self.board.record(&self.charger, change).ok_or(Gone)?;
        Ok(fate)
    }
}
