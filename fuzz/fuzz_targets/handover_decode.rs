//! Hand-over records: rubbish is an error or incomplete, and what decodes survives another round.

#![no_main]

use evenkeel::live::handover::{MAX_PAYLOAD, Record, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Some((record, used))) = decode(rest) {
        assert!(0 < used && used <= rest.len());
        again(&record);
        rest = &rest[used..];
    }
});

fn again(record: &Record<'_>) {
    if matches!(record, Record::Part(part) if part.bytes.len() > MAX_PAYLOAD) {
        // Readable, but never written: long frames are handed over in several parts.
        return;
    }
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    let (decoded, used) = decode(&bytes)
        .expect("an encoded record is whole")
        .expect("an encoded record is complete");
    assert_eq!((&decoded, used), (record, bytes.len()));
    for cut in [0, 1, used / 2, used - 1] {
        assert_eq!(decode(&bytes[..cut]), Ok(None), "{cut} of {used} bytes");
    }
}
