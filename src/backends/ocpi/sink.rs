//! An eMSP that a CPO pushes to: sessions and CDRs arrive here and go nowhere else.
//!
//! A candidate that has this sink as its only roaming partner cannot bill a real one. What it pushes is answered once it is
//! on disk: a CDR that was taken is never sent again. Each push is a fact, also one that cannot be read.

mod answers;
mod routes;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::{Party, TokenEncoding};
use crate::backends::shelf::{self, Found, Shelf};
use crate::backends::{ReadError, Tally};
use crate::clock::Clock;
use crate::facts::{Fact, Kind, Leg, Reader};
use crate::judge::records::{Form, Provenance, Reading, RecordKind};
use crate::live::secret::Secret;
use answers::Answer;

/// Connections at once; further ones wait in the kernel.
const SEATS: usize = 64;

/// The longest a connection may sit idle or take for one request's head.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest a push waits for the disk.
const DISK: Duration = Duration::from_secs(10);

/// The longest push, in bytes.
const MAX_BODY: usize = 4 << 20;

/// Where a backend pushes to.
#[derive(Debug, Clone)]
pub struct Door {
    /// Where to listen. Plain HTTP: behind the operator's terminator, or on loopback.
    pub listen: SocketAddr,
    /// How the backend reaches it, up to `/ocpi`; the listening address if absent.
    pub public: Option<String>,
    /// The token that the backend shows.
    pub token: Secret,
    /// How it writes it.
    pub encoding: TokenEncoding,
    /// The party that this sink plays.
    pub party: Party,
}

/// What was pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whole sessions.
    pub sessions: u64,
    /// Parts of sessions.
    pub patches: u64,
    /// CDRs.
    pub cdrs: u64,
    /// Pushes that are facts, but could not be read.
    pub unreadable: u64,
    /// Requests without the right token.
    pub refused: u64,
    /// Requests for something that is not here.
    pub elsewhere: u64,
}

/// The sink of one backend.
pub struct Sink {
    door: Door,
    base: String,
    leg: Leg,
    recording: PathBuf,
    shelf: Mutex<Shelf>,
    reading: RefCell<Reading>,
    /// The fact of each CDR.
    cdrs: RefCell<HashMap<String, u64>>,
    counts: RefCell<Counts>,
    peers: RefCell<BTreeSet<String>>,
    tally: Tally,
}

impl Sink {
    /// A sink that goes on where `recording` ends. `bound` is where it really listens.
    pub fn new(
        door: Door,
        bound: SocketAddr,
        leg: Leg,
        name: &str,
        shelf: Shelf,
        recording: &Path,
    ) -> Result<Rc<Self>, ReadError> {
        let sink = Self {
            base: door.public.as_ref().map_or_else(
                || format!("http://{bound}/ocpi"),
                |public| format!("{}/ocpi", public.trim_end_matches('/')),
            ),
            door,
            leg,
            recording: recording.to_owned(),
            tally: shelf.tally().clone(),
            shelf: Mutex::new(shelf),
            reading: RefCell::default(),
            cdrs: RefCell::default(),
            counts: RefCell::default(),
            peers: RefCell::default(),
        };
        let facts = Reader::open(recording)?;
        shelf::each(&facts, Kind::BackendRecord, |fact| {
            let source = Provenance::of(fact);
            if fact.leg == Some(leg) && source.is_some_and(|source| source.reader == name) {
                sink.remember(fact);
            }
        })?;
        Ok(Rc::new(sink))
    }

    /// What was pushed since the start.
    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    /// The parties that registered here or pushed, as `NL*TNM`.
    pub fn peers(&self) -> Vec<String> {
        self.peers.borrow().iter().cloned().collect()
    }

    /// Takes in what a recorded push says; false if it cannot be read.
    fn remember(&self, fact: &Fact) -> bool {
        let read = self.reading.borrow_mut().read(fact);
        let Ok(record) = read else {
            return false;
        };
        let source = record.source;
        if let (Some(country), Some(party)) = (record.country, record.party) {
            self.peers.borrow_mut().insert(format!("{country}*{party}"));
        }
        if source.kind == RecordKind::Cdr {
            self.cdrs.borrow_mut().insert(source.id, fact.seq);
        }
        true
    }

    /// Records a push and waits for the disk; `Ok(false)` if it cannot be read.
    async fn keep(
        &self,
        form: Form,
        kind: RecordKind,
        id: &str,
        body: &[u8],
        path: &str,
    ) -> Result<bool, ReadError> {
        let url = format!("{}{path}", self.base);
        let found = Found {
            form,
            kind,
            id,
            body,
            updated: None,
            url: &url,
            page: 0,
            row: 0,
            columns: None,
        };
        let mut books = self.shelf.lock().await;
        let fact = books.push(&found)?;
        let is_read = self.remember(&fact);
        let settled = timeout(DISK, books.settle()).await;
        settled.map_err(|_| ReadError::NotRecorded)??;
        self.tally.add(|work| {
            work.records += 1;
            work.last_success = Some(Clock::system().now());
        });
        Ok(is_read)
    }

    /// The text of a CDR, from the recording.
    fn cdr(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(seq) = self.cdrs.borrow().get(id).copied() else {
            return Ok(None);
        };
        let fact = Reader::open(&self.recording)?.by_seq(seq)?;
        Ok(fact.map(|fact| fact.body))
    }

    fn session(&self, id: &str) -> Option<Value> {
        self.reading.borrow().known(self.leg, id).cloned()
    }

    fn count(&self, one: impl FnOnce(&mut Counts) -> &mut u64) {
        *one(&mut self.counts.borrow_mut()) += 1;
    }
}

/// Serves the sink until told to stop. Runs on a local task set.
pub async fn serve(sink: Rc<Sink>, listener: TcpListener, mut stopping: watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(SEATS));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let sink = Rc::clone(&sink);
                spawn_local(async move {
                    converse(stream, sink).await;
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an OCPI sink cannot accept");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
    let (counts, peers) = (sink.counts(), sink.peers());
    tracing::info!(leg = sink.leg.word(), ?counts, ?peers, "OCPI sink closed");
}

async fn converse(stream: TcpStream, sink: Rc<Sink>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let sink = Rc::clone(&sink);
        async move {
            let answered: Result<Response<_>, Infallible> =
                Ok(routes::answer(&sink, request).await);
            let is_fine = matches!(&answered, Ok(answer) if answer.status().is_success());
            sink.tally.add(|work| {
                work.requests += 1;
                work.failures += u64::from(!is_fine);
            });
            answered
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a push broke off");
    }
}
