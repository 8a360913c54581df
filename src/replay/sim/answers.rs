//! What a simulated backend answers, and the books it keeps. No I/O.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::backend::{Stray, Transaction};
use super::dialect::{Dialect, Mint};
use super::pace::stamp;
use super::random::Random;
use crate::clock::Micros;
use crate::ocpp::Version;

/// The answer to a CALL: a payload, or error code and description.
pub(super) type Reply = Result<Value, (String, String)>;

/// What a backend has on record.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) transactions: Vec<Transaction>,
    pub(super) strays: Vec<Stray>,
    minted: i64,
    random: Random,
}

/// One CALL to answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) charger: &'a str,
    pub(super) version: Version,
    pub(super) action: &'a str,
    pub(super) payload: &'a Value,
    /// Real time, µs.
    pub(super) now: Micros,
}

impl Books {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            transactions: Vec::new(),
            strays: Vec::new(),
            minted: 0,
            random: Random::named(seed, "transactions"),
        }
    }

    /// Answers one CALL in the backend's dialect and writes down what it means.
    pub(super) fn answer(&mut self, dialect: &Dialect, asked: Asked<'_>) -> Reply {
        if let Some((_, code)) = dialect
            .refuses
            .iter()
            .find(|(action, _)| action == asked.action)
        {
            return Err((code.clone(), "refused by configuration".to_owned()));
        }
        match (asked.action, asked.version) {
            ("BootNotification", version) => Ok(boot(dialect, version, asked.now)),
            ("Heartbeat", _) => Ok(json!({ "currentTime": time(dialect, asked.now) })),
            ("Authorize", Version::V16) => Ok(id_tag_info(dialect, asked.payload, true)),
            ("Authorize", _) => Ok(id_token_info(dialect, asked.payload, true)),
            ("StartTransaction", Version::V16) => Ok(self.start(dialect, asked)),
            ("StopTransaction", Version::V16) => Ok(self.stop(dialect, asked)),
            ("MeterValues", Version::V16) => self.meter(dialect, asked),
            ("TransactionEvent", Version::V201 | Version::V21) => Ok(self.event(dialect, asked)),
            ("DataTransfer", _) => Ok(data_transfer(dialect, asked.payload)),
            (action, _) if is_accepted(action) => Ok(json!({ "status": "Accepted" })),
            ("GetCertificateStatus", Version::V201 | Version::V21) => {
                Ok(json!({ "status": "Failed" }))
            }
            ("VatNumberValidation", Version::V21) => Ok(json!({
                "status": "Accepted",
                "vatNumber": text(asked.payload, "/vatNumber"),
            })),
            (action, version) if is_notice(action, version) => Ok(json!({})),
            (action, _) => Err(("NotImplemented".to_owned(), action.to_owned())),
        }
    }

    fn start(&mut self, dialect: &Dialect, asked: Asked<'_>) -> Value {
        if let Some(known) = self.known_start(dialect, asked) {
            let mut answer = id_tag_info(dialect, asked.payload, false);
            answer["transactionId"] = known.into();
            return answer;
        }
        let id = self.mint(dialect.mint, asked.now);
        self.transactions.push(Transaction {
            charger: asked.charger.to_owned(),
            id: id.to_string(),
            connector: integer(asked.payload, "/connectorId").unwrap_or(0),
            tag: text(asked.payload, "/idTag").to_owned(),
            meter_start: integer(asked.payload, "/meterStart"),
            meter_stop: None,
            samples: 0,
            reason: String::new(),
            began: text(asked.payload, "/timestamp").to_owned(),
            ended: None,
            updated: asked.now,
        });
        let mut answer = id_tag_info(dialect, asked.payload, false);
        answer["transactionId"] = id.into();
        answer
    }

    /// The identifier of a start that was told before.
    fn known_start(&self, dialect: &Dialect, asked: Asked<'_>) -> Option<i64> {
        let is_it = |it: &&Transaction| {
            it.charger == asked.charger
                && it.began == text(asked.payload, "/timestamp")
                && it.meter_start == integer(asked.payload, "/meterStart")
                && Some(it.connector) == integer(asked.payload, "/connectorId")
        };
        let known = self.transactions.iter().find(is_it)?;
        dialect.keeps_starts.then(|| known.id.parse().ok())?
    }

    fn stop(&mut self, dialect: &Dialect, asked: Asked<'_>) -> Value {
        if let Some(transaction) = self.find(asked, "/transactionId") {
            transaction.meter_stop = integer(asked.payload, "/meterStop");
            text(asked.payload, "/reason").clone_into(&mut transaction.reason);
            transaction.end(asked);
        }
        if dialect.stop_info && asked.payload.get("idTag").is_some() {
            id_tag_info(dialect, asked.payload, false)
        } else {
            json!({})
        }
    }

    fn meter(&mut self, dialect: &Dialect, asked: Asked<'_>) -> Reply {
        if let Some(limit) = dialect.longest_value
            && longest_value(asked.payload) > limit
        {
            return Err((
                "TypeConstraintViolation".to_owned(),
                format!("sampledValue.value is longer than {limit}"),
            ));
        }
        if asked.payload.get("transactionId").is_some()
            && let Some(transaction) = self.find(asked, "/transactionId")
        {
            transaction.samples += 1;
        }
        Ok(json!({}))
    }

    fn event(&mut self, dialect: &Dialect, asked: Asked<'_>) -> Value {
        let payload = asked.payload;
        let kind = text(payload, "/eventType");
        if kind == "Started" {
            self.open_event(asked);
        } else if let Some(transaction) = self.find(asked, "/transactionInfo/transactionId") {
            transaction.samples += usize::from(kind == "Updated");
            if kind == "Ended" {
                transaction.meter_stop = register(payload, "Transaction.End");
                text(payload, "/transactionInfo/stoppedReason").clone_into(&mut transaction.reason);
                transaction.end(asked);
            }
        }
        let mut answer = if payload.get("idToken").is_some() {
            id_token_info(dialect, payload, false)
        } else {
            json!({})
        };
        if kind == "Ended"
            && let Some(cost) = dialect.price.and_then(|price| total_cost(payload, price))
        {
            answer["totalCost"] = cost;
        }
        answer
    }

    fn open_event(&mut self, asked: Asked<'_>) {
        let payload = asked.payload;
        self.transactions.push(Transaction {
            charger: asked.charger.to_owned(),
            id: json_text(payload, "/transactionInfo/transactionId"),
            connector: integer(payload, "/evse/id").unwrap_or(0),
            tag: text(payload, "/idToken/idToken").to_owned(),
            meter_start: register(payload, "Transaction.Begin"),
            meter_stop: None,
            samples: 0,
            reason: String::new(),
            began: text(payload, "/timestamp").to_owned(),
            ended: None,
            updated: asked.now,
        });
    }

    /// The charger's transaction with the id at `pointer`; an id that is not on record is a stray.
    fn find(&mut self, asked: Asked<'_>, pointer: &str) -> Option<&mut Transaction> {
        let id = json_text(asked.payload, pointer);
        let found = self
            .transactions
            .iter_mut()
            .rfind(|known| known.charger == asked.charger && known.id == id);
        if found.is_none() {
            self.strays.push(Stray {
                charger: asked.charger.to_owned(),
                action: asked.action.to_owned(),
                id,
            });
        }
        found
    }

    fn mint(&mut self, mint: Mint, now: Micros) -> i64 {
        let count = self.minted;
        self.minted += 1;
        match mint {
            Mint::Up(from) => from + count,
            Mint::Down(from) => from - count,
            Mint::Random => self.random.within(1..=0x7fff_ffff) as i64,
            Mint::Epoch => now / 1_000_000 + count,
        }
    }
}

