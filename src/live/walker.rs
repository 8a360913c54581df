//! Finds frame boundaries in a byte stream without touching the bytes.
//!
//! Reserved bits, unknown opcodes and wrong masking are for the authority to judge: they are still frames. Only a 64-bit
//! length with its top bit set can't be followed; from there on the direction is opaque.

use std::ops::Range;

/// The bytes of one frame within the slice that was walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Frame number, from 1.
    pub frame: u64,
    /// These bytes begin the frame.
    pub first: bool,
    /// These bytes end the frame, or end what is kept of it (`cut`).
    pub last: bool,
    /// The frame goes on, but nothing more of it is kept.
    pub cut: bool,
    /// Where the bytes lie in the slice.
    pub range: Range<usize>,
}

/// Walks one direction of one connection. One lives in every connection, hence its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walker {
    frames: u64,
    /// The length as far as it is known while in [`Stage::Length`]; payload bytes still to come afterwards.
    left: u64,
    /// Bytes of the current frame that were kept.
    kept: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Between,
    Opcode,
    Length {
        more: u8,
        masked: bool,
    },
    Mask {
        more: u8,
    },
    Payload,
    Lost,
}

/// The longest frame header: opcode, length, 64-bit length, mask. No capture limit is below it.
pub const LONGEST_HEADER: u32 = 14;

impl Walker {
    /// Frames begun so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether the last frame is complete.
    pub fn is_between(&self) -> bool {
        self.stage == Stage::Between
    }

    /// Whether frame boundaries can't be found any more.
    pub fn is_lost(&self) -> bool {
        self.stage == Stage::Lost
    }

    /// Walks over `bytes`, appending one step per frame they touch; at most `limit` bytes of a frame are kept. Returns
    /// how many bytes at the end belong to no frame, which is nonzero only once the walker is lost.
    pub fn walk(&mut self, bytes: &[u8], limit: u32, steps: &mut Vec<Step>) -> usize {
        let mut at = 0;
        while at < bytes.len() && !self.is_lost() {
            let start = at;
            let first = self.stage == Stage::Between;
            if first {
                self.frames += 1;
                self.kept = 0;
            }
            while at < bytes.len() && !matches!(self.stage, Stage::Payload | Stage::Lost) {
                self.stage = self.header_byte(bytes[at]);
                at += 1;
            }
            if self.stage == Stage::Payload {
                let here = self.left.min((bytes.len() - at) as u64);
                at += here as usize;
                self.left -= here;
                if self.left == 0 {
                    self.stage = Stage::Between;
                }
            }
            self.keep(start..at, first, limit.max(LONGEST_HEADER), steps);
        }
        bytes.len() - at
    }

    fn keep(&mut self, range: Range<usize>, first: bool, limit: u32, steps: &mut Vec<Step>) {
        let room = (limit - self.kept) as usize;
        if room == 0 {
            return;
        }
        let ended = self.stage == Stage::Between;
        let full = range.len() > room || (range.len() == room && !ended);
        let cut = full || self.is_lost();
        let range = range.start..range.start + range.len().min(room);
        self.kept += range.len() as u32;
        steps.push(Step {
            frame: self.frames,
            first,
            last: ended || cut,
            cut,
            range,
        });
    }

    fn header_byte(&mut self, byte: u8) -> Stage {
        match self.stage {
            Stage::Between => Stage::Opcode,
            Stage::Opcode => {
                let masked = byte & 0x80 != 0;
                self.left = 0;
                match byte & 0x7f {
                    126 => Stage::Length { more: 2, masked },
                    127 => Stage::Length { more: 8, masked },
                    short => {
                        self.left = u64::from(short);
                        after_length(masked)
                    }
                }
            }
            Stage::Length { more, masked } => {
                self.left = self.left << 8 | u64::from(byte);
                match more - 1 {
                    0 if self.left >> 63 != 0 => Stage::Lost,
                    0 => after_length(masked),
                    more => Stage::Length { more, masked },
                }
            }
            Stage::Mask { more: 1 } => Stage::Payload,
            Stage::Mask { more } => Stage::Mask { more: more - 1 },
            stage @ (Stage::Payload | Stage::Lost) => stage,
        }
    }
}

