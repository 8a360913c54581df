//! Charger CALLs with both backends' answers: where identifiers of the two meet.
//!
//! Pure. Answers are paired by the charger's CALL, never by value or by order alone.

use std::collections::VecDeque;

use crate::ocpp::Class;

use super::translate::pair;

/// How many CALLs wait for an answer at most: a full queue and some. The oldest give way.
const DEPTH: usize = 1024;

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

/// One CALL.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its Message fact.
    pub seq: u64,
    /// Message id.
    pub id: Box<str>,
    /// Action.
    pub action: Box<str>,
    /// What it says, as a fingerprint.
    pub fingerprint: u64,
    /// It says what an earlier CALL said.
    repeats: bool,
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

/// The CALLs of one connection whose answers matter.
#[derive(Debug, Default)]
pub struct Exchanges {
    open: VecDeque<Exchange>,
    /// Fingerprints of the last CALLs.
    said: VecDeque<u64>,
}

impl Exchanges {
    /// A CALL came.
    pub fn called(&mut self, seq: u64, id: &str, action: &str, fingerprint: u64) {
        let repeats = self.said.contains(&fingerprint);
        if self.said.len() >= 32 {
            self.said.pop_front();
        }
        self.said.push_back(fingerprint);
        if self.open.len() >= DEPTH {
            self.open.pop_front();
        }
        // A charger sends one CALL at a time; most legs never hold more.
        self.open.reserve_exact(1);
        self.open.push_back(Exchange {
            seq,
            id: id.into(),
            action: action.into(),
            fingerprint,
            repeats,
            authority: Half::Open,
            shadow: Half::Open,
        });
    }

    /// The first CALL with this id that the authority has not answered: its action.
    pub fn awaited(&self, id: &str) -> Option<&str> {
        self.open
            .iter()
            .find(|exchange| exchange.id.as_ref() == id && exchange.authority == Half::Open)
            .map(|exchange| exchange.action.as_ref())
    }

    /// Whether the answers to this CALL matter and are not both here.
    pub fn holds(&self, seq: u64) -> bool {
        self.open.iter().any(|exchange| exchange.seq == seq)
    }

    /// The authority answered.
    pub fn authority_answered(&mut self, id: &str, half: Half) -> Option<Taught> {
        let at = self
            .open
            .iter()
            .position(|exchange| exchange.id.as_ref() == id && exchange.authority == Half::Open)?;
        self.open[at].authority = half;
        self.settle(at)
    }

    /// The shadow answered, or will not.
    pub fn shadow_answered(&mut self, seq: u64, half: Half) -> Option<Taught> {
        let at = self.open.iter().position(|exchange| exchange.seq == seq)?;
        self.open[at].shadow = half;
        self.settle(at)
    }

    /// Whether this CALL repeats one that the authority left unanswered and the shadow answered: a charger of the shadow's
    /// would not have repeated it. Then the shadow's first answer counts for the repeat too.
    pub fn absorb_repeat(&mut self, seq: u64) -> Option<Taught> {
        let at = self.open.iter().position(|exchange| exchange.seq == seq)?;
        let fingerprint = self.open[at].fingerprint;
        let shadow = self.open.iter().take(at).rev().find_map(|earlier| {
            (earlier.fingerprint == fingerprint
                && earlier.authority == Half::Open
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

    /// Takes a finished exchange out and reads what it teaches.
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
        self.open.remove(at);
        if self.open.is_empty() && self.open.capacity() > 8 {
            self.open = VecDeque::new();
        }
        taught
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TX: Class = Class::TransactionId;

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
        exchanges.called(1, "a", "StartTransaction", 1);
        assert_eq!(exchanges.awaited("a"), Some("StartTransaction"));
        assert_eq!(exchanges.authority_answered("a", minted("100", 0)), None);
        assert_eq!(exchanges.shadow_answered(1, minted("7", 5)), taught);

        exchanges.called(2, "a", "StartTransaction", 2);
        assert_eq!(exchanges.shadow_answered(2, minted("7", 5)), None);
        assert_eq!(exchanges.authority_answered("a", minted("100", 0)), taught);
    }

    #[test]
    fn one_refusal_teaches_nothing_and_two_do() {
        let mut exchanges = Exchanges::default();
        exchanges.called(1, "a", "StartTransaction", 1);
        exchanges.authority_answered("a", minted("100", 0));
        assert_eq!(exchanges.shadow_answered(1, refused("-1")), None);
        exchanges.called(2, "b", "StartTransaction", 2);
        exchanges.authority_answered("b", refused("0"));
        let taught = exchanges.shadow_answered(2, refused("-1")).unwrap();
        assert_eq!(taught.pairs, [(TX, "0".into(), "-1".into())]);
        exchanges.called(3, "c", "StartTransaction", 3);
        exchanges.authority_answered("c", minted("101", 0));
        assert_eq!(exchanges.shadow_answered(3, Half::Failed), None);
    }

    #[test]
    fn a_repeat_that_only_the_authority_caused_is_absorbed() {
        let mut exchanges = Exchanges::default();
        exchanges.called(1, "a", "StartTransaction", 1);
        exchanges.shadow_answered(1, minted("7", 5));
        exchanges.called(2, "b", "StartTransaction", 1);
        assert!(exchanges.absorb_repeat(2).unwrap().pairs.is_empty());
        let taught = exchanges.authority_answered("b", minted("100", 0)).unwrap();
        assert_eq!((taught.pairs.len(), taught.repeat), (1, true));
        // The late answer to the first copy maps as well.
        let late = exchanges.authority_answered("a", minted("99", 0)).unwrap();
        assert_eq!(late.pairs, [(TX, "99".into(), "7".into())]);
    }

    #[test]
    fn a_repeat_after_both_were_silent_goes_on() {
        let mut exchanges = Exchanges::default();
        exchanges.called(1, "a", "StopTransaction", 1);
        exchanges.called(2, "a", "StopTransaction", 1);
        assert_eq!(exchanges.absorb_repeat(2), None);
    }
}
