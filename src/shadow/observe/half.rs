//! One direction of one connection: parts become frames, frames become messages.
//!
//! Every frame number ends up in exactly one observed thing, whatever the bytes are. That is kept by `begun`: frames up
//! to it lie in something observed, in the frame under way or in the message under way.

use crate::clock::Micros;
use crate::facts::Dir;
use crate::live::handover::{Gap, Lost, Part};

use super::header::{self, Header};
use super::inflate::Inflate;
use super::{Observed, What};

const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// RSV1 of [`Header::reserved`]: the message is compressed, if that was negotiated.
const COMPRESSED: u8 = 4;

#[derive(Debug)]
pub(super) struct Half {
    dir: Dir,
    /// Bytes of a message that are kept; of a longer one only the beginning.
    capture: usize,
    begun: u64,
    /// When something was last seen.
    at: Micros,
    frame: Option<Box<Frame>>,
    message: Option<Box<Message>>,
    inflate: Option<Box<Inflate>>,
    /// Frame boundaries are unknown from here on.
    lost: bool,
    said_mask: bool,
}

/// A frame of which only some parts have come.
#[derive(Debug, Default)]
struct Frame {
    bytes: Vec<u8>,
    cut: bool,
    /// Its first part is missing.
    headless: bool,
}

/// A message of which only some fragments have come.
#[derive(Debug, Default)]
struct Message {
    data: Vec<u8>,
    len: u64,
    frames: u64,
    last: u64,
    binary: bool,
    compressed: bool,
    cut: bool,
    bad: Option<&'static str>,
}

impl Message {
    fn stray() -> Self {
        Self {
            bad: Some("continuation without start"),
            ..Self::default()
        }
    }
}

