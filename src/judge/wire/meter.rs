//! The energy register of a session, from whatever the charger says of it.

use rust_decimal::Decimal;

use super::Defect;
use crate::clock::Micros;
use crate::judge::tree::{self, Node};
use crate::ocpp::Version;

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

/// Reads `meterValue` or `transactionData`: an array, though some chargers send the one element alone.
pub(super) fn read(version: Version, values: &Node<'_>, order: i64) -> Heard {
    let mut heard = Heard::default();
    for element in each(values) {
        let at = element
            .member("timestamp")
            .and_then(Node::text)
            .and_then(|text| super::stamp::Moment::read(Some(text), 0, false).stated);
        let sampled = element.member("sampledValue").map(each).unwrap_or_default();
        element_of(version, sampled, (order, at), &mut heard);
    }
    heard
}

fn each<'a, 'n>(node: &'a Node<'n>) -> Vec<&'a Node<'n>> {
    match node {
        Node::Array(elements) => elements.iter().collect(),
        Node::Object(_) => vec![node],
        _ => Vec::new(),
    }
}

/// The register at one time: the total if there is one, else the sum of its phases.
fn element_of(
    version: Version,
    sampled: Vec<&Node<'_>>,
    (order, at): (i64, Option<Micros>),
    heard: &mut Heard,
) {
    let mut total: Option<Reading> = None;
    let mut phases: Vec<Reading> = Vec::new();
    for value in sampled {
        signed(version, value, heard);
        let text = |name| value.member(name).and_then(Node::text);
        let elsewhere = text("location").is_some_and(|location| location != "Outlet");
        if text("measurand").unwrap_or(REGISTER) != REGISTER
            || elsewhere
            || text("format") == Some("SignedData")
        {
            continue;
        }
        let wh = match watt_hours(version, value) {
            Ok(wh) => wh,
            Err(defect) => {
                heard.defects.push(defect);
                continue;
            }
        };
        let reading = Reading {
            order,
            at,
            wh,
            mark: mark(text("context")),
            signed: value.member("signedMeterValue").is_some(),
        };
        if text("phase").is_some() {
            phases.push(reading);
        } else if total.as_ref().is_none_or(|kept| !kept.signed) {
            total = Some(reading);
        }
    }
    heard.readings.extend(total.or_else(|| summed(phases)));
}

fn summed(phases: Vec<Reading>) -> Option<Reading> {
    phases.into_iter().reduce(|mut sum, phase| {
        sum.wh = sum.wh.checked_add(phase.wh).unwrap_or(sum.wh);
        sum
    })
}

fn mark(context: Option<&str>) -> Mark {
    match context {
        Some("Transaction.Begin") => Mark::Begin,
        Some("Transaction.End") => Mark::End,
        _ => Mark::Within,
    }
}

/// Signed values are evidence for others: kept as they are, never read.
fn signed(version: Version, value: &Node<'_>, heard: &mut Heard) {
    let text = |node: Option<&Node<'_>>| node.and_then(Node::text).map(str::to_owned);
    let found = if version == Version::V16 {
        (value.member("format").and_then(Node::text) == Some("SignedData"))
            .then(|| text(value.member("value")))
            .flatten()
    } else {
        text(value.at("/signedMeterValue/signedMeterData"))
    };
    heard.signed.extend(found);
}

/// The value in Wh, exactly. A comma is never taken for a point: nobody knows what it means.
fn watt_hours(version: Version, sampled: &Node<'_>) -> Result<Decimal, Defect> {
    let value = match sampled.member("value") {
        Some(Node::Text(text)) => number(text.trim())?,
        Some(Node::Number(literal)) => tree::decimal(literal).ok_or(Defect::Unreadable)?,
        _ => return Err(Defect::Unreadable),
    };
    let (unit, multiplier) = if version == Version::V16 {
        (sampled.member("unit"), None)
    } else {
        let of = |name| sampled.at(name);
        (of("/unitOfMeasure/unit"), of("/unitOfMeasure/multiplier"))
    };
    let thousands = match unit.and_then(Node::text).unwrap_or("Wh") {
        "Wh" => 0,
        "kWh" => 3,
        _ => return Err(Defect::UnknownUnit),
    };
    let power = match multiplier {
        Some(Node::Number(literal)) => literal.parse::<i32>().map_err(|_| Defect::Unreadable)?,
        _ => 0,
    };
    scaled(value, power + thousands).ok_or(Defect::Unreadable)
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
        read(version, &Node::parse(text).unwrap(), 1)
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
