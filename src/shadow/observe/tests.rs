use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;

/// A message as its sender means it, and how it travels.
#[derive(Debug, Clone)]
struct Sent {
    body: Vec<u8>,
    binary: bool,
    deflated: bool,
    fragments: usize,
    pings: usize,
}

/// Encodes one frame.
fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = vec![first];
    let bit = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => out.push(bit | len as u8),
        len @ 126..65_536 => {
            out.push(bit | 0x7e);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 0x7f);
            out.extend((len as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    if mask.is_some() {
        out.extend(key);
    }
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ key[at % 4]),
    );
    out
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload, Some([1, 2, 3, 4]))
}

/// Feeds frames in parts of at most `step` bytes, numbered from `number`.
fn feed(
    observer: &mut Observer,
    frames: &[Vec<u8>],
    mut number: u64,
    step: usize,
) -> Vec<Observed> {
    let mut out = Vec::new();
    for bytes in frames {
        let count = bytes.len().div_ceil(step);
        for (index, piece) in bytes.chunks(step).enumerate() {
            let part = Part {
                conn: 1,
                dir: Dir::FromCharger,
                frame: number,
                at: number as Micros,
                first: index == 0,
                last: index + 1 == count,
                cut: false,
                bytes: piece,
            };
            observer.part(&part, &mut out);
        }
        number += 1;
    }
    out
}

fn observer(extensions: Option<&str>) -> Observer {
    Observer::new(extensions, [0, 0], 100_000)
}

/// Kind, body, frames of each observed thing that covers frames.
fn summary(observed: &[Observed]) -> Vec<(Kind, String, u64)> {
    let charger = Arc::from("CP");
    observed
        .iter()
        .map(|seen| seen.clone().into_fact(&charger, 1, Leg::Legacy))
        .map(|fact| {
            let body = match fact.kind {
                Kind::Message | Kind::Control => String::from_utf8_lossy(&fact.body).into_owned(),
                Kind::Quirk => fact.note_json()["quirk"].as_str().unwrap().to_owned(),
                _ => fact.note_json()["why"].as_str().unwrap().to_owned(),
            };
            (fact.kind, body, fact.frames)
        })
        .collect()
}

fn owned(expected: &[(Kind, &str, u64)]) -> Vec<(Kind, String, u64)> {
    expected
        .iter()
        .map(|&(kind, body, frames)| (kind, body.to_owned(), frames))
        .collect()
}

#[test]
fn odd_frames_are_accounted_and_named() {
    let mask = Some([9, 9, 9, 9]);
    let frames = [
        text(b""),
        text(b"not json"),
        text(b"\"\xff\""),
        frame(0x82, b"[]", mask),
        frame(0xc1, b"[]", mask),
        frame(0x83, b"[]", mask),
        frame(0x8b, b"[]", mask),
        frame(0x80, b"[]", mask),
        frame(0x01, b"[1", mask),
        text(b"[2]"),
        frame(0x81, b"[3]", None),
    ];
    let seen = feed(&mut observer(None), &frames, 1, 3);
    assert_eq!(
        summary(&seen),
        owned(&[
            (Kind::Message, "", 1),
            (Kind::Opaque, "not JSON", 1),
            (Kind::Opaque, "not UTF-8", 1),
            (Kind::Opaque, "binary", 1),
            (Kind::Opaque, "compressed without negotiation", 1),
            (Kind::Opaque, "reserved opcode", 1),
            (Kind::Opaque, "reserved opcode", 1),
            (Kind::Opaque, "continuation without start", 1),
            (Kind::Opaque, "unfinished message", 1),
            (Kind::Message, "[2]", 1),
            (Kind::Quirk, "unmasked frame", 0),
            (Kind::Message, "[3]", 1),
        ])
    );
}

#[test]
fn what_a_mask_or_a_compression_hides_is_not_kept() {
    let mut observer = observer(Some("permessage-deflate"));
    let masked = frame(0x81, b"CANARY", Some([7, 7, 7, 7]));
    let squeezed = frame(0xc1, b"\xffCANARY", Some([0, 0, 0, 0]));
    let mut seen = feed(&mut observer, &[squeezed], 1, 9);
    let unfinished = Part {
        conn: 1,
        dir: Dir::FromCharger,
        frame: 2,
        at: 2,
        first: true,
        last: false,
        cut: false,
        bytes: &masked[..10],
    };
    observer.part(&unfinished, &mut seen);
    observer.end(None, &mut seen);
    let lens: Vec<(u64, usize)> = seen
        .iter()
        .filter_map(|seen| match &seen.what {
            What::Opaque { len, body, .. } => Some((*len, body.len())),
            _ => None,
        })
        .collect();
    assert_eq!(lens, [(7, 0), (10, 0)]);
}

