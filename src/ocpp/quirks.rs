//! Oddities of chargers, seen in public trackers, that must not be blamed on a backend.
//!
//! What shows in one message, handshake or frame is found here, cheaply enough for every message: one pass over the
//! text, nothing allocated. What needs a history (repeated boots, lost stops, registers that reset) is found by the judge.

use std::fmt;

mod catalogue;
mod message;
mod walk;

pub use catalogue::{Effect, Shown};
pub use message::in_message;

/// A known oddity, by its row in the catalogue, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quirk(u8);

/// Several oddities of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks(u64);

impl Quirk {
    /// The quirk in this row, if there is one.
    pub const fn from_row(row: u8) -> Option<Self> {
        if 1 <= row && (row as usize) <= catalogue::ROWS.len() {
            Some(Self(row))
        } else {
            None
        }
    }

    /// Every quirk, by row.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=catalogue::ROWS.len() as u8).map(Self)
    }

    /// Its row.
    pub const fn row(self) -> u8 {
        self.0
    }

    /// Its name, for facts and screens.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it does to a comparison.
    pub const fn effect(self) -> Effect {
        self.entry().effect
    }

    /// Where it shows.
    pub const fn shown(self) -> Shown {
        self.entry().shown
    }

    const fn entry(self) -> &'static catalogue::Row {
        &catalogue::ROWS[self.0 as usize - 1]
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "charger-quirk {}", self.0)
    }
}

impl Quirks {
    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds the quirk in a row; a row that does not exist adds nothing.
    pub const fn insert(&mut self, row: u8) {
        if let Some(quirk) = Quirk::from_row(row) {
            self.0 |= 1 << quirk.0;
        }
    }

    /// Takes the quirk in a row out.
    pub const fn remove(&mut self, row: u8) {
        if let Some(quirk) = Quirk::from_row(row) {
            self.0 &= !(1 << quirk.0);
        }
    }

    /// Adds all of `other`.
    pub const fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The quirks, by row.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::all().filter(move |quirk| self.0 & (1 << quirk.0) != 0)
    }
}

impl FromIterator<u8> for Quirks {
    fn from_iter<I: IntoIterator<Item = u8>>(rows: I) -> Self {
        let mut quirks = Self::default();
        rows.into_iter().for_each(|row| quirks.insert(row));
        quirks
    }
}

/// The quirks of a handshake: the raw last path segment, the subprotocols that the charger offered, and what the live
/// plane found odd about the request, by name.
pub fn in_handshake(identity: &str, offered: Option<&str>, named: &[String]) -> Quirks {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~*+=|@".contains(&byte);
    let odd = |name: &str| named.iter().any(|found| found == name);
    let shows = [
        (31, offered.is_none_or(|offered| offered.trim().is_empty())),
        (
            32,
            identity.is_empty() || odd("absolute-form target") || odd("no Connection header"),
        ),
        (33, !identity.bytes().all(plain)),
        (48, odd("password in hex digits")),
    ];
    let rows = shows.into_iter().filter(|(_, shows)| *shows);
    rows.map(|(row, _)| row).collect()
}

/// The quirks of frames from a charger that could not be read as a message: why not, and what was kept of them.
pub fn in_frames(why: &str, body: &[u8]) -> Quirks {
    let is_answer = || body.trim_ascii_start().starts_with(b"[3");
    let row = match why {
        "not JSON" if is_answer() && !body.trim_ascii_end().ends_with(b"]") => 22,
        "not JSON" => 21,
        "compressed without negotiation" => 47,
        _ => return Quirks::default(),
    };
    [row].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(quirks: Quirks) -> Vec<u8> {
        quirks.iter().map(Quirk::row).collect()
    }

    #[test]
    fn a_set_holds_every_row_and_no_other() {
        let all: Quirks = (0..=u8::MAX).collect();
        assert_eq!(rows(all), (1..=58).collect::<Vec<u8>>());
        assert_eq!(Quirk::from_row(0), None);
        assert_eq!(Quirk::from_row(59), None);
        let mut one: Quirks = [3, 58].into_iter().collect();
        one.remove(3);
        one.remove(99);
        assert_eq!(rows(one), [58]);
    }

    #[test]
    fn names_tell_quirks_apart() {
        let names: std::collections::BTreeSet<_> = Quirk::all().map(Quirk::name).collect();
        assert_eq!(names.len(), 58);
    }

    #[test]
    fn a_handshake_has_quirks_too() {
        let found = |identity, offered| rows(in_handshake(identity, offered, &[]));
        assert!(found("CP-01_a.b", Some("ocpp1.6")).is_empty());
        assert_eq!(found("CP1", None), [31]);
        assert_eq!(found("CP1", Some(" ")), [31]);
        assert_eq!(found("", Some("ocpp1.6")), [32]);
        assert_eq!(found("RDAM%7C123", Some("ocpp1.6")), [33]);
        for name in ["absolute-form target", "no Connection header"] {
            let named = [name.to_owned()];
            assert_eq!(rows(in_handshake("CP1", Some("ocpp1.6"), &named)), [32]);
        }
        let named = ["password in hex digits".to_owned()];
        assert_eq!(rows(in_handshake("CP1", Some("ocpp1.6"), &named)), [48]);
    }

    #[test]
    fn a_broken_answer_is_told_from_broken_json() {
        assert_eq!(
            rows(in_frames("not JSON", br#",[2,"a","Heartbeat",{}]"#)),
            [21]
        );
        assert_eq!(
            rows(in_frames("not JSON", br#"[3,"a",{"configurationK"#)),
            [22]
        );
        assert_eq!(rows(in_frames("compressed without negotiation", b"")), [47]);
        assert!(in_frames("cut", b"[3").is_empty());
    }
}
