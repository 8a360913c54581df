//! What the recorder sustains: facts offered at a steady rate, and how long each waits until it is synced to disk.
//!
//! `cargo bench --bench recorder -- [--rate N] [--seconds S]`. Default: 10,000 and 20,000 facts a second, 10 s each, of the
//! size of a small OCPP message, on the disk that holds the temporary directory. Every commit is a real `fsync`.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel::clock::Clock;
use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Recorder};

type Failure = Box<dyn std::error::Error>;

const TEXT: &str = r#"[2,"0b7c2f1e","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2026-01-01T00:00:00Z","info":"bench"}]"#;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--test" || arg == "--list") {
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recorder bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    let option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    let seconds = option("--seconds").unwrap_or(10);
    match option("--rate") {
        Some(rate) => steady(rate, seconds),
        None => [10_000, 20_000]
            .into_iter()
            .try_for_each(|rate| steady(rate, seconds)),
    }
}

fn steady(rate: u64, seconds: u64) -> Result<(), Failure> {
    let dir = tempfile::tempdir()?;
    let recorder = Recorder::open(dir.path(), Limits::default())?;
    let charger: Arc<str> = Arc::from("CP1");
    let mut waiting: VecDeque<(u64, Instant)> = VecDeque::new();
    let mut waits: Vec<Duration> = Vec::new();
    let mut committed = recorder.committed();
    let (began, end) = (Instant::now(), Duration::from_secs(seconds));
    let (mut offered, mut refused) = (0u64, 0u64);
    while began.elapsed() < end {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        while offered < due {
            offered += 1;
            let fact = Fact::new(Kind::Message, Clock::system().now())
                .on(&charger, 1)
                .via(Leg::Legacy, Dir::FromCharger)
                .covering(offered, 1)
                .body(TEXT);
            match recorder.record(fact) {
                Some(seq) => waiting.push_back((seq, Instant::now())),
                None => refused += 1,
            }
        }
        settle(*committed.borrow_and_update(), &mut waiting, &mut waits);
        std::thread::sleep(Duration::from_micros(500));
    }
    recorder.close(Duration::from_secs(10))?;
    settle(*committed.borrow_and_update(), &mut waiting, &mut waits);
    waits.sort_unstable();
    let at = |share: f64| {
        let place = (waits.len() as f64 * share) as usize;
        waits
            .get(place.min(waits.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{rate:>6} facts/s for {seconds} s: {} committed, {refused} refused; seen to committed p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
        waits.len(),
        at(0.50).as_secs_f64() * 1e3,
        at(0.99).as_secs_f64() * 1e3,
        at(1.0).as_secs_f64() * 1e3,
    );
    Ok(())
}

/// Moves what is committed by now from the waiting to the waited.
fn settle(committed: u64, waiting: &mut VecDeque<(u64, Instant)>, waits: &mut Vec<Duration>) {
    while let Some(&(seq, since)) = waiting.front() {
        if seq > committed {
            return;
        }
        waits.push(since.elapsed());
        waiting.pop_front();
    }
}
