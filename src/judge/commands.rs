//! Command parity: would the shadow have sent the command that the authority sent, and the other way round?
//!
//! Two commands of one charger belong together when they have the same action and the same decision-bearing fields
//! within a minute of each other. Identifiers that a backend mints in a command say nothing; those that it names are
//! translated first. A command without a twin is judged when its minute is over or the tap stops. Where a leg ended
//! sooner, it counts as missing only if the other backend was told what its sender was told last, and could have
//! followed: [`Waiting::had_its_time`].

mod doubt;
mod late;
mod translate;
mod waiting;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compare::{Context, Difference, Kind, compare};
use super::exchanges::Bench;
use super::findings::{self, Draft, Sides};
use super::rules::{Comparator, Part, Rule, Rules, Site};
use super::tree::Node;
use super::world::Origin;
use crate::clock::Micros;
use crate::facts::{Fact, Kind as FactKind, Leg};
use crate::ledger::row::{Command, Outcome, Reason, Row, Subject};
use crate::ocpp::relation::Relation;
use crate::ocpp::{Envelope, Severity, Version};
pub(super) use doubt::Doubt;
use late::late;
pub(super) use translate::{is_minted, translate};
use waiting::{WINDOW, Waiting};

/// How bad it is that a command of which no rule knows is sent by one backend only.
const UNKNOWN: Severity = Severity::S3;

/// How many commands of one charger wait for their twins.
const MOST_WAITING: usize = 512;

const MISSING: (&str, &str) = (
    "command-missing",
    "The candidate does not do what legacy does.",
);
const EXTRA: (&str, &str) = ("command-extra", "The candidate does what legacy does not.");

/// What became of a command, in the ledger's words.
const MATCHED: &str = "matched";
const DIFFERENT: &str = "different";
const LATER: &str = "late";
const ALONE: [&str; 2] = ["missing", "extra"];

/// Commands that wait for their twin.
#[derive(Debug, Default)]
pub(super) struct Commands {
    waiting: BTreeMap<u64, Waiting>,
    by_charger: BTreeMap<Arc<str>, BTreeSet<u64>>,
    deadlines: BTreeSet<(Micros, u64)>,
}

