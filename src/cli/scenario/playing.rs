//! Plays scenarios, several at once, and weighs what came of them when everything is recorded.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};

use super::Options;
use super::files::File;
use super::stage::{self, Built};
use crate::cli::error::{CliError, Exit};
use crate::cli::judging;
use crate::cli::target::no_tls;
use crate::facts::Leg;
use crate::replay::scenario::actor::{Played, Stage};
use crate::replay::scenario::orders::Orders;
use crate::replay::scenario::results::Came;
use crate::replay::scenario::weigh::{Source, are_booked, weigh};

/// How long the books of sessions may take to be read.
const BOOKED: Duration = Duration::from_secs(15);

/// What came of everything.
pub(super) struct Outcome {
    /// Scenarios in the order of their files.
    pub(super) came: Vec<Came>,
    /// The backends.
    pub(super) urls: BTreeMap<Leg, String>,
    /// Ctrl-C was pressed before all were played.
    pub(super) interrupted: bool,
}

/// Plays all scenarios.
pub(super) async fn play(options: &Options, files: &[File]) -> Result<Outcome, CliError> {
    let mut built = stage::build(options, files).await?;
    let (played, interrupted) = everything(options, files, &built.stage).await?;
    if !interrupted {
        books(&built.stage, &played).await?;
    }
    put_away(&mut built).await?;
    let came = played.iter().zip(files).filter_map(|(played, file)| {
        let name = file.name();
        let source = Source {
            scenario: &file.scenario,
            file: &name,
            text: &file.text,
        };
        let observed = built
            .stage
            .observed
            .as_ref()
            .map(std::cell::RefCell::borrow);
        Some(weigh(
            source,
            played.as_ref()?,
            built.stage.leg,
            observed.as_deref(),
        ))
    });
    Ok(Outcome {
        came: came.collect(),
        urls: built.urls.clone(),
        interrupted,
    })
}

/// Plays until all are over or somebody has seen enough; the played ones at the places of their files.
async fn everything(
    options: &Options,
    files: &[File],
    stage: &Stage,
) -> Result<(Vec<Option<Played>>, bool), CliError> {
    let one = |(number, file): (usize, &File)| {
        let identity = options.how.identity().unwrap_or(&file.identity).to_owned();
        let scenario = file.scenario.clone();
        async move { (number, stage.play(&scenario, &identity, number).await) }
    };
    let tasks: Vec<_> = files.iter().enumerate().map(one).collect();
    let mut playing = stream::iter(tasks).buffer_unordered(options.jobs());
    let mut played: Vec<Option<Played>> = files.iter().map(|_| None).collect();
    let mut progress = Progress::new(files.len());
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            pressed = &mut stop => {
                pressed.map_err(|error| {
                    CliError::new(Exit::Environment, "ENV-005", format!("cannot watch for Ctrl-C: {error}"))
                })?;
                return Ok((played, true));
            }
            next = playing.next() => match next {
                Some((number, done)) => {
                    played[number] = Some(done.map_err(|error| no_tls(&error))?);
                    progress.step();
                }
                None => return Ok((played, false)),
            },
        }
    }
}

/// Waits until the books of all sessions have been read and judged, as long as that may take.
async fn books(stage: &Stage, played: &[Option<Played>]) -> Result<(), CliError> {
    let (Some(observed), Orders::Pair(_)) = (&stage.observed, &stage.orders) else {
        return Ok(());
    };
    let due = Instant::now() + BOOKED;
    loop {
        let all = {
            let mut observed = observed.borrow_mut();
            observed.read()?;
            let played = played.iter().flatten();
            played
                .map(|played| &played.charger)
                .all(|charger| are_booked(&observed, charger))
        };
        if all || Instant::now() > due {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Stops the tap, which then has recorded everything, and reads the rest.
async fn put_away(built: &mut Built) -> Result<(), CliError> {
    if let Some(mut tap) = built.tap.take() {
        // On another thread: the backends go on answering what the tap still has for them.
        let stopped = tokio::task::spawn_blocking(move || tap.stop()).await;
        if let Err(error) = stopped {
            eprintln!("the tap was not stopped in order: {error}");
        }
    }
    if let Some(observed) = &built.stage.observed {
        observed.borrow_mut().read()?;
    }
    if let Some(recording) = &built.recording {
        judging::bring_up_to_date(recording.path())?;
    }
    Ok(())
}

/// One line on stderr that says how far it is, on a terminal.
struct Progress {
    done: usize,
    all: usize,
    shows: bool,
}

impl Progress {
    fn new(all: usize) -> Self {
        let shows = all > 1 && std::io::stderr().is_terminal();
        Self {
            done: 0,
            all,
            shows,
        }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.shows {
            eprint!("\rplayed {} of {} ", self.done, self.all);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shows && self.done > 0 {
            // The results come where the line was.
            eprint!("\r{:40}\r", "");
        }
    }
}
