//! Pseudonyms: what leaves the building names no driver, no charger and no machine that leads to one.
//!
//! A list says which members of messages and records are kept; every other value becomes a pseudonym. It has the length and
//! the kinds of characters of what it stands for, so that a program that checks its input treats both alike, and it is keyed:
//! the same value has the same pseudonym in everything that goes to one recipient, and another one for the next. Space
//! around a value stays, and so does the case of its letters: both are what backends trip over.

mod kept;
mod leaks;
mod originals;
mod shape;
mod walk;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use ring::hmac;

use crate::clock::Micros;
use crate::ocpp::json;
use kept::{Fate, fate};
pub use leaks::{Leak, Searched, leaks};
pub use originals::Originals;
use shape::{Spelling, shaped};

/// Shorter values are too common to be looked for in prose: half of all numbers are somebody's connector.
pub(crate) const SHORTEST: usize = 4;

/// Times that a pseudonym is tried again when it is somebody else's name.
const TRIES: u32 = 64;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Turns what is personal into pseudonyms.
pub struct Veil {
    key: hmac::Key,
    shift: Micros,
    originals: Originals,
    given: RefCell<Given>,
}

/// What was given out so far.
#[derive(Default)]
struct Given {
    /// Pseudonyms, by what they stand for.
    pseudonyms: BTreeMap<String, String>,
    /// What they are, so that no two values share one.
    taken: BTreeSet<String>,
    /// Values that were let through because their members are kept, in lower case.
    kept: HashSet<String>,
}

impl std::fmt::Debug for Veil {
    /// Without the key, and without anything that it hides.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Veil").finish_non_exhaustive()
    }
}

