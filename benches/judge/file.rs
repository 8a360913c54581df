//! The whole way that an operator waits for: from `facts.db` to a written `ledger.db`.

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::cli::judging::{Threads, judge_recording_on, rejudge_digest_on};
use evenkeel::facts::{Limits, Recorder};
use evenkeel::judge::Rules;

use crate::traffic;

/// Writes a recording and judges it on one, two and three threads, into a ledger and in memory.
pub(crate) fn run(exchanges: u64) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    record(dir.path(), exchanges)?;
    let size = |name: &str| fs::metadata(dir.path().join(name)).map(|file| file.len() >> 20);
    println!("{exchanges} exchanges, facts.db {} MiB", size("facts.db")?);
    let mut digests = Vec::new();
    for threads in (1..=3).filter_map(NonZeroUsize::new) {
        let rules = Rules::built_in()?;
        let on = Threads::at_most(threads);
        fs::remove_file(dir.path().join("ledger.db")).or_else(absent)?;
        let (digest, times) =
            timed(|| judge_recording_on(on, dir.path(), rules.clone(), None, &mut |_, _| {}))?;
        say("facts.db to ledger.db", threads, exchanges, times);
        digests.push(digest);
        let (again, times) = timed(|| rejudge_digest_on(on, dir.path(), rules, None))?;
        say("facts.db to a digest", threads, exchanges, times);
        digests.push(again.cursor.digest);
    }
    println!("ledger.db {} MiB, {}", size("ledger.db")?, digests[0]);
    if digests.iter().all(|digest| *digest == digests[0]) {
        Ok(())
    } else {
        Err("the digests differ".into())
    }
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

fn record(dir: &Path, exchanges: u64) -> Result<(), Box<dyn Error>> {
    let recorder = Recorder::open(dir, Limits::default())?;
    for fact in traffic::facts(exchanges) {
        while recorder.is_pressed() {
            std::thread::yield_now();
        }
        let seq = fact.seq;
        if recorder.record(fact) != Some(seq) {
            return Err("the recorder was too slow".into());
        }
    }
    Ok(recorder.close(Duration::from_mins(2))?)
}

fn say(what: &str, threads: NonZeroUsize, exchanges: u64, (wall, cpu): (Duration, Duration)) {
    let rate = |time: Duration| exchanges as f64 / time.as_secs_f64();
    println!(
        "{what:>22} on {threads}: {:>7.0} exchanges a second ({:.1} s), {:>7.0} a CPU second",
        rate(wall),
        wall.as_secs_f64(),
        rate(cpu)
    );
}

/// What `work` gives, the time it took, and the processor time of all threads.
fn timed<T, E: Into<Box<dyn Error>>>(
    work: impl FnOnce() -> Result<T, E>,
) -> Result<(T, (Duration, Duration)), Box<dyn Error>> {
    let (before, began) = (process_time()?, Instant::now());
    let done = work().map_err(Into::into)?;
    Ok((
        done,
        (began.elapsed(), process_time()?.saturating_sub(before)),
    ))
}

/// Processor time of this process in user and kernel mode. The kernel counts it in hundredths of a second.
fn process_time() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    let mut sum = 0;
    for tick in ticks {
        sum += tick.parse::<u64>()?;
    }
    Ok(Duration::from_millis(sum * 10))
}
