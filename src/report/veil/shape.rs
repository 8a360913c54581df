//! Pseudonyms of the same shape: digits for digits, letters for letters, and what separates them stays.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As a string.
    Text,
    /// As a JSON number, which must remain one.
    Number,
}

/// Letters beyond ASCII are replaced by these.
const FAR: [char; 8] = ['ä', 'é', 'ñ', 'ø', 'ß', 'ü', 'å', 'ç'];

/// Values of so many hexadecimal digits and more stay hexadecimal: most tags are such.
const HEX: usize = 4;

/// A text of the shape of `value`, which is in lower case. `random` gives the bytes of each block of it.
pub(super) fn shaped(value: &str, spelling: Spelling, random: impl Fn(usize) -> Vec<u8>) -> String {
    let letters: u8 = if value.len() >= HEX && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        6
    } else {
        26
    };
    let (mut block, mut left) = (0, Vec::new());
    let mut next = |many: u8| {
        if left.is_empty() {
            left = random(block);
            block += 1;
        }
        // 256 is no multiple of 26: a bias of some per cent, and nothing rests on it.
        left.pop().unwrap_or_default() % many
    };
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let leads = at == 0 || out.ends_with(['-', '+']) && out.len() == 1;
        out.push(match c {
            '0' if leads => c,
            '1'..='9' if leads => char::from(b'1' + next(9)),
            '0'..='9' => char::from(b'0' + next(10)),
            c if spelling == Spelling::Number => c,
            'a'..='z' => char::from(b'a' + next(letters)),
            c if c.is_alphabetic() => FAR[usize::from(next(8))],
            c if c.is_control() => '?',
            c => c,
        });
    }
    out
}

/// `lower` with the case of the letters of `like`.
pub(super) fn cased(lower: &str, like: &str) -> String {
    let mut like = like.chars();
    lower
        .chars()
        .map(|c| match like.next() {
            Some(other) if other.is_uppercase() => c.to_ascii_uppercase(),
            _ => c,
        })
        .collect()
}
