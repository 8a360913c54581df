//! Rule files: TOML text to rules, with errors that say where and how to mend them.

mod names;

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::Deserialize;
use toml::Spanned;

use names::{named, paths, texts};

use super::{Class, Comparator, Escalation, Origin, Part, Rule};
use crate::ocpp::{Severity, Version};

const SECOND: i64 = 1_000_000;
const COMPARATORS: &str = "exact, case-insensitive, number, instant, clock, day, set, map-by, presence, relation, setting, \
    setting-ordered, file-name, certificate, ocsp, opaque, ignore";

/// Why a rule file cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}\n  help: {help}")]
pub struct RuleError {
    /// The file's name.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    #[serde(default)]
    versions: Vec<Spanned<String>>,
    action: Spanned<toml::Value>,
    part: Spanned<String>,
    path: Spanned<toml::Value>,
    compare: Spanned<String>,
    tolerance: Option<Spanned<toml::Value>>,
    key: Option<Spanned<Vec<String>>>,
    default: Option<Spanned<toml::Value>>,
    severity: Option<Spanned<String>>,
    missing: Option<Spanned<String>>,
    extra: Option<Spanned<String>>,
    escalate_above: Option<Spanned<toml::Value>>,
    escalate_to: Option<Spanned<String>>,
    reason: String,
    class: Option<Spanned<String>>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    when: BTreeMap<String, Spanned<toml::Value>>,
}

/// A problem at a place, before the place is turned into line and column.
struct Problem {
    at: Range<usize>,
    what: String,
    help: String,
}

