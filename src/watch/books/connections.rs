//! Who is connected: the last that is known of each charger, kept up to date from the few facts that tell it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Micros;
use crate::facts::{Fact, Kind, Reader, RecordingError};

/// Facts that are read at once.
const PAGE: usize = 5_000;

/// What tells of connections.
const KINDS: [Kind; 5] = [
    Kind::TapStarted,
    Kind::TapStopped,
    Kind::ConnOpened,
    Kind::ConnClosed,
    Kind::ConnRefused,
];

/// Chargers that have been away for longer than this, µs, are silent; before, they may be coming back.
const SILENT_AFTER: Micros = 10_000_000;

/// The last that is known of a charger's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The fact that tells it.
    pub fact: u64,
    /// When, µs.
    pub at: Micros,
    /// Connection epoch.
    pub conn: u64,
    /// What it is: opened, closed or refused.
    pub kind: Kind,
    /// What came of it, in words.
    pub says: String,
}

/// Every charger's.
#[derive(Debug, Default)]
pub struct Connections {
    last: BTreeMap<Arc<str>, Connection>,
    read: [u64; KINDS.len()],
    /// The fact with which the tap began that runs, or ran last.
    run: u64,
    /// The fact with which a tap stopped last.
    stop: u64,
}

impl Connections {
    /// Reads what has been recorded since the last time.
    pub(super) fn refresh(&mut self, facts: &Reader) -> Result<(), RecordingError> {
        for (at, kind) in KINDS.into_iter().enumerate() {
            loop {
                let page = facts.of_kind(kind, self.read[at], PAGE)?;
                for fact in &page {
                    self.read[at] = fact.seq;
                    self.take(fact);
                }
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A later connection's end may be told before an earlier one's: the epoch decides, then the order.
    fn take(&mut self, fact: &Fact) {
        match fact.kind {
            Kind::TapStarted => return self.run = fact.seq,
            Kind::TapStopped => return self.stop = fact.seq,
            _ => {}
        }
        let known = self.last.get(&fact.charger);
        if known.is_some_and(|known| (known.conn, known.fact) > (fact.conn, fact.seq)) {
            return;
        }
        let says =
            crate::watch::board::happening(fact).map_or_else(String::new, |happened| happened.says);
        let next = Connection {
            fact: fact.seq,
            at: fact.at,
            conn: fact.conn,
            kind: fact.kind,
            says,
        };
        self.last.insert(Arc::clone(&fact.charger), next);
    }

    /// Chargers by name.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, &Connection)> {
        self.last.iter()
    }

    /// Whether a charger is connected. A tap that was killed says goodbye to nobody.
    pub fn is_open(&self, charger: &str) -> bool {
        self.last.get(charger).is_some_and(|last| self.stands(last))
    }

    /// Whether a connection is open.
    pub fn stands(&self, connection: &Connection) -> bool {
        connection.kind == Kind::ConnOpened && connection.fact > self.run
    }

    /// Since when none of these chargers has been connected, µs, while the tap runs; none if one is, none ever was, or at
    /// `now` they may still be on their way back.
    pub fn silent_since(&self, chargers: &[String], now: Micros) -> Option<Micros> {
        let known = chargers
            .iter()
            .filter_map(|charger| self.last.get(charger.as_str()));
        let mut since = None;
        for connection in known {
            if self.stop > self.run || self.stands(connection) {
                return None;
            }
            since = since.max(Some(connection.at));
        }
        since.filter(|since| now - since > SILENT_AFTER)
    }

    /// How many are connected.
    pub fn open(&self) -> u64 {
        self.last.values().filter(|last| self.stands(last)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(facts: &[(u64, Kind, &str, u64)]) -> Connections {
        let mut connections = Connections::default();
        for (seq, kind, charger, conn) in facts {
            let mut fact = Fact::new(*kind, 1).on(&Arc::from(*charger), *conn);
            fact.seq = *seq;
            connections.take(&fact);
        }
        connections
    }

    #[test]
    fn an_earlier_connections_end_is_not_the_later_ones() {
        let both = told(&[
            (2, Kind::ConnOpened, "a", 1),
            (3, Kind::ConnOpened, "a", 2),
            (4, Kind::ConnClosed, "a", 1),
        ]);
        assert!(both.is_open("a"));
        assert!(
            !told(&[(2, Kind::ConnOpened, "a", 1), (3, Kind::ConnClosed, "a", 1)]).is_open("a")
        );
    }

    #[test]
    fn chargers_are_silent_when_the_last_of_them_has_gone_and_the_tap_has_not() {
        let names = ["a", "b", "unseen"].map(str::to_owned);
        let late = 2 + SILENT_AFTER;
        let both = [
            (1, Kind::TapStarted, "", 0),
            (2, Kind::ConnOpened, "a", 1),
            (3, Kind::ConnOpened, "b", 2),
            (4, Kind::ConnClosed, "a", 1),
        ];
        assert_eq!(told(&both).silent_since(&names, late), None);
        let gone = [&both[..], &[(5, Kind::ConnClosed, "b", 2)]].concat();
        assert_eq!(told(&gone).silent_since(&names, late), Some(1));
        assert_eq!(told(&gone).silent_since(&names, 2), None);
        let stopped = [&gone[..], &[(6, Kind::TapStopped, "", 0)]].concat();
        assert_eq!(told(&stopped).silent_since(&names, late), None);
        let nobody = told(&[(1, Kind::TapStarted, "", 0)]);
        assert_eq!(nobody.silent_since(&names, late), None);
    }

    #[test]
    fn a_tap_that_began_anew_has_nobody_yet() {
        let killed = told(&[
            (1, Kind::TapStarted, "", 0),
            (2, Kind::ConnOpened, "a", 1),
            (3, Kind::TapStarted, "", 0),
        ]);
        assert_eq!((killed.open(), killed.is_open("a")), (0, false));
    }
}
