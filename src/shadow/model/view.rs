//! A device model laid out to look variables up: names of 2.x know no case, and an attribute without type is `Actual`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::device::{Reads, Single};
use super::evidence::Evidence;
use crate::ocpp::json::{self, Step};

/// The attribute type that counts when none is named.
pub const ACTUAL: &str = "Actual";

/// Everything that is known of a charger's variables.
#[derive(Debug)]
pub struct View<'a> {
    entries: BTreeMap<String, Value>,
    components: BTreeSet<String>,
    evidence: Option<Evidence>,
    is_full: bool,
    singles: &'a BTreeMap<(String, String), Single>,
}

/// What is known of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What reading it gives.
    pub reads: Reads,
    /// It cannot be set.
    pub readonly: bool,
    /// When and how that was learned.
    pub evidence: Evidence,
}

impl<'a> View<'a> {
    /// Lays out an inventory and single variables.
    pub fn new(
        inventory: Option<(Vec<Value>, Evidence)>,
        is_full: bool,
        singles: &'a BTreeMap<(String, String), Single>,
    ) -> Self {
        let (pages, evidence) = inventory.map_or((Vec::new(), None), |(pages, evidence)| {
            (pages, Some(evidence))
        });
        let mut entries = BTreeMap::new();
        let mut components = BTreeSet::new();
        for entry in pages.iter().flat_map(entries_of) {
            components.insert(component_key(&entry["component"]));
            entries.insert(key(&entry["component"], &entry["variable"]), entry.clone());
        }
        Self {
            entries,
            components,
            evidence,
            is_full,
            singles,
        }
    }

    /// What is known of an attribute; `None` if nothing is. What a full inventory does not hold does not exist.
    pub fn look_up(&self, component: &Value, variable: &Value, kind: &str) -> Option<Known> {
        let key = key(component, variable);
        let entry = self.entries.get(&key);
        let attribute = entry.and_then(|entry| {
            let attributes = entry["variableAttribute"].as_array()?.iter();
            attributes
                .into_iter()
                .find(|attribute| attribute["type"].as_str().unwrap_or(ACTUAL) == kind)
        });
        let mutability = attribute.and_then(|attribute| attribute["mutability"].as_str());
        let readonly = mutability == Some("ReadOnly");
        let single = self.singles.get(&(key, kind.to_owned()));
        if let Some(single) = single
            && self
                .evidence
                .is_none_or(|inventory| single.source.evidence.at > inventory.at)
        {
            return Some(Known {
                reads: single.reads.clone(),
                readonly,
                evidence: single.source.evidence,
            });
        }
        let status = |word: &str| Reads::Status(word.into());
        let reads = match (entry, attribute) {
            (Some(_), Some(_)) if mutability == Some("WriteOnly") => status("Rejected"),
            // A secret: it is there, and nobody is told.
            (Some(_), Some(attribute)) => match attribute["value"].as_str() {
                Some(value) => Reads::Value(value.into()),
                None => status("Rejected"),
            },
            (Some(_), None) => status("NotSupportedAttributeType"),
            (None, _) if !self.is_full => return None,
            (None, _) if self.components.contains(&component_key(component)) => {
                status("UnknownVariable")
            }
            (None, _) => status("UnknownComponent"),
        };
        let evidence = self.evidence?;
        Some(Known {
            reads,
            readonly,
            evidence,
        })
    }

    /// The value of a variable that is named in code, by component, variable and instance.
    pub fn value(
        &self,
        component: &str,
        variable: &str,
        instance: Option<&str>,
    ) -> Option<(String, Evidence)> {
        let component = serde_json::json!({"name": component});
        let mut variable = serde_json::json!({"name": variable});
        if let Some(instance) = instance {
            variable["instance"] = Value::from(instance);
        }
        let known = self.look_up(&component, &variable, ACTUAL)?;
        match known.reads {
            Reads::Value(value) => Some((value.into(), known.evidence)),
            Reads::Status(_) => None,
        }
    }

    /// Whether a variable that is named in code is `true`.
    pub fn is_true(&self, component: &str, variable: &str, instance: Option<&str>) -> bool {
        self.value(component, variable, instance)
            .is_some_and(|(value, _)| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the inventory knows an EVSE; `None` without a full one that lists EVSEs.
    pub fn has_evse(&self, evse: i64) -> Option<bool> {
        let mut listed = self
            .entries
            .values()
            .filter_map(|entry| entry["component"]["evse"]["id"].as_i64());
        let first = listed.next().filter(|_| self.is_full)?;
        Some(first == evse || listed.any(|known| known == evse))
    }

    /// The evidence of the inventory, if there is one.
    pub fn evidence(&self) -> Option<Evidence> {
        self.evidence
    }
}

/// The variables of a `NotifyReport`.
pub fn entries(page: &Value) -> impl Iterator<Item = &Value> {
    page["reportData"].as_array().into_iter().flatten()
}

fn entries_of(page: &Value) -> Vec<&Value> {
    entries(page).collect()
}

/// The elements of an array member, to change them.
pub fn elements<'a>(of: &'a mut Value, member: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = of.get_mut(member).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// The request id of a report, as JSON text.
pub fn request_id(payload: &str) -> String {
    json::first(payload, &[Step::Key("requestId")])
        .unwrap_or("null")
        .to_owned()
}

/// What names a component.
pub fn component_key(component: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let (evse, connector) = (&component["evse"]["id"], &component["evse"]["connectorId"]);
    format!(
        "{}\n{}\n{evse}\n{connector}",
        word(&component["name"]),
        word(&component["instance"])
    )
}

/// What names a variable.
pub fn key(component: &Value, variable: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let component = component_key(component);
    format!(
        "{component}\n{}\n{}",
        word(&variable["name"]),
        word(&variable["instance"])
    )
}
