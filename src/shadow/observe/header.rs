//! The head of one WebSocket frame (RFC 6455 section 5.2), read and never judged: the backend judges, the tap looks on.

/// The longest head: two bytes, eight of length, four of mask.
pub(in crate::shadow) const LONGEST: usize = 14;

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shadow) struct Header {
    pub(in crate::shadow) fin: bool,
    /// RSV1 to RSV3, as the bits 4, 2 and 1.
    pub(in crate::shadow) reserved: u8,
    pub(in crate::shadow) opcode: u8,
    pub(in crate::shadow) mask: Option<[u8; 4]>,
    /// The payload's length as declared. Nothing is ever allocated by it.
    pub(in crate::shadow) len: u64,
    /// Where the payload begins.
    pub(in crate::shadow) at: usize,
}

impl Header {
    /// Reads the head at the start of `bytes`; `None` if it is not complete.
    pub(in crate::shadow) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[first, second] = bytes.first_chunk()?;
        let (len, mut at) = match second & 0x7f {
            126 => {
                let len = bytes.get(2..)?.first_chunk()?;
                (u64::from(u16::from_be_bytes(*len)), 4)
            }
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            at += 4;
            Some(*bytes.get(at - 4..)?.first_chunk()?)
        };
        Some(Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 0x07,
            opcode: first & 0x0f,
            mask,
            len,
            at,
        })
    }

    /// Whether it heads a ping, pong, close or a control frame not yet invented.
    pub(in crate::shadow) fn is_control(self) -> bool {
        self.opcode & 0x08 != 0
    }

    /// Appends at most `limit` bytes of the payload that follows this head in `frame`, without the mask.
    pub(in crate::shadow) fn payload_into(self, frame: &[u8], limit: usize, out: &mut Vec<u8>) {
        let payload = frame.get(self.at..).unwrap_or_default();
        let payload = &payload[..payload.len().min(limit)];
        let start = out.len();
        out.extend_from_slice(payload);
        let Some(mask) = self.mask else {
            return;
        };
        // Whole words first: the compiler does many at a time.
        let (words, rest) = out[start..].as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_lengths_and_the_mask_are_read() {
        let short = Header::parse(b"\x81\x02hi").unwrap();
        assert_eq!(
            (short.fin, short.opcode, short.len, short.at),
            (true, 1, 2, 2)
        );
        let medium = Header::parse(b"\x01\x7e\x01\x00").unwrap();
        assert_eq!((medium.fin, medium.len, medium.at), (false, 256, 4));
        let long = Header::parse(b"\xc2\xff\0\0\0\0\0\x01\0\0abcd").unwrap();
        assert_eq!((long.reserved, long.len, long.at), (4, 65_536, 14));
        assert_eq!(long.mask, Some(*b"abcd"));
        for cut in 0..14 {
            assert_eq!(
                Header::parse(&b"\xc2\xff\0\0\0\0\0\x01\0\0abcd"[..cut]),
                None
            );
        }
    }

    #[test]
    fn unmasking_is_bounded() {
        let frame = b"\x81\x85\x01\x02\x03\x04idolo";
        let mut out = Vec::new();
        Header::parse(frame)
            .unwrap()
            .payload_into(frame, 3, &mut out);
        assert_eq!(out, [b'i' ^ 1, b'd' ^ 2, b'o' ^ 3]);
    }
}
