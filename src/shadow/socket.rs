//! The WebSocket towards the shadow backend: small buffers, one message at a time, no surprises.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::live::stream::Stream;

/// Read buffer of one leg. tungstenite keeps it resident, so 5,000 idle legs pay it 5,000 times; larger messages still
/// arrive, in more reads.
const READ_BUFFER: usize = 256;

/// How much may be waiting to be written before the leg counts as stuck.
const MAX_WRITE_BUFFER: usize = 1 << 20;

/// What the backend sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(Vec<u8>),
    /// A binary message, which OCPP-J never uses.
    Binary(Vec<u8>),
    /// A ping or pong; pings are answered below us.
    Control,
}

/// Why the connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketEnd {
    /// The backend sent a Close frame.
    #[error("closed by the backend, code {0}: {1}")]
    Closed(u16, String),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The backend broke the WebSocket protocol, or sent text that is not UTF-8.
    #[error("garbage from the backend: {0}")]
    Garbage(String),
    /// A message is over the limit.
    #[error("oversized message from the backend: {0}")]
    TooLong(String),
    /// The backend does not take what we write.
    #[error("the backend stopped reading")]
    Stuck,
}

/// A message on its way out.
pub enum Sending<'a> {
    /// It went, or never will.
    Done(Result<(), SocketEnd>),
    /// The kernel takes nothing at the moment.
    Waits(Pin<Box<dyn Future<Output = Result<(), SocketEnd>> + 'a>>),
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    ws: WebSocketStream<Stream>,
}

impl Socket {
    /// A WebSocket over an upgraded connection; `early` is what came behind the response head.
    pub async fn new(transport: Stream, early: Vec<u8>, max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_WRITE_BUFFER.max(2 * max_message))
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message))
            .accept_unmasked_frames(false);
        Self {
            ws: WebSocketStream::from_partially_read(transport, early, Role::Client, Some(config))
                .await,
        }
    }

    /// The next message. Cancel safe.
    pub async fn recv(&mut self) -> Result<Incoming, SocketEnd> {
        match self.ws.next().await {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text.as_bytes().to_vec())),
            Some(Ok(Message::Binary(bytes))) => Ok(Incoming::Binary(bytes.to_vec())),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                Ok(Incoming::Control)
            }
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.as_str().to_owned())
                });
                Err(SocketEnd::Closed(code, reason))
            }
            Some(Err(error)) => Err(end_of(&error)),
            None => Err(SocketEnd::Lost("end of stream".into())),
        }
    }

    /// Sends one text message; a backend that does not read is given `limit`. Mostly the kernel takes it at once: then
    /// nothing is to be awaited, and the outcome is ready.
    pub fn send(&mut self, text: &str, limit: Duration) -> Sending<'_> {
        let mut message = self.ws.send(Message::text(text));
        match (&mut message).now_or_never() {
            Some(sent) => Sending::Done(sent.map_err(|error| end_of(&error))),
            None => Sending::Waits(Box::pin(async move {
                match timeout(limit, message).await {
                    Ok(sent) => sent.map_err(|error| end_of(&error)),
                    Err(_) => Err(SocketEnd::Stuck),
                }
            })),
        }
    }

    /// Sends one text message in several frames, as chargers with small buffers do.
    pub async fn send_pieces(
        &mut self,
        pieces: &[&[u8]],
        limit: Duration,
    ) -> Result<(), SocketEnd> {
        let last = pieces.len().saturating_sub(1);
        for (number, piece) in pieces.iter().enumerate() {
            let kind = if number == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), number == last);
            self.send_message(Message::Frame(frame), limit).await?;
        }
        Ok(())
    }

    /// Sends a binary message, which OCPP-J never uses.
    pub async fn send_binary(&mut self, bytes: Vec<u8>, limit: Duration) -> Result<(), SocketEnd> {
        self.send_message(Message::binary(bytes), limit).await
    }

    async fn send_message(&mut self, message: Message, limit: Duration) -> Result<(), SocketEnd> {
        match timeout(limit, self.ws.send(message)).await {
            Ok(sent) => sent.map_err(|error| end_of(&error)),
            Err(_) => Err(SocketEnd::Stuck),
        }
    }

    /// Ends the connection as its end demands: says why if the backend misbehaved, completes its Close otherwise. What
    /// cannot be said within `limit` stays unsaid: the connection is over either way.
    pub async fn finish(mut self, end: Option<&SocketEnd>, limit: Duration) {
        let code = match end {
            None => CloseCode::Normal,
            Some(SocketEnd::Garbage(_)) => CloseCode::Protocol,
            Some(SocketEnd::TooLong(_)) => CloseCode::Size,
            Some(SocketEnd::Closed(..)) => {
                // tungstenite has queued the echo of the backend's Close frame; a flush sends it.
                let _ = timeout(limit, self.ws.flush()).await;
                return;
            }
            Some(SocketEnd::Lost(_) | SocketEnd::Stuck) => return,
        };
        let frame = CloseFrame {
            code,
            reason: "".into(),
        };
        let goodbye = async {
            if self.ws.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.ws.next().await {}
            }
        };
        let _ = timeout(limit, goodbye).await;
    }
}

fn end_of(error: &Error) -> SocketEnd {
    match error {
        Error::Capacity(why) => SocketEnd::TooLong(why.to_string()),
        Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_) => SocketEnd::Lost(error.to_string()),
        Error::Protocol(why) => SocketEnd::Garbage(why.to_string()),
        Error::Utf8(why) => SocketEnd::Garbage(why.clone()),
        Error::WriteBufferFull(_) => SocketEnd::Stuck,
        other => SocketEnd::Garbage(other.to_string()),
    }
}
