//! The filter of a screen until the filter language is there: every word must occur somewhere in the row.

/// Words that a row must show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sieve {
    text: String,
    words: Vec<String>,
}

impl Sieve {
    /// A sieve of these words; none lets everything through.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.trim().to_owned(),
            words: text.split_whitespace().map(str::to_lowercase).collect(),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a row of these cells passes. `field:value` looks for the value.
    pub fn lets(&self, cells: &[&str]) -> bool {
        self.words.iter().all(|word| {
            let value = word
                .split_once(':')
                .map_or(word.as_str(), |(_, value)| value);
            cells.iter().any(|cell| cell.to_lowercase().contains(value))
        })
    }
}
