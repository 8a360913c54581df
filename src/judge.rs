//! Judgement: facts in, ledger rows out.
//!
//! A pure function of facts and rules. Facts come in the order of their sequence numbers; rows leave in an order that
//! depends on nothing else, so judging a recording twice, in whatever pieces, gives the same ledger bit for bit. Time
//! passes only as facts say so.

pub mod cause;
pub mod compare;
pub mod explain;
pub mod records;
pub mod rules;
pub mod states;
pub mod tariff;
pub mod tree;

mod boots;
mod commands;
mod conns;
mod estate;
mod exchanges;
mod findings;
mod handshake;
mod heard;
mod mediated;
mod mix;
mod monitors;
mod notes;
mod parity;
mod quirks;
mod recent;
mod referee;
mod relations;
mod roll;
mod sessions;
mod stand_in;
mod tokens;
mod triggers;
mod variance;
mod wire;
mod world;

use crate::clock::Micros;
use crate::facts::authority::{Change, Step};
use crate::facts::{Dir, Fact, Kind};
use crate::ledger::row::{Reason, Row};
use crate::ocpp::quirks::Quirks;
use crate::ocpp::{Envelope, MessageType};
use commands::Commands;
use estate::Groups;
use exchanges::{Bench, Exchanges};
use heard::Heard;
use monitors::Monitors;
use parity::Parity;
pub use parity::{Place, Places, Settings, SettingsError};
pub use rules::Rules;
use stand_in::StandIn;
use states::States;
use world::World;

/// Where rows go.
type Out<'a> = &'a mut dyn FnMut(Row);

/// The judge of one recording.
#[derive(Debug)]
pub struct Judge {
    hearing: Hearing,
    groups: Groups,
    monitors: Monitors,
}

/// What is weighed: everything but what only counts.
#[derive(Debug)]
struct Hearing {
    rules: Rules,
    now: Micros,
    world: World,
    exchanges: Exchanges,
    commands: Commands,
    stand_in: StandIn,
    parity: Parity,
    states: States,
}

impl Judge {
    /// A judge that has seen nothing yet.
    pub fn new(rules: Rules) -> Self {
        let parity = Parity::new(rules.sessions().clone());
        let hearing = Hearing {
            rules,
            now: Micros::MIN,
            world: World::default(),
            exchanges: Exchanges::default(),
            commands: Commands::default(),
            stand_in: StandIn::default(),
            parity,
            states: States::default(),
        };
        Self {
            hearing,
            groups: Groups::default(),
            monitors: Monitors::default(),
        }
    }

    /// Takes the next fact; `out` gets the rows that follow from it.
    pub fn feed(&mut self, fact: &Fact, out: &mut impl FnMut(Row)) {
        let Self {
            hearing,
            groups,
            monitors,
        } = self;
        hearing.states.hear(fact, &mut |row| {
            monitors.row(&row);
            out(row);
        });
        if matches!(
            fact.kind,
            Kind::Decision | Kind::Triage | Kind::HookRan | Kind::Revealed
        ) {
            // A human note may come days after the traffic: nobody has been silent all the while.
            groups.hear(fact, out);
            if fact.kind == Kind::Triage {
                monitors.told(out);
            }
            return;
        }
        monitors.pass(fact, out);
        groups.hear(fact, &mut |row| {
            monitors.row(&row);
            out(row);
        });
        let heard = hearing.weigh(fact, &mut |row| {
            monitors.row(&row);
            out(row);
        });
        monitors.take(fact, heard.as_ref(), &mut hearing.world.settled);
        if fact.kind == Kind::TapStopped {
            monitors.flush(out);
        }
    }

    /// Exchanges that are not judged yet.
    pub fn pending(&self) -> u64 {
        self.hearing.exchanges.pending()
    }

    /// Commands that still wait for their twin.
    pub fn pending_commands(&self) -> u64 {
        self.hearing.commands.pending()
    }
}