impl Transaction {
    fn end(&mut self, asked: Asked<'_>) {
        self.ended = Some(text(asked.payload, "/timestamp").to_owned());
        self.updated = asked.now;
    }
}

/// Whether a message is answered with a status, and it is this one.
fn is_accepted(action: &str) -> bool {
    matches!(
        action,
        "SignCertificate"
            | "NotifyEVChargingNeeds"
            | "NotifyEVChargingSchedule"
            | "OpenPeriodicEventStream"
    )
}

/// Whether a message is answered with an empty payload.
fn is_notice(action: &str, version: Version) -> bool {
    match action {
        "StatusNotification"
        | "FirmwareStatusNotification"
        | "LogStatusNotification"
        | "SecurityEventNotification" => true,
        "DiagnosticsStatusNotification" | "SignedFirmwareStatusNotification" => {
            version == Version::V16
        }
        "BatterySwap"
        | "ClosePeriodicEventStream"
        | "NotifyDERAlarm"
        | "NotifyDERStartStop"
        | "NotifyPriorityCharging"
        | "NotifySettlement"
        | "ReportDERControl" => version == Version::V21,
        "ClearedChargingLimit"
        | "MeterValues"
        | "NotifyChargingLimit"
        | "NotifyCustomerInformation"
        | "NotifyDisplayMessages"
        | "NotifyEvent"
        | "NotifyMonitoringReport"
        | "NotifyReport"
        | "PublishFirmwareStatusNotification"
        | "ReportChargingProfiles"
        | "ReservationStatusUpdate" => version != Version::V16,
        _ => false,
    }
}

fn time(dialect: &Dialect, now: Micros) -> String {
    let precision = if dialect.millis {
        SecondsFormat::Millis
    } else {
        SecondsFormat::Secs
    };
    stamp(now + dialect.skew * 1_000_000, precision)
}

