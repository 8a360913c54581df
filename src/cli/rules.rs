//! Rule files: the operator's own, before the built-in ones.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::config::Config;
use super::error::{CliError, Exit};
use super::places;
use crate::facts::{Fact, Kind, Reader};
use crate::judge::rules::RuleError;
use crate::judge::{Rules, Settings, SettingsError};

/// What the note of a fact says that keeps what the operator says about sessions.
pub const SESSIONS: &str = "sessions";

/// The built-in rules behind those of `files`, of which the first comes first.
pub fn load(files: &[PathBuf]) -> Result<Rules, CliError> {
    stacked(&read(files)?)
}

/// The built-in rules behind those of files, each a name and a text.
fn stacked(files: &[(String, String)]) -> Result<Rules, CliError> {
    let built_in = Rules::built_in().map_err(|error| broken(&error))?;
    files
        .iter()
        .rev()
        .try_fold(built_in, |rules, (name, text)| {
            rules.with_file(name, text).map_err(|error| broken(&error))
        })
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
    let (mut last, mut files) = (0, Vec::new());
    let mut sessions = Settings::default();
    while let Some(fact) = reader.of_kind(Kind::RulesLoaded, last, 1)?.pop() {
        last = fact.seq;
        let note: Note = serde_json::from_str(&fact.note).unwrap_or_default();
        if note.about == SESSIONS {
            sessions = Settings::from_json(&fact.body).map_err(|error| unreadable(&error))?;
        } else {
            files = separated(&fact);
        }
    }
    Ok(stacked(&files)?.with_sessions(sessions))
}

/// Other rules for a recording, with what its operator said about sessions.
pub fn instead(dir: &Path, files: &[PathBuf]) -> Result<Rules, CliError> {
    let sessions = of_recording(dir)?.sessions().clone();
    Ok(load(files)?.with_sessions(sessions))
}

/// The note of a `RulesLoaded`.
#[derive(Deserialize)]
struct Loaded {
    files: Vec<String>,
}

/// The files in the text that [`joined`] made, as far as the note names them; all of it as one file otherwise.
fn separated(fact: &Fact) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(&fact.body).into_owned();
    let names =
        serde_json::from_str(&fact.note).map_or_else(|_| Vec::new(), |loaded: Loaded| loaded.files);
    let mut files = Vec::new();
    let mut rest = text.as_str();
    for (at, name) in names.iter().enumerate() {
        let Some(own) = rest.strip_prefix(&format!("# {name}\n")) else {
            return vec![("the recording's rules".to_owned(), text)];
        };
        let next = names.get(at + 1).map(|next| format!("\n# {next}\n"));
        let end = match &next {
            Some(next) => own.find(next.as_str()).map(|end| end + 1),
            None => Some(own.len()),
        };
        let Some(end) = end else {
            return vec![("the recording's rules".to_owned(), text)];
        };
        files.push((name.clone(), own[..end].to_owned()));
        rest = &own[end..];
    }
    if names.is_empty() && !text.is_empty() {
        return vec![("the recording's rules".to_owned(), text)];
    }
    files
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
