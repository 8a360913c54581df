//! `evenkeel diffs --explain ID`: which rule decided, and why no other did.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::error::{CliError, Exit};
use crate::clock::Micros;
use crate::facts::{self, Kind, Leg};
use crate::judge::Rules;
use crate::judge::compare::{Difference, Tried};
use crate::judge::explain::{self, Explained};
use crate::judge::rules::Rule;
use crate::ledger::query::{Finding, Judged, Reader};
use crate::ledger::row::Subject;
use crate::ledger::views;
use crate::ocpp::{Envelope, MessageType, Severity, Version};

/// Name and version of the form.
const SCHEMA: &str = "evenkeel.explain/1";

/// What `diffs --explain --json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    schema: &'static str,
    /// The finding that was asked for, if it was one.
    finding: Option<About>,
    /// The exchange or command that is explained: a finding's first. Absent for findings about handshakes and sessions.
    judged: Option<Case>,
    /// Each place where its texts differ.
    differences: Vec<Place>,
}

#[derive(Debug, Serialize)]
struct About {
    id: String,
    title: String,
    severity: Severity,
    rule: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Case {
    subject: &'static str,
    id: u64,
    at: String,
    charger: String,
    version: String,
    action: String,
    outcome: String,
    /// Why not comparable.
    reason: Option<String>,
    /// The finding that it follows from.
    root: Option<String>,
    /// Rules that explained a difference, also those about more than one field.
    rules: Vec<String>,
    findings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Place {
    pointer: String,
    kind: &'static str,
    /// The authority's value, shortened.
    authority: Option<String>,
    /// The shadow's.
    shadow: Option<String>,
    explained: bool,
    severity: Severity,
    decided: Decided,
    tried: Vec<NotThis>,
}

#[derive(Debug, Serialize)]
struct Decided {
    id: String,
    file: String,
    /// From 1; 0 for what stands in no file.
    line: usize,
    compare: &'static str,
    reason: String,
}

#[derive(Debug, Serialize)]
struct NotThis {
    id: String,
    file: String,
    line: usize,
    why: String,
}

/// Explains the finding or the exchange or command called `id`.
pub(super) fn of(
    dir: &Path,
    reader: &Reader,
    rules: &Rules,
    id: &str,
) -> Result<Explanation, CliError> {
    let finding = reader.finding(id)?;
    let judged = match &finding {
        Some(finding) => first_of(reader, finding)?,
        None => match id.parse() {
            Ok(number) => reader.judged(number)?,
            Err(_) => None,
        },
    };
    if finding.is_none() && judged.is_none() {
        return Err(CliError::new(
            Exit::Usage,
            "DIFF-001",
            format!("nothing is called {id:?} in this recording"),
        )
        .help("give the id of a finding, as `diffs` lists it, or the number of an exchange's or command's fact"));
    }
    let facts = facts::Reader::open(dir)?;
    let differences = match &judged {
        Some(judged) => places(&facts, rules, judged)?,
        None => Vec::new(),
    };
    Ok(Explanation {
        schema: SCHEMA,
        finding: finding.map(About::from),
        judged: judged.map(Case::from),
        differences,
    })
}

fn first_of(reader: &Reader, finding: &Finding) -> Result<Option<Judged>, CliError> {
    let compared = matches!(finding.subject, Subject::Exchange | Subject::Command);
    let first = finding.exemplars.first().filter(|_| compared);
    Ok(match first {
        Some(id) => reader.judged(*id)?,
        None => None,
    })
}

fn places(facts: &facts::Reader, rules: &Rules, judged: &Judged) -> Result<Vec<Place>, CliError> {
    let Some(version) = Version::from_number(&judged.version) else {
        return Ok(Vec::new());
    };
    let text = |seq: u64| -> Result<Option<(Micros, String)>, CliError> {
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
fn learned(facts: &facts::Reader, judged: &Judged) -> Result<Vec<facts::Fact>, CliError> {
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

impl From<Finding> for About {
    fn from(finding: Finding) -> Self {
        Self {
            id: finding.id,
            title: finding.title,
            severity: finding.severity,
            rule: finding.rule,
            reason: finding.reason,
        }
    }
}

impl From<Judged> for Case {
    fn from(judged: Judged) -> Self {
        let word = |word: String| (!word.is_empty()).then_some(word);
        let rules = judged.rules.split(',').filter(|rule| !rule.is_empty());
        Self {
            subject: judged.subject.word(),
            id: judged.id,
            at: views::rfc3339(judged.at),
            rules: rules.map(str::to_owned).collect(),
            charger: judged.charger,
            version: judged.version,
            action: judged.action,
            outcome: judged.outcome,
            reason: word(judged.reason),
            root: word(judged.root),
            findings: judged.findings,
        }
    }
}

/// The explanation as text.
pub(super) fn shown(explanation: &Explanation) -> String {
    let mut out = String::new();
    if let Some(finding) = &explanation.finding {
        let _ = writeln!(
            out,
            "{}  {}  {}\n      rule {}: {}",
            finding.severity,
            finding.id,
            printable(&finding.title),
            printable(&finding.rule),
            printable(&finding.reason),
        );
    }
    if let Some(case) = &explanation.judged {
        let more = [
            case.reason.as_ref().map(|reason| format!(" ({reason})")),
            case.root
                .as_ref()
                .map(|root| format!(", follows from {root}")),
            (!case.rules.is_empty())
                .then(|| format!(", explained by {}", printable(&case.rules.join(", ")))),
            (!case.findings.is_empty()).then(|| format!(", in {}", case.findings.join(", "))),
        ];
        let _ = writeln!(
            out,
            "{} {} of {}: {} at {}, {}{}",
            case.subject,
            case.id,
            printable(&case.charger),
            printable(&case.action),
            case.at,
            case.outcome,
            more.into_iter().flatten().collect::<String>(),
        );
    }
    if explanation.differences.is_empty() {
        out.push_str("no field differs that rules decide about\n");
    }
    for place in &explanation.differences {
        shown_at(&mut out, place);
    }
    out
}

fn shown_at(out: &mut String, place: &Place) {
    let value = |value: &Option<String>| match value {
        Some(value) => printable(value),
        None => "(absent)".to_owned(),
    };
    let pointer = match place.pointer.as_str() {
        "" => "the whole".to_owned(),
        pointer => printable(pointer),
    };
    let verdict = if place.explained {
        "~ explained".to_owned()
    } else {
        format!("x {}", place.severity)
    };
    let _ = writeln!(
        out,
        "\n{pointer} {kind}: {verdict}\n  authority {authority}\n  shadow    {shadow}\n  decided   {rule}",
        kind = place.kind,
        authority = value(&place.authority),
        shadow = value(&place.shadow),
        rule = standing(&place.decided.id, &place.decided.file, place.decided.line),
    );
    let _ = writeln!(
        out,
        "            {}: {}",
        place.decided.compare,
        printable(&place.decided.reason)
    );
    for tried in &place.tried {
        let _ = writeln!(
            out,
            "  not       {}: {}",
            standing(&tried.id, &tried.file, tried.line),
            printable(&tried.why)
        );
    }
}

fn standing(id: &str, file: &str, line: usize) -> String {
    let line = if line == 0 {
        String::new()
    } else {
        format!(" line {line}")
    };
    format!("{} ({}{line})", printable(id), printable(file))
}

fn printable(text: &str) -> String {
    crate::cli::printable(text)
}
