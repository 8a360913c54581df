//! Screen 1: which group needs me, and how is the night going.

mod draw;
mod needs;
mod read;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::json;

use super::keys::{Action, Scope};
use super::screen::{Look, Screen, Step};
use super::sieve::{Sieve, term};
use super::snapshot::{self, Answer, Known};
use super::table::Cursor;
use super::verdicts::{ALL, STALE, Said};
use crate::clock::Micros;
use crate::estate::gate::Outcome;
use crate::ledger::filter::{Field, Kind, Value};
use crate::ledger::query::Outcomes;
use crate::ledger::row::Wave;
use crate::ocpp::Severity;
pub(in crate::watch) use read::happening;
pub use read::read;

/// What the board asks: always everything, it is little.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question;

/// What the board shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Groups, worst first.
    pub groups: Vec<Group>,
    /// Whether a gate file is loaded.
    pub has_gate: bool,
    /// The wave of this day or the next that is planned.
    pub wave: Option<Wave>,
    /// By when the first of its groups must begin to come back, if it is to be back in time: RFC 3339.
    pub last_safe: Option<String>,
    /// What was compared, and what came out: exchanges, commands, handshakes, sessions.
    pub outcomes: Vec<(&'static str, Outcomes)>,
    /// What somebody has to look at or decide, the most urgent first.
    pub needs: Vec<Need>,
    /// Sessions by hour, the last of [`HOURS`] the newest.
    pub sessions: Vec<u64>,
    /// New findings by hour.
    pub findings: Vec<u64>,
    /// What happened last, the newest first.
    pub events: Vec<Happening>,
}

/// What groups can be filtered by.
static GROUPS: [Field; 6] = [
    field("group", Kind::Text, "the group's name", "group:amsterdam-*"),
    field(
        "wave",
        Kind::Text,
        "the wave that it moves in",
        "wave:pilot",
    ),
    field(
        "stage",
        Kind::Text,
        "where it is on its way",
        "stage:shadow",
    ),
    field("verdict", Kind::Text, "what its gate says", "verdict:HOLD"),
    field(
        "open",
        Kind::Number,
        "findings that nobody has decided about",
        "open>0",
    ),
    field(
        "severe",
        Kind::Number,
        "those of them that are S0 or S1",
        "severe>0",
    ),
];

const fn field(name: &'static str, kind: Kind, help: &'static str, example: &'static str) -> Field {
    Field {
        name,
        aliases: &[],
        kind,
        help,
        example,
    }
}

fn value<'a>(group: &'a Group, field: &str) -> Value<'a> {
    match field {
        "group" => Value::Text(&group.name),
        "stage" => Value::Text(&group.stage),
        "wave" => Value::Text(&group.wave),
        "verdict" => Value::Text(group.word()),
        "open" => Value::Number(group.open as i64),
        "severe" => Value::Number(group.severe as i64),
        _ => Value::Nothing,
    }
}

/// Hours in a chart.
pub const HOURS: usize = 24;

/// One row of the board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Where it is on its way.
    pub stage: String,
    /// The wave that it moves in; empty if none is planned.
    pub wave: String,
    /// Its verdict, if a gate file says what one is.
    pub verdict: Option<Verdict>,
    /// Findings that are new or have come back.
    pub open: u64,
    /// Those of them that are S0 or S1.
    pub severe: u64,
    /// Chargers that are connected, and all that are known.
    pub connected: (u64, u64),
    /// Sessions that could be compared.
    pub sessions: u64,
    /// How long it has been watched, µs.
    pub watched: Micros,
    /// Since when none of its chargers has been connected, µs; none if it is not silent.
    pub silent: Option<Micros>,
}

/// What a gate says of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `GO`, `GO+1`, `HOLD`, `NO-GO`, `ROLL BACK`.
    pub word: String,
    /// Criteria met, and all.
    pub met: (u64, u64),
    /// Why, the first reason first.
    pub why: Vec<String>,
}

impl Verdict {
    fn of(said: &Said) -> Self {
        let report = &said.report;
        let met = report
            .counts
            .get(&Outcome::Met)
            .copied()
            .unwrap_or_default();
        Self {
            word: report.says.clone(),
            met: (met, report.criteria.len() as u64),
            why: report.why.clone(),
        }
    }
}

