//! The schema lint judges any payload without a panic, gives a reason for each refusal, and passes no text that is not JSON.
//!
//! Input: version, action (two bytes), half, payload.

#![no_main]

use evenkeel::ocpp::lint::{Lint, lint};
use evenkeel::ocpp::{Part, Version, actions};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|data: &[u8]| {
    let [version, high, low, half, payload @ ..] = data else {
        return;
    };
    let Ok(payload) = std::str::from_utf8(payload) else {
        return;
    };
    let version = Version::ALL[usize::from(*version) % Version::ALL.len()];
    let actions: Vec<_> = actions::all(version).collect();
    let index = usize::from(u16::from_be_bytes([*high, *low])) % actions.len();
    let part = if half % 2 == 0 {
        Part::Request
    } else {
        Part::Response
    };
    match lint(version, actions[index].name, part, payload) {
        Lint::Ok => assert!(serde_json::from_str::<IgnoredAny>(payload).is_ok()),
        Lint::Refused { reason } => assert!(!reason.is_empty()),
        Lint::NoType => {}
    }
});
