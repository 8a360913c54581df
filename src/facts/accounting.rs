//! Whether a recording is whole: frames seen are frames recorded plus frames in gaps, and what was written to each peer
//! is what the other one sent.
//!
//! Pure over facts in order. `verify` prints the outcome, and a gate refuses a recording that is broken.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Dir, Fact, Flow, Kind};

/// Totals over a recording, and every connection for which the identity fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Connections opened.
    pub connections: u64,
    /// Connections whose end was recorded with exact counts.
    pub closed: u64,
    /// Connections whose end was recorded without counts: the host lost power.
    pub uncounted: u64,
    /// Connections still open at the end of the facts.
    pub open: u64,
    /// Frames that the live plane saw, in connections that ended.
    pub seen: u64,
    /// Frames that lie in message, control and opaque facts.
    pub recorded: u64,
    /// Frames that lie in gap facts.
    pub in_gaps: u64,
    /// Gap facts.
    pub gaps: u64,
    /// Bytes that both peers were sent, and that the containment check covers.
    pub contained_bytes: u64,
    /// What does not add up. Empty for a whole recording.
    pub broken: Vec<Broken>,
}

/// One connection that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The charger.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// The direction, where one is to blame.
    pub dir: Option<Dir>,
    /// What is wrong.
    pub breach: Breach,
}

/// What can be wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// Frames seen are not frames accounted for.
    Frames {
        /// Frames that the live plane saw.
        seen: u64,
        /// Frames in facts and gaps.
        accounted: u64,
    },
    /// The tap altered, lost or added a byte.
    NotContained,
    /// Frames were recorded outside an open connection.
    Unopened,
    /// Sequence numbers are not contiguous: this one was expected, and another followed.
    Sequence {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
}

/// The part of a `ConnClosed` note that matters here. `seen` stands in for the flows when the live plane was killed.
#[derive(Deserialize)]
struct Closed {
    flows: Option<[Flow; 2]>,
    seen: Option<[u64; 2]>,
}

/// Adds facts up, one after the other.
#[derive(Debug, Default)]
pub struct Accountant {
    open: BTreeMap<u64, Open>,
    last_seq: Option<u64>,
    sum: Accounting,
}

#[derive(Debug, Default)]
struct Open {
    charger: Arc<str>,
    accounted: [u64; 2],
    opened: bool,
}

impl Accountant {
    /// Adds the next fact.
    pub fn add(&mut self, fact: &Fact) {
        self.check_sequence(fact);
        if let Some(dir) = fact.accounts_for() {
            let open = self.conn(fact);
            open.accounted[dir.index()] += fact.frames;
            if fact.kind == Kind::Gap {
                self.sum.in_gaps += fact.frames;
            } else {
                self.sum.recorded += fact.frames;
            }
        }
        match fact.kind {
            Kind::Gap => self.sum.gaps += 1,
            Kind::ConnOpened => {
                self.sum.connections += 1;
                self.conn(fact).opened = true;
            }
            Kind::ConnClosed => self.close(fact),
            _ => {}
        }
    }

    /// The outcome.
    pub fn finish(mut self) -> Accounting {
        for (conn, open) in std::mem::take(&mut self.open) {
            if open.opened {
                self.sum.open += 1;
            } else {
                self.breach(&open.charger, conn, None, Breach::Unopened);
            }
        }
        self.sum
    }

    fn conn(&mut self, fact: &Fact) -> &mut Open {
        self.open.entry(fact.conn).or_insert_with(|| Open {
            charger: Arc::clone(&fact.charger),
            ..Open::default()
        })
    }

    fn check_sequence(&mut self, fact: &Fact) {
        let expected = self.last_seq.map_or(fact.seq, |last| last + 1);
        if fact.seq != expected {
            let breach = Breach::Sequence {
                expected,
                found: fact.seq,
            };
            self.breach(&fact.charger, fact.conn, None, breach);
        }
        self.last_seq = Some(fact.seq);
    }

