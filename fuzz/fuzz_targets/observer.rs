//! Random parts, gaps and ends never panic the observer, and every frame lies in exactly one observed thing.

#![no_main]

use evenkeel::facts::Dir;
use evenkeel::live::handover::{Gap, Lost, Part};
use evenkeel::shadow::observe::{Observed, Observer};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Connection {
    deflate: bool,
    seen: [u8; 2],
    capture: u8,
    records: Vec<Record>,
    /// Whether the live plane could tell how many frames there were; if so, how many were lost at the end.
    told: Option<[u8; 2]>,
}

#[derive(Debug, Arbitrary)]
struct Record {
    to_charger: bool,
    /// Frames since the one before.
    ahead: u8,
    what: What,
}

#[derive(Debug, Arbitrary)]
enum What {
    Part {
        first: bool,
        last: bool,
        cut: bool,
        bytes: Vec<u8>,
    },
    Gap,
    Lost,
}

fuzz_target!(|connection: Connection| {
    let extensions = connection.deflate.then_some("permessage-deflate");
    let seen = connection.seen.map(u64::from);
    let mut observer = Observer::new(extensions, seen, usize::from(connection.capture));
    let mut out = Vec::new();
    let mut frames = seen;
    let mut lost = [false; 2];
    for record in &connection.records {
        let dir = Dir::BOTH[usize::from(record.to_charger)];
        if lost[dir.index()] {
            continue;
        }
        let number = &mut frames[dir.index()];
        let before = *number;
        *number += u64::from(record.ahead);
        lost[dir.index()] = matches!(record.what, What::Lost);
        give(&mut observer, record, dir, before..=*number, &mut out);
    }
    if let Some(tail) = connection.told {
        for (number, more) in frames.iter_mut().zip(tail) {
            *number += u64::from(more);
        }
    }
    observer.end(connection.told.map(|_| frames), &mut out);
    let expected = if connection.told.is_some() {
        frames
    } else {
        observer.begun()
    };
    for dir in Dir::BOTH {
        let covered: u64 = (out.iter())
            .filter(|observed| observed.dir == dir)
            .map(|observed| observed.frames)
            .sum();
        let index = dir.index();
        assert_eq!(covered, expected[index] - seen[index], "{dir:?}");
    }
});

/// Hands over one record about the frames behind `frames.start()` up to `frames.end()`.
fn give(
    observer: &mut Observer,
    record: &Record,
    dir: Dir,
    frames: std::ops::RangeInclusive<u64>,
    out: &mut Vec<Observed>,
) {
    match &record.what {
        What::Part {
            first,
            last,
            cut,
            bytes,
        } => observer.part(
            &Part {
                conn: 1,
                dir,
                frame: *frames.end(),
                at: 0,
                first: *first,
                last: *last,
                cut: *cut,
                bytes,
            },
            out,
        ),
        What::Gap => {
            // A gap may begin in the frame under way, whose rest was dropped.
            let gap = Gap {
                first: (*frames.start()).max(1),
                last: *frames.end(),
                bytes: 1,
                why: "fuzzed".to_owned(),
            };
            observer.gap(dir, &gap, 0, out);
        }
        What::Lost => {
            let lost = Lost {
                frames: *frames.end(),
                why: "fuzzed".to_owned(),
            };
            observer.lost(dir, &lost, 0, out);
        }
    }
}
