//! Keeps a shadow plane at the other end of the hand-over: starts it, feeds it, starts it again. Nothing here can make
//! the live plane wait.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::routes::Order;
use super::splice::Shared;

/// How long the last records before a silence wait for others. While there is traffic the [roster](super::roster) says
/// sooner that it is time: a timer that is always the next to expire costs each wake-up of the plane.
const LINGER: Duration = Duration::from_millis(5);

/// Pause before a restart, doubled up to the second value; a plane that lived for [`SETTLED`] resets it.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

const SETTLED: Duration = Duration::from_secs(30);

/// How long a shadow plane may take nothing of the rest when the live plane stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a shadow plane that was told all may take to record, judge and exit.
const CLOSING: Duration = Duration::from_secs(30);

/// Longest status line. A longer one is cut into pieces, none of which will be valid JSON.
const STATUS: usize = 64 * 1024;

/// How to start a shadow plane. It gets the hand-over as its standard input.
#[derive(Debug, Clone)]
pub struct ShadowCommand {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Where records go.
#[derive(Debug)]
pub struct Handover(Source);

#[derive(Debug)]
enum Source {
    Child(ShadowCommand),
    Streams(mpsc::Receiver<StdUnixStream>),
}

impl Handover {
    /// To a child process, started again whenever it dies.
    pub fn spawn(command: ShadowCommand) -> Self {
        Self(Source::Child(command))
    }

    /// To a plane in this process, or to nobody once it closes the stream.
    pub fn to(stream: StdUnixStream) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        // The channel is new and has room for one.
        drop(sender.try_send(stream));
        Self(Source::Streams(receiver))
    }

    /// To planes that come one after the other, each taking over when the one before closes its stream.
    pub fn successive() -> (mpsc::Sender<StdUnixStream>, Self) {
        let (sender, receiver) = mpsc::channel(8);
        (sender, Self(Source::Streams(receiver)))
    }

    /// Whether the next plane comes of our own doing, so that a pause before it makes sense.
    fn restarts(&self) -> bool {
        matches!(self.0, Source::Child(_))
    }

    async fn next(&mut self) -> io::Result<Option<(UnixStream, Option<Child>)>> {
        match &mut self.0 {
            Source::Child(command) => {
                let (stream, child) = start(command)?;
                Ok(Some((stream, Some(child))))
            }
            Source::Streams(streams) => match streams.recv().await {
                Some(stream) => Ok(Some((register(stream)?, None))),
                None => Ok(None),
            },
        }
    }
}

/// Feeds one shadow plane after the other until `stop` says so; then hands over what is left and lets the last one exit.
pub async fn supervise(
    shared: Rc<Shared>,
    mut handover: Handover,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = BACKOFF.0;
    let mut restart = 0;
    while let Some(next) = unless(&mut stop, handover.next()).await {
        let since = Instant::now();
        match next {
            Ok(Some((stream, child))) => {
                let stopped = attend(&shared, &stream, restart, &mut stop).await;
                drop(stream);
                see_off(child, stopped).await;
                if stopped {
                    return;
                }
                restart += 1;
                shared.metrics.shadow_restarts.add(1);
            }
            Ok(None) => {
                tracing::warn!("no further shadow plane will come, everything counts as gap");
                return;
            }
            Err(error) => tracing::error!(%error, "cannot start the shadow plane"),
        }
        if since.elapsed() > SETTLED {
            pause = BACKOFF.0;
        }
        if handover.restarts() && unless(&mut stop, sleep(pause)).await.is_none() {
            break;
        }
        pause = (pause * 2).min(BACKOFF.1);
    }
    if handover.restarts() {
        last_call(&shared, &mut handover, restart).await;
    }
}

/// The live plane stops while no shadow plane is there: one more comes, so that what nobody saw is on record.
async fn last_call(shared: &Shared, handover: &mut Handover, restart: u64) {
    match handover.next().await {
        Ok(Some((stream, child))) => {
            shared.roster.attach(restart);
            shared.roster.stopping();
            hand_over_rest(shared, &stream).await;
            drop(stream);
            see_off(child, true).await;
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "cannot start the shadow plane"),
    }
}

/// Waits for `what`; `None` if the live plane stops first.
async fn unless<T>(stop: &mut watch::Receiver<bool>, what: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => None,
        done = what => Some(done),
    }
}

/// Feeds one plane. True when the live plane stops, false when that plane is lost.
async fn attend(
    shared: &Shared,
    stream: &UnixStream,
    restart: u64,
    stop: &mut watch::Receiver<bool>,
) -> bool {
    tracing::info!(restart, "shadow plane attached");
    shared.roster.attach(restart);
    let lost = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => None,
        error = feed(shared, stream) => Some(error),
        error = listen(shared, stream) => Some(error),
    };
    let stopped = lost.is_none();
    if let Some(error) = lost {
        tracing::warn!(%error, "shadow plane lost, frames count as gap until the next one");
        shared.roster.detach();
    } else {
        hand_over_rest(shared, stream).await;
    }
    stopped
}