impl Veil {
    /// A veil for one recipient: nobody else's pseudonyms are the same. Times are shifted by `shift` µs.
    pub fn new(
        key: &[u8; KEY_BYTES],
        recipient: &str,
        shift: Micros,
        originals: Originals,
    ) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, key);
        let own = hmac::sign(&master, format!("recipient\n{recipient}").as_bytes());
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()),
            shift,
            originals,
            given: RefCell::default(),
        }
    }

    /// Eight hexadecimal digits that tell keys apart and say nothing about them.
    pub fn key_id(&self) -> String {
        let tag = hmac::sign(&self.key, b"key id");
        tag.as_ref()[..4].iter().fold(String::new(), |text, byte| {
            text + &format!("{byte:02x}")
        })
    }

    /// Whether times are shifted.
    pub const fn shifts(&self) -> bool {
        self.shift != 0
    }

    /// A point in time as it may be told, µs.
    pub const fn time(&self, at: Micros) -> Micros {
        at.saturating_add(self.shift)
    }

    /// What stands for a charger, a tag or any other value.
    pub fn pseudonym(&self, value: &str) -> String {
        self.spelled(value, Spelling::Text)
    }

    /// The value of a member called `name`, as text: kept, or what stands for it.
    pub fn value(&self, name: &str, value: &str) -> String {
        match fate(name, "") {
            Fate::Prose => self.prose(value),
            fate if fate.keeps(value) => self.keep(value),
            _ => self.pseudonym(value),
        }
    }

    /// A message or record with pseudonyms in the place of everything that is not kept; what is no JSON is hidden whole.
    pub fn message(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        let walked = walk::scalars(text, &mut |place, at: Range<usize>| {
            if let Some(new) = self.scalar(&place, &text[at.clone()]) {
                out.push_str(&text[done..at.start]);
                out.push_str(&new);
                done = at.end;
            }
        });
        match walked {
            Ok(()) => {
                out.push_str(&text[done..]);
                out
            }
            Err(_) => self.pseudonym(text),
        }
    }

    /// Words about a recording: those among them that are somebody's name are replaced.
    pub fn prose(&self, text: &str) -> String {
        let is_part = |c: char| c.is_alphanumeric() || "-_.:/*@+".contains(c);
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let end = rest[start..]
                .find(|c| !is_part(c))
                .map_or(rest.len(), |length| start + length);
            out.push_str(&rest[..start]);
            out.push_str(&self.word(&rest[start..end]));
            rest = &rest[end..];
        }
        out.push_str(rest);
        out
    }

    /// The values of which `pseudonym` may be the pseudonym.
    pub fn reveal(&self, pseudonym: &str) -> Vec<String> {
        let wanted = pseudonym.trim().to_lowercase();
        let fits = |value: &&str| {
            let spelled = |spelling| (0..3).map(move |attempt| (spelling, attempt));
            spelled(Spelling::Text)
                .chain(spelled(Spelling::Number))
                .any(|(spelling, attempt)| self.attempt(value, spelling, attempt) == wanted)
        };
        let found: BTreeSet<&str> = self.originals.iter().filter(fits).collect();
        found.into_iter().map(str::to_owned).collect()
    }

    /// What must not leave.
    pub const fn originals(&self) -> &Originals {
        &self.originals
    }

    /// Whether a value was let through somewhere because its member is kept.
    fn was_kept(&self, value: &str) -> bool {
        self.given.borrow().kept.contains(value)
    }

    /// The literal that takes the place of a scalar; none if it stays.
    fn scalar(&self, place: &walk::Place<'_>, literal: &str) -> Option<String> {
        let text = json::string_value(literal);
        let Some(value) = text else {
            let is_number = literal.starts_with(|c: char| c == '-' || c.is_ascii_digit());
            if !is_number {
                return None;
            }
            if place.fate().keeps(literal) {
                self.keep(literal);
                return None;
            }
            return Some(self.spelled(literal, Spelling::Number));
        };
        let new = match place.fate() {
            Fate::Prose => self.prose(&value),
            fate if fate.keeps(&value) => self.keep(&value),
            _ => self.pseudonym(&value),
        };
        (new != value).then(|| serde_json::Value::from(new).to_string())
    }

    /// A value that stays, with its time shifted if it is one.
    fn keep(&self, value: &str) -> String {
        if self.shift != 0
            && let Some(shifted) = shifted(value, self.shift)
        {
            return shifted;
        }
        if value.len() >= SHORTEST {
            self.given.borrow_mut().kept.insert(value.to_lowercase());
        }
        value.to_owned()
    }

    fn word<'t>(&self, word: &'t str) -> Cow<'t, str> {
        let ends = |c: char| matches!(c, '.' | ':' | '/' | '-');
        let core = word.trim_end_matches(ends);
        if self.shift != 0
            && let Some(shifted) = shifted(core, self.shift)
        {
            return Cow::Owned(shifted + &word[core.len()..]);
        }
        for (head, name) in [("", word), ("", core)].into_iter().chain(parts(core)) {
            if name.len() >= SHORTEST && self.originals.contains(name) {
                let tail = &word[head.len() + name.len()..];
                return Cow::Owned(format!("{head}{}{tail}", self.pseudonym(name)));
            }
        }
        Cow::Borrowed(word)
    }

    fn spelled(&self, value: &str, spelling: Spelling) -> String {
        let core = value.trim();
        if core.is_empty() {
            return value.to_owned();
        }
        let known = self.given.borrow().pseudonyms.get(core).cloned();
        let name = known.unwrap_or_else(|| self.give(core, spelling));
        let start = value.len() - value.trim_start().len();
        format!("{}{name}{}", &value[..start], &value[start + core.len()..])
    }

    /// A new pseudonym: nobody's name, and nobody else's pseudonym.
    fn give(&self, core: &str, spelling: Spelling) -> String {
        let mut given = self.given.borrow_mut();
        let mut name = String::new();
        for attempt in 0..TRIES {
            let lower = self.attempt(core, spelling, attempt);
            let is_free = !self.originals.contains(&lower) && !given.taken.contains(&lower);
            name = shape::cased(&lower, core);
            if is_free {
                given.taken.insert(lower);
                break;
            }
        }
        given.pseudonyms.insert(core.to_owned(), name.clone());
        name
    }

    /// The pseudonym that comes at this attempt, in lower case.
    fn attempt(&self, core: &str, spelling: Spelling, attempt: u32) -> String {
        shaped(&core.to_lowercase(), spelling, |block| {
            let message = format!("{attempt}\n{block}\n{}", core.to_lowercase());
            let tag = hmac::sign(&self.key, message.as_bytes());
            tag.as_ref().to_vec()
        })
    }
}

/// What follows a colon or slash in a word, with what stands before it: `charger:CP1`, `CP1/2`.
fn parts(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let after = word
        .match_indices([':', '/', '='])
        .map(|(at, _)| (&word[..=at], &word[at + 1..]));
    let before = word.match_indices([':', '/']).map(|(at, _)| ("", &word[..at]));
    after.chain(before)
}

/// An RFC 3339 time moved by so many µs; none if it is no time. What stands behind its seconds stays as it is spelled.
fn shifted(text: &str, by: Micros) -> Option<String> {
    if text.len() < 20 || !text.is_ascii() {
        return None;
    }
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let moved = at.checked_add_signed(chrono::TimeDelta::microseconds(by))?;
    Some(format!("{}{}", moved.format("%Y-%m-%dT%H:%M:%S"), &text[19..]))
}

#[cfg(test)]
mod tests;
