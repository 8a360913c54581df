//! What has been learned about one charger from its own line: enough to answer for it truthfully.
//!
//! Pure. It hears every message between charger and authority ([`Model::hear`]); each part keeps what it needs, bounded,
//! with the time when it was learned. Secrets never get in. What a restart must not forget is named by [`Lesson`]s: the
//! facts that teach it, which a later run hears again.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use serde_json::{Value, json};

use crate::clock::Micros;
use crate::ocpp::json::Step;
use crate::ocpp::{Class, Version};

use super::translate::member_text;

pub mod arranged;
pub mod certificates;
pub mod configuration;
pub mod device;
pub mod evidence;
mod hear;
pub mod import;
mod infer;
pub mod monitors;
pub mod profiles;
pub mod secrets;
pub mod series;
pub mod transactions;
pub mod view;

pub use configuration::is_same_setting;
pub use evidence::{Evidence, Label, Source};
pub use hear::Heard;
pub use import::Import;

use arranged::Arranged;
use certificates::Certificates;
use configuration::{Configuration, Told};
use device::Device;
use monitors::Monitors;
use profiles::Profiles;
use transactions::Transactions;

/// How old a meter sample or a transaction event may be to answer a trigger, µs.
const FRESH: Micros = 15 * 60 * 1_000_000;

/// How many connectors are remembered; a charger that invents more is not believed.
pub const MOST_CONNECTORS: usize = 256;

/// EVSE (0 in 1.6) and connector.
pub type Place = (i64, i64);

/// Something that the charger said, as it said it.
#[derive(Debug, Clone)]
pub struct Said {
    /// When, µs since the Unix epoch.
    pub at: Micros,
    /// The payload.
    pub payload: Box<str>,
}

/// A part of the model that a restart must not forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What the authority answered to the last boot.
    Boot,
    /// 1.6 configuration keys.
    Configuration,
    /// 2.x variables.
    Device,
    /// 2.x monitors.
    Monitors,
    /// Installed certificates.
    Certificates,
    /// Charging profiles and schedules.
    Profiles,
    /// Connectors without lock.
    Locks,
    /// Ongoing transactions.
    Transactions,
    /// Reservations, remote starts and jobs that are not over.
    Arranged,
}

/// Facts that teach a part of the model; it takes the place of the last lesson about the same part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// What they teach.
    pub part: Part,
    /// The version that was spoken.
    pub version: Version,
    /// `seq` of the facts, oldest first.
    pub facts: Vec<u64>,
}

/// One charger, as far as it is known.
#[derive(Debug, Default)]
pub struct Model {
    boot: Option<Said>,
    statuses: BTreeMap<Place, Said>,
    samples: BTreeMap<Place, infer::Samples>,
    heartbeat: Option<(i64, Source)>,
    learned: Box<Learned>,
    import: Option<Rc<Import>>,
}

/// What takes more room than most chargers need.
#[derive(Debug, Default)]
struct Learned {
    /// The last word on jobs that report back, by action.
    jobs: BTreeMap<&'static str, Said>,
    /// A boot that the authority has not answered. Boxed, as most of the time there is none.
    booting: Option<Box<Booting>>,
    asked: VecDeque<Asked>,
    /// When each part was last told in a lesson.
    told: BTreeMap<Part, Micros>,
    configuration: Configuration,
    device: Device,
    monitors: Monitors,
    certificates: Certificates,
    profiles: Profiles,
    transactions: Transactions,
    arranged: Arranged,
    /// 1.6 connectors that say that they have no lock.
    lockless: BTreeMap<i64, Source>,
}

/// A boot that waits for the authority's answer.
#[derive(Debug)]
struct Booting {
    conn: u64,
    id: Box<str>,
    fact: u64,
}

impl Booting {
    fn is(&self, conn: u64, id: &str) -> bool {
        self.conn == conn && *self.id == *id
    }
}

/// A command of the authority's whose answer teaches something.
#[derive(Debug)]
struct Asked {
    conn: u64,
    id: Box<str>,
    action: Box<str>,
    payload: Box<str>,
    fact: u64,
}

