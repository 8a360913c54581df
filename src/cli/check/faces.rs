//! What both backends need so that chargers can be moved and brought back: each is an authority and a shadow in turn.

use std::collections::BTreeMap;

use crate::cli::config::Config;
use crate::cli::error::CliError;
use crate::cli::{printable, shadow_plane, tap};
use crate::facts::Leg;
use crate::ledger::row::Estate;
use crate::shadow::credentials::Credentials;

/// Chargers that are named in one warning.
const NAMED: usize = 5;

/// What works as long as nobody is moved.
pub(super) fn warnings(config: &Config, estate: &Estate) -> Result<Vec<String>, CliError> {
    let (authority, shadow) = (config.authority, config.authority.other());
    let mut warnings = Vec::new();
    if !tap::backend(shadow.word(), config.backend(shadow))?.is_plain() {
        warnings.push(format!(
            "no charger can be moved to {}: its URL puts more into a request than a path in front of the identity (CUT-003)",
            shadow.word()
        ));
    }
    let own = shadow_plane::credentials(config.backend(authority))?;
    let theirs = shadow_plane::credentials(config.backend(shadow))?;
    if theirs.are_any() && !own.are_any() {
        warnings.push(format!(
            "chargers that log in cannot be moved: once they are, nothing says what their legs to {} log in with (CUT-004); \
             give [{}] a password, credentials or pass_credentials",
            authority.word(),
            authority.word()
        ));
    }
    for (leg, credentials) in [(authority, own), (shadow, theirs)] {
        warnings.extend(without(leg, &credentials, estate));
    }
    Ok(warnings)
}

/// Listed chargers, by group, for which a backend that knows each by its own password has none.
fn without(leg: Leg, credentials: &Credentials, estate: &Estate) -> Vec<String> {
    if credentials.each.is_empty() || credentials.all.is_some() || credentials.passed {
        return Vec::new();
    }
    let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let listed = estate.chargers.iter();
    for one in listed.filter(|one| !credentials.each.contains_key(&one.charger)) {
        lacking.entry(&one.group).or_default().push(&one.charger);
    }
    let warnings = lacking.into_iter().map(|(group, chargers)| {
        let group = match group {
            "" => "no group".to_owned(),
            group => format!("group {}", printable(group)),
        };
        let shown = chargers.iter().take(NAMED).copied().collect::<Vec<_>>();
        let more = match chargers.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "{} of {group} have no credentials towards {}: {}{more}",
            chargers.len(),
            leg.word(),
            printable(&shown.join(", "))
        )
    });
    warnings.collect()
}
