//! Transactions that are going on at a charger, in the charger's own words.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Said;
use super::evidence::{Evidence, Source};

/// How many transactions are remembered; a charger has one for each EVSE.
const MOST: usize = 256;

/// How many facts of one transaction are remembered: its start, and where its place or authorisation changed.
const MOST_FACTS: usize = 8;

/// The transactions of one charger.
#[derive(Debug, Default)]
pub struct Transactions {
    /// By id: a 1.6 transaction has the one that the authority assigned.
    ongoing: BTreeMap<Box<str>, Transaction>,
    /// A 1.6 start that the authority has not answered. Boxed, as most of the time there is none.
    starting: Option<Box<Starting>>,
}

/// A start that waits for the authority's answer.
#[derive(Debug)]
struct Starting {
    conn: u64,
    id: Box<str>,
    connector: i64,
    source: Source,
}

/// One transaction.
#[derive(Debug)]
struct Transaction {
    evse: Option<i64>,
    connector: Option<i64>,
    authorized: bool,
    evidence: Evidence,
    facts: Vec<u64>,
    updated: Option<Said>,
}

impl Transactions {
    /// A 1.6 `StartTransaction` came.
    pub fn starting(&mut self, (conn, id): (u64, &str), connector: i64, source: Source) {
        self.starting = Some(Box::new(Starting {
            conn,
            id: id.into(),
            connector,
            source,
        }));
    }

    /// Whether the start with this message id on this connection waits for its answer.
    pub fn awaits(&self, conn: u64, id: &str) -> bool {
        self.starting
            .as_ref()
            .is_some_and(|starting| starting.conn == conn && *starting.id == *id)
    }

    /// The authority answered a 1.6 start. A transaction that it refuses goes on all the same until the charger stops it.
    pub fn started(&mut self, transaction: &str, answer: u64) -> bool {
        let Some(starting) = self.starting.take() else {
            return false;
        };
        let Starting {
            connector, source, ..
        } = *starting;
        // A connector has one transaction: an older one ended unseen.
        self.ongoing
            .retain(|_, other| other.connector != Some(connector));
        self.insert(
            transaction,
            Transaction {
                evse: None,
                connector: Some(connector),
                authorized: true,
                evidence: source.evidence,
                facts: vec![source.facts[0], answer],
                updated: None,
            },
        )
    }

    /// It is over. Says whether it was known.
    pub fn stopped(&mut self, transaction: &str) -> bool {
        self.ongoing.remove(transaction).is_some()
    }

    /// A 2.x `TransactionEvent` came. Says whether something other than its samples is different now.
    pub fn event(&mut self, payload: &str, source: Source) -> bool {
        let event: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
        let Some(id) = event["transactionInfo"]["transactionId"].as_str() else {
            return false;
        };
        if event["eventType"] == "Ended" {
            return self.stopped(id);
        }
        let place = event["evse"]["id"].as_i64();
        if event["eventType"] == "Started" && place.is_some() {
            // An EVSE has one transaction: an older one ended unseen.
            self.ongoing
                .retain(|known, other| **known == *id || other.evse != place);
        }
        let evidence = source.evidence;
        let known = self.ongoing.contains_key(id);
        if !known
            && !self.insert(
                id,
                Transaction {
                    evse: None,
                    connector: None,
                    authorized: false,
                    evidence,
                    facts: Vec::new(),
                    updated: None,
                },
            )
        {
            return false;
        }
        let Some(transaction) = self.ongoing.get_mut(id) else {
            return false;
        };
        let before = transaction.standing();
        transaction.evidence = evidence;
        transaction.read(&event);
        if event["eventType"] == "Updated" {
            transaction.updated = Some(Said::new(evidence.at, payload));
        }
        let differs = !known || transaction.standing() != before;
        if differs && transaction.facts.len() < MOST_FACTS {
            transaction.facts.push(source.facts[0]);
        }
        differs
    }

    fn insert(&mut self, id: &str, transaction: Transaction) -> bool {
        let room = self.ongoing.len() < MOST;
        if room {
            self.ongoing.insert(id.into(), transaction);
        }
        room
    }

