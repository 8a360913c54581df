//! Command parity: would the shadow have sent the command that the authority sent, and the other way round?
//!
//! Two commands of one charger belong together when they have the same action and the same decision-bearing fields
//! within a minute of each other. Identifiers that a backend mints in a command say nothing; those that it names are
//! translated first. A command without a twin is judged when its minute is over or the tap stops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compare::{Context, Difference, Kind, compare};
use super::exchanges::Bench;
use super::findings::{self, Draft, Sides};
use super::rules::{Comparator, Part, Rule, Rules, Site};
use super::tree::Node;
use super::world::Origin;
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::ledger::row::{Command, Outcome, Reason, Row, Subject};
use crate::ocpp::identifiers::{Part as Half, Role, sites};
use crate::ocpp::json::{self, Step};
use crate::ocpp::relation::{Identifier, Relation};
use crate::ocpp::{Envelope, Severity, Version};

/// How far apart two equivalent commands may be, µs.
const WINDOW: Micros = 60_000_000;

/// A connection that ends this soon after a command gave the other backend no time to follow, µs.
const GRACE: Micros = 2_000_000;

/// How bad it is that a command of which no rule knows is sent by one backend only.
const UNKNOWN: Severity = Severity::S3;

const MISSING: (&str, &str) = (
    "command-missing",
    "The candidate does not do what legacy does.",
);
const EXTRA: (&str, &str) = ("command-extra", "The candidate does what legacy does not.");

/// Commands that wait for their twin.
#[derive(Debug, Default)]
pub(super) struct Commands {
    waiting: BTreeMap<u64, Waiting>,
    by_charger: BTreeMap<Arc<str>, BTreeSet<u64>>,
    deadlines: BTreeSet<(Micros, u64)>,
}

#[derive(Debug)]
struct Waiting {
    seq: u64,
    at: Micros,
    origin: Origin,
    /// The authority sent it.
    ours: bool,
    action: String,
    payload: String,
    /// Something was lost or away while it waited.
    spoiled: bool,
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
        let command = Waiting {
            seq: fact.seq,
            at: fact.at,
            ours,
            action: envelope.action.clone().into_owned(),
            payload: envelope.payload.to_owned(),
            spoiled: ours && !bench.world.conn(fact).shadow_open,
            origin,
        };
        if let Some((twin, rules)) = self.twin(&command, bench) {
            let twin = self.take(twin);
            pair(command, twin, rules, Vec::new(), bench);
            return;
        }
        self.deadlines
            .insert((command.at.saturating_add(WINDOW), command.seq));
        self.by_charger
            .entry(Arc::clone(&fact.charger))
            .or_default()
            .insert(command.seq);
        self.waiting.insert(command.seq, command);
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
            self.conclude(seq, bench);
        }
    }

    /// The tap stopped: every window closes.
    pub(super) fn close(&mut self, bench: &mut Bench<'_>) {
        self.expire(Micros::MAX, bench);
    }

    /// Frames were lost or a leg is away: what waits on the connection (or on any) may have had a twin.
    pub(super) fn spoil(&mut self, conn: Option<u64>) {
        for command in self.waiting.values_mut() {
            command.spoiled |= conn.is_none_or(|conn| command.origin.conn == conn);
        }
    }

    /// A connection ended: what was sent just before could not be followed.
    pub(super) fn cut(&mut self, conn: u64, at: Micros) {
        for command in self.waiting.values_mut() {
            command.spoiled |= command.origin.conn == conn && at - command.at < GRACE;
        }
    }

    /// Judges a command that found no equal twin.
    fn conclude(&mut self, seq: u64, bench: &mut Bench<'_>) {
        let other = self.mutual(seq, bench);
        let Some(command) = self.take(seq) else {
            return;
        };
        let Some(other) = other.and_then(|other| self.take(other)) else {
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
        pair(command, Some(other), rules, drafts, bench);
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

/// Whether a backend mints an identifier there: it says nothing.
pub(super) fn is_minted(version: Version, action: &str, path: &str) -> bool {
    sites(version, action, Half::Request)
        .any(|site| site.role == Role::Mint && pointer(site.path) == path)
}

/// The shadow's command with the identifiers that it names in the authority's namespace.
pub(super) fn translate(
    relation: &Relation,
    (version, action, authority): (Version, &str, Leg),
    payload: &str,
) -> String {
    let mut edits = Vec::new();
    for site in sites(version, action, Half::Request) {
        if site.role != Role::Named {
            continue;
        }
        for range in json::locate(payload, site.path).unwrap_or_default() {
            let named = Identifier::read(&payload[range.clone()]);
            let twin = match authority {
                Leg::Legacy => relation.to_authority(site.class, named.text()),
                Leg::Candidate => relation.to_shadow(site.class, named.text()),
            };
            if let Some(twin) = twin {
                let twin = if named.is_string() {
                    serde_json::Value::from(twin).to_string()
                } else {
                    twin.to_owned()
                };
                edits.push((range, twin));
            }
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = payload.to_owned();
    for (range, twin) in edits.into_iter().rev() {
        text.replace_range(range, &twin);
    }
    text
}

fn pointer(path: &[Step]) -> String {
    path.iter().fold(String::new(), |pointer, step| match step {
        Step::Key(name) => format!("{pointer}/{name}"),
        Step::Each => format!("{pointer}/*"),
    })
}

fn pair(
    command: Waiting,
    other: Option<Waiting>,
    rules: Vec<String>,
    drafts: Vec<Draft>,
    bench: &mut Bench<'_>,
) {
    let (ours, theirs) = match (command.ours, other) {
        (true, other) => (Some(command), other),
        (false, other) => (other, Some(command)),
    };
    let Some(first) = ours.as_ref().or(theirs.as_ref()) else {
        return;
    };
    let outcome = match (drafts.is_empty(), rules.is_empty()) {
        (false, _) => Outcome::Divergent,
        (true, false) => Outcome::Explained,
        (true, true) => Outcome::Equal,
    };
    let row = Command {
        lag_us: ours
            .as_ref()
            .zip(theirs.as_ref())
            .map(|(ours, theirs)| theirs.at - ours.at),
        ours: ours.as_ref().map_or(0, |ours| ours.seq),
        theirs: theirs.as_ref().map_or(0, |theirs| theirs.seq),
        ..blank(first, outcome, rules)
    };
    emit(row, drafts, &first.origin, bench);
}

/// Judges a command that the other backend did not send.
fn alone(command: &Waiting, bench: &mut Bench<'_>) {
    let mut row = blank(command, Outcome::NotComparable, Vec::new());
    if command.ours {
        row.ours = command.seq;
    } else {
        row.theirs = command.seq;
    }
    if command.spoiled {
        row.reason = Some(Reason::ShadowGap);
        emit(row, Vec::new(), &command.origin, bench);
        return;
    }
    let whole = whole(
        bench.rules,
        command.origin.version,
        &command.action,
        &command.payload,
    );
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

fn blank(command: &Waiting, outcome: Outcome, rules: Vec<String>) -> Command {
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
        ours: 0,
        theirs: 0,
        lag_us: None,
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
