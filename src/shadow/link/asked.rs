//! Whether one side of a connection waits for an answer. OCPP-J allows one CALL at a time, so the last one counts.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;

/// A fingerprint of the id of the CALL that waits: ids are as long as chargers like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked(Option<NonZeroU64>);

impl Asked {
    pub(super) fn called(&mut self, id: &str) {
        self.0 = Some(fingerprint(id));
    }

    pub(super) fn answered(&mut self, id: &str) {
        if self.0 == Some(fingerprint(id)) {
            self.0 = None;
        }
    }

    pub(super) fn waits(self) -> bool {
        self.0.is_some()
    }
}

fn fingerprint(id: &str) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    NonZeroU64::MIN.saturating_add(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_answer_ends_the_wait() {
        let mut asked = Asked::default();
        assert!(!asked.waits());
        asked.called("1");
        asked.answered("2");
        assert!(asked.waits());
        asked.answered("1");
        assert!(!asked.waits());
    }
}
