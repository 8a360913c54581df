//! What a switch asks of the legs: whether a charger may be moved now, what it has open, and the change of sides.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::Legs;
use crate::clock::Clock;
use crate::facts::Leg;
use crate::facts::authority::{Carried, Journal, Untold};
use crate::ocpp::json::Step;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Envelope, Version};
use crate::shadow::link::{Ending, Link};
use crate::shadow::memory::Memory;
use crate::shadow::queue::Mirrored;
use crate::shadow::translate::{member_text, transaction_event};

/// How long a leg that was told to end at once may take.
const GOING: Duration = Duration::from_secs(2);

/// A transaction that is open at a charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    /// What the charger calls it.
    pub wire: String,
    /// What the shadow calls it, if it knows it at all.
    pub shadow: Option<String>,
    /// Its end was told, and the charger may tell it again.
    pub is_ending: bool,
}

impl Legs {
    /// Which backend is a charger's shadow.
    pub fn shadow_of(&self, charger: &Arc<str>) -> Leg {
        let turned = self.turned.borrow();
        turned.get(charger).copied().unwrap_or(self.default_shadow)
    }

    fn set_shadow(&self, charger: &Arc<str>, shadow: Leg) {
        self.turned.borrow_mut().insert(Arc::clone(charger), shadow);
    }

    /// Every charger that is connected or remembered.
    pub fn chargers(&self) -> Vec<Arc<str>> {
        let links = self.links.borrow();
        let connected = links.values().map(|link| Arc::clone(&link.charger));
        let memories = self.memories.borrow();
        let remembered = memories.keys().map(|(_, charger)| Arc::clone(charger));
        let mut chargers: Vec<_> = connected.chain(remembered).collect();
        chargers.sort();
        chargers.dedup();
        chargers
    }

    /// Whether a CALL between a charger and its authority waits for its answer.
    pub fn is_talking(&self, charger: &Arc<str>) -> bool {
        self.links_of(charger).iter().any(|link| link.is_talking())
    }

    /// Whether a charger's answer to its authority is due on one of its open connections.
    pub fn is_asked(&self, charger: &Arc<str>) -> bool {
        self.links_of(charger).iter().any(|link| link.is_asked())
    }

    /// A connector that charges while no transaction of it is known.
    pub fn charges_unseen(&self, charger: &Arc<str>) -> Option<i64> {
        self.known(charger)?.borrow().model.charges_unseen()
    }

    /// Whether its shadow has heard and answered all that a charger said on its open connections.
    pub fn is_settled(&self, charger: &Arc<str>) -> bool {
        self.links_of(charger).iter().all(|link| link.is_settled())
    }

