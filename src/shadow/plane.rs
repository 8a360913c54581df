//! The shadow plane's main loop: hand-over records in, facts and mirrored messages out.
//!
//! It runs on one thread beside its legs and never blocks: it reads in small slices, and waits only while the recorder
//! says that the disk is slower than the traffic. What it does not read waits in the live plane's tank, where whatever
//! does not fit is counted.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{sleep_until, timeout};

use crate::clock::Micros;
use crate::facts::{Dir, Leg};
use crate::live::handover::{BrokenRecord, Routed, decode};
use crate::live::routes::Order;
use crate::live::secret::Secret;

mod status;
mod table;
#[cfg(test)]
mod tests;

use status::StatusLine;
pub use table::{Settings, Table};

/// Bytes read before other tasks get their turn.
const SLICE: usize = 64 * 1024;

/// How long the legs may take to end.
const FAREWELL: Duration = Duration::from_secs(4);

/// What the legs are told. Nothing here may block.
pub trait LegHost {
    /// A connection is open. Also called when a restarted shadow plane picks up an open connection.
    fn opened(&self, conn: &ConnInfo);
    /// A whole message was recorded under `seq`; both directions, in order of recording.
    fn message(&self, conn: u64, dir: Dir, seq: u64, at: Micros, text: &Arc<str>);
    /// At least one message of this direction is missing here: it lies in a gap, is opaque or was not recorded.
    fn gap(&self, conn: u64, dir: Dir);
    /// The connection ended.
    fn closed(&self, conn: u64, at: Micros);
    /// The live plane has told which connections there are: those that were opened until now.
    fn called(&self) {}
    /// Nothing follows: the live plane stopped or is gone.
    fn stopping(&self);
    /// Ready once every leg has ended.
    fn finished(&self) -> impl Future<Output = ()> {
        async {}
    }
    /// The live plane has carried out an order.
    fn routed(&self, _: Micros, _: &Routed) {}
    /// The next order for the live plane. Cancel safe.
    fn order(&self) -> impl Future<Output = Order> {
        std::future::pending()
    }
    /// Counters for the status line and tick facts.
    fn status(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// Shared legs: who started them also waits for them to end.
impl<L: LegHost> LegHost for Rc<L> {
    fn opened(&self, conn: &ConnInfo) {
        L::opened(self, conn);
    }
    fn message(&self, conn: u64, dir: Dir, seq: u64, at: Micros, text: &Arc<str>) {
        L::message(self, conn, dir, seq, at, text);
    }
    fn gap(&self, conn: u64, dir: Dir) {
        L::gap(self, conn, dir);
    }
    fn closed(&self, conn: u64, at: Micros) {
        L::closed(self, conn, at);
    }
    fn called(&self) {
        L::called(self);
    }
    fn stopping(&self) {
        L::stopping(self);
    }
    fn finished(&self) -> impl Future<Output = ()> {
        L::finished(self)
    }
    fn routed(&self, at: Micros, routed: &Routed) {
        L::routed(self, at, routed);
    }
    fn order(&self) -> impl Future<Output = Order> {
        L::order(self)
    }
    fn status(&self) -> serde_json::Value {
        L::status(self)
    }
}

/// No legs at all: the tap only records.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLegs;

impl LegHost for NoLegs {
    fn opened(&self, _: &ConnInfo) {}
    fn message(&self, _: u64, _: Dir, _: u64, _: Micros, _: &Arc<str>) {}
    fn gap(&self, _: u64, _: Dir) {}
    fn closed(&self, _: u64, _: Micros) {}
    fn stopping(&self) {}
}

/// An open connection, as a leg needs to know it.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// The charger's identity.
    pub charger: Arc<str>,
    /// Connection epoch.
    pub conn: u64,
    /// What the charger offered; `None` if it offered nothing.
    pub offered: Option<String>,
    /// What the authority chose; `None` if its answer named none.
    pub subprotocol: Option<String>,
    /// What the charger logged in with, if the live plane was told to say so. In memory alone.
    pub login: Option<Secret>,
    /// Which backend is the authority of this connection.
    pub authority: Leg,
    /// Whether the charger logged in with anything at all.
    pub logs_in: bool,
    /// The connection was open before this shadow plane started.
    pub resumed: bool,
}

/// The seen-board of the live plane: its frame counts, readable after its death.
pub trait SeenCounts {
    /// Frames seen by connection `conn`, if `slot` still belongs to it ([from charger, to charger]).
    fn seen(&self, slot: u32, conn: u64) -> Option<[u64; 2]>;
}

/// No board: after a kill the last frames of open connections are not counted.
impl SeenCounts for () {
    fn seen(&self, _: u32, _: u64) -> Option<[u64; 2]> {
        None
    }
}

/// How the stream of records ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The live plane stopped in order.
    Stopped,
    /// The live plane is gone without a word: killed.
    Killed,
}

