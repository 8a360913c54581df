//! What has been learned about one charger from its own line: enough to answer for it truthfully.
//!
//! Pure. It hears every message between charger and authority ([`Model::hear`]); each part keeps what it needs, bounded,
//! with the time when it was learned. Secrets never get in. What a restart must not forget is named by [`Lesson`]s: the
//! facts that teach it, which a later run hears again.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use serde_json::{Value, json};

use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::json::Step;
use crate::ocpp::{Envelope, MessageType, Version};

use super::translate::member_text;

pub mod certificates;
pub mod configuration;
pub mod device;
pub mod evidence;
pub mod import;
mod infer;
pub mod monitors;
pub mod profiles;
mod secrets;
pub mod series;
pub mod transactions;
pub mod view;

pub use configuration::is_same_setting;
pub use evidence::{Evidence, Label, Source};
pub use import::Import;

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

/// How many commands of the authority's wait for the charger's answer.
const MOST_ASKED: usize = 8;

/// How long a lesson that teaches nothing new may be left untold, µs: the age of what is known survives a restart too, and
/// old facts may be gone one day.
const RETELL: Micros = 24 * 3600 * 1_000_000;

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
    /// Ongoing transactions.
    Transactions,
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
    /// A boot that the authority has not answered: message id and fact.
    booting: Option<(Box<str>, u64)>,
    asked: VecDeque<Asked>,
    /// When each part was last told in a lesson.
    told: BTreeMap<Part, Micros>,
    configuration: Configuration,
    device: Device,
    monitors: Monitors,
    certificates: Certificates,
    profiles: Profiles,
    transactions: Transactions,
}

/// A command of the authority's whose answer teaches something.
#[derive(Debug)]
struct Asked {
    id: Box<str>,
    action: Box<str>,
    payload: Box<str>,
    fact: u64,
}

/// Actions of the charger's that tell how a job of the authority's stands.
const JOBS: [&str; 5] = [
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "PublishFirmwareStatusNotification",
    "SignedFirmwareStatusNotification",
];

/// Commands whose answers teach something.
const TEACHING: [&str; 15] = [
    "ChangeConfiguration",
    "ClearChargingProfile",
    "ClearVariableMonitoring",
    "DeleteCertificate",
    "GetBaseReport",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetInstalledCertificateIds",
    "GetMonitoringReport",
    "GetReport",
    "GetVariables",
    "InstallCertificate",
    "SetChargingProfile",
    "SetVariableMonitoring",
    "SetVariables",
];

/// Commands that set a variable without naming it: action, member, variable of `MonitoringCtrlr`.
const SETTERS: [(&str, &str, &str); 2] = [
    (
        "SetMonitoringBase",
        "monitoringBase",
        "ActiveMonitoringBase",
    ),
    ("SetMonitoringLevel", "severity", "ActiveMonitoringLevel"),
];

impl Model {
    /// Hears a message between charger and authority, recorded as fact `seq`. Returns what a later run must hear again, if
    /// that changed.
    pub fn hear(
        &mut self,
        version: Version,
        dir: Dir,
        (seq, at): (u64, Micros),
        message: &Envelope<'_>,
    ) -> Option<Lesson> {
        let part = match (dir, message.kind) {
            (Dir::FromCharger, MessageType::Call | MessageType::Send) => {
                self.charger_called(version, (seq, at), message)
            }
            (Dir::FromCharger, MessageType::CallResult) => {
                self.charger_answered(version, (seq, at), &message.id, Some(message.payload))
            }
            (Dir::FromCharger, MessageType::CallError) => {
                self.charger_answered(version, (seq, at), &message.id, None)
            }
            (Dir::ToCharger, MessageType::Call) => {
                self.authority_called((seq, at), message);
                None
            }
            (Dir::ToCharger, MessageType::CallResult) => {
                self.authority_answered((seq, at), message)
            }
            (Dir::ToCharger | Dir::FromCharger, _) => None,
        };
        let (part, differs) = part?;
        let due = self
            .learned
            .told
            .get(&part)
            .is_none_or(|told| at - told >= RETELL);
        if !differs && !due {
            return None;
        }
        self.learned.told.insert(part, at);
        Some(self.lesson(part, version))
    }

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

