//! The host of all shadow legs: it hands each connection's messages to the task that owns its leg.
//!
//! Nothing here can write to a charger: the shadow plane holds no handle to one, and a leg owns only its socket to the
//! shadow backend. The host never blocks; a leg that lags is bounded, and what it cannot hold is recorded as withheld.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::clock::{Clock, Micros};
use crate::facts::resume::{Remembered, Resume, Undelivered};
use crate::facts::{Dir, Fact, Kind, Leg, Recorder};
use crate::live::tls::TlsError;
use crate::ocpp::{Class, Envelope, MessageType, Version};

use super::dial::Dialler;
use super::exchanges::{Called, Exchanges, Half};
use super::identities::Identities;
use super::leg;
use super::link::{self, Common, Ending, Handshake, Link};
use super::memory::Memory;
use super::model::{Heard, Import};
use super::overlay;
use super::pace::Pace;
use super::plane::{ConnInfo, LegHost};
use super::queue::{Gate, Mirrored, Traffic};
use super::settings::{ShadowSettings, Takeover};

mod turn;

pub use turn::OpenTransaction;

/// All legs of a shadow plane. Lives inside a `LocalRuntime` or a `LocalSet`.
pub struct Legs {
    backends: Vec<Backend>,
    links: RefCell<HashMap<u64, Rc<Link>>>,
    identities: RefCell<Identities>,
    parting: RefCell<Parting>,
    memories: RefCell<Memories>,
    default_shadow: Leg,
    /// The shadows of chargers that were moved.
    turned: RefCell<HashMap<Arc<str>, Leg>>,
    running: Rc<Running>,
}

/// What is kept per shadow backend and charger.
type Memories = HashMap<(Leg, Arc<str>), Rc<RefCell<Memory>>>;

/// Links whose charger has gone while the backend still owes answers.
#[derive(Default)]
struct Parting {
    links: HashMap<Arc<str>, Vec<Rc<Link>>>,
    /// How many chargers there may be before those whose legs are over are taken out.
    enough: usize,
}

impl Parting {
    fn push(&mut self, link: Rc<Link>) {
        if self.links.len() >= self.enough {
            self.links.retain(|_, links| {
                links.retain(|link| !link.is_gone());
                !links.is_empty()
            });
            self.enough = 64.max(2 * self.links.len());
        }
        let links = self.links.entry(Arc::clone(&link.charger)).or_default();
        links.retain(|link| !link.is_gone());
        links.push(link);
    }

    /// Earlier connections of a charger whose legs are still delivering.
    fn of(&self, charger: &Arc<str>) -> Vec<Rc<Link>> {
        self.links.get(charger).cloned().unwrap_or_default()
    }
}

/// A backend that may be a shadow: both may, once some chargers have moved.
struct Backend {
    common: Rc<Common>,
    dialler: Rc<Dialler>,
    pace: Rc<Pace>,
}

/// Counts leg tasks, so that a stopping plane can wait for them.
#[derive(Default)]
struct Running {
    tasks: Cell<usize>,
    done: Notify,
}

struct Task(Rc<Running>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.tasks.set(self.0.tasks.get() - 1);
        self.0.done.notify_waiters();
    }
}

impl Legs {
    /// Legs towards each of `backends`: a connection is shadowed by the one that is not its authority. The first is the
    /// shadow of every charger that was not moved.
    pub fn new(backends: Vec<ShadowSettings>, recorder: &Recorder) -> Result<Self, TlsError> {
        let default_shadow = backends.first().map_or(Leg::Candidate, |first| first.leg);
        let backends = backends
            .into_iter()
            .map(|settings| {
                let settings = Rc::new(settings);
                Ok(Backend {
                    dialler: Rc::new(Dialler::new(Rc::clone(&settings))?),
                    pace: Rc::new(Pace::new(settings.connects_per_second)),
                    common: Rc::new(Common {
                        settings,
                        recorder: recorder.clone(),
                        queued: Cell::new(0),
                    }),
                })
            })
            .collect::<Result<_, TlsError>>()?;
        Ok(Self {
            backends,
            links: RefCell::default(),
            identities: RefCell::default(),
            parting: RefCell::default(),
            memories: RefCell::default(),
            default_shadow,
            turned: RefCell::default(),
            running: Rc::default(),
        })
    }

