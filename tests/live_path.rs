//! The live path over real sockets, byte for byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use evenkeel::live::Backend;
use rustix::process::{Resource, Rlimit, setrlimit};

#[path = "live_path/rig.rs"]
mod rig;

use rig::*;

const MIB: usize = 1024 * 1024;

/// Wire bytes of frames that a tap might be tempted to touch.
fn corpus(masked: bool) -> Vec<Vec<u8>> {
    let frame = |first: u8, payload: &[u8]| frame(first, payload, masked);
    vec![
        frame(0x81, br#"[2,"1","Heartbeat",{}]"#),
        frame(0x81, b""),
        frame(0x89, b"ping"),
        frame(0x8a, b""),
        frame(0x01, b"first fragment, "),
        frame(0x89, b"between fragments"),
        frame(0x00, b""),
        frame(0x80, b"last fragment"),
        frame(0x80, b"continuation of nothing"),
        frame(0x82, &[0, 159, 146, 150]),
        frame(0x81, b"\xff\xfe invalid utf-8"),
        frame(0xc1, b"\xaa\x56\x2a\x4b\x2d"),
        frame(0xf3, b"reserved bits and opcode"),
        rig::frame(0x81, b"wrongly masked", !masked),
        frame(0x81, &[b'x'; 126]),
        frame(0x81, &vec![b'y'; 65_536]),
        frame(0x82, &vec![7; MIB]),
        frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
        frame(0x88, &[0x00]),
        frame(0x88, &[0xff, 0xff, 0xff]),
        frame(0x88, b""),
        frame(0x81, b"after close"),
    ]
}

#[test]
fn law_1_the_live_path_is_a_byte_splice() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let mut charger = rig.charger();
    let odd = "GET //a/CP%201?x HTTP/1.1\r\nhOsT:  tap.example \r\nX-Odd:\t kept \r\n\
               UPGRADE: WebSocket\r\nsec-websocket-key: x\r\nAuthorization: Basic c2VjcmV0\r\n\r\n";
    charger.write_all(odd.as_bytes()).unwrap();
    let mut authority = rig.authority();
    assert_eq!(
        read_head(&mut authority),
        odd.replace("tap.example", &rig.host())
    );
    let answer = "HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 101 \r\nx-odd:  kept\r\n\r\n";
    authority.write_all(answer.as_bytes()).unwrap();
    assert_eq!(read_exactly(&mut charger, answer.len()), answer.as_bytes());
    let (_, opened) = shadow.opened();
    assert_eq!(opened.charger, "CP%201");
    assert_eq!(opened.authorization.as_deref(), Some("Basic"));

    for (from, to, masked) in [(&charger, &authority, true), (&authority, &charger, false)] {
        for one_byte in [false, true] {
            let frames: Vec<_> = corpus(masked)
                .into_iter()
                .filter(|frame| !one_byte || frame.len() < 200)
                .collect();
            let whole = frames.concat();
            let pieces = if one_byte {
                whole.iter().map(|&byte| vec![byte]).collect()
            } else {
                frames
            };
            let sending = send(from.try_clone().unwrap(), pieces);
            let received = read_exactly(&mut to.try_clone().unwrap(), whole.len());
            assert!(received == whole, "masked: {masked}, one byte: {one_byte}");
            sending.join().unwrap();
        }
    }
    charger.shutdown(Shutdown::Write).unwrap();
    authority.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ending(&mut charger).unwrap(), b"");

    let (heard, closed) = shadow.until_closed();
    for (dir, masked) in [(0, true), (1, false)] {
        let small = |frame: &Vec<u8>| frame.len() < 200;
        let mut sent = corpus(masked);
        sent.extend(corpus(masked).into_iter().filter(small));
        let handed: Vec<_> = heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Frame(_, d, number, bytes) if *d == dir => Some((*number, bytes.clone())),
                _ => None,
            })
            .collect();
        let expected: Vec<_> = (1..)
            .zip(sent.iter().map(|f| f[..f.len().min(MIB)].to_vec()))
            .collect();
        assert!(handed == expected, "handed over in direction {dir}");
        let flow = closed.flows[dir];
        assert!(flow.is_contained());
        assert_eq!(flow.frames, sent.len() as u64);
        assert_eq!(flow.written, sent.concat().len() as u64);
    }
    assert_eq!(rig.metrics.breaches.get(), 0);
}

