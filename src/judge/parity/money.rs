//! Cost: two accounts, and the referee's price.

use rust_decimal::Decimal;

use super::bias::Bias;
use super::fault::Fault;
use super::trial::{Trial, Who};
use crate::judge::records::{Price, Record};
use crate::judge::referee::{Expected, minor_unit};
use crate::judge::tariff::Tariff;

/// Whatever moves the cost by itself: a cost that follows is not counted again.
const ROOTS: [Fault; 10] = [
    Fault::WattHours,
    Fault::KilowattHours,
    Fault::PowerOfTen,
    Fault::StartIgnored,
    Fault::Energy,
    Fault::TimeZone,
    Fault::ClockSource,
    Fault::Time,
    Fault::Duration,
    Fault::Parking,
];

/// Compares what the session costs.
pub(super) fn cost(
    trial: &mut Trial<'_>,
    (legacy, candidate): (&Record, &Record),
    expected: Option<&Expected>,
    bias: &mut Bias,
) {
    if !same_terms(trial, legacy, candidate, expected) {
        return;
    }
    let (Some(ours), Some(theirs)) = (legacy.cost, candidate.cost) else {
        return;
    };
    let currency = legacy.currency.as_ref().or(candidate.currency.as_ref());
    let unit = minor_unit(currency.map_or("", String::as_str));
    let expected = expected.filter(|expected| {
        currency.is_none_or(|currency| currency.eq_ignore_ascii_case(&expected.currency))
    });
    let who = net(trial, (ours, theirs), expected, unit);
    if who == Some(Who::Equal) {
        if let Some(who) = bias.count((ours, theirs), expected, unit) {
            trial.flaw(Fault::FloorForRound, who);
        }
        tax(trial, (ours, theirs), unit);
        parts(trial, legacy, candidate, unit);
    }
}

/// Whether both count in the same currency by the same tariff.
fn same_terms(
    trial: &mut Trial<'_>,
    legacy: &Record,
    candidate: &Record,
    expected: Option<&Expected>,
) -> bool {
    if let (Some(ours), Some(theirs)) = (&legacy.currency, &candidate.currency)
        && !ours.eq_ignore_ascii_case(theirs)
    {
        let right = |currency: &String| {
            expected.map(|expected| currency.eq_ignore_ascii_case(&expected.currency))
        };
        let who = Who::of(false, right(ours), right(theirs));
        trial.check(
            "currency",
            [None, Some(ours.clone()), Some(theirs.clone())],
            who,
        );
        trial.find(Fault::Currency, who);
        return false;
    }
    let content = |record: &Record| {
        let tariffs = record.tariffs.iter().map(Tariff::read);
        tariffs.collect::<Result<Vec<_>, _>>().ok()
    };
    if legacy.tariffs.is_empty() || candidate.tariffs.is_empty() {
        return true;
    }
    let same = match (content(legacy), content(candidate)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // What cannot be read is compared as text, identifiers and all.
        _ => legacy
            .tariffs
            .iter()
            .map(ToString::to_string)
            .eq(candidate.tariffs.iter().map(ToString::to_string)),
    };
    let who = if same { Who::Equal } else { Who::Differ };
    trial.flaw(Fault::Tariff, who);
    same
}

/// The amount without VAT, or with it where that is all there is.
fn net(
    trial: &mut Trial<'_>,
    (ours, theirs): (Price, Price),
    expected: Option<&Expected>,
    unit: Decimal,
) -> Option<Who> {
    let excl = ours.excl_vat.zip(theirs.excl_vat);
    let incl = ours.incl_vat.zip(theirs.incl_vat);
    let wire = match excl {
        Some(_) => expected.map(|it| it.priced.excl),
        None => expected.and_then(|it| it.priced.incl),
    };
    let (ours, theirs) = excl.or(incl)?;
    let near = |a: Decimal, b: Decimal| (a - b).abs() <= unit;
    let right = |amount| wire.map(|wire| near(amount, wire));
    let who = Who::of(near(ours, theirs), right(ours), right(theirs));
    let text = |amount: Decimal| amount.normalize().to_string();
    let texts = [wire.map(|wire| wire.round_dp(4)), Some(ours), Some(theirs)];
    trial.check("cost", texts.map(|amount| amount.map(text)), who);
    if trial.has(&ROOTS) {
        return None;
    }
    let wrong = if who == Who::LegacyWrong {
        ours
    } else {
        theirs
    };
    let unstepped = expected.map(|it| it.without_steps.excl);
    let fault = match (unstepped, wire) {
        (Some(unstepped), Some(wire)) if near(wrong, unstepped) && !near(unstepped, wire) => {
            Fault::StepSize
        }
        _ => Fault::Price,
    };
    trial.find(fault, who);
    Some(if who == Who::BothWrong {
        Who::Equal
    } else {
        who
    })
}

fn tax(trial: &mut Trial<'_>, (ours, theirs): (Price, Price), unit: Decimal) {
    let tax = |price: Price| {
        price
            .incl_vat
            .zip(price.excl_vat)
            .map(|(incl, excl)| incl - excl)
    };
    let (ours, theirs) = (tax(ours), tax(theirs));
    let is_some = |tax: Option<Decimal>| tax.is_some_and(|tax| tax > unit);
    let differ = (ours.unwrap_or_default() - theirs.unwrap_or_default()).abs() > unit;
    if !differ {
        return;
    }
    match (is_some(ours), is_some(theirs)) {
        (true, false) => trial.flaw(Fault::VatMissing, Who::CandidateWrong),
        (false, true) => trial.flaw(Fault::VatMissing, Who::LegacyWrong),
        _ => trial.flaw(Fault::Vat, Who::Differ),
    }
}

/// Parts must agree; one that is left out was not applied, and comes to nought.
fn parts(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record, unit: Decimal) {
    if legacy.cost_parts.is_empty() || candidate.cost_parts.is_empty() {
        return;
    }
    let of = |record: &Record, name: &str| {
        let mut parts = record.cost_parts.iter();
        parts.find(|(part, _)| *part == name)?.1.excl_vat
    };
    let (mut differ, mut absent) = (false, false);
    for (name, _) in legacy.cost_parts.iter().chain(&candidate.cost_parts) {
        let (ours, theirs) = (of(legacy, name), of(candidate, name));
        let apart = (ours.unwrap_or_default() - theirs.unwrap_or_default()).abs() > unit;
        differ |= apart;
        absent |= !apart && ours.is_some() != theirs.is_some();
    }
    if differ {
        trial.flaw(Fault::CostPart, Who::Differ);
    } else if absent {
        trial.flaw(Fault::CostPartAbsent, Who::Differ);
    }
}
