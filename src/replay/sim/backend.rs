//! A simulated backend: a WebSocket server that speaks one [`Dialect`] and keeps books.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::answers::Books;
use super::dialect::Dialect;
use super::journal::Way;
use super::link::Answer;
use crate::clock::Micros;
use conversation::Order;

mod conversation;

/// How a backend misbehaves. Takes effect at once, also on open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Not at all.
    #[default]
    None,
    /// Answers handshakes with this HTTP status, 401 or 404.
    RefuseHttp(u16),
    /// Reads, never answers.
    Silent,
    /// Answers this much later, real time.
    Slow(Duration),
    /// Keeps connections open and never reads.
    Stall,
    /// Sends CALLs as fast as the socket takes them.
    Flood,
    /// Answers with text that is not OCPP-J.
    Garbage,
    /// Answers with a payload of this many bytes.
    Huge(usize),
    /// Closes the connection (1011) instead of answering this CALL, counted from 1 per connection.
    CloseAt(usize),
}

/// One charging transaction on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The charger.
    pub charger: String,
    /// The transaction id as JSON text: `17` in 1.6, `"..."` in 2.0.1.
    pub id: String,
    /// The connector (1.6) or EVSE (2.0.1).
    pub connector: i64,
    /// The tag that started it, as received.
    pub tag: String,
    /// The register at the start, Wh.
    pub meter_start: Option<i64>,
    /// The register at the end, Wh; none while it is open.
    pub meter_stop: Option<i64>,
    /// How many meter messages named it.
    pub samples: usize,
    /// The reason it stopped.
    pub reason: String,
    /// When it began, as the charger stamped it.
    pub began: String,
    /// When it ended, as the charger stamped it; none while it is open.
    pub ended: Option<String>,
    /// When the backend heard of it last, µs, by its own clock.
    pub updated: Micros,
}

/// A message about a transaction that is not on record: an identifier that belongs to someone else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The charger.
    pub charger: String,
    /// The action.
    pub action: String,
    /// The id as JSON text.
    pub id: String,
}

/// One message in a backend's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The charger.
    pub charger: String,
    /// Which way, seen from the backend.
    pub way: Way,
    /// The text exactly as it was on the wire.
    pub text: String,
}

/// A command that a backend sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The charger.
    pub charger: String,
    /// The action.
    pub action: String,
    /// The answer, once there is one.
    pub answer: Option<Answer>,
}

#[derive(Debug)]
struct Record {
    entries: Vec<Entry>,
    commands: Vec<Sent>,
    books: Books,
    /// Open connections by charger; a charger that connects twice is reached on the newer one.
    open: HashMap<String, mpsc::Sender<Order>>,
    handshakes: usize,
}

/// What a backend has seen and done. Clones share the same log.
#[derive(Debug, Clone)]
pub struct Log {
    record: Arc<Mutex<Record>>,
    changed: watch::Sender<u64>,
}

impl Log {
    fn new(seed: u64) -> Self {
        let record = Record {
            entries: Vec::new(),
            commands: Vec::new(),
            books: Books::new(seed),
            open: HashMap::new(),
            handshakes: 0,
        };
        Self {
            record: Arc::new(Mutex::new(record)),
            changed: watch::channel(0).0,
        }
    }

    fn read(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let done = change(&mut self.read());
        self.changed.send_modify(|version| *version += 1);
        done
    }