    /// Takes what an earlier run recorded towards `shadow`: identifiers, and what introduces a charger. To be called before
    /// connections are opened.
    pub fn resume(&self, shadow: Leg, resume: &Resume) {
        let ours = |charger: &Arc<str>| self.shadow_of(charger) == shadow;
        for (charger, learned) in resume.learned.iter().filter(|(name, _)| ours(name)) {
            let pairs = learned.iter().filter_map(|pair| {
                let class = Class::from_word(&pair.class)?;
                let (authority, ours) = (pair.authority.as_str(), pair.shadow.as_str());
                // Under the other authority what is the shadow's now was the authority's.
                Some(if pair.towards == shadow {
                    (class, authority, ours)
                } else {
                    (class, ours, authority)
                })
            });
            self.restore(shadow, charger, pairs);
        }
        for (charger, remembered) in resume.chargers.iter().filter(|(name, _)| ours(name)) {
            self.recall(shadow, charger, remembered);
            self.forget_pretence(shadow, charger, remembered);
        }
        let of_shadow = |owed: &&Undelivered| {
            ours(&owed.call.charger) && owed.call.leg.unwrap_or(Leg::Legacy).other() == shadow
        };
        for owed in resume.undelivered.iter().filter(of_shadow) {
            self.owe(shadow, owed);
        }
    }

    /// Says what an earlier run pretended towards `shadow` and this one does not: the overlay went with it.
    fn forget_pretence(&self, shadow: Leg, charger: &Arc<str>, remembered: &Remembered) {
        let pretended = remembered
            .lessons
            .iter()
            .find(|lesson| lesson.part == overlay::PART);
        let Some((lesson, told)) =
            pretended.and_then(|lesson| Some((lesson, lesson.facts.first()?)))
        else {
            return;
        };
        if told.leg != Some(shadow) {
            return;
        }
        let Some(common) = self.common(shadow) else {
            return;
        };
        tracing::warn!(charger = %charger.escape_debug(), backend = shadow.word(),
            "what was simulated towards this backend is forgotten: answers are those of the charger again");
        let mut fact = Fact::new(Kind::ModelLearned, Clock::system().now()).on(charger, told.conn);
        fact.leg = Some(shadow);
        let note = overlay::forgotten(&lesson.version, "restart");
        common.recorder.record(fact.note(&note));
    }

    /// Lets the model of a charger hear again what taught it in an earlier run.
    fn recall(&self, shadow: Leg, charger: &Arc<str>, remembered: &Remembered) {
        let memory = self.memory(shadow, charger);
        let mut memory = memory.borrow_mut();
        let booted = remembered.boot.as_ref();
        let booted = booted.and_then(|_| version(remembered.boot_subprotocol.as_deref()));
        let told = remembered.lessons.iter();
        let lessons = told.filter(|lesson| lesson.part != overlay::PART);
        let lessons = lessons.filter_map(|lesson| {
            Some((
                Version::from_number(&lesson.version)?,
                lesson.facts.as_slice(),
            ))
        });
        let last = lessons
            .clone()
            .max_by_key(|(_, facts)| facts.last().map(|fact| fact.seq));
        let Some(spoken) = booted.or(last.map(|(version, _)| version)) else {
            return;
        };
        memory.speaks(spoken);
        let said = remembered.boot.iter().chain(&remembered.statuses);
        let taught = lessons.filter(|(version, _)| *version == spoken);
        let mut facts: Vec<&Fact> = said.chain(taught.flat_map(|(_, facts)| facts)).collect();
        facts.sort_by_key(|fact| fact.seq);
        facts.dedup_by_key(|fact| fact.seq);
        for fact in facts {
            if let (Some(dir), Some(Ok(message))) = (fact.dir, fact.text().map(Envelope::parse)) {
                let heard = Heard {
                    conn: fact.conn,
                    seq: fact.seq,
                    at: fact.at,
                };
                memory.model.hear(spoken, dir, heard, &message);
            }
        }
    }

    /// Takes what the operator supplied about chargers.
    pub fn import(&self, shadow: Leg, imports: &BTreeMap<String, Rc<Import>>) {
        for (charger, import) in imports {
            let charger = Arc::from(charger.as_str());
            if self.shadow_of(&charger) == shadow {
                let memory = self.memory(shadow, &charger);
                memory.borrow_mut().model.import(Rc::clone(import));
            }
        }
    }

