//! What a criterion comes to, why, and what would make it good.

use std::collections::BTreeMap;

use super::criterion::{Criterion, Measure, Need};
use super::measure::Seen;
use super::report::{Missing, Outcome, Weighed};
use crate::clock::Micros;
use crate::estate::bound;
use crate::ledger::row::Exception;
use crate::ledger::views::rfc3339;

/// How the evidence is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// The time by which evidence is old, µs.
    pub(super) now: Micros,
    /// The chance that a bound is below the true rate, at most.
    pub(super) alpha: f64,
    /// Whether this look was fixed beforehand.
    pub(super) is_checkpoint: bool,
    /// Days with traffic.
    pub(super) days: u64,
}

impl Look {
    /// The upper bound of a rate.
    fn bound(&self, failures: u64, trials: u64) -> f64 {
        if self.is_checkpoint {
            bound::exact(failures, trials, self.alpha)
        } else {
            bound::watched(failures, trials, self.alpha)
        }
    }
}

/// Weighs what was seen of a criterion; `exception` is the one in force for it.
pub(super) fn weigh(
    criterion: &Criterion,
    seen: &Seen,
    look: &Look,
    exception: Option<&Exception>,
) -> Weighed {
    let fails = fails(criterion, seen);
    let lacks = lack(criterion, seen, look);
    let covered = exception.is_some_and(|exception| seen.failures <= exception.at_most);
    let (result, missing, why, to_go) = match (fails, lacks) {
        (Some((why, _)), None) if covered => (Outcome::Excepted, None, why, String::new()),
        (Some((_, _)), Some(lack)) if covered => {
            (Outcome::Missing, Some(lack.kind), lack.why, lack.to_go)
        }
        (Some((why, to_go)), _) => (Outcome::Failed, None, why, to_go),
        (None, Some(lack)) => (Outcome::Missing, Some(lack.kind), lack.why, lack.to_go),
        (None, None) if seen.accepted > 0 => {
            let why = format!("accepted: {}", seen.acceptances.join(", "));
            (Outcome::Excepted, None, why, String::new())
        }
        (None, None) => (Outcome::Met, None, String::new(), String::new()),
    };
    let is_note = !criterion.is_blocking && matches!(result, Outcome::Failed | Outcome::Missing);
    let rated = is_rated(&criterion.measure) && seen.of > 0;
    let since = match result {
        Outcome::Failed => seen.failed,
        Outcome::Missing => None,
        _ => seen.span.map(|(first, _)| first),
    };
    Weighed {
        id: criterion.id.clone(),
        area: criterion.area.word(),
        title: criterion.title.clone(),
        unit: criterion.measure.unit(),
        blocking: criterion.is_blocking,
        rolls_back: criterion.rolls_back,
        need: needs(criterion),
        seen: said(criterion, seen),
        failures: seen.failures,
        of: seen.of,
        accepted: seen.accepted,
        acceptances: seen.acceptances.clone(),
        not_comparable: seen.not_comparable.clone(),
        bound: rated.then(|| look.bound(seen.failures, seen.of)),
        result: if is_note { Outcome::Note } else { result },
        missing,
        why,
        to_go,
        since: since.map(rfc3339),
        models: seen.models.clone(),
        blame: seen.blame.clone(),
    }
}

/// Whether failures are trials of their own, of which a bound can be said. Time is not, nor is what is only counted.
fn is_rated(measure: &Measure) -> bool {
    match measure {
        Measure::Monitor { good, of, .. } => good.is_empty() && !of.is_empty(),
        Measure::Divergent { .. } | Measure::Cdr { .. } | Measure::NotComparable { .. } => true,
        _ => false,
    }
}