#[test]
fn law_4_absence_is_copied_in_kind() {
    let (rig, mut shadow) = Rig::start(|_| {});
    for charger_first in [true, false] {
        let sides = |line: (TcpStream, TcpStream)| {
            if charger_first {
                line
            } else {
                (line.1, line.0)
            }
        };
        let by = if charger_first {
            "charger"
        } else {
            "authority"
        };

        // FIN, and the other direction goes on.
        let (mut near, mut far) = sides(rig.line("CP1"));
        near.write_all(b"last").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(ending(&mut far).unwrap(), b"last");
        far.write_all(b"still here").unwrap();
        assert_eq!(read_exactly(&mut near, 10), b"still here");
        drop(far);
        assert_eq!(ending(&mut near).unwrap(), b"");
        let (_, closed) = shadow.until_closed();
        assert_eq!((closed.by.as_str(), closed.how.as_str()), (by, "fin"));

        // RST, with the bytes before it.
        let (mut near, mut far) = sides(rig.line("CP1"));
        near.write_all(b"last").unwrap();
        assert_eq!(read_exactly(&mut far, 4), b"last");
        reset(near);
        let since = Instant::now();
        assert_reset(&mut far);
        assert!(since.elapsed() < Duration::from_millis(500));
        let (_, closed) = shadow.until_closed();
        assert_eq!((closed.by.as_str(), closed.how.as_str()), (by, "reset"));

        // RST after FIN: nothing reads that end any more.
        let (near, mut far) = sides(rig.line("CP1"));
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(ending(&mut far).unwrap(), b"");
        reset(near);
        let (_, closed) = shadow.until_closed();
        assert_eq!(closed.how, "reset");
        assert_eq!(closed.by, by);
        let written = (0..100).try_for_each(|_| {
            std::thread::yield_now();
            far.write_all(b"to nobody")
        });
        assert!(written.is_err());

        // RST while the other side takes nothing.
        let (near, mut far) = sides(rig.line("CP1"));
        fill(&near);
        reset(near);
        let (_, closed) = shadow.until_closed();
        assert_eq!((closed.by.as_str(), closed.how.as_str()), (by, "reset"));
        assert!(
            closed
                .flows
                .iter()
                .all(evenkeel::live::handover::Flow::is_contained)
        );
        assert!(ending(&mut far).is_err());
    }
}

/// Buffer of the charger and of the authority where a test measures what lies between them.
const OUTER: usize = 64 * 1024;

/// Writes until nothing is taken for a while; returns how much went in. Leaves the socket non-blocking.
fn fill(socket: &TcpStream) -> usize {
    socket2::SockRef::from(socket)
        .set_send_buffer_size(OUTER)
        .unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut total = 0;
    let mut quiet = Instant::now();
    let chunk = frame(0x82, &[0; 4000], true);
    while quiet.elapsed() < Duration::from_millis(400) {
        match (&*socket).write(&chunk) {
            Ok(n) => {
                total += n;
                quiet = Instant::now();
            }
            Err(_) => std::thread::yield_now(),
        }
    }
    total
}

#[test]
fn law_4_refusals_are_relayed_verbatim() {
    let (rig, mut shadow) = Rig::start(|_| {});
    for (status, answer) in [
        (
            401,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nno it",
        ),
        (404, "HTTP/1.0 404 \r\n\r\nhttp/1.0 body without a length"),
        (
            503,
            "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        ),
    ] {
        let mut charger = rig.charger();
        charger.write_all(request("CP1").as_bytes()).unwrap();
        let mut authority = rig.authority();
        read_head(&mut authority);
        let (head, body) = answer.split_at(answer.len() / 2);
        authority.write_all(head.as_bytes()).unwrap();
        assert_eq!(read_exactly(&mut charger, head.len()), head.as_bytes());
        authority.write_all(body.as_bytes()).unwrap();
        drop(authority);
        assert_eq!(ending(&mut charger).unwrap(), body.as_bytes());
        let refused = shadow.refused();
        assert_eq!(
            (refused.status, refused.charger.as_str()),
            (Some(status), "CP1")
        );
        assert_eq!(refused.why, "refused by legacy");
    }
    assert_eq!(rig.metrics.refused.get(), 3);
    assert_eq!(rig.metrics.accepted.get(), 0);
}

#[test]
fn law_4_an_unreachable_authority_resets_the_charger() {
    let (mut rig, mut shadow) = Rig::start(|_| {});
    rig.close_authority();
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    assert_reset(&mut charger);
    let refused = shadow.refused();
    assert_eq!(refused.status, None);
    assert!(
        refused.why.starts_with("legacy unreachable"),
        "{}",
        refused.why
    );
}

#[test]
fn law_4_an_end_before_the_answer_is_copied_too() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let asked = || {
        let mut charger = rig.charger();
        charger.write_all(request("CP1").as_bytes()).unwrap();
        let mut authority = rig.authority();
        read_head(&mut authority);
        (charger, authority)
    };
    let (charger, mut authority) = asked();
    reset(charger);
    assert_reset(&mut authority);
    assert_eq!(shadow.refused().why, "charger left");

    let (charger, mut authority) = asked();
    drop(charger);
    assert_eq!(ending(&mut authority).unwrap(), b"");
    drop(authority);
    assert_eq!(shadow.refused().why, "charger left");

    let (mut charger, authority) = asked();
    reset(authority);
    assert_reset(&mut charger);
    assert_eq!(shadow.refused().why, "authority closed without an answer");
}

