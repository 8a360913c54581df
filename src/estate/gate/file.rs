//! Gate files: criteria in TOML, read and checked.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use toml::Spanned;

use super::criterion::{Area, Charger, Criterion, Measure, Need, Required};
use crate::clock::Micros;
use crate::ledger::row::Subject;
use crate::ocpp::Severity;

/// The criteria that `evenkeel init` writes, and that a gate without a file weighs by.
pub const DEFAULT: &str = include_str!("default.toml");

const HOUR: Micros = 3_600_000_000;

/// A gate file that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What it is called.
    pub name: String,
    /// The chance that a bound is below the true rate, at most.
    pub alpha: f64,
    /// Looks at the exact bound that are fixed beforehand, µs.
    pub checkpoints: Vec<Micros>,
    /// The criteria, in the order of the file.
    pub criteria: Vec<Criterion>,
}

/// What is wrong with a gate file, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Mistake {
    /// Bytes of the text that it is about.
    pub span: Range<usize>,
    /// What is wrong, as a sentence fragment.
    pub what: String,
    /// What to do.
    pub help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    gate: Head,
    #[serde(default)]
    criterion: Vec<Spanned<Section>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    confidence: Option<Spanned<String>>,
    fresh: Option<Spanned<String>>,
    #[serde(default)]
    checkpoints: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    id: Spanned<String>,
    area: Spanned<String>,
    title: String,
    unit: Spanned<String>,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
    severity: Option<Spanned<String>>,
    count: Option<Spanned<String>>,
    monitor: Option<Spanned<String>>,
    #[serde(default)]
    leg: String,
    #[serde(default)]
    bad: Vec<String>,
    #[serde(default)]
    good: Vec<String>,
    #[serde(default)]
    of: Vec<String>,
    window: Option<Spanned<String>>,
    has: Option<Spanned<String>>,
    failures: Option<u64>,
    rate: Option<Spanned<String>>,
    least: Option<Spanned<String>>,
    slower: Option<Spanned<String>>,
    #[serde(default)]
    sample: u64,
    #[serde(default)]
    per_model: u64,
    #[serde(default)]
    chargers: u64,
    #[serde(default)]
    days: u64,
    comparable: Option<Spanned<String>>,
    fresh: Option<Spanned<String>>,
    #[serde(default = "yes")]
    blocking: bool,
    #[serde(default)]
    rolls_back: bool,
}

const fn yes() -> bool {
    true
}

impl Gate {
    /// The criteria that are there without a file.
    pub fn built_in() -> Result<Self, Mistake> {
        Self::read(DEFAULT)
    }

    /// Reads a gate file.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(|error| Mistake {
            span: error.span().unwrap_or_default(),
            what: error.message().trim().to_owned(),
            help: "`evenkeel init --gate --print` shows every key".to_owned(),
        })?;
        let confidence = file.gate.confidence.as_ref().map(percent).transpose()?;
        let fresh = file.gate.fresh.as_ref().map(span).transpose()?;
        let mut known = BTreeSet::new();
        let mut criteria = Vec::new();
        for section in &file.criterion {
            let id = &section.get_ref().id;
            if !known.insert(id.get_ref().as_str()) {
                let what = format!("criterion {:?} is there twice", id.get_ref());
                return Err(wrong(id, what, "decisions name criteria by their id"));
            }
            criteria.push(criterion(section, fresh.unwrap_or(24 * HOUR))?);
        }
        if !criteria.iter().any(|criterion| criterion.is_blocking) {
            return Err(Mistake {
                span: 0..0,
                what: "the gate has no blocking criterion".to_owned(),
                help: "without one every group would be GO".to_owned(),
            });
        }
        Ok(Self {
            name: file.gate.name,
            alpha: 1.0 - confidence.unwrap_or(0.95),
            checkpoints: file
                .gate
                .checkpoints
                .iter()
                .map(time)
                .collect::<Result<_, _>>()?,
            criteria,
        })
    }
}

