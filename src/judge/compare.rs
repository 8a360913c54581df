//! Two JSON texts side by side: what differs, which rule decides, and whether it explains the difference.

mod ocsp;
mod trace;
mod values;

use super::rules::{Class, Comparator, Part, Rule, Rules, Site, child, literal};
use super::tree::Node;
use crate::clock::Micros;
use crate::ocpp::Severity;
use crate::ocpp::Version;
use trace::Trace;
use values::Weighed;

pub use trace::{Tried, explain, tried_for_whole};

/// Longest value that a finding or a view quotes, in characters.
const QUOTED: usize = 80;

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Same type, other value.
    Value,
    /// Other JSON type.
    Type,
    /// The authority has it, the shadow does not.
    Missing,
    /// The shadow has it, the authority does not.
    Extra,
    /// Same elements in another order.
    Order,
    /// One text is not JSON.
    Unreadable,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference<'r> {
    /// JSON pointer into the texts. Behind a `map-by` array, indexes are the authority's (the shadow's for extras).
    pub pointer: String,
    /// The same with `*` for array indexes.
    pub path: String,
    /// What kind.
    pub kind: Kind,
    /// The authority's value as people write it, shortened; `None` if absent.
    pub authority: Option<String>,
    /// The shadow's value.
    pub shadow: Option<String>,
    /// The authority's value class.
    pub authority_class: String,
    /// The shadow's value class.
    pub shadow_class: String,
    /// The rule that decided.
    pub rule: &'r Rule,
    /// How bad it is, if divergent.
    pub severity: Severity,
    /// Whether the rule explains it.
    pub explained: bool,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The OCPP version.
    pub version: Version,
    /// The action.
    pub action: &'a str,
    /// Which text.
    pub part: Part,
    /// The charger's request, or the command itself: what `when` conditions look at.
    pub request: &'a str,
    /// When the authority's and the shadow's text were heard, µs: what clocks are held against.
    pub heard: Option<(Micros, Micros)>,
}

impl<'a> Context<'a> {
    /// The request, if a rule for this action looks into it.
    fn read_request(&self, rules: &Rules) -> Option<Node<'a>> {
        let asked = rules.look_into_requests(self.action);
        asked.then(|| Node::parse(self.request).ok()).flatten()
    }
}

/// All differences between two payload texts, in the order of the authority's members. Equal bytes cost nothing.
pub fn compare<'r>(
    rules: &'r Rules,
    context: &Context<'_>,
    authority: &str,
    shadow: &str,
) -> Vec<Difference<'r>> {
    if authority == shadow {
        return Vec::new();
    }
    let (Ok(ours), Ok(theirs)) = (payload(authority), payload(shadow)) else {
        return vec![unreadable(rules, authority, shadow)];
    };
    let request = context.read_request(rules);
    let mut walk = Walk {
        rules,
        context,
        request: request.as_ref(),
        found: Vec::new(),
        trace: None,
    };
    walk.pair(&Place::default(), Some(&ours), Some(&theirs), None);
    walk.found
}

/// A payload; `null` is `{}` (OCPP-J 1.6 section 4.2.1).
fn payload(text: &str) -> Result<Node<'_>, crate::ocpp::json::SyntaxError> {
    Node::parse(text).map(|node| match node {
        Node::Null => Node::Object(Vec::new()),
        other => other,
    })
}

fn unreadable<'r>(rules: &'r Rules, authority: &str, shadow: &str) -> Difference<'r> {
    let class = |text| match payload(text) {
        Ok(node) => node.type_word(),
        Err(_) => "unreadable",
    };
    Difference {
        pointer: String::new(),
        path: String::new(),
        kind: Kind::Unreadable,
        authority: Some(shorten(authority)),
        shadow: Some(shorten(shadow)),
        authority_class: class(authority).to_owned(),
        shadow_class: class(shadow).to_owned(),
        rule: rules.fallback(),
        severity: Severity::S2,
        explained: false,
    }
}

#[derive(Default)]
struct Place<'n> {
    pointer: String,
    path: String,
    /// The innermost array element that it is or lies in; the authority's, if it has one.
    element: Option<&'n Node<'n>>,
}