    fn charger_called(
        &mut self,
        version: Version,
        (seq, at): (u64, Micros),
        call: &Envelope<'_>,
    ) -> Option<(Part, bool)> {
        let payload = call.payload;
        let source = Source::learned(at, [seq, 0]);
        let learned = &mut self.learned;
        match call.action.as_ref() {
            "BootNotification" => {
                self.boot = Some(Said::new(at, payload));
                learned.booting = Some((call.id.as_ref().into(), seq));
                None
            }
            "StatusNotification" => {
                remember(&mut self.statuses, place(payload), || {
                    Said::new(at, payload)
                });
                None
            }
            "MeterValues" => {
                self.sampled(place(payload), at, payload);
                None
            }
            "StartTransaction" => {
                let connector = number(payload, "connectorId");
                learned.transactions.starting(&call.id, connector, source);
                None
            }
            "StopTransaction" => {
                let id = member_text(payload, &[Step::Key("transactionId")])?;
                let known = learned.transactions.stopped(id.trim_matches('"'));
                known.then_some((Part::Transactions, true))
            }
            "TransactionEvent" if version != Version::V16 => {
                let differs = learned.transactions.event(payload, source);
                differs.then_some((Part::Transactions, true))
            }
            "NotifyReport" => Some((Part::Device, learned.device.reported(payload, source)))
                .filter(|(_, differs)| *differs),
            "NotifyMonitoringReport" => {
                Some((Part::Monitors, learned.monitors.reported(payload, source)))
                    .filter(|(_, differs)| *differs)
            }
            action => {
                if let Some(job) = JOBS.into_iter().find(|job| *job == action) {
                    learned.jobs.insert(job, Said::new(at, payload));
                }
                None
            }
        }
    }

    fn authority_called(&mut self, (seq, at): (u64, Micros), call: &Envelope<'_>) {
        let action = call.action.as_ref();
        let source = Source::learned(at, [seq, 0]);
        match action {
            "GetBaseReport" | "GetReport" => {
                self.learned.device.asked(action, call.payload, source)
            }
            "GetMonitoringReport" => self.learned.monitors.asked(call.payload, source),
            _ => {}
        }
        let teaches = TEACHING.contains(&action) || SETTERS.iter().any(|setter| setter.0 == action);
        if teaches {
            if self.learned.asked.len() >= MOST_ASKED {
                self.learned.asked.pop_front();
            }
            self.learned.asked.push_back(Asked {
                id: call.id.as_ref().into(),
                action: action.into(),
                payload: call.payload.into(),
                fact: seq,
            });
        }
    }

