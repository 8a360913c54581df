//! A quick hash, for texts that are compared within one run: every payload goes through it, and nothing is kept of it.
//!
//! It is no secret. Who makes two texts collide on purpose has what is remembered of its own messages mistaken.

use std::hash::Hasher;

/// A hash on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix(u64);

impl Mix {
    /// The hash of a text.
    pub(super) fn of(text: &str) -> u64 {
        let mut mix = Self(text.len() as u64);
        mix.write(text.as_bytes());
        mix.0
    }

    const fn take(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
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
