//! What is known by a charger's name.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

/// Something for each charger. Most of what is asked in a row is about one of them, which is then found at once: names
/// come from outside, so the map hashes them with a secret, and that costs as much as all the rest of a look.
#[derive(Debug)]
pub(super) struct Roll<T> {
    places: HashMap<Arc<str>, usize>,
    /// In the order in which they came. Boxed: a list moves its entries when it grows.
    entries: Vec<(Arc<str>, Box<T>)>,
    /// Whom was asked for last.
    last: usize,
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            entries: Vec::new(),
            last: 0,
        }
    }
}

impl<T: Default> Roll<T> {
    /// The entry of a charger, made if there is none.
    pub(super) fn entry(&mut self, name: &Arc<str>) -> &mut T {
        if !self.is_last(name) {
            self.last = *self.places.entry(Arc::clone(name)).or_insert_with(|| {
                self.entries.push((Arc::clone(name), Box::default()));
                self.entries.len() - 1
            });
        }
        &mut self.entries[self.last].1
    }

    /// The entry of a charger, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let place = if self.is_last(name) {
            self.last
        } else {
            *self.places.get(name)?
        };
        self.entries.get(place).map(|(_, entry)| &**entry)
    }

    /// The entry of a charger, if there is one.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        if !self.is_last(name) {
            self.last = *self.places.get(name)?;
        }
        self.entries
            .get_mut(self.last)
            .map(|(_, entry)| &mut **entry)
    }

    /// Every charger's name.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.iter().map(|(name, _)| name)
    }

    /// Every entry.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, entry)| &**entry)
    }

    /// Every entry.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, entry)| &mut **entry)
    }

    fn is_last(&self, name: &str) -> bool {
        self.entries
            .get(self.last)
            .is_some_and(|(last, _)| ptr::eq(&raw const **last, name) || **last == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_charger_has_its_own_entry_whoever_was_asked_for_before() {
        let mut roll: Roll<u32> = Roll::default();
        let names: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).to_vec();
        for round in 1..=3 {
            for name in &names {
                *roll.entry(name) += 1;
                assert_eq!(roll.get(name), Some(&round));
            }
        }
        *roll.get_mut("a").unwrap() += 7;
        assert_eq!((roll.get("a"), roll.get("b")), (Some(&10), Some(&3)));
        assert!(roll.get("z").is_none() && roll.get_mut("z").is_none());
        assert!(roll.names().eq(&names));
        assert_eq!(roll.values().sum::<u32>(), 16);
        roll.values_mut().for_each(|entry| *entry = 0);
        assert_eq!(roll.get("c"), Some(&0));
    }
}
