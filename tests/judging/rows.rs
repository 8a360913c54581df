//! The rows of a story, told shortly.

#![allow(dead_code, reason = "each test file asks for its own part")]

use evenkeel::facts::Fact;
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::row::{Divergence, Exchange, Outcome, Row};

pub(crate) const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
pub(crate) const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;
pub(crate) const TAG: &str = r#"{"idTag":"T1"}"#;
pub(crate) const START: &str =
    r#"{"connectorId":1,"idTag":"T1","meterStart":0,"timestamp":"2026-11-24T00:00:00Z"}"#;

pub(crate) fn started(transaction: i64, status: &str) -> String {
    format!(r#"{{"transactionId":{transaction},"idTagInfo":{{"status":"{status}"}}}}"#)
}

/// Judges by the built-in rules.
pub(crate) fn judge(facts: &[Fact]) -> Vec<Row> {
    let mut judge = Judge::new(Rules::built_in().unwrap());
    let mut rows = Vec::new();
    for fact in facts {
        judge.feed(fact, &mut |row| rows.push(row));
    }
    rows
}

pub(crate) fn exchanges(rows: &[Row]) -> Vec<&Exchange> {
    rows.iter()
        .filter_map(|row| match row {
            Row::Exchange(exchange) => Some(exchange),
            _ => None,
        })
        .collect()
}

pub(crate) fn divergences(rows: &[Row]) -> Vec<&Divergence> {
    rows.iter()
        .filter_map(|row| match row {
            Row::Divergence(divergence) => Some(divergence),
            _ => None,
        })
        .collect()
}

pub(crate) fn commands(rows: &[Row]) -> Vec<(String, Outcome)> {
    rows.iter()
        .filter_map(|row| match row {
            Row::Command(command) => Some((command.action.clone(), command.outcome)),
            _ => None,
        })
        .collect()
}

/// `action outcome[ reason]` of every exchange.
pub(crate) fn outcomes(rows: &[Row]) -> Vec<String> {
    exchanges(rows)
        .into_iter()
        .map(|row| {
            let reason = row.reason.map(|reason| format!(" {}", reason.word()));
            format!(
                "{} {}{}",
                row.action,
                row.outcome.word(),
                reason.unwrap_or_default()
            )
        })
        .collect()
}

/// `severity kind path: title` of every divergence.
pub(crate) fn found(rows: &[Row]) -> Vec<String> {
    divergences(rows)
        .into_iter()
        .map(|row| format!("{} {} {}: {}", row.severity, row.kind, row.path, row.title))
        .collect()
}
