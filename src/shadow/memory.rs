//! What is kept about a charger from one connection to the next: its model, its identifiers, the last commands.

use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::json;

use crate::clock::Micros;
use crate::facts::authority::Carried;
use crate::facts::{Fact, Recorder};
use crate::ocpp::json::Step;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Envelope, Relation, Version};

use super::commands::Commands;
use super::exchanges::Exchanges;
use super::legs::OpenTransaction;
use super::model::Model;
use super::outbox::Outbox;
use super::overlay::Overlay;
use super::queue::Mirrored;
use super::solicited::{self, SOLICITED, Solicited};
use super::stand_in::Acceptance;
use super::translate::{COLD_START, UNMAPPED, member_text};

/// How many ended transactions stay translatable (a charger may repeat its last messages), and how many transaction ids
/// of the authority are known to be its own.
const DEPTH: usize = 256;

/// One charger.
#[derive(Debug, Default)]
pub struct Memory {
    /// What it told about itself.
    pub model: Model,
    /// Which identifier of the shadow stands for which of the authority.
    pub relation: Relation,
    /// The last commands of both backends.
    pub commands: Commands,
    /// The last commands that make it send something.
    pub solicited: Solicited,
    /// Its CALLs whose answers matter.
    pub exchanges: Exchanges,
    /// What it would still have to say, while it has no connection.
    pub outbox: Outbox,
    /// What the shadow was made to believe.
    pub overlay: Overlay,
    /// The `IdentifierLearned` fact that must be synced before a translated message may leave.
    pub barrier: u64,
    /// How the shadow takes the charger's boots, as long as it does not accept them.
    pub unaccepted: Option<Unaccepted>,
    version: Option<Version>,
    assigned: VecDeque<Box<str>>,
    ended: VecDeque<Box<str>>,
    /// What the authority calls what the charger calls otherwise, because it was moved meanwhile: as JSON text without
    /// quotes, newest last.
    aliases: Vec<(Class, Box<str>, Box<str>)>,
}

/// Boots that a backend has not accepted, since it last accepted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unaccepted {
    /// When it answered the first.
    pub since: Micros,
    /// How many it has answered so.
    pub boots: u32,
    /// How it answered the last: `pending`, `rejected` or `error`.
    pub status: &'static str,
}

/// Whether a pair that contradicts an older one replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// The older stays: the same CALL was answered twice.
    KeepsFirst,
    /// The newer wins: another CALL minted the same value again.
    TakesLast,
}

impl Memory {
    /// Learns identifier pairs, recording each first (`about` is the fact without its note): a pair that the recording does
    /// not hold is not used.
    pub fn learn(
        &mut self,
        recorder: &Recorder,
        about: &Fact,
        pairs: Vec<(Class, String, String)>,
        contradiction: Contradiction,
    ) {
        for (class, authority, shadow) in pairs {
            let known = self.relation.to_shadow(class, &authority);
            match known {
                Some(known) if known == Identifier::read(&shadow).text() => continue,
                Some(_) if contradiction == Contradiction::KeepsFirst => continue,
                _ => {}
            }
            let mut note = json!({"class": class.word(), "authority": authority, "shadow": shadow});
            if class == Class::TransactionId
                && contradiction == Contradiction::TakesLast
                && let Some(before) = self.relation.to_authority(class, &shadow)
            {
                note["reused"] = json!(before);
            }
            let fact = about.clone().note(&note);
            let Some(seq) = recorder.record(fact) else {
                tracing::warn!(charger = %about.charger.escape_debug(), class = class.word(),
                    "identifier not learned: the recorder is full");
                continue;
            };
            self.barrier = self.barrier.max(seq);
            self.relation.relearn(class, &authority, &shadow);
        }
    }

    /// The version that was spoken last.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// A connection of this version begins. What a charger said in another version introduces it no more, and what the
    /// shadow was made to believe then is forgotten: whether that was anything.
    pub fn speaks(&mut self, version: Version) -> bool {
        let before = self.version.replace(version);
        if before.is_none_or(|before| before == version) {
            return false;
        }
        self.model.forget();
        !std::mem::take(&mut self.overlay).is_empty()
    }

