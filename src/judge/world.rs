//! What the judge knows about connections and chargers between facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::commands::Doubt;
use super::conns::Conns;
use super::mediated::Mediated;
use super::monitors::Settled;
use super::quirks::{Disliked, History, Line};
use super::relations::Minted;
use super::roll::Roll;
use super::sessions::Sessions;
use super::tokens::Tokens;
use super::tree::Node;
use super::triggers::Triggers;
use super::variance::Variance;
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::ledger::row;
use crate::live::handover::Opened;
use crate::ocpp::effect::Topic;
use crate::ocpp::relation::Relation;
use crate::ocpp::{Class, Version};

/// How long a leg may go on to deliver what a charger had sent before it left, µs: longer than any does.
const PARTING: Micros = 60_000_000;

/// Connections and chargers.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) conns: Conns,
    /// Connections whose charger has left, and when nothing more can come for them.
    parting: BTreeSet<(Micros, u64)>,
    pub(super) chargers: Roll<Charger>,
    pub(super) disliked: Disliked,
    /// Decisions of both backends that the monitors have not counted.
    pub(super) settled: Vec<Settled>,
}

/// One charger connection.
#[derive(Debug, Clone)]
pub(super) struct Conn {
    pub(super) authority: Leg,
    pub(super) version: Version,
    /// What the authority chose in the handshake.
    pub(super) subprotocol: Option<String>,
    /// The charger's side has ended.
    pub(super) closed: bool,
    /// When nothing more can come for it, once the charger has left.
    parts: Option<Micros>,
    /// The shadow leg is open.
    pub(super) shadow_open: bool,
    /// When the shadow leg was opened, until the shadow has said something on it.
    pub(super) fresh: Option<Micros>,
    /// The shadow closed a leg before it had said anything on it.
    pub(super) sent_away: bool,
    /// The finding of a refused shadow handshake.
    pub(super) refused: Option<String>,
    /// The finding of a BootNotification that only one backend accepted.
    pub(super) boot_root: Option<String>,
    /// Handshake outcomes that have been judged.
    pub(super) shaken: BTreeSet<&'static str>,
    pub(super) line: Line,
    pub(super) triggers: Triggers,
    /// Whether what the shadow sends may follow from what only it was told.
    pub(super) doubt: Doubt,
}

/// One charger, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Charger {
    pub(super) said: Arc<row::Charger>,
    pub(super) sessions: Sessions,
    /// Which identifier of the candidate stands for which of legacy's, whoever was the authority.
    pub(super) relation: Relation,
    pub(super) minted: Minted,
    pub(super) history: History,
    pub(super) tokens: Tokens,
    pub(super) variance: Variance,
    /// Its authority did not accept its last boot: it says nothing else.
    pub(super) kept_waiting: bool,
    /// What a shadow was made to believe of the charger, and since which fact.
    pub(super) simulated: BTreeMap<Topic, u64>,
    pub(super) mediated: Mediated,
    /// Whether the twin of a command may have been lost, or sent from the other side.
    pub(super) doubt: Doubt,
}

/// Where something was seen: what every row about it repeats.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) charger: Arc<str>,
    pub(super) conn: u64,
    pub(super) authority: Leg,
    pub(super) version: Version,
    /// What the charger had said about itself by then.
    pub(super) said: Arc<row::Charger>,
}

impl Conn {
    /// One of which only its authority is known.
    pub(super) fn unannounced(authority: Leg) -> Self {
        Self {
            authority,
            version: Version::V16,
            subprotocol: None,
            closed: false,
            parts: None,
            shadow_open: false,
            fresh: None,
            sent_away: false,
            refused: None,
            boot_root: None,
            shaken: BTreeSet::new(),
            line: Line::default(),
            triggers: Triggers::default(),
            doubt: Doubt::default(),
        }
    }
}

impl Charger {
    /// Frames of it were lost, says this fact.
    pub(super) fn gap(&mut self, fact: &Fact) {
        self.sessions.gap(fact.seq);
        self.history.gap();
        self.doubt.cast(fact.at, row::Reason::ShadowGap);
    }

    /// Whether what a backend says with this action in the fact `seq` may follow from a pretence.
    pub(super) fn is_simulated(&self, action: &str, seq: u64) -> bool {
        self.simulated
            .iter()
            .any(|(topic, since)| *since < seq && topic.decides(action))
    }
}

