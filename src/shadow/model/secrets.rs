//! What the model never keeps: credentials, and addresses and names that are nobody else's business.

use serde_json::Value;

use super::view;

/// Words in names of settings that hold such a thing, in lower case without separators. A harmless setting that happens to
/// contain one is left out too.
const WORDS: [&str; 11] = [
    "authorizationkey",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "pin",
    "token",
    "url",
    "server",
    "apn",
    "credential",
];

/// Variables of 2.x that hold one although their name says less: the user of the Basic authentication, and what a modem
/// or a tunnel logs in with.
const VARIABLES: [(&str, &str); 4] = [
    ("securityctrlr", "identity"),
    ("networkconfiguration", "identity"),
    ("networkconfiguration", "user"),
    ("networkconfiguration", "vpnkey"),
];

/// Names that contain one of [`WORDS`] and hold none.
const HARMLESS: [&str; 2] = ["additionalinfoitemsperidtoken", "supportedidtokentypes"];

/// Whether a setting holds a credential or an address.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    // A ping is no pin: `WebSocketPingInterval` is asked for by many backends.
    let named = WORDS
        .iter()
        .any(|word| name.replace("ping", "").contains(word))
        && !HARMLESS.contains(&name.as_str());
    named || value.contains("://")
}

/// The same for a variable of a 2.x component.
pub(super) fn is_secret_variable(component: &Value, variable: &Value, value: &str) -> bool {
    let lower = |of: &Value| of["name"].as_str().unwrap_or_default().to_ascii_lowercase();
    let (component, name) = (lower(component), lower(variable));
    is_secret(&name, value) || VARIABLES.contains(&(component.as_str(), name.as_str()))
}

/// Takes the secret values out of an element of `reportData`. That the variable exists, and what may be done with it, is
/// no secret.
pub(super) fn scrub(entry: &mut Value) {
    let (component, variable) = (entry["component"].clone(), entry["variable"].clone());
    for attribute in view::elements(entry, "variableAttribute") {
        let value = attribute["value"].as_str().unwrap_or_default();
        if is_secret_variable(&component, &variable, value)
            && let Some(members) = attribute.as_object_mut()
        {
            members.remove("value");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_values_betray_secrets() {
        for name in [
            "AuthorizationKey",
            "SIM-PIN",
            "apn_user",
            "ServerUrl",
            "Basic Auth Password",
        ] {
            assert!(is_secret(name, ""), "{name}");
        }
        assert!(is_secret("Central", "ws://legacy/x"));
        assert!(!is_secret("HeartbeatInterval", "300"));
        assert!(!is_secret("AdditionalInfoItemsPerIdToken", "1"));
        assert!(!is_secret("WebSocketPingInterval", "30"));
    }

    #[test]
    fn a_scrubbed_variable_still_exists() {
        let mut entry = json!({
            "component": {"name": "SecurityCtrlr"}, "variable": {"name": "Identity"},
            "variableAttribute": [{"type": "Actual", "value": "CP1", "mutability": "ReadWrite"}]});
        scrub(&mut entry);
        assert_eq!(
            entry["variableAttribute"],
            json!([{"type": "Actual", "mutability": "ReadWrite"}])
        );
    }
}
