//! How verbs are told which recording they are about.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{CliError, Exit};

/// A recording is named by its directory, as last argument or with `--recording`.
#[derive(Debug, Clone, Default, Args)]
pub struct RecordingArg {
    /// Directory of the recording.
    #[arg(value_name = "RECORDING")]
    place: Option<PathBuf>,
    /// The same, by name.
    #[arg(long = "recording", value_name = "DIR", conflicts_with = "place")]
    named: Option<PathBuf>,
}

impl RecordingArg {
    /// The path that was given, whatever is there.
    pub fn given(&self) -> Option<&Path> {
        self.place.as_deref().or(self.named.as_deref())
    }

    /// The directory of an existing recording.
    pub fn existing(&self) -> Result<PathBuf, CliError> {
        let dir = self.given().map(Path::to_owned).ok_or_else(|| {
            CliError::new(Exit::Usage, "REC-001", "no recording named")
                .help("give its directory as last argument or with --recording DIR")
        })?;
        if dir.join("facts.db").is_file() {
            return Ok(dir);
        }
        Err(CliError::new(
            Exit::Usage,
            "REC-002",
            format!("{} is not a recording: it holds no facts.db", dir.display()),
        )
        .help(
            "a recording is the directory that `evenkeel tap` or `evenkeel demo` was told to write",
        ))
    }
}
