//! The newest entries by name: what the judge keeps per charger over weeks, bounded.
//!
//! Chargers lose the ends of transactions, and tags are as many as drivers. What has to go is the oldest; whoever asks
//! for it then hears that nothing is known, which is never good news.

/// How many entries stay: more than a charger has transactions at once.
const MOST: usize = 256;

/// A map that forgets the entry that was put in first when it is full. Most hold one or none, and there are several per
/// charger: a list in order of its names is the smallest that there is.
#[derive(Debug)]
pub(super) struct Recent<V> {
    entries: Vec<Entry<V>>,
    /// How many have ever been put in.
    count: u64,
}

#[derive(Debug)]
struct Entry<V> {
    name: String,
    /// Which one it was to be put in.
    age: u64,
    value: V,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            count: 0,
        }
    }
}

impl<V> Recent<V> {
    /// Puts an entry in, in place of one of the same name; the oldest goes if there are too many.
    pub(super) fn insert(&mut self, name: String, value: V) {
        self.count += 1;
        let age = self.count;
        match self.find(&name) {
            Ok(at) => {
                let entry = &mut self.entries[at];
                (entry.age, entry.value) = (age, value);
            }
            Err(at) => {
                if self.entries.len() == self.entries.capacity() {
                    self.entries.reserve_exact(1 + self.entries.len() / 2);
                }
                self.entries.insert(at, Entry { name, age, value });
            }
        }
        if self.entries.len() > MOST {
            let ages = self.entries.iter().map(|entry| entry.age).enumerate();
            if let Some((oldest, _)) = ages.min_by_key(|(_, age)| *age) {
                self.entries.remove(oldest);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&V> {
        let at = self.find(name).ok()?;
        Some(&self.entries[at].value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        let at = self.find(name).ok()?;
        Some(&mut self.entries[at].value)
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<V> {
        let at = self.find(name).ok()?;
        Some(self.entries.remove(at).value)
    }

    /// The values, in order of their names.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// The values, in order of their names.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| entry.name.as_str().cmp(name))
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