#[test]
fn a_gap_takes_the_frame_it_names_and_ends_the_message_under_way() {
    let mut observer = observer(None);
    let mask = Some([7, 7, 7, 7]);
    let mut seen = feed(&mut observer, &[frame(0x01, b"[1", mask)], 1, 9);
    let half = Part {
        conn: 1,
        dir: Dir::FromCharger,
        frame: 2,
        at: 2,
        first: true,
        last: false,
        cut: false,
        bytes: &[0x80, 0x82],
    };
    observer.part(&half, &mut seen);
    let gap = Gap {
        first: 2,
        last: 4,
        bytes: 50,
        why: "hand-over full".to_owned(),
    };
    observer.gap(Dir::FromCharger, &gap, 5, &mut seen);
    seen.extend(feed(
        &mut observer,
        &[frame(0x80, b"]", mask), text(b"{}")],
        5,
        2,
    ));
    observer.end(Some([9, 0]), &mut seen);
    assert_eq!(
        summary(&seen),
        owned(&[
            (Kind::Opaque, "unfinished message", 1),
            (Kind::Gap, "hand-over full", 3),
            (Kind::Opaque, "continuation without start", 1),
            (Kind::Message, "{}", 1),
            (Kind::Gap, "hand-over hole", 3),
        ])
    );
}

#[test]
fn what_is_cut_stays_accounted() {
    let mut observer = Observer::new(None, [0, 0], 4);
    let long = text(b"[1,2,3,4,5]");
    let mut seen = feed(&mut observer, &[long, text(b"[1]")], 1, 5);
    let cut = Part {
        conn: 1,
        dir: Dir::FromCharger,
        frame: 3,
        at: 3,
        first: true,
        last: true,
        cut: true,
        bytes: &text(b"[1,2,3,4]")[..8],
    };
    observer.part(&cut, &mut seen);
    assert_eq!(
        summary(&seen),
        owned(&[
            (Kind::Opaque, "cut", 1),
            (Kind::Message, "[1]", 1),
            (Kind::Opaque, "cut", 1),
        ])
    );
    let lens: Vec<u64> = seen
        .iter()
        .filter_map(|seen| match &seen.what {
            What::Opaque { len, body, .. } => {
                assert!(body.len() <= 4);
                Some(*len)
            }
            _ => None,
        })
        .collect();
    assert_eq!(lens, [11, 9]);
}

#[test]
fn a_gap_ends_inflating_once_where_the_context_is_kept() {
    let mut sender = Compress::new(Compression::default(), false);
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(frame(
            0xc1,
            &deflate(&mut sender, b"[1,1,1,1]"),
            Some([1, 2, 3, 4]),
        ));
    }
    let mut observer = observer(Some("permessage-deflate"));
    let mut seen = feed(&mut observer, &frames[..1], 1, 4);
    seen.extend(feed(&mut observer, &frames[1..], 3, 4));
    seen.extend(feed(&mut observer, &[text(b"[2]")], 5, 4));
    assert_eq!(
        summary(&seen),
        owned(&[
            (Kind::Message, "[1,1,1,1]", 1),
            (Kind::Gap, "hand-over hole", 1),
            (Kind::Quirk, "inflating stopped", 0),
            (Kind::Opaque, "inflate context lost", 1),
            (Kind::Opaque, "inflate context lost", 1),
            (Kind::Message, "[2]", 1),
        ])
    );
}

#[test]
fn an_idle_half_holds_no_buffers() {
    assert!(size_of::<Observer>() <= 160, "{}", size_of::<Observer>());
}

fn deflate(stream: &mut Compress, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 4_096);
    stream
        .compress_vec(data, &mut out, FlushCompress::Sync)
        .unwrap();
    out.truncate(out.len() - 4);
    out
}

