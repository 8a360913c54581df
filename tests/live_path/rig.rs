//! A charger, an authority and a shadow plane made of blocking sockets: what matters is the raw bytes.

#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by test binaries that use parts of it"
)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evenkeel::live::handover::{Closed, Gap, Lost, Opened, Record, Refused, Routed, decode};
use evenkeel::live::{Backend, Handover, LivePlane, Metrics, Settings};
use tokio::sync::watch;

/// No wait in these tests is longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n";

/// A running tap between `charger()` and `authority()`.
pub struct Rig {
    pub address: SocketAddr,
    pub board: std::path::PathBuf,
    pub metrics: Arc<Metrics>,
    listener: Option<TcpListener>,
    stop: watch::Sender<bool>,
    tap: Option<JoinHandle<()>>,
}

impl Rig {
    /// A tap whose hand-over goes to the returned stream.
    pub fn start(change: impl FnOnce(&mut Settings) + Send + 'static) -> (Self, Shadow) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let rig = Self::start_with(Handover::to(theirs), change);
        (rig, Shadow::new(ours))
    }

    pub fn start_with(
        handover: Handover,
        change: impl FnOnce(&mut Settings) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, started) = mpsc::channel();
        let (stop, stopped) = watch::channel(false);
        let tap = std::thread::spawn(move || {
            let backend = Backend::parse(&format!("ws://127.0.0.1:{port}")).unwrap();
            let mut settings = Settings::new(([127, 0, 0, 1], 0).into(), backend.clone(), backend);
            change(&mut settings);
            let plane = LivePlane::bind(settings).unwrap();
            let known = (plane.local_addrs()[0], plane.seen_board(), plane.metrics());
            sender.send(known).unwrap();
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default())
                .unwrap()
                .block_on(plane.run(handover, stopped))
                .unwrap();
        });
        let (address, board, metrics) = started.recv_timeout(PATIENCE).unwrap();
        Self {
            address,
            board,
            metrics,
            listener: Some(listener),
            stop,
            tap: Some(tap),
        }
    }

    pub fn charger(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    pub fn authority(&self) -> TcpStream {
        let (socket, _) = self.listener.as_ref().unwrap().accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// From here on nobody listens at the authority's address.
    pub fn close_authority(&mut self) {
        self.listener = None;
    }

    /// Gives the connections that the authority accepts from now on a fixed receive buffer.
    pub fn limit_authority_buffer(&mut self, bytes: usize) {
        let listener = socket2::SockRef::from(self.listener.as_ref().unwrap());
        listener.set_recv_buffer_size(bytes).unwrap();
    }

    /// The address that the authority's host would see in `Host`.
    pub fn host(&self) -> String {
        self.listener
            .as_ref()
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string()
    }

    /// A charger and its authority, with the handshake behind them.
    pub fn line(&self, identity: &str) -> (TcpStream, TcpStream) {
        let mut charger = self.charger();
        charger.write_all(request(identity).as_bytes()).unwrap();
        let mut authority = self.authority();
        let head = read_head(&mut authority);
        assert!(head.starts_with(&format!("GET /{identity} ")), "{head}");
        authority.write_all(ANSWER.as_bytes()).unwrap();
        assert_eq!(read_head(&mut charger), ANSWER);
        (charger, authority)
    }

    /// Stops the tap and waits until it has.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(tap) = self.tap.take() {
            tap.join().unwrap();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

pub fn request(identity: &str) -> String {
    format!(
        "GET /{identity} HTTP/1.1\r\nHost: tap\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"
    )
}

/// Reads up to and including the empty line, and not a byte more.
pub fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub fn read_exactly(socket: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    socket.read_exact(&mut bytes).unwrap();
    bytes
}

/// Sends on a thread of its own, so that neither side waits for the other.
pub fn send(mut socket: TcpStream, pieces: Vec<Vec<u8>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for piece in pieces {
            socket.write_all(&piece).unwrap();
        }
    })
}

/// How the other end closed, after whatever it still sent.
pub fn ending(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).map(|_| rest)
}

