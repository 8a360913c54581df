//! Which identifier of the shadow stands for which identifier of the authority, for one charger.
//!
//! A relation, not a function: several authority values may mean one shadow value (the authority answered a repeated
//! `StartTransaction` with a new id), and the same value means different things in different classes.

use std::collections::BTreeMap;

use super::identifiers::Class;
use super::json;

/// A JSON identifier in canonical form: the text without quotes, and whether it had any. Chargers echo integers as
/// strings, so the text alone is the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    text: String,
    string: bool,
}

impl Identifier {
    /// Reads a JSON string or number. Bare text that is neither (`null`, an object) is kept as it stands.
    pub fn read(literal: &str) -> Self {
        match json::string_value(literal) {
            Some(text) => Self {
                text: text.into_owned(),
                string: true,
            },
            None => Self {
                text: integral(literal).to_owned(),
                string: false,
            },
        }
    }

    /// The text without quotes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it stood in quotes.
    pub const fn is_string(&self) -> bool {
        self.string
    }

    /// Whether it is an integer that fits 32 bits. Some chargers store no more, so a backend that mints larger ones
    /// passes in shadow and fails after cutover.
    pub fn fits_i32(&self) -> bool {
        self.text.parse::<i32>().is_ok()
    }

    /// The JSON text.
    pub fn literal(&self) -> String {
        if self.string {
            serde_json::Value::from(self.text.as_str()).to_string()
        } else {
            self.text.clone()
        }
    }
}

/// `12.0` is the integer 12 to every backend that reads it.
fn integral(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, fraction))
            if !whole.is_empty() && !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') =>
        {
            whole
        }
        _ => number,
    }
}

/// What [`Relation::learn`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// A pair of two new values.
    New,
    /// The same pair again.
    Known,
    /// The authority's value already has another twin, which stays: a charger goes on with the first answer it got.
    Conflict {
        /// The shadow value that stays.
        kept: String,
    },
    /// A new pair, but the shadow value already stands for another authority value: right when one call was repeated,
    /// an identifier collision when two calls minted it.
    Shared {
        /// The authority value that had it before.
        with: String,
    },
    /// [`Relation::relearn`] replaced the twin.
    Replaced {
        /// The shadow value that it had before.
        before: String,
    },
}

/// How many pairs of one class are kept: many times what a charger has open at once. A recording runs for months, and
/// most identifiers are never named again.
const MOST: usize = 512;

/// The map of one charger. Of each class the newest pairs are kept; an identifier whose pair had to go has no twin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relation {
    /// How many pairs have ever been learned.
    count: u64,
    to_shadow: BTreeMap<(Class, String), Pair>,
    /// Authority values per shadow value, oldest first.
    to_authority: BTreeMap<(Class, String), Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    authority: Identifier,
    shadow: Identifier,
    /// When it was learned: [`Relation::count`].
    age: u64,
}

impl Relation {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns that two values, given as JSON text, mean the same. The first twin of an authority value wins.
    pub fn learn(&mut self, class: Class, authority: &str, shadow: &str) -> Learned {
        let pair = Pair {
            authority: Identifier::read(authority),
            shadow: Identifier::read(shadow),
            age: self.count,
        };
        let key = (class, pair.authority.text.clone());
        match self.to_shadow.get(&key) {
            Some(known) if known.shadow.text == pair.shadow.text => Learned::Known,
            Some(known) => Learned::Conflict {
                kept: known.shadow.text.clone(),
            },
            None => self.insert(key, pair),
        }
    }

    /// Learns a pair whose authority value was minted anew by another call (a backend that numbers its requests from 0
    /// each time): the last twin wins.
    pub fn relearn(&mut self, class: Class, authority: &str, shadow: &str) -> Learned {
        let outcome = self.learn(class, authority, shadow);
        let Learned::Conflict { kept } = outcome else {
            return outcome;
        };
        self.forget(class, authority);
        self.learn(class, authority, shadow);
        Learned::Replaced { before: kept }
    }

    /// Removes an authority value; returns whether it was known.
    pub fn forget(&mut self, class: Class, authority: &str) -> bool {
        let key = (class, Identifier::read(authority).text);
        let Some(pair) = self.to_shadow.remove(&key) else {
            return false;
        };
        let back = (class, pair.shadow.text);
        if let Some(values) = self.to_authority.get_mut(&back) {
            values.retain(|value| *value != key.1);
            if values.is_empty() {
                self.to_authority.remove(&back);
            }
        }
        true
    }

    fn insert(&mut self, key: (Class, String), pair: Pair) -> Learned {
        let values = self
            .to_authority
            .entry((key.0, pair.shadow.text.clone()))
            .or_default();
        let outcome = match values.last() {
            Some(with) => Learned::Shared { with: with.clone() },
            None => Learned::New,
        };
        values.push(key.1.clone());
        let class = key.0;
        self.to_shadow.insert(key, pair);
        self.count += 1;
        self.make_room(class);
        outcome
    }

    fn make_room(&mut self, class: Class) {
        let of_class = || {
            self.to_shadow
                .range((class, String::new())..)
                .take_while(move |((other, _), _)| *other == class)
        };
        if of_class().count() <= MOST {
            return;
        }
        let oldest = of_class().min_by_key(|(_, pair)| pair.age);
        if let Some(literal) = oldest.map(|(_, pair)| pair.authority.literal()) {
            self.forget(class, &literal);
        }
    }

    /// The shadow's value for an authority value, without quotes. The argument may be JSON text or bare.
    pub fn to_shadow(&self, class: Class, authority: &str) -> Option<&str> {
        let key = (class, Identifier::read(authority).text);
        self.to_shadow.get(&key).map(|pair| pair.shadow.text())
    }

