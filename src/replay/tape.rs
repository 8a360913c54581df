//! A recording as what its chargers said, charger by charger, to be said once more.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Reader, RecordingError};
use crate::live::handover::Opened;
use crate::ocpp::json::{self, Step};
use crate::ocpp::{Envelope, MessageType, Version};

/// What all chargers said.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// Charger by charger, in the order of their names.
    pub tracks: Vec<Track>,
    /// When the first CALL was, µs.
    pub began: Micros,
    /// When the last one was.
    pub ended: Micros,
    /// Messages of chargers that are left out: they cannot be read, or are never answered.
    pub left_out: u64,
}

/// What one charger said.
#[derive(Debug, Clone)]
pub struct Track {
    /// Its identity.
    pub charger: String,
    /// When it connects first, µs after the beginning.
    pub enters: Micros,
    /// Its connections.
    pub lines: Vec<Line>,
    /// Its CALLs, in order.
    pub beats: Vec<Beat>,
}

/// One connection of a charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is offered: what its authority had chosen.
    pub subprotocol: Option<String>,
    /// The version that is spoken.
    pub version: Version,
}

/// One CALL.
#[derive(Debug, Clone)]
pub struct Beat {
    /// When it was recorded, µs.
    pub at: Micros,
    /// When it is due, µs after the beginning, at the original speed.
    pub due: Micros,
    /// Its connection: a place among [`Track::lines`].
    pub line: usize,
    /// The message.
    pub text: Arc<str>,
    /// What its authority answered, and when.
    pub answer: Option<(Arc<str>, Micros)>,
}

/// A connection while the recording is read.
struct Open {
    track: usize,
    line: usize,
    waiting: HashMap<String, VecDeque<usize>>,
}

impl Tape {
    /// Reads a recording, as far as `wanted` names its chargers.
    pub fn read(facts: &Reader, wanted: impl Fn(&str) -> bool) -> Result<Self, RecordingError> {
        let mut reading = Reading {
            wanted,
            tape: Self::default(),
            places: BTreeMap::new(),
            open: HashMap::new(),
        };
        for fact in facts.facts() {
            reading.take(&fact?);
        }
        Ok(reading.tape.timed())
    }

    /// Sets when everything is due, and drops chargers that said nothing.
    fn timed(mut self) -> Self {
        self.tracks.retain(|track| !track.beats.is_empty());
        self.tracks
            .sort_by(|one, two| one.charger.cmp(&two.charger));
        let beats = || self.tracks.iter().flat_map(|track| &track.beats);
        self.began = beats().map(|beat| beat.at).min().unwrap_or(0);
        self.ended = beats().map(|beat| beat.at).max().unwrap_or(0);
        for track in &mut self.tracks {
            for beat in &mut track.beats {
                beat.due = beat.at - self.began;
            }
            track.enters = track.beats.first().map_or(0, |beat| beat.due);
        }
        self
    }

    /// How many CALLs there are.
    pub fn calls(&self) -> u64 {
        self.tracks
            .iter()
            .map(|track| track.beats.len() as u64)
            .sum()
    }

    /// A reconnect storm of the whole fleet: every charger connects within this time, one after the other, boots and tells
    /// the state of its connectors as it did last.
    #[must_use]
    pub fn storm(mut self, within: Duration) -> Self {
        let within = within.as_micros() as Micros;
        let count = self.tracks.len().max(1) as Micros;
        for (track, place) in self.tracks.iter_mut().zip(0..) {
            track.enters = within * place / count;
            let last = track.beats.last().map_or(0, |beat| beat.line);
            track.beats = returning(&track.beats);
            for beat in &mut track.beats {
                beat.due = track.enters;
                beat.line = last;
            }
        }
        self
    }
}

