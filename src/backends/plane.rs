//! The readers beside a running tap: all of them on one thread of the shadow plane, which has the recorder.
//!
//! A recording has one writer, so readers do not open it for writing themselves: they hold a handle of the recorder that
//! is there. Nothing waits for them.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::ocpi::sink::{self, Door, Sink};
use super::tally::{Named, Tally};
use super::{Access, ReadError, Settings, Shelf, run};
use crate::clock::{Clock, Micros};
use crate::facts::{Reader, Recorder};

/// Pause after a failure of the recording.
const RETRY: Duration = Duration::from_secs(30);

/// The thread of the readers.
#[derive(Debug)]
pub struct Plane {
    tallies: Vec<Named>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Plane {
    /// Starts the readers. They read what has changed since they were there last; the first time, what has changed within
    /// `lookback` before now.
    pub fn spawn(
        readers: Vec<Settings>,
        recording: &Path,
        recorder: Recorder,
        lookback: Duration,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopping) = watch::channel(false);
        let tallies: Vec<Named> = readers
            .iter()
            .map(|settings| Named {
                reader: settings.name.clone(),
                leg: settings.leg,
                tally: Tally::default(),
            })
            .collect();
        let counted = tallies.clone();
        let place = Place {
            recording: recording.to_owned(),
            recorder,
            since: Clock::system().now() - lookback.as_micros() as Micros,
        };
        let thread = std::thread::Builder::new()
            .name("backends".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, all((readers, counted), place, stopping));
            })?;
        Ok(Self {
            tallies,
            stop,
            thread,
        })
    }

    /// What each reader has done, as it changes.
    pub fn tallies(&self) -> Vec<Named> {
        self.tallies.clone()
    }

    /// Ends the readers where they are; what they have not recorded they read again next time. Blocks until they are gone.
    pub fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the readers of backend records panicked");
        }
    }
}

/// Where readers record.
struct Place {
    recording: PathBuf,
    recorder: Recorder,
    since: Micros,
}

impl Place {
    fn shelf(&self, settings: &Settings, tally: &Tally) -> Result<Shelf, ReadError> {
        let facts = Reader::open(&self.recording)?;
        let (name, leg) = (&settings.name, settings.leg);
        let opened = Shelf::open(self.recorder.clone(), name, leg, Some(&facts))?;
        Ok(opened.counting(tally.clone()))
    }
}

async fn all(
    (readers, tallies): (Vec<Settings>, Vec<Named>),
    place: Place,
    stopping: watch::Receiver<bool>,
) {
    let readers = readers.iter().zip(&tallies).map(|(settings, named)| {
        let (place, stopping) = (&place, stopping.clone());
        async move {
            let mut stop = stopping.clone();
            let kept = keep((settings, &named.tally), place, stopping);
            tokio::select! {
                () = kept => {}
                _ = stop.wait_for(|stop| *stop), if !is_sink(settings) => {}
            }
        }
    });
    futures_util::future::join_all(readers).await;
}

/// A sink ends by itself, telling what it took.
fn is_sink(settings: &Settings) -> bool {
    matches!(settings.access, Access::OcpiSink(_))
}

/// Keeps one reader at work; begins again after a failure.
async fn keep(
    (settings, tally): (&Settings, &Tally),
    place: &Place,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let ended = match &settings.access {
            Access::OcpiSink(door) => open(door, (settings, tally), place, stopping.clone()).await,
            _ => repeat(settings, tally, place).await,
        };
        match ended {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(reader = %settings.name, %error, "a reader of backend records begins again");
            }
        }
        if timeout(RETRY, stopping.wait_for(|stop| *stop))
            .await
            .is_ok()
        {
            return;
        }
    }
}

async fn repeat(settings: &Settings, tally: &Tally, place: &Place) -> Result<(), ReadError> {
    let mut shelf = place.shelf(settings, tally)?;
    loop {
        run(settings, &mut shelf, Some(place.since)).await?;
        tokio::time::sleep(settings.every).await;
    }
}

async fn open(
    door: &Door,
    (settings, tally): (&Settings, &Tally),
    place: &Place,
    stopping: watch::Receiver<bool>,
) -> Result<(), ReadError> {
    let unavailable = |error: std::io::Error| ReadError::Answer {
        url: format!("http://{}", door.listen),
        why: error.to_string(),
    };
    let listener = TcpListener::bind(door.listen).await.map_err(unavailable)?;
    let bound = listener.local_addr().map_err(unavailable)?;
    let shelf = place.shelf(settings, tally)?;
    let (leg, name) = (settings.leg, &settings.name);
    let sink = Sink::new(door.clone(), bound, leg, name, shelf, &place.recording)?;
    tracing::info!(reader = %name, "OCPI sink on http://{bound}/ocpi/versions");
    sink::serve(sink, listener, stopping).await;
    Ok(())
}
