//! Transactions that are going on at a charger, in the charger's own words.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::Said;
use super::evidence::{Evidence, Source};

/// How many transactions are remembered; a charger has one for each EVSE.
const MOST: usize = 256;

/// How many facts of one transaction are remembered: its start, and where its place or authorisation changed.
const MOST_FACTS: usize = 8;

/// How many transactions that have just ended are remembered.
const MOST_ENDED: usize = 16;

/// The transactions of one charger.
#[derive(Debug, Default)]
pub struct Transactions {
    /// By id: a 1.6 transaction has the one that the authority assigned.
    ongoing: BTreeMap<Box<str>, Transaction>,
    /// A 1.6 start that the authority has not answered. Boxed, as most of the time there is none.
    starting: Option<Box<Starting>>,
    /// 1.6 transactions whose end the charger has told, and may tell again.
    ending: Vec<Ending>,
    /// 1.6 transactions that are over.
    ended: VecDeque<Box<str>>,
}

/// An end that the charger tells until it has heard the authority's answer.
#[derive(Debug)]
struct Ending {
    transaction: Box<str>,
    connector: Option<i64>,
    /// The `StopTransaction`.
    conn: u64,
    id: Box<str>,
    answered: bool,
    facts: Vec<u64>,
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
    /// A 1.6 `StartTransaction` came. What has ended at this connector was told before.
    pub fn starting(&mut self, (conn, id): (u64, &str), connector: i64, source: Source) {
        self.end(|one| one.connector.is_none_or(|place| place == connector));
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

    /// A 1.6 message names a transaction whose start was not seen: it goes on. Says whether that is news.
    pub fn named(&mut self, transaction: &str, connector: i64, source: Source) -> bool {
        let has_ended = self.ended.iter().any(|ended| **ended == *transaction);
        !has_ended
            && !self.knows(transaction)
            && self.insert(
                transaction,
                Transaction {
                    evse: None,
                    connector: Some(connector),
                    authorized: true,
                    evidence: source.evidence,
                    facts: vec![source.facts[0]],
                    updated: None,
                },
            )
    }

    /// A 1.6 `StopTransaction` came. The charger tells it again until it has heard an answer. Says whether it is told for
    /// the first time.
    pub fn stopping(&mut self, (conn, id): (u64, &str), transaction: &str, fact: u64) -> bool {
        if let Some(again) = self
            .ending
            .iter_mut()
            .find(|one| *one.transaction == *transaction)
        {
            (again.conn, again.id, again.answered) = (conn, id.into(), false);
            return false;
        }
        let known = self.ongoing.remove(transaction);
        let (connector, mut facts) =
            known.map_or((None, Vec::new()), |known| (known.connector, known.facts));
        facts.push(fact);
        if self.ending.len() >= MOST_ENDED {
            self.ending.remove(0);
        }
        self.ending.push(Ending {
            transaction: transaction.into(),
            connector,
            conn,
            id: id.into(),
            answered: false,
            facts,
        });
        true
    }

    /// The authority answered a 1.6 CALL.
    pub fn answered(&mut self, conn: u64, id: &str) {
        for one in &mut self.ending {
            one.answered |= one.conn == conn && *one.id == *id;
        }
    }

    /// The charger said something else on this connection: it has heard the answers to what it said before. Says whether
    /// that ends anything.
    pub fn went_on(&mut self, conn: u64) -> bool {
        self.end(|one| one.answered && one.conn == conn)
    }

    fn end(&mut self, is_over: impl Fn(&Ending) -> bool) -> bool {
        let before = self.ending.len();
        for over in self.ending.extract_if(.., |one| is_over(one)) {
            if self.ended.len() >= MOST_ENDED {
                self.ended.pop_front();
            }
            self.ended.push_back(over.transaction);
        }
        self.ending.len() != before
    }

    /// A 2.x transaction is over. Says whether it was known.
    fn over(&mut self, transaction: &str) -> bool {
        self.ongoing.remove(transaction).is_some()
    }

    /// A 2.x `TransactionEvent` came. Says whether something other than its samples is different now.
    pub fn event(&mut self, payload: &str, source: Source) -> bool {
        let event: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
        let Some(id) = event["transactionInfo"]["transactionId"].as_str() else {
            return false;
        };
        if event["eventType"] == "Ended" {
            return self.over(id);
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

    /// Whether it goes on, or its end may be told again.
    pub fn knows(&self, transaction: &str) -> bool {
        self.ongoing.contains_key(transaction) || self.ending().any(|id| id == transaction)
    }

    /// Those whose end may be told again.
    pub fn ending(&self) -> impl Iterator<Item = &str> {
        self.ending.iter().map(|one| one.transaction.as_ref())
    }

    /// Whether one at this 1.6 connector has an end that may be told again.
    pub fn ends_at(&self, connector: i64) -> bool {
        self.ending
            .iter()
            .any(|one| one.connector == Some(connector))
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
        let ongoing = self.ongoing.values().map(|one| &one.facts);
        let ending = self.ending.iter().map(|one| &one.facts);
        ongoing.chain(ending).flatten().copied()
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
        assert!(transactions.stopping((1, "p"), "8", 7));
        assert_eq!(transactions.ids().count(), 0);
    }

    #[test]
    fn an_end_may_be_told_again_until_its_answer_was_heard() {
        let mut transactions = Transactions::default();
        transactions.starting((1, "m"), 1, source(1));
        transactions.started("7", 2);
        assert!(transactions.stopping((1, "n"), "7", 3));
        assert_eq!(transactions.facts().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(!transactions.went_on(1), "it is not answered");
        // The connection is lost, and the charger says it again on the next one.
        assert!(!transactions.stopping((2, "n"), "7", 4));
        transactions.answered(1, "n");
        assert!(!transactions.went_on(2));
        transactions.answered(2, "n");
        assert_eq!(transactions.ending().collect::<Vec<_>>(), ["7"]);
        assert!(!transactions.went_on(1) && transactions.went_on(2));
        assert_eq!(transactions.ending().count(), 0);
        assert!(!transactions.named("7", 1, source(5)), "a straggler");
        assert!(transactions.named("6", 2, source(5)), "it began unseen");
        assert_eq!(transactions.ids().collect::<Vec<_>>(), ["6"]);
    }
}
