//! WebSocket as bytes: heads, frames, masks.

use std::io::Read as _;
use std::net::TcpStream;

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// A charger's frame with this first byte.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    head(&mut frame, 0x80, payload.len());
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// A backend's text frame.
pub(crate) fn unmasked(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    head(&mut frame, 0, payload.len());
    frame.extend(payload);
    frame
}

fn head(frame: &mut Vec<u8>, mask: u8, len: usize) {
    match u8::try_from(len) {
        Ok(len) if len < 126 => frame.push(mask | len),
        _ => {
            frame.push(mask | 0x7e);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
}

/// Finds texts in bytes that come in pieces.
#[derive(Default)]
pub(crate) struct Frames(Vec<u8>);

impl Frames {
    /// The texts that are complete with these bytes; what is no plain text is skipped.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        self.0.extend(bytes);
        let mut texts = Vec::new();
        while let Some((first, payload, len)) = whole(&self.0) {
            self.0.drain(..len);
            if first == 0x81 {
                texts.push(String::from_utf8_lossy(&payload).into_owned());
            }
        }
        texts
    }
}

fn whole(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (len, mut at) = match second & 0x7f {
        126 => (
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
            4,
        ),
        len => (usize::from(len), 2),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        mask.copy_from_slice(bytes.get(at..at + 4)?);
        at += 4;
    }
    let payload = bytes.get(at..at + len)?;
    let plain = payload
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, mask)| byte ^ mask);
    Some((first, plain.collect(), at + len))
}

/// A head up to its empty line, and the bytes behind it.
pub(crate) fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let mut buffer = [0; 1024];
        let len = stream.read(&mut buffer).ok().filter(|len| *len > 0)?;
        bytes.extend(&buffer[..len]);
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(": ")?;
        field.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// What a lenient backend answers to a request head.
pub(crate) fn accept(head: &str) -> String {
    let key = field(head, "Sec-WebSocket-Key").unwrap_or_default();
    let accept = derive_accept_key(key.as_bytes());
    let subprotocol = field(head, "Sec-WebSocket-Protocol")
        .map(|offered| format!("Sec-WebSocket-Protocol: {offered}\r\n"))
        .unwrap_or_default();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{subprotocol}\r\n"
    )
}

/// The lines of a request head behind the first that are not the `Host`.
pub(crate) fn lines_but_host(head: &str) -> Vec<String> {
    let lines = head.lines().skip(1);
    lines
        .filter(|line| !line.starts_with("Host:"))
        .map(str::to_owned)
        .collect()
}
