//! Actions and paths in rule files: whether there are such.

use similar::TextDiff;
use toml::Spanned;

use super::{Problem, problem};
use crate::judge::rules::Part;
use crate::ocpp::Version;
use crate::ocpp::actions::{self, Action, Side};

/// One text or several, of a key that may hold either.
pub(super) fn texts(value: &Spanned<toml::Value>, what: &str) -> Result<Vec<String>, Problem> {
    let texts = match value.get_ref() {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Array(texts) if !texts.is_empty() => texts
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    texts.ok_or_else(|| {
        problem(
            value.span(),
            format!("{what} is not a text"),
            "one text in quotes, or several in brackets",
        )
    })
}

pub(super) fn paths(value: &Spanned<toml::Value>) -> Result<Vec<String>, Problem> {
    let paths = texts(value, "path")?;
    for path in &paths {
        if !path.is_empty() && !path.starts_with('/') {
            return Err(problem(
                value.span(),
                format!("path {path:?} is not a JSON pointer"),
                "begin with a slash, as in \"/idTagInfo/status\"; \"\" is the whole",
            ));
        }
        let escapes = path.split('~').skip(1);
        if path.ends_with('/') || path.contains("//") {
            return Err(problem(
                value.span(),
                format!("path {path:?} has an empty step"),
                "name a member or * between two slashes, as in \"/chargingSchedule/*/id\"",
            ));
        }
        if escapes
            .into_iter()
            .any(|rest| !rest.starts_with(['0', '1']))
        {
            return Err(problem(
                value.span(),
                format!("path {path:?} has a ~ that escapes nothing"),
                "in a JSON pointer ~0 stands for ~ and ~1 for a slash (RFC 6901)",
            ));
        }
        if let Some(index) = path
            .split('/')
            .find(|step| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(problem(
                value.span(),
                format!("path {path:?} names the array element {index}"),
                "write * for every element; a rule cannot be for one of them",
            ));
        }
    }
    Ok(paths)
}

/// The actions of a rule, each of which must exist and be sent by whom the rule's part is about.
pub(super) fn named(
    value: &Spanned<toml::Value>,
    part: Part,
    versions: &[Version],
) -> Result<Vec<String>, Problem> {
    let names = texts(value, "action")?;
    if names == ["*"] {
        return Ok(Vec::new());
    }
    let side = match part {
        Part::Command => Side::Csms,
        Part::Request | Part::Answer => Side::Charger,
    };
    let versions = if versions.is_empty() {
        &Version::ALL[..]
    } else {
        versions
    };
    let known = || versions.iter().flat_map(|version| actions::all(*version));
    for name in &names {
        let found: Vec<&Action> = known().filter(|action| action.name == name).collect();
        if found.is_empty() {
            return Err(problem(
                value.span(),
                format!("unknown action {name:?}{}", of(versions)),
                &suggestion(name),
            ));
        }
        if !found.iter().any(|action| action.sender.allows(side)) {
            let (sent, part) = match side {
                Side::Csms => ("chargers", "answer"),
                Side::Charger => ("backends", "command"),
            };
            return Err(problem(
                value.span(),
                format!("{name} is sent by {sent} only"),
                &format!("part = {part:?}, or another action"),
            ));
        }
    }
    Ok(names)
}

fn of(versions: &[Version]) -> String {
    if versions.len() == Version::ALL.len() {
        return String::new();
    }
    let numbers: Vec<_> = versions.iter().map(|version| version.number()).collect();
    format!(" of {}", numbers.join(" and "))
}

/// The action that was probably meant.
fn suggestion(name: &str) -> String {
    let likeness = |action: &&Action| TextDiff::from_chars(action.name, name).ratio();
    let all = Version::ALL.into_iter().flat_map(actions::all);
    let nearest = all.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest.map_or_else(String::new, |action| {
        let versions = action.versions.iter().map(|version| version.number());
        format!(
            "did you mean {:?} ({})? \"*\" is for all",
            action.name,
            versions.collect::<Vec<_>>().join(", ")
        )
    })
}
