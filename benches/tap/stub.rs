//! A CSMS that answers every OCPP 1.6 CALL at once and counts.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{Failure, frames, number, option, runtime};

/// How the stub treats its clients.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Healthy,
    /// Accepts the handshake, then never answers.
    Silent,
    /// Closes each connection at once.
    Closing,
    /// Answers after five seconds.
    Slow,
}

/// `stub --port P [--mood healthy|silent|closing|slow] [--dialect b]`: until killed. `GET /count` tells the CALLs so far.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let port = number(args, "--port", 0)?;
    let mood = match option(args, "--mood").unwrap_or("healthy") {
        "silent" => Mood::Silent,
        "closing" => Mood::Closing,
        "slow" => Mood::Slow,
        _ => Mood::Healthy,
    };
    let dialect = Dialect {
        b: option(args, "--dialect") == Some("b"),
    };
    let count = Rc::new(Cell::new(0u64));
    let local = LocalSet::new();
    local.block_on(&runtime()?, async move {
        let listener = TcpListener::bind(("127.0.0.1", port as u16)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let count = Rc::clone(&count);
            tokio::task::spawn_local(async move {
                // A client that leaves is normal here.
                let _ = serve(stream, mood, dialect, &count).await;
            });
        }
    })
}

async fn serve(
    mut stream: TcpStream,
    mood: Mood,
    dialect: Dialect,
    count: &Cell<u64>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(2048);
    let head = loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        if let Some(end) = input.windows(4).position(|w| w == b"\r\n\r\n") {
            break String::from_utf8_lossy(&input.drain(..end + 4).collect::<Vec<_>>())
                .into_owned();
        }
    };
    if head.starts_with("GET /count ") {
        let body = count.get().to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        return stream.write_all(answer.as_bytes()).await;
    }
    if mood == Mood::Closing {
        return Ok(());
    }
    let key = head
        .lines()
        .find_map(|line| {
            line.split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        })
        .map_or("", |(_, value)| value.trim());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(answer.as_bytes()).await?;
    let mut output = Vec::new();
    loop {
        while let Some((payload, used)) = frames::first(&mut input) {
            if input[0] & 0x0f == 1 {
                count.set(count.get() + 1);
                if let Some(answer) = dialect.answer(&input[payload], count.get()) {
                    frames::text(answer.as_bytes(), &mut output);
                }
            }
            input.drain(..used);
        }
        if mood == Mood::Silent {
            output.clear();
        }
        if !output.is_empty() {
            if mood == Mood::Slow {
                tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            }
            stream.write_all(&output).await?;
            output.clear();
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// Two backends never spell alike: `b` differs in key order, white space, time format and transaction ids.
#[derive(Clone, Copy)]
struct Dialect {
    b: bool,
}

impl Dialect {
    fn answer(self, call: &[u8], count: u64) -> Option<String> {
        let text = std::str::from_utf8(call).ok()?;
        let rest = text.strip_prefix("[2,\"")?;
        let (id, rest) = rest.split_once("\",\"")?;
        let (action, _) = rest.split_once('"')?;
        let payload = match (action, self.b) {
            ("BootNotification", false) => {
                r#"{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":300}"#.to_owned()
            }
            ("BootNotification", true) => {
                r#"{"interval": 300, "currentTime": "2026-01-01T00:00:00.000Z", "status": "Accepted"}"#.to_owned()
            }
            ("Heartbeat", false) => r#"{"currentTime":"2026-01-01T00:00:00Z"}"#.to_owned(),
            ("Heartbeat", true) => r#"{"currentTime": "2026-01-01T00:00:00.000Z"}"#.to_owned(),
            ("Authorize", false) => r#"{"idTagInfo":{"status":"Accepted"}}"#.to_owned(),
            ("Authorize", true) => r#"{"idTagInfo": {"status": "Accepted"}}"#.to_owned(),
            ("StartTransaction", false) => {
                format!(r#"{{"transactionId":{count},"idTagInfo":{{"status":"Accepted"}}}}"#)
            }
            ("StartTransaction", true) => {
                format!(r#"{{"idTagInfo": {{"status": "Accepted"}}, "transactionId": {}}}"#, 1_000_000 + count)
            }
            _ => "{}".to_owned(),
        };
        Some(if self.b {
            format!("[3, \"{id}\", {payload}]")
        } else {
            format!("[3,\"{id}\",{payload}]")
        })
    }
}
