//! Instants in payloads, moved to when they are played: a backend refuses what is years old.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use chrono::{DateTime, FixedOffset, TimeDelta, Timelike as _};

use crate::clock::Micros;
use crate::ocpp::Envelope;
use crate::ocpp::json::Step;
use crate::ocpp::rewrite::{self, Change};

/// The shortest and the longest spelling that is looked at: `2026-11-24T06:00:00Z` to nine digits with an offset.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=40;

/// The payload with every RFC 3339 instant moved by so many µs, each spelled as it was. Borrowed if it has none.
pub fn moved(payload: &str, by: Micros) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for at in strings(payload) {
        let text = &payload[at.clone()];
        if LENGTHS.contains(&text.len())
            && let Ok(instant) = DateTime::parse_from_rfc3339(text)
            && let Some(moved) = instant.checked_add_signed(TimeDelta::microseconds(by))
        {
            out.push_str(&payload[done..at.start]);
            out.push_str(&spelled(moved, text));
            done = at.end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(payload);
    }
    out.push_str(&payload[done..]);
    Cow::Owned(out)
}

/// A recorded answer whose `currentTime` is as far from its hearing as it was.
pub fn clock_moved(text: &str, by: Micros) -> String {
    let Ok(envelope) = Envelope::parse(text) else {
        return text.to_owned();
    };
    let path = [Step::Key("currentTime")];
    let places = rewrite::places(&envelope, &path).unwrap_or_default();
    let changes: Vec<Change> = (places.into_iter())
        .map(|at| Change::Value {
            to: moved(&text[at.clone()], by).trim_matches('"').to_owned(),
            at,
        })
        .collect();
    rewrite::rewrite(text, &changes).map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// An instant with as many digits, and the zone written as in `like`.
fn spelled(instant: DateTime<FixedOffset>, like: &str) -> String {
    let separator = &like[10..11];
    let mut text = instant.format("%Y-%m-%d").to_string() + separator;
    text += &instant.format("%H:%M:%S").to_string();
    let behind = &like[19..];
    let digits = behind.strip_prefix('.').map_or(0, |rest| {
        rest.bytes().take_while(u8::is_ascii_digit).count()
    });
    if digits > 0 {
        let nanos = format!("{:09}", instant.nanosecond() % 1_000_000_000);
        // Writing to a String cannot fail.
        let _ = write!(text, ".{:0<digits$}", &nanos[..digits.min(9)]);
    }
    let zone = behind.trim_start_matches(|sign: char| sign == '.' || sign.is_ascii_digit());
    text + zone
}

/// Where the strings of a JSON text lie, without their quotes.
fn strings(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = memchr::memchr(b'"', &bytes[at..]) {
        let start = at + open + 1;
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        if end >= bytes.len() {
            break;
        }
        found.push(start..end);
        at = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_move_and_keep_their_spelling() {
        for (text, moved_by, expected) in [
            (
                r#"{"timestamp":"2026-11-24T06:00:00Z"}"#,
                1_500_000,
                r#"{"timestamp":"2026-11-24T06:00:01Z"}"#,
            ),
            (
                r#"{"t":"2026-11-24T06:00:00.000Z"}"#,
                1_500_000,
                r#"{"t":"2026-11-24T06:00:01.500Z"}"#,
            ),
            (
                r#"["2026-12-31T23:59:59.5+01:00"]"#,
                500_000,
                r#"["2027-01-01T00:00:00.0+01:00"]"#,
            ),
            (
                r#"["2026-11-24t06:00:00z", "x"]"#,
                -1_000_000,
                r#"["2026-11-24t05:59:59z", "x"]"#,
            ),
            (
                r#"["2026-11-24T06:00:00.1234567Z"]"#,
                1,
                r#"["2026-11-24T06:00:00.1234577Z"]"#,
            ),
        ] {
            assert_eq!(moved(text, moved_by), expected);
        }
    }

    #[test]
    fn nothing_else_moves() {
        for text in [
            r#"{"a":"2026-11-24","b":"2026-11-24T06:00:00","c":1795500000,"d":"\"2026","e":"\\"}"#,
            "{}",
            "\"",
            r#"{"broken":"\"#,
        ] {
            assert!(
                matches!(moved(text, 9), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }
}
