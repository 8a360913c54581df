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

/// The text of the configured gate file, if there is one. It has been checked, and says what a gate needs.
pub(super) fn gate(configured: &config::Estate) -> Result<Option<String>, CliError> {
    let Some(file) = &configured.gate else {
        return Ok(None);
    };
    let text = super::gate::read(file)?;
    super::gate::parse(file, &text)?;
    Ok(Some(text))
}

fn read(file: &Path) -> Result<Vec<crate::ledger::row::Listed>, CliError> {
    let unusable = |why: String| {
        CliError::new(Exit::Usage, "CFG-061", format!("{}{why}", file.display()))
            .help("`evenkeel explain CFG-061` says the form")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(format!(": {error}")))?;
    fleet::read(&text).map_err(|Mistake { line, why }| unusable(format!(" line {line}: {why}")))
}
