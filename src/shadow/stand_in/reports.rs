//! Reports of the device model and of its monitors: accepted, then sent as the charger sent them to its authority, under
//! the shadow's request id.

use serde_json::{Value, json};

use super::Situation;
use super::reply::Reply;
use crate::shadow::model::import::paged;
use crate::shadow::model::{Evidence, view};

/// Answers `GetBaseReport` with the stored series of the same base.
pub(super) fn base(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let request: Value = serde_json::from_str(payload).ok()?;
    let base = request["reportBase"].as_str()?;
    let (pages, evidence) = situation.model.device().pages(base)?;
    Some(reports("NotifyReport", &request, pages, evidence))
}

/// Answers `GetReport` with the part of the inventory that fits.
pub(super) fn selection(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let request: Value = serde_json::from_str(payload).ok()?;
    let (pages, evidence) = situation.model.device().pages("FullInventory")?;
    let entries: Vec<&Value> = pages.iter().flat_map(view::entries).collect();
    let fits =
        |entry: &&&Value| is_selected(entry, &request) && meets_criteria(entry, &entries, &request);
    let fitting = entries.iter().filter(fits).map(|entry| (*entry).clone());
    let fitting: Vec<Value> = fitting.collect();
    let pages = paged("reportData", &fitting, generated_at(&pages));
    Some(reports("NotifyReport", &request, pages, evidence))
}

/// Answers `GetMonitoringReport` with the monitors that fit.
pub(super) fn monitoring(payload: &str, situation: Situation<'_>) -> Option<Reply> {
    let request: Value = serde_json::from_str(payload).ok()?;
    let (pages, evidence) = situation.model.monitors().pages()?;
    let entries = pages.iter().filter_map(|page| page["monitor"].as_array());
    let mut fitting = Vec::new();
    for entry in entries
        .flatten()
        .filter(|entry| is_selected(entry, &request))
    {
        let mut entry = entry.clone();
        if let Some(Value::Array(monitors)) = entry.get_mut("variableMonitoring") {
            monitors.retain(|monitor| is_of_kind(monitor, &request));
            if !monitors.is_empty() {
                fitting.push(entry);
            }
        }
    }
    let pages = paged("monitor", &fitting, generated_at(&pages));
    Some(reports("NotifyMonitoringReport", &request, pages, evidence))
}

/// What would have to be known for a report.
pub(super) fn missing(
    action: &str,
    payload: &str,
    situation: Situation<'_>,
) -> Option<&'static str> {
    let request: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
    let is_full = situation
        .model
        .device()
        .inventory("FullInventory")
        .is_some();
    match (action, request["reportBase"].as_str()) {
        ("GetBaseReport", Some("SummaryInventory")) => Some(
            "no whole SummaryInventory was seen; it comes when the authority asks for one, or from a file (shadow.models)",
        ),
        ("GetBaseReport", Some("ConfigurationInventory")) => Some(
            "no whole ConfigurationInventory was seen; it comes when the authority asks for one, or from a file \
             (shadow.models)",
        ),
        ("GetBaseReport" | "GetReport", _) if !is_full => Some(
            "no whole FullInventory was seen; it comes when the authority asks for one, or from a file (shadow.models)",
        ),
        ("GetMonitoringReport", _) => Some(
            "no whole report of all monitors was seen since they changed; it comes when the authority asks for one",
        ),
        _ => None,
    }
}

fn reports(action: &'static str, request: &Value, pages: Vec<Value>, evidence: Evidence) -> Reply {
    let is_filled = |page: &Value| !page["reportData"].is_null() || !page["monitor"].is_null();
    if !pages.iter().any(is_filled) {
        return Reply::status("EmptyResultSet").by(evidence);
    }
    Reply::status("Accepted")
        .by(evidence)
        .then_reports(action, &request["requestId"], pages)
}

fn generated_at(pages: &[Value]) -> &str {
    let first = pages.first();
    first
        .and_then(|page| page["generatedAt"].as_str())
        .unwrap_or_default()
}

/// The elements of a list that the request may hold; `None` when it names none.
fn named<'a>(request: &'a Value, member: &str) -> Option<&'a Vec<Value>> {
    request[member].as_array().filter(|list| !list.is_empty())
}

/// Whether an element is about one of the components and variables that the request names; about any when it names none.
fn is_selected(entry: &Value, request: &Value) -> bool {
    named(request, "componentVariable").is_none_or(|wanted| {
        wanted.iter().any(|wanted| {
            fits(&wanted["component"], &entry["component"])
                && fits(&wanted["variable"], &entry["variable"])
        })
    })
}

/// Whether everything that is named fits; names know no case.
fn fits(wanted: &Value, found: &Value) -> bool {
    let same = |wanted: &Value, found: &Value| {
        wanted.is_null()
            || match (wanted.as_str(), found.as_str()) {
                (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(found),
                _ => wanted.as_i64() == found.as_i64(),
            }
    };
    let (evse, place) = (&wanted["evse"], &found["evse"]);
    same(&wanted["name"], &found["name"])
        && same(&wanted["instance"], &found["instance"])
        && same(&evse["id"], &place["id"])
        && same(&evse["connectorId"], &place["connectorId"])
}

/// Whether a component meets one of the criteria (B08). A component without the variable is taken to be active, available
/// and enabled, and to have no problem.
fn meets_criteria(entry: &Value, entries: &[&Value], request: &Value) -> bool {
    let Some(criteria) = named(request, "componentCriteria") else {
        return true;
    };
    let component = view::component_key(&entry["component"]);
    criteria.iter().filter_map(Value::as_str).any(|criterion| {
        let variable = json!({"name": criterion});
        let found = entries.iter().find(|other| {
            view::component_key(&other["component"]) == component
                && fits(&variable, &other["variable"])
        });
        found.map_or(criterion != "Problem", |found| is_true(found))
    })
}

fn is_true(entry: &Value) -> bool {
    let attributes = entry["variableAttribute"].as_array();
    attributes.into_iter().flatten().any(|attribute| {
        let kind = attribute["type"].as_str().unwrap_or(view::ACTUAL);
        let value = attribute["value"].as_str().unwrap_or_default();
        kind == view::ACTUAL && value.eq_ignore_ascii_case("true")
    })
}

/// Whether a monitor is of one of the kinds that the request names (N02).
fn is_of_kind(monitor: &Value, request: &Value) -> bool {
    let kind = monitor["type"].as_str().unwrap_or_default();
    named(request, "monitoringCriteria").is_none_or(|criteria| {
        let mut criteria = criteria.iter().filter_map(Value::as_str);
        criteria.any(|criterion| match criterion {
            "ThresholdMonitoring" => matches!(kind, "UpperThreshold" | "LowerThreshold"),
            "DeltaMonitoring" => matches!(kind, "Delta" | "TargetDelta" | "TargetDeltaRelative"),
            "PeriodicMonitoring" => matches!(kind, "Periodic" | "PeriodicClockAligned"),
            _ => false,
        })
    })
}
