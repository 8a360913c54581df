//! A second opinion on prices: sessions made up by a seed, priced by Evenkeel's tariffs and by `ocpi-tariffs`. Where the two
//! differ, one of them is wrong or the specification can be read in two ways; no backend is to blame.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::str::FromStr as _;

use chrono_tz::Tz;
use evenkeel::judge::tariff::{Tariff, Usage, price};
use evenkeel::ledger::views::rfc3339;
use ocpi_tariffs::{Version, cdr, price as theirs};
use rust_decimal::Decimal;

const CASES: u32 = 2_000;

/// A tenth of a cent, in thousandths: the border of an amount of energy falls between two microseconds here, between two
/// periods there.
const NOISE: (i64, u32) = (1, 3);

const QUARTER: i64 = 900_000_000;
/// 2026-11-24T07:00:00Z, in winter.
const BEGIN: i64 = 1_795_503_600_000_000;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(sides)) as u32
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len() as u32) as usize]
    }
}

/// A session in quarters of an hour, of which the last ones are parked.
struct Session {
    start: i64,
    quarters: i64,
    parked: i64,
    /// Wh per quarter of charging.
    wh: i64,
}

fn session(dice: &mut Dice) -> Session {
    Session {
        start: BEGIN + i64::from(dice.roll(96 * 7)) * QUARTER,
        quarters: 2 + i64::from(dice.roll(30)),
        parked: i64::from(dice.roll(2) * dice.roll(6)),
        wh: 101 + i64::from(dice.roll(5_000)),
    }
}

