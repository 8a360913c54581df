//! Whose pseudonym is this? Who asks is written down before the answer is given.

use std::path::Path;

use serde_json::json;

use super::Options;
use crate::cli::error::{CliError, Exit};
use crate::cli::noting;
use crate::facts::Kind;
use crate::report::veil::Veil;

/// Says who stands behind a pseudonym, once that is noted.
pub(super) fn run(
    dir: &Path,
    veil: &Veil,
    pseudonym: &str,
    options: &Options,
) -> Result<Exit, CliError> {
    let found = veil.reveal(pseudonym);
    let note = json!({
        "pseudonym": pseudonym,
        "recipient": options.recipient(),
        "key": veil.key_id(),
        "by": options.by.as_deref().unwrap_or_default(),
        "found": found.len(),
    });
    let fact = noting::write(dir, Kind::Revealed, note.to_string())?;
    eprintln!("noted as fact {fact}");
    for value in &found {
        crate::cli::say(&format!("{}\n", crate::cli::printable(value)))?;
    }
    if found.is_empty() {
        eprintln!(
            "nobody of this recording has that pseudonym for {:?}",
            options.recipient()
        );
        return Ok(Exit::Evidence);
    }
    Ok(Exit::Parity)
}
