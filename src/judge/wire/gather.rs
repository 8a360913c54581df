//! One session while it is open.

use std::collections::BTreeSet;

use super::meter::{Heard, Meter, Reading};
use super::stamp::Moment;
use super::{Defect, Names, Open, State, Told};
use crate::clock::Micros;
use crate::judge::world::Origin;

/// How many changes of the charging state are kept: a session that has more parks in ways that nobody bills.
const MOST_TURNS: usize = 256;

/// How many signed values are kept: the first stays, and the newest.
const MOST_SIGNED: usize = 256;

/// How many numbers of events that came out of turn are kept.
const MOST_ASTRAY: usize = 1_024;

/// What has been told of a session so far.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) id: u64,
    pub(super) at: Micros,
    pub(super) origin: Origin,
    pub(super) names: Names,
    /// The request that began it: the same again is a repeat.
    pub(super) request: String,
    pub(super) connector: String,
    pub(super) token: Option<String>,
    pub(super) start: Option<Moment>,
    pub(super) stop: Option<Moment>,
    pub(super) meter: Meter,
    pub(super) meter_start: Option<Reading>,
    pub(super) meter_stop: Option<Reading>,
    /// Order, time and whether the vehicle only blocks the connector.
    pub(super) turns: Vec<(i64, Micros, bool)>,
    /// Numbers of the events that came (2.x).
    pub(super) numbers: Numbers,
    /// The end came, at this time, and events before it are missing.
    pub(super) ending: Option<Micros>,
    pub(super) signed: Vec<String>,
    pub(super) reason: Option<String>,
    pub(super) defects: BTreeSet<Defect>,
}

impl Gathering {
    /// What the charger calls it: as the authority did under which it began, also after a switch to the other one.
    pub(super) fn own_names(&self) -> &[String] {
        self.names.of(self.origin.authority)
    }

    pub(super) fn new(id: u64, at: Micros, origin: Origin) -> Self {
        Self {
            id,
            at,
            origin,
            names: Names::default(),
            request: String::new(),
            connector: String::new(),
            token: None,
            start: None,
            stop: None,
            meter: Meter::default(),
            meter_start: None,
            meter_stop: None,
            turns: Vec::new(),
            numbers: Numbers::default(),
            ending: None,
            signed: Vec::new(),
            reason: None,
            defects: BTreeSet::new(),
        }
    }

    /// What can be asked of it.
    pub(super) fn seen(&self) -> Open<'_> {
        Open {
            names: &self.names,
            token: self.token.as_deref(),
            start: (self.start.and_then(|start| start.stated), self.at),
        }
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        for reading in heard.readings {
            self.meter.push(reading);
        }
        for signed in heard.signed {
            if self.signed.len() >= MOST_SIGNED {
                self.signed.remove(1);
            }
            self.signed.push(signed);
        }
        self.defects.extend(heard.defects);
    }

    pub(super) fn turn(&mut self, order: i64, at: Micros, blocks: bool) {
        if self.turns.len() < MOST_TURNS {
            self.turns.push((order, at, blocks));
        }
    }

    /// How it ended, once its end has come.
    pub(super) fn end_state(&self) -> State {
        match self.start {
            Some(_) => State::Ended,
            None => State::NoStart,
        }
    }

    /// What is known without closing it.
    pub(super) fn begun(&self) -> Told {
        let mut bare = Self::new(self.id, self.at, self.origin.clone());
        bare.names.clone_from(&self.names);
        bare.connector.clone_from(&self.connector);
        bare.token.clone_from(&self.token);
        bare.start = self.start;
        bare.meter_start.clone_from(&self.meter_start);
        bare.told(State::Open)
    }

    /// Closes it.
    pub(super) fn told(mut self, state: State) -> Told {
        let (start, stop) = (self.start, self.stop);
        self.defects
            .extend([start, stop].into_iter().flatten().filter_map(|at| at.flaw));
        let mended = mend(start, stop, &mut self.defects);
        let stated = |moment: Option<Moment>| moment.and_then(|moment| moment.stated);
        let total = self.meter.total(self.meter_start, self.meter_stop);
        self.defects.extend(total.defects);
        let heard = |moment: Option<Moment>| moment.map_or(self.at, |moment| moment.heard);
        // It waits for its records for weeks, among many.
        self.names.legacy.shrink_to_fit();
        self.names.candidate.shrink_to_fit();
        let mut curve = total.curve;
        curve.shrink_to_fit();
        Told {
            id: self.id,
            at: self.at,
            ended: heard(stop),
            origin: self.origin,
            names: self.names,
            state,
            connector: self.connector,
            token: self.token,
            start: stated(start),
            stop: stated(stop),
            heard: (heard(start), heard(stop)),
            mended,
            first: total.first,
            last: total.last,
            wh: total.wh,
            curve,
            parked: parked(self.turns, stated(stop)),
            signed: self.signed,
            reason: self.reason,
            defects: self.defects,
        }
    }
}

