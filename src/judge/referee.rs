//! What a session should have cost, from the charger's account and a tariff.

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::Value;

use super::tariff::{Priced, Tariff, TariffError, Usage, price};
use super::wire::Told;

/// The price of a session, with and without billing in steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) priced: Priced,
    pub(super) without_steps: Priced,
    pub(super) currency: String,
}

/// Why there is no expected price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPrice {
    /// No tariff was read.
    #[error("no record brings a tariff")]
    NoTariff,
    /// Several tariffs are in force at once.
    #[error("several tariffs were in force at the start")]
    SeveralTariffs,
    /// The charger's account lacks something.
    #[error("the charger's account is not complete")]
    Incomplete,
    /// The tariff cannot be applied.
    #[error(transparent)]
    Tariff(#[from] TariffError),
}

/// Prices what the charger told by the one of `tariffs` that was in force at its start.
pub(super) fn expect(
    told: &Told,
    tariffs: &[Value],
    zone: Option<Tz>,
) -> Result<Expected, NoPrice> {
    let (start, end) = told.span().ok_or(NoPrice::Incomplete)?;
    let wh = told.certain_energy().ok_or(NoPrice::Incomplete)?;
    let read = tariffs.iter().map(Tariff::read);
    let read: Vec<Tariff> = read.collect::<Result<_, _>>()?;
    let mut valid = read.into_iter().filter(|tariff| tariff.holds(start));
    let tariff = valid.next().ok_or(NoPrice::NoTariff)?;
    if valid.any(|other| other != tariff) {
        return Err(NoPrice::SeveralTariffs);
    }
    let usage = Usage {
        start,
        end,
        wh,
        curve: told.curve.clone(),
        parked: told.parked.clone(),
        zone,
    };
    Ok(Expected {
        priced: price(&usage, &tariff)?,
        currency: tariff.currency.clone(),
        without_steps: price(&usage, &tariff.without_steps())?,
    })
}

/// The smallest amount that is paid in a currency (ISO 4217).
pub(super) fn minor_unit(currency: &str) -> Decimal {
    match currency.to_ascii_uppercase().as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => Decimal::ONE,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => Decimal::new(1, 3),
        _ => Decimal::new(1, 2),
    }
}
