//! A backend that answers as a bundle says that one of the two did: a bundle is played against both before it leaves.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::clock::Clock;
use crate::facts::Leg;
use crate::ocpp::{Envelope, MessageType};
use crate::replay::bundle::{Bundle, By, Shake, Step};
use crate::replay::instants;
use crate::replay::recorded::call_text;

/// A running scripted backend. Dropping it stops it.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// The part that a backend plays.
#[derive(Debug)]
struct Part {
    bundle: Bundle,
    leg: Leg,
}

impl Scripted {
    /// Listens on a free port of the loopback interface, and answers as `leg` did.
    pub async fn start(bundle: &Bundle, leg: Leg) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let bundle = bundle.clone();
        let part = Arc::new(Part { bundle, leg });
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, part)),
        })
    }

    /// Its URL, to which a charger adds its identity.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, part: Arc<Part>) {
    let mut talks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let part = Arc::clone(&part);
        talks.spawn(async move {
            if let Err(error) = part.hold(stream).await {
                tracing::debug!(%error, "scripted backend");
            }
        });
    }
}

impl Part {
    async fn hold(&self, stream: TcpStream) -> Result<(), WsError> {
        let shake = match self.leg {
            Leg::Legacy => &self.bundle.handshake.legacy,
            Leg::Candidate => &self.bundle.handshake.candidate,
        };
        #[expect(
            clippy::result_large_err,
            reason = "the handshake callback's error type is the library's"
        )]
        let greet = |_: &Request, response: Response| greeting(shake, response);
        let mut socket = accept_hdr_async(stream, greet).await?;
        let mut heard = 0;
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message? else {
                continue;
            };
            let Ok(call) = Envelope::parse(&text) else {
                continue;
            };
            if call.kind != MessageType::Call {
                continue;
            }
            for reply in self.replies(&call, &mut heard).await {
                socket.send(Message::text(reply)).await?;
            }
        }
        Ok(())
    }

    /// What it says after a CALL: its answer, and the commands that it sent before the next one. `heard` counts the steps
    /// that are over.
    async fn replies(&self, call: &Envelope<'_>, heard: &mut usize) -> Vec<String> {
        let steps = &self.bundle.steps;
        let is_it = |step: &Step| step.by == By::Charger && step.action == call.action;
        let Some(at) = steps.iter().skip(*heard).position(is_it) else {
            let id = serde_json::Value::from(&*call.id);
            return vec![format!(
                "[4,{id},\"NotImplemented\",\"not in the bundle\",{{}}]"
            )];
        };
        let at = *heard + at;
        *heard = at + 1;
        let answer = steps[at].answer_of(self.leg);
        if let Some(answer) = answer
            && self.bundle.finding.kind == "late"
        {
            tokio::time::sleep(Duration::from_millis(answer.after_ms)).await;
        }
        let commands = steps[at + 1..]
            .iter()
            .take_while(|step| step.by != By::Charger);
        let own = commands.filter(|step| step.by.leg() == Some(self.leg));
        let answer = answer.and_then(|answer| {
            let by = Clock::system().now() - self.bundle.heard_at(&steps[at], answer);
            Some(instants::clock_moved(&answer.text(&call.id)?, by))
        });
        let commands = own.map(|step| call_text(&format!("scripted-{}", step.step), step));
        answer.into_iter().chain(commands).collect()
    }
}

#[expect(
    clippy::result_large_err,
    reason = "the handshake callback's error type is the library's"
)]
fn greeting(shake: &Shake, mut response: Response) -> Result<Response, ErrorResponse> {
    let status = shake
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    if let Some(status) = status.filter(|status| *status != StatusCode::SWITCHING_PROTOCOLS) {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = status;
        return Err(refusal);
    }
    if let Some(chosen) = &shake.subprotocol
        && let Ok(chosen) = HeaderValue::from_str(chosen)
    {
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    Ok(response)
}
