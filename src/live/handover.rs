//! What the live plane tells the shadow plane, and how.
//!
//! One direction of a Unix stream socket carries records; each is `len: u32 | kind: u8 | dir: u8 | flags: u16 | conn: u64 |
//! frame: u64 | at: i64 | payload`, little endian, `len` counting what follows it. Frames travel in *parts*, as the
//! bytes came off the socket, so the live plane keeps no frame in memory; a part never spans two frames. The rare
//! records carry JSON.
//!
//! Frame numbers count from 1 per connection and direction. When the tank is full the live plane drops whole frames (or
//! the rest of one) and says so with a [`Record::Gap`] as soon as there is room: a frame is either handed over wholly or
//! lies in a gap.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::offer::Offer;
use crate::clock::Micros;
pub use crate::facts::Flow;
use crate::facts::{Dir, Leg};

/// Bytes of a record's fixed head, the length field included.
pub const HEAD: usize = 4 + 1 + 1 + 2 + 8 + 8 + 8;

/// The longest payload of one record. Longer parts are split.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// First record on every (re)connection of the shadow plane.
    Hello(Hello),
    /// What the charger of the next [`Record::Opened`], which has this connection epoch, logs in with. Only if the operator
    /// wants the shadow leg to log in with the same; it is never recorded.
    Login(u64, Login<'a>),
    /// The authority answered 101; or, after a shadow plane restart, the connection was already open.
    Opened(u64, Micros, Opened),
    /// The authority refused, could not be reached, or the request had no identity.
    Refused(u64, Micros, Refused),
    /// Bytes of one frame, in order.
    Part(Part<'a>),
    /// Frames that were seen and not handed over.
    Gap(u64, Dir, Micros, Gap),
    /// The walker lost track: from here to the end of the connection this direction is bytes, not frames.
    Lost(u64, Dir, Micros, Lost),
    /// The connection ended.
    Closed(u64, Micros, Closed),
    /// The live plane has taken an [`Order`](super::routes::Order): a charger's way has changed.
    Routed(Micros, Routed),
    /// Time passed; counters of the live plane.
    Tick(Micros, Counters),
    /// The live plane stops in order; nothing follows.
    Stopping(Micros),
}

/// The value of a charger's `Authorization` header. It does not show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Login<'a>(pub &'a [u8]);

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Identity of this run of the live plane: 32 hex digits. Connection epochs are unique within a recording because the
    /// plane starts them at `first_conn`.
    pub run: String,
    /// When the run started, µs since the epoch.
    pub started: Micros,
    /// Program version.
    pub version: String,
    /// How often the shadow plane has been started in this run, from 0.
    pub restart: u64,
}

/// A charger connection that its authority accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Raw last path segment.
    pub charger: String,
    /// The charger's address.
    pub peer: String,
    /// Which backend is the authority of this connection.
    pub authority: Leg,
    /// Whether it is reached through the mediator, because the charger has a transaction that it knows by another name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mediated: bool,
    /// Request target as the charger sent it, with stars for what may be secret.
    pub target: String,
    /// What the charger offered in `Sec-WebSocket-Protocol`, joined with `, `; `None` if the header was absent.
    pub offered: Option<String>,
    /// What the authority chose; `None` if its answer named none.
    pub subprotocol: Option<String>,
    /// The authority's `Sec-WebSocket-Extensions`, if any.
    pub extensions: Option<String>,
    /// The scheme of the charger's `Authorization` header (`Basic`, ...), never its content.
    pub authorization: Option<String>,
    /// Whom the charger's TLS certificate names, if the tap asked for one and was shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<str>>,
    /// What it offered when it began TLS, if the tap ends that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Offer>,
    /// From the charger's request head to the authority's answer, µs.
    pub handshake_us: i64,
    /// Odd things about the request that were forwarded untouched, by name.
    pub quirks: Vec<String>,
    /// Frames already seen per direction ([from charger, to charger]) when this record was written: not `[0, 0]` only when
    /// a restarted shadow plane is told about an open connection.
    pub seen: [u64; 2],
    /// Slot in the seen-board ([`super::seen`]), to find the exact counters after a crash of the live plane.
    pub slot: u32,
}

impl Opened {
    /// A connection of which no more is known than whose it is.
    pub fn of(charger: &str, authority: Leg) -> Self {
        Self {
            charger: charger.to_owned(),
            peer: String::new(),
            authority,
            mediated: false,
            target: String::new(),
            offered: None,
            subprotocol: None,
            extensions: None,
            authorization: None,
            certificate: None,
            tls: None,
            handshake_us: 0,
            quirks: Vec::new(),
            seen: [0, 0],
            slot: 0,
        }
    }
}

