//! What the live plane hands over: nothing waits for it, and no frame is unaccounted for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use evenkeel::live::{Handover, ShadowCommand, seen};
use rustix::process::{Pid, Signal, kill_process};

#[path = "live_path/rig.rs"]
mod rig;

use rig::*;

#[test]
fn a_reader_that_stalls_costs_frames_but_not_the_account() {
    let (rig, mut shadow) = Rig::start(|settings| settings.handover_bytes = 32 * 1024);
    let (mut charger, mut authority) = rig.line("CP1");
    // More than the tank and the socket hold: nobody reads the hand-over meanwhile.
    let frames: u64 = 4000;
    let one = frame(0x81, &[b'm'; 600], true);
    let sending = send(
        charger.try_clone().unwrap(),
        vec![one.clone(); frames as usize],
    );
    let total = one.len() * frames as usize;
    assert_eq!(read_exactly(&mut authority, total).len(), total);
    sending.join().unwrap();
    eventually("frames are lost", || rig.metrics.lost.get() > 0);
    let before = drain_some(&mut shadow, 1);
    charger.write_all(&one).unwrap();
    read_exactly(&mut authority, one.len());
    drop((charger, authority));
    let (heard, closed) = shadow.until_closed();
    let mut next = 1;
    let mut lost = 0;
    for heard in before.iter().chain(&heard) {
        match heard {
            Heard::Frame(_, 0, number, bytes) => {
                assert_eq!(*number, next);
                assert_eq!(bytes, &one);
                next += 1;
            }
            Heard::Gap(_, 0, gap) => {
                assert_eq!(gap.first, next);
                assert_eq!(gap.why, "hand-over full");
                lost += gap.last - gap.first + 1;
                next = gap.last + 1;
            }
            _ => {}
        }
    }
    assert_eq!(
        next - 1,
        closed.flows[0].frames,
        "seen = handed over + gaps"
    );
    assert_eq!(closed.flows[0].frames, frames + 1);
    assert_eq!(lost, rig.metrics.lost.get());
}

fn drain_some(shadow: &mut Shadow, n: usize) -> Vec<Heard> {
    (0..n).filter_map(|_| shadow.next()).collect()
}

#[test]
fn a_new_shadow_plane_is_told_what_is_open_and_what_ended_untold() {
    let (planes, handover) = Handover::successive();
    let rig = Rig::start_with(handover, |_| {});
    let attach = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        planes.blocking_send(theirs).unwrap();
        Shadow::new(ours)
    };
    let mut shadow = attach();
    assert_eq!(shadow.next(), Some(Heard::Hello(0)));
    let (mut charger, mut authority) = rig.line("CP1");
    let (conn, opened) = shadow.opened();
    let one = frame(0x81, b"one", true);
    let two = [one.clone(), frame(0x81, b"two", true)].concat();
    let mut exchange = |bytes: &[u8]| {
        charger.write_all(bytes).unwrap();
        assert_eq!(read_exactly(&mut authority, bytes.len()), bytes);
    };
    exchange(&two);
    shadow.find(|heard| matches!(heard, Heard::Frame(_, 0, 2, _)).then_some(()));
    shadow.say("{\"lag\":1}\n{\"lag\":2}");
    eventually("the status is known", || {
        rig.metrics.shadow_status() == "{\"lag\":2}"
    });
    drop(shadow);
    eventually("the plane is lost", || {
        rig.metrics.shadow_restarts.get() == 1
    });

    // Away: a whole frame, the beginning of another, and a connection that comes and goes.
    exchange(&one);
    let third = frame(0x81, b"a longer one", true);
    exchange(&third[..10]);
    let (mut brief, brief_authority) = rig.line("CP2");
    brief.write_all(&two).unwrap();
    drop(brief);
    // Its answer may reach the charger a moment before it counts as open.
    eventually("the second connection ends", || {
        drop(
            brief_authority
                .try_clone()
                .map(|s| s.shutdown(Shutdown::Write)),
        );
        rig.metrics.accepted.get() == 2 && rig.metrics.open.get() == 1
    });

    let mut shadow = attach();
    assert_eq!(shadow.next(), Some(Heard::Hello(1)));
    let (brief_conn, brief) = shadow.opened();
    assert_eq!((brief.charger.as_str(), brief.seen), ("CP2", [2, 0]));
    let closed = shadow.next();
    assert!(
        matches!(closed, Some(Heard::Closed(conn, closed)) if conn == brief_conn && closed.flows[0].frames == 2)
    );
    let (again, reopened) = shadow.opened();
    assert_eq!((again, reopened.seen), (conn, [4, 0]));
    assert_eq!(reopened.slot, opened.slot);
    let reader = seen::Reader::open(&rig.board).unwrap();
    assert_eq!(reader.get(opened.slot).unwrap().unwrap().frames, [4, 0]);

    // The rest of the frame that was begun while the plane was away lies in its gap; the next one is handed over.
    exchange(&third[10..]);
    exchange(&one);
    let next = shadow.find(|heard| match heard {
        Heard::Frame(_, 0, number, bytes) => Some((*number, bytes.len())),
        _ => None,
    });
    assert_eq!(next, (5, one.len()));
}

