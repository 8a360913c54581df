//! Request and response heads: whatever the bytes, nothing panics, and the rewrite touches the named places alone.

#![no_main]

use evenkeel::live::Backend;
use evenkeel::live::head::{MAX_HEAD, Request, read_request, read_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    request(data, "");
    request(data, "/ocpp");
    if let Ok(Some(response)) = read_response(data) {
        assert!(response.len <= data.len().min(MAX_HEAD));
        let again = read_response(&data[..response.len]);
        assert_eq!(again, Ok(Some(response)), "a head ends where it ends");
    }
});

fn request(data: &[u8], base_path: &str) {
    let Ok(Some(request)) = read_request(data, base_path) else {
        return;
    };
    assert!(request.len <= data.len().min(MAX_HEAD));
    let again = read_request(&data[..request.len], base_path);
    assert_eq!(again.as_ref(), Ok(&Some(request.clone())));
    let rewritten = request.rewrite(data, base_path, &backend("wss://csms.example:9000/steve"));
    same_charger(&request, &rewritten);
    if request.quirks.iter().any(|quirk| quirk == "no Host header") {
        let untouched = request.rewrite(data, "", &backend("ws://csms.example"));
        if request.target.starts_with('/') {
            assert_eq!(untouched, &data[..request.len]);
        }
    }
}

/// The authority reads the charger's identity and offer as the tap did.
fn same_charger(request: &Request, rewritten: &[u8]) {
    let Ok(Some(read)) = read_request(rewritten, "/steve") else {
        // Longer than what is read, now that a longer host is in it.
        assert!(rewritten.len() > MAX_HEAD);
        return;
    };
    assert_eq!(read.len, rewritten.len());
    assert_eq!(read.offered, request.offered);
    assert_eq!(read.authorization, request.authorization);
    assert_eq!(read.upgrade, request.upgrade);
    assert_eq!(read.identity, request.identity);
}

fn backend(url: &str) -> Backend {
    Backend::parse(url).expect("a fixed URL is valid")
}