impl Commands {
    /// How many wait for their twin.
    pub(super) fn pending(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// A command of the authority (`ours`) or of the shadow.
    pub(super) fn sent(
        &mut self,
        fact: &Fact,
        envelope: &Envelope<'_>,
        ours: bool,
        bench: &mut Bench<'_>,
    ) {
        let origin = bench.world.origin(fact);
        let spoil = doubt::spoil(fact, envelope, ours, bench);
        let conn = bench.world.conn(fact);
        let is_away = ours && !conn.shadow_open;
        let gone = (is_away && conn.triggers.joined).then_some(Reason::ShadowGap);
        let command = Waiting {
            seq: fact.seq,
            at: fact.at,
            ours,
            action: envelope.action.clone().into_owned(),
            payload: envelope.payload.to_owned(),
            after: conn.triggers.last(ours).cloned(),
            spoil: spoil.or(gone),
            early: is_away && !conn.triggers.joined,
            origin,
        };
        if let Some((twin, rules)) = self.twin(&command, bench)
            && let Some(twin) = self.take(twin)
        {
            pair(command, twin, (rules, Vec::new()), bench);
            return;
        }
        self.make_room(fact, ours, bench);
        self.deadlines
            .insert((command.at.saturating_add(WINDOW), command.seq));
        self.by_charger
            .entry(Arc::clone(&fact.charger))
            .or_default()
            .insert(command.seq);
        self.waiting.insert(command.seq, command);
    }

    /// Gives up the oldest command of this side if too many wait: the other side's wait for their own twins. Its twin has
    /// none then either.
    fn make_room(&mut self, fact: &Fact, ours: bool, bench: &mut Bench<'_>) {
        let known = self.by_charger.get(&fact.charger);
        let Some(crowd) = known.filter(|known| known.len() >= MOST_WAITING) else {
            return;
        };
        let is_same = |seq: &&u64| self.waiting.get(seq).is_some_and(|it| it.ours == ours);
        let oldest = crowd.iter().find(is_same).copied();
        if let Some(mut command) = oldest.and_then(|seq| self.take(seq)) {
            command.spoil.get_or_insert(Reason::TooMany);
            alone(&command, bench);
            let charger = bench.world.charger(&fact.charger);
            charger.doubt.cast(fact.at, Reason::TooMany);
        }
    }

    /// The oldest command of the other side that decides the same, and the rules that explain the rest.
    fn twin(&self, command: &Waiting, bench: &mut Bench<'_>) -> Option<(u64, Vec<String>)> {
        let relation = &bench.world.charger(&command.origin.charger).relation;
        self.others(command).find_map(|other| {
            let found = differences(bench.rules, relation, command, other);
            found
                .iter()
                .all(|difference| difference.explained)
                .then(|| (other.seq, names(&found)))
        })
    }

    /// The command of the other side that is nearest to this one, if this one is nearest to it too.
    fn mutual(&self, seq: u64, bench: &mut Bench<'_>) -> Option<u64> {
        let other = self.nearest(self.waiting.get(&seq)?, bench)?;
        let back = self.nearest(self.waiting.get(&other)?, bench);
        (back == Some(seq)).then_some(other)
    }

    /// The command of the other side that differs in the fewest places; the oldest of several.
    fn nearest(&self, command: &Waiting, bench: &mut Bench<'_>) -> Option<u64> {
        let relation = &bench.world.charger(&command.origin.charger).relation;
        self.others(command)
            .min_by_key(|other| {
                differences(bench.rules, relation, command, other)
                    .iter()
                    .filter(|difference| !difference.explained)
                    .count()
            })
            .map(|other| other.seq)
    }

    /// Commands of the other side with the same action, near enough in time, oldest first.
    fn others<'a>(&'a self, command: &'a Waiting) -> impl Iterator<Item = &'a Waiting> {
        self.by_charger
            .get(&command.origin.charger)
            .into_iter()
            .flatten()
            .filter_map(|seq| self.waiting.get(seq))
            .filter(|other| {
                other.ours != command.ours
                    && other.action == command.action
                    && other.at.abs_diff(command.at) <= WINDOW.unsigned_abs()
            })
    }

    fn take(&mut self, seq: u64) -> Option<Waiting> {
        let command = self.waiting.remove(&seq)?;
        self.deadlines
            .remove(&(command.at.saturating_add(WINDOW), seq));
        if let Some(waiting) = self.by_charger.get_mut(&command.origin.charger) {
            waiting.remove(&seq);
            if waiting.is_empty() {
                self.by_charger.remove(&command.origin.charger);
            }
        }
        Some(command)
    }

    /// Time passed: commands whose minute is over are judged.
    pub(super) fn expire(&mut self, now: Micros, bench: &mut Bench<'_>) {
        while let Some(&(deadline, seq)) = self.deadlines.first() {
            if deadline > now {
                return;
            }
            self.deadlines.pop_first();
            self.conclude(seq, deadline, bench);
        }
    }

    /// The tap stopped: every window closes.
    pub(super) fn close(&mut self, now: Micros, bench: &mut Bench<'_>) {
        while let Some((_, seq)) = self.deadlines.pop_first() {
            self.conclude(seq, now, bench);
        }
    }

    /// The shadow was told what the authority had been told: a message of the charger, or that it is there.
    pub(super) fn told(&mut self, fact: &Fact, trigger: u64) {
        self.each_of(&fact.charger, |command| {
            let after = command.after.as_ref();
            if command.ours && after.is_some_and(|after| after.fact == trigger) {
                command.told(fact.at);
            }
        });
    }

    /// Frames were lost or a leg is away: what waits on the connection (or on any) may have had a twin.
    pub(super) fn spoil(&mut self, conn: Option<u64>) {
        for command in self.waiting.values_mut() {
            if conn.is_none_or(|conn| command.origin.conn == conn) {
                command.spoil.get_or_insert(Reason::ShadowGap);
            }
        }
    }

    /// A connection ended, or its shadow leg alone: what could not be followed by then is not held against anybody. The
    /// authority goes on when a leg ends.
    pub(super) fn cut(&mut self, fact: &Fact) {
        let is_leg = fact.kind == FactKind::ShadowClosed;
        self.each_of(&fact.charger, |command| {
            let is_cut = command.origin.conn == fact.conn && (command.ours || !is_leg);
            if is_cut && !command.had_its_time(fact.at) {
                command.spoil.get_or_insert(Reason::ShadowGap);
            }
        });
    }

    /// A charger changes hands: what the other backend had no time to send it may send from the other side.
    pub(super) fn switched(&mut self, fact: &Fact) {
        self.each_of(&fact.charger, |command| {
            if !command.had_its_time(fact.at) {
                command.spoil.get_or_insert(Reason::Switched);
            }
        });
    }

    fn each_of(&mut self, charger: &Arc<str>, mut visit: impl FnMut(&mut Waiting)) {
        for seq in self.by_charger.get(charger).into_iter().flatten() {
            if let Some(command) = self.waiting.get_mut(seq) {
                visit(command);
            }
        }
    }

    /// Judges a command that found no equal twin.
    fn conclude(&mut self, seq: u64, until: Micros, bench: &mut Bench<'_>) {
        let other = self.mutual(seq, bench);
        let Some(mut command) = self.take(seq) else {
            return;
        };
        let Some(other) = other.and_then(|other| self.take(other)) else {
            if command.early && !command.had_its_time(until) {
                command.spoil.get_or_insert(Reason::ShadowGap);
            }
            alone(&command, bench);
            return;
        };
        let relation = &bench.world.charger(&command.origin.charger).relation;
        let found = differences(bench.rules, relation, &command, &other);
        let unlisted = bench.rules.fallback();
        let drafts = found
            .iter()
            .filter(|difference| !difference.explained)
            .map(|difference| {
                let authority = command.origin.authority;
                let mut draft = Draft::field(difference, Part::Command, &command.action, authority);
                let says = matches!(difference.kind, Kind::Value | Kind::Missing | Kind::Extra);
                if says && difference.rule == unlisted {
                    draft.severity = UNKNOWN;
                }
                draft
            })
            .collect();
        let rules = names(&found);
        pair(command, other, (rules, drafts), bench);
    }
}

fn names(found: &[Difference<'_>]) -> Vec<String> {
    found
        .iter()
        .filter(|difference| difference.explained)
        .map(|difference| difference.rule.id.clone())
        .collect()
}

/// What differs between two commands, after translation; the authority's comes first whichever is given first.
fn differences<'r>(
    rules: &'r Rules,
    relation: &Relation,
    a: &Waiting,
    b: &Waiting,
) -> Vec<Difference<'r>> {
    let (ours, theirs) = if a.ours { (a, b) } else { (b, a) };
    let origin = &ours.origin;
    let action = ours.action.as_str();
    let translated = translate(
        relation,
        (origin.version, action, origin.authority),
        &theirs.payload,
    );
    let context = context(origin.version, action, &ours.payload);
    let mut found = compare(rules, &context, &ours.payload, &translated);
    found.retain(|difference| !is_minted(origin.version, action, &difference.path));
    found
}

