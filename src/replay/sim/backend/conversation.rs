//! One charger's connection to a simulated backend.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::super::answers::Asked;
use super::super::dialect::Dialect;
use super::super::journal::Way;
use super::super::link::{Answer, Arrival, Incoming, arrival, basic, fresh_id};
use super::super::random::Random;
use super::super::text::write;
use super::{Entry, Fault, Sent, Shared};
use crate::clock::Clock;
use crate::ocpp::Version;

/// A command to send.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) action: String,
    pub(super) payload: Value,
    /// Who waits for the answer, if anyone.
    pub(super) reply: Option<oneshot::Sender<Answer>>,
}

const BUFFER: usize = 4 * 1024;
/// How many commands may wait for one connection.
const ORDERS: usize = 64;

/// Shakes hands and talks until the connection ends.
pub(super) async fn hold(stream: TcpStream, shared: &Shared) -> Result<(), WsError> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0);
    let fault = *shared.fault.borrow();
    let mut greeted = None;
    #[expect(
        clippy::result_large_err,
        reason = "the handshake callback's error type is the library's"
    )]
    let check = |request: &Request, response: Response| {
        let (greeting, response) = greet(&shared.dialect, fault, request, response)?;
        greeted = Some(greeting);
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, check, Some(config)).await?;
    let Some((charger, version)) = greeted else {
        return Ok(());
    };
    let (sender, orders) = mpsc::channel(ORDERS);
    shared.log.change(|record| {
        record.handshakes += 1;
        record.open.insert(charger.clone(), sender.clone());
    });
    let mut conversation = Conversation {
        random: Random::named(shared.dialect.seed, &charger),
        socket,
        shared,
        charger,
        version,
        waiting: HashMap::new(),
        scheduled: Vec::new(),
        heard: 0,
    };
    let ended = conversation.run(orders).await;
    let charger = &conversation.charger;
    shared.log.change(|record| {
        // A newer connection of the same charger keeps its place.
        if record
            .open
            .get(charger)
            .is_some_and(|open| open.same_channel(&sender))
        {
            record.open.remove(charger);
        }
    });
    ended
}

/// Judges a handshake: identity and version, and the response with the chosen subprotocol.
#[expect(
    clippy::result_large_err,
    reason = "the handshake callback's error type is the library's"
)]
fn greet(
    dialect: &Dialect,
    fault: Fault,
    request: &Request,
    mut response: Response,
) -> Result<((String, Version), Response), ErrorResponse> {
    if let Fault::RefuseHttp(status) = fault {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
        return Err(refusal(status));
    }
    let identity = request
        .uri()
        .path()
        .strip_prefix(&dialect.prefix)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|identity| !identity.is_empty())
        .ok_or_else(|| refusal(StatusCode::NOT_FOUND))?;
    if let Some(password) = &dialect.password {
        let given = request.headers().get(header::AUTHORIZATION);
        let expected = basic(identity, password);
        if given.is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
            return Err(refusal(StatusCode::UNAUTHORIZED));
        }
    }
    let offered = request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Version::from_subprotocol)
        .find(|version| dialect.versions.contains(version));
    if let Some(version) = offered {
        response.headers_mut().insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(version.subprotocol()),
        );
    }
    // A charger that offers nothing speaks 1.6, as the old ones do.
    let version = offered.unwrap_or(Version::V16);
    Ok(((identity.to_owned(), version), response))
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response
}

struct Conversation<'a> {
    socket: WebSocketStream<TcpStream>,
    shared: &'a Shared,
    charger: String,
    version: Version,
    random: Random,
    /// Commands without an answer: where in the log, and who waits.
    waiting: HashMap<String, (usize, Option<oneshot::Sender<Answer>>)>,
    /// Commands to send later: when, and which of the dialect's.
    scheduled: Vec<(Instant, usize)>,
    /// CALLs received on this connection.
    heard: usize,
}

