//! Findings as text: those that count first, then what is accepted, fixed or unstable, each with its numbers.

use std::fmt::Write as _;

use super::counted;
use crate::cli::printable;
use crate::ledger::row::State;
use crate::ledger::views::{Cause, Finding, Triage, Unstable};
use crate::report::words::grouped;

/// The list of findings.
pub(super) fn list(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "no findings\n".to_owned();
    }
    let mut out = String::new();
    for finding in findings.iter().filter(|finding| finding.counts()) {
        out.push_str(&entry(finding));
    }
    let apart = |finding: &&Finding| finding.is_apart() && finding.state != State::Accepted;
    let rest = || findings.iter().filter(|finding| !finding.counts());
    let unstable: Vec<_> = rest().filter(apart).collect();
    let settled: Vec<_> = rest().filter(|finding| !apart(finding)).collect();
    for (title, findings) in [
        (
            "unstable: legacy itself does not answer the same twice",
            unstable,
        ),
        ("accepted or fixed", settled),
    ] {
        if !findings.is_empty() {
            let _ = writeln!(out, "\n{title}");
        }
        for finding in findings {
            out.push_str(&entry(finding));
        }
    }
    out
}

fn entry(finding: &Finding) -> String {
    let mut out = format!(
        "{severity}  {id}  {title}\n      {count} of {of} {unit}, {chargers}{models}\n",
        severity = finding.severity,
        id = finding.id,
        title = printable(&finding.title),
        count = grouped(finding.count),
        of = grouped(finding.exposure.of),
        unit = unit(finding),
        chargers = counted(finding.chargers.len(), "charger"),
        models = if finding.models.is_empty() {
            String::new()
        } else {
            format!(" ({})", printable(&finding.models.join(", ")))
        },
    );
    if let Some(triage) = &finding.triage {
        let _ = writeln!(out, "      {}", stands(finding, triage));
    }
    if let Some(unstable) = &finding.unstable {
        let _ = writeln!(out, "      {}", varies(unstable));
    }
    if let Some(cause) = &finding.cause {
        let _ = writeln!(out, "      {}", likely(cause));
    }
    out
}

/// What a finding is counted in: sessions, handshakes, or messages by their action.
fn unit(finding: &Finding) -> String {
    match finding.exposure.unit.as_str() {
        "exchanges" | "commands" if !finding.action.is_empty() => printable(&finding.action),
        unit => unit.to_owned(),
    }
}

fn stands(finding: &Finding, triage: &Triage) -> String {
    let mut says = finding.state.word().to_owned();
    let mut add = |before: &str, text: &str| {
        if !text.is_empty() {
            says += before;
            says += &printable(text);
        }
    };
    add(" in build ", triage.build.as_deref().unwrap_or_default());
    if triage.awaited {
        add(", ", "which was not seen yet");
    }
    add(", owner ", &triage.owner);
    add(", until ", triage.until.as_deref().unwrap_or_default());
    add(": ", &triage.reason);
    add("; ", &triage.since);
    if finding.stopped {
        let without = format!("not seen in the last {}", grouped(finding.without));
        add("; ", &format!("{without} {}", unit(finding)));
    }
    says
}

/// What else is known of where a finding was seen: firmware, builds, how long ago.
pub(super) fn around(finding: &Finding) -> String {
    let mut out = String::new();
    for (name, texts) in [("fw", &finding.firmware), ("builds", &finding.builds)] {
        if !texts.is_empty() {
            let _ = writeln!(out, "  {name:<8}{}", printable(&texts.join(", ")));
        }
    }
    let _ = writeln!(
        out,
        "  since   {} {} without it",
        grouped(finding.without),
        unit(finding)
    );
    out
}

/// How legacy itself varies.
fn varies(unstable: &Unstable) -> String {
    format!(
        "unstable in {}: legacy itself answered {} values in {} equal requests",
        grouped(unstable.count),
        unstable.values,
        grouped(u64::from(unstable.requests)),
    )
}

/// The likely cause, with what it rests on.
fn likely(cause: &Cause) -> String {
    format!(
        "likely because {} {}: {} of {} with it differ, {} of {} without",
        printable(&cause.attribute),
        printable(&cause.value),
        grouped(cause.with.divergent),
        grouped(cause.with.of),
        grouped(cause.without.divergent),
        grouped(cause.without.of),
    )
}
