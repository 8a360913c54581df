//! Asking a charger to connect again, because it belongs to the other backend now.
//!
//! At a frame boundary the charger is sent one Close frame and then FIN; what it still has to say goes on to its old
//! authority until it has sent FIN too. What the authority still sends reaches nobody: it is counted and dropped. So is what
//! a charger says that was not read any more before: nobody answers it here, and it says it again to its new authority.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::{End, Ending, Scratch, Splice, State};
use crate::live::handover::Goodbye;
use crate::live::stream::Stream;

/// Close code 1012, service restart, in an unmasked frame without reason: what a backend sends that restarts.
const CLOSE: [u8; 4] = [0x88, 0x02, 0x03, 0xf4];

/// The code in [`CLOSE`].
const CODE: u16 = 1012;

/// How long the authority may take to finish its frame, and the charger to hang up.
const PATIENCE: Duration = Duration::from_secs(2);

/// A goodbye under way.
pub(super) struct Farewell {
    /// What of the Close frame has been written.
    written: usize,
    /// Whether FIN follows it already.
    closed: bool,
    /// Bytes of the authority's that came too late.
    unheard: u64,
    /// Bytes that the charger said after its authority had heard it out.
    unread: u64,
    until: Pin<Box<Sleep>>,
}

impl Default for Farewell {
    fn default() -> Self {
        Self {
            written: 0,
            closed: false,
            unheard: 0,
            unread: 0,
            until: Box::pin(sleep(PATIENCE)),
        }
    }
}

impl Farewell {
    /// Whether the charger has been told, wholly or in part: from then on it hears nothing else.
    pub(super) const fn is_said(&self) -> bool {
        self.written > 0
    }

    /// What there is to tell of it; nothing if no byte of it was sent.
    pub(super) fn goodbye(&self) -> Option<Goodbye> {
        self.is_said().then_some(Goodbye {
            code: CODE,
            bytes: self.written as u64,
            unheard: self.unheard,
            unread: self.unread,
        })
    }
}

impl Splice {
    /// Goes on with the goodbye; says how the line ended once it has.
    pub(super) fn poll_farewell(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Ending> {
        let mut farewell = self.farewell.take().unwrap_or_default();
        let outcome = self.part(&mut farewell, cx, scratch);
        self.farewell = Some(farewell);
        outcome
    }

    fn part(
        &mut self,
        farewell: &mut Farewell,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Ending> {
        let late = farewell.until.as_mut().poll(cx).is_ready();
        if self.say(farewell, cx).is_err() || late {
            return Poll::Ready(Ending::Restart);
        }
        let is_paused = self.is_paused(End::Charger);
        let [charger, authority] = &mut self.halves;
        if farewell.is_said() {
            authority.state = State::Done;
            farewell.unheard += drop_all(&mut authority.socket, cx, scratch).0;
        }
        if farewell.is_said() && is_paused && charger.state == State::Open {
            let (unread, is_over) = drop_all(&mut charger.socket, cx, scratch);
            farewell.unread += unread;
            if is_over {
                charger.state = State::Ended;
                // Its end is passed on like any other.
                cx.waker().wake_by_ref();
            }
        }
        match charger.state {
            State::Done => Poll::Ready(Ending::Restart),
            _ => Poll::Pending,
        }
    }

    /// Sends what is left of the Close frame, then FIN. It begins where the authority's last frame ends.
    fn say(&mut self, farewell: &mut Farewell, cx: &mut Context<'_>) -> std::io::Result<()> {
        let (authority, charger) = self.ends(End::Authority);
        let between = authority.spill.is_empty() && authority.walker.is_between();
        if !farewell.is_said() && !between {
            return Ok(());
        }
        while farewell.written < CLOSE.len() {
            let rest = &CLOSE[farewell.written..];
            match Pin::new(&mut charger.socket).poll_write(cx, rest) {
                Poll::Ready(written) => farewell.written += written?,
                Poll::Pending => return Ok(()),
            }
        }
        if !farewell.closed
            && let Poll::Ready(closed) = Pin::new(&mut charger.socket).poll_shutdown(cx)
        {
            farewell.closed = true;
            return closed;
        }
        Ok(())
    }
}

/// Reads what is there and drops it: how much that was, and whether nothing more will come.
fn drop_all(socket: &mut Stream, cx: &mut Context<'_>, scratch: &mut Scratch) -> (u64, bool) {
    let mut dropped = 0;
    loop {
        match read(socket, cx, scratch) {
            Poll::Ready(Ok(n @ 1..)) => dropped += n as u64,
            Poll::Ready(Ok(_) | Err(_)) => return (dropped, true),
            Poll::Pending => return (dropped, false),
        }
    }
}

fn read(
    socket: &mut Stream,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
) -> Poll<std::io::Result<usize>> {
    use tokio::io::AsyncRead as _;
    let mut buffer = ReadBuf::new(&mut scratch.bytes);
    ready!(Pin::new(socket).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
