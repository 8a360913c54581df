//! What an idle connection costs. A binary of its own, because the measure is the process's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;

#[path = "live_path/rig.rs"]
mod rig;

use rig::*;

/// Resident bytes of anonymous memory: the heap, not the program.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        * 1024
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    const LINES: usize = 1500;
    let (rig, mut shadow) = Rig::start(|_| {});
    let reader = std::thread::spawn(move || while shadow.next().is_some() {});
    let mut lines = Vec::with_capacity(LINES);
    let used = |rig: &Rig, n: u64, lines: &mut Vec<_>| {
        for _ in 0..n {
            let (mut charger, mut authority) = rig.line("CP-0001");
            let message = frame(0x81, br#"[2,"1","Heartbeat",{}]"#, true);
            charger.write_all(&message).unwrap();
            assert_eq!(read_exactly(&mut authority, message.len()), message);
            lines.push((charger, authority));
        }
    };
    // The first ones pay for what all share.
    used(&rig, 100, &mut lines);
    let before = resident();
    used(&rig, LINES as u64 - 100, &mut lines);
    let each = (resident() - before) / (LINES - 100);
    println!("{each} bytes per idle connection");
    // About 1.2 KiB of it is the runtime's: a task and two registered sockets.
    assert!(each < 2560, "{each} bytes per idle connection");
    drop((rig, lines));
    reader.join().unwrap();
}
