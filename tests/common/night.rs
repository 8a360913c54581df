//! The same night twice: two chargers play a fixed script, and whatever the candidate or the shadow plane does meanwhile,
//! both ends of the live path must see the same.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part; a failed step of a test should end it"
)]

use std::collections::BTreeMap;
use std::ops::Deref;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evenkeel::facts::Kind;
use evenkeel::ledger::row::Outcome;
use evenkeel::ocpp::Version;
use evenkeel::replay::sim::{Answer, Dialect, Journal, SimBackend, SimCharger, Spec, Way};
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use crate::tap::{PATIENCE, Recording};

/// The 1.6 charger.
pub const OLD: &str = "kerb-16";
/// The 2.0.1 charger.
pub const NEW: &str = "lobby-201";
/// Samples before, during and after a fault.
pub const SAMPLES: [u32; 3] = [30, 120, 30];

/// Time between two samples.
const PAUSE: Duration = Duration::from_millis(5);
/// Bytes of the vendor data that goes with each sample.
const FILLER: usize = 4096;

/// What runs the chargers: one thread, only while they have something to do.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A simulated backend on a thread of its own: however busy it is, the chargers are not slowed down by it.
pub struct Backend {
    sim: SimBackend,
    handle: Handle,
    _stop: oneshot::Sender<()>,
    _thread: JoinHandle<()>,
}

impl Backend {
    /// Starts one.
    pub fn start(dialect: Dialect) -> Self {
        let (started, starting) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let sim = SimBackend::start(dialect).await.unwrap();
                started.send((sim, Handle::current())).unwrap();
                // Ends when the sender goes.
                drop(stopped.await);
            });
        });
        let (sim, handle) = starting.recv_timeout(PATIENCE).unwrap();
        Self {
            sim,
            handle,
            _stop: stop,
            _thread: thread,
        }
    }

    /// Sends a command and waits for its answer.
    pub fn order(&self, charger: &str, action: &str, payload: Value) -> Answer {
        let answered = self.sim.command(charger, action, payload);
        self.handle.block_on(answered).unwrap()
    }

    /// Closes the port and every connection.
    pub fn kill(&mut self) {
        self.handle.block_on(self.sim.go_down());
    }

    /// Listens on the same port again.
    pub fn revive(&mut self) {
        self.handle.block_on(self.sim.come_up()).unwrap();
    }
}

impl Deref for Backend {
    type Target = SimBackend;
    fn deref(&self) -> &SimBackend {
        &self.sim
    }
}

/// The legacy backend of every night: it numbers transactions from 4711.
pub fn legacy() -> Backend {
    Backend::start(Dialect {
        mint: evenkeel::replay::sim::dialect::Mint::Up(4711),
        vendors: vec!["Tallow".to_owned()],
        seed: 7,
        ..Dialect::default()
    })
}

/// A candidate that answers as the legacy does but numbers transactions from 1.
pub fn candidate() -> Backend {
    candidate_asking(None)
}

/// The same, which lets in who gives this password.
pub fn candidate_asking(password: Option<&str>) -> Backend {
    Backend::start(Dialect {
        vendors: vec!["Tallow".to_owned()],
        seed: 8,
        password: password.map(str::to_owned),
        ..Dialect::default()
    })
}

/// Two chargers at work: each has one session from [`Shift::begin`] to [`Shift::end`].
pub struct Shift {
    old: SimCharger,
    new: SimCharger,
    transaction: Value,
    samples: u32,
    waits: Vec<Duration>,
}

impl Shift {
    /// Connects both chargers to `url`, boots them and starts their sessions.
    pub async fn begin(url: &str) -> Self {
        Self::begin_with(url, None).await
    }

    /// The same, with chargers that log in with this password.
    pub async fn begin_with(url: &str, password: Option<&str>) -> Self {
        let connect = |identity, version| {
            SimCharger::connect(
                url,
                Spec {
                    seed: 7,
                    password: password.map(str::to_owned),
                    ..Spec::new(identity, version)
                },
            )
        };
        let mut shift = Self {
            old: connect(OLD, Version::V16).await.unwrap(),
            new: connect(NEW, Version::V201).await.unwrap(),
            transaction: Value::Null,
            samples: 0,
            waits: Vec::new(),
        };
        shift.start().await;
        shift
    }

