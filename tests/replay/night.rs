//! A night by hand: two chargers with three sessions each, as their authority saw it.

use evenkeel::facts::{Dir, Fact};
use evenkeel::ledger::views::rfc3339;
use evenkeel::replay::bundle::Charger;
use evenkeel::replay::story::Story;
use serde_json::{Value, json};

const BEGIN: i64 = 1_795_000_000_000_000;

/// All facts, numbered.
pub(super) fn facts() -> Vec<Fact> {
    let mut facts = old();
    facts.pop();
    let more = new().into_iter().map(|fact| Fact { conn: 2, ..fact });
    facts.extend(more);
    facts.sort_by_key(|fact| fact.at);
    for (fact, seq) in facts.iter_mut().zip(1..) {
        (fact.seq, fact.cause) = (seq, 0);
    }
    facts
}

/// A charger that talks.
struct Talk {
    story: Story,
    at: i64,
    count: u32,
}

impl Talk {
    fn new(identity: &str, version: &str, subprotocol: &str) -> Self {
        let charger = Charger {
            identity: identity.to_owned(),
            version: version.to_owned(),
            subprotocol: Some(subprotocol.to_owned()),
        };
        Self {
            story: Story::open(&charger, Some(subprotocol), BEGIN),
            at: BEGIN,
            count: 0,
        }
    }

    /// A CALL, five seconds after the one before, and its answer.
    fn say(&mut self, action: &str, payload: &Value, answer: &Value) {
        self.at += 5_000_000;
        self.count += 1;
        let id = format!("m{}", self.count);
        let call = json!([2, id, action, payload]).to_string();
        self.story.message(Dir::FromCharger, &call, self.at);
        let answer = json!([3, id, answer]).to_string();
        self.story
            .message(Dir::ToCharger, &answer, self.at + 20_000);
    }

    fn now(&self) -> String {
        rfc3339(self.at)
    }
}

fn old() -> Vec<Fact> {
    let mut talk = Talk::new("kerb-16", "1.6", "ocpp1.6");
    let accepted = json!({ "idTagInfo": { "status": "Accepted" } });
    let boot = json!({ "chargePointVendor": "Tallow", "chargePointModel": "Kerb" });
    talk.say(
        "BootNotification",
        &boot,
        &json!({ "status": "Accepted", "interval": 300, "currentTime": rfc3339(BEGIN) }),
    );
    for number in 0..3 {
        let transaction = 4711 + number;
        let status = json!({ "connectorId": 1, "errorCode": "NoError", "status": "Preparing" });
        talk.say("StatusNotification", &status, &json!({}));
        let start = json!({ "connectorId": 1, "idTag": "TAG-1", "meterStart": 10, "timestamp": talk.now() });
        let mut started = accepted.clone();
        started["transactionId"] = transaction.into();
        talk.say("StartTransaction", &start, &started);
        let sample = json!([{ "timestamp": talk.now(), "sampledValue": [{ "value": "20" }] }]);
        let meter = json!({ "connectorId": 1, "transactionId": transaction, "meterValue": sample });
        talk.say("MeterValues", &meter, &json!({}));
        let end = json!({ "transactionId": transaction, "meterStop": 30, "timestamp": talk.now() });
        talk.say("StopTransaction", &end, &json!({}));
    }
    talk.story.end(talk.at)
}

fn new() -> Vec<Fact> {
    let mut talk = Talk::new("lobby-201", "2.0.1", "ocpp2.0.1");
    let station = json!({ "vendorName": "Tallow", "model": "Lobby" });
    let boot = json!({ "reason": "PowerUp", "chargingStation": station });
    talk.say(
        "BootNotification",
        &boot,
        &json!({ "status": "Accepted", "interval": 300, "currentTime": rfc3339(BEGIN) }),
    );
    for number in 0..3 {
        let status = json!({ "evseId": 1, "connectorId": 1, "connectorStatus": "Occupied", "timestamp": talk.now() });
        talk.say("StatusNotification", &status, &json!({}));
        for (seq, kind) in ["Started", "Updated", "Ended"].into_iter().enumerate() {
            let event = json!({
                "eventType": kind, "triggerReason": "Authorized", "seqNo": seq, "timestamp": talk.now(),
                "transactionInfo": { "transactionId": format!("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4be{number}") },
                "meterValue": [{ "timestamp": talk.now(), "sampledValue": [{ "value": 20, "context": "Transaction.End" }] }],
            });
            talk.say("TransactionEvent", &event, &json!({}));
        }
    }
    talk.story.end(talk.at)
}
