//! Exchanges: a charger's CALL, the authority's answer and the shadow's, paired by connection and order.
//!
//! Message ids repeat in the wild, so an answer belongs to the oldest unanswered CALL of its connection with that id;
//! the shadow's answer belongs to the CALL whose mirrored copy it answers. An exchange is judged when both sides are
//! settled: answered, silent, withheld or lost.

mod open;
mod settled;
mod verdict;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Out;
use super::boots;
use super::heard::Heard;
use super::notes;
use super::rules::Rules;
use super::sessions::{Spoil, Thread};
use super::world::World;
use crate::clock::Micros;
use crate::facts::{Fact, Kind};
use crate::ledger::row::{Exchange, Outcome, Reason, Row};
use crate::ocpp::quirks::Quirks;
use crate::ocpp::{Envelope, MessageType};
use open::{Answer, Ours, Theirs};

pub(super) use open::Open;

/// How long the authority may take before it counts as silent.
const AUTHORITY_TIMEOUT: Micros = 120_000_000;

/// A charger that uses an id again after so long has given the older CALL up, µs: it takes the next answer for the newer.
/// Sooner it may just not wait for answers, which come in order then.
const GIVEN_UP: Micros = 10_000_000;

/// The exchanges that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    /// By the CALL's sequence number. Boxed: a map moves its entries about.
    open: BTreeMap<u64, Box<Open>>,
    /// CALLs that the authority has not answered, per connection, oldest first.
    unanswered: BTreeMap<u64, VecDeque<u64>>,
    /// The CALL of each mirrored copy.
    by_sent: BTreeMap<u64, u64>,
    /// When the authority counts as silent.
    deadlines: BTreeSet<(Micros, u64)>,
}

/// What the judge works with while it looks at one fact.
pub(super) struct Bench<'a> {
    pub(super) rules: &'a Rules,
    pub(super) world: &'a mut World,
    pub(super) out: Out<'a>,
}

impl Exchanges {
    /// How many are open.
    pub(super) fn pending(&self) -> u64 {
        self.open.len() as u64
    }

    /// A charger's CALL.
    pub(super) fn call(&mut self, fact: &Fact, envelope: &Heard<'_>, bench: &mut Bench<'_>) {
        self.supersede(fact, &envelope.id, bench);
        let origin = bench.world.origin(fact);
        let thread = Thread::of(origin.version, envelope);
        let mediated = &mut bench.world.charger(&fact.charger).mediated;
        let is_touched = mediated.is_touched(fact, envelope);
        self.open.insert(
            fact.seq,
            Box::new(Open {
                call: fact.seq,
                at: fact.at,
                origin,
                id: envelope.id.clone().into_owned(),
                action: envelope.action.clone().into_owned(),
                request: envelope.payload.to_owned(),
                thread,
                ours: Ours::Awaited,
                sent: None,
                theirs: Theirs::Awaited,
                spoil: is_touched.then_some(Spoil::plain(Reason::Mediated)),
                withheld: None,
                quirks: Quirks::default(),
                solicited: false,
            }),
        );
        self.unanswered
            .entry(fact.conn)
            .or_default()
            .push_back(fact.seq);
        self.deadlines
            .insert((fact.at.saturating_add(AUTHORITY_TIMEOUT), fact.seq));
    }

    /// Something is odd about a charger's CALL.
    pub(super) fn odd(&mut self, call: u64, quirks: Quirks) {
        if let Some(open) = self.open.get_mut(&call) {
            open.quirks.extend(quirks);
        }
    }

    /// Gives up older CALLs of the same id whose answer was lost or is not waited for: chargers that number every CALL
    /// alike would else get each answer one CALL too early from then on.
    fn supersede(&mut self, fact: &Fact, id: &str, bench: &mut Bench<'_>) {
        let stale = |call: &&u64| {
            self.open.get(call).is_some_and(|open| {
                open.id == id && (open.spoil.is_some() || fact.at - open.at >= GIVEN_UP)
            })
        };
        let unanswered = self.unanswered.get(&fact.conn).into_iter().flatten();
        let given_up: Vec<u64> = unanswered.filter(stale).copied().collect();
        for call in given_up {
            self.settle_ours(call, Ours::Silent, bench);
        }
    }

    /// An answer of the authority. One that answers nothing is left alone.
    pub(super) fn answer(&mut self, fact: &Fact, envelope: &Envelope<'_>, bench: &mut Bench<'_>) {
        let Some(queue) = self.unanswered.get_mut(&fact.conn) else {
            return;
        };
        let Some(place) = queue.iter().position(|call| {
            self.open
                .get(call)
                .is_some_and(|open| open.id == envelope.id)
        }) else {
            return;
        };
        let Some(call) = queue.remove(place) else {
            return;
        };
        self.settle_ours(call, Ours::Answered(Answer::read(fact, envelope)), bench);
    }

