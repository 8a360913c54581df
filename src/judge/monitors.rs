//! Monitors: what operators watch while they migrate (semantics 6.3), counted from facts by hour, group and model.
//!
//! They see what the judge sees and the rows that it makes, and never change a verdict. What is remembered of a charger
//! is bounded; counts become rows every few seconds of facts, so that the same facts give the same rows in whatever
//! pieces they come.

mod access;
mod clocks;
mod fleet;
mod inquiries;
mod orders;
mod sheet;
mod starts;
mod station;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind};
use crate::judge::heard::Heard;
use crate::judge::roll::Roll;
use crate::ledger::row::{self, Row};
use crate::ocpp::MessageType;
pub(super) use access::Settled;
use fleet::Fleet;
use inquiries::Inquiries;
use sheet::{Entry, Sheet};
use station::Station;

/// How long counts are added up before they become rows, µs of facts.
const SLOT: Micros = 10_000_000;

/// No charger is silent for so long and then goes on: a clock was set, µs.
const LEAP: Micros = 366 * 24 * 3_600_000_000;

const AVAILABILITY: &str = "availability";
const RECONNECTS: &str = "reconnects";
const BOOTS: &str = "boots";
const AUTHORIZATION: &str = "authorization";
const SESSION_START: &str = "session-start";
const SESSION_STOP: &str = "session-stop";
const SHORT_SESSIONS: &str = "short-sessions";
const BACKLOG: &str = "backlog";
const TIMEOUTS: &str = "timeouts";
const COMMANDS: &str = "commands";
const SHADOW_HEALTH: &str = "shadow-health";
const INVESTIGATION: &str = "investigation";

/// All monitors of a recording.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    sheet: Sheet,
    stations: Roll<Station>,
    fleet: Fleet,
    inquiries: Inquiries,
    /// What happens when nothing else does: a time and a charger, one entry for each.
    due: BTreeSet<(Micros, Arc<str>)>,
}

impl Monitors {
    /// Time passes up to `fact`.
    pub(super) fn pass(&mut self, fact: &Fact, out: &mut dyn FnMut(Row)) {
        let before = self.sheet.now;
        if fact.at <= before {
            return;
        }
        let is_leap = fact.at - before > LEAP;
        if is_leap || fact.kind == Kind::TapStarted {
            // Nobody watched in between.
            self.sheet.flush(out);
            self.fleet.skip(fact.at);
            self.sheet.now = fact.at;
        } else if before.div_euclid(SLOT) != fact.at.div_euclid(SLOT) {
            self.fleet.integrate(fact.at, &mut self.sheet);
            self.sheet.flush(out);
            self.sheet.now = fact.at;
        } else {
            self.sheet.now = fact.at;
        }
        while let Some((due, _)) = self.due.first()
            && *due <= fact.at
            && let Some((_, charger)) = self.due.pop_first()
        {
            if let Some(station) = self.stations.get_mut(&charger) {
                station.wakes = None;
                if let Some(next) = station.expire(&mut self.sheet) {
                    wake(&mut self.due, station, &charger, next);
                }
            }
        }
    }

    /// A row of the judge's.
    pub(super) fn row(&mut self, row: &Row) {
        match row {
            Row::Exchange(row) => self.exchange(row),
            Row::Session(row) => self.session(row),
            Row::Charger(row) => self.names(row),
            Row::Member(row) => self.joins(row),
            Row::Divergence(row) => {
                let crowd = self.crowd(&row.charger);
                self.inquiries.seen(row, crowd, &mut self.sheet);
            }
            Row::Standing(row) => self.inquiries.decided(row, &mut self.sheet),
            _ => {}
        }
    }

    /// A fact, after the judge has seen it; `heard` is the message in it, if it is one between charger and authority.
    pub(super) fn take(
        &mut self,
        fact: &Fact,
        heard: Option<&Heard<'_>>,
        settled: &mut Vec<Settled>,
    ) {
        for settled in settled.drain(..) {
            self.settled(&settled);
        }
        match (fact.kind, heard) {
            (Kind::Message, Some(message)) => self.message(fact, message),
            (Kind::TapStarted, _) => self.fleet.all_left(&mut self.stations, &mut self.sheet),
            (Kind::ConnOpened | Kind::ConnClosed | Kind::Control, _) => self.line(fact),
            (Kind::ShadowOpened | Kind::ShadowClosed | Kind::ShadowRefused, _) => {
                fleet::leg(fact, self.crowd(&fact.charger), &mut self.sheet);
            }
            (Kind::IdentifierLearned | Kind::Gap | Kind::Tick, _) => self.health(fact),
            _ => {}
        }
    }

    /// People said something, maybe long after the traffic: what that counts becomes rows, and no time passes.
    pub(super) fn told(&mut self, out: &mut dyn FnMut(Row)) {
        self.sheet.flush(out);
    }

    /// Nothing more comes for a while: what was counted becomes rows.
    pub(super) fn flush(&mut self, out: &mut dyn FnMut(Row)) {
        self.fleet.integrate(self.sheet.now, &mut self.sheet);
        self.sheet.flush(out);
    }

