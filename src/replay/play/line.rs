//! The line to a target: texts out, texts in, each with a limit.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout;

use super::Target;
use crate::clock::{Clock, Micros};
use crate::facts::Leg;
use crate::live::tls::TlsError;
use crate::shadow::dial::{Caller, DialError, Dialler};
use crate::shadow::settings::ShadowSettings;
use crate::shadow::socket::{Incoming, Sending, Socket, SocketEnd};

/// The longest message that a target may send, in bytes.
const MAX_MESSAGE: usize = 16 << 20;

/// How long the goodbye may take.
const CLOSING: Duration = Duration::from_secs(2);

/// An open line.
#[derive(Debug)]
pub(in crate::replay) struct Line {
    socket: Socket,
}

/// What came.
pub(in crate::replay) enum Heard {
    /// A text message.
    Text(String),
    /// Nothing in time.
    Nothing,
}

/// Why a line ended.
#[derive(Debug)]
pub(in crate::replay) struct End {
    /// In words.
    pub(in crate::replay) why: String,
    /// The target's close code.
    pub(in crate::replay) code: Option<u16>,
}

impl From<SocketEnd> for End {
    fn from(end: SocketEnd) -> Self {
        let code = match &end {
            SocketEnd::Closed(code, _) => Some(*code),
            _ => None,
        };
        let why = end.to_string();
        Self { why, code }
    }
}

/// What dials a target.
pub(in crate::replay) fn dialler(target: &Target) -> Result<Dialler, TlsError> {
    let settings = ShadowSettings {
        allows_local: true,
        credentials: target.credentials.clone(),
        max_message: MAX_MESSAGE,
        ..ShadowSettings::new(Leg::Candidate, target.backend.clone())
    };
    Dialler::new(Rc::new(settings))
}

/// Dials, as this charger and with this offer; also says which subprotocol was chosen.
pub(in crate::replay) async fn open(
    dialler: &Dialler,
    identity: &str,
    offered: Option<&str>,
) -> Result<(Line, Option<String>), DialError> {
    let caller = Caller {
        charger: identity,
        login: None,
    };
    let dialed = dialler.dial(caller, offered).await?;
    let line = Line {
        socket: dialed.socket,
    };
    Ok((line, dialed.subprotocol))
}

impl Line {
    /// Sends a text; a target that does not read is given `limit`.
    pub(in crate::replay) async fn send(&mut self, text: &str, limit: Duration) -> Result<(), End> {
        match self.socket.send(text, limit) {
            Sending::Done(done) => Ok(done?),
            Sending::Waits(done) => Ok(done.await?),
        }
    }

    /// Sends a text in so many frames.
    pub(in crate::replay) async fn send_fragments(
        &mut self,
        text: &str,
        fragments: u32,
        limit: Duration,
    ) -> Result<(), End> {
        if fragments < 2 {
            return self.send(text, limit).await;
        }
        let size = text.len().div_ceil(fragments as usize).max(1);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        Ok(self.socket.send_pieces(&pieces, limit).await?)
    }

    /// Sends a binary message.
    pub(in crate::replay) async fn send_binary(
        &mut self,
        bytes: Vec<u8>,
        limit: Duration,
    ) -> Result<(), End> {
        Ok(self.socket.send_binary(bytes, limit).await?)
    }

    /// The next text message before `due`.
    pub(in crate::replay) async fn hear(&mut self, due: Micros) -> Result<Heard, End> {
        loop {
            let left = u64::try_from(due - Clock::system().now()).unwrap_or(0);
            let Ok(came) = timeout(Duration::from_micros(left), self.socket.recv()).await else {
                return Ok(Heard::Nothing);
            };
            if let Incoming::Text(bytes) = came? {
                return Ok(Heard::Text(String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }

    /// Says goodbye.
    pub(in crate::replay) async fn close(self) {
        self.socket.finish(None, CLOSING).await;
    }
}
