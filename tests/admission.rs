//! Who comes in, and how: the list of chargers, requests that follow a refusal, credentials, and two sockets of one charger.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use evenkeel::live::handover::Flow;

#[path = "live_path/rig.rs"]
mod rig;

use rig::*;

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// An `Authorization` value that is no text: OCPP 1.6 keys are bytes, and some chargers do not encode them.
const RAW: &[u8] = b"Basic \xff\xfe\x80 \xc3(";

fn with_login(identity: &str, login: &[u8]) -> Vec<u8> {
    let head = request(identity);
    let (before, after) = head.split_once("Basic c2VjcmV0").unwrap();
    [before.as_bytes(), login, after.as_bytes()].concat()
}

fn only_cp1(settings: &mut evenkeel::live::Settings) {
    settings.allowed = Some(["CP1".to_owned()].into());
}

/// A charger that the authority has refused with `answer`, the connection open still.
fn refused(rig: &Rig, answer: &str) -> (TcpStream, TcpStream) {
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    let mut authority = rig.authority();
    read_head(&mut authority);
    authority.write_all(answer.as_bytes()).unwrap();
    assert_eq!(read_exactly(&mut charger, answer.len()), answer.as_bytes());
    (charger, authority)
}

/// The charger's second request gets a connection, and is treated as a first one would be.
fn accepted(rig: &Rig, shadow: &mut Shadow, (charger, authority): (TcpStream, TcpStream)) {
    let (mut charger, mut authority) = (charger, authority);
    assert_eq!(shadow.refused().why, "refused by legacy");
    let expected = request("CP1").replace("Host: tap", &format!("Host: {}", rig.host()));
    assert_eq!(read_head(&mut authority), expected);
    authority.write_all(ANSWER.as_bytes()).unwrap();
    assert_eq!(read_head(&mut charger), ANSWER);
    assert_eq!(shadow.opened().1.charger, "CP1");
    let boot = frame(0x81, br#"[2,"1","BootNotification",{}]"#, true);
    charger.write_all(&boot).unwrap();
    assert_eq!(read_exactly(&mut authority, boot.len()), boot);
    charger.shutdown(Shutdown::Write).unwrap();
    drop(authority);
    let (heard, closed) = shadow.until_closed();
    let frames: Vec<_> = heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Frame(_, 0, 1, bytes) if *bytes == boot))
        .collect();
    assert_eq!(frames.len(), 1);
    assert!(closed.flows.iter().all(Flow::is_contained), "{closed:?}");
    assert_eq!(rig.metrics.breaches.get(), 0);
    assert_eq!(rig.metrics.pending.get(), 0);
}

const UNAUTHORIZED: &str =
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nno it";

#[test]
fn a_request_that_follows_a_refusal_is_read_like_a_first_one() {
    let (rig, mut shadow) = Rig::start(|_| {});
    for answer in [
        UNAUTHORIZED,
        "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nno it\r\n0\r\n\r\n",
        "HTTP/1.0 401 No\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno",
    ] {
        let (mut charger, authority) = refused(&rig, answer);
        charger.write_all(request("CP1").as_bytes()).unwrap();
        accepted(&rig, &mut shadow, (charger, authority));
    }
}

#[test]
fn a_following_request_may_come_in_pieces_and_before_the_refusal_is_through() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    let mut authority = rig.authority();
    read_head(&mut authority);
    charger.write_all(request("CP1").as_bytes()).unwrap();
    for byte in UNAUTHORIZED.bytes() {
        authority.write_all(&[byte]).unwrap();
    }
    let told = read_exactly(&mut charger, UNAUTHORIZED.len());
    assert_eq!(told, UNAUTHORIZED.as_bytes());
    accepted(&rig, &mut shadow, (charger, authority));

    let (mut charger, authority) = refused(&rig, UNAUTHORIZED);
    for byte in request("CP1").bytes() {
        charger.write_all(&[byte]).unwrap();
    }
    accepted(&rig, &mut shadow, (charger, authority));
}

