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
    /// What the program itself says, in lower case.
    words: String,
    given: RefCell<Given>,
}

/// What was given out so far.
#[derive(Default)]
struct Given {
    /// Pseudonyms, by what they stand for, both in lower case.
    pseudonyms: BTreeMap<String, String>,
    /// What they are, so that no two values share one.
    taken: BTreeSet<String>,
    /// Values that were let through because their members are kept, in lower case.
    kept: HashSet<String>,
    /// Words that the operator uses for groups of chargers, and wants to be read, in lower case.
    spared: HashSet<String>,
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
            words: String::new(),
            given: RefCell::default(),
        }
    }

    /// The same veil, which lets stand what the program itself says: a word of it in somebody's data names nobody.
    #[must_use]
    pub fn knowing(mut self, words: &str) -> Self {
        self.words = words.to_lowercase();
        self
    }

    /// Eight hexadecimal digits that tell keys apart and say nothing about them.
    pub fn key_id(&self) -> String {
        let tag = hmac::sign(&self.key, b"key id");
        tag.as_ref()[..4]
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Whether times are shifted.
    pub const fn shifts(&self) -> bool {
        self.shift != 0
    }

    /// Lets a word of the operator's stand, though something in the recording is called the same.
    pub fn spare(&self, word: &str) {
        self.given.borrow_mut().spared.insert(word.to_lowercase());
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

    /// Whether a value may be read all the same: its member is kept somewhere, or it is a word of the operator's or the
    /// program's.
    fn is_common(&self, value: &str) -> bool {
        self.given.borrow().kept.contains(value) || self.is_spared(value)
    }

    fn is_spared(&self, word: &str) -> bool {
        self.given.borrow().spared.contains(word)
            || leaks::stands(self.words.as_bytes(), word.as_bytes()).is_some()
    }

    /// Whether a word in prose is somebody's name. A short one is if it has both letters and digits, as tags do.
    fn is_name(&self, word: &str) -> bool {
        let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
        (word.len() >= SHORTEST
            || word.len() > 1 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic))
            && self.originals.contains(word)
            && !self.is_spared(&word.to_lowercase())
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

    /// A word with the names in it replaced, the longest first: `charger:CP-1`, `CP-1/2`.
    fn word<'t>(&self, word: &'t str) -> Cow<'t, str> {
        let core = word.trim_end_matches(['.', ':', '/', '-']);
        if self.shift != 0
            && let Some(shifted) = shifted(core, self.shift)
        {
            return Cow::Owned(shifted + &word[core.len()..]);
        }
        let edges = edges(word);
        let (mut out, mut at) = (String::new(), 0);
        for (place, start) in edges.iter().enumerate() {
            if *start < at {
                continue;
            }
            let ends = edges[place + 1..].iter().rev();
            if let Some(end) = ends.copied().find(|end| self.is_name(&word[*start..*end])) {
                out.push_str(&word[at..*start]);
                out.push_str(&self.pseudonym(&word[*start..end]));
                at = end;
            }
        }
        if at == 0 {
            return Cow::Borrowed(word);
        }
        out.push_str(&word[at..]);
        Cow::Owned(out)
    }

    fn spelled(&self, value: &str, spelling: Spelling) -> String {
        let core = value.trim();
        if core.is_empty() {
            return value.to_owned();
        }
        let folded = core.to_lowercase();
        let known = self.given.borrow().pseudonyms.get(&folded).cloned();
        let name = known.unwrap_or_else(|| self.give(folded, spelling));
        let name = shape::cased(&name, core);
        let start = value.len() - value.trim_start().len();
        format!("{}{name}{}", &value[..start], &value[start + core.len()..])
    }

    /// A new pseudonym: nobody's name, and nobody else's pseudonym. Both are in lower case.
    fn give(&self, folded: String, spelling: Spelling) -> String {
        let mut given = self.given.borrow_mut();
        let mut name = String::new();
        for attempt in 0..TRIES {
            name = self.attempt(&folded, spelling, attempt);
            if !self.originals.contains(&name) && given.taken.insert(name.clone()) {
                break;
            }
        }
        given.pseudonyms.insert(folded, name.clone());
        name
    }

    /// The pseudonym that comes at this attempt, in lower case.
    fn attempt(&self, folded: &str, spelling: Spelling, attempt: u32) -> String {
        shaped(folded, spelling, |block| {
            let message = format!("{attempt}\n{block}\n{folded}");
            let tag = hmac::sign(&self.key, message.as_bytes());
            tag.as_ref().to_vec()
        })
    }
}

/// Parts of a word are looked at up to so many: a word of more is no name.
const PARTS: usize = 24;

/// Where parts of a word begin or end: at its ends, and where letters or digits meet anything else.
fn edges(word: &str) -> Vec<usize> {
    let mut edges = vec![0];
    let mut before = None;
    for (at, c) in word.char_indices() {
        let is_part = c.is_alphanumeric();
        if before.is_some_and(|before| before != is_part) && edges.len() < PARTS {
            edges.push(at);
        }
        before = Some(is_part);
    }
    edges.push(word.len());
    edges
}

/// An RFC 3339 time moved by so many µs; none if it is no time. What stands behind its seconds stays as it is spelled.
fn shifted(text: &str, by: Micros) -> Option<String> {
    if text.len() < 20 || !text.is_ascii() {
        return None;
    }
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let moved = at.checked_add_signed(chrono::TimeDelta::microseconds(by))?;
    Some(format!(
        "{}{}",
        moved.format("%Y-%m-%dT%H:%M:%S"),
        &text[19..]
    ))
}

#[cfg(test)]
mod tests;
