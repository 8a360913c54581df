//! A simulated charger, driven step by step or left to its [routine](super::routine).
//!
//! Each step is exactly one CALL; it returns when the backend has answered. Commands of the backend are answered
//! whenever one arrives, also while a CALL is outstanding; what follows from them (a triggered message, a session that
//! was asked for) waits until [`SimCharger::next_command`] or the routine comes to it.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::journal::Journal;
use super::link::{Answer, Arrival, Incoming, Link, fresh_id};
use super::pace::Pace;
use super::routine::Stop;
pub use super::state::{Occupancy, Session};
use super::state::{State, Then};
use super::{charger16, charger201};
use crate::ocpp::Version;

/// Why a simulation step failed.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The URL cannot be dialled.
    #[error("dial {0}: not a ws:// address")]
    Address(String),
    /// The backend answered the handshake with this HTTP status.
    #[error("handshake refused with status {0}")]
    Refused(u16),
    /// The connection ended, with this close code if there was one.
    #[error("connection closed (code {0:?})")]
    Closed(Option<u16>),
    /// Nothing came in time.
    #[error("no answer to {0} in time")]
    Silent(String),
    /// The socket failed.
    #[error("socket: {0}")]
    Io(#[from] std::io::Error),
    /// The WebSocket protocol was broken.
    #[error("websocket: {0}")]
    WebSocket(String),
    /// The step needs a session or a connector that is not there.
    #[error("connector {0} has no such session")]
    NoSession(u32),
    /// The charger was told to stop.
    #[error("stopped")]
    Stopped,
}

impl SimError {
    /// Whether the connection is gone and a charger would dial again.
    pub const fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Closed(_) | Self::Io(_) | Self::WebSocket(_) | Self::Refused(_)
        )
    }
}

/// What a simulated charger is.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its identity: the last path segment of its URL, sent as it is.
    pub identity: String,
    /// The version it speaks. 2.1 is spoken as 2.0.1.
    pub version: Version,
    /// Vendor name.
    pub vendor: String,
    /// Model name.
    pub model: String,
    /// Firmware version.
    pub firmware: String,
    /// Serial number.
    pub serial: String,
    /// Number of connectors (1.6) or of EVSEs with one connector each (2.0.1).
    pub connectors: u32,
    /// Power while charging, W.
    pub power: u32,
    /// Password for HTTP Basic authentication, if any.
    pub password: Option<String>,
    /// Writes 1.6 meter values with a long tail of zeros behind the decimal point, as some chargers do.
    pub long_decimals: bool,
    /// Takes reservations (1.6), and lets everybody charge all the same.
    pub reserves: bool,
    /// How long it waits for an answer, real time.
    pub answer_timeout: Duration,
    /// Its clock.
    pub pace: Pace,
    /// Decides registers, energy and ids.
    pub seed: u64,
}

impl Spec {
    /// A plain charger with one connector, 11 kW, real time, seed 1.
    pub fn new(identity: &str, version: Version) -> Self {
        Self {
            identity: identity.to_owned(),
            version,
            vendor: "Tallow".to_owned(),
            model: "Kerb 11".to_owned(),
            firmware: "1.0.0".to_owned(),
            serial: format!("SN-{identity}"),
            connectors: 1,
            power: 11_000,
            password: None,
            long_decimals: false,
            reserves: false,
            answer_timeout: Duration::from_secs(10),
            pace: Pace::new(1),
            seed: 1,
        }
    }
}

/// A command of the backend and what the charger answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The action.
    pub action: String,
    /// The payload.
    pub payload: Value,
    /// The answer: a result, or an error code.
    pub answer: Result<Value, String>,
}

/// A connected simulated charger.
#[derive(Debug)]
pub struct SimCharger {
    url: String,
    link: Link,
    journal: Journal,
    pub(super) state: State,
    commands: VecDeque<Command>,
    pub(super) todo: VecDeque<Then>,
    /// Set by the routine: a lost connection is dialled again until this says stop.
    pub(super) persistent: Option<Stop>,
    /// How often it dialled again.
    pub(super) returns: u32,
}

