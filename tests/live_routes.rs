//! Which backend a charger's line leads to, and how the tap asks one to come again.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

#[path = "live_path/rig.rs"]
mod rig;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use evenkeel::facts::Leg;
use evenkeel::live::Backend;
use evenkeel::live::handover::{Flow, Goodbye, Routed};
use evenkeel::live::routes::{PAUSE, Route};
use rig::{ANSWER, Heard, PATIENCE, Rig, Shadow, ending, frame, read_exactly, read_head, request};

/// Close 1012, as the tap writes it.
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xf4];

/// A tap whose candidate is a listener of its own.
fn two_backends() -> (Rig, Shadow, TcpListener) {
    let candidate = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/new", candidate.local_addr().unwrap());
    let (rig, shadow) = Rig::start(move |settings| {
        settings.candidate = Backend::parse(&url).unwrap();
    });
    (rig, shadow, candidate)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn order(shadow: &mut Shadow, authority: &str, held: bool) {
    shadow.say(&format!(
        r#"route {{"charger":"CP1","authority":"{authority}","held":{held}}}"#
    ));
}

fn routed(shadow: &mut Shadow) -> Routed {
    shadow.find(|heard| match heard {
        Heard::Routed(routed) => Some(routed.clone()),
        _ => None,
    })
}

#[test]
fn a_moved_charger_is_sent_away_at_a_frame_boundary_and_comes_back_to_the_other_backend() {
    let (rig, mut shadow, candidate) = two_backends();
    let (mut charger, mut legacy) = rig.line("CP1");
    let (mut other, mut others) = rig.line("CP2");
    // Half a frame is on the line: it is not cut.
    let said = frame(0x81, b"an answer of the legacy's", false);
    legacy.write_all(&said[..9]).unwrap();
    assert_eq!(read_exactly(&mut charger, 9), said[..9]);
    order(&mut shadow, "candidate", true);
    let told = routed(&mut shadow);
    assert_eq!(
        (told.authority, told.admitted, told.ending),
        (Leg::Candidate, false, 1)
    );
    charger
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let quiet = charger.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(
        quiet.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    charger.set_read_timeout(Some(PATIENCE)).unwrap();
    legacy.write_all(&said[9..]).unwrap();
    assert_eq!(read_exactly(&mut charger, said.len() - 9), said[9..]);
    // Then one Close and FIN, and nothing else whatever the legacy says.
    assert_eq!(ending(&mut charger).unwrap(), CLOSE);
    legacy.write_all(&frame(0x81, b"too late", false)).unwrap();
    // What the charger still says reaches its old authority, its own Close included.
    let echo = frame(0x88, &[0x03, 0xf4], true);
    let last = [frame(0x81, b"last words", true), echo].concat();
    charger.write_all(&last).unwrap();
    charger.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(ending(&mut legacy).unwrap(), last);
    let (_, closed) = shadow.until_closed();
    assert_eq!(
        (closed.by.as_str(), closed.how.as_str()),
        ("tap", "restart")
    );
    let goodbye = Goodbye {
        code: 1012,
        bytes: 4,
        unheard: 10,
        unread: 0,
    };
    assert_eq!(closed.goodbye, Some(goodbye));
    assert!(closed.flows.iter().all(Flow::is_contained));
    assert_eq!(
        closed.flows[1].frames, 1,
        "what came too late lies in no frame"
    );

    // It waits at the door until it may come in; others do not notice.
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    candidate.set_nonblocking(true).unwrap();
    other.write_all(b"\x81\x80abcd").unwrap();
    assert_eq!(read_exactly(&mut others, 6), b"\x81\x80abcd");
    assert_eq!(
        candidate.accept().unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    candidate.set_nonblocking(false).unwrap();
    order(&mut shadow, "candidate", false);
    let mut authority = accept(&candidate);
    let head = read_head(&mut authority);
    assert!(head.starts_with("GET /new/CP1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Authorization: Basic c2VjcmV0\r\n"), "{head}");
    authority.write_all(ANSWER.as_bytes()).unwrap();
    assert_eq!(read_head(&mut charger), ANSWER);
    let (_, opened) = shadow.find(|heard| match heard {
        Heard::Opened(conn, opened) if opened.charger == "CP1" => Some((*conn, opened.clone())),
        _ => None,
    });
    assert_eq!((opened.authority, opened.mediated), (Leg::Candidate, false));
    assert_eq!(rig.metrics.goodbyes.get(), 1);
    assert_eq!(rig.metrics.breaches.get(), 0);
}

#[test]
fn a_charger_that_is_moved_while_its_authority_answers_does_not_stay_there() {
    let (rig, mut shadow, _candidate) = two_backends();
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    let mut legacy = rig.authority();
    read_head(&mut legacy);
    order(&mut shadow, "candidate", false);
    assert_eq!(routed(&mut shadow).ending, 0, "it is not open yet");
    legacy.write_all(ANSWER.as_bytes()).unwrap();
    assert_eq!(read_head(&mut charger), ANSWER);
    assert_eq!(ending(&mut charger).unwrap(), CLOSE);
    drop(charger);
    let (_, closed) = shadow.until_closed();
    assert_eq!(closed.how, "restart");
}

/// Says that a charger shall not be read for a moment; what the tap tells of it.
fn pause(shadow: &mut Shadow) -> Routed {
    shadow.say(r#"route {"charger":"CP1","authority":"legacy","paused":true}"#);
    routed(shadow)
}

#[test]
fn what_a_paused_charger_says_stays_its_own_until_it_is_moved() {
    let (rig, mut shadow, _candidate) = two_backends();
    let (mut charger, mut legacy) = rig.line("CP1");
    // What it has begun is heard out.
    let call = frame(0x81, b"a CALL", true);
    charger.write_all(&call[..4]).unwrap();
    assert_eq!(read_exactly(&mut legacy, 4), call[..4]);
    let told = pause(&mut shadow);
    assert_eq!((told.paused, told.ending), (true, 0));
    charger.write_all(&call[4..]).unwrap();
    assert_eq!(read_exactly(&mut legacy, call.len() - 4), call[4..]);
    let answer = frame(0x81, b"its answer", false);
    legacy.write_all(&answer).unwrap();
    assert_eq!(read_exactly(&mut charger, answer.len()), answer);
    // What it says next is not.
    let next = frame(0x81, b"the next CALL", true);
    charger.write_all(&next).unwrap();
    legacy
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let quiet = legacy.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(
        quiet.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    legacy.set_read_timeout(Some(PATIENCE)).unwrap();
    order(&mut shadow, "candidate", true);
    assert_eq!(routed(&mut shadow).ending, 1);
    assert_eq!(ending(&mut charger).unwrap(), CLOSE);
    charger.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(ending(&mut legacy).unwrap(), b"");
    let (_, closed) = shadow.until_closed();
    assert_eq!(closed.goodbye.unwrap().unread, next.len() as u64);
    assert!(closed.flows.iter().all(Flow::is_contained));
    assert_eq!(closed.flows[0].frames, 1, "what was not read lies in none");
    assert_eq!(rig.metrics.breaches.get(), 0);
}

#[test]
fn a_pause_ends_by_itself_and_by_another_order() {
    let (rig, mut shadow, _candidate) = two_backends();
    let (mut charger, mut legacy) = rig.line("CP1");
    let call = frame(0x81, b"a CALL", true);
    // The shadow plane dies, say: nothing waits for it.
    pause(&mut shadow);
    charger.write_all(&call).unwrap();
    let begun = std::time::Instant::now();
    legacy.set_read_timeout(Some(2 * PAUSE)).unwrap();
    assert_eq!(read_exactly(&mut legacy, call.len()), call);
    assert!(begun.elapsed() >= PAUSE / 2, "{:?}", begun.elapsed());
    pause(&mut shadow);
    charger.write_all(&call).unwrap();
    let begun = std::time::Instant::now();
    order(&mut shadow, "legacy", false);
    assert_eq!(read_exactly(&mut legacy, call.len()), call);
    assert!(begun.elapsed() < PAUSE, "{:?}", begun.elapsed());
    // One that breaks while it is not read is noticed at once.
    pause(&mut shadow);
    rig::reset(charger);
    rig::assert_reset(&mut legacy);
}

#[test]
fn a_charger_that_does_not_hang_up_is_hung_up_on() {
    let (rig, mut shadow, _candidate) = two_backends();
    let (mut charger, mut legacy) = rig.line("CP1");
    order(&mut shadow, "candidate", false);
    assert_eq!(ending(&mut charger).unwrap(), CLOSE);
    // It says nothing, and the legacy is not kept waiting for ever.
    assert_eq!(ending(&mut legacy).unwrap(), b"");
    let (_, closed) = shadow.until_closed();
    assert_eq!(closed.goodbye.unwrap().unheard, 0);
}

#[test]
fn a_stuck_frame_is_not_finished_by_the_tap() {
    let (rig, mut shadow, _candidate) = two_backends();
    let (mut charger, mut legacy) = rig.line("CP1");
    legacy.write_all(&[0x81, 20, b'x']).unwrap();
    assert_eq!(read_exactly(&mut charger, 3), [0x81, 20, b'x']);
    order(&mut shadow, "candidate", false);
    assert_eq!(
        ending(&mut charger).unwrap(),
        b"",
        "no frame inside a frame"
    );
    let (_, closed) = shadow.until_closed();
    assert_eq!((closed.how.as_str(), closed.goodbye), ("restart", None));
}

#[test]
fn a_tap_that_starts_knows_the_ways_before_anybody_comes() {
    let candidate = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", candidate.local_addr().unwrap());
    let (rig, _shadow) = Rig::start(move |settings| {
        settings.candidate = Backend::parse(&url).unwrap();
        let route = Route {
            authority: Leg::Candidate,
            mediated: false,
            held: false,
        };
        settings.routes = vec![("CP1".to_owned(), route)];
    });
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    read_head(&mut accept(&candidate));
    let _elsewhere = rig.line("CP2");
}

#[test]
fn a_charger_without_its_mediator_is_refused_rather_than_let_through() {
    let (rig, mut shadow) = Rig::start(|settings| {
        settings.mediators = Some(["/nonexistent/a".into(), "/nonexistent/b".into()]);
        let route = Route {
            authority: Leg::Candidate,
            mediated: true,
            held: false,
        };
        settings.routes = vec![("CP1".to_owned(), route)];
    });
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    rig::assert_reset(&mut charger);
    let refused = shadow.refused();
    assert!(refused.why.contains("no mediator"), "{}", refused.why);
    assert_eq!(refused.authority, Leg::Candidate);
}
