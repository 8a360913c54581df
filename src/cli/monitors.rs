//! `evenkeel diffs --monitors`: what operators watch, as text.

use std::fmt::Write as _;

use crate::ledger::monitors::{Books, Costs, Count, Measured, Monitors, Series, Share, Time};

/// The monitors, one block each.
pub fn summary(view: &Monitors) -> String {
    let mut out = String::new();
    if view.shares.is_empty() && view.counts.is_empty() {
        out.push_str("nothing counted yet\n");
    }
    let mut monitor = "";
    for share in &view.shares {
        headline(&mut out, &mut monitor, &share.series);
        line(&mut out, &share.series, &of(share));
    }
    monitor = "";
    for count in &view.counts {
        headline(&mut out, &mut monitor, &count.series);
        line(&mut out, &count.series, &counted(count));
    }
    if !view.latencies.is_empty() {
        out.push_str("answer times, ms (p50, p95, p99, max)\n");
    }
    for time in &view.latencies {
        out.push_str(&latency(time));
    }
    for books in &view.books {
        out.push_str(&cdrs(books));
    }
    let _ = writeln!(out, "digest     {}", view.digest);
    out
}

fn headline<'a>(out: &mut String, last: &mut &'a str, series: &'a Series) {
    if *last != series.monitor {
        let _ = writeln!(out, "{}", series.monitor);
        *last = &series.monitor;
    }
}

fn line(out: &mut String, series: &Series, says: &str) {
    let whose = [series.group.as_str(), &series.model, &series.leg];
    let whose: Vec<&str> = whose.into_iter().filter(|word| !word.is_empty()).collect();
    let whose = super::printable(&whose.join(", "));
    let _ = writeln!(out, "  {whose:<34} {says}");
}

fn of(share: &Share) -> String {
    let percent = 100.0 * share.part as f64 / share.of.max(1) as f64;
    if share.series.monitor == "availability" {
        let hours = |time: u64| time as f64 / 3.6e9;
        let (part, of) = (hours(share.part), hours(share.of));
        return format!("{} {percent:.2} % ({part:.2} of {of:.2} h)", share.name);
    }
    format!(
        "{} {percent:.1} % ({} of {})",
        share.name, share.part, share.of
    )
}

fn counted(count: &Count) -> String {
    let mut says = super::printable(&count.what.replace("_us", ""));
    if !count.detail.is_empty() {
        says = format!("{says} ({})", super::printable(&count.detail));
    }
    match (&count.measured, count.what.strip_suffix("_us")) {
        (Some(measured), Some(_)) => format!("{says} {} times, {}", count.count, times(*measured)),
        (Some(it), None) => format!("{says} p50 {}, p99 {}, max {}", it.p50, it.p99, it.max),
        (None, Some(_)) => format!("{says} {:.1} h", count.count as f64 / 3.6e9),
        (None, None) => format!("{says} {}", count.count),
    }
}

fn times(measured: Measured) -> String {
    let seconds = |time: i64| time as f64 / 1e6;
    format!(
        "p50 {:.1} s, p95 {:.1} s, max {:.1} s",
        seconds(measured.p50),
        seconds(measured.p95),
        seconds(measured.max)
    )
}

fn latency(time: &Time) -> String {
    let ms = |time: i64| time as f64 / 1e3;
    let it = time.measured;
    format!(
        "  {:<34} {:<9} {:.1}, {:.1}, {:.1}, {:.1} ({} timed)\n",
        super::printable(&time.action),
        time.what,
        ms(it.p50),
        ms(it.p95),
        ms(it.p99),
        ms(it.max),
        time.count
    )
}

fn cdrs(books: &Books) -> String {
    let model = if books.model.is_empty() {
        String::new()
    } else {
        format!(" of {}", super::printable(&books.model))
    };
    let mut out = format!(
        "books{model}\n  {} sessions judged, CDRs: legacy {}, candidate {}\n",
        books.sessions, books.legacy_cdrs, books.candidate_cdrs
    );
    if books.legacy_credits + books.candidate_credits > 0 {
        let _ = writeln!(
            out,
            "  CDRs taken back: legacy {}, candidate {}",
            books.legacy_credits, books.candidate_credits
        );
    }
    for (flaw, count) in &books.flaws {
        let _ = writeln!(out, "  {flaw} {count}");
    }
    for (currency, costs) in &books.costs {
        out.push_str(&cost("cost", currency, costs));
    }
    // One tariff says what its currency has said.
    for (tariff, costs) in books.tariffs.iter().filter(|_| books.tariffs.len() > 1) {
        let named = if tariff.is_empty() { "none" } else { tariff };
        out.push_str(&cost("tariff", named, costs));
    }
    out
}

fn cost(what: &str, name: &str, costs: &Costs) -> String {
    format!(
        "  {what} {}: {} compared, candidate higher {}, lower {}, sum {}, largest {}\n",
        super::printable(name),
        costs.compared,
        costs.higher,
        costs.lower,
        costs.difference,
        costs.largest
    )
}
