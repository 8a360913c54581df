//! The likely cause of a finding: the attribute that best separates the exchanges that show it from those that do not.
//!
//! A conclusion, kept apart from facts. It is drawn when somebody looks, from a bounded number of exchanges around the
//! last sightings, not while judging: counting every attribute of every exchange would cost the judge more than judging
//! does, for numbers of which nobody looks at most, and here a better rule needs no recording to be judged again.
//!
//! Something is said only if all of this holds:
//! 1. at least [`SUPPORT`] divergent exchanges have the attribute, and at least nine tenths of the divergent ones do;
//! 2. at least half of the exchanges that have it diverge;
//! 3. at least [`CONTROLS`] exchanges do not have it, and at most one in twenty of those diverges (an exchange whose answer
//!    does not hold the value that differs is no control: see [`holds`]);
//! 4. were the attribute handed out by chance, so much would be seen less than once in a thousand looks (Fisher's exact
//!    test, one-sided, divided by the number of attributes that were tried);
//! 5. what whole fleets share (model, firmware, quirk) was seen on two chargers at least: one charger's firmware cannot be
//!    told from the charger.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::Node;
use super::variance::{VOLATILE, is_instant};
use crate::ocpp::Envelope;

/// Divergent exchanges that must have the attribute.
pub const SUPPORT: u64 = 5;

/// Exchanges that must not have it.
pub const CONTROLS: u64 = 10;

/// The chance that is taken, over all attributes that are tried.
const CHANCE: f64 = 0.001;

/// Fields of a request that are looked at.
const FIELDS: usize = 24;

/// Longer texts are no attribute by value, in characters.
const LONGEST: usize = 24;

/// Members whose text is a driver's token: only its shape is an attribute.
const TOKENS: [&str; 4] = ["idTag", "idToken", "parentIdTag", "groupIdToken"];

/// Something that an exchange may have in common with others. Of equally good ones the first kind is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trait {
    /// What kind it is.
    pub kind: TraitKind,
    /// Of what: `idTag`, `firmware`.
    pub attribute: String,
    /// What about it: `ends with a space`, `is 3.2`.
    pub value: String,
}

/// Kinds of attributes, what explains most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TraitKind {
    /// The shape of a text in the request.
    Shape,
    /// A value in the request.
    Value,
    /// A quirk of the charger.
    Quirk,
    /// The charger's firmware.
    Firmware,
    /// The charger's model.
    Model,
    /// The command that the charger had last.
    Command,
    /// The charger.
    Charger,
    /// How long a text in the request is: often a shadow of something else.
    Length,
}

/// One exchange that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Whether it shows the finding.
    pub divergent: bool,
    /// The charger.
    pub charger: String,
    /// What it has.
    pub traits: BTreeSet<Trait>,
}

/// What separates best, with the numbers: divergent exchanges, and all, with it and without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    /// What the divergent ones have.
    pub what: Trait,
    /// Divergent and all exchanges that have it.
    pub with: (u64, u64),
    /// Divergent and all exchanges that do not.
    pub without: (u64, u64),
}

/// The attribute that best separates divergent from equal exchanges; `None` if none does so well enough.
pub fn likely(cases: &[Case]) -> Option<Likely> {
    let all = (divergent(cases.iter()), cases.len() as u64);
    let mut having: BTreeMap<&Trait, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        for what in &case.traits {
            having.entry(what).or_default().push(case);
        }
    }
    let tried = having.len() as f64;
    let logs = log_factorials(cases.len());
    let mut best: Option<(u64, Likely)> = None;
    for (what, cases) in having {
        let with = (divergent(cases.iter().copied()), cases.len() as u64);
        let without = (all.0 - with.0, all.1 - with.1);
        if !separates(with, without) || is_one_chargers(what, &cases) {
            continue;
        }
        if chance(&logs, all, with) * tried >= CHANCE {
            continue;
        }
        // Wrongly sorted exchanges: the fewer, the better.
        let wrong = without.0 + (with.1 - with.0);
        if best.as_ref().is_none_or(|(least, _)| wrong < *least) {
            let what = what.clone();
            best = Some((
                wrong,
                Likely {
                    what,
                    with,
                    without,
                },
            ));
        }
    }
    best.map(|(_, likely)| likely)
}