fn criterion(section: &Spanned<Section>, fresh: Micros) -> Result<Criterion, Mistake> {
    let it = section.get_ref();
    let area = Area::from_word(it.area.get_ref()).ok_or_else(|| {
        let what = format!("{:?} is no area", it.area.get_ref());
        wrong(
            &it.area,
            what,
            "write charger, operations, data or rollback",
        )
    })?;
    let measure = measure(section)?;
    let comparable = it.comparable.as_ref().map(percent).transpose()?;
    Ok(Criterion {
        id: it.id.get_ref().clone(),
        area,
        title: it.title.clone(),
        need: need(section, &measure)?,
        measure,
        sample: it.sample,
        per_model: it.per_model,
        chargers: it.chargers,
        days: it.days,
        comparable: comparable.unwrap_or(0.0),
        fresh: it.fresh.as_ref().map(span).transpose()?.unwrap_or(fresh),
        is_blocking: it.blocking,
        rolls_back: it.rolls_back,
    })
}

fn measure(section: &Spanned<Section>) -> Result<Measure, Mistake> {
    let it = section.get_ref();
    let severity = it.severity.as_ref().map_or(Ok(Severity::S2), |word| {
        word.get_ref()
            .parse()
            .map_err(|_| wrong(word, "no severity".to_owned(), "write S0 to S4"))
    })?;
    let count = it.count.as_ref().map(|count| count.get_ref().as_str());
    let judged = |subject| match count {
        None | Some("divergent") => Ok(Measure::Divergent {
            subject,
            actions: it.actions.clone(),
            kinds: it.kinds.clone(),
            severity,
        }),
        Some("not-comparable") => Ok(Measure::NotComparable {
            subject,
            actions: it.actions.clone(),
        }),
        Some(_) => Err(odd_count(section, "divergent or not-comparable")),
    };
    match it.unit.get_ref().as_str() {
        "exchange" => judged(Subject::Exchange),
        "command" => judged(Subject::Command),
        "handshake" => judged(Subject::Handshake),
        "session" => judged(Subject::Session),
        "cdr" => Ok(Measure::Cdr {
            kinds: it.kinds.clone(),
            severity,
        }),
        "charger" => match count {
            Some("unseen") => Ok(Measure::Charger(Charger::Unseen)),
            Some("quiet") => Ok(Measure::Charger(Charger::Quiet)),
            _ => Err(odd_count(section, "unseen or quiet")),
        },
        "finding" => match count {
            Some("new") => Ok(Measure::Findings {
                severity,
                only_new: true,
            }),
            None | Some("open") => Ok(Measure::Findings {
                severity,
                only_new: false,
            }),
            Some(_) => Err(odd_count(section, "new or open")),
        },
        "monitor" => monitor(section),
        "latency" => Ok(Measure::Latency {
            actions: it.actions.clone(),
            slower: it.slower.as_ref().map(span).transpose()?.ok_or_else(|| {
                wrong(
                    &it.unit,
                    "a latency needs `slower`".to_owned(),
                    "write for example slower = \"150ms\"",
                )
            })?,
        }),
        "group" => required(section).map(Measure::Group),
        other => Err(wrong(
            &it.unit,
            format!("{other:?} is no unit"),
            "write exchange, command, handshake, session, cdr, charger, finding, monitor, latency or group",
        )),
    }
}

fn monitor(section: &Spanned<Section>) -> Result<Measure, Mistake> {
    let it = section.get_ref();
    let name = it.monitor.as_ref().ok_or_else(|| {
        wrong(
            &it.unit,
            "which monitor?".to_owned(),
            "write for example monitor = \"session-start\"",
        )
    })?;
    let words = [&it.bad, &it.good].map(Vec::is_empty);
    if words == [true, true] || words == [false, false] {
        let help = "`bad` with `failures` or `rate`, or `good` with `least`; `evenkeel diffs --monitors` shows the words";
        return Err(wrong(
            name,
            "either `bad` or `good` says what is counted".to_owned(),
            help,
        ));
    }
    Ok(Measure::Monitor {
        monitor: name.get_ref().clone(),
        leg: it.leg.clone(),
        bad: it.bad.clone(),
        good: it.good.clone(),
        of: it.of.clone(),
        window: it.window.as_ref().map(span).transpose()?,
    })
}