/// How often a message about a transaction is sent before a charger gives up.
const ATTEMPTS: u32 = 3;
/// The longest pause before dialling again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl SimCharger {
    /// Dials `url` (without the identity) and completes the handshake. Nothing is sent yet.
    pub async fn connect(url: &str, spec: Spec) -> Result<Self, SimError> {
        let journal = Journal::default();
        let link = Link::open(url, &spec, journal.clone()).await?;
        Ok(Self {
            url: url.to_owned(),
            link,
            journal,
            state: State::new(spec),
            commands: VecDeque::new(),
            todo: VecDeque::new(),
            persistent: None,
            returns: 0,
        })
    }

    /// Drops the connection without a close frame and dials again. Sessions and registers stay.
    pub async fn reconnect(&mut self) -> Result<(), SimError> {
        self.link.hang_up().await;
        self.link = Link::open(&self.url, &self.state.spec, self.journal.clone()).await?;
        self.returns += 1;
        Ok(())
    }

    /// Dials `url` from now on, beginning with the next [`SimCharger::reconnect`].
    pub fn redirect(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }

    /// What was sent and received so far. The journal outlives the charger.
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// What this charger is.
    pub const fn spec(&self) -> &Spec {
        &self.state.spec
    }

    /// The session on a connector, if one is open.
    pub fn session(&self, connector: u32) -> Option<&Session> {
        self.state.session(connector)
    }

    /// The energy register of a connector, Wh; 0 for a connector that is not there.
    pub fn register(&self, connector: u32) -> u64 {
        self.state
            .connector(connector)
            .map_or(0, |found| found.register)
    }

    fn is_16(&self) -> bool {
        self.state.spec.version == Version::V16
    }

    /// BootNotification.
    pub async fn boot(&mut self) -> Result<Answer, SimError> {
        let payload = if self.is_16() {
            charger16::boot(&self.state)
        } else {
            charger201::boot(&self.state)
        };
        self.call("BootNotification", payload).await
    }

    /// Heartbeat.
    pub async fn heartbeat(&mut self) -> Result<Answer, SimError> {
        self.call("Heartbeat", json!({})).await
    }

    /// `StatusNotification` with a new state. Connector 0 is the whole 1.6 charger and is always available.
    pub async fn status(
        &mut self,
        connector: u32,
        occupancy: Occupancy,
    ) -> Result<Answer, SimError> {
        if let Some(found) = self.state.connector_mut(connector) {
            found.occupancy = occupancy;
        }
        let payload = if self.is_16() {
            charger16::status(&self.state, connector)
        } else {
            charger201::status(&self.state, connector)
        };
        self.call("StatusNotification", payload).await
    }

    /// Authorize.
    pub async fn authorize(&mut self, tag: &str) -> Result<Answer, SimError> {
        let payload = if self.is_16() {
            charger16::authorize(tag)
        } else {
            charger201::authorize(tag)
        };
        self.call("Authorize", payload).await
    }

    /// `DataTransfer`.
    pub async fn data_transfer(
        &mut self,
        vendor: &str,
        message: &str,
        data: &str,
    ) -> Result<Answer, SimError> {
        let payload = json!({ "vendorId": vendor, "messageId": message, "data": data });
        self.call("DataTransfer", payload).await
    }

    /// `StartTransaction`, or `TransactionEvent` Started. The session is open afterwards, also when the tag was refused: it
    /// is for the caller to stop it then, as a charger does.
    pub async fn start(&mut self, connector: u32, tag: &str) -> Result<Answer, SimError> {
        self.start_asked(connector, tag, None).await
    }

    pub(super) async fn start_asked(
        &mut self,
        connector: u32,
        tag: &str,
        remote_start_id: Option<Value>,
    ) -> Result<Answer, SimError> {
        let register = self.register(connector);
        let mut session = Session {
            tag: tag.to_owned(),
            id: Value::Null,
            meter_start: register,
            began: self.state.spec.pace.stamp(),
            remote_start_id,
            events: 0,
        };
        if self.is_16() {
            let payload = charger16::start(connector, tag, register, &session.began);
            let answer = self.call("StartTransaction", payload).await?;
            session.id = answer.at("/transactionId").clone();
            if !session.id.is_null() {
                self.open(connector, session)?;
            }
            return Ok(answer);
        }
        session.id = self.state.random.uuid().into();
        let payload = charger201::started(&session, connector);
        session.events = 1;
        self.open(connector, session)?;
        self.call("TransactionEvent", payload).await
    }

    fn open(&mut self, connector: u32, session: Session) -> Result<(), SimError> {
        let found = self
            .state
            .connector_mut(connector)
            .ok_or(SimError::NoSession(connector))?;
        found.session = Some(session);
        Ok(())
    }

    /// One sample interval of energy, then `MeterValues`, or `TransactionEvent` Updated.
    pub async fn meter(&mut self, connector: u32) -> Result<Answer, SimError> {
        self.state.flow(connector);
        if self.is_16() {
            let payload = charger16::meter(&self.state, connector);
            return self.call("MeterValues", payload).await;
        }
        let payload =
            charger201::updated(&self.state, connector).ok_or(SimError::NoSession(connector))?;
        self.count_event(connector);
        self.call("TransactionEvent", payload).await
    }

    /// `StopTransaction`, or `TransactionEvent` Ended. `reason` is `Local`, `Remote`, `DeAuthorized`, ...; the session is
    /// closed when the answer is there.
    pub async fn stop(&mut self, connector: u32, reason: &str) -> Result<Answer, SimError> {
        let none = SimError::NoSession(connector);
        let (action, payload) = if self.is_16() {
            let payload = charger16::stop(&self.state, connector, reason).ok_or(none)?;
            ("StopTransaction", payload)
        } else {
            let payload = charger201::ended(&self.state, connector, reason).ok_or(none)?;
            self.count_event(connector);
            ("TransactionEvent", payload)
        };
        let answer = self.call(action, payload).await?;
        if let Some(found) = self.state.connector_mut(connector) {
            found.session = None;
        }
        Ok(answer)
    }

    fn count_event(&mut self, connector: u32) {
        let session = self
            .state
            .connector_mut(connector)
            .and_then(|found| found.session.as_mut());
        if let Some(session) = session {
            session.events += 1;
        }
    }

    /// Any CALL, with a fresh id. Answers to other ids are dropped, as chargers do.
    pub async fn call(&mut self, action: &str, payload: Value) -> Result<Answer, SimError> {
        let id = fresh_id(&mut self.state.random);
        let mut attempt = 1;
        loop {
            match self.attempt(&id, action, &payload).await {
                Err(SimError::Silent(_))
                    if self.persistent.is_some()
                        && is_about_transaction(action)
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) if error.is_lost() && self.persistent.is_some() => {
                    self.return_to_backend().await?;
                }
                done => return done,
            }
        }
    }

    async fn attempt(
        &mut self,
        id: &str,
        action: &str,
        payload: &Value,
    ) -> Result<Answer, SimError> {
        self.link.send_call(id, action, payload).await?;
        let deadline = Instant::now() + self.state.spec.answer_timeout;
        while let Some(arrival) = self.link.receive_before(deadline).await? {
            match arrival {
                Arrival::Answer {
                    id: answered,
                    answer,
                } if answered == id => return Ok(answer),
                Arrival::Answer { .. } => {}
                Arrival::Call(incoming) => self.respond(incoming).await?,
            }
        }
        Err(SimError::Silent(action.to_owned()))
    }

    /// Sends a text as it is, waits for nothing. For tests that need odd frames.
    pub async fn send_raw(&mut self, text: &str) -> Result<(), SimError> {
        self.link.send(text.to_owned()).await
    }

    /// Waits for a command of the backend, answers it and does what follows from it. Returns at once when one was
    /// answered before.
    pub async fn next_command(&mut self, within: Duration) -> Result<Command, SimError> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(command) = self.commands.pop_front() {
                self.settle().await?;
                return Ok(command);
            }
            if !self.serve_one(deadline).await? {
                return Err(SimError::Silent("a command".to_owned()));
            }
        }
    }

    /// Handles one arrival before `deadline`; false when there was none.
    pub(super) async fn serve_one(&mut self, deadline: Instant) -> Result<bool, SimError> {
        match self.link.receive_before(deadline).await? {
            None => Ok(false),
            Some(Arrival::Call(incoming)) => {
                self.respond(incoming).await?;
                Ok(true)
            }
            Some(Arrival::Answer { .. }) => Ok(true),
        }
    }

    /// Does what answered commands asked for.
    async fn settle(&mut self) -> Result<(), SimError> {
        while let Some(then) = self.todo.pop_front() {
            match then {
                Then::Call(action, payload) => {
                    self.call(action, payload).await?;
                }
                Then::Start {
                    connector,
                    tag,
                    remote_start_id,
                } => {
                    self.start_asked(connector, &tag, remote_start_id).await?;
                }
                Then::Stop { connector } => {
                    self.stop(connector, "Remote").await?;
                }
            }
        }
        Ok(())
    }

    async fn respond(&mut self, incoming: Incoming) -> Result<(), SimError> {
        let reply = self.state.answer(&incoming.action, &incoming.payload);
        let text = match &reply.body {
            Ok(body) => json!([3, incoming.id, body]),
            Err(code) => json!([4, incoming.id, code, "", {}]),
        };
        self.link.send(text.to_string()).await?;
        self.todo.extend(reply.then);
        self.commands.push_back(Command {
            action: incoming.action,
            payload: incoming.payload,
            answer: reply.body.map_err(str::to_owned),
        });
        Ok(())
    }

    /// Forgets answered commands that nobody asked for.
    pub(super) fn forget_commands(&mut self) {
        self.commands.clear();
    }

    /// Dials again, with growing pauses, until it works or the charger is told to stop.
    pub(super) async fn return_to_backend(&mut self) -> Result<(), SimError> {
        let mut pause = Duration::from_millis(self.state.random.within(50..=150));
        loop {
            let mut stop = self.persistent.clone().ok_or(SimError::Stopped)?;
            if stop.sleep(pause).await {
                return Err(SimError::Stopped);
            }
            match self.reconnect().await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_lost() => pause = (pause * 2).min(LONGEST_PAUSE),
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the connection with a close code, 1000 for a normal end.
    pub async fn close(self, code: u16) -> Result<(), SimError> {
        self.link.close(code).await
    }
}

fn is_about_transaction(action: &str) -> bool {
    matches!(
        action,
        "StartTransaction" | "StopTransaction" | "MeterValues" | "TransactionEvent"
    )
}