fn sent() -> impl Strategy<Value = Sent> {
    let json = prop::collection::vec(any::<u32>(), 0..300)
        .prop_map(|numbers| serde_json::to_vec(&numbers).unwrap());
    let rubbish = prop::collection::vec(any::<u8>(), 0..300);
    let body = prop_oneof![3 => json, 1 => rubbish];
    (
        body,
        prop::bool::weighted(0.1),
        any::<bool>(),
        1usize..5,
        0usize..3,
    )
        .prop_map(|(body, binary, deflated, fragments, pings)| Sent {
            body,
            binary,
            deflated,
            fragments,
            pings,
        })
}

/// The frames of a message, its fragments parted by pings.
fn encode(sent: &Sent, compressor: &mut Compress, mask: [u8; 4]) -> Vec<Vec<u8>> {
    let payload = if sent.deflated {
        deflate(compressor, &sent.body)
    } else {
        sent.body.clone()
    };
    let size = payload.len().div_ceil(sent.fragments).max(1);
    let mut pieces: Vec<&[u8]> = payload.chunks(size).collect();
    if pieces.is_empty() {
        pieces.push(b"");
    }
    let mut frames = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let mut first = match index {
            0 if sent.binary => 0x02,
            0 => 0x01,
            _ => 0x00,
        };
        if index == 0 && sent.deflated {
            first |= 0x40;
        }
        if index + 1 == pieces.len() {
            first |= 0x80;
        } else {
            frames.push(frame(first, piece, Some(mask)));
            frames.extend((0..sent.pings).map(|_| frame(0x89, b"p", Some(mask))));
            continue;
        }
        frames.push(frame(first, piece, Some(mask)));
    }
    frames
}

/// What must come of a message, apart from its pings: whether it is a text message of these bytes.
fn understood(sent: &Sent) -> bool {
    let json = std::str::from_utf8(&sent.body)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    !sent.binary && (sent.body.is_empty() || json)
}

proptest! {
    #[test]
    fn any_split_fragmentation_mask_and_compression_gives_the_messages(
        messages in prop::collection::vec(sent(), 1..12),
        mask in any::<[u8; 4]>(),
        step in 1usize..700,
    ) {
        let mut compressor = Compress::new(Compression::default(), false);
        let frames: Vec<Vec<u8>> = messages
            .iter()
            .flat_map(|sent| encode(sent, &mut compressor, mask))
            .collect();
        let mut observer = observer(Some("permessage-deflate; client_max_window_bits=15"));
        let seen = feed(&mut observer, &frames, 1, step);
        let covered: u64 = seen.iter().map(|seen| seen.frames).sum();
        prop_assert_eq!(covered, frames.len() as u64);
        let mut rest = seen.iter().filter(|seen| !matches!(seen.what, What::Control { .. }));
        for sent in &messages {
            match &rest.next().unwrap().what {
                What::Message { text, deflated } => {
                    prop_assert!(understood(sent));
                    prop_assert_eq!(text.as_bytes(), sent.body.as_slice());
                    prop_assert_eq!(*deflated, sent.deflated);
                }
                What::Opaque { body, .. } => {
                    prop_assert!(!understood(sent));
                    prop_assert_eq!(body, &sent.body);
                }
                other => prop_assert!(false, "unexpected {:?}", other),
            }
        }
        prop_assert!(rest.next().is_none());
    }

    #[test]
    fn random_bytes_and_gaps_never_panic_and_always_account(
        steps in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..60), 0u64..3, 0u8..8), 0..60),
    ) {
        let mut observer = Observer::new(Some("permessage-deflate"), [0, 0], 40);
        let mut seen = Vec::new();
        let mut number = 0;
        for (bytes, ahead, flags) in steps {
            if flags == 0 {
                let gap = Gap { first: number.max(1), last: number + ahead, bytes: 1, why: "x".to_owned() };
                observer.gap(Dir::FromCharger, &gap, 0, &mut seen);
                number += ahead;
                continue;
            }
            number += ahead;
            observer.part(&Part {
                conn: 1, dir: Dir::FromCharger, frame: number, at: 0,
                first: flags & 1 != 0, last: flags & 2 != 0, cut: flags & 4 != 0,
                bytes: &bytes,
            }, &mut seen);
        }
        observer.end(Some([number, 0]), &mut seen);
        let covered: u64 = seen.iter().map(|seen| seen.frames).sum();
        prop_assert_eq!(covered, number);
    }
}
