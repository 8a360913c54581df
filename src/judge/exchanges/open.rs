//! An exchange while it waits for its answers.

use std::borrow::Cow;

use crate::clock::Micros;
use crate::judge::sessions::{Spoil, Thread};
use crate::judge::world::Origin;
use crate::ocpp::actions;
use crate::ocpp::quirks::Quirks;

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) seq: u64,
    pub(super) at: Micros,
    /// The error code, if it is a CALLERROR.
    pub(super) refused: Option<String>,
    pub(super) payload: Cow<'static, str>,
}

/// The authority's side.
#[derive(Debug)]
pub(super) enum Ours {
    Awaited,
    Answered(Answer),
    Silent,
}

/// The shadow's side.
#[derive(Debug)]
pub(super) enum Theirs {
    Awaited,
    Answered(Answer),
    Silent,
}

/// A charger's CALL that is not judged yet.
#[derive(Debug)]
pub(in crate::judge) struct Open {
    pub(super) call: u64,
    pub(super) at: Micros,
    pub(super) origin: Origin,
    pub(super) id: String,
    pub(super) action: String,
    pub(super) request: String,
    pub(super) thread: Option<Thread>,
    pub(super) ours: Ours,
    /// The mirrored copy: sequence number, time, how long it waited.
    pub(super) sent: Option<(u64, Micros, Option<i64>)>,
    pub(super) theirs: Theirs,
    pub(super) spoil: Option<Spoil>,
    /// Why it was kept from the shadow.
    pub(super) withheld: Option<String>,
    /// What is odd about it.
    pub(super) quirks: Quirks,
    /// A command of the authority's caused it.
    pub(super) solicited: bool,
}

impl Open {
    /// The shadow may still get it, whatever became of the connections: a transaction message that was neither sent nor
    /// withheld waits in the charger's outbox.
    pub(super) fn is_kept(&self) -> bool {
        self.sent.is_none() && self.would_be_kept()
    }

    /// A charger would hold it until the shadow has answered, and send it again.
    pub(super) fn would_be_kept(&self) -> bool {
        matches!(self.ours, Ours::Answered(_))
            && matches!(self.theirs, Theirs::Awaited)
            && self.spoil.is_none()
            && self.withheld.is_none()
            && actions::is_transactional(self.origin.version, &self.action, &self.request)
    }

    /// Both sides are settled. A spoiled exchange still waits for the authority: its answer begins the session that is
    /// spoiled with it.
    pub(super) fn is_settled(&self) -> bool {
        let ours = !matches!(self.ours, Ours::Awaited);
        let theirs = !matches!(self.theirs, Theirs::Awaited)
            || self.spoil.is_some()
            || self.withheld.is_some();
        ours && theirs
    }
}