#[test]
fn a_charger_that_leaves_drops_the_dial() {
    // A listener with a full queue answers no further SYN: the connect hangs.
    let hanging = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    hanging.bind(&any.into()).unwrap();
    hanging.listen(0).unwrap();
    let hanging = TcpListener::from(hanging);
    let address = hanging.local_addr().unwrap();
    let _queued = TcpStream::connect(address).unwrap();
    let (rig, mut shadow) = Rig::start(move |settings| {
        settings.legacy = Backend::parse(&format!("ws://{address}")).unwrap();
    });
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    charger
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let waiting = charger.read(&mut [0]).unwrap_err();
    assert_eq!(
        waiting.kind(),
        std::io::ErrorKind::WouldBlock,
        "still waiting"
    );
    drop(charger);
    assert_eq!(shadow.refused().why, "charger left");
    // One that has sent ahead as much as is held is read no more, and yet must not keep its place.
    let mut eager = rig.charger();
    eager.write_all(request("CP2").as_bytes()).unwrap();
    fill(&eager);
    reset(eager);
    assert_eq!(shadow.refused().why, "charger left");
    eventually("no place is held", || rig.metrics.pending.get() == 0);
}

#[test]
fn early_frames_wait_for_the_answer_and_none_is_lost() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let boot = frame(0x81, br#"[2,"1","BootNotification",{}]"#, true);
    let more = frame(0x82, &vec![3; 100_000], true);
    let mut charger = rig.charger();
    charger
        .write_all(&[request("CP1").as_bytes(), &boot].concat())
        .unwrap();
    let mut authority = rig.authority();
    read_head(&mut authority);
    let sending = send(charger.try_clone().unwrap(), vec![more.clone()]);
    authority
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    assert!(
        authority.read(&mut [0]).is_err(),
        "nothing is sent before the answer"
    );
    authority.set_read_timeout(Some(PATIENCE)).unwrap();
    let command = frame(0x81, br#"[2,"9","GetConfiguration",{}]"#, false);
    authority
        .write_all(&[ANSWER.as_bytes(), &command].concat())
        .unwrap();
    assert_eq!(read_head(&mut charger), ANSWER);
    assert_eq!(read_exactly(&mut charger, command.len()), command);
    let early = [boot, more].concat();
    assert!(read_exactly(&mut authority, early.len()) == early);
    sending.join().unwrap();
    drop((charger, authority));
    let (heard, closed) = shadow.until_closed();
    let frames = heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Frame(..)));
    assert_eq!(frames.count(), 3);
    assert_eq!([closed.flows[0].frames, closed.flows[1].frames], [2, 1]);
    assert!(
        closed
            .flows
            .iter()
            .all(evenkeel::live::handover::Flow::is_contained)
    );
}

#[test]
fn a_stalled_authority_stops_the_charger_as_without_a_tap() {
    // Fixed buffers at both outer ends: what differs is what the tap holds.
    let direct = {
        let listener = evenkeel::live::listener::listen(([127, 0, 0, 1], 0).into(), OUTER).unwrap();
        listener.set_nonblocking(false).unwrap();
        let charger = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _authority = listener.accept().unwrap();
        fill(&charger)
    };
    let (mut rig, _shadow) = Rig::start(|settings| settings.user_timeout = Duration::from_secs(1));
    rig.limit_authority_buffer(OUTER);
    let (mut charger, mut authority) = rig.line("CP1");
    let through = fill(&charger);
    let slack = through.saturating_sub(direct);
    println!("direct {direct}, through the tap {through}, slack {slack}");
    assert!(
        slack <= 64 * 1024,
        "{slack} bytes more than on a direct line"
    );
    // Stalled is not gone: the user timeout passes, the line stays, and all of it arrives in the end.
    charger.set_nonblocking(false).unwrap();
    charger
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    let waiting = charger.read(&mut [0]).unwrap_err();
    assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
    read_exactly(&mut authority, through);
}

