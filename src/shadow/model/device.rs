//! The device model of a 2.x charger: whole inventories as reported, and single variables as read and set since.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::evidence::{Evidence, Source};
use super::secrets::{is_secret_variable, scrub};
use super::series::{Open, Progress, Series};
use super::view::{self, View};

/// How many reports may be under way at once, and how many single variables are remembered.
const MOST_OPEN: usize = 4;
const MOST_SINGLES: usize = 2048;

/// The bases that a charger may be asked to report.
pub const BASES: [&str; 3] = [
    "FullInventory",
    "ConfigurationInventory",
    "SummaryInventory",
];

/// What a report was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Base(&'static str),
    /// A selection: its variables are learned one by one.
    Part,
}

/// What a charger told about its variables.
#[derive(Debug, Default)]
pub struct Device {
    inventories: BTreeMap<&'static str, Series>,
    /// By variable and attribute type.
    singles: BTreeMap<(String, String), Single>,
    open: VecDeque<(Scope, Source, Open)>,
}

/// What is known of one attribute of one variable.
#[derive(Debug, Clone)]
pub struct Single {
    /// What reading it gives.
    pub reads: Reads,
    /// When and how it was learned.
    pub source: Source,
}

/// What reading an attribute gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// A value.
    Value(Box<str>),
    /// Another status than `Accepted`.
    Status(Box<str>),
}

impl Device {
    /// The authority asks for a report; `request` is its payload.
    pub fn asked(&mut self, action: &str, request: &str, source: Source) {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        let base = request["reportBase"].as_str();
        let scope = match base.and_then(|base| BASES.into_iter().find(|known| *known == base)) {
            Some(base) => Scope::Base(base),
            None if action == "GetReport" => Scope::Part,
            None => return,
        };
        if self.open.len() >= MOST_OPEN {
            self.open.pop_front();
        }
        let id = request["requestId"].to_string();
        self.open.retain(|(.., open)| *open.request_id != *id);
        self.open.push_back((scope, source, Open::new(&id)));
    }

    /// The charger will not send the report.
    pub fn refused(&mut self, request: &str) {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        let id = request["requestId"].to_string();
        self.open.retain(|(.., open)| *open.request_id != *id);
    }

    /// A `NotifyReport` came. Says whether something is different now.
    pub fn reported(&mut self, payload: &str, source: Source) -> bool {
        let id = view::request_id(payload);
        let Some(at) = self
            .open
            .iter()
            .position(|(.., open)| *open.request_id == *id)
        else {
            return false;
        };
        let (_, _, open) = &mut self.open[at];
        let progress = open.add(payload, source.facts[0], |page| {
            view::elements(page, "reportData").for_each(scrub);
        });
        if progress == Progress::Open {
            return false;
        }
        let Some((scope, asked, open)) = self.open.remove(at) else {
            return false;
        };
        if progress == Progress::Lost {
            return false;
        }
        let source = Source {
            facts: asked.facts,
            ..source
        };
        match scope {
            Scope::Base(base) => {
                let facts = open.facts.clone();
                self.keep(base, &open.into_pages(), source, facts)
            }
            Scope::Part => self.take_entries(open, source),
        }
    }

    fn keep(
        &mut self,
        base: &'static str,
        pages: &[Value],
        source: Source,
        facts: Vec<u64>,
    ) -> bool {
        let Some(series) = Series::pack(pages, source, facts) else {
            return false;
        };
        let old = self.inventories.insert(base, series);
        if base == "FullInventory" {
            // What was read and set one by one before is in it.
            self.singles
                .retain(|_, single| single.source.evidence.at > source.evidence.at);
        }
        old.is_none_or(|old| !old.says(pages))
    }

    /// The operator supplied this inventory.
    pub fn import(&mut self, base: &'static str, pages: &[Value], source: Source) {
        let mut pages = pages.to_vec();
        for page in &mut pages {
            view::elements(page, "reportData").for_each(scrub);
        }
        self.keep(base, &pages, source, Vec::new());
    }

    fn take_entries(&mut self, open: Open, source: Source) -> bool {
        let messages = open.facts.clone();
        let mut differs = false;
        for (page, fact) in open.into_pages().into_iter().zip(messages) {
            let source = Source {
                facts: [source.facts[0], fact],
                ..source
            };
            for entry in view::entries(&page) {
                for attribute in entry["variableAttribute"].as_array().into_iter().flatten() {
                    if let Some(value) = attribute["value"].as_str() {
                        let kind = attribute["type"].as_str().unwrap_or(view::ACTUAL);
                        differs |= self.learn(entry, kind, Reads::Value(value.into()), source);
                    }
                }
            }
        }
        differs
    }

