//! Which rule decides at a place where two texts differ, and why the others do not.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::{Part, Rule, Rules, joined, literal};
use crate::judge::tree::{Node, same_number};
use crate::ocpp::Version;

/// A place where two texts differ.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The OCPP version.
    pub version: Version,
    /// The action.
    pub action: &'a str,
    /// Which text.
    pub part: Part,
    /// JSON pointer into it with `*` for array indexes.
    pub path: &'a str,
    /// The authority's value.
    pub authority: Option<&'a Node<'a>>,
    /// The shadow's value.
    pub shadow: Option<&'a Node<'a>>,
    /// What `when` conditions look at.
    pub request: Option<&'a Node<'a>>,
    /// The innermost array element that the place is or lies in.
    pub element: Option<&'a Node<'a>>,
}

/// Why a rule does not apply to a site. Borrowed from the rule: most rules are only passed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch<'r> {
    /// It is about another kind of text.
    Part(Part),
    /// It is for other versions.
    Version(&'r [Version]),
    /// It is for other actions.
    Action(&'r [String]),
    /// It is for other paths.
    Path(&'r [String]),
    /// Neither value is one of its values.
    Values(&'r [String]),
    /// The request lacks this member, or has none of these values there.
    When(&'r str, &'r [String]),
}

/// Which rule decides at a site, and why no earlier one did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'r> {
    /// The rule that decides; `None` when the default (exact, S4) does.
    pub decided: Option<&'r Rule>,
    /// The rules before it, each with the reason why it does not match.
    pub tried: Vec<(&'r Rule, Mismatch<'r>)>,
}

/// A condition on its way to its value: the rest of its pointer, and the texts.
type Condition<'r> = (&'r str, &'r [String]);

/// Which rules may be about an action, by their places and in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    by_action: HashMap<String, Vec<usize>>,
    /// For actions that no rule names.
    general: Vec<usize>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let places = |is_for: &dyn Fn(&Rule) -> bool| {
            let rules = rules.iter().enumerate();
            let chosen = rules.filter(|(_, rule)| rule.actions.is_empty() || is_for(rule));
            chosen.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let named: BTreeSet<&String> = rules.iter().flat_map(|rule| &rule.actions).collect();
        let by_action = named
            .into_iter()
            .map(|action| {
                (
                    action.clone(),
                    places(&|rule| rule.actions.contains(action)),
                )
            })
            .collect();
        Self {
            by_action,
            general: places(&|_| false),
        }
    }

    fn of_action(&self, action: &str) -> &[usize] {
        self.by_action.get(action).unwrap_or(&self.general)
    }
}

impl Rules {
    /// The rule that names this site.
    pub fn find(&self, site: &Site<'_>) -> Option<&Rule> {
        self.index
            .of_action(site.action)
            .iter()
            .map(|at| &self.ordered[*at])
            .find(|rule| rule.mismatch(site).is_none())
    }

    /// Whether a rule that may be about this action has a condition on the request.
    pub(in crate::judge) fn look_into_requests(&self, action: &str) -> bool {
        let mut rules = self.index.of_action(action).iter();
        rules.any(|at| {
            let mut conditions = self.ordered[*at].when.keys();
            conditions.any(|name| !name.starts_with("*/"))
        })
    }

    /// Which rule decides at a site and why each earlier one does not match.
    pub fn explain(&self, site: &Site<'_>) -> Explanation<'_> {
        let mut tried = Vec::new();
        for rule in &self.ordered {
            match rule.mismatch(site) {
                Some(mismatch) => tried.push((rule, mismatch)),
                None => {
                    return Explanation {
                        decided: Some(rule),
                        tried,
                    };
                }
            }
        }
        Explanation {
            decided: None,
            tried,
        }
    }

    /// Rules that can never decide, each with the earlier rule that decides in its stead, or `None` for one that is
    /// about what is not compared.
    pub fn unused(&self) -> Vec<(&Rule, Option<&Rule>)> {
        let mut unused = Vec::new();
        for (at, rule) in self.ordered.iter().enumerate() {
            let earlier = self.ordered[..at].iter().find(|other| other.covers(rule));
            if rule.part == Part::Request || earlier.is_some() {
                unused.push((rule, earlier));
            }
        }
        unused
    }
}

impl Rule {
    /// Why this rule does not apply at `site`; `None` if it does.
    pub fn mismatch(&self, site: &Site<'_>) -> Option<Mismatch<'_>> {
        let is_for = |names: &[String], name: &str| names.iter().any(|other| other == name);
        if !self.actions.is_empty() && !is_for(&self.actions, site.action) {
            return Some(Mismatch::Action(&self.actions));
        }
        if !is_for(&self.paths, site.path) {
            return Some(Mismatch::Path(&self.paths));
        }
        if self.part != site.part {
            return Some(Mismatch::Part(self.part));
        }
        if !self.versions.is_empty() && !self.versions.contains(&site.version) {
            return Some(Mismatch::Version(&self.versions));
        }
        let listed =
            |node: Option<&Node<'_>>| node.is_some_and(|node| is_one_of(node, &self.values));
        if !self.values.is_empty() && !listed(site.authority) && !listed(site.shadow) {
            return Some(Mismatch::Values(&self.values));
        }
        self.unmet(site)
    }

    /// The first condition that does not hold.
    fn unmet(&self, site: &Site<'_>) -> Option<Mismatch<'_>> {
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        for (name, texts) in &self.when {
            let (root, conditions, pointer) = match name.strip_prefix("*/") {
                Some(pointer) => (site.element, &mut inner, pointer),
                None => (site.request, &mut outer, name.as_str()),
            };
            conditions.push((pointer, texts.as_slice()));
            // Conditions on the elements of one array must hold for the same element.
            if !root.is_some_and(|root| hold(root, conditions)) {
                return Some(Mismatch::When(name, texts));
            }
        }
        None
    }

    /// Whether this rule matches wherever `other` does.
    fn covers(&self, other: &Self) -> bool {
        let all =
            |mine: &[String], theirs: &[String]| theirs.iter().all(|name| mine.contains(name));
        let versions = self.versions.is_empty()
            || (!other.versions.is_empty()
                && other.versions.iter().all(|v| self.versions.contains(v)));
        let actions = self.actions.is_empty()
            || (!other.actions.is_empty() && all(&self.actions, &other.actions));
        let values = self.values.is_empty()
            || (!other.values.is_empty() && all(&self.values, &other.values));
        let when = (self.when.iter()).all(|(name, texts)| {
            other
                .when
                .get(name)
                .is_some_and(|theirs| all(texts, theirs))
        });
        self.part == other.part
            && all(&self.paths, &other.paths)
            && versions
            && actions
            && values
            && when
    }
}

/// Whether a node is one of the texts: numbers by value, the rest whatever its case.
fn is_one_of(node: &Node<'_>, texts: &[String]) -> bool {
    if let Node::Number(number) = node {
        return texts.iter().any(|text| same_number(number, text));
    }
    let literal = literal(node);
    texts.iter().any(|text| text.eq_ignore_ascii_case(&literal))
}

/// Whether all conditions hold at `node`; behind a `*`, for one and the same element.
fn hold(node: &Node<'_>, conditions: &[Condition<'_>]) -> bool {
    let mut rest: Vec<Condition<'_>> = Vec::new();
    for (pointer, texts) in conditions {
        if pointer.is_empty() {
            if !is_one_of(node, texts) {
                return false;
            }
        } else {
            rest.push((pointer, texts));
        }
    }
    while let Some((pointer, _)) = rest.first() {
        let step = pointer.split('/').next().unwrap_or_default();
        let (here, other): (Vec<_>, Vec<_>) = rest
            .iter()
            .partition(|(pointer, _)| pointer.split('/').next() == Some(step));
        let behind: Vec<Condition<'_>> = here
            .iter()
            .map(|(pointer, texts)| (pointer[step.len()..].trim_start_matches('/'), *texts))
            .collect();
        let held = match (step, node) {
            ("*", Node::Array(elements)) => elements.iter().any(|element| hold(element, &behind)),
            _ => (node.at(&format!("/{step}"))).is_some_and(|member| hold(member, &behind)),
        };
        if !held {
            return false;
        }
        rest = other;
    }
    true
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(part) => write!(f, "is about the {}", part.word()),
            Self::Version(versions) => {
                write!(
                    f,
                    "is for {}",
                    joined(versions.iter().map(Version::to_string))
                )
            }
            Self::Action(actions) => write!(f, "is for {}", actions.join(", ")),
            Self::Path(paths) => {
                let named = |path: &String| match path.as_str() {
                    "" => "the whole".to_owned(),
                    path => path.to_owned(),
                };
                let paths: Vec<_> = paths.iter().map(named).collect();
                write!(f, "is for {}", paths.join(", "))
            }
            Self::Values(values) => write!(f, "needs one of {}", values.join(", ")),
            Self::When(name, texts) => match name.strip_prefix("*/") {
                Some(name) => write!(f, "needs {name} = {} beside it", texts.join(" or ")),
                None => write!(f, "needs {name} = {} in the request", texts.join(" or ")),
            },
        }
    }
}
