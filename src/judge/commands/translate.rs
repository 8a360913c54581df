//! Identifiers in commands: those that a backend mints say nothing, those that it names are translated.

use crate::facts::Leg;
use crate::ocpp::Version;
use crate::ocpp::identifiers::{Part as Half, Role, sites};
use crate::ocpp::json::{self, Step};
use crate::ocpp::relation::{Identifier, Relation};

/// Whether a backend mints an identifier there: it says nothing.
pub(in crate::judge) fn is_minted(version: Version, action: &str, path: &str) -> bool {
    sites(version, action, Half::Request)
        .any(|site| site.role == Role::Mint && pointer(site.path) == path)
}

/// The shadow's command with the identifiers that it names in the authority's namespace.
pub(in crate::judge) fn translate(
    relation: &Relation,
    (version, action, authority): (Version, &str, Leg),
    payload: &str,
) -> String {
    let mut edits = Vec::new();
    for site in sites(version, action, Half::Request) {
        if site.role != Role::Named {
            continue;
        }
        for range in json::locate(payload, site.path).unwrap_or_default() {
            let named = Identifier::read(&payload[range.clone()]);
            let twin = match authority {
                Leg::Legacy => relation.to_authority(site.class, named.text()),
                Leg::Candidate => relation.to_shadow(site.class, named.text()),
            };
            if let Some(twin) = twin {
                let twin = if named.is_string() {
                    serde_json::Value::from(twin).to_string()
                } else {
                    twin.to_owned()
                };
                edits.push((range, twin));
            }
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = payload.to_owned();
    for (range, twin) in edits.into_iter().rev() {
        text.replace_range(range, &twin);
    }
    text
}

fn pointer(path: &[Step]) -> String {
    path.iter().fold(String::new(), |pointer, step| match step {
        Step::Key(name) => format!("{pointer}/{name}"),
        Step::Each => format!("{pointer}/*"),
    })
}
