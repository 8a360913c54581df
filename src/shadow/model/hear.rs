//! How a model hears its charger's line: which message teaches which part.

use super::evidence::Source;
use super::transactions::Transactions;
use super::{
    Asked, Booting, Lesson, MOST_CONNECTORS, Model, Part, Place, Said, infer, number, place,
    remember, status,
};
use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::json::Step;
use crate::ocpp::{Class, Envelope, MessageType, Version, identifiers};
use crate::shadow::translate::member_text;

/// How many commands of the authority's wait for the charger's answer.
pub(super) const MOST_ASKED: usize = 8;

/// How long a lesson that teaches nothing new may be left untold, µs: the age of what is known survives a restart too, and
/// old facts may be gone one day.
const RETELL: Micros = 24 * 3600 * 1_000_000;

/// Actions of the charger's that tell how a job of the authority's stands.
const JOBS: [&str; 5] = [
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "PublishFirmwareStatusNotification",
    "SignedFirmwareStatusNotification",
];

/// Commands whose answers teach something.
const TEACHING: [&str; 28] = [
    "CancelReservation",
    "ChangeConfiguration",
    "ClearChargingProfile",
    "ClearVariableMonitoring",
    "CustomerInformation",
    "DeleteCertificate",
    "GetBaseReport",
    "GetChargingProfiles",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDERControl",
    "GetDisplayMessages",
    "GetInstalledCertificateIds",
    "GetLog",
    "GetMonitoringReport",
    "GetReport",
    "GetVariables",
    "InstallCertificate",
    "PublishFirmware",
    "RequestBatterySwap",
    "RequestStartTransaction",
    "ReserveNow",
    "SetChargingProfile",
    "SetVariableMonitoring",
    "SetVariables",
    "SignedUpdateFirmware",
    "UnlockConnector",
    "UpdateFirmware",
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

/// A message as it was heard.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// The connection, on which its message id means something.
    pub conn: u64,
    /// Its fact.
    pub seq: u64,
    /// When.
    pub at: Micros,
}

