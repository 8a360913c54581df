//! What a view can be filtered by: the table behind help, completion and complaints.

use std::fmt::Write as _;

use similar::TextDiff;

/// One field of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// What it is called, also by the rows that are asked.
    pub name: &'static str,
    /// What it may be called too.
    pub aliases: &'static [&'static str],
    /// What its values are.
    pub kind: Kind,
    /// What it says, as a fragment.
    pub help: &'static str,
    /// A term with it.
    pub example: &'static str,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; searched for bare words too.
    Text,
    /// One of these words; searched for bare words too. A blank in a word may be written as a hyphen.
    Choice(&'static [&'static str]),
    /// A whole number.
    Number,
    /// A length of time.
    Span,
    /// A severity: worse ones are greater.
    Severity,
    /// An instant.
    Instant,
    /// An instant that must not be earlier than the one that is named.
    Since,
    /// An instant that must be earlier than the one that is named.
    Until,
}

impl Kind {
    /// Whether bare words are looked for in it.
    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Choice(_))
    }

    /// The operators that it knows, for complaints.
    pub(super) const fn operators(self) -> &'static str {
        match self {
            Self::Text => "`:`, `=`, `!=` or `~`",
            Self::Choice(_) => "`:`, `=` or `!=`",
            Self::Since | Self::Until => "`:`",
            Self::Number | Self::Span | Self::Severity | Self::Instant => {
                "`:`, `=`, `!=`, `>`, `>=`, `<` or `<=`"
            }
        }
    }
}

/// The field with this name or alias, in either case.
pub(super) fn find(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    (fields.iter()).find(|field| is(field.name) || field.aliases.iter().any(|alias| is(alias)))
}

/// The one of `known` that was probably meant.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    const ALIKE: f32 = 0.6;
    let word = word.to_ascii_lowercase();
    known
        .map(|known| (TextDiff::from_chars(known, word.as_str()).ratio(), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The fields of a view and the language around them, as text for a terminal.
pub fn help(fields: &[Field]) -> String {
    let mut out = String::from(
        "Filters:\n  \
         Terms side by side must all hold; `or`, `not` (or `!`) and parentheses combine them. A bare\n  \
         word is looked for in every field of text. Of several values with commas, one is enough.\n  \
         Text is compared in either case, with * and ? as wildcards; in quotes it is meant exactly.\n  \
         `~` looks for a part. Instants are dates, times (UTC), or how long before the last fact of\n  \
         the recording. Worse severities are greater.\n\n",
    );
    for field in fields {
        let _ = writeln!(
            out,
            "  {:<10} {} ({})",
            field.name, field.help, field.example
        );
    }
    out
}
