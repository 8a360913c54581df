//! Which chargers are there and in order, when they come and go, and the same of their shadow legs.

use std::collections::VecDeque;

use serde::Deserialize;

use super::sheet::{Crowd, Entry, Sheet};
use super::station::Station;
use super::{AVAILABILITY, RECONNECTS, SHADOW_HEALTH};
use crate::clock::Micros;
use crate::facts::{Fact, Flow, Kind, Leg};
use crate::judge::notes;
use crate::judge::roll::Roll;

/// How long a storm of connections is, µs.
const STORM: Micros = 300_000_000;

/// So many in a hundred chargers connecting within that time are one, if they are [`CROWD`] at least.
const PERCENT: usize = 20;

const CROWD: usize = 10;

/// Chargers by crowd.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    crowds: Vec<Count>,
    /// Up to when time has been added up, µs.
    since: Micros,
    /// When chargers connected lately.
    connects: VecDeque<Micros>,
    /// Until when the storm that was counted last goes on, µs.
    storm: Micros,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    known: u64,
    connected: u64,
    available: u64,
}

/// Note of a `ConnOpened`, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Opened {
    /// Not nought if a restarted shadow plane is told of an open connection.
    seen: [u64; 2],
}

/// Note of a `ConnClosed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Closed {
    by: String,
    how: String,
    /// What went through, from the charger and to it; none where nobody could tell.
    flows: Option<[Flow; 2]>,
}

