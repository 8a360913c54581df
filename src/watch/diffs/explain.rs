//! What is known of a finding, in words: how bad, how often out of how many, since when, where, and why it is not noise.

use std::fmt::Write as _;

use super::Chosen;
use crate::ledger::query::Finding;
use crate::ledger::row::{State, Subject};
use crate::report::comparison::Row;
use crate::watch::personal;
use crate::watch::screen::Look;
use crate::watch::text::{count_of, grouped, shown, span};

/// Name and text of each thing to tell; an empty name goes on with what was told before.
pub(super) fn told(
    finding: &Finding,
    chosen: Option<&Chosen>,
    look: &Look<'_>,
) -> Vec<(&'static str, String)> {
    let mask = |text: &str| look.mask.text(text);
    let mut told = vec![
        ("", mask(&finding.title)),
        (
            "severity",
            format!(
                "{} {}: {}",
                finding.severity.code(),
                finding.severity.word(),
                mask(&finding.reason)
            ),
        ),
        ("exposure", exposure(finding)),
        ("seen", seen(finding, look)),
        ("on", on(finding, look)),
    ];
    if !finding.life.builds.is_empty() {
        told.push((
            "builds",
            shown(&finding.life.builds.join(", ")).into_owned(),
        ));
    }
    for trigger in &finding.triggers {
        let says = format!(
            "{} ({} times)",
            shown(&trigger.after),
            grouped(trigger.count)
        );
        told.push(("after", says));
    }
    if finding.unstable > 0 {
        told.push(("unstable", unstable(finding)));
    }
    if let Some(cause) = chosen.and_then(|chosen| chosen.cause.as_ref()) {
        let says = format!(
            "{} {}: {} of {} with it differ, {} of {} without (a conclusion, not a fact)",
            mask(&cause.attribute),
            mask(&cause.value),
            grouped(cause.with.divergent),
            grouped(cause.with.of),
            grouped(cause.without.divergent),
            grouped(cause.without.of),
        );
        told.push(("likely", says));
    }
    told.push(("state", stands(finding, look)));
    let rules = chosen.and_then(|chosen| chosen.exemplar.as_ref());
    match rules {
        Some(exemplar) => {
            for (at, line) in exemplar.rules.iter().enumerate() {
                told.push((if at == 0 { "rule" } else { "" }, mask(line)));
            }
        }
        None => told.push(("rule", shown(&finding.rule).into_owned())),
    }
    told
}

/// In one line, for narrow screens.
pub(super) fn brief(finding: &Finding, look: &Look<'_>) -> String {
    format!("{}; {}", exposure(finding), on(finding, look))
}

/// Never a share without what it is a share of.
pub(super) fn exposure(finding: &Finding) -> String {
    let unit = match (finding.subject, finding.action.as_str()) {
        (Subject::Exchange | Subject::Command, action) if !action.is_empty() => {
            shown(action).into_owned()
        }
        (subject, _) => format!("{}s", subject.word()),
    };
    let share = match finding.of {
        0 => String::new(),
        of => format!(" ({:.2} %)", finding.count as f64 * 100.0 / of as f64),
    };
    format!(
        "{} of {} {unit}{share}",
        grouped(finding.count),
        grouped(finding.of)
    )
}

fn seen(finding: &Finding, look: &Look<'_>) -> String {
    let gone = if finding.life.without > 0 {
        format!(", {} without it since", grouped(finding.life.without))
    } else {
        String::new()
    };
    format!(
        "{} to {}, over {}{gone}",
        look.zone.day(finding.first_seen),
        look.zone.day(finding.last_seen),
        span(finding.last_seen - finding.first_seen)
    )
}

fn on(finding: &Finding, look: &Look<'_>) -> String {
    let chargers = match finding.chargers.as_slice() {
        [one] => look.mask.charger(one),
        many => count_of(many.len() as u64, "charger"),
    };
    let mut said = chargers;
    for (name, texts) in [("", &finding.models), ("fw ", &finding.firmware)] {
        if !texts.is_empty() {
            let _ = write!(said, ", {name}{}", shown(&texts.join(" ")));
        }
    }
    said
}

fn unstable(finding: &Finding) -> String {
    format!(
        "in {} of these legacy itself varies: {} values in {} equal requests",
        grouped(finding.unstable),
        finding.varied.values,
        finding.varied.requests
    )
}

fn stands(finding: &Finding, look: &Look<'_>) -> String {
    let state = finding.life.state();
    let Some(standing) = &finding.life.standing else {
        return format!("{}: nobody has decided about it", state.word());
    };
    let mut said = state.word().to_owned();
    let mut add = |before: &str, text: &str| {
        if !text.is_empty() {
            said += before;
            said += &look.mask.text(text);
        }
    };
    add(" in build ", standing.build.as_deref().unwrap_or_default());
    add(", owner ", &standing.owner);
    add(
        ", until ",
        &standing
            .until
            .map(|at| look.zone.day(at))
            .unwrap_or_default(),
    );
    add(": ", &standing.reason);
    add("; ", &standing.since);
    if state == State::Fixed && finding.life.stopped {
        let _ = write!(
            said,
            "; absent over {} exposures",
            grouped(finding.life.without)
        );
    }
    said
}

/// The finding as a card for somebody's tracker.
pub(super) fn markdown(finding: &Finding, chosen: Option<&Chosen>, look: &Look<'_>) -> String {
    let mut text = format!(
        "### {} {} {}\n\n",
        finding.severity.code(),
        finding.id,
        look.mask.text(&finding.title)
    );
    for (name, says) in told(finding, chosen, look).into_iter().skip(1) {
        let name = if name.is_empty() { "-" } else { name };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "- **{name}** {says}");
    }
    let exemplar = chosen.and_then(|chosen| chosen.exemplar.as_ref());
    if let Some(exemplar) = exemplar {
        let _ = write!(
            text,
            "\n{} on {}, {}\n\n| | path | legacy | candidate |\n|---|---|---|---|\n",
            exemplar.comparison.title,
            look.mask.charger(&exemplar.charger),
            look.zone.day(exemplar.at)
        );
        let rows = exemplar
            .comparison
            .sections
            .iter()
            .flat_map(|section| &section.rows);
        for row in rows {
            text += &card_row(row, look);
        }
    }
    text
}

fn card_row(row: &Row, look: &Look<'_>) -> String {
    let value = |value: &Option<String>| match value {
        Some(value) => format!(
            "`{}`",
            personal::masked(&row.path, value, look.mask).replace(['|', '`'], " ")
        ),
        None => "(absent)".to_owned(),
    };
    let path = row.path.replace('|', " ");
    format!(
        "| {} | {path} | {} | {} |\n",
        row.mark.char(),
        value(&row.legacy),
        value(&row.candidate)
    )
}
