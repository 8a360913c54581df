//! `evenkeel schema`: the JSON Schemas of what the program writes for other programs.

use clap::{Args, ValueEnum};

use super::error::{CliError, Exit};

/// Prints the JSON Schema of a stable output.
#[derive(Debug, Clone, Copy, Args)]
pub struct Options {
    /// Which one.
    name: Schema,
}

/// The stable outputs, each with a version of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// A line of `export facts`: evenkeel.fact/1.
    Fact,
    /// A line of `export sessions`: evenkeel.session-row/1.
    SessionRow,
    /// A line of `export cdrs`: evenkeel.cdr-row/1.
    CdrRow,
    /// A line of `export status`: evenkeel.status-row/1.
    StatusRow,
    /// `diffs --json` and `demo --json`: evenkeel.diffs/1.
    Diffs,
    /// `diffs --explain --json`: evenkeel.explain/1.
    Explain,
    /// `diffs --monitors --json`: evenkeel.monitors/1.
    Monitors,
    /// `sessions --json`: evenkeel.sessions/1.
    Sessions,
    /// `sessions --switched --json`: evenkeel.switched/1.
    Switched,
    /// `estate --json`: evenkeel.estate/1.
    Estate,
    /// `gate --json`: evenkeel.gate/1.
    Gate,
    /// `report.json` in an archive of `report`: evenkeel.report/1.
    Report,
    /// `verify --json`: evenkeel.verify/1.
    Verify,
    /// A file that `bundle` writes: evenkeel.bundle/1.
    Bundle,
    /// `replay --json` and its results file: evenkeel.results/1.
    Results,
    /// `replay --json` of a recording: evenkeel.load/1.
    Load,
    /// A scenario file, for editors.
    Scenario,
    /// `scenario --json`: evenkeel.scenarios/1.
    Scenarios,
    /// `verify --json` of a report: evenkeel.verify-report/1.
    VerifyReport,
    /// `verify --json` of a bundle or of exported notes: evenkeel.verify-file/1.
    VerifyFile,
    /// `pack --json`: evenkeel.pack/1.
    Pack,
    /// The tap's `/health`: evenkeel.health/1.
    Health,
}

impl Schema {
    /// The schema's text (JSON Schema, draft 2020-12).
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fact => include_str!("../facts/fact.schema.json"),
            Self::SessionRow => include_str!("export/session-row.schema.json"),
            Self::CdrRow => include_str!("export/cdr-row.schema.json"),
            Self::StatusRow => include_str!("export/status-row.schema.json"),
            Self::Diffs => include_str!("../ledger/diffs.schema.json"),
            Self::Explain => include_str!("diffs/explain.schema.json"),
            Self::Monitors => include_str!("../ledger/monitors.schema.json"),
            Self::Sessions => include_str!("../ledger/sessions.schema.json"),
            Self::Switched => include_str!("sessions/switched.schema.json"),
            Self::Estate => include_str!("../estate/estate.schema.json"),
            Self::Gate => include_str!("../estate/gate/gate.schema.json"),
            Self::Report => crate::report::render::SCHEMA,
            Self::Verify => include_str!("verify.schema.json"),
            Self::Bundle => include_str!("../replay/bundle/bundle.schema.json"),
            Self::Results => include_str!("../replay/results.schema.json"),
            Self::Load => include_str!("replay/load.schema.json"),
            Self::Scenario => crate::replay::scenario::SCHEMA,
            Self::Scenarios => include_str!("scenario/scenarios.schema.json"),
            Self::VerifyReport => include_str!("verify/archive.schema.json"),
            Self::VerifyFile => include_str!("verify/single.schema.json"),
            Self::Pack => include_str!("pack.schema.json"),
            Self::Health => include_str!("health.schema.json"),
        }
    }
}

/// Runs the verb.
pub fn run(options: Options) -> Result<Exit, CliError> {
    super::say(options.name.text())?;
    Ok(Exit::Parity)
}