impl Model {
    /// Forgets everything but what the operator supplied: the charger speaks another version now.
    pub fn forget(&mut self) {
        let import = self.import.take();
        *self = Self::default();
        if let Some(import) = import {
            self.import(import);
        }
    }

    /// Takes what the operator supplied. What the charger itself said goes before.
    pub fn import(&mut self, import: Rc<Import>) {
        let source = Source::imported(import.at);
        let learned = &mut self.learned;
        if let Some(listing) = &import.configuration
            && learned.configuration.listed().is_none()
        {
            learned.configuration.read("{}", listing, source);
        }
        for (base, pages) in &import.inventories {
            if learned.device.inventory(base).is_none() {
                learned.device.import(base, pages, source);
            }
        }
        self.import = Some(import);
    }
}

/// What is known.
impl Model {
    /// The transactions that are going on, as the charger calls them.
    pub fn open_transactions(&self) -> impl Iterator<Item = &str> {
        self.learned.transactions.ids()
    }

    /// The transactions whose end the charger may tell again, as it calls them.
    pub fn ending_transactions(&self) -> impl Iterator<Item = &str> {
        self.learned.transactions.ending()
    }

    /// What the charger may still name by itself at `now`, as its authority called it.
    pub fn arranged(&self, now: Micros) -> impl Iterator<Item = (Class, &str)> {
        self.learned.arranged.names(now)
    }

    /// A 1.6 connector that says it charges, while no transaction of it is known: one began unseen.
    pub fn charges_unseen(&self) -> Option<i64> {
        let says_so = |said: &Said| {
            let status = text(&said.payload, "status");
            matches!(status, Some("Charging" | "SuspendedEV" | "SuspendedEVSE"))
        };
        let transactions = &self.learned.transactions;
        let known = |connector| {
            transactions.any_at(Some(connector)).is_some() || transactions.ends_at(connector)
        };
        let mut charging = self.statuses.iter().filter(|(_, said)| says_so(said));
        let unseen = charging.find(|((_, connector), _)| *connector > 0 && !known(*connector));
        unseen.map(|((_, connector), _)| *connector)
    }

    /// The payload of the last BootNotification.
    pub fn boot(&self) -> Option<&str> {
        self.boot.as_ref().map(|boot| boot.payload.as_ref())
    }

    /// When the last BootNotification came.
    pub fn booted(&self) -> Option<Evidence> {
        self.boot.as_ref().map(|boot| Evidence::learned(boot.at))
    }

    /// The payloads of the last `StatusNotification` of each connector, in order.
    pub fn statuses(&self) -> impl Iterator<Item = (Place, &str)> {
        self.said()
            .map(|(place, said)| (place, said.payload.as_ref()))
    }

    /// The last `StatusNotification` of each connector, in order.
    pub fn said(&self) -> impl Iterator<Item = (Place, &Said)> {
        self.statuses.iter().map(|(place, said)| (*place, said))
    }

    /// The last status word of a connector, and when it was said.
    pub fn status(&self, place: Place) -> Option<(&str, Evidence)> {
        let said = self.statuses.get(&place)?;
        let payload = said.payload.as_ref();
        let word = text(payload, "status").or_else(|| text(payload, "connectorStatus"))?;
        Some((word, Evidence::learned(said.at)))
    }

    /// The last `MeterValues` of each place that has a recent one.
    pub fn sampled_lately(&self, now: Micros) -> impl Iterator<Item = (Place, &Said)> {
        self.samples
            .iter()
            .map(|(place, samples)| (*place, samples.last()))
            .filter(move |(_, said)| said.is_fresh(now))
    }

    /// How a job that reports back stands: the last status word.
    pub fn job(&self, action: &str) -> Option<&str> {
        text(&self.learned.jobs.get(action)?.payload, "status")
    }

