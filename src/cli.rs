//! The command line: one thin file per verb; wires the parts together.

pub mod backends;
pub mod boards;
pub mod bundle;
pub mod check;
pub mod child;
pub mod codes;
pub mod config;
pub mod decide;
pub mod demo;
pub mod diffs;
pub mod error;
pub mod estate;
pub mod export;
pub mod filtering;
mod fleet;
pub mod gate;
pub mod gauges;
pub mod health;
pub mod import;
pub mod init;
pub mod interrupt;
pub mod judging;
pub mod logging;
pub mod models;
pub mod monitors;
mod noting;
pub mod pack;
pub mod paperwork;
mod places;
pub mod recording;
pub mod replay;
pub mod report;
pub mod rules;
pub mod scenario;
pub mod schema;
pub mod sessions;
pub mod shadow_plane;
pub mod switch;
pub mod tap;
pub mod target;
pub mod triage;
pub mod verify;
pub mod vitals;
pub mod watch;

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use serde::Serialize;

use crate::facts::RecordingError;
use crate::ledger::LedgerError;
use crate::report::{ReportError, printable};
use error::{CliError, Exit};
use judging::JudgingError;

/// Shadow-traffic parity tester for EV-charging backends.
///
/// First look:   evenkeel demo
/// First tap:    evenkeel init, evenkeel check evenkeel.toml, evenkeel tap evenkeel.toml
/// Meanwhile:    evenkeel watch RECORDING
/// Afterwards:   evenkeel diffs RECORDING, evenkeel triage --finding ID --state STATE RECORDING,
///               evenkeel sessions RECORDING, evenkeel verify RECORDING
/// Vendor:       evenkeel report --for vendor --out DIR RECORDING, evenkeel bundle --out bundles RECORDING,
///               evenkeel replay bundles --target URL
/// No traffic?   evenkeel scenario scenarios
/// Cutover:      evenkeel gate --group GROUP RECORDING, evenkeel decide go --group GROUP --by NAME RECORDING
/// Plumbing:     evenkeel explain CODE, evenkeel schema NAME, evenkeel completions SHELL, evenkeel man
///
/// Exit codes: 0 parity or GO, 1 divergence or NO-GO, 2 usage or configuration, 3 not enough evidence,
/// 4 environment, 5 integrity, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, verbatim_doc_comment, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Options),
    Init(init::Options),
    Check(check::Options),
    Tap(tap::Options),
    Watch(watch::Options),
    Diffs(diffs::Options),
    Triage(triage::Options),
    Sessions(sessions::Options),
    Scenario(scenario::Options),
    Estate(estate::Options),
    Gate(gate::Options),
    Decide(decide::Options),
    Switch(switch::Options),
    Report(report::Options),
    Verify(verify::Options),
    Bundle(bundle::Options),
    Replay(replay::Options),
    Pack(pack::Options),
    Import(import::Options),
    Export(export::Options),
    #[command(hide = true)]
    Explain(codes::Options),
    #[command(hide = true)]
    Schema(schema::Options),
    #[command(hide = true)]
    Completions(paperwork::Completions),
    #[command(hide = true)]
    Man(paperwork::Man),
    #[command(hide = true)]
    ReadBackends(backends::Options),
    #[command(name = shadow_plane::VERB, hide = true)]
    ShadowPlane(shadow_plane::Options),
}

/// Parses the arguments, runs the verb, renders its error.
pub fn main() -> ExitCode {
    let args = Args::parse();
    run(&args.verb).map_or_else(
        |error| {
            eprint!("{}", error.render());
            error.exit.into()
        },
        ExitCode::from,
    )
}

/// Every verb and option, as help, completions and the manual know them.
pub fn command() -> clap::Command {
    Args::command()
}

fn run(verb: &Verb) -> Result<Exit, CliError> {
    match verb {
        Verb::Demo(options) => demo::run(options),
        Verb::Init(options) => init::run(options),
        Verb::Check(options) => check::run(options),
        Verb::Tap(options) => tap::run(options),
        Verb::Watch(options) => watch::run(options),
        Verb::Diffs(options) => diffs::run(options),
        Verb::Triage(options) => triage::run(options),
        Verb::Switch(options) => switch::run(options),
        Verb::Sessions(options) => sessions::run(options),
        Verb::Scenario(options) => scenario::run(options),
        Verb::Estate(options) => estate::run(options),
        Verb::Gate(options) => gate::run(options),
        Verb::Decide(options) => decide::run(options),
        Verb::Report(options) => report::run(options),
        Verb::Verify(options) => verify::run(options),
        Verb::Bundle(options) => bundle::run(options),
        Verb::Replay(options) => replay::run(options),
        Verb::Pack(options) => pack::run(options),
        Verb::Import(options) => import::run(options),
        Verb::Export(options) => export::run(options),
        Verb::Explain(options) => codes::run(options),
        Verb::Schema(options) => schema::run(*options),
        Verb::Completions(options) => paperwork::completions(*options),
        Verb::Man(options) => paperwork::man(options),
        Verb::ReadBackends(options) => backends::run(options),
        Verb::ShadowPlane(options) => shadow_plane::run(options),
    }
}

impl From<RecordingError> for CliError {
    fn from(error: RecordingError) -> Self {
        if matches!(error, RecordingError::Damaged(_)) {
            return Self::new(Exit::Integrity, "REC-005", chain(&error))
                .help("restore facts.db from a copy");
        }
        Self::new(Exit::Environment, "REC-003", chain(&error))
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        Self::new(Exit::Environment, "LED-001", chain(&error))
            .help("ledger.db can be removed at any time: it is rebuilt from facts.db")
    }
}

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Facts(error) => error.into(),
            ReportError::Ledger(error) => error.into(),
            error @ (ReportError::Protocol(_) | ReportError::Render(_)) => {
                Self::new(Exit::Environment, "RPT-004", chain(&error))
            }
        }
    }
}

impl From<JudgingError> for CliError {
    fn from(error: JudgingError) -> Self {
        Self::new(Exit::Environment, "LED-002", chain(&error))
    }
}

/// A runtime on the calling thread alone: no plane needs more, and the live plane must not share. Its tasks never leave
/// that thread, so they need no `LocalSet`, which would take each wake-up twice.
fn runtime() -> Result<tokio::runtime::LocalRuntime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|error| {
            CliError::new(
                Exit::Environment,
                "ENV-004",
                format!("cannot start a runtime: {error}"),
            )
        })
}

/// An error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        // Some errors repeat their cause in their own words.
        if !text.contains(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = inner.source();
    }
    text
}

/// Writes a part of the result to stdout. A reader that has seen enough (`| head`) is no error.
fn say(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot_say(&error)),
        _ => Ok(()),
    }
}

fn cannot_say(error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "ENV-002",
        format!("cannot write to stdout: {error}"),
    )
}

fn to_json(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map_err(|error| {
        CliError::new(
            Exit::Environment,
            "OUT-001",
            format!("cannot write JSON: {error}"),
        )
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
