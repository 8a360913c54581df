//! Scenario files: found, read, chosen.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::cli::error::{CliError, Exit, Place};
use crate::replay::scenario::{Mistake, Scenario};

/// A scenario with the file that it came from.
#[derive(Debug)]
pub(super) struct File {
    /// As the user named it.
    pub(super) path: PathBuf,
    /// The whole text.
    pub(super) text: String,
    /// What it says.
    pub(super) scenario: Scenario,
    /// The charger's identity: the file's name, and its own among all.
    pub(super) identity: String,
}

impl File {
    /// The path for people and programs.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// A place of the text.
    pub(super) fn place(&self, span: Range<usize>, label: &str) -> Place {
        Place::new(&self.path, &self.text, span, label)
    }
}

/// All scenarios of files and directories that have one of the tags; those of a directory in the order of their names.
pub(super) fn read(paths: &[PathBuf], tags: &[String]) -> Result<Vec<File>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        collect(path, &mut found)?;
    }
    let mut files = Vec::new();
    let mut identities = BTreeSet::new();
    for path in found {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let scenario = Scenario::read(&text).map_err(|error| mistake(&path, &text, error))?;
        let is_wanted = tags.is_empty() || scenario.tags.iter().any(|tag| tags.contains(tag));
        if is_wanted {
            let identity = identity(&path, &scenario, &mut identities);
            files.push(File {
                path,
                text,
                scenario,
                identity,
            });
        }
    }
    if files.is_empty() {
        return Err(
            CliError::new(Exit::Usage, "SCN-002", "there is no such scenario").help(
                "scenarios are files that end with .toml; `--list` says which tags they have",
            ),
        );
    }
    Ok(files)
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        inside.push(entry.map_err(|error| unreadable(path, &error))?.path());
    }
    inside.sort();
    for path in inside {
        if path.is_dir() || path.extension().is_some_and(|ending| ending == "toml") {
            collect(&path, found)?;
        }
    }
    Ok(())
}

/// A name that no other scenario's charger has.
fn identity(path: &Path, scenario: &Scenario, taken: &mut BTreeSet<String>) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    let own = scenario.charger.identity.clone();
    let wished = own.unwrap_or_else(|| stem.chars().map(plain).collect());
    let mut identity = wished.clone();
    let mut number = 2;
    while !taken.insert(identity.clone()) {
        identity = format!("{wished}-{number}");
        number += 1;
    }
    identity
}

fn mistake(path: &Path, text: &str, error: Mistake) -> CliError {
    let place = Place::new(path, text, error.span, error.label);
    CliError::new(Exit::Usage, "SCN-001", error.what)
        .at(place)
        .help(error.help)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let what = format!("cannot read {}: {error}", path.display());
    CliError::new(Exit::Usage, "SCN-003", what)
}