impl World {
    /// The connection of `fact`. One that was never announced (its opening fell into a gap) is taken for OCPP 1.6 with
    /// the fact's leg as authority.
    pub(super) fn conn(&mut self, fact: &Fact) -> &mut Conn {
        self.conns.entry(fact.conn, || {
            Conn::unannounced(match fact.kind {
                crate::facts::Kind::Message => fact.leg.unwrap_or(Leg::Legacy),
                _ => fact.leg.map_or(Leg::Legacy, Leg::other),
            })
        })
    }

    /// The charger of `fact`.
    pub(super) fn charger(&mut self, charger: &Arc<str>) -> &mut Charger {
        self.chargers.entry(charger)
    }

    /// A connection was accepted, or is announced again after a restart of the shadow plane.
    pub(super) fn open(&mut self, fact: &Fact) {
        let opened: Option<Opened> = serde_json::from_str(&fact.note).ok();
        let conn = self.conn(fact);
        conn.triggers.opened(fact);
        let Some(opened) = opened else {
            return;
        };
        conn.authority = opened.authority;
        conn.version = opened
            .subprotocol
            .as_deref()
            .and_then(Version::from_subprotocol)
            .unwrap_or(Version::V16);
        conn.subprotocol = opened.subprotocol;
        conn.line = Line::opened(fact.at, opened.seen == [0, 0]);
        if opened.mediated {
            self.charger(&fact.charger).mediated.opened(fact.conn);
        }
    }

    /// Where a fact was seen.
    pub(super) fn origin(&mut self, fact: &Fact) -> Origin {
        let conn = self.conn(fact);
        let (authority, version) = (conn.authority, conn.version);
        let said = Arc::clone(&self.charger(&fact.charger).said);
        Origin {
            charger: Arc::clone(&fact.charger),
            conn: fact.conn,
            authority,
            version,
            said,
        }
    }

    /// Takes what a BootNotification says about its charger; returns it if it is news.
    pub(super) fn boot(&mut self, fact: &Fact, payload: &str) -> Option<row::Charger> {
        let node = Node::parse(payload).ok()?;
        let charger = &fact.charger;
        let known = &mut self.charger(charger).said;
        let text = |paths: [&str; 2]| {
            paths
                .iter()
                .find_map(|path| node.at(path)?.text())
                .unwrap_or_default()
                .to_owned()
        };
        let said = row::Charger {
            charger: charger.to_string(),
            vendor: text(["/chargePointVendor", "/chargingStation/vendorName"]),
            model: text(["/chargePointModel", "/chargingStation/model"]),
            firmware: text(["/firmwareVersion", "/chargingStation/firmwareVersion"]),
            since: known.since,
        };
        if **known == said {
            return None;
        }
        let said = row::Charger {
            since: fact.seq,
            ..said
        };
        *known = Arc::new(said.clone());
        Some(said)
    }

    /// Takes an identifier pair that the shadow leg learned.
    pub(super) fn learn(&mut self, fact: &Fact, class: &str, authority: &str, shadow: &str) {
        let (legacy, candidate) = match fact.leg {
            Some(Leg::Legacy) => (shadow, authority),
            _ => (authority, shadow),
        };
        if let Some(class) = Class::from_word(class) {
            self.charger(&fact.charger)
                .relation
                .relearn(class, legacy, candidate);
        }
    }

    /// The charger's side of a connection ended; its shadow leg goes on for a while.
    pub(super) fn leave(&mut self, fact: &Fact) {
        let due = fact.at.saturating_add(PARTING);
        let conn = self.conn(fact);
        conn.closed = true;
        if let Some(before) = conn.parts.replace(due) {
            self.parting.remove(&(before, fact.conn));
        }
        self.parting.insert((due, fact.conn));
    }

    /// A connection of whose leg nothing more can come by `now`.
    pub(super) fn departed(&mut self, now: Micros) -> Option<u64> {
        let due = self.parting.first().is_some_and(|(at, _)| *at <= now);
        due.then(|| self.parting.pop_first())
            .flatten()
            .map(|(_, conn)| conn)
    }

    /// Forgets a connection of which nothing more comes.
    pub(super) fn forget(&mut self, conn: u64) {
        let known = self.conns.remove(conn);
        if let Some(due) = known.and_then(|known| known.parts) {
            self.parting.remove(&(due, conn));
        }
    }

    /// Forgets all connections: the tap began or ended.
    pub(super) fn forget_all(&mut self) {
        self.conns.clear();
        self.parting.clear();
    }
}
