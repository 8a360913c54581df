//! One pass over all facts of a recording: what is personal in it, whether it is whole, and who made it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::ReportError;
use super::veil::Originals;
use crate::clock::Micros;
use crate::facts::accounting::{Accountant, Accounting};
use crate::facts::chain::Chain;
use crate::facts::{Fact, Kind, Reader};

/// What a pass over a recording tells.
#[derive(Debug, Default)]
pub struct Survey {
    /// Every value that must not leave.
    pub originals: Originals,
    /// Whether all frames are accounted for.
    pub accounting: Accounting,
    /// The chain of human notes.
    pub chain: Chain,
    /// How many facts there are.
    pub facts: u64,
    /// When the first and the last fact was that is no word of people's, µs.
    pub window: Option<(Micros, Micros)>,
    /// The name of the recording's first run.
    pub run: String,
    /// Versions of the program that recorded.
    pub recorders: BTreeSet<String>,
    /// Builds of the legacy, as the operator calls them.
    pub legacy_builds: BTreeSet<String>,
    /// Builds of the candidate.
    pub builds: BTreeSet<String>,
    /// How often the tap started.
    pub starts: u64,
}

/// The note of a `TapStarted`, as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Started {
    run: String,
    version: String,
    build: String,
    legacy_build: String,
}

impl Survey {
    /// Goes through the recording `dir`.
    pub fn of(dir: &Path) -> Result<Self, ReportError> {
        let reader = Reader::open(dir)?;
        let mut survey = Self::default();
        let mut accountant = Accountant::default();
        for fact in reader.facts() {
            let fact = fact?;
            accountant.add(&fact);
            survey.chain.add(&fact);
            survey.add(&fact);
        }
        survey.accounting = accountant.finish();
        Ok(survey)
    }

    fn add(&mut self, fact: &Fact) {
        self.facts += 1;
        self.originals.add(fact);
        match fact.kind {
            Kind::Decision | Kind::Triage | Kind::HookRan | Kind::Revealed => return,
            Kind::TapStarted => self.started(fact),
            _ => {}
        }
        let (first, last) = self.window.unwrap_or((fact.at, fact.at));
        self.window = Some((first.min(fact.at), last.max(fact.at)));
    }

    fn started(&mut self, fact: &Fact) {
        self.starts += 1;
        // A note that cannot be read names nothing.
        let note: Started = serde_json::from_str(&fact.note).unwrap_or_default();
        if self.run.is_empty() {
            self.run = note.run;
        }
        for (word, words) in [
            (note.version, &mut self.recorders),
            (note.legacy_build, &mut self.legacy_builds),
            (note.build, &mut self.builds),
        ] {
            if !word.is_empty() {
                words.insert(word);
            }
        }
    }
}
