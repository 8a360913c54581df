//! Which way each charger goes: to the one backend, to the other, or for a while through the mediator.
//!
//! The truth is in the recording. The shadow plane writes it there first and then orders what follows from it; the live
//! plane keeps it in memory, so that it needs neither disk nor shadow plane to let a charger in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::facts::Leg;

/// How long a charger that is being moved waits at the door for its old connection to be seen to its end.
const HELD: Duration = Duration::from_secs(8);

/// How long a charger that is about to be moved is not read. Much shorter than any charger waits for an answer.
pub const PAUSE: Duration = Duration::from_secs(5);

/// What an order begins with on its way from the shadow plane; status lines are JSON and begin otherwise.
pub const ORDER: &[u8] = b"route ";

/// The way of one charger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The backend that it hears.
    pub authority: Leg,
    /// Whether it goes through the mediator.
    pub mediated: bool,
    /// Whether it has to wait: what its old connection carried is still on its way to the new authority.
    pub held: bool,
}

/// What the shadow plane orders. Carrying it out twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The charger.
    pub charger: String,
    /// The backend that it hears from now on; its connections to the other one are ended.
    pub authority: Leg,
    /// Whether it goes through the mediator.
    #[serde(default)]
    pub mediated: bool,
    /// Whether it has to wait for another order.
    #[serde(default)]
    pub held: bool,
    /// Only this: what the charger says on its open connections stays unread for [`PAUSE`], or until the next order.
    #[serde(default)]
    pub paused: bool,
}

impl Order {
    /// The line that carries it, line break included.
    pub fn line(&self) -> Vec<u8> {
        let mut line = ORDER.to_vec();
        // Plain words and flags always serialise; a line without any would be refused, loudly.
        line.extend(serde_json::to_vec(self).unwrap_or_default());
        line.push(b'\n');
        line
    }

    /// Reads a line without its line break; `None` if it is no order.
    pub fn read(line: &[u8]) -> Option<Result<Self, serde_json::Error>> {
        line.strip_prefix(ORDER).map(serde_json::from_slice)
    }
}

/// The ways of all chargers.
#[derive(Debug)]
pub struct Routes {
    default: Route,
    moved: RefCell<HashMap<Box<str>, Held>>,
    changed: Notify,
    patience: Duration,
}

#[derive(Debug)]
struct Held {
    route: Route,
    until: Instant,
}

impl Routes {
    /// Everybody goes to `authority`, but for those who were moved.
    pub fn new(authority: Leg, moved: Vec<(String, Route)>) -> Self {
        let routes = Self {
            default: Route {
                authority,
                mediated: false,
                held: false,
            },
            moved: RefCell::default(),
            changed: Notify::new(),
            patience: HELD,
        };
        for (charger, route) in moved {
            routes.set(charger, route);
        }
        routes
    }

    /// The way of a charger as it is now.
    pub fn of(&self, charger: &str) -> Route {
        self.moved
            .borrow()
            .get(charger)
            .map_or(self.default, |held| held.route)
    }

    /// The way of a charger once it may come in. A shadow plane that never says so is waited for only so long.
    pub async fn admitted(&self, charger: &str) -> Route {
        loop {
            let changed = self.changed.notified();
            let until = match self.moved.borrow().get(charger) {
                Some(held) if held.route.held => held.until,
                Some(held) => return held.route,
                None => return self.default,
            };
            if timeout_at(until, changed).await.is_err() {
                tracing::warn!(
                    charger,
                    "let in unseen: the shadow plane says nothing of its old connection"
                );
                return self.of(charger);
            }
        }
    }

    /// Takes an order. One that pauses a charger changes nobody's way.
    pub fn take(&self, order: &Order) {
        if order.paused {
            return;
        }
        let Order {
            authority,
            mediated,
            held,
            ..
        } = *order;
        let route = Route {
            authority,
            mediated,
            held,
        };
        self.set(order.charger.clone(), route);
        self.changed.notify_waiters();
    }

    fn set(&self, charger: String, route: Route) {
        let mut moved = self.moved.borrow_mut();
        let until = Instant::now() + self.patience;
        let held = moved.entry(charger.into());
        let held = held.or_insert(Held { route, until });
        if !held.route.held {
            held.until = until;
        }
        held.route = route;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(authority: Leg, held: bool) -> Order {
        Order {
            charger: "CP1".to_owned(),
            authority,
            mediated: false,
            held,
            paused: false,
        }
    }

    #[test]
    fn orders_survive_the_line() {
        let sent = order(Leg::Candidate, true);
        let line = sent.line();
        let (end, rest) = line.split_last().unwrap();
        assert_eq!(*end, b'\n');
        assert_eq!(Order::read(rest).unwrap().unwrap(), sent);
        assert!(Order::read(b"{\"state\":\"recording\"}").is_none());
        assert!(Order::read(b"route {").unwrap().is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_charger_that_is_being_moved_waits_but_not_for_ever() {
        let routes = Routes {
            patience: Duration::from_millis(200),
            ..Routes::new(Leg::Legacy, Vec::new())
        };
        assert_eq!(routes.admitted("CP1").await.authority, Leg::Legacy);
        routes.take(&order(Leg::Candidate, true));
        assert_eq!(routes.of("CP1").authority, Leg::Candidate);
        assert_eq!(routes.of("CP2").authority, Leg::Legacy);
        let admitted = async {
            tokio::task::yield_now().await;
            routes.take(&order(Leg::Candidate, false));
        };
        let (route, ()) = tokio::join!(routes.admitted("CP1"), admitted);
        assert!(!route.held, "let in by an order, not by time");

        let begun = Instant::now();
        routes.take(&order(Leg::Legacy, true));
        let route = routes.admitted("CP1").await;
        assert_eq!(route.authority, Leg::Legacy);
        assert!(begun.elapsed() >= routes.patience);
    }
}
