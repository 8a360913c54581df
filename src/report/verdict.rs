//! What the gate says of a recording's chargers: the ledger's evidence, weighed by criteria; the same for every view.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::clock::Micros;
use crate::estate::gate::file::Mistake;
use crate::estate::gate::{self, Asked, Gate, Report};
use crate::estate::switches::{self, Switch};
use crate::facts::authority::Change;
use crate::facts::{self, Kind, RecordingError};
use crate::ledger::LedgerError;
use crate::ledger::query::Reader;
use crate::ledger::row::EVERYBODY;

/// Criteria, and what names them.
#[derive(Debug)]
pub struct Criteria {
    /// The criteria.
    pub gate: Gate,
    /// `sha256:` and 64 hexadecimal digits, of the text.
    pub hash: String,
}

impl Criteria {
    /// Those of a text, or the first mistake in it.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let gate = Gate::read(text)?;
        let mut hash = "sha256:".to_owned();
        for byte in Sha256::digest(text.as_bytes()) {
            // Writing into a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Ok(Self { gate, hash })
    }

    /// Weighs what the ledger holds of a group, or of the whole estate; evidence is as old as it is at `now`, µs. Roll-backs among
    /// the switches say how long the next one takes.
    pub fn weigh(
        &self,
        (reader, switches): (&Reader, &[Switch]),
        (group, now, is_checkpoint): (Option<&str>, Micros, bool),
    ) -> Result<Report, LedgerError> {
        let group = group.filter(|group| *group != EVERYBODY);
        let asked = Asked {
            group: group.map(str::to_owned),
            now,
            is_checkpoint,
            gate_hash: self.hash.clone(),
        };
        let evidence = reader.evidence(group)?;
        let mut report = gate::weigh(&self.gate, &evidence, &asked);
        let stations = evidence.stations.into_iter();
        let chargers: Vec<String> = stations.map(|station| station.charger).collect();
        if let Some(rehearsal) = switches::rehearsal(switches, &chargers) {
            let no_return = evidence.wave.and_then(|wave| wave.point_of_no_return);
            switches::learn(&mut report.undo, &rehearsal, no_return);
        }
        Ok(report)
    }
}

/// The switches that were recorded, oldest first.
pub fn switches(facts: &facts::Reader) -> Result<Vec<Switch>, RecordingError> {
    let steps = facts.of_kind(Kind::AuthorityChanged, 0, i64::MAX as usize)?;
    let steps = steps.iter();
    let read: Vec<_> = steps
        .filter_map(|fact| Some((&fact.charger, fact.at, Change::read(fact)?)))
        .collect();
    let steps = read
        .iter()
        .map(|(charger, at, change)| (*charger, *at, change));
    Ok(switches::switches(steps))
}
