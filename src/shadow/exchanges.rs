//! Charger CALLs with both backends' answers: where identifiers of the two meet.
//!
//! Pure. Answers are paired by the charger's CALL, never by value or by order alone.

use std::collections::VecDeque;

use crate::ocpp::{Class, Envelope};

use super::translate::{fingerprint, pair};

/// How many CALLs wait for an answer at most: a full queue and some. The oldest give way.
const DEPTH: usize = 1024;

/// How many CALLs that only the shadow has answered are remembered, and how many fingerprints: the charger may repeat
/// them, also on its next connection.
const REPEATABLE: usize = 32;

/// One backend's side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Half {
    /// No answer yet.
    #[default]
    Open,
    /// A CALLERROR, or the CALL never went.
    Failed,
    /// A CALLRESULT.
    Answered(Reply),
}

/// What a CALLRESULT said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Identifiers that it minted, as JSON text.
    pub minted: Vec<(Class, String)>,
    /// It refused the driver.
    pub refused: bool,
    /// Its fact.
    pub fact: u64,
}

/// A CALL of the charger's.
#[derive(Debug, Clone)]
pub struct Called {
    /// Its Message fact.
    pub seq: u64,
    /// The connection that it came on: only there it is answered.
    pub conn: u64,
    /// Message id.
    pub id: Box<str>,
    /// Action.
    pub action: Box<str>,
    /// What it says, as a fingerprint.
    pub fingerprint: u64,
}

impl Called {
    /// The CALL in a Message fact.
    pub fn read(call: &Envelope<'_>, seq: u64, conn: u64) -> Self {
        Self {
            seq,
            conn,
            id: call.id.as_ref().into(),
            action: call.action.as_ref().into(),
            fingerprint: fingerprint(call),
        }
    }
}

/// One CALL with its answers.
#[derive(Debug, Clone)]
struct Exchange {
    called: Called,
    /// It says what an earlier CALL said.
    repeats: bool,
    /// It says what an earlier CALL said that the authority had not answered well by then.
    induced: bool,
    /// A later CALL said the same.
    repeated: bool,
    authority: Half,
    shadow: Half,
}

/// What both answers together teach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taught {
    /// Class, authority's and shadow's JSON text.
    pub pairs: Vec<(Class, String, String)>,
    /// The shadow's answer.
    pub cause: u64,
    /// The CALL was a repeat: the first pair stays.
    pub repeat: bool,
}

/// The CALLs of one charger whose answers matter. They outlive its connection: the shadow may hear of them on the next.
#[derive(Debug, Default)]
pub struct Exchanges {
    open: VecDeque<Exchange>,
    /// Fingerprints of the last CALLs.
    said: VecDeque<u64>,
}

impl Exchanges {
    /// A CALL came.
    pub fn called(&mut self, called: Called) {
        let repeats = self.said.contains(&called.fingerprint);
        if self.said.len() >= REPEATABLE {
            self.said.pop_front();
        }
        self.said.push_back(called.fingerprint);
        if self.open.len() >= DEPTH {
            self.open.pop_front();
        }
        let earlier = self
            .open
            .iter_mut()
            .rev()
            .find(|earlier| earlier.called.fingerprint == called.fingerprint);
        let induced = earlier.is_some_and(|earlier| {
            earlier.repeated = true;
            earlier.induced || !matches!(earlier.authority, Half::Answered(_))
        });
        // A charger sends one CALL at a time; most legs never hold more.
        self.open.reserve_exact(1);
        self.open.push_back(Exchange {
            called,
            repeats,
            induced,
            repeated: false,
            authority: Half::Open,
            shadow: Half::Open,
        });
    }

    /// The first CALL of this connection with this id that the authority has not answered: its action.
    pub fn awaited(&self, conn: u64, id: &str) -> Option<&str> {
        self.awaiting(conn, id)
            .map(|at| self.open[at].called.action.as_ref())
    }

    fn awaiting(&self, conn: u64, id: &str) -> Option<usize> {
        self.open.iter().position(|exchange| {
            exchange.called.conn == conn
                && exchange.called.id.as_ref() == id
                && exchange.authority == Half::Open
        })
    }

    fn place(&self, seq: u64) -> Option<usize> {
        self.open
            .iter()
            .position(|exchange| exchange.called.seq == seq)
    }

    /// Whether the answers to this CALL matter and are not both here.
    pub fn holds(&self, seq: u64) -> bool {
        self.place(seq)
            .is_some_and(|at| !self.open[at].is_settled())
    }

