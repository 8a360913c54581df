//! Readers of session and CDR records: what the two backends book, as facts beside what the wire showed.
//!
//! A reader only reads, from one backend, at a polite pace, and records each record as it came. What it means is
//! [`crate::judge::records`]' business. A [`Shelf`] keeps what was recorded before, so that a reader may read again with
//! overlap, after a restart too, and nothing is recorded twice. The [`ocpi::sink`] is the other way round: a backend
//! pushes to it.

pub mod citrineos;
pub mod files;
pub mod http;
pub mod ocpi;
pub mod plane;
pub mod shelf;
pub mod steve;
pub mod tally;

use std::time::Duration;

use crate::clock::Micros;
use crate::facts::{Leg, RecordingError};
use crate::judge::records::{RecordKind, Sweep};
pub use shelf::Shelf;
pub use tally::Tally;

/// A reader as configured.
#[derive(Debug)]
pub struct Settings {
    /// Its name in facts.
    pub name: String,
    /// The backend that it reads.
    pub leg: Leg,
    /// Time between the end of one pass and the beginning of the next.
    pub every: Duration,
    /// How it reads.
    pub access: Access,
}

/// How a backend is read.
#[derive(Debug)]
pub enum Access {
    /// As an eMSP, from the sessions and CDRs that a CPO offers.
    Ocpi(Box<ocpi::client::Peer>),
    /// Pushed by the backend.
    OcpiSink(ocpi::sink::Door),
    /// SteVe's REST API.
    Steve(steve::Api),
    /// CitrineOS's database.
    Citrineos(citrineos::Database),
    /// Exported files.
    Files(files::Export),
}

/// Why a pass did not reach its end. Never names a credential.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A request failed.
    #[error(transparent)]
    Http(#[from] http::HttpError),
    /// The OCPI peer answered something that is no answer, or an error.
    #[error(transparent)]
    Ocpi(#[from] ocpi::OcpiError),
    /// The answer is not what this backend's API gives.
    #[error("{url}: {why}")]
    Answer {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database could not be read.
    #[error(transparent)]
    Database(#[from] citrineos::DatabaseError),
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// The recording could not be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The recorder is closing, or has no room even for rare facts.
    #[error("the recorder takes no more facts")]
    NotRecorded,
    /// A sink has nothing to be asked for.
    #[error("a sink is pushed to, not read")]
    Sink,
}

/// What one run of a reader did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Its passes, as recorded.
    pub sweeps: Vec<Sweep>,
}

impl Report {
    /// Why the run did not reach its end, if it did not.
    pub fn broken(&self) -> Option<&str> {
        self.sweeps.iter().find_map(|sweep| sweep.broken.as_deref())
    }
}

/// Reads everything once that has changed since the shelf's last complete pass, or since `since` (µs UTC, the backend's
/// time) if there was none. What fails is part of the report and of the recording; an error means that the recording
/// itself failed.
pub async fn run(
    settings: &Settings,
    shelf: &mut Shelf,
    since: Option<Micros>,
) -> Result<Report, ReadError> {
    let kinds: Vec<RecordKind> = match &settings.access {
        Access::Ocpi(peer) => peer.kinds(),
        Access::OcpiSink(_) => return Err(ReadError::Sink),
        Access::Steve(_) | Access::Citrineos(_) => vec![RecordKind::Session],
        Access::Files(export) => vec![export.map.kind],
    };
    let mut report = Report::default();
    for kind in kinds {
        shelf.begin(kind);
        let from = shelf.cursor(kind).or(since);
        let ended = match &settings.access {
            Access::Ocpi(peer) => ocpi::client::read(peer, kind, from, shelf).await,
            Access::OcpiSink(_) => Err(ReadError::Sink),
            Access::Steve(api) => steve::read(api, from, shelf).await,
            Access::Citrineos(database) => citrineos::read(database, from, shelf).await,
            Access::Files(export) => files::read(export, shelf).await,
        };
        if let Err(error) = &ended {
            tracing::warn!(reader = %settings.name, %error, "reading a backend broke off");
        }
        report.sweeps.push(shelf.end(ended).await?);
    }
    Ok(report)
}
