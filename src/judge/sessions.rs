//! Which charging session an exchange belongs to, and whether that session can still be compared.
//!
//! After a root divergence (one backend lets the driver charge, the other does not) everything that follows in that
//! session happens in a world that no real charger would reach: followers carry the root finding and are not counted
//! again. After a gap the shadow lacks something of the session: the rest of it is not comparable.

use std::borrow::Cow;

use super::heard::Heard;
use super::recent::Recent;
use crate::ledger::row::Reason;
use crate::ocpp::identifiers::is_sentinel;
use crate::ocpp::json::Step;
use crate::ocpp::{Class, Version};

/// What an exchange is to its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asks whether a token may charge. Stateless: never a follower.
    Authorize,
    /// Begins the transaction.
    Start,
    /// Lies inside it.
    During,
    /// Ends it.
    End,
}

/// An exchange's place in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) phase: Phase,
    pub(super) tag: Option<String>,
    /// The transaction in the authority's namespace; unknown for a 1.6 start until it is answered.
    pub(super) transaction: Option<String>,
}

/// Why an exchange is not comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoil {
    pub(super) reason: Reason,
    pub(super) root: Option<String>,
}

impl Spoil {
    /// Not comparable for a reason that has no root finding.
    pub(super) const fn plain(reason: Reason) -> Self {
        Self { reason, root: None }
    }

    /// Follows a root finding.
    pub(super) fn tainted(root: &str) -> Self {
        Self {
            reason: Reason::Tainted,
            root: Some(root.to_owned()),
        }
    }
}

/// The sessions of one charger.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Transactions that began and have not ended, with what spoils them.
    live: Recent<Live>,
    /// Tokens whose last Authorize diverged, with the root finding.
    tags: Recent<String>,
    /// Transactions that ended, of which the shadow lacks something or lives in another world.
    spoilt: Recent<Spoil>,
    /// The last fact that says that frames were lost.
    gap: u64,
}

#[derive(Debug, Default)]
struct Live {
    tag: Option<String>,
    spoil: Option<Spoil>,
}

impl Thread {
    /// The place of a request in a session; `None` if it belongs to none.
    pub(super) fn of(version: Version, call: &Heard<'_>) -> Option<Self> {
        let text = |path: &[Step]| call.scalar(path).map(Cow::into_owned);
        let thread = |phase, tag, transaction| {
            Some(Self {
                phase,
                tag,
                transaction,
            })
        };
        let old = version == Version::V16;
        match call.action.as_ref() {
            "Authorize" if old => thread(Phase::Authorize, text(&[Step::Key("idTag")]), None),
            "StartTransaction" if old => thread(Phase::Start, text(&[Step::Key("idTag")]), None),
            "MeterValues" if old => text(&[Step::Key("transactionId")])
                .and_then(|transaction| thread(Phase::During, None, Some(transaction))),
            "StopTransaction" if old => {
                thread(Phase::End, None, text(&[Step::Key("transactionId")]))
            }
            "Authorize" => thread(
                Phase::Authorize,
                text(&[Step::Key("idToken"), Step::Key("idToken")]),
                None,
            ),
            "TransactionEvent" if !old => {
                let phase = match text(&[Step::Key("eventType")]).as_deref() {
                    Some("Started") => Phase::Start,
                    Some("Ended") => Phase::End,
                    _ => Phase::During,
                };
                thread(
                    phase,
                    text(&[Step::Key("idToken"), Step::Key("idToken")]),
                    text(&[Step::Key("transactionInfo"), Step::Key("transactionId")]),
                )
            }
            _ => None,
        }
    }
}

impl Sessions {
    /// What spoils an exchange of this session, if anything does.
    pub(super) fn spoil(&self, thread: &Thread) -> Option<Spoil> {
        match thread.phase {
            Phase::Authorize => None,
            Phase::Start => {
                let root = self.tags.get(thread.tag.as_ref()?)?;
                Some(Spoil::tainted(root))
            }
            Phase::During | Phase::End => {
                let transaction = thread.transaction.as_ref()?;
                match self.live.get(transaction) {
                    Some(live) => live.spoil.clone(),
                    None if is_sentinel(Class::TransactionId, transaction) => None,
                    None => Some(Spoil::plain(Reason::ColdStart)),
                }
            }
        }
    }

