//! Screen 6: is the instrument itself healthy.

mod draw;
mod read;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::json;

use super::keys::{Action, Scope};
use super::screen::{Look, Screen, Step};
use super::sieve::{Sieve, term};
use super::snapshot::{self, Answer, Known, Pulse};
use super::table::Cursor;
use super::trace::Trace;
use crate::clock::Micros;
use crate::ledger::filter::{self, Field, Value};
use crate::ledger::query::{Latency, StandIns};
use crate::ledger::row;
pub use read::read;

/// What the screen asks: always everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question;

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// What every screen's head tells.
    pub pulse: Pulse,
    /// When the run of the tap began, µs.
    pub started: Option<Micros>,
    /// The program that wrote it, and the backends as they were configured.
    pub about: Vec<(&'static str, String)>,
    /// The newest tick; none before the first.
    pub tick: Option<Tick>,
    /// Frames per tick, the newest last.
    pub frames: Vec<u64>,
    /// Gaps, the newest first.
    pub gaps: Vec<Gap>,
    /// Commands of the shadow's that were answered in the chargers' place.
    pub fenced: Vec<StandIns>,
    /// Messages by why they are not comparable.
    pub not_comparable: Vec<(String, u64)>,
    /// Answer times.
    pub latencies: Vec<Latency>,
    /// Size of the recording, bytes.
    pub size: u64,
    /// Space left where it lies, bytes.
    pub space: Option<u64>,
    /// Chargers that lost the most frames: who, and how many.
    pub chargers: Vec<Line>,
}

/// What a tick says, counted since the run began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tick {
    /// When, µs.
    pub at: Micros,
    /// Chargers accepted, refused, and turned away by the tap itself.
    pub accepted: (u64, u64, u64),
    /// Frames seen and bytes forwarded.
    pub frames: (u64, u64),
    /// Frames that the live plane could not hand over.
    pub lost: u64,
    /// Facts given to the recorder, waiting in it, and synced.
    pub recorder: (u64, u64, u64),
    /// Frames and facts that the recorder lost.
    pub recorder_lost: (u64, u64),
    /// Shadow legs, those connected, and bytes that wait in them.
    pub legs: (u64, u64, u64),
    /// How far the clock was stepped meanwhile, µs.
    pub drift: Micros,
}

/// Frames that were seen and not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The fact.
    pub id: u64,
    /// When, µs.
    pub at: Micros,
    /// The charger.
    pub charger: String,
    /// How many frames.
    pub frames: u64,
    /// Why.
    pub why: String,
}

/// One charger's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The charger.
    pub charger: String,
    /// What it said about itself.
    pub about: row::Charger,
    /// Whether it is connected.
    pub connected: bool,
    /// The last that is known of its connection.
    pub says: String,
    /// The fact that tells it.
    pub fact: u64,
    /// When, µs.
    pub at: Micros,
}

impl Line {
    /// Whether it is connected, in a word.
    const fn state(&self) -> &'static str {
        if self.connected { "connected" } else { "away" }
    }

    fn value(&self, field: &str) -> Value<'_> {
        match field {
            "charger" => Value::Text(&self.charger),
            "state" => Value::Text(self.state()),
            "vendor" => Value::Text(&self.about.vendor),
            "model" => Value::Text(&self.about.model),
            "firmware" => Value::Text(&self.about.firmware),
            _ => Value::Nothing,
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct Tap {
    known: Known<Data>,
    cursor: Cursor,
    sieve: Sieve,
}

impl Tap {
    fn chargers(&self) -> Vec<&Line> {
        let lines = self.known.ready().map_or(&[][..], |data| &data.chargers);
        lines
            .iter()
            .filter(|line| self.sieve.lets(0, &|field| line.value(field)))
            .collect()
    }

    fn selected(&self) -> Option<&Line> {
        self.chargers().get(self.cursor.row as usize).copied()
    }
}

impl Screen for Tap {
    fn number(&self) -> u8 {
        6
    }

    fn title(&self) -> String {
        "Tap".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Tap, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Tap(Question)
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Tap(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        draw::draw(self, frame, area, look);
    }

    fn act(&mut self, action: Action) -> Step {
        let rows = self.chargers().len() as u64;
        if self.cursor.act(action, rows, draw::COLUMNS.len()) {
            return Step::Done;
        }
        match (action, self.selected()) {
            (Action::Open, Some(line)) => {
                Step::Open(Box::new(Trace::around(&line.charger, line.fact)))
            }
            (Action::Open, None) => Step::Say("no charger to open".to_owned()),
            _ => Step::Unused,
        }
    }

    fn panes(&self) -> usize {
        4
    }

    fn fields(&self) -> &'static [Field] {
        &filter::CHARGERS
    }

    fn filter(&self) -> &str {
        self.sieve.text()
    }

    fn set_filter(&mut self, sieve: Sieve) {
        self.sieve = sieve;
        self.cursor.row = 0;
    }

    fn cell_filter(&self) -> Option<String> {
        Some(match self.cursor.column {
            3 | 4 => term("state", self.selected()?.state()),
            1 => term("model", &self.selected()?.about.model),
            2 => term("firmware", &self.selected()?.about.firmware),
            _ => term("charger", &self.selected()?.charger),
        })
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let line = self.selected()?;
        Some(format!(
            "**{}** {}\n",
            look.mask.charger(&line.charger),
            look.mask.text(&line.says)
        ))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        format!("{} chargers", self.chargers().len())
    }

    fn json(&self, look: &Look<'_>) -> serde_json::Value {
        let Some(data) = self.known.ready() else {
            return serde_json::Value::Null;
        };
        let gaps = data.gaps.iter().map(|gap| {
            json!({"fact": gap.id, "at": gap.at, "charger": look.mask.charger(&gap.charger), "frames": gap.frames, "why": gap.why})
        });
        let tick = data.tick.as_ref().map(|tick| {
            json!({
                "at": tick.at, "frames": tick.frames.0, "bytes": tick.frames.1, "lost": tick.lost,
                "recorder": {"seen": tick.recorder.0, "queued": tick.recorder.1, "committed": tick.recorder.2},
            })
        });
        json!({"facts": data.pulse.facts, "judged": data.pulse.judged, "tick": tick, "gaps": gaps.collect::<Vec<_>>()})
    }
}
