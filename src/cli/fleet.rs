//! `[estate]` with its files read: what a recording keeps of it.

use std::path::Path;

use super::config;
use super::error::{CliError, Exit};
use crate::estate::fleet::{self, Mistake};
use crate::ledger::row::Estate;

/// The estate as configured, its list of chargers read.
pub(super) fn load(configured: &config::Estate) -> Result<Estate, CliError> {
    let listed = configured.chargers.as_deref().map(read).transpose()?;
    fleet::assemble(
        &configured.groups,
        &configured.waves,
        listed.unwrap_or_default(),
    )
    .map_err(|torn| {
        CliError::new(Exit::Usage, "CFG-061", torn.to_string())
            .help("a charger moves with one group: name it in one place")
    })
}

fn read(file: &Path) -> Result<Vec<crate::ledger::row::Listed>, CliError> {
    let unusable = |why: String| {
        CliError::new(Exit::Usage, "CFG-061", format!("{}{why}", file.display()))
            .help("`evenkeel explain CFG-061` says the form")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(format!(": {error}")))?;
    fleet::read(&text).map_err(|Mistake { line, why }| unusable(format!(" line {line}: {why}")))
}
