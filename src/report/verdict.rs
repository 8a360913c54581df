//! What the gate says of a recording's chargers: the ledger's evidence, weighed by criteria; the same for every view.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::clock::Micros;
use crate::estate::gate::file::Mistake;
use crate::estate::gate::{self, Asked, Gate, Report};
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

    /// Weighs what the ledger holds of a group, or of the whole estate; evidence is as old as it is at `now`, µs.
    pub fn weigh(
        &self,
        reader: &Reader,
        (group, now, is_checkpoint): (Option<&str>, Micros, bool),
    ) -> Result<Report, LedgerError> {
        let group = group.filter(|group| *group != EVERYBODY);
        let asked = Asked {
            group: group.map(str::to_owned),
            now,
            is_checkpoint,
            gate_hash: self.hash.clone(),
        };
        Ok(gate::weigh(&self.gate, &reader.evidence(group)?, &asked))
    }
}