    /// Whether the authority has answered this CALL with a CALLRESULT: a charger that hears none from the shadow would
    /// repeat it there, and only there.
    pub fn is_answered(&self, seq: u64) -> bool {
        self.place(seq)
            .is_some_and(|at| matches!(self.open[at].authority, Half::Answered(_)))
    }

    /// The authority answered.
    pub fn authority_answered(&mut self, conn: u64, id: &str, half: Half) -> Option<Taught> {
        let at = self.awaiting(conn, id)?;
        self.open[at].authority = half;
        self.settle(at)
    }

    /// The shadow answered, or will not.
    pub fn shadow_answered(&mut self, seq: u64, half: Half) -> Option<Taught> {
        let at = self.place(seq)?;
        self.open[at].shadow = half;
        self.settle(at)
    }

    /// The connection is over: what the authority has not answered on it it never will.
    pub fn parted(&mut self, conn: u64) {
        for exchange in &mut self.open {
            if exchange.called.conn == conn && exchange.authority == Half::Open {
                exchange.authority = Half::Failed;
            }
        }
        self.tidy();
    }

    /// Whether this CALL repeats one that the authority left unanswered or refused with an error, and the shadow answered:
    /// a charger of the shadow's would not have repeated it. Then the shadow's first answer counts for the repeat too.
    pub fn absorb_repeat(&mut self, seq: u64) -> Option<Taught> {
        let at = self.place(seq)?;
        if !self.open[at].induced {
            return None;
        }
        let fingerprint = self.open[at].called.fingerprint;
        let shadow = self.open.iter().take(at).rev().find_map(|earlier| {
            (earlier.called.fingerprint == fingerprint
                && matches!(earlier.shadow, Half::Answered(_)))
            .then(|| earlier.shadow.clone())
        })?;
        self.open[at].shadow = shadow;
        Some(self.settle(at).unwrap_or(Taught {
            pairs: Vec::new(),
            cause: 0,
            repeat: true,
        }))
    }

    /// Reads what a finished exchange teaches, and takes it out unless it may be repeated.
    fn settle(&mut self, at: usize) -> Option<Taught> {
        let exchange = self.open.get(at)?;
        let taught = match (&exchange.authority, &exchange.shadow) {
            (Half::Open, _) | (_, Half::Open) => return None,
            (Half::Answered(authority), Half::Answered(shadow))
                // A session that only the authority accepted does not exist at the shadow.
                if authority.refused || !shadow.refused =>
            {
                Some(Taught {
                    pairs: pair(&authority.minted, &shadow.minted),
                    cause: shadow.fact,
                    repeat: exchange.repeats,
                })
            }
            _ => None,
        };
        self.tidy();
        taught
    }

    /// Takes out what is over; of what the charger may repeat the newest stay.
    fn tidy(&mut self) {
        let mut spare = self.open.iter().filter(|one| one.may_repeat()).count();
        self.open.retain(|exchange| {
            if exchange.may_repeat() {
                spare -= 1;
                return spare < REPEATABLE;
            }
            !exchange.is_settled()
        });
        // Few of a charger's messages come here: between them nothing is held.
        if self.open.is_empty() {
            self.open = VecDeque::new();
        }
    }
}

impl Exchange {
    fn is_settled(&self) -> bool {
        self.authority != Half::Open && self.shadow != Half::Open
    }