/// Writes what is left when the live plane stops, as long as the plane takes it.
async fn hand_over_rest(shared: &Shared, stream: &UnixStream) {
    loop {
        let waiting = shared.roster.waiting();
        match timeout(FAREWELL, write_rest(shared, stream)).await {
            Ok(Ok(())) => break,
            // Slow is not stuck: what it takes now need not be a gap.
            Err(_) if shared.roster.waiting() < waiting => {
                let waiting = shared.roster.waiting();
                tracing::info!(bytes = waiting, "shadow plane still takes the rest");
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("shadow plane did not take the rest");
                break;
            }
        }
    }
    shared.roster.detach();
}

/// Writes for ever; returns why it can't any more.
async fn feed(shared: &Shared, stream: &UnixStream) -> io::Error {
    let mut linger = pin!(sleep(LINGER));
    loop {
        if shared.roster.waiting() == 0 {
            shared.roster.filled.notified().await;
        }
        // Moving a timer away is cheap, setting one is not.
        linger.as_mut().reset(Instant::now() + LINGER);
        tokio::select! {
            () = shared.roster.ripe.notified() => {}
            () = &mut linger => {}
        }
        if shared.roster.is_overrun() {
            return io::Error::other("it takes nothing and the reserve is used up");
        }
        let written = tokio::select! {
            written = write_batch(shared, stream) => written,
            () = overrun(shared) => continue,
        };
        if let Err(error) = written {
            return error;
        }
    }
}

/// Resolves when the tank overruns while the stream is stuck. What is then put in keeps waking it.
async fn overrun(shared: &Shared) {
    loop {
        shared.roster.filled.notified().await;
        if shared.roster.is_overrun() {
            shared.roster.filled.notify_one();
            return;
        }
    }
}

/// Writes what waits now, a slice at a time: between two slices the connections have their turn. What they add meanwhile
/// is left to the next batch.
async fn write_batch(shared: &Shared, stream: &UnixStream) -> io::Result<()> {
    let mut left = shared.roster.waiting();
    while left > 0 {
        stream.writable().await?;
        match shared.roster.drain(|bytes| stream.try_write(bytes)) {
            Ok(n) => left = left.saturating_sub(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if left > 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Writes until nothing waits any more.
async fn write_rest(shared: &Shared, stream: &UnixStream) -> io::Result<()> {
    while shared.roster.waiting() > 0 {
        write_batch(shared, stream).await?;
    }
    Ok(())
}

/// Keeps the plane's latest status line and carries out its orders; returns why none will follow.
async fn listen(shared: &Shared, stream: &UnixStream) -> io::Error {
    let mut line = Vec::new();
    let mut buffer = vec![0; 4096];
    loop {
        let read = match stream.readable().await {
            Ok(()) => stream.try_read(&mut buffer),
            Err(error) => return error,
        };
        match read {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(n) => line.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return error,
        }
        if let Some(end) = line.iter().rposition(|&byte| byte == b'\n') {
            let lines = line.drain(..=end).collect::<Vec<_>>();
            obey(shared, lines.split(|&byte| byte == b'\n'));
            // Many orders may come at once; between them the connections have their turn.
            tokio::task::yield_now().await;
        } else if line.len() > STATUS {
            line.clear();
        }
    }
}

/// Carries out orders, and keeps the latest of the other lines.
fn obey<'a>(shared: &Shared, lines: impl Iterator<Item = &'a [u8]>) {
    let mut latest = None;
    for line in lines.filter(|line| !line.is_empty()) {
        match Order::read(line) {
            None => latest = Some(line),
            Some(Ok(order)) => {
                shared.routes.take(&order);
                shared.roster.routed(&order);
            }
            Some(Err(error)) => tracing::error!(%error, "order not understood"),
        }
    }
    if let Some(latest) = latest {
        let latest = String::from_utf8_lossy(latest).into_owned();
        shared.metrics.set_shadow_status(latest);
    }
}

/// Waits for a child that was told to stop, and ends one that was lost.
async fn see_off(child: Option<Child>, stopped: bool) {
    let Some(mut child) = child else { return };
    if stopped && let Ok(Ok(status)) = timeout(CLOSING, child.wait()).await {
        tracing::info!(%status, "shadow plane exited");
        return;
    }
    // It may be hung rather than dead; two planes must never write one recording.
    match child.kill().await {
        Ok(()) => tracing::info!("shadow plane ended"),
        Err(error) => tracing::warn!(%error, "cannot end the shadow plane"),
    }
}

fn start(command: &ShadowCommand) -> io::Result<(UnixStream, Child)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    let child = Command::new(&command.program)
        .args(&command.args)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((register(ours)?, child))
}

fn register(stream: StdUnixStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