#[test]
fn a_plane_that_takes_nothing_is_replaced_and_no_connection_is_forgotten() {
    let (planes, handover) = Handover::successive();
    let rig = Rig::start_with(handover, |settings| settings.handover_bytes = 4096);
    let attach = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        planes.blocking_send(theirs).unwrap();
        Shadow::new(ours)
    };
    let mut stuck = attach();
    let mut lines = 0;
    while rig.metrics.shadow_restarts.get() == 0 {
        drop(rig.line("CP1"));
        lines += 1;
        assert!(lines < 20_000, "the reserve is never used up");
    }
    eventually("all have ended", || {
        rig.metrics.accepted.get() == lines && rig.metrics.open.get() == 0
    });
    let mut told = std::collections::BTreeSet::new();
    let mut hear = |heard: Option<Heard>| match heard {
        Some(Heard::Closed(conn, _)) => {
            told.insert(conn);
            true
        }
        other => other.is_some(),
    };
    while hear(stuck.next()) {}
    let mut second = attach();
    assert_eq!(second.next(), Some(Heard::Hello(1)));
    loop {
        let heard = second.next();
        if heard == Some(Heard::Tick) {
            break;
        }
        hear(heard);
    }
    assert_eq!(told.len() as u64, lines);
    assert_eq!(rig.metrics.unannounced.get(), 0);
}

#[test]
fn stopping_ends_every_line_in_order_and_says_so() {
    let (mut rig, mut shadow) = Rig::start(|_| {});
    let (mut charger, mut authority) = rig.line("CP1");
    rig.stop();
    assert_eq!(ending(&mut charger).unwrap(), b"");
    assert_eq!(ending(&mut authority).unwrap(), b"");
    let (_, closed) = shadow.until_closed();
    assert_eq!(
        (closed.by.as_str(), closed.how.as_str()),
        ("tap", "shutdown")
    );
    assert_eq!(shadow.next(), Some(Heard::Stopping));
    assert_eq!(shadow.next(), None);
}

#[test]
fn a_shadow_plane_that_dies_is_started_again() {
    let say_pid = "echo $$ >&0; exec cat >/dev/null";
    let command = ShadowCommand {
        program: "sh".into(),
        args: vec!["-c".into(), say_pid.into()],
    };
    let mut rig = Rig::start_with(Handover::spawn(command), |_| {});
    let mut pid = String::new();
    let (mut charger, mut authority) = rig.line("CP1");
    for restarts in 0..3 {
        eventually("a new plane reports", || {
            let status = rig.metrics.shadow_status();
            let new = !status.is_empty() && status != pid;
            pid = if new {
                status
            } else {
                std::mem::take(&mut pid)
            };
            new
        });
        assert_eq!(rig.metrics.shadow_restarts.get(), restarts);
        charger.write_all(b"alive").unwrap();
        assert_eq!(read_exactly(&mut authority, 5), b"alive");
        let victim = Pid::from_raw(pid.parse().unwrap()).unwrap();
        kill_process(victim, Signal::KILL).unwrap();
        eventually("the death is noticed", || {
            rig.metrics.shadow_status() != pid
        });
    }
    eventually("the last plane reports", || {
        !rig.metrics.shadow_status().is_empty()
    });
    let pid = rig.metrics.shadow_status();
    rig.stop();
    assert!(
        !std::path::Path::new("/proc").join(pid).exists(),
        "it exits with the tap"
    );
}