impl Hearing {
    /// Judges what follows from a fact; gives back the message in it, if it is one between charger and authority.
    fn weigh<'a>(&mut self, fact: &'a Fact, out: Out<'_>) -> Option<Heard<'a>> {
        let states = &mut self.states;
        let mut bench = Bench {
            rules: &self.rules,
            world: &mut self.world,
            out: &mut |row| states.pass(row, out),
        };
        if fact.at > self.now {
            self.now = fact.at;
            self.exchanges.expire(self.now, &mut bench);
            self.commands.expire(self.now, &mut bench);
            self.parity.expire(self.now, &mut bench);
            while let Some(conn) = bench.world.departed(self.now) {
                self.exchanges.lost(Some(conn), false, &mut bench);
                self.stand_in.lost(Some(conn), &mut bench);
                bench.world.forget(conn);
            }
        }
        match fact.kind {
            Kind::Message => {
                let heard = message(&mut self.exchanges, &mut self.commands, fact, &mut bench);
                if let Some(heard) = &heard {
                    self.parity.message(fact, heard, &mut bench);
                }
                return heard;
            }
            Kind::ShadowSent => {
                self.exchanges.sent(fact, &mut bench);
                self.commands.told(fact, fact.cause);
            }
            Kind::ShadowReceived => {
                self.stand_in.asked(fact, &mut bench);
                received(&mut self.exchanges, &mut self.commands, fact, &mut bench);
            }
            Kind::ShadowAnswered => self.stand_in.answered(fact, &mut bench),
            Kind::ShadowSilent => self.exchanges.shadow(fact, &mut bench),
            Kind::ShadowWithheld => self.exchanges.withheld(fact, &mut bench),
            Kind::ShadowOpened | Kind::ShadowRefused => {
                handshake::judge(fact, &mut bench);
                joined(&mut self.commands, fact, &mut bench);
            }
            Kind::Opaque => opaque(&mut self.exchanges, &mut self.commands, fact, &mut bench),
            Kind::ConnOpened => {
                bench.world.open(fact);
                quirks::opened(fact, &mut bench);
            }
            Kind::Quirk => quirks::told(&mut self.exchanges, fact, &mut bench),
            Kind::IdentifierLearned => learned(&mut self.parity, fact, &mut bench),
            Kind::BackendRecord => self.parity.record(fact, &mut bench),
            Kind::BackendRead => self.parity.swept(fact, &mut bench),
            Kind::ConnClosed | Kind::ShadowClosed => {
                if fact.kind == Kind::ShadowClosed {
                    handshake::closed(fact, &mut bench);
                    self.stand_in.lost(Some(fact.conn), &mut bench);
                }
                ended(&mut self.exchanges, &mut self.commands, fact, &mut bench);
                self.parity.cut(fact);
            }
            Kind::Gap => {
                gap(&mut self.exchanges, &mut self.commands, fact, &mut bench);
                self.parity.gap(fact, &bench);
            }
            Kind::TapStarted | Kind::TapStopped | Kind::PlaneStarted => {
                self.stand_in.lost(None, &mut bench);
                restarted(&mut self.exchanges, &mut self.commands, fact, &mut bench);
                self.parity.cut(fact);
            }
            Kind::AuthorityChanged => switched(&mut self.commands, fact, &mut bench),
            Kind::Mediated => mediated(&mut self.exchanges, fact, &mut bench),
            Kind::Tick
            | Kind::ConnRefused
            | Kind::Control
            | Kind::ModelLearned
            | Kind::LogImported
            | Kind::RulesLoaded
            | Kind::Decision
            | Kind::Triage
            | Kind::EstateLoaded
            | Kind::GateLoaded
            | Kind::HookRan
            | Kind::Revealed => {}
        }
        None
    }
}

/// A message between charger and authority; gives it back if it can be read.
fn message<'a>(
    exchanges: &mut Exchanges,
    commands: &mut Commands,
    fact: &'a Fact,
    bench: &mut Bench<'_>,
) -> Option<Heard<'a>> {
    if fact.body.trim_ascii().is_empty() {
        // An empty frame keeps a connection alive. It is neither question nor answer.
        return None;
    }
    let Some(Ok(heard)) = fact.text().map(Heard::parse) else {
        opaque(exchanges, commands, fact, bench);
        return None;
    };
    let odd = if fact.dir == Some(Dir::FromCharger) {
        quirks::heard(fact, &heard, bench)
    } else {
        quirks::said(fact, &heard, bench);
        Quirks::default()
    };
    match (fact.dir, heard.kind) {
        (Some(Dir::FromCharger), MessageType::Call) => {
            if heard.action == "BootNotification"
                && let Some(said) = bench.world.boot(fact, heard.payload)
            {
                (bench.out)(Row::Charger(said));
            }
            let tokens = &mut bench.world.charger(&fact.charger).tokens;
            tokens.called(&heard);
            bench.world.conn(fact).triggers.heard(fact, &heard);
            exchanges.call(fact, &heard, bench);
            exchanges.odd(fact.seq, odd);
        }
        (Some(Dir::ToCharger), MessageType::Call) => {
            let tokens = &mut bench.world.charger(&fact.charger).tokens;
            tokens.commanded(&heard);
            commands.sent(fact, &heard, true, bench);
        }
        (Some(Dir::ToCharger), kind) if kind.is_answer() => {
            exchanges.answer(fact, &heard, bench);
        }
        // What the charger answers to commands is the same for both backends; a SEND has no answer.
        _ => {}
    }
    Some(heard)
}

/// The shadow's leg may have opened: it learns that the charger is there.
fn joined(commands: &mut Commands, fact: &Fact, bench: &mut Bench<'_>) {
    let conn = bench.world.conn(fact);
    if fact.kind != Kind::ShadowOpened || !conn.shadow_open {
        return;
    }
    conn.triggers.joined(fact.at);
    if let Some(connect) = conn.triggers.last(false) {
        commands.told(fact, connect.fact);
    }
}

