//! OCPI tariffs and what a session costs by them, in exact decimals.
//!
//! Per dimension the first element counts that has a component for it and whose restrictions hold, in the local time of
//! the location. `step_size` counts once for energy and once for time: for parking if any was priced, else for charging
//! (OCPI 2.2.1, 11.4). Nothing is rounded but by steps; who shows a price rounds it.

mod price;
mod restrictions;
mod usage;

use std::str::FromStr as _;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::clock::Micros;
use crate::judge::tree::decimal;
pub use price::{Priced, price};
pub use restrictions::Restrictions;
pub use usage::Usage;

/// Why a tariff gives no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// A part that every tariff has is missing or unreadable.
    #[error("the tariff's {0} cannot be read")]
    Unreadable(&'static str),
    /// It asks for something that this implementation does not price.
    #[error("the tariff uses {0}")]
    Unsupported(&'static str),
    /// It depends on local time, and nobody said which.
    #[error("the tariff depends on local time, and the location's time zone is not known")]
    NoZone,
    /// Amounts too large to calculate with.
    #[error("amounts are too large")]
    Overflow,
}

/// What is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Once per session.
    Flat,
    /// Per kWh.
    Energy,
    /// Per hour of charging.
    Time,
    /// Per hour of not charging.
    ParkingTime,
}

/// The price of one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What is priced.
    pub dimension: Dimension,
    /// Per kWh, hour or session, without VAT.
    pub price: Decimal,
    /// VAT in percent; absent is not 0.
    pub vat: Option<Decimal>,
    /// Wh or seconds that are billed in one piece.
    pub step: u64,
}

/// Prices and when they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// One per dimension.
    pub components: Vec<Component>,
    /// When they hold.
    pub when: Restrictions,
}

/// A limit of the whole price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// Without VAT.
    pub excl: Option<Decimal>,
    /// With VAT.
    pub incl: Option<Decimal>,
}

/// A tariff's content. Its identifier and texts are not: two backends name the same tariff differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// ISO 4217.
    pub currency: String,
    /// In the order in which they are tried.
    pub elements: Vec<Element>,
    /// No session costs less.
    pub least: Limit,
    /// No session costs more.
    pub most: Limit,
    /// From when to when it is in force, µs UTC.
    pub valid: (Option<Micros>, Option<Micros>),
}

impl Tariff {
    /// Reads an OCPI 2.2.1 or 2.3.0 tariff.
    pub fn read(value: &Value) -> Result<Self, TariffError> {
        if text(value, "tax_included").is_some_and(|included| included == "YES") {
            return Err(TariffError::Unsupported("prices with taxes included"));
        }
        let elements = value.get("elements").and_then(Value::as_array);
        let elements = elements.ok_or(TariffError::Unreadable("elements"))?;
        let instant = |name| text(value, name).and_then(instant);
        Ok(Self {
            currency: text(value, "currency")
                .ok_or(TariffError::Unreadable("currency"))?
                .to_ascii_uppercase(),
            elements: elements.iter().map(element).collect::<Result<_, _>>()?,
            least: limit(value.get("min_price")),
            most: limit(value.get("max_price")),
            valid: (instant("start_date_time"), instant("end_date_time")),
        })
    }

    /// Whether it is in force at `at`.
    pub fn holds(&self, at: Micros) -> bool {
        self.valid.0.is_none_or(|from| from <= at) && self.valid.1.is_none_or(|until| at < until)
    }

    /// The same tariff with nothing billed in pieces.
    #[must_use]
    pub fn without_steps(mut self) -> Self {
        let components = self.elements.iter_mut().flat_map(|e| &mut e.components);
        for component in components {
            component.step = 1;
        }
        self
    }
}

fn element(value: &Value) -> Result<Element, TariffError> {
    let components = value.get("price_components").and_then(Value::as_array);
    let components = components.ok_or(TariffError::Unreadable("price components"))?;
    Ok(Element {
        components: components.iter().map(component).collect::<Result<_, _>>()?,
        when: Restrictions::read(value.get("restrictions").filter(|value| !value.is_null()))?,
    })
}

fn component(value: &Value) -> Result<Component, TariffError> {
    let dimension = match text(value, "type") {
        Some("FLAT") => Dimension::Flat,
        Some("ENERGY") => Dimension::Energy,
        Some("TIME") => Dimension::Time,
        Some("PARKING_TIME") => Dimension::ParkingTime,
        _ => return Err(TariffError::Unsupported("another dimension")),
    };
    Ok(Component {
        dimension,
        price: number(value, "price").ok_or(TariffError::Unreadable("price"))?,
        vat: number(value, "vat"),
        step: value.get("step_size").and_then(Value::as_u64).unwrap_or(1),
    })
}

/// A price of either version.
fn limit(value: Option<&Value>) -> Limit {
    let Some(value) = value else {
        return Limit::default();
    };
    let either = |old, new| number(value, old).or_else(|| number(value, new));
    Limit {
        excl: either("excl_vat", "before_taxes"),
        incl: either("incl_vat", "after_taxes"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn number(value: &Value, name: &str) -> Option<Decimal> {
    match value.get(name)? {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => Decimal::from_str(text.trim()).ok(),
        _ => None,
    }
}

fn instant(text: &str) -> Option<Micros> {
    let zoned = chrono::DateTime::parse_from_rfc3339(text).ok();
    // OCPI: what names no zone is UTC.
    let zoned = zoned.or_else(|| chrono::DateTime::parse_from_rfc3339(&format!("{text}Z")).ok());
    zoned.map(|at| at.timestamp_micros())
}

#[cfg(test)]
mod tests;
