//! The rules that a recording was judged by: they are among its facts.

use serde::Deserialize;

use crate::facts::{Fact, Kind, Reader, RecordingError};
use crate::judge::rules::RuleError;
use crate::judge::{Rules, Settings, SettingsError};

/// What the note of a fact says that keeps what the operator says about sessions.
pub const SESSIONS: &str = "sessions";

/// Why a recording's rules cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The facts cannot be read.
    #[error("read facts: {0}")]
    Facts(#[from] RecordingError),
    /// A rule file is wrong.
    #[error("{} line {}: {}", .0.file, .0.line, .0.problem)]
    Rule(#[from] RuleError),
    /// What the operator says about sessions cannot be read.
    #[error(transparent)]
    Sessions(#[from] SettingsError),
}

/// The built-in rules behind those of files, each a name and a text.
pub fn stacked(files: &[(String, String)]) -> Result<Rules, RuleError> {
    files
        .iter()
        .rev()
        .try_fold(Rules::built_in()?, |rules, (name, text)| {
            rules.with_file(name, text)
        })
}

/// Whether a fact that tells of rules is about sessions.
#[derive(Default, Deserialize)]
struct Note {
    #[serde(default)]
    about: String,
}

/// The rules that a recording was made with: each start of a tap keeps the operator's rules as a fact, and what the
/// operator says about sessions as another.
pub fn of_recording(reader: &Reader) -> Result<Rules, RulesError> {
    let (files, sessions) = loaded(reader)?;
    Ok(stacked(&files)?.with_sessions(sessions))
}

/// The operator's own rule files that a recording was made with, the first of which comes first.
pub fn files_of_recording(reader: &Reader) -> Result<Vec<(String, String)>, RulesError> {
    Ok(loaded(reader)?.0)
}

/// What the last start of a tap loaded.
fn loaded(reader: &Reader) -> Result<(Vec<(String, String)>, Settings), RulesError> {
    let (mut last, mut files) = (0, Vec::new());
    let mut sessions = Settings::default();
    while let Some(fact) = reader.of_kind(Kind::RulesLoaded, last, 1)?.pop() {
        last = fact.seq;
        let note: Note = serde_json::from_str(&fact.note).unwrap_or_default();
        if note.about == SESSIONS {
            sessions = Settings::from_json(&fact.body)?;
        } else {
            files = separated(&fact);
        }
    }
    Ok((files, sessions))
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
