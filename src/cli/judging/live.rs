//! Judging a recording while it grows, on a thread of its own.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::{Judging, JudgingError, PAGE, Threads};
use crate::cli::gauges::Totals;
use crate::facts::Follower;
use crate::judge::Rules;
use crate::ledger::Digest;

/// How long a fact waits for others before it is judged: a write of the ledger for a handful costs more than judging them.
const JUDGE_EVERY: Duration = Duration::from_millis(250);

/// The lowest of the usual priorities.
const NICEST: i32 = 19;

/// Pause after a failure of the live judge.
const RETRY: Duration = Duration::from_secs(2);

/// A thread that follows a growing recording and keeps its ledger.
#[derive(Debug)]
pub struct JudgeThread {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Digest, JudgingError>>,
    totals: Totals,
}

impl JudgeThread {
    /// Starts to judge the recording in `dir`; `follower` tells which facts are safe on disk. What the ledger's
    /// file does not allow is tried again, from the facts, for ever: the recording goes on without it.
    pub fn spawn(dir: &Path, rules: Rules, follower: Follower) -> Result<Self, JudgingError> {
        let dir = dir.to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(JudgingError::Start)?;
        let (stop, stopping) = watch::channel(false);
        let totals = Totals::default();
        let counted = totals.clone();
        let thread = std::thread::Builder::new()
            .name("judge".to_owned())
            .spawn(move || {
                come_last();
                runtime.block_on(persist(&dir, rules, (follower, counted), stopping))
            })
            .map_err(JudgingError::Start)?;
        Ok(Self {
            stop,
            thread,
            totals,
        })
    }

    /// What the monitors have counted so far.
    pub fn totals(&self) -> Totals {
        self.totals.clone()
    }

    /// Judges what is committed by now, then ends. Blocks until that is done.
    pub fn stop(self) -> Result<Digest, JudgingError> {
        // The thread may have ended already, with an error that `join` gives.
        let _ended = self.stop.send(true);
        self.thread.join().map_err(|_| JudgingError::Panicked)?
    }
}

/// Judging has a cursor and may lag; mirroring and recording may not. Priorities are per thread on Linux.
fn come_last() {
    if let Err(error) = rustix::process::setpriority_process(None, NICEST) {
        tracing::warn!(%error, "the judge runs at the recorder's priority");
    }
}

/// Follows the recording until told to stop; begins again after a failure.
async fn persist(
    dir: &Path,
    rules: Rules,
    (follower, totals): (Follower, Totals),
    mut stopping: watch::Receiver<bool>,
) -> Result<Digest, JudgingError> {
    loop {
        totals.clear();
        let judging = Judging::open(dir, rules.clone()).map(|judging| Judging {
            totals: totals.clone(),
            ..judging
        });
        let ended = match judging {
            Ok(mut judging) => follow(&mut judging, &follower, stopping.clone()).await,
            Err(error) => Err(error),
        };
        match ended {
            Err(error) if !*stopping.borrow() => {
                tracing::error!(%error, "judging failed, it begins again; recording goes on");
            }
            ended => return ended,
        }
        // Being told to stop ends the pause; what comes of the last try is the answer.
        drop(timeout(RETRY, stopping.wait_for(|stop| *stop)).await);
    }
}

async fn follow(
    judging: &mut Judging,
    follower: &Follower,
    mut stopping: watch::Receiver<bool>,
) -> Result<Digest, JudgingError> {
    let mut committed = follower.committed();
    loop {
        let goes_on = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => false,
            is_due = due(&mut committed, judging.fed) => is_due,
        };
        let end = *committed.borrow_and_update();
        judging.advance(end, Some(follower), Threads::ONE, &mut |_| {})?;
        if !goes_on {
            return Ok(judging.ledger.cursor().digest);
        }
    }
}

/// Ready when there is a page of facts to judge, or any for a while. False if no more will come.
async fn due(committed: &mut watch::Receiver<u64>, fed: u64) -> bool {
    if committed.wait_for(|seq| *seq > fed).await.is_err() {
        return false;
    }
    let page = fed + PAGE as u64;
    match timeout(JUDGE_EVERY, committed.wait_for(|seq| *seq >= page)).await {
        Ok(page) => page.is_ok(),
        Err(_) => true,
    }
}
