//! What a session costs by a tariff.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::usage::Stretch;
use super::{Component, Dimension, Tariff, TariffError, Usage};

/// Seconds in an hour.
const HOUR: Decimal = Decimal::from_parts(3_600, 0, 0, false, 0);

/// Wh in a kWh.
const KILO: Decimal = Decimal::ONE_THOUSAND;

/// What a session costs, unrounded, and what it was billed for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Priced {
    /// Without VAT.
    pub excl: Decimal,
    /// With VAT; absent if no component names any.
    pub incl: Option<Decimal>,
    /// Energy billed, Wh.
    pub wh: Decimal,
    /// Charging time billed, seconds.
    pub charging: Decimal,
    /// Parking time billed, seconds.
    pub parking: Decimal,
}

/// What each component is billed for.
#[derive(Debug, Default)]
struct Bill<'a> {
    lines: Vec<(&'a Component, Decimal)>,
    /// What was used in all, priced or not: steps count over the whole session.
    used: BTreeMap<Dimension, Decimal>,
}

/// What `usage` costs by `tariff`.
pub fn price(usage: &Usage, tariff: &Tariff) -> Result<Priced, TariffError> {
    let is_local = tariff
        .elements
        .iter()
        .any(|element| element.when.is_local());
    if is_local && usage.zone.is_none() {
        return Err(TariffError::NoZone);
    }
    let mut bill = Bill::default();
    for stretch in usage.stretches(tariff) {
        bill.add(tariff, &stretch);
    }
    let stepped = [Dimension::ParkingTime, Dimension::Time]
        .into_iter()
        .find(|dimension| bill.last(*dimension).is_some());
    for dimension in stepped.into_iter().chain([Dimension::Energy]) {
        bill.round_up(dimension).ok_or(TariffError::Overflow)?;
    }
    bill.priced(tariff).ok_or(TariffError::Overflow)
}

impl<'a> Bill<'a> {
    fn add(&mut self, tariff: &'a Tariff, stretch: &Stretch) {
        let time = if stretch.parked {
            Dimension::ParkingTime
        } else {
            Dimension::Time
        };
        let used = [
            (Dimension::Flat, Decimal::ONE),
            (Dimension::Energy, stretch.wh),
            (time, stretch.seconds),
        ];
        for (dimension, amount) in used {
            *self.used.entry(dimension).or_default() += amount;
            let once = dimension == Dimension::Flat && self.last(dimension).is_some();
            if amount.is_zero() || once {
                continue;
            }
            let component = tariff
                .elements
                .iter()
                .filter(|element| element.when.hold(&stretch.point))
                .flat_map(|element| &element.components)
                .find(|component| component.dimension == dimension);
            self.lines
                .extend(component.map(|component| (component, amount)));
        }
    }

    /// The component that a dimension was billed by last.
    fn last(&self, dimension: Dimension) -> Option<&'a Component> {
        let mut lines = self.lines.iter().rev();
        lines
            .find(|(component, _)| component.dimension == dimension)
            .map(|(component, _)| *component)
    }

    fn total(&self, dimension: Dimension) -> Option<Decimal> {
        self.lines
            .iter()
            .filter(|(component, _)| component.dimension == dimension)
            .try_fold(Decimal::ZERO, |sum, (_, amount)| sum.checked_add(*amount))
    }

    /// Rounds what was used of a dimension up to the step of its last component, which the rest is billed by.
    fn round_up(&mut self, dimension: Dimension) -> Option<()> {
        let Some(last) = self.last(dimension) else {
            return Some(());
        };
        let total = self.used.get(&dimension).copied()?;
        let step = Decimal::from(last.step.max(1));
        // A step of one is none: nothing is finer than what was measured.
        if last.step > 1 || dimension == Dimension::Energy {
            let whole = total.checked_div(step)?.ceil().checked_mul(step)?;
            self.lines.push((last, whole.checked_sub(total)?));
        }
        Some(())
    }

    fn priced(&self, tariff: &Tariff) -> Option<Priced> {
        let mut priced = Priced {
            wh: self.total(Dimension::Energy)?,
            charging: self.total(Dimension::Time)?,
            parking: self.total(Dimension::ParkingTime)?,
            ..Priced::default()
        };
        let mut incl = Decimal::ZERO;
        let mut taxed = false;
        for (component, amount) in &self.lines {
            let unit = match component.dimension {
                Dimension::Flat => Decimal::ONE,
                Dimension::Energy => KILO,
                Dimension::Time | Dimension::ParkingTime => HOUR,
            };
            // Multiplied first: the division is the only step that may not come out even.
            let cost = amount.checked_mul(component.price)?.checked_div(unit)?;
            let vat = component.vat.unwrap_or_default();
            let tax = cost.checked_mul(vat)?.checked_div(Decimal::ONE_HUNDRED)?;
            priced.excl = priced.excl.checked_add(cost)?;
            incl = incl.checked_add(cost)?.checked_add(tax)?;
            taxed |= component.vat.is_some();
        }
        let excl = [tariff.least.excl, tariff.most.excl];
        priced.excl = clamped(priced.excl, excl);
        priced.incl = taxed.then(|| clamped(incl, [tariff.least.incl, tariff.most.incl]));
        Some(priced)
    }
}

fn clamped(amount: Decimal, [least, most]: [Option<Decimal>; 2]) -> Decimal {
    let amount = least.map_or(amount, |least| amount.max(least));
    most.map_or(amount, |most| amount.min(most))
}
