//! What a simulated charger does when left alone: boot, report, repeat its steps until told to stop.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::charger::{Occupancy, SimCharger, SimError};
use super::journal::Journal;
use super::link::Answer;
use super::state::{SAMPLE_SECONDS, Then};
use crate::ocpp::Version;

/// One thing a charger does, over and over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A driver shows a tag and leaves.
    Swipe {
        /// The tag.
        tag: String,
    },
    /// A driver shows a tag, charges if accepted, and stops.
    Charge {
        /// Which connector.
        connector: u32,
        /// The tag.
        tag: String,
        /// How many meter readings, one a simulated minute.
        samples: u32,
    },
    /// The charger tells its vendor something.
    Vendor {
        /// The `vendorId`.
        vendor: String,
        /// The `messageId`.
        message: String,
    },
    /// The site loses its power: the charger says goodbye to nobody and is not heard of again.
    GoDark,
}

/// Tells chargers to stop. Made by [`Stop::pair`].
#[derive(Debug, Clone)]
pub struct Stop {
    flag: watch::Receiver<bool>,
}

/// The other end of a [`Stop`]. Dropping it stops as well.
#[derive(Debug)]
pub struct Stopper {
    flag: watch::Sender<bool>,
}

impl Stop {
    /// A switch and its listener.
    pub fn pair() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper { flag: sender }, Self { flag: receiver })
    }

    /// Whether to stop.
    pub fn is_set(&self) -> bool {
        *self.flag.borrow() || self.flag.has_changed().is_err()
    }

    /// Completes when it is time to stop.
    pub async fn wait(&mut self) {
        // An error means that the switch is gone, which is a stop too.
        drop(self.flag.wait_for(|set| *set).await);
    }

    /// Sleeps; true when it was told to stop meanwhile.
    pub(super) async fn sleep(&mut self, pause: Duration) -> bool {
        timeout(pause, self.wait()).await.is_ok()
    }
}

impl Stopper {
    /// Tells every listener to stop.
    pub fn stop(&self) {
        self.flag.send_replace(true);
    }
}

/// The longest pause before the first message, simulated time. Keeps a fleet from booting in one instant.
const JITTER_SECONDS: u64 = 20;
/// Shortest and longest pause between two steps, simulated time.
const PAUSE_SECONDS: (u64, u64) = (10, 40);

impl SimCharger {
    /// Boots, announces its connectors and repeats `steps` until `stop` or its power goes. Finishes the outstanding CALL,
    /// closes with 1000 and returns the journal. Commands are answered all the time; sessions that a backend asks for run next.
    pub async fn run(mut self, steps: &[Step], stop: Stop) -> Result<Journal, SimError> {
        let journal = self.journal();
        self.persistent = Some(stop.clone());
        let mut routine = Routine {
            charger: self,
            stop,
            heartbeat: None,
        };
        match routine.live(steps).await {
            Ok(()) => return Ok(journal),
            Err(SimError::Stopped) => {}
            Err(error) => return Err(error),
        }
        match routine.charger.close(1000).await {
            // The backend was gone before: nothing is left to close.
            Err(error) if error.is_lost() => Ok(journal),
            Err(error) => Err(error),
            Ok(()) => Ok(journal),
        }
    }
}

struct Routine {
    charger: SimCharger,
    stop: Stop,
    /// When the next heartbeat is due, and how far apart they are.
    heartbeat: Option<(Instant, Duration)>,
}

