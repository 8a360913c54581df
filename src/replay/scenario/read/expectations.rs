//! What a step expects: of each backend, of both, and what it captures.

use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::Names;
use crate::judge::tree::decimal;
use crate::ledger::row::Reason;
use crate::replay::scenario::expect::{ERROR, Expected, Wants, pointer};
use crate::replay::scenario::model::{Capture, Parity, Terms};
use crate::replay::scenario::text::{Mistake, Placed, Section, json, listed};
use crate::replay::scenario::variables::{BUILT_IN, is_name};

/// Keys that every step takes which expects something.
pub(super) const KEYS: [&str; 6] = [
    "expect",
    "legacy",
    "candidate",
    "capture",
    "parity",
    "differs",
];

const CONDITIONS: [&str; 5] = ["one_of", "present", "min", "max", "contains"];

/// What a step expects.
pub(super) fn terms(section: &Section<'_>, names: &mut Names) -> Result<Terms, Mistake> {
    let both = expected(section, "expect", names)?;
    let with = |own: Vec<Expected>| both.iter().cloned().chain(own).collect();
    let terms = Terms {
        legacy: with(expected(section, "legacy", names)?),
        candidate: with(expected(section, "candidate", names)?),
        captures: captures(section)?,
        parity: parity(section)?,
    };
    for capture in &terms.captures {
        names.learn(&capture.name);
    }
    Ok(terms)
}

fn expected(section: &Section<'_>, key: &str, names: &Names) -> Result<Vec<Expected>, Mistake> {
    let Some(table) = section.section(key, "an expectation")? else {
        return Ok(Vec::new());
    };
    let mut found: Vec<Expected> = Vec::new();
    for (path, key, value) in table.entries() {
        let span = key.start..value.span().end;
        let wants = wants(value, names)?;
        found.push(Expected {
            path: path.to_owned(),
            wants,
            span,
        });
    }
    found.sort_by_key(|expected| expected.span.start);
    Ok(found)
}

/// A value that must be there, or a table that says more.
fn wants(value: &Placed<'_>, names: &Names) -> Result<Wants, Mistake> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return Ok(Wants::Is(names.template(value)?));
    }
    let section = Section::of(value, "a condition")?;
    let strangers = section
        .entries()
        .find(|(key, ..)| !CONDITIONS.contains(key));
    if let Some((key, span, _)) = strangers {
        let what = format!("no condition `{key}`");
        let help = format!(
            "a condition is {}; a member of an object is named by its path, as \"idTagInfo.status\"",
            listed(&CONDITIONS)
        );
        return Err(Mistake::new(span, what, "unknown", help));
    }
    one_kind(&section)?;
    let bound = |key| section.get(key).map(number).transpose();
    match (section.get("one_of"), section.get("present")) {
        (Some(values), _) => match names.template(values)? {
            Value::Array(values) => Ok(Wants::OneOf(values)),
            _ => Err(unfit(values, "a list of values")),
        },
        (_, Some(flag)) => match flag.get_ref() {
            DeValue::Boolean(flag) => Ok(Wants::Present(*flag)),
            _ => Err(unfit(flag, "true or false")),
        },
        _ => match section.plain("contains")? {
            Some(part) => Ok(Wants::Contains(part)),
            None => Ok(Wants::Range(bound("min")?, bound("max")?)),
        },
    }
}

/// Complains of the second condition at one place: only a range has two ends.
fn one_kind(section: &Section<'_>) -> Result<(), Mistake> {
    let kind = |key: &str| if key == "max" { "min" } else { key }.to_owned();
    let mut keys: Vec<_> = section
        .entries()
        .map(|(key, span, _)| (span, key))
        .collect();
    keys.sort_by_key(|(span, _)| span.start);
    let Some((_, first)) = keys.first() else {
        return Ok(());
    };
    let Some((span, other)) = keys.iter().find(|(_, key)| kind(key) != kind(first)) else {
        return Ok(());
    };
    let what = format!("`{first}` and `{other}` exclude each other");
    let help = "a place has one condition; `min` and `max` together are one";
    Err(Mistake::new(span.clone(), what, "one of the two", help))
}

fn number(value: &Placed<'_>) -> Result<Value, Mistake> {
    if !matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_)) {
        return Err(unfit(value, "a number"));
    }
    let bound = json(value)?;
    let is_comparable = decimal(&bound.to_string()).is_some();
    is_comparable
        .then_some(bound)
        .ok_or_else(|| unfit(value, "a number of at most 28 digits"))
}

