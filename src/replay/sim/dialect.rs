//! How one backend differs from another. Some differences matter to a charger, some are looks.

use std::time::Duration;

use serde_json::{Value, json};

pub use super::text::Hand;
use crate::ocpp::Version;

/// How a backend numbers its 1.6 transactions. Any integer is legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mint {
    /// Counts up from this number: 1, 0, or something above the range of int32.
    Up(i64),
    /// Counts down from this number, so that ids are negative.
    Down(i64),
    /// Random positive int32, decided by the backend's seed.
    Random,
    /// Seconds since the epoch; two in one second still differ.
    Epoch,
}

impl Mint {
    /// The first id that does not fit an int32.
    pub const ABOVE_INT32: Self = Self::Up(1 << 31);
}

/// A command that a backend sends by itself after it has accepted a boot.
#[derive(Debug, Clone, PartialEq)]
pub struct AfterBoot {
    /// Only to chargers of this version.
    pub version: Version,
    /// The action.
    pub action: String,
    /// The payload.
    pub payload: Value,
    /// How long after the boot was answered, real time.
    pub delay: Duration,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent way in which backends differ"
)]
/// Everything about a simulated backend that another one may do differently.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// Path prefix of its URL, `/ocpp` or empty.
    pub prefix: String,
    /// The password that every charger must give (HTTP Basic), if any.
    pub password: Option<String>,
    /// The versions it speaks. It chooses the first of the charger's offers that it knows.
    pub versions: Vec<Version>,
    /// How it numbers 1.6 transactions.
    pub mint: Mint,
    /// Decides random transaction ids and message ids.
    pub seed: u64,
    /// `status` in the answer to a boot.
    pub boot_status: String,
    /// Heartbeat interval for 1.6 chargers, seconds.
    pub interval_16: u32,
    /// Heartbeat interval for 2.0.1 chargers, seconds.
    pub interval_201: u32,
    /// Known tags with their status. Others are `Invalid`.
    pub tags: Vec<(String, String)>,
    /// Ignores white space around a tag in Authorize. Elsewhere every backend does.
    pub trims_tags: bool,
    /// Ignores the case of tags, as OCPP says.
    pub ignores_case: bool,
    /// Vendors whose `DataTransfer` it accepts. For others it says `UnknownVendorId`.
    pub vendors: Vec<String>,
    /// Puts `idTagInfo` into the answer to `StopTransaction`.
    pub stop_info: bool,
    /// Knows a start that it is told again, and gives it the identifier of the first time.
    pub keeps_starts: bool,
    /// Price in cents per kWh; `totalCost` is in the answer to the Ended event if there is one.
    pub price: Option<u64>,
    /// Refuses 1.6 meter values longer than this (`TypeConstraintViolation`).
    pub longest_value: Option<usize>,
    /// Actions that it answers with a CALLERROR of this code.
    pub refuses: Vec<(String, String)>,
    /// What it sends by itself.
    pub after_boot: Vec<AfterBoot>,
    /// How long it thinks before each answer, real time.
    pub delay: Duration,
    /// How far its clock is ahead, seconds.
    pub skew: i64,
    /// Writes milliseconds in its times.
    pub millis: bool,
    /// How it writes JSON.
    pub hand: Hand,
}

impl Default for Dialect {
    /// A plain backend: counts from 1, interval 300, accepts the tag `TAG-1`, blocks `TAG-BLOCKED`.
    fn default() -> Self {
        Self {
            prefix: "/ocpp".to_owned(),
            password: None,
            versions: vec![Version::V16, Version::V201],
            mint: Mint::Up(1),
            seed: 1,
            boot_status: "Accepted".to_owned(),
            interval_16: 300,
            interval_201: 300,
            tags: [("TAG-1", "Accepted"), ("TAG-BLOCKED", "Blocked")]
                .map(|(tag, status)| (tag.to_owned(), status.to_owned()))
                .into(),
            trims_tags: true,
            ignores_case: true,
            vendors: Vec::new(),
            stop_info: true,
            keeps_starts: false,
            price: None,
            longest_value: None,
            refuses: Vec::new(),
            after_boot: Vec::new(),
            delay: Duration::ZERO,
            skew: 0,
            millis: true,
            hand: Hand::default(),
        }
    }
}

impl Dialect {
    /// The same backend, sending GetConfiguration for all keys `delay` after each accepted 1.6 boot.
    #[must_use]
    pub fn reads_configuration(mut self, delay: Duration) -> Self {
        self.after_boot.push(AfterBoot {
            version: Version::V16,
            action: "GetConfiguration".to_owned(),
            payload: json!({}),
            delay,
        });
        self
    }

    /// The status of a tag. `at_the_reader` is true for Authorize.
    pub(super) fn status_of(&self, tag: &str, at_the_reader: bool) -> &str {
        let tag = if self.trims_tags || !at_the_reader {
            tag.trim()
        } else {
            tag
        };
        let same = |known: &str| {
            if self.ignores_case {
                known.eq_ignore_ascii_case(tag)
            } else {
                known == tag
            }
        };
        self.tags
            .iter()
            .find(|(known, _)| same(known))
            .map_or("Invalid", |(_, status)| status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_as_the_dialect_says() {
        let lenient = Dialect::default();
        assert_eq!(lenient.status_of("tag-1 ", true), "Accepted");
        let strict = Dialect {
            trims_tags: false,
            ignores_case: false,
            ..Dialect::default()
        };
        assert_eq!(strict.status_of("TAG-1 ", true), "Invalid");
        assert_eq!(strict.status_of("TAG-1 ", false), "Accepted");
        assert_eq!(strict.status_of("tag-1", false), "Invalid");
        assert_eq!(strict.status_of("TAG-BLOCKED", true), "Blocked");
    }
}
