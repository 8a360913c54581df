//! A charger's side of the socket: one outstanding CALL, an answer timeout, commands answered in between.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::charger::{SimError, Spec};
use super::journal::{Journal, Way};
use super::random::Random;
use crate::ocpp::{Envelope, MessageType};

/// What a backend answered to one CALL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A CALLRESULT with its payload.
    Result(Value),
    /// A CALLERROR with its code and description.
    Error {
        /// The error code.
        code: String,
        /// The description, possibly empty.
        description: String,
    },
}

impl Answer {
    /// The member that `pointer` (RFC 6901) leads to; null when there is none or when this is an error.
    pub fn at(&self, pointer: &str) -> &Value {
        match self {
            Self::Result(payload) => payload.pointer(pointer).unwrap_or(&Value::Null),
            Self::Error { .. } => &Value::Null,
        }
    }

    /// The text at `pointer`; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// Whether this is a CALLERROR.
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error { .. })
    }
}

/// A CALL that the backend sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) payload: Value,
}

/// What arrived.
#[derive(Debug)]
pub(super) enum Arrival {
    Call(Incoming),
    Answer { id: String, answer: Answer },
}

/// The socket of one simulated charger.
#[derive(Debug)]
pub(super) struct Link {
    socket: WebSocketStream<TcpStream>,
    journal: Journal,
}

/// Chargers are small: so are the buffers.
const BUFFER: usize = 4 * 1024;
/// How long a TCP and WebSocket handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the other side may take to answer a close frame.
const CLOSING: Duration = Duration::from_secs(2);

impl Link {
    /// Dials `url` (`ws://host:port/path`), with the charger's identity as the last path segment.
    pub(super) async fn open(url: &str, spec: &Spec, journal: Journal) -> Result<Self, SimError> {
        let request = request(url, spec)?;
        let authority = request
            .uri()
            .authority()
            .ok_or_else(|| SimError::Address(url.to_owned()))?;
        let target = (
            authority.host().to_owned(),
            authority.port_u16().unwrap_or(80),
        );
        let handshake = async {
            let stream = TcpStream::connect(target).await?;
            stream.set_nodelay(true)?;
            let config = WebSocketConfig::default()
                .read_buffer_size(BUFFER)
                .write_buffer_size(0);
            let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
            Ok::<_, SimError>(socket)
        };
        let socket = timeout(HANDSHAKE, handshake)
            .await
            .map_err(|_| SimError::Silent("handshake".to_owned()))??;
        Ok(Self { socket, journal })
    }

    /// Sends a text as it is.
    pub(super) async fn send(&mut self, text: String) -> Result<(), SimError> {
        self.journal.note(Way::Sent, &text);
        self.socket.send(Message::text(text)).await?;
        Ok(())
    }

    /// Sends a CALL.
    pub(super) async fn send_call(
        &mut self,
        id: &str,
        action: &str,
        payload: &Value,
    ) -> Result<(), SimError> {
        self.send(json!([2, id, action, payload]).to_string()).await
    }

    /// The next message that is OCPP-J. Pings are answered by the library; what is not OCPP-J is journalled and skipped.
    /// Cancel safe.
    pub(super) async fn receive(&mut self) -> Result<Arrival, SimError> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    self.journal.note(Way::Received, &text);
                    if let Some(arrival) = arrival(&text) {
                        return Ok(arrival);
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(SimError::Closed(frame.map(|frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(SimError::Closed(None)),
            }
        }
    }

    /// The next message before `deadline`; `None` when there was none.
    pub(super) async fn receive_before(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Arrival>, SimError> {
        match timeout_at(deadline, self.receive()).await {
            Ok(arrival) => arrival.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Ends the connection without a close frame. One that has ended already stays so.
    pub(super) async fn hang_up(&mut self) {
        if let Err(error) = self.socket.get_mut().shutdown().await {
            tracing::debug!(%error, "the connection had ended before");
        }
    }

    /// Closes with `code` and waits for the other side, for at most two seconds.
    pub(super) async fn close(mut self, code: u16) -> Result<(), SimError> {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        self.socket.close(Some(frame)).await?;
        let drained = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if let Message::Text(text) = message {
                    self.journal.note(Way::Received, &text);
                }
            }
        };
        // A peer that never answers the close frame loses its socket when this returns, which is what a charger does.
        timeout(CLOSING, drained).await.unwrap_or(());
        Ok(())
    }
}

fn request(url: &str, spec: &Spec) -> Result<Request<()>, SimError> {
    let full = format!("{}/{}", url.trim_end_matches('/'), spec.identity);
    let mut request = full
        .as_str()
        .into_client_request()
        .map_err(|_| SimError::Address(full.clone()))?;
    let headers = request.headers_mut();
    let protocol = HeaderValue::from_static(spec.version.subprotocol());
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    if let Some(password) = &spec.password {
        let value = HeaderValue::from_str(&basic(&spec.identity, password))
            .map_err(|_| SimError::Address(full.clone()))?;
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// The value of an `Authorization` header (RFC 7617).
pub(super) fn basic(identity: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{identity}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    format!("Basic {encoded}")
}

/// Reads one OCPP-J message; `None` for anything else.
pub(super) fn arrival(text: &str) -> Option<Arrival> {
    let envelope = Envelope::parse(text).ok()?;
    let id = envelope.id.to_string();
    match envelope.kind {
        MessageType::Call => Some(Arrival::Call(Incoming {
            id,
            action: envelope.action.to_string(),
            payload: serde_json::from_str(envelope.payload).ok()?,
        })),
        MessageType::CallResult => Some(Arrival::Answer {
            id,
            answer: Answer::Result(serde_json::from_str(envelope.payload).ok()?),
        }),
        MessageType::CallError => Some(Arrival::Answer {
            id,
            answer: Answer::Error {
                code: envelope.code.to_string(),
                description: envelope.description.to_string(),
            },
        }),
        MessageType::CallResultError | MessageType::Send => None,
    }
}

/// A fresh message id.
pub(super) fn fresh_id(random: &mut Random) -> String {
    random.uuid()
}

impl From<WsError> for SimError {
    fn from(error: WsError) -> Self {
        match error {
            WsError::Http(response) => Self::Refused(response.status().as_u16()),
            WsError::ConnectionClosed | WsError::AlreadyClosed => Self::Closed(None),
            WsError::Io(error) => Self::Io(error),
            other => Self::WebSocket(other.to_string()),
        }
    }
}
