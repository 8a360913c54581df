//! The last look before a report is written: is anything in it that must not leave?
//!
//! Every value of the recording that is not kept is looked for in every byte that would be written, in whatever case and in
//! each way in which documents escape text. A long value may stand anywhere; a shorter one must stand alone, or it would
//! be found in every digest.

use memchr::memmem;

use super::{SHORTEST, Veil};

/// Values of so many bytes are found inside other words too.
const LONG: usize = 10;

/// Bits of the table of what four bytes follow each other somewhere.
const TABLE: u32 = 1 << 26;

/// A value that would leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The file that it stands in.
    pub file: String,
    /// Where in it, in bytes.
    pub at: usize,
    /// What would have to stand there.
    pub pseudonym: String,
}

/// What was looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Searched {
    /// Values.
    pub values: usize,
    /// Values that are too short to be told from chance.
    pub short: usize,
    /// Values that are also what a kept member holds, or words of the program: to be read in the files, and naming nobody.
    pub common: usize,
}

/// Looks through `files`, each a name and its content.
pub fn leaks(veil: &Veil, files: &[(&str, &[u8])]) -> (Searched, Vec<Leak>) {
    let haystack = Haystack::new(files);
    let mut searched = Searched::default();
    let mut found = Vec::new();
    let mut originals: Vec<&str> = veil.originals().iter().collect();
    originals.sort_unstable();
    for original in originals {
        if original.len() < SHORTEST {
            searched.short += 1;
            continue;
        }
        searched.values += 1;
        let Some(at) = spellings(original).iter().find_map(|it| haystack.find(it)) else {
            continue;
        };
        if veil.is_common(original) {
            searched.common += 1;
            continue;
        }
        let (file, at) = haystack.place(at);
        found.push(Leak {
            file,
            at,
            pseudonym: veil.pseudonym(original),
        });
    }
    (searched, found)
}

/// The ways in which a value may be written.
fn spellings(value: &str) -> Vec<String> {
    let mut ways = vec![value.to_owned()];
    let mut add = |way: String| {
        if !ways.contains(&way) {
            ways.push(way);
        }
    };
    let json = serde_json::Value::from(value).to_string();
    add(json[1..json.len() - 1].to_owned());
    add(crate::report::escape::markup(value));
    add(crate::report::printable(value).to_lowercase());
    add(crate::report::escape::markdown(value).to_lowercase());
    ways
}

/// Everything that would be written, in lower case, one file after the other.
struct Haystack<'f> {
    bytes: Vec<u8>,
    files: Vec<(usize, &'f str)>,
    /// Which four bytes follow each other somewhere.
    grams: Vec<u64>,
}

impl<'f> Haystack<'f> {
    fn new(files: &[(&'f str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        let mut begins = Vec::new();
        for (name, content) in files {
            begins.push((bytes.len(), *name));
            bytes.extend_from_slice(name.to_lowercase().as_bytes());
            bytes.push(0);
            // As originals are put in lower case, so is what they are looked for in.
            bytes.extend_from_slice(String::from_utf8_lossy(content).to_lowercase().as_bytes());
            bytes.push(0);
        }
        let mut grams = vec![0_u64; (TABLE / 64) as usize];
        for window in bytes.windows(4) {
            let bit = hash(window);
            grams[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        Self {
            bytes,
            files: begins,
            grams,
        }
    }

    fn find(&self, needle: &str) -> Option<usize> {
        let may = needle.as_bytes().windows(4).all(|window| {
            let bit = hash(window);
            self.grams[(bit / 64) as usize] & (1 << (bit % 64)) != 0
        });
        if may {
            stands(&self.bytes, needle.as_bytes())
        } else {
            None
        }
    }

    fn place(&self, at: usize) -> (String, usize) {
        let file = self.files.partition_point(|(begin, _)| *begin <= at);
        let Some((begin, name)) = file.checked_sub(1).and_then(|file| self.files.get(file)) else {
            return (String::new(), at);
        };
        (
            (*name).to_owned(),
            (at - begin).saturating_sub(name.len() + 1),
        )
    }
}

fn hash(window: &[u8]) -> u32 {
    let word = u32::from_le_bytes([window[0], window[1], window[2], window[3]]);
    word.wrapping_mul(0x9e37_79b1) >> 6
}

/// Where a value is first: anywhere if it is long, else where it is a word of its own. Digits alone, however many, are found
/// in every long number: they must be a number of their own.
pub(super) fn stands(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let is_number = needle.iter().all(u8::is_ascii_digit);
    let part = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || is_number && *byte == b'.')
    };
    let alone = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| haystack.get(at));
        !part(before) && !part(haystack.get(at + needle.len()))
    };
    let anywhere = needle.len() >= LONG && !is_number;
    memmem::find_iter(haystack, needle).find(|at| anywhere || alone(*at))
}