    /// Puts a message that an earlier run did not deliver, or got no answer to, into its charger's outbox.
    fn owe(&self, shadow: Leg, owed: &Undelivered) {
        let Some(common) = self.common(shadow) else {
            return;
        };
        let version = version(owed.subprotocol.as_deref());
        let Some((version, message)) =
            version.and_then(|version| Some((version, owed_message(version, owed)?)))
        else {
            return;
        };
        let given_up = if owed.in_doubt {
            vec![message.withheld("restart")]
        } else if common.queued.get() + message.weight() > common.settings.queue_bytes_total {
            vec![message.withheld("queue full")]
        } else {
            let memory = self.memory(shadow, &owed.call.charger);
            let memory = &mut *memory.borrow_mut();
            recall(&mut memory.exchanges, version, owed);
            let before = memory.outbox.bytes();
            let limits = common.settings.queue;
            let given_up = memory.outbox.put(version, vec![Rc::new(message)], limits);
            common.recount(before, memory.outbox.bytes());
            given_up
        };
        for message in given_up {
            let mut fact = message.fact(Clock::system().now());
            fact.leg = Some(shadow);
            common
                .recorder
                .record(fact.on(&owed.call.charger, owed.call.conn));
        }
    }

    fn common(&self, shadow: Leg) -> Option<&Common> {
        self.backends
            .iter()
            .map(|backend| backend.common.as_ref())
            .find(|common| common.settings.leg == shadow)
    }

    /// Takes identifiers that an earlier run recorded for a charger: class, authority's and shadow's JSON text, oldest
    /// first. To be called before its connection is opened.
    pub fn restore<'a>(
        &self,
        shadow: Leg,
        charger: &Arc<str>,
        learned: impl IntoIterator<Item = (Class, &'a str, &'a str)>,
    ) {
        let memory = self.memory(shadow, charger);
        let mut memory = memory.borrow_mut();
        for (class, authority, ours) in learned {
            memory.restore(class, authority, ours);
        }
    }

    fn memory(&self, shadow: Leg, charger: &Arc<str>) -> Rc<RefCell<Memory>> {
        let key = (shadow, Arc::clone(charger));
        Rc::clone(self.memories.borrow_mut().entry(key).or_default())
    }

    /// Ends the legs of a charger's open connections towards `shadow`. The links stay: what these connections still carry is
    /// accounted for by them.
    fn replace(&self, shadow: Leg, charger: &Arc<str>) {
        let links = self.links.borrow();
        let same = |link: &&Rc<Link>| link.common().settings.leg == shadow && !link.is_gone();
        let identities = self.identities.borrow();
        let mut parting = self.parting.borrow_mut();
        let open = identities.of(charger).filter_map(|conn| links.get(&conn));
        for link in open.filter(same) {
            link.replace();
            parting.push(Rc::clone(link));
        }
    }

    fn link(&self, conn: u64) -> Option<Rc<Link>> {
        self.links.borrow().get(&conn).map(Rc::clone)
    }
}

impl LegHost for Legs {
    fn opened(&self, info: &ConnInfo) {
        let shadow = info.authority.other();
        let Some(backend) = self
            .backends
            .iter()
            .find(|backend| backend.common.settings.leg == shadow)
        else {
            return;
        };
        let version = version(info.subprotocol.as_deref());
        let link = Rc::new(Link::new(
            Rc::clone(&backend.common),
            self.memory(shadow, &info.charger),
            (Arc::clone(&info.charger), info.conn),
            version.unwrap_or(Version::V16),
            Handshake {
                offered: info.offered.clone(),
                subprotocol: info.subprotocol.clone(),
                login: info.login.clone(),
            },
        ));
        if backend.common.settings.takeover == Takeover::Collapse {
            self.replace(shadow, &info.charger);
        }
        self.links.borrow_mut().insert(info.conn, Rc::clone(&link));
        self.identities
            .borrow_mut()
            .insert(&info.charger, info.conn);
        if version.is_none() {
            let note = json!({"why": "version", "subprotocol": info.subprotocol});
            link.record(Kind::ShadowRefused, &note);
            link.set_gate(Gate::Unspoken);
            link.leave();
            return;
        }
        self.running.tasks.set(self.running.tasks.get() + 1);
        let task = Task(Rc::clone(&self.running));
        let (dialler, pace) = (Rc::clone(&backend.dialler), Rc::clone(&backend.pace));
        let resumed = info.resumed;
        let before = self.parting.borrow().of(&info.charger);
        spawn_local(async move {
            // One connection after the other, as the charger had them: the backend hears the end of the last one first.
            for link in before {
                link.gone().await;
            }
            leg::run(Rc::clone(&link), dialler, pace, !resumed).await;
            link.leave();
            drop(task);
        });
    }

