//! `evenkeel replay`: plays bundles against a backend, in the charger's place.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{CliError, Exit};
use super::interrupt::Interrupt;
use super::target::{TargetArgs, no_tls};
use crate::clock::Clock;
use crate::judge::Rules;
use crate::ledger::views;
use crate::replay::bundle::Bundle;
use crate::replay::play::Target;
use crate::replay::proof;
use crate::replay::results::{Came, Results, SCHEMA};
use crate::replay::verdict::Verdict;
use crate::report::rules::stacked;

/// Plays bundles against a backend and says whether each divergence is fixed.
///
/// Vendor:    evenkeel replay bundles/*.json --target URL --build 2.4.1
/// Operator:  evenkeel import results.json --into RECORDING
///
/// It stands in the charger's place, with nothing but the bundle: no configuration, no recording. FIXED: the backend does as
/// legacy did. STILL DIVERGES: it does not, and in what. NOT REPRODUCED: something that the bundle needs was not there, such
/// as a tag that the backend must know. ERROR: it cannot be reached, or hung up. Exit code: 4 if any is an ERROR, else 1 if
/// any STILL DIVERGES, else 3 if any is NOT REPRODUCED, else 0.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    /// Bundles, or directories of them.
    #[arg(required = true, value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// The backend: ws:// or wss://; the charger's identity goes to the end of its path.
    #[arg(long, value_name = "URL")]
    target: String,
    #[command(flatten)]
    how: TargetArgs,
    /// Wait between steps as long as was recorded, instead of going on when the answer is there.
    #[arg(long)]
    original_timing: bool,
    /// What the backend's build is called: noted in the results.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
    /// Where the results are written, for `evenkeel import`.
    #[arg(long, value_name = "FILE", default_value = "results.json")]
    results: PathBuf,
    /// Print the results as JSON (schema evenkeel.results/1).
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let target = Target {
        original_timing: options.original_timing,
        ..options.how.target(&options.target)?
    };
    let bundles = read(&options.bundles)?;
    let mut results = Results {
        schema: SCHEMA.to_owned(),
        tool: format!("evenkeel {}", env!("CARGO_PKG_VERSION")),
        at: views::rfc3339(Clock::system().now()),
        target: target.backend.to_string(),
        build: options.build.clone(),
        results: Vec::new(),
    };
    let mut interrupt = Interrupt::watch()?;
    let mut interrupted = false;
    for (file, bundle) in &bundles {
        let rules = rules_of(bundle, file)?;
        let Some(came) = interrupt.or(proof::attempt(bundle, &target, &rules)) else {
            interrupted = true;
            break;
        };
        let came = Came::of(bundle, &name(file), came.map_err(|error| no_tls(&error))?);
        if !options.json {
            super::say(&line(&came))?;
        }
        results.results.push(came);
    }
    write(&options.results, &results)?;
    if options.json {
        super::say(&(super::to_json(&results)? + "\n"))?;
    }
    let place = options.results.display();
    eprintln!("results: {place}   next, at the operator: evenkeel import {place} --into RECORDING");
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    Ok(exit(results.worst()))
}

const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Fixed => Exit::Parity,
        Verdict::StillDiverges => Exit::Divergence,
        Verdict::NotReproduced => Exit::Evidence,
        Verdict::Error => Exit::Environment,
    }
}

/// What came of a bundle, for people.
fn line(came: &Came) -> String {
    let outcome = &came.outcome;
    let mut text = format!(
        "{:<14}  {}  {}\n",
        outcome.verdict.word(),
        super::printable(&came.finding),
        super::printable(&outcome.says)
    );
    for other in outcome.differs.iter().skip(1) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:16}also: {}", "", super::printable(&other.title));
    }
    text
}

/// The rules that a bundle is judged by: its operator's, before the built-in ones.
fn rules_of(bundle: &Bundle, file: &Path) -> Result<Rules, CliError> {
    let files: Vec<(String, String)> = (bundle.rules.iter())
        .map(|rules| (rules.name.clone(), rules.text.clone()))
        .collect();
    stacked(&files).map_err(|error| unreadable(file, &error))
}

/// All bundles, each with its file; those of a directory in the order of their names.
fn read(places: &[PathBuf]) -> Result<Vec<(PathBuf, Bundle)>, CliError> {
    let mut found = Vec::new();
    for place in places {
        for file in files(place)? {
            let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            let bundle = Bundle::read(&text).map_err(|error| unreadable(&file, &error))?;
            found.push((file, bundle));
        }
    }
    if found.is_empty() {
        return Err(CliError::new(Exit::Usage, "RPL-004", "there is no bundle")
            .help("`evenkeel bundle RECORDING --out DIR` writes some"));
    }
    Ok(found)
}

fn files(place: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place).map_err(|error| unreadable(place, &error))? {
        let path = entry.map_err(|error| unreadable(place, &error))?.path();
        if path.to_string_lossy().ends_with(super::bundle::ENDING) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(file: &Path, error: &dyn std::error::Error) -> CliError {
    let what = format!("{} is no bundle: {}", file.display(), super::chain(error));
    CliError::new(Exit::Usage, "RPL-005", what)
        .help("a bundle is a file that `evenkeel bundle` wrote; `evenkeel schema bundle` says what is in it")
}

fn write(file: &Path, results: &Results) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(results).map_err(std::io::Error::from);
    text.and_then(|text| std::fs::write(file, text + "\n"))
        .map_err(|error| {
            let what = format!("cannot write {}: {error}", file.display());
            CliError::new(Exit::Environment, "RPL-006", what)
        })
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    name.to_string_lossy().into_owned()
}
