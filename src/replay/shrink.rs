//! Delta debugging: the smallest series that still shows what it is about.
//!
//! Parts of the series are left out, large ones first, as long as the rest still shows it (Zeller's `ddmin` by
//! complements). What remains is 1-minimal: no single element can be left out. Whoever decides whether a series shows it
//! may take its time, or a network: the search is a state that is asked for the next series and told what came of it.

use std::ops::Range;

/// The search, between two trials.
#[derive(Debug, Clone)]
pub struct Shrinker {
    kept: Vec<usize>,
    /// In how many parts of about the same size `kept` is cut.
    parts: usize,
    /// The part that is left out next.
    at: usize,
    tries: u32,
}

impl Shrinker {
    /// A search in a series of `count` elements that shows it as a whole.
    pub fn new(count: usize) -> Self {
        Self {
            kept: (0..count).collect(),
            parts: count.min(2),
            at: 0,
            tries: 0,
        }
    }

    /// The next series to try, by the numbers of its elements; none when no element can be left out.
    pub fn trial(&self) -> Option<Vec<usize>> {
        if self.at >= self.parts {
            return None;
        }
        let out = self.part();
        let rest = self.kept[..out.start].iter().chain(&self.kept[out.end..]);
        Some(rest.copied().collect())
    }

    /// Takes what came of the trial.
    pub fn tell(&mut self, shows: bool) {
        self.tries += 1;
        if shows {
            let out = self.part();
            self.kept.drain(out);
            self.parts = (self.parts - 1).max(2).min(self.kept.len());
            self.at = 0;
            return;
        }
        self.at += 1;
        if self.at == self.parts && self.parts < self.kept.len() {
            self.parts = (2 * self.parts).min(self.kept.len());
            self.at = 0;
        }
    }

    /// The elements that have not been left out, in order.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// How many series were tried.
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    fn part(&self) -> Range<usize> {
        let count = self.kept.len();
        count * self.at / self.parts..count * (self.at + 1) / self.parts
    }
}

/// Searches to the end, with an answer at hand for every series.
pub fn shrink(count: usize, mut shows: impl FnMut(&[usize]) -> bool) -> Shrinker {
    let mut search = Shrinker::new(count);
    while let Some(trial) = search.trial() {
        let came = shows(&trial);
        search.tell(came);
    }
    search
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    use proptest::prelude::*;

    use super::*;

    /// Whether no element of `kept` can be left out.
    fn is_1_minimal(kept: &[usize], mut shows: impl FnMut(&[usize]) -> bool) -> bool {
        (0..kept.len()).all(|out| {
            let mut rest = kept.to_vec();
            rest.remove(out);
            !shows(&rest)
        })
    }

    proptest! {
        /// Any of some sets of elements is enough to show it.
        #[test]
        fn what_remains_is_1_minimal_where_more_shows_no_less(
            count in 1_usize..60,
            cores in prop::collection::vec(prop::collection::btree_set(0_usize..60, 0..6), 1..4),
        ) {
            let cores: Vec<BTreeSet<usize>> = cores
                .into_iter()
                .map(|core| core.into_iter().filter(|at| *at < count).collect())
                .collect();
            let shows = |kept: &[usize]| {
                let kept: BTreeSet<usize> = kept.iter().copied().collect();
                cores.iter().any(|core| core.is_subset(&kept))
            };
            let found = shrink(count, shows);
            prop_assert!(shows(found.kept()));
            prop_assert!(is_1_minimal(found.kept(), shows));
            prop_assert!(cores.iter().any(|core| core.iter().eq(found.kept())));
        }

        /// More may show less: a message can undo what another did.
        #[test]
        fn what_remains_is_1_minimal_whatever_shows_it(count in 0_usize..40, salt: u64, rarity in 1_u64..6) {
            let shows = |kept: &[usize]| {
                let mut hasher = DefaultHasher::new();
                (salt, kept).hash(&mut hasher);
                kept.len() == count || hasher.finish().is_multiple_of(rarity)
            };
            let found = shrink(count, shows);
            prop_assert!(shows(found.kept()));
            prop_assert!(is_1_minimal(found.kept(), shows));
        }
    }

    #[test]
    fn two_of_many_are_found_quickly() {
        let found = shrink(500, |kept| kept.contains(&3) && kept.contains(&377));
        assert_eq!(found.kept(), [3, 377]);
        assert!(found.tries() < 100, "{} tries", found.tries());
    }
}
