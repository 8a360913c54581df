//! A quick hash, for texts that are compared within one run: every payload goes through it, and nothing is kept of it.
//!
//! It is no secret. Who makes two texts collide on purpose has what is remembered of its own messages mistaken.

use std::hash::Hasher;

/// A hash on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mix(u64);

/// Where each hash begins: any odd number without a pattern would do, here and as the factor.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

const FACTOR: u64 = 0x517c_c1b7_2722_0a95;

impl Default for Mix {
    fn default() -> Self {
        Self(SEED)
    }
}

impl Mix {
    /// The hash of a text.
    pub(super) fn of(text: &str) -> u64 {
        let mut mix = Self::default();
        mix.take(text.len() as u64);
        mix.write(text.as_bytes());
        mix.0
    }

    /// Both halves of the product are kept, so that every bit of the word reaches every bit of the hash.
    const fn take(&mut self, word: u64) {
        let wide = (self.0 ^ word) as u128 * FACTOR as u128;
        self.0 = wide as u64 ^ (wide >> 64) as u64;
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.take(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.take(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.take(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.take(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.take(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_that_differ_a_little_are_told_apart() {
        let mut seen = HashSet::new();
        for number in 0..100_000 {
            assert!(seen.insert(Mix::of(&format!(r#"{{"idTag":"{number:08X}"}}"#))));
        }
        assert!(seen.insert(Mix::of("")));
        assert!(seen.insert(Mix::of("\0")));
    }
}
