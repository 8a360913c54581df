//! Energy and times: three accounts of each.

use rust_decimal::Decimal;

use super::fault::Fault;
use super::trial::{Trial, Who};
use crate::clock::Micros;
use crate::judge::records::Record;
use crate::judge::wire::Told;
use crate::ledger::views::rfc3339;

const SECOND: Micros = 1_000_000;

/// A whole zone offset is a multiple of this, µs.
const QUARTER: Micros = 900 * SECOND;

/// Farther from the charger's clock than this is no receive time, µs.
const UNDER_WAY: Micros = 600 * SECOND;

/// One second, in hours to four decimals as OCPI has them.
fn second_in_hours() -> Decimal {
    Decimal::new(3, 4)
}

fn text(number: Option<Decimal>) -> Option<String> {
    number.map(|number| number.normalize().to_string())
}

fn is_near(a: Decimal, b: Decimal, tolerance: Decimal) -> bool {
    a.checked_sub(b).is_some_and(|off| off.abs() <= tolerance)
}

/// Compares energy, in Wh; the noise of three decimals of kWh is one.
pub(super) fn energy(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record) {
    let (ours, theirs) = (legacy.energy, candidate.energy);
    let wire = trial.told.certain_energy();
    let texts = [text(wire), text(ours), text(theirs)];
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        let who = match (ours, theirs) {
            (None, None) => Who::Unknown,
            (None, _) => Who::LegacyWrong,
            (_, _) => Who::CandidateWrong,
        };
        trial.check("energy", texts, who);
        trial.find(Fault::Energy, who);
        return;
    };
    let right = |wh| wire.map(|wire| is_near(wh, wire, Decimal::ONE));
    let equal = is_near(ours, theirs, Decimal::ONE);
    let who = Who::of(equal, right(ours), right(theirs));
    trial.check("energy", texts, who);
    let (wrong, other) = match who {
        Who::LegacyWrong => (ours, theirs),
        _ => (theirs, ours),
    };
    let fault = energy_fault(wrong, wire.unwrap_or(other), trial.told);
    trial.find(fault, who);
}

fn energy_fault(wrong: Decimal, right: Decimal, told: &Told) -> Fault {
    let starts_above_nought = told.first.is_some_and(|first| first > Decimal::ONE);
    let is_register = told
        .last
        .is_some_and(|last| is_near(wrong, last, Decimal::ONE));
    if starts_above_nought && is_register {
        return Fault::StartIgnored;
    }
    let times = |factor: Decimal, value: Decimal| value.checked_mul(factor);
    let is_power = |power: u32| {
        let factor = Decimal::from(10_u64.pow(power));
        let larger = times(factor, right).is_some_and(|large| is_near(wrong, large, factor));
        let smaller = times(factor, wrong).is_some_and(|large| is_near(large, right, factor));
        (
            larger && right > Decimal::ONE,
            smaller && wrong > Decimal::ZERO,
        )
    };
    match is_power(3) {
        (true, _) => return Fault::WattHours,
        (_, true) => return Fault::KilowattHours,
        _ => {}
    }
    let is_any = [1, 2, 4, 6].map(is_power).contains(&(true, false))
        || [1, 2, 4, 6].map(is_power).contains(&(false, true));
    if is_any {
        Fault::PowerOfTen
    } else {
        Fault::Energy
    }
}

/// Compares start and end: one finding, since one cause moves both.
pub(super) fn times(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record) {
    let told = trial.told;
    let mended = told.mended;
    let fields = [
        (
            "start",
            legacy.start,
            candidate.start,
            told.start,
            told.heard.0,
            mended.map(|m| m.0),
        ),
        (
            "end",
            legacy.end,
            candidate.end,
            told.stop,
            told.heard.1,
            mended.map(|m| m.1),
        ),
    ];
    let mut first = None;
    for (name, ours, theirs, wire, heard, mended) in fields {
        let texts = [wire, ours, theirs].map(|at| at.map(rfc3339));
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            trial.check(name, texts, Who::Unknown);
            continue;
        };
        let at = |a: Micros, b: Micros| (a - b).abs() <= SECOND;
        let right = |stated| wire.map(|wire| at(stated, wire));
        let mends = |stated| mended.is_some_and(|mended| at(stated, mended));
        let mut who = Who::of(at(ours, theirs), right(ours), right(theirs));
        // A clock that is off: one backend knows better, the other believes the charger.
        let is_mended = who.is_divergent() && (mends(ours) || mends(theirs));
        if is_mended {
            who = Who::Differ;
        }
        trial.check(name, texts, who);
        let (wrong, other) = match who {
            Who::LegacyWrong => (ours, theirs),
            _ => (theirs, ours),
        };
        let reference = if is_mended {
            other
        } else {
            wire.unwrap_or(other)
        };
        if who.is_divergent() && first.is_none() {
            first = Some((time_fault(wrong, reference, heard), who));
        }
    }
    if let Some((fault, who)) = first {
        trial.find(fault, who);
    }
}