impl<'n> Place<'n> {
    fn member(&self, name: &str) -> Self {
        Self {
            pointer: child(&self.pointer, name),
            path: child(&self.path, name),
            element: self.element,
        }
    }

    fn element(&self, index: usize, element: Option<&'n Node<'n>>) -> Self {
        Self {
            pointer: format!("{}/{index}", self.pointer),
            path: format!("{}/*", self.path),
            element,
        }
    }
}

struct Walk<'a, 'r> {
    rules: &'r Rules,
    context: &'a Context<'a>,
    request: Option<&'a Node<'a>>,
    found: Vec<Difference<'r>>,
    /// Told of each place that a rule is looked for, where someone asks.
    trace: Option<&'a mut Vec<Trace<'r>>>,
}

impl<'r> Walk<'_, 'r> {
    fn pair<'n>(
        &mut self,
        place: &Place<'n>,
        ours: Option<&'n Node<'n>>,
        theirs: Option<&'n Node<'n>>,
        inherited: Option<&'r Rule>,
    ) {
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours.same(theirs)
        {
            return;
        }
        let site = Site {
            version: self.context.version,
            action: self.context.action,
            part: self.context.part,
            path: &place.path,
            authority: ours,
            shadow: theirs,
            request: self.request,
            element: place.element,
        };
        let named = self.rules.find(&site);
        let rule = named.or(inherited).unwrap_or_else(|| self.rules.fallback());
        if let Some(trace) = &mut self.trace {
            trace.push(Trace::of(self.rules, &site, &place.pointer, rule));
        }
        let covering = named.filter(|rule| rule.covers_inside()).or(inherited);
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            self.one_sided(place, ours, theirs, rule);
            return;
        };
        match (&rule.compare, ours, theirs) {
            (
                Comparator::Exact | Comparator::MapBy(_) | Comparator::Setting { .. },
                Node::Object(_),
                Node::Object(_),
            ) => {
                self.members(place, ours, theirs, covering);
            }
            (Comparator::Exact | Comparator::Setting { .. }, Node::Array(a), Node::Array(b)) => {
                self.elements(place, (ours, theirs), a, b, (rule, covering));
            }
            (Comparator::MapBy(key), Node::Array(a), Node::Array(b)) => {
                self.mapped(place, key, a, b, rule);
            }
            _ => {
                let weighed = values::weigh(rule, ours, theirs, self.context.heard);
                self.value(place, ours, theirs, rule, weighed);
            }
        }
    }

    fn members<'n>(
        &mut self,
        place: &Place<'n>,
        ours: &'n Node<'n>,
        theirs: &'n Node<'n>,
        covering: Option<&'r Rule>,
    ) {
        let (Node::Object(a), Node::Object(b)) = (ours, theirs) else {
            return;
        };
        for (name, value) in a {
            let twin = theirs.member(name);
            // Most members are the same: their places need not be spelt.
            if !twin.is_some_and(|twin| value.same(twin)) {
                self.pair(&place.member(name), Some(value), twin, covering);
            }
        }
        for (name, value) in b {
            if ours.member(name).is_none() {
                self.pair(&place.member(name), None, Some(value), covering);
            }
        }
    }

    fn elements<'n>(
        &mut self,
        place: &Place<'n>,
        (ours, theirs): (&'n Node<'n>, &'n Node<'n>),
        a: &'n [Node<'n>],
        b: &'n [Node<'n>],
        (rule, covering): (&'r Rule, Option<&'r Rule>),
    ) {
        if values::same_set(a, b) {
            self.push(
                place,
                Kind::Order,
                Some(ours),
                Some(theirs),
                rule,
                Severity::S4,
                false,
            );
            return;
        }
        for index in 0..a.len().max(b.len()) {
            let (ours, theirs) = (a.get(index), b.get(index));
            let place = place.element(index, ours.or(theirs));
            self.pair(&place, ours, theirs, covering);
        }
    }

    fn mapped<'n>(
        &mut self,
        place: &Place<'n>,
        key: &[String],
        a: &'n [Node<'n>],
        b: &'n [Node<'n>],
        rule: &'r Rule,
    ) {
        let before = self.found.len();
        let twins = values::twins(key, a, b);
        for (index, (ours, twin)) in a.iter().zip(&twins).enumerate() {
            let place = place.element(index, Some(ours));
            self.pair(&place, Some(ours), twin.map(|at| &b[at]), Some(rule));
        }
        for (index, theirs) in b.iter().enumerate() {
            if !twins.contains(&Some(index)) {
                let place = place.element(index, Some(theirs));
                self.pair(&place, None, Some(theirs), Some(rule));
            }
        }
        if self.found.len() == before {
            let (ours, theirs) = (Node::Array(a.to_vec()), Node::Array(b.to_vec()));
            self.push(
                place,
                Kind::Order,
                Some(&ours),
                Some(&theirs),
                rule,
                rule.severity,
                true,
            );
        }
    }

    fn one_sided(
        &mut self,
        place: &Place<'_>,
        ours: Option<&Node<'_>>,
        theirs: Option<&Node<'_>>,
        rule: &'r Rule,
    ) {
        // To most readers `null` is nothing; that the strict ones refuse it is worth a word.
        let null = matches!(ours.or(theirs), Some(Node::Null));
        let (kind, severity) = match (null, ours) {
            (true, _) => (Kind::Type, Severity::S4),
            (false, Some(_)) => (Kind::Missing, rule.severity),
            (false, None) => (Kind::Extra, rule.severity),
        };
        let empty = matches!(ours.or(theirs), Some(Node::Array(elements)) if elements.is_empty());
        let explained = match rule.compare {
            Comparator::Ignore => true,
            Comparator::Set | Comparator::MapBy(_) => empty,
            _ => match (&rule.default, ours.or(theirs)) {
                (Some(default), Some(node)) => literal(node).eq_ignore_ascii_case(default),
                _ => false,
            },
        };
        self.push(place, kind, ours, theirs, rule, severity, explained);
    }

    fn value(
        &mut self,
        place: &Place<'_>,
        ours: &Node<'_>,
        theirs: &Node<'_>,
        rule: &'r Rule,
        weighed: Weighed,
    ) {
        let kind = if ours.type_word() == theirs.type_word() {
            Kind::Value
        } else {
            Kind::Type
        };
        let (explained, severity) = match weighed {
            Weighed::Explained => (true, rule.severity),
            Weighed::Differs => (false, rule.severity),
            Weighed::Far(severity) => (false, severity),
        };
        self.push(
            place,
            kind,
            Some(ours),
            Some(theirs),
            rule,
            severity,
            explained,
        );
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the one place that builds a difference"
    )]
    fn push(
        &mut self,
        place: &Place<'_>,
        kind: Kind,
        ours: Option<&Node<'_>>,
        theirs: Option<&Node<'_>>,
        rule: &'r Rule,
        severity: Severity,
        explained: bool,
    ) {
        let quote = |node: Option<&Node<'_>>| node.map(|node| shorten(&literal(node)));
        self.found.push(Difference {
            pointer: place.pointer.clone(),
            path: place.path.clone(),
            kind,
            authority: quote(ours),
            shadow: quote(theirs),
            authority_class: class(rule.class, ours),
            shadow_class: class(rule.class, theirs),
            rule,
            severity,
            explained,
        });
    }
}

fn class(class: Class, node: Option<&Node<'_>>) -> String {
    match (class, node) {
        (_, None) => "absent".to_owned(),
        (Class::Literal, Some(node @ (Node::Bool(_) | Node::Number(_) | Node::Text(_)))) => {
            shorten(&literal(node))
        }
        (_, Some(Node::Text(text))) if text.is_empty() => "empty string".to_owned(),
        (_, Some(node)) => node.type_word().to_owned(),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text.to_owned(),
    }
}

impl Kind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Type => "type",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Order => "order",
            Self::Unreadable => "unreadable",
        }
    }
}

#[cfg(test)]
mod tests;