fn component(dice: &mut Dice, kind: &str) -> String {
    let step = dice.one_of(&["1", "60", "300", "1000", "3600"]);
    let price = format!("{}.{:02}", dice.roll(3), dice.roll(100));
    let vat = dice.one_of(&["", r#","vat":21.0"#, r#","vat":9.0"#]);
    format!(r#"{{"type":"{kind}","price":{price},"step_size":{step}{vat}}}"#)
}

/// Conditions whose borders lie between quarters, so that periods need no further split.
fn restrictions(dice: &mut Dice, session: &Session) -> String {
    match dice.roll(7) {
        0 => r#","restrictions":{"start_time":"22:00","end_time":"06:00"}"#.to_owned(),
        1 => r#","restrictions":{"start_time":"09:00","end_time":"17:30"}"#.to_owned(),
        2 => r#","restrictions":{"day_of_week":["SATURDAY","SUNDAY"]}"#.to_owned(),
        3 => r#","restrictions":{"min_duration":5400}"#.to_owned(),
        4 => r#","restrictions":{"max_duration":3600}"#.to_owned(),
        5 => {
            let kwh = Decimal::new(session.wh * 2, 3);
            format!(r#","restrictions":{{"min_kwh":{kwh}}}"#)
        }
        _ => String::new(),
    }
}

fn tariff(dice: &mut Dice, session: &Session) -> String {
    let mut elements = Vec::new();
    for _ in 0..=dice.roll(3) {
        let mut components = Vec::new();
        for kind in ["ENERGY", "TIME", "PARKING_TIME", "FLAT"] {
            if dice.roll(2) == 0 {
                components.push(component(dice, kind));
            }
        }
        if !components.is_empty() {
            let when = restrictions(dice, session);
            elements.push(format!(
                r#"{{"price_components":[{}]{when}}}"#,
                components.join(",")
            ));
        }
    }
    if elements.is_empty() {
        elements.push(format!(
            r#"{{"price_components":[{}]}}"#,
            component(dice, "ENERGY")
        ));
    }
    format!(
        r#"{{"id":"T","country_code":"NL","party_id":"ABC","currency":"EUR","elements":[{}],"last_updated":"2026-01-01T00:00:00Z"}}"#,
        elements.join(",")
    )
}

fn record(session: &Session, tariff: &str) -> String {
    let mut periods = String::new();
    let charging = session.quarters - session.parked.min(session.quarters - 1);
    for quarter in 0..session.quarters {
        let at = rfc3339(session.start + quarter * QUARTER);
        let comma = if quarter == 0 { "" } else { "," };
        let dimensions = if quarter < charging {
            let kwh = Decimal::new(session.wh, 3);
            format!(r#"{{"type":"ENERGY","volume":{kwh}}},{{"type":"TIME","volume":0.25}}"#)
        } else {
            r#"{"type":"PARKING_TIME","volume":0.25}"#.to_owned()
        };
        let _ = write!(
            periods,
            r#"{comma}{{"start_date_time":"{at}","dimensions":[{dimensions}]}}"#
        );
    }
    let hours = Decimal::new(session.quarters * 25, 2);
    let kwh = Decimal::new(session.wh * charging, 3);
    format!(
        r#"{{"id":"C","country_code":"NL","party_id":"ABC","start_date_time":"{}","end_date_time":"{}","currency":"EUR",
        "auth_method":"WHITELIST","cdr_token":{{"country_code":"NL","party_id":"ABC","uid":"U","type":"RFID","contract_id":"K"}},
        "cdr_location":{{"id":"L","address":"A","city":"B","country":"NLD","coordinates":{{"latitude":"52.0000","longitude":"5.0000"}},
        "evse_uid":"E","evse_id":"NL*ABC*E1","connector_id":"1","connector_standard":"IEC_62196_T2","connector_format":"SOCKET",
        "connector_power_type":"AC_3_PHASE"}},"charging_periods":[{periods}],"tariffs":[{tariff}],
        "total_cost":{{"excl_vat":0.0}},"total_energy":{kwh},"total_time":{hours},"last_updated":"2026-12-24T00:00:00Z"}}"#,
        rfc3339(session.start),
        rfc3339(session.start + session.quarters * QUARTER),
    )
}

fn ours(session: &Session, tariff: &str) -> Result<(Decimal, Option<Decimal>), String> {
    let value = serde_json::from_str(tariff).map_err(|error| error.to_string())?;
    let tariff = Tariff::read(&value).map_err(|error| error.to_string())?;
    let charging = session.quarters - session.parked.min(session.quarters - 1);
    let (stop, end) = (
        session.start + charging * QUARTER,
        session.start + session.quarters * QUARTER,
    );
    let wh = Decimal::from(session.wh * charging);
    let usage = Usage {
        start: session.start,
        end,
        wh,
        curve: vec![(stop, wh)],
        parked: if stop < end {
            vec![(stop, end)]
        } else {
            Vec::new()
        },
        zone: Some(Tz::Europe__Amsterdam),
    };
    let priced = price(&usage, &tariff).map_err(|error| error.to_string())?;
    Ok((priced.excl, priced.incl))
}

fn second(record: &str) -> Result<(Decimal, Option<Decimal>), String> {
    let parsed = cdr::parse_with_version(record, Version::V221).map_err(|e| format!("{e:?}"))?;
    let report = cdr::price(
        &parsed.cdr,
        theirs::TariffSource::UseCdr,
        Tz::Europe__Amsterdam,
    );
    let report = report.map_err(|set| format!("{:?}", set.into_parts().0.warning()))?;
    let (report, _) = report.into_parts();
    // Where no component applies it gives no cost rather than none.
    let Some(cost) = report.total_cost.calculated else {
        return Ok((Decimal::ZERO, None));
    };
    let amount = |text: String| Decimal::from_str(text.trim()).map_err(|error| error.to_string());
    let excl = amount(Decimal::from(cost.excl_vat).to_string())?;
    let incl = cost
        .incl_vat
        .map(|incl| amount(Decimal::from(incl).to_string()))
        .transpose()?;
    Ok((excl, incl))
}

fn main() -> ExitCode {
    let mut dice = Dice(7);
    let (mut same, mut unpriced, mut different) = (0, 0, 0);
    for case in 0..CASES {
        let session = session(&mut dice);
        let tariff = tariff(&mut dice, &session);
        let record = record(&session, &tariff);
        match (ours(&session, &tariff), second(&record)) {
            (Ok((ours, _)), Ok((theirs, _)))
                if (ours - theirs).abs() <= Decimal::new(NOISE.0, NOISE.1) =>
            {
                same += 1;
            }
            (Ok(_), Err(why)) => {
                unpriced += 1;
                if unpriced <= 3 {
                    println!("case {case}: the other does not price it: {why}");
                }
            }
            (ours, theirs) => {
                different += 1;
                if different <= 3 {
                    println!("case {case}: ours {ours:?}, theirs {theirs:?}\n{record}");
                }
            }
        }
    }
    println!("{same} of {CASES} agree, {different} differ, {unpriced} only priced here");
    if different == 0 && same > CASES / 2 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
