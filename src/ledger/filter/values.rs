//! Values as people write them: numbers, lengths of time, severities, instants.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

use super::fields::{Field, Kind, nearest};
use super::{Operand, Pattern, When};
use crate::clock::Micros;
use crate::ocpp::Severity;

pub(super) const DAY: Micros = 86_400_000_000;

/// Units of time, largest first.
pub(super) const UNITS: [(&str, Micros); 6] = [
    ("d", DAY),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Words for severities, beside their codes and names.
pub(super) const SEVERITIES: [(&str, Severity); 9] = [
    ("critical", Severity::S0),
    ("crit", Severity::S0),
    ("high", Severity::S1),
    ("medium", Severity::S2),
    ("med", Severity::S2),
    ("low", Severity::S3),
    ("info", Severity::S4),
    ("charging", Severity::S1),
    ("blocks-charging", Severity::S1),
];

/// What a field makes of a written value, or what it expects.
pub(super) fn operand(field: &Field, text: &str, exact: bool) -> Result<Operand, String> {
    match field.kind {
        Kind::Text => Ok(Operand::Pattern(Pattern {
            text: text.to_owned(),
            exact,
        })),
        Kind::Choice(words) => choice(words, text).map(Operand::Word),
        Kind::Number => {
            let number = text.parse().map(Operand::Number);
            number.map_err(|_| "expected a whole number".to_owned())
        }
        Kind::Span => span(text)
            .map(Operand::Span)
            .ok_or_else(|| "expected a length of time such as 250ms, 2s or 1h30m".to_owned()),
        Kind::Severity => severity(text).map(Operand::Severity),
        Kind::Instant | Kind::Since | Kind::Until => {
            when(text).map(Operand::When).ok_or_else(|| {
                "expected 2h (before the last fact), 02:14, 2026-11-22 or 2026-11-22T02:14Z"
                    .to_owned()
            })
        }
    }
}

fn choice(words: &[&'static str], text: &str) -> Result<&'static str, String> {
    let found = words.iter().find(|word| is_same(word, text));
    found.copied().ok_or_else(|| {
        if let Some(word) = nearest(text, words.iter().copied()) {
            return format!("did you mean {}?", hyphened(word));
        }
        let words: Vec<String> = words.iter().map(|word| hyphened(word)).collect();
        format!("expected one of {}", words.join(", "))
    })
}

/// Whether two words are the same, in whatever case and with blanks or hyphens.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'_' | b' ' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    a.len() == b.len() && a.bytes().map(plain).eq(b.bytes().map(plain))
}

/// A word that may hold blanks, as one that needs no quotes.
pub(super) fn hyphened(word: &str) -> String {
    word.replace(' ', "-")
}

fn severity(text: &str) -> Result<Severity, String> {
    if let Ok(severity) = text.parse() {
        return Ok(severity);
    }
    let named = |severity: &Severity| is_same(severity.word(), text);
    let known = SEVERITIES.iter().find(|(word, _)| is_same(word, text));
    let found = Severity::ALL.into_iter().find(named);
    found
        .or(known.map(|(_, severity)| *severity))
        .ok_or_else(|| {
            let words = SEVERITIES.iter().map(|(word, _)| *word);
            match nearest(text, words.chain(Severity::ALL.map(Severity::word))) {
                Some(word) => format!("did you mean {word}?"),
                None => "expected S0 to S4, or critical, high, medium, low, info".to_owned(),
            }
        })
}

/// `1h30m`, µs.
fn span(text: &str) -> Option<Micros> {
    let mut rest = text;
    let mut whole: Micros = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit_long = rest[digits..].find(|c: char| c.is_ascii_digit());
        let end = unit_long.map_or(rest.len(), |long| digits + long);
        let count: Micros = rest[..digits].parse().ok()?;
        let unit = &rest[digits..end];
        let (_, long) = UNITS.iter().find(|(name, _)| *name == unit)?;
        whole = whole.checked_add(count.checked_mul(*long)?)?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(whole)
}

/// A length of time as it is written.
pub(super) fn written(mut span: Micros) -> String {
    if span == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, long) in UNITS {
        if span >= long {
            let _infallible = write!(out, "{}{unit}", span / long);
            span %= long;
        }
    }
    out
}

fn when(text: &str) -> Option<When> {
    if let Some(span) = span(text) {
        return Some(When::Ago(span));
    }
    if let Ok(date) = text.parse::<NaiveDate>() {
        let at = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        return Some(When::Calendar(at, DAY));
    }
    let (local, offset) = zoned(text)?;
    let long = unit(local)?;
    if let Some(clock) = clock(local) {
        let at = (clock - offset).rem_euclid(DAY);
        return Some(When::Clock(at, long));
    }
    let at = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(local, form).ok())?;
    Some(When::Calendar(
        at.and_utc().timestamp_micros() - offset,
        long,
    ))
}

