//! Rows as filters ask them.

use super::Value;
use crate::ledger::query::Finding;
use crate::ledger::row::{
    Divergence, Exchange, Outcome, Reason, Session, Standing, State, Subject,
};

/// A finding, for [`super::FINDINGS`].
pub fn finding<'a>(row: &'a Finding) -> impl Fn(&'static str) -> Value<'a> {
    move |field| match field {
        "severity" => Value::Severity(row.severity),
        "state" if row.life.state() == State::Fixed && row.life.stopped => {
            Value::Several(vec![State::Fixed.word(), "gone"])
        }
        "state" => Value::Text(row.life.state().word()),
        "owner" => Value::Text(
            row.life
                .standing
                .as_ref()
                .map_or("", |standing| &standing.owner),
        ),
        "action" => Value::Text(&row.action),
        "charger" => Value::Texts(&row.chargers),
        "group" => Value::Texts(&row.groups),
        "wave" => Value::Texts(&row.waves),
        // It was put in terms of groups before.
        "verdict" => Value::Text(""),
        "model" => Value::Texts(&row.models),
        "firmware" => Value::Texts(&row.firmware),
        "finding" => Value::Text(&row.id),
        "subject" => Value::Text(row.subject.word()),
        "path" => Value::Text(&row.path),
        "kind" => Value::Text(&row.kind),
        "legacy" => Value::Text(&row.legacy),
        "candidate" => Value::Text(&row.candidate),
        "rule" => Value::Text(&row.rule),
        "title" => Value::Text(&row.title),
        "build" => Value::Texts(&row.life.builds),
        "count" => Value::Number(row.count as i64),
        "of" => Value::Number(row.of as i64),
        "quirk" => row
            .quirk
            .map_or(Value::Nothing, |quirk| Value::Number(i64::from(quirk))),
        "first" | "until" => Value::At(row.first_seen),
        "last" | "since" => Value::At(row.last_seen),
        _ => Value::Nothing,
    }
}

/// A difference and how its finding stands, for [`super::DIVERGENCES`].
pub fn divergence<'a>(
    row: &'a Divergence,
    standing: Option<&'a Standing>,
) -> impl Fn(&'static str) -> Value<'a> {
    move |field| match field {
        "severity" => Value::Severity(row.severity),
        "finding" => Value::Text(&row.finding),
        "state" => Value::Text(
            standing
                .map_or(State::New, |standing| standing.state)
                .word(),
        ),
        "owner" => Value::Text(standing.map_or("", |standing| &standing.owner)),
        "action" => Value::Text(&row.action),
        "charger" => Value::Text(&row.charger),
        "model" => Value::Text(&row.model),
        "subject" => Value::Text(Subject::word(row.subject)),
        "id" => Value::Number(row.id as i64),
        "path" => Value::Text(&row.path),
        "kind" => Value::Text(&row.kind),
        "legacy" => Value::Text(&row.legacy),
        "candidate" => Value::Text(&row.candidate),
        "rule" => Value::Text(&row.rule),
        "title" => Value::Text(&row.title),
        "at" | "since" | "until" => Value::At(row.at),
        _ => Value::Nothing,
    }
}

/// Where a charger belongs; empty where nothing is known or planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Home<'a> {
    /// Its group.
    pub group: &'a str,
    /// The wave that this moves in.
    pub wave: &'a str,
}

impl<'a> Home<'a> {
    fn value(self, field: &str) -> Value<'a> {
        Value::Text(if field == "group" {
            self.group
        } else {
            self.wave
        })
    }
}

/// An exchange with its charger's home and model (empty if unknown), the findings that it shows and its rules with commas, for
/// [`super::EXCHANGES`].
pub fn exchange<'a>(
    row: &'a Exchange,
    (home, model): (Home<'a>, &'a str),
    findings: &'a [String],
    rules: &'a str,
) -> impl Fn(&'static str) -> Value<'a> {
    let number = |number: Option<i64>| number.map_or(Value::Nothing, Value::Number);
    move |field| match field {
        "outcome" => Value::Text(row.outcome.word()),
        "severity" => row.severity.map_or(Value::Nothing, Value::Severity),
        "action" => Value::Text(&row.action),
        "charger" => Value::Text(&row.charger),
        "group" | "wave" => home.value(field),
        "model" => Value::Text(model),
        "finding" => Value::Texts(findings),
        "reason" => reason(row.reason),
        "rule" => Value::Text(rules),
        "root" => row.root.as_deref().map_or(Value::Nothing, Value::Text),
        "version" => Value::Text(&row.version),
        "id" => Value::Number(row.id as i64),
        "authority" => number(row.authority_us),
        "shadow" => number(row.shadow_us),
        "waited" => number(row.queue_us),
        "at" | "since" | "until" => Value::At(row.at),
        _ => Value::Nothing,
    }
}

/// A session with its charger's home and its number as text, for [`super::SESSIONS`].
pub fn session<'a>(
    row: &'a Session,
    (home, number): (Home<'a>, &'a str),
) -> impl Fn(&'static str) -> Value<'a> {
    move |field| match field {
        "outcome" => Value::Text(row.outcome.map_or("pending", Outcome::word)),
        "severity" => row.severity.map_or(Value::Nothing, Value::Severity),
        "charger" => Value::Text(&row.charger),
        "group" | "wave" => home.value(field),
        // It was put in terms of groups before.
        "verdict" => Value::Text(""),
        "session" => {
            let names = row.legacy_names.iter().chain(&row.candidate_names);
            Value::Several(names.map(String::as_str).chain([number]).collect())
        }
        "connector" => Value::Text(&row.connector),
        "token" => Value::Text(&row.token),
        "state" => Value::Text(&row.state),
        "finding" => Value::Texts(&row.findings),
        "differs" => {
            let differs = |verdict: &str| !matches!(verdict, "equal" | "unknown");
            let checks = row.checks.iter().filter(|check| differs(&check.verdict));
            Value::Several(checks.map(|check| check.name.as_ref()).collect())
        }
        "defect" => Value::Several(row.defects.iter().map(AsRef::as_ref).collect()),
        "reason" => reason(row.reason),
        "version" => Value::Text(&row.version),
        "energy" => energy(row),
        "at" | "since" | "until" => Value::At(row.at),
        _ => Value::Nothing,
    }
}

fn reason(reason: Option<Reason>) -> Value<'static> {
    reason.map_or(Value::Nothing, |reason| Value::Text(reason.word()))
}

/// Whole Wh by the charger's account.
fn energy(row: &Session) -> Value<'static> {
    let told = row.wire.as_ref().and_then(|wire| wire.energy_wh.as_deref());
    let whole = told.and_then(|told| told.split('.').next()?.parse().ok());
    whole.map_or(Value::Nothing, Value::Number)
}
