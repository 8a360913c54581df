//! Bundles, played one after the other.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Options;
use crate::cli::error::{CliError, Exit};
use crate::cli::interrupt::Interrupt;
use crate::cli::target::no_tls;
use crate::clock::Clock;
use crate::judge::Rules;
use crate::ledger::views;
use crate::replay::bundle::Bundle;
use crate::replay::play::Target;
use crate::replay::proof;
use crate::replay::results::{Came, Results, SCHEMA};
use crate::replay::verdict::Verdict;
use crate::report::rules::stacked;

/// Plays all bundles against the target.
pub(super) fn run(options: &Options) -> Result<Exit, CliError> {
    let [url] = options.targets.as_slice() else {
        return Err(CliError::new(
            Exit::Usage,
            "RPL-007",
            "a bundle is played against one target",
        ));
    };
    let target = Target {
        original_timing: options.original_timing,
        ..options.how.target(url)?
    };
    let bundles = read(&options.places)?;
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
            crate::cli::say(&line(&came))?;
        }
        results.results.push(came);
    }
    write(&options.results, &results)?;
    if options.json {
        crate::cli::say(&(crate::cli::to_json(&results)? + "\n"))?;
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
        crate::cli::printable(&came.finding),
        crate::cli::printable(&outcome.says)
    );
    for other in outcome.differs.iter().skip(1) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:16}also: {}",
            "",
            crate::cli::printable(&other.title)
        );
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
        if path.to_string_lossy().ends_with(crate::cli::bundle::ENDING) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(file: &Path, error: &dyn std::error::Error) -> CliError {
    let what = format!(
        "{} is no bundle: {}",
        file.display(),
        crate::cli::chain(error)
    );
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
