//! Rules: how each field is compared, how bad a difference is, and why.
//!
//! Built-in rules are written in the TOML that users write. The first rule that matches decides: those of the user's
//! files first, then the built-in ones. A field that no rule names is compared exactly, at S4 (in a command, at what the
//! command weighs: every field says what the charger shall do); a rule on an object or array that compares exactly also covers what lies inside, unless a rule names that.

pub mod file;

mod matching;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::parity::Settings;
use super::tree::{Node, escape};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::ocpp::Severity;
use crate::ocpp::Version;

pub use file::RuleError;
use matching::Index;
pub use matching::{Explanation, Mismatch, Site};

/// Which text a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A charger's CALL.
    Request,
    /// A backend's answer to it.
    Answer,
    /// A CALL that a backend started.
    Command,
}

/// How two values are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparator {
    /// The same value; numbers by value. On objects and arrays: member by member.
    Exact,
    /// The same text but for case.
    CaseInsensitive,
    /// Numbers at most this far apart.
    Number(Decimal),
    /// Instants at most this far apart, µs.
    Instant(Micros),
    /// Instants at most this many days apart.
    Day(i64),
    /// A backend's clock: at most this far, µs, from the time at which the answer was heard, unless the authority's
    /// clock is off by as much.
    Clock(Micros),
    /// Arrays with the same elements in any order; an absent array is an empty one.
    Set,
    /// Arrays whose elements belong together when these members are equal.
    MapBy(Vec<String>),
    /// Both there or both absent.
    Presence,
    /// Identifiers: each backend has its own, see [`super::relations`].
    Relation,
    /// A configuration value, typed as it is written: truth values whatever their case, numbers by value, lists with
    /// commas element by element. On objects and arrays: member by member.
    Setting {
        /// Whether the order of a list says something.
        ordered: bool,
    },
    /// Addresses whose last part, the name of the file, is the same.
    FileName,
    /// PEM text: the same but for white space.
    Certificate,
    /// What a certificate authority answers about certificates (OCSP): the same states, whenever and however signed.
    Ocsp,
    /// Vendor content: equal as JSON if it is JSON (also JSON inside a string), else as text.
    Opaque,
    /// Not compared.
    Ignore,
}

/// How values are named in a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// By the value itself: statuses, intervals.
    Literal,
    /// By its JSON type only: names, texts, amounts.
    Kind,
}

/// A larger difference that is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escalation {
    /// Above this: seconds for instants and clocks, days for days, the plain number for numbers.
    pub above: Decimal,
    /// How bad it is then.
    pub severity: Severity,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name, unique within its file.
    pub id: String,
    /// The versions it is for; empty for all.
    pub versions: Vec<Version>,
    /// The actions it is for; empty for all.
    pub actions: Vec<String>,
    /// The text it is about.
    pub part: Part,
    /// JSON pointers, with `*` for every array element.
    pub paths: Vec<String>,
    /// How to compare.
    pub compare: Comparator,
    /// How bad a difference is.
    pub severity: Severity,
    /// For a whole command: how bad it is that only legacy sends it, if not `severity`.
    pub missing: Option<Severity>,
    /// For a whole command: how bad it is that only the candidate sends it, if not `severity`.
    pub extra: Option<Severity>,
    /// What an absent value means, as literal text.
    pub default: Option<String>,
    /// A worse severity for a larger difference.
    pub escalation: Option<Escalation>,
    /// Why, in a sentence.
    pub reason: String,
    /// How values are named in a finding.
    pub class: Class,
    /// If not empty, one of the two values must be one of these.
    pub values: Vec<String>,
    /// Members that the charger's request (or the command itself) must have, by pointer without its first slash; one of
    /// the texts, whatever its case. A pointer that begins with `*` starts at the array element that the site lies in.
    pub when: BTreeMap<String, Vec<String>>,
    /// Where it stands.
    pub origin: Origin,
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file's name.
    pub file: Arc<str>,
    /// Line, from 1; 0 for what stands in no file.
    pub line: usize,
}

