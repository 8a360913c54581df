//! One charger that says once more what it said.

mod call;

use std::rc::Rc;
use std::time::Duration;

use super::resume::{self, Place};
use super::{DIALS, Fresh, PAUSE, Stage};
use crate::clock::{Clock, Micros};
use crate::facts::Recorder;
use crate::ocpp::Version;
use crate::ocpp::relation::Relation;
use crate::replay::bundle::Charger;
use crate::replay::play::line::{self, End, Heard, Line};
use crate::replay::sim::random::Random;
use crate::replay::story::{Story, Teller};
use crate::replay::tape::Track;

/// A charger in front of its targets.
pub(super) struct Actor<'a> {
    stage: &'a Rc<Stage>,
    track: &'a Track,
    identity: String,
    /// By target.
    lanes: Vec<Lane>,
    /// The connection of the track that is open.
    open: Option<usize>,
    story: Option<Story>,
    next: usize,
    fresh: Fresh,
    random: Random,
}

/// The way to one target.
#[derive(Default)]
struct Lane {
    line: Option<Line>,
    relation: Relation,
}

fn now() -> Micros {
    Clock::system().now()
}

impl<'a> Actor<'a> {
    /// The charger of a track, or one of its copies.
    pub(super) fn new(stage: &'a Rc<Stage>, track: usize, copy: u32) -> Self {
        let track = &stage.tape.tracks[track];
        let identity = match copy {
            0 => track.charger.clone(),
            copy => format!("{}-{copy}", track.charger),
        };
        let place = stage.places.borrow().chargers.get(&identity).cloned();
        let place = place.unwrap_or_default();
        let lanes = (0..stage.settings.targets.len()).map(|target| Lane {
            line: None,
            relation: place
                .identifiers
                .get(target)
                .map_or_else(Relation::new, |kept| resume::relation(kept)),
        });
        Self {
            lanes: lanes.collect(),
            random: Random::named(stage.began.unsigned_abs(), &identity),
            open: None,
            story: None,
            next: place.next,
            fresh: place.transactions,
            stage,
            track,
            identity,
        }
    }

    /// Says everything that is left, and leaves.
    pub(super) async fn run(mut self) {
        let enters = self
            .track
            .beats
            .get(self.next)
            .map_or(self.track.enters, |beat| beat.due);
        if !self.is_stopped() && self.until(self.stage.due(enters)).await {
            self.speak().await;
        }
        self.stage.busy.send_modify(|busy| *busy -= 1);
        if self.stage.settings.storm {
            self.stay().await;
        }
        self.note();
        self.leave().await;
    }

    async fn speak(&mut self) {
        if self.track.beats.is_empty() {
            let last = self.track.lines.len().saturating_sub(1);
            self.connect(last).await;
            return;
        }
        while let Some(beat) = self.track.beats.get(self.next) {
            if !self.until(self.stage.due(beat.due)).await || !self.disk_follows().await {
                return;
            }
            if !self.is_open(beat.line) && !self.connect(beat.line).await {
                return;
            }
            self.say(beat).await;
            self.next += 1;
            self.stage.done.set(self.stage.done.get() + 1);
        }
    }

    /// Waits while the disk is slower than the traffic; false if it was told to stop.
    async fn disk_follows(&mut self) -> bool {
        while self
            .stage
            .recorder
            .as_ref()
            .is_some_and(Recorder::is_pressed)
        {
            if !self.until(now() + BREATH).await {
                return false;
            }
        }
        true
    }

    fn is_stopped(&self) -> bool {
        *self.stage.stop.borrow()
    }

    fn is_open(&self, number: usize) -> bool {
        self.open == Some(number) && self.lanes.iter().all(|lane| lane.line.is_some())
    }

    /// Opens the track's connection with this number at every target; false if that cannot be done.
    async fn connect(&mut self, number: usize) -> bool {
        self.leave().await;
        let Some(info) = self.track.lines.get(number) else {
            return false;
        };
        self.open = Some(number);
        let charger = Charger {
            identity: self.identity.clone(),
            version: info.version.number().to_owned(),
            subprotocol: info.subprotocol.clone(),
        };
        if let Some(recorder) = &self.stage.recorder {
            let (teller, conn) = (Teller::Recorded(recorder.clone()), self.stage.next_conn());
            let chosen = info.subprotocol.as_deref();
            self.story = Some(Story::begin(teller, conn, &charger, chosen, now()));
        }
        for target in 0..self.lanes.len() {
            if !self.dial(target, &charger).await {
                return false;
            }
        }
        true
    }