    fn message(&self, conn: u64, dir: Dir, seq: u64, at: Micros, text: &Arc<str>) {
        let Some(link) = self.link(conn) else { return };
        match dir {
            Dir::FromCharger => link.from_charger(seq, at, text),
            Dir::ToCharger => link.from_authority(seq, at, text),
        }
    }

    fn gap(&self, conn: u64, _: Dir) {
        // Either way a transaction may have begun unseen: the charger's start or the authority's answer is missing.
        if let Some(link) = self.link(conn) {
            link.mark_gap();
        }
    }

    fn closed(&self, conn: u64, _: Micros) {
        let link = self.links.borrow_mut().remove(&conn);
        if let Some(link) = link {
            link.drain(Ending::Closed, link::DRAIN);
            self.identities.borrow_mut().remove(&link.charger, conn);
            self.parting.borrow_mut().push(link);
        }
    }

    fn stopping(&self) {
        let links = std::mem::take(&mut *self.links.borrow_mut());
        self.identities.borrow_mut().clear();
        let parting = self.parting.borrow();
        for link in links.values().chain(parting.links.values().flatten()) {
            link.drain(Ending::Stopping, link::STOPPING);
        }
    }

    async fn finished(&self) {
        loop {
            let done = self.running.done.notified();
            if self.running.tasks.get() == 0 {
                return;
            }
            done.await;
        }
    }

    fn status(&self) -> Value {
        let queued: usize = self
            .backends
            .iter()
            .map(|backend| backend.common.queued.get())
            .sum();
        let links = self.links.borrow();
        let connected = links.values().filter(|link| link.is_connected()).count();
        json!({"legs": links.len(), "connected": connected, "queued_bytes": queued})
    }
}

/// The message of an earlier run, if a charger keeps such.
fn owed_message(version: Version, owed: &Undelivered) -> Option<Mirrored> {
    let text = owed.call.text()?;
    let call = Envelope::parse(text).ok()?;
    let traffic = Traffic::of(version, &call);
    (traffic == Traffic::Transaction).then(|| Mirrored {
        seq: owed.call.seq,
        at: owed.call.at,
        id: call.id.as_ref().into(),
        action: call.action.as_ref().into(),
        text: Arc::from(text),
        traffic,
        again: owed.again,
        kept: true,
        failed: 0,
        solicited: 0,
        asked: false,
    })
}

/// Takes up the exchange of a message of an earlier run: the shadow's answer may still teach identifiers.
fn recall(exchanges: &mut Exchanges, version: Version, owed: &Undelivered) {
    let Some(Ok(call)) = owed.call.text().map(Envelope::parse) else {
        return;
    };
    exchanges.called(Called::read(&call, owed.call.seq, owed.call.conn));
    let answer = owed.answer.as_ref().and_then(|fact| {
        let answer = Envelope::parse(fact.text()?).ok()?;
        (answer.kind == MessageType::CallResult)
            .then(|| link::read_answer(version, &call.action, answer.payload, fact.seq))
    });
    if let Some(half) = answer {
        exchanges.authority_answered(owed.call.conn, &call.id, half);
    } else if owed.answer.is_some() {
        exchanges.authority_answered(owed.call.conn, &call.id, Half::Failed);
    }
}

/// A charger that negotiated nothing speaks 1.6, the only version whose field practice knows that. Other subprotocols
/// (1.5, 2.0) are not understood.
fn version(subprotocol: Option<&str>) -> Option<Version> {
    subprotocol.map_or(Some(Version::V16), Version::from_subprotocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live;

    #[test]
    fn an_idle_leg_is_small() {
        let backend = live::Backend::parse("ws://127.0.0.1:1").unwrap();
        let settings = Rc::new(ShadowSettings::new(Leg::Candidate, backend));
        let common = Rc::new(Common {
            settings: Rc::clone(&settings),
            recorder: Recorder::in_memory(),
            queued: Cell::new(0),
        });
        let about = (Arc::from("CP1"), 1);
        let link = Rc::new(Link::new(
            common,
            Rc::default(),
            about,
            Version::V16,
            Handshake::default(),
        ));
        let dialler = Rc::new(Dialler::new(settings).unwrap());
        let task = leg::run(link, dialler, Rc::new(Pace::new(1)), true);
        // The task, the link, tungstenite's read buffer (0.25 KiB), without what the allocator adds.
        let bytes = size_of_val(&task) + size_of::<Link>() + size_of::<Memory>() + 256;
        assert!(bytes <= 3200, "{bytes} bytes");
    }
}
