//! The other side: asks a running tap, and writes notes whether or not one runs.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::{Answer, Ask, FILE, LONGEST, PathTooLong, Reply, Request, VERSION, place};
use crate::clock::Clock;
use crate::facts::chain::{Scribe, Unwritten};
use crate::facts::{Kind, Limits, Reader, Recorder, RecordingError, recorder};

/// How long an answer may take: longer than the tap gives its disk.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a note may take to reach the disk where no tap runs.
const WRITING: Duration = Duration::from_secs(30);

/// How long a recorder that was closed may take to leave the recording.
const LEAVING: Duration = Duration::from_secs(1);

/// Why a tap did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No tap listens in this recording.
    #[error("no tap listens there")]
    Nobody,
    /// No tap can listen in this recording.
    #[error(transparent)]
    TooLong(#[from] PathTooLong),
    /// The request is larger than a tap takes.
    #[error("a request of {0} bytes is too long for the control socket")]
    TooMuch(usize),
    /// The answer did not come, or not whole. It may have been done all the same.
    #[error("the tap did not answer: {0}")]
    Unanswered(io::Error),
}

/// Why a note was not written.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The running tap would not.
    #[error("the tap refused: {0}")]
    Refused(String),
    /// The running tap could not be asked. It may have written the note all the same.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The note cannot be the next link.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// The recording cannot be written.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The note is no JSON.
    #[error("write the note as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Asks the tap that runs on the recording `dir`. Blocks until it has answered.
pub fn ask(dir: &Path, ask: Ask) -> Result<Answer, AskError> {
    let path = place(dir, FILE)?;
    let mut line = serde_json::to_vec(&Request { v: VERSION, ask })
        .map_err(|error| AskError::Unanswered(error.into()))?;
    if line.len() >= LONGEST {
        return Err(AskError::TooMuch(line.len()));
    }
    line.push(b'\n');
    let tap = UnixStream::connect(path).map_err(|error| match error.kind() {
        // No file, or one that a killed tap has left behind.
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Nobody,
        _ => AskError::Unanswered(error),
    })?;
    answer(tap, &line).map_err(AskError::Unanswered)
}

fn answer(mut tap: UnixStream, line: &[u8]) -> io::Result<Answer> {
    tap.set_read_timeout(Some(PATIENCE))?;
    tap.set_write_timeout(Some(PATIENCE))?;
    tap.write_all(line)?;
    let mut said = String::new();
    BufReader::new(tap.take(LONGEST as u64)).read_line(&mut said)?;
    if said.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let reply: Reply = serde_json::from_str(&said)?;
    Ok(reply.answer)
}

/// Writes what people say or decide into the recording `dir`: through the tap that runs on it, or else directly. Returns the
/// number of the fact, which is on disk.
pub fn note(dir: &Path, kind: Kind, body: String) -> Result<u64, NoteError> {
    let raw = RawValue::from_string(body)?;
    let wanted = match kind {
        Kind::Decision => Ask::Decision(raw.clone()),
        Kind::HookRan => Ask::Hook(raw.clone()),
        Kind::Revealed => Ask::Revealed(raw.clone()),
        _ => Ask::Triage(raw.clone()),
    };
    match ask(dir, wanted) {
        Ok(Answer::Written(seq)) => Ok(seq),
        Ok(Answer::Refused(why)) => Err(NoteError::Refused(why)),
        Ok(other) => Err(NoteError::Refused(format!(
            "it answered something else: {other:?}"
        ))),
        // Whoever records there says so by the lock.
        Err(AskError::Nobody) => directly(dir, kind, raw.get()),
        Err(AskError::TooLong(path)) => match directly(dir, kind, raw.get()) {
            Err(NoteError::Recording(RecordingError::Locked { .. })) => {
                Err(AskError::TooLong(path).into())
            }
            written => written,
        },
        Err(error) => Err(error.into()),
    }
}

/// Writes a note while nobody records.
fn directly(dir: &Path, kind: Kind, body: &str) -> Result<u64, NoteError> {
    let limits = Limits {
        lock_wait: Duration::ZERO,
        ..Limits::default()
    };
    let recorder = Recorder::open(dir, limits)?;
    let mut scribe = Scribe::new(recorder, &Reader::open(dir)?)?;
    let seq = scribe.write(kind, Clock::system().now(), body.to_owned())?;
    scribe.recorder().close(WRITING)?;
    // Whoever wants to judge the note next must find the recording free.
    let deadline = Instant::now() + LEAVING;
    while recorder::claim(dir)?.is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(seq)
}