/// What a charger says when it comes back: its last boot, and the last state of each connector.
fn returning(beats: &[Beat]) -> Vec<Beat> {
    let mut boot = None;
    let mut states: BTreeMap<String, &Beat> = BTreeMap::new();
    for beat in beats {
        let Ok(call) = Envelope::parse(&beat.text) else {
            continue;
        };
        match &*call.action {
            "BootNotification" => boot = Some(beat),
            "StatusNotification" => {
                let part = |key| json::first(call.payload, &[Step::Key(key)]).unwrap_or_default();
                states.insert(format!("{}/{}", part("evseId"), part("connectorId")), beat);
            }
            _ => {}
        }
    }
    boot.into_iter()
        .chain(states.into_values())
        .cloned()
        .collect()
}

struct Reading<F> {
    wanted: F,
    tape: Tape,
    /// Tracks by charger.
    places: BTreeMap<Arc<str>, usize>,
    open: HashMap<u64, Open>,
}

impl<F: Fn(&str) -> bool> Reading<F> {
    fn take(&mut self, fact: &Fact) {
        match (fact.kind, fact.dir) {
            (Kind::ConnOpened, _) if (self.wanted)(&fact.charger) => self.opened(fact),
            (Kind::ConnClosed, _) => {
                self.open.remove(&fact.conn);
            }
            (Kind::Message, Some(Dir::FromCharger)) => self.said(fact),
            (Kind::Message, Some(Dir::ToCharger)) => self.answered(fact),
            _ => {}
        }
    }

    fn opened(&mut self, fact: &Fact) {
        // A note that cannot be read says nothing of the subprotocol: then the charger offered none.
        let chosen = serde_json::from_str::<Opened>(&fact.note)
            .ok()
            .and_then(|opened| opened.subprotocol);
        let version = chosen
            .as_deref()
            .and_then(Version::from_subprotocol)
            .unwrap_or(Version::V16);
        let tracks = &mut self.tape.tracks;
        let place = *self
            .places
            .entry(Arc::clone(&fact.charger))
            .or_insert_with(|| {
                tracks.push(Track {
                    charger: fact.charger.to_string(),
                    enters: 0,
                    lines: Vec::new(),
                    beats: Vec::new(),
                });
                tracks.len() - 1
            });
        let track = &mut tracks[place];
        track.lines.push(Line {
            subprotocol: chosen,
            version,
        });
        let open = Open {
            track: place,
            line: track.lines.len() - 1,
            waiting: HashMap::new(),
        };
        self.open.insert(fact.conn, open);
    }

    fn said(&mut self, fact: &Fact) {
        let Some(open) = self.open.get_mut(&fact.conn) else {
            return;
        };
        let text = fact.text();
        let call = text.and_then(|text| Some((text, Envelope::parse(text).ok()?)));
        let Some((text, call)) = call.filter(|(_, it)| it.kind == MessageType::Call) else {
            let is_answer = fact
                .text()
                .and_then(|text| Envelope::parse(text).ok())
                .is_some_and(|it| it.kind.is_answer());
            self.tape.left_out += u64::from(!is_answer);
            return;
        };
        let beats = &mut self.tape.tracks[open.track].beats;
        open.waiting
            .entry(call.id.into_owned())
            .or_default()
            .push_back(beats.len());
        beats.push(Beat {
            at: fact.at,
            due: 0,
            line: open.line,
            text: Arc::from(text),
            answer: None,
        });
    }

    fn answered(&mut self, fact: &Fact) {
        let Some(open) = self.open.get_mut(&fact.conn) else {
            return;
        };
        let Some(text) = fact.text() else {
            return;
        };
        let Ok(envelope) = Envelope::parse(text) else {
            return;
        };
        if !envelope.kind.is_answer() {
            return;
        }
        let waiting = open.waiting.get_mut(&*envelope.id);
        if let Some(beat) = waiting.and_then(VecDeque::pop_front) {
            let beats = &mut self.tape.tracks[open.track].beats;
            beats[beat].answer = Some((Arc::from(text), fact.at));
        }
    }
}