impl Group {
    /// Its verdict in a word, or why it has none.
    fn word(&self) -> &str {
        match (self.silent, &self.verdict) {
            (Some(_), _) => STALE,
            (None, Some(verdict)) => &verdict.word,
            (None, None) => "no gate",
        }
    }

    /// How much it needs somebody, by its verdict.
    fn rank(&self) -> u8 {
        match self.word() {
            "ROLL BACK" => 5,
            "NO-GO" => 4,
            STALE => 3,
            "HOLD" => 2,
            "GO" => 0,
            _ => 1,
        }
    }
}

/// Something that somebody has to look at or decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The finding or group.
    pub subject: String,
    /// How bad a finding is; none of a group.
    pub severity: Option<Severity>,
    /// How it stands: of a group its verdict.
    pub state: String,
    /// A sentence.
    pub says: String,
    /// Since when, µs, where that matters.
    pub since: Option<Micros>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When, µs.
    pub at: Micros,
    /// `ALERT`, `NEW`, `DEC`, `INFO`.
    pub word: &'static str,
    /// On which charger; empty for the whole tap.
    pub charger: String,
    /// A sentence.
    pub says: String,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Board {
    known: Known<Data>,
    cursor: Cursor,
    sieve: Sieve,
}

impl Board {
    fn groups(&self) -> Vec<&Group> {
        let groups = self.known.ready().map_or(&[][..], |data| &data.groups);
        groups
            .iter()
            .filter(|group| self.sieve.lets(0, &|field| value(group, field)))
            .collect()
    }

    fn selected(&self) -> Option<&Group> {
        self.groups().get(self.cursor.row as usize).copied()
    }
}

impl Screen for Board {
    fn number(&self) -> u8 {
        1
    }

    fn title(&self) -> String {
        "Board".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Board, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Board(Question)
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Board(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        draw::draw(self, frame, area, look);
    }

    fn act(&mut self, action: Action) -> Step {
        let rows = self.groups().len() as u64;
        if self.cursor.act(action, rows, draw::COLUMNS.len()) {
            return Step::Done;
        }
        let group = self
            .selected()
            .map_or_else(String::new, |group| group.name.clone());
        let of_group = if group.is_empty() || group == ALL {
            String::new()
        } else {
            term("group", &group)
        };
        match action {
            Action::Open => Step::Go(4, of_group),
            Action::ToDiffs => Step::Go(2, of_group),
            Action::ToSessions => Step::Go(3, of_group),
            _ => Step::Unused,
        }
    }

    fn panes(&self) -> usize {
        4
    }

    fn fields(&self) -> &'static [Field] {
        &GROUPS
    }

    fn filter(&self) -> &str {
        self.sieve.text()
    }

    fn set_filter(&mut self, sieve: Sieve) {
        self.sieve = sieve;
        self.cursor.row = 0;
    }

    fn cell_filter(&self) -> Option<String> {
        let group = self.selected()?;
        Some(match self.cursor.column {
            2 => term("stage", &group.stage),
            3 => term("verdict", group.word()),
            _ => term("group", &group.name),
        })
    }

    fn markdown(&self, _look: &Look<'_>) -> Option<String> {
        let group = self.selected()?;
        Some(format!(
            "**{}** {}: {}; {} open findings ({} severe), {} of {} chargers connected, {} sessions compared\n",
            group.name,
            group.stage,
            group.word(),
            group.open,
            group.severe,
            group.connected.0,
            group.connected.1,
            group.sessions
        ))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        let all = self.known.ready().map_or(0, |data| data.groups.len());
        format!(
            "{} of {all} groups   sort: worst first",
            self.groups().len()
        )
    }

    fn json(&self, _look: &Look<'_>) -> serde_json::Value {
        let groups = self.groups().into_iter().map(|group| {
            json!({
                "group": group.name, "stage": group.stage, "verdict": group.verdict.as_ref().map(|_| group.word()),
                "open": group.open, "severe": group.severe, "connected": group.connected.0, "chargers": group.connected.1,
                "sessions": group.sessions,
            })
        });
        let needs = self.known.ready().map_or(&[][..], |data| &data.needs);
        let needs = needs.iter().map(|need| {
            let severity = need.severity.map(Severity::code);
            json!({"subject": need.subject, "severity": severity, "state": need.state, "says": need.says})
        });
        json!({"groups": groups.collect::<Vec<_>>(), "needs": needs.collect::<Vec<_>>()})
    }
}
