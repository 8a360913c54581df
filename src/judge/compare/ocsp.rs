//! What a certificate authority answers about certificates (RFC 6960): their states, without the rest.
//!
//! Each answer is signed anew and says when it was made, so no two are the same text. Only the few steps of DER that lead
//! to the states are taken; nothing is verified, since it is the charger that relies on the signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
/// `[0]`, explicit: the body of an answer, and the version in it.
const CONTEXT_0: u8 = 0xa0;

/// What an OCSP answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// 0 if the authority answered, else why it did not.
    response: u8,
    /// The number of each certificate's state: 0 good, 1 revoked, 2 unknown.
    states: Vec<u8>,
}

/// Reads an answer in base64; `None` if it is none.
pub(super) fn read(text: &str) -> Option<Said> {
    let bare: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(bare).ok()?;
    let mut answer = Der(Der(&bytes).take(SEQUENCE)?);
    let &[response] = answer.take(ENUMERATED)? else {
        return None;
    };
    let states = match answer.take(CONTEXT_0) {
        Some(body) => states(body)?,
        // Only who did not answer may leave it out.
        None if response != 0 => Vec::new(),
        None => return None,
    };
    Some(Said { response, states })
}

/// The states in `ResponseBytes`: a type, and a `BasicOCSPResponse` in octets.
fn states(body: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Der(Der(body).take(SEQUENCE)?);
    parts.any()?;
    let mut basic = Der(Der(parts.take(OCTETS)?).take(SEQUENCE)?);
    let mut data = Der(basic.take(SEQUENCE)?);
    // The version may be left out; then come who answers, and when.
    let _version = data.take(CONTEXT_0);
    data.any()?;
    data.any()?;
    let mut list = Der(data.take(SEQUENCE)?);
    let mut states = Vec::new();
    while !list.0.is_empty() {
        let mut single = Der(list.take(SEQUENCE)?);
        single.take(SEQUENCE)?;
        let (tag, _) = single.any()?;
        // The number of a tag lies in its lower bits.
        states.push(tag & 0x1f);
    }
    Some(states)
}

/// What is left of a row of DER values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The inside of the next value, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        (self.0.first() == Some(&tag))
            .then(|| self.any())?
            .map(|(_, inside)| inside)
    }

    /// The next value: its tag and its inside.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(length) {
            short @ ..=0x7f => (short, rest),
            // The length is as long as the lower bits say; no answer needs more than four bytes of it.
            long @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(long - 0x80)?;
                let length = digits
                    .iter()
                    .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
                (length, rest)
            }
            _ => return None,
        };
        let (inside, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, inside: &[&[u8]]) -> Vec<u8> {
        let inside = inside.concat();
        let mut value = vec![tag];
        match inside.len() {
            short @ ..=0x7f => value.push(short as u8),
            long => value.extend([&[0x82][..], &(long as u16).to_be_bytes()].concat()),
        }
        value.extend(inside);
        value
    }

    /// An answer about certificates in these states, made at `time`.
    fn answer(states: &[&[u8]], time: &[u8], version: bool) -> String {
        let single = |state: &&[u8]| {
            let name = der(SEQUENCE, &[&der(OCTETS, &[&[7; 200]])]);
            der(SEQUENCE, &[&name, state, &der(0x18, &[time])])
        };
        let singles: Vec<u8> = states.iter().flat_map(single).collect();
        let version = if version {
            der(CONTEXT_0, &[&[2, 1, 0]])
        } else {
            Vec::new()
        };
        let data = der(
            SEQUENCE,
            &[
                &version,
                &der(0xa2, &[&der(OCTETS, &[b"key"])]),
                &der(0x18, &[time]),
                &der(SEQUENCE, &[&singles]),
            ],
        );
        let basic = der(SEQUENCE, &[&data, &der(SEQUENCE, &[]), &der(3, &[time])]);
        let body = der(SEQUENCE, &[&der(6, &[b"basic"]), &der(OCTETS, &[&basic])]);
        let whole = der(
            SEQUENCE,
            &[&der(ENUMERATED, &[&[0]]), &der(CONTEXT_0, &[&body])],
        );
        STANDARD.encode(whole)
    }

    const GOOD: &[u8] = &[0x80, 0];
    const REVOKED: &[u8] = &[0xa1, 3, 0x18, 1, b'x'];
    const UNKNOWN: &[u8] = &[0x82, 0];

    #[test]
    fn states_are_read_past_versions_times_and_signatures() {
        let said = |response, states: &[u8]| {
            Some(Said {
                response,
                states: states.to_vec(),
            })
        };
        let one = answer(&[GOOD], b"20270101000000Z", true);
        assert_eq!(read(&one), said(0, &[0]));
        let wrapped = format!("{}\n {}", &one[..64], &one[64..]);
        assert_eq!(read(&wrapped), said(0, &[0]));
        let several = answer(&[GOOD, REVOKED, UNKNOWN], b"20280101000000Z", false);
        assert_eq!(read(&several), said(0, &[0, 1, 2]));
        let later = STANDARD.encode(der(SEQUENCE, &[&der(ENUMERATED, &[&[3]])]));
        assert_eq!(read(&later), said(3, &[]));
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        let whole = answer(&[GOOD], b"20270101000000Z", true);
        let bytes = STANDARD.decode(&whole).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(read(&STANDARD.encode(&bytes[..cut])), None, "{cut}");
        }
        for text in ["", "?", "MAA=", "MIAAAA==", "MIT/////"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
