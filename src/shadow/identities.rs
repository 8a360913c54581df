//! Which connections each charger has: asked at every opening, so nobody may look through all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Connections by charger. Mostly there is one of each; a charger that returns before its old connection is dead has two.
#[derive(Debug, Default)]
pub struct Identities(BTreeSet<(Arc<str>, u64)>);

impl Identities {
    /// Adds a connection.
    pub fn insert(&mut self, charger: &Arc<str>, conn: u64) {
        self.0.insert((Arc::clone(charger), conn));
    }

    /// Forgets a connection.
    pub fn remove(&mut self, charger: &Arc<str>, conn: u64) {
        self.0.remove(&(Arc::clone(charger), conn));
    }

    /// The connections of one charger, oldest first.
    pub fn of(&self, charger: &Arc<str>) -> impl Iterator<Item = u64> {
        let all = (Arc::clone(charger), 0)..=(Arc::clone(charger), u64::MAX);
        self.0.range(all).map(|(_, conn)| *conn)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn each_charger_has_its_own_connections() {
        let mut identities = Identities::default();
        let (one, two): (Arc<str>, Arc<str>) = ("CP1".into(), "CP10".into());
        for (charger, conn) in [(&one, 7), (&two, 8), (&one, 3), (&one, u64::MAX)] {
            identities.insert(charger, conn);
        }
        let of = |identities: &Identities, charger| identities.of(charger).collect::<Vec<_>>();
        assert_eq!(of(&identities, &one), [3, 7, u64::MAX]);
        assert_eq!(of(&identities, &two), [8]);
        identities.remove(&one, 7);
        assert_eq!(of(&identities, &one), [3, u64::MAX]);
        assert_eq!(identities.of(&Arc::from("CP")).count(), 0);
    }

    #[test]
    fn a_storm_of_openings_costs_each_about_the_same() {
        let mut identities = Identities::default();
        let begun = Instant::now();
        for conn in 0..100_000 {
            let charger = Arc::from(format!("CP{conn}"));
            assert_eq!(identities.of(&charger).count(), 0);
            identities.insert(&charger, conn);
        }
        // Looking through all of them, 5 thousand million comparisons, takes minutes.
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