fn time_fault(wrong: Micros, right: Micros, heard: Micros) -> Fault {
    let off = wrong - right;
    let quarters = (off + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
    if quarters != 0 && (off - quarters).abs() <= 2 * SECOND {
        Fault::TimeZone
    } else if off.abs() <= UNDER_WAY || (wrong - heard).abs() <= 5 * SECOND {
        Fault::ClockSource
    } else {
        Fault::Time
    }
}

/// Compares the totals of time that CDRs state, in hours.
pub(super) fn durations(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record) {
    if trial.has(&[Fault::TimeZone, Fault::ClockSource, Fault::Time]) {
        return;
    }
    let told = trial.told;
    let whole = told.span().filter(|_| told.mended.is_none());
    let whole = whole.and_then(|(start, stop)| hours(stop - start));
    if let (Some(ours), Some(theirs)) = (legacy.total_time, candidate.total_time) {
        total(trial, ("duration", Fault::Duration), whole, ours, theirs);
    }
    let parking = (!told.parked.is_empty())
        .then(|| hours(told.parking()))
        .flatten();
    let stated = [legacy.total_parking_time, candidate.total_parking_time];
    if stated.iter().any(Option::is_some) {
        // Absent says that there was none.
        let [ours, theirs] = stated.map(Option::unwrap_or_default);
        total(trial, ("parking", Fault::Parking), parking, ours, theirs);
    }
}

fn total(
    trial: &mut Trial<'_>,
    (name, fault): (&'static str, Fault),
    wire: Option<Decimal>,
    ours: Decimal,
    theirs: Decimal,
) {
    let right = |stated| wire.map(|wire| is_near(stated, wire, second_in_hours()));
    let equal = is_near(ours, theirs, second_in_hours());
    let who = Who::of(equal, right(ours), right(theirs));
    let wire = wire.map(|hours| hours.round_dp(4));
    let texts = [wire, Some(ours), Some(theirs)].map(text);
    trial.check(name, texts, who);
    trial.find(fault, who);
}

/// Hours in µs, exactly as far as decimals go.
pub(super) fn hours(micros: Micros) -> Option<Decimal> {
    Decimal::new(micros, 6).checked_div(Decimal::from(3_600))
}

/// Compares what charging periods come to, per dimension: lists may differ where sums do not.
pub(super) fn periods(trial: &mut Trial<'_>) {
    let roots = [
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
    if trial.has(&roots) {
        return;
    }
    let (ours, theirs) = (trial.legacy.volumes(), trial.candidate.volumes());
    let kwh = trial.told.certain_energy();
    let kwh = kwh.and_then(|wh| wh.checked_div(Decimal::ONE_THOUSAND));
    for (name, tolerance, wire) in [
        ("ENERGY", Decimal::new(1, 3), kwh),
        ("TIME", second_in_hours(), None),
        ("PARKING_TIME", second_in_hours(), None),
    ] {
        let (Some(&ours), Some(&theirs)) = (ours.get(name), theirs.get(name)) else {
            continue;
        };
        let right = |volume| wire.map(|wire| is_near(volume, wire, tolerance));
        let equal = is_near(ours, theirs, tolerance);
        let who = Who::of(equal, right(ours), right(theirs));
        let texts = [wire, Some(ours), Some(theirs)].map(text);
        trial.check("periods", texts, who);
        if !trial.has(&[Fault::Periods]) {
            trial.find(Fault::Periods, who);
        }
    }
}
