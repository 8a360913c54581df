//! What an answer rests on: how something came to be known, and when.

use crate::clock::Micros;

/// How something came to be known; the later ones are weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The charger said so on its line.
    Learned,
    /// The operator supplied it in a file.
    Imported,
    /// It follows from traffic that says something else.
    Inferred,
}

impl Label {
    /// The word that notes use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Imported => "imported",
            Self::Inferred => "inferred",
        }
    }
}

/// What an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// When it was known, µs since the Unix epoch.
    pub at: Micros,
    /// How.
    pub label: Label,
}

impl Evidence {
    /// The charger said so.
    pub const fn learned(at: Micros) -> Self {
        let label = Label::Learned;
        Self { at, label }
    }

    /// It follows from what was said then.
    pub const fn inferred(at: Micros) -> Self {
        let label = Label::Inferred;
        Self { at, label }
    }

    /// What rests on both: as old as the older, as weak as the weaker.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            at: self.at.min(other.at),
            label: self.label.max(other.label),
        }
    }

    /// [`Evidence::and`] over any number.
    pub fn all(evidence: impl IntoIterator<Item = Self>) -> Option<Self> {
        evidence.into_iter().reduce(Self::and)
    }
}

/// Evidence, and the facts that taught it: a request and its answer, or one message. 0 stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// When and how.
    pub evidence: Evidence,
    /// The facts.
    pub facts: [u64; 2],
}

impl Source {
    /// Learned from these facts.
    pub const fn learned(at: Micros, facts: [u64; 2]) -> Self {
        let evidence = Evidence::learned(at);
        Self { evidence, facts }
    }

    /// Supplied by the operator; no fact teaches it.
    pub const fn imported(at: Micros) -> Self {
        let label = Label::Imported;
        Self {
            evidence: Evidence { at, label },
            facts: [0, 0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_old_and_as_weak_as_its_weakest_part() {
        let parts = [Evidence::learned(5), Evidence::inferred(9)];
        assert_eq!(Evidence::all(parts), Some(Evidence::inferred(5)));
        assert_eq!(Evidence::all([]), None);
    }
}
