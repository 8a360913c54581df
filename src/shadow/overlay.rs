//! What the shadow backend was told to have changed, and what never happened: the private state behind simulated answers.
//!
//! Pure. An operator opts in action by action; without that everything here stays empty. What would move the charger or
//! change its log-in is never simulated. The overlay lies over what is known of the charger for the eyes of one backend,
//! is nowhere else, and goes with the shadow plane. That it was there is a `ModelLearned` fact, and so is that it is gone:
//! the next plane answers by what is true again, and what rests on the pretence stays uncompared.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ocpp::json::{self, Step};
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Envelope, Version, effect};

use super::translate::member_text;

/// The part of a charger's model, as `ModelLearned` facts name it, that is pretended.
pub const PART: &str = "overlay";

/// How many settings, and how many profiles or messages, are pretended at most per charger.
const MOST: usize = 256;

/// How many bytes are pretended at most per charger.
const MOST_BYTES: usize = 256 << 10;

/// Actions that can be simulated. Not here: what starts or stops a session, moves a charger, replaces its firmware or
/// closes it. A phantom session would falsify every bill after it.
pub const ACTIONS: [&str; 10] = [
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "ClearDisplayMessage",
    "InstallCertificate",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SetDisplayMessage",
    "SetVariables",
];

/// One charger's pretended state.
#[derive(Debug, Default)]
pub struct Overlay {
    /// 1.6 keys in lower case: name and value.
    keys: BTreeMap<String, (String, String)>,
    /// 2.x variables by [`name_of`].
    variables: BTreeMap<String, String>,
    list: Option<List>,
    /// Profiles by id, as JSON text: EVSE or connector, profile.
    profiles: BTreeMap<Box<str>, (Box<str>, Box<str>)>,
    /// Display messages by id, as JSON text.
    messages: BTreeMap<Box<str>, Box<str>>,
    restarted: bool,
}

#[derive(Debug)]
struct List {
    version: Box<str>,
    /// The charger really holds that list: the authority sent the same.
    is_real: bool,
}

/// A made-up answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The payload of the CALLRESULT.
    pub payload: String,
    /// It rests on something that never happened.
    pub simulated: bool,
    /// CALLs that follow, in the shadow's own identifiers: action and payload.
    pub follow: Vec<(&'static str, Box<str>)>,
    /// The charger would restart now.
    pub restarts: bool,
}

impl Told {
    fn simulated(payload: impl Into<String>) -> Self {
        Self {
            payload: payload.into(),
            simulated: true,
            follow: Vec::new(),
            restarts: false,
        }
    }

