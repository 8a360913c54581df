use chrono_tz::Tz;
use serde_json::json;

use super::*;

const SECOND: Micros = 1_000_000;
const HOUR: Micros = 3_600 * SECOND;
/// 2026-11-24T07:00:00Z, a Tuesday.
const SEVEN: Micros = 1_795_503_600 * SECOND;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn number(text: &str) -> Decimal {
    Decimal::from_str(text).unwrap()
}

fn tariff(elements: &str) -> Tariff {
    Tariff::read(&read(&format!(
        r#"{{"id":"T","currency":"EUR","elements":[{elements}]}}"#
    )))
    .unwrap()
}

fn component(kind: &str, price: &str, step: u32) -> String {
    format!(r#"{{"type":"{kind}","price":{price},"step_size":{step},"vat":21}}"#)
}

fn element(components: &[String], restrictions: &str) -> String {
    format!(
        r#"{{"price_components":[{}],"restrictions":{restrictions}}}"#,
        components.join(",")
    )
}

fn usage(hours: i64, wh: &str) -> Usage {
    Usage {
        start: SEVEN,
        end: SEVEN + hours * HOUR,
        wh: number(wh),
        zone: Some(Tz::Europe__Amsterdam),
        ..Usage::default()
    }
}

fn excl(usage: &Usage, tariff: &Tariff) -> String {
    let priced = price(usage, tariff).unwrap();
    priced.excl.round_dp(4).normalize().to_string()
}

#[test]
fn the_example_of_the_second_opinion() {
    let parts = [
        component("ENERGY", "0.35", 1),
        component("FLAT", "0.50", 1),
        component("PARKING_TIME", "6", 60),
    ];
    let mut used = usage(2, "10345.6");
    used.parked = vec![(used.end - 630 * SECOND, used.end)];
    let priced = price(&used, &tariff(&element(&parts, "null"))).unwrap();
    assert_eq!(
        (priced.wh, priced.parking),
        (number("10346"), number("660"))
    );
    assert_eq!(priced.excl.round_dp(4), number("5.2211"));
    assert_eq!(priced.incl.unwrap().round_dp(4), number("6.3175"));
    let unstepped = tariff(&element(&parts, "null")).without_steps();
    assert_eq!(excl(&used, &unstepped), "5.1711");
}

#[test]
fn the_first_element_that_holds_counts_in_local_time() {
    // Cheap until 08:30 in Amsterdam, which is 07:30 UTC in winter.
    let cheap = element(
        &[component("ENERGY", "0.10", 1)],
        r#"{"start_time":"22:00","end_time":"08:30"}"#,
    );
    let dear = element(&[component("ENERGY", "0.50", 1)], "null");
    let tariff = tariff(&[cheap, dear].join(","));
    let mut used = usage(1, "10000");
    assert_eq!(excl(&used, &tariff), "3");
    // Most of it was delivered early.
    used.curve = vec![(SEVEN + HOUR / 2, number("9000"))];
    assert_eq!(excl(&used, &tariff), "1.4");
    used.zone = None;
    assert_eq!(price(&used, &tariff), Err(TariffError::NoZone));
}

#[test]
fn energy_duration_day_and_date_restrict() {
    for (restrictions, expected) in [
        (r#"{"max_kwh":4}"#, "2.8"),
        (r#"{"min_kwh":4}"#, "3.2"),
        (r#"{"max_duration":1800}"#, "3"),
        (r#"{"day_of_week":["TUESDAY"]}"#, "1"),
        (r#"{"day_of_week":["SATURDAY","SUNDAY"]}"#, "5"),
        (
            r#"{"start_date":"2026-11-24","end_date":"2026-11-25"}"#,
            "1",
        ),
        (r#"{"end_date":"2026-11-24"}"#, "5"),
        (r#"{"min_power":11}"#, "5"),
        (r#"{"max_power":11}"#, "1"),
        (r#"{"reservation":"RESERVATION"}"#, "5"),
    ] {
        let first = element(&[component("ENERGY", "0.10", 1)], restrictions);
        let second = element(&[component("ENERGY", "0.50", 1)], "null");
        let tariff = tariff(&[first, second].join(","));
        let expected = match restrictions.contains("kwh") {
            // The rest of the ten kWh is billed by the other element.
            true if restrictions.contains("max") => "3.4",
            true => "2.6",
            false => expected,
        };
        assert_eq!(
            excl(&usage(1, "10000"), &tariff),
            expected,
            "{restrictions}"
        );
    }
}

#[test]
fn steps_count_once_and_for_parking_before_charging() {
    let parts = [
        component("TIME", "6", 900),
        component("PARKING_TIME", "12", 900),
    ];
    let tariff = tariff(&element(&parts, "null"));
    let mut used = usage(1, "1");
    used.end = used.start + 50 * 60 * SECOND;
    assert_eq!(excl(&used, &tariff), "6");
    used.parked = vec![(used.end - 20 * 60 * SECOND, used.end)];
    // 30 minutes of charging as they are, 20 of parking as 30.
    assert_eq!(excl(&used, &tariff), "9");
}

#[test]
fn limits_hold() {
    let text = |name: &str| {
        json!({"currency":"eur","elements":[{"price_components":[{"type":"FLAT","price":"2","step_size":1}]}],
            name: {"excl_vat": "3", "incl_vat": "3.63"}})
    };
    let used = usage(1, "0");
    let price_of = |name| {
        let tariff = Tariff::read(&text(name)).unwrap();
        assert_eq!(tariff.currency, "EUR");
        price(&used, &tariff).unwrap()
    };
    assert_eq!(price_of("min_price").excl, number("3"));
    assert_eq!(price_of("max_price").excl, number("2"));
    assert_eq!(price_of("max_price").incl, None);
}

#[test]
fn what_cannot_be_priced_is_refused() {
    let refused = |text: &str| Tariff::read(&read(text)).unwrap_err();
    assert_eq!(refused("{}"), TariffError::Unreadable("elements"));
    let with = |part: &str| refused(&format!(r#"{{"currency":"EUR","elements":[{part}]}}"#));
    assert_eq!(
        with(r#"{"price_components":[{"type":"WISH","price":1}]}"#),
        TariffError::Unsupported("another dimension")
    );
    assert_eq!(
        with(r#"{"price_components":[],"restrictions":{"min_current":6}}"#),
        TariffError::Unsupported("limits of current")
    );
}