fn after_length(masked: bool) -> Stage {
    if masked {
        Stage::Mask { more: 4 }
    } else {
        Stage::Payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u32 = 1024 * 1024;

    /// One frame of any length form, with any first byte and any mask bit.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![0usize..4, 120usize..130, 300usize..400, 65_530usize..65_540];
        (any::<u8>(), len, any::<bool>(), 0u8..3).prop_map(|(op, len, masked, form)| {
            let mask_bit = if masked { 0x80 } else { 0 };
            let mut bytes = vec![op];
            // Longer length forms than needed are legal to walk, if not to send.
            if form == 2 || len > 65_535 {
                bytes.push(mask_bit | 0x7f);
                bytes.extend_from_slice(&(len as u64).to_be_bytes());
            } else if form == 1 || len > 125 {
                bytes.push(mask_bit | 0x7e);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            } else {
                bytes.push(mask_bit | len as u8);
            }
            if masked {
                bytes.extend_from_slice(&[1, 2, 3, 4]);
            }
            bytes.resize(bytes.len() + len, 0xa5);
            bytes
        })
    }

    /// Walks in pieces of the given sizes and puts each frame's parts together again.
    fn reassemble(bytes: &[u8], cuts: &[usize], limit: u32) -> (Vec<Vec<u8>>, Walker) {
        let mut walker = Walker::default();
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut ended = true;
        let mut rest = bytes;
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let n = cuts.next().map_or(rest.len(), |&n| n.clamp(1, rest.len()));
            let (piece, tail) = rest.split_at(n);
            rest = tail;
            let mut steps = Vec::new();
            assert_eq!(walker.walk(piece, limit, &mut steps), 0);
            for step in steps {
                assert_eq!(step.first, ended, "first follows last, and only last");
                if step.first {
                    frames.push(Vec::new());
                }
                assert_eq!(step.frame, frames.len() as u64);
                frames
                    .last_mut()
                    .unwrap()
                    .extend_from_slice(&piece[step.range]);
                ended = step.last;
            }
        }
        (frames, walker)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_split_gives_the_same_frames(
            frames in prop::collection::vec(frame(), 1..6),
            cuts in prop::collection::vec(1usize..40_000, 0..8),
            one_byte in any::<bool>(),
        ) {
            let bytes = frames.concat();
            let cuts = if one_byte { vec![1] } else { cuts };
            let (found, walker) = reassemble(&bytes, &cuts, LIMIT);
            prop_assert_eq!(found, frames);
            prop_assert_eq!(walker.stage, Stage::Between);
        }

        #[test]
        fn a_capture_limit_keeps_the_head_of_every_frame(
            frames in prop::collection::vec(frame(), 1..4),
            cuts in prop::collection::vec(1usize..500, 1..8),
            limit in LONGEST_HEADER..500,
        ) {
            let (found, _) = reassemble(&frames.concat(), &cuts, limit);
            let kept: Vec<_> = frames.iter().map(|f| &f[..f.len().min(limit as usize)]).collect();
            prop_assert_eq!(found, kept);
        }
    }

    #[test]
    fn a_frame_as_long_as_the_limit_is_not_cut() {
        let mut steps = Vec::new();
        let frame = [&[0x82, 14][..], &[0; 14]].concat();
        Walker::default().walk(&frame, 16, &mut steps);
        assert!(matches!(steps[..], [Step { cut: false, .. }]));
        steps.clear();
        Walker::default().walk(&frame, 15, &mut steps);
        assert!(matches!(
            steps[..],
            [Step {
                cut: true,
                last: true,
                ..
            }]
        ));
    }

    #[test]
    fn an_impossible_length_ends_the_frames() {
        let mut walker = Walker::default();
        let mut steps = Vec::new();
        let bytes = [
            &[0x81, 0, 0x82, 0x7f][..],
            &(1u64 << 63).to_be_bytes(),
            b"rest",
        ]
        .concat();
        assert_eq!(walker.walk(&bytes, LIMIT, &mut steps), 4);
        assert!(walker.is_lost());
        assert_eq!(walker.frames(), 2);
        assert!(steps[1].last && steps[1].cut);
        assert_eq!(walker.walk(b"more", LIMIT, &mut steps), 4);
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn it_stays_small() {
        assert!(size_of::<Walker>() <= 32);
    }
}
