//! What the model never keeps, and what never goes to the shadow: credentials, and addresses and names that are nobody
//! else's business.

use std::ops::Range;

use serde_json::Value;

use super::view;
use crate::ocpp::Envelope;
use crate::ocpp::json::{self, Step, SyntaxError};

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
    let name = |of: &Value| of["name"].as_str().unwrap_or_default().to_owned();
    is_secret_named(&name(component), &name(variable), value)
}

fn is_secret_named(component: &str, variable: &str, value: &str) -> bool {
    let (component, name) = (
        component.to_ascii_lowercase(),
        variable.to_ascii_lowercase(),
    );
    is_secret(&name, value) || VARIABLES.contains(&(component.as_str(), name.as_str()))
}

/// What a variable is that nobody may read: if a charger tells its value nevertheless, that goes nowhere.
const WRITE_ONLY: &str = "WriteOnly";

/// Takes the secret values out of an element of `reportData`. That the variable exists, and what may be done with it, is
/// no secret.
pub(super) fn scrub(entry: &mut Value) {
    let (component, variable) = (entry["component"].clone(), entry["variable"].clone());
    for attribute in view::elements(entry, "variableAttribute") {
        let value = attribute["value"].as_str().unwrap_or_default();
        let secret = attribute["mutability"] == WRITE_ONLY
            || is_secret_variable(&component, &variable, value);
        if secret && let Some(members) = attribute.as_object_mut() {
            members.remove("value");
        }
    }
}

/// A message of a charger's that tells values of variables, and where they stand in it.
#[derive(Debug)]
pub struct Telling {
    action: &'static str,
    /// The array of what is told.
    list: &'static str,
    /// From one element of it to what holds the value, and the value's name there.
    holder: &'static [Step],
    value: &'static str,
    /// Whether the value may be left out, or only be emptied.
    pub optional: bool,
    /// The path as facts write it.
    pub path: &'static str,
}

const TELLING: [Telling; 2] = [
    Telling {
        action: "NotifyReport",
        list: "reportData",
        holder: &[Step::Key("variableAttribute"), Step::Each],
        value: "value",
        optional: true,
        path: "/reportData/*/variableAttribute/*/value",
    },
    Telling {
        action: "NotifyEvent",
        list: "eventData",
        holder: &[],
        value: "actualValue",
        optional: false,
        path: "/eventData/*/actualValue",
    },
];

/// How a message of this action tells values, if it does.
///
/// The shadow is a third party: it logs in with what its operator gave it, and a charger's password or the place of the
/// legacy are no business of its vendor's. A charger that really moves there reports them then. So, unlike everything else
/// that a charger says, these values stay here, and no setting lets them out.
pub fn telling(action: &str) -> Option<&'static Telling> {
    TELLING.iter().find(|telling| telling.action == action)
}

impl Telling {
    /// Where secret values lie in the message.
    pub fn secrets(&self, call: &Envelope<'_>) -> Result<Vec<Range<usize>>, SyntaxError> {
        let start = call.payload_at.start;
        let list = [Step::Key(self.list), Step::Each];
        let mut found = Vec::new();
        for at in json::locate(call.payload, &list)? {
            let element = &call.payload[at.clone()];
            let values = self.secrets_in(element)?.into_iter();
            found.extend(
                values.map(|value| start + at.start + value.start..start + at.start + value.end),
            );
        }
        Ok(found)
    }

    fn secrets_in(&self, element: &str) -> Result<Vec<Range<usize>>, SyntaxError> {
        let name = |of| text(element, &[Step::Key(of), Step::Key("name")]);
        let (component, variable) = (name("component"), name("variable"));
        let mut found = Vec::new();
        for holder in json::locate(element, self.holder)? {
            let members = &element[holder.clone()];
            let write_only = text(members, &[Step::Key("mutability")]) == WRITE_ONLY;
            for at in json::locate(members, &[Step::Key(self.value)])? {
                let value = json::string_value(&members[at.clone()]).unwrap_or_default();
                if write_only || is_secret_named(&component, &variable, &value) {
                    found.push(holder.start + at.start..holder.start + at.end);
                }
            }
        }
        Ok(found)
    }
}

/// A string, empty if there is none.
fn text(json: &str, path: &[Step]) -> String {
    let value = json::first(json, path).and_then(json::string_value);
    value.unwrap_or_default().into_owned()
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
    fn what_nobody_may_read_is_not_kept_either() {
        let mut entry = json!({
            "component": {"name": "Vendor"}, "variable": {"name": "Code"},
            "variableAttribute": [{"value": "1"}, {"value": "2", "mutability": "WriteOnly"}]});
        scrub(&mut entry);
        assert_eq!(
            entry["variableAttribute"],
            json!([{"value": "1"}, {"mutability": "WriteOnly"}])
        );
    }

    #[test]
    fn secrets_are_found_where_they_stand_in_a_message() {
        let text = r#"[2,"r","NotifyReport",{"requestId":1,"reportData":[
            {"component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"},"variableAttribute":[
                {"value":"canary-1","type":"Actual"},{"type":"Target", "value" : "canary-2"}]},
            {"component":{"name":"X"},"variable":{"name":"Y"},"variableAttribute":[
                {"value":"plain"},{"value":"canary-3","mutability":"WriteOnly"}]}]}]"#;
        let found = |text: &str| -> Vec<String> {
            let call = Envelope::parse(text).unwrap();
            let places = telling(&call.action).unwrap().secrets(&call).unwrap();
            places.into_iter().map(|at| text[at].to_owned()).collect()
        };
        assert_eq!(
            found(text),
            [r#""canary-1""#, r#""canary-2""#, r#""canary-3""#]
        );
        let event = r#"[2,"e","NotifyEvent",{"eventData":[
            {"component":{"name":"SecurityCtrlr"},"variable":{"name":"Identity"},"actualValue":"canary-4"},
            {"component":{"name":"Connector"},"variable":{"name":"AvailabilityState"},"actualValue":"Occupied"}]}]"#;
        assert_eq!(found(event), [r#""canary-4""#]);
        assert!(telling("StatusNotification").is_none());
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
