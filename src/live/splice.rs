//! The line between one charger and its authority: one task, two directions, no buffer while idle.
//!
//! Until the authority has answered, what the charger sends is held and what the authority sends is relayed and read
//! along. After a 101 both directions are walked for frame boundaries; after anything else they are bytes. In every state
//! an end is copied in kind: FIN as FIN once all before it is through, a reset or timeout as a reset, at once. A charger
//! that was refused may ask again on the same connection: see [`next`].

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::{Answer, Asking};
use super::ending::{End, Ending};
use super::handover::Flow;
use super::metrics::Metrics;
use super::roster::{Entry, Leave, Roster};
use super::routes::Routes;
use super::settings::Settings;
use super::stream::Stream;
use super::walker::Step;
use crate::clock::{Clock, Micros};
use crate::facts::Dir;

mod farewell;
mod half;
mod next;
mod parting;

use farewell::Farewell;
use half::{Half, State, extend_crc};
use next::Between;

/// Bytes read at once, and so the most that lie between the two sockets of a direction.
const READ: usize = 16 * 1024;

/// Bytes held for the authority's answer; what a charger sends beyond it stays in the kernel.
pub const HELD: usize = 64 * 1024;

/// What all splices of the plane share.
pub struct Shared {
    /// Settings.
    pub settings: Settings,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Where open connections are kept and handed over.
    pub roster: Roster,
    /// Which way each charger goes.
    pub routes: Routes,
    /// Connection epoch of the next request.
    pub next_conn: Cell<u64>,
    /// The one read buffer: a splice holds bytes only between two polls, and then in a buffer of its own.
    pub scratch: RefCell<Scratch>,
}

impl Shared {
    /// A connection epoch that nobody has had.
    pub fn epoch(&self) -> u64 {
        self.next_conn.replace(self.next_conn.get() + 1)
    }
}

/// Buffers that only the splice being polled uses.
pub struct Scratch {
    bytes: Box<[u8]>,
    steps: Vec<Step>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            bytes: vec![0; READ].into_boxed_slice(),
            steps: Vec::new(),
        }
    }
}

/// What the bytes on the line are.
enum Phase {
    /// The authority has not answered yet.
    Asking(Box<Asking>),
    /// Frames of an open connection.
    Frames(Rc<Entry>),
    /// The authority has refused, and the charger may ask again.
    Between(Box<Between>),
    /// Bytes that nobody looks at: they are no requests and answers that can be told apart, or no frames.
    Opaque,
}

/// The line between one charger and its authority. Boxed, because a task would hold it several times over.
pub struct Splice {
    shared: Rc<Shared>,
    halves: [Half; 2],
    phase: Phase,
    first_end: Option<End>,
    /// The phase has changed, so that what was held may move now.
    again: bool,
    /// Present while the charger is asked to come again.
    farewell: Option<Box<Farewell>>,
}

impl Splice {
    /// A line on which the request head has gone out and the answer is awaited.
    pub fn asking(
        shared: Rc<Shared>,
        sockets: [Stream; 2],
        asking: Asking,
        early: Vec<u8>,
        charger_ended: bool,
    ) -> Box<Self> {
        Self::new(
            shared,
            sockets,
            Phase::Asking(Box::new(asking)),
            early,
            charger_ended,
        )
    }

    /// A line that carries bytes; `early` goes to the authority first.
    pub fn opaque(
        shared: Rc<Shared>,
        sockets: [Stream; 2],
        early: Vec<u8>,
        charger_ended: bool,
    ) -> Box<Self> {
        Self::new(shared, sockets, Phase::Opaque, early, charger_ended)
    }

    fn new(
        shared: Rc<Shared>,
        sockets: [Stream; 2],
        phase: Phase,
        early: Vec<u8>,
        charger_ended: bool,
    ) -> Box<Self> {
        let mut halves = sockets.map(Half::new);
        halves[0].spill = early;
        if charger_ended {
            halves[0].state = State::Ended;
            halves[0].watch_failure();
        }
        Box::new(Self {
            shared,
            halves,
            phase,
            first_end: charger_ended.then_some(End::Charger),
            again: false,
            farewell: None,
        })
    }

    /// Pumps until the line ends.
    pub async fn run(mut self: Box<Self>) {
        let ending = std::future::poll_fn(|cx| self.poll(cx)).await;
        self.finish(ending);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let shared = Rc::clone(&self.shared);
        let scratch = &mut *shared.scratch.borrow_mut();
        let broken = self.pump(cx, scratch).or_else(|| self.poll_failures(cx));
        if let Some(ending) = broken {
            self.last_words(ending, cx, scratch);
            // Whoever breaks a line that is being ended only hastens it.
            let told = self
                .farewell
                .as_ref()
                .is_some_and(|farewell| farewell.is_said());
            return Poll::Ready(if told { Ending::Restart } else { ending });
        }
        if let Phase::Frames(entry) = &self.phase {
            match entry.leaves(cx) {
                Some(Leave::Shutdown) => return Poll::Ready(Ending::Shutdown),
                Some(Leave::Restart) => return self.poll_farewell(cx, scratch),
                None => {}
            }
        }
        match self.first_end {
            Some(end) if self.halves.iter().all(|half| half.state == State::Done) => {
                Poll::Ready(Ending::Fin(end))
            }
            _ => Poll::Pending,
        }
    }