impl Half {
    /// A direction of which `seen` frames are accounted elsewhere.
    pub(super) fn new(dir: Dir, extensions: Option<&str>, seen: u64, capture: usize) -> Self {
        let mut inflate = extensions.and_then(|accepted| Inflate::negotiated(accepted, dir));
        if let Some(inflate) = &mut inflate
            && seen > 0
        {
            inflate.lose_context();
        }
        Self {
            dir,
            capture,
            begun: seen,
            at: 0,
            frame: None,
            message: None,
            inflate,
            lost: false,
            said_mask: false,
        }
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn part(&mut self, part: &Part<'_>, out: &mut Vec<Observed>) {
        self.at = part.at;
        if self.lost || !self.place(part, out) {
            return;
        }
        if part.first && part.last {
            return self.whole_frame(part.bytes, part.cut, out);
        }
        let limit = self.capture + header::LONGEST;
        let frame = self.frame.get_or_insert_default();
        let room = limit.saturating_sub(frame.bytes.len());
        frame.cut |= part.cut || part.bytes.len() > room;
        frame
            .bytes
            .extend_from_slice(&part.bytes[..part.bytes.len().min(room)]);
        if part.last
            && let Some(frame) = self.frame.take()
        {
            if frame.headless {
                self.broken("begins in the middle", &frame.bytes, out);
            } else {
                self.whole_frame(&frame.bytes, frame.cut, out);
            }
        }
    }

    /// Finds the part's place in the count of frames. False if it has none: its frame is accounted already.
    fn place(&mut self, part: &Part<'_>, out: &mut Vec<Observed>) -> bool {
        let continues = part.frame == self.begun && self.frame.is_some() && !part.first;
        if continues {
            return true;
        }
        if part.frame <= self.begun {
            return false;
        }
        self.abandon_frame(out);
        self.hole(part.frame - 1, "hand-over hole", out);
        self.begun = part.frame;
        if !(part.first && part.last) {
            self.frame = Some(Box::new(Frame {
                headless: !part.first,
                ..Frame::default()
            }));
        }
        true
    }

    pub(super) fn gap(&mut self, gap: &Gap, at: Micros, out: &mut Vec<Observed>) {
        self.at = at;
        if self.frame.is_some() && (gap.first..=gap.last).contains(&self.begun) {
            // The rest of the frame was dropped, so the gap counts it.
            self.frame = None;
            self.begun -= 1;
        }
        self.abandon_frame(out);
        self.abandon_message(out);
        if gap.first > self.begun + 1 {
            self.hole(gap.first - 1, "hand-over hole", out);
        }
        self.span(gap.last, &gap.why, gap.bytes, out);
    }

    /// Counts the frames behind `begun` up to `last` as lost.
    fn hole(&mut self, last: u64, why: &str, out: &mut Vec<Observed>) {
        if last > self.begun {
            self.abandon_message(out);
            self.span(last, why, 0, out);
        }
    }

    fn span(&mut self, last: u64, why: &str, bytes: u64, out: &mut Vec<Observed>) {
        if last <= self.begun {
            return;
        }
        let first = self.begun + 1;
        self.begun = last;
        let what = What::Gap {
            why: why.to_owned(),
            first,
            bytes,
        };
        self.say(last, last + 1 - first, what, out);
        self.lose_context(out);
    }

    pub(super) fn lose_track(&mut self, lost: &Lost, at: Micros, out: &mut Vec<Observed>) {
        self.at = at;
        self.end(Some(lost.frames), out);
        self.lost = true;
        let detail = lost.why.clone();
        self.say(0, 0, What::Quirk("lost track of frames", detail), out);
    }

    /// Nothing follows. `total` is how many frames there were, if it is known.
    pub(super) fn end(&mut self, total: Option<u64>, out: &mut Vec<Observed>) {
        self.abandon_frame(out);
        self.abandon_message(out);
        self.hole(total.unwrap_or(0), "hand-over hole", out);
    }

    fn whole_frame(&mut self, bytes: &[u8], cut: bool, out: &mut Vec<Observed>) {
        let Some(header) = Header::parse(bytes) else {
            return self.broken("broken frame head", bytes, out);
        };
        self.check_mask(header, out);
        if !cut && header.len != (bytes.len() - header.at) as u64 {
            return self.broken("frame length", bytes, out);
        }
        if header.is_control() {
            self.control(header, bytes, cut, out);
        } else {
            self.data(header, bytes, cut, out);
        }
    }

    /// RFC 6455 section 5.1: the charger masks, the backend does not. Some do otherwise.
    fn check_mask(&mut self, header: Header, out: &mut Vec<Observed>) {
        let expected = self.dir == Dir::FromCharger;
        if header.mask.is_some() != expected && !self.said_mask {
            self.said_mask = true;
            let quirk = if expected {
                "unmasked frame"
            } else {
                "masked frame"
            };
            self.say(0, 0, What::Quirk(quirk, String::new()), out);
        }
    }

    fn control(&mut self, header: Header, bytes: &[u8], cut: bool, out: &mut Vec<Observed>) {
        let op = match header.opcode {
            CLOSE => "close",
            PING => "ping",
            PONG => "pong",
            _ => "",
        };
        let mut payload = Vec::new();
        header.payload_into(bytes, self.capture, &mut payload);
        let why = if op.is_empty() {
            "reserved opcode"
        } else if header.reserved != 0 {
            "reserved bits"
        } else if !header.fin || cut || header.len > 125 {
            "malformed control frame"
        } else {
            return self.say(self.begun, 1, What::Control { op, payload }, out);
        };
        self.opaque(why, payload, header.len, out);
    }

    fn data(&mut self, header: Header, bytes: &[u8], cut: bool, out: &mut Vec<Observed>) {
        let (mut message, stray) = match self.continued(header) {
            Some(message) => (message, false),
            None if header.opcode == CONTINUATION => (Message::stray(), true),
            None => {
                self.abandon_message(out);
                (self.begin(header), false)
            }
        };
        let room = self.capture - message.data.len();
        header.payload_into(bytes, room, &mut message.data);
        message.len = message.len.saturating_add(header.len);
        message.cut |= cut || message.len > self.capture as u64;
        message.frames += 1;
        message.last = self.begun;
        // A stray continuation stands alone: what it continues was never seen.
        if header.fin || stray {
            self.complete(message, out);
        } else {
            self.message = Some(Box::new(message));
        }
    }

    /// The message under way, if this frame goes on with it.
    fn continued(&mut self, header: Header) -> Option<Message> {
        if header.opcode != CONTINUATION {
            return None;
        }
        let mut message = *self.message.take()?;
        if header.reserved != 0 {
            message.bad.get_or_insert("reserved bits");
        }
        Some(message)
    }

    fn begin(&self, header: Header) -> Message {
        let compressed = header.reserved == COMPRESSED && self.inflate.is_some();
        let bad = if header.opcode > BINARY {
            Some("reserved opcode")
        } else if header.reserved == COMPRESSED && !compressed {
            Some("compressed without negotiation")
        } else if header.reserved != 0 && !compressed {
            Some("reserved bits")
        } else {
            None
        };
        Message {
            binary: header.opcode == BINARY,
            compressed,
            bad,
            ..Message::default()
        }
    }

    fn complete(&mut self, mut message: Message, out: &mut Vec<Observed>) {
        let why = match message.bad {
            Some(why) => Some(why),
            None if message.cut => Some("cut"),
            None if message.compressed => self.inflate(&mut message, out),
            None => None,
        };
        if message.compressed && why.is_some() {
            // What is still compressed is not kept, as in `broken`.
            message.data.clear();
            self.lose_context(out);
        }
        let why = why.or(message.binary.then_some("binary"));
        let Some(why) = why else {
            return self.text(message, out);
        };
        self.opaque_message(why, message, out);
    }

    /// Replaces a compressed message by its content, or says why that is impossible.
    fn inflate(&mut self, message: &mut Message, out: &mut Vec<Observed>) -> Option<&'static str> {
        let inflate = self.inflate.as_mut()?;
        match inflate.message(&message.data, self.capture) {
            Ok(data) => {
                message.data = data;
                None
            }
            Err(why) => {
                if inflate.stop(why) {
                    let detail = why.to_owned();
                    self.say(0, 0, What::Quirk("inflating stopped", detail), out);
                }
                Some(why)
            }
        }
    }

