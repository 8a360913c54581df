//! The energy register of a session, from whatever the charger says of it.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::Defect;
use crate::clock::Micros;
use crate::judge::tree;
use crate::ocpp::json::{self, SyntaxError};
use crate::ocpp::{Fields, Version};

/// What is measured when nothing is said.
const REGISTER: &str = "Energy.Active.Import.Register";

/// How many readings of a session are kept: more are thinned out, the newest never.
const MOST: usize = 256;

/// What a reading marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Begin,
    Within,
    End,
}

/// One reading of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// Place in the session: the event's number, or the fact's.
    pub(super) order: i64,
    pub(super) at: Option<Micros>,
    pub(super) wh: Decimal,
    pub(super) mark: Mark,
    /// It comes with a signed value, which is the better evidence.
    pub(super) signed: bool,
}

/// What a list of meter values says.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) readings: Vec<Reading>,
    pub(super) signed: Vec<String>,
    pub(super) defects: Vec<Defect>,
}

/// The readings of a session.
#[derive(Debug, Default)]
pub(super) struct Meter {
    readings: Vec<Reading>,
}

/// What the readings come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) first: Option<Decimal>,
    pub(super) last: Option<Decimal>,
    pub(super) wh: Option<Decimal>,
    /// Energy since the beginning, by time.
    pub(super) curve: Vec<(Micros, Decimal)>,
    pub(super) defects: Vec<Defect>,
}

/// Reads `meterValue` or `transactionData`: an array, though some chargers send the one element alone. In one walk, since
/// most of what chargers send is this; an error anywhere leaves nothing of it.
pub(super) fn read(version: Version, values: &str, order: i64) -> Result<Heard, SyntaxError> {
    let mut heard = Heard::default();
    each(values, 0, |at| {
        element(version, values, (at, order), &mut heard)
    })?;
    Ok(heard)
}

/// Calls `visit` with where each element of the array at `at` begins, or the object that stands in its place.
fn each(
    text: &str,
    at: usize,
    mut visit: impl FnMut(usize) -> Result<usize, SyntaxError>,
) -> Result<usize, SyntaxError> {
    match text.as_bytes().get(at) {
        Some(b'[') => json::try_elements(text.as_bytes(), at, visit),
        Some(b'{') => visit(at),
        _ => tree::pass(text, at),
    }
}

/// What is sampled at one time.
fn element(
    version: Version,
    text: &str,
    (at, order): (usize, i64),
    heard: &mut Heard,
) -> Result<usize, SyntaxError> {
    if text.as_bytes().get(at) != Some(&b'{') {
        return tree::pass(text, at);
    }
    let mut stamp = None;
    let mut register = Register::default();
    let end = json::try_members(text, at, |name, value| match name.as_bytes() {
        b"sampledValue" => {
            register = Register::default();
            each(text, value, |at| {
                let mut sampled = Sampled::default();
                let end = sampled.read(text, at)?;
                register.take(version, &sampled, order);
                Ok(end)
            })
        }
        b"timestamp" => {
            let end = tree::pass(text, value)?;
            stamp = json::string_value(&text[value..end]);
            Ok(end)
        }
        _ => tree::pass(text, value),
    })?;
    let at = stamp.and_then(|text| super::stamp::Moment::read(Some(&text), 0, false).stated);
    heard.signed.append(&mut register.signed);
    heard.defects.append(&mut register.defects);
    let reading = register.total.or(register.phases);
    heard
        .readings
        .extend(reading.map(|reading| Reading { at, ..reading }));
    Ok(end)
}

/// The members of one sampled value that are read, as they are spelt.
#[derive(Debug, Default)]
struct Sampled<'a> {
    value: Option<&'a str>,
    measurand: Option<&'a str>,
    context: Option<&'a str>,
    format: Option<&'a str>,
    location: Option<&'a str>,
    phase: Option<&'a str>,
    unit: Option<&'a str>,
    unit_of_measure: Option<&'a str>,
    signed: Option<&'a str>,
}

