//! The variable monitors of a 2.x charger, as its last whole report listed them.

use std::collections::VecDeque;

use serde_json::Value;

use super::evidence::{Evidence, Source};
use super::secrets::is_secret_variable;
use super::series::{Open, Progress, Series};
use super::view;

/// How many reports may be under way at once.
const MOST_OPEN: usize = 2;

/// What a charger told about its monitors.
#[derive(Debug, Default)]
pub struct Monitors {
    /// All of them; only reports that leave none out teach this.
    all: Option<Series>,
    open: VecDeque<(Source, Open)>,
}

impl Monitors {
    /// The authority asks for a report. One that selects teaches nothing about what it leaves out.
    pub fn asked(&mut self, request: &str, source: Source) {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        let selects = ["monitoringCriteria", "componentVariable"]
            .iter()
            .any(|member| {
                request[*member]
                    .as_array()
                    .is_some_and(|list| !list.is_empty())
            });
        if selects {
            return;
        }
        if self.open.len() >= MOST_OPEN {
            self.open.pop_front();
        }
        let id = request["requestId"].to_string();
        self.open.retain(|(_, open)| *open.request_id != *id);
        self.open.push_back((source, Open::new(&id)));
    }

    /// The charger answered the request: `Accepted`, `EmptyResultSet`, or a refusal. Says whether something is different.
    pub fn answered(&mut self, request: &str, status: Option<&str>, source: Source) -> bool {
        let id = view::request_id(request);
        let was_open = self.open.iter().any(|(_, open)| *open.request_id == *id);
        if status == Some("Accepted") || !was_open {
            return false;
        }
        self.open.retain(|(_, open)| *open.request_id != *id);
        status == Some("EmptyResultSet") && self.keep(&[], source, Vec::new())
    }

    /// A `NotifyMonitoringReport` came. Says whether something is different now.
    pub fn reported(&mut self, payload: &str, source: Source) -> bool {
        let id = view::request_id(payload);
        let Some(at) = self
            .open
            .iter()
            .position(|(_, open)| *open.request_id == *id)
        else {
            return false;
        };
        let progress = self.open[at].1.add(payload, source.facts[0], hide_secrets);
        if progress == Progress::Open {
            return false;
        }
        let removed = self.open.remove(at);
        let Some((asked, open)) = removed.filter(|_| progress == Progress::Whole) else {
            return false;
        };
        let source = Source {
            facts: asked.facts,
            ..source
        };
        let facts = open.facts.clone();
        self.keep(&open.into_pages(), source, facts)
    }

    fn keep(&mut self, pages: &[Value], source: Source, facts: Vec<u64>) -> bool {
        let series = Series::pack(pages, source, facts);
        let differs = match (&self.all, &series) {
            (Some(old), Some(_)) => !old.says(pages),
            (old, new) => old.is_some() != new.is_some(),
        };
        self.all = series;
        differs
    }

    /// Monitors were set or cleared: the report is no longer what the charger would say. Says whether there was one.
    pub fn changed(&mut self) -> bool {
        self.all.take().is_some()
    }

    /// The messages of the last whole report.
    pub fn pages(&self) -> Option<(Vec<Value>, Evidence)> {
        let series = self.all.as_ref()?;
        Some((series.pages(), series.source.evidence))
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        let series = self.all.iter();
        series.flat_map(|series| series.facts.iter().copied().chain(series.source.facts))
    }
}

/// A monitor's threshold on a secret variable would tell about it.
fn hide_secrets(page: &mut Value) {
    if let Some(Value::Array(monitors)) = page.get_mut("monitor") {
        monitors.retain(|entry| !is_secret_variable(&entry["component"], &entry["variable"], ""));
    }
}