impl Routine {
    /// Ends well when the power goes.
    async fn live(&mut self, steps: &[Step]) -> Result<(), SimError> {
        let jitter = self.charger.state.random.within(0..=JITTER_SECONDS);
        self.idle(jitter).await?;
        self.boot().await?;
        self.announce().await?;
        loop {
            for step in steps {
                self.pause().await?;
                if *step == Step::GoDark {
                    return Ok(());
                }
                match self.step(step).await {
                    // The charger gave up on a message; life goes on.
                    Ok(()) | Err(SimError::Silent(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if steps.is_empty() {
                self.pause().await?;
            }
        }
    }

    /// Boots until accepted.
    async fn boot(&mut self) -> Result<(), SimError> {
        loop {
            self.check()?;
            let answer = match self.charger.boot().await {
                Err(SimError::Silent(_)) => continue,
                other => other?,
            };
            let seconds = answer.at("/interval").as_u64().unwrap_or(0).max(1);
            if answer.text("/status") == "Accepted" {
                let period = self.real(seconds);
                self.heartbeat = Some((Instant::now() + period, period));
                return Ok(());
            }
            self.idle(seconds).await?;
        }
    }

    async fn announce(&mut self) -> Result<(), SimError> {
        let first = u32::from(self.charger.spec().version != Version::V16);
        for connector in first..=self.charger.spec().connectors {
            let occupancy = self
                .charger
                .state
                .connector(connector)
                .map_or(Occupancy::Available, |found| found.occupancy);
            self.say(connector, occupancy).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), SimError> {
        self.check()?;
        match step {
            // Nothing is said any more.
            Step::GoDark => {}
            Step::Swipe { tag } => {
                self.charger.authorize(tag).await?;
            }
            Step::Vendor { vendor, message } => {
                self.charger.data_transfer(vendor, message, "{}").await?;
            }
            Step::Charge {
                connector,
                tag,
                samples,
            } => {
                if self.charger.session(*connector).is_some() {
                    // Left over from a message that nobody answered.
                    return self.end(*connector, "Local").await;
                }
                let answer = self.charger.authorize(tag).await?;
                if !accepted(&answer) {
                    return Ok(());
                }
                self.begin(*connector, tag, None).await?;
                self.charge(*connector, *samples).await?;
            }
        }
        Ok(())
    }

    async fn begin(
        &mut self,
        connector: u32,
        tag: &str,
        remote_start_id: Option<serde_json::Value>,
    ) -> Result<(), SimError> {
        self.say(connector, Occupancy::Preparing).await?;
        self.check()?;
        let answer = self
            .charger
            .start_asked(connector, tag, remote_start_id)
            .await?;
        if accepted(&answer) {
            return self.say(connector, Occupancy::Charging).await;
        }
        if self.charger.session(connector).is_some() {
            self.check()?;
            self.charger.stop(connector, "DeAuthorized").await?;
        }
        self.say(connector, Occupancy::Available).await
    }

    /// Reads the meter once a simulated minute, then stops, unless a command stops it before.
    async fn charge(&mut self, connector: u32, samples: u32) -> Result<(), SimError> {
        for _ in 0..samples {
            self.idle(SAMPLE_SECONDS).await?;
            if self.charger.session(connector).is_none() {
                return Ok(());
            }
            self.check()?;
            self.charger.meter(connector).await?;
        }
        if self.charger.session(connector).is_some() {
            self.end(connector, "Local").await?;
        }
        Ok(())
    }

    async fn end(&mut self, connector: u32, reason: &str) -> Result<(), SimError> {
        self.check()?;
        self.charger.stop(connector, reason).await?;
        self.say(connector, Occupancy::Finishing).await?;
        self.say(connector, Occupancy::Available).await
    }

    async fn say(&mut self, connector: u32, occupancy: Occupancy) -> Result<(), SimError> {
        self.check()?;
        self.charger.status(connector, occupancy).await?;
        Ok(())
    }

    async fn pause(&mut self) -> Result<(), SimError> {
        let seconds = self
            .charger
            .state
            .random
            .within(PAUSE_SECONDS.0..=PAUSE_SECONDS.1);
        self.idle(seconds).await
    }

    /// Waits for `seconds` of simulated time: answers commands, does what they ask for, sends due heartbeats.
    async fn idle(&mut self, seconds: u64) -> Result<(), SimError> {
        let end = Instant::now() + self.real(seconds);
        loop {
            self.check()?;
            self.charger.forget_commands();
            if let Some(then) = self.charger.todo.pop_front() {
                self.follow(then).await?;
                continue;
            }
            if let Some((due, period)) = self.heartbeat
                && due <= Instant::now()
            {
                self.heartbeat = Some((Instant::now() + period, period));
                match self.charger.heartbeat().await {
                    Ok(_) | Err(SimError::Silent(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if end <= Instant::now() {
                return Ok(());
            }
            let until = self.heartbeat.map_or(end, |(due, _)| due.min(end));
            let served = tokio::select! {
                () = self.stop.wait() => return Err(SimError::Stopped),
                served = self.charger.serve_one(until) => served,
            };
            match served {
                Ok(_) => {}
                Err(error) if error.is_lost() => self.charger.return_to_backend().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Boxed, because a session that a command asked for idles in turn.
    async fn follow(&mut self, then: Then) -> Result<(), SimError> {
        match then {
            Then::Call(action, payload) => {
                self.charger.call(action, payload).await?;
            }
            Then::Start {
                connector,
                tag,
                remote_start_id,
            } => {
                self.begin(connector, &tag, remote_start_id).await?;
                if self.charger.session(connector).is_some() {
                    Box::pin(self.charge(connector, 2)).await?;
                }
            }
            Then::Stop { connector } if self.charger.session(connector).is_some() => {
                self.end(connector, "Remote").await?;
            }
            Then::Stop { .. } => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), SimError> {
        if self.stop.is_set() {
            Err(SimError::Stopped)
        } else {
            Ok(())
        }
    }

    fn real(&self, seconds: u64) -> Duration {
        self.charger.spec().pace.real(Duration::from_secs(seconds))
    }
}

/// Whether a tag was accepted, in either version. A 2.0.1 answer that says nothing about the tag accepts it.
fn accepted(answer: &Answer) -> bool {
    let status = match answer.text("/idTagInfo/status") {
        "" => answer.text("/idTokenInfo/status"),
        status => status,
    };
    status == "Accepted" || (status.is_empty() && !answer.is_error())
}