    /// Learns from a `GetVariables` answer. Says whether something is different now.
    pub fn read(&mut self, answer: &str, source: Source) -> bool {
        let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
        let mut differs = false;
        for result in answer["getVariableResult"].as_array().into_iter().flatten() {
            let status = result["attributeStatus"].as_str().unwrap_or_default();
            let reads = match (status, result["attributeValue"].as_str()) {
                ("Accepted", value) => Reads::Value(value.unwrap_or_default().into()),
                ("", _) => continue,
                (status, _) => Reads::Status(status.into()),
            };
            let kind = result["attributeType"].as_str().unwrap_or(view::ACTUAL);
            differs |= self.learn(result, kind, reads, source);
        }
        differs
    }

    /// Learns from a `SetVariables` and its answer. Says whether something is different now.
    pub fn set(&mut self, request: &str, answer: &str, source: Source) -> bool {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
        let results = answer["setVariableResult"].as_array();
        let results = results.map(Vec::as_slice).unwrap_or_default();
        let mut differs = false;
        for asked in request["setVariableData"].as_array().into_iter().flatten() {
            let kind = asked["attributeType"].as_str().unwrap_or(view::ACTUAL);
            let key = view::key(&asked["component"], &asked["variable"]);
            let taken = results.iter().any(|result| {
                view::key(&result["component"], &result["variable"]) == key
                    && result["attributeType"].as_str().unwrap_or(view::ACTUAL) == kind
                    && result["attributeStatus"] == "Accepted"
            });
            // A value that waits for a reboot is not what the charger reads yet.
            if let (true, Some(value)) = (taken, asked["attributeValue"].as_str()) {
                differs |= self.learn(asked, kind, Reads::Value(value.into()), source);
            }
        }
        differs
    }

    /// Learns the value of a variable that a command sets without naming it.
    pub fn set_to(&mut self, component: &str, variable: &str, value: &str, source: Source) -> bool {
        let about = serde_json::json!({
            "component": {"name": component}, "variable": {"name": variable}});
        self.learn(&about, view::ACTUAL, Reads::Value(value.into()), source)
    }

    fn learn(&mut self, about: &Value, kind: &str, reads: Reads, source: Source) -> bool {
        let (component, variable) = (&about["component"], &about["variable"]);
        if let Reads::Value(value) = &reads
            && is_secret_variable(component, variable, value)
        {
            return false;
        }
        let key = (view::key(component, variable), kind.to_owned());
        let known = self.singles.get(&key);
        if known.is_none() && self.singles.len() >= MOST_SINGLES {
            return false;
        }
        let differs = known.is_none_or(|known| known.reads != reads);
        self.singles.insert(key, Single { reads, source });
        differs
    }

    /// The evidence of an inventory, if it is known.
    pub fn inventory(&self, base: &str) -> Option<&Series> {
        self.inventories.get(base)
    }

    /// The messages of an inventory, brought up to date with what was read and set since.
    pub fn pages(&self, base: &str) -> Option<(Vec<Value>, Evidence)> {
        let series = self.inventories.get(base)?;
        let mut pages = series.pages();
        for page in &mut pages {
            for entry in view::elements(page, "reportData") {
                self.bring_up_to_date(entry, series.source.evidence);
            }
        }
        Some((pages, series.source.evidence))
    }

    fn bring_up_to_date(&self, entry: &mut Value, reported: Evidence) {
        let key = view::key(&entry["component"], &entry["variable"]);
        for attribute in view::elements(entry, "variableAttribute") {
            let kind = attribute["type"]
                .as_str()
                .unwrap_or(view::ACTUAL)
                .to_owned();
            if let Some(single) = self.singles.get(&(key.clone(), kind))
                && single.source.evidence.at > reported.at
                && let Reads::Value(value) = &single.reads
                && let Some(members) = attribute.as_object_mut()
            {
                members.insert("value".to_owned(), value.as_ref().into());
            }
        }
    }

    /// Everything that is known, to look variables up.
    pub fn view(&self) -> View<'_> {
        let best = BASES[..2]
            .iter()
            .find(|base| self.inventories.contains_key(*base));
        let inventory = best.and_then(|base| self.pages(base));
        let is_full = best == Some(&BASES[0]);
        View::new(inventory, is_full, &self.singles)
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        let series = self.inventories.values();
        let reported =
            series.flat_map(|series| series.facts.iter().copied().chain(series.source.facts));
        reported.chain(self.singles.values().flat_map(|single| single.source.facts))
    }
}
