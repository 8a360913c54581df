//! `evenkeel diffs --explain ID`: which rule decided, and why no other did.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::error::{CliError, Exit};
use crate::facts;
use crate::judge::Rules;
use crate::ledger::query::{Finding, Judged, Reader};
use crate::ledger::row::Subject;
use crate::ledger::views;
use crate::ocpp::Severity;
use crate::report::explain::{Place, places};
use crate::report::printable;

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
