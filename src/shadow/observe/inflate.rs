//! permessage-deflate (RFC 7692), for reading along.
//!
//! A direction whose compressor keeps its context can only be read while every compressed message was seen: after a gap
//! its messages stay opaque.

use flate2::{Decompress, FlushDecompress, Status};

use crate::facts::Dir;

/// Below this many bytes no ratio is suspicious.
const FREE: usize = 64 * 1024;

/// JSON compresses 50:1 at best; a bomb reaches 1000:1.
const RATIO: usize = 256;

/// What the sender leaves off each message.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// One direction's decompressor. Holds a window only while its sender's context is needed.
#[derive(Debug)]
pub(super) struct Inflate {
    keeps_context: bool,
    stream: Option<Decompress>,
    stopped: Option<&'static str>,
}

impl Inflate {
    /// The decompressor for one direction, if the accepted `Sec-WebSocket-Extensions` name permessage-deflate.
    pub(super) fn negotiated(extensions: &str, dir: Dir) -> Option<Box<Self>> {
        // The charger is the WebSocket client. Window sizes need no attention: a full window reads every smaller one.
        let drops_context = match dir {
            Dir::FromCharger => "client_no_context_takeover",
            Dir::ToCharger => "server_no_context_takeover",
        };
        extensions.split(',').find_map(|extension| {
            let mut words = extension.split(';').map(str::trim);
            let name = words.next()?;
            if !name.eq_ignore_ascii_case("permessage-deflate") {
                return None;
            }
            let keeps_context = !words.any(|word| word.eq_ignore_ascii_case(drops_context));
            Some(Box::new(Self {
                keeps_context,
                stream: None,
                stopped: None,
            }))
        })
    }

    /// A compressed message was not seen, or not wholly: its sender's context is unknown from here on. Returns whether
    /// that ends the reading just now.
    pub(super) fn lose_context(&mut self) -> bool {
        self.keeps_context && self.stop("inflate context lost")
    }

    /// The text of a compressed message of at most `limit` bytes, or why there is none.
    pub(super) fn message(&mut self, data: &[u8], limit: usize) -> Result<Vec<u8>, &'static str> {
        if let Some(why) = self.stopped {
            return Err(why);
        }
        let mut stream = self.stream.take().unwrap_or_else(|| Decompress::new(false));
        let mut out = Vec::new();
        let ended =
            feed(&mut stream, data, limit, &mut out)? || feed(&mut stream, &TAIL, limit, &mut out)?;
        if ended {
            // A final block ends the stream; the sender's next message begins a new one.
            stream.reset(false);
        }
        if self.keeps_context {
            self.stream = Some(stream);
        }
        // What is kept waits in bounded queues by its length.
        out.shrink_to_fit();
        Ok(out)
    }

    /// Stops reading for good. Returns whether it was still going.
    pub(super) fn stop(&mut self, why: &'static str) -> bool {
        self.stream = None;
        let first = self.stopped.is_none();
        self.stopped.get_or_insert(why);
        first
    }
}

/// Inflates all of `input` onto `out`. True when the stream said that it ends.
fn feed(
    stream: &mut Decompress,
    mut input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<bool, &'static str> {
    let suspicious = FREE.max(input.len().saturating_mul(RATIO));
    loop {
        out.reserve((input.len() * 4).clamp(256, FREE));
        let (read, written) = (stream.total_in(), out.len());
        let status = stream
            .decompress_vec(input, out, FlushDecompress::Sync)
            .map_err(|_| "inflate error")?;
        input = &input[(stream.total_in() - read) as usize..];
        if out.len() > limit {
            return Err("inflates beyond the capture limit");
        }
        if out.len() > suspicious {
            return Err("inflates suspiciously far");
        }
        if status == Status::StreamEnd {
            return Ok(true);
        }
        let stuck = out.len() == written && stream.total_in() == read;
        if stuck || (input.is_empty() && out.len() < out.capacity()) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn deflate(stream: &mut Compress, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 4_096);
        stream
            .compress_vec(text, &mut out, FlushCompress::Sync)
            .unwrap();
        out.truncate(out.len() - 4);
        out
    }

    #[test]
    fn a_context_is_kept_unless_negotiated_away() {
        let text = br#"[2,"1","Heartbeat",{}]"#;
        let mut sender = Compress::new(Compression::default(), false);
        let first = deflate(&mut sender, text);
        let second = deflate(&mut sender, text);
        assert!(second.len() < first.len());

        let mut kept = Inflate::negotiated("permessage-deflate", Dir::FromCharger).unwrap();
        assert_eq!(kept.message(&first, 99).unwrap(), text);
        assert_eq!(kept.message(&second, 99).unwrap(), text);
        assert!(kept.lose_context());
        assert!(!kept.lose_context());
        assert_eq!(kept.message(&first, 99), Err("inflate context lost"));

        let offer =
            "foo, Permessage-Deflate; client_no_context_takeover; server_max_window_bits=10";
        let mut fresh = Inflate::negotiated(offer, Dir::FromCharger).unwrap();
        assert_eq!(fresh.message(&first, 99).unwrap(), text);
        assert!(!fresh.lose_context());
        assert_eq!(fresh.message(&first, 99).unwrap(), text);
        assert!(fresh.stream.is_none());
        assert!(
            Inflate::negotiated(offer, Dir::ToCharger)
                .unwrap()
                .keeps_context
        );
        assert!(Inflate::negotiated("x-deflate", Dir::ToCharger).is_none());
    }

    #[test]
    fn bombs_and_rubbish_are_errors() {
        let mut sender = Compress::new(Compression::best(), false);
        let bomb = deflate(&mut sender, &vec![b' '; 4 << 20]);
        let mut inflate = Inflate::negotiated("permessage-deflate", Dir::ToCharger).unwrap();
        assert_eq!(
            inflate.message(&bomb, 1 << 30),
            Err("inflates suspiciously far")
        );
        let mut inflate = Inflate::negotiated("permessage-deflate", Dir::ToCharger).unwrap();
        assert_eq!(
            inflate.message(&bomb, 5_000),
            Err("inflates beyond the capture limit")
        );
        let mut inflate = Inflate::negotiated("permessage-deflate", Dir::ToCharger).unwrap();
        assert_eq!(inflate.message(&[0xff; 64], 99), Err("inflate error"));
    }
}