/// How two commands are compared.
pub(super) fn context<'a>(version: Version, action: &'a str, ours: &'a str) -> Context<'a> {
    Context {
        version,
        action,
        part: Part::Command,
        request: ours,
        heard: None,
    }
}

/// Two commands belong together; `drafts` are what differs, `rules` what explains the rest.
fn pair(
    command: Waiting,
    other: Waiting,
    (rules, mut drafts): (Vec<String>, Vec<Draft>),
    bench: &mut Bench<'_>,
) {
    let (ours, theirs) = if command.ours {
        (command, other)
    } else {
        (other, command)
    };
    let mut verdict = if drafts.is_empty() {
        MATCHED
    } else {
        DIFFERENT
    };
    if let Some(draft) = late(&ours, &theirs, about(&ours, bench)) {
        if drafts.is_empty() {
            verdict = LATER;
        }
        drafts.push(draft);
    }
    let lag_us = Some(theirs.at - ours.at);
    let theirs_after = theirs.after.as_ref().map(|after| after.row(theirs.at));
    if let Some(reason) = spoilt(&ours, &theirs, &drafts) {
        let row = Command {
            reason: Some(reason),
            theirs: theirs.seq,
            lag_us,
            theirs_after,
            ..blank(&ours, Outcome::NotComparable, Vec::new())
        };
        emit(row, Vec::new(), &ours.origin, bench);
        return;
    }
    let outcome = match (drafts.is_empty(), rules.is_empty()) {
        (false, _) => Outcome::Divergent,
        (true, false) => Outcome::Explained,
        (true, true) => Outcome::Equal,
    };
    let row = Command {
        verdict: verdict.into(),
        theirs: theirs.seq,
        lag_us,
        theirs_after,
        ..blank(&ours, outcome, rules)
    };
    emit(row, drafts, &ours.origin, bench);
}

