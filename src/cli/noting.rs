//! How what people say gets into a recording, whether or not a tap records.

use std::path::Path;
use std::time::{Duration, Instant};

use super::error::{CliError, Exit};
use crate::facts::chain::Unwritten;
use crate::facts::{Kind, RecordingError};
use crate::ledger::query;
use crate::shadow::control::{self, AskError, NoteError};

/// How long the judge of a running tap is waited for.
const BEHIND: Duration = Duration::from_secs(5);

/// How often it is looked at meanwhile.
const AGAIN: Duration = Duration::from_millis(20);

/// Writes a note of this kind, whose body is JSON; returns the number of its fact.
pub(super) fn write(dir: &Path, kind: Kind, body: String) -> Result<u64, CliError> {
    control::note(dir, kind, body).map_err(|error| unwritten(&error))
}

/// Waits a while until the judge of a running tap has come to a note, so that the next verb knows of it.
pub(super) fn wait_until_judged(dir: &Path, note: u64) -> Result<(), CliError> {
    let (until, ledger) = (Instant::now() + BEHIND, query::Reader::open(dir)?);
    while ledger.cursor()?.seq < note && Instant::now() < until {
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

fn unwritten(error: &NoteError) -> CliError {
    let (exit, code, help) = match error {
        NoteError::Recording(RecordingError::Locked { .. }) => (
            Exit::Environment,
            "TRI-004",
            "another program writes into the recording and takes no notes: wait until it has ended",
        ),
        NoteError::Unwritten(Unwritten::Broken(_)) => (
            Exit::Integrity,
            "TRI-005",
            "`evenkeel verify` tells more; go on with a copy that is whole",
        ),
        NoteError::Refused(_) | NoteError::Unwritten(_) | NoteError::Json(_) => (
            Exit::Environment,
            "CTL-001",
            "nothing was noted; the tap's log and its health page may say more",
        ),
        NoteError::Ask(AskError::TooLong(_)) => (
            Exit::Environment,
            "CTL-003",
            "a tap that records there cannot be asked: record in a directory with a shorter path, or write notes once the \
             tap has ended",
        ),
        NoteError::Ask(_) => (
            Exit::Environment,
            "CTL-002",
            "it may have been noted all the same: look with `evenkeel diffs` before you note it again",
        ),
        NoteError::Recording(_) => (
            Exit::Environment,
            "REC-003",
            "the recording must be writable for you",
        ),
    };
    CliError::new(exit, code, super::chain(error)).help(help)
}