#[test]
fn what_follows_a_refusal_and_is_not_understood_is_forwarded_as_it_is() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let long = format!("GET /CP1 HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(30_000));
    for (answer, follows, why) in [
        (
            UNAUTHORIZED,
            "\x01\x02 no http\r\n\r\n",
            Some("not an HTTP/1 head"),
        ),
        (UNAUTHORIZED, long.as_str(), Some("head longer than 16 KiB")),
        (
            UNAUTHORIZED,
            "GET /CP1 HTTP/1.1\r\nHo",
            Some("charger closed before the head was complete"),
        ),
        // Where these answers end cannot be told, so what follows them is nobody's business.
        (
            "HTTP/1.1 401 No\r\n\r\n",
            "GET /CP1 HTTP/1.1\r\nHost: tap\r\n\r\n",
            None,
        ),
        (
            "HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "more",
            None,
        ),
        (
            "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n",
            "GET /CP1 HTTP/1.1\r\nHost: tap\r\n\r\n",
            None,
        ),
    ] {
        let (mut charger, mut authority) = refused(&rig, answer);
        assert_eq!(shadow.refused().status, Some(401));
        charger.write_all(follows.as_bytes()).unwrap();
        charger.shutdown(Shutdown::Write).unwrap();
        assert!(ending(&mut authority).unwrap() == follows.as_bytes());
        authority.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").unwrap();
        drop(authority);
        assert_eq!(ending(&mut charger).unwrap(), b"HTTP/1.1 400 Bad\r\n\r\n");
        if let Some(why) = why {
            assert_eq!(
                shadow.refused().why,
                format!("further requests forwarded unread: {why}")
            );
        }
    }
    assert_eq!(rig.metrics.open.get(), 0);
}

#[test]
fn an_authority_that_speaks_between_two_requests_is_heard_as_it_is() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let (mut charger, mut authority) = refused(&rig, UNAUTHORIZED);
    assert_eq!(shadow.refused().status, Some(401));
    charger.write_all(b"GET /CP1 HT").unwrap();
    let late = "HTTP/1.1 408 Late\r\nConnection: close\r\n\r\n";
    authority.write_all(late.as_bytes()).unwrap();
    assert_eq!(read_exactly(&mut charger, late.len()), late.as_bytes());
    assert_eq!(read_exactly(&mut authority, 11), b"GET /CP1 HT");
    drop(authority);
    assert_eq!(ending(&mut charger).unwrap(), b"");
}

#[test]
fn a_plain_request_may_be_followed_by_a_charger() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let mut charger = rig.charger();
    charger
        .write_all(b"GET /health HTTP/1.1\r\nHost: tap\r\n\r\n")
        .unwrap();
    let mut authority = rig.authority();
    read_head(&mut authority);
    let fine = "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok";
    authority.write_all(fine.as_bytes()).unwrap();
    assert_eq!(read_exactly(&mut charger, fine.len()), fine.as_bytes());
    charger.write_all(request("CP1").as_bytes()).unwrap();
    read_head(&mut authority);
    authority.write_all(ANSWER.as_bytes()).unwrap();
    assert_eq!(shadow.opened().1.charger, "CP1");
    assert_eq!((rig.metrics.plain.get(), rig.metrics.refused.get()), (1, 0));
}

#[test]
fn only_listed_chargers_come_in_and_the_legacy_is_not_blamed() {
    let (rig, mut shadow) = Rig::start(only_cp1);
    for (head, identity) in [
        (request("CP2"), "CP2"),
        (request("cp1"), "cp1"),
        ("\x16\x03\x01 no http\r\n\r\n".to_owned(), ""),
        (
            "POST /CP1 HTTP/1.1\r\nContent-Length: 40\r\n\r\n".to_owned(),
            "CP1",
        ),
    ] {
        let mut stranger = rig.charger();
        stranger.write_all(head.as_bytes()).unwrap();
        assert_eq!(read_head(&mut stranger), NOT_FOUND);
        assert_eq!(ending(&mut stranger).unwrap(), b"");
        let refused = shadow.refused();
        assert!(refused.by_tap);
        assert_eq!(
            (
                refused.charger.as_str(),
                refused.status,
                refused.why.as_str()
            ),
            (
                identity,
                Some(404),
                "refused by the tap: not on its list of chargers"
            )
        );
    }
    assert_eq!(
        (rig.metrics.unlisted.get(), rig.metrics.refused.get()),
        (4, 4)
    );
    // None of them reached the authority: the first that does is the listed one.
    let (_charger, _authority) = rig.line("CP1");
    assert_eq!(shadow.opened().1.charger, "CP1");
}

