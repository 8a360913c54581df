//! How a line ends: what broke it, what still goes through, and what is told of it.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::half::Half;
use super::{End, Ending, Phase, Scratch, Shared, Splice};
use crate::facts::Dir;
use crate::live::handover::{Closed, Flow, Goodbye};
use crate::live::roster::Entry;

impl Splice {
    /// How the line broke, if an end that is not read has failed.
    pub(super) fn poll_failures(&mut self, cx: &mut Context<'_>) -> Option<Ending> {
        End::BOTH.into_iter().find_map(|end| {
            let half = &mut self.halves[end as usize];
            let failure = half.failure.as_mut()?;
            if failure.as_mut().poll(cx).is_pending() {
                return None;
            }
            half.failure = None;
            let error = half.socket.socket().take_error().unwrap_or_else(Some);
            // Without an error the kernel has told it already, to a write.
            Some(error.map_or(Ending::Reset(end), |error| Ending::of(end, &error)))
        })
    }

    /// Passes on what an end had sent before it broke: without a tap the other one would get it too.
    pub(super) fn last_words(
        &mut self,
        ending: Ending,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) {
        let (Ending::Reset(end) | Ending::Timeout(end)) = ending else {
            return;
        };
        while !self.is_held(end) && self.halves[end as usize].spill.is_empty() {
            let Poll::Ready(Ok(n @ 1..)) = self.poll_read(end, cx, scratch) else {
                return;
            };
            if self.carry(end, n, cx, scratch).is_err() {
                return;
            }
        }
    }

    /// Closes the line and tells of it.
    pub(super) fn finish(self: Box<Self>, ending: Ending) {
        let Self {
            shared,
            halves,
            phase,
            farewell,
            ..
        } = *self;
        let goodbye = farewell.and_then(|farewell| farewell.goodbye());
        let flows = [halves[0].flow(), halves[1].flow()];
        if let Err(error) = close(halves, ending) {
            tracing::debug!(%error, "cannot close a socket in kind");
        }
        match phase {
            Phase::Frames(entry) => closed(&shared, &entry, ending, flows, goodbye),
            Phase::Asking(asking) => {
                let why = match ending {
                    Ending::Fin(End::Charger) | Ending::Reset(End::Charger) => "charger left",
                    Ending::Timeout(End::Charger) => "charger vanished",
                    _ => "authority closed without an answer",
                };
                asking.give_up(&shared.roster, None, why.to_owned());
            }
            Phase::Between(_) | Phase::Opaque => {}
        }
    }
}

/// Closes both sockets the way the line ended.
fn close(halves: [Half; 2], ending: Ending) -> io::Result<()> {
    for half in halves {
        match ending {
            Ending::Fin(_) => {}
            Ending::Reset(_) | Ending::Timeout(_) => half.socket.reset()?,
            Ending::Restart | Ending::Shutdown => half.socket.socket().shutdown(Shutdown::Write)?,
        }
    }
    Ok(())
}

fn closed(
    shared: &Shared,
    entry: &Rc<Entry>,
    ending: Ending,
    flows: [Flow; 2],
    goodbye: Option<Goodbye>,
) {
    let (by, how) = (ending.by(), ending.how());
    tracing::info!(conn = entry.conn, by, how, "connection closed");
    for (flow, dir) in flows.iter().zip(Dir::BOTH) {
        if !flow.is_contained() {
            shared.metrics.breaches.add(1);
            tracing::error!(
                conn = entry.conn,
                dir = dir.word(),
                ?flow,
                "bytes were altered"
            );
        }
    }
    let (by, how) = (by.to_owned(), how.to_owned());
    if goodbye.is_some() {
        shared.metrics.goodbyes.add(1);
    }
    let closed = Closed {
        by,
        how,
        flows,
        goodbye,
    };
    shared.roster.closed(entry, closed);
}