fn required(section: &Spanned<Section>) -> Result<Required, Mistake> {
    let it = section.get_ref();
    let word = it.has.as_ref().map(|has| has.get_ref().as_str());
    match word {
        Some("rollback-path") => Ok(Required::RollbackPath),
        Some("rehearsal") => Ok(Required::Rehearsal),
        Some("people") => Ok(Required::People),
        _ => {
            let help = "write has = \"rollback-path\", \"rehearsal\" or \"people\"";
            Err(wrong(
                &it.unit,
                "what must the group have?".to_owned(),
                help,
            ))
        }
    }
}

fn need(section: &Spanned<Section>, measure: &Measure) -> Result<Need, Mistake> {
    let it = section.get_ref();
    if matches!(measure, Measure::Group(_) | Measure::Latency { .. }) {
        return Ok(Need::Has);
    }
    let is_share = matches!(measure, Measure::Monitor { good, .. } if !good.is_empty());
    match (it.failures, &it.rate, &it.least) {
        (Some(failures), None, None) if !is_share => Ok(Need::Failures(failures)),
        (None, Some(rate), None) if !is_share => Ok(Need::Rate(percent(rate)?)),
        (None, None, Some(least)) if is_share => Ok(Need::Least(percent(least)?)),
        _ => {
            let what = format!(
                "criterion {:?} does not say what is needed",
                it.id.get_ref()
            );
            let help = "write one of failures = 0, rate = \"1 %\" (an upper bound), or, with `good`, least = \"98 %\"";
            Err(wrong(&it.id, what, help))
        }
    }
}

fn odd_count(section: &Spanned<Section>, words: &str) -> Mistake {
    let it = section.get_ref();
    let what = format!("what is counted of each {}?", it.unit.get_ref());
    let place = it.count.as_ref().unwrap_or(&it.unit);
    wrong(place, what, &format!("write count = {words}"))
}

fn percent(text: &Spanned<String>) -> Result<f64, Mistake> {
    let number = text.get_ref().strip_suffix('%').map(str::trim);
    let share = number.and_then(|number| number.parse::<f64>().ok());
    share
        .filter(|share| *share > 0.0 && *share < 100.0)
        .map(|share| share / 100.0)
        .ok_or_else(|| {
            let what = format!("{:?} is no share", text.get_ref());
            wrong(text, what, "write for example \"0.5 %\"")
        })
}

/// Microseconds.
fn span(text: &Spanned<String>) -> Result<Micros, Mistake> {
    let units = [
        ("ms", 1_000),
        ("s", 1_000_000),
        ("m", 60_000_000),
        ("h", HOUR),
        ("d", 24 * HOUR),
    ];
    let (number, unit) = text.get_ref().split_at(
        text.get_ref()
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.get_ref().len()),
    );
    let scale = units.into_iter().find(|(name, _)| *name == unit);
    let span = scale.and_then(|(_, scale)| number.parse::<Micros>().ok()?.checked_mul(scale));
    span.ok_or_else(|| {
        let what = format!("{:?} is no time", text.get_ref());
        wrong(text, what, "write for example \"24h\" or \"30d\"")
    })
}

fn time(text: &Spanned<String>) -> Result<Micros, Mistake> {
    let time = text.get_ref().parse::<DateTime<Utc>>();
    time.map(|time| time.timestamp_micros()).map_err(|_| {
        let what = format!("{:?} is no time", text.get_ref());
        wrong(text, what, "write for example 2027-01-31T18:00:00Z")
    })
}

fn wrong<T>(at: &Spanned<T>, what: String, help: &str) -> Mistake {
    Mistake {
        span: at.span(),
        what,
        help: help.to_owned(),
    }
}
