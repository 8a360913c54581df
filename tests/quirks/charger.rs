//! A charger that says what its script says, byte by byte.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use evenkeel::clock::Clock;
use evenkeel::ledger::views::rfc3339;
use evenkeel::ocpp::{Envelope, MessageType};

use crate::backend::{Backend, transaction_in};
use crate::fixtures::{Fixture, Step};
use crate::tap::{PATIENCE, Tap, eventually};
use crate::wire::{self, Frames};

/// One connection.
struct Line {
    stream: TcpStream,
    head: String,
    sent: Vec<u8>,
    received: Vec<u8>,
    frames: Frames,
    texts: Vec<String>,
}

impl Line {
    fn open(url: &str, fixture: &Fixture) -> Self {
        let address = url.strip_prefix("ws://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = fixture.request(address);
        stream.write_all(head.as_bytes()).unwrap();
        let (answer, rest) = wire::read_head(&mut stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        let mut line = Self {
            stream,
            head,
            sent: Vec::new(),
            received: Vec::new(),
            frames: Frames::default(),
            texts: Vec::new(),
        };
        line.take(&rest);
        line
    }

    fn take(&mut self, bytes: &[u8]) {
        self.received.extend(bytes);
        self.texts.extend(self.frames.feed(bytes));
    }

    fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).unwrap();
        self.sent.extend(frame);
    }

    /// Closes; what still comes is taken.
    fn leave(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        self.take(&rest);
    }

    /// The next text that `wanted` likes.
    fn hear(&mut self, wanted: impl Fn(&Envelope<'_>) -> bool) -> String {
        loop {
            let is = |text: &String| Envelope::parse(text).is_ok_and(|one| wanted(&one));
            if let Some(place) = self.texts.iter().position(is) {
                return self.texts.remove(place);
            }
            let mut buffer = [0; 4096];
            let len = self.stream.read(&mut buffer).unwrap();
            assert!(len > 0, "the connection ended");
            self.take(&buffer[..len]);
        }
    }
}

/// Plays a fixture through the tap. Returns what it sent, placeholders filled in.
pub(crate) fn play(
    fixture: &Fixture,
    tap: &Tap,
    legacy: &Backend,
    candidate: Option<&Backend>,
) -> Vec<String> {
    let charger = fixture.charger();
    let mut said = Vec::new();
    let mut lines = vec![Line::open(&tap.url, fixture)];
    // What each step means by `{tx}`.
    let mut transaction = String::new();
    let (mut boots, mut orders) = (0, 0);
    let steps = fixture.all_steps();
    for step in &steps {
        let connections = lines.len();
        let line = lines.last_mut().unwrap();
        match step {
            Step::Says(text) => {
                let text = filled(text, &transaction);
                line.send(&wire::masked(0x81, text.as_bytes()));
                if let Ok(call) = Envelope::parse(&text)
                    && call.kind == MessageType::Call
                {
                    let answer = line.hear(|one| one.kind.is_answer() && one.id == call.id);
                    transaction = transaction_in(&answer).unwrap_or(transaction);
                    if let (Some(candidate), "BootNotification") = (candidate, &*call.action) {
                        boots += 1;
                        candidate.got(&charger, "BootNotification", boots);
                    }
                }
                said.push(text);
            }
            Step::Frame(first, payload) => line.send(&wire::masked(*first, payload)),
            Step::Ordered(text) => {
                for backend in [Some(legacy), candidate].into_iter().flatten() {
                    backend.command(&charger, connections, text);
                }
                line.hear(|one| one.kind == MessageType::Call);
                // The stand-in has answered, so the leg knows what the candidate said before.
                orders += 1;
                if let Some(candidate) = candidate {
                    candidate.got(&charger, "", orders);
                }
            }
            Step::Leaves => {
                let closed = closings(tap);
                line.leave();
                eventually("the tap sees it leave", || closings(tap) > closed);
                lines.push(Line::open(&tap.url, fixture));
            }
            Step::ConnectsAgain => lines.push(Line::open(&tap.url, fixture)),
            Step::OldOneSays(text) => {
                let text = filled(text, &transaction);
                lines[0].send(&wire::masked(0x81, text.as_bytes()));
                lines[0].hear(|one| one.kind.is_answer());
                said.push(text);
            }
        }
    }
    if let Some(candidate) = candidate {
        candidate.got(&charger, "Heartbeat", 1);
    }
    legacy.look(&charger, |kept| {
        assert_eq!(kept.len(), lines.len(), "row {}", fixture.row);
        for (line, kept) in lines.iter().zip(&*kept) {
            assert_eq!(
                kept.head,
                wire::lines_but_host(&line.head),
                "row {}",
                fixture.row
            );
            assert_eq!(kept.received, line.sent, "row {}", fixture.row);
            assert!(kept.sent.starts_with(&line.received), "row {}", fixture.row);
        }
        let (line, kept) = (lines.last().unwrap(), kept.last().unwrap());
        assert_eq!(line.received, kept.sent, "row {}", fixture.row);
    });
    said
}

/// How many connections the tap has seen end.
fn closings(tap: &Tap) -> usize {
    let log = tap.log();
    log.iter()
        .filter(|line| line.contains("connection closed"))
        .count()
}

/// Fills in `{tx}`, `{now}` and `{now+2h}`.
fn filled(text: &str, transaction: &str) -> String {
    let stamp = |hours: i64| rfc3339(Clock::system().now() + hours * 3_600_000_000);
    text.replace("{tx}", transaction)
        .replace("{now}", &stamp(0))
        .replace("{now+2h}", &stamp(2))
}
