//! What the monitors remember of one charger. Everything is bounded.

use std::collections::VecDeque;

use super::BOOTS;
use super::orders::Asked;
use super::sheet::{Crowd, Entry, Sheet};
use super::starts::{Attempt, Charging};
use crate::clock::Micros;
use crate::facts::Fact;
use crate::judge::heard::Heard;
use crate::ocpp::json::{self, Step};

/// How many connectors are remembered.
const MOST_CONNECTORS: usize = 32;

/// More boots within an hour than this are a loop.
const LOOP: usize = 3;

const HOUR: Micros = 3_600_000_000;

/// The longest name of a connector that is remembered.
const LONGEST: usize = 16;

/// One charger.
#[derive(Debug, Default)]
pub(super) struct Station {
    pub(super) crowd: Crowd,
    /// Its open connection; 0 if it has none.
    pub(super) conn: u64,
    /// Code of the close frame on it.
    pub(super) code: Option<u16>,
    /// When it left, µs.
    pub(super) left: Option<Micros>,
    /// How it is counted: connected, available.
    pub(super) counted: Option<(bool, bool)>,
    /// Connectors, and whether each is in order; `0` is the whole charger.
    connectors: Vec<(String, bool)>,
    boots: VecDeque<Micros>,
    /// Since when legacy and the candidate do not accept it, µs.
    pub(super) unaccepted: [Option<Micros>; 2],
    pub(super) attempts: Vec<Attempt>,
    pub(super) charging: Vec<Charging>,
    pub(super) asked: VecDeque<Asked>,
    /// When it is looked at again, µs.
    pub(super) wakes: Option<Micros>,
    /// Its `ConnectionTimeOut`, as far as its authority set it, µs.
    pub(super) patience: Option<Micros>,
}

impl Station {
    /// Whether it could charge: it is not out of order as a whole, nor are all its connectors.
    pub(super) fn is_operative(&self) -> bool {
        let (whole, parts): (Vec<_>, Vec<_>) =
            self.connectors.iter().partition(|(name, _)| name == "0");
        whole.iter().all(|(_, operative)| *operative)
            && (parts.is_empty() || parts.iter().any(|(_, operative)| *operative))
    }

    /// A connector told its state. Returns when the session that it announces should have begun, µs.
    pub(super) fn status(&mut self, message: &Heard<'_>, sheet: &Sheet) -> Option<Micros> {
        let member = |key| message.fields().first(&[Step::Key(key)]);
        let status = member("status").or_else(|| member("connectorStatus"))?;
        let status = json::string_value(status)?;
        let place = [member("evseId"), member("connectorId")];
        let name = place.into_iter().flatten().collect::<Vec<_>>().join("/");
        if name.len() > LONGEST {
            return None;
        }
        let operative = !matches!(status.as_ref(), "Faulted" | "Unavailable");
        let is_room = self.connectors.len() < MOST_CONNECTORS;
        let known = self.connectors.iter_mut().find(|(known, _)| *known == name);
        match known {
            Some((_, known)) => *known = operative,
            None if is_room => {
                self.connectors.push((name.clone(), operative));
            }
            None => {}
        }
        (status == "Preparing").then(|| self.prepares(&name, sheet.now))
    }

    /// It said that it boots.
    pub(super) fn booted(&mut self, sheet: &mut Sheet) {
        sheet.count(Entry::new(self.crowd, BOOTS, "boots"));
        self.boots.push_back(sheet.now);
        if self.boots.len() <= LOOP {
            return;
        }
        let first = self.boots.pop_front();
        if first.is_some_and(|first| sheet.now - first <= HOUR) {
            sheet.count(Entry::new(self.crowd, BOOTS, "loops"));
            self.boots.clear();
        }
    }

    /// A control frame: the first close frame says why the connection ends.
    pub(super) fn closing(&mut self, fact: &Fact) {
        let is_close = fact.note.contains(r#""op":"close""#);
        if is_close && self.conn == fact.conn && self.code.is_none() {
            self.code = fact
                .body
                .first_chunk()
                .map(|code| u16::from_be_bytes(*code));
        }
    }
}