impl Conversation<'_> {
    async fn run(&mut self, mut orders: mpsc::Receiver<Order>) -> Result<(), WsError> {
        let mut faults = self.shared.fault.subscribe();
        loop {
            let fault = *faults.borrow_and_update();
            if fault == Fault::Stall {
                if faults.changed().await.is_err() {
                    return Ok(());
                }
                continue;
            }
            let next = self.scheduled.iter().min().copied();
            let due = next.map_or_else(Instant::now, |(due, _)| due);
            tokio::select! {
                message = self.socket.next() => match message {
                    None | Some(Ok(Message::Close(_))) => return self.finish().await,
                    Some(Ok(Message::Text(text))) => {
                        if self.hear(&text, fault).await? {
                            return Ok(());
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                },
                Some(order) = orders.recv() => self.command(order).await?,
                () = sleep_until(due), if next.is_some() => self.send_scheduled(next).await?,
                () = tokio::task::yield_now(), if fault == Fault::Flood => {
                    self.command(flood()).await?;
                }
                _ = faults.changed() => {}
            }
        }
    }

    /// The charger said goodbye: lets the library send its close frame.
    async fn finish(&mut self) -> Result<(), WsError> {
        match self.socket.close(None).await {
            Ok(()) | Err(WsError::ConnectionClosed | WsError::AlreadyClosed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Handles one message; true when the connection is to end.
    async fn hear(&mut self, text: &str, fault: Fault) -> Result<bool, WsError> {
        self.note(Way::Received, text);
        match arrival(text) {
            Some(Arrival::Call(incoming)) => {
                self.heard += 1;
                if fault == Fault::CloseAt(self.heard) {
                    self.hang_up().await?;
                    return Ok(true);
                }
                self.respond(&incoming, fault).await?;
            }
            Some(Arrival::Answer { id, answer }) => self.take(&id, answer),
            None => {}
        }
        Ok(false)
    }

    async fn hang_up(&mut self) -> Result<(), WsError> {
        let frame = CloseFrame {
            code: CloseCode::Error,
            reason: "simulated fault".into(),
        };
        self.socket.close(Some(frame)).await
    }

    async fn respond(&mut self, incoming: &Incoming, fault: Fault) -> Result<(), WsError> {
        let dialect = &self.shared.dialect;
        let asked = Asked {
            charger: &self.charger,
            version: self.version,
            action: &incoming.action,
            payload: &incoming.payload,
            now: Clock::system().now(),
        };
        let reply = self
            .shared
            .log
            .change(|record| record.books.answer(dialect, asked));
        let accepted = matches!(&reply, Ok(body) if body.get("status") == Some(&"Accepted".into()));
        let message = match reply {
            Ok(body) => json!([3, incoming.id, body]),
            Err((code, description)) => json!([4, incoming.id, code, description, {}]),
        };
        let text = match fault {
            Fault::Silent => return Ok(()),
            Fault::Garbage => "[3,\"".to_owned() + &incoming.id,
            Fault::Huge(size) => {
                json!([3, incoming.id, { "filler": "x".repeat(size) }]).to_string()
            }
            _ => write(&message, dialect.hand),
        };
        let thinking = match fault {
            Fault::Slow(more) => dialect.delay + more,
            _ => dialect.delay,
        };
        if thinking > Duration::ZERO {
            sleep(thinking).await;
        }
        self.send(text).await?;
        if incoming.action == "BootNotification" && accepted {
            self.schedule();
        }
        Ok(())
    }

    fn schedule(&mut self) {
        let now = Instant::now();
        for (index, template) in self.shared.dialect.after_boot.iter().enumerate() {
            if template.version == self.version {
                self.scheduled.push((now + template.delay, index));
            }
        }
    }

    async fn send_scheduled(&mut self, next: Option<(Instant, usize)>) -> Result<(), WsError> {
        let Some((due, index)) = next else {
            return Ok(());
        };
        self.scheduled.retain(|entry| *entry != (due, index));
        let Some(template) = self.shared.dialect.after_boot.get(index) else {
            return Ok(());
        };
        let order = Order {
            action: template.action.clone(),
            payload: template.payload.clone(),
            reply: None,
        };
        self.command(order).await
    }

    async fn command(&mut self, order: Order) -> Result<(), WsError> {
        let id = fresh_id(&mut self.random);
        let sent = Sent {
            charger: self.charger.clone(),
            action: order.action.clone(),
            answer: None,
        };
        let place = self.shared.log.change(|record| {
            record.commands.push(sent);
            record.commands.len() - 1
        });
        self.waiting.insert(id.clone(), (place, order.reply));
        let message = json!([2, id, order.action, order.payload]);
        self.send(write(&message, self.shared.dialect.hand)).await
    }

    /// Takes the answer to a command. An answer to nothing is only in the log.
    fn take(&mut self, id: &str, answer: Answer) {
        let Some((place, reply)) = self.waiting.remove(id) else {
            return;
        };
        self.shared.log.change(|record| {
            if let Some(sent) = record.commands.get_mut(place) {
                sent.answer = Some(answer.clone());
            }
        });
        if let Some(reply) = reply {
            // Nobody waits any longer: the log has it.
            drop(reply.send(answer));
        }
    }

    async fn send(&mut self, text: String) -> Result<(), WsError> {
        self.note(Way::Sent, &text);
        self.socket.send(Message::text(text)).await
    }

    fn note(&self, way: Way, text: &str) {
        let entry = Entry {
            charger: self.charger.clone(),
            way,
            text: text.to_owned(),
        };
        self.shared.log.change(|record| record.entries.push(entry));
    }
}

fn flood() -> Order {
    Order {
        action: "DataTransfer".to_owned(),
        payload: json!({ "vendorId": "flood" }),
        reply: None,
    }
}
