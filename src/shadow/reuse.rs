//! The charger's real answer, as it is handed on to the shadow: identifiers of the authority's become the shadow's.
//!
//! Pure. What a charger minted itself (2.x transaction ids, monitoring ids) and what follows from content (certificate
//! hashes) means the same to both and stays.

use crate::ocpp::identifiers::{self, Part, Role};
use crate::ocpp::json;
use crate::ocpp::rewrite::{self, Change};
use crate::ocpp::{Relation, Side, Version};

/// The payload with every identifier translated; `None` if one has no twin, and the answer may not be handed on.
pub fn translated(
    version: Version,
    action: &str,
    payload: &str,
    relation: &Relation,
) -> Option<String> {
    let mut changes = Vec::new();
    let echoes = identifiers::sites(version, action, Part::Response)
        .filter(|site| site.role == Role::Echo && site.sender == Side::Charger);
    for site in echoes {
        for at in json::locate(payload, site.path).ok()? {
            match relation.to_shadow(site.class, &payload[at.clone()]) {
                Some(twin) => changes.push(Change::Value {
                    at,
                    to: twin.to_owned(),
                }),
                None if site.optional => changes.push(Change::Strip { at }),
                None => return None,
            }
        }
    }
    rewrite::rewrite(payload, &changes)
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::Class;

    #[test]
    fn what_the_authority_named_is_renamed_or_not_handed_on() {
        let answer = r#"{"clearTariffsResult":[{"tariffId":"a","status":"Accepted"}]}"#;
        let mut relation = Relation::new();
        let handed =
            |relation: &Relation| translated(Version::V21, "ClearTariffs", answer, relation);
        assert_eq!(handed(&relation), None);
        relation.learn(Class::TariffId, "\"a\"", "\"b\"");
        let renamed = answer.replace("\"a\"", "\"b\"");
        assert_eq!(handed(&relation), Some(renamed));
    }

    #[test]
    fn what_the_charger_minted_stays() {
        let answer = r#"{"status":"Accepted","transactionId":"T-1"}"#;
        let handed = translated(
            Version::V201,
            "RequestStartTransaction",
            answer,
            &Relation::new(),
        );
        assert_eq!(handed.as_deref(), Some(answer));
    }
}
