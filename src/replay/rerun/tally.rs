//! What a target did, second by second.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a target did within some time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Connections tried.
    pub dialled: u64,
    /// Chargers let in.
    pub let_in: u64,
    /// Upgrades refused.
    pub refused: u64,
    /// Connections that did not come about otherwise.
    pub unreached: u64,
    /// Connections that the target ended.
    pub lost: u64,
    /// CALLs sent.
    pub asked: u64,
    /// CALLs answered with a result.
    pub answered: u64,
    /// CALLs answered with an error.
    pub errors: u64,
    /// CALLs that were not answered in time.
    pub silent: u64,
    /// Commands of the target's.
    pub commands: u64,
    /// Answer times.
    #[serde(skip)]
    pub took: Times,
    /// Times from dialling to being let in.
    #[serde(skip)]
    pub joined: Times,
}

/// The counts of one second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Second {
    /// Which, from 0.
    pub second: u32,
    /// What happened in it.
    pub counts: Counts,
    /// Median, 95th and 99th percentile and largest answer time, µs.
    pub took_us: [u64; 4],
    /// The same from dialling to being let in.
    pub joined_us: [u64; 4],
}

/// All seconds of a run.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    seconds: BTreeMap<u32, Counts>,
}

/// Times in buckets, eight to each power of two: percentiles are exact to an eighth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    buckets: BTreeMap<u32, u64>,
    most: u64,
}

impl Tally {
    /// The counts of a second.
    pub fn at(&mut self, second: u32) -> &mut Counts {
        self.seconds.entry(second).or_default()
    }

    /// All seconds in which something happened.
    pub fn seconds(&self) -> Vec<Second> {
        let seconds = self.seconds.iter();
        seconds
            .map(|(second, counts)| Second::of(*second, counts))
            .collect()
    }

    /// All of them together, as one.
    pub fn total(&self) -> Second {
        let mut total = Counts::default();
        for counts in self.seconds.values() {
            total.add(counts);
        }
        Second::of(0, &total)
    }
}

impl Second {
    fn of(second: u32, counts: &Counts) -> Self {
        Self {
            second,
            took_us: counts.took.summary(),
            joined_us: counts.joined.summary(),
            counts: counts.clone(),
        }
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.dialled += other.dialled;
        self.let_in += other.let_in;
        self.refused += other.refused;
        self.unreached += other.unreached;
        self.lost += other.lost;
        self.asked += other.asked;
        self.answered += other.answered;
        self.errors += other.errors;
        self.silent += other.silent;
        self.commands += other.commands;
        self.took.add(&other.took);
        self.joined.add(&other.joined);
    }
}

impl Times {
    /// Counts one time, µs.
    pub fn count(&mut self, micros: i64) {
        let micros = u64::try_from(micros).unwrap_or(0);
        *self.buckets.entry(bucket(micros)).or_default() += 1;
        self.most = self.most.max(micros);
    }

    fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.most = self.most.max(other.most);
    }

    /// Median, 95th and 99th percentile and the largest, µs; zeros if nothing was timed.
    pub fn summary(&self) -> [u64; 4] {
        [self.share(50), self.share(95), self.share(99), self.most]
    }

    /// The time that so many of a hundred do not exceed.
    fn share(&self, percent: u64) -> u64 {
        let all: u64 = self.buckets.values().sum();
        let wanted = (all * percent).div_ceil(100);
        let mut so_far = 0;
        for (bucket, count) in &self.buckets {
            so_far += count;
            if so_far >= wanted {
                return upper(*bucket).min(self.most);
            }
        }
        0
    }
}

/// The bucket of a time: its power of two, and the eighth of it.
fn bucket(micros: u64) -> u32 {
    if micros < 8 {
        return micros as u32;
    }
    let power = micros.ilog2();
    power * 8 + ((micros >> (power - 3)) & 7) as u32
}

/// The largest time in a bucket.
fn upper(bucket: u32) -> u64 {
    if bucket < 8 {
        return u64::from(bucket);
    }
    let (power, eighth) = (bucket / 8, u64::from(bucket % 8));
    ((9 + eighth) << (power - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_hold_their_times() {
        let mut last = 0;
        for micros in 0..100_000 {
            let bucket = bucket(micros);
            assert!(bucket >= last, "{micros}");
            assert!(
                upper(bucket) >= micros && upper(bucket) <= micros + micros / 8,
                "{micros}"
            );
            last = bucket;
        }
    }

    #[test]
    fn percentiles_are_exact_to_an_eighth() {
        let mut times = Times::default();
        (1..=1_000).for_each(|micros| times.count(micros * 10));
        let [half, _, most_of_all, most] = times.summary();
        assert!((5_000..=5_625).contains(&half), "{half}");
        assert!((9_900..=10_000).contains(&most_of_all), "{most_of_all}");
        assert_eq!(most, 10_000);
        assert_eq!(Times::default().summary(), [0; 4]);
    }

    #[test]
    fn a_total_adds_up_all_seconds() {
        let mut tally = Tally::default();
        tally.at(0).asked = 3;
        tally.at(7).asked = 4;
        tally.at(7).took.count(9);
        let total = tally.total();
        assert_eq!((total.counts.asked, total.took_us[3]), (7, 9));
        assert_eq!(
            tally
                .seconds()
                .iter()
                .map(|it| it.second)
                .collect::<Vec<_>>(),
            [0, 7]
        );
    }
}