fn divergent<'a>(cases: impl Iterator<Item = &'a Case>) -> u64 {
    cases.filter(|case| case.divergent).count() as u64
}

/// Rules 1 to 3.
fn separates(with: (u64, u64), without: (u64, u64)) -> bool {
    with.0 >= SUPPORT
        && with.0 * 10 >= (with.0 + without.0) * 9
        && with.0 * 2 >= with.1
        && without.1 >= CONTROLS
        && without.0 * 20 <= without.1
}

/// Rule 5.
fn is_one_chargers(what: &Trait, cases: &[&Case]) -> bool {
    let fleets = [TraitKind::Model, TraitKind::Firmware, TraitKind::Quirk];
    let chargers: BTreeSet<&str> = cases.iter().map(|case| case.charger.as_str()).collect();
    fleets.contains(&what.kind) && chargers.len() < 2
}

/// Rule 4: the chance that at least as many of the divergent ones have something that nothing ties to them.
fn chance(logs: &[f64], all: (u64, u64), with: (u64, u64)) -> f64 {
    let choose = |n: u64, k: u64| {
        let log = |n: u64| logs.get(n as usize).copied().unwrap_or_default();
        log(n) - log(k) - log(n - k)
    };
    let most = all.0.min(with.1);
    (with.0..=most)
        .filter(|hits| with.1 - hits <= all.1 - all.0)
        .map(|hits| {
            let log = choose(all.0, hits) + choose(all.1 - all.0, with.1 - hits);
            (log - choose(all.1, with.1)).exp()
        })
        .sum()
}

/// The logarithm of n! at n.
fn log_factorials(most: usize) -> Vec<f64> {
    let mut logs = vec![0.0; most + 1];
    for n in 1..=most {
        logs[n] = logs[n - 1] + (n as f64).ln();
    }
    logs
}

/// Whether an answer (its whole text) holds a value where a finding's path leads. Of a path into the elements of arrays,
/// whether it holds the first of the arrays.
pub fn holds(answer: &str, path: &str) -> bool {
    let payload = Envelope::parse(answer).map(|envelope| envelope.payload);
    let node = payload.ok().and_then(|payload| Node::parse(payload).ok());
    let whole = path.split("/*").next().unwrap_or_default();
    node.is_some_and(|node| node.at(whole).is_some())
}

/// What a charger's request has.
pub fn of_request(request: &str) -> BTreeSet<Trait> {
    let mut found = BTreeSet::new();
    if let Ok(node) = Node::parse(request) {
        let mut fields = 0;
        look(&node, "", &mut fields, &mut found);
    }
    found
}

fn look(node: &Node<'_>, name: &str, fields: &mut usize, found: &mut BTreeSet<Trait>) {
    *fields += 1;
    if *fields > FIELDS {
        return;
    }
    let mut add = |kind, value: String| {
        found.insert(Trait {
            kind,
            attribute: name.to_owned(),
            value,
        });
    };
    match node {
        Node::Object(members) => {
            for (member, value) in members {
                if !VOLATILE.contains(&member.as_ref()) {
                    let name = match name {
                        "" => member.to_string(),
                        _ => format!("{name}.{member}"),
                    };
                    look(value, &name, fields, found);
                }
            }
        }
        Node::Text(text) if !is_instant(text) => {
            for shape in shapes(text) {
                add(TraitKind::Shape, shape.to_owned());
            }
            let length = text.chars().count();
            add(TraitKind::Length, format!("is {length} characters long"));
            let is_token = name.split('.').any(|part| TOKENS.contains(&part));
            if !is_token && length <= LONGEST {
                add(TraitKind::Value, format!("is {text:?}"));
            }
        }
        Node::Number(text) => add(TraitKind::Value, format!("is {text}")),
        Node::Bool(value) => add(TraitKind::Value, format!("is {value}")),
        _ => {}
    }
}

