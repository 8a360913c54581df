//! Charger models from files (`shadow.models`): what the operator knows about chargers before they have told it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use super::error::{CliError, Exit, Place};
use crate::clock::Micros;
use crate::shadow::model::Import;
use crate::shadow::model::import::{self, ImportError};

/// What the files say, by charger. `path` is a file, or a directory whose `.json` files are read.
pub fn load(path: Option<&Path>) -> Result<BTreeMap<String, Rc<Import>>, CliError> {
    let mut models = BTreeMap::new();
    for file in path.map_or(Ok(Vec::new()), files)? {
        let (source, written) = read(&file)?;
        let read =
            import::parse(&source, written).map_err(|error| broken(&file, &source, error))?;
        for (charger, import) in read {
            if models.contains_key(&charger) {
                let message = format!("charger {charger:?} is in another file too");
                let at = source.find(&format!("\"{charger}\"")).unwrap_or_default();
                let help = "each charger belongs into one of the files".to_owned();
                return Err(error(&file, &source, at..at, message, help));
            }
            models.insert(charger, Rc::new(import));
        }
    }
    Ok(models)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let listed = std::fs::read_dir(path).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut files = listed.map_err(|error| unreadable(path, &error))?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    Ok(files)
}

/// A file's text, and when it was last written, µs since the Unix epoch.
fn read(file: &Path) -> Result<(String, Micros), CliError> {
    let read = || {
        let written = std::fs::metadata(file)?.modified()?;
        let age = written.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((std::fs::read_to_string(file)?, age.as_micros() as Micros))
    };
    read().map_err(|error| unreadable(file, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("cannot read the charger models {}: {error}", path.display());
    CliError::new(Exit::Usage, "CFG-040", message)
        .help("`shadow.models` names a JSON file or a directory of them, relative to the configuration file")
}

fn broken(file: &Path, source: &str, wrong: ImportError) -> CliError {
    let ImportError { at, message, help } = wrong;
    error(file, source, at, message, help.to_owned())
}

fn error(
    file: &Path,
    source: &str,
    at: std::ops::Range<usize>,
    message: String,
    help: String,
) -> CliError {
    CliError::new(Exit::Usage, "CFG-041", message)
        .at(Place::new(file, source, at, "here"))
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"chargers":{"CP1":{"configuration":{"configurationKey":[{"key":"Foo","readonly":true}]}}}}"#;

    #[test]
    fn a_directory_is_read_file_by_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.json"), ONE).unwrap();
        std::fs::write(dir.path().join("b.json"), ONE.replace("CP1", "CP2")).unwrap();
        std::fs::write(dir.path().join("notes.txt"), "no model").unwrap();
        let models = load(Some(dir.path())).unwrap();
        assert_eq!(models.keys().collect::<Vec<_>>(), ["CP1", "CP2"]);
        assert!(models["CP1"].at > 0);
        assert!(load(None).unwrap().is_empty());
        std::fs::write(dir.path().join("c.json"), ONE).unwrap();
        let twice = load(Some(dir.path())).unwrap_err();
        assert!(
            twice.render().contains("c.json line 1"),
            "{}",
            twice.render()
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_file_line_and_help() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("models.json");
        std::fs::write(&file, "{\"chargers\": {\n \"CP1\": {\"config\": 1}}}").unwrap();
        let error = load(Some(&file)).unwrap_err();
        let text = error.render();
        assert_eq!(error.code, "CFG-041");
        assert!(
            text.contains("models.json line 2\n") && text.contains("help: "),
            "{text}"
        );
        assert_eq!(
            load(Some(&dir.path().join("none"))).unwrap_err().code,
            "CFG-040"
        );
    }
}