/// The files of the built-in rules, in the order in which they are tried.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("builtin-1.6.toml", include_str!("rules/builtin-1.6.toml")),
    ("builtin-2.x.toml", include_str!("rules/builtin-2.x.toml")),
    ("builtin-2.1.toml", include_str!("rules/builtin-2.1.toml")),
];

/// An ordered set of rules.
#[derive(Debug, Clone)]
pub struct Rules {
    ordered: Vec<Rule>,
    index: Index,
    fallback: Rule,
    sessions: Settings,
    fingerprint: String,
}

impl Rules {
    /// The built-in rules alone.
    pub fn built_in() -> Result<Self, RuleError> {
        let mut rules = Vec::new();
        for (name, text) in BUILT_IN {
            rules.extend(file::parse(name, text)?);
        }
        let sessions = Settings::default();
        Ok(Self {
            fingerprint: fingerprint(&rules, &sessions),
            sessions,
            index: Index::of(&rules),
            ordered: rules,
            fallback: fallback(),
        })
    }

    /// These rules behind those of a user's file. `name` is how errors call the file.
    pub fn with_file(mut self, name: &str, text: &str) -> Result<Self, RuleError> {
        let mut rules = file::parse(name, text)?;
        rules.append(&mut self.ordered);
        self.fingerprint = fingerprint(&rules, &self.sessions);
        self.index = Index::of(&rules);
        self.ordered = rules;
        Ok(self)
    }

    /// These rules, and what the operator says about sessions and CDRs.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Settings) -> Self {
        self.fingerprint = fingerprint(&self.ordered, &sessions);
        self.sessions = sessions;
        self
    }

    /// What the operator says about sessions and CDRs.
    pub const fn sessions(&self) -> &Settings {
        &self.sessions
    }

    /// SHA-256 over the rules, what is said about sessions, and the program's version, in hex: ledgers with the same one can be continued.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// All rules in the order in which they are tried.
    pub fn all(&self) -> &[Rule] {
        &self.ordered
    }

    /// The rule for what no rule names: exact, S4.
    pub const fn fallback(&self) -> &Rule {
        &self.fallback
    }
}

/// What rules do, but not where they stand: a comment more in a file changes no judgement.
fn fingerprint(rules: &[Rule], sessions: &Settings) -> String {
    let mut hash = Sha256::new_with_prefix(env!("CARGO_PKG_VERSION"));
    for rule in rules {
        let rule = Rule {
            origin: Origin::nowhere(),
            ..rule.clone()
        };
        hash.update(format!("{rule:?}"));
    }
    hash.update(sessions.to_json().to_string());
    format!("{:x}", hash.finalize())
}

/// Name of the rule for what no rule names.
pub(super) const FALLBACK: &str = "unlisted";

fn fallback() -> Rule {
    Rule {
        id: FALLBACK.to_owned(),
        versions: Vec::new(),
        actions: Vec::new(),
        part: Part::Answer,
        paths: Vec::new(),
        compare: Comparator::Exact,
        severity: Severity::S4,
        missing: None,
        extra: None,
        default: None,
        escalation: None,
        reason: "no rule names this field".to_owned(),
        class: Class::Kind,
        values: Vec::new(),
        when: BTreeMap::new(),
        origin: Origin::nowhere(),
    }
}

