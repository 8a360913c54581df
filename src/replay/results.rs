//! What came of bundles that were played, for whoever sent them: `results.json`.

use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::verdict::{Outcomes, Verdict};
use crate::ledger::row::Subject;

/// What its `schema` says.
pub const SCHEMA: &str = "evenkeel.results/1";

/// All that was played at one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program that played, with its version.
    pub tool: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// The target's URL, without what may be secret.
    pub target: String,
    /// What the target's build is called, if that was said.
    pub build: Option<String>,
    /// Bundle by bundle.
    pub results: Vec<Came>,
}

/// What came of one bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// The file.
    pub bundle: String,
    /// The finding that it shows.
    pub finding: String,
    /// What the finding is a difference of.
    pub subject: Subject,
    /// The finding's action.
    pub action: String,
    /// The finding in a sentence.
    pub title: String,
    /// What came out.
    pub outcome: Outcomes,
}

impl Came {
    /// What came of `bundle`, which lies in a file of this name.
    pub fn of(bundle: &Bundle, file: &str, outcome: Outcomes) -> Self {
        Self {
            bundle: file.to_owned(),
            finding: bundle.finding.id.clone(),
            subject: bundle.finding.subject,
            action: bundle.finding.action.clone(),
            title: bundle.finding.title.clone(),
            outcome,
        }
    }
}

impl Results {
    /// The worst of all: what could not be said comes before what is wrong, and that before what was not there.
    pub fn worst(&self) -> Verdict {
        let has = |verdict| self.results.iter().any(|it| it.outcome.verdict == verdict);
        [
            Verdict::Error,
            Verdict::StillDiverges,
            Verdict::NotReproduced,
        ]
        .into_iter()
        .find(|verdict| has(*verdict))
        .unwrap_or(Verdict::Fixed)
    }
}
