//! What came of scenarios, for people and for programs.

use std::ops::Range;

use serde::Serialize;

/// The name of the results' form.
pub const SCHEMA: &str = "evenkeel.scenarios/1";

/// What came of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// Something was not.
    Failed,
    /// It could not be played.
    Error,
}

impl Verdict {
    /// The word for it, as it stands at the beginning of a line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Error => "ERROR",
        }
    }
}

/// What came of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Came {
    /// The file.
    pub file: String,
    /// Its name.
    pub name: String,
    /// What it proves.
    pub proves: String,
    /// OCPP version number.
    pub version: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The charger's identity.
    pub charger: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took, ms.
    pub took_ms: u64,
    /// What came of each step that could be compared.
    pub steps: Vec<Compared>,
    /// What was not as expected, in the order of the file.
    pub failures: Vec<Failure>,
    /// What could not be checked, in words.
    pub unchecked: Vec<String>,
}

/// A step that the judge has weighed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its number, from 1.
    pub step: u32,
    /// The action.
    pub action: String,
    /// Word of the outcome, or `not compared`.
    pub parity: String,
}

/// Something that was not as expected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The step, from 1; none for what belongs to none.
    pub step: Option<u32>,
    /// The line of the file, from 1; none for what no line asks for.
    pub line: Option<usize>,
    /// The action of the step; empty if it has none.
    pub action: String,
    /// `legacy`, `candidate`, or `both` for how they compare.
    pub side: String,
    /// What was expected.
    pub expected: String,
    /// What there was.
    pub got: String,
    /// What legacy said, as JSON text, or why it said nothing.
    pub legacy: Option<String>,
    /// What the candidate said.
    pub candidate: Option<String>,
    /// The place in the file.
    #[serde(skip)]
    pub span: Option<Range<usize>>,
    /// Nobody could say anything: the scenario could not be played.
    #[serde(skip)]
    pub is_error: bool,
}

/// What came of all scenarios.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program and its version.
    pub tool: String,
    /// When, RFC 3339.
    pub at: String,
    /// Legacy's URL; none where there was only one backend.
    pub legacy: Option<String>,
    /// The candidate's URL.
    pub candidate: String,
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many could not be played.
    pub errors: usize,
    /// Whether Ctrl-C ended it before all were played.
    pub interrupted: bool,
    /// Each of them.
    pub scenarios: Vec<Came>,
}

impl Came {
    /// The verdict that follows from what was not as expected.
    pub fn verdict_of(failures: &[Failure]) -> Verdict {
        match failures {
            [] => Verdict::Passed,
            failures if failures.iter().any(|failure| failure.is_error) => Verdict::Error,
            _ => Verdict::Failed,
        }
    }

    /// How the steps compare, in a few words.
    pub fn parity(&self) -> String {
        let of = |word: &str| self.steps.iter().filter(|it| it.parity == word).count();
        let words = ["equal", "explained", "divergent", "not comparable"];
        let counted = words
            .into_iter()
            .filter(|word| of(word) > 0)
            .map(|word| format!("{} {word}", of(word)));
        let text = counted.collect::<Vec<_>>().join(", ");
        if text.is_empty() {
            return "nothing compared".to_owned();
        }
        text
    }
}

impl Results {
    /// How many came out so.
    pub fn count(scenarios: &[Came], verdict: Verdict) -> usize {
        scenarios
            .iter()
            .filter(|came| came.verdict == verdict)
            .count()
    }
}