/// Complains of what is expected of a message that nobody answers.
pub(super) fn no_answer(section: &Section<'_>, action: &str) -> Result<(), Mistake> {
    let places = KEYS.iter().filter_map(|key| section.place_of(key));
    match places.min_by_key(|span| span.start) {
        None => Ok(()),
        Some(span) => Err(Mistake::new(
            span,
            format!("nobody answers {action}"),
            "can never be met",
            "remove it: what is checked is that the candidate gets its copy",
        )),
    }
}

fn unfit(value: &Placed<'_>, takes: &str) -> Mistake {
    let what = format!("the condition takes {takes}");
    Mistake::new(
        value.span(),
        what,
        format!("not {takes}"),
        "see scenarios/README.md",
    )
}

fn captures(section: &Section<'_>) -> Result<Vec<Capture>, Mistake> {
    let Some(table) = section.section("capture", "a capture")? else {
        return Ok(Vec::new());
    };
    let mut captures = Vec::new();
    for (name, key, value) in table.entries() {
        let span = key.start..value.span().end;
        let DeValue::String(path) = value.get_ref() else {
            let help = format!("write for example  capture = {{ {name} = \"transactionId\" }}");
            return Err(Mistake::new(
                span,
                "a capture names a path",
                "not a path",
                help,
            ));
        };
        if !is_name(name) || BUILT_IN.contains(&name) || path == ERROR {
            let what = format!("`{name}` cannot be captured");
            let help = "a name is letters, digits, - and _, and none that is built in";
            return Err(Mistake::new(span, what, "no name", help));
        }
        captures.push(Capture {
            name: name.to_owned(),
            pointer: pointer(path),
            span,
        });
    }
    Ok(captures)
}

fn parity(section: &Section<'_>) -> Result<Parity, Mistake> {
    let word = section.text("parity")?;
    let places = section.texts("differs")?;
    let both = |word: &Spanned<&str>| {
        let what = "`parity` and `differs` exclude each other";
        let help =
            "`differs` names the places where the two must differ; everywhere else they agree";
        Mistake::new(word.span(), what, "one of the two", help)
    };
    let Some(word) = word else {
        if section.get("differs").is_some() && places.is_empty() {
            let span = section.place_of("differs").unwrap_or_default();
            let help = "name a path such as \"idTagInfo.status\"; \"\" is the whole";
            return Err(Mistake::new(
                span,
                "`differs` names no place",
                "empty",
                help,
            ));
        }
        let places = places.iter();
        let places: Vec<_> = places
            .map(|place| (pattern(place.get_ref()), place.span()))
            .collect();
        return Ok(if places.is_empty() {
            Parity::Agrees
        } else {
            Parity::Differs(places)
        });
    };
    if !places.is_empty() {
        return Err(both(&word));
    }
    match *word.get_ref() {
        "agrees" => Ok(Parity::Agrees),
        "equal" => Ok(Parity::Equal(word.span())),
        "explained" => Ok(Parity::Explained(word.span())),
        "not comparable" => Ok(Parity::NotComparable(None, word.span())),
        "any" => Ok(Parity::Any),
        other if reason(other).is_some() => Ok(Parity::NotComparable(reason(other), word.span())),
        other => {
            let what = format!("parity cannot be {other:?}");
            let help = "write \"agrees\", \"equal\", \"explained\", \"not comparable\" or \"any\"; an expected divergence is named by `differs`";
            Err(Mistake::new(word.span(), what, "unknown word", help))
        }
    }
}

/// The reason in `not comparable: REASON`: one that can be the doing of a scenario.
fn reason(word: &str) -> Option<Reason> {
    const KNOWN: [Reason; 7] = [
        Reason::Solicited,
        Reason::Synthetic,
        Reason::Simulated,
        Reason::Opaque,
        Reason::BothFailed,
        Reason::Repeat,
        Reason::Tainted,
    ];
    let named = word.strip_prefix("not comparable: ")?;
    KNOWN.into_iter().find(|reason| reason.word() == named)
}

/// A path as findings have it: `*` for each element of a list.
fn pattern(path: &str) -> String {
    pointer(path)
        .split('/')
        .map(|token| {
            let is_index = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
            if is_index { "*" } else { token }
        })
        .collect::<Vec<_>>()
        .join("/")
}
