//! Introducing a charger to a backend that has not seen it boot.
//!
//! After the tap is put in, and after each reconnect that the charger did not cause, the shadow backend would face a
//! station without a BootNotification. So the remembered one is replayed, then the last status of each connector. These
//! messages are synthetic: they are marked and never compared.

use serde_json::Value;

use crate::clock::Micros;
use crate::ocpp::MessageType;

use super::model::Model;
use super::queue::{Mirrored, Synthetic, Traffic};

/// Message ids of made-up CALLs: a prefix that no charger uses, the connection, a counter. 36 characters. The counter
/// begins at the time, so that a restarted plane does not use an id again on the same connection.
#[derive(Debug)]
pub struct Ids {
    conn: u64,
    last: u64,
}

impl Ids {
    /// Ids for one charger connection from `now` on.
    pub fn new(conn: u64, now: Micros) -> Self {
        let last = now.unsigned_abs();
        Self { conn, last }
    }

    /// A CALL with the next id.
    pub fn call(&mut self, action: &str, payload: &str, why: &'static str) -> Synthetic {
        self.last += 1;
        let id = format!("evk-{:016x}{:016x}", self.conn, self.last);
        let number = MessageType::Call.number();
        let action_text = Value::from(action);
        Synthetic {
            text: format!(r#"[{number},"{id}",{action_text},{payload}]"#).into(),
            id: id.into(),
            action: action.into(),
            why,
        }
    }
}

/// What a fresh leg knows when it decides whether to prime.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The charger's first waiting message.
    pub first: Option<&'a Mirrored>,
    /// The charger caused this connect: its own connection is new, and so is the leg.
    pub charger_caused: bool,
    /// The charger has sent a BootNotification on its connection that went to this backend's connection too.
    pub booted: bool,
    /// The grace for the charger's own BootNotification is over.
    pub waited: bool,
}

/// What to do about priming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The charger introduces itself.
    Unneeded,
    /// Its BootNotification may be about to come.
    Wait,
    /// Replay.
    Now,
}

/// Decides whether the charger must be introduced.
pub fn decide(moment: Moment<'_>) -> Decision {
    let boots = |message: &Mirrored| message.traffic == Traffic::Boot;
    match moment.first {
        _ if moment.booted => Decision::Unneeded,
        Some(first) if boots(first) => Decision::Unneeded,
        Some(_) => Decision::Now,
        None if !moment.charger_caused || moment.waited => Decision::Now,
        None => Decision::Wait,
    }
}

/// The remembered BootNotification.
pub fn boot(model: &Model, ids: &mut Ids, why: &'static str) -> Option<Synthetic> {
    model
        .boot()
        .map(|payload| ids.call("BootNotification", payload, why))
}

/// The last status of each connector.
pub fn statuses(model: &Model, ids: &mut Ids) -> Vec<Synthetic> {
    model
        .statuses()
        .map(|(_, payload)| ids.call("StatusNotification", payload, "status"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(traffic: Traffic) -> Mirrored {
        Mirrored {
            seq: 1,
            at: 0,
            id: "1".into(),
            action: "X".into(),
            text: "[]".into(),
            traffic,
            again: false,
            kept: false,
            failed: 0,
            solicited: 0,
            asked: false,
        }
    }

    fn decision(first: Option<Traffic>, charger_caused: bool, waited: bool) -> Decision {
        let first = first.map(message);
        decide(Moment {
            first: first.as_ref(),
            charger_caused,
            booted: false,
            waited,
        })
    }

    #[test]
    fn a_charger_that_boots_introduces_itself() {
        assert_eq!(
            decision(Some(Traffic::Boot), true, false),
            Decision::Unneeded
        );
        assert_eq!(decision(None, true, false), Decision::Wait);
        assert_eq!(decision(None, true, true), Decision::Now);
        assert_eq!(decision(Some(Traffic::Other), true, false), Decision::Now);
    }

    #[test]
    fn after_the_backend_was_away_nobody_waits() {
        assert_eq!(decision(None, false, false), Decision::Now);
        assert_eq!(
            decision(Some(Traffic::Boot), false, false),
            Decision::Unneeded
        );
    }

    #[test]
    fn ids_are_unique_and_not_too_long() {
        let mut ids = Ids::new(u64::MAX, Micros::MAX);
        let (first, second) = (ids.call("A", "{}", "boot"), ids.call("A", "{}", "boot"));
        assert_ne!(first.id, second.id);
        assert_eq!(first.id.len(), 36);
        assert_eq!(
            first.text.as_ref(),
            format!(r#"[2,"{}","A",{{}}]"#, first.id)
        );
    }
}