    /// Why a message with an identifier that has no twin was withheld.
    pub(super) fn unmapped(&self, thread: Option<&Thread>) -> Spoil {
        let transaction = thread.and_then(|thread| thread.transaction.as_ref());
        match transaction.map(|transaction| self.live.get(transaction)) {
            Some(Some(live)) => live
                .spoil
                .clone()
                .unwrap_or(Spoil::plain(Reason::ShadowGap)),
            _ => Spoil::plain(Reason::ColdStart),
        }
    }

    /// Why the shadow's account of a transaction says nothing about the shadow, if so.
    pub(super) fn spoilt(&self, transaction: &str) -> Option<Spoil> {
        let live = self.live.get(transaction);
        live.and_then(|live| live.spoil.clone())
            .or_else(|| self.spoilt.get(transaction).cloned())
    }

    /// The end of a transaction has been judged: what spoiled any of it spoils the shadow's account of it.
    pub(super) fn ended(&mut self, thread: &Thread, spoil: Option<&Spoil>) {
        let Some(transaction) = thread.transaction.as_ref() else {
            return;
        };
        let lacks = |spoil: &&Spoil| {
            matches!(
                spoil.reason,
                Reason::ShadowGap | Reason::ColdStart | Reason::Tainted
            )
        };
        let live = self.live.get(transaction);
        let spoil = live
            .and_then(|live| live.spoil.as_ref())
            .or(spoil.filter(lacks));
        if let Some(spoil) = spoil.cloned() {
            self.spoilt.insert(transaction.clone(), spoil);
        }
    }

    /// A gap touched this charger, says the fact `seq`: every session that is open lacks something, also one whose beginning
    /// the shadow has not answered yet.
    pub(super) fn gap(&mut self, seq: u64) {
        self.gap = seq;
        for live in self.live.values_mut() {
            live.spoil.get_or_insert(Spoil::plain(Reason::ShadowGap));
        }
    }

    /// The exchange of this session that began with the fact `seq` has been judged. `spoil` is why it was not comparable,
    /// `root` the finding if it diverged in a way that changes the session.
    pub(super) fn judged(
        &mut self,
        (thread, seq): (&Thread, u64),
        spoil: Option<&Spoil>,
        root: Option<&str>,
    ) {
        let spoil = spoil.cloned().or_else(|| root.map(Spoil::tainted));
        match thread.phase {
            Phase::Authorize => self.authorized(thread, root),
            Phase::Start => {
                if let Some(transaction) = &thread.transaction {
                    let tag = thread.tag.clone();
                    let lost = (self.gap > seq).then(|| Spoil::plain(Reason::ShadowGap));
                    let spoil = spoil.or(lost);
                    self.live.insert(transaction.clone(), Live { tag, spoil });
                }
            }
            Phase::During => {
                let live = thread
                    .transaction
                    .as_ref()
                    .and_then(|transaction| self.live.get_mut(transaction));
                if let (Some(live), Some(spoil)) = (live, spoil) {
                    live.spoil.get_or_insert(spoil);
                }
            }
            Phase::End => {
                let ended = thread
                    .transaction
                    .as_ref()
                    .and_then(|transaction| self.live.remove(transaction));
                if let Some(tag) = ended.and_then(|live| live.tag) {
                    self.tags.remove(&tag);
                }
            }
        }
    }

    fn authorized(&mut self, thread: &Thread, root: Option<&str>) {
        let Some(tag) = &thread.tag else {
            return;
        };
        match root {
            Some(root) => {
                self.tags.insert(tag.clone(), root.to_owned());
            }
            None => {
                self.tags.remove(tag);
            }
        }
    }
}
