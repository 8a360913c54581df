//! A candidate backend under the test's hand, and a shadow plane without live plane: the test speaks for the charger and
//! its authority. Everything waits for events, with a deadline.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation ends the test"
)]

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::clock::Clock;
use evenkeel::facts::resume::{Remembered, Resume};
use evenkeel::facts::{Dir, Fact, Kind, Leg, Recorder};
use evenkeel::live::Backend;
use evenkeel::ocpp::{Envelope, MessageType};
use evenkeel::shadow::legs::Legs;
use evenkeel::shadow::plane::{ConnInfo, LegHost};
use evenkeel::shadow::settings::ShadowSettings;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// Nothing takes longer than this unless it never happens.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a test on one thread, as the shadow plane runs.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Waits, but not for ever.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(DEADLINE, event)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// The candidate's listener.
pub struct Candidate {
    listener: TcpListener,
}

/// One connection to the candidate.
pub struct Conn {
    pub ws: WebSocketStream<TcpStream>,
}

/// A CALL that the candidate got.
#[derive(Debug, Clone)]
pub struct Got {
    pub id: String,
    pub action: String,
    pub payload: String,
}

impl Candidate {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ocpp", self.listener.local_addr().unwrap())
    }

    /// The next connection, with the subprotocol that was offered.
    #[allow(clippy::result_large_err, reason = "the library's signature")]
    pub async fn accept(&self) -> Conn {
        within("a connect to the candidate", async {
            let (tcp, _) = self.listener.accept().await.unwrap();
            let echo = |request: &Request, mut response: Response| {
                if let Some(offered) = request.headers().get("sec-websocket-protocol") {
                    response
                        .headers_mut()
                        .insert("sec-websocket-protocol", offered.clone());
                }
                Ok(response)
            };
            let ws = tokio_tungstenite::accept_hdr_async(tcp, echo)
                .await
                .unwrap();
            Conn { ws }
        })
        .await
    }

    /// The next TCP connection, unanswered.
    pub async fn accept_tcp(&self) -> TcpStream {
        within("a connect to the candidate", self.listener.accept())
            .await
            .unwrap()
            .0
    }
}