fn boot(dialect: &Dialect, version: Version, now: Micros) -> Value {
    let interval = match version {
        Version::V16 => dialect.interval_16,
        Version::V201 | Version::V21 => dialect.interval_201,
    };
    json!({
        "currentTime": time(dialect, now),
        "interval": interval,
        "status": dialect.boot_status,
    })
}

fn id_tag_info(dialect: &Dialect, payload: &Value, at_the_reader: bool) -> Value {
    let status = dialect.status_of(text(payload, "/idTag"), at_the_reader);
    json!({ "idTagInfo": { "status": status } })
}

fn id_token_info(dialect: &Dialect, payload: &Value, at_the_reader: bool) -> Value {
    let status = dialect.status_of(text(payload, "/idToken/idToken"), at_the_reader);
    json!({ "idTokenInfo": { "status": status } })
}

fn data_transfer(dialect: &Dialect, payload: &Value) -> Value {
    let vendor = text(payload, "/vendorId");
    let known = dialect.vendors.iter().any(|one| one == vendor);
    json!({ "status": if known { "Accepted" } else { "UnknownVendorId" } })
}

fn text<'a>(payload: &'a Value, pointer: &str) -> &'a str {
    payload
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn integer(payload: &Value, pointer: &str) -> Option<i64> {
    payload.pointer(pointer)?.as_i64()
}

fn json_text(payload: &Value, pointer: &str) -> String {
    payload.pointer(pointer).unwrap_or(&Value::Null).to_string()
}

fn samples(payload: &Value) -> impl Iterator<Item = &Value> {
    let values = payload.get("meterValue").and_then(Value::as_array);
    values
        .into_iter()
        .flatten()
        .filter_map(|value| value.get("sampledValue")?.as_array())
        .flatten()
}

fn longest_value(payload: &Value) -> usize {
    samples(payload)
        .map(|sample| text(sample, "/value").len())
        .max()
        .unwrap_or(0)
}

/// The energy register with this context, Wh.
fn register(payload: &Value, context: &str) -> Option<i64> {
    samples(payload)
        .find(|sample| text(sample, "/context") == context)
        .and_then(|sample| integer(sample, "/value"))
}

/// Energy between the two registers of an Ended event times `price` (cents per kWh), rounded half up to cents.
fn total_cost(payload: &Value, price: u64) -> Option<Value> {
    let energy = register(payload, "Transaction.End")? - register(payload, "Transaction.Begin")?;
    let cents = (u64::try_from(energy).ok()? * price + 500) / 1000;
    let text = format!("{}.{:02}", cents / 100, cents % 100);
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask<'a>(version: Version, action: &'a str, payload: &'a Value) -> Asked<'a> {
        Asked {
            charger: "c",
            version,
            action,
            payload,
            now: 1_700_000_000_000_000,
        }
    }

    #[test]
    fn ids_are_minted_as_the_dialect_says() {
        let first = |mint| {
            let mut books = Books::new(1);
            let first = books.mint(mint, 1_700_000_000_000_000);
            (first, books.mint(mint, 1_700_000_000_000_000))
        };
        assert_eq!(first(Mint::Up(0)), (0, 1));
        assert_eq!(first(Mint::Down(-1)), (-1, -2));
        assert_eq!(first(Mint::Epoch), (1_700_000_000, 1_700_000_001));
        assert!(first(Mint::ABOVE_INT32).0 > i64::from(i32::MAX));
        assert_eq!(first(Mint::Random), first(Mint::Random));
    }

    #[test]
    fn an_unknown_transaction_is_answered_and_noted_as_a_stray() {
        let mut books = Books::new(1);
        let payload = json!({ "transactionId": 9, "meterStop": 5, "timestamp": "t" });
        let answer = books.answer(
            &Dialect::default(),
            ask(Version::V16, "StopTransaction", &payload),
        );
        assert_eq!(answer, Ok(json!({})));
        assert_eq!(books.strays[0].id, "9");
    }

    #[test]
    fn the_cost_is_energy_times_price_rounded_half_up() {
        let payload = json!({ "meterValue": [
            { "sampledValue": [{ "value": 1_000, "context": "Transaction.Begin" }] },
            { "sampledValue": [{ "value": 11_043, "context": "Transaction.End" }] },
        ]});
        assert_eq!(
            total_cost(&payload, 35).map(|cost| cost.to_string()),
            Some("3.52".to_owned())
        );
    }

    #[test]
    fn long_values_are_refused_by_a_strict_backend_only() {
        let payload = json!({ "connectorId": 1, "meterValue": [
            { "sampledValue": [{ "value": "12.000000000000" }] },
        ]});
        let call = ask(Version::V16, "MeterValues", &payload);
        assert_eq!(
            Books::new(1).answer(&Dialect::default(), call),
            Ok(json!({}))
        );
        let strict = Dialect {
            longest_value: Some(8),
            ..Dialect::default()
        };
        let refusal = Books::new(1).answer(&strict, call).unwrap_err();
        assert_eq!(refusal.0, "TypeConstraintViolation");
    }
}