#[test]
fn a_request_too_odd_to_read_is_forwarded_unread() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let many = format!("GET /CP1 HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    let long = format!("GET /CP1 HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    for (head, why) in [
        (many.as_str(), "more than 100 header fields"),
        (long.as_str(), "head longer than 16 KiB"),
        ("\x16\x03\x01 not http\r\n\r\n", "not an HTTP/1 head"),
    ] {
        let mut charger = rig.charger();
        let sending = send(charger.try_clone().unwrap(), vec![head.into()]);
        let mut authority = rig.authority();
        assert!(read_exactly(&mut authority, head.len()) == head.as_bytes());
        sending.join().unwrap();
        authority.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").unwrap();
        drop(authority);
        assert_eq!(ending(&mut charger).unwrap(), b"HTTP/1.1 400 Bad\r\n\r\n");
        assert_eq!(
            shadow.refused().why,
            format!("request forwarded unread: {why}")
        );
    }
}

#[test]
fn a_plain_request_is_relayed_and_is_no_charger() {
    let (rig, _shadow) = Rig::start(|_| {});
    let mut probe = rig.charger();
    probe
        .write_all(b"POST /health HTTP/1.1\r\nHost: tap\r\nContent-Length: 2\r\n\r\nhi")
        .unwrap();
    let mut authority = rig.authority();
    read_head(&mut authority);
    assert_eq!(read_exactly(&mut authority, 2), b"hi");
    authority.write_all(b"HTTP/1.1 204 No\r\n\r\n").unwrap();
    drop(authority);
    assert_eq!(ending(&mut probe).unwrap(), b"HTTP/1.1 204 No\r\n\r\n");
    assert_eq!(rig.metrics.plain.get(), 1);
    assert_eq!(rig.metrics.refused.get(), 0);
}

#[test]
fn a_second_socket_of_the_same_charger_is_a_line_of_its_own() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let (mut first, first_authority) = rig.line("CP1");
    let (mut second, mut second_authority) = rig.line("CP1");
    let (a, b) = (shadow.opened(), shadow.opened());
    assert_eq!((a.1.charger.as_str(), b.1.charger.as_str()), ("CP1", "CP1"));
    assert_ne!(a.0, b.0);
    reset(first_authority);
    assert_reset(&mut first);
    second.write_all(b"alive").unwrap();
    assert_eq!(read_exactly(&mut second_authority, 5), b"alive");
}

#[test]
fn losing_track_ends_the_frames_and_not_the_line() {
    let (rig, mut shadow) = Rig::start(|_| {});
    let (mut charger, mut authority) = rig.line("CP1");
    let bytes = [
        &frame(0x81, b"good", true)[..],
        &[0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0],
        b"rest",
    ]
    .concat();
    charger.write_all(&bytes).unwrap();
    assert_eq!(read_exactly(&mut authority, bytes.len()), bytes);
    charger.write_all(b"more").unwrap();
    assert_eq!(read_exactly(&mut authority, 4), b"more");
    drop((charger, authority));
    let (heard, closed) = shadow.until_closed();
    let lost: Vec<_> = heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Lost(_, 0, _)))
        .collect();
    assert!(matches!(lost[..], [Heard::Lost(_, _, lost)] if lost.frames == 2));
    assert_eq!(closed.flows[0].opaque_bytes, 8);
    assert!(closed.flows[0].is_contained());
}

/// Runs in a process of its own: the limit of open files is the process's.
#[test]
fn descriptors_may_run_out() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "descriptors_run_out", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}

#[test]
#[ignore = "run by descriptors_may_run_out"]
fn descriptors_run_out() {
    let limit = Rlimit {
        current: Some(400),
        maximum: Some(400),
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let (rig, _shadow) = Rig::start(|_| {});
    let (mut charger, mut authority) = rig.line("CP1");
    let tcp = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let late = tcp();
    let hog = || {
        let files = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok());
        files.collect::<Vec<_>>()
    };
    // Whatever the reserve gives up is eaten at once.
    let mut hogs = hog();
    late.connect(&rig.address.into()).unwrap();
    eventually("accepting fails more than once", || {
        hogs.extend(hog());
        rig.metrics.accept_errors.get() > 6
    });
    let failed = rig.metrics.accept_errors.get();
    let mut byte = [0];
    authority
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    assert!(authority.read(&mut byte).is_err());
    assert!(
        rig.metrics.accept_errors.get() - failed < 10,
        "it backs off"
    );
    charger.write_all(b"x").unwrap();
    authority.read_exact(&mut byte).unwrap();
    // With descriptors to be had, the one that waited comes in.
    drop(hogs);
    let mut late = TcpStream::from(late);
    late.write_all(request("CP2").as_bytes()).unwrap();
    let mut late_authority = rig.authority();
    assert!(read_head(&mut late_authority).starts_with("GET /CP2 "));
}