    /// Those that are going on.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ongoing.keys().map(AsRef::as_ref)
    }

    /// When a transaction that is going on was last heard of.
    pub fn ongoing(&self, id: &str) -> Option<Evidence> {
        self.ongoing.get(id).map(|transaction| transaction.evidence)
    }

    /// Whether an authorised transaction is going on at an EVSE.
    pub fn authorized_at(&self, evse: i64) -> Option<Evidence> {
        let here =
            |transaction: &&Transaction| transaction.authorized && transaction.evse == Some(evse);
        self.ongoing
            .values()
            .find(here)
            .map(|transaction| transaction.evidence)
    }

    /// Whether any transaction is going on at a connector of 1.6 or an EVSE of 2.x; anywhere for `None`.
    pub fn any_at(&self, place: Option<i64>) -> Option<Evidence> {
        let here = |transaction: &&Transaction| {
            place.is_none_or(|place| transaction.evse.or(transaction.connector) == Some(place))
        };
        self.ongoing
            .values()
            .find(here)
            .map(|transaction| transaction.evidence)
    }

    /// The last `Updated` event of every transaction, with its EVSE.
    pub fn updates(&self) -> impl Iterator<Item = (Option<i64>, &Said)> {
        let updated = |transaction: &'_ Transaction| transaction.evse;
        self.ongoing.values().filter_map(move |transaction| {
            Some((updated(transaction), transaction.updated.as_ref()?))
        })
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        self.ongoing
            .values()
            .flat_map(|transaction| transaction.facts.iter().copied())
    }
}

impl Transaction {
    fn standing(&self) -> (Option<i64>, Option<i64>, bool) {
        (self.evse, self.connector, self.authorized)
    }

    fn read(&mut self, event: &Value) {
        let place = &event["evse"];
        self.evse = place["id"].as_i64().or(self.evse);
        self.connector = place["connectorId"].as_i64().or(self.connector);
        match event["triggerReason"].as_str() {
            Some("StopAuthorized" | "Deauthorized" | "RemoteStop") => self.authorized = false,
            Some("Authorized" | "RemoteStart") => self.authorized = true,
            _ => {
                let token = &event["idToken"]["type"];
                self.authorized |= token.as_str().is_some_and(|kind| kind != "NoAuthorization");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(at: i64) -> Source {
        Source::learned(at, [at as u64, 0])
    }

    fn event(kind: &str, reason: &str, rest: &str) -> String {
        format!(
            r#"{{"eventType":"{kind}","triggerReason":"{reason}","transactionInfo":{{"transactionId":"t"}}{rest}}}"#
        )
    }

    #[test]
    fn a_transaction_of_2x_is_followed_from_event_to_event() {
        let mut transactions = Transactions::default();
        assert!(transactions.event(
            &event(
                "Started",
                "CablePluggedIn",
                r#","evse":{"id":2,"connectorId":1}"#
            ),
            source(1)
        ));
        assert_eq!(transactions.authorized_at(2), None);
        assert!(transactions.event(&event("Updated", "Authorized", ""), source(2)));
        assert!(!transactions.event(&event("Updated", "MeterValuePeriodic", ""), source(3)));
        assert_eq!(transactions.authorized_at(2), Some(Evidence::learned(3)));
        assert_eq!(transactions.facts().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(transactions.updates().count(), 1);
        assert!(transactions.event(&event("Updated", "StopAuthorized", ""), source(4)));
        assert_eq!(transactions.authorized_at(2), None);
        assert!(transactions.event(&event("Ended", "EVDeparted", ""), source(5)));
        assert_eq!(
            (transactions.ongoing("t"), transactions.facts().count()),
            (None, 0)
        );
    }

    #[test]
    fn a_transaction_of_16_has_the_id_that_the_authority_assigned() {
        let mut transactions = Transactions::default();
        transactions.starting((1, "m"), 1, source(1));
        assert!(transactions.awaits(1, "m") && !transactions.awaits(1, "n"));
        assert!(transactions.started("7", 2));
        assert_eq!(transactions.any_at(Some(1)), Some(Evidence::learned(1)));
        assert_eq!(transactions.any_at(Some(2)), None);
        transactions.starting((1, "o"), 1, source(5));
        transactions.started("8", 6);
        assert_eq!(transactions.facts().collect::<Vec<_>>(), [5, 6]);
        assert!(transactions.stopped("8") && !transactions.stopped("8"));
    }
}