    fn crowd(&self, charger: &str) -> sheet::Crowd {
        let station = self.stations.get(charger);
        station.map_or(0, |station| station.crowd)
    }

    fn station<'a>(stations: &'a mut Roll<Station>, charger: &Arc<str>) -> &'a mut Station {
        stations.entry(charger)
    }

    fn names(&mut self, row: &row::Charger) {
        let station = Self::station(&mut self.stations, &Arc::from(row.charger.as_str()));
        let crowd = self.sheet.of_model(station.crowd, &row.model);
        self.fleet.renamed(station, crowd, &mut self.sheet);
    }

    fn joins(&mut self, row: &row::Member) {
        let station = Self::station(&mut self.stations, &Arc::from(row.charger.as_str()));
        let crowd = self.sheet.of_group(station.crowd, &row.group);
        self.fleet.renamed(station, crowd, &mut self.sheet);
    }

    fn message(&mut self, fact: &Fact, message: &Heard<'_>) {
        let telling = matches!(
            (fact.dir, message.kind, message.action.as_ref()),
            (Some(Dir::FromCharger), MessageType::Call, action) if !is_chatter(action)
        );
        if telling {
            let station = Self::station(&mut self.stations, &fact.charger);
            clocks::read(fact, message, station.crowd, &mut self.sheet);
            match message.action.as_ref() {
                "StatusNotification" => {
                    if let Some(due) = station.status(message, &self.sheet) {
                        wake(&mut self.due, station, &fact.charger, due);
                    }
                    self.fleet.recount(station, &mut self.sheet);
                }
                "BootNotification" => station.booted(&mut self.sheet),
                _ => {}
            }
            return;
        }
        let is_order = fact.dir == Some(Dir::ToCharger) && message.kind == MessageType::Call;
        let is_reply = fact.dir == Some(Dir::FromCharger) && message.kind.is_answer();
        if is_order || is_reply {
            let station = Self::station(&mut self.stations, &fact.charger);
            let leg = fact.leg.unwrap_or(crate::facts::Leg::Legacy);
            if is_order {
                station.ordered(fact, message, leg, &mut self.sheet);
            } else if let Some(due) = station.replied(fact, message, &mut self.sheet) {
                wake(&mut self.due, station, &fact.charger, due);
            }
        }
    }

    fn line(&mut self, fact: &Fact) {
        let station = Self::station(&mut self.stations, &fact.charger);
        match fact.kind {
            Kind::ConnOpened => self.fleet.arrived(fact, station, &mut self.sheet),
            Kind::ConnClosed => {
                station.hung_up(fact.conn, &mut self.sheet);
                self.fleet.left(fact, station, &mut self.sheet);
            }
            _ => station.closing(fact),
        }
    }

    fn settled(&mut self, settled: &Settled) {
        let station = Self::station(&mut self.stations, &settled.charger);
        settled.count(station, &mut self.sheet);
        if let Some(due) = settled.begins(station, &mut self.sheet) {
            wake(&mut self.due, station, &settled.charger, due);
        }
    }

    fn session(&mut self, row: &row::Session) {
        if row.charger.is_empty() || row.outcome.is_some() {
            return;
        }
        let charger: Arc<str> = Arc::from(row.charger.as_str());
        let station = Self::station(&mut self.stations, &charger);
        if row.state == "open" {
            let due = station.began(row, &mut self.sheet);
            wake(&mut self.due, station, &charger, due);
        } else {
            station.ended(row, &mut self.sheet);
        }
    }

    fn exchange(&mut self, row: &row::Exchange) {
        let crowd = self.crowd(&row.charger);
        self.sheet.exchange(crowd, row.outcome, row.reason);
        if row.outcome.is_comparable() {
            access::timeouts(row, crowd, &mut self.sheet);
        }
    }

    fn health(&mut self, fact: &Fact) {
        let crowd = self.crowd(&fact.charger);
        match fact.kind {
            Kind::Gap => {
                let lost = Entry::new(crowd, SHADOW_HEALTH, "frames-lost");
                self.sheet.many(lost, fact.frames);
                self.sheet.count(Entry::new(crowd, SHADOW_HEALTH, "gaps"));
            }
            Kind::IdentifierLearned => {
                let entry = Entry::new(crowd, SHADOW_HEALTH, "identifiers-learned");
                self.sheet.count(entry);
            }
            _ => fleet::tick(fact, &mut self.sheet),
        }
    }
}

/// Looks at a charger again at `due`, unless that happens sooner anyway.
fn wake(
    entries: &mut BTreeSet<(Micros, Arc<str>)>,
    station: &mut Station,
    charger: &Arc<str>,
    due: Micros,
) {
    if station.wakes.is_some_and(|wakes| wakes <= due) {
        return;
    }
    if let Some(wakes) = station.wakes.replace(due) {
        entries.remove(&(wakes, Arc::clone(charger)));
    }
    entries.insert((due, Arc::clone(charger)));
}

/// What chargers say most, and what no monitor needs.
fn is_chatter(action: &str) -> bool {
    matches!(action, "Heartbeat" | "MeterValues")
}
