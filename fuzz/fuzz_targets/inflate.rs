//! permessage-deflate, as the observer reads it: what a sender compressed comes back, and rubbish or a bomb is a bounded
//! opaque thing.

#![no_main]

use evenkeel::facts::Dir;
use evenkeel::live::handover::Part;
use evenkeel::shadow::observe::{Observed, Observer, What};
use flate2::{Compress, Compression, FlushCompress};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const CAPTURE: usize = 4_096;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Compressed messages as they come off the wire.
    Wire {
        drops_context: bool,
        messages: Vec<&'a [u8]>,
    },
    /// Texts to be compressed by a sender that keeps its context.
    Texts(Vec<&'a str>),
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Wire {
        drops_context,
        messages,
    } => wire(drops_context, &messages),
    Input::Texts(texts) => round_trip(&texts),
});

fn wire(drops_context: bool, messages: &[&[u8]]) {
    let extensions = if drops_context {
        "permessage-deflate; client_no_context_takeover"
    } else {
        "permessage-deflate"
    };
    let seen = observe(extensions, messages.iter().copied());
    for observed in &seen {
        let kept = match &observed.what {
            What::Message { text, .. } => text.len(),
            What::Opaque { body, .. } => body.len(),
            _ => 0,
        };
        assert!(kept <= CAPTURE, "{kept} bytes kept");
    }
    let covered: u64 = seen.iter().map(|observed| observed.frames).sum();
    assert_eq!(covered, messages.len() as u64);
}

fn round_trip(texts: &[&str]) {
    let mut sender = Compress::new(Compression::default(), false);
    let texts: Vec<String> = (texts.iter())
        .map(|text| serde_json::to_string(text).expect("a string is JSON"))
        .filter(|text| text.len() <= CAPTURE)
        .collect();
    let packed: Vec<Vec<u8>> = (texts.iter())
        .map(|text| deflate(&mut sender, text.as_bytes()))
        .collect();
    if packed.iter().any(|packed| packed.len() > CAPTURE) {
        // Cut on the wire, so its content is unknown.
        return;
    }
    let seen = observe("permessage-deflate", packed.iter().map(Vec::as_slice));
    let read: Vec<&str> = (seen.iter())
        .map(|observed| match &observed.what {
            What::Message { text, .. } => text.as_str(),
            other => panic!("not inflated: {other:?}"),
        })
        .collect();
    assert_eq!(read, texts);
}

fn deflate(sender: &mut Compress, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() * 2 + 64);
    sender
        .compress_vec(data, &mut out, FlushCompress::Sync)
        .expect("compressing works");
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]), "the output had room");
    out.truncate(out.len() - 4);
    out
}

/// One masked frame with all-zero mask per message.
fn observe<'a>(extensions: &str, messages: impl Iterator<Item = &'a [u8]>) -> Vec<Observed> {
    let mut observer = Observer::new(Some(extensions), [0, 0], CAPTURE);
    let mut out = Vec::new();
    for (index, message) in messages.enumerate() {
        let mut bytes = vec![0xc1, 0xff];
        bytes.extend((message.len() as u64).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend_from_slice(message);
        let part = Part {
            conn: 1,
            dir: Dir::FromCharger,
            frame: index as u64 + 1,
            at: 0,
            first: true,
            last: true,
            cut: false,
            bytes: &bytes,
        };
        observer.part(&part, &mut out);
    }
    out
}
