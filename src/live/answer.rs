//! The wait for the authority's answer: its response head is read along while it is relayed.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::handover::{Opened, Refused};
use super::head::{HeadError, MAX_HEAD, Request, Response, read_response};
use super::listener::Seat;
use super::metrics::Metrics;
use super::offer::Offer;
use super::roster::{Entry, Roster};
use super::secret::Secret;
use crate::clock::{Clock, Micros};
use crate::facts::Leg;

/// A charger whose request the authority has.
pub struct Asking {
    /// Who asks.
    pub asker: Asker,
    /// The request, as it was read.
    pub request: Request,
    /// What it logs in with, if the shadow plane shall log in with the same.
    pub login: Option<Secret>,
    /// When its head was complete.
    pub since: Micros,
    /// Held until the answer is there.
    pub pending: Pending,
    head: Vec<u8>,
}

/// Who asks whom.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Connection epoch, should it become one.
    pub conn: u64,
    /// The charger's address.
    pub peer: SocketAddr,
    /// The authority's leg.
    pub authority: Leg,
    /// Whether it is reached through the mediator.
    pub mediated: bool,
    /// Whom its certificate names.
    pub certificate: Option<Rc<str>>,
    /// What it offered when it began TLS.
    pub tls: Option<Offer>,
}

/// A place among the connections that have no answer yet.
pub struct Pending {
    metrics: Arc<Metrics>,
    _seat: Option<Seat>,
}

impl Pending {
    /// Takes the place. A request that follows another on its connection needs no seat: it waited for one already.
    pub fn new(metrics: &Arc<Metrics>, seat: Option<Seat>) -> Self {
        metrics.pending.add(1);
        Self {
            metrics: Arc::clone(metrics),
            _seat: seat,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.metrics.pending.sub(1);
    }
}

/// What the authority's bytes say so far.
#[derive(Debug)]
pub enum Answer {
    /// Nothing final yet.
    Incomplete,
    /// A 101; its head ends after so many bytes of those just read.
    Accepted(usize, Response),
    /// Another final status; its head ends after so many bytes of those just read.
    Refused(usize, Response),
    /// Nothing that can be read.
    Unreadable(HeadError),
}

impl Asking {
    /// A request that has just gone out.
    pub fn new(
        asker: Asker,
        request: Request,
        login: Option<Secret>,
        since: Micros,
        pending: Pending,
    ) -> Self {
        Self {
            asker,
            request,
            login,
            since,
            pending,
            head: Vec::new(),
        }
    }

    /// Reads along. Interim responses are passed over: they are relayed like everything else.
    pub fn read(&mut self, bytes: &[u8]) -> Answer {
        let first = self.head.is_empty();
        self.head.extend_from_slice(bytes);
        // A head can only get complete with a line end: parsing less often keeps one-byte segments cheap.
        if !first && !bytes.contains(&b'\n') && self.head.len() < MAX_HEAD {
            return Answer::Incomplete;
        }
        loop {
            match read_response(&self.head) {
                Ok(None) => return Answer::Incomplete,
                Ok(Some(interim)) if interim.status < 200 && interim.status != 101 => {
                    self.head.drain(..interim.len);
                }
                Ok(Some(response)) => {
                    let at = bytes.len() - (self.head.len() - response.len);
                    return if response.status == 101 {
                        Answer::Accepted(at, response)
                    } else {
                        Answer::Refused(at, response)
                    };
                }
                Err(error) => return Answer::Unreadable(error),
            }
        }
    }

    /// Tells the final answer. Returns the connection if there is one to be observed.
    pub fn settle(self, answer: Answer, roster: &Roster) -> Option<Rc<Entry>> {
        let leg = self.asker.authority.word();
        match answer {
            Answer::Incomplete => self.give_up(roster, None, format!("{leg} gave no answer")),
            Answer::Refused(_, response) => {
                self.give_up(roster, Some(response.status), format!("refused by {leg}"));
            }
            Answer::Unreadable(error) => {
                let why = format!("answer of {leg} forwarded unread: {error}");
                self.give_up(roster, None, why);
            }
            Answer::Accepted(_, response) if self.request.upgrade => {
                return self.open(response, roster);
            }
            Answer::Accepted(..) => {}
        }
        None
    }

    /// Tells that there is no connection. A request that asked for none is none of anybody's business.
    pub fn give_up(&self, roster: &Roster, status: Option<u16>, why: String) {
        if !self.request.upgrade {
            return;
        }
        let charger = self.request.identity.clone().unwrap_or_default();
        self.asker.refused(roster, charger, status, why);
    }

    fn open(self, response: Response, roster: &Roster) -> Option<Rc<Entry>> {
        let Some(charger) = self.request.identity.clone() else {
            let why = "accepted, but the request names no identity".to_owned();
            self.give_up(roster, Some(response.status), why);
            return None;
        };
        let now = Clock::system().now();
        let Asker {
            conn,
            peer,
            authority,
            mediated,
            certificate,
            tls,
        } = self.asker.clone();
        tracing::info!(conn, charger, %peer, subprotocol = response.subprotocol, "connection opened");
        let opened = Opened {
            charger,
            peer: peer.to_string(),
            authority,
            mediated,
            target: self.request.target.clone(),
            offered: self.request.offered.clone(),
            subprotocol: response.subprotocol,
            extensions: response.extensions,
            authorization: self.request.authorization.clone(),
            certificate: certificate.as_deref().map(Box::from),
            tls,
            handshake_us: now - self.since,
            quirks: self.request.quirks.clone(),
            seen: [0, 0],
            slot: 0,
        };
        match roster.opened(conn, now, opened, self.login.clone()) {
            Ok(entry) => Some(entry),
            Err(error) => {
                let why = format!("accepted, but not observed: no slot on the seen-board: {error}");
                self.give_up(roster, Some(response.status), why);
                None
            }
        }
    }
}

impl Asker {
    /// Tells that this charger got no connection.
    pub fn refused(&self, roster: &Roster, charger: String, status: Option<u16>, why: String) {
        self.tell(roster, charger, status, why, false);
    }

    /// Tells that the tap itself turned this charger away.
    pub fn turned_away(&self, roster: &Roster, charger: String, why: String) {
        self.tell(roster, charger, Some(404), why, true);
    }

    fn tell(
        &self,
        roster: &Roster,
        charger: String,
        status: Option<u16>,
        why: String,
        by_tap: bool,
    ) {
        roster.refused(
            self.conn,
            Refused {
                charger,
                peer: self.peer.to_string(),
                authority: self.authority,
                by_tap,
                status,
                why,
                untold: 0,
            },
        );
    }
}