/// Why it fails whatever else may come, and what would mend it.
fn fails(criterion: &Criterion, seen: &Seen) -> Option<(String, String)> {
    let share = seen.failures as f64 / seen.of.max(1) as f64;
    let blamed = blamed(seen);
    let mend = || match &criterion.measure {
        Measure::Divergent { .. } | Measure::Cdr { .. } => {
            format!("fix {blamed}, or accept them with owner, reason and end")
        }
        Measure::Findings { only_new: true, .. } => format!("triage {blamed}"),
        Measure::Findings { .. } => format!("fix or accept {blamed}"),
        Measure::Charger(_) => format!("get {blamed} to talk"),
        _ => format!("find out what is behind {}", criterion.measure.unit()),
    };
    let why = match (&criterion.need, &criterion.measure) {
        (Need::Failures(most), _) if seen.failures > *most => {
            format!("{}, allowed {most}", said(criterion, seen))
        }
        (Need::Rate(limit), _) if seen.of > 0 && share > *limit => {
            format!("{}, more than {}", said(criterion, seen), percent(*limit))
        }
        (Need::Least(least), _) if seen.of > 0 && 1.0 - share < *least => {
            format!("{}, less than {}", said(criterion, seen), percent(*least))
        }
        (Need::Has, Measure::Latency { slower, .. }) => {
            let (action, theirs, ours) = seen.slowest.as_ref()?;
            if theirs - ours <= *slower {
                return None;
            }
            let why = format!(
                "{action} takes {} more at the 95th percentile",
                ms(theirs - ours)
            );
            return Some((why, format!("answer {action} quicker")));
        }
        (Need::Has, Measure::Group(_)) => {
            let lacks = seen.lacks?;
            let to_go = "configure it in [group.NAME] or [wave.NAME]".to_owned();
            return Some((lacks.to_owned(), to_go));
        }
        _ => return None,
    };
    Some((why, mend()))
}

