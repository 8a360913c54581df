//! Reading, judging and writing at the same time.
//!
//! The judge itself is one: findings, monitors and the time that passes belong to all chargers together, and the order of
//! its rows is part of the ledger's digest. But what it needs can be read ahead, and what it gives can be written behind
//! it. Each stage gets everything in order, so the ledger is the same on any number of threads.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use clap::Args;

/// Pages that one stage may be ahead of the next: memory stays bounded, and a pause of one stage does not stop the others.
const AHEAD: usize = 1;

/// How many threads judge.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Threads {
    /// Judge on so many threads at most: from 2 on one writes what another judges, from 3 on one reads ahead. Else on as
    /// many as the machine has.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    /// All on one thread, this one.
    pub const ONE: Self = Self {
        threads: Some(NonZeroUsize::MIN),
    };

    /// At most so many.
    pub const fn at_most(threads: NonZeroUsize) -> Self {
        Self {
            threads: Some(threads),
        }
    }

    fn many(self) -> usize {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match self.threads {
            Some(threads) => threads.get(),
            // The stages are not alike: more threads than processors keep the processors busy.
            None if all() > 1 => 3,
            None => 1,
        }
    }
}

/// Takes pages from `read` until there is none, makes something of each with `judge`, here, and gives that to `write`, all in
/// order. Ends with the first error; one of `write` comes first, since what follows is of no use then.
pub(super) fn run<P, R, E>(
    threads: Threads,
    mut read: impl FnMut() -> Result<Option<P>, E> + Send,
    mut judge: impl FnMut(P) -> R,
    mut write: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E>
where
    P: Send,
    R: Send,
    E: Send,
{
    match threads.many() {
        1 => {
            while let Some(page) = read()? {
                write(judge(page))?;
            }
            Ok(())
        }
        2 => behind(&mut write, |rows| pass(&mut read, &mut judge, rows)),
        _ => behind(&mut write, |rows| {
            ahead(&mut read, |next| pass(next, &mut judge, rows))
        }),
    }
}

/// Runs `write` on another thread, for what `work` sends.
fn behind<R: Send, E: Send>(
    write: &mut (impl FnMut(R) -> Result<(), E> + Send),
    work: impl FnOnce(&SyncSender<R>) -> Result<(), E>,
) -> Result<(), E> {
    let (rows, written) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let writer = scope.spawn(move || written.iter().try_for_each(write));
        let worked = work(&rows);
        drop(rows);
        joined(writer).and(worked)
    })
}

/// Runs `read` on another thread, for what `work` takes.
fn ahead<P: Send, E: Send>(
    read: &mut (impl FnMut() -> Result<Option<P>, E> + Send),
    work: impl FnOnce(&mut dyn FnMut() -> Result<Option<P>, E>) -> Result<(), E>,
) -> Result<(), E> {
    let (pages, taken): (_, Receiver<P>) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            while let Some(page) = read()? {
                if pages.send(page).is_err() {
                    // Nobody wants more.
                    break;
                }
            }
            Ok(())
        });
        let worked = work(&mut || Ok(taken.recv().ok()));
        drop(taken);
        worked.and(joined(reader))
    })
}

/// Judges page after page; ends early when nobody takes the rows.
fn pass<P, R, E>(
    read: &mut (impl FnMut() -> Result<Option<P>, E> + ?Sized),
    judge: &mut impl FnMut(P) -> R,
    rows: &SyncSender<R>,
) -> Result<(), E> {
    while let Some(page) = read()? {
        if rows.send(judge(page)).is_err() {
            break;
        }
    }
    Ok(())
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads() -> impl Iterator<Item = Threads> {
        let counts = (1..=4).filter_map(NonZeroUsize::new);
        counts.map(Threads::at_most).chain([Threads::default()])
    }

    #[test]
    fn every_page_goes_through_in_order() {
        for threads in threads() {
            let (mut next, mut written) = (0..100, Vec::new());
            let done: Result<(), ()> = run(
                threads,
                || Ok(next.next()),
                |page| page * 2,
                |row| {
                    written.push(row);
                    Ok(())
                },
            );
            assert_eq!(done, Ok(()));
            assert!(written.iter().copied().eq((0..100).map(|page| page * 2)));
        }
    }

    #[test]
    fn the_first_error_ends_it_wherever_it_is() {
        for threads in threads() {
            let (mut next, mut written) = (0..100, 0);
            let read = || match next.next() {
                Some(50) => Err("read"),
                page => Ok(page),
            };
            let done = run(
                threads,
                read,
                |page| page,
                |_| {
                    written += 1;
                    Ok(())
                },
            );
            assert_eq!((done, written), (Err("read"), 50), "{threads:?}");

            let (mut next, mut read) = (0..1_000_000, 0);
            let done = run(
                threads,
                || {
                    read += 1;
                    Ok(next.next())
                },
                |page| page,
                |page| if page == 50 { Err("write") } else { Ok(()) },
            );
            assert_eq!(done, Err("write"), "{threads:?}");
            assert!(read < 100, "{read} pages were read after the end");
        }
    }
}