/// A charger that got no connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Raw last path segment; empty if the request had none.
    pub charger: String,
    /// The charger's address.
    pub peer: String,
    /// Which backend is the charger's authority.
    pub authority: Leg,
    /// Whether the tap itself turned the charger away, and the authority never heard of it.
    #[serde(default)]
    pub by_tap: bool,
    /// HTTP status that the charger got, if any.
    pub status: Option<u16>,
    /// Why, in words: `refused by legacy`, `legacy unreachable: ...`, `charger left`, ...
    pub why: String,
    /// How many more the tap has turned away since the last one that was told: of a flood not each is.
    #[serde(default, skip_serializing_if = "is_none")]
    pub untold: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Bytes of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Connection epoch.
    pub conn: u64,
    /// Direction.
    pub dir: Dir,
    /// Frame number.
    pub frame: u64,
    /// When the bytes came off the socket.
    pub at: Micros,
    /// These bytes begin the frame (the frame header is at their start).
    pub first: bool,
    /// These bytes end the frame, or end what is handed over of it (`cut`).
    pub last: bool,
    /// The frame is longer than the capture limit; the rest was forwarded but not handed over.
    pub cut: bool,
    /// The bytes as they were on the wire, mask and header included.
    pub bytes: &'a [u8],
}

/// Frames that were seen and not handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First frame lost.
    pub first: u64,
    /// Last frame lost.
    pub last: u64,
    /// Wire bytes lost.
    pub bytes: u64,
    /// Why: `hand-over full`, `shadow plane away`, ...
    pub why: String,
}

/// The walker lost track of frame boundaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Frames seen up to here.
    pub frames: u64,
    /// Why.
    pub why: String,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Who ended it: `charger`, `authority` or `tap`.
    pub by: String,
    /// How: `fin`, `reset`, `timeout`, `shutdown`.
    pub how: String,
    /// What each direction carried ([from charger, to charger]).
    pub flows: [Flow; 2],
    /// What the tap itself told the charger, if it asked it to come again. The flows do not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodbye: Option<Goodbye>,
}

/// The one frame that the tap ever sends: a Close that asks the charger to connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// Its code: 1012, service restart.
    pub code: u16,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that the authority still sent afterwards: they reached nobody and lie in no frame.
    pub unheard: u64,
    /// Bytes that the charger said after its authority had heard it out: it says them again to its new one.
    #[serde(default)]
    pub unread: u64,
}

/// A charger's way has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The charger.
    pub charger: String,
    /// Its authority from now on.
    pub authority: Leg,
    /// Whether it may come in at once.
    pub admitted: bool,
    /// Connections to the other backend that are being ended.
    pub ending: u64,
    /// Whether it is not read for a moment: what it said before lies in front of this record.
    #[serde(default)]
    pub paused: bool,
}

/// Counters of the live plane, monotonic within a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Connections open now.
    pub open: u64,
    /// Connections accepted by an authority so far.
    pub accepted: u64,
    /// Connections refused so far.
    pub refused: u64,
    /// Those among them that the tap itself turned away, told one by one or not.
    #[serde(default)]
    pub unlisted: u64,
    /// Frames seen so far, both directions.
    pub frames: u64,
    /// Frames that fell into gaps so far.
    pub lost: u64,
    /// Bytes forwarded so far, both directions.
    pub bytes: u64,
    /// Wall clock minus monotonic clock, µs.
    pub drift_us: i64,
}

/// Why bytes are not a record: the other plane is another version or broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broken hand-over record: {0}")]
pub struct BrokenRecord(pub String);

const PART: u8 = 1;
const HELLO: u8 = 2;
const OPENED: u8 = 3;
const REFUSED: u8 = 4;
const GAP: u8 = 5;
const LOST: u8 = 6;
const CLOSED: u8 = 7;
const TICK: u8 = 8;
const STOPPING: u8 = 9;
const LOGIN: u8 = 10;
const ROUTED: u8 = 11;

const FIRST: u16 = 1;
const LAST: u16 = 2;
const CUT: u16 = 4;

impl Record<'_> {
    /// Appends the encoded record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Part(part) => encode_part(part, out),
            Record::Hello(hello) => encode_json(out, HELLO, None, 0, hello.started, hello),
            Record::Login(conn, login) => {
                encode_head(out, login.0.len(), LOGIN, None, 0, (*conn, 0, 0));
                out.extend_from_slice(login.0);
            }
            Record::Opened(conn, at, opened) => encode_json(out, OPENED, None, *conn, *at, opened),
            Record::Refused(conn, at, refused) => {
                encode_json(out, REFUSED, None, *conn, *at, refused);
            }
            Record::Gap(conn, dir, at, gap) => encode_json(out, GAP, Some(*dir), *conn, *at, gap),
            Record::Lost(conn, dir, at, lost) => {
                encode_json(out, LOST, Some(*dir), *conn, *at, lost);
            }
            Record::Closed(conn, at, closed) => encode_json(out, CLOSED, None, *conn, *at, closed),
            Record::Routed(at, routed) => encode_json(out, ROUTED, None, 0, *at, routed),
            Record::Tick(at, counters) => encode_json(out, TICK, None, 0, *at, counters),
            Record::Stopping(at) => encode_json(out, STOPPING, None, 0, *at, &()),
        }
    }
}