fn blamed(seen: &Seen) -> String {
    const SHOWN: usize = 5;
    let more = seen.blame.len().saturating_sub(SHOWN);
    let shown = seen.blame.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match (shown.as_slice(), more) {
        ([], _) => "it".to_owned(),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A lack of evidence.
struct Lack {
    kind: Missing,
    why: String,
    to_go: String,
}

/// What is missing to say anything, the worst first. Missing data is never good news.
fn lack(criterion: &Criterion, seen: &Seen, look: &Look) -> Option<Lack> {
    let unit = criterion.measure.unit();
    if !criterion.measure.has_trials() {
        return None;
    }
    let apart: u64 = seen.not_comparable.values().sum();
    let lack = |kind, why: String, to_go: String| Some(Lack { kind, why, to_go });
    if seen.of == 0 && apart == 0 {
        let to_go = format!("exercise {unit}{}", at_least(criterion.sample));
        return lack(Missing::NotExercised, format!("no {unit} seen"), to_go);
    }
    let whole = seen.of + apart;
    let comparable = seen.of as f64 / whole as f64;
    if seen.of == 0 || comparable < criterion.comparable {
        let why = format!(
            "{apart} of {whole} {unit} not comparable: {}",
            reasons(&seen.not_comparable)
        );
        let to_go = "mend what keeps them from being compared".to_owned();
        return lack(Missing::NotComparable, why, to_go);
    }
    if criterion.per_model > 0
        && let Some((model, count)) = seen.models.iter().min_by_key(|(_, count)| **count)
        && *count < criterion.per_model
    {
        let (model, need) = (named(model), criterion.per_model);
        let kind = if *count == 0 {
            Missing::NotExercised
        } else {
            Missing::Thin
        };
        let why = format!("{count} {unit} on {model}, need {need}");
        return lack(kind, why, models_to_go(criterion, seen));
    }
    if seen.of < criterion.sample {
        let more = criterion.sample - seen.of;
        let why = format!("{} {unit}, need {}", seen.of, criterion.sample);
        return lack(Missing::Thin, why, format!("{more} more {unit}"));
    }
    let chargers = seen.chargers.len() as u64;
    if !seen.chargers.is_empty() && chargers < criterion.chargers {
        let why = format!("{unit} of {chargers} chargers, need {}", criterion.chargers);
        return lack(
            Missing::Thin,
            why,
            format!("{unit} of {} more chargers", criterion.chargers - chargers),
        );
    }
    if look.days < criterion.days {
        let more = criterion.days - look.days;
        let why = format!("{} days with traffic, need {}", look.days, criterion.days);
        return lack(Missing::Thin, why, format!("{more} more days of traffic"));
    }
    if seen.unproven > 0 {
        let why = "a claimed fix is not proven yet".to_owned();
        return lack(
            Missing::Thin,
            why,
            format!("more {unit} without what is said to be fixed"),
        );
    }
    if let Need::Rate(limit) = criterion.need
        && look.bound(seen.failures, seen.of) > limit
    {
        let enough = bound::enough(seen.failures, limit, |k, n| look.bound(k, n));
        let why = format!(
            "{} may still be {} of {unit}",
            said(criterion, seen),
            percent(look.bound(seen.failures, seen.of))
        );
        let more = enough.map_or("very many".to_owned(), |enough| {
            (enough - seen.of).to_string()
        });
        return lack(
            Missing::Thin,
            why,
            format!("{more} more {unit} without a failure"),
        );
    }
    let last = seen.span.map_or(Micros::MIN, |(_, last)| last);
    if seen.span.is_some() && last < look.now - criterion.fresh {
        let why = format!("the last {unit} were seen at {}", rfc3339(last));
        return lack(Missing::Stale, why, format!("newer {unit}"));
    }
    None
}

fn models_to_go(criterion: &Criterion, seen: &Seen) -> String {
    let thin = seen
        .models
        .iter()
        .filter(|(_, count)| **count < criterion.per_model);
    let more = thin.map(|(model, count)| {
        let unit = criterion.measure.unit();
        format!(
            "{} more {unit} on {}",
            criterion.per_model - count,
            named(model)
        )
    });
    more.collect::<Vec<_>>().join(", ")
}

fn named(model: &str) -> &str {
    if model.is_empty() {
        "an unknown model"
    } else {
        model
    }
}

fn at_least(sample: u64) -> String {
    if sample == 0 {
        return String::new();
    }
    format!(", {sample} times at least")
}

fn reasons(by_reason: &BTreeMap<String, u64>) -> String {
    let said = by_reason
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"));
    said.collect::<Vec<_>>().join(", ")
}

/// What is needed, in a few words.
fn needs(criterion: &Criterion) -> String {
    let mut words = vec![match (&criterion.need, &criterion.measure) {
        (Need::Failures(most), _) => most.to_string(),
        (Need::Rate(limit), _) => format!("<= {}", percent(*limit)),
        (Need::Least(least), _) => format!(">= {}", percent(*least)),
        (Need::Has, Measure::Latency { slower, .. }) => format!("<= +{}", ms(*slower)),
        (Need::Has, _) => "yes".to_owned(),
    }];
    for (count, what) in [
        (criterion.sample, ""),
        (criterion.per_model, " a model"),
        (criterion.chargers, " chargers"),
        (criterion.days, " days"),
    ] {
        if count > 0 {
            words.push(format!("n >= {count}{what}"));
        }
    }
    words.join(", ")
}

/// What was seen, in a few words.
fn said(criterion: &Criterion, seen: &Seen) -> String {
    match &criterion.measure {
        Measure::Group(_) => if seen.lacks.is_some() { "no" } else { "yes" }.to_owned(),
        Measure::Latency { .. } => match &seen.slowest {
            None => "nothing timed".to_owned(),
            Some((action, theirs, ours)) => {
                let (sign, more) = if theirs < ours {
                    ("-", ours - theirs)
                } else {
                    ("+", theirs - ours)
                };
                format!("{action} {sign}{}", ms(more))
            }
        },
        Measure::Monitor { good, .. } if !good.is_empty() => {
            if seen.of == 0 {
                return "nothing".to_owned();
            }
            percent((seen.of - seen.failures) as f64 / seen.of as f64)
        }
        measure if measure.has_trials() => format!("{} of {}", seen.failures, seen.of),
        _ => seen.failures.to_string(),
    }
}

fn ms(time: Micros) -> String {
    format!("{} ms", time / 1_000)
}

/// A share, with enough digits to tell it from its neighbours.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 10.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.2} %")
    }
}
