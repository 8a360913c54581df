//! `evenkeel scenario`: simulated chargers that do what files say, and what both backends make of it.

mod files;
mod junit;
mod playing;
mod stage;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::error::{CliError, Exit};
use super::target::TargetArgs;
use crate::clock::Clock;
use crate::facts::Leg;
use crate::ledger::views;
use crate::live::Backend;
use crate::replay::scenario::results::{Results, SCHEMA, Verdict};
use files::File;

/// Plays scenarios: a simulated charger does what a file says, through a real tap, and both backends must do as expected.
///
/// First look:    evenkeel scenario scenarios/core
/// Two backends:  evenkeel scenario scenarios --legacy URL --candidate URL --identity CP-1 --set tag=04A1B2C3
/// One, in CI:    evenkeel scenario scenarios/core --candidate URL --identity CP-1 --junit results.xml
/// What is there: evenkeel scenario scenarios --list --tag security
///
/// Without URLs it plays to two simulated backends. With both, a tap is between the charger and legacy and mirrors to the
/// candidate, and the judge of every recording says whether both agree. With the candidate alone, only its answers are held
/// against what the file expects. A file says what it proves, what the charger sends and what must come back; scenarios/README.md
/// explains how they are written, `evenkeel schema scenario` completes them in editors.
///
/// PASSED: everything was as expected. FAILED: something was not; the place in the file, and what both said. ERROR: it could not
/// be played. Exit code: 4 if any is an ERROR, else 1 if any FAILED, else 0.
/// Next: evenkeel diffs RECORDING, with --recording.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    /// Scenario files, or directories of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The backend of today: ws:// or wss://; the charger's identity goes to the end of its path.
    #[arg(long, value_name = "URL", requires = "candidate")]
    legacy: Option<String>,
    /// The backend that may take over; alone, there is no tap and nothing is compared.
    #[arg(long, value_name = "URL")]
    candidate: Option<String>,
    /// Only scenarios with this tag; of several, one is enough.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Say which scenarios there are, and play none.
    #[arg(long)]
    list: bool,
    /// A variable's value in place of the files', such as tag=04A1B2C3.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    values: Vec<(String, String)>,
    #[command(flatten)]
    how: TargetArgs,
    /// A program that lets a backend of yours send an awaited command; it gets `legacy` or `candidate`, the charger and the
    /// action as arguments, and the payload on its input.
    #[arg(long, value_name = "PROGRAM", requires = "candidate")]
    trigger: Option<PathBuf>,
    /// Rules of your own, before the built-in ones; the first file first.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// How many scenarios are played at once; one with --identity or a backend of yours, else eight.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Keep the recording here; a temporary one is removed at the end.
    #[arg(long, value_name = "DIR")]
    recording: Option<PathBuf>,
    /// Write the results as `JUnit` XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the results as JSON (schema evenkeel.scenarios/1).
    #[arg(long)]
    json: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a name and a value, such as tag=04A1B2C3".to_owned()),
    }
}

impl Options {
    fn values(&self) -> BTreeMap<String, String> {
        self.values.iter().cloned().collect()
    }

    /// How many are played at once. Two scenarios of one charger at a time would be in each other's way.
    fn jobs(&self) -> usize {
        let own = self.candidate.is_some() || self.how.identity().is_some();
        let jobs = self.jobs.unwrap_or(if own { 1 } else { 8 });
        if self.how.identity().is_some() {
            return 1;
        }
        usize::from(jobs)
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let files = files::read(&options.paths, &options.tags)?;
    if options.list {
        super::say(&text::list(&files, options.json)?)?;
        return Ok(Exit::Parity);
    }
    known(options, &files)?;
    let results = play(options, &files)?;
    if let Some(place) = &options.junit {
        write(place, &junit::write(&results, &files))?;
    }
    if options.json {
        super::say(&(super::to_json(&results)? + "\n"))?;
    } else {
        super::say(&text::results(&results, &files))?;
    }
    if let Some(kept) = &options.recording {
        let kept = kept.display();
        eprintln!("next: evenkeel diffs {kept}   evenkeel watch {kept}");
    }
    Ok(exit(&results))
}

/// Complains of a value for a variable that no scenario has: it would change nothing.
fn known(options: &Options, files: &[File]) -> Result<(), CliError> {
    let has = |name: &str| {
        let mut variables = files.iter().flat_map(|file| &file.scenario.variables);
        variables.any(|(known, _)| known == name)
    };
    match options.values.iter().find(|(name, _)| !has(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let what = format!("no scenario has a variable `{name}`");
            Err(CliError::new(Exit::Usage, "SCN-008", what)
                .help("variables stand under [variables] in the files"))
        }
    }
}

/// Plays the scenarios and weighs what came of them.
fn play(options: &Options, files: &[File]) -> Result<Results, CliError> {
    let runtime = super::runtime()?;
    let outcome = runtime.block_on(playing::play(options, files))?;
    let scenarios = outcome.came;
    let count = |verdict| Results::count(&scenarios, verdict);
    // As it may be shown: a backend's URL may hold a password.
    let url = |leg| {
        let backend = Backend::parse(outcome.urls.get(&leg)?).ok()?;
        Some(backend.to_string())
    };
    Ok(Results {
        schema: SCHEMA.to_owned(),
        tool: format!("evenkeel {}", env!("CARGO_PKG_VERSION")),
        at: views::rfc3339(Clock::system().now()),
        legacy: url(Leg::Legacy),
        candidate: url(Leg::Candidate).unwrap_or_default(),
        passed: count(Verdict::Passed),
        failed: count(Verdict::Failed),
        errors: count(Verdict::Error),
        interrupted: outcome.interrupted,
        scenarios,
    })
}

const fn exit(results: &Results) -> Exit {
    if results.interrupted {
        Exit::Interrupted
    } else if results.errors > 0 {
        Exit::Environment
    } else if results.failed > 0 {
        Exit::Divergence
    } else {
        Exit::Parity
    }
}

fn write(place: &std::path::Path, text: &str) -> Result<(), CliError> {
    std::fs::write(place, text).map_err(|error| {
        let what = format!("cannot write {}: {error}", place.display());
        CliError::new(Exit::Environment, "SCN-004", what)
    })
}
