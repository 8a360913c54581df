//! Quirks of chargers that show in what comes after what, and what follows from any quirk.
//!
//! Histories are kept here rather than in the tap: recordings made before a quirk was known show it too, and the tap
//! spends nothing on it. What is kept per charger and connection is bounded; after a gap it is forgotten, since what seems
//! to be missing may lie in the gap.

mod history;
mod line;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::exchanges::{Bench, Exchanges};
use super::heard::Heard;
use super::notes;
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::ledger::row::{QuirkSeen, Row};
use crate::ocpp::instant;
use crate::ocpp::json::Step;
use crate::ocpp::quirks::{Effect, Quirk, Quirks};
use crate::ocpp::{Envelope, MessageType};

pub(super) use history::History;
pub(super) use line::Line;

/// Models and actions that are remembered, over all chargers.
const MOST_DISLIKED: usize = 1_000;

/// Commands on which chargers hang up, by model and action.
#[derive(Debug, Default)]
pub(super) struct Disliked(BTreeSet<(String, String)>);

/// A row of the ledger; the rest is filled in where it is known.
pub(super) fn seen(row: u8, id: u64, at: Micros, charger: &Arc<str>) -> QuirkSeen {
    QuirkSeen {
        row,
        id,
        at,
        charger: charger.to_string(),
        leg: String::new(),
        detail: String::new(),
    }
}

fn say(row: u8, fact: &Fact, bench: &mut Bench<'_>) {
    let seen = seen(row, fact.seq, fact.at, &fact.charger);
    (bench.out)(Row::Quirk(seen));
}

fn say_all(quirks: Quirks, fact: &Fact, bench: &mut Bench<'_>) {
    quirks
        .iter()
        .for_each(|quirk| say(quirk.row(), fact, bench));
}

/// A quirk that the tap found.
pub(super) fn told(exchanges: &mut Exchanges, fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Odd = notes::read(fact);
    let Some(quirk) = Quirk::from_row(note.row) else {
        return;
    };
    let history = &bench.world.charger(&fact.charger).history;
    let assigned = match quirk.row() {
        1 | 56 => history.is_live("0"),
        2 => history.is_live("2147483647") || history.is_live("9223372036854775807"),
        3 => history.is_live("-1"),
        _ => false,
    };
    if assigned {
        // The authority has given it: an identifier like any other.
        return;
    }
    if quirk.effect() == Effect::Handshake {
        bench.world.conn(fact).line.odd.insert(quirk.row());
    }
    exchanges.odd(fact.cause, [quirk.row()].into_iter().collect());
    say(quirk.row(), fact, bench);
}

/// A connection was accepted.
pub(super) fn opened(fact: &Fact, bench: &mut Bench<'_>) {
    let history = &mut bench.world.charger(&fact.charger).history;
    let before = history.newest.replace(fact.conn);
    let other = before.filter(|before| *before != fact.conn);
    let lives = other
        .and_then(|other| bench.world.conns.get(other))
        .is_some_and(|conn| !conn.closed);
    if lives {
        say(34, fact, bench);
    }
}

/// A charger's message. Returns what is odd about it.
pub(super) fn heard(fact: &Fact, envelope: &Heard<'_>, bench: &mut Bench<'_>) -> Quirks {
    let mut odd = Quirks::default();
    let version = bench.world.conn(fact).version;
    let newest = bench.world.charger(&fact.charger).history.newest;
    // Borrowed apart: a connection and its charger change together.
    let world = &mut *bench.world;
    let history = &mut world.chargers.entry(&fact.charger).history;
    let Some(line) = world.conns.get_mut(fact.conn).map(|conn| &mut conn.line) else {
        return odd;
    };
    if newest.is_some_and(|newest| newest > fact.conn) && line.first("old") {
        odd.insert(35);
    }
    match envelope.kind {
        MessageType::Call => {
            line.call(fact, envelope, history, &mut odd);
            history.call(version, fact, envelope, line, &mut odd);
        }
        kind if kind.is_answer() => line.reply(envelope, &mut odd),
        _ => {}
    }
    say_all(odd, fact, bench);
    odd
}

/// A message of the authority to the charger.
pub(super) fn said(fact: &Fact, envelope: &Heard<'_>, bench: &mut Bench<'_>) {
    let world = &mut *bench.world;
    let history = &mut world.chargers.entry(&fact.charger).history;
    let Some(conn) = world.conns.get_mut(fact.conn) else {
        return;
    };
    let authority = conn.authority;
    match envelope.kind {
        MessageType::Call if conn.line.command(fact.at, envelope) => {
            say_of(53, authority, "", fact, bench);
        }
        kind if kind.is_answer() => {
            conn.line.answer(fact.at, envelope, history);
            history.answer(fact, envelope);
        }
        _ => {}
    }
}

fn say_of(row: u8, leg: Leg, detail: &str, fact: &Fact, bench: &mut Bench<'_>) {
    let seen = seen(row, fact.seq, fact.at, &fact.charger);
    (bench.out)(Row::Quirk(QuirkSeen {
        leg: leg.word().to_owned(),
        detail: detail.to_owned(),
        ..seen
    }));
}

/// A command of the shadow, which no charger hears before the cutover.
pub(super) fn commanded(fact: &Fact, envelope: &Envelope<'_>, bench: &mut Bench<'_>) {
    let conn = bench.world.conn(fact);
    let shadow = conn.authority.other();
    if conn.line.shadow_command(envelope) {
        say_of(53, shadow, "", fact, bench);
    }
    let kind = (model(fact, bench), envelope.action.to_string());
    if bench.world.disliked.0.contains(&kind) {
        say_of(39, shadow, &kind.1, fact, bench);
    }
}

/// A charger's connection ended.
pub(super) fn left(fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Left = notes::read(fact);
    if note.by != "charger" {
        return;
    }
    let line = &mut bench.world.conn(fact).line;
    if line.started_just_now(fact.at) {
        say(40, fact, bench);
        return;
    }
    if let Some(action) = line.hung_up_on(fact.at) {
        let kind = (model(fact, bench), action.clone());
        let disliked = &mut bench.world.disliked.0;
        if disliked.len() < MOST_DISLIKED {
            disliked.insert(kind);
        }
        let seen = seen(39, fact.seq, fact.at, &fact.charger);
        (bench.out)(Row::Quirk(QuirkSeen {
            detail: action,
            ..seen
        }));
    }
}

/// The charger's model, or its own name while the model is unknown.
fn model(fact: &Fact, bench: &mut Bench<'_>) -> String {
    let said = &bench.world.charger(&fact.charger).said;
    if said.model.is_empty() {
        fact.charger.to_string()
    } else {
        said.model.clone()
    }
}

/// When a message says that it happened, and whether it says so in UTC.
fn stamp(message: &Heard<'_>) -> Option<(Micros, bool)> {
    const SAMPLED: [Step; 3] = [Step::Key("meterValue"), Step::Each, Step::Key("timestamp")];
    let fields = message.fields();
    let literal = fields
        .first(&[Step::Key("timestamp")])
        .or_else(|| message.sampled().timestamp)
        .or_else(|| fields.first(&SAMPLED))?
        .trim_matches('"');
    Some((instant::rfc3339(literal)?, literal.ends_with('Z')))
}