    /// The value of a 1.6 configuration key, if it is known.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let (value, _) = self.learned.configuration.value(name)?;
        Some(value)
    }

    /// The 1.6 `GetConfiguration.conf` for a request.
    pub fn configuration(&self, request: &str) -> Told {
        let learned = &self.learned.configuration;
        if learned.listed().is_some() {
            return learned.answer(request, &[]);
        }
        let heartbeat = self
            .heartbeat
            .map(|(interval, source)| (interval, source.evidence.at));
        let booted = self.boot.as_ref().map(|boot| boot.at);
        let inferred = infer::keys(booted, &self.statuses, heartbeat, &self.samples);
        learned.answer(request, &inferred)
    }

    /// What a charger would answer to a `ChangeConfiguration` that changes nothing.
    pub fn change_configuration(&self, request: &str) -> Option<(&'static str, Evidence)> {
        self.learned.configuration.change(request)
    }

    /// Whether a 1.6 charger has a feature profile; `None` unless it told which ones it has.
    pub fn has_profile(&self, profile: &str) -> Option<(bool, Evidence)> {
        let (profiles, evidence) = self
            .learned
            .configuration
            .value("SupportedFeatureProfiles")?;
        let mut names = profiles.split(',').map(str::trim);
        let has = names.any(|name| name.eq_ignore_ascii_case(profile));
        Some((has, evidence))
    }

    /// The device model.
    pub fn device(&self) -> &Device {
        &self.learned.device
    }

    /// The variable monitors.
    pub fn monitors(&self) -> &Monitors {
        &self.learned.monitors
    }

    /// The certificates.
    pub fn certificates(&self) -> &Certificates {
        &self.learned.certificates
    }

    /// Charging profiles and schedules.
    pub fn profiles(&self) -> &Profiles {
        &self.learned.profiles
    }

    /// Whether a 1.6 connector said that it has no lock.
    pub fn is_lockless(&self, connector: i64) -> Option<Evidence> {
        let said = self.learned.lockless.get(&connector)?;
        Some(said.evidence)
    }

    /// Ongoing transactions.
    pub fn transactions(&self) -> &Transactions {
        &self.learned.transactions
    }

    /// Whether every connector in question is already operative (or inoperative), and since when that is known: a whole
    /// station is asked for with `None`, a whole EVSE without a connector.
    pub fn is_available(
        &self,
        place: (Option<i64>, Option<i64>),
        operative: bool,
    ) -> Option<Evidence> {
        let asked = self.statuses.keys().filter(|known| {
            place.0.is_none_or(|evse| evse == known.0)
                && place.1.is_none_or(|connector| connector == known.1)
        });
        let mut evidence = Vec::new();
        for known in asked {
            let (status, said) = self.status(*known)?;
            if (status != "Unavailable") != operative {
                return None;
            }
            evidence.push(said);
        }
        Evidence::all(evidence)
    }
}

impl Said {
    /// What was said at `at`.
    pub fn new(at: Micros, payload: &str) -> Self {
        let payload = payload.into();
        Self { at, payload }
    }

    /// Whether it was said lately enough to be said again as news.
    pub fn is_fresh(&self, now: Micros) -> bool {
        now - self.at < FRESH
    }
}

impl Lesson {
    /// The note of its fact.
    pub fn note(&self) -> Value {
        json!({"part": self.part.word(), "version": self.version.number(), "from": self.facts})
    }
}

impl Part {
    /// The word that facts use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Configuration => "configuration",
            Self::Device => "device",
            Self::Monitors => "monitors",
            Self::Certificates => "certificates",
            Self::Profiles => "profiles",
            Self::Locks => "locks",
            Self::Transactions => "transactions",
            Self::Arranged => "arranged",
        }
    }
}

fn remember<T>(map: &mut BTreeMap<Place, T>, place: Place, value: impl FnOnce() -> T) {
    if map.len() < MOST_CONNECTORS || map.contains_key(&place) {
        map.insert(place, value());
    }
}

/// Where a status or sample belongs.
fn place(payload: &str) -> Place {
    (number(payload, "evseId"), number(payload, "connectorId"))
}

fn number(payload: &str, name: &'static str) -> i64 {
    member_text(payload, &[Step::Key(name)])
        .and_then(|literal| literal.trim_matches('"').parse().ok())
        .unwrap_or(0)
}

/// A string member without escapes.
pub fn text<'a>(payload: &'a str, name: &'static str) -> Option<&'a str> {
    member_text(payload, &[Step::Key(name)])?
        .strip_prefix('"')?
        .strip_suffix('"')
}

/// The `status` member of an answer.
pub fn status(answer: &str) -> Option<&str> {
    text(answer, "status")
}

#[cfg(test)]
mod tests;
