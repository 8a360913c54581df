//! Instants as messages spell them.

use chrono::{DateTime, NaiveDate};

use crate::clock::Micros;

/// The instant that `text` is by RFC 3339, µs UTC.
pub fn rfc3339(text: &str) -> Option<Micros> {
    usual(text).or_else(|| {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        Some(at.timestamp_micros())
    })
}

/// The spelling of most chargers, `2026-11-24T06:00:00Z`: every message holds one or more, and reading all the others that
/// there may be takes longer than the rest of a look into the message.
fn usual(text: &str) -> Option<Micros> {
    let text: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let separators = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'Z'),
    ];
    if separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let date = NaiveDate::from_ymd_opt(number(0, 4)? as i32, number(5, 7)?, number(8, 10)?)?;
    let at = date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
    Some(at.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_usual_spelling_is_read_as_any_other(
            text in "[0-2][0-9]{3}[-x][0-1][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|z|\\.5Z|\\+01:00|)",
        ) {
            let general = DateTime::parse_from_rfc3339(&text).ok();
            prop_assert_eq!(rfc3339(&text), general.map(|at| at.timestamp_micros()));
        }
    }
}
