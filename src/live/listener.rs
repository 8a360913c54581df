//! Accepts chargers. When descriptors run out it waits; it neither spins nor gives up.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::Metrics;

/// Connections that may wait in the kernel. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Descriptors kept open to be given up in need.
const SPARE: usize = 32;

/// Descriptors that are not connections: standard streams, listeners, board, hand-over, epoll, logs.
const OTHERS: u64 = 100;

const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Opens a listening socket. Its receive buffer is what accepted connections inherit.
pub fn listen(address: SocketAddr, receive_buffer: usize) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Raises the soft limit of open files to the hard one and returns how many chargers fit, two descriptors each.
pub fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limit.current
        }
    };
    let usable = current
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHERS + SPARE as u64);
    usize::try_from(usable / 2)
        .unwrap_or(usize::MAX)
        .clamp(1, Semaphore::MAX_PERMITS)
}

/// Descriptors held back, so that a connection which was accepted can also be dialled.
#[derive(Debug, Default)]
pub struct Reserve(RefCell<Vec<OwnedFd>>);

impl Reserve {
    /// Takes the reserve, as far as it is to be had.
    pub fn refill(&self) {
        let mut spare = self.0.borrow_mut();
        while spare.len() < SPARE {
            match File::open("/dev/null") {
                Ok(file) => spare.push(file.into()),
                Err(_) => return,
            }
        }
    }

    /// Gives up half of what is left, and one at least.
    pub fn release(&self) {
        let mut spare = self.0.borrow_mut();
        let keep = spare.len() / 2;
        spare.truncate(keep);
    }

    /// Whether an error says that descriptors have run out.
    pub fn is_exhausted(error: &io::Error) -> bool {
        use rustix::io::Errno;
        matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE)
        )
    }
}

/// What an accepted connection holds until it ends, so that the next one may come in.
#[derive(Debug)]
pub struct Seat(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// Room for connections: all of them, and those without an answer from the authority yet.
#[derive(Debug, Clone)]
pub struct Room {
    seats: Arc<Semaphore>,
    pending: Arc<Semaphore>,
}

impl Room {
    /// Room for `connections`, `pending` of them unanswered.
    pub fn new(connections: usize, pending: usize) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(connections)),
            pending: Arc::new(Semaphore::new(pending)),
        }
    }

    /// Waits for a seat, and for a place among the unanswered. `None` when the plane stops.
    async fn enter(&self) -> Option<(Seat, Seat)> {
        let pending = Arc::clone(&self.pending).acquire_owned().await.ok()?;
        let seat = Arc::clone(&self.seats).acquire_owned().await.ok()?;
        Some((Seat(seat), Seat(pending)))
    }
}

/// Accepts for ever; `serve` gets each connection with its seat and its place among the unanswered.
pub async fn accept(
    listener: TcpListener,
    room: Room,
    reserve: Rc<Reserve>,
    metrics: Arc<Metrics>,
    serve: impl Fn(TcpStream, SocketAddr, Seat, Seat),
) {
    let mut backoff = BACKOFF.0;
    while let Some((seat, pending)) = room.enter().await {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                if backoff != BACKOFF.0 {
                    backoff = BACKOFF.0;
                    reserve.refill();
                    tracing::info!("accepting again");
                }
                serve(tcp, peer, seat, pending);
            }
            Err(error) if is_of_one_connection(&error) => metrics.accept_errors.add(1),
            Err(error) => {
                metrics.accept_errors.add(1);
                if backoff == BACKOFF.0 {
                    tracing::warn!(%error, "cannot accept, backing off");
                }
                if Reserve::is_exhausted(&error) {
                    reserve.release();
                }
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_gives_up_half_at_a_time() {
        let reserve = Reserve::default();
        reserve.refill();
        assert_eq!(reserve.0.borrow().len(), SPARE);
        reserve.release();
        assert_eq!(reserve.0.borrow().len(), SPARE / 2);
        while !reserve.0.borrow().is_empty() {
            reserve.release();
        }
        reserve.release();
        reserve.refill();
        assert_eq!(reserve.0.borrow().len(), SPARE);
    }

    #[test]
    fn a_seat_frees_its_place_when_dropped() {
        let room = Room::new(2, 1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (_first, pending) = room.enter().await.unwrap();
            assert_eq!(room.pending.available_permits(), 0);
            drop(pending);
            let (_second, _pending) = room.enter().await.unwrap();
            assert_eq!(room.seats.available_permits(), 0);
        });
    }
}
