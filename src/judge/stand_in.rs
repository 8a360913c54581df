//! Commands of the shadow, as the stand-in answered them: how, what they would have changed, and what follows from a pretence.
//!
//! A command and its answer are two facts; between them the command may have waited for the authority's twin. A leg that
//! ends meanwhile leaves it unanswered, which is said too.

use std::collections::BTreeMap;

use super::boots;
use super::exchanges::Bench;
use super::notes;
use super::world::Origin;
use crate::clock::Micros;
use crate::facts::Fact;
use crate::ledger::row::{self, Row};
use crate::ocpp::effect::{self, Notice, Topic};
use crate::ocpp::{Envelope, MessageType};

/// Sources whose answer needs nobody's notice: the charger heard the same from its authority, or holds it already.
const QUIET: [&str; 2] = ["reuse", "no-op"];

/// What a command is without answer.
const UNANSWERED: &str = "unanswered";

/// What rests on a pretence.
const SIMULATE: &str = "simulate";

/// Commands that are not answered yet, by their fact.
#[derive(Debug, Default)]
pub(super) struct StandIn {
    asked: BTreeMap<u64, Asked>,
}

#[derive(Debug)]
struct Asked {
    at: Micros,
    origin: Origin,
    action: String,
    fields: String,
    notice: Option<Notice>,
}

impl StandIn {
    /// The shadow said something that no CALL of the charger's asked for; a command waits for its answer from now on.
    pub(super) fn asked(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        if fact.cause != 0 {
            return;
        }
        let Some(Ok(call)) = fact.text().map(Envelope::parse) else {
            return;
        };
        if call.kind != MessageType::Call {
            return;
        }
        let origin = bench.world.origin(fact);
        let asked = Asked {
            at: fact.at,
            fields: effect::summary(&call.action, call.payload),
            notice: effect::notice(origin.version, &call.action, call.payload),
            action: call.action.into_owned(),
            origin,
        };
        self.asked.insert(fact.seq, asked);
    }

    /// The stand-in answered.
    pub(super) fn answered(&mut self, fact: &Fact, bench: &mut Bench<'_>) {
        let Some(asked) = self.asked.remove(&fact.cause) else {
            return;
        };
        let note: notes::StoodIn = notes::read(fact);
        if note.source == SIMULATE
            && let Some(topic) = Topic::of(&asked.action)
        {
            let charger = bench.world.charger(&fact.charger);
            charger.simulated.entry(topic).or_insert(fact.seq);
        }
        if note.onboarding
            && let Some(missing) = &note.missing
        {
            boots::unanswerable(fact, &asked.action, missing, bench);
        }
        emit(asked, (fact.cause, fact.seq), note.source, bench);
    }

    /// The leg of a connection (or every leg) ended: its commands get no answer any more.
    pub(super) fn lost(&mut self, conn: Option<u64>, bench: &mut Bench<'_>) {
        let is_lost = |asked: &Asked| conn.is_none_or(|conn| asked.origin.conn == conn);
        let (lost, kept) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|(_, asked)| is_lost(asked));
        self.asked = kept;
        let lost: BTreeMap<u64, Asked> = lost;
        for (id, asked) in lost {
            emit(asked, (id, 0), UNANSWERED.to_owned(), bench);
        }
    }
}

fn emit(asked: Asked, (id, answer): (u64, u64), source: String, bench: &mut Bench<'_>) {
    let quiet = QUIET.contains(&source.as_str());
    (bench.out)(Row::StandIn(row::StandIn {
        id,
        at: asked.at,
        charger: asked.origin.charger.to_string(),
        conn: asked.origin.conn,
        version: asked.origin.version.number().into(),
        sender: asked.origin.authority.other().word().into(),
        changes: effect::changes(&asked.action),
        action: asked.action,
        answer,
        fields: asked.fields,
        notice: asked
            .notice
            .filter(|_| !quiet)
            .map(|notice| notice.words().into()),
        source,
    }));
}
