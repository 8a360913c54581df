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

/// The text of all `files`, as one file: what a recording keeps of them.
pub fn joined(files: &[PathBuf]) -> Result<String, CliError> {
    Ok(read(files)?
        .into_iter()
        .fold(String::new(), |all, (name, text)| {
            all + "# " + &name + "\n" + &text + "\n"
        }))
}

/// The rules that a recording was made with: each start of a tap keeps the operator's rules as a fact.
pub fn of_recording(dir: &Path) -> Result<Rules, CliError> {
    let reader = Reader::open(dir)?;
    let rules = Rules::built_in().map_err(|error| broken(&error))?;
    let (mut last, mut text) = (0, String::new());
    while let Some(fact) = reader.of_kind(Kind::RulesLoaded, last, 1)?.pop() {
        last = fact.seq;
        text = String::from_utf8_lossy(&fact.body).into_owned();
    }
    rules
        .with_file("the recording's rules", &text)
        .map_err(|error| broken(&error))
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