    /// The authority's value for a shadow value, without quotes; the newest when several share it.
    pub fn to_authority(&self, class: Class, shadow: &str) -> Option<&str> {
        let key = (class, Identifier::read(shadow).text);
        self.to_authority.get(&key)?.last().map(String::as_str)
    }

    /// Every pair: class, authority, shadow; ordered by class and authority value.
    pub fn pairs(&self) -> impl Iterator<Item = (Class, &Identifier, &Identifier)> {
        self.to_shadow
            .iter()
            .map(|((class, _), pair)| (*class, &pair.authority, &pair.shadow))
    }

    /// Every shadow value that stands for several authority values: class, shadow value, authority values oldest first.
    pub fn shared(&self) -> impl Iterator<Item = (Class, &str, &[String])> {
        self.to_authority
            .iter()
            .filter(|(_, values)| values.len() > 1)
            .map(|((class, shadow), values)| (*class, shadow.as_str(), values.as_slice()))
    }

    /// How many pairs are known.
    pub fn len(&self) -> usize {
        self.to_shadow.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.to_shadow.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TX: Class = Class::TransactionId;

    #[test]
    fn the_first_twin_wins_and_zero_is_a_value() {
        let mut relation = Relation::new();
        assert_eq!(relation.learn(TX, "0", "7"), Learned::New);
        assert_eq!(relation.learn(TX, "0", "7"), Learned::Known);
        let kept = "7".to_owned();
        assert_eq!(relation.learn(TX, "0", "8"), Learned::Conflict { kept });
        assert_eq!(relation.to_shadow(TX, "0"), Some("7"));
        assert_eq!(relation.to_authority(TX, "8"), None);
        assert_eq!(relation.to_shadow(Class::ReservationId, "0"), None);
    }

    #[test]
    fn a_repeated_start_maps_two_to_one() {
        let mut relation = Relation::new();
        relation.learn(TX, "5", "70");
        let with = "5".to_owned();
        assert_eq!(relation.learn(TX, "6", "70"), Learned::Shared { with });
        assert_eq!(relation.to_shadow(TX, "5"), relation.to_shadow(TX, "6"));
        assert_eq!(relation.to_authority(TX, "70"), Some("6"));
        let shared: Vec<_> = relation.shared().collect();
        assert_eq!(
            shared,
            [(TX, "70", ["5".to_owned(), "6".to_owned()].as_slice())]
        );
    }

    #[test]
    fn an_integer_that_comes_back_as_a_string_is_recognised() {
        let mut relation = Relation::new();
        relation.learn(TX, "12", r#""a\"b""#);
        assert_eq!(relation.to_shadow(TX, r#""12""#), Some("a\"b"));
        assert_eq!(relation.to_shadow(TX, "12.0"), Some("a\"b"));
        let (_, authority, shadow) = relation.pairs().next().unwrap();
        assert!(!authority.is_string() && authority.fits_i32());
        assert_eq!(shadow.literal(), r#""a\"b""#);
        assert!(!Identifier::read("2147483648").fits_i32());
    }

    #[test]
    fn a_request_id_that_is_minted_anew_follows_the_last_call() {
        let mut relation = Relation::new();
        let class = Class::ReportRequestId;
        relation.relearn(class, "1", "10");
        let before = "10".to_owned();
        assert_eq!(
            relation.relearn(class, "1", "11"),
            Learned::Replaced { before }
        );
        assert_eq!(relation.to_shadow(class, "1"), Some("11"));
        assert_eq!(relation.to_authority(class, "10"), None);
        assert!(relation.forget(class, "1"));
        assert!(relation.is_empty());
    }

    #[test]
    fn the_newest_pairs_of_each_class_stay() {
        let mut relation = Relation::new();
        relation.learn(Class::ReservationId, "1", "1");
        for id in 0..MOST + 100 {
            relation.learn(TX, &id.to_string(), &format!("\"c{id}\""));
        }
        assert_eq!(relation.len(), MOST + 1);
        assert_eq!(relation.to_shadow(TX, "99"), None);
        assert_eq!(relation.to_authority(TX, "c99"), None);
        assert_eq!(relation.to_shadow(TX, "100"), Some("c100"));
        assert_eq!(relation.to_shadow(Class::ReservationId, "1"), Some("1"));
    }

    fn class() -> impl Strategy<Value = Class> {
        prop::sample::select(&Class::ALL[..3])
    }

    proptest! {
        #[test]
        fn both_directions_agree(
            calls in prop::collection::vec((class(), -3_i64..6, -3_i64..6, any::<bool>()), 0..60)
        ) {
            let mut relation = Relation::new();
            let mut first = BTreeMap::new();
            for (class, authority, shadow, again) in calls {
                let (a, s) = (authority.to_string(), shadow.to_string());
                if again {
                    relation.relearn(class, &a, &s);
                    first.insert((class, a), s);
                } else {
                    relation.learn(class, &a, &s);
                    first.entry((class, a)).or_insert(s);
                }
            }
            prop_assert_eq!(relation.len(), first.len());
            for ((class, authority), shadow) in &first {
                prop_assert_eq!(relation.to_shadow(*class, authority), Some(shadow.as_str()));
                let back = relation.to_authority(*class, shadow).unwrap();
                prop_assert_eq!(relation.to_shadow(*class, back), Some(shadow.as_str()));
            }
            let values: usize = relation.to_authority.values().map(Vec::len).sum();
            prop_assert_eq!(values, relation.len());
        }

        #[test]
        fn every_literal_survives(text in "\\PC*") {
            let literal = serde_json::Value::from(text.as_str()).to_string();
            let identifier = Identifier::read(&literal);
            prop_assert_eq!(identifier.text(), text.as_str());
            prop_assert_eq!(Identifier::read(&identifier.literal()), identifier);
        }
    }
}