impl<'a> Sampled<'a> {
    /// Takes the members of the value at `at`; returns the offset behind it.
    fn read(&mut self, text: &'a str, at: usize) -> Result<usize, SyntaxError> {
        if text.as_bytes().get(at) != Some(&b'{') {
            return tree::pass(text, at);
        }
        json::try_members(text, at, |name, value| {
            let end = tree::pass(text, value)?;
            // Of bytes a match looks at one after the other; texts it would compare whole, and there are many of them.
            let member = match name.as_bytes() {
                b"value" => &mut self.value,
                b"measurand" => &mut self.measurand,
                b"context" => &mut self.context,
                b"format" => &mut self.format,
                b"location" => &mut self.location,
                b"phase" => &mut self.phase,
                b"unit" => &mut self.unit,
                b"unitOfMeasure" => &mut self.unit_of_measure,
                b"signedMeterValue" => &mut self.signed,
                _ => return Ok(end),
            };
            *member = Some(&text[value..end]);
            Ok(end)
        })
    }

    /// Signed values are evidence for others: kept as they are, never read.
    fn signed(&self, version: Version) -> Option<String> {
        let text = if version != Version::V16 {
            Fields::read(self.signed?).text("signedMeterData")
        } else if text(self.format).as_deref() == Some("SignedData") {
            text(self.value)
        } else {
            None
        };
        text.map(Cow::into_owned)
    }

    /// Whether it is the register that a session is billed by.
    fn is_register(&self) -> bool {
        text(self.measurand).is_none_or(|measurand| measurand == REGISTER)
            && text(self.location).is_none_or(|location| location == "Outlet")
            && text(self.format).is_none_or(|format| format != "SignedData")
    }

    /// The value in Wh, exactly. A comma is never taken for a point: nobody knows what it means.
    fn watt_hours(&self, version: Version) -> Result<Decimal, Defect> {
        let literal = self.value.ok_or(Defect::Unreadable)?;
        let value = match json::string_value(literal) {
            Some(text) => number(text.trim())?,
            None if tree::is_number(literal) => tree::decimal(literal).ok_or(Defect::Unreadable)?,
            None => return Err(Defect::Unreadable),
        };
        let (unit, multiplier) = if version == Version::V16 {
            (text(self.unit), None)
        } else {
            let measure = self.unit_of_measure.map(Fields::read).unwrap_or_default();
            (measure.text("unit"), measure.last("multiplier"))
        };
        let thousands = match unit.as_deref().unwrap_or("Wh") {
            "Wh" => 0,
            "kWh" => 3,
            _ => return Err(Defect::UnknownUnit),
        };
        let power = match multiplier.filter(|literal| tree::is_number(literal)) {
            Some(literal) => literal.parse::<i32>().map_err(|_| Defect::Unreadable)?,
            None => 0,
        };
        scaled(value, power + thousands).ok_or(Defect::Unreadable)
    }
}

fn text(literal: Option<&str>) -> Option<Cow<'_, str>> {
    json::string_value(literal?)
}

/// The register at one time: the total if there is one, else the sum of its phases.
#[derive(Debug, Default)]
struct Register {
    total: Option<Reading>,
    phases: Option<Reading>,
    signed: Vec<String>,
    defects: Vec<Defect>,
}

impl Register {
    fn take(&mut self, version: Version, sampled: &Sampled<'_>, order: i64) {
        self.signed.extend(sampled.signed(version));
        if !sampled.is_register() {
            return;
        }
        let wh = match sampled.watt_hours(version) {
            Ok(wh) => wh,
            Err(defect) => {
                self.defects.push(defect);
                return;
            }
        };
        let reading = Reading {
            order,
            at: None,
            wh,
            mark: mark(text(sampled.context).as_deref()),
            signed: sampled.signed.is_some(),
        };
        if text(sampled.phase).is_none() {
            if self.total.as_ref().is_none_or(|kept| !kept.signed) {
                self.total = Some(reading);
            }
        } else if let Some(sum) = &mut self.phases {
            sum.wh = sum.wh.checked_add(wh).unwrap_or(sum.wh);
        } else {
            self.phases = Some(reading);
        }
    }
}

fn mark(context: Option<&str>) -> Mark {
    match context {
        Some("Transaction.Begin") => Mark::Begin,
        Some("Transaction.End") => Mark::End,
        _ => Mark::Within,
    }
}

fn number(text: &str) -> Result<Decimal, Defect> {
    if text.contains(',') {
        return Err(Defect::CommaDecimal);
    }
    tree::decimal(text).ok_or(Defect::Unreadable)
}