    /// A mirrored copy went to the shadow, or one that the tap made up.
    pub(super) fn sent(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        let note = notes::Sent::read(fact);
        let conn = bench.world.conn(fact);
        conn.triggers.sent(fact, &note.action);
        if note.introduces() {
            conn.doubt.cast(fact.at, Reason::Synthetic);
        }
        if let Some(dwell) = &note.not_accepted {
            boots::dwells(fact, dwell, bench);
        }
        if fact.cause == 0 {
            let origin = bench.world.origin(fact);
            let spoil = Spoil::plain(Reason::Synthetic);
            let mut row = bare(fact, &origin, note.action.into_owned(), &spoil);
            row.sent = fact.seq;
            (bench.out)(Row::Exchange(row));
            return;
        }
        if let Some(open) = self.open.get_mut(&fact.cause) {
            if note.signed {
                open.spoil.get_or_insert(Spoil::plain(Reason::Opaque));
            }
            open.solicited |= note.solicited != 0;
            if let Some((before, ..)) = open.sent.replace((fact.seq, fact.at, note.queued_us)) {
                self.by_sent.remove(&before);
            }
            self.by_sent.insert(fact.seq, fact.cause);
        }
    }

    /// The shadow answered, or gave no answer in time.
    pub(super) fn shadow(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        let Some(call) = self.by_sent.remove(&fact.cause) else {
            return;
        };
        if notes::read::<notes::Received>(fact).retry {
            self.again(call);
            return;
        }
        let Some(open) = self.open.get_mut(&call) else {
            return;
        };
        if fact.kind == Kind::ShadowSilent
            && notes::read::<notes::Because>(fact).why == "connection closed"
        {
            // The charger left before the shadow's time was over.
            open.spoil.get_or_insert(Spoil::plain(Reason::ShadowGap));
        }
        open.theirs = match (fact.kind, fact.text().map(Envelope::parse)) {
            (Kind::ShadowSilent, _) => Theirs::Silent,
            (_, Some(Ok(envelope))) if envelope.kind.is_answer() => {
                Theirs::Answered(Answer::read(fact, &envelope))
            }
            _ => Theirs::Answered(Answer::unreadable(fact)),
        };
        self.close_if_settled(call, bench);
    }

    /// The mediator changed a message between charger and authority: the newest CALL of the connection that it asks or
    /// answers is not the backends' doing alone. Whether there is one.
    pub(super) fn mediated(&mut self, conn: u64, note: &notes::Touched) -> bool {
        let unanswered = self.unanswered.get(&conn).into_iter().flatten();
        for call in unanswered.rev() {
            if let Some(open) = self.open.get_mut(call)
                && open.id == note.id
                && open.action == note.action
            {
                open.spoil.get_or_insert(Spoil::plain(Reason::Mediated));
                return true;
            }
        }
        false
    }

    /// A message was kept from the shadow.
    pub(super) fn withheld(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        if let Some(open) = self.open.get_mut(&fact.cause) {
            let note: notes::Because = notes::read(fact);
            open.withheld = Some(note.why);
            self.close_if_settled(fact.cause, bench);
        }
    }

    /// A message that cannot be read: if it came from the charger it may have been a CALL, else an answer to any that is
    /// open.
    pub(super) fn opaque(&mut self, fact: &Fact, from_charger: bool, bench: &mut Bench<'_>) {
        let spoil = Spoil::plain(Reason::Opaque);
        if from_charger {
            let origin = bench.world.origin(fact);
            let row = bare(fact, &origin, String::new(), &spoil);
            (bench.out)(Row::Exchange(row));
        } else {
            self.spoil_unanswered(fact.conn, &spoil);
        }
    }

    /// Frames of a connection were lost: what is open there may have lost its answer. What the authority has answered and
    /// the shadow has yet to be sent has lost nothing, unless `facts` were lost too, that say so.
    pub(super) fn gap(&mut self, conn: Option<u64>, facts: bool, bench: &mut Bench<'_>) {
        let spoil = Spoil::plain(Reason::ShadowGap);
        let touched = self.touched(conn);
        for call in touched {
            if !facts && self.open.get(&call).is_some_and(|open| open.is_kept()) {
                continue;
            }
            if let Some(open) = self.open.get_mut(&call) {
                open.spoil.get_or_insert_with(|| spoil.clone());
            }
            self.close_if_settled(call, bench);
        }
    }

    /// A charger's connection ended: the authority answers no more.
    pub(super) fn closed(&mut self, conn: u64, bench: &mut Bench<'_>) {
        self.spoil_unanswered(conn, &Spoil::plain(Reason::Unanswered));
        for call in self.unanswered.remove(&conn).unwrap_or_default() {
            self.settle_ours(call, Ours::Silent, bench);
        }
    }

