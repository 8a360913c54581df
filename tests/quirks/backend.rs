//! A backend that answers like any other and remembers every byte, on plain sockets: libraries would refuse what odd
//! chargers send.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use evenkeel::clock::Clock;
use evenkeel::ledger::views::rfc3339;
use evenkeel::ocpp::json::{self, Step};
use evenkeel::ocpp::{Envelope, MessageType};

use crate::tap::eventually;
use crate::wire::{self, Frames};

/// What a strict candidate does with the message that is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strict {
    /// Nothing: it has no reason to, or the message never reaches it.
    Lenient,
    /// It refuses with an error.
    Refuses(&'static str),
    /// It refuses an id that it has seen.
    RefusesAgain(&'static str),
    /// It decides otherwise about the token.
    Decides(&'static str),
    /// It refuses the handshake.
    Shuts(u16),
}

/// Message ids of what is odd.
pub(crate) const ODD: [&str; 2] = ["odd", "17"];

/// One connection of a charger.
pub(crate) struct Line {
    stream: TcpStream,
    /// Lines of the request head, `Host` left out.
    pub(crate) head: Vec<String>,
    pub(crate) received: Vec<u8>,
    pub(crate) sent: Vec<u8>,
    /// Actions of the CALLs received; empty for answers.
    pub(crate) actions: Vec<String>,
    ids: BTreeSet<String>,
}

type Lines = Arc<Mutex<BTreeMap<String, Vec<Line>>>>;

/// The behaviour of a backend.
#[derive(Clone)]
pub(crate) struct Manner {
    /// The first transaction id.
    pub(crate) first: i64,
    /// What it does with odd messages, by charger.
    pub(crate) strict: BTreeMap<String, Strict>,
}

/// A backend that listens until the test ends.
pub(crate) struct Backend {
    port: u16,
    lines: Lines,
}

impl Backend {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = Lines::default();
        let shared = Arc::clone(&lines);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (lines, manner) = (Arc::clone(&shared), manner.clone());
                std::thread::spawn(move || serve(stream, &lines, &manner));
            }
        });
        Self { port, lines }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/ocpp", self.port)
    }

    /// Looks at the connections of a charger.
    pub(crate) fn look<T>(&self, charger: &str, look: impl FnOnce(&mut Vec<Line>) -> T) -> T {
        look(
            self.lines
                .lock()
                .unwrap()
                .entry(charger.to_owned())
                .or_default(),
        )
    }

    /// Sends a command on the charger's newest connection, once there are `connections`.
    pub(crate) fn command(&self, charger: &str, connections: usize, text: &str) {
        eventually("the charger is connected", || {
            self.look(charger, |lines| lines.len() >= connections)
        });
        self.look(charger, |lines| lines.last_mut().unwrap().send(text));
    }

    /// Waits until `count` CALLs of an action, or answers if it is empty, came from a charger, over all its connections.
    pub(crate) fn got(&self, charger: &str, action: &str, count: usize) {
        eventually(&format!("{charger} sends {action} to a backend"), || {
            self.look(charger, |lines| {
                let all = lines.iter().flat_map(|line| &line.actions);
                all.filter(|known| *known == action).count() >= count
            })
        });
    }
}

impl Line {
    fn send(&mut self, text: &str) {
        let frame = wire::unmasked(text.as_bytes());
        // A charger that has left is none of the backend's business.
        if self.stream.write_all(&frame).is_ok() {
            self.sent.extend(frame);
        }
    }
}

fn serve(mut stream: TcpStream, lines: &Lines, manner: &Manner) {
    let Some((head, rest)) = wire::read_head(&mut stream) else {
        return;
    };
    let target = head.split(' ').nth(1).unwrap();
    let charger = target.rsplit('/').next().unwrap().to_owned();
    let strict = manner
        .strict
        .get(&charger)
        .copied()
        .unwrap_or(Strict::Lenient);
    if let Strict::Shuts(status) = strict {
        let _ = write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let _ = stream.write_all(wire::accept(&head).as_bytes());
    let place = {
        let mut lines = lines.lock().unwrap();
        let of_charger = lines.entry(charger.clone()).or_default();
        of_charger.push(Line {
            stream: stream.try_clone().unwrap(),
            head: wire::lines_but_host(&head),
            received: Vec::new(),
            sent: Vec::new(),
            actions: Vec::new(),
            ids: BTreeSet::new(),
        });
        of_charger.len() - 1
    };
    let mut frames = Frames::default();
    let mut minted = manner.first;
    let mut bytes = rest;
    loop {
        let mut lines = lines.lock().unwrap();
        let line = &mut lines.get_mut(&charger).unwrap()[place];
        line.received.extend(&bytes);
        for text in frames.feed(&bytes) {
            let Ok(call) = Envelope::parse(&text) else {
                continue;
            };
            if call.kind.is_answer() {
                line.actions.push(String::new());
            }
            if call.kind == MessageType::Call {
                line.actions.push(call.action.to_string());
                let again = !line.ids.insert(call.id.to_string());
                let answer = match strict {
                    Strict::RefusesAgain(code) if again => refusal(&call.id, code),
                    _ => answer(&charger, &call, strict, &mut minted),
                };
                line.send(&answer);
            }
        }
        drop(lines);
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(len) if len > 0 => bytes = buffer[..len].to_vec(),
            _ => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

fn refusal(id: &str, code: &str) -> String {
    format!(r#"[4,"{id}","{code}","",{{}}]"#)
}

fn answer(charger: &str, call: &Envelope<'_>, strict: Strict, minted: &mut i64) -> String {
    let id = &call.id;
    let is_odd = ODD.contains(&&**id);
    if let (Strict::Refuses(code), true) = (strict, is_odd) {
        return refusal(id, code);
    }
    if id.starts_with("refuse") {
        return refusal(id, "InternalError");
    }
    let token = match (strict, is_odd) {
        (Strict::Decides(status), true) => status,
        _ => "Accepted",
    };
    let payload = match &*call.action {
        "BootNotification" => {
            let status = if id.starts_with("pending") {
                "Pending"
            } else {
                "Accepted"
            };
            let now = rfc3339(Clock::system().now());
            format!(r#"{{"currentTime":"{now}","interval":300,"status":"{status}"}}"#)
        }
        "Heartbeat" => {
            let now = rfc3339(Clock::system().now());
            format!(r#"{{"currentTime":"{now}"}}"#)
        }
        "Authorize" => format!(r#"{{"idTagInfo":{{"status":"{token}"}}}}"#),
        "StartTransaction" => {
            *minted += 1;
            let large = *minted < 1_000 && charger == "row-57";
            let transaction = *minted + if large { 1 << 33 } else { 0 };
            format!(r#"{{"transactionId":{transaction},"idTagInfo":{{"status":"{token}"}}}}"#)
        }
        _ => "{}".to_owned(),
    };
    format!(r#"[3,"{id}",{payload}]"#)
}

/// The transaction id in an answer.
pub(crate) fn transaction_in(answer: &str) -> Option<String> {
    let payload = Envelope::parse(answer).ok()?.payload;
    json::first(payload, &[Step::Key("transactionId")]).map(str::to_owned)
}
