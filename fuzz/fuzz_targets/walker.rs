//! Any split of a stream gives the same frames as one piece.
//!
//! Input: the capture limit, how many cuts follow, the sizes of the pieces, the stream.

#![no_main]

use evenkeel::live::walker::{Step, Walker};
use libfuzzer_sys::fuzz_target;

/// What came of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Walked {
    frames: Vec<Frame>,
    /// Bytes behind the point where the walker lost track.
    outside: usize,
    lost: bool,
    begun: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Frame {
    kept: Vec<u8>,
    ended: bool,
    cut: bool,
}

impl Walked {
    fn take(&mut self, step: Step, piece: &[u8]) {
        let open = self.frames.last().is_some_and(|frame| !frame.ended);
        assert_eq!(step.first, !open, "first follows last, and only last");
        if step.first {
            self.frames.push(Frame::default());
        }
        assert_eq!(step.frame, self.frames.len() as u64);
        let frame = self.frames.last_mut().expect("a frame was begun");
        frame.kept.extend_from_slice(&piece[step.range]);
        frame.ended = step.last;
        frame.cut = step.cut;
    }
}

fn walk<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: u32) -> Walked {
    let mut walker = Walker::default();
    let mut walked = Walked::default();
    for piece in pieces {
        let mut steps = Vec::new();
        walked.outside += walker.walk(piece, limit, &mut steps);
        for step in steps {
            walked.take(step, piece);
        }
    }
    walked.lost = walker.is_lost();
    walked.begun = walker.frames();
    walked
}

/// Pieces of the given sizes, over and over.
fn pieces<'a>(mut stream: &'a [u8], sizes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let wished = sizes.next().map_or(1, |&size| usize::from(size).max(1));
        let (piece, rest) = stream.split_at(wished.min(stream.len()));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fuzz_target!(|data: &[u8]| {
    let [limit, count, rest @ ..] = data else {
        return;
    };
    let (sizes, stream) = rest.split_at(usize::from(*count).min(rest.len()));
    let limit = u32::from(*limit);
    let whole = walk(std::iter::once(stream), limit);
    assert_eq!(whole, walk(pieces(stream, sizes), limit));
    assert_eq!(whole.frames.len() as u64, whole.begun);
});
