//! How long a report of a long night takes, and how large it is: a million exchanges with fifty findings.
//!
//! `cargo bench --bench report`; with a number behind `--` that many exchanges instead.

#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a benchmark should end it"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Recorder};
use serde_json::json;

const CHARGERS: u64 = 500;
const FINDINGS: u64 = 50;
/// One exchange in so many shows a finding.
const RARE: u64 = 40;
/// One exchange in so many names a tag of its own.
const TAGGED: u64 = 10;
const BEGIN: i64 = 1_795_000_000_000_000;

fn main() {
    if std::env::args().any(|word| word == "--test" || word == "--list") {
        return;
    }
    let wished = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let exchanges: u64 = wished.unwrap_or(1_000_000);
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("night");
    let began = Instant::now();
    record(&dir, exchanges);
    println!(
        "recorded {exchanges} exchanges in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    timed("judged", &["diffs", "--json"], &dir);
    let out = root.path().join("out");
    for more in [&["--no-bundles"][..], &[]] {
        let out = out.display().to_string();
        let mut args = vec!["report", "--for", "vendor", "--out", &out];
        args.extend(more);
        timed("report", &args, &dir);
    }
    for file in std::fs::read_dir(out).unwrap() {
        let bytes = file.unwrap().metadata().unwrap().len();
        println!("the archive has {bytes} bytes");
    }
}

fn timed(what: &str, args: &[&str], dir: &Path) {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .arg(dir)
        .output()
        .unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    println!(
        "{what} {args:?} in {seconds:.2} s, exit {:?}: {said}",
        output.status.code()
    );
}

/// Each exchange is a CALL, its copy and both answers.
fn record(dir: &Path, exchanges: u64) {
    let limits = Limits {
        // All of it may wait for the disk: a refused fact would be a gap.
        queue_bytes: 4 << 30,
        ..Limits::default()
    };
    let recorder = Recorder::open(dir, limits).unwrap();
    let chargers: Vec<Arc<str>> = (0..CHARGERS)
        .map(|at| Arc::from(format!("depot-{at:04}")))
        .collect();
    for (at, charger) in chargers.iter().enumerate() {
        let opened = Fact::new(Kind::ConnOpened, BEGIN).on(charger, at as u64 + 1);
        let opened = opened
            .via(Leg::Legacy, Dir::FromCharger)
            .note(&json!({"subprotocol": "ocpp1.6"}));
        recorder.record(opened).unwrap();
    }
    for number in 0..exchanges {
        let conn = number % CHARGERS;
        let charger = &chargers[conn as usize];
        let frame = number / CHARGERS + 1;
        let at = BEGIN + number as i64 * 40_000;
        let fact = |kind, leg, dir, later| {
            Fact::new(kind, at + later)
                .on(charger, conn + 1)
                .via(leg, dir)
        };
        let (action, payload, answer) = if number.is_multiple_of(TAGGED) {
            let tag = format!("{:010X}", number.wrapping_mul(0x9e37_79b9_7f4a));
            (
                "Authorize",
                format!(r#"{{"idTag":"{}"}}"#, &tag[..10]),
                r#"{"idTagInfo":{"status":"Accepted"}"#,
            )
        } else {
            let sample = format!(
                r#"{{"connectorId":1,"meterValue":[{{"timestamp":"2026-11-24T10:00:00Z","sampledValue":[{{"value":"{number}","measurand":"Energy.Active.Import.Register","unit":"Wh"}}]}}]}}"#
            );
            ("MeterValues", sample, r#"{"x":1"#)
        };
        let theirs = if number % RARE == 7 {
            format!("{answer},\"extra{}\":true}}", number / RARE % FINDINGS)
        } else {
            format!("{answer}}}")
        };
        let (up, down) = (Dir::FromCharger, Dir::ToCharger);
        let call = fact(Kind::Message, Leg::Legacy, up, 0).covering(frame, 1);
        let call = recorder
            .record(call.body(format!("[2,\"{number}\",\"{action}\",{payload}]")))
            .unwrap();
        let sent = fact(Kind::ShadowSent, Leg::Candidate, up, 100).because(call);
        let sent = sent.note(&json!({"id": number.to_string(), "action": action, "rewrites": []}));
        let sent = recorder.record(sent).unwrap();
        let ours = fact(Kind::Message, Leg::Legacy, down, 5_000).covering(frame, 1);
        recorder
            .record(ours.body(format!("[3,\"{number}\",{answer}}}]")))
            .unwrap();
        let received = fact(Kind::ShadowReceived, Leg::Candidate, down, 9_000).because(sent);
        recorder
            .record(received.body(format!("[3,\"{number}\",{theirs}]")))
            .unwrap();
    }
    recorder.close(Duration::from_mins(2)).unwrap();
}
