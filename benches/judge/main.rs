//! How fast the judge is: exchanges per CPU second, beside the floor that every other tool pays.
//!
//! `cargo bench --bench judge -- [EXCHANGES]` judges a list of facts in memory with the built-in rules, with and without the ledger's
//! digest, and in the same round parses each exchange's three texts into a `serde_json::Value`, which is where a script
//! that compares logs begins. Rounds alternate and the median counts, because small machines are noisy.
//!
//! `-- --grow [MILLIONS]` judges ever longer recordings, made on the fly, up to so many million exchanges (20): time grows
//! with them, memory does not. `-- --file [EXCHANGES]` writes a recording and judges it as `diffs` does, from `facts.db` to
//! `ledger.db`, on one thread and on several.

mod file;
mod growth;
mod traffic;

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use evenkeel::facts::Fact;
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::Digest;
use serde_json::Value;

const ROUNDS: usize = 9;

/// The goal: judging is at least so much faster than parsing.
const GOAL: f64 = 1.2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` must not start a load.
    if args.iter().any(|arg| arg == "--test" || arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let number = args.iter().find_map(|arg| arg.parse::<u64>().ok());
    let asked = |flag: &str| args.iter().any(|arg| arg == flag);
    let done = if asked("--grow") {
        growth::run(number.unwrap_or(20) * 1_000_000)
    } else if asked("--file") {
        file::run(number.unwrap_or(500_000))
    } else {
        run(number.unwrap_or(50_000))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(exchanges: u64) -> Result<(), Box<dyn Error>> {
    let facts: Vec<Fact> = traffic::facts(exchanges).collect();
    let lines = lines(&facts);
    let rules = Rules::built_in()?;
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(cpu(|| parse(&lines))?);
        times[1].push(cpu(|| judge(&facts, &rules, false))?);
        times[2].push(cpu(|| judge(&facts, &rules, true))?);
    }
    let rates = times.map(|times| exchanges as f64 / median(times).as_secs_f64());
    let names = [
        "parse each exchange into a Value",
        "judge",
        "judge and digest",
    ];
    println!("{exchanges} exchanges, {} facts", facts.len());
    for (name, rate) in names.iter().zip(rates) {
        let times = rate / rates[0];
        println!("{name:>32}: {rate:>9.0} exchanges per CPU second, x {times:.2}");
    }
    let met = if rates[1] >= GOAL * rates[0] {
        "met"
    } else {
        "missed"
    };
    println!("{:>32}: judge x {GOAL} is {met}", "goal");
    Ok(())
}

/// The baseline.
fn parse(lines: &[String]) -> Result<(), serde_json::Error> {
    for line in lines {
        black_box(serde_json::from_str::<Value>(line)?);
    }
    Ok(())
}

fn judge(facts: &[Fact], rules: &Rules, digest: bool) -> Result<(), Box<dyn Error>> {
    let mut judge = Judge::new(rules.clone());
    let mut sum = Digest::default();
    for fact in facts {
        judge.feed(fact, &mut |row| {
            if digest {
                sum.absorb(&row);
            } else {
                drop(black_box(row));
            }
        });
    }
    black_box(sum);
    if judge.pending() == 0 {
        Ok(())
    } else {
        Err("some exchanges were not judged".into())
    }
}

/// CPU time that `work` takes, as the scheduler counts it for this thread.
fn cpu<E: Into<Box<dyn Error>>>(
    work: impl FnOnce() -> Result<(), E>,
) -> Result<Duration, Box<dyn Error>> {
    let before = thread_time()?;
    work().map_err(Into::into)?;
    Ok(thread_time()?.saturating_sub(before))
}

fn thread_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// One line per exchange, as a log of all three texts would hold it.
fn lines(facts: &[Fact]) -> Vec<String> {
    let messages = facts.iter().filter(|fact| !fact.body.is_empty());
    let texts: Vec<&str> = messages.filter_map(Fact::text).collect();
    texts
        .chunks(3)
        .map(|texts| format!("[{}]", texts.join(",")))
        .collect()
}