/// Appends an encoded part: the one record on the hot path, no allocation beyond `out`.
pub fn encode_part(part: &Part<'_>, out: &mut Vec<u8>) {
    debug_assert!(part.bytes.len() <= MAX_PAYLOAD, "split long parts");
    let flags = if part.first { FIRST } else { 0 }
        | if part.last { LAST } else { 0 }
        | if part.cut { CUT } else { 0 };
    encode_head(
        out,
        part.bytes.len(),
        PART,
        Some(part.dir),
        flags,
        (part.conn, part.frame, part.at),
    );
    out.extend_from_slice(part.bytes);
}

fn encode_head(
    out: &mut Vec<u8>,
    payload: usize,
    kind: u8,
    dir: Option<Dir>,
    flags: u16,
    (conn, frame, at): (u64, u64, Micros),
) {
    let mut head = [0u8; HEAD];
    head[..4].copy_from_slice(&((HEAD - 4 + payload) as u32).to_le_bytes());
    head[4] = kind;
    head[5] = dir.map_or(0, |dir| dir.index() as u8);
    head[6..8].copy_from_slice(&flags.to_le_bytes());
    head[8..16].copy_from_slice(&conn.to_le_bytes());
    head[16..24].copy_from_slice(&frame.to_le_bytes());
    head[24..32].copy_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&head);
}

fn encode_json(
    out: &mut Vec<u8>,
    kind: u8,
    dir: Option<Dir>,
    conn: u64,
    at: Micros,
    payload: &impl Serialize,
) {
    // Plain structs of numbers and strings always serialise; an empty payload would fail to decode, loudly.
    let json = serde_json::to_vec(payload).unwrap_or_default();
    encode_head(out, json.len(), kind, dir, 0, (conn, 0, at));
    out.extend_from_slice(&json);
}

/// Takes the first whole record off `bytes`; returns it with its encoded length, or `None` if more bytes are needed.
pub fn decode(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, BrokenRecord> {
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let len = u32::from_le_bytes(field(head, 0)) as usize;
    // The rare JSON records hold a request target and header values, all far below this.
    if !(HEAD - 4..=HEAD + 16 * MAX_PAYLOAD).contains(&len) {
        return Err(BrokenRecord(format!("length {len}")));
    }
    let Some(payload) = bytes.get(HEAD..4 + len) else {
        return Ok(None);
    };
    let dir = match head[5] {
        0 => Dir::FromCharger,
        1 => Dir::ToCharger,
        other => return Err(BrokenRecord(format!("direction {other}"))),
    };
    let flags = u16::from_le_bytes(field(head, 6));
    let conn = u64::from_le_bytes(field(head, 8));
    let frame = u64::from_le_bytes(field(head, 16));
    let at = Micros::from_le_bytes(field(head, 24));
    let record = match head[4] {
        PART => Record::Part(Part {
            conn,
            dir,
            frame,
            at,
            first: flags & FIRST != 0,
            last: flags & LAST != 0,
            cut: flags & CUT != 0,
            bytes: payload,
        }),
        HELLO => Record::Hello(json(payload)?),
        LOGIN => Record::Login(conn, Login(payload)),
        OPENED => Record::Opened(conn, at, json(payload)?),
        REFUSED => Record::Refused(conn, at, json(payload)?),
        GAP => Record::Gap(conn, dir, at, json(payload)?),
        LOST => Record::Lost(conn, dir, at, json(payload)?),
        CLOSED => Record::Closed(conn, at, json(payload)?),
        ROUTED => Record::Routed(at, json(payload)?),
        TICK => Record::Tick(at, json(payload)?),
        STOPPING => Record::Stopping(at),
        other => return Err(BrokenRecord(format!("kind {other}"))),
    };
    Ok(Some((record, 4 + len)))
}

fn field<const N: usize>(head: &[u8; HEAD], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

fn json<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, BrokenRecord> {
    serde_json::from_slice(payload).map_err(|error| BrokenRecord(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_wire_in_any_split() {
        let records = [
            Record::Part(Part {
                conn: 7,
                dir: Dir::ToCharger,
                frame: 3,
                at: -1,
                first: true,
                last: false,
                cut: true,
                bytes: b"\x81\x02hi",
            }),
            Record::Gap(
                7,
                Dir::FromCharger,
                5,
                Gap {
                    first: 1,
                    last: 2,
                    bytes: 99,
                    why: "hand-over full".to_owned(),
                },
            ),
            Record::Login(8, Login(b"Basic \xff")),
            Record::Stopping(9),
        ];
        let mut bytes = Vec::new();
        for record in &records {
            record.encode(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        for record in &records {
            let (decoded, used) = decode(rest).unwrap().unwrap();
            assert_eq!(&decoded, record);
            assert_eq!(decode(&rest[..used - 1]).unwrap(), None);
            rest = &rest[used..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_broken_stream_is_an_error() {
        assert!(decode(&[0xff; HEAD]).is_err());
    }
}
