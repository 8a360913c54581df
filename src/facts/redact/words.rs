//! The words by which a secret is known, and a quick look for them: every message of a night goes through here.

/// What a name of a secret contains, in lower case: `AuthorizationKey` (1.6), `BasicAuthPassword` (2.x), `apnPassword`,
/// `simPin`, and what vendors call theirs.
const WORDS: [&[u8]; 7] = [
    b"authorizationkey",
    b"passphrase",
    b"passwd",
    b"password",
    b"privatekey",
    b"secret",
    b"simpin",
];

/// Bytes of the shortest word: of every word so many are looked at first.
const HEAD: usize = 6;

/// How far to go on when the last two bytes looked at are a pair of this [`hash`]: no word's head can end before that. 0
/// where one may end here.
const SHIFTS: [u8; 1 << 10] = shifts();

/// Whether anything in `bytes` is called a secret, in upper or lower case. Most pairs of bytes are in no word's head, so
/// most of the text is leapt over.
pub(super) fn mentions_secret(bytes: &[u8]) -> bool {
    let mut end = HEAD;
    while let Some([before, last]) = bytes.get(end - 2..end) {
        match SHIFTS[hash(*before, *last)] {
            0 if WORDS.iter().any(|word| begins(&bytes[end - HEAD..], word)) => return true,
            shift => end += usize::from(shift.max(1)),
        }
    }
    false
}

fn begins(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .get(..word.len())
        .is_some_and(|here| here.eq_ignore_ascii_case(word))
}

/// The same for both cases of a letter.
const fn hash(before: u8, last: u8) -> usize {
    ((before as usize & 0x1f) << 5) | (last as usize & 0x1f)
}

const fn shifts() -> [u8; 1 << 10] {
    let mut shifts = [HEAD as u8 - 1; 1 << 10];
    let mut word = 0;
    while word < WORDS.len() {
        let mut at = 1;
        while at < HEAD {
            let hash = hash(WORDS[word][at - 1], WORDS[word][at]);
            let shift = (HEAD - 1 - at) as u8;
            if shift < shifts[hash] {
                shifts[hash] = shift;
            }
            at += 1;
        }
        word += 1;
    }
    shifts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn searched(bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|at| WORDS.iter().any(|word| begins(&bytes[at..], word)))
    }

    proptest! {
        #[test]
        fn a_word_is_found_wherever_it_stands(
            before in "[ -~]{0,20}", word in 0..WORDS.len(), upper in any::<u16>(), behind in "[ -~]{0,9}"
        ) {
            let mut text = before.into_bytes();
            text.extend(WORDS[word].iter().enumerate().map(|(at, byte)| {
                if upper >> at & 1 == 1 { byte.to_ascii_uppercase() } else { *byte }
            }));
            text.extend(behind.as_bytes());
            prop_assert!(mentions_secret(&text));
        }

        #[test]
        fn nothing_else_is(text in "[a-pSsWwDd ]{0,40}|(pass|secre|simpi|w|o|rd|ph|T|N){0,12}") {
            prop_assert_eq!(mentions_secret(text.as_bytes()), searched(text.as_bytes()), "{}", text);
        }
    }
}
