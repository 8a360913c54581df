//! What a step expects: of each backend, of both, and what it captures.

use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::Names;
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

fn number(value: &Placed<'_>) -> Result<Value, Mistake> {
    match value.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) => json(value),
        _ => Err(unfit(value, "a number")),
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
        "not comparable" => Ok(Parity::NotComparable(word.span())),
        "any" => Ok(Parity::Any),
        other => {
            let what = format!("parity cannot be {other:?}");
            let help = "write \"agrees\", \"equal\", \"explained\", \"not comparable\" or \"any\"; an expected divergence is named by `differs`";
            Err(Mistake::new(word.span(), what, "unknown word", help))
        }
    }
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
