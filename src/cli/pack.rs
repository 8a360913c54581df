//! `evenkeel pack`: the same facts in a fraction of the room.

use clap::Args;
use serde::Serialize;

use super::error::{CliError, Exit};
use super::recording::RecordingArg;
use crate::facts::recorder::{self, Shrunk};

/// Packs a recording that nobody writes to any more: the same facts in a fraction of the room.
///
/// A running tap packs by itself what is older than `recording.pack_after`. Every verb reads packed facts like others.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Print JSON (schema evenkeel.pack/1).
    #[arg(long)]
    json: bool,
}

/// What `pack --json` prints.
#[derive(Debug, Serialize)]
struct Said {
    schema: &'static str,
    facts: u64,
    bytes: u64,
    packed_bytes: u64,
    file_bytes_before: u64,
    file_bytes_after: u64,
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    let shrunk = recorder::pack(&dir, &mut |_| {})?;
    if options.json {
        super::say(&(super::to_json(&said(&shrunk))? + "\n"))?;
    } else {
        super::say(&format!(
            "{} facts packed: {} became {}\nfacts.db    {} before, {} now\n",
            shrunk.facts,
            size(shrunk.bytes),
            size(shrunk.packed),
            size(shrunk.file.0),
            size(shrunk.file.1),
        ))?;
    }
    Ok(Exit::Parity)
}

fn said(shrunk: &Shrunk) -> Said {
    Said {
        schema: "evenkeel.pack/1",
        facts: shrunk.facts,
        bytes: shrunk.bytes,
        packed_bytes: shrunk.packed,
        file_bytes_before: shrunk.file.0,
        file_bytes_after: shrunk.file.1,
    }
}

/// Bytes for people: three digits at least, and the unit.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x2800 => format!("{bytes} B"),
        0x2800..0xa0_0000 => format!("{} KiB", bytes >> 10),
        0xa0_0000..0x2_8000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}