/// Note of a `Tick`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ticked {
    recorder: Recorder,
    legs: Legs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Recorder {
    queued: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Legs {
    queued_bytes: Option<i64>,
}

impl Fleet {
    /// Adds up the time until `now`.
    pub(super) fn integrate(&mut self, now: Micros, sheet: &mut Sheet) {
        let span = (self.since, now);
        self.since = self.since.max(now);
        for (crowd, count) in self.crowds.iter().enumerate() {
            for (what, many) in [
                ("observed_us", count.known),
                ("connected_us", count.connected),
                ("available_us", count.available),
            ] {
                if many > 0 {
                    sheet.stretch(&Entry::new(crowd, AVAILABILITY, what), span, many);
                }
            }
        }
    }

    /// Nobody watched until `now`.
    pub(super) fn skip(&mut self, now: Micros) {
        self.since = now;
    }

    /// The tap begins: whoever was there must come again.
    pub(super) fn all_left(&mut self, stations: &mut Roll<Station>, sheet: &mut Sheet) {
        for station in stations.values_mut() {
            station.conn = 0;
            station.left = None;
            self.recount(station, sheet);
        }
    }

    /// A charger connected, or is announced again.
    pub(super) fn arrived(&mut self, fact: &Fact, station: &mut Station, sheet: &mut Sheet) {
        let note: Opened = notes::read(fact);
        let is_new = station.conn != fact.conn;
        station.conn = fact.conn;
        station.code = None;
        if is_new && note.seen == [0, 0] {
            sheet.count(Entry::new(station.crowd, RECONNECTS, "connects"));
            if let Some(left) = station.left.take() {
                let gap = Entry::new(station.crowd, RECONNECTS, "gap_us");
                sheet.measure(gap, fact.at - left);
            }
            self.storms(fact.at, sheet);
        }
        self.recount(station, sheet);
    }

    /// A charger's connection ended; an older one than its newest ends unseen.
    pub(super) fn left(&mut self, fact: &Fact, station: &mut Station, sheet: &mut Sheet) {
        let note: Closed = notes::read(fact);
        let code = station.code.filter(|_| station.conn == fact.conn);
        let code = code.map_or_else(|| "no close frame".to_owned(), spelt);
        let how = [known(&note.by), known(&note.how), &code].join(" ");
        sheet.count(Entry::new(station.crowd, RECONNECTS, "closes").detail(how));
        if let Some(flows) = note.flows {
            let whole = flows.iter().all(Flow::is_contained);
            let what = if whole { "contained" } else { "not contained" };
            sheet.count(Entry::new(station.crowd, SHADOW_HEALTH, what));
        }
        if station.conn == fact.conn {
            station.conn = 0;
            station.left = Some(fact.at);
            self.recount(station, sheet);
        }
    }

    /// A charger told its model, or is in another group.
    pub(super) fn renamed(&mut self, station: &mut Station, crowd: Crowd, sheet: &mut Sheet) {
        if station.crowd == crowd {
            return;
        }
        self.integrate(sheet.now, sheet);
        self.discount(station);
        station.counted = None;
        station.crowd = crowd;
        self.recount(station, sheet);
    }

    /// Counts a charger by how it stands now.
    pub(super) fn recount(&mut self, station: &mut Station, sheet: &mut Sheet) {
        let connected = station.conn != 0;
        let stands = Some((connected, connected && station.is_operative()));
        if station.counted == stands {
            return;
        }
        self.integrate(sheet.now, sheet);
        self.discount(station);
        station.counted = stands;
        let count = self.of(station.crowd);
        count.known += 1;
        if let Some((connected, available)) = stands {
            count.connected += u64::from(connected);
            count.available += u64::from(available);
        }
    }

    fn discount(&mut self, station: &Station) {
        let Some((connected, available)) = station.counted else {
            return;
        };
        let count = self.of(station.crowd);
        count.known -= 1;
        count.connected -= u64::from(connected);
        count.available -= u64::from(available);
    }

    fn of(&mut self, crowd: Crowd) -> &mut Count {
        if self.crowds.len() <= crowd {
            self.crowds.resize(crowd + 1, Count::default());
        }
        &mut self.crowds[crowd]
    }

    /// Whether a large part of the chargers connects at once.
    fn storms(&mut self, now: Micros, sheet: &mut Sheet) {
        let known: u64 = self.crowds.iter().map(|count| count.known).sum();
        let enough = (known as usize * PERCENT / 100).max(CROWD);
        self.connects.push_back(now);
        while self.connects.len() > enough {
            self.connects.pop_front();
        }
        let first = self.connects.front().copied().unwrap_or(now);
        let is_storm = self.connects.len() == enough && now - first <= STORM;
        // All chargers come when the tap begins: that is none.
        if is_storm && known as usize > enough && now >= self.storm {
            self.storm = now + STORM;
            sheet.count(Entry::new(0, RECONNECTS, "storms"));
        }
    }
}

/// Words of the tap's own; of another program, none.
fn known(word: &str) -> &str {
    let is_known = [
        "charger",
        "authority",
        "tap",
        "fin",
        "reset",
        "timeout",
        "shutdown",
    ];
    if is_known.contains(&word) {
        word
    } else {
        "unknown"
    }
}

/// A close code, if it is one that RFC 6455 and its registry name: others are anybody's, and too many to tell apart.
fn spelt(code: u16) -> String {
    match code {
        1000..=1015 => code.to_string(),
        3000..=4999 => "private code".to_owned(),
        _ => "odd code".to_owned(),
    }
}

/// A shadow leg opened, was refused or ended.
pub(super) fn leg(fact: &Fact, crowd: Crowd, sheet: &mut Sheet) {
    let note: notes::Shook = notes::read(fact);
    let leg = fact.leg.unwrap_or(Leg::Candidate);
    if note.probe {
        return;
    }
    let entry = |what| Entry::new(crowd, RECONNECTS, what).on(leg);
    match fact.kind {
        Kind::ShadowOpened => sheet.count(entry("connects")),
        Kind::ShadowRefused => sheet.count(entry("refusals")),
        _ => {
            let by = if note.by == "backend" {
                "backend"
            } else {
                "tap"
            };
            let code = note.code.map(|code| format!(" {}", spelt(code)));
            let how = format!("{by}{}", code.unwrap_or_default());
            sheet.count(entry("closes").detail(how));
        }
    }
}

/// Time passed: how full the queues are.
pub(super) fn tick(fact: &Fact, sheet: &mut Sheet) {
    let note: Ticked = notes::read(fact);
    let queues = [
        ("leg_queue_bytes", note.legs.queued_bytes),
        ("recorder_queue_facts", note.recorder.queued),
    ];
    for (what, value) in queues {
        if let Some(value) = value {
            sheet.measure(Entry::new(0, SHADOW_HEALTH, what), value);
        }
    }
}
