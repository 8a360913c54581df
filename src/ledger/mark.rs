//! The marks in front of rows: the same six in every view, each with its word.

use serde::{Serialize, Serializer};

/// What came out, as one character and one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Both say the same.
    Equal,
    /// They differ, and a rule or a relation says why that is right.
    Explained,
    /// They differ.
    Divergent,
    /// They cannot be compared.
    NotComparable,
    /// One of them is the tap's own: a stand-in answered.
    Synthetic,
    /// It is not judged yet.
    Pending,
}

impl Mark {
    /// All of them, in the order in which legends list them.
    pub const ALL: [Self; 6] = [
        Self::Equal,
        Self::Explained,
        Self::Divergent,
        Self::NotComparable,
        Self::Synthetic,
        Self::Pending,
    ];

    /// The mark of an outcome, by its word.
    pub fn of(outcome: &str) -> Self {
        match outcome {
            "equal" => Self::Equal,
            "explained" => Self::Explained,
            "divergent" => Self::Divergent,
            "pending" => Self::Pending,
            _ => Self::NotComparable,
        }
    }

    /// The character.
    pub const fn char(self) -> char {
        match self {
            Self::Equal => '=',
            Self::Explained => '~',
            Self::Divergent => 'x',
            Self::NotComparable => 'n',
            Self::Synthetic => 's',
            Self::Pending => '.',
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Explained => "explained",
            Self::Divergent => "divergent",
            Self::NotComparable => "not comparable",
            Self::Synthetic => "synthetic",
            Self::Pending => "pending",
        }
    }
}

impl Serialize for Mark {
    /// As its word.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
