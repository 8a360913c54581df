//! How often the tap tells of identities that it turns away: anybody may come with as many as they like, and each would be
//! a line of the log and a fact for ever.

use crate::clock::Micros;

/// How many are told one by one at first: more than a forgotten list of chargers has.
const BURST: u32 = 1_000;

/// How many more each second.
const PER_SECOND: u32 = 10;

/// Pure: when another one may be told, and how many were not.
#[derive(Debug)]
pub struct Unlisted {
    room: u32,
    /// When room was last made.
    since: Micros,
    untold: u64,
}

impl Default for Unlisted {
    fn default() -> Self {
        Self {
            room: BURST,
            since: 0,
            untold: 0,
        }
    }
}

impl Unlisted {
    /// One was turned away. `Some`: tell it, and that so many before it were not told.
    pub fn turned_away(&mut self, now: Micros) -> Option<u64> {
        let seconds = now.saturating_sub(self.since).max(0) / 1_000_000;
        if seconds > 0 || now < self.since {
            self.since = now;
            let more = u32::try_from(seconds).unwrap_or(u32::MAX);
            let more = more.saturating_mul(PER_SECOND);
            self.room = self.room.saturating_add(more).min(BURST);
        }
        if self.room == 0 {
            self.untold += 1;
            return None;
        }
        self.room -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_in_part_and_counted_wholly() {
        let mut unlisted = Unlisted::default();
        let begun = 1_700_000_000_000_000;
        let (mut told, mut counted) = (0, 0);
        // Ten seconds of 5,000 a second.
        for n in 0..50_000 {
            if let Some(untold) = unlisted.turned_away(begun + n * 200) {
                told += 1;
                counted += 1 + untold;
            }
        }
        let most = u64::from(BURST + 10 * PER_SECOND);
        assert!((u64::from(BURST)..=most).contains(&told), "{told}");
        assert_eq!(counted + unlisted.untold, 50_000);
        assert_eq!(
            unlisted.turned_away(begun + 11_000_000),
            Some(50_000 - counted),
            "the next one tells how many were not"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing_for_long() {
        let mut unlisted = Unlisted {
            room: 0,
            since: 9_000_000,
            untold: 0,
        };
        assert_eq!(unlisted.turned_away(1_000_000), None);
        assert_eq!(unlisted.turned_away(2_000_000), Some(1));
    }
}
