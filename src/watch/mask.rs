//! Privacy for screens that others see: identifiers of chargers keep their shape, tags become `tag:` and four digits.
//!
//! Keyed with the recording's run: the same identifier looks the same on every screen of it, and different elsewhere. What
//! was masked can be written into a filter as it is shown; it is turned back before it is used.

use std::cell::RefCell;
use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::text::shown;

/// Hides identifiers, or lets them through.
#[derive(Debug, Default)]
pub struct Mask {
    key: Vec<u8>,
    on: bool,
    known: RefCell<HashMap<String, String>>,
}

/// More than this many remembered identifiers are forgotten: they are worked out again.
const KNOWN: usize = 50_000;

impl Mask {
    /// A mask with a key of its own.
    pub fn new(key: &str, on: bool) -> Self {
        Self {
            key: key.as_bytes().to_vec(),
            on,
            known: RefCell::default(),
        }
    }

    /// Whether it hides anything.
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// On if it was off, and the reverse.
    pub const fn toggle(&mut self) {
        self.on = !self.on;
    }

    /// An identifier of a charger: letters stay letters, digits digits, and what separates them stays.
    pub fn charger(&self, identity: &str) -> String {
        if !self.on || identity.is_empty() {
            return shown(identity).into_owned();
        }
        let mut stream = self.digest(identity).into_iter().cycle();
        let mut next =
            |base: u8, many: u8| char::from(base + stream.next().unwrap_or_default() % many);
        let masked: String = identity
            .chars()
            .map(|c| match c {
                '0'..='9' => next(b'0', 10),
                'a'..='z' => next(b'a', 26),
                'A'..='Z' => next(b'A', 26),
                '-' | '_' | '.' | ':' | '/' => c,
                _ => '?',
            })
            .collect();
        self.remember(masked, identity)
    }

    /// Who charged: nothing of it is kept.
    pub fn tag(&self, tag: &str) -> String {
        if !self.on || tag.is_empty() {
            return shown(tag).into_owned();
        }
        let digest = self.digest(tag);
        self.remember(format!("tag:{:02x}{:02x}", digest[0], digest[1]), tag)
    }

    /// A text that names identifiers which were masked before: each is masked in it too.
    pub fn text(&self, text: &str) -> String {
        let mut out = shown(text).into_owned();
        if self.on {
            let known = self.known.borrow();
            for (masked, real) in known.iter().filter(|(_, real)| real.len() > 2) {
                if out.contains(real.as_str()) {
                    out = out.replace(real.as_str(), masked);
                }
            }
        }
        out
    }

    /// A text as it was written on a masked screen, with the identifiers that are meant.
    pub fn reveal(&self, text: &str) -> String {
        let known = self.known.borrow();
        let mut out = text.to_owned();
        for (masked, real) in known.iter() {
            if out.contains(masked.as_str()) {
                out = out.replace(masked.as_str(), real);
            }
        }
        out
    }

    fn remember(&self, masked: String, real: &str) -> String {
        let mut known = self.known.borrow_mut();
        if known.len() >= KNOWN {
            known.clear();
        }
        known
            .entry(masked.clone())
            .or_insert_with(|| real.to_owned());
        masked
    }

    fn digest(&self, text: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.key);
        hash.update([0]);
        hash.update(text.as_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_keep_their_shape_and_can_be_meant_again() {
        let mask = Mask::new("run", true);
        let masked = mask.charger("harbour-ac-02");
        assert_ne!(masked, "harbour-ac-02");
        assert_eq!(masked.len(), "harbour-ac-02".len());
        assert_eq!(masked, mask.charger("harbour-ac-02"));
        assert_eq!((&masked[7..8], &masked[10..11]), ("-", "-"));
        assert!(masked.ends_with(|c: char| c.is_ascii_digit()));
        assert_eq!(
            mask.reveal(&format!("charger:{masked}")),
            "charger:harbour-ac-02"
        );
        assert_eq!(
            mask.text("seen on harbour-ac-02"),
            format!("seen on {masked}")
        );
        assert!(mask.tag("04B10C4ED0").starts_with("tag:"));
        assert_ne!(Mask::new("other", true).charger("harbour-ac-02"), masked);
    }

    #[test]
    fn what_is_not_masked_is_still_made_harmless() {
        assert_eq!(Mask::default().charger("a\u{7}b"), "a\\u{7}b");
    }
}