    /// The shadow has answered it, and it was repeated or may be: the authority has not.
    fn may_repeat(&self) -> bool {
        let failed = self.authority == Half::Failed;
        let repeated = self.repeated && self.is_settled();
        (failed || repeated) && matches!(self.shadow, Half::Answered(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TX: Class = Class::TransactionId;

    fn call(seq: u64, id: &str, action: &str, fingerprint: u64) -> Called {
        Called {
            seq,
            conn: 1,
            id: id.into(),
            action: action.into(),
            fingerprint,
        }
    }

    fn minted(id: &str, fact: u64) -> Half {
        Half::Answered(Reply {
            minted: vec![(TX, id.to_owned())],
            refused: false,
            fact,
        })
    }

    fn refused(id: &str) -> Half {
        Half::Answered(Reply {
            minted: vec![(TX, id.to_owned())],
            refused: true,
            fact: 9,
        })
    }

    #[test]
    fn whichever_answer_comes_first() {
        let taught = Some(Taught {
            pairs: vec![(TX, "100".into(), "7".into())],
            cause: 5,
            repeat: false,
        });
        let mut exchanges = Exchanges::default();
        exchanges.called(call(1, "a", "StartTransaction", 1));
        assert_eq!(exchanges.awaited(1, "a"), Some("StartTransaction"));
        assert_eq!(exchanges.authority_answered(1, "a", minted("100", 0)), None);
        assert_eq!(exchanges.shadow_answered(1, minted("7", 5)), taught);

        exchanges.called(call(2, "a", "StartTransaction", 2));
        assert_eq!(exchanges.shadow_answered(2, minted("7", 5)), None);
        assert_eq!(
            exchanges.authority_answered(1, "a", minted("100", 0)),
            taught
        );
    }

    #[test]
    fn one_refusal_teaches_nothing_and_two_do() {
        let mut exchanges = Exchanges::default();
        exchanges.called(call(1, "a", "StartTransaction", 1));
        exchanges.authority_answered(1, "a", minted("100", 0));
        assert_eq!(exchanges.shadow_answered(1, refused("-1")), None);
        exchanges.called(call(2, "b", "StartTransaction", 2));
        exchanges.authority_answered(1, "b", refused("0"));
        let taught = exchanges.shadow_answered(2, refused("-1")).unwrap();
        assert_eq!(taught.pairs, [(TX, "0".into(), "-1".into())]);
        exchanges.called(call(3, "c", "StartTransaction", 3));
        exchanges.authority_answered(1, "c", minted("101", 0));
        assert_eq!(exchanges.shadow_answered(3, Half::Failed), None);
    }

    #[test]
    fn a_repeat_that_only_the_authority_caused_is_absorbed() {
        let mut exchanges = Exchanges::default();
        exchanges.called(call(1, "a", "StartTransaction", 1));
        exchanges.shadow_answered(1, minted("7", 5));
        exchanges.called(call(2, "b", "StartTransaction", 1));
        assert!(exchanges.absorb_repeat(2).unwrap().pairs.is_empty());
        let taught = exchanges
            .authority_answered(1, "b", minted("100", 0))
            .unwrap();
        assert_eq!((taught.pairs.len(), taught.repeat), (1, true));
        // The late answer to the first copy maps as well.
        let late = exchanges
            .authority_answered(1, "a", minted("99", 0))
            .unwrap();
        assert_eq!(late.pairs, [(TX, "99".into(), "7".into())]);
    }

    #[test]
    fn a_repeat_after_both_were_silent_goes_on() {
        let mut exchanges = Exchanges::default();
        exchanges.called(call(1, "a", "StopTransaction", 1));
        exchanges.called(call(2, "a", "StopTransaction", 1));
        assert_eq!(exchanges.absorb_repeat(2), None);
    }

    #[test]
    fn a_repeat_on_the_next_connection_or_after_an_error_is_absorbed_too() {
        for lost in [true, false] {
            let mut exchanges = Exchanges::default();
            exchanges.called(call(1, "a", "StopTransaction", 1));
            exchanges.shadow_answered(1, minted("7", 5));
            if lost {
                exchanges.parted(1);
            } else {
                exchanges.authority_answered(1, "a", Half::Failed);
            }
            let repeat = Called {
                conn: 2,
                ..call(2, "a", "StopTransaction", 1)
            };
            exchanges.called(repeat);
            assert_eq!(exchanges.awaited(1, "a"), None, "that connection is over");
            assert!(exchanges.absorb_repeat(2).is_some());
        }
    }

    #[test]
    fn what_may_be_repeated_is_remembered_for_a_while() {
        let mut exchanges = Exchanges::default();
        for seq in 1..=100 {
            exchanges.called(call(seq, "a", "StopTransaction", seq));
            exchanges.shadow_answered(seq, minted("7", 5));
            exchanges.parted(1);
        }
        assert_eq!(exchanges.open.len(), REPEATABLE);
        exchanges.called(call(101, "a", "StopTransaction", 100));
        assert!(exchanges.absorb_repeat(101).is_some(), "the newest");
    }

    #[test]
    fn the_authority_may_answer_before_the_repeat_is_looked_at() {
        let mut exchanges = Exchanges::default();
        exchanges.called(call(1, "a", "StartTransaction", 1));
        exchanges.shadow_answered(1, minted("7", 5));
        exchanges.called(call(2, "a", "StartTransaction", 1));
        let taught = exchanges.authority_answered(1, "a", minted("100", 0));
        assert_eq!(taught.unwrap().pairs.len(), 1, "to the first copy");
        assert!(exchanges.absorb_repeat(2).is_some());
        // What both have answered is not repeated for the authority's sake.
        exchanges.called(call(3, "b", "StartTransaction", 3));
        exchanges.shadow_answered(3, minted("8", 6));
        exchanges.authority_answered(1, "b", minted("101", 0));
        exchanges.called(call(4, "b", "StartTransaction", 3));
        assert_eq!(exchanges.absorb_repeat(4), None);
    }
}
