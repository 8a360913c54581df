//! A report as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), for programs that track findings: the id of a
//! finding is its fingerprint, and stays the same from report to report.

use serde_json::{Value, json};

use super::RenderError;
use crate::ledger::row::State;
use crate::ocpp::Severity;
use crate::report::model::settled::Accepted;
use crate::report::model::since::{Change, Was};
use crate::report::model::{Card, Report};

/// Name and version of the fingerprint.
const FINGERPRINT: &str = "evenkeelFinding/v1";

/// The report as one run.
pub fn write(report: &Report) -> Result<String, RenderError> {
    let mut rules: Vec<(&str, &str)> = (report.findings.iter())
        .map(|card| (card.rule.as_str(), card.why.as_str()))
        .collect();
    rules.sort_unstable();
    rules.dedup_by_key(|(id, _)| *id);
    let index = |rule: &str| rules.iter().position(|(id, _)| *id == rule);
    let mut results: Vec<Value> = (report.findings.iter())
        .map(|card| result(card, index(&card.rule)))
        .collect();
    results.extend(report.settled.findings.iter().map(accepted));
    let past = report.since.iter().flat_map(|since| &since.past);
    results.extend(past.filter(|was| was.change == Change::Gone).map(absent));
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "evenkeel",
                "version": report.head.version,
                "rules": rules.iter().map(|(id, why)| json!({
                    "id": id,
                    "shortDescription": {"text": if why.is_empty() { id } else { why }},
                })).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": format!("evenkeel/{}", report.id)},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {
                "ledgerDigest": report.head.digest,
                "rules": report.head.rules,
                "candidateBuilds": report.head.candidate_builds,
            },
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn result(card: &Card, rule: Option<usize>) -> Value {
    let mut result = json!({
        "ruleId": card.rule,
        "kind": if card.counts { "fail" } else { "open" },
        "level": if card.counts { level(card.severity) } else { "none" },
        "message": {"text": format!("{} {}: {}. {}", card.severity, card.id, card.title, card.exposure.says)},
        "locations": [{"logicalLocations": [{
            "name": card.place,
            "fullyQualifiedName": format!("{}/{}", card.action, card.place),
            "kind": "member",
        }]}],
        "partialFingerprints": {FINGERPRINT: card.id},
        "occurrenceCount": card.exposure.count.max(1),
        "properties": {
            "severity": card.severity.code(),
            "state": card.state.word(),
            "legacy": card.legacy,
            "candidate": card.candidate,
            "models": card.models,
            "of": card.exposure.of,
        },
    });
    if let Some(rule) = rule {
        result["ruleIndex"] = json!(rule);
    }
    if let Some(since) = &card.since {
        result["baselineState"] = json!(match since.change {
            Change::New => "new",
            Change::Unchanged => "unchanged",
            _ => "updated",
        });
        result["properties"]["change"] = json!(since.change.word());
    }
    result
}

/// A finding of an earlier report that is gone.
fn absent(was: &Was) -> Value {
    json!({
        "ruleId": "gone",
        "kind": "pass",
        "level": "none",
        "message": {"text": format!("{} {}: {}. {}", was.severity, was.id, was.title, was.why)},
        "partialFingerprints": {FINGERPRINT: was.id},
        "baselineState": "absent",
        "properties": {"severity": was.severity.code(), "change": was.change.word()},
    })
}

/// A finding that does not count, with who says so.
fn accepted(finding: &Accepted) -> Value {
    let reason = finding
        .triage
        .as_ref()
        .map_or("", |triage| triage.reason.as_str());
    let mut result = json!({
        "ruleId": "settled",
        "kind": "fail",
        "level": level(finding.severity),
        "message": {"text": format!("{} {}: {}", finding.severity, finding.id, finding.title)},
        "partialFingerprints": {FINGERPRINT: finding.id},
        "occurrenceCount": finding.count.max(1),
        "suppressions": [{"kind": "external", "status": "accepted", "justification": reason}],
        "properties": {"severity": finding.severity.code(), "state": finding.state.word()},
    });
    if finding.state == State::Fixed {
        result["baselineState"] = json!("absent");
    }
    result
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::S0 | Severity::S1 => "error",
        Severity::S2 | Severity::S3 => "warning",
        Severity::S4 => "note",
    }
}