    /// Why its shadow could not take a charger over this instant, if it could not.
    pub fn unready(&self, charger: &Arc<str>) -> Option<&'static str> {
        if self.owes(charger) {
            return Some("the new authority has not heard all of it yet");
        }
        self.links_of(charger).iter().find_map(|link| {
            if link.has_gap() {
                Some("frames of its connection were lost: the new authority may lack some")
            } else if !link.is_connected() {
                Some("the new authority has no connection for it")
            } else {
                None
            }
        })
    }

    fn links_of(&self, charger: &Arc<str>) -> Vec<Rc<Link>> {
        let links = self.links.borrow();
        let identities = self.identities.borrow();
        let conns = identities.of(charger);
        conns
            .filter_map(|conn| links.get(&conn))
            .map(Rc::clone)
            .collect()
    }

    /// The memory of a charger, if it has one.
    fn known(&self, charger: &Arc<str>) -> Option<Rc<RefCell<Memory>>> {
        let key = (self.shadow_of(charger), Arc::clone(charger));
        self.memories.borrow().get(&key).map(Rc::clone)
    }

    /// The transactions that are open at a charger, or whose end it may tell again.
    pub fn open_transactions(&self, charger: &Arc<str>) -> Vec<OpenTransaction> {
        let memory = self.known(charger);
        memory.map_or_else(Vec::new, |memory| memory.borrow().open_transactions())
    }

    /// Its open transactions with all their names, and what else may be named with them; those that the shadow does not
    /// know are left out.
    pub fn names(&self, charger: &Arc<str>) -> Vec<Carried> {
        let Some(memory) = self.known(charger) else {
            return Vec::new();
        };
        let memory = memory.borrow();
        let open = memory.open_transactions();
        let known = open
            .into_iter()
            .filter_map(|one| Some((Class::TransactionId, one.wire, one.shadow?)));
        let mut names: Vec<_> = known.collect();
        let arranged = memory.arranged(Clock::system().now());
        let arranged = arranged.into_iter().filter(|(class, wire, shadow)| {
            match shadow {
                Some(shadow) => shadow != wire,
                // The charger names no profile by itself.
                None => *class != Class::ChargingProfileId,
            }
        });
        let arranged: Vec<_> = arranged.collect();
        if !names.is_empty() || !arranged.is_empty() {
            names.extend(memory.other_names());
        }
        let unknown = arranged
            .into_iter()
            .filter(|(_, _, shadow)| shadow.is_none());
        names.extend(unknown.map(|(class, wire, _)| (class, wire, String::new())));
        let carried = names.into_iter().map(|(class, wire, to)| Carried {
            class,
            from: memory.authority_name(class, &wire).to_owned(),
            wire,
            to,
        });
        carried.collect()
    }

    /// What a charger was told by its authority and may still name, while its shadow does not know it at all.
    pub fn unknown(&self, charger: &Arc<str>) -> Option<(Class, String)> {
        let memory = self.known(charger)?;
        let arranged = memory.borrow().arranged(Clock::system().now()).into_iter();
        let mut unknown = arranged.filter(|(class, _, shadow)| {
            // The charger names no profile by itself.
            *class != Class::ChargingProfileId && shadow.is_none()
        });
        unknown.next().map(|(class, wire, _)| (class, wire))
    }

    /// Whether a charger still goes on with something of this name.
    pub fn goes_on(&self, charger: &Arc<str>, class: Class, wire: &str) -> bool {
        let Some(memory) = self.known(charger) else {
            return false;
        };
        let arranged = memory.borrow().arranged(Clock::system().now());
        arranged
            .iter()
            .any(|(of, name, _)| *of == class && name == wire)
    }

    /// Whether the shadow of a charger is owed messages that no leg has at hand.
    pub fn owes(&self, charger: &Arc<str>) -> bool {
        self.known(charger)
            .is_some_and(|memory| memory.borrow().owes())
    }

    /// Ready once no leg speaks for a charger any more. What is still undelivered after `within` stays undelivered.
    pub async fn parted(&self, charger: &Arc<str>, within: Duration) {
        let until = Instant::now() + within;
        let parting = self.parting.borrow().of(charger);
        for link in parting {
            if timeout_at(until, link.gone()).await.is_ok() {
                continue;
            }
            tracing::warn!(charger = %charger.escape_debug(), conn = link.conn,
                "its leg has not delivered everything and is ended all the same");
            // What it has not delivered is kept: the charger may go back, and if not, it is said.
            link.drain(Ending::Closed, Duration::ZERO);
            if timeout(GOING, link.gone()).await.is_err() {
                tracing::warn!(charger = %charger.escape_debug(), "its leg does not end");
            }
        }
    }

    /// The shadow of a charger becomes its authority, and the authority its shadow. `open` are its open transactions. To be
    /// called when no leg speaks for it. Returns what the new authority was owed and will not get.
    pub fn turn(&self, charger: &Arc<str>, open: &[Carried]) -> Vec<Untold> {
        let before = self.shadow_of(charger);
        let after = before.other();
        let old = self.memory(before, charger);
        let before_turn = old.take();
        let version = before_turn.version();
        let (memory, owed) = before_turn.turned(open);
        let key = (before, Arc::clone(charger));
        self.memories.borrow_mut().remove(&key);
        if let Some(common) = self.common(before) {
            common.recount(owed.iter().map(|message| message.weight()).sum(), 0);
            for message in &owed {
                // No leg will deliver it any more.
                let withheld = message.withheld("authority changed");
                let mut fact = withheld.fact(Clock::system().now());
                fact.leg = Some(before);
                common.recorder.record(fact.on(charger, 0));
            }
        }
        *self.memory(after, charger).borrow_mut() = memory;
        self.set_shadow(charger, after);
        owed.iter()
            .map(|message| untold(version, message))
            .collect()
    }

    /// Takes the sides that an earlier run left the backends of each charger on. To be called before their memories are filled.
    pub fn stand(&self, journal: &Journal) {
        for (charger, standing) in &journal.chargers {
            // They change sides only when the charger is let in.
            let authority = if standing.is_admitted() {
                standing.authority
            } else {
                standing.authority.other()
            };
            self.set_shadow(charger, authority.other());
        }
    }

    /// Takes up the names of transactions that chargers had open when they were moved in an earlier run.
    pub fn carry_all(&self, journal: &Journal) {
        for (charger, standing) in &journal.chargers {
            let mut open = standing.open.clone();
            if !standing.is_admitted() {
                // The new authority is still the shadow.
                open = open.into_iter().map(Carried::turned).collect();
            }
            let memory = self.memory(self.shadow_of(charger), charger);
            memory.borrow_mut().carry(&open);
        }
    }
}

/// What is told of a message that will not be delivered.
fn untold(version: Option<Version>, message: &Mirrored) -> Untold {
    let call = Envelope::parse(&message.text).ok();
    let transaction = call.and_then(|call| {
        let event = version.and_then(|version| transaction_event(version, &call));
        let event = event.map(|event| event.transaction);
        let named = || member_text(call.payload, &[Step::Key("transactionId")]).map(str::to_owned);
        event.or_else(named)
    });
    let transaction = transaction.map(|literal| Identifier::read(&literal).text().to_owned());
    Untold {
        message: message.seq,
        action: message.action.to_string(),
        transaction: transaction.unwrap_or_default(),
    }
}