    /// The shadow answered a boot.
    pub fn took_boot(&mut self, acceptance: Acceptance, now: Micros) {
        let status = match acceptance {
            Acceptance::Accepted => {
                self.unaccepted = None;
                return;
            }
            Acceptance::Pending => "pending",
            Acceptance::Rejected => "rejected",
            Acceptance::Unknown => "error",
        };
        let before = self.unaccepted;
        self.unaccepted = Some(Unaccepted {
            since: before.map_or(now, |before| before.since),
            boots: before.map_or(0, |before| before.boots).saturating_add(1),
            status,
        });
    }

    /// Takes pairs that an earlier run recorded.
    pub fn restore(&mut self, class: Class, authority: &str, shadow: &str) {
        self.relation.relearn(class, authority, shadow);
    }

    /// The transactions that are open, or whose end may be told again, with what the shadow calls them.
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        let twin = |wire: &str| self.relation.to_shadow(Class::TransactionId, wire);
        let named = |wire: &str, is_ending| OpenTransaction {
            shadow: twin(wire).map(str::to_owned),
            wire: wire.to_owned(),
            is_ending,
        };
        let open = self.model.open_transactions();
        let ending = self.model.ending_transactions();
        open.map(|wire| named(wire, false))
            .chain(ending.map(|wire| named(wire, true)))
            .collect()
    }

    /// What else the charger may name that the shadow knows by another name: class, the charger's name and the shadow's.
    pub fn other_names(&self) -> Vec<(Class, String, String)> {
        let pairs = self.relation.pairs();
        let foreign = pairs.filter(|(class, authority, shadow)| {
            let counts = matches!(class, Class::ListVersion | Class::ConfigurationSlot);
            *class != Class::TransactionId && !counts && authority.text() != shadow.text()
        });
        let text = |name: &Identifier| name.text().to_owned();
        foreign
            .map(|(class, authority, shadow)| (class, text(authority), text(shadow)))
            .collect()
    }

    /// What the charger goes on with at `now` although no transaction is open: the authority's commands named it, and the
    /// charger or the next command may. What the shadow calls it, too, if it knows it at all.
    pub fn arranged(&self, now: Micros) -> Vec<(Class, String, Option<String>)> {
        let promised = self.model.arranged(now);
        let promised = promised.map(|(class, name)| (class, name.to_owned()));
        let held = self.model.profiles().lasting();
        let held = held.map(|id| (Class::ChargingProfileId, id.to_string()));
        let all = promised.chain(held).map(|(class, name)| {
            let shadow = self.relation.to_shadow(class, &name).map(str::to_owned);
            (class, name, shadow)
        });
        all.collect()
    }

    /// What the authority calls what the charger calls `wire`.
    pub fn authority_name<'a>(&'a self, class: Class, wire: &'a str) -> &'a str {
        let mut aliases = self.aliases.iter().rev();
        let known = aliases.find(|(of, name, _)| *of == class && **name == *wire);
        known.map_or(wire, |(_, _, authority)| authority)
    }

    /// Whether the shadow is owed messages that no leg has at hand.
    pub fn owes(&self) -> bool {
        self.outbox.bytes() > 0
    }

    /// The memory of the same charger after its backends have changed sides, and what the old shadow is still owed. `open`
    /// are its open transactions, and what may be named with them.
    pub fn turned(mut self, open: &[Carried]) -> (Self, Vec<Rc<Mirrored>>) {
        let mut turned = Self {
            model: std::mem::take(&mut self.model),
            barrier: self.barrier,
            ..Self::default()
        };
        for (class, authority, shadow) in self.relation.pairs() {
            let wire = authority.text();
            if open
                .iter()
                .any(|one| one.class == class && one.wire == wire)
            {
                continue;
            }
            // Where the charger goes on with a name of before, the old authority has one of its own for it.
            match self.authority_name(class, wire) {
                name if name == wire => {
                    turned.restore(class, &shadow.literal(), &authority.literal());
                }
                name => {
                    turned.restore(class, wire, name);
                    turned.alias(class, wire, shadow.text());
                }
            }
        }
        turned.carry(open);
        let owed = self.version.map(|version| {
            turned.speaks(version);
            self.outbox.take(version).0
        });
        (turned, owed.unwrap_or_default())
    }

    /// The charger goes on calling these as it did when the shadow was its authority.
    pub fn carry(&mut self, open: &[Carried]) {
        for carried in open {
            self.restore(carried.class, &carried.wire, &carried.from);
            if carried.is_foreign() && carried.is_known() {
                self.alias(carried.class, &carried.wire, &carried.to);
            }
        }
        let transactions = open.iter().filter(|carried| carried.is_transaction());
        self.know(transactions.map(|carried| carried.wire.as_str()));
    }

    fn alias(&mut self, class: Class, wire: &str, authority: &str) {
        self.aliases
            .retain(|(of, name, _)| *of != class || **name != *wire);
        if self.aliases.len() >= DEPTH {
            self.aliases.remove(0);
        }
        self.aliases.push((class, wire.into(), authority.into()));
    }

    /// These transactions are known to have begun: what names them is no cold start.
    fn know<'a>(&mut self, transactions: impl Iterator<Item = &'a str>) {
        for transaction in transactions {
            bounded(&mut self.assigned, transaction);
        }
    }

    /// The authority minted these: what they name is no cold start.
    pub fn assigned(&mut self, minted: &[(Class, String)]) {
        for (class, literal) in minted {
            if *class == Class::TransactionId {
                bounded(&mut self.assigned, Identifier::read(literal).text());
            }
        }
    }

    /// A transaction's last message is through; its identifier stays a while.
    pub fn transaction_ended(&mut self, authority: &str) {
        let authority = Identifier::read(authority).text().to_owned();
        if let Some(oldest) = bounded(&mut self.ended, &authority)
            && !self.ended.contains(&oldest)
        {
            self.relation.forget(Class::TransactionId, &oldest);
        }
    }

    /// Whether the shadow has sent the same as a command of the authority's, given its Message fact.
    pub fn asked_too(&self, command: u64) -> bool {
        self.solicited
            .id(command)
            .is_some_and(|(conn, id)| self.commands.has_twin(conn, id))
    }

    /// Whether the transaction that a command names is known and not over.
    pub fn is_ongoing(&self, command: &Envelope<'_>) -> bool {
        member_text(command.payload, &[Step::Key("transactionId")]).is_some_and(|literal| {
            self.relation
                .to_authority(Class::TransactionId, literal)
                .is_some_and(|authority| {
                    !self.ended.iter().any(|ended| ended.as_ref() == authority)
                })
        })
    }

    /// Why a message without twin is withheld, more exactly: a transaction that the authority began before it was
    /// observed is a cold start, unless it may have begun inside a gap; a report belongs to a command that the shadow has
    /// not sent.
    pub fn reason(&self, call: &Envelope<'_>, why: &'static str, gap: bool) -> &'static str {
        if why == UNMAPPED && solicited::is_report(call) {
            return SOLICITED;
        }
        if gap {
            return UNMAPPED;
        }
        let path = [Step::Key("transactionId")];
        match member_text(call.payload, &path) {
            Some(literal) if why == UNMAPPED => {
                let value = Identifier::read(literal);
                let seen = self
                    .assigned
                    .iter()
                    .any(|assigned| assigned.as_ref() == value.text());
                if seen { UNMAPPED } else { COLD_START }
            }
            _ => why,
        }
    }
}

/// Appends; returns what had to go.
fn bounded(values: &mut VecDeque<Box<str>>, value: &str) -> Option<Box<str>> {
    let oldest = if values.len() >= DEPTH {
        values.pop_front()
    } else {
        None
    };
    values.push_back(value.into());
    oldest
}
