//! Privacy for screens that others see: identifiers of chargers keep their shape, tags become `tag:` and four digits.
//!
//! Keyed with the recording's run: the same identifier looks the same on every screen of it, and different elsewhere. What
//! was masked can be written into a filter as it is shown; it is turned back before it is used.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::text::shown;

/// Hides identifiers, or lets them through.
#[derive(Debug, Default)]
pub struct Mask {
    key: Vec<u8>,
    on: bool,
    known: RefCell<Known>,
}

/// What was masked so far.
#[derive(Debug, Default)]
struct Known {
    real: HashMap<String, String>,
    masked: HashMap<String, String>,
}

/// More than this many remembered identifiers are forgotten: they are worked out again.
const MOST: usize = 50_000;

/// Members of messages and records whose values tell who charges, or which machine it is.
const PRIVATE: [&str; 14] = [
    "idTag",
    "parentIdTag",
    "idToken",
    "uid",
    "contract_id",
    "visual_number",
    "token",
    "chargePointSerialNumber",
    "chargeBoxSerialNumber",
    "meterSerialNumber",
    "serialNumber",
    "iccid",
    "imsi",
    "emaid",
];

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
        if let Some(masked) = self.known.borrow().masked.get(identity) {
            return masked.clone();
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

    /// A text in words: identifiers that were masked before are masked in it too.
    pub fn text(&self, text: &str) -> String {
        let harmless = shown(text);
        if !self.on {
            return harmless.into_owned();
        }
        let known = self.known.borrow();
        replaced(&harmless, &known.masked).into_owned()
    }

    /// The text of a message or record: values of members that tell who charges are masked, and what was masked before.
    pub fn message(&self, text: &str) -> String {
        if !self.on {
            return shown(text).into_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, value, after)) = PRIVATE
            .iter()
            .filter_map(|key| member(rest, key))
            .min_by_key(|found| found.0.len())
        {
            out.push_str(before);
            out.push_str(&self.tag(value));
            rest = after;
        }
        out.push_str(rest);
        self.text(&out)
    }

    /// A text as it was written on a masked screen, with the identifiers that are meant.
    pub fn reveal(&self, text: &str) -> String {
        let known = self.known.borrow();
        replaced(text, &known.real).into_owned()
    }

    /// Remembers the chargers that a filter names.
    pub fn meet(&self, filter: &str) {
        for term in filter.split_whitespace() {
            if let Some((_, chargers)) = term.split_once("charger:") {
                for charger in chargers.split(',').filter(|charger| !charger.is_empty()) {
                    self.charger(charger.trim_matches('"'));
                }
            }
        }
    }

    fn remember(&self, masked: String, real: &str) -> String {
        let mut known = self.known.borrow_mut();
        if known.masked.len() >= MOST {
            *known = Known::default();
        }
        known
            .real
            .entry(masked.clone())
            .or_insert_with(|| real.to_owned());
        known.masked.insert(real.to_owned(), masked.clone());
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

/// A text with the words for which there are `others`. A word is what an identifier may be made of; where that has no other,
/// it is tried without what ends a sentence or clause, and then what follows a colon in it.
fn replaced<'t>(text: &'t str, others: &HashMap<String, String>) -> Cow<'t, str> {
    let is_part = |c: char| c.is_alphanumeric() || "-_.:/*".contains(c);
    let mut out = String::new();
    let mut rest = text;
    let mut changed = false;
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..]
            .find(|c| !is_part(c))
            .map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        let word = &rest[start..end];
        let core = word.trim_end_matches(['.', ':', '/']);
        let (head, tail) = core
            .split_once(':')
            .map_or(("", core), |(head, tail)| (&core[..=head.len()], tail));
        let end_of_clause = &word[core.len()..];
        let found = others
            .get(word)
            .map(|whole| ("", whole, ""))
            .or_else(|| Some(("", others.get(core)?, end_of_clause)))
            .or_else(|| Some((head, others.get(tail)?, end_of_clause)));
        match found {
            Some((head, new, after)) => {
                changed = true;
                out.push_str(head);
                out.push_str(new);
                out.push_str(after);
            }
            None => out.push_str(word),
        }
        rest = &rest[end..];
    }
    if !changed {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The text before the value of a string member, the value, and what follows.
fn member<'t>(text: &'t str, key: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find(key) {
        let (start, end) = (from + at, from + at + key.len());
        from = end;
        if !text[..start].ends_with('"') || !text[end..].starts_with('"') {
            continue;
        }
        let after = text[end + 1..].trim_start();
        let Some(value) = after
            .strip_prefix(':')
            .map(str::trim_start)
            .and_then(|after| after.strip_prefix('"'))
        else {
            continue;
        };
        let begin = text.len() - value.len();
        let length = value.find('"').unwrap_or(value.len());
        return Some((&text[..begin], &value[..length], &value[length..]));
    }
    None
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
            mask.text("seen on harbour-ac-02, twice"),
            format!("seen on {masked}, twice")
        );
        assert_eq!(mask.text("harbour-ac-021"), "harbour-ac-021");
        assert_eq!(
            mask.text("gap on harbour-ac-02: full. It was harbour-ac-02."),
            format!("gap on {masked}: full. It was {masked}.")
        );
        assert!(mask.tag("04B10C4ED0").starts_with("tag:"));
        assert_ne!(Mask::new("other", true).charger("harbour-ac-02"), masked);
    }

    #[test]
    fn messages_keep_all_but_who_charges() {
        let mask = Mask::new("run", true);
        let text = r#"[2,"m1","StartTransaction",{"idTag" : "04B1","meterStart":10,"x":{"idToken":"N\u0020","type":"a"}}]"#;
        let masked = mask.message(text);
        assert!(
            !masked.contains("04B1\"") && !masked.contains("N\\u"),
            "{masked}"
        );
        assert!(
            masked.starts_with(r#"[2,"m1","StartTransaction",{"idTag" : "tag:"#),
            "{masked}"
        );
        assert!(masked.ends_with(r#"","type":"a"}}]"#), "{masked}");
        assert_eq!(mask.message(r#"{"idTag":"#), r#"{"idTag":"#);
        assert_eq!(Mask::default().message(text), text);
    }

    #[test]
    fn what_is_not_masked_is_still_made_harmless() {
        assert_eq!(Mask::default().charger("a\u{7}b"), "a\\u{7}b");
    }
}
