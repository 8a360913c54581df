//! The seen-boards that a shadow plane accounts by: that of its own live plane, and those that earlier runs left behind
//! because both of their planes were killed. An empty file in the recording, named like the board, marks each.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::error::CliError;
use crate::facts::{Kind, Reader, Recorder, RecordingError, private};
use crate::live::seen::{self, Left, Seen};
use crate::shadow::plane::SeenCounts;
use crate::shadow::strangers;

/// How long the recorder may take to sync what was observed, before the last look at the board.
const SYNCING: Duration = Duration::from_secs(2);

/// Marks in the recording which board counts for it, before the first charger is accepted.
pub fn mark(board: &Path, recording: &Path) {
    let Some(left) = Left::at(board) else { return };
    let made = private::folder(recording).and_then(|()| {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(recording.join(left.name()))
    });
    if let Err(error) = made {
        tracing::warn!(%error, "cannot mark the recording: frames seen when both planes die will have no counts");
    }
}

/// Open boards; none if none could be opened: then gaps after a kill have no counts.
#[derive(Debug, Clone)]
pub struct Board(Rc<[seen::Reader]>);

/// The boards, and the recording that they are compared with.
pub struct Boards {
    /// The live plane's.
    pub own: Board,
    /// Those of earlier runs.
    pub left: Board,
    place: PathBuf,
    own_place: Option<Left>,
    left_places: Vec<Left>,
    /// Connections on the own board that no fact told of when this plane started. Most of them will be told now.
    suspects: Vec<Seen>,
    recording: Reader,
    /// The last fact of earlier lives.
    resumed: u64,
}

impl Boards {
    /// Opens the board at `path`, and those that are marked in the recording at `place`.
    pub fn open(path: &Path, place: &Path, recording: Reader) -> Result<Self, RecordingError> {
        let own = seen::Reader::open(path).inspect_err(|error| {
            tracing::warn!(%error, "no seen-board: gaps after a kill of the live plane will have no counts");
        });
        let own = Board(own.into_iter().collect());
        let own_place = Left::at(path);
        let (left_places, left): (Vec<Left>, Vec<_>) = marked(place)
            .into_iter()
            .filter(|left| own_place.as_ref() != Some(left))
            .filter_map(|left| {
                let opened = left.open().inspect_err(|error| {
                    tracing::warn!(%error, board = left.name(), "cannot open a seen-board");
                });
                Some((left, opened.ok()?))
            })
            .unzip();
        Ok(Self {
            suspects: strangers::among(&recording, own.all())?,
            resumed: recording.last_seq()?,
            left: Board(left.into_iter().flatten().collect()),
            own,
            place: place.to_owned(),
            own_place,
            left_places,
            recording,
        })
    }

    /// Records the connections of earlier runs that they could not record.
    pub fn confess_left(&self, recorder: &Recorder) -> Result<(), CliError> {
        let strangers = strangers::among(&self.recording, self.left.all())?;
        strangers::confess(recorder, &strangers);
        Ok(())
    }

    /// Removes the boards of earlier runs once all that they count is on disk: when another run has begun there. Then
    /// rests.
    pub async fn forget_left(&self, recorder: &Recorder) -> Infallible {
        let mut committed = recorder.committed();
        if !self.left_places.is_empty() && committed.wait_for(|_| self.has_begun()).await.is_ok() {
            self.remove(&self.left_places);
        }
        std::future::pending().await
    }

    /// Whether the beginning of another run than the one before is on disk.
    fn has_begun(&self) -> bool {
        self.recording
            .of_kind(Kind::TapStarted, self.resumed, 1)
            .inspect_err(|error| tracing::warn!(%error, "cannot look for the beginning of the run"))
            .is_ok_and(|started| !started.is_empty())
    }

    /// Records the connections of this run that no life of its shadow plane could record.
    pub async fn confess_own(&self, recorder: &Recorder) -> Result<(), CliError> {
        let mut committed = recorder.committed();
        let synced = committed.wait_for(|_| recorder.counters().queued == 0);
        if tokio::time::timeout(SYNCING, synced).await.is_err() {
            // What is not on disk yet cannot be told from what is lost.
            tracing::warn!("the recorder is slow: lost connections are not looked for");
            return Ok(());
        }
        let slots = self.suspects.iter().cloned().chain(self.own.all());
        strangers::confess(recorder, &strangers::among(&self.recording, slots)?);
        Ok(())
    }

    /// Removes every board: all that they count is on disk.
    pub fn remove_all(&self) {
        self.remove(&self.left_places);
        self.remove(self.own_place.as_slice());
    }

    fn remove(&self, boards: &[Left]) {
        for left in boards {
            let mark = self.place.join(left.name());
            // The mark last: a board without one would never be found again.
            if let Err(error) = left
                .remove()
                .and_then(|()| gone(std::fs::remove_file(mark)))
            {
                tracing::warn!(%error, board = left.name(), "cannot remove a seen-board");
            }
        }
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn marked(place: &Path) -> Vec<Left> {
    let entries = std::fs::read_dir(place)
        .inspect_err(|error| tracing::warn!(%error, "cannot look for seen-boards of earlier runs"));
    let names = entries.into_iter().flatten().map_while(Result::ok);
    names
        .filter_map(|entry| Left::named(entry.file_name().to_str()?))
        .collect()
}

impl Board {
    fn all(&self) -> Vec<Seen> {
        let slots = self.0.iter().filter_map(|board| {
            board
                .all()
                .inspect_err(|error| tracing::warn!(%error, "cannot read a seen-board"))
                .ok()
        });
        slots.flatten().collect()
    }
}

impl SeenCounts for Board {
    fn seen(&self, slot: u32, conn: u64) -> Option<[u64; 2]> {
        self.0.iter().find_map(|board| {
            let seen = board
                .get(slot)
                .inspect_err(|error| tracing::warn!(%error, "cannot read a seen-board"))
                .ok()??;
            (seen.conn == conn).then_some(seen.frames)
        })
    }
}