/// A message of the shadow: an answer, or a command.
fn received(
    exchanges: &mut Exchanges,
    commands: &mut Commands,
    fact: &Fact,
    bench: &mut Bench<'_>,
) {
    bench.world.conn(fact).fresh = None;
    if fact.cause != 0 {
        exchanges.shadow(fact, bench);
    } else if let Some(Ok(envelope)) = fact.text().map(Envelope::parse)
        && envelope.kind == MessageType::Call
    {
        quirks::commanded(fact, &envelope, bench);
        commands.sent(fact, &envelope, false, bench);
    }
}

/// A message that cannot be read.
fn opaque(exchanges: &mut Exchanges, commands: &mut Commands, fact: &Fact, bench: &mut Bench<'_>) {
    let from_charger = fact.dir == Some(Dir::FromCharger);
    if !from_charger {
        commands.spoil(Some(fact.conn));
    }
    exchanges.opaque(fact, from_charger, bench);
}

/// A step of a switch: what the charger's backends had begun with it may not come to its end as it would have.
fn switched(commands: &mut Commands, fact: &Fact, bench: &mut Bench<'_>) {
    let Some(change) = Change::read(fact).filter(|_| !fact.charger.is_empty()) else {
        return;
    };
    let charger = bench.world.charger(&fact.charger);
    charger.mediated.moved(&change);
    if matches!(change.step, Step::Acting | Step::Recalled) {
        charger.doubt.cast(fact.at, Reason::Switched);
        commands.switched(fact);
    }
}

/// The mediator changed a message. Its own fact may come before the message's or just behind it.
fn mediated(exchanges: &mut Exchanges, fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Touched = notes::read(fact);
    let mediated = &mut bench.world.charger(&fact.charger).mediated;
    let conn = mediated.conn();
    if !conn.is_some_and(|conn| exchanges.mediated(conn, &note)) {
        mediated.touched(fact.at, note);
    }
}

fn learned(parity: &mut Parity, fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Learned = notes::read(fact);
    parity.learned(fact, &note);
    bench
        .world
        .learn(fact, &note.class, &note.authority, &note.shadow);
}

/// One side of a connection ended. When the charger leaves, its leg may still be connecting, and the shadow's answers on
/// their way: only the leg's end, or time, says that nothing more comes.
fn ended(exchanges: &mut Exchanges, commands: &mut Commands, fact: &Fact, bench: &mut Bench<'_>) {
    if fact.kind == Kind::ConnClosed {
        quirks::left(fact, bench);
        bench.world.leave(fact);
        commands.cut(fact);
        exchanges.closed(fact.conn, bench);
        return;
    }
    let note: notes::Because = notes::read(fact);
    if let Some(call) = note.again {
        exchanges.again(call);
    }
    let conn = bench.world.conn(fact);
    conn.shadow_open = false;
    if conn.closed {
        exchanges.lost(Some(fact.conn), false, bench);
        bench.world.forget(fact.conn);
        return;
    }
    // A leg that ends with its charger or the tap ended in time; any other leaves commands without a chance.
    let in_time = [
        "charger connection closed",
        "stopping",
        "replaced by a newer connection",
    ];
    if !in_time.contains(&note.why.as_str()) {
        commands.cut(fact);
    }
}

/// Frames were lost on a connection, or (without one) anywhere.
fn gap(exchanges: &mut Exchanges, commands: &mut Commands, fact: &Fact, bench: &mut Bench<'_>) {
    let conn = (fact.conn != 0).then_some(fact.conn);
    exchanges.gap(conn, notes::read::<notes::Lossy>(fact).facts > 0, bench);
    commands.spoil(conn);
    if let Some(conn) = conn {
        if let Some(known) = bench.world.conns.get_mut(conn) {
            known.line.gap();
        }
        bench.world.charger(&fact.charger).gap(fact);
    } else {
        bench
            .world
            .conns
            .values_mut()
            .for_each(|conn| conn.line.gap());
        for charger in bench.world.chargers.values_mut() {
            charger.gap(fact);
        }
    }
}

/// The tap or its shadow plane began or ended: what was open is lost; commands had their time when the tap stops in
/// order, else not.
fn restarted(
    exchanges: &mut Exchanges,
    commands: &mut Commands,
    fact: &Fact,
    bench: &mut Bench<'_>,
) {
    let plane: notes::Plane = notes::read(fact);
    if fact.kind == Kind::PlaneStarted && !plane.restart {
        return;
    }
    if fact.kind != Kind::TapStopped {
        commands.spoil(None);
        exchanges.interrupted();
        for charger in bench.world.chargers.values_mut() {
            charger.doubt.cast(fact.at, Reason::ShadowGap);
        }
    }
    // A plane that begins anew delivers what its predecessor kept or got no answer to, or says that it does not.
    exchanges.lost(None, fact.kind == Kind::TapStopped, bench);
    commands.close(fact.at, bench);
    match fact.kind {
        Kind::PlaneStarted => {
            for conn in bench.world.conns.values_mut() {
                conn.shadow_open = false;
            }
        }
        _ => bench.world.forget_all(),
    }
}
