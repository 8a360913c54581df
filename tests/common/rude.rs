//! Candidates that speak no protocol for long.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a failed step of a test should end it"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What it does once it has accepted the handshake.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Takes connections and never answers a handshake.
    Mute,
    /// Reads nothing.
    Deaf,
    /// Sends text frames of this many bytes, one after the other.
    Frames(u64),
    /// Sends bytes that are no frames.
    Noise,
}

/// A candidate on threads of its own.
pub struct Rude {
    /// Its URL.
    pub url: String,
    guests: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

impl Rude {
    /// Starts one.
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/ocpp", listener.local_addr().unwrap());
        let (guests, sent) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let counts = (Arc::clone(&guests), Arc::clone(&sent));
        std::thread::spawn(move || {
            for guest in listener.incoming() {
                counts.0.fetch_add(1, Ordering::Relaxed);
                let sent = Arc::clone(&counts.1);
                std::thread::spawn(move || serve(guest.unwrap(), manner, &sent));
            }
        });
        Self { url, guests, sent }
    }

    /// Connections that it got.
    pub fn guests(&self) -> u64 {
        self.guests.load(Ordering::Relaxed)
    }

    /// Bytes that it got rid of.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn serve(mut guest: TcpStream, manner: Manner, sent: &AtomicU64) {
    if matches!(manner, Manner::Mute) {
        // The connection stays until the test's process ends.
        std::mem::forget(guest);
        return;
    }
    if greet(&mut guest).is_none() {
        return;
    }
    let chunk = vec![b'x'; 64 * 1024];
    let mut push = |bytes: &[u8]| {
        guest.write_all(bytes).ok()?;
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Some(())
    };
    match manner {
        Manner::Mute | Manner::Deaf => std::mem::forget(guest),
        Manner::Noise => while push(&chunk).is_some() {},
        Manner::Frames(size) => loop {
            let mut head = vec![0x81, 127];
            head.extend_from_slice(&size.to_be_bytes());
            let mut body = Some(());
            for _ in 0..size.div_ceil(chunk.len() as u64) {
                body = body.and_then(|()| push(&head)).and_then(|()| push(&chunk));
                head.clear();
            }
            if body.is_none() {
                return;
            }
        },
    }
}

/// Reads the request head and accepts it.
fn greet(guest: &mut TcpStream) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        guest.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let accept = derive_accept_key(header("sec-websocket-key")?.as_bytes());
    let protocol = header("sec-websocket-protocol")?;
    write!(
        guest,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
    .ok()
}
