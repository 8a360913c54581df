//! Connects a recording, the judge and the ledger: once over, live on a thread, or in memory to verify.

mod live;
mod progress;
mod stages;

use std::ops::Deref;
use std::path::Path;

use super::error::{CliError, Exit};
use super::gauges::Totals;
use super::rules;
use crate::facts::{Fact, Follower, Reader, RecordingError, recorder};
use crate::judge::{Judge, Rules};
use crate::ledger::query::{self, Outcomes};
use crate::ledger::row::Row;
use crate::ledger::{Cursor, Digest, FILE, Ledger, LedgerError, Pending};
pub use live::JudgeThread;
use progress::Progress;
pub use stages::Threads;

/// Facts judged between two writes of the ledger, while a recording grows.
const PAGE: usize = 4_000;

/// The same of a finished recording: what is counted by charger and action is written once for each page.
const LONG_PAGE: usize = 16_000;

/// Why a recording cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgingError {
    /// The facts cannot be read.
    #[error("read facts: {0}")]
    Facts(#[from] RecordingError),
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The thread could not be started, or has no way to wait.
    #[error("start the judge: {0}")]
    Start(std::io::Error),
    /// The thread panicked.
    #[error("the judge panicked")]
    Panicked,
}

/// What judging a recording in memory gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejudged {
    /// How far, and the digest there: what the ledger's cursor must be.
    pub cursor: Cursor,
    /// Exchanges by outcome.
    pub exchanges: Outcomes,
}

/// What follows from a page of facts.
struct Judged {
    rows: Vec<Row>,
    /// The last of the facts.
    seq: u64,
    pending: Pending,
}

/// A recording under judgement.
struct Judging {
    reader: Reader,
    rules: Rules,
    judge: Judge,
    ledger: Ledger,
    /// The last fact that the judge has seen.
    fed: u64,
    totals: Totals,
}

impl Judging {
    fn open(dir: &Path, rules: Rules) -> Result<Self, JudgingError> {
        Self::into(dir, dir, rules)
    }

    /// Judges the recording in `dir` into the ledger in `ledger`.
    fn into(dir: &Path, ledger: &Path, rules: Rules) -> Result<Self, JudgingError> {
        Ok(Self {
            reader: Reader::open(dir)?,
            ledger: Ledger::open(ledger, rules.fingerprint())?,
            judge: Judge::new(rules.clone()),
            rules,
            fed: 0,
            totals: Totals::default(),
        })
    }

    /// Judges up to the fact `end`. What the ledger holds already is judged again but not written again. Facts come from
    /// `follower` as far as it has them.
    fn advance(
        &mut self,
        end: u64,
        follower: Option<&Follower>,
        threads: Threads,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), JudgingError> {
        loop {
            match self.pass(end, follower, threads, progress) {
                Err(JudgingError::Ledger(LedgerError::Overtaken(_))) => self.begin_again()?,
                ended => return ended,
            }
        }
    }

    /// The same, until another judge writes in between.
    fn pass(
        &mut self,
        end: u64,
        follower: Option<&Follower>,
        threads: Threads,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), JudgingError> {
        let Self {
            reader,
            judge,
            ledger,
            fed,
            totals,
            ..
        } = self;
        let written = ledger.cursor().seq;
        let page = if follower.is_some() { PAGE } else { LONG_PAGE };
        let mut after = *fed;
        let reader = &mut *reader;
        let read = move || {
            if after >= end {
                return Ok(None);
            }
            let until = if after < written {
                written.min(end)
            } else {
                end
            };
            let recent = follower.and_then(|follower| follower.behind(after));
            let mut facts = match recent {
                Some(recent) => recent,
                None => reader.read(after, page.min((until - after) as usize))?,
            };
            facts.retain(|fact| (after + 1..=until).contains(&fact.seq));
            let last = facts.last().map(|fact| fact.seq);
            after = last.unwrap_or(end);
            Ok(last.map(|_| facts))
        };
        let weigh = |facts: Vec<Fact>| {
            let mut rows = Vec::new();
            for fact in &facts {
                judge.feed(fact, &mut |row| rows.push(row));
                *fed = fact.seq;
            }
            progress(*fed);
            Judged {
                rows,
                seq: *fed,
                pending: pending(judge),
            }
        };
        let write = |judged: Judged| {
            totals.add(&judged.rows);
            if judged.seq > written {
                ledger.apply(&judged.rows, judged.seq, judged.pending)?;
            }
            Ok(())
        };
        stages::run(threads, read, weigh, write)
    }