/// `value` times ten to the power of `power`.
fn scaled(value: Decimal, power: i32) -> Option<Decimal> {
    let factor = Decimal::try_new(1, power.unsigned_abs()).ok()?;
    if power < 0 {
        value.checked_mul(factor)
    } else {
        value.checked_div(factor)
    }
}

impl Meter {
    /// Takes a reading. Of too many every second goes, but for the marked and the newest.
    pub(super) fn push(&mut self, reading: Reading) {
        if self.readings.len() >= MOST {
            let mut place = 0;
            self.readings.retain(|kept| {
                place += 1;
                place % 2 == 1 || kept.mark != Mark::Within
            });
        }
        self.readings.push(reading);
    }

    /// What the readings come to, with the registers that the start and the stop themselves told, if they did. Those
    /// count when both are there and fit; the rest then only shows the course of the session.
    pub(super) fn total(mut self, start: Option<Reading>, stop: Option<Reading>) -> Total {
        self.readings
            .sort_by_key(|reading| (reading.mark, reading.order, reading.at));
        self.prefer_signed();
        let mut defects = Vec::new();
        let told = start.as_ref().zip(stop.as_ref());
        let told = told.map(|(start, stop)| (start.wh, stop.wh));
        if let Some((start, stop)) = told.filter(|(start, stop)| start <= stop)
            && let Some(defect) = self.strangers(start, stop)
        {
            defects.push(defect);
            self.readings.clear();
        }
        let all: Vec<Reading> = start.into_iter().chain(self.readings).chain(stop).collect();
        let mut total = accumulate(&all, defects);
        if let Some((start, stop)) = told.filter(|(start, stop)| start <= stop) {
            total.wh = stop.checked_sub(start);
        }
        total
    }

    /// Whether the readings are of another register, or in another unit, than what start and stop told.
    fn strangers(&self, start: Decimal, stop: Decimal) -> Option<Defect> {
        let last = self.readings.last()?;
        if is_thousandth(last.wh, stop) {
            return Some(Defect::MislabelledUnit);
        }
        let outside = |reading: &Reading| reading.wh < start || reading.wh > stop;
        self.readings
            .iter()
            .all(outside)
            .then_some(Defect::OtherRegister)
    }

    /// Where signed and bare readings mark the same end, the signed one counts.
    fn prefer_signed(&mut self) {
        for mark in [Mark::Begin, Mark::End] {
            let is_signed = |reading: &Reading| reading.mark == mark && reading.signed;
            if self.readings.iter().any(is_signed) {
                self.readings
                    .retain(|reading| reading.mark != mark || reading.signed);
            }
        }
    }
}

/// Whether kWh are labelled Wh: a thousandth of what the stop says, to the kWh.
fn is_thousandth(register: Decimal, stop: Decimal) -> bool {
    let Some(as_wh) = register.checked_mul(Decimal::ONE_THOUSAND) else {
        return false;
    };
    stop > Decimal::ONE_THOUSAND && (as_wh - stop).abs() <= Decimal::ONE_THOUSAND
}

/// A lone reading that is lower, or a nought, before the register goes on from where it was.
fn is_glitch(reading: &Reading, later: &[Reading], before: Decimal) -> bool {
    let goes_on = |later: &Reading| later.wh >= before;
    later.first().is_some_and(goes_on) || (reading.wh.is_zero() && later.iter().any(goes_on))
}

