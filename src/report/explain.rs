//! Which rule decided where two texts differ, and why no other did.

use serde::Serialize;

use super::ReportError;
use crate::clock::Micros;
use crate::facts::{self, Kind, Leg};
use crate::judge::Rules;
use crate::judge::compare::{Difference, Tried};
use crate::judge::explain::{self, Explained};
use crate::judge::rules::Rule;
use crate::ledger::query::Judged;
use crate::ledger::row::Subject;
use crate::ocpp::{Envelope, MessageType, Severity, Version};

/// Where two texts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// JSON pointer; empty for the whole.
    pub pointer: String,
    /// Kind of difference.
    pub kind: &'static str,
    /// The authority's value, shortened.
    pub authority: Option<String>,
    /// The shadow's.
    pub shadow: Option<String>,
    /// Whether the rule explains it.
    pub explained: bool,
    /// How bad it is, if it is not explained.
    pub severity: Severity,
    /// The rule that decided.
    pub decided: Decided,
    /// Rules that were tried before it.
    pub tried: Vec<NotThis>,
}

/// A rule that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub file: String,
    /// From 1; 0 for what stands in no file.
    pub line: usize,
    /// Its comparator.
    pub compare: &'static str,
    /// Why it is there.
    pub reason: String,
}

/// A rule that did not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotThis {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub file: String,
    /// From 1; 0 for what stands in no file.
    pub line: usize,
    /// Why not.
    pub why: String,
}

/// Each place where the texts of an exchange or command differ, by the rules that it was judged by.
pub fn places(
    facts: &facts::Reader,
    rules: &Rules,
    judged: &Judged,
) -> Result<Vec<Place>, ReportError> {
    let Some(version) = Version::from_number(&judged.version) else {
        return Ok(Vec::new());
    };
    let text = |seq: u64| -> Result<Option<(Micros, String)>, ReportError> {
        let fact = if seq == 0 { None } else { facts.by_seq(seq)? };
        Ok(fact.and_then(|fact| {
            let text = String::from_utf8_lossy(&fact.body).into_owned();
            let envelope = Envelope::parse(&text).ok()?;
            (envelope.kind != MessageType::CallError)
                .then(|| (fact.at, envelope.payload.to_owned()))
        }))
    };
    let [call, ours, theirs] = judged.facts;
    let (call, ours, theirs) = (text(call)?, text(ours)?, text(theirs)?);
    let explained = match (judged.subject, &ours, &theirs) {
        (Subject::Command, Some((_, ours)), Some((_, theirs))) => {
            let learned = learned(facts, judged)?;
            let authority = Leg::from_word(&judged.authority).unwrap_or(Leg::Legacy);
            let about = (version, judged.action.as_str(), authority);
            explain::commands(rules, about, &learned, ours, theirs)
        }
        (Subject::Command, Some((_, alone)), None) | (Subject::Command, None, Some((_, alone))) => {
            let (decided, tried) = explain::alone(rules, version, &judged.action, alone);
            let ours = ours.is_some();
            return Ok(vec![alone_at(rules, judged, ours, decided, tried)]);
        }
        (_, Some((heard, ours)), Some((their_time, theirs))) => {
            let request = call.as_ref().map_or("{}", |(_, request)| request);
            let about = (version, judged.action.as_str());
            explain::answers(rules, about, request, (*heard, ours), (*their_time, theirs))
        }
        _ => Vec::new(),
    };
    Ok(explained.into_iter().map(Place::from).collect())
}

/// What was learned of the charger's identifiers until the later of two commands.
fn learned(facts: &facts::Reader, judged: &Judged) -> Result<Vec<facts::Fact>, ReportError> {
    let until = judged.facts[1].max(judged.facts[2]);
    let mut learned = Vec::new();
    let mut after = 0;
    loop {
        let page = facts.of_kind(Kind::IdentifierLearned, after, 1_000)?;
        let Some(last) = page.last() else {
            return Ok(learned);
        };
        after = last.seq;
        let of_charger = |fact: &facts::Fact| fact.seq < until && *fact.charger == *judged.charger;
        learned.extend(page.into_iter().filter(of_charger));
        if after >= until {
            return Ok(learned);
        }
    }
}

/// A command without a twin: its whole is what differs.
fn alone_at(
    rules: &Rules,
    judged: &Judged,
    ours: bool,
    decided: Option<&Rule>,
    tried: Vec<Tried<'_>>,
) -> Place {
    let authority = Leg::from_word(&judged.authority).unwrap_or(Leg::Legacy);
    let sender = if ours { authority } else { authority.other() };
    let says = |sent: bool| Some(if sent { "sent" } else { "not sent" }.to_owned());
    let rule = decided.unwrap_or(rules.fallback());
    Place {
        pointer: String::new(),
        kind: match sender {
            Leg::Legacy => "missing command",
            Leg::Candidate => "extra command",
        },
        authority: says(ours),
        shadow: says(!ours),
        explained: judged.outcome == "explained",
        severity: decided.map_or(Severity::S3, |rule| rule.one_sided(sender)),
        decided: Decided::from(rule),
        tried: tried.into_iter().map(NotThis::from).collect(),
    }
}

impl From<Explained<'_>> for Place {
    fn from((difference, tried): Explained<'_>) -> Self {
        let Difference {
            pointer,
            kind,
            authority,
            shadow,
            rule,
            severity,
            explained,
            ..
        } = difference;
        Self {
            pointer,
            kind: kind.word(),
            authority,
            shadow,
            explained,
            severity,
            decided: Decided::from(rule),
            tried: tried.into_iter().map(NotThis::from).collect(),
        }
    }
}

impl From<&Rule> for Decided {
    fn from(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            file: rule.origin.file.to_string(),
            line: rule.origin.line,
            compare: rule.compare.word(),
            reason: rule.reason.clone(),
        }
    }
}

impl From<Tried<'_>> for NotThis {
    fn from(tried: Tried<'_>) -> Self {
        Self {
            id: tried.rule.id.clone(),
            file: tried.rule.origin.file.to_string(),
            line: tried.rule.origin.line,
            why: tried.why,
        }
    }
}
