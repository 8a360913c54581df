//! The configuration that the demo's tap runs with: files as everybody writes them, beside what is recorded.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, NaiveDate};

use crate::cli::error::{CliError, Exit};
use crate::clock::Clock;
use crate::replay::sim::world::{DemoWorld, places};

/// The variable that the readers' token is in.
pub(super) const VARIABLE: &str = "EVENKEEL_DEMO_TOKEN";

/// The token for the simulated books. They are on loopback and made up.
pub(super) const TOKEN: &str = "demo";

/// The directory in the recording's that the files are in.
const FOLDER: &str = "setup";

/// The configuration, with names in braces for what differs from demo to demo.
const CONFIG: &str = include_str!("evenkeel.toml");

/// The criteria by which the demo's groups may move.
const GATE: &str = include_str!("gate.toml");

/// Writes the configuration of a tap between the chargers and backends of `world`, and says where it is.
pub(super) fn write(
    world: &DemoWorld,
    seed: u64,
    recording: &Path,
    today: NaiveDate,
) -> Result<PathBuf, CliError> {
    let folder = recording.join(FOLDER);
    let file = folder.join("evenkeel.toml");
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("places.csv"), map(seed))?;
        std::fs::write(folder.join("gate.toml"), GATE)?;
        std::fs::write(&file, config(world, today))
    };
    write().map_err(|error| {
        CliError::new(
            Exit::Environment,
            "DEMO-004",
            format!("cannot write the demo's configuration: {error}"),
        )
    })?;
    Ok(file)
}

/// The day that the first wave moves on.
pub(super) fn today() -> NaiveDate {
    DateTime::from_timestamp_micros(Clock::system().now())
        .map_or(NaiveDate::default(), |now| now.date_naive())
}

fn config(world: &DemoWorld, today: NaiveDate) -> String {
    let next = today.checked_add_days(Days::new(1)).unwrap_or(today);
    let names = [
        ("{LEGACY}", world.legacy.url()),
        ("{CANDIDATE}", world.candidate.url()),
        ("{LEGACY_BOOKS}", world.legacy_books.url()),
        ("{CANDIDATE_BOOKS}", world.candidate_books.url()),
        ("{TOKEN}", VARIABLE.to_owned()),
        ("{TODAY}", today.to_string()),
        ("{NEXT}", next.to_string()),
    ];
    names
        .iter()
        .fold(CONFIG.to_owned(), |text, (name, is)| text.replace(name, is))
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
    use crate::estate::gate::Gate;

    #[tokio::test]
    async fn the_configuration_is_one_that_a_tap_takes() {
        let place = tempfile::tempdir().unwrap();
        let world = DemoWorld::start(1, 60, TOKEN).await.unwrap();
        let recording = place.path().join("\"demo\"");
        let file = write(&world, 1, &recording, today()).unwrap();
        let config = crate::cli::config::load(&file).unwrap();
        assert_eq!(config.readers.len(), 2);
        assert_eq!(
            config.recording.canonicalize().unwrap(),
            recording.canonicalize().unwrap()
        );
        let settings = crate::cli::places::load(&config.sessions).unwrap();
        // Twelve chargers, four of them with two connectors, at both backends.
        assert_eq!(settings.places.by_evse.len(), 32);
        let waves: Vec<&str> = (config.estate.groups.iter())
            .map(|named| named.group.wave.as_str())
            .collect();
        assert_eq!(waves, ["first", "first", "second", "second", "second"]);
    }

    #[test]
    fn the_criteria_are_ones_that_a_gate_takes() {
        assert_eq!(Gate::read(GATE).unwrap().name, "demo");
    }
}
