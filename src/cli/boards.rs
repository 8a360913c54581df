//! The seen-boards that a shadow plane accounts by: the one of its own live plane, and the one that the run before left
//! behind if both of its planes were killed.

use std::convert::Infallible;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::error::CliError;
use crate::facts::resume::Resume;
use crate::facts::{Kind, Reader, Recorder, RecordingError};
use crate::live::seen::{self, Left, Seen};
use crate::shadow::plane::SeenCounts;
use crate::shadow::strangers;

/// How long the recorder may take to sync what was observed, before the last look at the board.
const SYNCING: Duration = Duration::from_secs(2);

/// An open board, or none: then gaps after a kill have no counts.
#[derive(Debug, Clone)]
pub struct Board(Option<Rc<seen::Reader>>);

/// Both boards, and the recording that they are compared with.
pub struct Boards {
    /// The live plane's.
    pub own: Board,
    /// The earlier run's.
    pub left: Option<Board>,
    own_place: Option<Left>,
    left_place: Option<Left>,
    /// Connections on the own board that no fact told of when this plane started. Most of them will be told now.
    suspects: Vec<Seen>,
    recording: Reader,
    /// The last fact of the earlier lives.
    resumed: u64,
}

impl Boards {
    /// Opens the board at `path`, and the one that `resume` knows of an earlier run.
    pub fn open(path: &Path, resume: &Resume, recording: Reader) -> Result<Self, RecordingError> {
        let own = Board(
            seen::Reader::open(path)
                .inspect_err(|error| {
                    tracing::warn!(%error, "no seen-board: gaps after a kill of the live plane will have no counts");
                })
                .ok()
                .map(Rc::new),
        );
        let own_place = Left::at(path);
        let left_place = resume
            .last_board
            .as_deref()
            .and_then(Left::named)
            .filter(|left| own_place.as_ref() != Some(left));
        let left = left_place.as_ref().map(|left| {
            let opened = left.open().inspect_err(|error| {
                tracing::warn!(%error, "cannot open the seen-board of the run before");
            });
            Board(opened.ok().flatten().map(Rc::new))
        });
        Ok(Self {
            suspects: strangers::among(&recording, own.all())?,
            resumed: recording.last_seq()?,
            own,
            left,
            own_place,
            left_place,
            recording,
        })
    }

    /// The name under which a later run finds the own board.
    pub fn own_name(&self) -> Option<&str> {
        self.own_place.as_ref().map(Left::name)
    }

    /// Records the connections of the earlier run that it could not record.
    pub fn confess_left(&self, recorder: &Recorder) -> Result<(), CliError> {
        if let Some(left) = &self.left {
            strangers::confess(recorder, &strangers::among(&self.recording, left.all())?);
        }
        Ok(())
    }

    /// Removes the board of the earlier run once all that it counts is on disk: when a later run has begun there. Then
    /// rests.
    pub async fn forget_left(&self, recorder: &Recorder) -> Infallible {
        let mut committed = recorder.committed();
        if let Some(left) = &self.left_place
            && committed.wait_for(|_| self.has_begun()).await.is_ok()
        {
            remove(left);
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

    /// Removes the own board: all that it counts is on disk.
    pub fn remove_own(&self) {
        if let Some(own) = &self.own_place {
            remove(own);
        }
    }
}

fn remove(left: &Left) {
    if let Err(error) = left.remove() {
        tracing::warn!(%error, board = left.name(), "cannot remove a seen-board");
    }
}

impl Board {
    fn all(&self) -> Vec<Seen> {
        let slots = self.0.as_ref().map(|board| board.all());
        slots
            .transpose()
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot read the seen-board");
                None
            })
            .unwrap_or_default()
    }
}

impl SeenCounts for Board {
    fn seen(&self, slot: u32, conn: u64) -> Option<[u64; 2]> {
        let seen = self
            .0
            .as_ref()?
            .get(slot)
            .inspect_err(|error| tracing::warn!(%error, "cannot read the seen-board"))
            .ok()??;
        (seen.conn == conn).then_some(seen.frames)
    }
}