    /// `answer` is the payload of a CALLRESULT; a CALLERROR has none.
    fn charger_answered(
        &mut self,
        version: Version,
        (seq, at): (u64, Micros),
        id: &str,
        answer: Option<&str>,
    ) -> Option<(Part, bool)> {
        let place = self
            .learned
            .asked
            .iter()
            .rposition(|asked| *asked.id == *id)?;
        let asked = self.learned.asked.remove(place)?;
        let (request, source) = (
            asked.payload.as_ref(),
            Source::learned(at, [asked.fact, seq]),
        );
        let answer = answer.unwrap_or_default();
        let learned = &mut self.learned;
        let told = |part, differs| Some((part, differs));
        match asked.action.as_ref() {
            "GetConfiguration" => told(
                Part::Configuration,
                learned.configuration.read(request, answer, source),
            ),
            "ChangeConfiguration" => told(
                Part::Configuration,
                learned.configuration.changed(request, answer, source),
            ),
            "GetBaseReport" | "GetReport" => {
                if status(answer) != Some("Accepted") {
                    learned.device.refused(request);
                }
                None
            }
            "GetVariables" => told(Part::Device, learned.device.read(answer, source)),
            "SetVariables" => told(Part::Device, learned.device.set(request, answer, source)),
            "GetMonitoringReport" => {
                let empty = learned.monitors.answered(request, status(answer), source);
                empty.then_some((Part::Monitors, true))
            }
            "SetVariableMonitoring" | "ClearVariableMonitoring" => {
                let known = !answer.is_empty() && learned.monitors.changed();
                known.then_some((Part::Monitors, true))
            }
            "GetInstalledCertificateIds" => told(
                Part::Certificates,
                learned.certificates.read(version, request, answer, source),
            ),
            "InstallCertificate" => told(
                Part::Certificates,
                learned.certificates.installed(request, answer, source),
            ),
            "DeleteCertificate" => told(
                Part::Certificates,
                learned.certificates.deleted(request, answer),
            ),
            "GetCompositeSchedule" => told(
                Part::Profiles,
                learned.profiles.scheduled(request, answer, source),
            ),
            "SetChargingProfile" => told(
                Part::Profiles,
                learned.profiles.set(version, request, answer, source),
            ),
            "ClearChargingProfile" => told(
                Part::Profiles,
                learned.profiles.cleared(version, request, answer),
            ),
            action => {
                let (_, member, variable) =
                    SETTERS.into_iter().find(|setter| setter.0 == action)?;
                let value = member_text(request, &[Step::Key(member)])?.trim_matches('"');
                let taken = status(answer) == Some("Accepted");
                (taken
                    && learned
                        .device
                        .set_to("MonitoringCtrlr", variable, value, source))
                .then_some((Part::Device, true))
            }
        }
    }

    fn authority_answered(
        &mut self,
        (seq, at): (u64, Micros),
        answer: &Envelope<'_>,
    ) -> Option<(Part, bool)> {
        if let Some((_, boot)) = self.learned.booting.take_if(|(id, _)| **id == *answer.id) {
            let before = self.heartbeat.map(|(interval, _)| interval);
            if status(answer.payload) == Some("Accepted") {
                let interval = member_text(answer.payload, &[Step::Key("interval")]);
                self.heartbeat = interval
                    .and_then(|interval| interval.parse().ok())
                    .filter(|interval| *interval > 0)
                    .map(|interval| (interval, Source::learned(at, [boot, seq])));
            }
            let now = self.heartbeat.map(|(interval, _)| interval);
            return Some((Part::Boot, now != before));
        }
        if self.learned.transactions.awaits(&answer.id) {
            let id = member_text(answer.payload, &[Step::Key("transactionId")])?;
            let started = self.learned.transactions.started(id.trim_matches('"'), seq);
            return started.then_some((Part::Transactions, true));
        }
        None
    }

    fn sampled(&mut self, place: Place, at: Micros, payload: &str) {
        if let Some(samples) = self.samples.get_mut(&place) {
            samples.take(at, payload);
        } else {
            remember(&mut self.samples, place, || {
                infer::Samples::new(at, payload)
            });
        }
    }

    fn lesson(&self, part: Part, version: Version) -> Lesson {
        let learned = &self.learned;
        let facts: Vec<u64> = match part {
            Part::Boot => self
                .heartbeat
                .iter()
                .flat_map(|(_, source)| source.facts)
                .collect(),
            Part::Configuration => learned.configuration.facts().collect(),
            Part::Device => learned.device.facts().collect(),
            Part::Monitors => learned.monitors.facts().collect(),
            Part::Certificates => learned.certificates.facts().collect(),
            Part::Profiles => learned.profiles.facts().collect(),
            Part::Transactions => learned.transactions.facts().collect(),
        };
        let mut facts: Vec<u64> = facts.into_iter().filter(|fact| *fact != 0).collect();
        facts.sort_unstable();
        facts.dedup();
        Lesson {
            part,
            version,
            facts,
        }
    }
}

/// What is known.
impl Model {
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
            Self::Transactions => "transactions",
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