    /// A shadow connection ended before it answered this CALL, which will go again on the next.
    pub(super) fn again(&mut self, call: u64) {
        if let Some(open) = self.open.get_mut(&call)
            && let Some((sent, ..)) = open.sent.take()
        {
            self.by_sent.remove(&sent);
        }
    }

    /// A plane began anew: what a charger would hold until the shadow has answered goes again, or is withheld with a fact.
    pub(super) fn interrupted(&mut self) {
        let unanswered = self.open.values().filter(|open| open.would_be_kept());
        let calls: Vec<u64> = unanswered.map(|open| open.call).collect();
        for call in calls {
            self.again(call);
        }
    }

    /// Nothing more comes for a connection (or for all of them): what is open is lost, but for what waits for the
    /// charger's next connection, unless it is lost `for_good`.
    pub(super) fn lost(&mut self, conn: Option<u64>, for_good: bool, bench: &mut Bench<'_>) {
        for call in self.touched(conn) {
            if !for_good && self.open.get(&call).is_some_and(|open| open.is_kept()) {
                continue;
            }
            if let Some(open) = self.open.get_mut(&call) {
                open.spoil.get_or_insert(Spoil::plain(Reason::ShadowGap));
            }
            self.settle_ours(call, Ours::Silent, bench);
        }
    }

    /// Time passed: authorities that have not answered until `now` count as silent.
    pub(super) fn expire(&mut self, now: Micros, bench: &mut Bench<'_>) {
        while let Some(&(deadline, call)) = self.deadlines.first() {
            if deadline > now {
                return;
            }
            self.deadlines.pop_first();
            self.settle_ours(call, Ours::Silent, bench);
        }
    }

    fn touched(&self, conn: Option<u64>) -> Vec<u64> {
        self.open
            .values()
            .filter(|open| conn.is_none_or(|conn| open.origin.conn == conn))
            .map(|open| open.call)
            .collect()
    }

    fn spoil_unanswered(&mut self, conn: u64, spoil: &Spoil) {
        for call in self.unanswered.get(&conn).into_iter().flatten() {
            if let Some(open) = self.open.get_mut(call) {
                open.spoil.get_or_insert_with(|| spoil.clone());
            }
        }
    }

    fn settle_ours(&mut self, call: u64, ours: Ours, bench: &mut Bench<'_>) {
        let Some(open) = self.open.get_mut(&call) else {
            return;
        };
        if matches!(open.ours, Ours::Awaited) {
            open.ours = ours;
            let answered = matches!(open.ours, Ours::Answered(_));
            self.deadlines
                .remove(&(open.at.saturating_add(AUTHORITY_TIMEOUT), call));
            if !answered && let Some(queue) = self.unanswered.get_mut(&open.origin.conn) {
                queue.retain(|waiting| *waiting != call);
                if queue.is_empty() {
                    self.unanswered.remove(&open.origin.conn);
                }
            }
        }
        self.close_if_settled(call, bench);
    }

    fn close_if_settled(&mut self, call: u64, bench: &mut Bench<'_>) {
        if !self.open.get(&call).is_some_and(|open| open.is_settled()) {
            return;
        }
        if let Some(open) = self.open.remove(&call) {
            if let Some((sent, ..)) = open.sent {
                self.by_sent.remove(&sent);
            }
            verdict::judge(*open, bench);
        }
    }
}

/// The row of something that was never an exchange of two answers.
fn bare(fact: &Fact, origin: &super::world::Origin, action: String, spoil: &Spoil) -> Exchange {
    Exchange {
        id: fact.seq,
        at: fact.at,
        charger: origin.charger.to_string(),
        conn: origin.conn,
        version: origin.version.number().into(),
        action,
        authority: origin.authority.word().into(),
        outcome: Outcome::NotComparable,
        reason: Some(spoil.reason),
        root: spoil.root.clone(),
        severity: None,
        rules: Vec::new(),
        answer: 0,
        sent: 0,
        shadow: 0,
        authority_us: None,
        shadow_us: None,
        queue_us: None,
    }
}

impl Answer {
    fn read(fact: &Fact, envelope: &Envelope<'_>) -> Self {
        Self {
            seq: fact.seq,
            at: fact.at,
            refused: (envelope.kind == MessageType::CallError)
                .then(|| envelope.code.clone().into_owned()),
            payload: match envelope.payload {
                // Most answers say nothing.
                "{}" => Cow::Borrowed("{}"),
                payload => Cow::Owned(payload.to_owned()),
            },
        }
    }

    fn unreadable(fact: &Fact) -> Self {
        Self {
            seq: fact.seq,
            at: fact.at,
            refused: Some("unreadable".to_owned()),
            payload: Cow::Borrowed(""),
        }
    }
}