/// Why the shadow plane cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The live plane is another version, or broken.
    #[error(transparent)]
    Broken(#[from] BrokenRecord),
    /// The first record does not say who speaks.
    #[error("hand-over does not begin with hello")]
    NoHello,
    /// The socket failed.
    #[error("read the hand-over: {0}")]
    Io(#[from] io::Error),
}

/// Reads records until the live plane ends. Facts go to the table's recorder, which the caller closes afterwards.
pub async fn run<L: LegHost + Clone, S: SeenCounts>(
    stream: UnixStream,
    mut table: Table<L, S>,
) -> Result<Ended, PlaneError> {
    let mut inbox = Inbox::default();
    let mut status = StatusLine::default();
    let legs = table.legs();
    let mut committed = table.recorder().committed();
    let mut telling = pin!(sleep_until(status.due()));
    let ended = loop {
        // While the disk works but is slower than the traffic, records are better left with the live plane.
        let pressed = table.recorder().is_pressed();
        if telling.deadline() != status.due() {
            telling.as_mut().reset(status.due());
        }
        tokio::select! {
            () = &mut telling => status.tell(&stream, &table.status()),
            order = legs.order() => status.order(&stream, &order),
            writable = stream.writable(), if status.is_behind() => {
                writable?;
                status.flush(&stream);
            }
            _ = committed.changed(), if pressed => {}
            readable = stream.readable(), if !pressed => {
                readable?;
                match inbox.fill(&stream)? {
                    Filled::Nothing => continue,
                    Filled::End => break Ended::Killed,
                    Filled::Bytes => {}
                }
                status.hurry();
                if let Some(ended) = inbox.drain_into(&mut table)? {
                    break ended;
                }
                tokio::task::yield_now().await;
            }
        }
    };
    if ended == Ended::Killed {
        table.killed();
    }
    if timeout(FAREWELL, table.delivered()).await.is_err() {
        tracing::warn!("some shadow legs did not end in time");
    }
    if ended == Ended::Stopped {
        table.conclude();
    }
    status.tell(&stream, &table.status());
    Ok(ended)
}

/// Bytes read and not yet decoded.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
}

enum Filled {
    Bytes,
    Nothing,
    End,
}

impl Inbox {
    fn fill(&mut self, stream: &UnixStream) -> io::Result<Filled> {
        self.bytes.reserve(SLICE);
        match stream.try_read_buf(&mut self.bytes) {
            Ok(0) => Ok(Filled::End),
            Ok(_) => Ok(Filled::Bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Filled::Nothing),
            // A killed peer may reset the socket rather than end it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Filled::End),
            Err(error) => Err(error),
        }
    }

    /// Hands every whole record to the table.
    fn drain_into<L: LegHost, S: SeenCounts>(
        &mut self,
        table: &mut Table<L, S>,
    ) -> Result<Option<Ended>, PlaneError> {
        let mut used = 0;
        while let Some((record, len)) = decode(&self.bytes[used..])? {
            used += len;
            if let Some(ended) = table.take(record)? {
                return Ok(Some(ended));
            }
        }
        self.bytes.drain(..used);
        Ok(None)
    }
}
