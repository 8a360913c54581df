//! The control socket: what changes a running tap comes in here, and nowhere else.
//!
//! It is a Unix socket in the recording's directory, for its owner alone. A client sends one line of JSON and gets one
//! back: `{"v":1,"ask":{"triage":{...}}}`, `{"v":1,"answer":{"written":10561}}`. The shadow plane serves it beside its legs, on
//! the same thread; a client can make it wait for nothing, and what one may send, and how long, is limited.
//!
//! A request is an arm of [`Ask`] here, and the arm of `Control::answer` in `control/server.rs` that does it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::switch;

mod client;
mod server;

pub use client::{AskError, NoteError, ask, note};
pub use server::{Control, Door};

/// File name of the socket inside a recording.
pub const FILE: &str = "control.sock";

/// The version of the lines.
pub const VERSION: u32 = 1;

/// The longest request, bytes.
pub const LONGEST: usize = 64 * 1024;

/// The longest path that the system takes for a socket, bytes.
const LONGEST_PATH: usize = 107;

/// What a client wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Write down what people say of a finding or a build: [`crate::facts::Kind::Triage`], whose body this is.
    Triage(Box<RawValue>),
    /// Write down what people decide: [`crate::facts::Kind::Decision`], whose body this is.
    Decision(Box<RawValue>),
    /// Write down what the program did that a decision ran: [`crate::facts::Kind::HookRan`], whose body this is.
    Hook(Box<RawValue>),
    /// Write down that somebody asked whose a pseudonym is: [`crate::facts::Kind::Revealed`], whose body this is.
    Revealed(Box<RawValue>),
    /// Move chargers to a backend, or back.
    Switch(Box<switch::Request>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is on disk, as the fact with this number.
    Written(u64),
    /// The switch was begun; the recording tells how it goes.
    Begun(switch::Accepted),
    /// It was not done, for this reason.
    Refused(String),
}

/// A line of a client.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    v: u32,
    ask: Ask,
}

/// A line of the tap.
#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    v: u32,
    answer: Answer,
}

/// The path of a socket is longer than the system allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {} has {} bytes, a socket may have {LONGEST_PATH}", .0.display(), .0.as_os_str().len())]
pub struct PathTooLong(PathBuf);

/// Where a recording's socket is.
fn place(dir: &Path, name: &str) -> Result<PathBuf, PathTooLong> {
    let path = dir.join(name);
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(PathTooLong(path));
    }
    Ok(path)
}
