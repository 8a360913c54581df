//! WebSocket frames as they come, put together to messages only as far as needed to read them.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::MediatorError;
use crate::shadow::observe::header::Header;

/// The longest message that is looked at, in bytes. No charger sends the end of a transaction in a longer one.
const LONGEST: usize = 16 << 20;

/// The key of frames that are written anew in a charger's place. It hides nothing: the key is in the frame.
const MASK: [u8; 4] = [0x65, 0x76, 0x6b, 0x2d];

/// A whole message, or a control frame between its fragments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The frames as they came.
    pub(super) raw: Vec<u8>,
    /// The text, if it is a text message that can be read.
    pub(super) text: Option<String>,
    /// It is a control frame.
    pub(super) is_control: bool,
    masked: bool,
}

/// Reads one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    message: Message,
    payload: Vec<u8>,
    is_text: bool,
}

impl Frames {
    /// A direction of which these bytes have come already.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// The next message or control frame; nothing at the end of the stream. Bytes of a frame that is never completed are
    /// dropped with the connection.
    pub(super) async fn next(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<Message>, MediatorError> {
        loop {
            while let Some(len) = self.whole_frame()? {
                let frame: Vec<u8> = self.bytes.drain(..len).collect();
                if let Some(message) = self.take(&frame)? {
                    return Ok(Some(message));
                }
            }
            if from.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The length of the first frame, if it is complete.
    fn whole_frame(&self) -> Result<Option<usize>, MediatorError> {
        let Some(header) = Header::parse(&self.bytes) else {
            return Ok(None);
        };
        let len = usize::try_from(header.len).map_err(|_| MediatorError::Frame)?;
        if len > LONGEST || self.message.raw.len() > LONGEST {
            return Err(MediatorError::Frame);
        }
        Ok(Some(header.at + len).filter(|len| *len <= self.bytes.len()))
    }

    /// Takes a whole frame; gives back what it completes.
    fn take(&mut self, frame: &[u8]) -> Result<Option<Message>, MediatorError> {
        let header = Header::parse(frame).ok_or(MediatorError::Frame)?;
        if header.is_control() {
            return Ok(Some(Message {
                raw: frame.to_vec(),
                is_control: true,
                ..Message::default()
            }));
        }
        if header.opcode != 0 {
            self.is_text = header.opcode == 1 && header.reserved == 0;
        }
        self.message.masked = header.mask.is_some();
        self.message.raw.extend_from_slice(frame);
        if self.is_text {
            header.payload_into(frame, LONGEST, &mut self.payload);
        }
        if !header.fin {
            return Ok(None);
        }
        let payload = std::mem::take(&mut self.payload);
        let mut message = std::mem::take(&mut self.message);
        message.text = self
            .is_text
            .then(|| String::from_utf8(payload).ok())
            .flatten();
        Ok(Some(message))
    }
}

impl Message {
    /// The message in one frame with another text.
    pub(super) fn with_text(&self, text: &str) -> Vec<u8> {
        let payload = text.as_bytes();
        let mask_bit = if self.masked { 0x80 } else { 0 };
        let mut frame = vec![0x81];
        match payload.len() {
            len @ 0..=125 => frame.push(mask_bit | len as u8),
            len @ 126..=0xffff => {
                frame.push(mask_bit | 0x7e);
                frame.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                frame.push(mask_bit | 0x7f);
                frame.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        if self.masked {
            frame.extend_from_slice(&MASK);
            let keys = MASK.iter().cycle();
            frame.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
        } else {
            frame.extend_from_slice(payload);
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(first: u8, payload: &str, masked: bool) -> Vec<u8> {
        let message = Message {
            masked,
            ..Message::default()
        };
        let mut frame = message.with_text(payload);
        frame[0] = first;
        frame
    }

    async fn all(mut frames: Frames, bytes: &[u8]) -> Vec<Message> {
        let mut from = bytes;
        let mut messages = Vec::new();
        while let Some(message) = frames.next(&mut from).await.unwrap() {
            messages.push(message);
        }
        messages
    }

    #[tokio::test(flavor = "current_thread")]
    async fn messages_are_read_whatever_their_frames_and_pass_as_they_came() {
        for masked in [false, true] {
            for len in [0, 125, 126, 65_535, 65_536] {
                let long = "x".repeat(len);
                let pieces = [
                    text(0x01, &long, masked),
                    text(0x89, "ping", masked),
                    text(0x80, "end", masked),
                    text(0x81, "one", masked),
                    text(0x82, "binary", masked),
                ];
                let messages = all(Frames::default(), &pieces.concat()).await;
                let raw: Vec<&[u8]> = messages.iter().map(|one| one.raw.as_slice()).collect();
                let first = [pieces[0].as_slice(), &pieces[2]].concat();
                assert_eq!(raw, [&pieces[1][..], &first, &pieces[3], &pieces[4]]);
                let texts: Vec<_> = messages.iter().map(|one| one.text.as_deref()).collect();
                let put_together = format!("{long}end");
                assert_eq!(
                    texts,
                    [None, Some(put_together.as_str()), Some("one"), None]
                );
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_came_with_the_head_is_read_first() {
        let (one, two) = (text(0x81, "one", false), text(0x81, "two", false));
        let frames = Frames::after(one[..3].to_vec());
        let messages = all(frames, &[&one[3..], &two].concat()).await;
        let texts: Vec<_> = messages.iter().map(|one| one.text.as_deref()).collect();
        assert_eq!(texts, [Some("one"), Some("two")]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_frame_longer_than_any_message_is_refused() {
        let mut frame: &[u8] = &[0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0];
        assert!(Frames::default().next(&mut frame).await.is_err());
    }
}
