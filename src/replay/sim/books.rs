//! What a simulated backend books of its transactions, told as OCPI 2.2.1 sessions and CDRs. No I/O.

use chrono::{DateTime, SecondsFormat};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::backend::Transaction;
use super::pace::stamp;
use crate::clock::Micros;

const HOUR: Micros = 3_600_000_000;

/// An error that a backend makes in its CDRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Writes Wh where kWh belong.
    WattHours,
    /// Writes local time and calls it UTC: an hour too much.
    HourAhead,
    /// Loses the CDR.
    Lost,
}

/// Where a backend makes an error: on one connector (1.6) or EVSE (2.0.1) of one charger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flawed {
    /// The charger.
    pub charger: &'static str,
    /// The connector or EVSE.
    pub connector: i64,
    /// The error.
    pub flaw: Flaw,
}

/// How a backend keeps its books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookkeeping {
    /// In front of the identifiers of its CDRs.
    pub prefix: &'static str,
    /// Price in cents per kWh.
    pub price: u64,
    /// Cuts costs off after two decimals; else they are rounded to four.
    pub cuts: bool,
    /// Its errors.
    pub flaws: &'static [Flawed],
}

impl Bookkeeping {
    /// The session object of a transaction, which both keep alike.
    pub(super) fn session(transaction: &Transaction) -> Value {
        let ended = transaction.ended.as_deref();
        let mut session = common(transaction);
        session["id"] = name(transaction).into();
        session["start_date_time"] = transaction.began.as_str().into();
        session["kwh"] = number(kilo(watt_hours(transaction).unwrap_or_default()));
        session["location_id"] = location(&transaction.charger).into();
        session["evse_uid"] = evse(&transaction.charger, transaction.connector).into();
        session["connector_id"] = "1".into();
        session["status"] = ended.map_or("ACTIVE", |_| "COMPLETED").into();
        if let Some(ended) = ended {
            session["end_date_time"] = ended.into();
        }
        session
    }

    /// The CDR of a transaction; `None` while it runs, and where it was lost.
    pub(super) fn cdr(&self, transaction: &Transaction) -> Option<Value> {
        let flaw = self.flaw(transaction);
        let wh = watt_hours(transaction)?;
        let (began, ended) = (
            instant(&transaction.began)?,
            instant(transaction.ended.as_deref()?)?,
        );
        let ahead = match flaw {
            Some(Flaw::Lost) => return None,
            Some(Flaw::HourAhead) => HOUR,
            _ => 0,
        };
        let at = |at: Micros| stamp(at + ahead, SecondsFormat::Millis);
        let energy = match flaw {
            Some(Flaw::WattHours) => Decimal::from(wh),
            _ => kilo(wh),
        };
        let hours = Decimal::new(ended - began, 6).checked_div(Decimal::from(3_600))?;
        let hours = hours.round_dp(4);
        let tariff = format!("{}-AD-HOC", self.prefix);
        let mut cdr = common(transaction);
        cdr["id"] = format!("{}-{}", self.prefix, name(transaction)).into();
        cdr["session_id"] = name(transaction).into();
        cdr["start_date_time"] = at(began).into();
        cdr["end_date_time"] = at(ended).into();
        cdr["cdr_location"] = json!({
            "id": location(&transaction.charger),
            "evse_uid": evse(&transaction.charger, transaction.connector),
            "connector_id": "1",
        });
        cdr["tariffs"] = json!([{ "id": tariff, "currency": "EUR", "elements": [{ "price_components": [
            { "type": "ENERGY", "price": number(Decimal::new(self.price.try_into().ok()?, 2)), "step_size": 1 },
        ]}]}]);
        cdr["charging_periods"] = json!([{
            "start_date_time": at(began),
            "tariff_id": tariff,
            "dimensions": [
                { "type": "ENERGY", "volume": number(energy) },
                { "type": "TIME", "volume": number(hours) },
            ],
        }]);
        cdr["total_energy"] = number(energy);
        cdr["total_time"] = number(hours);
        cdr["total_cost"] = json!({ "excl_vat": number(self.cost(wh)) });
        Some(cdr)
    }

    /// Energy times price.
    fn cost(&self, wh: i64) -> Decimal {
        let exact = Decimal::from(wh) * Decimal::from(self.price) * Decimal::new(1, 5);
        if self.cuts {
            exact.trunc_with_scale(2)
        } else {
            exact.round_dp(4)
        }
    }

    fn flaw(&self, transaction: &Transaction) -> Option<Flaw> {
        let found = self.flaws.iter().find(|flawed| {
            flawed.charger == transaction.charger && flawed.connector == transaction.connector
        });
        found.map(|flawed| flawed.flaw)
    }
}