    /// Every message, in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.read().entries.clone()
    }

    /// The CALLs that a charger sent, as raw texts.
    pub fn calls(&self, charger: &str, action: &str) -> Vec<String> {
        let wanted = |entry: &&Entry| {
            entry.charger == charger && entry.way == Way::Received && is_call(&entry.text, action)
        };
        let record = self.read();
        let found = record.entries.iter().filter(wanted);
        found.map(|entry| entry.text.clone()).collect()
    }

    /// Every transaction, in the order in which they were opened.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.read().books.transactions.clone()
    }

    /// Messages about transactions that this backend never opened.
    pub fn strays(&self) -> Vec<Stray> {
        self.read().books.strays.clone()
    }

    /// Commands sent, with their answers.
    pub fn commands(&self) -> Vec<Sent> {
        self.read().commands.clone()
    }

    /// The chargers that are connected now, sorted.
    pub fn connected(&self) -> Vec<String> {
        let mut names: Vec<_> = self.read().open.keys().cloned().collect();
        names.sort();
        names
    }

    /// How many handshakes were accepted so far.
    pub fn handshakes(&self) -> usize {
        self.read().handshakes
    }

    /// Waits until `condition` holds; false when it does not within `patience`.
    pub async fn until(&self, patience: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.changed.subscribe();
        let holds = async {
            while !condition(self) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(patience, holds).await.is_ok()
    }
}

fn is_call(text: &str, action: &str) -> bool {
    use crate::ocpp::{Envelope, MessageType};
    Envelope::parse(text)
        .is_ok_and(|envelope| envelope.kind == MessageType::Call && envelope.action == action)
}

/// What all connections of a backend share.
#[derive(Debug)]
struct Shared {
    dialect: Dialect,
    log: Log,
    fault: watch::Sender<Fault>,
}

/// Why a backend could not send a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The charger is not connected.
    #[error("send {action} to {charger}: not connected")]
    Away {
        /// The charger.
        charger: String,
        /// The action.
        action: String,
    },
    /// No answer came in time, or the connection ended first.
    #[error("send {action} to {charger}: no answer")]
    Silent {
        /// The charger.
        charger: String,
        /// The action.
        action: String,
    },
}

/// A running simulated backend. Dropping it stops it.
#[derive(Debug)]
pub struct SimBackend {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// How long a backend waits for the answer to a command.
const PATIENCE: Duration = Duration::from_secs(10);

impl SimBackend {
    /// Listens on a free port of the loopback interface.
    pub async fn start(dialect: Dialect) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            log: Log::new(dialect.seed),
            dialect,
            fault: watch::channel(Fault::None).0,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, to which a charger adds its identity.
    pub fn url(&self) -> String {
        format!("ws://{}{}", self.address, self.shared.dialect.prefix)
    }

    /// What it has seen and done.
    pub fn log(&self) -> Log {
        self.shared.log.clone()
    }

    /// Misbehaves from now on.
    pub fn misbehave(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// Sends a command and waits for the answer.
    pub async fn command(
        &self,
        charger: &str,
        action: &str,
        payload: Value,
    ) -> Result<Answer, CommandError> {
        let away = || CommandError::Away {
            charger: charger.to_owned(),
            action: action.to_owned(),
        };
        let orders = self.shared.log.read().open.get(charger).cloned();
        let (reply, answer) = oneshot::channel();
        let order = Order {
            action: action.to_owned(),
            payload,
            reply: Some(reply),
        };
        let orders = orders.ok_or_else(away)?;
        orders.send(order).await.map_err(|_| away())?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(CommandError::Silent {
                charger: charger.to_owned(),
                action: action.to_owned(),
            }),
        }
    }

    /// Closes the port and every connection: dialling is refused by TCP. The books stay.
    pub async fn go_down(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // The only error is the cancellation just asked for.
            drop(accepting.await);
        }
        self.shared.log.change(|record| record.open.clear());
    }

    /// Listens on the same port again.
    pub async fn come_up(&mut self) -> io::Result<()> {
        self.go_down().await;
        let listener = TcpListener::bind(self.address).await?;
        let accepting = accept(listener, Arc::clone(&self.shared));
        self.accepting = Some(tokio::spawn(accepting));
        Ok(())
    }
}

impl Drop for SimBackend {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// Accepts until aborted; connections end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(talk(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "simulated backend cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn talk(stream: TcpStream, shared: Arc<Shared>) {
    if let Err(error) = conversation::hold(stream, &shared).await {
        tracing::debug!(%error, "simulated backend lost a connection");
    }
}
