//! The body behind a response head: where it ends, so that the next request on the connection can be found.

use std::str;

/// Longest line of a chunked body that is read.
const MAX_LINE: usize = 4096;

/// What is left of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, by RFC 9112 section 7.1.
    Chunked(Chunk),
}

/// Where in a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// In the line with a chunk's size.
    Size(Vec<u8>),
    /// In a chunk: so many bytes and a line end are left.
    Data(u64),
    /// In a line behind the last chunk, of so many bytes yet.
    Trailer(usize),
}

/// A body whose end can't be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a chunked body")]
pub struct Unframed;

impl Body {
    /// The body of a final response to a GET, by RFC 9112 section 6.3; `None` if it ends with the connection or is told in
    /// ways that contradict each other.
    pub fn of(status: u16, encoding: Option<&str>, length: Option<&str>) -> Option<Self> {
        match (encoding, length) {
            _ if matches!(status, 204 | 304) => Some(Self::Length(0)),
            (None, Some(length)) => {
                let digits = length.bytes().all(|byte| byte.is_ascii_digit());
                digits
                    .then(|| length.parse().ok())
                    .flatten()
                    .map(Self::Length)
            }
            (Some(encoding), None) if encoding.trim().eq_ignore_ascii_case("chunked") => {
                Some(Self::Chunked(Chunk::Size(Vec::new())))
            }
            _ => None,
        }
    }

    /// Reads on. Returns where in `bytes` the body ends, `None` if it goes on behind them.
    pub fn pass(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unframed> {
        match self {
            Self::Length(left) => Ok(skip(left, bytes.len())),
            Self::Chunked(chunk) => chunk.pass(bytes),
        }
    }
}

/// Skips what is left; says how far, once it is all skipped.
fn skip(left: &mut u64, have: usize) -> Option<usize> {
    let n = usize::try_from(*left).map_or(have, |left| left.min(have));
    *left -= n as u64;
    (*left == 0).then_some(n)
}

impl Chunk {
    fn pass(&mut self, bytes: &[u8]) -> Result<Option<usize>, Unframed> {
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Self::Data(left) => match skip(left, bytes.len() - at) {
                    Some(n) => {
                        at += n;
                        *self = Self::Size(Vec::new());
                    }
                    None => return Ok(None),
                },
                Self::Size(line) => {
                    line.push(bytes[at]);
                    at += 1;
                    if line.ends_with(b"\n") {
                        *self = match size(line)? {
                            0 => Self::Trailer(0),
                            // With the line end behind the chunk.
                            size => Self::Data(size.checked_add(2).ok_or(Unframed)?),
                        };
                    } else if line.len() > MAX_LINE {
                        return Err(Unframed);
                    }
                }
                Self::Trailer(len) => {
                    at += 1;
                    match bytes[at - 1] {
                        b'\n' if *len == 0 => return Ok(Some(at)),
                        b'\n' => *len = 0,
                        b'\r' => {}
                        _ => *len += 1,
                    }
                    if *len > MAX_LINE {
                        return Err(Unframed);
                    }
                }
            }
        }
        Ok(None)
    }
}

/// The size in a chunk's first line, extensions cut off.
fn size(line: &[u8]) -> Result<u64, Unframed> {
    let line = line.strip_suffix(b"\r\n").ok_or(Unframed)?;
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let digits = str::from_utf8(digits.trim_ascii_end()).map_err(|_| Unframed)?;
    if digits.starts_with('+') {
        return Err(Unframed);
    }
    u64::from_str_radix(digits, 16).map_err(|_| Unframed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNKS: &[u8] =
        b"4;x=y\r\nWiki\r\n1A \r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX: y\r\n\r\n";

    fn chunked() -> Body {
        Body::of(401, Some("Chunked"), None).unwrap()
    }

    #[test]
    fn framing_that_is_not_plain_is_none() {
        assert_eq!(Body::of(401, None, Some("12")), Some(Body::Length(12)));
        assert_eq!(Body::of(304, None, Some("12")), Some(Body::Length(0)));
        for (encoding, length) in [
            (None, None),
            (Some("chunked"), Some("12")),
            (Some("gzip, chunked"), None),
            (None, Some("12, 12")),
            (None, Some("+1")),
            (None, Some("99999999999999999999")),
        ] {
            assert_eq!(Body::of(401, encoding, length), None);
        }
    }

    #[test]
    fn broken_chunks_are_told() {
        for broken in [
            &b"x\r\n"[..],
            b"\r\n",
            b"+1\r\n",
            b"1\n",
            b"ffffffffffffffff\r\n",
            &[b'1'; 5000],
        ] {
            assert_eq!(chunked().pass(broken), Err(Unframed), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn an_end_is_found_in_any_split(cuts in prop::collection::vec(1usize..9, 1..80), more in 0usize..9) {
            for (body, wire) in [(chunked(), CHUNKS), (Body::Length(60), &[b'x'; 60][..])] {
                let mut body = body;
                let all = [wire, &[b'G'; 9][..more]].concat();
                let (mut at, mut cuts) = (0, cuts.iter().cycle());
                let end = loop {
                    let next = (at + cuts.next().unwrap()).min(all.len());
                    if let Some(n) = body.pass(&all[at..next]).unwrap() {
                        break at + n;
                    }
                    at = next;
                };
                prop_assert_eq!(end, wire.len());
            }
        }
    }
}
