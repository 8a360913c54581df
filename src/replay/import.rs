//! Logs of other programs, read as facts: what was recorded elsewhere is judged like what a tap saw.
//!
//! [`read`] turns a file into a [`Log`] of entries, [`weave`] turns the logs of one or both backends into the facts that
//! a tap between the chargers and the authority would have recorded. Messages keep the text that the log has. A line that
//! cannot be read is listed and leaves a gap: what it may have held is not comparable, never equal.
//!
//! Formats were read from their programs: the trace format 1.0 of OCPP `DebugKit` and Open OCPP Trace records as it documents them,
//! SteVe's `WebSocketLogger` behind its logback patterns, CitrineOS's table `OCPPMessages` (with and without `raw`), and
//! the logger of the Python package `ocpp`.

mod clock;
mod form;
mod heading;
mod lines;
mod records;
pub mod weave;

use std::io::Read as _;

use chrono_tz::Tz;

use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::Version;
pub use form::Format;
pub use weave::{Source, weave};

/// The largest file that is read, in bytes, unpacked: it is held in memory.
pub const MAX_BYTES: usize = 512 << 20;

/// One file as entries, in the order of the file or, for rows of a database, of their times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What it was read as.
    pub format: Format,
    /// What could be read, and where something could not.
    pub entries: Vec<Entry>,
    /// Lines of other talk, without an OCPP message.
    pub talk: u64,
    /// Entries that had no time of their own and took that of their neighbour.
    pub untimed: u64,
}

/// One thing that a log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Line of the file, from 1; where a record is not a line, the line at which it begins.
    pub line: u64,
    /// When it happened.
    pub at: Micros,
    /// The charger; empty where the log does not name it.
    pub charger: String,
    /// The version that was spoken, where the log names it.
    pub version: Option<Version>,
    /// What happened.
    pub what: What,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A message, as text.
    Message(Dir, String),
    /// The charger connected.
    Opened,
    /// The charger's connection ended.
    Closed,
    /// What cannot be read, and why: a message may be lost here.
    Bad(String),
}

/// How to read a file.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The format; found by content if absent.
    pub format: Option<Format>,
    /// The charger of entries that name none.
    pub charger: Option<&'a str>,
    /// The time zone of times that name none.
    pub zone: Tz,
}

/// Why a file is no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No known format fits.
    #[error("no OCPP messages in a known form were found")]
    Unknown,
    /// The file is not what it was said or seems to be.
    #[error("not {format}: {why}")]
    Broken {
        /// The format.
        format: Format,
        /// What is wrong.
        why: String,
    },
    /// Unpacked it is larger than [`MAX_BYTES`].
    #[error("larger than {} MiB; split it", MAX_BYTES >> 20)]
    Large,
    /// It is packed with gzip and cannot be unpacked.
    #[error("cannot be unpacked: {0}")]
    Packed(String),
    /// Messages whose charger nobody names.
    #[error("line {0} names no charger")]
    NoCharger(u64),
}

/// The bytes of a file, unpacked if they are packed with gzip, as log rotation does.
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, ImportError> {
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let limit = MAX_BYTES as u64 + 1;
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .take(limit)
            .read_to_end(&mut plain)
            .map_err(|error| ImportError::Packed(error.to_string()))?;
        plain
    } else {
        bytes
    };
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::Large);
    }
    Ok(bytes)
}

/// Reads a file.
pub fn read(bytes: &[u8], reading: &Reading<'_>) -> Result<Log, ImportError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let format = match reading.format {
        Some(format) => format,
        None => form::detect(bytes).ok_or(ImportError::Unknown)?,
    };
    let found = match format {
        Format::Debugkit | Format::OpenTrace | Format::Citrineos => {
            records::read(bytes, format, reading.zone)?
        }
        Format::Steve | Format::Python | Format::Plain => lines::read(bytes, format, reading.zone),
        Format::Facts => {
            let why = "facts are copied, not read as a log".to_owned();
            return Err(ImportError::Broken { format, why });
        }
    };
    heading::settle(found, format, reading)
}

/// An entry before its gaps are filled.
#[derive(Debug, Default)]
struct Found {
    line: u64,
    at: Option<Micros>,
    charger: Option<String>,
    version: Option<Version>,
    /// Number of a row of a database: tells those of the same time apart.
    row: Option<u64>,
    said: Said,
}

/// What an entry says, as far as its line alone tells.
#[derive(Debug, Default)]
enum Said {
    /// Nothing of OCPP.
    #[default]
    Talk,
    /// A message and, if said, which way it went.
    Message(String, Way),
    Opened,
    Closed,
    Bad(String),
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Known(Dir),
    /// Whoever wrote the log received it.
    In,
    /// Whoever wrote the log sent it.
    Out,
    Untold,
}