/// Adds up what the register gained. A lone lower reading between higher ones is a glitch; a register that goes on from
/// below was reset, and counts from nought.
fn accumulate(all: &[Reading], mut defects: Vec<Defect>) -> Total {
    let mut gained = Decimal::ZERO;
    let mut curve = Vec::new();
    let mut before: Option<Decimal> = None;
    for (place, reading) in all.iter().enumerate() {
        let step = match before {
            None => Decimal::ZERO,
            Some(before) if reading.wh >= before => reading.wh - before,
            Some(before) if is_glitch(reading, &all[place + 1..], before) => {
                defects.push(Defect::Glitch);
                continue;
            }
            Some(_) => {
                defects.push(Defect::Reset);
                reading.wh
            }
        };
        gained = gained.checked_add(step).unwrap_or(gained);
        before = Some(reading.wh);
        curve.extend(reading.at.map(|at| (at, gained)));
    }
    curve.sort_by_key(|(at, _)| *at);
    Total {
        first: all.first().map(|reading| reading.wh),
        last: before,
        wh: (all.len() > 1).then_some(gained),
        curve,
        defects,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(version: Version, text: &str) -> Heard {
        read(version, text, 1).unwrap()
    }

    fn wh(version: Version, sampled: &str) -> Result<String, Vec<Defect>> {
        let text = format!(r#"[{{"sampledValue":[{sampled}]}}]"#);
        let heard = readings(version, &text);
        match heard.readings.first() {
            Some(reading) => Ok(reading.wh.normalize().to_string()),
            None => Err(heard.defects),
        }
    }

    #[test]
    fn units_and_defaults_are_those_of_the_specification() {
        let old = |sampled| wh(Version::V16, sampled);
        let new = |sampled| wh(Version::V201, sampled);
        assert_eq!(old(r#"{"value":"12.0"}"#), Ok("12".into()));
        assert_eq!(old(r#"{"value":12}"#), Ok("12".into()));
        assert_eq!(old(r#"{"value":"1.5","unit":"kWh"}"#), Ok("1500".into()));
        assert_eq!(
            new(r#"{"value":15,"unitOfMeasure":{"unit":"kWh","multiplier":-1}}"#),
            Ok("1500".into())
        );
        assert_eq!(
            new(r#"{"value":15,"unitOfMeasure":{"multiplier":2}}"#),
            Ok("1500".into())
        );
        assert_eq!(old(r#"{"value":"9","measurand":"SoC"}"#), Err(vec![]));
        assert_eq!(old(r#"{"value":"9","location":"Inlet"}"#), Err(vec![]));
        assert_eq!(old(r#"{"value":"12,5"}"#), Err(vec![Defect::CommaDecimal]));
        assert_eq!(
            old(r#"{"value":"12","unit":"Hz"}"#),
            Err(vec![Defect::UnknownUnit])
        );
    }

    #[test]
    fn phases_are_summed_only_without_a_total() {
        let phases =
            r#"{"value":"1","phase":"L1"},{"value":"2","phase":"L2"},{"value":"4","phase":"L3"}"#;
        assert_eq!(wh(Version::V16, phases), Ok("7".into()));
        let total = format!(r#"{phases},{{"value":"9"}}"#);
        assert_eq!(wh(Version::V16, &total), Ok("9".into()));
    }

    #[test]
    fn an_object_in_place_of_an_array_is_read() {
        let text = r#"{"timestamp":"2026-11-24T06:00:00Z","sampledValue":{"value":"5"}}"#;
        assert_eq!(readings(Version::V16, text).readings.len(), 1);
    }

    #[test]
    fn signed_values_are_kept_and_preferred() {
        let text = r#"[{"sampledValue":[{"value":"OCMF|x","format":"SignedData"}]}]"#;
        assert_eq!(readings(Version::V16, text).signed, ["OCMF|x"]);
        let text = r#"[{"sampledValue":[{"value":5},{"value":6,"signedMeterValue":{"signedMeterData":"abc"}}]}]"#;
        let heard = readings(Version::V201, text);
        assert_eq!(heard.readings[0].wh, Decimal::from(6));
        assert_eq!(heard.signed, ["abc"]);
    }

    fn total(registers: &[i64]) -> (Option<Decimal>, Vec<Defect>) {
        let mut meter = Meter::default();
        for (order, wh) in registers.iter().enumerate() {
            meter.push(Reading {
                order: order as i64,
                at: None,
                wh: Decimal::from(*wh),
                mark: Mark::Within,
                signed: false,
            });
        }
        let total = meter.total(None, None);
        (total.wh, total.defects)
    }

    #[test]
    fn resets_are_told_from_glitches() {
        let wh = |wh: i64| Some(Decimal::from(wh));
        assert_eq!(total(&[100, 200, 350]), (wh(250), vec![]));
        assert_eq!(total(&[100, 200, 0, 350]), (wh(250), vec![Defect::Glitch]));
        assert_eq!(
            total(&[1000, 1200, 50, 150]),
            (wh(350), vec![Defect::Reset])
        );
        assert_eq!(total(&[5]).0, None);
    }

    #[test]
    fn many_readings_are_thinned_and_the_total_stays() {
        let many: Vec<i64> = (0..5_000).collect();
        assert_eq!(total(&many).0, Some(Decimal::from(4_999)));
    }
}