/// Reads the rules in `text`; `name` is the file's name.
pub fn parse(name: &str, text: &str) -> Result<Vec<Rule>, RuleError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let problem = Problem {
            at: error.span().unwrap_or(0..0),
            what: error.message().replace('\n', ", "),
            help: "a rule is [[rule]] with id, action, part, path, compare, severity and reason"
                .to_owned(),
        };
        locate(name, text, problem)
    })?;
    let file_name: Arc<str> = Arc::from(name);
    let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
    for entry in file.rule {
        let at = entry.span();
        let id_at = entry.get_ref().id.span();
        let origin = Origin {
            file: Arc::clone(&file_name),
            line: line_of(text, at.start),
        };
        let rule = build(entry.into_inner(), &at, origin)
            .map_err(|problem| locate(name, text, problem))?;
        if rules.iter().any(|earlier| earlier.id == rule.id) {
            let twice = problem(
                id_at,
                format!("rule {:?} is there twice", rule.id),
                "give each rule of a file its own id",
            );
            return Err(locate(name, text, twice));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn build(entry: Entry, at: &Range<usize>, origin: Origin) -> Result<Rule, Problem> {
    let compare = comparator(&entry, at)?;
    let severity = match &entry.severity {
        Some(word) => severity(word)?,
        None if compare == Comparator::Ignore => Severity::S4,
        None => {
            return Err(problem(
                at.clone(),
                format!("rule {:?} has no severity", entry.id.get_ref()),
                "add severity = \"S1\" (S0 is the worst, S4 is cosmetic)",
            ));
        }
    };
    let part = part(&entry.part)?;
    let versions = versions(&entry.versions)?;
    let paths = paths(&entry.path)?;
    for one_sided in [&entry.missing, &entry.extra].into_iter().flatten() {
        if part != Part::Command || paths.iter().any(|path| !path.is_empty()) {
            return Err(problem(
                one_sided.span(),
                "missing and extra are about a whole command".to_owned(),
                "they go with part = \"command\" and path = \"\"",
            ));
        }
    }
    Ok(Rule {
        actions: named(&entry.action, part, &versions)?,
        versions,
        part,
        paths,
        escalation: escalation(&entry, at)?,
        class: class(entry.class.as_ref())?,
        compare,
        severity,
        missing: entry.missing.as_ref().map(self::severity).transpose()?,
        extra: entry.extra.as_ref().map(self::severity).transpose()?,
        default: entry.default.as_ref().map(scalar).transpose()?,
        id: entry.id.into_inner(),
        reason: entry.reason,
        values: entry.values,
        when: when(entry.when)?,
        origin,
    })
}

/// A scalar as it is written in JSON, strings without quotes.
fn scalar(value: &Spanned<toml::Value>) -> Result<String, Problem> {
    match value.get_ref() {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(truth) => Ok(truth.to_string()),
        _ => Err(problem(
            value.span(),
            "default is not a text, a whole number or a truth value".to_owned(),
            "as in default = \"Actual\": what a value that is not there means",
        )),
    }
}

fn comparator(entry: &Entry, at: &Range<usize>) -> Result<Comparator, Problem> {
    let tolerance = entry.tolerance.as_ref().map(number).transpose()?;
    let word = entry.compare.get_ref().as_str();
    let takes_tolerance = matches!(word, "number" | "instant" | "clock" | "day");
    if let (Some(given), false) = (&entry.tolerance, takes_tolerance) {
        return Err(problem(
            given.span(),
            format!("compare = {word:?} takes no tolerance"),
            "only number, instant, clock and day do",
        ));
    }
    if let (Some(given), true) = (&entry.key, word != "map-by") {
        return Err(problem(
            given.span(),
            format!("compare = {word:?} takes no key"),
            "only map-by does",
        ));
    }
    if let (Some(given), false) = (&entry.escalate_above, takes_tolerance) {
        return Err(problem(
            given.span(),
            format!("compare = {word:?} knows no larger difference"),
            "only number, instant, clock and day do",
        ));
    }
    let micros = || {
        let micros = tolerance
            .unwrap_or_default()
            .checked_mul(Decimal::from(SECOND));
        micros.unwrap_or(Decimal::MAX)
    };
    Ok(match word {
        "exact" => Comparator::Exact,
        "case-insensitive" => Comparator::CaseInsensitive,
        "number" => Comparator::Number(tolerance.unwrap_or_default()),
        "instant" => Comparator::Instant(whole(micros())),
        "clock" => Comparator::Clock(whole(micros())),
        "day" => Comparator::Day(tolerance.map_or(1, whole)),
        "set" => Comparator::Set,
        "map-by" => Comparator::MapBy(key(entry, at)?),
        "presence" => Comparator::Presence,
        "relation" => Comparator::Relation,
        "setting" => Comparator::Setting { ordered: false },
        "setting-ordered" => Comparator::Setting { ordered: true },
        "file-name" => Comparator::FileName,
        "certificate" => Comparator::Certificate,
        "ocsp" => Comparator::Ocsp,
        "opaque" => Comparator::Opaque,
        "ignore" => Comparator::Ignore,
        other => {
            return Err(problem(
                entry.compare.span(),
                format!("unknown comparator {other:?}"),
                &format!("one of {COMPARATORS}"),
            ));
        }
    })
}

fn key(entry: &Entry, at: &Range<usize>) -> Result<Vec<String>, Problem> {
    let key = entry.key.as_ref().map(Spanned::get_ref);
    key.filter(|key| !key.is_empty()).cloned().ok_or_else(|| {
        problem(
            at.clone(),
            "compare = \"map-by\" has no key".to_owned(),
            "add key = [\"idTag\"]: the members that tell which elements belong together",
        )
    })
}

fn escalation(entry: &Entry, at: &Range<usize>) -> Result<Option<Escalation>, Problem> {
    match (&entry.escalate_above, &entry.escalate_to) {
        (Some(above), Some(to)) => Ok(Some(Escalation {
            above: number(above)?,
            severity: severity(to)?,
        })),
        (None, None) => Ok(None),
        _ => Err(problem(
            at.clone(),
            "escalate_above and escalate_to go together".to_owned(),
            "as in escalate_above = 60, escalate_to = \"S2\"",
        )),
    }
}

/// A text, or several of which one must be there.
fn when(
    conditions: BTreeMap<String, Spanned<toml::Value>>,
) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    conditions
        .into_iter()
        .map(|(name, value)| {
            let texts = texts(&value, &format!("condition {name}")).map_err(|problem| Problem {
                help: "as in when = { vendorId = \"ACME\" }, or several in brackets".to_owned(),
                ..problem
            })?;
            if name.split('/').any(str::is_empty) {
                return Err(problem(
                    value.span(),
                    format!("condition {name:?} has an empty step"),
                    "name members from the outside in, as in \"idToken/type\"; \"*/variable/name\" is of the same element",
                ));
            }
            Ok((name, texts))
        })
        .collect()
}

fn versions(words: &[Spanned<String>]) -> Result<Vec<Version>, Problem> {
    words
        .iter()
        .map(|word| {
            Version::from_number(word.get_ref()).ok_or_else(|| {
                problem(
                    word.span(),
                    format!("unknown version {:?}", word.get_ref()),
                    "one of 1.6, 2.0.1, 2.1",
                )
            })
        })
        .collect()
}

fn part(word: &Spanned<String>) -> Result<Part, Problem> {
    [Part::Request, Part::Answer, Part::Command]
        .into_iter()
        .find(|part| part.word() == word.get_ref())
        .ok_or_else(|| {
            problem(
                word.span(),
                format!("unknown part {:?}", word.get_ref()),
                "one of answer, request, command",
            )
        })
}

fn class(word: Option<&Spanned<String>>) -> Result<Class, Problem> {
    let Some(word) = word else {
        return Ok(Class::Kind);
    };
    match word.get_ref().as_str() {
        "literal" => Ok(Class::Literal),
        "kind" => Ok(Class::Kind),
        other => Err(problem(
            word.span(),
            format!("unknown class {other:?}"),
            "literal (the value itself) or kind (its type)",
        )),
    }
}

fn severity(word: &Spanned<String>) -> Result<Severity, Problem> {
    word.get_ref().parse().map_err(|_| {
        problem(
            word.span(),
            format!("unknown severity {:?}", word.get_ref()),
            "one of S0, S1, S2, S3, S4",
        )
    })
}

fn number(value: &Spanned<toml::Value>) -> Result<Decimal, Problem> {
    let text = match value.get_ref() {
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        other => other.to_string(),
    };
    Decimal::from_str(&text)
        .ok()
        .filter(|number| !number.is_sign_negative())
        .ok_or_else(|| {
            problem(
                value.span(),
                format!("{text} is not a number from 0"),
                "seconds for instants and clocks, days for day, the plain number for number",
            )
        })
}

fn whole(number: Decimal) -> i64 {
    i64::try_from(number.trunc()).unwrap_or(i64::MAX)
}

fn problem(at: Range<usize>, what: String, help: &str) -> Problem {
    Problem {
        at,
        what,
        help: help.to_owned(),
    }
}

/// The line of a byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.matches('\n').count() + 1
}

fn locate(file: &str, text: &str, problem: Problem) -> RuleError {
    let before = text.get(..problem.at.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    RuleError {
        file: file.to_owned(),
        line: line_of(text, problem.at.start),
        column: before[line_start..].chars().count() + 1,
        problem: problem.what,
        help: problem.help,
    }
}

#[cfg(test)]
mod tests;