    fn text(&mut self, mut message: Message, out: &mut Vec<Observed>) {
        let text = match String::from_utf8(std::mem::take(&mut message.data)) {
            Ok(text) => text,
            Err(error) => {
                message.data = error.into_bytes();
                return self.opaque_message("not UTF-8", message, out);
            }
        };
        // An empty text frame is a keepalive of some chargers: a message, and an odd one.
        if !text.is_empty() && !is_json(&text) {
            message.data = text.into_bytes();
            return self.opaque_message("not JSON", message, out);
        }
        let what = What::Message {
            text,
            deflated: message.compressed,
        };
        self.say(message.last, message.frames, what, out);
    }

    /// The frame under way will not be completed.
    fn abandon_frame(&mut self, out: &mut Vec<Observed>) {
        if let Some(frame) = self.frame.take() {
            self.broken("unfinished frame", &frame.bytes, out);
        }
    }

    /// A frame that cannot be read: it may have belonged to the message under way, which is then lost too. Its bytes are not
    /// kept: a mask or a compression may hide a secret in them from whoever keeps secrets out of the recording.
    fn broken(&mut self, why: &'static str, bytes: &[u8], out: &mut Vec<Observed>) {
        self.abandon_message(out);
        self.opaque(why, Vec::new(), bytes.len() as u64, out);
        self.lose_context(out);
    }

    /// The message under way will not be completed.
    fn abandon_message(&mut self, out: &mut Vec<Observed>) {
        if let Some(mut message) = self.message.take() {
            if message.compressed {
                message.data.clear();
                self.lose_context(out);
            }
            self.opaque_message("unfinished message", *message, out);
        }
    }

    fn lose_context(&mut self, out: &mut Vec<Observed>) {
        if let Some(inflate) = &mut self.inflate
            && inflate.lose_context()
        {
            let detail = "context lost".to_owned();
            self.say(0, 0, What::Quirk("inflating stopped", detail), out);
        }
    }

    fn opaque(&self, why: &'static str, mut body: Vec<u8>, len: u64, out: &mut Vec<Observed>) {
        body.truncate(self.capture);
        self.say(self.begun, 1, What::Opaque { why, len, body }, out);
    }

    fn opaque_message(&self, why: &'static str, message: Message, out: &mut Vec<Observed>) {
        let what = What::Opaque {
            why,
            len: message.len,
            body: message.data,
        };
        self.say(message.last, message.frames, what, out);
    }

    fn say(&self, frame: u64, frames: u64, what: What, out: &mut Vec<Observed>) {
        out.push(Observed {
            dir: self.dir,
            at: self.at,
            frame,
            frames,
            what,
        });
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
