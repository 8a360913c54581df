//! Rule files: the operator's own, before the built-in ones.

use std::path::{Path, PathBuf};

use super::config::Config;
use super::error::{CliError, Exit};
use super::places;
use crate::facts::Reader;
use crate::judge::rules::RuleError;
use crate::judge::{Rules, SettingsError};
use crate::report::rules::{self, RulesError};

pub use crate::report::rules::SESSIONS;

/// The built-in rules behind those of `files`, of which the first comes first.
pub fn load(files: &[PathBuf]) -> Result<Rules, CliError> {
    rules::stacked(&read(files)?).map_err(|error| broken(&error))
}

/// What is suspicious about the operator's rules: those that never decide.
pub fn warnings(rules: &Rules) -> Vec<String> {
    rules
        .unused()
        .into_iter()
        .map(|(rule, earlier)| {
            let why = match earlier {
                Some(earlier) => format!(
                    "{} ({}) matches wherever it does and comes first",
                    earlier.id, earlier.origin
                ),
                None => {
                    "requests of chargers are not compared: both backends get the same".to_owned()
                }
            };
            format!("{}: rule {} is never used: {why}", rule.origin, rule.id)
        })
        .collect()
}

/// Name and text of each file.
pub fn read(files: &[PathBuf]) -> Result<Vec<(String, String)>, CliError> {
    files
        .iter()
        .map(|file| {
            std::fs::read_to_string(file)
                .map(|text| (file.display().to_string(), text))
                .map_err(|error| {
                    CliError::new(
                        Exit::Usage,
                        "RULE-001",
                        format!("cannot read the rule file {}: {error}", file.display()),
                    )
                    .help("`rules.files` is relative to the configuration file")
                })
        })
        .collect()
}

/// The text of all `files`, as one file: what a recording keeps of them.
pub fn joined(files: &[PathBuf]) -> Result<String, CliError> {
    Ok(read(files)?
        .into_iter()
        .fold(String::new(), |all, (name, text)| {
            all + "# " + &name + "\n" + &text + "\n"
        }))
}

/// The rules of a configuration, with what it says about sessions.
pub fn of_config(config: &Config) -> Result<Rules, CliError> {
    Ok(load(&config.rules)?.with_sessions(places::load(&config.sessions)?))
}

/// The rules that a recording was made with.
pub fn of_recording(dir: &Path) -> Result<Rules, CliError> {
    Ok(rules::of_recording(&Reader::open(dir)?)?)
}

impl From<RulesError> for CliError {
    fn from(error: RulesError) -> Self {
        match error {
            RulesError::Facts(error) => error.into(),
            RulesError::Rule(error) => broken(&error),
            RulesError::Sessions(error) => unreadable(&error),
        }
    }
}

/// Other rules for a recording, with what its operator said about sessions.
pub fn instead(dir: &Path, files: &[PathBuf]) -> Result<Rules, CliError> {
    let sessions = of_recording(dir)?.sessions().clone();
    Ok(load(files)?.with_sessions(sessions))
}

fn unreadable(error: &SettingsError) -> CliError {
    CliError::new(Exit::Integrity, "RULE-003", error.to_string())
}

fn broken(error: &RuleError) -> CliError {
    let RuleError {
        file,
        line,
        column,
        problem,
        help,
    } = error;
    CliError::new(
        Exit::Usage,
        "RULE-002",
        format!("{file} line {line} column {column}: {problem}"),
    )
    .help(help.clone())
}
