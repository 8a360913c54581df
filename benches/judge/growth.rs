//! Whether time grows with the recording and memory does not.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::Duration;

use evenkeel::judge::{Judge, Rules};

use crate::{thread_time, traffic};

/// Exchanges of the shorter recordings.
const SIZES: [u64; 3] = [200_000, 1_000_000, 4_000_000];

/// Judges recordings of up to `most` exchanges.
pub(crate) fn run(most: u64) -> Result<(), Box<dyn Error>> {
    let rules = Rules::built_in()?;
    let shorter = SIZES.into_iter().filter(|size| *size < most);
    for exchanges in shorter.chain([most]) {
        let (judged, rest) = judge(exchanges, &rules)?;
        println!(
            "{exchanges:>9} exchanges: {:>7.0} a CPU second ({:.1} s, and {:.1} s to make them), {} MiB at most",
            exchanges as f64 / judged.as_secs_f64(),
            judged.as_secs_f64(),
            rest.as_secs_f64(),
            peak()? / 1024,
        );
    }
    Ok(())
}

/// The time that judging takes, and that making the facts takes. Facts are made by the thousand, so that reading the clock
/// costs nothing.
fn judge(exchanges: u64, rules: &Rules) -> Result<(Duration, Duration), Box<dyn Error>> {
    // Memory is counted anew from here.
    fs::write("/proc/self/clear_refs", "5")?;
    let mut facts = traffic::facts(exchanges);
    let mut judge = Judge::new(rules.clone());
    let (mut judged, began) = (Duration::ZERO, thread_time()?);
    loop {
        let page: Vec<_> = facts.by_ref().take(4_000).collect();
        if page.is_empty() {
            break;
        }
        let before = thread_time()?;
        for fact in &page {
            judge.feed(fact, &mut |row| drop(black_box(row)));
        }
        judged += thread_time()?.saturating_sub(before);
    }
    let all = thread_time()?.saturating_sub(began);
    Ok((judged, all.saturating_sub(judged)))
}

/// The most memory that was resident, KiB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the kernel does not say VmHWM")?.parse()?)
}