    /// Another judge wrote in between: goes to where that one is, by judging again from the first fact.
    fn begin_again(&mut self) -> Result<(), JudgingError> {
        self.ledger.catch_up()?;
        self.judge = Judge::new(self.rules.clone());
        self.fed = 0;
        self.totals.clear();
        Ok(())
    }
}

fn pending(judge: &Judge) -> Pending {
    Pending {
        exchanges: judge.pending(),
        commands: judge.pending_commands(),
    }
}

/// Judges the recording in `dir` into its ledger, up to the fact `up_to` or all of it; goes on where the ledger is.
/// `progress` hears the last fact judged and the goal.
pub fn judge_recording(
    dir: &Path,
    rules: Rules,
    up_to: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Digest, JudgingError> {
    judge_recording_on(Threads::default(), dir, rules, up_to, progress)
}

/// The same on so many threads.
pub fn judge_recording_on(
    threads: Threads,
    dir: &Path,
    rules: Rules,
    up_to: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Digest, JudgingError> {
    let mut judging = Judging::open(dir, rules)?;
    let last = judging.reader.last_seq()?;
    let end = up_to.map_or(last, |up_to| up_to.min(last));
    if judging.ledger.cursor().seq >= end {
        // Going through all facts again would only bring the judge to where the ledger is.
        return Ok(judging.ledger.cursor().digest);
    }
    judging.advance(end, None, threads, &mut |done| progress(done, end))?;
    Ok(judging.ledger.cursor().digest)
}

/// Judges the recording in `dir` in memory, up to the fact `up_to` or all of it, without touching its ledger.
pub fn rejudge_digest(
    dir: &Path,
    rules: Rules,
    up_to: Option<u64>,
) -> Result<Rejudged, JudgingError> {
    rejudge_digest_on(Threads::default(), dir, rules, up_to)
}

/// The same on so many threads.
pub fn rejudge_digest_on(
    threads: Threads,
    dir: &Path,
    rules: Rules,
    up_to: Option<u64>,
) -> Result<Rejudged, JudgingError> {
    let reader = Reader::open(dir)?;
    let end = up_to.unwrap_or(u64::MAX);
    let mut after = 0;
    let read = move || -> Result<_, JudgingError> {
        let mut facts = reader.read(after, PAGE)?;
        facts.retain(|fact| fact.seq <= end);
        let last = facts.last().map(|fact| fact.seq);
        after = last.unwrap_or(after);
        Ok(last.map(|_| facts))
    };
    let mut judge = Judge::new(rules);
    let weigh = |facts: Vec<Fact>| {
        let mut rows = Vec::new();
        for fact in &facts {
            judge.feed(fact, &mut |row| rows.push(row));
        }
        Judged {
            rows,
            seq: facts.last().map_or(0, |fact| fact.seq),
            pending: pending(&judge),
        }
    };
    let mut result = Rejudged::default();
    let count = |judged: Judged| {
        for row in &judged.rows {
            result.cursor.digest.absorb(row);
            if let Row::Exchange(row) = row {
                result.exchanges.count(row.outcome, row.reason);
            }
        }
        result.cursor.seq = judged.seq;
        result.cursor.pending = judged.pending;
        Ok(())
    };
    stages::run(threads, read, weigh, count)?;
    result.exchanges.pending = result.cursor.pending.exchanges;
    Ok(result)
}

/// Judges what the ledger of a finished recording lacks, by the rules it was recorded with. A recording that a tap is
/// writing is left to that tap's own judge.
pub fn bring_up_to_date(dir: &Path) -> Result<(), CliError> {
    bring_up_to_date_on(Threads::default(), dir)
}

/// The same on so many threads.
pub fn bring_up_to_date_on(threads: Threads, dir: &Path) -> Result<(), CliError> {
    let Some(_claim) = recorder::claim(dir)? else {
        return Ok(());
    };
    let mut bar = Progress::default();
    let rules = rules::of_recording(dir)?;
    judge_recording_on(threads, dir, rules, None, &mut |done, goal| {
        bar.show(done, goal);
    })?;
    Ok(())
}

/// A ledger that was opened to be read.
pub struct Opened {
    reader: query::Reader,
    /// Where it lies, if it is not the recording's own.
    _aside: Option<tempfile::TempDir>,
}

impl Deref for Opened {
    type Target = query::Reader;

    fn deref(&self) -> &query::Reader {
        &self.reader
    }
}

/// Opens the ledger in `dir`. The judge of a tap that has only just started has none yet: then it is one in which nothing
/// is judged, and whoever asks hears that nothing is known.
pub fn ledger(dir: &Path) -> Result<Opened, CliError> {
    if dir.join(FILE).exists() {
        let reader = query::Reader::open(dir)?;
        if !reader.is_blank()? {
            return Ok(Opened {
                reader,
                _aside: None,
            });
        }
    }
    let aside = tempfile::tempdir().map_err(|error| {
        let message = format!("cannot make a temporary directory: {error}");
        CliError::new(Exit::Environment, "ENV-001", message)
    })?;
    Ledger::open(aside.path(), rules::of_recording(dir)?.fingerprint())?;
    Ok(Opened {
        reader: query::Reader::open(aside.path())?,
        _aside: Some(aside),
    })
}

/// Judges what nobody has judged yet, if nobody is at it, without a word.
pub fn catch_up(dir: &Path) -> Result<(), CliError> {
    if let Some(_claim) = recorder::claim(dir)? {
        judge_recording(dir, rules::of_recording(dir)?, None, &mut |_, _| {})?;
    }
    Ok(())
}

/// Judges the recording in `dir` into a ledger in `aside`, as far as its own ledger is.
pub fn judge_aside(
    dir: &Path,
    aside: &Path,
    rules: Rules,
    threads: Threads,
) -> Result<(), CliError> {
    let end = query::Reader::open(dir)?.cursor()?.seq;
    judge_until(dir, aside, (rules, end), threads)
}

/// Judges the recording in `dir` into a ledger in `aside`, up to the fact `end`.
pub fn judge_until(
    dir: &Path,
    aside: &Path,
    (rules, end): (Rules, u64),
    threads: Threads,
) -> Result<(), CliError> {
    let mut bar = Progress::default();
    let mut judging = Judging::into(dir, aside, rules)?;
    judging.advance(end, None, threads, &mut |done| bar.show(done, end))?;
    Ok(())
}

/// The digest of the ledger at the fact `up_to`, judged again in memory.
pub fn rejudge(dir: &Path, up_to: u64, threads: Threads) -> Result<String, CliError> {
    let rejudged = rejudge_digest_on(threads, dir, rules::of_recording(dir)?, Some(up_to))?;
    Ok(rejudged.cursor.digest.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::facts::{Dir, Kind, Leg, Limits, Recorder};

    /// A charger that sends heartbeats which nobody answers, and leaves after each.
    fn record(dir: &Path, heartbeats: u64) {
        let recorder = Recorder::open(dir, Limits::default()).unwrap();
        let charger: Arc<str> = Arc::from("CP1");
        for conn in 1..=heartbeats {
            let fact = |kind| Fact::new(kind, 1).on(&charger, conn);
            recorder.record(fact(Kind::ConnOpened)).unwrap();
            let call = fact(Kind::Message)
                .via(Leg::Legacy, Dir::FromCharger)
                .covering(1, 1)
                .body(r#"[2,"1","Heartbeat",{}]"#);
            recorder.record(call).unwrap();
            recorder.record(fact(Kind::ConnClosed)).unwrap();
        }
        recorder.close(Duration::from_secs(30)).unwrap();
    }

    #[test]
    fn two_judges_at_once_write_every_row_once() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), 40);
        let open = || Judging::open(dir.path(), Rules::built_in().unwrap()).unwrap();
        let (mut old, mut new) = (open(), open());
        old.advance(50, None, Threads::default(), &mut |_| {})
            .unwrap();
        new.advance(80, None, Threads::default(), &mut |_| {})
            .unwrap();
        old.advance(60, None, Threads::default(), &mut |_| {})
            .unwrap();
        new.advance(120, None, Threads::default(), &mut |_| {})
            .unwrap();
        old.advance(110, None, Threads::default(), &mut |_| {})
            .unwrap();
        let clean = rejudge_digest(dir.path(), Rules::built_in().unwrap(), None).unwrap();
        assert!(!clean.exchanges.not_comparable.is_empty(), "{clean:?}");
        assert_eq!(open().ledger.cursor(), &clean.cursor);
    }
}