    /// Moves what can be moved in both directions; says how the line broke, if it did.
    fn pump(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Option<Ending> {
        loop {
            self.again = false;
            for end in End::BOTH {
                if let Poll::Ready(Err(ending)) = self.poll_from(end, cx, scratch) {
                    return Some(ending);
                }
            }
            if !self.again {
                return None;
            }
        }
    }

    /// Moves bytes from `end` to the other one. Ready when there is nothing more to move, or the line has broken.
    fn poll_from(
        &mut self,
        end: End,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Result<(), Ending>> {
        loop {
            let held = self.is_held(end);
            if !held {
                ready!(self.poll_flush(end, cx))?;
                if self.ask_next(end) {
                    continue;
                }
            }
            let half = &self.halves[end as usize];
            match half.state {
                State::Open if held && half.spill.len() + READ > HELD => return Poll::Pending,
                State::Open if self.is_paused(end) => {
                    self.halves[end as usize].watch_failure();
                    return Poll::Pending;
                }
                State::Open => {
                    self.halves[end as usize].failure = None;
                    let n = ready!(self.poll_read(end, cx, scratch))?;
                    self.carry(end, n, cx, scratch)?;
                }
                State::Ended if half.spill.is_empty() => ready!(self.poll_pass_end(end, cx))?,
                State::Ended => return Poll::Pending,
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Whether bytes from `end` wait for the authority's answer, or for its end.
    fn is_held(&self, end: End) -> bool {
        end == End::Charger
            && match &self.phase {
                Phase::Asking(_) => true,
                Phase::Between(between) => between.is_answering(),
                Phase::Frames(_) | Phase::Opaque => false,
            }
    }

    /// Whether the charger is not read for a moment, because it is about to be moved. What it has begun to say is heard out.
    fn is_paused(&self, end: End) -> bool {
        let Phase::Frames(entry) = &self.phase else {
            return false;
        };
        end == End::Charger && entry.is_paused() && self.halves[0].walker.is_between()
    }

    /// Reads into the scratch buffer; 0 at the end of what this end sends.
    fn poll_read(
        &mut self,
        end: End,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Result<usize, Ending>> {
        let half = &mut self.halves[end as usize];
        let mut buffer = ReadBuf::new(&mut scratch.bytes);
        let read = ready!(Pin::new(&mut half.socket).poll_read(cx, &mut buffer));
        let n = buffer.filled().len();
        match read {
            Ok(()) if n > 0 => return Poll::Ready(Ok(n)),
            // A TLS peer that leaves without saying goodbye has still sent a FIN.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Err(Ending::of(end, &error)));
            }
            Ok(()) | Err(_) => {}
        }
        half.state = State::Ended;
        half.watch_failure();
        self.first_end.get_or_insert(end);
        Poll::Ready(Ok(0))
    }

    /// Writes what the other end did not take before.
    fn poll_flush(&mut self, end: End, cx: &mut Context<'_>) -> Poll<Result<(), Ending>> {
        let shared = Rc::clone(&self.shared);
        let (from, to) = self.ends(end);
        while !from.spill.is_empty() {
            match Pin::new(&mut to.socket).poll_write(cx, &from.spill) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Ending::Reset(end.other()))),
                Poll::Ready(Ok(n)) => {
                    let rest = from.spill.split_off(n);
                    let written = std::mem::replace(&mut from.spill, rest);
                    from.wrote(&written, &shared.metrics);
                }
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Ending::of(end.other(), &error)));
                }
                Poll::Pending => {
                    self.set_stalled(end, true);
                    return Poll::Pending;
                }
            }
        }
        // A TLS end takes bytes into its own buffer first: whether it is stalled shows only here.
        let flushed = Pin::new(&mut to.socket).poll_flush(cx);
        self.set_stalled(end, flushed.is_pending());
        flushed.map_err(|error| Ending::of(end.other(), &error))
    }

    /// A stalled end is alive as long as its kernel answers, and its sender is not read meanwhile.
    fn set_stalled(&mut self, end: End, stalled: bool) {
        let timeout = (!stalled).then_some(self.shared.settings.user_timeout);
        let (from, to) = self.ends(end);
        if from.stalled == stalled {
            return;
        }
        from.stalled = stalled;
        if stalled {
            from.watch_failure();
        } else if from.state == State::Open {
            from.failure = None;
        }
        if let Err(error) = to.socket.set_user_timeout(timeout) {
            tracing::debug!(%error, "cannot set the user timeout");
        }
    }

    fn poll_pass_end(&mut self, end: End, cx: &mut Context<'_>) -> Poll<Result<(), Ending>> {
        let (from, to) = self.ends(end);
        let passed = ready!(Pin::new(&mut to.socket).poll_shutdown(cx));
        from.state = State::Done;
        Poll::Ready(passed.map_err(|error| Ending::of(end.other(), &error)))
    }

    /// Passes on `n` bytes that were just read into the scratch buffer.
    fn carry(
        &mut self,
        end: End,
        n: usize,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), Ending> {
        let Scratch { bytes, steps } = scratch;
        let mut bytes = &bytes[..n];
        if self.is_held(end) {
            self.halves[0].spill.extend_from_slice(bytes);
            return Ok(());
        }
        if let Phase::Asking(asking) = &mut self.phase {
            let answer = asking.read(bytes);
            let head = match answer {
                Answer::Accepted(head, _) | Answer::Refused(head, _) => head,
                _ => n,
            };
            self.forward(end, &bytes[..head], cx)?;
            self.answered(answer, steps);
            bytes = &bytes[head..];
        }
        if matches!(self.phase, Phase::Between(_)) {
            return self.carry_between(end, bytes, cx);
        }
        let at = Clock::system().now();
        self.walk(end.sends(), bytes, steps);
        let forwarded = self.forward(end, bytes, cx);
        self.hand_over(end.sends(), at, bytes, steps);
        forwarded
    }

    /// Acts on a final answer: what was held counts as read now.
    fn answered(&mut self, answer: Answer, steps: &mut Vec<Step>) {
        if matches!(answer, Answer::Incomplete) {
            return;
        }
        let Phase::Asking(asking) = std::mem::replace(&mut self.phase, Phase::Opaque) else {
            return;
        };
        self.again = true;
        if let Some(between) = Between::after(&asking, &answer) {
            self.phase = Phase::Between(Box::new(between));
        }
        let Some(entry) = asking.settle(answer, &self.shared.roster) else {
            return;
        };
        if self.shared.routes.of(entry.charger()).authority != entry.authority() {
            // It was moved while its authority answered.
            self.shared.roster.dismiss(&entry);
        }
        self.phase = Phase::Frames(entry);
        let [charger, authority] = &mut self.halves;
        // What refused requests and their answers carried is no part of the connection.
        charger.flow = Flow::default();
        authority.flow = Flow::default();
        authority.uncounted = authority.spill.len();
        let held = std::mem::take(&mut charger.spill);
        let at = Clock::system().now();
        self.walk(Dir::FromCharger, &held, steps);
        self.hand_over(Dir::FromCharger, at, &held, steps);
        self.halves[0].spill = held;
    }

    /// Finds the frames in bytes that were read, and notes them on the seen-board before anything is forwarded.
    fn walk(&mut self, dir: Dir, bytes: &[u8], steps: &mut Vec<Step>) {
        steps.clear();
        let Phase::Frames(entry) = &self.phase else {
            return;
        };
        let Half { walker, flow, .. } = &mut self.halves[dir.index()];
        let opaque = walker.walk(bytes, self.shared.settings.capture_limit, steps);
        flow.opaque_bytes += opaque as u64;
        flow.read += bytes.len() as u64;
        flow.read_crc = extend_crc(flow.read_crc, bytes);
        if walker.frames() != flow.frames {
            flow.frames = walker.frames();
            self.shared.roster.seen(entry, dir, flow.frames);
        }
    }

    fn hand_over(&self, dir: Dir, at: Micros, bytes: &[u8], steps: &[Step]) {
        let Phase::Frames(entry) = &self.phase else {
            return;
        };
        let roster = &self.shared.roster;
        roster.hand_over(entry, dir, at, bytes, steps);
        if self.halves[dir.index()].walker.is_lost() {
            roster.lost(entry, dir);
        }
    }

    /// Writes what the other end takes at once and keeps the rest.
    fn forward(&mut self, end: End, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Ending> {
        let shared = Rc::clone(&self.shared);
        let (from, to) = self.ends(end);
        let mut written = Ok(0);
        if from.spill.is_empty() && !bytes.is_empty() {
            written = match Pin::new(&mut to.socket).poll_write(cx, bytes) {
                Poll::Ready(Ok(n)) => Ok(n),
                Poll::Ready(Err(error)) => Err(Ending::of(end.other(), &error)),
                Poll::Pending => Ok(0),
            };
        }
        let (sent, rest) = bytes.split_at(written.unwrap_or(0));
        from.wrote(sent, &shared.metrics);
        from.spill.extend_from_slice(rest);
        written.map(|_| ())
    }

    fn ends(&mut self, end: End) -> (&mut Half, &mut Half) {
        let [charger, authority] = &mut self.halves;
        match end {
            End::Charger => (charger, authority),
            End::Authority => (authority, charger),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_small() {
        assert!(size_of::<Splice>() <= 392, "{}", size_of::<Splice>());
        assert!(size_of::<Entry>() <= 320, "{}", size_of::<Entry>());
    }
}
