//! The gate as text.

use std::fmt::Write as _;

use crate::cli::printable;
use crate::estate::gate::report::Weighed;
use crate::estate::gate::{Outcome, Report};

/// The verdict, its reasons, and the criteria one a line.
pub(super) fn summary(report: &Report) -> String {
    let mut out = String::new();
    let looked = &report.evidence;
    let group = report.group.as_deref().unwrap_or("the whole estate");
    let _ = writeln!(
        out,
        "{}   {} chargers, models {}   {}",
        printable(group),
        looked.chargers,
        or_none(&printable(&looked.models.join(", "))),
        report.stage.word()
    );
    let _ = writeln!(
        out,
        "verdict  {} {}   {}",
        mark(report),
        report.says,
        counts(report)
    );
    let _ = writeln!(
        out,
        "gate     {} {}   as of {}",
        printable(&looked.gate),
        short(&looked.gate_hash),
        report.as_of
    );
    let _ = writeln!(
        out,
        "ledger   {} at fact {}, {} days with traffic",
        short(&looked.ledger),
        looked.judged,
        looked.days
    );
    listed(&mut out, "why", &report.why);
    listed(&mut out, "to go", &report.to_go);
    undo(&mut out, report);
    people(&mut out, report);
    table(&mut out, report);
    for decision in &report.decisions {
        let _ = writeln!(
            out,
            "decided  {} {}{} by {} ({}): {}",
            decision.at,
            decision.decided,
            decision
                .criterion
                .as_ref()
                .map(|it| format!(" {}", printable(it)))
                .unwrap_or_default(),
            printable(&decision.by),
            printable(&decision.role),
            printable(&decision.reason)
        );
    }
    out.push_str("what no shadow traffic proves\n");
    for it in &report.unproven {
        let _ = writeln!(out, "  {it}");
    }
    out
}

fn counts(report: &Report) -> String {
    let of = |result| report.counts.get(&result).copied().unwrap_or(0);
    let met = format!("{} of {} met", of(Outcome::Met), report.criteria.len());
    let others = [
        Outcome::Failed,
        Outcome::Missing,
        Outcome::Excepted,
        Outcome::Note,
    ];
    let others = others.into_iter().filter(|it| of(*it) > 0);
    others.fold(met, |text, it| format!("{text}, {} {}", of(it), it.word()))
}

fn mark(report: &Report) -> &'static str {
    match (report.verdict, report.exceptions) {
        (crate::estate::gate::Verdict::Go, 0) => "[+]",
        (crate::estate::gate::Verdict::Go, _) => "[!]",
        (crate::estate::gate::Verdict::Hold, _) => "[?]",
        _ => "[x]",
    }
}

fn listed(out: &mut String, head: &str, lines: &[String]) {
    for (number, line) in lines.iter().enumerate() {
        let head = if number == 0 { head } else { "" };
        let _ = writeln!(out, "{head:<8} {}", printable(line));
    }
}

fn undo(out: &mut String, report: &Report) {
    let undo = &report.undo;
    let mut words = vec![match undo.path.as_str() {
        "" => "nobody said how".to_owned(),
        path => format!("by {}", printable(path)),
    }];
    words.extend(
        undo.takes_s
            .map(|takes| format!("takes about {} min", takes.div_ceil(60))),
    );
    if !undo.rehearsed.is_empty() {
        words.push(format!("rehearsed {}", undo.rehearsed));
    }
    words.extend(
        undo.last_safe_start
            .as_ref()
            .map(|at| format!("last safe start {at}")),
    );
    words.push(format!("{} sessions under way", undo.open_sessions));
    let _ = writeln!(out, "undo     {}", words.join(", "));
}

fn people(out: &mut String, report: &Report) {
    let people = &report.people;
    if people.wave.is_empty() {
        return;
    }
    let signed = match (&people.signed_by, &people.lapsed) {
        (Some(by), _) => format!("signed by {}", printable(by)),
        (None, Some(why)) => format!("lapsed: {why}"),
        (None, None) => "waiting".to_owned(),
    };
    let _ = writeln!(
        out,
        "people   wave {} on {}; sign-off {} ({signed}), decision {}, deputy {}",
        printable(&people.wave),
        people.date,
        or_none(&printable(&people.sign_off)),
        or_none(&printable(&people.decision)),
        or_none(&printable(&people.deputy)),
    );
}

fn table(out: &mut String, report: &Report) {
    let bound = format!("BOUND {} %", report.confidence.round());
    let _ = writeln!(
        out,
        "  {:<5} {:<44} {:<28} {:<16} {bound:<10} RESULT",
        "ID", "CRITERION", "NEED", "SEEN"
    );
    for it in &report.criteria {
        let bound = it
            .bound
            .map_or("-".to_owned(), |bound| format!("{:.2} %", 100.0 * bound));
        let _ = writeln!(
            out,
            "  {:<5} {:<44} {:<28} {:<16} {bound:<10} {}",
            printable(&it.id),
            printable(&it.title),
            it.need,
            printable(&it.seen),
            result(it)
        );
    }
}

fn result(it: &Weighed) -> String {
    let mark = match it.result {
        Outcome::Met => "[+]",
        Outcome::Excepted | Outcome::Note => "[!]",
        Outcome::Missing => "[?]",
        Outcome::Failed => "[x]",
    };
    let kind = it.missing.map(|missing| format!(", {}", missing.words()));
    let since = it.since.as_ref().map(|since| format!(" since {since}"));
    format!(
        "{mark} {}{}{}",
        it.result.word(),
        kind.unwrap_or_default(),
        since.unwrap_or_default()
    )
}

/// A hash as people compare it.
fn short(hash: &str) -> &str {
    hash.get(..15).unwrap_or(hash)
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