    /// Dials a target until it lets the charger in, or for too long.
    async fn dial(&mut self, target: usize, charger: &Charger) -> bool {
        let dialler = &self.stage.diallers[target];
        let own = &self.stage.settings.targets[target];
        let offered = own
            .subprotocol
            .as_deref()
            .or(charger.subprotocol.as_deref());
        let is_last = target + 1 == self.lanes.len();
        let mut pause = PAUSE;
        for _ in 0..DIALS {
            if self.is_stopped() {
                return false;
            }
            let began = now();
            self.stage.count(target, |counts| counts.dialled += 1);
            let outcome = line::open(dialler, &charger.identity, offered).await;
            let story = self.story.as_mut().filter(|_| is_last);
            match outcome {
                Ok((line, chosen)) => {
                    self.stage.count(target, |counts| {
                        counts.let_in += 1;
                        counts.joined.count(now() - began);
                    });
                    if let Some(story) = story {
                        story.let_in(chosen.as_deref(), now());
                    }
                    self.lanes[target].line = Some(line);
                    return true;
                }
                Err(error) => {
                    let is_refusal = error.is_refusal();
                    self.stage.count(target, |counts| {
                        counts.refused += u64::from(is_refusal);
                        counts.unreached += u64::from(!is_refusal);
                    });
                    if let Some(story) = story {
                        story.refused(&error.note(), now());
                    }
                }
            }
            if !self.until(now() + pause.as_micros() as Micros).await {
                return false;
            }
            pause *= 2;
        }
        false
    }

    /// Serves the targets until an instant; false if it was told to stop by then.
    async fn until(&mut self, due: Micros) -> bool {
        let mut stop = self.stage.stop.clone();
        loop {
            if self.is_stopped() {
                return false;
            }
            if now() >= due {
                return true;
            }
            let heard = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return false,
                heard = hear_any(&mut self.lanes, due) => heard,
            };
            self.serve(heard).await;
        }
    }

    /// Stays until everybody has said what it has to say.
    async fn stay(&mut self) {
        let mut busy = self.stage.busy.subscribe();
        let mut stop = self.stage.stop.clone();
        loop {
            let heard = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = busy.wait_for(|busy| *busy == 0) => return,
                heard = hear_any(&mut self.lanes, now() + LOOK) => heard,
            };
            self.serve(heard).await;
        }
    }

    async fn serve(&mut self, heard: Option<(usize, Result<String, End>)>) {
        let Some((target, came)) = heard else {
            return;
        };
        let version = self
            .open
            .map_or(Version::V16, |open| self.track.lines[open].version);
        let line = self.lanes[target].line.take();
        let (Ok(text), Some(mut line)) = (came, line) else {
            self.stage.count(target, |counts| counts.lost += 1);
            return;
        };
        match self.obey(target, &mut line, &text, version).await {
            Ok(()) => self.lanes[target].line = Some(line),
            Err(_) => self.stage.count(target, |counts| counts.lost += 1),
        }
    }

    /// Notes how far it is.
    fn note(&self) {
        let place = Place {
            next: self.next,
            transactions: self.fresh.clone(),
            identifiers: self
                .lanes
                .iter()
                .map(|lane| resume::kept(&lane.relation))
                .collect(),
        };
        let mut places = self.stage.places.borrow_mut();
        places.chargers.insert(self.identity.clone(), place);
    }

    /// Ends the connection to every target.
    async fn leave(&mut self) {
        for lane in &mut self.lanes {
            if let Some(line) = lane.line.take() {
                line.close().await;
            }
        }
        if let Some(mut story) = self.story.take() {
            story.leave(now());
        }
        self.open = None;
    }
}

/// How long the disk is given before it is looked at again, µs.
const BREATH: Micros = 20_000;

/// How often a charger that stays looks whether it may go, µs.
const LOOK: Micros = 1_000_000;

/// What the first target that says something says before `due`; none if all keep quiet.
async fn hear_any(lanes: &mut [Lane], due: Micros) -> Option<(usize, Result<String, End>)> {
    let all = lanes.iter_mut().enumerate();
    let mut open = all.filter_map(|(target, lane)| Some((target, lane.line.as_mut()?)));
    let (target, came) = match (open.next(), open.next()) {
        (None, _) => {
            let left = u64::try_from(due - now()).unwrap_or(0);
            tokio::time::sleep(Duration::from_micros(left)).await;
            return None;
        }
        (Some((target, line)), None) => (target, line.hear(due).await),
        (Some((one, first)), Some((two, second))) => tokio::select! {
            came = first.hear(due) => (one, came),
            came = second.hear(due) => (two, came),
        },
    };
    match came {
        Ok(Heard::Nothing) => None,
        Ok(Heard::Text(text)) => Some((target, Ok(text))),
        Err(end) => Some((target, Err(end))),
    }
}