fn clock(local: &str) -> Option<Micros> {
    use chrono::Timelike as _;
    let at = ["%H:%M:%S%.f", "%H:%M"]
        .into_iter()
        .find_map(|form| NaiveTime::parse_from_str(local, form).ok())?;
    let seconds = Micros::from(at.num_seconds_from_midnight());
    Some(seconds * 1_000_000 + Micros::from(at.nanosecond() / 1_000).min(999_999))
}

/// How long the last unit is that was written, µs.
fn unit(local: &str) -> Option<Micros> {
    let clock = local.rsplit('T').next()?;
    Some(match (clock.matches(':').count(), clock.contains('.')) {
        (1, false) => 60_000_000,
        (2, false) => 1_000_000,
        (2, true) => 1,
        _ => return None,
    })
}

/// The part before `Z` or `+01:00`, and how far that is from UTC, µs.
fn zoned(text: &str) -> Option<(&str, Micros)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, 0));
    }
    let cut = text.len().checked_sub("+00:00".len());
    match cut.and_then(|cut| text.split_at_checked(cut)) {
        Some((local, offset)) if offset.starts_with(['+', '-']) && local.contains(':') => {
            let offset: FixedOffset = offset.parse().ok()?;
            Some((local, Micros::from(offset.local_minus_utc()) * 1_000_000))
        }
        _ => Some((text, 0)),
    }
}

/// An instant as it is written.
pub(super) fn moment(when: When) -> String {
    match when {
        When::Ago(span) => written(span),
        When::Clock(at, long) => format(at, long, "%H:%M", "%H:%M:%S", "%H:%M:%S%.6f"),
        When::Calendar(at, DAY) => format(at, 0, "", "", "%Y-%m-%d"),
        When::Calendar(at, long) => {
            let text = format(
                at,
                long,
                "%Y-%m-%dT%H:%M",
                "%Y-%m-%dT%H:%M:%S",
                "%Y-%m-%dT%H:%M:%S%.6f",
            );
            text + "Z"
        }
    }
}

fn format(at: Micros, long: Micros, minute: &str, second: &str, micro: &str) -> String {
    let form = match long {
        60_000_000 => minute,
        1_000_000 => second,
        _ => micro,
    };
    DateTime::from_timestamp_micros(at)
        .unwrap_or_default()
        .format(form)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Micros = 60_000_000;

    #[test]
    fn instants_are_as_long_as_the_unit_that_was_written_last() {
        let hour = 60 * MINUTE;
        for (text, expected) in [
            ("2h", When::Ago(2 * hour)),
            (
                "1d2h3m4s5ms6us",
                When::Ago(DAY + 2 * hour + 3 * MINUTE + 4_005_006),
            ),
            ("02:14", When::Clock(2 * hour + 14 * MINUTE, MINUTE)),
            ("02:14Z", When::Clock(2 * hour + 14 * MINUTE, MINUTE)),
            ("00:14+01:00", When::Clock(23 * hour + 14 * MINUTE, MINUTE)),
            (
                "02:14:07",
                When::Clock(2 * hour + 14 * MINUTE + 7_000_000, 1_000_000),
            ),
            ("1970-01-02", When::Calendar(DAY, DAY)),
            ("1970-01-02T00:01", When::Calendar(DAY + MINUTE, MINUTE)),
            (
                "1970-01-02T00:01-02:00",
                When::Calendar(DAY + MINUTE + 2 * hour, MINUTE),
            ),
            ("1970-01-02T00:00:01.5Z", When::Calendar(DAY + 1_500_000, 1)),
        ] {
            assert_eq!(when(text), Some(expected), "{text}");
            assert_eq!(when(&moment(expected)), Some(expected), "{text}");
        }
        for text in [
            "",
            "2",
            "h",
            "2x",
            "25:00",
            "02",
            "02:14:07:01",
            "1970-13-01",
            "T00:01",
            "+01:00",
            "99999999999d",
            "é0:00",
        ] {
            assert_eq!(when(text), None, "{text}");
        }
    }

    #[test]
    fn a_clock_time_is_the_last_one_before_the_last_fact() {
        let now = 10 * DAY + 60 * MINUTE;
        let stretch = |text: &str| when(text).unwrap().stretch(now);
        assert_eq!(
            stretch("00:30"),
            (10 * DAY + 30 * MINUTE, 10 * DAY + 31 * MINUTE)
        );
        assert_eq!(stretch("01:01").0, 9 * DAY + 61 * MINUTE);
        assert_eq!(stretch("30m"), (now - 30 * MINUTE, now - 30 * MINUTE + 1));
    }

    #[test]
    fn severities_have_codes_names_and_words() {
        for (text, expected) in [
            ("s2", Severity::S2),
            ("BILLING", Severity::S2),
            ("blocks charging", Severity::S1),
            ("crit", Severity::S0),
        ] {
            assert_eq!(severity(text), Ok(expected));
        }
        assert_eq!(
            severity("critcal"),
            Err("did you mean critical?".to_owned())
        );
    }
}