pub fn assert_reset(socket: &mut TcpStream) {
    let error = ending(socket).expect_err("expected a reset, got an orderly end");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

pub fn reset(socket: TcpStream) {
    let socket = socket2::Socket::from(socket);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// A WebSocket frame: masked with a fixed key when the charger sends it.
pub fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(mask_bit | len as u8),
        len @ 126..=0xffff => {
            bytes.push(mask_bit | 0x7e);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask_bit | 0x7f);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let key = [0x11, 0x22, 0x33, 0x44];
    if masked {
        bytes.extend_from_slice(&key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    } else {
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// An owned record, as far as the tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Hello(u64),
    /// Connection, `Authorization`.
    Login(u64, Vec<u8>),
    Opened(u64, Opened),
    Refused(Refused),
    /// Connection, direction, frame, wire bytes.
    Frame(u64, usize, u64, Vec<u8>),
    Gap(u64, usize, Gap),
    Lost(u64, usize, Lost),
    Closed(u64, Closed),
    Routed(Routed),
    Tick,
    Stopping,
}

/// The other end of the hand-over.
pub struct Shadow {
    stream: UnixStream,
    bytes: Vec<u8>,
    begun: Vec<((u64, usize), Vec<u8>)>,
}

impl Shadow {
    pub fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            bytes: Vec::new(),
            begun: Vec::new(),
        }
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.stream, "{line}").unwrap();
    }

    /// The next record, frames put together; `None` when the tap has closed the stream.
    pub fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((record, used)) = decode(&self.bytes).unwrap() {
                let heard = hear(&record, &mut self.begun);
                self.bytes.drain(..used);
                if heard.is_some() {
                    return heard;
                }
                continue;
            }
            let mut buffer = vec![0; 64 * 1024];
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                n => self.bytes.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// Skips to the first record that `pick` takes.
    pub fn find<T>(&mut self, mut pick: impl FnMut(&Heard) -> Option<T>) -> T {
        loop {
            let heard = self.next().expect("the tap closed the hand-over");
            if let Some(found) = pick(&heard) {
                return found;
            }
        }
    }

    pub fn opened(&mut self) -> (u64, Opened) {
        self.find(|heard| match heard {
            Heard::Opened(conn, opened) => Some((*conn, opened.clone())),
            _ => None,
        })
    }

    pub fn refused(&mut self) -> Refused {
        self.find(|heard| match heard {
            Heard::Refused(refused) => Some(refused.clone()),
            _ => None,
        })
    }

    /// Everything up to the next closed connection.
    pub fn until_closed(&mut self) -> (Vec<Heard>, Closed) {
        let mut before = Vec::new();
        let closed = self.find(|heard| match heard {
            Heard::Closed(_, closed) => Some(closed.clone()),
            other => {
                before.push(other.clone());
                None
            }
        });
        (before, closed)
    }
}

fn hear(record: &Record<'_>, begun: &mut Vec<((u64, usize), Vec<u8>)>) -> Option<Heard> {
    Some(match record {
        Record::Hello(hello) => Heard::Hello(hello.restart),
        Record::Login(conn, login) => Heard::Login(*conn, login.0.to_vec()),
        Record::Opened(conn, _, opened) => Heard::Opened(*conn, opened.clone()),
        Record::Refused(_, _, refused) => Heard::Refused(refused.clone()),
        Record::Part(part) => {
            let key = (part.conn, part.dir.index());
            if part.first {
                begun.retain(|(other, _)| *other != key);
                begun.push((key, Vec::new()));
            }
            let (_, bytes) = begun.iter_mut().find(|(other, _)| *other == key)?;
            bytes.extend_from_slice(part.bytes);
            if !part.last {
                return None;
            }
            Heard::Frame(
                part.conn,
                part.dir.index(),
                part.frame,
                std::mem::take(bytes),
            )
        }
        Record::Gap(conn, dir, _, gap) => Heard::Gap(*conn, dir.index(), gap.clone()),
        Record::Lost(conn, dir, _, lost) => Heard::Lost(*conn, dir.index(), lost.clone()),
        Record::Closed(conn, _, closed) => Heard::Closed(*conn, closed.clone()),
        Record::Routed(_, routed) => Heard::Routed(routed.clone()),
        Record::Tick(..) => Heard::Tick,
        Record::Stopping(_) => Heard::Stopping,
    })
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Waits for something that another thread brings about.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::yield_now();
    }
}