#[test]
fn a_flood_of_strangers_is_told_in_part_and_counted_wholly() {
    const STRANGERS: u64 = 1_300;
    let (rig, mut shadow) = Rig::start(only_cp1);
    let begun = std::time::Instant::now();
    for n in 0..STRANGERS {
        let mut stranger = rig.charger();
        stranger
            .write_all(request(&format!("X{n}")).as_bytes())
            .unwrap();
        assert_eq!(read_head(&mut stranger), NOT_FOUND);
    }
    let (_charger, _authority) = rig.line("CP1");
    let (mut told, mut counted) = (0, 0);
    loop {
        match shadow.next().unwrap() {
            Heard::Refused(refused) => {
                told += 1;
                counted += 1 + refused.untold;
            }
            Heard::Opened(_, opened) => {
                assert_eq!(opened.charger, "CP1");
                break;
            }
            _ => {}
        }
    }
    // A thousand at first, ten a second from then on.
    let most = 1_000 + 10 * (1 + begun.elapsed().as_secs());
    assert!(told <= most && told >= 1_000.min(most), "{told}");
    assert!(counted <= STRANGERS);
    assert_eq!(rig.metrics.counters().unlisted, STRANGERS);
}

#[test]
fn a_listed_charger_opens_no_door_for_others() {
    let (rig, mut shadow) = Rig::start(only_cp1);
    for follows in [
        request("CP2"),
        "no http\r\n\r\n".to_owned(),
        "POST /CP1 HTTP/1.1\r\nContent-Length: 400\r\n\r\n".to_owned(),
    ] {
        let (mut charger, mut authority) = refused(&rig, UNAUTHORIZED);
        assert!(!shadow.refused().by_tap);
        charger.write_all(follows.as_bytes()).unwrap();
        assert_eq!(read_head(&mut charger), NOT_FOUND);
        assert_eq!(ending(&mut authority).unwrap(), b"");
        assert!(shadow.refused().by_tap);
    }
}

#[test]
fn credentials_that_are_not_text_pass_unharmed() {
    let (rig, mut shadow) = Rig::start(|settings| settings.pass_credentials = true);
    let mut charger = rig.charger();
    let sent = with_login("CP1", RAW);
    charger.write_all(&sent).unwrap();
    let mut authority = rig.authority();
    let host = rig.host();
    let got = read_exactly(&mut authority, sent.len() - "tap".len() + host.len());
    assert!(got.windows(RAW.len()).any(|bytes| bytes == RAW));
    authority.write_all(ANSWER.as_bytes()).unwrap();
    // The shadow plane is told before the connection it belongs to; the record of that holds the scheme alone.
    let login = shadow.find(|heard| match heard {
        Heard::Login(conn, login) => Some((*conn, login.clone())),
        _ => None,
    });
    let (conn, opened) = shadow.opened();
    assert_eq!(login, (conn, RAW.to_vec()));
    assert_eq!(opened.authorization.as_deref(), Some("Basic"));
}

#[test]
fn without_being_told_to_the_tap_hands_no_credentials_over() {
    let (rig, mut shadow) = Rig::start(|_| {});
    drop(rig.line("CP1"));
    let (heard, _) = shadow.until_closed();
    assert!(heard.iter().any(|heard| matches!(heard, Heard::Opened(..))));
    assert!(!heard.iter().any(|heard| matches!(heard, Heard::Login(..))));
}

#[test]
fn two_sockets_of_one_charger_are_two_lines_and_the_authority_decides() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let (mut old, mut old_line) = rig.line("CP1");
    let (mut new, mut new_line) = rig.line("CP1");
    let (first, second) = (shadow.opened().0, shadow.opened().0);
    assert_ne!(first, second);
    // Half-open or not, the old socket goes on sending, and is answered on its own line.
    let ask = frame(0x81, br#"[2,"7","Heartbeat",{}]"#, true);
    for (socket, line) in [(&mut old, &mut old_line), (&mut new, &mut new_line)] {
        socket.write_all(&ask).unwrap();
        assert_eq!(read_exactly(line, ask.len()), ask);
    }
    let answer = frame(0x81, br#"[3,"7",{}]"#, false);
    new_line.write_all(&answer).unwrap();
    assert_eq!(read_exactly(&mut new, answer.len()), answer);
    old.set_nonblocking(true).unwrap();
    assert!(
        old.read(&mut [0]).is_err(),
        "nothing of the new line reaches the old socket"
    );
    old.set_nonblocking(false).unwrap();
    // The authority ends the old one: that reaches the old socket alone.
    reset(old_line);
    assert_reset(&mut old);
    let (_, closed) = shadow.until_closed();
    assert_eq!(closed.flows[0].frames, 1);
    new.write_all(&ask).unwrap();
    assert_eq!(read_exactly(&mut new_line, ask.len()), ask);
    assert_eq!(rig.metrics.open.get(), 1);
}
