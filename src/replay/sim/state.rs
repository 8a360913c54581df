//! What a simulated charger knows: connectors, registers, sessions, settings. No I/O.

use std::collections::BTreeMap;

use serde_json::Value;

use super::charger::Spec;
use super::random::Random;
use super::{charger16, charger201};
use crate::ocpp::Version;

/// The state of one connector, in the words of OCPP 1.6; 2.0.1 knows fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// Free.
    Available,
    /// Cable in, not yet charging.
    Preparing,
    /// Energy flows.
    Charging,
    /// Stopped, cable still in.
    Finishing,
    /// Taken out of service.
    Unavailable,
}

/// One charging session as the charger sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The tag that started it.
    pub tag: String,
    /// The transaction id: assigned by the backend in 1.6, minted by the charger in 2.0.1.
    pub id: Value,
    /// The register at the start, Wh.
    pub meter_start: u64,
    /// When it started, as stamped in the first message.
    pub began: String,
    /// The `remoteStartId` of the command that asked for it, 2.0.1 only.
    pub remote_start_id: Option<Value>,
    /// How many 2.0.1 events were sent.
    pub events: u64,
}

/// One connector.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) occupancy: Occupancy,
    /// The energy register, Wh. It only grows.
    pub(super) register: u64,
    pub(super) session: Option<Session>,
}

/// A setting of the charger (a 1.6 configuration key).
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) readonly: bool,
}

/// What to do after a command was answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Then {
    /// Send this CALL.
    Call(&'static str, Value),
    /// Start a session that a backend asked for.
    Start {
        connector: u32,
        tag: String,
        remote_start_id: Option<Value>,
    },
    /// Stop the session on this connector.
    Stop { connector: u32 },
}

/// The answer to a command and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) body: Result<Value, &'static str>,
    pub(super) then: Vec<Then>,
}

impl Reply {
    pub(super) const fn result(body: Value) -> Self {
        Self {
            body: Ok(body),
            then: Vec::new(),
        }
    }

    pub(super) const fn error(code: &'static str) -> Self {
        Self {
            body: Err(code),
            then: Vec::new(),
        }
    }

    pub(super) fn then(mut self, then: Then) -> Self {
        self.then.push(then);
        self
    }
}

/// Everything a simulated charger remembers.
#[derive(Debug)]
pub(super) struct State {
    pub(super) spec: Spec,
    pub(super) random: Random,
    pub(super) connectors: Vec<Connector>,
    pub(super) settings: BTreeMap<String, Setting>,
}

/// The time between two samples, simulated seconds.
pub(super) const SAMPLE_SECONDS: u64 = 60;

impl State {
    pub(super) fn new(spec: Spec) -> Self {
        let mut random = Random::named(spec.seed, &spec.identity);
        let connectors = (0..spec.connectors)
            .map(|_| Connector {
                occupancy: Occupancy::Available,
                register: random.within(10_000..=4_000_000),
                session: None,
            })
            .collect();
        Self {
            settings: settings(&spec),
            connectors,
            random,
            spec,
        }
    }

    /// The connector with this OCPP number, from 1.
    pub(super) fn connector(&self, number: u32) -> Option<&Connector> {
        self.connectors.get(number.checked_sub(1)? as usize)
    }

    pub(super) fn connector_mut(&mut self, number: u32) -> Option<&mut Connector> {
        self.connectors.get_mut(number.checked_sub(1)? as usize)
    }

    pub(super) fn session(&self, number: u32) -> Option<&Session> {
        self.connector(number)?.session.as_ref()
    }

    /// The connector whose session has this transaction id.
    pub(super) fn connector_of(&self, id: &Value) -> Option<u32> {
        (1..=self.spec.connectors).find(|&number| {
            self.session(number)
                .is_some_and(|session| same_id(&session.id, id))
        })
    }

    /// A connector without a session: the asked one, or the first.
    pub(super) fn free_connector(&self, asked: Option<u32>) -> Option<u32> {
        let free = |number: &u32| {
            self.connector(*number).is_some_and(|connector| {
                connector.session.is_none() && connector.occupancy != Occupancy::Unavailable
            })
        };
        match asked {
            Some(number) => Some(number).filter(free),
            None => (1..=self.spec.connectors).find(free),
        }
    }

    /// Lets one sample interval of energy flow.
    pub(super) fn flow(&mut self, number: u32) {
        let full = u64::from(self.spec.power) * SAMPLE_SECONDS / 3600;
        let energy = self.random.within(full * 8 / 10..=full);
        if let Some(connector) = self.connector_mut(number) {
            connector.register += energy;
        }
    }

    /// Answers a command of the backend.
    pub(super) fn answer(&mut self, action: &str, payload: &Value) -> Reply {
        match self.spec.version {
            Version::V16 => charger16::answer(self, action, payload),
            Version::V201 | Version::V21 => charger201::answer(self, action, payload),
        }
    }
}

/// Whether two transaction ids are the same. Never by `Value` equality, which is textual for numbers.
fn same_id(one: &Value, two: &Value) -> bool {
    match (one.as_str(), two.as_str()) {
        (Some(one), Some(two)) => one == two,
        (None, None) => one.as_i64().is_some_and(|one| Some(one) == two.as_i64()),
        _ => false,
    }
}

/// A full key set, as a 1.6 charger has it. 2.0.1 chargers answer from their own table.
fn settings(spec: &Spec) -> BTreeMap<String, Setting> {
    let connectors = spec.connectors.to_string();
    let entries: [(&str, &str, bool); 22] = [
        ("AllowOfflineTxForUnknownId", "false", false),
        ("AuthorizationCacheEnabled", "true", false),
        ("AuthorizeRemoteTxRequests", "false", false),
        ("ClockAlignedDataInterval", "0", false),
        ("ConnectionTimeOut", "60", false),
        ("ConnectorPhaseRotation", "Unknown", false),
        ("GetConfigurationMaxKeys", "100", true),
        ("HeartbeatInterval", "300", false),
        ("LocalAuthorizeOffline", "true", false),
        ("LocalPreAuthorize", "false", false),
        ("MeterValueSampleInterval", "60", false),
        (
            "MeterValuesSampledData",
            "Energy.Active.Import.Register,Power.Active.Import",
            false,
        ),
        ("MinimumStatusDuration", "0", false),
        ("NumberOfConnectors", &connectors, true),
        ("ResetRetries", "1", false),
        ("StopTransactionOnEVSideDisconnect", "true", false),
        ("StopTransactionOnInvalidId", "true", false),
        ("StopTxnAlignedData", "", false),
        ("StopTxnSampledData", "", false),
        (
            "SupportedFeatureProfiles",
            "Core,FirmwareManagement,RemoteTrigger",
            true,
        ),
        ("UnlockConnectorOnEVSideDisconnect", "true", false),
        ("WebSocketPingInterval", "0", false),
    ];
    entries
        .into_iter()
        .map(|(key, value, readonly)| {
            let setting = Setting {
                value: value.to_owned(),
                readonly,
            };
            (key.to_owned(), setting)
        })
        .collect()
}
