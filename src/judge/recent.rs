//! The newest entries by name: what the judge keeps per charger over weeks, bounded.
//!
//! Chargers lose the ends of transactions, and tags are as many as drivers. What has to go is the oldest; whoever asks
//! for it then hears that nothing is known, which is never good news.

use std::collections::BTreeMap;

/// How many entries stay: more than a charger has transactions at once.
const MOST: usize = 256;

/// A map that forgets the entry that was put in first when it is full.
#[derive(Debug)]
pub(super) struct Recent<V> {
    entries: BTreeMap<String, (u64, V)>,
    /// How many have ever been put in.
    count: u64,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<V> Recent<V> {
    /// Puts an entry in, in place of one of the same name; the oldest goes if there are too many.
    pub(super) fn insert(&mut self, name: String, value: V) {
        self.count += 1;
        self.entries.insert(name, (self.count, value));
        if self.entries.len() > MOST {
            let oldest = self.entries.iter().min_by_key(|(_, (age, _))| *age);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.entries.remove(&name);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.entries.get(name).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.entries.get_mut(name).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<V> {
        self.entries.remove(name).map(|(_, value)| value)
    }

    /// The values, in order of their names.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|(_, value)| value)
    }

    /// The values, in order of their names.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes() {
        let mut recent = Recent::default();
        for number in 0..1_000 {
            recent.insert(number.to_string(), number);
            recent.insert("again".to_owned(), number);
        }
        assert_eq!(recent.values().count(), MOST);
        assert_eq!(recent.get("again"), Some(&999));
        assert_eq!(recent.get("999"), Some(&999));
        assert_eq!(recent.get("700"), None);
        assert_eq!(recent.remove("999"), Some(999));
    }
}