    async fn start(&mut self) {
        let model = json!({ "chargePointVendor": "Tallow", "chargePointModel": "Kerb 11" });
        self.say_old("BootNotification", model).await;
        let station = json!({ "vendorName": "Tallow", "model": "Lobby 22" });
        let boot = json!({ "reason": "PowerUp", "chargingStation": station });
        self.say_new("BootNotification", boot).await;
        self.status("Available", "Available").await;
        self.say_old("Authorize", json!({ "idTag": "TAG-1" })).await;
        self.status("Preparing", "Occupied").await;
        let start = json!({
            "connectorId": 1, "idTag": "TAG-1", "meterStart": 1000, "timestamp": stamp(0),
        });
        let started = self.say_old("StartTransaction", start).await;
        self.transaction = started.at("/transactionId").clone();
        let token = json!({ "idToken": "TAG-1", "type": "ISO14443" });
        let mut started = event("Started", "Authorized", 0);
        started["idToken"] = token;
        started["evse"] = json!({ "id": 1, "connectorId": 1 });
        self.say_new("TransactionEvent", started).await;
    }

    async fn status(&mut self, old: &str, new: &str) {
        let status = json!({
            "connectorId": 1, "errorCode": "NoError", "status": old, "timestamp": stamp(0),
        });
        self.say_old("StatusNotification", status).await;
        let status = json!({
            "evseId": 1, "connectorId": 1, "connectorStatus": new, "timestamp": stamp(0),
        });
        self.say_new("StatusNotification", status).await;
    }

    /// So many samples of both sessions, with some vendor data, one every few milliseconds.
    pub async fn charge(&mut self, samples: u32) {
        for _ in 0..samples {
            self.samples += 1;
            let number = self.samples;
            let sample = json!({
                "timestamp": stamp(number),
                "sampledValue": [{ "value": (1000 + number).to_string(), "unit": "Wh" }],
            });
            let meter = json!({
                "connectorId": 1, "transactionId": self.transaction, "meterValue": [sample],
            });
            self.say_old("MeterValues", meter).await;
            self.say_new(
                "TransactionEvent",
                event("Updated", "MeterValuePeriodic", number),
            )
            .await;
            let data = json!({ "vendorId": "Tallow", "data": "x".repeat(FILLER) });
            self.say_old("DataTransfer", data.clone()).await;
            self.say_new("DataTransfer", data).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The legacy asks both chargers something.
    pub async fn ask(&mut self, legacy: &SimBackend) {
        self.obey(legacy, OLD, "GetConfiguration", json!({})).await;
        self.obey(legacy, NEW, "ClearCache", json!({})).await;
    }

    /// A backend that the chargers hear commands one of them.
    pub async fn obey(&mut self, backend: &SimBackend, name: &str, action: &str, payload: Value) {
        let charger = if name == OLD {
            &mut self.old
        } else {
            &mut self.new
        };
        let (asked, heard) = tokio::join!(
            backend.command(name, action, payload),
            charger.next_command(PATIENCE),
        );
        asked.unwrap();
        heard.unwrap();
    }

    /// The journal of the 1.6 charger.
    pub fn old_journal(&self) -> Journal {
        self.old.journal()
    }

    /// The journal of the 2.0.1 charger.
    pub fn new_journal(&self) -> Journal {
        self.new.journal()
    }

    /// Ends both sessions and both connections.
    pub async fn end(mut self, legacy: &SimBackend) -> Night {
        let stop = json!({
            "transactionId": self.transaction, "idTag": "TAG-1", "meterStop": 1000 + self.samples,
            "timestamp": stamp(self.samples), "reason": "Local",
        });
        self.say_old("StopTransaction", stop).await;
        let mut ended = event("Ended", "StopAuthorized", self.samples + 1);
        ended["transactionInfo"]["stoppedReason"] = json!("Local");
        self.say_new("TransactionEvent", ended).await;
        self.status("Available", "Available").await;
        let journals = [(OLD, self.old.journal()), (NEW, self.new.journal())];
        self.old.close(1000).await.unwrap();
        self.new.close(1000).await.unwrap();
        let log = legacy.log();
        let gone = log.until(PATIENCE, |log| log.connected().is_empty());
        assert!(gone.await, "the legacy saw both chargers leave");
        Night {
            chargers: journals
                .map(|(name, journal)| (name, texts(&journal)))
                .into(),
            legacy: [OLD, NEW].map(|name| (name, heard_by(legacy, name))).into(),
            handshakes: legacy.log().handshakes(),
            waits: self.waits,
        }
    }

    async fn say_old(&mut self, action: &str, payload: Value) -> Answer {
        let since = Instant::now();
        let answer = self.old.call(action, payload).await.unwrap();
        self.waits.push(since.elapsed());
        answer
    }

    async fn say_new(&mut self, action: &str, payload: Value) -> Answer {
        let since = Instant::now();
        let answer = self.new.call(action, payload).await.unwrap();
        self.waits.push(since.elapsed());
        answer
    }
}

fn stamp(number: u32) -> String {
    format!(
        "2026-03-01T22:{:02}:{:02}.000Z",
        number / 60 % 60,
        number % 60
    )
}

fn event(kind: &str, trigger: &str, number: u32) -> Value {
    json!({
        "eventType": kind, "timestamp": stamp(number), "triggerReason": trigger, "seqNo": number,
        "transactionInfo": { "transactionId": "5c1f0a6e-night" },
        "meterValue": [{
            "timestamp": stamp(number),
            "sampledValue": [{ "value": 1000 + number }],
        }],
    })
}

fn texts(journal: &Journal) -> Vec<(Way, String)> {
    let lines = journal.lines().into_iter();
    lines.map(|line| (line.way, timeless(&line.text))).collect()
}

fn heard_by(backend: &SimBackend, charger: &str) -> Vec<(Way, String)> {
    let entries = backend.log().entries().into_iter();
    entries
        .filter(|entry| entry.charger == charger)
        .map(|entry| (entry.way, timeless(&entry.text)))
        .collect()
}

/// The text without the one thing that a backend takes from its clock: `currentTime` in its answer to a boot.
fn timeless(text: &str) -> String {
    let mark = "\"currentTime\":\"";
    match text.split_once(mark) {
        Some((before, rest)) => {
            let (_, after) = rest.split_once('"').unwrap();
            format!("{before}{mark}\"{after}")
        }
        None => text.to_owned(),
    }
}

type Texts = BTreeMap<&'static str, Vec<(Way, String)>>;

/// What both ends of the live path saw.
#[derive(Debug, Clone)]
pub struct Night {
    chargers: Texts,
    legacy: Texts,
    handshakes: usize,
    waits: Vec<Duration>,
}

impl Night {
    /// The script without any tap between the chargers and the legacy.
    pub fn direct() -> Self {
        let legacy = legacy();
        runtime().block_on(async {
            let mut shift = Shift::begin(&legacy.url()).await;
            shift.charge(SAMPLES[0]).await;
            shift.charge(SAMPLES[1]).await;
            shift.ask(&legacy).await;
            shift.charge(SAMPLES[2]).await;
            shift.end(&legacy).await
        })
    }

    /// Messages that both chargers sent and received.
    pub fn messages(&self) -> usize {
        self.chargers.values().map(Vec::len).sum()
    }

    /// What the chargers waited for their answers, at worst but for one in a hundred.
    pub fn p99(&self) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort();
        waits[waits.len() * 99 / 100]
    }

    /// What the chargers waited for half of their answers at most.
    pub fn median(&self) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort();
        waits[waits.len() / 2]
    }