    fn close(&mut self, fact: &Fact) {
        let open = self.open.remove(&fact.conn).unwrap_or_default();
        if !open.opened {
            self.breach(&fact.charger, fact.conn, None, Breach::Unopened);
        }
        let note: Option<Closed> = serde_json::from_str(&fact.note).ok();
        let flows = note.as_ref().and_then(|note| note.flows);
        let seen = flows
            .map(|flows| flows.map(|flow| flow.frames))
            .or_else(|| note.and_then(|note| note.seen));
        let Some(seen) = seen else {
            self.sum.uncounted += 1;
            return;
        };
        self.sum.closed += 1;
        for dir in Dir::BOTH {
            let (seen, accounted) = (seen[dir.index()], open.accounted[dir.index()]);
            self.sum.seen += seen;
            if seen != accounted {
                let breach = Breach::Frames { seen, accounted };
                self.breach(&fact.charger, fact.conn, Some(dir), breach);
            }
            let Some(flow) = flows.map(|flows| flows[dir.index()]) else {
                continue;
            };
            if flow.is_contained() {
                self.sum.contained_bytes += flow.read;
            } else {
                self.breach(&fact.charger, fact.conn, Some(dir), Breach::NotContained);
            }
        }
    }

    fn breach(&mut self, charger: &Arc<str>, conn: u64, dir: Option<Dir>, breach: Breach) {
        self.sum.broken.push(Broken {
            charger: charger.to_string(),
            conn,
            dir,
            breach,
        });
    }
}

impl Accounting {
    /// Adds up facts in order.
    pub fn of<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Self {
        let mut accountant = Accountant::default();
        for fact in facts {
            accountant.add(fact);
        }
        accountant.finish()
    }

    /// Whether everything adds up.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::Leg;

    fn numbered(facts: Vec<Fact>) -> Vec<Fact> {
        let number = |(fact, seq)| Fact { seq, ..fact };
        facts.into_iter().zip(1..).map(number).collect()
    }

    fn on(kind: Kind) -> Fact {
        Fact::new(kind, 0).on(&Arc::from("CP1"), 7)
    }

    fn frames(kind: Kind, frame: u64, frames: u64) -> Fact {
        on(kind)
            .via(Leg::Legacy, Dir::FromCharger)
            .covering(frame, frames)
    }

    fn closed(seen: u64, written: &[u8]) -> Fact {
        let sent = b"abc";
        let flow = Flow {
            frames: seen,
            read: 3,
            read_crc: crc32fast::hash(sent),
            written: written.len() as u64,
            written_crc: crc32fast::hash(written),
            ..Flow::default()
        };
        on(Kind::ConnClosed)
            .note(&json!({"by": "charger", "how": "fin", "flows": [flow, Flow::default()]}))
    }

    #[test]
    fn recorded_and_gaps_make_up_what_was_seen() {
        let facts = numbered(vec![
            on(Kind::ConnOpened),
            frames(Kind::Message, 2, 2),
            frames(Kind::Gap, 5, 3),
            frames(Kind::Control, 6, 1),
            on(Kind::ShadowSent),
            closed(6, b"abc"),
        ]);
        let sum = Accounting::of(&facts);
        assert!(sum.is_whole(), "{sum:?}");
        assert_eq!((sum.seen, sum.recorded, sum.in_gaps), (6, 3, 3));
        assert_eq!((sum.connections, sum.closed, sum.open), (1, 1, 0));
    }

    #[test]
    fn a_missing_frame_an_altered_byte_and_a_missing_fact_are_found() {
        let mut facts = numbered(vec![
            on(Kind::ConnOpened),
            frames(Kind::Message, 1, 1),
            closed(2, b"abd"),
        ]);
        facts[2].seq = 9;
        let breaches: Vec<Breach> = Accounting::of(&facts)
            .broken
            .into_iter()
            .map(|broken| broken.breach)
            .collect();
        assert_eq!(
            breaches,
            [
                Breach::Sequence {
                    expected: 3,
                    found: 9
                },
                Breach::Frames {
                    seen: 2,
                    accounted: 1
                },
                Breach::NotContained,
            ]
        );
    }

    #[test]
    fn a_killed_live_plane_leaves_counts_without_flows() {
        let note = json!({"by": "tap", "how": "killed", "flows": null, "seen": [4, 0]});
        let facts = numbered(vec![
            on(Kind::ConnOpened),
            frames(Kind::Gap, 4, 4),
            on(Kind::ConnClosed).note(&note),
        ]);
        let sum = Accounting::of(&facts);
        assert!(sum.is_whole() && sum.closed == 1, "{sum:?}");
    }
}
