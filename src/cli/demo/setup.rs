//! The configuration that the demo's tap runs with: a file as everybody writes it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::Value;

use crate::cli::error::{CliError, Exit};
use crate::replay::sim::world::{DemoWorld, places};

/// The variable that the readers' token is in.
pub(super) const VARIABLE: &str = "EVENKEEL_DEMO_TOKEN";

/// The token for the simulated books. They are on loopback and made up.
pub(super) const TOKEN: &str = "demo";

/// A configuration in a directory that goes with it.
#[derive(Debug)]
pub(super) struct Setup {
    folder: PathBuf,
    config: PathBuf,
}

impl Setup {
    /// Writes the configuration of a tap between the chargers and backends of `world`.
    pub(super) fn write(world: &DemoWorld, seed: u64, recording: &Path) -> Result<Self, CliError> {
        let folder =
            std::env::temp_dir().join(format!("evenkeel-demo-{}-setup", std::process::id()));
        let setup = Self {
            config: folder.join("evenkeel.toml"),
            folder,
        };
        let written = std::path::absolute(recording).and_then(|recording| {
            std::fs::create_dir_all(&setup.folder)?;
            std::fs::write(setup.folder.join("places.csv"), map(seed))?;
            std::fs::write(&setup.config, config(world, &recording))
        });
        written.map_err(|error| {
            CliError::new(
                Exit::Environment,
                "DEMO-004",
                format!("cannot write the demo's configuration: {error}"),
            )
        })?;
        Ok(setup)
    }

    /// The configuration file.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("cannot remove {}: {error}", self.folder.display());
        }
    }
}

/// What a session must be booked within is shorter than usual, as the sessions are.
fn config(world: &DemoWorld, recording: &Path) -> String {
    let quoted = |text: String| Value::String(text).to_string();
    let mut text = format!(
        "[tap]\nlisten = \"127.0.0.1:0\"\nrecording = {}\n[legacy]\nurl = {}\n[candidate]\nurl = {}\n\
         [sessions]\nplaces = \"places.csv\"\nsession_slo = \"4s\"\ncdr_slo = \"4s\"\nquiet = \"1s\"\n",
        quoted(recording.display().to_string()),
        quoted(world.legacy.url()),
        quoted(world.candidate.url()),
    );
    for (leg, books) in [
        ("legacy", &world.legacy_books),
        ("candidate", &world.candidate_books),
    ] {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "[[backends.{leg}]]\nreader = \"ocpi\"\nurl = {}\ntoken = {{ env = \"{VARIABLE}\" }}\n\
             party = \"DE-EVK\"\nevery = \"1s\"\npace = \"20ms\"\noverlap = \"5s\"",
            quoted(books.url()),
        );
    }
    text
}

/// Both backends call the EVSEs by the same names.
fn map(seed: u64) -> String {
    let mut text = String::from("backend,place,charger,connector,time_zone\n");
    for (place, charger, connector) in places(seed) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "both,{place},{charger},{connector},Europe/Berlin");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_configuration_is_one_that_a_tap_takes() {
        let world = DemoWorld::start(1, 60, TOKEN).await.unwrap();
        let setup = Setup::write(&world, 1, Path::new("recordings/\"demo\"")).unwrap();
        let config = crate::cli::config::load(setup.config()).unwrap();
        assert_eq!(config.readers.len(), 2);
        assert!(config.recording.ends_with("recordings/\"demo\""));
        let settings = crate::cli::places::load(&config.sessions).unwrap();
        // Twelve chargers, four of them with two connectors, at both backends.
        assert_eq!(settings.places.by_evse.len(), 32);
        let folder = setup.folder.clone();
        drop(setup);
        assert!(!folder.exists());
    }
}