impl Origin {
    fn nowhere() -> Self {
        Self {
            file: Arc::from("built-in"),
            line: 0,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl Comparator {
    /// The word that rule files use.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::CaseInsensitive => "case-insensitive",
            Self::Number(_) => "number",
            Self::Instant(_) => "instant",
            Self::Day(_) => "day",
            Self::Clock(_) => "clock",
            Self::Set => "set",
            Self::MapBy(_) => "map-by",
            Self::Presence => "presence",
            Self::Relation => "relation",
            Self::Setting { ordered: false } => "setting",
            Self::Setting { ordered: true } => "setting-ordered",
            Self::FileName => "file-name",
            Self::Certificate => "certificate",
            Self::Ocsp => "ocsp",
            Self::Opaque => "opaque",
            Self::Ignore => "ignore",
        }
    }
}

impl Rule {
    /// Whether what lies inside is compared by this rule too, unless a rule names it.
    pub(super) const fn covers_inside(&self) -> bool {
        matches!(
            self.compare,
            Comparator::Exact | Comparator::MapBy(_) | Comparator::Setting { .. }
        )
    }

    /// How bad it is that only `sender` sends the command that this rule is about.
    pub fn one_sided(&self, sender: Leg) -> Severity {
        let own = match sender {
            Leg::Legacy => self.missing,
            Leg::Candidate => self.extra,
        };
        own.unwrap_or(self.severity)
    }
}

/// A scalar as people write it: strings without quotes.
pub fn literal(node: &Node<'_>) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Number(text) | Node::Raw(text) => (*text).to_owned(),
        Node::Text(text) => text.clone().into_owned(),
        Node::Array(elements) => format!("[{}]", joined(elements.iter().map(spelled))),
        Node::Object(members) => format!(
            "{{{}}}",
            joined(members.iter().map(|(name, node)| format!(
                "{}:{}",
                quoted(name),
                spelled(node)
            )))
        ),
    }
}

/// A value as JSON spells it.
pub fn spelled(node: &Node<'_>) -> String {
    match node {
        Node::Text(text) => quoted(text),
        other => literal(other),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// A pointer with one more token.
pub(super) fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", escape(token))
}

impl Part {
    /// The word that rule files use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Command => "command",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: &str = r#"
[[rule]]
id = "mine"
versions = ["1.6"]
action = "BootNotification"
part = "answer"
path = "/interval"
compare = "number"
tolerance = 600
severity = "S4"
reason = "We asked for a longer interval."
"#;

    fn site<'a>(action: &'a str, path: &'a str) -> Site<'a> {
        Site {
            version: Version::V16,
            action,
            part: Part::Answer,
            path,
            authority: None,
            shadow: None,
            request: None,
            element: None,
        }
    }

    #[test]
    fn built_in_rules_are_sound_and_named_once() {
        let rules = Rules::built_in().unwrap();
        let mut ids: Vec<_> = rules.all().iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(count, ids.len());
        assert!(count > 50);
    }

    #[test]
    fn the_users_rule_comes_first_and_the_rest_is_explained() {
        let rules = Rules::built_in()
            .unwrap()
            .with_file("mine.toml", MINE)
            .unwrap();
        let found = rules.find(&site("BootNotification", "/interval")).unwrap();
        assert_eq!(found.id, "mine");
        let explanation = rules.explain(&site("BootNotification", "/status"));
        assert_eq!(explanation.tried[0].0.id, "mine");
        assert_eq!(explanation.tried[0].1.to_string(), "is for /interval");
        assert_eq!(
            explanation.decided.map(|rule| rule.severity),
            Some(Severity::S1)
        );
        assert_eq!(rules.explain(&site("Nothing", "/x")).decided, None);
    }

    #[test]
    fn values_and_request_decide_whether_a_rule_matches() {
        let rules = Rules::built_in().unwrap();
        let (accepted, blocked, expired) = (
            Node::Text("Accepted".into()),
            Node::Text("Blocked".into()),
            Node::Text("Expired".into()),
        );
        let mut site = site("Authorize", "/idTagInfo/status");
        site.authority = Some(&accepted);
        site.shadow = Some(&blocked);
        assert_eq!(
            rules.find(&site).map(|rule| rule.severity),
            Some(Severity::S1)
        );
        site.authority = Some(&expired);
        assert_eq!(
            rules.find(&site).map(|rule| rule.severity),
            Some(Severity::S4)
        );
    }
}
