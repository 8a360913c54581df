//! What two equal commands of two backends have in common, as canonical text.

use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

use crate::ocpp::identifiers::{self, Part, Role};
use crate::ocpp::json::Step;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Envelope, Relation, Version};

/// Members that differ between backends without changing what is commanded: each has its own upload and download place,
/// and its own patience.
const PLACES: [&str; 4] = ["location", "remoteLocation", "retries", "retryInterval"];

/// Members whose case means nothing: 1.6 configuration keys and tokens.
const CASELESS: [&str; 3] = ["key", "idTag", "parentIdTag"];

/// How many bytes of a shape are kept as they are.
const LONGEST: usize = 256;

/// The payload with everything taken out that may differ between two equal commands, in canonical text.
pub(super) fn shape(version: Version, call: &Envelope<'_>, relation: Option<&Relation>) -> String {
    let Ok(mut payload) = serde_json::from_str::<Value>(call.payload) else {
        return short(call.payload.to_owned());
    };
    for site in identifiers::sites(version, &call.action, Part::Request) {
        match (site.role, relation) {
            (Role::Mint, _) => visit(&mut payload, site.path, &mut |value| *value = Value::Null),
            (Role::Named, Some(relation)) => visit(&mut payload, site.path, &mut |value| {
                let literal = value.to_string();
                *value = relation
                    .to_authority(site.class, &literal)
                    // No twin: equal to nothing that the authority names.
                    .map_or_else(|| Value::from(format!("shadow {literal}")), Value::from);
            }),
            (Role::Named, None) => visit(&mut payload, site.path, &mut |value| {
                *value = Value::from(Identifier::read(&value.to_string()).text());
            }),
            (Role::Echo, _) => {}
        }
    }
    if let Value::Object(members) = &mut payload {
        let image = members.get("location").and_then(file_name);
        for place in PLACES {
            members.remove(place);
        }
        if let Some(image) = image {
            members.insert("image".to_owned(), image);
        }
        // Who signed it says which image it is, wherever it is fetched from.
        if let Some(Value::Object(firmware)) = members.get_mut("firmware")
            && firmware.contains_key("signature")
        {
            firmware.remove("location");
        }
        if version == Version::V16 {
            for name in CASELESS {
                fold(members, name);
            }
        }
    }
    canonical(&mut payload);
    short(payload.to_string())
}

/// A long text by its digest: commands are remembered for every charger, and a backend may send long ones.
fn short(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    format!("{:x}", Sha256::digest(text))
}

fn visit(value: &mut Value, path: &[Step], change: &mut impl FnMut(&mut Value)) {
    match (path.split_first(), value) {
        (None, value) => change(value),
        (Some((Step::Key(key), rest)), Value::Object(members)) => {
            if let Some(member) = members.get_mut(*key) {
                visit(member, rest, change);
            }
        }
        (Some((Step::Each, rest)), Value::Array(elements)) => {
            for element in elements {
                visit(element, rest, change);
            }
        }
        _ => {}
    }
}

/// Equal numbers get equal spelling, and absent is the same as `null`.
fn canonical(value: &mut Value) {
    match value {
        Value::Object(members) => {
            *members = std::mem::take(members)
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .collect::<Map<_, _>>();
            members.values_mut().for_each(canonical);
        }
        Value::Array(elements) => elements.iter_mut().for_each(canonical),
        Value::Number(number) => {
            let normal = number
                .to_string()
                .parse::<rust_decimal::Decimal>()
                .ok()
                .and_then(|decimal| decimal.normalize().to_string().parse::<Number>().ok());
            if let Some(normal) = normal {
                *number = normal;
            }
        }
        _ => {}
    }
}

/// The file that a URL leads to: the image is the same wherever it lies.
fn file_name(location: &Value) -> Option<Value> {
    let location = location.as_str()?;
    let path = location.split(['?', '#']).next()?;
    path.rsplit('/').next().map(Value::from)
}

fn fold(members: &mut Map<String, Value>, name: &str) {
    if let Some(Value::String(text)) = members.get_mut(name) {
        text.make_ascii_lowercase();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_known_by_little() {
        let list = |tag: &str| {
            let tags = format!(r#"{{"idTag":"{tag}"}},"#).repeat(10_000);
            let payload = format!(r#"{{"listVersion":1,"localAuthorizationList":[{tags}null]}}"#);
            let text = format!(r#"[2,"1","SendLocalList",{payload}]"#);
            shape(Version::V16, &Envelope::parse(&text).unwrap(), None)
        };
        assert_eq!(list("A"), list("A"));
        assert_ne!(list("A"), list("B"));
        assert!(list("A").len() <= LONGEST);
    }
}
