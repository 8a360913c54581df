//! Text for cells: foreign text made harmless, numbers and times as people read them.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, Local, Offset as _, TimeZone as _};

use crate::clock::Micros;
pub use crate::report::words::{counted as count_of, grouped};

/// In which zone times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// The machine's.
    Local,
    /// A fixed distance from UTC, seconds east.
    Fixed(i32),
}

impl Zone {
    fn at(self, at: Micros) -> DateTime<FixedOffset> {
        let utc = DateTime::from_timestamp_micros(at).unwrap_or_default();
        let offset = match self {
            Self::Local => Local.offset_from_utc_datetime(&utc.naive_utc()).fix(),
            Self::Fixed(east) => FixedOffset::east_opt(east).unwrap_or(chrono::Utc.fix()),
        };
        utc.with_timezone(&offset)
    }

    /// Hours, minutes and seconds.
    pub fn clock(self, at: Micros) -> String {
        self.at(at).format("%H:%M:%S").to_string()
    }

    /// Hours and minutes.
    pub fn minute(self, at: Micros) -> String {
        self.at(at).format("%H:%M").to_string()
    }

    /// Month, day, hours and minutes.
    pub fn day(self, at: Micros) -> String {
        self.at(at).format("%m-%d %H:%M").to_string()
    }

    /// Month, day, hours and minutes of an RFC 3339 instant; the text itself if it is none.
    pub fn day_of(self, instant: &str) -> String {
        let read = DateTime::parse_from_rfc3339(instant);
        read.map_or_else(
            |_| shown(instant).into_owned(),
            |at| self.day(at.timestamp_micros()),
        )
    }

    /// The clock with its zone, and UTC beside it: `02:14:07+01:00 01:14Z`.
    pub fn both(self, at: Micros) -> String {
        let here = self.at(at);
        let utc = Self::Fixed(0).at(at);
        format!("{} {}Z", here.format("%H:%M:%S%:z"), utc.format("%H:%M"))
    }
}

/// Foreign text with what a terminal would obey, or what would turn its direction, made visible.
pub fn shown(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else if harmful(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// How many columns of a terminal a text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    ratatui::text::Span::raw(text).width()
}

/// How long, in the largest unit that says enough: `0.4s`, `42s`, `7m03`, `2h14`, `21d`.
pub fn span(us: Micros) -> String {
    let us = us.max(0);
    let seconds = us / 1_000_000;
    match seconds {
        ..10 => format!("{}.{}s", seconds, us % 1_000_000 / 100_000),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{}h{:02}", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Microseconds as milliseconds with one decimal.
pub fn millis(us: i64) -> String {
    format!("{:.1} ms", us as f64 / 1e3)
}

/// Bytes in the largest unit that says enough.
pub fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_made_visible() {
        assert_eq!(shown("CP 1"), "CP 1");
        assert_eq!(shown("\u{1b}[2J\u{202e}x"), "\\u{1b}[2J\\u{202e}x");
    }

    #[test]
    fn spans_keep_two_figures_that_matter() {
        let said = [
            0,
            400_000,
            42_000_000,
            423_000_000,
            8_040_000_000,
            1_814_400_000_000,
        ]
        .map(span);
        assert_eq!(said, ["0.0s", "0.4s", "42s", "7m03", "2h14", "21d"]);
    }

    #[test]
    fn the_clock_names_its_zone() {
        assert_eq!(
            Zone::Fixed(3_600).both(1_795_525_375_000_000),
            "14:02:55+01:00 13:02Z"
        );
    }
}