impl Conn {
    /// The next message; `None` once the leg closed the connection.
    pub async fn text(&mut self) -> Option<String> {
        within("a message to the candidate", async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        })
        .await
    }

    /// The next message, which must be a CALL of this action.
    pub async fn expect(&mut self, action: &str) -> Got {
        let text = self.text().await.expect("the connection is open");
        let call = Envelope::parse(&text).unwrap();
        assert_eq!(
            (call.kind, call.action.as_ref()),
            (MessageType::Call, action),
            "{text}"
        );
        Got {
            id: call.id.to_string(),
            action: call.action.to_string(),
            payload: call.payload.to_owned(),
        }
    }

    pub async fn send(&mut self, text: impl Into<String>) {
        self.ws.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn answer(&mut self, call: &Got, payload: &str) {
        self.send(format!(r#"[3,"{}",{payload}]"#, call.id)).await;
    }

    /// Takes the next CALL of this action and accepts it.
    pub async fn accept(&mut self, action: &str) -> Got {
        let call = self.expect(action).await;
        self.answer(&call, r#"{"status":"Accepted","interval":300}"#)
            .await;
        call
    }
}

/// A shadow plane whose charger and authority are the test.
pub struct World {
    pub legs: Rc<Legs>,
    pub recorder: Recorder,
    pub conn: Cell<u64>,
}

impl World {
    /// Short waits towards a candidate, changed by `tune`.
    pub fn new(candidate: &Candidate, tune: impl FnOnce(&mut ShadowSettings)) -> Self {
        Self::recording(candidate, Recorder::in_memory(), tune)
    }

    /// The same, with facts going to `recorder`.
    pub fn recording(
        candidate: &Candidate,
        recorder: Recorder,
        tune: impl FnOnce(&mut ShadowSettings),
    ) -> Self {
        let backend = Backend::parse(&candidate.url()).unwrap();
        let mut settings = ShadowSettings::new(Leg::Candidate, backend);
        settings.backoff = (Duration::from_millis(5), Duration::from_millis(20));
        // Commands are answered at once unless a test is about waiting.
        settings.hold = Duration::ZERO;
        tune(&mut settings);
        Self {
            legs: Rc::new(Legs::new(vec![settings], &recorder).unwrap()),
            recorder,
            conn: Cell::new(0),
        }
    }

    /// A new connection of the charger `CP1`.
    pub fn open(&self, subprotocol: &str) {
        self.conn.set(self.conn.get() + 1);
        self.legs.opened(&ConnInfo {
            charger: Arc::from("CP1"),
            conn: self.conn.get(),
            offered: Some(subprotocol.to_owned()),
            subprotocol: Some(subprotocol.to_owned()),
            login: None,
            authority: Leg::Legacy,
            logs_in: false,
            resumed: false,
        });
    }

    pub fn close(&self) {
        self.legs.closed(self.conn.get(), Clock::system().now());
    }

    fn message(&self, dir: Dir, text: &str) -> u64 {
        let at = Clock::system().now();
        let fact = Fact::new(Kind::Message, at)
            .on(&Arc::from("CP1"), self.conn.get())
            .via(Leg::Legacy, dir)
            .body(text);
        let seq = self.recorder.record(fact).unwrap();
        self.legs
            .message(self.conn.get(), dir, seq, at, &Arc::from(text));
        seq
    }

    /// The charger sends a message; returns its fact.
    pub fn charger(&self, text: &str) -> u64 {
        self.message(Dir::FromCharger, text)
    }

    /// The authority sends a message.
    pub fn authority(&self, text: &str) -> u64 {
        self.message(Dir::ToCharger, text)
    }

    /// A whole exchange that the candidate accepts too.
    pub async fn exchange(&self, conn: &mut Conn, call: &str, answer: &str) {
        let id = Envelope::parse(call).unwrap().id.to_string();
        let action = Envelope::parse(call).unwrap().action.to_string();
        self.charger(call);
        self.authority(&format!(r#"[3,"{id}",{answer}]"#));
        conn.accept(&action).await;
    }

    /// Boots the charger; the candidate accepts.
    pub async fn boot(&self, conn: &mut Conn) {
        self.exchange(
            conn,
            r#"[2,"boot","BootNotification",{"chargePointModel":"M","chargePointVendor":"V"}]"#,
            r#"{"status":"Accepted","interval":300,"currentTime":"2026-01-01T00:00:00Z"}"#,
        )
        .await;
    }

    /// The first fact that `wanted` likes, now or soon.
    pub async fn fact(&self, what: &str, wanted: impl Fn(&Fact) -> bool) -> Fact {
        let mut committed = self.recorder.committed();
        within(what, async {
            loop {
                committed.borrow_and_update();
                if let Some(fact) = self.recorder.facts().into_iter().find(&wanted) {
                    return fact;
                }
                committed.changed().await.unwrap();
            }
        })
        .await
    }

    /// What became of a mirrored message: its `ShadowSent` or `ShadowWithheld`.
    pub async fn fate(&self, message: u64) -> (Kind, Value) {
        let fact = self
            .fact("the fate of a message", |fact| {
                fact.cause == message
                    && matches!(fact.kind, Kind::ShadowSent | Kind::ShadowWithheld)
            })
            .await;
        (fact.kind, fact.note_json())
    }

    pub async fn expect_withheld(&self, message: u64, why: &str) {
        let (kind, note) = self.fate(message).await;
        assert_eq!((kind, &note["why"]), (Kind::ShadowWithheld, &json!(why)));
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.recorder
            .facts()
            .iter()
            .filter(|fact| fact.kind == kind)
            .count()
    }
}

/// A 1.6 charger that has booted at both backends.
pub async fn booted() -> (Candidate, World, Conn) {
    let candidate = Candidate::listen().await;
    let world = World::new(&candidate, |_| {});
    world.open("ocpp1.6");
    let mut conn = candidate.accept().await;
    world.boot(&mut conn).await;
    (candidate, world, conn)
}

/// A recording that knows the boot of `CP1` and its statuses.
pub fn booted_once(boot: &str, statuses: &[&str]) -> Resume {
    let said = |seq: usize, text: &str| Fact {
        seq: seq as u64,
        ..Fact::new(Kind::Message, 0)
            .on(&Arc::from("CP1"), 1)
            .via(Leg::Legacy, Dir::FromCharger)
            .body(text)
    };
    let remembered = Remembered {
        boot: Some(said(1, boot)),
        boot_subprotocol: Some("ocpp1.6".to_owned()),
        statuses: (2..)
            .zip(statuses)
            .map(|(seq, text)| said(seq, text))
            .collect(),
        lessons: Vec::new(),
    };
    let mut resume = Resume::default();
    resume.chargers.insert(Arc::from("CP1"), remembered);
    resume
}

/// A 1.6 `StartTransaction`.
pub fn start(id: &str, connector: u32) -> String {
    format!(
        r#"[2,"{id}","StartTransaction",{{"connectorId":{connector},"idTag":"A","meterStart":0,"timestamp":"2026-01-01T00:00:00Z"}}]"#
    )
}

/// A 1.6 `MeterValues` of a transaction.
pub fn meter(id: &str, transaction: &str) -> String {
    format!(
        r#"[2,"{id}","MeterValues",{{"connectorId":1, "transactionId" : {transaction},"meterValue":[{{"timestamp":"2026-01-01T00:01:00Z","sampledValue":[{{"value":"1.50"}}]}}]}}]"#
    )
}

/// A 1.6 `StopTransaction`.
pub fn stop(id: &str, transaction: &str) -> String {
    format!(
        r#"[2,"{id}","StopTransaction",{{"transactionId":{transaction},"meterStop":10,"timestamp":"2026-01-01T01:00:00Z"}}]"#
    )
}

/// A `StartTransaction` answer's payload.
pub fn started(transaction: &str, status: &str) -> String {
    format!(r#"{{"transactionId":{transaction},"idTagInfo":{{"status":"{status}"}}}}"#)
}
