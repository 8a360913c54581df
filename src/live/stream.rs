//! One end of a spliced line: a TCP socket, with TLS around it or not, or the mediator's socket.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use super::settings::Tuning;

/// A socket to a charger or to an authority.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS, boxed because its buffers dwarf the plain variant.
    Tls(Box<TlsStream<TcpStream>>),
    /// To the mediator.
    Local(UnixStream),
}

/// Resolves once the socket has failed, whatever else is going on with it.
pub type Failure = Pin<Box<dyn Future<Output = ()>>>;

impl Stream {
    /// The socket itself.
    pub fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Plain(tcp) => SockRef::from(tcp),
            Self::Tls(tls) => SockRef::from(tls.get_ref().0),
            Self::Local(local) => SockRef::from(local),
        }
    }

    /// The certificate that the peer showed, if it is a TLS peer and did.
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) | Self::Local(_) => None,
            Self::Tls(tls) => tls
                .get_ref()
                .1
                .peer_certificates()?
                .first()
                .map(AsRef::as_ref),
        }
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) -> io::Result<()> {
        self.socket().set_linger(Some(Duration::ZERO))
    }

    /// Watches for a reset or timeout while nothing is read from or written to the socket. It takes a descriptor of its
    /// own, so it is made only for the rare states that need it: half-closed and stalled.
    pub fn failure(&self) -> io::Result<Failure> {
        let socket = self.socket().try_clone()?;
        // An error below means that the runtime stops; there is nobody left to tell.
        if let Self::Local(_) = self {
            let socket = UnixStream::from_std(socket.into())?;
            return Ok(Box::pin(async move {
                drop(socket.ready(Interest::ERROR).await);
            }));
        }
        let socket = TcpStream::from_std(socket.into())?;
        Ok(Box::pin(async move {
            drop(socket.ready(Interest::ERROR).await);
        }))
    }

    /// Sets how long sent bytes may stay unacknowledged; `None` for as long as the kernel's own patience lasts. The kernel
    /// counts a closed receive window as unacknowledged, so a peer that is merely stalled must get `None`.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            // A process that is gone shows itself at once.
            Self::Local(_) => Ok(()),
            _ => self.socket().set_tcp_user_timeout(timeout),
        }
    }
}

/// Prepares a socket for the line: no delay, small send buffer, and failures noticed in the peer's place.
pub fn tune(tcp: &TcpStream, tuning: &Tuning) -> io::Result<()> {
    let keepalive = &tuning.keepalive;
    let socket = SockRef::from(tcp);
    socket.set_tcp_nodelay(true)?;
    if let Some(buffer) = tuning.buffer {
        socket.set_send_buffer_size(buffer)?;
    }
    socket.set_tcp_user_timeout(Some(tuning.user_timeout))?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.count),
    )
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::Local(local) => Pin::new(local).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
            Self::Local(local) => Pin::new(local).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Self::Local(local) => Pin::new(local).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Local(local) => Pin::new(local).poll_shutdown(cx),
        }
    }
}
