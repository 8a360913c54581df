//! The time that is shown: back and forth through a finished recording.

use std::sync::Arc;

use super::{App, Effect};
use crate::clock::Micros;
use crate::watch::keys::Action;
use crate::watch::rewind::{News, Order, Point};
use crate::watch::snapshot::Freshness;
use crate::watch::text::{Zone, span};

/// Steps that people reckon in, µs.
const STEPS: [Micros; 11] = [
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
];

/// How long an instant is shown before the next, while the night passes, µs.
const BEAT: Micros = 500_000;

/// A recording that is not shown as it is, but as it was.
#[derive(Debug, Clone)]
pub(in crate::watch) struct Rewinding {
    /// When it begins and ends.
    span: (Micros, Micros),
    /// The instant that was asked for.
    at: Micros,
    /// The instant that is shown; none before the first.
    point: Option<Arc<Point>>,
    /// How many facts of how many are judged, while it is on the way.
    judged: Option<(u64, u64)>,
    /// Since when the instant is shown, while the night passes.
    playing: Option<Micros>,
}

impl Rewinding {
    /// Where it is, and how to go on.
    pub(in crate::watch) fn says(&self, zone: Zone) -> String {
        let shown = self
            .point
            .as_ref()
            .map_or_else(|| "its end".to_owned(), |point| zone.clock(point.at));
        let way = self.judged.map_or_else(String::new, |(done, goal)| {
            let percent = (done * 100).checked_div(goal).unwrap_or(0);
            format!(", on the way to {} ({percent} %)", zone.clock(self.at))
        });
        let plays = if self.playing.is_some() {
            ". holds"
        } else {
            ". plays"
        };
        format!(
            "REWOUND to {shown}{way}   [ ] {}   {{ }} {}   {plays}   ! next alarm   Esc ends it",
            span(step(self.span, 100)),
            span(step(self.span, 10)),
        )
    }
}

/// The nearest step above one part of so many.
fn step((begin, end): (Micros, Micros), parts: i64) -> Micros {
    let part = (end - begin) / parts;
    let fits = STEPS.into_iter().find(|step| *step >= part);
    fits.unwrap_or(part)
}

impl App {
    /// The instant that is shown, if it is not the present.
    pub(super) fn shown_instant(&self) -> Option<Micros> {
        Some(self.point()?.at)
    }

    /// What the screens read, if it is not the recording as it is.
    pub(super) fn point(&self) -> Option<Arc<Point>> {
        self.rewinding.as_ref()?.point.clone()
    }

    /// Back to the recording as it is.
    pub(super) fn end_rewinding(&mut self) {
        self.rewinding = None;
        self.now = self.clock;
        self.say("the recording as it is");
    }

    /// A key that moves in time.
    pub(super) fn rewind(&mut self, action: Action, effects: &mut Vec<Effect>) {
        if self.rewinding.is_none() {
            match self.begin_rewinding() {
                Ok(rewinding) => self.rewinding = Some(rewinding),
                Err(why) => return self.say(why),
            }
        }
        let clock = self.clock;
        let Some(rewinding) = &mut self.rewinding else {
            return;
        };
        let (small, large) = (step(rewinding.span, 100), step(rewinding.span, 10));
        let way = match action {
            Action::StepBack => -small,
            Action::LeapBack => -large,
            Action::StepForward => small,
            Action::LeapForward => large,
            Action::NextAlarm => {
                let from = match rewinding.point {
                    Some(_) => rewinding.at,
                    None => rewinding.span.0,
                };
                rewinding.playing = None;
                effects.push(Effect::Rewind(Order::NextAlarm(from)));
                rewinding.judged.get_or_insert((0, 0));
                return;
            }
            _ if rewinding.playing.take().is_some() => return,
            _ => {
                // From the end the night passes from its beginning.
                rewinding.playing = Some(clock);
                let from_the_end = rewinding.point.is_none();
                if from_the_end {
                    rewinding.span.0 - rewinding.at
                } else {
                    small
                }
            }
        };
        self.move_by(way, effects);
    }

    fn begin_rewinding(&self) -> Result<Rewinding, &'static str> {
        let pulse = self.pulse.as_ref().ok_or("the recording is not read yet")?;
        let (first, last) = match (pulse.first, pulse.stopped.or(pulse.last)) {
            (Some(first), Some(last)) if first < last => (first, last),
            _ => return Err("nothing is recorded yet that could be rewound"),
        };
        if let Freshness::Live(_) = pulse.freshness(self.clock) {
            return Err("the tap still records: a recording can be rewound once it is finished");
        }
        Ok(Rewinding {
            span: (first, last),
            at: last,
            point: None,
            judged: None,
            playing: None,
        })
    }

    fn move_by(&mut self, way: Micros, effects: &mut Vec<Effect>) {
        let Some(rewinding) = &mut self.rewinding else {
            return;
        };
        let (begin, end) = rewinding.span;
        let at = (rewinding.at + way).max(begin);
        if at >= end {
            return self.end_rewinding();
        }
        rewinding.at = at;
        rewinding.judged = Some((0, 0));
        effects.push(Effect::Rewind(Order::To(at)));
    }

    /// The next step, if the night passes and this instant was shown long enough.
    pub(super) fn play_on(&mut self, effects: &mut Vec<Effect>) {
        let Some(rewinding) = &mut self.rewinding else {
            return;
        };
        let Some(since) = rewinding.playing else {
            return;
        };
        if rewinding.judged.is_none() && self.clock - since >= BEAT {
            rewinding.playing = Some(self.clock);
            let way = step(rewinding.span, 100);
            self.move_by(way, effects);
        }
    }

    /// How far it is.
    pub(super) fn rewound(&mut self, news: News) {
        let Some(rewinding) = &mut self.rewinding else {
            return;
        };
        match news {
            News::Judged(done, goal) => rewinding.judged = Some((done, goal)),
            News::At(point) => {
                rewinding.judged = None;
                rewinding.at = point.at;
                self.now = point.at;
                rewinding.point = Some(point);
            }
            News::NoAlarm => {
                rewinding.judged = None;
                self.say("no alarm follows");
            }
            News::Failed(why) => {
                self.rewinding = None;
                self.now = self.clock;
                self.say(format!("cannot rewind: {why}"));
            }
        }
    }
}
