//! Rule files: the operator's own, before the built-in ones.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::config::Config;
use super::error::{CliError, Exit};
use super::places;
use crate::facts::{Kind, Reader};
use crate::judge::rules::RuleError;
use crate::judge::{Rules, Settings, SettingsError};

/// What the note of a fact says that keeps what the operator says about sessions.
pub const SESSIONS: &str = "sessions";

/// The built-in rules behind those of `files`.
pub fn load(files: &[PathBuf]) -> Result<Rules, CliError> {
    let mut rules = Rules::built_in().map_err(|error| broken(&error))?;
    for (name, text) in read(files)? {
        rules = rules
            .with_file(&name, &text)
            .map_err(|error| broken(&error))?;
    }
    Ok(rules)
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

/// Whether a fact that tells of rules is about sessions.
#[derive(Default, Deserialize)]
struct Note {
    #[serde(default)]
    about: String,
}

/// The rules that a recording was made with: each start of a tap keeps the operator's rules as a fact, and what the
/// operator says about sessions as another.
pub fn of_recording(dir: &Path) -> Result<Rules, CliError> {
    let reader = Reader::open(dir)?;
    let rules = Rules::built_in().map_err(|error| broken(&error))?;
    let (mut last, mut text) = (0, String::new());
    let mut sessions = Settings::default();
    while let Some(fact) = reader.of_kind(Kind::RulesLoaded, last, 1)?.pop() {
        last = fact.seq;
        let note: Note = serde_json::from_str(&fact.note).unwrap_or_default();
        if note.about == SESSIONS {
            sessions = Settings::from_json(&fact.body).map_err(|error| unreadable(&error))?;
        } else {
            text = String::from_utf8_lossy(&fact.body).into_owned();
        }
    }
    rules
        .with_file("the recording's rules", &text)
        .map(|rules| rules.with_sessions(sessions))
        .map_err(|error| broken(&error))
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
