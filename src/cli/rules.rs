//! Rule files: the operator's own, before the built-in ones.

use std::path::{Path, PathBuf};

use super::error::{CliError, Exit};
use crate::facts::{Kind, Reader};
use crate::judge::Rules;
use crate::judge::rules::RuleError;

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

/// The rules that a recording was made with: it keeps the text of the operator's files as facts.
pub fn of_recording(dir: &Path) -> Result<Rules, CliError> {
    let reader = Reader::open(dir)?;
    let last_run = reader.last_of_kind(Kind::PlaneStarted)?.map_or(0, |fact| fact.seq);
    let mut rules = Rules::built_in().map_err(|error| broken(&error))?;
    for fact in reader.of_kind(Kind::RulesLoaded, last_run)? {
        let text = String::from_utf8_lossy(&fact.body).into_owned();
        let name = fact.note_json()["file"].as_str().unwrap_or("rules").to_owned();
        rules = rules
            .with_file(&name, &text)
            .map_err(|error| broken(&error))?;
    }
    Ok(rules)
}

fn broken(error: &RuleError) -> CliError {
    let cli = CliError::new(Exit::Usage, "RULE-002", error.to_string());
    match &error.help {
        Some(help) => cli.help(help.clone()),
        None => cli,
    }
}