    fn status(status: &str) -> Self {
        Self::simulated(format!(r#"{{"status":"{status}"}}"#))
    }
}

/// The note of the fact that something is pretended since this command of the shadow's.
pub fn begun(version: Version, command: u64) -> Value {
    json!({"part": PART, "version": version.number(), "from": [command]})
}

/// The note of the fact that nothing is pretended any more; `version` as its number.
pub fn forgotten(version: &str, why: &str) -> Value {
    json!({"part": PART, "version": version, "from": [], "why": why})
}

impl Overlay {
    /// Whether nothing is pretended, and the charger holds nothing under a name of the shadow's.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
            && self.variables.is_empty()
            && self.list.is_none()
            && self.profiles.is_empty()
            && self.messages.is_empty()
    }

    /// Pretends to obey. `base` is the payload that would be answered otherwise. `None`: even a simulation says no.
    pub fn obey(&mut self, version: Version, call: &Envelope<'_>, base: &str) -> Option<Told> {
        let payload = call.payload;
        // Of a list only its version is kept.
        let is_kept = call.action != "SendLocalList";
        if is_kept && self.bytes() + payload.len() > MOST_BYTES {
            return None;
        }
        match call.action.as_ref() {
            "ChangeConfiguration" if effect::notice(version, &call.action, payload).is_none() => {
                self.set_key(payload)
            }
            "SetVariables" => self.set_variables(version, payload, base),
            "Reset" => Some(Told {
                restarts: true,
                ..Told::status("Accepted")
            }),
            "ClearCache" => Some(Told::status("Accepted")),
            "InstallCertificate" if effect::notice(version, &call.action, payload).is_none() => {
                Some(Told::status("Accepted"))
            }
            "SendLocalList" => self.send_list(version, payload),
            "SetChargingProfile" => self.set_profile(version, payload),
            "ClearChargingProfile" => {
                self.clear_profiles(version, payload);
                Some(Told::status("Accepted"))
            }
            "SetDisplayMessage" => {
                let message = member_text(payload, &[Step::Key("message")])?;
                let id = member_text(message, &[Step::Key("id")])?;
                put(&mut self.messages, id, message.into())?;
                Some(Told::status("Accepted"))
            }
            "ClearDisplayMessage" => {
                let id = member_text(payload, &[Step::Key("id")])?;
                self.messages.remove(id)?;
                Some(Told::status("Accepted"))
            }
            _ => None,
        }
    }

    /// Answers a question about what is pretended. `base` is the payload that would be answered otherwise. `None`: nothing
    /// pretended bears on it.
    pub fn tell(&self, version: Version, call: &Envelope<'_>, base: &str) -> Option<Told> {
        let payload = call.payload;
        match (version, call.action.as_ref()) {
            (Version::V16, "GetConfiguration") => self.configuration(payload, base),
            (_, "GetVariables") => self.told_variables(base),
            (_, "GetLocalListVersion") => self.list.as_ref().map(|list| {
                let member = version_member(version);
                Told {
                    simulated: !list.is_real,
                    ..Told::simulated(format!(r#"{{"{member}":{}}}"#, list.version))
                }
            }),
            (Version::V201 | Version::V21, "GetChargingProfiles") => self.report_profiles(payload),
            (Version::V201 | Version::V21, "GetDisplayMessages") => self.report_messages(payload),
            _ => None,
        }
    }

    /// The authority sent the same list as the shadow and the charger took it: from now on the shadow's version is true.
    pub fn list_is_real(&mut self, version: Version, payload: &str) {
        if let Some(literal) = member_text(payload, &[Step::Key(version_member(version))]) {
            self.list = Some(List {
                version: literal.into(),
                is_real: true,
            });
        }
    }

    /// The authority changed the list: no version of the shadow's is true any more.
    pub fn list_changed(&mut self) {
        self.list = self.list.take().filter(|list| !list.is_real);
    }

    /// The charger is about to restart, as far as the shadow knows.
    pub fn restart(&mut self) {
        self.restarted = true;
    }

    /// Whether the next boot follows a pretended restart; true once.
    pub fn take_restart(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// What the pretended texts take.
    fn bytes(&self) -> usize {
        let keys = self.keys.values();
        let keys = keys.map(|(name, value)| 2 * name.len() + value.len());
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let profiles = self.profiles.iter();
        let profiles =
            profiles.map(|(id, (place, profile))| id.len() + place.len() + profile.len());
        let messages = self.messages.iter().map(|(id, text)| id.len() + text.len());
        let texts = keys.chain(variables).chain(profiles).chain(messages);
        texts.sum()
    }

    fn set_key(&mut self, payload: &str) -> Option<Told> {
        let (name, value) = (text(payload, "key")?, text(payload, "value")?);
        let lower = name.to_ascii_lowercase();
        if self.keys.len() >= MOST && !self.keys.contains_key(&lower) {
            return None;
        }
        self.keys.insert(lower, (name, value));
        Some(Told::status("Accepted"))
    }

    fn configuration(&self, payload: &str, base: &str) -> Option<Told> {
        let request: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
        let asked = request["key"].as_array().filter(|keys| !keys.is_empty());
        let is_asked = |lower: &str| {
            asked.is_none_or(|keys| {
                let mut names = keys.iter().filter_map(Value::as_str);
                names.any(|name| name.eq_ignore_ascii_case(lower))
            })
        };
        let told: Vec<_> = self
            .keys
            .iter()
            .filter(|(lower, _)| is_asked(lower))
            .collect();
        if told.is_empty() {
            return None;
        }
        let mut answer: Map<String, Value> = serde_json::from_str(base).ok()?;
        for (lower, (name, value)) in told {
            without(&mut answer, "configurationKey", |entry| {
                named(&entry["key"], lower)
            });
            without(&mut answer, "unknownKey", |entry| named(entry, lower));
            let known = answer
                .entry("configurationKey")
                .or_insert_with(|| Value::Array(Vec::new()));
            let entry = json!({"key": name, "readonly": false, "value": value});
            known.as_array_mut()?.push(entry);
        }
        Some(Told::simulated(Value::Object(answer).to_string()))
    }

    /// Accepts what `base` rejects without a reason of its own, element by element.
    fn set_variables(&mut self, version: Version, payload: &str, base: &str) -> Option<Told> {
        let request: Value = serde_json::from_str(payload).ok()?;
        let mut answer: Value = serde_json::from_str(base).ok()?;
        let asked = request["setVariableData"].as_array()?;
        let results = answer["setVariableResult"].as_array_mut()?;
        let mut obeyed = false;
        for (asked, result) in asked.iter().zip(results) {
            let one = json!({"setVariableData": [asked]}).to_string();
            let refused = result["attributeStatus"] == "Rejected"
                && result.get("attributeStatusInfo").is_none();
            let (Some(name), Some(value)) = (name_of(asked), asked["attributeValue"].as_str())
            else {
                continue;
            };
            let full = self.variables.len() >= MOST && !self.variables.contains_key(&name);
            if refused && !full && effect::notice(version, "SetVariables", &one).is_none() {
                self.variables.insert(name, value.to_owned());
                result["attributeStatus"] = "Accepted".into();
                obeyed = true;
            }
        }
        obeyed.then(|| Told::simulated(answer.to_string()))
    }

    fn told_variables(&self, base: &str) -> Option<Told> {
        if self.variables.is_empty() {
            return None;
        }
        let mut answer: Value = serde_json::from_str(base).ok()?;
        let mut told = false;
        for result in answer["getVariableResult"].as_array_mut()? {
            let Some(value) = name_of(result).and_then(|name| self.variables.get(&name)) else {
                continue;
            };
            result["attributeStatus"] = "Accepted".into();
            result["attributeValue"] = value.as_str().into();
            told = true;
        }
        told.then(|| Told::simulated(answer.to_string()))
    }

    fn send_list(&mut self, version: Version, payload: &str) -> Option<Told> {
        let literal = member_text(payload, &[Step::Key(version_member(version))])?;
        if literal.len() > 64 {
            return None;
        }
        let number = |literal: &str| Identifier::read(literal).text().parse::<i64>().ok();
        let is_old = self
            .list
            .as_ref()
            .is_some_and(|list| number(literal) <= number(&list.version));
        if is_old && text(payload, "updateType").as_deref() == Some("Differential") {
            return Some(Told::status("VersionMismatch"));
        }
        self.list = Some(List {
            version: literal.into(),
            is_real: false,
        });
        Some(Told::status("Accepted"))
    }

    fn set_profile(&mut self, version: Version, payload: &str) -> Option<Told> {
        let names = profile_names(version);
        let profile = member_text(payload, &[Step::Key(names.profile)])?;
        let id = member_text(profile, &[Step::Key(names.id)])?;
        let place = member_text(payload, &[Step::Key(names.place)])?;
        put(&mut self.profiles, id, (place.into(), profile.into()))?;
        Some(Told::status("Accepted"))
    }

    fn clear_profiles(&mut self, version: Version, payload: &str) {
        let id = match version {
            Version::V16 => member_text(payload, &[Step::Key("id")]),
            Version::V201 | Version::V21 => member_text(payload, &[Step::Key("chargingProfileId")]),
        };
        match id {
            Some(id) => drop(self.profiles.remove(id)),
            None => self.profiles.clear(),
        }
    }

    /// What is pretended of profiles, one report for each EVSE.
    fn report_profiles(&self, payload: &str) -> Option<Told> {
        let request = member_text(payload, &[Step::Key("requestId")])?;
        let evse = member_text(payload, &[Step::Key("evseId")]);
        let ids = [
            Step::Key("chargingProfile"),
            Step::Key("chargingProfileId"),
            Step::Each,
        ];
        let ids = listed(payload, &ids);
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, (place, profile)) in &self.profiles {
            let wanted = evse.is_none_or(|evse| evse == place.as_ref())
                && (ids.is_empty() || ids.contains(&id.as_ref()));
            if wanted {
                places.entry(place).or_default().push(profile);
            }
        }
        let last = places.len().checked_sub(1)?;
        let follow = places.iter().enumerate().map(|(at, (place, profiles))| {
            let (profiles, more) = (profiles.join(","), at < last);
            let report = format!(
                r#"{{"requestId":{request},"chargingLimitSource":"CSO","tbc":{more},"evseId":{place},"chargingProfile":[{profiles}]}}"#
            );
            ("ReportChargingProfiles", report.into())
        });
        Some(Told {
            follow: follow.collect(),
            ..Told::status("Accepted")
        })
    }

    fn report_messages(&self, payload: &str) -> Option<Told> {
        let request = member_text(payload, &[Step::Key("requestId")])?;
        let ids = listed(payload, &[Step::Key("id"), Step::Each]);
        let messages: Vec<&str> = self
            .messages
            .iter()
            .filter(|(id, _)| ids.is_empty() || ids.contains(&id.as_ref()))
            .map(|(_, message)| message.as_ref())
            .collect();
        if messages.is_empty() {
            return None;
        }
        let report = format!(
            r#"{{"requestId":{request},"messageInfo":[{}]}}"#,
            messages.join(",")
        );
        Some(Told {
            follow: vec![("NotifyDisplayMessages", report.into())],
            ..Told::status("Accepted")
        })
    }
}

struct ProfileNames {
    profile: &'static str,
    id: &'static str,
    place: &'static str,
}

const fn profile_names(version: Version) -> ProfileNames {
    match version {
        Version::V16 => ProfileNames {
            profile: "csChargingProfiles",
            id: "chargingProfileId",
            place: "connectorId",
        },
        Version::V201 | Version::V21 => ProfileNames {
            profile: "chargingProfile",
            id: "id",
            place: "evseId",
        },
    }
}

/// The member of `SendLocalList` and of the answer to `GetLocalListVersion` that holds the version.
const fn version_member(version: Version) -> &'static str {
    match version {
        Version::V16 => "listVersion",
        Version::V201 | Version::V21 => "versionNumber",
    }
}

/// `None`: there is no room.
fn put<T>(all: &mut BTreeMap<Box<str>, T>, id: &str, value: T) -> Option<()> {
    if all.len() >= MOST && !all.contains_key(id) {
        return None;
    }
    all.insert(id.into(), value);
    Some(())
}

/// What a variable is called, whatever else its element holds: component and variable with their instances and EVSE, and
/// the attribute.
fn name_of(element: &Value) -> Option<String> {
    let (component, variable) = (element.get("component")?, element.get("variable")?);
    let attribute = element["attributeType"].as_str().unwrap_or("Actual");
    let parts = [
        &component["name"],
        &component["instance"],
        &component["evse"]["id"],
        &component["evse"]["connectorId"],
        &variable["name"],
        &variable["instance"],
    ];
    let mut name = String::from(attribute);
    for part in parts {
        name.push('/');
        name.push_str(&part.to_string().to_ascii_lowercase());
    }
    Some(name)
}

fn listed<'a>(payload: &'a str, path: &[Step]) -> Vec<&'a str> {
    let found = json::locate(payload, path).unwrap_or_default();
    found.into_iter().map(|at| &payload[at]).collect()
}

fn text(payload: &str, name: &'static str) -> Option<String> {
    let literal = member_text(payload, &[Step::Key(name)])?;
    json::string_value(literal).map(std::borrow::Cow::into_owned)
}

fn named(value: &Value, lower: &str) -> bool {
    value
        .as_str()
        .is_some_and(|name| name.eq_ignore_ascii_case(lower))
}

/// Removes elements of an array member, and the member when none is left.
fn without(answer: &mut Map<String, Value>, member: &str, is_out: impl Fn(&Value) -> bool) {
    let Some(Value::Array(entries)) = answer.get_mut(member) else {
        return;
    };
    entries.retain(|entry| !is_out(entry));
    if entries.is_empty() {
        answer.remove(member);
    }
}

#[cfg(test)]
mod tests;