/// Which events of a session came, by their numbers from 0.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// All below this came.
    next: i64,
    /// Others that came.
    astray: BTreeSet<i64>,
}

impl Numbers {
    /// Takes the number of an event; whether it is news. Of too many that come out of turn nothing more is known.
    pub(super) fn insert(&mut self, number: i64) -> bool {
        if (0..self.next).contains(&number) {
            return false;
        }
        if number != self.next {
            return self.astray.len() >= MOST_ASTRAY || self.astray.insert(number);
        }
        self.next += 1;
        while self.astray.remove(&self.next) {
            self.next += 1;
        }
        true
    }

    /// Whether some came, and all up to the last.
    pub(super) fn is_whole(&self) -> bool {
        self.next > 0 && self.astray.is_empty()
    }
}

/// Start and stop by a clock that is right, if the charger's is not and it can be told by how much.
fn mend(
    start: Option<Moment>,
    stop: Option<Moment>,
    defects: &mut BTreeSet<Defect>,
) -> Option<(Micros, Micros)> {
    let (start, stop) = (start?, stop?);
    let unset = |moment: &Moment| moment.flaw == Some(Defect::ClockUnset);
    if unset(&start) || unset(&stop) {
        let mended = |moment: &Moment| match moment.stated {
            Some(at) if !unset(moment) => at,
            _ => moment.heard,
        };
        return Some((mended(&start), mended(&stop)));
    }
    // One end alone may be off because the message waited.
    let shift = start.shift().filter(|shift| stop.shift() == Some(*shift))?;
    if start.flaw.is_none() {
        defects.insert(Defect::LocalTime);
    }
    Some((start.stated? - shift, stop.stated? - shift))
}

/// The stretches in which the vehicle blocks the connector, up to the stop.
fn parked(mut turns: Vec<(i64, Micros, bool)>, stop: Option<Micros>) -> Vec<(Micros, Micros)> {
    turns.sort_unstable();
    let mut stretches = Vec::new();
    let mut since = None;
    for (_, at, blocks) in turns {
        match (since, blocks) {
            (None, true) => since = Some(at),
            (Some(from), false) => {
                stretches.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    stretches.extend(since.zip(stop));
    stretches.retain(|(from, to)| from < to);
    stretches
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facts::Leg;
    use crate::ocpp::Version;

    #[test]
    fn events_are_whole_when_none_is_missing_in_whatever_order_they_came() {
        let mut numbers = Numbers::default();
        assert!(!numbers.is_whole());
        assert!(numbers.insert(0) && numbers.is_whole());
        assert!(numbers.insert(2) && numbers.insert(3) && !numbers.is_whole());
        assert!(!numbers.insert(2) && !numbers.insert(0));
        assert!(numbers.insert(1) && numbers.is_whole() && !numbers.insert(3));
        assert!(numbers.insert(-1) && !numbers.is_whole());
        for number in (10..100_000).step_by(2) {
            numbers.insert(number);
        }
        assert!(numbers.astray.len() <= MOST_ASTRAY && !numbers.is_whole());
    }

    #[test]
    fn a_session_without_end_keeps_the_first_and_the_newest_signed_values() {
        let origin = Origin {
            charger: Arc::from("CP1"),
            conn: 1,
            authority: Leg::Legacy,
            version: Version::V16,
            said: Arc::default(),
        };
        let mut open = Gathering::new(1, 0, origin);
        for number in 0..10_000 {
            open.hear(Heard {
                signed: vec![number.to_string()],
                ..Heard::default()
            });
        }
        assert_eq!(open.signed.len(), MOST_SIGNED);
        assert_eq!(open.signed.first().unwrap(), "0");
        assert_eq!(open.signed.last().unwrap(), "9999");
    }
}