/// Members that sessions and CDRs share.
fn common(transaction: &Transaction) -> Value {
    json!({
        "country_code": "DE",
        "party_id": "HAR",
        "cdr_token": {
            "country_code": "DE",
            "party_id": "EMP",
            "uid": transaction.tag,
            "type": "RFID",
            "contract_id": format!("DE-EMP-C{}", transaction.tag),
        },
        "auth_method": "WHITELIST",
        "currency": "EUR",
        "last_updated": stamp(transaction.updated, SecondsFormat::Millis),
    })
}

/// The EVSE's identifier at both backends.
pub fn evse(charger: &str, connector: i64) -> String {
    format!("{charger}*{connector}")
}

fn location(charger: &str) -> &str {
    charger.split('-').next().unwrap_or(charger)
}

/// The transaction identifier without the quotes that it has in JSON.
fn name(transaction: &Transaction) -> &str {
    transaction.id.trim_matches('"')
}

fn watt_hours(transaction: &Transaction) -> Option<i64> {
    Some(transaction.meter_stop? - transaction.meter_start?)
}

fn kilo(wh: i64) -> Decimal {
    Decimal::new(wh, 3)
}

/// A number with exactly the decimals that it has.
fn number(number: Decimal) -> Value {
    serde_json::from_str(&number.normalize().to_string()).unwrap_or_default()
}

fn instant(text: &str) -> Option<Micros> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction() -> Transaction {
        Transaction {
            charger: "harbour-ac-01".to_owned(),
            id: "17".to_owned(),
            connector: 2,
            tag: "TAG".to_owned(),
            meter_start: Some(1_000),
            meter_stop: Some(2_217),
            samples: 2,
            reason: String::new(),
            began: "2026-11-01T10:00:00.000Z".to_owned(),
            ended: Some("2026-11-01T10:03:00.000Z".to_owned()),
            updated: 1_793_527_380_000_000,
        }
    }

    fn books(cuts: bool, flaws: &'static [Flawed]) -> Bookkeeping {
        Bookkeeping {
            prefix: "X",
            price: 35,
            cuts,
            flaws,
        }
    }

    const fn flawed(flaw: Flaw) -> Flawed {
        Flawed {
            charger: "harbour-ac-01",
            connector: 2,
            flaw,
        }
    }

    fn at(value: &Value, pointer: &str) -> String {
        value.pointer(pointer).unwrap().to_string()
    }

    #[test]
    fn a_cdr_says_what_the_charger_told() {
        let cdr = books(false, &[]).cdr(&transaction()).unwrap();
        assert_eq!(at(&cdr, "/total_energy"), "1.217");
        assert_eq!(at(&cdr, "/total_time"), "0.05");
        assert_eq!(at(&cdr, "/total_cost/excl_vat"), "0.426");
        assert_eq!(at(&cdr, "/end_date_time"), "\"2026-11-01T10:03:00.000Z\"");
        assert_eq!(at(&cdr, "/cdr_location/evse_uid"), "\"harbour-ac-01*2\"");
        let cut = books(true, &[]).cdr(&transaction()).unwrap();
        assert_eq!(at(&cut, "/total_cost/excl_vat"), "0.42");
    }

    #[test]
    fn each_flaw_shows_on_its_connector_only() {
        const WATTS: &[Flawed] = &[flawed(Flaw::WattHours)];
        const AHEAD: &[Flawed] = &[flawed(Flaw::HourAhead)];
        const LOST: &[Flawed] = &[flawed(Flaw::Lost)];
        let watts = books(false, WATTS).cdr(&transaction()).unwrap();
        assert_eq!(at(&watts, "/total_energy"), "1217");
        let ahead = books(false, AHEAD).cdr(&transaction()).unwrap();
        assert_eq!(
            at(&ahead, "/start_date_time"),
            "\"2026-11-01T11:00:00.000Z\""
        );
        assert_eq!(books(false, LOST).cdr(&transaction()), None);
        let other = Transaction {
            connector: 1,
            ..transaction()
        };
        for flaws in [WATTS, AHEAD, LOST] {
            let plain = books(false, &[]).cdr(&other).unwrap().to_string();
            assert_eq!(books(false, flaws).cdr(&other).unwrap().to_string(), plain);
        }
    }

    #[test]
    fn a_running_session_has_no_cdr() {
        let running = Transaction {
            ended: None,
            meter_stop: None,
            ..transaction()
        };
        assert_eq!(books(false, &[]).cdr(&running), None);
        let session = Bookkeeping::session(&running);
        assert_eq!(at(&session, "/status"), "\"ACTIVE\"");
    }
}
