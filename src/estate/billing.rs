//! Who bills a session that was open when its charger was moved: one backend for each, and the same whoever asks.
//!
//! Both backends know such a session from its beginning to its end, as authority or as shadow. The one that is the charger's
//! authority when the session ends has heard its end from the charger itself, and bills it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Micros;
use crate::facts::Leg;
use crate::facts::authority::{Change, Step};

/// A session that was open at a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// The charger.
    pub charger: Arc<str>,
    /// What the charger calls it.
    pub wire: String,
    /// What the backends call it, by leg.
    pub names: [String; 2],
    /// The backend that bills it: the other one must not.
    pub bills: Leg,
    /// Every switch that it was open at, oldest first.
    pub passed: Vec<Passed>,
}

/// A switch that a session was open at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// The switch.
    pub switch: i64,
    /// When its charger was let in at the other backend, µs.
    pub at: Micros,
    /// That backend.
    #[serde(serialize_with = "word")]
    pub to: Leg,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn word<S: serde::Serializer>(leg: &Leg, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(leg.word())
}

/// A message that a backend never got: it was owed it as the shadow of a charger, and then became its authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lacking {
    /// The charger.
    pub charger: String,
    /// The backend that lacks it.
    #[serde(serialize_with = "word")]
    pub backend: Leg,
    /// The switch, after which nothing could bring it there.
    pub switch: i64,
    /// When that was, µs.
    pub at: Micros,
    /// The message's fact.
    pub message: u64,
    /// Its action.
    pub action: String,
    /// The transaction that it is about, as the charger calls it; empty for one that had no name yet.
    pub transaction: String,
}

/// What backends never got, in the order of the steps.
pub fn untold<'a>(
    steps: impl IntoIterator<Item = (&'a Arc<str>, Micros, &'a Change)>,
) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    for (charger, at, change) in steps {
        lacking.extend(change.untold.iter().map(|untold| Lacking {
            charger: charger.to_string(),
            backend: change.to,
            switch: change.switch,
            at,
            message: untold.message,
            action: untold.action.clone(),
            transaction: untold.transaction.clone(),
        }));
    }
    lacking
}

/// The sessions that were open at a switch, by charger and then in order, from the steps of all switches in order.
pub fn switched<'a>(
    steps: impl IntoIterator<Item = (&'a Arc<str>, Micros, &'a Change)>,
) -> Vec<Switched> {
    let mut lists: BTreeMap<&Arc<str>, List> = BTreeMap::new();
    for (charger, at, change) in steps {
        if change.step == Step::Admitted {
            lists.entry(charger).or_default().take(charger, at, change);
        }
    }
    lists.into_values().flat_map(|list| list.sessions).collect()
}

/// The sessions of one charger.
#[derive(Default)]
struct List {
    sessions: Vec<Switched>,
    /// Those that were open at the last switch: names are used again, but not for two that are open.
    open: Vec<usize>,
}

impl List {
    fn take(&mut self, charger: &Arc<str>, at: Micros, change: &Change) {
        let passed = Passed {
            switch: change.switch,
            at,
            to: change.to,
        };
        let transactions = change.open.iter().filter(|one| one.is_transaction());
        let mut open = Vec::new();
        for one in transactions {
            let known = self.open.iter().copied();
            let place = known
                .clone()
                .find(|place| self.sessions[*place].wire == one.wire)
                .unwrap_or_else(|| {
                    let names = [&one.from, &one.to];
                    let [legacy, candidate] = match change.to {
                        Leg::Candidate => names,
                        Leg::Legacy => [names[1], names[0]],
                    };
                    self.sessions.push(Switched {
                        charger: Arc::clone(charger),
                        wire: one.wire.clone(),
                        names: [legacy.clone(), candidate.clone()],
                        bills: change.to,
                        passed: Vec::new(),
                    });
                    self.sessions.len() - 1
                });
            let session = &mut self.sessions[place];
            session.bills = change.to;
            session.passed.push(passed);
            open.push(place);
        }
        self.open = open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::authority::Carried;

    fn admitted(switch: i64, to: Leg, open: &[[&str; 3]]) -> Change {
        let open = open.iter();
        Change {
            open: open
                .map(|[wire, from, to]| Carried::transaction(wire, from, to))
                .collect(),
            ..Change::new(switch, Step::Admitted, to)
        }
    }

    #[test]
    fn each_session_is_billed_where_it_ends_and_nowhere_else() {
        let (one, other): (Arc<str>, Arc<str>) = ("CP1".into(), "CP2".into());
        let steps = [
            (&one, admitted(1, Leg::Candidate, &[["4711", "4711", "1"]])),
            (&other, admitted(1, Leg::Candidate, &[["t", "t", "t"]])),
            // The session of the first goes on; another has begun at the candidate. That of the second has ended there.
            (
                &one,
                admitted(2, Leg::Legacy, &[["4711", "1", "4711"], ["9", "9", "4720"]]),
            ),
            (&other, admitted(2, Leg::Legacy, &[])),
            // A name is used again.
            (&one, admitted(3, Leg::Candidate, &[])),
            (&one, admitted(4, Leg::Legacy, &[["9", "9", "4799"]])),
        ];
        let steps: Vec<_> = steps
            .iter()
            .map(|(who, change)| (*who, 5, change))
            .collect();
        let listed = switched(steps);
        let told: Vec<_> = listed
            .iter()
            .map(|one| {
                let [legacy, candidate] = one.names.each_ref().map(String::as_str);
                (
                    &*one.charger,
                    legacy,
                    candidate,
                    one.bills,
                    one.passed.len(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("CP1", "4711", "1", Leg::Legacy, 2),
                ("CP1", "4720", "9", Leg::Legacy, 1),
                ("CP1", "4799", "9", Leg::Legacy, 1),
                ("CP2", "t", "t", Leg::Candidate, 1),
            ]
        );
    }
}
