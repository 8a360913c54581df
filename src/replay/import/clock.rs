//! Times as logs write them.

use chrono::{DateTime, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;

use crate::clock::Micros;

/// A time as text: RFC 3339, the same with a space or a comma, or without zone, or a count since 1970. `None` if it is
/// none of these, or does not exist in its zone.
pub(super) fn parse(text: &str, zone: Tz) -> Option<Micros> {
    let text = text.trim();
    if let Ok(count) = text.parse::<i64>() {
        return epoch(count);
    }
    let (begin, end) = find(text)?;
    (begin == 0 && end == text.len()).then_some(())?;
    stamp(text, zone)
}

/// The first time in a line, and where it ends.
pub(super) fn first(line: &str, zone: Tz) -> Option<Micros> {
    if let Some((begin, end)) = find(line) {
        return stamp(line.get(begin..end)?, zone);
    }
    let digits = line
        .trim_start()
        .split(|c: char| !c.is_ascii_digit())
        .next()?;
    (10..=16).contains(&digits.len()).then_some(())?;
    epoch(digits.parse().ok()?)
}

/// A count since 1970, in seconds, milliseconds or microseconds by its size.
fn epoch(count: i64) -> Option<Micros> {
    match count {
        ..0 => None,
        0..100_000_000_000 => Some(count * 1_000_000),
        100_000_000_000..100_000_000_000_000 => Some(count * 1_000),
        _ => Some(count),
    }
}

/// Where `YYYY-MM-DD HH:MM:SS` stands, with the fraction and zone that follow it.
fn find(line: &str) -> Option<(usize, usize)> {
    const FORM: &[u8] = b"dddd-dd-dd_dd:dd:dd";
    let bytes = line.as_bytes();
    let begin = bytes.windows(FORM.len()).position(|window| {
        window.iter().zip(FORM).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            b'_' => matches!(byte, b'T' | b't' | b' '),
            _ => byte == form,
        })
    })?;
    let digits = |at: usize| {
        bytes[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut end = begin + FORM.len();
    if matches!(bytes.get(end), Some(b'.' | b',')) && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    end += match bytes.get(end..)? {
        [b'Z' | b'z', ..] => 1,
        [b'+' | b'-', rest @ ..] => offset(rest).map_or(0, |width| width + 1),
        _ => 0,
    };
    Some((begin, end))
}

/// The width of `hh:mm`, `hhmm` or `hh`.
fn offset(bytes: &[u8]) -> Option<usize> {
    let is = |from: usize, to: usize| {
        (bytes.get(from..to)).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    match bytes.get(2) {
        Some(b':') if is(0, 2) && is(3, 5) => Some(5),
        _ if is(0, 4) => Some(4),
        _ if is(0, 2) => Some(2),
        _ => None,
    }
}

fn stamp(text: &str, zone: Tz) -> Option<Micros> {
    let text = text.replacen([' ', 't'], "T", 1).replacen(',', ".", 1);
    let tail = text.get(19..)?;
    let naive = tail.find(['Z', 'z', '+', '-']).is_none();
    if naive {
        let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
        return Some(
            zone.from_local_datetime(&local)
                .earliest()?
                .timestamp_micros(),
        );
    }
    let text = text.replace(['Z', 'z'], "+00");
    let at = DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%#z").ok()?;
    Some(at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_many_logs_are_one_time() {
        let at = Some(1_705_314_600_250_000);
        for text in [
            "2024-01-15T10:30:00.250Z",
            "2024-01-15T12:30:00.25+02:00",
            "2024-01-15 10:30:00.250+00",
            "2024-01-15T06:30:00,250-0400",
            "2024-01-15 10:30:00,250",
            "1705314600250",
            "1705314600250000",
        ] {
            assert_eq!(parse(text, Tz::UTC), at, "{text}");
        }
        assert_eq!(parse("2024-01-15 11:30:00,250", Tz::Europe__Berlin), at);
        assert_eq!(parse("2024-03-31 02:30:00", Tz::Europe__Berlin), None);
        assert_eq!(first("[INFO ] 2024-01-15 10:30:00,250 x (y)", Tz::UTC), at);
        assert_eq!(
            first("1705314600 CP1 >", Tz::UTC),
            Some(1_705_314_600_000_000)
        );
        for text in ["", "soon", "-1", "2024-13-15T10:30:00Z", "2024-01-15"] {
            assert_eq!(parse(text, Tz::UTC), None, "{text}");
        }
    }
}