impl Model {
    /// Hears a message between charger and authority. Returns what a later run must hear again, if
    /// that changed.
    pub fn hear(
        &mut self,
        version: Version,
        dir: Dir,
        heard: Heard,
        message: &Envelope<'_>,
    ) -> Option<Lesson> {
        let at = heard.at;
        let part = match (dir, message.kind) {
            (Dir::FromCharger, MessageType::Call | MessageType::Send) => {
                self.charger_called(version, heard, message)
            }
            (Dir::FromCharger, MessageType::CallResult) => {
                self.charger_answered(version, heard, &message.id, Some(message.payload))
            }
            (Dir::FromCharger, MessageType::CallError) => {
                self.charger_answered(version, heard, &message.id, None)
            }
            (Dir::ToCharger, MessageType::Call) => {
                self.authority_called(heard, message);
                None
            }
            (Dir::ToCharger, MessageType::CallResult) => self.authority_answered(heard, message),
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

    fn charger_called(
        &mut self,
        version: Version,
        Heard { conn, seq, at }: Heard,
        call: &Envelope<'_>,
    ) -> Option<(Part, bool)> {
        let payload = call.payload;
        let source = Source::learned(at, [seq, 0]);
        let learned = &mut self.learned;
        let went_on = version == Version::V16 && learned.transactions.went_on(conn);
        let ended = went_on.then_some((Part::Transactions, true));
        let over = learned.arranged.said(version, call, at);
        let over = over.then_some((Part::Arranged, true));
        let told = match call.action.as_ref() {
            "BootNotification" => {
                self.boot = Some(Said::new(at, payload));
                learned.booting = Some(Box::new(Booting {
                    conn,
                    id: call.id.as_ref().into(),
                    fact: seq,
                }));
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
                self.unseen_start(version, payload, source)
            }
            "StartTransaction" => {
                let connector = number(payload, "connectorId");
                learned
                    .transactions
                    .starting((conn, &call.id), connector, source);
                None
            }
            "StopTransaction" => {
                let named = transaction(payload, &learned.transactions);
                let news = named.is_some_and(|id| {
                    learned
                        .transactions
                        .stopping((conn, &call.id), id, source.facts[0])
                });
                news.then_some((Part::Transactions, true))
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
        };
        told.or(ended).or(over)
    }

    /// A 1.6 sample may name a transaction that began before anybody looked, or while nobody did.
    fn unseen_start(
        &mut self,
        version: Version,
        payload: &str,
        source: Source,
    ) -> Option<(Part, bool)> {
        let known = &self.learned.transactions;
        let id = transaction(payload, known).filter(|_| version == Version::V16)?;
        let connector = number(payload, "connectorId");
        let news = self.learned.transactions.named(id, connector, source);
        news.then_some((Part::Transactions, true))
    }

    fn authority_called(&mut self, Heard { conn, seq, at }: Heard, call: &Envelope<'_>) {
        let action = call.action.as_ref();
        let source = Source::learned(at, [seq, 0]);
        match action {
            "GetBaseReport" | "GetReport" => {
                self.learned.device.asked(action, call.payload, source);
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
                conn,
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
        Heard { conn, seq, at }: Heard,
        id: &str,
        answer: Option<&str>,
    ) -> Option<(Part, bool)> {
        let place = self
            .learned
            .asked
            .iter()
            .rposition(|asked| asked.conn == conn && *asked.id == *id)?;
        let asked = self.learned.asked.remove(place)?;
        let (request, source) = (
            asked.payload.as_ref(),
            Source::learned(at, [asked.fact, seq]),
        );
        let answer = answer.unwrap_or_default();
        let learned = &mut self.learned;
        let news = learned
            .arranged
            .answered(version, &asked.action, (request, answer), source);
        let arranged = news.then_some((Part::Arranged, true));
        let told = |part, differs| Some((part, differs));
        let taught = match asked.action.as_ref() {
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
            "UnlockConnector" => {
                let lockless = version == Version::V16 && status(answer) == Some("NotSupported");
                let room = learned.lockless.len() < MOST_CONNECTORS;
                (lockless && room).then(|| {
                    let connector = number(request, "connectorId");
                    let before = learned.lockless.insert(connector, source);
                    (Part::Locks, before.is_none())
                })
            }
            action => {
                let setter = SETTERS.into_iter().find(|setter| setter.0 == action);
                setter.and_then(|(_, member, variable)| {
                    let value = member_text(request, &[Step::Key(member)])?.trim_matches('"');
                    let taken = status(answer) == Some("Accepted");
                    let device = &mut learned.device;
                    (taken && device.set_to("MonitoringCtrlr", variable, value, source))
                        .then_some((Part::Device, true))
                })
            }
        };
        taught.or(arranged)
    }

    fn authority_answered(
        &mut self,
        Heard { conn, seq, at }: Heard,
        answer: &Envelope<'_>,
    ) -> Option<(Part, bool)> {
        let booting = &mut self.learned.booting;
        if let Some(booting) = booting.take_if(|booting| booting.is(conn, &answer.id)) {
            let boot = booting.fact;
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
        self.learned.transactions.answered(conn, &answer.id);
        if self.learned.transactions.awaits(conn, &answer.id) {
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
            Part::Locks => learned
                .lockless
                .values()
                .flat_map(|source| source.facts)
                .collect(),
            Part::Transactions => learned.transactions.facts().collect(),
            Part::Arranged => learned.arranged.facts().collect(),
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

/// The transaction that a 1.6 message names, if it is one: a sentinel is one only if it was really assigned.
fn transaction<'a>(payload: &'a str, known: &Transactions) -> Option<&'a str> {
    let literal = member_text(payload, &[Step::Key("transactionId")])?;
    let id = literal.trim_matches('"');
    let is_sentinel = identifiers::is_sentinel(Class::TransactionId, id);
    (id != "null" && (!is_sentinel || known.knows(id))).then_some(id)
}