fn shapes(text: &str) -> Vec<&'static str> {
    let any = |test: fn(char) -> bool| text.chars().any(test);
    [
        ("is empty", text.is_empty()),
        ("begins with a space", text.starts_with(' ')),
        ("ends with a space", text.ends_with(' ')),
        ("has lower-case letters", any(char::is_lowercase)),
        ("has letters outside ASCII", any(|c| !c.is_ascii())),
        (
            "has other characters than letters and digits",
            any(|c| c.is_ascii() && !c.is_ascii_alphanumeric()),
        ),
        ("is longer than 20 characters", text.chars().count() > 20),
    ]
    .into_iter()
    .filter_map(|(shape, has)| has.then_some(shape))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(divergent: bool, charger: usize, traits: &[(TraitKind, &str, &str)]) -> Case {
        Case {
            divergent,
            charger: format!("CP{charger}"),
            traits: traits
                .iter()
                .map(|(kind, attribute, value)| Trait {
                    kind: *kind,
                    attribute: (*attribute).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
        }
    }

    /// 41 divergent ones on one firmware, 902 equal ones on another; `chargers` have each.
    fn fleet(chargers: usize) -> Vec<Case> {
        (0..943)
            .map(|number| {
                let bad = number < 41;
                let charger = number % chargers + if bad { 0 } else { 100 };
                let firmware = if bad { "is 3.2" } else { "is 3.1" };
                case(bad, charger, &[(TraitKind::Firmware, "firmware", firmware)])
            })
            .collect()
    }

    #[test]
    fn what_separates_is_told_with_its_support() {
        let found = likely(&fleet(3)).unwrap();
        assert_eq!(found.what.value, "is 3.2");
        assert_eq!((found.with, found.without), ((41, 41), (0, 902)));
    }

    #[test]
    fn one_chargers_firmware_is_no_cause_and_few_cases_are_none() {
        assert_eq!(likely(&fleet(1)), None);
        let few: Vec<Case> = fleet(3).split_off(41 - (SUPPORT as usize - 1));
        assert_eq!(likely(&few), None);
        let no_controls = &fleet(3)[..41 + CONTROLS as usize - 1];
        assert_eq!(likely(no_controls), None);
        assert_eq!(likely(&[]), None);
    }

    #[test]
    fn noise_has_no_cause() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let names: Vec<String> = (0..40).map(|number| format!("is {number}")).collect();
        for _round in 0..300 {
            let share = 2 + random(40);
            let cases: Vec<Case> = (0..120)
                .map(|_| {
                    let (firmware, model) = (random(4) as usize, random(3) as usize);
                    let (value, charger) = (random(40) as usize, random(9) as usize);
                    case(
                        random(share) == 0,
                        charger,
                        &[
                            (TraitKind::Firmware, "firmware", &names[firmware]),
                            (TraitKind::Model, "model", &names[model]),
                            (TraitKind::Value, "connectorId", &names[value]),
                            (TraitKind::Charger, "charger", &names[charger]),
                        ],
                    )
                })
                .collect();
            assert_eq!(likely(&cases), None);
        }
    }

    #[test]
    fn an_answer_holds_a_path_or_could_not_differ_there() {
        let answer = r#"[3,"1",{"totalCost":1.5,"list":[{"key":"a"}]}]"#;
        for path in ["/totalCost", "/list/*/key", "/list", ""] {
            assert!(holds(answer, path), "{path}");
        }
        for path in ["/cost", "/lists/*/key"] {
            assert!(!holds(answer, path), "{path}");
        }
        assert!(!holds("[3,", "/totalCost"));
    }

    #[test]
    fn a_token_shows_its_shape_and_never_itself() {
        let request = r#"{"connectorId":2,"idTag":"04aB ","timestamp":"2026-11-24T00:00:00Z","idToken":{"idToken":"SECRET","type":"Central"}}"#;
        let found: Vec<String> = of_request(request)
            .into_iter()
            .map(|found| format!("{} {}", found.attribute, found.value))
            .collect();
        assert!(found.contains(&"idTag ends with a space".to_owned()));
        assert!(found.contains(&"idTag has lower-case letters".to_owned()));
        assert!(found.contains(&"connectorId is 2".to_owned()));
        let text = found.join("\n");
        assert!(!text.contains("04aB") && !text.contains("SECRET") && !text.contains("timestamp"));
    }
}