    /// Whether everybody on the live path saw what they saw in the other night.
    pub fn assert_like(&self, twin: &Self) {
        for (mine, theirs) in [
            (&self.chargers, &twin.chargers),
            (&self.legacy, &twin.legacy),
        ] {
            for (charger, texts) in mine {
                let other = &theirs[charger];
                let first = texts.iter().zip(other).position(|(one, two)| one != two);
                if let Some(at) = first {
                    panic!(
                        "{charger}, message {at}: {:?} was {:?}",
                        texts[at], other[at]
                    );
                }
                assert_eq!(texts.len(), other.len(), "{charger}");
            }
        }
        assert_eq!(self.handshakes, twin.handshakes);
    }

    /// Whether what a charger received is what the legacy sent it, and the other way round.
    pub fn assert_contained(&self) {
        for (charger, texts) in &self.chargers {
            for (way, opposite) in [(Way::Sent, Way::Received), (Way::Received, Way::Sent)] {
                let of = |texts: &[(Way, String)], way| {
                    let matching = texts.iter().filter(|(one, _)| *one == way);
                    matching.map(|(_, text)| text.clone()).collect::<Vec<_>>()
                };
                assert_eq!(
                    of(texts, way),
                    of(&self.legacy[charger], opposite),
                    "{charger}"
                );
            }
        }
    }
}

/// Nothing that touches a gap is comparable: the rest of a session behind a gap is not, nor is an exchange across one.
/// And nothing is called equal of which any of the four texts is missing.
pub fn assert_gaps_are_not_compared(recording: &Recording) {
    let gaps = recording.of_kind(Kind::Gap);
    for exchange in recording.exchanges() {
        if exchange.outcome == Outcome::NotComparable {
            continue;
        }
        let texts = [exchange.id, exchange.answer, exchange.sent, exchange.shadow];
        let whole = !texts.contains(&0) || exchange.outcome == Outcome::Divergent;
        assert!(whole, "{exchange:#?}");
        let in_session = matches!(
            exchange.action.as_str(),
            "MeterValues" | "StopTransaction" | "TransactionEvent"
        );
        let touched = gaps.iter().find(|gap| {
            gap.conn == exchange.conn
                && gap.seq < exchange.answer
                && (in_session || gap.seq > exchange.id)
        });
        assert_eq!(touched, None, "{exchange:#?}");
    }
}