/// Why two commands that belong together say nothing: one was changed on its way; or they differ, and the true twin of
/// one may be another.
fn spoilt(ours: &Waiting, theirs: &Waiting, drafts: &[Draft]) -> Option<Reason> {
    let reason = ours.spoil.or(theirs.spoil)?;
    (!drafts.is_empty() || reason == Reason::Mediated).then_some(reason)
}

/// Judges a command that the other backend did not send.
fn alone(command: &Waiting, bench: &mut Bench<'_>) {
    let mut row = blank(command, Outcome::NotComparable, Vec::new());
    if command.spoil.is_some() {
        row.reason = command.spoil;
        emit(row, Vec::new(), &command.origin, bench);
        return;
    }
    let from_legacy = command.ours == (command.origin.authority == Leg::Legacy);
    row.verdict = ALONE[usize::from(!from_legacy)].into();
    let whole = about(command, bench);
    if let Some(rule) = whole.filter(|rule| rule.compare == Comparator::Ignore) {
        row.outcome = Outcome::Explained;
        row.rules = vec![rule.id.clone()];
        emit(row, Vec::new(), &command.origin, bench);
        return;
    }
    let draft = one_sided(command, whole);
    row.outcome = Outcome::Divergent;
    emit(row, vec![draft], &command.origin, bench);
}

/// The rule for the whole of this command.
fn about<'r>(command: &Waiting, bench: &Bench<'r>) -> Option<&'r Rule> {
    whole(
        bench.rules,
        command.origin.version,
        &command.action,
        &command.payload,
    )
}

/// The rule for the whole of a command.
pub(super) fn whole<'r>(
    rules: &'r Rules,
    version: Version,
    action: &str,
    payload: &str,
) -> Option<&'r Rule> {
    let request = Node::parse(payload).ok();
    rules.find(&Site {
        version,
        action,
        part: Part::Command,
        path: "",
        authority: None,
        shadow: None,
        request: request.as_ref(),
        element: None,
    })
}

/// `missing` and `extra`: seen from the candidate, whichever is the authority.
fn one_sided(command: &Waiting, whole: Option<&Rule>) -> Draft {
    let authority = command.origin.authority;
    let sender = if command.ours {
        authority
    } else {
        authority.other()
    };
    let (unlisted, kind) = match sender {
        Leg::Legacy => (MISSING, "missing command"),
        Leg::Candidate => (EXTRA, "extra command"),
    };
    let (rule, severity) = whole.map_or((unlisted, UNKNOWN), |rule| {
        (
            (rule.id.as_str(), rule.reason.as_str()),
            rule.one_sided(sender),
        )
    });
    let title = format!(
        "{} is sent by {}, not by {}",
        command.action,
        sender.word(),
        sender.other().word()
    );
    let sides = Sides::of(sender, "sent", "not sent");
    Draft::whole(rule, kind, &command.action, severity, sides, title)
}

/// The row of a command by itself.
fn blank(command: &Waiting, outcome: Outcome, rules: Vec<String>) -> Command {
    let after = command.after.as_ref().map(|after| after.row(command.at));
    let (ours_after, theirs_after) = if command.ours {
        (after, None)
    } else {
        (None, after)
    };
    Command {
        id: command.seq,
        at: command.at,
        charger: command.origin.charger.to_string(),
        conn: command.origin.conn,
        version: command.origin.version.number().into(),
        action: command.action.clone(),
        authority: command.origin.authority.word().into(),
        outcome,
        reason: None,
        severity: None,
        rules,
        verdict: Cow::default(),
        ours: if command.ours { command.seq } else { 0 },
        theirs: if command.ours { 0 } else { command.seq },
        lag_us: None,
        ours_after,
        theirs_after,
    }
}

fn emit(mut row: Command, drafts: Vec<Draft>, origin: &Origin, bench: &mut Bench<'_>) {
    let mut drafts = findings::once_each(drafts);
    let charger = bench.world.charger(&origin.charger);
    let said = if row.theirs == 0 {
        row.ours
    } else {
        row.theirs
    };
    if row.outcome.is_comparable() && charger.is_simulated(&row.action, said) {
        row.outcome = Outcome::NotComparable;
        row.reason = Some(Reason::Simulated);
        row.verdict = Cow::default();
        drafts.clear();
    }
    row.severity = drafts.iter().map(|draft| draft.severity).min();
    let (id, at) = (row.id, row.at);
    (bench.out)(Row::Command(row));
    for draft in drafts {
        (bench.out)(Row::Divergence(draft.seen(
            Subject::Command,
            id,
            at,
            origin,
        )));
    }
}
