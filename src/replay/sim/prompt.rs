//! A backend that answers at once and keeps nothing: what a replay is measured against.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::ocpp::{Envelope, MessageType};

/// Chargers are small: so are the buffers.
const BUFFER: usize = 1024;

/// A running one. Dropping it stops it.
#[derive(Debug)]
pub struct Prompt {
    address: SocketAddr,
    minted: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Prompt {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let minted = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&minted)));
        Ok(Self {
            address,
            minted,
            accepting,
        })
    }

    /// Its URL, to which a charger adds its identity.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// How many 1.6 transactions it has begun.
    pub fn transactions(&self) -> u64 {
        self.minted.load(Ordering::Relaxed)
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, minted: Arc<AtomicU64>) {
    let mut talks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let minted = Arc::clone(&minted);
        talks.spawn(async move {
            if let Err(error) = hold(stream, &minted).await {
                tracing::debug!(%error, "prompt backend");
            }
        });
        while talks.try_join_next().is_some() {}
    }
}

async fn hold(stream: TcpStream, minted: &AtomicU64) -> Result<(), WsError> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0);
    #[expect(
        clippy::result_large_err,
        reason = "the handshake callback's error type is the library's"
    )]
    let greet = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if let Some(offered) = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL) {
            let headers = response.headers_mut();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offered.clone());
        }
        Ok(response)
    };
    let mut socket = accept_hdr_async_with_config(stream, greet, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        if let Some(answer) = answer(&text, minted) {
            socket.send(Message::text(answer)).await?;
        }
    }
    Ok(())
}

fn answer(text: &str, minted: &AtomicU64) -> Option<String> {
    const ACCEPTED: &str = r#"{"status":"Accepted"}"#;
    let call = Envelope::parse(text).ok()?;
    if call.kind != MessageType::Call {
        return None;
    }
    let id = serde_json::Value::from(&*call.id);
    let now = "2026-11-24T06:00:00Z";
    Some(match &*call.action {
        "BootNotification" => {
            format!(r#"[3,{id},{{"status":"Accepted","currentTime":"{now}","interval":300}}]"#)
        }
        "Heartbeat" => format!(r#"[3,{id},{{"currentTime":"{now}"}}]"#),
        "Authorize" if call.payload.contains("idToken") => {
            format!(r#"[3,{id},{{"idTokenInfo":{ACCEPTED}}}]"#)
        }
        "Authorize" => format!(r#"[3,{id},{{"idTagInfo":{ACCEPTED}}}]"#),
        "StartTransaction" => {
            let transaction = minted.fetch_add(1, Ordering::Relaxed) + 1;
            format!(r#"[3,{id},{{"transactionId":{transaction},"idTagInfo":{ACCEPTED}}}]"#)
        }
        "DataTransfer" => format!("[3,{id},{ACCEPTED}]"),
        _ => format!("[3,{id},{{}}]"),
    })
}
